//! Proposals that wait for a second person, and what they said.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, StoreError, Tx};
use crate::tvm::approval::{Consent, Kind, OPEN_FOR, Proposal, State, Unanswered, vend_subject};
use crate::tvm::model::{ProposalId, RoleId, UserId};
use crate::types::Timestamp;

declare! {
    INSERT("tttttii") = "INSERT INTO proposal (id, kind, subject, params, proposed_by, status, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, 'open', $6, $7)";
    BY_ID("t") = "SELECT id, kind, subject, params, proposed_by, decided_by, status, created_at, expires_at, decided_at FROM proposal WHERE id = $1";
    LIST("tti") = "SELECT id, kind, subject, params, proposed_by, decided_by, status, created_at, expires_at, decided_at FROM proposal
        WHERE status = $1 AND id > $2 ORDER BY id LIMIT $3";
    CLOSE("ttti") = "UPDATE proposal SET status = $2, decided_by = $3, decided_at = $4 WHERE id = $1 AND status = 'open' AND expires_at > $4";
    EXPIRE("i") = "UPDATE proposal SET status = 'expired' WHERE status = 'open' AND created_at <= $1";
    CONSENT("t") = "SELECT params, decided_at FROM proposal WHERE subject = $1 AND kind = 'vend' AND status = 'agreed' ORDER BY decided_at DESC LIMIT 1";
    IS_SUPER("t") = "SELECT 1 AS yes FROM node n JOIN node_owner o ON o.node_id = n.id WHERE n.is_root = 1 AND o.user_id = $1";
}

/// Something that is about to be proposed.
#[derive(Debug, Clone, Copy)]
pub struct NewProposal<'p> {
    /// What for.
    pub kind: Kind,
    /// To what.
    pub subject: &'p str,
    /// What exactly.
    pub params: &'p serde_json::Value,
    /// By whom.
    pub by: &'p UserId,
}

fn read(row: &AnyRow) -> Result<Proposal> {
    Ok(Proposal {
        id: row.word("id", ProposalId::parse)?,
        kind: row.word("kind", Kind::from_word)?,
        subject: row.text("subject")?,
        params: row.text("params")?,
        by: row.word("proposed_by", UserId::parse)?,
        decided_by: row.maybe_word("decided_by", UserId::parse)?,
        state: row.word("status", State::from_word)?,
        created: row.time("created_at")?,
        expires: row.time("expires_at")?,
        decided: row.maybe_time("decided_at")?,
    })
}

/// A proposal.
///
/// # Errors
/// There is none.
pub async fn by_id(conn: &mut Conn, id: &ProposalId) -> Result<Proposal> {
    let row = BY_ID.ask().bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(read).unwrap_or(Err(StoreError::NotFound("proposal")))
}

/// Some proposals in a state, oldest first; `after` is the identity of the last one of the page before. One that nobody answered in time may still
/// say that it is open: its end says otherwise.
///
/// # Errors
/// The database.
pub async fn list(conn: &mut Conn, state: State, after: &str, limit: u32) -> Result<Vec<Proposal>> {
    let rows = LIST.ask().bind(state.word()).bind(after).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// Until when somebody may have a role of risk `high`; nothing without a consent that still counts.
///
/// # Errors
/// The database.
pub async fn consent(conn: &mut Conn, user: &UserId, role: &RoleId, now: Timestamp) -> Result<Option<Timestamp>> {
    let Some(row) = CONSENT.ask().bind(vend_subject(user, role)).fetch_optional(conn).await? else { return Ok(None) };
    let consent: Consent = row.word("params", |text| serde_json::from_str(text).ok())?;
    Ok(Some(consent.ends(row.time("decided_at")?)).filter(|ends| *ends > now))
}

pub(super) async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    Ok(EXPIRE.ask().bind(now.before(OPEN_FOR).unix_millis()).execute(conn).await?.rows_affected())
}

impl Tx<'_> {
    /// Proposes something.
    ///
    /// # Errors
    /// Whoever proposes it is barred.
    pub async fn propose(&mut self, new: &NewProposal<'_>) -> Result<ProposalId> {
        self.hold_user(new.by, true).await?;
        let id = ProposalId::new(self.now());
        let ask = INSERT.ask().bind(id.as_str()).bind(new.kind.word()).bind(new.subject).bind(new.params.to_string());
        let ask = ask.bind(new.by.as_str()).bind(self.now().unix_millis()).bind(self.now().after(OPEN_FOR).unix_millis());
        ask.execute(&mut **self).await?;
        Ok(id)
    }

    /// Answers a proposal. What was agreed to comes back, to be done before the commit.
    ///
    /// # Errors
    /// [`Unanswered`]: it is one's own, or not open, or whoever answers is not a super admin.
    pub async fn answer_proposal(&mut self, id: &ProposalId, by: &UserId, agrees: bool) -> Result<Proposal> {
        self.hold_user(by, true).await?;
        let proposal = by_id(self, id).await?;
        if proposal.by == *by {
            return Err(Unanswered::Own.into());
        }
        if IS_SUPER.ask().bind(by.as_str()).fetch_optional(&mut **self).await?.is_none() {
            return Err(Unanswered::NotSuper.into());
        }
        let state = if agrees { State::Agreed } else { State::Declined };
        self.close_proposal(id, state, by).await?;
        by_id(self, id).await
    }

    /// Takes a proposal of one's own back.
    ///
    /// # Errors
    /// [`Unanswered`]: it is somebody else's, or not open.
    pub async fn withdraw_proposal(&mut self, id: &ProposalId, by: &UserId) -> Result<()> {
        if by_id(self, id).await?.by != *by {
            return Err(Unanswered::NotYours.into());
        }
        self.close_proposal(id, State::Withdrawn, by).await
    }

    async fn close_proposal(&mut self, id: &ProposalId, state: State, by: &UserId) -> Result<()> {
        let ask = CLOSE.ask().bind(id.as_str()).bind(state.word()).bind(by.as_str()).bind(self.now().unix_millis());
        match ask.execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(Unanswered::Closed.into()),
        }
    }
}
