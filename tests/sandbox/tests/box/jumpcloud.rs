//! The walk through JumpCloud.

use sandbox::{Person, Sandbox};
use serde_json::json;

use crate::browser::{Answer, Browser, clean, start};

const CONSOLE: &str = "https://console.jumpcloud.com/userconsole";
const APP: &str = "acme-prod-aws-admin";

struct Walk {
    browser: Browser,
    token: String,
}

impl Walk {
    fn new(sandbox: &Sandbox) -> Self {
        let mut browser = Browser::new(sandbox);
        let token = browser.get(&format!("{CONSOLE}/xsrf")).json()["xsrf"].as_str().unwrap().to_owned();
        Self { browser, token }
    }

    fn post(&mut self, path: &str, body: &serde_json::Value) -> Answer {
        let headers =
            [("accept", "application/json"), ("content-type", "application/json"), ("x-xsrftoken", self.token.as_str())];
        self.browser.send("POST", &format!("{CONSOLE}{path}"), &headers, Some(&body.to_string())).unwrap()
    }

    fn auth(&mut self, email: &str, password: &str, code: &str) -> Answer {
        let body = json!({
            "Context": "sso",
            "RedirectTo": format!("saml2/{APP}"),
            "Email": email,
            "Password": password,
            "OTP": code,
        });
        self.post("/auth", &body)
    }

    fn poll(&mut self, id: &str) -> Answer {
        std::thread::sleep(std::time::Duration::from_millis(160));
        self.browser.get(&format!("{CONSOLE}/auth/push/{id}"))
    }
}

#[test]
fn password_and_code() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    let first = walk.auth("alice@example.com", "alice-correct-horse-battery", "");
    assert_eq!(first.status, 401);
    assert_eq!(first.json()["message"], "MFA required.");
    assert_eq!(first.json()["factors"][0], json!({"type": "totp", "status": "available"}));
    let app = format!("https://sso.jumpcloud.com/saml2/{APP}");
    let early = walk.browser.get(&app);
    assert_eq!(early.status, 302);
    assert!(early.location.unwrap().starts_with("https://console.jumpcloud.com/login?"));
    let code = sandbox.code("alice@example.com");
    let second = walk.auth("alice@example.com", "alice-correct-horse-battery", &code);
    assert_eq!((second.status, second.json()["redirectTo"].as_str()), (200, Some(app.as_str())));
    let page = walk.browser.get(&app);
    assert!(page.body.contains("action=\"https://signin.aws.amazon.com/saml\""));
    let text = page.assertion();
    assert!(
        text.contains("arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO,arn:aws:iam::012345678987:saml-provider/JumpCloud")
    );
    clean(&sandbox);
    let secrets = sandbox.secrets();
    for secret in ["alice-correct-horse-battery", &code, &walk.token, &page.field("SAMLResponse")] {
        assert!(secrets.iter().any(|known| known == secret));
    }
    let seen = sandbox.requests();
    assert_eq!(seen.iter().map(|seen| seen.status).collect::<Vec<_>>(), [200, 401, 302, 200, 200]);
    assert_eq!(seen[1].params, ["Context", "RedirectTo", "Email", "Password", "OTP"]);
}

#[test]
fn wrong_password_and_wrong_code() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    for (email, password, code) in [
        ("alice@example.com", "wrong", ""),
        ("nobody@example.com", "wrong", ""),
        ("alice@example.com", "alice-correct-horse-battery", "12345"),
    ] {
        let answer = walk.auth(email, password, code);
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json(), json!({"message": "Authentication failed."}));
    }
    clean(&sandbox);
}

#[test]
fn without_a_second_factor() {
    let sandbox = start();
    sandbox.put(Person::new("new@example.com", "brand-new"));
    let mut walk = Walk::new(&sandbox);
    assert_eq!(walk.auth("new@example.com", "brand-new", "").status, 200);
    assert_eq!(walk.browser.get("https://sso.jumpcloud.com/saml2/wiki").status, 404);
    clean(&sandbox);
}

#[test]
fn pushes() {
    for (name, password, end) in [
        ("carol", "carol-has-a-phone", "accepted"),
        ("erin", "erin-ignores-the-phone", "denied"),
        ("frank", "frank-ignores-the-phone", "expired"),
        ("eve", "eve-ignores-the-phone", "refused"),
    ] {
        let sandbox = start();
        let mut walk = Walk::new(&sandbox);
        let first = walk.auth(&format!("{name}@example.com"), password, "");
        assert_eq!(first.json()["factors"][3], json!({"type": "push", "status": "available"}));
        let opened = walk.post("/auth/push", &json!({}));
        assert_eq!(opened.json()["status"], "pending");
        let id = opened.json()["id"].as_str().unwrap().to_owned();
        let mut last = walk.poll(&id);
        while last.status == 200 && last.json()["status"] == "pending" {
            last = walk.poll(&id);
        }
        if end == "refused" {
            assert_eq!(last.status, 401);
        } else {
            assert_eq!(last.json()["status"], end);
        }
        clean(&sandbox);
        let closed = walk.post(&format!("/auth/push/{id}/login"), &json!({}));
        assert_eq!(closed.status == 200, end == "accepted");
        let page = walk.browser.get(&format!("https://sso.jumpcloud.com/saml2/{APP}"));
        assert_eq!(page.status == 200, end == "accepted");
    }
}

#[test]
fn breaches() {
    let sandbox = start();
    let mut walk = Walk::new(&sandbox);
    let good = json!({"context": "sso", "redirectTo": "saml2/aws", "email": "", "password": "", "otp": ""});
    // Lower-case names are what the vendor documents.
    assert_eq!(walk.post("/auth", &good).status, 401);
    clean(&sandbox);
    let mut breach = |say: &str, body: &serde_json::Value| {
        assert_eq!(walk.post("/auth", body).status, 400);
        let violations = sandbox.violations();
        assert!(violations.last().unwrap().contains(say), "{violations:?}");
    };
    let with = |name: &str, value: &str| {
        let mut body = good.clone();
        body[name] = json!(value);
        body
    };
    breach("`RedirectTo` is not", &with("redirectTo", "/saml2/aws"));
    breach("`Context` is not", &with("context", "admin"));
    breach("`extra` does not belong", &with("extra", ""));
    breach("is missing", &json!({}));
    walk.browser.forget_cookies();
    assert_eq!(walk.post("/auth", &good).status, 400);
    assert!(sandbox.violations().last().unwrap().contains("differs from the cookie"));
}
