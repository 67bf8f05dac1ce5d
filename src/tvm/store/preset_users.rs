//! The user that an account keeps for its administrators, so that they get in when nothing else lets them. The service has no key of it; it looks whether
//! the user is there.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, Tx};
use crate::tvm::model::NodeId;
use crate::types::Timestamp;

declare! {
    BY_NODE("t") = "SELECT name, seen, seen_at FROM preset_user WHERE node_id = $1";
    // Another user was not seen yet; the same one stays as it was seen.
    SET("tt") = "INSERT INTO preset_user (node_id, name) VALUES ($1, $2) ON CONFLICT (node_id) DO UPDATE SET
        seen = CASE WHEN preset_user.name = excluded.name THEN preset_user.seen END,
        seen_at = CASE WHEN preset_user.name = excluded.name THEN preset_user.seen_at END, name = excluded.name";
    DROP("t") = "DELETE FROM preset_user WHERE node_id = $1";
    SEEN("ttti") = "UPDATE preset_user SET seen = $3, seen_at = $4 WHERE node_id = $1 AND name = $2";
}

/// The user of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresetUser {
    /// Its name in the account.
    pub name: String,
    /// What was last seen of it.
    pub seen: Option<String>,
    /// When.
    pub seen_at: Option<Timestamp>,
}

/// The user of an account, where one is named.
///
/// # Errors
/// The database.
pub async fn by_node(conn: &mut Conn, node: &NodeId) -> Result<Option<PresetUser>> {
    let read = |row: &AnyRow| {
        Ok(PresetUser { name: row.text("name")?, seen: row.maybe_text("seen")?, seen_at: row.maybe_time("seen_at")? })
    };
    BY_NODE.ask().bind(node.as_str()).fetch_optional(conn).await?.as_ref().map(read).transpose()
}

impl Tx<'_> {
    /// Names the user of an account; nothing where there is to be none.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn set_preset_user(&mut self, node: &NodeId, name: Option<&str>) -> Result<()> {
        self.hold_node(node).await?;
        match name {
            Some(name) => SET.ask().bind(node.as_str()).bind(name).execute(&mut **self).await?,
            None => DROP.ask().bind(node.as_str()).execute(&mut **self).await?,
        };
        Ok(())
    }

    /// Writes down what was seen of the user of this name.
    ///
    /// # Errors
    /// The database.
    pub async fn set_user_seen(&mut self, node: &NodeId, name: &str, seen: &str) -> Result<()> {
        let ask = SEEN.ask().bind(node.as_str()).bind(name).bind(seen).bind(self.now().unix_millis());
        ask.execute(&mut **self).await?;
        Ok(())
    }
}
