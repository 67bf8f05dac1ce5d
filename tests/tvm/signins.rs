//! Sign-ins: sessions, assertions that count once, tokens, codes, devices. Of everything that lets somebody in there is a digest only.

use std::time::Duration;

use saml2cloud::tvm::model::{Bearer, Digest, Status, UserCode, UserId};
use saml2cloud::tvm::store::codes::{Approved, Code, Decision, NewCode, NewDevice, Poll, Taken, asking};
use saml2cloud::tvm::store::saml::{Accept, Accepted, NewRequest, NotAccepted};
use saml2cloud::tvm::store::sessions::{self, NewSession};
use saml2cloud::tvm::store::tokens::{self, NewToken, TokenKind};
use saml2cloud::tvm::store::{Seen, Store, StoreError, users};
use saml2cloud::types::Timestamp;
use sqlx::Row as _;

use crate::audit::raw;
use crate::place::{Acme, change, later, now, on_both};

const IDLE: Duration = Duration::from_secs(1800);

fn session<'s>(id: &'s Digest, user: &'s UserId, csrf: &'s Digest) -> NewSession<'s> {
    NewSession {
        id,
        user,
        csrf,
        expires: later(8 * 3600),
        name_id: Some("n-1"),
        session_index: Some("s-1"),
        authn_context: Some("urn:oasis:names:tc:SAML:2.0:ac:classes:X509"),
        authn_at: Some(now()),
        source_ip: Some("192.0.2.1"),
        user_agent: Some("a browser"),
    }
}

fn token<'t>(digest: &'t Digest, user: &'t UserId, origin: Option<&'t Digest>) -> NewToken<'t> {
    NewToken {
        digest,
        user,
        kind: TokenKind::Cli,
        name: "laptop",
        authn_context: None,
        authn_at: Some(now()),
        source_ip: None,
        origin,
        expires: later(12 * 3600),
    }
}

async fn whose(store: &Store, id: &Digest, at: Timestamp) -> Option<UserId> {
    sessions::by_digest(&mut store.read().await.unwrap(), id, IDLE, at).await.unwrap().map(|(_, user)| user.id)
}

async fn bearer_of(store: &Store, digest: &Digest, at: Timestamp) -> Option<UserId> {
    tokens::by_digest(&mut store.read().await.unwrap(), digest, at).await.unwrap().map(|(_, user)| user.id)
}

#[test]
fn a_session_lasts_until_it_is_over_or_nobody_uses_it() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let (cookie, other, csrf) = (Bearer::new(), Bearer::new(), Bearer::new());
        change(store, async |tx| {
            tx.add_session(&session(cookie.digest(), &acme.bob, csrf.digest())).await?;
            tx.add_session(&session(other.digest(), &acme.bob, csrf.digest())).await
        })
        .await
        .unwrap();
        let id = cookie.digest();
        let (read, user) = sessions::by_digest(&mut store.read().await.unwrap(), id, IDLE, now()).await.unwrap().unwrap();
        assert_eq!((&read.id, &read.csrf, read.created, read.seen), (id, csrf.digest(), now(), now()));
        assert_eq!((read.session_index.as_deref(), read.authn_at, user.gid.as_str()), (Some("s-1"), Some(now()), "bob"));
        assert_eq!(whose(store, csrf.digest(), now()).await, None);
        // Not used for half an hour it is over; used, it lasts to its end.
        assert!(whose(store, id, later(1799)).await.is_some() && whose(store, id, later(1800)).await.is_none());
        assert!(!Seen::is_due(Some(now()), later(59)) && Seen::is_due(Some(now()), later(60)) && Seen::is_due(None, now()));
        for at in (0..8 * 3600).step_by(1700) {
            store.touch(&Seen::Session(id.clone()), later(at)).await.unwrap();
        }
        // What comes late does not set it back.
        store.touch(&Seen::Session(id.clone()), now()).await.unwrap();
        assert!(whose(store, id, later(8 * 3600 - 1)).await.is_some() && whose(store, id, later(8 * 3600)).await.is_none());
        assert!(change(store, async |tx| tx.end_session(id).await).await.unwrap());
        assert!(!change(store, async |tx| tx.end_session(id).await).await.unwrap());
        assert!(whose(store, id, now()).await.is_none() && whose(store, other.digest(), now()).await.is_some());
        let again = change(store, async |tx| tx.add_session(&session(other.digest(), &acme.ao, csrf.digest())).await).await;
        assert!(again.is_err(), "an identity is not given twice");
        // The identity provider ends what it names, and no more.
        for (name, index, gone) in [("n-2", None, 0), ("n-1", Some("s-2"), 0), ("n-1", Some("s-1"), 1), ("n-1", None, 0)] {
            assert_eq!(change(store, async |tx| tx.end_idp_sessions(name, index).await).await.unwrap(), gone, "{name} {index:?}");
        }
        change(store, async |tx| {
            for bearer in [&cookie, &other] {
                tx.add_session(&session(bearer.digest(), &acme.bob, csrf.digest())).await?;
            }
            assert_eq!(tx.end_sessions(&acme.bob, Some(other.digest())).await?, 1);
            assert_eq!(tx.end_idp_sessions("n-1", None).await?, 1);
            Ok(())
        })
        .await
        .unwrap();
    });
}

#[test]
fn who_is_barred_or_deleted_is_out_everywhere_at_once() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let (store, other) = (&acme.store, ground.open.open(later(1)).await.unwrap());
        let eve = acme.user("eve", &acme.root).await;
        let [cookie, csrf, access, code, device] = [(); 5].map(|()| Bearer::new());
        let typed = UserCode::new();
        let let_in = async |user: &UserId| {
            change(store, async |tx| {
                tx.add_session(&session(cookie.digest(), user, csrf.digest())).await?;
                tx.add_token(&token(access.digest(), user, None)).await?;
                tx.add_code(&new_code(code.digest(), user)).await?;
                tx.add_device(&new_device(device.digest(), typed.digest())).await?;
                tx.decide_device(typed.digest(), Decision::Approve { user, authn_context: None, authn_at: None }).await
            })
            .await
        };
        let_in(&eve).await.unwrap();
        let both = async |at| {
            let seen = [whose(&other, cookie.digest(), at).await, bearer_of(&other, access.digest(), at).await];
            seen.map(|who| who.is_some())
        };
        assert_eq!(both(now()).await, [true, true]);
        change(store, async |tx| tx.set_status(&eve, 1, Status::Disabled).await).await.unwrap();
        assert_eq!(both(now()).await, [false, false]);
        assert_eq!(other.poll_device(device.digest(), later(10)).await.unwrap(), Poll::Expired);
        assert_eq!(change(&other, async |tx| tx.take_code(code.digest()).await).await.unwrap(), Taken::Unknown);
        assert!(matches!(let_in(&eve).await, Err(StoreError::NotFound("person"))));
        // Let in again, nothing of before counts.
        change(store, async |tx| tx.set_status(&eve, 2, Status::Active).await).await.unwrap();
        assert_eq!(both(now()).await, [false, false]);
        let fresh = Bearer::new();
        change(store, async |tx| tx.add_session(&session(fresh.digest(), &eve, csrf.digest())).await).await.unwrap();
        change(store, async |tx| tx.delete_user(&eve, 3).await).await.unwrap();
        assert_eq!(whose(&other, fresh.digest(), now()).await, None);
        change(store, async |tx| tx.add_user(&crate::place::person("eve", &acme.root.id), None).await).await.unwrap();
        assert_eq!(whose(&other, fresh.digest(), now()).await, None);
    });
}

fn request<'r>(id: &'r str, browser: &'r Digest, relay_state: &'r str) -> NewRequest<'r> {
    NewRequest { id, browser, relay_state, return_to: "/roles", force_authn: true, expires: later(300) }
}

fn accept<'a>(assertion_id: &'a str, answers: Option<&'a str>, browser: &'a Digest) -> Accept<'a> {
    Accept {
        issuer: "https://idp.example",
        assertion_id,
        valid_until: later(600),
        in_response_to: answers,
        browser: Some(browser),
        relay_state: Some("key-1"),
        unsolicited: false,
    }
}

#[test]
fn an_assertion_counts_once_for_the_browser_that_asked() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let (mine, others) = (Bearer::new(), Bearer::new());
        change(store, async |tx| {
            tx.add_saml_request(&request("r-1", mine.digest(), "key-1")).await?;
            tx.add_saml_request(&request("r-2", mine.digest(), "key-2")).await?;
            tx.add_saml_request(&request("r-3", mine.digest(), "key-3")).await
        })
        .await
        .unwrap();
        let at = async |seconds, accept: Accept<'_>| {
            let mut tx = store.begin(later(seconds)).await.unwrap();
            let told = tx.accept_assertion(&accept).await.unwrap();
            tx.commit(&crate::place::event("test")).await.unwrap();
            told
        };
        let refused = async |seconds, accept, why| assert_eq!(at(seconds, accept).await, Err(why), "{why}");
        refused(0, accept("a-1", None, mine.digest()), NotAccepted::Unsolicited).await;
        refused(0, accept("a-1", Some("r-0"), mine.digest()), NotAccepted::UnknownRequest).await;
        refused(0, accept("a-1", Some("r-1"), others.digest()), NotAccepted::OtherBrowser).await;
        refused(0, Accept { browser: None, ..accept("a-1", Some("r-1"), mine.digest()) }, NotAccepted::OtherBrowser).await;
        refused(300, accept("a-1", Some("r-1"), mine.digest()), NotAccepted::Late).await;
        // None of these used anything up.
        let good = Accepted { return_to: Some("/roles".to_owned()), force_authn: true, asked: Some(now()) };
        assert_eq!(at(299, accept("a-1", Some("r-1"), mine.digest())).await, Ok(good.clone()));
        refused(1, accept("a-1", Some("r-1"), mine.digest()), NotAccepted::Answered).await;
        refused(1, accept("a-2", Some("r-1"), mine.digest()), NotAccepted::Answered).await;
        refused(1, accept("a-1", Some("r-2"), mine.digest()), NotAccepted::Replayed).await;
        refused(1, Accept { unsolicited: true, ..accept("a-1", None, mine.digest()) }, NotAccepted::Replayed).await;
        // Another issuer may call its own the same. RelayState that is not the request's leads home.
        let other = Accept { issuer: "https://other.example", ..accept("a-1", Some("r-2"), mine.digest()) };
        assert_eq!(at(1, other).await, Ok(Accepted { return_to: None, ..good }));
        let unsolicited = Accept { unsolicited: true, browser: None, ..accept("a-9", None, mine.digest()) };
        assert_eq!(at(1, unsolicited).await, Ok(Accepted { return_to: None, force_authn: false, asked: None }));
        // What has ended is swept away, and what could be presented again is not.
        assert_eq!(store.sweep(later(300)).await.unwrap(), 3);
        refused(301, Accept { unsolicited: true, ..accept("a-1", None, mine.digest()) }, NotAccepted::Replayed).await;
        assert_eq!(store.sweep(later(600)).await.unwrap(), 3);
    });
}

#[test]
fn the_same_answer_at_two_processes_at_once_counts_once() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let other = ground.open.open(later(1)).await.unwrap();
        let browser = Bearer::new();
        for round in 0..crate::races::rounds() {
            let (id, key, assertion) = (format!("r-{round}"), format!("k-{round}"), format!("a-{round}"));
            // Every other round the two are different assertions that answer one request.
            let second = if round % 2 == 0 { assertion.clone() } else { format!("b-{round}") };
            change(&acme.store, async |tx| tx.add_saml_request(&request(&id, browser.digest(), &key)).await).await.unwrap();
            let start = tokio::sync::Barrier::new(2);
            let present = async |store: &Store, assertion: &str| {
                start.wait().await;
                crate::races::insist(store, async |tx| {
                    let told = tx.accept_assertion(&accept(assertion, Some(&id), browser.digest())).await?;
                    if told.is_ok() {
                        let cookie = Bearer::new();
                        tx.add_session(&session(cookie.digest(), &acme.bob, browser.digest())).await?;
                    }
                    Ok(told)
                })
                .await
                .unwrap()
            };
            let (one, two) = tokio::join!(present(&acme.store, &assertion), present(&other, &second));
            assert!(one.is_ok() != two.is_ok(), "round {round}: {one:?} {two:?}");
            let refused = one.err().or(two.err());
            assert!(matches!(refused, Some(NotAccepted::Replayed | NotAccepted::Answered)), "round {round}: {refused:?}");
        }
        let begun = change(&acme.store, async |tx| tx.end_sessions(&acme.bob, None).await).await.unwrap();
        assert_eq!(begun, crate::races::rounds() as u64);
    });
}

#[test]
fn tokens_are_listed_used_and_revoked() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let [one, two, three, code] = [(); 4].map(|()| Bearer::new());
        let ids = change(store, async |tx| {
            Ok([
                tx.add_token(&token(one.digest(), &acme.bob, None)).await?,
                tx.add_token(&token(two.digest(), &acme.bob, Some(code.digest()))).await?,
                tx.add_token(&token(three.digest(), &acme.mo, None)).await?,
            ])
        })
        .await
        .unwrap();
        let list = async |at| {
            let found = tokens::of_user(&mut store.read().await.unwrap(), &acme.bob, at, 10).await.unwrap();
            found.into_iter().map(|token| (token.id, token.last_used)).collect::<std::collections::BTreeMap<_, _>>()
        };
        assert_eq!(list(now()).await.len(), 2);
        store.touch(&Seen::Token(ids[0].clone()), later(100)).await.unwrap();
        store.touch(&Seen::Token(ids[0].clone()), later(50)).await.unwrap();
        assert_eq!(list(now()).await[&ids[0]], Some(later(100)));
        assert!(list(later(12 * 3600)).await.is_empty() && bearer_of(store, one.digest(), later(12 * 3600)).await.is_none());
        assert_eq!(bearer_of(store, one.digest(), later(12 * 3600 - 1)).await.as_ref(), Some(&acme.bob));
        let revoke = async |user, id| change(store, async |tx| tx.revoke_token(user, id).await).await;
        assert!(matches!(revoke(&acme.bob, &ids[2]).await, Err(StoreError::NotFound("token"))), "somebody else's");
        revoke(&acme.bob, &ids[0]).await.unwrap();
        assert!(matches!(revoke(&acme.bob, &ids[0]).await, Err(StoreError::NotFound("token"))));
        assert_eq!((bearer_of(store, one.digest(), now()).await, list(now()).await.len()), (None, 1));
        assert_eq!(change(store, async |tx| tx.revoke_tokens_from(code.digest()).await).await.unwrap(), 1);
        assert_eq!(bearer_of(store, two.digest(), now()).await, None);
        assert!(change(store, async |tx| tx.revoke_presented_token(three.digest()).await).await.unwrap());
        assert_eq!(bearer_of(store, three.digest(), now()).await, None);
    });
}

fn new_code<'c>(code: &'c Digest, user: &'c UserId) -> NewCode<'c> {
    NewCode {
        code,
        user,
        challenge: "challenge",
        redirect_uri: "http://127.0.0.1:5000/",
        authn_context: Some("context"),
        authn_at: Some(now()),
        expires: later(60),
    }
}

#[test]
fn a_code_is_taken_once() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let store = &acme.store;
        let [code, late] = [(); 2].map(|()| Bearer::new());
        change(store, async |tx| {
            tx.add_code(&new_code(code.digest(), &acme.bob)).await?;
            tx.add_code(&new_code(late.digest(), &acme.bob)).await
        })
        .await
        .unwrap();
        let take = async |code: &Digest, seconds| {
            let mut tx = store.begin(later(seconds)).await.unwrap();
            let taken = tx.take_code(code).await.unwrap();
            tx.commit(&crate::place::event("test")).await.unwrap();
            taken
        };
        let good = Code {
            user: acme.bob.clone(),
            challenge: "challenge".to_owned(),
            redirect_uri: "http://127.0.0.1:5000/".to_owned(),
            authn_context: Some("context".to_owned()),
            authn_at: Some(now()),
        };
        assert_eq!(take(code.digest(), 59).await, Taken::Good(good));
        assert_eq!(take(code.digest(), 59).await, Taken::Used);
        assert_eq!(take(late.digest(), 60).await, Taken::Unknown);
        assert_eq!(take(Bearer::new().digest(), 0).await, Taken::Unknown);
    });
}

fn new_device<'d>(device: &'d Digest, code: &'d Digest) -> NewDevice<'d> {
    NewDevice {
        device,
        code,
        challenge: "challenge",
        source_ip: Some("198.51.100.7"),
        client_name: "build box",
        interval: Duration::from_secs(5),
        expires: later(300),
    }
}

#[test]
fn a_device_waits_is_approved_and_is_taken_once() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let (store, other) = (&acme.store, ground.open.open(later(1)).await.unwrap());
        let [device, denied] = [(); 2].map(|()| Bearer::new());
        let (typed, typed_too) = (UserCode::new(), UserCode::new());
        change(store, async |tx| {
            tx.add_device(&new_device(device.digest(), typed.digest())).await?;
            tx.add_device(&new_device(denied.digest(), typed_too.digest())).await
        })
        .await
        .unwrap();
        let poll = async |store: &Store, seconds| store.poll_device(device.digest(), later(seconds)).await.unwrap();
        assert_eq!((poll(store, 5).await, poll(&other, 10).await), (Poll::Pending, Poll::Pending));
        assert_eq!(poll(store, 14).await, Poll::SlowDown(Duration::from_secs(10)));
        assert_eq!((poll(store, 23).await, poll(store, 38).await), (Poll::SlowDown(Duration::from_secs(15)), Poll::Pending));
        let shown = asking(&mut store.read().await.unwrap(), typed.digest(), now()).await.unwrap().unwrap();
        assert_eq!((shown.client_name.as_str(), shown.source_ip.as_deref()), ("build box", Some("198.51.100.7")));
        assert_eq!(asking(&mut store.read().await.unwrap(), device.digest(), now()).await.unwrap(), None);
        let yes = Decision::Approve { user: &acme.bob, authn_context: None, authn_at: Some(later(30)) };
        let decide = async |code: &UserCode, what| change(store, async |tx| tx.decide_device(code.digest(), what).await).await;
        decide(&typed, yes).await.unwrap();
        for again in [yes, Decision::Deny] {
            assert!(matches!(decide(&typed, again).await, Err(StoreError::NotFound(_))), "decided once");
        }
        assert_eq!(asking(&mut store.read().await.unwrap(), typed.digest(), now()).await.unwrap(), None);
        let approved = Approved {
            user: acme.bob.clone(),
            challenge: "challenge".to_owned(),
            client_name: "build box".to_owned(),
            authn_context: None,
            authn_at: Some(later(30)),
        };
        assert_eq!(poll(store, 50).await, Poll::Approved(approved));
        let take =
            async |store: &Store| crate::races::insist(store, async |tx| tx.take_device(device.digest()).await).await.unwrap();
        let (one, two) = tokio::join!(take(store), take(&other));
        assert!(one != two, "two at once");
        assert_eq!(poll(store, 60).await, Poll::Expired);
        decide(&typed_too, Decision::Deny).await.unwrap();
        assert_eq!(store.poll_device(denied.digest(), later(5)).await.unwrap(), Poll::Denied);
        assert_eq!(store.poll_device(denied.digest(), later(300)).await.unwrap(), Poll::Expired);
        assert_eq!(store.poll_device(Bearer::new().digest(), now()).await.unwrap(), Poll::Expired);
    });
}

#[test]
fn what_lets_somebody_in_is_not_in_the_database() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let [cookie, csrf, access, code, device] = [(); 5].map(|()| Bearer::new());
        let typed = UserCode::new();
        change(&acme.store, async |tx| {
            tx.add_session(&session(cookie.digest(), &acme.bob, csrf.digest())).await?;
            tx.add_token(&token(access.digest(), &acme.bob, Some(code.digest()))).await?;
            tx.add_code(&new_code(code.digest(), &acme.bob)).await?;
            tx.add_device(&new_device(device.digest(), typed.digest())).await
        })
        .await
        .unwrap();
        let mut conn = raw(ground).await;
        let mut seen = String::new();
        for (table, columns) in [
            ("session", "id_hash || csrf_hash || user_id"),
            ("api_token", "token_hash || COALESCE(origin_hash, '')"),
            ("cli_code", "code_hash || challenge"),
            ("device_login", "device_hash || code_hash"),
        ] {
            let sql = sqlx::AssertSqlSafe(format!("SELECT {columns} AS all_of_it FROM {table}"));
            for row in sqlx::query(sql).fetch_all(&mut conn).await.unwrap() {
                seen += &row.get::<String, _>("all_of_it");
            }
        }
        for bearer in [&cookie, &csrf, &access, &code, &device] {
            assert!(seen.contains(bearer.digest().as_str()) && !seen.contains(bearer.secret().expose().as_str()));
        }
        assert!(seen.contains(typed.digest().as_str()) && !seen.contains(&typed.shown().expose().replace('-', "")));
    });
}

#[test]
fn the_person_of_a_session_is_who_they_are_now() {
    on_both(async |ground| {
        let acme = Acme::new(ground).await;
        let (cookie, csrf) = (Bearer::new(), Bearer::new());
        change(&acme.store, async |tx| {
            tx.add_session(&session(cookie.digest(), &acme.bob, csrf.digest())).await?;
            let bob = users::by_id(tx, &acme.bob).await?;
            tx.update_user(&saml2cloud::tvm::model::User {
                alias: saml2cloud::tvm::model::Alias::parse("Robert").unwrap(),
                ..bob
            })
            .await
        })
        .await
        .unwrap();
        let mut conn = acme.store.read().await.unwrap();
        let (_, bob) = sessions::by_digest(&mut conn, cookie.digest(), IDLE, now()).await.unwrap().unwrap();
        assert_eq!(bob.alias.as_str(), "Robert");
    });
}
