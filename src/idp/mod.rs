//! Identity providers: who checks the person and vouches for them.
//!
//! A provider is one file: its words and fields as data ([`Provider`]), its flow as one method ([`Idp::sign_in`]).
//! Everything it may touch comes in the [`Session`]; it knows neither which cloud it signs in to nor who answers
//! its questions. To add one: write the file, add a line to [`PROVIDERS`].

mod adfs;
mod browser;
mod cloud_sso;
mod field;
mod form;
mod identity_center;
mod jumpcloud;
mod oidc;
mod okta;
mod paste;
mod portal;
mod tvm;

pub use browser::BrowserError;
pub use field::{Field, Settings, SettingsError};

use async_trait::async_trait;

use crate::ask::{Answers, NoAnswer, Question, Topic};
use crate::http::{BrowseError, Browser, Outline};
use crate::mfa::Factor;
use crate::oidc::OidcError;
use crate::types::{Assertion, CloudId, Secret, ServiceProvider, Untrusted};
use crate::vault::Kind;
use crate::world::file::FileError;
use crate::world::{Clock, Env, Launcher, Listener, Paths, TransportError};

/// The key of a portal's own setting that says what profiles hold: the keys, or the sign-in too.
pub const PROFILE_MODE: &str = "profile_mode";

/// A second factor under a provider's own name for it.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// The word of `--mfa` and the key `mfa`.
    pub name: &'static str,
    /// What it is; nothing for `Auto`, which leaves it to provider and person.
    pub factor: Option<Factor>,
}

/// A kind of identity provider that we can speak to, described.
pub trait Provider: Sync {
    /// The word in the accounts file, exact: `JumpCloud`.
    fn id(&self) -> &'static str;
    /// One line for people.
    fn title(&self) -> &'static str;
    /// Its own settings, beyond those that every account has.
    fn fields(&self) -> &'static [Field];
    /// Whether a sign-in needs user name and password. They are then asked for before the first request, so that a
    /// person is not kept waiting twice.
    fn wants_password(&self) -> bool {
        true
    }
    /// Whether a sign-in needs the account's `url`.
    fn needs_url(&self) -> bool {
        true
    }
    /// Whether what it gives lists the roles that it grants. Where it does not, the account names one.
    fn lists_roles(&self) -> bool {
        true
    }
    /// The second factors, by the words of `--mfa`; the first is the default.
    fn methods(&self) -> &'static [Method];
    /// Whether roles and keys come from whoever the person signs in at, for the token that the sign-in gives.
    fn is_portal(&self) -> bool {
        self.portal_of().is_some()
    }
    /// The cloud whose own sign-in portal it is, if it is one: its roles are `ACCOUNT/NAME`.
    fn portal_of(&self) -> Option<CloudId> {
        None
    }
    /// Whether a portal's token can be renewed without a person. Where it cannot, a token that is refused costs a sign-in, once.
    fn renews(&self) -> bool {
        true
    }
    /// Checks the settings of an account.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting and what is wrong.
    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError>;
}

/// An identity provider, configured.
#[async_trait]
pub trait Idp: Send + Sync {
    /// Signs the person in.
    ///
    /// # Errors
    /// [`SignInError`] says whose fault it is and what to do now.
    async fn sign_in(&self, session: &mut Session<'_>) -> Result<Assertion, SignInError>;

    /// What an earlier sign-in left on this machine that can be ended at the other side too. Nobody is asked for it.
    async fn left(&self, _session: &mut Session<'_>) -> Option<Assertion> {
        None
    }

    /// Forgets what earlier sign-ins left on this machine.
    ///
    /// # Errors
    /// [`SignInError`] when it is still there.
    async fn forget(&self, session: &mut Session<'_>) -> Result<(), SignInError> {
        session.memory.forget(Kind::IdpSession);
        Ok(())
    }
}

/// Every provider that we can speak to, by name.
pub static PROVIDERS: &[&dyn Provider] = &[
    &adfs::PROVIDER,
    &adfs::PROVIDER_2,
    &browser::PROVIDER,
    &cloud_sso::PROVIDER,
    &form::PROVIDER,
    &identity_center::PROVIDER,
    &jumpcloud::PROVIDER,
    &oidc::PROVIDER,
    &okta::PROVIDER,
    &tvm::PROVIDER,
];

/// The names that the old tools know and that we do not speak to yet. Accounts may name them; a sign-in says so.
pub static KNOWN_ELSEWHERE: &[&str] = &[
    "Akamai",
    "Auth0",
    "Authentik",
    "AzureAD",
    "Custom",
    "F5APM",
    "GoogleApps",
    "KeyCloak",
    "NetIQ",
    "OneLogin",
    "PSU",
    "Ping",
    "PingNTLM",
    "PingOne",
    "Shell",
    "Shibboleth",
    "ShibbolethECP",
];

/// The provider of that name.
pub fn find(id: &str) -> Option<&'static dyn Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.id() == id)
}

/// What is remembered between sign-ins of this person at this provider. Remembering is a courtesy, so nothing here fails.
pub trait Memory: Send + Sync {
    /// What was kept.
    fn recall(&self, kind: Kind) -> Option<Secret<String>>;
    /// Keeps something for the next sign-in.
    fn keep(&self, kind: Kind, value: &Secret<String>);
    /// Drops what proved to be no longer good.
    fn forget(&self, kind: Kind);
}

/// Everything a provider may touch during a sign-in.
pub struct Session<'s> {
    /// The browser, without cookies yet.
    pub browser: Browser<'s>,
    /// Who answers questions.
    pub answers: &'s dyn Answers,
    /// Time.
    pub clock: &'s dyn Clock,
    /// What the last sign-in left.
    pub memory: &'s dyn Memory,
    /// Whom the assertion is for.
    pub sp: &'s ServiceProvider,
    /// What of this machine it may touch.
    pub machine: Machine<'s>,
    /// How the run stands with what an earlier sign-in left.
    pub standing: Standing<'s>,
}

/// How a run stands with what an earlier sign-in left.
#[derive(Debug, Default, Clone, Copy)]
pub struct Standing<'s> {
    /// Whether the person wants a new sign-in although the last one is still good.
    pub anew: bool,
    /// Whether the person has to prove anew who they are, although their session at the identity provider may be good.
    pub proof: bool,
    /// Access tokens that a portal refused in this run.
    pub refused: &'s [Secret<String>],
}

/// What of this machine a provider may touch, where its sign-in is not a matter of requests alone.
#[derive(Clone, Copy)]
pub struct Machine<'m> {
    /// Opens the person's browser, runs commands of the account.
    pub launcher: &'m dyn Launcher,
    /// Takes the browser's answer.
    pub listener: &'m dyn Listener,
    /// The variables, as they were at the start.
    pub env: &'m Env,
    /// Where files are.
    pub paths: &'m Paths,
    /// Whether a person may be asked to do something elsewhere, in a browser or on another device.
    pub may_send_person: bool,
}

#[cfg(test)]
pub(crate) const NO_WEB_IDENTITY: crate::types::WebIdentity =
    crate::types::WebIdentity { audience: "aud", file: "TOKEN_FILE", text: Some("TOKEN"), session_name: "SESSION_NAME" };

#[cfg(test)]
impl Machine<'static> {
    /// One without variables, files or programs.
    pub(crate) fn bare() -> Self {
        use std::sync::LazyLock;
        static ENV: LazyLock<Env> = LazyLock::new(Env::default);
        static PATHS: LazyLock<Paths> = LazyLock::new(|| Paths::below(std::path::Path::new("/nonexistent")));
        let (launcher, listener) = (&crate::world::SystemLauncher, &crate::world::SystemListener);
        Self { launcher, listener, env: &ENV, paths: &PATHS, may_send_person: true }
    }
}

impl Session<'_> {
    /// Who signs in.
    ///
    /// # Errors
    /// [`SignInError::Unanswered`].
    pub async fn username(&self) -> Result<String, SignInError> {
        let topic = Topic::Username;
        self.answers.text(&Question::new(topic, "Username")).await.map_err(|why| SignInError::Unanswered { topic, why })
    }

    /// Their password.
    ///
    /// # Errors
    /// [`SignInError::Unanswered`].
    pub async fn password(&self) -> Result<Secret<String>, SignInError> {
        let topic = Topic::Password;
        self.answers.secret(&Question::new(topic, "Password")).await.map_err(|why| SignInError::Unanswered { topic, why })
    }
}

/// Why a sign-in did not succeed: whose fault, what now.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The password, or the person that it is for, is not known there: a saved one is of no more use.
    #[error("{provider} refused the sign-in: \"{said}\"")]
    WrongPassword {
        /// Who refused.
        provider: String,
        /// In their words.
        said: Untrusted,
    },
    /// Locked, expired, not allowed: whatever the password.
    #[error("{provider} refused the sign-in: \"{said}\"")]
    Refused {
        /// Who refused.
        provider: String,
        /// In their words.
        said: Untrusted,
    },
    /// Wrong code, push denied or too late.
    #[error("{provider} refused the {factor}: \"{said}\"")]
    FactorRefused {
        /// Who refused.
        provider: String,
        /// Which factor.
        factor: Factor,
        /// In their words.
        said: Untrusted,
    },
    /// The provider wants a factor that we cannot do.
    #[error("{provider} asks for a second factor that cannot be done here: {wanted}")]
    FactorUnsupported {
        /// Who asks.
        provider: String,
        /// What they ask for, in their words.
        wanted: Untrusted,
        /// What we can do, by the words of `--mfa`.
        can: Vec<&'static str>,
    },
    /// The page offers several ways and nobody chose.
    #[error("{provider} offers several ways to sign in and none was chosen: {}", .ways.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Ambiguous {
        /// Who offers them.
        provider: String,
        /// In their words.
        ways: Vec<Untrusted>,
        /// Why nobody chose.
        why: NoAnswer,
    },
    /// A question had no answer.
    #[error("{}", unanswered(*.topic, *.why))]
    Unanswered {
        /// What was asked.
        topic: Topic,
        /// Why nobody answered.
        why: NoAnswer,
    },
    /// The site is not what we know.
    #[error("did not understand the page after {step}: {page}")]
    Unrecognised {
        /// The last step that was understood.
        step: &'static str,
        /// The page's shape, without values.
        page: Box<Outline>,
    },
    /// An answer that is not what the provider's interface gives.
    #[error("did not understand the answer of {provider} to {step} (HTTP {status}): {why}")]
    Garbled {
        /// Who answered.
        provider: String,
        /// What was asked of them.
        step: &'static str,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        why: Untrusted,
    },
    /// The response is on its way to somebody else than the cloud.
    #[error("{provider} sends its SAML response to {target}, which is not where {expected} receives it")]
    WrongAddressee {
        /// Who sends it.
        provider: String,
        /// Where to.
        target: String,
        /// Whom it should be for.
        expected: String,
    },
    /// A sign-in by a person is due, and this run may not begin one.
    #[error(
        "the SSO session at {at} has expired or is otherwise invalid, or there was none, and no sign-in is begun without you"
    )]
    NeedsSignIn {
        /// Which portal.
        at: String,
    },
    /// The address is no portal's.
    #[error("`{url}` is neither an address of AWS's own nor leads to one")]
    NoPortal {
        /// The address.
        url: String,
    },
    /// The portal lives elsewhere.
    #[error("the sign-in portal is in region `{is}`, not in `{given}`")]
    WrongRegion {
        /// What the account says.
        given: String,
        /// What the portal's own page says.
        is: String,
    },
    /// The file with the token is still there.
    #[error(transparent)]
    Tokens(FileError),
    /// There is no ID token where it should be.
    #[error("there is no ID token {place}: {why}")]
    NoIdToken {
        /// Where it should be: `in the file `x``.
        place: String,
        /// What is wrong.
        why: String,
        /// What to do.
        hint: &'static str,
    },
    /// The issuer of tokens.
    #[error(transparent)]
    Oidc(OidcError),
    /// A person would have to go to a browser or another device, and may not be sent there.
    #[error("the sign-in at {who} needs a person, and `--no-input` forbids to ask one")]
    NeedsBrowser {
        /// Where.
        who: String,
    },
    /// No connection, or led astray.
    #[error(transparent)]
    Browse(#[from] BrowseError),
    /// The installed browser, or the person in front of it.
    #[error(transparent)]
    Browser(#[from] BrowserError),
}

impl From<OidcError> for SignInError {
    fn from(error: OidcError) -> Self {
        match error {
            OidcError::Transport(error) => error.into(),
            error => Self::Oidc(error),
        }
    }
}

impl From<TransportError> for SignInError {
    fn from(error: TransportError) -> Self {
        Self::Browse(BrowseError::Transport(error))
    }
}

fn unanswered(topic: Topic, why: NoAnswer) -> String {
    let what = match topic {
        Topic::Username => "the user name",
        Topic::Password => "the password",
        Topic::Otp => "the one-time code",
        Topic::Factor => "the second factor",
        Topic::Role => "the role",
        Topic::Cloud => "the cloud",
        Topic::Field(key) => {
            return format!("`{key}` is not known, and nobody can be asked (no terminal, `--no-input` or `--skip-prompt`)");
        }
    };
    match why {
        NoAnswer::NotHere => {
            format!("{what} is not known, and nobody can be asked (no terminal, `--no-input` or `--skip-prompt`)")
        }
        NoAnswer::Cancelled => format!("{what} was not given"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order_and_complete() {
        let ids: Vec<&str> = PROVIDERS.iter().map(|p| p.id()).collect();
        assert!(ids.is_sorted_by_key(|id| id.to_lowercase()), "{ids:?}");
        assert!(KNOWN_ELSEWHERE.is_sorted());
        assert!(KNOWN_ELSEWHERE.iter().all(|id| find(id).is_none()));
        for provider in PROVIDERS {
            assert!(!provider.title().is_empty());
            assert_eq!(provider.methods().first().map(|m| m.name), Some("Auto"), "{}", provider.id());
        }
    }
}
