//! Alibaba Cloud's CloudSSO, `signin-<region>.alibabacloudsso.com`: the device flow with PKCE, the page on which a person approves, and
//! what the access token buys. There is no public description; these are the requests and answers of the `aliyun` client
//! (<https://github.com/aliyun/aliyun-cli>, `cloudsso/`). The access configurations are the roles that the directory grants in RAM, by
//! the same names. The words of three answers are not known from anywhere, and marked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::people::{Grant, Person};
use crate::wire::{Breach, Fields, Reply, Request, breach, escape};
use crate::world::{Key, World, capitals, hex, later, noise, random, uuid, word};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The directory's path on the host of its region.
const DIRECTORY: &str = "/acme/login";
/// The page of devices.
const PAGE: &str = "/device/code";
/// How long the keys of an access configuration live, in seconds.
const SESSION: i64 = 3600;

/// How CloudSSO behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudSso {
    /// How long an access token lives, in seconds.
    pub access_seconds: i64,
    /// How long a code lives, in seconds.
    pub device_seconds: i64,
    /// The pause that polls must leave, in seconds.
    pub interval: u64,
    /// Accounts or access configurations a page.
    pub page: usize,
    /// The client that is known.
    pub client: String,
    /// Where the page of devices is said to be; the portal's own page if none.
    pub device_page: Option<String>,
}

impl Default for CloudSso {
    fn default() -> Self {
        let client = "app-vaz16tltdxs96audqf35".to_owned();
        Self { access_seconds: 3600, device_seconds: 600, interval: 1, page: 2, client, device_page: None }
    }
}

/// What CloudSSO remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) settings: CloudSso,
    devices: HashMap<String, Device>,
    /// Access tokens: for whom, and until when.
    access: HashMap<String, (String, Timestamp)>,
}

impl State {
    /// Ends every access token.
    pub(crate) fn end_access(&mut self) {
        self.access.clear();
    }
}

#[derive(Debug, Clone)]
struct Device {
    user_code: String,
    challenge: String,
    host: String,
    ends: Timestamp,
    last: Option<Instant>,
    /// Who approved, or nothing after a no.
    answer: Option<Option<String>>,
}

fn error(status: u16, code: &str, text: &str) -> Reply {
    Reply::json(status, &json!({"ErrorCode": code, "ErrorMessage": text, "RequestId": uuid().to_ascii_uppercase()}))
}

/// Answers for `signin-<region>.alibabacloudsso.com`.
pub(crate) fn answer(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.without(&["cookie"])?;
    match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "POST", PAGE) => page(world, request),
        ("POST", "/device-authorization") => device_authorization(world, request),
        ("POST", "/token") => token(world, request),
        ("GET", "/access-assignments/accounts" | "/access-assignments/access-configurations")
        | ("POST", "/cloud-credentials") => with_token(world, request),
        (method, path) => breach(format!("no page for {method} {path}")),
    }
}

/// The body's members, which are these and no others, each a text.
fn body(request: &Request, members: &[&str]) -> Result<Map<String, Value>, Breach> {
    request.no_query()?;
    if request.header("accept") != Some("application/json") {
        return breach("the answer that is wished for is not JSON");
    }
    let body = request.json()?;
    if let Some(name) = body.keys().find(|name| !members.contains(&name.as_str())) {
        return breach(format!("member `{name}` does not belong here"));
    }
    match members.iter().find(|member| !body.get(**member).is_some_and(Value::is_string)) {
        Some(name) => breach(format!("member `{name}` is missing")),
        None => Ok(body),
    }
}

fn text<'b>(body: &'b Map<String, Value>, name: &str) -> &'b str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn device_authorization(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.without(&["authorization"])?;
    let body = body(request, &["PortalUrl", "ClientId", "CodeChallenge", "CodeChallengeMethod"])?;
    let settings = world.cloudsso.settings.clone();
    if text(&body, "PortalUrl") != format!("https://{}{DIRECTORY}", request.host) {
        return breach("the portal is not the directory's");
    }
    if text(&body, "ClientId") != settings.client {
        return breach("the client is not known");
    }
    if text(&body, "CodeChallenge").len() != 43 || text(&body, "CodeChallengeMethod") != "S256" {
        return breach("the challenge is no digest");
    }
    let letters = capitals::<8>();
    let (code, user_code) = (word::<40>(), format!("{}-{}", &letters[..4], &letters[4..]));
    world.secret(&code);
    let device = Device {
        user_code: user_code.clone(),
        challenge: text(&body, "CodeChallenge").to_owned(),
        host: request.host.clone(),
        ends: later(world.cloud_now(), settings.device_seconds),
        last: None,
        answer: None,
    };
    world.cloudsso.devices.insert(code.clone(), device);
    let page = settings.device_page.unwrap_or_else(|| format!("https://{}{PAGE}", request.host));
    Ok(Reply::json(
        200,
        &json!({
            "DeviceCode": code, "UserCode": user_code, "VerificationUri": page,
            "VerificationUriComplete": format!("{page}?user_code={user_code}"), "Interval": settings.interval,
        }),
    ))
}

/// The page for people.
fn page(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if request.method == "GET" {
        let code = escape(request.query_fields().get("user_code"));
        let form = format!("<form method=\"post\"><input name=\"user_code\" value=\"{code}\"></form>");
        return Ok(Reply::html(200, format!("<!DOCTYPE html><title>Authorize device</title>{form}")));
    }
    let form: Fields = request.form()?;
    let person = world.directory.person(form.get("login")).filter(|person| person.password == form.get("password"));
    let email = person.map(|person| person.email.clone());
    let allowed = form.get("answer") == "allow";
    if allowed && email.is_none() {
        return Ok(Reply::html(400, "<!DOCTYPE html><title>Error</title><p>User or password is not right.</p>"));
    }
    let now = world.cloud_now();
    let typed = form.get("user_code").to_uppercase();
    let waiting = world.cloudsso.devices.values_mut().find(|device| device.user_code == typed && device.ends > now);
    let Some(device) = waiting.filter(|device| device.answer.is_none() && device.host == request.host) else {
        return Ok(Reply::html(400, "<!DOCTYPE html><title>Error</title><p>The code is not right or has expired.</p>"));
    };
    device.answer = Some(email.filter(|_| allowed));
    Ok(Reply::html(200, "<!DOCTYPE html><title>Done</title><p>You may close this page.</p>"))
}

fn token(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.without(&["authorization"])?;
    let body = body(request, &["ClientId", "CodeVerifier", "DeviceCode", "GrantType"])?;
    let settings = world.cloudsso.settings.clone();
    if text(&body, "GrantType") != DEVICE || text(&body, "ClientId") != settings.client {
        return breach("the grant or the client is not that of the device flow");
    }
    let (code, verifier) = (text(&body, "DeviceCode").to_owned(), text(&body, "CodeVerifier").to_owned());
    world.secret(&verifier);
    let now = world.cloud_now();
    let known = world.cloudsso.devices.get_mut(&code).filter(|device| device.ends > now);
    let Some(device) = known.filter(|device| device.host == request.host) else {
        return Ok(error(400, "InvalidDeviceCodeError", "The device code is invalid or has expired."));
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    if URL_SAFE_NO_PAD.encode(digest) != device.challenge || verifier.len() < 43 {
        return breach("the code is not for this verifier");
    }
    let is_early = device.last.is_some_and(|last| last.elapsed() < Duration::from_millis(settings.interval * 800));
    device.last = Some(Instant::now());
    if is_early {
        return breach("polled faster than the interval");
    }
    let email = match device.answer.clone() {
        None => return Ok(error(400, "AuthorizationPending", "The authorization is pending.")),
        // Its word is not known.
        Some(None) => return Ok(error(400, "AccessDenied", "The user denied the request.")),
        Some(Some(email)) => email,
    };
    world.cloudsso.devices.remove(&code);
    let access = format!("cst-{}", word::<90>());
    world.secret(&access);
    let ends = later(now, settings.access_seconds);
    world.cloudsso.access.insert(access.clone(), (email, ends));
    Ok(Reply::json(200, &json!({"AccessToken": access, "ExpiresIn": settings.access_seconds, "TokenType": "Bearer"})))
}

fn with_token(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let Some(token) = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) else {
        return breach("no access token");
    };
    let now = world.cloud_now();
    let known = world.cloudsso.access.get(token).filter(|(_, ends)| *ends > now);
    let Some(person) = known.and_then(|(email, _)| world.directory.person(email)).cloned() else {
        // Neither status nor word is known.
        return Ok(error(401, "InvalidAccessToken", "The access token is invalid or has expired."));
    };
    match request.path.as_str() {
        "/access-assignments/accounts" => accounts(world, &person, &request.query_fields()),
        "/access-assignments/access-configurations" => configurations(world, &person, &request.query_fields()),
        _ => credentials(world, &person, request),
    }
}

fn granted(person: &Person) -> impl Iterator<Item = &Grant> {
    person.grants.iter().filter(|grant| grant.role.starts_with("acs:"))
}

/// The ID of an access configuration, the same for the same name.
fn id_of(name: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    format!("ac-00{}", hex(&digest.as_ref()[..9]))
}

fn page_of(world: &World, query: &Fields, name: &str, items: &[Value]) -> Result<Reply, Breach> {
    let Ok(start) = query.find("NextToken").unwrap_or("0").parse::<usize>() else {
        return breach("a page that was not offered");
    };
    let end = items.len().min(start + world.cloudsso.settings.page);
    let is_truncated = end < items.len();
    let mut page = json!({name: items.get(start..end).unwrap_or_default(), "IsTruncated": is_truncated, "RequestId": uuid()});
    if is_truncated {
        page["NextToken"] = json!(end.to_string());
    }
    Ok(Reply::json(200, &page))
}

fn accounts(world: &World, person: &Person, query: &Fields) -> Result<Reply, Breach> {
    query.exactly(&["MaxResults"], &["NextToken"])?;
    if !query.get("MaxResults").parse::<usize>().is_ok_and(|count| (1..=100).contains(&count)) {
        return breach("`MaxResults` is not 1 to 100");
    }
    let mut ids: Vec<&str> = granted(person).map(Grant::account).collect();
    ids.dedup();
    let item = |id: &&str| json!({"AccountId": id, "DisplayName": world.directory.alias_of(id).unwrap_or("Sandbox")});
    page_of(world, query, "Accounts", &ids.iter().map(item).collect::<Vec<_>>())
}

fn configurations(world: &World, person: &Person, query: &Fields) -> Result<Reply, Breach> {
    query.exactly(&["AccountId"], &["NextToken"])?;
    let item = |grant: &Grant| {
        let name = grant.role_name();
        json!({"AccessConfigurationId": id_of(name), "AccessConfigurationName": name, "AccessConfigurationDescription": ""})
    };
    let found: Vec<Value> = granted(person).filter(|grant| grant.account() == query.get("AccountId")).map(item).collect();
    page_of(world, query, "AccessConfigurationsForAccount", &found)
}

fn credentials(world: &mut World, person: &Person, request: &Request) -> Result<Reply, Breach> {
    let body = body(request, &["AccountId", "AccessConfigurationId"])?;
    let (account, id) = (text(&body, "AccountId"), text(&body, "AccessConfigurationId"));
    let Some(grant) = granted(person).find(|grant| grant.account() == account && id_of(grant.role_name()) == id) else {
        // Its word is not known.
        return Ok(error(403, "NoPermission", "The access configuration is not assigned to you."));
    };
    let (name, session) = (grant.role_name(), person.email.clone());
    let key = Key {
        id: format!("STS.{}", capitals::<24>()),
        secret: noise::<30>(),
        token: format!("CAIS{}", noise::<300>()),
        expires: later(world.cloud_now(), SESSION),
        arn: format!("acs:ram::{account}:assumed-role/{name}/{session}"),
        who: format!("acs:ram::{account}:role/{name}"),
        account: account.to_owned(),
        principal: format!("3{}:{session}", hex(&random::<8>())),
    };
    world.secret(&key.secret);
    world.secret(&key.token);
    let reply = json!({
        "CloudCredential": {
            "AccessKeyId": key.id, "AccessKeySecret": key.secret, "SecurityToken": key.token,
            "Expiration": key.expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        },
        "RequestId": uuid().to_ascii_uppercase(),
    });
    world.keys.push(key);
    Ok(Reply::json(200, &reply))
}
