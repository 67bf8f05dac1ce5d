//! IAM Identity Center's portal: which accounts and roles a person may take, and the keys of one.
//!
//! Unsigned JSON; the access token is in a header. <https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/Welcome.html>

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cloud::together::{Asked, together};
use crate::cloud::{CloudError, Endpoint, SessionWish};
use crate::types::{Assertion, Region};
use crate::types::{
    Choice, CloudAccountId, CloudId, Credentials, Offer, OfferedRole, Partition, PortalRole, PortalToken, RoleWish, Secret,
    Timestamp, Untrusted, WebUrl,
};
use crate::world::{Env, Request, Response, Transport};

/// How many accounts are asked about at once; the portal takes about twenty requests a second from a person.
const AT_ONCE: usize = 5;
/// No list has more pages than this; a server that goes on is broken.
const PAGES: usize = 200;

/// Where the portal answers: the environment's own address, else its region's. A portal on `app.aws` is spoken to by the hosts that
/// answer IPv6 too.
pub(super) fn endpoint(token: &PortalToken, env: &Env) -> Result<Endpoint, CloudError> {
    let bad = |text: &str, why: String| CloudError::PortalAddress { text: text.to_owned(), why };
    let named = match env.is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
        true => None,
        false => env.first(&["AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL"]).map(|(_, url)| url),
    };
    if let Some(text) = named {
        let url = WebUrl::parse(text).map_err(|why| bad(text, why.to_string()))?;
        return Ok(Endpoint { foreign: !Partition::owns(url.host()), url });
    }
    let region: &Region = token.region.as_ref().ok_or_else(|| bad(token.start.host(), "its region is not known".to_owned()))?;
    let dual_stack = env.is_on("AWS_USE_DUALSTACK_ENDPOINT") || token.start.host().ends_with(".app.aws");
    let host = Partition::host("portal.sso", region, env.is_on("AWS_USE_FIPS_ENDPOINT"), dual_stack);
    let url = WebUrl::parse(&format!("https://{host}/")).map_err(|why| bad(&host, why.to_string()))?;
    Ok(Endpoint { url, foreign: false })
}

/// One request to the portal. An address that the environment names may have a path of its own.
fn request(at: &WebUrl, path: &str, query: &[(&str, &str)], token: &PortalToken) -> Result<Request, CloudError> {
    let base = at.expose().path().trim_end_matches('/');
    let url = at.join(&format!("{base}{path}"));
    let url = url.map_err(|why| CloudError::PortalAddress { text: at.to_string(), why: why.to_string() })?;
    let url = if query.is_empty() { url } else { url.with_query(query.iter().copied()) };
    Ok(Request::get(url).header("accept", "application/json").header("x-amz-sso_bearer_token", token.access.clone()))
}

/// The keys of a role: the one request that no login can do without.
pub(super) async fn role_credentials(
    choice: &Choice,
    wish: &SessionWish,
    net: &dyn Transport,
) -> Result<Credentials, CloudError> {
    let (Assertion::Portal(token), OfferedRole::Portal { role, id }) = (choice.assertion(), choice.offered()) else {
        return Err(CloudError::Mismatch);
    };
    let query = [("role_name", id.as_str()), ("account_id", role.account().as_str())];
    let answer = net.send(&request(&wish.endpoint, "/federation/credentials", &query, token)?).await?;
    let read: RoleCredentials = read(&answer, &wish.endpoint, Some(role))?;
    let keys = read.role_credentials;
    let word = |text: &str| Credentials::one_word(text).map(str::to_owned);
    let (Some(key_id), Some(secret), Some(token), Some(expires)) = (
        word(&keys.access_key_id),
        word(keys.secret_access_key.expose()),
        word(keys.session_token.expose()),
        // In thousandths of a second since 1970.
        Timestamp::from_unix(keys.expiration / 1000).filter(|_| keys.expiration > 0),
    ) else {
        return Err(garbled(&answer, &wish.endpoint, "it has no credentials in it"));
    };
    Ok(Credentials {
        key_id,
        secret: Secret::new(secret),
        token: Secret::new(token),
        expires,
        issued: wish.now,
        role: crate::types::Role::Portal(role.clone()),
        // The portal does not tell what the role is called in IAM.
        assumed: role.to_string(),
        home_region: None,
    })
}

/// What the portal offers. Where the wish names account and role, nobody is asked: the portal refuses what is not offered.
pub(super) async fn offer(token: PortalToken, wish: &RoleWish, at: &WebUrl, net: &dyn Transport) -> Result<Offer, CloudError> {
    if let Some(role) = wish.at_portal() {
        let offered = OfferedRole::Portal { id: role.name().to_owned(), role };
        return Ok(Offer::new(Assertion::Portal(token), vec![offered], None));
    }
    let accounts: Vec<Account> =
        all(&token, at, net, "/assignment/accounts", &[], |page: Accounts| (page.account_list, page.next_token)).await?;
    let accounts: Vec<(CloudAccountId, String)> = accounts
        .into_iter()
        .filter_map(|account| {
            let name = account.account_name.or(account.email_address).unwrap_or_default();
            Some((CloudAccountId::parse(&account.account_id).ok()?, Untrusted::new(name).to_string()))
        })
        .collect();
    let mut roles = Vec::new();
    for some in accounts.chunks(AT_ONCE) {
        let asked = some.iter().map(|(account, _)| {
            let query = [("account_id", account.as_str())];
            let token = &token;
            Box::pin(async move {
                all(token, at, net, "/assignment/roles", &query, |page: Roles| (page.role_list, page.next_token)).await
            }) as Asked<'_, Result<Vec<RoleInfo>, CloudError>>
        });
        for ((account, _), found) in some.iter().zip(together(asked.collect()).await) {
            for RoleInfo { role_name } in found? {
                match PortalRole::new(account.clone(), &role_name) {
                    Some(role) => roles.push(OfferedRole::Portal { role, id: role_name }),
                    None => tracing::debug!(role = %Untrusted::new(role_name), "a role's name was passed over"),
                }
            }
        }
    }
    let names = accounts.into_iter().filter(|(_, name)| !name.is_empty()).collect::<BTreeMap<_, _>>();
    Ok(Offer::new(Assertion::Portal(token), roles, None).with_names(names))
}

/// Ends the session at the portal. Keys that were handed out stay good until they end.
pub(super) async fn sign_out(token: &PortalToken, at: &WebUrl, net: &dyn Transport) -> Result<(), CloudError> {
    let request = Request { method: crate::world::Method::Post, ..request(at, "/logout", &[], token)? };
    let answer = net.send(&Request { body: Some(Secret::from("")), ..request }).await?;
    match answer.is_success() || answer.status == 401 {
        // It had ended already.
        true => Ok(()),
        false => read::<serde::de::IgnoredAny>(&answer, at, None).map(|_| ()),
    }
}

/// Every item of a list that comes in pages.
async fn all<P, T>(
    token: &PortalToken,
    at: &WebUrl,
    net: &dyn Transport,
    path: &str,
    query: &[(&str, &str)],
    parts: fn(P) -> (Vec<T>, Option<String>),
) -> Result<Vec<T>, CloudError>
where
    P: for<'de> Deserialize<'de>,
{
    let mut items = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let mut pairs = query.to_vec();
        pairs.push(("max_result", "100"));
        pairs.extend(next.as_deref().map(|next| ("next_token", next)));
        let answer = net.send(&request(at, path, &pairs, token)?).await?;
        let (some, following) = parts(read(&answer, at, None)?);
        items.extend(some);
        match following.filter(|text| !text.is_empty()) {
            Some(following) => next = Some(following),
            None => return Ok(items),
        }
    }
    Err(CloudError::PortalGarbled { host: at.host().to_owned(), status: 200, why: Untrusted::new("its list does not end") })
}

fn garbled(answer: &Response, at: &WebUrl, why: &str) -> CloudError {
    CloudError::PortalGarbled { host: at.host().to_owned(), status: answer.status, why: Untrusted::new(why) }
}

/// Reads an answer, or why there is none. The kind of an error is in a header, its words in the body.
fn read<T: for<'de> Deserialize<'de>>(answer: &Response, at: &WebUrl, role: Option<&PortalRole>) -> Result<T, CloudError> {
    if answer.is_success() {
        return serde_json::from_str(answer.body.expose())
            .map_err(|_| garbled(answer, at, "it is not the JSON that the portal sends"));
    }
    let body: Failure = serde_json::from_str(answer.body.expose()).unwrap_or_default();
    let header = answer.header("x-amzn-errortype").map(str::to_owned);
    let kind = header.or(body.kind).unwrap_or_default();
    let code = kind.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default().to_owned();
    let message = body.message.or(body.message_capital).unwrap_or_default();
    match answer.status {
        401 => Err(CloudError::SignedOut { host: at.host().to_owned() }),
        403 => Err(CloudError::NoAccess { role: role.cloned(), said: Untrusted::new(message) }),
        _ if code.is_empty() && message.is_empty() => Err(garbled(answer, at, "it is an error without a word")),
        status => Err(CloudError::Refused {
            cloud: CloudId::Aws,
            code: Untrusted::new(if code.is_empty() { status.to_string() } else { code }),
            message: Untrusted::new(message),
            request_id: Untrusted::new(answer.header("x-amzn-requestid").unwrap_or_default()),
            status,
            too_long: false,
        }),
    }
}

#[derive(Deserialize, Default)]
struct Failure {
    message: Option<String>,
    #[serde(rename = "Message")]
    message_capital: Option<String>,
    #[serde(rename = "__type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentials {
    role_credentials: Keys,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    access_key_id: String,
    secret_access_key: Secret<String>,
    session_token: Secret<String>,
    expiration: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accounts {
    #[serde(default)]
    account_list: Vec<Account>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    account_id: String,
    account_name: Option<String>,
    email_address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Roles {
    #[serde(default)]
    role_list: Vec<RoleInfo>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleInfo {
    role_name: String,
}

#[cfg(test)]
mod tests;
