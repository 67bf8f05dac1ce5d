//! A signer for tests, with the key of fixtures/saml/, and a folder into which tests write what other programs are to judge.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;

use super::{SignError, Signer};

pub(crate) fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()
}

/// The identity provider of the tests.
#[derive(Debug)]
pub(crate) struct TestSigner {
    certificate: Vec<u8>,
}

impl TestSigner {
    pub(crate) fn new() -> Self {
        Self { certificate: der(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/saml/idp.crt.pem"))) }
    }
}

/// Its signature of a message.
pub(crate) fn rsa(message: &[u8]) -> Vec<u8> {
    let key = KeyPair::from_pkcs8(&der(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/saml/idp.key.pem")))).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

#[async_trait]
impl Signer for TestSigner {
    fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(rsa(message))
    }
}

/// Waits for something that waits for nobody.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Writes a document where `SAML2CLOUD_SAML_OUT` says, for tests/real/saml; nowhere, where it says nothing.
#[allow(clippy::disallowed_methods, reason = "other programs read these files")]
pub(crate) fn hand_out(kind: &str, name: &str, text: &str) {
    let Some(folder) = std::env::var_os("SAML2CLOUD_SAML_OUT") else { return };
    let folder = std::path::Path::new(&folder).join(kind);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}
