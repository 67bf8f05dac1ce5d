//! What pages load: one style, two small scripts, one picture. All of it is in the program.

use axum::http::Method;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::server::route::{Access, Pace, Route, Row};

fn asset(kind: &'static str, text: &'static str) -> Response {
    // Known to everybody; an hour after another version was installed everybody has it.
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=3600")], text).into_response()
}

pub(super) fn routes() -> Vec<Route> {
    macro_rules! assets {
        ($($name:literal, $kind:literal;)+) => {
            vec![$(
                Route::other(Method::GET, concat!("/assets/", $name), None, Access::Open, Row::Everybody, || async {
                    asset($kind, include_str!(concat!("assets/", $name)))
                })
                .paced(Pace::Free)
            ),+]
        };
    }
    assets! {
        "style.css", "text/css; charset=utf-8";
        "page.js", "text/javascript; charset=utf-8";
        "post.js", "text/javascript; charset=utf-8";
        "icon.svg", "image/svg+xml";
    }
}
