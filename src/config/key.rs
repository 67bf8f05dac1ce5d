//! The settings that every account may have, as one list: from it come the keys of the file, the variables and the manual.

use std::fmt;

use crate::types::CloudId;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is described by `help`")]
pub enum Key {
    Cloud,
    Url,
    Username,
    Provider,
    Mfa,
    SkipVerify,
    Urn,
    SessionDuration,
    Profile,
    Role,
    Region,
    StsEndpoint,
    CredentialsFile,
    TargetUrl,
    HttpAttempts,
    HttpRetryDelay,
    PasswordCommand,
    PolicyFile,
    PolicyArns,
    Profiles,
    SamlCache,
    SamlCacheFile,
    Prompter,
    OidcProviderArn,
}

impl Key {
    /// All, in the order in which they are written.
    pub const ALL: [Self; 24] = [
        Self::Cloud,
        Self::Url,
        Self::Username,
        Self::Provider,
        Self::Mfa,
        Self::SkipVerify,
        Self::Urn,
        Self::SessionDuration,
        Self::Profile,
        Self::Role,
        Self::Region,
        Self::StsEndpoint,
        Self::CredentialsFile,
        Self::TargetUrl,
        Self::HttpAttempts,
        Self::HttpRetryDelay,
        Self::PasswordCommand,
        Self::PolicyFile,
        Self::PolicyArns,
        Self::Profiles,
        Self::SamlCache,
        Self::SamlCacheFile,
        Self::Prompter,
        Self::OidcProviderArn,
    ];

    /// Its name in the accounts file: the old tool's.
    pub fn in_file(self, cloud: CloudId) -> &'static str {
        let per_cloud = |aws, alibaba| if cloud == CloudId::Aws { aws } else { alibaba };
        match self {
            Self::Cloud => "cloud",
            Self::Url => "url",
            Self::Username => "username",
            Self::Provider => "provider",
            Self::Mfa => "mfa",
            Self::SkipVerify => "skip_verify",
            Self::Urn => per_cloud("aws_urn", "alibabacloud_urn"),
            Self::SessionDuration => per_cloud("aws_session_duration", "alibabacloud_session_duration"),
            Self::Profile => per_cloud("aws_profile", "alibabacloud_profile"),
            Self::Role => "role_arn",
            Self::Region => "region",
            Self::StsEndpoint => "sts_endpoint",
            Self::CredentialsFile => "credentials_file",
            Self::TargetUrl => "target_url",
            Self::HttpAttempts => "http_attempts_count",
            Self::HttpRetryDelay => "http_retry_delay",
            Self::PasswordCommand => "password_command",
            Self::PolicyFile => "policy_file",
            Self::PolicyArns => "policy_arn_list",
            Self::Profiles => "profiles",
            Self::SamlCache => "saml_cache",
            Self::SamlCacheFile => "saml_cache_file",
            Self::Prompter => "prompter",
            Self::OidcProviderArn => "oidc_provider_arn",
        }
    }

    /// The setting of that name in a file, of either cloud.
    pub fn from_file(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| CloudId::ALL.into_iter().any(|cloud| key.in_file(cloud) == name))
    }

    /// The flag that sets it.
    pub fn flag(self) -> Option<&'static str> {
        Some(match self {
            Self::Cloud => "--cloud",
            Self::Url => "--url",
            Self::Username => "--username",
            Self::Provider => "--idp-provider",
            Self::Mfa => "--mfa",
            Self::SkipVerify => "--skip-verify",
            Self::Urn => "--urn",
            Self::SessionDuration => "--session-duration",
            Self::Profile => "--profile",
            Self::Role => "--role",
            Self::Region => "--region",
            Self::StsEndpoint => "--sts-endpoint",
            Self::CredentialsFile => "--credentials-file",
            Self::PolicyFile => "--policyfile",
            Self::PolicyArns => "--policyarns",
            Self::SamlCache => "--cache-saml",
            Self::SamlCacheFile => "--cache-file",
            Self::Prompter => "--prompter",
            Self::OidcProviderArn => "--oidc-provider-arn",
            Self::TargetUrl | Self::HttpAttempts | Self::HttpRetryDelay | Self::PasswordCommand | Self::Profiles => return None,
        })
    }

    /// The variable that sets it, without what stands before it (`SAML2CLOUD_`, and the old tools' words).
    pub fn variable(self) -> Option<&'static str> {
        Some(match self {
            Self::Cloud => "CLOUD",
            Self::Url => "URL",
            Self::Username => "USERNAME",
            Self::Provider => "IDP_PROVIDER",
            Self::Mfa => "MFA",
            Self::SkipVerify => "SKIP_VERIFY",
            Self::Urn => "URN",
            Self::SessionDuration => "SESSION_DURATION",
            Self::Profile => "PROFILE",
            Self::Role => "ROLE",
            Self::Region => "REGION",
            Self::StsEndpoint => "STS_ENDPOINT",
            Self::CredentialsFile => "CREDENTIALS_FILE",
            Self::PolicyFile => "POLICY_FILE",
            Self::PolicyArns => "POLICY_ARNS",
            Self::SamlCache => "CACHE_SAML",
            Self::SamlCacheFile => "SAML_CACHE_FILE",
            Self::Prompter => "PROMPTER",
            Self::OidcProviderArn => "OIDC_PROVIDER_ARN",
            Self::TargetUrl | Self::HttpAttempts | Self::HttpRetryDelay | Self::PasswordCommand | Self::Profiles => return None,
        })
    }

    /// One line for help and manual.
    pub fn help(self) -> &'static str {
        match self {
            Self::Cloud => "the cloud: `aws` or `alibaba`; told by the role where there is one",
            Self::Url => "the address at the identity provider that starts the sign-in to the cloud",
            Self::Username => "who signs in",
            Self::Provider => "the kind of identity provider",
            Self::Mfa => "the second factor, by the provider's word for it; `Auto` takes the only one or asks",
            Self::SkipVerify => "do not verify the identity provider's certificate (never affects the cloud)",
            Self::Urn => "the entity ID that the assertion is for, where it is not the cloud's usual one",
            Self::SessionDuration => "how long the keys last, in seconds (900 to 43200) or as `90m`, `12h`",
            Self::Profile => "the profile of the cloud's own tools that gets the keys",
            Self::Role => "the role to assume, by its full name (ARN)",
            Self::Region => "the region for the tools, and for asking AWS's STS",
            Self::StsEndpoint => "the address of the security token service, where it is not the cloud's usual one",
            Self::CredentialsFile => "the file of profiles, where it is not the cloud's usual one",
            Self::TargetUrl => "an address beside the cloud's own where the SAML response may be received",
            Self::HttpAttempts => "how often a page of the identity provider is asked for when no connection comes about",
            Self::HttpRetryDelay => "seconds to wait before asking again",
            Self::PasswordCommand => {
                "a command line whose first line of output is the password (`op read op://vault/item/password`, `pass show idp`)"
            }
            Self::PolicyFile => "a file with a policy that limits the keys further",
            Self::PolicyArns => "policies that limit the keys further, by their ARNs, with commas between (AWS)",
            Self::Profiles => {
                "profiles for single roles: `{ \"AdminFull\" = \"production-full\" }`; the others go to the account's profile"
            }
            Self::SamlCache => "whether the SAML response of a sign-in is kept, with the passwords, for as long as it is good",
            Self::SamlCacheFile => "the file that keeps it instead, in base64 for its owner alone",
            Self::Prompter => {
                "who asks for passwords and codes: `default` is the terminal, `pinentry` or `pinentry-…` that program"
            }
            Self::OidcProviderArn => "the OIDC provider in the cloud account that vouches for ID tokens (Alibaba Cloud)",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.in_file(CloudId::Aws))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_key() {
        for cloud in CloudId::ALL {
            for key in Key::ALL {
                assert_eq!(Key::from_file(key.in_file(cloud)), Some(key));
            }
        }
        assert_eq!(Key::from_file("app_id"), None);
    }
}
