//! Who may use what, at the moment it is asked.

use saml2cloud::tvm::authorize::{Action, Object, Verdict, authorize};
use saml2cloud::tvm::horizontal::{Activation, Matcher, Rule};
use saml2cloud::tvm::model::{CamPower, Class, NodeState, RoleState, Source, Status};
use saml2cloud::tvm::store::access::{self, last_end};
use saml2cloud::tvm::store::groups::Membership;
use saml2cloud::tvm::store::{nodes, roles};

use crate::place::{Acme, change, label, later, now, on_both};

const ALWAYS: Membership<'static> = Membership { source: Source::Manual, by: None, ends: None, reason: "" };

#[test]
fn a_list_is_the_union_of_all_grants_each_role_once_page_by_page() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let mut all = Vec::new();
        for (node, class, name) in [
            (&acme.bank, Class::System, "ops-a"),
            (&acme.labs, Class::Custom, "mine"),
            (&acme.shop, Class::System, "ops-a"),
            (&acme.shop, Class::System, "ops-b"),
            (&acme.shop, Class::System, "other"),
        ] {
            all.push(acme.role(node, class, name).await);
        }
        let rule = Rule::new(Matcher::Prefix, "ops-").unwrap();
        change(store, async |tx| {
            let ops = tx.add_horizontal(&acme.root.id, &label("Ops"), Some(&rule), Activation::Auto, false).await?;
            let group = tx.add_group(&acme.root.id, &label("Operators")).await?;
            tx.bind_group(&ops.id, &group.id).await?;
            tx.join(&group.id, &acme.bob, ALWAYS).await?;
            // The same role by its own group as well, and one by that alone.
            tx.join(&all[2].group, &acme.bob, ALWAYS).await?;
            tx.join(&all[1].group, &acme.bob, Membership { ends: Some(later(60)), ..ALWAYS }).await
        })
        .await
        .unwrap();
        let mut conn = store.read().await.unwrap();
        let names = async |conn: &mut _, at| {
            let (mut seen, mut after) = (Vec::new(), (String::new(), String::new(), String::new()));
            loop {
                let page = access::mine(conn, &acme.bob, at, (&after.0, &after.1, &after.2), 2).await.unwrap();
                let Some(last) = page.last() else { return seen };
                after = last.place.clone();
                seen.extend(page.into_iter().map(|role| format!("{} {}", role.node, role.name)));
            }
        };
        assert_eq!(names(&mut conn, now()).await, ["Bank ops-a", "Labs mine", "Shop ops-a", "Shop ops-b"]);
        assert_eq!(names(&mut conn, later(60)).await, ["Bank ops-a", "Shop ops-a", "Shop ops-b"]);
        assert!(access::mine(&mut conn, &acme.ao, now(), ("", "", ""), 10).await.unwrap().is_empty());
        let ways = access::grants(&mut conn, &acme.bob, &all[2].id, now()).await.unwrap();
        assert_eq!(ways.iter().map(|way| way.horizontal.is_some()).collect::<Vec<_>>(), [false, true]);
    });
}

#[test]
fn a_right_that_was_taken_away_is_gone_at_once() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let reader = acme.role(&acme.shop, Class::System, "Reader").await;
        let may =
            async |at| !access::grants(&mut store.read().await.unwrap(), &acme.bob, &reader.id, at).await.unwrap().is_empty();
        assert!(!may(now()).await);
        let join = async |how| change(store, async |tx| tx.join(&reader.group, &acme.bob, how).await).await.unwrap();
        join(Membership { ends: Some(later(900)), ..ALWAYS }).await;
        assert!(may(later(899)).await && !may(later(900)).await);
        join(Membership { source: Source::Idp, ends: Some(later(100)), ..ALWAYS }).await;
        let ways = access::grants(&mut store.read().await.unwrap(), &acme.bob, &reader.id, now()).await.unwrap();
        assert_eq!(last_end(&ways).unwrap(), Some(later(900)));
        join(ALWAYS).await;
        let ways = access::grants(&mut store.read().await.unwrap(), &acme.bob, &reader.id, now()).await.unwrap();
        assert_eq!((last_end(&ways).unwrap(), last_end(&[]).is_err()), (None, true));
        assert!(may(later(1000)).await);
        // The person, the role, the node: each can be stopped, and let go on.
        let person =
            async |version, status| change(store, async |tx| tx.set_status(&acme.bob, version, status).await).await.unwrap();
        person(1, Status::Disabled).await;
        assert!(!may(now()).await);
        person(2, Status::Active).await;
        assert!(may(now()).await);
        let state = async |state| {
            change(store, async |tx| {
                let role = roles::by_id(tx, &reader.id).await?;
                tx.update_role(&saml2cloud::tvm::model::Role { state, ..role }).await
            })
            .await
            .unwrap();
        };
        state(RoleState::Suspended).await;
        assert!(!may(now()).await);
        state(RoleState::Active).await;
        assert!(may(now()).await);
        for node in [&acme.shop, &acme.east, &acme.root] {
            let state = async |state| {
                change(store, async |tx| {
                    let node = nodes::by_id(tx, &node.id).await?;
                    tx.update_node(&saml2cloud::tvm::model::Node { state, ..node }).await
                })
                .await
                .unwrap();
            };
            state(NodeState::Suspended).await;
            assert!(!may(now()).await, "{}", node.name);
            let mut conn = store.read().await.unwrap();
            assert!(access::mine(&mut conn, &acme.bob, now(), ("", "", ""), 10).await.unwrap().is_empty(), "{}", node.name);
            drop(conn);
            state(NodeState::Active).await;
            assert!(may(now()).await, "{}", node.name);
        }
        let west = saml2cloud::tvm::model::Node { state: NodeState::Suspended, ..acme.west.clone() };
        change(store, async |tx| tx.update_node(&west).await).await.unwrap();
        assert!(may(now()).await, "what is stopped elsewhere does not matter");
    });
}

#[test]
fn what_somebody_is_here_comes_from_what_they_own_and_hold() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let actor = async |id, at| access::actor(&mut store.read().await.unwrap(), id, at).await.unwrap();
        let create = |actor: &_, path| authorize(actor, Action::CreateNode, Object::Node { path, is_account: false });
        let mo = actor(&acme.mo, now()).await;
        assert_eq!(create(&mo, &acme.east.path), Verdict::Allowed);
        assert_eq!(create(&mo, &acme.west.path), Verdict::Hidden);
        assert_eq!(create(&actor(&acme.admin, now()).await, &acme.west.path), Verdict::Allowed);
        assert!(actor(&acme.ao, now()).await.owned[0].is_account);
        let iam = acme.role(&acme.shop, Class::System, "account_IAM_admin").await;
        change(store, async |tx| tx.join(&iam.group, &acme.bob, Membership { ends: Some(later(10)), ..ALWAYS }).await)
            .await
            .unwrap();
        assert_eq!(actor(&acme.bob, now()).await.powers, [(CamPower::Account, acme.shop.path.clone())]);
        assert_eq!(actor(&acme.bob, later(10)).await.powers, []);
        // A naming rule makes nobody an administrator.
        let rule = Rule::new(Matcher::Glob, "*_IAM_admin").unwrap();
        change(store, async |tx| {
            let all = tx.add_horizontal(&acme.root.id, &label("All"), Some(&rule), Activation::Auto, false).await?;
            let group = tx.add_group(&acme.root.id, &label("All")).await?;
            tx.bind_group(&all.id, &group.id).await?;
            tx.join(&group.id, &acme.ao, ALWAYS).await
        })
        .await
        .unwrap();
        assert!(!access::grants(&mut store.read().await.unwrap(), &acme.ao, &iam.id, now()).await.unwrap().is_empty());
        assert_eq!(actor(&acme.ao, now()).await.powers, []);
        change(store, async |tx| tx.set_status(&acme.bob, 1, Status::Disabled).await).await.unwrap();
        let nobody = actor(&acme.bob, now()).await;
        assert_eq!((nobody.user, nobody.powers.len()), (None, 0));
    });
}
