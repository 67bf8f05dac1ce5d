//! The first half of a vend: who, which role, for how long, and the line in the ledger. What is then signed is built from a [`Permit`], and
//! a permit comes from nowhere else. The second half completes the line.
//!
//! What the service does for itself in an account ([`Duty`]) goes the same way, by a role of its own there.

mod duty;

use super::audit::{AuthKind, Event, Outcome as Told};
use super::ledger::{Outcome, TooShort, lifetime, session_name};
use super::model::{CloudAccount, Gid, NodeId, Path, Risk, RoleId, UserId, VendId, VendMethod};
use super::store::access::{Grant, Terms};
use super::store::vends::{Channel, Completion, NewVend};
use super::store::{Result, Store, Tx, access, proposals, users};
use crate::types::{IdpArn, RoleArn, SessionDuration, Timestamp};

pub use self::duty::{Duty, Errand, begin_duty};

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
    /// What else was given, for the trail: a JSON object, secrets masked.
    pub given: Option<&'w serde_json::Value>,
    /// What is wished of keys beyond the keys themselves.
    pub extra: Option<Extra>,
}

/// What can be had with keys that the service itself fetches, and only with these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// A session policy: nobody holds a command line to one that calls the cloud itself.
    Policy,
    /// Another form than the service's own document.
    Format,
}

/// What cannot be had where the command line itself fetches the keys of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotByClient {
    /// Keys on a page.
    #[error("the keys of this account are fetched by the command line only; signing in to its console works here")]
    Page,
    /// A session policy.
    #[error(
        "the command line fetches the keys of this account from the cloud itself, so they cannot be limited by a session policy"
    )]
    Policy,
    /// A form for other tools.
    #[error(
        "the command line fetches the keys of this account from the cloud itself, so here they come in no other format than `json`"
    )]
    Format,
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
    /// A second person has to agree, and has not.
    #[error("this role needs the consent of a second person")]
    NeedsConsent,
    /// The account has no entry for us.
    #[error("the account has no identity provider's entry for this service")]
    NoProvider,
    /// The account's keys are fetched by the command line itself, and this is not to be had so.
    #[error(transparent)]
    ByClient(#[from] NotByClient),
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
            Self::ByClient(_) => "client_exchange",
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
    node: NodeId,
    account: CloudAccount,
    role: RoleArn,
    method: VendMethod,
    provider: Option<IdpArn>,
    session_name: String,
    lifetime: SessionDuration,
    issued: Timestamp,
    is_by_client: bool,
}

impl Permit {
    /// The line of the ledger.
    pub fn line(&self) -> &VendId {
        &self.line
    }

    /// The account's node.
    pub fn node(&self) -> &NodeId {
        &self.node
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

    /// Whether the assertion itself is handed out, for whoever asked to exchange it.
    pub fn is_by_client(&self) -> bool {
        self.is_by_client
    }
}

/// A wish that outlives whoever wished: it is decided where others are written, too.
#[derive(Debug, Clone)]
struct Asked {
    user: UserId,
    role: RoleId,
    channel: Channel,
    duration: Option<SessionDuration>,
    auth: AuthKind,
    request: Option<String>,
    source_ip: Option<String>,
    two_person: bool,
    given: serde_json::Value,
    extra: Option<Extra>,
}

impl Asked {
    fn of(wish: &Wish<'_>, two_person: bool) -> Self {
        Self {
            two_person,
            user: wish.user.clone(),
            role: wish.role.clone(),
            channel: wish.channel,
            duration: wish.duration,
            auth: wish.auth,
            request: wish.request.map(str::to_owned),
            source_ip: wish.source_ip.map(str::to_owned),
            given: wish.given.cloned().unwrap_or_default(),
            extra: wish.extra,
        }
    }

    /// The event that tells of it.
    fn event(&self, gid: Option<&Gid>, at: Option<&Path>, params: serde_json::Value, outcome: Told) -> Event {
        Event {
            actor: Some(self.user.clone()),
            actor_gid: gid.map(|gid| gid.normal().to_owned()),
            source_ip: self.source_ip.clone(),
            request: self.request.clone(),
            outcome,
            ..Event::by(self.auth, "vend", params).on("role", self.role.as_str(), at)
        }
    }

    /// For how long, or why not. `consent` is until when a second person agrees, where one has to.
    fn decide(
        &self,
        terms: &Terms,
        grants: &[Grant],
        consent: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<SessionDuration, Refusal> {
        let ends = access::last_end(grants).map_err(|_| Refusal::NotYours)?;
        if terms.method == VendMethod::None {
            return Err(Refusal::ByHandOnly);
        }
        if terms.risk == Risk::High && consent.is_none() {
            return Err(Refusal::NeedsConsent);
        }
        if terms.method == VendMethod::Saml && terms.provider.is_none() {
            return Err(Refusal::NoProvider);
        }
        if terms.client_exchange {
            match (self.channel, self.extra) {
                (Channel::Web, _) => return Err(NotByClient::Page.into()),
                (Channel::Cli, Some(Extra::Policy)) => return Err(NotByClient::Policy.into()),
                (Channel::Cli, Some(Extra::Format)) => return Err(NotByClient::Format.into()),
                // A console takes the assertion from the browser, as ever.
                (Channel::Cli, None) | (Channel::Console | Channel::System, _) => {}
            }
        }
        let ends = ends.into_iter().chain(consent).min();
        let [role, node] = terms.longest;
        Ok(lifetime(self.duration.unwrap_or(SessionDuration::DEFAULT), role, node, ends, now)?)
    }

    /// Decides, and writes the line; the event is for the caller.
    async fn begin(&self, tx: &mut Tx<'_>) -> Result<(Result<Permit, Refusal>, Event)> {
        let now = tx.now();
        // What was given comes first: what was understood wins over it.
        let mut params = if self.given.is_object() { self.given.clone() } else { serde_json::json!({}) };
        params["role"] = self.role.as_str().into();
        params["channel"] = self.channel.word().into();
        params["duration"] = self.duration.map(SessionDuration::seconds).into();
        let Some(terms) = access::terms(tx, &self.user, &self.role).await? else {
            let gid = users::by_id(tx, &self.user).await.ok().map(|user| user.gid);
            params["refused"] = Refusal::NotYours.code().into();
            return Ok((Err(Refusal::NotYours), self.event(gid.as_ref(), None, params, Told::Refused)));
        };
        let grants = access::ways(tx, &self.user, &self.role, now).await?;
        let consent = match terms.risk {
            Risk::High if self.two_person => proposals::consent(tx, &self.user, &self.role, now).await?,
            Risk::High | Risk::Normal => None,
        };
        let lifetime = match self.decide(&terms, &grants, consent, now) {
            Ok(lifetime) => lifetime,
            Err(refusal) => {
                params["refused"] = refusal.code().into();
                // Whose role it is not need not be told where it is: the trail of that node is its owners'.
                let at = (refusal != Refusal::NotYours).then_some(&terms.path);
                return Ok((Err(refusal), self.event(Some(&terms.gid), at, params, Told::Refused)));
            }
        };
        let (request, source_ip) = (self.request.as_deref(), self.source_ip.as_deref());
        let (user, role, terms, grants) = (&self.user, &self.role, &terms, grants.as_slice());
        let line = tx
            .open_vend(&NewVend { user, role, terms, grants, errand: None, channel: self.channel, lifetime, request, source_ip })
            .await?;
        params["line"] = line.as_str().into();
        params["lifetime"] = lifetime.seconds().into();
        let permit = Permit {
            line,
            gid: terms.gid.normal().to_owned(),
            actor: self.user.clone(),
            at: terms.path.clone(),
            node: terms.node.clone(),
            account: terms.account.clone(),
            role: terms.arn.clone(),
            method: terms.method,
            provider: terms.provider.clone(),
            session_name: session_name(&terms.gid),
            lifetime,
            issued: now,
            is_by_client: terms.client_exchange && self.channel == Channel::Cli,
        };
        let event = self.event(Some(&terms.gid), Some(&terms.path), params, Told::Done);
        Ok((Ok(permit), event))
    }
}

/// Decides on the database as it is now, and writes the line and its event, or the refusal's event, in one transaction. Where that cannot be
/// written nothing may be handed out. `two_person` says whether a second person can agree to roles of risk `high`; where nobody can, they are not
/// handed out.
///
/// # Errors
/// The database.
pub async fn begin(store: &Store, wish: &Wish<'_>, two_person: bool, now: Timestamp) -> Result<Result<Permit, Refusal>> {
    let asked = Asked::of(wish, two_person);
    store
        .together(now, move |tx| {
            let asked = asked.clone();
            Box::pin(async move { asked.begin(tx).await })
        })
        .await
}

/// Completes the line: what the cloud said, never what it gave.
///
/// # Errors
/// It is complete, or the database.
pub async fn finish(store: &Store, permit: Permit, outcome: Outcome, done: &Completion<'_>, now: Timestamp) -> Result<()> {
    let params = serde_json::json!({
        "line": permit.line.as_str(),
        "outcome": outcome.word(),
        "access_key_id": done.access_key_id,
        "assertion": done.assertion,
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
    let [key, request, error] = [done.access_key_id, done.cloud_request, done.error].map(|text| text.map(str::to_owned));
    let (line, expires) = (permit.line, done.expires);
    store
        .together(now, move |tx| {
            let (line, event) = (line.clone(), event.clone());
            let [key, request, error] = [key.clone(), request.clone(), error.clone()];
            Box::pin(async move {
                let (access_key_id, cloud_request, error) = (key.as_deref(), request.as_deref(), error.as_deref());
                let done = Completion { access_key_id, expires, cloud_request, error, ..Completion::default() };
                tx.complete_vend(&line, outcome, &done).await?;
                Ok(((), event))
            })
        })
        .await
}
