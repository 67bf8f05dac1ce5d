//! The whole program in the internet in a box: the binary as users have it, in a home of its own, called from outside.
#![allow(clippy::disallowed_methods, reason = "tests look at real files and start the program; the list is about the product")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what went wrong by failing")]

#[cfg(all(unix, feature = "serve"))]
mod account_keys;
mod accounts;
mod adfs;
mod browser;
mod call;
#[cfg(all(unix, feature = "serve"))]
mod cam;
mod chain;
mod cloud;
mod cloudsso;
mod console;
mod exec;
mod files;
mod form;
#[cfg(unix)]
mod guides;
mod handed;
#[cfg(unix)]
mod keychain;
mod killed;
mod login;
mod oidc;
mod okta;
mod old;
#[cfg(unix)]
mod portal;
#[cfg(unix)]
mod prompter;
mod provider;
#[cfg(unix)]
mod pty;
mod responses;
mod secrets;
#[cfg(feature = "serve")]
mod serve;
mod settings;
#[cfg(feature = "serve")]
mod signing_keys;
mod support;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod tvm;
