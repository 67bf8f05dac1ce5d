//! Roles on top of a login (`--exec-profile`): a profile of the cloud's own files names a role, and the login's keys assume it. What
//! comes of it goes to whoever asked and into our own cache; no profile gets it.

pub use crate::cloud::{ChainError, Source};

use super::login::{Options, login};
use super::{Error, Event, Freshness, Run, cache, cached};
use crate::ask::{Question, Topic};
use crate::cloud::{self, CloudError, Hop, Keys, Place, Plan, RoleCall, SessionWish};
use crate::config::{self, Account, ConfigError, Key, SsoProfile};
use crate::http::Policy;
use crate::idp::SignInError;
use crate::types::{CloudId, Credentials, ProfileName, Region, Secret, SessionDuration, Untrusted};
use crate::world::{Tls, World};

/// Keys of the last role of a chain.
#[derive(Debug)]
pub struct Chained {
    /// The keys.
    pub credentials: Credentials,
    /// The region for tools: flag or variable, else the profile's, else the account's.
    pub region: Option<Region>,
}

impl Chained {
    /// The keys, with the region for tools as their own.
    pub fn at_home(self) -> Credentials {
        Credentials { home_region: self.region, ..self.credentials }
    }
}

/// The keys of `profile`'s role that are still fresh, without any network; nothing where there are none. A profile that leads to no
/// role is an error already, before anybody signs in.
///
/// # Errors
/// [`Error::Chain`] says what in the cloud's own files leads nowhere.
pub fn fresh(
    world: &World<'_>,
    account: &Account,
    profile: &ProfileName,
    freshness: Freshness,
) -> Result<Option<Chained>, Error> {
    let plan = plan(world, account, profile)?;
    Ok(cache::chained(world, account, &plan, freshness).map(|credentials| chained(account, &plan, credentials)))
}

/// The keys of `profile`'s role: fresh ones that are there, else with those of a login, which is done if need be.
///
/// # Errors
/// [`Error`].
pub async fn credentials(run: &Run<'_>, account: &Account, profile: &ProfileName, options: Options) -> Result<Chained, Error> {
    let fresh = fresh(run.world, account, profile, options.freshness)?;
    if let Some(chained) = fresh.filter(|_| !options.force) {
        return Ok(chained);
    }
    let plan = plan(run.world, account, profile)?;
    if !matches!(plan.source, Source::Login) {
        return from_elsewhere(run, account, &plan, options).await;
    }
    let kept = cached(run.world, account, options.freshness).filter(|_| !options.force);
    let credentials = match kept {
        Some(credentials) => credentials,
        None => login(run, account, options).await?.credentials,
    };
    // Only now is the role known for sure, and with it the profile that stands for the login.
    let plan = plan_for(run.world, account, profile, Some(account.profile_for(&credentials.role)))?;
    match &plan.source {
        Source::Login => assume(run, account, &plan, (&credentials).into(), Some(&credentials)).await,
        _ => from_elsewhere(run, account, &plan, options).await,
    }
}

/// A chain that does not begin at the account's login.
async fn from_elsewhere(run: &Run<'_>, account: &Account, plan: &Plan, options: Options) -> Result<Chained, Error> {
    match &plan.source {
        Source::Login => Err(CloudError::Mismatch.into()),
        Source::Profile { profile, keys } => {
            run.witness.tell(&Event::OtherKeys { profile: profile.as_str() });
            assume(run, account, plan, keys.clone(), None).await
        }
        Source::SignIn { profile } => {
            let base = that_begins(run.world, profile)?.ok_or(CloudError::Mismatch)?;
            let base = Account::check(&base.found, &base.found.draft)?;
            run.witness.tell(&Event::OtherSignIn { profile: profile.as_str(), host: base.url.host() });
            let credentials = login(run, &base, options).await?.credentials;
            assume(run, account, plan, (&credentials).into(), Some(&credentials)).await
        }
    }
}

/// A profile of the `aws` client's configuration that signs in by itself.
///
/// # Errors
/// [`Error::Config`], in botocore's words.
pub fn that_signs_in(world: &World<'_>, profile: &ProfileName) -> Result<Option<SsoProfile>, Error> {
    let path = world.paths.aws_config(world.env);
    let text = crate::world::file::read(&path).map_err(ConfigError::from)?.unwrap_or_default();
    let shown = world.paths.display(&path);
    let mut found = config::profile_that_signs_in(&text, &shown, profile.as_str())?;
    // What the environment says comes first.
    let is_elsewhere = world.env.first(&["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]).is_some();
    if let Some(profile) = found.as_mut().filter(|_| is_elsewhere || world.env.is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) {
        profile.found.draft = profile.found.draft.without(Key::StsEndpoint);
    }
    Ok(found)
}

/// The same for one that begins a chain: it names the role to sign in to.
///
/// # Errors
/// [`Error::Config`], [`Error::Chain`].
pub fn that_begins(world: &World<'_>, profile: &ProfileName) -> Result<Option<SsoProfile>, Error> {
    let found = that_signs_in(world, profile)?;
    match &found {
        Some(base) if base.found.draft.get(Key::Role).is_none() => Err(ChainError::Bad {
            profile: profile.clone(),
            why: "is configured to use SSO but is missing required configuration: sso_account_id, sso_role_name".to_owned(),
        }
        .into()),
        _ => Ok(found),
    }
}

/// How a profile of the `aws` client's comes to its role, with no login at hand; nothing for a profile that names no role.
///
/// # Errors
/// [`ChainError`].
pub fn begins(world: &World<'_>, profile: &ProfileName) -> Result<Option<Source>, ChainError> {
    match cloud::find(CloudId::Aws).plan(profile, None, world.paths, world.env, world.clock.now()) {
        Ok(plan) => Ok(Some(plan.source)),
        Err(ChainError::Unknown { by: None, .. } | ChainError::NoRole { .. }) => Ok(None),
        Err(ChainError::AnotherWay { profile: at, .. }) if at == *profile => Ok(None),
        Err(error) => Err(error),
    }
}

fn plan(world: &World<'_>, account: &Account, profile: &ProfileName) -> Result<Plan, Error> {
    let role = cache::wished(world.paths, account);
    let login = role.as_ref().map_or(&account.profile, |role| account.profile_for(role));
    plan_for(world, account, profile, Some(login))
}

fn plan_for(world: &World<'_>, account: &Account, profile: &ProfileName, login: Option<&ProfileName>) -> Result<Plan, Error> {
    let cloud = cloud::find(account.cloud);
    Ok(cloud.plan(profile, login, world.paths, world.env, world.clock.now())?)
}

fn chained(account: &Account, plan: &Plan, credentials: Credentials) -> Chained {
    let wishes = [&account.given.region, &plan.region, &account.place.region, &credentials.home_region];
    let region = wishes.into_iter().find_map(Clone::clone);
    Chained { credentials, region }
}

/// Walks the chain, hop by hop.
async fn assume(
    run: &Run<'_>,
    account: &Account,
    plan: &Plan,
    source: Keys,
    login: Option<&Credentials>,
) -> Result<Chained, Error> {
    let Run { world, witness, .. } = *run;
    let session = login.and_then(|login| login.assumed.rsplit_once('/')).map_or("", |(_, session)| session).to_owned();
    let mut keys = source;
    for hop in &plan.way {
        keys = (&step(run, account, plan, hop, &keys, &session).await?).into();
    }
    let mut credentials = step(run, account, plan, &plan.last, &keys, &session).await?;
    credentials.home_region = login.and_then(|login| login.home_region.clone());
    if let Err(error) = cache::keep_chained(world.paths, account, plan, &credentials) {
        witness.tell(&Event::NotKept { why: error.to_string() });
    }
    Ok(chained(account, plan, credentials))
}

/// One role.
async fn step(
    run: &Run<'_>,
    account: &Account,
    plan: &Plan,
    hop: &Hop,
    keys: &Keys,
    session: &str,
) -> Result<Credentials, Error> {
    let Run { world, witness, .. } = *run;
    witness.tell(&Event::Assuming { role: &hop.role, profile: hop.profile.as_str() });
    let cloud = cloud::find(account.cloud);
    let is_last = *hop == plan.last;
    let region = account.given.region.clone().or_else(|| plan.region.clone()).or_else(|| account.place.region.clone());
    let place = Place { region, sts: account.place.sts.clone().or_else(|| hop.place.sts.clone()) };
    let endpoint = cloud.endpoint(&hop.role, &place, world.env)?;
    if endpoint.foreign {
        witness.tell(&Event::ForeignEndpoint { url: &endpoint.url });
    }
    // What limits the login's keys does not limit those of a role that they assume, so it is asked for again.
    let policy = if is_last { super::login::policy(world, account)? } else { None };
    if policy.is_some() && hop.policy.is_some() {
        return Err(Error::TwoPolicies { profile: hop.profile.to_string() });
    }
    let duration = duration(run, account, hop, keys, is_last);
    let code = code(run, hop, keys).await?;
    let transport = world.network.open(&Tls::default())?;
    let call = RoleCall { hop, keys, session, code: code.as_ref(), region: place.region.as_ref() };
    let mut pauses = Policy::CLOUD.pauses();
    loop {
        let wish = SessionWish {
            duration,
            endpoint: endpoint.url.clone(),
            policy: policy.clone(),
            policy_arns: if is_last { account.limits.policy_arns.clone() } else { Vec::new() },
            now: world.clock.now(),
        };
        let outcome = cloud.assume_role(&call, &wish, &*transport).await;
        // A code is taken once.
        let may_repeat = code.is_none() && outcome.as_ref().is_err_and(CloudError::is_passing);
        match (pauses.next().filter(|_| may_repeat), outcome) {
            (Some(pause), _) => world.clock.sleep(pause).await,
            (None, Ok(credentials)) => return Ok(credentials),
            (None, Err(why)) => {
                return Err(Error::NotAssumed {
                    profile: hop.profile.to_string(),
                    role: hop.role.clone(),
                    has_external_id: hop.external_id.is_some(),
                    why,
                });
            }
        }
    }
}

/// How long: for the role that was asked for what a flag or variable says, else what its profile says, else an hour; no more than the
/// cloud gives to a role that another role assumes. What the account says is for the login.
fn duration(run: &Run<'_>, account: &Account, hop: &Hop, keys: &Keys, is_last: bool) -> SessionDuration {
    let wished = account.given.duration.filter(|_| is_last).or(hop.duration).unwrap_or(SessionDuration::DEFAULT);
    // Long-lived keys are a person's, not a role's.
    let limit = cloud::find(account.cloud).longest_chained().filter(|_| keys.token.is_some());
    match limit.filter(|limit| *limit < wished) {
        Some(limit) => {
            run.witness.tell(&Event::ChainedShorter { wished, limit });
            limit
        }
        None => wished,
    }
}

/// The code of the role's factor, asked for where the cloud can check it: a factor belongs to a person, and so to long-lived keys. A
/// session has none, and whoever signed in has shown a factor to the identity provider.
async fn code(run: &Run<'_>, hop: &Hop, keys: &Keys) -> Result<Option<Secret<String>>, Error> {
    let Some(serial) = &hop.mfa_serial else { return Ok(None) };
    if keys.token.is_some() {
        run.witness.tell(&Event::FactorPassedOver { profile: hop.profile.as_str(), serial });
        return Ok(None);
    }
    let label = format!("Code of {}", Untrusted::new(serial.as_str()));
    let unanswered = |why| SignInError::Unanswered { topic: Topic::Otp, why };
    Ok(Some(run.answers.secret(&Question::new(Topic::Otp, &label)).await.map_err(unanswered)?))
}
