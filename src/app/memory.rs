//! The vault, narrowed to one person at one provider. What goes wrong there is told once and stops nothing.

use std::sync::Mutex;

use super::{Event, Witness};
use crate::idp::Memory;
use crate::types::Secret;
use crate::vault::{Key, Kind, Vault, VaultError};
use crate::world::was_interrupted;

/// What is remembered of one person at one provider.
pub(super) struct Remembered<'v> {
    vault: &'v dyn Vault,
    witness: &'v dyn Witness,
    /// The key but for its kind.
    whose: Key,
    /// Whether trouble was told already.
    told: Mutex<bool>,
}

impl<'v> Remembered<'v> {
    pub(super) fn new(vault: &'v dyn Vault, witness: &'v dyn Witness, whose: Key) -> Self {
        Self { vault, witness, whose, told: Mutex::new(false) }
    }

    fn key(&self, kind: Kind) -> Key {
        Key { kind, ..self.whose.clone() }
    }

    fn tell(&self, error: &VaultError) {
        // The person gave up, not the vault.
        if was_interrupted() {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !std::mem::replace(&mut *told, true) {
            self.witness.tell(&Event::NotRemembered { why: error.to_string() });
        }
    }
}

impl Memory for Remembered<'_> {
    fn recall(&self, kind: Kind) -> Option<Secret<String>> {
        self.vault.get(&self.key(kind)).unwrap_or_else(|error| {
            self.tell(&error);
            None
        })
    }

    fn keep(&self, kind: Kind, value: &Secret<String>) {
        if let Err(error) = self.vault.set(&self.key(kind), value) {
            self.tell(&error);
        }
    }

    fn forget(&self, kind: Kind) {
        if let Err(error) = self.vault.delete(&self.key(kind)) {
            self.tell(&error);
        }
    }
}
