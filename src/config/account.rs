//! An account, valid by construction.

use std::time::Duration;

use super::{ConfigError, Draft, Found, Key, Origin};
use crate::cloud::{Configured, Place};
use crate::idp::{self, Idp, KNOWN_ELSEWHERE, PROFILE_MODE, PROVIDERS, Provider, Settings};
use crate::types::{
    AccountName, CloudId, IdpArn, ProfileName, Region, Role, RoleWish, SessionDuration, Username, WebUrl, switch,
};

/// The profile of an account that names none, as in the old tools.
const DEFAULT_PROFILE: &str = "saml";

/// An account that needs no further checking.
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// Its cloud.
    pub cloud: CloudId,
    /// The word of its provider, which may be one that is not built yet: credentials that are still fresh are handed out all the same.
    pub provider: &'static str,
    /// Where a sign-in starts; the cloud itself where it needs no other place.
    pub url: WebUrl,
    /// The same to the letter as it was written: the old tools name what they keep by it.
    pub url_as_written: String,
    /// Who signs in, if the account says.
    pub username: Option<Username>,
    /// Which role.
    pub role: RoleWish,
    /// What the account offers where the assertion lists no roles.
    pub configured: Configured,
    /// Where the keys go.
    pub profile: ProfileName,
    /// Roles with a profile of their own, so that the full role's keys do not land in the everyday profile.
    profiles: Vec<(RoleWish, ProfileName)>,
    /// The command that knows the password.
    pub password_command: Option<String>,
    /// What limits the keys further.
    pub limits: Limits,
    /// The file of profiles, if it is not the usual one.
    pub credentials_file: Option<String>,
    /// How long the keys should last, if flag or account say.
    pub duration: Option<SessionDuration>,
    /// Where to ask the cloud.
    pub place: Place,
    /// What of this a flag or a variable says: it also counts for a role that is assumed on top of the login, before that role's profile.
    pub given: Given,
    /// How the identity provider is talked to.
    pub idp: IdpSettings,
    /// Where SAML responses are kept for the next sign-in.
    pub responses: Responses,
    /// The program that asks for passwords and codes, if it is not the terminal.
    pub prompter: Option<String>,
    /// Whether it is a profile of the cloud's own configuration: its keys are not written anywhere, because its tools get them themselves.
    pub is_foreign: bool,
    /// The profile by which it was named, whose role is assumed on top of the login.
    pub on_top: Option<ProfileName>,
    /// The provider's own settings, checked when it is opened.
    own: Vec<(&'static str, String)>,
}

/// What limits the keys further than their role does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// A file with a policy.
    pub policy_file: Option<String>,
    /// Policies by their ARNs (AWS).
    pub policy_arns: Vec<String>,
}

/// Where the SAML response of a sign-in is kept for as long as it is good.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Responses {
    /// Nowhere.
    #[default]
    Nowhere,
    /// With the passwords.
    Vault,
    /// In this file, in the old tool's form.
    File(String),
}

/// What flags and variables say of keys, as against the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// How long they should last.
    pub duration: Option<SessionDuration>,
    /// The region.
    pub region: Option<Region>,
}

/// How the identity provider is talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpSettings {
    /// The second factor's word.
    pub mfa: String,
    /// Whether any certificate will do.
    pub skip_verify: bool,
    /// The entity ID, if it is not the cloud's usual one.
    pub urn: Option<String>,
    /// A further address where the response may be received.
    pub target: Option<WebUrl>,
    /// How often a GET is tried.
    pub attempts: u32,
    /// The pause before the second try.
    pub retry_pause: Duration,
}

impl Account {
    /// Checks a draft.
    ///
    /// # Errors
    /// [`ConfigError`] names the key and what is wrong with it.
    pub fn check(found: &Found, draft: &Draft) -> Result<Self, ConfigError> {
        let (name, cloud) = (&found.name, found.cloud);
        let bad = |key: Key, why: String| {
            let place = match (draft.origin(key), key.flag()) {
                (Some(Origin::Variable(variable)), _) => format!("`{variable}`"),
                (Some(Origin::Given), Some(flag)) => format!("`{flag}`"),
                _ => format!("`{}` of account `{name}`", key.in_file(cloud)),
            };
            ConfigError::Bad { place, why }
        };
        let needed = |key: Key| draft.get(key).ok_or(ConfigError::Missing { name: name.to_string(), key, cloud });
        let role = match draft.get(Key::Role) {
            None => RoleWish::Any,
            Some(text) => RoleWish::parse(text).map_err(|e| bad(Key::Role, e.to_string()))?,
        };
        if let RoleWish::Arn(role) = &role
            && role.cloud() != cloud
        {
            return Err(bad(
                Key::Role,
                format!("it is a role of {}, and the account is for {}", role.cloud().title(), cloud.title()),
            ));
        }
        let url = |key: Key| match draft.get(key) {
            None => Ok(None),
            Some(text) => WebUrl::parse(text).map(Some).map_err(|e| bad(key, e.to_string())),
        };
        let region = |text: &str| Region::parse(text).map_err(|e| bad(Key::Region, e.to_string()));
        // The provider is complained of last, as it always was.
        let needs_url = draft.get(Key::Provider).and_then(idp::find).is_none_or(|provider| provider.needs_url());
        if needs_url {
            needed(Key::Url)?;
        }
        let provider = provider_word(needed(Key::Provider)?)?;
        let portal_of = idp::find(provider).and_then(|provider| provider.portal_of());
        let is_portal = portal_of.is_some();
        let is_vended = !is_portal && idp::find(provider).is_some_and(|provider| provider.is_portal());
        if let Some(own) = portal_of.filter(|own| *own != cloud) {
            return Err(bad(
                Key::Provider,
                format!("it is the portal of {}, and the account is for {}", own.title(), cloud.title()),
            ));
        }
        if is_portal && matches!(role, RoleWish::Arn(_)) && role.at_portal().is_none() {
            return Err(bad(
                Key::Role,
                "a sign-in portal's roles are named `ACCOUNT/NAME`, like `123456789012/Admin`".to_owned(),
            ));
        }
        if let Some(key) = [Key::PolicyFile, Key::PolicyArns].into_iter().find(|key| is_portal && draft.get(*key).is_some()) {
            return Err(bad(key, "the roles of a sign-in portal cannot be limited further".to_owned()));
        }
        if is_vended && draft.get(Key::PolicyArns).is_some() {
            return Err(bad(Key::PolicyArns, "a token vending machine takes the policy itself (`policy_file`)".to_owned()));
        }
        let clouds = || {
            WebUrl::parse(&format!("https://{}/", crate::cloud::find(cloud).service_provider(None, None).web_identity.audience))
                .ok()
        };
        let idp_arn = match draft.get(Key::OidcProviderArn) {
            None => None,
            Some(text) => Some(oidc_provider(text, cloud).map_err(|why| bad(Key::OidcProviderArn, why))?),
        };
        let fields = idp::find(provider).map_or(&[][..], |provider| provider.fields());
        let is_given = |key: Key| matches!(draft.origin(key), Some(Origin::Given | Origin::Variable(_)));
        let duration = duration(draft).map_err(|e| bad(Key::SessionDuration, e.to_string()))?;
        let region = draft.get(Key::Region).map(region).transpose()?;
        Ok(Self {
            name: name.clone(),
            cloud,
            provider,
            is_foreign: found.is_foreign,
            on_top: found.on_top.clone(),
            own: fields.iter().filter_map(|f| Some((f.key, draft.other(f.key)?.to_owned()))).collect(),
            url: url(Key::Url)?.or_else(clouds).ok_or(ConfigError::Missing { name: name.to_string(), key: Key::Url, cloud })?,
            url_as_written: draft.get(Key::Url).unwrap_or_default().to_owned(),
            username: draft.get(Key::Username).map(Username::parse).transpose()?,
            configured: Configured {
                role: if let RoleWish::Arn(role) = &role { Some(role.clone()) } else { None },
                idp: idp_arn,
            },
            role,
            profile: ProfileName::parse(draft.get(Key::Profile).unwrap_or(DEFAULT_PROFILE))?,
            profiles: match draft.get(Key::Profiles) {
                None => Vec::new(),
                Some(text) => profiles(text).map_err(|why| bad(Key::Profiles, why))?,
            },
            password_command: draft.get(Key::PasswordCommand).map(str::to_owned),
            limits: Limits {
                policy_file: draft.get(Key::PolicyFile).map(str::to_owned),
                policy_arns: draft
                    .get(Key::PolicyArns)
                    .unwrap_or_default()
                    .split(',')
                    .map(|arn| arn.trim().to_owned())
                    .filter(|arn| !arn.is_empty())
                    .collect(),
            },
            credentials_file: draft.get(Key::CredentialsFile).map(str::to_owned),
            given: Given {
                duration: duration.filter(|_| is_given(Key::SessionDuration)),
                region: region.clone().filter(|_| is_given(Key::Region)),
            },
            responses: match (
                is_on(draft, Key::SamlCache).map_err(|why| bad(Key::SamlCache, why))?,
                draft.get(Key::SamlCacheFile),
            ) {
                (false, _) => Responses::Nowhere,
                (true, None) => Responses::Vault,
                (true, Some(path)) => Responses::File(path.to_owned()),
            },
            prompter: prompter(draft.get(Key::Prompter)).map_err(|why| bad(Key::Prompter, why))?,
            duration,
            place: Place { region, sts: draft.get(Key::StsEndpoint).map(str::to_owned) },
            idp: IdpSettings {
                mfa: draft.get(Key::Mfa).unwrap_or("Auto").to_owned(),
                skip_verify: is_on(draft, Key::SkipVerify).map_err(|why| bad(Key::SkipVerify, why))?,
                urn: draft.get(Key::Urn).map(str::to_owned),
                target: url(Key::TargetUrl)?,
                // Text that is no number means the default, as in the old tools.
                attempts: draft.get(Key::HttpAttempts).and_then(|text| text.parse().ok()).unwrap_or(1),
                retry_pause: Duration::from_secs(
                    draft.get(Key::HttpRetryDelay).and_then(|text| text.parse().ok()).unwrap_or(1).min(60),
                ),
            },
        })
    }

    /// The profile for the keys of `role`.
    pub fn profile_for(&self, role: &Role) -> &ProfileName {
        self.profiles.iter().find(|(wish, _)| wish.is(role)).map_or(&self.profile, |(_, profile)| profile)
    }

    /// Every profile that it writes to.
    pub fn every_profile(&self) -> impl Iterator<Item = &ProfileName> {
        std::iter::once(&self.profile).chain(self.profiles.iter().map(|(_, profile)| profile))
    }

    /// Whether its profiles hold the session at the sign-in portal beside the keys.
    pub fn profiles_hold_session(&self) -> bool {
        self.is_portal() && self.own.iter().any(|(key, mode)| *key == PROFILE_MODE && mode.trim() == "CloudSSO")
    }

    /// Whether its roles and keys come from a sign-in portal: a cloud's own, or a token vending machine.
    pub fn is_portal(&self) -> bool {
        idp::find(self.provider).is_some_and(|provider| provider.is_portal())
    }

    /// Whether its roles are those of a cloud's own sign-in portal, which have no full names: `ACCOUNT/NAME`.
    pub fn has_portal_roles(&self) -> bool {
        idp::find(self.provider).is_some_and(|provider| provider.portal_of().is_some())
    }

    /// The provider, described; an error when it is not built yet.
    ///
    /// # Errors
    /// [`ConfigError::NotBuilt`].
    pub fn provider(&self) -> Result<&'static dyn Provider, ConfigError> {
        idp::find(self.provider).ok_or(ConfigError::NotBuilt(self.provider))
    }

    /// The provider, configured for this account.
    ///
    /// # Errors
    /// [`ConfigError::NotBuilt`], or the provider's own complaint.
    pub fn open_idp(&self) -> Result<Box<dyn Idp>, ConfigError> {
        let provider = self.provider()?;
        let own = |key: &str| self.own.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
        let settings = Settings::new(self.url.clone(), &self.idp.mfa);
        let settings = settings.with_url_as_written(&self.url_as_written).with_own(provider.fields(), own);
        let mut settings = settings.complete(provider.id(), provider.fields())?;
        settings.skip_verify = self.idp.skip_verify;
        settings.has_url = !self.url_as_written.is_empty();
        Ok(provider.open(&settings)?)
    }

    /// The provider's own settings as they were typed: what else credentials depend on.
    pub(crate) fn own(&self) -> &[(&'static str, String)] {
        &self.own
    }
}

/// The exact word of a provider, built or known from the old tools.
pub(crate) fn provider_word(given: &str) -> Result<&'static str, ConfigError> {
    let all = || PROVIDERS.iter().map(|p| p.id()).chain(KNOWN_ELSEWHERE.iter().copied());
    all().find(|id| *id == given).ok_or_else(|| ConfigError::UnknownProvider {
        given: given.escape_debug().to_string(),
        meant: all().find(|id| id.eq_ignore_ascii_case(given)),
    })
}

/// The OpenID Connect provider's entry, in the account's cloud.
fn oidc_provider(text: &str, cloud: CloudId) -> Result<IdpArn, String> {
    let arn = IdpArn::parse(text).map_err(|why| why.to_string())?;
    match arn.cloud() == cloud && arn.as_str().contains(":oidc-provider/") {
        true => Ok(arn),
        false => Err(format!("`{arn}` is no OIDC provider of {}", cloud.title())),
    }
}

/// `{ "AdminFull" = "production-full" }`.
fn profiles(text: &str) -> Result<Vec<(RoleWish, ProfileName)>, String> {
    let pairs = super::toml::table_in(text).ok_or("it should look like `{ \"ROLE\" = \"PROFILE\" }`")?;
    let parse = |(role, profile): &(String, String)| {
        Ok((RoleWish::parse(role).map_err(|e| e.to_string())?, ProfileName::parse(profile).map_err(|e| e.to_string())?))
    };
    pairs.iter().map(parse).collect()
}

fn duration(draft: &Draft) -> Result<Option<SessionDuration>, crate::types::BadDuration> {
    match draft.get(Key::SessionDuration) {
        None | Some("0") => Ok(None),
        Some("3600") if draft.default_duration_is_unset => Ok(None),
        Some(text) => SessionDuration::parse(text).map(Some),
    }
}

/// The program that asks, by the old tool's words for it.
fn prompter(word: Option<&str>) -> Result<Option<String>, String> {
    match word {
        None | Some("default" | "survey") => Ok(None),
        Some(name) if (name == "pinentry" || name.starts_with("pinentry-")) && !name.contains(['/', '\\']) => {
            Ok(Some(name.to_owned()))
        }
        Some(other) => Err(format!("`{}` is none of `default`, `pinentry` and `pinentry-…`", other.escape_debug())),
    }
}

fn is_on(draft: &Draft, key: Key) -> Result<bool, String> {
    draft.get(key).map_or(Ok(false), |word| switch(word).map_err(|why| why.to_string()))
}
