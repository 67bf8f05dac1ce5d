//! Hands a secret address to the person's browser.
//!
//! What a program is started with can be read by everybody on the machine, for as long as a browser runs. So the browser is started with
//! an address of this machine that nobody can guess, and whoever asks there first, once, is sent on to the real one. Why it is
//! done so: docs/decisions/console.md.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Clock, Launcher};
use crate::types::WebUrl;

/// How long one connection may take to say what it wants. A browser opens some that it never uses.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request that is read.
const LONGEST: usize = 16 * 1024;

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
pub async fn hand_over(launcher: &dyn Launcher, clock: &dyn Clock, url: &WebUrl, at_most: Duration) -> Result<(), HandOverError> {
    let (start, mut fetched) = serve(url).map_err(HandOverError::NoBrowser)?;
    // Not waited for in a task: a browser in the terminal keeps this thread until it is left.
    launcher.browse(&start).map_err(HandOverError::NoBrowser)?;
    tokio::select! {
        biased;
        came = fetched.recv() => came.ok_or(HandOverError::NotFetched(at_most)),
        () = clock.sleep(at_most) => Err(HandOverError::NotFetched(at_most)),
    }
}

/// The one address that is given out once.
struct Secret {
    host: String,
    path: String,
    to: Mutex<Option<WebUrl>>,
    fetched: tokio::sync::mpsc::Sender<()>,
}

/// Listens on threads of its own until this process ends.
fn serve(url: &WebUrl) -> io::Result<(WebUrl, tokio::sync::mpsc::Receiver<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let host = listener.local_addr()?.to_string();
    let path = format!("/{}", super::nonce());
    let start = WebUrl::parse(&format!("http://{host}{path}")).map_err(io::Error::other)?;
    let (fetched, receiver) = tokio::sync::mpsc::channel(1);
    let secret = Arc::new(Secret { host, path, to: Mutex::new(Some(url.clone())), fetched });
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let secret = Arc::clone(&secret);
            // A connection that breaks is the other side's business.
            std::thread::spawn(move || drop(answer(stream, &secret)));
        }
    });
    Ok((start, receiver))
}

/// Answers one request.
fn answer(mut stream: TcpStream, secret: &Secret) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = head(&mut stream)?;
    let to = match is_asked_for(&head, secret) {
        true => secret.to.lock().unwrap_or_else(PoisonError::into_inner).take(),
        false => None,
    };
    let Some(to) = to else {
        return stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nCache-Control: no-store\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let reply = crate::types::Secret::new(format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n",
        to.expose()
    ));
    stream.write_all(reply.expose().as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let _ = secret.fetched.try_send(());
    Ok(())
}

/// A request up to the empty line.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut piece = [0_u8; 1024];
    while bytes.len() < LONGEST && !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => break,
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether it asks for the one path, by the name under which the browser was sent here: a page of another name that leads here has
/// another `Host`.
fn is_asked_for(head: &str, secret: &Secret) -> bool {
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut hosts = lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    method == "GET" && is_same(path, &secret.path) && hosts.next().is_some_and(|(_, host)| host.trim() == secret.host)
}

/// Compares in a time that does not tell how much of it is right.
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://signin.example/federation?SigninToken=abc";

    /// One exchange with the listener.
    fn told(start: &WebUrl, request: &str) -> String {
        let port = start.expose().port().unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn whoever_knows_the_address_is_sent_on_once() {
        let (start, mut fetched) = serve(&WebUrl::parse(URL).unwrap()).unwrap();
        let (path, port) = (start.path().to_owned(), start.expose().port().unwrap());
        for wrong in [
            format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
            format!("GET {path}x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
            format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
            format!("GET {path} HTTP/1.1\r\n\r\n"),
            format!("HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
            "nonsense\r\n\r\n".to_owned(),
        ] {
            assert!(told(&start, &wrong).starts_with("HTTP/1.1 404 "), "{wrong}");
        }
        assert!(fetched.try_recv().is_err());
        let right = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
        let answer = told(&start, &right);
        assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
        assert!(answer.contains(&format!("\r\nLocation: {URL}\r\n")) && answer.contains("\r\nCache-Control: no-store\r\n"));
        assert!(told(&start, &right).starts_with("HTTP/1.1 404 "), "a second time");
        assert!(fetched.blocking_recv().is_some());
    }

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
        let outcome = runtime.block_on(hand_over(&Idle, &Over, &url, Duration::from_secs(30)));
        assert_eq!(outcome.unwrap_err().to_string(), "the browser did not ask for the address within 30 seconds");
    }
}
