//! The schema, in numbered steps that are never changed once released; forward only.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::row::Read as _;
use super::{Conn, Dialect, Result, StoreError};

/// Number, name, text.
const STEPS: &[(i64, &str, &str)] = &[
    (1, "pool, tree, roles, ledger, trail", include_str!("migrations/0001-pool-tree-roles.sql")),
    (2, "sign-ins, tokens, keys, marks of the trail", include_str!("migrations/0002-service.sql")),
];

/// How far the database's schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// There is none.
    Missing,
    /// It is the one that this program works with.
    Current,
    /// It is older.
    Old(i64),
    /// It is newer than this program.
    New(i64),
}

impl Schema {
    /// The number of this program's schema.
    pub const NUMBER: i64 = STEPS[STEPS.len() - 1].0;
}

/// One text, as this database reads it.
fn text(sql: &str, dialect: Dialect) -> String {
    // Kept in the order of its key, a table of SQLite finds a row in one tree; else it would be the key's tree and then the table's. PostgreSQL has no such
    // kind.
    let (mark, collation, end) = match dialect {
        Dialect::Sqlite => ("--sqlite:", "COLLATE BINARY", ") WITHOUT ROWID;"),
        Dialect::Postgres => ("--postgres:", "COLLATE \"C\"", ");"),
    };
    let lines = sql.lines().map(|line| match line.strip_prefix(mark).unwrap_or(line) {
        ");" => end.to_owned(),
        line => line.replace("COLLATE BINARY", collation),
    });
    lines.filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n")
}

/// How far the schema is.
pub(super) async fn look(conn: &mut Conn, dialect: Dialect) -> Result<Schema> {
    let there = match dialect {
        Dialect::Sqlite => "SELECT COUNT(*) AS n FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
        Dialect::Postgres => {
            "SELECT COUNT(*) AS n FROM pg_tables WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations'"
        }
    };
    if sqlx::query(there).fetch_one(&mut *conn).await?.number("n")? == 0 {
        return Ok(Schema::Missing);
    }
    let done = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM _sqlx_migrations WHERE success = true");
    Ok(match done.fetch_one(&mut *conn).await?.number("version")? {
        0 => Schema::Missing,
        version if version < Schema::NUMBER => Schema::Old(version),
        version if version > Schema::NUMBER => Schema::New(version),
        _ => Schema::Current,
    })
}

/// Takes the steps that are missing. On PostgreSQL one process does and others wait.
pub(super) async fn migrate(conn: &mut Conn, dialect: Dialect) -> Result<()> {
    let step = |(number, name, sql): &(i64, &'static str, &str)| {
        let sql = AssertSqlSafe(text(sql, dialect)).into_sql_str();
        Migration::new(*number, Cow::Borrowed(*name), MigrationType::Simple, sql, false)
    };
    let migrator = Migrator::with_migrations(STEPS.iter().map(step).collect());
    migrator.run_direct(None, conn, false).await.map_err(StoreError::Migrate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_one_by_one_and_each_database_gets_its_lines() {
        assert!(STEPS.iter().map(|(number, ..)| *number).eq(1..=Schema::NUMBER));
        let sql = "a TEXT COLLATE BINARY,\n--sqlite: one\n--postgres: two\n-- said\n);\nb";
        assert_eq!(text(sql, Dialect::Sqlite), "a TEXT COLLATE BINARY,\n one\n) WITHOUT ROWID;\nb");
        assert_eq!(text(sql, Dialect::Postgres), "a TEXT COLLATE \"C\",\n two\n);\nb");
    }
}
