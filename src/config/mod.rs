//! What the user configured: accounts in files, overlaid by variables and flags, checked into an [`Account`].
//!
//! AWS accounts live in `~/.saml2aws`, Alibaba Cloud accounts in `~/.saml2alibabacloud`: the old tools' files, in the old
//! tools' words (docs/decisions/two-accounts-files.md).

mod account;
mod alone;
mod aws;
#[cfg(test)]
mod corpus;
mod draft;
mod file;
mod ini;
mod key;
mod settings;
mod toml;

use std::path::PathBuf;

pub use self::aws::{SsoProfile, profile_that_signs_in};
pub use account::{Account, IdpSettings, Limits, Responses};
pub use alone::without_account;
pub(crate) use draft::variable;
pub use draft::{Draft, Origin};
pub use file::{AccountsFile, Dialect};
pub use key::Key;

use crate::idp::SettingsError;
use crate::types::{AccountName, CloudId, ProfileName, RoleArn};
use crate::world::file::FileError;
use crate::world::{Env, Paths};

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file system.
    #[error(transparent)]
    File(#[from] FileError),
    /// An accounts file is neither TOML nor INI.
    #[error("`{path}` is no accounts file: {why}")]
    Broken {
        /// The file.
        path: String,
        /// What is wrong, with the line.
        why: String,
    },
    /// No such account.
    #[error("there is no account `{name}`{}", list_known(.known))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The accounts that there are.
        known: Vec<String>,
    },
    /// The name stands in both files.
    #[error("account `{name}` is in `{aws}` and in `{alibaba}`")]
    Twice {
        /// The name.
        name: String,
        /// The AWS accounts file.
        aws: String,
        /// The Alibaba Cloud accounts file.
        alibaba: String,
    },
    /// Nothing says which cloud it is for.
    #[error("nothing says which cloud account `{0}` is for")]
    NoCloud(String),
    /// It is for the other cloud.
    #[error("account `{name}` in `{path}` is for {}, not for {}", .is.title(), .wished.title())]
    OtherCloud {
        /// The account.
        name: String,
        /// Its file.
        path: String,
        /// The cloud that it is for.
        is: CloudId,
        /// The cloud that was wished for.
        wished: CloudId,
    },
    /// A setting is missing.
    #[error("account `{name}` has no `{key}`")]
    Missing {
        /// The account.
        name: String,
        /// The key in its file.
        key: Key,
        /// The cloud, for the key's name in the file.
        cloud: CloudId,
    },
    /// A setting will not do.
    #[error("{place} will not do: {why}")]
    Bad {
        /// The flag, the variable, or the key in the account.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// A provider that nobody knows.
    #[error("`{given}` is not the name of a provider")]
    UnknownProvider {
        /// What was given.
        given: String,
        /// The name that was perhaps meant.
        meant: Option<&'static str>,
    },
    /// A provider that is not built yet.
    #[error("the provider `{0}` is not built yet")]
    NotBuilt(&'static str),
    /// A profile of `~/.aws/config` whose `sso_…` keys will not do.
    #[error("{why} (`{path}`, line {line})")]
    SsoProfile {
        /// In the words of the `aws` client.
        why: String,
        /// The file.
        path: String,
        /// Where the profile begins.
        line: usize,
    },
    /// The provider's own complaint.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A name that cannot be one.
    #[error(transparent)]
    Name(#[from] crate::types::BadName),
}

fn list_known(names: &[String]) -> String {
    if names.is_empty() { "; none is configured yet".to_owned() } else { format!("; there are: {}", names.join(", ")) }
}

/// The accounts files of this person.
pub struct Accounts {
    files: Vec<AccountsFile>,
}

/// An account that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name.
    pub name: AccountName,
    /// The cloud that it is for.
    pub cloud: CloudId,
    /// What the file says.
    pub draft: Draft,
    /// Its file, by its place in [`Accounts`]; [`Found::NOWHERE`] if it is in none.
    pub file: usize,
    /// Whether it is a profile of the cloud's own configuration, and no account of ours.
    pub is_foreign: bool,
    /// The profile of the cloud's own configuration by which it was found, whose role is assumed on top of its login.
    pub on_top: Option<ProfileName>,
}

impl Found {
    /// The place of an account that stands in no file.
    pub const NOWHERE: usize = usize::MAX;

    /// Whether it is a profile that signs in at the cloud's portal: the cloud's tools get the keys by themselves then.
    pub fn signs_in_at_portal(&self) -> bool {
        self.is_foreign && self.draft.get(Key::Provider) == Some("IdentityCenter")
    }
}

impl Accounts {
    /// Reads the accounts files: the one that is named (by flag or variable) for both clouds, else each cloud's own.
    /// With the name of an old tool, that tool's variable counts and its file comes first.
    ///
    /// # Errors
    /// [`ConfigError`] when one cannot be read.
    pub fn load(paths: &Paths, env: &Env, flag: Option<&str>, called_as: Option<CloudId>) -> Result<Self, ConfigError> {
        let variables: &[&str] = match called_as {
            Some(CloudId::Aws) => &["SAML2CLOUD_CONFIGFILE", "SAML2AWS_CONFIGFILE"],
            Some(CloudId::Alibaba) => &["SAML2CLOUD_CONFIGFILE", "SAML2ALIBABACLOUD_CONFIGFILE"],
            None => &["SAML2CLOUD_CONFIGFILE", "SAML2AWS_CONFIGFILE", "SAML2ALIBABACLOUD_CONFIGFILE"],
        };
        let named = flag.or_else(|| env.first(variables).map(|(_, path)| path));
        if let Some(path) = named {
            return Ok(Self { files: vec![AccountsFile::load(paths.expand(path), None)?] });
        }
        let mut places: Vec<(PathBuf, CloudId)> =
            vec![(paths.aws_accounts(), CloudId::Aws), (paths.alibaba_accounts(), CloudId::Alibaba)];
        if called_as == Some(CloudId::Alibaba) {
            places.reverse();
        }
        let files = places.into_iter().map(|(path, cloud)| AccountsFile::load(path, Some(cloud))).collect::<Result<_, _>>()?;
        Ok(Self { files })
    }

    /// The files.
    pub fn files(&self) -> &[AccountsFile] {
        &self.files
    }

    /// The file at that place, to write to.
    pub fn file_mut(&mut self, index: usize) -> Option<&mut AccountsFile> {
        self.files.get_mut(index)
    }

    /// Every account with its cloud, file by file, in the files' order.
    pub fn all(&self) -> Vec<Found> {
        let each =
            self.files.iter().enumerate().flat_map(|(index, file)| file.names().into_iter().map(move |name| (index, file, name)));
        each.filter_map(|(index, file, name)| {
            let draft = file.draft(&name)?;
            let cloud = cloud_of(&draft, file, None).ok()?;
            Some(Found { name: AccountName::parse(&name).ok()?, cloud, draft, file: index, is_foreign: false, on_top: None })
        })
        .collect()
    }

    /// Looks an account up. `overlay` is what flags and variables say: a role ARN there tells the cloud too. Both accounts of a
    /// name come back when it stands in both files and nothing settles which is meant.
    ///
    /// # Errors
    /// [`ConfigError`] when there is none of that name, or it is for another cloud.
    pub fn find(
        &self,
        name: &AccountName,
        wished: Option<CloudId>,
        called_as: Option<CloudId>,
        overlay: &Draft,
    ) -> Result<Vec<Found>, ConfigError> {
        let wished = wished.or_else(|| overlay.get(Key::Cloud).and_then(CloudId::from_word)).or_else(|| role_cloud(overlay));
        let mut found = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            let Some(draft) = file.draft(name.as_str()) else { continue };
            let cloud = match cloud_of(&draft, file, called_as) {
                Ok(cloud) => cloud,
                // An account that does not say is what the person says.
                Err(error) => wished.or(called_as).ok_or(error.named(name))?,
            };
            found.push(Found { name: name.clone(), cloud, draft, file: index, is_foreign: false, on_top: None });
        }
        if found.is_empty() {
            let known = self.all().into_iter().map(|f| format!("{} ({})", f.name, f.cloud.title())).collect();
            return Err(ConfigError::Unknown { name: name.to_string(), known });
        }
        if let Some(wished) = wished {
            let (is, path) = (found[0].cloud, self.files[found[0].file].display());
            found.retain(|f| f.cloud == wished);
            if found.is_empty() {
                return Err(ConfigError::OtherCloud { name: name.to_string(), path, is, wished });
            }
        } else if found.len() > 1
            && let Some(called) = called_as
            && found.iter().any(|f| f.cloud == called)
        {
            found.retain(|f| f.cloud == called);
        }
        Ok(found)
    }

    /// The file for a new account of that cloud.
    pub fn home_of(&self, cloud: CloudId) -> usize {
        self.files.iter().position(|file| file.cloud.is_none_or(|own| own == cloud)).unwrap_or_default()
    }
}

/// Nothing told the cloud; the name is added where it is known.
struct Untold;

impl Untold {
    fn named(self, name: &AccountName) -> ConfigError {
        ConfigError::NoCloud(name.to_string())
    }
}

/// The cloud whose sign-in portal the provider is.
pub(crate) fn portal_cloud(draft: &Draft) -> Option<CloudId> {
    draft.get(Key::Provider).and_then(crate::idp::find).and_then(|provider| provider.portal_of())
}

fn role_cloud(draft: &Draft) -> Option<CloudId> {
    draft.get(Key::Role).and_then(|role| RoleArn::parse(role).ok()).map(|role| role.cloud())
}

/// Which cloud an account is for: its key `cloud`, its role, the kind of its keys, its file, the name we were called by.
fn cloud_of(draft: &Draft, file: &AccountsFile, called_as: Option<CloudId>) -> Result<CloudId, Untold> {
    draft
        .get(Key::Cloud)
        .and_then(CloudId::from_word)
        .or_else(|| role_cloud(draft))
        .or_else(|| draft.kind_of_keys())
        .or_else(|| portal_cloud(draft))
        .or(file.cloud)
        .or(called_as)
        .ok_or(Untold)
}

/// An account made of these settings, by their keys in the file.
#[cfg(test)]
pub(crate) fn account_of(settings: &[(&str, &str)], cloud: CloudId) -> Result<Account, ConfigError> {
    let draft = Draft::from_pairs(settings.iter().map(|(key, value)| (*key, (*value).to_owned())));
    let name = AccountName::parse("test")?;
    let found = Found { name, cloud, draft: draft.clone(), file: 0, is_foreign: false, on_top: None };
    Account::check(&found, &draft)
}
