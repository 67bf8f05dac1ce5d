//! Who can use what, and why: about one person, about one role of one person, about everything below a node.

use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::shared::{Asked, Format, Named, Paging, after, csv, csv_line, is_manager, next_address, on_node, person, role_of};
use crate::server::extract::{Page, PathOf, QueryOf, limit};
use crate::server::problem::{Code, Problem, allow};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Actor, Object, Person, Verdict, authorize};
use crate::tvm::model::{Kind, Node, NodeId, RoleState, Status, UserId};
use crate::tvm::store::insight::{self, Holder, RoleAt, Tie};
use crate::tvm::store::{Conn, access, nodes};
use crate::types::Timestamp;

pub(super) fn routes() -> Vec<Route> {
    let api = |told, described| Route::api(told, Access::Api, Row::Matrix(Action::ReportAccess), described);
    vec![
        api("user.references", routes!(references)),
        api("user.access", routes!(access_of)),
        api("explain", routes!(explain)),
        api("report.role_people", routes!(report)),
    ]
}

/// Whose things are told about this person: all, or those below what the actor looks after.
async fn scope(asked: &Asked, conn: &mut Conn, actor: &Actor, text: &str) -> Result<(UserId, Option<UserId>), Problem> {
    // Whoever may not know who is in the pool is told the same about everybody.
    let found = person(conn, text).await;
    if let Ok(user) = &found {
        asked.told.on("user", user.id.as_str(), None);
        let verdict = authorize(actor, Action::ReportAccess, Object::Person(Person { id: &user.id, owned: &[] }));
        return match verdict {
            Verdict::Allowed => Ok((user.id.clone(), None)),
            _ if is_manager(actor) => Ok((user.id.clone(), Some(asked.who.id().clone()))),
            verdict => Err(allow(verdict).err().unwrap_or_else(|| Problem::only(Code::Forbidden))),
        };
    }
    found.map(|user| (user.id, None))
}

/// Something that refers to a person.
#[derive(Debug, Serialize, ToSchema)]
struct TieView {
    /// `owner of` or `member of`.
    what: &'static str,
    /// The identity of the node or the group.
    id: String,
    /// Its name.
    name: String,
    /// The node that it is, or is at.
    node: Option<String>,
}

/// What refers to a person: nodes that they own, groups that they are in
///
/// For super admins and `ent_IAM_admin` all of it; for owners of management nodes what is below those.
#[utoipa::path(get, path = "/api/v1/users/{user}/references", tag = "Insight", operation_id = "user.references",
    params(("user" = String, Path, description = "The identity here, or the GID"), Paging), responses((status = 200, body = Page<TieView>)))]
async fn references(asked: Asked, PathOf(user): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: (String, String) = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let (user, scope) = scope(&asked, &mut conn, &actor, &user).await?;
    let found = insight::ties(&mut conn, &user, scope.as_ref(), (&from.0, &from.1), limit + 1).await?;
    let show = |tie: Tie| TieView { what: tie.what, id: tie.id, name: tie.name, node: tie.path.last().map(|id| id.to_string()) };
    Ok(Json(Page::of(found, limit, |tie| (tie.what.to_owned(), tie.id.clone()), show)).into_response())
}

/// A role that somebody holds.
#[derive(Debug, Serialize, ToSchema)]
struct HeldRole {
    /// The role.
    role: Named,
    /// Its account's node.
    node: Named,
    /// `system` or `custom`.
    class: &'static str,
    /// Its full name in the cloud.
    arn: Option<String>,
    /// `normal` or `high`.
    risk: &'static str,
    /// `active`, or `suspended`: held, but not handed out for now.
    state: &'static str,
}

impl From<RoleAt> for HeldRole {
    fn from(role: RoleAt) -> Self {
        Self {
            role: Named { id: role.id.to_string(), name: role.name },
            node: Named { id: role.node.to_string(), name: role.node_name },
            class: role.class.word(),
            arn: role.arn,
            risk: role.risk.word(),
            state: role.state.word(),
        }
    }
}

/// The roles that a person holds, each once, whichever ways they hold it by
///
/// For super admins and `ent_IAM_admin` all of them; for owners of management nodes those of accounts below.
#[utoipa::path(get, path = "/api/v1/users/{user}/access", tag = "Insight", operation_id = "user.access",
    params(("user" = String, Path, description = "The identity here, or the GID"), Paging), responses((status = 200, body = Page<HeldRole>)))]
async fn access_of(asked: Asked, PathOf(user): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: (String, String, String) = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let (user, scope) = scope(&asked, &mut conn, &actor, &user).await?;
    let found = insight::held_by(&mut conn, &user, asked.now, scope.as_ref(), (&from.0, &from.1, &from.2), limit + 1).await?;
    let place = |role: &RoleAt| (role.path.to_string(), role.name.clone(), role.id.to_string());
    Ok(Json(Page::of(found, limit, place, HeldRole::from)).into_response())
}

/// Of whom, and of what.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WhyQuery {
    /// The person: the identity here, or the GID.
    user: String,
    /// The role of an account.
    role: String,
}

/// A way from a person to a role.
#[derive(Debug, Serialize, ToSchema)]
struct WayView {
    /// The group that they are in.
    group: Named,
    /// The horizontal role that the group has; nothing where it is the role's own group.
    horizontal: Option<Named>,
    /// Why the role is in the horizontal role: `pattern` or `explicit`.
    via: Option<String>,
    /// How they came into the group.
    source: &'static str,
    /// Since when (RFC 3339).
    since: String,
    /// Until when.
    expires_at: Option<String>,
    /// Why.
    reason: String,
    /// `counts`; or why not: `ended`, or `pending` until somebody confirms the role.
    state: &'static str,
}

/// Why somebody can use a role, or cannot.
#[derive(Debug, Serialize, ToSchema)]
struct Explanation {
    /// Whether they can use it now.
    can_use: bool,
    /// Every way by which they hold it, held it, or are about to.
    ways: Vec<WayView>,
    /// What stands against it, in sentences.
    obstacles: Vec<String>,
}

/// Why somebody can use a role, or why not
///
/// For whoever may see the role; and for oneself about a role that one holds.
#[utoipa::path(get, path = "/api/v1/explain", tag = "Insight", operation_id = "explain", params(WhyQuery), responses((status = 200, body = Explanation)))]
async fn explain(asked: Asked, QueryOf(query): QueryOf<WhyQuery>) -> Result<Response, Problem> {
    let (mut conn, actor) = asked.read().await?;
    let (role, node) = asked.role(&mut conn, &actor, &query.role, None, Action::SeeRole).await?;
    let user = person(&mut conn, &query.user).await?;
    let sees_all = authorize(&actor, Action::SeeRole, Object::Role(role_of(&role, &node))) == Verdict::Allowed;
    if !sees_all && user.id != *asked.who.id() {
        return Err(Problem::only(Code::NotFound));
    }
    let mut obstacles = Vec::new();
    if user.status == Status::Disabled {
        obstacles.push("the person is barred from signing in".to_owned());
    }
    if role.state == RoleState::Suspended {
        obstacles.push("the role is suspended".to_owned());
    }
    if role.arn.is_none() {
        obstacles.push("the role is not one of the cloud".to_owned());
    }
    if let Some(name) = insight::stopped_by(&mut conn, &node.path).await? {
        obstacles.push(format!("`{name}` is suspended"));
    }
    let ways = insight::between(&mut conn, &user.id, &role.id).await?;
    let ways: Vec<WayView> = ways
        .into_iter()
        .map(|way| WayView {
            state: match way.ends {
                Some(ends) if ends <= asked.now => "ended",
                _ if way.is_pending => "pending",
                _ => "counts",
            },
            group: Named { id: way.group.0.to_string(), name: way.group.1 },
            via: way.horizontal.as_ref().map(|(_, _, via)| via.clone()),
            horizontal: way.horizontal.map(|(id, name, _)| Named { id: id.to_string(), name }),
            source: way.source.word(),
            since: way.since.utc(),
            expires_at: way.ends.map(Timestamp::utc),
            reason: way.reason,
        })
        .collect();
    if !ways.iter().any(|way| way.state == "counts") {
        obstacles.push(match ways.is_empty() {
            true => "they are in no group that has the role".to_owned(),
            false => "no way that counts leads to it".to_owned(),
        });
    }
    let can_use = !access::grants(&mut conn, &user.id, &role.id, asked.now).await?.is_empty();
    Ok(Json(Explanation { can_use, ways, obstacles }).into_response())
}

/// Of what the report is.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ReportQuery {
    /// The node at and below which accounts are reported; the root without it, or the topmost node that one owns.
    node: Option<String>,
    /// `json` or `csv`.
    #[param(inline)]
    format: Option<Format>,
    /// How many entries at the most, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The cursor that the page before gave.
    cursor: Option<String>,
}

/// Somebody who can use a role.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct ReportRow {
    /// The account's node.
    node: Named,
    /// The role.
    role: Named,
    /// `system` or `custom`.
    class: &'static str,
    /// The person's identity here.
    user: String,
    /// The person's identity at the corporate identity provider.
    gid: String,
    /// The name for people.
    alias: String,
    /// The group that gives it to them.
    group: Named,
    /// The horizontal role that gives it to the group.
    horizontal: Option<Named>,
    /// How they came into the group.
    source: &'static str,
    /// Until when (RFC 3339).
    expires_at: Option<String>,
}

/// Where a row of the report stands: its account, its role, and whose it is.
type Place = (String, String, [String; 4]);

/// How many roles one request looks at. Where few have anybody in them a page is short, and has a next one all the same.
const LOOKED_AT: u32 = 400;

/// Who can use which role, at and below a node
///
/// For super admins, `ent_IAM_admin` and owners of management nodes; the owner of an account gets its custom roles. As JSON, or as CSV with
/// the address of the next page in `Link`. A page may be short, even empty, and have a next one.
#[utoipa::path(get, path = "/api/v1/reports/role-people", tag = "Insight", operation_id = "report.role_people", params(ReportQuery),
    responses((status = 200, description = "A page of the report", content((Page<ReportRow> = "application/json"), (String = "text/csv")))))]
async fn report(asked: Asked, uri: Uri, QueryOf(query): QueryOf<ReportQuery>) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let place: Place = after(query.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let node = reported(&asked, &mut conn, &actor, query.node.as_deref()).await?;
    asked.told.on("node", node.id.as_str(), Some(&node.path));
    let only_custom = !sees_system_roles(&actor, &node);
    let (rows, next) = rows(&mut conn, &node, only_custom, place, limit, asked.now).await?;
    let page = Page { items: rows, next };
    if query.format.unwrap_or_default() == Format::Json {
        return Ok(Json(page).into_response());
    }
    let mut text = csv_line(&["node", "role", "class", "gid", "alias", "group", "horizontal_role", "source", "expires_at"]);
    for row in &page.items {
        let horizontal = row.horizontal.as_ref().map_or("", |one| one.name.as_str());
        let ends = row.expires_at.as_deref().unwrap_or_default();
        text += &csv_line(&[
            &row.node.name,
            &row.role.name,
            row.class,
            &row.gid,
            &row.alias,
            &row.group.name,
            horizontal,
            row.source,
            ends,
        ]);
    }
    Ok(csv("role-people", text, page.next.map(|cursor| next_address(&uri, &cursor))))
}

/// The node that is reported about.
async fn reported(asked: &Asked, conn: &mut Conn, actor: &Actor, wanted: Option<&str>) -> Result<Node, Problem> {
    if let Some(text) = wanted {
        return asked.node(conn, actor, text, Action::ReportAccess).await;
    }
    let root = nodes::root(&mut *conn).await?.ok_or_else(|| Problem::only(Code::NotFound))?;
    if authorize(actor, Action::ReportAccess, on_node(&root)) == Verdict::Allowed {
        return Ok(root);
    }
    let topmost = actor.owned.iter().min_by_key(|owned| (owned.path.depth(), owned.path.clone()));
    let id: Option<NodeId> = topmost.and_then(|owned| owned.path.last());
    match id {
        Some(id) => Ok(nodes::by_id(conn, &id).await?),
        None => Err(Problem::only(Code::Forbidden)),
    }
}

/// Whether the owner of an account alone is asking, who may not know of its system roles.
fn sees_system_roles(actor: &Actor, node: &Node) -> bool {
    use crate::tvm::authorize::RoleOf;
    use crate::tvm::model::Class;
    let system = RoleOf { node: &node.path, class: Class::System, is_preset: false, power: None, is_held: false };
    !matches!(node.kind, Kind::Account(_)) || authorize(actor, Action::SeeRole, Object::Role(system)) == Verdict::Allowed
}

async fn rows(
    conn: &mut Conn,
    node: &Node,
    only_custom: bool,
    mut place: Place,
    limit: u32,
    now: Timestamp,
) -> Result<(Vec<ReportRow>, Option<String>), Problem> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found: Vec<ReportRow> = Vec::new();
    // A place outside of what is reported would show what is not.
    if !place.0.is_empty() && !crate::tvm::model::Path::parse(&place.0).is_some_and(|path| node.path.holds(&path)) {
        return Err(Problem::field("cursor", "is not one that was given out"));
    }
    let roles = insight::roles_below(conn, &node.path, only_custom, (&place.0, &place.1), LOOKED_AT).await?;
    let has_more = roles.len() >= usize::try_from(LOOKED_AT).unwrap_or(usize::MAX);
    for role in &roles {
        let goes_on = (role.path.as_str(), role.name.as_str()) == (place.0.as_str(), place.1.as_str());
        if !goes_on {
            place = (role.path.to_string(), role.name.clone(), Default::default());
        }
        let left = u32::try_from(wanted.saturating_sub(found.len())).unwrap_or(u32::MAX);
        let people = insight::holders(&mut *conn, &role.id, now, None, &place.2, left.saturating_add(1)).await?;
        for person in people {
            if found.len() == wanted {
                return Ok((found, crate::server::extract::cursor_of(&place)));
            }
            place.2 = person.place();
            found.push(row(role, person));
        }
    }
    // After the last role that was looked at; its people are all there.
    Ok((found, if has_more { crate::server::extract::cursor_of(&place) } else { None }))
}

fn row(role: &RoleAt, holder: Holder) -> ReportRow {
    ReportRow {
        node: Named { id: role.node.to_string(), name: role.node_name.clone() },
        role: Named { id: role.id.to_string(), name: role.name.clone() },
        class: role.class.word(),
        user: holder.user.to_string(),
        gid: holder.gid,
        alias: holder.alias,
        group: Named { id: holder.group.0.to_string(), name: holder.group.1 },
        horizontal: holder.horizontal.map(|(id, name)| Named { id: id.to_string(), name }),
        source: holder.source.word(),
        expires_at: holder.ends.map(Timestamp::utc),
    }
}
