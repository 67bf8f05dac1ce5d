//! A browser without a screen: follows redirects, keeps cookies, reads pages, sends forms back.
//!
//! Cookies and redirects are handled here and not by the HTTP client, because a sign-in must stop at the form
//! that would hand the SAML response to the cloud, and must never be led to an address that carries secrets in
//! the clear.

mod cookie;
mod form;
mod page;
mod reader;
mod retry;

pub use form::{Button, Form, Input, InputKind};
pub use page::{Outline, Page};
pub use retry::{Policy, Retrying};

use crate::types::{BadUrl, Secret, WebUrl};
use crate::world::{Method, Request, Response, Transport, TransportError};

/// How many redirects in a row are followed.
const REDIRECTS: usize = 12;

/// Why a page could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrowseError {
    /// No answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Led in circles.
    #[error("{host} redirects in circles")]
    Circle {
        /// Whose redirect was the last.
        host: String,
    },
    /// Led to an address that is not used.
    #[error("{host} leads to an address that is not used: {why}")]
    Astray {
        /// Who led there.
        host: String,
        /// What is wrong with the address.
        why: BadUrl,
    },
}

/// One sign-in's browser, with its cookies.
pub struct Browser<'t> {
    transport: &'t dyn Transport,
    cookies: cookie::Jar,
}

impl<'t> Browser<'t> {
    /// A browser without cookies.
    pub fn new(transport: &'t dyn Transport) -> Self {
        Self { transport, cookies: cookie::Jar::default() }
    }

    /// The value of the cookie `name` that the next request to `url` would carry.
    pub fn cookie(&self, url: &WebUrl, name: &str) -> Option<Secret<String>> {
        self.cookies.get(url, name)
    }

    /// Gives the browser a cookie of an earlier sign-in, for the host of `url` alone.
    pub fn set_cookie(&mut self, url: &WebUrl, name: &str, value: &Secret<String>) {
        self.cookies.set(url, name, value);
    }

    /// Sends one request with its cookies and keeps those of the answer. Redirects are not followed.
    ///
    /// # Errors
    /// [`TransportError`] when no answer came.
    pub async fn send(&mut self, mut request: Request) -> Result<Response, TransportError> {
        if let Some(cookies) = self.cookies.for_url(&request.url) {
            request.headers.push(("cookie", cookies));
        }
        let response = self.transport.send(&request).await?;
        self.cookies.keep(&request.url, &response);
        Ok(response)
    }

    /// Sends a request as a browser's window does: follows redirects and reads the page at their end.
    ///
    /// # Errors
    /// [`BrowseError`].
    pub async fn visit(&mut self, request: Request) -> Result<Page, BrowseError> {
        let mut request = request;
        for _ in 0..REDIRECTS {
            if !request.headers.iter().any(|(name, _)| *name == "accept") {
                request = request.header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
            }
            let url = request.url.clone();
            let (method, body) = (request.method, request.body.clone());
            let response = self.send(request).await?;
            let Some(location) = response.header("location").filter(|_| matches!(response.status, 301 | 302 | 303 | 307 | 308))
            else {
                return Ok(Page::parse(url, response.status, response.body.expose()));
            };
            let next = url.join(location).map_err(|why| BrowseError::Astray { host: url.host().to_owned(), why })?;
            tracing::debug!(from = %url, to = %next, "redirect");
            // 307 and 308 repeat the request; the older ones turn it into a GET, as every browser does. A body
            // with a password in it is repeated to the same host only.
            request = match (response.status, method) {
                (307 | 308, Method::Post) if next.host() == url.host() => Request {
                    method,
                    url: next,
                    headers: vec![("content-type", Secret::from("application/x-www-form-urlencoded"))],
                    body,
                },
                _ => Request::get(next),
            };
            if request.url.host().is_empty() {
                break;
            }
        }
        Err(BrowseError::Circle { host: request.url.host().to_owned() })
    }

    /// Opens an address.
    ///
    /// # Errors
    /// [`BrowseError`].
    pub async fn open(&mut self, url: WebUrl) -> Result<Page, BrowseError> {
        self.visit(Request::get(url)).await
    }

    /// Sends a form of `page`, as pressing its button would.
    ///
    /// # Errors
    /// [`BrowseError`].
    pub async fn submit(&mut self, page: &Page, form: &Form) -> Result<Page, BrowseError> {
        let request = form.request(&page.url).map_err(|why| BrowseError::Astray { host: page.url.host().to_owned(), why })?;
        self.visit(request).await
    }
}
