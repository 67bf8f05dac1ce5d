//! A login at Okta: which requests, which words, which files; and, over the library because it takes a memory, what a second
//! sign-in saves.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use saml2cloud::ask::{Answers, NoAnswer, Question, Topic};
use saml2cloud::http::Browser;
use saml2cloud::idp::{self, Machine, Memory, Session, Settings, Standing};
use saml2cloud::types::{Secret, ServiceProvider, Untrusted, WebUrl};
use saml2cloud::vault::Kind;
use saml2cloud::world::{self, Method, SystemClock, Transport, TransportError};
use sandbox::{Fault, Person, Push, Sandbox};

use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room};

const ORG: &str = "acme.okta.com";

fn app(cloud: Cloud) -> String {
    format!("https://{ORG}/home/acme_{}/0oa1/272", cloud.word)
}

/// The guide's account at Okta, with the role that everybody has.
fn production(room: &Room, cloud: Cloud, user: &str, lines: &str) {
    let lines = format!("role_arn = \"{}\"\n{lines}", cloud.role);
    room.account_at(cloud, "production", user, "Okta", &app(cloud), &lines);
}

/// What a login costs: before the second factor, after it. `~` is a factor's own address.
fn requests(cloud: Cloud, factor: &[&str]) -> Vec<String> {
    let mut all = vec![format!("POST {ORG}/api/v1/authn")];
    all.extend(factor.iter().map(|line| line.replace('~', &format!("{ORG}/api/v1/authn"))));
    all.extend([
        format!("GET {ORG}/login/sessionCookieRedirect"),
        format!("GET {ORG}/home/acme_{}/0oa1/272", cloud.word),
        format!("POST {}/", cloud.sts),
    ]);
    all
}

#[test]
fn a_password_is_enough_where_no_factor_is_set_up() {
    for cloud in CLOUDS {
        let room = Room::new();
        production(&room, cloud, "bob", "");
        let done = room.call("login -a production --verbose").by("bob").run().exits(0);
        done.says(&[&format!("Selected role: {}", cloud.role)]);
        assert_eq!(room.requests(), requests(cloud, &[]));
        let first = &room.sandbox.requests()[0];
        assert_eq!(first.params, ["username", "password", "options"]);
        let second = &room.sandbox.requests()[1];
        assert_eq!(second.query, ["checkAccountSetupComplete", "token", "redirectUrl"]);
    }
}

#[test]
fn a_code_is_checked_by_one_request() {
    for (user, mfa, factor) in [
        ("alice", "Auto", "POST ~/factors/ostaliceexamplecom/verify"),
        ("alice", "TOTP", "POST ~/factors/ostaliceexamplecom/verify"),
        ("olivia", "TOTP", "POST ~/factors/uftoliviaexamplecom/verify"),
        ("uma", "SYMANTEC", "POST ~/factors/symumaexamplecom/verify"),
    ] {
        let room = Room::new();
        production(&room, AWS, user, "");
        let call = room.call(&format!("login -a production --mfa {mfa}")).with_code(user);
        call.var("SAML2CLOUD_KEYCHAIN", "none").run().exits(0);
        assert_eq!(room.requests(), requests(AWS, &[factor]));
        // Nothing to remember the machine by, so Okta is not asked to.
        let verify = &room.sandbox.requests()[1];
        assert_eq!((&verify.params[..], &verify.query[..]), (&["stateToken".to_owned(), "passCode".to_owned()][..], &[][..]));
    }
}

#[test]
fn a_push_is_waited_for_and_its_number_shown() {
    for (user, says) in [("carol", None), ("peggy", Some("Correct Answer: 92"))] {
        let room = Room::new();
        production(&room, AWS, user, "");
        let done = room.call("login -a production").by(user).run().exits(0);
        done.says(&["please check your Okta Verify app", says.unwrap_or_default()]);
        let verify = format!("POST ~/factors/opf{user}examplecom/verify");
        // One to send it, two that find it pending, one that finds it approved.
        assert_eq!(room.requests(), requests(AWS, &[&verify, &verify, &verify, &verify]));
        // What has to be done to go on is shown all the same.
        let quiet = room.call("login -a production --force --quiet").by(user).run().exits(0);
        quiet.says(&["please check your Okta Verify app", says.unwrap_or_default()]).does_not_say("Authenticating");
    }
}

#[test]
fn a_push_that_is_not_approved_ends_in_a_refusal() {
    for (user, said) in [("erin", "rejected (REJECTED)"), ("frank", "not answered in time (TIMEOUT)"), ("grace", "(TIMEOUT)")] {
        let room = Room::new();
        let person = room.sandbox.directory().person(&format!("{user}@example.com")).unwrap().clone();
        if user == "grace" {
            room.sandbox.put(Person { push: Push::Never { seconds: 1 }, ..person });
        }
        production(&room, AWS, user, "");
        let before = room.tree();
        let done = room.call("login -a production").by(user).run().exits(3);
        done.says(&["error: Okta refused the push approval: \"the push was ", said]);
        assert_eq!((room.tree(), room.asked(AWS.sts)), (before, 0), "{user}");
    }
}

#[test]
fn a_message_is_sent_once_and_its_code_may_come_with_the_next_call() {
    for (user, mfa, id, to) in
        [("nick", "SMS", "smsnickexamplecom", "+1 XXX-XXX-1337"), ("olivia", "EMAIL", "emfoliviaexamplecom", "o...a@example.com")]
    {
        let room = Room::new();
        production(&room, AWS, user, &format!("mfa = \"{mfa}\""));
        // Nobody is there to type it.
        let done = room.call("login -a production").by(user).run().exits(4);
        done.says(&[&format!("Okta has sent a code to {to}"), "the one-time code is not known", "--mfa-token CODE"]);
        let again = room.call("login -a production").by(user).run().exits(3);
        again.says(&["Okta refused the one-time code: \"An SMS message was recently sent. Please wait 30 seconds"]);
        room.sandbox.clear_requests();
        let code = room.sandbox.message(&format!("{user}@example.com"));
        room.call("login -a production --mfa-token").arg(&code).by(user).run().exits(0);
        assert_eq!(room.requests(), requests(AWS, &[&format!("POST ~/factors/{id}/verify")]));
    }
}

#[test]
fn of_several_factors_the_named_one_is_taken() {
    let room = Room::new();
    production(&room, AWS, "dave", "");
    let asks = room.call("login -a production").with_code("dave").run().exits(4);
    asks.says(&["the second factor is not known", "--mfa NAME"]);
    room.sandbox.clear_requests();
    room.call("login -a production --mfa OKTA").with_code("dave").run().exits(0);
    assert_eq!(room.requests(), requests(AWS, &["POST ~/factors/ostdaveexamplecom/verify"]));
    // What is not offered is replaced by the only one that is, and said so.
    let room = Room::new();
    production(&room, AWS, "alice", "");
    let done = room.call("login -a production --mfa PUSH").with_code("alice").run().exits(0);
    done.says(&["Okta does not offer `PUSH`; taking `OKTA`"]);
}

#[test]
fn factors_that_cannot_be_done_here_are_named() {
    for (user, mfa, says) in [
        ("ivan", "Auto", ["cannot be done here: FIDO WEBAUTHN, DUO WEB", "hint: set up"]),
        ("yves", "Auto", ["cannot be done here: OKTA CALL, OKTA QUESTION, OKTA SIGNED_NONCE", "hint: set up"]),
        ("dave", "DUO", ["cannot be done here: DUO", "hint: choose another with `--mfa`: OKTA, PUSH"]),
    ] {
        let room = Room::new();
        production(&room, AWS, user, "");
        room.call(&format!("login -a production --mfa {mfa}")).by(user).run().exits(3).says(&says);
    }
}

#[test]
fn a_refusal_is_in_oktas_words_and_changes_nothing() {
    for (user, said) in [
        ("oscar", "the account is locked (LOCKED_OUT)"),
        ("rupert", "the password has expired: set a new one with a browser (PASSWORD_EXPIRED)"),
        ("sybil", "a second factor must be set up first: sign in once with a browser (MFA_ENROLL)"),
        ("xenia", "You are not allowed to access this app."),
        (
            "zoe",
            "Invalid token provided (E0000011): the application asks for more than the organisation does, in Okta Identity Engine",
        ),
    ] {
        let room = Room::new();
        production(&room, AWS, user, "");
        let before = room.tree();
        let done = room.call("login -a production").by(user).run().exits(3);
        done.says(&[&format!("error: Okta refused the sign-in: \"{said}")]);
        assert_eq!((room.tree(), room.asked(AWS.sts)), (before, 0), "{user}");
    }
    let room = Room::new();
    production(&room, AWS, "alice", "");
    let wrong = room.call("login -a production").var("SAML2CLOUD_PASSWORD", "not-her-password").run().exits(3);
    wrong.says(&["error: Okta refused the sign-in: \"Authentication failed (E0000004)\""]);
    let wrong = room.call("login -a production --mfa-token 000000").by("alice").run().exits(3);
    wrong.says(&["Okta refused the one-time code: \"Invalid Passcode/Answer: Your passcode doesn't match our records."]);
    // One given code is one try: Okta counts them.
    assert_eq!(room.requests().iter().filter(|line| line.ends_with("/verify")).count(), 1);
}

#[test]
fn what_can_be_passed_over_is() {
    for (user, says) in
        [("victor", "Your Okta password expires in 5 days"), ("walter", "Okta proposes to set up another second factor")]
    {
        let room = Room::new();
        production(&room, AWS, user, "");
        room.call("login -a production").by(user).run().exits(0).says(&[says]);
        assert_eq!(room.requests(), requests(AWS, &["POST ~/skip"]));
    }
}

#[test]
fn an_application_that_asks_for_more_gets_it() {
    let room = Room::new();
    production(&room, AWS, "wendy", "");
    room.call("login -a production --verbose").with_code("wendy").run().exits(0);
    let page = format!("GET {ORG}/home/acme_aws/0oa1/272");
    let all = [
        &format!("POST {ORG}/api/v1/authn"),
        &format!("GET {ORG}/login/sessionCookieRedirect"),
        &page,
        &format!("POST {ORG}/api/v1/authn"),
        &format!("POST {ORG}/api/v1/authn/factors/ostwendyexamplecom/verify"),
        &format!("GET {ORG}/login/step-up/redirect"),
        &page,
        &format!("POST {}/", AWS.sts),
    ];
    assert_eq!(room.requests().iter().collect::<Vec<_>>(), all);
}

#[test]
fn an_application_of_the_other_cloud_gets_no_further() {
    for (cloud, other) in [(AWS, ALIBABA), (ALIBABA, AWS)] {
        let room = Room::new();
        room.account_at(cloud, "production", "bob", "Okta", &app(other), "");
        room.call("login -a production").by("bob").run().exits(3).says(&["SAML response to https://signin.", "hint: is `url`"]);
        assert_eq!(room.asked(cloud.sts), 0);
    }
}

#[test]
fn too_many_requests_are_told() {
    let room = Room::new();
    production(&room, AWS, "bob", "");
    let body = include_str!("../../fixtures/idp/okta/rate-limit.json").to_owned();
    room.sandbox.fault(ORG, Fault::Status(429, body, "application/json".to_owned()));
    let done = room.call("login -a production").by("bob").run().exits(3);
    done.says(&["Okta refused the sign-in: \"API call exceeded rate limit due to too many requests. (E0000047)\""]);
    // A password is sent once, whatever comes back.
    assert_eq!(room.requests(), [format!("POST {ORG}/api/v1/authn")]);
}

#[test]
fn an_answer_that_is_not_oktas_is_not_believed() {
    for (path, body, says) in [
        (
            "/api/v1/authn",
            "<html>Proxy</html>",
            "did not understand the answer of Okta to the password (HTTP 200): it is not the JSON",
        ),
        ("/api/v1/authn", "{\"status\":\"NEW\"}", "its state is not one that is known (NEW)"),
        (
            "/login/",
            "<title>Maintenance\u{1b}[2J</title>",
            "did not understand the page after the sign-in: https://acme.okta.com/login/",
        ),
    ] {
        let room = Room::new();
        production(&room, AWS, "bob", "");
        room.sandbox.fault(ORG, Fault::Status(200, body.to_owned(), "text/html".to_owned()).on_path(path));
        room.call("login -a production").by("bob").run().exits(1).says(&[says]);
    }
}

#[test]
fn settings_that_will_not_do_are_told_before_anybody_is_asked() {
    for (url, lines, says) in [
        ("https://acme.okta.com", "", "`url` will not do for Okta: it should be the application's embed link"),
        ("https://acme.okta.com/app/UserHome", "", "not the organisation's address"),
        (&app(AWS)[..], "mfa = \"pigeon\"", "`mfa` will not do for Okta: `pigeon` is not one of Auto, PUSH, DUO, SMS"),
        (&app(AWS), "disable_sessions = \"maybe\"", "`disable_sessions` will not do for Okta: `maybe` is neither true nor false"),
    ] {
        let room = Room::new();
        room.account_at(AWS, "production", "bob", "Okta", url, lines);
        room.call("login -a production").by("bob").run().exits(2).says(&[says]);
        assert!(room.requests().is_empty());
    }
    // As the old tool wrote them.
    let room = Room::new();
    production(&room, AWS, "bob", "disable_remember_device = false\ndisable_sessions = true");
    room.call("login -a production").by("bob").run().exits(0);
}

/// The product's browser on a client that is told of the box, as a process has only one environment.
struct InBox(reqwest::Client);

impl InBox {
    fn new(sandbox: &Sandbox) -> Self {
        world::init_tls();
        let root = reqwest::Certificate::from_pem(&std::fs::read(sandbox.ca_file()).unwrap()).unwrap();
        let proxy = reqwest::Proxy::all(sandbox.proxy_url()).unwrap();
        let builder = reqwest::Client::builder().proxy(proxy).tls_certs_only([root]);
        Self(builder.redirect(reqwest::redirect::Policy::none()).build().unwrap())
    }
}

#[async_trait]
impl Transport for InBox {
    async fn send(&self, request: &world::Request) -> Result<world::Response, TransportError> {
        let url = request.url.expose().clone();
        let mut builder = match request.method {
            Method::Get => self.0.get(url),
            Method::Post => self.0.post(url),
        };
        for (name, value) in &request.headers {
            builder = builder.header(*name, value.expose());
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.expose().clone());
        }
        let response = builder.send().await.unwrap();
        let header = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            (name.as_str().to_owned(), Secret::from(value.to_str().unwrap()))
        };
        let headers = response.headers().iter().map(header).collect();
        Ok(world::Response { status: response.status().as_u16(), headers, body: response.text().await.unwrap().into() })
    }
}

#[derive(Default)]
struct Kept(Mutex<BTreeMap<&'static str, String>>);

impl Memory for Kept {
    fn recall(&self, kind: Kind) -> Option<Secret<String>> {
        self.0.lock().unwrap().get(kind.word()).map(|value| value.as_str().into())
    }
    fn keep(&self, kind: Kind, value: &Secret<String>) {
        self.0.lock().unwrap().insert(kind.word(), value.expose().clone());
    }
    fn forget(&self, kind: Kind) {
        self.0.lock().unwrap().remove(kind.word());
    }
}

/// Somebody who types what the box says.
struct Typist<'b>(&'b Sandbox, &'static str);

#[async_trait]
impl Answers for Typist<'_> {
    async fn text(&self, question: &Question<'_>) -> Result<String, NoAnswer> {
        Ok(match question.topic {
            Topic::Username => self.1.to_owned(),
            _ => self.0.code(self.1),
        })
    }
    async fn secret(&self, _: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        Ok(self.0.directory().person(self.1).unwrap().password.as_str().into())
    }
    async fn choose(&self, _: &Question<'_>, _: &[Untrusted]) -> Result<usize, NoAnswer> {
        Err(NoAnswer::NotHere)
    }
    fn notify(&self, _: &str) {}
}

/// Signs in once more with this memory; the paths that were asked for.
fn sign_in(room: &Room, user: &'static str, memory: &Kept) -> Vec<String> {
    room.sandbox.clear_requests();
    let settings = Settings::new(WebUrl::parse(&app(AWS)).unwrap(), "Auto");
    let okta = idp::find("Okta").unwrap().open(&settings).unwrap();
    let transport = InBox::new(&room.sandbox);
    let sp = saml2cloud_sp();
    let answers = Typist(&room.sandbox, user);
    let (env, paths) = (world::Env::default(), world::Paths::below(&room.home()));
    let machine = Machine {
        launcher: &world::SystemLauncher,
        listener: &world::SystemListener,
        env: &env,
        paths: &paths,
        may_send_person: false,
    };
    let (clock, standing) = (&SystemClock, Standing::default());
    let mut session = Session { browser: Browser::new(&transport), answers: &answers, clock, memory, sp: &sp, machine, standing };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(okta.sign_in(&mut session)).unwrap();
    room.sandbox.requests().iter().map(|seen| seen.path.clone()).collect()
}

fn saml2cloud_sp() -> ServiceProvider {
    saml2cloud::cloud::find(saml2cloud::types::CloudId::Aws).service_provider(None, None)
}

#[test]
fn a_second_sign_in_is_one_request_and_a_known_machine_needs_no_factor() {
    let app = "/home/acme_aws/0oa1/272";
    let (authn, enter) = ("/api/v1/authn", "/login/sessionCookieRedirect");
    let room = Room::new();
    let memory = Kept::default();
    let verify = "/api/v1/authn/factors/ostaliceexamplecom/verify";
    assert_eq!(sign_in(&room, "alice@example.com", &memory), [authn, verify, enter, app]);
    assert_eq!(sign_in(&room, "alice@example.com", &memory), [app]);
    // The session ends; the machine is still known.
    room.sandbox.end_sessions();
    assert_eq!(sign_in(&room, "alice@example.com", &memory), [app, "/login/login.htm", authn, enter, app]);
    // The machine is forgotten here: Okta wants the factor again.
    memory.forget(Kind::Device);
    memory.forget(Kind::IdpSession);
    assert_eq!(sign_in(&room, "alice@example.com", &memory), [authn, verify, enter, app]);
}

#[test]
fn a_session_is_stepped_up_without_the_password() {
    let app = "/home/acme_aws/0oa1/272";
    let (authn, enter, back) = ("/api/v1/authn", "/login/sessionCookieRedirect", "/login/step-up/redirect");
    let verify = "/api/v1/authn/factors/ostwendyexamplecom/verify";
    let room = Room::new();
    let memory = Kept::default();
    assert_eq!(sign_in(&room, "wendy@example.com", &memory), [authn, enter, app, authn, verify, back, app]);
    assert_eq!(sign_in(&room, "wendy@example.com", &memory), [app]);
}
