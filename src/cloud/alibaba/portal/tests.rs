use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::types::PortalKind;
use crate::types::SessionDuration;
use crate::world::TransportError;

const ACCOUNTS: &str = "/access-assignments/accounts?MaxResults=100";
const IN_ONE: &str = "/access-assignments/access-configurations?AccountId=1000000000000001";
const ID: &str = "ac-00ccule7tadaijxc0001";

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
        let token = request.headers.iter().find(|(name, _)| *name == "authorization").map(|(_, value)| value.expose().as_str());
        assert_eq!(token, Some("Bearer access"));
        let body = request.body.as_ref().map(|body| format!(" {}", body.expose())).unwrap_or_default();
        self.1.lock().unwrap().push(asked.clone() + &body);
        let (_, status, body) = self.0.iter().find(|(path, ..)| *path == asked).unwrap_or_else(|| panic!("{asked}"));
        Ok(Response { status: *status, headers: Vec::new(), body: body.as_str().into() })
    }
}

fn token() -> PortalToken {
    PortalToken {
        kind: PortalKind::Cloud,
        access: "access".into(),
        start: WebUrl::parse("https://signin-cn-shanghai.alibabacloudsso.com/acme/login").unwrap(),
        region: None,
        expires: Timestamp::from_unix(0).unwrap(),
    }
}

fn at() -> WebUrl {
    endpoint(&token()).unwrap().url
}

async fn offered(script: &Script, wish: &str) -> Result<Vec<String>, CloudError> {
    let wish = if wish.is_empty() { RoleWish::Any } else { RoleWish::parse(wish).unwrap() };
    let offer = offer(token(), &wish, &at(), script).await?;
    let shown = |role: &OfferedRole| match role {
        OfferedRole::Portal { role, id } => format!("{role} {id}"),
        OfferedRole::Federated { .. } | OfferedRole::Vended { .. } => String::new(),
    };
    Ok(offer.roles().iter().map(shown).collect())
}

fn one(id: &str, name: &str) -> String {
    format!(r#"{{"AccessConfigurationId":"{id}","AccessConfigurationName":"{name}","AccessConfigurationDescription":"d"}}"#)
}

#[tokio::test]
async fn only_what_is_open_is_asked() {
    let list = format!(r#"{{"AccessConfigurationsForAccount":[{},{}]}}"#, one(ID, "Admin"), one("ac-2", "Read"));
    let script = Script::new(&[(IN_ONE, 200, &list)]);
    let both = [format!("1000000000000001/Admin {ID}"), "1000000000000001/Read ac-2".to_owned()];
    assert_eq!(offered(&script, "1000000000000001/Admin").await.unwrap(), both);
    assert_eq!(script.asked(), [IN_ONE]);
    // An ID needs no name.
    let script = Script::new(&[]);
    let wish = format!("1000000000000001/{ID}");
    assert_eq!(offered(&script, &wish).await.unwrap(), [format!("{wish} {ID}")]);
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn lists_come_in_pages_and_hostile_names_are_passed_over() {
    let accounts =
        r#"{"Accounts":[{"AccountId":"1000000000000001","DisplayName":"Prod\u001b[2J"}],"IsTruncated":true,"NextToken":"n/2"}"#;
    let last = r#"{"Accounts":[{"AccountId":"1000000000000002"},{"AccountId":"x"}],"IsTruncated":false,"NextToken":"none"}"#;
    let hostile = format!(
        r#"{{"AccessConfigurationsForAccount":[{},{},{}],"IsTruncated":true,"NextToken":"2"}}"#,
        one(ID, "Admin"),
        one("ac-3", r"a]\n[x]"),
        one("ac-4", r"\u001b[31m")
    );
    let more = format!(r#"{{"AccessConfigurationsForAccount":[{}],"IsTruncated":true,"NextToken":""}}"#, one("ac-5", "More"));
    let read = format!(r#"{{"AccessConfigurationsForAccount":[{}]}}"#, one("ac-2", "Read"));
    let script = Script::new(&[
        (ACCOUNTS, 200, accounts),
        ("/access-assignments/accounts?MaxResults=100&NextToken=n%2F2", 200, last),
        (IN_ONE, 200, &hostile),
        ("/access-assignments/access-configurations?AccountId=1000000000000001&NextToken=2", 200, &more),
        ("/access-assignments/access-configurations?AccountId=1000000000000002", 200, &read),
    ]);
    let all = [
        format!("1000000000000001/Admin {ID}"),
        "1000000000000001/More ac-5".to_owned(),
        "1000000000000002/Read ac-2".to_owned(),
    ];
    assert_eq!(offered(&script, "").await.unwrap(), all);
    assert_eq!(script.asked().len(), 5);
    let by_id = offered(&script, ID).await.unwrap();
    assert_eq!(by_id[0], format!("1000000000000001/{ID} {ID}"), "whoever wishes for an ID means it by that");
    let offer = offer(token(), &RoleWish::Any, &at(), &script).await.unwrap();
    let names: Vec<String> = offer.names().iter().map(|(account, name)| format!("{account} {name}")).collect();
    assert_eq!(names, [r"1000000000000001 Prod\u{1b}[2J"]);
}

#[tokio::test]
async fn a_list_without_an_end_is_ended() {
    let page = r#"{"Accounts":[],"IsTruncated":true,"NextToken":"n"}"#;
    let script = Script::new(&[(ACCOUNTS, 200, page), ("/access-assignments/accounts?MaxResults=100&NextToken=n", 200, page)]);
    assert!(matches!(offered(&script, "").await, Err(CloudError::PortalGarbled { .. })));
}

async fn keys(status: u16, body: &str) -> Result<Credentials, CloudError> {
    let script = Script::new(&[("/cloud-credentials", status, body)]);
    let role = PortalRole::parse("1000000000000001/Admin").unwrap();
    let offer = Offer::new(Assertion::Portal(token()), vec![OfferedRole::Portal { id: ID.to_owned(), role }], None);
    let wish = SessionWish {
        duration: SessionDuration::DEFAULT,
        endpoint: at(),
        policy: None,
        policy_arns: Vec::new(),
        now: Timestamp::from_unix(0).unwrap(),
    };
    let told = role_credentials(&offer.choose(&RoleWish::Any).unwrap(), &wish, &script).await;
    let asked = format!(r#"/cloud-credentials {{"AccountId":"1000000000000001","AccessConfigurationId":"{ID}"}}"#);
    assert_eq!(script.asked(), [asked]);
    told
}

const GOOD: &str = r#"{"CloudCredential":{"AccessKeyId":"STS.N1","AccessKeySecret":"s/+","SecurityToken":"CAIS==","Expiration":"2026-01-01T01:00:00Z"},"RequestId":"R"}"#;

#[tokio::test]
async fn keys_and_refusals() {
    let credentials = keys(200, GOOD).await.unwrap();
    assert_eq!((credentials.key_id.as_str(), credentials.expires.utc().as_str()), ("STS.N1", "2026-01-01T01:00:00Z"));
    assert_eq!((credentials.role.as_str(), credentials.assumed.as_str()), ("1000000000000001/Admin", "1000000000000001/Admin"));
    assert_eq!(credentials.home_region.unwrap().as_str(), "cn-shanghai");
    let refused = r#"{"ErrorCode":"EntityNotExists.AccessConfiguration","ErrorMessage":"gone","RequestId":"R-1"}"#;
    assert_eq!(
        keys(404, refused).await.unwrap_err().to_string(),
        "Alibaba Cloud refused the credentials: EntityNotExists.AccessConfiguration: \"gone\" (request R-1)"
    );
    assert_eq!(
        keys(403, &refused.replace("EntityNotExists.AccessConfiguration", "NoPermission")).await.unwrap_err().to_string(),
        "the sign-in portal gives you no access to `Admin` in account 1000000000000001: \"NoPermission: gone\""
    );
    for (status, body) in [(401, "{}"), (401, "<html>"), (400, r#"{"ErrorCode":"InvalidAccessToken"}"#)] {
        assert!(matches!(keys(status, body).await, Err(CloudError::SignedOut { .. })), "{status} {body}");
    }
    let without = r#"{"CloudCredential":null,"RequestId":"R"}"#;
    let (line, date) = (GOOD.replace("STS.N1", r"A\n[x]"), GOOD.replace("2026-01-01T01", "soon"));
    for (status, body) in
        [(200, "<html>"), (200, "{}"), (200, without), (200, line.as_str()), (200, date.as_str()), (502, "<html>"), (400, "{}")]
    {
        assert!(matches!(keys(status, body).await, Err(CloudError::PortalGarbled { .. })), "{status} {body}");
    }
}

#[test]
fn the_portal_of_a_sign_in_url() {
    let told = |url: &str| {
        let endpoint = endpoint(&PortalToken { start: WebUrl::parse(url).unwrap(), ..token() }).unwrap();
        format!("{}{}", endpoint.url, if endpoint.foreign { " foreign" } else { "" })
    };
    assert_eq!(
        told("https://signin-cn-shanghai.alibabacloudsso.com/acme/login?x=1"),
        "https://signin-cn-shanghai.alibabacloudsso.com/"
    );
    assert_eq!(told("http://127.0.0.1:7/acme/login"), "http://127.0.0.1:7/ foreign");
    assert_eq!(told("https://alibabacloudsso.com.evil.example/"), "https://alibabacloudsso.com.evil.example/ foreign");
    assert_eq!(home_region(&WebUrl::parse("https://signin.alibabacloudsso.com/").unwrap()), None);
    assert!(is_id(ID) && !is_id("ac-dmin") && !is_id("ac-Access-Admin-Of-All") && !is_id("Admin"));
}
