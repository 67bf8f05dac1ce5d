//! The ledger: a line before, completed once, and a way back from the cloud's logs to one person.

use saml2cloud::tvm::ledger::Outcome;
use saml2cloud::tvm::model::{Class, Source, VendMethod};
use saml2cloud::tvm::store::groups::Membership;
use saml2cloud::tvm::store::vends::{self, Channel, Completion, NewVend};
use saml2cloud::tvm::store::{StoreError, access, users};
use saml2cloud::types::SessionDuration;

use crate::place::{Acme, change, event, later, now, on_both};

#[test]
fn a_line_is_begun_completed_once_and_found_again() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let reader = acme.role(&acme.shop, Class::System, "Reader").await;
        let how = Membership { source: Source::Manual, by: None, ends: None, reason: "" };
        change(store, async |tx| tx.join(&reader.group, &acme.bob, how).await).await.unwrap();
        let mut conn = store.read().await.unwrap();
        let bob = users::by_id(&mut conn, &acme.bob).await.unwrap();
        let grants = access::grants(&mut conn, &acme.bob, &reader.id, now()).await.unwrap();
        drop(conn);
        let vend = NewVend {
            user: &bob,
            role: &reader,
            grants: &grants,
            method: VendMethod::Saml,
            channel: Channel::Cli,
            lifetime: SessionDuration::DEFAULT,
            request: Some("r-1"),
            source_ip: Some("192.0.2.1"),
        };
        let nothing = NewVend { grants: &[], ..vend.clone() };
        assert!(matches!(change(store, async |tx| tx.open_vend(&nothing).await).await, Err(StoreError::NotFound("grant"))));
        let never = NewVend { method: VendMethod::None, ..vend.clone() };
        assert!(matches!(change(store, async |tx| tx.open_vend(&never).await).await, Err(StoreError::NotFound("grant"))));
        let mut ids = Vec::new();
        for at in 0..3 {
            let mut tx = store.begin(later(at)).await.unwrap();
            ids.push(tx.open_vend(&vend).await.unwrap());
            tx.commit(&event("vend")).await.unwrap();
        }
        let mut conn = store.read().await.unwrap();
        let waiting = vends::pending(&mut conn, later(2), 10).await.unwrap();
        assert_eq!(waiting.iter().map(|line| &line.id).collect::<Vec<_>>(), [&ids[0], &ids[1]]);
        let done = Completion { access_key_id: Some("STS.abc"), expires: Some(later(3600)), ..Completion::default() };
        let complete =
            async |id, outcome, done: &Completion<'_>| change(store, async |tx| tx.complete_vend(id, outcome, done).await).await;
        complete(&ids[0], Outcome::Issued, &done).await.unwrap();
        assert!(matches!(complete(&ids[0], Outcome::Failed, &Completion::default()).await, Err(StoreError::Complete)));
        complete(&ids[1], Outcome::Unknown, &Completion::default()).await.unwrap();
        complete(&ids[1], Outcome::Refused, &Completion { error: Some("NoPermission"), ..Completion::default() }).await.unwrap();
        let line = vends::by_key(&mut conn, "STS.abc").await.unwrap().unwrap();
        assert_eq!(
            (&line.id, line.outcome, line.session_name.as_str(), line.gid.as_str()),
            (&ids[0], Outcome::Issued, "bob", "bob")
        );
        assert_eq!((line.expires, line.lifetime), (Some(later(3600)), 3600));
        assert_eq!(vends::by_key(&mut conn, "STS.forged").await.unwrap(), None);
        let mine = vends::by_user(&mut conn, &acme.bob, i64::MAX, 2).await.unwrap();
        assert_eq!(mine.iter().map(|line| &line.id).collect::<Vec<_>>(), [&ids[2], &ids[1]]);
    });
}
