//! What a role says of whom it trusts: `GetRole` of RAM, a signed POST and a JSON answer.
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

pub(super) async fn role_trust(
    role: &RoleArn,
    keys: &Keys,
    env: &Env,
    now: Timestamp,
    net: &dyn Transport,
) -> Result<Trusted, CloudError> {
    let text = env.get("ALIBABA_CLOUD_RAM_ENDPOINT").map_or_else(
        || "https://ram.aliyuncs.com/".to_owned(),
        |named| {
            if named.contains("://") { named.to_owned() } else { format!("https://{named}") }
        },
    );
    let url = WebUrl::parse(&text).map_err(|why| CloudError::Endpoint { text, why: why.to_string() })?;
    let request = Request::form(url.clone(), [("RoleName", role.name())]).header("accept", "application/json");
    let answer = net.send(&sign(request, keys, "GetRole", VERSION, now, &crate::world::nonce())).await?;
    let garbled =
        |why: &str| CloudError::Garbled { host: url.host().to_owned(), status: answer.status, why: Untrusted::new(why) };
    if !answer.is_success() {
        let failure: Failure =
            serde_json::from_str(answer.body.expose()).map_err(|_| garbled("it is not the JSON that Alibaba Cloud sends"))?;
        return match failure.code.as_str() {
            "" => Err(garbled("it is an error without a code")),
            "EntityNotExist.Role" => Ok(Trusted::NoRole),
            _ => Err(CloudError::Refused {
                cloud: CloudId::Alibaba,
                status: answer.status,
                code: Untrusted::new(failure.code),
                message: Untrusted::new(failure.message),
                request_id: Untrusted::new(failure.request_id),
                too_long: false,
            }),
        };
    }
    let found: Answer = serde_json::from_str(answer.body.expose()).map_err(|_| garbled("it has no role in it"))?;
    // RAM writes names in ARNs in lower case.
    match found.role.arn.eq_ignore_ascii_case(role.as_str()) {
        true => Ok(Trusted::Policy(found.role.assume_role_policy_document)),
        false => Ok(Trusted::NoRole),
    }
}
