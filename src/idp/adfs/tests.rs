//! Pages as AD FS sends them, pages made to mislead, and walks through them in a scripted world.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::PROVIDER;
use super::pages::{Seen, complaint, read};
use crate::ask::{Answers, NoAnswer, Question, Topic};
use crate::http::{Browser, Form, Page};
use crate::idp::{Memory, Provider, Session, Settings, SignInError};
use crate::types::{Secret, ServiceProvider, Timestamp, Untrusted, WebUrl};
use crate::vault::Kind;
use crate::world::{Clock, Request, Response, Transport, TransportError};

/// A saved page.
macro_rules! page {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/idp/", $name, ".html"))
    };
}
pub(super) use page;

const BASE: &str = "https://fs.acme.example/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=urn%3Aamazon%3Awebservices";

fn parse(html: &str) -> Page {
    Page::parse(WebUrl::parse(BASE).unwrap(), 200, html)
}

fn body(page: &Page, form: &Form) -> String {
    form.request(&page.url).unwrap().body.map(|body| body.expose().clone()).unwrap_or_default()
}

fn told(html: &str) -> String {
    let page = parse(html);
    match read(&page) {
        Seen::Response(_) => "response".into(),
        Seen::Login { form, username, password } => format!("login {username} {password} {}", body(&page, &form)),
        Seen::Code { field, .. } => format!("code {field}"),
        Seen::NextCode { field, .. } => format!("next code {field}"),
        Seen::Wait { number, instructions, .. } => {
            format!("wait {} {}", number.map(|n| n.to_string()).unwrap_or_default(), instructions.is_some())
        }
        Seen::Open(form) => format!("open {}", body(&page, &form)),
        Seen::Choice { ways, unknown } => {
            let ways: Vec<String> = ways.iter().map(|w| format!("{}={}", w.adapter.word(), body(&page, &w.form))).collect();
            format!("choice {} / {}", ways.join(" "), unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        }
        Seen::Unknown(method) => format!("unknown {method}"),
        Seen::Denied => "denied".into(),
        Seen::Lost => "lost".into(),
    }
}

#[test]
fn real_pages_are_understood() {
    let context = "Context=%3CEncryptedData%3Ea%2Bb%2Fc%3D%3D%3C%2FEncryptedData%3E";
    let open = format!("open AuthMethod=SecurIDv2Authentication&{context}&InitStatus=true");
    let cases = [
        // The box "keep me signed in" stays off, and the second form's field is not mixed in.
        (page!("adfs/login"), "login UserName Password UserName=&Password=&AuthMethod=FormsAuthentication"),
        (
            page!("adfs/login-wrong"),
            "login UserName Password UserName=alice%40example.com&Password=&AuthMethod=FormsAuthentication",
        ),
        (page!("adfs/vip"), "code security_code"),
        (page!("adfs/azure-start"), "wait  true"),
        (page!("adfs/azure-number"), "wait 42 true"),
        (page!("adfs/azure-denied"), "wait  false"),
        (page!("adfs/azure-server"), "wait  true"),
        (page!("adfs/azure-code"), "code VerificationCode"),
        (page!("adfs/defender"), "code OathCode"),
        (
            page!("adfs/choice"),
            "choice Azure=AuthMethod=AzureMfaAuthentication VIP=AuthMethod=VIPAuthenticationProviderUPN / Duo Authentication for AD FS",
        ),
        (page!("adfs/duo"), "unknown DuoAdfsAdapter"),
        (page!("adfs/duo-universal"), "unknown DuoAdfsAdapter"),
        (page!("adfs/new-password"), "lost"),
        (page!("adfs/error"), "denied"),
        (page!("adfs/response"), "response"),
        (page!("adfs2/passcode"), "code Passcode"),
        (page!("adfs2/next-code"), "next code NextCode"),
        (page!("adfs2/second-edition"), open.as_str()),
        ("<title>Sign In</title><script>location='x'</script>", "lost"),
        ("<form method=post><input type=hidden name=AuthMethod value=FormsAuthentication></form>", "lost"),
        ("<form method=post><input type=hidden name=SAMLResponse value=''></form>", "lost"),
        ("", "lost"),
    ];
    for (index, (html, expected)) in cases.into_iter().enumerate() {
        assert_eq!(told(html), expected, "page {index}");
    }
}

#[test]
fn complaints_are_those_of_ad_fs() {
    let said = |html: &str| complaint(&parse(html)).map(|text| text.to_string());
    assert_eq!(said(page!("adfs/login")), None);
    let wrong = "Incorrect user ID or password. Type the correct user ID and password, and try again.";
    assert_eq!(said(page!("adfs/login-wrong")).as_deref(), Some(wrong));
    assert!(said(page!("adfs/login-locked")).unwrap().contains("currently locked out"));
    assert!(said(page!("adfs/error")).unwrap().starts_with("An error occurred The resource you are trying"));
}

#[test]
fn settings_are_checked() {
    let open =
        |url: &str, mfa: &str| PROVIDER.open(&Settings::new(WebUrl::parse(url).unwrap(), mfa)).map(|_| ()).map_err(|e| e.key);
    for url in
        ["https://fs.acme.example", "https://fs.acme.example/sso/", "https://fs.acme.example/adfs/ls/idpinitiatedsignon.aspx?x=1"]
    {
        assert_eq!(open(url, "auto"), Ok(()), "{url}");
    }
    assert_eq!(open("https://fs.acme.example/adfs/ls/?wa=wsignin1.0", "Auto"), Err("url"));
    assert_eq!(open("https://fs.acme.example", "RSA"), Err("mfa"));
}

/// Gives the pages one after the other, the last one for ever, and keeps what it was sent.
struct Script {
    pages: Mutex<VecDeque<&'static str>>,
    sent: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let body = request.body.as_ref().map(|body| body.expose().clone()).unwrap_or_default();
        self.sent.lock().unwrap().push(format!("{} {body}", request.url.expose()));
        let mut pages = self.pages.lock().unwrap();
        let page = if pages.len() > 1 { pages.pop_front() } else { pages.front().copied() };
        Ok(Response { status: 200, headers: Vec::new(), body: page.unwrap_or_default().into() })
    }
}

/// Alice at a terminal, with codes to type.
struct Alice {
    codes: Mutex<VecDeque<&'static str>>,
    told: Mutex<Vec<String>>,
    takes: usize,
}

#[async_trait]
impl Answers for Alice {
    async fn text(&self, question: &Question<'_>) -> Result<String, NoAnswer> {
        match question.topic {
            Topic::Username => Ok("alice@example.com".to_owned()),
            _ => self.codes.lock().unwrap().pop_front().map(str::to_owned).ok_or(NoAnswer::NotHere),
        }
    }
    async fn secret(&self, question: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        if question.topic == Topic::Password {
            return Ok("pass word".into());
        }
        self.text(question).await.map(Secret::new)
    }
    async fn choose(&self, _: &Question<'_>, options: &[Untrusted]) -> Result<usize, NoAnswer> {
        (self.takes < options.len()).then_some(self.takes).ok_or(NoAnswer::NotHere)
    }
    fn can_ask(&self, _: Topic) -> bool {
        true
    }
    fn notify(&self, notice: &str) {
        self.told.lock().unwrap().push(notice.to_owned());
    }
}

/// A clock that only sleeping moves.
struct Still(AtomicI64);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.0.load(Ordering::Relaxed)).unwrap()
    }
    async fn sleep(&self, pause: Duration) {
        self.0.fetch_add(i64::try_from(pause.as_secs()).unwrap(), Ordering::Relaxed);
    }
}

struct Nothing;

impl Memory for Nothing {
    fn recall(&self, _: Kind) -> Option<Secret<String>> {
        None
    }
    fn keep(&self, _: Kind, _: &Secret<String>) {}
    fn forget(&self, _: Kind) {}
}

/// How a walk ended, what was sent, and what Alice was told.
pub(super) struct Walked {
    pub(super) end: Result<(), SignInError>,
    pub(super) sent: Vec<String>,
    told: Vec<String>,
}

impl Walked {
    pub(super) fn error(&self) -> String {
        self.end.as_ref().unwrap_err().to_string()
    }
}

pub(super) fn walk(provider: &dyn Provider, mfa: &str, pages: &[&'static str], codes: &[&'static str], takes: usize) -> Walked {
    let script = Script { pages: Mutex::new(pages.iter().copied().collect()), sent: Mutex::default() };
    let alice = Alice { codes: Mutex::new(codes.iter().copied().collect()), told: Mutex::default(), takes };
    let sp = ServiceProvider {
        entity_id: "urn:amazon:webservices".into(),
        is_acs: |url| url.to_string() == "https://signin.aws.amazon.com/saml",
        is_clouds: |_, _| false,
        target: None,
        web_identity: crate::idp::NO_WEB_IDENTITY,
    };
    let clock = Still(AtomicI64::new(1_800_000_000));
    let mut session = Session {
        browser: Browser::new(&script),
        answers: &alice,
        clock: &clock,
        memory: &Nothing,
        sp: &sp,
        machine: crate::idp::Machine::bare(),
        standing: crate::idp::Standing::default(),
    };
    let idp = provider.open(&Settings::new(WebUrl::parse("https://fs.acme.example").unwrap(), mfa)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let end = runtime.block_on(idp.sign_in(&mut session)).map(|_| ());
    Walked { end, sent: script.sent.into_inner().unwrap(), told: alice.told.into_inner().unwrap() }
}

pub(super) const LOGIN: &str = page!("adfs/login");
const VIP: &str = page!("adfs/vip");
pub(super) const RESPONSE: &str = page!("adfs/response");

#[test]
fn a_password_alone() {
    let done = walk(&PROVIDER, "Auto", &[LOGIN, RESPONSE], &[], 0);
    assert!(done.end.is_ok());
    let action = format!("{BASE}&client-request-id=6f1c3f0a-54d1-4a1b-8a2e-0080000000d1");
    let login = format!("{action} UserName=alice%40example.com&Password=pass+word&AuthMethod=FormsAuthentication");
    assert_eq!(done.sent, [format!("{BASE} "), login]);
}

#[test]
fn a_code_goes_to_its_own_page_with_that_pages_fields() {
    let done = walk(&PROVIDER, "Auto", &[LOGIN, VIP, RESPONSE], &[" 123456 "], 0);
    assert!(done.end.is_ok());
    let sent = &done.sent[2];
    assert!(sent.contains("AuthMethod=VIPAuthenticationProviderWindowsAccountName&Context=%3CEncryptedData%3E"), "{sent}");
    assert!(sent.ends_with("&username=&password=&security_code=123456&Continue=Continue"), "{sent}");
    assert!(!sent.contains("alice") && !sent.contains("pass+word"), "{sent}");
}

#[test]
fn wrong_codes_end() {
    let wrong = page!("adfs/vip-wrong");
    let done = walk(&PROVIDER, "VIP", &[LOGIN, VIP, wrong], &["1", "2", "3", "4", "5"], 0);
    let message = "ADFS refused the one-time code: \"Authentication failed due to invalid security code or server error.\"";
    assert_eq!((done.error().as_str(), done.sent.len(), done.told.len()), (message, 5, 2));
    // One that was given is tried once.
    let done = walk(&PROVIDER, "VIP", &[LOGIN, VIP, wrong], &["1"], 0);
    assert_eq!((done.error().as_str(), done.sent.len()), (message, 3));
    let done = walk(&PROVIDER, "VIP", &[LOGIN, VIP], &[], 0);
    assert!(matches!(done.end, Err(SignInError::Unanswered { topic: Topic::Otp, .. })));
}

#[test]
fn refusals_are_the_pages() {
    let done = walk(&PROVIDER, "Auto", &[LOGIN, page!("adfs/login-locked")], &[], 0);
    let locked = "The referenced account is currently locked out and may not be logged on to.";
    assert_eq!((done.error(), done.sent.len()), (format!("ADFS refused the sign-in: \"{locked}\""), 2));
    let done = walk(&PROVIDER, "Auto", &[page!("adfs/error")], &[], 0);
    assert!(done.error().starts_with("ADFS refused the sign-in: \"An error occurred"), "{}", done.error());
    let done = walk(&PROVIDER, "Auto", &[LOGIN, page!("adfs/new-password")], &[], 0);
    assert!(
        done.error().contains("after the password") && done.error().contains("Your password has expired."),
        "{}",
        done.error()
    );
    let done = walk(&PROVIDER, "Auto", &[LOGIN, page!("adfs/duo")], &[], 0);
    assert_eq!(done.error(), "ADFS asks for a second factor that cannot be done here: DuoAdfsAdapter");
}

#[test]
fn an_approval_is_waited_for_and_its_number_told_once() {
    let number = page!("adfs/azure-number");
    let done = walk(&PROVIDER, "Auto", &[LOGIN, page!("adfs/azure-start"), number, number, number, RESPONSE], &[], 0);
    assert!(done.end.is_ok());
    assert_eq!(done.told.len(), 4, "{:?}", done.told);
    assert_eq!(done.told[3], "42");
    let denied = walk(&PROVIDER, "Azure", &[LOGIN, number, page!("adfs/azure-denied")], &[], 0);
    assert_eq!(denied.error(), "ADFS refused the push approval: \"The request was denied.\"");
    // Nobody answers: it ends by the clock, and by the count.
    let never = walk(&PROVIDER, "Azure", &[LOGIN, number], &[], 0);
    assert_eq!(never.error(), "ADFS refused the push approval: \"the approval was not given in time\"");
    assert!(never.sent.len() < 190, "{}", never.sent.len());
}

#[test]
fn an_approval_may_turn_into_a_code() {
    let pages = [LOGIN, page!("adfs/azure-start"), page!("adfs/azure-code"), RESPONSE];
    let done = walk(&PROVIDER, "Auto", &pages, &["123456"], 0);
    assert!(done.end.is_ok());
    assert!(done.sent[3].ends_with("&__EVENTTARGET=&VerificationCode=123456&SignIn=Sign+in"), "{}", done.sent[3]);
}

#[test]
fn ways_are_chosen_by_wish_or_person() {
    let choice = page!("adfs/choice");
    let way = |done: &Walked| done.sent[2].rsplit(' ').next().unwrap().to_owned();
    for (mfa, takes) in [("VIP", 9), ("Auto", 1)] {
        let done = walk(&PROVIDER, mfa, &[LOGIN, choice, VIP, RESPONSE], &["1"], takes);
        assert!(done.end.is_ok(), "{}", done.error());
        assert_eq!(way(&done), "AuthMethod=VIPAuthenticationProviderUPN");
    }
    // The page is VIP's, and offers the other.
    let done = walk(&PROVIDER, "azure", &[LOGIN, VIP, page!("adfs/azure-number"), RESPONSE], &[], 9);
    assert!(done.end.is_ok(), "{}", done.error());
    assert_eq!(way(&done), "AuthMethod=AzureMfaAuthentication");
    // Not offered: what is asked for is done.
    assert!(walk(&PROVIDER, "Defender", &[LOGIN, VIP, RESPONSE], &["1"], 9).end.is_ok());
    let nobody = walk(&PROVIDER, "Auto", &[LOGIN, choice], &[], 9);
    assert!(matches!(nobody.end, Err(SignInError::Ambiguous { .. })));
    // A page that offers the same ways for ever.
    let done = walk(&PROVIDER, "Azure", &[LOGIN, choice], &[], 9);
    assert!(matches!(done.end, Err(SignInError::Unrecognised { .. })) && done.sent.len() == 3);
}

#[test]
fn a_response_goes_to_the_cloud_or_nowhere() {
    let done = walk(
        &PROVIDER,
        "Auto",
        &[LOGIN, "<form method=post action=https://evil.example/><input name=SAMLResponse value=x>"],
        &[],
        0,
    );
    assert!(matches!(done.end, Err(SignInError::WrongAddressee { .. })));
    let done = walk(
        &PROVIDER,
        "Auto",
        &["<form method=post action=http://evil.example/><input name=UserName><input type=password name=Password>"],
        &[],
        0,
    );
    assert!(matches!(done.end, Err(SignInError::Browse(_))) && done.sent.len() == 1);
}
