//! The vend ledger: a line before anything is handed out, completed after.

use sqlx::any::AnyRow;

use super::access::{Grant, Terms};
use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, StoreError, Tx};
use crate::tvm::ledger::{Outcome, session_name};
use crate::tvm::model::{RoleId, UserId, VendId, VendMethod};
use crate::types::{SessionDuration, Timestamp};

declare! {
    BY_ID("t") = "SELECT id, ts, user_id, gid, role_arn, lifetime_s, session_name, outcome, access_key_id, expires_at FROM vend_record WHERE id = $1";
    BY_USER("tii") = "SELECT id, ts, user_id, gid, role_arn, lifetime_s, session_name, outcome, access_key_id, expires_at FROM vend_record
        WHERE user_id = $1 AND ts < $2 ORDER BY ts DESC LIMIT $3";
    BY_KEY("t") = "SELECT id, ts, user_id, gid, role_arn, lifetime_s, session_name, outcome, access_key_id, expires_at FROM vend_record WHERE access_key_id = $1";
    PENDING("ii") = "SELECT id, ts, user_id, gid, role_arn, lifetime_s, session_name, outcome, access_key_id, expires_at FROM vend_record
        WHERE outcome = 'pending' AND ts < $1 ORDER BY ts LIMIT $2";
    INSERT("titttttttittttt") = "INSERT INTO vend_record (id, ts, user_id, gid, role_id, role_arn, node_id, method, channel, lifetime_s, session_name, grant_via,
        request_id, source_ip, outcome) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    COMPLETE("ttittt") = "UPDATE vend_record SET outcome = $2, access_key_id = $4, expires_at = $3, cloud_request_id = $5, error_code = $6
        WHERE id = $1 AND outcome = 'pending'";
    CLEAR_UP("ttittt") = "UPDATE vend_record SET outcome = $2, access_key_id = $4, expires_at = $3, cloud_request_id = $5, error_code = $6
        WHERE id = $1 AND outcome IN ('pending', 'unknown')";
}

/// How somebody asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// For the cloud's console.
    Console,
    /// For keys, on a page.
    Web,
    /// For keys, by the command line.
    Cli,
    /// The service itself, for its own reads and writes.
    System,
}

impl Channel {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Web => "web",
            Self::Cli => "cli",
            Self::System => "system",
        }
    }
}

/// A vend that is about to be made.
#[derive(Debug, Clone)]
pub struct NewVend<'v> {
    /// For whom.
    pub user: &'v UserId,
    /// Which role.
    pub role: &'v RoleId,
    /// What it is handed out by.
    pub terms: &'v Terms,
    /// Why they may.
    pub grants: &'v [Grant],
    /// What the service itself does with it; then nobody needs to have granted anything.
    pub errand: Option<&'static str>,
    /// How they asked.
    pub channel: Channel,
    /// For how long.
    pub lifetime: SessionDuration,
    /// The request.
    pub request: Option<&'v str>,
    /// From where.
    pub source_ip: Option<&'v str>,
}

/// What came of it, never with anything secret.
#[derive(Debug, Clone, Default)]
pub struct Completion<'v> {
    /// The identity of the access key.
    pub access_key_id: Option<&'v str>,
    /// When the keys end.
    pub expires: Option<Timestamp>,
    /// The cloud's number for its answer.
    pub cloud_request: Option<&'v str>,
    /// The cloud's word for what went wrong.
    pub error: Option<&'v str>,
    /// The assertion that was handed out in place of keys, as the cloud's trail names it. It stands in the event, not in the line.
    pub assertion: Option<&'v str>,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub id: VendId,
    /// When, in milliseconds since 1970.
    pub ts: i64,
    /// For whom.
    pub user: UserId,
    /// Who that was at the identity provider.
    pub gid: String,
    /// Which role.
    pub role_arn: String,
    /// For how many seconds.
    pub lifetime: i64,
    /// The session's label in the cloud's logs.
    pub session_name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The identity of the access key.
    pub access_key_id: Option<String>,
    /// When the keys end.
    pub expires: Option<Timestamp>,
}

fn read(row: &AnyRow) -> Result<Line> {
    Ok(Line {
        id: row.word("id", VendId::parse)?,
        ts: row.number("ts")?,
        user: row.word("user_id", UserId::parse)?,
        gid: row.text("gid")?,
        role_arn: row.text("role_arn")?,
        lifetime: row.number("lifetime_s")?,
        session_name: row.text("session_name")?,
        outcome: row.word("outcome", Outcome::from_word)?,
        access_key_id: row.maybe_text("access_key_id")?,
        expires: row.maybe_time("expires_at")?,
    })
}

/// A line.
///
/// # Errors
/// There is none.
pub async fn by_id(conn: &mut Conn, id: &VendId) -> Result<Line> {
    let row = BY_ID.ask().bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(read).unwrap_or(Err(StoreError::NotFound("line of the ledger")))
}

/// Some of a person's lines, newest first, before a moment.
///
/// # Errors
/// The database.
pub async fn by_user(conn: &mut Conn, user: &UserId, before: i64, limit: u32) -> Result<Vec<Line>> {
    let rows = BY_USER.ask().bind(user.as_str()).bind(before).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// The line that an access key was handed out by: one that the cloud knows and the ledger does not was forged.
///
/// # Errors
/// The database.
pub async fn by_key(conn: &mut Conn, access_key_id: &str) -> Result<Option<Line>> {
    BY_KEY.ask().bind(access_key_id).fetch_optional(conn).await?.as_ref().map(read).transpose()
}

/// Lines that were begun before a moment and never completed, oldest first.
///
/// # Errors
/// The database.
pub async fn pending(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<Vec<Line>> {
    let rows = PENDING.ask().bind(before.unix_millis()).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

impl Tx<'_> {
    /// Begins a line. Nothing is handed out before this is on the disk.
    ///
    /// # Errors
    /// The role is not one that is handed out, or nobody granted it.
    pub async fn open_vend(&mut self, vend: &NewVend<'_>) -> Result<VendId> {
        let terms = vend.terms;
        let granted = !vend.grants.is_empty() || (vend.errand.is_some() && vend.channel == Channel::System);
        if !granted || terms.method == VendMethod::None {
            return Err(StoreError::NotFound("grant"));
        }
        let via: Vec<serde_json::Value> = vend
            .grants
            .iter()
            .map(|grant| {
                let horizontal = grant.horizontal.as_ref().map(|id| id.as_str());
                serde_json::json!({"group": grant.group.as_str(), "horizontal": horizontal})
            })
            .collect();
        let via: Vec<serde_json::Value> =
            via.into_iter().chain(vend.errand.map(|word| serde_json::json!({"errand": word}))).collect();
        let label = vend.errand.map_or_else(|| session_name(&terms.gid), str::to_owned);
        let id = VendId::new(self.now());
        let ask = INSERT.ask().bind(id.as_str()).bind(self.now().unix_millis()).bind(vend.user.as_str()).bind(terms.gid.as_str());
        let ask = ask.bind(vend.role.as_str()).bind(terms.arn.as_str()).bind(terms.node.as_str()).bind(terms.method.word());
        let ask = ask.bind(vend.channel.word()).bind(i64::from(vend.lifetime.seconds())).bind(label);
        let ask = ask.bind(serde_json::Value::Array(via).to_string()).bind(vend.request).bind(vend.source_ip);
        ask.bind(Outcome::Pending.word()).execute(&mut **self).await?;
        Ok(id)
    }

    /// Completes a line, as [`Outcome::may_become`] has it.
    ///
    /// # Errors
    /// It is complete, or there is none.
    pub async fn complete_vend(&mut self, id: &VendId, outcome: Outcome, done: &Completion<'_>) -> Result<()> {
        let ask = match outcome {
            Outcome::Pending => return Err(StoreError::Complete),
            // Only what nobody has said anything about becomes unknown; what is unknown may be cleared up.
            Outcome::Unknown => COMPLETE.ask().bind(id.as_str()).bind(outcome.word()),
            Outcome::Issued | Outcome::Refused | Outcome::Failed => CLEAR_UP.ask().bind(id.as_str()).bind(outcome.word()),
        };
        let ask = ask.bind(done.expires.map(Timestamp::unix_millis)).bind(done.access_key_id).bind(done.cloud_request);
        let ask = ask.bind(done.error);
        match ask.execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::Complete),
        }
    }
}
