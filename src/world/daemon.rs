//! What a service needs of the system: a port, the signals, a line of its log.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Opens a port.
///
/// # Errors
/// Somebody else has it, or it may not be opened.
pub async fn open_port(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Writes one line of a log to stderr. A reader that has left is no error.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The signals that a service hears.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    end: tokio::signal::unix::Signal,
    #[cfg(unix)]
    again: tokio::signal::unix::Signal,
}

/// What was signalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// To end.
    End,
    /// To read its certificates anew.
    Reload,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self { end: signal(SignalKind::terminate())?, again: signal(SignalKind::hangup())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// The next one: Ctrl-C and SIGTERM end, SIGHUP reloads.
    pub async fn next(&mut self) -> Heard {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => Heard::End,
            _ = self.end.recv() => Heard::End,
            _ = self.again.recv() => Heard::Reload,
        }
        #[cfg(not(unix))]
        {
            let _ = tokio::signal::ctrl_c().await;
            Heard::End
        }
    }
}
