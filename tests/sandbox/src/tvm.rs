//! A token vending machine, `cam.acme.example`, as the command line sees it: the page that allows a command line, the device flow, the
//! roles of a person, and their keys. It stands in where the real server would be hard to make fail: tokens that end, limits, answers of
//! something else. What the real one does is tried with the real one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::people::{Grant, Person};
use crate::wire::{Breach, Reply, Request, breach, escape};
use crate::world::{Key, World, capitals, hex, later, noise, random, uuid, word};

/// The host.
pub(crate) const HOST: &str = "cam.acme.example";
const CLIENT: &str = "saml2cloud";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// How the machine behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tvm {
    /// How long an access token lives, in seconds.
    pub access_seconds: i64,
    /// How long a code for another device lives, in seconds.
    pub device_seconds: i64,
    /// The pause that polls must leave, in seconds.
    pub interval: u64,
    /// Roles a page, at most.
    pub page: usize,
    /// Whether keys are for those alone who have just proved anew who they are.
    pub wants_proof: bool,
    /// What is refused next, that many times: path's beginning, status, word, sentence and `Retry-After`.
    pub refusals: Vec<Refusal>,
    /// What it calls itself in answers to a browser; its address if none.
    pub issuer: Option<String>,
}

/// A refusal that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the path starts with.
    pub path: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The word for programs.
    pub code: &'static str,
    /// The sentence.
    pub detail: &'static str,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
}

impl Default for Tvm {
    fn default() -> Self {
        Self {
            access_seconds: 43_200,
            device_seconds: 600,
            interval: 1,
            page: 2,
            wants_proof: false,
            refusals: Vec::new(),
            issuer: None,
        }
    }
}

/// What it remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) settings: Tvm,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Device>,
    access: HashMap<String, Access>,
}

impl State {
    /// Ends every access token.
    pub(crate) fn end_access(&mut self) {
        self.access.clear();
    }

    /// How many access tokens are good.
    pub(crate) fn signed_in(&self) -> usize {
        self.access.len()
    }
}

#[derive(Debug, Clone)]
struct Access {
    email: String,
    ends: Timestamp,
    is_proof: bool,
}

#[derive(Debug)]
struct Code {
    email: String,
    redirect: String,
    challenge: String,
    is_proof: bool,
}

#[derive(Debug, Clone)]
struct Device {
    user_code: String,
    challenge: String,
    ends: Timestamp,
    last: Option<Instant>,
    is_proof: bool,
    /// Who approved, or nothing after a no.
    answer: Option<Option<String>>,
}

fn problem(status: u16, code: &str, detail: &str) -> Reply {
    let body = json!({
        "type": "about:blank", "title": code.replace('_', " "), "status": status, "code": code, "detail": detail, "request_id": uuid(),
    });
    Reply::new(status, "application/problem+json", body.to_string())
}

fn oauth(status: u16, code: &str, text: &str) -> Reply {
    Reply::json(status, &json!({"error": code, "error_description": text}))
}

/// Answers for the machine.
pub(crate) fn answer(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.without(&["cookie"])?;
    let due = |refusal: &Refusal| request.path.starts_with(refusal.path);
    if let Some(at) = world.tvm.settings.refusals.iter().position(due) {
        let refusal = world.tvm.settings.refusals.remove(at);
        let reply = problem(refusal.status, refusal.code, refusal.detail);
        return Ok(match refusal.retry_after {
            Some(seconds) => reply.with("retry-after", &seconds.to_string()),
            None => reply,
        });
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "POST", "/cli/authorize") => authorize(world, request),
        ("POST", "/api/v1/cli/token") => token(world, request),
        ("POST", "/api/v1/cli/device") => device(world, request),
        ("POST", "/api/v1/cli/device/token") => device_token(world, request),
        ("GET" | "POST", "/device") => page(world, request),
        ("POST", "/api/v1/cli/revoke") => revoke(world, request),
        ("GET", "/api/v1/me/roles") => with_token(world, request, roles),
        ("POST", path) if path.starts_with("/api/v1/me/roles/") => with_token(world, request, credentials),
        (method, path) => breach(format!("no page for {method} {path}")),
    }
}

/// Whose user and password these are.
fn person<'w>(world: &'w World, login: &str, password: &str) -> Option<&'w Person> {
    world.directory.person(login).filter(|person| person.password == password)
}

fn authorize(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let fields = match request.method.as_str() {
        "GET" => request.query_fields(),
        _ => request.form()?,
    };
    let all = ["response_type", "client_id", "redirect_uri", "code_challenge", "code_challenge_method", "state"];
    let (redirect, state) = (fields.get("redirect_uri").to_owned(), fields.get("state").to_owned());
    if request.method == "GET" {
        fields.exactly(&all, &["prompt"])?;
        let target = url::Url::parse(&redirect).ok();
        if !target.is_some_and(|url| url.scheme() == "http" && url.host_str() == Some("127.0.0.1") && url.port().is_some()) {
            return breach("the browser would be led to another machine");
        }
        let is_challenge = fields.get("code_challenge").len() == 43 && fields.get("code_challenge_method") == "S256";
        if fields.get("response_type") != "code" || fields.get("client_id") != CLIENT || !is_challenge || state.len() < 22 {
            return breach("the question is not that of a command line");
        }
        if fields.find("prompt").is_some_and(|prompt| prompt != "login") {
            return breach("an unknown `prompt`");
        }
        return Ok(Reply::html(200, "<!DOCTYPE html><title>A command line asks</title><form method=\"post\"></form>"));
    }
    let issuer = world.tvm.settings.issuer.clone().unwrap_or_else(|| format!("https://{HOST}/"));
    let mut back = url::Url::parse(&redirect).map_err(|_| Breach("no address".to_owned()))?;
    let Some(email) = person(world, fields.get("login"), fields.get("password")).map(|person| person.email.clone()) else {
        return Ok(Reply::html(400, "<!DOCTYPE html><title>Error</title><p>User or password is not right.</p>"));
    };
    if fields.get("answer") != "allow" {
        back.query_pairs_mut().append_pair("error", "access_denied").append_pair("state", &state).append_pair("iss", &issuer);
        return Ok(Reply::redirect(back.as_str()));
    }
    let code = word::<40>();
    world.secret(&code);
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", &state).append_pair("iss", &issuer);
    let (challenge, is_proof) = (fields.get("code_challenge").to_owned(), fields.get("prompt") == "login");
    world.tvm.codes.insert(code, Code { email, redirect, challenge, is_proof });
    Ok(Reply::redirect(back.as_str()))
}

fn is_of(verifier: &str, challenge: &str) -> bool {
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    URL_SAFE_NO_PAD.encode(digest) == challenge && verifier.len() >= 43
}

fn grant(world: &mut World, email: String, is_proof: bool) -> Reply {
    let access = format!("s2c_{}", word::<43>());
    world.secret(&access);
    let seconds = world.tvm.settings.access_seconds;
    let ends = later(world.cloud_now(), seconds);
    world.tvm.access.insert(access.clone(), Access { email, ends, is_proof });
    Reply::json(200, &json!({"access_token": access, "token_type": "Bearer", "expires_in": seconds}))
}

fn token(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    request.without(&["authorization"])?;
    let form = request.form()?;
    form.exactly(&["grant_type", "code", "redirect_uri", "client_id", "code_verifier"], &[])?;
    if form.get("grant_type") != "authorization_code" || form.get("client_id") != CLIENT {
        return breach("the grant is not that of a command line");
    }
    world.secret(form.get("code_verifier"));
    let Some(code) = world.tvm.codes.remove(form.get("code")) else {
        return Ok(oauth(400, "invalid_grant", "the code is not known, or was used"));
    };
    if code.redirect != form.get("redirect_uri") || !is_of(form.get("code_verifier"), &code.challenge) {
        return breach("the code is of another sign-in");
    }
    Ok(grant(world, code.email, code.is_proof))
}

fn device(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    let form = request.form()?;
    form.exactly(&["client_id", "client_name", "code_challenge", "code_challenge_method"], &["prompt"])?;
    if form.get("client_id") != CLIENT || form.get("code_challenge").len() != 43 || form.get("code_challenge_method") != "S256" {
        return breach("the question is not that of a command line");
    }
    let letters = capitals::<8>();
    let (code, user_code) = (word::<40>(), format!("{}-{}", &letters[..4], &letters[4..]));
    world.secret(&code);
    let settings = world.tvm.settings.clone();
    let device = Device {
        user_code: user_code.clone(),
        challenge: form.get("code_challenge").to_owned(),
        ends: later(world.cloud_now(), settings.device_seconds),
        last: None,
        is_proof: form.get("prompt") == "login",
        answer: None,
    };
    world.tvm.devices.insert(code.clone(), device);
    let uri = format!("https://{HOST}/device");
    let (ends, interval) = (settings.device_seconds, settings.interval);
    Ok(Reply::json(
        200,
        &json!({
            "device_code": code, "user_code": user_code, "verification_uri": uri, "expires_in": ends, "interval": interval,
        }),
    ))
}

/// The page for people.
fn page(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if request.method == "GET" {
        let code = escape(request.query_fields().get("user_code"));
        return Ok(Reply::html(
            200,
            format!("<!DOCTYPE html><form method=\"post\"><input name=\"user_code\" value=\"{code}\"></form>"),
        ));
    }
    let form = request.form()?;
    let email = person(world, form.get("login"), form.get("password")).map(|person| person.email.clone());
    let (allowed, now) = (form.get("answer") == "allow", world.cloud_now());
    let typed = form.get("user_code").to_uppercase();
    let waiting = world.tvm.devices.values_mut().find(|device| device.user_code == typed && device.ends > now);
    match waiting.filter(|device| device.answer.is_none() && email.is_some()) {
        Some(device) => device.answer = Some(email.filter(|_| allowed)),
        None => return Ok(Reply::html(400, "<!DOCTYPE html><title>Error</title><p>That did not work.</p>")),
    }
    Ok(Reply::html(200, "<!DOCTYPE html><title>Done</title><p>You may close this page.</p>"))
}

fn device_token(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    let form = request.form()?;
    form.exactly(&["grant_type", "device_code", "client_id", "code_verifier"], &[])?;
    if form.get("grant_type") != DEVICE || form.get("client_id") != CLIENT {
        return breach("the grant is not that of the device flow");
    }
    world.secret(form.get("code_verifier"));
    let (now, interval) = (world.cloud_now(), world.tvm.settings.interval);
    let Some(device) = world.tvm.devices.get_mut(form.get("device_code")).filter(|device| device.ends > now) else {
        return Ok(oauth(400, "expired_token", "the code is over"));
    };
    if !is_of(form.get("code_verifier"), &device.challenge) {
        return breach("the code is not for this verifier");
    }
    let is_early = device.last.is_some_and(|last| last.elapsed() < Duration::from_millis(interval * 800));
    device.last = Some(Instant::now());
    if is_early {
        return breach("polled faster than the interval");
    }
    let is_proof = device.is_proof;
    match device.answer.clone() {
        None => Ok(oauth(400, "authorization_pending", "nobody has approved yet")),
        Some(None) => Ok(oauth(400, "access_denied", "the person said no")),
        Some(Some(email)) => {
            world.tvm.devices.remove(form.get("device_code"));
            Ok(grant(world, email, is_proof))
        }
    }
}

fn revoke(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    let form = request.form()?;
    form.exactly(&["token"], &[])?;
    world.tvm.access.remove(form.get("token"));
    Ok(Reply::json(200, &json!({})))
}

type Resource = fn(&mut World, &Request, &Person, bool) -> Result<Reply, Breach>;

fn with_token(world: &mut World, request: &Request, resource: Resource) -> Result<Reply, Breach> {
    let Some(token) = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) else {
        return breach("no access token");
    };
    let now = world.cloud_now();
    let known = world.tvm.access.get(token).filter(|access| access.ends > now).cloned();
    let person = known.as_ref().and_then(|access| world.directory.person(&access.email)).cloned();
    match (person, known) {
        (Some(person), Some(access)) => resource(world, request, &person, access.is_proof),
        _ => Ok(problem(401, "unauthenticated", "the token is not known here, or is over").with("www-authenticate", "Bearer")),
    }
}

/// A role's number, the same for the same role.
fn id_of(role: &str) -> String {
    hex(&ring::digest::digest(&ring::digest::SHA256, role.as_bytes()).as_ref()[..8])
}

fn partition(grant: &Grant) -> &str {
    match grant.role.split(':').nth(1).unwrap_or_default() {
        "ram" => "alibaba-intl",
        partition => partition,
    }
}

fn roles(world: &mut World, request: &Request, person: &Person, _: bool) -> Result<Reply, Breach> {
    let query = request.query_fields();
    query.exactly(&["cloud", "limit"], &["q", "cursor"])?;
    let limit = query.get("limit").parse().ok().filter(|limit| (1..=200).contains(limit));
    let (Some(limit), Ok(start)) = (limit, query.find("cursor").unwrap_or("0").parse::<usize>()) else {
        return breach("a page that was not offered");
    };
    let text = query.get("q").to_lowercase();
    let is_of_cloud = |grant: &&Grant| grant.role.starts_with("acs:") == (query.get("cloud") == "alibaba");
    let mine: Vec<Value> = person
        .grants
        .iter()
        .filter(is_of_cloud)
        .filter(|grant| grant.role_name().to_lowercase().contains(&text))
        .map(|grant| {
            json!({
                "id": id_of(&grant.role), "name": grant.role_name(), "arn": grant.role, "cloud": query.get("cloud"),
                "partition": partition(grant), "max_session_s": grant.max_session,
                "account": {
                    "node": "n-1", "uid": grant.account(),
                    "name": world.directory.alias_of(grant.account()).unwrap_or("Sandbox"),
                },
            })
        })
        .collect();
    let end = mine.len().min(start + world.tvm.settings.page.min(limit));
    let next = (end < mine.len()).then(|| end.to_string());
    Ok(Reply::json(200, &json!({"items": mine.get(start..end).unwrap_or_default(), "next": next})))
}

fn credentials(world: &mut World, request: &Request, person: &Person, is_proof: bool) -> Result<Reply, Breach> {
    request.no_query()?;
    let body = request.json()?;
    if let Some(name) = body.keys().find(|name| !["duration", "format", "policy", "reason"].contains(&name.as_str())) {
        return breach(format!("member `{name}` does not belong here"));
    }
    let id = request.path.trim_start_matches("/api/v1/me/roles/").strip_suffix("/credentials");
    let Some(grant) = person.grants.iter().find(|grant| Some(id_of(&grant.role).as_str()) == id) else {
        return Ok(problem(404, "not_found", "there is no such role among yours"));
    };
    if world.tvm.settings.wants_proof && !is_proof {
        return Ok(problem(401, "reauth_required", "this role wants a sign-in of the last five minutes"));
    }
    let wished = body.get("duration").map_or(Some(3600), Value::as_i64).filter(|seconds| (900..=43_200).contains(seconds));
    let Some(wished) = wished else { return Ok(problem(400, "validation_failed", "a session lasts 900 to 43200 seconds")) };
    let seconds = wished.min(i64::from(grant.max_session));
    let (account, name, session) = (grant.account(), grant.role_name(), person.email.clone());
    let is_aws = grant.role.starts_with("arn:");
    let key = Key {
        id: if is_aws { format!("ASIA{}", capitals::<16>()) } else { format!("STS.{}", capitals::<24>()) },
        secret: noise::<30>(),
        token: format!("IQoJb3JpZ2luX2Vj//{}", noise::<300>()),
        expires: later(world.cloud_now(), seconds),
        arn: match is_aws {
            true => format!("arn:{}:sts::{account}:assumed-role/{name}/{session}", partition(grant)),
            false => format!("acs:ram::{account}:assumed-role/{name}/{session}"),
        },
        who: grant.role.clone(),
        account: account.to_owned(),
        principal: format!("3{}:{session}", hex(&random::<8>())),
    };
    world.secret(&key.secret);
    world.secret(&key.token);
    let reply = json!({
        "access_key_id": key.id, "secret_access_key": key.secret, "session_token": key.token,
        "expires": key.expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "role_arn": grant.role, "session_name": session,
    });
    if !is_aws {
        world.console.international.push(key.id.clone());
    }
    world.keys.push(key);
    Ok(Reply::json(200, &reply).with("cache-control", "no-store"))
}
