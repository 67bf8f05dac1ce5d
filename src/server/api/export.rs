//! Everything that is kept about one person, for them.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::audit::{EventView, VendView};
use super::shared::{Asked, Paging};
use super::users::{PersonView, about};
use crate::server::extract::{PathOf, QueryOf, cursor, cursor_of, limit};
use crate::server::problem::Problem;
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::Action;
use crate::tvm::store::audit::{Ask, Filter};
use crate::tvm::store::insight::{self, Tie};
use crate::tvm::store::lists::{self, Of};
use crate::tvm::store::{audit, tokens};
use crate::types::Timestamp;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::api("user.export", Access::Api, Row::Matrix(Action::ReadAudit), routes!(export))]
}

/// Something that a person owns or is in.
#[derive(Debug, Serialize, ToSchema)]
struct Belonging {
    /// `owner of` or `member of`.
    what: &'static str,
    /// The identity of the node or the group.
    id: String,
    /// Its name.
    name: String,
}

/// A command line that is signed in.
#[derive(Debug, Serialize, ToSchema)]
struct SignedIn {
    /// The identity of its token. The token itself is kept nowhere.
    id: String,
    /// What it is known by.
    name: String,
    /// Until when (RFC 3339).
    expires_at: String,
}

/// What is kept about a person. The first page has all but the history, of which each page has a part.
#[derive(Debug, Serialize, ToSchema)]
struct Export {
    /// As the pool has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonView>,
    /// What they own and are in.
    belongings: Vec<Belonging>,
    /// Where they are signed in with a command line.
    command_lines: Vec<SignedIn>,
    /// What was handed out to them, newest first.
    vends: Vec<VendView>,
    /// What they did, newest first.
    events: Vec<EventView>,
    /// The cursor of the page after it; nothing where this is the last one.
    next: Option<String>,
}

/// How far a page got with each part. Nothing where a part is at its end.
type Place = (Option<(String, String)>, Option<(i64, String)>, Option<(i64, String, i64)>);

/// Everything that is kept about a person
///
/// For themselves and for super admins. Pages until `next` is empty.
#[utoipa::path(get, path = "/api/v1/users/{user}/export", tag = "Users", operation_id = "user.export",
    params(("user" = String, Path, description = "The identity here, or the GID"), Paging), responses((status = 200, body = Export)))]
async fn export(asked: Asked, PathOf(user): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut conn, actor) = asked.read().await?;
    let (user, _) = about(&asked, &mut conn, &actor, &user, Action::ReadAudit).await?;
    let place: Option<Place> = cursor(paging.cursor.as_deref())?;
    let is_first = place.is_none();
    // At the beginning every part begins; later only what has a place goes on.
    let (ties_at, vends_at, events_at) = place.unwrap_or_default();
    let mut next: Place = (None, None, None);
    let mut belongings = Vec::new();
    if is_first || ties_at.is_some() {
        let from = ties_at.unwrap_or_default();
        let mut found = insight::ties(&mut conn, &user.id, None, (&from.0, &from.1), limit + 1).await?;
        let has_more = found.len() > wanted;
        found.truncate(wanted);
        next.0 = found.last().filter(|_| has_more).map(|tie| (tie.what.to_owned(), tie.id.clone()));
        belongings.extend(found.into_iter().map(|Tie { what, id, name, .. }| Belonging { what, id, name }));
    }
    let mut vends = Vec::new();
    if is_first || vends_at.is_some() {
        vends = lists::vends(&mut conn, &Of::User(user.id.clone()), vends_at, limit + 1).await?;
        let has_more = vends.len() > wanted;
        vends.truncate(wanted);
        next.1 = vends.last().filter(|_| has_more).map(|vend| (vend.ts, vend.id.to_string()));
    }
    let mut events = Vec::new();
    if is_first || events_at.is_some() {
        let moment = |seconds| Timestamp::from_unix(seconds).unwrap_or(asked.now);
        let filter = Filter::By(user.gid.clone());
        let ask = Ask { filter, from: moment(0), until: moment(super::shared::END_OF_TIME), after: events_at, limit: limit + 1 };
        events = audit::page(&mut conn, &ask).await?;
        let has_more = events.len() > wanted;
        events.truncate(wanted);
        next.2 = events.last().filter(|_| has_more).map(|row| (row.ts, row.chain.clone(), row.seq));
    }
    let mut command_lines = Vec::new();
    if is_first {
        for token in tokens::of_user(&mut conn, &user.id, asked.now, 200).await? {
            command_lines.push(SignedIn { id: token.id.to_string(), name: token.name, expires_at: token.expires.utc() });
        }
    }
    let has_next = next.0.is_some() || next.1.is_some() || next.2.is_some();
    let export = Export {
        person: is_first.then(|| PersonView::whole(&user)),
        belongings,
        command_lines,
        vends: vends.into_iter().map(VendView::from).collect(),
        events: events.into_iter().map(EventView::from).collect(),
        next: if has_next { cursor_of(&next) } else { None },
    };
    Ok(Json(export).into_response())
}
