//! What a horizontal role holds and who has it, page by page; and a horizontal group under another name.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, StoreError, Tx};
use crate::tvm::horizontal::Via;
use crate::tvm::model::{GroupId, HorizontalId, Label, NodeId, Path, RoleId, Version};

declare! {
    MATCHES("ttti") = "SELECT x.role_id, x.via, x.state, r.name, n.id AS node_id, n.name AS node_name FROM horizontal_role_match x
        JOIN cloud_role r ON r.id = x.role_id JOIN node n ON n.id = r.node_id
        WHERE x.hrole_id = $1 AND (x.role_id, x.via) > ($2, $3) ORDER BY x.role_id, x.via LIMIT $4";
    GROUPS("tti") = "SELECT g.id, g.name FROM horizontal_role_group b JOIN user_group g ON g.id = b.group_id
        WHERE b.hrole_id = $1 AND b.group_id > $2 ORDER BY b.group_id LIMIT $3";
    RENAME("titt") = "UPDATE user_group SET name = $3, name_norm = $4, version = version + 1 WHERE id = $1 AND version = $2 AND class = 'horizontal'";
    ROLES("tt") = "SELECT count(*) AS number FROM node n JOIN cloud_role r ON r.node_id = n.id
        WHERE n.path >= $1 AND n.path < $2 AND r.class = 'system' AND r.state <> 'deleted'";
}

/// A role in a horizontal role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Which role.
    pub role: RoleId,
    /// Its name.
    pub name: String,
    /// Its account's node.
    pub node: NodeId,
    /// That node's name.
    pub node_name: String,
    /// Why it is there.
    pub via: Via,
    /// Whether it waits for somebody to confirm it.
    pub is_pending: bool,
}

/// Some of the roles in a horizontal role; `after` is the identity and the reason of the last one of the page before.
///
/// # Errors
/// The database.
pub async fn matches(conn: &mut Conn, horizontal: &HorizontalId, after: (&str, &str), limit: u32) -> Result<Vec<Match>> {
    let read = |row: &AnyRow| {
        Ok(Match {
            role: row.word("role_id", RoleId::parse)?,
            name: row.text("name")?,
            node: row.word("node_id", NodeId::parse)?,
            node_name: row.text("node_name")?,
            via: row.word("via", Via::from_word)?,
            is_pending: row.text("state")? == "pending",
        })
    };
    let ask = MATCHES.ask().bind(horizontal.as_str()).bind(after.0).bind(after.1).bind(i64::from(limit));
    ask.fetch_all(conn).await?.iter().map(read).collect()
}

/// Some of the groups that have a horizontal role, with their names, by identity.
///
/// # Errors
/// The database.
pub async fn groups(conn: &mut Conn, horizontal: &HorizontalId, after: &str, limit: u32) -> Result<Vec<(GroupId, String)>> {
    let rows = GROUPS.ask().bind(horizontal.as_str()).bind(after).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.word("id", GroupId::parse)?, row.text("name")?))).collect()
}

/// How many system roles there are at and below a node: what a naming rule there could match at the most.
///
/// # Errors
/// The database.
pub async fn reachable(conn: &mut Conn, at: &Path) -> Result<usize> {
    let row = ROLES.ask().bind(at.as_str()).bind(at.end()).fetch_one(conn).await?;
    usize::try_from(row.number("number")?).map_err(|_| StoreError::Corrupt { column: "number" })
}

impl Tx<'_> {
    /// Gives a horizontal group another name.
    ///
    /// # Errors
    /// The name is taken, or it was changed meanwhile.
    pub async fn rename_group(&mut self, id: &GroupId, version: Version, name: &Label) -> Result<()> {
        let ask = RENAME.ask().bind(id.as_str()).bind(version).bind(name.as_str()).bind(name.normal());
        let rows = ask.execute(&mut **self).await?.rows_affected();
        self.changed(rows)
    }
}
