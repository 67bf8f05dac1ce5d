//! The catalogue of preset roles, as super admins changed it.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Reference, Result, StoreError, Tx};
use crate::tvm::model::{CamPower, Plane, Risk, Version};

declare! {
    SOME("ti") = "SELECT role_key, scope, title_zh, title_en, plane, cam_power, risk, version FROM preset_role WHERE role_key > $1 ORDER BY role_key LIMIT $2";
    BY_KEY("t") = "SELECT role_key, scope, title_zh, title_en, plane, cam_power, risk, version FROM preset_role WHERE role_key = $1";
    UPDATE("tittt") = "UPDATE preset_role SET title_zh = $3, title_en = $4, risk = $5, version = version + 1 WHERE role_key = $1 AND version = $2";
    DELETE("ti") = "DELETE FROM preset_role WHERE role_key = $1 AND version = $2";
    USED("t") = "SELECT r.id, r.name FROM cloud_role r WHERE r.preset_key = $1 LIMIT 100";
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name of its roles in the cloud.
    pub key: String,
    /// `enterprise` or `account`.
    pub scope: String,
    /// Its title in Chinese.
    pub title_zh: String,
    /// Its title in English.
    pub title_en: String,
    /// Where it gives powers.
    pub plane: Plane,
    /// What it may do here.
    pub power: Option<CamPower>,
    /// What harm its roles can do, as they are registered.
    pub risk: Risk,
    /// How often it was changed.
    pub version: Version,
}

fn read(row: &AnyRow) -> Result<Entry> {
    Ok(Entry {
        key: row.text("role_key")?,
        scope: row.text("scope")?,
        title_zh: row.text("title_zh")?,
        title_en: row.text("title_en")?,
        plane: row.word("plane", Plane::from_word)?,
        power: row.maybe_word("cam_power", CamPower::from_word)?,
        risk: row.word("risk", Risk::from_word)?,
        version: row.number("version")?,
    })
}

/// Some entries, by their keys.
///
/// # Errors
/// The database.
pub async fn some(conn: &mut Conn, after: &str, limit: u32) -> Result<Vec<Entry>> {
    SOME.ask().bind(after).bind(i64::from(limit)).fetch_all(conn).await?.iter().map(read).collect()
}

/// An entry.
///
/// # Errors
/// There is none.
pub async fn by_key(conn: &mut Conn, key: &str) -> Result<Entry> {
    let row = BY_KEY.ask().bind(key).fetch_optional(conn).await?;
    row.as_ref().map(read).unwrap_or(Err(StoreError::NotFound("preset role")))
}

impl Tx<'_> {
    /// Changes titles and risk.
    ///
    /// # Errors
    /// It was changed meanwhile.
    pub async fn update_preset(&mut self, entry: &Entry) -> Result<()> {
        let ask = UPDATE.ask().bind(&entry.key).bind(entry.version).bind(&entry.title_zh).bind(&entry.title_en);
        let rows = ask.bind(entry.risk.word()).execute(&mut **self).await?.rows_affected();
        self.changed(rows)
    }

    /// Takes an entry out of the catalogue.
    ///
    /// # Errors
    /// There are roles of it, or it was changed meanwhile.
    pub async fn delete_preset(&mut self, key: &str, version: Version) -> Result<()> {
        let mut left = Vec::new();
        for row in USED.ask().bind(key).fetch_all(&mut **self).await? {
            left.push(Reference { what: "role", id: row.text("id")?, name: row.text("name")? });
        }
        if !left.is_empty() {
            return Err(StoreError::Referenced(left));
        }
        let rows = DELETE.ask().bind(key).bind(version).execute(&mut **self).await?.rows_affected();
        self.changed(rows)
    }
}
