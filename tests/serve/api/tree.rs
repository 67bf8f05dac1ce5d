//! The node tree over the API.

use serde_json::{Value, json};

use super::realm::{Realm, each, refusal};

fn is(answer: &crate::house::Answer, status: u16, code: &str) {
    assert_eq!(refusal(answer), (status, code.to_owned()), "{}", answer.text);
}

#[tokio::test]
async fn everybody_begins_at_what_they_own() {
    let realm = Realm::new().await;
    let names = async |gid: &str, path: &str| each(&realm.get(gid, path).await, "/name");
    assert_eq!(names("e-1", "/api/v1/nodes").await, ["Acme"]);
    assert_eq!(names("mo", "/api/v1/nodes").await, ["East"]);
    assert_eq!(names("ao", "/api/v1/nodes").await, ["Shop"]);
    assert_eq!(names("bob", "/api/v1/nodes").await, Vec::<String>::new());
    assert_eq!(names("e-1", "/api/v1/nodes?parent={root}").await, ["East", "West"]);
    let mut first = names("e-1", "/api/v1/nodes/{root}/tree?depth=1").await;
    first.sort();
    assert_eq!(first, ["East", "West"]);
    assert_eq!(names("e-1", "/api/v1/nodes/{root}/tree?limit=1").await.len(), 1);
    let all = names("e-1", "/api/v1/nodes/{root}/tree").await;
    // Each after what is above it.
    let at = |name: &str| all.iter().position(|one| one == name).unwrap();
    assert!(all.len() == 5 && at("East") < at("Shop") && at("West") < at("Bank"), "{all:?}");
    // The owner of an account sees the names above it, and nothing else of them.
    let shop = realm.get("ao", "/api/v1/nodes/{shop}").await.json();
    assert_eq!((&shop["above"], &shop["account"]), (&json!(["Acme", "East"]), &json!("aws:111111111111")));
    is(&realm.get("ao", "/api/v1/nodes/{east}").await, 404, "not_found");
    is(&realm.get("e-1", "/api/v1/nodes/{root}/tree?depth=99").await, 400, "validation_failed");
}

#[tokio::test]
async fn a_node_is_made_with_owners_and_its_account_is_there_once() {
    let realm = Realm::new().await;
    let new = |name: &str, account: Option<&str>, owners: &[&str]| json!({"parent": realm.id("east"), "name": name, "account": account, "owners": owners});
    let made = realm.post("mo", "/api/v1/nodes", &new("Data", Some("aws-cn:333333333333"), &["mo", "zoe"])).await;
    assert_eq!((made.status, made.json()["kind"].as_str()), (201, Some("account")), "{}", made.text);
    let row = realm.house.event(&made).await;
    assert_eq!((row.kind.as_str(), row.target.as_deref()), ("node.create", made.json()["id"].as_str()));
    let params: Value = serde_json::from_str(&row.params).unwrap();
    assert_eq!(params, new("Data", Some("aws-cn:333333333333"), &["mo", "zoe"]));
    is(&realm.post("mo", "/api/v1/nodes", &new("DATA", None, &["mo"])).await, 409, "name_taken");
    is(&realm.post("mo", "/api/v1/nodes", &new("X", Some("aws:222222222222"), &["mo"])).await, 409, "account_uid_taken");
    is(&realm.post("mo", "/api/v1/nodes", &new("X", Some("aws:12"), &["mo"])).await, 400, "validation_failed");
    is(&realm.post("mo", "/api/v1/nodes", &new("X", None, &[])).await, 400, "validation_failed");
    is(&realm.post("mo", "/api/v1/nodes", &new("X", None, &["nobody"])).await, 400, "validation_failed");
    let owners = realm.get("mo", &format!("/api/v1/nodes/{}/owners", made.json()["id"].as_str().unwrap())).await;
    assert_eq!(each(&owners, "/gid").len(), 2);
}

#[tokio::test]
async fn a_node_keeps_an_owner() {
    let realm = Realm::new().await;
    let at = "/api/v1/nodes/{shop}/owners";
    assert_eq!(realm.put("ao", &format!("{at}/zoe"), None).await.status, 200);
    assert_eq!(realm.delete("zoe", &format!("{at}/{{e-1}}"), None, None).await.status, 204);
    assert_eq!(realm.delete("zoe", &format!("{at}/ao"), None, None).await.status, 204);
    is(&realm.delete("ao", &format!("{at}/zoe"), None, None).await, 404, "not_found");
    is(&realm.delete("zoe", &format!("{at}/zoe"), None, None).await, 409, "last_owner");
    is(&realm.put("zoe", &format!("{at}/nobody"), None).await, 404, "not_found");
}

#[tokio::test]
async fn how_keys_are_come_by_is_decided_from_above() {
    let realm = Realm::new().await;
    let at = "/api/v1/nodes/{shop}";
    let own = json!({"name": "Store", "saml_provider": "arn:aws:iam::111111111111:saml-provider/cam"});
    let changed = realm.patch("ao", at, 1, &own).await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""), "{}", changed.text);
    for above in [
        json!({"state": "suspended"}),
        json!({"vend_method": "ram_user"}),
        json!({"max_session_s": 43200}),
        json!({"client_exchange": true}),
        json!({"client_exchange": false}),
    ] {
        is(&realm.patch("ao", at, 2, &above).await, 403, "forbidden");
    }
    is(&realm.patch("ao", at, 2, &json!({"account": "aws:444444444444"})).await, 403, "forbidden");
    is(&realm.patch("mo", at, 2, &json!({"account": "aws:444444444444"})).await, 403, "forbidden");
    is(&realm.patch("e-1", at, 2, &json!({"account": "aws:444444444444"})).await, 409, "node_not_empty");
    is(
        &realm.patch("mo", at, 2, &json!({"saml_provider": "arn:aws:iam::222222222222:saml-provider/cam"})).await,
        422,
        "tree_shape",
    );
    is(&realm.patch("mo", at, 2, &json!({"vend_method": "by pigeon"})).await, 400, "validation_failed");
    is(&realm.patch("mo", at, 2, &json!({"max_session_s": 10})).await, 400, "validation_failed");
    is(&realm.patch("mo", at, 2, &json!({"client_exchange": "yes"})).await, 400, "validation_failed");
    assert_eq!(realm.get("ao", at).await.json()["client_exchange"], false);
    let body = json!({"state": "suspended", "vend_method": "hub_role", "max_session_s": 3600, "saml_provider": null, "client_exchange": true});
    let changed = realm.patch("mo", at, 2, &body).await.json();
    let read =
        ["state", "vend_method", "max_session_s", "saml_provider", "client_exchange", "name"].map(|key| changed[key].clone());
    assert_eq!(read, [json!("suspended"), json!("hub_role"), json!(3600), Value::Null, json!(true), json!("Store")]);
    // The owner of the account cannot let go again what was stopped from above.
    is(&realm.patch("ao", at, 3, &json!({"state": "active"})).await, 403, "forbidden");
}

#[tokio::test]
async fn only_an_empty_node_is_destroyed_by_its_name() {
    let realm = Realm::new().await;
    let refused = realm.delete("e-1", "/api/v1/nodes/{shop}", Some(1), Some(&json!({"name": "Shop"}))).await;
    is(&refused, 409, "node_not_empty");
    assert_eq!(refused.json()["refs"].as_array().unwrap().len(), 4);
    is(&realm.delete("e-1", "/api/v1/nodes/{east}", Some(1), Some(&json!({"name": "East"}))).await, 409, "node_not_empty");
    is(&realm.delete("e-1", "/api/v1/nodes/{labs}", Some(1), Some(&json!({"name": "labs"}))).await, 400, "validation_failed");
    is(&realm.delete("e-1", "/api/v1/nodes/{root}", Some(1), Some(&json!({"name": "Acme"}))).await, 422, "tree_shape");
    assert_eq!(realm.delete("e-1", "/api/v1/nodes/{labs}", Some(1), Some(&json!({"name": "Labs"}))).await.status, 204);
    is(&realm.get("e-1", "/api/v1/nodes/{labs}").await, 404, "not_found");
}

/// What a move says that it will do is what it does.
#[tokio::test]
async fn a_move_says_first_what_it_does() {
    let realm = Realm::new().await;
    let to = json!({"to": realm.id("west")});
    let go =
        async |query: &str| realm.ask("e-1", "POST", &format!("/api/v1/nodes/{{shop}}/move{query}"), Some(&to), Some(1)).await;
    let without = |answer: &crate::house::Answer| {
        let mut json = answer.json();
        json["dry_run"] = Value::Null;
        json
    };
    let dry = go("?dry_run=true").await;
    assert_eq!(dry.status, 200, "{}", dry.text);
    assert_eq!(realm.house.event(&dry).await.kind, "node.move");
    assert_eq!(realm.get("e-1", "/api/v1/nodes/{shop}").await.json()["parent"], realm.id("east"));
    // Zoe has `ops-reader` of shop by east's `ops`, and by acme's `all ops` as well: she loses nothing.
    assert_eq!(
        dry.json()["effect"]["roles_lost"],
        json!([{"horizontal": {"id": realm.id("hops"), "name": "ops"}, "role": {"id": realm.id("ops"), "name": "ops-reader"}}])
    );
    assert_eq!(dry.json()["effect"]["people_lost"], json!([]));
    let names = |key: &str| {
        dry.json()[key].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names("managers_gained"), names("managers_lost")),
        (vec!["mw of acme".to_owned()], vec!["mo of acme".to_owned()])
    );
    // Without the other way she does.
    realm.delete("e-1", "/api/v1/groups/{gall}/members/zoe", None, None).await;
    let dry = go("?dry_run=true").await;
    let lost =
        json!([{"user": {"id": realm.id("zoe"), "name": "zoe of acme"}, "role": {"id": realm.id("ops"), "name": "ops-reader"}}]);
    assert_eq!(dry.json()["effect"]["people_lost"], lost);
    let done = go("").await;
    assert_eq!((done.status, without(&done)), (200, without(&dry)), "{}", done.text);
    assert_eq!(realm.get("e-1", "/api/v1/nodes/{shop}").await.json()["parent"], realm.id("west"));
    is(&realm.get("mo", "/api/v1/nodes/{shop}").await, 404, "not_found");
    assert_eq!(realm.get("mw", "/api/v1/nodes/{shop}").await.status, 200);
    is(
        &realm.ask("e-1", "POST", "/api/v1/nodes/{west}/move", Some(&json!({"to": realm.id("shop")})), Some(1)).await,
        422,
        "tree_shape",
    );
}

#[tokio::test]
async fn a_listing_is_imported_whole_or_not_at_all() {
    let realm = Realm::new().await;
    let listing = json!({"nodes": [
        {"parent": ["East"], "name": "Shop", "account": "aws:111111111111", "owners": ["ao"], "system_roles": ["arn:aws:iam::111111111111:role/ops-writer"]},
        {"name": "South", "owners": ["mo"]},
        {"parent": ["South"], "name": "Farm", "account": "aws:555555555555", "owners": ["zoe"], "system_roles": ["arn:aws:iam::555555555555:role/ops-x"]},
    ]});
    let dry = realm.post("e-1", "/api/v1/nodes/import?dry_run=true", &listing).await;
    let expected =
        |dry_run: bool| json!({"dry_run": dry_run, "nodes_created": 2, "nodes_there": 1, "roles_created": 2, "problems": []});
    assert_eq!((dry.status, dry.json()), (200, expected(true)), "{}", dry.text);
    assert_eq!(each(&realm.get("e-1", "/api/v1/nodes?parent={root}").await, "/name"), ["East", "West"]);
    let mut wrong = listing.clone();
    wrong["nodes"][2]["parent"] = json!(["Nowhere"]);
    let refused = realm.post("e-1", "/api/v1/nodes/import", &wrong).await;
    is(&refused, 400, "validation_failed");
    assert_eq!(refused.json()["fields"][0]["field"], "nodes[2].parent");
    let dry = realm.post("e-1", "/api/v1/nodes/import?dry_run=true", &wrong).await;
    assert_eq!(dry.json()["problems"].as_array().unwrap().len(), 1);
    assert_eq!(each(&realm.get("e-1", "/api/v1/nodes?parent={root}").await, "/name"), ["East", "West"]);
    assert_eq!(realm.post("e-1", "/api/v1/nodes/import", &listing).await.json(), expected(false));
    let again = realm.post("e-1", "/api/v1/nodes/import", &listing).await.json();
    assert_eq!((&again["nodes_created"], &again["nodes_there"], &again["roles_created"]), (&json!(0), &json!(3), &json!(0)));
    // The new role has joined the horizontal role whose rule it keeps to.
    assert!(
        each(&realm.get("mo", "/api/v1/horizontal-roles/{hops}/matches").await, "/role/name").contains(&"ops-writer".to_owned())
    );
}
