//! What a change of the tree or of a naming rule does to who can use what. Told before it is done, and worked out of the same rows.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result};
use crate::tvm::model::{HorizontalId, Path, RoleId, UserId};
use crate::types::Timestamp;

declare! {
    HELD_BELOW("tt") = "SELECT DISTINCT x.hrole_id, x.role_id FROM node n CROSS JOIN cloud_role r CROSS JOIN horizontal_role_match x
        WHERE r.node_id = n.id AND x.role_id = r.id AND n.path >= $1 AND n.path < $2 AND r.class = 'system' AND x.state = 'active'";
    HELD_OF("t") = "SELECT DISTINCT x.hrole_id, x.role_id FROM horizontal_role_match y JOIN horizontal_role_match x ON x.role_id = y.role_id
        WHERE y.hrole_id = $1 AND x.state = 'active'";
    HELD_ROLE("t") = "SELECT DISTINCT hrole_id, role_id FROM horizontal_role_match WHERE role_id = $1 AND state = 'active'";
    PEOPLE("tii") = "SELECT DISTINCT m.user_id FROM horizontal_role_group b JOIN group_member m ON m.group_id = b.group_id
        WHERE b.hrole_id = $1 AND (m.expires_at IS NULL OR m.expires_at > $2) LIMIT $3";
    OWN_PEOPLE("tii") = "SELECT DISTINCT m.user_id FROM user_group g JOIN group_member m ON m.group_id = g.id
        WHERE g.role_id = $1 AND (m.expires_at IS NULL OR m.expires_at > $2) LIMIT $3";
}

/// Which horizontal roles hold which roles.
pub type Holdings = BTreeSet<(HorizontalId, RoleId)>;

/// How many people of one group are looked at, and how many changes are listed.
const MOST_PEOPLE: i64 = 2000;
/// How many changes of each kind are listed.
pub const MOST: usize = 200;

/// What changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Roles that come into horizontal roles.
    pub roles_gained: Holdings,
    /// Roles that leave them.
    pub roles_lost: Holdings,
    /// Who can use what they could not.
    pub people_gained: BTreeSet<(UserId, RoleId)>,
    /// Who cannot use any more what they could.
    pub people_lost: BTreeSet<(UserId, RoleId)>,
    /// Whether there is more than is listed.
    pub is_cut: bool,
}

async fn ask_holdings(conn: &mut Conn, query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>) -> Result<Holdings> {
    let rows = query.fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.word("hrole_id", HorizontalId::parse)?, row.word("role_id", RoleId::parse)?))).collect()
}

/// Which horizontal roles hold which of the roles at and below a node.
///
/// # Errors
/// The database.
pub async fn holdings_below(conn: &mut Conn, at: &Path) -> Result<Holdings> {
    ask_holdings(conn, HELD_BELOW.ask().bind(at.as_str()).bind(at.end())).await
}

/// Which horizontal roles hold the roles that this one holds, and those that it is about to hold.
///
/// # Errors
/// The database.
pub async fn holdings_around(conn: &mut Conn, horizontal: &HorizontalId, more: &BTreeSet<RoleId>) -> Result<Holdings> {
    let mut all = ask_holdings(conn, HELD_OF.ask().bind(horizontal.as_str())).await?;
    for role in more {
        all.extend(ask_holdings(conn, HELD_ROLE.ask().bind(role.as_str())).await?);
    }
    Ok(all)
}

/// By which horizontal roles each role is held. Holdings stand by the horizontal role, and to look for each role in all of them takes long where a
/// large tree is moved.
fn by_role(holdings: &Holdings) -> BTreeMap<&RoleId, Vec<&HorizontalId>> {
    let mut held: BTreeMap<&RoleId, Vec<&HorizontalId>> = BTreeMap::new();
    for (horizontal, role) in holdings {
        held.entry(role).or_default().push(horizontal);
    }
    held
}

/// Compares. Who holds a role by another way neither gains nor loses it.
///
/// # Errors
/// The database.
pub async fn compare(conn: &mut Conn, before: &Holdings, then: &Holdings, now: Timestamp) -> Result<Effect> {
    let (gained, lost) = (then - before, before - then);
    let mut effect = Effect::default();
    let changed: BTreeSet<&RoleId> = gained.iter().chain(&lost).map(|(_, role)| role).collect();
    let (held_before, held_then) = (by_role(before), by_role(then));
    let mut known: BTreeMap<&HorizontalId, BTreeSet<UserId>> = BTreeMap::new();
    for role in changed {
        if effect.people_gained.len() >= MOST || effect.people_lost.len() >= MOST {
            effect.is_cut = true;
            break;
        }
        let held = [&held_before, &held_then].map(|held| held.get(role).map_or(&[][..], Vec::as_slice));
        for &horizontal in held.into_iter().flatten() {
            if !known.contains_key(horizontal) {
                let people = people(conn, PEOPLE.ask().bind(horizontal.as_str()), now, &mut effect.is_cut).await?;
                known.insert(horizontal, people);
            }
        }
        let [could, can] = held.map(|by| -> BTreeSet<&UserId> { by.iter().filter_map(|one| known.get(one)).flatten().collect() });
        if could == can {
            continue;
        }
        let own = people(conn, OWN_PEOPLE.ask().bind(role.as_str()), now, &mut effect.is_cut).await?;
        let new = |some: &BTreeSet<&UserId>, others: &BTreeSet<&UserId>| -> Vec<(UserId, RoleId)> {
            let new = some.difference(others).filter(|user| !own.contains(**user));
            new.map(|user| ((*user).clone(), role.clone())).collect()
        };
        effect.people_gained.extend(new(&can, &could));
        effect.people_lost.extend(new(&could, &can));
    }
    effect.roles_gained = gained;
    effect.roles_lost = lost;
    for set in [&mut effect.people_gained, &mut effect.people_lost] {
        effect.is_cut |= set.len() > MOST;
        *set = std::mem::take(set).into_iter().take(MOST).collect();
    }
    for set in [&mut effect.roles_gained, &mut effect.roles_lost] {
        effect.is_cut |= set.len() > MOST;
        *set = std::mem::take(set).into_iter().take(MOST).collect();
    }
    Ok(effect)
}

async fn people(
    conn: &mut Conn,
    query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
    now: Timestamp,
    is_cut: &mut bool,
) -> Result<BTreeSet<UserId>> {
    let rows = query.bind(now.unix_millis()).bind(MOST_PEOPLE).fetch_all(conn).await?;
    *is_cut |= i64::try_from(rows.len()).unwrap_or(i64::MAX) >= MOST_PEOPLE;
    rows.iter().map(|row| row.word("user_id", UserId::parse)).collect()
}
