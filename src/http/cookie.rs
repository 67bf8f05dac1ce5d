//! The cookies of one sign-in.

use cookie_store::CookieStore;

use crate::types::{Secret, WebUrl};
use crate::world::Response;

/// A cookie jar that lives as long as the sign-in. Which cookie goes where is RFC 6265's business, and so a library's.
#[derive(Default)]
pub(super) struct Jar(CookieStore);

impl Jar {
    /// The `Cookie` header for a request to `url`, if there is any cookie for it.
    pub(super) fn for_url(&self, url: &WebUrl) -> Option<Secret<String>> {
        let mut pairs: Vec<(&str, &str)> = self.0.get_request_values(url.expose()).collect();
        pairs.sort_unstable();
        let text = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        (!text.is_empty()).then(|| Secret::new(text))
    }

    /// The value of the cookie `name` that would go to `url`.
    pub(super) fn get(&self, url: &WebUrl, name: &str) -> Option<Secret<String>> {
        self.0.get_request_values(url.expose()).find(|(found, _)| *found == name).map(|(_, value)| value.into())
    }

    /// Puts a cookie in for the host of `url` alone, as if that had set it. A value that could not be one is passed over.
    pub(super) fn set(&mut self, url: &WebUrl, name: &str, value: &Secret<String>) {
        let fits = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b',' | b';' | b'\\');
        if value.expose().is_empty() || !value.expose().bytes().all(fits) {
            tracing::debug!(%url, name, "a cookie of ours was passed over");
            return;
        }
        let text = Secret::new(format!("{name}={}; Path=/", value.expose()));
        if self.0.parse(text.expose(), url.expose()).is_err() {
            tracing::debug!(%url, name, "a cookie of ours was passed over");
        }
    }

    /// Keeps the cookies that came with the answer to a request to `url`. One that is malformed or not this
    /// host's to set is passed over, as browsers do.
    pub(super) fn keep(&mut self, url: &WebUrl, response: &Response) {
        for (_, value) in response.headers.iter().filter(|(name, _)| name == "set-cookie") {
            if self.0.parse(value.expose(), url.expose()).is_err() {
                tracing::debug!(%url, "a cookie was passed over");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(cookies: &[&str]) -> Response {
        Response {
            status: 200,
            headers: cookies.iter().map(|c| ("set-cookie".to_owned(), Secret::from(*c))).collect(),
            body: Secret::from(""),
        }
    }

    #[test]
    fn a_cookie_goes_where_it_belongs() {
        let mut jar = Jar::default();
        let console = WebUrl::parse("https://console.idp.example/a").unwrap();
        jar.keep(
            &console,
            &answer(&[
                "s=1; Domain=idp.example; Secure; HttpOnly",
                "p=2; Path=/other",
                "own=3",
                "foreign=4; Domain=bank.example",
            ]),
        );
        let sent = |address: &str| jar.for_url(&WebUrl::parse(address).unwrap()).map(|c| c.expose().clone());
        assert_eq!(sent("https://sso.idp.example/x").as_deref(), Some("s=1"));
        assert_eq!(sent("https://console.idp.example/other/x").as_deref(), Some("own=3; p=2; s=1"));
        assert_eq!(sent("https://bank.example/"), None);
    }

    #[test]
    fn a_cookie_of_ours_goes_to_one_host() {
        let mut jar = Jar::default();
        let org = WebUrl::parse("https://acme.idp.example/home/app/1").unwrap();
        jar.set(&org, "sid", &"102abc".into());
        for bad in ["", "a b", "a; Domain=idp.example", "a\r\nx: y", "\"q\""] {
            jar.set(&org, "DT", &bad.into());
        }
        let sent = |address: &str| jar.for_url(&WebUrl::parse(address).unwrap()).map(|c| c.expose().clone());
        assert_eq!(sent("https://acme.idp.example/login").as_deref(), Some("sid=102abc"));
        assert_eq!(sent("https://sub.acme.idp.example/login"), None);
        assert_eq!(sent("https://idp.example/"), None);
        jar.keep(&org, &answer(&["sid=103def; Path=/; Secure"]));
        assert_eq!(jar.get(&org, "sid").map(|c| c.expose().clone()).as_deref(), Some("103def"));
        assert_eq!(jar.get(&org, "DT"), None);
    }
}
