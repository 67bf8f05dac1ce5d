//! A signed statement about the person, and whom it is for.

use super::{Claims, PortalToken, Secret, SessionName, WebUrl};

/// What an identity provider hands over after a sign-in.
#[derive(Debug, Clone)]
pub enum Assertion {
    /// A SAML response.
    Saml(SamlResponse),
    /// The access token of a cloud's own sign-in portal, which stands in for an assertion.
    Portal(PortalToken),
    /// A token of OpenID Connect.
    Oidc(IdToken),
}

/// A signed token that says who somebody, or which program, is: the text exactly as it came. It buys credentials until it expires, so
/// it is a secret; what it says of itself is not.
#[derive(Debug, Clone)]
pub struct IdToken {
    text: Secret<String>,
    claims: Box<Claims>,
    session_name: SessionName,
}

impl IdToken {
    /// Takes a token with what was read in it, and the name that the session gets in the cloud's logs: a token has no attribute for it.
    pub fn new(text: Secret<String>, claims: Claims, session_name: SessionName) -> Self {
        Self { text, claims: Box::new(claims), session_name }
    }

    /// The token, for the cloud.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// What it says of itself.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The session's name.
    pub fn session_name(&self) -> &SessionName {
        &self.session_name
    }
}

/// The message that carries the SAML assertion, in base64, exactly as it came. It buys credentials
/// for some minutes, so it is a secret.
#[derive(Debug, Clone)]
pub struct SamlResponse(Secret<String>);

impl SamlResponse {
    /// Takes the base64 text of a form's `SAMLResponse` field. White space, which pages add to
    /// break lines, is taken out.
    pub fn new(base64: &str) -> Self {
        Self(Secret::new(base64.chars().filter(|c| !c.is_whitespace()).collect()))
    }

    /// The base64 text, for the cloud.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// Whom an assertion is for: one cloud's entry for SAML sign-ins, with an account's overrides applied.
#[derive(Debug, Clone)]
pub struct ServiceProvider {
    /// The entity ID, which becomes the assertion's audience (`urn:amazon:webservices`).
    pub entity_id: String,
    /// Whether an address is one of the cloud's assertion consumer services, which are many: sites, partitions, regions.
    pub is_acs: fn(&WebUrl) -> bool,
    /// Whether an address, or an audience, is any cloud's. A response for one of them is not handed to anybody else.
    pub is_clouds: fn(&WebUrl, &str) -> bool,
    /// An assertion consumer service that the account names beside them.
    pub target: Option<WebUrl>,
    /// The same cloud as a reader of tokens.
    pub web_identity: WebIdentity,
}

/// What a cloud's own tools agree on about tokens of OpenID Connect.
#[derive(Debug, Clone, Copy)]
pub struct WebIdentity {
    /// Whom tokens are for where nobody says otherwise.
    pub audience: &'static str,
    /// The variable that names the file with a token.
    pub file: &'static str,
    /// The variable with a token itself.
    pub text: Option<&'static str>,
    /// The variable with the session's name.
    pub session_name: &'static str,
}

impl ServiceProvider {
    /// Whether a form that posts to `address` hands the response to this service provider, and so ends a sign-in.
    pub fn receives_at(&self, address: &WebUrl) -> bool {
        (self.is_acs)(address) || self.target.as_ref().is_some_and(|target| target.same_page(address))
    }
}
