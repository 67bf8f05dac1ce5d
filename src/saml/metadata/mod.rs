//! What an identity provider says of itself: SAML 2.0 metadata
//! (<https://docs.oasis-open.org/security/saml/v2.0/saml-metadata-2.0-os.pdf>). Read leniently, for an administrator to look at; the cloud
//! that gets the document judges it. What we say of ourselves is in [`write`].

#[cfg(feature = "serve")]
pub mod write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::text::xml::{BadXml, Element, Visitor, walk};

/// An identity provider's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityDescriptor {
    /// Its entity ID.
    pub entity_id: String,
    /// The certificates that it signs with, in DER.
    pub signing: Vec<Vec<u8>>,
    /// Where it takes requests to sign in.
    pub sign_in: Vec<Endpoint>,
    /// Where it takes messages about signing out.
    pub logout: Vec<Endpoint>,
}

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// In the address that the browser is sent to.
    Redirect,
    /// In a form that the browser posts.
    Post,
    /// In another way.
    Other,
}

/// An address for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// How they travel there.
    pub binding: Binding,
    /// The address.
    pub location: String,
    /// The address for answers, where it is another.
    pub response_location: Option<String>,
}

impl Endpoint {
    fn read(element: &Element<'_>) -> Option<Self> {
        let binding = match element.attribute("Binding")?.as_str() {
            "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" => Binding::Redirect,
            "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" => Binding::Post,
            _ => Binding::Other,
        };
        Some(Self { binding, location: element.attribute("Location")?, response_location: element.attribute("ResponseLocation") })
    }

    /// The address for answers.
    pub fn for_answers(&self) -> &str {
        self.response_location.as_deref().unwrap_or(&self.location)
    }
}

/// Why a text is no such description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMetadata {
    /// No XML.
    #[error("it is no XML: {0}")]
    Xml(#[from] BadXml),
    /// Something is missing.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A certificate that is none.
    #[error("a certificate in it is no base64")]
    Certificate,
}

#[derive(Default)]
struct Found {
    entity_id: Option<String>,
    is_idp: bool,
    use_of_key: String,
    signing: Vec<Vec<u8>>,
    sign_in: Vec<Endpoint>,
    logout: Vec<Endpoint>,
    /// Inside the description of the identity provider; an entity may be a service provider as well.
    role: bool,
}

impl Visitor for Found {
    type Error = BadMetadata;

    fn open(&mut self, element: &Element<'_>) -> Result<(), BadMetadata> {
        match element.name() {
            "EntityDescriptor" if self.entity_id.is_none() => self.entity_id = element.attribute("entityID"),
            "IDPSSODescriptor" => (self.is_idp, self.role) = (true, true),
            "SingleSignOnService" if self.role => self.sign_in.extend(Endpoint::read(element)),
            "SingleLogoutService" if self.role => self.logout.extend(Endpoint::read(element)),
            // A key without a use is for both.
            "KeyDescriptor" => self.use_of_key = element.attribute("use").unwrap_or_else(|| "signing".to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, path: &[String], text: String) -> Result<(), BadMetadata> {
        if path.last().is_some_and(|name| name == "IDPSSODescriptor") {
            self.role = false;
        }
        let inside = |name: &str| path.iter().any(|part| part == name);
        if path.last().is_some_and(|name| name == "X509Certificate")
            && inside("IDPSSODescriptor")
            && inside("KeyDescriptor")
            && self.use_of_key == "signing"
        {
            let packed: String = text.split_whitespace().collect();
            let certificate = STANDARD.decode(packed).map_err(|_| BadMetadata::Certificate)?;
            if !self.signing.contains(&certificate) {
                self.signing.push(certificate);
            }
        }
        Ok(())
    }
}

impl EntityDescriptor {
    /// Reads the first identity provider of a document.
    ///
    /// # Errors
    /// [`BadMetadata`].
    pub fn parse(xml: &str) -> Result<Self, BadMetadata> {
        let mut found = Found::default();
        walk(xml.trim_start_matches('\u{feff}'), &mut found)?;
        let entity_id =
            found.entity_id.filter(|id| !id.is_empty()).ok_or(BadMetadata::Missing("`EntityDescriptor` with an `entityID`"))?;
        if !found.is_idp {
            return Err(BadMetadata::Missing("`IDPSSODescriptor`: it does not describe an identity provider"));
        }
        if found.signing.is_empty() {
            return Err(BadMetadata::Missing("certificate for signing"));
        }
        Ok(Self { entity_id, signing: found.signing, sign_in: found.sign_in, logout: found.logout })
    }

    /// The first address for requests to sign in that travel in an address.
    pub fn sign_in_by_redirect(&self) -> Option<&Endpoint> {
        self.sign_in.iter().find(|endpoint| endpoint.binding == Binding::Redirect)
    }

    /// The first address for messages about signing out that travel in an address.
    pub fn logout_by_redirect(&self) -> Option<&Endpoint> {
        self.logout.iter().find(|endpoint| endpoint.binding == Binding::Redirect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="https://idp.example/meta">"#;

    fn key(usage: &str, text: &str) -> String {
        format!(
            "<md:KeyDescriptor {usage}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{text}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        )
    }

    #[test]
    fn only_what_an_identity_provider_signs_with_counts() {
        let idp = [
            key("use=\"encryption\"", "AAAA"),
            key("use=\"signing\"", "QU\n JD"),
            key("", "REVG"),
            key("use=\"signing\"", "QUJD"),
        ]
        .concat();
        let sp = key("use=\"signing\"", "R0hJ");
        let xml = format!(
            "{HEAD}<md:SPSSODescriptor>{sp}</md:SPSSODescriptor><md:IDPSSODescriptor>{idp}</md:IDPSSODescriptor></md:EntityDescriptor>"
        );
        let read = EntityDescriptor::parse(&xml).unwrap();
        assert_eq!((read.entity_id.as_str(), read.signing), ("https://idp.example/meta", vec![b"ABC".to_vec(), b"DEF".to_vec()]));
    }

    #[test]
    fn what_is_none_is_said() {
        let wrong = |xml: &str| EntityDescriptor::parse(xml).unwrap_err().to_string();
        assert!(wrong("<html><body>").contains("no XML"));
        assert!(wrong("<html/>").contains("entityID"));
        assert!(wrong(&format!("{HEAD}<md:SPSSODescriptor/></md:EntityDescriptor>")).contains("IDPSSODescriptor"));
        assert!(wrong(&format!("{HEAD}<md:IDPSSODescriptor/></md:EntityDescriptor>")).contains("certificate"));
        let broken = format!("{HEAD}<md:IDPSSODescriptor>{}</md:IDPSSODescriptor></md:EntityDescriptor>", key("", "%%"));
        assert!(wrong(&broken).contains("no base64"));
    }
}
