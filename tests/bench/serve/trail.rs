//! A trail as long as many years make it, and where in the tree one looks at it from.

use saml2cloud::tvm::store::{Dialect, Open};
use saml2cloud::types::Timestamp;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::Result;
use crate::data::{Size, analyze, raw};

/// Makes a trail as of many years: `count` events of 40 kinds, by all people, at all accounts, over a year. Its digests are empty, so nobody can verify it.
pub(crate) async fn fill_trail(open: &Open, size: Size, count: u64, now: Timestamp) -> Result {
    let mut conn = raw(open).await?;
    let rest = match open.place.dialect() {
        Dialect::Sqlite => "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000",
        Dialect::Postgres => "SET session_replication_role = replica",
    };
    conn.execute(rest).await?;
    let series = match open.place.dialect() {
        Dialect::Sqlite => |from: u64, to: u64| {
            format!("(WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {to}) SELECT i FROM n)")
        },
        Dialect::Postgres => |from: u64, to: u64| format!("(SELECT generate_series(CAST({from} AS BIGINT), {to} - 1) AS i)"),
    };
    let Size { accounts, people, .. } = size;
    let (begin, step) = (now.unix_millis() - 365 * 86_400_000, 365 * 86_400_000 / i64::try_from(count)?.max(1));
    conn.execute(AssertSqlSafe(format!("INSERT INTO audit_chain (chain, seq, hash) VALUES ('0', {count}, '')"))).await?;
    for from in (0..count).step_by(500_000) {
        let text = format!(
            "INSERT INTO audit_event (chain, seq, ts, kind, actor_gid, auth_kind, source_ip, params, target_kind, target_id, node_path, outcome, request_id, prev_hash, hash)
             SELECT '0', s.i + 1, {begin} + s.i * {step}, 'kind.' || s.i % 40, 'P' || s.i * 7919 % {people}, 'bearer', '192.0.2.1',
             '{{\"role\":\"01000000000000031000000000\",\"channel\":\"cli\",\"duration\":3600}}', 'role', {role}, n.path, 'done', {role}, '', '' FROM {series} s
             JOIN node n ON n.id = '0100000000000002' || CAST(1000000000 + s.i * 104729 % {accounts} AS TEXT)",
            role = "'01000000000000031000000000'",
            series = series(from, (from + 500_000).min(count)),
        );
        conn.execute(AssertSqlSafe(text)).await?;
    }
    analyze(open, &mut conn).await?;
    conn.close().await?;
    Ok(())
}

/// An account's node, a folder that holds a hundredth of all accounts, and the root.
pub(crate) async fn places_in_tree(open: &Open) -> Result<[String; 3]> {
    use sqlx::Row as _;
    let mut conn = raw(open).await?;
    let mut found = [const { String::new() }; 3];
    for (place, which) in found.iter_mut().zip(["kind = 'account'", "depth = 2 AND kind = 'management'", "is_root = 1"]) {
        let text = format!("SELECT id FROM node WHERE {which} ORDER BY id LIMIT 1");
        *place = conn.fetch_one(AssertSqlSafe(text)).await?.try_get("id")?;
    }
    Ok(found)
}
