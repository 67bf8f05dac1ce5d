//! A larger enterprise in the house: two branches, roles of every kind, and somebody in every position.

use std::collections::BTreeMap;
use std::time::Duration;

use saml2cloud::tvm::approval::Kind;
use saml2cloud::tvm::horizontal::{Activation, Matcher, Rule};
use saml2cloud::tvm::model::{Class, CloudAccount, Description, GroupId, Label, NewNode, Node, Role, Source, UserId};
use saml2cloud::tvm::store::groups::Membership;
use saml2cloud::tvm::store::proposals::NewProposal;
use serde_json::Value;

use crate::house::{Answer, House, person};

/// acme (e-1) ─┬─ east (mo) ─┬─ shop (ao) aws:111111111111: ops-reader, account_IAM_admin, cloud-network-admin; custom my-tool
///             │             └─ labs alibaba:1000000000000001
///             └─ west (mw) ── bank (ab) aws:222222222222: ops-reader, ent_IAM_admin
///
/// `ce` holds ent_IAM_admin, `ca` account_IAM_admin of shop, `hal` ops-reader of shop; `bob` nothing. At home: zoe in east, sam in shop, wes
/// in west. East has the horizontal role `ops` (prefix `ops-`) for the group `ops people`, acme `all ops` for `root people`.
pub(crate) struct Realm {
    pub(crate) house: House,
    pub(crate) west: Node,
    pub(crate) bank: Node,
    /// Everything by a short name.
    pub(crate) ids: BTreeMap<&'static str, String>,
    tokens: tokio::sync::Mutex<BTreeMap<String, String>>,
}

pub(crate) fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

pub(crate) fn membership(ends: Option<saml2cloud::types::Timestamp>) -> Membership<'static> {
    Membership { source: Source::Manual, by: None, ends, reason: "" }
}

fn node(name: &str, account: Option<&str>) -> NewNode {
    let account = account.map(|text| CloudAccount::parse(text).unwrap());
    NewNode { name: label(name), description: Description::default(), account }
}

impl Realm {
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    pub(crate) async fn with(more: &str) -> Self {
        let mut house = House::with(&format!("{more}\n[limits]\nper_address = 1000000\n")).await;
        let admin = house.people["e-1"].clone();
        for gid in ["mw", "ab", "ce", "ca", "hal", "gone"] {
            let new = person(gid, &house.root);
            let id = house.change(async |tx| tx.add_user(&new, Some(&admin)).await).await;
            house.people.insert(gid, id);
        }
        let root = house.root.id.clone();
        let both = |other: &str| [admin.clone(), house.people[other].clone()];
        let (mw, ab) = (both("mw"), both("ab"));
        let west = house.change(async |tx| tx.add_node(&root, &node("West", None), &mw, Some(&admin)).await).await;
        let bank = node("Bank", Some("aws:222222222222"));
        let bank = house.change(async |tx| tx.add_node(&west.id, &bank, &ab, Some(&admin)).await).await;
        for (gid, home) in [("zoe", &house.east), ("sam", &house.shop), ("wes", &west)] {
            let new = person(gid, home);
            let id = house.change(async |tx| tx.add_user(&new, Some(&admin)).await).await;
            house.people.insert(gid, id);
        }
        let mut realm = Self { house, west, bank, ids: BTreeMap::new(), tokens: tokio::sync::Mutex::default() };
        realm.furnish().await;
        realm
    }

    async fn furnish(&mut self) {
        let (house, bank) = (&self.house, &self.bank);
        let mut ids: BTreeMap<&'static str, String> = BTreeMap::new();
        let places = [("root", &house.root), ("east", &house.east), ("shop", &house.shop), ("labs", &house.labs)];
        ids.extend(places.map(|(name, node)| (name, node.id.to_string())));
        ids.extend([("west", self.west.id.to_string()), ("bank", bank.id.to_string())]);
        let system = Class::System;
        let all = [
            ("ops", &house.shop, system, "ops-reader"),
            ("acc", &house.shop, system, "account_IAM_admin"),
            ("net", &house.shop, system, "cloud-network-admin"),
            ("tool", &house.shop, Class::Custom, "my-tool"),
            ("ops2", bank, system, "ops-reader"),
            ("ent", bank, system, "ent_IAM_admin"),
        ];
        let mut roles: BTreeMap<&str, Role> = BTreeMap::new();
        for (key, node, class, name) in all {
            let role = house.role(node, class, name).await;
            ids.insert(key, role.id.to_string());
            roles.insert(key, role);
        }
        for (role, gid) in [("ent", "ce"), ("acc", "ca"), ("ops", "hal"), ("tool", "sam")] {
            self.join(&roles[role].group, gid).await;
        }
        let rule = Rule::new(Matcher::Prefix, "ops-").unwrap();
        for (key, group, node, name, people) in
            [("hops", "gops", &house.east, "ops", "ops people"), ("hall", "gall", &house.root, "all ops", "root people")]
        {
            let (made, people) = house
                .change(async |tx| {
                    let made = tx.add_horizontal(&node.id, &label(name), Some(&rule), Activation::Auto, false).await?;
                    let people = tx.add_group(&node.id, &label(people)).await?;
                    tx.bind_group(&made.id, &people.id).await?;
                    Ok((made, people))
                })
                .await;
            ids.insert(key, made.id.to_string());
            ids.insert(group, people.id.to_string());
            self.join(&people.id, "zoe").await;
        }
        ids.insert("gtool", roles["tool"].group.to_string());
        let hal = self.house.people["hal"].clone();
        let subject = saml2cloud::tvm::approval::vend_subject(&hal, &roles["ops"].id);
        let params = serde_json::json!({"seconds": 900, "reason": "x"});
        let wish = NewProposal { kind: Kind::Vend, subject: &subject, params: &params, by: &hal };
        let wish = self.house.change(async |tx| tx.propose(&wish).await).await;
        ids.insert("wish", wish.to_string());
        self.ids = ids;
    }

    pub(crate) async fn join(&self, group: &GroupId, gid: &str) {
        let user = self.house.people[gid].clone();
        self.house.change(async |tx| tx.join(group, &user, membership(None)).await).await;
    }

    pub(crate) fn id(&self, name: &str) -> &str {
        let person = || self.house.people.get(name).map(UserId::as_str);
        self.ids.get(name).map(String::as_str).or_else(person).unwrap_or_else(|| panic!("{name}"))
    }

    /// A path with names in braces: `/api/v1/nodes/{east}`.
    pub(crate) fn path(&self, path: &str) -> String {
        let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => self.id(name).to_owned(),
            None => part.to_owned(),
        };
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let path = path.split('/').map(part).collect::<Vec<_>>().join("/");
        let Some(query) = query else { return path };
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap();
            format!("{name}={}", part(value))
        };
        format!("{path}?{}", query.split('&').map(pair).collect::<Vec<_>>().join("&"))
    }

    /// The bearer of somebody, the same one each time.
    pub(crate) async fn bearer(&self, gid: &str) -> String {
        let mut tokens = self.tokens.lock().await;
        if !tokens.contains_key(gid) {
            let token = self.house.token(gid).await;
            tokens.insert(gid.to_owned(), token);
        }
        tokens[gid].clone()
    }

    /// A request of somebody. A body goes with it where there is one, a version where there is one.
    pub(crate) async fn ask(&self, gid: &str, method: &str, path: &str, body: Option<&Value>, version: Option<i64>) -> Answer {
        let mut sent = self.house.ask(method, &self.path(path)).bearer(&self.bearer(gid).await);
        if let Some(body) = body {
            sent = sent.json(body);
        }
        if let Some(version) = version {
            sent = sent.header("if-match", &format!("\"{version}\""));
        }
        sent.answer().await
    }

    pub(crate) async fn get(&self, gid: &str, path: &str) -> Answer {
        self.ask(gid, "GET", path, None, None).await
    }

    pub(crate) async fn post(&self, gid: &str, path: &str, body: &Value) -> Answer {
        self.ask(gid, "POST", path, Some(body), None).await
    }

    pub(crate) async fn patch(&self, gid: &str, path: &str, version: i64, body: &Value) -> Answer {
        self.ask(gid, "PATCH", path, Some(body), Some(version)).await
    }

    pub(crate) async fn put(&self, gid: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask(gid, "PUT", path, body, None).await
    }

    pub(crate) async fn delete(&self, gid: &str, path: &str, version: Option<i64>, body: Option<&Value>) -> Answer {
        self.ask(gid, "DELETE", path, body, version).await
    }

    /// What goes on: a day later.
    pub(crate) fn a_day_later(&self) -> saml2cloud::types::Timestamp {
        self.house.app.now().after(Duration::from_secs(24 * 3600))
    }
}

/// Status and code of a refusal.
pub(crate) fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, if answer.status < 400 { String::new() } else { answer.code() })
}

/// The values of a field of all entries of a page.
pub(crate) fn each(answer: &Answer, pointer: &str) -> Vec<String> {
    let page = answer.json();
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    items.iter().map(|item| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()).collect()
}
