//! From keys to a console session, in both clouds: what is refused, and what is a breach.

use sandbox::Sandbox;

use crate::browser::{Answer, Browser, clean, start};
use crate::clouds::{alibaba, alice, aws, element};

const AWS_ROLE: &str = "arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO";
const AWS_IDP: &str = "arn:aws:iam::012345678987:saml-provider/JumpCloud";
const ALI_ROLE: &str = "acs:ram::012345678987:role/AcmeJumpCloudAdminRO";
const AWS: &str = "https://signin.aws.amazon.com/federation";
const ALI: &str = "https://signin.aliyun.com/federation";

fn aws_session(sandbox: &Sandbox) -> (Browser, String) {
    let (mut browser, response) = alice(sandbox, "aws");
    let keys = aws(&mut browser, "sts.amazonaws.com", AWS_ROLE, AWS_IDP, &response, "3600");
    let part = |name: &str| element(&keys, name).to_owned();
    let session = serde_json::json!({
        "sessionId": part("AccessKeyId"), "sessionKey": part("SecretAccessKey"), "sessionToken": part("SessionToken"),
    });
    (browser, session.to_string())
}

fn aws_token(browser: &mut Browser, session: &str) -> Answer {
    browser.post(AWS, &[("Action", "getSigninToken"), ("Session", session)])
}

fn address(of: &str, pairs: &[(&str, &str)]) -> String {
    let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{of}?{query}")
}

fn aws_login(token: &str, destination: &str) -> String {
    let pairs = [("Action", "login"), ("Issuer", "https://idp.example/"), ("Destination", destination), ("SigninToken", token)];
    address(AWS, &pairs)
}

#[test]
fn aws_keys_become_a_session() {
    let sandbox = start();
    let (mut browser, session) = aws_session(&sandbox);
    let token = aws_token(&mut browser, &session).json()["SigninToken"].as_str().unwrap().to_owned();
    assert!(sandbox.secrets().contains(&token));
    let home = "https://console.aws.amazon.com/";
    let login = aws_login(&token, home);
    let answer = browser.get(&login);
    assert_eq!((answer.status, answer.location.as_deref()), (302, Some(home)));
    let page = browser.get(home);
    assert!(page.status == 200 && page.body.contains("assumed-role/AcmeJumpCloudAdminRO/alice@example.com"), "{}", page.body);
    // The session is of one partition alone, and the sign-in token is gone.
    assert_eq!(browser.get("https://console.amazonaws.cn/").status, 401);
    assert_eq!(browser.get(&login).status, 400);
    browser.forget_cookies();
    assert_eq!(browser.get(home).status, 401);
    clean(&sandbox);
}

#[test]
fn aws_refuses_keys_and_late_tokens() {
    let sandbox = start();
    let (mut browser, session) = aws_session(&sandbox);
    let token = aws_token(&mut browser, &session).json()["SigninToken"].as_str().unwrap().to_owned();
    assert_eq!(aws_token(&mut browser, &session.replace("ASIA", "AKIA")).status, 400);
    let elsewhere =
        browser.post("https://signin.amazonaws.cn/federation", &[("Action", "getSigninToken"), ("Session", &session)]);
    assert_eq!(elsewhere.status, 400);
    sandbox.cloud_clock(901);
    assert_eq!(browser.get(&aws_login(&token, "https://console.aws.amazon.com/")).status, 400);
    sandbox.cloud_clock(0);
    sandbox.revoke_keys();
    assert_eq!(aws_token(&mut browser, &session).status, 400);
    clean(&sandbox);
}

#[test]
fn alibaba_keys_become_a_session() {
    let sandbox = start();
    let (mut browser, response) = alice(&sandbox, "alibaba");
    let keys = alibaba(&mut browser, "nonce-01", ALI_ROLE, &response, "3600").json();
    let part = |name: &str| keys["Credentials"][name].as_str().unwrap().to_owned();
    let (id, secret, token) = (part("AccessKeyId"), part("AccessKeySecret"), part("SecurityToken"));
    let mut get = |at: &str, secret: &str, ticket: &str| {
        let fields = [
            ("Action", "GetSigninToken"),
            ("AccessKeyId", id.as_str()),
            ("AccessKeySecret", secret),
            ("SecurityToken", &token),
            ("TicketType", ticket),
        ];
        browser.post(at, &fields).json()
    };
    assert_eq!(get(ALI, "", "normal")["Code"], "MissingParameter.AccessKeySecret");
    assert_eq!(get(ALI, "wrong", "normal")["Code"], "InvalidCredential.AuthenticateFail");
    assert_eq!(get("https://signin-intl.aliyun.com/federation", &secret, "normal")["Code"], "InvalidCredential.AuthenticateFail");
    let normal = get(ALI, &secret, "normal")["SigninToken"].as_str().unwrap().to_owned();
    let late = get(ALI, &secret, "normal")["SigninToken"].as_str().unwrap().to_owned();
    let mini = get(ALI, &secret, "mini")["SigninToken"].as_str().unwrap().to_owned();
    let login = |token: &str, destination: &str| {
        let pairs =
            [("Action", "Login"), ("LoginUrl", "https://idp.example/"), ("Destination", destination), ("SigninToken", token)];
        address(ALI, &pairs)
    };
    let home = "https://home.console.aliyun.com/";
    let answer = browser.get(&login(&normal, home));
    assert_eq!((answer.status, answer.location.as_deref()), (302, Some(home)));
    assert!(browser.get(home).body.contains("assumed-role/AcmeJumpCloudAdminRO/alice@example.com"));
    assert_eq!(browser.get(&login(&normal, home)).status, 401, "once");
    sandbox.cloud_clock(31);
    assert_eq!(browser.get(&login(&late, home)).status, 401, "30 seconds");
    sandbox.cloud_clock(0);
    clean(&sandbox);
    // A reseller's ticket is not for the ordinary console.
    assert_eq!(browser.get(&login(&mini, home)).status, 400);
    assert!(sandbox.violations()[0].contains("a ticket of another type"));
}

#[test]
fn breaches() {
    let sandbox = start();
    let (mut browser, session) = aws_session(&sandbox);
    // Keys in an address, as most tools send them; the wrong members; an address off the console.
    assert_eq!(browser.get(&address(AWS, &[("Action", "getSigninToken"), ("Session", &session)])).status, 400);
    assert_eq!(browser.post(AWS, &[("Action", "getSigninToken"), ("Session", r#"{"sessionId":"x"}"#)]).status, 400);
    let token = aws_token(&mut browser, &session).json()["SigninToken"].as_str().unwrap().to_owned();
    assert_eq!(browser.get(&aws_login(&token, "https://console.aws.amazon.com.evil.example/")).status, 400);
    assert_eq!(browser.get(&aws_login(&token, "https://console.amazonaws.cn/")).status, 400);
    let said = sandbox.violations().join("\n");
    for say in ["parameter `Session`", "has the members [\"sessionId\"]", "is not the console of this partition"] {
        assert!(said.contains(say), "{say} in {said}");
    }
    assert_eq!(sandbox.violations().len(), 4, "{said}");
}
