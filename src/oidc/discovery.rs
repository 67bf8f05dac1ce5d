//! Where an issuer's addresses are (OpenID Connect Discovery 1.0): its own word, checked.

use serde::Deserialize;

use super::{OidcError, json};
use crate::http::Browser;
use crate::types::{Untrusted, WebUrl};
use crate::world::Request;

/// Where the description lies, below the issuer.
const PLACE: &str = "/.well-known/openid-configuration";

/// What an issuer says of itself.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The issuer to the letter as it calls itself, which stands in its tokens.
    pub issuer: String,
    /// Where tokens are given.
    pub token: WebUrl,
    /// Where a person signs in.
    pub authorization: Option<WebUrl>,
    /// Where a device flow begins.
    pub device: Option<WebUrl>,
    /// Whether its answers to a browser name it (RFC 9207), so that one without a name is not its own.
    pub names_itself: bool,
    /// Whether a client's secret belongs into the form and not into a header.
    pub wants_secret_in_form: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    token_endpoint: String,
    authorization_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// Asks an issuer for its addresses.
///
/// # Errors
/// [`OidcError`]: no answer, or one that is not to be gone by.
pub async fn discover(browser: &mut Browser<'_>, issuer: &WebUrl) -> Result<Endpoints, OidcError> {
    let wrong = |why: String| OidcError::Issuer { issuer: issuer.to_string(), why };
    let place = format!("{}{PLACE}", issuer.to_string().trim_end_matches('/'));
    let place = WebUrl::parse(&place).map_err(|why| wrong(why.to_string()))?;
    let answer = browser.send(Request::get(place.clone()).header("accept", "application/json")).await?;
    if let Some(location) = answer.header("location").filter(|_| (300..400).contains(&answer.status)) {
        let to = place.join(location).map_or_else(|why| why.to_string(), |to| to.to_string());
        return Err(wrong(format!("its description is not there, but leads elsewhere ({})", Untrusted::new(to))));
    }
    if !answer.is_success() {
        return Err(wrong(format!("there is no description at `{place}` (HTTP {})", answer.status)));
    }
    let document = json(answer.body.expose()).map_err(|why| wrong(format!("of the description at `{place}`, {why}")))?;
    check(issuer, document).map_err(wrong)
}

/// A description is good when it is the issuer's own and leads nowhere less safe than the issuer itself.
fn check(issuer: &WebUrl, document: Document) -> Result<Endpoints, String> {
    // The slash after a host is added by whoever parses an address.
    if document.issuer.trim_end_matches('/') != issuer.to_string().trim_end_matches('/') {
        return Err(format!("its description is of another issuer, \"{}\"", Untrusted::new(document.issuer)));
    }
    let endpoint = |name: &str, text: &str| {
        let url = WebUrl::parse(text).map_err(|why| format!("its `{name}` will not do: {}", Untrusted::new(why.to_string())))?;
        if url.is_loopback() && !issuer.is_loopback() {
            return Err(format!("its `{name}` is on this machine, and the issuer is not"));
        }
        if url.expose().fragment().is_some() || !url.expose().username().is_empty() || url.expose().password().is_some() {
            return Err(format!("its `{name}` has a fragment, a user or a password in it"));
        }
        Ok(url)
    };
    let optional = |name: &str, text: &Option<String>| text.as_deref().map(|text| endpoint(name, text)).transpose();
    let methods = &document.token_endpoint_auth_methods_supported;
    let knows = |method: &str| methods.iter().any(|known| known == method);
    Ok(Endpoints {
        token: endpoint("token_endpoint", &document.token_endpoint)?,
        authorization: optional("authorization_endpoint", &document.authorization_endpoint)?,
        device: optional("device_authorization_endpoint", &document.device_authorization_endpoint)?,
        names_itself: document.authorization_response_iss_parameter_supported,
        wants_secret_in_form: knows("client_secret_post") && !knows("client_secret_basic"),
        issuer: document.issuer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(issuer: &str, json: &str) -> Result<Endpoints, String> {
        let issuer = WebUrl::parse(issuer).unwrap();
        super::json(json).map_err(str::to_owned).and_then(|document| check(&issuer, document))
    }

    #[test]
    fn an_issuers_own_description() {
        let json = r#"{"issuer":"https://idp.example/realms/a","token_endpoint":"https://tokens.example/t",
            "authorization_endpoint":"https://idp.example/auth","authorization_response_iss_parameter_supported":true,
            "token_endpoint_auth_methods_supported":["client_secret_post","private_key_jwt"],"jwks_uri":"https://idp.example/k"}"#;
        for issuer in ["https://idp.example/realms/a", "https://idp.example/realms/a/"] {
            let found = told(issuer, json).unwrap();
            assert_eq!((found.issuer.as_str(), found.token.host()), ("https://idp.example/realms/a", "tokens.example"));
            assert!(found.names_itself && found.wants_secret_in_form && found.device.is_none());
        }
        assert!(
            told("http://127.0.0.1:7/", r#"{"issuer":"http://127.0.0.1:7","token_endpoint":"http://127.0.0.1:7/t"}"#).is_ok()
        );
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let with = |issuer: &str, token: &str| format!(r#"{{"issuer":"{issuer}","token_endpoint":"{token}"}}"#);
        for (json, why) in [
            (with("https://evil.example", "https://idp.example/t"), "of another issuer"),
            (with("https://idp.example.evil.example", "https://idp.example/t"), "of another issuer"),
            (with("https://idp.example/other", "https://idp.example/t"), "of another issuer"),
            (with("https://idp.example", "http://tokens.example/t"), "only https addresses"),
            (with("https://idp.example", "http://127.0.0.1:9/t"), "is on this machine"),
            (with("https://idp.example", "https://localhost/t"), "is on this machine"),
            (with("https://idp.example", "https://a:b@idp.example/t"), "a password"),
            (with("https://idp.example", "/t"), "will not do"),
            ("<html><body>Sign in</body></html>".to_owned(), "a page for people"),
            (r#"{"issuer":"https://idp.example"}"#.to_owned(), "not the JSON"),
        ] {
            let told = told("https://idp.example", &json).unwrap_err();
            assert!(told.contains(why), "{json}: {told}");
        }
    }
}
