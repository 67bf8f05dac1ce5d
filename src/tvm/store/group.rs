//! Group commit. What is on the disk for certain costs a wait for the disk, and one wait can be shared: one task a process takes what many requests
//! want written, writes it in one transaction, and answers each when all of it is on the disk.
//!
//! Nothing is weaker by it. A piece is its change and its event, both or nothing; nobody is answered before their event is durable; and where a
//! transaction fails nothing of it was written. A piece that spoils its group does so once: the others are then written one by one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::{Inner, Result, Store, StoreError, Told, Tx};
use crate::tvm::audit::Event;
use crate::types::Timestamp;

/// How many pieces share a transaction at the most: as many as keep the wait of the last one short.
const LARGEST: usize = 50;
/// How many pieces may wait. More would wait longer than their callers do.
const WAITING: usize = 1024;

/// What a piece does in the group's transaction.
pub type Doing<'t, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 't>>;

/// A piece of a group.
#[async_trait]
pub(super) trait Piece: Send {
    /// When it is.
    fn now(&self) -> Timestamp;
    /// Does it; once more, if the group had to be given up. The event that tells of it, if there is one.
    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Option<Event>>;
    /// It is on the disk, or it is not.
    fn answer(self: Box<Self>, written: Result<()>);
}

/// A piece that makes something of type `T`.
struct Making<T, W> {
    now: Timestamp,
    work: W,
    made: Option<T>,
    caller: oneshot::Sender<Result<T>>,
}

#[async_trait]
impl<T: Send, W: for<'t> Fn(&'t mut Tx<'_>) -> Doing<'t, (T, Option<Event>)> + Send + Sync> Piece for Making<T, W> {
    fn now(&self) -> Timestamp {
        self.now
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Option<Event>> {
        let (made, event) = (self.work)(tx).await?;
        self.made = Some(made);
        Ok(event)
    }

    fn answer(self: Box<Self>, written: Result<()>) {
        let Self { made, caller, .. } = *self;
        // Whoever asked may have gone away; what they asked for was done all the same.
        let _ = caller.send(written.and_then(|()| made.ok_or(StoreError::Busy)));
    }
}

/// The way to the task that writes.
pub(super) type Queue = mpsc::Sender<Box<dyn Piece>>;

/// Begins the task. It ends when the queue does.
pub(super) fn start(inner: &Arc<Inner>) -> Queue {
    let (queue, mut waiting) = mpsc::channel::<Box<dyn Piece>>(WAITING);
    let inner = inner.clone();
    tokio::spawn(async move {
        while let Some(first) = waiting.recv().await {
            let mut pieces = vec![first];
            while pieces.len() < LARGEST
                && let Ok(next) = waiting.try_recv()
            {
                pieces.push(next);
            }
            let inner = inner.clone();
            // A task of its own: whatever goes wrong in it, the next group is written. Its callers see that nobody answers.
            let _ = tokio::spawn(async move { write(&inner, pieces).await }).await;
        }
    });
    queue
}

/// Writes a group, and answers.
async fn write(inner: &Inner, mut pieces: Vec<Box<dyn Piece>>) {
    match prepare(inner, &mut pieces).await {
        Ok((tx, told)) => answer(pieces, tx.finish(told).await),
        Err(error) if pieces.len() == 1 => answer(pieces, Err(error)),
        // Nothing was written. Each by itself, so that only what cannot be written is not.
        Err(_) => {
            for piece in pieces {
                let mut alone = vec![piece];
                let written = match prepare(inner, &mut alone).await {
                    Ok((tx, told)) => tx.finish(told).await,
                    Err(error) => Err(error),
                };
                answer(alone, written);
            }
        }
    }
}

/// Does everything but the commit. The end of the chain is held only from when all changes are made: who waits for a row of ours and has
/// that end already would otherwise wait for ever, and we for them.
async fn prepare<'i>(inner: &'i Inner, pieces: &mut [Box<dyn Piece>]) -> Result<(Tx<'i>, Option<Told<'i>>)> {
    let now = pieces.first().map(|piece| piece.now()).ok_or(StoreError::Busy)?;
    let mut tx = inner.begin(now).await?;
    let mut events = Vec::new();
    for piece in pieces {
        tx.now = piece.now();
        events.extend(piece.run(&mut tx).await?.map(|event| (piece.now(), event)));
    }
    let told = if events.is_empty() { None } else { Some(tx.tell(&events).await?) };
    Ok((tx, told))
}

fn answer(mut pieces: Vec<Box<dyn Piece>>, written: Result<()>) {
    match written {
        Ok(()) => pieces.into_iter().for_each(|piece| piece.answer(Ok(()))),
        Err(error) => match (pieces.pop(), pieces.is_empty()) {
            (Some(only), true) => only.answer(Err(error)),
            (last, _) => {
                let error = Arc::new(error);
                pieces.into_iter().chain(last).for_each(|piece| piece.answer(Err(StoreError::Unwritten(error.clone()))));
            }
        },
    }
}

impl Store {
    /// A change that shares its transaction with others, and the event that tells of it. For what many do at once: a change of the rules is
    /// made by [`Store::begin`]. `work` may be run a second time, after nothing of the first was written, so it must do nothing but ask the
    /// database.
    ///
    /// # Errors
    /// Nothing of it was written, unless the connection broke in that very moment.
    pub async fn together<T, W>(&self, now: Timestamp, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'t> Fn(&'t mut Tx<'_>) -> Doing<'t, (T, Event)> + Send + Sync + 'static,
    {
        self.piece(now, move |tx| {
            let doing = work(tx);
            Box::pin(async move { doing.await.map(|(made, event)| (made, Some(event))) })
        })
        .await
    }

    /// Writes an event that changes nothing else: a read, a refusal, a sign-in. Many at once share a transaction.
    ///
    /// # Errors
    /// It cannot be written; then whatever it tells of must not be answered.
    pub async fn record(&self, now: Timestamp, event: &Event) -> Result<()> {
        let event = event.clone();
        self.piece(now, move |_| {
            let event = event.clone();
            Box::pin(async move { Ok(((), Some(event))) })
        })
        .await
    }

    /// The same with an event or without. Without one only for upkeep: what no right depends on.
    pub(super) async fn piece<T, W>(&self, now: Timestamp, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'t> Fn(&'t mut Tx<'_>) -> Doing<'t, (T, Option<Event>)> + Send + Sync + 'static,
    {
        let (caller, answered) = oneshot::channel();
        // A queue that is full, and a task that is gone, mean the same to whoever asks.
        self.queue.try_send(Box::new(Making { now, work, made: None, caller })).map_err(|_| StoreError::Busy)?;
        answered.await.unwrap_or(Err(StoreError::Busy))
    }
}
