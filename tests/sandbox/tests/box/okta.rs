//! The walk through Okta.

use sandbox::Sandbox;
use serde_json::{Value, json};

use crate::browser::{Answer, Browser, clean, start};

const ORG: &str = "https://acme.okta.com";
const APP: &str = "https://acme.okta.com/home/acme_aws/0oa1/272";

struct Walk<'s> {
    sandbox: &'s Sandbox,
    browser: Browser,
}

impl<'s> Walk<'s> {
    fn new(sandbox: &'s Sandbox) -> Self {
        Self { sandbox, browser: Browser::new(sandbox) }
    }

    fn post(&mut self, path: &str, body: &Value) -> Answer {
        let headers = [("accept", "application/json"), ("content-type", "application/json")];
        self.browser.send("POST", &format!("{ORG}{path}"), &headers, Some(&body.to_string())).unwrap()
    }

    fn authn(&mut self, name: &str) -> Value {
        let email = format!("{name}@example.com");
        let password = self.sandbox.directory().person(&email).unwrap().password.clone();
        let answer = self.post("/api/v1/authn", &json!({ "username": email, "password": password }));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Follows the link of the first factor.
    fn verify(&mut self, required: &Value, more: Value) -> Answer {
        let href = required.pointer("/_embedded/factors/0/_links/verify/href").unwrap().as_str().unwrap();
        let mut body = more;
        body["stateToken"] = required["stateToken"].clone();
        self.post(href.strip_prefix(ORG).unwrap(), &body)
    }

    fn enter(&mut self, token: &Value) -> Answer {
        let address = format!("{ORG}/login/sessionCookieRedirect?token={}&redirectUrl={APP}", token.as_str().unwrap());
        self.browser.get(&address)
    }
}

#[test]
fn password_code_session_and_response() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    let required = walk.authn("alice");
    assert_eq!(required["status"], "MFA_REQUIRED");
    let wrong = walk.verify(&required, json!({ "passCode": "000000" }));
    assert_eq!((wrong.status, wrong.json()["errorCode"].as_str()), (403, Some("E0000068")));
    let code = sandbox.code("alice@example.com");
    let success = walk.verify(&required, json!({ "passCode": code })).json();
    assert_eq!(success["status"], "SUCCESS");
    let entered = walk.enter(&success["sessionToken"]);
    assert_eq!((entered.status, entered.location.as_deref()), (302, Some(APP)));
    let page = walk.browser.get(APP);
    assert!(page.body.contains("action=\"https://signin.aws.amazon.com/saml\""));
    assert!(page.assertion().contains("arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO"));
    clean(&sandbox);
    // The token was good once.
    let mut other = Walk::new(&sandbox);
    assert_eq!(other.enter(&success["sessionToken"]).location.as_deref(), Some("/login/login.htm"));
    assert!(other.browser.get(APP).location.unwrap().starts_with("/login/login.htm?fromURI="));
    for secret in [code.as_str(), success["sessionToken"].as_str().unwrap(), required["stateToken"].as_str().unwrap()] {
        assert!(sandbox.secrets().iter().any(|known| known == secret));
    }
    clean(&sandbox);
}

#[test]
fn a_session_by_its_own_call() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    let success = walk.authn("bob");
    let made = walk.post("/api/v1/sessions", &json!({ "sessionToken": success["sessionToken"] })).json();
    assert_eq!((made["status"].as_str(), made["login"].as_str()), (Some("ACTIVE"), Some("bob@example.com")));
    let cookie = format!("sid={}", made["id"].as_str().unwrap());
    assert_eq!(walk.browser.send("GET", APP, &[("cookie", &cookie)], None).unwrap().status, 200);
    let again = walk.post("/api/v1/sessions", &json!({ "sessionToken": success["sessionToken"] }));
    assert_eq!(again.status, 401);
    clean(&sandbox);
}

#[test]
fn pushes() {
    for (name, end) in [("peggy", "SUCCESS"), ("erin", "REJECTED"), ("eve", "REJECTED"), ("frank", "TIMEOUT")] {
        let sandbox = start();
        let mut walk = Walk::new(&sandbox);
        let required = walk.authn(name);
        let mut last = walk.verify(&required, json!({})).json();
        assert_eq!(
            (last["factorResult"].as_str(), last.pointer("/_links/next/name").unwrap().as_str()),
            (Some("WAITING"), Some("poll"))
        );
        let mut numbers = Vec::new();
        while last["factorResult"] == "WAITING" {
            std::thread::sleep(std::time::Duration::from_millis(160));
            last = walk.verify(&required, json!({})).json();
            numbers.extend(last.pointer("/_embedded/factor/_embedded/challenge/correctAnswer").cloned());
        }
        assert_eq!(numbers.len(), if name == "peggy" { 2 } else { 0 });
        assert_eq!(last.get("sessionToken").is_some(), end == "SUCCESS");
        assert_eq!(if end == "SUCCESS" { &last["status"] } else { &last["factorResult"] }, end);
        clean(&sandbox);
    }
}

#[test]
fn messages() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    let required = walk.authn("nick");
    assert_eq!(walk.verify(&required, json!({})).json()["status"], "MFA_CHALLENGE");
    let again = walk.verify(&required, json!({}));
    assert_eq!((again.status, again.json()["errorCode"].as_str()), (429, Some("E0000109")));
    let code = sandbox.message("nick@example.com");
    assert_eq!(walk.verify(&required, json!({ "passCode": code })).json()["status"], "SUCCESS");
    clean(&sandbox);
}

#[test]
fn a_known_device_needs_no_factor() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    let success = walk.authn("bob");
    // Bob's sign-in gives the machine its name.
    walk.enter(&success["sessionToken"]);
    let required = walk.authn("alice");
    let code = sandbox.code("alice@example.com");
    let body = json!({ "stateToken": required["stateToken"], "passCode": code });
    walk.post("/api/v1/authn/factors/ostaliceexamplecom/verify?rememberDevice=true", &body);
    assert_eq!(walk.authn("alice")["status"], "SUCCESS");
    walk.browser.forget_cookies();
    assert_eq!(walk.authn("alice")["status"], "MFA_REQUIRED");
    clean(&sandbox);
}

#[test]
fn states_of_accounts() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    for (name, status) in [
        ("oscar", "LOCKED_OUT"),
        ("rupert", "PASSWORD_EXPIRED"),
        ("sybil", "MFA_ENROLL"),
        ("walter", "MFA_ENROLL"),
        // Nobody asked to be warned.
        ("victor", "SUCCESS"),
        ("wendy", "SUCCESS"),
    ] {
        assert_eq!(walk.authn(name)["status"], status, "{name}");
    }
    let wrong = walk.post("/api/v1/authn", &json!({ "username": "bob@example.com", "password": "wrong" }));
    assert_eq!((wrong.status, wrong.json()["errorSummary"].as_str()), (401, Some("Authentication failed")));
    clean(&sandbox);
}

#[test]
fn breaches() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    let required = walk.authn("alice");
    let state = required["stateToken"].as_str().unwrap().to_owned();
    let mut breach = |say: &str, path: &str, body: &Value| {
        assert_eq!(walk.post(path, body).status, 400, "{say}");
        let violations = sandbox.violations();
        assert!(violations.last().unwrap().contains(say), "{violations:?}");
    };
    breach("`password` is missing", "/api/v1/authn", &json!({ "username": "a" }));
    breach("`extra` does not belong", "/api/v1/authn", &json!({ "username": "a", "password": "b", "extra": 1 }));
    breach("`options` has", "/api/v1/authn", &json!({ "username": "a", "password": "b", "options": { "x": true } }));
    let long = "x".repeat(33);
    breach("`context` is not", "/api/v1/authn", &json!({ "username": "a", "password": "b", "context": { "deviceToken": long } }));
    breach("not good", "/api/v1/authn", &json!({ "stateToken": "00guessed" }));
    breach("not offered", "/api/v1/authn/factors/opfother/verify", &json!({ "stateToken": state }));
    breach("can be skipped", "/api/v1/authn/skip", &json!({ "stateToken": state }));
    let path = format!("/api/v1/authn/skip?stateToken={state}");
    breach("a secret in query parameter", &path, &json!({ "stateToken": state }));
    walk.browser.get(&format!("{ORG}/login/sessionCookieRedirect?token=x&redirectUrl=https://evil.example/"));
    assert!(sandbox.violations().last().unwrap().contains("out of the organisation"));
}
