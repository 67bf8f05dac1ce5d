//! Keys of a token vending machine: it gives them, or what buys them at the cloud.

use super::login::{exchange, patiently, policy};
use super::{Error, Event, Run};
use crate::cloud::{self, CloudError, Endpoint, Place, SessionWish, Vended};
use crate::config::Account;
use crate::types::{Choice, Credentials, PortalToken, RoleArn, SessionDuration};
use crate::world::{Env, Tls};

/// By how many seconds keys may be shorter than wished without a word: clocks differ, and requests take time.
const SLACK: u64 = 60;

/// Keys of a role.
///
/// # Errors
/// [`Error`].
pub(super) async fn keys(run: &Run<'_>, account: &Account, token: &PortalToken, choice: &Choice) -> Result<Credentials, Error> {
    let Run { world, witness, .. } = *run;
    let endpoint = cloud::find(account.cloud).portal(token, world.env)?;
    witness.tell(&Event::Requesting { cloud: account.cloud, by: "your sign-in" });
    // Each time is a line in the ledger of whoever vends: only what gave no keys for sure is asked again.
    let transport = world.network.open(&Tls::default())?;
    let policy = policy(world, account)?;
    let wish = || SessionWish {
        duration: account.duration.unwrap_or(SessionDuration::DEFAULT),
        endpoint: endpoint.url.clone(),
        policy: policy.clone(),
        policy_arns: account.limits.policy_arns.clone(),
        now: world.clock.now(),
    };
    let given = patiently(world, CloudError::is_passing, async || cloud::vended(choice, &wish(), &*transport).await).await?;
    let credentials = match given {
        Vended::Keys(credentials) => *credentials,
        Vended::Assertion(entrusted) => {
            let bought = exchange(run, account, &entrusted.offer, &entrusted.choice, Some(&entrusted)).await?;
            Credentials { home_region: bought.home_region.clone().or_else(|| entrusted.home.clone()), ..bought }
        }
    };
    if let Some(wished) = account.duration {
        let given = credentials.expires.since(credentials.issued).as_secs();
        if given + SLACK < u64::from(wished.seconds()) {
            witness.tell(&Event::Capped { wished, given });
        }
    }
    Ok(credentials)
}

/// Where an assertion is exchanged: where the account or the environment says, else where whoever handed it out says, else where the role lives.
///
/// # Errors
/// [`CloudError::Endpoint`] for an address that is not used.
pub(super) fn endpoint(role: &RoleArn, place: &Place, env: &Env, told: Option<&str>) -> Result<Endpoint, CloudError> {
    let cloud = cloud::find(role.cloud());
    let own = cloud.endpoint(role, place, env)?;
    let Some(told) = told else { return Ok(own) };
    let at = |sts: Option<&str>| Place { region: place.region.clone(), sts: sts.map(str::to_owned) };
    match own == cloud.endpoint(role, &at(None), &Env::default())? {
        true => cloud.endpoint(role, &at(Some(told)), env),
        false => Ok(own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Region;

    #[test]
    fn ones_own_address_comes_before_the_machines_and_that_before_the_usual() {
        let of = |role: &str, place: &Place, env: &[(&str, &str)], told: Option<&str>| {
            let found = endpoint(&RoleArn::parse(role).unwrap(), place, &Env::of(env.iter().copied()), told);
            found.map_or_else(|error| error.to_string(), |found| found.url.expose().to_string())
        };
        let (aws, alibaba) = ("arn:aws:iam::1:role/a", "acs:ram::1:role/a");
        let told = Some("https://sts.intern.example/");
        let nowhere = Place::default();
        assert_eq!(of(aws, &nowhere, &[], None), "https://sts.amazonaws.com/");
        assert_eq!(of(aws, &nowhere, &[], told), "https://sts.intern.example/");
        assert_eq!(of(alibaba, &nowhere, &[], told), "https://sts.intern.example/");
        let region = Place { region: Region::parse("eu-west-1").ok(), sts: None };
        assert_eq!(of(aws, &region, &[], None), "https://sts.eu-west-1.amazonaws.com/");
        assert_eq!(of(aws, &region, &[], told), "https://sts.intern.example/");
        let own = Place { region: None, sts: Some("https://sts.own.example/".to_owned()) };
        assert_eq!(of(aws, &own, &[], told), "https://sts.own.example/");
        let env = [("AWS_ENDPOINT_URL_STS", "https://sts.env.example/")];
        assert_eq!(of(aws, &nowhere, &env, told), "https://sts.env.example/");
        let env = [("ALIBABA_CLOUD_STS_REGION", "cn-beijing")];
        assert_eq!(of(alibaba, &nowhere, &env, told), "https://sts.cn-beijing.aliyuncs.com/");
        assert!(of(aws, &nowhere, &[], Some("http://sts.intern.example/")).contains("only https"));
    }
}
