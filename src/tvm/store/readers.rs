//! Connections that read. Most of what a request costs at the database is not its questions but getting at a connection, so those to a file are kept
//! ready here: the pool asks each whether it is alive, before and after, and a file has no answer to that but yes.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex as Latch, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool};
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::open::PATIENCE;
use super::{Conn, Result};

/// Where connections that read come from.
#[derive(Debug)]
pub(super) struct Readers {
    pool: AnyPool,
    /// Those to a file; nothing for a server, whose connections break.
    kept: Option<Arc<Kept>>,
}

/// Connections that are at hand, the one used last first: its memory is still warm.
#[derive(Debug)]
struct Kept {
    free: Latch<Vec<Arc<Mutex<PoolConnection<Any>>>>>,
    /// As many as the pool has connections.
    places: Arc<Semaphore>,
}

/// A connection that reads.
#[derive(Debug)]
pub struct Reader {
    conn: OwnedMutexGuard<PoolConnection<Any>>,
    home: Option<(Arc<Kept>, OwnedSemaphorePermit)>,
}

impl Readers {
    /// Of a server: the pool knows which of its connections are alive.
    pub(super) fn lent(pool: AnyPool) -> Self {
        Self { pool, kept: None }
    }

    /// Of a file.
    pub(super) fn kept(pool: AnyPool, connections: u32) -> Self {
        let places = Arc::new(Semaphore::new(usize::try_from(connections).unwrap_or(1)));
        Self { pool, kept: Some(Arc::new(Kept { free: Latch::default(), places })) }
    }

    pub(super) async fn take(&self) -> Result<Reader> {
        let Some(kept) = &self.kept else {
            return Ok(Reader { conn: alone(self.pool.acquire().await?).await, home: None });
        };
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&kept.places).acquire_owned()).await;
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let free = kept.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match free {
            Some(conn) => conn.lock_owned().await,
            None => alone(self.pool.acquire().await?).await,
        };
        Ok(Reader { conn, home: Some((Arc::clone(kept), place)) })
    }

    /// Lets go of all of them, once those in use have come back.
    pub(super) async fn close(&self) {
        if let Some(kept) = &self.kept {
            kept.places.close();
            kept.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        self.pool.close().await;
    }
}

async fn alone(conn: PoolConnection<Any>) -> OwnedMutexGuard<PoolConnection<Any>> {
    Arc::new(Mutex::new(conn)).lock_owned().await
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some((kept, _)) = &self.home else { return };
        let mut free = kept.free.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.places.is_closed() {
            // Whoever takes it from there waits until the guard, too, is dropped: at once.
            free.push(Arc::clone(OwnedMutexGuard::mutex(&self.conn)));
        }
    }
}

impl Deref for Reader {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}
