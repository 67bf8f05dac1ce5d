//! What a role says of whom it trusts, and whether there is a user: `GetRole` and `GetUser` of IAM, a signed POST and an XML answer.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>

use super::sign::sign;
use crate::cloud::chain::Keys;
use crate::cloud::{CloudError, Trusted};
use crate::text::xml;
use crate::types::{CloudId, RoleArn, Timestamp, Untrusted, WebUrl};
use crate::world::{Env, Request, Transport};

/// Where a partition's IAM answers, and the region that a signature for it names.
/// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
fn place(role: &RoleArn, env: &Env) -> Result<(WebUrl, &'static str), CloudError> {
    let (host, region) = match role.partition() {
        "aws-cn" => ("iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        "aws-us-gov" => ("iam.us-gov.amazonaws.com", "us-gov-west-1"),
        _ => ("iam.amazonaws.com", "us-east-1"),
    };
    let named = env.first(&["AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL"]).map(|(_, url)| url.to_owned());
    let text = named.unwrap_or_else(|| format!("https://{host}/"));
    let url = WebUrl::parse(&text).map_err(|why| CloudError::Endpoint { text, why: why.to_string() })?;
    Ok((url, region))
}

/// What IAM says: the leaves of its answer, or nothing where there is no such entity.
async fn ask(
    beside: &RoleArn,
    action: (&str, &str, &str),
    keys: &Keys,
    env: &Env,
    now: Timestamp,
    net: &dyn Transport,
) -> Result<Option<Said>, CloudError> {
    let (url, region) = place(beside, env)?;
    let (action, field, name) = action;
    let request = Request::form(url.clone(), [("Action", action), ("Version", "2010-05-08"), (field, name)]);
    let answer = net.send(&sign(request, keys, region, "iam", now)).await?;
    let garbled =
        |why: &str| CloudError::Garbled { host: url.host().to_owned(), status: answer.status, why: Untrusted::new(why) };
    let leaves = xml::leaves(answer.body.expose()).map_err(|_| garbled("it is not the XML that AWS sends"))?;
    let said = Said { leaves, host: url.host().to_owned(), status: answer.status };
    if answer.is_success() {
        return Ok(Some(said));
    }
    match said.leaf("Error/Code") {
        None => Err(said.garbled("it is an error without a code")),
        Some("NoSuchEntity") => Ok(None),
        Some(code) => Err(CloudError::Refused {
            cloud: CloudId::Aws,
            status: said.status,
            code: Untrusted::new(code),
            message: Untrusted::new(said.leaf("Error/Message").unwrap_or_default()),
            request_id: Untrusted::new(said.leaf("RequestId").unwrap_or_default()),
            too_long: false,
        }),
    }
}

/// An answer of IAM.
struct Said {
    leaves: Vec<(String, String)>,
    host: String,
    status: u16,
}

impl Said {
    fn leaf(&self, path: &str) -> Option<&str> {
        self.leaves.iter().find(|(p, _)| p.ends_with(path)).map(|(_, text)| text.as_str())
    }

    fn garbled(&self, why: &str) -> CloudError {
        CloudError::Garbled { host: self.host.clone(), status: self.status, why: Untrusted::new(why) }
    }
}

pub(super) async fn role_trust(
    role: &RoleArn,
    keys: &Keys,
    env: &Env,
    now: Timestamp,
    net: &dyn Transport,
) -> Result<Trusted, CloudError> {
    let name = role.name().rsplit('/').next().unwrap_or_default();
    let Some(said) = ask(role, ("GetRole", "RoleName", name), keys, env, now, net).await? else { return Ok(Trusted::NoRole) };
    // A role of that name and another path is another role.
    match (said.leaf("Role/Arn"), said.leaf("AssumeRolePolicyDocument")) {
        (Some(arn), _) if arn != role.as_str() => Ok(Trusted::NoRole),
        (Some(_), Some(document)) => {
            // RFC 3986: a plus sign is a plus sign.
            let form = format!("p={}", document.replace('+', "%2B"));
            let text = url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, text)| text.into_owned());
            Ok(Trusted::Policy(text.unwrap_or_default()))
        }
        _ => Err(said.garbled("it has no role in it")),
    }
}

/// `GetUser`: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html>
pub(super) async fn has_user(
    beside: &RoleArn,
    user: &str,
    keys: &Keys,
    env: &Env,
    now: Timestamp,
    net: &dyn Transport,
) -> Result<bool, CloudError> {
    match ask(beside, ("GetUser", "UserName", user), keys, env, now, net).await? {
        None => Ok(false),
        Some(said) if said.leaf("User/UserName").is_some_and(|name| name.eq_ignore_ascii_case(user)) => Ok(true),
        Some(said) => Err(said.garbled("it has no such user in it")),
    }
}
