//! AWS's key management: `Sign` and `GetPublicKey`, JSON, signed.
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>,
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::sign;
use crate::cloud::Keys;
use crate::cloud::kms::{KmsError, KmsKey};
use crate::types::{Secret, Timestamp};
use crate::world::{Request, Transport};

#[derive(Deserialize)]
struct Success {
    #[serde(rename = "Signature")]
    signature: Option<String>,
    #[serde(rename = "PublicKey")]
    public_key: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Failure {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message")]
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
    let body = json!({
        "KeyId": key.id, "Message": STANDARD.encode(digest), "MessageType": "DIGEST", "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
    });
    decoded(key, ask(key, "TrentService.Sign", &body, keys, net, now).await?.signature)
}

/// The public half, as X.509 writes it.
pub(in crate::cloud) async fn public_key(
    key: &KmsKey,
    keys: &Keys,
    net: &dyn Transport,
    now: Timestamp,
) -> Result<Vec<u8>, KmsError> {
    decoded(key, ask(key, "TrentService.GetPublicKey", &json!({"KeyId": key.id}), keys, net, now).await?.public_key)
}

fn decoded(key: &KmsKey, text: Option<String>) -> Result<Vec<u8>, KmsError> {
    text.and_then(|text| STANDARD.decode(text).ok()).ok_or(KmsError::Garbled { cloud: key.cloud, status: 200 })
}

async fn ask(
    key: &KmsKey,
    target: &'static str,
    body: &serde_json::Value,
    keys: &Keys,
    net: &dyn Transport,
    now: Timestamp,
) -> Result<Success, KmsError> {
    let request = Request::post(key.endpoint.clone(), "application/x-amz-json-1.1", Secret::new(body.to_string()));
    let request = request.header("x-amz-target", target);
    let answer = net.send(&sign::sign(request, keys, &key.region, "kms", now)).await?;
    if answer.is_success() {
        let garbled = |_| KmsError::Garbled { cloud: key.cloud, status: answer.status };
        return serde_json::from_str(answer.body.expose()).map_err(garbled);
    }
    let failure: Failure = serde_json::from_str(answer.body.expose()).unwrap_or_default();
    // `com.amazonaws.kms#NotFoundException` on some stand-ins, the last part alone on AWS.
    let code = failure.kind.rsplit('#').next().unwrap_or_default();
    Err(key.refused(answer.status, code, &failure.message))
}
