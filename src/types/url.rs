//! Addresses that a password or an assertion may be sent to.

use std::fmt;

/// An address with `https`, or `http` on loopback. It prints without user, query and fragment,
/// because SAML and OpenID Connect put tokens there.
#[derive(Clone, PartialEq, Eq)]
pub struct WebUrl(url::Url);

/// Why a text is not a [`WebUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Not an address at all.
    #[error("not an address: {0}")]
    Malformed(#[from] url::ParseError),
    /// Another scheme, or `http` to another machine.
    #[error("only https addresses (or http on this machine) are used, not {scheme}://{host}")]
    NotSafe {
        /// What stands before `://`.
        scheme: String,
        /// The host it names, perhaps empty.
        host: String,
    },
}

impl WebUrl {
    /// Reads an absolute address.
    ///
    /// # Errors
    /// [`BadUrl`] for what is no address, or one that would carry secrets in the clear.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        Self::check(url::Url::parse(text.trim())?)
    }

    /// Reads an address that may be relative to this one, as a browser does.
    ///
    /// # Errors
    /// As [`WebUrl::parse`].
    pub fn join(&self, reference: &str) -> Result<Self, BadUrl> {
        Self::check(self.0.join(reference.trim())?)
    }

    fn check(url: url::Url) -> Result<Self, BadUrl> {
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" if url.host().is_some() => Ok(Self(url)),
            "http" if loopback => Ok(Self(url)),
            scheme => Err(BadUrl::NotSafe { scheme: scheme.to_owned(), host: url.host_str().unwrap_or_default().to_owned() }),
        }
    }

    /// The host name, in lower case.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether this address is `http` or `https` on this very machine.
    pub fn is_loopback(&self) -> bool {
        self.0.scheme() == "http" || matches!(self.host(), "localhost" | "127.0.0.1" | "[::1]")
    }

    /// The path, beginning with `/`.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The whole address, query included, for sending; never for printing.
    pub fn expose(&self) -> &url::Url {
        &self.0
    }

    /// Whether both name the same page: scheme, host, port and path.
    pub fn same_page(&self, other: &Self) -> bool {
        self.0.scheme() == other.0.scheme()
            && self.0.host_str() == other.0.host_str()
            && self.0.port_or_known_default() == other.0.port_or_known_default()
            && self.0.path() == other.0.path()
    }

    /// Replaces the query by these pairs.
    #[must_use]
    pub fn with_query<'p>(&self, pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        Self(url)
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        url.set_query(None);
        url.set_fragment(None);
        // Cannot fail for https and http, which have an authority.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        write!(f, "{url}")
    }
}

impl fmt::Debug for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_without_what_is_secret() {
        let url = WebUrl::parse("https://me:pw@idp.example/sso?SAMLRequest=abc#id_token=x").unwrap();
        assert_eq!(format!("{url} {url:?}"), "https://idp.example/sso https://idp.example/sso");
    }

    #[test]
    fn only_safe_roads() {
        for good in ["https://a.example/", "http://127.0.0.1:8080/x", "http://localhost/", "http://[::1]:1/"] {
            assert!(WebUrl::parse(good).is_ok(), "{good}");
        }
        for bad in ["http://a.example/", "ftp://a.example/", "javascript:alert(1)", "file:///etc/passwd", "a.example", ""] {
            assert!(WebUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_cannot_lead_off_the_safe_roads() {
        let page = WebUrl::parse("https://idp.example/login?x=1").unwrap();
        assert_eq!(page.join("?y=2").unwrap().expose().as_str(), "https://idp.example/login?y=2");
        assert_eq!(page.join("//other.example/a").unwrap().host(), "other.example");
        assert!(page.join("http://evil.example/").is_err());
        assert!(page.join("data:text/html,x").is_err());
    }
}
