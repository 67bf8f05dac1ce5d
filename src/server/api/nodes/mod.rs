//! The node tree.

mod change;
mod import;
mod moving;
mod onboard;
mod owners;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::shared::{Asked, after, manages};
use crate::server::extract::{Page, PathOf, QueryOf, etag, limit};
use crate::server::problem::Problem;
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Actor};
use crate::tvm::model::{Kind, Node, NodeState};
use crate::tvm::store::preset_users::{self, PresetUser};
use crate::tvm::store::{Conn, StoreError, nodes, roles, tree};

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    let own = vec![
        api("node.list", Action::SeeNode, routes!(list)),
        api("node.read", Action::SeeNode, routes!(read)),
        api("node.tree", Action::SeeNode, routes!(below)),
    ];
    [own, change::routes(), moving::routes(), owners::routes(), import::routes(), onboard::routes()]
        .into_iter()
        .flatten()
        .collect()
}

/// A node.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NodeView {
    /// The identity.
    id: String,
    /// The node above; nothing for the root.
    parent: Option<String>,
    /// `root`, `management` (a folder) or `account` (a cloud account).
    kind: &'static str,
    /// Unique beside its siblings.
    name: String,
    /// A remark.
    description: String,
    /// How deep it is; the root is 1.
    depth: usize,
    /// The cloud account, `PARTITION:NUMBER`.
    #[schema(example = "aws:111111111111")]
    account: Option<String>,
    /// How keys are come by: `saml`, `hub_role`, `ram_user` or `none`.
    vend_method: &'static str,
    /// The account's entry for this service as an identity provider.
    saml_provider: Option<String>,
    /// The longest session, in seconds.
    max_session_s: Option<u32>,
    /// Whether a command line gets the signed response and exchanges it at the cloud itself, because this service has no way there. Nothing where
    /// keys are not come by with `saml`.
    client_exchange: bool,
    /// `active`, or `suspended`: nothing is handed out at or below it.
    state: &'static str,
    /// How often it was changed.
    version: i64,
}

impl From<&Node> for NodeView {
    fn from(node: &Node) -> Self {
        Self {
            id: node.id.to_string(),
            parent: node.path.parent().and_then(|path| path.last()).map(|id| id.to_string()),
            kind: match node.kind {
                Kind::Root(_) => "root",
                Kind::Management => "management",
                Kind::Account(_) => "account",
            },
            name: node.name.to_string(),
            description: node.description.as_str().to_owned(),
            depth: node.path.depth(),
            account: node.kind.account().map(ToString::to_string),
            vend_method: node.vending.method.word(),
            saml_provider: node.vending.provider.as_ref().map(|arn| arn.as_str().to_owned()),
            max_session_s: node.vending.max_session.map(|longest| longest.seconds()),
            client_exchange: node.vending.client_exchange,
            state: match node.state {
                NodeState::Destroyed => "destroyed",
                state => state.word(),
            },
            version: node.version,
        }
    }
}

/// A node with the names of what is above it.
#[derive(Debug, Serialize, ToSchema)]
struct NodeWithPlace {
    #[serde(flatten)]
    node: NodeView,
    /// The names of the nodes above, from the root down.
    above: Vec<String>,
    /// The user that the account keeps for its administrators, where one is named.
    preset_user: Option<String>,
    /// What was not as it should be when the account was last looked at.
    warnings: Vec<Warning>,
}

/// Something of an account that was not as it should be.
#[derive(Debug, Serialize, ToSchema)]
struct Warning {
    /// `preset_user` or `role`.
    what: &'static str,
    /// Its name in the account.
    name: String,
    /// `missing`, `distrusting`, or `unread: ` with the cloud's word for why.
    result: String,
}

/// What was not as it should be. Who may not know of system roles is told of the account's user only.
async fn warnings(conn: &mut Conn, user: Option<&PresetUser>, actor: &Actor, node: &Node) -> Result<Vec<Warning>, Problem> {
    let mut found = Vec::new();
    if let Some((user, seen)) = user.and_then(|user| Some((user, user.seen.as_ref()?)))
        && seen != "there"
    {
        found.push(Warning { what: "preset_user", name: user.name.clone(), result: seen.clone() });
    }
    if manages(actor, node) {
        let roles = roles::unwell(conn, &node.id).await?;
        found.extend(roles.into_iter().map(|(name, result)| Warning { what: "role", name, result }));
    }
    Ok(found)
}

/// Whose children.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Children {
    /// The node whose children are listed; without it the topmost nodes that one owns.
    parent: Option<String>,
    /// How many entries at the most, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The cursor that the page before gave.
    cursor: Option<String>,
}

/// The children of a node, by name; or the topmost nodes that one owns
#[utoipa::path(get, path = "/api/v1/nodes", tag = "Nodes", operation_id = "node.list", params(Children),
    responses((status = 200, body = Page<NodeView>)))]
async fn list(asked: Asked, QueryOf(query): QueryOf<Children>) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let (mut conn, actor) = asked.read().await?;
    let from: (String, String) = after(query.cursor.as_deref())?;
    let Some(parent) = &query.parent else {
        let found = topmost(&mut conn, &actor, &from.0, limit + 1).await?;
        let place = |node: &Node| (node.path.to_string(), String::new());
        return Ok(Json(Page::of(found, limit, place, |node| NodeView::from(&node))).into_response());
    };
    let parent = asked.node(&mut conn, &actor, parent, Action::SeeNode).await?;
    let found = nodes::children(&mut conn, &parent.id, (&from.0, &from.1), limit + 1).await?;
    let place = |node: &Node| (node.name.normal().to_owned(), node.id.to_string());
    Ok(Json(Page::of(found, limit, place, |node| NodeView::from(&node))).into_response())
}

/// The nodes that somebody owns, without those that are below another one that they look after.
async fn topmost(conn: &mut Conn, actor: &Actor, after: &str, limit: u32) -> Result<Vec<Node>, Problem> {
    let is_below = |path: &crate::tvm::model::Path| {
        actor.owned.iter().any(|other| !other.is_account && other.path != *path && other.path.holds(path))
    };
    let mut paths: Vec<_> = actor.owned.iter().map(|owned| &owned.path).filter(|path| !is_below(path)).collect();
    paths.sort();
    let wanted = paths.into_iter().filter(|path| path.as_str() > after).take(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut found = Vec::new();
    for id in wanted.filter_map(|path| path.last()) {
        match nodes::by_id(&mut *conn, &id).await {
            Ok(node) => found.push(node),
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// A node, with the names of what is above it
#[utoipa::path(get, path = "/api/v1/nodes/{node}", tag = "Nodes", operation_id = "node.read", params(("node" = String, Path)),
    responses((status = 200, body = NodeWithPlace)))]
async fn read(asked: Asked, PathOf(node): PathOf<String>) -> Result<Response, Problem> {
    let (mut conn, actor) = asked.read().await?;
    let node = asked.node(&mut conn, &actor, &node, Action::SeeNode).await?;
    let above = tree::above(&mut conn, &node.path).await?;
    let user = preset_users::by_node(&mut conn, &node.id).await?;
    let warnings = warnings(&mut conn, user.as_ref(), &actor, &node).await?;
    let preset_user = user.map(|user| user.name);
    Ok((etag(node.version), Json(NodeWithPlace { node: NodeView::from(&node), above, preset_user, warnings })).into_response())
}

/// How far down.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Depth {
    /// How many levels below the node, 1 to 15; all of them without it.
    #[param(minimum = 1, maximum = 15)]
    depth: Option<usize>,
    /// How many entries at the most, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The cursor that the page before gave.
    cursor: Option<String>,
}

/// What is below a node, each after what is above it
#[utoipa::path(get, path = "/api/v1/nodes/{node}/tree", tag = "Nodes", operation_id = "node.tree", params(("node" = String, Path), Depth),
    responses((status = 200, body = Page<NodeView>)))]
async fn below(asked: Asked, PathOf(node): PathOf<String>, QueryOf(query): QueryOf<Depth>) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let from: String = after(query.cursor.as_deref())?;
    let depth = match query.depth {
        None => 15,
        Some(depth) if (1..=15).contains(&depth) => depth,
        Some(_) => return Err(Problem::field("depth", "is a number from 1 to 15")),
    };
    let (mut conn, actor) = asked.read().await?;
    let node = asked.node(&mut conn, &actor, &node, Action::SeeNode).await?;
    let found = tree::below_to(&mut conn, &node.path, node.path.depth() + depth, &from, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |node| node.path.to_string(), |node| NodeView::from(&node))).into_response())
}

pub(super) use change::some;
pub(super) use moving::EffectView;
