//! The trail outside of the database: told in order and at least once, its ends signed, and what is old let go with leave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use saml2cloud::saml::Signer;
use saml2cloud::tvm::audit::checkpoint::Checkpoint;
use saml2cloud::tvm::audit::outside::{Batch, File, Outside, OutsideError, Syslog, Webhook, signature};
use saml2cloud::tvm::audit::{AuthKind, Broken, Event, Teller};
use saml2cloud::tvm::keys::{By, Keepers, NewKey, Purpose, Ring, Seal, Size, activate, mint};
use saml2cloud::tvm::model::KeyId;
use saml2cloud::tvm::store::{Store, StoreError, trail};
use saml2cloud::types::{Timestamp, WebUrl};
use saml2cloud::world::outlet::SystemLog;
use saml2cloud::world::{SystemClock, open_outbound};
use sqlx::Executor as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::audit::raw;
use crate::place::{Acme, Ground, change, event, label, later, now, on_both};

const DAY: u64 = 24 * 3600;

/// The signer of the trail, and which key it is.
async fn pen(store: &Store) -> (KeyId, Arc<dyn Signer>) {
    let keepers = Keepers::new(Some(Arc::new(Seal::new("a passphrase that is long".into()).unwrap())));
    let new = NewKey { purpose: Purpose::Audit, name: "cam.example", days: 3650 };
    let key = mint(store, &keepers, &new, Size::Rsa2048, &By::default(), now()).await.unwrap();
    activate(store, &key.id, &By::default(), now()).await.unwrap();
    let ring = Ring::load(store, &keepers, now()).await.unwrap();
    (key.id, ring.signer(Purpose::Audit).unwrap())
}

async fn record(store: &Store, count: usize, at: Timestamp) {
    for number in 0..count {
        let event = Event::by(AuthKind::System, "numbered", serde_json::json!({"at": number}));
        store.record(at, &event).await.unwrap();
    }
}

/// A place that remembers, and sometimes does not hear.
#[derive(Clone, Default)]
struct Ear {
    heard: Arc<Mutex<Vec<(String, i64)>>>,
    checkpoints: Arc<Mutex<Vec<Checkpoint>>>,
    deaf: Arc<Mutex<bool>>,
}

#[async_trait]
impl Outside for Ear {
    fn name(&self) -> &'static str {
        "ear"
    }
    async fn tell(&mut self, batch: Batch<'_>) -> Result<(), OutsideError> {
        self.heard.lock().unwrap().extend(batch.events.iter().map(|row| (row.chain.clone(), row.seq)));
        self.checkpoints.lock().unwrap().extend(batch.checkpoints.iter().cloned());
        // It heard, and nobody knows: it is told once more.
        if *self.deaf.lock().unwrap() { Err(std::io::Error::other("nobody there").into()) } else { Ok(()) }
    }
}

#[test]
fn a_place_is_told_everything_in_order_and_from_where_it_was_left() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let (store, ear) = (&acme.store, Ear::default());
        record(store, 5, now()).await;
        let mut teller = Teller::new(store.clone(), Box::new(ear.clone()));
        *ear.deaf.lock().unwrap() = true;
        teller.round(now()).await.unwrap_err();
        assert_eq!((store.lag("ear").await.unwrap(), store.lag("other").await.unwrap()), (7, 7));
        *ear.deaf.lock().unwrap() = false;
        assert_eq!(teller.round(now()).await.unwrap(), 7);
        assert_eq!(teller.round(now()).await.unwrap(), 0);
        record(store, 1200, now()).await;
        assert_eq!(store.lag("ear").await.unwrap(), 1200);
        // Another teller for the same place goes on where the first one was.
        assert_eq!(Teller::new(store.clone(), Box::new(ear.clone())).round(now()).await.unwrap(), 1200);
        assert_eq!((store.lag("ear").await.unwrap(), store.lag("other").await.unwrap()), (0, 1207));
        let heard: Vec<i64> = ear.heard.lock().unwrap().iter().map(|(_, seq)| *seq).collect();
        let wanted: Vec<i64> = (1..=7).chain(1..=1207).collect();
        assert_eq!(heard, wanted, "twice what was not acknowledged, and nothing left out");
    });
}

#[test]
fn what_a_process_left_untold_is_told_by_another() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let second = ground.open.open(later(1)).await.unwrap();
        record(&acme.store, 2, now()).await;
        record(&second, 1, later(1)).await;
        let ear = Ear::default();
        let mut teller = Teller::new(second.clone(), Box::new(ear.clone()));
        assert_eq!(teller.round(later(60)).await.unwrap(), 2, "the first one may still be at it");
        assert_eq!(teller.round(later(179)).await.unwrap(), 0);
        assert_eq!(teller.round(later(300)).await.unwrap(), 4);
        let heard: BTreeMap<String, usize> = ear.heard.lock().unwrap().iter().fold(BTreeMap::new(), |mut all, (chain, _)| {
            *all.entry(chain.clone()).or_default() += 1;
            all
        });
        assert_eq!(heard.into_values().collect::<Vec<_>>(), [4, 2]);
    });
}

#[test]
fn a_file_a_log_and_a_webhook_are_told_in_their_own_forms() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let (store, folder) = (&acme.store, tempfile::tempdir().unwrap());
        let lines = |path: &std::path::Path| -> Vec<serde_json::Value> {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        // A file, which is turned over, and which somebody tore.
        let path = folder.path().join("audit.jsonl");
        let mut teller = Teller::new(store.clone(), Box::new(File(path.clone())));
        teller.round(now()).await.unwrap();
        assert_eq!(
            lines(&path).iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
            ["audit.chain.opened", "test.acme"]
        );
        std::fs::rename(&path, folder.path().join("audit.jsonl.1")).unwrap();
        std::fs::write(&path, "{\"half\":1").unwrap();
        record(store, 1, now()).await;
        teller.round(now()).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let (half, rest) = text.split_once('\n').unwrap();
        assert_eq!((half, serde_json::from_str::<serde_json::Value>(rest).unwrap()["seq"].as_i64()), ("{\"half\":1", Some(3)));

        let socket = tokio::net::UnixDatagram::bind(folder.path().join("log")).unwrap();
        let to = SystemLog::parse(&format!("unix:{}", folder.path().join("log").display())).unwrap();
        Teller::new(store.clone(), Box::new(Syslog { to, host: "box".to_owned() })).round(now()).await.unwrap();
        let mut bytes = [0_u8; 65536];
        let length = socket.recv(&mut bytes).await.unwrap();
        let message = std::str::from_utf8(&bytes[..length]).unwrap();
        assert!(
            message.starts_with("<110>1 2027-01-15T08:00:00Z box saml2cloud ") && message.contains(" audit.chain.opened - {"),
            "{message}"
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = SystemLog::parse(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
        let heard = tokio::spawn(async move {
            let (mut stream, mut text) = (listener.accept().await.unwrap().0, String::new());
            stream.read_to_string(&mut text).await.unwrap();
            text
        });
        to.send(&["<110>1 - a".to_owned(), "<110>1 - ü".to_owned()]).await.unwrap();
        assert_eq!(heard.await.unwrap(), "10 <110>1 - a11 <110>1 - ü");

        let (hook, statuses) = (hook().await, [500, 302, 200]);
        let url = WebUrl::parse(&format!("http://{}/hook", hook.0)).unwrap();
        let net = open_outbound(&url, Arc::new(|_| false)).unwrap();
        let webhook = Webhook { url, net, secret: "shared secret".into(), clock: Arc::new(SystemClock) };
        let mut teller = Teller::new(store.clone(), Box::new(webhook));
        for status in statuses {
            hook.1.lock().unwrap().0 = status;
            assert_eq!(teller.round(now()).await.is_ok(), status == 200, "{status}");
        }
        let heard = hook.1.lock().unwrap().1.clone();
        assert_eq!(heard.len(), 3, "a redirect is not followed");
        let (head, body) = heard[2].split_once("\r\n\r\n").unwrap();
        let header = head.lines().find_map(|line| line.strip_prefix("x-saml2cloud-signature: ")).unwrap();
        let at: i64 = header.split(['=', ',']).nth(1).unwrap().parse().unwrap();
        assert_eq!(header, signature(&"shared secret".into(), Timestamp::from_unix(at).unwrap(), body));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["events"].as_array().unwrap().len(), 3);
    });
}

type Heard = Arc<Mutex<(u16, Vec<String>)>>;

/// An endpoint on loopback: answers as it is told and remembers what came.
async fn hook() -> (std::net::SocketAddr, Heard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, heard) = (listener.local_addr().unwrap(), Heard::default());
    let kept = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            loop {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head.lines().find_map(|line| {
                        line.to_lowercase().strip_prefix("content-length: ").map(|n| n.parse::<usize>().unwrap())
                    });
                    if body.len() >= length.unwrap_or_default() {
                        break;
                    }
                }
                if stream.read_buf(&mut bytes).await.unwrap() == 0 {
                    break;
                }
            }
            let status = {
                let mut kept = kept.lock().unwrap();
                kept.1.push(String::from_utf8(bytes).unwrap());
                kept.0
            };
            let answer = format!(
                "HTTP/1.1 {status} x\r\nlocation: http://{address}/other\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, heard)
}

#[test]
fn a_chain_that_is_cut_after_a_checkpoint_is_found() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let (store, ear) = (&acme.store, Ear::default());
        let (key, pen) = pen(store).await;
        record(store, 5, now()).await;
        let first = store.checkpoint(&key, pen.as_ref(), now()).await.unwrap().unwrap();
        assert_eq!(store.checkpoint(&key, pen.as_ref(), later(600)).await.unwrap(), None, "nothing new");
        record(store, 1, now()).await;
        assert_eq!(store.checkpoint(&key, pen.as_ref(), later(59)).await.unwrap(), None, "not yet");
        let second = store.checkpoint(&key, pen.as_ref(), later(60)).await.unwrap().unwrap();
        assert_eq!(second.statement.head.seq, first.statement.head.seq + 1);
        Teller::new(store.clone(), Box::new(ear.clone())).round(later(60)).await.unwrap();
        assert_eq!(*ear.checkpoints.lock().unwrap(), [first.clone(), second.clone()]);
        let walked = store.verify().await.unwrap();
        assert_eq!((walked.checkpoints, walked.events), (2, second.statement.head.seq as u64));
        // The end is cut off, and the note of where it was is put right. Only the checkpoint still knows.
        let seq = second.statement.head.seq;
        let cut = [
            format!("DELETE FROM audit_event WHERE seq = {seq}"),
            format!("UPDATE audit_chain SET seq = {0}, hash = (SELECT e.hash FROM audit_event e WHERE e.seq = {0})", seq - 1),
        ];
        outside(ground, &cut).await;
        let found = store.verify().await;
        assert!(matches!(found, Err(StoreError::Broken(Broken::Missing { seq: at, .. })) if at == seq), "{found:?}");
        // A checkpoint that was made to fit is not signed.
        let hash = format!("(SELECT e.hash FROM audit_event e WHERE e.seq = {})", seq - 1);
        outside(
            ground,
            &[
                format!("DELETE FROM audit_checkpoint WHERE seq < {seq}"),
                format!("UPDATE audit_checkpoint SET seq = {}, hash = {hash}", seq - 1),
            ],
        )
        .await;
        let found = store.verify().await;
        assert!(matches!(found, Err(StoreError::Broken(Broken::Checkpoint { .. }))), "{found:?}");
        outside(ground, &["DELETE FROM audit_checkpoint".to_owned()]).await;
        store.verify().await.unwrap();
        // Which is why they are told outside: what was told there still knows.
        let told = ear.checkpoints.lock().unwrap().clone();
        assert_eq!(told.last(), Some(&second));
        let found = store.verify_against(&told).await;
        assert!(matches!(found, Err(StoreError::Broken(Broken::Missing { seq: at, .. })) if at == seq), "{found:?}");
        // The first one alone is met; one that nobody signed proves nothing, and a chain that is not there is missing.
        assert_eq!(store.verify_against(std::slice::from_ref(&first)).await.unwrap().checkpoints, 1);
        let mut forged = first.clone();
        forged.statement.head.seq += 1;
        let found = store.verify_against(&[forged]).await;
        assert!(matches!(found, Err(StoreError::Broken(Broken::Checkpoint { .. }))), "{found:?}");
        let mut elsewhere = first;
        elsewhere.statement.head.chain = "elsewhere".to_owned();
        let found = store.verify_against(&[elsewhere]).await;
        assert!(matches!(found, Err(StoreError::Broken(Broken::Missing { seq: 1, .. }))), "{found:?}");
    });
}

async fn outside(ground: &Ground, statements: &[String]) {
    let mut conn = raw(ground).await;
    for sql in statements {
        conn.execute(sqlx::AssertSqlSafe(sql.clone())).await.unwrap();
    }
}

#[test]
fn what_is_old_goes_with_leave_and_the_rest_can_still_be_walked() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let (key, pen) = pen(store).await;
        record(store, 4, later(DAY)).await;
        record(store, 3, later(100 * DAY)).await;
        let before = store.verify().await.unwrap().events;
        // The floor holds, whatever is wished for.
        let gone = store.let_go(1, &key, pen.as_ref(), later(179 * DAY)).await.unwrap();
        assert_eq!((gone.chains, gone.events), (0, 0));
        let gone = store.let_go(1, &key, pen.as_ref(), later(190 * DAY)).await.unwrap();
        assert_eq!((gone.chains, gone.events), (1, before - 3));
        let walked = store.verify().await.unwrap();
        assert_eq!((walked.events, walked.checkpoints), (3 + 1, 1), "what was left, and the event that tells of it");
        record(store, 2, later(190 * DAY)).await;
        // A second process begins behind the cut, and a whole chain may go.
        let second = ground.open.open(later(600 * DAY)).await.unwrap();
        record(&second, 1, later(600 * DAY)).await;
        let gone = second.let_go(400, &key, pen.as_ref(), later(600 * DAY)).await.unwrap();
        assert_eq!((gone.chains, gone.events), (1, 6));
        second.verify().await.unwrap();
        // What is let go without leave is missed.
        outside(ground, &["DELETE FROM audit_checkpoint WHERE cut IS NOT NULL".to_owned()]).await;
        assert!(matches!(second.verify().await, Err(StoreError::Broken(Broken::Missing { .. }))));
    });
}

/// The beginnings and lengths of the pieces of the trail, and what is wrong behind the last.
async fn pieces(store: &Store) -> (Vec<(i64, i64)>, Option<Broken>) {
    let (mut seen, mut at) = (Vec::new(), None);
    loop {
        let (chain, from) = at.map_or((None, 1), |(chain, from): (String, i64)| (Some(chain), from));
        let piece = trail::piece(&mut store.read().await.unwrap(), chain.as_deref(), from, 3).await.unwrap().unwrap();
        seen.push((piece.from, piece.sound));
        match piece.next {
            Some(next) => at = Some(next),
            None => return (seen, piece.broken),
        }
    }
}

#[test]
fn a_trail_that_was_cut_is_walked_piece_by_piece_from_there_on() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let (key, pen) = pen(store).await;
        record(store, 4, later(DAY)).await;
        let gone = store.verify().await.unwrap().events as i64;
        record(store, 6, later(100 * DAY)).await;
        store.let_go(1, &key, pen.as_ref(), later(190 * DAY)).await.unwrap();
        let sound = vec![(gone + 1, 3), (gone + 4, 3), (gone + 7, 1)];
        assert_eq!(pieces(store).await, (sound.clone(), None), "six, and the event that tells of the cut");
        // What is signed of it is met on the way.
        let mark = store.checkpoint(&key, pen.as_ref(), later(191 * DAY)).await.unwrap().unwrap();
        assert_eq!((mark.statement.head.seq, pieces(store).await), (gone + 7, (sound.clone(), None)));
        let (hash, there) = (&mark.statement.head.hash, format!("WHERE seq = {}", gone + 7));
        outside(ground, &[format!("UPDATE audit_checkpoint SET hash = 'x' {there}")]).await;
        assert!(matches!(pieces(store).await.1, Some(Broken::Checkpoint { .. })));
        outside(
            ground,
            &[
                format!("UPDATE audit_checkpoint SET hash = '{hash}' {there}"),
                format!("DELETE FROM audit_event {there}"),
                format!(
                    "UPDATE audit_chain SET seq = {0}, hash = (SELECT e.hash FROM audit_event e WHERE e.seq = {0})",
                    gone + 6
                ),
            ],
        )
        .await;
        let (seen, broken) = pieces(store).await;
        assert_eq!((&seen[..2], seen[2]), (&sound[..2], (gone + 7, 0)));
        assert!(matches!(broken, Some(Broken::Missing { seq, .. }) if seq == gone + 7), "{broken:?}");
        outside(ground, &[format!("DELETE FROM audit_checkpoint {there}")]).await;
        assert_eq!(pieces(store).await.1, None, "which only those that were told outside know");
        outside(ground, &["DELETE FROM audit_checkpoint".to_owned()]).await;
        let (seen, broken) = pieces(store).await;
        assert_eq!(seen, [(1, 0)]);
        assert!(matches!(broken, Some(Broken::Missing { seq: 1, .. })), "{broken:?}");
    });
}

#[test]
fn a_chain_that_went_whole_has_an_end_that_the_next_one_follows() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let (key, pen) = pen(&acme.store).await;
        record(&acme.store, 2, later(50 * DAY)).await;
        acme.store.let_go(1, &key, pen.as_ref(), later(200 * DAY)).await.unwrap();
        let second = ground.open.open(later(201 * DAY)).await.unwrap();
        record(&second, 1, later(201 * DAY)).await;
        // What the second chain names is cut after other cuts, and nothing of its chain is left.
        for (day, events) in [(240, 2), (381, 1)] {
            let gone = second.let_go(1, &key, pen.as_ref(), later(day * DAY)).await.unwrap();
            assert_eq!((gone.chains, gone.events), (1, events));
        }
        let (seen, broken) = pieces(&second).await;
        assert_eq!((seen.iter().map(|(_, sound)| *sound).collect::<Vec<_>>(), broken), (vec![0, 3, 1], None));
        assert_eq!(second.verify().await.unwrap().events, 4);
    });
}

#[test]
fn a_change_is_told_outside_like_everything_else() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        change(&acme.store, async |tx| tx.add_group(&acme.east.id, &label("Told")).await).await.unwrap();
        acme.store.record(now(), &event("read")).await.unwrap();
        let ear = Ear::default();
        assert_eq!(Teller::new(acme.store.clone(), Box::new(ear)).round(now()).await.unwrap(), 4);
    });
}
