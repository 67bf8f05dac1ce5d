//! Finding people: by the beginning of what they go by, among all or among those whom somebody looks after.

use super::sql::declare;
use super::{Conn, Result, users};
use crate::tvm::model::{User, UserId};

declare! {
    SEARCH("ttti") = "SELECT id, gid, alias, email, description, home_node_id, status, version FROM cam_user
        WHERE deleted_at IS NULL AND alias_norm > $1 AND alias_norm >= $2 AND alias_norm < $3 ORDER BY alias_norm LIMIT $4";
    SEARCH_OWNED("tttti") = "SELECT DISTINCT u.id, u.gid, u.alias, u.email, u.description, u.home_node_id, u.status, u.version, u.alias_norm FROM node_owner o
        JOIN node a ON a.id = o.node_id JOIN node n ON n.path >= a.path AND n.path < substr(a.path, 1, length(a.path) - 1) || '0'
        JOIN cam_user u ON u.home_node_id = n.id WHERE o.user_id = $1 AND a.state <> 'destroyed' AND u.deleted_at IS NULL
        AND u.alias_norm > $2 AND u.alias_norm >= $3 AND u.alias_norm < $4 ORDER BY u.alias_norm LIMIT $5";
}

/// Sorts after every text that people write.
const LAST: char = '\u{10ffff}';

/// Some of the people whose alias begins like this, by alias; `after` is the normal form of the last alias of the page before. With `owner`
/// only those who are at home at or below a node that this person owns.
///
/// # Errors
/// The database.
pub async fn search(conn: &mut Conn, owner: Option<&UserId>, begins: &str, after: &str, limit: u32) -> Result<Vec<User>> {
    let end = format!("{begins}{LAST}");
    let ask = match owner {
        None => SEARCH.ask(),
        Some(owner) => SEARCH_OWNED.ask().bind(owner.as_str()),
    };
    let rows = ask.bind(after).bind(begins).bind(end).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(users::read).collect()
}
