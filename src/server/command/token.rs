//! A code becomes a token; a token is given back.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{CLIENT, For, Refused, TokenAnswer, make, refuse, verifies};
use crate::server::app::App;
use crate::server::extract::FormBody;
use crate::server::guard::{Told, Visit};
use crate::server::problem::Problem;
use crate::tvm::audit::Outcome;
use crate::tvm::model::Digest;
use crate::tvm::store::codes::Taken;

/// A code, and what proves whose it is.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Presented {
    /// `authorization_code`.
    grant_type: String,
    /// The code.
    #[serde(default)]
    code: String,
    /// The address that it came to.
    #[serde(default)]
    redirect_uri: String,
    /// `saml2cloud`.
    #[serde(default)]
    client_id: String,
    /// What the challenge was made of.
    #[serde(default)]
    code_verifier: String,
}

/// Takes a code, gives a token
#[utoipa::path(
    post, path = "/api/v1/cli/token", tag = "Command line", operation_id = "cli.token",
    request_body(content = Presented, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = TokenAnswer), (status = 400, body = Refused))
)]
pub(super) async fn token(
    State(app): State<App>,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
    form: Result<FormBody<Presented>, Problem>,
) -> Result<Response, Problem> {
    let Ok(FormBody(form)) = form else { return Ok(refuse(&told, "invalid_request", "the form is not complete")) };
    if form.grant_type != "authorization_code" {
        return Ok(refuse(&told, "unsupported_grant_type", "only `authorization_code` is taken here"));
    }
    if form.client_id != CLIENT {
        return Ok(refuse(&told, "invalid_client", "this client is not known"));
    }
    let origin = Digest::of(&form.code);
    let mut tx = app.store.begin(visit.now).await?;
    let invalid = |why: &str| refuse(&told, "invalid_grant", why);
    let code = match tx.take_code(&origin).await? {
        Taken::Good(code) => code,
        Taken::Unknown => return Ok(invalid("the code is none, or too old")),
        Taken::Used => {
            // Somebody has it who should not: whoever was first loses it too (RFC 6749 §4.1.2).
            let revoked = tx.revoke_tokens_from(&origin).await?;
            told.add("revoked", revoked);
            let refused = invalid("the code was used before");
            told.commit_as(tx, Outcome::Refused).await?;
            return Ok(refused);
        }
    };
    if code.redirect_uri != form.redirect_uri || !verifies(&form.code_verifier, &code.challenge) {
        // It is used up: who could not prove that it is theirs does not try again.
        let refused = invalid("the code was given to somebody else");
        told.commit_as(tx, Outcome::Refused).await?;
        return Ok(refused);
    }
    let whose = For {
        user: &code.user,
        name: "command line",
        authn_context: code.authn_context.as_deref(),
        authn_at: code.authn_at,
        origin: &origin,
    };
    let answer = make(&app, &mut tx, &visit, &told, &whose).await?;
    told.commit(tx).await?;
    Ok(Json(answer).into_response())
}

/// A token that is given back.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct GivenBack {
    /// The token.
    token: String,
}

/// Ends a token (RFC 7009)
#[utoipa::path(
    post, path = "/api/v1/cli/revoke", tag = "Command line", operation_id = "cli.revoke",
    request_body(content = GivenBack, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "It is no token any more, whether or not it was one"))
)]
pub(super) async fn revoke(
    State(app): State<App>,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
    FormBody(form): FormBody<GivenBack>,
) -> Result<Response, Problem> {
    let digest = Digest::of(&form.token);
    let mut tx = app.store.begin(visit.now).await?;
    if let Some((token, user)) = crate::tvm::store::tokens::by_digest(&mut tx, &digest, visit.now).await? {
        told.by_user(&user);
        told.on("token", token.id.as_str(), None);
    }
    let was_one = tx.revoke_presented_token(&digest).await?;
    told.add("was_one", was_one);
    told.commit(tx).await?;
    Ok(Json(serde_json::json!({})).into_response())
}
