//! A door on loopback: a browser is led from there to an address that is for it alone, and comes back there at the end of a sign-in.
//!
//! Only 127.0.0.1 is ever opened. Browsers open connections in advance and say nothing on them, so every connection is
//! read by itself and only those that ask for something are handed on.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::types::{Secret, WebUrl};

/// The longest head of a request that is read. An address with a code in it is a tenth of this.
const LONGEST: usize = 32 * 1024;
/// How many lines a head may have.
const MOST_HEADERS: usize = 100;
/// How long a connection may take to say what it wants, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many visitors may wait for their answers.
const QUEUE: usize = 16;

/// Opens doors.
#[async_trait]
pub trait Listener: Send + Sync {
    /// Opens this port of 127.0.0.1, or any free one.
    ///
    /// # Errors
    /// It cannot be opened; `AddrInUse` when somebody else has it.
    async fn listen(&self, port: Option<u16>) -> io::Result<Box<dyn Door>>;
}

/// An open port. It closes when this is dropped.
#[async_trait]
pub trait Door: Send {
    /// Its number.
    fn port(&self) -> u16;

    /// An address of this machine that leads a browser to `to`, once. A program's arguments can be read by everybody on the machine, so
    /// this is what a browser is started with. The door sees to it by itself, also while this thread waits for a browser in the terminal.
    ///
    /// # Errors
    /// Never in truth: the address is made of a number and a word.
    fn lead(&mut self, to: &WebUrl) -> io::Result<WebUrl>;

    /// Waits until a browser has been led there. Whoever asks for something else meanwhile is told that it is not here.
    async fn led(&mut self);

    /// The next visitor who asks for something else. Waits for ever if none comes.
    async fn visitor(&mut self) -> Visitor;
}

/// Takes an answer to whoever is waiting for it.
#[async_trait]
pub trait Reply: Send {
    /// Sends it; a visitor who has left is no error.
    async fn send(self: Box<Self>, bytes: Vec<u8>);
}

/// Somebody at the door.
pub struct Visitor {
    /// `GET`, in capitals.
    pub method: String,
    /// Path and query, which may hold a code.
    pub target: Secret<String>,
    /// The `Host` that was asked for.
    pub host: String,
    /// The way back.
    pub reply: Box<dyn Reply>,
}

impl Visitor {
    /// Sends the visitor on. Where to, only its browser is told.
    async fn send_on(self, to: &WebUrl) {
        let head = Secret::new(format!(
            "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\nreferrer-policy: no-referrer\r\ncache-control: no-store\r\n\
             connection: close\r\n\r\n",
            to.expose()
        ));
        self.reply.send(head.expose().clone().into_bytes()).await;
    }

    /// Answers with a small page. It loads nothing, is kept nowhere and tells no other site where it was.
    pub async fn answer(self, status: u16, html: &str) {
        let reason = match status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            410 => "Gone",
            _ => "Misdirected Request",
        };
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
             content-security-policy: default-src 'none'\r\nreferrer-policy: no-referrer\r\ncache-control: no-store\r\n\
             x-content-type-options: nosniff\r\nx-frame-options: DENY\r\nconnection: close\r\n\r\n",
            html.len()
        );
        let body = if self.method == "HEAD" { "" } else { html };
        self.reply.send([head.as_bytes(), body.as_bytes()].concat()).await;
    }
}

/// The system's.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemListener;

#[async_trait]
impl Listener for SystemListener {
    #[allow(clippy::disallowed_methods, reason = "doors are opened here")]
    async fn listen(&self, port: Option<u16>) -> io::Result<Box<dyn Door>> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port.unwrap_or_default()))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let (sender, visitors) = mpsc::channel(QUEUE);
        let (told, fetched) = mpsc::channel(1);
        let (closes, closed) = oneshot::channel();
        let led: Arc<Mutex<Option<Led>>> = Arc::default();
        let theirs = Arc::clone(&led);
        // On a thread of its own: whoever opens a browser in the terminal keeps theirs until it is left.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, &theirs, &told, &sender) => {}
                    _ = closed => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("door".to_owned()).spawn(serving)?;
        Ok(Box::new(SystemDoor { port, visitors, led, fetched, closes: Some(closes), thread: Some(thread) }))
    }
}

/// Where a browser is led that asks for this path.
struct Led {
    path: String,
    host: String,
    to: WebUrl,
}

/// Takes connections, one task each.
async fn serve(
    listener: std::net::TcpListener,
    led: &Arc<Mutex<Option<Led>>>,
    told: &mpsc::Sender<()>,
    sender: &mpsc::Sender<Visitor>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        // An error here is of one connection that was given up before it was taken.
        if let Ok((stream, _)) = listener.accept().await {
            let (led, told, sender) = (Arc::clone(led), told.clone(), sender.clone());
            tokio::spawn(async move {
                let Ok(Some(visitor)) = tokio::time::timeout(PATIENCE, read(stream)).await else { return };
                let is_led = |led: &mut Led| {
                    visitor.method == "GET" && visitor.host == led.host && is_same(visitor.target.expose(), &led.path)
                };
                let to = led.lock().unwrap_or_else(PoisonError::into_inner).take_if(is_led);
                match to {
                    Some(Led { to, .. }) => {
                        visitor.send_on(&to).await;
                        let _ = told.try_send(());
                    }
                    // Nobody listens any more: the connection closes.
                    None => _ = sender.send(visitor).await,
                }
            });
        }
    }
}

/// Compares in a time that tells nothing of where two texts differ.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

struct SystemDoor {
    port: u16,
    visitors: mpsc::Receiver<Visitor>,
    led: Arc<Mutex<Option<Led>>>,
    fetched: mpsc::Receiver<()>,
    closes: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for SystemDoor {
    fn drop(&mut self) {
        drop(self.closes.take());
        // The port is free when the thread has gone, which it does at once.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Door for SystemDoor {
    fn port(&self) -> u16 {
        self.port
    }

    fn lead(&mut self, to: &WebUrl) -> io::Result<WebUrl> {
        let (host, path) = (format!("127.0.0.1:{}", self.port), format!("/{}", super::nonce()));
        let here = WebUrl::parse(&format!("http://{host}{path}")).map_err(io::Error::other)?;
        *self.led.lock().unwrap_or_else(PoisonError::into_inner) = Some(Led { path, host, to: to.clone() });
        Ok(here)
    }

    async fn led(&mut self) {
        loop {
            tokio::select! {
                biased;
                Some(()) = self.fetched.recv() => return,
                Some(visitor) = self.visitors.recv() => visitor.answer(404, "").await,
                else => std::future::pending().await,
            }
        }
    }

    async fn visitor(&mut self) -> Visitor {
        match self.visitors.recv().await {
            Some(visitor) => visitor,
            // Only when the door's thread ends, and then nobody waits for this either.
            None => std::future::pending().await,
        }
    }
}

struct Stream(TcpStream);

#[async_trait]
impl Reply for Stream {
    async fn send(mut self: Box<Self>, bytes: Vec<u8>) {
        let write = async {
            self.0.write_all(&bytes).await?;
            self.0.shutdown().await
        };
        let _ = tokio::time::timeout(PATIENCE, write).await;
    }
}

/// Reads the head of one request. What is not HTTP is no visitor.
async fn read(mut stream: TcpStream) -> Option<Visitor> {
    let mut head = zeroize::Zeroizing::new(Vec::with_capacity(4096));
    let mut chunk = zeroize::Zeroizing::new([0_u8; 4096]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut chunk[..]).await.ok()?;
        if count == 0 || head.len() + count > LONGEST {
            return None;
        }
        head.extend_from_slice(&chunk[..count]);
    }
    let (method, target, host) = parse(&head)?;
    Some(Visitor { method, target, host, reply: Box::new(Stream(stream)) })
}

/// Method, path with query, and host.
fn parse(head: &[u8]) -> Option<(String, Secret<String>, String)> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).ok()?.is_complete().then_some(())?;
    let hosts: Vec<&[u8]> = request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("host")).map(|h| h.value).collect();
    // Two hosts are none.
    let host = if let [host] = hosts.as_slice() { std::str::from_utf8(host).ok()? } else { "" };
    Some((request.method?.to_ascii_uppercase(), Secret::from(request.path?), host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let of = |text: &str| parse(text.as_bytes()).map(|(method, target, host)| format!("{method} {} {host}", target.expose()));
        assert_eq!(of("GET /callback?code=1 HTTP/1.1\r\nHost: 127.0.0.1:7\r\n\r\n").unwrap(), "GET /callback?code=1 127.0.0.1:7");
        assert_eq!(of("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n").unwrap(), "GET / ");
        for odd in ["", "GET /", "\u{16}\u{3}\u{1}tls\r\n\r\n", "GET / HTTP/9\r\n\r\n"] {
            assert_eq!(of(odd), None, "{odd:?}");
        }
    }

    #[tokio::test]
    async fn a_silent_connection_holds_up_nobody() {
        let mut door = SystemListener.listen(None).await.unwrap();
        let silent = TcpStream::connect(("127.0.0.1", door.port())).await.unwrap();
        let mut talking = TcpStream::connect(("127.0.0.1", door.port())).await.unwrap();
        talking.write_all(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let visitor = door.visitor().await;
        assert_eq!((visitor.target.expose().as_str(), visitor.host.as_str()), ("/x", "localhost"));
        visitor.answer(200, "<p>hello</p>").await;
        let mut answer = String::new();
        talking.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n<p>hello</p>"), "{answer}");
        let port = door.port();
        assert_eq!(SystemListener.listen(Some(port)).await.err().unwrap().kind(), io::ErrorKind::AddrInUse);
        drop(silent);
    }

    /// One exchange at a door.
    fn told(port: u16, request: &str) -> String {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[tokio::test]
    async fn whoever_knows_the_address_is_led_on_once() {
        const URL: &str = "https://signin.example/federation?SigninToken=abc";
        let mut door = SystemListener.listen(None).await.unwrap();
        let start = door.lead(&WebUrl::parse(URL).unwrap()).unwrap();
        let (path, port) = (start.path().to_owned(), door.port());
        let others = [
            format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
            format!("GET {path}x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
            format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
            format!("GET {path} HTTP/1.1\r\n\r\n"),
            format!("HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
        ];
        for other in &others {
            let asking = {
                let other = other.clone();
                std::thread::spawn(move || told(port, &other))
            };
            door.visitor().await.answer(404, "").await;
            assert!(asking.join().unwrap().starts_with("HTTP/1.1 404 "), "{other}");
        }
        let right = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
        // This thread waits, as it does for a browser in the terminal.
        let answer = told(port, &right);
        assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
        assert!(answer.contains(&format!("\r\nlocation: {URL}\r\n")) && answer.contains("\r\ncache-control: no-store\r\n"));
        door.led().await;
        let again = std::thread::spawn(move || told(port, &right));
        door.visitor().await.answer(404, "").await;
        assert!(again.join().unwrap().starts_with("HTTP/1.1 404 "), "a second time");
        drop(door);
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "it is closed");
    }
}
