//! The proxy: takes `CONNECT`, ends TLS as the host asked for, and serves HTTP/1.1 inside.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::fault::Fault;
use crate::wire::{Payload, Reply, Request};
use crate::{Shared, world};

/// Longest head of a request to the proxy itself.
const HEAD_LIMIT: usize = 16 * 1024;
/// Longest body of a request; a SAML response has at most 100,000 characters.
const BODY_LIMIT: usize = 1024 * 1024;

/// Takes connections until the runtime ends.
pub(crate) async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                // A connection that breaks is the client's business; what it sent is on record.
                tokio::spawn(async move {
                    let _ = connection(stream, shared).await;
                });
            }
            // Out of file descriptors, for instance: give others the time to close theirs.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let head = head(&mut stream).await?;
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let (host, port) = match method {
        "CONNECT" => target.rsplit_once(':').unwrap_or((target, "")),
        _ => (plain_host(target), "80"),
    };
    let host = host.to_ascii_lowercase();
    if method != "CONNECT" || port != "443" || !world::knows(&host) {
        refuse(&shared, method, &host, port);
        return status(&mut stream, "502 Bad Gateway").await;
    }
    let fault = shared.world().fault(&host, None);
    if fault == Some(Fault::Unreachable) {
        refused_by_plan(&shared, &host);
        return status(&mut stream, "503 Service Unavailable").await;
    }
    let name = match fault {
        Some(Fault::WrongName) => "another-name.example",
        _ => host.as_str(),
    };
    let config = shared.authority.server(name).map_err(io::Error::other)?;
    // A way to the host and a handshake with it: a round trip each, as TLS 1.3 has it.
    slowly(&shared).await;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    slowly(&shared).await;
    let tls = TlsAcceptor::from(config).accept(stream).await?;
    shared.world().connections += 1;
    let turn = Arc::new(Mutex::new(Turn::None));
    let tap = Tap { tls, turn: Arc::clone(&turn), sent: 0 };
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        let turn = Arc::clone(&turn);
        let host = host.clone();
        async move { Ok::<_, Infallible>(serve(shared, turn, host, request).await) }
    });
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tap), service).await.map_err(io::Error::other)
}

/// Takes plain connections for those who have no proxy, until the runtime ends.
pub(crate) async fn front(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move {
                let (mut request, _) = read(crate::corporate::HOST.to_owned(), request).await;
                if let Some((host, path)) = request.path.strip_prefix("/cloud/").and_then(|rest| rest.split_once('/')) {
                    (request.host, request.path) = (host.to_owned(), format!("/{path}"));
                }
                // A browser has cookies of everything on this machine, and an opinion on where it comes from.
                let host = request.host.clone();
                for (name, value) in &mut request.headers {
                    if name == "host" {
                        value.clone_from(&host);
                    }
                }
                let reply = shared.world().answer(&request);
                Ok::<_, Infallible>(outgoing(reply))
            }
        });
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Host of an absolute address, as in a plain request to a proxy.
fn plain_host(target: &str) -> &str {
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Reads a head up to its empty line. A client of a proxy waits for the answer before it sends more.
async fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await?;
        bytes.push(byte);
        if bytes.len() > HEAD_LIMIT {
            return Err(io::Error::other("the head is too long"));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn status(stream: &mut TcpStream, line: &str) -> io::Result<()> {
    let text = format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// Keeps a record of somebody who asked for a host outside the box, or for plain HTTP.
fn refuse(shared: &Shared, method: &str, host: &str, port: &str) {
    let request = Request { host: host.to_owned(), method: method.to_owned(), ..Request::default() };
    let mut world = shared.world();
    world.record(&request, 502);
    let why = match method {
        "CONNECT" => format!("port {port} of a host that is not in the box"),
        _ => "plain HTTP".to_owned(),
    };
    world.violation(&request, &why);
}

/// The same for a refusal that the test ordered, which is no breach.
fn refused_by_plan(shared: &Shared, host: &str) {
    let request = Request { host: host.to_owned(), method: "CONNECT".to_owned(), ..Request::default() };
    shared.world().record(&request, 503);
}

/// The wait that was ordered.
async fn slowly(shared: &Shared) {
    let wait = shared.world().latency;
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

/// Answers one request, with the fault that is due, or by its emulator.
async fn serve(
    shared: Arc<Shared>,
    turn: Arc<Mutex<Turn>>,
    host: String,
    request: hyper::Request<Incoming>,
) -> hyper::Response<Outgoing> {
    let (request, whole) = read(host, request).await;
    slowly(&shared).await;
    if !whole {
        let mut world = shared.world();
        world.violation(&request, "the body is too long or broken");
        world.record(&request, 413);
        return outgoing(Reply::text(413, ""));
    }
    let fault = shared.world().fault(&request.host, Some(&request.path));
    let ordered = |reply: Reply| {
        shared.world().record(&request, reply.status);
        outgoing(reply)
    };
    let take = |what: Turn| {
        shared.world().record(&request, 0);
        *turn.lock().unwrap_or_else(PoisonError::into_inner) = what;
        outgoing(Reply::text(200, ""))
    };
    match fault {
        None | Some(Fault::Unreachable | Fault::WrongName) => {
            let reply = shared.world().answer(&request);
            outgoing(reply)
        }
        Some(Fault::Status(status, body, media)) => ordered(Reply::new(status, &media, body)),
        Some(Fault::Huge(size)) => {
            let mut reply = Reply::html(200, "");
            reply.payload = Payload::Huge(size);
            ordered(reply)
        }
        Some(Fault::Redirect(url)) => ordered(Reply::redirect(&url)),
        Some(Fault::Garbage(bytes)) => take(Turn::Garbage(bytes)),
        Some(Fault::Reset) => take(Turn::Reset),
        Some(Fault::Hang) => {
            shared.world().record(&request, 0);
            std::future::pending().await
        }
    }
}

/// Reads a request to its end; `false` if that was not possible.
async fn read(host: String, request: hyper::Request<Incoming>) -> (Request, bool) {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let mut read = Request {
        host,
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        raw_query: query.to_owned(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect(),
        body: Vec::new(),
    };
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => {
            read.body = body.to_bytes().to_vec();
            (read, true)
        }
        Err(_) => (read, false),
    }
}

fn outgoing(reply: Reply) -> hyper::Response<Outgoing> {
    let mut builder = hyper::Response::builder().status(reply.status).header("cache-control", "no-store");
    for (name, value) in &reply.headers {
        // Bytes above 127 are legal in a header's value, and a hostile server sends them.
        if let Ok(value) = hyper::header::HeaderValue::from_bytes(value.as_bytes()) {
            builder = builder.header(name, value);
        }
    }
    let body = match reply.payload {
        Payload::Bytes(bytes) => Outgoing::Bytes(Some(Bytes::from(bytes))),
        Payload::Huge(size) => Outgoing::Huge(size),
    };
    builder.body(body).unwrap_or_else(|_| hyper::Response::new(Outgoing::Bytes(None)))
}

/// Body of an answer.
enum Outgoing {
    Bytes(Option<Bytes>),
    Huge(usize),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        /// Text that is neither markup nor compressible to nothing by a careless reader.
        static PIECE: [u8; 16 * 1024] = [b'x'; 16 * 1024];
        let next = match &mut *self {
            Self::Bytes(bytes) => bytes.take(),
            Self::Huge(0) => None,
            Self::Huge(left) => {
                let size = PIECE.len().min(*left);
                *left -= size;
                Some(Bytes::from_static(&PIECE[..size]))
            }
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_none(),
            Self::Huge(left) => *left == 0,
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Bytes(bytes) => hyper::body::SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            // No length ahead: the client must count for itself.
            Self::Huge(_) => hyper::body::SizeHint::default(),
        }
    }
}

/// What happens to the bytes of the next answer.
enum Turn {
    None,
    Garbage(Vec<u8>),
    Reset,
}

/// The encrypted stream under hyper, where an answer can be swapped for something that is no HTTP.
struct Tap {
    tls: TlsStream<TcpStream>,
    turn: Arc<Mutex<Turn>>,
    sent: usize,
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let turn = this.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match &*turn {
            Turn::None => Pin::new(&mut this.tls).poll_write(cx, buf),
            Turn::Reset => {
                // Closing with nothing to linger for makes the kernel send RST.
                this.tls.get_ref().0.set_zero_linger()?;
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            Turn::Garbage(bytes) => {
                while this.sent < bytes.len() {
                    let written = ready!(Pin::new(&mut this.tls).poll_write(cx, &bytes[this.sent..]))?;
                    this.sent += written;
                }
                ready!(Pin::new(&mut this.tls).poll_flush(cx))?;
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::plain_host;

    #[test]
    fn hosts_of_plain_requests() {
        assert_eq!(plain_host("http://evil.example/login?x"), "evil.example");
        assert_eq!(plain_host("/login"), "");
    }
}
