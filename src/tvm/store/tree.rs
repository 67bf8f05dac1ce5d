//! Looking at the tree: so far down, and the names on the way up.

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, nodes};
use crate::tvm::model::{Node, Path};

declare! {
    BELOW_TO("tttii") = "SELECT id, kind, is_root, path, name, description, partition_key, account_uid, vend_method, saml_provider, max_session_s, client_exchange, state, version FROM node
        WHERE path > $1 AND path < $2 AND path > $3 AND depth <= $4 AND state <> 'destroyed' ORDER BY path LIMIT $5";
    NAME("t") = "SELECT name FROM node WHERE id = $1";
}

/// Some of what is below a node, down to a depth of the tree, each after what is above it; `after` is the path of the last one of the page
/// before.
///
/// # Errors
/// The database.
pub async fn below_to(conn: &mut Conn, at: &Path, depth: usize, after: &str, limit: u32) -> Result<Vec<Node>> {
    let depth = i64::try_from(depth).unwrap_or(i64::MAX);
    let ask = BELOW_TO.ask().bind(at.as_str()).bind(at.end()).bind(after).bind(depth).bind(i64::from(limit));
    ask.fetch_all(conn).await?.iter().map(nodes::read).collect()
}

/// The names of the nodes above, from the root down.
///
/// # Errors
/// The database.
pub async fn above(conn: &mut Conn, at: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let Some(parent) = at.parent() else { return Ok(names) };
    // A tree has 16 levels at the most, and each is found by its identity.
    for id in parent.ids() {
        let row = NAME.ask().bind(id.as_str()).fetch_optional(&mut *conn).await?;
        names.extend(row.map(|row| row.text("name")).transpose()?);
    }
    Ok(names)
}
