//! Two persons: one proposes, another one agrees.

use saml2cloud::tvm::approval::{Kind, State, Unanswered, vend_subject};
use saml2cloud::tvm::audit::AuthKind;
use saml2cloud::tvm::model::{Class, Node, ProposalId, Risk, Role, Source, Status, UserId, Vending};
use saml2cloud::tvm::store::groups::Membership;
use saml2cloud::tvm::store::proposals::{self, NewProposal};
use saml2cloud::tvm::store::vends::Channel;
use saml2cloud::tvm::store::{Store, StoreError, nodes, roles};
use saml2cloud::tvm::vend::{self, Refusal, Wish};
use saml2cloud::types::IdpArn;

use crate::place::{Acme, change, event, later, on_both};

async fn propose(store: &Store, by: &UserId, kind: Kind, subject: &str, params: &serde_json::Value) -> ProposalId {
    change(store, async |tx| tx.propose(&NewProposal { kind, subject, params, by }).await).await.unwrap()
}

async fn answer(store: &Store, id: &ProposalId, by: &UserId, agrees: bool, seconds: u64) -> Result<State, StoreError> {
    let mut tx = store.begin(later(seconds)).await.unwrap();
    let proposal = tx.answer_proposal(id, by, agrees).await?;
    tx.commit(&event("test.answer")).await.unwrap();
    Ok(proposal.state)
}

fn unanswered<T: std::fmt::Debug>(done: Result<T, StoreError>, why: Unanswered) {
    assert!(matches!(&done, Err(StoreError::Unanswered(said)) if *said == why), "{why:?}: {done:?}");
}

#[test]
fn another_super_admin_answers_once_and_in_time() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let second = acme.user("second", &acme.root).await;
        change(store, async |tx| tx.add_owner(&acme.root.id, &second, None).await).await.unwrap();
        let params = serde_json::json!({"add": "somebody"});
        let new = async || propose(store, &acme.admin, Kind::RootOwners, acme.root.id.as_str(), &params).await;
        let id = new().await;
        unanswered(answer(store, &id, &acme.admin, true, 1).await, Unanswered::Own);
        unanswered(answer(store, &id, &acme.mo, true, 1).await, Unanswered::NotSuper);
        assert_eq!(proposals::list(&mut store.read().await.unwrap(), State::Open, "", 10).await.unwrap().len(), 1);
        assert_eq!(answer(store, &id, &second, true, 1).await.unwrap(), State::Agreed);
        for agrees in [true, false] {
            unanswered(answer(store, &id, &second, agrees, 2).await, Unanswered::Closed);
        }
        let read = proposals::by_id(&mut store.read().await.unwrap(), &id).await.unwrap();
        assert_eq!(
            (read.params.as_str(), read.decided_by, read.decided),
            (r#"{"add":"somebody"}"#, Some(second.clone()), Some(later(1)))
        );
        let id = new().await;
        assert_eq!(answer(store, &id, &second, false, 1).await.unwrap(), State::Declined);
        let id = new().await;
        let withdraw = async |by: &UserId| change(store, async |tx| tx.withdraw_proposal(&id, by).await).await;
        unanswered(withdraw(&second).await, Unanswered::NotYours);
        withdraw(&acme.admin).await.unwrap();
        unanswered(withdraw(&acme.admin).await, Unanswered::Closed);
        let late = new().await;
        unanswered(answer(store, &late, &second, true, 24 * 3600).await, Unanswered::Closed);
        store.sweep(later(24 * 3600)).await.unwrap();
        assert_eq!(proposals::by_id(&mut store.read().await.unwrap(), &late).await.unwrap().state, State::Expired);
        // A barred one answers nothing.
        let id = new().await;
        change(store, async |tx| tx.set_status(&second, 1, Status::Disabled).await).await.unwrap();
        assert!(matches!(answer(store, &id, &second, true, 1).await, Err(StoreError::NotFound("person"))));
    });
}

#[test]
fn a_risky_role_is_handed_out_by_consent_and_for_as_long_as_that_lasts() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let risky = acme.role(&acme.shop, Class::System, "Risky").await;
        let always = Membership { source: Source::Manual, by: None, ends: None, reason: "" };
        change(store, async |tx| {
            tx.join(&risky.group, &acme.bob, always).await?;
            let node = nodes::by_id(tx, &acme.shop.id).await?;
            let provider = IdpArn::parse("arn:aws:iam::111111111111:saml-provider/cam").ok();
            tx.update_node(&Node { vending: Vending { provider, ..Vending::default() }, ..node }).await?;
            let role = roles::by_id(tx, &risky.id).await?;
            tx.update_role(&Role { risk: Risk::High, ..role }).await
        })
        .await
        .unwrap();
        let wish = Wish {
            user: &acme.bob,
            role: &risky.id,
            channel: Channel::Cli,
            duration: None,
            auth: AuthKind::Bearer,
            request: None,
            source_ip: None,
            given: None,
            extra: None,
        };
        let at = async |two_person, seconds| {
            let permit = vend::begin(store, &wish, two_person, later(seconds)).await.unwrap();
            permit.map(|permit| permit.lifetime().seconds())
        };
        assert_eq!(at(true, 0).await, Err(Refusal::NeedsConsent));
        let params = serde_json::json!({"seconds": 1800, "reason": "an incident"});
        let id = propose(store, &acme.bob, Kind::Vend, &vend_subject(&acme.bob, &risky.id), &params).await;
        assert_eq!(at(true, 0).await, Err(Refusal::NeedsConsent), "asked for is not agreed to");
        answer(store, &id, &acme.admin, true, 100).await.unwrap();
        assert_eq!(at(true, 100).await, Ok(1800));
        assert_eq!(at(true, 1000).await, Ok(900), "what is left of the consent");
        assert!(matches!(at(true, 1001).await, Err(Refusal::TooShort(_))));
        assert_eq!(at(true, 1900).await, Err(Refusal::NeedsConsent));
        assert_eq!(at(false, 100).await, Err(Refusal::NeedsConsent), "switched off, nobody agrees to anything");
        // It is for this person and this role.
        change(store, async |tx| tx.join(&risky.group, &acme.ao, always).await).await.unwrap();
        let other = Wish { user: &acme.ao, ..wish };
        assert_eq!(vend::begin(store, &other, true, later(100)).await.unwrap().unwrap_err(), Refusal::NeedsConsent);
        let declined = propose(store, &acme.ao, Kind::Vend, &vend_subject(&acme.ao, &risky.id), &params).await;
        answer(store, &declined, &acme.admin, false, 100).await.unwrap();
        assert_eq!(vend::begin(store, &other, true, later(100)).await.unwrap().unwrap_err(), Refusal::NeedsConsent);
    });
}
