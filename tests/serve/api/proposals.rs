//! Two persons: what a second super admin has to agree to, and what comes of it.

use std::sync::Arc;

use saml2cloud::server::keys::{KeyRoom, Purpose, Size, Step, Where};
use saml2cloud::world::Env;
use serde_json::{Value, json};

use super::realm::{Realm, each, refusal};
use crate::cloud::Way;

fn is(answer: &crate::house::Answer, status: u16, code: &str) {
    assert_eq!(refusal(answer), (status, code.to_owned()), "{}", answer.text);
}

/// A house of two super admins, `e-1` and `zoe`.
async fn two() -> Realm {
    let realm = Realm::with("[approval]\ntwo_person = true").await;
    let (root, zoe) = (realm.house.root.id.clone(), realm.house.people["zoe"].clone());
    realm.house.change(async |tx| tx.add_owner(&root, &zoe, None).await).await;
    realm
}

fn id(answer: &crate::house::Answer) -> String {
    assert_eq!((answer.status, answer.json()["state"].as_str()), (202, Some("open")), "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn agree(realm: &Realm, gid: &str, id: &str) -> crate::house::Answer {
    realm.ask(gid, "POST", &format!("/api/v1/proposals/{id}/agree"), None, None).await
}

#[tokio::test]
async fn a_super_admin_is_made_by_two() {
    let realm = two().await;
    let owners = async || each(&realm.get("e-1", "/api/v1/nodes/{root}/owners").await, "/gid");
    let wish = id(&realm.put("e-1", "/api/v1/nodes/{root}/owners/wes", None).await);
    assert!(!owners().await.contains(&"wes".to_owned()), "nothing is changed yet");
    is(&agree(&realm, "e-1", &wish).await, 403, "self_approval");
    is(&agree(&realm, "mo", &wish).await, 404, "not_found");
    let listed = realm.get("zoe", "/api/v1/proposals").await;
    assert!(each(&listed, "/id").contains(&wish), "{}", listed.text);
    let agreed = agree(&realm, "zoe", &wish).await;
    assert_eq!((agreed.status, agreed.json()["state"].as_str()), (200, Some("agreed")), "{}", agreed.text);
    let row = realm.house.event(&agreed).await;
    assert!(row.kind == "proposal.agree" && row.params.contains("add_root_owner"), "{}", row.params);
    assert!(owners().await.contains(&"wes".to_owned()));
    is(&agree(&realm, "wes", &wish).await, 409, "already_decided");
    // Of other nodes an owner is made by one.
    assert_eq!(realm.put("mo", "/api/v1/nodes/{east}/owners/wes", None).await.status, 200);
}

#[tokio::test]
async fn what_was_agreed_to_is_what_is_done() {
    let realm = two().await;
    let preset = id(&realm.patch("e-1", "/api/v1/preset-roles/cloud-network-admin", 1, &json!({"title_en": "N"})).await);
    let role = id(&realm.patch("e-1", "/api/v1/system-roles/{net}", 1, &json!({"state": "suspended"})).await);
    let rule = id(&realm.patch("e-1", "/api/v1/horizontal-roles/{hall}", 1, &json!({"pattern": "cloud-"})).await);
    let made = json!({"name": "new", "pattern": "account_"});
    let made = id(&realm.post("e-1", "/api/v1/nodes/{root}/horizontal-roles", &made).await);
    // One of a node below is changed by one.
    assert_eq!(realm.put("e-1", "/api/v1/horizontal-roles/{hops}/groups/{gall}", None).await.status, 204);
    for wish in [&preset, &role, &rule, &made] {
        assert_eq!(agree(&realm, "zoe", wish).await.status, 200);
    }
    let titles = realm.get("e-1", "/api/v1/preset-roles").await.text;
    assert!(titles.contains("\"title_en\":\"N\""), "{titles}");
    assert_eq!(realm.get("e-1", "/api/v1/roles/{net}").await.json()["state"], "suspended");
    let held = each(&realm.get("e-1", "/api/v1/horizontal-roles/{hall}/matches").await, "/role/name");
    assert_eq!(held, ["cloud-network-admin"]);
    assert!(each(&realm.get("e-1", "/api/v1/nodes/{root}/horizontal-roles").await, "/name").contains(&"new".to_owned()));
    // Somebody else changed it meanwhile: what was agreed to is not done to something else.
    let late = id(&realm.patch("e-1", "/api/v1/horizontal-roles/{hall}", 2, &json!({"name": "late"})).await);
    let first = id(&realm.patch("e-1", "/api/v1/horizontal-roles/{hall}", 2, &json!({"name": "first"})).await);
    assert_eq!(agree(&realm, "zoe", &first).await.status, 200);
    is(&agree(&realm, "zoe", &late).await, 412, "version_mismatch");
    let gone = id(&realm.delete("zoe", "/api/v1/horizontal-roles/{hall}", Some(3), None).await);
    assert_eq!(realm.ask("e-1", "POST", &format!("/api/v1/proposals/{gone}/decline"), None, None).await.status, 200);
    assert_eq!(realm.get("e-1", "/api/v1/horizontal-roles/{hall}").await.status, 200);
}

#[tokio::test]
async fn who_is_no_super_admin_any_more_has_proposed_nothing() {
    let realm = two().await;
    let wish = id(&realm.put("zoe", "/api/v1/nodes/{root}/owners/wes", None).await);
    let (root, zoe, bob) = (realm.house.root.id.clone(), realm.house.people["zoe"].clone(), realm.house.people["bob"].clone());
    realm.house.change(async |tx| tx.add_owner(&root, &bob, None).await).await;
    realm.house.change(async |tx| tx.remove_owner(&root, &zoe).await).await;
    is(&agree(&realm, "bob", &wish).await, 403, "forbidden");
    assert_eq!(realm.get("bob", &format!("/api/v1/proposals/{wish}")).await.json()["state"], "open");
    let back = realm.ask("zoe", "POST", &format!("/api/v1/proposals/{wish}/withdraw"), None, None).await;
    assert_eq!((back.status, back.json()["state"].as_str()), (200, Some("withdrawn")), "{}", back.text);
}

#[tokio::test]
async fn a_risky_role_is_asked_for_by_whoever_holds_it() {
    let realm = two().await;
    let wish = |seconds: u64| json!({"role": realm.id("acc"), "seconds": seconds, "reason": "incident 7"});
    is(&realm.post("bob", "/api/v1/proposals", &wish(3600)).await, 404, "not_found");
    is(&realm.post("ca", "/api/v1/proposals", &wish(60)).await, 400, "validation_failed");
    let made = realm.post("ca", "/api/v1/proposals", &wish(3600)).await;
    assert_eq!((made.status, made.json()["kind"].as_str()), (201, Some("vend")), "{}", made.text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let mut conn = realm.house.app.store.read().await.unwrap();
    let role = saml2cloud::tvm::model::RoleId::parse(realm.id("acc")).unwrap();
    let now = realm.house.app.now();
    let consent = saml2cloud::tvm::store::proposals::consent(&mut conn, &realm.house.people["ca"], &role, now).await.unwrap();
    assert_eq!(consent, None);
    assert_eq!(agree(&realm, "zoe", &id).await.status, 200);
    let consent = saml2cloud::tvm::store::proposals::consent(&mut conn, &realm.house.people["ca"], &role, now).await.unwrap();
    assert_eq!(consent.map(|ends| ends.since(now).as_secs()), Some(3600));
    let usual: Value = json!({"role": realm.id("ops"), "seconds": 3600, "reason": "x"});
    is(&realm.post("hal", "/api/v1/proposals", &usual).await, 400, "validation_failed");
    let alone = Realm::new().await;
    let wish = json!({"role": alone.id("acc"), "seconds": 3600, "reason": "x"});
    is(&alone.post("ca", "/api/v1/proposals", &wish).await, 422, "not_vended");
}

/// The shell of the machine proposes, a super admin agrees over the API.
#[tokio::test]
async fn a_signing_key_is_changed_by_two() {
    let realm = two().await;
    let (app, now) = (&realm.house.app, realm.house.app.now());
    let way = Way(Arc::clone(&realm.house.cloud));
    let room = KeyRoom::open(&app.settings, &Env::default(), &way).await.unwrap();
    let place = Where::Here(Size::of(2048).unwrap());
    let turn = async |gid: Option<&'static str>| room.rotate(Purpose::IdpAws, &place, 30, gid, now).await;
    let old = room.list().await.unwrap().into_iter().find(|line| line.key.purpose == Purpose::IdpAws).unwrap().key.id;
    // The first key first: the house's clock stands still, so the list does not say which of two is the older one.
    let states = async || -> Vec<&'static str> {
        let mut all = room.list().await.unwrap();
        all.sort_by_key(|line| line.key.id != old);
        all.into_iter().filter(|line| line.key.purpose == Purpose::IdpAws).map(|line| line.key.state.word()).collect()
    };
    assert_eq!(states().await, ["active"]);
    // A new key is published and signs nothing, so that is for one alone.
    assert!(matches!(turn(None).await.unwrap(), Step::Done(_)));
    assert_eq!(states().await, ["active", "pending"]);
    // Nobody proposes for nobody, nor for somebody who could not agree either.
    for (gid, why) in [(None, "`--as GID` names"), (Some("mo"), "is no super admin"), (Some("nobody"), "is no super admin")] {
        let refused = turn(gid).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    let Step::Proposed(wish, _) = turn(Some("e-1")).await.unwrap() else { panic!("it was done") };
    assert_eq!(states().await, ["active", "pending"], "nothing is changed yet");
    is(&agree(&realm, "e-1", wish.as_str()).await, 403, "self_approval");
    let agreed = agree(&realm, "zoe", wish.as_str()).await;
    assert_eq!((agreed.status, agreed.json()["kind"].as_str()), (200, Some("signing_key")), "{}", agreed.text);
    assert!(realm.house.event(&agreed).await.params.contains("activate_key"));
    assert_eq!(states().await, ["retiring", "active"]);
    // What was proposed for a key as it was is not done to it as it is.
    let mut wishes = Vec::new();
    for _ in 0..2 {
        let Step::Proposed(wish, _) = room.retire(&old, Some("e-1"), now).await.unwrap() else { panic!("it was done") };
        wishes.push(wish);
    }
    assert_eq!(agree(&realm, "zoe", wishes[0].as_str()).await.status, 200);
    assert_eq!(states().await, ["retired", "active"]);
    is(&agree(&realm, "zoe", wishes[1].as_str()).await, 412, "version_mismatch");
    room.close().await;
}

#[tokio::test]
async fn the_second_person_is_not_removed_by_the_first() {
    let realm = two().await;
    let (ops, tool) = ("/api/v1/system-roles/{ops}", "/api/v1/custom-roles/{tool}");
    assert_eq!(realm.patch("mo", ops, 1, &json!({"risk": "high"})).await.status, 200);
    let other = json!({"arn": "arn:aws:iam::111111111111:role/ops-other"});
    for change in [&json!({"risk": "normal"}), &other, &json!({"state": "suspended"})] {
        is(&realm.patch("mo", ops, 2, change).await, 403, "forbidden");
    }
    is(&realm.ask("mo", "DELETE", ops, Some(&json!({})), Some(2)).await, 403, "forbidden");
    let risk = async || realm.get("mo", "/api/v1/roles/{ops}").await.json()["risk"].as_str().unwrap().to_owned();
    let wish = id(&realm.patch("e-1", ops, 2, &json!({"risk": "normal"})).await);
    assert_eq!(risk().await, "high", "nothing is changed yet");
    is(&agree(&realm, "e-1", &wish).await, 403, "self_approval");
    assert_eq!((agree(&realm, "zoe", &wish).await.status, risk().await.as_str()), (200, "normal"));
    // How a role's keys are come by is decided from above; its name is not freed below to register it anew.
    assert_eq!(realm.patch("mo", tool, 1, &json!({"vend_method": "none"})).await.status, 200);
    is(&realm.patch("ao", tool, 2, &other).await, 403, "forbidden");
    is(&realm.ask("ao", "DELETE", tool, Some(&json!({})), Some(2)).await, 403, "forbidden");
}
