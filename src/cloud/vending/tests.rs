use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::types::{PortalKind, SessionDuration};
use crate::world::TransportError;

/// Answers in turn, and remembers what was asked.
struct Script(Mutex<Vec<(u16, String)>>, Mutex<Vec<String>>);

impl Script {
    fn new(answers: &[(u16, &str)]) -> Self {
        Self(Mutex::new(answers.iter().rev().map(|(status, body)| (*status, (*body).to_owned())).collect()), Mutex::default())
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
        let bearer = request.headers.iter().find(|(name, _)| *name == "authorization").map(|(_, value)| value.expose().as_str());
        assert!(bearer == Some("Bearer access") || asked.ends_with("/revoke"));
        self.1.lock().unwrap().push(asked);
        let (status, body) = self.0.lock().unwrap().pop().expect("a request too many");
        let headers = vec![("retry-after".to_owned(), Secret::from("7"))];
        Ok(Response { status, headers, body: body.as_str().into() })
    }
}

fn base() -> WebUrl {
    WebUrl::parse("https://intern.example/cam/").unwrap()
}

fn token() -> PortalToken {
    PortalToken {
        kind: PortalKind::Tvm,
        access: Secret::from("access"),
        start: base(),
        region: None,
        expires: Timestamp::from_unix(2_000_000_000).unwrap(),
    }
}

fn item(id: &str, arn: &str, account: &str) -> String {
    format!(
        r#"{{"id":"{id}","name":"x","arn":"{arn}","cloud":"aws","partition":"p","account":{{"node":"n","name":"{account}","uid":"1"}}}}"#
    )
}

fn page(items: &[String], next: &str) -> String {
    format!(r#"{{"items":[{}],"next":{next}}}"#, items.join(","))
}

fn home(partition: &str) -> Option<Region> {
    Region::parse(partition.strip_prefix("in-")?).ok()
}

async fn offered(script: &Script, wish: &str) -> Result<Offer, CloudError> {
    let wish = if wish.is_empty() { RoleWish::Any } else { RoleWish::parse(wish).unwrap() };
    offer(CloudId::Aws, token(), &wish, &base(), home, script).await
}

fn names(offer: &Offer) -> Vec<String> {
    offer.roles().iter().map(|role| role.role().to_string()).collect()
}

#[tokio::test]
async fn every_page_is_read_and_what_is_no_role_is_passed_over() {
    let first = page(
        &[
            item("r-1", "arn:aws:iam::1:role/a", "prod"),
            item("r-2", "acs:ram::1:role/b", "prod"),
            item("", "arn:aws:iam::1:role/c", "prod"),
            item("r-4", "arn:aws:iam::1:role/x\\n[y]", "prod"),
        ],
        "\"c+2\"",
    );
    let second = page(&[item("r-5", "arn:aws:iam::2:role/d", "\\u001b[2J")], "null");
    let script = Script::new(&[(200, &first), (200, &second)]);
    let offer = offered(&script, "").await.unwrap();
    assert_eq!(names(&offer), ["arn:aws:iam::1:role/a", "arn:aws:iam::2:role/d"]);
    let called: Vec<_> = offer.names().values().cloned().collect();
    assert_eq!(called, ["prod", "\\u{1b}[2J"]);
    let path = "/cam/api/v1/me/roles?cloud=aws&limit=200";
    assert_eq!(script.asked(), [path.to_owned(), format!("{path}&cursor=c%2B2")]);
}

#[tokio::test]
async fn a_wish_narrows_the_question_and_never_the_answer() {
    let found = page(&[item("r-1", "arn:aws:iam::1:role/team/Admin", "prod")], "null");
    for wish in ["arn:aws:iam::1:role/team/Admin", "Admin", "1/Admin", "prod/Admin"] {
        let script = Script::new(&[(200, &found)]);
        assert_eq!(names(&offered(&script, wish).await.unwrap()).len(), 1);
        assert_eq!(script.asked(), ["/cam/api/v1/me/roles?cloud=aws&limit=200&q=Admin"], "{wish}");
    }
    // Nothing by that name: everything, so that a person sees what there is.
    let script = Script::new(&[(200, &page(&[], "null")), (200, &found)]);
    assert_eq!(names(&offered(&script, "Nobody").await.unwrap()).len(), 1);
    assert_eq!(script.asked().len(), 2);
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let script = Script::new(&vec![(200, page(&[], "\"again\"").as_str()); PAGES]);
    let told = offered(&script, "").await.unwrap_err().to_string();
    assert!(told.ends_with("its list does not end"), "{told}");
}

const KEYS: &str = r#"{"access_key_id":"ASIAX","secret_access_key":"s","session_token":"t","expires":"2030-01-01T00:00:00Z",
    "role_arn":"arn:aws:iam::1:role/team/a","session_name":"e-1001"}"#;

async fn keys(body: &str, id: &str) -> (Result<Credentials, CloudError>, Vec<String>) {
    let script = Script::new(&[(200, &page(&[item(id, "arn:aws:iam::1:role/team/a", "p")], "null")), (200, body)]);
    let offer = offered(&script, "").await.unwrap();
    let choice = offer.choose(&RoleWish::Any).unwrap();
    let wish = SessionWish {
        duration: SessionDuration::DEFAULT,
        endpoint: base(),
        policy: None,
        policy_arns: Vec::new(),
        now: Timestamp::from_unix(1_800_000_000).unwrap(),
    };
    let given = vended(&choice, &wish, &script).await.map(|given| match given {
        Vended::Keys(keys) => *keys,
        Vended::Assertion(_) => panic!("an assertion in place of keys"),
    });
    (given, script.asked())
}

#[tokio::test]
async fn keys_are_of_the_role_that_was_asked_for() {
    let (credentials, asked) = keys(KEYS, "a/../b").await;
    let credentials = credentials.unwrap();
    assert_eq!(credentials.assumed, "arn:aws:sts::1:assumed-role/a/e-1001");
    assert_eq!(asked[1], "/cam/api/v1/me/roles/a%2F..%2Fb/credentials", "a number of a role leads nowhere else");
    for (from, to, why) in [
        ("team/a", "team/b", "its keys are of another role"),
        ("ASIAX", "AS IAX", "it has no credentials in it"),
        ("2030-01-01T00:00:00Z", "soon", "it has no credentials in it"),
        ("e-1001", "e/1001", "it has no credentials in it"),
    ] {
        let told = keys(&KEYS.replace(from, to), "r").await.0.unwrap_err().to_string();
        assert!(told.ends_with(why), "{told}");
    }
}

#[tokio::test]
async fn a_no_is_told_in_its_words() {
    for (status, body, told) in [
        (401, r#"{"code":"unauthenticated"}"#, "the sign-in portal at intern.example says that the session has expired"),
        (401, "", "the sign-in portal at intern.example says that the session has expired"),
        (
            401,
            r#"{"code":"reauth_required","detail":"now"}"#,
            "intern.example wants you to sign in again before it hands out these keys: \"now\"",
        ),
        (
            503,
            r#"{"code":"store_unavailable","title":"Later","request_id":"R"}"#,
            "intern.example refused: store_unavailable: \"Later\" (request R)",
        ),
        (502, "<html>bad gateway", "gave an answer that is not one (HTTP 502): it is a page for people, not JSON"),
        (500, "{}", "gave an answer that is not one (HTTP 500): it is an error without a word"),
        (200, "[]", "gave an answer that is not one (HTTP 200): it is not the JSON that the service sends"),
    ] {
        let error = offered(&Script::new(&[(status, body)]), "").await.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        let passes = status == 503;
        assert_eq!((error.is_passing(), error.wait().as_secs()), (passes, if passes { 7 } else { 0 }), "{error}");
    }
}

#[tokio::test]
async fn a_token_that_is_over_already_is_signed_out() {
    for (status, good) in [(200, true), (401, true), (503, false)] {
        let script = Script::new(&[(status, r#"{"code":"x"}"#)]);
        assert_eq!(sign_out(&token(), &base(), &script).await.is_ok(), good, "{status}");
        assert_eq!(script.asked(), ["/cam/api/v1/cli/revoke"]);
    }
}
