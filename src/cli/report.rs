//! Failure: one place that words it and picks the exit code. Nothing else ends the process.

use super::show::talk;
use crate::app::{Error, Kind};
use crate::ask::PinentryError;
use crate::types::Untrusted;

/// Exit codes, a contract with scripts (docs/manual.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    Success = 0,
    Other = 1,
    Usage = 2,
    Refused = 3,
    NeedsPerson = 4,
    Network = 5,
    NotRunnable = 126,
    NotFound = 127,
    Interrupted = 130,
}

/// What each code means, for the manual.
pub(super) const CODES: &[(Exit, &str)] = &[
    (Exit::Success, "done"),
    (Exit::Other, "another failure: a file, a page or an answer that is not what it should be"),
    (Exit::Usage, "the command line or the configuration"),
    (Exit::Refused, "the identity provider or the cloud said no"),
    (Exit::NeedsPerson, "somebody would have to answer, and there is no terminal, or the question was left"),
    (Exit::Network, "no connection, or none that can be trusted"),
    (Exit::NotRunnable, "`exec`: the command is there and cannot be run"),
    (Exit::NotFound, "`exec`: there is no such command"),
    (Exit::Interrupted, "interrupted with Ctrl-C"),
];

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A use case failed.
    #[error(transparent)]
    App(Box<Error>),
    /// There is nowhere to look for files.
    #[error("there is no home directory: `HOME` is not set")]
    NoHome,
    /// A cloud that nobody knows.
    #[error("`{}` is no cloud; there are `aws` and `alibaba`", Untrusted::new(.0.clone()))]
    BadCloud(String),
    /// No cloud where one is needed.
    #[error("for which cloud? `--cloud aws` or `--cloud alibaba`")]
    WhichCloud,
    /// A flag that the old tools had given up already.
    #[error("`-i` and `--provider` are no more; `--idp-provider NAME` names the identity provider")]
    OldProvider,
    /// A keychain that nobody knows.
    #[error(transparent)]
    Keychain(#[from] crate::vault::ChoiceError),
    /// The pinentry program failed.
    #[error(transparent)]
    Prompter(#[from] PinentryError),
    /// Stdin cannot be read.
    #[error("cannot read the password from stdin")]
    Input(#[source] std::io::Error),
    /// Stdin is empty.
    #[error("there is no password on stdin")]
    NoPassword,
    /// Stdout cannot be written.
    #[error("cannot write to stdout")]
    Output(#[source] std::io::Error),
    /// The operating system gives no means to wait.
    #[error("cannot start waiting for the network")]
    Runtime(#[source] std::io::Error),
    /// The service.
    #[cfg(feature = "serve")]
    #[error(transparent)]
    Serve(#[from] crate::server::ServeError),
    /// Something that the service needs is not there; what it is stands on stdout.
    #[cfg(feature = "serve")]
    #[error("something is missing")]
    Incomplete,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::App(Box::new(error))
    }
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::App(error) => match error.kind() {
                Kind::Other => Exit::Other,
                Kind::Usage => Exit::Usage,
                Kind::Refused => Exit::Refused,
                Kind::NeedsPerson => Exit::NeedsPerson,
                Kind::Network => Exit::Network,
                Kind::NotRunnable => Exit::NotRunnable,
                Kind::NotFound => Exit::NotFound,
            },
            Self::NoHome | Self::BadCloud(_) | Self::WhichCloud | Self::OldProvider | Self::Keychain(_) | Self::NoPassword => {
                Exit::Usage
            }
            Self::Prompter(PinentryError::NotRunnable { .. }) => Exit::Usage,
            Self::Prompter(_) => Exit::NeedsPerson,
            Self::Input(_) | Self::Output(_) | Self::Runtime(_) => Exit::Other,
            #[cfg(feature = "serve")]
            Self::Serve(error) => serve_exit(error),
            #[cfg(feature = "serve")]
            Self::Incomplete => Exit::Other,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::App(error) => error.hint(),
            #[cfg(feature = "serve")]
            Self::Serve(error) => error.hint(),
            _ => None,
        }
    }
}

#[cfg(feature = "serve")]
fn serve_exit(error: &crate::server::ServeError) -> Exit {
    use crate::server::{ServeError, SettingsError, StoreError};
    match error {
        ServeError::Settings(SettingsError::File(_)) => Exit::Other,
        ServeError::Settings(_) | ServeError::Given(_) | ServeError::Store(StoreError::Schema(_)) => Exit::Usage,
        ServeError::Store(StoreError::Unreachable { .. }) => Exit::Network,
        ServeError::Sessions(crate::server::OpenError::Redis(..)) => Exit::Network,
        ServeError::Sessions(_) => Exit::Other,
        ServeError::Idp { .. } | ServeError::Told { .. } => Exit::Usage,
        ServeError::Keys(_) | ServeError::KeysUnusable | ServeError::File(_) | ServeError::Network(_) => Exit::Other,
        ServeError::Store(_) | ServeError::Begun { .. } | ServeError::Tls(_) | ServeError::Listen { .. } => Exit::Other,
    }
}

/// Prints `error:`, its causes, and what to do.
pub(super) fn report(failure: &Failure) -> u8 {
    let exit = failure.exit();
    if exit == Exit::Interrupted {
        // Whoever pressed Ctrl-C knows; only the line they were on is ended.
        talk("");
        return exit as u8;
    }
    talk(&format!("error: {failure}"));
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        talk(&format!("  caused by: {}", Untrusted::new(error.to_string())));
        cause = error.source();
    }
    if let Some(hint) = failure.hint() {
        talk("");
        talk(&format!("hint: {hint}"));
    }
    exit as u8
}
