//! A token vending machine, `saml2cloud serve`: one server of the company that knows which roles a person may take, in the accounts of
//! every cloud, and hands out their keys. It stands where a cloud's own portal stands, with two differences: its roles are called by
//! their full names, and how long keys last is wished there.
//!
//! JSON below `api/v1/`; the access token is a bearer. What is refused comes as a problem document (RFC 9457) with a word for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{CloudError, Configured, Endpoint, SessionWish, find};
use crate::types::{
    Assertion, Choice, CloudId, Credentials, Offer, OfferedRole, PortalToken, Region, Role, RoleArn, RoleWish, SamlResponse,
    Secret, SessionDuration, Timestamp, Unchosen, Untrusted, WebUrl,
};
use crate::world::{Request, Response, Transport};

/// How many roles are asked for at once, the most that the service gives.
const PAGE: &str = "200";
/// No list has more pages than this; a server that goes on is broken.
const PAGES: usize = 200;

/// Where the service answers: where it gave the token.
pub(super) fn endpoint(token: &PortalToken) -> Endpoint {
    Endpoint { url: token.start.clone(), foreign: false }
}

fn address(at: &WebUrl, path: &str) -> Result<WebUrl, CloudError> {
    at.join(path).map_err(|why| CloudError::PortalAddress { text: at.to_string(), why: why.to_string() })
}

fn signed(request: Request, token: &PortalToken) -> Request {
    let bearer = Secret::new(format!("Bearer {}", token.access.expose()));
    request.header("accept", "application/json").header("authorization", bearer)
}

/// What the person may take in this cloud. Where the wish names a role, the service is asked for roles with that name; only if none of
/// them is the wished one, for all. `home` tells the region of a partition that tools use when nobody names one.
pub(super) async fn offer(
    cloud: CloudId,
    token: PortalToken,
    wish: &RoleWish,
    at: &WebUrl,
    home: fn(&str) -> Option<Region>,
    net: &dyn Transport,
) -> Result<Offer, CloudError> {
    let name = match wish {
        RoleWish::Any => None,
        RoleWish::Arn(role) => Some(role.name()),
        RoleWish::Name(name) => Some(name.as_str()),
    };
    let name = name.and_then(|name| name.rsplit('/').next()).filter(|name| !name.is_empty());
    if let Some(name) = name {
        let some = list(cloud, &token, Some(name), at, home, net).await?;
        if !matches!(some.choose(wish), Err(Unchosen::None | Unchosen::Absent(_))) {
            return Ok(some);
        }
    }
    list(cloud, &token, None, at, home, net).await
}

/// The roles in this cloud that have the text in their names; all, if there is none.
async fn list(
    cloud: CloudId,
    token: &PortalToken,
    text: Option<&str>,
    at: &WebUrl,
    home: fn(&str) -> Option<Region>,
    net: &dyn Transport,
) -> Result<Offer, CloudError> {
    let url = address(at, "api/v1/me/roles")?;
    let (mut roles, mut names) = (Vec::new(), BTreeMap::new());
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let query = [("cloud", cloud.word()), ("limit", PAGE)].into_iter();
        let query = query.chain(text.map(|text| ("q", text))).chain(next.as_deref().map(|next| ("cursor", next)));
        let answer = net.send(&signed(Request::get(url.with_query(query)), token)).await?;
        let page: Page = read(&answer, at)?;
        for item in page.items {
            let role = RoleArn::parse(&item.arn).ok().filter(|role| role.cloud() == cloud);
            let Some(role) = role.filter(|_| !item.id.is_empty()) else {
                tracing::debug!(role = %Untrusted::new(item.arn), "a role was passed over");
                continue;
            };
            let name = Untrusted::new(item.account.name).to_string();
            if !name.is_empty() {
                names.insert(role.account().clone(), name);
            }
            roles.push(OfferedRole::Vended { role, id: item.id, home: home(&item.partition) });
        }
        next = page.next.filter(|text| !text.is_empty());
        if next.is_none() {
            return Ok(Offer::new(Assertion::Portal(token.clone()), roles, None).with_names(names));
        }
    }
    Err(garbled(200, at, "its list does not end"))
}

/// What a token vending machine gives for a role.
#[derive(Debug)]
pub enum Vended {
    /// Keys.
    Keys(Box<Credentials>),
    /// What buys them at the cloud: the machine itself has no way there.
    Assertion(Box<Entrusted>),
}

/// An assertion that a token vending machine signed, for whoever asked to exchange it. It is good for two minutes.
#[derive(Debug)]
pub struct Entrusted {
    /// What it grants.
    pub offer: Offer,
    /// The role that was asked for, by it.
    pub choice: Choice,
    /// How long a session is granted. The cloud lets none last longer.
    pub longest: SessionDuration,
    /// The cloud's token service, where the machine knows another than the usual one.
    pub sts: Option<String>,
    /// The region that tools use when nobody names one, where the role's partition tells it.
    pub home: Option<Region>,
}

/// Asks for a role.
///
/// # Errors
/// [`CloudError`], with the service's own words where it refused.
pub async fn vended(choice: &Choice, wish: &SessionWish, net: &dyn Transport) -> Result<Vended, CloudError> {
    let (Assertion::Portal(token), OfferedRole::Vended { role, id, home }) = (choice.assertion(), choice.offered()) else {
        return Err(CloudError::Mismatch);
    };
    let at = &wish.endpoint;
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let mut body = json!({ "duration": wish.duration.seconds() });
    if let Some(policy) = &wish.policy {
        body["policy"] = json!(policy);
    }
    let url = address(at, &format!("api/v1/me/roles/{id}/credentials"))?;
    let request = Request::post(url, "application/json", Secret::new(body.to_string()));
    let answer = net.send(&signed(request, token)).await?;
    // Each is read by itself: a reader of either would leave copies of secrets behind.
    if let Some(signed) = serde_json::from_str::<Signed>(answer.body.expose()).ok().filter(|_| answer.is_success()) {
        return entrusted(&signed, role, home.clone(), wish, answer.status)
            .map(|entrusted| Vended::Assertion(Box::new(entrusted)));
    }
    let keys: Keys = read(&answer, at)?;
    let none = || garbled(answer.status, at, "it has no credentials in it");
    // Keys of another role would be used as if they were of this one.
    if RoleArn::parse(&keys.role_arn).ok().as_ref() != Some(role) {
        return Err(garbled(answer.status, at, "its keys are of another role"));
    }
    let word = |text: &str| Credentials::one_word(text).map(str::to_owned);
    let (Some(key_id), Some(secret), Some(token), Some(expires)) = (
        word(&keys.access_key_id),
        word(keys.secret_access_key.expose()),
        word(keys.session_token.expose()),
        Timestamp::parse(&keys.expires),
    ) else {
        return Err(none());
    };
    let session = word(&keys.session_name).filter(|name| !name.contains('/')).ok_or_else(none)?;
    Ok(Vended::Keys(Box::new(Credentials {
        key_id,
        secret: Secret::new(secret),
        token: Secret::new(token),
        expires,
        issued: wish.now,
        role: Role::Arn(role.clone()),
        assumed: assumed(role, &session),
        home_region: home.clone(),
    })))
}

/// The assertion of an answer, as far as it is for the role that was asked for.
fn entrusted(
    signed: &Signed,
    role: &RoleArn,
    home: Option<Region>,
    wish: &SessionWish,
    status: u16,
) -> Result<Entrusted, CloudError> {
    let at = &wish.endpoint;
    // The service refuses that; a session without its limits would be one that nobody asked for.
    if wish.policy.is_some() || !wish.policy_arns.is_empty() {
        return Err(CloudError::Unlimited { host: at.host().to_owned() });
    }
    let other = || garbled(status, at, "its assertion is of another role");
    if RoleArn::parse(&signed.role_arn).ok().as_ref() != Some(role) {
        return Err(other());
    }
    let longest = SessionDuration::try_from(signed.duration).map_err(|_| garbled(status, at, "its duration is none"))?;
    let assertion = Assertion::Saml(SamlResponse::new(signed.saml_response.expose()));
    let offer = find(role.cloud()).offer(assertion, &Configured::default())?;
    let choice = offer.choose(&RoleWish::Arn(role.clone())).map_err(|_| other())?;
    Ok(Entrusted { offer, choice, longest, sts: signed.sts.clone(), home })
}

/// What a session of that role is called in the cloud.
fn assumed(role: &RoleArn, session: &str) -> String {
    let (account, last) = (role.account(), role.name().rsplit('/').next().unwrap_or_default());
    match role.cloud() {
        CloudId::Aws => format!("arn:{}:sts::{account}:assumed-role/{last}/{session}", role.partition()),
        CloudId::Alibaba => format!("acs:ram::{account}:assumed-role/{last}/{session}"),
    }
}

/// Ends the token there.
pub(super) async fn sign_out(token: &PortalToken, at: &WebUrl, net: &dyn Transport) -> Result<(), CloudError> {
    let request = Request::form(address(at, "api/v1/cli/revoke")?, [("token", token.access.expose().as_str())]);
    let answer = net.send(&request.header("accept", "application/json")).await?;
    // A token that is not known there is over, which is what was wished for.
    match answer.is_success() || answer.status == 401 {
        true => Ok(()),
        false => Err(refusal(&answer, at)),
    }
}

fn garbled(status: u16, at: &WebUrl, why: &str) -> CloudError {
    CloudError::PortalGarbled { host: at.host().to_owned(), status, why: Untrusted::new(why) }
}

/// Reads an answer, or why there is none.
fn read<T: for<'de> Deserialize<'de>>(answer: &Response, at: &WebUrl) -> Result<T, CloudError> {
    if !answer.is_success() {
        return Err(refusal(answer, at));
    }
    let text = answer.body.expose();
    serde_json::from_str(text).map_err(|_| match text.trim_start().starts_with('<') {
        true => garbled(answer.status, at, "it is a page for people, not JSON"),
        false => garbled(answer.status, at, "it is not the JSON that the service sends"),
    })
}

/// Why the service said no.
fn refusal(answer: &Response, at: &WebUrl) -> CloudError {
    let host = at.host().to_owned();
    let problem = match serde_json::from_str::<Problem>(answer.body.expose()) {
        Ok(problem) if !problem.code.is_empty() => problem,
        _ if answer.status == 401 => return CloudError::SignedOut { host },
        _ if answer.body.expose().trim_start().starts_with('<') => {
            return garbled(answer.status, at, "it is a page for people, not JSON");
        }
        _ => return garbled(answer.status, at, "it is an error without a word"),
    };
    let said = Untrusted::new(if problem.detail.is_empty() { problem.title } else { problem.detail });
    match (answer.status, problem.code.as_str()) {
        (401, "reauth_required") => CloudError::ProofDue { host, said },
        (401, _) => CloudError::SignedOut { host },
        (status, code) => CloudError::Vending {
            host,
            status,
            code: Untrusted::new(code),
            said,
            request_id: Untrusted::new(problem.request_id),
            wait: answer.header("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs),
        },
    }
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    arn: String,
    #[serde(default)]
    partition: String,
    account: Account,
}

#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Signed {
    saml_response: Secret<String>,
    role_arn: String,
    sts: Option<String>,
    duration: u32,
}

#[derive(Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: Secret<String>,
    session_token: Secret<String>,
    expires: String,
    role_arn: String,
    session_name: String,
}

/// RFC 9457, with a word for programs.
#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    request_id: String,
}

#[cfg(test)]
mod tests;
