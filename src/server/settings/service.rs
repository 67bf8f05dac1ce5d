//! Where the service is, who may come in and for how long.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::draft::Draft;
use super::keys::*;
use super::{Networks, SettingsError};
use crate::tvm::keys::KmsPlace;
use crate::tvm::model::Partition;
use crate::types::{Region, Secret, WebUrl};
use crate::world::Env;

/// What a request leaves on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// A line for people.
    Text,
    /// A line for programs.
    Json,
    /// Nothing.
    Off,
}

/// Where the service is.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// As people and programs see it; ends with `/`, without a path of its own.
    pub url: WebUrl,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The certificate chain and the private key, where it speaks TLS itself.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whose word about where a request came from counts.
    pub proxies: Networks,
    /// Who may read the metrics.
    pub metrics: Networks,
    /// What a request leaves on stderr.
    pub access_log: AccessLog,
    /// How long requests in flight may take to end.
    pub drain: Duration,
}

impl ServerSettings {
    /// Whether browsers reach the service by TLS. Where they do not, it is being tried out on loopback.
    pub fn is_secure(&self) -> bool {
        self.url.expose().scheme() == "https"
    }
}

/// The corporate identity provider.
#[derive(Debug, Clone)]
pub struct IdpSettings {
    /// Its metadata.
    pub metadata: Option<PathBuf>,
    /// Its pinned certificates.
    pub certificates: Option<PathBuf>,
    /// The attribute with the GID; the name identifier where there is none.
    pub gid_attribute: Option<String>,
    /// Whether a signed response vouches for an assertion in it.
    pub response_signature_is_enough: bool,
    /// Whether SHA-1 counts.
    pub allow_sha1: bool,
    /// Which authentication contexts are demanded; none for any.
    pub contexts: Vec<String>,
    /// Whether nobody here needs to have asked.
    pub idp_initiated: bool,
    /// How far its clock may be off.
    pub skew: Duration,
}

/// Our names in SAML.
#[derive(Debug, Clone)]
pub struct SamlNames {
    /// As a service provider, towards the corporate identity provider.
    pub service: String,
    /// As an identity provider, towards the clouds.
    pub issuer: String,
}

/// How Redis is reached.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where; without a password.
    pub url: Url,
    /// The password.
    pub password: Option<Secret<String>>,
    /// The one authority that may vouch for it.
    pub authority: Option<PathBuf>,
}

/// Sign-ins.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// In Redis rather than in the database.
    pub redis: Option<RedisSettings>,
    /// How long one lasts without a request.
    pub idle: Duration,
    /// How long one lasts at the most.
    pub longest: Duration,
    /// How long a command line's lasts.
    pub cli: Duration,
    /// How old one may be for a role that is risky; any age where nothing is said.
    pub step_up: Option<Duration>,
}

/// How much at once, a minute.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Vends of one person.
    pub vend_per_user: u32,
    /// Vends for one cloud account.
    pub vend_per_account: u32,
    /// Requests from one address.
    pub per_address: u32,
    /// Requests to sign in from one address.
    pub sign_in_per_address: u32,
}

/// Signing keys.
#[derive(Debug, Clone)]
pub struct KeySettings {
    /// What opens those that are sealed in the database.
    pub passphrase: Option<Secret<String>>,
    /// Whether they may be sealed in a PostgreSQL database.
    pub allow_file_signer: bool,
    /// Alibaba Cloud's key management.
    pub alibaba: KmsPlace,
    /// AWS's key management.
    pub aws: KmsPlace,
}

/// What is not as usual in a partition.
#[derive(Debug, Clone)]
pub struct CloudSettings {
    /// Which.
    pub partition: Partition,
    /// Where console sign-ins are posted.
    pub acs: Option<WebUrl>,
    /// The audience.
    pub audience: Option<String>,
    /// Its STS.
    pub sts: Option<WebUrl>,
}

impl Draft {
    pub(super) fn server(&self) -> Result<ServerSettings, SettingsError> {
        let text = self.get(&PUBLIC_URL).unwrap_or("http://127.0.0.1:8443/");
        let url = WebUrl::parse(text).map_err(|error| self.bad(&PUBLIC_URL, error.to_string()))?;
        let inner = url.expose();
        if inner.path() != "/" || inner.query().is_some() || inner.fragment().is_some() || !inner.username().is_empty() {
            return Err(self.bad(&PUBLIC_URL, "has more than a scheme, a host and a port"));
        }
        let text = self.get(&LISTEN).unwrap_or("127.0.0.1:8443");
        let listen: SocketAddr = text.parse().map_err(|_| self.bad(&LISTEN, "is no address with a port"))?;
        let tls = match (self.file(&CERTIFICATE), self.file(&PRIVATE_KEY)) {
            (Some(chain), Some(key)) => Some((chain, key)),
            (None, None) => None,
            (Some(_), None) => return Err(self.bad(&PRIVATE_KEY, "is missing beside `server.certificate_file`")),
            (None, Some(_)) => return Err(self.bad(&CERTIFICATE, "is missing beside `server.key_file`")),
        };
        let proxies = self.networks(&PROXIES, &[])?;
        if tls.is_none() && !listen.ip().is_loopback() && proxies.is_empty() {
            let why = "is not on loopback: there must be a certificate, or `server.trusted_proxies` who speak TLS in front";
            return Err(self.bad(&LISTEN, why));
        }
        let access_log = match self.get(&ACCESS_LOG).unwrap_or("text") {
            "text" => AccessLog::Text,
            "json" => AccessLog::Json,
            "off" => AccessLog::Off,
            _ => return Err(self.bad(&ACCESS_LOG, "is `text`, `json` or `off`")),
        };
        let metrics = self.networks(&METRICS, &["127.0.0.0/8", "::1"])?;
        Ok(ServerSettings { url, listen, tls, proxies, metrics, access_log, drain: seconds(self.number(&DRAIN, 20, 0..=300)?) })
    }

    pub(super) fn networks(&self, key: &Key, default: &[&str]) -> Result<Networks, SettingsError> {
        let texts = self.list(key).unwrap_or_else(|| default.iter().map(|&text| text.to_owned()).collect());
        Networks::parse(&texts).map_err(|text| self.bad(key, format!("has `{text}`, which is neither an address nor a network")))
    }

    pub(super) fn names(&self, url: &WebUrl) -> Result<SamlNames, SettingsError> {
        let name = |key: &Key, default: &str| match self.get(key) {
            None => Ok(format!("{}{default}", url.expose())),
            // SAML core §8.3.6.
            Some(text) if text.is_empty() || text.len() > 1024 || text.chars().any(|c| c.is_whitespace() || c.is_control()) => {
                Err(self.bad(key, "is no URI of at most 1024 characters"))
            }
            Some(text) => Ok(text.to_owned()),
        };
        Ok(SamlNames { service: name(&SAML_ENTITY, "saml/metadata")?, issuer: name(&SAML_IDP_ENTITY, "idp/metadata")? })
    }

    pub(super) fn idp(&self) -> Result<IdpSettings, SettingsError> {
        let (metadata, certificates) = (self.file(&IDP_METADATA), self.file(&IDP_CERTIFICATE));
        if metadata.is_some() != certificates.is_some() {
            let key = if metadata.is_some() { &IDP_CERTIFICATE } else { &IDP_METADATA };
            return Err(self.bad(key, "is missing: metadata and pinned certificate come together"));
        }
        Ok(IdpSettings {
            metadata,
            certificates,
            gid_attribute: self.get(&IDP_GID).map(str::to_owned),
            response_signature_is_enough: self.flag(&IDP_RESPONSE_SIGNATURE, false)?,
            allow_sha1: self.flag(&IDP_SHA1, false)?,
            contexts: self.list(&IDP_CONTEXTS).unwrap_or_default(),
            idp_initiated: self.flag(&IDP_INITIATED, false)?,
            skew: seconds(self.number(&IDP_SKEW, 60, 0..=300)?),
        })
    }

    pub(super) fn session(&self, env: &Env) -> Result<SessionSettings, SettingsError> {
        let redis = match self.get(&SESSION_STORE).unwrap_or("database") {
            "database" => {
                if let Some(key) =
                    [&SESSION_REDIS, &SESSION_REDIS_PASSWORD, &SESSION_REDIS_CA].into_iter().find(|key| self.get(key).is_some())
                {
                    return Err(self.bad(key, "counts for nothing while `session.store` is `database`"));
                }
                None
            }
            "redis" => Some(self.redis(env)?),
            _ => return Err(self.bad(&SESSION_STORE, "is `database` or `redis`")),
        };
        let minutes = |key, default, bounds| self.number(key, default, bounds).map(|number| seconds(number * 60));
        let step_up = minutes(&STEP_UP, 0, 0..=1440)?;
        Ok(SessionSettings {
            redis,
            idle: minutes(&SESSION_IDLE, 30, 1..=1440)?,
            longest: seconds(self.number(&SESSION_HOURS, 8, 1..=24)? * 3600),
            cli: seconds(self.number(&SESSION_CLI, 12, 1..=168)? * 3600),
            step_up: (!step_up.is_zero()).then_some(step_up),
        })
    }

    fn redis(&self, env: &Env) -> Result<RedisSettings, SettingsError> {
        let text = self.get(&SESSION_REDIS).ok_or_else(|| self.bad(&SESSION_REDIS, "is missing: `session.store` is `redis`"))?;
        let url = Url::parse(text).map_err(|error| self.bad(&SESSION_REDIS, format!("is no address: {error}")))?;
        if url.password().is_some() {
            return Err(self.bad(&SESSION_REDIS, "has a password in it, which belongs into `session.redis_password_file`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(self.bad(&SESSION_REDIS, "takes nothing after the database's number"));
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        match url.scheme() {
            "rediss" => {}
            "redis" if is_here => {}
            "redis" => return Err(self.bad(&SESSION_REDIS, "may be without TLS for a server on this machine only")),
            _ => return Err(self.bad(&SESSION_REDIS, "begins with neither `rediss://` nor `redis://`")),
        }
        let password = self.secret(&SESSION_REDIS_PASSWORD, "redis_password", env)?;
        Ok(RedisSettings { url, password, authority: self.file(&SESSION_REDIS_CA) })
    }

    pub(super) fn limits(&self) -> Result<Limits, SettingsError> {
        Ok(Limits {
            vend_per_user: self.number(&VEND_PER_USER, 60, 1..=1_000_000)?,
            vend_per_account: self.number(&VEND_PER_ACCOUNT, 600, 1..=1_000_000)?,
            per_address: self.number(&PER_ADDRESS, 1200, 1..=1_000_000)?,
            sign_in_per_address: self.number(&SIGN_IN_PER_ADDRESS, 60, 1..=1_000_000)?,
        })
    }

    pub(super) fn keys(&self, env: &Env) -> Result<KeySettings, SettingsError> {
        Ok(KeySettings {
            passphrase: self.secret(&KEYS_PASSPHRASE, "keys_passphrase", env)?,
            allow_file_signer: self.flag(&KEYS_FILE_SIGNER, false)?,
            alibaba: self.kms(&KMS_ALIBABA_ENDPOINT, &KMS_ALIBABA_REGION, &KMS_ALIBABA_CREDENTIALS)?,
            aws: self.kms(&KMS_AWS_ENDPOINT, &KMS_AWS_REGION, &KMS_AWS_CREDENTIALS)?,
        })
    }

    fn kms(&self, endpoint: &Key, region: &Key, credentials: &Key) -> Result<KmsPlace, SettingsError> {
        let address = |text: &str| WebUrl::parse(text).map_err(|error| self.bad(endpoint, format!("is no address: {error}")));
        let name = |text: &str| Region::parse(text).map_err(|error| self.bad(region, error.to_string()));
        Ok(KmsPlace {
            endpoint: self.get(endpoint).map(address).transpose()?,
            region: self.get(region).map(name).transpose()?.map(|region| region.as_str().to_owned()),
            credentials: self.file(credentials),
        })
    }

    pub(super) fn clouds(&self) -> Result<Vec<CloudSettings>, SettingsError> {
        let all: [(&str, [&Key; 3]); 5] = [
            ("alibaba", [&ALIBABA_ACS, &ALIBABA_AUDIENCE, &ALIBABA_STS]),
            ("alibaba-intl", [&ALIBABA_INTL_ACS, &ALIBABA_INTL_AUDIENCE, &ALIBABA_INTL_STS]),
            ("aws", [&AWS_ACS, &AWS_AUDIENCE, &AWS_STS]),
            ("aws-cn", [&AWS_CN_ACS, &AWS_CN_AUDIENCE, &AWS_CN_STS]),
            ("aws-us-gov", [&AWS_US_GOV_ACS, &AWS_US_GOV_AUDIENCE, &AWS_US_GOV_STS]),
        ];
        let address = |key: &Key| {
            let text = self.get(key).map(WebUrl::parse).transpose();
            text.map_err(|error| self.bad(key, error.to_string()))
        };
        let mut clouds = Vec::new();
        for (word, [acs, audience, sts]) in all {
            let Some(partition) = Partition::from_word(word) else { continue };
            let audience = self.get(audience).map(str::to_owned);
            clouds.push(CloudSettings { partition, acs: address(acs)?, audience, sts: address(sts)? });
        }
        Ok(clouds)
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}
