//! What to do, by what went wrong.

use crate::ask::{NoAnswer, Topic};
use crate::cloud::{ChainError, CloudError};
use crate::config::{ConfigError, Key};
use crate::http::BrowseError;
use crate::idp::{BrowserError, SignInError};
use crate::oidc::{BadJwt, OidcError};
use crate::types::{Claims, CloudId, Timestamp};
use crate::world::TransportError;

/// What to do where a role on top of the login was not given.
pub(super) fn chain_hint(error: &ChainError) -> Option<String> {
    Some(match error {
        ChainError::Unknown { by: Some(_), .. } => {
            "the account's own profile stands for its login; a role without `source_profile` is assumed with the login's keys"
                .to_owned()
        }
        ChainError::Unknown { .. } => "`--exec-profile` (`SAML2CLOUD_EXEC_PROFILE`) names a profile with a role".to_owned(),
        ChainError::NoRole { .. } => "without `--exec-profile`, a command gets the keys of the login".to_owned(),
        _ => return None,
    })
}

pub(super) fn not_assumed_hint(why: &CloudError, has_external_id: bool) -> Option<String> {
    Some(match why {
        CloudError::Refused { too_long: true, .. } => {
            "a shorter session is asked for with `--session-duration 3600`, or by the profile".to_owned()
        }
        CloudError::Refused { code, .. } if is_about_keys(code.raw()) => "`--force` signs in anew".to_owned(),
        CloudError::Refused { code, .. } if matches!(code.raw(), "AccessDenied" | "NoPermission") && !has_external_id => {
            "the role must trust whoever asks; if it wants an external ID, the profile's `external_id` gives it".to_owned()
        }
        CloudError::Transport(error) => return network_hint(error),
        _ => return None,
    })
}

/// What to do where a token vending machine gave no keys, by its word for the reason.
pub(super) fn vending_hint(error: &CloudError) -> Option<String> {
    let (code, wait) = match error {
        CloudError::ProofDue { .. } => {
            return Some(
                "the sign-in that was just made was not anew: does the identity provider ask for the password again?".to_owned(),
            );
        }
        CloudError::Vending { code, wait, .. } => (code.raw(), *wait),
        CloudError::Unlimited { .. } => ("client_exchange", None),
        _ => return None,
    };
    Some(match code {
        "not_in_pool" => "an owner of a cloud account, or an administrator of that server, adds people".to_owned(),
        "not_found" | "forbidden" => {
            "`saml2cloud list-roles` shows the roles that you may take now; an owner of the account grants others".to_owned()
        }
        "window_too_short" => {
            "your membership ends in less than fifteen minutes, the shortest session there is; whoever granted it can prolong it"
                .to_owned()
        }
        "consent_required" => "an administrator of that server can say when a second person's consent can be given".to_owned(),
        "client_exchange" => "leave the session policy out (`--policyfile`, `policy_file`) to get the keys without it".to_owned(),
        "not_vended" => "the owners of the account hand this role out by hand".to_owned(),
        "rate_limited" => match wait {
            Some(wait) => format!("try again in {} seconds", wait.as_secs().max(1)),
            None => "try again in a minute".to_owned(),
        },
        "store_unavailable" | "audit_unavailable" | "kms_unavailable" => {
            "nothing was handed out; keys that you have stay good. Try again in a while, or tell whoever runs that server".to_owned()
        }
        "cloud_error" | "provider_missing" => {
            "the cloud account does not take what that server signs: its owners look at the account's identity provider there and \
             at the role's trust"
                .to_owned()
        }
        _ => return None,
    })
}

/// Whether a refusal is about the keys that asked, and not about the role.
fn is_about_keys(code: &str) -> bool {
    code.starts_with("ExpiredToken")
        || code == "InvalidClientTokenId"
        || code.starts_with("InvalidSecurityToken")
        || code.starts_with("InvalidAccessKeyId")
}

pub(super) fn browser_hint(error: &BrowserError) -> Option<String> {
    Some(match error {
        BrowserError::NotFound { .. } => {
            "install one, or name its program with `--browser-executable-path FILE` (`SAML2CLOUD_BROWSER_EXECUTABLE_PATH`)"
                .to_owned()
        }
        BrowserError::NotBuilt => "`Form` signs in to any provider whose sign-in is made of HTML forms".to_owned(),
        BrowserError::Ended { said, .. } if said.raw().contains("no-sandbox") => {
            "in a container whose only user is root, and only there: `SAML2CLOUD_BROWSER_ARGS=--no-sandbox`".to_owned()
        }
        BrowserError::Ended { .. } | BrowserError::Silent { .. } => {
            "does it start by itself? A company's policy may forbid that it is driven (`RemoteDebuggingAllowed`)".to_owned()
        }
        BrowserError::Unreachable { why, .. } if why.raw().starts_with("net::ERR_CERT") => {
            "the browser trusts the authorities of the system; a company's own is added there, not with `SSL_CERT_FILE`"
                .to_owned()
        }
        BrowserError::Unreachable { .. } => {
            "is the network up, and is `url` right? The browser has the system's proxy".to_owned()
        }
        BrowserError::Late { .. } => "`timeout` in the account gives more time, in milliseconds".to_owned(),
        BrowserError::NoWindow { .. } => {
            "sign in where there is a screen; `browser_autofill` does without one where user name and password are enough"
                .to_owned()
        }
        BrowserError::Busy { .. } => "finish it, or close its window".to_owned(),
        _ => return None,
    })
}

pub(super) fn config_hint(error: &ConfigError) -> Option<String> {
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
        ConfigError::Settings(error) => how_to_set_own(error.key)?,
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

/// The same for a provider's own setting.
fn how_to_set_own(key: &str) -> Option<String> {
    let field = crate::idp::PROVIDERS.iter().flat_map(|provider| provider.fields()).find(|field| field.key == key)?;
    let flag = field.key.replace('_', "-");
    Some(format!("set it with `--{flag}` or `SAML2CLOUD_{}`, or as `{key}` in the account", field.variable))
}

pub(super) fn sign_in_hint(error: &SignInError) -> Option<String> {
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
            Topic::Field(key) => return how_to_set_own(key),
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
        SignInError::Browser(error) => return browser_hint(error),
        _ => return None,
    })
}

pub(super) fn oidc_hint(error: &OidcError) -> Option<String> {
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
pub(super) fn token_hint(refused: &CloudError, claims: &Claims, now: Timestamp) -> String {
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

pub(super) fn network_hint(error: &TransportError) -> Option<String> {
    Some(match error {
        TransportError::Untrusted { .. } => {
            "a company's own authority is added with `SSL_CERT_FILE`; `--skip-verify` trusts any certificate of the identity provider, and never of a portal".to_owned()
        }
        TransportError::Unreachable { .. } | TransportError::Late { .. } => {
            "is the network up? A proxy is set with `HTTPS_PROXY`, and hosts beside it with `NO_PROXY`".to_owned()
        }
        _ => return None,
    })
}
