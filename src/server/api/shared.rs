//! What the resources share: who asks, what they may do it to, and how it is shown.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::server::app::App;
use crate::server::guard::{Told, Who};
use crate::server::problem::{Code, Problem, allow};
use crate::tvm::authorize::{Action, Actor, Object, RoleOf, Verdict, authorize};
use crate::tvm::model::{Class, Gid, Kind, Node, NodeId, Role, RoleId, User, UserId};
use crate::tvm::store::names::Names;
use crate::tvm::store::{Conn, Reader, Tx, access, nodes, roles, users};
use crate::types::Timestamp;

/// A request of somebody known.
pub(super) struct Asked {
    pub(super) app: App,
    pub(super) who: Who,
    pub(super) told: Told,
    pub(super) now: Timestamp,
}

impl FromRequestParts<App> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let who = Who::from_request_parts(parts, app).await?;
        let told = parts.extensions.get::<Told>().cloned().ok_or_else(|| Problem::only(Code::Internal))?;
        Ok(Self { app: app.clone(), who, told, now: app.now() })
    }
}

impl Asked {
    /// For reading: a connection, and what they may do now.
    pub(super) async fn read(&self) -> Result<(Reader, Actor), Problem> {
        let mut conn = self.app.store.read().await?;
        let actor = self.who.actor(&mut conn, self.now).await?;
        Ok((conn, actor))
    }

    /// For a change: its transaction, and what they may do as it begins.
    pub(super) async fn begin(&self) -> Result<(Tx<'_>, Actor), Problem> {
        let mut tx = self.app.store.begin(self.now).await?;
        let actor = self.who.actor(&mut tx, self.now).await?;
        Ok((tx, actor))
    }

    /// A node that they may do this to.
    pub(super) async fn node(&self, conn: &mut Conn, actor: &Actor, text: &str, action: Action) -> Result<Node, Problem> {
        let id = crate::server::extract::id(text, NodeId::parse)?;
        let node = nodes::by_id(conn, &id).await?;
        self.told.on("node", node.id.as_str(), Some(&node.path));
        allow(authorize(actor, action, on_node(&node)))?;
        Ok(node)
    }

    /// A role that they may do this to, and its account's node.
    pub(super) async fn role(
        &self,
        conn: &mut Conn,
        actor: &Actor,
        text: &str,
        class: Option<Class>,
        action: Action,
    ) -> Result<(Role, Node), Problem> {
        let id = crate::server::extract::id(text, RoleId::parse)?;
        let role = roles::by_id(&mut *conn, &id).await?;
        let node = nodes::by_id(&mut *conn, &role.node).await?;
        self.told.on("role", role.id.as_str(), Some(&node.path));
        if class.is_some_and(|class| class != role.class) {
            return Err(Problem::only(Code::NotFound));
        }
        let is_held = !access::ways(conn, self.who.id(), &role.id, self.now).await?.is_empty();
        allow_role(actor, action, RoleOf { is_held, ..role_of(&role, &node) })?;
        Ok((role, node))
    }
}

/// A node, as the matrix sees it.
pub(super) fn on_node(node: &Node) -> Object<'_> {
    Object::Node { path: &node.path, is_account: matches!(node.kind, Kind::Account(_)) }
}

/// A role that nobody in particular holds, as the matrix sees it.
pub(super) fn role_of<'o>(role: &Role, node: &'o Node) -> RoleOf<'o> {
    RoleOf { node: &node.path, class: role.class, is_preset: role.preset.is_some(), power: role.power, is_held: false }
}

/// What the matrix says about a role. Who could change it were it no preset role is told that it is one.
pub(super) fn allow_role(actor: &Actor, action: Action, role: RoleOf<'_>) -> Result<(), Problem> {
    let verdict = authorize(actor, action, Object::Role(role));
    let otherwise = Object::Role(RoleOf { is_preset: false, ..role });
    if verdict == Verdict::Forbidden && role.is_preset && authorize(actor, action, otherwise) == Verdict::Allowed {
        return Err(Problem::only(Code::PresetProtected));
    }
    allow(verdict)
}

/// Whether they look after everything at and below a node: its owners from above, not those of an account itself.
pub(super) fn manages(actor: &Actor, node: &Node) -> bool {
    // Moving something away from below a parent is for whoever manages that parent, and for nobody else.
    let path = &node.path;
    authorize(actor, Action::MoveNode, Object::Move { from: path, to: path }) == Verdict::Allowed
}

/// Whether they own the root.
pub(in crate::server) fn is_super(actor: &Actor) -> bool {
    authorize(actor, Action::ReadAudit, Object::Pool) == Verdict::Allowed
}

/// Whether they own a management node.
pub(super) fn is_manager(actor: &Actor) -> bool {
    actor.user.is_some() && actor.owned.iter().any(|owned| !owned.is_account)
}

/// A person, by their identity here or by their GID.
pub(super) async fn person(conn: &mut Conn, text: &str) -> Result<User, Problem> {
    if let Some(id) = UserId::parse(text)
        && let Ok(user) = users::by_id(&mut *conn, &id).await
    {
        return Ok(user);
    }
    let none = || Problem::only(Code::NotFound);
    let gid = Gid::parse(text).map_err(|_| none())?;
    users::by_gid(conn, &gid).await?.ok_or_else(none)
}

/// A person who is named in a body.
pub(super) async fn person_in(conn: &mut Conn, field: &str, text: &str) -> Result<User, Problem> {
    person(conn, text).await.map_err(|problem| match problem.code {
        Code::NotFound => Problem::field(field, format!("`{text}` is nobody in the pool: neither an identity here nor a GID")),
        _ => problem,
    })
}

/// A text of a body that is to become something.
pub(super) fn given<T>(field: &'static str, parsed: Result<T, crate::tvm::model::BadText>) -> Result<T, Problem> {
    parsed.map_err(|bad| Problem::field(field, bad.to_string()))
}

/// One of some words.
pub(super) fn word<T>(field: &'static str, text: &str, parse: impl FnOnce(&str) -> Option<T>, words: &str) -> Result<T, Problem> {
    parse(text).ok_or_else(|| Problem::field(field, format!("is one of {words}")))
}

/// The last second that is taken anywhere, shortly before the year 10000.
pub(super) const END_OF_TIME: i64 = 253_402_200_000;

/// A moment in a query or a body.
pub(super) fn time(field: &'static str, text: &str) -> Result<Timestamp, Problem> {
    let sensible = |time: &Timestamp| (0..=END_OF_TIME).contains(&time.unix());
    let found = Timestamp::parse(text).filter(sensible);
    found.ok_or_else(|| Problem::field(field, "is a time like `2026-01-02T03:04:05Z` (RFC 3339)"))
}

/// The longest session, in seconds.
pub(super) fn session(field: &'static str, seconds: u32) -> Result<crate::types::SessionDuration, Problem> {
    crate::types::SessionDuration::try_from(seconds).map_err(|bad| Problem::field(field, bad.to_string()))
}

/// Where a page of a list begins, and how long it is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// How many entries at the most, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(super) limit: Option<u32>,
    /// The cursor that the page before gave.
    pub(super) cursor: Option<String>,
}

/// The first page after nothing.
pub(super) fn after<T: serde::de::DeserializeOwned + Default>(given: Option<&str>) -> Result<T, Problem> {
    Ok(crate::server::extract::cursor(given)?.unwrap_or_default())
}

/// A name with its identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub(super) struct Named {
    /// Which.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
}

impl Named {
    /// As it is called in this list.
    pub(super) fn among(names: &Names, id: &str) -> Self {
        Self { id: id.to_owned(), name: names.get(id).cloned().unwrap_or_default() }
    }
}

/// A row of a table for spreadsheets (RFC 4180). What a spreadsheet would take for a formula begins with a quote instead.
pub(super) fn csv_line(cells: &[&str]) -> String {
    let cell = |text: &&str| {
        let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        format!("\"{}{}\"", if is_formula { "'" } else { "" }, text.replace('"', "\"\""))
    };
    let mut line = cells.iter().map(cell).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

/// A page of a table for spreadsheets; the address of the next page stands in `Link` (RFC 8288).
pub(super) fn csv(name: &str, text: String, next: Option<String>) -> Response {
    use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
    let kind = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned())];
    let file = [(CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\""))];
    match next {
        None => (kind, file, text).into_response(),
        Some(address) => (kind, file, [(LINK, format!("<{address}>; rel=\"next\""))], text).into_response(),
    }
}

/// The address of a page: the one that was asked for, with another cursor.
pub(super) fn next_address(asked: &axum::http::Uri, cursor: &str) -> String {
    let pairs = url::form_urlencoded::parse(asked.query().unwrap_or_default().as_bytes()).filter(|(name, _)| name != "cursor");
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).append_pair("cursor", cursor).finish();
    format!("{}?{query}", asked.path())
}

/// In which form a table is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// For programs.
    #[default]
    Json,
    /// For spreadsheets.
    Csv,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(csv_line(&["a", "say \"x\"", "=1+1", "-1", ""]), "\"a\",\"say \"\"x\"\"\",\"'=1+1\",\"'-1\",\"\"\r\n");
    }

    #[test]
    fn the_next_page_is_asked_for_alike() {
        let asked = "/api/v1/audit?format=csv&gid=a%20b&cursor=old".parse().unwrap();
        assert_eq!(next_address(&asked, "new"), "/api/v1/audit?format=csv&gid=a+b&cursor=new");
    }
}
