//! What the identity provider says about signing out, by the redirect binding: a request of its own, or the answer to ours.

use super::verify::{NameId, Refused};
use crate::types::Timestamp;
use std::time::Duration;

/// What such a message has to be.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedLogout<'e> {
    /// Our address for signing out.
    pub destination: &'e str,
    /// The identity provider's entity ID.
    pub idp: &'e str,
    /// The certificates that are pinned, in DER.
    pub certificates: &'e [Vec<u8>],
    /// Whether signatures by SHA-1 are taken.
    pub allow_sha1: bool,
    /// By how much the two clocks may differ.
    pub skew: Duration,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutMessage {
    /// The identity provider wants a person signed out.
    Request {
        /// The message.
        id: String,
        /// Whom.
        name_id: NameId,
        /// Which of their sessions; all, where none is named.
        session_indexes: Vec<String>,
        /// What has to come back.
        relay_state: Option<String>,
    },
    /// It did what it was asked.
    Response {
        /// Which request it answers.
        in_response_to: Option<String>,
        /// Whether it says that all went well; its own words else.
        is_success: bool,
        /// What was sent along.
        relay_state: Option<String>,
    },
}

/// Judges a message that came in the query of a request, as it stood there: what is signed are its bytes.
///
/// # Errors
/// [`Refused`].
pub fn read(query: &str, expected: &ExpectedLogout<'_>, now: Timestamp) -> Result<LogoutMessage, Refused> {
    super::verify::query::read(query, expected, now)
}
