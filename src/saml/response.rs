//! What a client reads in a SAML response: attributes, addressee, end of life.
//!
//! Lenient where identity providers differ (prefixes, even undeclared ones; white space; the order of things), strict
//! where an attacker would push (size, depth, document types, entities).

use base64::Engine as _;

use crate::text::xml;
use crate::types::{SamlResponse, Timestamp, Untrusted};

/// The longest response that is read, decoded. Alibaba Cloud takes 100,000 characters of base64, AWS the same.
const LONGEST: usize = 1024 * 1024;
/// How many attribute values are read.
const MOST_VALUES: usize = 5_000;

/// Why a SAML response cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadResponse {
    /// Not base64.
    #[error("it is not base64")]
    NotBase64,
    /// Longer than any cloud takes.
    #[error("it is longer than any cloud takes")]
    TooLong,
    /// Not XML, or XML with parts that SAML forbids.
    #[error("it is not the XML of a SAML response: {0}")]
    NotXml(String),
    /// Says that the sign-in failed.
    #[error("it says that the sign-in failed: {0}")]
    Failed(Untrusted),
    /// Encrypted for somebody else.
    #[error("its assertion is encrypted, so the roles in it cannot be read")]
    Encrypted,
    /// Without an assertion.
    #[error("there is no assertion in it")]
    NoAssertion,
}

impl From<xml::BadXml> for BadResponse {
    fn from(bad: xml::BadXml) -> Self {
        Self::NotXml(bad.to_string())
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The attributes by name, with their values, in the order they stand. A name may stand twice.
    pub attributes: Vec<(String, Vec<String>)>,
    /// Where the response says it should be sent: `Response/@Destination`, else the confirmation's recipient.
    /// This is the message's own claim, so nothing is ever sent there unless it is a known address.
    pub destination: Option<String>,
    /// Whom it is for.
    pub audiences: Vec<String>,
    /// Until when the cloud will take it.
    pub not_on_or_after: Option<Timestamp>,
}

impl Reading {
    /// Reads a response.
    ///
    /// # Errors
    /// [`BadResponse`].
    pub fn of(response: &SamlResponse) -> Result<Self, BadResponse> {
        if response.expose().len() > LONGEST * 4 / 3 {
            return Err(BadResponse::TooLong);
        }
        let xml = base64::engine::general_purpose::STANDARD.decode(response.expose()).map_err(|_| BadResponse::NotBase64)?;
        let xml = String::from_utf8(xml).map_err(|_| BadResponse::NotXml("it is not UTF-8".into()))?;
        let mut reader = Reader::default();
        xml::walk(&xml, &mut reader)?;
        reader.conclude()
    }

    /// All values of the attribute `name`, trimmed.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.attributes.iter().filter(move |(n, _)| n == name).flat_map(|(_, values)| values.iter().map(|v| v.trim()))
    }
}

/// What has been met so far.
#[derive(Default)]
struct Reader {
    values: usize,
    status: Option<String>,
    status_message: Option<String>,
    assertion: bool,
    encrypted: bool,
    recipient: Option<String>,
    reading: Reading,
}

impl xml::Visitor for Reader {
    type Error = BadResponse;

    fn open(&mut self, element: &xml::Element<'_>) -> Result<(), BadResponse> {
        match element.name() {
            "Response" if element.depth() == 1 => {
                self.reading.destination = element.attribute("Destination").filter(|d| !d.is_empty())
            }
            "Assertion" => self.assertion = true,
            "EncryptedAssertion" => self.encrypted = true,
            // The first status code is the one that counts; those inside it only say more.
            "StatusCode" if self.status.is_none() => self.status = element.attribute("Value"),
            "SubjectConfirmationData" => {
                self.recipient = self.recipient.take().or_else(|| element.attribute("Recipient"));
                let end = || element.attribute("NotOnOrAfter").and_then(|t| Timestamp::parse(&t));
                self.reading.not_on_or_after = self.reading.not_on_or_after.or_else(end);
            }
            "Attribute" if element.is_in("AttributeStatement") => {
                self.reading.attributes.push((element.attribute("Name").unwrap_or_default(), Vec::new()));
            }
            "AttributeValue" => {
                self.values += 1;
                if self.values > MOST_VALUES {
                    return Err(BadResponse::NotXml("it has too many attribute values".into()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, path: &[String], text: String) -> Result<(), BadResponse> {
        match path {
            [.., parent, name] if parent == "Attribute" && name == "AttributeValue" => {
                if let Some((_, values)) = self.reading.attributes.last_mut() {
                    values.push(text);
                }
            }
            [.., name] if name == "Audience" => self.reading.audiences.push(text.trim().to_owned()),
            [.., name] if name == "StatusMessage" => self.status_message = Some(text),
            _ => {}
        }
        Ok(())
    }
}

impl Reader {
    fn conclude(mut self) -> Result<Reading, BadResponse> {
        if let Some(status) = self.status.filter(|s| !s.ends_with(":Success")) {
            let said = self.status_message.filter(|m| !m.trim().is_empty()).unwrap_or(status);
            return Err(BadResponse::Failed(Untrusted::new(said)));
        }
        if !self.assertion {
            return Err(if self.encrypted { BadResponse::Encrypted } else { BadResponse::NoAssertion });
        }
        self.reading.destination = self.reading.destination.or(self.recipient);
        Ok(self.reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Result<Reading, BadResponse> {
        Reading::of(&SamlResponse::new(&base64::engine::general_purpose::STANDARD.encode(xml)))
    }

    const GOOD: &str = r#"<?xml version="1.0"?><samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" Destination="https://signin.aws.amazon.com/saml">
      <samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
      <saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">
       <saml:Subject><saml:SubjectConfirmation><saml:SubjectConfirmationData NotOnOrAfter="2016-09-10T02:59:39Z" Recipient="https://r.example/"/></saml:SubjectConfirmation></saml:Subject>
       <saml:Conditions><saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction></saml:Conditions>
       <saml:AttributeStatement>
        <saml:Attribute Name="Role"><saml:AttributeValue> a&amp;b<!-- cut? -->c </saml:AttributeValue><saml:AttributeValue><![CDATA[x<y]]></saml:AttributeValue></saml:Attribute>
        <saml2:Attribute Name="Undeclared"><saml2:AttributeValue>28800</saml2:AttributeValue></saml2:Attribute>
        <saml:Attribute Name="Role"><saml:AttributeValue>&#x7a;</saml:AttributeValue></saml:Attribute>
       </saml:AttributeStatement></saml:Assertion></samlp:Response>"#;

    #[test]
    fn reads_what_providers_send() {
        let reading = read(GOOD).unwrap();
        assert_eq!(reading.values("Role").collect::<Vec<_>>(), ["a&bc", "x<y", "z"]);
        assert_eq!(reading.values("Undeclared").collect::<Vec<_>>(), ["28800"]);
        assert_eq!(reading.destination.as_deref(), Some("https://signin.aws.amazon.com/saml"));
        assert_eq!(reading.audiences, ["urn:amazon:webservices"]);
        assert_eq!(reading.not_on_or_after.unwrap().utc(), "2016-09-10T02:59:39Z");
        let without = GOOD
            .replace("Destination=\"https://signin.aws.amazon.com/saml\"", "")
            .replace("2016-09-10T02:59:39Z", "This-is-invalid");
        let reading = read(&without).unwrap();
        assert_eq!((reading.destination.as_deref(), reading.not_on_or_after), (Some("https://r.example/"), None));
    }

    #[test]
    fn refuses_what_is_broken_or_hostile() {
        assert_eq!(Reading::of(&SamlResponse::new("%%%")), Err(BadResponse::NotBase64));
        assert_eq!(Reading::of(&SamlResponse::new(&"A".repeat(3_000_000))), Err(BadResponse::TooLong));
        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\">]><Response><Assertion>&a;</Assertion></Response>";
        let deep = "<a>".repeat(100_000);
        for xml in
            ["???", "", "<Response>", "<Response><Assertion>&x;</Assertion></Response>", bomb, &deep, "<Response/><x", "\u{0}"]
        {
            let refused = read(xml).unwrap_err();
            assert!(matches!(refused, BadResponse::NotXml(_) | BadResponse::NoAssertion), "{xml:.40}: {refused}");
        }
        assert_eq!(read("<Response><EncryptedAssertion/></Response>"), Err(BadResponse::Encrypted));
        let failed = r#"<Response><Status><StatusCode Value="urn:x:Responder"><StatusCode Value="urn:x:AuthnFailed"/></StatusCode><StatusMessage>No
        access</StatusMessage></Status></Response>"#;
        assert_eq!(read(failed).unwrap_err().to_string(), "it says that the sign-in failed: No access");
    }
}
