//! The environment, read once.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

/// A snapshot of the environment variables. An empty variable counts as not set.
#[derive(Debug, Default, Clone)]
pub struct Env(HashMap<OsString, OsString>);

impl Env {
    /// The environment of this process, as it is now.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn system() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// An environment made of these variables alone.
    pub fn of<'v>(variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of `name`, if it is set, not empty and text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).and_then(OsStr::to_str)
    }

    /// The name of this machine for people.
    fn machine(&self) -> Option<String> {
        #[cfg(unix)]
        {
            Some(rustix::system::uname().nodename().to_string_lossy().into_owned()).filter(|name| !name.is_empty())
        }
        #[cfg(not(unix))]
        {
            self.get("COMPUTERNAME").map(str::to_owned)
        }
    }

    /// The first of `names` that is set, with its name.
    pub fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &str)> {
        names.iter().find_map(|name| self.get(name).map(|value| (*name, value)))
    }

    /// The value of `name` as the system gave it, if it is set and not empty.
    pub fn raw(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The names that begin so, of variables that are set and not empty.
    pub fn beginning(&self, prefix: &str) -> Vec<&str> {
        let names = self.0.iter().filter(|(_, value)| !value.is_empty()).filter_map(|(name, _)| name.to_str());
        let mut names: Vec<&str> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort_unstable();
        names
    }

    /// Whether a switch is on: `1`, `true`, `yes`, `on` in any case.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "t" | "true" | "yes" | "on"))
    }
}

/// What this machine is called, for a person who has several.
pub fn machine_name(env: &Env) -> crate::types::Untrusted {
    crate::types::Untrusted::new(env.machine().unwrap_or_else(|| "this machine".to_owned()))
}
