//! Flags of the old tools beside what help shows: some count, for others nothing is built, or nothing is to be done. Scripts that have
//! them go on; a person is told.

use crate::app::{Draft, Key};
use crate::types::Secret;

/// The flags.
#[derive(clap::Args, Clone, Default)]
pub(super) struct Old {
    /// Nothing is downloaded: the browser is one that is installed.
    #[arg(long, global = true, hide = true)]
    #[allow(dead_code, reason = "there is no driver")]
    download_browser_driver: bool,
    #[arg(long, global = true, hide = true, value_name = "NAME")]
    kc_broker: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "TEXT")]
    duo_mfa_option: Option<String>,
    /// What is known is not asked for anyway.
    #[arg(long, global = true, hide = true)]
    #[allow(dead_code, reason = "it asks for what is always so here")]
    try_no_prompt: bool,
    #[arg(long, global = true, hide = true, value_name = "NAME")]
    app_id: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "NAME")]
    subdomain: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "NAME")]
    resource_id: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "ADDRESS")]
    mfa_ip_address: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "NAME")]
    client_id: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "TEXT", value_parser = super::args::secret)]
    client_secret: Option<Secret<String>>,
    /// Gone since long in the old tools too.
    #[arg(short = 'i', long, global = true, hide = true, value_name = "NAME")]
    provider: Option<String>,
    /// Who asks for passwords and codes: `default` is this terminal, `pinentry` or `pinentry-…` that program
    #[arg(long, global = true, hide = true, value_name = "NAME")]
    prompter: Option<String>,
    /// Keep the SAML response of a sign-in for as long as it is good
    #[arg(long, global = true, hide = true)]
    cache_saml: bool,
    /// The file that keeps it, where it is not the keychain
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    cache_file: Option<String>,
}

impl Old {
    /// The flags that were given and do nothing.
    pub(super) fn idle(&self) -> Vec<&'static str> {
        let flags = [
            ("--kc-broker", self.kc_broker.is_some()),
            ("--duo-mfa-option", self.duo_mfa_option.is_some()),
            ("--client-id", self.client_id.is_some()),
            ("--client-secret", self.client_secret.is_some()),
        ];
        flags.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }

    /// Whether a secret stands on the command line for everybody to read.
    pub(super) fn shows_secret(&self) -> bool {
        self.client_secret.is_some()
    }

    /// Whether `-i`, `--provider` was given.
    pub(super) fn has_provider(&self) -> bool {
        self.provider.is_some()
    }

    /// The settings among them, put into what the other flags say.
    pub(super) fn fill(&self, draft: &mut Draft) {
        for (key, value) in [(Key::Prompter, &self.prompter), (Key::SamlCacheFile, &self.cache_file)] {
            if let Some(value) = value {
                draft.set(key, value.as_str());
            }
        }
        if self.cache_saml {
            draft.set(Key::SamlCache, "true");
        }
        let others = [
            ("app_id", &self.app_id),
            ("subdomain", &self.subdomain),
            ("resource_id", &self.resource_id),
            ("mfa_ip_address", &self.mfa_ip_address),
        ];
        for (name, value) in others {
            if let Some(value) = value {
                draft.set_other(name, value);
            }
        }
    }
}
