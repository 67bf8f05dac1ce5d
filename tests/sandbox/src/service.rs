//! The product's own service, `saml2cloud serve`, started from its program and put into the box: the box's company signs its people in, and
//! the box's clouds know it as an identity provider. Everything is on this machine, without TLS.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::visitor::Visitor;
use crate::{Sandbox, StartError};

/// How long the service may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);
/// The name of our entry in cloud accounts.
const ENTRY: &str = "cam";

/// The service. It ends when this is dropped.
#[derive(Debug)]
pub struct Service {
    /// Its address.
    pub url: String,
    /// Its configuration.
    pub config: PathBuf,
    program: PathBuf,
    env: Vec<(String, String)>,
    child: Option<Child>,
}

impl Service {
    /// Writes a configuration into a folder, and begins the database: `gid` is the first super admin, `root` the name of the root node. `more`
    /// is added to the configuration.
    pub fn prepare(
        sandbox: &Sandbox,
        program: &Path,
        folder: &Path,
        gid: &str,
        root: &str,
        more: &str,
    ) -> Result<Self, StartError> {
        std::fs::create_dir_all(folder).map_err(StartError::from_any)?;
        let front = match sandbox.front() {
            Some(front) => front,
            None => sandbox.open_front()?,
        };
        let (metadata, certificate) = sandbox.corporate()?;
        let pem = |der: &[u8]| {
            let text = STANDARD.encode(der);
            let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
        };
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = port.map_err(StartError::from_any)?.port();
        let url = format!("http://127.0.0.1:{port}/");
        let config = folder.join("serve.toml");
        let text = format!(
            "[database]\nurl = \"sqlite:cam.db\"\n\n[server]\nurl = \"{url}\"\nlisten = \"127.0.0.1:{port}\"\naccess_log = \"off\"\n\n\
             [idp]\nmetadata_file = \"idp.xml\"\ncertificate_file = \"idp.pem\"\ngid_attribute = \"gid\"\n\n\
             [keys]\npassphrase_file = \"passphrase\"\n\n\
             [cloud.aws]\nacs = \"{front}/cloud/signin.aws.amazon.com/saml\"\n\n\
             [cloud.alibaba]\nacs = \"{front}/cloud/signin.aliyun.com/saml-role/sso\"\n{more}"
        );
        for (name, text) in [
            ("serve.toml", text),
            ("idp.xml", metadata),
            ("idp.pem", pem(&certificate)),
            ("passphrase", "a passphrase of the box\n".into()),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(StartError::from_any)?;
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(StartError::from_any)?;
        }
        let service = Self { url, config, program: program.to_owned(), env: sandbox.env(&folder.join("home")), child: None };
        service.run(&["init", "--gid", gid, "--alias", "alice", "--root", root])?;
        service.run(&["keys", "new", "--bits", "2048"])?;
        Ok(service)
    }

    /// Runs one of its commands and gives what it printed.
    pub fn run(&self, words: &[&str]) -> Result<String, StartError> {
        let output = self.command(words).output().map_err(StartError::from_any)?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(StartError::from_any(format!("serve {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)))),
        }
    }

    /// Leaves it no way out of its network: what it asks over the proxy is asked of nobody.
    pub fn without_egress(&mut self) {
        for (_, value) in self.env.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("https_proxy")) {
            // Nobody listens there.
            *value = "http://127.0.0.1:1/".to_owned();
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("serve").args(words).arg("--config").arg(&self.config).env_clear().envs(self.env.iter().cloned());
        command.stdin(Stdio::null());
        command
    }

    /// Starts it, waits until it is ready, and tells the company and the cloud accounts of it: those whose numbers are given, as
    /// `aws:012345678987` or `alibaba:1000000000000001`.
    pub fn start(&mut self, sandbox: &Sandbox, accounts: &[&str]) -> Result<(), StartError> {
        let child = self.command(&[]).stdout(Stdio::null()).spawn().map_err(StartError::from_any)?;
        self.child = Some(child);
        let begun = Instant::now();
        while !Visitor::new().get(&format!("{}readyz", self.url)).is_ok_and(|page| page.status == 200) {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || begun.elapsed() > PATIENCE {
                return Err(StartError::from_any("the service did not come up"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let metadata = |path: &str| {
            let page = Visitor::new().get(&format!("{}{path}", self.url)).map_err(StartError::from_any)?;
            if page.status == 200 { Ok(page.body) } else { Err(StartError::from_any(format!("{path}: {}", page.body))) }
        };
        sandbox.register_service(&metadata("saml/metadata")?)?;
        for account in accounts {
            let (partition, number) = account.split_once(':').unwrap_or_default();
            sandbox.saml_provider(&Self::entry(partition, number), &metadata(&format!("idp/metadata/{partition}"))?)?;
        }
        Ok(())
    }

    /// The full name of our entry in a cloud account.
    pub fn entry(partition: &str, number: &str) -> String {
        match partition.starts_with("alibaba") {
            true => format!("acs:ram::{number}:saml-provider/{ENTRY}"),
            false => format!("arn:{partition}:iam::{number}:saml-provider/{ENTRY}"),
        }
    }

    /// Ends it as an operator does, and gives whether it ended by itself in time.
    pub fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return true };
        #[cfg(unix)]
        {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE {
                if child.try_wait().is_ok_and(|status| status.is_some()) {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }

    /// The process's number, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
