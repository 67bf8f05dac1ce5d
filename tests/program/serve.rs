//! `serve` from the shell of the machine that serves: begin, look, verify.

use crate::support::{Room, mode};

fn room(text: &str) -> Room {
    let room = Room::new();
    room.write("serve.toml", text);
    room
}

#[test]
fn a_database_is_begun_once_and_then_all_is_there() {
    let room = room("");
    let call = |line: &str| room.call(&format!("serve {line} --config serve.toml"));
    let before = call("check").run().exits(1).says(&["error: something is missing"]);
    assert!(before.stdout.contains("missing  schema"), "{}", before.stdout);
    assert!(!room.home().join("saml2cloud.db").exists(), "looking makes nothing");

    let begun = call("init --gid e-1001 --alias Alice --email alice@example.com --root Acme --account alibaba:1000000000000001")
        .run()
        .exits(0);
    assert_eq!(begun.stdout, "");
    begun.says(&["e-1001 owns the root node `Acme` and is the first super admin."]);
    assert_eq!(mode(&room.home().join("saml2cloud.db")), 0o600);

    let after = call("check").run().exits(0);
    for line in [
        "root node      `Acme`, alibaba:1000000000000001",
        "super admins   e-1001;",
        "open     sign-in        nobody can",
        "none for sp",
    ] {
        assert!(after.stdout.contains(line), "{}", after.stdout);
    }
    call("init --gid e-1002").run().exits(1).says(&["has its root node already: `Acme`", "hint: nothing was changed"]);
    let walked = call("audit verify").run().exits(0);
    assert_eq!(walked.stdout, "events: 2, chains: 1; every event is as it was written\n");
}

#[test]
fn a_changed_event_is_named() {
    let room = room("[database]\nurl = \"sqlite:data/cam.db\"");
    room.call("serve init --gid e-1001 --config serve.toml").run().exits(0);
    let path = room.home().join("data/cam.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(11).position(|window| window == b"\"gid\":\"e-10").expect("the event's parameters");
    bytes[at + 7] = b'x';
    std::fs::write(&path, bytes).unwrap();
    let found = room.call("serve audit verify --config serve.toml").run().exits(1);
    found.says(&["error: the audit trail is not what was written", ": event 2 was changed", "hint: "]);
}

#[test]
fn configuration_is_wrong_in_a_sentence() {
    let room = room("[database]\nurl = \"postgres://cam@127.0.0.1:1/cam\"\ntls = \"off\"");
    room.call("serve check").run().exits(2).says(&["no configuration was named", "SAML2CLOUD_SERVE_CONFIG"]);
    room.call("serve check --config absent.toml").run().exits(2).says(&["there is no configuration `absent.toml`"]);
    room.call("serve check --config serve.toml")
        .run()
        .exits(5)
        .says(&["cannot reach the database `postgres://cam@127.0.0.1:1/cam`"]);
    let url = "SAML2CLOUD_SERVE_DATABASE_URL";
    let wrong =
        room.call("serve check --config serve.toml").var(url, "postgres://cam:hunter22@db.example.com/cam").run().exits(2);
    wrong.says(&["`database.url` (SAML2CLOUD_SERVE_DATABASE_URL) has a password in it"]).does_not_say("hunter22");
    room.write("serve.toml", "[database]\nrul = 1");
    room.call("serve check --config serve.toml")
        .run()
        .exits(2)
        .says(&["`database.rul`, which is no key", "hint: docs/serve/configuration.md lists all keys"]);
    room.write("serve.toml", "");
    let init = |more: &str| room.call(&format!("serve init --config serve.toml {more}")).run().exits(2);
    init("--gid a/b").says(&["a GID has only the letters"]);
    init("--gid a --account aws:1").says(&["an account number has 12 digits on AWS"]);
    init("--gid a --account gcp:1").says(&["PARTITION is alibaba, alibaba-intl, aws, aws-cn, aws-us-gov"]);
    assert!(!room.home().join("saml2cloud.db").exists(), "what cannot be begun leaves nothing");
    // A service may have no home.
    room.call("serve init --gid a").var("SAML2CLOUD_SERVE_CONFIG", "serve.toml").var("HOME", "").run().exits(0);
}
