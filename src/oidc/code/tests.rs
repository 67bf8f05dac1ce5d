use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::types::Timestamp;
use crate::world::Reply;

/// What was answered: statuses with the page's heading.
type Answers = Arc<Mutex<Vec<String>>>;

/// A door with visitors that come one after the other; then nobody comes any more.
struct Scripted {
    visitors: VecDeque<Visitor>,
}

#[async_trait]
impl Door for Scripted {
    fn port(&self) -> u16 {
        4711
    }

    fn lead(&mut self, to: &WebUrl) -> io::Result<WebUrl> {
        Ok(to.clone())
    }

    async fn led(&mut self) {}

    async fn visitor(&mut self) -> Visitor {
        match self.visitors.pop_front() {
            Some(visitor) => visitor,
            None => std::future::pending().await,
        }
    }
}

struct Noted(Answers);

#[async_trait]
impl Reply for Noted {
    async fn send(self: Box<Self>, bytes: Vec<u8>) {
        let text = String::from_utf8(bytes).unwrap();
        for header in ["cache-control: no-store", "referrer-policy: no-referrer", "content-security-policy: default-src 'none'"] {
            assert!(text.contains(header), "{text}");
        }
        let status = text.split(' ').nth(1).unwrap().to_owned();
        let heading = text.split("<h1>").nth(1).unwrap_or_default().split('<').next().unwrap_or_default();
        self.0.lock().unwrap().push(format!("{status} {heading}"));
    }
}

/// Sleeps only when it may: as if all patience were over at once, or never.
struct Hourglass {
    runs: bool,
}

#[async_trait]
impl Clock for Hourglass {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(0).unwrap()
    }

    async fn sleep(&self, _: Duration) {
        if !self.runs {
            std::future::pending::<()>().await;
        }
        // Whoever is at the door comes first.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

const STATE: &str = "0123456789abcdef";

fn visitor(answers: &Answers, line: &str, host: &str) -> Visitor {
    let (method, target) = line.split_once(' ').unwrap();
    Visitor {
        method: method.to_owned(),
        target: Secret::new(target.replace("STATE", STATE)),
        host: host.to_owned(),
        reply: Box::new(Noted(answers.clone())),
    }
}

fn waiting(answers: &Answers, lines: &[&str]) -> Waiting {
    let visitors = lines.iter().map(|line| visitor(answers, line, "127.0.0.1:4711")).collect();
    Waiting {
        door: Box::new(Scripted { visitors }),
        redirect: Redirect::parse("http://127.0.0.1/callback").unwrap(),
        state: Secret::from(STATE),
    }
}

async fn told(lines: &[&str], from: From<'_>) -> (String, Vec<String>) {
    let answers = Answers::default();
    let mut waiting = waiting(&answers, lines);
    let outcome = receive(&mut waiting, &Hourglass { runs: true }, Duration::from_secs(600), from, &Nobody).await;
    let told = outcome.map_or_else(|error| error.to_string(), |code| code.expose().clone());
    let answers = answers.lock().unwrap().clone();
    (told, answers)
}

const PLAIN: From<'static> = From { who: "idp.example", issuer: Some("https://idp.example"), must_name_itself: false };

#[tokio::test]
async fn takes_the_one_answer_of_this_sign_in() {
    let others = [
        "GET /favicon.ico",
        "GET /callback",
        "GET /callback?code=evil",
        "GET /callback?code=evil&state=0123456789abcdeX",
        "GET /callback?code=evil&state=STATE&state=STATE",
        "POST /callback?code=evil&state=STATE",
        "GET /callback?code=good&state=STATE",
    ];
    let (told, answers) = told(&others, PLAIN).await;
    assert_eq!(told, "good");
    let not_here = |status: u16| format!("{status} Not here");
    assert_eq!(
        answers,
        [not_here(404), not_here(400), not_here(400), not_here(400), not_here(400), not_here(405), "200 Signed in".to_owned()]
    );
}

#[tokio::test]
async fn a_name_that_points_here_is_not_ours() {
    let answers = Answers::default();
    for (host, expected) in
        [("127.0.0.1:4711", true), ("localhost:4711", true), ("evil.example:4711", false), ("127.0.0.1", false), ("", false)]
    {
        let waiting = waiting(&answers, &[]);
        let judged = judge(&visitor(&answers, "GET /callback?code=c&state=STATE", host), &waiting, PLAIN);
        assert_eq!(matches!(judged, Brought::Code(_)), expected, "{host}");
    }
}

/// A person who pastes one text after the other, and what they were told.
struct Pasted(Mutex<VecDeque<&'static str>>, Mutex<Vec<&'static str>>);

#[async_trait]
impl Elsewhere for Pasted {
    async fn pasted(&self, complaint: Option<&'static str>) -> Secret<String> {
        self.1.lock().unwrap().extend(complaint);
        let next = self.0.lock().unwrap().pop_front();
        match next {
            Some(text) => Secret::new(text.replace("STATE", STATE)),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_person_brings_the_address_of_a_browser_elsewhere() {
    let told = async |texts: &[&'static str]| {
        let person = Pasted(Mutex::new(texts.iter().copied().collect()), Mutex::default());
        let mut waiting = waiting(&Answers::default(), &[]);
        let outcome = receive(&mut waiting, &Hourglass { runs: true }, Duration::from_secs(600), PLAIN, &person).await;
        let complaints = person.1.lock().unwrap().len();
        (outcome.map_or_else(|error| error.to_string(), |code| code.expose().clone()), complaints)
    };
    let good = "http://127.0.0.1:4711/callback?code=good&state=STATE";
    for text in
        [good, "  <http://127.0.0.1:4711/callback?code=good&state=STATE> ", "127.0.0.1:4711/callback?state=STATE&code=good"]
    {
        assert_eq!(told(&[text]).await, ("good".to_owned(), 0), "{text}");
    }
    let others = [
        "",
        "good",
        "https://idp.example/auth?state=STATE",
        "http://127.0.0.1:4711/callback?code=evil&state=of-another-sign-in",
        "http://127.0.0.1:4712/callback?code=evil&state=STATE",
        "http://127.0.0.1:4711/other?code=evil&state=STATE",
        good,
    ];
    assert_eq!(told(&others).await, ("good".to_owned(), 6));
    let denied = "http://127.0.0.1:4711/callback?error=access_denied&state=STATE";
    assert_eq!(told(&[denied]).await.0, "the sign-in at idp.example was denied");
    let foreign = "http://127.0.0.1:4711/callback?code=c&state=STATE&iss=https%3A%2F%2Fevil.example";
    assert!(told(&[foreign]).await.0.contains("it comes from \"https://evil.example\""));
    assert!(told(&[]).await.0.starts_with("nobody finished the sign-in"));
}

#[tokio::test]
async fn the_issuers_no() {
    let (said, answers) =
        told(&["GET /callback?error=access_denied&error_description=the+user+said+no%1b&state=STATE"], PLAIN).await;
    assert_eq!(said, "the sign-in at idp.example was denied: \"the user said no\\u{1b}\"");
    assert_eq!(answers, ["400 Not signed in"]);
    let (said, _) = told(&["GET /callback?error=invalid_scope&state=STATE"], PLAIN).await;
    assert_eq!(said, "idp.example refused the sign-in: invalid_scope");
    // An error of somebody who does not know the state ends nothing.
    let (said, _) = told(&["GET /callback?error=access_denied&state=x", "GET /callback?code=c&state=STATE"], PLAIN).await;
    assert_eq!(said, "c");
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_not_used() {
    let strict = From { must_name_itself: true, ..PLAIN };
    let evil = "GET /callback?code=c&state=STATE&iss=https%3A%2F%2Fevil.example";
    for from in [PLAIN, strict] {
        let (said, answers) = told(&[evil], from).await;
        assert_eq!(said, "the answer of idp.example is not for this sign-in: it comes from \"https://evil.example\"");
        assert_eq!(answers, ["400 Not signed in"]);
    }
    assert!(told(&["GET /callback?code=c&state=STATE"], strict).await.0.contains("it does not say whose it is"));
    assert_eq!(told(&["GET /callback?code=c&state=STATE&iss=https%3A%2F%2Fidp.example"], strict).await.0, "c");
    assert!(told(&["GET /callback?state=STATE"], PLAIN).await.0.contains("neither a code nor an error"));
}

#[tokio::test]
async fn does_not_wait_for_ever() {
    assert_eq!(told(&["GET /favicon.ico"], PLAIN).await.0, "nobody finished the sign-in at idp.example within 10 minutes");
}

#[tokio::test]
async fn whoever_comes_again_is_told_so() {
    let answers = Answers::default();
    let lines =
        ["GET /callback?code=good&state=STATE", "GET /callback?code=good&state=STATE", "GET /callback?code=other&state=STATE"];
    let mut waiting = waiting(&answers, &lines);
    let code = receive(&mut waiting, &Hourglass { runs: false }, Duration::from_secs(600), PLAIN, &Nobody).await.unwrap();
    let exchange = async {
        tokio::task::yield_now().await;
        code.expose().clone()
    };
    assert_eq!(attend(waiting, exchange).await, "good");
    assert_eq!(*answers.lock().unwrap(), ["200 Signed in", "410 Answered already", "410 Answered already"]);
}

#[tokio::test]
async fn a_port_that_is_taken() {
    struct Taken;
    #[async_trait]
    impl Listener for Taken {
        async fn listen(&self, _: Option<u16>) -> io::Result<Box<dyn Door>> {
            Err(io::ErrorKind::AddrInUse.into())
        }
    }
    let of = async |text: &str| Waiting::open(&Taken, Redirect::parse(text).unwrap()).await.err().unwrap().to_string();
    assert_eq!(of("http://localhost:8400/").await, "port 8400 of this machine is taken by another program");
    assert_eq!(of("http://localhost/").await, "cannot listen on this machine for the browser's answer");
}

#[test]
fn the_address_to_open() {
    let answers = Answers::default();
    let endpoints = Endpoints {
        issuer: "https://idp.example".to_owned(),
        token: WebUrl::parse("https://idp.example/t").unwrap(),
        authorization: WebUrl::parse("https://idp.example/auth?tenant=7").ok(),
        device: None,
        names_itself: false,
        wants_secret_in_form: false,
    };
    let pkce = Pkce { verifier: Secret::from("v"), challenge: "c".to_owned() };
    let url = waiting(&answers, &[]).address(&endpoints, "me", &pkce, "n", &[("scope", "openid email")]).unwrap();
    assert_eq!(
        url.expose().query().unwrap(),
        "tenant=7&response_type=code&client_id=me&redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Fcallback&state=0123456789abcdef&nonce=n\
         &code_challenge=c&code_challenge_method=S256&scope=openid+email"
    );
    assert!(!format!("{url}").contains(STATE));
}

#[test]
fn where_the_browser_comes_back_to() {
    assert_eq!(
        Redirect::parse("http://localhost:8400").unwrap(),
        Redirect { host: "localhost".to_owned(), port: Some(8400), path: "/".to_owned() }
    );
    for bad in ["https://127.0.0.1/cb", "http://evil.example/cb", "http://127.0.0.1/cb?x=1", "cb", "http://[::1]/cb"] {
        assert!(Redirect::parse(bad).is_err(), "{bad}");
    }
}
