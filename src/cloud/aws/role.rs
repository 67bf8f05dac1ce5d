//! What a role says of whom it trusts: `GetRole` of IAM, a signed POST and an XML answer.
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

pub(super) async fn role_trust(
    role: &RoleArn,
    keys: &Keys,
    env: &Env,
    now: Timestamp,
    net: &dyn Transport,
) -> Result<Trusted, CloudError> {
    let (url, region) = place(role, env)?;
    let name = role.name().rsplit('/').next().unwrap_or_default();
    let request = Request::form(url.clone(), [("Action", "GetRole"), ("Version", "2010-05-08"), ("RoleName", name)]);
    let answer = net.send(&sign(request, keys, region, "iam", now)).await?;
    let garbled =
        |why: &str| CloudError::Garbled { host: url.host().to_owned(), status: answer.status, why: Untrusted::new(why) };
    let leaves = xml::leaves(answer.body.expose()).map_err(|_| garbled("it is not the XML that AWS sends"))?;
    let leaf = |path: &str| leaves.iter().find(|(p, _)| p.ends_with(path)).map(|(_, text)| text.as_str());
    if !answer.is_success() {
        return match leaf("Error/Code") {
            None => Err(garbled("it is an error without a code")),
            Some("NoSuchEntity") => Ok(Trusted::NoRole),
            Some(code) => Err(CloudError::Refused {
                cloud: CloudId::Aws,
                status: answer.status,
                code: Untrusted::new(code),
                message: Untrusted::new(leaf("Error/Message").unwrap_or_default()),
                request_id: Untrusted::new(leaf("RequestId").unwrap_or_default()),
                too_long: false,
            }),
        };
    }
    // A role of that name and another path is another role.
    match (leaf("Role/Arn"), leaf("AssumeRolePolicyDocument")) {
        (Some(arn), _) if arn != role.as_str() => Ok(Trusted::NoRole),
        (Some(_), Some(document)) => {
            // RFC 3986: a plus sign is a plus sign.
            let form = format!("p={}", document.replace('+', "%2B"));
            let text = url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, text)| text.into_owned());
            Ok(Trusted::Policy(text.unwrap_or_default()))
        }
        _ => Err(garbled("it has no role in it")),
    }
}
