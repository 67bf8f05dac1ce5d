//! The permission matrix over the API: every route of the router's list, everybody, cell by cell.

use std::collections::{BTreeMap, BTreeSet};

use saml2cloud::server::{Row, Spec, routes};
use saml2cloud::tvm::model::Status;
use saml2cloud::tvm::store::users;
use serde_json::{Value, json};

use super::realm::Realm;
use crate::house::Answer;

/// SA owns the root, MO east, MW west, AO shop, AB bank; CE is `ent_IAM_admin`, CA `account_IAM_admin` of shop, H holds a role of shop, U nothing.
const ACTORS: [(&str, &str); 9] = [
    ("SA", "e-1"),
    ("MO", "mo"),
    ("MW", "mw"),
    ("AO", "ao"),
    ("AB", "ab"),
    ("CE", "ce"),
    ("CA", "ca"),
    ("H", "hal"),
    ("U", "bob"),
];

/// A line: the route by its name in the audit trail, the names that fill its path or its body in order, and a letter for everybody: `y` they
/// may, `n` they may not (403), `h` there is no such thing for them (404).
const MATRIX: &str = "
                                        SA MO MW AO AB CE CA H  U
user.list                               y  y  y  y  y  n  n  n  n
user.create               root          y  y  y  y  y  n  n  n  n
user.read                 zoe           y  y  y  y  y  n  h  h  h
user.read                 bob           y  y  y  y  y  n  h  h  y
user.update               zoe           y  y  n  n  n  n  h  h  h
user.update               sam           y  y  n  y  n  n  h  h  h
user.update               bob           y  n  n  n  n  n  h  h  y
user.update               e-1           y  n  n  n  n  n  h  h  h
user.update               mo            y  y  n  n  n  n  h  h  h
user.delete               zoe           y  n  n  n  n  n  h  h  h
user.delete               bob           y  n  n  n  n  n  h  h  n
user.disable              zoe           y  n  n  n  n  n  h  h  h
user.enable               zoe           y  n  n  n  n  n  h  h  h
user.references           zoe           y  y  y  n  n  y  h  h  h
user.access               zoe           y  y  y  n  n  y  h  h  h
user.access               bob           y  y  y  n  n  y  h  h  y
user.export               zoe           y  n  n  n  n  n  h  h  h
user.export               bob           y  n  n  n  n  n  h  h  y
node.list                 root          y  h  h  h  h  n  h  h  h
node.list                 east          y  y  h  h  h  n  h  h  h
node.read                 east          y  y  h  h  h  n  h  h  h
node.read                 shop          y  y  h  y  h  n  n  h  h
node.read                 bank          y  h  y  h  y  n  h  h  h
node.tree                 east          y  y  h  h  h  n  h  h  h
node.tree                 shop          y  y  h  y  h  n  n  h  h
node.create               root          y  h  h  h  h  n  h  h  h
node.create               east          y  y  h  h  h  n  h  h  h
node.create               west          y  h  y  h  h  n  h  h  h
node.create               shop          n  n  h  n  h  n  n  h  h
node.update               root          y  h  h  h  h  n  h  h  h
node.update               east          y  y  h  h  h  n  h  h  h
node.update               shop          y  y  h  y  h  n  n  h  h
node.update               labs          y  y  h  h  h  n  h  h  h
node.update               bank          y  h  y  h  y  n  h  h  h
node.move                 shop/east     y  y  h  h  h  h  h  h  h
node.move                 shop/west     y  h  h  h  h  h  h  h  h
node.move                 bank/east     y  h  h  h  h  h  h  h  h
node.move                 east/root     y  h  h  h  h  h  h  h  h
node.destroy              east          y  n  h  h  h  n  h  h  h
node.destroy              labs          y  n  h  h  h  n  h  h  h
node.destroy              shop          y  n  h  n  h  n  n  h  h
node.owner.list           east          y  y  h  h  h  n  h  h  h
node.owner.list           shop          y  y  h  y  h  n  n  h  h
node.owner.add            root/e-1      y  h  h  h  h  n  h  h  h
node.owner.add            east/mo       y  y  h  h  h  n  h  h  h
node.owner.add            shop/ao       y  y  h  y  h  n  n  h  h
node.owner.add            bank/ab       y  h  y  h  y  n  h  h  h
node.owner.remove         east/gone     y  y  h  h  h  n  h  h  h
node.owner.remove         shop/gone     y  y  h  y  h  n  n  h  h
node.import                             y  n  n  n  n  n  n  n  n
role.read                 ops           y  y  h  h  h  y  y  y  h
role.read                 ops2          y  h  y  h  h  y  h  h  h
role.read                 tool          y  y  h  y  h  y  y  h  h
role.system.list          shop          y  y  h  h  h  y  y  h  h
role.system.list          bank          y  h  y  h  h  y  h  h  h
role.system.create        shop          y  y  h  h  h  n  n  h  h
role.system.create        bank          y  h  y  h  h  n  h  h  h
role.system.update        ops           y  y  h  h  h  n  n  n  h
role.system.update        ops2          y  h  y  h  h  n  h  h  h
role.system.update        net           y  n  h  h  h  n  n  h  h
role.system.update        acc           y  n  h  h  h  n  n  h  h
role.system.delete        ops           y  y  h  h  h  n  n  n  h
role.system.delete        net           y  n  h  h  h  n  n  h  h
role.system.delete        ent           y  h  n  h  h  n  h  h  h
role.custom.list          shop          y  y  h  y  h  y  y  h  h
role.custom.list          bank          y  h  y  h  y  y  h  h  h
role.custom.create        shop          y  y  h  y  h  n  y  h  h
role.custom.create        bank          y  h  y  h  y  n  h  h  h
role.custom.update        tool          y  y  h  y  h  n  n  h  h
role.custom.delete        tool          y  y  h  y  h  n  n  h  h
role.member.list          ops           y  y  h  h  h  y  y  y  h
role.member.list          tool          y  y  h  y  h  y  y  h  h
role.member.add           ops/hal       y  y  h  h  h  y  y  n  h
role.member.add           ops2/mw       y  h  y  h  h  y  h  h  h
role.member.add           net/mo        y  y  h  h  h  y  y  h  h
role.member.add           acc/ca        y  y  h  h  h  y  n  h  h
role.member.add           ent/ce        y  h  n  h  h  n  h  h  h
role.member.add           tool/sam      y  y  h  y  h  n  y  h  h
role.member.remove        ops/gone      y  y  h  h  h  y  y  n  h
role.member.remove        acc/gone      y  y  h  h  h  y  n  h  h
role.member.remove        ent/gone      y  h  n  h  h  n  h  h  h
role.member.remove        tool/gone     y  y  h  y  h  n  y  h  h
preset.list                             y  y  y  y  y  n  n  n  n
preset.update             ent_IAM_admin y  n  n  n  n  n  n  n  n
preset.delete             ent_IAM_admin y  n  n  n  n  n  n  n  n
group.list                root          y  h  h  h  h  h  h  h  h
group.list                east          y  y  h  h  h  h  h  h  h
group.create              east          y  y  h  h  h  h  h  h  h
group.create              west          y  h  y  h  h  h  h  h  h
group.read                gops          y  y  h  h  h  h  h  h  h
group.read                gall          y  h  h  h  h  h  h  h  h
group.update              gops          y  y  h  h  h  h  h  h  h
group.update              gall          y  h  h  h  h  h  h  h  h
group.delete              gops          y  n  h  h  h  h  h  h  h
group.delete              gall          y  h  h  h  h  h  h  h  h
group.member.list         gops          y  y  h  h  h  h  h  h  h
group.member.add          gops/zoe      y  y  h  h  h  h  h  h  h
group.member.add          gall/zoe      y  h  h  h  h  h  h  h  h
group.member.remove       gops/gone     y  y  h  h  h  h  h  h  h
horizontal.list           root          y  h  h  h  h  h  h  h  h
horizontal.list           east          y  y  h  h  h  h  h  h  h
horizontal.create         east          y  y  h  h  h  h  h  h  h
horizontal.create         west          y  h  y  h  h  h  h  h  h
horizontal.read           hops          y  y  h  h  h  h  h  h  h
horizontal.read           hall          y  h  h  h  h  h  h  h  h
horizontal.update         hops          y  y  h  h  h  h  h  h  h
horizontal.update         hall          y  h  h  h  h  h  h  h  h
horizontal.delete         hops          y  n  h  h  h  h  h  h  h
horizontal.delete         hall          y  h  h  h  h  h  h  h  h
horizontal.preview        hops          y  y  h  h  h  h  h  h  h
horizontal.preview        hall          y  h  h  h  h  h  h  h  h
horizontal.match.list     hops          y  y  h  h  h  h  h  h  h
horizontal.explicit.add   hops/net      y  y  h  h  h  h  h  h  h
horizontal.explicit.remove hops/net     y  y  h  h  h  h  h  h  h
horizontal.group.list     hops          y  y  h  h  h  h  h  h  h
horizontal.group.bind     hops/gops     y  y  h  h  h  h  h  h  h
horizontal.group.bind     hall/gall     y  h  h  h  h  h  h  h  h
horizontal.group.bind     hops/gall     y  h  h  h  h  h  h  h  h
horizontal.group.unbind   hops/gops     y  y  h  h  h  h  h  h  h
horizontal.pending.confirm hops/ops     y  y  h  h  h  h  h  h  h
explain                   zoe/ops       y  y  h  h  h  y  y  h  h
explain                   hal/ops       y  y  h  h  h  y  y  y  h
explain                   sam/tool      y  y  h  y  h  y  y  h  h
report.role_people        root          y  h  h  h  h  y  h  h  h
report.role_people        east          y  y  h  h  h  y  h  h  h
report.role_people        shop          y  y  h  y  h  y  n  h  h
audit.list                root          y  h  h  h  h  n  h  h  h
audit.list                east          y  y  h  h  h  n  h  h  h
audit.list                shop          y  y  h  y  h  n  n  h  h
audit.verify                            y  n  n  n  n  n  n  n  n
vend.list                               y  n  n  n  n  n  n  n  n
proposal.list                           y  n  n  n  n  n  n  n  n
proposal.create           ops           h  h  h  h  h  h  h  y  h
proposal.read             wish          y  h  h  h  h  h  h  y  h
proposal.agree            wish          y  h  h  h  h  h  h  n  h
proposal.decline          wish          y  h  h  h  h  h  h  n  h
proposal.withdraw         wish          n  h  h  h  h  h  h  y  h
";

/// Routes about oneself that ask the matrix, and have tests of their own.
const ONESELF: [&str; 7] =
    ["me.read", "me.update", "me.roles.list", "me.tokens.list", "me.tokens.revoke", "me.activity", "vend.console"];

struct Line<'m> {
    route: &'m str,
    names: Vec<&'m str>,
    cells: Vec<&'m str>,
}

fn lines() -> Vec<Line<'static>> {
    let rows = MATRIX.lines().skip(2).filter(|line| !line.trim().is_empty());
    rows.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (head, cells) = words.split_at(words.len() - ACTORS.len());
        let names = head.get(1).map(|names| names.split('/').collect()).unwrap_or_default();
        Line { route: head[0], names, cells: cells.to_vec() }
    })
    .collect()
}

fn specs() -> BTreeMap<&'static str, Spec> {
    routes().into_iter().filter_map(|route| route.spec.told.map(|told| (told, route.spec))).collect()
}

#[test]
fn every_route_that_asks_the_matrix_stands_in_it() {
    let specs = specs();
    let asked: BTreeSet<&str> =
        specs.values().filter(|spec| matches!(spec.row, Row::Matrix(_))).filter_map(|spec| spec.told).collect();
    let named: BTreeSet<&str> = lines().iter().map(|line| line.route).collect();
    let own: BTreeSet<&str> = ONESELF.into_iter().chain(["vend.credentials", "vend"]).collect();
    let missing: Vec<&&str> = asked.iter().filter(|told| !named.contains(*told) && !own.contains(*told)).collect();
    assert!(missing.is_empty(), "no line for {missing:?}");
    let unknown: Vec<&&str> = named.iter().filter(|told| !asked.contains(*told)).collect();
    assert!(unknown.is_empty(), "no route for {unknown:?}");
    // Whatever of the API is about more than oneself asks the matrix.
    for spec in specs.values().filter(|spec| spec.path.starts_with("/api/v1/") && !matches!(spec.row, Row::Matrix(_))) {
        let is_own = spec.path.starts_with("/api/v1/me") || spec.path.starts_with("/api/v1/cli/");
        assert!(is_own || spec.path == "/api/v1/openapi.json", "{spec:?}");
    }
}

/// The body of a route: one that gets past whoever checks who may, and is refused after that, or changes nothing.
fn body(realm: &Realm, line: &Line<'_>) -> Option<Value> {
    let second = |at: usize| line.names.get(at).map(|name| realm.id(name)).unwrap_or_default();
    Some(match line.route {
        "user.create" => json!({"gid": "n-1", "alias": "n", "home": "nowhere"}),
        "user.update" | "preset.update" | "node.update" | "role.system.update" | "role.custom.update" | "horizontal.update" => {
            json!({})
        }
        "group.update" => json!({"name": "x"}),
        "node.create" => json!({"parent": second(0), "name": "x", "owners": []}),
        "node.move" => json!({"to": second(1)}),
        "node.destroy" => json!({"name": "x"}),
        "node.import" => json!({"nodes": []}),
        "role.system.create" | "role.custom.create" => json!({"arn": "nothing"}),
        "role.system.delete" | "preset.delete" => json!({}),
        "role.member.add" | "group.member.add" => json!({}),
        "group.create" | "horizontal.create" => json!({"name": ""}),
        "proposal.create" => json!({"role": second(0), "seconds": 900, "reason": "x"}),
        "horizontal.preview" => json!({"horizontal": second(0), "pattern": "ops-"}),
        _ => return None,
    })
}

fn path(realm: &Realm, line: &Line<'_>, spec: &Spec) -> String {
    let mut names = line.names.iter();
    let mut part = |part: &str| match part.starts_with('{') {
        true => names
            .next()
            .map(|name| if spec.path.contains("preset") { (*name).to_owned() } else { realm.id(name).to_owned() })
            .unwrap(),
        false => part.to_owned(),
    };
    let path = spec.path.split('/').map(&mut part).collect::<Vec<_>>().join("/");
    let id = |at: usize| realm.id(line.names[at]);
    match line.route {
        "node.list" => format!("{path}?parent={}", id(0)),
        "explain" => format!("{path}?user={}&role={}", id(0), id(1)),
        "report.role_people" | "audit.list" => format!("{path}?node={}", id(0)),
        _ => path,
    }
}

/// Puts back what the line before may have taken.
async fn prepare(realm: &Realm, line: &Line<'_>) {
    let gone = &realm.house.people["gone"];
    let role = |name: &str| saml2cloud::tvm::model::RoleId::parse(realm.id(name)).unwrap();
    match (line.route, line.names.as_slice()) {
        ("node.owner.remove", [node, _]) => {
            let node = saml2cloud::tvm::model::NodeId::parse(realm.id(node)).unwrap();
            realm.house.change(async |tx| tx.add_owner(&node, gone, None).await).await;
        }
        ("role.member.remove", [name, _]) => {
            let mut conn = realm.house.app.store.read().await.unwrap();
            let role = saml2cloud::tvm::store::roles::by_id(&mut conn, &role(name)).await.unwrap();
            drop(conn);
            realm.join(&role.group, "gone").await;
        }
        ("group.member.remove", [group, _]) => {
            realm.join(&saml2cloud::tvm::model::GroupId::parse(realm.id(group)).unwrap(), "gone").await;
        }
        ("horizontal.explicit.remove", [horizontal, name]) => {
            let horizontal = saml2cloud::tvm::model::HorizontalId::parse(realm.id(horizontal)).unwrap();
            realm.house.change(async |tx| tx.add_explicit(&horizontal, &role(name), None).await).await;
        }
        ("horizontal.group.unbind", [horizontal, group]) => {
            let horizontal = saml2cloud::tvm::model::HorizontalId::parse(realm.id(horizontal)).unwrap();
            let group = saml2cloud::tvm::model::GroupId::parse(realm.id(group)).unwrap();
            realm.house.change(async |tx| tx.bind_group(&horizontal, &group).await).await;
        }
        _ => {}
    }
}

async fn try_it(realm: &Realm, line: &Line<'_>, spec: &Spec, token: Option<&str>) -> Answer {
    let mut path = path(realm, line, spec);
    if line.route == "node.move" || line.route == "node.import" {
        path += "?dry_run=true";
    }
    let mut sent = realm.house.ask(spec.method.as_str(), &path);
    if let Some(token) = token {
        sent = sent.bearer(token);
    }
    if let Some(body) = body(realm, line) {
        sent = sent.json(&body);
    }
    // A version that nothing has: who may is told so, and nothing changes.
    sent.header("if-match", "\"999\"").answer().await
}

/// `confirm` of what does not wait is answered like what is not there; who may is told apart by a way that does wait elsewhere.
fn letter(line: &Line<'_>, answer: &Answer) -> &'static str {
    match answer.status {
        200..=299 | 400 | 409 | 412 | 422 => "y",
        403 => "n",
        404 if line.route == "horizontal.pending.confirm" => "-",
        404 => "h",
        401 => "x",
        _ => panic!("{} {answer:?}", line.route),
    }
}

#[tokio::test]
async fn everybody_may_what_the_matrix_says() {
    let realm = Realm::new().await;
    let specs = specs();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for line in lines() {
        let spec = &specs[line.route];
        for ((name, gid), expected) in ACTORS.iter().zip(&line.cells) {
            prepare(&realm, &line).await;
            let answer = try_it(&realm, &line, spec, Some(&realm.bearer(gid).await)).await;
            let found = letter(&line, &answer);
            tried += 1;
            if found != *expected && found != "-" {
                wrong.push(format!(
                    "{} {:?} {name}: {found}, not {expected}: {} {}",
                    line.route, line.names, answer.status, answer.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 1000, "{tried}");
}

#[tokio::test]
async fn nobody_who_is_not_in_the_pool_gets_anywhere() {
    let realm = Realm::new().await;
    let specs = specs();
    let (barred, deleted) = (realm.bearer("gone").await, realm.bearer("sam").await);
    let (gone, sam) = (realm.house.people["gone"].clone(), realm.house.people["sam"].clone());
    realm.house.change(async |tx| tx.set_status(&gone, 1, Status::Disabled).await).await;
    let group = saml2cloud::tvm::model::GroupId::parse(realm.id("gtool")).unwrap();
    realm.house.change(async |tx| tx.leave(&group, &sam, saml2cloud::tvm::model::Source::Manual).await).await;
    realm.house.change(async |tx| tx.delete_user(&sam, 1).await).await;
    let mut conn = realm.house.app.store.read().await.unwrap();
    assert!(users::by_id(&mut conn, &sam).await.is_err());
    for line in lines() {
        let spec = &specs[line.route];
        for token in [None, Some("nonsense"), Some(barred.as_str()), Some(deleted.as_str())] {
            let answer = try_it(&realm, &line, spec, token).await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"), "{} {answer:?}", line.route);
        }
    }
}

/// What one may not know of is answered, to the letter, as what is not there.
#[tokio::test]
async fn what_is_hidden_is_told_as_what_is_not_there() {
    let realm = Realm::new().await;
    let specs = specs();
    let nothing = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let without_number = |answer: &Answer| {
        let mut json = answer.json();
        json["request_id"] = Value::Null;
        (answer.status, json)
    };
    let mut compared = 0;
    for line in lines().into_iter().filter(|line| !line.names.is_empty()) {
        let spec = &specs[line.route];
        for ((_, gid), _) in ACTORS.iter().zip(&line.cells).filter(|(_, cell)| **cell == "h") {
            let token = realm.bearer(gid).await;
            let hidden = try_it(&realm, &line, spec, Some(&token)).await;
            let path = path(&realm, &line, spec).replace(realm.id(line.names[0]), nothing);
            let mut sent = realm.house.ask(spec.method.as_str(), &path).bearer(&token).header("if-match", "\"999\"");
            if let Some(body) = body(&realm, &line) {
                sent = sent.json(&serde_json::from_str(&body.to_string().replace(realm.id(line.names[0]), nothing)).unwrap());
            }
            let absent = sent.answer().await;
            assert_eq!(without_number(&hidden), without_number(&absent), "{} {:?} {gid}", line.route, line.names);
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared}");
}
