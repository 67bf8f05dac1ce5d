//! The pool of people.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Reference, Result, StoreError, Taken, Tx};
use crate::tvm::model::{Alias, Description, Email, Gid, NewUser, NodeId, Path, Status, User, UserId, Version};

declare! {
    BY_ID("t") = "SELECT id, gid, alias, email, description, home_node_id, status, version FROM cam_user WHERE id = $1 AND deleted_at IS NULL";
    BY_GID("t") = "SELECT id, gid, alias, email, description, home_node_id, status, version FROM cam_user WHERE gid_norm = $1 AND deleted_at IS NULL";
    GONE("t") = "SELECT id FROM cam_user WHERE gid_norm = $1 AND deleted_at IS NOT NULL";
    LIST("ti") = "SELECT id, gid, alias, email, description, home_node_id, status, version FROM cam_user
        WHERE deleted_at IS NULL AND alias_norm > $1 ORDER BY alias_norm LIMIT $2";
    LIST_BELOW("ttti") = "SELECT u.id, u.gid, u.alias, u.email, u.description, u.home_node_id, u.status, u.version
        FROM node n JOIN cam_user u ON u.home_node_id = n.id
        WHERE n.path >= $1 AND n.path < $2 AND u.deleted_at IS NULL AND u.alias_norm > $3 ORDER BY u.alias_norm LIMIT $4";
    INSERT("tttttttttii") = "INSERT INTO cam_user (id, gid, gid_norm, alias, alias_norm, email, description, home_node_id, status, created_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'active', $9, $10, $11)";
    REVIVE("ttttttti") = "UPDATE cam_user SET gid = $2, alias = $3, alias_norm = $4, email = $5, description = $6, home_node_id = $7, status = 'active',
        deleted_at = NULL, updated_at = $8, version = version + 1 WHERE id = $1 AND deleted_at IS NOT NULL";
    UPDATE("tittttti") = "UPDATE cam_user SET alias = $3, alias_norm = $4, email = $5, description = $6, home_node_id = $7, updated_at = $8, version = version + 1
        WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    SET_STATUS("titi") = "UPDATE cam_user SET status = $3, updated_at = $4, version = version + 1 WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    DELETE("tii") = "UPDATE cam_user SET deleted_at = $3, updated_at = $3, version = version + 1 WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    // Changes nothing and locks the row: whoever is about to bar or delete this person waits, and then sees what we did.
    HOLD("t") = "UPDATE cam_user SET version = version WHERE id = $1 AND deleted_at IS NULL";
    HOLD_ACTIVE("t") = "UPDATE cam_user SET version = version WHERE id = $1 AND deleted_at IS NULL AND status = 'active'";
    HOLD_NODES("t") = "UPDATE node SET version = version WHERE id IN (SELECT node_id FROM node_owner WHERE user_id = $1)";
    ALONE("t") = "SELECT o.node_id FROM node_owner o WHERE o.user_id = $1 AND NOT EXISTS (
        SELECT 1 FROM node_owner x JOIN cam_user u ON u.id = x.user_id
        WHERE x.node_id = o.node_id AND x.user_id <> o.user_id AND u.status = 'active' AND u.deleted_at IS NULL) LIMIT 1";
    OWNS("t") = "SELECT n.id, n.name FROM node_owner o JOIN node n ON n.id = o.node_id WHERE o.user_id = $1 LIMIT 100";
    ENDED_OF("ti") = "DELETE FROM group_member WHERE user_id = $1 AND expires_at <= $2";
    IS_MEMBER("t") = "SELECT DISTINCT g.id, g.name FROM group_member m JOIN user_group g ON g.id = m.group_id WHERE m.user_id = $1 LIMIT 100";
}

pub(super) fn read(row: &AnyRow) -> Result<User> {
    Ok(User {
        id: row.word("id", UserId::parse)?,
        gid: row.word("gid", |text| Gid::parse(text).ok())?,
        alias: row.word("alias", |text| Alias::parse(text).ok())?,
        email: row.word("email", |text| Email::parse(text).ok())?,
        description: row.word("description", |text| Description::parse(text).ok())?,
        home: row.word("home_node_id", NodeId::parse)?,
        status: row.word("status", Status::from_word)?,
        version: row.number("version")?,
    })
}

/// A person, by who they are here.
///
/// # Errors
/// There is none.
pub async fn by_id(conn: &mut Conn, id: &UserId) -> Result<User> {
    let row = BY_ID.ask().bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(read).unwrap_or(Err(StoreError::NotFound("person")))
}

/// A person, by who they are at the identity provider.
///
/// # Errors
/// The database.
pub async fn by_gid(conn: &mut Conn, gid: &Gid) -> Result<Option<User>> {
    BY_GID.ask().bind(gid.normal()).fetch_optional(conn).await?.as_ref().map(read).transpose()
}

/// Some of all people, by alias; `after` is the normal form of the last alias of the page before.
///
/// # Errors
/// The database.
pub async fn list(conn: &mut Conn, after: &str, limit: u32) -> Result<Vec<User>> {
    let rows = LIST.ask().bind(after).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// Some of the people who are at home at a node or below it, by alias.
///
/// # Errors
/// The database.
pub async fn list_below(conn: &mut Conn, at: &Path, after: &str, limit: u32) -> Result<Vec<User>> {
    let ask = LIST_BELOW.ask().bind(at.as_str()).bind(at.end()).bind(after).bind(i64::from(limit));
    ask.fetch_all(conn).await?.iter().map(read).collect()
}

/// What refers to a person: nodes that they own, groups that they are in. A hundred of each at the most.
///
/// # Errors
/// The database.
pub async fn references(conn: &mut Conn, id: &UserId) -> Result<Vec<Reference>> {
    let mut found = Vec::new();
    for (what, statement) in [("owner of", OWNS), ("member of", IS_MEMBER)] {
        for row in statement.ask().bind(id.as_str()).fetch_all(&mut *conn).await? {
            found.push(Reference { what, id: row.text("id")?, name: row.text("name")? });
        }
    }
    Ok(found)
}

impl Tx<'_> {
    /// Adds a person. One who was deleted comes back as the same person, with nothing of what they had.
    ///
    /// # Errors
    /// The GID is in the pool, or the alias somebody's.
    pub async fn add_user(&mut self, new: &NewUser, by: Option<&UserId>) -> Result<UserId> {
        let millis = self.now().unix_millis();
        if let Some(row) = GONE.ask().bind(new.gid.normal()).fetch_optional(&mut **self).await? {
            let id = row.word("id", UserId::parse)?;
            let ask = REVIVE.ask().bind(id.as_str()).bind(new.gid.as_str()).bind(new.alias.as_str()).bind(new.alias.normal());
            let ask = ask.bind(new.email.as_str()).bind(new.description.as_str()).bind(new.home.as_str()).bind(millis);
            return match ask.execute(&mut **self).await?.rows_affected() {
                1 => Ok(id),
                _ => Err(StoreError::Taken(Taken::Gid)),
            };
        }
        let id = UserId::new(self.now());
        let ask = INSERT.ask().bind(id.as_str()).bind(new.gid.as_str()).bind(new.gid.normal()).bind(new.alias.as_str());
        let ask = ask.bind(new.alias.normal()).bind(new.email.as_str()).bind(new.description.as_str()).bind(new.home.as_str());
        ask.bind(by.map(UserId::as_str)).bind(millis).bind(millis).execute(&mut **self).await?;
        Ok(id)
    }

    /// Changes what may be changed of a person; never the GID.
    ///
    /// # Errors
    /// The alias is somebody's, or the person was changed meanwhile.
    pub async fn update_user(&mut self, user: &User) -> Result<()> {
        let ask = UPDATE.ask().bind(user.id.as_str()).bind(user.version).bind(user.alias.as_str()).bind(user.alias.normal());
        let ask =
            ask.bind(user.email.as_str()).bind(user.description.as_str()).bind(user.home.as_str()).bind(self.now().unix_millis());
        let rows = ask.execute(&mut **self).await?.rows_affected();
        self.changed(rows)
    }

    /// Bars a person, or lets them in again. Who is barred is signed out everywhere.
    ///
    /// # Errors
    /// They are the last owner of a node who could act.
    pub async fn set_status(&mut self, id: &UserId, version: Version, status: Status) -> Result<()> {
        let ask = SET_STATUS.ask().bind(id.as_str()).bind(version).bind(status.word()).bind(self.now().unix_millis());
        let rows = ask.execute(&mut **self).await?.rows_affected();
        self.changed(rows)?;
        if status == Status::Disabled {
            HOLD_NODES.ask().bind(id.as_str()).execute(&mut **self).await?;
            if ALONE.ask().bind(id.as_str()).fetch_optional(&mut **self).await?.is_some() {
                return Err(StoreError::LastOwner);
            }
            self.sign_out(id).await?;
        }
        Ok(())
    }

    /// Takes a person out of the pool. Their history stays readable.
    ///
    /// # Errors
    /// Something still refers to them; the error lists it.
    pub async fn delete_user(&mut self, id: &UserId, version: Version) -> Result<()> {
        let rows = DELETE.ask().bind(id.as_str()).bind(version).bind(self.now().unix_millis()).execute(&mut **self).await?;
        self.changed(rows.rows_affected())?;
        self.sign_out(id).await?;
        ENDED_OF.ask().bind(id.as_str()).bind(self.now().unix_millis()).execute(&mut **self).await?;
        let references = references(self, id).await?;
        if references.is_empty() { Ok(()) } else { Err(StoreError::Referenced(references)) }
    }

    /// Ends every session and token of a person, and what they allowed and nobody fetched.
    ///
    /// # Errors
    /// The database.
    pub async fn sign_out(&mut self, id: &UserId) -> Result<()> {
        self.end_sessions(id, None).await?;
        self.revoke_tokens(id).await?;
        self.drop_codes(id).await
    }

    /// Holds a person as they are until the end of the change.
    pub(super) async fn hold_user(&mut self, id: &UserId, must_be_active: bool) -> Result<()> {
        let statement = if must_be_active { HOLD_ACTIVE } else { HOLD };
        match statement.ask().bind(id.as_str()).execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::NotFound("person")),
        }
    }

    /// A row that was not changed had another version, or is gone.
    #[allow(clippy::unused_self, reason = "reads better where it is asked")]
    pub(super) fn changed(&self, rows: u64) -> Result<()> {
        if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
    }
}
