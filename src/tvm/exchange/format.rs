//! Keys as people and programs want them. Every word in here is what `cloud` writes for the command line.

use super::Handed;
use crate::cloud;
use crate::types::{CloudId, Credentials, ProfileName, Region, Secret};

/// How keys are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For programs that speak to this service.
    Json,
    /// Lines for a POSIX shell.
    Shell,
    /// Lines for PowerShell.
    PowerShell,
    /// A profile of the cloud's own tools: a section of `~/.aws/credentials`, or `~/.aliyun/config.json`.
    Profile,
    /// The document that those tools read from a program: `credential_process`, or mode `External`.
    Process,
}

/// Keys, written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The text.
    pub text: Secret<String>,
    /// Its media type.
    pub media_type: &'static str,
    /// What a file of it is called.
    pub file_name: &'static str,
}

impl Format {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Json, Self::Shell, Self::PowerShell, Self::Profile, Self::Process];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Shell => "shell",
            Self::PowerShell => "powershell",
            Self::Profile => "profile",
            Self::Process => "process",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    /// Writes keys. `profile` is what the profile is called, `region` where the tools should work.
    pub fn write(self, handed: &Handed, profile: &ProfileName, region: Option<&Region>) -> Written {
        let (keys, id) = (&handed.keys, handed.role.cloud());
        let cloud = cloud::find(id);
        let written = |text, media_type, file_name| Written { text, media_type, file_name };
        match self {
            Self::Json => written(json(handed), "application/json", "credentials.json"),
            Self::Shell => written(lines(id, keys, region, sh), "text/plain; charset=utf-8", "credentials.sh"),
            Self::PowerShell => written(lines(id, keys, region, powershell), "text/plain; charset=utf-8", "credentials.ps1"),
            Self::Process => written(cloud.process_document(keys), "application/json", "credentials.json"),
            Self::Profile => {
                let text = cloud.profile_document(keys, profile, region);
                match id {
                    CloudId::Aws => written(text, "text/plain; charset=utf-8", "credentials"),
                    CloudId::Alibaba => written(text, "application/json", "config.json"),
                }
            }
        }
    }
}

fn json(handed: &Handed) -> Secret<String> {
    let keys = &handed.keys;
    let document = serde_json::json!({
        "access_key_id": keys.key_id,
        "secret_access_key": keys.secret.expose(),
        "session_token": keys.token.expose(),
        "expires": keys.expires.utc(),
        "role_arn": handed.role.as_str(),
        "session_name": handed.session_name,
    });
    Secret::new(document.to_string())
}

/// What a child of the command line would find in its environment.
fn lines(id: CloudId, keys: &Credentials, region: Option<&Region>, line: fn(&str, Option<&str>) -> String) -> Secret<String> {
    let changes = cloud::find(id).environment(keys, None, region);
    Secret::new(changes.iter().map(|(name, value)| line(name, value.as_ref().and_then(|value| value.to_str()))).collect())
}

fn sh(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("export {name}='{}'\n", value.replace('\'', "'\\''")),
        None => format!("unset {name}\n"),
    }
}

fn powershell(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("$env:{name} = '{}'\n", value.replace('\'', "''")),
        None => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue\n"),
    }
}
