//! The first half of a vend: who, which role, for how long, and the line in the ledger. What is then signed is built from a [`Permit`], and
//! a permit comes from nowhere else. The second half completes the line.

use super::audit::{AuthKind, Event, Outcome as Told};
use super::ledger::{Outcome, TooShort, lifetime, session_name};
use super::model::{CloudAccount, Node, Path, Risk, Role, RoleId, User, UserId, VendId, VendMethod};
use super::store::vends::{Channel, Completion, NewVend};
use super::store::{Conn, Result, Store, StoreError, access, nodes, roles, users};
use crate::types::{IdpArn, RoleArn, SessionDuration, Timestamp};

/// What somebody asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'w> {
    /// Who.
    pub user: &'w UserId,
    /// Which role.
    pub role: &'w RoleId,
    /// For what.
    pub channel: Channel,
    /// For how long; an hour where nothing is said.
    pub duration: Option<SessionDuration>,
    /// How it is known who they are.
    pub auth: AuthKind,
    /// The request.
    pub request: Option<&'w str>,
    /// From where.
    pub source_ip: Option<&'w str>,
}

/// Why they do not get it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// They do not have this role, or there is none, or it is stopped: which of these is not theirs to know.
    #[error("there is no such role among yours")]
    NotYours,
    /// The role is not handed out from here.
    #[error("this role is not handed out from here")]
    ByHandOnly,
    /// A second person has to agree, and there is no way to do so yet.
    #[error("this role needs the consent of a second person")]
    NeedsConsent,
    /// The account has no entry for us.
    #[error("the account has no identity provider's entry for this service")]
    NoProvider,
    /// The grant ends too soon.
    #[error(transparent)]
    TooShort(#[from] TooShort),
}

impl Refusal {
    /// Its word for programs, and for the trail.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotYours => "not_found",
            Self::ByHandOnly => "not_vended",
            Self::NeedsConsent => "consent_required",
            Self::NoProvider => "provider_missing",
            Self::TooShort(_) => "window_too_short",
        }
    }
}

/// That a vend may be made, once: its line is in the ledger.
#[derive(Debug)]
pub struct Permit {
    line: VendId,
    gid: String,
    actor: UserId,
    at: Path,
    account: CloudAccount,
    role: RoleArn,
    method: VendMethod,
    provider: Option<IdpArn>,
    session_name: String,
    lifetime: SessionDuration,
    issued: Timestamp,
}

impl Permit {
    /// The line of the ledger.
    pub fn line(&self) -> &VendId {
        &self.line
    }

    /// The role's account.
    pub fn account(&self) -> &CloudAccount {
        &self.account
    }

    /// The role.
    pub fn role(&self) -> &RoleArn {
        &self.role
    }

    /// How keys are come by.
    pub fn method(&self) -> VendMethod {
        self.method
    }

    /// The account's entry for us; there is one wherever an assertion of ours is the way.
    pub fn provider(&self) -> Option<&IdpArn> {
        self.provider.as_ref()
    }

    /// The label in the cloud's logs.
    pub fn session_name(&self) -> &str {
        &self.session_name
    }

    /// How long the session may last.
    pub fn lifetime(&self) -> SessionDuration {
        self.lifetime
    }

    /// When it was granted.
    pub fn issued(&self) -> Timestamp {
        self.issued
    }
}

/// Everything that the decision is made of, read in the same transaction that writes the line.
struct Facts {
    user: User,
    role: Role,
    node: Node,
    grants: Vec<access::Grant>,
}

async fn facts(conn: &mut Conn, wish: &Wish<'_>, now: Timestamp) -> Result<Option<Facts>> {
    let grants = access::grants(conn, wish.user, wish.role, now).await?;
    if grants.is_empty() {
        return Ok(None);
    }
    let (user, role) = (users::by_id(conn, wish.user).await?, roles::by_id(conn, wish.role).await?);
    let node = nodes::by_id(conn, &role.node).await?;
    Ok(Some(Facts { user, role, node, grants }))
}

fn decide(facts: &Facts, wish: &Wish<'_>, now: Timestamp) -> Result<(VendMethod, SessionDuration), Refusal> {
    let method = facts.role.method.unwrap_or(facts.node.vending.method);
    if method == VendMethod::None {
        return Err(Refusal::ByHandOnly);
    }
    if facts.role.risk == Risk::High {
        return Err(Refusal::NeedsConsent);
    }
    if method == VendMethod::Saml && facts.node.vending.provider.is_none() {
        return Err(Refusal::NoProvider);
    }
    let ends = access::last_end(&facts.grants).map_err(|_| Refusal::NotYours)?;
    let asked = wish.duration.unwrap_or(SessionDuration::DEFAULT);
    Ok((method, lifetime(asked, facts.role.max_session, facts.node.vending.max_session, ends, now)?))
}

/// Decides on the database as it is now, and writes the line and its event, or the refusal's event. Where that cannot be written nothing may be
/// handed out.
///
/// # Errors
/// The database.
pub async fn begin(store: &Store, wish: &Wish<'_>, now: Timestamp) -> Result<Result<Permit, Refusal>> {
    let mut tx = store.begin(now).await?;
    let facts = facts(&mut tx, wish, now).await?;
    let mut params = serde_json::json!({
        "role": wish.role.as_str(),
        "channel": wish.channel.word(),
        "duration": wish.duration.map(SessionDuration::seconds),
    });
    let gid = match &facts {
        Some(facts) => Some(facts.user.gid.clone()),
        None => users::by_id(&mut tx, wish.user).await.ok().map(|user| user.gid),
    };
    let event = |params, outcome, at: Option<&Path>| Event {
        actor: Some(wish.user.clone()),
        actor_gid: gid.as_ref().map(|gid| gid.normal().to_owned()),
        source_ip: wish.source_ip.map(str::to_owned),
        request: wish.request.map(str::to_owned),
        outcome,
        ..Event::by(wish.auth, "vend", params).on("role", wish.role.as_str(), at)
    };
    let decided = match &facts {
        None => Err(Refusal::NotYours),
        Some(facts) => decide(facts, wish, now).map(|terms| (facts, terms)),
    };
    let at = facts.as_ref().map(|facts| &facts.node.path);
    let (facts, (method, lifetime)) = match decided {
        Ok(decided) => decided,
        Err(refusal) => {
            params["refused"] = refusal.code().into();
            tx.commit(&event(params, Told::Refused, at)).await?;
            return Ok(Err(refusal));
        }
    };
    let Facts { user, role, node, grants } = facts;
    let (Some(arn), Some(account)) = (&role.arn, node.kind.account()) else {
        return Err(StoreError::Corrupt { column: "arn" });
    };
    let (request, source_ip) = (wish.request, wish.source_ip);
    let vend = NewVend { user, role, grants, method, channel: wish.channel, lifetime, request, source_ip };
    let line = tx.open_vend(&vend).await?;
    params["line"] = line.as_str().into();
    params["lifetime"] = lifetime.seconds().into();
    let permit = Permit {
        line,
        gid: user.gid.normal().to_owned(),
        actor: user.id.clone(),
        at: node.path.clone(),
        account: account.clone(),
        role: arn.clone(),
        method,
        provider: node.vending.provider.clone(),
        session_name: session_name(&user.gid),
        lifetime,
        issued: now,
    };
    tx.commit(&event(params, Told::Done, Some(&permit.at))).await?;
    Ok(Ok(permit))
}

/// Completes the line: what the cloud said, never what it gave.
///
/// # Errors
/// It is complete, or the database.
pub async fn finish(store: &Store, permit: Permit, outcome: Outcome, done: &Completion<'_>, now: Timestamp) -> Result<()> {
    let mut tx = store.begin(now).await?;
    tx.complete_vend(&permit.line, outcome, done).await?;
    let params = serde_json::json!({
        "line": permit.line.as_str(),
        "outcome": outcome.word(),
        "access_key_id": done.access_key_id,
        "cloud_request": done.cloud_request,
        "error": done.error,
    });
    let told = match outcome {
        Outcome::Issued => Told::Done,
        Outcome::Refused => Told::Refused,
        Outcome::Pending | Outcome::Failed | Outcome::Unknown => Told::Failed,
    };
    let event = Event {
        actor: Some(permit.actor),
        actor_gid: Some(permit.gid),
        outcome: told,
        ..Event::by(AuthKind::System, "vend.complete", params).on("vend", permit.line.as_str(), Some(&permit.at))
    };
    tx.commit(&event).await
}
