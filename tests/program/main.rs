//! The whole program in the internet in a box: the binary as users have it, in a home of its own, called from outside.
#![allow(clippy::disallowed_methods, reason = "tests look at real files and start the program; the list is about the product")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what went wrong by failing")]

mod accounts;
mod adfs;
mod call;
mod cloud;
mod console;
mod exec;
mod files;
mod form;
mod handed;
#[cfg(unix)]
mod keychain;
mod killed;
mod login;
mod okta;
mod old;
#[cfg(unix)]
mod prompter;
#[cfg(unix)]
mod pty;
mod responses;
mod secrets;
#[cfg(feature = "serve")]
mod serve;
mod support;
#[cfg(unix)]
mod terminal;
