//! The sign-in against a browser that is a function: a command in, what it says to that out. Time stands still until it is waited for.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::page::{FILL, LOOK};
use super::*;
use crate::ask::{Answers, NoAnswer, Question};
use crate::idp::{Machine, Memory};
use crate::types::{ServiceProvider, Timestamp};
use crate::world::{Clock, Env, EnvChange, Launcher, Paths, Piped, Request, Response, Transport, TransportError};

const START: &str = "https://idp.example/sso?app=1";
const ACS: &str = "https://signin.aws.amazon.com/saml";
const POSTED: &str = "RelayState=&SAMLResponse=PHNhbWw%2B";

/// What a browser says to a command, the answer to it being made up if it is not among it.
type Says = fn(&Value) -> Vec<Value>;

#[derive(Default)]
struct Log {
    /// Commands, in short.
    sent: Vec<String>,
    /// Command lines.
    started: Vec<Vec<String>>,
}

struct Fake {
    says: Says,
    waiting: VecDeque<Vec<u8>>,
    is_over: bool,
    log: Arc<Mutex<Log>>,
}

fn short(command: &Value) -> String {
    let params = &command["params"];
    let detail = match command["method"].as_str().unwrap() {
        "Runtime.callFunctionOn" if params["functionDeclaration"] == LOOK => " look".to_owned(),
        "Runtime.callFunctionOn" if params["functionDeclaration"] == FILL => format!(" fill {}", params["arguments"]),
        "Fetch.continueRequest" | "Fetch.failRequest" => format!(" {}", params["requestId"].as_str().unwrap()),
        "Page.navigate" => format!(" {}", params["url"].as_str().unwrap()),
        "Storage.setCookies" => format!(" {}", params["cookies"]),
        "Emulation.setUserAgentOverride" => format!(" {}", params["userAgent"]),
        _ => String::new(),
    };
    format!(
        "{}{}{detail}",
        command["sessionId"].as_str().map(|s| format!("{s} ")).unwrap_or_default(),
        command["method"].as_str().unwrap()
    )
}

#[async_trait]
impl Piped for Fake {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_over {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let command: Value = serde_json::from_slice(bytes.strip_suffix(&[0]).unwrap()).unwrap();
        self.log.lock().unwrap().sent.push(short(&command));
        let said = (self.says)(&command);
        let is_answered = said.iter().any(|message| message["id"] == command["id"]);
        let answer = (!is_answered).then(|| json!({ "id": command["id"], "result": {} }));
        for message in answer.into_iter().chain(said) {
            if message == over() {
                self.is_over = true;
            } else if let Some(raw) = message["raw"].as_str() {
                self.waiting.push_back(raw.as_bytes().to_vec());
            } else if message["never"].is_null() {
                self.waiting.push_back(format!("{message}\0").into_bytes());
            } else {
                self.waiting.clear();
            }
        }
        Ok(())
    }

    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        match self.waiting.pop_front() {
            Some(bytes) => Ok(bytes),
            None if self.is_over => Ok(Vec::new()),
            None => std::future::pending().await,
        }
    }

    async fn ended(&mut self) {
        if !self.is_over {
            std::future::pending::<()>().await;
        }
    }

    async fn complaint(&mut self) -> String {
        "[1:1] something\n[1:1] Running as root without --no-sandbox is not supported.\n\n".to_owned()
    }
}

/// The browser has ended.
fn over() -> Value {
    json!({ "over": true })
}

fn answer(command: &Value, result: Value) -> Value {
    json!({ "id": command["id"], "result": result })
}

fn event(session: &str, method: &str, params: Value) -> Value {
    json!({ "sessionId": session, "method": method, "params": params })
}

fn tab(name: &str) -> Value {
    json!({ "method": "Target.attachedToTarget", "params": {
        "sessionId": name, "targetInfo": { "targetId": format!("F{name}"), "type": "page" }, "waitingForDebugger": true } })
}

fn opens(session: &str, id: &str, url: &str) -> Value {
    event(session, "Fetch.requestPaused", json!({ "requestId": id, "request": { "url": url, "method": "GET" } }))
}

fn posts(session: &str, id: &str, url: &str, body: Option<&str>) -> Value {
    let request = json!({ "url": url, "method": "POST", "hasPostData": true, "postData": body });
    event(session, "Fetch.requestPaused", json!({ "requestId": id, "networkId": "N", "request": request }))
}

/// A browser that opens its first tab and leaves when it is told to; `more` is what else it says.
fn usual(command: &Value, more: &[(&str, &[Value])]) -> Vec<Value> {
    let method = command["method"].as_str().unwrap();
    let is_browser = command["sessionId"].is_null();
    let mut said = match method {
        "Browser.getVersion" => vec![answer(command, json!({ "userAgent": "Mozilla/5.0 HeadlessChrome/156.0" }))],
        "Target.setAutoAttach" if is_browser => vec![tab("A")],
        "Page.createIsolatedWorld" => vec![answer(command, json!({ "executionContextId": 7 }))],
        "Storage.getCookies" => {
            let cookies = json!([{ "name": "sid", "value": "s3cret", "domain": "idp.example", "path": "/", "session": true }]);
            vec![answer(command, json!({ "cookies": cookies }))]
        }
        "Browser.close" => vec![over()],
        _ => Vec::new(),
    };
    let told = short(command);
    let told = told.strip_prefix("A ").unwrap_or(&told);
    for (_, messages) in more.iter().filter(|(beginning, _)| told.starts_with(beginning)) {
        for message in *messages {
            let mut message = message.clone();
            if message["result"] != Value::Null || message["error"] != Value::Null {
                message["id"] = command["id"].clone();
            }
            said.push(message);
        }
    }
    said
}

fn look(origin: &str, asks: bool, password: bool) -> Value {
    let value = json!({ "document": 1.5, "origin": origin, "title": "Acme\u{1b} - Sign in", "ready": true, "asks": asks, "password": password,
        "username": false });
    json!({ "result": { "result": { "value": value } } })
}

struct Shelf {
    scripts: Mutex<VecDeque<Says>>,
    log: Arc<Mutex<Log>>,
}

impl Launcher for Shelf {
    fn replace(&self, _: &[OsString], _: &[EnvChange]) -> io::Error {
        unreachable!()
    }
    fn first_line(&self, _: &str) -> io::Result<Secret<String>> {
        unreachable!()
    }
    fn can_browse(&self) -> io::Result<()> {
        unreachable!()
    }
    fn browse(&self, _: &WebUrl) -> io::Result<()> {
        unreachable!()
    }
    fn start(&self, argv: &[OsString]) -> io::Result<Box<dyn Piped>> {
        self.log.lock().unwrap().started.push(argv.iter().map(|word| word.to_str().unwrap().to_owned()).collect());
        let says = self.scripts.lock().unwrap().pop_front().expect("a browser was started once too often");
        Ok(Box::new(Fake { says, waiting: VecDeque::new(), is_over: false, log: Arc::clone(&self.log) }))
    }
}

/// The person whose name and password are known; notices are kept.
#[derive(Default)]
struct Alice(Mutex<Vec<String>>);

#[async_trait]
impl Answers for Alice {
    async fn text(&self, _: &Question<'_>) -> Result<String, NoAnswer> {
        Ok("alice".into())
    }
    async fn secret(&self, _: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        Ok("pw".into())
    }
    async fn choose(&self, _: &Question<'_>, _: &[Untrusted]) -> Result<usize, NoAnswer> {
        Err(NoAnswer::NotHere)
    }
    fn knows(&self, topic: Topic) -> bool {
        matches!(topic, Topic::Username | Topic::Password)
    }
    fn notify(&self, notice: &str) {
        self.0.lock().unwrap().push(notice.to_owned());
    }
}

#[derive(Default)]
struct Kept(Mutex<Option<String>>);

impl Memory for Kept {
    fn recall(&self, kind: Kind) -> Option<Secret<String>> {
        assert_eq!(kind, Kind::IdpSession);
        self.0.lock().unwrap().clone().map(Secret::new)
    }
    fn keep(&self, _: Kind, value: &Secret<String>) {
        *self.0.lock().unwrap() = Some(value.expose().clone());
    }
    fn forget(&self, _: Kind) {
        *self.0.lock().unwrap() = None;
    }
}

/// Whoever waits has waited.
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

struct NoNetwork;

#[async_trait]
impl Transport for NoNetwork {
    async fn send(&self, _: &Request) -> Result<Response, TransportError> {
        unreachable!("the browser has the network")
    }
}

struct Case {
    own: Vec<(&'static str, &'static str)>,
    env: Vec<(&'static str, &'static str)>,
    memory: Kept,
    home: tempfile::TempDir,
    has_profile: bool,
    may_show: bool,
}

struct Done {
    outcome: String,
    sent: Vec<String>,
    started: Vec<Vec<String>>,
    notices: Vec<String>,
}

impl Case {
    /// Somebody with a display, a browser and a profile that was used before.
    fn new() -> Self {
        Self {
            own: vec![("browser_executable_path", "/bin/sh")],
            env: vec![("DISPLAY", ":0")],
            memory: Kept::default(),
            home: tempfile::tempdir().unwrap(),
            has_profile: true,
            may_show: true,
        }
    }

    fn with(mut self, key: &'static str, value: &'static str) -> Self {
        self.own.push((key, value));
        self
    }

    fn blind(mut self) -> Self {
        self.env.clear();
        self
    }

    fn run(&self, scripts: &[Says]) -> Done {
        let own: BTreeMap<_, _> = self.own.iter().copied().collect();
        let lookup = |key: &str| own.get(key).map(|value| (*value).to_owned());
        let settings = Settings::new(WebUrl::parse(START).unwrap(), "Auto").with_own(PROVIDER.fields(), lookup);
        let sp = ServiceProvider {
            entity_id: "urn:amazon:webservices".into(),
            is_acs: |url| url.to_string() == ACS,
            is_clouds: |url, _| url.host() == "signin.other.example",
            target: None,
            web_identity: crate::idp::NO_WEB_IDENTITY,
        };
        let log = Arc::<Mutex<Log>>::default();
        let shelf = Shelf { scripts: Mutex::new(scripts.iter().copied().collect()), log: Arc::clone(&log) };
        let (env, paths) = (Env::of(self.env.iter().copied()), Paths::below(self.home.path()));
        if self.has_profile {
            Folder::take(&paths.browsers().join(folder_name(&settings.url, Some("alice")))).unwrap();
        }
        let clock = Still(Mutex::new(Timestamp::from_unix(1_800_000_000).unwrap()));
        let alice = Alice::default();
        let machine = Machine { launcher: &shelf, env: &env, paths: &paths, may_send_person: self.may_show, ..Machine::bare() };
        let browser = crate::http::Browser::new(&NoNetwork);
        let mut session = Session {
            browser,
            answers: &alice,
            clock: &clock,
            memory: &self.memory,
            sp: &sp,
            machine,
            standing: crate::idp::Standing::default(),
        };
        let idp = PROVIDER.open(&settings).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcome = match runtime.block_on(idp.sign_in(&mut session)) {
            Ok(Assertion::Saml(response)) => response.expose().to_owned(),
            Ok(other) => panic!("{other:?}"),
            Err(error) => error.to_string(),
        };
        assert!(shelf.scripts.lock().unwrap().is_empty(), "{outcome}: a browser was not started");
        let log = std::mem::take(&mut *log.lock().unwrap());
        Done { outcome, sent: log.sent, started: log.started, notices: alice.0.into_inner().unwrap() }
    }
}

fn signs_in(command: &Value) -> Vec<Value> {
    let start = opens("A", "R1", START);
    usual(command, &[("Page.navigate", &[start]), ("Fetch.continueRequest R1", &[posts("A", "R2", ACS, Some(POSTED))])])
}

#[test]
fn the_form_for_the_cloud_is_taken_and_never_sent() {
    let case = Case::new();
    let done = case.run(&[signs_in]);
    assert_eq!(done.outcome, "PHNhbWw+");
    assert_eq!(
        done.sent,
        [
            "Browser.getVersion",
            "Target.setAutoAttach",
            "A Fetch.enable",
            "A Network.enable",
            "A Emulation.setUserAgentOverride \"Mozilla/5.0 Chrome/156.0\"",
            "A Target.setAutoAttach",
            "A Runtime.runIfWaitingForDebugger",
            &format!("A Page.navigate {START}"),
            "A Fetch.continueRequest R1",
            "A Fetch.failRequest R2",
            "Storage.getCookies",
            "Browser.close",
        ]
    );
    // The address is no argument: everybody on the machine can read those.
    let line = done.started[0].join(" ");
    assert!(line.starts_with("/bin/sh --user-data-dir=") && line.ends_with(" --headless=new about:blank"), "{line}");
    assert!(!line.contains("idp.example/") && !line.contains("no-sandbox"), "{line}");
    // The session comes back before anything is opened.
    let again = case.run(&[signs_in]);
    assert_eq!(again.sent[1], r#"Storage.setCookies [{"name":"sid","value":"s3cret","path":"/","url":"http://idp.example/"}]"#);
    assert_eq!((again.sent[2].as_str(), again.notices.len()), ("Target.setAutoAttach", 0));
}

#[test]
fn a_session_for_once_leaves_nothing() {
    let case = Case::new().with("browser_session", "ephemeral").blind();
    *case.memory.0.lock().unwrap() = Some("[]".into());
    let done = case.run(&[signs_in]);
    assert_eq!((done.outcome.as_str(), case.memory.0.lock().unwrap().as_deref()), ("PHNhbWw+", Some("[]")));
    assert!(!done.sent.iter().any(|sent| sent.contains("Cookies")));
    let profile = done.started[0][1].strip_prefix("--user-data-dir=").unwrap();
    assert!(!std::path::Path::new(profile).exists() && profile.contains("/once-"), "{profile}");
}

#[test]
fn a_new_tab_is_held_from_its_first_request() {
    let done = Case::new().run(&[|command| {
        let (start, form) = (opens("A", "R1", START), posts("B", "R2", ACS, Some(POSTED)));
        usual(command, &[("Page.navigate", &[start, tab("B")]), ("B Runtime.runIfWaitingForDebugger", &[form])])
    }]);
    assert_eq!(done.outcome, "PHNhbWw+");
    let of_b: Vec<&str> = done.sent.iter().filter_map(|sent| sent.strip_prefix("B ")).collect();
    assert_eq!((of_b[0], *of_b.last().unwrap()), ("Fetch.enable", "Fetch.failRequest R2"));
    assert_eq!(done.sent.iter().filter(|sent| sent.contains("Page.navigate")).count(), 1);
}

#[test]
fn a_form_that_is_not_told_is_asked_for() {
    let told: Says = |command| {
        let body = json!({ "result": { "postData": POSTED } });
        usual(command, &[("Page.navigate", &[posts("A", "R1", ACS, None)]), ("Network.getRequestPostData", &[body])])
    };
    assert_eq!(Case::new().run(&[told]).outcome, "PHNhbWw+");
    let done = Case::new().run(&[|command| {
        let refused = json!({ "error": { "message": "No post data available for the request" } });
        usual(command, &[("Page.navigate", &[posts("A", "R1", ACS, None)]), ("Network.getRequestPostData", &[refused])])
    }]);
    assert_eq!(done.outcome, "did not understand sh: it does not tell what a form holds");
    assert!(!done.sent.iter().any(|sent| sent.contains("continueRequest")), "{:?}", done.sent);
}

#[test]
fn a_response_goes_to_nobody_else() {
    let done = Case::new().run(&[|command| {
        usual(command, &[("Page.navigate", &[posts("A", "R1", "https://signin.other.example/acs?x=1", Some(POSTED))])])
    }]);
    let said = "idp.example sends its SAML response to https://signin.other.example/acs, which is not where urn:amazon:webservices receives it";
    assert_eq!(done.outcome, said);
    assert_eq!(done.sent.last().unwrap(), "A Fetch.failRequest R1");
}

fn asks(command: &Value) -> Vec<Value> {
    usual(
        command,
        &[
            ("Page.navigate", &[opens("A", "R1", START)]),
            ("Runtime.callFunctionOn look", &[look("https://idp.example", true, true)]),
        ],
    )
}

#[test]
fn a_window_only_where_the_provider_wants_a_person() {
    let done = Case::new().run(&[asks, signs_in]);
    assert_eq!(done.outcome, "PHNhbWw+");
    assert_eq!(done.notices, ["Sign in to idp.example in the window of sh; it closes by itself"]);
    let unseen: Vec<bool> = done.started.iter().map(|line| line.iter().any(|word| word == "--headless=new")).collect();
    assert_eq!(unseen, [true, false]);
    // A new profile has nothing to try unseen.
    let new = Case { has_profile: false, ..Case::new() };
    let done = new.run(&[signs_in]);
    assert!(
        !done.started[0].contains(&"--headless=new".to_owned()) && !done.sent.iter().any(|sent| sent.contains("setUserAgent"))
    );
    // Nobody types the password for the person unless they said so.
    assert!(!done.sent.iter().any(|sent| sent.contains("fill")));
}

#[test]
fn no_window_is_said_with_its_reason() {
    let wants = "idp.example wants a person in a browser's window (its page is titled \"Acme\\u{1b} - Sign in\"), and none can be shown: ";
    for (case, why) in [
        (Case::new().blind(), "there is no display (neither `DISPLAY` nor `WAYLAND_DISPLAY` is set)"),
        (Case::new().with("headless", "true"), "the account says `headless`"),
        (Case { may_show: false, ..Case::new() }, "`--no-input` forbids it"),
    ] {
        let done = case.run(&[asks]);
        if cfg!(not(target_os = "macos")) || !why.contains("display") {
            assert_eq!(done.outcome, format!("{wants}{why}"));
        }
    }
}

#[test]
fn a_person_who_leaves_or_takes_too_long() {
    let closed = "sh was closed before the sign-in was done";
    let new = || Case { has_profile: false, ..Case::new() };
    let tab_closed: Says = |command| {
        let detached = json!({ "method": "Target.detachedFromTarget", "params": { "sessionId": "A" } });
        usual(command, &[("Page.navigate", &[detached])])
    };
    assert_eq!(new().run(&[tab_closed]).outcome, closed);
    assert_eq!(new().run(&[|command| usual(command, &[("Page.navigate", &[over()])])]).outcome, closed);
    let waits: Says = |command| usual(command, &[]);
    assert_eq!(new().run(&[waits]).outcome, "the sign-in in sh was not done within 5 minutes");
    let short = new().with("timeout", "45000");
    assert_eq!(short.run(&[waits]).outcome, "the sign-in in sh was not done within 45 seconds");
    let too_short = new().with("timeout", "1000");
    assert_eq!(too_short.run(&[waits]).outcome, "the sign-in in sh was not done within 5 minutes");
}

#[test]
fn a_browser_that_is_none() {
    let done = Case::new().run(&[|_| vec![json!({ "never": true }), over()]]);
    let said = "sh ended as soon as it was started: \"[1:1] Running as root without --no-sandbox is not supported.\"";
    assert_eq!(done.outcome, said);
    assert_eq!(Case::new().run(&[|_| vec![json!({ "never": true })]]).outcome, "sh was started and does not answer");
    let garbage: Says = |_| vec![json!({ "never": true }), json!({ "raw": "Usage: sh [-c]\0" })];
    assert_eq!(Case::new().run(&[garbage]).outcome, "did not understand sh: its message is no JSON object");
    let nobody = Case { own: vec![("browser_executable_path", "/nowhere/chrome")], ..Case::new() };
    assert_eq!(nobody.run(&[]).outcome, "no browser of Chromium's family was found; looked for /nowhere/chrome");
}

#[test]
fn an_address_that_does_not_open() {
    let refused: Says = |command| {
        usual(command, &[("Page.navigate", &[json!({ "result": { "errorText": "net::ERR_CERT_AUTHORITY_INVALID" } })])])
    };
    assert_eq!(Case::new().run(&[refused]).outcome, "sh cannot open idp.example: net::ERR_CERT_AUTHORITY_INVALID");
    // In a window the browser asks the person.
    let new = Case { has_profile: false, ..Case::new() };
    assert_eq!(new.run(&[refused]).outcome, "the sign-in in sh was not done within 5 minutes");
}

/// The commands that filled something in.
fn fills(done: &Done) -> Vec<&str> {
    done.sent.iter().filter(|sent| sent.contains(" fill ")).map(String::as_str).collect()
}

#[test]
fn the_password_is_filled_in_once_and_only_at_home() {
    let fill = || Case::new().with("browser_autofill", "true");
    let right: Says = |command| {
        let filled = json!({ "result": { "result": { "value": "password" } } });
        let (start, page) = (opens("A", "R1", START), look("https://idp.example", true, true));
        usual(
            command,
            &[
                ("Page.navigate", &[start]),
                ("Runtime.callFunctionOn look", &[page]),
                ("Runtime.callFunctionOn fill", &[filled, posts("A", "R2", ACS, Some(POSTED))]),
            ],
        )
    };
    let done = fill().blind().run(&[right]);
    let expected = r#"A Runtime.callFunctionOn fill [{"value":"https://idp.example"},{"value":"alice"},{"value":"pw"}]"#;
    assert_eq!((done.outcome.as_str(), fills(&done)), ("PHNhbWw+", vec![expected]));

    // It was wrong: the page stays, a person goes on in the window, and wrong ones are counted.
    let wrong: Says = |command| {
        let filled = json!({ "result": { "result": { "value": "password" } } });
        usual(
            command,
            &[
                ("Page.navigate", &[opens("A", "R1", START)]),
                ("Runtime.callFunctionOn look", &[look("https://idp.example", true, true)]),
                ("Runtime.callFunctionOn fill", &[filled]),
            ],
        )
    };
    let done = fill().with("timeout", "30000").run(&[wrong, wrong]);
    assert_eq!((done.outcome.as_str(), fills(&done).len()), ("the sign-in in sh was not done within 30 seconds", 1));

    // A page of somebody else, however alike.
    for origin in ["https://idp.example.evil.example", "http://idp.example", "https://idp.example:8443"] {
        ORIGIN.set(origin);
        let done = fill().blind().run(&[|command| {
            let page = look(ORIGIN.get(), true, true);
            usual(command, &[("Page.navigate", &[opens("A", "R1", START)]), ("Runtime.callFunctionOn look", &[page])])
        }]);
        assert!(fills(&done).is_empty() && done.outcome.contains("wants a person"), "{origin}: {}", done.outcome);
    }
}

thread_local! {
    static ORIGIN: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") };
}

#[test]
fn a_profile_is_one_persons_at_one_provider() {
    let name = |url: &str, user: Option<&str>| folder_name(&WebUrl::parse(url).unwrap(), user);
    let alice = name(START, Some("alice"));
    assert!(alice.starts_with("idp.example-"), "{alice}");
    assert_eq!(alice, name("https://idp.example/other", Some("alice")));
    for other in [name(START, Some("bob")), name(START, None), name("https://idp.example:8443/", Some("alice"))] {
        assert_ne!(alice, other);
    }
    let v6 = name("http://[::1]:8080/", None);
    assert!(v6.starts_with("___1_-") && !v6.contains(['/', ':']), "{v6}");
}

#[test]
fn settings_of_the_old_tools_and_ours() {
    let open = |pairs: &[(&str, &str)]| {
        let lookup = |key: &str| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        let settings = Settings::new(WebUrl::parse(START).unwrap(), "Auto").with_own(PROVIDER.fields(), lookup);
        PROVIDER.open(&settings).map(|_| ()).map_err(|error| error.to_string())
    };
    // What the old tools' `configure` writes.
    assert_eq!(open(&[("browser_type", ""), ("browser_autofill", "false"), ("headless", "false"), ("timeout", "0")]), Ok(()));
    assert_eq!(open(&[("browser_type", "msedge-beta"), ("browser_args", " --no-sandbox  --lang=de ")]), Ok(()));
    for (key, value) in [
        ("browser_type", "firefox"),
        ("browser_session", "forever"),
        ("browser_autofill", "perhaps"),
        ("browser_args", "https://evil.example/"),
        ("browser_args", "--remote-debugging-port=9222"),
        ("browser_args", "--no-sandbox --user-data-dir=/tmp/x"),
    ] {
        let error = open(&[(key, value)]).unwrap_err();
        assert!(error.starts_with(&format!("`{key}` will not do for Browser: ")), "{error}");
    }
}
