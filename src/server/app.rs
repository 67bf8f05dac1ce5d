//! What all handlers share, and the router, which is made from one list of routes.

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use utoipa::openapi::OpenApi;

use super::api;
use super::cookies::Cookies;
use super::guard::{self, Limiter};
use super::health;
use super::metrics::Metrics;
use super::problem::{Code, Problem};
use super::route::Route;
use super::session::Sessions;
use super::settings::Settings;
use crate::tvm::store::Store;
use crate::types::Timestamp;
use crate::world::{Clock, Network};

/// What all handlers share. A copy is the same thing.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// The parts of an [`App`].
pub struct Inner {
    /// The configuration.
    pub settings: Settings,
    /// The database.
    pub store: Store,
    /// Where sign-ins are kept.
    pub sessions: Box<dyn Sessions>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Opens connections to the clouds.
    pub network: Arc<dyn Network>,
    /// How much comes from where.
    pub limiter: Limiter,
    /// What is counted.
    pub metrics: Metrics,
    /// The description of the API.
    pub description: OpenApi,
}

impl Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(
        settings: Settings,
        store: Store,
        sessions: Box<dyn Sessions>,
        clock: Arc<dyn Clock>,
        network: Arc<dyn Network>,
        metrics: Metrics,
    ) -> Self {
        let description = api::description(&routes());
        let limiter = Limiter::default();
        Self(Arc::new(Inner { settings, store, sessions, clock, network, limiter, metrics, description }))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Names and attributes of the cookies.
    pub fn cookies(&self) -> Cookies {
        Cookies::new(self.settings.server.is_secure())
    }

    /// Everything that is answered.
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        for route in routes() {
            let path = route.spec.path.clone();
            router = router.route(&path, guard::around(self, route.handler, route.spec));
        }
        router
            .fallback(|| async { Problem::only(Code::NotFound) })
            .method_not_allowed_fallback(|| async { Problem::only(Code::MethodNotAllowed) })
            .layer(axum::middleware::from_fn_with_state(self.clone(), guard::outside))
            .with_state(self.clone())
    }
}

/// Every route there is. Tests walk this list.
pub fn routes() -> Vec<Route> {
    [health::routes(), api::routes()].into_iter().flatten().collect()
}
