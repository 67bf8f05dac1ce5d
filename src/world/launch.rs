//! Other programs: becoming one, asking one, starting one with pipes, opening the browser.

use std::ffi::OsString;
use std::io;

use super::Piped;
use crate::types::{Secret, WebUrl};

/// A change to the environment that a child gets: a value to set, or nothing to take the variable away.
pub type EnvChange = (&'static str, Option<OsString>);

/// Starts other programs.
pub trait Launcher: Send + Sync {
    /// Becomes the program `argv`, with these changes to the environment: same process, so arguments, signals
    /// and exit code are the child's own. Returns only when that failed.
    ///
    /// On systems that cannot do that, the child runs to its end and this process ends with its code.
    fn replace(&self, argv: &[OsString], changes: &[EnvChange]) -> io::Error;

    /// Runs a command line that the person wrote into their own configuration, by the system's shell, and returns the first line of its
    /// output. It may talk to the person on the terminal.
    ///
    /// # Errors
    /// It cannot be run, fails, or prints no text.
    fn first_line(&self, command_line: &str) -> io::Result<Secret<String>>;

    /// Whether there may be a browser, so that nobody signs in for nothing.
    ///
    /// # Errors
    /// There is nothing to show one on.
    fn can_browse(&self) -> io::Result<()>;

    /// Opens `url` in the person's browser: `BROWSER`, else the system's choice. The address is an argument of the browser, so it
    /// is no secret. Returns at once, except for a browser in the terminal.
    ///
    /// # Errors
    /// There is no browser, or nothing to show one on.
    fn browse(&self, url: &WebUrl) -> io::Result<()>;

    /// Starts the program `argv` with two pipes of its own. Needs the runtime that waits.
    ///
    /// # Errors
    /// It cannot be started.
    fn start(&self, argv: &[OsString]) -> io::Result<Box<dyn Piped>>;
}

/// The longest output of a helper that is read.
const LONGEST: u64 = 64 * 1024;

/// The operating system's.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemLauncher;

impl Launcher for SystemLauncher {
    #[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "processes are started here")]
    fn replace(&self, argv: &[OsString], changes: &[EnvChange]) -> io::Error {
        let Some((program, arguments)) = argv.split_first() else {
            return io::Error::new(io::ErrorKind::InvalidInput, "no command");
        };
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        for (name, value) in changes {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        #[cfg(unix)]
        {
            std::os::unix::process::CommandExt::exec(&mut command)
        }
        #[cfg(not(unix))]
        {
            match command.status() {
                Ok(status) => std::process::exit(status.code().unwrap_or(1)),
                Err(error) => error,
            }
        }
    }

    #[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "processes are started here")]
    fn first_line(&self, command_line: &str) -> io::Result<Secret<String>> {
        use std::io::Read as _;
        let (shell, switch) = if cfg!(windows) { ("cmd", "/C") } else { ("/bin/sh", "-c") };
        let mut command = std::process::Command::new(shell);
        let mut child = command.arg(switch).arg(command_line).stdout(std::process::Stdio::piped()).spawn()?;
        let mut output = Secret::new(String::new());
        if let Some(stdout) = child.stdout.take() {
            let mut text = String::new();
            let read = stdout.take(LONGEST).read_to_string(&mut text);
            output = Secret::new(text);
            read?;
        }
        let status = child.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!("it ended with {status}")));
        }
        match output.expose().lines().next().filter(|line| !line.is_empty()) {
            Some(line) => Ok(Secret::from(line)),
            None => Err(io::Error::other("it printed nothing")),
        }
    }

    fn can_browse(&self) -> io::Result<()> {
        // A browser without a display starts, and ends by itself with nobody told.
        if cfg!(all(unix, not(target_os = "macos"))) {
            let env = super::Env::system();
            if env.first(&["BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"]).is_none() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "there is no display, and `BROWSER` is not set"));
            }
        }
        Ok(())
    }

    fn browse(&self, url: &WebUrl) -> io::Result<()> {
        self.can_browse()?;
        webbrowser::open(url.expose().as_str())
    }

    fn start(&self, argv: &[OsString]) -> io::Result<Box<dyn Piped>> {
        super::piped::start(argv)
    }
}
