//! One room: a box, a home, and the program called in them. What must hold after every call is checked here, so that no test can
//! forget it: no secret in the output, nothing raw on the terminal, no breach of a server's rules.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use sandbox::{Options, Sandbox};
use serde_json::Value;

/// The program.
pub const BIN: &str = env!("CARGO_BIN_EXE_saml2cloud");
/// The account of the users' guides.
pub const GUIDE: &str = "012345678987";

/// What differs between the clouds, as far as a user sees it.
#[derive(Clone, Copy)]
pub struct Cloud {
    /// The word of `--cloud`, and of applications in the box.
    pub word: &'static str,
    /// The old tool's file of accounts.
    pub accounts: &'static str,
    /// The application of the users' guides.
    pub app: &'static str,
    /// The role that everybody honest has.
    pub role: &'static str,
    /// A role that only alice has, for an hour at most.
    pub admin: &'static str,
    /// The file of profiles.
    pub profiles: &'static str,
    /// The key for the profile in the accounts file.
    pub profile_key: &'static str,
    /// The key for the session's length in the accounts file.
    pub duration_key: &'static str,
    /// The host of the token service.
    pub sts: &'static str,
    /// The variable with the ID of the access key.
    pub key_variable: &'static str,
}

pub const AWS: Cloud = Cloud {
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

pub const ALIBABA: Cloud = Cloud {
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

pub const CLOUDS: [Cloud; 2] = [AWS, ALIBABA];

/// A box with a home. When it goes, nobody may have broken a server's rules.
pub struct Room {
    pub sandbox: Sandbox,
    folder: tempfile::TempDir,
}

impl Room {
    pub fn new() -> Self {
        let room = Self { sandbox: Sandbox::start(Options::default()).unwrap(), folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(room.home()).unwrap();
        room
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A place outside the home.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file below the home; its folders are made.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.home().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Adds an account for `user` to the cloud's accounts file, with lines of its own at the end.
    pub fn account(&self, cloud: Cloud, name: &str, user: &str, lines: &str) {
        let url = format!("https://sso.jumpcloud.com/saml2/{}", cloud.app);
        self.account_at(cloud, name, user, "JumpCloud", &url, lines);
    }

    /// The same with another provider.
    pub fn account_at(&self, cloud: Cloud, name: &str, user: &str, provider: &str, url: &str, lines: &str) {
        let path = self.home().join(cloud.accounts);
        let mut text = std::fs::read_to_string(&path).unwrap_or_default();
        text += &format!(
            "[{name}]\nurl = \"{url}\"\nusername = \"{user}@example.com\"\nprovider = \"{provider}\"\n{} = \"{name}\"\n{lines}\n",
            cloud.profile_key
        );
        std::fs::write(path, text).unwrap();
    }

    /// The guide's account `production`, with the role that everybody has.
    pub fn production(&self, cloud: Cloud, user: &str) {
        self.account(cloud, "production", user, &format!("role_arn = \"{}\"", cloud.role));
    }

    /// A call of the program; words are parted by blanks.
    pub fn call(&self, line: &str) -> Call<'_> {
        Call {
            room: self,
            program: PathBuf::from(BIN),
            args: line.split_whitespace().map(OsString::from).collect(),
            env: self.sandbox.env(&self.home()),
            shows_keys: false,
        }
    }

    /// Requests so far: `GET host/path`.
    pub fn requests(&self) -> Vec<String> {
        self.sandbox.requests().iter().map(|seen| format!("{} {}{}", seen.method, seen.host, seen.path)).collect()
    }

    /// How many requests went to a host.
    pub fn asked(&self, host: &str) -> usize {
        self.sandbox.requests().iter().filter(|seen| seen.host == host).count()
    }

    pub fn password(&self, user: &str) -> String {
        self.sandbox.directory().person(&format!("{user}@example.com")).unwrap().password.clone()
    }

    pub fn code(&self, user: &str) -> String {
        self.sandbox.code(&format!("{user}@example.com"))
    }

    /// Everything below the home: mode, and bytes or where a link leads.
    pub fn tree(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut tree = BTreeMap::new();
        walk(&self.home(), &mut tree);
        tree
    }

    /// A profile of `~/.aws/credentials`, by key.
    pub fn aws_profile(&self, name: &str) -> BTreeMap<String, String> {
        sections(&self.read(AWS.profiles)).remove(name).unwrap_or_else(|| panic!("no profile {name}"))
    }

    /// A profile of `~/.aliyun/config.json`.
    pub fn alibaba_profile(&self, name: &str) -> Value {
        let document: Value = serde_json::from_str(&self.read(ALIBABA.profiles)).unwrap();
        let profiles = document["profiles"].as_array().unwrap().clone();
        profiles.into_iter().find(|profile| profile["name"] == name).unwrap_or_else(|| panic!("no profile {name}"))
    }

    /// The ID of the access key that a profile holds.
    pub fn key_id(&self, cloud: Cloud, profile: &str) -> String {
        match cloud.word {
            "aws" => self.aws_profile(profile)["aws_access_key_id"].clone(),
            _ => self.alibaba_profile(profile)["access_key_id"].as_str().unwrap().to_owned(),
        }
    }

    /// For how long the keys of the only cached login were given, in seconds, to the next minute.
    pub fn lifetime(&self) -> i64 {
        let tree = self.tree();
        let entries: Vec<_> = tree.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "json")).collect();
        let entries: Vec<_> = entries.into_iter().filter(|(path, _)| path.to_string_lossy().contains(".cache")).collect();
        assert_eq!(entries.len(), 1, "one login, one entry");
        let entry: Value = serde_json::from_slice(&entries[0].1.1).unwrap();
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

fn walk(folder: &Path, tree: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
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
        tree.insert(path.clone(), (mode(&path), bytes));
    }
}

/// Who may do what with a file; the same number everywhere where there are no modes.
pub fn mode(path: &Path) -> u32 {
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
pub fn sections(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(header) = line.strip_prefix('[') {
            name = header.trim_end().trim_end_matches(']').to_owned();
            sections.entry(name.clone()).or_default();
        } else if let Some((key, value)) = line.split_once('=') {
            sections.entry(name.clone()).or_default().insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    sections
}

/// A call that is being made up.
pub struct Call<'r> {
    room: &'r Room,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    shows_keys: bool,
}

impl Call<'_> {
    /// Under another name of the program.
    pub fn named(mut self, program: &Path) -> Self {
        self.program = program.to_owned();
        self
    }

    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With somebody's password.
    pub fn by(self, user: &str) -> Self {
        let password = self.room.password(user);
        self.var("SAML2CLOUD_PASSWORD", &password)
    }

    /// With somebody's password, and the code that their app shows.
    pub fn with_code(self, user: &str) -> Self {
        let code = self.room.code(user);
        self.by(user).arg("--mfa-token").arg(code)
    }

    /// Its output holds keys, because the caller asks for them.
    pub fn shows_keys(mut self) -> Self {
        self.shows_keys = true;
        self
    }

    /// The command, in a session without a terminal, whatever terminal the tests are started from.
    pub fn command(&self) -> Command {
        let mut command = match cfg!(target_os = "linux") {
            // It becomes the program: same process, so signals and codes are the program's own.
            true => {
                let mut command = Command::new("setsid");
                command.arg(&self.program);
                command
            }
            false => Command::new(&self.program),
        };
        command.args(&self.args).env_clear().envs(self.env.iter().cloned());
        command.current_dir(self.room.home()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn arguments(&self) -> &[OsString] {
        &self.args
    }

    pub fn environment(&self) -> &[(String, String)] {
        &self.env
    }

    #[track_caller]
    pub fn run(self) -> Done {
        let output = self.command().output().unwrap();
        let done = Done {
            line: format!("{:?}", self.args),
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        check_clean(&done.stderr);
        if !self.shows_keys {
            check_secrets(&self.room.sandbox, &[&done.stdout, &done.stderr].map(String::as_str).concat());
        }
        done
    }
}

/// Nothing that moves the cursor, colours, or turns the reading direction.
#[track_caller]
pub fn check_clean(text: &str) {
    let raw = |c: &char| {
        (c.is_control() && *c != '\n') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
    };
    assert_eq!(text.chars().find(raw), None, "raw on the terminal: {text:?}");
}

/// No secret that has passed is in the text. Words shorter than a code are in any text.
#[track_caller]
pub fn check_secrets(sandbox: &Sandbox, text: &str) {
    for secret in sandbox.secrets().iter().filter(|secret| secret.len() >= 6) {
        assert!(!text.contains(secret.as_str()), "`{secret}` is in the output:\n{text}");
    }
}

/// What came of a call.
pub struct Done {
    line: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        let (line, out, err) = (&self.line, &self.stdout, &self.stderr);
        assert_eq!(self.status.code(), Some(code), "{line}\nstdout:\n{out}\nstderr:\n{err}");
        self
    }

    /// Its talk has all of these texts.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "{}: no `{text}` in stderr:\n{}", self.line, self.stderr);
        }
        self
    }

    #[track_caller]
    pub fn does_not_say(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "{}: `{text}` in stderr:\n{}", self.line, self.stderr);
        self
    }
}
