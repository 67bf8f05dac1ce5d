//! The keychains of the systems: one that lives in memory, the kernel's, and a real Secret Service where one can be started.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyring_core::api::CredentialStoreApi;
use keyring_core::{CredentialStore, Entry, Error, mock};
use saml2cloud::vault::{Choice, Keychain};
use saml2cloud::world::{Env, Paths};
use tempfile::TempDir;

use super::*;

pub(super) fn absent() -> Keychain {
    Keychain::over("memory", || Err(Error::PlatformFailure("no bus".into())))
}

fn memory(store: &Arc<mock::Store>) -> Keychain {
    let store: Arc<CredentialStore> = store.clone();
    Keychain::over("memory", move || Ok(store))
}

/// A file whose key is in the memory.
fn held(folder: &TempDir, store: &Arc<mock::Store>) -> File {
    let keys = Keys { holder: Some(Box::new(memory(store))), ..Keys::default() };
    File::new(folder.path().join("vault"), keys)
}

#[test]
fn memory_keeps_to_the_contract() {
    let store = mock::Store::new().unwrap();
    let open = Box::new(|| Box::new(memory(&store)) as Box<dyn Vault>);
    contract(&Place { what: "memory", open, remembers: true, empty: true, longest: 100_000 });
}

#[test]
fn a_file_keeps_to_the_contract() {
    let (folder, store) = (tempfile::tempdir().unwrap(), mock::Store::new().unwrap());
    let open = Box::new(|| Box::new(held(&folder, &store)) as Box<dyn Vault>);
    contract(&Place { what: "file", open, remembers: true, empty: true, longest: 100_000 });
}

#[test]
fn several_runs_make_one_file() {
    let (folder, store) = (tempfile::tempdir().unwrap(), mock::Store::new().unwrap());
    let key = |number: usize| key(&format!("run{number}"), Kind::Password);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let vault = held(&folder, &store);
            scope.spawn(move || vault.set(&key(number), &secret("1")).unwrap());
        }
    });
    for number in 0..8 {
        assert_eq!(held(&folder, &store).get(&key(number)), Ok(Some(secret("1"))), "{number}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_keeps_to_the_contract() {
    let probe = key("probe", Kind::Device);
    match Keychain::keyutils().set(&probe, &secret("")) {
        Ok(()) => {
            Keychain::keyutils().delete(&probe).unwrap();
            let open = Box::new(|| Box::new(Keychain::keyutils()) as Box<dyn Vault>);
            contract(&Place { what: "keyutils", open, remembers: true, empty: false, longest: 30_000 });
            let error = Keychain::keyutils().set(&probe, &secret(&"x".repeat(50_000))).unwrap_err();
            assert!(matches!(error, VaultError::Failed { .. }), "{error}");
        }
        Err(error) => {
            say(&format!("SKIPPED the kernel's keyring: {error}"));
            assert_eq!(error, VaultError::Absent("kernel keyring"));
            assert_eq!(Keychain::keyutils().get(&probe).unwrap_or(None), None);
        }
    }
}

#[test]
fn a_damaged_file_is_reported_and_left_alone() {
    let (folder, store) = (tempfile::tempdir().unwrap(), mock::Store::new().unwrap());
    let path = folder.path().join("vault");
    let alice = key("alice@example.com", Kind::Password);
    held(&folder, &store).set(&alice, &secret("1")).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let edit = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is not in {good}");
        good.replacen(from, to, 1).into_bytes()
    };
    let flip = |field: &str| {
        let mut bytes = good.clone().into_bytes();
        let place = good.find(&format!("\"{field}\":\"")).unwrap() + field.len() + 8;
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        bytes
    };
    let argon = |memory: u64, passes: u64, salt: &str| {
        edit(
            "\"keychain\"",
            &format!(r#"{{"argon2id":{{"cost":{{"memory_kib":{memory},"passes":{passes},"lanes":1}},"salt":"{salt}"}}}}"#),
        )
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("changed", flip("sealed"), "was changed"),
        ("another nonce", flip("nonce"), "was changed"),
        ("cut off", good.as_bytes()[..good.len() / 2].to_vec(), "is cut off"),
        ("cut off at the end", good.as_bytes()[..good.len() - 3].to_vec(), "is cut off"),
        ("empty", Vec::new(), "is cut off"),
        ("future", edit("\"version\":1", "\"version\":2"), "is of version 2"),
        ("other cipher", edit("aes-256-gcm", "aes-256-xyz"), "is not a vault"),
        ("more fields", edit("{\"version\"", "{\"more\":1,\"version\""), "is not a vault"),
        ("other program's", b"{\"a\":1}\n".to_vec(), "is not a vault"),
        ("text", b"hello\n".to_vec(), "is not a vault"),
        ("not text", vec![0xff, 0xfe, 0], "cannot read"),
        ("no base64", edit("\"sealed\":\"", "\"sealed\":\"!"), "is not a vault"),
        ("huge", vec![b' '; 5 * 1024 * 1024], "is too large"),
        ("larger than any", vec![b' '; 17 * 1024 * 1024], "larger than 16 MiB"),
        ("dear memory", argon(4_000_000_000, 3, "AAAAAAAAAAAAAAAAAAAAAA=="), "asks for more"),
        ("dear time", argon(65536, 4_000_000_000, "AAAAAAAAAAAAAAAAAAAAAA=="), "asks for more"),
        ("no memory at all", argon(1, 1, "AAAAAAAAAAAAAAAAAAAAAA=="), "is not a vault"),
        ("short salt", argon(8, 1, "AAAA"), "is not a vault"),
        ("another key, small", argon(8, 1, "AAAAAAAAAAAAAAAAAAAAAA=="), "was changed"),
    ];
    for (what, bytes, told) in cases {
        fs::write(&path, &bytes).unwrap();
        let keys = Keys { holder: Some(Box::new(memory(&store))), ask: Some(asks(Some("horse"))), passphrase: None };
        let vault = File::new(path.clone(), keys);
        for result in [vault.get(&alice).map(|_| ()), vault.set(&alice, &secret("2")), vault.delete(&alice)] {
            let error = result.unwrap_err();
            assert!(matches!(error, VaultError::Failed { .. }) && error.to_string().contains(told), "{what}: {error}");
            assert!(!format!("{error:?} {error}").contains(CANARY), "{what}");
            assert!(error.to_string().len() < 400, "{what}: {error}");
        }
        assert!(fs::read(&path).unwrap() == bytes, "{what}: untouched");
    }
    fs::write(&path, &good).unwrap();
    assert_eq!(held(&folder, &store).get(&alice), Ok(Some(secret("1"))));
    held(&folder, &store).set(&alice, &secret("1")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), good, "the same secret again writes nothing");
    held(&folder, &store).set(&alice, &secret("3")).unwrap();
    let nonce = |text: &str| text.split("\"nonce\":\"").nth(1).unwrap()[..16].to_owned();
    assert_ne!(nonce(&good), nonce(&fs::read_to_string(&path).unwrap()), "a nonce is used once");

    // Too much for the file.
    let before = fs::read_to_string(&path).unwrap();
    let error = held(&folder, &store).set(&alice, &secret(&"x".repeat(5_000_000))).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);

    // The keychain lost the key, or has another one.
    let error = held(&folder, &mock::Store::new().unwrap()).get(&alice).unwrap_err();
    assert!(error.to_string().contains("not in the keychain any more"), "{error}");
    let other = mock::Store::new().unwrap();
    held(&tempfile::tempdir().unwrap(), &other).set(&alice, &secret("1")).unwrap();
    let error = held(&folder, &other).set(&alice, &secret("1")).unwrap_err();
    assert!(error.to_string().contains("key in the keychain is another one"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn a_file_without_its_keychain() {
    let (folder, store) = (tempfile::tempdir().unwrap(), mock::Store::new().unwrap());
    let alice = key("alice@example.com", Kind::Password);
    held(&folder, &store).set(&alice, &secret("1")).unwrap();
    let path = || folder.path().join("vault");
    let keys = Keys { holder: Some(Box::new(absent())), ..Keys::default() };
    closed("the keychain is absent", &File::new(path(), keys), &VaultError::Absent("memory"));
    closed("nobody holds it", &File::new(path(), Keys::default()), &VaultError::Locked("encrypted file"));
    // A new file, and nobody to ask: the keychain's trouble is told.
    let new = folder.path().join("new");
    let keys = Keys { holder: Some(Box::new(absent())), ..Keys::default() };
    assert_eq!(File::new(new.clone(), keys).set(&alice, &secret("1")), Err(VaultError::Absent("memory")));
    assert!(!new.exists());
}

/// A store that does what a locked desktop does.
struct Shut;

impl CredentialStoreApi for Shut {
    fn vendor(&self) -> String {
        String::new()
    }
    fn id(&self) -> String {
        String::new()
    }
    fn build(&self, _: &str, _: &str, _: Option<&std::collections::HashMap<&str, &str>>) -> keyring_core::Result<Entry> {
        KNOCKS.fetch_add(1, Ordering::Relaxed);
        Err(Error::NoStorageAccess("shut".into()))
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// How often it was knocked at.
static KNOCKS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn absent_locked_hanging_and_broken() {
    closed("absent", &absent(), &VaultError::Absent("memory"));
    let shut = Keychain::over("memory", || Ok(Arc::new(Shut)));
    closed("locked", &shut, &VaultError::Locked("memory"));
    assert_eq!(shut.delete(&key("a", Kind::Device)), Err(VaultError::Locked("memory")));
    assert_eq!(KNOCKS.load(Ordering::Relaxed), 1, "a person sees one window");

    // One that hangs is waited for once.
    let (never, comes) = std::sync::mpsc::channel::<()>();
    let hangs = move || {
        let _ = comes.recv();
        Err(Error::NoDefaultStore)
    };
    let hanging = Keychain::over("memory", hangs).patient_for(Duration::from_millis(20));
    closed("hanging", &hanging, &VaultError::Locked("memory"));
    drop(never);
    closed("still", &hanging, &VaultError::Locked("memory"));

    let broken = Keychain::over("memory", || panic!("a store broke (this is part of a test)"));
    let why = VaultError::Failed { vault: "memory", why: "its thread ended".to_owned() };
    closed("broken", &broken, &why);
    assert_eq!(format!("{broken:?}"), "Keychain { name: \"memory\", .. }");
}

#[test]
fn what_is_no_text_is_not_shown() {
    let store = mock::Store::new().unwrap();
    let vault = memory(&store);
    let alice = key("alice@example.com", Kind::Password);
    vault.set(&alice, &secret("1")).unwrap();
    // The item that was just made, made unreadable.
    let item = store.inner.lock().unwrap().borrow()[0].clone();
    let bytes = [CANARY.as_bytes(), &[0xff]].concat();
    keyring_core::api::CredentialApi::set_secret(item.as_ref(), &bytes).unwrap();
    let error = vault.get(&alice).unwrap_err();
    assert_eq!(error.to_string(), "the memory failed: the item is not text");
    assert!(!format!("{error:?}").contains("99"), "no bytes either: {error:?}");
    // And a store's own words are printed safely.
    item.set_error(Error::PlatformFailure("evil\u{1b}[2J\nwords".into()));
    let error = vault.get(&alice).unwrap_err().to_string();
    assert!(!error.contains(['\u{1b}', '\n']), "{error:?}");
}

/// Tells the test below, inside of the lab, what it finds there.
const INSIDE: &str = "SAML2CLOUD_TEST_SECRET_SERVICE";

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Runs `inside_a_secret_service` beside a real one.
fn lab(home: &Path, flags: &[&str], password: &str, inside: &str) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lab/secret-service/run");
    let output = Command::new(script)
        .args(flags)
        .arg("--home")
        .arg(home)
        .arg("--")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "keychains::inside_a_secret_service", "--ignored", "--nocapture"])
        .env(INSIDE, inside)
        .env("LAB_KEYRING_PASSWORD", password)
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{inside}: {text}");
    assert!(!text.contains(CANARY), "{inside}: {text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_real_secret_service() {
    if let Some(missing) =
        ["dbus-run-session", "dbus-send", "gnome-keyring-daemon", "secret-tool"].iter().find(|p| !is_installed(p))
    {
        say(&format!("SKIPPED the real Secret Service: `{missing}` is not installed (tests/lab/secret-service/run installs it)"));
        return;
    }
    let home = tempfile::tempdir().unwrap();
    lab(home.path(), &[], "lab", "unlocked");
    lab(home.path(), &["--locked"], "lab", "locked");
    lab(home.path(), &[], "not the password", "locked");
    lab(home.path(), &["--no-service"], "lab", "no service");
    lab(home.path(), &["--no-bus"], "lab", "no bus");
    lab(home.path(), &[], "lab", "unlocked again");
    // A home without any keyring, and nobody to ask for one's password.
    lab(tempfile::tempdir().unwrap().path(), &["--locked"], "lab", "none made");
}

/// An item as the old tools write it, by a client that is not ours.
fn old_item(address: &str, username: &str, password: &str) {
    use base64::Engine as _;
    let data = format!(r#"{{"ServerURL":"{address}","Username":"{username}","Secret":"{password}"}}"#);
    let data = base64::engine::general_purpose::STANDARD.encode(data);
    let item = format!(
        r#"{{"Key":"{address}","Data":"{data}","Label":"saml2aws Credentials","Description":"","KeychainNotTrustApplication":false,"KeychainNotSynchronizable":false}}"#
    );
    let mut tool = Command::new("secret-tool")
        .args(["store", "--collection=login", "--label", address, "profile", address])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(item.as_bytes()).unwrap();
    assert!(tool.wait().unwrap().success());
}

fn lookup(attributes: &[&str]) -> String {
    let output = Command::new("secret-tool").arg("lookup").args(attributes).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by a_real_secret_service, in the lab"]
fn inside_a_secret_service() {
    let Ok(inside) = std::env::var(INSIDE) else {
        say("SKIPPED: this one is run by a_real_secret_service");
        return;
    };
    // As the program does: the bus and the keyring must put up with it.
    saml2cloud::world::harden();
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let (paths, nothing_set) = (Paths::below(&home), Env::default());
    let open = |choice| saml2cloud::vault::open(choice, &paths, &nothing_set, None);
    let horse = Env::of([("SAML2CLOUD_VAULT_PASSPHRASE", "horse")]);
    let kept = key("kept@example.com", Kind::Password);
    match inside.as_str() {
        "unlocked" => {
            for (what, choice) in [("auto", Choice::Auto), ("secret-service", Choice::SecretService), ("file", Choice::File)] {
                let open =
                    Box::new(move || saml2cloud::vault::open(choice, &Paths::below(&home_of_test()), &Env::default(), None));
                contract(&Place { what, open, remembers: true, empty: true, longest: 100_000 });
            }
            assert!(fs::read_to_string(paths.vault()).unwrap().contains("\"keychain\""), "the file's key is in the keyring");

            // The old tools' items count until there are ours, and are never touched.
            let old = key("old@example.com", Kind::Password);
            let okta =
                saml2cloud::vault::Key { url: "https://acme.okta.com".to_owned(), ..key("old@example.com", Kind::IdpSession) };
            old_item(URL, "old@example.com", &format!("{CANARY}-old"));
            old_item("https://acme.okta.com/sessionCookie", "old@example.com", &format!("{CANARY}-sid"));
            for choice in [Choice::Auto, Choice::SecretService, Choice::File] {
                let vault = open(choice);
                assert_eq!(vault.get(&old), Ok(Some(secret("-old"))), "{choice:?}");
                assert_eq!(vault.get(&okta), Ok(Some(secret("-sid"))), "{choice:?}");
                assert_eq!(vault.get(&key("eve@example.com", Kind::Password)), Ok(None), "{choice:?}: another person");
                assert_eq!(vault.get(&key("old@example.com", Kind::Device)), Ok(None), "{choice:?}: another kind");
                vault.delete(&old).unwrap();
                assert_eq!(vault.get(&old), Ok(None), "{choice:?}: not offered twice in a run");
                vault.set(&old, &secret("-ours")).unwrap();
                assert_eq!(open(choice).get(&old), Ok(Some(secret("-ours"))), "{choice:?}: ours first");
                open(choice).delete(&old).unwrap();
                assert_eq!(open(choice).get(&old), Ok(Some(secret("-old"))), "{choice:?}: theirs is as it was");
            }
            assert!(lookup(&["profile", URL]).contains("\"Key\""));

            // Another client finds ours.
            open(Choice::Auto).set(&kept, &secret("-kept")).unwrap();
            let name = format!("[\"password\",\"{URL}\",\"kept@example.com\"]");
            assert_eq!(lookup(&["service", "saml2cloud", "username", &name]), format!("{CANARY}-kept"));
            open(Choice::File).set(&kept, &secret("-kept")).unwrap();
        }
        "unlocked again" => {
            for choice in [Choice::Auto, Choice::SecretService, Choice::File] {
                assert_eq!(open(choice).get(&kept), Ok(Some(secret("-kept"))), "{choice:?}");
            }
        }
        "locked" => {
            let locked = VaultError::Locked("Secret Service");
            for choice in [Choice::Auto, Choice::SecretService, Choice::File] {
                assert_eq!(open(choice).get(&kept), Err(locked.clone()), "{choice:?}");
                assert_eq!(open(choice).set(&kept, &secret("-new")), Err(locked.clone()), "{choice:?}");
                assert_eq!(
                    open(choice).get(&key("nobody", Kind::Device)).err(),
                    (choice == Choice::File).then(|| locked.clone())
                );
            }
            let vault = saml2cloud::vault::open(Choice::Auto, &paths, &horse, None);
            assert_eq!(vault.get(&kept), Err(locked), "locked is not absent: no other vault steps in");
        }
        "none made" => {
            let locked = VaultError::Locked("Secret Service");
            assert_eq!(open(Choice::Auto).get(&kept), Ok(None));
            assert_eq!(open(Choice::Auto).set(&kept, &secret("-new")), Err(locked.clone()));
            assert_eq!(open(Choice::File).set(&kept, &secret("-new")), Err(locked));
            assert!(!paths.vault().exists());
        }
        "no service" | "no bus" => {
            let absent = VaultError::Absent("Secret Service");
            closed("chosen by name", open(Choice::SecretService).as_ref(), &absent);
            closed("the file's key is there", open(Choice::File).as_ref(), &absent);
            let before = fs::read(paths.vault()).unwrap();
            let auto = open(Choice::Auto);
            assert_eq!((auto.get(&kept), auto.set(&kept, &secret("")), auto.delete(&kept)), (Ok(None), Ok(()), Ok(())));
            assert_eq!(auto.name(), "none");
            assert_eq!(fs::read(paths.vault()).unwrap(), before, "not written");
            if inside == "no service" {
                return;
            }
            // With a passphrase, the file steps in.
            let elsewhere = Paths::below(&home.join("elsewhere"));
            let auto = saml2cloud::vault::open(Choice::Auto, &elsewhere, &horse, None);
            auto.set(&kept, &secret("-file")).unwrap();
            assert_eq!((auto.get(&kept), auto.name()), (Ok(Some(secret("-file"))), "encrypted file"));
        }
        other => panic!("`{other}` is not a place"),
    }
}

fn home_of_test() -> PathBuf {
    PathBuf::from(std::env::var_os("HOME").unwrap())
}
