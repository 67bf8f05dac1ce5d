//! CloudSSO's portal: which accounts and access configurations a person may take, and the keys of one.
//!
//! JSON in Pascal case at the host of the sign-in URL; the access token is a bearer. There is no public description: this is what the
//! `aliyun` client says and hears (<https://github.com/aliyun/aliyun-cli>, `cloudsso/`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::cloud::together::{Asked, together};
use crate::cloud::{CloudError, Endpoint, SessionWish};
use crate::types::{
    Assertion, Choice, CloudAccountId, CloudId, Credentials, Offer, OfferedRole, PortalRole, PortalToken, Region, Role, RoleWish,
    Secret, Timestamp, Untrusted, WebUrl,
};
use crate::world::{Request, Response, Transport};

/// What the portal's hosts end with.
const OWN: &str = ".alibabacloudsso.com";
/// How many accounts are asked about at once.
const AT_ONCE: usize = 5;
/// No list has more pages than this; a server that goes on is broken.
const PAGES: usize = 200;

/// Where the portal answers: at the host of the sign-in URL.
pub(super) fn endpoint(token: &PortalToken) -> Result<Endpoint, CloudError> {
    let bad = |why: crate::types::BadUrl| CloudError::PortalAddress { text: token.start.to_string(), why: why.to_string() };
    let url = token.start.join("/").map_err(bad)?;
    Ok(Endpoint { foreign: !url.host().ends_with(OWN), url })
}

/// The region that tools use when nobody names one: the portal's own, `signin-REGION.alibabacloudsso.com`.
fn home_region(at: &WebUrl) -> Option<Region> {
    let region = at.host().strip_prefix("signin-")?.strip_suffix(OWN)?;
    Region::parse(region).ok()
}

fn address(at: &WebUrl, path: &str) -> Result<WebUrl, CloudError> {
    at.join(path).map_err(|why| CloudError::PortalAddress { text: at.to_string(), why: why.to_string() })
}

fn signed(request: Request, token: &PortalToken) -> Request {
    let bearer = Secret::new(format!("Bearer {}", token.access.expose()));
    request.header("accept", "application/json").header("authorization", bearer)
}

/// Whether it is an ID of an access configuration, like `ac-00ccule7tadaijxc0000`, and no name.
fn is_id(text: &str) -> bool {
    let is_of_one = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.strip_prefix("ac-").is_some_and(|rest| rest.len() >= 12 && rest.bytes().all(is_of_one))
}

/// The keys of an access configuration: the one request that no login can do without.
pub(super) async fn role_credentials(
    choice: &Choice,
    wish: &SessionWish,
    net: &dyn Transport,
) -> Result<Credentials, CloudError> {
    let (Assertion::Portal(token), OfferedRole::Portal { role, id }) = (choice.assertion(), choice.offered()) else {
        return Err(CloudError::Mismatch);
    };
    let at = &wish.endpoint;
    let body = json!({ "AccountId": role.account().as_str(), "AccessConfigurationId": id });
    let request = Request::post(address(at, "/cloud-credentials")?, "application/json", Secret::new(body.to_string()));
    let answer = net.send(&signed(request, token)).await?;
    let read: CloudCredentials = read(&answer, at, Some(role))?;
    let none = || garbled(&answer, at, "it has no credentials in it");
    let keys = read.cloud_credential.ok_or_else(none)?;
    let word = |text: &str| Credentials::one_word(text).map(str::to_owned);
    let (Some(key_id), Some(secret), Some(token), Some(expires)) = (
        word(&keys.access_key_id),
        word(keys.access_key_secret.expose()),
        word(keys.security_token.expose()),
        Timestamp::parse(&keys.expiration),
    ) else {
        return Err(none());
    };
    Ok(Credentials {
        key_id,
        secret: Secret::new(secret),
        token: Secret::new(token),
        expires,
        issued: wish.now,
        role: Role::Portal(role.clone()),
        // The portal does not tell what the role is called in RAM.
        assumed: role.to_string(),
        home_region: home_region(at),
    })
}

/// What the portal offers. Where the wish names account and access configuration, only that account is asked about, for the ID behind the
/// name; where it names the ID itself, nobody is asked.
pub(super) async fn offer(token: PortalToken, wish: &RoleWish, at: &WebUrl, net: &dyn Transport) -> Result<Offer, CloudError> {
    if let Some(role) = wish.at_portal() {
        let roles = match is_id(role.name()) {
            true => vec![OfferedRole::Portal { id: role.name().to_owned(), role }],
            false => roles_in(&token, role.account(), wish, at, net).await?,
        };
        return Ok(Offer::new(Assertion::Portal(token), roles, None));
    }
    let path = "/access-assignments/accounts";
    let parts = |page: Accounts| (page.accounts, page.more);
    let accounts: Vec<Account> = all(&token, at, net, path, &[("MaxResults", "100")], parts).await?;
    let accounts: Vec<(CloudAccountId, String)> = accounts
        .into_iter()
        .filter_map(|account| {
            let name = Untrusted::new(account.display_name.unwrap_or_default()).to_string();
            Some((CloudAccountId::parse(&account.account_id).ok()?, name))
        })
        .collect();
    let mut roles = Vec::new();
    for some in accounts.chunks(AT_ONCE) {
        let token = &token;
        let asked = some.iter().map(|(account, _)| {
            Box::pin(roles_in(token, account, wish, at, net)) as Asked<'_, Result<Vec<OfferedRole>, CloudError>>
        });
        for found in together(asked.collect()).await {
            roles.extend(found?);
        }
    }
    let names = accounts.into_iter().filter(|(_, name)| !name.is_empty()).collect::<BTreeMap<_, _>>();
    Ok(Offer::new(Assertion::Portal(token), roles, None).with_names(names))
}

/// The access configurations that the person may take in that account.
async fn roles_in(
    token: &PortalToken,
    account: &CloudAccountId,
    wish: &RoleWish,
    at: &WebUrl,
    net: &dyn Transport,
) -> Result<Vec<OfferedRole>, CloudError> {
    let path = "/access-assignments/access-configurations";
    let parts = |page: Configurations| (page.access_configurations_for_account, page.more);
    let found: Vec<Configuration> = all(token, at, net, path, &[("AccountId", account.as_str())], parts).await?;
    let wished = match wish {
        RoleWish::Name(name) => name.as_str(),
        _ => "",
    };
    let offered = |found: Configuration| {
        let id = found.access_configuration_id;
        // Whoever wishes for an ID means it by that.
        let name = if wished == id { &id } else { &found.access_configuration_name };
        let role = PortalRole::new(account.clone(), name);
        if role.is_none() {
            tracing::debug!(role = %Untrusted::new(name.as_str()), "the name of an access configuration was passed over");
        }
        role.map(|role| OfferedRole::Portal { role, id })
    };
    Ok(found.into_iter().filter_map(offered).collect())
}

/// Every item of a list that comes in pages.
async fn all<P, T>(
    token: &PortalToken,
    at: &WebUrl,
    net: &dyn Transport,
    path: &str,
    query: &[(&str, &str)],
    parts: fn(P) -> (Vec<T>, More),
) -> Result<Vec<T>, CloudError>
where
    P: for<'de> Deserialize<'de>,
{
    let url = address(at, path)?;
    let mut items = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let following = next.as_deref().map(|next| ("NextToken", next));
        let request = Request::get(url.with_query(query.iter().copied().chain(following)));
        let answer = net.send(&signed(request, token)).await?;
        let (some, more) = parts(read(&answer, at, None)?);
        items.extend(some);
        match more.next_token.filter(|text| more.is_truncated && !text.is_empty()) {
            Some(following) => next = Some(following),
            None => return Ok(items),
        }
    }
    Err(CloudError::PortalGarbled { host: at.host().to_owned(), status: 200, why: Untrusted::new("its list does not end") })
}

fn garbled(answer: &Response, at: &WebUrl, why: &str) -> CloudError {
    CloudError::PortalGarbled { host: at.host().to_owned(), status: answer.status, why: Untrusted::new(why) }
}

/// Reads an answer, or why there is none.
fn read<T: for<'de> Deserialize<'de>>(answer: &Response, at: &WebUrl, role: Option<&PortalRole>) -> Result<T, CloudError> {
    if answer.is_success() {
        return serde_json::from_str(answer.body.expose())
            .map_err(|_| garbled(answer, at, "it is not the JSON that the portal sends"));
    }
    let failure: Option<Failure> = serde_json::from_str(answer.body.expose()).ok();
    let failure = failure.filter(|failure| !failure.error_code.is_empty());
    let is_of_token = |failure: &Failure| failure.error_code.contains("AccessToken");
    match (answer.status, failure) {
        // Its word for a token that is over is not written down anywhere; the status says it too.
        (401, _) => Err(CloudError::SignedOut { host: at.host().to_owned() }),
        (_, Some(failure)) if is_of_token(&failure) => Err(CloudError::SignedOut { host: at.host().to_owned() }),
        (403, Some(failure)) => {
            let said = format!("{}: {}", failure.error_code, failure.error_message);
            Err(CloudError::NoAccess { role: role.cloned(), said: Untrusted::new(said) })
        }
        (status, Some(failure)) => Err(CloudError::Refused {
            cloud: CloudId::Alibaba,
            code: Untrusted::new(failure.error_code),
            message: Untrusted::new(failure.error_message),
            request_id: Untrusted::new(failure.request_id),
            status,
            too_long: false,
        }),
        (_, None) => Err(garbled(answer, at, "it is an error without a word")),
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Failure {
    error_code: String,
    error_message: String,
    request_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CloudCredentials {
    cloud_credential: Option<Keys>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    access_key_id: String,
    access_key_secret: Secret<String>,
    security_token: Secret<String>,
    expiration: String,
}

/// Whether a list goes on.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct More {
    #[serde(default)]
    is_truncated: bool,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Accounts {
    #[serde(default)]
    accounts: Vec<Account>,
    #[serde(flatten)]
    more: More,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    account_id: String,
    display_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configurations {
    #[serde(default)]
    access_configurations_for_account: Vec<Configuration>,
    #[serde(flatten)]
    more: More,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    access_configuration_id: String,
    access_configuration_name: String,
}

#[cfg(test)]
mod tests;
