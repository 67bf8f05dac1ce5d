//! What one's command lines hold, and what one did.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::server::app::App;
use crate::server::extract::{Page, PathOf, QueryOf, cursor, id, limit};
use crate::server::guard::{Told, Visit, Who};
use crate::server::problem::{Problem, ProblemDocument};
use crate::server::route::{Access, Route, Row};
use crate::tvm::audit::Row as Event;
use crate::tvm::model::TokenId;
use crate::tvm::store::audit::{self, Ask, Filter};
use crate::tvm::store::tokens::{self, ApiToken};
use crate::types::Timestamp;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::api("me.tokens.list", Access::Api, Row::Oneself, routes!(list)),
        Route::api("me.tokens.revoke", Access::Api, Row::Oneself, routes!(revoke)),
        Route::api("me.activity", Access::Api, Row::Oneself, routes!(activity)),
    ]
}

/// A command line that is signed in.
#[derive(Debug, Serialize, ToSchema)]
struct Token {
    /// Its identity; not the token.
    id: String,
    /// `cli` or `service`.
    kind: &'static str,
    /// The machine's name, as it says.
    name: String,
    /// From where it was fetched.
    from: Option<String>,
    /// When it was handed out.
    created: String,
    /// When it ends.
    expires: String,
    /// When it was last used, to the minute or so.
    last_used: Option<String>,
}

impl From<ApiToken> for Token {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            kind: token.kind.word(),
            name: token.name,
            from: token.source_ip,
            created: token.created.utc(),
            expires: token.expires.utc(),
            last_used: token.last_used.map(Timestamp::utc),
        }
    }
}

/// One's command lines, newest first
#[utoipa::path(
    get, path = "/api/v1/me/tokens", tag = "Me", operation_id = "me.tokens.list", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Page<Token>))
)]
async fn list(State(app): State<App>, who: Who) -> Result<Json<Page<Token>>, Problem> {
    let mut conn = app.store.read().await?;
    let tokens = tokens::of_user(&mut conn, who.id(), app.now(), 200).await?;
    Ok(Json(Page { items: tokens.into_iter().map(Token::from).collect(), next: None }))
}

/// Signs one of one's command lines out
#[utoipa::path(
    delete, path = "/api/v1/me/tokens/{id}", tag = "Me", operation_id = "me.tokens.revoke", security(("bearer" = []), ("session" = [])),
    params(("id" = String, Path, description = "The token's identity")),
    responses(
        (status = 204, description = "It is no token any more"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn revoke(
    State(app): State<App>,
    who: Who,
    Extension(told): Extension<Told>,
    PathOf(token): PathOf<String>,
) -> Result<StatusCode, Problem> {
    let token = id(&token, TokenId::parse)?;
    told.on("token", token.as_str(), None);
    let mut tx = app.store.begin(app.now()).await?;
    tx.revoke_token(who.id(), &token).await?;
    told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which part of what one did.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Part {
    /// How many, 1 to 200; 50 where nothing is said.
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// Something that one did.
#[derive(Debug, Serialize, ToSchema)]
struct Did {
    /// When.
    at: Option<String>,
    /// What: `vend`, `me.update`.
    kind: String,
    /// What came of it: `done`, `refused` or `failed`.
    outcome: String,
    /// From where.
    from: Option<String>,
    /// How it was known who it was.
    auth: String,
    /// With which parameters; secrets are masked.
    params: serde_json::Value,
    /// To what kind of thing.
    target_kind: Option<String>,
    /// To which.
    target: Option<String>,
    /// The request.
    request: Option<String>,
}

impl From<Event> for Did {
    fn from(row: Event) -> Self {
        Self {
            at: Timestamp::from_unix_millis(row.ts).map(Timestamp::utc),
            kind: row.kind,
            outcome: row.outcome,
            from: row.source_ip,
            auth: row.auth,
            params: serde_json::from_str(&row.params).unwrap_or_default(),
            target_kind: row.target_kind,
            target: row.target,
            request: row.request,
        }
    }
}

/// What one did, newest first
#[utoipa::path(
    get, path = "/api/v1/me/activity", tag = "Me", operation_id = "me.activity", security(("bearer" = []), ("session" = [])),
    params(Part),
    responses((status = 200, body = Page<Did>))
)]
async fn activity(
    State(app): State<App>,
    who: Who,
    Extension(visit): Extension<Visit>,
    QueryOf(part): QueryOf<Part>,
) -> Result<Json<Page<Did>>, Problem> {
    let limit = limit(part.limit)?;
    let mut conn = app.store.read().await?;
    let ask = Ask {
        filter: Filter::By(who.user.gid.clone()),
        from: Timestamp::from_unix_millis(0).unwrap_or(visit.now),
        until: visit.now.after(std::time::Duration::from_secs(1)),
        after: cursor(part.cursor.as_deref())?,
        limit: limit + 1,
    };
    let rows = audit::page(&mut conn, &ask).await?;
    Ok(Json(Page::of(rows, limit, |row| (row.ts, row.chain.clone(), row.seq), Did::from)))
}
