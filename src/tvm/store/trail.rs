//! Walking the audit trail piece by piece, for whoever asks over the network: a whole trail takes longer than an answer may.

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, StoreError, audit};
use crate::tvm::audit::{Broken, Head, Walk};

declare! {
    NEXT_CHAIN("t") = "SELECT chain, seq, hash FROM audit_chain WHERE chain > $1 ORDER BY chain LIMIT 1";
    PIECE("tii") = "SELECT * FROM audit_event WHERE chain = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
}

/// What was seen of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Which chain.
    pub chain: String,
    /// From which event.
    pub from: i64,
    /// How many events are as they were written, from there on.
    pub sound: i64,
    /// What is wrong after them.
    pub broken: Option<Broken>,
    /// Where to go on: a chain and an event of it. Nothing at the end of the trail, and where something is wrong.
    pub next: Option<(String, i64)>,
}

/// Walks a piece of a chain: the first one where none is named. The event before `from` is taken for what it says; begun at 1 and followed by
/// its [`Piece::next`] it is the whole trail. Nothing where there is no such chain.
///
/// # Errors
/// The database. What is wrong with the trail is no error here.
pub async fn piece(conn: &mut Conn, chain: Option<&str>, from: i64, limit: u32) -> Result<Option<Piece>> {
    let head = match chain {
        Some(chain) => audit::head(conn, chain).await?,
        None => next_chain(conn, "").await?,
    };
    let Some(head) = head else { return Ok(None) };
    let from = from.max(1);
    let mut walk = match audit_before(conn, &head.chain, from).await? {
        Some(before) => Walk::after(before),
        None if from == 1 => Walk::new(&head.chain),
        None => {
            let broken = Broken::Missing { chain: head.chain.clone(), seq: from - 1 };
            return Ok(Some(Piece { chain: head.chain, from, sound: 0, broken: Some(broken), next: None }));
        }
    };
    let rows = PIECE.ask().bind(&head.chain).bind(from).bind(i64::from(limit)).fetch_all(&mut *conn).await?;
    let mut broken = None;
    for row in &rows {
        if let Err(found) = walk.step(&audit::read(row)?) {
            broken = Some(found);
            break;
        }
    }
    let sound = walk.head().seq + 1 - from;
    let is_at_end = rows.len() < usize::try_from(limit).unwrap_or(usize::MAX);
    if broken.is_none() && is_at_end {
        broken = walk.reaches(&head).err();
    }
    let next = match (&broken, is_at_end) {
        (Some(_), _) => None,
        (None, false) => Some((head.chain.clone(), walk.head().seq + 1)),
        (None, true) => next_chain(conn, &head.chain).await?.map(|next| (next.chain, 1)),
    };
    Ok(Some(Piece { chain: head.chain, from, sound, broken, next }))
}

async fn next_chain(conn: &mut Conn, after: &str) -> Result<Option<Head>> {
    let row = NEXT_CHAIN.ask().bind(after).fetch_optional(conn).await?;
    let read = |row: sqlx::any::AnyRow| {
        Ok::<_, StoreError>(Head { chain: row.text("chain")?, seq: row.number("seq")?, hash: row.text("hash")? })
    };
    row.map(read).transpose()
}

/// Where the chain stood before an event.
async fn audit_before(conn: &mut Conn, chain: &str, from: i64) -> Result<Option<Head>> {
    if from == 1 {
        return Ok(None);
    }
    let rows = PIECE.ask().bind(chain).bind(from - 1).bind(1_i64).fetch_all(conn).await?;
    let row = rows.first().map(audit::read).transpose()?.filter(|row| row.seq == from - 1);
    Ok(row.map(|row| Head { chain: row.chain, seq: row.seq, hash: row.hash }))
}
