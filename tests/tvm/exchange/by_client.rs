//! Accounts whose keys the command line fetches from the cloud itself: it is handed the assertion, and nobody here asks the cloud.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saml2cloud::tvm::exchange::{Console, Entrusted, Given, SessionPolicy, VendError};
use saml2cloud::tvm::model::{Node, Role, RoleId, VendMethod, Vending as Terms};
use saml2cloud::tvm::store::vends::{self, Channel};
use saml2cloud::tvm::store::{nodes, roles};
use saml2cloud::tvm::vend::{Extra, NotByClient, Refusal, Wish};
use saml2cloud::types::{SessionDuration, Timestamp};

use crate::place::{change, on_both};
use crate::vends::last;

use super::desk::*;

/// Says how keys are come by in both accounts.
async fn vending(desk: &Desk, edit: impl Fn(&mut Terms)) {
    for node in [&desk.acme.shop.id, &desk.acme.labs.id] {
        change(&desk.acme.store, async |tx| {
            let mut node: Node = nodes::by_id(tx, node).await?;
            edit(&mut node.vending);
            tx.update_node(&node).await
        })
        .await
        .unwrap();
    }
}

async fn assertion(desk: &Desk, wish: &Wish<'_>) -> Result<Entrusted, VendError> {
    desk.tick();
    match desk.vending.keys(wish, None).await? {
        Given::Assertion(entrusted) => Ok(entrusted),
        Given::Keys(_) => panic!("keys in place of an assertion"),
    }
}

fn xml(entrusted: &Entrusted) -> String {
    String::from_utf8(STANDARD.decode(entrusted.response.base64.expose()).unwrap()).unwrap()
}

/// What the ledger has of bob's newest vend: outcome, key, and when it ends.
async fn line(desk: &Desk) -> (String, Option<String>, Option<Timestamp>) {
    let mut conn = desk.acme.store.read().await.unwrap();
    let line = vends::by_user(&mut conn, &desk.acme.bob, i64::MAX, 1).await.unwrap().remove(0);
    (line.outcome.word().to_owned(), line.access_key_id, line.expires)
}

#[test]
fn a_command_line_is_handed_the_assertion_and_the_ledger_says_so() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::Saml, &[], None).await;
        vending(&desk, |terms| terms.client_exchange = true).await;
        for (role, provider, partition) in [
            (&desk.aws, "arn:aws:iam::111111111111:saml-provider/cam", "aws"),
            (&desk.alibaba, "acs:ram::1000000000000001:saml-provider/cam", "alibaba"),
        ] {
            let entrusted = assertion(&desk, &wish(&desk.acme.bob, &role.id, Channel::Cli)).await.unwrap();
            let arn = role.arn.as_ref().unwrap();
            assert_eq!((&entrusted.role, entrusted.response.provider.as_str()), (arn, provider));
            assert_eq!((entrusted.partition.word(), entrusted.lifetime.seconds()), (partition, 3600));
            assert_eq!((entrusted.session_name.as_str(), &entrusted.sts), ("bob", &None));
            let (outcome, key, expires) = line(&desk).await;
            assert_eq!((outcome.as_str(), key), ("issued", None), "nobody here knows the key");
            let ends = expires.unwrap();
            let said = xml(&entrusted);
            for part in [format!("{arn},{provider}"), format!("SessionNotOnOrAfter=\"{}\"", ends.utc())] {
                assert!(said.contains(&part), "{part}\n{said}");
            }
            assert_eq!(ends.since(entrusted.response.ends), Duration::from_secs(3600 - 120));
            let (kind, outcome, params) = last(&desk.acme).await;
            assert_eq!((kind.as_str(), outcome.as_str(), params["outcome"].as_str()), ("vend.complete", "done", Some("issued")));
            assert_eq!(params["assertion"], entrusted.response.assertion_id.as_str());
            assert!(params["access_key_id"].is_null() && params["line"] == entrusted.line.as_str());
            let kept = everything(&desk.acme.store).await;
            assert!(!kept.contains(entrusted.response.base64.expose().as_str()));
        }
        assert!(desk.asked().is_empty(), "no cloud was asked");
        // What caps keys caps the assertion: both clouds end the session when it says.
        vending(&desk, |terms| terms.max_session = SessionDuration::try_from(900).ok()).await;
        let capped = assertion(&desk, &wish(&desk.acme.bob, &desk.aws.id, Channel::Cli)).await.unwrap();
        assert_eq!(capped.lifetime.seconds(), 900);
        let ends = line(&desk).await.2.unwrap();
        assert_eq!(ends.since(capped.response.ends), Duration::from_secs(900 - 120));
        desk.acme.store.verify().await.unwrap();
    });
}

#[test]
fn what_nobody_can_be_held_to_is_refused() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::Saml, &[], None).await;
        vending(&desk, |terms| terms.client_exchange = true).await;
        let wish = |channel, extra| Wish { extra, ..wish(&desk.acme.bob, &desk.aws.id, channel) };
        let policy = || SessionPolicy::parse(r#"{"Version":"2012-10-17","Statement":[]}"#).ok();
        for (channel, extra, policy, why) in [
            (Channel::Web, None, None, NotByClient::Page),
            (Channel::Web, Some(Extra::Format), None, NotByClient::Page),
            (Channel::Cli, None, policy(), NotByClient::Policy),
            (Channel::Cli, Some(Extra::Format), policy(), NotByClient::Policy),
            (Channel::Cli, Some(Extra::Format), None, NotByClient::Format),
        ] {
            let refused = desk.vending.keys(&wish(channel, extra), policy).await;
            assert!(matches!(&refused, Err(VendError::Refusal(Refusal::ByClient(is))) if *is == why), "{why:?} {refused:?}");
            let (kind, outcome, params) = last(&desk.acme).await;
            assert_eq!(
                (kind.as_str(), outcome.as_str(), params["refused"].as_str()),
                ("vend", "refused", Some("client_exchange"))
            );
        }
        let mut conn = desk.acme.store.read().await.unwrap();
        assert!(vends::by_user(&mut conn, &desk.acme.bob, i64::MAX, 1).await.unwrap().is_empty(), "no line was begun");
        drop(conn);
        // The console is entered as ever.
        let console = desk.vending.console(&wish(Channel::Console, None)).await.unwrap();
        let Console::Form(form) = console else { panic!("a form") };
        assert_eq!(last(&desk.acme).await.2["assertion"], form.assertion_id.as_str());
        assert!(desk.asked().is_empty());
    });
}

#[test]
fn it_counts_where_an_assertion_is_the_way_and_nowhere_else() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::Saml, &[], None).await;
        // Off, until somebody says so.
        desk.will([Next::Says(200, AWS.to_owned())]);
        desk.keys(&desk.aws.id, None).await.unwrap();
        let method = async |role: &RoleId, method| {
            change(&desk.acme.store, async |tx| {
                let found = roles::by_id(tx, role).await?;
                tx.update_role(&Role { method, ..found }).await
            })
            .await
            .unwrap();
        };
        vending(&desk, |terms| terms.client_exchange = true).await;
        method(&desk.aws.id, Some(VendMethod::HubRole)).await;
        assert!(matches!(desk.keys(&desk.aws.id, None).await, Err(VendError::NoKeys(_))), "the service itself asks");
        vending(&desk, |terms| terms.method = VendMethod::HubRole).await;
        assert!(matches!(desk.keys(&desk.alibaba.id, None).await, Err(VendError::NoKeys(_))));
        // A role that goes by an assertion although its account does not.
        method(&desk.alibaba.id, Some(VendMethod::Saml)).await;
        let wish = wish(&desk.acme.bob, &desk.alibaba.id, Channel::Cli);
        assert_eq!(assertion(&desk, &wish).await.unwrap().role, desk.alibaba.arn.clone().unwrap());
        assert_eq!(desk.asked().len(), 1);
    });
}
