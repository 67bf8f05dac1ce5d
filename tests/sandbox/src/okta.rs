//! Okta, classic: `acme.okta.com`, an organisation with applications for each cloud.
//!
//! 1. `POST /api/v1/authn` takes user name and password as JSON and opens a transaction, known by its state token.
//! 2. `POST /api/v1/authn/factors/<id>/verify` sends a code or a push, checks a code, asks after a push.
//! 3. `GET /login/sessionCookieRedirect`, or `POST /api/v1/sessions`, gives a session for the token of 1 or 2, once.
//! 4. `GET /home/<app>/<id>/272` or `/app/<app>/<id>/sso/saml` with the session's cookie gives the page with the response,
//!    or asks for a factor first, by a page with a state token.
//!
//! What has no known answer is a breach.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::okta_words as words;
use crate::people::{OktaState, Person, Push};
use crate::saml::{Site, issue, post_page};
use crate::wire::{Breach, Reply, Request, breach};
use crate::world::{World, later, random, word};

pub(crate) const HOST: &str = "acme.okta.com";
/// Shortest time between two polls of a push that still counts as polite.
const POLITE: Duration = Duration::from_millis(150);
/// How soon another message may be sent, in seconds.
const MESSAGES: i64 = 30;

/// What Okta remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    transactions: HashMap<String, Transaction>,
    /// Tokens that buy a session, and for whom.
    tokens: HashMap<String, String>,
    sessions: HashMap<String, Session>,
    /// Who need not prove a factor on which machine.
    devices: HashSet<(String, String)>,
    /// Codes that were sent, by person.
    messages: HashMap<String, (String, Timestamp)>,
}

impl State {
    /// The code that was sent to somebody last.
    pub(crate) fn message(&self, email: &str) -> Option<&str> {
        self.messages.get(email).map(|(code, _)| code.as_str())
    }

    /// Ends every session, as an administrator can.
    pub(crate) fn end_sessions(&mut self) {
        self.sessions.clear();
    }
}

#[derive(Debug, Clone)]
struct Session {
    email: String,
    /// Whether a factor was proved for the application.
    stepped: bool,
}

#[derive(Debug, Clone)]
struct Transaction {
    email: String,
    /// The session and the application that asked for more.
    step_up: Option<(String, String)>,
    /// Whether the factor is proved.
    proved: bool,
    /// Whether to warn of a password that expires soon.
    warn: bool,
    push: Option<Pending>,
}

#[derive(Debug, Clone)]
struct Pending {
    polls: u32,
    opened: Instant,
    /// The last poll; the one that sends the push is none.
    last: Option<Instant>,
}

/// Whether a parameter is a secret that Okta wants in an address all the same.
pub(crate) fn wants_in_query(request: &Request, name: &str) -> bool {
    let path = request.path.as_str();
    request.host == HOST
        && matches!((path, name), ("/login/sessionCookieRedirect", "token") | ("/login/step-up/redirect", "stateToken"))
}

/// Answers for `acme.okta.com`.
pub(crate) fn answer(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let path = request.path.as_str();
    let factor = path.strip_prefix("/api/v1/authn/factors/").and_then(|rest| rest.strip_suffix("/verify"));
    match (request.method.as_str(), path, factor) {
        ("POST", "/api/v1/authn", _) => authn(world, request),
        ("POST", "/api/v1/authn/skip", _) => skip(world, request),
        ("POST", _, Some(id)) => verify(world, request, id),
        ("POST", "/api/v1/sessions", _) => create_session(world, request),
        ("GET", "/login/sessionCookieRedirect", _) => session_redirect(world, request),
        ("GET", "/login/step-up/redirect", _) => step_up_redirect(world, request),
        ("GET", "/login/login.htm", _) => Ok(words::login_page()),
        ("GET", "/.well-known/okta-organization", _) => Ok(words::organization()),
        ("GET", "/.well-known/webfinger", _) => words::webfinger(request),
        ("GET", _, _) if path.starts_with("/home/") || path.starts_with("/app/") => application(world, request),
        (method, _, _) => breach(format!("no page for {method} {path}")),
    }
}

/// The body of a call, with these members and no others.
fn body(request: &Request, needed: &[&str], optional: &[&str]) -> Result<Map<String, Value>, Breach> {
    let accept = request.header("accept").unwrap_or_default();
    if accept != "application/json" && accept != "*/*" {
        return breach("header `Accept` does not ask for JSON");
    }
    let body = request.json()?;
    if let Some(name) = needed.iter().find(|name| !body.contains_key(**name)) {
        return breach(format!("member `{name}` is missing"));
    }
    if let Some(name) = body.keys().find(|name| !needed.contains(&name.as_str()) && !optional.contains(&name.as_str())) {
        return breach(format!("member `{name}` does not belong here"));
    }
    Ok(body)
}

fn text<'b>(body: &'b Map<String, Value>, name: &str) -> Result<&'b str, Breach> {
    match body.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => breach(format!("member `{name}` is not a text")),
    }
}

fn open(world: &mut World, transaction: Transaction) -> String {
    let state = format!("00{}", word::<30>());
    world.secret(&state);
    world.okta.transactions.insert(state.clone(), transaction);
    state
}

fn authn(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    if let Some(state) = request.json()?.get("stateToken").and_then(Value::as_str) {
        body(request, &["stateToken"], &[])?;
        return resume(world, state);
    }
    let body = body(request, &["username", "password"], &["options", "context"])?;
    let (username, password) = (text(&body, "username")?, text(&body, "password")?);
    let options = body.get("options").cloned().unwrap_or_else(|| json!({}));
    let known = ["multiOptionalFactorEnroll", "warnBeforePasswordExpired"];
    let is_known = |(name, value): (&String, &Value)| known.contains(&name.as_str()) && value.is_boolean();
    if !options.as_object().is_some_and(|options| options.iter().all(is_known)) {
        return breach("member `options` has what is not known");
    }
    if let Some(context) = body.get("context") {
        let device = context.get("deviceToken").and_then(Value::as_str).unwrap_or_default();
        if context.as_object().map(Map::len) != Some(1) || device.is_empty() || device.len() > 32 || device.contains('-') {
            return breach("member `context` is not a device token of 32 characters at most");
        }
        if request.cookie("DT").is_some_and(|cookie| cookie != device) {
            return breach("the cookie `DT` names another device");
        }
    }
    world.secret(password);
    if let Some(device) = request.cookie("DT").map(str::to_owned) {
        world.secret(&device);
    }
    let person = world.directory.person(username).filter(|person| person.password == password).cloned();
    let Some(person) = person else { return Ok(words::error(401, "E0000004", "Authentication failed", &[])) };
    if person.okta.state == OktaState::LockedOut {
        return Ok(words::locked_out());
    }
    let device = (person.email.clone(), request.cookie("DT").unwrap_or_default().to_owned());
    let proved = words::factors(&person).is_empty()
        || matches!(person.okta.state, OktaState::AsksMore | OktaState::Engine)
        || world.okta.devices.contains(&device);
    let warn = options.get("warnBeforePasswordExpired") == Some(&json!(true));
    let state = open(world, Transaction { email: person.email.clone(), step_up: None, proved, warn, push: None });
    Ok(go_on(world, &state, &person))
}

/// A transaction that an application's page began.
fn resume(world: &mut World, state: &str) -> Result<Reply, Breach> {
    if state.starts_with("02.id.") {
        return Ok(words::error(401, "E0000011", "Invalid token provided", &[]));
    }
    let (_, person) = transaction(world, state)?;
    Ok(go_on(world, state, &person))
}

fn transaction(world: &World, state: &str) -> Result<(Transaction, Person), Breach> {
    let Some(transaction) = world.okta.transactions.get(state) else {
        return breach("a state token that is not good");
    };
    match world.directory.person(&transaction.email) {
        Some(person) => Ok((transaction.clone(), person.clone())),
        None => breach("a transaction of nobody"),
    }
}

/// The next state of a transaction.
fn go_on(world: &mut World, state: &str, person: &Person) -> Reply {
    let Some(transaction) = world.okta.transactions.get(state).cloned() else { return words::locked_out() };
    if !transaction.proved {
        return words::mfa_required(state, person);
    }
    if transaction.step_up.is_some() {
        return words::stepped_up(state, person);
    }
    match person.okta.state {
        OktaState::PasswordExpired => words::password_expired(state, person),
        OktaState::PasswordWarn { days } if transaction.warn => words::password_warn(state, person, days),
        OktaState::MustEnroll => words::enroll(state, person, false),
        OktaState::MayEnroll => words::enroll(state, person, true),
        _ => success(world, state, person),
    }
}

fn success(world: &mut World, state: &str, person: &Person) -> Reply {
    world.okta.transactions.remove(state);
    let token = format!("00{}", word::<30>());
    world.secret(&token);
    world.okta.tokens.insert(token.clone(), person.email.clone());
    words::success(&token, person)
}

fn skip(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    let body = body(request, &["stateToken"], &[])?;
    let state = text(&body, "stateToken")?;
    let (transaction, person) = transaction(world, state)?;
    match person.okta.state {
        OktaState::PasswordWarn { .. } | OktaState::MayEnroll if transaction.proved => Ok(success(world, state, &person)),
        _ => breach("nothing can be skipped"),
    }
}

fn verify(world: &mut World, request: &Request, id: &str) -> Result<Reply, Breach> {
    let query = request.query_fields();
    query.exactly(&[], &["rememberDevice", "autoPush"])?;
    // What login tools send beside the two documented members, and Okta lets pass.
    let tolerated = ["rememberDevice", "answer", "factorType", "provider", "profile"];
    let body = body(request, &["stateToken"], &[&["passCode"][..], &tolerated].concat())?;
    let state = text(&body, "stateToken")?;
    let (mut transaction, person) = transaction(world, state)?;
    if transaction.proved {
        return breach("a factor in a transaction that needs none");
    }
    let Some(factor) = words::factors(&person).into_iter().find(|factor| factor["id"] == id) else {
        return breach("a factor that was not offered");
    };
    let code = match body.contains_key("passCode") {
        true => Some(text(&body, "passCode")?.to_owned()),
        false => None,
    };
    if let Some(code) = &code {
        world.secret(code);
    }
    let kind = factor["factorType"].as_str().unwrap_or_default();
    let right = match (kind, code) {
        ("push", None) => return poll(world, state, transaction, &person, &factor, request),
        ("sms" | "email", None) => return Ok(send_code(world, state, &person, &factor)),
        ("token:software:totp" | "token", None) => return Ok(words::challenge(state, &person, &factor, None, None)),
        ("sms" | "email", Some(code)) => {
            let right = world.okta.message(&person.email) == Some(code.as_str());
            if right {
                world.okta.messages.remove(&person.email);
            }
            right
        }
        ("token:software:totp" | "token", Some(code)) => person.accepts_code(&code),
        _ => return breach("a factor that the box cannot check"),
    };
    if !right {
        let cause = "Your passcode doesn't match our records. Please try again.";
        return Ok(words::error(403, "E0000068", "Invalid Passcode/Answer", &[cause]));
    }
    transaction.proved = true;
    Ok(proved(world, state, transaction, &person, request))
}

impl State {
    fn remember(&mut self, email: &str, request: &Request) {
        let wished = request.query.iter().any(|(name, value)| name == "rememberDevice" && value.eq_ignore_ascii_case("true"));
        if let Some(device) = request.cookie("DT").filter(|_| wished) {
            self.devices.insert((email.to_owned(), device.to_owned()));
        }
    }
}

fn proved(world: &mut World, state: &str, transaction: Transaction, person: &Person, request: &Request) -> Reply {
    world.okta.remember(&person.email, request);
    world.okta.transactions.insert(state.to_owned(), transaction);
    go_on(world, state, person)
}

fn send_code(world: &mut World, state: &str, person: &Person, factor: &Value) -> Reply {
    let now = world.idp_now();
    if world.okta.messages.get(&person.email).is_some_and(|(_, sent)| now < later(*sent, MESSAGES)) {
        let text = "An SMS message was recently sent. Please wait 30 seconds before trying again.";
        return words::error(429, "E0000109", text, &[]);
    }
    let code = format!("{:06}", u32::from_le_bytes(random::<4>()) % 1_000_000);
    world.secret(&code);
    world.okta.messages.insert(person.email.clone(), (code, now));
    words::challenge(state, person, factor, None, None)
}

fn poll(
    world: &mut World,
    state: &str,
    mut transaction: Transaction,
    person: &Person,
    factor: &Value,
    request: &Request,
) -> Result<Reply, Breach> {
    let now = Instant::now();
    let Some(push) = &mut transaction.push else {
        transaction.push = Some(Pending { polls: 0, opened: now, last: None });
        world.okta.transactions.insert(state.to_owned(), transaction);
        return Ok(words::challenge(state, person, factor, Some("WAITING"), None));
    };
    if push.last.is_some_and(|last| last.elapsed() < POLITE) {
        return breach("polls of a push follow each other too fast");
    }
    push.last = Some(now);
    push.polls += 1;
    let is_over = |after: u32| push.polls > after;
    let end = match person.push {
        Push::Accepted { after } if is_over(after) => "SUCCESS",
        Push::Denied { after } | Push::Refused { after } if is_over(after) => "REJECTED",
        Push::Expired { after } if is_over(after) => "TIMEOUT",
        Push::Never { seconds } if push.opened.elapsed() > Duration::from_secs(seconds.into()) => "TIMEOUT",
        _ => "WAITING",
    };
    if end == "SUCCESS" {
        transaction.proved = true;
        return Ok(proved(world, state, transaction, person, request));
    }
    world.okta.transactions.insert(state.to_owned(), transaction);
    // The number is told once the person is looking at it on the phone.
    let number = person.okta.number.filter(|_| end == "WAITING");
    Ok(words::challenge(state, person, factor, Some(end), number))
}

fn new_session(world: &mut World, email: &str) -> String {
    let sid = format!("102{}", word::<30>());
    world.secret(&sid);
    world.okta.sessions.insert(sid.clone(), Session { email: email.to_owned(), stepped: false });
    sid
}

fn create_session(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    let body = body(request, &["sessionToken"], &[])?;
    match world.okta.tokens.remove(text(&body, "sessionToken")?) {
        Some(email) => {
            let sid = new_session(world, &email);
            Ok(words::session(&sid, &email, &world.idp_now().to_string()))
        }
        None => Ok(words::error(401, "E0000004", "Authentication failed", &[])),
    }
}

fn cookie(reply: Reply, name: &str, value: &str) -> Reply {
    reply.with("set-cookie", &format!("{name}={value}; Path=/; Secure; HttpOnly"))
}

fn session_redirect(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let query = request.query_fields();
    query.exactly(&["token", "redirectUrl"], &["checkAccountSetupComplete"])?;
    let target = query.get("redirectUrl");
    if !target.starts_with(&format!("https://{HOST}/")) {
        return breach("`redirectUrl` leads out of the organisation");
    }
    let reply = Reply::redirect(target);
    let reply = match request.cookie("DT") {
        Some(_) => reply,
        None => cookie(reply, "DT", &format!("DI{}", word::<16>())),
    };
    match world.okta.tokens.remove(query.get("token")) {
        Some(email) => {
            let sid = new_session(world, &email);
            Ok(cookie(reply, "sid", &sid))
        }
        // A token that is spent does no harm to who has the session already.
        None if session(world, request).is_some() => Ok(reply),
        None => Ok(Reply::redirect("/login/login.htm")),
    }
}

fn session(world: &World, request: &Request) -> Option<(String, Session)> {
    let sid = request.cookie("sid")?;
    world.okta.sessions.get(sid).map(|session| (sid.to_owned(), session.clone()))
}

fn application(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    let (["home", app, id, _] | ["app", app, id, "sso", "saml"]) = parts.as_slice() else {
        return breach("no such application");
    };
    let (app, id) = ((*app).to_owned(), (*id).to_owned());
    request.query_fields().exactly(&[], &["fromHome"])?;
    let Some((sid, session)) = session(world, request) else {
        return Ok(Reply::redirect(&format!("/login/login.htm?fromURI={}", request.path.replace('/', "%2F"))));
    };
    let person = world.directory.person(&session.email).cloned();
    let (Some(person), Some(site)) = (person, Site::of_app(&app)) else {
        return Ok(words::not_found());
    };
    match person.okta.state {
        OktaState::NotAssigned => return Ok(words::not_assigned()),
        OktaState::Engine => return Ok(words::engine_page(&format!("02.id.{}", word::<30>()))),
        OktaState::AsksMore if !session.stepped => {
            let step_up = Some((sid, request.path.clone()));
            let state = open(world, Transaction { email: person.email, step_up, proved: false, warn: false, push: None });
            return Ok(words::step_up_page(&state));
        }
        _ => {}
    }
    let response = issue(world, &person, site, &format!("http://www.okta.com/{id}"));
    Ok(Reply::html(200, post_page(site.acs(), &response)))
}

fn step_up_redirect(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let query = request.query_fields();
    query.exactly(&["stateToken"], &[])?;
    let Some(transaction) = world.okta.transactions.remove(query.get("stateToken")).filter(|transaction| transaction.proved)
    else {
        return breach("a step-up that is not done");
    };
    let (Some((sid, path)), Some((shown, _))) = (transaction.step_up, session(world, request)) else {
        return breach("a step-up without its session");
    };
    if sid != shown {
        return breach("a step-up of another session");
    }
    if let Some(session) = world.okta.sessions.get_mut(&sid) {
        session.stepped = true;
    }
    Ok(Reply::redirect(&path))
}
