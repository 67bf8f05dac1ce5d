//! The flow as a whole, over a transport that answers from a list: which requests, what is remembered, what is said.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::ask::{Answers, NoAnswer, Question, Topic};
use crate::http::Browser;
use crate::idp::Memory;
use crate::types::{ServiceProvider, Timestamp};
use crate::vault::Kind;
use crate::world::{Clock, Transport, TransportError};

const APP: &str = "https://acme.okta.com/home/amazon_aws/0oa1/272";

macro_rules! saved {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/idp/okta/", $name))
    };
}

/// Answers in the order of a list, and keeps what was sent.
struct Script {
    answers: Mutex<Vec<(u16, Vec<&'static str>, String)>>,
    sent: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let cookies = request.headers.iter().find(|(name, _)| *name == "cookie").map(|(_, value)| value.expose().clone());
        let body = request.body.as_ref().map(|body| body.expose().clone());
        let url = request.url.expose();
        let line = [
            Some(format!("{:?} {}", request.method, &url.as_str()["https://acme.okta.com".len()..])),
            cookies.map(|cookies| format!("[{cookies}]")),
            body,
        ];
        self.sent.lock().unwrap().push(line.into_iter().flatten().collect::<Vec<_>>().join(" "));
        let (status, cookies, body) = self.answers.lock().unwrap().remove(0);
        let headers = cookies.into_iter().map(|cookie| ("set-cookie".to_owned(), cookie.into())).collect();
        Ok(Response { status, headers, body: body.into() })
    }
}

/// A memory, or none.
#[derive(Default)]
struct Kept(Option<Mutex<BTreeMap<&'static str, String>>>);

impl Kept {
    fn of(pairs: &[(Kind, &str)]) -> Self {
        Self(Some(Mutex::new(pairs.iter().map(|(kind, value)| (kind.word(), (*value).to_owned())).collect())))
    }

    fn get(&self, kind: Kind) -> Option<String> {
        self.0.as_ref()?.lock().unwrap().get(kind.word()).cloned()
    }
}

impl Memory for Kept {
    fn recall(&self, kind: Kind) -> Option<Secret<String>> {
        self.get(kind).map(Secret::new)
    }
    fn keep(&self, kind: Kind, value: &Secret<String>) {
        if let Some(kept) = &self.0 {
            kept.lock().unwrap().insert(kind.word(), value.expose().clone());
        }
    }
    fn forget(&self, kind: Kind) {
        if let Some(kept) = &self.0 {
            kept.lock().unwrap().remove(kind.word());
        }
    }
}

/// Alice with these codes, at a terminal or not.
#[derive(Default)]
struct Alice {
    codes: Mutex<Vec<&'static str>>,
    given: bool,
    notices: Mutex<Vec<String>>,
}

#[async_trait]
impl Answers for Alice {
    async fn text(&self, question: &Question<'_>) -> Result<String, NoAnswer> {
        match question.topic {
            Topic::Username => Ok("alice@example.com".to_owned()),
            _ => self.codes.lock().unwrap().pop().map(str::to_owned).ok_or(NoAnswer::NotHere),
        }
    }
    async fn secret(&self, _: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        Ok("pw".into())
    }
    async fn choose(&self, _: &Question<'_>, _: &[Untrusted]) -> Result<usize, NoAnswer> {
        Err(NoAnswer::NotHere)
    }
    fn knows(&self, topic: Topic) -> bool {
        topic == Topic::Otp && self.given
    }
    fn can_ask(&self, topic: Topic) -> bool {
        topic == Topic::Otp && !self.given
    }
    fn notify(&self, notice: &str) {
        self.notices.lock().unwrap().push(notice.to_owned());
    }
}

/// A clock that moves by what is slept.
struct Still(Mutex<Timestamp>);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
    async fn sleep(&self, pause: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.after(pause);
    }
}

/// What came of a sign-in.
struct Done {
    outcome: String,
    sent: Vec<String>,
    notices: Vec<String>,
}

struct Case<'c> {
    mfa: &'c str,
    own: &'c [(&'static str, &'c str)],
    memory: &'c Kept,
    alice: Alice,
}

impl<'c> Case<'c> {
    fn new(mfa: &'c str, memory: &'c Kept) -> Self {
        Self { mfa, own: &[], memory, alice: Alice::default() }
    }

    async fn run(self, answers: &[(u16, &'static str)]) -> Done {
        self.run_with(answers.iter().map(|(status, body)| (*status, Vec::new(), (*body).to_owned())).collect()).await
    }

    async fn run_with(self, answers: Vec<(u16, Vec<&'static str>, String)>) -> Done {
        let script = Script { answers: Mutex::new(answers), sent: Mutex::default() };
        let own = |key: &str| self.own.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        let settings = Settings::new(WebUrl::parse(APP).unwrap(), self.mfa).with_own(PROVIDER.fields(), own);
        let sp = ServiceProvider {
            entity_id: "urn:amazon:webservices".into(),
            is_acs: |url| url.to_string() == "https://signin.aws.amazon.com/saml",
            is_clouds: |_, _| false,
            target: None,
            web_identity: crate::idp::NO_WEB_IDENTITY,
        };
        let clock = Still(Mutex::new(Timestamp::from_unix(1_700_000_000).unwrap()));
        let mut session = Session {
            browser: Browser::new(&script),
            answers: &self.alice,
            clock: &clock,
            memory: self.memory,
            sp: &sp,
            machine: crate::idp::Machine::bare(),
            standing: crate::idp::Standing::default(),
        };
        let outcome = match PROVIDER.open(&settings).unwrap().sign_in(&mut session).await {
            Ok(Assertion::Saml(response)) => response.expose().to_owned(),
            Ok(_) => panic!("Okta gives SAML responses"),
            Err(error) => error.to_string(),
        };
        assert!(script.answers.lock().unwrap().is_empty(), "{outcome}: answers left over");
        Done { outcome, sent: script.sent.into_inner().unwrap(), notices: self.alice.notices.into_inner().unwrap() }
    }
}

const PAGE: &str =
    "<form action='https://signin.aws.amazon.com/saml' method=post><input name=SAMLResponse value=PHNhbWw+></form>";
const LOGIN: &str = "<title>Acme - Sign In</title><script>var stateToken = '';</script><div id=signin-container></div>";
const SUCCESS: &str = saved!("success.json");
const MFA: &str = saved!("mfa-required.json");
const PASSWORD: &str = r#"{"username":"alice@example.com","password":"pw","options":{"warnBeforePasswordExpired":true}}"#;
const STATE: &str = r#"{"stateToken":"007ucIX7PATyn94hsHfOLVaXAmOBkKHWnOOLG43bsb"}"#;
const ENTER: &str = "Get /login/sessionCookieRedirect?checkAccountSetupComplete=true&token=00Fpzf4en68pCXTsMjcX8JPMctzN2Wiw4LDOBL_9pe&redirectUrl=https%3A%2F%2Facme.okta.com%2Fhome%2Famazon_aws%2F0oa1%2F272";

fn authn() -> String {
    format!("Post /api/v1/authn {PASSWORD}")
}

#[tokio::test]
async fn a_password_costs_two_requests() {
    let done = Case::new("Auto", &Kept::default()).run(&[(200, SUCCESS), (200, PAGE)]).await;
    assert_eq!((done.outcome.as_str(), done.sent), ("PHNhbWw+", vec![authn(), ENTER.to_owned()]));
}

#[tokio::test]
async fn a_push_is_asked_after_and_its_number_shown_once() {
    let (waiting, number) = (saved!("push-waiting.json"), saved!("push-number.json"));
    let answers =
        [(200, MFA), (200, waiting), (429, saved!("rate-limit.json")), (200, number), (200, number), (200, SUCCESS), (200, PAGE)];
    let done = Case::new("PUSH", &Kept::default()).run(&answers).await;
    let verify = format!("Post /api/v1/authn/factors/opfh52xcuft3J4uZc0g3/verify {STATE}");
    let verify = || verify.clone();
    assert_eq!(done.outcome, "PHNhbWw+");
    assert_eq!(done.sent, [authn(), verify(), verify(), verify(), verify(), verify(), ENTER.to_owned()]);
    assert_eq!(
        done.notices,
        ["Waiting for approval, please check your Okta Verify app ...", "Correct Answer: 92 (choose it in Okta Verify)"]
    );
}

#[tokio::test]
async fn a_push_that_is_not_approved_is_a_refusal() {
    for (last, said) in [
        (saved!("push-rejected.json"), "the push was rejected (REJECTED)"),
        (saved!("push-timeout.json"), "the push was not answered in time (TIMEOUT)"),
    ] {
        let done = Case::new("PUSH", &Kept::default()).run(&[(200, MFA), (200, saved!("push-waiting.json")), (200, last)]).await;
        assert_eq!(done.outcome, format!("Okta refused the push approval: \"{said}\""));
    }
    let mut answers = vec![(200, MFA)];
    answers.extend([(200, saved!("push-waiting.json")); 311]);
    let done = Case::new("PUSH", &Kept::default()).run(&answers).await;
    assert_eq!(done.outcome, "Okta refused the push approval: \"the push was not answered in time\"");
}

#[tokio::test]
async fn a_person_may_correct_a_code_twice() {
    let wrong = (403, saved!("wrong-code.json"));
    let alice = |codes: &[&'static str], given| Alice { codes: Mutex::new(codes.to_vec()), given, ..Alice::default() };
    let none = Kept::default();
    let case = |codes: &[&'static str], given| Case { alice: alice(codes, given), ..Case::new("TOTP", &none) };
    let done = case(&["123456", " 000000 "], false).run(&[(200, MFA), wrong, (200, SUCCESS), (200, PAGE)]).await;
    assert_eq!(done.outcome, "PHNhbWw+");
    let verify = |code: &str| {
        format!(
            "Post /api/v1/authn/factors/uftm3iHSGFQXHCUSDAND/verify {},\"passCode\":\"{code}\"}}",
            STATE.trim_end_matches('}')
        )
    };
    assert_eq!(done.sent[1..3], [verify("000000"), verify("123456")]);
    assert!(done.notices[0].starts_with("Okta did not take the code: \"Invalid Passcode/Answer"), "{:?}", done.notices);
    let refusal = "Okta refused the one-time code: \"Invalid Passcode/Answer: Your passcode doesn't match our records. Please try again. (E0000068)\"";
    let done = case(&["3", "2", "1", "0"], false).run(&[(200, MFA), wrong, wrong, wrong]).await;
    assert_eq!(done.outcome, refusal);
    let done = case(&["000000"], true).run(&[(200, MFA), wrong]).await;
    assert_eq!((done.outcome.as_str(), done.notices.len()), (refusal, 0));
}

#[tokio::test]
async fn a_code_is_sent_unless_one_is_given() {
    let none = Kept::default();
    for (mfa, given, requests, notice) in [
        ("SMS", false, 4, Some("Okta has sent a code to +1 XXX-XXX-1337")),
        ("EMAIL", false, 4, Some("Okta has sent a code to a...e@example.com")),
        ("SMS", true, 3, None),
    ] {
        let alice = Alice { codes: Mutex::new(vec!["123456"]), given, ..Alice::default() };
        let mut answers = vec![(200, MFA), (200, saved!("sms-sent.json")), (200, SUCCESS), (200, PAGE)];
        if given {
            answers.remove(1);
        }
        let done = Case { alice, ..Case::new(mfa, &none) }.run(&answers).await;
        assert_eq!((done.outcome.as_str(), done.sent.len()), ("PHNhbWw+", requests));
        assert_eq!(done.notices.first().map(String::as_str), notice);
    }
}

#[tokio::test]
async fn what_can_be_passed_over_is() {
    for (answer, notice) in [
        (saved!("password-warn.json"), "Your Okta password expires in 5 days"),
        (saved!("mfa-enroll-optional.json"), "Okta proposes to set up another second factor; that can be done in a browser"),
    ] {
        let done = Case::new("Auto", &Kept::default()).run(&[(200, answer), (200, SUCCESS), (200, PAGE)]).await;
        assert_eq!((done.outcome.as_str(), done.notices), ("PHNhbWw+", vec![notice.to_owned()]));
        assert_eq!(done.sent[1], format!("Post /api/v1/authn/skip {STATE}"));
    }
    let for_ever = [(200, saved!("password-warn.json")); STEPS + 1];
    let done = Case::new("Auto", &Kept::default()).run(&for_ever).await;
    assert!(done.outcome.contains("it asks for one thing after the other"), "{}", done.outcome);
}

#[tokio::test]
async fn a_session_is_kept_and_used() {
    let memory = Kept::of(&[]);
    let page = |cookies| (200, cookies, PAGE.to_owned());
    let answers = vec![(200, Vec::new(), SUCCESS.to_owned()), page(vec!["sid=102one; Path=/; Secure; HttpOnly"])];
    let done = Case::new("Auto", &memory).run_with(answers).await;
    let device = memory.get(Kind::Device).unwrap();
    assert_eq!(memory.get(Kind::IdpSession).as_deref(), Some("102one"));
    assert!(device.len() == 32 && device.bytes().all(|b| b.is_ascii_alphanumeric()), "{device}");
    assert!(done.sent[0].starts_with(&format!("Post /api/v1/authn [DT={device}] ")), "{}", done.sent[0]);
    assert!(done.sent[0].ends_with(&format!(",\"context\":{{\"deviceToken\":\"{device}\"}}}}")), "{}", done.sent[0]);
    // The next sign-in is one request, and a session that Okta renews is kept anew.
    let done = Case::new("Auto", &memory).run_with(vec![page(vec!["sid=102two; Path=/; Secure; HttpOnly"])]).await;
    assert_eq!(done.sent, [format!("Get /home/amazon_aws/0oa1/272 [DT={device}; sid=102one]")]);
    assert_eq!((memory.get(Kind::IdpSession).as_deref(), memory.get(Kind::Device)), (Some("102two"), Some(device)));
}

#[tokio::test]
async fn a_session_that_is_over_is_forgotten() {
    let memory = Kept::of(&[(Kind::IdpSession, "102old"), (Kind::Device, "d")]);
    let alice = Alice { codes: Mutex::new(vec!["123456"]), ..Alice::default() };
    let case = Case { alice, ..Case::new("TOTP", &memory) };
    let done = case.run(&[(200, LOGIN), (200, MFA), (200, SUCCESS), (200, "<title>Closed for today</title>")]).await;
    assert!(
        done.outcome.starts_with("did not understand the page after the sign-in: https://acme.okta.com/login/"),
        "{}",
        done.outcome
    );
    assert_eq!((memory.get(Kind::IdpSession), memory.get(Kind::Device).as_deref()), (None, Some("d")));
    assert!(
        done.sent[2].starts_with("Post /api/v1/authn/factors/uftm3iHSGFQXHCUSDAND/verify?rememberDevice=true ["),
        "{:?}",
        done.sent
    );
    assert_eq!(done.sent.len(), 4);
}

#[tokio::test]
async fn neither_is_kept_where_the_account_says_so() {
    let memory = Kept::of(&[(Kind::IdpSession, "102old"), (Kind::Device, "d")]);
    let own = [(SESSIONS, "true"), (DEVICE, "yes")];
    let answers = vec![(200, Vec::new(), SUCCESS.to_owned()), (200, vec!["sid=102new"], PAGE.to_owned())];
    let done = Case { own: &own, ..Case::new("Auto", &memory) }.run_with(answers).await;
    assert_eq!(done.sent, [authn(), ENTER.to_owned()]);
    assert_eq!(memory.get(Kind::IdpSession).as_deref(), Some("102old"));
}

#[tokio::test]
async fn an_application_that_asks_for_more_gets_one_factor() {
    let step_up = saved!("step-up.html");
    let alice = || Alice { codes: Mutex::new(vec!["123456"]), ..Alice::default() };
    let asked = r#"Post /api/v1/authn [sid=102one] {"stateToken":"00POAgFj-LRueYUC1p7GF"}"#;
    let back = "Get /login/step-up/redirect?stateToken=00quAZYqYjXg9DZhS5UzE1wrJuQ6KKb_kzOeH7OGB5 [sid=102one]";
    // With a session of an earlier sign-in: no password.
    let memory = Kept::of(&[(Kind::IdpSession, "102one")]);
    let case = Case { alice: alice(), own: &[(DEVICE, "true")], ..Case::new("OKTA", &memory) };
    let done = case.run(&[(200, step_up), (200, MFA), (200, saved!("step-up-success.json")), (200, PAGE)]).await;
    assert_eq!((done.outcome.as_str(), done.sent[1].as_str(), done.sent[3].as_str()), ("PHNhbWw+", asked, back));
    // After a sign-in in full.
    let none = Kept::default();
    let answers = [(200, SUCCESS), (200, step_up), (200, MFA), (200, saved!("step-up-success.json")), (200, PAGE)];
    let done = Case { alice: alice(), ..Case::new("OKTA", &none) }.run(&answers).await;
    assert_eq!(done.outcome, "PHNhbWw+");
    // For ever.
    let more = saved!("step-up-success.json");
    let answers =
        [(200, SUCCESS), (200, step_up), (200, more), (200, step_up), (200, more), (200, step_up), (200, more), (200, step_up)];
    let done = Case::new("OKTA", &none).run(&answers).await;
    assert_eq!(done.outcome, "acme.okta.com redirects in circles");
    // By Okta Identity Engine, which this interface cannot answer. The session is not tried again.
    let memory = Kept::of(&[(Kind::IdpSession, "102one")]);
    let answers = [(200, step_up), (401, saved!("identity-engine.json"))];
    let done = Case::new("OKTA", &memory).run(&answers).await;
    assert!(
        done.outcome.starts_with("Okta refused the sign-in: \"Invalid token provided (E0000011): the application asks"),
        "{}",
        done.outcome
    );
    assert_eq!(memory.get(Kind::IdpSession), None);
}

#[tokio::test]
async fn refusals_are_in_oktas_words() {
    for (answers, said) in [
        (&[(401, saved!("wrong-password.json"))][..], "Okta refused the sign-in: \"Authentication failed (E0000004)\""),
        (&[(200, saved!("locked-out.json"))], "Okta refused the sign-in: \"the account is locked (LOCKED_OUT)\""),
        (
            &[(429, saved!("rate-limit.json"))],
            "Okta refused the sign-in: \"API call exceeded rate limit due to too many requests. (E0000047)\"",
        ),
        (
            &[(200, SUCCESS), (403, "<p class=error>You do not have access to AWS.</p>")],
            "Okta refused the sign-in: \"You do not have access to AWS.\"",
        ),
        (
            &[(200, SUCCESS), (200, "<form action=https://evil.example/acs><input name=SAMLResponse value=x></form>")],
            "Okta sends its SAML response to https://evil.example/acs, which is not where urn:amazon:webservices receives it",
        ),
        (
            &[(200, saved!("sms-sent.json"))],
            "did not understand the answer of Okta to the password (HTTP 200): it is about a factor that was not begun",
        ),
        (&[(200, MFA)], "the second factor is not known, and nobody can be asked (no terminal, `--no-input` or `--skip-prompt`)"),
    ] {
        assert_eq!(Case::new("Auto", &Kept::default()).run(answers).await.outcome, said);
    }
    let done = Case::new("DUO", &Kept::default()).run(&[(200, MFA)]).await;
    assert_eq!(done.outcome, "Okta asks for a second factor that cannot be done here: DUO");
}

#[test]
fn wants_an_embed_link_and_a_known_factor() {
    let open = |url: &str, mfa: &str| {
        PROVIDER.open(&Settings::new(WebUrl::parse(url).unwrap(), mfa)).map(|_| ()).map_err(|error| error.key)
    };
    for url in [
        APP,
        "https://acme.okta.com/home/amazon_aws/0oa1/272?fromHome=true",
        "https://acme.oktapreview.com/app/amazon_aws/exk1/sso/saml",
        "https://login.acme.example/app/acme_alibaba_1/exk1/sso/saml",
    ] {
        assert_eq!(open(url, "Auto"), Ok(()), "{url}");
    }
    for url in ["https://acme.okta.com", "https://acme.okta.com/app/UserHome", "https://acme.okta.com/login/login.htm"] {
        assert_eq!(open(url, "Auto"), Err("url"), "{url}");
    }
    assert_eq!(open(APP, "yubico token:hardware"), Ok(()));
    assert_eq!(open(APP, "pigeon"), Err("mfa"));
    let settings = Settings::new(WebUrl::parse(APP).unwrap(), "Auto").with_own(PROVIDER.fields(), |_| Some("maybe".to_owned()));
    assert_eq!(PROVIDER.open(&settings).map(|_| ()).map_err(|error| error.key), Err(SESSIONS));
}
