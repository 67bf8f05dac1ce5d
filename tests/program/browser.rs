//! An installed browser, as far as no real one is needed: what is said when there is none, or one that is none. With a real one:
//! `tests/real/browser`.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{AWS, CLOUDS, Room};

const HOST: &str = "login.acme.example";

fn room() -> Room {
    let room = Room::new();
    for cloud in CLOUDS {
        let role = format!("role_arn = \"{}\"", cloud.role);
        room.account_at(cloud, cloud.word, "bob", "Browser", &format!("https://{HOST}/sso/acme-{}?style=one", cloud.word), &role);
    }
    room
}

/// A program in place of a browser, named in the account's way.
fn browser(room: &Room, script: &str) -> String {
    let path = room.write("bin/browser", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn without_a_browser_it_says_what_it_looked_for() {
    let room = room();
    for cloud in CLOUDS {
        let before = room.tree();
        let done = room.call("login --browser-executable-path /nowhere/chrome -a").arg(cloud.word).run().exits(2);
        done.says(&["no browser of Chromium's family was found; looked for /nowhere/chrome\n", "--browser-executable-path FILE"]);
        assert_eq!(room.tree(), before);
    }
    let done = room.call("login -a aws --browser-type firefox").run().exits(2);
    done.says(&["`browser_type` will not do for Browser: only browsers of Chromium's family are driven"]);
    let done = room.call("login -a aws").var("SAML2AWS_BROWSER_TYPE", "webkit").run().exits(2);
    done.says(&["`webkit` is not one"]);
    assert!(room.requests().is_empty());
}

#[test]
fn a_program_that_is_no_browser_is_said_to_be_none() {
    let room = room();
    let login = |script: &str| {
        let program = browser(&room, script);
        room.call("login -a aws --browser-executable-path").arg(program).var("DISPLAY", ":0").run()
    };
    let done = login("echo 'Running as root without --no-sandbox is not supported' >&2; exit 1").exits(1);
    done.says(&["browser ended as soon as it was started: \"Running as root", "SAML2CLOUD_BROWSER_ARGS=--no-sandbox"]);
    login("printf 'usage: browser FILE\\0' >&4; cat <&3 >&2").exits(1).says(&["did not understand browser"]);
    login("exit 0").exits(1).says(&["browser ended as soon as it was started", "RemoteDebuggingAllowed"]);
    // It speaks, and is gone: what a person does who closes the window.
    login("printf '{\"id\":1,\"result\":{}}\\0' >&4; head -c 1 <&3 >&2")
        .exits(4)
        .says(&["was closed before the sign-in was done"]);
    assert!(room.requests().is_empty());
}

/// Everybody on a machine can read arguments and an environment that a child gets; the pipe is ours alone.
#[test]
fn what_a_browser_is_started_with_is_no_secret() {
    let room = room();
    let program = browser(&room, "printf '%s\\n' \"$@\" >\"$HOME/arguments\"; exit 1");
    let call = room.call("login -a aws --browser-autofill --browser-executable-path").arg(program).by("bob");
    call.var("SAML2CLOUD_BROWSER_ARGS", "--lang=de").run().exits(1);
    let arguments = room.read("arguments");
    assert!(arguments.contains("--remote-debugging-pipe\n") && arguments.contains("--lang=de\n"), "{arguments}");
    for secret in [room.password("bob").as_str(), "style=one", HOST.to_owned().as_str()] {
        let told = arguments.lines().filter(|line| !line.starts_with("--user-data-dir=")).any(|line| line.contains(secret));
        assert!(!told, "{secret}: {arguments}");
    }
    assert!(!arguments.contains("no-sandbox") && !arguments.contains("remote-debugging-port"), "{arguments}");
    let profile = room.home().join(".local/state/saml2cloud/browser");
    assert_eq!(crate::support::mode(&profile), 0o700);
}

#[test]
fn arguments_that_would_open_the_browser_to_others_are_refused() {
    let room = room();
    for words in ["--remote-debugging-port=9222", "--user-data-dir=/tmp/x", "https://evil.example/"] {
        let done = room.call("login -a aws").var("SAML2CLOUD_BROWSER_ARGS", words).run().exits(2);
        done.says(&["`browser_args` will not do for Browser"]);
    }
    // A key of the account in the old tools' words, and a variable of theirs.
    let role = format!("role_arn = \"{}\"\nbrowser_type = \"opera\"", AWS.role);
    room.account_at(AWS, "old", "bob", "Browser", &format!("https://{HOST}/sso/acme-aws"), &role);
    room.call("login -a old").run().exits(2).says(&["`opera` is not one of chrome, msedge, chromium, brave"]);
}
