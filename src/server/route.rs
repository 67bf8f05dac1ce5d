//! A route with all that is known of it beside its handler: its name in the audit trail, who may call it, and which line of the permission
//! matrix decides. There is no other way to add one.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use utoipa::openapi::path::PathItem;
use utoipa_axum::router::UtoipaMethodRouter;

use super::app::App;
use crate::tvm::authorize::Action;

/// How a caller has to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Not at all. Cookies count for nothing here.
    Open,
    /// By a session, from a browser. Who has none is sent to sign in.
    Page,
    /// By a session or a bearer token. Who has neither is answered 401.
    Api,
    /// By the address it comes from.
    Local,
}

/// Which line of the permission matrix decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Everybody may.
    Everybody,
    /// Whoever is signed in may, for themselves.
    Oneself,
    /// Whoever operates the service may.
    Operator,
    /// This line. The handler asks [`crate::tvm::authorize::authorize`] with it.
    Matrix(Action),
}

/// What is known of a route.
#[derive(Debug, Clone)]
pub struct Spec {
    /// GET, POST, PUT, PATCH or DELETE.
    pub method: Method,
    /// As the router takes it: `/api/v1/users/{id}`.
    pub path: String,
    /// What it is in the audit trail: `user.create`. Nothing where it leaves no event: machines ask, and it says nothing about anybody.
    pub told: Option<&'static str>,
    /// How a caller has to be known.
    pub access: Access,
    /// Which line of the matrix decides.
    pub row: Row,
    /// The longest body, in bytes.
    pub longest: usize,
    /// How much of it one address may ask for.
    pub pace: Pace,
    /// Whether `Idempotency-Key` counts.
    pub is_idempotent: bool,
}

/// How much one address may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// What any program needs.
    Usual,
    /// What a person needs who signs in.
    SignIn,
    /// Any amount: it costs next to nothing.
    Free,
}

/// A route.
pub struct Route {
    /// What is known of it.
    pub spec: Spec,
    /// Who answers.
    pub handler: MethodRouter<App>,
    /// Its part of the API's description.
    pub(super) described: Option<(Vec<Schema>, utoipa::openapi::Paths)>,
}

type Schema = (String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>);

/// The longest usual body.
const LONGEST: usize = 64 * 1024;

impl Spec {
    fn new(method: Method, path: String, told: Option<&'static str>, access: Access, row: Row) -> Self {
        let is_idempotent = access == Access::Api && method == Method::POST;
        Self { method, path, told, access, row, longest: LONGEST, pace: Pace::Usual, is_idempotent }
    }
}

impl Route {
    /// One of the API; method, path and description are those of the handler.
    pub fn api(told: &'static str, access: Access, row: Row, described: UtoipaMethodRouter<App>) -> Self {
        let (schemas, paths, handler) = described;
        let (path, item) = paths.paths.iter().next().map(|(path, item)| (path.clone(), item.clone())).unwrap_or_default();
        let spec = Spec::new(method_of(&item), path, Some(told), access, row);
        Self { spec, handler, described: Some((schemas, paths)) }
    }

    /// One that is no part of the API: pages, and what identity providers and machines ask.
    pub fn other<H, T>(method: Method, path: &str, told: Option<&'static str>, access: Access, row: Row, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let spec = Spec::new(method, path.to_owned(), told, access, row);
        Self { spec, handler: on(filter, handler), described: None }
    }

    /// One that everybody may call, whoever they are.
    pub fn open<H, T>(method: Method, path: &str, told: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Self::other(method, path, Some(told), Access::Open, Row::Everybody, handler)
    }

    /// A page of whoever is signed in.
    pub fn page<H, T>(method: Method, path: &str, told: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Self::other(method, path, Some(told), Access::Page, Row::Oneself, handler)
    }

    /// Takes a longer body, or a shorter one.
    #[must_use]
    pub fn at_most(mut self, bytes: usize) -> Self {
        self.spec.longest = bytes;
        self
    }

    /// One address may ask for this much.
    #[must_use]
    pub fn paced(mut self, pace: Pace) -> Self {
        self.spec.pace = pace;
        self
    }

    /// `Idempotency-Key` counts for nothing: the answer is not to be kept.
    #[must_use]
    pub fn not_idempotent(mut self) -> Self {
        self.spec.is_idempotent = false;
        self
    }
}

fn method_of(item: &PathItem) -> Method {
    let methods = [
        (&item.get, Method::GET),
        (&item.post, Method::POST),
        (&item.put, Method::PUT),
        (&item.patch, Method::PATCH),
        (&item.delete, Method::DELETE),
    ];
    methods.into_iter().find(|(operation, _)| operation.is_some()).map_or(Method::GET, |(_, method)| method)
}
