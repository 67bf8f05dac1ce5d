//! What the service counts, for Prometheus.

use std::sync::Arc;

use axum::http::Method;
use metrics::{counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// Upper ends of the time that a request takes, in seconds.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The counters of one service.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let builder = PrometheusBuilder::new();
        // It refuses an empty list only.
        let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS);
        let recorder = builder.unwrap_or_default().build_recorder();
        let handle = recorder.handle();
        Self { recorder: Arc::new(recorder), handle }
    }
}

impl Metrics {
    /// A request was answered. Routes, not paths: there are few of them.
    pub(super) fn request(&self, method: &Method, route: &str, status: u16, seconds: f64) {
        let (method, route, status) = (method.to_string(), route.to_owned(), status.to_string());
        with_local_recorder(&*self.recorder, || {
            counter!("saml2cloud_http_requests_total", "method" => method.clone(), "route" => route.clone(), "status" => status)
                .increment(1);
            histogram!("saml2cloud_http_request_seconds", "method" => method, "route" => route).record(seconds);
        });
    }

    /// Something happened: a sign-in, a vend.
    pub fn count(&self, name: &'static str, outcome: &'static str) {
        with_local_recorder(&*self.recorder, || counter!(name, "outcome" => outcome).increment(1));
    }

    /// How much of something there is.
    pub fn level(&self, name: &'static str, value: f64) {
        with_local_recorder(&*self.recorder, || gauge!(name).set(value));
    }

    /// As Prometheus reads it.
    pub(super) fn text(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}
