//! What all handlers share, and the router, which is made from one list of routes.

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use utoipa::openapi::OpenApi;

use super::ServeError;
use super::api;
use super::command;
use super::cookies::Cookies;
use super::guard::{self, Limiter, Together};
use super::health;
use super::keys;
use super::metrics::Metrics;
use super::pages;
use super::problem::{Code, Problem};
use super::ring::Keys;
use super::route::Route;
use super::session::Sessions;
use super::settings::Settings;
use super::signin::{self, Corporate};
use crate::cloud::instance::Machine;
use crate::saml::verify::{Gate, Verifier};
use crate::tvm::exchange::{Signers, Vending};
use crate::tvm::sites::{Override, Sites};
use crate::tvm::store::Store;
use crate::types::Timestamp;
use crate::world::{Clock, Env, Instance, Network, Tls};

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
    /// How much comes from where.
    pub limiter: Limiter,
    /// Where all processes count how much comes from where.
    pub together: Box<dyn Together>,
    /// What is counted.
    pub metrics: Metrics,
    /// The corporate identity provider, where one is configured.
    pub corporate: Option<Corporate>,
    /// Judges its responses.
    pub verifier: Box<dyn Verifier>,
    /// The signing keys.
    pub keys: Arc<Keys>,
    /// Hands out console sign-ins and keys.
    pub vending: Arc<Vending>,
    /// The description of the API.
    pub description: OpenApi,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// The configuration.
    pub settings: Settings,
    /// The database.
    pub store: Store,
    /// Where sign-ins are kept.
    pub sessions: Box<dyn Sessions>,
    /// Where all processes count how much comes from where.
    pub together: Box<dyn Together>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Opens connections to the clouds.
    pub network: Arc<dyn Network>,
    /// The environment.
    pub env: Env,
}

impl Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Puts the parts together.
    ///
    /// # Errors
    /// The configuration names what cannot be used.
    pub fn new(parts: Parts) -> Result<Self, ServeError> {
        let Parts { settings, store, sessions, together, clock, network, env } = parts;
        let corporate = Corporate::read(&settings)?;
        let keepers = keys::keepers(&settings, &env, &*network, Arc::clone(&clock))?;
        let seal = keepers.seal().map(Arc::clone);
        let keys = Arc::new(Keys::new(keepers));
        let overrides = settings.clouds.iter().map(|cloud| {
            let own = Override { acs: cloud.acs.clone(), audience: cloud.audience.clone(), sts: cloud.sts.clone() };
            (cloud.partition, own)
        });
        let vending = Vending {
            store: store.clone(),
            signers: Arc::clone(&keys) as Arc<dyn Signers>,
            clock: Arc::clone(&clock),
            net: network.open(&Tls::default())?,
            machine: Machine::new(env.clone(), Instance::new()?),
            env,
            sites: Sites::new(overrides.collect()),
            entity_id: settings.saml.issuer.clone(),
            seal,
            external_id: None,
            two_person: settings.two_person,
            return_to: settings.server.url.clone(),
        };
        Ok(Self(Arc::new(Inner {
            corporate,
            verifier: Box::new(Gate),
            keys,
            vending: Arc::new(vending),
            description: api::description(&routes()),
            limiter: Limiter::default(),
            together,
            metrics: Metrics::default(),
            settings,
            store,
            sessions,
            clock,
        })))
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
    [health::routes(), signin::routes(), command::routes(), pages::routes(), api::routes()].into_iter().flatten().collect()
}
