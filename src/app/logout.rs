//! Signing out: at the other side where that is possible, then here.

use super::{Error, Run, cache, portal, sign_in};
use crate::cloud;
use crate::config::Account;
use crate::types::{Assertion, Timestamp};

/// What was ended.
#[derive(Debug)]
pub struct SignedOut {
    /// Whether a session at a portal was ended; nothing where none was known here.
    pub portal: Option<Result<(), Error>>,
    /// When the last of the keys end that were handed out from here, as far as it is known.
    pub keys_until: Option<Timestamp>,
}

/// Ends the account's session: at the portal first, then here, with the keys that are kept. What the portal says of it is part of
/// the outcome, because nothing is left here either way.
///
/// # Errors
/// [`Error`] when something is still here.
pub async fn logout(run: &Run<'_>, account: &Account) -> Result<SignedOut, Error> {
    let portal = match sign_in::left(run, account).await? {
        Some(Assertion::Portal(token)) => {
            let cloud = cloud::find(account.cloud);
            let end = async || {
                let endpoint = cloud.portal(&token, run.world.env)?;
                let transport = portal::transport(run)?;
                Ok(cloud.portal_sign_out(&token, &endpoint.url, &transport).await?)
            };
            Some(end().await)
        }
        _ => None,
    };
    sign_in::forget(run, account).await?;
    let keys_until = cache::forget(run.world.paths, account).map_err(cloud::StoreError::from)?;
    Ok(SignedOut { portal, keys_until: keys_until.filter(|end| *end > run.world.clock.now()) })
}
