//! Alibaba Cloud's key management: `AsymmetricSign` and `GetPublicKey`, RPC, signed.
//! <https://www.alibabacloud.com/help/en/kms/key-management-service/developer-reference/api-asymmetricsign>,
//! <https://www.alibabacloud.com/help/en/kms/key-management-service/developer-reference/api-getpublickey>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::sign;
use crate::cloud::Keys;
use crate::cloud::kms::{KmsError, KmsKey};
use crate::types::Timestamp;
use crate::world::{Request, Transport, nonce};

/// Version of the API.
const VERSION: &str = "2016-01-20";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Success {
    value: Option<String>,
    public_key: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Failure {
    code: String,
    message: String,
}

/// A signature of a digest.
pub(in crate::cloud) async fn sign(
    key: &KmsKey,
    digest: &[u8],
    keys: &Keys,
    net: &dyn Transport,
    now: Timestamp,
) -> Result<Vec<u8>, KmsError> {
    let digest = STANDARD.encode(digest);
    let own = [("Algorithm", "RSA_PKCS1_SHA_256"), ("Digest", digest.as_str())];
    let answer = ask(key, "AsymmetricSign", &own, keys, net, now).await?;
    answer.value.and_then(|value| STANDARD.decode(value).ok()).ok_or(KmsError::Garbled { cloud: key.cloud, status: 200 })
}

/// The public half, as X.509 writes it.
pub(in crate::cloud) async fn public_key(
    key: &KmsKey,
    keys: &Keys,
    net: &dyn Transport,
    now: Timestamp,
) -> Result<Vec<u8>, KmsError> {
    let pem = ask(key, "GetPublicKey", &[], keys, net, now).await?.public_key.unwrap_or_default();
    let text: String = pem.lines().map(str::trim).filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(text).map_err(|_| KmsError::Garbled { cloud: key.cloud, status: 200 })
}

async fn ask(
    key: &KmsKey,
    action: &str,
    own: &[(&'static str, &str)],
    keys: &Keys,
    net: &dyn Transport,
    now: Timestamp,
) -> Result<Success, KmsError> {
    let mut body = vec![("KeyId", key.id.as_str())];
    body.extend(key.version.as_deref().map(|version| ("KeyVersionId", version)));
    body.extend(own);
    let request = Request::form(key.endpoint.clone(), body).header("accept", "application/json");
    let answer = net.send(&sign::sign(request, keys, action, VERSION, now, &nonce())).await?;
    if answer.is_success() {
        let garbled = |_| KmsError::Garbled { cloud: key.cloud, status: answer.status };
        return serde_json::from_str(answer.body.expose()).map_err(garbled);
    }
    let failure: Failure = serde_json::from_str(answer.body.expose()).unwrap_or_default();
    Err(key.refused(answer.status, &failure.code, &failure.message))
}
