//! Where sign-ins of browsers are kept: in the database, or in Redis. The rest of the service does not know which.

mod redis;

use std::time::Duration;

use async_trait::async_trait;

pub use self::redis::{InRedis, OpenError};
use super::problem::Problem;
use crate::tvm::model::{Digest, User, UserId};
use crate::tvm::store::sessions::{self, NewSession, Session};
use crate::tvm::store::{Seen, Store, StoreError, Tx};
use crate::types::Timestamp;

/// Keeps sign-ins. What is changed is changed together with the event that tells of it, as far as the place can.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// The session of this cookie and the person it is of, who may be here now; and notes that it is used.
    ///
    /// # Errors
    /// It cannot be asked.
    async fn find(&self, store: &Store, id: &Digest, now: Timestamp) -> Result<Option<(Session, User)>, Problem>;

    /// Begins one.
    ///
    /// # Errors
    /// The person may not be here, or it cannot be written.
    async fn begin(&self, tx: &mut Tx<'_>, new: &NewSession<'_>) -> Result<(), StoreError>;

    /// Ends one.
    ///
    /// # Errors
    /// It cannot be written.
    async fn end(&self, tx: &mut Tx<'_>, id: &Digest) -> Result<(), StoreError>;

    /// Ends all of a person.
    ///
    /// # Errors
    /// It cannot be written.
    async fn end_all(&self, tx: &mut Tx<'_>, user: &UserId) -> Result<(), StoreError>;

    /// Ends those that the identity provider says are over.
    ///
    /// # Errors
    /// It cannot be written.
    async fn end_named(&self, tx: &mut Tx<'_>, name_id: &str, index: Option<&str>) -> Result<u64, StoreError>;

    /// Whether a change waits for a place beside the database. Such a change has a transaction of its own: others are not kept waiting too.
    fn waits_elsewhere(&self) -> bool {
        false
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// It does not.
    async fn check(&self) -> Result<(), Problem>;
}

/// In the database.
#[derive(Debug, Clone, Copy)]
pub struct InDatabase {
    /// How long one lasts without a request.
    pub idle: Duration,
}

#[async_trait]
impl Sessions for InDatabase {
    async fn find(&self, store: &Store, id: &Digest, now: Timestamp) -> Result<Option<(Session, User)>, Problem> {
        let found = {
            let mut conn = store.read().await?;
            sessions::by_digest(&mut conn, id, self.idle, now).await?
        };
        if let Some((session, _)) = &found
            && Seen::is_due(Some(session.seen), now)
        {
            store.touch(&Seen::Session(session.id.clone()), now).await?;
        }
        Ok(found)
    }

    async fn begin(&self, tx: &mut Tx<'_>, new: &NewSession<'_>) -> Result<(), StoreError> {
        tx.add_session(new).await
    }

    async fn end(&self, tx: &mut Tx<'_>, id: &Digest) -> Result<(), StoreError> {
        tx.end_session(id).await?;
        Ok(())
    }

    async fn end_all(&self, tx: &mut Tx<'_>, user: &UserId) -> Result<(), StoreError> {
        tx.end_sessions(user, None).await?;
        Ok(())
    }

    async fn end_named(&self, tx: &mut Tx<'_>, name_id: &str, index: Option<&str>) -> Result<u64, StoreError> {
        tx.end_idp_sessions(name_id, index).await
    }

    async fn check(&self) -> Result<(), Problem> {
        Ok(())
    }
}
