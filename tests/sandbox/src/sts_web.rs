//! The clouds' calls for ID tokens: `AssumeRoleWithWebIdentity` and `AssumeRoleWithOIDC`. Neither is signed.

use serde_json::json;

use crate::web_identity::{Refusal, Taken, end_of, redeem};
use crate::wire::{Breach, Fields, Reply, Request, breach, escape};
use crate::world::{Key, World, capitals, later, noise, uuid};
use crate::{alibaba, aws};

/// The characters of a session's name.
fn check_session(name: &str, more: &str) -> Result<(), Breach> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_.@-".contains(c) || more.contains(c);
    match (2..=64).contains(&name.len()) && name.chars().all(good) {
        true => Ok(()),
        false => breach(format!("`{name}` is no session name")),
    }
}

fn key(world: &World, taken: &Taken, session: &str, seconds: u32, is_aws: bool) -> Key {
    let role = taken.trust.role;
    let name = role.rsplit('/').next().unwrap_or_default();
    let account = role.split(':').rev().nth(1).unwrap_or_default();
    let expires = later(world.cloud_now(), i64::from(seconds));
    match is_aws {
        true => Key {
            id: format!("ASIA{}", capitals::<16>()),
            secret: noise::<30>(),
            token: format!("IQoJb3JpZ2luX2Vj//{}", noise::<420>()),
            expires,
            arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
            who: role.to_owned(),
            account: account.to_owned(),
            principal: format!("AROA{}:{session}", capitals::<17>()),
        },
        false => Key {
            id: format!("STS.NU{}", capitals::<22>()),
            secret: capitals::<44>(),
            token: format!("CAIS{}", noise::<390>()),
            expires,
            arn: format!("acs:ram::{account}:assumed-role/{name}/{session}"),
            who: role.to_owned(),
            account: account.to_owned(),
            principal: format!("3{}:{session}", "0".repeat(17)),
        },
    }
}

fn keep(world: &mut World, key: &Key) {
    world.secret(&key.secret);
    world.secret(&key.token);
    world.keys.push(key.clone());
}

/// `AssumeRoleWithWebIdentity`.
pub(crate) fn aws(world: &mut World, request: &Request, fields: &Fields) -> Result<Reply, Breach> {
    request.without(&["authorization", "cookie", "x-amz-security-token"])?;
    let limits = ["DurationSeconds", "Policy", "PolicyArns.member.1.arn", "PolicyArns.member.2.arn"];
    fields.exactly(&["Action", "Version", "RoleArn", "RoleSessionName", "WebIdentityToken"], &limits)?;
    let (role, token, session) = (fields.get("RoleArn"), fields.get("WebIdentityToken"), fields.get("RoleSessionName"));
    check_session(session, "+=,")?;
    if token != token.trim() {
        return breach("blanks around the token");
    }
    let Ok(seconds) = fields.find("DurationSeconds").unwrap_or("3600").parse::<u32>() else {
        return breach("parameter `DurationSeconds` is not a number");
    };
    if !(900..=43200).contains(&seconds) {
        return breach("a duration that is out of range whatever the role");
    }
    let invalid = |text: &str| Ok(aws::error(400, "InvalidIdentityToken", text));
    let taken = match redeem(world, token, role) {
        Ok(taken) => taken,
        Err(Refusal::NotAToken) => {
            return invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
        }
        Err(Refusal::Algorithm | Refusal::Signature) => {
            return invalid(
                "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements",
            );
        }
        Err(Refusal::Issuer(issuer)) => return invalid(&format!("No OpenIDConnect provider found in your account for {issuer}")),
        Err(Refusal::Audience) => return invalid("Incorrect token audience"),
        Err(Refusal::Early) => return invalid("The token's issue time is in the future"),
        Err(Refusal::Expired) => {
            let end = end_of(token).map(|at| at.to_string()).unwrap_or_default();
            let text =
                format!("Token expired: current date/time {} must be before the expiration date/time {end}", world.cloud_now());
            return Ok(aws::error(400, "ExpiredTokenException", &text));
        }
        Err(Refusal::Trust) => {
            return Ok(aws::error(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"));
        }
    };
    if seconds > taken.trust.max_session {
        return Ok(aws::error(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let key = key(world, &taken, session, seconds, true);
    keep(world, &key);
    let result = format!(
        "  <AssumeRoleWithWebIdentityResult>\n    <SubjectFromWebIdentityToken>{}</SubjectFromWebIdentityToken>\n    \
         <Audience>{}</Audience>\n    <AssumedRoleUser>\n      <Arn>{}</Arn>\n      <AssumedRoleId>{}</AssumedRoleId>\n    \
         </AssumedRoleUser>\n    <Credentials>\n      <SessionToken>{}</SessionToken>\n      <SecretAccessKey>{}</SecretAccessKey>\n      \
         <Expiration>{}</Expiration>\n      <AccessKeyId>{}</AccessKeyId>\n    </Credentials>\n    <Provider>{}</Provider>\n  \
         </AssumeRoleWithWebIdentityResult>\n",
        escape(&taken.subject),
        escape(&taken.audience),
        escape(&key.arn),
        escape(&key.principal),
        key.token,
        key.secret,
        key.expires,
        key.id,
        escape(taken.trust.provider)
    );
    Ok(aws::document("AssumeRoleWithWebIdentityResponse", &result))
}

/// `AssumeRoleWithOIDC`, whose common parameters are checked already.
pub(crate) fn alibaba(world: &mut World, request: &Request, fields: &Fields) -> Result<Reply, Breach> {
    fields.exactly(&["OIDCProviderArn", "RoleArn", "OIDCToken", "RoleSessionName"], &["DurationSeconds", "Policy"])?;
    let (role, token, session) = (fields.get("RoleArn"), fields.get("OIDCToken"), fields.get("RoleSessionName"));
    check_session(session, "=")?;
    let refuse = |status: u16, code: &str, text: &str| Ok(alibaba::error(request, status, code, text));
    if !(4..=20_000).contains(&token.len()) || token != token.trim() {
        return refuse(401, "AuthenticationFail.OIDCToken.Invalid", "This JsonWebToken is invalid.");
    }
    let Ok(seconds) = fields.find("DurationSeconds").unwrap_or("3600").parse::<u32>() else {
        return breach("parameter `DurationSeconds` is not a number");
    };
    if !(900..=43200).contains(&seconds) {
        return breach("a duration that is out of range whatever the role");
    }
    let taken = match redeem(world, token, role) {
        Ok(taken) => taken,
        Err(Refusal::NotAToken | Refusal::Algorithm | Refusal::Early) => {
            return refuse(401, "AuthenticationFail.OIDCToken.Invalid", "This JsonWebToken is invalid.");
        }
        Err(Refusal::Issuer(_)) => return refuse(401, "AuthenticationFail.NoPermission", "No such OIDC Provider registered."),
        Err(Refusal::Signature) => {
            return refuse(
                401,
                "AuthenticationFail.OIDCToken.InvalidSignature",
                "The signature of this JsonWebToken is invalid.",
            );
        }
        Err(Refusal::Audience) => {
            return refuse(
                401,
                "AuthenticationFail.OIDCToken.AudienceNotMatch",
                "The audience of this JsonWebToken does not match.",
            );
        }
        Err(Refusal::Expired) => return refuse(401, "AuthenticationFail.OIDCToken.Expired", "This JsonWebToken is expired."),
        Err(Refusal::Trust) => return refuse(401, "AuthenticationFail.NoPermission", "There is no permission."),
    };
    if fields.get("OIDCProviderArn") != taken.trust.provider {
        return refuse(401, "AuthenticationFail.NoPermission", "No such OIDC Provider registered.");
    }
    if seconds > taken.trust.max_session {
        let text = format!("The Min/Max value of DurationSeconds is 15min/{}hr.", taken.trust.max_session / 3600);
        return refuse(400, "InvalidParameter.DurationSeconds", &text);
    }
    let key = key(world, &taken, session, seconds, false);
    keep(world, &key);
    Ok(Reply::json(
        200,
        &json!({
            "RequestId": uuid().to_ascii_uppercase(),
            "OIDCTokenInfo": { "Issuer": taken.issuer, "Subject": taken.subject, "ClientIds": taken.audience, "VerificationInfo": "Success" },
            "AssumedRoleUser": { "Arn": key.arn, "AssumedRoleId": key.principal },
            "Credentials": {
                "AccessKeyId": key.id,
                "AccessKeySecret": key.secret,
                "SecurityToken": key.token,
                "Expiration": key.expires.to_string(),
            },
        }),
    ))
}
