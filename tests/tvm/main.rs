//! One contract for both databases. SQLite runs always, in scratch folders; PostgreSQL where `SAML2CLOUD_TEST_POSTGRES` names a server
//! whose user may make databases (`tests/real/serve` starts one).
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the tests look at real files and read their own variable")]

mod access;
mod audit;
mod exchange;
mod export;
mod horizontals;
mod idempotency;
mod keys;
mod place;
mod plans;
mod proposals;
mod races;
mod schema;
mod signins;
mod together;
mod told;
mod tree;
mod vends;
#[path = "../serve/wanted.rs"]
mod wanted;
