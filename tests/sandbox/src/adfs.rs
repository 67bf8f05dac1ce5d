//! AD FS at `fs.acme.example`: a sign-in on its own initiative, `/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=<entity ID>`.
//!
//! 1. `GET` gives the sign-in page.
//! 2. `POST` with `AuthMethod=FormsAuthentication` takes user name and password, also without step 1, as AD FS does. It
//!    leads back to the same address with a cookie.
//! 3. Who has a second factor gets its adapter's page. Each `POST` of one needs the cookie and the page's own `Context`, which
//!    is good once, and exactly the fields of its form.
//! 4. The page with the response.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::adfs_pages::{AdfsFactor, Ask, Place, adapter, choice, login, response};
use crate::people::{Factor, Person, Push};
use crate::saml::{Site, issue};
use crate::wire::{Breach, Fields, Reply, Request, breach};
use crate::world::{World, uuid, word};

/// The host.
pub(crate) const HOST: &str = "fs.acme.example";
const ISSUER: &str = "http://fs.acme.example/adfs/services/trust";
/// Shortest time between two questions after an approval that still counts as polite.
const POLITE: Duration = Duration::from_millis(400);
/// The number to match.
const NUMBER: u8 = 42;

const WRONG: &str = "Incorrect user ID or password. Type the correct user ID and password, and try again.";
const LOCKED: &str = "The referenced account is currently locked out and may not be logged on to.";

/// What AD FS remembers: sign-ins under way, by cookie.
#[derive(Debug, Default)]
pub(crate) struct State {
    flows: HashMap<String, Flow>,
}

#[derive(Debug, Clone)]
struct Flow {
    user: String,
    factor: Option<AdfsFactor>,
    ask: Ask,
    context: String,
    /// The passcode that was right; the next code is another.
    passcode: String,
    polls: u32,
    asked: Option<Instant>,
    complete: bool,
}

/// Answers for `fs.acme.example`.
pub(crate) fn answer(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let path = request.path.to_ascii_lowercase();
    if !matches!(path.as_str(), "/adfs/ls/idpinitiatedsignon.aspx" | "/adfs/ls/idpinitiatedsignon") {
        return breach("no such page");
    }
    let query = request.query_fields();
    // AD FS does not mind the case of the parameter; the box wants it as documented.
    query.exactly(&["loginToRp"], &["client-request-id"])?;
    let sites = [Site::Aws, Site::AwsChina, Site::AwsGov, Site::Alibaba, Site::AlibabaInternational];
    let Some(site) = sites.into_iter().find(|site| site.audience() == query.get("loginToRp")) else {
        return breach("no such relying party");
    };
    let flow = request.cookie("MSISAuth").and_then(|id| Some((id.to_owned(), world.adfs.flows.get(id)?.clone())));
    match (request.method.as_str(), flow) {
        ("GET", None) => Ok(login(&Place { query: &query_of(request), context: "", error: "" }, "")),
        ("GET", Some((id, _))) => show(world, request, site, &id, ""),
        ("POST", flow) => {
            let fields = request.form()?;
            match (fields.get("AuthMethod"), flow) {
                ("FormsAuthentication", _) => password(world, request, &fields),
                (_, None) => breach("the cookie of the sign-in is missing"),
                (_, Some((id, flow))) if fields.find("Context").is_none() => choose(world, request, site, &id, &flow, &fields),
                (_, Some((id, flow))) => factor(world, request, site, &id, &flow, &fields),
            }
        }
        (method, _) => breach(format!("no page for {method}")),
    }
}

/// The query of the pages that follow: AD FS adds a number to it, and writes `&` as it is.
fn query_of(request: &Request) -> String {
    let query = request.query_fields();
    let party = query.get("loginToRp").replace(':', "%3A");
    let id = query.find("client-request-id").map_or_else(uuid, str::to_owned);
    format!("loginToRp={party}&client-request-id={id}")
}

fn password(world: &mut World, request: &Request, fields: &Fields) -> Result<Reply, Breach> {
    if fields.exactly(&["AuthMethod"], &[]).is_ok() {
        // Who hopes that a cookie of an earlier sign-in is enough.
        return Ok(login(&Place { query: &query_of(request), context: "", error: "" }, ""));
    }
    fields.exactly(&["UserName", "Password", "AuthMethod"], &[])?;
    let (user, password) = (fields.get("UserName"), fields.get("Password"));
    world.secret(password);
    let address = match user.split_once('\\') {
        Some((_, name)) => format!("{name}@example.com"),
        None => user.to_owned(),
    };
    let query = query_of(request);
    let person = world.directory.person(&address).cloned();
    let error = match person {
        Some(person) if person.adfs.locked => LOCKED,
        Some(person) if person.password == password => {
            let factors = factors(&person);
            let id = word::<24>();
            let only = (factors.len() == 1).then(|| factors[0]);
            let flow = Flow {
                user: person.email.clone(),
                factor: only,
                ask: only.map_or(Ask::Open, first),
                context: String::new(),
                passcode: String::new(),
                polls: 0,
                asked: None,
                complete: factors.is_empty(),
            };
            world.adfs.flows.insert(id.clone(), flow);
            let cookie = format!("MSISAuth={id}; path=/adfs; Secure; HttpOnly; SameSite=None");
            let back = format!("https://{HOST}:443{}?{query}", request.path);
            return Ok(Reply::redirect(&back).with("set-cookie", &cookie));
        }
        _ => WRONG,
    };
    Ok(login(&Place { query: &query, context: "", error }, user))
}

/// The factors of a person: AD FS's own, else as Azure would ask for the others.
fn factors(person: &Person) -> Vec<AdfsFactor> {
    if !person.adfs.factors.is_empty() || person.adfs.locked {
        return person.adfs.factors.clone();
    }
    let has = |factor: Factor| person.factors.contains(&factor);
    match (has(Factor::Totp), has(Factor::Push), has(Factor::Duo)) {
        (true, ..) => vec![AdfsFactor::AzureCode],
        (_, true, _) => vec![AdfsFactor::AzurePush],
        (.., true) => vec![AdfsFactor::Duo],
        _ => Vec::new(),
    }
}

/// What an adapter's first page asks for.
fn first(factor: AdfsFactor) -> Ask {
    match factor {
        AdfsFactor::AzurePush | AdfsFactor::AzureServer => Ask::Approval(None),
        AdfsFactor::AzureCode | AdfsFactor::RsaSecond => Ask::Open,
        _ => Ask::Code,
    }
}

/// Shows the page that is due, with a `Context` of its own.
fn show(world: &mut World, request: &Request, site: Site, id: &str, error: &str) -> Result<Reply, Breach> {
    let Some(flow) = world.adfs.flows.get_mut(id) else { return breach("the sign-in is over") };
    // As long and as full of signs as an encrypted document in base64.
    flow.context = format!("<EncryptedData>{}+/==</EncryptedData>", word::<90>());
    let flow = flow.clone();
    let Some(person) = world.directory.person(&flow.user).cloned() else { return breach("nobody of that name") };
    if flow.complete {
        let text = issue(world, &person, site, ISSUER);
        return Ok(response(site.acs(), &text));
    }
    let query = query_of(request);
    let place = Place { query: &query, context: &flow.context, error };
    let ways = factors(&person);
    Ok(match flow.factor {
        None => choice(&place, &ways),
        Some(factor) => {
            let others: Vec<AdfsFactor> = ways.into_iter().filter(|way| *way != factor).collect();
            adapter(&place, factor, flow.ask, &others)
        }
    })
}

/// The form `options` came back.
fn choose(world: &mut World, request: &Request, site: Site, id: &str, flow: &Flow, fields: &Fields) -> Result<Reply, Breach> {
    fields.exactly(&["AuthMethod"], &[])?;
    let ways = world.directory.person(&flow.user).map(factors).unwrap_or_default();
    let Some(way) = ways.into_iter().find(|way| way.method() == fields.get("AuthMethod")) else {
        return breach("no such way on the page");
    };
    if let Some(flow) = world.adfs.flows.get_mut(id) {
        (flow.factor, flow.ask) = (Some(way), first(way));
    }
    show(world, request, site, id, "")
}

/// An adapter's form came back.
fn factor(world: &mut World, request: &Request, site: Site, id: &str, flow: &Flow, fields: &Fields) -> Result<Reply, Breach> {
    let Some(factor) = flow.factor.filter(|factor| factor.method() == fields.get("AuthMethod")) else {
        return breach("a form of another adapter");
    };
    if fields.get("Context") != flow.context {
        return breach("the context is not that of the last page");
    }
    if request.query_fields().find("client-request-id").is_none() {
        return breach("the query of the page is missing");
    }
    let code = check_fields(factor, flow.ask, fields)?;
    let Some(person) = world.directory.person(&flow.user).cloned() else { return breach("nobody of that name") };
    world.secret(code);
    let seconds = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    let mut next = flow.clone();
    let mut error = "";
    match flow.ask {
        Ask::Open => next.ask = Ask::Code,
        Ask::Code if !person.accepts_code(code) => {
            error = match factor {
                AdfsFactor::Vip => "Authentication failed due to invalid security code or server error.",
                _ => "The code is not right.",
            }
        }
        Ask::Code if factor == AdfsFactor::RsaSecond => (next.ask, next.passcode) = (Ask::NextCode, code.to_owned()),
        Ask::Code => next.complete = true,
        // The token may move on between the two.
        Ask::NextCode
            if code != flow.passcode && [0, 30].iter().any(|s| person.code_at(seconds + s).as_deref() == Some(code)) =>
        {
            next.complete = true
        }
        Ask::NextCode => error = "That is not the next code.",
        Ask::Approval(_) => {
            if flow.asked.is_some_and(|asked| asked.elapsed() < POLITE) {
                return breach("asked again too soon");
            }
            (next.asked, next.polls) = (Some(Instant::now()), flow.polls + 1);
            // The server beside AD FS has no numbers.
            next.ask = Ask::Approval((factor == AdfsFactor::AzurePush).then_some(NUMBER));
            match person.push {
                Push::Accepted { after } if next.polls > after => next.complete = true,
                Push::Denied { after } | Push::Refused { after } if next.polls > after => error = "The request was denied.",
                Push::Expired { after } if next.polls > after => error = "The request was not answered in time.",
                _ => {}
            }
        }
    }
    world.adfs.flows.insert(id.to_owned(), next);
    show(world, request, site, id, error)
}

/// Checks that a form came back with its own fields and no others; gives the code in it.
fn check_fields(factor: AdfsFactor, ask: Ask, fields: &Fields) -> Result<&str, Breach> {
    let (needed, allowed): (&[&str], &[&str]) = match (factor, ask) {
        (AdfsFactor::Vip, _) => (&["security_code"], &["username", "password", "Continue"]),
        (AdfsFactor::Defender, _) => (&["OathCode"], &["Submit"]),
        (AdfsFactor::AzureCode, Ask::Code) => (&["VerificationCode"], &["__EVENTTARGET", "SignIn"]),
        (AdfsFactor::AzureCode | AdfsFactor::AzurePush, _) => (&[], &["__EVENTTARGET"]),
        (AdfsFactor::AzureServer, _) => (&[], &[]),
        (AdfsFactor::RsaSecond, Ask::Open) => (&["InitStatus"], &[]),
        (_, Ask::NextCode) => (&["NextCode"], &["Submit"]),
        (AdfsFactor::Rsa | AdfsFactor::RsaSecond, _) => (&["Passcode"], &["Submit"]),
        (AdfsFactor::Duo, _) => return breach("the box has no Duo"),
    };
    let all: Vec<&str> = ["AuthMethod", "Context"].into_iter().chain(needed.iter().copied()).collect();
    fields.exactly(&all, allowed)?;
    let as_shown = [
        ("username", ""),
        ("password", ""),
        ("__EVENTTARGET", ""),
        ("InitStatus", "true"),
        ("Continue", "Continue"),
        ("Submit", "Submit"),
        ("SignIn", "Sign in"),
    ];
    if as_shown.iter().any(|(name, value)| fields.find(name).is_some_and(|sent| sent != *value)) {
        return breach("a field came back changed");
    }
    Ok(needed.first().filter(|name| **name != "InitStatus").map_or("", |name| fields.get(name)))
}
