//! How a client proves to the token endpoint that it is itself: not at all (a public client, RFC 8252), by a secret (RFC 6749, 2.3.1),
//! or by a token that it signs (RFC 7523, `private_key_jwt`).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use zeroize::Zeroizing;

use crate::types::{Secret, Timestamp, WebUrl};
use crate::world::nonce;

/// How long a token lives that a client signs for the issuer.
const LIFETIME: i64 = 240;
/// How far back it is dated, for issuers whose clock is behind.
const SLACK: i64 = 30;

/// A client of an issuer.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name there.
    pub id: String,
    /// How it proves that it is itself.
    pub auth: ClientAuth,
}

/// How a client proves that it is itself.
#[derive(Debug, Clone)]
pub enum ClientAuth {
    /// It has no secret: a program on people's machines.
    Public,
    /// A secret in a header.
    SecretInHeader(Secret<String>),
    /// A secret in the form.
    SecretInForm(Secret<String>),
    /// A token signed by its key.
    Key(SigningKey),
}

/// What goes into a request for it.
pub(super) struct Proof {
    pub(super) header: Option<Secret<String>>,
    pub(super) fields: Vec<(&'static str, Secret<String>)>,
}

impl Client {
    /// A client without a secret.
    pub fn public(id: impl Into<String>) -> Self {
        Self { id: id.into(), auth: ClientAuth::Public }
    }

    /// The proof for a request to `endpoint`.
    pub(super) fn proof(&self, endpoint: &WebUrl, now: Timestamp) -> Proof {
        let id = ("client_id", Secret::from(self.id.as_str()));
        match &self.auth {
            ClientAuth::Public => Proof { header: None, fields: vec![id] },
            ClientAuth::SecretInForm(secret) => Proof { header: None, fields: vec![id, ("client_secret", secret.clone())] },
            ClientAuth::SecretInHeader(secret) => {
                // Both halves are written as in a form before they are joined, so that a colon parts them.
                let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = Zeroizing::new(format!("{}:{}", encode(&self.id), encode(secret.expose())));
                Proof { header: Some(Secret::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))), fields: Vec::new() }
            }
            ClientAuth::Key(key) => {
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                let assertion = key.assertion(&self.id, endpoint, now);
                Proof {
                    header: None,
                    fields: vec![id, ("client_assertion_type", Secret::from(kind)), ("client_assertion", assertion)],
                }
            }
        }
    }
}

/// A client's private key: RSA (`RS256`), or ECDSA on P-256 (`ES256`).
#[derive(Clone)]
pub struct SigningKey {
    pair: std::sync::Arc<Pair>,
    /// Its name in the issuer's list of the client's keys.
    id: Option<String>,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[key]")
    }
}

impl SigningKey {
    /// Reads a key in PEM: PKCS #8, or PKCS #1 for RSA. `id` names it to the issuer.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn from_pem(pem: &Secret<String>, id: Option<String>) -> Result<Self, String> {
        let der = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| "there is no private key in PEM in it")?;
        let pair = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok().map(|pair| Pair::Rsa(Box::new(pair))),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let ec = || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new()).ok();
                RsaKeyPair::from_pkcs8(der)
                    .ok()
                    .map(|pair| Pair::Rsa(Box::new(pair)))
                    .or_else(|| ec().map(|pair| Pair::Ec(Box::new(pair))))
            }
            _ => return Err("it is an EC key in the old form; `openssl pkcs8 -topk8 -nodes` makes the new one".to_owned()),
        };
        let pair = pair.ok_or("it is neither an RSA key of 2048 bits or more nor an EC key on P-256")?;
        Ok(Self { pair: std::sync::Arc::new(pair), id })
    }

    /// A token that says who the client is, for one request to this address.
    fn assertion(&self, client: &str, endpoint: &WebUrl, now: Timestamp) -> Secret<String> {
        let alg = if matches!(*self.pair, Pair::Rsa(_)) { "RS256" } else { "ES256" };
        let mut header = json!({ "alg": alg, "typ": "JWT" });
        if let Some(id) = &self.id {
            header["kid"] = json!(id);
        }
        let now = now.unix();
        let body = json!({
            "iss": client, "sub": client, "aud": endpoint.expose().as_str(), "jti": nonce(),
            "iat": now - SLACK, "nbf": now - SLACK, "exp": now + LIFETIME,
        });
        let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut text = format!("{}.{}", encode(&header), encode(&body));
        let random = SystemRandom::new();
        let signature = match &*self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                // Signing fails only without randomness, and then the issuer refuses what is not signed.
                let _ = pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, text.as_bytes()).map(|s| s.as_ref().to_vec()).unwrap_or_default(),
        };
        text = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature));
        Secret::new(text)
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED, KeyPair as _, UnparsedPublicKey};

    use super::*;

    fn endpoint() -> WebUrl {
        WebUrl::parse("https://idp.example/token").unwrap()
    }

    fn at() -> Timestamp {
        Timestamp::from_unix(1_700_000_000).unwrap()
    }

    #[test]
    fn a_secret_with_a_colon_in_it() {
        let client = |auth| Client { id: "a:b c".to_owned(), auth };
        let proof = client(ClientAuth::SecretInHeader(Secret::from("p:w/ü"))).proof(&endpoint(), at());
        let header = proof.header.unwrap();
        let pair = STANDARD.decode(header.expose().strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "a%3Ab+c:p%3Aw%2F%C3%BC");
        assert!(proof.fields.is_empty());
        let proof = client(ClientAuth::SecretInForm(Secret::from("pw"))).proof(&endpoint(), at());
        assert_eq!(
            proof.fields.iter().map(|(name, value)| (*name, value.expose().as_str())).collect::<Vec<_>>(),
            [("client_id", "a:b c"), ("client_secret", "pw")]
        );
    }

    #[test]
    fn signs_what_the_issuer_can_check() {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
        let public = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &SystemRandom::new()).unwrap();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
        let key = SigningKey::from_pem(&Secret::new(pem), Some("k1".to_owned())).unwrap();
        assert_eq!(format!("{key:?}"), "[key]");
        let token = key.assertion("machine", &endpoint(), at());
        let claims = super::super::read_jwt(token.expose()).unwrap();
        assert_eq!(
            claims.to_string(),
            "iss \"machine\", aud \"https://idp.example/token\", sub \"machine\", iat 2023-11-14T22:12:50Z, exp 2023-11-14T22:17:20Z, \
             typ \"JWT\", alg \"ES256\""
        );
        let (text, signature) = token.expose().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public.public_key().as_ref());
        assert!(public.verify(text.as_bytes(), &signature).is_ok());
    }

    #[test]
    fn says_what_is_wrong_with_a_key() {
        for (pem, why) in [
            ("", "no private key in PEM"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no private key in PEM"),
            ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "openssl pkcs8"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "neither an RSA key"),
        ] {
            assert!(SigningKey::from_pem(&Secret::from(pem), None).unwrap_err().contains(why), "{pem}");
        }
    }
}
