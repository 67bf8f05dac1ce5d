//! The keys of the role that a machine in a cloud has. Both clouds hand them out alike: a token first, so that no page can be made to ask; then the role's
//! name; then its keys.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>,
//! <https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata>

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::Keys;
use crate::types::{CloudId, Secret, Timestamp, Untrusted};
use crate::world::{Env, Instance, TransportError};

/// How long the token for asking lasts, in seconds.
const TOKEN_SECONDS: &str = "300";
/// How long before their end the keys of a role are renewed.
const MARGIN: Duration = Duration::from_secs(300);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The machine is in no cloud, or cannot be asked.
    #[error(transparent)]
    Network(#[from] TransportError),
    /// It has no role.
    #[error("this machine has no role in {}", .0.title())]
    NoRole(CloudId),
    /// What it says is not what the cloud documents.
    #[error("the metadata service of this machine gives no keys for its role `{0}`")]
    Garbled(Untrusted),
    /// It must not be asked.
    #[error("`{0}` keeps this machine from being asked for its role")]
    Off(&'static str),
}

/// The keys that a machine has: those of its environment, as the clouds' SDKs look there first, else those of its role. These are kept until shortly before
/// they end.
pub struct Machine {
    env: Env,
    instance: Instance,
    pub(crate) role: Mutex<BTreeMap<CloudId, (Keys, Timestamp)>>,
}

impl Machine {
    /// This machine.
    pub fn new(env: Env, instance: Instance) -> Self {
        Self { env, instance, role: Mutex::default() }
    }

    /// Its keys for a cloud.
    ///
    /// # Errors
    /// It has none.
    pub async fn keys(&self, cloud: CloudId, now: Timestamp) -> Result<Keys, InstanceError> {
        let [id, secret, token, off] = match cloud {
            CloudId::Aws => ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_EC2_METADATA_DISABLED"],
            CloudId::Alibaba => [
                "ALIBABA_CLOUD_ACCESS_KEY_ID",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
                "ALIBABA_CLOUD_SECURITY_TOKEN",
                "ALIBABA_CLOUD_ECS_METADATA_DISABLED",
            ],
        };
        if let (Some(id), Some(secret)) = (self.env.get(id), self.env.get(secret)) {
            return Ok(Keys { id: id.to_owned(), secret: secret.into(), token: self.env.get(token).map(Into::into) });
        }
        if self.env.is_on(off) {
            return Err(InstanceError::Off(off));
        }
        let known = || self.role.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((keys, ends)) = known().get(&cloud)
            && ends.since(now) > MARGIN
        {
            return Ok(keys.clone());
        }
        let (keys, ends) = keys(cloud, &self.instance).await?;
        known().insert(cloud, (keys.clone(), ends));
        Ok(keys)
    }
}

struct Words {
    host: &'static str,
    ttl: &'static str,
    token: &'static str,
    path: &'static str,
}

fn words(cloud: CloudId) -> Words {
    match cloud {
        CloudId::Aws => Words {
            host: "169.254.169.254",
            ttl: "x-aws-ec2-metadata-token-ttl-seconds",
            token: "x-aws-ec2-metadata-token",
            path: "/latest/meta-data/iam/security-credentials/",
        },
        CloudId::Alibaba => Words {
            host: "100.100.100.200",
            ttl: "x-aliyun-ecs-metadata-token-ttl-seconds",
            token: "x-aliyun-ecs-metadata-token",
            path: "/latest/meta-data/ram/security-credentials/",
        },
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    code: String,
    access_key_id: String,
    #[serde(alias = "AccessKeySecret")]
    secret_access_key: Secret<String>,
    #[serde(alias = "SecurityToken")]
    token: Secret<String>,
    expiration: String,
}

/// The keys, and until when they are good.
///
/// # Errors
/// [`InstanceError`].
pub async fn keys(cloud: CloudId, instance: &Instance) -> Result<(Keys, Timestamp), InstanceError> {
    let words = words(cloud);
    let token = instance.ask(true, words.host, "/latest/api/token", (words.ttl, &TOKEN_SECONDS.into())).await?;
    let roles =
        instance.ask(false, words.host, words.path, (words.token, &token)).await.map_err(|_| InstanceError::NoRole(cloud))?;
    let is_name =
        |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
    let role = roles.expose().lines().next().map(str::trim).filter(is_name).ok_or(InstanceError::NoRole(cloud))?;
    let text = instance.ask(false, words.host, &format!("{}{role}", words.path), (words.token, &token)).await?;
    let garbled = || InstanceError::Garbled(Untrusted::new(role));
    let given: Given = serde_json::from_str(text.expose()).map_err(|_| garbled())?;
    let ends = Timestamp::parse(&given.expiration).filter(|_| given.code == "Success").ok_or_else(garbled)?;
    Ok((Keys { id: given.access_key_id, secret: given.secret_access_key, token: Some(given.token) }, ends))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the test listens on loopback")]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers three requests as a metadata service does; what was asked comes back.
    async fn service(listener: TcpListener, words: &'static Words, role: &'static str, keys: &'static str) -> Vec<String> {
        let mut seen = Vec::new();
        for _ in 0..3 {
            let Ok(Ok((stream, _))) = tokio::time::timeout(std::time::Duration::from_secs(3), listener.accept()).await else {
                break;
            };
            let mut stream = BufReader::new(stream);
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                if line.trim().is_empty() {
                    break;
                }
                lines.push(line.trim().to_ascii_lowercase());
            }
            let has = |header: &str, value: &str| lines.contains(&format!("{header}: {value}"));
            let (status, body) = match lines[0].as_str() {
                first if first.starts_with("put /latest/api/token ") && has(words.ttl, "300") => ("200 OK", "the-token"),
                first if !has(words.token, "the-token") => ("401 Unauthorized", first),
                first if first.starts_with(&format!("get {} ", words.path)) => ("200 OK", role),
                first if first.starts_with(&format!("get {}{role} ", words.path)) => ("200 OK", keys),
                _ => ("404 Not Found", ""),
            };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
            seen.push(lines[0].clone());
        }
        seen
    }

    static AWS: Words = Words {
        host: "",
        ttl: "x-aws-ec2-metadata-token-ttl-seconds",
        token: "x-aws-ec2-metadata-token",
        path: "/latest/meta-data/iam/security-credentials/",
    };
    static ALIBABA: Words = Words {
        host: "",
        ttl: "x-aliyun-ecs-metadata-token-ttl-seconds",
        token: "x-aliyun-ecs-metadata-token",
        path: "/latest/meta-data/ram/security-credentials/",
    };
    const FROM_AWS: &str = r#"{"Code":"Success","LastUpdated":"2026-11-01T00:00:00Z","Type":"AWS-HMAC","AccessKeyId":"ASIA1","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-01T06:00:00Z"}"#;
    const FROM_ALIBABA: &str = r#"{"AccessKeyId":"STS.1","AccessKeySecret":"s","Expiration":"2026-11-01T06:00:00Z","SecurityToken":"t","LastUpdated":"2026-11-01T00:00:00Z","Code":"Success"}"#;

    fn ask(
        cloud: CloudId,
        words: &'static Words,
        role: &'static str,
        answer: &'static str,
    ) -> Result<(Keys, Timestamp), InstanceError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
            let serving = tokio::spawn(service(listener, words, role, answer));
            let keys = keys(cloud, &Instance::at(url).unwrap()).await;
            serving.abort();
            keys
        })
    }

    #[test]
    fn a_machine_has_the_keys_of_its_role() {
        for (cloud, words, answer, id) in
            [(CloudId::Aws, &AWS, FROM_AWS, "ASIA1"), (CloudId::Alibaba, &ALIBABA, FROM_ALIBABA, "STS.1")]
        {
            let (keys, ends) = ask(cloud, words, "cam-role", answer).unwrap();
            assert_eq!((keys.id.as_str(), keys.secret.expose().as_str()), (id, "s"));
            assert_eq!((keys.token.unwrap().expose().as_str(), ends.utc()), ("t", "2026-11-01T06:00:00Z".to_owned()));
        }
    }

    #[test]
    fn a_machine_without_a_role_says_so() {
        assert!(matches!(ask(CloudId::Aws, &AWS, "", FROM_AWS), Err(InstanceError::NoRole(CloudId::Aws))));
        assert!(matches!(ask(CloudId::Aws, &AWS, "../../user-data", FROM_AWS), Err(InstanceError::NoRole(_))));
        let failed = r#"{"Code":"Failed","AccessKeyId":"","SecretAccessKey":"","Token":"","Expiration":"2026-11-01T06:00:00Z"}"#;
        assert!(matches!(ask(CloudId::Aws, &AWS, "r", failed), Err(InstanceError::Garbled(_))));
        assert!(matches!(ask(CloudId::Aws, &AWS, "r", "<html>"), Err(InstanceError::Garbled(_))));
    }

    #[test]
    fn the_addresses_are_the_clouds_own() {
        assert_eq!([words(CloudId::Aws).host, words(CloudId::Alibaba).host], ["169.254.169.254", "100.100.100.200"]);
        assert_eq!((words(CloudId::Aws).path, words(CloudId::Alibaba).path), (AWS.path, ALIBABA.path));
    }
}
