//! OAuth 2.0 and OpenID Connect, the client's side: finding an issuer's addresses, the authorization code with PKCE over a loopback
//! listener, the device flow, client credentials, and reading tokens far enough to describe them.
//!
//! No provider is in here and nobody is asked anything: `idp` says who signs in where and tells the person what to do. The portals of the
//! clouds speak dialects of this, so [`device::poll`] and [`code::receive`] know nothing of how a request is written.
//!
//! Tokens are not verified: they are for the cloud, which does. Why there is no library here: docs/decisions/own-oidc-client.md.

mod client;
pub mod code;
pub mod device;
mod discovery;
mod jwt;
mod pkce;
mod token;

pub use client::{Client, ClientAuth, SigningKey};
pub use discovery::{Endpoints, discover};
pub use jwt::{BadJwt, read as read_jwt};
pub use pkce::Pkce;
pub use token::{Tokens, Told, request};

use crate::types::Untrusted;
use crate::world::TransportError;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The issuer's own description is not one to go by.
    #[error("the issuer `{issuer}` cannot be used: {why}")]
    Issuer {
        /// As the account names it.
        issuer: String,
        /// What is wrong.
        why: String,
    },
    /// The issuer cannot do what was wished.
    #[error("the issuer `{issuer}` offers no {what}")]
    NotOffered {
        /// As the account names it.
        issuer: String,
        /// What it lacks.
        what: &'static str,
    },
    /// The issuer said no.
    #[error("{who} refused {step}: {error}{}", quoted(.said))]
    Refused {
        /// Who refused.
        who: String,
        /// What.
        step: &'static str,
        /// The code of the error.
        error: Untrusted,
        /// In their words.
        said: Untrusted,
    },
    /// The person said no, at the issuer's page.
    #[error("the sign-in at {who} was denied{}", quoted(.said))]
    Denied {
        /// Where.
        who: String,
        /// In their words.
        said: Untrusted,
    },
    /// Nobody answered in time.
    #[error("nobody finished the sign-in at {who} within {}", span(*.seconds))]
    Late {
        /// Where.
        who: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// An answer that is not one.
    #[error("did not understand the answer of {who} to {step} (HTTP {status}): {why}")]
    Garbled {
        /// Who answered.
        who: String,
        /// What was asked.
        step: &'static str,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        why: Untrusted,
    },
    /// The answer belongs to another sign-in, or another issuer.
    #[error("the answer of {who} is not for this sign-in: {why}")]
    Mismatch {
        /// Who should have answered.
        who: String,
        /// What does not fit.
        why: String,
    },
    /// The token is not one that a cloud takes.
    #[error("{who} gave a token that no cloud takes")]
    Token {
        /// Who gave it.
        who: String,
        #[source]
        /// What is wrong with it.
        source: BadJwt,
    },
    /// The browser has nowhere to come back to.
    #[error("port {port} of this machine is taken by another program")]
    PortTaken {
        /// Its number.
        port: u16,
    },
    /// The same for another reason.
    #[error("cannot listen on this machine for the browser's answer")]
    Listen(#[source] std::io::Error),
    /// No answer at all.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

fn quoted(said: &Untrusted) -> String {
    if said.is_empty() { String::new() } else { format!(": \"{said}\"") }
}

fn span(seconds: u64) -> String {
    if seconds < 120 { format!("{seconds} seconds") } else { format!("{} minutes", seconds / 60) }
}

/// Reads a JSON document of a server.
///
/// # Errors
/// Says what it is instead.
pub fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, &'static str> {
    if text.trim_start().starts_with('<') {
        return Err("it is a page for people, not JSON");
    }
    serde_json::from_str(text).map_err(|_| "it is not the JSON that was expected")
}
