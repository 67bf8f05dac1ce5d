//! Walking the audit trail piece by piece, for whoever asks over the network: a whole trail takes longer than an answer may.

use std::collections::BTreeMap;

use super::{Conn, Result, StoreError, audit, told};
use crate::tvm::audit::{Broken, Head, Walk};

/// What was seen of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Which chain.
    pub chain: String,
    /// From which event: the first one that is left, where those before it went with leave.
    pub from: i64,
    /// How many events are as they were written, from there on.
    pub sound: i64,
    /// What is wrong after them.
    pub broken: Option<Broken>,
    /// Where to go on: a chain and an event of it. Nothing at the end of the trail, and where something is wrong.
    pub next: Option<(String, i64)>,
}

/// Walks a piece of a chain: the first one where none is named. The event before `from` is taken for what it says; begun at 1 and followed by
/// its [`Piece::next`] it is every chain, from its first event or from where it was cut. The checkpoints of what is walked have to be signed, and met.
/// Nothing where there is no such chain.
///
/// # Errors
/// The database. What is wrong with the trail is no error here.
pub async fn piece(conn: &mut Conn, chain: Option<&str>, from: i64, limit: u32) -> Result<Option<Piece>> {
    let head = match chain {
        Some(chain) => audit::head(conn, chain).await?,
        None => audit::next_chain(conn, "").await?,
    };
    let Some(head) = head else { return Ok(None) };
    loop {
        let first = audit::first_left(conn, &head.chain).await?;
        let mut piece = Piece { chain: head.chain.clone(), from: from.max(1), sound: 0, broken: None, next: None };
        match walk(conn, &head, first, &mut piece, limit).await {
            Ok(next) => piece.next = next,
            // It was cut under the walk.
            Err(StoreError::Broken(_)) if audit::first_left(conn, &head.chain).await? > first => continue,
            Err(StoreError::Broken(broken)) => piece.broken = Some(broken),
            Err(error) => return Err(error),
        }
        return Ok(Some(piece));
    }
}

/// Walks, and says where to go on.
async fn walk(conn: &mut Conn, head: &Head, first: i64, piece: &mut Piece, most: u32) -> Result<Option<(String, i64)>> {
    let (chain, limit) = (head.chain.as_str(), i64::from(most));
    let certificates = audit::certificates(conn).await?;
    let cut = told::last_cut(conn, chain, first).await?;
    if let Some(cut) = &cut {
        audit::is_signed(cut, &certificates)?;
    }
    let mut walk = audit::begin_of(chain, first, cut.as_ref())?;
    if piece.from <= walk.head().seq + 1 {
        piece.from = walk.head().seq + 1;
    } else {
        let before = audit::events(conn, chain, piece.from - 2, 1).await?.into_iter().next();
        let Some(before) = before.filter(|row| row.seq == piece.from - 1) else {
            return Err(Broken::Missing { chain: chain.to_owned(), seq: piece.from - 1 }.into());
        };
        walk = Walk::after(Head { chain: before.chain, seq: before.seq, hash: before.hash });
    }
    // Read before the events: one that is made meanwhile may be of an event that is not among them. There is one for an event at the most.
    let mut marks = BTreeMap::new();
    for one in told::checkpoints_after(conn, chain, piece.from - 1, most).await? {
        audit::is_signed(&one, &certificates)?;
        marks.insert(one.statement.head.seq, one);
    }
    let rows = audit::events(conn, chain, piece.from - 1, limit).await?;
    for row in &rows {
        audit::step(conn, &mut walk, row, &marks).await?;
        piece.sound += 1;
    }
    if i64::try_from(rows.len()).is_ok_and(|seen| seen >= limit) {
        return Ok(Some((chain.to_owned(), walk.head().seq + 1)));
    }
    audit::ends(conn, &walk, head, &marks).await?;
    Ok(audit::next_chain(conn, chain).await?.map(|next| (next.chain, 1)))
}
