//! The pool of people.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::shared::{Asked, after, given, is_super, on_node};
use crate::server::extract::{IfMatch, JsonBody, Page, PathOf, QueryOf, etag, limit};
use crate::server::once::Once;
use crate::server::problem::{Code, Problem, allow};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Actor, Object, Person, Verdict, authorize};
use crate::tvm::model::{Alias, Description, Email, Gid, NewUser, Node, NodeId, Status, User};
use crate::tvm::store::{Conn, access, nodes, people, users};

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    vec![
        api("user.list", Action::SeePeople, routes!(list)),
        api("user.create", Action::CreateUser, routes!(create)),
        api("user.read", Action::SeePeople, routes!(read)),
        api("user.update", Action::UpdateUser, routes!(update)),
        api("user.delete", Action::DeleteUser, routes!(delete)),
        api("user.disable", Action::DisableUser, routes!(disable)),
        api("user.enable", Action::DisableUser, routes!(enable)),
    ]
}

/// A person of the pool.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PersonView {
    /// The identity here.
    id: String,
    /// The identity at the corporate identity provider. It never changes.
    gid: String,
    /// The name for people.
    alias: String,
    /// Where mail arrives. This and what follows is left out for somebody who is at home where one does not look.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The node where they are at home: its owners look after them.
    #[serde(skip_serializing_if = "Option::is_none")]
    home: Option<String>,
    /// `active`, or `disabled`: barred from signing in.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// How often it was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
}

impl PersonView {
    /// Everything.
    pub(super) fn whole(user: &User) -> Self {
        Self {
            email: Some(user.email.as_str().to_owned()),
            description: Some(user.description.as_str().to_owned()),
            home: Some(user.home.to_string()),
            status: Some(user.status.word()),
            version: Some(user.version),
            ..Self::short(user)
        }
    }

    /// What a picker needs.
    pub(super) fn short(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            gid: user.gid.to_string(),
            alias: user.alias.to_string(),
            email: None,
            description: None,
            home: None,
            status: None,
            version: None,
        }
    }
}

/// Who is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Search {
    /// The beginning of an alias, or a whole GID. By the GID anybody is found, wherever they are at home.
    q: Option<String>,
    /// How many entries at the most, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The cursor that the page before gave.
    cursor: Option<String>,
}

/// People, by alias
///
/// Those whom one looks after; with `users.visibility = global`, and for super admins, everybody.
#[utoipa::path(get, path = "/api/v1/users", tag = "Users", operation_id = "user.list", params(Search),
    responses((status = 200, body = Page<PersonView>)))]
async fn list(asked: Asked, QueryOf(search): QueryOf<Search>) -> Result<Response, Problem> {
    let limit = limit(search.limit)?;
    let from: String = after(search.cursor.as_deref())?;
    let begins = match search.q.as_deref().map(str::trim).filter(|q| !q.is_empty()) {
        None => None,
        Some(q) => Some(given("q", Alias::parse(q))?),
    };
    let (mut conn, actor) = asked.read().await?;
    allow(authorize(&actor, Action::SeePeople, Object::Pool))?;
    let all = asked.app.settings.rules.sees_everybody || is_super(&actor);
    let owner = if all { None } else { Some(asked.who.id()) };
    let normal = begins.as_ref().map_or("", |alias| alias.normal());
    let found = people::search(&mut conn, owner, normal, &from, limit + 1).await?;
    let mut page = Page::of(found, limit, |user| user.alias.normal().to_owned(), |user| PersonView::whole(&user));
    if from.is_empty()
        && let Some(gid) = search.q.as_deref().and_then(|q| Gid::parse(q).ok())
        && let Some(user) = users::by_gid(&mut conn, &gid).await?
    {
        page.items.retain(|item| item.id != user.id.as_str());
        let view = if all || is_near(&mut conn, &actor, &user).await? { PersonView::whole } else { PersonView::short };
        page.items.insert(0, view(&user));
    }
    Ok(Json(page).into_response())
}

/// Whether somebody is at home where the actor looks after people.
async fn is_near(conn: &mut Conn, actor: &Actor, user: &User) -> Result<bool, Problem> {
    let home = nodes::by_id(conn, &user.home).await?;
    Ok(authorize(actor, Action::SeeNode, on_node(&home)) == Verdict::Allowed)
}

/// A person who is to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPerson {
    /// The identity at the corporate identity provider: letters, digits, `.`, `_` and `-`. It never changes.
    #[schema(example = "E-1007")]
    gid: String,
    /// The name for people; one that nobody else has.
    #[schema(example = "Li Wei")]
    alias: String,
    /// Where mail arrives.
    email: Option<String>,
    /// A remark.
    description: Option<String>,
    /// The node where they are at home; the topmost that one owns, if nothing is said.
    home: Option<String>,
}

/// The node that somebody is to be at home at: one that the actor looks after.
async fn home(conn: &mut Conn, actor: &Actor, wanted: Option<&str>) -> Result<Node, Problem> {
    let id = match wanted {
        Some(text) => NodeId::parse(text),
        None => {
            actor.owned.iter().min_by_key(|owned| (owned.path.depth(), owned.path.clone())).and_then(|owned| owned.path.last())
        }
    };
    let none = || Problem::field("home", "is no node that you look after");
    let node = match id {
        None => return Err(none()),
        Some(id) => nodes::by_id(conn, &id).await.map_err(|error| match Problem::from(error) {
            problem if problem.code == Code::NotFound => none(),
            problem => problem,
        })?,
    };
    if authorize(actor, Action::SeeNode, on_node(&node)) == Verdict::Allowed { Ok(node) } else { Err(none()) }
}

/// Adds a person
///
/// Somebody who was deleted comes back as the same person, without anything of what they had.
#[utoipa::path(post, path = "/api/v1/users", tag = "Users", operation_id = "user.create", request_body = NewPerson,
    responses((status = 201, body = PersonView), (status = 409, description = "`gid_taken`, `alias_taken`, `idempotency_conflict`")))]
async fn create(asked: Asked, once: Once, JsonBody(new): JsonBody<NewPerson>) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    allow(authorize(&actor, Action::CreateUser, Object::Pool))?;
    let home = home(&mut tx, &actor, new.home.as_deref()).await?;
    let user = NewUser {
        gid: given("gid", Gid::parse(&new.gid))?,
        alias: given("alias", Alias::parse(&new.alias))?,
        email: given("email", Email::parse(new.email.as_deref().unwrap_or_default()))?,
        description: given("description", Description::parse(new.description.as_deref().unwrap_or_default()))?,
        home: home.id.clone(),
    };
    let id = tx.add_user(&user, Some(asked.who.id())).await?;
    asked.told.on("user", id.as_str(), Some(&home.path));
    let made = users::by_id(&mut tx, &id).await?;
    let answer = once.answer(&mut tx, StatusCode::CREATED, &PersonView::whole(&made)).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}

/// A person that this may be done to, and whether the actor may see all of them.
pub(super) async fn about(
    asked: &Asked,
    conn: &mut Conn,
    actor: &Actor,
    text: &str,
    action: Action,
) -> Result<(User, bool), Problem> {
    let user = super::shared::person(conn, text).await?;
    let home = nodes::by_id(&mut *conn, &user.home).await?;
    asked.told.on("user", user.id.as_str(), Some(&home.path));
    let owned = access::actor(conn, &user.id, asked.now).await?.owned;
    allow(authorize(actor, action, Object::Person(Person { id: &user.id, owned: &owned })))?;
    let is_self = user.id == *asked.who.id();
    let is_near = is_self
        || asked.app.settings.rules.sees_everybody
        || authorize(actor, Action::SeeNode, on_node(&home)) == Verdict::Allowed;
    Ok((user, is_near))
}

/// A person
///
/// By the identity here or by the GID. Of somebody who is at home where one does not look there is only what a picker needs.
#[utoipa::path(get, path = "/api/v1/users/{user}", tag = "Users", operation_id = "user.read",
    params(("user" = String, Path, description = "The identity here, or the GID")), responses((status = 200, body = PersonView)))]
async fn read(asked: Asked, PathOf(user): PathOf<String>) -> Result<Response, Problem> {
    let (mut conn, actor) = asked.read().await?;
    let (user, is_near) = about(&asked, &mut conn, &actor, &user, Action::SeePeople).await?;
    if is_near {
        return Ok((etag(user.version), Json(PersonView::whole(&user))).into_response());
    }
    Ok(Json(PersonView::short(&user)).into_response())
}

/// What of a person is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PersonChange {
    /// The name for people; one that nobody else has.
    alias: Option<String>,
    /// Where mail arrives; empty for nowhere.
    email: Option<String>,
    /// A remark.
    description: Option<String>,
    /// The node where they are at home: from one that one looks after to another.
    home: Option<String>,
    /// A GID never changes: whoever sends one is told so.
    gid: Option<String>,
}

/// Changes a person's alias, mail address, remark or home
///
/// Super admins, and owners above one's own nodes, are changed by super admins and by themselves only.
#[utoipa::path(patch, path = "/api/v1/users/{user}", tag = "Users", operation_id = "user.update",
    params(("user" = String, Path, description = "The identity here, or the GID"), ("If-Match" = String, Header, description = "The version that the change is made from")),
    request_body = PersonChange,
    responses((status = 200, body = PersonView), (status = 409, description = "`alias_taken`"), (status = 422, description = "`gid_immutable`")))]
async fn update(
    asked: Asked,
    PathOf(user): PathOf<String>,
    version: IfMatch,
    JsonBody(change): JsonBody<PersonChange>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let (mut user, is_near) = about(&asked, &mut tx, &actor, &user, Action::UpdateUser).await?;
    if change.gid.is_some() {
        return Err(Problem::only(Code::GidImmutable));
    }
    if !is_near {
        return Err(Problem::new(
            Code::Forbidden,
            "this person is at home elsewhere: the owners there change them, and super admins",
        ));
    }
    version.check(user.version)?;
    if let Some(text) = &change.alias {
        user.alias = given("alias", Alias::parse(text))?;
    }
    if let Some(text) = &change.email {
        user.email = given("email", Email::parse(text))?;
    }
    if let Some(text) = &change.description {
        user.description = given("description", Description::parse(text))?;
    }
    if let Some(text) = &change.home {
        user.home = home(&mut tx, &actor, Some(text)).await?.id;
    }
    tx.update_user(&user).await?;
    user.version += 1;
    asked.told.commit(tx).await?;
    Ok((etag(user.version), Json(PersonView::whole(&user))).into_response())
}

/// Takes a person out of the pool
///
/// Refused while they own a node or are in a group; `refs` says of which. Their history stays, and so does the GID: whoever is added with it
/// again is the same person.
#[utoipa::path(delete, path = "/api/v1/users/{user}", tag = "Users", operation_id = "user.delete",
    params(("user" = String, Path, description = "The identity here, or the GID"), ("If-Match" = String, Header, description = "The version that the change is made from")),
    responses((status = 204, description = "They are gone"), (status = 409, description = "`user_referenced`")))]
async fn delete(asked: Asked, PathOf(user): PathOf<String>, version: IfMatch) -> Result<StatusCode, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let (user, _) = about(&asked, &mut tx, &actor, &user, Action::DeleteUser).await?;
    version.check(user.version)?;
    tx.delete_user(&user.id, user.version).await?;
    asked.app.sessions.end_all(&mut tx, &user.id).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bars a person from signing in
///
/// They are signed out everywhere at once; what they have stays.
#[utoipa::path(post, path = "/api/v1/users/{user}/disable", tag = "Users", operation_id = "user.disable",
    params(("user" = String, Path, description = "The identity here, or the GID"), ("If-Match" = String, Header, description = "The version that the change is made from")),
    responses((status = 200, body = PersonView), (status = 409, description = "`last_owner`, `idempotency_conflict`")))]
async fn disable(asked: Asked, PathOf(user): PathOf<String>, version: IfMatch, once: Once) -> Result<Response, Problem> {
    set_status(&asked, &user, version, &once, Status::Disabled).await
}

/// Lets a person sign in again
#[utoipa::path(post, path = "/api/v1/users/{user}/enable", tag = "Users", operation_id = "user.enable",
    params(("user" = String, Path, description = "The identity here, or the GID"), ("If-Match" = String, Header, description = "The version that the change is made from")),
    responses((status = 200, body = PersonView), (status = 409, description = "`idempotency_conflict`")))]
async fn enable(asked: Asked, PathOf(user): PathOf<String>, version: IfMatch, once: Once) -> Result<Response, Problem> {
    set_status(&asked, &user, version, &once, Status::Active).await
}

async fn set_status(asked: &Asked, user: &str, version: IfMatch, once: &Once, status: Status) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    let (user, _) = about(asked, &mut tx, &actor, user, Action::DisableUser).await?;
    version.check(user.version)?;
    tx.set_status(&user.id, user.version, status).await?;
    if status == Status::Disabled {
        // Where they are kept elsewhere the database cannot end them.
        asked.app.sessions.end_all(&mut tx, &user.id).await?;
    }
    let user = users::by_id(&mut tx, &user.id).await?;
    let answer = once.answer(&mut tx, StatusCode::OK, &PersonView::whole(&user)).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}
