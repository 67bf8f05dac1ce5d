//! The pool: who is found by whom, what is unique, and who cannot go.

use saml2cloud::tvm::model::Gid;
use serde_json::{Value, json};

use super::realm::{Realm, each, refusal};

fn is(answer: &crate::house::Answer, status: u16, code: &str) {
    assert_eq!(refusal(answer), (status, code.to_owned()), "{}", answer.text);
}

#[tokio::test]
async fn owners_find_whom_they_look_after_and_others_by_the_exact_gid_only() {
    let realm = Realm::new().await;
    let found = async |gid: &str, q: &str| each(&realm.get(gid, &format!("/api/v1/users{q}")).await, "/gid");
    assert_eq!(found("mo", "").await, ["sam", "zoe"]);
    assert_eq!(found("ao", "").await, ["sam"]);
    assert_eq!(found("mw", "").await, ["wes"]);
    assert_eq!(found("ab", "").await, Vec::<String>::new());
    assert_eq!(found("e-1", "").await.len(), 13);
    assert_eq!(found("mo", "?q=Z").await, ["zoe"]);
    assert_eq!(found("mo", "?q=wes").await, ["wes"]);
    assert_eq!(found("mo", "?q=we").await, Vec::<String>::new());
    assert_eq!(found("ao", "?q=zoe").await, ["zoe"]);
    // Of somebody elsewhere there is what a picker needs and no more.
    let stranger = realm.get("mo", "/api/v1/users?q=WES").await.json()["items"][0].clone();
    assert_eq!(stranger, json!({"id": realm.id("wes"), "gid": "wes", "alias": "wes of acme"}));
    let stranger = realm.get("mo", "/api/v1/users/{wes}").await;
    assert_eq!((stranger.json().get("email"), stranger.header("etag")), (None, ""));
    let near = realm.get("mo", "/api/v1/users/zoe").await;
    assert_eq!((near.json()["home"].as_str(), near.header("etag")), (Some(realm.id("east")), "\"1\""));
}

#[tokio::test]
async fn a_house_may_let_owners_see_everybody() {
    let realm = Realm::with("[users]\nvisibility = \"global\"").await;
    assert_eq!(each(&realm.get("ab", "/api/v1/users").await, "/gid").len(), 13);
    is(&realm.patch("ab", "/api/v1/users/{zoe}", 1, &json!({"description": "met"})).await, 200, "");
    is(&realm.patch("ab", "/api/v1/users/{e-1}", 1, &json!({"description": "met"})).await, 403, "forbidden");
    is(&realm.patch("ab", "/api/v1/users/{mw}", 1, &json!({"alias": "nobody"})).await, 403, "forbidden");
}

#[tokio::test]
async fn people_are_listed_page_by_page() {
    let realm = Realm::new().await;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = realm.get("e-1", &format!("/api/v1/users?limit=5{cursor}")).await;
        seen.extend(each(&page, "/gid"));
        pages += 1;
        match page.json()["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((seen.len(), sorted.len(), pages), (13, 13, 3));
    for bad in ["?limit=0", "?limit=201", "?limit=x", "?cursor=x", "?cursor=W10", "?what=1", "?q=%00"] {
        is(&realm.get("e-1", &format!("/api/v1/users{bad}")).await, 400, "validation_failed");
    }
}

#[tokio::test]
async fn gid_and_alias_are_taken_once() {
    let realm = Realm::new().await;
    let new = |gid: &str, alias: &str| json!({"gid": gid, "alias": alias, "email": "li@acme.example"});
    let made = realm.post("ao", "/api/v1/users", &new("E-7", "Li Wei")).await;
    assert_eq!((made.status, made.json()["home"].as_str()), (201, Some(realm.id("shop"))), "{}", made.text);
    let row = realm.house.event(&made).await;
    assert_eq!((row.kind.as_str(), row.target.as_deref()), ("user.create", made.json()["id"].as_str()));
    assert_eq!(row.at.as_deref(), Some(realm.house.shop.path.as_str()));
    let params: serde_json::Value = serde_json::from_str(&row.params).unwrap();
    assert_eq!(params, new("E-7", "Li Wei"));
    is(&realm.post("mo", "/api/v1/users", &new("e-7", "Other")).await, 409, "gid_taken");
    is(&realm.post("mo", "/api/v1/users", &new("E-8", "ｌｉ  WEI")).await, 409, "alias_taken");
    is(&realm.post("mo", "/api/v1/users", &new("E 8", "x")).await, 400, "validation_failed");
    is(
        &realm.post("mo", "/api/v1/users", &json!({"gid": "E-8", "alias": "x", "home": realm.id("west")})).await,
        400,
        "validation_failed",
    );
    is(&realm.post("mo", "/api/v1/users", &json!({"gid": "E-8", "alias": "x", "role": "admin"})).await, 400, "validation_failed");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let at = format!("/api/v1/users/{id}");
    is(&realm.patch("mo", &at, 1, &json!({"alias": "admin"})).await, 409, "alias_taken");
    is(&realm.patch("mo", &at, 1, &json!({"gid": "E-9"})).await, 422, "gid_immutable");
    is(&realm.patch("mo", &at, 7, &json!({"alias": "x"})).await, 412, "version_mismatch");
    is(&realm.ask("mo", "PATCH", &at, Some(&json!({"alias": "x"})), None).await, 428, "version_required");
    let moved = realm.patch("mo", &at, 1, &json!({"home": realm.id("east"), "email": ""})).await;
    assert_eq!((moved.json()["home"].as_str(), moved.header("etag")), (Some(realm.id("east")), "\"2\""), "{}", moved.text);
    // From now on the owner of the account does not look after them.
    is(&realm.patch("ao", &at, 2, &json!({"alias": "x"})).await, 403, "forbidden");
}

#[tokio::test]
async fn who_is_referred_to_stays_and_who_was_deleted_comes_back_with_nothing() {
    let realm = Realm::new().await;
    let refused = realm.delete("e-1", "/api/v1/users/{sam}", Some(1), None).await;
    is(&refused, 409, "user_referenced");
    assert_eq!(refused.json()["refs"], json!([{"what": "member of", "id": realm.id("gtool"), "name": "my-tool"}]));
    is(&realm.delete("e-1", "/api/v1/users/{mo}", Some(1), None).await, 409, "user_referenced");
    is(&realm.delete("e-1", "/api/v1/users/{wes}", None, None).await, 428, "version_required");
    let gone = realm.delete("e-1", "/api/v1/users/{wes}", Some(1), None).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    is(&realm.get("e-1", "/api/v1/users/{wes}").await, 404, "not_found");
    let back = realm.post("e-1", "/api/v1/users", &json!({"gid": "WES", "alias": "Wes"})).await;
    assert_eq!((back.status, back.json()["id"].as_str()), (201, Some(realm.id("wes"))));
    // The same request again, with its key: done once, answered alike.
    let token = realm.bearer("e-1").await;
    let send = || {
        let sent = realm.house.post("/api/v1/users").bearer(&token).header("idempotency-key", "k1");
        sent.json(&json!({"gid": "once", "alias": "once"})).answer()
    };
    let (one, two) = (send().await, send().await);
    assert_eq!((one.status, &one.text), (201, &two.text));
    let other = realm.house.post("/api/v1/users").bearer(&token).header("idempotency-key", "k1");
    is(&other.json(&json!({"gid": "twice", "alias": "twice"})).answer().await, 409, "idempotency_conflict");
}

#[tokio::test]
async fn who_is_barred_is_out_at_once_and_a_last_owner_is_not_barred() {
    let realm = Realm::new().await;
    let token = realm.bearer("hal").await;
    let me = || realm.house.get("/api/v1/me").bearer(&token).answer();
    assert_eq!(me().await.status, 200);
    let barred = realm.ask("e-1", "POST", "/api/v1/users/{hal}/disable", None, Some(1)).await;
    assert_eq!((barred.status, barred.json()["status"].as_str()), (200, Some("disabled")), "{}", barred.text);
    assert_eq!(me().await.status, 401);
    let back = realm.ask("e-1", "POST", "/api/v1/users/{hal}/enable", None, Some(2)).await;
    assert_eq!((back.status, back.json()["status"].as_str()), (200, Some("active")));
    assert_eq!(me().await.status, 401, "the old token stays dead");
    is(&realm.ask("e-1", "POST", "/api/v1/users/{e-1}/disable", None, Some(1)).await, 409, "last_owner");
}

fn each_of<'v>(rows: &'v Value, field: &str) -> Vec<&'v str> {
    rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_person_gets_everything_that_is_kept_about_them() {
    let realm = Realm::new().await;
    realm.get("sam", "/api/v1/me").await;
    let export = realm.get("sam", "/api/v1/users/{sam}/export?limit=200").await.json();
    assert_eq!(export["person"]["gid"], "sam");
    assert_eq!((each_of(&export["member_of"], "name"), export["next"].is_null()), (vec!["my-tool"], true));
    assert_eq!(each_of(&export["tokens"], "kind"), ["cli"]);
    // The same as the shell of the machine gives.
    let (gid, now) = (Gid::parse("sam").unwrap(), realm.house.app.now());
    let mut conn = realm.house.app.store.read().await.unwrap();
    let printed = saml2cloud::tvm::store::export::person(&mut conn, &gid, now).await.unwrap().unwrap();
    for (part, value) in printed.as_object().unwrap() {
        match part.as_str() {
            "exported_at" => {}
            // Every request leaves an event, also the one that asked.
            "events" => assert_eq!(value.as_array().unwrap().len(), export[part].as_array().unwrap().len() + 1),
            _ => assert_eq!(*value, export[part], "{part}"),
        }
    }
    drop(conn);
    assert!(export["events"].as_array().unwrap().iter().any(|event| event["type"] == "me.read"), "{export}");
    let first = realm.get("sam", "/api/v1/users/{sam}/export?limit=1").await.json();
    let next = first["next"].as_str().unwrap().to_owned();
    let second = realm.get("sam", &format!("/api/v1/users/{{sam}}/export?limit=1&cursor={next}")).await.json();
    assert!(["person", "owner_of", "member_of", "sessions", "tokens"].iter().all(|part| second.get(part).is_none()), "{second}");
    assert_ne!(first["events"][0]["seq"], second["events"][0]["seq"]);
}
