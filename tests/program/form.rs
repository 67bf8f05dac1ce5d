//! A sign-in made of HTML forms, page after page as the box's strict provider wants them, and the traps that a page can be. Only
//! here does the reading of pages meet a server that compares what comes back with what a browser would send.

use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room};

const HOST: &str = "login.acme.example";

/// A room with an account at a sign-in page of that style.
fn room(cloud: Cloud, user: &str, path: &str) -> Room {
    let room = Room::new();
    let role = format!("role_arn = \"{}\"", cloud.role);
    room.account_at(cloud, "acme", user, "Form", &format!("https://{HOST}/sso/{path}"), &role);
    room
}

fn style(cloud: Cloud, user: &str, style: &str) -> Room {
    room(cloud, user, &format!("acme-{}?style={style}", cloud.word))
}

/// No request went to anybody but the provider.
fn stayed(room: &Room) {
    assert!(room.sandbox.requests().iter().all(|seen| seen.host == HOST), "{:?}", room.requests());
}

#[test]
fn every_style_that_needs_a_password_alone() {
    for cloud in CLOUDS {
        for name in ["one", "unnamed", "two", "refresh"] {
            let room = style(cloud, "bob", name);
            let done = room.call("login -a acme").by("bob").run().exits(0);
            done.says(&[&format!("Using IDP Account acme to access Form https://{HOST}/sso/acme-{}\n", cloud.word)]);
            assert_eq!(room.asked(cloud.sts), 1, "{name}");
            assert!(!room.key_id(cloud, "acme").is_empty());
        }
    }
}

#[test]
fn consent_is_given_and_announced_wherever_its_button_stands() {
    for cloud in CLOUDS {
        for name in ["consent", "consent-reversed"] {
            let room = style(cloud, "bob", name);
            let done = room.call("login -a acme").by("bob").run().exits(0);
            done.says(&[&format!("Agreeing to what {HOST} asks: \"Sign in\"")]);
        }
    }
}

#[test]
fn codes_and_choices() {
    for cloud in CLOUDS {
        let room = style(cloud, "alice", "totp");
        room.call("login -a acme").with_code("alice").run().exits(0);
        for name in ["choice", "all"] {
            let room = style(cloud, "alice", name);
            room.call("login -a acme --mfa totp").with_code("alice").run().exits(0);
            let first = room.key_id(cloud, "acme");
            room.call("login -a acme --mfa push --force").by("alice").run().exits(0);
            assert_ne!(room.key_id(cloud, "acme"), first);
        }
    }
}

#[test]
fn nobody_to_choose_is_told_the_choice() {
    let room = style(AWS, "alice", "choice");
    let done = room.call("login -a acme").with_code("alice").run().exits(4);
    done.says(&["Authenticator app (totp)", "Push to your phone (push)", "--mfa NAME"]);
    stayed(&room);
}

#[test]
fn a_refusal_is_the_pages_and_changes_nothing() {
    for cloud in CLOUDS {
        for name in ["one", "two"] {
            let room = style(cloud, "bob", name);
            let before = room.tree();
            let done = room.call("login -a acme").var("SAML2CLOUD_PASSWORD", "not-his-password").run().exits(3);
            done.says(&[&format!("{HOST} refused the sign-in: \"Incorrect user name or password.\"")]);
            assert_eq!(room.tree(), before);
            stayed(&room);
        }
        let room = style(cloud, "alice", "totp");
        let before = room.tree();
        let done = room.call("login -a acme --mfa-token 000000").by("alice").run().exits(3);
        done.says(&[&format!("{HOST} refused the one-time code: \"That code is not right.\"")]);
        assert_eq!(room.tree(), before);
        // The page, the password, the code: a given code is tried once.
        assert_eq!(room.requests().len(), 3);
        let done = style(cloud, "alice", "totp").call("login -a acme").by("alice").run().exits(4);
        done.says(&["--mfa-token CODE", "SAML2CLOUD_MFA_TOKEN"]);
    }
}

#[test]
fn a_push_that_is_denied_is_the_pages_refusal() {
    let room = style(AWS, "erin", "choice");
    room.call("login -a acme --mfa push").by("erin").run().exits(3).says(&["The request was denied on your phone."]);
    stayed(&room);
}

#[test]
fn a_password_does_not_leave_in_the_clear() {
    for cloud in CLOUDS {
        let room = room(cloud, "bob", "offsite");
        let proxy = room.sandbox.proxy_url();
        // With this the box would see the plain request, and call it a breach.
        let call = room.call("login -a acme").by("bob").var("http_proxy", &proxy).var("HTTP_PROXY", &proxy);
        call.run().exits(1).says(&["leads to an address that is not used", "http://evil.example"]);
        assert_eq!(room.requests(), [format!("GET {HOST}/sso/offsite")]);
    }
}

#[test]
fn a_response_goes_to_the_cloud_or_nowhere() {
    let room = room(AWS, "bob", "stolen");
    let before = room.tree();
    let done = room.call("login -a acme").by("bob").run().exits(3);
    done.says(&["sends its SAML response to https://evil.example/saml", "urn:amazon:webservices"]);
    stayed(&room);
    assert_eq!(room.tree(), before);
}

/// The page's response is for one cloud, the account for the other: as at JumpCloud, that is where it ends.
#[test]
fn a_response_for_the_other_cloud_is_not_handed_to_it() {
    for (cloud, other) in [(AWS, ALIBABA), (ALIBABA, AWS)] {
        let room = room(cloud, "alice", &format!("acme-{}", other.word));
        let done = room.call("login -a acme").by("alice").run().exits(3);
        done.says(&["hint: "]);
        stayed(&room);
    }
}

#[test]
fn a_stolen_response_is_not_sent_on_by_an_account_of_the_other_cloud() {
    let room = room(ALIBABA, "bob", "stolen");
    room.call("login -a acme").by("bob").run().exits(3).says(&["https://evil.example/saml"]);
    stayed(&room);
}

#[test]
fn what_is_no_response_is_called_that() {
    let room = room(AWS, "bob", "notsaml");
    let before = room.tree();
    room.call("login -a acme").by("bob").run().exits(1).says(&["cannot read the SAML response of the identity provider"]);
    stayed(&room);
    assert_eq!(room.tree(), before);
}

#[test]
fn circles_end() {
    for cloud in CLOUDS {
        for trap in ["loop", "bounce"] {
            let room = room(cloud, "bob", trap);
            room.call("login -a acme").by("bob").run().exits(1).says(&[&format!("{HOST} redirects in circles")]);
            assert!(room.requests().len() <= 30, "{trap}: {}", room.requests().len());
        }
    }
}

#[test]
fn a_page_without_end_is_left() {
    let room = room(AWS, "bob", "huge");
    room.call("login -a acme").by("bob").run().exits(1).says(&[HOST, "sent an answer longer than 8 MiB"]);
}

#[test]
fn a_page_that_needs_a_script_is_called_that() {
    for cloud in CLOUDS {
        let room = room(cloud, "bob", "script");
        let done = room.call("login -a acme").by("bob").run().exits(1);
        done.says(&["did not understand the page after the start", "/sso/script", "without a form", "script cannot be read"]);
    }
}

#[test]
fn a_rude_page_is_quoted_and_not_obeyed() {
    let room = room(AWS, "bob", "rude");
    let done = room.call("login -a acme").var("SAML2CLOUD_PASSWORD", "not-his-password").run().exits(3);
    // That nothing raw is printed is checked for every call; the words are there all the same.
    done.says(&["Incorrect user name or password.\\u{1b}[31m\\u{1b}]0;owned\\u{7}\\u{9b}2J"]);
}
