//! An internet in a box, for tests and demonstrations.
//!
//! [`Sandbox::start`] opens one HTTP proxy on loopback. It answers `CONNECT`, ends TLS with certificates of
//! a test authority that is made at start, and hands requests to emulators by host name: JumpCloud, an
//! identity provider made of HTML forms, and the sign-in and token services of AWS and Alibaba Cloud. They
//! check every request more strictly than the real ones do. The program under test runs unmodified in the
//! environment of [`Sandbox::env`], so it needs no test hooks; any other client can run in the same box to
//! show that the emulators are honest.
//!
//! ```
//! let sandbox = sandbox::Sandbox::start(sandbox::Options::default())?;
//! let home = std::path::Path::new("/scratch/home");
//! assert!(sandbox.env(home).iter().any(|(name, _)| name == "HTTPS_PROXY"));
//! assert!(sandbox.requests().is_empty());
//! # Ok::<(), sandbox::StartError>(())
//! ```

// The list of disallowed methods keeps the operating system in one place of the product; this is not the product.
#![allow(clippy::disallowed_methods)]

mod adfs;
mod adfs_pages;
mod alibaba;
mod authority;
mod aws;
mod aws_signin;
mod cloudsso;
mod company;
mod console;
mod corporate;
mod dsig;
mod example;
mod fault;
mod federation;
mod forms;
mod identity_center;
mod identity_portal;
mod issuer;
mod jumpcloud;
mod kms;
mod okta;
mod okta_words;
mod people;
mod pipelines;
mod proxy;
mod rpc;
mod saml;
mod service;
mod signature;
mod sts_web;
mod trusts;
mod tvm;
mod visitor;
mod web_identity;
mod wire;
mod world;
mod xml;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use adfs_pages::{Adfs, AdfsFactor};
pub use cloudsso::CloudSso;
pub use example::accounts as example_accounts;
pub use fault::{Fault, Plan};
pub use identity_center::Portal;
pub use web_identity::{Signing, Token};

pub use people::{Directory, Factor, Grant, Okta, OktaFactor, OktaState, Person, Push, code_of};
pub use service::Service;
pub use trusts::Trust;
pub use tvm::{Refusal, Tvm};
pub use visitor::{Form, Page, Visitor};

use authority::Authority;
use world::World;

/// Why the box did not start.
#[derive(Debug)]
pub struct StartError(String);

impl StartError {
    pub(crate) fn from_any(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sandbox cannot start: {}", self.0)
    }
}

impl std::error::Error for StartError {}

/// How a box is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Who exists.
    pub directory: Directory,
    /// Wait for each round trip: two while a connection comes about, one before each answer.
    pub latency: Duration,
    /// How far the identity providers' clock is off, in seconds: below -300, assertions are expired on arrival.
    pub idp_clock: i64,
    /// How far the clouds' clock is off, in seconds: credentials end that much later, or earlier.
    pub cloud_clock: i64,
}

/// A request that reached the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Host name.
    pub host: String,
    /// Method; `CONNECT` for a host that is not in the box.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Names of the query's parameters.
    pub query: Vec<String>,
    /// Names of the parameters in a form, or of the members of a JSON object.
    pub params: Vec<String>,
    /// Status of the answer; 0 if there was none.
    pub status: u16,
}

/// What the proxy and its owner share.
pub(crate) struct Shared {
    world: Mutex<World>,
    authority: Authority,
}

impl Shared {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running box. It ends when this is dropped.
pub struct Sandbox {
    shared: Arc<Shared>,
    port: u16,
    ca_file: PathBuf,
    runtime: Option<tokio::runtime::Runtime>,
    _folder: tempfile::TempDir,
}

impl Sandbox {
    /// Starts a box on a free port of 127.0.0.1.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let authority = Authority::new()?;
        let folder = tempfile::Builder::new().prefix("sandbox-").tempdir().map_err(StartError::from_any)?;
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, authority.root_pem()).map_err(StartError::from_any)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sandbox")
            .enable_all()
            .build()
            .map_err(StartError::from_any)?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(StartError::from_any)?;
        listener.set_nonblocking(true).map_err(StartError::from_any)?;
        let port = listener.local_addr().map_err(StartError::from_any)?.port();
        let shared = Arc::new(Shared {
            world: Mutex::new(World {
                directory: options.directory,
                latency: options.latency,
                idp_clock: options.idp_clock,
                cloud_clock: options.cloud_clock,
                trusts: trusts::example(),
                ..World::default()
            }),
            authority,
        });
        {
            let _inside = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::from_any)?;
            runtime.spawn(proxy::listen(listener, Arc::clone(&shared)));
        }
        Ok(Self { shared, port, ca_file, runtime: Some(runtime), _folder: folder })
    }

    /// Address of the proxy, for `HTTPS_PROXY`.
    pub fn proxy_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Root certificate of the test authority, in PEM. The file goes away with the box.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The complete environment of a child in the box; start it with a cleared one.
    pub fn env(&self, home: &Path) -> Vec<(String, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        let proxy = self.proxy_url();
        let ca = self.ca_file.display().to_string();
        let home = home.display().to_string();
        [
            ("HOME", home.as_str()),
            ("PATH", &path),
            ("HTTPS_PROXY", &proxy),
            ("https_proxy", &proxy),
            ("NO_PROXY", ""),
            ("SSL_CERT_FILE", &ca),
            ("AWS_CA_BUNDLE", &ca),
            ("REQUESTS_CA_BUNDLE", &ca),
            ("NODE_EXTRA_CA_CERTS", &ca),
            ("TERM", "xterm-256color"),
            ("LANG", "C.UTF-8"),
            ("TZ", "UTC"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Patterns of the host names that the box answers for; a `*` stands for one region.
    pub fn hosts(&self) -> Vec<&'static str> {
        world::host_patterns().collect()
    }

    /// Requests so far, in order.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.world().seen.clone()
    }

    /// Connections that came about since the requests were forgotten.
    pub fn connections(&self) -> usize {
        self.shared.world().connections
    }

    /// Forgets the requests so far, and counts connections anew.
    pub fn clear_requests(&self) {
        let mut world = self.shared.world();
        world.seen.clear();
        world.connections = 0;
    }

    /// Breaches of the rules that the emulators noticed; each was answered with an error.
    pub fn violations(&self) -> Vec<String> {
        self.shared.world().violations.clone()
    }

    /// Forgets the breaches so far, for a test that makes some on purpose.
    pub fn clear_violations(&self) {
        self.shared.world().violations.clear();
    }

    /// Sets the wait for each round trip: two while a connection comes about, one before each answer.
    pub fn latency(&self, wait: Duration) {
        self.shared.world().latency = wait;
    }

    /// Makes a fault on hosts that fit a pattern with `*`. The first fault that fits a request happens.
    pub fn fault(&self, host_glob: &str, plan: impl Into<Plan>) {
        let mut plan = plan.into();
        plan.host = host_glob.to_owned();
        self.shared.world().plans.push(plan);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.world().plans.clear();
    }

    /// Adds somebody, in place of whoever has the same address.
    pub fn put(&self, person: Person) {
        self.shared.world().directory.put(person);
    }

    /// Adds a role that is assumed with keys of other roles, or of users.
    pub fn trust(&self, trust: Trust) {
        self.shared.world().trusts.push(trust);
    }

    /// Keys that do not end, of a user by their ARN: the ID and the secret.
    pub fn user_key(&self, arn: &str) -> (String, String) {
        self.shared.world().user_key(arn)
    }

    /// Puts a private key (PKCS #8, in DER) into Alibaba Cloud's key management, as version `v1` of that identity.
    pub fn kms_key(&self, id: &str, pkcs8: &[u8]) {
        let public = kms::public(pkcs8).unwrap_or_default();
        self.shared.world().kms.push(kms::KmsKey { id: id.to_owned(), pkcs8: pkcs8.to_vec(), public });
    }

    /// Whose keys these are, by their ID: the ARN with the session.
    pub fn whose(&self, key_id: &str) -> Option<String> {
        self.shared.world().keys.iter().find(|key| key.id == key_id).map(|key| key.arn.clone())
    }

    /// Everybody in the box.
    pub fn directory(&self) -> Directory {
        self.shared.world().directory.clone()
    }

    /// Sets how far the identity providers' clock is off, in seconds.
    pub fn idp_clock(&self, seconds: i64) {
        self.shared.world().idp_clock = seconds;
    }

    /// Sets how far the clouds' clock is off, in seconds.
    pub fn cloud_clock(&self, seconds: i64) {
        self.shared.world().cloud_clock = seconds;
    }

    /// The code that somebody's authenticator app shows now; empty if there is none.
    pub fn code(&self, user: &str) -> String {
        let world = self.shared.world();
        world.directory.person(user).and_then(|person| code_of(person.totp_secret.as_deref()?)).unwrap_or_default()
    }

    /// The code that was sent to somebody by message or mail last; empty if there is none.
    pub fn message(&self, user: &str) -> String {
        self.shared.world().okta.message(user).unwrap_or_default().to_owned()
    }

    /// Ends the sessions at the identity provider, as an administrator can.
    pub fn end_sessions(&self) {
        self.shared.world().okta.end_sessions();
    }

    /// Makes the clouds' consoles refuse all keys that have been handed out until now, although they have not ended.
    pub fn revoke_keys(&self) {
        let mut world = self.shared.world();
        world.console.revoked = world.keys.iter().map(|key| key.id.clone()).collect();
    }

    /// Changes how Identity Center behaves.
    pub fn portal(&self, change: impl FnOnce(&mut Portal)) {
        change(&mut self.shared.world().identity.settings);
    }

    /// Ends every access token of Identity Center's portal; what renews them stays good.
    pub fn end_portal_access(&self) {
        self.shared.world().identity.end_access();
    }

    /// Ends every session at Identity Center's portal.
    pub fn end_portal_sessions(&self) {
        self.shared.world().identity.end_sessions();
    }

    /// Makes Identity Center forget every program that was registered.
    pub fn forget_portal_clients(&self) {
        self.shared.world().identity.forget_clients();
    }

    /// Makes an ID token.
    pub fn token(&self, token: &Token) -> String {
        self.shared.world().mint(token)
    }

    /// The variables of a job in GitHub Actions that may ask for ID tokens.
    pub fn github_job(&self) -> [(&'static str, String); 3] {
        let bearer = self.shared.world().job();
        [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", pipelines::REQUEST_URL.to_owned()),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", bearer),
        ]
    }

    /// A provider and a client at useGrant, and the token for its interface.
    pub fn usegrant(&self) -> (&'static str, &'static str, String) {
        (pipelines::PROVIDER, pipelines::CLIENT, self.shared.world().usegrant())
    }

    /// The secret of `acme-machine` and `acme-machine-post` at the issuer.
    pub fn client_secret(&self) -> &'static str {
        issuer::SECRET
    }

    /// The key of `acme-signer`, in PEM.
    pub fn client_key(&self) -> String {
        self.shared.world().issuer.signer.as_ref().map(|(pem, _)| pem.clone()).unwrap_or_default()
    }

    /// A certificate that an identity provider could sign with, in DER: good since the year 2000, for so many more days.
    pub fn signing_certificate(&self, days: i32) -> Vec<u8> {
        authority::signing_certificate(days).unwrap_or_default()
    }

    /// Sets the pause that the issuer tells devices, in seconds.
    pub fn device_interval(&self, seconds: u64) {
        self.shared.world().issuer.interval = seconds;
    }

    /// What a person does at the issuer: opens an address, signs in or says no, and is sent to the address that this returns; empty
    /// where the page ends there.
    pub fn visit(&self, address: &str, yes: bool) -> String {
        let mut world = self.shared.world();
        let mut open = |address: &str| {
            let url = url::Url::parse(address).ok()?;
            let request = wire::Request {
                host: url.host_str().unwrap_or_default().to_owned(),
                method: "GET".to_owned(),
                path: url.path().to_owned(),
                query: url.query_pairs().into_owned().collect(),
                raw_query: url.query().unwrap_or_default().to_owned(),
                headers: vec![("host".to_owned(), url.host_str().unwrap_or_default().to_owned())],
                body: Vec::new(),
            };
            Some(world.answer(&request))
        };
        let text = |reply: &wire::Reply| match &reply.payload {
            wire::Payload::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            wire::Payload::Huge(_) => String::new(),
        };
        let Some(page) = open(address) else { return String::new() };
        let answer = if yes { "answer=yes" } else { "answer=no" };
        let page = text(&page).replace("&amp;", "&");
        let link = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).find(|link| link.ends_with(answer));
        let Some(link) = link else { return String::new() };
        let Some(reply) = open(&format!("https://{}{link}", issuer::HOST)) else { return String::new() };
        reply.headers.iter().find(|(name, _)| name == "location").map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// Changes how CloudSSO behaves.
    pub fn cloud_sso(&self, change: impl FnOnce(&mut CloudSso)) {
        change(&mut self.shared.world().cloudsso.settings);
    }

    /// Ends every access token of CloudSSO's portal.
    pub fn end_cloud_sso_access(&self) {
        self.shared.world().cloudsso.end_access();
    }

    /// Every secret that has passed: passwords and codes as typed, anti-forgery tokens, cookies, SAML
    /// responses in base64, secret access keys, session tokens and sign-in tokens. None may show up in traces or output.
    pub fn secrets(&self) -> Vec<String> {
        self.shared.world().secrets.clone()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Connections that hang on purpose must not hold up the end of a test.
            runtime.shutdown_background();
        }
    }
}
