//! What a provider wants to be told, as data: from it come the flag, the variable, the key, the prompt and the manual's line.

use crate::types::WebUrl;

/// A setting of one provider.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its key in the accounts file.
    pub key: &'static str,
    /// What it is, for help and prompts.
    pub help: &'static str,
    /// Whether an account cannot do without it.
    pub needed: bool,
}

/// What an account says, checked as far as it is the same for every provider.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's address for this account.
    pub url: WebUrl,
    /// The word of the key `mfa`.
    pub mfa: String,
}

/// A setting that will not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` will not do for {provider}: {why}")]
pub struct SettingsError {
    /// The key in the accounts file.
    pub key: &'static str,
    /// Whose setting.
    pub provider: &'static str,
    /// What is wrong, and what would be right.
    pub why: String,
}
