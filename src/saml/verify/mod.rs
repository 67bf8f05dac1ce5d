//! What a service provider takes from its identity provider: a gate of ours around a verifier that others keep.
//!
//! The gate (`gate.rs`) lets one narrow shape of response through, by limits that hold before anything is parsed. The signature is then judged by
//! saml-rs (`signature.rs`), against pinned certificates only. The gate's own parser reads the one assertion (`reading.rs`); whatever the two
//! do not read alike is refused. Last come the checks of SAML itself (`rules.rs`): for whom, from whom, where, when, and how the person was known.
//! Why it is built so: docs/decisions/saml-on-the-server.md.

mod gate;
mod limits;
mod pinned;
pub(super) mod query;
mod reading;
mod rules;
mod signature;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::reading::Reading;
use super::markup::{PROTOCOL, SUCCESS};
use crate::types::{Timestamp, Untrusted};

/// The widest difference between two clocks that can be forgiven.
pub const WIDEST_SKEW: Duration = Duration::from_secs(300);

/// Judges responses.
pub trait Verifier: Send + Sync + fmt::Debug {
    /// Judges a response, as it came in the form field `SAMLResponse`. Whether it answers a request of this very browser, and whether it was seen
    /// before, is the caller's to find out, in one transaction with what follows from it.
    ///
    /// # Errors
    /// [`Refused`].
    fn verify(&self, response_base64: &str, expected: &Expected<'_>, now: Timestamp) -> Result<Login, Refused>;
}

/// What a response has to be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'e> {
    /// Our own entity ID: the one audience.
    pub entity_id: &'e str,
    /// The address that takes responses: destination and recipient.
    pub acs: &'e str,
    /// The identity provider's entity ID: the issuer.
    pub idp: &'e str,
    /// The certificates that are pinned, in DER. No other key counts, whatever a response carries along.
    pub certificates: &'e [Vec<u8>],
    /// Whether a signature of the response alone will do; else the assertion has its own.
    pub response_signature_is_enough: bool,
    /// Whether signatures and digests by SHA-1 are taken. It has been broken since 2017; for old identity providers only.
    pub allow_sha1: bool,
    /// By how much the two clocks may differ; [`WIDEST_SKEW`] at the most.
    pub skew: Duration,
    /// The authentication contexts of which one is wanted, by their URIs; any, where there are none.
    pub authn_contexts: &'e [String],
    /// How long ago the person may have been asked who they are; nothing, where that does not matter.
    pub max_authn_age: Option<Duration>,
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The identity provider.
    pub issuer: String,
    /// The assertion, by which it is known a second time.
    pub assertion_id: String,
    /// The request of ours that it answers; nothing where nobody asked.
    pub in_response_to: Option<String>,
    /// Until when it could be presented again: its end, and the forgiven difference of clocks.
    pub valid_until: Timestamp,
    /// The subject.
    pub name_id: NameId,
    /// The session at the identity provider, for signing out there.
    pub session_index: Option<String>,
    /// How the person was known.
    pub authn_context: Option<String>,
    /// When they were asked.
    pub authn_at: Timestamp,
    /// When the identity provider ends their session.
    pub session_ends: Option<Timestamp>,
    /// The attributes by name. A name that stands twice has the values of both.
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// A subject, as far as it is needed to sign it out again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NameId {
    /// The name.
    pub value: String,
    /// What kind of name, as a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The domain that makes it unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_qualifier: Option<String>,
    /// For which service provider it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_name_qualifier: Option<String>,
}

impl Login {
    /// The value of an attribute that has exactly one, and that not empty. Whom somebody is must not depend on which of two values is read.
    pub fn one(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name)?.as_slice() {
            [value] if !value.is_empty() => Some(value),
            _ => None,
        }
    }
}

impl NameId {
    /// One line of text that [`Self::from_stored`] reads.
    pub fn stored(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads what was stored.
    pub fn from_stored(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The gate, with saml-rs in it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gate;

impl Verifier for Gate {
    fn verify(&self, response_base64: &str, expected: &Expected<'_>, now: Timestamp) -> Result<Login, Refused> {
        let xml = decode(response_base64)?;
        let document = tree::parse(&xml)?;
        status(document.root_element())?;
        let passed = gate::pass(&document, expected)?;
        let reading = Reading::of(&passed)?;
        let other = signature::judge(&xml, &passed, reading.in_response_to.as_deref(), expected, now)?;
        reading.agrees(&other)?;
        rules::check(reading, expected, now)
    }
}

/// Base64, perhaps in lines, as some identity providers send it.
fn decode(text: &str) -> Result<String, Refused> {
    let refused = |why: &str| Refused::Unreadable(why.to_owned());
    if text.len() > limits::LONGEST * 3 / 2 {
        return Err(refused("it is longer than 256 KiB"));
    }
    let packed: String = text.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(packed).map_err(|_| refused("it is not base64"))?;
    String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8"))
}

/// A failure has no assertion and need not be signed: nothing follows from it but a line in the trail.
fn status(response: roxmltree::Node<'_, '_>) -> Result<(), Refused> {
    use tree::Names as _;
    if !response.is(PROTOCOL, "Response") {
        return Err(Refused::Shape("it is no response".to_owned()));
    }
    let code = response.one(PROTOCOL, "Status")?.one(PROTOCOL, "StatusCode")?;
    let said = |node: roxmltree::Node<'_, '_>| node.attribute("Value").unwrap_or_default().to_owned();
    let top = said(code);
    if top == SUCCESS {
        return Ok(());
    }
    // The inner code says more than the outer one, which only says whose fault it was.
    let inner = code.elements().find(|node| node.is(PROTOCOL, "StatusCode")).map(said);
    Err(Refused::Status(Untrusted::new(inner.unwrap_or(top))))
}

/// Why a response, or a message about signing out, is not taken. People see one page for all of these; the words are for the trail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too long, too deep, no base64, no XML.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// XML, but not of the one shape that is taken.
    #[error("it is not of the shape that is taken here: {0}")]
    Shape(String),
    /// The assertion is encrypted.
    #[error("its assertion is encrypted; the identity provider has to send it signed and in the clear, over TLS")]
    Encrypted,
    /// The signature is missing, weak, in the wrong place, or does not hold.
    #[error("its signature is not taken: {0}")]
    Signature(String),
    /// None of the pinned certificates can be used.
    #[error("none of the pinned certificates can be used: {0}")]
    Certificates(&'static str),
    /// The two readers disagree.
    #[error("two readers do not read its {0} alike")]
    Differs(&'static str),
    /// The identity provider says that it failed.
    #[error("the identity provider says that it failed: \"{0}\"")]
    Status(Untrusted),
    /// From somebody else.
    #[error("it is issued by \"{0}\"")]
    Issuer(Untrusted),
    /// For somebody else.
    #[error("it is for \"{0}\"")]
    Audience(Untrusted),
    /// Confirmed for another address.
    #[error("its subject is confirmed for the address \"{0}\"")]
    Recipient(Untrusted),
    /// Sent to another address.
    #[error("it was sent to the address \"{0}\"")]
    Destination(Untrusted),
    /// Not yet.
    #[error("its {0} is still to come; the two clocks may differ too much")]
    TooEarly(&'static str),
    /// No more.
    #[error("its {0} is over; the two clocks may differ too much")]
    Expired(&'static str),
    /// The subject is not confirmed as a bearer.
    #[error("its subject is not confirmed as this profile wants it: {0}")]
    Confirmation(&'static str),
    /// Not known strongly enough.
    #[error("the person was known by \"{0}\", which is not enough here")]
    AuthnContext(Untrusted),
    /// Known too long ago.
    #[error("the person was asked too long ago")]
    AuthnStale,
}

impl Refused {
    /// Its word for the audit trail.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Shape(_) => "shape",
            Self::Encrypted => "encrypted",
            Self::Signature(_) => "signature",
            Self::Certificates(_) => "certificates",
            Self::Differs(_) => "readers_differ",
            Self::Status(_) => "status",
            Self::Issuer(_) => "issuer",
            Self::Audience(_) => "audience",
            Self::Recipient(_) => "recipient",
            Self::Destination(_) => "destination",
            Self::TooEarly(_) => "too_early",
            Self::Expired(_) => "expired",
            Self::Confirmation(_) => "confirmation",
            Self::AuthnContext(_) => "authn_context",
            Self::AuthnStale => "authn_stale",
        }
    }
}
