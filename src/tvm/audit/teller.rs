//! Tells a place outside what the trail says, independent of requests: in order, at least once, and from where it was left.

use std::time::Duration;

use super::outside::{Batch, Outside, OutsideError};
use crate::tvm::store::{Store, StoreError, told};
use crate::types::Timestamp;
use crate::world::Clock;

/// How many events are told at once.
const BATCH: u32 = 500;
/// How long to wait when there is nothing new.
const PAUSE: Duration = Duration::from_secs(1);
/// How long to wait at the most when a place cannot be told.
const LONGEST: Duration = Duration::from_secs(60);
/// After so long, what another process left untold is told by this one.
const ORPHANED: Duration = Duration::from_secs(120);

/// Why nothing was told.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The place.
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Tells one place.
pub struct Teller {
    store: Store,
    place: Box<dyn Outside>,
    /// When it was last looked for what others left untold.
    looked: Option<Timestamp>,
}

impl Teller {
    /// For this place.
    pub fn new(store: Store, place: Box<dyn Outside>) -> Self {
        Self { store, place, looked: None }
    }

    /// Tells everything that is there; how many events that were. What was told before an error stays told.
    ///
    /// # Errors
    /// [`TellError`].
    pub async fn round(&mut self, now: Timestamp) -> Result<u64, TellError> {
        let mut told = self.chain(&self.store.chain().to_string(), now).await?;
        if self.looked.is_none_or(|looked| now.since(looked) >= ORPHANED) {
            let before = now.before(ORPHANED);
            for chain in told::orphans(&mut *self.store.read().await?, self.place.name(), self.store.chain(), before).await? {
                told += self.chain(&chain, now).await?;
            }
            self.looked = Some(now);
        }
        Ok(told)
    }

    async fn chain(&mut self, chain: &str, now: Timestamp) -> Result<u64, TellError> {
        let (name, mut count) = (self.place.name(), 0);
        let mut position = told::position(&mut *self.store.read().await?, name, chain).await?;
        loop {
            let mut conn = self.store.read().await?;
            let events = told::events(&mut conn, chain, position.events, BATCH).await?;
            let checkpoints = told::checkpoints_after(&mut conn, chain, position.checkpoints, BATCH).await?;
            drop(conn);
            if events.is_empty() && checkpoints.is_empty() {
                return Ok(count);
            }
            self.place.tell(Batch { events: &events, checkpoints: &checkpoints }).await?;
            position.events = events.last().map_or(position.events, |row| row.seq);
            position.checkpoints = checkpoints.last().map_or(position.checkpoints, |one| one.statement.head.seq);
            self.store.set_told(name, chain, position, now).await?;
            count += events.len() as u64;
        }
    }

    /// Tells for as long as the service runs. Where a place cannot be told it is tried again, less and less often.
    pub async fn run(mut self, clock: &dyn Clock) {
        let mut pause = PAUSE;
        loop {
            pause = match self.round(clock.now()).await {
                Ok(_) => PAUSE,
                Err(error) => {
                    tracing::warn!(
                        place = self.place.name(),
                        error = &error as &dyn std::error::Error,
                        "the trail cannot be told outside"
                    );
                    LONGEST.min(pause * 2)
                }
            };
            clock.sleep(pause).await;
        }
    }
}
