//! What a naming rule would do, before it is given.

use std::collections::BTreeSet;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{horizontal, rule};
use crate::server::api::groups::table;
use crate::server::api::nodes::EffectView;
use crate::server::api::shared::{Asked, Named};
use crate::server::extract::JsonBody;
use crate::server::problem::{Code, Problem};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::Action;
use crate::tvm::horizontal::Activation;
use crate::tvm::model::RoleId;
use crate::tvm::store::effect::{self, Effect, MOST};
use crate::tvm::store::{Conn, horizontals, names};

pub(super) fn routes() -> Vec<Route> {
    let row = Row::Matrix(Action::SeeHorizontal);
    // It changes nothing, so it may be asked as often as somebody types.
    vec![Route::api("horizontal.preview", Access::Api, row, routes!(preview)).not_idempotent()]
}

/// A rule, and what it would be for: a horizontal role that is there, or a new one at a node.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The horizontal role whose rule it would be.
    horizontal: Option<String>,
    /// The node where it would be a new one.
    node: Option<String>,
    /// How the pattern is read: `prefix` (if nothing is said), `exact`, `glob` or `regex`.
    matcher: Option<String>,
    /// The pattern.
    #[schema(max_length = 256)]
    pattern: String,
}

/// What a rule would do.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewView {
    /// Roles that would come in; 200 at the most.
    gained: Vec<Named>,
    /// Roles that would go out; 200 at the most.
    lost: Vec<Named>,
    /// How many come in.
    gained_total: usize,
    /// How many go out.
    lost_total: usize,
    /// How many there would be.
    total: usize,
    /// Whether roles that come in wait for somebody to confirm them.
    waits: bool,
    /// What changes about who can use what, at once.
    effect: EffectView,
}

/// What a naming rule would bring and take away: roles, and who can use them
#[utoipa::path(post, path = "/api/v1/horizontal-roles/preview", tag = "Horizontal roles", operation_id = "horizontal.preview", request_body = Question,
    responses((status = 200, body = PreviewView), (status = 422, description = "`pattern_invalid`, `tree_shape`")))]
async fn preview(asked: Asked, JsonBody(question): JsonBody<Question>) -> Result<Response, Problem> {
    let (mut conn, actor) = asked.read().await?;
    let given = |rule: Option<crate::tvm::horizontal::Rule>| {
        rule.ok_or_else(|| Problem::new(Code::PatternInvalid, "the pattern is empty"))
    };
    let (preview, waits, effect) = match (&question.horizontal, &question.node) {
        (Some(text), None) => {
            let found = horizontal(&asked, &mut conn, &actor, text, Action::SeeHorizontal).await?;
            let rule = given(rule(question.matcher.as_deref(), Some(&question.pattern))?)?;
            let preview = horizontals::try_rule(&mut conn, &found.id, Some(&rule)).await?;
            let waits = found.activation == Activation::Confirm;
            let before = effect::holdings_around(&mut conn, &found.id, &preview.gained).await?;
            let mut then = before.clone();
            then.retain(|(one, role)| *one != found.id || !preview.lost.contains(role));
            if !waits {
                then.extend(preview.gained.iter().map(|role| (found.id.clone(), role.clone())));
            }
            let effect = effect::compare(&mut conn, &before, &then, asked.now).await?;
            (preview, waits, effect)
        }
        (None, Some(text)) => {
            let node = table(&asked, &mut conn, &actor, text, Action::CreateHorizontal).await?;
            let rule = given(rule(question.matcher.as_deref(), Some(&question.pattern))?)?;
            // Nobody has it yet, so nobody gains anything by it.
            (horizontals::try_new(&mut conn, &node.path, &rule).await?, false, Effect::default())
        }
        _ => return Err(Problem::field("node", "either `horizontal` or `node` says what the rule is for")),
    };
    let view = PreviewView {
        gained: named(&mut conn, &preview.gained).await?,
        lost: named(&mut conn, &preview.lost).await?,
        gained_total: preview.gained.len(),
        lost_total: preview.lost.len(),
        total: preview.total,
        waits,
        effect: EffectView::of(&mut conn, &effect).await?,
    };
    Ok(Json(view).into_response())
}

async fn named(conn: &mut Conn, ids: &BTreeSet<RoleId>) -> Result<Vec<Named>, Problem> {
    let names = names::roles(conn, ids.iter().take(MOST)).await?;
    Ok(names.into_iter().map(|(id, name)| Named { id, name }).collect())
}
