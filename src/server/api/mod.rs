//! `/api/v1`: resources, one file each. The description (OpenAPI 3.1) is made from the handlers.

mod me;
mod own;
pub(super) mod roles;
mod vending;

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

use super::app::App;
use super::problem::ProblemDocument;
use super::route::Route;

/// The routes of the API.
pub(super) fn routes() -> Vec<Route> {
    let described = vec![Route::open(Method::GET, "/api/v1/openapi.json", "api.describe", describe)];
    [described, me::routes(), roles::routes(), vending::routes(), own::routes()].into_iter().flatten().collect()
}

async fn describe(State(app): State<App>) -> Response {
    axum::Json(&app.description).into_response()
}

/// The description of all that is described.
pub(super) fn description(routes: &[Route]) -> OpenApi {
    let info = InfoBuilder::new()
        .title("saml2cloud serve")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Who may use which role in which cloud account, and what is handed out. Errors are problem documents (RFC 9457).",
        ))
        .license(Some(LicenseBuilder::new().name("MIT").build()))
        .build();
    let mut components = Components::new();
    components.add_security_scheme("bearer", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()));
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-session"))));
    let base = OpenApiBuilder::new().info(info).components(Some(components)).build();
    let mut router: OpenApiRouter = OpenApiRouter::with_openapi(base);
    for route in routes {
        if let Some((schemas, paths)) = &route.described {
            router = router.routes((schemas.clone(), paths.clone(), axum::routing::MethodRouter::new()));
        }
    }
    let mut description = router.into_openapi();
    let mut schemas = Vec::new();
    <ProblemDocument<'_> as utoipa::ToSchema>::schemas(&mut schemas);
    if let Some(components) = &mut description.components {
        components.schemas.extend(schemas);
    }
    description
}
