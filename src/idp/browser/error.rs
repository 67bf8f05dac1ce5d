//! What can go wrong with an installed browser, and with the person in front of it.

use crate::types::Untrusted;
use crate::world::file::FileError;

/// Why an installed browser brought no SAML response.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// None is installed.
    #[error("no browser of Chromium's family was found; looked for {}", .looked.join(", "))]
    NotFound {
        /// Everything that was looked for.
        looked: Vec<String>,
    },
    /// Not on this system.
    #[error("the provider `Browser` is not built for this system yet")]
    NotBuilt,
    /// It cannot be started.
    #[error("cannot start {browser}")]
    CannotStart {
        /// Its name.
        browser: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The folder for its profile cannot be used.
    #[error("cannot keep a profile for the browser")]
    Profile(#[source] FileError),
    /// It ended before it said anything.
    #[error("{browser} ended as soon as it was started{}", quoted(.said))]
    Ended {
        /// Its name.
        browser: String,
        /// Its last complaint, perhaps none.
        said: Untrusted,
    },
    /// It says nothing.
    #[error("{browser} was started and does not answer")]
    Silent {
        /// Its name.
        browser: String,
    },
    /// It does not speak the protocol.
    #[error("did not understand {browser}: {why}")]
    Garbled {
        /// Its name.
        browser: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The address does not open.
    #[error("{browser} cannot open {host}: {why}")]
    Unreachable {
        /// Its name.
        browser: String,
        /// Whose address.
        host: String,
        /// The browser's word for it.
        why: Untrusted,
    },
    /// The window was closed, or the browser was ended.
    #[error("{browser} was closed before the sign-in was done")]
    Closed {
        /// Its name.
        browser: String,
    },
    /// Nobody finished in time.
    #[error("the sign-in in {browser} was not done within {}", spoken(*.seconds))]
    Late {
        /// Its name.
        browser: String,
        /// How long was waited.
        seconds: u64,
    },
    /// A person would have to do something in a window, and there can be none.
    #[error("{host} wants a person in a browser's window{}, and none can be shown: {why}", at(.page))]
    NoWindow {
        /// Who wants it.
        host: String,
        /// The title of the page that does, perhaps none.
        page: Untrusted,
        /// Why there is none.
        why: &'static str,
    },
    /// Another run has the profile.
    #[error("another sign-in at {host} by browser is not done yet")]
    Busy {
        /// Where.
        host: String,
    },
}

fn quoted(said: &Untrusted) -> String {
    if said.raw().is_empty() { String::new() } else { format!(": \"{said}\"") }
}

fn at(page: &Untrusted) -> String {
    if page.raw().is_empty() { String::new() } else { format!(" (its page is titled \"{page}\")") }
}

fn spoken(seconds: u64) -> String {
    if seconds > 60 && seconds.is_multiple_of(60) { format!("{} minutes", seconds / 60) } else { format!("{seconds} seconds") }
}
