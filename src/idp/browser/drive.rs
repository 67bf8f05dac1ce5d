//! One visit to the identity provider: the address is opened, pages are watched, and the form that would go to the cloud is taken.
//!
//! Nothing waits for one particular answer while pages go on: a held request may be what the answer waits for. So commands are sent, what
//! they were for is written down by their number, and messages are dealt with as they come.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::BrowserError;
use super::cdp::{Message, Wire};
use super::page::{FILL, LOOK, Look};
use super::request::{self, Judgement};
use super::session;
use crate::idp::SignInError;
use crate::types::{SamlResponse, Secret, ServiceProvider, Timestamp, Untrusted, WebUrl};
use crate::world::Clock;

/// How often pages are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How long a browser may take to say its first word.
const START: Duration = Duration::from_secs(30);
/// How long it may take to hand over its cookies, and then to end.
const FINISH: Duration = Duration::from_secs(5);
/// How long an unseen sign-in may take where a window can follow.
const UNSEEN: Duration = Duration::from_secs(45);
/// A page that has shown something to fill in for so long does not go on by itself.
const ASKING: Duration = Duration::from_secs(2);
/// The same after we filled something in, while the page may still be sending it.
const SENDING: Duration = Duration::from_secs(8);
/// A page that shows nothing of the kind, and stays, does not go on either: a push to a phone, perhaps.
const STANDING: Duration = Duration::from_secs(10);

/// Whether anybody sees the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Without a window; `alone` if none can follow.
    Unseen { alone: bool },
    /// In a window.
    Window,
}

/// How a visit ended.
pub(super) enum End {
    /// With what we came for.
    Response(SamlResponse),
    /// Unseen, at a page of this title that wants a person.
    WantsPerson(Untrusted),
}

/// What is filled in: the password once in a sign-in, whether it was right or wrong, because wrong ones are counted.
pub(super) struct Fill {
    username: Option<String>,
    password: Option<Secret<String>>,
}

impl Fill {
    pub(super) fn new(username: Option<String>, password: Option<Secret<String>>) -> Self {
        Self { username, password }
    }

    /// Whether there is still a password to fill in.
    pub(super) fn is_ready(&self) -> bool {
        self.password.is_some()
    }
}

/// A tab, or a frame that has a process of its own.
struct Page {
    /// Its frame.
    frame: String,
    is_tab: bool,
    /// A look that is not answered yet, and when it began.
    looking: Option<Timestamp>,
    /// What it showed last: document and whether it asks, since when, and whether we filled it in.
    shown: Option<Shown>,
}

#[derive(Clone, Copy)]
struct Shown {
    document: f64,
    asks: bool,
    since: Timestamp,
    looks: u32,
    is_filled: bool,
    has_username: bool,
}

/// What a command was for.
enum Asked {
    Navigation,
    World { session: String },
    Look { session: String, context: Value },
    Fill { session: String },
    Body { session: String, request: String, url: String },
}

/// One visit.
pub(super) struct Drive<'d> {
    wire: Wire,
    title: &'d str,
    clock: &'d dyn Clock,
    sp: &'d ServiceProvider,
    start: &'d WebUrl,
    mode: Mode,
    limit: Duration,
    pages: BTreeMap<String, Page>,
    asked: BTreeMap<u64, Asked>,
    is_opened: bool,
    user_agent: Option<String>,
}

impl<'d> Drive<'d> {
    pub(super) fn new(
        wire: Wire,
        title: &'d str,
        clock: &'d dyn Clock,
        sp: &'d ServiceProvider,
        start: &'d WebUrl,
        mode: Mode,
        limit: Duration,
    ) -> Self {
        let (pages, asked) = (BTreeMap::new(), BTreeMap::new());
        Self { wire, title, clock, sp, start, mode, limit, pages, asked, is_opened: false, user_agent: None }
    }

    /// Opens the address with this session, and waits for the response or for what is in its way.
    pub(super) async fn run(&mut self, kept: Option<&Secret<String>>, fill: &mut Fill) -> Result<End, SignInError> {
        let hello = self.wire.send("", "Browser.getVersion", json!({})).await?;
        let Some(version) = self.answer(hello, START).await? else {
            return Err(BrowserError::Silent { browser: self.title.to_owned() }.into());
        };
        // Some providers tie a session to the browser's name for itself, so it has the same name with a window and without.
        let name = version["userAgent"].as_str().unwrap_or_default();
        self.user_agent = (self.mode != Mode::Window).then(|| name.replace("HeadlessChrome", "Chrome"));
        if let Some(cookies) = kept.and_then(session::restored) {
            self.wire.send("", "Storage.setCookies", json!({ "cookies": cookies })).await?;
        }
        // Tabs wait until they are told to go on, so no request of a new one is missed.
        let attach = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
        self.wire.send("", "Target.setAutoAttach", attach).await?;
        let (begun, mut last) = (self.clock.now(), self.clock.now());
        loop {
            let end = match self.next(TICK).await? {
                Some(Message::Event { session, method, params }) => self.event(&session, &method, params).await?,
                Some(Message::Reply { id, outcome }) => self.reply(id, outcome, fill).await?,
                None => None,
            };
            if let Some(end) = end {
                return Ok(end);
            }
            let now = self.clock.now();
            if now.since(last) >= TICK {
                last = now;
                self.tick(now, fill).await?;
            }
            let (taken, limit) =
                (now.since(begun), if self.mode == (Mode::Unseen { alone: false }) { UNSEEN } else { self.limit });
            match self.mode {
                _ if taken <= limit => {}
                Mode::Unseen { .. } => return Ok(End::WantsPerson(Untrusted::new(""))),
                Mode::Window => {
                    return Err(BrowserError::Late { browser: self.title.to_owned(), seconds: limit.as_secs() }.into());
                }
            }
        }
    }

    /// The next message, if one comes within `pause`.
    async fn next(&mut self, pause: Duration) -> Result<Option<Message>, BrowserError> {
        tokio::select! {
            biased;
            message = self.wire.next() => message.map(Some),
            () = self.clock.sleep(pause) => Ok(None),
        }
    }

    /// The answer to one command, while no page goes on; nothing if it is refused or late.
    async fn answer(&mut self, wanted: u64, limit: Duration) -> Result<Option<Value>, BrowserError> {
        let end = self.clock.now().after(limit);
        while self.clock.now() <= end {
            if let Some(Message::Reply { id, outcome }) = self.next(TICK).await?
                && id == wanted
            {
                return Ok(outcome.ok());
            }
        }
        Ok(None)
    }

    async fn ask(&mut self, what: Asked, session: &str, method: &str, params: Value) -> Result<(), BrowserError> {
        let id = self.wire.send(session, method, params).await?;
        self.asked.insert(id, what);
        Ok(())
    }

    async fn event(&mut self, session: &str, method: &str, params: Value) -> Result<Option<End>, SignInError> {
        match method {
            "Target.attachedToTarget" => self.attached(&params).await?,
            "Target.detachedFromTarget" => _ = self.pages.remove(params["sessionId"].as_str().unwrap_or_default()),
            "Fetch.requestPaused" => return self.paused(session, &params).await,
            _ => {}
        }
        Ok(None)
    }

    /// A new tab or frame. It is set up before it goes on; the first one is where the sign-in begins.
    async fn attached(&mut self, params: &Value) -> Result<(), BrowserError> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (session, kind) = (text(&params["sessionId"]), text(&params["targetInfo"]["type"]));
        let is_tab = kind == "page";
        if is_tab || kind == "iframe" {
            let frame = text(&params["targetInfo"]["targetId"]);
            self.pages.insert(session.clone(), Page { frame, is_tab, looking: None, shown: None });
            // Every page is held before it is asked for; what goes where is judged here and not by a pattern.
            let pages = json!({ "patterns": [{ "urlPattern": "*", "resourceType": "Document", "requestStage": "Request" }] });
            self.wire.send(&session, "Fetch.enable", pages).await?;
            // What a held form is asked for by where it is too long to be told with the request.
            self.wire.send(&session, "Network.enable", json!({ "maxTotalBufferSize": 0, "maxResourceBufferSize": 0 })).await?;
            if let Some(name) = &self.user_agent {
                self.wire.send(&session, "Emulation.setUserAgentOverride", json!({ "userAgent": name })).await?;
            }
            let attach = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
            self.wire.send(&session, "Target.setAutoAttach", attach).await?;
        }
        self.wire.send(&session, "Runtime.runIfWaitingForDebugger", json!({})).await?;
        if is_tab && !std::mem::replace(&mut self.is_opened, true) {
            let url = self.start.expose().as_str();
            self.ask(Asked::Navigation, &session, "Page.navigate", json!({ "url": url })).await?;
        }
        Ok(())
    }

    /// A page is about to be asked for, perhaps with the form that we came for.
    async fn paused(&mut self, session: &str, params: &Value) -> Result<Option<End>, SignInError> {
        let (url, id) = (params["request"]["url"].as_str().unwrap_or_default(), params["requestId"].as_str().unwrap_or_default());
        match request::body(&params["request"]) {
            request::Body::None => self.go_on(session, id).await?,
            request::Body::There(body) => return self.judged(session, id, url, &body).await,
            request::Body::Elsewhere => {
                let what = Asked::Body { session: session.to_owned(), request: id.to_owned(), url: url.to_owned() };
                self.ask(what, session, "Network.getRequestPostData", json!({ "requestId": params["networkId"] })).await?;
            }
        }
        Ok(None)
    }

    async fn judged(&mut self, session: &str, id: &str, url: &str, body: &Secret<String>) -> Result<Option<End>, SignInError> {
        match request::judge(url, body, self.sp, self.start) {
            Judgement::GoOn => self.go_on(session, id).await?,
            Judgement::Ours(response) => {
                self.stop(session, id).await?;
                return Ok(Some(End::Response(response)));
            }
            Judgement::Unreadable => {
                self.stop(session, id).await?;
                let why = "its form for the cloud holds no SAML response that can be read";
                return Err(BrowserError::Garbled { browser: self.title.to_owned(), why }.into());
            }
            Judgement::Stolen { target } => {
                self.stop(session, id).await?;
                return Err(SignInError::WrongAddressee {
                    provider: self.start.host().to_owned(),
                    target,
                    expected: self.sp.entity_id.clone(),
                });
            }
        }
        Ok(None)
    }

    async fn go_on(&mut self, session: &str, id: &str) -> Result<(), BrowserError> {
        self.wire.send(session, "Fetch.continueRequest", json!({ "requestId": id })).await.map(|_| ())
    }

    async fn stop(&mut self, session: &str, id: &str) -> Result<(), BrowserError> {
        self.wire.send(session, "Fetch.failRequest", json!({ "requestId": id, "errorReason": "Aborted" })).await.map(|_| ())
    }

    async fn reply(&mut self, id: u64, outcome: Result<Value, String>, fill: &mut Fill) -> Result<Option<End>, SignInError> {
        match (self.asked.remove(&id), outcome) {
            (Some(Asked::Navigation), Ok(result)) => self.opened(result["errorText"].as_str())?,
            (Some(Asked::World { session }), Ok(result)) => {
                let context = result["executionContextId"].clone();
                let look = json!({ "functionDeclaration": LOOK, "executionContextId": context, "returnByValue": true });
                self.ask(Asked::Look { session: session.clone(), context }, &session, "Runtime.callFunctionOn", look).await?;
            }
            (Some(Asked::Look { session, context }), Ok(result)) => {
                if let Ok(look) = serde_json::from_value(result["result"]["value"].clone()) {
                    return self.saw(&session, &context, look, fill).await;
                }
                self.looked(&session);
            }
            (Some(Asked::World { session } | Asked::Look { session, .. }), Err(_)) => self.looked(&session),
            (Some(Asked::Fill { session }), Ok(result)) => self.filled(&session, result["result"]["value"].as_str(), fill),
            (Some(Asked::Body { session, request, url }), outcome) => {
                match outcome.as_ref().map(|result| result["postData"].as_str()) {
                    Ok(Some(body)) => return self.judged(&session, &request, &url, &Secret::from(body)).await,
                    // What cannot be read must not reach the cloud: its pages would use up the response.
                    _ if request::is_acs(&url, self.sp) => {
                        return Err(BrowserError::Garbled {
                            browser: self.title.to_owned(),
                            why: "it does not tell what a form holds",
                        }
                        .into());
                    }
                    _ => self.go_on(&session, &request).await?,
                }
            }
            _ => {}
        }
        Ok(None)
    }

    /// How the address opened. In a window a doubtful certificate is between the browser and the person.
    fn opened(&self, error: Option<&str>) -> Result<(), BrowserError> {
        match error {
            None | Some("" | "net::ERR_ABORTED") => Ok(()),
            Some(word) if self.mode == Mode::Window && word.starts_with("net::ERR_CERT") => Ok(()),
            Some(word) => Err(BrowserError::Unreachable {
                browser: self.title.to_owned(),
                host: self.start.host().to_owned(),
                why: Untrusted::new(word),
            }),
        }
    }

    /// Looks at the tabs, where somebody has to know what they show.
    async fn tick(&mut self, now: Timestamp, fill: &Fill) -> Result<(), BrowserError> {
        if self.is_opened && !self.pages.values().any(|page| page.is_tab) {
            return Err(BrowserError::Closed { browser: self.title.to_owned() });
        }
        if self.mode == Mode::Window && !fill.is_ready() {
            return Ok(());
        }
        // A look that a navigation swallowed is not answered.
        let is_due = |page: &Page| page.is_tab && page.looking.is_none_or(|since| now.since(since) > ASKING);
        let due: Vec<(String, String)> = self
            .pages
            .iter()
            .filter(|(_, page)| is_due(page))
            .map(|(session, page)| (session.clone(), page.frame.clone()))
            .collect();
        for (session, frame) in due {
            if let Some(page) = self.pages.get_mut(&session) {
                page.looking = Some(now);
            }
            let world = json!({ "frameId": frame, "worldName": "saml2cloud" });
            self.ask(Asked::World { session: session.clone() }, &session, "Page.createIsolatedWorld", world).await?;
        }
        Ok(())
    }

    fn looked(&mut self, session: &str) {
        if let Some(page) = self.pages.get_mut(session) {
            page.looking = None;
        }
    }

    /// What a tab shows: fills it in, or gives up waiting for it to go on by itself.
    async fn saw(&mut self, session: &str, context: &Value, look: Look, fill: &Fill) -> Result<Option<End>, SignInError> {
        let now = self.clock.now();
        let Some(page) = self.pages.get_mut(session) else { return Ok(None) };
        page.looking = None;
        let before = page.shown.filter(|shown| shown.document == look.document);
        let shown = Shown {
            document: look.document,
            asks: look.asks,
            since: before.filter(|shown| shown.asks == look.asks && look.ready).map_or(now, |shown| shown.since),
            looks: before.map_or(0, |shown| shown.looks + 1),
            is_filled: before.is_some_and(|shown| shown.is_filled),
            has_username: before.is_some_and(|shown| shown.has_username),
        };
        page.shown = Some(shown);
        if !look.ready {
            return Ok(None);
        }
        // A password leaves for pages of the account's own address alone. Not at the first look: its scripts may just be starting.
        let is_own = look.origin == self.start.expose().origin().ascii_serialization();
        let wanted =
            (look.password && fill.password.is_some()) || (look.username && fill.username.is_some() && !shown.has_username);
        if is_own && wanted && fill.is_ready() {
            if shown.looks >= 2 {
                self.fill(session, context, &look, fill).await?;
            }
            return Ok(None);
        }
        let Mode::Unseen { alone } = self.mode else { return Ok(None) };
        let patience = match (look.asks, shown.is_filled) {
            (true, true) => SENDING,
            (true, false) => ASKING,
            (false, _) if alone => self.limit,
            (false, _) => STANDING,
        };
        Ok((now.since(shown.since) > patience).then(|| End::WantsPerson(Untrusted::new(look.title))))
    }

    async fn fill(&mut self, session: &str, context: &Value, look: &Look, fill: &Fill) -> Result<(), BrowserError> {
        let origin = self.start.expose().origin().ascii_serialization();
        let password = fill.password.as_ref().filter(|_| look.password).map(|password| password.expose().as_str());
        let arguments = json!([{ "value": origin }, { "value": fill.username }, { "value": password }]);
        let call = json!({
            "functionDeclaration": FILL, "executionContextId": context, "returnByValue": true, "arguments": arguments,
        });
        if let Some(page) = self.pages.get_mut(session) {
            page.looking = Some(self.clock.now());
        }
        self.ask(Asked::Fill { session: session.to_owned() }, session, "Runtime.callFunctionOn", call).await
    }

    fn filled(&mut self, session: &str, what: Option<&str>, fill: &mut Fill) {
        if what == Some("password") {
            fill.password = None;
        }
        let now = self.clock.now();
        if let Some(page) = self.pages.get_mut(session) {
            page.looking = None;
            if let Some(shown) = &mut page.shown {
                (shown.is_filled, shown.since) = (true, now);
                shown.has_username |= what == Some("username");
            }
        }
    }

    /// The session at the provider, for the next sign-in.
    pub(super) async fn cookies(&mut self) -> Option<Secret<String>> {
        let id = self.wire.send("", "Storage.getCookies", json!({})).await.ok()?;
        session::kept(&self.answer(id, FINISH).await.ok()??)
    }

    /// Step 5: lets the browser end by itself, which writes its cookies down; if it does not, it is ended.
    pub(super) async fn close(mut self) {
        if self.wire.send("", "Browser.close", json!({})).await.is_ok() {
            tokio::select! {
                biased;
                () = self.wire.ended() => {}
                () = self.clock.sleep(FINISH) => {}
            }
        }
    }
}
