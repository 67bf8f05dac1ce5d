//! Groups and who is in them, until when.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Reference, Result, StoreError, Tx};
use crate::tvm::model::{Alias, Gid, Group, GroupId, GroupKind, Label, NodeId, RoleId, Source, UserId};
use crate::types::Timestamp;

declare! {
    BY_ID("t") = "SELECT id, node_id, role_id, name, version FROM user_group WHERE id = $1";
    AT("tti") = "SELECT id, node_id, role_id, name, version FROM user_group WHERE node_id = $1 AND class = 'horizontal' AND name_norm > $2 ORDER BY name_norm LIMIT $3";
    INSERT("tttti") = "INSERT INTO user_group (id, node_id, class, name, name_norm, created_at) VALUES ($1, $2, 'horizontal', $3, $4, $5)";
    // Locks the group, and with it the role that it is of, until the end of the change.
    HOLD("t") = "UPDATE user_group SET version = version WHERE id = $1";
    DELETE("t") = "DELETE FROM user_group WHERE id = $1 AND class = 'horizontal'";
    HAS_MEMBER("t") = "SELECT DISTINCT u.id, u.alias AS name FROM group_member m JOIN cam_user u ON u.id = m.user_id WHERE m.group_id = $1 LIMIT 100";
    IS_BOUND("t") = "SELECT h.id, h.name FROM horizontal_role_group g JOIN horizontal_role h ON h.id = g.hrole_id WHERE g.group_id = $1 LIMIT 100";
    JOIN("ttttiit") = "INSERT INTO group_member (group_id, user_id, source, granted_by, granted_at, expires_at, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (group_id, user_id, source) DO UPDATE SET granted_by = excluded.granted_by, granted_at = excluded.granted_at,
        expires_at = excluded.expires_at, reason = excluded.reason";
    LEAVE("ttt") = "DELETE FROM group_member WHERE group_id = $1 AND user_id = $2 AND source = $3";
    MEMBERS("ttti") = "SELECT u.id, u.gid, u.alias, m.source, m.expires_at, m.reason FROM group_member m JOIN cam_user u ON u.id = m.user_id
        WHERE m.group_id = $1 AND (m.user_id, m.source) > ($2, $3) ORDER BY m.user_id, m.source LIMIT $4";
    ENDED("i") = "DELETE FROM group_member WHERE expires_at <= $1";
    ENDED_HERE("ti") = "DELETE FROM group_member WHERE group_id = $1 AND expires_at <= $2";
}

fn read(row: &AnyRow) -> Result<Group> {
    Ok(Group {
        id: row.word("id", GroupId::parse)?,
        node: row.word("node_id", NodeId::parse)?,
        kind: row.maybe_word("role_id", RoleId::parse)?.map_or(GroupKind::Horizontal, GroupKind::Role),
        name: row.word("name", |text| Label::parse(text).ok())?,
        version: row.number("version")?,
    })
}

/// Somebody in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: UserId,
    /// Who, at the identity provider.
    pub gid: Gid,
    /// What they go by.
    pub alias: Alias,
    /// How they came to be there.
    pub source: Source,
    /// Until when.
    pub ends: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

/// How somebody comes into a group.
#[derive(Debug, Clone, Copy)]
pub struct Membership<'m> {
    /// By which way.
    pub source: Source,
    /// Who put them there.
    pub by: Option<&'m UserId>,
    /// Until when; nothing means until somebody takes them out.
    pub ends: Option<Timestamp>,
    /// Why.
    pub reason: &'m str,
}

/// A group.
///
/// # Errors
/// There is none.
pub async fn by_id(conn: &mut Conn, id: &GroupId) -> Result<Group> {
    let row = BY_ID.ask().bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(read).unwrap_or(Err(StoreError::NotFound("group")))
}

/// Some of the horizontal groups of a node, by name.
///
/// # Errors
/// The database.
pub async fn at(conn: &mut Conn, node: &NodeId, after: &str, limit: u32) -> Result<Vec<Group>> {
    let rows = AT.ask().bind(node.as_str()).bind(after).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// Some of the people in a group; `after` is the identity and the way of the last one of the page before.
///
/// # Errors
/// The database.
pub async fn members(conn: &mut Conn, group: &GroupId, after: (&str, &str), limit: u32) -> Result<Vec<Member>> {
    let ask = MEMBERS.ask().bind(group.as_str()).bind(after.0).bind(after.1).bind(i64::from(limit));
    let read = |row: &AnyRow| {
        Ok(Member {
            id: row.word("id", UserId::parse)?,
            gid: row.word("gid", |text| Gid::parse(text).ok())?,
            alias: row.word("alias", |text| Alias::parse(text).ok())?,
            source: row.word("source", Source::from_word)?,
            ends: row.maybe_time("expires_at")?,
            reason: row.text("reason")?,
        })
    };
    ask.fetch_all(conn).await?.iter().map(read).collect()
}

/// Removes memberships that have ended. They count for nothing from the moment they end; what is about to go is rid of its own at once.
pub(super) async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    Ok(ENDED.ask().bind(now.unix_millis()).execute(conn).await?.rows_affected())
}

impl Tx<'_> {
    /// Makes a group for horizontal roles.
    ///
    /// # Errors
    /// The name is taken at this node.
    pub async fn add_group(&mut self, node: &NodeId, name: &Label) -> Result<Group> {
        self.hold_node(node).await?;
        let id = GroupId::new(self.now());
        let ask = INSERT.ask().bind(id.as_str()).bind(node.as_str()).bind(name.as_str()).bind(name.normal());
        ask.bind(self.now().unix_millis()).execute(&mut **self).await?;
        by_id(self, &id).await
    }

    /// Removes a horizontal group that nobody is in and no horizontal role is bound to.
    ///
    /// # Errors
    /// Something refers to it; the error lists that. The group of a role goes with its role.
    pub async fn delete_group(&mut self, id: &GroupId) -> Result<()> {
        self.hold_group(id).await?;
        ENDED_HERE.ask().bind(id.as_str()).bind(self.now().unix_millis()).execute(&mut **self).await?;
        let mut left = Vec::new();
        for (what, statement) in [("member", HAS_MEMBER), ("horizontal role", IS_BOUND)] {
            for row in statement.ask().bind(id.as_str()).fetch_all(&mut **self).await? {
                left.push(Reference { what, id: row.text("id")?, name: row.text("name")? });
            }
        }
        if !left.is_empty() {
            return Err(StoreError::Referenced(left));
        }
        match DELETE.ask().bind(id.as_str()).execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::Tree("the group of a role goes with its role")),
        }
    }

    /// Puts a person into a group. Who is there by the same way gets the new end and reason.
    ///
    /// # Errors
    /// There is no such group or person, or the role of the group is gone.
    pub async fn join(&mut self, group: &GroupId, user: &UserId, how: Membership<'_>) -> Result<()> {
        if let GroupKind::Role(role) = by_id(self, group).await?.kind {
            self.hold_role(&role).await?;
        } else {
            self.hold_group(group).await?;
        }
        self.hold_user(user, false).await?;
        let ask = JOIN.ask().bind(group.as_str()).bind(user.as_str()).bind(how.source.word()).bind(how.by.map(UserId::as_str));
        let ask = ask.bind(self.now().unix_millis()).bind(how.ends.map(Timestamp::unix_millis)).bind(how.reason);
        ask.execute(&mut **self).await?;
        Ok(())
    }

    /// Takes a person out of a group, as far as they came by this way.
    ///
    /// # Errors
    /// They are not in it by this way.
    pub async fn leave(&mut self, group: &GroupId, user: &UserId, source: Source) -> Result<()> {
        let ask = LEAVE.ask().bind(group.as_str()).bind(user.as_str()).bind(source.word());
        match ask.execute(&mut **self).await?.rows_affected() {
            0 => Err(StoreError::NotFound("membership")),
            _ => Ok(()),
        }
    }

    pub(super) async fn hold_group(&mut self, id: &GroupId) -> Result<()> {
        match HOLD.ask().bind(id.as_str()).execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::NotFound("group")),
        }
    }
}
