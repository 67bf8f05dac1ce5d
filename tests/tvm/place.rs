//! A database of its own for every test, with a small enterprise in it.

use std::time::Duration;

use saml2cloud::tvm::audit::{AuthKind, Event};
use saml2cloud::tvm::model::{
    Alias, Class, CloudAccount, Description, Email, Gid, Label, NewNode, NewRole, NewUser, Node, NodeId, Role, UserId,
};
use saml2cloud::tvm::store::nodes::Founding;
use saml2cloud::tvm::store::{Open, Place, Store, StoreError, Tls, Tx};
use saml2cloud::types::{RoleArn, Timestamp};
use sqlx::Executor as _;

use crate::wanted::wanted;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000).unwrap()
}

pub(crate) fn later(seconds: u64) -> Timestamp {
    now().after(Duration::from_secs(seconds))
}

pub(crate) fn event(kind: &'static str) -> Event {
    Event::by(AuthKind::System, kind, serde_json::json!({}))
}

/// Where a test's database is, and how to open it anew.
pub(crate) struct Ground {
    pub(crate) open: Open,
    _folder: tempfile::TempDir,
    server: Option<(url::Url, String)>,
}

impl Ground {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(folder.path().join("data/a b.db"));
        Self { open: Open { place, connections: 4 }, _folder: folder, server: None }
    }

    async fn postgres(server: &str) -> Self {
        let server: url::Url = server.parse().unwrap();
        let name = format!("t{}", NodeId::new(now()).as_str().to_lowercase());
        admin(&server, &format!("CREATE DATABASE {name}")).await;
        let mut url = server.clone();
        url.set_path(&format!("/{name}"));
        let place = Place::Postgres { url, password: None, tls: Tls::Off };
        Self { open: Open { place, connections: 4 }, _folder: tempfile::tempdir().unwrap(), server: Some((server, name)) }
    }

    /// One more of the same kind; on a server it stays behind.
    pub(crate) async fn another(like: &Self) -> Self {
        match &like.server {
            None => Self::sqlite(),
            Some((server, _)) => Self::postgres(server.as_str()).await,
        }
    }

    pub(crate) async fn store(&self) -> Store {
        self.open.migrate().await.unwrap();
        self.open.open(now()).await.unwrap()
    }
}

/// A statement at the server's first database.
async fn admin(server: &url::Url, sql: &str) {
    sqlx::any::install_default_drivers();
    let mut address = server.clone();
    address.query_pairs_mut().append_pair("sslmode", "disable");
    let mut conn = <sqlx::AnyConnection as sqlx::Connection>::connect(address.as_str()).await.unwrap();
    conn.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.unwrap();
}

/// Runs a case on every database there is.
pub(crate) fn on_both(case: impl AsyncFn(&Ground)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        case(&Ground::sqlite()).await;
        if let Some(server) = wanted("SAML2CLOUD_TEST_POSTGRES") {
            let ground = Ground::postgres(&server).await;
            case(&ground).await;
            let (server, name) = ground.server.clone().unwrap();
            admin(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    });
}

/// acme ─┬─ east ─┬─ shop (aws:111111111111)
///       │        └─ labs (alibaba:1000000000000001)
///       └─ west ─── bank (aws:222222222222)
/// admin owns acme, mo owns east, ao owns shop; each node has admin as well.
pub(crate) struct Acme {
    pub(crate) store: Store,
    pub(crate) root: Node,
    pub(crate) east: Node,
    pub(crate) west: Node,
    pub(crate) shop: Node,
    pub(crate) labs: Node,
    pub(crate) bank: Node,
    pub(crate) admin: UserId,
    pub(crate) mo: UserId,
    pub(crate) ao: UserId,
    pub(crate) bob: UserId,
}

pub(crate) fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

pub(crate) fn person(gid: &str, home: &NodeId) -> NewUser {
    NewUser {
        gid: Gid::parse(gid).unwrap(),
        alias: Alias::parse(&format!("{gid} of acme")).unwrap(),
        email: Email::default(),
        description: Description::default(),
        home: home.clone(),
    }
}

pub(crate) fn node(name: &str, account: Option<&str>) -> NewNode {
    NewNode {
        name: label(name),
        description: Description::default(),
        account: account.map(|text| CloudAccount::parse(text).unwrap()),
    }
}

pub(crate) fn role(node: &Node, class: Class, name: &str) -> NewRole {
    let account = node.kind.account().unwrap();
    let arn = match account.partition().cloud() {
        saml2cloud::types::CloudId::Aws => format!("arn:aws:iam::{}:role/{name}", account.uid()),
        saml2cloud::types::CloudId::Alibaba => format!("acs:ram::{}:role/{name}", account.uid()),
    };
    NewRole::new(class, RoleArn::parse(&arn).unwrap(), account).unwrap()
}

/// One change, with its line in the trail.
pub(crate) async fn change<T>(
    store: &Store,
    work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut tx = store.begin(now()).await?;
    let made = work(&mut tx).await?;
    tx.commit(&event("test.change")).await?;
    Ok(made)
}

impl Acme {
    pub(crate) async fn new(ground: &Ground) -> Self {
        let store = ground.store().await;
        let founding = Founding {
            name: label("Acme"),
            account: None,
            gid: Gid::parse("E-1").unwrap(),
            alias: Alias::parse("admin").unwrap(),
            email: Email::default(),
        };
        let mut tx = store.begin(now()).await.unwrap();
        let (root, admin) = tx.found(&founding).await.unwrap();
        let mut people = Vec::new();
        for gid in ["mo", "ao", "bob"] {
            people.push(tx.add_user(&person(gid, &root.id), Some(&admin)).await.unwrap());
        }
        let [mo, ao, bob] = <[UserId; 3]>::try_from(people).unwrap();
        let both = |other: &UserId| [admin.clone(), other.clone()];
        let east = tx.add_node(&root.id, &node("East", None), &both(&mo), Some(&admin)).await.unwrap();
        let west = tx.add_node(&root.id, &node("West", None), &both(&admin), Some(&admin)).await.unwrap();
        let shop = tx.add_node(&east.id, &node("Shop", Some("aws:111111111111")), &both(&ao), Some(&admin)).await.unwrap();
        let labs =
            tx.add_node(&east.id, &node("Labs", Some("alibaba:1000000000000001")), &both(&admin), Some(&admin)).await.unwrap();
        let bank = tx.add_node(&west.id, &node("Bank", Some("aws:222222222222")), &both(&admin), Some(&admin)).await.unwrap();
        tx.commit(&event("test.acme")).await.unwrap();
        Self { store, root, east, west, shop, labs, bank, admin, mo, ao, bob }
    }

    pub(crate) async fn role(&self, node: &Node, class: Class, name: &str) -> Role {
        change(&self.store, async |tx| tx.add_role(&node.id, &role(node, class, name)).await).await.unwrap()
    }

    pub(crate) async fn user(&self, gid: &str, home: &Node) -> UserId {
        change(&self.store, async |tx| tx.add_user(&person(gid, &home.id), Some(&self.admin)).await).await.unwrap()
    }
}
