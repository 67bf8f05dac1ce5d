//! The service as a process of its own, the way that it is operated: what it computes and holds is not the load generator's.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::http::Client;

/// The process. Dropped, it is ended.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start to its first "ready".
    pub(crate) ready: Duration,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    pub(crate) async fn start(configuration: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_saml2cloud"));
        command
            .args(["serve", "--config"])
            .arg(configuration)
            .env_clear()
            .env("SAML2CLOUD_SERVE_SERVER_LISTEN", address.to_string());
        let start = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
        let mut service = Self { child, address, ready: Duration::ZERO };
        while Client::new(address).send("GET", "/readyz", "", None, 200).await.is_err() {
            if let Some(status) = service.child.try_wait()? {
                return Err(format!("the service ended: {status}").into());
            }
            if start.elapsed() > Duration::from_secs(60) {
                return Err("the service does not come up".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        service.ready = start.elapsed();
        Ok(service)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it holds in memory, and the most that it ever held, in MiB.
    pub(crate) fn memory(&self) -> [u64; 2] {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        ["VmRSS:", "VmHWM:"].map(|name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
        })
    }
}
