//! Two persons. While `approval.two_person` is on, some things need a second super admin: one proposes, another one agrees, and nobody agrees to
//! what they proposed themselves. The change is made in the transaction of the agreement, so what was agreed to is what is done.
//!
//! A role of risk `high` is handed out by the consent of a super admin to whoever holds it, for a limited time. Without two-person approval such
//! roles are not handed out at all.

use std::time::Duration;

use super::model::{ProposalId, RoleId, UserId};
use crate::types::Timestamp;

/// How long a proposal waits for an answer.
pub const OPEN_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long a consent lasts at the most.
pub const LONGEST_CONSENT: Duration = Duration::from_secs(8 * 3600);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)+) => {
        /// What needs a second person.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $name),+
        }

        impl Kind {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As it is stored.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word),+
                }
            }

            /// Reads the word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.word() == word)
            }
        }
    };
}

kinds! {
    /// A vend of a role of risk `high`.
    Vend = "vend";
    /// Who owns the root: who is a super admin.
    RootOwners = "root_owners";
    /// A preset role is changed or deleted.
    Preset = "preset";
    /// A horizontal role of the root is made, changed or deleted.
    RootHorizontal = "root_horizontal";
    /// A signing key is made, moved on or retired.
    SigningKey = "signing_key";
}

/// How far a proposal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for an answer.
    Open,
    /// Somebody else agreed.
    Agreed,
    /// Somebody declined.
    Declined,
    /// Whoever proposed it took it back.
    Withdrawn,
    /// Nobody answered in time.
    Expired,
}

impl State {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Agreed => "agreed",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Open, Self::Agreed, Self::Declined, Self::Withdrawn, Self::Expired].into_iter().find(|state| state.word() == word)
    }
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Which.
    pub id: ProposalId,
    /// What for.
    pub kind: Kind,
    /// To what.
    pub subject: String,
    /// What exactly, as JSON text: the agreement is to this and to nothing else.
    pub params: String,
    /// By whom.
    pub by: UserId,
    /// Who answered.
    pub decided_by: Option<UserId>,
    /// How far it is.
    pub state: State,
    /// Since when.
    pub created: Timestamp,
    /// Until when it can be answered.
    pub expires: Timestamp,
    /// When it was answered.
    pub decided: Option<Timestamp>,
}

/// Why a proposal is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It is one's own.
    #[error("nobody agrees to a proposal of their own")]
    Own,
    /// Only super admins answer.
    #[error("only a super admin answers a proposal")]
    NotSuper,
    /// It was answered, or nobody answered in time.
    #[error("the proposal is not open any more")]
    Closed,
    /// Only whoever proposed it takes it back.
    #[error("only whoever made a proposal takes it back")]
    NotYours,
}

/// What a consent is about: one person and one role.
pub fn vend_subject(user: &UserId, role: &RoleId) -> String {
    format!("{user}/{role}")
}

/// What is agreed to with a consent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// For how many seconds from the agreement on.
    pub seconds: u64,
    /// Why.
    pub reason: String,
}

impl Consent {
    /// Until when keys may be handed out, and last at the most.
    pub fn ends(&self, agreed: Timestamp) -> Timestamp {
        agreed.after(Duration::from_secs(self.seconds).min(LONGEST_CONSENT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        assert!(Kind::ALL.iter().all(|kind| Kind::from_word(kind.word()) == Some(*kind)));
        for state in [State::Open, State::Agreed, State::Declined, State::Withdrawn, State::Expired] {
            assert_eq!(State::from_word(state.word()), Some(state));
        }
    }

    #[test]
    fn a_consent_ends_however_long_was_asked_for() {
        let agreed = Timestamp::from_unix(1_800_000_000).unwrap();
        let of = |seconds| Consent { seconds, reason: String::new() }.ends(agreed).since(agreed).as_secs();
        assert_eq!((of(900), of(8 * 3600), of(8 * 3600 + 1), of(u64::MAX)), (900, 28_800, 28_800, 28_800));
    }
}
