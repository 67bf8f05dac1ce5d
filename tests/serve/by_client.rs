//! Accounts whose keys the command line fetches from the cloud itself: what comes over HTTP, and what the page says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saml2cloud::tvm::model::Role;
use saml2cloud::tvm::store::nodes;
use serde_json::{Value, json};

use crate::house::House;
use crate::vending::roles;

/// Bob's roles in both clouds, in accounts that the command line asks itself.
async fn by_client(house: &House) -> [Role; 2] {
    let roles = roles(house).await;
    for node in [&house.shop.id, &house.labs.id] {
        house
            .change(async |tx| {
                let mut node = nodes::by_id(tx, node).await?;
                node.vending.client_exchange = true;
                tx.update_node(&node).await
            })
            .await;
    }
    roles
}

fn path(role: &Role, act: &str) -> String {
    format!("/api/v1/me/roles/{}/{act}", role.id)
}

#[tokio::test]
async fn a_command_line_gets_what_buys_keys_and_no_cloud_is_asked() {
    let house = House::with("[cloud.alibaba]\nsts = \"https://sts.intern.example/\"\n").await;
    let [aws, alibaba] = by_client(&house).await;
    let bob = house.token("bob").await;
    for (role, provider, partition, sts) in [
        (&aws, "arn:aws:iam::111111111111:saml-provider/cam", "aws", Value::Null),
        (&alibaba, "acs:ram::1000000000000001:saml-provider/cam", "alibaba", json!("https://sts.intern.example/")),
    ] {
        let answer = house.post(&path(role, "credentials")).bearer(&bob).json(&json!({"duration": 1800})).answer().await;
        assert_eq!(
            (answer.status, answer.header("cache-control"), answer.header("content-type")),
            (200, "no-store", "application/json"),
            "{}",
            answer.text
        );
        let mut document = answer.json();
        let response = document["saml_response"].take();
        let arn = role.arn.as_ref().unwrap().as_str();
        let ends = house.app.now().after(std::time::Duration::from_secs(120)).utc();
        assert_eq!(
            document,
            json!({"saml_response": null, "role_arn": arn, "provider_arn": provider, "partition": partition, "sts": sts,
                   "duration": 1800, "session_name": "bob", "ends": ends})
        );
        let said = String::from_utf8(STANDARD.decode(response.as_str().unwrap()).unwrap()).unwrap();
        assert!(said.contains(&format!("{arn},{provider}")), "{said}");
        let row = house.event(&answer).await;
        assert_eq!((row.kind.as_str(), row.outcome.as_str(), row.auth.as_str()), ("vend", "done", "bearer"));
    }
    assert_eq!(house.cloud.times(), 0);
    let lines = house.get("/api/v1/vends").bearer(&house.token("e-1").await).answer().await.json();
    for line in lines["items"].as_array().unwrap() {
        let told = ["method", "channel", "outcome", "access_key_id", "lifetime_s"].map(|key| line[key].clone());
        assert_eq!(told, [json!("saml"), json!("cli"), json!("issued"), Value::Null, json!(1800)], "{line}");
    }
    assert_eq!(lines["items"].as_array().unwrap().len(), 2);
    let did = house.get("/api/v1/me/activity").bearer(&bob).answer().await.json();
    assert!(did["items"][0]["kind"] == "vend.complete" && did["items"][0]["params"]["assertion"].is_string(), "{did}");
    house.app.store.verify().await.unwrap();
}

#[tokio::test]
async fn what_is_not_to_be_had_so_is_refused_in_a_sentence() {
    let house = House::new().await;
    let [aws, _] = by_client(&house).await;
    let (bob, browser) = (house.token("bob").await, house.browser("bob").await);
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    for (body, says) in [
        (json!({"policy": policy}), "cannot be limited by a session policy"),
        (json!({"format": "shell"}), "in no other format than `json`"),
        (json!({"all": true}), "in no other format than `json`"),
    ] {
        let answer = house.post(&path(&aws, "credentials")).bearer(&bob).json(&body).answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "client_exchange"), "{body}");
        assert!(answer.json()["detail"].as_str().unwrap().ends_with(says), "{}", answer.text);
        assert_eq!(house.event(&answer).await.outcome, "refused");
    }
    let answer = house.post(&path(&aws, "credentials")).from(&browser).json(&json!({"all": true})).answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "client_exchange"));
    assert!(answer.text.contains("fetched by the command line only; signing in to its console works here"), "{}", answer.text);
    let form = house.post(&path(&aws, "sso")).from(&browser).header("accept", "application/json").answer().await;
    assert_eq!(form.status, 200, "{}", form.text);
    assert_eq!(house.cloud.times(), 0);
}

#[tokio::test]
async fn the_page_says_where_these_keys_are_to_be_had() {
    let house = House::new().await;
    let [aws, _] = by_client(&house).await;
    let browser = house.browser("bob").await;
    let page = async |language: &str| {
        let sent = house.get(&format!("/roles/{}", aws.id)).cookie(&browser).header("accept", "text/html");
        sent.header("accept-language", language).answer().await
    };
    for (language, says) in
        [("en", "The keys of this account are fetched by the command line only"), ("zh-CN", "该账号的密钥只能通过命令行")]
    {
        let answer = page(language).await;
        assert!(answer.status == 200 && answer.text.contains(says), "{}", answer.text);
        assert!(answer.text.contains(&path(&aws, "sso")) && !answer.text.contains(&path(&aws, "credentials")), "{}", answer.text);
    }
    house
        .change(async |tx| {
            let mut node = nodes::by_id(tx, &house.shop.id).await?;
            node.vending.client_exchange = false;
            tx.update_node(&node).await
        })
        .await;
    let answer = page("en").await;
    assert!(answer.text.contains(&path(&aws, "credentials")) && !answer.text.contains("by the command line only"));
}
