use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::types::PortalKind;
use crate::types::{Region, SessionDuration};
use crate::world::TransportError;

/// Answers by path and query, and remembers what was asked.
struct Script(Vec<(&'static str, u16, String)>, Mutex<Vec<String>>);

impl Script {
    fn new(answers: &[(&'static str, u16, &str)]) -> Self {
        Self(answers.iter().map(|(path, status, body)| (*path, *status, (*body).to_owned())).collect(), Mutex::default())
    }

    fn asked(&self) -> Vec<String> {
        self.1.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let url = request.url.expose();
        let asked = format!("{}{}", url.path(), url.query().map(|query| format!("?{query}")).unwrap_or_default());
        let token = request.headers.iter().find(|(name, _)| *name == "x-amz-sso_bearer_token").map(|(_, value)| value.expose());
        assert_eq!(token.map(String::as_str), Some("access"));
        self.1.lock().unwrap().push(asked.clone());
        let (_, status, body) = self.0.iter().find(|(path, ..)| *path == asked).unwrap_or_else(|| panic!("{asked}"));
        Ok(Response { status: *status, headers: Vec::new(), body: body.as_str().into() })
    }
}

fn token(start: &str) -> PortalToken {
    PortalToken {
        kind: PortalKind::Cloud,
        access: "access".into(),
        start: WebUrl::parse(start).unwrap(),
        region: Some(Region::parse("us-east-1").unwrap()),
        expires: Timestamp::from_unix(0).unwrap(),
    }
}

fn at() -> WebUrl {
    WebUrl::parse("https://portal.sso.us-east-1.amazonaws.com/").unwrap()
}

async fn offered(script: &Script, wish: &str) -> Result<Vec<String>, CloudError> {
    let wish = if wish.is_empty() { RoleWish::Any } else { RoleWish::parse(wish).unwrap() };
    let offer = offer(token("https://d-1.awsapps.com/start"), &wish, &at(), script).await?;
    Ok(offer.roles().iter().map(|role| role.role().to_string()).collect())
}

const ACCOUNTS: &str = "/assignment/accounts?max_result=100";

#[tokio::test]
async fn nobody_is_asked_for_what_is_named() {
    let script = Script::new(&[]);
    assert_eq!(offered(&script, "000000000001/Admin").await.unwrap(), ["000000000001/Admin"]);
    let reserved = "arn:aws:iam::000000000001:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef";
    assert_eq!(offered(&script, reserved).await.unwrap(), ["000000000001/Admin"]);
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn lists_come_in_pages_and_hostile_names_are_passed_over() {
    let hostile = r#"{"roleList":[{"roleName":"Admin"},{"roleName":"a]\n[profile x]\ncredential_process=touch p"},{"roleName":"\u001b[31m"}],"nextToken":null}"#;
    let script = Script::new(&[
        (
            ACCOUNTS,
            200,
            r#"{"accountList":[{"accountId":"000000000001","accountName":"Prod\u001b[2J","emailAddress":"a@b"}],"nextToken":"n/2"}"#,
        ),
        (
            "/assignment/accounts?max_result=100&next_token=n%2F2",
            200,
            r#"{"accountList":[{"accountId":"000000000002"},{"accountId":"x"}]}"#,
        ),
        ("/assignment/roles?account_id=000000000001&max_result=100", 200, hostile),
        ("/assignment/roles?account_id=000000000002&max_result=100", 200, r#"{"roleList":[{"roleName":"Read"}],"nextToken":""}"#),
    ]);
    assert_eq!(offered(&script, "").await.unwrap(), ["000000000001/Admin", "000000000002/Read"]);
    assert_eq!(script.asked().len(), 4);
    let offer = offer(token("https://d-1.awsapps.com/start"), &RoleWish::Any, &at(), &script).await.unwrap();
    let names: Vec<String> = offer.names().iter().map(|(account, name)| format!("{account} {name}")).collect();
    assert_eq!(names, [r"000000000001 Prod\u{1b}[2J"]);
}

#[tokio::test]
async fn a_list_without_an_end_is_ended() {
    let script = Script::new(&[
        (ACCOUNTS, 200, r#"{"accountList":[],"nextToken":"n"}"#),
        ("/assignment/accounts?max_result=100&next_token=n", 200, r#"{"accountList":[],"nextToken":"n"}"#),
    ]);
    assert!(matches!(offered(&script, "").await, Err(CloudError::PortalGarbled { .. })));
}

async fn keys(status: u16, body: &str) -> Result<Credentials, CloudError> {
    let script = Script::new(&[("/federation/credentials?role_name=Admin+A%2BB&account_id=000000000001", status, body)]);
    let role = PortalRole::new(CloudAccountId::parse("000000000001").unwrap(), "Admin A+B").unwrap();
    let offered = OfferedRole::Portal { id: role.name().to_owned(), role };
    let offer = Offer::new(Assertion::Portal(token("https://d-1.awsapps.com/start")), vec![offered], None);
    let wish = SessionWish {
        duration: SessionDuration::DEFAULT,
        endpoint: at(),
        policy: None,
        policy_arns: Vec::new(),
        now: Timestamp::from_unix(0).unwrap(),
    };
    role_credentials(&offer.choose(&RoleWish::Any).unwrap(), &wish, &script).await
}

#[tokio::test]
async fn keys_and_refusals() {
    let good =
        r#"{"roleCredentials":{"accessKeyId":"ASIA1","secretAccessKey":"s/+","sessionToken":"t==","expiration":1700003600000}}"#;
    let credentials = keys(200, good).await.unwrap();
    assert_eq!((credentials.key_id.as_str(), credentials.expires.unix()), ("ASIA1", 1_700_003_600));
    assert_eq!((credentials.role.as_str(), credentials.assumed.as_str()), ("000000000001/Admin A+B", "000000000001/Admin A+B"));
    assert!(matches!(keys(401, "{}").await, Err(CloudError::SignedOut { .. })));
    assert_eq!(
        keys(403, r#"{"message":"No access"}"#).await.unwrap_err().to_string(),
        "the sign-in portal gives you no access to `Admin A+B` in account 000000000001: \"No access\""
    );
    assert!(keys(429, r#"{"message":"slow","__type":"TooManyRequestsException"}"#).await.unwrap_err().is_passing());
    let moment = good.replace("1700003600000", "0");
    let line = good.replace("ASIA1", r"A\n[x]");
    for (status, body) in [(200, "<html>"), (200, "{}"), (200, moment.as_str()), (200, line.as_str()), (502, "<html>")] {
        assert!(matches!(keys(status, body).await, Err(CloudError::PortalGarbled { .. })), "{status} {body}");
    }
}

#[test]
fn the_portal_of_a_start_url() {
    let host = |start: &str, env: &[(&str, &str)]| {
        let endpoint = endpoint(&token(start), &Env::of(env.iter().copied())).unwrap();
        format!("{}{}", endpoint.url, if endpoint.foreign { " foreign" } else { "" })
    };
    let own = "https://d-1.awsapps.com/start";
    assert_eq!(host(own, &[]), "https://portal.sso.us-east-1.amazonaws.com/");
    assert_eq!(host("https://ssoins-1.portal.us-east-1.app.aws", &[]), "https://portal.sso.us-east-1.api.aws/");
    assert_eq!(host(own, &[("AWS_USE_DUALSTACK_ENDPOINT", "true")]), "https://portal.sso.us-east-1.api.aws/");
    assert_eq!(host(own, &[("AWS_USE_FIPS_ENDPOINT", "true")]), "https://portal.sso-fips.us-east-1.amazonaws.com/");
    assert_eq!(host(own, &[("AWS_ENDPOINT_URL_SSO", "http://127.0.0.1:1/p")]), "http://127.0.0.1:1/p foreign");
    let path = request(&WebUrl::parse("http://127.0.0.1:1/p/").unwrap(), "/logout", &[], &token(own)).unwrap();
    assert_eq!(path.url.expose().as_str(), "http://127.0.0.1:1/p/logout");
}
