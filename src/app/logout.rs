//! Signing out: at the other side where that is possible, then here.

use super::login::store_of;
use super::{Error, Run, cache, portal, sign_in};
use crate::cloud;
use crate::config::Account;
use crate::types::{Assertion, Timestamp};

/// What was ended.
#[derive(Debug)]
pub struct SignedOut {
    /// Whether a session at a portal was ended; nothing where none was known here.
    pub portal: Option<Result<(), Error>>,
    /// When the token ends that was forgotten here, where the portal cannot be told that it is over.
    pub token_until: Option<Timestamp>,
    /// When the last of the keys end that were handed out from here, as far as it is known.
    pub keys_until: Option<Timestamp>,
}

/// Ends the account's session: at the portal first, then here, with the keys that are kept. What the portal says of it is part of
/// the outcome, because nothing is left here either way.
///
/// # Errors
/// [`Error`] when something is still here.
pub async fn logout(run: &Run<'_>, account: &Account) -> Result<SignedOut, Error> {
    let cloud = cloud::find(account.cloud);
    let mut token_until = None;
    let portal = match sign_in::left(run, account).await? {
        Some(Assertion::Portal(token)) if !cloud.ends_portal_sessions(&token) => {
            token_until = Some(token.expires);
            None
        }
        Some(Assertion::Portal(token)) => {
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
    if account.profiles_hold_session() {
        let store = store_of(run.world, account);
        account.every_profile().try_for_each(|profile| store.forget_session(profile, &account.url))?;
    }
    let keys_until = cache::forget(run.world.paths, account).map_err(cloud::StoreError::from)?;
    Ok(SignedOut { portal, token_until, keys_until: keys_until.filter(|end| *end > run.world.clock.now()) })
}
