//! The node tree and its owners.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Reference, Result, StoreError, Tx, secrets};
use crate::tvm::model::{
    Alias, CloudAccount, Description, Gid, Kind, Label, NewNode, NewUser, Node, NodeId, NodeState, Partition, Path, UserId,
    VendMethod, Vending, Version,
};
use crate::tvm::presets::PRESETS;
use crate::types::IdpArn;

declare! {
    BY_ID("t") = "SELECT id, kind, is_root, path, name, description, partition_key, account_uid, vend_method, saml_provider, max_session_s, client_exchange, state, version FROM node WHERE id = $1 AND state <> 'destroyed'";
    ROOT("") = "SELECT id, kind, is_root, path, name, description, partition_key, account_uid, vend_method, saml_provider, max_session_s, client_exchange, state, version FROM node WHERE is_root = 1";
    BY_ACCOUNT("tt") = "SELECT id, kind, is_root, path, name, description, partition_key, account_uid, vend_method, saml_provider, max_session_s, client_exchange, state, version FROM node
        WHERE partition_key = $1 AND account_uid = $2 AND kind = 'account' AND state <> 'destroyed'";
    CHILDREN("ttti") = "SELECT id, kind, is_root, path, name, description, partition_key, account_uid, vend_method, saml_provider, max_session_s, client_exchange, state, version FROM node
        WHERE parent_id = $1 AND state <> 'destroyed' AND (name_norm, id) > ($2, $3) ORDER BY name_norm, id LIMIT $4";
    BELOW("ttti") = "SELECT id, kind, is_root, path, name, description, partition_key, account_uid, vend_method, saml_provider, max_session_s, client_exchange, state, version FROM node
        WHERE path > $1 AND path < $2 AND path > $3 AND state <> 'destroyed' ORDER BY path LIMIT $4";
    INSERT("ttittttitttttiit") = "INSERT INTO node (id, kind, is_root, parent_id, parent_kind, parent_path, path, depth, name, name_norm, description, partition_key,
        account_uid, state, created_at, updated_at, keeper_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'active', $14, $15, $16)";
    UPDATE("titttttttiiti") = "UPDATE node SET name = $3, name_norm = $4, description = $5, partition_key = $6, account_uid = $7, vend_method = $8, saml_provider = $9,
        max_session_s = $10, client_exchange = $11, state = $12, updated_at = $13, version = version + 1 WHERE id = $1 AND version = $2 AND state <> 'destroyed'";
    // Locks the row until the end of the change.
    HOLD("t") = "UPDATE node SET version = version WHERE id = $1 AND state <> 'destroyed'";
    REPARENT("titi") = "UPDATE node SET parent_id = $3, updated_at = $4, version = version + 1 WHERE id = $1 AND version = $2 AND is_root = 0 AND state <> 'destroyed'";
    // Everything below goes along; the schema holds every path against its parent's at the end.
    REPATH("ttitit") = "UPDATE node SET parent_path = CASE WHEN path = $1 THEN $4 ELSE $2 || substr(parent_path, CAST($3 AS INTEGER)) END, path = $2 || substr(path, CAST($3 AS INTEGER)), depth = depth + $5
        WHERE path >= $1 AND path < $6";
    HAS_CHILD("t") = "SELECT id, name FROM node WHERE parent_id = $1 AND state <> 'destroyed' LIMIT 100";
    HAS_ROLE("t") = "SELECT id, name FROM cloud_role WHERE node_id = $1 AND class IN ('system', 'custom') AND state <> 'deleted' LIMIT 100";
    HAS_HORIZONTAL("t") = "SELECT id, name FROM horizontal_role WHERE node_id = $1 LIMIT 100";
    HAS_GROUP("t") = "SELECT id, name FROM user_group WHERE node_id = $1 AND class = 'horizontal' LIMIT 100";
    DESTROY("tii") = "UPDATE node SET state = 'destroyed', keeper_id = NULL, updated_at = $3, version = version + 1
        WHERE id = $1 AND version = $2 AND is_root = 0 AND state <> 'destroyed'";
    DISOWN("t") = "DELETE FROM node_owner WHERE node_id = $1";
    REHOME("tt") = "UPDATE cam_user SET home_node_id = $2 WHERE home_node_id = $1";
    OWN("ttti") = "INSERT INTO node_owner (node_id, user_id, granted_by, granted_at) VALUES ($1, $2, $3, $4) ON CONFLICT (node_id, user_id) DO NOTHING";
    OWNERS("tti") = "SELECT u.id, u.gid, u.alias, u.status FROM node_owner o JOIN cam_user u ON u.id = o.user_id
        WHERE o.node_id = $1 AND o.user_id > $2 ORDER BY o.user_id LIMIT $3";
    OTHER_OWNER("tt") = "SELECT o.user_id FROM node_owner o JOIN cam_user u ON u.id = o.user_id
        WHERE o.node_id = $1 AND o.user_id <> $2 AND u.status = 'active' AND u.deleted_at IS NULL LIMIT 1";
    KEEP("tt") = "UPDATE node SET keeper_id = $2 WHERE id = $1";
    LEAVE("tt") = "DELETE FROM node_owner WHERE node_id = $1 AND user_id = $2";
}

/// Written once, when everything begins.
const ADD_PRESET: &str =
    "INSERT INTO preset_role (role_key, scope, title_zh, title_en, plane, cam_power, risk) VALUES ($1, $2, $3, $4, $5, $6, $7)";

pub(super) fn read(row: &AnyRow) -> Result<Node> {
    let account = match (row.maybe_word("partition_key", Partition::from_word)?, row.maybe_text("account_uid")?) {
        (Some(partition), Some(uid)) => Some(CloudAccount::new(partition, &uid)?),
        _ => None,
    };
    let kind = match (row.text("kind")?.as_str(), row.number("is_root")?, account) {
        ("management", 1, account) => Kind::Root(account),
        ("management", 0, None) => Kind::Management,
        ("account", 0, Some(account)) => Kind::Account(account),
        _ => return Err(StoreError::Corrupt { column: "kind" }),
    };
    Ok(Node {
        id: row.word("id", NodeId::parse)?,
        kind,
        path: row.word("path", Path::parse)?,
        name: row.word("name", |text| Label::parse(text).ok())?,
        description: row.word("description", |text| Description::parse(text).ok())?,
        vending: Vending {
            method: row.word("vend_method", VendMethod::from_word)?,
            provider: row.maybe_word("saml_provider", |text| IdpArn::parse(text).ok())?,
            max_session: row.maybe_session("max_session_s")?,
            client_exchange: row.number("client_exchange")? == 1,
        },
        state: row.word("state", NodeState::from_word)?,
        version: row.number("version")?,
    })
}

/// An owner of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Who.
    pub id: UserId,
    /// Who, at the identity provider.
    pub gid: Gid,
    /// What they go by.
    pub alias: Alias,
    /// Whether they can act.
    pub is_active: bool,
}

/// A node.
///
/// # Errors
/// There is none, or it was destroyed.
pub async fn by_id(conn: &mut Conn, id: &NodeId) -> Result<Node> {
    let row = BY_ID.ask().bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(read).unwrap_or(Err(StoreError::NotFound("node")))
}

/// The root, once there is one.
///
/// # Errors
/// The database.
pub async fn root(conn: &mut Conn) -> Result<Option<Node>> {
    ROOT.ask().fetch_optional(conn).await?.as_ref().map(read).transpose()
}

/// The account node of a cloud account; an account is in the tree once.
///
/// # Errors
/// The database.
pub async fn by_account(conn: &mut Conn, account: &CloudAccount) -> Result<Option<Node>> {
    let ask = BY_ACCOUNT.ask().bind(account.partition().word()).bind(account.uid().as_str());
    ask.fetch_optional(conn).await?.as_ref().map(read).transpose()
}

/// Some of a node's children, by name; `after` is the normal name and the identity of the last one of the page before.
///
/// # Errors
/// The database.
pub async fn children(conn: &mut Conn, of: &NodeId, after: (&str, &str), limit: u32) -> Result<Vec<Node>> {
    let ask = CHILDREN.ask().bind(of.as_str()).bind(after.0).bind(after.1).bind(i64::from(limit));
    ask.fetch_all(conn).await?.iter().map(read).collect()
}

/// Some of everything below a node, each after what is above it; `after` is the path of the last one of the page before.
///
/// # Errors
/// The database.
pub async fn below(conn: &mut Conn, at: &Path, after: &str, limit: u32) -> Result<Vec<Node>> {
    let ask = BELOW.ask().bind(at.as_str()).bind(at.end()).bind(after).bind(i64::from(limit));
    ask.fetch_all(conn).await?.iter().map(read).collect()
}

/// Some of a node's owners, in the order of their identities.
///
/// # Errors
/// The database.
pub async fn owners(conn: &mut Conn, of: &NodeId, after: &str, limit: u32) -> Result<Vec<Owner>> {
    let rows = OWNERS.ask().bind(of.as_str()).bind(after).bind(i64::from(limit)).fetch_all(conn).await?;
    let read = |row: &AnyRow| {
        Ok(Owner {
            id: row.word("id", UserId::parse)?,
            gid: row.word("gid", |text| Gid::parse(text).ok())?,
            alias: row.word("alias", |text| Alias::parse(text).ok())?,
            is_active: row.text("status")? == "active",
        })
    };
    rows.iter().map(read).collect()
}

/// The first super admin and the root, which belong to each other.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The root's name.
    pub name: Label,
    /// The management account of a resource directory.
    pub account: Option<CloudAccount>,
    /// Who owns the root.
    pub gid: Gid,
    /// What they go by.
    pub alias: Alias,
    /// Their mail.
    pub email: crate::tvm::model::Email,
}

impl Tx<'_> {
    /// Begins the tree: the root, its first owner, the catalogue of preset roles.
    ///
    /// # Errors
    /// There is a root.
    pub async fn found(&mut self, founding: &Founding) -> Result<(Node, UserId)> {
        let id = NodeId::new(self.now());
        let path = Path::root(&id);
        let user = NewUser {
            gid: founding.gid.clone(),
            alias: founding.alias.clone(),
            email: founding.email.clone(),
            description: Description::default(),
            home: id.clone(),
        };
        let admin = self.add_user(&user, None).await?;
        let new = NewNode { name: founding.name.clone(), description: Description::default(), account: founding.account.clone() };
        self.insert(&id, None, &path, &new, &admin).await?;
        self.own(&id, &admin, None).await?;
        for preset in PRESETS {
            let ask =
                sqlx::query(ADD_PRESET).bind(preset.key).bind(preset.scope.word()).bind(preset.title_zh).bind(preset.title_en);
            let ask = ask.bind(preset.plane.word()).bind(preset.power.map(|power| power.word())).bind(preset.risk.word());
            ask.execute(&mut **self).await?;
        }
        Ok((by_id(self, &id).await?, admin))
    }

    /// Adds a node below a folder, with its first owners.
    ///
    /// # Errors
    /// The name or the account is taken, the parent is an account, there is no owner, or the tree is too deep.
    pub async fn add_node(&mut self, parent: &NodeId, new: &NewNode, owners: &[UserId], by: Option<&UserId>) -> Result<Node> {
        let [first, ..] = owners else { return Err(StoreError::LastOwner) };
        // Held first, read after: nobody moves or destroys it meanwhile.
        self.hold_node(parent).await?;
        let parent = by_id(self, parent).await?;
        if matches!(parent.kind, Kind::Account(_)) {
            return Err(StoreError::Tree("nothing hangs below an account node"));
        }
        let id = NodeId::new(self.now());
        let path = parent.path.child(&id).ok_or(StoreError::Tree("the tree has 16 levels at the most"))?;
        for owner in owners {
            self.hold_user(owner, true).await?;
        }
        self.insert(&id, Some(&parent), &path, new, first).await?;
        for owner in owners {
            self.own(&id, owner, by).await?;
        }
        by_id(self, &id).await
    }

    async fn insert(&mut self, id: &NodeId, parent: Option<&Node>, path: &Path, new: &NewNode, keeper: &UserId) -> Result<()> {
        let millis = self.now().unix_millis();
        let is_account = parent.is_some() && new.account.is_some();
        let ask = INSERT.ask().bind(id.as_str()).bind(if is_account { "account" } else { "management" });
        let ask = ask.bind(i64::from(parent.is_none())).bind(parent.map(|parent| parent.id.as_str()));
        let ask = ask.bind(parent.map(|_| "management")).bind(parent.map(|parent| parent.path.as_str()));
        let ask = ask.bind(path.as_str()).bind(i64::try_from(path.depth()).unwrap_or(i64::MAX));
        let ask = ask.bind(new.name.as_str()).bind(new.name.normal()).bind(new.description.as_str());
        let ask = ask.bind(new.account.as_ref().map(|account| account.partition().word()));
        let ask = ask.bind(new.account.as_ref().map(|account| account.uid().as_str()));
        ask.bind(millis).bind(millis).bind(keeper.as_str()).execute(&mut **self).await?;
        Ok(())
    }

    async fn own(&mut self, node: &NodeId, user: &UserId, by: Option<&UserId>) -> Result<()> {
        let ask = OWN.ask().bind(node.as_str()).bind(user.as_str()).bind(by.map(UserId::as_str)).bind(self.now().unix_millis());
        ask.execute(&mut **self).await?;
        Ok(())
    }

    /// Changes name, description, state or cloud account of a node. What it is stays.
    ///
    /// # Errors
    /// The name or the account is taken, or the node was changed meanwhile.
    pub async fn update_node(&mut self, node: &Node) -> Result<()> {
        if node.state == NodeState::Destroyed {
            return Err(StoreError::Tree("a node is destroyed in its own way"));
        }
        let account = node.kind.account();
        // An assertion for one account must never name the provider of another.
        if node.vending.provider.as_ref().is_some_and(|provider| !account.is_some_and(|account| account.has(provider))) {
            return Err(StoreError::Tree("the identity provider's entry belongs to another account"));
        }
        let vending = &node.vending;
        let ask = UPDATE.ask().bind(node.id.as_str()).bind(node.version).bind(node.name.as_str()).bind(node.name.normal());
        let ask = ask.bind(node.description.as_str()).bind(account.map(|account| account.partition().word()));
        let ask = ask.bind(account.map(|account| account.uid().as_str())).bind(vending.method.word());
        let ask = ask.bind(vending.provider.as_ref().map(IdpArn::as_str));
        let ask = ask.bind(vending.max_session.map(|longest| i64::from(longest.seconds())));
        let ask = ask.bind(i64::from(vending.client_exchange)).bind(node.state.word()).bind(self.now().unix_millis());
        let rows = ask.execute(&mut **self).await?.rows_affected();
        self.changed(rows)
    }

    /// Hangs a node, with everything below it, below another folder. Horizontal roles see what they see from now on.
    ///
    /// # Errors
    /// It would hang below itself, or too deep; the name is taken there; it was changed meanwhile.
    pub async fn move_node(&mut self, id: &NodeId, version: Version, to: &NodeId) -> Result<()> {
        self.hold_node(to).await?;
        self.hold_node(id).await?;
        let (node, parent) = (by_id(self, id).await?, by_id(self, to).await?);
        if matches!(parent.kind, Kind::Account(_)) {
            return Err(StoreError::Tree("nothing hangs below an account node"));
        }
        if matches!(node.kind, Kind::Root(_)) {
            return Err(StoreError::Tree("the root stays where it is"));
        }
        if node.path.holds(&parent.path) {
            return Err(StoreError::Tree("a node does not hang below itself"));
        }
        let path = parent.path.child(id).ok_or(StoreError::Tree("the tree has 16 levels at the most"))?;
        let ask = REPARENT.ask().bind(id.as_str()).bind(version).bind(to.as_str()).bind(self.now().unix_millis());
        let rows = ask.execute(&mut **self).await?.rows_affected();
        self.changed(rows)?;
        let deeper = i64::try_from(path.depth()).unwrap_or_default() - i64::try_from(node.path.depth()).unwrap_or_default();
        let from = i64::try_from(node.path.as_str().len()).unwrap_or_default() + 1;
        let ask = REPATH.ask().bind(node.path.as_str()).bind(path.as_str()).bind(from).bind(parent.path.as_str()).bind(deeper);
        ask.bind(node.path.end()).execute(&mut **self).await.map_err(too_deep)?;
        self.look_again(&[&node.path, &path]).await
    }

    /// Destroys an empty node. Its name and account are free again; its history stays readable.
    ///
    /// # Errors
    /// It is the root, or something is in it; the error lists that.
    pub async fn destroy_node(&mut self, id: &NodeId, version: Version) -> Result<()> {
        self.hold_node(id).await?;
        let node = by_id(self, id).await?;
        let Some(parent) = node.path.parent().and_then(|path| path.last()) else {
            return Err(StoreError::Tree("the root stays"));
        };
        let mut left = Vec::new();
        let kinds = [("node", HAS_CHILD), ("role", HAS_ROLE), ("horizontal role", HAS_HORIZONTAL), ("group", HAS_GROUP)];
        for (what, statement) in kinds {
            for row in statement.ask().bind(id.as_str()).fetch_all(&mut **self).await? {
                left.push(Reference { what, id: row.text("id")?, name: row.text("name")? });
            }
        }
        if !left.is_empty() {
            return Err(StoreError::Referenced(left));
        }
        let rows = DESTROY.ask().bind(id.as_str()).bind(version).bind(self.now().unix_millis()).execute(&mut **self).await?;
        self.changed(rows.rows_affected())?;
        DISOWN.ask().bind(id.as_str()).execute(&mut **self).await?;
        // Its key opens nothing from here any more, and nobody could name it to drop it.
        secrets::forget(self, id).await?;
        REHOME.ask().bind(id.as_str()).bind(parent.as_str()).execute(&mut **self).await?;
        Ok(())
    }

    /// Makes a person an owner of a node; one who is already stays it.
    ///
    /// # Errors
    /// There is no such node, or no such person who can act.
    pub async fn add_owner(&mut self, node: &NodeId, user: &UserId, by: Option<&UserId>) -> Result<()> {
        self.hold_node(node).await?;
        self.hold_user(user, true).await?;
        self.own(node, user, by).await
    }

    /// Takes a node from an owner.
    ///
    /// # Errors
    /// They are the last one who can act.
    pub async fn remove_owner(&mut self, node: &NodeId, user: &UserId) -> Result<()> {
        // Whoever else takes an owner away waits here, and then sees what is left.
        self.hold_node(node).await?;
        let other = OTHER_OWNER.ask().bind(node.as_str()).bind(user.as_str()).fetch_optional(&mut **self).await?;
        let other = other.ok_or(StoreError::LastOwner)?.word("user_id", UserId::parse)?;
        KEEP.ask().bind(node.as_str()).bind(other.as_str()).execute(&mut **self).await?;
        match LEAVE.ask().bind(node.as_str()).bind(user.as_str()).execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::NotFound("owner")),
        }
    }

    pub(super) async fn hold_node(&mut self, id: &NodeId) -> Result<()> {
        match HOLD.ask().bind(id.as_str()).execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::NotFound("node")),
        }
    }
}

fn too_deep(error: sqlx::Error) -> StoreError {
    match error.as_database_error().map(|error| error.kind()) {
        Some(sqlx::error::ErrorKind::CheckViolation) => StoreError::Tree("the tree has 16 levels at the most"),
        _ => error.into(),
    }
}
