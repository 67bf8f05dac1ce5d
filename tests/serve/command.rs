//! How command lines sign in: over a browser on the same machine, and over one elsewhere.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::house::{Answer, Browser, House};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const BACK: &str = "http://127.0.0.1:5000/callback";

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, VERIFIER.as_bytes()))
}

fn asked(redirect_uri: &str) -> Vec<(String, String)> {
    [
        ("response_type", "code"),
        ("client_id", "saml2cloud"),
        ("redirect_uri", redirect_uri),
        ("code_challenge", &challenge()),
        ("code_challenge_method", "S256"),
        ("state", "xyz"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn query(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Presses a button of the page.
async fn press(house: &House, browser: &Browser, decision: &str) -> url::Url {
    let mut form = asked(BACK);
    form.extend([("csrf".to_owned(), browser.csrf.clone()), ("decision".to_owned(), decision.to_owned())]);
    let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sent = house.post("/cli/authorize").cookie(browser).header("sec-fetch-site", "same-origin").header("origin", "null");
    let answer = sent.form(&pairs).answer().await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.header("location").parse().unwrap()
}

async fn exchange(house: &House, code: &str, verifier: &str, redirect_uri: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("client_id", "saml2cloud"),
        ("code_verifier", verifier),
    ];
    house.post("/api/v1/cli/token").form(&form).answer().await
}

fn of(url: &url::Url, wanted: &str) -> Option<String> {
    url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
}

fn error(answer: &Answer) -> String {
    assert_eq!(answer.status, 400, "{}", answer.text);
    answer.json()["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_command_line_on_the_same_machine_signs_in() {
    let house = House::new().await;
    let path = format!("/cli/authorize?{}", query(&asked(BACK)));
    // Who is not signed in is sent to sign in first, and comes back to this very question.
    let answer = house.get(&path).answer().await;
    assert_eq!(answer.status, 303);
    let to: url::Url = format!("https://cam.example{}", answer.header("location")).parse().unwrap();
    assert_eq!(of(&to, "return").as_deref(), Some(path.as_str()));
    let browser = house.browser("bob").await;
    let page = house.get(&path).cookie(&browser).answer().await;
    assert!(
        page.status == 200 && page.text.contains("http://127.0.0.1:5000") && page.text.contains("127.0.0.1"),
        "{}",
        page.text
    );
    assert!(page.header("content-security-policy").contains("form-action 'self' http://127.0.0.1:5000;"));
    let back = press(&house, &browser, "allow").await;
    assert!(back.as_str().starts_with(BACK));
    assert_eq!((of(&back, "state").as_deref(), of(&back, "iss").as_deref()), (Some("xyz"), Some("https://cam.example/")));
    let code = of(&back, "code").unwrap();
    let answer = exchange(&house, &code, VERIFIER, BACK).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text);
    let told = answer.json();
    assert_eq!((told["token_type"].as_str(), told["expires_in"].as_u64()), (Some("Bearer"), Some(12 * 3600)));
    let row = house.event(&answer).await;
    assert_eq!((row.kind.as_str(), row.actor_gid.as_deref()), ("cli.token", Some("BOB")));
    assert!(!row.params.contains(&code) && !row.params.contains(VERIFIER), "{}", row.params);
    let token = told["access_token"].as_str().unwrap().to_owned();
    assert_eq!(house.get("/api/v1/me").bearer(&token).answer().await.json()["gid"], "bob");
    // The code once more: whoever has it should not, and the token goes.
    assert_eq!(error(&exchange(&house, &code, VERIFIER, BACK).await), "invalid_grant");
    assert_eq!(house.get("/api/v1/me").bearer(&token).answer().await.status, 401);
    let back = press(&house, &browser, "deny").await;
    assert_eq!((of(&back, "error").as_deref(), of(&back, "code")), (Some("access_denied"), None));
}

#[tokio::test]
async fn a_code_is_for_whoever_asked_for_it() {
    let house = House::new().await;
    let browser = house.browser("bob").await;
    let other = "e".repeat(43);
    for (verifier, redirect_uri) in [(other.as_str(), BACK), ("", BACK), (VERIFIER, "http://127.0.0.1:5001/callback")] {
        let code = of(&press(&house, &browser, "allow").await, "code").unwrap();
        assert_eq!(error(&exchange(&house, &code, verifier, redirect_uri).await), "invalid_grant");
        // It is used up by that.
        assert_eq!(error(&exchange(&house, &code, VERIFIER, BACK).await), "invalid_grant");
    }
    let code = of(&press(&house, &browser, "allow").await, "code").unwrap();
    house.clock.forward(Duration::from_secs(61));
    assert_eq!(error(&exchange(&house, &code, VERIFIER, BACK).await), "invalid_grant");
    assert_eq!(error(&exchange(&house, "abc", VERIFIER, BACK).await), "invalid_grant");
    let answer = house.post("/api/v1/cli/token").form(&[("grant_type", "password")]).answer().await;
    assert_eq!(error(&answer), "unsupported_grant_type");
}

#[tokio::test]
async fn an_answer_never_goes_elsewhere() {
    let house = House::new().await;
    let browser = house.browser("bob").await;
    for evil in [
        "https://evil.example/",
        "http://evil.example:80/",
        "http://localhost:1/",
        "http://127.0.0.1/",
        "javascript:alert(1)",
        "",
    ] {
        let answer = house.get(&format!("/cli/authorize?{}", query(&asked(evil)))).cookie(&browser).answer().await;
        assert_eq!((answer.status, answer.header("location")), (400, ""), "{evil}");
    }
    for (name, value) in [
        ("client_id", "other"),
        ("response_type", "token"),
        ("code_challenge_method", "plain"),
        ("code_challenge", "x"),
        ("state", ""),
    ] {
        let mut pairs = asked(BACK);
        pairs.iter_mut().filter(|(key, _)| key == name).for_each(|pair| pair.1 = value.to_owned());
        assert_eq!(house.get(&format!("/cli/authorize?{}", query(&pairs))).cookie(&browser).answer().await.status, 400, "{name}");
    }
}

pub(crate) async fn begin(house: &House) -> Value {
    let form = [
        ("client_id", "saml2cloud"),
        ("client_name", "bob's box"),
        ("code_challenge", &challenge()),
        ("code_challenge_method", "S256"),
    ];
    let answer = house.post("/api/v1/cli/device").form(&form).answer().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn poll(house: &House, device: &Value, verifier: &str) -> Answer {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device["device_code"].as_str().unwrap()),
        ("client_id", "saml2cloud"),
        ("code_verifier", verifier),
    ];
    house.post("/api/v1/cli/device/token").form(&form).answer().await
}

async fn typed(house: &House, browser: &Browser, code: &str, decision: &str) -> Answer {
    let form = [("csrf", browser.csrf.as_str()), ("user_code", code), ("decision", decision)];
    house.post("/device").cookie(browser).header("origin", "https://cam.example").form(&form).answer().await
}

#[tokio::test]
async fn a_command_line_elsewhere_signs_in_by_a_typed_code() {
    let house = House::new().await;
    let browser = house.browser("bob").await;
    let device = begin(&house).await;
    assert_eq!((device["verification_uri"].as_str(), device["interval"].as_u64()), (Some("https://cam.example/device"), Some(5)));
    assert!(device.get("verification_uri_complete").is_none());
    let code = device["user_code"].as_str().unwrap();
    assert_eq!(error(&poll(&house, &device, VERIFIER).await), "authorization_pending");
    assert_eq!(error(&poll(&house, &device, VERIFIER).await), "slow_down");
    // No address takes the code along.
    let page = house.get(&format!("/device?user_code={code}")).cookie(&browser).answer().await;
    assert!(page.status == 200 && !page.text.contains(code));
    let page = typed(&house, &browser, &code.to_lowercase().replace('-', " "), "").await;
    assert!(page.status == 200 && page.text.contains("bob&#39;s box") && page.text.contains("127.0.0.1"), "{}", page.text);
    house.clock.forward(Duration::from_secs(20));
    assert_eq!(error(&poll(&house, &device, VERIFIER).await), "authorization_pending");
    assert!(typed(&house, &browser, code, "allow").await.text.contains("It is signed in"));
    house.clock.forward(Duration::from_secs(20));
    let answer = poll(&house, &device, VERIFIER).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(house.get("/api/v1/me").bearer(&token).answer().await.json()["gid"], "bob");
    assert_eq!(error(&poll(&house, &device, VERIFIER).await), "expired_token");
    assert_eq!(typed(&house, &browser, code, "allow").await.status, 422);
    // It is listed under the name that it gave itself, and can be signed out.
    let listed = house.get("/api/v1/me/tokens").cookie(&browser).answer().await.json();
    assert_eq!((listed["items"][0]["name"].as_str(), listed["items"].as_array().unwrap().len()), (Some("bob's box"), 1));
    assert!(listed["items"][0]["last_used"].is_string(), "it asked who it is: {listed}");
    let path = format!("/api/v1/me/tokens/{}", listed["items"][0]["id"].as_str().unwrap());
    assert_eq!(house.ask("DELETE", &path).bearer(&house.token("mo").await).answer().await.status, 404);
    assert_eq!(house.ask("DELETE", &path).from(&browser).answer().await.status, 204);
    assert_eq!(house.get("/api/v1/me").bearer(&token).answer().await.status, 401);
}

#[tokio::test]
async fn a_device_that_is_refused_or_stolen_gets_nothing() {
    let house = House::new().await;
    let browser = house.browser("bob").await;
    let device = begin(&house).await;
    let code = device["user_code"].as_str().unwrap();
    typed(&house, &browser, code, "deny").await;
    assert_eq!(error(&poll(&house, &device, VERIFIER).await), "access_denied");
    let device = begin(&house).await;
    typed(&house, &browser, device["user_code"].as_str().unwrap(), "allow").await;
    assert_eq!(error(&poll(&house, &device, &"e".repeat(43)).await), "invalid_grant");
    assert_eq!(error(&poll(&house, &device, VERIFIER).await), "expired_token");
    let device = begin(&house).await;
    house.clock.forward(Duration::from_secs(301));
    assert_eq!(error(&poll(&house, &device, VERIFIER).await), "expired_token");
    assert_eq!(typed(&house, &browser, device["user_code"].as_str().unwrap(), "allow").await.status, 422);
}

#[tokio::test]
async fn nobody_guesses_a_code() {
    let house = House::new().await;
    let browser = house.browser("bob").await;
    let device = begin(&house).await;
    for _ in 0..5 {
        assert_eq!(typed(&house, &browser, "BCDF-GHJK", "").await.status, 422);
    }
    let answer = typed(&house, &browser, device["user_code"].as_str().unwrap(), "allow").await;
    assert_eq!(answer.status, 429);
    assert!(!answer.header("retry-after").is_empty());
    let other = house.browser("mo").await;
    assert_eq!(typed(&house, &other, device["user_code"].as_str().unwrap(), "").await.status, 200);
}

#[tokio::test]
async fn a_token_that_is_given_back_is_none() {
    let house = House::new().await;
    let token = house.token("bob").await;
    let answer = house.post("/api/v1/cli/revoke").form(&[("token", &token)]).answer().await;
    assert_eq!(answer.status, 200);
    let row = house.event(&answer).await;
    assert_eq!((row.actor_gid.as_deref(), row.params.contains(&token)), (Some("BOB"), false));
    assert_eq!(house.get("/api/v1/me").bearer(&token).answer().await.status, 401);
    assert_eq!(house.post("/api/v1/cli/revoke").form(&[("token", "abc")]).answer().await.status, 200);
}
