//! Who signs what we say.

use std::fmt;

use async_trait::async_trait;

use crate::types::Untrusted;

/// A private key that can be asked for signatures and for nothing else, wherever it is kept.
#[async_trait]
pub trait Signer: Send + Sync + fmt::Debug {
    /// The certificate of the key, in DER.
    fn certificate(&self) -> &[u8];

    /// A signature of this message: RSA, PKCS #1 v1.5, SHA-256 (RFC 8017 §8.2). The digest is made by whoever holds the key or on the way there.
    ///
    /// # Errors
    /// [`SignError`].
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Whoever holds the key cannot be reached, or is too busy.
    #[error("the key's keeper does not answer: {0}")]
    Unreachable(Untrusted),
    /// It was refused.
    #[error("the key's keeper refused to sign: \"{0}\"")]
    Refused(Untrusted),
    /// The key cannot be used.
    #[error("the signing key cannot be used: {0}")]
    Unusable(&'static str),
}
