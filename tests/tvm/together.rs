//! Many that write at once share transactions, and each is answered by what became of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use saml2cloud::tvm::audit::{AuthKind, Event};
use saml2cloud::tvm::model::{GroupId, Source, UserId};
use saml2cloud::tvm::store::audit::{Ask, Filter, page};
use saml2cloud::tvm::store::groups::{self, Membership};
use saml2cloud::tvm::store::{Doing, Store, StoreError, Tx};
use sqlx::Executor as _;

use crate::audit::raw;
use crate::place::{Acme, change, label, later, now, on_both};

fn numbered(at: usize) -> Event {
    Event::by(AuthKind::System, "numbered", serde_json::json!({"at": at}))
}

/// Which of the numbered events are in the trail.
async fn told(store: &Store) -> Vec<u64> {
    let mut conn = store.read().await.unwrap();
    let filter = || Filter::Kind("numbered".to_owned());
    let mut ask = Ask { filter: filter(), from: now(), until: later(100_000), after: None, limit: 100 };
    let mut found = Vec::new();
    loop {
        let rows = page(&mut conn, &ask).await.unwrap();
        let Some(last) = rows.last() else { return found };
        ask.after = Some((last.ts, last.chain.clone(), last.seq));
        found.extend(
            rows.iter().map(|row| serde_json::from_str::<serde_json::Value>(&row.params).unwrap()["at"].as_u64().unwrap()),
        );
    }
}

/// All at once, from tasks of their own.
async fn at_once<T: Send + 'static>(count: usize, task: impl Fn(usize) -> Doing<'static, T>) -> Vec<Result<T, StoreError>> {
    let tasks: Vec<_> = (0..count).map(|at| tokio::spawn(task(at))).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

#[test]
fn many_at_once_are_all_told_in_one_chain() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = Arc::new(acme.store);
        let before = store.verify().await.unwrap().events;
        let record = |at: usize| -> Doing<'static, ()> {
            let store = store.clone();
            Box::pin(async move {
                store.record(later(at as u64), &numbered(at)).await?;
                // Whoever is answered finds their own event there.
                let found = told(&store).await;
                assert!(found.contains(&(at as u64)), "{at}");
                Ok(())
            })
        };
        for done in at_once(120, record).await {
            done.unwrap();
        }
        let found = told(&store).await;
        assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>().len()), (120, 120));
        let walked = store.verify().await.unwrap();
        assert_eq!((walked.chains, walked.events), (1, before + 120));
    });
}

/// Joins a group, and then does not go on if told so.
fn join<'t>(tx: &'t mut Tx<'_>, group: GroupId, user: UserId, at: usize) -> Doing<'t, ((), Event)> {
    Box::pin(async move {
        tx.join(&group, &user, Membership { source: Source::Manual, by: None, ends: None, reason: "" }).await?;
        match at % 10 {
            3 => Err(StoreError::LastOwner),
            _ => Ok(((), numbered(at))),
        }
    })
}

#[test]
fn who_spoils_a_group_spoils_it_for_themselves_only() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let mut people = Vec::new();
        for at in 0..40 {
            people.push(acme.user(&format!("p-{at}"), &acme.root).await);
        }
        let group = change(&acme.store, async |tx| tx.add_group(&acme.east.id, &label("All")).await).await.unwrap().id;
        let store = Arc::new(acme.store);
        let joining = |at: usize| -> Doing<'static, ()> {
            let (store, group, user) = (store.clone(), group.clone(), people[at].clone());
            Box::pin(async move { store.together(now(), move |tx| join(tx, group.clone(), user.clone(), at)).await })
        };
        for (at, done) in at_once(40, joining).await.iter().enumerate() {
            match done {
                Ok(()) => assert_ne!(at % 10, 3, "{at}"),
                Err(StoreError::LastOwner) => assert_eq!(at % 10, 3, "{at}"),
                Err(other) => panic!("{at}: {other:?}"),
            }
        }
        let mut conn = store.read().await.unwrap();
        assert_eq!(groups::members(&mut conn, &group, ("", ""), 100).await.unwrap().len(), 36);
        assert_eq!(told(&store).await.len(), 36);
        store.verify().await.unwrap();
    });
}

#[test]
fn a_piece_that_falls_over_takes_nothing_after_it_along() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let fallen: Result<(), _> = acme.store.together(now(), |_| Box::pin(async { panic!("a piece that falls over") })).await;
        assert!(matches!(fallen, Err(StoreError::Busy)), "{fallen:?}");
        acme.store.record(now(), &numbered(1)).await.unwrap();
        change(&acme.store, async |tx| tx.add_group(&acme.east.id, &label("Later")).await).await.unwrap();
        assert_eq!(told(&acme.store).await, [1]);
        acme.store.verify().await.unwrap();
    });
}

#[test]
fn where_the_trail_cannot_be_written_everybody_is_refused() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = Arc::new(acme.store);
        let mut conn = raw(ground).await;
        conn.execute("ALTER TABLE audit_event RENAME TO audit_event_away").await.unwrap();
        let record = |at: usize| -> Doing<'static, ()> {
            let store = store.clone();
            Box::pin(async move { store.record(now(), &numbered(at)).await })
        };
        for done in at_once(30, &record).await {
            assert!(done.unwrap_err().is_unavailable());
        }
        conn.execute("ALTER TABLE audit_event_away RENAME TO audit_event").await.unwrap();
        drop(conn);
        assert!(told(&store).await.is_empty());
        for done in at_once(3, &record).await {
            done.unwrap();
        }
        assert_eq!(told(&store).await.len(), 3);
        store.verify().await.unwrap();
    });
}
