//! The vault that remembers nothing.

use super::{Key, Vault, VaultError};
use crate::types::Secret;

/// Remembers nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Nothing;

impl Vault for Nothing {
    fn name(&self) -> &'static str {
        "none"
    }

    fn get(&self, _: &Key) -> Result<Option<Secret<String>>, VaultError> {
        Ok(None)
    }

    fn set(&self, _: &Key, _: &Secret<String>) -> Result<(), VaultError> {
        Ok(())
    }

    fn delete(&self, _: &Key) -> Result<(), VaultError> {
        Ok(())
    }
}
