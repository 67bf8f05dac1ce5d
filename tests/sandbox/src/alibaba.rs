//! Alibaba Cloud: its token service and its sign-in page.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::people::Grant;
use crate::saml::{Refusal, Site, redeem};
use crate::signature::{Authorization, acs3, sha256};
use crate::trusts::{Closed, trust};
use crate::wire::{Breach, Fields, Reply, Request, breach};
use crate::world::{Key, World, capitals, hex, later, noise, random, uuid};

const VERSION: &str = "2015-04-01";
/// How far a client's clock may be off, in seconds.
const CLOCK_SKEW: i64 = 900;
/// Both sites share the token service.
const SITES: [Site; 2] = [Site::Alibaba, Site::AlibabaInternational];

/// Answers for `sts.aliyuncs.com`, `sts.<region>.aliyuncs.com` and `sts-vpc.<region>.aliyuncs.com`.
pub(crate) fn sts(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if request.path != "/" {
        return breach("the path is not /");
    }
    if let Some(answered) = crate::rpc::answer(world, request) {
        return answered;
    }
    let query = request.query_fields();
    match (query.find("Action"), request.header("x-acs-action")) {
        (Some("AssumeRoleWithSAML" | "AssumeRoleWithOIDC"), None) => assume(world, request, &query),
        (None, Some("AssumeRole")) => assume_role(world, request),
        (None, Some("GetCallerIdentity")) => whoami(world, request),
        (Some(_), Some(_)) => breach("the action is named twice"),
        (query, header) => breach(format!("no action `{}`", query.or(header).unwrap_or_default())),
    }
}

/// An error in the form of the cloud's gateway.
pub(crate) fn error(request: &Request, status: u16, code: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({
            "RequestId": uuid().to_ascii_uppercase(),
            "HostId": request.host,
            "Code": code,
            "Message": message,
        }),
    )
}

/// A time like `2026-01-02T03:04:05Z`, without a fraction and in UTC.
pub(crate) fn plain_time(text: &str) -> Result<Timestamp, Breach> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    match text.parse() {
        Ok(moment) if shape == "0000-00-00T00:00:00Z" => Ok(moment),
        _ => breach(format!("`{text}` is not a time like 2026-01-02T03:04:05Z")),
    }
}

/// Fails if a number that may be used once comes again.
pub(crate) fn once(world: &mut World, nonce: &str) -> Result<(), Breach> {
    if nonce.len() < 8 {
        return breach("the nonce is too short");
    }
    match world.nonces.insert(nonce.to_owned()) {
        true => Ok(()),
        false => breach("the nonce was used before"),
    }
}

pub(crate) fn too_far(world: &World, moment: Timestamp) -> bool {
    (moment.as_second() - world.cloud_now().as_second()).abs() > CLOCK_SKEW
}

fn assume(world: &mut World, request: &Request, query: &Fields) -> Result<Reply, Breach> {
    if request.method != "POST" {
        return breach("the method is not POST");
    }
    request.without(&["authorization", "cookie", "x-acs-security-token"])?;
    query.exactly(&["Action", "Version", "Format", "Timestamp", "SignatureNonce"], &[])?;
    if query.get("Version") != VERSION {
        return breach(format!("parameter `Version` is not {VERSION}"));
    }
    if query.get("Format") != "JSON" {
        return breach("parameter `Format` is not JSON");
    }
    let moment = plain_time(query.get("Timestamp"))?;
    once(world, query.get("SignatureNonce"))?;
    let fields = request.form()?;
    if query.get("Action") == "AssumeRoleWithOIDC" {
        return match too_far(world, moment) {
            true => Ok(error(request, 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")),
            false => crate::sts_web::alibaba(world, request, &fields),
        };
    }
    fields.exactly(&["RoleArn", "SAMLProviderArn", "SAMLAssertion"], &["DurationSeconds", "Policy"])?;
    let refuse = |status: u16, code: &str, text: &str| Ok(error(request, status, code, text));
    if fields.find("Policy").is_some_and(|policy| serde_json::from_str::<Value>(policy).is_err()) {
        return refuse(400, "InvalidParameter.PolicyGrammar", "The parameter Policy has not passed grammar check.");
    }
    if too_far(world, moment) {
        return refuse(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.");
    }
    let response = fields.get("SAMLAssertion");
    if !(4..=100_000).contains(&response.len()) {
        return refuse(400, "InvalidParameter.SAMLAssertion", "The parameter SAMLAssertion is of a wrong length.");
    }
    let Ok(seconds) = fields.find("DurationSeconds").unwrap_or("3600").parse::<u32>() else {
        return breach("parameter `DurationSeconds` is not a number");
    };
    let too_long = |limit: u32| Ok(length(request, limit));
    if !(900..=43200).contains(&seconds) {
        return too_long(43200);
    }
    let issued = match redeem(world, response, &SITES) {
        Ok(issued) => issued,
        Err(Refusal::Expired) => {
            return refuse(401, "AuthenticationFail.SAMLAssertion.Expired", "The SAML Assertion is expired.");
        }
        Err(Refusal::Unknown | Refusal::Audience | Refusal::Early) => {
            return refuse(401, "AuthenticationFail.SAMLAssertion.Invalid", "The SAML Assertion is invalid.");
        }
    };
    let (role, provider) = (fields.get("RoleArn"), fields.get("SAMLProviderArn"));
    let Some(grant) = issued.grants.iter().find(|grant| grant.role == role) else {
        return refuse(401, "AuthenticationFail.NoPermission", "This operation is not permitted by the role's trust policy.");
    };
    if grant.provider != provider {
        return refuse(404, "EntityNotExist.SAMLProvider", "The SAML provider does not exist.");
    }
    if seconds > grant.max_session {
        return too_long(grant.max_session);
    }
    let seconds = issued.longest(world.cloud_now(), seconds);
    let key = issue(world, role, grant.account(), &issued.session_name, seconds);
    if issued.site == Site::AlibabaInternational {
        world.console.international.push(key.id.clone());
    }
    let mut answer = keys(&key);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert(
            "SAMLAssertionInfo".to_owned(),
            json!({
                "SubjectType": "persistent",
                "Subject": issued.subject,
                "Recipient": issued.site.acs(),
                "Issuer": issued.issuer,
            }),
        );
    }
    Ok(Reply::json(200, &answer))
}

/// The refusal of a length.
fn length(request: &Request, limit: u32) -> Reply {
    let text = format!("The Min/Max value of DurationSeconds is 15min/{}hr.", limit / 3600);
    error(request, 400, "InvalidParameter.DurationSeconds", &text)
}

/// New keys for a session of a role.
fn issue(world: &mut World, role: &str, account: &str, session: &str, seconds: u32) -> Key {
    let name = role.rsplit('/').next().unwrap_or_default();
    let key = Key {
        id: format!("STS.NU{}", capitals::<22>()),
        secret: capitals::<44>(),
        token: format!("CAIS{}", noise::<390>()),
        expires: later(world.cloud_now(), i64::from(seconds)),
        arn: format!("acs:ram::{account}:assumed-role/{name}/{session}"),
        who: role.to_owned(),
        account: account.to_owned(),
        principal: format!("3{}:{session}", number(17)),
    };
    world.secret(&key.secret);
    world.secret(&key.token);
    world.keys.push(key.clone());
    key
}

/// Who was assumed, and the keys.
fn keys(key: &Key) -> Value {
    json!({
        "RequestId": uuid().to_ascii_uppercase(),
        "AssumedRoleUser": { "Arn": key.arn, "AssumedRoleId": key.principal },
        "Credentials": {
            "AccessKeyId": key.id,
            "AccessKeySecret": key.secret,
            "SecurityToken": key.token,
            "Expiration": key.expires.to_string(),
        },
    })
}

/// `AssumeRole`, with its parameters in the body.
fn assume_role(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if request.method != "POST" {
        return breach("the method is not POST");
    }
    request.no_query()?;
    let fields = request.form()?;
    fields.exactly(&["RoleArn", "RoleSessionName"], &["DurationSeconds", "ExternalId", "Policy"])?;
    let caller = match caller(world, request)? {
        Ok(caller) => caller,
        Err(refused) => return Ok(refused),
    };
    let refuse = |status: u16, code: &str, text: &str| Ok(error(request, status, code, text));
    let session = fields.get("RoleSessionName");
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".@-_".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(allowed) {
        return refuse(400, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed.");
    }
    if fields.find("Policy").is_some_and(|policy| serde_json::from_str::<Value>(policy).is_err()) {
        return refuse(400, "InvalidParameter.PolicyGrammar", "The parameter Policy has not passed grammar check.");
    }
    let Ok(seconds) = fields.find("DurationSeconds").unwrap_or("3600").parse::<u32>() else {
        return breach("parameter `DurationSeconds` is not a number");
    };
    let role = fields.get("RoleArn");
    let trust = match trust(world, role, &caller, fields.find("ExternalId")) {
        Ok(trust) => trust,
        Err(Closed::Absent) => return refuse(404, "EntityNotExist.Role", "The specified Role does not exist."),
        Err(Closed::Denied) => {
            let text = "You are not authorized to do this action. You should be authorized by RAM.";
            return refuse(403, "NoPermission", text);
        }
    };
    if !(900..=trust.max_session).contains(&seconds) {
        return Ok(length(request, trust.max_session));
    }
    let account = role.split(':').nth(3).unwrap_or_default();
    let key = issue(world, role, account, session, seconds);
    Ok(Reply::json(200, &keys(&key)))
}

/// Random digits.
fn number(count: usize) -> String {
    random::<32>().iter().take(count).map(|byte| char::from(b'0' + byte % 10)).collect()
}

fn whoami(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if !matches!(request.method.as_str(), "GET" | "POST") {
        return breach("the method is neither GET nor POST");
    }
    for (name, value) in &request.query {
        // Clients may ask for their format; the action has no parameters of its own.
        if name != "Format" || !value.eq_ignore_ascii_case("json") {
            return breach(format!("parameter `{name}` does not belong here"));
        }
    }
    if !request.body.is_empty() {
        return breach("a body where none belongs");
    }
    let key = match caller(world, request)? {
        Ok(key) => key,
        Err(refused) => return Ok(refused),
    };
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

fn caller(world: &mut World, request: &Request) -> Result<Result<Key, Reply>, Breach> {
    caller_of(world, request, VERSION)
}

/// Whose keys have signed the request of that version of an API, or the refusal. The signature is computed anew here.
pub(crate) fn caller_of(world: &mut World, request: &Request, version: &str) -> Result<Result<Key, Reply>, Breach> {
    let authorization = Authorization::of(request, "ACS3-HMAC-SHA256")?;
    authorization.covers(&[
        "host",
        "x-acs-action",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-version",
    ])?;
    if !request.body.is_empty() {
        authorization.covers(&["content-type"])?;
    }
    let header = |name: &str| request.header(name).unwrap_or_default();
    if header("x-acs-version") != version {
        return breach(format!("header `x-acs-version` is not {version}"));
    }
    if header("x-acs-content-sha256") != sha256(&request.body) {
        return breach("header `x-acs-content-sha256` is not the body's digest");
    }
    let moment = plain_time(header("x-acs-date"))?;
    once(world, header("x-acs-signature-nonce"))?;
    let refuse = |status: u16, code: &str, text: &str| Ok(Err(error(request, status, code, text)));
    let found = world.keys.iter().find(|key| key.id == authorization.credential).cloned();
    let Some(key) = found else {
        return refuse(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
    };
    match request.header("x-acs-security-token") {
        None if key.token.is_empty() => {}
        None => {
            return refuse(400, "MissingSecurityToken", "SecurityToken is mandatory for this action.");
        }
        Some(token) if token != key.token => {
            return refuse(
                400,
                "InvalidSecurityToken.MismatchWithAccessKey",
                "Specified SecurityToken mismatch with the AccessKey.",
            );
        }
        Some(_) => authorization.covers(&["x-acs-security-token"])?,
    }
    if acs3(request, &authorization.signed, &key.secret) != authorization.signature {
        world.violation(request, "the signature does not match");
        return refuse(400, "SignatureDoesNotMatch", "The request signature does not conform to Alibaba Cloud standards.");
    }
    if too_far(world, moment) {
        return refuse(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.");
    }
    if world.cloud_now() >= key.expires {
        return refuse(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.");
    }
    Ok(Ok(key))
}

/// Answers for `signin.aliyun.com` and `signin.alibabacloud.com`.
pub(crate) fn signin(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if (request.host.as_str(), request.path.as_str()) == ("signin.aliyun.com", "/federation") {
        return crate::console::alibaba_federation(world, request);
    }
    let at = (request.method.as_str(), request.path.as_str());
    if at != ("POST", "/saml-role/sso") {
        return breach("the page takes POST /saml-role/sso only");
    }
    request.no_query()?;
    request.without(&["authorization"])?;
    let fields = request.form()?;
    fields.exactly(&["SAMLResponse"], &["RelayState"])?;
    let site = match request.host.as_str() {
        "signin.alibabacloud.com" => Site::AlibabaInternational,
        _ => Site::Alibaba,
    };
    let response = fields.get("SAMLResponse");
    let issued = match redeem(world, response, &[site]) {
        Ok(issued) => issued,
        Err(_) => {
            return Ok(Reply::html(400, "<!DOCTYPE html><html><body><p>The SAML assertion is invalid.</p></body></html>"));
        }
    };
    // With a single role nobody has to choose: the real page goes on to the console.
    if issued.grants.len() == 1 {
        return Ok(Reply::redirect("https://homenew.console.aliyun.com/"));
    }
    Ok(Reply::html(200, page(world, response, &issued.grants)))
}

fn page(world: &World, response: &str, grants: &[Grant]) -> String {
    let mut aliases = Map::new();
    let mut roles: Map<String, Value> = Map::new();
    for grant in grants {
        let account = grant.account().to_owned();
        let alias = world.directory.alias_of(&account).unwrap_or(&account);
        aliases.insert(account.clone(), Value::from(alias));
        let of_account = roles.entry(account.clone()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(of_account) = of_account {
            of_account.push(json!({
                "accountId": account,
                "providerArn": grant.provider,
                "raw": format!("{},{}", grant.role, grant.provider),
                "roleArn": grant.role,
                "roleName": grant.role_name(),
            }));
        }
    }
    let data = json!({
        "AccountAliasList": aliases,
        "RelayState": null,
        "SamlResponse": response,
        "RoleInfoList": roles,
    });
    // `</script>` inside a string would end the script.
    let data = data.to_string().replace("</", "<\\/");
    format!(
        "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>Alibaba Cloud</title></head>\n<body>\n\
         <div id=\"app\"></div>\n<script>\nwindow.SIGNIN_CONFIG = {{\n  LANG: \"en\",\n  \
         ROLE_SSO_PAGE: {data},\n  UA_ID: \"{}\"\n}};\n</script>\n</body>\n</html>\n",
        hex(&random::<8>())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_no_fraction() {
        assert!(plain_time("2026-01-02T03:04:05Z").is_ok());
        for wrong in ["2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05+00:00", "2026-13-02T03:04:05Z", "now"] {
            assert!(plain_time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nonces_are_used_once() {
        let mut world = World::default();
        assert!(once(&mut world, "12345678").is_ok());
        assert!(once(&mut world, "12345678").is_err());
        assert!(once(&mut world, "1").is_err());
    }
}
