//! Horizontal roles: what is written down is what the rule says, after every change that matters.

use std::collections::{BTreeMap, BTreeSet};

use saml2cloud::tvm::horizontal::{Activation, Horizontal, Matcher, Rule};
use saml2cloud::tvm::model::{Class, Role, RoleId};
use saml2cloud::tvm::store::{StoreError, effect, horizontals, names};
use saml2cloud::types::RoleArn;

use crate::place::{Acme, change, label, now, on_both};

fn rule(pattern: &str) -> Option<Rule> {
    Some(Rule::new(Matcher::Prefix, pattern).unwrap())
}

async fn make(
    acme: &Acme,
    node: &saml2cloud::tvm::model::Node,
    name: &str,
    pattern: Option<Rule>,
    activation: Activation,
) -> Horizontal {
    let made =
        change(&acme.store, async |tx| tx.add_horizontal(&node.id, &label(name), pattern.as_ref(), activation, false).await);
    made.await.unwrap()
}

async fn held(acme: &Acme, horizontal: &Horizontal) -> (Vec<RoleId>, Vec<RoleId>) {
    let mut conn = acme.store.read().await.unwrap();
    assert_eq!(horizontals::drift(&mut conn).await.unwrap(), []);
    let (active, pending) = horizontals::held(&mut conn, &horizontal.id).await.unwrap();
    (active.into_iter().collect(), pending.into_iter().collect())
}

fn ids(roles: &[&Role]) -> Vec<RoleId> {
    roles.iter().map(|role| role.id.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn roles_join_and_leave_by_their_names_and_places() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let shop = acme.role(&acme.shop, Class::System, "ops-a").await;
        let custom = acme.role(&acme.shop, Class::Custom, "ops-own").await;
        let odd = acme.role(&acme.labs, Class::System, "legacy").await;
        let bank = acme.role(&acme.bank, Class::System, "ops-a").await;
        let east = make(&acme, &acme.east, "Ops", rule("ops-"), Activation::Auto).await;
        let root = make(&acme, &acme.root, "Ops", rule("ops-"), Activation::Auto).await;
        assert_eq!(held(&acme, &east).await.0, ids(&[&shop]));
        assert_eq!(held(&acme, &root).await.0, ids(&[&shop, &bank]));
        // A new one joins by itself; one under another name leaves.
        let new = acme.role(&acme.labs, Class::System, "ops-new").await;
        assert_eq!(held(&acme, &east).await.0, ids(&[&shop, &new]));
        let mut renamed = shop.clone();
        renamed.arn = Some(RoleArn::parse("arn:aws:iam::111111111111:role/viewer").unwrap());
        change(store, async |tx| tx.update_role(&renamed).await).await.unwrap();
        assert_eq!(held(&acme, &east).await.0, ids(&[&new]));
        // By hand, whatever the name; custom roles and those elsewhere never.
        let add = async |role: &Role| change(store, async |tx| tx.add_explicit(&east.id, &role.id, None).await).await;
        add(&odd).await.unwrap();
        for role in [&custom, &bank] {
            assert!(matches!(add(role).await, Err(StoreError::Tree(_))));
        }
        assert_eq!(held(&acme, &east).await.0, ids(&[&new, &odd]));
        let refused = change(store, async |tx| tx.delete_role(&odd.id, 1).await).await;
        assert!(matches!(refused, Err(StoreError::Referenced(_))));
        change(store, async |tx| tx.delete_role(&new.id, 1).await).await.unwrap();
        assert_eq!(held(&acme, &east).await.0, ids(&[&odd]));
        // A whole branch goes elsewhere.
        change(store, async |tx| tx.move_node(&acme.bank.id, 1, &acme.east.id).await).await.unwrap();
        assert_eq!(held(&acme, &east).await.0, ids(&[&odd, &bank]));
        assert_eq!(held(&acme, &root).await.0, ids(&[&bank]));
        change(store, async |tx| tx.move_node(&acme.labs.id, 1, &acme.west.id).await).await.unwrap();
        assert_eq!(held(&acme, &east).await.0, ids(&[&bank]));
        // It comes back where somebody had added it, once its account does.
        change(store, async |tx| tx.move_node(&acme.labs.id, 2, &acme.east.id).await).await.unwrap();
        assert_eq!(held(&acme, &east).await.0, ids(&[&odd, &bank]));
        change(store, async |tx| tx.drop_explicit(&east.id, &odd.id).await).await.unwrap();
        assert_eq!(held(&acme, &east).await.0, ids(&[&bank]));
        change(store, async |tx| tx.delete_horizontal(&east.id, 1).await).await.unwrap();
        assert_eq!(held(&acme, &root).await.0, ids(&[&bank]));
    });
}

#[test]
fn a_preview_is_exactly_what_the_change_then_does() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let a = acme.role(&acme.shop, Class::System, "ops-a").await;
        let b = acme.role(&acme.bank, Class::System, "net-b").await;
        let mut ops = make(&acme, &acme.root, "Ops", rule("ops-"), Activation::Auto).await;
        let then = rule("net-");
        let preview = horizontals::try_rule(&mut store.read().await.unwrap(), &ops.id, then.as_ref()).await.unwrap();
        assert_eq!((preview.gained, preview.lost, preview.total), ([b.id.clone()].into(), [a.id.clone()].into(), 1));
        assert_eq!(held(&acme, &ops).await.0, ids(&[&a]), "a preview changes nothing");
        ops.rule = then;
        change(store, async |tx| tx.update_horizontal(&ops).await).await.unwrap();
        assert_eq!(held(&acme, &ops).await.0, ids(&[&b]));
        assert!(matches!(change(store, async |tx| tx.update_horizontal(&ops).await).await, Err(StoreError::Stale)));
    });
}

#[test]
fn with_confirmation_a_role_waits_for_somebody() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let ops = make(&acme, &acme.root, "Ops", rule("ops-"), Activation::Confirm).await;
        let a = acme.role(&acme.shop, Class::System, "ops-a").await;
        let b = acme.role(&acme.bank, Class::System, "ops-b").await;
        assert_eq!(held(&acme, &ops).await, (Vec::new(), ids(&[&a, &b])));
        change(store, async |tx| tx.confirm(&ops.id, &a.id).await).await.unwrap();
        assert!(matches!(change(store, async |tx| tx.confirm(&ops.id, &a.id).await).await, Err(StoreError::NotFound(_))));
        // What was added by hand does not wait.
        change(store, async |tx| tx.add_explicit(&ops.id, &b.id, None).await).await.unwrap();
        assert_eq!(held(&acme, &ops).await, (ids(&[&a, &b]), Vec::new()));
        change(store, async |tx| tx.drop_explicit(&ops.id, &b.id).await).await.unwrap();
        assert_eq!(held(&acme, &ops).await, (ids(&[&a]), ids(&[&b])));
        // What waits gives nothing.
        let group = change(store, async |tx| {
            let group = tx.add_group(&acme.root.id, &label("Operators")).await?;
            tx.bind_group(&ops.id, &group.id).await?;
            let how = saml2cloud::tvm::store::groups::Membership {
                source: saml2cloud::tvm::model::Source::Manual,
                by: None,
                ends: None,
                reason: "",
            };
            tx.join(&group.id, &acme.bob, how).await?;
            Ok(group)
        });
        let group = group.await.unwrap();
        let mut conn = store.read().await.unwrap();
        let now = crate::place::now();
        let mine = saml2cloud::tvm::store::access::mine(&mut conn, &acme.bob, now, ("", "", ""), 10).await.unwrap();
        assert_eq!(mine.iter().map(|role| &role.id).collect::<Vec<_>>(), [&a.id]);
        drop(conn);
        assert!(matches!(change(store, async |tx| tx.bind_group(&ops.id, &a.group).await).await, Err(StoreError::Tree(_))));
        change(store, async |tx| tx.unbind_group(&ops.id, &group.id).await).await.unwrap();
        let mut conn = store.read().await.unwrap();
        assert!(saml2cloud::tvm::store::access::mine(&mut conn, &acme.bob, now, ("", "", ""), 10).await.unwrap().is_empty());
    });
}

#[test]
fn hundreds_of_names_are_found_at_once_and_each_is_missed() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let mut wanted = BTreeMap::new();
        for number in 0..101 {
            let role = acme.role(&acme.shop, Class::System, &format!("Reader{number}")).await;
            wanted.insert(role.id, role.name);
        }
        let table = make(&acme, &acme.east, "Readers", rule("Reader"), Activation::Auto).await;
        let mut conn = acme.store.read().await.unwrap();
        // One, as many as fit into one question, and more.
        for count in [0, 1, 50, 51, 101] {
            let found = names::roles(&mut conn, wanted.keys().take(count)).await.unwrap();
            let wanted = wanted.iter().take(count).map(|(id, name)| (id.to_string(), name.clone()));
            assert_eq!(found, wanted.collect::<BTreeMap<_, _>>());
        }
        let people = names::users(&mut conn, [&acme.ao, &acme.admin, &acme.ao]).await.unwrap();
        assert_eq!((people.len(), people[acme.ao.as_str()].as_str()), (2, "ao of acme"));
        assert_eq!(names::horizontals(&mut conn, [&table.id]).await.unwrap()[table.id.as_str()], "Readers");
        let stranger = RoleId::new(now());
        let found = names::roles(&mut conn, wanted.keys().chain([&stranger])).await;
        assert!(matches!(found, Err(StoreError::NotFound("role"))), "{found:?}");
        // Each of them was held by one way, and by none then.
        let before = effect::holdings_around(&mut conn, &table.id, &BTreeSet::new()).await.unwrap();
        let effect = effect::compare(&mut conn, &before, &BTreeSet::new(), now()).await.unwrap();
        assert_eq!((before.len(), effect.roles_lost.len(), effect.roles_gained.len(), effect.is_cut), (101, 101, 0, false));
    });
}
