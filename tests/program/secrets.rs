//! Every secret as a canary: whatever a run says with `--verbose`, in success and in failure, holds none of the passwords, codes,
//! cookies, anti-forgery tokens, SAML responses and keys that went over the wire; and keys lie in three files alone. (Every call of
//! every test is checked the same way; here each flow is run at its most talkative.)

use std::panic::AssertUnwindSafe;
use std::path::Path;

use sandbox::Fault;

use crate::call::check_secrets;
use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room, mode};

/// A call at its most talkative, which shows that it talks of requests at all.
#[track_caller]
fn talkative(room: &Room, line: &str, by: &str, code: i32) {
    let call = room.call(&format!("--verbose {line}")).with_code(by).var("RUST_LOG", "trace").var("SAML2CLOUD_LOG", "trace");
    let done = call.run().exits(code);
    assert!(done.stderr.contains("request method="), "nothing of requests in:\n{}", done.stderr);
    kept(room);
}

/// Keys are in the files that are for them, those are for their owner alone, and passwords and codes are nowhere.
#[track_caller]
fn kept(room: &Room) {
    let home = room.home();
    let secrets: Vec<String> = room.sandbox.secrets().into_iter().filter(|secret| secret.len() >= 6).collect();
    let typed: Vec<String> = room.sandbox.directory().people().iter().map(|person| person.password.clone()).collect();
    for (path, (mode_of_file, text)) in room.tree() {
        assert!(!typed.iter().any(|password| text.contains(password.as_str())), "a password in {}", path.display());
        if !secrets.iter().any(|secret| text.contains(secret.as_str())) {
            continue;
        }
        let name = path.strip_prefix(&home).unwrap();
        let is_for_keys = name == Path::new(AWS.profiles)
            || name == Path::new(ALIBABA.profiles)
            || name.starts_with(".cache/saml2cloud/credentials");
        assert!(is_for_keys, "a secret in {}", path.display());
        assert_eq!((mode_of_file, mode(path.parent().unwrap())), (0o600, 0o700), "{}", path.display());
    }
}

fn form(cloud: Cloud, user: &str, path: &str) -> Room {
    let room = Room::new();
    let url = format!("https://login.acme.example/sso/{path}");
    room.account_at(cloud, "acme", user, "Form", &url, &format!("role_arn = \"{}\"", cloud.role));
    room
}

#[test]
fn of_logins_at_jumpcloud() {
    for cloud in CLOUDS {
        for (user, code) in [
            ("alice", 0),
            ("bob", 0),
            ("carol", 0),
            ("erin", 3),
            ("eve", 3),
            ("frank", 3),
            ("heidi", 3),
            ("ivan", 3),
            ("mallory", 3),
            ("trudy", 3),
        ] {
            let room = Room::new();
            room.production(cloud, user);
            talkative(&room, "login -a production", user, code);
        }
        let room = Room::new();
        room.production(cloud, "alice");
        talkative(&room, "list-roles -a production", "alice", 0);
        talkative(&room, "exec -a production --force true", "alice", 0);
    }
}

/// The address that opens a console is on stdout for whoever asked for it, and on stderr in no part.
#[test]
fn of_consoles() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        let echo = "You sent: <b>keys</b>";
        for (fault, code) in [(None, 0), (Some(Fault::Status(400, echo.into(), "text/html".into())), 3)] {
            let host = if cloud.word == "aws" { "signin.aws.amazon.com" } else { "signin.aliyun.com" };
            if let Some(fault) = fault {
                room.sandbox.fault(host, fault);
            }
            let done = room.call("console -a production --link --verbose").by("bob").shows_keys().run().exits(code);
            let done = done.says(&["request method=POST", "/federation"]);
            check_secrets(&room.sandbox, &done.stderr);
            kept(&room);
        }
    }
}

#[test]
fn of_logins_at_okta() {
    for cloud in CLOUDS {
        for (user, code) in [("bob", 0), ("alice", 0), ("carol", 0), ("erin", 3)] {
            let room = Room::new();
            let url = format!("https://acme.okta.com/home/acme_{}/0oa1/272", cloud.word);
            room.account_at(cloud, "acme", user, "Okta", &url, &format!("role_arn = \"{}\"", cloud.role));
            talkative(&room, "login -a acme", user, code);
        }
    }
}

#[test]
fn of_wrong_passwords_and_codes() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "alice");
        for (variable, code) in [("SAML2CLOUD_PASSWORD", 3), ("SAML2CLOUD_MFA_TOKEN", 3)] {
            // The later of two values counts.
            let call = room.call("login -a production --verbose").with_code("alice").var(variable, "9876543210-typed");
            call.run().exits(code).says(&["request method="]);
            kept(&room);
        }
        assert!(room.sandbox.secrets().contains(&"9876543210-typed".to_owned()), "it was sent, so it would be found");
    }
}

#[test]
fn of_form_sign_ins() {
    for cloud in CLOUDS {
        for style in ["one", "two", "totp", "refresh"] {
            talkative(&form(cloud, "alice", &format!("acme-{}?style={style}", cloud.word)), "login -a acme", "alice", 0);
        }
    }
    for (trap, code) in [("offsite", 1), ("stolen", 3), ("notsaml", 1), ("loop", 1), ("bounce", 1), ("script", 1)] {
        talkative(&form(AWS, "bob", trap), "login -a acme", "bob", code);
    }
}

#[test]
fn of_faults() {
    let echo = "<html><body>You sent: a form. <b>Go away</b></body></html>";
    for cloud in CLOUDS {
        for (host, fault, code) in [
            (cloud.sts, Fault::Status(500, echo.into(), "text/html".into()), 1),
            (cloud.sts, Fault::WrongName, 5),
            (cloud.sts, Fault::Huge(16 * 1024 * 1024), 1),
            ("console.jumpcloud.com", Fault::Status(500, echo.into(), "text/html".into()), 1),
            ("sso.jumpcloud.com", Fault::Status(200, echo.into(), "text/html".into()), 1),
            ("sso.jumpcloud.com", Fault::Redirect("https://login.acme.example/sso/bounce?SAMLResponse=abc".into()), 1),
        ] {
            let room = Room::new();
            room.production(cloud, "bob");
            room.sandbox.fault(host, fault);
            let done = room.call("login -a production --verbose").by("bob").run().exits(code);
            assert!(!done.stderr.contains("SAMLResponse=abc"), "{}", done.stderr);
            room.sandbox.clear_violations();
            kept(&room);
        }
    }
}

#[test]
fn the_canaries_are_alive() {
    let room = Room::new();
    room.production(AWS, "alice");
    room.call("login -a production").with_code("alice").run().exits(0);
    let secrets = room.sandbox.secrets();
    let profile = room.aws_profile("production");
    for secret in [&room.password("alice"), &profile["aws_secret_access_key"], &profile["aws_session_token"]] {
        assert!(secrets.contains(secret));
    }
    // What `exec -- env` shows would be found.
    let shown = room.call("exec -a production env").shows_keys().run().exits(0).stdout;
    assert!(std::panic::catch_unwind(AssertUnwindSafe(|| check_secrets(&room.sandbox, &shown))).is_err());
}
