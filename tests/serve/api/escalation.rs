//! Ways by which somebody could get more than they have: none of them leads there.

use serde_json::json;

use super::realm::{Realm, refusal};

fn is(answer: &crate::house::Answer, status: u16, code: &str) {
    assert_eq!(refusal(answer), (status, code.to_owned()), "{}", answer.text);
}

#[tokio::test]
async fn a_permission_administrator_makes_no_other_one() {
    let realm = Realm::new().await;
    let terms = json!({});
    is(&realm.put("ca", "/api/v1/roles/{acc}/members/bob", Some(&terms)).await, 403, "forbidden");
    is(&realm.put("ca", "/api/v1/roles/{acc}/members/ca", Some(&terms)).await, 403, "forbidden");
    is(&realm.put("ca", "/api/v1/roles/{ent}/members/ca", Some(&terms)).await, 404, "not_found");
    is(&realm.delete("ca", "/api/v1/roles/{acc}/members/ca", None, None).await, 403, "forbidden");
    // That of the enterprise makes one of an account, and none like itself.
    is(&realm.put("ce", "/api/v1/roles/{acc}/members/bob", Some(&terms)).await, 200, "");
    is(&realm.put("ce", "/api/v1/roles/{ent}/members/bob", Some(&terms)).await, 403, "forbidden");
    // Nobody but a super admin registers another one.
    let arn = json!({"arn": "arn:aws:iam::111111111111:role/ent_IAM_admin"});
    is(&realm.post("mo", "/api/v1/nodes/{shop}/system-roles", &arn).await, 403, "forbidden");
    is(&realm.put("mw", "/api/v1/roles/{ent}/members/mw", Some(&terms)).await, 403, "forbidden");
    is(&realm.post("e-1", "/api/v1/nodes/{shop}/system-roles", &arn).await, 201, "");
    // A custom role gives no powers here, whatever it is called.
    let arn = json!({"arn": "arn:aws:iam::111111111111:role/account_iam_ADMIN"});
    is(&realm.post("ca", "/api/v1/nodes/{shop}/custom-roles", &arn).await, 422, "name_reserved");
    is(
        &realm.post("ca", "/api/v1/nodes/{shop}/system-roles", &json!({"arn": "arn:aws:iam::111111111111:role/x"})).await,
        403,
        "forbidden",
    );
}

#[tokio::test]
async fn an_account_owner_names_no_role_into_an_enterprise_group() {
    let realm = Realm::new().await;
    let arn = json!({"arn": "arn:aws:iam::111111111111:role/ops-everything"});
    is(&realm.post("ao", "/api/v1/nodes/{shop}/custom-roles", &arn).await, 201, "");
    let rename = json!({"arn": "arn:aws:iam::111111111111:role/ops-tool"});
    is(&realm.patch("ao", "/api/v1/custom-roles/{tool}", 1, &rename).await, 200, "");
    let held = realm.get("mo", "/api/v1/horizontal-roles/{hops}/matches").await;
    assert_eq!(super::realm::each(&held, "/role/name"), ["ops-reader"]);
    is(
        &realm
            .post("ao", "/api/v1/nodes/{shop}/custom-roles", &json!({"arn": "arn:aws:iam::111111111111:role/cloud-super-admin"}))
            .await,
        422,
        "name_reserved",
    );
}

#[tokio::test]
async fn a_manager_takes_no_node_and_no_horizontal_role_of_others() {
    let realm = Realm::new().await;
    let to = json!({"to": realm.id("east")});
    is(&realm.ask("mo", "POST", "/api/v1/nodes/{bank}/move", Some(&to), Some(1)).await, 404, "not_found");
    is(
        &realm.ask("mo", "POST", "/api/v1/nodes/{shop}/move", Some(&json!({"to": realm.id("bank")})), Some(1)).await,
        404,
        "not_found",
    );
    is(
        &realm.ask("mo", "POST", "/api/v1/nodes/{shop}/move", Some(&json!({"to": realm.id("root")})), Some(1)).await,
        404,
        "not_found",
    );
    is(&realm.patch("mo", "/api/v1/horizontal-roles/{hall}", 1, &json!({"pattern": "x"})).await, 404, "not_found");
    is(&realm.put("mo", "/api/v1/horizontal-roles/{hall}/groups/{gops}", None).await, 404, "not_found");
    is(&realm.put("mo", "/api/v1/horizontal-roles/{hops}/groups/{gall}", None).await, 404, "not_found");
    is(&realm.put("mo", "/api/v1/horizontal-roles/{hops}/explicit/{ops2}", None).await, 422, "tree_shape");
    is(&realm.put("mo", "/api/v1/nodes/{root}/owners/mo", None).await, 404, "not_found");
    is(&realm.put("ao", "/api/v1/nodes/{east}/owners/ao", None).await, 404, "not_found");
    // What a super admin has protected stays as it is.
    is(&realm.patch("e-1", "/api/v1/horizontal-roles/{hops}", 1, &json!({"protected": true})).await, 200, "");
    is(&realm.patch("mo", "/api/v1/horizontal-roles/{hops}", 2, &json!({"pattern": "x"})).await, 403, "forbidden");
    is(&realm.patch("mo", "/api/v1/horizontal-roles/{hops}", 2, &json!({"protected": false})).await, 403, "forbidden");
    is(&realm.put("mo", "/api/v1/horizontal-roles/{hops}/explicit/{net}", None).await, 403, "forbidden");
}

/// Powers end with what gives them, at the next request.
#[tokio::test]
async fn a_power_that_was_taken_away_is_gone() {
    let realm = Realm::new().await;
    is(&realm.get("ce", "/api/v1/reports/role-people").await, 200, "");
    is(&realm.delete("e-1", "/api/v1/roles/{ent}/members/ce", None, None).await, 204, "");
    is(&realm.get("ce", "/api/v1/reports/role-people").await, 403, "forbidden");
    is(&realm.put("e-1", "/api/v1/nodes/{east}/owners/bob", None).await, 200, "");
    is(&realm.get("bob", "/api/v1/nodes/{shop}").await, 200, "");
    is(&realm.delete("mo", "/api/v1/nodes/{east}/owners/bob", None, None).await, 204, "");
    is(&realm.get("bob", "/api/v1/nodes/{shop}").await, 404, "not_found");
}

/// Each of a dozen changes leaves one event with who, what, where and with which parameters.
#[tokio::test]
async fn every_change_is_told_with_its_parameters() {
    let realm = Realm::new().await;
    let id = |name: &str| realm.id(name).to_owned();
    let changes = [
        ("PATCH", "/api/v1/nodes/{shop}", Some(json!({"description": "d"})), Some(1), "node.update", id("shop")),
        ("PUT", "/api/v1/nodes/{shop}/owners/zoe", None, None, "node.owner.add", id("shop")),
        ("DELETE", "/api/v1/nodes/{shop}/owners/zoe", None, None, "node.owner.remove", id("shop")),
        ("PATCH", "/api/v1/system-roles/{ops}", Some(json!({"max_session_s": 7200})), Some(1), "role.system.update", id("ops")),
        ("PUT", "/api/v1/roles/{ops}/members/zoe", Some(json!({"reason": "r"})), None, "role.member.add", id("ops")),
        ("DELETE", "/api/v1/roles/{ops}/members/zoe", None, None, "role.member.remove", id("ops")),
        ("PATCH", "/api/v1/groups/{gops}", Some(json!({"name": "n"})), Some(1), "group.update", id("gops")),
        ("PUT", "/api/v1/groups/{gops}/members/hal", Some(json!({})), None, "group.member.add", id("gops")),
        ("DELETE", "/api/v1/groups/{gops}/members/hal", None, None, "group.member.remove", id("gops")),
        ("PATCH", "/api/v1/horizontal-roles/{hops}", Some(json!({"name": "n"})), Some(1), "horizontal.update", id("hops")),
        ("PUT", "/api/v1/horizontal-roles/{hops}/explicit/{net}", None, None, "horizontal.explicit.add", id("hops")),
        ("PATCH", "/api/v1/users/{zoe}", Some(json!({"description": "d"})), Some(1), "user.update", id("zoe")),
    ];
    for (method, path, body, version, kind, target) in changes {
        let answer = realm.ask("mo", method, path, body.as_ref(), version).await;
        assert!(answer.status < 300, "{kind} {}", answer.text);
        let row = realm.house.event(&answer).await;
        assert_eq!((row.kind.as_str(), row.actor_gid.as_deref(), row.outcome.as_str()), (kind, Some("MO"), "done"));
        assert_eq!(row.target.as_deref(), Some(target.as_str()), "{kind}");
        assert!(row.at.as_deref().is_some_and(|at| at.starts_with(realm.house.east.path.as_str())), "{kind} {:?}", row.at);
        let params: serde_json::Value = serde_json::from_str(&row.params).unwrap();
        for (name, value) in body.as_ref().and_then(|body| body.as_object()).into_iter().flatten() {
            assert_eq!(&params[name], value, "{kind}");
        }
        assert_eq!(params["if_match"].as_i64(), version, "{kind}");
        // What stands in the path is a parameter like others.
        let path = realm.path(path);
        let last = path.rsplit('/').next().unwrap();
        assert!(params.as_object().unwrap().values().any(|value| value == last), "{kind} {params}");
    }
}
