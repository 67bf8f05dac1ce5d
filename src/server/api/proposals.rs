//! Two persons: what somebody proposed, and another super admin agrees to or declines.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::governed;
use super::shared::{Asked, after, given, is_super, word};
use crate::server::extract::{JsonBody, Page, PathOf, QueryOf, id, limit};
use crate::server::once::Once;
use crate::server::problem::{Code, Problem, allow};
use crate::server::route::{Access, Route, Row};
use crate::tvm::approval::{Consent, Kind, LONGEST_CONSENT, Proposal, State, vend_subject};
use crate::tvm::authorize::{Action, Actor, Object, authorize};
use crate::tvm::model::{Description, ProposalId, Risk, RoleId};
use crate::tvm::store::proposals::{self, NewProposal};
use crate::tvm::store::{Conn, access, roles};

pub(super) fn routes() -> Vec<Route> {
    let api = |told, action, described| Route::api(told, Access::Api, Row::Matrix(action), described);
    vec![
        api("proposal.list", Action::ReadAudit, routes!(list)),
        api("proposal.create", Action::UseOwnRoles, routes!(create)),
        api("proposal.read", Action::ReadAudit, routes!(read)),
        api("proposal.agree", Action::ReadAudit, routes!(agree)),
        api("proposal.decline", Action::ReadAudit, routes!(decline)),
        api("proposal.withdraw", Action::UseOwnRoles, routes!(withdraw)),
    ]
}

/// Something that a second person has to agree to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProposalView {
    /// The identity.
    id: String,
    /// `vend`, `root_owners`, `preset`, `root_horizontal` or `signing_key`.
    kind: &'static str,
    /// To what.
    subject: String,
    /// What exactly: that is what is done once somebody agrees.
    #[schema(value_type = Object)]
    params: serde_json::Value,
    /// By whom.
    proposed_by: String,
    /// Who answered.
    decided_by: Option<String>,
    /// `open`, `agreed`, `declined`, `withdrawn` or `expired`.
    state: &'static str,
    /// Since when (RFC 3339).
    created_at: String,
    /// Until when it can be answered.
    expires_at: String,
}

impl From<&Proposal> for ProposalView {
    fn from(proposal: &Proposal) -> Self {
        Self {
            id: proposal.id.to_string(),
            kind: proposal.kind.word(),
            subject: proposal.subject.clone(),
            params: serde_json::from_str(&proposal.params).unwrap_or_default(),
            proposed_by: proposal.by.to_string(),
            decided_by: proposal.decided_by.as_ref().map(ToString::to_string),
            state: proposal.state.word(),
            created_at: proposal.created.utc(),
            expires_at: proposal.expires.utc(),
        }
    }
}

/// Which proposals.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Which {
    /// `open` (if nothing is said), `agreed`, `declined`, `withdrawn` or `expired`.
    state: Option<String>,
    /// How many entries at the most, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The cursor that the page before gave.
    cursor: Option<String>,
}

/// Proposals in a state, oldest first
#[utoipa::path(get, path = "/api/v1/proposals", tag = "Two persons", operation_id = "proposal.list", params(Which),
    responses((status = 200, body = Page<ProposalView>)))]
async fn list(asked: Asked, QueryOf(query): QueryOf<Which>) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let from: String = after(query.cursor.as_deref())?;
    let words = "`open`, `agreed`, `declined`, `withdrawn`, `expired`";
    let state = word("state", query.state.as_deref().unwrap_or("open"), State::from_word, words)?;
    let (mut conn, actor) = asked.read().await?;
    allow(authorize(&actor, Action::ReadAudit, Object::Pool))?;
    let found = proposals::list(&mut conn, state, &from, limit + 1).await?;
    let page = Page::of(found, limit, |proposal| proposal.id.to_string(), |proposal| ProposalView::from(&proposal));
    Ok(Json(page).into_response())
}

/// A consent that somebody asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// The role of risk `high` that one holds.
    role: String,
    /// For how many seconds from the agreement on, 900 to 28800.
    #[schema(minimum = 900, maximum = 28800)]
    seconds: u64,
    /// Why.
    reason: String,
}

/// Asks for a role of risk `high` that one holds
///
/// Once a super admin has agreed it is handed out for that time. Other proposals are made by asking for the change itself.
#[utoipa::path(post, path = "/api/v1/proposals", tag = "Two persons", operation_id = "proposal.create", request_body = Wish,
    responses((status = 201, body = ProposalView), (status = 422, description = "`not_vended`")))]
async fn create(asked: Asked, once: Once, JsonBody(wish): JsonBody<Wish>) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    allow(authorize(&actor, Action::UseOwnRoles, Object::Pool))?;
    let role = roles::by_id(&mut tx, &id(&wish.role, RoleId::parse)?).await?;
    asked.told.on("role", role.id.as_str(), None);
    if access::grants(&mut tx, asked.who.id(), &role.id, asked.now).await?.is_empty() {
        return Err(Problem::only(Code::NotFound));
    }
    if role.risk != Risk::High {
        return Err(Problem::field("role", "is handed out without anybody's consent"));
    }
    if !asked.app.settings.two_person {
        return Err(Problem::new(Code::NotVended, "roles of risk `high` are handed out only where two persons are needed"));
    }
    if !(900..=LONGEST_CONSENT.as_secs()).contains(&wish.seconds) {
        return Err(Problem::field("seconds", format!("is a number from 900 to {}", LONGEST_CONSENT.as_secs())));
    }
    let reason = given("reason", Description::parse(&wish.reason))?;
    if reason.as_str().is_empty() {
        return Err(Problem::field("reason", "is needed"));
    }
    let consent = Consent { seconds: wish.seconds, reason: reason.as_str().to_owned() };
    let params = serde_json::to_value(&consent).map_err(|_| Problem::only(Code::Internal))?;
    let subject = vend_subject(asked.who.id(), &role.id);
    let new = NewProposal { kind: Kind::Vend, subject: &subject, params: &params, by: asked.who.id() };
    let made = tx.propose(&new).await?;
    asked.told.on("proposal", made.as_str(), None);
    let view = ProposalView::from(&proposals::by_id(&mut tx, &made).await?);
    let answer = once.answer(&mut tx, StatusCode::CREATED, &view).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}

/// A proposal that somebody may know of: their own, and every one for super admins.
async fn known(asked: &Asked, conn: &mut Conn, actor: &Actor, text: &str) -> Result<Proposal, Problem> {
    let proposal = proposals::by_id(conn, &id(text, ProposalId::parse)?).await?;
    asked.told.on("proposal", proposal.id.as_str(), None);
    if proposal.by == *asked.who.id() || is_super(actor) { Ok(proposal) } else { Err(Problem::only(Code::NotFound)) }
}

/// A proposal
#[utoipa::path(get, path = "/api/v1/proposals/{proposal}", tag = "Two persons", operation_id = "proposal.read", params(("proposal" = String, Path)),
    responses((status = 200, body = ProposalView)))]
async fn read(asked: Asked, PathOf(text): PathOf<String>) -> Result<Response, Problem> {
    let (mut conn, actor) = asked.read().await?;
    let proposal = known(&asked, &mut conn, &actor, &text).await?;
    Ok(Json(ProposalView::from(&proposal)).into_response())
}

/// Agrees, and what was proposed is done
///
/// Nobody agrees to a proposal of their own. Where the change cannot be made any more it is refused as such, and the proposal stays open.
#[utoipa::path(post, path = "/api/v1/proposals/{proposal}/agree", tag = "Two persons", operation_id = "proposal.agree", params(("proposal" = String, Path)),
    responses((status = 200, body = ProposalView), (status = 403, description = "`forbidden`, `self_approval`"),
        (status = 409, description = "`already_decided`, `idempotency_conflict`, or what stands against the change"),
        (status = 422, description = "What stands against the change")))]
async fn agree(asked: Asked, PathOf(text): PathOf<String>, once: Once) -> Result<Response, Problem> {
    answer(&asked, &text, &once, true).await
}

/// Declines
#[utoipa::path(post, path = "/api/v1/proposals/{proposal}/decline", tag = "Two persons", operation_id = "proposal.decline", params(("proposal" = String, Path)),
    responses((status = 200, body = ProposalView), (status = 403, description = "`forbidden`, `self_approval`"),
        (status = 409, description = "`already_decided`, `idempotency_conflict`")))]
async fn decline(asked: Asked, PathOf(text): PathOf<String>, once: Once) -> Result<Response, Problem> {
    answer(&asked, &text, &once, false).await
}

async fn answer(asked: &Asked, text: &str, once: &Once, agrees: bool) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    let proposal = known(asked, &mut tx, &actor, text).await?;
    let proposal = tx.answer_proposal(&proposal.id, asked.who.id(), agrees).await?;
    if agrees && matches!(proposal.kind, Kind::RootOwners | Kind::Preset | Kind::RootHorizontal | Kind::SigningKey) {
        governed::apply(&mut tx, &proposal.params, &proposal.by).await?;
    }
    asked.told.add("kind", proposal.kind.word());
    asked.told.add("change", serde_json::from_str::<serde_json::Value>(&proposal.params).unwrap_or_default());
    let answer = once.answer(&mut tx, StatusCode::OK, &ProposalView::from(&proposal)).await?;
    asked.told.commit(tx).await?;
    if proposal.kind == Kind::SigningKey {
        asked.app.keys.forget();
    }
    Ok(answer)
}

/// Takes a proposal of one's own back
#[utoipa::path(post, path = "/api/v1/proposals/{proposal}/withdraw", tag = "Two persons", operation_id = "proposal.withdraw", params(("proposal" = String, Path)),
    responses((status = 200, body = ProposalView), (status = 409, description = "`already_decided`, `idempotency_conflict`")))]
async fn withdraw(asked: Asked, PathOf(text): PathOf<String>, once: Once) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    let proposal = known(&asked, &mut tx, &actor, &text).await?;
    tx.withdraw_proposal(&proposal.id, asked.who.id()).await?;
    let view = ProposalView::from(&proposals::by_id(&mut tx, &proposal.id).await?);
    let answer = once.answer(&mut tx, StatusCode::OK, &view).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}
