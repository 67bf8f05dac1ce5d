//! Events in their places: rows, their digests, and the walk from one to the next.

use ring::digest::{SHA256, digest};

use super::Event;
use super::checkpoint::BadCheckpoint;
use crate::tvm::model::ChainId;
use crate::types::Timestamp;

/// An event in its place, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which chain.
    pub chain: String,
    /// Which place in it; the first is 1.
    pub seq: i64,
    /// When, in milliseconds since 1970.
    pub ts: i64,
    /// What was done.
    pub kind: String,
    /// By whom, at the identity provider.
    pub actor_gid: Option<String>,
    /// By whom, here.
    pub actor: Option<String>,
    /// How that was known.
    pub auth: String,
    /// From where.
    pub source_ip: Option<String>,
    /// The parameters, as JSON text.
    pub params: String,
    /// To what kind of thing.
    pub target_kind: Option<String>,
    /// To which.
    pub target: Option<String>,
    /// At which node.
    pub at: Option<String>,
    /// What came of it.
    pub outcome: String,
    /// The request.
    pub request: Option<String>,
    /// The digest of the event before; empty for the first.
    pub prev_hash: String,
    /// The digest of all of the above.
    pub hash: String,
}

impl Row {
    /// Gives an event its place.
    pub fn new(event: &Event, chain: &ChainId, seq: i64, now: Timestamp, prev_hash: &str) -> Self {
        let mut row = Self {
            chain: chain.to_string(),
            seq,
            ts: now.unix_millis(),
            kind: event.kind.to_owned(),
            actor_gid: event.actor_gid.clone(),
            actor: event.actor.as_ref().map(ToString::to_string),
            auth: event.auth.word().to_owned(),
            source_ip: event.source_ip.clone(),
            params: event.params.to_string(),
            target_kind: event.target_kind.map(str::to_owned),
            target: event.target.clone(),
            at: event.at.as_ref().map(ToString::to_string),
            outcome: event.outcome.word().to_owned(),
            request: event.request.clone(),
            prev_hash: prev_hash.to_owned(),
            hash: String::new(),
        };
        row.hash = row.digest();
        row
    }

    /// The digest of everything in the row but itself. The fields stand in a JSON array, so no two rows give the same text.
    pub fn digest(&self) -> String {
        let fields = serde_json::json!([
            "saml2cloud audit event 1",
            self.prev_hash,
            self.chain,
            self.seq,
            self.ts,
            self.kind,
            self.actor_gid,
            self.actor,
            self.auth,
            self.source_ip,
            self.params,
            self.target_kind,
            self.target,
            self.at,
            self.outcome,
            self.request,
        ]);
        hex(digest(&SHA256, fields.to_string().as_bytes()).as_ref())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Which chain.
    pub chain: String,
    /// Its last place; 0 where there is none.
    pub seq: i64,
    /// The digest there; empty where there is none.
    pub hash: String,
}

/// What is wrong with a chain, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A place is empty or taken twice.
    #[error("chain {chain}: event {seq} is missing")]
    Missing {
        /// Which chain.
        chain: String,
        /// Which place.
        seq: i64,
    },
    /// The row is not what was written.
    #[error("chain {chain}: event {seq} was changed")]
    Changed {
        /// Which chain.
        chain: String,
        /// Which place.
        seq: i64,
    },
    /// The row does not follow the one before it.
    #[error("chain {chain}: event {seq} does not follow the one before it")]
    Torn {
        /// Which chain.
        chain: String,
        /// Which place.
        seq: i64,
    },
    /// A checkpoint proves nothing.
    #[error("chain {chain}: the checkpoint at event {seq}: {why}")]
    Checkpoint {
        /// Which chain.
        chain: String,
        /// Which place.
        seq: i64,
        /// What is wrong with it.
        why: BadCheckpoint,
    },
}

/// Walks a chain, row after row, in order.
#[derive(Debug, Clone)]
pub struct Walk(Head);

impl Walk {
    /// After what is known to be the end of what was taken away, with leave, from the beginning of a chain.
    pub fn after(head: Head) -> Self {
        Self(head)
    }

    /// At the beginning of a chain.
    pub fn new(chain: &str) -> Self {
        Self(Head { chain: chain.to_owned(), seq: 0, hash: String::new() })
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn step(&mut self, row: &Row) -> Result<(), Broken> {
        let head = &mut self.0;
        let (chain, seq) = (head.chain.clone(), head.seq + 1);
        if row.chain != chain || row.seq != seq {
            return Err(Broken::Missing { chain, seq });
        }
        if row.hash != row.digest() {
            return Err(Broken::Changed { chain, seq });
        }
        if row.prev_hash != head.hash {
            return Err(Broken::Torn { chain, seq });
        }
        (head.seq, head.hash) = (seq, row.hash.clone());
        Ok(())
    }

    /// Compares with what is remembered of the chain's end.
    ///
    /// # Errors
    /// The chain was cut short, or its end was exchanged.
    pub fn reaches(&self, head: &Head) -> Result<(), Broken> {
        let chain = self.0.chain.clone();
        match self.0.seq.cmp(&head.seq) {
            std::cmp::Ordering::Less => Err(Broken::Missing { chain, seq: self.0.seq + 1 }),
            std::cmp::Ordering::Equal if self.0.hash == head.hash => Ok(()),
            // The end was written down with the event: it lags behind only where somebody added rows, or took its own back.
            _ => Err(Broken::Torn { chain, seq: self.0.seq.max(1) }),
        }
    }

    /// Where it is.
    pub fn head(&self) -> &Head {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tvm::audit::AuthKind;

    fn chain() -> Vec<Row> {
        let now = Timestamp::from_unix(1_800_000_000).unwrap();
        let chain = ChainId::new(now);
        let mut rows: Vec<Row> = Vec::new();
        for seq in 1..=5 {
            let event = Event::by(AuthKind::Console, "user.create", serde_json::json!({"gid": seq}));
            let prev = rows.last().map(|row| row.hash.clone()).unwrap_or_default();
            rows.push(Row::new(&event, &chain, seq, now, &prev));
        }
        rows
    }

    fn walk(rows: &[Row], head: &Head) -> Result<(), Broken> {
        let mut walk = Walk::new(&head.chain);
        rows.iter().try_for_each(|row| walk.step(row))?;
        walk.reaches(head)
    }

    fn head(rows: &[Row]) -> Head {
        let last = rows.last().unwrap();
        Head { chain: last.chain.clone(), seq: last.seq, hash: last.hash.clone() }
    }

    #[test]
    fn whatever_is_done_to_a_row_is_found_there() {
        let sound = chain();
        let end = head(&sound);
        assert_eq!(walk(&sound, &end), Ok(()));
        let name = end.chain.clone();
        type Change = fn(&mut Row);
        let changes: [Change; 14] = [
            |row| row.ts += 1,
            |row| row.kind.push('x'),
            |row| row.actor_gid = Some(String::new()),
            |row| row.actor = Some("x".to_owned()),
            |row| row.auth = "system".to_owned(),
            |row| row.source_ip = Some("x".to_owned()),
            |row| row.params = "{}".to_owned(),
            |row| row.target_kind = Some("x".to_owned()),
            |row| row.target = Some("x".to_owned()),
            |row| row.at = Some("x".to_owned()),
            |row| row.outcome = "failed".to_owned(),
            |row| row.request = Some("x".to_owned()),
            |row| row.prev_hash = String::new(),
            |row| row.hash = String::new(),
        ];
        for change in changes {
            let mut rows = sound.clone();
            change(&mut rows[2]);
            assert_eq!(walk(&rows, &end), Err(Broken::Changed { chain: name.clone(), seq: 3 }));
            // Made sound again by itself, it no longer fits what follows.
            rows[2].hash = rows[2].digest();
            if rows[2] != sound[2] {
                let at = if rows[2].prev_hash == sound[2].prev_hash { 4 } else { 3 };
                assert_eq!(walk(&rows, &end), Err(Broken::Torn { chain: name.clone(), seq: at }));
            }
        }
    }

    #[test]
    fn removed_swapped_and_cut_rows_are_found() {
        let sound = chain();
        let end = head(&sound);
        let missing = |seq| Err(Broken::Missing { chain: end.chain.clone(), seq });
        for at in 0..5 {
            let mut rows = sound.clone();
            rows.remove(at);
            assert_eq!(walk(&rows, &end), missing(at as i64 + 1));
        }
        let mut rows = sound.clone();
        rows.swap(1, 2);
        assert_eq!(walk(&rows, &end), missing(2));
        assert_eq!(walk(&[], &end), missing(1));
        let mut more = sound.clone();
        let event = Event::by(AuthKind::Console, "x", serde_json::json!({}));
        more.push(Row::new(&event, &ChainId::parse(&end.chain).unwrap(), 6, Timestamp::from_unix(0).unwrap(), &end.hash));
        assert_eq!(walk(&more, &end), Err(Broken::Torn { chain: end.chain.clone(), seq: 6 }));
    }
}
