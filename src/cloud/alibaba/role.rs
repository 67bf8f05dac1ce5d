//! What a role says of whom it trusts, and whether there is a user: `GetRole` and `GetUser` of RAM, a signed POST and a JSON answer.
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-ram-2015-05-01-getrole>

use serde::Deserialize;

use super::sign::sign;
use crate::cloud::chain::Keys;
use crate::cloud::{CloudError, Trusted};
use crate::types::{CloudId, RoleArn, Timestamp, Untrusted, WebUrl};
use crate::world::{Env, Request, Transport};

/// Version of RAM's API.
const VERSION: &str = "2015-05-01";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    role: Role,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Role {
    arn: String,
    assume_role_policy_document: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Failure {
    code: String,
    message: String,
    request_id: String,
}

/// What RAM says: its answer with a way to call it garbled, or nothing where `missing` is its word for why not.
async fn ask<T: serde::de::DeserializeOwned>(
    action: (&str, &str, &str),
    missing: &str,
    keys: &Keys,
    env: &Env,
    now: Timestamp,
    net: &dyn Transport,
) -> Result<Option<T>, CloudError> {
    let text = env.get("ALIBABA_CLOUD_RAM_ENDPOINT").map_or_else(
        || "https://ram.aliyuncs.com/".to_owned(),
        |named| {
            if named.contains("://") { named.to_owned() } else { format!("https://{named}") }
        },
    );
    let url = WebUrl::parse(&text).map_err(|why| CloudError::Endpoint { text, why: why.to_string() })?;
    let (action, field, name) = action;
    let request = Request::form(url.clone(), [(field, name)]).header("accept", "application/json");
    let answer = net.send(&sign(request, keys, action, VERSION, now, &crate::world::nonce())).await?;
    let garbled =
        |why: &str| CloudError::Garbled { host: url.host().to_owned(), status: answer.status, why: Untrusted::new(why) };
    if answer.is_success() {
        return serde_json::from_str(answer.body.expose()).map(Some).map_err(|_| garbled("what was asked for is not in it"));
    }
    let failure: Failure =
        serde_json::from_str(answer.body.expose()).map_err(|_| garbled("it is not the JSON that Alibaba Cloud sends"))?;
    match failure.code.as_str() {
        "" => Err(garbled("it is an error without a code")),
        code if code == missing => Ok(None),
        _ => Err(CloudError::Refused {
            cloud: CloudId::Alibaba,
            status: answer.status,
            code: Untrusted::new(failure.code),
            message: Untrusted::new(failure.message),
            request_id: Untrusted::new(failure.request_id),
            too_long: false,
        }),
    }
}

pub(super) async fn role_trust(
    role: &RoleArn,
    keys: &Keys,
    env: &Env,
    now: Timestamp,
    net: &dyn Transport,
) -> Result<Trusted, CloudError> {
    let asked = ("GetRole", "RoleName", role.name());
    let found: Option<Answer> = ask(asked, "EntityNotExist.Role", keys, env, now, net).await?;
    // RAM writes names in ARNs in lower case.
    Ok(match found {
        Some(found) if found.role.arn.eq_ignore_ascii_case(role.as_str()) => {
            Trusted::Policy(found.role.assume_role_policy_document)
        }
        _ => Trusted::NoRole,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserAnswer {
    user: User,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    user_name: String,
}

/// `GetUser`: <https://www.alibabacloud.com/help/en/ram/developer-reference/api-ram-2015-05-01-getuser>
pub(super) async fn has_user(
    user: &str,
    keys: &Keys,
    env: &Env,
    now: Timestamp,
    net: &dyn Transport,
) -> Result<bool, CloudError> {
    let found: Option<UserAnswer> = ask(("GetUser", "UserName", user), "EntityNotExist.User", keys, env, now, net).await?;
    Ok(found.is_some_and(|found| found.user.user_name.eq_ignore_ascii_case(user)))
}
