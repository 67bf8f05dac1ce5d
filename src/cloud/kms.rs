//! Key management: a private key that stays with the cloud and signs digests. What differs between the clouds is in their folders (`aws/kms.rs`,
//! `alibaba/kms.rs`).

use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Keys, alibaba, aws};
use crate::types::{CloudId, Timestamp, Untrusted, WebUrl};
use crate::world::{Transport, TransportError, is_busy};

/// A key of a cloud's key management, and where it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey {
    /// Which cloud.
    pub cloud: CloudId,
    /// The address of the service.
    pub endpoint: WebUrl,
    /// The region that requests are signed for (AWS).
    pub region: String,
    /// The key: its identity, its ARN, or an alias of it.
    pub id: String,
    /// The version of the key (Alibaba Cloud); there is none elsewhere.
    pub version: Option<String>,
}

/// Why the key management did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KmsError {
    /// No answer.
    #[error(transparent)]
    Network(#[from] TransportError),
    /// It is busy.
    #[error("{} is busy", .0.title())]
    Busy(CloudId),
    /// It said no.
    #[error("{} refused the key: {code}: \"{message}\"", .cloud.title())]
    Refused {
        /// Which cloud.
        cloud: CloudId,
        /// Its word for the reason.
        code: Untrusted,
        /// Its sentence.
        message: Untrusted,
    },
    /// An answer that is none.
    #[error("{} gave an answer about the key that is not one (HTTP {status})", .cloud.title())]
    Garbled {
        /// Which cloud.
        cloud: CloudId,
        /// The HTTP status.
        status: u16,
    },
}

impl KmsKey {
    /// A signature of a SHA-256 digest: RSA, PKCS #1 v1.5.
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn sign(&self, digest: &[u8], keys: &Keys, net: &dyn Transport, now: Timestamp) -> Result<Vec<u8>, KmsError> {
        match self.cloud {
            CloudId::Alibaba => alibaba::kms::sign(self, digest, keys, net, now).await,
            CloudId::Aws => aws::kms::sign(self, digest, keys, net, now).await,
        }
    }

    /// The public half, an RSA key as PKCS #1 writes it.
    ///
    /// # Errors
    /// [`KmsError`]; also where the key is none of RSA.
    pub async fn public_key(&self, keys: &Keys, net: &dyn Transport, now: Timestamp) -> Result<Vec<u8>, KmsError> {
        let der = match self.cloud {
            CloudId::Alibaba => alibaba::kms::public_key(self, keys, net, now).await?,
            CloudId::Aws => aws::kms::public_key(self, keys, net, now).await?,
        };
        let garbled = || KmsError::Garbled { cloud: self.cloud, status: 200 };
        let (_, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| garbled())?;
        match info.parsed() {
            Ok(x509_parser::public_key::PublicKey::RSA(_)) => Ok(info.subject_public_key.data.to_vec()),
            _ => Err(garbled()),
        }
    }

    /// What a refusal says, by status and the cloud's own words.
    pub(super) fn refused(&self, status: u16, code: &str, message: &str) -> KmsError {
        let is_throttled =
            code.starts_with("Throttling") || code.starts_with("Rejected.Throttling") || code == "LimitExceededException";
        if is_busy(status) || is_throttled {
            return KmsError::Busy(self.cloud);
        }
        match code.is_empty() {
            true if matches!(status, 401 | 403) => {
                let code = Untrusted::new(format!("HTTP {status}"));
                KmsError::Refused { cloud: self.cloud, code, message: Untrusted::new(message) }
            }
            true => KmsError::Garbled { cloud: self.cloud, status },
            false => KmsError::Refused { cloud: self.cloud, code: Untrusted::new(code), message: Untrusted::new(message) },
        }
    }
}
