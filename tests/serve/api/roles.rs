//! Roles of accounts, their members, and the catalogue of presets.

use serde_json::json;

use super::realm::{Realm, each, refusal};

fn is(answer: &crate::house::Answer, status: u16, code: &str) {
    assert_eq!(refusal(answer), (status, code.to_owned()), "{}", answer.text);
}

#[tokio::test]
async fn a_role_is_registered_with_its_group_and_goes_when_nobody_is_in_it() {
    let realm = Realm::new().await;
    let body = json!({"arn": "arn:aws:iam::111111111111:role/team/deploy", "max_session_s": 3600});
    let made = realm.post("ao", "/api/v1/nodes/{shop}/custom-roles", &body).await;
    assert_eq!(
        (made.status, made.json()["name"].as_str(), made.json()["class"].as_str()),
        (201, Some("deploy"), Some("custom")),
        "{}",
        made.text
    );
    let at = format!("/api/v1/custom-roles/{}", made.json()["id"].as_str().unwrap());
    let row = realm.house.event(&made).await;
    assert_eq!((row.kind.as_str(), row.at.as_deref()), ("role.custom.create", Some(realm.house.shop.path.as_str())));
    is(&realm.post("ao", "/api/v1/nodes/{shop}/custom-roles", &body).await, 409, "name_taken");
    let members = format!("/api/v1/roles/{}/members", made.json()["id"].as_str().unwrap());
    assert_eq!(realm.put("ao", &format!("{members}/zoe"), Some(&json!({"reason": "on call"}))).await.status, 200);
    let refused = realm.delete("ao", &at, Some(1), None).await;
    is(&refused, 409, "role_referenced");
    assert_eq!(refused.json()["refs"][0]["id"], realm.id("zoe"));
    assert_eq!(realm.delete("ao", &format!("{members}/zoe"), None, None).await.status, 204);
    is(&realm.delete("ao", &format!("{members}/zoe"), None, None).await, 404, "not_found");
    let changed = realm.patch("ao", &at, 1, &json!({"max_session_s": null, "state": "suspended"})).await;
    assert_eq!(
        (changed.json()["max_session_s"].is_null(), changed.json()["state"].as_str()),
        (true, Some("suspended")),
        "{}",
        changed.text
    );
    assert_eq!(realm.delete("ao", &at, Some(2), None).await.status, 204);
    is(&realm.patch("ao", &at, 3, &json!({})).await, 404, "not_found");
}

#[tokio::test]
async fn names_and_accounts_are_kept_apart() {
    let realm = Realm::new().await;
    let custom = async |arn: &str| realm.post("ao", "/api/v1/nodes/{shop}/custom-roles", &json!({"arn": arn})).await;
    is(&custom("arn:aws:iam::111111111111:role/cloud-super-admin").await, 422, "name_reserved");
    is(&custom("arn:aws:iam::111111111111:role/team/ENT_iam_admin").await, 422, "name_reserved");
    is(&custom("arn:aws:iam::111111111111:role/AWSReservedSSO_Admin_1").await, 422, "name_reserved");
    is(&custom("arn:aws:iam::222222222222:role/x").await, 400, "validation_failed");
    is(&custom("arn:aws-cn:iam::111111111111:role/x").await, 400, "validation_failed");
    is(&custom("acs:ram::111111111111:role/x").await, 400, "validation_failed");
    let system = json!({"arn": "arn:aws:iam::111111111111:role/x"});
    is(&realm.post("mo", "/api/v1/nodes/{east}/system-roles", &system).await, 422, "tree_shape");
    // A system role is none of the routes of custom roles, and the other way round.
    is(&realm.patch("mo", "/api/v1/custom-roles/{ops}", 1, &json!({})).await, 404, "not_found");
    is(&realm.patch("mo", "/api/v1/system-roles/{tool}", 1, &json!({})).await, 404, "not_found");
    is(
        &realm
            .patch("ao", "/api/v1/custom-roles/{tool}", 1, &json!({"arn": "arn:aws:iam::111111111111:role/cloud-x-admin"}))
            .await,
        200,
        "",
    );
    is(
        &realm
            .patch("ao", "/api/v1/custom-roles/{tool}", 2, &json!({"arn": "arn:aws:iam::111111111111:role/cloud-super-admin"}))
            .await,
        422,
        "name_reserved",
    );
    is(
        &realm
            .patch("mo", "/api/v1/system-roles/{ops}", 1, &json!({"arn": "arn:aws:iam::111111111111:role/account_IAM_admin"}))
            .await,
        422,
        "name_reserved",
    );
    for risky in [json!({"risk": "normal"}), json!({"vend_method": "none"})] {
        is(&realm.patch("ao", "/api/v1/custom-roles/{tool}", 2, &risky).await, 403, "forbidden");
    }
}

#[tokio::test]
async fn a_membership_has_its_end_and_its_reason() {
    let realm = Realm::new().await;
    let at = "/api/v1/roles/{ops}/members";
    let later = realm.a_day_later().utc();
    let added = realm.put("mo", &format!("{at}/zoe"), Some(&json!({"expires_at": later, "reason": "audit"}))).await;
    assert_eq!(
        (added.json()["expires_at"].as_str(), added.json()["reason"].as_str()),
        (Some(later.as_str()), Some("audit")),
        "{}",
        added.text
    );
    let row = realm.house.event(&added).await;
    assert_eq!((row.kind.as_str(), row.target.as_deref()), ("role.member.add", Some(realm.id("ops"))));
    assert!(row.params.contains(r#""reason":"audit""#) && row.params.contains(r#""gid":"zoe""#), "{}", row.params);
    is(
        &realm.put("mo", &format!("{at}/zoe"), Some(&json!({"expires_at": "2020-01-01T00:00:00Z"}))).await,
        400,
        "validation_failed",
    );
    is(&realm.put("mo", &format!("{at}/zoe"), Some(&json!({"expires_at": "tomorrow"}))).await, 400, "validation_failed");
    is(&realm.put("mo", &format!("{at}/zoe"), None).await, 415, "unsupported_media_type");
    let mut gids = each(&realm.get("mo", at).await, "/gid");
    gids.sort();
    assert_eq!(gids, ["hal", "zoe"]);
    // Whoever merely holds the role sees themselves.
    assert_eq!(each(&realm.get("hal", at).await, "/gid"), ["hal"]);
    realm.house.clock.forward(std::time::Duration::from_secs(24 * 3600));
    let why = realm.get("e-1", "/api/v1/explain?user={zoe}&role={ops}").await.json();
    let states: Vec<&str> = why["ways"].as_array().unwrap().iter().map(|way| way["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"ended") && states.contains(&"counts"), "{why}");
}

#[tokio::test]
async fn presets_are_for_super_admins_and_stay() {
    let realm = Realm::new().await;
    let change = json!({"title_en": "Network", "risk": "high"});
    is(&realm.patch("mo", "/api/v1/preset-roles/cloud-network-admin", 1, &change).await, 403, "preset_protected");
    is(&realm.patch("mo", "/api/v1/system-roles/{net}", 1, &json!({"state": "suspended"})).await, 403, "preset_protected");
    is(&realm.delete("mo", "/api/v1/system-roles/{net}", Some(1), Some(&json!({}))).await, 403, "preset_protected");
    let farewell = json!({"name": "cloud-network-admin", "reason": "renamed"});
    is(&realm.delete("e-1", "/api/v1/system-roles/{net}", Some(1), Some(&farewell)).await, 403, "preset_protected");
    is(&realm.delete("e-1", "/api/v1/preset-roles/cloud-network-admin", Some(1), Some(&farewell)).await, 403, "preset_protected");
    let changed = realm.patch("e-1", "/api/v1/preset-roles/cloud-network-admin", 1, &change).await;
    assert_eq!((changed.status, changed.header("etag"), changed.json()["title_en"].as_str()), (200, "\"2\"", Some("Network")));
    is(&realm.patch("e-1", "/api/v1/preset-roles/cloud-network-admin", 1, &change).await, 412, "version_mismatch");
    assert_eq!(each(&realm.get("ao", "/api/v1/preset-roles").await, "/key").len(), 9);
    // From now on roles of this preset are registered as the catalogue says.
    let security = json!({"risk": "high"});
    assert_eq!(realm.patch("e-1", "/api/v1/preset-roles/cloud-security-admin", 1, &security).await.status, 200);
    let security = json!({"arn": "arn:aws:iam::111111111111:role/cloud-security-admin", "risk": "normal"});
    let made = realm.post("mo", "/api/v1/nodes/{shop}/system-roles", &security).await;
    assert_eq!(made.json()["risk"], "high");
}

#[tokio::test]
async fn a_house_may_let_presets_go() {
    let realm = Realm::with("[presets]\nallow_delete = true").await;
    let at = "/api/v1/system-roles/{net}";
    is(
        &realm.delete("mo", at, Some(1), Some(&json!({"name": "cloud-network-admin", "reason": "x"}))).await,
        403,
        "preset_protected",
    );
    is(&realm.delete("e-1", at, Some(1), Some(&json!({"name": "cloud-network-admin"}))).await, 400, "validation_failed");
    is(&realm.delete("e-1", at, Some(1), Some(&json!({"reason": "x"}))).await, 400, "validation_failed");
    let farewell = json!({"name": "cloud-network-admin", "reason": "x"});
    assert_eq!(realm.delete("e-1", at, Some(1), Some(&farewell)).await.status, 204);
    is(&realm.delete("e-1", "/api/v1/preset-roles/cloud-network-admin", Some(1), Some(&farewell)).await, 409, "role_referenced");
    let unused = json!({"name": "account_resource_admin", "reason": "not here"});
    assert_eq!(realm.delete("e-1", "/api/v1/preset-roles/account_resource_admin", Some(1), Some(&unused)).await.status, 204);
    is(
        &realm
            .post(
                "mo",
                "/api/v1/nodes/{shop}/system-roles",
                &json!({"arn": "arn:aws:iam::111111111111:role/account_resource_admin"}),
            )
            .await,
        422,
        "name_reserved",
    );
}
