//! Certificates, as far as an administrator has to know them.

use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Fingerprint;
use crate::types::{Timestamp, Untrusted};

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it names.
    pub subject: Untrusted,
    /// Who made it.
    pub issuer: Untrusted,
    /// From when it is good.
    pub begins: Timestamp,
    /// Until when it is good.
    pub ends: Timestamp,
    /// Its digest.
    pub fingerprint: Fingerprint,
}

impl Certificate {
    /// Reads DER; nothing of what is no certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Self {
            subject: Untrusted::new(certificate.subject().to_string()),
            issuer: Untrusted::new(certificate.issuer().to_string()),
            begins: Timestamp::from_unix(validity.not_before.timestamp())?,
            ends: Timestamp::from_unix(validity.not_after.timestamp())?,
            fingerprint: Fingerprint::of(der),
        })
    }

    /// How many whole days are left; negative once it has ended.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.ends.unix() - now.unix()).div_euclid(24 * 60 * 60)
    }
}
