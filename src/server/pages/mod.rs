//! Pages for people.

use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse as _, Response};

use super::guard::Visit;
use super::problem::Problem;

/// A problem, for a person.
pub(super) fn problem(problem: &Problem, visit: &Visit) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{}\n{}\n", problem.code.title(), visit.request)).into_response()
}

/// Sends a browser to sign in, and after that back to where it wanted to go.
pub(super) fn to_sign_in(wanted: &Uri) -> Response {
    let path = wanted.path_and_query().map_or("/", |path| path.as_str());
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return", path).finish();
    (StatusCode::SEE_OTHER, [(LOCATION, format!("/saml/login?{query}"))]).into_response()
}
