//! An OpenID issuer, `id.acme.example`: code with PKCE, device flow, client credentials, refresh tokens. Its clients are
//! `acme-cli` (no secret), `acme-machine` and `acme-machine-post` (a secret, in a header and in the form), and `acme-signer` (a key).
//!
//! 1. `GET /.well-known/openid-configuration` and `/jwks`.
//! 2. `GET /authorize` gives a page with two links, `/decide?…`: alice signs in, or says no. Both lead back to the client.
//! 3. `POST /device` begins a device flow; `GET /activate?user_code=…` gives the same two links.
//! 4. `POST /token` redeems codes, device codes, refresh tokens and proofs of clients.

use std::collections::HashMap;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::web_identity::{ACME, Token, client_key, verified};
use crate::wire::{Breach, Fields, Reply, Request, breach, escape};
use crate::world::{World, capitals, later, word};

pub(crate) const HOST: &str = "id.acme.example";
const PERSON: &str = "alice@example.com";
/// The clients with a secret, and whether it belongs into the form.
const SECRETS: &[(&str, bool)] = &[("acme-machine", false), ("acme-machine-post", true)];
/// A secret with every character that may be written wrongly.
pub(crate) const SECRET: &str = "s:e+c/r et=%";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How long codes live, in seconds.
const CODE: i64 = 60;
const DEVICE_CODE: i64 = 600;

/// What the issuer remembers.
#[derive(Debug)]
pub(crate) struct State {
    /// Questions that wait for a person, by an ID.
    pending: HashMap<String, Pending>,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Device>,
    refresh: HashMap<String, String>,
    /// Proofs of clients that were used.
    proofs: Vec<String>,
    /// What devices are told as their pause, in seconds.
    pub(crate) interval: u64,
    /// Proves the signatures of `acme-signer`, and its key in PEM.
    pub(crate) signer: Option<(String, Vec<u8>)>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            pending: HashMap::new(),
            codes: HashMap::new(),
            devices: HashMap::new(),
            refresh: HashMap::new(),
            proofs: Vec::new(),
            interval: 1,
            signer: client_key(),
        }
    }
}

#[derive(Debug, Clone)]
struct Pending {
    redirect: String,
    state: String,
    nonce: Option<String>,
    challenge: String,
    scope: String,
}

#[derive(Debug, Clone)]
struct Code {
    asked: Pending,
    ends: Timestamp,
}

#[derive(Debug, Clone)]
struct Device {
    user_code: String,
    scope: String,
    ends: Timestamp,
    decided: Option<bool>,
    last: Option<Instant>,
    interval: u64,
}

/// Answers for `id.acme.example`.
pub(crate) fn answer(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.without(&["cookie"])?;
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/.well-known/openid-configuration") => Ok(Reply::json(200, &description())),
        ("GET", "/jwks") => Ok(Reply::json(200, &world.jwks())),
        ("GET", "/authorize") => authorize(world, request),
        ("GET", "/decide") => decide(world, request),
        ("GET", "/activate") => activate(world, request),
        ("POST", "/device") => device(world, request),
        ("POST", "/token") => token(world, request),
        (method, path) => breach(format!("no {method} {path}")),
    }
}

fn description() -> Value {
    json!({
        "issuer": ACME,
        "authorization_endpoint": format!("{ACME}/authorize"),
        "token_endpoint": format!("{ACME}/token"),
        "device_authorization_endpoint": format!("{ACME}/device"),
        "jwks_uri": format!("{ACME}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT],
    })
}

fn authorize(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let query = request.query_fields();
    query.exactly(
        &["response_type", "client_id", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method", "scope"],
        &["audience", "resource"],
    )?;
    if query.get("response_type") != "code" || query.get("code_challenge_method") != "S256" {
        return breach("the flow is not code with S256");
    }
    let redirect = query.get("redirect_uri");
    let loopback = ["http://127.0.0.1:", "http://localhost:"].iter().any(|start| redirect.starts_with(start));
    if query.get("client_id") != "acme-cli" || !loopback || !redirect.ends_with("/callback") {
        return breach("the client or where it comes back to is not registered");
    }
    if query.get("state").len() < 16 || query.get("nonce").len() < 16 || query.get("code_challenge").len() != 43 {
        return breach("state, nonce or challenge can be guessed");
    }
    if !query.get("scope").split(' ').any(|scope| scope == "openid") {
        return breach("the scope has no `openid`");
    }
    let pending = Pending {
        redirect: redirect.to_owned(),
        state: query.get("state").to_owned(),
        nonce: Some(query.get("nonce").to_owned()),
        challenge: query.get("code_challenge").to_owned(),
        scope: query.get("scope").to_owned(),
    };
    let id = word::<12>();
    world.issuer.pending.insert(id.clone(), pending);
    Ok(links(&id))
}

/// The page on which a person decides.
fn links(id: &str) -> Reply {
    let link = |answer: &str, text: &str| format!("<p><a href=\"/decide?id={}&amp;answer={answer}\">{text}</a></p>", escape(id));
    let body = link("yes", "Sign in as alice") + &link("no", "Say no");
    Reply::html(200, format!("<!DOCTYPE html><html><head><title>Acme</title></head><body>{body}</body></html>"))
}

fn decide(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let query = request.query_fields();
    query.exactly(&["id", "answer"], &[])?;
    let (id, yes) = (query.get("id"), query.get("answer") == "yes");
    if let Some(device) = world.issuer.devices.values_mut().find(|device| device.user_code == id) {
        device.decided = Some(yes);
        return Ok(Reply::html(200, "<!DOCTYPE html><html><body><p>You may close this page.</p></body></html>"));
    }
    let Some(pending) = world.issuer.pending.remove(id) else { return breach("nothing waits for that answer") };
    let mut url = url::Url::parse(&pending.redirect).map_err(|error| Breach(error.to_string()))?;
    let state = pending.state.clone();
    if yes {
        let code = word::<24>();
        world.secret(&code);
        let ends = later(world.idp_now(), CODE);
        url.query_pairs_mut().append_pair("code", &code);
        world.issuer.codes.insert(code, Code { asked: pending, ends });
    } else {
        url.query_pairs_mut().append_pair("error", "access_denied").append_pair("error_description", "alice said no");
    }
    url.query_pairs_mut().append_pair("state", &state).append_pair("iss", ACME);
    Ok(Reply::redirect(url.as_str()))
}

fn activate(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let query = request.query_fields();
    let code = query.get("user_code");
    match world.issuer.devices.values().any(|device| device.user_code == code) {
        true => Ok(links(code)),
        false => Ok(Reply::html(404, "<!DOCTYPE html><html><body><p>The code is not right.</p></body></html>")),
    }
}

fn device(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    let fields = request.form()?;
    fields.exactly(&["client_id", "scope"], &["audience", "resource"])?;
    if fields.get("client_id") != "acme-cli" {
        return Ok(error(401, "invalid_client", "no such client"));
    }
    let code = word::<24>();
    world.secret(&code);
    let letters = capitals::<8>();
    let user_code = format!("{}-{}", &letters[..4], &letters[4..]);
    let interval = world.issuer.interval;
    let ends = later(world.idp_now(), DEVICE_CODE);
    let device =
        Device { user_code: user_code.clone(), scope: fields.get("scope").to_owned(), ends, decided: None, last: None, interval };
    world.issuer.devices.insert(code.clone(), device);
    Ok(Reply::json(
        200,
        &json!({
            "device_code": code,
            "user_code": user_code,
            "verification_uri": format!("{ACME}/activate"),
            "verification_uri_complete": format!("{ACME}/activate?user_code={user_code}"),
            "expires_in": DEVICE_CODE,
            "interval": interval,
        }),
    ))
}

fn error(status: u16, code: &str, text: &str) -> Reply {
    Reply::json(status, &json!({ "error": code, "error_description": text }))
}

/// The client that a request proves to be; nothing if it does not.
fn client(world: &mut World, request: &Request, fields: &Fields) -> Result<Option<String>, Breach> {
    let by_header = request.header("authorization").map(|value| value.strip_prefix("Basic ").unwrap_or_default());
    if let Some(pair) = by_header {
        let pair = STANDARD.decode(pair).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let Some((id, secret)) = pair.split_once(':') else { return breach("the Authorization header is malformed") };
        let plain = |text: &str| url::form_urlencoded::parse(format!("x={text}").as_bytes()).next().map(|(_, v)| v.into_owned());
        let (id, secret) = (plain(id).unwrap_or_default(), plain(secret).unwrap_or_default());
        return Ok((SECRETS.contains(&(id.as_str(), false)) && secret == SECRET).then_some(id));
    }
    let id = fields.get("client_id");
    if let Some(assertion) = fields.find("client_assertion") {
        if fields.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
            return breach("the type of the client's assertion is not the standard's");
        }
        let public = world.issuer.signer.as_ref().map(|(_, public)| public.clone()).unwrap_or_default();
        let Some(claims) = verified(assertion, &public) else { return Ok(None) };
        let now = world.idp_now().as_second();
        let (issued, ends) = (claims["iat"].as_i64().unwrap_or_default(), claims["exp"].as_i64().unwrap_or_default());
        let jti = claims["jti"].as_str().unwrap_or_default().to_owned();
        let good = claims["iss"] == id
            && claims["sub"] == id
            && id == "acme-signer"
            && claims["aud"] == format!("{ACME}/token")
            && issued <= now
            && now < ends
            && ends - issued <= 300
            && !jti.is_empty()
            && !world.issuer.proofs.contains(&jti);
        world.issuer.proofs.push(jti);
        return Ok(good.then(|| id.to_owned()));
    }
    if fields.find("client_secret").is_some() {
        return Ok((SECRETS.contains(&(id, true)) && fields.get("client_secret") == SECRET).then(|| id.to_owned()));
    }
    Ok((id == "acme-cli").then(|| id.to_owned()))
}

fn token(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    let fields = request.form()?;
    world.secret(SECRET);
    let Some(client) = client(world, request, &fields)? else {
        return Ok(error(401, "invalid_client", "client authentication failed"));
    };
    let proof = ["client_id", "client_secret", "client_assertion", "client_assertion_type"];
    let with = |more: &[&'static str]| [&proof[..], more].concat();
    match fields.get("grant_type") {
        "authorization_code" => {
            fields.exactly(&["grant_type", "code", "redirect_uri", "code_verifier", "client_id"], &[])?;
            // Good once, whatever comes of it.
            let Some(code) = world.issuer.codes.remove(fields.get("code")) else {
                return Ok(error(400, "invalid_grant", "the code is not known"));
            };
            let verifier = fields.get("code_verifier");
            let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            if world.idp_now() >= code.ends {
                return Ok(error(400, "invalid_grant", "the code has expired"));
            }
            if !(43..=128).contains(&verifier.len())
                || challenge != code.asked.challenge
                || fields.get("redirect_uri") != code.asked.redirect
            {
                return breach("verifier or address is not that of the code");
            }
            Ok(granted(world, &client, &code.asked.scope, code.asked.nonce.clone()))
        }
        DEVICE_GRANT => {
            fields.exactly(&["grant_type", "device_code", "client_id"], &[])?;
            let now = world.idp_now();
            let Some(device) = world.issuer.devices.get_mut(fields.get("device_code")) else {
                return Ok(error(400, "invalid_grant", "the device code is not known"));
            };
            let too_soon = device.last.is_some_and(|last| last.elapsed().as_millis() < u128::from(device.interval) * 900);
            device.last = Some(Instant::now());
            if now >= device.ends {
                return Ok(error(400, "expired_token", "the device code has expired"));
            }
            if too_soon {
                device.interval += 5;
                return Ok(error(400, "slow_down", ""));
            }
            let (decided, scope) = (device.decided, device.scope.clone());
            match decided {
                None => Ok(error(400, "authorization_pending", "")),
                Some(false) => Ok(error(400, "access_denied", "alice said no")),
                Some(true) => {
                    world.issuer.devices.remove(fields.get("device_code"));
                    Ok(granted(world, &client, &scope, None))
                }
            }
        }
        "refresh_token" => {
            fields.exactly(&["grant_type", "refresh_token", "client_id"], &["scope"])?;
            match world.issuer.refresh.remove(fields.get("refresh_token")) {
                Some(scope) => Ok(granted(world, &client, &scope, None)),
                None => Ok(error(400, "invalid_grant", "the refresh token is not known, or was used")),
            }
        }
        "client_credentials" => {
            fields.exactly(&["grant_type"], &with(&["scope", "audience", "resource"]))?;
            if client == "acme-cli" {
                return Ok(error(400, "unauthorized_client", "this client has no such grant"));
            }
            // Without an audience the token is for the issuer itself, and opaque.
            let access = match fields.find("audience").or_else(|| fields.find("resource")) {
                Some(audience) => {
                    let mut token = Token::new(ACME, audience, &client);
                    token.typ = "at+jwt".to_owned();
                    world.mint(&token)
                }
                None => word::<24>(),
            };
            world.secret(&access);
            Ok(Reply::json(200, &json!({ "access_token": access, "token_type": "Bearer", "expires_in": 300 })))
        }
        _ => Ok(error(400, "unsupported_grant_type", "")),
    }
}

/// Tokens for alice.
fn granted(world: &mut World, client: &str, scope: &str, nonce: Option<String>) -> Reply {
    let mut token = Token::new(ACME, client, PERSON);
    token.nonce = nonce;
    let id = world.mint(&token);
    let access = word::<24>();
    world.secret(&access);
    let mut body = json!({ "id_token": id, "access_token": access, "token_type": "Bearer", "expires_in": 300 });
    if scope.split(' ').any(|scope| scope == "offline_access") {
        let refresh = word::<24>();
        world.secret(&refresh);
        world.issuer.refresh.insert(refresh.clone(), scope.to_owned());
        body["refresh_token"] = json!(refresh);
    }
    Reply::json(200, &body)
}
