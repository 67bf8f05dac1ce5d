//! The walk through CloudSSO: what a client must send, and what it gets for less.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox::Sandbox;
use serde_json::{Value, json};

use crate::browser::{Answer, Browser, clean, start};

const BASE: &str = "https://signin-cn-shanghai.alibabacloudsso.com";
const CLIENT: &str = "app-vaz16tltdxs96audqf35";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const VERIFIER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct Walk {
    browser: Browser,
}

impl Walk {
    fn new(sandbox: &Sandbox) -> Self {
        Self { browser: Browser::new(sandbox) }
    }

    fn post(&mut self, path: &str, body: &Value, token: Option<&str>) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("accept", "application/json"), ("content-type", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        self.browser.send("POST", &format!("{BASE}{path}"), &headers, Some(&body.to_string())).unwrap()
    }

    fn get(&mut self, path: &str, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.browser.send("GET", &format!("{BASE}{path}"), &[("authorization", bearer.as_str())], None).unwrap()
    }

    fn begin(&mut self) -> Value {
        let answer = self.post("/device-authorization", &beginning(), None);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    fn answer(&mut self, device: &Value, answer: &str) -> u16 {
        let code = device["UserCode"].as_str().unwrap();
        let form = format!("user_code={code}&login=alice%40example.com&password=alice-correct-horse-battery&answer={answer}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.browser.send("POST", device["VerificationUri"].as_str().unwrap(), &headers, Some(&form)).unwrap().status
    }

    fn poll(&mut self, device: &Value) -> Answer {
        self.post("/token", &redeeming(device), None)
    }
}

fn beginning() -> Value {
    let challenge = URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, VERIFIER.as_bytes()));
    json!({"PortalUrl": format!("{BASE}/acme/login"), "ClientId": CLIENT, "CodeChallenge": challenge, "CodeChallengeMethod": "S256"})
}

fn redeeming(device: &Value) -> Value {
    json!({"ClientId": CLIENT, "CodeVerifier": VERIFIER, "DeviceCode": device["DeviceCode"], "GrantType": DEVICE})
}

fn error(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["ErrorCode"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_code_a_token_and_keys() {
    let sandbox = start();
    sandbox.cloud_sso(|sso| sso.interval = 0);
    let mut walk = Walk::new(&sandbox);
    let device = walk.begin();
    assert_eq!(error(&walk.poll(&device)), (400, "AuthorizationPending".to_owned()));
    let page = device["VerificationUriComplete"].as_str().unwrap();
    assert!(walk.browser.get(page).body.contains(device["UserCode"].as_str().unwrap()));
    assert_eq!((walk.answer(&device, "allow"), walk.answer(&device, "allow")), (200, 400), "it is answered");
    let granted = walk.poll(&device).json();
    assert_eq!(granted["ExpiresIn"], 3600);
    assert_eq!(error(&walk.poll(&device)), (400, "InvalidDeviceCodeError".to_owned()), "a code is good once");

    let token = granted["AccessToken"].as_str().unwrap();
    sandbox.cloud_sso(|sso| sso.page = 1);
    let first = walk.get("/access-assignments/accounts?MaxResults=100", token).json();
    assert_eq!((&first["Accounts"][0]["DisplayName"], &first["IsTruncated"]), (&json!("acme-prod"), &json!(true)));
    let next = first["NextToken"].as_str().unwrap();
    let last = walk.get(&format!("/access-assignments/accounts?MaxResults=100&NextToken={next}"), token).json();
    assert_eq!((&last["Accounts"][0]["AccountId"], &last["IsTruncated"]), (&json!("210987654321"), &json!(false)));
    let list = walk.get("/access-assignments/access-configurations?AccountId=210987654321", token).json();
    let one = &list["AccessConfigurationsForAccount"][0];
    assert_eq!(one["AccessConfigurationName"], "Developer");
    let wish = json!({"AccountId": "210987654321", "AccessConfigurationId": one["AccessConfigurationId"]});
    let keys = walk.post("/cloud-credentials", &wish, Some(token)).json();
    let end = keys["CloudCredential"]["Expiration"].as_str().unwrap();
    assert!(end.len() == 20 && end.ends_with('Z'), "the SDK for Python reads no other form: {end}");
    let other = json!({"AccountId": "012345678987", "AccessConfigurationId": one["AccessConfigurationId"]});
    assert_eq!(walk.post("/cloud-credentials", &other, Some(token)).status, 403);
    sandbox.end_cloud_sso_access();
    assert_eq!(walk.post("/cloud-credentials", &wish, Some(token)).status, 401);
    clean(&sandbox);
}

#[test]
fn a_code_ends_and_may_be_denied() {
    let sandbox = start();
    sandbox.cloud_sso(|sso| sso.interval = 0);
    let mut walk = Walk::new(&sandbox);
    let device = walk.begin();
    assert_eq!(walk.answer(&device, "deny"), 200);
    assert_eq!(walk.poll(&device).status, 400);
    sandbox.cloud_sso(|sso| sso.device_seconds = 0);
    let late = walk.begin();
    assert_eq!(error(&walk.poll(&late)), (400, "InvalidDeviceCodeError".to_owned()));
    clean(&sandbox);
}

#[test]
fn what_only_a_careless_client_would_send_is_a_breach() {
    let sandbox = start();
    sandbox.cloud_sso(|sso| sso.interval = 30);
    let mut walk = Walk::new(&sandbox);
    let device = walk.begin();
    assert_eq!(error(&walk.poll(&device)), (400, "AuthorizationPending".to_owned()));
    clean(&sandbox);
    assert_eq!(walk.poll(&device).status, 400, "faster than the interval");
    let changed = |mut body: Value, name: &str, value: Value| {
        body[name] = value;
        body
    };
    for (path, body) in [
        ("/device-authorization", changed(beginning(), "PortalUrl", json!(BASE))),
        ("/device-authorization", changed(beginning(), "ClientId", json!("app-other"))),
        ("/device-authorization", changed(beginning(), "CodeChallengeMethod", json!("plain"))),
        ("/device-authorization", changed(beginning(), "Scope", json!("all"))),
        ("/token", changed(redeeming(&device), "CodeVerifier", json!("another one, which is long enough to be a verifier"))),
        ("/token", changed(redeeming(&device), "GrantType", json!("refresh_token"))),
        ("/cloud-credentials", json!({})),
    ] {
        assert_eq!(walk.post(path, &body, None).status, 400, "{path}");
    }
    assert_eq!(sandbox.violations().len(), 8);
}
