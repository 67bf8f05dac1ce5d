//! How a command line signs in: over the browser on the same machine (RFC 6749 with PKCE, RFC 8252), or over a browser elsewhere, where the person types
//! a code (RFC 8628). Neither gives it more than the person has, and both end like everything else.

mod authorize;
mod device;
mod token;

pub(super) use self::authorize::Asked;

use std::time::Duration;

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::app::App;
use super::guard::{Told, Visit};
use super::problem::Problem;
use super::route::{Access, Pace, Route, Row};
use crate::tvm::model::{Bearer, Digest, UserId};
use crate::tvm::store::Tx;
use crate::tvm::store::tokens::{NewToken, TokenKind};
use crate::types::Timestamp;

/// The one client there is.
const CLIENT: &str = "saml2cloud";
/// How long a code may be on its way.
const CODE: Duration = Duration::from_secs(60);

pub(super) fn routes() -> Vec<Route> {
    let described = |told, handler| Route::api(told, Access::Open, Row::Everybody, handler).paced(Pace::SignIn);
    vec![
        Route::page(Method::GET, "/cli/authorize", "cli.authorize.page", authorize::page),
        Route::page(Method::POST, "/cli/authorize", "cli.authorize", authorize::decide),
        described("cli.token", routes!(token::token)),
        described("cli.device", routes!(device::begin)),
        described("cli.device.token", routes!(device::token)).paced(Pace::Usual),
        described("cli.revoke", routes!(token::revoke)),
        Route::page(Method::GET, "/device", "cli.device.page", device::page),
        Route::page(Method::POST, "/device", "cli.device.decide", device::decide),
    ]
}

/// An access token (RFC 6749 §5.1).
#[derive(Debug, Serialize, ToSchema)]
struct TokenAnswer {
    /// The token.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// For how many seconds.
    expires_in: u64,
}

/// Why there is none (RFC 6749 §5.2, RFC 8628 §3.5).
#[derive(Debug, Serialize, ToSchema)]
struct Refused {
    /// One word.
    error: &'static str,
    /// What it was.
    error_description: String,
}

/// A refusal in OAuth's own form; the word stands in the trail too.
fn refuse(told: &Told, error: &'static str, why: &str) -> Response {
    told.add("error", error);
    (StatusCode::BAD_REQUEST, Json(Refused { error, error_description: why.to_owned() })).into_response()
}

/// A challenge that the method S256 makes (RFC 7636 §4.2).
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Whether this verifier makes that challenge.
fn verifies(verifier: &str, challenge: &str) -> bool {
    let is_sound = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
    let made = URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes()));
    // Of two digests: how long the comparison takes says nothing about the verifier.
    is_sound && Digest::of(&made) == Digest::of(challenge)
}

/// For whom a token is made, and what it is known by.
struct For<'f> {
    user: &'f UserId,
    name: &'f str,
    authn_context: Option<&'f str>,
    authn_at: Option<Timestamp>,
    origin: &'f Digest,
}

/// Makes a token within a change; the caller commits.
async fn make(app: &App, tx: &mut Tx<'_>, visit: &Visit, told: &Told, whose: &For<'_>) -> Result<TokenAnswer, Problem> {
    let bearer = Bearer::new();
    let address = visit.address.to_string();
    let lasts = app.settings.session.cli;
    let new = NewToken {
        digest: bearer.digest(),
        user: whose.user,
        kind: TokenKind::Cli,
        name: whose.name,
        authn_context: whose.authn_context,
        authn_at: whose.authn_at,
        source_ip: Some(&address),
        origin: Some(whose.origin),
        expires: visit.now.after(lasts),
    };
    let id = tx.add_token(&new).await?;
    let user = crate::tvm::store::users::by_id(tx, whose.user).await?;
    told.by_user(&user);
    told.on("token", id.as_str(), None);
    Ok(TokenAnswer { access_token: bearer.secret().expose().clone(), token_type: "Bearer", expires_in: lasts.as_secs() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_makes_its_challenge() {
        // RFC 7636, appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_challenge(challenge) && verifies(verifier, challenge));
        assert!(!verifies(&verifier.replace('d', "e"), challenge) && !verifies("", challenge) && !verifies(challenge, challenge));
        assert!(!is_challenge("") && !is_challenge(&challenge[1..]) && !is_challenge(&challenge.replace('E', "=")));
    }
}
