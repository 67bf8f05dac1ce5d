//! Everything that can go wrong in a use case: whose fault it is, and what to do.

use crate::ask::{NoAnswer, Topic};
use crate::cloud::{CloudError, Lack, StoreError};
use crate::config::{ConfigError, Key};
use crate::http::BrowseError;
use crate::idp::SignInError;
use crate::oidc::{BadJwt, OidcError};
use crate::types::{Claims, CloudId, Role, Timestamp, Unchosen, Untrusted};
use crate::world::TransportError;

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
    /// The network could not be set up.
    #[error(transparent)]
    Transport(#[from] TransportError),
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
                SignInError::Browse(_) | SignInError::Unrecognised { .. } | SignInError::Garbled { .. } => Kind::Other,
            },
            Self::Cloud(CloudError::Refused { .. } | CloudError::NoRoles { .. } | CloudError::BadRoles { .. }) => Kind::Refused,
            Self::Cloud(CloudError::Response(crate::saml::BadResponse::Failed(_))) => Kind::Refused,
            Self::TokenRefused { .. } | Self::Cloud(CloudError::NoAccess { .. }) => Kind::Refused,
            Self::Cloud(CloudError::SignedOut { .. }) => Kind::NeedsPerson,
            Self::Cloud(
                CloudError::Endpoint { .. }
                | CloudError::NotConfigured { .. }
                | CloudError::PortalAddress { .. }
                | CloudError::NoPortal(_),
            ) => Kind::Usage,
            Self::Cloud(CloudError::Transport(error)) | Self::Transport(error) => transport_kind(error),
            Self::Cloud(
                CloudError::Garbled { .. } | CloudError::PortalGarbled { .. } | CloudError::Response(_) | CloudError::Mismatch,
            ) => Kind::Other,
            Self::Store(StoreError::NotOurs { .. }) => Kind::Usage,
            Self::Store(_) => Kind::Other,
            Self::Unchosen { why: Unchosen::Ambiguous, .. } => Kind::NeedsPerson,
            Self::Unchosen { .. } => Kind::Refused,
            Self::PasswordCommand { .. } | Self::NoPolicy { .. } => Kind::Usage,
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
            Self::Cloud(CloudError::Transport(error)) | Self::Transport(error) => return network_hint(error),
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

/// An answer that is too long is no failure of the network.
fn transport_kind(error: &TransportError) -> Kind {
    match error {
        TransportError::TooLong { .. } | TransportError::Setup(_) => Kind::Other,
        TransportError::Unreachable { .. } | TransportError::Untrusted { .. } | TransportError::Late { .. } => Kind::Network,
    }
}

fn config_hint(error: &ConfigError) -> Option<String> {
    Some(match error {
        ConfigError::Unknown { known, .. } if known.is_empty() => "`saml2cloud configure` makes one".to_owned(),
        ConfigError::Unknown { .. } => {
            "choose one with `--idp-account NAME`, or make it with `saml2cloud configure --idp-account NAME`".to_owned()
        }
        ConfigError::NoCloud(_) => {
            "a role by its full name tells it (`--role ARN`), or `--cloud aws` or `--cloud alibaba` (`SAML2CLOUD_CLOUD`)"
                .to_owned()
        }
        ConfigError::Twice { .. } => "say which with `--cloud aws` or `--cloud alibaba` (`SAML2CLOUD_CLOUD`)".to_owned(),
        ConfigError::OtherCloud { .. } => "give the new account another name with `--idp-account NAME`".to_owned(),
        ConfigError::Missing { key, .. } => how_to_set(*key)?,
        ConfigError::UnknownProvider { meant: Some(meant), .. } => format!("did you mean `{meant}`?"),
        ConfigError::UnknownProvider { .. } => {
            let known: Vec<&str> = crate::idp::PROVIDERS.iter().map(|p| p.id()).collect();
            format!("there are {}", known.join(", "))
        }
        ConfigError::NotBuilt(_) => {
            "`Form` signs in to any provider whose sign-in is made of HTML forms: `saml2cloud configure --idp-provider Form`"
                .to_owned()
        }
        _ => return None,
    })
}

fn how_to_set(key: Key) -> Option<String> {
    Some(format!(
        "set it with `{}` or `SAML2CLOUD_{}`, or in the account with `saml2cloud configure`",
        key.flag()?,
        key.variable()?
    ))
}

fn sign_in_hint(error: &SignInError) -> Option<String> {
    Some(match error {
        SignInError::Unanswered { topic, why: NoAnswer::NotHere } => match topic {
            Topic::Username => "set `SAML2CLOUD_USERNAME`, or give `--username`".to_owned(),
            Topic::Password => "set `SAML2CLOUD_PASSWORD`".to_owned(),
            Topic::Otp => "give `--mfa-token CODE`, or set `SAML2CLOUD_MFA_TOKEN`".to_owned(),
            Topic::Factor => "name one with `--mfa NAME`, or set `SAML2CLOUD_MFA`".to_owned(),
            Topic::Role => "name one with `--role ARN`, or set `SAML2CLOUD_ROLE`".to_owned(),
            Topic::Cloud => "name one with `--cloud NAME`, or set `SAML2CLOUD_CLOUD`".to_owned(),
            Topic::Field("sso_region") => {
                "set it with `--sso-region REGION`, `SAML2CLOUD_SSO_REGION`, or `sso_region` in the account".to_owned()
            }
            Topic::Field(_) => return None,
        },
        SignInError::Ambiguous { .. } => "name one with `--mfa NAME`, or set `SAML2CLOUD_MFA`".to_owned(),
        SignInError::FactorUnsupported { can, .. } if can.is_empty() => {
            "set up a time-based code or a push at the identity provider".to_owned()
        }
        SignInError::FactorUnsupported { can, .. } => format!("choose another with `--mfa`: {}", can.join(", ")),
        SignInError::WrongAddressee { .. } => {
            "is `url` the address for this cloud? A known further address goes into the account as `target_url`".to_owned()
        }
        SignInError::Unrecognised { .. } => {
            "`--verbose` shows the addresses on the way; pages that work only with a script cannot be read".to_owned()
        }
        SignInError::Browse(BrowseError::Transport(error)) => return network_hint(error),
        SignInError::NeedsSignIn { .. } => {
            "sign in with `saml2cloud login`, on a machine without browser and terminal with `--device`; `auto_login = true` in the \
             account lets `credential-process` begin a sign-in too"
                .to_owned()
        }
        SignInError::NoPortal { .. } => {
            "the start URL is on the portal's page, and in the invitation: `https://NAME.awsapps.com/start`".to_owned()
        }
        SignInError::WrongRegion { is, .. } => format!("set it with `--sso-region {is}`, or `sso_region` in the account"),
        SignInError::NoIdToken { hint, .. } => (*hint).to_owned(),
        SignInError::Oidc(error) => return oidc_hint(error),
        SignInError::NeedsBrowser { .. } => {
            "a token from elsewhere is taken with `--oidc-token-file FILE` or `--oidc SOURCE`; `--oidc client` needs no person"
                .to_owned()
        }
        _ => return None,
    })
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

fn oidc_hint(error: &OidcError) -> Option<String> {
    Some(match error {
        OidcError::Issuer { .. } => {
            "`url` is the issuer exactly as it stands in its tokens, without `/.well-known/openid-configuration`".to_owned()
        }
        OidcError::NotOffered { .. } => {
            "`--oidc browser`, `--oidc device` and `--oidc client` are the ways to get a token from an issuer".to_owned()
        }
        OidcError::Refused { error, .. } => match error.raw() {
            "invalid_client" | "unauthorized_client" => {
                "is `oidc_client_id` registered there for this way to sign in, and its secret or key the present one?".to_owned()
            }
            "invalid_grant" => "codes are good once and for a short time: sign in again; is this machine's clock right?".to_owned(),
            "invalid_scope" => "`oidc_scope` says what is asked for".to_owned(),
            "redirect_uri_mismatch" | "invalid_redirect_uri" => {
                "the issuer knows other addresses for this client: `oidc_redirect_uri` names one".to_owned()
            }
            _ => return None,
        },
        OidcError::Late { .. } => "run the command again and finish the sign-in in the browser".to_owned(),
        OidcError::PortTaken { .. } => {
            "end that program, or name another port with `redirect_port` (IAM Identity Center) or `oidc_redirect_uri`; without one any free one is taken".to_owned()
        }
        OidcError::Token { source: BadJwt::NotThreeParts, .. } => {
            "issuers give JSON Web Tokens as ID tokens; for access tokens many must be told an audience (`oidc_audience`, `oidc_resource`)"
                .to_owned()
        }
        OidcError::Mismatch { .. } => "nothing of that answer was used; sign in again, from this terminal only".to_owned(),
        _ => return None,
    })
}

/// What to do about a token that a cloud refused.
fn token_hint(refused: &CloudError, claims: &Claims, now: Timestamp) -> String {
    let CloudError::Refused { cloud, code, too_long, .. } = refused else { return String::new() };
    let skew = std::time::Duration::from_secs(60);
    let is_off = claims.exp.is_some_and(|exp| exp < now) || claims.iat.is_some_and(|iat| iat > now.after(skew));
    let code = code.raw();
    let hint = if *too_long {
        "a shorter session is asked for with `--session-duration 3600`"
    } else if code.contains("Expired") {
        "get a new token: this one is over, or was issued too long ago"
    } else if code.contains("AccessDenied") || code.contains("NoPermission") || code == "IDPRejectedClaim" {
        "the role's trust policy has to name this issuer's OIDC provider, this audience and this subject"
    } else {
        match cloud {
            CloudId::Aws => "the account needs an OIDC provider for exactly this issuer, with this audience among its client IDs",
            CloudId::Alibaba => "the OIDC provider has to be of exactly this issuer, with this audience among its client IDs",
        }
    };
    match is_off {
        true => format!("{hint}; this machine's clock says {now}: is it right?"),
        false => hint.to_owned(),
    }
}

fn network_hint(error: &TransportError) -> Option<String> {
    Some(match error {
        TransportError::Untrusted { .. } => {
            "a company's own authority is added with `SSL_CERT_FILE`; `--skip-verify` trusts any certificate of the identity provider".to_owned()
        }
        TransportError::Unreachable { .. } | TransportError::Late { .. } => {
            "is the network up? A proxy is set with `HTTPS_PROXY`, and hosts beside it with `NO_PROXY`".to_owned()
        }
        _ => return None,
    })
}
