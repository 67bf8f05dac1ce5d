//! Upkeep: what no right depends on, and no event tells of. That somebody was seen, and that what has ended is gone.

use super::{Result, Store, Tx, allowances, codes, groups, idempotency, proposals, saml, sessions, tokens};
use crate::tvm::model::{Digest, TokenId};
use crate::types::Timestamp;

/// How long a session or a token may have been used before that is written down again.
const EVERY: std::time::Duration = std::time::Duration::from_secs(60);

/// What is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A session.
    Session(Digest),
    /// A token.
    Token(TokenId),
}

impl Seen {
    /// Whether it is time to write down again that something is in use.
    pub fn is_due(last: Option<Timestamp>, now: Timestamp) -> bool {
        last.is_none_or(|last| now.since(last) >= EVERY)
    }
}

impl Store {
    /// Writes down that something is in use. Ask [`Seen::is_due`] first.
    ///
    /// # Errors
    /// The database.
    pub async fn touch(&self, seen: &Seen, now: Timestamp) -> Result<()> {
        let seen = seen.clone();
        self.piece(now, move |tx| {
            let seen = seen.clone();
            Box::pin(async move {
                match seen {
                    Seen::Session(id) => sessions::touch(tx, &id, now).await?,
                    Seen::Token(id) => tokens::touch(tx, &id, now).await?,
                }
                Ok(((), None))
            })
        })
        .await
    }

    /// Removes what has ended: sessions, requests, what was seen of assertions, tokens, codes, devices, answers, allowances, memberships. How many rows. Nothing of this
    /// counted any more.
    ///
    /// # Errors
    /// The database.
    pub async fn sweep(&self, now: Timestamp) -> Result<u64> {
        let mut tx = self.begin(now).await?;
        let mut gone = sessions::sweep(&mut tx, now).await?;
        gone += saml::sweep(&mut tx, now).await?;
        gone += tokens::sweep(&mut tx, now).await?;
        gone += codes::sweep(&mut tx, now).await?;
        gone += idempotency::sweep(&mut tx, now).await?;
        gone += proposals::sweep(&mut tx, now).await?;
        gone += allowances::sweep(&mut tx, now).await?;
        gone += groups::sweep(&mut tx, now).await?;
        tx.keep().await?;
        Ok(gone)
    }
}

impl Tx<'_> {
    /// Ends a change that no right depends on, without an event. Only for what is in this room, and only for upkeep.
    pub(super) async fn keep(self) -> Result<()> {
        self.finish(None).await
    }
}
