//! Signs in and lists what is granted.

use super::login::{aliases, by_account, sign_in};
use super::{Error, Witness};
use crate::ask::Answers;
use crate::config::Account;
use crate::types::{CloudAccountId, RoleArn};
use crate::world::World;

/// The roles in one cloud account.
#[derive(Debug, Clone)]
pub struct AccountRoles {
    /// The account.
    pub account: CloudAccountId,
    /// Its name, if the cloud's sign-in page told it.
    pub alias: Option<String>,
    /// The roles, in the identity provider's order.
    pub roles: Vec<RoleArn>,
}

/// Signs in and lists the roles by account.
///
/// # Errors
/// [`Error`].
pub async fn list(
    world: &World<'_>,
    answers: &dyn Answers,
    witness: &dyn Witness,
    account: &Account,
) -> Result<Vec<AccountRoles>, Error> {
    let offer = sign_in(world, answers, witness, account).await?;
    let aliases = aliases(world, account, &offer).await;
    let named = |(account, roles)| AccountRoles { alias: aliases.get(&account).cloned(), account, roles };
    Ok(by_account(&offer).into_iter().map(named).collect())
}
