//! How far the trail was told outside, its checkpoints, and what of it is let go when its time is over.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, Store, StoreError, audit};
use crate::saml::Signer;
use crate::tvm::audit::checkpoint::{Checkpoint, DAY_MS, FLOOR_DAYS, Statement, is_due};
use crate::tvm::audit::{AuthKind, Event, Head, Row};
use crate::tvm::model::{ChainId, KeyId};
use crate::types::Timestamp;

declare! {
    POSITION("tt") = "SELECT seq, checkpoint FROM audit_told WHERE place = $1 AND chain = $2";
    SET("ttiii") = "INSERT INTO audit_told (place, chain, seq, checkpoint, told_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (place, chain) DO UPDATE SET seq = excluded.seq, checkpoint = excluded.checkpoint, told_at = excluded.told_at
        WHERE audit_told.seq <= excluded.seq AND audit_told.checkpoint <= excluded.checkpoint";
    LAG("tt") = "SELECT c.seq - COALESCE((SELECT t.seq FROM audit_told t WHERE t.place = $1 AND t.chain = c.chain), 0) AS lag FROM audit_chain c WHERE c.chain = $2";
    CHECKPOINTS("tii") = "SELECT chain, seq, hash, ts, cut, key_id, signature FROM audit_checkpoint WHERE chain = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    LAST("t") = "SELECT chain, seq, hash, ts, cut, key_id, signature FROM audit_checkpoint WHERE chain = $1 ORDER BY seq DESC LIMIT 1";
    LAST_CUT("ti") = "SELECT chain, seq, hash, ts, cut, key_id, signature FROM audit_checkpoint WHERE chain = $1 AND seq < $2 AND cut IS NOT NULL
        ORDER BY seq DESC LIMIT 1";
    INSERT("titiitt") = "INSERT INTO audit_checkpoint (chain, seq, hash, ts, cut, key_id, signature) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (chain, seq) DO UPDATE SET ts = excluded.ts, cut = excluded.cut, key_id = excluded.key_id, signature = excluded.signature";
}

/// Chains, a row a start of a process. Not asked for by requests.
const BEHIND: &str = "SELECT c.chain FROM audit_chain c LEFT JOIN audit_told t ON t.place = $1 AND t.chain = c.chain
    WHERE c.chain <> $2 AND c.seq > COALESCE(t.seq, 0) AND COALESCE(t.told_at, 0) < $3
    AND NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.chain = c.chain AND e.seq = c.seq AND e.ts >= $3) ORDER BY c.chain";
/// The first event that stays.
const FIRST_KEPT: &str = "SELECT seq FROM audit_event WHERE chain = $1 AND ts >= $2 ORDER BY seq LIMIT 1";
/// The last one that goes, and when the newest of those that go happened.
const LAST_GONE: &str = "SELECT MAX(seq) AS seq, MAX(ts) AS newest FROM audit_event WHERE chain = $1 AND seq < $2";
const DROP_EVENTS: &str = "DELETE FROM audit_event WHERE chain = $1 AND seq <= $2";
const DROP_LINES: &str = "DELETE FROM vend_record WHERE ts < $1 AND outcome <> 'pending'";

/// How far a place was told of a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// The last event.
    pub events: i64,
    /// The event of the last checkpoint.
    pub checkpoints: i64,
}

/// How far a place was told of a chain.
///
/// # Errors
/// The database.
pub async fn position(conn: &mut Conn, place: &str, chain: &str) -> Result<Position> {
    let row = POSITION.ask().bind(place).bind(chain).fetch_optional(conn).await?;
    let read = |row: &AnyRow| Ok(Position { events: row.number("seq")?, checkpoints: row.number("checkpoint")? });
    row.as_ref().map_or(Ok(Position::default()), read)
}

/// Chains of other processes that have more than a place was told, and of which nothing was written or told since `before`.
///
/// # Errors
/// The database.
pub async fn orphans(conn: &mut Conn, place: &str, own: &ChainId, before: Timestamp) -> Result<Vec<String>> {
    let rows = sqlx::query(BEHIND).bind(place).bind(own.as_str()).bind(before.unix_millis()).fetch_all(conn).await?;
    rows.iter().map(|row| row.text("chain")).collect()
}

/// Some events of a chain, in their order, after a place in it.
///
/// # Errors
/// The database.
pub async fn events(conn: &mut Conn, chain: &str, after: i64, limit: u32) -> Result<Vec<Row>> {
    audit::events(conn, chain, after, i64::from(limit)).await
}

fn read(row: &AnyRow) -> Result<Checkpoint> {
    let head = Head { chain: row.text("chain")?, seq: row.number("seq")?, hash: row.text("hash")? };
    let statement = Statement { head, ts: row.number("ts")?, cut: row.maybe_number("cut")? };
    Ok(Checkpoint { statement, key: row.text("key_id")?, signature: row.text("signature")? })
}

/// Some checkpoints of a chain, in their order, after a place in it.
///
/// # Errors
/// The database.
pub async fn checkpoints_after(conn: &mut Conn, chain: &str, after: i64, limit: u32) -> Result<Vec<Checkpoint>> {
    let rows = CHECKPOINTS.ask().bind(chain).bind(after).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// The last cut of a chain before a place in it. Asked for before the first event that is left, it is found at once: it is just there.
///
/// # Errors
/// The database.
pub(super) async fn last_cut(conn: &mut Conn, chain: &str, before: i64) -> Result<Option<Checkpoint>> {
    LAST_CUT.ask().bind(chain).bind(before).fetch_optional(conn).await?.as_ref().map(read).transpose()
}

async fn keep(conn: &mut Conn, one: &Checkpoint) -> Result<()> {
    let Checkpoint { statement: Statement { head, ts, cut }, key, signature } = one;
    let ask = INSERT.ask().bind(&head.chain).bind(head.seq).bind(&head.hash).bind(*ts).bind(*cut).bind(key).bind(signature);
    ask.execute(conn).await?;
    Ok(())
}

/// What became of letting events go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gone {
    /// How many chains were cut.
    pub chains: u64,
    /// How many events went.
    pub events: u64,
    /// How many lines of the ledger.
    pub lines: u64,
}

impl Store {
    /// Writes down how far a place was told; never less far than before.
    ///
    /// # Errors
    /// The database.
    pub async fn set_told(&self, place: &str, chain: &str, position: Position, now: Timestamp) -> Result<()> {
        let (place, chain) = (place.to_owned(), chain.to_owned());
        self.piece(now, move |tx| {
            let (place, chain) = (place.clone(), chain.clone());
            Box::pin(async move {
                let ask = SET.ask().bind(place).bind(chain).bind(position.events).bind(position.checkpoints);
                ask.bind(now.unix_millis()).execute(&mut **tx).await?;
                Ok(((), None))
            })
        })
        .await
    }

    /// How many events of this process a place was not told yet.
    ///
    /// # Errors
    /// The database.
    pub async fn lag(&self, place: &str) -> Result<i64> {
        let row = LAG.ask().bind(place).bind(self.chain().as_str()).fetch_optional(&mut *self.read().await?).await?;
        row.as_ref().map_or(Ok(0), |row| row.number("lag"))
    }

    /// Signs where the chain of this process is, if that is due.
    ///
    /// # Errors
    /// The database, or there is no signature.
    pub async fn checkpoint(&self, key: &KeyId, signer: &dyn Signer, now: Timestamp) -> Result<Option<Checkpoint>> {
        let mut conn = self.read().await?;
        let Some(head) = audit::head(&mut conn, self.chain().as_str()).await? else { return Ok(None) };
        let last = LAST.ask().bind(self.chain().as_str()).fetch_optional(&mut *conn).await?;
        drop(conn);
        let last = last.map(|row| Ok::<_, StoreError>((row.number("seq")?, row.time("ts")?))).transpose()?;
        if !is_due(last, head.seq, now) {
            return Ok(None);
        }
        let statement = Statement { head, ts: now.unix_millis(), cut: None };
        let signed = statement.sign(key.as_str(), signer).await.map_err(StoreError::Unsigned)?;
        let kept = signed.clone();
        self.piece(now, move |tx| {
            let kept = kept.clone();
            Box::pin(async move { Ok((keep(tx, &kept).await?, None)) })
        })
        .await?;
        Ok(Some(signed))
    }

    /// Lets go of events and lines of the ledger that are older than `days`, never younger than the floor. Where a chain is cut a signed statement
    /// takes the place of what went, so what is left can still be walked.
    ///
    /// # Errors
    /// The database, or there is no signature.
    pub async fn let_go(&self, days: u32, key: &KeyId, signer: &dyn Signer, now: Timestamp) -> Result<Gone> {
        let before = now.unix_millis() - i64::from(days.max(FLOOR_DAYS)) * DAY_MS;
        let mut gone = Gone::default();
        for chain in audit::chains(&mut *self.read().await?).await? {
            let mut conn = self.read().await?;
            let first = sqlx::query(FIRST_KEPT).bind(&chain.chain).bind(before).fetch_optional(&mut *conn).await?;
            let first = first.map_or(Ok(i64::MAX), |row| row.number("seq"))?;
            let last = sqlx::query(LAST_GONE).bind(&chain.chain).bind(first).fetch_one(&mut *conn).await?;
            let (Some(seq), Some(newest)) = (last.maybe_number("seq")?, last.maybe_number("newest")?) else { continue };
            let rows = audit::events(&mut conn, &chain.chain, seq - 1, 1).await?;
            drop(conn);
            let Some(row) = rows.into_iter().next() else { continue };
            let head = Head { chain: row.chain, seq: row.seq, hash: row.hash };
            let statement = Statement { head, ts: now.unix_millis(), cut: Some(newest) };
            let signed = statement.sign(key.as_str(), signer).await.map_err(StoreError::Unsigned)?;
            let mut tx = self.begin(now).await?;
            keep(&mut tx, &signed).await?;
            let events = sqlx::query(DROP_EVENTS).bind(&chain.chain).bind(seq).execute(&mut *tx).await?.rows_affected();
            let params = serde_json::json!({"chain": chain.chain, "seq": seq, "events": events, "days": days.max(FLOOR_DAYS)});
            tx.commit(&Event::by(AuthKind::System, "audit.cut", params)).await?;
            (gone.chains, gone.events) = (gone.chains + 1, gone.events + events);
        }
        let mut tx = self.begin(now).await?;
        gone.lines = sqlx::query(DROP_LINES).bind(before).execute(&mut *tx).await?.rows_affected();
        if gone.lines > 0 {
            let params = serde_json::json!({"lines": gone.lines, "days": days.max(FLOOR_DAYS)});
            tx.commit(&Event::by(AuthKind::System, "ledger.cut", params)).await?;
        }
        Ok(gone)
    }
}
