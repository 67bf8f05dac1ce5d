//! One contract for every vault: the same cases run against memory, the encrypted file, nothing, the kernel's keyring and a real
//! Secret Service. What differs is given as data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the tests look at real files and start real programs")]

#[cfg(feature = "keyring")]
mod keychains;

use std::fs;
#[cfg(feature = "keyring")]
use std::io::Write as _;
use std::path::Path;

use saml2cloud::types::{CloudId, Secret};
use saml2cloud::vault::{Ask, File, Keys, Kind, Nothing, Vault, VaultError};

/// Part of every secret that is stored here; seen anywhere else, it is a leak.
const CANARY: &str = "canary-7f3a";
const URL: &str = "https://sso.example.com/saml2/aws";

/// A vault that can be opened again, and how it differs from the others.
struct Place<'p> {
    what: &'static str,
    open: Box<dyn Fn() -> Box<dyn Vault> + 'p>,
    /// Whether anything is kept.
    remembers: bool,
    /// Whether it takes an empty secret.
    empty: bool,
    /// The longest secret, in bytes, that is tried.
    longest: usize,
}

fn key(username: &str, kind: Kind) -> saml2cloud::vault::Key {
    saml2cloud::vault::Key { url: URL.to_owned(), username: username.to_owned(), cloud: CloudId::Aws, kind }
}

fn secret(tail: &str) -> Secret<String> {
    format!("{CANARY}{tail}").as_str().into()
}

/// A line that is seen although the test harness swallows what tests print.
#[cfg(feature = "keyring")]
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "vaults: {line}");
}

/// What every vault keeps to.
fn contract(place: &Place<'_>) {
    let what = place.what;
    let (alice, bob) = (key("alice@example.com", Kind::Password), key("bob@example.com", Kind::Password));
    let vault = (place.open)();
    let kept = |value: &Secret<String>| place.remembers.then(|| value.clone());
    assert!(!vault.name().is_empty(), "{what}");
    assert_eq!(vault.get(&alice), Ok(None), "{what}: nothing yet");
    assert_eq!(vault.delete(&alice), Ok(()), "{what}: nothing to delete is no error");

    // Each key has its own secret: person, kind and address count, the cloud does not.
    vault.set(&alice, &secret("1")).unwrap();
    vault.set(&bob, &secret("2")).unwrap();
    let session = key("alice@example.com", Kind::IdpSession);
    vault.set(&session, &secret("3")).unwrap();
    let elsewhere = saml2cloud::vault::Key { url: format!("{URL}2"), ..alice.clone() };
    assert_eq!(vault.get(&elsewhere), Ok(None), "{what}");
    let other_cloud = saml2cloud::vault::Key { cloud: CloudId::Alibaba, ..alice.clone() };
    for (key, tail) in [(&alice, "1"), (&bob, "2"), (&session, "3"), (&other_cloud, "1")] {
        assert_eq!(vault.get(key), Ok(kept(&secret(tail))), "{what}: {key:?}");
    }

    // Another run sees it, and both may write.
    let second = (place.open)();
    assert_eq!(second.get(&alice), Ok(kept(&secret("1"))), "{what}: opened again");
    second.set(&alice, &secret("new")).unwrap();
    vault.set(&key("carol", Kind::Device), &secret("4")).unwrap();
    assert_eq!(vault.get(&alice), Ok(kept(&secret("new"))), "{what}: written by another run");
    assert_eq!(second.get(&key("carol", Kind::Device)), Ok(kept(&secret("4"))), "{what}");

    // Any text is a secret.
    for text in ["\u{0}\n\t\"'\\", "пароль 密码 🔑", " blanks ", "{\"json\":[1]}", &"x".repeat(place.longest - CANARY.len())]
    {
        vault.set(&alice, &secret(text)).unwrap();
        assert_eq!(vault.get(&alice), Ok(kept(&secret(text))), "{what}");
    }
    let empty = Secret::from("");
    match vault.set(&alice, &empty) {
        Ok(()) => assert_eq!(vault.get(&alice), Ok(kept(&empty)), "{what}"),
        Err(_) => assert!(!place.empty, "{what} takes an empty secret"),
    }

    // Odd names are names.
    for name in ["", "a@b c\"d", "\\", "люда", &"long".repeat(200)] {
        vault.set(&key(name, Kind::Password), &secret(name)).unwrap();
        assert_eq!(vault.get(&key(name, Kind::Password)), Ok(kept(&secret(name))), "{what}: {name}");
        vault.delete(&key(name, Kind::Password)).unwrap();
    }

    // From several threads, and from under an async runtime.
    std::thread::scope(|scope| {
        for number in 0..4 {
            let vault = &vault;
            scope.spawn(move || vault.set(&key(&format!("thread{number}"), Kind::Password), &secret("5")).unwrap());
        }
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let third = (place.open)();
        for number in 0..4 {
            let key = key(&format!("thread{number}"), Kind::Password);
            assert_eq!(third.get(&key), Ok(kept(&secret("5"))), "{what}: {key:?}");
            third.delete(&key).unwrap();
        }
    });

    for key in [&alice, &bob, &session, &key("carol", Kind::Device)] {
        vault.delete(key).unwrap();
        assert_eq!(vault.get(key), Ok(None), "{what}: deleted");
        assert_eq!((place.open)().get(key), Ok(None), "{what}: deleted for others");
        vault.delete(key).unwrap();
    }
}

/// What a vault keeps to that cannot be opened.
fn closed(what: &str, vault: &dyn Vault, why: &VaultError) {
    let alice = key("alice@example.com", Kind::Password);
    assert_eq!(vault.get(&alice).as_ref(), Err(why), "{what}");
    let refused = vault.set(&alice, &secret("1"));
    assert_eq!(refused.as_ref(), Err(why), "{what}");
    assert!(!format!("{refused:?} {why}").contains(CANARY), "{what}");
}

fn asks(passphrase: Option<&'static str>) -> Ask {
    Box::new(move |_| passphrase.map(Secret::from))
}

fn with_passphrase(folder: &Path, passphrase: &str) -> File {
    File::new(folder.join("vault"), Keys { passphrase: Some(passphrase.into()), ..Keys::default() })
}

#[test]
fn nothing_keeps_to_the_contract() {
    let open: Box<dyn Fn() -> Box<dyn Vault>> = Box::new(|| Box::new(Nothing));
    contract(&Place { what: "nothing", open, remembers: false, empty: true, longest: 100_000 });
}

#[test]
fn a_file_with_a_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    let alice = key("alice@example.com", Kind::Password);
    let path = folder.path().join("deep/er/vault");
    let mut asked = Vec::new();
    let (tell, told) = std::sync::mpsc::channel();
    let tell_again = tell.clone();
    let ask: Ask = Box::new(move |wanted| {
        tell.send(wanted).unwrap();
        Some("horse battery".into())
    });
    // Without a keychain, a person is asked.
    #[cfg(feature = "keyring")]
    let holder = Some(Box::new(keychains::absent()) as Box<dyn saml2cloud::vault::Holder>);
    #[cfg(not(feature = "keyring"))]
    let holder = None;
    let vault = File::new(path.clone(), Keys { ask: Some(ask), holder, passphrase: None });
    assert_eq!((vault.get(&alice), vault.delete(&alice)), (Ok(None), Ok(())), "no file, no question");
    assert!(!path.parent().unwrap().exists(), "looking makes no folder");
    vault.set(&alice, &secret("1")).unwrap();
    vault.set(&key("bob", Kind::Device), &secret("2")).unwrap();
    asked.extend(told.try_iter());
    assert_eq!(asked, [saml2cloud::vault::Wanted::New], "once");

    let text = fs::read_to_string(&path).unwrap();
    for hidden in [CANARY, "alice", "sso.example.com", "horse"] {
        assert!(!text.contains(hidden), "{text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    let ask: Ask = Box::new(move |wanted| {
        tell_again.send(wanted).unwrap();
        Some("horse battery".into())
    });
    let again = File::new(path.clone(), Keys { ask: Some(ask), ..Keys::default() });
    assert_eq!(again.get(&alice), Ok(Some(secret("1"))));
    assert_eq!(told.try_recv(), Ok(saml2cloud::vault::Wanted::Known));

    let keys = Keys { passphrase: Some("horse battery".into()), ..Keys::default() };
    assert!(!format!("{keys:?} {vault:?} {again:?}").contains("horse"));

    // The wrong one, none, and nobody who would say.
    let wrong = with_passphrase(path.parent().unwrap(), "horse cabbage");
    let error = wrong.get(&alice).unwrap_err();
    assert!(error.to_string().contains("the passphrase is wrong"), "{error}");
    assert_eq!(wrong.set(&alice, &secret("9")), Err(error.clone()));
    assert_eq!(wrong.delete(&alice), Err(error.clone()));
    assert!(!format!("{error:?} {error}").contains("cabbage"));
    let locked = VaultError::Locked("encrypted file");
    for keys in [
        Keys::default(),
        Keys { ask: Some(asks(None)), ..Keys::default() },
        Keys { ask: Some(asks(Some(""))), ..Keys::default() },
    ] {
        closed("no passphrase", &File::new(path.clone(), keys), &locked);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "untouched");
    assert_eq!(File::new(folder.path().join("new"), Keys::default()).set(&alice, &secret("1")), Err(locked));
    assert!(!folder.path().join("new").exists());
}
