//! Credentials as text for other programs.

use super::login::store_of;
use crate::cloud;
use crate::config::Account;
use crate::types::{Credentials, Region, Secret};
use crate::world::World;

/// The variables that `script` prints.
pub fn script(world: &World<'_>, account: &Account, credentials: &Credentials) -> Vec<(&'static str, Secret<String>)> {
    let region = region(world, account, credentials);
    cloud::find(account.cloud).script(credentials, account.profile_for(&credentials.role), region.as_ref())
}

/// The document of `credential-process`.
pub fn process_document(account: &Account, credentials: &Credentials) -> Secret<String> {
    cloud::find(account.cloud).process_document(credentials)
}

/// The region for tools: flag or account, else the profile's, else the one that the cloud's tools cannot do without.
pub(super) fn region(world: &World<'_>, account: &Account, credentials: &Credentials) -> Option<Region> {
    let of_profile = || store_of(world, account).region(account.profile_for(&credentials.role));
    account.place.region.clone().or_else(of_profile).or_else(|| credentials.home_region.clone())
}
