//! A command with keys of a role on top of the login: `--exec-profile`.

use super::report::Failure;
use super::{Context, args};
use crate::app::chain::{self, Chained};
use crate::app::login::Options;
use crate::app::{self, Account, ConfigError, Draft, Error};
use crate::config::variable;
use crate::types::{CloudId, ProfileName};

impl Context<'_> {
    /// Whether a flag or a variable, of whichever cloud, names a profile on top of the login. Only then anything below is asked.
    pub(super) fn may_chain(&self, flag: Option<&str>) -> bool {
        let from_env = || CloudId::ALL.into_iter().any(|cloud| variable(self.world.env, Some(cloud), "EXEC_PROFILE").is_some());
        flag.is_some() || from_env()
    }

    /// The profile on top of an account's login; an empty flag takes a variable back.
    pub(super) fn exec_profile(&self, account: &Account, flag: Option<&str>) -> Result<Option<ProfileName>, Failure> {
        let from_env = || variable(self.world.env, Some(account.cloud), "EXEC_PROFILE").map(|(_, value)| value);
        match flag.or_else(from_env).filter(|name| !name.is_empty()) {
            None => Ok(account.on_top.clone()),
            Some(name) => {
                let named = ProfileName::parse(name).map_err(ConfigError::from);
                Ok(Some(named.map_err(Error::from)?))
            }
        }
    }

    /// `exec` where there may be a profile on top: with its role's keys, or with the login's if it was named for the other cloud.
    pub(super) fn exec_chained(&self, own: &args::Exec) -> Result<(), Failure> {
        let draft = own.draft();
        let account = self.one_account(&draft)?;
        let options = own.force.options(true);
        let Some(profile) = self.exec_profile(&account, own.exec_profile.as_deref())? else {
            let (account, credentials) = self.credentials(&draft, options)?;
            return Err(app::exec::exec(&self.world, &account, &credentials, &own.command).into());
        };
        let chained = self.chained(&account, &profile, options)?;
        Err(app::exec::exec_chained(&self.world, &account, &chained, &own.command).into())
    }

    /// The keys of a role on top of an account's login: fresh ones without a runtime or a network, else new ones.
    pub(super) fn chained(&self, account: &Account, profile: &ProfileName, options: Options) -> Result<Chained, Failure> {
        let fresh = chain::fresh(&self.world, account, profile, options.freshness)?;
        if let Some(chained) = fresh.filter(|_| !options.force) {
            return Ok(chained);
        }
        let vault = self.vault()?;
        let attended = !options.unattended;
        self.asking(async |answers| {
            Ok(chain::credentials(&self.run(answers, &*vault, attended), account, profile, options).await?)
        })
    }

    /// The account; whose cloud it is, is asked only where a name stands in both files.
    fn one_account(&self, draft: &Draft) -> Result<Account, Failure> {
        match self.find(&self.accounts()?, draft)?.as_slice() {
            [found] => self.check(found, draft),
            _ => self.asking(async |answers| Ok(self.account(answers, draft).await?.0)),
        }
    }
}
