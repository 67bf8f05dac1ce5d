//! Keys that a cloud's key management keeps. Only digests travel there.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Backend, KeysError};
use crate::cloud::Keys;
use crate::cloud::kms::{KmsError, KmsKey};
use crate::saml::{SignError, Signer};
use crate::types::{CloudId, Secret, Untrusted, WebUrl};
use crate::world::{Clock, Env, Transport, file};

/// How one cloud's key management is reached.
#[derive(Debug, Clone, Default)]
pub struct KmsPlace {
    /// The address; the region's, where none is set.
    pub endpoint: Option<WebUrl>,
    /// The region.
    pub region: Option<String>,
    /// A file with the access key, its secret and perhaps a token, a line each, that nobody but its owner can read. The environment counts where
    /// there is none.
    pub credentials: Option<PathBuf>,
}

/// The way to both clouds' key managements.
pub struct Kms {
    /// Alibaba Cloud's.
    pub alibaba: KmsPlace,
    /// AWS's.
    pub aws: KmsPlace,
    /// The environment, for keys.
    pub env: Env,
    /// The network.
    pub net: Box<dyn Transport>,
    /// The time, for signing requests.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kms").field("alibaba", &self.alibaba).field("aws", &self.aws).finish_non_exhaustive()
    }
}

/// What the row of such a key holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Held {
    pub(super) key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
}

impl Backend {
    fn cloud(self) -> Option<CloudId> {
        match self {
            Self::File => None,
            Self::AlibabaKms => Some(CloudId::Alibaba),
            Self::AwsKms => Some(CloudId::Aws),
        }
    }
}

impl Kms {
    fn place(&self, cloud: CloudId) -> &KmsPlace {
        match cloud {
            CloudId::Alibaba => &self.alibaba,
            CloudId::Aws => &self.aws,
        }
    }

    /// The key, with its address.
    pub(super) fn key(&self, backend: Backend, held: &Held) -> Result<KmsKey, KeysError> {
        let cloud = backend.cloud().ok_or(KeysError::Unusable("this key is kept here"))?;
        let place = self.place(cloud);
        let in_arn = held.key.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2)).map(str::to_owned);
        let region = place.region.clone().or(in_arn).unwrap_or_default();
        let endpoint = match &place.endpoint {
            Some(endpoint) => endpoint.clone(),
            None if region.is_empty() => {
                return Err(KeysError::Unusable("neither a region nor an address of the key management is set"));
            }
            None => {
                let host = match cloud {
                    CloudId::Alibaba => format!("kms.{region}.aliyuncs.com"),
                    CloudId::Aws if region.starts_with("cn-") => format!("kms.{region}.amazonaws.com.cn"),
                    CloudId::Aws => format!("kms.{region}.amazonaws.com"),
                };
                let bad = |_| KeysError::Unusable("the region of the key management is none");
                WebUrl::parse(&format!("https://{host}/")).map_err(bad)?
            }
        };
        Ok(KmsKey { cloud, endpoint, region, id: held.key.clone(), version: held.version.clone() })
    }

    /// The keys that requests are signed with, read anew each time: what renews them need not tell us.
    fn keys(&self, cloud: CloudId) -> Result<Keys, SignError> {
        let place = self.place(cloud);
        if let Some(path) = &place.credentials {
            let is_ours = file::is_private(path);
            let text = file::read(path).ok().flatten().map(Secret::new).filter(|_| is_ours);
            let text = text.ok_or(SignError::Unusable(
                "the file with the access key for the key management cannot be read, or others can read it",
            ))?;
            let mut lines = text.expose().lines().map(str::trim).filter(|line| !line.is_empty());
            return match (lines.next(), lines.next()) {
                (Some(id), Some(secret)) => {
                    Ok(Keys { id: id.to_owned(), secret: secret.into(), token: lines.next().map(Into::into) })
                }
                _ => Err(SignError::Unusable("the file with the access key for the key management has not two lines")),
            };
        }
        let [id, secret, token] = match cloud {
            CloudId::Aws => ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
            CloudId::Alibaba => {
                ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"]
            }
        };
        match (self.env.get(id), self.env.get(secret)) {
            (Some(id), Some(secret)) => {
                Ok(Keys { id: id.to_owned(), secret: secret.into(), token: self.env.get(token).map(Into::into) })
            }
            _ => Err(SignError::Unusable("there is no access key for the key management, in a file or in the environment")),
        }
    }

    /// Signs a message: its digest travels.
    pub(super) async fn sign(&self, key: &KmsKey, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let digest = ring::digest::digest(&ring::digest::SHA256, message);
        let keys = self.keys(key.cloud)?;
        key.sign(digest.as_ref(), &keys, self.net.as_ref(), self.clock.now()).await.map_err(said)
    }

    /// The public half.
    pub(super) async fn public_key(&self, key: &KmsKey) -> Result<Vec<u8>, SignError> {
        let keys = self.keys(key.cloud)?;
        key.public_key(&keys, self.net.as_ref(), self.clock.now()).await.map_err(said)
    }
}

fn said(error: KmsError) -> SignError {
    match error {
        KmsError::Network(_) | KmsError::Busy(_) => SignError::Unreachable(Untrusted::new(error.to_string())),
        KmsError::Refused { .. } => SignError::Refused(Untrusted::new(error.to_string())),
        KmsError::Garbled { .. } => SignError::Unreachable(Untrusted::new(error.to_string())),
    }
}

/// A key that a cloud keeps.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) kms: Arc<Kms>,
    pub(super) key: KmsKey,
    pub(super) certificate: Vec<u8>,
}

#[async_trait]
impl Signer for Remote {
    fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.kms.sign(&self.key, message).await
    }
}
