//! What is kept about a person is theirs to have.

use saml2cloud::tvm::audit::{AuthKind, Event};
use saml2cloud::tvm::model::{Bearer, Class, Gid, Source};
use saml2cloud::tvm::store::export;
use saml2cloud::tvm::store::groups::Membership;
use saml2cloud::tvm::store::sessions::NewSession;
use saml2cloud::tvm::store::tokens::{NewToken, TokenKind};

use crate::place::{Acme, change, later, now, on_both};

#[test]
fn everything_about_a_person_and_nothing_that_lets_in() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let role = acme.role(&acme.shop, Class::System, "Reader").await;
        let [cookie, csrf, access] = [(); 3].map(|()| Bearer::new());
        change(store, async |tx| {
            tx.join(
                &role.group,
                &acme.ao,
                Membership { source: Source::Manual, by: None, ends: Some(later(60)), reason: "on call" },
            )
            .await?;
            tx.add_session(&NewSession {
                id: cookie.digest(),
                user: &acme.ao,
                csrf: csrf.digest(),
                expires: later(60),
                name_id: None,
                session_index: None,
                authn_context: None,
                authn_at: None,
                source_ip: Some("192.0.2.7"),
                user_agent: None,
            })
            .await?;
            let token = NewToken {
                digest: access.digest(),
                user: &acme.ao,
                kind: TokenKind::Cli,
                name: "laptop",
                authn_context: None,
                authn_at: None,
                source_ip: None,
                origin: None,
                expires: later(60),
            };
            tx.add_token(&token).await
        })
        .await
        .unwrap();
        for (gid, at) in [("AO", 1), ("BOB", 2), ("AO", 3)] {
            let event = Event::by(AuthKind::Session, "me.roles", serde_json::json!({"at": at}));
            store.record(later(at), &Event { actor_gid: Some(gid.to_owned()), ..event }).await.unwrap();
        }
        let mut conn = store.read().await.unwrap();
        let all = export::person(&mut conn, &Gid::parse("ao").unwrap(), later(10)).await.unwrap().unwrap();
        assert_eq!((all["person"]["alias"].as_str(), all["owner_of"][0]["name"].as_str()), (Some("ao of acme"), Some("Shop")));
        assert_eq!(all["member_of"][0]["reason"], "on call");
        assert_eq!(
            (all["sessions"][0]["source_ip"].as_str(), all["tokens"][0]["name"].as_str()),
            (Some("192.0.2.7"), Some("laptop"))
        );
        let at: Vec<_> = all["events"].as_array().unwrap().iter().map(|event| event["params"]["at"].as_i64().unwrap()).collect();
        assert_eq!(at, [3, 1], "their own, the newest first");
        let text = all.to_string();
        for bearer in [&cookie, &csrf, &access] {
            assert!(!text.contains(bearer.digest().as_str()) && !text.contains(bearer.secret().expose().as_str()));
        }
        assert_eq!(export::person(&mut conn, &Gid::parse("nobody").unwrap(), now()).await.unwrap(), None);
    });
}
