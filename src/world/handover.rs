//! Hands a secret address to the person's browser.
//!
//! What a program is started with can be read by everybody on the machine, for as long as a browser runs. So the browser is started with
//! an address of this machine that nobody can guess, and whoever asks there first, once, is sent on to the real one. Why it is
//! done so: docs/decisions/console.md. Sign-ins go the same way: their address holds the `state` by which an answer is known.

use std::io;
use std::time::Duration;

use super::{Clock, Launcher, Listener};
use crate::types::WebUrl;

/// Why a browser did not get an address.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// It could not be started, or there is none.
    #[error("cannot open a browser")]
    NoBrowser(#[source] io::Error),
    /// It was started and never came.
    #[error("the browser did not ask for the address within {} seconds", .0.as_secs())]
    NotFetched(Duration),
}

/// Opens `url` in the person's browser and returns when the browser has been sent there, which takes `at_most` this long.
///
/// # Errors
/// [`HandOverError`].
pub async fn hand_over(
    launcher: &dyn Launcher,
    listener: &dyn Listener,
    clock: &dyn Clock,
    url: &WebUrl,
    at_most: Duration,
) -> Result<(), HandOverError> {
    let mut door = listener.listen(None).await.map_err(HandOverError::NoBrowser)?;
    let start = door.lead(url).map_err(HandOverError::NoBrowser)?;
    // Not waited for in a task: a browser in the terminal keeps this thread until it is left.
    launcher.browse(&start).map_err(HandOverError::NoBrowser)?;
    tokio::select! {
        biased;
        () = door.led() => Ok(()),
        () = clock.sleep(at_most) => Err(HandOverError::NotFetched(at_most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://signin.example/federation?SigninToken=abc";

    /// A browser that cannot be guessed at: it never comes.
    struct Idle;

    impl Launcher for Idle {
        fn replace(&self, _: &[std::ffi::OsString], _: &[crate::world::EnvChange]) -> io::Error {
            io::Error::other("not here")
        }

        fn first_line(&self, _: &str) -> io::Result<crate::types::Secret<String>> {
            Err(io::Error::other("not here"))
        }

        fn can_browse(&self) -> io::Result<()> {
            Ok(())
        }

        fn browse(&self, url: &WebUrl) -> io::Result<()> {
            assert!(url.is_loopback() && !url.expose().as_str().contains("SigninToken"));
            Ok(())
        }

        fn start(&self, _: &[std::ffi::OsString]) -> io::Result<Box<dyn crate::world::Piped>> {
            Err(io::Error::other("not here"))
        }
    }

    /// Time that is over at once.
    struct Over;

    #[async_trait::async_trait]
    impl Clock for Over {
        fn now(&self) -> crate::types::Timestamp {
            crate::types::Timestamp::from_unix(0).unwrap()
        }

        async fn sleep(&self, _: Duration) {}
    }

    #[test]
    fn a_browser_that_never_comes_is_not_waited_for_for_ever() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = WebUrl::parse(URL).unwrap();
        let outcome = runtime.block_on(hand_over(&Idle, &crate::world::SystemListener, &Over, &url, Duration::from_secs(30)));
        assert_eq!(outcome.unwrap_err().to_string(), "the browser did not ask for the address within 30 seconds");
    }
}
