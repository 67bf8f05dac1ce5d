//! Sign-in portals: the token that a sign-in gives, what the portal offers for it, and one process at a time.

use std::time::Duration;

use super::sign_in::portal_token;
use super::{Error, Event, Run, cache};
use crate::cloud::{self, CloudError};
use crate::config::Account;
use crate::http::Retrying;
use crate::idp::Standing;
use crate::types::{Assertion, Offer, PortalToken, RoleWish};
use crate::world::file::{self, Lock};
use crate::world::{Tls, Transport};

/// How long a process waits for another one before it says so.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a portal is asked that says that it is busy, and the first pause.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(400);

/// The token of the account's portal: the one that rests, or one of a new sign-in.
///
/// # Errors
/// [`Error`].
pub async fn sign_in(run: &Run<'_>, account: &Account, anew: bool) -> Result<PortalToken, Error> {
    token(run, account, Standing { anew, ..Standing::default() }).await
}

async fn token(run: &Run<'_>, account: &Account, standing: Standing<'_>) -> Result<PortalToken, Error> {
    match portal_token(run, account, standing).await? {
        Assertion::Portal(token) => Ok(token),
        _ => Err(CloudError::Mismatch.into()),
    }
}

/// Does something with the token. A portal that refuses it costs one renewal, if there is one, and then one sign-in; one that wants the
/// person to prove who they are costs one too.
pub(super) async fn with_token<T>(
    run: &Run<'_>,
    account: &Account,
    work: impl AsyncFn(PortalToken) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut refused = Vec::new();
    let mut tries = if account.provider()?.renews() { 2 } else { 1 };
    let mut proof = false;
    loop {
        let token = token(run, account, Standing { anew: false, proof, refused: &refused }).await?;
        let access = token.access.clone();
        match work(token).await {
            Err(Error::Cloud(CloudError::SignedOut { .. })) if tries > 0 => {
                tries -= 1;
                refused.push(access);
            }
            Err(Error::Cloud(CloudError::ProofDue { host, said })) if !proof => {
                run.witness.tell(&Event::ProofDue { host: &host, said: &said });
                proof = true;
                refused.push(access);
            }
            outcome => return outcome,
        }
    }
}

/// What the portal offers, as far as the wish leaves it open.
pub(super) async fn offer(run: &Run<'_>, account: &Account, token: PortalToken, wish: &RoleWish) -> Result<Offer, Error> {
    let cloud = cloud::find(account.cloud);
    let endpoint = cloud.portal(&token, run.world.env)?;
    let transport = transport(run)?;
    Ok(cloud.portal_offer(token, wish, &endpoint.url, &transport).await?)
}

/// Everything that the portal offers.
pub(super) async fn offer_of_all(run: &Run<'_>, account: &Account) -> Result<Offer, Error> {
    with_token(run, account, async |token| offer(run, account, token, &RoleWish::Any).await).await
}

/// The way to a portal: always verified, and patient where the portal says that it is busy.
pub(super) fn transport<'r>(run: &'r Run<'_>) -> Result<Retrying<'r>, Error> {
    let inner: Box<dyn Transport> = run.world.network.open(&Tls::default())?;
    Ok(Retrying::new(inner, run.world.clock, TRIES, PAUSE))
}

/// Waits until no other process signs in for the same account and role. Whoever waited finds the keys that the other got.
pub(super) async fn turn(run: &Run<'_>, account: &Account) -> Option<Lock> {
    let role = cache::exact(account).map(|role| role.to_string()).unwrap_or_default();
    let path = run.world.paths.portal_cache().join(format!("{}.lock", cache::name(account, &role)));
    let waiting = file::lock(&path);
    tokio::pin!(waiting);
    let taken = tokio::select! {
        biased;
        taken = &mut waiting => taken,
        () = run.world.clock.sleep(PATIENCE) => {
            run.witness.tell(&Event::Waiting);
            waiting.await
        }
    };
    // A folder that cannot be written costs the queue, not the login.
    taken.inspect_err(|error| tracing::debug!(%error, "there is no queue for logins")).ok()
}
