//! Where secrets rest that live longer than a session's keys: passwords, sessions at identity providers, remembered devices.
//!
//! A vault is a courtesy: one that fails, is locked or absent never stops a login. Which one it is says [`Choice`];
//! [`open`] makes it without touching anything, so that a run which needs no secret never wakes a keychain.

mod choice;
mod file;
#[cfg(feature = "keyring")]
mod keychain;
#[cfg_attr(
    not(all(feature = "keyring", target_os = "linux")),
    allow(dead_code, reason = "where the old tools kept things depends on the system")
)]
mod names;
mod none;

pub use choice::{Choice, ChoiceError, open};
pub use file::{Ask, File, Holder, Keys, Wanted};
#[cfg(feature = "keyring")]
pub use keychain::Keychain;
pub use none::Nothing;

use crate::types::{CloudId, Secret};

/// What kind of secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The password at the identity provider.
    Password,
    /// What lets the next sign-in at the identity provider skip steps.
    IdpSession,
    /// What makes this machine known to the identity provider.
    Device,
    /// The SAML response of a sign-in, which buys keys for some minutes.
    Assertion,
    /// The access token of a cloud's sign-in portal, with what renews it.
    Portal,
}

impl Kind {
    /// The word for it in a vault's names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::IdpSession => "session",
            Self::Device => "device",
            Self::Assertion => "assertion",
            Self::Portal => "portal",
        }
    }
}

/// Which secret: whose, where, what kind. Two accounts at the same address for the same person share it, as in the old tools.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The identity provider's address as configured. The old tools name their items by it.
    pub url: String,
    /// The user name at the identity provider.
    pub username: String,
    /// Which old tool's items count as well.
    pub cloud: CloudId,
    /// What kind of secret.
    pub kind: Kind,
}

/// Why a vault did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// There is no such vault on this machine, or not in this session.
    #[error("there is no {0} here")]
    Absent(&'static str),
    /// It is locked and cannot be opened without a person.
    #[error("the {0} is locked")]
    Locked(&'static str),
    /// It failed.
    #[error("the {vault} failed: {why}")]
    Failed {
        /// Which vault.
        vault: &'static str,
        /// In its words.
        why: String,
    },
}

/// Keeps secrets. The same contract suite runs against every one (`tests/vaults`).
pub trait Vault: Send + Sync {
    /// Its name for people.
    fn name(&self) -> &'static str;

    /// The secret, if it is there.
    ///
    /// # Errors
    /// [`VaultError`].
    fn get(&self, key: &Key) -> Result<Option<Secret<String>>, VaultError>;

    /// Keeps a secret in place of what was there.
    ///
    /// # Errors
    /// [`VaultError`].
    fn set(&self, key: &Key, value: &Secret<String>) -> Result<(), VaultError>;

    /// Takes a secret away; one that is not there is no error.
    ///
    /// # Errors
    /// [`VaultError`].
    fn delete(&self, key: &Key) -> Result<(), VaultError>;
}
