//! What a provider wants to be told, as data: from it come the flag, the variable, the key, the prompt and the manual's line.

use std::collections::BTreeMap;

use crate::types::{WebUrl, switch};

/// A setting of one provider.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its key in the accounts file.
    pub key: &'static str,
    /// The variable that sets it, without what stands before it (`SAML2CLOUD_`, and the old tools' words).
    pub variable: &'static str,
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
    /// The same to the letter as it was written, for what other tools name by it.
    pub url_as_written: String,
    /// Whether the account names it. Only providers that need none are opened without; then it is the cloud's.
    pub has_url: bool,
    /// The word of the key `mfa`.
    pub mfa: String,
    /// Whether any certificate of the identity provider will do.
    pub skip_verify: bool,
    /// The provider's own settings, as typed, by the keys of its [`Field`]s.
    own: BTreeMap<&'static str, String>,
}

impl Settings {
    /// The settings that every account has.
    pub fn new(url: WebUrl, mfa: impl Into<String>) -> Self {
        Self {
            url_as_written: url.expose().to_string(),
            url,
            has_url: true,
            mfa: mfa.into(),
            skip_verify: false,
            own: BTreeMap::new(),
        }
    }

    /// With the address to the letter as it was written.
    #[must_use]
    pub fn with_url_as_written(mut self, text: &str) -> Self {
        text.clone_into(&mut self.url_as_written);
        self
    }

    /// With those of the provider's own settings that `lookup` knows by their keys.
    #[must_use]
    pub fn with_own(mut self, fields: &[Field], lookup: impl Fn(&str) -> Option<String>) -> Self {
        self.own = fields.iter().filter_map(|field| Some((field.key, lookup(field.key)?))).collect();
        self
    }

    /// The same, if nothing is missing that the provider needs.
    ///
    /// # Errors
    /// [`SettingsError`] names the first that is.
    pub fn complete(self, provider: &'static str, fields: &[Field]) -> Result<Self, SettingsError> {
        match fields.iter().find(|field| field.needed && self.own(field.key).is_none()) {
            None => Ok(self),
            Some(Field { key, help, .. }) => Err(SettingsError { key, provider, why: format!("it is missing ({help})") }),
        }
    }

    /// One of the provider's own settings; an empty one counts as none.
    pub fn own(&self, key: &str) -> Option<&str> {
        self.own.get(key).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// One of the provider's own settings that is on or off; off if it is not set.
    ///
    /// # Errors
    /// [`SettingsError`] for another word.
    pub fn switch(&self, provider: &'static str, key: &'static str) -> Result<bool, SettingsError> {
        let Some(word) = self.own(key) else { return Ok(false) };
        switch(word).map_err(|why| SettingsError { key, provider, why: why.to_string() })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        Field { key: "quiet", variable: "QUIET", help: "", needed: false },
        Field { key: "name", variable: "NAME", help: "what it is called", needed: true },
    ];

    #[test]
    fn own_settings_are_those_of_the_fields() {
        let url = WebUrl::parse("https://idp.example/").unwrap();
        let with = |quiet: &str| {
            let quiet = quiet.to_owned();
            Settings::new(url.clone(), "Auto").with_own(FIELDS, move |key| (key != "name").then(|| quiet.clone()))
        };
        assert_eq!((with("x").own("quiet"), with("x").own("name"), with(" ").own("quiet")), (Some("x"), None, None));
        assert_eq!(with("Yes").switch("P", "quiet"), Ok(true));
        assert_eq!((with("0").switch("P", "quiet"), with("").switch("P", "quiet")), (Ok(false), Ok(false)));
        let all = Settings::new(url.clone(), "Auto").with_own(FIELDS, |_| Some("x".to_owned()));
        assert!(all.complete("P", FIELDS).is_ok());
        let error = with("x").complete("P", FIELDS).unwrap_err();
        assert_eq!(error.to_string(), "`name` will not do for P: it is missing (what it is called)");
        let error = with("perhaps").switch("P", "quiet").unwrap_err();
        assert_eq!(error.to_string(), "`quiet` will not do for P: `perhaps` is neither true nor false");
    }
}
