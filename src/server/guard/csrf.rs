//! Whether a request that changes something came from a page of ours. Only asked where a cookie says who it is: a bearer token is put there by the
//! program that sends it.

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use ring::hmac;

use crate::server::app::App;
use crate::server::problem::{Code, Problem};
use crate::tvm::model::Digest;
use crate::tvm::store::sessions::Session;
use crate::types::Secret;

/// The field of a form, and the header of a script, that carries the token.
pub(crate) const FIELD: &str = "csrf";
const HEADER: &str = "x-csrf-token";

/// The token that the forms of a session carry. It comes from the session's cookie, and does not lead back to it.
#[derive(Debug, Clone)]
pub struct Csrf {
    token: Secret<String>,
    digest: Digest,
}

impl Csrf {
    /// Of a session with this cookie.
    pub fn of(cookie: &Secret<String>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, cookie.expose().as_bytes());
        let tag = hmac::sign(&key, b"saml2cloud forms 1");
        let token = Secret::new(tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let digest = Digest::of(token.expose());
        Self { token, digest }
    }

    /// For the forms.
    pub fn token(&self) -> &Secret<String> {
        &self.token
    }

    /// For the database.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// Refuses what another site's page sent.
pub(super) fn check(app: &App, headers: &HeaderMap, body: &[u8], session: &Session) -> Result<(), Problem> {
    let refused = |why: &str| Err(Problem::new(Code::CsrfFailed, why));
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let ours = app.settings.server.url.expose().origin().ascii_serialization();
    // Pages here send no referrer, and then browsers send `null` as the origin of their forms; `Sec-Fetch-Site` still tells (Fetch §3.2.5).
    let is_same_site = match text("sec-fetch-site") {
        None => false,
        Some("same-origin") => true,
        Some(_) => return refused("the request came from another site"),
    };
    match headers.get(ORIGIN).map(|value| value.to_str().unwrap_or("?")) {
        None => {}
        Some(origin) if origin == ours => {}
        Some("null") if is_same_site => {}
        Some(_) => return refused("the request came from another site"),
    }
    let given = match text(HEADER) {
        Some(token) => Some(token.to_owned()),
        None => field(headers, body),
    };
    match given {
        None => refused("the request carries no token of the page that it came from"),
        // Two digests are compared: how long that takes says nothing about the token.
        Some(token) if Digest::of(&token) == session.csrf => Ok(()),
        Some(_) => refused("the request carries the token of another sign-in"),
    }
}

fn field(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return None;
    }
    url::form_urlencoded::parse(body).find(|(name, _)| name == FIELD).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_has_its_own_token() {
        let (one, two) = (Csrf::of(&"a".into()), Csrf::of(&"b".into()));
        assert_ne!(one.token(), two.token());
        assert_eq!(Csrf::of(&"a".into()).digest(), one.digest());
        assert_eq!(&Digest::of(one.token().expose()), one.digest());
    }
}
