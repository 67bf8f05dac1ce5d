//! Self-signed certificates for our keys, wherever those are kept. Nobody builds a chain on them: a certificate is the form in which SAML passes public
//! keys around.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, PKCS_RSA_SHA256, PublicKeyData,
    SerialNumber, SignatureAlgorithm,
};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::Purpose;
use crate::saml::SignError;
use crate::types::Timestamp;
use crate::world;

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is none.
    #[error("it is no certificate")]
    Unreadable,
    /// The key in it is not one that is used here.
    #[error("the certificate is not for an RSA key of 2048 bits at least")]
    Key,
    /// It cannot be made.
    #[error("the certificate cannot be made")]
    Unmade,
    /// The key did not sign it.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// What is known of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// From when it is good.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// The public key, as PKCS #1 writes it.
    pub public_key: Vec<u8>,
    /// How long the key is, in bits.
    pub bits: usize,
    /// Whom it names.
    pub subject: String,
    /// The digest by which people compare certificates (SHA-256), in pairs of hexadecimal digits.
    pub fingerprint: String,
}

impl Facts {
    /// Reads a certificate, in DER.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn of(der: &[u8]) -> Result<Self, CertificateError> {
        let (_, read) = X509Certificate::from_der(der).map_err(|_| CertificateError::Unreadable)?;
        let Ok(PublicKey::RSA(rsa)) = read.public_key().parsed() else { return Err(CertificateError::Key) };
        let bits = rsa.key_size();
        if bits < 2048 {
            return Err(CertificateError::Key);
        }
        let time = |time: x509_parser::time::ASN1Time| Timestamp::from_unix(time.timestamp()).ok_or(CertificateError::Unreadable);
        let digest = ring::digest::digest(&ring::digest::SHA256, der);
        let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self {
            not_before: time(read.validity().not_before)?,
            not_after: time(read.validity().not_after)?,
            public_key: read.public_key().subject_public_key.data.to_vec(),
            bits,
            subject: read.subject().to_string(),
            fingerprint: pairs.join(":"),
        })
    }
}

/// A key that cannot sign at once, for a library that wants it to: what is to be signed is taken down in a first round, and the signature given in a
/// second one.
struct Later<'k> {
    public: &'k [u8],
    message: Mutex<Vec<u8>>,
    signature: Vec<u8>,
}

impl PublicKeyData for Later<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

impl rcgen::SigningKey for Later<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        *self.message.lock().unwrap_or_else(PoisonError::into_inner) = message.to_vec();
        Ok(self.signature.clone())
    }
}

/// What a certificate is to say.
pub(super) struct Wish<'w> {
    pub(super) purpose: Purpose,
    /// Our address, which is its common name.
    pub(super) name: &'w str,
    pub(super) from: Timestamp,
    pub(super) lasts: Duration,
}

/// Makes a certificate for a public key (PKCS #1), signed by whoever has the private one.
pub(super) async fn self_signed<F>(
    wish: &Wish<'_>,
    public: &[u8],
    sign: impl FnOnce(Vec<u8>) -> F,
) -> Result<Vec<u8>, CertificateError>
where
    F: Future<Output = Result<Vec<u8>, SignError>>,
{
    let params = params(wish)?;
    let first = Later { public, message: Mutex::default(), signature: Vec::new() };
    params.self_signed(&first).map_err(|_| CertificateError::Unmade)?;
    let message = first.message.into_inner().unwrap_or_else(PoisonError::into_inner);
    let second = Later { public, message: Mutex::default(), signature: sign(message).await? };
    let made = params.self_signed(&second).map_err(|_| CertificateError::Unmade)?;
    Ok(made.der().to_vec())
}

/// Whether a certificate was signed by the key in it: whoever keeps that key signed what they were asked to.
pub(super) fn holds(der: &[u8]) -> Result<(), CertificateError> {
    let (_, read) = X509Certificate::from_der(der).map_err(|_| CertificateError::Unreadable)?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, Facts::of(der)?.public_key);
    key.verify(read.tbs_certificate.as_ref(), read.signature_value.data.as_ref()).map_err(|_| CertificateError::Key)
}

fn params(wish: &Wish<'_>) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, format!("{} {}", wish.name, wish.purpose.word()));
    params.distinguished_name = name;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = Vec::<ExtendedKeyUsagePurpose>::new();
    // Positive, and the same in both rounds.
    let serial = world::random() >> 1;
    params.serial_number = Some(SerialNumber::from(serial.to_be_bytes().to_vec()));
    let time = |time: Timestamp| {
        let seconds = Duration::from_secs(u64::try_from(time.unix()).unwrap_or_default());
        (std::time::SystemTime::UNIX_EPOCH + seconds).into()
    };
    (params.not_before, params.not_after) = (time(wish.from), time(wish.from.after(wish.lasts)));
    Ok(params)
}
