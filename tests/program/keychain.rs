//! Passwords that are kept: in the encrypted file here, for the box has no desktop (`tests/vaults` has the other keychains). A
//! password is kept only when a person typed it, so the terminal is the height.

use crate::call::Call;
use crate::pty::{CTRL_C, ENTER, Pty};
use crate::support::{AWS, CLOUDS, Room};

const PASSWORD: &str = "? Password ";

/// A call that keeps passwords in the encrypted file.
fn keeping<'r>(room: &'r Room, line: &str) -> Call<'r> {
    room.call(line).var("SAML2CLOUD_KEYCHAIN", "file").var("SAML2CLOUD_VAULT_PASSPHRASE", "a passphrase for the box")
}

#[test]
fn a_typed_password_is_asked_for_once() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        let mut pty = Pty::start(&room, &keeping(&room, "login -a production"), false);
        pty.asks(PASSWORD).types(&room.password("bob")).types(ENTER);
        assert_eq!(pty.ends().code, 0);
        let done = keeping(&room, "login -a production --force").run().exits(0);
        done.says(&["Using the saved password; --ask asks for another."]).does_not_say("To use saved password");
        let kept = room.home().join(".local/state/saml2cloud/vault");
        let text = std::fs::read_to_string(&kept).unwrap();
        assert!(!text.contains(&room.password("bob")) && crate::support::mode(&kept) == 0o600);
        // Whoever switches the keychain off, or has another passphrase, is asked as before, and signs in all the same.
        keeping(&room, "login -a production --force --disable-keychain").run().exits(4);
        for old in ["SAML2AWS_DISABLE_KEYCHAIN", "SAML2ALIBABACLOUD_DISABLE_KEYCHAIN"] {
            keeping(&room, "login -a production --force").var(old, "1").run().exits(4);
            keeping(&room, "login -a production --force").var(old, "1").var("SAML2CLOUD_DISABLE_KEYCHAIN", "no").run().exits(0);
            keeping(&room, "login -a production --force --no-disable-keychain").var(old, "1").run().exits(0);
        }
        let other = room
            .call("login -a production --force")
            .var("SAML2CLOUD_KEYCHAIN", "file")
            .var("SAML2CLOUD_VAULT_PASSPHRASE", "wrong");
        other.by("bob").run().exits(0);
    }
}

#[test]
fn enter_takes_the_saved_one_and_another_replaces_it() {
    let room = Room::new();
    room.production(AWS, "bob");
    let login = |typed: &str| {
        let mut pty = Pty::start(&room, &keeping(&room, "login -a production --force --ask"), false);
        pty.asks("To use saved password just hit enter.").asks(PASSWORD).types(typed).types(ENTER);
        pty.ends().code
    };
    assert_eq!(login(&room.password("bob")), 0);
    assert_eq!(login(""), 0);
    assert_eq!(login("wrong"), 3);
    keeping(&room, "login -a production --force").run().exits(0).says(&["Using the saved password"]);
}

#[test]
fn a_saved_password_that_is_refused_is_forgotten_and_asked_for() {
    let room = Room::new();
    room.production(AWS, "bob");
    let mut pty = Pty::start(&room, &keeping(&room, "login -a production"), false);
    pty.asks(PASSWORD).types(&room.password("bob")).types(ENTER);
    assert_eq!(pty.ends().code, 0);
    let mut bob = room.sandbox.directory().person("bob@example.com").unwrap().clone();
    bob.password = "another-password-since".to_owned();
    room.sandbox.put(bob);
    let mut pty = Pty::start(&room, &keeping(&room, "login -a production --force"), false);
    pty.asks("The saved password was refused (").asks(PASSWORD).types("another-password-since").types(ENTER);
    let ended = pty.ends();
    assert_eq!(ended.code, 0, "{}", ended.shown);
    keeping(&room, "login -a production --force").run().exits(0).says(&["Using the saved password"]);
}

#[test]
fn a_word_that_is_no_keychain_is_an_error_before_anything_is_asked() {
    let room = Room::new();
    room.production(AWS, "bob");
    let done = room.call("login -a production").var("SAML2CLOUD_KEYCHAIN", "shoebox").by("bob").run().exits(2);
    done.says(&["`SAML2CLOUD_KEYCHAIN` is `shoebox`", "secret-service"]);
    assert!(room.requests().is_empty());
}

#[test]
fn a_session_that_is_kept_needs_no_password() {
    let room = Room::new();
    let lines = format!("role_arn = \"{}\"\n", AWS.role);
    room.account_at(AWS, "production", "bob", "Okta", "https://acme.okta.com/home/acme_aws/0oa1/272", &lines);
    // The password is given, so it is not kept; the session is.
    keeping(&room, "login -a production").by("bob").run().exits(0);
    room.sandbox.clear_requests();
    let done = keeping(&room, "login -a production --force").run().exits(0);
    done.does_not_say("password").says(&["Authenticating as bob@example.com"]);
    assert_eq!(room.asked("acme.okta.com"), 1, "one page, and the keys of the cloud");
    // When Okta has ended it, the password is asked for, and nobody is there.
    room.sandbox.end_sessions();
    keeping(&room, "login -a production --force").run().exits(4).says(&["the password is not known"]);
    keeping(&room, "login -a production --force").by("bob").run().exits(0);
    // Whoever wants no sessions has none.
    room.sandbox.clear_requests();
    keeping(&room, "login -a production --force --disable-sessions").by("bob").run().exits(0);
    assert!(room.asked("acme.okta.com") > 1);
}

#[test]
fn ctrl_c_while_a_keychain_hangs() {
    let room = Room::new();
    room.production(AWS, "bob");
    // Somebody takes the call, and says nothing.
    let bus = room.outside("bus");
    let hanging = std::os::unix::net::UnixListener::bind(&bus).unwrap();
    let call = room.call("login -a production").var("SAML2CLOUD_KEYCHAIN", "secret-service");
    let before = room.tree();
    let mut pty = Pty::start(&room, &call.var("DBUS_SESSION_BUS_ADDRESS", &format!("unix:path={}", bus.display())), false);
    let _taken = hanging.accept().unwrap();
    pty.types(CTRL_C);
    let ended = pty.ends();
    ended.was_interrupted();
    // Neither what is said when the keychain is given up, nor the question that follows.
    assert!(!ended.shown.contains("note:") && !ended.shown.contains(PASSWORD), "{}", ended.shown);
    assert_eq!((room.tree(), room.requests().len()), (before, 0));
}
