//! The vend ledger: a line is written before anything is handed out and completed after. Nothing secret is ever in it.

use std::time::Duration;

use crate::types::{BadDuration, SessionDuration, Timestamp};

/// What has become of a vend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was allowed and is being made. One that stays so was interrupted: keys may exist.
    Pending,
    /// Keys were handed out, or an assertion: for a console session, or for a command line that fetches the keys itself. Whose key came of an
    /// assertion is not known here.
    Issued,
    /// The cloud said no.
    Refused,
    /// It failed on the way; the cloud gave nothing.
    Failed,
    /// Nobody can say whether the cloud gave anything.
    Unknown,
}

impl Outcome {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Issued, Self::Refused, Self::Failed, Self::Unknown];

    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Issued => "issued",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }

    /// Whether `next` may follow. A pending line is completed once; one that nobody could say anything about may be cleared up later.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => next != Self::Pending,
            Self::Unknown => matches!(next, Self::Issued | Self::Refused | Self::Failed),
            Self::Issued | Self::Refused | Self::Failed => false,
        }
    }
}

/// Why no session can be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the grant ends in {} s, and no cloud gives a session of less than 900 s", .0.as_secs())]
pub struct TooShort(Duration);

/// How long a session lasts: what was asked for, but no longer than the role, the node and the membership allow.
///
/// # Errors
/// [`TooShort`] when the membership ends too soon.
pub fn lifetime(
    asked: SessionDuration,
    role: Option<SessionDuration>,
    node: Option<SessionDuration>,
    ends: Option<Timestamp>,
    now: Timestamp,
) -> Result<SessionDuration, TooShort> {
    let capped = [role, node].into_iter().flatten().fold(asked, Ord::min);
    let Some(ends) = ends else { return Ok(capped) };
    let left = ends.since(now);
    let whole = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).min(capped.seconds());
    SessionDuration::try_from(whole).map_err(|_: BadDuration| TooShort(left))
}

/// The label of a session in the cloud's own logs: the GID itself. Both clouds want two characters at least, so a GID of one is
/// drawn out by a full stop, which ends no other label: every longer GID is its own label.
pub fn session_name(gid: &super::model::Gid) -> String {
    let name = gid.as_str();
    if name.len() < 2 { format!("{name}.") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tvm::model::Gid;

    #[test]
    fn a_line_is_completed_once() {
        for from in Outcome::ALL {
            assert_eq!(Outcome::from_word(from.word()), Some(from));
            assert!(!from.may_become(Outcome::Pending), "{from:?}");
            for done in [Outcome::Issued, Outcome::Refused, Outcome::Failed] {
                assert_eq!(from.may_become(done), matches!(from, Outcome::Pending | Outcome::Unknown), "{from:?} {done:?}");
                assert!(!done.may_become(Outcome::Unknown));
            }
        }
    }

    #[test]
    fn the_shortest_limit_rules() {
        let now = Timestamp::from_unix(1_800_000_000).unwrap();
        let of = |seconds: u32| SessionDuration::try_from(seconds).unwrap();
        let in_seconds = |seconds: u64| Some(now.after(Duration::from_secs(seconds)));
        let seconds = |role, node, ends| lifetime(of(3600), role, node, ends, now).map(SessionDuration::seconds);
        assert_eq!(seconds(None, None, None), Ok(3600));
        assert_eq!(seconds(Some(of(1800)), Some(of(43200)), None), Ok(1800));
        assert_eq!(seconds(Some(of(7200)), Some(of(900)), in_seconds(3000)), Ok(900));
        assert_eq!(seconds(None, None, in_seconds(1000)), Ok(1000));
        assert_eq!(seconds(None, None, in_seconds(900)), Ok(900));
        assert_eq!(seconds(None, None, in_seconds(1_000_000_000_000)), Ok(3600));
        assert!(seconds(None, None, in_seconds(899)).is_err());
        assert!(seconds(None, None, Some(Timestamp::from_unix(1_000_000_000).unwrap())).is_err());
    }

    #[test]
    fn cloud_logs_lead_back_to_one_person() {
        let name = |gid: &str| session_name(&Gid::parse(gid).unwrap());
        assert_eq!((name("E-1234.x_y").as_str(), name("7").as_str()), ("E-1234.x_y", "7."));
        assert!(name(&"x".repeat(64)).len() <= 64);
    }
}
