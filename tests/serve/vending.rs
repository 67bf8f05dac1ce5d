//! One's own roles, console sign-ins and keys: what comes, what is written, and what is nowhere.

use std::time::Duration;

use saml2cloud::tvm::horizontal::{Activation, Matcher, Rule};
use saml2cloud::tvm::model::{Class, Label, Risk, Role, Source, Vending as Terms};
use saml2cloud::tvm::store::groups::Membership;
use saml2cloud::tvm::store::nodes;
use saml2cloud::types::{IdpArn, Timestamp};
use serde_json::json;

use crate::cloud::SECRETS;
use crate::corporate::Said;
use crate::house::{Answer, House};
use crate::signin::{away, back, sign_in, signed_in};

/// Bob may use a role in each of the two clouds.
pub(crate) async fn roles(house: &House) -> [Role; 2] {
    let providers = ["arn:aws:iam::111111111111:saml-provider/cam", "acs:ram::1000000000000001:saml-provider/cam"];
    let mut roles = Vec::new();
    for (node, provider) in [(&house.shop, providers[0]), (&house.labs, providers[1])] {
        let role = house.role(node, Class::System, "Reader").await;
        house
            .change(async |tx| {
                let mut node = nodes::by_id(tx, &node.id).await?;
                node.vending = Terms { provider: Some(IdpArn::parse(provider).unwrap()), ..node.vending };
                tx.update_node(&node).await
            })
            .await;
        join(house, &role, "bob", None).await;
        roles.push(role);
    }
    roles.try_into().unwrap()
}

pub(crate) async fn join(house: &House, role: &Role, gid: &str, ends: Option<Timestamp>) {
    let how = Membership { source: Source::Manual, by: None, ends, reason: "" };
    house.change(async |tx| tx.join(&role.group, &house.people[gid], how).await).await;
}

async fn get(house: &House, token: &str, path: &str) -> Answer {
    house.get(path).bearer(token).answer().await
}

#[tokio::test]
async fn a_person_sees_the_roles_that_they_may_use() {
    let house = House::new().await;
    let [aws, alibaba] = roles(&house).await;
    let (bob, mo) = (house.token("bob").await, house.token("mo").await);
    let answer = get(&house, &bob, "/api/v1/me/roles").await;
    let own = |role: &Role| json!([{"group": role.group.as_str(), "group_name": "Reader", "horizontal": null, "horizontal_name": null, "source": "manual", "ends": null}]);
    let expected = json!({
        "items": [
            {"id": alibaba.id.as_str(), "name": "Reader", "arn": "acs:ram::1000000000000001:role/Reader", "cloud": "alibaba", "partition": "alibaba",
             "account": {"node": house.labs.id.as_str(), "name": "Labs", "uid": "1000000000000001"}, "max_session_s": 43200, "via": own(&alibaba)},
            {"id": aws.id.as_str(), "name": "Reader", "arn": "arn:aws:iam::111111111111:role/Reader", "cloud": "aws", "partition": "aws",
             "account": {"node": house.shop.id.as_str(), "name": "Shop", "uid": "111111111111"}, "max_session_s": 43200, "via": own(&aws)},
        ],
        "next": null,
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(get(&house, &mo, "/api/v1/me/roles").await.json()["items"], json!([]));
    for (query, names) in [
        ("cloud=aws", vec!["Shop"]),
        ("cloud=alibaba", vec!["Labs"]),
        ("q=shop", vec!["Shop"]),
        ("q=1111%20READ", vec!["Shop"]),
        ("q=reader", vec!["Labs", "Shop"]),
        ("q=writer", vec![]),
        ("limit=1", vec!["Labs"]),
    ] {
        let answer = get(&house, &bob, &format!("/api/v1/me/roles?{query}")).await.json();
        let found: Vec<&str> =
            answer["items"].as_array().unwrap().iter().map(|item| item["account"]["name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{query}");
    }
    let first = get(&house, &bob, "/api/v1/me/roles?limit=1").await.json();
    let next = get(&house, &bob, &format!("/api/v1/me/roles?limit=1&cursor={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!((next["items"][0]["account"]["name"].as_str(), next["next"].as_str()), (Some("Shop"), None));
    for bad in ["cloud=gcp", "limit=0", "limit=x", "cursor=abc"] {
        assert_eq!(get(&house, &bob, &format!("/api/v1/me/roles?{bad}")).await.code(), "validation_failed", "{bad}");
    }
}

#[tokio::test]
async fn a_list_says_why_one_has_each_role() {
    let house = House::new().await;
    let [aws, _] = roles(&house).await;
    let label = |text: &str| Label::parse(text).unwrap();
    let rule = Rule::new(Matcher::Prefix, "Read").unwrap();
    let ends = house.app.now().after(Duration::from_secs(3600));
    let (horizontal, group) = house
        .change(async |tx| {
            let ops = tx.add_horizontal(&house.root.id, &label("Readers <all>"), Some(&rule), Activation::Auto, false).await?;
            let group = tx.add_group(&house.root.id, &label("Night shift")).await?;
            tx.bind_group(&ops.id, &group.id).await?;
            // By name and by the rule: one way all the same.
            tx.add_explicit(&ops.id, &aws.id, None).await?;
            let how = Membership { source: Source::Manual, by: None, ends: Some(ends), reason: "" };
            tx.join(&group.id, &house.people["bob"], how).await?;
            Ok((ops, group))
        })
        .await;
    let bob = house.token("bob").await;
    let answer = get(&house, &bob, "/api/v1/me/roles?cloud=aws").await.json();
    assert_eq!(
        answer["items"][0]["via"],
        json!([
            {"group": aws.group.as_str(), "group_name": "Reader", "horizontal": null, "horizontal_name": null, "source": "manual", "ends": null},
            {"group": group.id.as_str(), "group_name": "Night shift", "horizontal": horizontal.id.as_str(), "horizontal_name": "Readers <all>",
             "source": "manual", "ends": ends.utc()},
        ])
    );
    let page = house.get("/").cookie(&house.browser("bob").await).header("accept", "text/html").answer().await.text;
    assert!(page.contains("by Reader, Readers &#60;all&#62;"), "{page}");
    // What has ended is no reason any more.
    house.clock.forward(Duration::from_secs(3600));
    let answer = get(&house, &bob, "/api/v1/me/roles?cloud=aws").await.json();
    assert_eq!(answer["items"][0]["via"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_role_of_high_risk_needs_a_fresh_sign_in() {
    let house = House::with("[session]\nstep_up_minutes = 10\n[approval]\ntwo_person = true\n").await;
    let [aws, alibaba] = roles(&house).await;
    house.change(async |tx| tx.update_role(&Role { risk: Risk::High, ..aws.clone() }).await).await;
    let (token, browser) = (house.token("bob").await, sign_in(&house, "bob").await);
    let path = |role: &Role, act: &str| format!("/api/v1/me/roles/{}/{act}", role.id);
    // Such a role needs a second person's consent as well.
    let wish = json!({"role": aws.id.as_str(), "seconds": 7200, "reason": "an incident"});
    let asked = house.post("/api/v1/proposals").bearer(&token).json(&wish).answer().await;
    let agree = format!("/api/v1/proposals/{}/agree", asked.json()["id"].as_str().unwrap());
    let agreed = house.post(&agree).bearer(&house.token("e-1").await).json(&json!({})).answer().await;
    assert_eq!(agreed.status, 200, "{}", agreed.text);
    house.clock.forward(Duration::from_secs(600));
    assert_eq!(house.post(&path(&aws, "credentials")).bearer(&token).answer().await.status, 200);
    house.clock.forward(Duration::from_secs(1));
    let asked = house.cloud.times();
    for act in ["credentials", "sso"] {
        for sent in [house.post(&path(&aws, act)).bearer(&token), house.post(&path(&aws, act)).from(&browser)] {
            let answer = sent.answer().await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "reauth_required"), "{act}");
            assert_eq!(house.event(&answer).await.outcome, "refused");
        }
    }
    assert_eq!(house.cloud.times(), asked);
    // Who does not have the role does not learn that it is one of these.
    let mo = house.token("mo").await;
    assert_eq!(house.post(&path(&aws, "credentials")).bearer(&mo).answer().await.status, 404);
    assert_eq!(house.post(&path(&alibaba, "credentials")).bearer(&token).answer().await.status, 200);
    // A page leads to the identity provider, which is told to ask anew.
    let sent =
        house.post(&path(&aws, "sso")).cookie(&browser).header("accept", "text/html").header("sec-fetch-site", "same-origin");
    let answer = sent.form(&[("csrf", &browser.csrf)]).answer().await;
    assert!(answer.status == 401 && answer.text.contains("href=\"/saml/login?fresh=1&amp;return=%2F\""), "{}", answer.text);
    let gone = away(&house, "/saml/login?fresh=1&return=%2F").await;
    assert!(gone.xml.contains("ForceAuthn=\"true\""), "{}", gone.xml);
    // It did not ask: the sign-in before that is not one.
    let stale =
        Said { authn_at: house.app.now().before(Duration::from_secs(601)), ..Said::of("bob", &gone.request, house.app.now()) };
    assert_eq!(back(&house, &gone, &house.corporate.respond(&stale)).await.status, 400);
    let gone = away(&house, "/saml/login?fresh=1&return=%2F").await;
    let answer = back(&house, &gone, &house.corporate.respond(&Said::of("bob", &gone.request, house.app.now()))).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let fresh = signed_in(&answer);
    for act in ["credentials", "sso"] {
        let answer = house.post(&path(&aws, act)).from(&fresh).header("accept", "application/json").answer().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[tokio::test]
async fn keys_are_handed_out_and_kept_nowhere() {
    let house = House::new().await;
    let [aws, alibaba] = roles(&house).await;
    let token = house.token("bob").await;
    let ask = |role: &Role, body: serde_json::Value| {
        house.post(&format!("/api/v1/me/roles/{}/credentials", role.id)).bearer(&token).json(&body).answer()
    };
    let answer = ask(&aws, json!({"duration": 1800, "reason": "a look"})).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text);
    assert_eq!(
        answer.json(),
        json!({"access_key_id": "ASIA1", "secret_access_key": "wJalrSECRET", "session_token": "FwoGZTOKEN",
               "expires": "2027-01-15T09:00:00Z", "role_arn": "arn:aws:iam::111111111111:role/Reader", "session_name": "bob"})
    );
    let row = house.event(&answer).await;
    assert_eq!(
        (row.kind.as_str(), row.outcome.as_str(), row.actor_gid.as_deref(), row.auth.as_str()),
        ("vend", "done", Some("BOB"), "bearer")
    );
    assert!(row.params.contains("a look") && row.params.contains("1800"), "{}", row.params);
    for (format, kind, words) in [
        ("shell", "text/plain; charset=utf-8", "export AWS_ACCESS_KEY_ID='ASIA1'"),
        ("powershell", "text/plain; charset=utf-8", "$env:AWS_ACCESS_KEY_ID = 'ASIA1'"),
        ("profile", "text/plain; charset=utf-8", "aws_access_key_id"),
        ("process", "application/json", "\"Version\""),
    ] {
        let answer = ask(&aws, json!({"format": format})).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{}", answer.text);
        assert!(answer.text.contains(words) && answer.header("content-disposition").starts_with("attachment"), "{}", answer.text);
    }
    let answer = ask(&alibaba, json!({"format": "profile", "profile": "labs", "region": "cn-hangzhou"})).await;
    assert!(
        answer.text.contains("\"labs\"") && answer.text.contains("STS.L4") && answer.text.contains("cn-hangzhou"),
        "{}",
        answer.text
    );
    let answer = ask(&alibaba, json!({"all": true})).await.json();
    assert!(answer["formats"]["shell"]["text"].as_str().unwrap().contains("STS.L4") && answer["session_token"] == "CAISTOKEN");
    // All that the service keeps is in one folder.
    house.app.store.verify().await.unwrap();
    let metrics = house.get("/metrics").answer().await.text;
    assert!(
        metrics.contains("saml2cloud_vends_total") && metrics.contains("route=\"/api/v1/me/roles/{id}/credentials\""),
        "{metrics}"
    );
    let folder = house.end().await;
    let mut read = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        read += bytes.len();
        for secret in SECRETS.iter().chain([&token.as_str()]) {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
            assert!(!metrics.contains(secret));
        }
    }
    assert!(read > 100_000);
}

#[tokio::test]
async fn what_is_not_ones_own_is_not_there() {
    let house = House::new().await;
    let [aws, _] = roles(&house).await;
    let mo = house.token("mo").await;
    for act in ["credentials", "sso"] {
        let path = format!("/api/v1/me/roles/{}/{act}", aws.id);
        let answer = house.post(&path).bearer(&mo).answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
        let row = house.event(&answer).await;
        assert_eq!((row.outcome.as_str(), row.at), ("refused", None), "{}", row.params);
        assert_eq!(
            house.post(&format!("/api/v1/me/roles/01ARZ3NDEKTSV4RRFFQ69G5FAV/{act}")).bearer(&mo).answer().await.status,
            404
        );
        assert_eq!(house.post(&format!("/api/v1/me/roles/x/{act}")).bearer(&mo).answer().await.status, 404);
    }
    assert_eq!(house.cloud.times(), 0);
    let bob = house.token("bob").await;
    let ask = |body: serde_json::Value| {
        house.post(&format!("/api/v1/me/roles/{}/credentials", aws.id)).bearer(&bob).json(&body).answer()
    };
    for (body, field) in [
        (json!({"duration": 60}), "duration"),
        (json!({"format": "pdf"}), "format"),
        (json!({"policy": "not json"}), "policy"),
        (json!({"profile": "a\nb"}), "profile"),
        (json!({"reason": "x".repeat(501)}), "reason"),
    ] {
        let answer = ask(body.clone()).await;
        assert_eq!((answer.status, answer.json()["fields"][0]["field"].as_str()), (400, Some(field)), "{body} {}", answer.text);
        assert_eq!(house.event(&answer).await.outcome, "refused");
    }
    assert_eq!(ask(json!({"wish": 1})).await.code(), "validation_failed");
    assert_eq!(house.cloud.times(), 0);
    // A membership that ends soon gives no session.
    let soon = house.role(&house.shop, Class::System, "Soon").await;
    join(&house, &soon, "bob", Some(house.app.now().after(Duration::from_secs(600)))).await;
    let answer = house.post(&format!("/api/v1/me/roles/{}/credentials", soon.id)).bearer(&bob).answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "window_too_short"));
}

#[tokio::test]
async fn a_console_is_signed_in_to_by_a_page_that_posts_itself() {
    let house = House::new().await;
    let [aws, alibaba] = roles(&house).await;
    let browser = house.browser("bob").await;
    for (role, acs) in [(&aws, "https://signin.aws.amazon.com/saml"), (&alibaba, "https://signin.aliyun.com/saml-role/sso")] {
        let path = format!("/api/v1/me/roles/{}/sso", role.id);
        let sent = house.post(&path).cookie(&browser).header("accept", "text/html").header("sec-fetch-site", "same-origin");
        let answer = sent.form(&[("csrf", &browser.csrf)]).answer().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(
            answer.text.contains(&format!("action=\"{acs}\"")) && answer.text.contains("name=\"SAMLResponse\""),
            "{}",
            answer.text
        );
        let origin = acs.split('/').take(3).collect::<Vec<_>>().join("/");
        assert!(answer.header("content-security-policy").contains(&format!("form-action {origin};")));
        let row = house.event(&answer).await;
        assert_eq!((row.kind.as_str(), row.auth.as_str()), ("vend", "session"));
        let answer = house.post(&path).from(&browser).header("accept", "application/json").answer().await;
        let form = answer.json();
        assert_eq!((form["action"].as_str(), form["fields"]["RelayState"].as_str()), (Some(acs), Some("")));
        assert!(!form["fields"]["SAMLResponse"].as_str().unwrap().is_empty());
    }
    assert_eq!(house.cloud.times(), 0);
}

#[tokio::test]
async fn what_the_cloud_says_no_to_is_told() {
    let house = House::new().await;
    let [aws, _] = roles(&house).await;
    let token = house.token("bob").await;
    let body = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Code>AccessDenied</Code><Message>Not you.</Message></Error>\
                <RequestId>r-77</RequestId></ErrorResponse>";
    house.cloud.next.lock().unwrap().push_back((403, body.to_owned()));
    let answer = house.post(&format!("/api/v1/me/roles/{}/credentials", aws.id)).bearer(&token).answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "cloud_error"));
    assert!(answer.text.contains("AccessDenied") && answer.text.contains("r-77"), "{}", answer.text);
    assert_eq!(house.events(answer.request()).await.len(), 1);
}

#[tokio::test]
async fn nobody_gets_more_than_their_share() {
    let house = House::with("[limits]\nvend_per_user = 3\n").await;
    let [aws, _] = roles(&house).await;
    let (bob, mo) = (house.token("bob").await, house.token("mo").await);
    join(&house, &aws, "mo", None).await;
    let ask = |token: &str| house.post(&format!("/api/v1/me/roles/{}/credentials", aws.id)).bearer(token).answer();
    for _ in 0..3 {
        assert_eq!(ask(&bob).await.status, 200);
    }
    let answer = ask(&bob).await;
    assert_eq!((answer.status, answer.code().as_str(), answer.header("retry-after")), (429, "rate_limited", "20"));
    assert_eq!(house.event(&answer).await.outcome, "refused");
    assert_eq!(ask(&mo).await.status, 200);
    house.clock.forward(Duration::from_secs(20));
    assert_eq!(ask(&bob).await.status, 200);
    assert_eq!(house.cloud.times(), 5);
}

#[tokio::test]
async fn one_sees_what_one_did() {
    let house = House::new().await;
    let [aws, _] = roles(&house).await;
    let (bob, mo) = (house.token("bob").await, house.token("mo").await);
    house.post(&format!("/api/v1/me/roles/{}/credentials", aws.id)).bearer(&bob).json(&json!({"duration": 900})).answer().await;
    get(&house, &mo, "/api/v1/me").await;
    let did = get(&house, &bob, "/api/v1/me/activity").await.json();
    let kinds: Vec<&str> = did["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["vend.complete", "vend"]);
    assert_eq!(did["items"][0]["params"]["access_key_id"], "ASIA1");
    let first = get(&house, &bob, "/api/v1/me/activity?limit=1").await.json();
    assert_eq!((first["items"].as_array().unwrap().len(), first["items"][0]["kind"].as_str()), (1, Some("me.activity")));
    assert!(first["next"].is_string());
}

#[tokio::test]
async fn without_a_trail_nothing_is_handed_out() {
    use sqlx::{Connection as _, Executor as _};
    let house = House::new().await;
    let [aws, _] = roles(&house).await;
    let (token, browser) = (house.token("bob").await, house.browser("bob").await);
    let url = format!("sqlite://{}", house.folder().join("serve.db").display());
    let mut conn = sqlx::AnyConnection::connect(&url).await.unwrap();
    conn.execute("ALTER TABLE audit_event RENAME TO audit_event_away").await.unwrap();
    let path = format!("/api/v1/me/roles/{}", aws.id);
    for sent in [
        house.post(&format!("{path}/credentials")).bearer(&token),
        house.post(&format!("{path}/sso")).from(&browser),
        house.ask("PATCH", "/api/v1/me").bearer(&token).header("if-match", "\"1\"").json(&json!({"alias": "other"})),
        house.get("/api/v1/me").bearer(&token),
        house.get("/api/v1/me/roles").bearer(&token),
    ] {
        let answer = sent.answer().await;
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(["audit_unavailable", "store_unavailable"].contains(&answer.code().as_str()), "{}", answer.text);
        assert!(SECRETS.iter().all(|secret| !answer.text.contains(secret)) && !answer.header("retry-after").is_empty());
    }
    assert_eq!(house.cloud.times(), 0);
    conn.execute("ALTER TABLE audit_event_away RENAME TO audit_event").await.unwrap();
    assert_eq!(house.get("/api/v1/me").bearer(&token).answer().await.json()["alias"], "bob of acme");
    assert_eq!(house.post(&format!("{path}/credentials")).bearer(&token).answer().await.status, 200);
}
