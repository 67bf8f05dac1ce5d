//! What no mistake of the program may break, the schema itself refuses. And it is made once, and only by a program that knows it.

use saml2cloud::tvm::model::NodeId;
use saml2cloud::tvm::store::{Schema, StoreError};
use sqlx::Executor as _;

use crate::audit::raw;
use crate::place::{Acme, later, now, on_both};

#[test]
fn the_schema_is_made_once_and_a_newer_one_is_left_alone() {
    on_both(async |ground| {
        assert_eq!(ground.open.schema().await.unwrap(), Schema::Missing);
        assert!(matches!(ground.open.open(now()).await, Err(StoreError::Schema(_))));
        let acme = Acme::new(ground).await;
        ground.open.migrate().await.unwrap();
        assert_eq!(ground.open.schema().await.unwrap(), Schema::Current);
        acme.store.verify().await.unwrap();
        let mut conn = raw(ground).await;
        conn.execute("UPDATE _sqlx_migrations SET version = 99 WHERE version = 1").await.unwrap();
        drop(conn);
        assert_eq!(ground.open.schema().await.unwrap(), Schema::New(99));
        assert!(matches!(ground.open.open(later(1)).await, Err(StoreError::Schema(said)) if said.contains("newer program")));
        assert!(ground.open.migrate().await.is_err());
    });
}

#[test]
fn what_must_never_be_is_refused_by_the_schema() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let (root, east, shop, bank) = (&acme.root, &acme.east, &acme.shop, &acme.bank);
        let id = NodeId::new(now());
        let add = |kind: &str, is_root: u8, parent: &str, path: &str, uid: &str, keeper: &str| {
            format!(
                "INSERT INTO node (id, kind, is_root, parent_id, parent_kind, parent_path, path, depth, name, name_norm, partition_key, account_uid, state, created_at, \
                 updated_at, keeper_id) VALUES ('{id}', '{kind}', {is_root}, {parent}, '{path}', 2, 'x', 'x', {uid}, 'active', 0, 0, {keeper})"
            )
        };
        let below = |parent: &saml2cloud::tvm::model::Node, kind: &str| format!("'{}', '{kind}', '{}'", parent.id, parent.path);
        let keeper = format!("'{}'", acme.admin);
        let cases = [
            ("a second root", add("management", 1, "NULL, NULL, NULL", &format!("/{id}/"), "NULL, NULL", &keeper)),
            ("a node without a parent", add("management", 0, "NULL, NULL, NULL", &format!("/{id}/"), "NULL, NULL", &keeper)),
            (
                "a node below an account",
                add("management", 0, &below(shop, "account"), &format!("{}{id}/", shop.path), "NULL, NULL", &keeper),
            ),
            (
                "one that says it is not",
                add("management", 0, &below(shop, "management"), &format!("{}{id}/", shop.path), "NULL, NULL", &keeper),
            ),
            (
                "a path that is not the parent's",
                add("management", 0, &below(root, "management"), &format!("{}{id}/", east.path), "NULL, NULL", &keeper),
            ),
            (
                "an account without a number",
                add("account", 0, &below(root, "management"), &format!("{}{id}/", root.path), "NULL, NULL", &keeper),
            ),
            (
                "a folder with a number",
                add(
                    "management",
                    0,
                    &below(root, "management"),
                    &format!("{}{id}/", root.path),
                    "'aws', '333333333333'",
                    &keeper,
                ),
            ),
            (
                "an account twice",
                add("account", 0, &below(root, "management"), &format!("{}{id}/", root.path), "'aws', '111111111111'", &keeper),
            ),
            (
                "a node without an owner",
                add("management", 0, &below(root, "management"), &format!("{}{id}/", root.path), "NULL, NULL", "NULL"),
            ),
            (
                "a keeper who owns nothing",
                add("management", 0, &below(root, "management"), &format!("{}{id}/", root.path), "NULL, NULL", &keeper),
            ),
            ("the last owner gone", format!("DELETE FROM node_owner WHERE node_id = '{}'", shop.id)),
            (
                "a cycle",
                format!(
                    "UPDATE node SET parent_id = '{0}', parent_path = '{1}', path = '{1}{2}/' WHERE id = '{2}'",
                    east.id, east.path, east.id
                ),
            ),
            ("another parent without its path", format!("UPDATE node SET parent_id = '{}' WHERE id = '{}'", east.id, bank.id)),
            (
                "an owner who is not there",
                format!("INSERT INTO node_owner (node_id, user_id, granted_at) VALUES ('{}', 'x', 0)", shop.id),
            ),
            ("a person whose rows remain", format!("DELETE FROM cam_user WHERE id = '{}'", acme.ao)),
            ("a GID twice", "UPDATE cam_user SET gid_norm = 'MO'".to_owned()),
            ("an alias twice", "UPDATE cam_user SET alias_norm = 'x'".to_owned()),
            (
                "a role on a folder",
                format!(
                    "INSERT INTO cloud_role (id, node_id, class, name, arn, plane, state, created_at, updated_at) VALUES ('r', '{}', 'system', 'x', 'x', 'cloud', 'active', 0, 0)",
                    east.id
                ),
            ),
            (
                "a horizontal role on an account",
                format!(
                    "INSERT INTO horizontal_role (id, node_id, name, name_norm, activation, protected, created_at, updated_at) VALUES ('h', '{}', 'x', 'x', 'auto', 0, 0, 0)",
                    shop.id
                ),
            ),
        ];
        for (what, sql) in cases {
            let mut conn = raw(ground).await;
            conn.execute("BEGIN").await.unwrap();
            let done = match conn.execute(sqlx::AssertSqlSafe(sql)).await {
                Ok(_) => conn.execute("COMMIT").await.map(|_| ()),
                Err(error) => Err(error),
            };
            let error = done.expect_err(what);
            let kind = error.as_database_error().map(|error| error.kind());
            assert!(!matches!(kind, None | Some(sqlx::error::ErrorKind::Other)), "{what} is refused for another reason: {error}");
            drop(conn);
        }
        // And the sound row is taken, so the refusals above were for what they name.
        let mut conn = raw(ground).await;
        conn.execute("BEGIN").await.unwrap();
        let sound = add("management", 0, &below(root, "management"), &format!("{}{id}/", root.path), "NULL, NULL", &keeper);
        conn.execute(sqlx::AssertSqlSafe(sound)).await.unwrap();
        let own = format!("INSERT INTO node_owner (node_id, user_id, granted_at) VALUES ('{id}', {keeper}, 0)");
        conn.execute(sqlx::AssertSqlSafe(own)).await.unwrap();
        conn.execute("COMMIT").await.unwrap();
    });
}

#[test]
fn one_role_has_one_group() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let role = acme.role(&acme.shop, saml2cloud::tvm::model::Class::System, "Reader").await;
        let mut conn = raw(ground).await;
        let second = format!(
            "INSERT INTO user_group (id, node_id, class, role_id, name, name_norm, created_at) VALUES ('g', '{}', 'role', '{}', 'x', 'x', 0)",
            acme.shop.id, role.id
        );
        let error = conn.execute(sqlx::AssertSqlSafe(second)).await.unwrap_err();
        assert!(error.as_database_error().unwrap().is_unique_violation(), "{error}");
    });
}
