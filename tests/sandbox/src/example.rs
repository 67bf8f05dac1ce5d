//! An enterprise for whoever looks at the service: a tree, accounts of both clouds, roles, people, a horizontal role. Made by the first super
//! admin over the service's own interface, as an administrator would.

use serde_json::{Value, json};

use crate::people::Grant;
use crate::service::Service;
use crate::visitor::Visitor;
use crate::{Sandbox, StartError};

/// The accounts of the example: a name, the folder that it is in, its number.
const ACCOUNTS: &[(&str, &str, &str)] = &[
    ("shop", "Production", "aws:012345678987"),
    ("shop-cn", "Production", "alibaba:1000000000000001"),
    ("labs", "Research", "aws:210987654321"),
];
/// The roles: whose account, the role's name, who is in its group.
const ROLES: &[(&str, &str, &[&str])] = &[
    ("shop", "Admin", &["alice"]),
    ("shop", "ReadOnly", &["alice", "bob"]),
    ("shop", "AuditLogs", &[]),
    ("shop-cn", "admin", &["alice"]),
    ("shop-cn", "readonly", &["alice", "bob"]),
    ("labs", "Developer", &["bob"]),
    ("labs", "AuditLogs", &[]),
];
/// The horizontal role: every role whose name begins so, for the group of the auditors.
const AUDIT: &str = "Audit";

/// The accounts, as [`Service::start`] wants them.
pub fn accounts() -> Vec<&'static str> {
    ACCOUNTS.iter().map(|(_, _, number)| *number).collect()
}

/// The first super admin at the service's interface.
struct Admin<'s> {
    service: &'s Service,
    visitor: Visitor,
    csrf: String,
}

impl Admin<'_> {
    fn ask(&mut self, method: &str, path: &str, body: Option<Value>, version: Option<i64>) -> Result<Value, StartError> {
        let version = version.map(|version| format!("\"{version}\""));
        let headers: Vec<(&str, &str)> = version.iter().map(|version| ("if-match", version.as_str())).collect();
        let url = format!("{}api/v1/{path}", self.service.url);
        let body = body.map(|body| body.to_string());
        let page = self.visitor.ask(method, &url, &self.csrf, &headers, body).map_err(StartError::from_any)?;
        match page.status {
            200..=299 => Ok(serde_json::from_str(&page.body).unwrap_or(Value::Null)),
            status => Err(StartError::from_any(format!("{method} {path}: {status} {}", page.body))),
        }
    }

    fn make(&mut self, path: &str, body: Value) -> Result<Value, StartError> {
        self.ask("POST", path, Some(body), None)
    }
}

fn id(made: &Value) -> String {
    made["id"].as_str().unwrap_or_default().to_owned()
}

/// The full name of a role in an account.
fn arn(number: &str, role: &str) -> String {
    let (partition, account) = number.split_once(':').unwrap_or_default();
    match partition {
        "alibaba" => format!("acs:ram::{account}:role/{role}"),
        partition => format!("arn:{partition}:iam::{account}:role/{role}"),
    }
}

impl Service {
    /// Fills it with the example. Alice is the first super admin; bob has everyday roles; carol is an auditor; heidi is in the pool and has
    /// nothing yet.
    pub fn example(&self, sandbox: &Sandbox) -> Result<(), StartError> {
        let directory = sandbox.directory();
        let mut visitor = Visitor::new();
        let alice = directory.person("alice@example.com").ok_or_else(|| StartError::from_any("alice is not there"))?;
        let page = visitor.sign_in(&self.url, &alice.email, &alice.password).map_err(StartError::from_any)?;
        let csrf = page.form_with("csrf").and_then(|form| form.fields.into_iter().find(|(name, _)| name == "csrf"));
        let csrf = csrf.ok_or_else(|| StartError::from_any(format!("alice is not signed in: {}", page.body)))?.1;
        let mut admin = Admin { service: self, visitor, csrf };
        let root = admin.ask("GET", "nodes", None, None)?["items"][0].clone();
        let root = id(&root);
        let owners = json!([alice.gid()]);
        for name in ["bob", "carol", "heidi"] {
            let person = directory.person(&format!("{name}@example.com")).ok_or_else(|| StartError::from_any(name))?;
            admin.make("users", json!({"gid": person.gid(), "alias": name, "email": person.email}))?;
        }
        let mut folders = Vec::new();
        for name in ["Production", "Research"] {
            let made = admin.make("nodes", json!({"parent": root, "name": name, "owners": owners}))?;
            folders.push((name, id(&made)));
        }
        for (name, folder, number) in ACCOUNTS {
            let parent = folders.iter().find(|(own, _)| own == folder).map(|(_, id)| id.clone()).unwrap_or_default();
            let body = json!({"parent": parent, "name": name, "account": number, "owners": owners});
            let node = admin.make("nodes", body)?;
            let (partition, account) = number.split_once(':').unwrap_or_default();
            let change = json!({"saml_provider": Self::entry(partition, account)});
            admin.ask("PATCH", &format!("nodes/{}", id(&node)), Some(change), node["version"].as_i64())?;
            for (_, role, people) in ROLES.iter().filter(|(own, ..)| own == name) {
                let arn = arn(number, role);
                let made = admin.make(&format!("nodes/{}/system-roles", id(&node)), json!({"arn": arn}))?;
                for person in *people {
                    admin.ask("PUT", &format!("roles/{}/members/E-{person}", id(&made)), Some(json!({})), None)?;
                }
                let provider = Self::entry(partition, account);
                sandbox.federated_role(Grant { role: arn, provider, max_session: 43_200 });
            }
        }
        let group = admin.make(&format!("nodes/{root}/groups"), json!({"name": "auditors"}))?;
        admin.ask("PUT", &format!("groups/{}/members/E-carol", id(&group)), Some(json!({})), None)?;
        let body = json!({"name": "Auditors", "matcher": "prefix", "pattern": AUDIT, "confirm": true});
        let horizontal = admin.make(&format!("nodes/{root}/horizontal-roles"), body)?;
        admin.ask("PUT", &format!("horizontal-roles/{}/groups/{}", id(&horizontal), id(&group)), None, None)?;
        Ok(())
    }
}
