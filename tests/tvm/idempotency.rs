//! What is sent twice is done once.

use saml2cloud::tvm::model::{Digest, UserId};
use saml2cloud::tvm::store::idempotency::{Before, Keyed};
use saml2cloud::tvm::store::{Store, StoreError, groups};

use crate::place::{Acme, change, label, later, on_both};

fn keyed<'k>(user: &'k UserId, key: &'k str, request: &'k Digest) -> Keyed<'k> {
    Keyed { user, key, route: "POST /api/v1/nodes", request, expires: later(3600) }
}

#[test]
fn who_sends_the_same_again_gets_the_same_answer() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let (body, other) = (Digest::of("{}"), Digest::of("{\"a\":1}"));
        // What did not come about leaves no key.
        let failed = change(store, async |tx| {
            assert_eq!(tx.claim(&keyed(&acme.mo, "k", &body)).await?, Before::Nothing);
            Err::<(), _>(StoreError::LastOwner)
        });
        failed.await.unwrap_err();
        change(store, async |tx| {
            let keyed = keyed(&acme.mo, "k", &body);
            assert_eq!(tx.claim(&keyed).await?, Before::Nothing);
            tx.answered(&keyed, 201, "{\"id\":1}").await
        })
        .await
        .unwrap();
        let at = async |seconds, keyed: Keyed<'_>| {
            let mut tx = store.begin(later(seconds)).await.unwrap();
            tx.claim(&keyed).await.unwrap()
        };
        let answer = Before::Answered { status: 201, body: "{\"id\":1}".to_owned() };
        assert_eq!(at(1, keyed(&acme.mo, "k", &body)).await, answer);
        assert_eq!(at(1, keyed(&acme.mo, "k", &other)).await, Before::Another);
        assert_eq!(at(1, Keyed { route: "POST /api/v1/users", ..keyed(&acme.mo, "k", &body) }).await, Before::Another);
        assert_eq!(at(1, keyed(&acme.ao, "k", &other)).await, Before::Nothing);
        assert_eq!(at(3600, keyed(&acme.mo, "k", &other)).await, Before::Nothing);
    });
}

#[test]
fn two_that_send_the_same_at_once_do_it_once() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let other = ground.open.open(later(1)).await.unwrap();
        for round in 0..crate::races::rounds() {
            let (key, body) = (format!("k-{round}"), Digest::of("{}"));
            let start = tokio::sync::Barrier::new(2);
            let send = async |store: &Store| {
                start.wait().await;
                crate::races::insist(store, async |tx| {
                    let keyed = keyed(&acme.mo, &key, &body);
                    match tx.claim(&keyed).await? {
                        Before::Nothing => {
                            let group = tx.add_group(&acme.east.id, &label(&format!("Group {round}"))).await?;
                            tx.answered(&keyed, 201, group.id.as_str()).await?;
                            Ok(group.id.to_string())
                        }
                        Before::Answered { status: 201, body } => Ok(body),
                        other => panic!("round {round}: {other:?}"),
                    }
                })
                .await
                .unwrap()
            };
            let (one, two) = tokio::join!(send(&acme.store), send(&other));
            assert_eq!(one, two, "round {round}");
        }
        let made = groups::at(&mut other.read().await.unwrap(), &acme.east.id, "", 1000).await.unwrap();
        assert_eq!(made.len(), crate::races::rounds());
    });
}
