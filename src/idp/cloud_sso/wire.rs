//! The requests of a sign-in and their answers: JSON in Pascal case, without a signature, at the host of the sign-in URL. There is no
//! public description; this is what the `aliyun` client says and hears.

use serde::Deserialize;
use serde_json::{Value, json};

use super::NAME;
use crate::http::BrowseError;
use crate::idp::SignInError;
use crate::oidc::{self, Pkce};
use crate::types::{Secret, Timestamp, Untrusted, WebUrl};
use crate::world::{Request, Response};

/// The longest life of a token that is believed; a portal's are of hours.
const LONGEST: u64 = 86_400 * 30;
/// A token counts as over this much before its end.
const EARLY: u64 = 10;

/// A sign-in, begun.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Begun {
    pub(super) device_code: Secret<String>,
    pub(super) user_code: String,
    pub(super) verification_uri: String,
    pub(super) verification_uri_complete: Option<String>,
    pub(super) interval: Option<u64>,
}

/// What a sign-in gives.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Granted {
    pub(super) access_token: Secret<String>,
    pub(super) expires_in: u64,
}

impl Granted {
    /// When the token is no longer used.
    pub(super) fn expires(&self, now: Timestamp) -> Timestamp {
        now.after(std::time::Duration::from_secs(self.expires_in.saturating_sub(EARLY).min(LONGEST)))
    }
}

/// A no.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Refusal {
    /// Its word for it: `AuthorizationPending`, `InvalidDeviceCodeError`, …
    #[serde(rename = "ErrorCode")]
    pub(super) code: String,
    #[serde(rename = "ErrorMessage")]
    pub(super) said: String,
    pub(super) request_id: String,
}

impl Refusal {
    /// Its sentence, with the number that its support asks for.
    pub(super) fn words(&self) -> Untrusted {
        Untrusted::new(match (self.said.is_empty(), self.request_id.is_empty()) {
            (false, false) => format!("{} (request {})", self.said, self.request_id),
            (true, false) => format!("request {}", self.request_id),
            (_, true) => self.said.clone(),
        })
    }
}

/// What an answer is.
#[derive(Debug)]
pub(super) enum Told<T> {
    /// What was asked for.
    Given(T),
    /// A no.
    Refused(Refusal),
}

/// Reads the answer to `step`.
pub(super) fn read<T: for<'de> Deserialize<'de>>(answer: &Response, step: &'static str) -> Result<Told<T>, SignInError> {
    let garbled =
        |why: &str| SignInError::Garbled { provider: NAME.into(), step, status: answer.status, why: Untrusted::new(why) };
    if answer.is_success() {
        return oidc::json(answer.body.expose()).map(Told::Given).map_err(garbled);
    }
    let refusal: Refusal = oidc::json(answer.body.expose()).map_err(garbled)?;
    match refusal.code.is_empty() {
        true => Err(garbled("it is an error without a word")),
        false => Ok(Told::Refused(refusal)),
    }
}

/// A request to the host of the sign-in URL.
pub(super) fn post(sign_in_url: &WebUrl, path: &str, body: &Value) -> Result<Request, SignInError> {
    let url = sign_in_url.join(path).map_err(|why| BrowseError::Astray { host: sign_in_url.host().to_owned(), why })?;
    Ok(Request::post(url, "application/json", Secret::new(body.to_string())).header("accept", "application/json"))
}

pub(super) fn begin(sign_in_url: &WebUrl, client: &str, pkce: &Pkce) -> Value {
    json!({
        "PortalUrl": sign_in_url.expose().as_str(),
        "ClientId": client,
        "CodeChallenge": pkce.challenge,
        "CodeChallengeMethod": Pkce::METHOD,
    })
}

pub(super) fn redeem(client: &str, code: &Secret<String>, pkce: &Pkce) -> Value {
    json!({
        "ClientId": client,
        "CodeVerifier": pkce.verifier.expose(),
        "DeviceCode": code.expose(),
        "GrantType": oidc::device::GRANT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> String {
        match read::<Granted>(&Response { status, headers: Vec::new(), body: body.into() }, "x") {
            Ok(Told::Given(granted)) => format!("given {}", granted.expires_in),
            Ok(Told::Refused(refusal)) => format!("{} {}", refusal.code, refusal.words()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(told(200, r#"{"AccessToken":"a","ExpiresIn":3600,"RequestId":"R"}"#), "given 3600");
        let refused = r#"{"ErrorCode":"AuthorizationPending","ErrorMessage":"wait","RequestId":"R-1"}"#;
        assert_eq!(told(400, refused), "AuthorizationPending wait (request R-1)");
        assert_eq!(told(403, r#"{"ErrorCode":"X"}"#), "X ");
        for (status, body, why) in [
            (200, "<html>", "it is a page for people, not JSON"),
            (502, "<html>", "it is a page for people, not JSON"),
            (200, "{}", "it is not the JSON that was expected"),
            (200, r#"{"AccessToken":"a","ExpiresIn":-1}"#, "it is not the JSON that was expected"),
            (400, "{}", "it is an error without a word"),
            (400, "", "it is not the JSON that was expected"),
        ] {
            assert_eq!(told(status, body), format!("did not understand the answer of CloudSSO to x (HTTP {status}): {why}"));
        }
    }

    #[test]
    fn requests_go_to_the_host_of_the_sign_in_url() {
        let url = WebUrl::parse("https://signin-cn-shanghai.alibabacloudsso.com/acme/login").unwrap();
        let request = post(&url, "/token", &json!({})).unwrap();
        assert_eq!(request.url.expose().as_str(), "https://signin-cn-shanghai.alibabacloudsso.com/token");
        let body = begin(&url, "app-1", &Pkce::new());
        assert_eq!(body["PortalUrl"], "https://signin-cn-shanghai.alibabacloudsso.com/acme/login");
        assert_eq!(body["CodeChallengeMethod"], "S256");
    }

    #[test]
    fn a_token_is_over_a_little_before_its_end() {
        let now = Timestamp::from_unix(1000).unwrap();
        let expires = |expires_in| Granted { access_token: "a".into(), expires_in }.expires(now).unix();
        assert_eq!((expires(3600), expires(5)), (4590, 1000));
        assert_eq!(expires(u64::MAX), 1000 + 86_400 * 30);
    }
}
