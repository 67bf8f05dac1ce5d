//! As little of HTTP/1.1 as a load generator needs: connections that stay open, a pool of them.

use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Result;

/// The address that the service has for people; requests name it, wherever they are sent.
pub(crate) const HOST: &str = "127.0.0.1:8443";

/// Connections to one address.
pub(crate) struct Client {
    address: SocketAddr,
    idle: Mutex<Vec<TcpStream>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    /// Sends a request of somebody with a token and reads its answer, which has to be a 200.
    pub(crate) async fn ask(&self, method: &str, path: &str, bearer: &str, body: Option<&str>) -> Result {
        let headers = format!("authorization: Bearer {bearer}\r\naccept: application/json\r\ncontent-type: application/json\r\n");
        self.send(method, path, &headers, body, 200).await.map(drop)
    }

    /// Sends a request and gives the head of its answer, which has to have that status.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &str, body: Option<&str>, status: u16) -> Result<String> {
        let kept = self.idle.lock().map_err(|_| "a caller fell over")?.pop();
        let mut stream = match kept {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let length = body.map(|body| format!("content-length: {}\r\n", body.len())).unwrap_or_default();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n{headers}{length}\r\n{}", body.unwrap_or_default());
        stream.write_all(request.as_bytes()).await?;
        let (mut bytes, mut read) = (Vec::with_capacity(16 * 1024), None);
        let head = loop {
            if read.is_none()
                && let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
            {
                let head = std::str::from_utf8(&bytes[..end])?.to_owned();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("no length")?;
                read = Some((end + 4 + length.trim().parse::<usize>()?, head));
            }
            if let Some((_, head)) = read.take_if(|(whole, _)| bytes.len() >= *whole) {
                break head;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err("the service hung up".into());
            }
        };
        self.idle.lock().map_err(|_| "a caller fell over")?.push(stream);
        match head.starts_with(&format!("HTTP/1.1 {status} ")) {
            true => Ok(head),
            false => Err(format!("{method} {path}: {}", String::from_utf8_lossy(&bytes)).into()),
        }
    }
}
