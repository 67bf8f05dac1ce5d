//! Whether the service lives, and whether it can work. Load balancers and Prometheus ask; nothing about anybody is said.

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};

use super::app::App;
use super::guard::Visit;
use super::problem::{Code, Problem};
use super::route::{Access, Pace, Route, Row};

/// Where machines ask.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Whether a path is asked by machines that look after the service, whatever host they name.
pub(super) fn is_probe(path: &str) -> bool {
    PROBES.contains(&path)
}

pub(super) fn routes() -> Vec<Route> {
    let [healthz, readyz, metrics_at] = PROBES;
    vec![
        Route::other(Method::GET, healthz, None, Access::Local, Row::Operator, alive).paced(Pace::Free),
        Route::other(Method::GET, readyz, None, Access::Local, Row::Operator, ready).paced(Pace::Free),
        Route::other(Method::GET, metrics_at, None, Access::Local, Row::Operator, metrics).paced(Pace::Free),
    ]
}

/// The process answers. The database is not asked: where it is away, another process would not help.
async fn alive() -> &'static str {
    "alive\n"
}

/// Whether requests can be served.
async fn ready(State(app): State<App>) -> Response {
    let database = match app.store.read().await {
        Ok(mut conn) => crate::tvm::store::nodes::root(&mut conn).await.is_ok(),
        Err(_) => false,
    };
    let sessions = app.sessions.check().await.is_ok();
    let is_ready = database && sessions;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |good: bool| if good { "ok" } else { "unavailable" };
    let body = serde_json::json!({"status": word(is_ready), "database": word(database), "sessions": word(sessions)});
    (status, Json(body)).into_response()
}

async fn metrics(State(app): State<App>, Extension(visit): Extension<Visit>) -> Result<Response, Problem> {
    if !app.settings.server.metrics.hold(visit.address) {
        // To everybody else there is no such page.
        return Err(Problem::only(Code::NotFound));
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.text()).into_response())
}
