//! A browser that is a function, and a person in front of it: for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what went wrong by failing")]

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

pub(super) const START: &str = "https://idp.example/sso?app=1";
pub(super) const ACS: &str = "https://signin.aws.amazon.com/saml";
pub(super) const POSTED: &str = "RelayState=&SAMLResponse=PHNhbWw%2B";

/// What a browser says to a command, the answer to it being made up if it is not among it.
pub(super) type Says = fn(&Value) -> Vec<Value>;

#[derive(Default)]
pub(super) struct Log {
    /// Commands, in short.
    pub(super) sent: Vec<String>,
    /// Command lines.
    pub(super) started: Vec<Vec<String>>,
}

pub(super) struct Fake {
    pub(super) says: Says,
    pub(super) waiting: VecDeque<Vec<u8>>,
    pub(super) is_over: bool,
    pub(super) log: Arc<Mutex<Log>>,
}

pub(super) fn short(command: &Value) -> String {
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
pub(super) fn over() -> Value {
    json!({ "over": true })
}

pub(super) fn answer(command: &Value, result: Value) -> Value {
    json!({ "id": command["id"], "result": result })
}

pub(super) fn event(session: &str, method: &str, params: Value) -> Value {
    json!({ "sessionId": session, "method": method, "params": params })
}

pub(super) fn tab(name: &str) -> Value {
    json!({ "method": "Target.attachedToTarget", "params": {
        "sessionId": name, "targetInfo": { "targetId": format!("F{name}"), "type": "page" }, "waitingForDebugger": true } })
}

pub(super) fn opens(session: &str, id: &str, url: &str) -> Value {
    event(session, "Fetch.requestPaused", json!({ "requestId": id, "request": { "url": url, "method": "GET" } }))
}

pub(super) fn posts(session: &str, id: &str, url: &str, body: Option<&str>) -> Value {
    let request = json!({ "url": url, "method": "POST", "hasPostData": true, "postData": body });
    event(session, "Fetch.requestPaused", json!({ "requestId": id, "networkId": "N", "request": request }))
}

/// A browser that opens its first tab and leaves when it is told to; `more` is what else it says.
pub(super) fn usual(command: &Value, more: &[(&str, &[Value])]) -> Vec<Value> {
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

pub(super) fn look(origin: &str, asks: bool, password: bool) -> Value {
    let value = json!({ "document": 1.5, "origin": origin, "title": "Acme\u{1b} - Sign in", "ready": true, "asks": asks, "password": password,
        "username": false });
    json!({ "result": { "result": { "value": value } } })
}

pub(super) struct Shelf {
    pub(super) scripts: Mutex<VecDeque<Says>>,
    pub(super) log: Arc<Mutex<Log>>,
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
pub(super) struct Alice(pub(super) Mutex<Vec<String>>);

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
pub(super) struct Kept(pub(super) Mutex<Option<String>>);

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
pub(super) struct Still(pub(super) Mutex<Timestamp>);

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

pub(super) struct NoNetwork;

#[async_trait]
impl Transport for NoNetwork {
    async fn send(&self, _: &Request) -> Result<Response, TransportError> {
        unreachable!("the browser has the network")
    }
}

pub(super) struct Case {
    pub(super) own: Vec<(&'static str, &'static str)>,
    pub(super) env: Vec<(&'static str, &'static str)>,
    pub(super) memory: Kept,
    pub(super) home: tempfile::TempDir,
    pub(super) has_profile: bool,
    pub(super) may_show: bool,
}

pub(super) struct Done {
    pub(super) outcome: String,
    pub(super) sent: Vec<String>,
    pub(super) started: Vec<Vec<String>>,
    pub(super) notices: Vec<String>,
}

impl Case {
    /// Somebody with a display, a browser and a profile that was used before.
    pub(super) fn new() -> Self {
        Self {
            own: vec![("browser_executable_path", "/bin/sh")],
            env: vec![("DISPLAY", ":0")],
            memory: Kept::default(),
            home: tempfile::tempdir().unwrap(),
            has_profile: true,
            may_show: true,
        }
    }

    pub(super) fn with(mut self, key: &'static str, value: &'static str) -> Self {
        self.own.push((key, value));
        self
    }

    pub(super) fn blind(mut self) -> Self {
        self.env.clear();
        self
    }

    pub(super) fn run(&self, scripts: &[Says]) -> Done {
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
