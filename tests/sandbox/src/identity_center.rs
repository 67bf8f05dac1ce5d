//! IAM Identity Center's sign-in service, `oidc.<region>.amazonaws.com`, and the pages that a person sees, `acme.awsapps.com`.
//!
//! 1. `POST /client/register` makes a program known, for one way to sign in.
//! 2. `GET /authorize` leads a browser to the approval page, which leads it back to the program with a code.
//! 3. `POST /device_authorization` gives a code that a person types on the approval page.
//! 4. `POST /token` gives tokens for either code, or for a refresh token, which is another one each time.
//!
//! The portal of `acme` lives in us-east-1, a second one, `acme.portal.eu-west-1.app.aws`, in eu-west-1. What has no known answer is a
//! breach. <https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/Welcome.html>

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::wire::{Breach, Fields, Reply, Request, breach, escape};
use crate::world::{World, capitals, later, word};

/// The portal of the older kind, whose host does not tell the region.
pub(crate) const HOST: &str = "acme.awsapps.com";
/// The portal of the newer kind.
pub(crate) const DUAL_HOST: &str = "acme.portal.eu-west-1.app.aws";
/// A company's own address, which leads to the portal.
pub(crate) const VANITY_HOST: &str = "sso.acme.example";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SCOPE: &str = "sso:account:access";

/// How the portal behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portal {
    /// How long an access token lives, in seconds.
    pub access_seconds: i64,
    /// How long the code of a browser lives, in seconds.
    pub code_seconds: i64,
    /// How long a code for a device lives, in seconds.
    pub device_seconds: i64,
    /// The pause that polls must leave, in seconds.
    pub interval: u64,
    /// How many polls are too fast whatever their pause.
    pub slow_downs: u32,
    /// Accounts or roles a page.
    pub page: usize,
    /// Whether a refresh gives another refresh token.
    pub rotates: bool,
    /// Where the approval page of a device is said to be; the portal's own page if none.
    pub device_page: Option<String>,
}

impl Default for Portal {
    fn default() -> Self {
        Self {
            access_seconds: 3600,
            code_seconds: 60,
            device_seconds: 600,
            interval: 1,
            slow_downs: 0,
            page: 2,
            rotates: true,
            device_page: None,
        }
    }
}

/// What Identity Center remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) settings: Portal,
    clients: HashMap<String, Client>,
    /// Requests of browsers that wait for approval.
    asked: HashMap<String, Asked>,
    codes: HashMap<String, (Asked, String, Timestamp)>,
    devices: HashMap<String, Device>,
    /// Access tokens: for whom, and until when.
    pub(crate) access: HashMap<String, (String, Timestamp)>,
    refreshes: HashMap<String, (String, String)>,
}

impl State {
    /// Ends every access token, as a change of the clock would; what renews them stays.
    pub(crate) fn end_access(&mut self) {
        self.access.clear();
    }

    /// Ends every session.
    pub(crate) fn end_sessions(&mut self) {
        self.access.clear();
        self.refreshes.clear();
    }

    /// Forgets every program.
    pub(crate) fn forget_clients(&mut self) {
        self.clients.clear();
    }
}

#[derive(Debug, Clone)]
struct Client {
    secret: String,
    grants: Vec<String>,
    refreshable: bool,
    region: String,
}

#[derive(Debug, Clone)]
struct Asked {
    client: String,
    redirect: String,
    state: String,
    challenge: String,
}

#[derive(Debug, Clone)]
struct Device {
    user_code: String,
    client: String,
    ends: Timestamp,
    last: Option<Instant>,
    /// Who approved, or nothing after a no.
    answer: Option<Option<String>>,
}

fn region_of(host: &str) -> (&str, bool) {
    let rest = host.strip_prefix("oidc.").unwrap_or_default();
    match rest.strip_suffix(".api.aws") {
        Some(region) => (region, true),
        None => (rest.strip_suffix(".amazonaws.com").unwrap_or_default(), false),
    }
}

/// Whether a portal lives there: region, and which family of hosts knows it.
fn lives_there(start: &str, region: &str, dual: bool) -> bool {
    let host = start.strip_prefix("https://").unwrap_or_default().split('/').next().unwrap_or_default();
    (host, region, dual) == (HOST, "us-east-1", false) || (host, region, dual) == (DUAL_HOST, "eu-west-1", true)
}

fn error(status: u16, kind: &str, code: &str, text: &str) -> Reply {
    Reply::json(status, &json!({"error": code, "error_description": text})).with("x-amzn-ErrorType", kind)
}

/// Answers for `oidc.<region>.amazonaws.com` and `oidc.<region>.api.aws`.
pub(crate) fn oidc(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.without(&["authorization", "cookie", "x-amz-sso_bearer_token"])?;
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/client/register") => register(world, request),
        ("POST", "/device_authorization") => device_authorization(world, request),
        ("POST", "/token") => token(world, request),
        ("GET", "/authorize") => authorize(world, request),
        (method, path) => breach(format!("no page for {method} {path}")),
    }
}

/// The body of a call, with these members, of which those with a `?` may lack.
fn body(request: &Request, members: &[&str]) -> Result<Map<String, Value>, Breach> {
    request.no_query()?;
    let body = request.json()?;
    let known = |name: &str| members.iter().any(|member| member.trim_end_matches('?') == name);
    if let Some(name) = body.keys().find(|name| !known(name)) {
        return breach(format!("member `{name}` does not belong here"));
    }
    match members.iter().find(|member| !member.ends_with('?') && !body.contains_key(**member)) {
        Some(name) => breach(format!("member `{name}` is missing")),
        None => Ok(body),
    }
}

fn text<'b>(body: &'b Map<String, Value>, name: &str) -> &'b str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn texts(body: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn register(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let body = body(request, &["clientName", "clientType", "scopes?", "grantTypes?", "redirectUris?", "issuerUrl?"])?;
    let (region, dual) = region_of(&request.host);
    let name = text(&body, "clientName");
    if name.is_empty()
        || name.len() > 128
        || !name.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        || text(&body, "clientType") != "public"
    {
        return Ok(error(400, "InvalidClientMetadataException", "invalid_client_metadata", "Invalid client metadata"));
    }
    let (grants, scopes, redirects) = (texts(&body, "grantTypes"), texts(&body, "scopes"), texts(&body, "redirectUris"));
    let has = |grant: &str| grants.iter().any(|g| g == grant);
    if has("authorization_code") && has(DEVICE) {
        return Ok(error(500, "InternalServerException", "server_error", "Internal error"));
    }
    if scopes.iter().any(|scope| scope != SCOPE) {
        return Ok(error(400, "InvalidScopeException", "invalid_scope", "Invalid scope"));
    }
    if has("authorization_code") {
        if redirects != ["http://127.0.0.1/oauth/callback"] {
            return Ok(error(400, "InvalidRedirectUriException", "invalid_redirect_uri", "Invalid redirect URI"));
        }
        if !lives_there(text(&body, "issuerUrl"), region, dual) {
            return Ok(error(400, "InvalidRequestException", "invalid_request", "Invalid issuerUrl"));
        }
    }
    let (id, secret) = (word::<16>(), word::<60>());
    world.secret(&secret);
    // A program that names no way has the one of devices, and no refresh without the scope.
    let refreshable = scopes.iter().any(|scope| scope == SCOPE);
    let grants = if grants.is_empty() { vec![DEVICE.to_owned(), "refresh_token".to_owned()] } else { grants };
    world.identity.clients.insert(id.clone(), Client { secret: secret.clone(), grants, refreshable, region: region.to_owned() });
    let now = world.cloud_now().as_second();
    Ok(Reply::json(
        200,
        &json!({"clientId": id, "clientSecret": secret, "clientIdIssuedAt": now, "clientSecretExpiresAt": now + 90 * 86400}),
    ))
}

/// The program of a call, or the refusal.
fn client(world: &World, request: &Request, body: &Map<String, Value>) -> Result<Client, Reply> {
    let known = world.identity.clients.get(text(body, "clientId"));
    match known.filter(|client| client.secret == text(body, "clientSecret") && client.region == region_of(&request.host).0) {
        Some(client) => Ok(client.clone()),
        None => Err(error(401, "InvalidClientException", "invalid_client", "Invalid client provided")),
    }
}

fn device_authorization(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let body = body(request, &["clientId", "clientSecret", "startUrl"])?;
    let (region, dual) = region_of(&request.host);
    let client = match client(world, request, &body) {
        Ok(client) => client,
        Err(refusal) => return Ok(refusal),
    };
    if !client.grants.iter().any(|grant| grant == DEVICE) {
        return Ok(error(400, "UnauthorizedClientException", "unauthorized_client", "The client is not for this"));
    }
    let start = text(&body, "startUrl").trim_end_matches('/').to_owned();
    if !lives_there(&start, region, dual) {
        return Ok(error(400, "InvalidRequestException", "invalid_request", "Invalid startUrl"));
    }
    let letters = capitals::<8>();
    let (code, user_code) = (word::<40>(), format!("{}-{}", &letters[..4], &letters[4..]));
    world.secret(&code);
    let settings = world.identity.settings.clone();
    let ends = later(world.cloud_now(), settings.device_seconds);
    let device =
        Device { user_code: user_code.clone(), client: text(&body, "clientId").to_owned(), ends, last: None, answer: None };
    world.identity.devices.insert(code.clone(), device);
    let page = settings.device_page.unwrap_or_else(|| format!("https://{HOST}/start/device"));
    Ok(Reply::json(
        200,
        &json!({
            "deviceCode": code, "userCode": user_code, "verificationUri": page,
            "verificationUriComplete": format!("{page}?user_code={user_code}"),
            "expiresIn": settings.device_seconds, "interval": settings.interval,
        }),
    ))
}

fn authorize(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let query = request.query_fields();
    let needed = ["response_type", "client_id", "redirect_uri", "state", "code_challenge_method", "scopes", "code_challenge"];
    query.exactly(&needed, &[])?;
    let wrong = || Ok(Reply::html(400, "<!DOCTYPE html><title>Error</title><h1>invalid_grant</h1><p>Invalid grant provided</p>"));
    let known = world.identity.clients.get(query.get("client_id")).cloned();
    let Some(client) = known.filter(|client| client.region == region_of(&request.host).0) else { return wrong() };
    let redirect = query.get("redirect_uri");
    let port = redirect.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/oauth/callback"));
    if port.is_none_or(|port| port.parse::<u16>().is_err()) {
        return breach("the redirect URI is not the registered one with a port");
    }
    if query.get("response_type") != "code" || query.get("code_challenge_method") != "S256" || query.get("scopes") != SCOPE {
        return breach("the request is not for a code with S256 and the scope");
    }
    if query.get("code_challenge").len() != 43 || query.get("state").len() < 22 {
        return breach("the challenge is no digest, or the state is too short to be secret");
    }
    if !client.grants.iter().any(|grant| grant == "authorization_code") {
        return wrong();
    }
    let asked = Asked {
        client: query.get("client_id").to_owned(),
        redirect: redirect.to_owned(),
        state: query.get("state").to_owned(),
        challenge: query.get("code_challenge").to_owned(),
    };
    let ticket = word::<20>();
    world.identity.asked.insert(ticket.clone(), asked);
    Ok(Reply::redirect(&format!("https://{HOST}/start/authorize?ticket={ticket}")))
}

/// Answers for the portal's own hosts: the start page, and the two approval pages.
pub(crate) fn pages(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/start" | "/start/" | "/") => {
            let region = if request.host == HOST { "us-east-1" } else { "eu-west-1" };
            let head =
                format!("<meta charset=\"utf-8\"><meta name=\"region\" content=\"{region}\"/><title>AWS access portal</title>");
            Ok(Reply::html(200, format!("<!DOCTYPE html><html><head>{head}</head><body><div id=\"root\"></div></body></html>")))
        }
        ("GET", path @ ("/start/device" | "/start/authorize")) => {
            let hidden: String = request
                .query
                .iter()
                .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value)))
                .collect();
            Ok(Reply::html(
                200,
                format!("<!DOCTYPE html><title>Authorize request</title><form method=\"post\" action=\"{path}\">{hidden}</form>"),
            ))
        }
        ("POST", path @ ("/start/device" | "/start/authorize")) => {
            let form = request.form()?;
            let person = world.directory.person(form.get("login")).filter(|person| person.password == form.get("password"));
            let email = person.map(|person| person.email.clone());
            let allowed = form.get("answer") == "allow";
            if allowed && email.is_none() {
                return Ok(Reply::html(400, "<!DOCTYPE html><title>Error</title><p>User or password is not right.</p>"));
            }
            approve(world, path, &form, email.filter(|_| allowed))
        }
        (method, path) => breach(format!("no page for {method} {path}")),
    }
}

/// Answers for a company's own address.
pub(crate) fn vanity(_: &mut World, request: &Request) -> Result<Reply, Breach> {
    match request.path.as_str() {
        "/aws" => Ok(Reply::redirect(&format!("https://{HOST}/start"))),
        _ => Ok(Reply::html(200, "<!DOCTYPE html><title>Acme</title><p>Welcome to the intranet.</p>")),
    }
}

fn approve(world: &mut World, path: &str, form: &Fields, email: Option<String>) -> Result<Reply, Breach> {
    if path == "/start/device" {
        let now = world.cloud_now();
        let typed = form.get("user_code").to_uppercase();
        let waiting = world.identity.devices.values_mut().find(|device| device.user_code == typed && device.ends > now);
        let Some(device) = waiting.filter(|device| device.answer.is_none()) else {
            return Ok(Reply::html(400, "<!DOCTYPE html><title>Error</title><p>The code is not right or has expired.</p>"));
        };
        device.answer = Some(email);
        return Ok(Reply::html(200, "<!DOCTYPE html><title>Done</title><p>You may close this page.</p>"));
    }
    let Some(asked) = world.identity.asked.remove(form.get("ticket")) else { return breach("no such ticket") };
    let back = |pairs: &[(&str, &str)]| {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Reply::redirect(&format!("{}?{query}", asked.redirect))
    };
    let Some(email) = email else {
        return Ok(back(&[("error", "access_denied"), ("error_description", "The user said no"), ("state", &asked.state)]));
    };
    let code = word::<30>();
    world.secret(&code);
    let ends = later(world.cloud_now(), world.identity.settings.code_seconds);
    world.identity.codes.insert(code.clone(), (asked.clone(), email, ends));
    Ok(back(&[("code", &code), ("state", &asked.state)]))
}

fn token(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let grant = text(&request.json()?, "grantType").to_owned();
    let own: &[&str] = match grant.as_str() {
        "authorization_code" => &["clientId", "clientSecret", "grantType", "code", "redirectUri", "codeVerifier"],
        DEVICE => &["clientId", "clientSecret", "grantType", "deviceCode"],
        "refresh_token" => &["clientId", "clientSecret", "grantType", "refreshToken"],
        other => return breach(format!("no grant `{other}`")),
    };
    let body = body(request, own)?;
    let client = match client(world, request, &body) {
        Ok(client) => client,
        Err(refusal) => return Ok(refusal),
    };
    let invalid = |text: &str| Ok(error(400, "InvalidGrantException", "invalid_grant", text));
    let id = text(&body, "clientId").to_owned();
    let email = match grant.as_str() {
        "authorization_code" => {
            world.secret(text(&body, "codeVerifier"));
            // A code is good once, whatever comes of it.
            let now = world.cloud_now();
            let Some((asked, email, ends)) = world.identity.codes.remove(text(&body, "code")) else {
                return invalid("Invalid code");
            };
            if ends <= now {
                return invalid("The code has expired");
            }
            let digest = ring::digest::digest(&ring::digest::SHA256, text(&body, "codeVerifier").as_bytes());
            if URL_SAFE_NO_PAD.encode(digest) != asked.challenge
                || asked.redirect != text(&body, "redirectUri")
                || asked.client != id
            {
                return breach("the code is not for this verifier, redirect URI or client");
            }
            email
        }
        DEVICE => match poll(world, &id, text(&body, "deviceCode")) {
            Ok(email) => email,
            Err(reply) => return Ok(reply),
        },
        _ => match world.identity.refreshes.get(text(&body, "refreshToken")).cloned() {
            Some((email, owner)) if owner == id => {
                if world.identity.settings.rotates {
                    world.identity.refreshes.remove(text(&body, "refreshToken"));
                }
                email
            }
            _ => return invalid("Invalid refresh token"),
        },
    };
    Ok(granted(world, &client, &id, &grant, email))
}

fn poll(world: &mut World, client: &str, code: &str) -> Result<String, Reply> {
    let now = world.cloud_now();
    let settings = &mut world.identity.settings;
    let Some(device) = world.identity.devices.get_mut(code).filter(|device| device.client == client) else {
        return Err(error(400, "InvalidGrantException", "invalid_grant", "Invalid device code"));
    };
    if device.ends <= now {
        return Err(error(400, "ExpiredTokenException", "expired_token", "The device code has expired"));
    }
    let early = device.last.is_some_and(|last| last.elapsed() < Duration::from_millis(settings.interval * 800));
    device.last = Some(Instant::now());
    if settings.slow_downs > 0 || (early && device.answer.is_none()) {
        settings.slow_downs = settings.slow_downs.saturating_sub(1);
        return Err(error(400, "SlowDownException", "slow_down", "Polled faster than the interval"));
    }
    match device.answer.clone() {
        None => Err(error(400, "AuthorizationPendingException", "authorization_pending", "The user has not answered yet")),
        Some(None) => Err(error(400, "AccessDeniedException", "access_denied", "The user said no")),
        Some(Some(email)) => {
            world.identity.devices.remove(code);
            Ok(email)
        }
    }
}

fn granted(world: &mut World, client: &Client, id: &str, grant: &str, email: String) -> Reply {
    let access = format!("aoa{}", word::<120>());
    world.secret(&access);
    let settings = world.identity.settings.clone();
    let ends = later(world.cloud_now(), settings.access_seconds);
    world.identity.access.insert(access.clone(), (email.clone(), ends));
    let mut reply = json!({"accessToken": access, "tokenType": "Bearer", "expiresIn": settings.access_seconds});
    // A refresh that does not rotate says nothing of the refresh token.
    if client.refreshable && (grant != "refresh_token" || settings.rotates) {
        let refresh = format!("aor{}", word::<60>());
        world.secret(&refresh);
        world.identity.refreshes.insert(refresh.clone(), (email, id.to_owned()));
        reply["refreshToken"] = json!(refresh);
    }
    Reply::json(200, &reply)
}
