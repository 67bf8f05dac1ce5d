//! The trail: no change without its event, pages by every filter, tampering found and named.

use saml2cloud::tvm::audit::{AuthKind, Broken, Event, Outcome};
use saml2cloud::tvm::model::Gid;
use saml2cloud::tvm::store::audit::{Ask, Filter, page};
use saml2cloud::tvm::store::{Dialect, StoreError, nodes};
use sqlx::Executor as _;

use crate::place::{Acme, change, event, label, later, node, now, on_both};

fn ask(filter: Filter) -> Ask {
    Ask { filter, from: now(), until: later(1000), after: None, limit: 100 }
}

#[test]
fn what_is_not_told_is_not_done() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let mut tx = store.begin(now()).await.unwrap();
        let new = tx.add_node(&acme.east.id, &node("Quiet", None), std::slice::from_ref(&acme.admin), None).await.unwrap();
        drop(tx);
        assert!(nodes::by_id(&mut store.read().await.unwrap(), &new.id).await.is_err());
        let before = store.verify().await.unwrap().events;
        // A trail that cannot be written stops every change.
        let mut tx = store.begin(now()).await.unwrap();
        tx.execute("ALTER TABLE audit_event RENAME TO audit_event_away").await.unwrap();
        tx.execute("DELETE FROM group_member").await.unwrap();
        assert!(tx.commit(&event("test")).await.is_err());
        assert_eq!(store.verify().await.unwrap().events, before);
        change(store, async |tx| tx.add_group(&acme.east.id, &label("Later")).await).await.unwrap();
        assert_eq!(store.verify().await.unwrap().events, before + 1);
    });
}

#[test]
fn the_trail_is_read_by_time_kind_person_and_place() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        for (at, (kind, gid, node)) in
            [("vend", "BOB", &acme.shop), ("login", "BOB", &acme.root), ("vend", "MO", &acme.bank), ("vend", "BOB", &acme.labs)]
                .iter()
                .enumerate()
        {
            let mut event =
                Event::by(AuthKind::Session, kind, serde_json::json!({"at": at})).on("node", node.id.as_str(), Some(&node.path));
            event.actor_gid = Some((*gid).to_owned());
            event.outcome = if at == 1 { Outcome::Refused } else { Outcome::Done };
            store.record(later(at as u64 + 1), &event).await.unwrap();
        }
        let mut conn = store.read().await.unwrap();
        let mut places = async |ask: &Ask| {
            let rows = page(&mut conn, ask).await.unwrap();
            rows.iter().map(|row| (row.ts - now().unix_millis()) / 1000).collect::<Vec<_>>()
        };
        assert_eq!(places(&ask(Filter::Kind("vend".to_owned()))).await, [4, 3, 1]);
        assert_eq!(places(&ask(Filter::By(Gid::parse("bob").unwrap()))).await, [4, 2, 1]);
        assert_eq!(places(&ask(Filter::At(acme.east.path.clone()))).await, [4, 1]);
        let window = Ask { from: later(2), until: later(4), ..ask(Filter::All) };
        assert_eq!(places(&window).await, [3, 2]);
        let mut conn = store.read().await.unwrap();
        let mut ask = Ask { limit: 2, ..ask(Filter::All) };
        let mut seen = Vec::new();
        loop {
            let rows = page(&mut conn, &ask).await.unwrap();
            let Some(last) = rows.last() else { break };
            ask.after = Some((last.ts, last.chain.clone(), last.seq));
            seen.extend(rows.iter().map(|row| row.seq));
        }
        assert_eq!(seen, [6, 5, 4, 3, 2, 1]);
    });
}

#[test]
fn every_process_has_its_chain_and_each_names_the_end_of_the_one_before() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let second = ground.open.open(later(1)).await.unwrap();
        // Both write, in turn.
        for _ in 0..3 {
            acme.store.record(now(), &event("one")).await.unwrap();
            second.record(later(1), &event("two")).await.unwrap();
        }
        let walked = second.verify().await.unwrap();
        assert_eq!((walked.chains, walked.events), (2, 9));
        // The end of the older chain is cut, and the note of where it ended with it.
        let mut tx = acme.store.begin(now()).await.unwrap();
        let chain = "(SELECT MIN(chain) FROM audit_chain)";
        let sql = format!("DELETE FROM audit_event WHERE seq > 2 AND chain = {chain}");
        tx.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        let hash = format!("SELECT hash FROM audit_event WHERE seq = 2 AND chain = {chain}");
        let sql = format!("UPDATE audit_chain SET seq = 2, hash = ({hash}) WHERE chain = {chain}");
        tx.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        tx.commit(&event("cut")).await.expect_err("the chain is not where this process left it");
        change_outside(&acme, ground, &[
            "DELETE FROM audit_event WHERE seq > 2 AND chain = (SELECT MIN(chain) FROM audit_chain)",
            "UPDATE audit_chain SET seq = 2, hash = (SELECT e.hash FROM audit_event e WHERE e.seq = 2 AND e.chain = audit_chain.chain)
             WHERE chain = (SELECT MIN(chain) FROM audit_chain)",
        ])
        .await;
        let found = second.verify().await;
        assert!(matches!(found, Err(StoreError::Broken(Broken::Missing { seq: 3, .. }))), "{found:?}");
    });
}

/// Somebody who can write to the database, and is not this program.
async fn change_outside(acme: &Acme, ground: &crate::place::Ground, statements: &[&str]) {
    let mut conn = raw(ground).await;
    if acme.store.dialect() == Dialect::Sqlite {
        conn.execute("PRAGMA foreign_keys = OFF").await.unwrap();
    }
    for sql in statements {
        conn.execute(sqlx::AssertSqlSafe((*sql).to_owned())).await.unwrap();
    }
    sqlx::Connection::close(conn).await.unwrap();
}

pub(crate) async fn raw(ground: &crate::place::Ground) -> sqlx::AnyConnection {
    use saml2cloud::tvm::store::Place;
    let address = match &ground.open.place {
        Place::Sqlite(path) => {
            let mut url = url::Url::parse("sqlite:///").unwrap();
            url.set_path(path.to_str().unwrap());
            url.to_string()
        }
        Place::Postgres { url, .. } => {
            let mut url = url.clone();
            url.query_pairs_mut().append_pair("sslmode", "disable");
            url.to_string()
        }
    };
    <sqlx::AnyConnection as sqlx::Connection>::connect(&address).await.unwrap()
}

#[test]
fn a_row_that_was_changed_removed_or_swapped_is_named() {
    let changed: fn(&Broken) -> bool = |broken| matches!(broken, Broken::Changed { seq: 3, .. });
    let missing: fn(&Broken) -> bool = |broken| matches!(broken, Broken::Missing { seq: 3, .. });
    let cut: fn(&Broken) -> bool = |broken| matches!(broken, Broken::Missing { seq: 5, .. });
    let torn: fn(&Broken) -> bool = |broken| matches!(broken, Broken::Torn { .. });
    let cases: [(&[&str], _); 6] = [
        (&["UPDATE audit_event SET params = '{\"at\":9}' WHERE seq = 3"], changed),
        (&["UPDATE audit_event SET actor_gid = NULL WHERE seq = 3"], changed),
        (&["DELETE FROM audit_event WHERE seq = 3"], missing),
        (&["DELETE FROM audit_event WHERE seq > 4"], cut),
        (
            &[
                "UPDATE audit_event SET seq = 99 WHERE seq = 3",
                "UPDATE audit_event SET seq = 3 WHERE seq = 4",
                "UPDATE audit_event SET seq = 4 WHERE seq = 99",
            ],
            changed,
        ),
        (&["UPDATE audit_chain SET seq = 4"], torn),
    ];
    for (statements, wanted) in cases {
        on_both(async |ground| {
            let acme = Acme::new(ground).await;
            for at in 0..4 {
                let mut event = Event::by(AuthKind::System, "test", serde_json::json!({"at": at}));
                event.actor_gid = Some("BOB".to_owned());
                acme.store.record(now(), &event).await.unwrap();
            }
            assert_eq!(acme.store.verify().await.unwrap().events, 6);
            change_outside(&acme, ground, statements).await;
            match acme.store.verify().await {
                Err(StoreError::Broken(broken)) if wanted(&broken) => {}
                other => panic!("{statements:?}: {other:?}"),
            }
        });
    }
}
