//! `-p NAME` where no account is named: a profile of the `aws` client's own configuration that signs in, or whose role stands on top of
//! a sign-in.

use super::Context;
use super::report::Failure;
use crate::app::chain::{ChainError, Source, begins, that_begins, that_signs_in};
use crate::app::{Draft, Error, Found, Key};
use crate::config::{SsoProfile, variable};
use crate::types::{CloudId, ProfileName};

/// By what a draft says that the profile is to be overwritten, whatever role it names.
pub(super) const OVERWRITES: &str = "force_profile";

impl Context<'_> {
    /// Whose login that profile takes, and which role stands on top; nothing where it is only where keys go. As in botocore, a role of
    /// the profile's comes before its sign-in.
    pub(super) fn by_profile(&self, own: &Draft) -> Result<Option<Found>, Failure> {
        let names_account =
            self.global.idp_account.is_some() || variable(self.world.env, self.called_as, "IDP_ACCOUNT").is_some();
        let is_for_aws = self.wished.or(self.called_as).is_none_or(|cloud| cloud == CloudId::Aws);
        let name = own.get(Key::Profile).filter(|_| is_for_aws && !names_account);
        // A name that cannot be one is complained of where it is used.
        let Some(profile) = name.and_then(|name| ProfileName::parse(name).ok()) else { return Ok(None) };
        if own.other(OVERWRITES).is_some() {
            return Ok(self.noted(that_signs_in(&self.world, &profile)?));
        }
        let source = match begins(&self.world, &profile) {
            Ok(Some(source)) => source,
            Ok(None) => return Ok(self.noted(that_signs_in(&self.world, &profile)?)),
            // One that a login of ours would write, and that is not there yet.
            Err(ChainError::Unknown { profile: base, files, by }) => match self.account_that_writes(&base)? {
                Some(found) => return Ok(Some(Found { on_top: Some(profile), ..found })),
                None => return Err(Error::from(ChainError::Unknown { profile: base, files, by }).into()),
            },
            Err(error) => return Err(Error::from(error).into()),
        };
        let found = match &source {
            Source::SignIn { profile } => self.noted(that_begins(&self.world, profile)?),
            Source::Profile { profile: base, .. } => self.account_that_writes(base)?,
            Source::Login => None,
        };
        let found = match found {
            Some(found) => found,
            None => self.login_below(&profile, &source)?,
        };
        Ok(Some(Found { on_top: Some(profile), ..found }))
    }

    fn noted(&self, found: Option<SsoProfile>) -> Option<Found> {
        let found = found?;
        for note in &found.notes {
            self.talk.note(note);
        }
        Some(found.found)
    }

    /// The account of ours whose login writes the profile, if it is one.
    fn account_that_writes(&self, profile: &ProfileName) -> Result<Option<Found>, Failure> {
        let writes = |found: &Found| found.cloud == CloudId::Aws && found.draft.get(Key::Profile) == Some(profile.as_str());
        let mut all = self.accounts()?.all().into_iter().filter(writes);
        Ok(all.next().filter(|_| all.next().is_none()))
    }

    /// The account whose login a profile without a source takes, or whose settings count where the source holds keys: the usual one.
    fn login_below(&self, profile: &ProfileName, source: &Source) -> Result<Found, Failure> {
        let found = self.accounts()?.find(&self.name()?, Some(CloudId::Aws), self.called_as, &Draft::default());
        match (found.as_deref(), source) {
            (Ok([found, ..]), _) => Ok(found.clone()),
            (_, Source::Profile { profile: base, .. }) => Err(bad(
                profile,
                format!(
                    "takes the keys that profile `{base}` holds: nobody has to sign in, and the `aws` client gets the role by itself"
                ),
            )),
            _ => Err(bad(
                profile,
                "is missing source_profile or credential_source, and there is no account whose login could stand for it"
                    .to_owned(),
            )),
        }
    }
}

fn bad(profile: &ProfileName, why: String) -> Failure {
    Error::from(ChainError::Bad { profile: profile.clone(), why }).into()
}
