//! ID tokens as the clouds see them: which issuers and roles exist, what is in a token, and whether it is good.
//!
//! Tokens are signed for real (ES256) and checked for real, so one that is forged, changed or not signed fails like at the clouds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::wire::glob;
use crate::world::World;

/// The issuer of example.com.
pub(crate) const ACME: &str = "https://id.acme.example";
/// GitHub Actions.
pub(crate) const GITHUB: &str = "https://token.actions.githubusercontent.com";
/// What a useGrant provider calls itself here.
pub(crate) const USEGRANT: &str = "https://grants.acme.example";

/// How long after its issue Alibaba Cloud takes a token by default, in seconds.
const EARLIEST: i64 = 12 * 3600;
/// How far clocks may differ, in seconds.
const SKEW: i64 = 60;

/// An OIDC provider in a cloud account, and a role that trusts it.
pub(crate) struct Trust {
    pub(crate) role: &'static str,
    pub(crate) provider: &'static str,
    issuer: &'static str,
    /// The provider's client IDs.
    clients: &'static [&'static str],
    /// The audiences of the role's condition.
    audiences: &'static [&'static str],
    /// The subjects of the role's condition, with `*`.
    subjects: &'static [&'static str],
    pub(crate) max_session: u32,
}

const PEOPLE: &[&str] =
    &["acme-cli", "acme-machine", "acme-machine-post", "acme-signer", "sts.amazonaws.com", "sts.aliyuncs.com"];
const MAIN: &[&str] = &["repo:acme/infra:ref:refs/heads/main"];

macro_rules! trust {
    ($role:literal, $provider:literal, $issuer:expr, $clients:expr, $audiences:expr, $subjects:expr, $max:literal) => {
        Trust {
            role: $role,
            provider: $provider,
            issuer: $issuer,
            clients: $clients,
            audiences: $audiences,
            subjects: $subjects,
            max_session: $max,
        }
    };
}

/// Everything that trusts an issuer.
const TRUSTS: &[Trust] = &[
    trust!(
        "arn:aws:iam::012345678987:role/AcmeWeb",
        "arn:aws:iam::012345678987:oidc-provider/id.acme.example",
        ACME,
        PEOPLE,
        PEOPLE,
        &["alice@example.com", "acme-*"],
        43200
    ),
    trust!(
        "arn:aws:iam::012345678987:role/AcmeDeploy",
        "arn:aws:iam::012345678987:oidc-provider/token.actions.githubusercontent.com",
        GITHUB,
        &["sts.amazonaws.com", "other"],
        &["sts.amazonaws.com"],
        MAIN,
        3600
    ),
    trust!(
        "acs:ram::012345678987:role/AcmeWeb",
        "acs:ram::012345678987:oidc-provider/acme",
        ACME,
        PEOPLE,
        PEOPLE,
        &["alice@example.com", "acme-*"],
        43200
    ),
    trust!(
        "acs:ram::012345678987:role/AcmeDeploy",
        "acs:ram::012345678987:oidc-provider/github",
        GITHUB,
        &["sts.aliyuncs.com", "other"],
        &["sts.aliyuncs.com"],
        MAIN,
        3600
    ),
    trust!(
        "acs:ram::012345678987:role/AcmeGrant",
        "acs:ram::012345678987:oidc-provider/usegrant",
        USEGRANT,
        &["ram.aliyuncs.com"],
        &["ram.aliyuncs.com"],
        &["*"],
        3600
    ),
];

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// As its header says, by the issuer's key.
    Good,
    /// By another key.
    Forged,
    /// Not at all: `alg` is `none`.
    None,
    /// Not at all, but a signature is there all the same.
    NoneWithSignature,
    /// The header speaks of a secret that both sides would share.
    Hs256,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct Token {
    /// Who issues it.
    pub issuer: String,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// Whether that is written as a list even if it is one.
    pub audience_is_list: bool,
    /// About whom it speaks.
    pub subject: String,
    /// Its `typ`.
    pub typ: String,
    /// How it is signed.
    pub signing: Signing,
    /// When it was issued, in seconds from now.
    pub issued: i64,
    /// How long it is good.
    pub lifetime: i64,
    /// Ties it to one sign-in.
    pub nonce: Option<String>,
}

impl Token {
    /// A good token of five minutes.
    pub fn new(issuer: &str, audience: &str, subject: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: vec![audience.to_owned()],
            audience_is_list: false,
            subject: subject.to_owned(),
            typ: "JWT".to_owned(),
            signing: Signing::Good,
            issued: 0,
            lifetime: 300,
            nonce: None,
        }
    }

    /// One of GitHub Actions, for a job on the main branch.
    pub fn github(audience: &str) -> Self {
        Self::new(GITHUB, audience, MAIN[0])
    }
}

/// The key that signs for every issuer of the box.
pub(crate) struct Keys {
    pair: Option<EcdsaKeyPair>,
}

fn pair() -> Option<(Vec<u8>, EcdsaKeyPair)> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).ok()?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &SystemRandom::new()).ok()?;
    Some((document.as_ref().to_vec(), pair))
}

impl Default for Keys {
    fn default() -> Self {
        Self { pair: pair().map(|(_, pair)| pair) }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[keys]")
    }
}

/// A key of a client, in PEM, and what proves its signatures.
pub(crate) fn client_key() -> Option<(String, Vec<u8>)> {
    let (document, pair) = pair()?;
    let text = base64::engine::general_purpose::STANDARD.encode(document);
    Some((format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"), pair.public_key().as_ref().to_vec()))
}

/// Whether a token is signed by whoever this key proves; what stands in it.
pub(crate) fn verified(token: &str, public: &[u8]) -> Option<Value> {
    let (text, signature) = token.rsplit_once('.')?;
    let (header, body) = text.split_once('.')?;
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    (header["alg"] == "ES256").then_some(())?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(text.as_bytes(), &signature).ok()?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

impl World {
    /// Makes a token, by the identity providers' clock.
    pub(crate) fn mint(&mut self, token: &Token) -> String {
        let alg = match token.signing {
            Signing::Good | Signing::Forged => "ES256",
            Signing::None | Signing::NoneWithSignature => "none",
            Signing::Hs256 => "HS256",
        };
        let issued = self.idp_now().as_second() + token.issued;
        let aud = match token.audience.as_slice() {
            [one] if !token.audience_is_list => json!(one),
            all => json!(all),
        };
        let mut body = json!({
            "iss": token.issuer, "aud": aud, "sub": token.subject, "iat": issued, "nbf": issued, "exp": issued + token.lifetime,
            "jti": crate::world::uuid(),
        });
        if let Some(nonce) = &token.nonce {
            body["nonce"] = json!(nonce);
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(&json!({ "alg": alg, "typ": token.typ, "kid": "box" })), encode(&body));
        let signed = |pair: &Option<EcdsaKeyPair>| {
            let signature = pair.as_ref().and_then(|pair| pair.sign(&SystemRandom::new(), text.as_bytes()).ok());
            URL_SAFE_NO_PAD.encode(signature.map(|s| s.as_ref().to_vec()).unwrap_or_default())
        };
        let signature = match token.signing {
            Signing::Good => signed(&self.keys_of_issuers.pair),
            Signing::Forged | Signing::NoneWithSignature => signed(&pair().map(|(_, pair)| pair)),
            Signing::None => String::new(),
            Signing::Hs256 => URL_SAFE_NO_PAD.encode([7; 32]),
        };
        let token = format!("{text}.{signature}");
        self.secret(&token);
        token
    }

    /// The keys of the issuers, as they publish them.
    pub(crate) fn jwks(&self) -> Value {
        let public = self.keys_of_issuers.pair.as_ref().map(|pair| pair.public_key().as_ref().to_vec()).unwrap_or_default();
        // An uncompressed point: a mark, then both halves.
        let half = |from: usize| URL_SAFE_NO_PAD.encode(public.get(from..from + 32).unwrap_or_default());
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "box", "x": half(1), "y": half(33) }] })
    }
}

/// Why a cloud does not take a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is no token.
    NotAToken,
    /// It is not signed in a way that counts.
    Algorithm,
    /// No provider of that issuer in the account.
    Issuer(String),
    Signature,
    Audience,
    Expired,
    /// It is of the future.
    Early,
    /// The role does not trust it.
    Trust,
}

/// What a cloud took.
pub(crate) struct Taken {
    pub(crate) trust: &'static Trust,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
}

/// Judges a token for a role, as both clouds do: shape, issuer, signature, audience, times, then the role's conditions.
pub(crate) fn redeem(world: &World, token: &str, role: &str) -> Result<Taken, Refusal> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, body, _] = parts.as_slice() else { return Err(Refusal::NotAToken) };
    let read = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let (Some(header), Some(body)) = (read(header), read(body)) else { return Err(Refusal::NotAToken) };
    if header["alg"] != "ES256" {
        return Err(Refusal::Algorithm);
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (issuer, subject) = (text("iss"), text("sub"));
    let account = role.split(':').find(|part| part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty()).unwrap_or_default();
    let cloud = role.split(':').next().unwrap_or_default();
    let of_account =
        |trust: &&Trust| trust.provider.contains(account) && trust.provider.starts_with(cloud) && trust.issuer == issuer;
    let Some(provider) = TRUSTS.iter().find(of_account) else { return Err(Refusal::Issuer(issuer)) };
    let public = world.keys_of_issuers.pair.as_ref().map(|pair| pair.public_key().as_ref().to_vec()).unwrap_or_default();
    if verified(token, &public).is_none() {
        return Err(Refusal::Signature);
    }
    let audiences: Vec<&str> = match &body["aud"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let Some(audience) = audiences.iter().find(|aud| provider.clients.contains(aud)) else { return Err(Refusal::Audience) };
    let now = world.cloud_now().as_second();
    let (issued, ends) = (body["iat"].as_i64().unwrap_or_default(), body["exp"].as_i64().unwrap_or_default());
    if now >= ends || (cloud == "acs" && now - issued > EARLIEST) {
        return Err(Refusal::Expired);
    }
    if issued > now + SKEW {
        return Err(Refusal::Early);
    }
    let trusted = |trust: &&Trust| {
        trust.role == role
            && trust.issuer == issuer
            && audiences.iter().any(|aud| trust.audiences.contains(aud))
            && trust.subjects.iter().any(|pattern| glob(pattern, &subject))
    };
    match TRUSTS.iter().find(trusted) {
        Some(trust) => Ok(Taken { trust, audience: (*audience).to_owned(), issuer, subject }),
        None => Err(Refusal::Trust),
    }
}

/// The end of a token for a cloud's message.
pub(crate) fn end_of(token: &str) -> Option<Timestamp> {
    let body = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    Timestamp::from_second(body["exp"].as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_judged_by_all_that_is_in_it() {
        let (aws, alibaba) = ("arn:aws:iam::012345678987:role/AcmeDeploy", "acs:ram::012345678987:role/AcmeDeploy");
        let mut world = World::default();
        let mut told = |role: &str, change: &dyn Fn(&mut Token)| {
            let mut token = Token::github(if role == aws { "sts.amazonaws.com" } else { "sts.aliyuncs.com" });
            change(&mut token);
            let token = world.mint(&token);
            redeem(&world, &token, role).map(|taken| taken.subject)
        };
        for role in [aws, alibaba] {
            assert_eq!(told(role, &|_| {}).unwrap(), MAIN[0]);
            assert!(told(role, &|token| token.audience_is_list = true).is_ok());
            assert_eq!(told(role, &|token| token.signing = Signing::None), Err(Refusal::Algorithm));
            assert_eq!(told(role, &|token| token.signing = Signing::Hs256), Err(Refusal::Algorithm));
            assert_eq!(told(role, &|token| token.signing = Signing::Forged), Err(Refusal::Signature));
            assert_eq!(told(role, &|token| token.audience = vec!["https://github.com/acme".to_owned()]), Err(Refusal::Audience));
            assert_eq!(told(role, &|token| token.audience = vec!["other".to_owned()]), Err(Refusal::Trust));
            assert_eq!(told(role, &|token| token.subject += "-2"), Err(Refusal::Trust));
            assert_eq!(told(role, &|token| token.issued = -600), Err(Refusal::Expired));
            assert_eq!(told(role, &|token| token.issued = 600), Err(Refusal::Early));
            assert!(matches!(told(role, &|token| token.issuer += "/"), Err(Refusal::Issuer(_))));
        }
        let old = |token: &mut Token| {
            token.issued = -13 * 3600;
            token.lifetime = 24 * 3600;
        };
        assert!(told(aws, &old).is_ok());
        assert_eq!(told(alibaba, &old), Err(Refusal::Expired));
        assert_eq!(redeem(&World::default(), "opaque", aws).err(), Some(Refusal::NotAToken));
    }
}
