//! A node that is hung elsewhere, and what that does to who can use what.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::NodeView;
use crate::server::api::shared::{Asked, Named};
use crate::server::extract::{IfMatch, JsonBody, PathOf, QueryOf, id};
use crate::server::once::Once;
use crate::server::problem::{Code, Problem, allow};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Object, authorize};
use crate::tvm::model::{HorizontalId, NodeId, Path, RoleId, UserId};
use crate::tvm::store::effect::{self, Effect};
use crate::tvm::store::{Conn, names, nodes};

pub(super) fn routes() -> Vec<Route> {
    vec![Route::api("node.move", Access::Api, Row::Matrix(Action::MoveNode), routes!(go))]
}

/// Where to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Destination {
    /// The node below which it is to hang.
    to: String,
}

/// Whether it is only looked at.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DryRun {
    /// Whether to say only what would come of it, and to change nothing.
    pub(super) dry_run: Option<bool>,
}

/// A role in a horizontal role.
#[derive(Debug, Serialize, ToSchema)]
struct Holding {
    /// The horizontal role.
    horizontal: Named,
    /// The role of an account.
    role: Named,
}

/// Somebody with a role.
#[derive(Debug, Serialize, ToSchema)]
struct Usage {
    /// Who.
    user: Named,
    /// The role of an account.
    role: Named,
}

/// What a change does to who can use what.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server::api) struct EffectView {
    /// Roles that come into horizontal roles.
    roles_gained: Vec<Holding>,
    /// Roles that leave them.
    roles_lost: Vec<Holding>,
    /// Who can use what they could not.
    people_gained: Vec<Usage>,
    /// Who cannot use any more what they could.
    people_lost: Vec<Usage>,
    /// Whether there is more than these lists hold; 200 entries each.
    is_cut: bool,
}

impl EffectView {
    pub(in crate::server::api) async fn of(conn: &mut Conn, effect: &Effect) -> Result<Self, Problem> {
        let Effect { roles_gained, roles_lost, people_gained, people_lost, is_cut } = effect;
        let holdings = || roles_gained.iter().chain(roles_lost);
        let usages = || people_gained.iter().chain(people_lost);
        let of_holdings = holdings().map(|(_, role)| role);
        let roles = names::roles(&mut *conn, of_holdings.chain(usages().map(|(_, role)| role))).await?;
        let horizontals = names::horizontals(&mut *conn, holdings().map(|(horizontal, _)| horizontal)).await?;
        let users = names::users(conn, usages().map(|(user, _)| user)).await?;
        let holding = |(horizontal, role): &(HorizontalId, RoleId)| Holding {
            horizontal: Named::among(&horizontals, horizontal.as_str()),
            role: Named::among(&roles, role.as_str()),
        };
        let usage = |(user, role): &(UserId, RoleId)| Usage {
            user: Named::among(&users, user.as_str()),
            role: Named::among(&roles, role.as_str()),
        };
        Ok(Self {
            roles_gained: roles_gained.iter().map(holding).collect(),
            roles_lost: roles_lost.iter().map(holding).collect(),
            people_gained: people_gained.iter().map(usage).collect(),
            people_lost: people_lost.iter().map(usage).collect(),
            is_cut: *is_cut,
        })
    }
}

/// What came of a move.
#[derive(Debug, Serialize, ToSchema)]
struct Moved {
    /// Whether it was only looked at.
    dry_run: bool,
    /// The node, as it is then.
    node: NodeView,
    /// What changes about who can use what.
    effect: EffectView,
    /// Who looks after it then and did not before.
    managers_gained: Vec<Named>,
    /// Who does not look after it any more.
    managers_lost: Vec<Named>,
}

/// Hangs a node, with everything below it, below another one
///
/// For super admins and for whoever looks after both parents. With `dry_run` it says what would change, and nothing does.
#[utoipa::path(post, path = "/api/v1/nodes/{node}/move", tag = "Nodes", operation_id = "node.move",
    params(("node" = String, Path), DryRun, ("If-Match" = String, Header, description = "The version that the change is made from")),
    request_body = Destination,
    responses((status = 200, body = Moved), (status = 409, description = "`name_taken`, `idempotency_conflict`"), (status = 422, description = "`tree_shape`")))]
async fn go(
    asked: Asked,
    PathOf(node): PathOf<String>,
    QueryOf(query): QueryOf<DryRun>,
    version: IfMatch,
    once: Once,
    JsonBody(to): JsonBody<Destination>,
) -> Result<Response, Problem> {
    let dry_run = query.dry_run.unwrap_or_default();
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    let node = nodes::by_id(&mut tx, &id(&node, NodeId::parse)?).await?;
    asked.told.on("node", node.id.as_str(), Some(&node.path));
    let from = node.path.parent().unwrap_or_else(|| node.path.clone());
    // Who may not move anything away from here learns nothing about where it should go.
    allow(authorize(&actor, Action::MoveNode, Object::Move { from: &from, to: &from }))?;
    let to = nodes::by_id(&mut tx, &id(&to.to, NodeId::parse)?).await?;
    if authorize(&actor, Action::MoveNode, Object::Move { from: &from, to: &to.path }) != crate::tvm::authorize::Verdict::Allowed
    {
        let may_know = authorize(&actor, Action::SeeNode, crate::server::api::shared::on_node(&to));
        allow(may_know)?;
        return Err(Problem::only(Code::Forbidden));
    }
    version.check(node.version)?;
    let before = effect::holdings_below(&mut tx, &node.path).await?;
    let managers = managers(&mut tx, &from).await?;
    tx.move_node(&node.id, node.version, &to.id).await?;
    let node = nodes::by_id(&mut tx, &node.id).await?;
    let then = effect::holdings_below(&mut tx, &node.path).await?;
    let effect = effect::compare(&mut tx, &before, &then, asked.now).await?;
    let others = self::managers(&mut tx, &to.path).await?;
    let moved = Moved {
        dry_run,
        node: NodeView::from(&node),
        effect: EffectView::of(&mut tx, &effect).await?,
        managers_gained: without(&others, &managers),
        managers_lost: without(&managers, &others),
    };
    if dry_run {
        // Dropped, it never was.
        drop(tx);
        use axum::response::IntoResponse as _;
        return Ok(axum::Json(moved).into_response());
    }
    let answer = once.answer(&mut tx, StatusCode::OK, &moved).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}

/// These without those.
fn without(these: &BTreeMap<UserId, String>, those: &BTreeMap<UserId, String>) -> Vec<Named> {
    let left = these.iter().filter(|(id, _)| !those.contains_key(*id));
    left.map(|(id, name)| Named { id: id.to_string(), name: name.clone() }).collect()
}

/// Who looks after what is below a node.
async fn managers(conn: &mut Conn, at: &Path) -> Result<BTreeMap<UserId, String>, Problem> {
    let mut found: BTreeMap<UserId, String> = BTreeMap::new();
    for id in at.ids() {
        for owner in nodes::owners(&mut *conn, &id, "", 200).await? {
            found.insert(owner.id, owner.alias.to_string());
        }
    }
    Ok(found)
}
