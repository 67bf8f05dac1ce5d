//! Use cases: data in, data out. Nothing here prints; what happens on the way is told as [`Event`]s.

mod cache;
pub mod chain;
pub mod configure;
pub mod console;
mod error;
pub mod exec;
mod held;
mod hint;
pub mod login;
pub mod logout;
mod memory;
pub mod portal;
pub mod provider;
mod responses;
pub mod roles;
pub mod show;
mod sign_in;
mod vended;

pub use cache::{Freshness, cached};
pub use error::{Error, Kind};

pub use crate::cloud::ConsoleLink;
pub use crate::config::{Account, Accounts, AccountsFile, ConfigError, Draft, Found, Key, without_account};
pub use crate::idp::{Field, KNOWN_ELSEWHERE, PROVIDERS};

use crate::ask::Answers;
pub use crate::types::SessionDuration;
use crate::types::{CloudId, Role, RoleArn, Timestamp, Untrusted, WebUrl};
use crate::vault::Vault;
use crate::world::World;

/// What a use case that may sign somebody in works with.
#[derive(Clone, Copy)]
pub struct Run<'r> {
    /// The operating system.
    pub world: &'r World<'r>,
    /// Who answers questions.
    pub answers: &'r dyn Answers,
    /// Who is told what happens.
    pub witness: &'r dyn Witness,
    /// Where passwords and sessions rest.
    pub vault: &'r dyn Vault,
    /// Whether a person is asked for a password that is saved.
    pub ask_anyway: bool,
    /// Whether a person may be sent elsewhere, to a browser or another device.
    pub may_send_person: bool,
}

/// What happens on the way, for a person to follow. The words are the command line's.
#[derive(Debug, Clone)]
pub enum Event<'e> {
    /// A sign-in begins.
    Using {
        /// The account.
        account: &'e str,
        /// Its provider's word.
        provider: &'e str,
        /// Where.
        url: &'e WebUrl,
    },
    /// The person will be asked for user name or password.
    AboutToAsk,
    /// The saved password is taken.
    UsingSaved,
    /// The saved password was wrong; it is dropped and asked for.
    SavedRefused {
        /// The provider's words.
        said: &'e Untrusted,
    },
    /// User name and password are known; the provider is asked now.
    Authenticating {
        /// Who.
        username: &'e str,
    },
    /// A role was taken.
    Selected {
        /// Which.
        role: &'e Role,
    },
    /// The cloud is asked now.
    Requesting {
        /// Which.
        cloud: CloudId,
        /// By what.
        by: &'static str,
    },
    /// Another process is signing in; this one waits for it.
    Waiting,
    /// Whoever hands out the keys wants the person to prove anew who they are.
    ProofDue {
        /// Who.
        host: &'e str,
        /// Their words.
        said: &'e Untrusted,
    },
    /// The keys last less than was wished.
    Capped {
        /// What was wished.
        wished: SessionDuration,
        /// What was given, in seconds.
        given: u64,
    },
    /// The identity provider is not verified.
    Unverified {
        /// Its host.
        host: &'e str,
    },
    /// The cloud is asked at an address that is not its own.
    ForeignEndpoint {
        /// The address.
        url: &'e WebUrl,
    },
    /// The identity provider's wish for the session's length was refused, and the usual length is tried.
    Shortened {
        /// What the identity provider wished.
        wished: SessionDuration,
        /// The cloud's words.
        said: String,
    },
    /// The SAML response of an earlier sign-in is taken, and nobody signs in.
    UsingResponse {
        /// Until when it is good.
        until: Timestamp,
    },
    /// The SAML response of an earlier sign-in was of no use; there is a fresh sign-in now.
    ResponseRefused {
        /// Why.
        why: String,
    },
    /// The SAML response could not be kept, or what was kept cannot be used; the login goes on.
    ResponseNotKept {
        /// Why.
        why: String,
    },
    /// A role on top of the login is assumed now.
    Assuming {
        /// The role.
        role: &'e RoleArn,
        /// The profile that names it.
        profile: &'e str,
    },
    /// The chain begins at keys of another profile, not at the login's.
    OtherKeys {
        /// The profile.
        profile: &'e str,
    },
    /// The chain begins at another profile's own sign-in.
    OtherSignIn {
        /// The profile.
        profile: &'e str,
        /// Where it signs in.
        host: &'e str,
    },
    /// The cloud gives a shorter session to a role that another role assumes.
    ChainedShorter {
        /// What was wished.
        wished: SessionDuration,
        /// What is asked for.
        limit: SessionDuration,
    },
    /// A profile names a factor that the login's keys cannot show.
    FactorPassedOver {
        /// The profile.
        profile: &'e str,
        /// The factor.
        serial: &'e str,
    },
    /// The keychain did not do what it was asked; the login goes on.
    NotRemembered {
        /// What is wrong.
        why: String,
    },
    /// The profile held keys of another role until now.
    RoleSwitched {
        /// The profile.
        profile: &'e str,
        /// Whose keys it held.
        from: &'e str,
    },
    /// The profile is not ours, and a child does not need it.
    ProfileLeft {
        /// What is in the way.
        why: String,
    },
    /// Keys are presented for a console session.
    Presenting {
        /// The profile that they are for.
        profile: &'e str,
        /// Where.
        url: &'e WebUrl,
    },
    /// Keys that are fresh by the clock were refused, and new ones are got.
    KeysRefused {
        /// The cloud's words.
        why: String,
    },
    /// A console session of the wished length was refused, and one as long as the keys are good is taken.
    ConsoleShortened {
        /// What was wished.
        wished: SessionDuration,
        /// The cloud's words.
        why: String,
    },
    /// A copy for later could not be kept; the credentials are good all the same.
    NotKept {
        /// What is wrong.
        why: String,
    },
}

/// Is told what happens.
pub trait Witness: Sync {
    /// Something happened.
    fn tell(&self, event: &Event<'_>);
}
