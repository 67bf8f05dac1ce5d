//! Oneself.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::server::app::App;
use crate::server::extract::{IfMatch, JsonBody, etag};
use crate::server::guard::{Told, Who};
use crate::server::problem::{Problem, ProblemDocument, allow};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Object, Person, authorize};
use crate::tvm::model::{Alias, Description, Email, User};
use crate::tvm::store::users;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::api("me.read", Access::Api, Row::Oneself, routes!(read)),
        Route::api("me.update", Access::Api, Row::Matrix(Action::UpdateUser), routes!(update)),
    ]
}

/// Oneself, as the pool has it.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    /// The identity here.
    id: String,
    /// The identity at the corporate identity provider. It never changes.
    gid: String,
    /// The name for people.
    alias: String,
    /// Where mail arrives; empty where there is none.
    email: String,
    /// A remark.
    description: String,
    /// How often it was changed.
    version: i64,
}

impl From<&User> for Me {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            gid: user.gid.to_string(),
            alias: user.alias.to_string(),
            email: user.email.as_str().to_owned(),
            description: user.description.as_str().to_owned(),
            version: user.version,
        }
    }
}

/// What of oneself is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    /// The name for people; one that nobody else has.
    alias: Option<String>,
    /// Where mail arrives; empty for nowhere.
    email: Option<String>,
    /// A remark.
    description: Option<String>,
    /// A GID never changes: whoever sends one is told so.
    gid: Option<String>,
}

/// Oneself
#[utoipa::path(
    get, path = "/api/v1/me", tag = "Me", operation_id = "me.read", security(("bearer" = []), ("session" = [])),
    responses(
        (status = 200, body = Me, headers(("ETag" = String, description = "The version"))),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn read(who: Who) -> Response {
    (etag(who.user.version), Json(Me::from(&*who.user))).into_response()
}

/// Changes one's own alias, mail address and remark
#[utoipa::path(
    patch, path = "/api/v1/me", tag = "Me", operation_id = "me.update", security(("bearer" = []), ("session" = [])),
    params(("If-Match" = String, Header, description = "The version that the change is made from")),
    request_body = Change,
    responses(
        (status = 200, body = Me),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, body = ProblemDocument, content_type = "application/problem+json", description = "`alias_taken`"),
        (status = 412, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, body = ProblemDocument, content_type = "application/problem+json", description = "`gid_immutable`"),
        (status = 428, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn update(
    State(app): State<App>,
    who: Who,
    told: axum::Extension<Told>,
    version: IfMatch,
    JsonBody(change): JsonBody<Change>,
) -> Result<Response, Problem> {
    let now = app.now();
    let mut tx = app.store.begin(now).await?;
    let actor = who.actor(&mut tx, now).await?;
    let mut user = users::by_id(&mut tx, who.id()).await?;
    told.on("user", user.id.as_str(), None);
    let object = Object::Person(Person { id: who.id(), owned: &actor.owned });
    if change.gid.is_some() {
        allow(authorize(&actor, Action::ChangeGid, object))?;
    }
    allow(authorize(&actor, Action::UpdateUser, object))?;
    version.check(user.version)?;
    let of = |field: &'static str| move |bad: crate::tvm::model::BadText| Problem::field(field, bad.to_string());
    if let Some(text) = &change.alias {
        user.alias = Alias::parse(text).map_err(of("alias"))?;
    }
    if let Some(text) = &change.email {
        user.email = Email::parse(text).map_err(of("email"))?;
    }
    if let Some(text) = &change.description {
        user.description = Description::parse(text).map_err(of("description"))?;
    }
    tx.update_user(&user).await?;
    user.version += 1;
    told.commit(tx).await?;
    Ok((etag(user.version), Json(Me::from(&user))).into_response())
}
