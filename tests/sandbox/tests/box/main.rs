//! The box seen from outside, by clients that know nothing of it but the proxy and the root certificate.

// A test says what went wrong by failing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// The list of disallowed methods keeps the operating system in one place of the product; this is not the product.
#![allow(clippy::disallowed_methods)]

mod adfs;
mod browser;
mod clouds;
mod cloudsso;
mod console;
mod forms;
mod identity;
mod jumpcloud;
mod okta;
mod proxy;
mod signed;
