//! JumpCloud: `console.jumpcloud.com` checks the person, `sso.jumpcloud.com` vouches.
//!
//! 1. `GET /userconsole/xsrf` gives a token, in the body and as a cookie.
//! 2. `POST /userconsole/auth` takes address, password and code as JSON.
//! 3. With a push, `/userconsole/auth/push` is opened, polled and closed.
//! 4. `GET /saml2/<app>` on the other host gives the page with the response.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::people::{Factor, Person, Push};
use crate::saml::{Site, issue, post_page};
use crate::wire::{Breach, Reply, Request, breach};
use crate::world::{World, hex, later, random, word};

/// Shortest time between two polls of a push that still counts as polite.
const POLITE: Duration = Duration::from_millis(150);

/// What JumpCloud remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    tokens: Vec<String>,
    sessions: HashMap<String, Session>,
    pushes: HashMap<String, Pending>,
}

#[derive(Debug, Clone)]
struct Session {
    email: String,
    app: String,
    /// Password and second factor are done.
    complete: bool,
}

#[derive(Debug, Clone)]
struct Pending {
    session: String,
    polls: u32,
    last_poll: Option<Instant>,
    opened: Timestamp,
    expires: Timestamp,
    status: &'static str,
}

/// Answers for `console.jumpcloud.com`.
pub(crate) fn console(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if request.path != "/login" {
        request.no_query()?;
    }
    let push = request.path.strip_prefix("/userconsole/auth/push/");
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/userconsole/xsrf") => Ok(xsrf(world)),
        ("POST", "/userconsole/auth") => auth(world, request),
        ("POST", "/userconsole/auth/push") => open_push(world, request),
        ("GET", "/login") => Ok(Reply::html(
            200,
            "<!DOCTYPE html><html><head><title>JumpCloud</title></head><body>\
             <div id=\"app\"></div><script src=\"/app.js\"></script></body></html>",
        )),
        (method, path) => match (method, push.map(|rest| rest.strip_suffix("/login"))) {
            ("POST", Some(Some(id))) => close_push(world, request, id),
            ("GET", Some(None)) => poll_push(world, request, push.unwrap_or_default()),
            _ => breach(format!("no page for {method} {path}")),
        },
    }
}

/// Answers for `sso.jumpcloud.com`.
pub(crate) fn sso(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let Some(app) = request.path.strip_prefix("/saml2/") else {
        return breach("no such page");
    };
    if request.method != "GET" {
        return breach("applications are opened with GET");
    }
    request.no_query()?;
    let Some(site) = Site::of_app(app) else {
        return Ok(Reply::html(404, "<!DOCTYPE html><html><body><h1>Application not found</h1></body></html>"));
    };
    let session =
        request.cookie("userconsole").and_then(|id| world.jumpcloud.sessions.get(id)).filter(|session| session.complete).cloned();
    let person = session.and_then(|session| world.directory.person(&session.email).cloned());
    let Some(person) = person else {
        return Ok(Reply::redirect(&format!("https://console.jumpcloud.com/login?context=sso&redirectTo=saml2%2F{app}")));
    };
    let issuer = format!("https://sso.jumpcloud.com/saml2/{app}");
    let response = issue(world, &person, site, &issuer);
    Ok(Reply::html(200, post_page(site.acs(), &response)))
}

fn xsrf(world: &mut World) -> Reply {
    let token = word::<24>();
    world.secret(&token);
    world.jumpcloud.tokens.push(token.clone());
    cookie(Reply::json(200, &json!({ "xsrf": token })), "_xsrf", &token)
}

/// Cookies belong to both hosts.
fn cookie(reply: Reply, name: &str, value: &str) -> Reply {
    let text = format!("{name}={value}; Domain=jumpcloud.com; Path=/; Secure; HttpOnly");
    reply.with("set-cookie", &text)
}

/// The three headers of every POST.
fn check_headers(world: &World, request: &Request) -> Result<(), Breach> {
    let Some(token) = request.header("x-xsrftoken") else {
        return breach("header `X-Xsrftoken` is missing");
    };
    if !world.jumpcloud.tokens.iter().any(|known| known == token) {
        return breach("header `X-Xsrftoken` holds no token of ours");
    }
    if request.cookie("_xsrf") != Some(token) {
        return breach("header `X-Xsrftoken` differs from the cookie `_xsrf`");
    }
    if request.header("accept") != Some("application/json") {
        return breach("header `Accept` is not application/json");
    }
    Ok(())
}

fn failed() -> Reply {
    Reply::json(401, &json!({ "message": "Authentication failed." }))
}

fn auth(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    check_headers(world, request)?;
    let body = request.json()?;
    // The server does not mind the case of the names: login tools send `Email`, the vendor documents `email`.
    let mut fields = HashMap::new();
    for (name, value) in &body {
        let Value::String(value) = value else {
            return breach(format!("member `{name}` is not a string"));
        };
        if fields.insert(name.to_ascii_lowercase(), value.clone()).is_some() {
            return breach(format!("member `{name}` comes twice"));
        }
    }
    let mut take = |name: &str| match fields.remove(name) {
        Some(value) => Ok(value),
        None => breach(format!("member `{name}` is missing")),
    };
    let (context, target) = (take("context")?, take("redirectto")?);
    let (email, password, code) = (take("email")?, take("password")?, take("otp")?);
    if let Some(name) = fields.keys().next() {
        return breach(format!("member `{name}` does not belong here"));
    }
    if context != "sso" {
        return breach("member `Context` is not `sso`");
    }
    let Some(app) = target.strip_prefix("saml2/").filter(|app| !app.is_empty()) else {
        return breach("member `RedirectTo` is not `saml2/<app>`");
    };
    world.secret(&password);
    world.secret(&code);
    let person = world.directory.person(&email).cloned();
    let Some(person) = person.filter(|person| person.password == password) else {
        return Ok(failed());
    };
    let session = Session {
        email: person.email.clone(),
        app: app.to_owned(),
        complete: person.factors.is_empty() || (person.factors.contains(&Factor::Totp) && person.accepts_code(&code)),
    };
    if !session.complete && !code.is_empty() {
        return Ok(failed());
    }
    let reply = match session.complete {
        true => signed_in(app),
        false => second_factor(&person),
    };
    let id = word::<32>();
    world.jumpcloud.sessions.insert(id.clone(), session);
    Ok(cookie(reply, "userconsole", &id))
}

fn signed_in(app: &str) -> Reply {
    let url = format!("https://sso.jumpcloud.com/saml2/{app}");
    Reply::json(200, &json!({ "redirectTo": url }))
}

fn second_factor(person: &Person) -> Reply {
    let names = [("totp", Factor::Totp), ("duo", Factor::Duo), ("webauthn", Factor::WebAuthn), ("push", Factor::Push)];
    let factors: Vec<Value> = names
        .iter()
        .map(|(name, factor)| {
            let status = match person.factors.contains(factor) {
                true => "available",
                false => "not available",
            };
            json!({ "type": name, "status": status })
        })
        .collect();
    Reply::json(401, &json!({ "message": "MFA required.", "factors": factors }))
}

/// The half-finished session that a push belongs to.
fn half_session(world: &World, request: &Request) -> Result<(String, Person), Breach> {
    let id = request.cookie("userconsole").unwrap_or_default();
    let person = world.jumpcloud.sessions.get(id).and_then(|session| world.directory.person(&session.email));
    match person {
        Some(person) => Ok((id.to_owned(), person.clone())),
        None => breach("a push without the session's cookie"),
    }
}

fn empty_object(request: &Request) -> Result<(), Breach> {
    match request.json()?.is_empty() {
        true => Ok(()),
        false => breach("the body is not an empty object"),
    }
}

fn open_push(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    check_headers(world, request)?;
    empty_object(request)?;
    let (session, person) = half_session(world, request)?;
    if !person.factors.contains(&Factor::Push) {
        return breach("a push to somebody without a phone");
    }
    let opened = world.idp_now();
    let lifetime = match person.push {
        Push::Never { seconds } => i64::from(seconds),
        _ => 60,
    };
    let pending = Pending { session, polls: 0, last_poll: None, opened, expires: later(opened, lifetime), status: "pending" };
    let id = hex(&random::<12>());
    let reply = push_document(&id, &pending);
    world.jumpcloud.pushes.insert(id, pending);
    Ok(reply)
}

fn push_document(id: &str, push: &Pending) -> Reply {
    Reply::json(
        200,
        &json!({
            "id": id,
            "expiresAt": push.expires.to_string(),
            "initiatedAt": push.opened.to_string(),
            "status": push.status,
            "userId": "5f1e2d3c4b5a69788796a5b4",
        }),
    )
}

fn poll_push(world: &mut World, request: &Request, id: &str) -> Result<Reply, Breach> {
    let (session, person) = half_session(world, request)?;
    let Some(push) = world.jumpcloud.pushes.get_mut(id) else {
        return breach("a poll of an unknown push");
    };
    if push.session != session {
        return breach("a poll of somebody else's push");
    }
    if push.status != "pending" {
        return breach("a poll of a push that is settled");
    }
    if push.last_poll.is_some_and(|last| last.elapsed() < POLITE) {
        return breach("polls of a push follow each other too fast");
    }
    push.last_poll = Some(Instant::now());
    push.polls += 1;
    let (after, status) = match person.push {
        Push::Accepted { after } => (after, "accepted"),
        Push::Denied { after } => (after, "denied"),
        Push::Expired { after } => (after, "expired"),
        Push::Refused { after } if push.polls > after => {
            push.status = "denied";
            return Ok(failed());
        }
        Push::Refused { .. } | Push::Never { .. } => (u32::MAX, "pending"),
    };
    if push.polls > after {
        push.status = status;
    }
    Ok(push_document(id, push))
}

fn close_push(world: &mut World, request: &Request, id: &str) -> Result<Reply, Breach> {
    check_headers(world, request)?;
    empty_object(request)?;
    let (session, _) = half_session(world, request)?;
    match world.jumpcloud.pushes.remove(id) {
        Some(push) if push.session == session && push.status == "accepted" => {}
        _ => return breach("a push that is not accepted is closed"),
    }
    let Some(session) = world.jumpcloud.sessions.get_mut(&session) else {
        return breach("a push without the session's cookie");
    };
    session.complete = true;
    Ok(signed_in(&session.app))
}
