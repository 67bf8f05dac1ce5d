//! What a machine in a cloud can ask about itself: the metadata service at an address of its own, which no packet leaves the host for. It speaks plain
//! HTTP, so it is asked directly, never through a proxy, and nowhere else is anything asked like this.

use std::time::Duration;

use url::Url;

use super::net::{TransportError, init_tls};
use crate::types::Secret;

/// How long the service may take; it is on the same host.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer, in bytes.
const LONGEST: usize = 64 * 1024;

/// The metadata service of the machine.
#[derive(Debug, Clone)]
pub struct Instance {
    client: reqwest::Client,
    stand_in: Option<Url>,
}

impl Instance {
    /// The real one.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new() -> Result<Self, TransportError> {
        init_tls();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .build()
            .map_err(|error| TransportError::Setup(error.to_string()))?;
        Ok(Self { client, stand_in: None })
    }

    /// One at another address, for tests.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn at(stand_in: Url) -> Result<Self, TransportError> {
        Ok(Self { stand_in: Some(stand_in), ..Self::new()? })
    }

    /// Asks for a page; `is_put` for those that have to be asked so. The host is one of the clouds' own addresses.
    ///
    /// # Errors
    /// [`TransportError`]; any status but success is one, for the service has answers or is not there.
    pub async fn ask(
        &self,
        is_put: bool,
        host: &'static str,
        path: &str,
        header: (&'static str, &Secret<String>),
    ) -> Result<Secret<String>, TransportError> {
        let unreachable = |why: String| TransportError::Unreachable { host: host.to_owned(), why };
        let base = match &self.stand_in {
            Some(url) => url.clone(),
            None => Url::parse(&format!("http://{host}/")).map_err(|error| unreachable(error.to_string()))?,
        };
        let url = base.join(path).map_err(|error| unreachable(error.to_string()))?;
        let method = if is_put { reqwest::Method::PUT } else { reqwest::Method::GET };
        let asked = self.client.request(method, url).header(header.0, header.1.expose()).send().await;
        let mut answer = asked.map_err(|error| unreachable(error.without_url().to_string()))?;
        if !answer.status().is_success() {
            return Err(unreachable(format!("HTTP {}", answer.status().as_u16())));
        }
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(error.without_url().to_string()))? {
            text.extend_from_slice(&chunk);
            if text.len() > LONGEST {
                return Err(TransportError::TooLong { host: host.to_owned() });
            }
        }
        String::from_utf8(text).map(Secret::new).map_err(|_| unreachable("its answer is no text".to_owned()))
    }
}
