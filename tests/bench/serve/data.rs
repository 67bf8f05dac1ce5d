//! A company of the size that the service is planned for, written straight into the tables: 10,000 accounts with 150,000 roles, 100,000 people,
//! 1,000,000 memberships, 500 horizontal roles. `SAML2CLOUD_BENCH_SCALE` divides all of it.

use saml2cloud::tvm::audit::{AuthKind, Event};
use saml2cloud::tvm::model::{Alias, Email, Gid, Label, RoleId, UserId};
use saml2cloud::tvm::store::nodes::Founding;
use saml2cloud::tvm::store::{Dialect, Open, Place, Store, Tls};
use saml2cloud::types::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};

use crate::Result;

/// How much of everything there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) accounts: u64,
    pub(crate) roles: u64,
    pub(crate) people: u64,
    pub(crate) memberships: u64,
    pub(crate) horizontals: u64,
}

impl Size {
    pub(crate) fn of_environment() -> Self {
        let scale: u64 = std::env::var("SAML2CLOUD_BENCH_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1).max(1);
        let of = |whole: u64| (whole / scale).max(10);
        let accounts = of(10_000);
        Self { accounts, roles: accounts * 15, people: of(100_000), memberships: of(1_000_000), horizontals: of(500) }
    }
}

/// Where to put it: a file in a folder, or the server that the environment names.
pub(crate) fn places(folder: &std::path::Path) -> Vec<(&'static str, Open)> {
    let mut places = vec![("SQLite", Open { place: Place::Sqlite(folder.join("bench.db")), connections: 8 })];
    if let Some(url) = std::env::var("SAML2CLOUD_BENCH_POSTGRES").ok().and_then(|text| text.parse().ok()) {
        places.push(("PostgreSQL", Open { place: Place::Postgres { url, password: None, tls: Tls::Off }, connections: 8 }));
    }
    places
}

/// The identity of the thing of that kind and number; one that a row could have.
fn id(kind: u8, number: u64) -> String {
    format!("01000000000000{kind:02}{}", 1_000_000_000 + number)
}

/// A person of that number.
pub(crate) fn person(number: u64) -> UserId {
    UserId::parse(&id(1, number)).expect("an identity")
}

/// A role that the person holds by their n-th membership.
pub(crate) fn role_of(size: Size, person: u64, nth: u64) -> RoleId {
    RoleId::parse(&id(3, group_of(size, person, nth))).expect("an identity")
}

fn group_of(size: Size, person: u64, nth: u64) -> u64 {
    (person * 13 + nth * 10_007) % size.roles
}

async fn raw(open: &Open) -> Result<AnyConnection> {
    sqlx::any::install_default_drivers();
    let address = match &open.place {
        Place::Sqlite(path) => format!("sqlite://{}", path.display()),
        Place::Postgres { url, .. } => {
            let mut url = url.clone();
            url.query_pairs_mut().append_pair("sslmode", "disable");
            url.to_string()
        }
    };
    Ok(AnyConnection::connect(&address).await?)
}

/// Makes all of it, in a database that is empty.
pub(crate) async fn fill(open: &Open, size: Size, now: Timestamp) -> Result<Store> {
    if open.place.dialect() == Dialect::Postgres {
        raw(open).await?.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await?;
    }
    open.migrate().await?;
    let store = open.open(now).await?;
    let mut tx = store.begin(now).await?;
    let founding = Founding {
        name: Label::parse("Acme")?,
        account: None,
        gid: Gid::parse("E-0")?,
        alias: Alias::parse("admin")?,
        email: Email::default(),
    };
    let (root, admin) = tx.found(&founding).await?;
    tx.commit(&Event::by(AuthKind::Console, "bench.found", serde_json::json!({}))).await?;
    let mut conn = raw(open).await?;
    let series = match open.place.dialect() {
        Dialect::Sqlite => {
            conn.execute("PRAGMA foreign_keys = OFF").await?;
            |count: u64| {
                format!("(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) SELECT i FROM n)")
            }
        }
        Dialect::Postgres => {
            conn.execute("SET session_replication_role = replica").await?;
            |count: u64| format!("(SELECT generate_series(0, {count} - 1) AS i)")
        }
    };
    let id = |kind: u8, number: &str| format!("'01000000000000{kind:02}' || CAST(1000000000 + {number} AS TEXT)");
    let (user, node, folder, role, group, horizontal) =
        (id(1, "s.i"), id(2, "s.i"), id(5, "s.i % 100"), id(3, "s.i"), id(4, "s.i"), id(6, "s.i"));
    let of_account = id(2, "s.i / 15");
    let uid = |number: &str| format!("CAST(100000000000 + {number} AS TEXT)");
    let (own, of_role) = (uid("s.i"), uid("s.i / 15"));
    let Size { accounts, roles, people, memberships, horizontals } = size;
    let steps = [
        format!(
            "INSERT INTO cam_user (id, gid, gid_norm, alias, alias_norm, home_node_id, status, created_at, updated_at)
             SELECT {user}, 'P' || s.i, 'P' || s.i, 'person ' || s.i, 'person ' || s.i, '{root}', 'active', 0, 0 FROM {} s",
            series(people),
            root = root.id
        ),
        format!(
            "INSERT INTO node (id, kind, is_root, parent_id, parent_kind, parent_path, path, depth, name, name_norm, keeper_id, state, created_at, updated_at)
             SELECT {folder}, 'management', 0, '{root}', 'management', '{path}', '{path}' || {folder} || '/', 2, 'folder ' || s.i, 'folder ' || s.i, '{admin}',
             'active', 0, 0 FROM {} s",
            series(100),
            root = root.id,
            path = root.path
        ),
        format!(
            "INSERT INTO node (id, kind, is_root, parent_id, parent_kind, parent_path, path, depth, name, name_norm, partition_key, account_uid, saml_provider,
             keeper_id, state, created_at, updated_at)
             SELECT {node}, 'account', 0, {folder}, 'management', '{path}' || {folder} || '/', '{path}' || {folder} || '/' || {node} || '/', 3, 'account ' || s.i,
             'account ' || s.i, 'aws', {own}, 'arn:aws:iam::' || {own} || ':saml-provider/cam', '{admin}', 'active', 0, 0 FROM {} s",
            series(accounts),
            path = root.path
        ),
        format!("INSERT INTO node_owner (node_id, user_id, granted_at) SELECT id, '{admin}', 0 FROM node WHERE is_root = 0"),
        format!(
            "INSERT INTO cloud_role (id, node_id, class, name, arn, plane, state, created_at, updated_at)
             SELECT {role}, {of_account}, CASE s.i % 5 WHEN 4 THEN 'custom' ELSE 'system' END, 'role-' || s.i, 'arn:aws:iam::' || {of_role} || ':role/role-' || s.i,
             'cloud', 'active', 0, 0 FROM {} s",
            series(roles)
        ),
        format!(
            "INSERT INTO user_group (id, node_id, class, role_id, name, name_norm, created_at)
             SELECT {group}, {of_account}, 'role', {role}, 'role-' || s.i, 'role-' || s.i, 0 FROM {} s",
            series(roles)
        ),
        format!(
            "INSERT INTO group_member (group_id, user_id, source, granted_at) SELECT {}, {}, 'manual', 0 FROM {} s WHERE true ON CONFLICT DO NOTHING",
            id(4, &format!("(s.i % {people} * 13 + s.i / {people} * 10007) % {roles}")),
            id(1, &format!("s.i % {people}")),
            series(memberships)
        ),
        format!(
            "INSERT INTO horizontal_role (id, node_id, name, name_norm, matcher, pattern, activation, protected, created_at, updated_at)
             SELECT {horizontal}, '{root}', 'horizontal ' || s.i, 'horizontal ' || s.i, 'exact', 'role-' || s.i, 'auto', 0, 0, 0 FROM {} s",
            series(horizontals),
            root = root.id
        ),
        format!(
            "INSERT INTO user_group (id, node_id, class, name, name_norm, created_at)
             SELECT {}, '{root}', 'horizontal', 'group ' || s.i, 'group ' || s.i, 0 FROM {} s",
            id(7, "s.i"),
            series(horizontals),
            root = root.id
        ),
        format!(
            "INSERT INTO horizontal_role_group (hrole_id, group_id) SELECT {horizontal}, {} FROM {} s",
            id(7, "s.i"),
            series(horizontals)
        ),
        format!(
            "INSERT INTO horizontal_role_match (hrole_id, role_id, via, state) SELECT {}, {role}, 'pattern', 'active' FROM {} s",
            id(6, &format!("s.i % {horizontals}")),
            series(roles)
        ),
        // Each tenth person is in one horizontal group.
        format!(
            "INSERT INTO group_member (group_id, user_id, source, granted_at) SELECT {}, {}, 'manual', 0 FROM {} s",
            id(7, &format!("s.i % {horizontals}")),
            id(1, "s.i * 10"),
            series(people / 10)
        ),
    ];
    for step in steps {
        conn.execute(AssertSqlSafe(step)).await?;
    }
    analyze(open, &mut conn).await?;
    conn.close().await?;
    Ok(store)
}

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
             JOIN node n ON n.id = {node}",
            role = "'01000000000000031000000000'",
            series = series(from, (from + 500_000).min(count)),
            node = format!("'0100000000000002' || CAST(1000000000 + s.i * 104729 % {accounts} AS TEXT)"),
        );
        conn.execute(AssertSqlSafe(text)).await?;
    }
    analyze(open, &mut conn).await?;
    conn.close().await?;
    Ok(())
}

/// A server looks at its tables from time to time by itself; to a file nobody does that.
async fn analyze(open: &Open, conn: &mut AnyConnection) -> Result {
    if open.place.dialect() == Dialect::Postgres {
        conn.execute("ANALYZE").await?;
    }
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
