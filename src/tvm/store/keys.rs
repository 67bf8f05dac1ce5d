//! Signing keys. What is secret in them is sealed before it comes here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, StoreError, Tx};
use crate::tvm::keys::{Backend, Purpose, SigningKey, State};
use crate::tvm::model::{KeyId, Version};

declare! {
    BY_ID("t") = "SELECT * FROM signing_key WHERE id = $1";
    // There are a few keys a year.
    ALL("") = "SELECT * FROM signing_key ORDER BY id";
    INSERT("ttttttiii") = "INSERT INTO signing_key (id, purpose, backend, held, certificate, state, not_before, not_after, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)";
    STATE("titti") = "UPDATE signing_key SET state = $4, held = CASE WHEN $4 = 'retired' AND backend = 'file' THEN '' ELSE held END,
        updated_at = $5, version = version + 1 WHERE id = $1 AND version = $2 AND state = $3";
}

fn read(row: &AnyRow) -> Result<SigningKey> {
    let time = |column| row.maybe_time(column)?.ok_or(StoreError::Corrupt { column });
    Ok(SigningKey {
        id: row.word("id", KeyId::parse)?,
        purpose: row.word("purpose", Purpose::from_word)?,
        backend: row.word("backend", Backend::from_word)?,
        held: row.text("held")?,
        certificate: row.word("certificate", |text| STANDARD.decode(text).ok())?,
        state: row.word("state", State::from_word)?,
        not_before: time("not_before")?,
        not_after: time("not_after")?,
        created: time("created_at")?,
        version: row.number("version")?,
    })
}

/// Every key, oldest first.
///
/// # Errors
/// The database.
pub async fn all(conn: &mut Conn) -> Result<Vec<SigningKey>> {
    ALL.ask().fetch_all(conn).await?.iter().map(read).collect()
}

/// A key.
///
/// # Errors
/// There is none.
pub async fn by_id(conn: &mut Conn, id: &KeyId) -> Result<SigningKey> {
    let row = BY_ID.ask().bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(read).unwrap_or(Err(StoreError::NotFound("signing key")))
}

impl Tx<'_> {
    /// Puts a key in; its first state is its own.
    ///
    /// # Errors
    /// The database.
    pub async fn add_key(&mut self, key: &SigningKey) -> Result<()> {
        let ask = INSERT.ask().bind(key.id.as_str()).bind(key.purpose.word()).bind(key.backend.word()).bind(key.held.as_str());
        let ask = ask.bind(STANDARD.encode(&key.certificate)).bind(key.state.word()).bind(key.not_before.unix_millis());
        ask.bind(key.not_after.unix_millis()).bind(self.now().unix_millis()).execute(&mut **self).await?;
        Ok(())
    }

    /// Moves a key on. A retired one that was kept here is gone for good: its sealed text is wiped.
    ///
    /// # Errors
    /// Nothing comes back; another key signs already; somebody moved it meanwhile.
    pub async fn move_key(&mut self, id: &KeyId, version: Version, from: State, to: State) -> Result<()> {
        if !from.may_become(to) {
            return Err(StoreError::Tree("a key goes from pending to active to retiring to retired"));
        }
        let ask = STATE.ask().bind(id.as_str()).bind(version).bind(from.word()).bind(to.word());
        let rows = ask.bind(self.now().unix_millis()).execute(&mut **self).await?.rows_affected();
        self.changed(rows)
    }
}
