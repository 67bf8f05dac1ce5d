//! Who owns a node.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::server::api::governed::{Change, propose};
use crate::server::api::shared::{Asked, Paging, after, person};
use crate::server::extract::{Page, PathOf, QueryOf, limit};
use crate::server::problem::Problem;
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::Action;
use crate::tvm::model::{Status, User};
use crate::tvm::store::nodes::{self, Owner};

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    vec![
        api("node.owner.list", Action::SeeNode, routes!(list)),
        api("node.owner.add", Action::ChangeOwners, routes!(add)),
        api("node.owner.remove", Action::ChangeOwners, routes!(remove)),
    ]
}

/// An owner of a node.
#[derive(Debug, Serialize, ToSchema)]
struct OwnerView {
    /// The identity here.
    id: String,
    /// The identity at the corporate identity provider.
    gid: String,
    /// The name for people.
    alias: String,
    /// Whether they can act; else they are barred.
    is_active: bool,
}

impl From<&Owner> for OwnerView {
    fn from(owner: &Owner) -> Self {
        Self { id: owner.id.to_string(), gid: owner.gid.to_string(), alias: owner.alias.to_string(), is_active: owner.is_active }
    }
}

impl From<&User> for OwnerView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            gid: user.gid.to_string(),
            alias: user.alias.to_string(),
            is_active: user.status == Status::Active,
        }
    }
}

/// The owners of a node
#[utoipa::path(get, path = "/api/v1/nodes/{node}/owners", tag = "Nodes", operation_id = "node.owner.list", params(("node" = String, Path), Paging),
    responses((status = 200, body = Page<OwnerView>)))]
async fn list(asked: Asked, PathOf(node): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: String = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let node = asked.node(&mut conn, &actor, &node, Action::SeeNode).await?;
    let found = nodes::owners(&mut conn, &node.id, &from, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |owner| owner.id.to_string(), |owner| OwnerView::from(&owner))).into_response())
}

/// Makes a person an owner; one who is already stays it
#[utoipa::path(put, path = "/api/v1/nodes/{node}/owners/{user}", tag = "Nodes", operation_id = "node.owner.add",
    params(("node" = String, Path), ("user" = String, Path, description = "The identity here, or the GID")), responses((status = 200, body = OwnerView)))]
async fn add(asked: Asked, PathOf((node, user)): PathOf<(String, String)>) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let node = asked.node(&mut tx, &actor, &node, Action::ChangeOwners).await?;
    let user = person(&mut tx, &user).await?;
    if asked.app.settings.two_person && node.path.depth() == 1 {
        let change = Change::AddRootOwner { node: node.id.to_string(), user: user.id.to_string() };
        return propose(&asked, tx, None, &change).await;
    }
    tx.add_owner(&node.id, &user.id, Some(asked.who.id())).await?;
    asked.told.add("gid", user.gid.as_str());
    asked.told.commit(tx).await?;
    Ok(Json(OwnerView::from(&user)).into_response())
}

/// Takes a node from an owner
#[utoipa::path(delete, path = "/api/v1/nodes/{node}/owners/{user}", tag = "Nodes", operation_id = "node.owner.remove",
    params(("node" = String, Path), ("user" = String, Path, description = "The identity here, or the GID")),
    responses((status = 204, description = "They own it no longer"), (status = 409, description = "`last_owner`")))]
async fn remove(asked: Asked, PathOf((node, user)): PathOf<(String, String)>) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let node = asked.node(&mut tx, &actor, &node, Action::ChangeOwners).await?;
    let user = person(&mut tx, &user).await?;
    if asked.app.settings.two_person && node.path.depth() == 1 {
        let change = Change::RemoveRootOwner { node: node.id.to_string(), user: user.id.to_string() };
        return propose(&asked, tx, None, &change).await;
    }
    tx.remove_owner(&node.id, &user.id).await?;
    asked.told.add("gid", user.gid.as_str());
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
