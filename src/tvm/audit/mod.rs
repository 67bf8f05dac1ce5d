//! The audit trail: what was asked, by whom, with which parameters, and what came of it. Each event carries the digest of the one before
//! it, so a changed, removed or reordered row is found, and named.
//!
//! Every process has a chain of its own: two processes never wait for each other. The first event of a chain names the end of the chain
//! before it, so a chain cannot be cut short unseen either, but for the end of the newest.

mod chain;
pub mod checkpoint;
pub mod outside;
mod teller;

pub use self::chain::{Broken, Head, Row, Walk};
pub use self::teller::{TellError, Teller};
use super::model::{Path, UserId};

/// The type of the event that opens a chain.
pub const OPENED: &str = "audit.chain.opened";
/// What stands for a secret among the parameters: that there was one is told, what it was is not.
pub const MASKED: &str = "***";

/// How somebody was known to be who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthKind {
    /// By a session of the browser.
    Session,
    /// By a bearer.
    Bearer,
    /// By the shell of the machine that serves.
    Console,
    /// It was the service itself.
    System,
    /// Not at all.
    Nobody,
}

impl AuthKind {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Bearer => "bearer",
            Self::Console => "console",
            Self::System => "system",
            Self::Nobody => "nobody",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
    /// It failed.
    Failed,
}

impl Outcome {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// An event before it has its place in a chain.
#[derive(Debug, Clone)]
pub struct Event {
    /// What was done: `user.create`, `node.move`, `vend`.
    pub kind: &'static str,
    /// By whom, as the identity provider knows them.
    pub actor_gid: Option<String>,
    /// By whom, here.
    pub actor: Option<UserId>,
    /// How that was known.
    pub auth: AuthKind,
    /// From where.
    pub source_ip: Option<String>,
    /// With which parameters; a JSON object, secrets masked.
    pub params: serde_json::Value,
    /// To what: `user`, `node`, `role`, ….
    pub target_kind: Option<&'static str>,
    /// To which.
    pub target: Option<String>,
    /// At which node, for the owners who may read it.
    pub at: Option<Path>,
    /// What came of it.
    pub outcome: Outcome,
    /// The request that it belongs to.
    pub request: Option<String>,
}

impl Event {
    /// One of the service itself, or of whoever has its shell.
    pub fn by(auth: AuthKind, kind: &'static str, params: serde_json::Value) -> Self {
        Self {
            kind,
            actor_gid: None,
            actor: None,
            auth,
            source_ip: None,
            params,
            target_kind: None,
            target: None,
            at: None,
            outcome: Outcome::Done,
            request: None,
        }
    }

    /// What it was done to.
    #[must_use]
    pub fn on(mut self, kind: &'static str, id: &str, at: Option<&Path>) -> Self {
        self.target_kind = Some(kind);
        self.target = Some(id.to_owned());
        self.at = at.cloned();
        self
    }
}
