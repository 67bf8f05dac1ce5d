//! Lines that leave this machine, or this program, for good: a file that is appended to, and system logs.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::AsyncWriteExt as _;

/// Appends lines to a file, for its owner alone, and waits until they are on the disk. The file is opened each time, so whoever turns it over
/// (logrotate) needs to tell nobody. Half a line, which a crash may leave, is ended first.
///
/// # Errors
/// The system's.
pub async fn append(path: &Path, lines: &[String]) -> io::Result<()> {
    let (path, text) = (path.to_owned(), lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    tokio::task::spawn_blocking(move || append_now(&path, &text)).await.map_err(io::Error::other)?
}

#[allow(clippy::disallowed_methods, reason = "files are written here")]
fn append_now(path: &Path, text: &str) -> io::Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
    let mut options = std::fs::File::options();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// Where a system log listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemLog {
    /// A socket of this machine, `/dev/log`.
    Unix(PathBuf),
    /// A host and a port, a message a packet.
    Udp(String),
    /// A host and a port, messages with their length before them (RFC 6587 §3.4.1).
    Tcp(String),
}

impl SystemLog {
    /// Reads `unix:PATH`, `udp://HOST:PORT` or `tcp://HOST:PORT`.
    pub fn parse(text: &str) -> Option<Self> {
        let host = |rest: &str| {
            let (name, port) = rest.rsplit_once(':')?;
            (!name.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)).then(|| rest.to_owned())
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(PathBuf::from(path)));
        }
        match text.split_once("://")? {
            ("udp", rest) => host(rest).map(Self::Udp),
            ("tcp", rest) => host(rest).map(Self::Tcp),
            _ => None,
        }
    }

    /// Sends messages, in their order. No log of this kind says whether it kept them.
    ///
    /// # Errors
    /// The system's.
    pub async fn send(&self, messages: &[String]) -> io::Result<()> {
        match self {
            #[cfg(unix)]
            Self::Unix(path) => {
                let socket = tokio::net::UnixDatagram::unbound()?;
                socket.connect(path)?;
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
            }
            #[cfg(not(unix))]
            Self::Unix(_) => return Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no such sockets")),
            Self::Udp(to) => {
                let there = tokio::net::lookup_host(to).await?.next().ok_or(io::ErrorKind::NotFound)?;
                let here = if there.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = tokio::net::UdpSocket::bind(here).await?;
                socket.connect(there).await?;
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
            }
            Self::Tcp(to) => {
                let mut stream = tokio::net::TcpStream::connect(to).await?;
                let framed: String = messages.iter().map(|message| format!("{} {message}", message.len())).collect();
                stream.write_all(framed.as_bytes()).await?;
                stream.shutdown().await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_log_is_named() {
        assert_eq!(SystemLog::parse("unix:/dev/log"), Some(SystemLog::Unix("/dev/log".into())));
        assert_eq!(SystemLog::parse("udp://[::1]:514"), Some(SystemLog::Udp("[::1]:514".to_owned())));
        assert_eq!(SystemLog::parse("tcp://log.example:601"), Some(SystemLog::Tcp("log.example:601".to_owned())));
        for bad in ["", "unix:log", "udp://:514", "udp://h", "tcp://h:0", "tls://h:6514", "h:514"] {
            assert_eq!(SystemLog::parse(bad), None, "{bad}");
        }
    }
}
