//! Console sign-in of both clouds: keys become a sign-in token at the federation endpoint, the sign-in token a session of the browser,
//! and the console's page tells whose session it is.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::wire::{Breach, Fields, Reply, Request, breach, escape};
use crate::world::{Key, World, later, noise, uuid, word};

/// Cookie of a console session.
const COOKIE: &str = "console-session";
/// How long AWS's sign-in token is good, in seconds.
const AWS_LIFETIME: i64 = 900;
/// The same at Alibaba Cloud.
const ALIBABA_LIFETIME: i64 = 30;

/// What this emulator remembers.
#[derive(Default)]
pub(crate) struct State {
    tokens: Vec<SigninToken>,
    sessions: Vec<Session>,
    /// IDs of keys that are refused although they have not ended.
    pub(crate) revoked: Vec<String>,
    /// IDs of keys that Alibaba Cloud's international site issued.
    pub(crate) international: Vec<String>,
}

/// A sign-in token that has been handed out.
struct SigninToken {
    value: String,
    /// Where it was asked for, and where alone it counts.
    world: &'static str,
    arn: String,
    expires: Timestamp,
    session_ends: Timestamp,
    opens_resellers: bool,
    used: bool,
}

/// A session of a browser.
struct Session {
    cookie: String,
    world: &'static str,
    arn: String,
    ends: Timestamp,
}

/// Domains of consoles, and the beginning of the ARNs in them.
const AWS_WORLDS: &[(&str, &str)] =
    &[("aws.amazon.com", "arn:aws:"), ("amazonaws.cn", "arn:aws-cn:"), ("amazonaws-us-gov.com", "arn:aws-us-gov:")];

/// The partition that a host belongs to: its domain and the beginning of its ARNs.
fn aws_world(host: &str) -> Result<(&'static str, &'static str), Breach> {
    let fits = |(domain, _): &&(&str, &str)| host.strip_suffix(*domain).is_some_and(|rest| rest.ends_with('.'));
    AWS_WORLDS.iter().find(fits).copied().ok_or_else(|| Breach(format!("`{host}` is in no partition")))
}

/// Whether a query parameter carries a secret because the protocol wants it so.
pub(crate) fn wants_in_query(request: &Request, name: &str) -> bool {
    request.path == "/federation" && name == "SigninToken"
}

/// An address of `https` on a host that ends so.
fn is_page_of(text: &str, domains: &[&str]) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "https" && domains.iter().any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

/// AWS: `/federation` on `signin.aws.amazon.com`, its regional hosts, and the other partitions' hosts.
pub(crate) fn aws_federation(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if request.path != "/federation" {
        return breach("the path is not /federation");
    }
    request.without(&["authorization"])?;
    match request.method.as_str() {
        "POST" => aws_token(world, request),
        "GET" => aws_login(world, request),
        _ => breach("the method is neither GET nor POST"),
    }
}

/// What is seen of refusals: a bare page with status 400, whatever the reason.
fn bad_request() -> Reply {
    Reply::html(400, "<!DOCTYPE html><html><head><title>400 Bad Request</title></head><body></body></html>")
}

fn aws_token(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    request.without(&["cookie"])?;
    let (domain, arns) = aws_world(&request.host)?;
    let fields = request.form()?;
    fields.exactly(&["Action", "Session"], &["SessionDuration"])?;
    if fields.get("Action") != "getSigninToken" {
        return breach(format!("no action `{}` with POST", fields.get("Action")));
    }
    let Ok(Value::Object(session)) = serde_json::from_str::<Value>(fields.get("Session")) else {
        return breach("parameter `Session` is no JSON object");
    };
    let mut names: Vec<&str> = session.keys().map(String::as_str).collect();
    names.sort_unstable();
    if names != ["sessionId", "sessionKey", "sessionToken"] {
        return breach(format!("parameter `Session` has the members {names:?}"));
    }
    let part = |name: &str| session[name].as_str().unwrap_or_default();
    let duration = match fields.find("SessionDuration").map(str::parse::<i64>) {
        None => None,
        Some(Ok(seconds)) if (900..=43200).contains(&seconds) => Some(seconds),
        Some(_) => return breach("parameter `SessionDuration` is not 900 to 43200"),
    };
    let now = world.cloud_now();
    let Some(key) = presented(world, part("sessionId"), part("sessionKey"), part("sessionToken")) else {
        return Ok(bad_request());
    };
    if !key.arn.starts_with(arns) {
        return Ok(bad_request());
    }
    let token = SigninToken {
        // Letters that need no escaping in an address, as the real ones have.
        value: word::<300>(),
        world: domain,
        arn: key.arn.clone(),
        expires: later(now, AWS_LIFETIME),
        session_ends: duration.map_or(key.expires, |seconds| later(now, seconds)),
        opens_resellers: false,
        used: false,
    };
    let value = token.value.clone();
    hand_out(world, token);
    Ok(Reply::json(200, &json!({ "SigninToken": value })))
}

/// The key whose three parts these are, if it is good.
fn presented<'w>(world: &'w World, id: &str, secret: &str, session_token: &str) -> Option<&'w Key> {
    let is_it = |key: &&Key| key.id == id && key.secret == secret && key.token == session_token;
    let key = world.keys.iter().find(is_it)?;
    (world.cloud_now() < key.expires && !world.console.revoked.contains(&key.id)).then_some(key)
}

/// Remembers a sign-in token. In an address it is escaped.
fn hand_out(world: &mut World, token: SigninToken) {
    world.secret(&token.value);
    let escaped: String = url::form_urlencoded::byte_serialize(token.value.as_bytes()).collect();
    world.secret(&escaped);
    world.console.tokens.push(token);
}

/// Takes a sign-in token, which is good once.
fn redeem(world: &mut World, value: &str, of: &str) -> Option<(String, Timestamp, bool)> {
    let now = world.cloud_now();
    let is_it = |token: &&mut SigninToken| token.value == value && token.world == of && now < token.expires && !token.used;
    let token = world.console.tokens.iter_mut().find(is_it)?;
    token.used = true;
    Some((token.arn.clone(), token.session_ends, token.opens_resellers))
}

/// Sends the browser on, with a session.
fn signed_in(world: &mut World, destination: &str, domain: &'static str, arn: String, ends: Timestamp) -> Reply {
    let cookie = word::<24>();
    let header = format!("{COOKIE}={cookie}; Domain={domain}; Path=/; Secure; HttpOnly");
    world.console.sessions.push(Session { cookie, world: domain, arn, ends });
    Reply::redirect(destination).with("set-cookie", &header)
}

fn aws_login(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let (domain, _) = aws_world(&request.host)?;
    let fields = request.query_fields();
    fields.exactly(&["Action", "Issuer", "Destination", "SigninToken"], &[])?;
    let console = format!("console.{domain}");
    let destination = fields.get("Destination");
    if fields.get("Action") != "login" || url::Url::parse(fields.get("Issuer")).is_err() {
        return breach("no `login` with an `Issuer` to return to");
    }
    let is_home = url::Url::parse(destination).is_ok_and(|url| url.host_str() == Some(&console) && url.scheme() == "https");
    if !is_home && !is_page_of(destination, &[&console]) {
        return breach(format!("`{destination}` is not the console of this partition"));
    }
    let destination = destination.to_owned();
    match redeem(world, fields.get("SigninToken"), domain) {
        Some((arn, ends, _)) => Ok(signed_in(world, &destination, domain, arn, ends)),
        None => Ok(bad_request()),
    }
}

/// Alibaba Cloud: `/federation` on `signin.aliyun.com` and `signin-intl.aliyun.com`.
pub(crate) fn alibaba_federation(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if request.path != "/federation" {
        return breach("the path is not /federation");
    }
    request.without(&["authorization"])?;
    match request.method.as_str() {
        "POST" => alibaba_token(world, request),
        "GET" => alibaba_login(world, request),
        _ => breach("the method is neither GET nor POST"),
    }
}

fn alibaba_error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "RequestId": uuid().to_ascii_uppercase(), "Code": code, "Message": message }))
}

/// The two sites issue keys for different accounts, which here look alike.
fn alibaba_site(host: &str) -> &'static str {
    if host == "signin-intl.aliyun.com" { "international" } else { "china" }
}

fn alibaba_token(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    request.without(&["cookie"])?;
    let fields: Fields = request.form()?;
    fields.exactly(&["Action", "AccessKeyId", "AccessKeySecret", "SecurityToken", "TicketType"], &[])?;
    if fields.get("Action") != "GetSigninToken" {
        return Ok(alibaba_error(400, "InvalidAction", "The action is invalid."));
    }
    let opens_resellers = match fields.get("TicketType") {
        "mini" => true,
        "normal" => false,
        other => return breach(format!("no ticket type `{other}`")),
    };
    if let Some(name) = ["AccessKeyId", "AccessKeySecret", "SecurityToken"].into_iter().find(|name| fields.get(name).is_empty()) {
        return Ok(alibaba_error(400, &format!("MissingParameter.{name}"), &format!("The parameter {name} is missing.")));
    }
    let site = alibaba_site(&request.host);
    let now = world.cloud_now();
    let key = presented(world, fields.get("AccessKeyId"), fields.get("AccessKeySecret"), fields.get("SecurityToken"));
    let is_of_site = |key: &&Key| world.console.international.contains(&key.id) == (site == "international");
    let Some(key) = key.filter(|key| key.arn.starts_with("acs:")).filter(is_of_site) else {
        return Ok(alibaba_error(401, "InvalidCredential.AuthenticateFail", "The credential you provided is invalid."));
    };
    let token = SigninToken {
        value: noise::<40>(),
        world: site,
        arn: key.arn.clone(),
        expires: later(now, ALIBABA_LIFETIME),
        session_ends: key.expires,
        opens_resellers,
        used: false,
    };
    let value = token.value.clone();
    hand_out(world, token);
    Ok(Reply::json(200, &json!({ "RequestId": uuid().to_ascii_uppercase(), "SigninToken": value })))
}

fn alibaba_login(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let fields = request.query_fields();
    fields.exactly(&["Action", "LoginUrl", "Destination", "SigninToken"], &[])?;
    let destination = fields.get("Destination").to_owned();
    if fields.get("Action") != "Login" {
        return Ok(alibaba_error(400, "InvalidAction", "The action is invalid."));
    }
    if url::Url::parse(fields.get("LoginUrl")).is_err() {
        return Ok(alibaba_error(400, "MissingParameter.LoginUrl", "The parameter LoginUrl is missing."));
    }
    if !is_page_of(&destination, &["console.aliyun.com"]) {
        return breach(format!("`{destination}` is not a console of Alibaba Cloud"));
    }
    let site = alibaba_site(&request.host);
    let Some((arn, ends, opens_resellers)) = redeem(world, fields.get("SigninToken"), site) else {
        return Ok(alibaba_error(401, "InvalidCredential.AuthenticateFail", "The credential you provided is invalid."));
    };
    if destination.contains("4service.") != opens_resellers {
        return breach(format!("a ticket of another type than `{destination}` wants"));
    }
    Ok(signed_in(world, &destination, "aliyun.com", arn, ends))
}

/// The consoles themselves: a page that tells whose session it is.
pub(crate) fn console(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if request.method != "GET" {
        return breach("the console takes GET only");
    }
    let domain = if request.host.ends_with(".aliyun.com") { "aliyun.com" } else { aws_world(&request.host)?.0 };
    let now = world.cloud_now();
    let cookie = request.cookie(COOKIE);
    let is_it = |session: &&Session| Some(session.cookie.as_str()) == cookie && session.world == domain && now < session.ends;
    let Some(session) = world.console.sessions.iter().find(is_it) else {
        return Ok(Reply::html(401, "<!DOCTYPE html><html><body><p>Please sign in.</p></body></html>"));
    };
    let minutes = (session.ends.as_second() - now.as_second() + 30) / 60;
    Ok(Reply::html(
        200,
        format!(
            "<!DOCTYPE html><html><head><title>Console</title></head><body><p>Signed in as {} at {} for {minutes} minutes.</p></body></html>\n",
            escape(&session.arn),
            escape(&request.host)
        ),
    ))
}
