//! Roles on top of a login (`--exec-profile`): a profile of the cloud's own files names a role, and the login's keys assume it. What
//! comes of it goes to whoever asked and into our own cache; no profile gets it.

use super::login::{Options, login};
use super::{Error, Event, Freshness, Run, cache, cached};
use crate::ask::{Question, Topic};
use crate::cloud::{self, CloudError, Hop, Keys, Place, Plan, RoleCall, SessionWish, Source};
use crate::config::Account;
use crate::http::Policy;
use crate::idp::SignInError;
use crate::types::{Credentials, ProfileName, Region, Secret, SessionDuration, Untrusted};
use crate::world::{Tls, World};

/// Keys of the last role of a chain.
#[derive(Debug)]
pub struct Chained {
    /// The keys.
    pub credentials: Credentials,
    /// The region for tools: flag or variable, else the profile's, else the account's.
    pub region: Option<Region>,
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
    if let Source::Profile { profile, keys } = &plan.source {
        run.witness.tell(&Event::OtherKeys { profile: profile.as_str() });
        return assume(run, account, &plan, keys.clone(), None).await;
    }
    let kept = cached(run.world, account, options.freshness).filter(|_| !options.force);
    let credentials = match kept {
        Some(credentials) => credentials,
        None => login(run, account, options).await?.credentials,
    };
    on_top_of(run, account, profile, &credentials).await
}

/// The keys of `profile`'s role with these keys of the account's login.
///
/// # Errors
/// [`Error`].
pub async fn on_top_of(
    run: &Run<'_>,
    account: &Account,
    profile: &ProfileName,
    credentials: &Credentials,
) -> Result<Chained, Error> {
    // Only now is the role known for sure, and with it the profile that stands for the login.
    let plan = plan_for(run.world, account, profile, account.profile_for(&credentials.role))?;
    match &plan.source {
        Source::Login => assume(run, account, &plan, credentials.into(), Some(credentials)).await,
        Source::Profile { profile, keys } => {
            run.witness.tell(&Event::OtherKeys { profile: profile.as_str() });
            assume(run, account, &plan, keys.clone(), None).await
        }
    }
}

fn plan(world: &World<'_>, account: &Account, profile: &ProfileName) -> Result<Plan, Error> {
    let role = cache::wished(world.paths, account);
    let login = role.as_ref().map_or(&account.profile, |role| account.profile_for(role));
    plan_for(world, account, profile, login)
}

fn plan_for(world: &World<'_>, account: &Account, profile: &ProfileName, login: &ProfileName) -> Result<Plan, Error> {
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
