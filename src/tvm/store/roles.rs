//! Roles of cloud accounts. Each has its group, made and gone with it.

use sqlx::any::AnyRow;

use super::horizontals::Rules;
use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Reference, Result, StoreError, Tx, nodes};
use crate::tvm::horizontal::Candidate;
use crate::tvm::model::{
    CamPower, Class, GroupId, Kind, NewRole, NodeId, Plane, Risk, Role, RoleId, RoleState, VendMethod, Version,
};
use crate::types::RoleArn;

declare! {
    BY_ID("t") = "SELECT r.id, r.node_id, g.id AS group_id, r.class, r.name, r.arn, r.plane, r.preset_key, r.cam_power, r.max_session_s, r.vend_method, r.risk,
        r.state, r.version FROM cloud_role r JOIN user_group g ON g.role_id = r.id WHERE r.id = $1 AND r.state <> 'deleted'";
    AT("ttti") = "SELECT r.id, r.node_id, g.id AS group_id, r.class, r.name, r.arn, r.plane, r.preset_key, r.cam_power, r.max_session_s, r.vend_method, r.risk,
        r.state, r.version FROM cloud_role r JOIN user_group g ON g.role_id = r.id
        WHERE r.node_id = $1 AND r.class = $2 AND r.name > $3 AND r.state <> 'deleted' ORDER BY r.name LIMIT $4";
    NAMED("tt") = "SELECT id FROM cloud_role WHERE node_id = $1 AND name = $2 AND state <> 'deleted'";
    INSERT("tttttttittttii") = "INSERT INTO cloud_role (id, node_id, class, name, arn, plane, preset_key, max_session_s, cam_power, vend_method, risk, state, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    INSERT_GROUP("tttti") = "INSERT INTO user_group (id, node_id, class, role_id, name, name_norm, created_at) VALUES ($1, $2, 'role', $3, $4, $4, $5)";
    UPDATE("tittittti") = "UPDATE cloud_role SET name = $3, arn = $4, max_session_s = $5, vend_method = $6, risk = $7, state = $8, updated_at = $9,
        version = version + 1 WHERE id = $1 AND version = $2 AND state <> 'deleted'";
    RENAME_GROUP("tt") = "UPDATE user_group SET name = $2, name_norm = $2 WHERE role_id = $1";
    DELETE("tii") = "UPDATE cloud_role SET state = 'deleted', updated_at = $3, version = version + 1 WHERE id = $1 AND version = $2 AND state <> 'deleted'";
    BY_NAME("tt") = "SELECT r.id, r.node_id, g.id AS group_id, r.class, r.name, r.arn, r.plane, r.preset_key, r.cam_power, r.max_session_s, r.vend_method, r.risk,
        r.state, r.version FROM cloud_role r JOIN user_group g ON g.role_id = r.id WHERE r.node_id = $1 AND r.name = $2 AND r.state <> 'deleted'";
    // What was seen of a role changes nothing of it: its version stays.
    VERIFIED("tti") = "UPDATE cloud_role SET verify_result = $2, verified_at = $3 WHERE id = $1 AND state <> 'deleted'";
    UNWELL("t") = "SELECT name, verify_result FROM cloud_role WHERE node_id = $1 AND state <> 'deleted' AND verify_result IS NOT NULL
        AND verify_result <> 'trusting' AND verify_result <> 'there' ORDER BY name LIMIT 100";
    // Locks the row until the end of the change.
    HOLD("t") = "UPDATE cloud_role SET version = version WHERE id = $1 AND state <> 'deleted'";
    HAS_MEMBER("t") = "SELECT DISTINCT u.id, u.alias AS name FROM user_group g JOIN group_member m ON m.group_id = g.id JOIN cam_user u ON u.id = m.user_id
        WHERE g.role_id = $1 LIMIT 100";
    ENDED_OF("ti") = "DELETE FROM group_member WHERE group_id IN (SELECT id FROM user_group WHERE role_id = $1) AND expires_at <= $2";
    IS_ADDED("t") = "SELECT h.id, h.name FROM horizontal_role_explicit e JOIN horizontal_role h ON h.id = e.hrole_id WHERE e.role_id = $1 LIMIT 100";
}

pub(super) fn read(row: &AnyRow) -> Result<Role> {
    Ok(Role {
        id: row.word("id", RoleId::parse)?,
        node: row.word("node_id", NodeId::parse)?,
        group: row.word("group_id", GroupId::parse)?,
        class: row.word("class", Class::from_word)?,
        name: row.text("name")?,
        arn: row.maybe_word("arn", |text| RoleArn::parse(text).ok())?,
        plane: row.word("plane", Plane::from_word)?,
        preset: row.maybe_text("preset_key")?,
        power: row.maybe_word("cam_power", CamPower::from_word)?,
        max_session: row.maybe_session("max_session_s")?,
        method: row.maybe_word("vend_method", VendMethod::from_word)?,
        risk: row.word("risk", Risk::from_word)?,
        state: row.word("state", RoleState::from_word)?,
        version: row.number("version")?,
    })
}

/// A role.
///
/// # Errors
/// There is none, or it was deleted.
pub async fn by_id(conn: &mut Conn, id: &RoleId) -> Result<Role> {
    let row = BY_ID.ask().bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(read).unwrap_or(Err(StoreError::NotFound("role")))
}

/// A role of an account, by its name.
///
/// # Errors
/// The database.
pub async fn by_name(conn: &mut Conn, node: &NodeId, name: &str) -> Result<Option<Role>> {
    BY_NAME.ask().bind(node.as_str()).bind(name).fetch_optional(conn).await?.as_ref().map(read).transpose()
}

/// Some of an account's roles, by name.
///
/// # Errors
/// The database.
pub async fn at(conn: &mut Conn, node: &NodeId, class: Class, after: &str, limit: u32) -> Result<Vec<Role>> {
    let ask = AT.ask().bind(node.as_str()).bind(class.word()).bind(after).bind(i64::from(limit));
    ask.fetch_all(conn).await?.iter().map(read).collect()
}

/// Every role of an account that is in its cloud: system roles first, each kind by name.
///
/// # Errors
/// The database.
pub async fn in_cloud(conn: &mut Conn, node: &NodeId) -> Result<Vec<Role>> {
    const PAGE: u32 = 200;
    let mut all = Vec::new();
    for class in [Class::System, Class::Custom] {
        let mut after = String::new();
        loop {
            let page = at(&mut *conn, node, class, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.name.clone();
            all.extend(page.into_iter().filter(|role| role.arn.is_some()));
        }
    }
    Ok(all)
}

/// Roles of an account that people could not use when they were last looked at, each with what was seen of it; a hundred at the most.
///
/// # Errors
/// The database.
pub async fn unwell(conn: &mut Conn, node: &NodeId) -> Result<Vec<(String, String)>> {
    let rows = UNWELL.ask().bind(node.as_str()).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.text("name")?, row.text("verify_result")?))).collect()
}

/// The role of this name in an account, if there is one.
///
/// # Errors
/// The database.
pub async fn named(conn: &mut Conn, node: &NodeId, name: &str) -> Result<Option<RoleId>> {
    let row = NAMED.ask().bind(node.as_str()).bind(name).fetch_optional(conn).await?;
    row.map(|row| row.word("id", RoleId::parse)).transpose()
}

/// What refers to a role: people in its group, horizontal roles that somebody added it to.
///
/// # Errors
/// The database.
pub async fn references(conn: &mut Conn, id: &RoleId) -> Result<Vec<Reference>> {
    let mut found = Vec::new();
    for (what, statement) in [("member", HAS_MEMBER), ("horizontal role", IS_ADDED)] {
        for row in statement.ask().bind(id.as_str()).fetch_all(&mut *conn).await? {
            found.push(Reference { what, id: row.text("id")?, name: row.text("name")? });
        }
    }
    Ok(found)
}

impl Tx<'_> {
    /// Writes down what the account said of a role.
    ///
    /// # Errors
    /// The database.
    pub async fn set_verified(&mut self, id: &RoleId, result: &str) -> Result<()> {
        let ask = VERIFIED.ask().bind(id.as_str()).bind(result).bind(self.now().unix_millis());
        ask.execute(&mut **self).await?;
        Ok(())
    }

    /// Registers a role with its group. Horizontal roles whose rule it keeps to have it from now on.
    ///
    /// # Errors
    /// It is registered already, or is not one of the node's account.
    pub async fn add_role(&mut self, node: &NodeId, new: &NewRole) -> Result<Role> {
        let ids = self.add_roles(node, std::slice::from_ref(new), &mut Rules::default()).await?;
        by_id(self, ids.first().ok_or(StoreError::NotFound("role"))?).await
    }

    /// Registers roles of an account, each as [`Tx::add_role`] does. `rules` are those that this change has read already: the naming rules above
    /// an account are those above the next one.
    ///
    /// # Errors
    /// One of them cannot be registered; then the change has to be given up.
    pub async fn add_roles(&mut self, node: &NodeId, all: &[NewRole], rules: &mut Rules) -> Result<Vec<RoleId>> {
        self.hold_node(node).await?;
        let node = nodes::by_id(self, node).await?;
        let Kind::Account(account) = &node.kind else { return Err(StoreError::Tree("roles belong to account nodes")) };
        let mut candidates = Vec::with_capacity(all.len());
        for new in all {
            if new.arn.as_ref().is_some_and(|arn| !account.owns(arn)) {
                return Err(StoreError::Tree("the role belongs to another account"));
            }
            let (id, group, millis) = (RoleId::new(self.now()), GroupId::new(self.now()), self.now().unix_millis());
            let ask = INSERT.ask().bind(id.as_str()).bind(node.id.as_str()).bind(new.class.word()).bind(new.name.as_str());
            let ask = ask.bind(new.arn.as_ref().map(RoleArn::as_str)).bind(new.plane.word()).bind(new.preset.as_deref());
            let ask = ask.bind(new.max_session.map(|duration| i64::from(duration.seconds()))).bind(new.power.map(CamPower::word));
            let ask = ask.bind(new.method.map(VendMethod::word)).bind(new.risk.word()).bind(RoleState::Active.word());
            ask.bind(millis).bind(millis).execute(&mut **self).await?;
            let ask = INSERT_GROUP.ask().bind(group.as_str()).bind(node.id.as_str()).bind(id.as_str()).bind(new.name.as_str());
            ask.bind(millis).execute(&mut **self).await?;
            let (name, class, path) = (new.name.clone(), new.class, node.path.clone());
            candidates.push(Candidate { id, name, class, state: RoleState::Active, path });
        }
        self.take_up(&node.path, &candidates, rules).await?;
        Ok(candidates.into_iter().map(|candidate| candidate.id).collect())
    }

    /// Changes a role. Under another name it is in other horizontal roles.
    ///
    /// # Errors
    /// The name is taken, is kept for preset roles, or the role was changed meanwhile.
    pub async fn update_role(&mut self, role: &Role) -> Result<()> {
        if role.state == RoleState::Deleted {
            return Err(StoreError::Tree("a role is deleted in its own way"));
        }
        let mut name = role.name.clone();
        if let Some(arn) = &role.arn {
            let node = nodes::by_id(self, &role.node).await?;
            let account = node.kind.account().ok_or(StoreError::Tree("roles belong to account nodes"))?;
            let new = NewRole::new(role.class, arn.clone(), account)?;
            // Powers come with the name: whoever may only change roles must not make one that gives them.
            if new.preset != by_id(self, &role.id).await?.preset {
                return Err(StoreError::Tree("a role becomes a preset role, or ceases to be one, only by being registered anew"));
            }
            name = new.name;
        }
        let ask = UPDATE
            .ask()
            .bind(role.id.as_str())
            .bind(role.version)
            .bind(name.as_str())
            .bind(role.arn.as_ref().map(RoleArn::as_str));
        let ask =
            ask.bind(role.max_session.map(|duration| i64::from(duration.seconds()))).bind(role.method.map(VendMethod::word));
        let ask = ask.bind(role.risk.word()).bind(role.state.word()).bind(self.now().unix_millis());
        let rows = ask.execute(&mut **self).await?.rows_affected();
        self.changed(rows)?;
        RENAME_GROUP.ask().bind(role.id.as_str()).bind(name.as_str()).execute(&mut **self).await?;
        self.look_again_at(&role.id).await
    }

    /// Takes a role out. Its history stays readable.
    ///
    /// # Errors
    /// Somebody is in its group, or it was added to a horizontal role; the error lists them.
    pub async fn delete_role(&mut self, id: &RoleId, version: Version) -> Result<()> {
        let rows = DELETE.ask().bind(id.as_str()).bind(version).bind(self.now().unix_millis()).execute(&mut **self).await?;
        self.changed(rows.rows_affected())?;
        ENDED_OF.ask().bind(id.as_str()).bind(self.now().unix_millis()).execute(&mut **self).await?;
        let references = references(self, id).await?;
        if !references.is_empty() {
            return Err(StoreError::Referenced(references));
        }
        self.look_again_at(id).await
    }

    pub(super) async fn hold_role(&mut self, id: &RoleId) -> Result<()> {
        match HOLD.ask().bind(id.as_str()).execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::NotFound("role")),
        }
    }
}
