//! As little of HTTP/1.1 as a load generator needs: connections that stay open, a pool of them.

use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Result;

/// Connections to one address.
pub(crate) struct Client {
    address: SocketAddr,
    idle: Mutex<Vec<TcpStream>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    /// Sends a request and reads its answer, which has to be a 200.
    pub(crate) async fn ask(&self, method: &str, path: &str, bearer: &str, body: Option<&str>) -> Result {
        let kept = self.idle.lock().map_err(|_| "a caller fell over")?.pop();
        let mut stream = match kept {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let host = format!("127.0.0.1:{}", 8443);
        let rest = match body {
            Some(body) => format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
            None => "\r\n".to_owned(),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {bearer}\r\naccept: application/json\r\n{rest}"
        );
        stream.write_all(request.as_bytes()).await?;
        let (mut bytes, mut needed) = (Vec::with_capacity(16 * 1024), None);
        loop {
            if needed.is_none()
                && let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
            {
                let head = std::str::from_utf8(&bytes[..end])?.to_ascii_lowercase();
                if !head.starts_with("http/1.1 200") {
                    return Err(format!("{path}: {head}").into());
                }
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("no length")?;
                needed = Some(end + 4 + length.trim().parse::<usize>()?);
            }
            if needed.is_some_and(|needed| bytes.len() >= needed) {
                break;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err("the service hung up".into());
            }
        }
        self.idle.lock().map_err(|_| "a caller fell over")?.push(stream);
        Ok(())
    }
}
