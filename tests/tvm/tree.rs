//! People, nodes, owners, roles, groups.

use saml2cloud::tvm::model::{Alias, Class, Gid, Kind, NodeState, RoleState, Source, Status};
use saml2cloud::tvm::store::groups::{self, Membership};
use saml2cloud::tvm::store::{StoreError, Taken, nodes, roles, users};
use saml2cloud::types::RoleArn;

use crate::place::{Acme, change, label, later, node, on_both, person, role};

const ALWAYS: Membership<'static> = Membership { source: Source::Manual, by: None, ends: None, reason: "" };

#[track_caller]
fn taken<T: std::fmt::Debug>(outcome: Result<T, StoreError>, what: Taken) {
    match outcome {
        Err(StoreError::Taken(taken)) if taken == what => {}
        other => panic!("{other:?}, not taken {what:?}"),
    }
}

#[test]
fn a_person_is_unique_and_keeps_their_gid() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let home = &acme.root.id;
        let other = |gid: &str, alias: &str| {
            let mut new = person(gid, home);
            new.alias = Alias::parse(alias).unwrap();
            new
        };
        taken(change(store, async |tx| tx.add_user(&other("BOB", "bobby"), None).await).await, Taken::Gid);
        taken(change(store, async |tx| tx.add_user(&other("bob2", "BOB of ACME"), None).await).await, Taken::Alias);
        let mut bob = users::by_id(&mut store.read().await.unwrap(), &acme.bob).await.unwrap();
        bob.alias = Alias::parse("ADMIN").unwrap();
        taken(change(store, async |tx| tx.update_user(&bob).await).await, Taken::Alias);
        bob.alias = Alias::parse("Robert").unwrap();
        let stranger = Gid::parse("stranger").unwrap();
        // Whatever else a change says, who somebody is stays.
        change(store, async |tx| tx.update_user(&saml2cloud::tvm::model::User { gid: stranger.clone(), ..bob.clone() }).await)
            .await
            .unwrap();
        let read = users::by_gid(&mut store.read().await.unwrap(), &Gid::parse("BoB").unwrap()).await.unwrap().unwrap();
        assert_eq!((read.gid.as_str(), read.alias.as_str(), read.version), ("bob", "Robert", bob.version + 1));
        // An old version changes nothing.
        assert!(matches!(change(store, async |tx| tx.update_user(&bob).await).await, Err(StoreError::Stale)));
        assert_eq!(users::by_gid(&mut store.read().await.unwrap(), &stranger).await.unwrap(), None);
    });
}

#[test]
fn a_person_is_deleted_only_when_nothing_refers_to_them_and_comes_back_with_nothing() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let reader = acme.role(&acme.shop, Class::System, "Reader").await;
        change(store, async |tx| {
            tx.join(&reader.group, &acme.bob, ALWAYS).await?;
            tx.add_owner(&acme.labs.id, &acme.bob, None).await
        })
        .await
        .unwrap();
        let refused = change(store, async |tx| tx.delete_user(&acme.bob, 1).await).await;
        let Err(StoreError::Referenced(references)) = refused else { panic!("{refused:?}") };
        let names: Vec<(&str, &str)> = references.iter().map(|one| (one.what, one.name.as_str())).collect();
        assert_eq!(names, [("owner of", "Labs"), ("member of", "Reader")]);
        change(store, async |tx| {
            tx.leave(&reader.group, &acme.bob, Source::Manual).await?;
            tx.remove_owner(&acme.labs.id, &acme.bob).await?;
            tx.delete_user(&acme.bob, 1).await
        })
        .await
        .unwrap();
        let mut conn = store.read().await.unwrap();
        assert!(matches!(users::by_id(&mut conn, &acme.bob).await, Err(StoreError::NotFound(_))));
        assert!(matches!(
            change(store, async |tx| tx.join(&reader.group, &acme.bob, ALWAYS).await).await,
            Err(StoreError::NotFound("person"))
        ));
        // The alias is free; the GID is theirs for ever.
        let mut new = person("other", &acme.root.id);
        new.alias = Alias::parse("bob of acme").unwrap();
        change(store, async |tx| tx.add_user(&new, None).await).await.unwrap();
        let mut back = person("Bob", &acme.east.id);
        back.alias = Alias::parse("bob again").unwrap();
        let id = change(store, async |tx| tx.add_user(&back, None).await).await.unwrap();
        assert_eq!(id, acme.bob);
        let read = users::by_id(&mut conn, &id).await.unwrap();
        assert_eq!((read.status, &read.home), (Status::Active, &acme.east.id));
        assert_eq!(users::references(&mut conn, &id).await.unwrap(), []);
    });
}

#[test]
fn people_are_listed_by_page_and_by_their_home() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        for at in 0..5 {
            acme.user(&format!("e{at}"), if at % 2 == 0 { &acme.shop } else { &acme.bank }).await;
        }
        let mut conn = acme.store.read().await.unwrap();
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = users::list(&mut conn, &after, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.alias.normal().to_owned();
            seen.extend(page.into_iter().map(|user| user.alias.as_str().to_owned()));
        }
        let mut sorted = seen.clone();
        sorted.sort();
        assert_eq!((seen.len(), &sorted), (9, &seen));
        let below = users::list_below(&mut conn, &acme.east.path, "", 10).await.unwrap();
        let gids: Vec<&str> = below.iter().map(|user| user.gid.as_str()).collect();
        assert_eq!(gids, ["e0", "e2", "e4"]);
        assert_eq!(users::list_below(&mut conn, &acme.east.path, "e0 of acme", 1).await.unwrap()[0].gid.as_str(), "e2");
    });
}

#[test]
fn the_tree_keeps_its_form() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let owner = std::slice::from_ref(&acme.admin);
        let add = async |parent, new| change(store, async |tx| tx.add_node(parent, &new, owner, None).await).await;
        taken(add(&acme.east.id, node("SHOP", None)).await, Taken::Name);
        taken(add(&acme.west.id, node("Shop", Some("aws:111111111111"))).await, Taken::Account);
        add(&acme.west.id, node("Shop", Some("aws-cn:111111111111"))).await.unwrap();
        assert!(matches!(add(&acme.shop.id, node("below", None)).await, Err(StoreError::Tree(_))));
        let alone = change(store, async |tx| tx.add_node(&acme.east.id, &node("x", None), &[], None).await).await;
        assert!(matches!(alone, Err(StoreError::LastOwner)));
        let mut conn = store.read().await.unwrap();
        let children = nodes::children(&mut conn, &acme.east.id, ("", ""), 10).await.unwrap();
        assert_eq!(children.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["Labs", "Shop"]);
        let page = nodes::children(&mut conn, &acme.east.id, ("labs", children[0].id.as_str()), 10).await.unwrap();
        assert_eq!(page, children[1..]);
        let below = nodes::below(&mut conn, &acme.root.path, "", 100).await.unwrap();
        assert_eq!(below.len(), 6);
        assert_eq!(nodes::below(&mut conn, &acme.root.path, below[3].path.as_str(), 100).await.unwrap(), below[4..]);
        // To its deepest level, and no further.
        let mut parent = acme.west.id.clone();
        for depth in 3..=16 {
            let new = node(&format!("level {depth}"), None);
            parent = change(store, async |tx| tx.add_node(&parent, &new, owner, None).await).await.unwrap().id;
        }
        let deeper = change(store, async |tx| tx.add_node(&parent, &node("level 17", None), owner, None).await).await;
        assert!(matches!(deeper, Err(StoreError::Tree(_))));
        let mut shop = nodes::by_id(&mut conn, &acme.shop.id).await.unwrap();
        shop.name = label("Labs");
        taken(change(store, async |tx| tx.update_node(&shop).await).await, Taken::Name);
        (shop.name, shop.state) = (label("Store"), NodeState::Suspended);
        change(store, async |tx| tx.update_node(&shop).await).await.unwrap();
        let read = nodes::by_id(&mut conn, &shop.id).await.unwrap();
        assert_eq!((read.name.as_str(), read.state, read.version), ("Store", NodeState::Suspended, shop.version + 1));
        assert!(matches!(&read.kind, Kind::Account(account) if account.to_string() == "aws:111111111111"));
    });
}

#[test]
fn a_node_moves_with_everything_below_it_but_never_below_itself() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let go = async |id, version, to| change(store, async |tx| tx.move_node(id, version, to).await).await;
        assert!(matches!(go(&acme.root.id, 1, &acme.east.id).await, Err(StoreError::Tree(_))));
        assert!(matches!(go(&acme.east.id, 1, &acme.east.id).await, Err(StoreError::Tree(_))));
        assert!(matches!(go(&acme.east.id, 1, &acme.shop.id).await, Err(StoreError::Tree(_))));
        assert!(matches!(go(&acme.east.id, 7, &acme.west.id).await, Err(StoreError::Stale)));
        go(&acme.east.id, 1, &acme.west.id).await.unwrap();
        assert!(matches!(go(&acme.west.id, 1, &acme.east.id).await, Err(StoreError::Tree(_))));
        let mut conn = store.read().await.unwrap();
        let read = nodes::by_id(&mut conn, &acme.shop.id).await.unwrap();
        let ids: Vec<_> = read.path.ids().collect();
        assert_eq!(ids, [&acme.root.id, &acme.west.id, &acme.east.id, &acme.shop.id].map(Clone::clone));
        assert_eq!(nodes::below(&mut conn, &acme.west.path, "", 10).await.unwrap().len(), 4);
        // Too deep is refused as a whole.
        let mut parent = acme.bank.path.parent().unwrap().last().unwrap();
        for depth in 3..=14 {
            let new = node(&format!("level {depth}"), None);
            let owner = std::slice::from_ref(&acme.admin);
            parent = change(store, async |tx| tx.add_node(&parent, &new, owner, None).await).await.unwrap().id;
        }
        let deep = go(&acme.east.id, 2, &parent).await;
        assert!(matches!(deep, Ok(())), "{deep:?}");
        let below = nodes::by_id(&mut conn, &acme.shop.id).await.unwrap();
        assert_eq!(below.path.depth(), 16);
        let top = change(store, async |tx| {
            tx.add_node(&acme.root.id, &node("top", None), std::slice::from_ref(&acme.admin), None).await
        })
        .await
        .unwrap();
        go(&acme.west.id, 1, &top.id).await.expect_err("17 levels");
        assert_eq!(nodes::by_id(&mut conn, &acme.shop.id).await.unwrap(), below);
    });
}

#[test]
fn only_an_empty_node_is_destroyed_and_its_name_and_account_are_free_then() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let reader = acme.role(&acme.shop, Class::System, "Reader").await;
        let someone = acme.user("someone", &acme.shop).await;
        let destroy = async |id, version| change(store, async |tx| tx.destroy_node(id, version).await).await;
        assert!(matches!(destroy(&acme.root.id, 1).await, Err(StoreError::Tree(_))));
        for (id, what) in [(&acme.east.id, "node"), (&acme.shop.id, "role")] {
            let Err(StoreError::Referenced(left)) = destroy(id, 1).await else { panic!("{what}") };
            assert_eq!(left[0].what, what);
        }
        change(store, async |tx| tx.delete_role(&reader.id, reader.version).await).await.unwrap();
        destroy(&acme.shop.id, 1).await.unwrap();
        let mut conn = store.read().await.unwrap();
        assert!(matches!(nodes::by_id(&mut conn, &acme.shop.id).await, Err(StoreError::NotFound("node"))));
        assert_eq!(users::by_id(&mut conn, &someone).await.unwrap().home, acme.east.id);
        assert_eq!(users::references(&mut conn, &acme.ao).await.unwrap(), []);
        let again = change(store, async |tx| {
            let owner = std::slice::from_ref(&acme.ao);
            tx.add_node(&acme.east.id, &node("Shop", Some("aws:111111111111")), owner, None).await
        });
        assert_ne!(again.await.unwrap().id, acme.shop.id);
    });
}

#[test]
fn a_node_keeps_an_owner_who_can_act() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let shop = &acme.shop.id;
        let remove = async |user| change(store, async |tx| tx.remove_owner(shop, user).await).await;
        let bar = async |user, version, status| change(store, async |tx| tx.set_status(user, version, status).await).await;
        remove(&acme.admin).await.unwrap();
        assert!(matches!(remove(&acme.ao).await, Err(StoreError::LastOwner)));
        assert!(matches!(bar(&acme.ao, 1, Status::Disabled).await, Err(StoreError::LastOwner)));
        change(store, async |tx| tx.add_owner(shop, &acme.bob, None).await).await.unwrap();
        bar(&acme.ao, 1, Status::Disabled).await.unwrap();
        // An owner who is barred is none who counts.
        assert!(matches!(remove(&acme.bob).await, Err(StoreError::LastOwner)));
        assert!(matches!(bar(&acme.bob, 1, Status::Disabled).await, Err(StoreError::LastOwner)));
        let barred = change(store, async |tx| tx.add_owner(&acme.labs.id, &acme.ao, None).await).await;
        assert!(matches!(barred, Err(StoreError::NotFound("person"))));
        remove(&acme.ao).await.unwrap();
        bar(&acme.ao, 2, Status::Active).await.unwrap();
        let owners = nodes::owners(&mut store.read().await.unwrap(), shop, "", 10).await.unwrap();
        assert_eq!(owners.iter().map(|owner| &owner.id).collect::<Vec<_>>(), [&acme.bob]);
        assert!(matches!(remove(&acme.mo).await, Err(StoreError::NotFound("owner"))));
    });
}

#[test]
fn roles_are_registered_once_with_one_group_and_go_when_nobody_needs_them() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let reader = acme.role(&acme.shop, Class::System, "Reader").await;
        let again = change(store, async |tx| tx.add_role(&acme.shop.id, &role(&acme.shop, Class::Custom, "Reader")).await).await;
        taken(again, Taken::Role);
        let elsewhere =
            change(store, async |tx| tx.add_role(&acme.bank.id, &role(&acme.shop, Class::System, "Other")).await).await;
        assert!(matches!(elsewhere, Err(StoreError::Tree(_))));
        let folder = change(store, async |tx| tx.add_role(&acme.east.id, &role(&acme.shop, Class::System, "Other")).await).await;
        assert!(matches!(folder, Err(StoreError::Tree(_))));
        acme.role(&acme.shop, Class::Custom, "Own").await;
        let mut conn = store.read().await.unwrap();
        let system = roles::at(&mut conn, &acme.shop.id, Class::System, "", 10).await.unwrap();
        assert_eq!(system, std::slice::from_ref(&reader));
        change(store, async |tx| tx.join(&reader.group, &acme.bob, ALWAYS).await).await.unwrap();
        let refused = change(store, async |tx| tx.delete_role(&reader.id, 1).await).await;
        assert!(matches!(refused, Err(StoreError::Referenced(left)) if left[0].name == "bob of acme"));
        let mut renamed = reader.clone();
        renamed.arn = Some(RoleArn::parse("arn:aws:iam::111111111111:role/Viewer").unwrap());
        renamed.state = RoleState::Suspended;
        change(store, async |tx| tx.update_role(&renamed).await).await.unwrap();
        let read = roles::by_id(&mut conn, &reader.id).await.unwrap();
        assert_eq!((read.name.as_str(), read.state, read.version), ("Viewer", RoleState::Suspended, 2));
        assert_eq!(groups::by_id(&mut conn, &read.group).await.unwrap().name.as_str(), "Viewer");
        let mut powerful = read.clone();
        powerful.arn = Some(RoleArn::parse("arn:aws:iam::111111111111:role/ent_IAM_admin").unwrap());
        assert!(matches!(change(store, async |tx| tx.update_role(&powerful).await).await, Err(StoreError::Tree(_))));
        assert!(matches!(change(store, async |tx| tx.delete_group(&read.group).await).await, Err(StoreError::Referenced(_))));
        change(store, async |tx| tx.leave(&read.group, &acme.bob, Source::Manual).await).await.unwrap();
        assert!(matches!(change(store, async |tx| tx.delete_group(&read.group).await).await, Err(StoreError::Tree(_))));
        change(store, async |tx| tx.delete_role(&reader.id, 2).await).await.unwrap();
        assert!(matches!(
            change(store, async |tx| tx.join(&read.group, &acme.bob, ALWAYS).await).await,
            Err(StoreError::NotFound("role"))
        ));
        acme.role(&acme.shop, Class::System, "Viewer").await;
    });
}

#[test]
fn memberships_have_an_end_and_a_way() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let group = change(store, async |tx| tx.add_group(&acme.east.id, &label("Operators")).await).await.unwrap();
        taken(change(store, async |tx| tx.add_group(&acme.east.id, &label("OPERATORS")).await).await, Taken::Name);
        let until = |seconds, source| Membership { source, by: Some(&acme.mo), ends: Some(later(seconds)), reason: "on call" };
        change(store, async |tx| {
            tx.join(&group.id, &acme.bob, until(10, Source::Manual)).await?;
            tx.join(&group.id, &acme.bob, until(20, Source::Manual)).await?;
            tx.join(&group.id, &acme.bob, until(5, Source::Idp)).await?;
            tx.join(&group.id, &acme.ao, ALWAYS).await
        })
        .await
        .unwrap();
        let mut conn = store.read().await.unwrap();
        let members = groups::members(&mut conn, &group.id, ("", ""), 10).await.unwrap();
        assert_eq!(members.len(), 3);
        let bobs: Vec<_> = members.iter().filter(|one| one.id == acme.bob).map(|one| (one.source, one.ends)).collect();
        assert_eq!(bobs, [(Source::Idp, Some(later(5))), (Source::Manual, Some(later(20)))]);
        let first = &members[0];
        let rest = groups::members(&mut conn, &group.id, (first.id.as_str(), first.source.word()), 10).await.unwrap();
        assert_eq!(rest, members[1..]);
        drop(conn);
        assert_eq!(
            groups::at(&mut store.read().await.unwrap(), &acme.east.id, "", 10).await.unwrap(),
            std::slice::from_ref(&group)
        );
        // Bob's two end by themselves; the one that does not end keeps the group, and then nothing does.
        let delete = async |at| {
            let mut tx = store.begin(at).await.unwrap();
            tx.delete_group(&group.id).await
        };
        assert!(matches!(delete(later(20)).await, Err(StoreError::Referenced(left)) if left.len() == 1));
        assert_eq!(store.sweep(later(5)).await.unwrap(), 1);
        change(store, async |tx| tx.leave(&group.id, &acme.ao, Source::Manual).await).await.unwrap();
        assert!(matches!(delete(later(19)).await, Err(StoreError::Referenced(_))));
        delete(later(20)).await.unwrap();
        // The same for a role and for a person: what has ended keeps neither.
        let new = role(&acme.shop, Class::System, "Nightly");
        let role = change(store, async |tx| tx.add_role(&acme.shop.id, &new).await).await.unwrap();
        change(store, async |tx| tx.join(&role.group, &acme.bob, until(30, Source::Manual)).await).await.unwrap();
        let bob = users::by_id(&mut store.read().await.unwrap(), &acme.bob).await.unwrap();
        for (at, kept) in [(29, true), (30, false)] {
            let mut tx = store.begin(later(at)).await.unwrap();
            assert_eq!(tx.delete_role(&role.id, role.version).await.is_err(), kept, "{at}");
            drop(tx);
            let mut tx = store.begin(later(at)).await.unwrap();
            assert_eq!(tx.delete_user(&acme.bob, bob.version).await.is_err(), kept, "{at}");
        }
    });
}
