//! Configuration before it is checked: text by key.

use std::collections::BTreeMap;

use super::Key;
use crate::idp::PROVIDERS;
use crate::types::CloudId;
use crate::world::Env;

/// Settings of providers that are not built: their keys in the file, and the variables of the old tools, to the letter.
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("app_id", &["ONELOGIN_APP_ID"]),
    ("subdomain", &["ONELOGIN_SUBDOMAIN"]),
    ("resource_id", &["SAML2AWS_F5APM_RESOURCE_ID", "SAML2ALIBABACLOUD_F5APM_RESOURCE_ID"]),
    ("mfa_ip_address", &["ONELOGIN_MFA_IP_ADDRESS"]),
];
/// The profile that a `script` of ours put into the shell. It exports that profile as `SAML2AWS_PROFILE`, as saml2aws did, and what comes
/// from there is nobody's wish.
const SCRIPTED: &str = "SAML2CLOUD_SCRIPT_PROFILE";

/// Where a setting was typed, so that a complaint names the right place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the account's section.
    File,
    /// In the environment, in this variable.
    Variable(String),
    /// On the command line, or in answer to a question.
    Given,
}

/// Settings as they were typed. Later layers are put over earlier ones: file, then variables, then flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    values: BTreeMap<Key, (String, Origin)>,
    /// What is said under names that are not every account's: a provider's own settings, and what is nobody's.
    others: BTreeMap<String, String>,
    /// Whose keys the file's section has, if only one cloud's.
    kind: Option<CloudId>,
    /// Whether 3600 seconds means "not set": the old tools wrote it into every section.
    pub(super) default_duration_is_unset: bool,
}

impl Draft {
    /// The value of a setting; an empty one counts as none.
    pub fn get(&self, key: Key) -> Option<&str> {
        self.values.get(&key).map(|(value, _)| value.as_str()).filter(|value| !value.trim().is_empty())
    }

    /// Where a setting was typed.
    pub fn origin(&self, key: Key) -> Option<&Origin> {
        self.values.get(&key).map(|(_, origin)| origin)
    }

    /// Sets a setting of one provider, by its key in the file.
    pub fn set_other(&mut self, name: &str, value: &str) {
        self.others.insert(name.to_owned(), value.to_owned());
    }

    /// What file or variables say of a provider's own setting, by its key in the file.
    pub fn other(&self, name: &str) -> Option<&str> {
        self.others.get(name).map(String::as_str)
    }

    /// The providers' own settings that say something else here than in `below`, by their keys in the file.
    pub fn other_than<'d>(&'d self, below: &'d Self) -> impl Iterator<Item = (&'d str, &'d str)> {
        let pairs = self.others.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.filter(|(name, value)| below.other(name) != Some(value))
    }

    /// Sets a value that was given.
    pub fn set(&mut self, key: Key, value: impl Into<String>) {
        self.values.insert(key, (value.into(), Origin::Given));
    }

    /// The same without a setting.
    #[must_use]
    pub fn without(&self, key: Key) -> Self {
        let mut result = self.clone();
        result.values.remove(&key);
        result
    }

    /// These settings over those: what is set here wins.
    #[must_use]
    pub fn over(&self, below: &Self) -> Self {
        let mut result = below.clone();
        result.others.extend(self.others.iter().map(|(name, value)| (name.clone(), value.clone())));
        for key in Key::ALL {
            if let (Some(_), Some(typed)) = (self.get(key), self.values.get(&key)) {
                result.values.insert(key, typed.clone());
                if key == Key::SessionDuration {
                    result.default_duration_is_unset = false;
                }
            }
        }
        result
    }

    /// The settings that variables give an account of this cloud: `SAML2CLOUD_URL`, else `SAML2AWS_URL` or
    /// `SAML2ALIBABACLOUD_URL`, and so on.
    pub fn from_env(env: &Env, cloud: Option<CloudId>) -> Self {
        let mut draft = Self::default();
        for key in Key::ALL {
            if let Some((name, value)) = key.variable().and_then(|name| variable(env, cloud, name)) {
                if name == "SAML2AWS_PROFILE" && env.get(SCRIPTED) == Some(value) {
                    continue;
                }
                draft.values.insert(key, (value.to_owned(), Origin::Variable(name)));
            }
        }
        for field in PROVIDERS.iter().flat_map(|provider| provider.fields()) {
            if let Some((_, value)) = variable(env, cloud, field.variable).filter(|(_, value)| !value.trim().is_empty()) {
                draft.others.insert(field.key.to_owned(), value.to_owned());
            }
        }
        for (key, names) in ELSEWHERE {
            if let Some((_, value)) = env.first(names) {
                draft.others.insert((*key).to_owned(), value.to_owned());
            }
        }
        // saml2aws called this one differently.
        if draft.get(Key::Urn).is_none()
            && cloud == Some(CloudId::Aws)
            && let Some(urn) = env.get("SAML2AWS_AWS_URN")
        {
            draft.values.insert(Key::Urn, (urn.to_owned(), Origin::Variable("SAML2AWS_AWS_URN".to_owned())));
        }
        // What Alibaba Cloud's own tools call it.
        if draft.get(Key::OidcProviderArn).is_none()
            && cloud == Some(CloudId::Alibaba)
            && let Some(arn) = env.get("ALIBABA_CLOUD_OIDC_PROVIDER_ARN")
        {
            draft
                .values
                .insert(Key::OidcProviderArn, (arn.to_owned(), Origin::Variable("ALIBABA_CLOUD_OIDC_PROVIDER_ARN".to_owned())));
        }
        draft
    }

    /// Takes what a file's section says. Keys that are nobody's do nothing; they stay in the file.
    pub(super) fn from_pairs<'p>(pairs: impl IntoIterator<Item = (&'p str, String)>) -> Self {
        let mut draft = Self::default();
        let mut kinds = [false; 2];
        for (name, value) in pairs {
            kinds[0] |= name.starts_with("aws_");
            kinds[1] |= name.starts_with("alibabacloud_");
            match Key::from_file(name) {
                Some(key) => _ = draft.values.insert(key, (value, Origin::File)),
                None => _ = draft.others.insert(name.to_owned(), value),
            }
        }
        draft.kind = match kinds {
            [true, false] => Some(CloudId::Aws),
            [false, true] => Some(CloudId::Alibaba),
            _ => None,
        };
        draft
    }

    /// The cloud that the names of the section's keys tell.
    pub fn kind_of_keys(&self) -> Option<CloudId> {
        self.kind
    }
}

/// A variable of ours, else the one of the account's cloud, with its whole name.
pub(crate) fn variable<'e>(env: &'e Env, cloud: Option<CloudId>, name: &str) -> Option<(String, &'e str)> {
    let prefixes = match cloud {
        Some(CloudId::Aws) => ["SAML2CLOUD_", "SAML2AWS_"].as_slice(),
        Some(CloudId::Alibaba) => &["SAML2CLOUD_", "SAML2ALIBABACLOUD_"],
        None => &["SAML2CLOUD_"],
    };
    prefixes.iter().map(|prefix| format!("{prefix}{name}")).find_map(|name| env.get(&name).map(|value| (name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `script` of ours was read by the shell, its old line is no wish; whoever sets the variable to something else has one.
    #[test]
    fn what_script_exports_is_no_wish() {
        let profile = |variables: &[(&str, &str)]| {
            let draft = Draft::from_env(&Env::of(variables.iter().copied()), Some(CloudId::Aws));
            draft.get(Key::Profile).map(str::to_owned)
        };
        assert_eq!(profile(&[("SAML2AWS_PROFILE", "prod")]).as_deref(), Some("prod"));
        assert_eq!(profile(&[("SAML2AWS_PROFILE", "prod"), (SCRIPTED, "prod")]), None);
        assert_eq!(profile(&[("SAML2AWS_PROFILE", "mine"), (SCRIPTED, "prod")]).as_deref(), Some("mine"));
        assert_eq!(
            profile(&[("SAML2AWS_PROFILE", "prod"), ("SAML2CLOUD_PROFILE", "x"), (SCRIPTED, "prod")]).as_deref(),
            Some("x")
        );
    }

    #[test]
    fn settings_of_providers_that_are_not_built() {
        let env = Env::of([("ONELOGIN_APP_ID", "4711"), ("SAML2AWS_F5APM_RESOURCE_ID", "/Common/x")]);
        let file = Draft::from_pairs([("app_id", "4711".to_owned()), ("subdomain", "acme".to_owned())]);
        let draft = Draft::from_env(&env, Some(CloudId::Aws)).over(&file);
        assert_eq!((draft.other("app_id"), draft.other("subdomain")), (Some("4711"), Some("acme")));
        assert_eq!(draft.other_than(&file).collect::<Vec<_>>(), [("resource_id", "/Common/x")]);
    }

    #[test]
    fn layers() {
        let file = Draft::from_pairs([
            ("url", "https://file/".to_owned()),
            ("username", "me".to_owned()),
            ("aws_profile", "saml".to_owned()),
            ("disable_sessions", "true".to_owned()),
        ]);
        let env = Env::of([
            ("SAML2AWS_URL", "https://old/"),
            ("SAML2CLOUD_PROFILE", "ours"),
            ("SAML2AWS_PROFILE", "old"),
            ("SAML2AWS_ROLE", ""),
            ("SAML2AWS_OKTA_DISABLE_SESSIONS", "false"),
            ("SAML2AWS_OKTA_DISABLE_REMEMBER_DEVICE", ""),
        ]);
        let draft = Draft::from_env(&env, Some(CloudId::Aws)).over(&file);
        assert_eq!(
            (draft.get(Key::Url), draft.get(Key::Username), draft.get(Key::Profile), draft.get(Key::Role)),
            (Some("https://old/"), Some("me"), Some("ours"), None)
        );
        assert_eq!(Draft::from_env(&env, Some(CloudId::Alibaba)).get(Key::Url), None);
        assert_eq!(draft.kind_of_keys(), Some(CloudId::Aws));
        assert_eq!(
            (draft.other("disable_sessions"), draft.other("disable_remember_device"), draft.other("url")),
            (Some("false"), None, None)
        );
    }
}
