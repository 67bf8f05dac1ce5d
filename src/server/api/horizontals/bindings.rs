//! What a horizontal role holds, and which groups have it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{horizontal, is_for_two};
use crate::server::api::governed::{Change, propose};
use crate::server::api::groups::group;
use crate::server::api::shared::{Asked, Named, Paging, after};
use crate::server::extract::{Page, PathOf, QueryOf, id, limit};
use crate::server::once::Once;
use crate::server::problem::Problem;
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::Action;
use crate::tvm::model::RoleId;
use crate::tvm::store::bindings::{self as bound, Match};

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    vec![
        api("horizontal.match.list", Action::SeeHorizontal, routes!(matches)),
        api("horizontal.explicit.add", Action::UpdateHorizontal, routes!(add)),
        api("horizontal.explicit.remove", Action::UpdateHorizontal, routes!(remove)),
        api("horizontal.group.list", Action::SeeHorizontal, routes!(groups)),
        api("horizontal.group.bind", Action::UpdateHorizontal, routes!(bind)),
        api("horizontal.group.unbind", Action::UpdateHorizontal, routes!(unbind)),
        api("horizontal.pending.confirm", Action::UpdateHorizontal, routes!(confirm)),
    ]
}

/// A role in a horizontal role.
#[derive(Debug, Serialize, ToSchema)]
struct MatchView {
    /// The role.
    role: Named,
    /// Its account's node.
    node: Named,
    /// Why it is there: `pattern`, or `explicit` where somebody added it. One that is there for both reasons stands twice.
    via: &'static str,
    /// `active`, or `pending` until somebody confirms it.
    state: &'static str,
}

impl From<Match> for MatchView {
    fn from(one: Match) -> Self {
        Self {
            role: Named { id: one.role.to_string(), name: one.name },
            node: Named { id: one.node.to_string(), name: one.node_name },
            via: one.via.word(),
            state: if one.is_pending { "pending" } else { "active" },
        }
    }
}

/// The roles that a horizontal role holds
#[utoipa::path(get, path = "/api/v1/horizontal-roles/{horizontal}/matches", tag = "Horizontal roles", operation_id = "horizontal.match.list",
    params(("horizontal" = String, Path), Paging), responses((status = 200, body = Page<MatchView>)))]
async fn matches(asked: Asked, PathOf(text): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: (String, String) = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let found = horizontal(&asked, &mut conn, &actor, &text, Action::SeeHorizontal).await?;
    let rows = bound::matches(&mut conn, &found.id, (&from.0, &from.1), limit + 1).await?;
    let place = |one: &Match| (one.role.to_string(), one.via.word().to_owned());
    Ok(Json(Page::of(rows, limit, place, MatchView::from)).into_response())
}

/// Adds a role by hand, whatever its name
#[utoipa::path(put, path = "/api/v1/horizontal-roles/{horizontal}/explicit/{role}", tag = "Horizontal roles", operation_id = "horizontal.explicit.add",
    params(("horizontal" = String, Path), ("role" = String, Path)),
    responses((status = 204, description = "It is in it"), (status = 422, description = "`tree_shape`")))]
async fn add(asked: Asked, PathOf((text, role)): PathOf<(String, String)>) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let found = horizontal(&asked, &mut tx, &actor, &text, Action::UpdateHorizontal).await?;
    let role = id(&role, RoleId::parse)?;
    if is_for_two(&asked, &found.path) {
        let change = Change::AddExplicit { horizontal: found.id.to_string(), role: role.to_string() };
        return propose(&asked, tx, None, &change).await;
    }
    tx.add_explicit(&found.id, &role, Some(asked.who.id())).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Takes back what was added by hand
///
/// A role whose name keeps to the rule stays in by its name.
#[utoipa::path(delete, path = "/api/v1/horizontal-roles/{horizontal}/explicit/{role}", tag = "Horizontal roles", operation_id = "horizontal.explicit.remove",
    params(("horizontal" = String, Path), ("role" = String, Path)), responses((status = 204, description = "It is not added by hand any more")))]
async fn remove(asked: Asked, PathOf((text, role)): PathOf<(String, String)>) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let found = horizontal(&asked, &mut tx, &actor, &text, Action::UpdateHorizontal).await?;
    let role = id(&role, RoleId::parse)?;
    if is_for_two(&asked, &found.path) {
        let change = Change::RemoveExplicit { horizontal: found.id.to_string(), role: role.to_string() };
        return propose(&asked, tx, None, &change).await;
    }
    tx.drop_explicit(&found.id, &role).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The groups that have a horizontal role
#[utoipa::path(get, path = "/api/v1/horizontal-roles/{horizontal}/groups", tag = "Horizontal roles", operation_id = "horizontal.group.list",
    params(("horizontal" = String, Path), Paging), responses((status = 200, body = Page<Named>)))]
async fn groups(asked: Asked, PathOf(text): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: String = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let found = horizontal(&asked, &mut conn, &actor, &text, Action::SeeHorizontal).await?;
    let rows = bound::groups(&mut conn, &found.id, &from, limit + 1).await?;
    let show = |(id, name): (crate::tvm::model::GroupId, String)| Named { id: id.to_string(), name };
    Ok(Json(Page::of(rows, limit, |(id, _)| id.to_string(), show)).into_response())
}

/// Gives a horizontal role to a horizontal group
///
/// Of both one has to look after the node: nobody gives a role to people whom others choose.
#[utoipa::path(put, path = "/api/v1/horizontal-roles/{horizontal}/groups/{group}", tag = "Horizontal roles", operation_id = "horizontal.group.bind",
    params(("horizontal" = String, Path), ("group" = String, Path)),
    responses((status = 204, description = "The group has it"), (status = 409, description = "`one_to_one`")))]
async fn bind(asked: Asked, PathOf((text, other)): PathOf<(String, String)>) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let group = group(&asked, &mut tx, &actor, &other, Action::AssignHorizontal).await?;
    let found = horizontal(&asked, &mut tx, &actor, &text, Action::UpdateHorizontal).await?;
    if is_for_two(&asked, &found.path) {
        let change = Change::BindGroup { horizontal: found.id.to_string(), group: group.id.to_string() };
        return propose(&asked, tx, None, &change).await;
    }
    tx.bind_group(&found.id, &group.id).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Takes a horizontal role from a group
#[utoipa::path(delete, path = "/api/v1/horizontal-roles/{horizontal}/groups/{group}", tag = "Horizontal roles", operation_id = "horizontal.group.unbind",
    params(("horizontal" = String, Path), ("group" = String, Path)), responses((status = 204, description = "The group has it no longer")))]
async fn unbind(asked: Asked, PathOf((text, other)): PathOf<(String, String)>) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let found = horizontal(&asked, &mut tx, &actor, &text, Action::UpdateHorizontal).await?;
    let group = id(&other, crate::tvm::model::GroupId::parse)?;
    if is_for_two(&asked, &found.path) {
        let change = Change::UnbindGroup { horizontal: found.id.to_string(), group: group.to_string() };
        return propose(&asked, tx, None, &change).await;
    }
    tx.unbind_group(&found.id, &group).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Lets a role count that waits
#[utoipa::path(post, path = "/api/v1/horizontal-roles/{horizontal}/pending/{role}/confirm", tag = "Horizontal roles", operation_id = "horizontal.pending.confirm",
    params(("horizontal" = String, Path), ("role" = String, Path)),
    responses((status = 200, body = Confirmed), (status = 409, description = "`idempotency_conflict`")))]
async fn confirm(asked: Asked, PathOf((text, role)): PathOf<(String, String)>, once: Once) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    let found = horizontal(&asked, &mut tx, &actor, &text, Action::UpdateHorizontal).await?;
    let role = id(&role, RoleId::parse)?;
    if is_for_two(&asked, &found.path) {
        let change = Change::ConfirmPending { horizontal: found.id.to_string(), role: role.to_string() };
        return propose(&asked, tx, Some(&once), &change).await;
    }
    tx.confirm(&found.id, &role).await?;
    let answer = once.answer(&mut tx, StatusCode::OK, &Confirmed { role: role.to_string(), state: "active" }).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}

/// A role that counts now.
#[derive(Debug, Serialize, ToSchema)]
struct Confirmed {
    /// Which.
    role: String,
    /// `active`.
    state: &'static str,
}
