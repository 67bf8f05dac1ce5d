//! The cookies that are set here.

use std::time::Duration;

use axum::http::HeaderValue;

use crate::types::Secret;

/// Names and attributes of our cookies. A browser keeps a `__Host-` cookie to this very host, by TLS, whatever a neighbour sets (RFC 6265bis §4.1.3);
/// where the service is tried out without TLS on loopback there is no such name.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    is_secure: bool,
}

impl Cookies {
    /// Those of a service that browsers reach by TLS, or not.
    pub fn new(is_secure: bool) -> Self {
        Self { is_secure }
    }

    /// The session's.
    pub fn session(self) -> &'static str {
        if self.is_secure { "__Host-session" } else { "session" }
    }

    /// The one that binds a sign-in to this browser, until it comes back from the identity provider.
    pub fn binding(self) -> &'static str {
        if self.is_secure { "__Host-signin" } else { "signin" }
    }

    /// Sets the session's cookie, for as long as the browser runs.
    pub fn set_session(self, value: &Secret<String>) -> HeaderValue {
        self.make(self.session(), value.expose(), "Lax", None)
    }

    /// Takes it away.
    pub fn end_session(self) -> HeaderValue {
        self.make(self.session(), "", "Lax", Some(Duration::ZERO))
    }

    /// Binds a sign-in to this browser. The identity provider's answer is another site's form: only `SameSite=None` comes with it, and without TLS
    /// browsers take no such cookie; there the answer has to come from the same site.
    pub fn set_binding(self, value: &Secret<String>, for_: Duration) -> HeaderValue {
        self.make(self.binding(), value.expose(), if self.is_secure { "None" } else { "Lax" }, Some(for_))
    }

    /// Takes it away.
    pub fn end_binding(self) -> HeaderValue {
        self.make(self.binding(), "", if self.is_secure { "None" } else { "Lax" }, Some(Duration::ZERO))
    }

    fn make(self, name: &str, value: &str, same_site: &str, for_: Option<Duration>) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let age = for_.map(|age| format!("; Max-Age={}", age.as_secs())).unwrap_or_default();
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}{secure}{age}");
        let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}
