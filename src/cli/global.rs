//! What the flags of every command say of an account.

use super::args::Global;
use crate::app::{Draft, Key};

/// The settings among the flags that every command has.
impl Global {
    pub(super) fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        let texts = [
            (Key::Cloud, &self.cloud),
            (Key::Provider, &self.idp_provider),
            (Key::Mfa, &self.mfa),
            (Key::Url, &self.url),
            (Key::Username, &self.username),
            (Key::Role, &self.role),
            (Key::Urn, &self.urn),
            (Key::SessionDuration, &self.session_duration),
            (Key::Region, &self.region),
            (Key::StsEndpoint, &self.sts_endpoint),
            (Key::PolicyFile, &self.policyfile),
            (Key::PolicyArns, &self.policyarns),
            (Key::OidcProviderArn, &self.oidc_provider_arn),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                draft.set(key, value.as_str());
            }
        }
        if let Some(said) = self.said("skip-verify", self.skip_verify) {
            draft.set(Key::SkipVerify, said.to_string());
        }
        let web_identity = [
            ("oidc_source", &self.oidc),
            ("oidc_token_file", &self.oidc_token_file),
            ("oidc_audience", &self.oidc_audience),
            ("oidc_client_id", &self.oidc_client_id),
        ];
        for (name, value) in web_identity {
            if let Some(value) = value {
                draft.set_other(name, value);
            }
        }
        // Whoever says where the token comes from has said what kind of provider it is.
        if (self.oidc.is_some() || self.oidc_token_file.is_some()) && self.idp_provider.is_none() {
            draft.set(Key::Provider, "OIDC");
        }
        let switches = [
            ("disable_sessions", self.said("disable-sessions", self.disable_sessions)),
            ("disable_remember_device", self.said("disable-remember-device", self.disable_remember_device)),
            ("browser_autofill", self.said("browser-autofill", self.browser_autofill)),
            ("device", self.said("device", self.device)),
        ];
        for (name, said) in switches {
            if let Some(said) = said {
                draft.set_other(name, &said.to_string());
            }
        }
        self.old.fill(&mut draft);
        for (name, value) in &self.fields {
            draft.set_other(name, value);
        }
        for (name, value) in [("browser_type", &self.browser_type), ("browser_executable_path", &self.browser_executable_path)] {
            if let Some(value) = value {
                draft.set_other(name, value);
            }
        }
        if let Some(region) = &self.sso_region {
            draft.set_other("sso_region", region);
        }
        draft
    }
}
