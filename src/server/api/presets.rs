//! The catalogue of preset roles.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::cloud_roles::Farewell;
use super::governed::{Change, propose};
use super::shared::{Asked, Paging, after, given, is_super, word};
use crate::server::extract::{IfMatch, JsonBody, Page, PathOf, QueryOf, etag, limit};
use crate::server::problem::{Code, Problem, allow};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Actor, Object, authorize};
use crate::tvm::model::{Label, Risk};
use crate::tvm::store::catalogue::{self, Entry};

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    vec![
        // Owners read it, as they read who is in the pool.
        api("preset.list", Action::SeePeople, routes!(list)),
        api("preset.update", Action::UpdateRole, routes!(update)),
        api("preset.delete", Action::DeleteRole, routes!(delete)),
    ]
}

/// An entry of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
struct PresetView {
    /// The name of its roles in the cloud.
    key: String,
    /// `enterprise` or `account`.
    scope: String,
    /// Its title in Chinese.
    title_zh: String,
    /// Its title in English.
    title_en: String,
    /// Where it gives powers: `cloud`, `cam` or `both`.
    plane: &'static str,
    /// What it lets its holders do here: `enterprise`, `account`, or nothing.
    cam_power: Option<&'static str>,
    /// The risk that its roles are registered with: `normal` or `high`.
    risk: &'static str,
    /// How often it was changed.
    version: i64,
}

impl From<&Entry> for PresetView {
    fn from(entry: &Entry) -> Self {
        Self {
            key: entry.key.clone(),
            scope: entry.scope.clone(),
            title_zh: entry.title_zh.clone(),
            title_en: entry.title_en.clone(),
            plane: entry.plane.word(),
            cam_power: entry.power.map(|power| power.word()),
            risk: entry.risk.word(),
            version: entry.version,
        }
    }
}

/// Owners are told that it is protected, others nothing.
fn for_super(actor: &Actor) -> Result<(), Problem> {
    allow(authorize(actor, Action::SeePeople, Object::Pool))?;
    if is_super(actor) { Ok(()) } else { Err(Problem::only(Code::PresetProtected)) }
}

/// The catalogue of preset roles
#[utoipa::path(get, path = "/api/v1/preset-roles", tag = "Preset roles", operation_id = "preset.list", params(Paging),
    responses((status = 200, body = Page<PresetView>)))]
async fn list(asked: Asked, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: String = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    allow(authorize(&actor, Action::SeePeople, Object::Pool))?;
    let found = catalogue::some(&mut conn, &from, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |entry| entry.key.clone(), |entry| PresetView::from(&entry))).into_response())
}

/// What of an entry is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PresetChange {
    /// Its title in Chinese.
    title_zh: Option<String>,
    /// Its title in English.
    title_en: Option<String>,
    /// The risk that its roles are registered with from now on: `normal` or `high`.
    risk: Option<String>,
}

/// A key of the catalogue, as it may be one.
fn key(text: &str) -> Result<&str, Problem> {
    let is_one = text.len() <= 128 && !text.chars().any(char::is_control);
    if is_one { Ok(text) } else { Err(Problem::only(Code::NotFound)) }
}

/// Changes an entry of the catalogue
#[utoipa::path(patch, path = "/api/v1/preset-roles/{preset}", tag = "Preset roles", operation_id = "preset.update",
    params(("preset" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")), request_body = PresetChange,
    responses((status = 200, body = PresetView), (status = 403, description = "`forbidden`, `preset_protected`")))]
async fn update(
    asked: Asked,
    PathOf(preset): PathOf<String>,
    version: IfMatch,
    JsonBody(change): JsonBody<PresetChange>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    for_super(&actor)?;
    let mut entry = catalogue::by_key(&mut tx, key(&preset)?).await?;
    asked.told.on("preset", &entry.key, None);
    version.check(entry.version)?;
    if let Some(text) = &change.title_zh {
        entry.title_zh = given("title_zh", Label::parse(text))?.to_string();
    }
    if let Some(text) = &change.title_en {
        entry.title_en = given("title_en", Label::parse(text))?.to_string();
    }
    if let Some(text) = &change.risk {
        entry.risk = word("risk", text, Risk::from_word, "`normal`, `high`")?;
    }
    if asked.app.settings.two_person {
        let change = Change::UpdatePreset {
            key: entry.key.clone(),
            version: entry.version,
            title_zh: entry.title_zh.clone(),
            title_en: entry.title_en.clone(),
            risk: entry.risk.word().to_owned(),
        };
        return propose(&asked, tx, None, &change).await;
    }
    tx.update_preset(&entry).await?;
    entry.version += 1;
    asked.told.commit(tx).await?;
    Ok((etag(entry.version), Json(PresetView::from(&entry))).into_response())
}

/// Takes an entry that no role follows out of the catalogue
///
/// Only where the house allows it (`presets.allow_delete`), by its name and with a reason.
#[utoipa::path(delete, path = "/api/v1/preset-roles/{preset}", tag = "Preset roles", operation_id = "preset.delete",
    params(("preset" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")), request_body = Farewell,
    responses((status = 204, description = "It is gone"), (status = 403, description = "`forbidden`, `preset_protected`"), (status = 409, description = "`role_referenced`")))]
async fn delete(
    asked: Asked,
    PathOf(preset): PathOf<String>,
    version: IfMatch,
    JsonBody(farewell): JsonBody<Farewell>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    for_super(&actor)?;
    let entry = catalogue::by_key(&mut tx, key(&preset)?).await?;
    asked.told.on("preset", &entry.key, None);
    version.check(entry.version)?;
    farewell.check(&asked, &entry.key)?;
    if asked.app.settings.two_person {
        return propose(&asked, tx, None, &Change::DeletePreset { key: entry.key.clone(), version: entry.version }).await;
    }
    tx.delete_preset(&entry.key, entry.version).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
