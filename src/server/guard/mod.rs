//! What every request passes before a handler sees it, and every answer on its way out.
//!
//! Outside, for all: the request gets its number, the host must be ours, the answer gets its headers and a line in the log. Around
//! each route: the pace, the length, the parameters, who it is, whether a form is ours; then the handler; then the one event in the audit
//! trail, unless the handler wrote it together with its change.

mod csrf;
mod headers;
mod known;
mod limiter;
mod log;
mod params;
mod peer;
mod shares;
mod told;

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;

pub use self::csrf::Csrf;
pub(super) use self::headers::posting_to;
pub use self::known::Who;
pub(super) use self::known::cookie;
pub use self::limiter::{Limiter, Rate};
pub(super) use self::peer::Peer;
pub(super) use self::shares::Share;
pub(super) use self::shares::Together;
pub use self::told::Told;
pub(super) use self::told::Tongue;
use super::app::App;
use super::health::is_probe;
use super::once::Sameness;
use super::pages;
use super::problem::{Code, Problem};
use super::route::{Access, Pace, Spec};
use crate::tvm::model::Digest;
use crate::types::Timestamp;

/// How long the body of a request may be on its way: nobody holds a connection, and what it takes, by sending a byte a minute.
const LONGEST_ARRIVAL: std::time::Duration = std::time::Duration::from_secs(30);

/// What the outer layer found out about a request.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    /// The request's number; it stands in the answer, in the log and in the audit trail.
    pub request: String,
    /// From where it came, as far as that can be believed.
    pub address: std::net::IpAddr,
    /// When.
    pub now: Timestamp,
    /// In which language people are answered.
    pub tongue: Tongue,
}

/// Outside of everything.
pub(super) async fn outside(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let now = app.now();
    let started = log::Stopwatch::start();
    let id = ulid(now);
    let peer = request.extensions().get::<Peer>().copied();
    let address = peer::address(peer, request.headers(), &app.settings.server.proxies);
    let visit = Visit { request: id, address, now, tongue: Tongue::of(request.headers()) };
    let line = log::Line::of(&request, &visit);
    request.extensions_mut().insert(visit.clone());
    let is_page = log::is_page(&request);
    let server = &app.settings.server;
    let response = if !peer::is_our_host(&request, &server.url) {
        Problem::only(Code::WrongHost).into_response()
    } else if server.tls.is_none() && !peer::may_speak_plainly(peer, &server.proxies) && !is_probe(request.uri().path()) {
        Problem::new(Code::Forbidden, "plain HTTP is for the proxies in front of this service").into_response()
    } else {
        next.run(request).await
    };
    let mut response = finish(response, &visit, is_page);
    headers::put(&app, &visit, &mut response);
    line.write(&app, &response, &started);
    response
}

/// Writes the body of a problem.
fn finish(mut response: Response, visit: &Visit, is_page: bool) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let (parts, _) = response.into_parts();
    let mut written = if is_page { pages::problem(&problem, visit) } else { document(&problem, visit) };
    *written.status_mut() = parts.status;
    for (name, value) in &parts.headers {
        if name != axum::http::header::CONTENT_LENGTH && name != axum::http::header::CONTENT_TYPE {
            written.headers_mut().append(name.clone(), value.clone());
        }
    }
    *written.extensions_mut() = parts.extensions;
    written
}

fn document(problem: &Problem, visit: &Visit) -> Response {
    ([(axum::http::header::CONTENT_TYPE, "application/problem+json")], problem.document(&visit.request)).into_response()
}

/// Puts the guard around a route's handler.
pub(super) fn around(app: &App, handler: MethodRouter<App>, spec: Spec) -> MethodRouter<App> {
    handler.route_layer(from_fn_with_state((app.clone(), Arc::new(spec)), inside))
}

/// Which route it was, for the one who counts.
#[derive(Debug, Clone)]
struct Matched(Arc<Spec>);

async fn inside(State((app, spec)): State<(App, Arc<Spec>)>, request: Request, next: Next) -> Response {
    let mut response = pass(&app, &spec, request, next).await;
    response.extensions_mut().insert(Matched(spec));
    response
}

async fn pass(app: &App, spec: &Spec, request: Request, next: Next) -> Response {
    let Some(visit) = request.extensions().get::<Visit>().cloned() else {
        return Problem::only(Code::Internal).into_response();
    };
    if let Err(problem) = pace(app, spec, &visit).await {
        return problem.into_response();
    }
    let (mut parts, body) = request.into_parts();
    let body = match tokio::time::timeout(LONGEST_ARRIVAL, to_bytes(body, spec.longest)).await {
        Ok(Ok(body)) => body,
        Err(_) => return Problem::new(Code::ValidationFailed, "the body did not arrive in time").into_response(),
        Ok(Err(_)) => {
            return Problem::new(Code::TooLarge, format!("at most {} bytes are taken here", spec.longest)).into_response();
        }
    };
    let path = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
    let given = params::read(path.as_ref(), parts.uri.query(), &parts.headers, &body);
    let told = Told::new(spec, &visit, given.told);
    parts.extensions.insert(told.clone());
    if spec.is_idempotent {
        parts.extensions.insert(Sameness(same(&parts, &body)));
    }
    let response = match admit(app, spec, &visit, &mut parts, &body, &told).await {
        Ok(()) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(response) => response,
    };
    tell(app, &told, response, visit.now).await
}

async fn pace(app: &App, spec: &Spec, visit: &Visit) -> Result<(), Problem> {
    let limits = &app.settings.limits;
    let from = peer::network_of(visit.address);
    match spec.pace {
        Pace::Free => Ok(()),
        // This one protects the process itself, and costs nothing.
        Pace::Usual => app
            .limiter
            .take(&format!("any {from}"), Rate::of(limits.per_address), visit.now)
            .map_err(|wait| Problem::only(Code::RateLimited).after(wait)),
        Pace::SignIn => {
            let share = Share::of(format!("sign-in {from}"), Rate::of(limits.sign_in_per_address));
            app.limiter.share(app.together.as_ref(), &[share], visit.now).await
        }
    }
}

/// Finds out who it is, and whether the request is one of theirs.
async fn admit(
    app: &App,
    spec: &Spec,
    visit: &Visit,
    parts: &mut axum::http::request::Parts,
    body: &Bytes,
    told: &Told,
) -> Result<(), Response> {
    if matches!(spec.access, Access::Open | Access::Local) {
        return Ok(());
    }
    let bearer_counts = spec.access == Access::Api;
    let who = known::find(app, &parts.headers, bearer_counts, visit).await.map_err(|problem| problem.into_response())?;
    let Some(who) = who else {
        return Err(if spec.access == Access::Page && parts.method == axum::http::Method::GET {
            pages::to_sign_in(&parts.uri)
        } else {
            Problem::only(Code::Unauthenticated).into_response()
        });
    };
    told.by(&who);
    if let Some(session) = who.session()
        && !parts.method.is_safe()
    {
        csrf::check(app, &parts.headers, body, session).map_err(|problem| problem.into_response())?;
    }
    parts.extensions.insert(who);
    Ok(())
}

/// Writes the one event, unless it stands there already. Where it cannot be written nothing is answered but that.
async fn tell(app: &App, told: &Told, mut response: Response, now: Timestamp) -> Response {
    if let Some(problem) = response.extensions().get::<Problem>() {
        told.add("error", problem.code.word());
    }
    let status = response.status();
    if let Some(event) = told.event_for(status)
        && let Err(error) = app.store.record(now, &event).await
    {
        tracing::error!(error = &error as &dyn std::error::Error, "the audit trail cannot be written");
        if status != StatusCode::SERVICE_UNAVAILABLE {
            response = Problem::only(Code::AuditUnavailable).after(5).into_response();
        }
    }
    response.extensions_mut().insert(told.clone());
    response
}

/// What has to be the same where a request comes twice.
fn same(parts: &axum::http::request::Parts, body: &[u8]) -> Digest {
    let whole = serde_json::json!([parts.method.as_str(), parts.uri.to_string(), String::from_utf8_lossy(body)]);
    Digest::of(&whole.to_string())
}

/// A request's number: it sorts by time, and nobody else chooses it.
fn ulid(now: Timestamp) -> String {
    let millis = u64::try_from(now.unix_millis()).unwrap_or_default();
    ulid::Ulid::from_parts(millis, crate::world::random()).to_string()
}
