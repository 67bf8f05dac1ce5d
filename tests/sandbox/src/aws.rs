//! AWS STS: `AssumeRoleWithSAML` and `AssumeRoleWithWebIdentity`, which are not signed, `AssumeRole` and `GetCallerIdentity`, which are.

use jiff::Timestamp;

use crate::people::Grant;
use crate::saml::{Issued, Refusal, Site, redeem};
use crate::signature::{Authorization, aws4};
use crate::trusts::{shows_factor, trust};
use crate::wire::{Breach, Fields, Reply, Request, breach, escape};
use crate::world::{Key, World, capitals, later, noise, uuid};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION: &str = "2011-06-15";
/// How far a client's clock may be off, in seconds.
const CLOCK_SKEW: i64 = 900;

/// Answers for `sts.amazonaws.com` and `sts.<region>.amazonaws.com[.cn]`.
pub(crate) fn sts(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if request.path != "/" {
        return breach("the path is not /");
    }
    let (site, region) = place(&request.host)?;
    let fields = match request.method.as_str() {
        "POST" => {
            request.no_query()?;
            request.form()?
        }
        "GET" => request.query_fields(),
        _ => return breach("the method is neither GET nor POST"),
    };
    if fields.get("Version") != VERSION {
        return breach(format!("parameter `Version` is not {VERSION}"));
    }
    match (request.method.as_str(), fields.get("Action")) {
        ("POST", "AssumeRoleWithWebIdentity") => crate::sts_web::aws(world, request, &fields),
        ("POST", "AssumeRoleWithSAML") => assume(world, request, &fields, site),
        ("POST", "AssumeRole") => assume_role(world, request, &fields, region),
        (_, "GetCallerIdentity") => whoami(world, request, &fields, region),
        (method, action) => breach(format!("no action `{action}` with {method}")),
    }
}

/// Partition and region that a host name speaks of.
fn place(host: &str) -> Result<(Site, &str), Breach> {
    let rest = host.strip_prefix("sts.").unwrap_or_default();
    let china = rest.strip_suffix(".amazonaws.com.cn");
    let region = match china.or_else(|| rest.strip_suffix(".amazonaws.com")) {
        Some(region) => region,
        None => return Ok((Site::Aws, "us-east-1")),
    };
    let parts: Vec<&str> = region.split('-').collect();
    let letters = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let well_formed = match parts.as_slice() {
        [names @ .., last] => (2..=3).contains(&names.len()) && names.iter().all(letters) && number(last),
        [] => false,
    };
    if !well_formed || (parts[0] == "cn") != china.is_some() {
        return breach(format!("`{region}` is no region of that domain"));
    }
    let site = match (china, parts[1]) {
        (Some(_), _) => Site::AwsChina,
        (None, "gov") => Site::AwsGov,
        (None, _) => Site::Aws,
    };
    Ok((site, region))
}

fn assume(world: &mut World, request: &Request, fields: &Fields, site: Site) -> Result<Reply, Breach> {
    request.without(&["authorization", "cookie", "x-amz-security-token"])?;
    let limits = ["DurationSeconds", "Policy", "PolicyArns.member.1.arn", "PolicyArns.member.2.arn"];
    fields.exactly(&["Action", "Version", "RoleArn", "PrincipalArn", "SAMLAssertion"], &limits)?;
    if let Some(refused) = policies(fields)? {
        return Ok(refused);
    }
    let (role, provider) = (fields.get("RoleArn"), fields.get("PrincipalArn"));
    let seconds = match length(fields)? {
        Ok(seconds) => seconds,
        Err(refused) => return Ok(refused),
    };
    let issued = match redeem(world, fields.get("SAMLAssertion"), &[site]) {
        Ok(issued) => issued,
        Err(refusal) => return Ok(refused(refusal)),
    };
    let listed = |grant: &&Grant| grant.role == role && grant.provider == provider;
    let Some(grant) = issued.grants.iter().find(listed) else {
        return Ok(error(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML"));
    };
    if seconds > grant.max_session {
        return Ok(error(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let seconds = issued.longest(world.cloud_now(), seconds);
    let key = issue(world, role, grant.account(), &issued.session_name, seconds);
    Ok(assumed(&key, &issued))
}

/// Fails for a policy without a name; answers one that is none.
fn policies(fields: &Fields) -> Result<Option<Reply>, Breach> {
    if fields.find("Policy").is_some_and(|policy| serde_json::from_str::<serde_json::Value>(policy).is_err()) {
        return Ok(Some(error(400, "MalformedPolicyDocument", "Syntax errors in policy.")));
    }
    let names = ["PolicyArns.member.1.arn", "PolicyArns.member.2.arn"];
    match names.iter().any(|name| fields.find(name).is_some_and(|arn| !arn.starts_with("arn:aws"))) {
        true => breach("a policy has no ARN"),
        false => Ok(None),
    }
}

/// The wished length, or the refusal of one that no role allows.
fn length(fields: &Fields) -> Result<Result<u32, Reply>, Breach> {
    let Ok(seconds) = fields.find("DurationSeconds").unwrap_or("3600").parse::<u32>() else {
        return breach("parameter `DurationSeconds` is not a number");
    };
    let bound = match seconds {
        0..900 => "greater than or equal to 900",
        43201.. => "less than or equal to 43200",
        _ => return Ok(Ok(seconds)),
    };
    let text = format!(
        "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: \
         Member must have value {bound}"
    );
    Ok(Err(error(400, "ValidationError", &text)))
}

/// New keys for a session of a role.
fn issue(world: &mut World, role: &str, account: &str, session: &str, seconds: u32) -> Key {
    let partition = role.split(':').nth(1).unwrap_or_default();
    let name = role.rsplit('/').next().unwrap_or_default();
    let key = Key {
        id: format!("ASIA{}", capitals::<16>()),
        secret: noise::<30>(),
        token: format!("IQoJb3JpZ2luX2Vj//{}", noise::<420>()),
        expires: later(world.cloud_now(), i64::from(seconds)),
        arn: format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}"),
        who: role.to_owned(),
        account: account.to_owned(),
        principal: format!("AROA{}:{session}", capitals::<17>()),
    };
    world.secret(&key.secret);
    world.secret(&key.token);
    world.keys.push(key.clone());
    key
}

/// `AssumeRole`: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
fn assume_role(world: &mut World, request: &Request, fields: &Fields, region: &str) -> Result<Reply, Breach> {
    let optional = [
        "DurationSeconds",
        "ExternalId",
        "Policy",
        "PolicyArns.member.1.arn",
        "PolicyArns.member.2.arn",
        "SourceIdentity",
        "SerialNumber",
        "TokenCode",
        "Tags.member.1.Key",
        "Tags.member.1.Value",
        "Tags.member.2.Key",
        "Tags.member.2.Value",
        "TransitiveTagKeys.member.1",
    ];
    fields.exactly(&["Action", "Version", "RoleArn", "RoleSessionName"], &optional)?;
    if optional.iter().any(|name| fields.find(name).is_some_and(str::is_empty)) {
        return breach("a parameter is empty");
    }
    let caller = match caller(world, request, region)? {
        Ok(caller) => caller,
        Err(refused) => return Ok(refused),
    };
    if let Some(refused) = policies(fields)? {
        return Ok(refused);
    }
    let session = fields.get("RoleSessionName");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(allowed) {
        let text = format!(
            "1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\w+=,.@-]*"
        );
        return Ok(error(400, "ValidationError", &text));
    }
    let seconds = match length(fields)? {
        Ok(seconds) => seconds,
        Err(refused) => return Ok(refused),
    };
    let role = fields.get("RoleArn");
    let denied = format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {role}", caller.arn);
    let Ok(trust) = trust(world, role, &caller, fields.find("ExternalId")) else {
        return Ok(error(403, "AccessDenied", &denied));
    };
    if let Some(wanted) = &trust.mfa
        && !shows_factor(world, &caller, wanted, fields.find("SerialNumber"), fields.find("TokenCode"))
    {
        let text = match fields.find("TokenCode") {
            Some(_) => "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
            None => &denied,
        };
        return Ok(error(403, "AccessDenied", text));
    }
    if !caller.token.is_empty() && seconds > 3600 {
        let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.";
        return Ok(error(400, "ValidationError", text));
    }
    if seconds > trust.max_session {
        let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Ok(error(400, "ValidationError", text));
    }
    let account = role.split(':').nth(4).unwrap_or_default();
    let key = issue(world, role, account, session, seconds);
    let result = format!("  <AssumeRoleResult>\n{}  </AssumeRoleResult>\n", keys(&key));
    Ok(document("AssumeRoleResponse", &result))
}

fn refused(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::Unknown => {
            error(400, "InvalidIdentityToken", "Response signature invalid (Service: AWSSecurityTokenService; Status Code: 400)")
        }
        Refusal::Audience => error(
            400,
            "InvalidIdentityToken",
            "Specified provider doesn't exist (Service: AWSSecurityTokenService; \
             Error Code: AuthSamlManifestNotFoundException)",
        ),
        Refusal::Early => error(400, "InvalidIdentityToken", "Issuing time of the assertion is in the future"),
        Refusal::Expired => error(400, "ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance"),
    }
}

fn assumed(key: &Key, issued: &Issued) -> Reply {
    let result = format!(
        "  <AssumeRoleWithSAMLResult>\n    \
         <Audience>{acs}</Audience>\n{keys}    \
         <Subject>{subject}</Subject>\n    \
         <NameQualifier>{qualifier}</NameQualifier>\n    \
         <SubjectType>persistent</SubjectType>\n    \
         <Issuer>{issuer}</Issuer>\n  \
         </AssumeRoleWithSAMLResult>\n",
        acs = issued.site.acs(),
        keys = keys(key),
        subject = escape(&issued.subject),
        qualifier = noise::<20>(),
        issuer = escape(&issued.issuer),
    );
    document("AssumeRoleWithSAMLResponse", &result)
}

/// Who was assumed, and the keys.
fn keys(key: &Key) -> String {
    format!(
        "    <AssumedRoleUser>\n      \
         <AssumedRoleId>{principal}</AssumedRoleId>\n      \
         <Arn>{arn}</Arn>\n    \
         </AssumedRoleUser>\n    \
         <Credentials>\n      \
         <AccessKeyId>{id}</AccessKeyId>\n      \
         <SecretAccessKey>{secret}</SecretAccessKey>\n      \
         <SessionToken>{token}</SessionToken>\n      \
         <Expiration>{expires}</Expiration>\n    \
         </Credentials>\n",
        principal = escape(&key.principal),
        arn = escape(&key.arn),
        id = key.id,
        secret = key.secret,
        token = key.token,
        expires = key.expires,
    )
}

pub(crate) fn document(name: &str, result: &str) -> Reply {
    let id = uuid();
    let text = format!(
        "<{name} xmlns=\"{NAMESPACE}\">\n{result}  <ResponseMetadata>\n    <RequestId>{id}</RequestId>\n  \
         </ResponseMetadata>\n</{name}>\n"
    );
    Reply::new(200, "text/xml", text).with("x-amzn-requestid", &id)
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> Reply {
    let id = uuid();
    let text = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>Sender</Type>\n    \
         <Code>{code}</Code>\n    <Message>{}</Message>\n  </Error>\n  \
         <RequestId>{id}</RequestId>\n</ErrorResponse>\n",
        escape(message)
    );
    Reply::new(status, "text/xml", text).with("x-amzn-requestid", &id)
}

/// A time in the compact form of `x-amz-date`.
fn compact_time(text: &str) -> Option<Timestamp> {
    if !text.is_ascii() || text.len() != 16 {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}-{}-{}T{}:{}:{}", part(0, 4), part(4, 6), part(6, 8), part(9, 11), part(11, 13), part(13, 16)).parse().ok()
}

fn whoami(world: &mut World, request: &Request, fields: &Fields, region: &str) -> Result<Reply, Breach> {
    fields.exactly(&["Action", "Version"], &[])?;
    let key = match caller(world, request, region)? {
        Ok(key) => key,
        Err(refused) => return Ok(refused),
    };
    let result = format!(
        "  <GetCallerIdentityResult>\n    <Arn>{}</Arn>\n    <UserId>{}</UserId>\n    \
         <Account>{}</Account>\n  </GetCallerIdentityResult>\n",
        escape(&key.arn),
        escape(&key.principal),
        key.account
    );
    Ok(document("GetCallerIdentityResponse", &result))
}

/// Whose keys have signed the request, or the refusal. The signature is computed anew here.
fn caller(world: &mut World, request: &Request, region: &str) -> Result<Result<Key, Reply>, Breach> {
    let refuse = |code: &str, text: &str| Ok(Err(error(403, code, text)));
    let authorization = Authorization::of(request, "AWS4-HMAC-SHA256")?;
    authorization.covers(&["host", "x-amz-date"])?;
    let moment = request.header("x-amz-date").unwrap_or_default();
    let Some(at) = compact_time(moment) else {
        return breach("header `x-amz-date` is malformed");
    };
    let scope: Vec<&str> = authorization.credential.split('/').collect();
    let [id, date, signed_region, service, "aws4_request"] = scope.as_slice() else {
        return breach("the credential's scope is malformed");
    };
    if !moment.starts_with(date) || *signed_region != region || *service != "sts" {
        return breach(format!("the scope {date}/{signed_region}/{service} does not fit {region} and sts"));
    }
    let Some(key) = world.keys.iter().find(|key| key.id == *id).cloned() else {
        return refuse("InvalidClientTokenId", "The security token included in the request is invalid.");
    };
    let token = request.header("x-amz-security-token");
    // Keys belong to their partition: another one has never heard of them.
    let partition = key.arn.split(':').nth(1).unwrap_or_default();
    let is_home = match partition {
        "aws-cn" => region.starts_with("cn-"),
        "aws-us-gov" => region.starts_with("us-gov-"),
        _ => !region.starts_with("cn-") && !region.starts_with("us-gov-"),
    };
    if token.unwrap_or_default() != key.token || !is_home {
        return refuse("InvalidClientTokenId", "The security token included in the request is invalid");
    }
    if token.is_some() {
        authorization.covers(&["x-amz-security-token"])?;
    }
    if !request.body.is_empty() {
        authorization.covers(&["content-type"])?;
    }
    let scope = [*date, *signed_region, *service];
    let right = aws4(request, &authorization.signed, &key.secret, moment, scope);
    let now = world.cloud_now();
    let expired = now >= key.expires;
    if right != authorization.signature {
        world.violation(request, "the signature does not match");
        return refuse(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.",
        );
    }
    if (at.as_second() - now.as_second()).abs() > CLOCK_SKEW {
        return refuse("SignatureDoesNotMatch", "Signature expired: the clocks differ by more than 15 min.");
    }
    if expired {
        return refuse("ExpiredToken", "The security token included in the request is expired");
    }
    Ok(Ok(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let of = |host: &str| place(host).ok().map(|(site, region)| (site, region.to_owned()));
        let is = |site: Site, region: &str| Some((site, region.to_owned()));
        assert_eq!(of("sts.amazonaws.com"), is(Site::Aws, "us-east-1"));
        assert_eq!(of("sts.eu-west-1.amazonaws.com"), is(Site::Aws, "eu-west-1"));
        assert_eq!(of("sts.us-gov-west-1.amazonaws.com"), is(Site::AwsGov, "us-gov-west-1"));
        assert_eq!(of("sts.cn-north-1.amazonaws.com.cn"), is(Site::AwsChina, "cn-north-1"));
        assert_eq!(of("sts.cn-north-1.amazonaws.com"), None);
        assert_eq!(of("sts.eu-west-1.amazonaws.com.cn"), None);
        assert_eq!(of("sts.nowhere.amazonaws.com"), None);
    }

    #[test]
    fn compact_times() {
        assert_eq!(compact_time("20150830T123600Z").map(|at| at.to_string()), Some("2015-08-30T12:36:00Z".to_owned()));
        assert_eq!(compact_time("2015-08-30T12:36"), None);
    }
}
