//! Many nodes at once, from the listing of a resource directory or an organisation.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::change::owners_in;
use super::moving::DryRun;
use crate::server::api::shared::{Asked, given, is_super};
use crate::server::extract::{JsonBody, QueryOf};
use crate::server::once::Once;
use crate::server::problem::{Code, FieldError, Problem};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::Action;
use crate::tvm::model::{Class, CloudAccount, Description, Kind, Label, NewNode, NewRole, Node};
use crate::tvm::store::horizontals::Rules;
use crate::tvm::store::{Conn, Tx, catalogue, nodes, roles};
use crate::types::RoleArn;

/// How many nodes at once, and how long the body may be for that, in bytes.
const MOST: usize = 1000;
const LONGEST: usize = 1024 * 1024;

pub(super) fn routes() -> Vec<Route> {
    // The whole tree at once is for super admins, who may destroy as well.
    vec![Route::api("node.import", Access::Api, Row::Matrix(Action::DestroyNode), routes!(import)).at_most(LONGEST)]
}

/// A node that ought to be there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The names of the nodes above, from below the root down; they are in the tree, or stand earlier in the list.
    #[serde(default)]
    parent: Vec<String>,
    /// The name.
    name: String,
    /// A remark.
    description: Option<String>,
    /// The cloud account, `PARTITION:NUMBER`; else it is a folder.
    account: Option<String>,
    /// Its owners: identities here, or GIDs. At least one.
    owners: Vec<String>,
    /// Its system roles, by their full names in the cloud.
    #[serde(default)]
    system_roles: Vec<String>,
}

/// What ought to be there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Listing {
    /// The nodes, each after what is above it; a thousand at the most.
    #[schema(max_items = 1000)]
    nodes: Vec<Wanted>,
}

/// What came of it.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Imported {
    /// Whether it was only looked at.
    dry_run: bool,
    /// How many nodes are new.
    nodes_created: usize,
    /// How many were there already; nothing of them was changed but for roles that are new.
    nodes_there: usize,
    /// How many roles are new.
    roles_created: usize,
    /// What is wrong with which entry. Where there is anything nothing was changed.
    problems: Vec<FieldError>,
}

/// Adds many nodes, all or none
///
/// What is there already stays as it is, so a listing may be sent again. With `dry_run` it says what would come of it, and nothing is changed.
#[utoipa::path(post, path = "/api/v1/nodes/import", tag = "Nodes", operation_id = "node.import", params(DryRun), request_body = Listing,
    responses((status = 200, body = Imported), (status = 409, description = "`idempotency_conflict`")))]
async fn import(
    asked: Asked,
    QueryOf(query): QueryOf<DryRun>,
    once: Once,
    JsonBody(listing): JsonBody<Listing>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    if !is_super(&actor) {
        return Err(Problem::only(Code::Forbidden));
    }
    if listing.nodes.len() > MOST {
        return Err(Problem::field("nodes", format!("has {MOST} entries at the most")));
    }
    let root = nodes::root(&mut tx).await?.ok_or_else(|| Problem::only(Code::NotFound))?;
    asked.told.on("node", root.id.as_str(), Some(&root.path));
    let mut rules = Rules::default();
    let mut done = Imported { dry_run: query.dry_run.unwrap_or_default(), ..Imported::default() };
    for (at, wanted) in listing.nodes.iter().enumerate() {
        match one(&asked, &mut tx, &root, wanted, &mut rules, &mut done).await {
            Ok(()) => {}
            Err(problem) if problem.code.status().is_server_error() => return Err(problem),
            Err(problem) => {
                let field = problem.fields.first().map(|field| format!(".{}", field.field)).unwrap_or_default();
                let why = problem.fields.first().map_or(problem.detail, |field| field.why.clone());
                done.problems.push(FieldError { field: format!("nodes[{at}]{field}"), why });
                // A transaction in which a statement failed takes no further one everywhere.
                break;
            }
        }
    }
    if done.dry_run {
        drop(tx);
        return Ok(axum::Json(done).into_response());
    }
    if !done.problems.is_empty() {
        let first = done.problems.first().map(|bad| format!("`{}`: {}", bad.field, bad.why)).unwrap_or_default();
        return Err(Problem { fields: done.problems, ..Problem::new(Code::ValidationFailed, first) });
    }
    asked.told.add("nodes_created", done.nodes_created);
    asked.told.add("roles_created", done.roles_created);
    let answer = once.answer(&mut tx, StatusCode::OK, &done).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}

async fn child(conn: &mut Conn, of: &Node, name: &Label) -> Result<Option<Node>, Problem> {
    // The last name before this one; identities are never empty, so the first child after it is the one of this name.
    let found = nodes::children(conn, &of.id, (name.normal(), ""), 1).await?;
    Ok(found.into_iter().find(|node| node.name.normal() == name.normal()))
}

async fn one(
    asked: &Asked,
    tx: &mut Tx<'_>,
    root: &Node,
    wanted: &Wanted,
    rules: &mut Rules,
    done: &mut Imported,
) -> Result<(), Problem> {
    let mut parent = root.clone();
    for name in &wanted.parent {
        let label = given("parent", Label::parse(name))?;
        let next = child(tx, &parent, &label).await?;
        parent = next.ok_or_else(|| Problem::field("parent", format!("there is no `{name}` in `{}`", parent.name)))?;
    }
    let name = given("name", Label::parse(&wanted.name))?;
    let account = wanted.account.as_deref().map(|text| given("account", CloudAccount::parse(text))).transpose()?;
    let found = child(tx, &parent, &name).await?;
    let is_new = found.is_none();
    let node = match found {
        Some(node) if node.kind.account() == account.as_ref() => {
            done.nodes_there += 1;
            node
        }
        Some(_) => return Err(Problem::field("account", "there is a node of this name, and it is another account or none")),
        None => {
            let description = given("description", Description::parse(wanted.description.as_deref().unwrap_or_default()))?;
            let owners = owners_in(tx, &wanted.owners).await?;
            done.nodes_created += 1;
            tx.add_node(&parent.id, &NewNode { name, description, account }, &owners, Some(asked.who.id())).await?
        }
    };
    if wanted.system_roles.is_empty() {
        return Ok(());
    }
    let Kind::Account(account) = &node.kind else { return Err(Problem::field("system_roles", "are for account nodes")) };
    let (mut new, mut names) = (Vec::new(), BTreeSet::new());
    for arn in &wanted.system_roles {
        let parsed = RoleArn::parse(arn).map_err(|bad| Problem::field("system_roles", bad.to_string()))?;
        let mut role = given("system_roles", NewRole::new(Class::System, parsed, account))?;
        if let Some(key) = role.preset() {
            // As the catalogue has it now.
            role.risk = catalogue::by_key(tx, key).await?.risk;
        }
        let is_there = !is_new && roles::named(tx, &node.id, role.name()).await?.is_some();
        if !is_there && names.insert(role.name().to_owned()) {
            new.push(role);
        }
    }
    done.roles_created += tx.add_roles(&node.id, &new, rules).await?.len();
    Ok(())
}
