//! The ledger for whoever oversees it: by person, account, role or key, newest first.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result};
use crate::tvm::model::{NodeId, RoleId, UserId, VendId};
use crate::types::Timestamp;

macro_rules! lines {
    ($rest:literal) => {
        concat!(
            "SELECT id, ts, user_id, gid, role_id, role_arn, node_id, method, channel, lifetime_s, session_name, grant_via, request_id, source_ip,
            outcome, access_key_id, expires_at, cloud_request_id, error_code FROM vend_record ",
            $rest
        )
    };
}

declare! {
    ALL("ti") = lines!("WHERE id < $1 ORDER BY id DESC LIMIT $2");
    OF_USER("titi") = lines!("WHERE user_id = $1 AND (ts, id) < ($2, $3) ORDER BY ts DESC, id DESC LIMIT $4");
    OF_NODE("titi") = lines!("WHERE node_id = $1 AND (ts, id) < ($2, $3) ORDER BY ts DESC, id DESC LIMIT $4");
    OF_ROLE("titi") = lines!("WHERE role_id = $1 AND (ts, id) < ($2, $3) ORDER BY ts DESC, id DESC LIMIT $4");
    OF_KEY("titi") = lines!("WHERE access_key_id = $1 AND (ts, id) < ($2, $3) ORDER BY ts DESC, id DESC LIMIT $4");
}

/// Which lines.
#[derive(Debug, Clone)]
pub enum Of {
    /// All.
    All,
    /// One person's.
    User(UserId),
    /// One account's.
    Node(NodeId),
    /// One role's.
    Role(RoleId),
    /// The one by which a key was handed out.
    Key(String),
}

/// A line with everything that is in it. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vend {
    /// Which.
    pub id: VendId,
    /// When, in milliseconds since 1970.
    pub ts: i64,
    /// For whom.
    pub user: String,
    /// Who that was at the identity provider.
    pub gid: String,
    /// Which role.
    pub role: String,
    /// Its full name then.
    pub role_arn: String,
    /// Of which account.
    pub node: String,
    /// By which way.
    pub method: String,
    /// How it was asked for.
    pub channel: String,
    /// For how many seconds.
    pub lifetime: i64,
    /// The session's label in the cloud's logs.
    pub session_name: String,
    /// By which grants, as JSON text.
    pub grants: String,
    /// The request.
    pub request: Option<String>,
    /// From where.
    pub source_ip: Option<String>,
    /// What became of it.
    pub outcome: String,
    /// The identity of the access key.
    pub access_key_id: Option<String>,
    /// When the keys end.
    pub expires: Option<Timestamp>,
    /// The cloud's number for its answer.
    pub cloud_request: Option<String>,
    /// The cloud's word for what went wrong.
    pub error: Option<String>,
}

fn read(row: &AnyRow) -> Result<Vend> {
    Ok(Vend {
        id: row.word("id", VendId::parse)?,
        ts: row.number("ts")?,
        user: row.text("user_id")?,
        gid: row.text("gid")?,
        role: row.text("role_id")?,
        role_arn: row.text("role_arn")?,
        node: row.text("node_id")?,
        method: row.text("method")?,
        channel: row.text("channel")?,
        lifetime: row.number("lifetime_s")?,
        session_name: row.text("session_name")?,
        grants: row.text("grant_via")?,
        request: row.maybe_text("request_id")?,
        source_ip: row.maybe_text("source_ip")?,
        outcome: row.text("outcome")?,
        access_key_id: row.maybe_text("access_key_id")?,
        expires: row.maybe_time("expires_at")?,
        cloud_request: row.maybe_text("cloud_request_id")?,
        error: row.maybe_text("error_code")?,
    })
}

/// Some lines, newest first; `after` is time and identity of the last one of the page before.
///
/// # Errors
/// The database.
pub async fn vends(conn: &mut Conn, of: &Of, after: Option<(i64, String)>, limit: u32) -> Result<Vec<Vend>> {
    // An identity begins with its time; `Z` sorts after every one.
    let (ts, id) = after.unwrap_or((i64::MAX, "Z".to_owned()));
    let limit = i64::from(limit);
    let (statement, what) = match of {
        Of::All => return ALL.ask().bind(id).bind(limit).fetch_all(conn).await?.iter().map(read).collect(),
        Of::User(user) => (OF_USER, user.as_str()),
        Of::Node(node) => (OF_NODE, node.as_str()),
        Of::Role(role) => (OF_ROLE, role.as_str()),
        Of::Key(key) => (OF_KEY, key.as_str()),
    };
    statement.ask().bind(what).bind(ts).bind(id).bind(limit).fetch_all(conn).await?.iter().map(read).collect()
}
