//! Which vault, by a word.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::file::{Ask, File, Holder, Keys};
#[cfg(feature = "keyring")]
use super::keychain::Keychain;
use super::{Key, Nothing, Vault, VaultError};
use crate::types::Secret;
use crate::world::{Env, Paths};

/// Our variable.
const OURS: &str = "SAML2CLOUD_KEYCHAIN";
/// The old tool's, with its own words.
const OLD: &str = "SAML2AWS_KEYRING_BACKEND";
/// The passphrase of the encrypted file.
const PASSPHRASE: &str = "SAML2CLOUD_VAULT_PASSPHRASE";

/// Where long-lived secrets rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The system's keychain; where there is none, the encrypted file if [`SAML2CLOUD_VAULT_PASSPHRASE`](open) is set; else nowhere.
    #[default]
    Auto,
    /// Linux: the Secret Service of the desktop.
    SecretService,
    /// Linux: the kernel's keys, until the machine restarts.
    Keyutils,
    /// macOS: the login keychain.
    Macos,
    /// Windows: a file whose key is in the Credential Manager.
    Windows,
    /// The encrypted file.
    File,
    /// Nowhere.
    None,
}

/// A word that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{variable}` is `{given}`; it can be {}", Choice::words())]
pub struct ChoiceError {
    /// The variable that said it.
    pub variable: &'static str,
    /// What it said.
    pub given: String,
}

impl Choice {
    /// Every choice.
    pub const ALL: [Self; 7] =
        [Self::Auto, Self::SecretService, Self::Keyutils, Self::Macos, Self::Windows, Self::File, Self::None];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::SecretService => "secret-service",
            Self::Keyutils => "keyutils",
            Self::Macos => "macos",
            Self::Windows => "windows",
            Self::File => "file",
            Self::None => "none",
        }
    }

    /// Every word, for people.
    fn words() -> String {
        let words: Vec<String> = Self::ALL.iter().map(|choice| format!("`{}`", choice.word())).collect();
        words.join(", ")
    }

    /// Reads a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.word().eq_ignore_ascii_case(word.trim()))
    }

    /// What `SAML2CLOUD_KEYCHAIN` says, else `SAML2AWS_KEYRING_BACKEND` in the old tool's words, else [`Choice::Auto`].
    ///
    /// # Errors
    /// The word is none that is known.
    pub fn from_env(env: &Env) -> Result<Self, ChoiceError> {
        let Some((variable, given)) = env.first(&[OURS, OLD]) else { return Ok(Self::Auto) };
        let old = match given.trim().to_ascii_lowercase().as_str() {
            // KDE's wallet answers for the Secret Service too.
            "kwallet" => Some(Self::SecretService),
            "keychain" => Some(Self::Macos),
            "wincred" => Some(Self::Windows),
            "keyctl" => Some(Self::Keyutils),
            // There is no such store here. Whoever uses it rarely has another, and must not be asked for one.
            "pass" => Some(Self::Auto),
            _ => None,
        };
        Self::from_word(given)
            .or(old.filter(|_| variable == OLD))
            .ok_or_else(|| ChoiceError { variable, given: given.to_owned() })
    }
}

/// Makes the chosen vault. Nothing is opened, read or asked before the vault's first question: not the keychain, not the file.
///
/// The file's passphrase is `SAML2CLOUD_VAULT_PASSPHRASE`; without it the key rests in the system's keychain if that answers, and else
/// `ask` is asked, which only [`Choice::File`] does.
pub fn open(choice: Choice, paths: &Paths, env: &Env, ask: Option<Ask>) -> Box<dyn Vault> {
    let passphrase = env.get(PASSPHRASE).map(Secret::from);
    let file = |keys| Box::new(File::new(paths.vault(), keys));
    match choice {
        Choice::None => Box::new(Nothing),
        Choice::File => file(Keys { passphrase, holder: holder(), ask }),
        Choice::Auto => {
            let fallback = passphrase.map(|passphrase| {
                let keys = Keys { passphrase: Some(passphrase), ..Keys::default() };
                file(keys) as Box<dyn Vault>
            });
            let first = if cfg!(target_os = "macos") {
                named(Choice::Macos, paths)
            } else if cfg!(windows) {
                named(Choice::Windows, paths)
            } else {
                named(Choice::SecretService, paths)
            };
            Box::new(FirstPresent { vaults: std::iter::once(first).chain(fallback).collect(), absent: AtomicUsize::new(0) })
        }
        choice => named(choice, paths),
    }
}

/// The keychain of that name, or one that says that it is not here.
fn named(choice: Choice, paths: &Paths) -> Box<dyn Vault> {
    let _ = paths;
    #[cfg(all(feature = "keyring", target_os = "linux"))]
    match choice {
        Choice::SecretService => return Box::new(Keychain::secret_service()),
        Choice::Keyutils => return Box::new(Keychain::keyutils()),
        _ => {}
    }
    #[cfg(all(feature = "keyring", target_os = "macos"))]
    if choice == Choice::Macos {
        return Box::new(Keychain::macos());
    }
    // It takes too little for a session; the file takes the rest.
    #[cfg(all(feature = "keyring", windows))]
    if choice == Choice::Windows {
        return Box::new(File::new(paths.vault(), Keys { holder: holder(), ..Keys::default() }));
    }
    Box::new(Missing(match choice {
        Choice::SecretService => "Secret Service",
        Choice::Keyutils => "kernel keyring",
        Choice::Macos => "macOS keychain",
        _ => "Credential Manager",
    }))
}

/// The system's own keychain, to hold the file's key.
fn holder() -> Option<Box<dyn Holder>> {
    #[cfg(all(feature = "keyring", target_os = "linux"))]
    return Some(Box::new(Keychain::secret_service()));
    #[cfg(all(feature = "keyring", target_os = "macos"))]
    return Some(Box::new(Keychain::macos()));
    #[cfg(all(feature = "keyring", windows))]
    return Some(Box::new(Keychain::windows()));
    #[cfg(not(all(feature = "keyring", any(target_os = "linux", target_os = "macos", windows))))]
    None
}

/// A vault of another system, or of a build without keychains.
#[derive(Debug)]
struct Missing(&'static str);

impl Vault for Missing {
    fn name(&self) -> &'static str {
        self.0
    }

    fn get(&self, _: &Key) -> Result<Option<Secret<String>>, VaultError> {
        Err(VaultError::Absent(self.0))
    }

    fn set(&self, _: &Key, _: &Secret<String>) -> Result<(), VaultError> {
        Err(VaultError::Absent(self.0))
    }

    fn delete(&self, _: &Key) -> Result<(), VaultError> {
        Err(VaultError::Absent(self.0))
    }
}

/// The first of several that is there. If none is, nothing is remembered, and that is no error: nobody asked for any of them.
struct FirstPresent {
    vaults: Vec<Box<dyn Vault>>,
    /// How many from the front are known to be absent.
    absent: AtomicUsize,
}

impl FirstPresent {
    fn ask<T: Default>(&self, question: impl Fn(&dyn Vault) -> Result<T, VaultError>) -> Result<T, VaultError> {
        for (place, vault) in self.vaults.iter().enumerate().skip(self.absent.load(Ordering::Relaxed)) {
            match question(vault.as_ref()) {
                Err(VaultError::Absent(_)) => self.absent.store(place + 1, Ordering::Relaxed),
                answer => return answer,
            }
        }
        Ok(T::default())
    }
}

impl Vault for FirstPresent {
    fn name(&self) -> &'static str {
        self.vaults.get(self.absent.load(Ordering::Relaxed)).map_or("none", |vault| vault.name())
    }

    fn get(&self, key: &Key) -> Result<Option<Secret<String>>, VaultError> {
        self.ask(|vault| vault.get(key))
    }

    fn set(&self, key: &Key, value: &Secret<String>) -> Result<(), VaultError> {
        self.ask(|vault| vault.set(key, value))
    }

    fn delete(&self, key: &Key) -> Result<(), VaultError> {
        self.ask(|vault| vault.delete(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::CloudId;
    use crate::vault::Kind;

    #[test]
    fn words() {
        let read = |variables: &[(&str, &str)]| Choice::from_env(&Env::of(variables.iter().copied()));
        assert_eq!(read(&[]), Ok(Choice::Auto));
        for choice in Choice::ALL {
            assert_eq!(read(&[(OURS, choice.word())]), Ok(choice));
        }
        assert_eq!(read(&[(OURS, " File ")]), Ok(Choice::File));
        for (word, choice) in [
            ("kwallet", Choice::SecretService),
            ("secret-service", Choice::SecretService),
            ("pass", Choice::Auto),
            ("keychain", Choice::Macos),
            ("wincred", Choice::Windows),
            ("keyctl", Choice::Keyutils),
            ("file", Choice::File),
        ] {
            assert_eq!(read(&[(OLD, word)]), Ok(choice), "{word}");
        }
        assert_eq!(read(&[(OLD, "kwallet"), (OURS, "none")]), Ok(Choice::None), "ours first");
        let error = read(&[(OURS, "kwallet")]).unwrap_err().to_string();
        assert_eq!(
            error,
            "`SAML2CLOUD_KEYCHAIN` is `kwallet`; it can be `auto`, `secret-service`, `keyutils`, `macos`, `windows`, `file`, `none`"
        );
        assert_eq!(read(&[(OLD, "gnome")]).unwrap_err().variable, OLD);
    }

    #[test]
    fn the_first_that_is_there() {
        let key = Key { url: "https://x".to_owned(), username: "alice".to_owned(), cloud: CloudId::Aws, kind: Kind::Password };
        let none = FirstPresent { vaults: vec![Box::new(Missing("a"))], absent: AtomicUsize::new(0) };
        assert_eq!(
            (none.name(), none.get(&key), none.set(&key, &"s".into()), none.delete(&key)),
            ("a", Ok(None), Ok(()), Ok(()))
        );
        assert_eq!(none.name(), "none");

        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::default();
        let vaults: Vec<Box<dyn Vault>> = vec![Box::new(Missing("a")), Box::new(File::new(folder.path().join("vault"), keys))];
        let second = FirstPresent { vaults, absent: AtomicUsize::new(0) };
        assert_eq!(second.set(&key, &"s".into()), Err(VaultError::Locked("encrypted file")), "what is there and locked says so");
        assert_eq!(second.name(), "encrypted file");
    }

    #[test]
    fn opening_touches_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::of([(PASSPHRASE, "horse")]);
        for choice in Choice::ALL {
            let ask: Ask = Box::new(|_| panic!("nobody is to be asked"));
            let vault = open(choice, &Paths::below(folder.path()), &env, Some(ask));
            assert!(!vault.name().is_empty());
        }
        assert!(!Paths::below(folder.path()).vault().exists());
    }
}
