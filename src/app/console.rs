//! The cloud's console in a browser.

use std::time::Duration;

use super::login::{Options, login, store_of};
use super::{Error, Event, Run, cached, chain};
use crate::cloud::{self, CloudError, ConsoleLink, ConsoleWish};
use crate::config::Account;
use crate::http::Policy;
use crate::types::{Credentials, ProfileName, Region, SessionDuration};
use crate::world::{HandOverError, Tls, hand_over};

/// How long a browser may take to come. Its address may end sooner.
const BROWSER: Duration = Duration::from_secs(60);

/// What came of it.
#[derive(Debug)]
pub struct Session {
    /// The address that opens the console.
    pub link: ConsoleLink,
    /// Whose console it is.
    pub credentials: Credentials,
}

/// Whether [`open`] may succeed, asked before anybody types a code for nothing.
///
/// # Errors
/// [`Error::Browser`].
pub fn can_open(run: &Run<'_>) -> Result<(), Error> {
    Ok(run.world.launcher.can_browse().map_err(HandOverError::NoBrowser)?)
}

/// An address that opens the console for an account: with the keys that are fresh, else by a sign-in. Keys that are fresh by the
/// clock and that the cloud refuses all the same, as those of a role that was made anew, are replaced once. With `on_top`, for the role
/// of that profile, assumed with the login's keys.
///
/// # Errors
/// [`Error`].
pub async fn sign_in(run: &Run<'_>, account: &Account, on_top: Option<&ProfileName>, options: Options) -> Result<Session, Error> {
    let mut options = options;
    if let Some(credentials) = fresh(run, account, on_top, options)? {
        match present(run, account, on_top, &credentials).await {
            Err(Error::Cloud(error @ CloudError::ConsoleRefused { of_keys: true, .. })) => {
                run.witness.tell(&Event::KeysRefused { why: error.to_string() });
                options.force = true;
            }
            outcome => return outcome.map(|link| Session { link, credentials }),
        }
    }
    let credentials = match on_top {
        None => login(run, account, Options { force: true, ..options }).await?.credentials,
        Some(profile) => chain::credentials(run, account, profile, options).await?.at_home(),
    };
    let link = present(run, account, on_top, &credentials).await?;
    Ok(Session { link, credentials })
}

/// The keys that are there and fresh.
fn fresh(run: &Run<'_>, account: &Account, on_top: Option<&ProfileName>, options: Options) -> Result<Option<Credentials>, Error> {
    // A profile that leads nowhere is an error here, before anybody signs in.
    let kept = match on_top {
        None => cached(run.world, account, options.freshness),
        Some(profile) => chain::fresh(run.world, account, profile, options.freshness)?.map(chain::Chained::at_home),
    };
    Ok(kept.filter(|_| !options.force))
}

/// Presents keys to the cloud, whoever's they are, for an address that opens its console.
async fn present(
    run: &Run<'_>,
    account: &Account,
    on_top: Option<&ProfileName>,
    credentials: &Credentials,
) -> Result<ConsoleLink, Error> {
    let cloud = cloud::find(account.cloud);
    let profile = on_top.unwrap_or_else(|| account.profile_for(&credentials.role));
    let region: Option<Region> = match on_top {
        Some(_) => credentials.home_region.clone(),
        None => super::show::region(account, credentials, &store_of(run.world, account).look(profile)),
    };
    let wish = ConsoleWish {
        region: region.as_ref(),
        page: None,
        // AWS gives a session as long as the keys to a role that another role assumed, and refuses any length that is asked for.
        duration: account.duration.filter(|_| on_top.is_none()),
        return_to: &account.url,
        urn: account.idp.urn.as_deref(),
    };
    let endpoint = cloud.console_endpoint(credentials, &wish)?;
    run.witness.tell(&Event::Presenting { profile: profile.as_str(), url: &endpoint });
    // Always verified, as at every call to the cloud.
    let transport = run.world.network.open(&Tls::default())?;
    let call = async |duration: Option<SessionDuration>| {
        let mut pauses = Policy::CLOUD.pauses();
        loop {
            let outcome = cloud.console_url(credentials, &ConsoleWish { duration, ..wish }, &*transport).await;
            match pauses.next().filter(|_| outcome.as_ref().is_err_and(CloudError::is_passing)) {
                Some(pause) => run.world.clock.sleep(pause).await,
                None => return outcome,
            }
        }
    };
    match (call(wish.duration).await, wish.duration) {
        // AWS refuses any length for keys that one role got from another, and does not say which of the two it refuses.
        (Err(refused @ CloudError::ConsoleRefused { of_keys: true, .. }), Some(wished)) => match call(None).await {
            Ok(link) => {
                run.witness.tell(&Event::ConsoleShortened { wished, why: refused.to_string() });
                Ok(link)
            }
            Err(error) => Err(error.into()),
        },
        (outcome, _) => Ok(outcome?),
    }
}

/// Opens it in the person's browser.
///
/// # Errors
/// [`Error::Browser`].
pub async fn open(run: &Run<'_>, link: &ConsoleLink) -> Result<(), Error> {
    let world = run.world;
    Ok(hand_over(world.launcher, world.listener, world.clock, &link.url, link.good_for.min(BROWSER)).await?)
}
