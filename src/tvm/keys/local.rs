//! A key in the memory of this process. Signing is ring's, in constant time.

use std::fmt;

use async_trait::async_trait;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;

use crate::saml::{SignError, Signer};

/// A private key in memory.
pub(super) struct Local {
    certificate: Vec<u8>,
    pair: KeyPair,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

impl Local {
    /// Reads a private key, PKCS #8 in DER; RSA of 2048 bits at least. Nothing if it is another.
    pub(super) fn new(pkcs8: &[u8], certificate: Vec<u8>) -> Option<Self> {
        let pair = KeyPair::from_pkcs8(pkcs8).ok()?;
        (pair.public().modulus_len() >= 256).then_some(Self { certificate, pair })
    }

    /// The public half, as PKCS #1 writes it.
    pub(super) fn public(&self) -> &[u8] {
        self.pair.public().as_ref()
    }

    pub(super) fn sign_now(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| SignError::Unusable("the system has no randomness, or the key is damaged"))?;
        Ok(signature)
    }
}

#[async_trait]
impl Signer for Local {
    fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.sign_now(message)
    }
}
