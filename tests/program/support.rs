//! One room: a box and a home, and the program called in them. A room that goes checks that nobody broke a server's rules, so that no
//! test can forget it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sandbox::{Options, Sandbox};
use serde_json::Value;

use crate::call::Call;

/// The program.
pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_saml2cloud");
/// The account of the users' guides.
pub(crate) const GUIDE: &str = "012345678987";

/// What differs between the clouds, as far as a user sees it.
#[derive(Clone, Copy)]
pub(crate) struct Cloud {
    /// The word of `--cloud`, and of applications in the box.
    pub(crate) word: &'static str,
    /// The old tool's file of accounts.
    pub(crate) accounts: &'static str,
    /// The application of the users' guides.
    pub(crate) app: &'static str,
    /// The role that everybody honest has.
    pub(crate) role: &'static str,
    /// A role that only alice has, for an hour at most.
    pub(crate) admin: &'static str,
    /// The file of profiles.
    pub(crate) profiles: &'static str,
    /// The key for the profile in the accounts file.
    pub(crate) profile_key: &'static str,
    /// The key for the session's length in the accounts file.
    pub(crate) duration_key: &'static str,
    /// The host of the token service.
    pub(crate) sts: &'static str,
    /// The variable with the ID of the access key.
    pub(crate) key_variable: &'static str,
}

pub(crate) const AWS: Cloud = Cloud {
    word: "aws",
    accounts: ".saml2aws",
    app: "acme-prod-aws-admin",
    role: "arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO",
    admin: "arn:aws:iam::012345678987:role/AcmeJumpCloudAdmin",
    profiles: ".aws/credentials",
    profile_key: "aws_profile",
    duration_key: "aws_session_duration",
    sts: "sts.amazonaws.com",
    key_variable: "AWS_ACCESS_KEY_ID",
};

pub(crate) const ALIBABA: Cloud = Cloud {
    word: "alibaba",
    accounts: ".saml2alibabacloud",
    app: "acme-prod-alibabacloud-admin",
    role: "acs:ram::012345678987:role/AcmeJumpCloudAdminRO",
    admin: "acs:ram::012345678987:role/AcmeJumpCloudAdmin",
    profiles: ".aliyun/config.json",
    profile_key: "alibabacloud_profile",
    duration_key: "alibabacloud_session_duration",
    sts: "sts.aliyuncs.com",
    key_variable: "ALIBABA_CLOUD_ACCESS_KEY_ID",
};

pub(crate) const CLOUDS: [Cloud; 2] = [AWS, ALIBABA];

/// Everything below a home: mode, and bytes or where a link leads, escaped.
type Tree = BTreeMap<PathBuf, (u32, String)>;

/// A box with a home. When it goes, nobody may have broken a server's rules.
pub(crate) struct Room {
    pub(crate) sandbox: Sandbox,
    folder: tempfile::TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        let room = Self { sandbox: Sandbox::start(Options::default()).unwrap(), folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(room.home()).unwrap();
        room
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A place outside the home.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file below the home; its folders are made.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.home().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Adds an account for `user` to the cloud's accounts file, with lines of its own at the end.
    pub(crate) fn account(&self, cloud: Cloud, name: &str, user: &str, lines: &str) {
        let url = format!("https://sso.jumpcloud.com/saml2/{}", cloud.app);
        self.account_at(cloud, name, user, "JumpCloud", &url, lines);
    }

    /// The same with another provider.
    pub(crate) fn account_at(&self, cloud: Cloud, name: &str, user: &str, provider: &str, url: &str, lines: &str) {
        let path = self.home().join(cloud.accounts);
        let mut text = std::fs::read_to_string(&path).unwrap_or_default();
        text += &format!(
            "[{name}]\nurl = \"{url}\"\nusername = \"{user}@example.com\"\nprovider = \"{provider}\"\n{} = \"{name}\"\n{lines}\n",
            cloud.profile_key
        );
        std::fs::write(path, text).unwrap();
    }

    /// The guide's account `production`, with the role that everybody has.
    pub(crate) fn production(&self, cloud: Cloud, user: &str) {
        self.account(cloud, "production", user, &format!("role_arn = \"{}\"", cloud.role));
    }

    /// A call of the program; words are parted by blanks.
    pub(crate) fn call(&self, line: &str) -> Call<'_> {
        Call::new(self, line)
    }

    /// Requests so far: `GET host/path`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.sandbox.requests().iter().map(|seen| format!("{} {}{}", seen.method, seen.host, seen.path)).collect()
    }

    /// How many requests went to a host.
    pub(crate) fn asked(&self, host: &str) -> usize {
        self.sandbox.requests().iter().filter(|seen| seen.host == host).count()
    }

    pub(crate) fn password(&self, user: &str) -> String {
        self.sandbox.directory().person(&format!("{user}@example.com")).unwrap().password.clone()
    }

    pub(crate) fn code(&self, user: &str) -> String {
        self.sandbox.code(&format!("{user}@example.com"))
    }

    /// Everything below the home.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = BTreeMap::new();
        walk(&self.home(), &mut tree);
        tree
    }

    /// A profile of `~/.aws/credentials`, by key.
    pub(crate) fn aws_profile(&self, name: &str) -> BTreeMap<String, String> {
        sections(&self.read(AWS.profiles)).remove(name).unwrap_or_else(|| panic!("no profile {name}"))
    }

    /// A profile of `~/.aliyun/config.json`.
    pub(crate) fn alibaba_profile(&self, name: &str) -> Value {
        // A number of the fixtures that no number type holds is of no interest here.
        let text = self.read(ALIBABA.profiles).replace("1e999999", "1");
        let document: Value = serde_json::from_str(&text).unwrap();
        let profiles = document["profiles"].as_array().unwrap().clone();
        profiles.into_iter().find(|profile| profile["name"] == name).unwrap_or_else(|| panic!("no profile {name}"))
    }

    /// The ID of the access key that a profile holds.
    pub(crate) fn key_id(&self, cloud: Cloud, profile: &str) -> String {
        match cloud.word {
            "aws" => self.aws_profile(profile)["aws_access_key_id"].clone(),
            _ => self.alibaba_profile(profile)["access_key_id"].as_str().unwrap().to_owned(),
        }
    }

    /// For how long the keys of the only cached login were given, in seconds, to the next minute.
    pub(crate) fn lifetime(&self) -> i64 {
        let tree = self.tree();
        let entries: Vec<_> = tree.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "json")).collect();
        let entries: Vec<_> = entries.into_iter().filter(|(path, _)| path.to_string_lossy().contains(".cache")).collect();
        assert_eq!(entries.len(), 1, "one login, one entry");
        let entry: Value = serde_json::from_str(&std::fs::read_to_string(entries[0].0).unwrap()).unwrap();
        (entry["expires"].as_i64().unwrap() - entry["issued"].as_i64().unwrap() + 30) / 60 * 60
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let violations = self.sandbox.violations();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

fn walk(folder: &Path, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let data = std::fs::symlink_metadata(&path).unwrap();
        let bytes = match data.file_type() {
            kind if kind.is_symlink() => std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
            kind if kind.is_dir() => {
                walk(&path, tree);
                Vec::new()
            }
            _ => std::fs::read(&path).unwrap(),
        };
        tree.insert(path.clone(), (mode(&path), bytes.escape_ascii().to_string()));
    }
}

/// Who may do what with a file; the same number everywhere where there are no modes.
pub(crate) fn mode(path: &Path) -> u32 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        0o600
    }
}

/// An INI text by section, read as plainly as can be: this is not the product's reader.
pub(crate) fn sections(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(header) = line.strip_prefix('[') {
            name = header.split(']').next().unwrap_or_default().to_owned();
            sections.entry(name.clone()).or_default();
        } else if let Some((key, value)) = line.split_once('=') {
            sections.entry(name.clone()).or_default().insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    sections
}
