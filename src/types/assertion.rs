//! A signed statement about the person, and whom it is for.

use super::{PortalToken, Secret, WebUrl};

/// What an identity provider hands over after a sign-in.
#[derive(Debug, Clone)]
pub enum Assertion {
    /// A SAML response.
    Saml(SamlResponse),
    /// The access token of a cloud's own sign-in portal, which stands in for an assertion.
    Portal(PortalToken),
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
}

impl ServiceProvider {
    /// Whether a form that posts to `address` hands the response to this service provider, and so ends a sign-in.
    pub fn receives_at(&self, address: &WebUrl) -> bool {
        (self.is_acs)(address) || self.target.as_ref().is_some_and(|target| target.same_page(address))
    }
}
