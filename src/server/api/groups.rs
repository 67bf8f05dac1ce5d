//! Horizontal groups: people who get horizontal roles.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::members::{MemberView, Terms, join, leave};
use super::shared::{Asked, Paging, after, given, person};
use crate::server::extract::{IfMatch, JsonBody, Page, PathOf, QueryOf, etag, id, limit};
use crate::server::once::Once;
use crate::server::problem::{Code, Problem, allow};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Actor, Object, authorize};
use crate::tvm::model::{Group, GroupId, GroupKind, Kind, Label, Node, NodeId};
use crate::tvm::store::groups::Member;
use crate::tvm::store::{Conn, groups, nodes};

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    vec![
        api("group.list", Action::SeeHorizontal, routes!(list)),
        api("group.create", Action::CreateHorizontal, routes!(create)),
        api("group.read", Action::SeeHorizontal, routes!(read)),
        api("group.update", Action::UpdateHorizontal, routes!(update)),
        api("group.delete", Action::DeleteHorizontal, routes!(delete)),
        api("group.member.list", Action::SeeHorizontal, routes!(members)),
        api("group.member.add", Action::AssignHorizontal, routes!(add)),
        api("group.member.remove", Action::AssignHorizontal, routes!(remove)),
    ]
}

/// A horizontal group.
#[derive(Debug, Serialize, ToSchema)]
struct GroupView {
    /// The identity.
    id: String,
    /// The management node that has it.
    node: String,
    /// The name, unique at its node.
    name: String,
    /// How often it was changed.
    version: i64,
}

impl From<&Group> for GroupView {
    fn from(group: &Group) -> Self {
        Self { id: group.id.to_string(), node: group.node.to_string(), name: group.name.to_string(), version: group.version }
    }
}

/// A node whose horizontal roles and groups this may be done with.
pub(super) async fn table(asked: &Asked, conn: &mut Conn, actor: &Actor, text: &str, action: Action) -> Result<Node, Problem> {
    let node = nodes::by_id(conn, &id(text, NodeId::parse)?).await?;
    asked.told.on("node", node.id.as_str(), Some(&node.path));
    allow(authorize(actor, action, Object::Horizontal { node: &node.path, is_protected: false }))?;
    if matches!(node.kind, Kind::Account(_)) {
        return Err(Problem::new(Code::TreeShape, "horizontal roles and groups belong to management nodes"));
    }
    Ok(node)
}

/// A horizontal group that this may be done to. The group of a role is changed with its role.
pub(super) async fn group(asked: &Asked, conn: &mut Conn, actor: &Actor, text: &str, action: Action) -> Result<Group, Problem> {
    let group = groups::by_id(&mut *conn, &id(text, GroupId::parse)?).await?;
    let node = nodes::by_id(conn, &group.node).await?;
    asked.told.on("group", group.id.as_str(), Some(&node.path));
    allow(authorize(actor, action, Object::Horizontal { node: &node.path, is_protected: false }))?;
    match group.kind {
        GroupKind::Horizontal => Ok(group),
        GroupKind::Role(_) => Err(Problem::new(Code::OneToOne, "this is the group of one role, and is changed with it")),
    }
}

/// The horizontal groups of a node, by name
#[utoipa::path(get, path = "/api/v1/nodes/{node}/groups", tag = "Groups", operation_id = "group.list", params(("node" = String, Path), Paging),
    responses((status = 200, body = Page<GroupView>), (status = 422, description = "`tree_shape`")))]
async fn list(asked: Asked, PathOf(node): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: String = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let node = table(&asked, &mut conn, &actor, &node, Action::SeeHorizontal).await?;
    let found = groups::at(&mut conn, &node.id, &from, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |group| group.name.normal().to_owned(), |group| GroupView::from(&group))).into_response())
}

/// A name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GroupName {
    /// The name, unique at its node.
    name: String,
}

/// Makes a horizontal group at a management node
#[utoipa::path(post, path = "/api/v1/nodes/{node}/groups", tag = "Groups", operation_id = "group.create", params(("node" = String, Path)), request_body = GroupName,
    responses((status = 201, body = GroupView), (status = 409, description = "`name_taken`, `idempotency_conflict`"), (status = 422, description = "`tree_shape`")))]
async fn create(
    asked: Asked,
    PathOf(node): PathOf<String>,
    once: Once,
    JsonBody(new): JsonBody<GroupName>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    let node = table(&asked, &mut tx, &actor, &node, Action::CreateHorizontal).await?;
    let group = tx.add_group(&node.id, &given("name", Label::parse(&new.name))?).await?;
    asked.told.on("group", group.id.as_str(), Some(&node.path));
    let answer = once.answer(&mut tx, StatusCode::CREATED, &GroupView::from(&group)).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}

/// A horizontal group
#[utoipa::path(get, path = "/api/v1/groups/{group}", tag = "Groups", operation_id = "group.read", params(("group" = String, Path)),
    responses((status = 200, body = GroupView), (status = 409, description = "`one_to_one`")))]
async fn read(asked: Asked, PathOf(text): PathOf<String>) -> Result<Response, Problem> {
    let (mut conn, actor) = asked.read().await?;
    let group = group(&asked, &mut conn, &actor, &text, Action::SeeHorizontal).await?;
    Ok((etag(group.version), Json(GroupView::from(&group))).into_response())
}

/// Gives a horizontal group another name
#[utoipa::path(patch, path = "/api/v1/groups/{group}", tag = "Groups", operation_id = "group.update",
    params(("group" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")), request_body = GroupName,
    responses((status = 200, body = GroupView), (status = 409, description = "`name_taken`, `one_to_one`")))]
async fn update(
    asked: Asked,
    PathOf(text): PathOf<String>,
    version: IfMatch,
    JsonBody(change): JsonBody<GroupName>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let group = group(&asked, &mut tx, &actor, &text, Action::UpdateHorizontal).await?;
    version.check(group.version)?;
    tx.rename_group(&group.id, group.version, &given("name", Label::parse(&change.name))?).await?;
    let group = groups::by_id(&mut tx, &group.id).await?;
    asked.told.commit(tx).await?;
    Ok((etag(group.version), Json(GroupView::from(&group))).into_response())
}

/// Removes a horizontal group that nobody is in and that has no horizontal role
#[utoipa::path(delete, path = "/api/v1/groups/{group}", tag = "Groups", operation_id = "group.delete",
    params(("group" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")),
    responses((status = 204, description = "It is gone"), (status = 409, description = "`role_referenced`, `one_to_one`")))]
async fn delete(asked: Asked, PathOf(text): PathOf<String>, version: IfMatch) -> Result<StatusCode, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let group = group(&asked, &mut tx, &actor, &text, Action::DeleteHorizontal).await?;
    version.check(group.version)?;
    tx.delete_group(&group.id).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The people in a horizontal group
#[utoipa::path(get, path = "/api/v1/groups/{group}/members", tag = "Groups", operation_id = "group.member.list", params(("group" = String, Path), Paging),
    responses((status = 200, body = Page<MemberView>), (status = 409, description = "`one_to_one`")))]
async fn members(asked: Asked, PathOf(text): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: (String, String) = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let group = group(&asked, &mut conn, &actor, &text, Action::SeeHorizontal).await?;
    let found = groups::members(&mut conn, &group.id, (&from.0, &from.1), limit + 1).await?;
    let place = |member: &Member| (member.id.to_string(), member.source.word().to_owned());
    Ok(Json(Page::of(found, limit, place, |member| MemberView::from(&member))).into_response())
}

/// Puts a person into a horizontal group
#[utoipa::path(put, path = "/api/v1/groups/{group}/members/{user}", tag = "Groups", operation_id = "group.member.add",
    params(("group" = String, Path), ("user" = String, Path, description = "The identity here, or the GID")), request_body = Terms,
    responses((status = 200, body = MemberView), (status = 409, description = "`one_to_one`")))]
async fn add(
    asked: Asked,
    PathOf((text, user)): PathOf<(String, String)>,
    JsonBody(terms): JsonBody<Terms>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let group = group(&asked, &mut tx, &actor, &text, Action::AssignHorizontal).await?;
    let user = person(&mut tx, &user).await?;
    let member = join(&asked, &mut tx, &group.id, &user, &terms).await?;
    asked.told.commit(tx).await?;
    Ok(Json(member).into_response())
}

/// Takes a person out of a horizontal group
#[utoipa::path(delete, path = "/api/v1/groups/{group}/members/{user}", tag = "Groups", operation_id = "group.member.remove",
    params(("group" = String, Path), ("user" = String, Path, description = "The identity here, or the GID")),
    responses((status = 204, description = "They are out of it"), (status = 409, description = "`one_to_one`")))]
async fn remove(asked: Asked, PathOf((text, user)): PathOf<(String, String)>) -> Result<StatusCode, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let group = group(&asked, &mut tx, &actor, &text, Action::AssignHorizontal).await?;
    let user = person(&mut tx, &user).await?;
    leave(&asked, &mut tx, &group.id, &user).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT)
}
