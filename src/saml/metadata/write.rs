//! What we say of ourselves, to the corporate identity provider and to the clouds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::saml::markup::{self, DSIG, METADATA, PROTOCOL, Unwritable};

/// Ourselves, as a service provider.
#[derive(Debug, Clone, Copy)]
pub struct ServiceProvider<'m> {
    /// Our entity ID.
    pub entity_id: &'m str,
    /// Our address for responses.
    pub acs: &'m str,
    /// Our address for signing out.
    pub logout: Option<&'m str>,
    /// The certificates of the keys that sign requests, in DER: the one in use, and one that comes next or goes.
    pub certificates: &'m [Vec<u8>],
}

/// Ourselves, as an identity provider of a cloud.
#[derive(Debug, Clone, Copy)]
pub struct IdentityProvider<'m> {
    /// Our entity ID there.
    pub entity_id: &'m str,
    /// Where people begin.
    pub sign_in: &'m str,
    /// The certificates of the keys that sign assertions, in DER.
    pub certificates: &'m [Vec<u8>],
}

const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

fn keys(certificates: &[Vec<u8>]) -> String {
    let key = |certificate: &Vec<u8>| {
        format!(
            "    <md:KeyDescriptor use=\"signing\">\n      <ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate>\
             </ds:X509Data></ds:KeyInfo>\n    </md:KeyDescriptor>\n",
            STANDARD.encode(certificate)
        )
    };
    certificates.iter().map(key).collect()
}

fn document(entity_id: &str, role: &str) -> Result<String, Unwritable> {
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\">\n{role}</md:EntityDescriptor>\n",
        markup::attribute(entity_id)?
    ))
}

impl ServiceProvider<'_> {
    /// The document for the corporate identity provider.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn xml(&self) -> Result<String, Unwritable> {
        let logout = match self.logout {
            Some(address) => {
                let address = markup::attribute(address)?;
                format!("    <md:SingleLogoutService Binding=\"{REDIRECT}\" Location=\"{address}\"/>\n")
            }
            None => String::new(),
        };
        let role = format!(
            "  <md:SPSSODescriptor AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"true\" protocolSupportEnumeration=\"{PROTOCOL}\">\n{keys}{logout}\
             \x20   <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>\n\
             \x20   <md:AssertionConsumerService Binding=\"{POST}\" Location=\"{acs}\" index=\"0\" isDefault=\"true\"/>\n  </md:SPSSODescriptor>\n",
            keys = keys(self.certificates),
            acs = markup::attribute(self.acs)?,
        );
        document(self.entity_id, &role)
    }
}

impl IdentityProvider<'_> {
    /// The document for the clouds. They want an address for requests, though they never send one.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn xml(&self) -> Result<String, Unwritable> {
        let address = markup::attribute(self.sign_in)?;
        let role = format!(
            "  <md:IDPSSODescriptor WantAuthnRequestsSigned=\"false\" protocolSupportEnumeration=\"{PROTOCOL}\">\n{keys}\
             \x20   <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>\n\
             \x20   <md:SingleSignOnService Binding=\"{REDIRECT}\" Location=\"{address}\"/>\n\
             \x20   <md:SingleSignOnService Binding=\"{POST}\" Location=\"{address}\"/>\n  </md:IDPSSODescriptor>\n",
            keys = keys(self.certificates),
        );
        document(self.entity_id, &role)
    }
}
