//! IAM Identity Center's portal, `portal.sso.<region>.amazonaws.com`: accounts, roles and role credentials for an access token. The
//! roles are those that the directory grants in AWS's global partition, as permission sets of the same name.
//! <https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/Welcome.html>

use serde_json::{Value, json};

use crate::people::{Grant, Person};
use crate::wire::{Breach, Fields, Reply, Request, breach};
use crate::world::{Key, World, capitals, hex, later, noise, random};

/// How long the keys of a permission set live, in seconds.
const SESSION: i64 = 3600;
const TOKEN: &str = "x-amz-sso_bearer_token";

fn error(status: u16, kind: &str, text: &str) -> Reply {
    Reply::json(status, &json!({"message": text})).with("x-amzn-ErrorType", kind)
}

/// Answers for `portal.sso.<region>.amazonaws.com` and `portal.sso.<region>.api.aws`.
pub(crate) fn answer(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.without(&["authorization", "cookie"])?;
    let Some(token) = request.header(TOKEN).map(str::to_owned) else { return breach("no access token") };
    let now = world.cloud_now();
    let known = world.identity.access.get(&token).filter(|(_, ends)| *ends > now);
    let person = known.and_then(|(email, _)| world.directory.person(email)).cloned();
    let Some(person) = person else {
        return Ok(error(401, "UnauthorizedException", "Session token not found or invalid"));
    };
    let query = request.query_fields();
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/assignment/accounts") => accounts(world, &person, &query),
        ("GET", "/assignment/roles") => roles(world, &person, &query),
        ("GET", "/federation/credentials") => credentials(world, &person, &query),
        ("POST", "/logout") => {
            request.no_query()?;
            world.identity.end_access();
            world.identity.end_sessions();
            Ok(Reply::json(200, &Value::Null))
        }
        (method, path) => breach(format!("no page for {method} {path}")),
    }
}

fn granted(person: &Person) -> impl Iterator<Item = &Grant> {
    person.grants.iter().filter(|grant| grant.role.starts_with("arn:aws:"))
}

fn page(world: &World, query: &Fields, name: &str, items: &[Value]) -> Result<Reply, Breach> {
    let Ok(wished) = query.find("max_result").unwrap_or("20").parse::<usize>() else {
        return breach("`max_result` is no number");
    };
    if !(1..=100).contains(&wished) {
        return Ok(error(400, "InvalidRequestException", "Invalid max_result"));
    }
    let Ok(start) = query.find("next_token").unwrap_or("0").parse::<usize>() else {
        return breach("a page that was not offered");
    };
    // The portal gives fewer than were wished for.
    let end = items.len().min(start + wished.min(world.identity.settings.page));
    let next = (end < items.len()).then(|| end.to_string());
    Ok(Reply::json(200, &json!({name: items.get(start..end).unwrap_or_default(), "nextToken": next})))
}

fn accounts(world: &World, person: &Person, query: &Fields) -> Result<Reply, Breach> {
    query.exactly(&["max_result"], &["next_token"])?;
    let mut ids: Vec<&str> = granted(person).map(Grant::account).collect();
    ids.dedup();
    let item = |id: &&str| {
        let name = world.directory.alias_of(id).unwrap_or("Sandbox");
        json!({"accountId": id, "accountName": name, "emailAddress": format!("{name}@example.com")})
    };
    page(world, query, "accountList", &ids.iter().map(item).collect::<Vec<_>>())
}

fn roles(world: &World, person: &Person, query: &Fields) -> Result<Reply, Breach> {
    query.exactly(&["account_id", "max_result"], &["next_token"])?;
    let id = query.get("account_id");
    let found: Vec<Value> = granted(person)
        .filter(|grant| grant.account() == id)
        .map(|grant| json!({"roleName": grant.role_name(), "accountId": id}))
        .collect();
    match found.is_empty() {
        true => Ok(error(403, "ForbiddenException", "No access")),
        false => page(world, query, "roleList", &found),
    }
}

fn credentials(world: &mut World, person: &Person, query: &Fields) -> Result<Reply, Breach> {
    query.exactly(&["role_name", "account_id"], &[])?;
    let (name, account) = (query.get("role_name"), query.get("account_id"));
    if !granted(person).any(|grant| grant.account() == account && grant.role_name() == name) {
        return Ok(error(403, "ForbiddenException", "No access"));
    }
    let session = person.email.clone();
    let key = Key {
        id: format!("ASIA{}", capitals::<16>()),
        secret: noise::<30>(),
        token: format!("IQoJb3JpZ2luX2Vj//{}", noise::<420>()),
        expires: later(world.cloud_now(), SESSION),
        arn: format!("arn:aws:sts::{account}:assumed-role/AWSReservedSSO_{name}_{}/{session}", hex(&random::<8>())),
        who: format!("arn:aws:iam::{account}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_{name}"),
        account: account.to_owned(),
        principal: format!("AROA{}:{session}", capitals::<17>()),
    };
    world.secret(&key.secret);
    world.secret(&key.token);
    let reply = json!({"roleCredentials": {
        "accessKeyId": key.id, "secretAccessKey": key.secret, "sessionToken": key.token, "expiration": key.expires.as_second() * 1000,
    }});
    world.keys.push(key);
    Ok(Reply::json(200, &reply))
}
