//! Credentials as text for other programs.

use super::held;
use crate::cloud::{self, Held};
use crate::config::Account;
use crate::types::{Credentials, Region, Secret};
use crate::world::World;

/// The variables that `script` prints.
pub fn script(world: &World<'_>, account: &Account, credentials: &Credentials) -> Vec<(&'static str, Secret<String>)> {
    if let Some(profile) = &account.on_top {
        return cloud::find(account.cloud).script(credentials, profile, credentials.home_region.as_ref());
    }
    let profile = account.profile_for(&credentials.role);
    let region = region(account, credentials, &held::look(world, account, &credentials.role));
    cloud::find(account.cloud).script(credentials, profile, region.as_ref())
}

/// The document of `credential-process`.
pub fn process_document(account: &Account, credentials: &Credentials) -> Secret<String> {
    cloud::find(account.cloud).process_document(credentials)
}

/// The region for tools: flag or account, else the profile's, else the one that the cloud's tools cannot do without.
pub(super) fn region(account: &Account, credentials: &Credentials, held: &Held) -> Option<Region> {
    account.place.region.clone().or_else(|| held.region.clone()).or_else(|| credentials.home_region.clone())
}
