//! The metadata of a SAML identity provider with the certificates read.

use super::{BadTrust, Certificate};
use crate::saml::EntityDescriptor;

/// The longest document that both clouds take, in bytes (Alibaba Cloud; AWS takes 10 million).
const LONGEST: usize = 102_400;

/// An identity provider's metadata.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// Its entity ID, which is the issuer of its assertions.
    pub entity_id: String,
    /// The certificates that it signs with.
    pub signing: Vec<Certificate>,
    /// The document as it is, for the cloud.
    pub document: String,
}

impl Metadata {
    /// Reads the document.
    ///
    /// # Errors
    /// [`BadTrust::Metadata`].
    pub fn parse(document: String) -> Result<Self, BadTrust> {
        let read = EntityDescriptor::parse(&document).map_err(|error| BadTrust::Metadata(error.to_string()))?;
        let none = || BadTrust::Metadata("a certificate in it cannot be read".to_owned());
        let signing = read.signing.iter().map(|der| Certificate::read(der).ok_or_else(none)).collect::<Result<_, _>>()?;
        if document.len() > LONGEST {
            return Err(BadTrust::Metadata(format!("it is longer than the {LONGEST} bytes that the clouds take")));
        }
        Ok(Self { entity_id: read.entity_id, signing, document })
    }
}
