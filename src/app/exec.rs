//! A child with credentials in its environment.

use std::ffi::OsString;

use super::chain::Chained;
use super::{Error, held};
use crate::cloud;
use crate::config::Account;
use crate::types::Credentials;
use crate::world::{EnvChange, World};

/// Variables with long-lived secrets for us, and for the tools whose variables we read.
const OURS: &[&str] = &[
    "SAML2CLOUD_PASSWORD",
    "SAML2CLOUD_MFA_TOKEN",
    "SAML2CLOUD_VAULT_PASSPHRASE",
    "SAML2CLOUD_OIDC_CLIENT_SECRET",
    "SAML2CLOUD_OIDC_TOKEN",
    "SAML2AWS_PASSWORD",
    "SAML2AWS_MFA_TOKEN",
    "SAML2ALIBABACLOUD_PASSWORD",
    "SAML2ALIBABACLOUD_MFA_TOKEN",
];

/// Becomes the child. Returns only when that failed.
pub fn exec(world: &World<'_>, account: &Account, credentials: &Credentials, argv: &[OsString]) -> Error {
    let profile = account.profile_for(&credentials.role);
    let held = held::look(world, account, &credentials.role);
    let region = super::show::region(account, credentials, &held);
    // The child looks in the usual file: a profile in another one is not there for it.
    let is_there = account.credentials_file.is_none() && held.key_id.as_ref() == Some(&credentials.key_id);
    let profile = is_there.then_some(profile);
    let changes = cloud::find(account.cloud).environment(credentials, profile, region.as_ref());
    become_child(world, changes, argv)
}

/// The same with keys of a role on top of the login. No profile holds them, so none is named.
pub fn exec_chained(world: &World<'_>, account: &Account, chained: &Chained, argv: &[OsString]) -> Error {
    let changes = cloud::find(account.cloud).environment(&chained.credentials, None, chained.region.as_ref());
    become_child(world, changes, argv)
}

fn become_child(world: &World<'_>, mut changes: Vec<EnvChange>, argv: &[OsString]) -> Error {
    // What let the person sign in is not the child's business: it works with keys that end soon.
    changes.extend(OURS.iter().map(|name| (*name, None)));
    let source = world.launcher.replace(argv, &changes);
    Error::CannotRun { program: argv.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default(), source }
}
