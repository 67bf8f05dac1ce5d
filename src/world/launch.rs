//! Becoming another program.

use std::ffi::OsString;
use std::io;

/// A change to the environment that a child gets: a value to set, or nothing to take the variable away.
pub type EnvChange = (&'static str, Option<OsString>);

/// Starts other programs.
pub trait Launcher: Send + Sync {
    /// Becomes the program `argv`, with these changes to the environment: same process, so arguments, signals
    /// and exit code are the child's own. Returns only when that failed.
    ///
    /// On systems that cannot do that, the child runs to its end and this process ends with its code.
    fn replace(&self, argv: &[OsString], changes: &[EnvChange]) -> io::Error;
}

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
}
