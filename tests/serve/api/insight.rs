//! Who can use what and why; the trail and the ledger.

use std::time::Duration;

use saml2cloud::tvm::audit::{AuthKind, Event};
use saml2cloud::tvm::keys::{Purpose, Ring};
use serde_json::{Value, json};

use super::realm::{Realm, each, refusal};

fn is(answer: &crate::house::Answer, status: u16, code: &str) {
    assert_eq!(refusal(answer), (status, code.to_owned()), "{}", answer.text);
}

/// All entries of a list, page by page of this length.
async fn all(realm: &Realm, gid: &str, path: &str, limit: u32) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    let mark = if path.contains('?') { '&' } else { '?' };
    for _ in 0..200 {
        let page = realm.get(gid, &format!("{path}{mark}limit={limit}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        found.extend(page.json()["items"].as_array().unwrap().iter().cloned());
        match page.json()["next"].as_str() {
            None => return found,
            Some(next) => cursor = format!("&cursor={next}"),
        }
    }
    panic!("{path} has no end");
}

fn short(rows: &[Value]) -> Vec<String> {
    let text = |row: &Value, pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
    let line = |row: &Value| {
        format!("{} {} {} {}", text(row, "/node/name"), text(row, "/role/name"), text(row, "/gid"), text(row, "/horizontal/name"))
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn the_report_says_who_can_use_what() {
    let realm = Realm::new().await;
    let everything = [
        "Bank ent_IAM_admin ce -",
        "Bank ops-reader zoe all ops",
        "Shop account_IAM_admin ca -",
        "Shop my-tool sam -",
        "Shop ops-reader hal -",
        "Shop ops-reader zoe all ops",
        "Shop ops-reader zoe ops",
    ];
    for limit in [1, 2, 3, 200] {
        assert_eq!(short(&all(&realm, "e-1", "/api/v1/reports/role-people", limit).await), everything, "{limit}");
    }
    assert_eq!(short(&all(&realm, "ce", "/api/v1/reports/role-people", 2).await), everything);
    assert_eq!(short(&all(&realm, "mo", "/api/v1/reports/role-people", 200).await), everything[2..]);
    assert_eq!(short(&all(&realm, "ao", "/api/v1/reports/role-people", 200).await), everything[3..4]);
    is(&realm.get("bob", "/api/v1/reports/role-people").await, 403, "forbidden");
    // A cursor of one subtree shows nothing of it to somebody who looks after another.
    let cursor = realm.get("mo", "/api/v1/reports/role-people?limit=1").await.json()["next"].as_str().unwrap().to_owned();
    is(&realm.get("mw", &format!("/api/v1/reports/role-people?cursor={cursor}")).await, 400, "validation_failed");
    let csv = realm.get("mo", "/api/v1/reports/role-people?format=csv&limit=2").await;
    assert_eq!((csv.header("content-type"), csv.text.lines().count()), ("text/csv; charset=utf-8", 3));
    assert!(csv.text.starts_with("\"node\",\"role\",\"class\",\"gid\""), "{}", csv.text);
    let next = csv.header("link").trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert_eq!(realm.get("mo", &next).await.text.lines().count(), 3);
}

#[tokio::test]
async fn what_one_person_has_is_told_as_far_as_one_looks_after_it() {
    let realm = Realm::new().await;
    let roles = async |gid: &str| {
        let rows = all(&realm, gid, "/api/v1/users/{zoe}/access", 1).await;
        rows.iter().map(|row| row.pointer("/node/name").unwrap().as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((roles("e-1").await.len(), roles("ce").await.len()), (2, 2));
    assert_eq!((roles("mo").await, roles("mw").await), (vec!["Shop".to_owned()], vec!["Bank".to_owned()]));
    let ties = async |gid: &str| {
        let rows = all(&realm, gid, "/api/v1/users/{zoe}/references", 1).await;
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut both = ties("e-1").await;
    both.sort();
    assert_eq!(both, ["ops people", "root people"]);
    assert_eq!((ties("mo").await, ties("mw").await), (vec!["ops people".to_owned()], Vec::new()));
    let owner = all(&realm, "e-1", "/api/v1/users/mo/references", 1).await;
    assert_eq!((owner.len(), &owner[0]["what"], &owner[0]["name"]), (1, &json!("owner of"), &json!("East")));
}

#[tokio::test]
async fn every_way_to_a_role_is_explained_and_every_obstacle() {
    let realm = Realm::new().await;
    let why = async |gid: &str, who: &str, role: &str| {
        realm.get(gid, &format!("/api/v1/explain?user={{{who}}}&role={{{role}}}")).await.json()
    };
    let zoe = why("mo", "zoe", "ops").await;
    assert_eq!((&zoe["can_use"], zoe["ways"].as_array().unwrap().len()), (&json!(true), 2), "{zoe}");
    assert!(zoe["ways"].as_array().unwrap().iter().all(|way| way["via"] == "pattern" && way["state"] == "counts"));
    let hal = why("hal", "hal", "ops").await;
    assert_eq!((&hal["can_use"], &hal["ways"][0]["group"]["name"]), (&json!(true), &json!("ops-reader")));
    let bob = why("mo", "bob", "ops").await;
    assert_eq!((&bob["can_use"], &bob["obstacles"]), (&json!(false), &json!(["they are in no group that has the role"])));
    realm.patch("mo", "/api/v1/nodes/{shop}", 1, &json!({"state": "suspended"})).await;
    realm.patch("mo", "/api/v1/system-roles/{ops}", 1, &json!({"state": "suspended"})).await;
    realm.ask("e-1", "POST", "/api/v1/users/{hal}/disable", None, Some(1)).await;
    let hal = why("mo", "hal", "ops").await;
    let all = json!(["the person is barred from signing in", "the role is suspended", "`Shop` is suspended"]);
    assert_eq!((&hal["can_use"], &hal["obstacles"]), (&json!(false), &all));
}

#[tokio::test]
async fn the_trail_is_read_by_whom_it_concerns() {
    let realm = Realm::new().await;
    realm.patch("ao", "/api/v1/nodes/{shop}", 1, &json!({"description": "a"})).await;
    realm.patch("mw", "/api/v1/nodes/{bank}", 1, &json!({"description": "b"})).await;
    realm.patch("ao", "/api/v1/nodes/{bank}", 1, &json!({"description": "c"})).await;
    let found = async |gid: &str, query: &str| {
        let rows = all(&realm, gid, &format!("/api/v1/audit?type=node.update{query}"), 1).await;
        rows.iter()
            .map(|row| {
                format!(
                    "{} {} {}",
                    row["gid"].as_str().unwrap(),
                    row["outcome"].as_str().unwrap(),
                    row["params"]["description"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    // The newest first.
    assert_eq!(found("e-1", "").await, ["AO refused c", "MW done b", "AO done a"]);
    assert_eq!(found("mo", "&node={east}").await, ["AO done a"]);
    assert_eq!(found("mw", "&node={west}").await, ["AO refused c", "MW done b"]);
    assert_eq!(found("ab", "&node={bank}&gid=mw").await, ["MW done b"]);
    assert_eq!(found("ao", "").await, ["AO refused c", "AO done a"]);
    assert_eq!(found("e-1", "&gid=Ao").await, ["AO refused c", "AO done a"]);
    assert_eq!(found("bob", "").await, Vec::<String>::new());
    is(&realm.get("ao", "/api/v1/audit?gid=mw").await, 403, "forbidden");
    is(&realm.get("ao", "/api/v1/audit?node={bank}").await, 404, "not_found");
    let now = realm.house.app.now().utc();
    assert_eq!(found("e-1", &format!("&to={now}")).await, Vec::<String>::new());
    assert_eq!(found("e-1", &format!("&from={now}")).await.len(), 3);
    for bad in ["?from=yesterday", "?type=a%20b", "?gid=%20", "?cursor=W10", "?format=pdf"] {
        is(&realm.get("e-1", &format!("/api/v1/audit{bad}")).await, 400, "validation_failed");
    }
    let csv = realm.get("mo", "/api/v1/audit?node={east}&type=node.update&format=csv").await;
    assert_eq!((csv.header("content-disposition"), csv.text.lines().count()), ("attachment; filename=\"audit.csv\"", 2));
    assert!(csv.text.contains(r#"""description"":""a"""#), "{}", csv.text);
}

/// How many events are as they were written, where all are.
async fn walked(realm: &Realm) -> i64 {
    let (mut path, mut sound) = ("/api/v1/audit/verify".to_owned(), 0);
    loop {
        let piece = realm.get("e-1", &path).await.json();
        assert_eq!(piece["broken"], Value::Null, "{piece}");
        sound += piece["sound"].as_i64().unwrap();
        match piece["next"].as_object() {
            Some(next) => path = format!("/api/v1/audit/verify?chain={}&from={}", next["chain"].as_str().unwrap(), next["from"]),
            None => return sound,
        }
    }
}

#[tokio::test]
async fn a_trail_that_was_cut_when_its_time_was_over_is_sound_from_there_on() {
    let realm = Realm::new().await;
    let app = &realm.house.app;
    crate::house::give_key(app, Purpose::Audit).await;
    let later = |days: u64| app.now().after(Duration::from_secs(days * 24 * 3600));
    let event = Event::by(AuthKind::System, "numbered", json!({}));
    for _ in 0..3 {
        app.store.record(later(300), &event).await.unwrap();
    }
    let before = walked(&realm).await;
    let ring = Ring::load(&app.store, app.keys.keepers(), app.now()).await.unwrap();
    let (key, signer) = (ring.active(Purpose::Audit).unwrap(), ring.signer(Purpose::Audit).unwrap());
    let gone = app.store.let_go(1, key, signer.as_ref(), later(400)).await.unwrap();
    assert!(gone.chains == 1 && gone.events > 20, "{gone:?}");
    // The walk itself left an event, and so did the cut.
    assert_eq!(walked(&realm).await, before + 2 - i64::try_from(gone.events).unwrap());
    let piece = realm.get("e-1", "/api/v1/audit/verify?from=2").await.json();
    assert_eq!((piece["from"].as_u64(), &piece["broken"]), (Some(gone.events + 1), &Value::Null), "{piece}");
    // What goes without leave is missed.
    let chain = app.store.chain().to_string();
    let database = format!("sqlite:{}", realm.house.folder().join("serve.db").display());
    let mut conn = <sqlx::SqliteConnection as sqlx::Connection>::connect(&database).await.unwrap();
    let sql = format!("DELETE FROM audit_event WHERE seq = {}", gone.events + 1);
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    let piece = realm.get("e-1", &format!("/api/v1/audit/verify?chain={chain}")).await.json();
    let missing = format!("event {} is missing", gone.events + 1);
    assert!(piece["broken"].as_str().unwrap().contains(&missing), "{piece}");
}

#[tokio::test]
async fn the_trail_is_walked_from_end_to_end_and_what_was_changed_is_found() {
    let realm = Realm::new().await;
    for _ in 0..3 {
        realm.get("bob", "/api/v1/me").await;
    }
    let sound = walked(&realm).await;
    assert!(sound > 20, "{sound}");
    let chain = realm.house.app.store.chain().to_string();
    let from = realm.get("e-1", &format!("/api/v1/audit/verify?chain={chain}&from=5")).await.json();
    assert_eq!((&from["from"], &from["broken"]), (&json!(5), &Value::Null));
    let database = format!("sqlite:{}", realm.house.folder().join("serve.db").display());
    let mut conn = <sqlx::SqliteConnection as sqlx::Connection>::connect(&database).await.unwrap();
    sqlx::query("UPDATE audit_event SET params = '{}' WHERE seq = 7").execute(&mut conn).await.unwrap();
    let piece = realm.get("e-1", &format!("/api/v1/audit/verify?chain={chain}")).await.json();
    assert_eq!((&piece["sound"], &piece["next"]), (&json!(6), &Value::Null), "{piece}");
    assert!(piece["broken"].as_str().unwrap().contains("event 7 was changed"), "{piece}");
    is(&realm.get("e-1", "/api/v1/audit/verify?chain=01ARZ3NDEKTSV4RRFFQ69G5FAV").await, 404, "not_found");
    is(&realm.get("e-1", "/api/v1/audit/verify?from=0").await, 400, "validation_failed");
}

#[tokio::test]
async fn the_ledger_is_listed_by_one_thing_at_a_time() {
    let realm = Realm::new().await;
    assert_eq!(each(&realm.get("e-1", "/api/v1/vends").await, "/id"), Vec::<String>::new());
    for one in ["user=zoe", "node={shop}", "role={ops}", "key=AKIA1"] {
        assert_eq!(each(&realm.get("e-1", &format!("/api/v1/vends?{one}")).await, "/id"), Vec::<String>::new());
    }
    is(&realm.get("e-1", "/api/v1/vends?user=zoe&node={shop}").await, 400, "validation_failed");
    is(&realm.get("e-1", "/api/v1/vends?user=nobody").await, 404, "not_found");
}
