//! Our own copy of credentials: the answer to "is it still fresh?". One file an account and role, mode 0600, with the role inside,
//! so credentials of one role are never taken for those of another.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::cloud::{Plan, Source};
use crate::config::{Account, Limits};
use crate::types::{Credentials, Region, Role, RoleWish, Secret, Timestamp};
use crate::world::file::{self, FileError};
use crate::world::{Paths, World};

/// How much life must be left in what is taken without asking the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// For a person and for a command: five minutes.
    #[default]
    Command,
    /// For an SDK that asks again by itself: fifteen minutes, but no more than a third of the lifetime, or short sessions would never
    /// be fresh.
    Process,
}

impl Freshness {
    fn is_met(self, credentials: &Credentials, now: Timestamp) -> bool {
        let margin = match self {
            Self::Command => Duration::from_secs(5 * 60),
            Self::Process => Duration::from_secs(15 * 60).min(credentials.expires.since(credentials.issued) / 3),
        };
        credentials.is_fresh(now, margin)
    }
}

#[derive(Deserialize)]
struct Entry {
    version: u32,
    /// Whose: the same for all roles of an account.
    whose: Option<String>,
    role: String,
    assumed: String,
    access_key_id: String,
    access_key_secret: Secret<String>,
    token: Secret<String>,
    issued: i64,
    expires: i64,
    home_region: Option<String>,
}

/// The fresh credentials of the wished role that this machine has, without any network: from our own cache, else from the profile
/// if that says whose they are. Without a wish, those of the role that was taken last.
pub fn cached(world: &World<'_>, account: &Account, freshness: Freshness) -> Option<Credentials> {
    let role = wished(world.paths, account)?;
    let now = world.clock.now();
    // A profile that another tool wrote is as good as our own cache. Keys of ours under another name are not: they are another person's,
    // or a policy limits them, which the profile does not tell.
    let from_profile = || {
        let custom = account.credentials_file.as_deref().map(|path| world.paths.expand(path));
        let store = crate::cloud::find(account.cloud).profiles(world.paths, world.env, custom);
        let found = store.get(account.profile_for(&role), role.arn()?).ok().flatten()?;
        (account.limits == Limits::default() && !is_ours(world.paths, &found.key_id)).then_some(found)
    };
    let is_met = |credentials: &Credentials| freshness.is_met(credentials, now);
    read(world.paths, account, &role).filter(is_met).or_else(|| from_profile().filter(is_met))
}

/// The role that the account means, as far as it is known without asking anybody: the one that it names, else the one that was taken last
/// for this wish.
pub(super) fn wished(paths: &Paths, account: &Account) -> Option<Role> {
    let last = || last_role(paths, account).filter(|role| account.role.is(role));
    exact(account).or_else(last).or_else(|| named_role(paths, account))
}

/// The role that was taken last.
fn last_role(paths: &Paths, account: &Account) -> Option<Role> {
    Role::parse(&file::read(&last(paths, account)).ok()??)
}

/// The role that was taken last for the wish of these words, where they name the cloud account by what it is called: only whoever lists
/// the roles knows that.
fn named_role(paths: &Paths, account: &Account) -> Option<Role> {
    Role::parse(&file::read(&named(paths, account)?).ok()??)
}

/// The fresh credentials of a chain's last role. Another profile, another word in one, or another role of the login is another entry.
pub(super) fn chained(world: &World<'_>, account: &Account, plan: &Plan, freshness: Freshness) -> Option<Credentials> {
    let now = world.clock.now();
    read_entry(&chain_entry(world.paths, account, plan), &plan.last.role.clone().into())
        .filter(|credentials| freshness.is_met(credentials, now))
}

/// Keeps the credentials of a chain's last role for the next run.
///
/// # Errors
/// [`FileError`]; the chain is good without this.
pub(super) fn keep_chained(paths: &Paths, account: &Account, plan: &Plan, credentials: &Credentials) -> Result<(), FileError> {
    file::replace(&chain_entry(paths, account, plan), written(account, credentials).expose())
}

fn chain_entry(paths: &Paths, account: &Account, plan: &Plan) -> PathBuf {
    let source = match &plan.source {
        Source::Login => format!("{:?}", account.role),
        Source::Profile { keys, .. } => keys.id.clone(),
        Source::SignIn { profile } => format!("profile {profile}"),
    };
    let chain = format!("{source} {:?} {:?} {:?} {:?}", plan.way, plan.last, account.given.duration, account.place);
    paths.credentials_cache().join(format!("{}.json", name(account, &chain)))
}

/// The very role that the account names, where it names one.
pub(super) fn exact(account: &Account) -> Option<Role> {
    if account.has_portal_roles() {
        return account.role.at_portal().map(Role::Portal);
    }
    match &account.role {
        RoleWish::Arn(role) => Some(role.clone().into()),
        _ => None,
    }
}

/// Whether our cache holds the access key with this ID, for whichever account.
fn is_ours(paths: &Paths, key_id: &str) -> bool {
    let holds = |path: PathBuf| {
        let text = file::read(&path).ok().flatten().map(Secret::new)?;
        serde_json::from_str::<Entry>(text.expose()).ok().filter(|entry| entry.access_key_id == key_id)
    };
    file::list(&paths.credentials_cache(), "json").into_iter().any(|path| holds(path).is_some())
}

fn read(paths: &Paths, account: &Account, role: &Role) -> Option<Credentials> {
    read_entry(&entry(paths, account, role), role)
}

fn read_entry(path: &Path, role: &Role) -> Option<Credentials> {
    let text = Secret::new(file::read(path).ok()??);
    let entry: Entry = serde_json::from_str(text.expose()).ok()?;
    (entry.version == 1 && entry.role == role.as_str()).then_some(())?;
    Some(Credentials {
        key_id: Credentials::one_word(&entry.access_key_id)?.to_owned(),
        secret: entry.access_key_secret,
        token: entry.token,
        expires: Timestamp::from_unix(entry.expires)?,
        issued: Timestamp::from_unix(entry.issued)?,
        role: role.clone(),
        assumed: entry.assumed,
        home_region: entry.home_region.and_then(|text| Region::parse(&text).ok()),
    })
}

/// Keeps credentials for the next run.
///
/// # Errors
/// [`FileError`]; a login is good without this.
pub(super) fn keep(paths: &Paths, account: &Account, credentials: &Credentials) -> Result<(), FileError> {
    file::replace(&entry(paths, account, &credentials.role), written(account, credentials).expose())?;
    if let Some(path) = named(paths, account).filter(|_| !account.role.is(&credentials.role)) {
        file::replace(&path, credentials.role.as_str())?;
    }
    file::replace(&last(paths, account), credentials.role.as_str())
}

/// The text of an entry.
fn written(account: &Account, credentials: &Credentials) -> Secret<String> {
    Secret::new(
        json!({
            "version": 1,
            "whose": name(account, ""),
            "role": credentials.role.as_str(),
            "assumed": credentials.assumed,
            "access_key_id": credentials.key_id,
            "access_key_secret": credentials.secret.expose(),
            "token": credentials.token.expose(),
            "issued": credentials.issued.unix(),
            "expires": credentials.expires.unix(),
            "home_region": credentials.home_region.as_ref().map(Region::as_str),
        })
        .to_string(),
    )
}

fn entry(paths: &Paths, account: &Account, role: &Role) -> PathBuf {
    paths.credentials_cache().join(format!("{}.json", name(account, role.as_str())))
}

/// Drops the credentials of every role of the account. When the last of them end, if there were any.
///
/// # Errors
/// [`FileError`].
pub(super) fn forget(paths: &Paths, account: &Account) -> Result<Option<Timestamp>, FileError> {
    let whose = name(account, "");
    let mut latest = None;
    for path in file::list(&paths.credentials_cache(), "json") {
        let Some(text) = file::read(&path)?.map(Secret::new) else { continue };
        let Ok(entry) = serde_json::from_str::<Entry>(text.expose()) else { continue };
        if entry.whose.as_ref() == Some(&whose) {
            latest = latest.max(Timestamp::from_unix(entry.expires));
            file::remove(&path)?;
        }
    }
    file::remove(&last(paths, account))?;
    Ok(latest)
}

/// Which role was taken last.
fn last(paths: &Paths, account: &Account) -> PathBuf {
    paths.credentials_cache().join(format!("{}.last", name(account, "")))
}

/// Which role was taken for a wish with a cloud account's name in it.
fn named(paths: &Paths, account: &Account) -> Option<PathBuf> {
    let RoleWish::Name(wish) = &account.role else { return None };
    wish.contains('/').then(|| paths.credentials_cache().join(format!("{}.last", name(account, &format!("wish {wish}")))))
}

/// Where it is noted what large files of profiles say of the profile for a role.
pub(super) fn note(paths: &Paths, account: &Account, role: &Role) -> PathBuf {
    paths.credentials_cache().join(format!("{}.held", name(account, role.as_str())))
}

/// A file name that a person recognises, made unique by what the credentials depend on: the same account name pointed at another
/// provider or person has other credentials.
pub(super) fn name(account: &Account, role: &str) -> String {
    let username = account.username.as_ref().map_or("", |name| name.as_str());
    // Keys that a policy limits are not those that none limits.
    let limits = format!("{:?}", (account.limits != Limits::default()).then_some(&account.limits));
    // Tokens from elsewhere are of somebody else. Providers without such settings keep the names that they had.
    let own = if account.provider == "OIDC" { format!("{:?}", account.own()) } else { String::new() };
    let mut whole =
        [account.cloud.word(), account.name.as_str(), account.url.expose().as_str(), username, role, &limits].join("\0");
    whole += &own;
    let digest = ring::digest::digest(&ring::digest::SHA256, whole.as_bytes());
    let unique: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let readable: String =
        account.name.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(40).collect();
    format!("{}-{readable}-{unique}", account.cloud)
}
