//! Everything that is kept about one person, for them.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::audit::{EventView, VendView};
use super::shared::{Asked, Paging};
use super::users::about;
use crate::server::extract::{PathOf, QueryOf, cursor, cursor_of, limit};
use crate::server::problem::Problem;
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::Action;
use crate::tvm::store::audit::{self, Ask, Filter};
use crate::tvm::store::export::{self, Facts};
use crate::tvm::store::lists::{self, Of};
use crate::types::Timestamp;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::api("user.export", Access::Api, Row::Matrix(Action::ReadAudit), routes!(all))]
}

/// What is kept about a person. The first page has all but the two histories, of which each page has a part.
#[derive(Debug, Serialize, ToSchema)]
struct Export {
    /// As the pool has them: `id`, `gid`, `alias`, `email`, `description`, `home`, `status` and `version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    person: Option<Value>,
    /// The nodes that they own: `id`, `name` and `granted_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    owner_of: Option<Value>,
    /// The groups that they are in: `id`, `name`, `source`, `granted_at`, `expires_at` and `reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    member_of: Option<Value>,
    /// Where they are signed in with a browser: `created_at`, `seen_at`, `expires_at`, `name_id`, `authn_context`, `source_ip` and `user_agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    sessions: Option<Value>,
    /// Where they are signed in with a command line, or were: `id`, `kind`, `name`, `source_ip`, `created_at`, `expires_at`, `last_used_at` and
    /// `revoked_at`. The tokens themselves are kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    tokens: Option<Value>,
    /// What was handed out to them, newest first.
    vends: Vec<VendView>,
    /// What they did, newest first.
    events: Vec<EventView>,
    /// The cursor of the page after it; nothing where this is the last one.
    next: Option<String>,
}

/// How far a page got with each history. Nothing where one is at its end.
type Place = (Option<(i64, String)>, Option<(i64, String, i64)>);

/// Everything that is kept about a person
///
/// For themselves and for super admins: what `serve audit person` prints, page by page until `next` is empty.
#[utoipa::path(get, path = "/api/v1/users/{user}/export", tag = "Users", operation_id = "user.export",
    params(("user" = String, Path, description = "The identity here, or the GID"), Paging), responses((status = 200, body = Export)))]
async fn all(asked: Asked, PathOf(user): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut conn, actor) = asked.read().await?;
    let (user, _) = about(&asked, &mut conn, &actor, &user, Action::ReadAudit).await?;
    let place: Option<Place> = cursor(paging.cursor.as_deref())?;
    let is_first = place.is_none();
    // At the beginning both histories begin; later only what has a place goes on.
    let (vends_at, events_at) = place.unwrap_or_default();
    let mut next: Place = (None, None);
    let mut vends = Vec::new();
    if is_first || vends_at.is_some() {
        vends = lists::vends(&mut conn, &Of::User(user.id.clone()), vends_at, limit + 1).await?;
        let has_more = vends.len() > wanted;
        vends.truncate(wanted);
        next.0 = vends.last().filter(|_| has_more).map(|vend| (vend.ts, vend.id.to_string()));
    }
    let mut events = Vec::new();
    if is_first || events_at.is_some() {
        let moment = |seconds| Timestamp::from_unix(seconds).unwrap_or(asked.now);
        let filter = Filter::By(user.gid.clone());
        let ask = Ask { filter, from: moment(0), until: moment(super::shared::END_OF_TIME), after: events_at, limit: limit + 1 };
        events = audit::page(&mut conn, &ask).await?;
        let has_more = events.len() > wanted;
        events.truncate(wanted);
        next.1 = events.last().filter(|_| has_more).map(|row| (row.ts, row.chain.clone(), row.seq));
    }
    let mut page = Export {
        person: None,
        owner_of: None,
        member_of: None,
        sessions: None,
        tokens: None,
        vends: vends.into_iter().map(VendView::from).collect(),
        events: events.into_iter().map(EventView::from).collect(),
        next: if next == (None, None) { None } else { cursor_of(&next) },
    };
    if is_first {
        let Facts { person, owner_of, member_of, sessions, tokens } = export::facts(&mut conn, &user).await?;
        page.person = Some(person);
        (page.owner_of, page.member_of) = (Some(owner_of), Some(member_of));
        (page.sessions, page.tokens) = (Some(sessions), Some(tokens));
    }
    Ok(Json(page).into_response())
}
