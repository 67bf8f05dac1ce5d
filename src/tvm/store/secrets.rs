//! Keys of a RAM user or an IAM user of an account, sealed. Only for accounts whose keys cannot be come by in a better way.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, StoreError, Tx};
use crate::tvm::model::{CloudAccount, NodeId, Partition};
use crate::types::Timestamp;

/// The table, as it is bound into what is sealed.
pub const TABLE: &str = "account_secret";

declare! {
    BY_NODE("t") = "SELECT access_key_id, sealed, rotated_at FROM account_secret WHERE node_id = $1";
    SET("ttti") = "INSERT INTO account_secret (node_id, access_key_id, sealed, rotated_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (node_id) DO UPDATE SET access_key_id = excluded.access_key_id, sealed = excluded.sealed, rotated_at = excluded.rotated_at";
    PAGE("ti") = "SELECT s.node_id, n.name, n.partition_key, n.account_uid, s.access_key_id, s.rotated_at FROM account_secret s JOIN node n ON n.id = s.node_id
        WHERE s.node_id > $1 ORDER BY s.node_id LIMIT $2";
    DROP("t") = "DELETE FROM account_secret WHERE node_id = $1";
}

/// An account's key, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSecret {
    /// The access key ID, which is not secret.
    pub access_key_id: String,
    /// The secret, sealed for this very row.
    pub sealed: String,
    /// Since when it is this one.
    pub rotated: Timestamp,
}

/// The key of an account.
///
/// # Errors
/// The database.
pub async fn by_node(conn: &mut Conn, node: &NodeId) -> Result<Option<AccountSecret>> {
    let read = |row: &AnyRow| {
        Ok(AccountSecret {
            access_key_id: row.text("access_key_id")?,
            sealed: row.text("sealed")?,
            rotated: row.time("rotated_at")?,
        })
    };
    BY_NODE.ask().bind(node.as_str()).fetch_optional(conn).await?.as_ref().map(read).transpose()
}

/// Forgets the key of an account, if it has one; whether it had.
pub(super) async fn forget(conn: &mut Conn, node: &NodeId) -> Result<bool> {
    Ok(DROP.ask().bind(node.as_str()).execute(conn).await?.rows_affected() == 1)
}

/// An account that has a key, for people.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its node.
    pub node: NodeId,
    /// What that is called.
    pub name: String,
    /// The account.
    pub account: CloudAccount,
    /// The access key ID.
    pub access_key_id: String,
    /// Since when it is this one.
    pub rotated: Timestamp,
}

/// Some of the accounts that have a key, after the node of that identity.
///
/// # Errors
/// The database.
pub async fn page(conn: &mut Conn, after: &str, limit: u32) -> Result<Vec<Kept>> {
    let read = |row: &AnyRow| {
        let partition = row.word("partition_key", Partition::from_word)?;
        Ok(Kept {
            node: row.word("node_id", NodeId::parse)?,
            name: row.text("name")?,
            account: row.word("account_uid", |uid| CloudAccount::new(partition, uid).ok())?,
            access_key_id: row.text("access_key_id")?,
            rotated: row.time("rotated_at")?,
        })
    };
    PAGE.ask().bind(after).bind(i64::from(limit)).fetch_all(conn).await?.iter().map(read).collect()
}

impl Tx<'_> {
    /// Keeps a key for an account, in place of the one before. Sealed by the caller for [`TABLE`] and this node.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn put_secret(&mut self, node: &NodeId, access_key_id: &str, sealed: &str) -> Result<()> {
        self.hold_node(node).await?;
        let ask = SET.ask().bind(node.as_str()).bind(access_key_id).bind(sealed).bind(self.now().unix_millis());
        ask.execute(&mut **self).await?;
        Ok(())
    }

    /// Forgets the key of an account.
    ///
    /// # Errors
    /// There is none.
    pub async fn drop_secret(&mut self, node: &NodeId) -> Result<()> {
        if forget(self, node).await? { Ok(()) } else { Err(StoreError::NotFound("secret of this account")) }
    }
}
