//! Horizontal roles over the API: rules, previews, confirmation, groups.

use saml2cloud::tvm::model::Class;
use serde_json::{Value, json};

use super::realm::{Realm, each, refusal};

fn is(answer: &crate::house::Answer, status: u16, code: &str) {
    assert_eq!(refusal(answer), (status, code.to_owned()), "{}", answer.text);
}

#[tokio::test]
async fn a_rule_that_is_none_or_takes_too_much_is_refused() {
    let realm = Realm::new().await;
    let at = "/api/v1/nodes/{east}/horizontal-roles";
    let make = async |body: Value| realm.post("mo", at, &body).await;
    for (matcher, pattern) in
        [("regex", "("), ("regex", "a)(b"), ("regex", "(?=a)"), ("regex", "((a{99}){99}){99}"), ("glob", "a\u{0}")]
    {
        is(&make(json!({"name": "x", "matcher": matcher, "pattern": pattern})).await, 422, "pattern_invalid");
    }
    is(&make(json!({"name": "x", "matcher": "exact", "pattern": "x".repeat(257)})).await, 422, "pattern_invalid");
    is(&make(json!({"name": "x", "matcher": "maybe", "pattern": "x"})).await, 400, "validation_failed");
    for (matcher, pattern) in [("regex", ".*"), ("glob", "*"), ("regex", "(a|[^a]).*")] {
        is(&make(json!({"name": "x", "matcher": matcher, "pattern": pattern})).await, 422, "pattern_too_broad");
    }
    for number in 0..10 {
        realm.house.role(&realm.house.labs, Class::System, &format!("dev-{number}")).await;
    }
    // Ten of thirteen: more than half.
    is(&make(json!({"name": "x", "pattern": "dev-"})).await, 422, "pattern_too_broad");
    let made = make(json!({"name": "x", "pattern": "dev-", "confirm": true})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    is(&make(json!({"name": "X", "pattern": "ops-"})).await, 409, "name_taken");
    is(&make(json!({"name": "y", "pattern": "ops-", "protected": true})).await, 403, "forbidden");
    is(
        &realm.post("e-1", "/api/v1/nodes/{shop}/horizontal-roles", &json!({"name": "y", "pattern": "ops-"})).await,
        422,
        "tree_shape",
    );
    is(&realm.patch("mo", "/api/v1/horizontal-roles/{hops}", 1, &json!({"matcher": "glob"})).await, 400, "validation_failed");
    is(
        &realm.patch("mo", "/api/v1/horizontal-roles/{hops}", 1, &json!({"matcher": "glob", "pattern": "*"})).await,
        422,
        "pattern_too_broad",
    );
}

/// What a preview shows is exactly what the change does.
#[tokio::test]
async fn a_preview_shows_what_the_change_does() {
    let realm = Realm::new().await;
    realm.house.role(&realm.house.labs, Class::System, "net-reader").await;
    let held = async || {
        let mut names = each(&realm.get("mo", "/api/v1/horizontal-roles/{hops}/matches").await, "/role/name");
        names.sort();
        names
    };
    let before = held().await;
    let question = json!({"horizontal": realm.id("hops"), "matcher": "glob", "pattern": "*net-*"});
    let preview = realm.post("mo", "/api/v1/horizontal-roles/preview", &question).await.json();
    let names = |key: &str| {
        preview[key].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (mut gained, lost) = (names("gained"), names("lost"));
    gained.sort();
    assert_eq!(
        (gained.clone(), lost.clone(), &preview["total"]),
        (vec!["net-reader".to_owned()], vec!["ops-reader".to_owned()], &json!(1)),
        "{preview}"
    );
    assert_eq!(preview["effect"]["people_gained"][0]["user"]["id"], realm.id("zoe"));
    // `all ops` of acme gives her ops-reader as well, so she does not lose it.
    assert_eq!(preview["effect"]["people_lost"], json!([]));
    assert_eq!(held().await, before, "a preview changes nothing");
    let changed = realm.patch("mo", "/api/v1/horizontal-roles/{hops}", 1, &json!({"matcher": "glob", "pattern": "*net-*"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let after = held().await;
    let expected: Vec<String> = before.into_iter().filter(|name| !lost.contains(name)).chain(gained).collect();
    assert_eq!(after, expected);
    is(&realm.post("mo", "/api/v1/horizontal-roles/preview", &json!({"pattern": "x"})).await, 400, "validation_failed");
    is(
        &realm
            .post(
                "mo",
                "/api/v1/horizontal-roles/preview",
                &json!({"node": realm.id("east"), "matcher": "regex", "pattern": "("}),
            )
            .await,
        422,
        "pattern_invalid",
    );
    let new =
        realm.post("mo", "/api/v1/horizontal-roles/preview", &json!({"node": realm.id("east"), "pattern": "ops-"})).await.json();
    assert_eq!((&new["total"], &new["gained"][0]["name"]), (&json!(1), &json!("ops-reader")));
}

#[tokio::test]
async fn a_role_that_waits_counts_when_somebody_confirms_it() {
    let realm = Realm::new().await;
    let confirm = json!({"name": "careful", "pattern": "sec-", "activation": "confirm"});
    let made = realm.post("mo", "/api/v1/nodes/{east}/horizontal-roles", &confirm).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let at = format!("/api/v1/horizontal-roles/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(realm.put("mo", &format!("{at}/groups/{{gops}}"), None).await.status, 204);
    assert_eq!(each(&realm.get("mo", &format!("{at}/groups")).await, "/name"), ["ops people"]);
    let role = realm.house.role(&realm.house.labs, Class::System, "sec-reader").await;
    assert_eq!(each(&realm.get("mo", &format!("{at}/matches")).await, "/state"), ["pending"]);
    let why = async || realm.get("mo", &format!("/api/v1/explain?user={{zoe}}&role={}", role.id)).await.json();
    assert_eq!((&why().await["can_use"], &why().await["ways"][0]["state"]), (&json!(false), &json!("pending")));
    let pending = format!("{at}/pending/{}/confirm", role.id);
    is(&realm.ask("mw", "POST", &pending, None, None).await, 404, "not_found");
    is(&realm.ask("ao", "POST", &pending, None, None).await, 404, "not_found");
    let confirmed = realm.ask("mo", "POST", &pending, None, None).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(realm.house.event(&confirmed).await.kind, "horizontal.pending.confirm");
    assert_eq!(why().await["can_use"], json!(true));
    is(&realm.ask("mo", "POST", &pending, None, None).await, 404, "not_found");
    assert_eq!(realm.delete("mo", &format!("{at}/groups/{{gops}}"), None, None).await.status, 204);
    assert_eq!(why().await["can_use"], json!(false));
}

#[tokio::test]
async fn what_breaks_the_rule_is_added_by_hand_and_custom_roles_never_are() {
    let realm = Realm::new().await;
    let at = "/api/v1/horizontal-roles/{hops}/explicit";
    assert_eq!(realm.put("mo", &format!("{at}/{{net}}"), None).await.status, 204);
    is(&realm.put("mo", &format!("{at}/{{tool}}"), None).await, 422, "tree_shape");
    is(&realm.put("mo", &format!("{at}/{{ops2}}"), None).await, 422, "tree_shape");
    is(&realm.put("mo", &format!("{at}/nothing"), None).await, 404, "not_found");
    is(&realm.delete("e-1", "/api/v1/system-roles/{net}", Some(1), Some(&json!({}))).await, 403, "preset_protected");
    let refused = realm.delete("mo", "/api/v1/system-roles/{ops}", Some(1), Some(&json!({}))).await;
    is(&refused, 409, "role_referenced");
    assert_eq!(realm.delete("mo", &format!("{at}/{{net}}"), None, None).await.status, 204);
    is(&realm.delete("mo", &format!("{at}/{{net}}"), None, None).await, 404, "not_found");
}

#[tokio::test]
async fn the_group_of_a_role_is_changed_with_its_role_only() {
    let realm = Realm::new().await;
    is(&realm.put("mo", "/api/v1/horizontal-roles/{hops}/groups/{gtool}", None).await, 409, "one_to_one");
    is(&realm.patch("mo", "/api/v1/groups/{gtool}", 1, &json!({"name": "x"})).await, 409, "one_to_one");
    is(&realm.put("mo", "/api/v1/groups/{gtool}/members/zoe", Some(&json!({}))).await, 409, "one_to_one");
    is(&realm.delete("e-1", "/api/v1/groups/{gtool}", Some(1), None).await, 409, "one_to_one");
    let renamed = realm.patch("mo", "/api/v1/groups/{gops}", 1, &json!({"name": "Operators"})).await;
    assert_eq!((renamed.json()["name"].as_str(), renamed.header("etag")), (Some("Operators"), "\"2\""), "{}", renamed.text);
    let refused = realm.delete("e-1", "/api/v1/groups/{gops}", Some(2), None).await;
    is(&refused, 409, "role_referenced");
    assert_eq!(refused.json()["refs"].as_array().unwrap().len(), 2);
    assert_eq!(realm.delete("e-1", "/api/v1/horizontal-roles/{hops}", Some(1), None).await.status, 204);
    assert_eq!(realm.delete("mo", "/api/v1/groups/{gops}/members/zoe", None, None).await.status, 204);
    assert_eq!(realm.delete("e-1", "/api/v1/groups/{gops}", Some(2), None).await.status, 204);
}
