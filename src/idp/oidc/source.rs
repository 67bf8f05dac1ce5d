//! Where a token comes from: what the account wishes, and what is there.

use super::{Configured, SignInError};
use crate::idp::Session;

/// A place to get a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    File(String),
    Variable(String),
    Stdin,
    Command,
    GitHub,
    GitLab,
    UseGrant,
    /// The client itself, without a person.
    Client,
    /// A person, in this way.
    Person(Way),
}

/// How a person signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// With a browser on this machine.
    Browser,
    /// On any device.
    Device,
    /// With a browser if there is one.
    Either,
}

/// What an account says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    Auto,
    /// A file that the account or the cloud's own variable names.
    AnyFile,
    UseGrant,
    Is(Source),
}

impl Wish {
    /// Reads the word of `oidc_source` and `--oidc`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        Ok(match lower.as_str() {
            "auto" => Self::Auto,
            "file" => Self::AnyFile,
            "stdin" | "-" => Self::Is(Source::Stdin),
            "command" => Self::Is(Source::Command),
            "github" => Self::Is(Source::GitHub),
            "gitlab" => Self::Is(Source::GitLab),
            "usegrant" => Self::UseGrant,
            "client" => Self::Is(Source::Client),
            "browser" | "code" => Self::Is(Source::Person(Way::Browser)),
            "device" => Self::Is(Source::Person(Way::Device)),
            _ => match (lower.split_once(':'), text.split_once(':')) {
                (Some(("file", _)), Some((_, path))) if !path.is_empty() => Self::Is(Source::File(path.to_owned())),
                (Some(("env", _)), Some((_, name))) if !name.is_empty() => Self::Is(Source::Variable(name.to_owned())),
                _ => {
                    return Err("it is one of `auto`, `file`, `file:PATH`, `env:NAME`, `stdin`, `command`, `github`, `gitlab`, `usegrant`, \
                                `client`, `browser` and `device`"
                        .to_owned());
                }
            },
        })
    }

    /// The word again, for messages.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::AnyFile | Self::Is(Source::File(_)) => "file",
            Self::UseGrant | Self::Is(Source::UseGrant) => "usegrant",
            Self::Is(Source::Variable(_)) => "env",
            Self::Is(Source::Stdin) => "stdin",
            Self::Is(Source::Command) => "command",
            Self::Is(Source::GitHub) => "github",
            Self::Is(Source::GitLab) => "gitlab",
            Self::Is(Source::Client) => "client",
            Self::Is(Source::Person(Way::Device)) => "device",
            Self::Is(Source::Person(_)) => "browser",
        }
    }

    /// Whether an issuer is asked, which has to be named then.
    pub(super) fn asks_issuer(&self) -> bool {
        matches!(self, Self::Is(Source::Client | Source::Person(_)))
    }
}

impl Configured {
    /// The place to get a token: what the account names, else what is there, the account's words before the machine's.
    pub(super) fn source(&self, session: &Session<'_>) -> Result<Source, SignInError> {
        let (env, theirs) = (session.machine.env, session.sp.web_identity);
        let file = || {
            let own = self.file.clone().map(Source::File);
            own.or_else(|| env.get(theirs.file).map(|path| Source::File(path.to_owned())))
        };
        match &self.wish {
            Wish::Is(source) => return Ok(source.clone()),
            Wish::UseGrant => return Ok(Source::UseGrant),
            Wish::AnyFile => {
                return file().ok_or_else(|| SignInError::NoIdToken {
                    place: "in a file".to_owned(),
                    why: format!("neither `oidc_token_file` nor `{}` names one", theirs.file),
                    hint: "name it with `--oidc-token-file FILE`",
                });
            }
            Wish::Auto => {}
        }
        if self.file.is_none() && self.command.is_some() {
            return Ok(Source::Command);
        }
        if self.file.is_none() && self.issuer.is_some() && self.client.is_some() {
            return Ok(match (&self.usegrant, self.key.is_some() || self.secret_command.is_some()) {
                (Some(_), _) => Source::UseGrant,
                (None, true) => Source::Client,
                (None, false) => Source::Person(Way::Either),
            });
        }
        let variable = |name: &str| env.get(name).map(|_| Source::Variable(name.to_owned()));
        file()
            .or_else(|| variable("SAML2CLOUD_OIDC_TOKEN"))
            .or_else(|| theirs.text.and_then(variable))
            .or_else(|| env.get(super::given::GITHUB_URL).map(|_| Source::GitHub))
            .ok_or(SignInError::NoIdToken {
                place: "anywhere".to_owned(),
                why: "nothing says where it comes from".to_owned(),
                hint: "say it with `--oidc SOURCE`, or with `oidc_source` in the account: docs/providers/oidc.md lists the sources",
            })
    }
}
