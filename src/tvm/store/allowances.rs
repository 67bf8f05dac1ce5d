//! What may be taken only so often, counted for all processes of the service together. One number each says when all that was taken will have come
//! back (the generic cell rate algorithm), so a statement both asks and takes, and nothing is counted twice or not at all.

use std::time::Duration;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Dialect, Result, Store};
use crate::types::Timestamp;

declare! {
    TAKE("tiiii") = "INSERT INTO allowance (name, full_at) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET full_at = CASE WHEN allowance.full_at < $3 THEN $2 ELSE allowance.full_at + $4 END WHERE allowance.full_at <= $5";
    GIVE_BACK("ti") = "UPDATE allowance SET full_at = full_at - $2 WHERE name = $1";
    BY_NAME("t") = "SELECT full_at FROM allowance WHERE name = $1";
    PAST("i") = "DELETE FROM allowance WHERE full_at <= $1";
}

/// Something that comes back with the time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allowance {
    /// Of what, and whose.
    pub name: String,
    /// In how many microseconds one comes back.
    pub every: i64,
    /// How many may be taken at once.
    pub burst: i64,
}

impl Allowance {
    /// How far ahead the time of all having come back may be, in microseconds.
    pub fn ahead(&self) -> i64 {
        self.every.saturating_mul(self.burst)
    }
}

fn micros(now: Timestamp) -> i64 {
    now.unix_millis().saturating_mul(1000)
}

/// Takes one of each, or none of any; how long to wait for the first that is not there.
async fn take(conn: &mut Conn, wanted: &[Allowance], now: i64) -> Result<Option<Duration>> {
    for (at, one) in wanted.iter().enumerate() {
        let latest = now.saturating_add(one.ahead() - one.every);
        let ask = TAKE.ask().bind(one.name.as_str()).bind(now.saturating_add(one.every)).bind(now).bind(one.every).bind(latest);
        if ask.execute(&mut *conn).await?.rows_affected() == 0 {
            let row = BY_NAME.ask().bind(one.name.as_str()).fetch_optional(&mut *conn).await?;
            for taken in &wanted[..at] {
                GIVE_BACK.ask().bind(taken.name.as_str()).bind(taken.every).execute(&mut *conn).await?;
            }
            let full = row.map(|row| row.number("full_at")).transpose()?.unwrap_or(latest);
            return Ok(Some(Duration::from_micros(u64::try_from(full.saturating_sub(latest)).unwrap_or_default())));
        }
    }
    Ok(None)
}

pub(super) async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    Ok(PAST.ask().bind(micros(now)).execute(conn).await?.rows_affected())
}

impl Store {
    /// Takes one of each, or says how long to wait and takes none.
    ///
    /// # Errors
    /// The database.
    pub async fn take(&self, wanted: &[Allowance], now: Timestamp) -> Result<Option<Duration>> {
        // Whoever takes several takes them in the same order, so that nobody waits for who waits for them.
        let mut wanted = wanted.to_vec();
        wanted.sort();
        let at = micros(now);
        match self.dialect() {
            // One writer at a time anyhow: the wait for the disk is shared with others.
            Dialect::Sqlite => {
                self.piece(now, move |tx| {
                    let wanted = wanted.clone();
                    Box::pin(async move { Ok((take(tx, &wanted, at).await?, None)) })
                })
                .await
            }
            // Rows are held until the end of the transaction, so it is a short one of its own.
            Dialect::Postgres => {
                let mut tx = self.begin(now).await?;
                let wait = take(&mut tx, &wanted, at).await?;
                tx.keep().await?;
                Ok(wait)
            }
        }
    }

    /// Gives one of something back that was taken and not needed.
    ///
    /// # Errors
    /// The database.
    pub async fn give_back(&self, taken: &Allowance, now: Timestamp) -> Result<()> {
        let taken = taken.clone();
        self.piece(now, move |tx| {
            let taken = taken.clone();
            Box::pin(async move {
                GIVE_BACK.ask().bind(taken.name.as_str()).bind(taken.every).execute(&mut **tx).await?;
                Ok(((), None))
            })
        })
        .await
    }
}
