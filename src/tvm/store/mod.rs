//! The database: SQLite by default, PostgreSQL for two zones. One text for both; every statement that serves a request stands in a list, and a
//! test asks both databases how they would run it.
//!
//! Reading functions take a connection, which a [`Reader`] and a [`Tx`] are. Changes are methods of [`Tx`], and a transaction ends in
//! one way only: [`Tx::commit`] takes the event that tells of it. So there is no change without a line in the audit trail, and where the trail
//! cannot be written nothing is changed. What many do at once shares transactions ([`Store::record`], [`Store::together`]), by the same rule.

pub mod access;
pub mod allowances;
pub mod audit;
pub mod bindings;
pub mod catalogue;
pub mod codes;
pub mod effect;
mod error;
pub mod export;
mod group;
pub mod groups;
pub mod horizontals;
pub mod idempotency;
pub mod insight;
pub mod keys;
pub mod lists;
pub mod names;
pub mod nodes;
mod open;
pub mod people;
pub mod preset_users;
pub mod proposals;
mod readers;
pub mod roles;
mod row;
pub mod saml;
mod schema;
pub mod secrets;
pub mod sessions;
mod sql;
pub mod tokens;
pub mod told;
pub mod trail;
pub mod tree;
mod upkeep;
pub mod users;
pub mod vends;

use std::borrow::Borrow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::{Any, AnyConnection, AnyPool, Transaction};
use tokio::sync::{Mutex, MutexGuard};

pub use self::error::{Reference, StoreError, Taken};
pub use self::group::Doing;
pub use self::open::{Open, Place, Tls};
pub use self::readers::Reader;
use self::readers::Readers;
pub use self::schema::Schema;
pub use self::sql::{Statement, statements};
pub use self::upkeep::Seen;
use super::audit::{Event, Head, Row};
use super::model::ChainId;
use crate::types::Timestamp;

/// A connection to the database.
pub type Conn = AnyConnection;
/// What becomes of a question to the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// One file, this machine only.
    Sqlite,
    /// A server.
    Postgres,
}

/// The database, open. A copy is the same one.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
    queue: group::Queue,
}

/// What the tasks share.
#[derive(Debug)]
struct Inner {
    dialect: Dialect,
    /// For SQLite these read only; for PostgreSQL both are one.
    readers: Readers,
    /// SQLite has one writer at a time; a second one would only wait in a worse place.
    writers: AnyPool,
    /// The chain of this process. It is opened with its first event.
    chain: ChainId,
    /// Where the chain ends, once this is known for certain.
    head: Mutex<Option<Head>>,
}

/// A change that is being made. Dropped, it never was.
#[derive(Debug)]
pub struct Tx<'s> {
    conn: Transaction<'static, Any>,
    store: &'s Inner,
    now: Timestamp,
}

impl Deref for Tx<'_> {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

/// Events that are written and not yet on the disk, and where the chain ends with them.
struct Told<'s> {
    /// Held to the end: whoever comes next builds on what is certain.
    known: MutexGuard<'s, Option<Head>>,
    head: Head,
}

impl Store {
    fn new(inner: Inner) -> Self {
        let inner = Arc::new(inner);
        Self { queue: group::start(&inner), inner }
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.inner.dialect
    }

    /// The chain that this process writes.
    pub fn chain(&self) -> &ChainId {
        &self.inner.chain
    }

    /// A connection that reads.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn read(&self) -> Result<Reader> {
        self.inner.readers.take().await
    }

    /// Begins a change.
    ///
    /// # Errors
    /// The database cannot be reached, or is busy.
    pub async fn begin(&self, now: Timestamp) -> Result<Tx<'_>> {
        self.inner.begin(now).await
    }

    /// Lets go of all connections.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writers.close().await;
    }
}

impl Inner {
    async fn begin(&self, now: Timestamp) -> Result<Tx<'_>> {
        let conn = match self.dialect {
            // A transaction that turned writer later could find that another had written since it began to read.
            Dialect::Sqlite => self.writers.begin_with("BEGIN IMMEDIATE").await?,
            Dialect::Postgres => self.writers.begin().await?,
        };
        Ok(Tx { conn, store: self, now })
    }
}

impl<'s> Tx<'s> {
    /// When this change is made.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Writes the event and ends the change: both, or nothing.
    ///
    /// # Errors
    /// Nothing was changed, unless the connection broke in that very moment.
    pub async fn commit(mut self, event: &Event) -> Result<()> {
        let told = self.tell(&[(self.now, event)]).await?;
        self.finish(Some(told)).await
    }

    /// Writes events at the end of the chain.
    async fn tell(&mut self, events: &[(Timestamp, impl Borrow<Event>)]) -> Result<Told<'s>> {
        let store = self.store;
        let mut known = store.head.lock().await;
        // Taken away meanwhile, so that an end that nobody saw is read anew.
        let mut head = match known.take() {
            Some(head) => head,
            None => match audit::head(&mut self.conn, store.chain.as_str()).await? {
                Some(head) => head,
                None => audit::open_chain(&mut self.conn, &store.chain, self.now).await?,
            },
        };
        let from = head.seq;
        let mut rows = Vec::with_capacity(events.len());
        for (now, event) in events {
            let row = Row::new(event.borrow(), &store.chain, head.seq + 1, *now, &head.hash);
            (head.seq, head.hash) = (row.seq, row.hash.clone());
            rows.push(row);
        }
        audit::append(&mut self.conn, &rows).await?;
        if head.seq > from {
            audit::advance(&mut self.conn, from, &head).await?;
        }
        Ok(Told { known, head })
    }

    /// Puts it on the disk.
    async fn finish(self, told: Option<Told<'s>>) -> Result<()> {
        self.conn.commit().await?;
        if let Some(Told { mut known, head }) = told {
            *known = Some(head);
        }
        Ok(())
    }
}
