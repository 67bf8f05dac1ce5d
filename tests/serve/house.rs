//! A running service with a small enterprise in it, and a client that sends what it is told to, headers and all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use saml2cloud::server::{self, App, Csrf, Settings};
use saml2cloud::tvm::audit::{AuthKind, Event, Row};
use saml2cloud::tvm::keys::{self, By, Imported, NewKey, Purpose};
use saml2cloud::tvm::model::{
    Alias, Bearer, Class, CloudAccount, Description, Email, Gid, Label, NewNode, NewRole, NewUser, Node, Role, UserId,
};
use saml2cloud::tvm::store::audit::{Ask, Filter};
use saml2cloud::tvm::store::nodes::Founding;
use saml2cloud::tvm::store::sessions::NewSession;
use saml2cloud::tvm::store::tokens::{NewToken, TokenKind};
use saml2cloud::tvm::store::{StoreError, Tx, audit};
use saml2cloud::types::{CloudId, RoleArn, Timestamp};
use saml2cloud::world::{Clock, Env};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::cloud::{Cloud, Way};
use crate::corporate::Corporate;

/// The public address of every service under test. Requests go to loopback and name this host.
pub(crate) const URL: &str = "https://cam.example/";

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000).unwrap()
}

/// The key with which every house signs: making one takes a second.
static SIGNING_KEY: OnceLock<Vec<u8>> = OnceLock::new();

pub(crate) fn signing_key() -> zeroize::Zeroizing<Vec<u8>> {
    use rsa::pkcs8::EncodePrivateKey as _;
    let make = || {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        key.to_pkcs8_der().unwrap().as_bytes().to_vec()
    };
    zeroize::Zeroizing::new(SIGNING_KEY.get_or_init(make).clone())
}

/// Keys for everything, as `serve keys new` makes them.
async fn give_keys(app: &App) {
    for purpose in [Purpose::Sp, Purpose::IdpAlibaba, Purpose::IdpAws] {
        give_key(app, purpose).await;
    }
}

/// A key for this.
pub(crate) async fn give_key(app: &App, purpose: Purpose) {
    let new = NewKey { purpose, name: "cam.example", days: 365 };
    let imported = Imported { pkcs8: signing_key(), certificate: None };
    let (keepers, by) = (app.keys.keepers(), By::default());
    let key = keys::import(&app.store, keepers, &new, imported, &by, now()).await.unwrap();
    keys::activate(&app.store, &key.id, &by, now()).await.unwrap();
    app.keys.forget();
}

/// A clock that stands still until it is told the time. Whoever sleeps by it sleeps for ever.
#[derive(Debug)]
pub(crate) struct StoodClock(Mutex<Timestamp>);

impl StoodClock {
    pub(crate) fn forward(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.after(by);
    }
}

#[async_trait]
impl Clock for StoodClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
}

/// What a house is built from.
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) listen: String,
    /// Lines of `[database]`.
    pub(crate) database: String,
    /// Lines of `[server]`.
    pub(crate) server: String,
    /// Lines after those of `[idp]`.
    pub(crate) more: String,
    pub(crate) folder: tempfile::TempDir,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            url: URL.to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            database: "url = \"sqlite:serve.db\"".to_owned(),
            server: String::new(),
            more: String::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }
}

impl Plan {
    /// Whether it starts at all.
    pub(crate) async fn try_start(self) -> Result<(), server::ServeError> {
        let path = self.write(&Corporate::new());
        let settings = Settings::load(Some(&path), &Env::default())?;
        settings.database.migrate().await?;
        let (clock, cloud) = (Arc::new(StoodClock(Mutex::new(now()))), Arc::new(Cloud::default()));
        server::start(settings, &Env::default(), clock, Arc::new(Way(cloud))).await.map(drop)
    }

    /// Writes the configuration and what it names.
    fn write(&self, corporate: &Corporate) -> std::path::PathBuf {
        let Self { url, listen, database, server, more, folder } = self;
        let path = folder.path().join("serve.toml");
        let text = format!(
            "[database]\n{database}\n[server]\nurl = \"{url}\"\nlisten = \"{listen}\"\naccess_log = \"off\"\n{server}\n\
             [keys]\npassphrase_file = \"passphrase\"\nallow_file_signer = true\n\
             [idp]\nmetadata_file = \"idp.xml\"\ncertificate_file = \"idp.pem\"\n{more}"
        );
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("idp.xml"), corporate.metadata()).unwrap();
        std::fs::write(folder.path().join("idp.pem"), corporate.pem()).unwrap();
        std::fs::write(folder.path().join("passphrase"), "correct horse battery staple").unwrap();
        path
    }

    pub(crate) async fn build(self) -> House {
        let corporate = Corporate::new();
        let path = self.write(&corporate);
        let folder = self.folder;
        Settings::load(Some(&path), &Env::default()).unwrap().database.migrate().await.unwrap();
        let cloud = Arc::new(Cloud::default());
        let clock = Arc::new(StoodClock(Mutex::new(now())));
        let (running, app) = start(&path, &clock, &cloud).await;
        let address = running.address();
        let (end, ended) = oneshot::channel();
        let served = tokio::spawn(running.serve(async {
            let _ = ended.await;
        }));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        give_keys(&app).await;
        House::furnish(app, clock, cloud, address, client, corporate, folder, end, served).await
    }
}

/// Starts a service by its configuration.
async fn start(path: &std::path::Path, clock: &Arc<StoodClock>, cloud: &Arc<Cloud>) -> (server::Running, App) {
    let settings = Settings::load(Some(path), &Env::default()).unwrap();
    let (clock, network) = (Arc::clone(clock) as Arc<dyn Clock>, Arc::new(Way(Arc::clone(cloud))));
    let running = server::start(settings, &Env::default(), clock, network).await.unwrap();
    let app = running.app().clone();
    (running, app)
}

/// A second process of the same service.
pub(crate) struct Twin {
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
    client: reqwest::Client,
    _end: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
}

impl Twin {
    /// A request to this one.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Sent {
        let builder = self.client.request(method.parse().unwrap(), format!("http://{}{path}", self.address));
        Sent { builder: builder.header("host", "cam.example"), url: URL.to_owned() }
    }

    /// Ends it as a power cut does: nothing that was under way is finished.
    pub(crate) fn kill(self) {
        self.served.abort();
    }
}

/// The service, running, and who is in it.
///
/// acme ─── east ─┬─ shop (aws:111111111111)
///                └─ labs (alibaba:1000000000000001)
/// `e-1` owns acme, `mo` owns east, `ao` owns shop; `bob` owns nothing.
pub(crate) struct House {
    pub(crate) app: App,
    pub(crate) clock: Arc<StoodClock>,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) root: Node,
    pub(crate) east: Node,
    pub(crate) shop: Node,
    pub(crate) labs: Node,
    pub(crate) corporate: Corporate,
    pub(crate) people: BTreeMap<&'static str, UserId>,
    address: SocketAddr,
    client: reqwest::Client,
    folder: tempfile::TempDir,
    end: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

/// A browser that is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of a problem document.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn request(&self) -> &str {
        self.header("x-request-id")
    }
}

/// A request that is being put together.
pub(crate) struct Sent {
    builder: reqwest::RequestBuilder,
    /// The public address of the service.
    url: String,
}

impl Sent {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// With the cookie of a browser, and nothing else of it.
    pub(crate) fn cookie(self, browser: &Browser) -> Self {
        let prefix = if self.url.starts_with("https") { "__Host-" } else { "" };
        let cookie = format!("{prefix}session={}", browser.cookie);
        self.header("cookie", &cookie)
    }

    /// As a page of ours in this browser sends it.
    pub(crate) fn from(self, browser: &Browser) -> Self {
        let origin = self.url.trim_end_matches('/').to_owned();
        self.cookie(browser).header("x-csrf-token", &browser.csrf).header("origin", &origin)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        let body = body.to_string();
        let mut sent = self.header("content-type", "application/json");
        sent.builder = sent.builder.body(body);
        sent
    }

    pub(crate) fn form(self, pairs: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut sent = self.header("content-type", "application/x-www-form-urlencoded");
        sent.builder = sent.builder.body(body);
        sent
    }

    pub(crate) async fn answer(self) -> Answer {
        let response = self.builder.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }
}

fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

pub(crate) fn person(gid: &str, home: &Node) -> NewUser {
    NewUser {
        gid: Gid::parse(gid).unwrap(),
        alias: Alias::parse(&format!("{gid} of acme")).unwrap(),
        email: Email::default(),
        description: Description::default(),
        home: home.id.clone(),
    }
}

fn account(name: &str, account: Option<&str>) -> NewNode {
    NewNode {
        name: label(name),
        description: Description::default(),
        account: account.map(|text| CloudAccount::parse(text).unwrap()),
    }
}

impl House {
    /// One with the usual configuration.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// One with these lines as well; they come after `[idp]`.
    pub(crate) async fn with(more: &str) -> Self {
        Plan { more: more.to_owned(), ..Plan::default() }.build().await
    }

    /// One that browsers of this machine reach, without TLS.
    pub(crate) async fn for_browsers(more: &str) -> Self {
        // Its own address has to be known before it listens.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}/");
        Plan { url, listen: format!("127.0.0.1:{port}"), more: more.to_owned(), ..Plan::default() }.build().await
    }

    /// The same service once more: another process on the same database, for all that it knows.
    pub(crate) async fn another(&self) -> Twin {
        let (running, app) = start(&self.folder.path().join("serve.toml"), &self.clock, &self.cloud).await;
        let address = running.address();
        let (end, ended) = oneshot::channel::<()>();
        let served = tokio::spawn(running.serve(async {
            let _ = ended.await;
        }));
        Twin { app, address, client: self.client.clone(), _end: end, served }
    }

    #[allow(clippy::too_many_arguments, reason = "each is a part of the house")]
    async fn furnish(
        app: App,
        clock: Arc<StoodClock>,
        cloud: Arc<Cloud>,
        address: SocketAddr,
        client: reqwest::Client,
        corporate: Corporate,
        folder: tempfile::TempDir,
        end: oneshot::Sender<()>,
        served: tokio::task::JoinHandle<()>,
    ) -> Self {
        let founding = Founding {
            name: label("Acme"),
            account: None,
            gid: Gid::parse("E-1").unwrap(),
            alias: Alias::parse("admin").unwrap(),
            email: Email::default(),
        };
        let mut tx = app.store.begin(now()).await.unwrap();
        let (root, admin) = tx.found(&founding).await.unwrap();
        let mut people = BTreeMap::from([("e-1", admin.clone())]);
        for gid in ["mo", "ao", "bob"] {
            people.insert(gid, tx.add_user(&person(gid, &root), Some(&admin)).await.unwrap());
        }
        let both = |other: &str| [admin.clone(), people[other].clone()];
        let east = tx.add_node(&root.id, &account("East", None), &both("mo"), Some(&admin)).await.unwrap();
        let shop = tx.add_node(&east.id, &account("Shop", Some("aws:111111111111")), &both("ao"), Some(&admin)).await.unwrap();
        let labs = account("Labs", Some("alibaba:1000000000000001"));
        let labs = tx.add_node(&east.id, &labs, std::slice::from_ref(&admin), Some(&admin)).await.unwrap();
        tx.commit(&Event::by(AuthKind::System, "test.acme", serde_json::json!({}))).await.unwrap();
        Self { app, clock, cloud, root, east, shop, labs, corporate, people, address, client, folder, end: Some(end), served }
    }

    /// Where the configuration and the database are.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets it end, with what is in flight.
    pub(crate) async fn end(mut self) -> tempfile::TempDir {
        let _ = self.end.take().unwrap().send(());
        self.served.await.unwrap();
        self.folder
    }

    /// One change, with its line in the trail.
    pub(crate) async fn change<T>(&self, work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, StoreError>) -> T {
        let mut tx = self.app.store.begin(self.app.now()).await.unwrap();
        let made = work(&mut tx).await.unwrap();
        tx.commit(&Event::by(AuthKind::System, "test.change", serde_json::json!({}))).await.unwrap();
        made
    }

    /// Registers a role in an account.
    pub(crate) async fn role(&self, node: &Node, class: Class, name: &str) -> Role {
        let account = node.kind.account().unwrap();
        let arn = match account.partition().cloud() {
            CloudId::Aws => format!("arn:aws:iam::{}:role/{name}", account.uid()),
            CloudId::Alibaba => format!("acs:ram::{}:role/{name}", account.uid()),
        };
        let new = NewRole::new(class, RoleArn::parse(&arn).unwrap(), account).unwrap();
        self.change(async |tx| tx.add_role(&node.id, &new).await).await
    }

    /// A browser of this person, signed in without the identity provider.
    pub(crate) async fn browser(&self, gid: &str) -> Browser {
        let bearer = Bearer::new();
        let csrf = Csrf::of(bearer.secret());
        let session = NewSession {
            id: bearer.digest(),
            user: &self.people[gid],
            csrf: csrf.digest(),
            expires: self.app.now().after(Duration::from_secs(8 * 3600)),
            name_id: None,
            session_index: None,
            authn_context: None,
            authn_at: Some(self.app.now()),
            source_ip: None,
            user_agent: None,
        };
        self.change(async |tx| tx.add_session(&session).await).await;
        Browser { cookie: bearer.secret().expose().clone(), csrf: csrf.token().expose().clone() }
    }

    /// A command line of this person, signed in without the browser.
    pub(crate) async fn token(&self, gid: &str) -> String {
        let bearer = Bearer::new();
        let token = NewToken {
            digest: bearer.digest(),
            user: &self.people[gid],
            kind: TokenKind::Cli,
            name: "a test",
            authn_context: None,
            authn_at: Some(self.app.now()),
            source_ip: None,
            origin: None,
            expires: self.app.now().after(Duration::from_secs(12 * 3600)),
        };
        self.change(async |tx| tx.add_token(&token).await).await;
        bearer.secret().expose().clone()
    }

    /// A request, with the host's name and nothing else.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Sent {
        let url = format!("http://{}{path}", self.address);
        let public = self.app.settings.server.url.expose();
        let host = public.as_str().trim_end_matches('/').split("//").nth(1).unwrap().to_owned();
        let builder = self.client.request(method.parse().unwrap(), url).header("host", host);
        Sent { builder, url: public.to_string() }
    }

    pub(crate) fn get(&self, path: &str) -> Sent {
        self.ask("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Sent {
        self.ask("POST", path)
    }

    /// The events that a request left.
    pub(crate) async fn events(&self, request: &str) -> Vec<Row> {
        let mut conn = self.app.store.read().await.unwrap();
        let ask = Ask {
            filter: Filter::All,
            from: Timestamp::from_unix(0).unwrap(),
            until: Timestamp::from_unix(4_000_000_000).unwrap(),
            after: None,
            limit: 10_000,
        };
        let rows = audit::page(&mut conn, &ask).await.unwrap();
        rows.into_iter().filter(|row| row.request.as_deref() == Some(request)).collect()
    }

    /// The one event that a request left.
    pub(crate) async fn event(&self, answer: &Answer) -> Row {
        let mut rows = self.events(answer.request()).await;
        assert_eq!(rows.len(), 1, "{answer:?} {rows:?}");
        rows.remove(0)
    }
}
