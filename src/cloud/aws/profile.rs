//! `~/.aws/credentials`, and what `~/.aws/config` says of a profile.

use std::path::{Path, PathBuf};

use crate::cloud::{Held, Store, StoreError};
use crate::text::ini::{self, Ini};
use crate::types::{Credentials, ProfileName, Region, RoleArn, Secret, Timestamp};
use crate::world::file;

/// The keys that a login writes, in saml2aws's order and layout.
const WIDTH: usize = 24;
const KEY_ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const TOKEN: &str = "aws_session_token";
const SECURITY_TOKEN: &str = "aws_security_token";
const PRINCIPAL: &str = "x_principal_arn";
const EXPIRES: &str = "x_security_token_expires";

/// The profiles of AWS's tools.
pub(super) struct Profiles {
    pub(super) credentials: PathBuf,
    pub(super) config: PathBuf,
}

impl Store for Profiles {
    fn path(&self) -> &Path {
        &self.credentials
    }

    fn files(&self) -> Vec<&Path> {
        vec![&self.credentials, &self.config]
    }

    fn check(&self, profile: &ProfileName) -> Result<(), StoreError> {
        self.check_config(profile)?;
        let text = file::read(&self.credentials)?.unwrap_or_default();
        check_section(&Ini::parse(&text), profile)
    }

    fn put(
        &self,
        profile: &ProfileName,
        credentials: &Credentials,
        region: Option<&Region>,
        force: bool,
    ) -> Result<(), StoreError> {
        if !force {
            self.check_config(profile)?;
        }
        file::edit(&self.credentials, |old| {
            let mut ini = Ini::parse(old.unwrap_or_default());
            if !force {
                check_section(&ini, profile)?;
            }
            write(&mut ini, credentials, profile, region);
            Ok(Some(ini.to_string()))
        })
    }

    fn get(&self, profile: &ProfileName, wished: &RoleArn) -> Result<Option<Credentials>, StoreError> {
        let text = file::read(&self.credentials)?.unwrap_or_default();
        let pairs = ini::section(&text, profile.as_str());
        let last = |key: &str| pairs.iter().rev().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let value = |key| last(key).and_then(Credentials::one_word);
        let (Some(key_id), Some(secret), Some(token), Some(assumed), Some(expires)) =
            (value(KEY_ID), value(SECRET), value(TOKEN), value(PRINCIPAL), value(EXPIRES).and_then(Timestamp::parse))
        else {
            return Ok(None);
        };
        Ok(is_session_of(assumed, wished).then(|| Credentials {
            key_id: key_id.to_owned(),
            secret: Secret::from(secret),
            token: Secret::from(token),
            expires,
            // Not written in the file; the usual hour is the guess.
            issued: Timestamp::from_unix(expires.unix() - 3600).unwrap_or(expires),
            role: wished.clone().into(),
            assumed: assumed.to_owned(),
            home_region: None,
        }))
    }

    fn look(&self, profile: &ProfileName) -> Held {
        let read = |path: &Path| file::read(path).ok().flatten().unwrap_or_default();
        let credentials = read(&self.credentials);
        let pairs = ini::section(&credentials, profile.as_str());
        let value = |key: &str| pairs.iter().rev().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        let in_config = || section_of(&Ini::parse(&read(&self.config)), profile, "region");
        Held {
            key_id: value(KEY_ID),
            assumed: value(PRINCIPAL).filter(|name| Credentials::one_word(name).is_some()),
            region: value("region").or_else(in_config).and_then(|text| Region::parse(&text).ok()),
            session_until: None,
        }
    }
}

/// Puts keys into a profile's section.
fn write(ini: &mut Ini, credentials: &Credentials, profile: &ProfileName, region: Option<&Region>) {
    let expires = credentials.expires.local_rfc3339();
    let mut pairs = vec![
        (KEY_ID, credentials.key_id.as_str()),
        (SECRET, credentials.secret.expose().as_str()),
        (TOKEN, credentials.token.expose().as_str()),
        (SECURITY_TOKEN, credentials.token.expose().as_str()),
        (PRINCIPAL, credentials.assumed.as_str()),
        (EXPIRES, expires.as_str()),
    ];
    pairs.extend(region.map(|region| ("region", region.as_str())));
    ini.set(profile.as_str(), &pairs, WIDTH);
}

/// A file with this profile alone.
pub(super) fn document(credentials: &Credentials, profile: &ProfileName, region: Option<&Region>) -> Secret<String> {
    let mut ini = Ini::parse("");
    write(&mut ini, credentials, profile, region);
    Secret::new(ini.to_string())
}

/// `arn:aws:sts::123456789012:assumed-role/NAME/SESSION` is a session of a role with that account and name; the
/// role's path is not in it.
fn is_session_of(assumed: &str, role: &RoleArn) -> bool {
    let name = role.name().rsplit('/').next().unwrap_or_default();
    let session = format!("arn:{}:sts::{}:assumed-role/{name}/", role.partition(), role.account());
    assumed.starts_with(&session)
}

/// Whether a section of `~/.aws/config` is this profile's: profiles but the default are called `profile NAME`, perhaps in quotes.
pub(super) fn is_section_of(section: &str, profile: &ProfileName) -> bool {
    let name = profile.as_str();
    match section.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])) {
        Some(rest) => rest.trim().trim_matches(['"', '\'']) == name,
        None => section == name && name == "default",
    }
}

/// The value of a key in `~/.aws/config`.
fn section_of(config: &Ini, profile: &ProfileName, key: &str) -> Option<String> {
    let sections = config.sections().into_iter().filter(|section| is_section_of(section, profile));
    sections.into_iter().find_map(|section| config.get(section, key)).map(str::to_owned)
}

/// A section with keys that do not end is a person's own.
fn check_section(ini: &Ini, profile: &ProfileName) -> Result<(), StoreError> {
    let has = |key: &str| ini.get(profile.as_str(), key).is_some_and(|value| !value.is_empty());
    let not_ours = |holds: &str| Err(StoreError::NotOurs { profile: profile.clone(), holds: holds.to_owned() });
    if has(KEY_ID) && !has(TOKEN) && !has(EXPIRES) {
        return not_ours("holds long-lived access keys");
    }
    match ["credential_process", "role_arn", "sso_session", "sso_start_url"].into_iter().find(|key| has(key)) {
        Some(key) => not_ours(&format!("has `{key}`")),
        None => Ok(()),
    }
}

impl Profiles {
    /// A profile that gets its credentials in another way would no longer do so: keys in the credentials file come first.
    fn check_config(&self, profile: &ProfileName) -> Result<(), StoreError> {
        let config = file::read(&self.config)?.unwrap_or_default();
        let config = Ini::parse(&config);
        let keys =
            ["sso_session", "sso_start_url", "sso_account_id", "credential_process", "role_arn", "web_identity_token_file"];
        match keys.into_iter().find(|key| section_of(&config, profile, key).is_some_and(|value| !value.is_empty())) {
            Some(key) => Err(StoreError::NotOurs {
                profile: profile.clone(),
                holds: format!("has `{key}` in `{}`", self.config.display()),
            }),
            None => Ok(()),
        }
    }
}
