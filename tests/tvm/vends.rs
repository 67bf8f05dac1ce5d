//! The ledger: a line before, completed once, and a way back from the cloud's logs to one person.

use saml2cloud::tvm::audit::AuthKind;
use saml2cloud::tvm::ledger::Outcome;
use saml2cloud::tvm::model::{Class, Node, Risk, Role, Source, VendMethod, Vending};
use saml2cloud::tvm::store::groups::Membership;
use saml2cloud::tvm::store::vends::{self, Channel, Completion, NewVend};
use saml2cloud::tvm::store::{StoreError, access, nodes, roles};
use saml2cloud::tvm::vend::{self, Refusal, Wish};
use saml2cloud::types::{IdpArn, SessionDuration};
use sqlx::Executor as _;

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
        let terms = access::terms(&mut conn, &acme.bob, &reader.id).await.unwrap().unwrap();
        let grants = access::grants(&mut conn, &acme.bob, &reader.id, now()).await.unwrap();
        drop(conn);
        let vend = NewVend {
            user: &acme.bob,
            role: &reader.id,
            terms: &terms,
            grants: &grants,
            errand: None,
            channel: Channel::Cli,
            lifetime: SessionDuration::DEFAULT,
            request: Some("r-1"),
            source_ip: Some("192.0.2.1"),
        };
        let nothing = NewVend { grants: &[], ..vend.clone() };
        assert!(matches!(change(store, async |tx| tx.open_vend(&nothing).await).await, Err(StoreError::NotFound("grant"))));
        let by_hand = access::Terms { method: VendMethod::None, ..terms.clone() };
        let never = NewVend { terms: &by_hand, ..vend.clone() };
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

/// The trail's last event, as kind, outcome and parameters.
pub(crate) async fn last(acme: &Acme) -> (String, String, serde_json::Value) {
    use saml2cloud::tvm::store::audit::{Ask, Filter, page};
    let ask = Ask { filter: Filter::All, from: now(), until: later(100_000), after: None, limit: 1 };
    let row = page(&mut acme.store.read().await.unwrap(), &ask).await.unwrap().remove(0);
    (row.kind, row.outcome, serde_json::from_str(&row.params).unwrap())
}

#[test]
fn a_permit_is_given_for_what_is_granted_and_for_no_longer() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let reader = acme.role(&acme.shop, Class::System, "Reader").await;
        let of = |seconds| Some(SessionDuration::try_from(seconds).unwrap());
        let wish = Wish {
            user: &acme.bob,
            role: &reader.id,
            channel: Channel::Cli,
            duration: of(7200),
            auth: AuthKind::Bearer,
            request: Some("r-1"),
            source_ip: Some("192.0.2.1"),
            given: None,
            extra: None,
        };
        let refused = async |wanted: Refusal| {
            assert_eq!(vend::begin(store, &wish, false, now()).await.unwrap().unwrap_err(), wanted);
            let (kind, outcome, params) = last(&acme).await;
            assert_eq!((kind.as_str(), outcome.as_str(), params["refused"].as_str()), ("vend", "refused", Some(wanted.code())));
        };
        let node = async |vending: Vending| {
            change(store, async |tx| {
                let node = nodes::by_id(tx, &acme.shop.id).await?;
                tx.update_node(&Node { vending: vending.clone(), ..node }).await
            })
            .await
        };
        let role = async |edit: fn(&mut Role)| {
            change(store, async |tx| {
                let mut role = roles::by_id(tx, &reader.id).await?;
                edit(&mut role);
                tx.update_role(&role).await
            })
            .await
            .unwrap();
        };
        refused(Refusal::NotYours).await;
        let until = |seconds| Membership { source: Source::Manual, by: None, ends: Some(later(seconds)), reason: "" };
        let join =
            async |seconds| change(store, async |tx| tx.join(&reader.group, &acme.bob, until(seconds)).await).await.unwrap();
        join(5000).await;
        refused(Refusal::NoProvider).await;
        let provider = |text| Some(IdpArn::parse(text).unwrap());
        let other = Vending { provider: provider("arn:aws:iam::222222222222:saml-provider/cam"), ..Vending::default() };
        assert!(matches!(node(other).await, Err(StoreError::Tree(_))));
        let ours = Vending { provider: provider("arn:aws:iam::111111111111:saml-provider/cam"), ..Vending::default() };
        node(ours.clone()).await.unwrap();

        let permit = vend::begin(store, &wish, false, now()).await.unwrap().unwrap();
        assert_eq!((permit.lifetime().seconds(), permit.session_name(), permit.method()), (5000, "bob", VendMethod::Saml));
        assert_eq!((permit.role(), permit.provider()), (reader.arn.as_ref().unwrap(), ours.provider.as_ref()));
        let (kind, outcome, params) = last(&acme).await;
        assert_eq!((kind.as_str(), outcome.as_str(), params["line"].as_str()), ("vend", "done", Some(permit.line().as_str())));
        let line = permit.line().clone();
        let done = Completion { access_key_id: Some("STS.1"), ..Completion::default() };
        vend::finish(store, permit, Outcome::Issued, &done, now()).await.unwrap();
        assert_eq!(vends::by_id(&mut store.read().await.unwrap(), &line).await.unwrap().outcome, Outcome::Issued);
        assert_eq!(last(&acme).await.2["access_key_id"], "STS.1");

        node(Vending { max_session: of(1800), ..ours.clone() }).await.unwrap();
        assert_eq!(vend::begin(store, &wish, false, now()).await.unwrap().unwrap().lifetime().seconds(), 1800);
        role(|role| role.max_session = SessionDuration::try_from(900).ok()).await;
        assert_eq!(vend::begin(store, &wish, false, now()).await.unwrap().unwrap().lifetime().seconds(), 900);
        role(|role| role.risk = Risk::High).await;
        refused(Refusal::NeedsConsent).await;
        role(|role| role.method = Some(VendMethod::None)).await;
        refused(Refusal::ByHandOnly).await;
        role(|role| (role.risk, role.method) = (Risk::Normal, None)).await;
        let Err(Refusal::TooShort(_)) = vend::begin(store, &wish, false, later(4101)).await.unwrap() else { panic!("too short") };
        store.verify().await.unwrap();
    });
}

#[test]
fn nothing_is_handed_out_that_the_trail_does_not_tell() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let reader = acme.role(&acme.shop, Class::System, "Reader").await;
        let how = Membership { source: Source::Manual, by: None, ends: None, reason: "" };
        change(store, async |tx| {
            tx.join(&reader.group, &acme.bob, how).await?;
            let node = nodes::by_id(tx, &acme.shop.id).await?;
            let provider = IdpArn::parse("arn:aws:iam::111111111111:saml-provider/cam").ok();
            tx.update_node(&Node { vending: Vending { provider, ..Vending::default() }, ..node }).await
        })
        .await
        .unwrap();
        let wish = Wish {
            user: &acme.bob,
            role: &reader.id,
            channel: Channel::Web,
            duration: None,
            auth: AuthKind::Session,
            request: None,
            source_ip: None,
            given: None,
            extra: None,
        };
        vend::begin(store, &wish, false, now()).await.unwrap().unwrap();
        let mut conn = crate::audit::raw(ground).await;
        conn.execute("ALTER TABLE audit_event RENAME TO audit_event_away").await.unwrap();
        assert!(vend::begin(store, &wish, false, now()).await.is_err());
        let lines = vends::by_user(&mut store.read().await.unwrap(), &acme.bob, i64::MAX, 10).await.unwrap();
        assert_eq!(lines.len(), 1);
        conn.execute("ALTER TABLE audit_event_away RENAME TO audit_event").await.unwrap();
        drop(conn);
        vend::begin(store, &wish, false, now()).await.unwrap().unwrap();
    });
}
