//! Oneself: read, changed, and what is refused.

use serde_json::json;

use crate::house::House;

#[tokio::test]
async fn a_person_reads_and_changes_what_is_theirs() {
    let house = House::new().await;
    let (browser, token) = (house.browser("bob").await, house.token("bob").await);
    let answer = house.get("/api/v1/me").bearer(&token).answer().await;
    assert_eq!((answer.status, answer.header("etag")), (200, "\"1\""));
    assert_eq!((answer.json()["gid"].as_str(), answer.json()["alias"].as_str()), (Some("bob"), Some("bob of acme")));
    let change = json!({"alias": "Robert", "email": "bob@acme.example"});
    let answer = house.ask("PATCH", "/api/v1/me").from(&browser).header("if-match", "\"1\"").json(&change).answer().await;
    assert_eq!((answer.status, answer.header("etag")), (200, "\"2\""), "{}", answer.text);
    let row = house.event(&answer).await;
    assert_eq!((row.kind.as_str(), row.actor_gid.as_deref(), row.auth.as_str()), ("me.update", Some("BOB"), "session"));
    assert_eq!(row.params, r#"{"alias":"Robert","email":"bob@acme.example","if_match":1}"#);
    assert_eq!((row.target_kind.as_deref(), row.target.as_deref()), (Some("user"), Some(house.people["bob"].as_str())));
    let answer = house.get("/api/v1/me").cookie(&browser).answer().await;
    assert_eq!(answer.json()["alias"], "Robert");
}

#[tokio::test]
async fn a_change_names_its_version_and_never_the_gid() {
    let house = House::new().await;
    let token = house.token("bob").await;
    let patch = |version: Option<&str>, body: serde_json::Value| {
        let sent = house.ask("PATCH", "/api/v1/me").bearer(&token).json(&body);
        match version {
            Some(version) => sent.header("if-match", version).answer(),
            None => sent.answer(),
        }
    };
    for (version, body, status, code) in [
        (None, json!({"alias": "x"}), 428, "version_required"),
        (Some("\"7\""), json!({"alias": "x"}), 412, "version_mismatch"),
        (Some("abc"), json!({"alias": "x"}), 412, "version_mismatch"),
        (Some("\"1\""), json!({"gid": "other"}), 422, "gid_immutable"),
        (Some("\"1\""), json!({"alias": ""}), 400, "validation_failed"),
        (Some("\"1\""), json!({"alias": "admin"}), 409, "alias_taken"),
        (Some("\"1\""), json!({"nonsense": 1}), 400, "validation_failed"),
    ] {
        let answer = patch(version, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["request_id"], answer.request());
        let row = house.event(&answer).await;
        assert_eq!((row.kind.as_str(), row.outcome.as_str()), ("me.update", "refused"));
        assert!(row.params.contains(&format!(r#""error":"{code}""#)), "{}", row.params);
    }
    assert_eq!(patch(Some("\"1\""), json!({"description": "x"})).await.status, 200);
}
