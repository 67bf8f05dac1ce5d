//! Roles of cloud accounts: system roles, managed from above, and custom roles, managed by the account's owner.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::governed::{Change, propose};
use super::nodes::some;
use super::shared::{Asked, Paging, after, allow_role, is_super, manages, session, word};
use crate::server::extract::{IfMatch, JsonBody, Page, PathOf, QueryOf, etag, id, limit};
use crate::server::once::Once;
use crate::server::problem::{Code, Problem, allow};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Actor, Object, RoleOf, authorize};
use crate::tvm::model::{Class, Kind, NewRole, Node, NodeId, Risk, Role, RoleState, VendMethod};
use crate::tvm::store::{catalogue, nodes, roles};
use crate::types::RoleArn;

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    vec![
        api("role.system.list", Action::SeeRole, routes!(list_system)),
        api("role.system.create", Action::CreateRole, routes!(create_system)),
        api("role.system.update", Action::UpdateRole, routes!(update_system)),
        api("role.system.delete", Action::DeleteRole, routes!(delete_system)),
        api("role.custom.list", Action::SeeRole, routes!(list_custom)),
        api("role.custom.create", Action::CreateRole, routes!(create_custom)),
        api("role.custom.update", Action::UpdateRole, routes!(update_custom)),
        api("role.custom.delete", Action::DeleteRole, routes!(delete_custom)),
        api("role.read", Action::SeeRole, routes!(read)),
    ]
}

/// A role of a cloud account.
#[derive(Debug, Serialize, ToSchema)]
struct RoleView {
    /// The identity.
    id: String,
    /// Its account's node.
    node: String,
    /// Its one group: who is in it may use the role.
    group: String,
    /// `system` or `custom`.
    class: &'static str,
    /// Its name in the account.
    name: String,
    /// Its full name in the cloud.
    arn: Option<String>,
    /// The entry of the catalogue that it follows.
    preset: Option<String>,
    /// What it lets its holders do here: `enterprise`, `account`, or nothing.
    cam_power: Option<&'static str>,
    /// The longest session, in seconds.
    max_session_s: Option<u32>,
    /// How keys are come by, where the node's way is not the right one.
    vend_method: Option<&'static str>,
    /// `normal`, or `high`: handed out only where two people are needed for what matters.
    risk: &'static str,
    /// `active` or `suspended`.
    state: &'static str,
    /// How often it was changed.
    version: i64,
}

impl From<&Role> for RoleView {
    fn from(role: &Role) -> Self {
        Self {
            id: role.id.to_string(),
            node: role.node.to_string(),
            group: role.group.to_string(),
            class: role.class.word(),
            name: role.name.clone(),
            arn: role.arn.as_ref().map(|arn| arn.as_str().to_owned()),
            preset: role.preset.clone(),
            cam_power: role.power.map(|power| power.word()),
            max_session_s: role.max_session.map(|longest| longest.seconds()),
            vend_method: role.method.map(VendMethod::word),
            risk: role.risk.word(),
            state: role.state.word(),
            version: role.version,
        }
    }
}

/// A role that is to be registered. It is in the cloud already, or will be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRoleBody {
    /// Its full name in the cloud: an ARN in this very account.
    #[schema(example = "arn:aws:iam::111111111111:role/ops-reader")]
    arn: String,
    /// The longest session, 900 to 43200 seconds.
    #[schema(minimum = 900, maximum = 43200)]
    max_session_s: Option<u32>,
    /// How keys are come by, where the node's way is not the right one. From above the account only.
    vend_method: Option<String>,
    /// `normal` or `high`. From above the account only.
    risk: Option<String>,
}

/// What of a role is to be changed; what is left out stays, and `null` takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoleChange {
    /// Its full name in the cloud.
    arn: Option<String>,
    /// The longest session, 900 to 43200 seconds.
    #[serde(default, deserialize_with = "some")]
    #[schema(value_type = Option<u32>, minimum = 900, maximum = 43200)]
    max_session_s: Option<Option<u32>>,
    /// How keys are come by. From above the account only.
    #[serde(default, deserialize_with = "some")]
    #[schema(value_type = Option<String>)]
    vend_method: Option<Option<String>>,
    /// `normal` or `high`. From above the account only.
    risk: Option<String>,
    /// `active` or `suspended`.
    state: Option<String>,
}

const METHODS: &str = "`saml`, `hub_role`, `ram_user`, `none`";

fn arn(text: &str) -> Result<RoleArn, Problem> {
    RoleArn::parse(text).map_err(|bad| Problem::field("arn", bad.to_string()))
}

/// A role of this account; a name that is kept for others is told from what is no role of it.
fn new_role(class: Class, text: &str, account: &crate::tvm::model::CloudAccount) -> Result<NewRole, Problem> {
    let arn = arn(text)?;
    let is_ours = account.owns(&arn);
    NewRole::new(class, arn, account).map_err(|bad| {
        if is_ours { Problem::new(Code::NameReserved, bad.to_string()) } else { Problem::field("arn", bad.to_string()) }
    })
}

async fn list(asked: &Asked, node: &str, paging: &Paging, class: Class) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: String = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let node = nodes::by_id(&mut conn, &id(node, NodeId::parse)?).await?;
    asked.told.on("node", node.id.as_str(), Some(&node.path));
    let any = RoleOf { node: &node.path, class, is_preset: false, power: None, is_held: false };
    allow(authorize(&actor, Action::SeeRole, Object::Role(any)))?;
    let found = roles::at(&mut conn, &node.id, class, &from, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |role| role.name.clone(), |role| RoleView::from(&role))).into_response())
}

async fn create(asked: &Asked, once: &Once, node: &str, new: &NewRoleBody, class: Class) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    let node = nodes::by_id(&mut tx, &id(node, NodeId::parse)?).await?;
    asked.told.on("node", node.id.as_str(), Some(&node.path));
    // Before anything is said about what was sent: whoever may not know of roles here learns nothing.
    let any = RoleOf { node: &node.path, class, is_preset: false, power: None, is_held: false };
    allow(authorize(&actor, Action::CreateRole, Object::Role(any)))?;
    let Kind::Account(account) = &node.kind else {
        return Err(Problem::new(Code::TreeShape, "roles belong to account nodes"));
    };
    let mut role = new_role(class, &new.arn, account)?;
    let of = RoleOf { is_preset: role.preset().is_some(), power: role.power(), ..any };
    allow_role(&actor, Action::CreateRole, of)?;
    if (new.vend_method.is_some() || new.risk.is_some()) && !manages(&actor, &node) {
        return Err(Problem::new(Code::Forbidden, "`vend_method` and `risk` are decided from above the account"));
    }
    role.max_session = new.max_session_s.map(|seconds| session("max_session_s", seconds)).transpose()?;
    role.method = new.vend_method.as_deref().map(|text| word("vend_method", text, VendMethod::from_word, METHODS)).transpose()?;
    if let Some(key) = role.preset() {
        // As the catalogue has it now, which super admins may have changed.
        let Ok(entry) = catalogue::by_key(&mut tx, key).await else {
            return Err(Problem::new(Code::NameReserved, "a preset role of this name is no longer in the catalogue"));
        };
        role.risk = entry.risk;
    }
    if let Some(text) = &new.risk {
        role.risk = word("risk", text, Risk::from_word, "`normal`, `high`")?.max(role.risk);
    }
    let role = tx.add_role(&node.id, &role).await?;
    asked.told.on("role", role.id.as_str(), Some(&node.path));
    let answer = once.answer(&mut tx, StatusCode::CREATED, &RoleView::from(&role)).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}

/// What was decided from above is not undone from below: a role whose keys need a second person's consent is changed by super admins only, and who may
/// not say how its keys are come by does not free its name (`frees`) to register it anew.
fn may_touch(actor: &Actor, node: &Node, role: &Role, frees: bool) -> Result<(), Problem> {
    if role.risk == Risk::High && !is_super(actor) {
        return Err(Problem::new(Code::Forbidden, "a role of risk `high` is changed by super admins"));
    }
    if frees && role.method.is_some() && !manages(actor, node) {
        return Err(Problem::new(Code::Forbidden, "`vend_method` of this role was decided from above the account"));
    }
    Ok(())
}

async fn update(asked: &Asked, role: &str, version: IfMatch, change: &RoleChange, class: Class) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let (mut role, node) = asked.role(&mut tx, &actor, role, Some(class), Action::UpdateRole).await?;
    if (change.vend_method.is_some() || change.risk.is_some()) && !manages(&actor, &node) {
        return Err(Problem::new(Code::Forbidden, "`vend_method` and `risk` are decided from above the account"));
    }
    let was_high = role.risk == Risk::High;
    may_touch(&actor, &node, &role, change.arn.is_some())?;
    version.check(role.version)?;
    if let Some(text) = &change.arn {
        let account = node.kind.account().ok_or_else(|| Problem::only(Code::TreeShape))?;
        let new = new_role(class, text, account)?;
        if new.preset() != role.preset.as_deref() {
            return Err(Problem::new(
                Code::NameReserved,
                "a role becomes a preset role, or ceases to be one, only by being registered anew",
            ));
        }
        role.arn = Some(arn(text)?);
    }
    if let Some(seconds) = change.max_session_s {
        role.max_session = seconds.map(|seconds| session("max_session_s", seconds)).transpose()?;
    }
    if let Some(method) = &change.vend_method {
        let parse = |text: &String| word("vend_method", text, VendMethod::from_word, METHODS);
        role.method = method.as_ref().map(parse).transpose()?;
    }
    if let Some(text) = &change.risk {
        role.risk = word("risk", text, Risk::from_word, "`normal`, `high`")?;
    }
    if let Some(text) = &change.state {
        let state = RoleState::from_word(text).filter(|state| *state != RoleState::Deleted);
        role.state = state.ok_or_else(|| Problem::field("state", "is `active` or `suspended`"))?;
    }
    if (role.preset.is_some() || was_high) && asked.app.settings.two_person {
        let change = Change::UpdateRole {
            role: role.id.to_string(),
            version: role.version,
            arn: role.arn.as_ref().map(|arn| arn.as_str().to_owned()),
            max_session_s: role.max_session.map(|longest| longest.seconds()),
            vend_method: role.method.map(|method| method.word().to_owned()),
            risk: role.risk.word().to_owned(),
            state: role.state.word().to_owned(),
        };
        return propose(asked, tx, None, &change).await;
    }
    tx.update_role(&role).await?;
    let role = roles::by_id(&mut tx, &role.id).await?;
    asked.told.commit(tx).await?;
    Ok((etag(role.version), Json(RoleView::from(&role))).into_response())
}

/// What a preset role is deleted with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Farewell {
    /// The name of what is to go, once more.
    pub(super) name: Option<String>,
    /// Why.
    pub(super) reason: Option<String>,
}

impl Farewell {
    /// Whether a preset may go: where the house allows it at all, by its name and with a reason.
    pub(super) fn check(&self, asked: &Asked, name: &str) -> Result<(), Problem> {
        if !asked.app.settings.rules.presets_may_go {
            return Err(Problem::new(Code::PresetProtected, "presets are not deleted here (`presets.allow_delete`)"));
        }
        if self.name.as_deref() != Some(name) {
            return Err(Problem::field("name", "is not the name of this preset role"));
        }
        if self.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
            return Err(Problem::field("reason", "is needed where a preset goes"));
        }
        Ok(())
    }
}

async fn delete(asked: &Asked, role: &str, version: IfMatch, farewell: &Farewell, class: Class) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let (role, node) = asked.role(&mut tx, &actor, role, Some(class), Action::DeleteRole).await?;
    may_touch(&actor, &node, &role, true)?;
    version.check(role.version)?;
    if role.preset.is_some() {
        farewell.check(asked, &role.name)?;
    }
    if (role.preset.is_some() || role.risk == Risk::High) && asked.app.settings.two_person {
        let change = Change::DeleteRole { role: role.id.to_string(), version: role.version };
        return propose(asked, tx, None, &change).await;
    }
    tx.delete_role(&role.id, role.version).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A role
#[utoipa::path(get, path = "/api/v1/roles/{role}", tag = "Roles", operation_id = "role.read", params(("role" = String, Path)),
    responses((status = 200, body = RoleView)))]
async fn read(asked: Asked, PathOf(role): PathOf<String>) -> Result<Response, Problem> {
    let (mut conn, actor) = asked.read().await?;
    let (role, _) = asked.role(&mut conn, &actor, &role, None, Action::SeeRole).await?;
    Ok((etag(role.version), Json(RoleView::from(&role))).into_response())
}

/// The system roles of an account, by name
#[utoipa::path(get, path = "/api/v1/nodes/{node}/system-roles", tag = "Roles", operation_id = "role.system.list", params(("node" = String, Path), Paging),
    responses((status = 200, body = Page<RoleView>)))]
async fn list_system(asked: Asked, PathOf(node): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    list(&asked, &node, &paging, Class::System).await
}

/// Registers a system role, with its group
///
/// One with the name of a preset role is one. `ent_IAM_admin` is registered by super admins only.
#[utoipa::path(post, path = "/api/v1/nodes/{node}/system-roles", tag = "Roles", operation_id = "role.system.create", params(("node" = String, Path)), request_body = NewRoleBody,
    responses((status = 201, body = RoleView), (status = 409, description = "`name_taken`, `idempotency_conflict`"), (status = 422, description = "`name_reserved`, `tree_shape`")))]
async fn create_system(
    asked: Asked,
    PathOf(node): PathOf<String>,
    once: Once,
    JsonBody(new): JsonBody<NewRoleBody>,
) -> Result<Response, Problem> {
    create(&asked, &once, &node, &new, Class::System).await
}

/// Changes a system role
#[utoipa::path(patch, path = "/api/v1/system-roles/{role}", tag = "Roles", operation_id = "role.system.update",
    params(("role" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")), request_body = RoleChange,
    responses((status = 200, body = RoleView), (status = 403, description = "`forbidden`, `preset_protected`"), (status = 409, description = "`name_taken`"),
        (status = 422, description = "`name_reserved`")))]
async fn update_system(
    asked: Asked,
    PathOf(role): PathOf<String>,
    version: IfMatch,
    JsonBody(change): JsonBody<RoleChange>,
) -> Result<Response, Problem> {
    update(&asked, &role, version, &change, Class::System).await
}

/// Removes a system role that nobody is in the group of
///
/// A preset role goes only where the house allows it (`presets.allow_delete`), by its name and with a reason; else the body is `{}`.
#[utoipa::path(delete, path = "/api/v1/system-roles/{role}", tag = "Roles", operation_id = "role.system.delete",
    params(("role" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")), request_body = Farewell,
    responses((status = 204, description = "It is gone"), (status = 403, description = "`forbidden`, `preset_protected`"), (status = 409, description = "`role_referenced`")))]
async fn delete_system(
    asked: Asked,
    PathOf(role): PathOf<String>,
    version: IfMatch,
    JsonBody(farewell): JsonBody<Farewell>,
) -> Result<Response, Problem> {
    delete(&asked, &role, version, &farewell, Class::System).await
}

/// The custom roles of an account, by name
#[utoipa::path(get, path = "/api/v1/nodes/{node}/custom-roles", tag = "Roles", operation_id = "role.custom.list", params(("node" = String, Path), Paging),
    responses((status = 200, body = Page<RoleView>)))]
async fn list_custom(asked: Asked, PathOf(node): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    list(&asked, &node, &paging, Class::Custom).await
}

/// Registers a custom role, with its group
///
/// Never with the name of a preset role.
#[utoipa::path(post, path = "/api/v1/nodes/{node}/custom-roles", tag = "Roles", operation_id = "role.custom.create", params(("node" = String, Path)), request_body = NewRoleBody,
    responses((status = 201, body = RoleView), (status = 409, description = "`name_taken`, `idempotency_conflict`"), (status = 422, description = "`name_reserved`, `tree_shape`")))]
async fn create_custom(
    asked: Asked,
    PathOf(node): PathOf<String>,
    once: Once,
    JsonBody(new): JsonBody<NewRoleBody>,
) -> Result<Response, Problem> {
    create(&asked, &once, &node, &new, Class::Custom).await
}

/// Changes a custom role
#[utoipa::path(patch, path = "/api/v1/custom-roles/{role}", tag = "Roles", operation_id = "role.custom.update",
    params(("role" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")), request_body = RoleChange,
    responses((status = 200, body = RoleView), (status = 409, description = "`name_taken`"), (status = 422, description = "`name_reserved`")))]
async fn update_custom(
    asked: Asked,
    PathOf(role): PathOf<String>,
    version: IfMatch,
    JsonBody(change): JsonBody<RoleChange>,
) -> Result<Response, Problem> {
    update(&asked, &role, version, &change, Class::Custom).await
}

/// Removes a custom role that nobody is in the group of
#[utoipa::path(delete, path = "/api/v1/custom-roles/{role}", tag = "Roles", operation_id = "role.custom.delete",
    params(("role" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")),
    responses((status = 204, description = "It is gone"), (status = 409, description = "`role_referenced`")))]
async fn delete_custom(asked: Asked, PathOf(role): PathOf<String>, version: IfMatch) -> Result<Response, Problem> {
    delete(&asked, &role, version, &Farewell::default(), Class::Custom).await
}
