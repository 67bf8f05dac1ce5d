//! How the databases would run every statement that serves a request: by an index, never through a whole table.

use saml2cloud::tvm::store::{Dialect, statements};
use sqlx::{AssertSqlSafe, Row as _};

use crate::audit::raw;
use crate::place::{Acme, on_both};

/// Thousands of rows of everything, each as unlike the others as real ones. Foreign keys rest meanwhile; nothing reads these rows.
const FILL: &str = "
    SET session_replication_role = replica;
    INSERT INTO cam_user (id, gid, gid_norm, alias, alias_norm, home_node_id, status, created_at, updated_at)
        SELECT 'u' || i, 'g' || i, 'g' || i, 'a' || i, 'a' || i, 'n' || i % 500, 'active', i, i FROM generate_series(1, 9000) i;
    INSERT INTO node (id, kind, is_root, parent_id, parent_kind, parent_path, path, depth, name, name_norm, partition_key, account_uid, state, created_at, updated_at, keeper_id)
        SELECT 'n' || i, 'account', 0, 'p' || i % 500, 'management', '/r/p' || i % 500 || '/', '/r/p' || i % 500 || '/n' || i || '/', 3, 'n' || i, 'n' || i,
        'aws', 'x' || i, 'active', i, i, 'u' || i FROM generate_series(1, 9000) i;
    INSERT INTO node_owner (node_id, user_id, granted_at) SELECT 'n' || i, 'u' || i % 900, i FROM generate_series(1, 9000) i;
    INSERT INTO preset_role (role_key, scope, title_zh, title_en, plane, risk) SELECT 'p' || i, 'account', 'x', 'x', 'cloud', 'normal' FROM generate_series(1, 9000) i;
    INSERT INTO cloud_role (id, node_id, class, name, arn, plane, state, created_at, updated_at)
        SELECT 'r' || i, 'n' || i % 3000, CASE i % 3 WHEN 0 THEN 'custom' ELSE 'system' END, 'x' || i, 'arn' || i, 'cloud', 'active', i, i FROM generate_series(1, 9000) i;
    INSERT INTO user_group (id, node_id, class, role_id, name, name_norm, created_at)
        SELECT 'g' || i, 'n' || i % 3000, CASE WHEN i > 6000 THEN 'horizontal' ELSE 'role' END, CASE WHEN i > 6000 THEN NULL ELSE 'r' || i END, 'g' || i, 'g' || i, i
        FROM generate_series(1, 9000) i;
    INSERT INTO group_member (group_id, user_id, source, granted_at, expires_at)
        SELECT 'g' || i % 2000, 'u' || i, 'manual', i, CASE WHEN i % 9 = 0 THEN i END FROM generate_series(1, 9000) i;
    INSERT INTO horizontal_role (id, node_id, name, name_norm, matcher, pattern, activation, protected, created_at, updated_at)
        SELECT 'h' || i, 'p' || i % 500, 'h' || i, 'h' || i, 'prefix', 'x', 'auto', 0, i, i FROM generate_series(1, 9000) i;
    INSERT INTO horizontal_role_explicit (hrole_id, role_id, added_at) SELECT 'h' || i % 900, 'r' || i, i FROM generate_series(1, 9000) i;
    INSERT INTO horizontal_role_match (hrole_id, role_id, via, state) SELECT 'h' || i % 900, 'r' || i, 'pattern', 'active' FROM generate_series(1, 9000) i;
    INSERT INTO horizontal_role_group (hrole_id, group_id) SELECT 'h' || i, 'g' || i % 900 FROM generate_series(1, 9000) i;
    INSERT INTO vend_record (id, ts, user_id, gid, role_id, role_arn, node_id, method, channel, lifetime_s, session_name, grant_via, outcome, access_key_id)
        SELECT 'v' || i, i, 'u' || i % 900, 'g', 'r' || i % 900, 'x', 'n' || i % 900, 'saml', 'cli', 900, 'x', '[]', CASE WHEN i % 90 = 0 THEN 'pending' ELSE 'issued' END,
        'k' || i FROM generate_series(1, 9000) i;
    INSERT INTO audit_chain (chain, seq, hash) SELECT 'c' || i, 9, '' FROM generate_series(1, 2000) i;
    INSERT INTO audit_event (chain, seq, ts, kind, actor_gid, auth_kind, params, node_path, outcome, prev_hash, hash)
        SELECT 'c' || i % 2000, i, i, 'k' || i % 500, 'g' || i % 500, 'system', '{}', '/r/p' || i % 500 || '/', 'done', '', '' FROM generate_series(1, 9000) i;
    INSERT INTO session (id_hash, user_id, csrf_hash, created_at, seen_at, expires_at, name_id)
        SELECT 's' || i, 'u' || i % 900, 'x', i, i, i, 'n' || i % 900 FROM generate_series(1, 9000) i;
    INSERT INTO saml_request (id, browser_hash, relay_state, return_to, force_authn, created_at, expires_at)
        SELECT 'r' || i, 'x', 'x' || i, '/', 0, i, i FROM generate_series(1, 9000) i;
    INSERT INTO saml_seen (issuer, assertion_id, expires_at) SELECT 'i', 'a' || i, i FROM generate_series(1, 9000) i;
    INSERT INTO api_token (id, token_hash, user_id, kind, origin_hash, created_at, expires_at)
        SELECT 't' || i, 'x' || i, 'u' || i % 900, 'cli', 'o' || i, i, i FROM generate_series(1, 9000) i;
    INSERT INTO cli_code (code_hash, user_id, challenge, redirect_uri, created_at, expires_at)
        SELECT 'c' || i, 'u' || i % 900, 'x', 'x', i, i FROM generate_series(1, 9000) i;
    INSERT INTO device_login (device_hash, code_hash, status, user_id, interval_s, created_at, expires_at)
        SELECT 'd' || i, 'x' || i, 'pending', 'u' || i % 900, 5, i, i FROM generate_series(1, 9000) i;
    INSERT INTO idempotency (user_id, idem_key, route, request_hash, created_at, expires_at)
        SELECT 'u' || i % 900, 'k' || i, 'x', 'x', i, i FROM generate_series(1, 9000) i;
    INSERT INTO audit_told (place, chain, seq, checkpoint, told_at) SELECT 'p', 'c' || i, i, i, i FROM generate_series(1, 9000) i;
    INSERT INTO audit_checkpoint (chain, seq, hash, ts, key_id, signature) SELECT 'c' || i % 900, i, 'x', i, 'k', 'x' FROM generate_series(1, 9000) i;
    INSERT INTO allowance (name, full_at) SELECT 'a' || i, i FROM generate_series(1, 9000) i;
    INSERT INTO preset_user (node_id, name) SELECT 'n' || i, 'x' FROM generate_series(1, 9000) i;
    INSERT INTO account_secret (node_id, access_key_id, sealed, rotated_at) SELECT 'n' || i, 'x', 'x', i FROM generate_series(1, 9000) i;
    INSERT INTO proposal (id, kind, subject, params, proposed_by, status, created_at, expires_at)
        SELECT 'p' || i, 'k' || i % 9, 's' || i % 900, '{}', 'u' || i % 900, CASE i % 90 WHEN 0 THEN 'open' ELSE 'agreed' END, i, i FROM generate_series(1, 9000) i;
    SET session_replication_role = DEFAULT;
    ANALYZE;
";

#[test]
fn no_request_walks_through_a_table() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let mut conn = raw(ground).await;
        let dialect = acme.store.dialect();
        if dialect == Dialect::Postgres {
            // In small tables a walk would be right.
            sqlx::raw_sql(FILL).execute(&mut conn).await.unwrap();
        }
        let mut names = std::collections::BTreeSet::new();
        let mut wrong = Vec::new();
        for statement in statements() {
            assert!(names.insert(statement.sql), "{} stands twice", statement.name);
            let explain = if dialect == Dialect::Sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
            let mut query = sqlx::query(AssertSqlSafe(format!("{explain} {}", statement.sql)));
            for kind in statement.takes.chars() {
                query = if kind == 't' { query.bind("x") } else { query.bind(1_i64) };
            }
            let highest = (1..200).rev().find(|at| statement.sql.contains(&format!("${at}"))).unwrap_or_default();
            assert_eq!(statement.takes.len(), highest, "{}: parameters", statement.name);
            let rows =
                query.fetch_all(&mut conn).await.unwrap_or_else(|error| panic!("{}: {error}\n{}", statement.name, statement.sql));
            let plan: Vec<String> = rows
                .iter()
                .map(|row| row.get::<String, _>(if dialect == Dialect::Sqlite { "detail" } else { "QUERY PLAN" }))
                .collect();
            // What a statement worked out itself is walked through; `mine` is the set of a person's own roles, `page` a page of them.
            let walks = |line: &&String| match dialect {
                Dialect::Sqlite => {
                    // There are a few signing keys a year.
                    let fine = [
                        "SCAN mine",
                        "SCAN page",
                        "SCAN found",
                        "SCAN 8-ROW VALUES CLAUSE",
                        "SCAN (subquery",
                        "SCAN signing_key",
                    ];
                    line.starts_with("SCAN ") && !fine.iter().any(|own| line.starts_with(own))
                }
                Dialect::Postgres => line.contains("Seq Scan") && !line.contains("signing_key"),
            };
            for line in plan.iter().filter(walks) {
                wrong.push(format!("{}: {line}\n  {}", statement.name, statement.sql));
            }
            // An index that is walked from end to end is a table that is walked. The one of the root has one row.
            for (at, line) in plan
                .iter()
                .enumerate()
                .filter(|(_, line)| line.contains("Index") && line.contains("Scan") && !line.contains("node_root"))
            {
                let details = plan[at + 1..].iter().take_while(|line| !line.contains("->"));
                if !details.clone().any(|line| line.contains("Index Cond")) {
                    wrong.push(format!("{}: {line}, without a condition\n  {}", statement.name, statement.sql));
                }
            }
        }
        assert!(names.len() > 80, "only {} statements", names.len());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}
