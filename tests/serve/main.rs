//! The service as its callers meet it: a real port on loopback, real requests, a database of its own for each test.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the tests look at real files and read their own variable")]

mod api;
mod by_client;
mod chromium;
mod cloud;
mod command;
mod corporate;
mod house;
mod keys;
mod limits;
mod me;
mod outbound;
mod pages;
mod process;
mod redis;
mod routes;
mod secrets;
mod signin;
mod vending;
mod wanted;
