//! Signs in and lists what is granted.

use super::login::{aliases, by_account};
use super::sign_in::{Kept, sign_in};
use super::{Error, Run};
use crate::config::Account;
use crate::types::{CloudAccountId, Role};

/// The roles in one cloud account.
#[derive(Debug, Clone)]
pub struct AccountRoles {
    /// The account.
    pub account: CloudAccountId,
    /// Its name, if the cloud's sign-in page told it.
    pub alias: Option<String>,
    /// The roles, in the identity provider's order.
    pub roles: Vec<Role>,
}

/// Signs in and lists the roles by account.
///
/// # Errors
/// [`Error`].
pub async fn list(run: &Run<'_>, account: &Account) -> Result<Vec<AccountRoles>, Error> {
    let offer = match account.is_portal() {
        true => super::portal::offer_of_all(run, account).await?,
        false => sign_in(run, account, Kept::Use).await?.offer,
    };
    let aliases = aliases(run.world, account, &offer).await;
    let named = |(account, roles)| AccountRoles { alias: aliases.get(&account).cloned(), account, roles };
    Ok(by_account(&offer).into_iter().map(named).collect())
}
