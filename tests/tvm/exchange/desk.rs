//! A small enterprise whose clouds are played: what they say next, what they were asked, and the vending between.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use saml2cloud::cloud::instance::Machine;
use saml2cloud::saml::{SignError, Signer};
use saml2cloud::tvm::audit::AuthKind;
use saml2cloud::tvm::exchange::{Given, Handed, SessionPolicy, Signers, VendError, Vending};
use saml2cloud::tvm::keys::{KeysError, Purpose, Seal};
use saml2cloud::tvm::model::{Class, Node, Role, RoleId, Source, UserId, VendMethod, Vending as Terms};
use saml2cloud::tvm::sites::Sites;
use saml2cloud::tvm::store::groups::Membership;
use saml2cloud::tvm::store::vends::{self, Channel};
use saml2cloud::tvm::store::{Store, nodes};
use saml2cloud::tvm::vend::Wish;
use saml2cloud::types::{IdpArn, Timestamp, WebUrl};
use saml2cloud::world::{Clock, Env, Instance, Request, Response, Transport, TransportError};
use sqlx::{Executor as _, Row as _};

use crate::place::{Acme, Ground, change, now};

/// What must be nowhere but in the caller's hands.
pub(super) const SECRETS: [&str; 4] = ["wJalrSECRET", "FwoGZTOKEN", "wyLSECRET", "CAISTOKEN"];

pub(super) const AWS: &str = r#"<AssumeRoleWithSAMLResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithSAMLResult>
    <AssumedRoleUser><Arn>arn:aws:sts::111111111111:assumed-role/Reader/bob</Arn><AssumedRoleId>AROA:bob</AssumedRoleId></AssumedRoleUser>
    <Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>wJalrSECRET</SecretAccessKey><SessionToken>FwoGZTOKEN</SessionToken>
    <Expiration>2027-01-15T09:00:00Z</Expiration></Credentials></AssumeRoleWithSAMLResult></AssumeRoleWithSAMLResponse>"#;
pub(super) const ALIBABA: &str = r#"{"RequestId":"R","AssumedRoleUser":{"Arn":"acs:ram::1000000000000001:assumed-role/Reader/bob","AssumedRoleId":"3:bob"},
    "Credentials":{"AccessKeyId":"STS.L4","AccessKeySecret":"wyLSECRET","SecurityToken":"CAISTOKEN","Expiration":"2027-01-15T09:00:00Z"}}"#;

pub(super) fn aws_error(code: &str, status: u16) -> (u16, String) {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Code>{code}</Code><Message>No.</Message></Error>\
         <RequestId>r-77</RequestId></ErrorResponse>"
    );
    (status, body)
}

/// What a token service does next.
pub(super) enum Next {
    Says(u16, String),
    Breaks,
    Hangs,
    /// Answers after the database was spoilt.
    Spoils(sqlx::AnyConnection, String),
}

#[derive(Default)]
pub(super) struct Cloud {
    pub(super) hangs: AtomicBool,
    /// How many vends were asked for.
    ticks: AtomicU64,
    pub(super) next: Mutex<VecDeque<Next>>,
    pub(super) asked: Mutex<Vec<Request>>,
}

/// The same one for the test and for the vending.
pub(super) struct Way(pub(super) Arc<Cloud>);

#[async_trait]
impl Transport for Way {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        self.0.asked.lock().unwrap().push(request.clone());
        let next = self.0.next.lock().unwrap().pop_front().expect("one question too many");
        let says = |status, body: String| Ok(Response { status, headers: Vec::new(), body: body.into() });
        match next {
            Next::Says(status, body) => says(status, body),
            Next::Breaks => Err(TransportError::Unreachable { host: "sts".to_owned(), why: "it broke".to_owned() }),
            Next::Hangs => {
                self.0.hangs.store(true, Ordering::Relaxed);
                std::future::pending().await
            }
            Next::Spoils(mut conn, body) => {
                conn.execute("ALTER TABLE audit_event RENAME TO audit_event_away").await.unwrap();
                says(200, body)
            }
        }
    }
}

/// Time that stands still but for a millisecond from vend to vend; waiting takes none of it. Nobody is late but a cloud that hangs.
pub(super) struct Still(Arc<Mutex<Vec<Duration>>>, Arc<Cloud>);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        now().after(Duration::from_millis(self.1.ticks.load(Ordering::Relaxed)))
    }
    async fn sleep(&self, pause: Duration) {
        self.0.lock().unwrap().push(pause);
        if pause >= Duration::from_secs(5) && !self.1.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

#[derive(Debug)]
pub(super) struct Pen;

#[async_trait]
impl Signer for Pen {
    fn certificate(&self) -> &[u8] {
        b"certificate"
    }
    async fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(vec![7; 256])
    }
}

/// A key for each purpose but one.
pub(super) struct Pens(Option<Purpose>);

impl Signers for Pens {
    fn signer(&self, purpose: Purpose) -> Result<Arc<dyn Signer>, KeysError> {
        if self.0 == Some(purpose) { Err(KeysError::None(purpose)) } else { Ok(Arc::new(Pen)) }
    }
}

/// A small enterprise whose cloud is ours.
pub(super) struct Desk {
    pub(super) acme: Acme,
    pub(super) cloud: Arc<Cloud>,
    pub(super) slept: Arc<Mutex<Vec<Duration>>>,
    pub(super) vending: Arc<Vending>,
    pub(super) aws: Role,
    pub(super) alibaba: Role,
}

impl Desk {
    pub(super) async fn new(ground: &Ground, method: VendMethod, env: &[(&str, &str)], missing: Option<Purpose>) -> Self {
        // Nobody listens there: the machine is in no cloud.
        Self::on(ground, method, env, missing, "http://127.0.0.1:1/").await
    }

    /// With the metadata service of a machine.
    pub(super) async fn on(
        ground: &Ground,
        method: VendMethod,
        env: &[(&str, &str)],
        missing: Option<Purpose>,
        metadata: &str,
    ) -> Self {
        let acme = Acme::new(ground).await;
        let (aws, alibaba) =
            (acme.role(&acme.shop, Class::System, "Reader").await, acme.role(&acme.labs, Class::System, "Reader").await);
        let how = Membership { source: Source::Manual, by: None, ends: None, reason: "" };
        let providers = ["arn:aws:iam::111111111111:saml-provider/cam", "acs:ram::1000000000000001:saml-provider/cam"];
        change(&acme.store, async |tx| {
            for (node, role, provider) in [(&acme.shop, &aws, providers[0]), (&acme.labs, &alibaba, providers[1])] {
                tx.join(&role.group, &acme.bob, how).await?;
                let node = nodes::by_id(tx, &node.id).await?;
                let provider = Some(IdpArn::parse(provider).unwrap());
                tx.update_node(&Node { vending: Terms { method, provider, ..Terms::default() }, ..node }).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
        let (cloud, slept) = (Arc::new(Cloud::default()), Arc::default());
        let vending = Vending {
            store: acme.store.clone(),
            signers: Arc::new(Pens(missing)),
            clock: Arc::new(Still(Arc::clone(&slept), cloud.clone())),
            net: Box::new(Way(cloud.clone())),
            env: Env::of(env.iter().copied()),
            machine: Machine::new(Env::of(env.iter().copied()), Instance::at(metadata.parse().unwrap()).unwrap()),
            sites: Sites::new(BTreeMap::new()),
            entity_id: "https://cam.example/idp".to_owned(),
            seal: Some(Arc::new(Seal::new("a passphrase that is long".into()).unwrap())),
            external_id: None,
            two_person: false,
            return_to: WebUrl::parse("https://cam.example/").unwrap(),
        };
        Self { acme, cloud, slept, vending: Arc::new(vending), aws, alibaba }
    }

    pub(super) fn will(&self, next: impl IntoIterator<Item = Next>) {
        self.cloud.next.lock().unwrap().extend(next);
    }

    /// The fields of the questions so far, which are then forgotten.
    pub(super) fn asked(&self) -> Vec<BTreeMap<String, String>> {
        let requests = std::mem::take(&mut *self.cloud.asked.lock().unwrap());
        let fields = |request: &Request| {
            let body = request.body.as_ref().map(|body| body.expose().clone()).unwrap_or_default();
            let query = request.url.expose().query().unwrap_or_default().to_owned();
            let mut fields: BTreeMap<_, _> = [body, query]
                .iter()
                .flat_map(|text| url::form_urlencoded::parse(text.as_bytes()).into_owned().collect::<Vec<_>>())
                .collect();
            fields.extend(request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.expose().clone())));
            fields.insert("host".to_owned(), request.url.host().to_owned());
            fields
        };
        requests.iter().map(fields).collect()
    }

    /// A moment later, so that it is known which line is the newest.
    pub(super) fn tick(&self) {
        self.cloud.ticks.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) async fn keys(&self, role: &RoleId, policy: Option<&str>) -> Result<Handed, VendError> {
        let policy = policy.map(|text| SessionPolicy::parse(text).unwrap());
        self.tick();
        match self.vending.keys(&wish(&self.acme.bob, role, Channel::Cli), policy).await? {
            Given::Keys(handed) => Ok(handed),
            Given::Assertion(_) => panic!("an assertion in place of keys"),
        }
    }

    /// The newest line, in short.
    pub(super) async fn line(&self) -> String {
        let mut lines = vends::by_user(&mut self.acme.store.read().await.unwrap(), &self.acme.bob, i64::MAX, 1).await.unwrap();
        let line = lines.remove(0);
        let mut conn = self.acme.store.read().await.unwrap();
        let sql = "SELECT COALESCE(error_code, '') AS e, COALESCE(cloud_request_id, '') AS r FROM vend_record WHERE id = $1";
        let row = sqlx::query(sql).bind(line.id.as_str()).fetch_one(&mut *conn).await.unwrap();
        let (error, request): (String, String) = (row.get("e"), row.get("r"));
        [line.outcome.word(), &line.access_key_id.unwrap_or_default(), &error, &request].join(" ").trim().to_owned()
    }
}

pub(super) fn wish<'w>(user: &'w UserId, role: &'w RoleId, channel: Channel) -> Wish<'w> {
    Wish {
        user,
        role,
        channel,
        duration: None,
        auth: AuthKind::Bearer,
        request: Some("r-1"),
        source_ip: None,
        given: None,
        extra: None,
    }
}

/// Every text in the tables that vends write.
pub(super) async fn everything(store: &Store) -> String {
    let mut conn = store.read().await.unwrap();
    let mut seen = String::new();
    for sql in [
        "SELECT id || session_name || grant_via || COALESCE(access_key_id, '') || COALESCE(error_code, '') || COALESCE(cloud_request_id, '') AS t FROM vend_record",
        "SELECT params || COALESCE(target_id, '') AS t FROM audit_event",
        "SELECT access_key_id || sealed AS t FROM account_secret",
    ] {
        for row in sqlx::query(sql).fetch_all(&mut *conn).await.unwrap() {
            seen += &row.get::<String, _>("t");
        }
    }
    seen
}
