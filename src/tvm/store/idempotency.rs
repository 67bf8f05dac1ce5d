//! A request that is sent twice is done once (`Idempotency-Key`). The key, the change and the answer are one transaction, so there is no key
//! without its change; who sends the same at the same time waits for the first and gets its answer.

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, Tx};
use crate::tvm::model::{Digest, UserId};
use crate::types::Timestamp;

declare! {
    INSERT("ttttii") = "INSERT INTO idempotency (user_id, idem_key, route, request_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (user_id, idem_key) DO NOTHING";
    BY_KEY("tt") = "SELECT route, request_hash, status, answer, expires_at FROM idempotency WHERE user_id = $1 AND idem_key = $2";
    DROP("tt") = "DELETE FROM idempotency WHERE user_id = $1 AND idem_key = $2";
    ANSWER("ttit") = "UPDATE idempotency SET status = $3, answer = $4 WHERE user_id = $1 AND idem_key = $2";
    PAST("i") = "DELETE FROM idempotency WHERE expires_at <= $1";
}

/// A request with a key.
#[derive(Debug, Clone, Copy)]
pub struct Keyed<'k> {
    /// Who sends it.
    pub user: &'k UserId,
    /// The key.
    pub key: &'k str,
    /// The route.
    pub route: &'k str,
    /// The digest of what was sent.
    pub request: &'k Digest,
    /// Until when the answer is kept.
    pub expires: Timestamp,
}

/// What was sent by this key before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing: go on, and [`Tx::answered`] before the commit.
    Nothing,
    /// The same, with this answer: send it again, change nothing.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// Something else.
    Another,
}

pub(super) async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    Ok(PAST.ask().bind(now.unix_millis()).execute(conn).await?.rows_affected())
}

impl Tx<'_> {
    /// Claims a key, at the beginning of the change. Answers with secrets in them have no business here: they would be kept.
    ///
    /// # Errors
    /// The database.
    pub async fn claim(&mut self, keyed: &Keyed<'_>) -> Result<Before> {
        for _ in 0..2 {
            let ask = INSERT.ask().bind(keyed.user.as_str()).bind(keyed.key).bind(keyed.route).bind(keyed.request.as_str());
            let ask = ask.bind(self.now().unix_millis()).bind(keyed.expires.unix_millis());
            if ask.execute(&mut **self).await?.rows_affected() == 1 {
                return Ok(Before::Nothing);
            }
            let ask = BY_KEY.ask().bind(keyed.user.as_str()).bind(keyed.key);
            let Some(row) = ask.fetch_optional(&mut **self).await? else { continue };
            if row.time("expires_at")? > self.now() {
                if row.text("route")? != keyed.route || row.text("request_hash")? != keyed.request.as_str() {
                    return Ok(Before::Another);
                }
                let status = row.maybe_number("status")?.and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
                return Ok(Before::Answered { status, body: row.maybe_text("answer")?.unwrap_or_default() });
            }
            DROP.ask().bind(keyed.user.as_str()).bind(keyed.key).execute(&mut **self).await?;
        }
        Err(super::StoreError::Busy)
    }

    /// Keeps the answer for whoever sends the same again.
    ///
    /// # Errors
    /// The database.
    pub async fn answered(&mut self, keyed: &Keyed<'_>, status: u16, body: &str) -> Result<()> {
        let ask = ANSWER.ask().bind(keyed.user.as_str()).bind(keyed.key).bind(i64::from(status)).bind(body);
        ask.execute(&mut **self).await?;
        Ok(())
    }
}
