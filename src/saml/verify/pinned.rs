//! The certificates that are pinned, and the keys in them. A certificate is a container here: who vouches for it and when it ends count for nothing,
//! because an administrator put it in the configuration.

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::Refused;

/// The shortest RSA key.
const SHORTEST_RSA: usize = 2048;

/// What kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    P256,
    P384,
}

/// A key.
#[derive(Debug)]
pub(super) struct Pinned<'c> {
    pub(super) der: &'c [u8],
    pub(super) kind: Kind,
    /// RSA: as PKCS #1 writes it; elliptic curves: the point.
    key: Vec<u8>,
}

impl<'c> Pinned<'c> {
    fn read(der: &'c [u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        let key = certificate.public_key().subject_public_key.data.to_vec();
        let kind = match certificate.public_key().parsed().ok()? {
            PublicKey::RSA(rsa) if rest.is_empty() && rsa.key_size() >= SHORTEST_RSA => Kind::Rsa,
            PublicKey::EC(point) if rest.is_empty() => match point.key_size() {
                256 => Kind::P256,
                384 => Kind::P384,
                _ => return None,
            },
            _ => return None,
        };
        Some(Self { der, kind, key })
    }

    /// Those of the pinned certificates that can be used.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn usable(certificates: &'c [Vec<u8>]) -> Result<Vec<Self>, Refused> {
        if certificates.is_empty() {
            return Err(Refused::Certificates("there is none"));
        }
        let usable: Vec<Self> = certificates.iter().filter_map(|der| Self::read(der)).collect();
        match usable.is_empty() {
            true => Err(Refused::Certificates("they are for no RSA key of 2048 bits at least, and for none on P-256 or P-384")),
            false => Ok(usable),
        }
    }

    /// Whether this key signed the message, by the algorithm of that URI.
    pub(super) fn signed(&self, method: Method, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match (method, self.kind) {
            (Method::RsaSha1, Kind::Rsa) => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            (Method::RsaSha256, Kind::Rsa) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Method::RsaSha384, Kind::Rsa) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Method::RsaSha512, Kind::Rsa) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (Method::EcdsaSha256, Kind::P256) => &signature::ECDSA_P256_SHA256_FIXED,
            (Method::EcdsaSha384, Kind::P384) => &signature::ECDSA_P384_SHA384_FIXED,
            _ => return false,
        };
        UnparsedPublicKey::new(algorithm, &self.key).verify(message, signature).is_ok()
    }
}

/// How something is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    RsaSha1,
    RsaSha256,
    RsaSha384,
    RsaSha512,
    EcdsaSha256,
    EcdsaSha384,
}

impl Method {
    /// By its URI (RFC 6931). SHA-1 only where it is allowed.
    pub(super) fn read(uri: &str, allow_sha1: bool) -> Result<Self, Refused> {
        Ok(match uri {
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" => Self::RsaSha256,
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384" => Self::RsaSha384,
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => Self::RsaSha512,
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256" => Self::EcdsaSha256,
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384" => Self::EcdsaSha384,
            "http://www.w3.org/2000/09/xmldsig#rsa-sha1" if allow_sha1 => Self::RsaSha1,
            "http://www.w3.org/2000/09/xmldsig#rsa-sha1" => {
                return Err(Refused::Signature(
                    "it is made with SHA-1, which is broken; the identity provider can do better".to_owned(),
                ));
            }
            _ => return Err(Refused::Signature("it is made by an algorithm that is not taken".to_owned())),
        })
    }

    /// Which kind of key it takes.
    pub(super) fn suits(self, kind: Kind) -> bool {
        match self {
            Self::RsaSha1 | Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512 => kind == Kind::Rsa,
            // Either curve signs either digest in XML; ring knows the two usual pairs, and saml-rs decides for documents.
            Self::EcdsaSha256 | Self::EcdsaSha384 => kind != Kind::Rsa,
        }
    }
}
