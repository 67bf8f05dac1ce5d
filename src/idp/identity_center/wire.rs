//! The requests to the sign-in service (`oidc.REGION.amazonaws.com`) and its answers: unsigned JSON in camel case.
//! <https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/Welcome.html>

use serde::Deserialize;
use serde_json::{Value, json};

use super::NAME;
use crate::idp::SignInError;
use crate::types::{Secret, Timestamp, Untrusted, WebUrl};
use crate::world::{Request, Response};

/// The word for a sign-in on another device.
pub(super) const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The word for a sign-in that leads back to this machine.
pub(super) const CODE: &str = "authorization_code";

/// This program, as the service knows it: a registration is for one way to sign in, and lasts about ninety days.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Client {
    #[serde(rename = "clientId")]
    pub(super) id: String,
    #[serde(rename = "clientSecret")]
    pub(super) secret: Secret<String>,
    /// In seconds since 1970.
    #[serde(rename = "clientSecretExpiresAt")]
    pub(super) expires: i64,
}

/// A sign-in on another device, begun.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Begun {
    pub(super) device_code: Secret<String>,
    pub(super) user_code: String,
    pub(super) verification_uri: String,
    pub(super) verification_uri_complete: Option<String>,
    pub(super) expires_in: Option<u64>,
    pub(super) interval: Option<u64>,
}

/// What a sign-in or a refresh gives.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Granted {
    pub(super) access_token: Secret<String>,
    pub(super) expires_in: u64,
    pub(super) refresh_token: Option<Secret<String>>,
}

impl Granted {
    /// When the access token ends.
    pub(super) fn expires(&self, now: Timestamp) -> Timestamp {
        // A portal's longest session is ninety days, and a token is of one session.
        now.after(std::time::Duration::from_secs(self.expires_in.min(86_400 * 90)))
    }
}

/// Why the service said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Its word for it, in snake case: `authorization_pending`, `slow_down`, `invalid_client`, …
    pub(super) code: String,
    /// Its sentence.
    pub(super) said: String,
    /// The HTTP status.
    pub(super) status: u16,
}

impl Refusal {
    /// Whether this program is no longer known there, or not for this way to sign in.
    pub(super) fn is_of_client(&self) -> bool {
        matches!(self.code.as_str(), "invalid_client" | "unauthorized_client")
    }

    /// For a person.
    pub(super) fn words(&self) -> Untrusted {
        Untrusted::new(if self.said.is_empty() { self.code.clone() } else { format!("{} ({})", self.said, self.code) })
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

/// Reads an answer of the service to `step`.
pub(super) fn read<T: for<'de> Deserialize<'de>>(answer: &Response, step: &'static str) -> Result<Told<T>, SignInError> {
    let garbled =
        |why: &str| SignInError::Garbled { provider: NAME.into(), step, status: answer.status, why: Untrusted::new(why) };
    if answer.is_success() {
        return serde_json::from_str(answer.body.expose())
            .map(Told::Given)
            .map_err(|_| garbled("it is not what the sign-in service sends"));
    }
    // The kind of an error is in a header as `AuthorizationPendingException:…`, its word in the body.
    let header = answer.header("x-amzn-errortype").unwrap_or_default();
    let header = header.split(':').next().unwrap_or_default();
    let body: Failure = serde_json::from_str(answer.body.expose()).unwrap_or_default();
    let code = match header.strip_suffix("Exception").filter(|name| !name.is_empty()) {
        Some(name) => words_of(name),
        None => body.error.unwrap_or_default(),
    };
    if code.is_empty() {
        return Err(garbled("it is an error without a word"));
    }
    let said = body.error_description.or(body.message).unwrap_or_default();
    Ok(Told::Refused(Refusal { code: code.clone(), said, status: answer.status }))
}

/// `AuthorizationPending` as `authorization_pending`.
fn words_of(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars().filter(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

#[derive(Deserialize, Default)]
struct Failure {
    error: Option<String>,
    error_description: Option<String>,
    message: Option<String>,
}

/// A request to the service. An address that the environment names may have a path of its own.
pub(super) fn post(at: &WebUrl, path: &str, body: &Value) -> Result<Request, SignInError> {
    let url = address(at, path)?;
    Ok(Request::post(url, "application/json", Secret::new(body.to_string())).header("accept", "application/json"))
}

pub(super) fn address(at: &WebUrl, path: &str) -> Result<WebUrl, SignInError> {
    let base = at.expose().path().trim_end_matches('/');
    at.join(&format!("{base}{path}")).map_err(|why| crate::http::BrowseError::Astray { host: at.host().to_owned(), why }.into())
}

/// Registers this program for one way to sign in. The two ways in one registration are refused by AWS.
pub(super) fn register(name: &str, grant: &str, scopes: &[String], start: &str) -> Value {
    let mut body = json!({
        "clientName": name,
        "clientType": "public",
        "scopes": scopes,
        "grantTypes": [grant, "refresh_token"],
    });
    if grant == CODE {
        // Without a port: any port is good then (RFC 8252, 7.3).
        body["redirectUris"] = json!(["http://127.0.0.1/oauth/callback"]);
        body["issuerUrl"] = json!(start);
    }
    body
}

pub(super) fn begin_device(client: &Client, start: &str) -> Value {
    json!({ "clientId": client.id, "clientSecret": client.secret.expose(), "startUrl": start })
}

pub(super) fn redeem_device(client: &Client, code: &Secret<String>) -> Value {
    json!({
        "clientId": client.id,
        "clientSecret": client.secret.expose(),
        "grantType": DEVICE,
        "deviceCode": code.expose(),
    })
}

pub(super) fn redeem_code(client: &Client, code: &Secret<String>, redirect: &str, verifier: &Secret<String>) -> Value {
    json!({
        "clientId": client.id,
        "clientSecret": client.secret.expose(),
        "grantType": CODE,
        "code": code.expose(),
        "redirectUri": redirect,
        "codeVerifier": verifier.expose(),
    })
}

pub(super) fn refresh(client: &Client, token: &Secret<String>) -> Value {
    json!({
        "clientId": client.id,
        "clientSecret": client.secret.expose(),
        "grantType": "refresh_token",
        "refreshToken": token.expose(),
    })
}

/// What the consent page calls this program: ASCII, 128 characters at most, or the service refuses it.
pub(super) fn client_name(session: Option<&str>) -> String {
    let name = session.map_or_else(|| "saml2cloud".to_owned(), |session| format!("saml2cloud ({session})"));
    name.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, kind: Option<&str>, body: &str) -> Response {
        let headers = kind.map(|kind| ("x-amzn-errortype".to_owned(), Secret::from(kind))).into_iter().collect();
        Response { status, headers, body: body.into() }
    }

    #[test]
    fn errors_are_known_by_header_then_body() {
        let code = |status, kind, body| match read::<Granted>(&answer(status, kind, body), "x") {
            Ok(Told::Refused(refusal)) => refusal.code,
            Ok(Told::Given(_)) => "given".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(code(400, Some("AuthorizationPendingException:http://x/"), "{}"), "authorization_pending");
        assert_eq!(code(400, Some("SlowDownException"), r#"{"error":"other"}"#), "slow_down");
        assert_eq!(code(401, None, r#"{"error":"invalid_client","error_description":"no"}"#), "invalid_client");
        assert_eq!(code(500, Some("InternalServerException"), "{}"), "internal_server");
        assert_eq!(code(200, None, r#"{"accessToken":"a","tokenType":"Bearer","expiresIn":3600}"#), "given");
        for (status, body) in [(200, "<html>"), (502, "<html>"), (400, "{}"), (200, r#"{"accessToken":1}"#)] {
            assert!(code(status, None, body).starts_with("did not understand the answer of IdentityCenter"), "{status} {body}");
        }
    }

    #[test]
    fn one_registration_a_way() {
        let scopes = ["sso:account:access".to_owned()];
        let code = register("x", CODE, &scopes, "https://d-1.awsapps.com/start");
        assert_eq!(code["grantTypes"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(code["redirectUris"], json!(["http://127.0.0.1/oauth/callback"]));
        let device = register("x", DEVICE, &scopes, "https://d-1.awsapps.com/start");
        assert_eq!(device["grantTypes"], json!([DEVICE, "refresh_token"]));
        assert!(device.get("redirectUris").is_none() && device.get("issuerUrl").is_none());
        assert_eq!(client_name(Some("équipe")), "saml2cloud (quipe)");
        assert_eq!(client_name(Some(&"x".repeat(300))).len(), 128);
    }
}
