//! What the service does for itself in an account. It has a role there for it, registered like every other one and never granted to anybody.

use super::{Permit, Refusal};
use crate::tvm::audit::{AuthKind, Event, Outcome as Told};
use crate::tvm::model::{Class, NodeId, Risk, UserId, VendMethod};
use crate::tvm::store::vends::{Channel, NewVend};
use crate::tvm::store::{Result, Store, access, roles};
use crate::types::{SessionDuration, Timestamp};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Read whether the roles are there and trust us.
    Verify,
    /// Make roles.
    Provision,
}

impl Errand {
    /// The name of the role in the account, and of the session in its logs.
    pub fn role(self) -> &'static str {
        match self {
            Self::Verify => "cam-verifier",
            Self::Provision => "cam-provisioner",
        }
    }
}

/// An errand in an account, at somebody's request.
#[derive(Debug, Clone, Copy)]
pub struct Duty<'d> {
    /// What.
    pub errand: Errand,
    /// In which account.
    pub node: &'d NodeId,
    /// At whose request.
    pub by: &'d UserId,
    /// Who that is at the identity provider, in its normal form.
    pub gid: &'d str,
    /// How it is known who they are.
    pub auth: AuthKind,
    /// The request.
    pub request: Option<&'d str>,
    /// From where.
    pub source_ip: Option<&'d str>,
}

impl Duty<'_> {
    /// An event about it.
    pub fn event(&self, kind: &'static str) -> Event {
        Event {
            actor: Some(self.by.clone()),
            actor_gid: Some(self.gid.to_owned()),
            source_ip: self.source_ip.map(str::to_owned),
            request: self.request.map(str::to_owned),
            ..Event::by(self.auth, kind, serde_json::json!({"errand": self.errand.role()})).on("node", self.node.as_str(), None)
        }
    }
}

/// Writes the line and its event, for as short a session as there is. Whether `by` may ask for it was decided before.
///
/// # Errors
/// The database.
pub async fn begin_duty(store: &Store, duty: &Duty<'_>, now: Timestamp) -> Result<Result<Permit, Refusal>> {
    let mut tx = store.begin(now).await?;
    let mut event = duty.event("vend");
    let found = roles::by_name(&mut tx, duty.node, duty.errand.role()).await?.filter(|role| role.class == Class::System);
    let terms = match &found {
        Some(role) => access::terms(&mut tx, duty.by, &role.id).await?.map(|terms| (role, terms)),
        None => None,
    };
    let refusal = match &terms {
        None => Some(Refusal::NotYours),
        Some((_, terms)) if terms.method == VendMethod::None => Some(Refusal::ByHandOnly),
        Some((_, terms)) if terms.risk == Risk::High => Some(Refusal::NeedsConsent),
        Some((_, terms)) if terms.method == VendMethod::Saml && terms.provider.is_none() => Some(Refusal::NoProvider),
        Some(_) => None,
    };
    let (None, Some((role, terms))) = (&refusal, &terms) else {
        let refusal = refusal.unwrap_or(Refusal::NotYours);
        event.params["refused"] = refusal.code().into();
        event.outcome = Told::Refused;
        tx.commit(&event).await?;
        return Ok(Err(refusal));
    };
    let new = NewVend {
        user: duty.by,
        role: &role.id,
        terms,
        grants: &[],
        errand: Some(duty.errand.role()),
        channel: Channel::System,
        lifetime: SessionDuration::SHORTEST,
        request: duty.request,
        source_ip: duty.source_ip,
    };
    let line = tx.open_vend(&new).await?;
    event.params["line"] = line.as_str().into();
    let permit = Permit {
        line,
        gid: duty.gid.to_owned(),
        actor: duty.by.clone(),
        at: terms.path.clone(),
        node: terms.node.clone(),
        account: terms.account.clone(),
        role: terms.arn.clone(),
        method: terms.method,
        provider: terms.provider.clone(),
        session_name: duty.errand.role().to_owned(),
        lifetime: SessionDuration::SHORTEST,
        issued: now,
        is_by_client: false,
    };
    tx.commit(&event.on("node", duty.node.as_str(), Some(&permit.at))).await?;
    Ok(Ok(permit))
}
