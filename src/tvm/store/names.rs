//! What things are called, many at once: what a change would do is told by hundreds of names.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Read as _;
use super::sql::{Statement, declare};
use super::{Conn, Result, StoreError};
use crate::tvm::model::{HorizontalId, RoleId, UserId};

/// A statement for fifty identities.
macro_rules! fifty {
    ($select:literal) => {
        concat!(
            $select,
            " AND id IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
        $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50)"
        )
    };
}

/// The parameters of such a statement.
const FIFTY: &str = "tttttttttttttttttttttttttttttttttttttttttttttttttt";

declare! {
    ROLES(FIFTY) = fifty!("SELECT id, name FROM cloud_role WHERE state <> 'deleted'");
    USERS(FIFTY) = fifty!("SELECT id, alias AS name FROM cam_user WHERE deleted_at IS NULL");
    HORIZONTALS(FIFTY) = fifty!("SELECT id, name FROM horizontal_role WHERE 1 = 1");
}

/// Names by identities.
pub type Names = BTreeMap<String, String>;

/// The names of roles.
///
/// # Errors
/// One of them is not there; the database.
pub async fn roles(conn: &mut Conn, ids: impl IntoIterator<Item = &RoleId>) -> Result<Names> {
    names(conn, ROLES, "role", ids.into_iter().map(RoleId::as_str).collect()).await
}

/// What people are called.
///
/// # Errors
/// One of them is not there; the database.
pub async fn users(conn: &mut Conn, ids: impl IntoIterator<Item = &UserId>) -> Result<Names> {
    names(conn, USERS, "person", ids.into_iter().map(UserId::as_str).collect()).await
}

/// The names of horizontal roles.
///
/// # Errors
/// One of them is not there; the database.
pub async fn horizontals(conn: &mut Conn, ids: impl IntoIterator<Item = &HorizontalId>) -> Result<Names> {
    names(conn, HORIZONTALS, "horizontal role", ids.into_iter().map(HorizontalId::as_str).collect()).await
}

async fn names(conn: &mut Conn, statement: Statement, what: &'static str, ids: BTreeSet<&str>) -> Result<Names> {
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut names = Names::new();
    for some in ids.chunks(FIFTY.len()) {
        // One text for every number of them: the places that are left ask for the last one again.
        let asked = some.iter().chain(some.last().into_iter().cycle()).take(FIFTY.len());
        let ask = asked.fold(statement.ask(), |ask, id| ask.bind((*id).to_owned()));
        for row in ask.fetch_all(&mut *conn).await? {
            names.insert(row.text("id")?, row.text("name")?);
        }
    }
    if ids.iter().all(|id| names.contains_key(*id)) { Ok(names) } else { Err(StoreError::NotFound(what)) }
}
