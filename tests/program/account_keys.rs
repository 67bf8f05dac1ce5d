//! `serve secret` from the shell: the key of a user of an account, sealed, listed and forgotten.

use std::io::Write as _;
use std::process::Stdio;

use saml2cloud::tvm::audit::{AuthKind, Event};
use saml2cloud::tvm::keys::Seal;
use saml2cloud::tvm::model::{CloudAccount, Description, Gid, Label, NewNode, Node};
use saml2cloud::tvm::store::{Open, Place, Store, nodes, secrets, users};
use saml2cloud::types::Timestamp;

use crate::support::Room;

const PASSPHRASE: &str = "correct horse battery staple";
const SECRET: &str = "canary-of-an-account";

fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000).unwrap()
}

fn on_store<T>(room: &Room, work: impl AsyncFnOnce(&Store) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let open = Open { place: Place::Sqlite(room.home().join("cam.db")), connections: 2 };
        let store = open.open(now()).await.unwrap();
        let done = work(&store).await;
        store.close().await;
        done
    })
}

/// A database with one account.
fn room() -> (Room, Node) {
    let room = Room::new();
    room.write("passphrase", &format!("{PASSPHRASE}\n"));
    room.write("serve.toml", "[database]\nurl = \"sqlite:cam.db\"\n[keys]\npassphrase_file = \"passphrase\"\n");
    room.call("serve init --gid e-1001 --config serve.toml").run().exits(0);
    let node = on_store(&room, async |store| {
        let mut tx = store.begin(now()).await.unwrap();
        let root = nodes::root(&mut tx).await.unwrap().unwrap();
        let admin = users::by_gid(&mut tx, &Gid::parse("e-1001").unwrap()).await.unwrap().unwrap().id;
        let account = Some(CloudAccount::parse("alibaba:1000000000000001").unwrap());
        let new = NewNode { name: Label::parse("labs").unwrap(), description: Description::default(), account };
        let node = tx.add_node(&root.id, &new, std::slice::from_ref(&admin), Some(&admin)).await.unwrap();
        tx.commit(&Event::by(AuthKind::System, "test.change", serde_json::json!({}))).await.unwrap();
        node
    });
    (room, node)
}

/// Calls it with something on standard input; its status, stdout and stderr.
fn given(room: &Room, line: &str, input: &str) -> (Option<i32>, String, String) {
    let mut command = room.call(&format!("serve secret {line} --config serve.toml")).command();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn the_key_of_an_account_is_sealed_listed_and_forgotten() {
    let (room, node) = room();
    let set = "set --account alibaba:1000000000000001 --access-key-id LTAI1";
    let (status, out, told) = given(&room, set, &format!("{SECRET}\nand more"));
    assert_eq!((status, out.as_str(), told.as_str()), (Some(0), "", "The key LTAI1 of labs is sealed.\n"));
    let (status, out, _) = given(&room, "list", "");
    assert!(
        status == Some(0) && out.starts_with("labs  alibaba:1000000000000001  LTAI1  20") && out.lines().count() == 1,
        "{out}"
    );
    // It is nowhere but sealed, for this account.
    for file in std::fs::read_dir(room.home()).unwrap().filter_map(Result::ok).filter(|file| file.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(!bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "{:?}", file.path());
    }
    let kept =
        on_store(&room, async |store| secrets::by_node(&mut store.read().await.unwrap(), &node.id).await.unwrap().unwrap());
    let opened = Seal::new(PASSPHRASE.into()).unwrap().open(&kept.sealed, secrets::TABLE, node.id.as_str()).unwrap();
    assert_eq!((kept.access_key_id.as_str(), opened.as_slice()), ("LTAI1", SECRET.as_bytes()));
    let export = room.call("serve audit verify --config serve.toml").run().exits(0);
    assert!(export.stdout.contains("every event is as it was written"));
    let (status, _, told) = given(&room, "drop --account alibaba:1000000000000001", "");
    assert!(status == Some(0) && told.contains("The key of labs is forgotten here"), "{told}");
    assert_eq!(given(&room, "list", ""), (Some(0), String::new(), String::new()));
    // An account that is destroyed takes its key along.
    assert_eq!(given(&room, set, SECRET).0, Some(0));
    on_store(&room, async |store| {
        let mut tx = store.begin(now()).await.unwrap();
        tx.destroy_node(&node.id, node.version).await.unwrap();
        tx.commit(&Event::by(AuthKind::System, "test.change", serde_json::json!({}))).await.unwrap();
    });
    assert_eq!(given(&room, "list", ""), (Some(0), String::new(), String::new()));
    let (status, _, told) = given(&room, "drop --account alibaba:1000000000000001", "");
    assert!(status == Some(1) && told.contains("there is no such account in the tree"), "{told}");
}

#[test]
fn what_is_no_key_or_no_account_is_refused() {
    let (room, _) = room();
    let set = "set --account alibaba:1000000000000001 --access-key-id";
    for (line, input, code, why) in [
        (format!("{set} LTAI1"), "", 1, "the secret is the first line of standard input, and there was none"),
        (format!("{set} LTAI1"), "two words\n", 1, "an access key is one word, and so is its secret"),
        ("set --account aws:111111111111 --access-key-id AKIA1".to_owned(), SECRET, 1, "there is no such account in the tree"),
        ("set --account nowhere --access-key-id AKIA1".to_owned(), SECRET, 2, "account"),
    ] {
        let (status, out, told) = given(&room, &line, input);
        assert!(status == Some(code) && out.is_empty() && told.contains(why) && !told.contains(SECRET), "{status:?} {told}");
    }
    room.write("serve.toml", "[database]\nurl = \"sqlite:cam.db\"\n");
    let (status, _, told) = given(&room, &format!("{set} LTAI1"), SECRET);
    assert!(status == Some(1) && told.contains("sealed with a passphrase, and none was given"), "{told}");
}
