//! The walk through IAM Identity Center: what a client must send, and what it gets for less.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox::Sandbox;
use serde_json::{Value, json};

use crate::browser::{Answer, Browser, clean, start};

const OIDC: &str = "https://oidc.us-east-1.amazonaws.com";
const PORTAL: &str = "https://portal.sso.us-east-1.amazonaws.com";
const START: &str = "https://acme.awsapps.com/start";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const VERIFIER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct Walk {
    browser: Browser,
}

impl Walk {
    fn new(sandbox: &Sandbox) -> Self {
        Self { browser: Browser::new(sandbox) }
    }

    fn post(&mut self, path: &str, body: &Value) -> Answer {
        let headers = [("accept", "application/json"), ("content-type", "application/json")];
        self.browser.send("POST", &format!("{OIDC}{path}"), &headers, Some(&body.to_string())).unwrap()
    }

    fn register(&mut self, grants: &[&str]) -> Answer {
        let mut body = json!({"clientName": "x", "clientType": "public", "scopes": ["sso:account:access"], "grantTypes": grants});
        if grants.contains(&"authorization_code") {
            body["redirectUris"] = json!(["http://127.0.0.1/oauth/callback"]);
            body["issuerUrl"] = json!(START);
        }
        self.post("/client/register", &body)
    }

    fn client(&mut self, grant: &str) -> Value {
        let answer = self.register(&[grant, "refresh_token"]);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    fn token(&mut self, client: &Value, more: &Value) -> Answer {
        let mut body = json!({"clientId": client["clientId"], "clientSecret": client["clientSecret"]});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.post("/token", &body)
    }

    fn approve(&mut self, page: &str, hidden: &str) -> Answer {
        let form = format!("{hidden}&login=alice%40example.com&password=alice-correct-horse-battery&answer=allow");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.browser.send("POST", &format!("{START}{page}"), &headers, Some(&form)).unwrap()
    }

    fn portal(&mut self, token: &Value, path: &str) -> Answer {
        let headers = [("x-amz-sso_bearer_token", token.as_str().unwrap())];
        self.browser.send("GET", &format!("{PORTAL}{path}"), &headers, None).unwrap()
    }
}

fn error(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn a_browser_a_code_and_tokens() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    let client = walk.client("authorization_code");
    let challenge = URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, VERIFIER.as_bytes()));
    let authorize = format!(
        "{OIDC}/authorize?response_type=code&client_id={}&redirect_uri=http%3A%2F%2F127.0.0.1%3A5%2Foauth%2Fcallback\
         &state=0123456789012345678901234567&code_challenge_method=S256&scopes=sso%3Aaccount%3Aaccess&code_challenge={challenge}",
        client["clientId"].as_str().unwrap()
    );
    let page = walk.browser.get(&authorize).location.unwrap();
    let back = walk.approve("/authorize", page.split_once('?').unwrap().1).location.unwrap();
    assert!(back.starts_with("http://127.0.0.1:5/oauth/callback?code="), "{back}");
    let code = back.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
    let redeem = json!({
        "grantType": "authorization_code", "code": code, "redirectUri": "http://127.0.0.1:5/oauth/callback", "codeVerifier": VERIFIER,
    });
    let tokens = walk.token(&client, &redeem).json();
    assert_eq!((tokens["tokenType"].as_str(), tokens["expiresIn"].as_i64()), (Some("Bearer"), Some(3600)));
    assert_eq!(error(&walk.token(&client, &redeem)), refused(400, "invalid_grant"), "a code is good once");

    let refresh = json!({"grantType": "refresh_token", "refreshToken": tokens["refreshToken"]});
    let renewed = walk.token(&client, &refresh).json();
    assert_ne!(renewed["accessToken"], tokens["accessToken"]);
    assert_eq!(error(&walk.token(&client, &refresh)), refused(400, "invalid_grant"), "it rotates");
    let other = walk.client("authorization_code");
    let theirs = json!({"grantType": "refresh_token", "refreshToken": renewed["refreshToken"]});
    assert_eq!(error(&walk.token(&other, &theirs)), refused(400, "invalid_grant"));

    let keys = walk.portal(&renewed["accessToken"], "/federation/credentials?role_name=Developer&account_id=210987654321").json();
    assert!(keys["roleCredentials"]["expiration"].as_i64().unwrap() > 1_000_000_000_000, "in thousandths of a second");
    let none = walk.portal(&renewed["accessToken"], "/federation/credentials?role_name=Nope&account_id=210987654321");
    assert_eq!((none.status, none.json()["message"].as_str()), (403, Some("No access")));
    let page = walk.portal(&renewed["accessToken"], "/assignment/accounts?max_result=100").json();
    assert_eq!((page["accountList"].as_array().map(Vec::len), &page["nextToken"]), (Some(2), &Value::Null));
    sandbox.end_portal_sessions();
    assert_eq!(walk.portal(&renewed["accessToken"], "/assignment/accounts?max_result=100").status, 401);
    clean(&sandbox);
}

#[test]
fn a_device_is_polled_at_its_pace() {
    let sandbox = start();
    sandbox.portal(|portal| portal.interval = 30);
    let mut walk = Walk::new(&sandbox);
    let client = walk.client(DEVICE);
    let begin = json!({"clientId": client["clientId"], "clientSecret": client["clientSecret"], "startUrl": START});
    let device = walk.post("/device_authorization", &begin).json();
    let poll = json!({"grantType": DEVICE, "deviceCode": device["deviceCode"]});
    assert_eq!(error(&walk.token(&client, &poll)), refused(400, "authorization_pending"));
    assert_eq!(error(&walk.token(&client, &poll)), refused(400, "slow_down"));
    let hidden = format!("user_code={}", device["userCode"].as_str().unwrap());
    assert_eq!(walk.approve("/device", &hidden).status, 200);
    assert_eq!(walk.approve("/device", &hidden).status, 400, "it is answered");
    assert!(walk.token(&client, &poll).json()["accessToken"].is_string());
    sandbox.portal(|portal| portal.device_seconds = 0);
    let late = walk.post("/device_authorization", &begin).json();
    let poll = json!({"grantType": DEVICE, "deviceCode": late["deviceCode"]});
    assert_eq!(error(&walk.token(&client, &poll)), refused(400, "expired_token"));
    clean(&sandbox);
}

#[test]
fn what_is_not_right_is_refused() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    assert_eq!(error(&walk.register(&["authorization_code", DEVICE])), refused(500, "server_error"));
    let client = walk.client("authorization_code");
    let begin = |client: &Value, start: &str| json!({"clientId": client["clientId"], "clientSecret": client["clientSecret"], "startUrl": start});
    assert_eq!(error(&walk.post("/device_authorization", &begin(&client, START))), refused(400, "unauthorized_client"));
    let device = walk.client(DEVICE);
    let elsewhere = "https://other.awsapps.com/start";
    assert_eq!(error(&walk.post("/device_authorization", &begin(&device, elsewhere))), refused(400, "invalid_request"));
    let stranger = json!({"clientId": "x", "clientSecret": "y"});
    assert_eq!(error(&walk.post("/device_authorization", &begin(&stranger, START))), refused(401, "invalid_client"));
    clean(&sandbox);
    // And what only a careless client would send is a breach.
    for (path, body) in [
        ("/token", json!({"clientId": "x", "clientSecret": "y", "grantType": "password"})),
        ("/client/register", json!({"clientName": "x", "clientType": "public", "colour": "red"})),
        ("/device_authorization", json!({"clientId": "x"})),
    ] {
        assert_eq!(walk.post(path, &body).status, 400, "{path}");
    }
    assert_eq!(walk.browser.get(&format!("{PORTAL}/assignment/accounts?max_result=100")).status, 400);
    assert_eq!(sandbox.violations().len(), 4);
}
