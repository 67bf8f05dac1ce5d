//! What the store of the service does in a second, in a company of the planned size. `cargo bench --bench serve_store` prints the tables of
//! docs/performance.md; nothing here asserts. `SAML2CLOUD_BENCH_POSTGRES` names a database that may be emptied, to measure that one too.
#![allow(clippy::print_stdout, reason = "the tables are the point")]
#![allow(clippy::disallowed_methods, reason = "time is what is measured")]
#![allow(clippy::expect_used, reason = "what it makes up is well-formed")]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "figures for people")]

#[path = "serve/data.rs"]
mod data;
#[path = "serve/timed.rs"]
mod timed;

use std::time::{Duration, Instant};

use data::{Size, person, role_of};
use saml2cloud::tvm::audit::{AuthKind, Event};
use saml2cloud::tvm::ledger::Outcome;
use saml2cloud::tvm::model::{Bearer, Digest};
use saml2cloud::tvm::store::saml::{Accept, NewRequest};
use saml2cloud::tvm::store::sessions::{self, NewSession};
use saml2cloud::tvm::store::vends::{Channel, Completion};
use saml2cloud::tvm::store::{Store, Tx, access};
use saml2cloud::tvm::vend::{self, Wish};
use saml2cloud::types::Timestamp;
use timed::timed;

/// What goes wrong is a person's to read.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many ask at once.
const CALLERS: u64 = 16;
const IDLE: Duration = Duration::from_secs(1800);

fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000).expect("a moment")
}

fn main() -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (folder, size) = (tempfile::tempdir()?, Size::of_environment());
        println!("{size:?}, {CALLERS} callers\n");
        for (name, open) in data::places(folder.path()) {
            let start = Instant::now();
            let store = data::fill(&open, size, now()).await?;
            println!(
                "## {name} (filled in {:.0} s)\n\n| | rate | p50 | p99 | computed for each |\n|---|---|---|---|---|",
                start.elapsed().as_secs_f64()
            );
            measure(&store, size).await?;
            let start = Instant::now();
            let walked = store.verify().await?;
            println!("\n{} events verified in {:.1} s\n", walked.events, start.elapsed().as_secs_f64());
        }
        Ok(())
    })
}

/// Somebody else each time.
fn somebody(size: Size, at: u64) -> u64 {
    at.wrapping_mul(7919) % size.people
}

fn cookie(number: u64) -> Digest {
    Digest::of(&format!("cookie {number}"))
}

async fn measure(store: &Store, size: Size) -> Result {
    let signed_in = size.people.min(2000);
    let mut tx = store.begin(now()).await?;
    for number in 0..signed_in {
        begin_session(&mut tx, &cookie(number), number).await?;
    }
    tx.commit(&Event::by(AuthKind::System, "bench.sessions", serde_json::json!({}))).await?;

    let owned = store.clone();
    let done = timed(CALLERS, 20_000, None, move |at| {
        let store = owned.clone();
        async move {
            let event = Event::by(AuthKind::Session, "bench.read", serde_json::json!({"at": at}));
            Ok(store.record(now(), &event).await?)
        }
    });
    println!("| an event | {} |", done.await?.columns());

    let owned = store.clone();
    let done = timed(CALLERS, 20_000, None, move |at| {
        let store = owned.clone();
        async move {
            let mut conn = store.read().await?;
            let found = sessions::by_digest(&mut conn, &cookie(at % signed_in), IDLE, now()).await?;
            let (_, user) = found.ok_or("no session")?;
            access::mine(&mut conn, &user.id, now(), ("", "", ""), 50).await?;
            drop(conn);
            let event = Event::by(AuthKind::Session, "me.roles", serde_json::json!({"limit": 50}));
            Ok(store.record(now(), &event).await?)
        }
    });
    println!("| my roles, first 50: session, list, event | {} |", done.await?.columns());

    let owned = store.clone();
    let done = timed(CALLERS, 8_000, None, move |at| {
        let store = owned.clone();
        async move {
            let number = somebody(size, at);
            let (user, role) = (person(number), role_of(size, number, at % 10));
            let wish = Wish {
                user: &user,
                role: &role,
                channel: Channel::Cli,
                duration: None,
                auth: AuthKind::Bearer,
                request: Some("request"),
                source_ip: Some("192.0.2.1"),
                given: None,
                extra: None,
            };
            let permit = vend::begin(&store, &wish, false, now()).await??;
            let key = format!("ASIA{at}");
            let done = Completion { access_key_id: Some(&key), expires: Some(now()), ..Completion::default() };
            Ok(vend::finish(&store, permit, Outcome::Issued, &done, now()).await?)
        }
    });
    println!("| a vend: decision, line, event; line completed, event | {} |", done.await?.columns());

    let owned = store.clone();
    let done = timed(CALLERS, 8_000, None, move |at| {
        let store = owned.clone();
        async move {
            let number = somebody(size, at);
            let browser = Bearer::new().digest().clone();
            let event = || Event::by(AuthKind::Nobody, "login", serde_json::json!({}));
            let asked = browser.clone();
            store
                .together(now(), move |tx| {
                    let browser = asked.clone();
                    Box::pin(async move {
                        let (id, state) = (format!("r{at}"), format!("s{at}"));
                        let expires = now().after(Duration::from_secs(300));
                        let (id, relay_state) = (id.as_str(), state.as_str());
                        let new = NewRequest { id, browser: &browser, relay_state, return_to: "/", force_authn: false, expires };
                        tx.add_saml_request(&new).await?;
                        Ok(((), event()))
                    })
                })
                .await?;
            let accepted = store
                .together(now(), move |tx| {
                    let browser = browser.clone();
                    Box::pin(async move {
                        let (id, state, assertion) = (format!("r{at}"), format!("s{at}"), format!("a{at}"));
                        let accept = Accept {
                            issuer: "https://idp.example",
                            assertion_id: &assertion,
                            valid_until: now().after(Duration::from_secs(300)),
                            in_response_to: Some(&id),
                            browser: Some(&browser),
                            relay_state: Some(&state),
                            unsolicited: false,
                        };
                        let accepted = tx.accept_assertion(&accept).await?;
                        begin_session(tx, Bearer::new().digest(), number).await?;
                        Ok((accepted, event()))
                    })
                })
                .await?;
            accepted?;
            Ok(())
        }
    });
    println!("| a sign-in: request, event; assertion, session, event | {} |", done.await?.columns());
    Ok(())
}

async fn begin_session(tx: &mut Tx<'_>, id: &Digest, number: u64) -> std::result::Result<(), saml2cloud::tvm::store::StoreError> {
    let new = NewSession {
        id,
        user: &person(number),
        csrf: id,
        expires: now().after(Duration::from_secs(8 * 3600)),
        name_id: None,
        session_index: None,
        authn_context: None,
        authn_at: Some(now()),
        source_ip: None,
        user_agent: None,
    };
    tx.add_session(&new).await
}
