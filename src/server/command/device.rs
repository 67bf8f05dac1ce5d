//! A command line on a machine without a browser asks; the person types its code into a page elsewhere. There is no address with the code in it: who
//! is sent a link is not who started the command.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CLIENT, For, Refused, TokenAnswer, is_challenge, make, refuse, verifies};
use crate::server::app::App;
use crate::server::extract::FormBody;
use crate::server::guard::{Rate, Share, Told, Visit, Who};
use crate::server::pages;
use crate::server::pages::DeviceStep;
use crate::server::problem::Problem;
use crate::tvm::audit::Outcome;
use crate::tvm::model::{Bearer, Digest, UserCode};
use crate::tvm::store::codes::{Decision, NewDevice, Poll, asking};

/// How long a code may be typed.
const OPEN: Duration = Duration::from_secs(300);
/// How often a command line asks.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many wrong codes a person may type in that time.
const TRIES: Rate = Rate { burst: 5, a_minute: 1 };

/// Who asks.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Begin {
    /// `saml2cloud`.
    client_id: String,
    /// The machine's name; the person sees it.
    #[serde(default)]
    client_name: String,
    /// Made of a verifier by S256.
    #[serde(default)]
    code_challenge: String,
    /// `S256`.
    #[serde(default)]
    code_challenge_method: String,
}

/// What is to be typed where (RFC 8628 §3.2).
#[derive(Debug, Serialize, ToSchema)]
struct Began {
    /// For the command line.
    device_code: String,
    /// For the person.
    user_code: String,
    /// Where they type it.
    verification_uri: String,
    /// For how many seconds.
    expires_in: u64,
    /// How many seconds to wait between two questions.
    interval: u64,
}

/// Begins a sign-in on another machine
#[utoipa::path(
    post, path = "/api/v1/cli/device", tag = "Command line", operation_id = "cli.device",
    request_body(content = Begin, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Began), (status = 400, body = Refused))
)]
pub(super) async fn begin(
    State(app): State<App>,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
    form: Result<FormBody<Begin>, Problem>,
) -> Result<Response, Problem> {
    let Ok(FormBody(form)) = form else { return Ok(refuse(&told, "invalid_request", "the form is not complete")) };
    if form.client_id != CLIENT {
        return Ok(refuse(&told, "invalid_client", "this client is not known"));
    }
    if !is_challenge(&form.code_challenge) || form.code_challenge_method != "S256" {
        return Ok(refuse(&told, "invalid_request", "there must be a challenge that S256 makes"));
    }
    let (device, code) = (Bearer::new(), UserCode::new());
    let address = visit.address.to_string();
    // What the person reads must not pretend to be more than a name.
    let name: String = crate::types::Untrusted::new(form.client_name).to_string().chars().take(64).collect();
    let mut tx = app.store.begin(visit.now).await?;
    let new = NewDevice {
        device: device.digest(),
        code: code.digest(),
        challenge: &form.code_challenge,
        source_ip: Some(&address),
        client_name: &name,
        interval: INTERVAL,
        expires: visit.now.after(OPEN),
    };
    tx.add_device(&new).await?;
    told.commit(tx).await?;
    let verification_uri = format!("{}device", app.settings.server.url.expose());
    let began = Began {
        device_code: device.secret().expose().clone(),
        user_code: code.shown().expose().clone(),
        verification_uri,
        expires_in: OPEN.as_secs(),
        interval: INTERVAL.as_secs(),
    };
    Ok(Json(began).into_response())
}

/// What a command line asks with.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Presented {
    /// `urn:ietf:params:oauth:grant-type:device_code`.
    grant_type: String,
    /// The device code.
    #[serde(default)]
    device_code: String,
    /// `saml2cloud`.
    #[serde(default)]
    client_id: String,
    /// What the challenge was made of.
    #[serde(default)]
    code_verifier: String,
}

/// Asks whether the person has said yes
#[utoipa::path(
    post, path = "/api/v1/cli/device/token", tag = "Command line", operation_id = "cli.device.token",
    request_body(content = Presented, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenAnswer),
        (status = 400, body = Refused, description = "`authorization_pending`, `slow_down`, `access_denied`, `expired_token`"),
    )
)]
pub(super) async fn token(
    State(app): State<App>,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
    form: Result<FormBody<Presented>, Problem>,
) -> Result<Response, Problem> {
    let Ok(FormBody(form)) = form else { return Ok(refuse(&told, "invalid_request", "the form is not complete")) };
    if form.grant_type != "urn:ietf:params:oauth:grant-type:device_code" {
        return Ok(refuse(&told, "unsupported_grant_type", "only the grant of a device code is taken here"));
    }
    if form.client_id != CLIENT {
        return Ok(refuse(&told, "invalid_client", "this client is not known"));
    }
    let device = Digest::of(&form.device_code);
    let approved = match app.store.poll_device(&device, visit.now).await? {
        Poll::Pending => return Ok(refuse(&told, "authorization_pending", "the person has not said anything yet")),
        Poll::SlowDown(_) => return Ok(refuse(&told, "slow_down", "these questions come too fast")),
        Poll::Denied => return Ok(refuse(&told, "access_denied", "the person said no")),
        Poll::Expired => return Ok(refuse(&told, "expired_token", "nobody typed the code in time")),
        Poll::Approved(approved) => approved,
    };
    let mut tx = app.store.begin(visit.now).await?;
    if !tx.take_device(&device).await? {
        return Ok(refuse(&told, "expired_token", "it was fetched already"));
    }
    if !verifies(&form.code_verifier, &approved.challenge) {
        // It is used up: who has the code and not the verifier did not start the command.
        let refused = refuse(&told, "invalid_grant", "the code was given to somebody else");
        told.commit_as(tx, Outcome::Refused).await?;
        return Ok(refused);
    }
    let whose = For {
        user: &approved.user,
        name: &approved.client_name,
        authn_context: approved.authn_context.as_deref(),
        authn_at: approved.authn_at,
        origin: &device,
    };
    let answer = make(&app, &mut tx, &visit, &told, &whose).await?;
    told.commit(tx).await?;
    Ok(Json(answer).into_response())
}

/// `GET /device`: the code is typed here. It is no parameter of this page.
pub(super) async fn page(who: Who, Extension(visit): Extension<Visit>) -> Response {
    pages::device(&visit, &who, DeviceStep::Type)
}

/// What the person typed, and said.
#[derive(Debug, Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    user_code: String,
    #[serde(default)]
    decision: String,
}

/// `POST /device`: first the code, then a page that shows who asks, then yes or no.
pub(super) async fn decide(
    State(app): State<App>,
    who: Who,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
    FormBody(said): FormBody<Said>,
) -> Result<Response, Problem> {
    // Taken before the code is looked at, by all processes together, so that nobody guesses at many at once; one that is right costs nothing.
    let one_try = Share::of(format!("device {}", who.id()), TRIES);
    app.limiter.share(app.together.as_ref(), std::slice::from_ref(&one_try), visit.now).await?;
    let code = UserCode::parse(&said.user_code);
    let found = match &code {
        Some(code) => asking(&mut *app.store.read().await?, code.digest(), visit.now).await?,
        None => None,
    };
    let (Some(code), Some(asked)) = (code, found) else {
        told.add("error", "wrong_code");
        let mut response = pages::device(&visit, &who, DeviceStep::Wrong);
        *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(response);
    };
    app.limiter.unshare(app.together.as_ref(), &one_try, visit.now).await;
    told.add("client_name", asked.client_name.as_str());
    told.add("from", asked.source_ip.clone());
    let decision = match said.decision.as_str() {
        "" => return Ok(pages::device(&visit, &who, DeviceStep::Decide(&asked, code.shown()))),
        "allow" => Decision::Approve { user: who.id(), authn_context: who.authn_context(), authn_at: who.authn_at() },
        "deny" => Decision::Deny,
        _ => return Err(Problem::field("decision", "is `allow` or `deny`")),
    };
    let is_allowed = matches!(decision, Decision::Approve { .. });
    let mut tx = app.store.begin(visit.now).await?;
    tx.decide_device(code.digest(), decision).await?;
    told.commit(tx).await?;
    Ok(pages::device(&visit, &who, if is_allowed { DeviceStep::Allowed } else { DeviceStep::Denied }))
}
