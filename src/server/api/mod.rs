//! `/api/v1`: resources, one file each. The description (OpenAPI 3.1) is made from the handlers.

mod audit;
mod cloud_roles;
mod describe;
mod export;
mod governed;
mod groups;
mod horizontals;
mod insight;
mod me;
mod members;
mod nodes;
mod own;
mod presets;
mod proposals;
pub(super) mod roles;
mod shared;
mod users;
mod vending;

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};

pub(super) use self::describe::description;
use super::app::App;
use super::route::Route;

/// The routes of the API.
pub(super) fn routes() -> Vec<Route> {
    let described = vec![Route::open(Method::GET, "/api/v1/openapi.json", "api.describe", describe)];
    let all = [
        described,
        me::routes(),
        roles::routes(),
        vending::routes(),
        own::routes(),
        users::routes(),
        export::routes(),
        nodes::routes(),
        cloud_roles::routes(),
        members::routes(),
        presets::routes(),
        groups::routes(),
        horizontals::routes(),
        insight::routes(),
        audit::routes(),
        proposals::routes(),
    ];
    all.into_iter().flatten().collect()
}

async fn describe(State(app): State<App>) -> Response {
    axum::Json(&app.description).into_response()
}
