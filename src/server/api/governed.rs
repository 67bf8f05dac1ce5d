//! What needs a second super admin while `approval.two_person` is on: who owns the root, preset roles, horizontal roles of the root. The change
//! is written down as it was checked; it is done in the transaction of the agreement, and nothing else is.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

use super::proposals::ProposalView;
use super::shared::{Asked, is_super};
use crate::server::once::Once;
use crate::server::problem::{Code, Problem};
use crate::tvm::approval::Kind;
use crate::tvm::horizontal::{Activation, Matcher, Rule};
use crate::tvm::model::{GroupId, HorizontalId, Label, NodeId, Risk, RoleId, RoleState, UserId, VendMethod};
use crate::tvm::store::proposals::{self, NewProposal};
use crate::tvm::store::{Tx, access, catalogue, horizontals, nodes, roles};
use crate::types::{RoleArn, SessionDuration};

/// A naming rule, as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RuleText {
    matcher: String,
    pattern: String,
}

impl RuleText {
    pub(super) fn of(rule: &Rule) -> Self {
        Self { matcher: rule.matcher().word().to_owned(), pattern: rule.pattern().to_owned() }
    }

    fn read(&self) -> Option<Rule> {
        Rule::new(Matcher::from_word(&self.matcher)?, &self.pattern).ok()
    }
}

/// A change, as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(super) enum Change {
    /// Somebody becomes a super admin.
    AddRootOwner { node: String, user: String },
    /// Somebody ceases to be one.
    RemoveRootOwner { node: String, user: String },
    /// An entry of the catalogue is changed.
    UpdatePreset { key: String, version: i64, title_zh: String, title_en: String, risk: String },
    /// An entry of the catalogue goes.
    DeletePreset { key: String, version: i64 },
    /// A preset role of an account is changed.
    UpdateRole {
        role: String,
        version: i64,
        arn: Option<String>,
        max_session_s: Option<u32>,
        vend_method: Option<String>,
        risk: String,
        state: String,
    },
    /// A preset role of an account goes.
    DeleteRole { role: String, version: i64 },
    /// A horizontal role is made at the root.
    MakeHorizontal { node: String, name: String, rule: Option<RuleText>, activation: String, protected: bool },
    /// A horizontal role of the root is changed.
    UpdateHorizontal {
        horizontal: String,
        version: i64,
        name: String,
        rule: Option<RuleText>,
        activation: String,
        protected: bool,
    },
    /// A horizontal role of the root goes.
    DeleteHorizontal { horizontal: String, version: i64 },
    /// A role is added to one by hand.
    AddExplicit { horizontal: String, role: String },
    /// That is taken back.
    RemoveExplicit { horizontal: String, role: String },
    /// A group gets one.
    BindGroup { horizontal: String, group: String },
    /// A group loses one.
    UnbindGroup { horizontal: String, group: String },
    /// A role that waits in one counts.
    ConfirmPending { horizontal: String, role: String },
}

impl Change {
    fn kind(&self) -> Kind {
        match self {
            Self::AddRootOwner { .. } | Self::RemoveRootOwner { .. } => Kind::RootOwners,
            Self::UpdatePreset { .. } | Self::DeletePreset { .. } | Self::UpdateRole { .. } | Self::DeleteRole { .. } => {
                Kind::Preset
            }
            _ => Kind::RootHorizontal,
        }
    }

    fn subject(&self) -> &str {
        match self {
            Self::AddRootOwner { user, .. } | Self::RemoveRootOwner { user, .. } => user,
            Self::UpdatePreset { key, .. } | Self::DeletePreset { key, .. } => key,
            Self::UpdateRole { role, .. } | Self::DeleteRole { role, .. } => role,
            Self::MakeHorizontal { node, .. } => node,
            Self::UpdateHorizontal { horizontal, .. }
            | Self::DeleteHorizontal { horizontal, .. }
            | Self::AddExplicit { horizontal, .. }
            | Self::RemoveExplicit { horizontal, .. }
            | Self::BindGroup { horizontal, .. }
            | Self::UnbindGroup { horizontal, .. }
            | Self::ConfirmPending { horizontal, .. } => horizontal,
        }
    }
}

/// Writes a change down for somebody else to agree to: 202, and nothing is changed yet.
pub(super) async fn propose(asked: &Asked, mut tx: Tx<'_>, once: Option<&Once>, change: &Change) -> Result<Response, Problem> {
    let params = serde_json::to_value(change).map_err(|_| Problem::only(Code::Internal))?;
    let new = NewProposal { kind: change.kind(), subject: change.subject(), params: &params, by: asked.who.id() };
    let id = tx.propose(&new).await?;
    let view = ProposalView::from(&proposals::by_id(&mut tx, &id).await?);
    asked.told.add("proposal", id.as_str());
    let answer = match once {
        Some(once) => once.answer(&mut tx, StatusCode::ACCEPTED, &view).await?,
        None => (StatusCode::ACCEPTED, axum::Json(&view)).into_response(),
    };
    asked.told.commit(tx).await?;
    Ok(answer)
}

/// Does what was agreed to, for whoever proposed it, who has to be a super admin still.
pub(super) async fn apply(tx: &mut Tx<'_>, params: &str, by: &UserId) -> Result<(), Problem> {
    let now = tx.now();
    if !is_super(&access::actor(tx, by, now).await?) {
        return Err(Problem::new(Code::Forbidden, "whoever proposed this is no super admin any more"));
    }
    let change: Change = serde_json::from_str(params).map_err(|_| Problem::only(Code::Internal))?;
    done(tx, &change, by).await
}

fn read<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Problem> {
    parse(text).ok_or_else(|| Problem::only(Code::Internal))
}

async fn done(tx: &mut Tx<'_>, change: &Change, by: &UserId) -> Result<(), Problem> {
    match change {
        Change::AddRootOwner { node, user } => {
            tx.add_owner(&read(node, NodeId::parse)?, &read(user, UserId::parse)?, Some(by)).await?;
        }
        Change::RemoveRootOwner { node, user } => {
            tx.remove_owner(&read(node, NodeId::parse)?, &read(user, UserId::parse)?).await?;
        }
        Change::UpdatePreset { key, version, title_zh, title_en, risk } => {
            let mut entry = catalogue::by_key(tx, key).await?;
            (entry.version, entry.title_zh, entry.title_en) = (*version, title_zh.clone(), title_en.clone());
            entry.risk = read(risk, Risk::from_word)?;
            tx.update_preset(&entry).await?;
        }
        Change::DeletePreset { key, version } => tx.delete_preset(key, *version).await?,
        Change::UpdateRole { role, version, arn, max_session_s, vend_method, risk, state } => {
            let mut found = roles::by_id(tx, &read(role, RoleId::parse)?).await?;
            found.version = *version;
            found.arn = arn.as_deref().map(|text| read(text, |text| RoleArn::parse(text).ok())).transpose()?;
            let longest = max_session_s.map(SessionDuration::try_from).transpose();
            found.max_session = longest.map_err(|_| Problem::only(Code::Internal))?;
            found.method = vend_method.as_deref().map(|text| read(text, VendMethod::from_word)).transpose()?;
            found.risk = read(risk, Risk::from_word)?;
            found.state = read(state, RoleState::from_word)?;
            tx.update_role(&found).await?;
        }
        Change::DeleteRole { role, version } => tx.delete_role(&read(role, RoleId::parse)?, *version).await?,
        Change::MakeHorizontal { node, name, rule, activation, protected } => {
            let rule = rule.as_ref().map(|rule| rule.read().ok_or_else(|| Problem::only(Code::PatternInvalid))).transpose()?;
            let (node, name) = (read(node, NodeId::parse)?, read(name, |text| Label::parse(text).ok())?);
            nodes::by_id(tx, &node).await?;
            tx.add_horizontal(&node, &name, rule.as_ref(), read(activation, Activation::from_word)?, *protected).await?;
        }
        Change::UpdateHorizontal { horizontal, version, name, rule, activation, protected } => {
            let mut found = horizontals::by_id(tx, &read(horizontal, HorizontalId::parse)?).await?;
            found.version = *version;
            found.name = read(name, |text| Label::parse(text).ok())?;
            found.rule = rule.as_ref().map(|rule| rule.read().ok_or_else(|| Problem::only(Code::PatternInvalid))).transpose()?;
            found.activation = read(activation, Activation::from_word)?;
            found.protected = *protected;
            tx.update_horizontal(&found).await?;
        }
        Change::DeleteHorizontal { horizontal, version } => {
            tx.delete_horizontal(&read(horizontal, HorizontalId::parse)?, *version).await?;
        }
        Change::AddExplicit { horizontal, role } => {
            tx.add_explicit(&read(horizontal, HorizontalId::parse)?, &read(role, RoleId::parse)?, Some(by)).await?;
        }
        Change::RemoveExplicit { horizontal, role } => {
            tx.drop_explicit(&read(horizontal, HorizontalId::parse)?, &read(role, RoleId::parse)?).await?;
        }
        Change::BindGroup { horizontal, group } => {
            tx.bind_group(&read(horizontal, HorizontalId::parse)?, &read(group, GroupId::parse)?).await?;
        }
        Change::UnbindGroup { horizontal, group } => {
            tx.unbind_group(&read(horizontal, HorizontalId::parse)?, &read(group, GroupId::parse)?).await?;
        }
        Change::ConfirmPending { horizontal, role } => {
            tx.confirm(&read(horizontal, HorizontalId::parse)?, &read(role, RoleId::parse)?).await?;
        }
    }
    Ok(())
}
