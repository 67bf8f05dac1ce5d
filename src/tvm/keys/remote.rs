//! Keys that a cloud's key management keeps. Only digests travel there.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Backend, KeysError};
use crate::cloud::Keys;
use crate::cloud::instance::Machine;
use crate::cloud::kms::{KmsError, KmsKey};
use crate::saml::{SignError, Signer};
use crate::types::{CloudId, Secret, Untrusted, WebUrl};
use crate::world::{Clock, Transport, file};

/// What is missing.
const NO_KEYS: &str =
    "there is no access key for the key management: neither in a file, nor in the environment, nor by a role of this machine";

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
    /// The network.
    pub net: Box<dyn Transport>,
    /// The time, for signing requests.
    pub clock: Arc<dyn Clock>,
    /// The machine, whose keys count where no file has any.
    pub machine: Arc<Machine>,
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
    async fn keys(&self, cloud: CloudId) -> Result<Keys, SignError> {
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
        self.machine.keys(cloud, self.clock.now()).await.map_err(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "the keys of this machine");
            SignError::Unusable(NO_KEYS)
        })
    }

    /// Signs a message: its digest travels.
    pub(super) async fn sign(&self, key: &KmsKey, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let digest = ring::digest::digest(&ring::digest::SHA256, message);
        let keys = self.keys(key.cloud).await?;
        key.sign(digest.as_ref(), &keys, self.net.as_ref(), self.clock.now()).await.map_err(said)
    }

    /// The public half.
    pub(super) async fn public_key(&self, key: &KmsKey) -> Result<Vec<u8>, SignError> {
        let keys = self.keys(key.cloud).await?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cloud::Keys;
    use crate::types::Timestamp;
    use crate::world::{Env, Instance, Request, Response, TransportError};

    #[derive(Debug)]
    struct Still(Timestamp);

    #[async_trait]
    impl Clock for Still {
        fn now(&self) -> Timestamp {
            self.0
        }

        async fn sleep(&self, _: Duration) {}
    }

    /// Answers with the identity of the access key that signed.
    struct Echo;

    #[async_trait]
    impl Transport for Echo {
        async fn send(&self, request: &Request) -> Result<Response, TransportError> {
            let (_, signed) = request.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
            let id = signed.expose().split(['=', '/', ',']).nth(1).unwrap().to_owned();
            use base64::Engine as _;
            let value = base64::engine::general_purpose::STANDARD.encode(id);
            let body = serde_json::json!({"Signature": value, "Value": value}).to_string();
            Ok(Response { status: 200, headers: Vec::new(), body: Secret::new(body) })
        }
    }

    fn kms(env: &[(&str, &str)], left: u64) -> Kms {
        let ends = Timestamp::from_unix(1_800_000_000).unwrap();
        let keys = || Keys { id: "ROLE".to_owned(), secret: "s".into(), token: Some("t".into()) };
        let role = [(CloudId::Aws, (keys(), ends)), (CloudId::Alibaba, (keys(), ends))].into();
        let place = || KmsPlace { region: Some("eu-west-1".to_owned()), ..KmsPlace::default() };
        // Nobody listens there.
        let machine = Machine::new(Env::of(env.iter().copied()), Instance::at("http://127.0.0.1:1/".parse().unwrap()).unwrap());
        *machine.role.lock().unwrap() = role;
        Kms {
            alibaba: place(),
            aws: place(),
            net: Box::new(Echo),
            clock: Arc::new(Still(ends.before(Duration::from_secs(left)))),
            machine: Arc::new(machine),
        }
    }

    fn signer(kms: &Kms, backend: Backend) -> Result<String, SignError> {
        let key = kms.key(backend, &Held { key: "k".to_owned(), version: None }).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(kms.sign(&key, b"message")).map(|id| String::from_utf8(id).unwrap())
    }

    #[test]
    fn the_environment_counts_before_the_role_of_the_machine() {
        let aws = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "x")];
        let alibaba = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "ENV"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "x")];
        assert_eq!(signer(&kms(&aws, 3600), Backend::AwsKms).unwrap(), "ENV");
        assert_eq!(signer(&kms(&alibaba, 3600), Backend::AlibabaKms).unwrap(), "ENV");
        assert_eq!(signer(&kms(&alibaba, 3600), Backend::AwsKms).unwrap(), "ROLE");
        assert_eq!(signer(&kms(&aws, 3600), Backend::AlibabaKms).unwrap(), "ROLE");
    }

    #[test]
    fn the_keys_of_a_role_are_renewed_before_they_end() {
        assert_eq!(signer(&kms(&[], 301), Backend::AwsKms).unwrap(), "ROLE");
        assert_eq!(signer(&kms(&[], 300), Backend::AwsKms), Err(SignError::Unusable(NO_KEYS)));
        let off = [("AWS_EC2_METADATA_DISABLED", "true"), ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
        for backend in [Backend::AwsKms, Backend::AlibabaKms] {
            assert_eq!(signer(&kms(&off, 3600), backend), Err(SignError::Unusable(NO_KEYS)));
        }
    }

    #[test]
    fn an_address_comes_from_the_region_or_the_keys_own_name() {
        let address = |backend, region: Option<&str>, key: &str| {
            let mut kms = kms(&[], 0);
            (kms.aws.region, kms.alibaba.region) = (region.map(str::to_owned), region.map(str::to_owned));
            let held = Held { key: key.to_owned(), version: None };
            kms.key(backend, &held).map(|key| (key.endpoint.expose().to_string(), key.region)).ok()
        };
        let is = |url: &str, region: &str| Some((url.to_owned(), region.to_owned()));
        let arn = "arn:aws:kms:us-east-2:111111111111:key/k";
        assert_eq!(address(Backend::AwsKms, None, arn), is("https://kms.us-east-2.amazonaws.com/", "us-east-2"));
        assert_eq!(
            address(Backend::AwsKms, Some("cn-north-1"), "k"),
            is("https://kms.cn-north-1.amazonaws.com.cn/", "cn-north-1")
        );
        assert_eq!(
            address(Backend::AlibabaKms, Some("cn-hangzhou"), "k"),
            is("https://kms.cn-hangzhou.aliyuncs.com/", "cn-hangzhou")
        );
        assert_eq!(address(Backend::AlibabaKms, None, "k"), None);
        assert_eq!(address(Backend::File, Some("x"), "k"), None);
    }
}
