//! Two processes at once. What must hold is held by the database, not by luck.

use std::sync::Arc;

use saml2cloud::tvm::model::{Gid, Status};
use saml2cloud::tvm::store::{Store, StoreError, nodes, users};
use tokio::sync::Barrier;

use crate::place::{Acme, change, later, on_both, person};

/// How often. Enough for both orders to come up; `tests/real/serve` asks for more.
pub(crate) fn rounds() -> usize {
    std::env::var("SAML2CLOUD_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(15)
}

/// The same store as another process has it.
async fn second(ground: &crate::place::Ground) -> Store {
    ground.open.open(later(1)).await.unwrap()
}

/// A change that is tried again while others are at it.
pub(crate) async fn insist<T>(
    store: &Store,
    work: impl AsyncFn(&mut saml2cloud::tvm::store::Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    for _ in 0..50 {
        match change(store, &work).await {
            Err(StoreError::Busy) => {}
            outcome => return outcome,
        }
    }
    Err(StoreError::Busy)
}

#[test]
fn two_owners_who_take_each_other_away_leave_one() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let other = second(ground).await;
        let shop = &acme.shop.id;
        for round in 0..rounds() {
            let start = Arc::new(Barrier::new(2));
            let remove = async |store: &Store, user| {
                start.wait().await;
                insist(store, async |tx| tx.remove_owner(shop, user).await).await
            };
            let (one, two) = tokio::join!(remove(&acme.store, &acme.ao), remove(&other, &acme.admin));
            match (&one, &two) {
                (Ok(()), Err(StoreError::LastOwner)) | (Err(StoreError::LastOwner), Ok(())) => {}
                both => panic!("round {round}: {both:?}"),
            }
            let owners = nodes::owners(&mut acme.store.read().await.unwrap(), shop, "", 10).await.unwrap();
            assert_eq!(owners.len(), 1, "round {round}");
            change(&acme.store, async |tx| {
                tx.add_owner(shop, &acme.ao, None).await?;
                tx.add_owner(shop, &acme.admin, None).await
            })
            .await
            .unwrap();
        }
        acme.store.verify().await.unwrap();
    });
}

#[test]
fn an_owner_who_is_barred_while_the_other_goes_is_not_left_alone() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let other = second(ground).await;
        let shop = &acme.shop.id;
        for round in 0..rounds() {
            let version = users::by_id(&mut acme.store.read().await.unwrap(), &acme.ao).await.unwrap().version;
            let start = Arc::new(Barrier::new(2));
            let bar = async {
                start.wait().await;
                insist(&acme.store, async |tx| tx.set_status(&acme.ao, version, Status::Disabled).await).await
            };
            let remove = async {
                start.wait().await;
                insist(&other, async |tx| tx.remove_owner(shop, &acme.admin).await).await
            };
            let (one, two) = tokio::join!(bar, remove);
            assert!(one.is_ok() != two.is_ok(), "round {round}: {one:?} {two:?}");
            let owners = nodes::owners(&mut acme.store.read().await.unwrap(), shop, "", 10).await.unwrap();
            assert!(owners.iter().any(|owner| owner.is_active), "round {round}");
            if one.is_ok() {
                change(&acme.store, async |tx| tx.set_status(&acme.ao, version + 1, Status::Active).await).await.unwrap();
            }
            change(&acme.store, async |tx| tx.add_owner(shop, &acme.admin, None).await).await.unwrap();
        }
    });
}

#[test]
fn somebody_who_is_deleted_while_they_become_an_owner_is_one_or_the_other() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let other = second(ground).await;
        for round in 0..rounds() {
            let user = users::by_id(&mut acme.store.read().await.unwrap(), &acme.bob).await.unwrap();
            let start = Arc::new(Barrier::new(2));
            let delete = async {
                start.wait().await;
                insist(&acme.store, async |tx| tx.delete_user(&user.id, user.version).await).await
            };
            let own = async {
                start.wait().await;
                insist(&other, async |tx| tx.add_owner(&acme.labs.id, &user.id, None).await).await
            };
            let (deleted, owns) = tokio::join!(delete, own);
            assert!(deleted.is_ok() != owns.is_ok(), "round {round}: {deleted:?} {owns:?}");
            let owners = nodes::owners(&mut acme.store.read().await.unwrap(), &acme.labs.id, "", 10).await.unwrap();
            assert_eq!(owners.iter().any(|owner| owner.id == acme.bob), owns.is_ok(), "round {round}");
            if deleted.is_ok() {
                change(&acme.store, async |tx| tx.add_user(&person("bob", &acme.root.id), None).await).await.unwrap();
            } else {
                change(&acme.store, async |tx| tx.remove_owner(&acme.labs.id, &acme.bob).await).await.unwrap();
            }
        }
    });
}

#[test]
fn one_gid_is_entered_once_by_two() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let other = second(ground).await;
        for round in 0..rounds() {
            let gid = format!("new-{round}");
            let start = Arc::new(Barrier::new(2));
            let add = async |store: &Store| {
                start.wait().await;
                insist(store, async |tx| tx.add_user(&person(&gid, &acme.root.id), None).await).await
            };
            let (one, two) = tokio::join!(add(&acme.store), add(&other));
            assert!(one.is_ok() != two.is_ok(), "round {round}: {one:?} {two:?}");
            let found = users::by_gid(&mut other.read().await.unwrap(), &Gid::parse(&gid).unwrap()).await.unwrap().unwrap();
            assert_eq!(Some(found.id), one.ok().or(two.ok()));
        }
        // Both wrote to their chains all the while.
        assert_eq!(acme.store.verify().await.unwrap().chains, 2);
    });
}
