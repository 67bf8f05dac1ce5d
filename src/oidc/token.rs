//! The token endpoint: one form, one JSON answer (RFC 6749).

use std::time::Duration;

use serde::Deserialize;

use super::{Client, OidcError, json};
use crate::http::Browser;
use crate::types::{Secret, Timestamp, Untrusted, WebUrl};
use crate::world::{Request, Response};

/// What an issuer gives.
#[derive(Debug, Clone, Deserialize)]
pub struct Tokens {
    /// Says who the person is.
    #[serde(rename = "id_token")]
    pub id: Option<Secret<String>>,
    /// For calls of the issuer's own; from some issuers a JSON Web Token as well.
    #[serde(rename = "access_token")]
    pub access: Option<Secret<String>>,
    /// Buys new ones without the person.
    #[serde(rename = "refresh_token")]
    pub refresh: Option<Secret<String>>,
    /// How long the access token lives, in seconds.
    #[serde(default)]
    expires_in: Option<f64>,
}

impl Tokens {
    /// How long the access token lives, if the issuer says.
    pub fn lifetime(&self) -> Option<Duration> {
        self.expires_in.filter(|s| (0.0..1e9).contains(s)).map(Duration::from_secs_f64)
    }
}

/// An answer of a token endpoint.
#[derive(Debug)]
pub enum Told {
    /// Tokens.
    Tokens(Box<Tokens>),
    /// An error by its code, and what the issuer says of it.
    Error {
        /// The code: `authorization_pending`, `invalid_grant`, …
        code: String,
        /// In the issuer's words.
        said: Untrusted,
    },
    /// No answer of a token endpoint.
    Garbled(&'static str),
}

#[derive(Deserialize)]
struct Failure {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

/// An error of a server that has one way to say no for all of its addresses (RFC 9457), with a word for programs.
#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: Option<String>,
}

/// Asks for tokens. Redirects are not followed: a secret goes to one address only.
///
/// # Errors
/// [`OidcError`]: no answer, a refusal, or an answer that is none.
pub async fn request(
    browser: &mut Browser<'_>,
    endpoint: &WebUrl,
    client: &Client,
    now: Timestamp,
    step: &'static str,
    fields: &[(&str, &str)],
) -> Result<Tokens, OidcError> {
    let answer = send(browser, endpoint, client, now, fields).await?;
    let who = endpoint.host().to_owned();
    match read(&answer) {
        Told::Tokens(tokens) => Ok(*tokens),
        Told::Error { code, said } => Err(OidcError::Refused { who, step, error: Untrusted::new(code), said }),
        Told::Garbled(why) => Err(OidcError::Garbled { who, step, status: answer.status, why: Untrusted::new(why) }),
    }
}

/// Sends a form with the client's proof to an address of the issuer.
pub(super) async fn send(
    browser: &mut Browser<'_>,
    endpoint: &WebUrl,
    client: &Client,
    now: Timestamp,
    fields: &[(&str, &str)],
) -> Result<Response, OidcError> {
    let proof = client.proof(endpoint, now);
    let proven = proof.fields.iter().map(|(name, value)| (*name, value.expose().as_str()));
    let mut request = Request::form(endpoint.clone(), fields.iter().copied().chain(proven)).header("accept", "application/json");
    if let Some(header) = proof.header {
        request = request.header("authorization", header);
    }
    Ok(browser.send(request).await?)
}

/// What an answer means.
pub(super) fn read(answer: &Response) -> Told {
    let text = answer.body.expose();
    if answer.is_success() {
        return match json::<Tokens>(text) {
            Ok(tokens) if tokens.id.is_none() && tokens.access.is_none() => Told::Garbled("it has no token in it"),
            Ok(tokens) => Told::Tokens(Box::new(tokens)),
            Err(why) => Told::Garbled(why),
        };
    }
    match json::<Failure>(text) {
        Ok(failure) => Told::Error { code: failure.error, said: Untrusted::new(failure.error_description.unwrap_or_default()) },
        Err(why) => match json::<Problem>(text) {
            Ok(problem) => Told::Error { code: problem.code, said: Untrusted::new(problem.detail.unwrap_or_default()) },
            Err(_) => Told::Garbled(why),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> String {
        match read(&Response { status, headers: Vec::new(), body: body.into() }) {
            Told::Tokens(tokens) => format!(
                "{:?} {:?} {:?} {:?}",
                tokens.id.as_ref().map(|t| t.expose().clone()),
                tokens.access.as_ref().map(|t| t.expose().clone()),
                tokens.refresh.is_some(),
                tokens.lifetime()
            ),
            Told::Error { code, said } => format!("{code}: {said}"),
            Told::Garbled(why) => why.to_owned(),
        }
    }

    #[test]
    fn answers() {
        for (status, body, expected) in [
            (
                200,
                r#"{"id_token":"i","access_token":"a","refresh_token":"r","expires_in":3600}"#,
                "Some(\"i\") Some(\"a\") true Some(3600s)",
            ),
            (200, r#"{"access_token":"a","token_type":"Bearer","expires_in":-1}"#, "None Some(\"a\") false None"),
            (200, r#"{"token_type":"Bearer"}"#, "it has no token in it"),
            (200, "<html>Sign in</html>", "it is a page for people, not JSON"),
            (302, "", "it is not the JSON that was expected"),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"code \u001b expired"}"#,
                "invalid_grant: code \\u{1b} expired",
            ),
            (401, r#"{"error":"invalid_client"}"#, "invalid_client: "),
            (429, r#"{"status":429,"code":"rate_limited","detail":"too many"}"#, "rate_limited: too many"),
            (500, "{}", "it is not the JSON that was expected"),
        ] {
            assert_eq!(told(status, body), expected, "{body}");
        }
    }
}
