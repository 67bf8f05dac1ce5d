//! Calls signed with the credentials that the clouds have handed out. The signatures are made here by the
//! vendors' descriptions, apart from the code that checks them.

use ring::{digest, hmac};
use sandbox::Sandbox;

use crate::browser::{Answer, Browser, clean, start};
use crate::clouds::{alibaba, alice, aws, element};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

struct Keys {
    id: String,
    secret: String,
    token: String,
}

fn now(format: &str) -> String {
    jiff::Timestamp::now().strftime(format).to_string()
}

fn whoami_aws(browser: &mut Browser, keys: &Keys, region: &str, method: &str) -> Answer {
    call_aws(browser, keys, region, method, "Action=GetCallerIdentity&Version=2011-06-15")
}

/// The role and its session's name, both without anything to encode but `:` and `/`.
fn assume_aws(browser: &mut Browser, keys: &Keys, role: &str, more: &str) -> Answer {
    let role = role.replace(':', "%3A").replace('/', "%2F");
    let form = format!("Action=AssumeRole&Version=2011-06-15&RoleArn={role}{more}");
    call_aws(browser, keys, "us-east-1", "POST", &form)
}

fn call_aws(browser: &mut Browser, keys: &Keys, region: &str, method: &str, form: &str) -> Answer {
    let host = format!("sts.{region}.amazonaws.com");
    let (date, moment) = (now("%Y%m%d"), now("%Y%m%dT%H%M%SZ"));
    let (query, body) = if method == "GET" { (form, "") } else { ("", form) };
    let media = "application/x-www-form-urlencoded; charset=utf-8";
    let signed = "content-type;host;x-amz-date;x-amz-security-token";
    let canonical = format!(
        "{method}\n/\n{query}\ncontent-type:{media}\nhost:{host}\nx-amz-date:{moment}\nx-amz-security-token:{}\n\n{signed}\n{}",
        keys.token,
        sha256(body)
    );
    let scope = format!("{date}/{region}/sts/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", sha256(&canonical));
    let mut key = hmac(format!("AWS4{}", keys.secret).as_bytes(), &date);
    for part in [region, "sts", "aws4_request"] {
        key = hmac(&key, part);
    }
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={}", keys.id, hex(&hmac(&key, &text)));
    let headers = [
        ("content-type", media),
        ("x-amz-date", moment.as_str()),
        ("x-amz-security-token", keys.token.as_str()),
        ("authorization", authorization.as_str()),
    ];
    let url = if query.is_empty() { format!("https://{host}/") } else { format!("https://{host}/?{query}") };
    browser.send(method, &url, &headers, (method == "POST").then_some(body)).unwrap()
}

fn whoami_alibaba(browser: &mut Browser, keys: &Keys, nonce: &str) -> Answer {
    call_alibaba(browser, keys, nonce, "GetCallerIdentity", None)
}

fn assume_alibaba(browser: &mut Browser, keys: &Keys, nonce: &str, role: &str, more: &str) -> Answer {
    let body = format!("RoleArn={}{more}", role.replace(':', "%3A").replace('/', "%2F"));
    call_alibaba(browser, keys, nonce, "AssumeRole", Some(&body))
}

fn call_alibaba(browser: &mut Browser, keys: &Keys, nonce: &str, action: &str, body: Option<&str>) -> Answer {
    let host = "sts-vpc.cn-hangzhou.aliyuncs.com";
    let (moment, digest) = (now("%Y-%m-%dT%H:%M:%SZ"), sha256(body.unwrap_or_default()));
    let headers = [
        ("x-acs-action", action),
        ("x-acs-content-sha256", &digest),
        ("x-acs-date", &moment),
        ("x-acs-security-token", &keys.token),
        ("x-acs-signature-nonce", nonce),
        ("x-acs-version", "2015-04-01"),
    ];
    let media = [("content-type", "application/x-www-form-urlencoded")];
    let media = if body.is_some() { &media[..] } else { &[] };
    let all: Vec<(&str, &str)> = media.iter().copied().chain([("host", host)]).chain(headers).collect();
    let lines: String = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let signed = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let canonical = format!("POST\n/\n\n{lines}\n{signed}\n{digest}");
    let text = format!("ACS3-HMAC-SHA256\n{}", sha256(&canonical));
    let authorization = format!(
        "ACS3-HMAC-SHA256 Credential={},SignedHeaders={signed},Signature={}",
        keys.id,
        hex(&hmac(keys.secret.as_bytes(), &text))
    );
    let mut headers: Vec<(&str, &str)> = media.iter().copied().chain(headers).collect();
    headers.push(("authorization", &authorization));
    browser.send("POST", &format!("https://{host}/"), &headers, body).unwrap()
}

/// The older form of the same: everything in the address, and HMAC-SHA1.
fn whoami_alibaba_rpc(browser: &mut Browser, keys: &Keys, nonce: &str, agent: &str) -> Answer {
    let percent =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20") };
    let moment = now("%Y-%m-%dT%H:%M:%SZ");
    let pairs = [
        ("AccessKeyId", keys.id.as_str()),
        ("Action", "GetCallerIdentity"),
        ("Format", "json"),
        ("SecurityToken", &keys.token),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", nonce),
        ("SignatureVersion", "1.0"),
        ("Timestamp", &moment),
        ("Version", "2015-04-01"),
    ];
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    let query = query.join("&");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, format!("{}&", keys.secret).as_bytes());
    let tag = hmac::sign(&key, format!("POST&%2F&{}", percent(&query)).as_bytes());
    let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, tag.as_ref());
    let url = format!("https://sts.aliyuncs.com/?{query}&Signature={}", percent(&signature));
    browser.send("POST", &url, &[("user-agent", agent)], None).unwrap()
}

fn aws_keys(sandbox: &Sandbox) -> (Browser, Keys) {
    let (mut browser, response) = alice(sandbox, "aws");
    let role = "arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO";
    let idp = "arn:aws:iam::012345678987:saml-provider/JumpCloud";
    let answer = aws(&mut browser, "sts.amazonaws.com", role, idp, &response, "900");
    let get = |name: &str| element(&answer, name).to_owned();
    let keys = Keys { id: get("AccessKeyId"), secret: get("SecretAccessKey"), token: get("SessionToken") };
    (browser, keys)
}

#[test]
fn aws_knows_who_calls() {
    let sandbox = start();
    let (mut browser, mut keys) = aws_keys(&sandbox);
    for method in ["GET", "POST"] {
        let answer = whoami_aws(&mut browser, &keys, "eu-west-1", method);
        assert_eq!(element(&answer, "Account"), "012345678987", "{}", answer.body);
        assert!(element(&answer, "Arn").ends_with(":assumed-role/AcmeJumpCloudAdminRO/alice@example.com"));
    }
    clean(&sandbox);
    sandbox.cloud_clock(850);
    assert_eq!(whoami_aws(&mut browser, &keys, "eu-west-1", "POST").status, 200);
    sandbox.cloud_clock(900);
    assert_eq!(element(&whoami_aws(&mut browser, &keys, "eu-west-1", "POST"), "Code"), "ExpiredToken");
    sandbox.cloud_clock(-1200);
    assert_eq!(element(&whoami_aws(&mut browser, &keys, "eu-west-1", "POST"), "Code"), "SignatureDoesNotMatch");
    sandbox.cloud_clock(0);
    clean(&sandbox);
    keys.secret.push('x');
    assert_eq!(element(&whoami_aws(&mut browser, &keys, "eu-west-1", "POST"), "Code"), "SignatureDoesNotMatch");
    assert!(sandbox.violations()[0].contains("the signature does not match"));
    keys.token = "stale".to_owned();
    assert_eq!(element(&whoami_aws(&mut browser, &keys, "eu-west-1", "POST"), "Code"), "InvalidClientTokenId");
}

#[test]
fn alibaba_knows_who_calls() {
    let sandbox = start();
    let (mut browser, response) = alice(&sandbox, "alibaba");
    let role = "acs:ram::012345678987:role/AcmeJumpCloudAdminRO";
    let answer = alibaba(&mut browser, "nonce-00", role, &response, "900").json();
    let get = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
    let mut keys = Keys { id: get("AccessKeyId"), secret: get("AccessKeySecret"), token: get("SecurityToken") };
    let who = whoami_alibaba(&mut browser, &keys, "nonce-01").json();
    assert_eq!(who["Arn"], "acs:ram::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com");
    assert_eq!(who["IdentityType"], "AssumedRoleUser");
    clean(&sandbox);
    let mut code =
        |keys: &Keys, nonce: &str| whoami_alibaba(&mut browser, keys, nonce).json()["Code"].as_str().unwrap().to_owned();
    sandbox.cloud_clock(900);
    assert_eq!(code(&keys, "nonce-02"), "InvalidSecurityToken.Expired");
    sandbox.cloud_clock(0);
    clean(&sandbox);
    keys.secret.push('x');
    assert_eq!(code(&keys, "nonce-03"), "SignatureDoesNotMatch");
    keys.token = "stale".to_owned();
    assert_eq!(code(&keys, "nonce-04"), "InvalidSecurityToken.MismatchWithAccessKey");
    keys.id = "STS.unknown".to_owned();
    assert_eq!(code(&keys, "nonce-05"), "InvalidAccessKeyId.NotFound");
}

#[test]
fn aws_roles_on_top_of_roles() {
    let sandbox = start();
    let (mut browser, mut keys) = aws_keys(&sandbox);
    let (deploy, audit) = ("arn:aws:iam::012345678987:role/Deploy", "arn:aws:iam::210987654321:role/Audit");
    let mut assume = |keys: &Keys, role: &str, more: &str| assume_aws(&mut browser, keys, role, more);
    let code = |answer: &Answer| (answer.status, element(answer, "Code").to_owned());
    let is = |status: u16, code: &str| (status, code.to_owned());
    let first = assume(&keys, deploy, "&RoleSessionName=alice&DurationSeconds=900");
    assert_eq!(element(&first, "Arn"), "arn:aws:sts::012345678987:assumed-role/Deploy/alice", "{}", first.body);
    assert_eq!(code(&assume(&keys, audit, "&RoleSessionName=alice")), is(403, "AccessDenied"));
    let get = |name: &str| element(&first, name).to_owned();
    let chained = Keys { id: get("AccessKeyId"), secret: get("SecretAccessKey"), token: get("SessionToken") };
    assert_eq!(assume(&chained, audit, "&RoleSessionName=alice").status, 200);
    let vendor = "arn:aws:iam::210987654321:role/Vendor";
    assert_eq!(code(&assume(&keys, vendor, "&RoleSessionName=alice&ExternalId=other")), is(403, "AccessDenied"));
    assert_eq!(assume(&keys, vendor, "&RoleSessionName=alice&ExternalId=acme%3A42").status, 200);
    for wrong in ["&RoleSessionName=a", "&RoleSessionName=a%20b", "&RoleSessionName=alice&DurationSeconds=60"] {
        assert_eq!(code(&assume(&keys, deploy, wrong)), is(400, "ValidationError"), "{wrong}");
    }
    let long = assume(&keys, deploy, "&RoleSessionName=alice&DurationSeconds=3601");
    assert!(element(&long, "Message").contains("1 hour session limit for roles assumed by role chaining"));
    clean(&sandbox);
    keys.secret.push('x');
    assert_eq!(code(&assume(&keys, deploy, "&RoleSessionName=alice")), is(403, "SignatureDoesNotMatch"));
    assert!(assume(&keys, deploy, "").body.contains("parameter `RoleSessionName` is missing"));
}

#[test]
fn alibaba_roles_on_top_of_roles() {
    let sandbox = start();
    let (mut browser, response) = alice(&sandbox, "alibaba");
    let role = "acs:ram::012345678987:role/AcmeJumpCloudAdminRO";
    let answer = alibaba(&mut browser, "nonce-00", role, &response, "900").json();
    let keys = |answer: &serde_json::Value| {
        let get = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
        Keys { id: get("AccessKeyId"), secret: get("AccessKeySecret"), token: get("SecurityToken") }
    };
    let mut own = keys(&answer);
    let deploy = "acs:ram::012345678987:role/Deploy";
    let mut nonces = (10..).map(|number| format!("nonce-{number}"));
    let mut assume =
        |keys: &Keys, role: &str, more: &str| assume_alibaba(&mut browser, keys, &nonces.next().unwrap(), role, more).json();
    let first = assume(&own, deploy, "&RoleSessionName=alice&DurationSeconds=7200");
    assert_eq!(first["AssumedRoleUser"]["Arn"], "acs:ram::012345678987:assumed-role/Deploy/alice", "{first}");
    let audit = "acs:ram::210987654321:role/Audit";
    assert_eq!(assume(&own, audit, "&RoleSessionName=alice")["Code"], "NoPermission");
    assert!(assume(&keys(&first), audit, "&RoleSessionName=alice")["Credentials"].is_object());
    assert_eq!(assume(&own, "acs:ram::1:role/x", "&RoleSessionName=alice")["Code"], "EntityNotExist.Role");
    for (more, code) in [
        ("&RoleSessionName=", "InvalidParameter.RoleSessionName"),
        ("&RoleSessionName=alice&DurationSeconds=0", "InvalidParameter.DurationSeconds"),
    ] {
        assert_eq!(assume(&own, deploy, more)["Code"], code);
    }
    clean(&sandbox);
    own.secret.push('x');
    assert_eq!(assume(&own, deploy, "&RoleSessionName=alice")["Code"], "SignatureDoesNotMatch");
}

#[test]
fn alibaba_knows_who_calls_in_the_older_form() {
    const THEIRS: &str = "AlibabaCloud (Linux; x86_64) Python/3.11 Core/2.16.1";
    let sandbox = start();
    let (mut browser, response) = alice(&sandbox, "alibaba");
    let role = "acs:ram::012345678987:role/AcmeJumpCloudAdminRO";
    let answer = alibaba(&mut browser, "nonce-00", role, &response, "900").json();
    let get = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
    let mut keys = Keys { id: get("AccessKeyId"), secret: get("AccessKeySecret"), token: get("SecurityToken") };
    let who = whoami_alibaba_rpc(&mut browser, &keys, "nonce-01", THEIRS).json();
    assert_eq!(who["Arn"], "acs:ram::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com");
    clean(&sandbox);
    let mut code = |keys: &Keys, nonce: &str| {
        let answer = whoami_alibaba_rpc(&mut browser, keys, nonce, THEIRS).json();
        answer["Code"].as_str().unwrap().to_owned()
    };
    sandbox.cloud_clock(900);
    assert_eq!(code(&keys, "nonce-02"), "InvalidSecurityToken.Expired");
    sandbox.cloud_clock(0);
    clean(&sandbox);
    keys.secret.push('x');
    assert_eq!(code(&keys, "nonce-03"), "SignatureDoesNotMatch");
    assert!(sandbox.violations()[0].contains("the signature does not match"));
    keys.secret.pop();
    let token = std::mem::replace(&mut keys.token, "stale".to_owned());
    assert_eq!(code(&keys, "nonce-04"), "InvalidSecurityToken.MismatchWithAccessKey");
    // Nobody else may put a token into an address.
    keys.token = token;
    assert_eq!(whoami_alibaba_rpc(&mut browser, &keys, "nonce-05", "saml2cloud/1").status, 400);
    assert!(sandbox.violations()[1].contains("a secret in query parameter `SecurityToken`"), "{:?}", sandbox.violations());
}
