//! What the service answers in a second over HTTP, in a company of the planned size, with the load generator on the same machine.
//! `cargo bench --bench serve` prints the tables of docs/performance.md; nothing here asserts. The clouds' token service is played in the process.
//! `SAML2CLOUD_BENCH_SCALE` divides the company, `SAML2CLOUD_BENCH_POSTGRES` names a database that may be emptied.
#![allow(clippy::print_stdout, reason = "the tables are the point")]
#![allow(clippy::disallowed_methods, reason = "time is what is measured")]
#![allow(clippy::expect_used, reason = "what it makes up is well-formed")]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "figures for people")]

#[path = "serve/data.rs"]
mod data;
#[path = "serve/http.rs"]
mod http;
#[path = "serve/timed.rs"]
mod timed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use data::{Size, person, role_of};
use http::Client;
use saml2cloud::server::{self, Settings};
use saml2cloud::tvm::audit::{AuthKind, Event};
use saml2cloud::tvm::keys::{By, Keepers, NewKey, Purpose, Seal, Size as KeySize, activate, mint};
use saml2cloud::tvm::model::Bearer;
use saml2cloud::tvm::store::tokens::{NewToken, TokenKind};
use saml2cloud::tvm::store::{Dialect, Open, Place, Store};
use saml2cloud::world::{Clock as _, Env, Network, Request, Response, SystemClock, Tls, Transport, TransportError};
use timed::timed;

/// What goes wrong is a person's to read.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many ask at once.
const CALLERS: u64 = 16;
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
fn configuration(open: &Open, folder: &std::path::Path) -> Result<std::path::PathBuf> {
    std::fs::write(folder.join("passphrase"), PASSPHRASE)?;
    let database = match &open.place {
        Place::Sqlite(path) => format!("url = \"sqlite:{}\"", path.display()),
        Place::Postgres { url, .. } => format!("url = \"{url}\"\ntls = \"off\""),
    };
    let text = format!(
        "[database]\n{database}\n[server]\nlisten = \"127.0.0.1:0\"\naccess_log = \"off\"\n[keys]\npassphrase_file = \"passphrase\"\nallow_file_signer = true\n\
         [limits]\nvend_per_user = 1000000\nvend_per_account = 1000000\nper_address = 1000000\nsign_in_per_address = 1000000\n"
    );
    let path = folder.join("serve.toml");
    std::fs::write(&path, text)?;
    Ok(path)
}

/// Gives a token to some people.
async fn tokens(store: &Store, count: u64) -> Result<Vec<String>> {
    let (mut tx, mut all) = (store.begin(SystemClock.now()).await?, Vec::new());
    for number in 0..count {
        let bearer = Bearer::new();
        let new = NewToken {
            digest: bearer.digest(),
            user: &person(number),
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

async fn measure(name: &str, open: &Open, folder: &std::path::Path, size: Size) -> Result {
    let store = data::fill(open, size, SystemClock.now()).await?;
    let keepers = Keepers::new(Some(Arc::new(Seal::new(PASSPHRASE.into())?)));
    for purpose in [Purpose::IdpAws, Purpose::Audit] {
        let new = NewKey { purpose, name: "bench.example", days: 30 };
        let key = mint(&store, &keepers, &new, KeySize::Rsa2048, &By::default(), SystemClock.now()).await?;
        activate(&store, &key.id, &By::default(), SystemClock.now()).await?;
    }
    let people = size.people.min(2000);
    let tokens = Arc::new(tokens(&store, people).await?);
    drop(store);

    let settings = Settings::load(Some(&configuration(open, folder)?), &Env::default())?;
    let start = Instant::now();
    let running = server::start(settings, &Env::default(), Arc::new(SystemClock), Arc::new(Cloud)).await?;
    let ready = start.elapsed();
    let address = running.address();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(running.serve(async move {
        let _ = ended.await;
    }));
    let at_rest = resident();
    println!("## {name}\n\n| | rate | p50 | p99 |\n|---|---|---|---|");
    let client = Arc::new(Client::new(address));

    let (ours, theirs) = (client.clone(), tokens.clone());
    let done = timed(CALLERS, 20_000, move |at| {
        let (client, tokens) = (ours.clone(), theirs.clone());
        async move { client.ask("GET", "/api/v1/me/roles?limit=50", &tokens[(at % people) as usize], None).await }
    });
    println!("| GET my roles, first 50 | {} |", done.await?.columns());

    let (ours, theirs) = (client.clone(), tokens.clone());
    let done = timed(CALLERS, 6_000, move |at| {
        let (client, tokens) = (ours.clone(), theirs.clone());
        async move {
            let number = at * 7919 % people;
            let path = format!("/api/v1/me/roles/{}/credentials", role_of(size, number, at % 10));
            client.ask("POST", &path, &tokens[number as usize], Some("{}")).await
        }
    });
    println!("| POST credentials, RSA 2048 here, cloud played | {} |", done.await?.columns());

    let under_load = resident();
    let _ = end.send(());
    serving.await?;
    println!(
        "\nReady after {:.0} ms; resident {at_rest} MiB at rest, {under_load} MiB after the load (load generator included).\n",
        ready.as_secs_f64() * 1000.0
    );
    if open.place.dialect() == Dialect::Sqlite {
        let store = open.open(SystemClock.now()).await?;
        println!("{} events verified.\n", store.verify().await?.events);
    }
    Ok(())
}

/// What this process holds in memory, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
}
