//! The headers of every answer.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::Response;

use super::Visit;
use crate::server::app::App;

/// What a page may load and do: nothing but what is said here (Content Security Policy 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// The policy of a page whose form is posted to another place, or sent on there from here; there and nowhere else. Chromium applies it to the redirects
/// that follow too.
pub(crate) fn posting_to(place: &url::Url, by_way_of_us: bool) -> HeaderValue {
    let origin = place.origin().ascii_serialization();
    let places = if by_way_of_us { format!("'self' {origin}") } else { origin };
    let policy = POLICY.replace("form-action 'self'", &format!("form-action {places}"));
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Puts them, where the handler did not put its own.
pub(super) fn put(app: &App, visit: &Visit, response: &mut Response) {
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    put(CONTENT_SECURITY_POLICY, POLICY);
    put(X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(X_FRAME_OPTIONS, "DENY");
    put(REFERRER_POLICY, "no-referrer");
    put(CACHE_CONTROL, "no-store");
    put(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    put(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    put(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), clipboard-write=(self)");
    if app.settings.server.is_secure() {
        put(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    if let Ok(value) = HeaderValue::from_str(&visit.request) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
}
