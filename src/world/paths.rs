//! Where files are.

use std::path::{Path, PathBuf};

use super::Env;

/// Where files are, for this person on this machine.
#[derive(Debug, Clone)]
pub struct Paths {
    home: PathBuf,
    cache: PathBuf,
    state: PathBuf,
}

impl Paths {
    /// From the environment: `HOME` (`USERPROFILE` on Windows), `XDG_CACHE_HOME` and `XDG_STATE_HOME`.
    /// Nothing if there is no home.
    pub fn system(env: &Env) -> Option<Self> {
        let home = PathBuf::from(env.raw("HOME").or_else(|| env.raw("USERPROFILE"))?);
        let given = |name| env.raw(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = match given("XDG_CACHE_HOME") {
            Some(path) => path,
            None if cfg!(target_os = "macos") => home.join("Library/Caches"),
            None if cfg!(windows) => env.raw("LOCALAPPDATA").map_or_else(|| home.join("AppData/Local"), PathBuf::from),
            None => home.join(".cache"),
        };
        let state = match given("XDG_STATE_HOME") {
            Some(path) => path,
            None if cfg!(target_os = "macos") => home.join("Library/Application Support"),
            None if cfg!(windows) => env.raw("LOCALAPPDATA").map_or_else(|| home.join("AppData/Local"), PathBuf::from),
            None => home.join(".local/state"),
        };
        Some(Self { cache: cache.join("saml2cloud"), state: state.join("saml2cloud"), home })
    }

    /// Everything below one folder, for tests.
    pub fn below(folder: &Path) -> Self {
        Self { home: folder.to_owned(), cache: folder.join(".cache/saml2cloud"), state: folder.join(".local/state/saml2cloud") }
    }

    /// The AWS accounts: `~/.saml2aws`.
    pub fn aws_accounts(&self) -> PathBuf {
        self.home.join(".saml2aws")
    }

    /// The Alibaba Cloud accounts: `~/.saml2alibabacloud`.
    pub fn alibaba_accounts(&self) -> PathBuf {
        self.home.join(".saml2alibabacloud")
    }

    /// AWS's credentials file: `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.
    pub fn aws_credentials(&self, env: &Env) -> PathBuf {
        env.get("AWS_SHARED_CREDENTIALS_FILE").map_or_else(|| self.home.join(".aws/credentials"), |path| self.expand(path))
    }

    /// AWS's configuration: `AWS_CONFIG_FILE`, else `~/.aws/config`.
    pub fn aws_config(&self, env: &Env) -> PathBuf {
        env.get("AWS_CONFIG_FILE").map_or_else(|| self.home.join(".aws/config"), |path| self.expand(path))
    }

    /// Alibaba Cloud's configuration: `~/.aliyun/config.json`.
    pub fn aliyun_config(&self) -> PathBuf {
        self.home.join(".aliyun/config.json")
    }

    /// Our own cache of credentials.
    pub fn credentials_cache(&self) -> PathBuf {
        self.cache.join("credentials")
    }

    /// What the `aws` client and the SDKs keep of sign-ins at IAM Identity Center: `~/.aws/sso/cache`.
    pub fn aws_sso_cache(&self) -> PathBuf {
        self.home.join(".aws/sso/cache")
    }

    /// Our own notes on sign-in portals: registrations, and who is signing in.
    pub fn portal_cache(&self) -> PathBuf {
        self.cache.join("portal")
    }

    /// The vault's encrypted file.
    pub fn vault(&self) -> PathBuf {
        self.state.join("vault")
    }

    /// The profiles of the browsers that we start.
    pub fn browsers(&self) -> PathBuf {
        self.state.join("browser")
    }

    /// `path` with a leading `~/` replaced by the home.
    pub fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with(['/', '\\']) => self.home.join(&rest[1..]),
            _ => PathBuf::from(path),
        }
    }

    /// `path` for people: the home written as `~`.
    pub fn display(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(rest) => Path::new("~").join(rest).display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_is_found_in_one_way() {
        let accounts = |variables: &[(&str, &str)]| {
            let paths = Paths::system(&Env::of(variables.iter().copied()))?;
            Some((paths.aws_accounts(), paths.alibaba_accounts(), paths.aliyun_config()))
        };
        let below = |home: &str| {
            let home = Path::new(home);
            Some((home.join(".saml2aws"), home.join(".saml2alibabacloud"), home.join(".aliyun/config.json")))
        };
        assert_eq!(accounts(&[("HOME", "/home/me"), ("USERPROFILE", "/users/me")]), below("/home/me"));
        assert_eq!(accounts(&[("USERPROFILE", "/users/me")]), below("/users/me"));
        assert_eq!(accounts(&[("HOME", "")]), None);
    }

    #[test]
    fn tilde_both_ways() {
        let paths = Paths::below(Path::new("/home/me"));
        assert_eq!(paths.expand("~/x"), Path::new("/home/me/x"));
        assert_eq!(paths.expand("~other/x"), Path::new("~other/x"));
        assert_eq!(paths.expand("/etc/x"), Path::new("/etc/x"));
        assert_eq!(paths.display(Path::new("/home/me/.saml2aws")), "~/.saml2aws");
    }
}
