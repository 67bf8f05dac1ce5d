//! Who may use a role: the people in its group.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::shared::{Asked, Paging, after, given, person, role_of, time};
use crate::server::extract::{JsonBody, Page, PathOf, QueryOf, limit};
use crate::server::problem::Problem;
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Object, Verdict, authorize};
use crate::tvm::model::{Description, GroupId, Source, User};
use crate::tvm::store::groups::{self, Member, Membership};
use crate::tvm::store::{StoreError, Tx};
use crate::types::Timestamp;

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    vec![
        api("role.member.list", Action::SeeRole, routes!(list)),
        api("role.member.add", Action::AssignRole, routes!(add)),
        api("role.member.remove", Action::AssignRole, routes!(remove)),
    ]
}

/// Somebody in a group.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberView {
    /// The identity here.
    id: String,
    /// The identity at the corporate identity provider.
    gid: String,
    /// The name for people.
    alias: String,
    /// How they came there: `manual`, `idp`, `scim` or `request`.
    source: &'static str,
    /// Until when (RFC 3339); nothing for until somebody takes them out.
    expires_at: Option<String>,
    /// Why.
    reason: String,
}

impl From<&Member> for MemberView {
    fn from(member: &Member) -> Self {
        Self {
            id: member.id.to_string(),
            gid: member.gid.to_string(),
            alias: member.alias.to_string(),
            source: member.source.word(),
            expires_at: member.ends.map(Timestamp::utc),
            reason: member.reason.clone(),
        }
    }
}

/// How long somebody is to be in a group, and why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Terms {
    /// Until when (RFC 3339); nothing for until somebody takes them out.
    expires_at: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// Puts a person into a group by hand, and says how they are in it now.
pub(super) async fn join(
    asked: &Asked,
    tx: &mut Tx<'_>,
    group: &GroupId,
    user: &User,
    terms: &Terms,
) -> Result<MemberView, Problem> {
    let ends = terms.expires_at.as_deref().map(|text| time("expires_at", text)).transpose()?;
    if ends.is_some_and(|ends| ends <= asked.now) {
        return Err(Problem::field("expires_at", "is past"));
    }
    let reason = given("reason", Description::parse(terms.reason.as_deref().unwrap_or_default()))?;
    let how = Membership { source: Source::Manual, by: Some(asked.who.id()), ends, reason: reason.as_str() };
    tx.join(group, &user.id, how).await?;
    asked.told.add("gid", user.gid.as_str());
    Ok(MemberView {
        id: user.id.to_string(),
        gid: user.gid.to_string(),
        alias: user.alias.to_string(),
        source: Source::Manual.word(),
        expires_at: ends.map(Timestamp::utc),
        reason: reason.as_str().to_owned(),
    })
}

/// Takes a person out of a group, by whichever ways they are in it.
pub(super) async fn leave(asked: &Asked, tx: &mut Tx<'_>, group: &GroupId, user: &User) -> Result<(), Problem> {
    let mut left = false;
    for source in [Source::Manual, Source::Idp, Source::Scim, Source::Request] {
        match tx.leave(group, &user.id, source).await {
            Ok(()) => left = true,
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    asked.told.add("gid", user.gid.as_str());
    if left { Ok(()) } else { Err(StoreError::NotFound("membership").into()) }
}

/// The people in a role's group
///
/// Who merely holds the role sees oneself there.
#[utoipa::path(get, path = "/api/v1/roles/{role}/members", tag = "Roles", operation_id = "role.member.list", params(("role" = String, Path), Paging),
    responses((status = 200, body = Page<MemberView>)))]
async fn list(asked: Asked, PathOf(role): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: (String, String) = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let (role, node) = asked.role(&mut conn, &actor, &role, None, Action::SeeRole).await?;
    let sees_all = authorize(&actor, Action::SeeRole, Object::Role(role_of(&role, &node))) == Verdict::Allowed;
    let mut found = if sees_all {
        groups::members(&mut conn, &role.group, (&from.0, &from.1), limit + 1).await?
    } else {
        // Everybody after themselves, of whom the first ones are they.
        groups::members(&mut conn, &role.group, (asked.who.id().as_str(), ""), 4).await?
    };
    if !sees_all {
        found.retain(|member| member.id == *asked.who.id());
    }
    let place = |member: &Member| (member.id.to_string(), member.source.word().to_owned());
    Ok(Json(Page::of(found, limit, place, |member| MemberView::from(&member))).into_response())
}

/// Lets a person use a role
///
/// Who is in the group already gets the new end and reason.
#[utoipa::path(put, path = "/api/v1/roles/{role}/members/{user}", tag = "Roles", operation_id = "role.member.add",
    params(("role" = String, Path), ("user" = String, Path, description = "The identity here, or the GID")), request_body = Terms,
    responses((status = 200, body = MemberView)))]
async fn add(
    asked: Asked,
    PathOf((role, user)): PathOf<(String, String)>,
    JsonBody(terms): JsonBody<Terms>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let (role, _) = asked.role(&mut tx, &actor, &role, None, Action::AssignRole).await?;
    let user = person(&mut tx, &user).await?;
    let member = join(&asked, &mut tx, &role.group, &user, &terms).await?;
    asked.told.commit(tx).await?;
    Ok(Json(member).into_response())
}

/// Takes a role from a person
///
/// What they hold by a horizontal role they keep.
#[utoipa::path(delete, path = "/api/v1/roles/{role}/members/{user}", tag = "Roles", operation_id = "role.member.remove",
    params(("role" = String, Path), ("user" = String, Path, description = "The identity here, or the GID")),
    responses((status = 204, description = "They are out of its group")))]
async fn remove(asked: Asked, PathOf((role, user)): PathOf<(String, String)>) -> Result<StatusCode, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let (role, _) = asked.role(&mut tx, &actor, &role, None, Action::AssignRole).await?;
    let user = person(&mut tx, &user).await?;
    leave(&asked, &mut tx, &role.group, &user).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT)
}
