//! A line on stderr for each request, and its count. Never a query, a cookie, a token or a body.

use axum::extract::Request;
use axum::http::Method;
use axum::http::header::ACCEPT;
use axum::response::Response;

use super::{Matched, Told, Visit};
use crate::server::app::App;
use crate::server::health::is_probe;
use crate::server::settings::AccessLog;
use crate::types::Untrusted;

/// How long something takes.
pub(super) struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Whether a person reads the answer.
pub(super) fn is_page(request: &Request) -> bool {
    let path = request.uri().path();
    let by_browser =
        request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|kinds| kinds.contains("text/html"));
    by_browser || !(path.starts_with("/api/") || is_probe(path))
}

/// What is known before the request is answered.
pub(super) struct Line {
    method: Method,
    path: String,
    visit: Visit,
}

impl Line {
    pub(super) fn of(request: &Request, visit: &Visit) -> Self {
        Self { method: request.method().clone(), path: request.uri().path().to_owned(), visit: visit.clone() }
    }

    pub(super) fn write(&self, app: &App, response: &Response, started: &Stopwatch) {
        let (status, seconds) = (response.status().as_u16(), started.seconds());
        let route = response.extensions().get::<Matched>().map_or("none", |matched| matched.0.path.as_str());
        app.metrics.request(&self.method, route, status, seconds);
        if is_probe(&self.path) && status < 400 {
            return;
        }
        let gid = response.extensions().get::<Told>().and_then(Told::gid);
        let millis = (seconds * 1000.0).round();
        let line = match app.settings.server.access_log {
            AccessLog::Off => return,
            AccessLog::Json => serde_json::json!({
                "time": self.visit.now.utc(),
                "request": self.visit.request,
                "from": self.visit.address.to_string(),
                "who": gid,
                "method": self.method.as_str(),
                "path": self.path,
                "status": status,
                "ms": millis,
            })
            .to_string(),
            AccessLog::Text => format!(
                "{} {} {} {} {} {} {status} {millis} ms",
                self.visit.now.utc(),
                self.visit.request,
                self.visit.address,
                gid.as_deref().unwrap_or("-"),
                self.method,
                Untrusted::new(self.path.clone()),
            ),
        };
        crate::world::tell(&line);
    }
}
