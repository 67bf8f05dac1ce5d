//! Nodes made, changed and destroyed.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::NodeView;
use crate::server::api::shared::{Asked, given, is_super, manages, person_in, session, word};
use crate::server::extract::{IfMatch, JsonBody, PathOf, etag};
use crate::server::once::Once;
use crate::server::problem::{Code, Problem};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::Action;
use crate::tvm::model::{CloudAccount, Description, Kind, Label, NewNode, NodeState, UserId, VendMethod};
use crate::tvm::store::{Conn, nodes};
use crate::types::IdpArn;

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    vec![
        api("node.create", Action::CreateNode, routes!(create)),
        api("node.update", Action::UpdateNode, routes!(update)),
        api("node.destroy", Action::DestroyNode, routes!(destroy)),
    ]
}

/// A node that is to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNodeBody {
    /// The node above.
    parent: String,
    /// The name, unique beside its siblings.
    name: String,
    /// A remark.
    description: Option<String>,
    /// The cloud account, `PARTITION:NUMBER`, where it is one; else it is a folder. The number is the account's own, never a sub-user's.
    #[schema(example = "alibaba:1000000000000001")]
    account: Option<String>,
    /// Its owners: identities here, or GIDs. At least one.
    #[schema(min_items = 1)]
    owners: Vec<String>,
}

/// People who are named in a body.
pub(super) async fn owners_in(conn: &mut Conn, owners: &[String]) -> Result<Vec<UserId>, Problem> {
    if owners.is_empty() {
        return Err(Problem::field("owners", "names at least one person"));
    }
    if owners.len() > 100 {
        return Err(Problem::field("owners", "names 100 people at the most"));
    }
    let mut found = Vec::new();
    for owner in owners {
        let user = person_in(conn, "owners", owner).await?;
        if user.status != crate::tvm::model::Status::Active {
            return Err(Problem::field("owners", format!("`{owner}` is disabled")));
        }
        if !found.contains(&user.id) {
            found.push(user.id);
        }
    }
    Ok(found)
}

/// Adds a folder, or a cloud account, below a node
#[utoipa::path(post, path = "/api/v1/nodes", tag = "Nodes", operation_id = "node.create", request_body = NewNodeBody,
    responses((status = 201, body = NodeView), (status = 409, description = "`name_taken`, `account_uid_taken`, `idempotency_conflict`"),
        (status = 422, description = "`tree_shape`")))]
async fn create(asked: Asked, once: Once, JsonBody(new): JsonBody<NewNodeBody>) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    let parent = asked.node(&mut tx, &actor, &new.parent, Action::CreateNode).await?;
    let node = NewNode {
        name: given("name", Label::parse(&new.name))?,
        description: given("description", Description::parse(new.description.as_deref().unwrap_or_default()))?,
        account: new.account.as_deref().map(|text| given("account", CloudAccount::parse(text))).transpose()?,
    };
    let owners = owners_in(&mut tx, &new.owners).await?;
    let node = tx.add_node(&parent.id, &node, &owners, Some(asked.who.id())).await?;
    asked.told.on("node", node.id.as_str(), Some(&node.path));
    let answer = once.answer(&mut tx, StatusCode::CREATED, &NodeView::from(&node)).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}

/// What of a node is to be changed; what is left out stays, and `null` takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NodeChange {
    /// The name, unique beside its siblings.
    name: Option<String>,
    /// A remark.
    description: Option<String>,
    /// The account's entry for this service as an identity provider: an ARN in this very account.
    #[serde(default, deserialize_with = "some")]
    #[schema(value_type = Option<String>)]
    saml_provider: Option<Option<String>>,
    /// How keys are come by: `saml`, `hub_role`, `ram_user` or `none`. From above the account only.
    vend_method: Option<String>,
    /// The longest session, 900 to 43200 seconds. From above the account only.
    #[serde(default, deserialize_with = "some")]
    #[schema(value_type = Option<u32>, minimum = 900, maximum = 43200)]
    max_session_s: Option<Option<u32>>,
    /// Whether a command line gets the signed response and exchanges it at the cloud itself: where this service has no way there, and the account's
    /// keys are come by with `saml`. Then there are no session policies, and no keys on pages. From above the account only.
    client_exchange: Option<bool>,
    /// `active`, or `suspended`: nothing is handed out at or below it. From above the account only.
    state: Option<String>,
    /// The cloud account, `PARTITION:NUMBER`. Super admins only.
    account: Option<String>,
}

/// Tells what was left out from what was set to `null`.
pub(in crate::server::api) fn some<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Changes a node
///
/// An account's owner changes name, remark and provider. How keys are come by, how long they last and whether any are handed out is decided
/// from above, the account's number by super admins.
#[utoipa::path(patch, path = "/api/v1/nodes/{node}", tag = "Nodes", operation_id = "node.update",
    params(("node" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")), request_body = NodeChange,
    responses((status = 200, body = NodeView), (status = 409, description = "`name_taken`, `account_uid_taken`, `node_not_empty`"),
        (status = 422, description = "`tree_shape`")))]
async fn update(
    asked: Asked,
    PathOf(node): PathOf<String>,
    version: IfMatch,
    JsonBody(change): JsonBody<NodeChange>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let mut node = asked.node(&mut tx, &actor, &node, Action::UpdateNode).await?;
    let from_above = change.vend_method.is_some()
        || change.max_session_s.is_some()
        || change.client_exchange.is_some()
        || change.state.is_some();
    if from_above && !manages(&actor, &node) {
        return Err(Problem::new(
            Code::Forbidden,
            "`vend_method`, `max_session_s`, `client_exchange` and `state` are changed from above the account",
        ));
    }
    if change.account.is_some() && !is_super(&actor) {
        return Err(Problem::new(Code::Forbidden, "an account's number is changed by super admins only"));
    }
    version.check(node.version)?;
    if let Some(text) = &change.name {
        node.name = given("name", Label::parse(text))?;
    }
    if let Some(text) = &change.description {
        node.description = given("description", Description::parse(text))?;
    }
    if let Some(provider) = &change.saml_provider {
        let parse = |text: &String| IdpArn::parse(text).map_err(|bad| Problem::field("saml_provider", bad.to_string()));
        node.vending.provider = provider.as_ref().map(parse).transpose()?;
    }
    if let Some(text) = &change.vend_method {
        node.vending.method = word("vend_method", text, VendMethod::from_word, "`saml`, `hub_role`, `ram_user`, `none`")?;
    }
    if let Some(seconds) = change.max_session_s {
        node.vending.max_session = seconds.map(|seconds| session("max_session_s", seconds)).transpose()?;
    }
    if let Some(by_client) = change.client_exchange {
        node.vending.client_exchange = by_client;
    }
    if let Some(text) = &change.state {
        let state = NodeState::from_word(text).filter(|state| *state != NodeState::Destroyed);
        node.state = state.ok_or_else(|| Problem::field("state", "is `active` or `suspended`"))?;
    }
    if let Some(text) = &change.account {
        let account = given("account", CloudAccount::parse(text))?;
        let has_roles = !crate::tvm::store::insight::roles_below(&mut tx, &node.path, false, ("", ""), 1).await?.is_empty();
        node.kind = match node.kind {
            Kind::Root(_) => Kind::Root(Some(account)),
            Kind::Account(old) if old == account => Kind::Account(old),
            // Its roles would be another account's.
            Kind::Account(_) if has_roles => return Err(Problem::new(Code::NodeNotEmpty, "the node has roles of its account")),
            Kind::Account(_) => Kind::Account(account),
            Kind::Management => return Err(Problem::field("account", "is for the root and for account nodes")),
        };
    }
    tx.update_node(&node).await?;
    let node = nodes::by_id(&mut tx, &node.id).await?;
    asked.told.commit(tx).await?;
    Ok((etag(node.version), Json(NodeView::from(&node))).into_response())
}

/// What is to be destroyed, once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server::api) struct Repeated {
    /// The name of what is to go.
    pub(in crate::server::api) name: String,
}

/// Destroys an empty node
#[utoipa::path(delete, path = "/api/v1/nodes/{node}", tag = "Nodes", operation_id = "node.destroy",
    params(("node" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")), request_body = Repeated,
    responses((status = 204, description = "It is gone"), (status = 409, description = "`node_not_empty`"), (status = 422, description = "`tree_shape`")))]
async fn destroy(
    asked: Asked,
    PathOf(node): PathOf<String>,
    version: IfMatch,
    JsonBody(repeated): JsonBody<Repeated>,
) -> Result<StatusCode, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let node = asked.node(&mut tx, &actor, &node, Action::DestroyNode).await?;
    version.check(node.version)?;
    if repeated.name != node.name.as_str() {
        return Err(Problem::field("name", "is not the name of this node"));
    }
    tx.destroy_node(&node.id, node.version).await.map_err(|error| match Problem::from(error) {
        problem if !problem.refs.is_empty() => Problem { code: Code::NodeNotEmpty, ..problem },
        problem => problem,
    })?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT)
}
