//! Horizontal roles. What they hold is written down with every change that matters, so that a vend reads it by two indexes.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, StoreError, Tx};
use crate::tvm::horizontal::{
    Activation, Candidate, Horizontal, Matcher, Preview, Rule, Via, difference, is_reachable, matches, preview,
};
use crate::tvm::model::{Class, GroupId, HorizontalId, Label, NodeId, Path, RoleId, RoleState, UserId, Version};

declare! {
    BY_ID("t") = "SELECT h.id, h.node_id, n.path, h.name, h.matcher, h.pattern, h.activation, h.protected, h.version
        FROM horizontal_role h JOIN node n ON n.id = h.node_id WHERE h.id = $1";
    AT("tti") = "SELECT h.id, h.node_id, n.path, h.name, h.matcher, h.pattern, h.activation, h.protected, h.version
        FROM horizontal_role h JOIN node n ON n.id = h.node_id WHERE h.node_id = $1 AND h.name_norm > $2 ORDER BY h.name_norm LIMIT $3";
    INSERT("tttttttii") = "INSERT INTO horizontal_role (id, node_id, name, name_norm, matcher, pattern, activation, protected, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)";
    UPDATE("titttttii") = "UPDATE horizontal_role SET name = $3, name_norm = $4, matcher = $5, pattern = $6, activation = $7, protected = $8, updated_at = $9,
        version = version + 1 WHERE id = $1 AND version = $2";
    // Locks the row until the end of the change.
    HOLD("t") = "UPDATE horizontal_role SET version = version WHERE id = $1";
    DELETE("ti") = "DELETE FROM horizontal_role WHERE id = $1 AND version = $2";
    DELETE_MATCHES("t") = "DELETE FROM horizontal_role_match WHERE hrole_id = $1";
    DELETE_EXPLICIT("t") = "DELETE FROM horizontal_role_explicit WHERE hrole_id = $1";
    DELETE_GROUPS("t") = "DELETE FROM horizontal_role_group WHERE hrole_id = $1";
    CANDIDATES("tt") = "SELECT r.id, r.name, r.class, r.state, n.path FROM node n JOIN cloud_role r ON r.node_id = n.id
        WHERE n.path >= $1 AND n.path < $2 AND r.class = 'system' AND r.state <> 'deleted'";
    CANDIDATE("t") = "SELECT r.id, r.name, r.class, r.state, n.path FROM cloud_role r JOIN node n ON n.id = r.node_id WHERE r.id = $1";
    EXPLICIT("t") = "SELECT role_id FROM horizontal_role_explicit WHERE hrole_id = $1";
    IS_EXPLICIT("tt") = "SELECT role_id FROM horizontal_role_explicit WHERE hrole_id = $1 AND role_id = $2";
    ADD_EXPLICIT("ttti") = "INSERT INTO horizontal_role_explicit (hrole_id, role_id, added_by, added_at) VALUES ($1, $2, $3, $4) ON CONFLICT (hrole_id, role_id) DO NOTHING";
    DROP_EXPLICIT("tt") = "DELETE FROM horizontal_role_explicit WHERE hrole_id = $1 AND role_id = $2";
    MATCHES("t") = "SELECT role_id, via, state FROM horizontal_role_match WHERE hrole_id = $1";
    MATCHES_OF("t") = "SELECT hrole_id, via, state FROM horizontal_role_match WHERE role_id = $1";
    ADD_MATCH("tttt") = "INSERT INTO horizontal_role_match (hrole_id, role_id, via, state) VALUES ($1, $2, $3, $4)";
    DROP_MATCH("ttt") = "DELETE FROM horizontal_role_match WHERE hrole_id = $1 AND role_id = $2 AND via = $3";
    CONFIRM("tt") = "UPDATE horizontal_role_match SET state = 'active' WHERE hrole_id = $1 AND role_id = $2 AND state = 'pending'";
    BIND("tt") = "INSERT INTO horizontal_role_group (hrole_id, group_id) VALUES ($1, $2) ON CONFLICT (hrole_id, group_id) DO NOTHING";
    UNBIND("tt") = "DELETE FROM horizontal_role_group WHERE hrole_id = $1 AND group_id = $2";
    SOME("ti") = "SELECT id FROM horizontal_role WHERE id > $1 ORDER BY id LIMIT $2";
}

/// Horizontal roles by their nodes, as one change has read them. They are good for as long as it changes none of them.
#[derive(Debug, Default)]
pub struct Rules(BTreeMap<NodeId, Vec<Horizontal>>);

/// What is written down: which role, why, and whether it counts (`active`) or waits for somebody (`pending`).
type Stored = BTreeMap<(RoleId, Via), String>;

fn read(row: &AnyRow) -> Result<Horizontal> {
    let rule = match (row.maybe_word("matcher", Matcher::from_word)?, row.maybe_text("pattern")?) {
        (Some(matcher), Some(pattern)) => {
            Some(Rule::new(matcher, &pattern).map_err(|_| StoreError::Corrupt { column: "pattern" })?)
        }
        _ => None,
    };
    Ok(Horizontal {
        id: row.word("id", HorizontalId::parse)?,
        node: row.word("node_id", NodeId::parse)?,
        path: row.word("path", Path::parse)?,
        name: row.word("name", |text| Label::parse(text).ok())?,
        rule,
        activation: row.word("activation", Activation::from_word)?,
        protected: row.number("protected")? == 1,
        version: row.number("version")?,
    })
}

fn read_candidate(row: &AnyRow) -> Result<Candidate> {
    Ok(Candidate {
        id: row.word("id", RoleId::parse)?,
        name: row.text("name")?,
        class: row.word("class", Class::from_word)?,
        state: row.word("state", RoleState::from_word)?,
        path: row.word("path", Path::parse)?,
    })
}

/// A horizontal role.
///
/// # Errors
/// There is none.
pub async fn by_id(conn: &mut Conn, id: &HorizontalId) -> Result<Horizontal> {
    let row = BY_ID.ask().bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(read).unwrap_or(Err(StoreError::NotFound("horizontal role")))
}

/// Some of a node's horizontal roles, by name.
///
/// # Errors
/// The database.
pub async fn at(conn: &mut Conn, node: &NodeId, after: &str, limit: u32) -> Result<Vec<Horizontal>> {
    let rows = AT.ask().bind(node.as_str()).bind(after).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

async fn stored(conn: &mut Conn, id: &HorizontalId) -> Result<Stored> {
    let rows = MATCHES.ask().bind(id.as_str()).fetch_all(conn).await?;
    rows.iter()
        .map(|row| Ok(((row.word("role_id", RoleId::parse)?, row.word("via", Via::from_word)?), row.text("state")?)))
        .collect()
}

/// The roles that a horizontal role holds, as it is written down: those that count, and those that wait for somebody.
///
/// # Errors
/// The database.
pub async fn held(conn: &mut Conn, id: &HorizontalId) -> Result<(BTreeSet<RoleId>, BTreeSet<RoleId>)> {
    let all = stored(conn, id).await?;
    let of = |wanted: &str| {
        all.iter().filter(|(_, state)| *state == wanted).map(|((role, _), _)| role.clone()).collect::<BTreeSet<_>>()
    };
    let active = of("active");
    Ok((active.clone(), &of("pending") - &active))
}

/// What it would hold with this rule, worked out from scratch.
async fn wanted(conn: &mut Conn, horizontal: &Horizontal, rule: Option<&Rule>) -> Result<BTreeSet<(RoleId, Via)>> {
    let rows = CANDIDATES.ask().bind(horizontal.path.as_str()).bind(horizontal.path.end()).fetch_all(&mut *conn).await?;
    let candidates = rows.iter().map(read_candidate).collect::<Result<Vec<_>>>()?;
    let rows = EXPLICIT.ask().bind(horizontal.id.as_str()).fetch_all(conn).await?;
    let explicit = rows.iter().map(|row| row.word("role_id", RoleId::parse)).collect::<Result<BTreeSet<_>>>()?;
    Ok(matches(&horizontal.path, rule, &explicit, &candidates))
}

/// What another rule would bring and take away: exactly what [`Tx::update_horizontal`] with it then does.
///
/// # Errors
/// There is no such horizontal role.
pub async fn try_rule(conn: &mut Conn, id: &HorizontalId, rule: Option<&Rule>) -> Result<Preview> {
    let horizontal = by_id(conn, id).await?;
    let now = stored(conn, id).await?.into_keys().collect();
    Ok(preview(&now, &wanted(conn, &horizontal, rule).await?))
}

/// What a new horizontal role with this rule would hold at a node.
///
/// # Errors
/// The database.
pub async fn try_new(conn: &mut Conn, at: &Path, rule: &Rule) -> Result<Preview> {
    let rows = CANDIDATES.ask().bind(at.as_str()).bind(at.end()).fetch_all(conn).await?;
    let candidates = rows.iter().map(read_candidate).collect::<Result<Vec<_>>>()?;
    Ok(preview(&BTreeSet::new(), &matches(at, Some(rule), &BTreeSet::new(), &candidates)))
}

/// Horizontal roles whose written set is not what their rule says: there are none, unless something is wrong with this program.
///
/// # Errors
/// The database.
pub async fn drift(conn: &mut Conn) -> Result<Vec<HorizontalId>> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let rows = SOME.ask().bind(after.as_str()).bind(500_i64).fetch_all(&mut *conn).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.text("id")?;
        for row in &rows {
            let horizontal = by_id(conn, &row.word("id", HorizontalId::parse)?).await?;
            let wanted = wanted(conn, &horizontal, horizontal.rule.as_ref()).await?;
            if stored(conn, &horizontal.id).await?.into_keys().collect::<BTreeSet<_>>() != wanted {
                found.push(horizontal.id);
            }
        }
    }
}

impl Tx<'_> {
    /// Makes a horizontal role at a management node.
    ///
    /// # Errors
    /// The name is taken at this node.
    pub async fn add_horizontal(
        &mut self,
        node: &NodeId,
        name: &Label,
        rule: Option<&Rule>,
        activation: Activation,
        protected: bool,
    ) -> Result<Horizontal> {
        self.hold_node(node).await?;
        let id = HorizontalId::new(self.now());
        let ask = INSERT.ask().bind(id.as_str()).bind(node.as_str()).bind(name.as_str()).bind(name.normal());
        let ask = ask.bind(rule.map(|rule| rule.matcher().word())).bind(rule.map(Rule::pattern)).bind(activation.word());
        ask.bind(i64::from(protected)).bind(self.now().unix_millis()).execute(&mut **self).await?;
        let horizontal = by_id(self, &id).await?;
        self.settle(&horizontal).await?;
        Ok(horizontal)
    }

    /// Changes name, rule, activation or protection.
    ///
    /// # Errors
    /// The name is taken, or it was changed meanwhile.
    pub async fn update_horizontal(&mut self, horizontal: &Horizontal) -> Result<()> {
        let rule = horizontal.rule.as_ref();
        let ask = UPDATE.ask().bind(horizontal.id.as_str()).bind(horizontal.version).bind(horizontal.name.as_str());
        let ask = ask.bind(horizontal.name.normal()).bind(rule.map(|rule| rule.matcher().word())).bind(rule.map(Rule::pattern));
        let ask = ask.bind(horizontal.activation.word()).bind(i64::from(horizontal.protected)).bind(self.now().unix_millis());
        let rows = ask.execute(&mut **self).await?.rows_affected();
        self.changed(rows)?;
        let horizontal = by_id(self, &horizontal.id).await?;
        self.settle(&horizontal).await
    }

    /// Removes a horizontal role, with its bindings.
    ///
    /// # Errors
    /// It was changed meanwhile.
    pub async fn delete_horizontal(&mut self, id: &HorizontalId, version: Version) -> Result<()> {
        self.hold_horizontal(id).await?;
        for statement in [DELETE_MATCHES, DELETE_EXPLICIT, DELETE_GROUPS] {
            statement.ask().bind(id.as_str()).execute(&mut **self).await?;
        }
        let rows = DELETE.ask().bind(id.as_str()).bind(version).execute(&mut **self).await?.rows_affected();
        self.changed(rows)
    }

    /// Adds a role by hand, whatever its name.
    ///
    /// # Errors
    /// It is a custom role, or not below the horizontal role's node.
    pub async fn add_explicit(&mut self, id: &HorizontalId, role: &RoleId, by: Option<&UserId>) -> Result<()> {
        self.hold_horizontal(id).await?;
        self.hold_role(role).await?;
        let horizontal = by_id(self, id).await?;
        let candidate = CANDIDATE.ask().bind(role.as_str()).fetch_optional(&mut **self).await?;
        let candidate = candidate.as_ref().map(read_candidate).unwrap_or(Err(StoreError::NotFound("role")))?;
        if !is_reachable(&horizontal.path, &candidate) {
            return Err(StoreError::Tree("only system roles of accounts below the node can be added"));
        }
        let ask = ADD_EXPLICIT.ask().bind(id.as_str()).bind(role.as_str()).bind(by.map(UserId::as_str));
        ask.bind(self.now().unix_millis()).execute(&mut **self).await?;
        self.settle(&horizontal).await
    }

    /// Takes back what was added by hand.
    ///
    /// # Errors
    /// It was not added by hand.
    pub async fn drop_explicit(&mut self, id: &HorizontalId, role: &RoleId) -> Result<()> {
        self.hold_horizontal(id).await?;
        if DROP_EXPLICIT.ask().bind(id.as_str()).bind(role.as_str()).execute(&mut **self).await?.rows_affected() == 0 {
            return Err(StoreError::NotFound("role in this horizontal role"));
        }
        let horizontal = by_id(self, id).await?;
        self.settle(&horizontal).await
    }

    /// Lets a role count that waits for somebody.
    ///
    /// # Errors
    /// It does not wait.
    pub async fn confirm(&mut self, id: &HorizontalId, role: &RoleId) -> Result<()> {
        match CONFIRM.ask().bind(id.as_str()).bind(role.as_str()).execute(&mut **self).await?.rows_affected() {
            0 => Err(StoreError::NotFound("role that waits in this horizontal role")),
            _ => Ok(()),
        }
    }

    /// Gives a horizontal role to a group.
    ///
    /// # Errors
    /// There is no such group, or it is that of a role.
    pub async fn bind_group(&mut self, id: &HorizontalId, group: &GroupId) -> Result<()> {
        self.hold_horizontal(id).await?;
        self.hold_group(group).await?;
        if super::groups::by_id(self, group).await?.kind != crate::tvm::model::GroupKind::Horizontal {
            return Err(StoreError::Tree("the group of a role is for that role alone"));
        }
        BIND.ask().bind(id.as_str()).bind(group.as_str()).execute(&mut **self).await?;
        Ok(())
    }

    /// Takes a horizontal role from a group.
    ///
    /// # Errors
    /// The group did not have it.
    pub async fn unbind_group(&mut self, id: &HorizontalId, group: &GroupId) -> Result<()> {
        match UNBIND.ask().bind(id.as_str()).bind(group.as_str()).execute(&mut **self).await?.rows_affected() {
            0 => Err(StoreError::NotFound("group of this horizontal role")),
            _ => Ok(()),
        }
    }

    async fn hold_horizontal(&mut self, id: &HorizontalId) -> Result<()> {
        match HOLD.ask().bind(id.as_str()).execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::NotFound("horizontal role")),
        }
    }

    /// Writes down what a horizontal role holds now.
    async fn settle(&mut self, horizontal: &Horizontal) -> Result<()> {
        let wanted = wanted(self, horizontal, horizontal.rule.as_ref()).await?;
        let (added, removed) = difference(&stored(self, &horizontal.id).await?, &wanted);
        self.write_matches(horizontal, added, removed).await
    }

    async fn write_matches(
        &mut self,
        horizontal: &Horizontal,
        added: Vec<(RoleId, Via)>,
        removed: Vec<(RoleId, Via)>,
    ) -> Result<()> {
        for (role, via) in removed {
            let ask = DROP_MATCH.ask().bind(horizontal.id.as_str()).bind(role.as_str()).bind(via.word());
            ask.execute(&mut **self).await?;
        }
        for (role, via) in added {
            // What somebody added by hand they have thereby confirmed.
            let state = if horizontal.activation == Activation::Confirm && via == Via::Pattern { "pending" } else { "active" };
            let ask = ADD_MATCH.ask().bind(horizontal.id.as_str()).bind(role.as_str()).bind(via.word()).bind(state);
            ask.execute(&mut **self).await?;
        }
        Ok(())
    }

    /// Every horizontal role at a node of these paths looks again: something below them was moved.
    pub(super) async fn look_again(&mut self, paths: &[&Path]) -> Result<()> {
        let nodes: BTreeSet<NodeId> = paths.iter().flat_map(|path| path.ids()).collect();
        // Those that moved along see the same roles; those above, before and after, do not.
        for node in nodes {
            for horizontal in self.all_at(&node).await? {
                self.settle(&horizontal).await?;
            }
        }
        Ok(())
    }

    /// Every horizontal role that may have to do with a role looks at it again, and at nothing else.
    pub(super) async fn look_again_at(&mut self, id: &RoleId) -> Result<()> {
        let row = CANDIDATE.ask().bind(id.as_str()).fetch_optional(&mut **self).await?;
        let role = row.as_ref().map(read_candidate).unwrap_or(Err(StoreError::NotFound("role")))?;
        let mut held: BTreeMap<HorizontalId, Stored> = BTreeMap::new();
        for row in MATCHES_OF.ask().bind(id.as_str()).fetch_all(&mut **self).await? {
            let key = (id.clone(), row.word("via", Via::from_word)?);
            held.entry(row.word("hrole_id", HorizontalId::parse)?).or_default().insert(key, row.text("state")?);
        }
        let ids: Vec<NodeId> = role.path.ids().collect();
        for node in ids {
            for horizontal in self.all_at(&node).await? {
                let ask = IS_EXPLICIT.ask().bind(horizontal.id.as_str()).bind(id.as_str());
                let explicit: BTreeSet<RoleId> = ask.fetch_optional(&mut **self).await?.map(|_| id.clone()).into_iter().collect();
                let wanted = matches(&horizontal.path, horizontal.rule.as_ref(), &explicit, std::slice::from_ref(&role));
                let (added, removed) = difference(&held.remove(&horizontal.id).unwrap_or_default(), &wanted);
                self.write_matches(&horizontal, added, removed).await?;
            }
        }
        Ok(())
    }

    /// Roles that were just registered come into the horizontal roles above them whose rule they keep to. Nobody can have added them by hand.
    pub(super) async fn take_up(&mut self, path: &Path, new: &[Candidate], rules: &mut Rules) -> Result<()> {
        for node in path.ids() {
            if !rules.0.contains_key(&node) {
                let all = self.all_at(&node).await?;
                rules.0.insert(node.clone(), all);
            }
            for horizontal in rules.0.get(&node).into_iter().flatten() {
                let wanted = matches(&horizontal.path, horizontal.rule.as_ref(), &BTreeSet::new(), new);
                self.write_matches(horizontal, wanted.into_iter().collect(), Vec::new()).await?;
            }
        }
        Ok(())
    }

    async fn all_at(&mut self, node: &NodeId) -> Result<Vec<Horizontal>> {
        at(self, node, "", u32::MAX >> 1).await
    }
}
