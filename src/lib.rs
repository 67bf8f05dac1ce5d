//! Signs a person in at their company's identity provider and hands every tool short-lived AWS or Alibaba Cloud credentials.
//!
//! # The pipeline, as types
//!
//! Each step consumes what the step before it proved:
//!
//! [`config::Draft`] (text) → [`config::Account`] (checked) → [`types::Assertion`] (who the person is) →
//! [`types::Offer`] (what that grants) → [`types::Choice`] (one role) → [`types::Credentials`].
//!
//! [`app::login::login`] is that pipeline, top to bottom. An identity provider ([`idp::Idp`]) makes the assertion, a cloud
//! ([`cloud::Cloud`]) does the rest; neither knows the other.
//!
//! # The rooms
//!
//! | Room | Holds | May import |
//! |---|---|---|
//! | [`types`] | the words of the domain | — |
//! | [`text`] | INI and XML, read and edited | types |
//! | [`world`] | the operating system | types |
//! | [`vault`] | secrets that rest | types, world |
//! | [`ask`] | where answers come from | types, world |
//! | [`http`] | a browser without a screen | types, world |
//! | [`saml`] | SAML 2.0: what a client reads, and what a service provider and an identity provider do | types, text |
//! | [`oidc`] | OAuth 2.0 and OpenID Connect, the client's side | types, world, http |
//! | [`mfa`] | second factors | types, world, ask, http |
//! | [`idp`] | identity providers | types, world, vault, ask, http, saml, oidc, mfa |
//! | [`cloud`] | the clouds | types, text, world, saml |
//! | [`config`] | accounts | types, text, world, idp, cloud |
//! | [`app`] | use cases | types, world, vault, ask, http, saml, oidc, idp, cloud, config |
//! | [`tvm`] | who may use which role in which cloud account | types, world, saml, cloud |
//! | [`server`] | the service around it | types, world, saml, cloud, tvm |
//! | [`cli`] | the person at a terminal | types, world, vault, ask, config, app, server |
//!
//! `tvm` and `server` are there with the cargo feature `serve`.
//!
//! `tests/shape.rs` holds the code against this table.

pub mod app;
pub mod ask;
pub mod cli;
pub mod cloud;
pub mod config;
pub mod http;
pub mod idp;
pub mod mfa;
pub mod oidc;
pub mod saml;
#[cfg(feature = "serve")]
pub mod server;
pub mod text;
#[cfg(feature = "serve")]
pub mod tvm;
pub mod types;
pub mod vault;
pub mod world;
