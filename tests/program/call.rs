//! One call of the program: its arguments and environment, and what came of it. What must hold after every call is checked here, so
//! that no test can forget it: no secret in the output, nothing raw on the terminal.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use sandbox::Sandbox;

use crate::support::{BIN, Room};

/// A call that is being made up.
pub(crate) struct Call<'r> {
    room: &'r Room,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    shows_keys: bool,
}

impl<'r> Call<'r> {
    /// Words are parted by blanks.
    pub(crate) fn new(room: &'r Room, line: &str) -> Self {
        Self {
            room,
            program: PathBuf::from(BIN),
            args: line.split_whitespace().map(OsString::from).collect(),
            env: room.sandbox.env(&room.home()),
            shows_keys: false,
        }
    }

    /// Under another name of the program.
    pub(crate) fn named(mut self, program: &Path) -> Self {
        self.program = program.to_owned();
        self
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With somebody's password.
    pub(crate) fn by(self, user: &str) -> Self {
        let password = self.room.password(user);
        self.var("SAML2CLOUD_PASSWORD", &password)
    }

    /// With somebody's password, and the code that their app shows.
    pub(crate) fn with_code(self, user: &str) -> Self {
        let code = self.room.code(user);
        self.by(user).var("SAML2CLOUD_MFA_TOKEN", &code)
    }

    /// Its output holds keys, because the caller asks for them.
    pub(crate) fn shows_keys(mut self) -> Self {
        self.shows_keys = true;
        self
    }

    /// The command, in a session without a terminal, whatever terminal the tests are started from.
    pub(crate) fn command(&self) -> Command {
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

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.args
    }

    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.env
    }

    #[track_caller]
    pub(crate) fn run(self) -> Done {
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
pub(crate) fn check_clean(text: &str) {
    let raw = |c: &char| {
        (c.is_control() && *c != '\n') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
    };
    assert_eq!(text.chars().find(raw), None, "raw on the terminal: {text:?}");
}

/// No secret that has passed is in the text. Words shorter than a code are in any text.
#[track_caller]
pub(crate) fn check_secrets(sandbox: &Sandbox, text: &str) {
    for secret in sandbox.secrets().iter().filter(|secret| secret.len() >= 6) {
        assert!(!text.contains(secret.as_str()), "`{secret}` is in the output:\n{text}");
    }
}

/// What came of a call.
pub(crate) struct Done {
    line: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        let (line, out, err) = (&self.line, &self.stdout, &self.stderr);
        assert_eq!(self.status.code(), Some(code), "{line}\nstdout:\n{out}\nstderr:\n{err}");
        self
    }

    /// Its talk has all of these texts.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "{}: no `{text}` in stderr:\n{}", self.line, self.stderr);
        }
        self
    }

    #[track_caller]
    pub(crate) fn does_not_say(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "{}: `{text}` in stderr:\n{}", self.line, self.stderr);
        self
    }
}
