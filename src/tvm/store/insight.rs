//! Who can use what, and why: for reports and for whoever asks about one person or one role.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result};
use crate::tvm::model::{Class, GroupId, HorizontalId, NodeId, Path, Risk, RoleId, RoleState, Source, UserId};
use crate::types::Timestamp;

declare! {
    // `$3` is whose subtrees count; empty for all. The owner of an account alone does not look after who is in what.
    OWNS_IN("ttti") = "SELECT n.id, n.name, n.path FROM node_owner o JOIN node n ON n.id = o.node_id WHERE o.user_id = $1 AND o.node_id > $2
        AND ($3 = '' OR EXISTS (SELECT 1 FROM node_owner x JOIN node a ON a.id = x.node_id WHERE x.user_id = $3 AND a.kind = 'management'
        AND substr(n.path, 1, length(a.path)) = a.path)) ORDER BY o.node_id LIMIT $4";
    MEMBER_IN("ttti") = "SELECT DISTINCT g.id, g.name, n.path FROM group_member m JOIN user_group g ON g.id = m.group_id JOIN node n ON n.id = g.node_id
        WHERE m.user_id = $1 AND m.group_id > $2
        AND ($3 = '' OR EXISTS (SELECT 1 FROM node_owner x JOIN node a ON a.id = x.node_id WHERE x.user_id = $3 AND a.kind = 'management'
        AND substr(n.path, 1, length(a.path)) = a.path)) ORDER BY g.id LIMIT $4";
    HELD_BY("titttti") = "SELECT r.id, r.name, r.class, r.arn, r.risk, r.state, n.id AS node_id, n.name AS node_name, n.path FROM (
            SELECT g.role_id FROM group_member m JOIN user_group g ON g.id = m.group_id
            WHERE m.user_id = $1 AND (m.expires_at IS NULL OR m.expires_at > $2) AND g.role_id IS NOT NULL
            UNION
            SELECT x.role_id FROM group_member m JOIN horizontal_role_group b ON b.group_id = m.group_id
            JOIN horizontal_role_match x ON x.hrole_id = b.hrole_id
            WHERE m.user_id = $1 AND (m.expires_at IS NULL OR m.expires_at > $2) AND x.state = 'active'
        ) mine JOIN cloud_role r ON r.id = mine.role_id JOIN node n ON n.id = r.node_id
        WHERE r.state <> 'deleted' AND (n.path, r.name, r.id) > ($3, $4, $5)
        AND ($6 = '' OR EXISTS (SELECT 1 FROM node_owner x JOIN node a ON a.id = x.node_id WHERE x.user_id = $6 AND a.kind = 'management'
        AND substr(n.path, 1, length(a.path)) = a.path)) ORDER BY n.path, r.name, r.id LIMIT $7";
    // From a role on, that role included: its people may go on.
    ROLES_BELOW("tttti") = "SELECT r.id, r.name, r.class, r.arn, r.risk, r.state, n.id AS node_id, n.name AS node_name, n.path FROM node n
        JOIN cloud_role r ON r.node_id = n.id WHERE n.path >= $1 AND n.path < $2 AND n.state <> 'destroyed' AND r.class IN ('system', 'custom')
        AND r.state <> 'deleted' AND (n.path > $1 OR r.name >= $3) AND (r.class = 'custom' OR $4 <> 'custom') ORDER BY n.path, r.name LIMIT $5";
    PEOPLE_OF("tittttti") = "SELECT mine.group_id, mine.group_name, mine.hrole_id, mine.hrole_name, u.id AS user_id, u.gid, u.alias, m.source, m.expires_at FROM (
            SELECT g.id AS group_id, g.name AS group_name, '' AS hrole_id, '' AS hrole_name FROM user_group g WHERE g.role_id = $1
            UNION
            SELECT g.id, g.name, h.id, h.name FROM horizontal_role_match x JOIN horizontal_role h ON h.id = x.hrole_id
            JOIN horizontal_role_group b ON b.hrole_id = x.hrole_id JOIN user_group g ON g.id = b.group_id WHERE x.role_id = $1 AND x.state = 'active'
        ) mine JOIN group_member m ON m.group_id = mine.group_id JOIN cam_user u ON u.id = m.user_id
        WHERE (m.expires_at IS NULL OR m.expires_at > $2) AND (m.user_id > $3 OR (m.user_id = $3 AND (mine.group_id > $4 OR (mine.group_id = $4
        AND (mine.hrole_id > $5 OR (mine.hrole_id = $5 AND m.source > $6)))))) AND ($7 = '' OR m.user_id = $7)
        ORDER BY m.user_id, mine.group_id, mine.hrole_id, m.source LIMIT $8";
    // Ended, waiting or not: all that there is between a person and a role.
    BETWEEN("tt") = "SELECT g.id AS group_id, g.name AS group_name, CAST(NULL AS TEXT) AS hrole_id, CAST(NULL AS TEXT) AS hrole_name, CAST(NULL AS TEXT) AS via,
            'active' AS state, m.source, m.granted_at, m.expires_at, m.reason
        FROM user_group g JOIN group_member m ON m.group_id = g.id WHERE g.role_id = $1 AND m.user_id = $2
        UNION SELECT g.id, g.name, h.id, h.name, x.via, x.state, m.source, m.granted_at, m.expires_at, m.reason FROM horizontal_role_match x
        JOIN horizontal_role h ON h.id = x.hrole_id JOIN horizontal_role_group b ON b.hrole_id = x.hrole_id JOIN group_member m ON m.group_id = b.group_id
        JOIN user_group g ON g.id = m.group_id WHERE x.role_id = $1 AND m.user_id = $2 LIMIT 200";
    STOPPED("t") = "SELECT s.id, s.name FROM node s WHERE s.state = 'suspended' AND s.path <= $1 AND substr($1, 1, length(s.path)) = s.path LIMIT 1";
}

/// Something that refers to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    /// `owner of` or `member of`.
    pub what: &'static str,
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The node that it is, or is at.
    pub path: Path,
}

const OWNER: &str = "owner of";
const MEMBER: &str = "member of";

/// Some of what refers to a person: nodes that they own, then groups that they are in. With `scope` only what is at or below a management node
/// that this one owns. `after` is kind and identity of the last one of the page before.
///
/// # Errors
/// The database.
pub async fn ties(conn: &mut Conn, user: &UserId, scope: Option<&UserId>, after: (&str, &str), limit: u32) -> Result<Vec<Tie>> {
    let scope = scope.map_or("", UserId::as_str);
    let kinds = [(OWNER, OWNS_IN), (MEMBER, MEMBER_IN)];
    let begin = usize::from(after.0 == MEMBER);
    let mut found = Vec::new();
    for (at, (what, statement)) in kinds.into_iter().enumerate().skip(begin) {
        let from = if at == begin { after.1 } else { "" };
        let left = i64::from(limit) - i64::try_from(found.len()).unwrap_or(i64::MAX);
        if left <= 0 {
            break;
        }
        for row in statement.ask().bind(user.as_str()).bind(from).bind(scope).bind(left).fetch_all(&mut *conn).await? {
            found.push(Tie { what, id: row.text("id")?, name: row.text("name")?, path: row.word("path", Path::parse)? });
        }
    }
    Ok(found)
}

/// A role with the place of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAt {
    /// Which.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// Who manages it.
    pub class: Class,
    /// Its full name in the cloud.
    pub arn: Option<String>,
    /// What harm it can do.
    pub risk: Risk,
    /// Whether it counts.
    pub state: RoleState,
    /// Its account's node.
    pub node: NodeId,
    /// That node's name.
    pub node_name: String,
    /// Where that is.
    pub path: Path,
}

fn read_role(row: &AnyRow) -> Result<RoleAt> {
    Ok(RoleAt {
        id: row.word("id", RoleId::parse)?,
        name: row.text("name")?,
        class: row.word("class", Class::from_word)?,
        arn: row.maybe_text("arn")?,
        risk: row.word("risk", Risk::from_word)?,
        state: row.word("state", RoleState::from_word)?,
        node: row.word("node_id", NodeId::parse)?,
        node_name: row.text("node_name")?,
        path: row.word("path", Path::parse)?,
    })
}

/// Some of the roles that somebody holds, suspended ones as well, by account and name; `scope` as for [`ties`].
///
/// # Errors
/// The database.
pub async fn held_by(
    conn: &mut Conn,
    user: &UserId,
    now: Timestamp,
    scope: Option<&UserId>,
    after: (&str, &str, &str),
    limit: u32,
) -> Result<Vec<RoleAt>> {
    let ask = HELD_BY.ask().bind(user.as_str()).bind(now.unix_millis()).bind(after.0).bind(after.1).bind(after.2);
    let rows = ask.bind(scope.map_or("", UserId::as_str)).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(read_role).collect()
}

/// Some of the roles of the accounts at and below a node; `from` is the path and the name of the first one.
///
/// # Errors
/// The database.
pub async fn roles_below(conn: &mut Conn, at: &Path, only_custom: bool, from: (&str, &str), limit: u32) -> Result<Vec<RoleAt>> {
    let start = if from.0.is_empty() { at.as_str() } else { from.0 };
    let ask = ROLES_BELOW.ask().bind(start).bind(at.end()).bind(from.1);
    let rows = ask.bind(if only_custom { "custom" } else { "" }).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(read_role).collect()
}

/// Somebody who can use a role, and by which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub user: UserId,
    /// Who, at the identity provider.
    pub gid: String,
    /// What they go by.
    pub alias: String,
    /// The group that they are in, and its name.
    pub group: (GroupId, String),
    /// The horizontal role that the group has, and its name; nothing where it is the role's own group.
    pub horizontal: Option<(HorizontalId, String)>,
    /// How they came into the group.
    pub source: Source,
    /// Until when.
    pub ends: Option<Timestamp>,
}

impl Holder {
    /// Where it stands in the list, for the page after it.
    pub fn place(&self) -> [String; 4] {
        let horizontal = self.horizontal.as_ref().map(|(id, _)| id.to_string()).unwrap_or_default();
        [self.user.to_string(), self.group.0.to_string(), horizontal, self.source.word().to_owned()]
    }
}

/// Some of the people who hold a role, once for each way; `after` is the [`Holder::place`] of the last one of the page before. With `only` it
/// is about one person.
///
/// # Errors
/// The database.
pub async fn holders(
    conn: &mut Conn,
    role: &RoleId,
    now: Timestamp,
    only: Option<&UserId>,
    after: &[String; 4],
    limit: u32,
) -> Result<Vec<Holder>> {
    let [user, group, horizontal, source] = after;
    let ask = PEOPLE_OF.ask().bind(role.as_str()).bind(now.unix_millis()).bind(user).bind(group).bind(horizontal).bind(source);
    let read = |row: &AnyRow| {
        let horizontal = match row.text("hrole_id")?.as_str() {
            "" => None,
            _ => Some((row.word("hrole_id", HorizontalId::parse)?, row.text("hrole_name")?)),
        };
        Ok(Holder {
            user: row.word("user_id", UserId::parse)?,
            gid: row.text("gid")?,
            alias: row.text("alias")?,
            group: (row.word("group_id", GroupId::parse)?, row.text("group_name")?),
            horizontal,
            source: row.word("source", Source::from_word)?,
            ends: row.maybe_time("expires_at")?,
        })
    };
    let rows = ask.bind(only.map_or("", UserId::as_str)).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// A way from a person to a role, whether or not it counts now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The group that they are in, and its name.
    pub group: (GroupId, String),
    /// The horizontal role that the group has, its name, and why the role is in it.
    pub horizontal: Option<(HorizontalId, String, String)>,
    /// Whether the role waits in the horizontal role for somebody to confirm it.
    pub is_pending: bool,
    /// How they came into the group.
    pub source: Source,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub ends: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

/// Every way from a person to a role, two hundred at the most.
///
/// # Errors
/// The database.
pub async fn between(conn: &mut Conn, user: &UserId, role: &RoleId) -> Result<Vec<Way>> {
    let read = |row: &AnyRow| {
        let horizontal = match row.maybe_word("hrole_id", HorizontalId::parse)? {
            None => None,
            Some(id) => Some((id, row.text("hrole_name")?, row.text("via")?)),
        };
        Ok(Way {
            group: (row.word("group_id", GroupId::parse)?, row.text("group_name")?),
            horizontal,
            is_pending: row.text("state")? == "pending",
            source: row.word("source", Source::from_word)?,
            since: row.time("granted_at")?,
            ends: row.maybe_time("expires_at")?,
            reason: row.text("reason")?,
        })
    };
    BETWEEN.ask().bind(role.as_str()).bind(user.as_str()).fetch_all(conn).await?.iter().map(read).collect()
}

/// The suspended node at or above a place, if there is one.
///
/// # Errors
/// The database.
pub async fn stopped_by(conn: &mut Conn, at: &Path) -> Result<Option<String>> {
    STOPPED.ask().bind(at.as_str()).fetch_optional(conn).await?.map(|row| row.text("name")).transpose()
}
