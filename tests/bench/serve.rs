//! What the service answers in a second over HTTP, in a company of the planned size, with the load generator on the same machine.
//! `cargo bench --bench serve` prints the tables of docs/performance.md, each row with the figure that it has to meet beside it; nothing here asserts. The
//! service is a process of its own, but for keys: there the clouds' token service is played, so the service runs in this process.
//! `SAML2CLOUD_BENCH_SCALE` divides the company, `SAML2CLOUD_BENCH_EVENTS` says how long a trail is searched (10000000 is the planned size and takes
//! minutes to make), `SAML2CLOUD_BENCH_POSTGRES` names a database that may be emptied.
#![allow(clippy::print_stdout, reason = "the tables are the point")]
#![allow(clippy::disallowed_methods, reason = "time is what is measured")]
#![allow(clippy::expect_used, reason = "what it makes up is well-formed")]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "figures for people")]

#[path = "serve/child.rs"]
mod child;
#[path = "../serve/corporate.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests' identity provider; less is needed here")]
mod corporate;
#[path = "serve/data.rs"]
mod data;
#[path = "serve/http.rs"]
mod http;
#[path = "serve/import.rs"]
mod import;
#[path = "serve/signins.rs"]
mod signins;
#[path = "serve/timed.rs"]
mod timed;
#[path = "serve/trail.rs"]
mod trail;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use child::Service;
use corporate::Corporate;
use data::{Size, person, role_of};
use http::Client;
use saml2cloud::server::{self, Settings};
use saml2cloud::tvm::audit::{AuthKind, Event};
use saml2cloud::tvm::keys::{By, Keepers, NewKey, Purpose, Seal, Size as KeySize, activate, mint};
use saml2cloud::tvm::model::{Bearer, Gid, UserId};
use saml2cloud::tvm::store::tokens::{NewToken, TokenKind};
use saml2cloud::tvm::store::{Dialect, Open, Place, Store, users};
use saml2cloud::world::{Clock as _, Env, Network, Request, Response, SystemClock, Tls, Transport, TransportError};
use timed::{Timed, timed};

/// What goes wrong is a person's to read.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What the identity provider of the tests has to know.
mod house {
    /// The service's address for people.
    pub(crate) const URL: &str = "http://127.0.0.1:8443/";
}

/// How many ask at once.
const CALLERS: u64 = 16;
/// How many come back from the identity provider at once.
const ARRIVING: u64 = 8;
/// How many want keys at once: with more, what is measured is how long they wait for each other.
const VENDING: u64 = 2;
const PASSPHRASE: &str = "the passphrase of a benchmark";

/// A token service that answers at once.
struct Sts;

#[async_trait]
impl Transport for Sts {
    async fn send(&self, _: &Request) -> std::result::Result<Response, TransportError> {
        let body = "<AssumeRoleWithSAMLResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithSAMLResult>\
            <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/a/b</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
            <SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
            </AssumeRoleWithSAMLResult></AssumeRoleWithSAMLResponse>";
        Ok(Response { status: 200, headers: Vec::new(), body: body.into() })
    }
}

struct Cloud;

impl Network for Cloud {
    fn open(&self, _: &Tls) -> std::result::Result<Box<dyn Transport>, TransportError> {
        Ok(Box::new(Sts))
    }
}

fn main() -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (folder, size) = (tempfile::tempdir()?, Size::of_environment());
        println!("{size:?}, {CALLERS} callers\n");
        for (name, open) in data::places(folder.path()) {
            measure(name, &open, folder.path(), size).await?;
        }
        Ok(())
    })
}

/// The configuration of a service on a free port.
fn configuration(open: &Open, folder: &Path, corporate: &Corporate) -> Result<PathBuf> {
    std::fs::write(folder.join("passphrase"), PASSPHRASE)?;
    std::fs::write(folder.join("idp.xml"), corporate.metadata())?;
    std::fs::write(folder.join("idp.pem"), corporate.pem())?;
    let database = match &open.place {
        Place::Sqlite(path) => format!("url = \"sqlite:{}\"", path.display()),
        Place::Postgres { url, .. } => format!("url = \"{url}\"\ntls = \"off\""),
    };
    let text = format!(
        "[database]\n{database}\n[server]\nlisten = \"127.0.0.1:0\"\naccess_log = \"off\"\n[keys]\npassphrase_file = \"passphrase\"\nallow_file_signer = true\n\
         [limits]\nvend_per_user = 1000000\nvend_per_account = 1000000\nper_address = 1000000\nsign_in_per_address = 1000000\n\
         [idp]\nmetadata_file = \"idp.xml\"\ncertificate_file = \"idp.pem\"\n"
    );
    let path = folder.join("serve.toml");
    std::fs::write(&path, text)?;
    Ok(path)
}

/// A token of the one who owns the root.
async fn admin_token(store: &Store) -> Result<String> {
    let found = users::by_gid(&mut *store.read().await?, &Gid::parse("E-0")?).await?;
    Ok(tokens_of(store, &[found.ok_or("nobody owns the root")?.id]).await?.remove(0))
}

/// Gives a token to some people.
async fn tokens(store: &Store, count: u64) -> Result<Vec<String>> {
    tokens_of(store, &(0..count).map(person).collect::<Vec<_>>()).await
}

async fn tokens_of(store: &Store, people: &[UserId]) -> Result<Vec<String>> {
    let (mut tx, mut all) = (store.begin(SystemClock.now()).await?, Vec::new());
    for user in people {
        let bearer = Bearer::new();
        let new = NewToken {
            digest: bearer.digest(),
            user,
            kind: TokenKind::Cli,
            name: "bench",
            authn_context: None,
            authn_at: Some(SystemClock.now()),
            source_ip: None,
            origin: None,
            expires: SystemClock.now().after(Duration::from_secs(12 * 3600)),
        };
        tx.add_token(&new).await?;
        all.push(bearer.secret().expose().clone());
    }
    tx.commit(&Event::by(AuthKind::System, "bench.tokens", serde_json::json!({}))).await?;
    Ok(all)
}

/// The figures for each database: rates and times that have to be met.
struct Figures {
    mine: &'static str,
    vend: &'static str,
    sign_in: &'static str,
    trail: &'static str,
    ready: &'static str,
    import: &'static str,
}

fn figures(dialect: Dialect) -> Figures {
    match dialect {
        Dialect::Sqlite => Figures {
            mine: "≥ 1,500/s, p99 ≤ 20 ms",
            vend: "≥ 300/s, p50 ≤ 4 ms, p99 ≤ 15 ms",
            sign_in: "≥ 400/s, p99 ≤ 20 ms",
            trail: "≤ 30 ms",
            ready: "≤ 500 ms",
            import: "≤ 60 s",
        },
        Dialect::Postgres => Figures {
            mine: "≥ 800/s, p99 ≤ 40 ms",
            vend: "≥ 200/s, p99 ≤ 30 ms",
            sign_in: "≥ 250/s",
            trail: "≤ 50 ms",
            ready: "≤ 1,000 ms",
            import: "≤ 180 s",
        },
    }
}

async fn measure(name: &str, open: &Open, folder: &Path, size: Size) -> Result {
    let store = data::fill(open, size, SystemClock.now()).await?;
    let keepers = Keepers::new(Some(Arc::new(Seal::new(PASSPHRASE.into())?)));
    for purpose in [Purpose::IdpAws, Purpose::Audit, Purpose::Sp] {
        let new = NewKey { purpose, name: "bench.example", days: 30 };
        let key = mint(&store, &keepers, &new, KeySize::Rsa2048, &By::default(), SystemClock.now()).await?;
        activate(&store, &key.id, &By::default(), SystemClock.now()).await?;
    }
    let people = size.people.min(2000);
    let tokens = Arc::new(tokens(&store, people).await?);
    store.close().await;
    let corporate = Arc::new(Corporate::new());
    let configuration = configuration(open, folder, &corporate)?;
    let figures = figures(open.place.dialect());
    println!("## {name}\n\n| | rate | p50 | p99 | computed for each | has to be |\n|---|---|---|---|---|---|");

    let service = Service::start(&configuration).await?;
    let (ready, [at_rest, _]) = (service.ready, service.memory());
    let done = roles(&service, &tokens).await?;
    println!("| GET my roles, first 50 | {} | {} |", done.columns(), figures.mine);
    let [away, back] = signins::measure(service.address, &corporate, service.process(), 4_000).await?;
    println!("| GET sign-in: request signed and kept | {} | |", away.columns());
    println!(
        "| POST response of the identity provider (ECDSA): judged, used up, session; {ARRIVING} callers | {} | {} |",
        back.columns(),
        figures.sign_in
    );
    let [_, most] = service.memory();
    drop(service);

    let done = vends(&configuration, size, &tokens).await?;
    println!(
        "| POST credentials, RSA 2048 here, cloud played; {VENDING} callers, load generator included | {} | {} |",
        done.columns(),
        figures.vend
    );
    let store = open.open(SystemClock.now()).await?;
    let verified = store.verify().await?.events;
    store.close().await;

    let count = std::env::var("SAML2CLOUD_BENCH_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(200_000);
    trail::fill_trail(open, size, count, SystemClock.now()).await?;
    trail(&configuration, open, &figures, count).await?;
    let store = open.open(SystemClock.now()).await?;
    let admin = admin_token(&store).await?;
    store.close().await;
    let service = Service::start(&configuration).await?;
    let done = import::measure(Client::new(service.address), service.process(), &admin, size).await?;
    println!("| POST import of {} accounts of 15 roles each, a request | {} | |", import::AT_ONCE, done.columns());
    println!(
        "| The whole company: {} accounts, {} roles | | {:.0} s | | | {} |",
        size.accounts,
        size.roles,
        // At that rate, the tenth that was not counted included.
        done.took.as_secs_f64() * 10.0 / 9.0,
        figures.import
    );
    drop(service);
    println!("| Ready after its start | | {:.0} ms | | | {} |", ready.as_secs_f64() * 1000.0, figures.ready);
    println!("| Memory at rest | | {at_rest} MiB | | | ≤ 60 MiB |");
    println!("| Memory at the most, under the load above | | {most} MiB | | | ≤ 200 MiB |");
    println!("\n{verified} events verified.\n");
    Ok(())
}

async fn roles(service: &Service, tokens: &Arc<Vec<String>>) -> Result<Timed> {
    let (client, tokens) = (Arc::new(Client::new(service.address)), tokens.clone());
    timed(CALLERS, 20_000, Some(service.process()), move |at| {
        let (client, tokens) = (client.clone(), tokens.clone());
        async move { client.ask("GET", "/api/v1/me/roles?limit=50", &tokens[at as usize % tokens.len()], None).await }
    })
    .await
}

async fn vends(configuration: &Path, size: Size, tokens: &Arc<Vec<String>>) -> Result<Timed> {
    let settings = Settings::load(Some(configuration), &Env::default())?;
    let running = server::start(settings, &Env::default(), Arc::new(SystemClock), Arc::new(Cloud)).await?;
    let client = Arc::new(Client::new(running.address()));
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(running.serve(async move {
        let _ = ended.await;
    }));
    let tokens = tokens.clone();
    let done = timed(VENDING, 6_000, None, move |at| {
        let (client, tokens) = (client.clone(), tokens.clone());
        async move {
            let number = at * 7919 % tokens.len() as u64;
            let path = format!("/api/v1/me/roles/{}/credentials", role_of(size, number, at % 10));
            client.ask("POST", &path, &tokens[number as usize], Some("{}")).await
        }
    });
    let done = done.await?;
    let _ = end.send(());
    serving.await?;
    Ok(done)
}

/// The first page of the trail by each filter, one caller: how long somebody waits who looks.
async fn trail(configuration: &Path, open: &Open, figures: &Figures, count: u64) -> Result {
    let store = open.open(SystemClock.now()).await?;
    let admin = Arc::new(admin_token(&store).await?);
    store.close().await;
    let service = Service::start(configuration).await?;
    let [account, branch, root] = trail::places_in_tree(open).await?;
    let client = Arc::new(Client::new(service.address));
    let filters = [
        ("no filter", String::new()),
        ("a kind", "&type=kind.7".to_owned()),
        ("a person", "&gid=P7".to_owned()),
        ("an account", format!("&node={account}")),
        ("a hundredth of the tree", format!("&node={branch}")),
        ("the whole tree", format!("&node={root}")),
    ];
    for (name, filter) in filters {
        let (client, admin) = (client.clone(), admin.clone());
        let done = timed(1, 50, Some(service.process()), move |_| {
            let (client, admin, path) = (client.clone(), admin.clone(), format!("/api/v1/audit?limit=50{filter}"));
            async move { client.ask("GET", &path, &admin, None).await }
        });
        println!("| GET audit trail of {count} events, {name}; one caller | {} | {} |", done.await?.columns(), figures.trail);
    }
    Ok(())
}
