//! From a SAML response to credentials, in both clouds.

use sandbox::Sandbox;

use crate::browser::{Answer, Browser, clean, start};

const AWS_ROLE: &str = "arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO";
const AWS_IDP: &str = "arn:aws:iam::012345678987:saml-provider/JumpCloud";
const ALI_ROLE: &str = "acs:ram::012345678987:role/AcmeJumpCloudAdminRO";
const ALI_IDP: &str = "acs:ram::012345678987:saml-provider/JumpCloud";

/// A response for somebody, got from the provider made of forms.
fn response(browser: &mut Browser, app: &str, name: &str, password: &str) -> String {
    let page = browser.get(&format!("https://login.acme.example/sso/{app}"));
    let end = browser.post(
        "https://login.acme.example/sso/next",
        &[
            ("execution", &page.field("execution")),
            ("csrf", &page.field("csrf")),
            ("username", &format!("{name}@example.com")),
            ("password", password),
            ("realm", "staff"),
            ("_eventId_proceed", ""),
        ],
    );
    browser.forget_cookies();
    end.field("SAMLResponse")
}

pub(crate) fn alice(sandbox: &Sandbox, app: &str) -> (Browser, String) {
    let mut browser = Browser::new(sandbox);
    let response = response(&mut browser, app, "alice", "alice-correct-horse-battery");
    (browser, response)
}

pub(crate) fn aws(browser: &mut Browser, host: &str, role: &str, idp: &str, response: &str, seconds: &str) -> Answer {
    let fields = [
        ("Action", "AssumeRoleWithSAML"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("PrincipalArn", idp),
        ("SAMLAssertion", response),
        ("DurationSeconds", seconds),
    ];
    browser.post(&format!("https://{host}/"), &fields)
}

pub(crate) fn alibaba(browser: &mut Browser, nonce: &str, role: &str, response: &str, seconds: &str) -> Answer {
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap();
    let url = format!(
        "https://sts.aliyuncs.com/?Action=AssumeRoleWithSAML&Version=2015-04-01&Format=JSON\
         &Timestamp={now}&SignatureNonce={nonce}"
    );
    let fields = [("RoleArn", role), ("SAMLProviderArn", ALI_IDP), ("SAMLAssertion", response), ("DurationSeconds", seconds)];
    browser.post(&url, &fields)
}

pub(crate) fn element<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let (_, rest) = answer.body.split_once(&format!("<{name}>")).unwrap();
    rest.split('<').next().unwrap()
}

#[test]
fn aws_credentials() {
    let sandbox = start();
    let (mut browser, response) = alice(&sandbox, "aws");
    let answer = aws(&mut browser, "sts.us-east-2.amazonaws.com", AWS_ROLE, AWS_IDP, &response, "43200");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(element(&answer, "Arn"), "arn:aws:sts::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com");
    assert!(element(&answer, "AccessKeyId").starts_with("ASIA"));
    assert!(element(&answer, "Expiration").ends_with('Z'));
    for name in ["SecretAccessKey", "SessionToken"] {
        assert!(sandbox.secrets().iter().any(|secret| secret == element(&answer, name)));
    }
    clean(&sandbox);
}

#[test]
fn aws_refusals() {
    let sandbox = start();
    let (mut browser, response) = alice(&sandbox, "aws");
    let other = "arn:aws:iam::012345678987:role/AcmeJumpCloudAdmin";
    let mut code = |host: &str, role: &str, response: &str, seconds: &str| {
        let answer = aws(&mut browser, host, role, AWS_IDP, response, seconds);
        (answer.status, element(&answer, "Code").to_owned(), element(&answer, "Message").to_owned())
    };
    let is = |status: u16, code: &str, text: &str| (status, code.to_owned(), text.to_owned());
    assert_eq!(
        code("sts.amazonaws.com", other, &response, "3601"),
        is(400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    );
    assert_eq!(code("sts.amazonaws.com", other, &response, "60").1, "ValidationError");
    assert_eq!(code("sts.amazonaws.com", "arn:aws:iam::1:role/x", &response, "900").1, "AccessDenied");
    assert_eq!(code("sts.amazonaws.com", other, "PHNhbWw+", "900").1, "InvalidIdentityToken");
    assert_eq!(code("sts.cn-north-1.amazonaws.com.cn", other, &response, "900").1, "InvalidIdentityToken");
    sandbox.cloud_clock(400);
    assert_eq!(
        code("sts.amazonaws.com", other, &response, "900"),
        is(400, "ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance")
    );
    clean(&sandbox);
}

#[test]
fn aws_role_page() {
    let sandbox = start();
    let (mut browser, response) = alice(&sandbox, "aws");
    let page = browser.post("https://signin.aws.amazon.com/saml", &[("SAMLResponse", &response)]);
    assert!(page.body.contains("<div class=\"saml-account-name\">Account: acme-prod (012345678987)</div>"));
    assert!(page.body.contains("<div class=\"saml-account-name\">Account: 210987654321</div>"));
    assert!(
        page.body.contains(&format!("<label for=\"{AWS_ROLE}\" class=\"saml-role-description\">AcmeJumpCloudAdminRO</label>"))
    );
    clean(&sandbox);
}

#[test]
fn alibaba_credentials_and_refusals() {
    let sandbox = start();
    let (mut browser, response) = alice(&sandbox, "alibaba");
    let answer = alibaba(&mut browser, "nonce-01", ALI_ROLE, &response, "43200").json();
    assert_eq!(answer["AssumedRoleUser"]["Arn"], "acs:ram::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com");
    assert!(answer["Credentials"]["AccessKeyId"].as_str().unwrap().starts_with("STS."));
    let mut code = |nonce: &str, role: &str, response: &str, seconds: &str| {
        let answer = alibaba(&mut browser, nonce, role, response, seconds);
        let json = answer.json();
        assert!(json["RequestId"].is_string() && json["HostId"].is_string());
        (answer.status, json["Code"].as_str().unwrap().to_owned())
    };
    let is = |status: u16, code: &str| (status, code.to_owned());
    let full = "acs:ram::012345678987:role/AcmeJumpCloudAdmin";
    assert_eq!(code("nonce-02", full, &response, "3601"), is(400, "InvalidParameter.DurationSeconds"));
    assert_eq!(code("nonce-03", "acs:ram::1:role/x", &response, "900"), is(401, "AuthenticationFail.NoPermission"));
    assert_eq!(code("nonce-04", full, "PHNhbWw+", "900"), is(401, "AuthenticationFail.SAMLAssertion.Invalid"));
    sandbox.cloud_clock(400);
    assert_eq!(code("nonce-05", full, &response, "900"), is(401, "AuthenticationFail.SAMLAssertion.Expired"));
    clean(&sandbox);
    assert_eq!(alibaba(&mut browser, "nonce-05", full, &response, "900").status, 400);
    assert!(sandbox.violations()[0].contains("the nonce was used before"));
}

#[test]
fn alibaba_role_page() {
    let sandbox = start();
    let (mut browser, response) = alice(&sandbox, "alibaba-intl");
    let page = browser.post("https://signin.alibabacloud.com/saml-role/sso", &[("SAMLResponse", &response)]);
    let (_, rest) = page.body.split_once("ROLE_SSO_PAGE: ").unwrap();
    let json: serde_json::Value = serde_json::Deserializer::from_str(rest).into_iter().next().unwrap().unwrap();
    assert_eq!(json["AccountAliasList"]["012345678987"], "acme-prod");
    assert_eq!(json["RoleInfoList"]["012345678987"][0]["roleArn"], ALI_ROLE);
    clean(&sandbox);
    // The response is for the other site.
    let wrong = browser.post("https://signin.aliyun.com/saml-role/sso", &[("SAMLResponse", &response)]);
    assert_eq!(wrong.status, 400);
}

#[test]
fn hostile_names_arrive() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    let response = response(&mut browser, "aws", "mallory", "mallory-writes-the-names");
    let page = browser.post("https://signin.aws.amazon.com/saml", &[("SAMLResponse", &response)]);
    assert!(page.body.contains("New\nLogged in as: somebody else"));
    assert!(page.body.contains(&"x".repeat(5000)));
    clean(&sandbox);
}

#[test]
fn breaches() {
    let sandbox = start();
    let (mut browser, response) = alice(&sandbox, "aws");
    let media = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "x")];
    let signed = browser.send("POST", "https://sts.amazonaws.com/", &media, Some("Action=AssumeRoleWithSAML&Version=2011-06-15"));
    assert_eq!(signed.unwrap().status, 400);
    let url = format!("https://sts.amazonaws.com/?Action=AssumeRoleWithSAML&SAMLAssertion={}", response.replace('+', "%2B"));
    assert_eq!(browser.get(&url).status, 400);
    let unsigned = "https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(browser.get(unsigned).status, 400);
    assert_eq!(browser.get("https://sts.aliyuncs.com/?Action=GetSomething").status, 400);
    let said = sandbox.violations().join("\n");
    for say in ["`authorization` does not belong", "a secret in query parameter", "not signed", "no action"] {
        assert!(said.contains(say), "{say} in {said}");
    }
}
