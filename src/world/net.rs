//! One request, one answer. No cookies and no redirects here: those belong to `http`.

use std::time::Duration;

use async_trait::async_trait;

use crate::types::{Secret, WebUrl};

/// The longest answer that is read, in bytes. A sign-in page is a thousandth of this.
const LONGEST: usize = 8 * 1024 * 1024;
/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a whole exchange may take. Longer than any provider holds a request open for a push.
const EXCHANGE: Duration = Duration::from_secs(60);

/// How the other side of a connection is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether any certificate will do. Only ever for an identity provider whose account says so.
    pub skip_verify: bool,
}

/// The two methods that sign-ins need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// Where to.
    pub url: WebUrl,
    /// Header names in lower case, with their values.
    pub headers: Vec<(&'static str, Secret<String>)>,
    /// The body; its type is one of the headers.
    pub body: Option<Secret<String>>,
}

impl Request {
    /// A GET.
    pub fn get(url: WebUrl) -> Self {
        Self { method: Method::Get, url, headers: Vec::new(), body: None }
    }

    /// A POST with a body of this type.
    pub fn post(url: WebUrl, content_type: &'static str, body: Secret<String>) -> Self {
        Self { method: Method::Post, url, headers: vec![("content-type", content_type.into())], body: Some(body) }
    }

    /// A POST of a form.
    pub fn form<'p>(url: WebUrl, pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Self::post(url, "application/x-www-form-urlencoded", Secret::new(body))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<Secret<String>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case, with their values, in the order they came.
    pub headers: Vec<(String, Secret<String>)>,
    /// The body as text: decoded by its declared character set, never longer than 8 MiB.
    pub body: Secret<String>,
}

impl Response {
    /// The first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.expose().as_str())
    }

    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Whether a server says, by this HTTP status, that it is busy.
pub fn is_busy(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// No answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection, or it broke.
    #[error("cannot reach {host}: {why}")]
    Unreachable {
        /// Who should have answered.
        host: String,
        /// The innermost cause, without the address.
        why: String,
    },
    /// The certificate is not one to trust.
    #[error("{host} showed a certificate that is not trusted: {why}")]
    Untrusted {
        /// Who showed it.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// It took too long.
    #[error("{host} did not answer in time")]
    Late {
        /// Who was late.
        host: String,
    },
    /// The answer was longer than anything a sign-in needs.
    #[error("{host} sent an answer longer than {} MiB", LONGEST / 1024 / 1024)]
    TooLong {
        /// Who sent it.
        host: String,
    },
    /// The client could not be made.
    #[error("cannot set up TLS: {0}")]
    Setup(String),
}

/// Sends one request.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`TransportError`] when no whole answer came.
    async fn send(&self, request: &Request) -> Result<Response, TransportError>;
}

/// Opens transports.
pub trait Network: Send + Sync {
    /// A transport with these TLS settings. Two are opened for a sign-in, one for the identity provider and one,
    /// always strict, for the cloud, so that switching verification off for the first cannot reach the second.
    ///
    /// # Errors
    /// [`TransportError::Setup`].
    fn open(&self, tls: &Tls) -> Result<Box<dyn Transport>, TransportError>;
}

/// The real network. Proxies (`HTTPS_PROXY`, `NO_PROXY`) and further authorities (`SSL_CERT_FILE`) are the
/// environment's, as every program of this machine sees them.
#[derive(Debug, Default, Clone, Copy)]
pub struct HttpNetwork;

/// Chooses ring as the one TLS provider of this process. Called once, before the first connection.
pub fn init_tls() {
    // A second call finds it chosen already, which is what it wants.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Network for HttpNetwork {
    fn open(&self, tls: &Tls) -> Result<Box<dyn Transport>, TransportError> {
        init_tls();
        let client = client(tls).build().map_err(|error| TransportError::Setup(innermost(&error)))?;
        Ok(Box::new(HttpTransport(client)))
    }
}

pub(super) fn client(tls: &Tls) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(EXCHANGE)
        .user_agent(concat!("saml2cloud/", env!("CARGO_PKG_VERSION")))
        .tls_danger_accept_invalid_certs(tls.skip_verify)
}

/// Opens one connection with these TLS settings, asks for a page and drops the answer.
pub(super) async fn connect(tls: rustls::ClientConfig, url: &WebUrl) -> Result<(), TransportError> {
    let client = client(&Tls::default())
        .timeout(CONNECT)
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|error| TransportError::Setup(innermost(&error)))?;
    client.get(url.expose().clone()).send().await.map(drop).map_err(|error| explain(url.host(), &error))
}

pub(super) struct HttpTransport(pub(super) reqwest::Client);

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let host = request.url.host().to_owned();
        tracing::debug!(%method, url = %request.url, "request");
        let mut builder = self.0.request(method, request.url.expose().clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value.expose());
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.expose().clone());
        }
        let mut response = builder.send().await.map_err(|error| explain(&host, &error))?;
        let status = response.status().as_u16();
        tracing::debug!(status, %host, "answer");
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), Secret::new(String::from_utf8_lossy(value.as_bytes()).into_owned())))
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(&host, &error))? {
            if body.len() + chunk.len() > LONGEST {
                return Err(TransportError::TooLong { host });
            }
            body.extend_from_slice(&chunk);
        }
        let body = match String::from_utf8(body) {
            Ok(text) => text,
            // Pages in older character sets keep their ASCII, which is all that forms need.
            Err(error) => error.into_bytes().into_iter().map(|b| if b.is_ascii() { char::from(b) } else { '\u{FFFD}' }).collect(),
        };
        Ok(Response { status, headers, body: Secret::new(body) })
    }
}

/// The last cause of a chain, in its own words: the outer ones repeat the address with its query.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

fn explain(host: &str, error: &reqwest::Error) -> TransportError {
    let host = host.to_owned();
    let why = innermost(error);
    if error.is_timeout() {
        return TransportError::Late { host };
    }
    let lower = why.to_ascii_lowercase();
    if lower.contains("certificate") || lower.contains("unknownissuer") {
        return TransportError::Untrusted { host, why };
    }
    TransportError::Unreachable { host, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody waits for sixty seconds in a test; that the client is told to is what can be lost.
    #[test]
    fn there_are_limits_of_time() {
        for skip_verify in [false, true] {
            let told = format!("{:?}", client(&Tls { skip_verify }));
            assert!(told.contains("connect_timeout: 15s") && told.contains(", timeout: 60s"), "{told}");
        }
    }
}
