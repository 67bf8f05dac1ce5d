//! What Alibaba Cloud's own clients send otherwise than the product: its older form of a call, with every parameter in the address, and
//! the signature of that form.
//!
//! <https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::json;

use crate::alibaba::{error, once, plain_time, too_far};
use crate::signature::percent;
use crate::wire::{Breach, Fields, Reply, Request, breach};
use crate::world::{World, uuid};

/// What every call of this form has.
const COMMON: [&str; 5] = ["Action", "Version", "Format", "Timestamp", "SignatureNonce"];
const SIGNED: [&str; 5] = ["AccessKeyId", "SecurityToken", "SignatureMethod", "SignatureVersion", "Signature"];

/// Whether a parameter is a secret that Alibaba Cloud's own clients put into the address. The product is none of them.
pub(crate) fn wants_in_query(request: &Request, name: &str) -> bool {
    let is_theirs = request.header("user-agent").is_some_and(|agent| agent.starts_with("AlibabaCloud "));
    is_theirs && request.host.ends_with(".aliyuncs.com") && matches!(name, "SAMLAssertion" | "SecurityToken")
}

/// Answers a call in this form; nothing for any other.
pub(crate) fn answer(world: &mut World, request: &Request) -> Option<Result<Reply, Breach>> {
    let query = request.query_fields();
    match query.get("Action") {
        "AssumeRoleWithSAML" if query.find("SAMLAssertion").is_some() => Some(assume(world, request, &query)),
        "GetCallerIdentity" => Some(whoami(world, request, &query)),
        _ => None,
    }
}

/// The same call as the product sends it: what is every call's in the address, the rest in the body.
fn assume(world: &mut World, request: &Request, query: &Fields) -> Result<Reply, Breach> {
    named_once(request, query)?;
    if !request.body.is_empty() {
        return breach("a body where none belongs");
    }
    let (mut common, own): (Vec<_>, Vec<_>) =
        request.query.iter().cloned().partition(|(name, _)| COMMON.contains(&name.as_str()));
    for (name, value) in &mut common {
        if name == "Format" {
            *value = value.to_ascii_uppercase();
        }
    }
    let mut same = request.clone();
    same.query = common;
    same.headers.retain(|(name, _)| !matches!(name.as_str(), "x-acs-action" | "x-acs-version" | "content-type"));
    same.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    same.body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(own).finish().into_bytes();
    crate::alibaba::sts(world, &same)
}

/// The newer clients name action and version in headers too.
fn named_once(request: &Request, query: &Fields) -> Result<(), Breach> {
    let differs = |header: &str, name: &str| request.header(header).is_some_and(|value| value != query.get(name));
    match differs("x-acs-action", "Action") || differs("x-acs-version", "Version") {
        true => breach("the headers name another action, or version"),
        false => Ok(()),
    }
}

fn whoami(world: &mut World, request: &Request, query: &Fields) -> Result<Reply, Breach> {
    if !matches!(request.method.as_str(), "GET" | "POST") {
        return breach("the method is neither GET nor POST");
    }
    named_once(request, query)?;
    request.without(&["authorization", "cookie"])?;
    query.exactly(&[&COMMON[..], &SIGNED[..]].concat(), &["RegionId", "SignatureType"])?;
    if !request.body.is_empty() {
        return breach("a body where none belongs");
    }
    for (name, value) in
        [("Version", "2015-04-01"), ("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0"), ("SignatureType", "")]
    {
        if query.get(name) != value {
            return breach(format!("parameter `{name}` is not `{value}`"));
        }
    }
    if !query.get("Format").eq_ignore_ascii_case("json") {
        return breach("parameter `Format` is not JSON");
    }
    let moment = plain_time(query.get("Timestamp"))?;
    once(world, query.get("SignatureNonce"))?;
    let refuse = |status: u16, code: &str, text: &str| Ok(error(request, status, code, text));
    let Some(key) = world.keys.iter().find(|key| key.id == query.get("AccessKeyId")) else {
        return refuse(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
    };
    if key.token != query.get("SecurityToken") {
        let text = "Specified SecurityToken mismatch with the AccessKey.";
        return refuse(400, "InvalidSecurityToken.MismatchWithAccessKey", text);
    }
    if signature(&request.method, &query.0, &key.secret) != query.get("Signature") {
        world.violation(request, "the signature does not match");
        return refuse(400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.");
    }
    if too_far(world, moment) {
        return refuse(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.");
    }
    if world.cloud_now() >= key.expires {
        return refuse(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.");
    }
    Ok(Reply::json(
        200,
        &json!({
            "IdentityType": "AssumedRoleUser",
            "RequestId": uuid().to_ascii_uppercase(),
            "AccountId": key.account,
            "PrincipalId": key.principal,
            "RoleId": key.principal.split(':').next().unwrap_or_default(),
            "Arn": key.arn,
        }),
    ))
}

/// The signature of all parameters but itself.
fn signature(method: &str, parameters: &[(String, String)], secret: &str) -> String {
    let others = parameters.iter().filter(|(name, _)| name != "Signature");
    let mut pairs: Vec<String> = others.map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
    pairs.sort();
    let text = format!("{method}&%2F&{}", percent(&pairs.join("&")));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, format!("{secret}&").as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_sample() {
        let parameters = [
            ("Timestamp", "2016-02-23T12:46:24Z"),
            ("Format", "XML"),
            ("AccessKeyId", "testid"),
            ("Action", "DescribeRegions"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
            ("Version", "2014-05-26"),
            ("SignatureVersion", "1.0"),
            ("Signature", "not a part of it"),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(signature("GET", &parameters, "testsecret"), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
    }
}
