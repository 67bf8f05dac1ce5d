//! The proxy: certificates, hosts and faults.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sandbox::{Fault, Sandbox};

use crate::browser::{Browser, start};

const XSRF: &str = "https://console.jumpcloud.com/userconsole/xsrf";

/// A tunnel to a host, by hand; the proxy's answer and the stream.
fn connect(sandbox: &Sandbox, target: &str) -> (String, TcpStream) {
    let address = sandbox.proxy_url().replace("http://", "");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (String::from_utf8(head).unwrap(), stream)
}

fn client_config(sandbox: &Sandbox) -> Arc<ClientConfig> {
    let pem = std::fs::read(sandbox.ca_file()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

#[test]
fn certificates_chain_to_the_root_and_connections_are_kept() {
    let sandbox = start();
    let (head, stream) = connect(&sandbox, "STS.amazonaws.com:443");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let name = ServerName::try_from("sts.amazonaws.com").unwrap();
    let tls = ClientConnection::new(client_config(&sandbox), name).unwrap();
    let mut stream = StreamOwned::new(tls, stream);
    for _ in 0..2 {
        stream.write_all(b"GET /nothing HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\r\n").unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("the path is not /\n") {
            let mut piece = [0; 512];
            let size = stream.read(&mut piece).unwrap();
            assert_ne!(size, 0, "the connection was not kept");
            seen.extend_from_slice(&piece[..size]);
        }
        assert!(seen.starts_with(b"HTTP/1.1 400 "));
    }
    assert_eq!(stream.conn.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert_eq!(sandbox.requests().len(), 2);
    assert_eq!(sandbox.violations().len(), 2);
}

#[test]
fn strangers_are_refused_and_recorded() {
    let sandbox = start();
    for target in ["evil.example:443", "sts.amazonaws.com:80"] {
        let (head, _) = connect(&sandbox, target);
        assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    }
    let mut browser = Browser::new(&sandbox);
    assert_eq!(browser.get("http://evil.example/login").status, 502);
    let seen = sandbox.requests();
    assert_eq!(seen[0].method, "CONNECT");
    assert_eq!(seen[0].host, "evil.example");
    assert_eq!(seen[2].method, "GET");
    assert_eq!(seen[2].host, "evil.example");
    assert!(sandbox.violations()[2].contains("plain HTTP"));
}

#[test]
fn a_wrong_certificate_is_noticed() {
    let sandbox = start();
    sandbox.fault("*.jumpcloud.com", Fault::WrongName);
    let error = Browser::new(&sandbox).send("GET", XSRF, &[], None).err().unwrap();
    assert!(error.contains("InvalidCertificate"), "{error}");
    sandbox.clear_faults();
    assert_eq!(Browser::new(&sandbox).get(XSRF).status, 200);
}

#[test]
fn faults_come_when_ordered() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    let status = Fault::Status(503, "later".to_owned(), "text/plain".to_owned());
    sandbox.fault("console.*", status.times(2).on_path("/userconsole/x"));
    assert_eq!(browser.get(XSRF).status, 503);
    assert_eq!(browser.get("https://console.jumpcloud.com/login").status, 200);
    assert_eq!(browser.get(XSRF).body, "later");
    assert_eq!(browser.get(XSRF).status, 200);

    sandbox.fault("*", Fault::Redirect("https://evil.example/".to_owned()).times(1));
    assert_eq!(browser.get(XSRF).location.as_deref(), Some("https://evil.example/"));

    sandbox.fault("*", Fault::Huge(3_000_000).times(1));
    assert_eq!(browser.get(XSRF).body.len(), 3_000_000);

    for fault in [Fault::Garbage(b"\x16\x03nonsense\r\n\r\n".to_vec()), Fault::Reset] {
        sandbox.fault("*", fault.times(1));
        assert!(browser.send("GET", XSRF, &[], None).is_err());
        // The client may have tried again on a new connection, which is then an ordinary one.
        sandbox.clear_faults();
        assert_eq!(browser.get(XSRF).status, 200);
    }

    sandbox.fault("*", Fault::Unreachable);
    assert!(Browser::new(&sandbox).send("GET", XSRF, &[], None).is_err());
    assert_eq!(sandbox.violations(), Vec::<String>::new());
}

#[test]
fn answers_can_be_slow_or_never_come() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    sandbox.latency(Duration::from_millis(120));
    let start = Instant::now();
    assert_eq!(browser.get(XSRF).status, 200);
    assert!(start.elapsed() >= Duration::from_millis(120));
    sandbox.fault("*", Fault::Hang);
    let (_, _) = connect(&sandbox, "sso.jumpcloud.com:443");
    // Neither the pending answer nor the open tunnel may hold up the end.
    let end = Instant::now();
    drop(sandbox);
    assert!(end.elapsed() < Duration::from_secs(2));
}

#[test]
fn secrets_in_addresses_are_breaches() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    let url = "https://login.acme.example/sso/aws?style=alice-correct-horse-battery";
    assert_eq!(browser.get(url).status, 400);
    assert!(sandbox.violations()[0].contains("a secret in query parameter `style`"));
    // The record must not hold the secret itself.
    assert!(!format!("{:?}", sandbox.requests()).contains("alice-correct"));
    assert!(!format!("{:?}", sandbox.violations()).contains("alice-correct"));
}

#[test]
fn the_environment_is_complete() {
    let sandbox = start();
    let env = sandbox.env(std::path::Path::new("/scratch"));
    let get = |name: &str| env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(get("HOME"), Some("/scratch"));
    assert_eq!(get("NO_PROXY"), Some(""));
    assert_eq!(get("HTTPS_PROXY"), Some(sandbox.proxy_url().as_str()));
    assert!(sandbox.ca_file().is_file());
    assert_eq!(env.len(), 12);
}
