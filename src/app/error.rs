//! Everything that can go wrong in a use case: whose fault it is, and what to do.

use super::hint::{chain_hint, config_hint, network_hint, not_assumed_hint, sign_in_hint, token_hint, vending_hint};
use crate::cloud::{ChainError, CloudError, Lack, StoreError};
use crate::config::ConfigError;
use crate::http::BrowseError;
use crate::idp::{BrowserError, SignInError};
use crate::oidc::OidcError;
use crate::types::{Claims, CloudId, Role, RoleArn, Timestamp, Unchosen, Untrusted};
use crate::world::{HandOverError, TransportError};

/// Why a use case did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The identity provider.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The cloud.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The cloud, of an ID token.
    #[error("{refused}\n  the token says: {claims}")]
    TokenRefused {
        /// What it said.
        refused: CloudError,
        /// What the token says of itself.
        claims: Box<Claims>,
        /// What this machine's clock said.
        now: Timestamp,
    },
    /// The file of profiles.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A profile that leads to no role.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A role on top of the login was not given.
    #[error("cannot assume {role} of profile `{profile}`: {why}")]
    NotAssumed {
        /// The profile that names it.
        profile: String,
        /// The role.
        role: RoleArn,
        /// Whether the profile knows an external ID.
        has_external_id: bool,
        /// The cloud's words, or why there are none.
        why: CloudError,
    },
    /// Two policies that would limit one session.
    #[error("both the account and profile `{profile}` have a policy, and the cloud takes one")]
    TwoPolicies {
        /// The profile.
        profile: String,
    },
    /// The network could not be set up.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// What a cloud should be told of an identity provider will not do.
    #[error(transparent)]
    Trust(#[from] crate::cloud::trust::BadTrust),
    /// No role was taken.
    #[error("{why}{}", list(.granted))]
    Unchosen {
        /// Why.
        why: Unchosen,
        /// What is granted.
        granted: Vec<Role>,
    },
    /// The command that knows the password failed.
    #[error("`password_command` of account `{account}` gave no password")]
    PasswordCommand {
        /// The account.
        account: String,
        #[source]
        /// Why.
        source: std::io::Error,
    },
    /// The file with a policy cannot be read.
    #[error("there is no policy in `{path}`")]
    NoPolicy {
        /// The file.
        path: String,
    },
    /// The browser did not get the address.
    #[error(transparent)]
    Browser(#[from] HandOverError),
    /// The command cannot be run.
    #[error("cannot run `{}`", Untrusted::new(program.clone()))]
    CannotRun {
        /// The command.
        program: String,
        #[source]
        /// Why.
        source: std::io::Error,
    },
}

fn list(granted: &[Role]) -> String {
    if granted.is_empty() {
        String::new()
    } else {
        format!("; it grants: {}", granted.iter().map(Role::as_str).collect::<Vec<_>>().join(", "))
    }
}

/// What kind of failure it is, for a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything else.
    Other,
    /// The command line or the configuration.
    Usage,
    /// The identity provider or the cloud said no.
    Refused,
    /// Somebody would have to answer.
    NeedsPerson,
    /// No connection.
    Network,
    /// The child's file is there and cannot be run.
    NotRunnable,
    /// There is no such child.
    NotFound,
}

impl Error {
    /// What kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Config(ConfigError::File(_)) => Kind::Other,
            Self::Config(ConfigError::Twice { .. }) => Kind::NeedsPerson,
            Self::Config(_) => Kind::Usage,
            Self::SignIn(error) => match error {
                SignInError::Refused { .. }
                | SignInError::WrongPassword { .. }
                | SignInError::FactorRefused { .. }
                | SignInError::WrongAddressee { .. } => Kind::Refused,
                SignInError::FactorUnsupported { .. } => Kind::Refused,
                SignInError::Ambiguous { .. }
                | SignInError::Unanswered { .. }
                | SignInError::NeedsBrowser { .. }
                | SignInError::NeedsSignIn { .. } => Kind::NeedsPerson,
                SignInError::NoPortal { .. } | SignInError::WrongRegion { .. } => Kind::Usage,
                SignInError::Tokens(_) => Kind::Other,
                SignInError::Browse(BrowseError::Transport(error)) => transport_kind(error),
                SignInError::NoIdToken { .. } => Kind::Usage,
                SignInError::Oidc(error) => oidc_kind(error),
                SignInError::Browser(error) => browser_kind(error),
                SignInError::Browse(_) | SignInError::Unrecognised { .. } | SignInError::Garbled { .. } => Kind::Other,
            },
            Self::Cloud(error) | Self::NotAssumed { why: error, .. } => cloud_kind(error),
            Self::Transport(error) => transport_kind(error),
            Self::Chain(ChainError::Store(_)) => Kind::Other,
            Self::Chain(_) | Self::TwoPolicies { .. } => Kind::Usage,
            Self::Browser(_) => Kind::Other,
            Self::TokenRefused { .. } => Kind::Refused,
            Self::Store(StoreError::NotOurs { .. }) => Kind::Usage,
            Self::Store(_) => Kind::Other,
            Self::Unchosen { why: Unchosen::Ambiguous, .. } => Kind::NeedsPerson,
            Self::Unchosen { .. } => Kind::Refused,
            Self::PasswordCommand { .. } | Self::NoPolicy { .. } | Self::Trust(_) => Kind::Usage,
            Self::CannotRun { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Kind::NotFound,
            Self::CannotRun { .. } => Kind::NotRunnable,
        }
    }

    /// What to do now, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Config(error) => return config_hint(error),
            Self::SignIn(error) => return sign_in_hint(error),
            Self::TokenRefused { refused, claims, now } => return Some(token_hint(refused, claims, *now)),
            Self::Trust(error) => return error.hint().map(str::to_owned),
            Self::Cloud(CloudError::NotConfigured { what: Lack::Role, .. }) => {
                "name it with `--role ARN`, `SAML2CLOUD_ROLE`, or `role_arn` in the account".to_owned()
            }
            Self::Cloud(CloudError::NotConfigured { what: Lack::OidcProvider, .. }) => {
                "name it with `--oidc-provider-arn ARN`, `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`, or `oidc_provider_arn` in the account"
                    .to_owned()
            }
            Self::Cloud(CloudError::Refused { too_long: true, .. }) => {
                "a shorter session is asked for with `--session-duration 3600`".to_owned()
            }
            Self::Cloud(CloudError::Refused { code, .. }) if code.raw().contains("Expired") => {
                "the cloud takes a SAML response for about five minutes; is this machine's clock right?".to_owned()
            }
            Self::Cloud(CloudError::NoAccess { .. }) => {
                "a role that was granted a moment ago is seen after a new sign-in only: `saml2cloud logout`, then `login`; `saml2cloud \
                 list-roles` shows what you may take"
                    .to_owned()
            }
            Self::Cloud(CloudError::SignedOut { .. }) => "`saml2cloud logout`, then `saml2cloud login`, begins a new session".to_owned(),
            Self::Cloud(error @ (CloudError::Vending { .. } | CloudError::Unlimited { .. } | CloudError::ProofDue { .. })) => return vending_hint(error),
            Self::Cloud(CloudError::Refused { status: 429, .. }) => {
                "the portal takes about twenty requests a second from a person; try again in a minute".to_owned()
            }
            Self::Cloud(CloudError::NoRoles { other: Some(other), .. }) => {
                format!(
                    "is the account's `url` the one for the other cloud? An account for {} is configured with `--cloud {other}`",
                    other.title()
                )
            }
            Self::Cloud(CloudError::NoRoles { cloud, .. }) => {
                let attribute = match cloud {
                    CloudId::Aws => "https://aws.amazon.com/SAML/Attributes/Role",
                    CloudId::Alibaba => "https://www.aliyun.com/SAML-Role/Attributes/Role",
                };
                format!("the roles are granted at the identity provider, in the attribute `{attribute}`")
            }
            Self::Cloud(CloudError::ConsoleRefused { cloud: CloudId::Alibaba, .. }) => {
                "Alibaba Cloud does not promise this way in to every account; the account's `url`, opened in a browser, signs in to the console too".to_owned()
            }
            Self::Browser(_) => "`--link` prints the address, for a browser that you open yourself".to_owned(),
            Self::Cloud(CloudError::Transport(error)) | Self::Transport(error) => return network_hint(error),
            Self::Chain(error) => return chain_hint(error),
            Self::NotAssumed { why, has_external_id, .. } => return not_assumed_hint(why, *has_external_id),
            Self::Store(StoreError::NotOurs { .. }) => {
                "choose another profile with `--profile NAME`, or overwrite this one with `--force-profile`".to_owned()
            }
            Self::Unchosen { why: Unchosen::Ambiguous, .. } => {
                "name one with `--role ARN`, `SAML2CLOUD_ROLE`, or `role_arn` in the account".to_owned()
            }
            Self::Unchosen { why: Unchosen::Absent(_), .. } => {
                "`saml2cloud list-roles` shows the roles that you may take".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

fn cloud_kind(error: &CloudError) -> Kind {
    match error {
        CloudError::Refused { .. }
        | CloudError::NoRoles { .. }
        | CloudError::BadRoles { .. }
        | CloudError::ConsoleRefused { .. }
        | CloudError::NoAccess { .. } => Kind::Refused,
        CloudError::SignedOut { .. } | CloudError::ProofDue { .. } => Kind::NeedsPerson,
        CloudError::Vending { status, .. } if *status >= 500 => Kind::Other,
        CloudError::Vending { .. } | CloudError::Unlimited { .. } => Kind::Refused,
        CloudError::Response(crate::saml::BadResponse::Failed(_)) => Kind::Refused,
        CloudError::Endpoint { .. }
        | CloudError::NotConfigured { .. }
        | CloudError::PortalAddress { .. }
        | CloudError::NoPortal(_) => Kind::Usage,
        CloudError::Transport(error) => transport_kind(error),
        CloudError::Garbled { .. }
        | CloudError::PortalGarbled { .. }
        | CloudError::Mismatch
        | CloudError::Response(_)
        | CloudError::NoSigninToken { .. }
        | CloudError::NoConsole { .. } => Kind::Other,
    }
}

/// An answer that is too long is no failure of the network.
fn transport_kind(error: &TransportError) -> Kind {
    match error {
        TransportError::TooLong { .. } | TransportError::Setup(_) => Kind::Other,
        TransportError::Unreachable { .. } | TransportError::Untrusted { .. } | TransportError::Late { .. } => Kind::Network,
    }
}

fn browser_kind(error: &BrowserError) -> Kind {
    match error {
        BrowserError::NotFound { .. } | BrowserError::NotBuilt => Kind::Usage,
        BrowserError::CannotStart { .. }
        | BrowserError::Profile(_)
        | BrowserError::Ended { .. }
        | BrowserError::Silent { .. }
        | BrowserError::Garbled { .. } => Kind::Other,
        BrowserError::Unreachable { .. } => Kind::Network,
        BrowserError::Closed { .. } | BrowserError::Late { .. } | BrowserError::NoWindow { .. } | BrowserError::Busy { .. } => {
            Kind::NeedsPerson
        }
    }
}

fn oidc_kind(error: &OidcError) -> Kind {
    match error {
        OidcError::Issuer { .. } | OidcError::NotOffered { .. } => Kind::Usage,
        OidcError::Refused { .. } | OidcError::Denied { .. } | OidcError::Mismatch { .. } | OidcError::Token { .. } => {
            Kind::Refused
        }
        OidcError::Late { .. } => Kind::NeedsPerson,
        OidcError::Garbled { .. } | OidcError::PortTaken { .. } | OidcError::Listen(_) => Kind::Other,
        OidcError::Transport(error) => transport_kind(error),
    }
}
