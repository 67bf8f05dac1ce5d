//! Horizontal roles: one name for the system roles of many accounts.

mod bindings;
mod preview;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::governed::{Change, RuleText, propose};
use super::groups::table;
use super::shared::{Asked, Paging, after, given, is_super, word};
use crate::server::extract::{IfMatch, JsonBody, Page, PathOf, QueryOf, etag, id, limit};
use crate::server::once::Once;
use crate::server::problem::{Code, Problem, allow};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Actor, Object, authorize};
use crate::tvm::horizontal::{Activation, Horizontal, Matcher, Preview, Rule};
use crate::tvm::model::{HorizontalId, Label, Path};
use crate::tvm::store::{Conn, bindings as bound, horizontals};

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    let own = vec![
        api("horizontal.list", Action::SeeHorizontal, routes!(list)),
        api("horizontal.create", Action::CreateHorizontal, routes!(create)),
        api("horizontal.read", Action::SeeHorizontal, routes!(read)),
        api("horizontal.update", Action::UpdateHorizontal, routes!(update)),
        api("horizontal.delete", Action::DeleteHorizontal, routes!(delete)),
    ];
    [own, preview::routes(), bindings::routes()].into_iter().flatten().collect()
}

/// A horizontal role.
#[derive(Debug, Serialize, ToSchema)]
struct HorizontalView {
    /// The identity.
    id: String,
    /// The management node that has it; it reaches the accounts below.
    node: String,
    /// The name, unique at its node.
    name: String,
    /// How the pattern is read: `prefix`, `exact`, `glob` or `regex`; nothing where roles are only added by hand.
    matcher: Option<&'static str>,
    /// The pattern, for the whole name of a role.
    pattern: Option<String>,
    /// `auto`, or `confirm`: a newly matching role counts when somebody has confirmed it.
    activation: &'static str,
    /// Whether only super admins may change it.
    protected: bool,
    /// How often it was changed.
    version: i64,
}

impl From<&Horizontal> for HorizontalView {
    fn from(horizontal: &Horizontal) -> Self {
        Self {
            id: horizontal.id.to_string(),
            node: horizontal.node.to_string(),
            name: horizontal.name.to_string(),
            matcher: horizontal.rule.as_ref().map(|rule| rule.matcher().word()),
            pattern: horizontal.rule.as_ref().map(|rule| rule.pattern().to_owned()),
            activation: horizontal.activation.word(),
            protected: horizontal.protected,
            version: horizontal.version,
        }
    }
}

/// A horizontal role that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewHorizontal {
    /// The name, unique at its node.
    name: String,
    /// How the pattern is read: `prefix`, `exact`, `glob` or `regex`. `prefix`, if nothing is said.
    matcher: Option<String>,
    /// The pattern, for the whole name of a role; without it roles are only added by hand.
    #[schema(example = "ops-", max_length = 256)]
    pattern: Option<String>,
    /// `auto` (if nothing is said) or `confirm`.
    activation: Option<String>,
    /// Whether only super admins may change it; super admins may say so.
    protected: Option<bool>,
    /// That a pattern that matches a lot is meant.
    confirm: Option<bool>,
}

/// What of a horizontal role is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HorizontalChange {
    /// The name, unique at its node.
    name: Option<String>,
    /// How the pattern is read. With it comes the pattern.
    matcher: Option<String>,
    /// The pattern; empty for none.
    #[schema(max_length = 256)]
    pattern: Option<String>,
    /// `auto` or `confirm`.
    activation: Option<String>,
    /// Whether only super admins may change it; super admins may say so.
    protected: Option<bool>,
    /// That a pattern that matches a lot is meant.
    confirm: Option<bool>,
}

/// A naming rule as it was given; none without a pattern.
fn rule(matcher: Option<&str>, pattern: Option<&str>) -> Result<Option<Rule>, Problem> {
    let matcher = match matcher {
        None => Matcher::Prefix,
        Some(text) => word("matcher", text, Matcher::from_word, "`prefix`, `exact`, `glob`, `regex`")?,
    };
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else { return Ok(None) };
    if pattern.chars().any(char::is_control) {
        return Err(Problem::new(Code::PatternInvalid, "the pattern has a character that cannot be seen"));
    }
    Rule::new(matcher, pattern).map(Some).map_err(|bad| Problem::new(Code::PatternInvalid, bad.to_string()))
}

/// Refuses a rule that takes more than it may without being confirmed. One that fits any name takes too much wherever it is.
async fn is_not_broad(asked: &Asked, conn: &mut Conn, at: &Path, rule: &Rule, preview: &Preview) -> Result<(), Problem> {
    let all = bound::reachable(conn, at).await?;
    let percent = u64::from(asked.app.settings.rules.broad_percent);
    let (total, of) = (u64::try_from(preview.total).unwrap_or(u64::MAX), u64::try_from(all).unwrap_or(u64::MAX));
    // A share of next to nothing says nothing.
    let is_much = all >= 10 && total.saturating_mul(100) > of.saturating_mul(percent);
    if rule.fits_anything() || is_much {
        let detail =
            format!("it matches {total} of {all} system roles below the node; `\"confirm\": true` says that this is meant");
        return Err(Problem::new(Code::PatternTooBroad, detail));
    }
    Ok(())
}

/// Whether a change of a horizontal role needs a second super admin: it is one of the root.
fn is_for_two(asked: &Asked, at: &Path) -> bool {
    asked.app.settings.two_person && at.depth() == 1
}

/// A horizontal role that this may be done to.
async fn horizontal(asked: &Asked, conn: &mut Conn, actor: &Actor, text: &str, action: Action) -> Result<Horizontal, Problem> {
    let found = horizontals::by_id(conn, &id(text, HorizontalId::parse)?).await?;
    asked.told.on("horizontal", found.id.as_str(), Some(&found.path));
    // What is defined at the root is for super admins, whatever it says.
    let is_protected = found.protected || found.path.depth() == 1;
    allow(authorize(actor, action, Object::Horizontal { node: &found.path, is_protected }))?;
    Ok(found)
}

/// The horizontal roles of a node, by name
#[utoipa::path(get, path = "/api/v1/nodes/{node}/horizontal-roles", tag = "Horizontal roles", operation_id = "horizontal.list",
    params(("node" = String, Path), Paging), responses((status = 200, body = Page<HorizontalView>), (status = 422, description = "`tree_shape`")))]
async fn list(asked: Asked, PathOf(node): PathOf<String>, QueryOf(paging): QueryOf<Paging>) -> Result<Response, Problem> {
    let limit = limit(paging.limit)?;
    let from: String = after(paging.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    let node = table(&asked, &mut conn, &actor, &node, Action::SeeHorizontal).await?;
    let found = horizontals::at(&mut conn, &node.id, &from, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |one| one.name.normal().to_owned(), |one| HorizontalView::from(&one))).into_response())
}

/// Makes a horizontal role at a management node
#[utoipa::path(post, path = "/api/v1/nodes/{node}/horizontal-roles", tag = "Horizontal roles", operation_id = "horizontal.create",
    params(("node" = String, Path)), request_body = NewHorizontal,
    responses((status = 201, body = HorizontalView), (status = 409, description = "`name_taken`, `idempotency_conflict`"),
        (status = 422, description = "`pattern_invalid`, `pattern_too_broad`, `tree_shape`")))]
async fn create(
    asked: Asked,
    PathOf(node): PathOf<String>,
    once: Once,
    JsonBody(new): JsonBody<NewHorizontal>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    let node = table(&asked, &mut tx, &actor, &node, Action::CreateHorizontal).await?;
    let protected = new.protected.unwrap_or_default();
    if protected && !is_super(&actor) {
        return Err(Problem::new(Code::Forbidden, "`protected` is for super admins to say"));
    }
    let name = given("name", Label::parse(&new.name))?;
    let rule = rule(new.matcher.as_deref(), new.pattern.as_deref())?;
    let activation = activation(new.activation.as_deref())?.unwrap_or(Activation::Auto);
    if let Some(rule) = &rule
        && new.confirm != Some(true)
    {
        let preview = horizontals::try_new(&mut tx, &node.path, rule).await?;
        is_not_broad(&asked, &mut tx, &node.path, rule, &preview).await?;
    }
    if is_for_two(&asked, &node.path) {
        let change = Change::MakeHorizontal {
            node: node.id.to_string(),
            name: name.to_string(),
            rule: rule.as_ref().map(RuleText::of),
            activation: activation.word().to_owned(),
            protected,
        };
        return propose(&asked, tx, Some(&once), &change).await;
    }
    let made = tx.add_horizontal(&node.id, &name, rule.as_ref(), activation, protected).await?;
    asked.told.on("horizontal", made.id.as_str(), Some(&node.path));
    let answer = once.answer(&mut tx, StatusCode::CREATED, &HorizontalView::from(&made)).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}

fn activation(given: Option<&str>) -> Result<Option<Activation>, Problem> {
    given.map(|text| word("activation", text, Activation::from_word, "`auto`, `confirm`")).transpose()
}

/// A horizontal role
#[utoipa::path(get, path = "/api/v1/horizontal-roles/{horizontal}", tag = "Horizontal roles", operation_id = "horizontal.read",
    params(("horizontal" = String, Path)), responses((status = 200, body = HorizontalView)))]
async fn read(asked: Asked, PathOf(text): PathOf<String>) -> Result<Response, Problem> {
    let (mut conn, actor) = asked.read().await?;
    let found = horizontal(&asked, &mut conn, &actor, &text, Action::SeeHorizontal).await?;
    Ok((etag(found.version), Json(HorizontalView::from(&found))).into_response())
}

/// Changes a horizontal role
///
/// What it holds is what its rule says from then on. One that is protected, or defined at the root, is changed by super admins only.
#[utoipa::path(patch, path = "/api/v1/horizontal-roles/{horizontal}", tag = "Horizontal roles", operation_id = "horizontal.update",
    params(("horizontal" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")), request_body = HorizontalChange,
    responses((status = 200, body = HorizontalView), (status = 409, description = "`name_taken`"), (status = 422, description = "`pattern_invalid`, `pattern_too_broad`")))]
async fn update(
    asked: Asked,
    PathOf(text): PathOf<String>,
    version: IfMatch,
    JsonBody(change): JsonBody<HorizontalChange>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let mut found = horizontal(&asked, &mut tx, &actor, &text, Action::UpdateHorizontal).await?;
    if change.protected.is_some() && !is_super(&actor) {
        return Err(Problem::new(Code::Forbidden, "`protected` is for super admins to say"));
    }
    version.check(found.version)?;
    if let Some(text) = &change.name {
        found.name = given("name", Label::parse(text))?;
    }
    if change.matcher.is_some() && change.pattern.is_none() {
        return Err(Problem::field("pattern", "comes with `matcher`"));
    }
    if let Some(pattern) = &change.pattern {
        let same = found.rule.as_ref().map(|rule| rule.matcher().word());
        found.rule = rule(change.matcher.as_deref().or(same), Some(pattern))?;
        if let Some(rule) = &found.rule
            && change.confirm != Some(true)
        {
            let preview = horizontals::try_new(&mut tx, &found.path, rule).await?;
            is_not_broad(&asked, &mut tx, &found.path, rule, &preview).await?;
        }
    }
    if let Some(activation) = activation(change.activation.as_deref())? {
        found.activation = activation;
    }
    found.protected = change.protected.unwrap_or(found.protected);
    if is_for_two(&asked, &found.path) {
        let change = Change::UpdateHorizontal {
            horizontal: found.id.to_string(),
            version: found.version,
            name: found.name.to_string(),
            rule: found.rule.as_ref().map(RuleText::of),
            activation: found.activation.word().to_owned(),
            protected: found.protected,
        };
        return propose(&asked, tx, None, &change).await;
    }
    tx.update_horizontal(&found).await?;
    let found = horizontals::by_id(&mut tx, &found.id).await?;
    asked.told.commit(tx).await?;
    Ok((etag(found.version), Json(HorizontalView::from(&found))).into_response())
}

/// Removes a horizontal role, with everything that it was given to
#[utoipa::path(delete, path = "/api/v1/horizontal-roles/{horizontal}", tag = "Horizontal roles", operation_id = "horizontal.delete",
    params(("horizontal" = String, Path), ("If-Match" = String, Header, description = "The version that the change is made from")),
    responses((status = 204, description = "It is gone")))]
async fn delete(asked: Asked, PathOf(text): PathOf<String>, version: IfMatch) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    let found = horizontal(&asked, &mut tx, &actor, &text, Action::DeleteHorizontal).await?;
    version.check(found.version)?;
    if is_for_two(&asked, &found.path) {
        let change = Change::DeleteHorizontal { horizontal: found.id.to_string(), version: found.version };
        return propose(&asked, tx, None, &change).await;
    }
    tx.delete_horizontal(&found.id, found.version).await?;
    asked.told.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
