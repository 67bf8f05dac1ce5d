//! Alibaba Cloud's key management: one asymmetric key after another, which sign digests and never leave.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::json;

use crate::alibaba::{caller_of, error};
use crate::wire::{Breach, Reply, Request, breach};
use crate::world::{World, uuid};

/// Version of the API.
const VERSION: &str = "2016-01-20";

/// A key of the key management.
#[derive(Debug)]
pub(crate) struct KmsKey {
    pub(crate) id: String,
    /// PKCS #8, in DER.
    pub(crate) pkcs8: Vec<u8>,
    /// The public half, X.509 in PEM.
    pub(crate) public: String,
}

/// Answers for `kms.<region>.aliyuncs.com`.
pub(crate) fn answer(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if (request.method.as_str(), request.path.as_str()) != ("POST", "/") {
        return breach("the key management takes POST / only");
    }
    request.no_query()?;
    let action = request.header("x-acs-action").unwrap_or_default().to_owned();
    let fields = request.form()?;
    match action.as_str() {
        "AsymmetricSign" => fields.exactly(&["KeyId", "KeyVersionId", "Algorithm", "Digest"], &[])?,
        "GetPublicKey" => fields.exactly(&["KeyId", "KeyVersionId"], &[])?,
        _ => return breach(format!("no action `{action}`")),
    }
    if let Err(refused) = caller_of(world, request, VERSION)? {
        return Ok(refused);
    }
    let refuse = |status: u16, code: &str, text: &str| Ok(error(request, status, code, text));
    let version = fields.get("KeyVersionId").to_owned();
    let Some(key) = world.kms.iter().find(|key| key.id == fields.get("KeyId")) else {
        return refuse(404, "Forbidden.KeyNotFound", "The specified Key is not found.");
    };
    if version != "v1" {
        return refuse(404, "Forbidden.KeyVersionNotFound", "The specified key version is not found.");
    }
    let mut answer = json!({"KeyId": key.id, "KeyVersionId": version, "RequestId": uuid()});
    if action == "GetPublicKey" {
        answer["PublicKey"] = key.public.clone().into();
        return Ok(Reply::json(200, &answer));
    }
    if fields.get("Algorithm") != "RSA_PKCS1_SHA_256" {
        return refuse(400, "InvalidParameter", "The specified parameter Algorithm is not valid.");
    }
    let Some(digest) = STANDARD.decode(fields.get("Digest")).ok().filter(|digest| digest.len() == 32) else {
        return refuse(400, "InvalidParameter", "The specified parameter Digest is not valid.");
    };
    match signed(&key.pkcs8, &digest) {
        Some(value) => {
            answer["Value"] = STANDARD.encode(value).into();
            Ok(Reply::json(200, &answer))
        }
        None => breach("the key of the test is none"),
    }
}

/// What PKCS #1 v1.5 puts before a SHA-256 digest (RFC 8017 §9.2).
const SHA256_PREFIX: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// A signature of a digest.
fn signed(pkcs8: &[u8], digest: &[u8]) -> Option<Vec<u8>> {
    let key = RsaPrivateKey::from_pkcs8_der(pkcs8).ok()?;
    key.sign(Pkcs1v15Sign { hash_len: Some(32), prefix: Box::new(SHA256_PREFIX) }, digest).ok()
}

/// The public half of a key, X.509 in PEM.
pub(crate) fn public(pkcs8: &[u8]) -> Option<String> {
    let key = RsaPrivateKey::from_pkcs8_der(pkcs8).ok()?;
    key.to_public_key().to_public_key_pem(LineEnding::LF).ok()
}
