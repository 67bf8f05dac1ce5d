//! The audit trail: written with every change, read by time, kind, person and place, and walked from end to end.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, Store, keys, told};
use crate::tvm::audit::checkpoint::{BadCheckpoint, Checkpoint};
use crate::tvm::audit::{AuthKind, Broken, Event, Head, OPENED, Row, Walk};
use crate::tvm::keys::Purpose;
use crate::tvm::model::{ChainId, Gid, Path};
use crate::types::Timestamp;

/// Events that are written.
macro_rules! event {
    ($rows:literal) => {
        concat!(
            "INSERT INTO audit_event (chain, seq, ts, kind, actor_gid, actor_user_id, auth_kind, source_ip, params, target_kind, target_id,
        node_path, outcome, request_id, prev_hash, hash) VALUES ",
            $rows
        )
    };
}

/// The parameters of eight rows.
macro_rules! eight {
    ($one:literal) => {
        concat!($one, $one, $one, $one, $one, $one, $one, $one)
    };
}

declare! {
    HEAD("t") = "SELECT chain, seq, hash FROM audit_chain WHERE chain = $1";
    BEFORE("t") = "SELECT chain, seq, hash FROM audit_chain WHERE chain < $1 ORDER BY chain DESC LIMIT 1";
    OPEN("t") = "INSERT INTO audit_chain (chain, seq, hash) VALUES ($1, 0, '')";
    APPEND("tiittttttttttttt") = event!("($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)");
    APPEND_EIGHT(eight!("tiittttttttttttt")) = event!("($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16),
        ($17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32),
        ($33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48),
        ($49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64),
        ($65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79, $80),
        ($81, $82, $83, $84, $85, $86, $87, $88, $89, $90, $91, $92, $93, $94, $95, $96),
        ($97, $98, $99, $100, $101, $102, $103, $104, $105, $106, $107, $108, $109, $110, $111, $112),
        ($113, $114, $115, $116, $117, $118, $119, $120, $121, $122, $123, $124, $125, $126, $127, $128)");
    ADVANCE("titi") = "UPDATE audit_chain SET seq = $2, hash = $3 WHERE chain = $1 AND seq = $4";
    CHAINS("ti") = "SELECT chain, seq, hash FROM audit_chain WHERE chain > $1 ORDER BY chain LIMIT $2";
    EVENTS("tii") = "SELECT * FROM audit_event WHERE chain = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    BY_TIME("iiitii") = "SELECT * FROM audit_event WHERE ts >= $1 AND ts < $2 AND (ts, chain, seq) < ($3, $4, $5) ORDER BY ts DESC, chain DESC, seq DESC LIMIT $6";
    BY_KIND("tiiitii") = "SELECT * FROM audit_event WHERE kind = $1 AND ts >= $2 AND ts < $3 AND (ts, chain, seq) < ($4, $5, $6)
        ORDER BY ts DESC, chain DESC, seq DESC LIMIT $7";
    BY_GID("tiiitii") = "SELECT * FROM audit_event WHERE actor_gid = $1 AND ts >= $2 AND ts < $3 AND (ts, chain, seq) < ($4, $5, $6)
        ORDER BY ts DESC, chain DESC, seq DESC LIMIT $7";
    // Of a place where little happened all is sorted (`+ 0` keeps SQLite from walking back through the time of everything); of one where much did,
    // the time is walked back, and enough is found soon.
    BY_PLACE("ttiiitii") = "SELECT * FROM audit_event WHERE node_path >= $1 AND node_path < $2 AND ts + 0 >= $3 AND ts + 0 < $4 AND (ts + 0, chain, seq) < ($5, $6, $7)
        ORDER BY ts + 0 DESC, chain DESC, seq DESC LIMIT $8";
    BY_BUSY_PLACE("ttiiitii") = "SELECT * FROM audit_event WHERE node_path >= $1 AND node_path < $2 AND ts >= $3 AND ts < $4 AND (ts, chain, seq) < ($5, $6, $7)
        ORDER BY ts DESC, chain DESC, seq DESC LIMIT $8";
    AT_PLACE("tti") = "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM audit_event WHERE node_path >= $1 AND node_path < $2 LIMIT $3) found";
}

/// Events and checkpoints that are in no chain. Only where the whole trail is walked.
const STRAY: [&str; 2] = [
    "SELECT chain, seq FROM audit_event e WHERE NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.chain = e.chain) ORDER BY chain, seq LIMIT 1",
    "SELECT chain, seq FROM audit_checkpoint e WHERE NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.chain = e.chain) ORDER BY chain, seq LIMIT 1",
];
/// How many events make a place a busy one.
const BUSY: i64 = 20_000;
/// How many rows are held at once while a chain is walked.
const PAGE: i64 = 1000;

/// Which events. The narrowest of the three filters picks the index; the caller combines further ones.
#[derive(Debug, Clone)]
pub enum Filter {
    /// All.
    All,
    /// Of one kind.
    Kind(String),
    /// By one person.
    By(Gid),
    /// At a node or below it.
    At(Path),
}

/// A page of the trail, newest first.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which events.
    pub filter: Filter,
    /// Not before.
    pub from: Timestamp,
    /// Before.
    pub until: Timestamp,
    /// The place of the last event of the page before.
    pub after: Option<(i64, String, i64)>,
    /// How many.
    pub limit: u32,
}

fn read(row: &AnyRow) -> Result<Row> {
    Ok(Row {
        chain: row.text("chain")?,
        seq: row.number("seq")?,
        ts: row.number("ts")?,
        kind: row.text("kind")?,
        actor_gid: row.maybe_text("actor_gid")?,
        actor: row.maybe_text("actor_user_id")?,
        auth: row.text("auth_kind")?,
        source_ip: row.maybe_text("source_ip")?,
        params: row.text("params")?,
        target_kind: row.maybe_text("target_kind")?,
        target: row.maybe_text("target_id")?,
        at: row.maybe_text("node_path")?,
        outcome: row.text("outcome")?,
        request: row.maybe_text("request_id")?,
        prev_hash: row.text("prev_hash")?,
        hash: row.text("hash")?,
    })
}

fn read_head(row: &AnyRow) -> Result<Head> {
    Ok(Head { chain: row.text("chain")?, seq: row.number("seq")?, hash: row.text("hash")? })
}

pub(super) async fn head(conn: &mut Conn, chain: &str) -> Result<Option<Head>> {
    HEAD.ask().bind(chain).fetch_optional(conn).await?.as_ref().map(read_head).transpose()
}

/// Opens a chain with an event that names the end of the one before.
pub(super) async fn open_chain(conn: &mut Conn, chain: &ChainId, now: Timestamp) -> Result<Head> {
    let before = BEFORE.ask().bind(chain.as_str()).fetch_optional(&mut *conn).await?.as_ref().map(read_head).transpose()?;
    OPEN.ask().bind(chain.as_str()).execute(&mut *conn).await?;
    let params = match before {
        Some(head) => serde_json::json!({"before": {"chain": head.chain, "seq": head.seq, "hash": head.hash}}),
        None => serde_json::json!({"before": null}),
    };
    let row = Row::new(&Event::by(AuthKind::System, OPENED, params), chain, 1, now, "");
    append(&mut *conn, std::slice::from_ref(&row)).await?;
    let head = Head { chain: row.chain, seq: row.seq, hash: row.hash };
    advance(conn, 0, &head).await?;
    Ok(head)
}

/// Writes events. What many ask for at once goes to the database eight rows at a time: it is the way there that costs.
pub(super) async fn append(conn: &mut Conn, rows: &[Row]) -> Result<()> {
    let (eights, rest) = rows.as_chunks::<8>();
    let eights = eights.iter().map(|rows| (APPEND_EIGHT, rows.as_slice()));
    for (statement, rows) in eights.chain(rest.chunks(1).map(|rows| (APPEND, rows))) {
        let mut ask = statement.ask();
        for row in rows {
            ask = ask.bind(&row.chain).bind(row.seq).bind(row.ts).bind(&row.kind).bind(row.actor_gid.as_deref());
            ask = ask.bind(row.actor.as_deref()).bind(&row.auth).bind(row.source_ip.as_deref()).bind(&row.params);
            ask = ask.bind(row.target_kind.as_deref()).bind(row.target.as_deref()).bind(row.at.as_deref()).bind(&row.outcome);
            ask = ask.bind(row.request.as_deref()).bind(&row.prev_hash).bind(&row.hash);
        }
        ask.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Writes down where the chain ends now.
pub(super) async fn advance(conn: &mut Conn, from: i64, head: &Head) -> Result<()> {
    let ask = ADVANCE.ask().bind(&head.chain).bind(head.seq).bind(&head.hash).bind(from);
    match ask.execute(conn).await?.rows_affected() {
        1 => Ok(()),
        // Somebody else wrote to the chain of this process, which nobody but an attacker does.
        _ => Err(Broken::Torn { chain: head.chain.clone(), seq: from + 1 }.into()),
    }
}

/// A page of the trail.
///
/// # Errors
/// The database.
pub async fn page(conn: &mut Conn, ask: &Ask) -> Result<Vec<Row>> {
    let (from, until) = (ask.from.unix_millis(), ask.until.unix_millis());
    let (ts, chain, seq) = ask.after.clone().unwrap_or((i64::MAX, String::new(), 0));
    let query = match &ask.filter {
        Filter::All => BY_TIME.ask(),
        Filter::Kind(kind) => BY_KIND.ask().bind(kind.as_str()),
        Filter::By(gid) => BY_GID.ask().bind(gid.normal()),
        Filter::At(path) => {
            let (begin, end) = (path.as_str(), path.end());
            let there = AT_PLACE.ask().bind(begin).bind(end.clone()).bind(BUSY).fetch_one(&mut *conn).await?.number("n")?;
            let statement = if there < BUSY { BY_PLACE } else { BY_BUSY_PLACE };
            statement.ask().bind(begin).bind(end)
        }
    };
    let query = query.bind(from).bind(until).bind(ts).bind(chain).bind(seq).bind(i64::from(ask.limit));
    query.fetch_all(conn).await?.iter().map(read).collect()
}

/// Some events of a chain, in their order, after a place in it.
pub(super) async fn events(conn: &mut Conn, chain: &str, after: i64, limit: i64) -> Result<Vec<Row>> {
    EVENTS.ask().bind(chain).bind(after).bind(limit).fetch_all(conn).await?.iter().map(read).collect()
}

/// Where every chain ends.
pub(super) async fn chains(conn: &mut Conn) -> Result<Vec<Head>> {
    let mut all: Vec<Head> = Vec::new();
    loop {
        let after = all.last().map_or("", |head| head.chain.as_str()).to_owned();
        let rows = CHAINS.ask().bind(after).bind(PAGE).fetch_all(&mut *conn).await?;
        if rows.is_empty() {
            return Ok(all);
        }
        for row in &rows {
            all.push(read_head(row)?);
        }
    }
}

/// The chain after this one, and where it ends.
pub(super) async fn next_chain(conn: &mut Conn, after: &str) -> Result<Option<Head>> {
    CHAINS.ask().bind(after).bind(1_i64).fetch_optional(conn).await?.as_ref().map(read_head).transpose()
}

/// What a walk over the whole trail saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walked {
    /// How many chains.
    pub chains: u64,
    /// How many events.
    pub events: u64,
    /// How many checkpoints, each signed and met.
    pub checkpoints: u64,
}

/// Walks every chain from its first event, or from where it was cut, to its last. Every checkpoint has to be signed, and met on the way: those of the
/// database, and those that were told outside, which nobody can take away with the rest.
///
/// # Errors
/// [`Broken`] names the first event that is not what was written.
pub async fn verify(conn: &mut Conn, told: &[Checkpoint]) -> Result<Walked> {
    let mut walked = Walked::default();
    let certificates = certificates(&mut *conn).await?;
    let mut outside: BTreeMap<&str, Vec<&Checkpoint>> = BTreeMap::new();
    for one in told {
        outside.entry(&one.statement.head.chain).or_default().push(one);
    }
    for head in chains(&mut *conn).await? {
        let mut marks = marks(&mut *conn, &head.chain, &certificates).await?;
        for one in outside.remove(head.chain.as_str()).unwrap_or_default() {
            remember(&mut marks, one, &certificates)?;
        }
        walked.events += walk(&mut *conn, &head, &marks).await?;
        walked.checkpoints += marks.len() as u64;
        walked.chains += 1;
    }
    // A chain never goes, also where all of its events went with leave.
    if let Some((chain, _)) = outside.first_key_value() {
        return Err(Broken::Missing { chain: (*chain).to_owned(), seq: 1 }.into());
    }
    for stray in STRAY {
        if let Some(row) = sqlx::query(stray).fetch_optional(&mut *conn).await? {
            return Err(Broken::Torn { chain: row.text("chain")?, seq: row.number("seq")? }.into());
        }
    }
    Ok(walked)
}

/// The certificates of the keys that sign checkpoints, by the keys' identities: also a checkpoint of a key that was retired is signed.
pub(super) async fn certificates(conn: &mut Conn) -> Result<BTreeMap<String, Vec<u8>>> {
    Ok(keys::all(conn)
        .await?
        .into_iter()
        .filter(|key| key.purpose == Purpose::Audit)
        .map(|key| (key.id.to_string(), key.certificate))
        .collect())
}

/// Checks the signature of a checkpoint.
pub(super) fn is_signed(one: &Checkpoint, certificates: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let certificate = certificates.get(&one.key).ok_or(BadCheckpoint::Certificate);
    let Head { chain, seq, .. } = &one.statement.head;
    let bad = |why| Broken::Checkpoint { chain: chain.clone(), seq: *seq, why };
    Ok(certificate.and_then(|certificate| one.verify(certificate)).map_err(bad)?)
}

/// Puts a checkpoint that was told outside beside those of the database.
fn remember(marks: &mut BTreeMap<i64, Checkpoint>, one: &Checkpoint, certificates: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    is_signed(one, certificates)?;
    let Head { chain, seq, hash } = &one.statement.head;
    match marks.get(seq) {
        Some(mark) if mark.statement.head.hash != *hash => Err(Broken::Changed { chain: chain.clone(), seq: *seq }.into()),
        Some(mark) if mark.statement.cut.is_some() || one.statement.cut.is_none() => Ok(()),
        _ => {
            marks.insert(*seq, one.clone());
            Ok(())
        }
    }
}

/// The checkpoints of a chain, by their places, once their signatures are checked.
async fn marks(conn: &mut Conn, chain: &str, certificates: &BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<i64, Checkpoint>> {
    let mut marks: BTreeMap<i64, Checkpoint> = BTreeMap::new();
    loop {
        let after = marks.last_key_value().map_or(0, |(seq, _)| *seq);
        let page = told::checkpoints_after(&mut *conn, chain, after, 1000).await?;
        if page.is_empty() {
            return Ok(marks);
        }
        for one in page {
            let seq = one.statement.head.seq;
            is_signed(&one, certificates)?;
            marks.insert(seq, one);
        }
    }
}

async fn walk(conn: &mut Conn, head: &Head, marks: &BTreeMap<i64, Checkpoint>) -> Result<u64> {
    let cut = marks.values().rev().find(|one| one.statement.cut.is_some());
    let mut walk = begin_of(&head.chain, first_left(&mut *conn, &head.chain).await?, cut)?;
    let mut events = 0;
    loop {
        let rows = self::events(&mut *conn, &head.chain, walk.head().seq, PAGE).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            step(&mut *conn, &mut walk, row, marks).await?;
            events += 1;
        }
    }
    ends(conn, &walk, head, marks).await?;
    Ok(events)
}

/// The place of the first event that is left of a chain; behind every place where none is.
pub(super) async fn first_left(conn: &mut Conn, chain: &str) -> Result<i64> {
    Ok(events(conn, chain, 0, 1).await?.first().map_or(i64::MAX, |row| row.seq))
}

/// Where a chain begins: behind its last cut, if there is one. What was before it went with leave, and none of it may be there again.
pub(super) fn begin_of(chain: &str, first: i64, cut: Option<&Checkpoint>) -> Result<Walk, Broken> {
    let Some(cut) = cut else { return Ok(Walk::new(chain)) };
    let head = cut.statement.head.clone();
    if first <= head.seq { Err(Broken::Torn { chain: head.chain, seq: head.seq }) } else { Ok(Walk::after(head)) }
}

/// Takes the next event of a chain. It has to be what was signed of it, and the first one has to follow the chain before.
pub(super) async fn step(conn: &mut Conn, walk: &mut Walk, row: &Row, marks: &BTreeMap<i64, Checkpoint>) -> Result<()> {
    walk.step(row)?;
    if marks.get(&row.seq).is_some_and(|mark| mark.statement.head.hash != row.hash) {
        return Err(Broken::Changed { chain: row.chain.clone(), seq: row.seq }.into());
    }
    if row.seq == 1 {
        follows(conn, row).await?;
    }
    Ok(())
}

/// Whether a walk that found no more events is where the chain ends. `head` was read before the walk, and the chain may have grown meanwhile.
pub(super) async fn ends(conn: &mut Conn, walk: &Walk, head: &Head, marks: &BTreeMap<i64, Checkpoint>) -> Result<()> {
    let at = walk.head();
    let grown = if at.seq > head.seq { self::head(conn, &head.chain).await? } else { None };
    match grown {
        // What was written behind the walk is for the next one.
        Some(grown) if grown.seq > at.seq => {}
        Some(grown) => walk.reaches(&grown)?,
        None => walk.reaches(head)?,
    }
    // The chain and everything that remembers its end can be cut short; what was signed of it cannot be made to say so.
    match marks.last_key_value() {
        Some((seq, _)) if *seq > at.seq => Err(Broken::Missing { chain: head.chain.clone(), seq: at.seq + 1 }.into()),
        _ => Ok(()),
    }
}

/// Whether the chain that an opening event names still has that end, or was cut there or behind.
async fn follows(conn: &mut Conn, opening: &Row) -> Result<()> {
    let params: serde_json::Value = serde_json::from_str(&opening.params).unwrap_or_default();
    let Some(before) = params.get("before") else {
        return Err(Broken::Torn { chain: opening.chain.clone(), seq: 1 }.into());
    };
    let (Some(chain), Some(seq), Some(hash)) = (before["chain"].as_str(), before["seq"].as_i64(), before["hash"].as_str()) else {
        return Ok(());
    };
    let named = events(&mut *conn, chain, seq - 1, 1).await?.into_iter().next().filter(|row| row.seq == seq);
    let was = match named {
        Some(row) => Some(row.hash),
        None => {
            let first = first_left(&mut *conn, chain).await?;
            let cut = told::last_cut(&mut *conn, chain, first).await?.filter(|one| one.statement.head.seq >= seq);
            let there = told::checkpoints_after(conn, chain, seq - 1, 1).await?.into_iter().map(|one| one.statement.head);
            let hash = there.filter(|head| head.seq == seq).map(|head| head.hash).next().unwrap_or_else(|| hash.to_owned());
            cut.map(|_| hash)
        }
    };
    match was {
        None => Err(Broken::Missing { chain: chain.to_owned(), seq }.into()),
        Some(was) if was != hash => Err(Broken::Changed { chain: chain.to_owned(), seq }.into()),
        Some(_) => Ok(()),
    }
}

impl Store {
    /// Walks the whole trail.
    ///
    /// # Errors
    /// [`Broken`] names the first event that is not what was written.
    pub async fn verify(&self) -> Result<Walked> {
        self.verify_against(&[]).await
    }

    /// Walks the whole trail, and holds it against checkpoints that were told outside.
    ///
    /// # Errors
    /// [`Broken`] names the first event that is not what was written.
    pub async fn verify_against(&self, told: &[Checkpoint]) -> Result<Walked> {
        verify(&mut *self.read().await?, told).await
    }
}
