//! What an identity provider issues: a response with one assertion, signed. The assertion is written in exclusive canonical form from the start, so
//! the bytes that are digested are the bytes that are sent, and nothing is ever parsed on the way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use super::markup::{
    ASSERTION, BEARER, DSIG, ENVELOPED, EXCLUSIVE, PROTOCOL, RSA_SHA256, SHA256, SUCCESS, Unwritable, attribute, text,
};
use super::signer::{SignError, Signer};
use crate::types::{Secret, Timestamp};

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A value does not fit.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// There is no signature.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// What is said, and to whom.
#[derive(Debug, Clone)]
pub(crate) struct Statement<'s> {
    /// The response's identity.
    pub(crate) response_id: &'s str,
    /// The assertion's.
    pub(crate) assertion_id: &'s str,
    /// Our entity ID.
    pub(crate) issuer: &'s str,
    /// Where it is sent.
    pub(crate) acs: &'s str,
    /// For whom it is.
    pub(crate) audience: &'s str,
    /// About whom.
    pub(crate) subject: &'s str,
    /// From when it is good.
    pub(crate) not_before: Timestamp,
    /// When it is said.
    pub(crate) now: Timestamp,
    /// When it is no longer good.
    pub(crate) not_on_or_after: Timestamp,
    /// When the session that comes of it ends.
    pub(crate) session_ends: Timestamp,
    /// Names and values of the attributes.
    pub(crate) attributes: &'s [(String, String)],
}

impl Statement<'_> {
    /// The assertion before and after the place of its signature.
    fn assertion(&self) -> Result<[String; 2], Unwritable> {
        let head = format!(
            "<saml:Assertion xmlns:saml=\"{ASSERTION}\" ID=\"{}\" IssueInstant=\"{}\" Version=\"2.0\"><saml:Issuer>{}</saml:Issuer>",
            attribute(self.assertion_id)?,
            self.now,
            text(self.issuer)?,
        );
        let value = |(name, value): &(String, String)| {
            Ok(format!(
                "<saml:Attribute Name=\"{}\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:uri\"><saml:AttributeValue>{}\
                 </saml:AttributeValue></saml:Attribute>",
                attribute(name)?,
                text(value)?
            ))
        };
        let values = self.attributes.iter().map(value).collect::<Result<String, Unwritable>>()?;
        let rest = format!(
            "<saml:Subject><saml:NameID Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">{subject}</saml:NameID>\
             <saml:SubjectConfirmation Method=\"{BEARER}\"><saml:SubjectConfirmationData NotOnOrAfter=\"{end}\" Recipient=\"{acs}\">\
             </saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>\
             <saml:Conditions NotBefore=\"{start}\" NotOnOrAfter=\"{end}\"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience>\
             </saml:AudienceRestriction></saml:Conditions>\
             <saml:AuthnStatement AuthnInstant=\"{now}\" SessionIndex=\"{id}\" SessionNotOnOrAfter=\"{session}\"><saml:AuthnContext>\
             <saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified</saml:AuthnContextClassRef></saml:AuthnContext>\
             </saml:AuthnStatement><saml:AttributeStatement>{values}</saml:AttributeStatement></saml:Assertion>",
            subject = text(self.subject)?,
            end = self.not_on_or_after,
            acs = attribute(self.acs)?,
            start = self.not_before,
            audience = text(self.audience)?,
            now = self.now,
            id = attribute(self.assertion_id)?,
            session = self.session_ends,
        );
        Ok([head, rest])
    }

    /// The whole response, signed, in base64.
    ///
    /// # Errors
    /// [`IssueError`].
    pub(crate) async fn signed(&self, signer: &dyn Signer) -> Result<Secret<String>, IssueError> {
        let [head, rest] = self.assertion()?;
        // What is digested is the assertion without its signature.
        let digest = digest::digest(&digest::SHA256, [head.as_str(), &rest].concat().as_bytes());
        let info = format!(
            "<ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
             <ds:SignatureMethod Algorithm=\"{RSA_SHA256}\"></ds:SignatureMethod><ds:Reference URI=\"#{id}\"><ds:Transforms>\
             <ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform><ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{SHA256}\"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>",
            id = attribute(self.assertion_id)?,
            digest = STANDARD.encode(digest),
        );
        // By itself the element declares its namespace; where it is sent, the element around it has done so already.
        let signature = signer.sign(format!("<ds:SignedInfo xmlns:ds=\"{DSIG}\">{info}").as_bytes()).await?;
        let response = format!(
            "<samlp:Response xmlns:samlp=\"{PROTOCOL}\" Destination=\"{acs}\" ID=\"{id}\" IssueInstant=\"{now}\" Version=\"2.0\">\
             <saml:Issuer xmlns:saml=\"{ASSERTION}\">{issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value=\"{SUCCESS}\"></samlp:StatusCode>\
             </samlp:Status>{head}<ds:Signature xmlns:ds=\"{DSIG}\"><ds:SignedInfo>{info}<ds:SignatureValue>{signature}</ds:SignatureValue>\
             <ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>{rest}\
             </samlp:Response>",
            acs = attribute(self.acs)?,
            id = attribute(self.response_id)?,
            now = self.now,
            issuer = text(self.issuer)?,
            signature = STANDARD.encode(signature),
            certificate = STANDARD.encode(signer.certificate()),
        );
        Ok(Secret::new(STANDARD.encode(response)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::saml::testing::{TestSigner, hand_out, wait};
    use crate::saml::verify::{Expected, Gate, Login, Verifier as _};

    fn now() -> Timestamp {
        Timestamp::parse("2027-01-02T03:04:05Z").unwrap()
    }

    fn issue(subject: &str, audience: &str, attributes: &[(String, String)]) -> Result<Secret<String>, IssueError> {
        let statement = Statement {
            response_id: "_r1",
            assertion_id: "_a1",
            issuer: "https://cam.corp.example/idp?a=1&b=2",
            acs: "https://signin.example/saml?x=1&y=2",
            audience,
            subject,
            not_before: now().before(Duration::from_secs(60)),
            now: now(),
            not_on_or_after: now().after(Duration::from_secs(120)),
            session_ends: now().after(Duration::from_secs(3600)),
            attributes,
        };
        wait(statement.signed(&TestSigner::new()))
    }

    /// A reader that had no part in writing it: the one for responses of the corporate identity provider.
    fn judge(response: &Secret<String>, audience: &str) -> Login {
        let certificates = [TestSigner::new().certificate().to_vec()];
        let expected = Expected {
            entity_id: audience,
            acs: "https://signin.example/saml?x=1&y=2",
            idp: "https://cam.corp.example/idp?a=1&b=2",
            certificates: &certificates,
            response_signature_is_enough: false,
            allow_sha1: false,
            skew: Duration::ZERO,
            authn_contexts: &[],
            max_authn_age: None,
        };
        Gate.verify(response.expose(), &expected, now()).unwrap()
    }

    fn attributes(values: &[&str]) -> Vec<(String, String)> {
        values
            .iter()
            .enumerate()
            .map(|(n, value)| (format!("https://cloud.example/Attributes/{n}"), (*value).to_owned()))
            .collect()
    }

    fn hand(name: &str, response: &Secret<String>) {
        let xml = String::from_utf8(STANDARD.decode(response.expose()).unwrap()).unwrap();
        hand_out("issued", name, &xml);
    }

    #[test]
    fn another_reader_reads_what_was_said() {
        let own = attributes(&["acs:ram::1:role/x,acs:ram::1:saml-provider/y", "E-1001", "3600"]);
        let response = issue("E-1001", "urn:alibaba:cloudcomputing", &own).unwrap();
        hand("plain.xml", &response);
        let login = judge(&response, "urn:alibaba:cloudcomputing");
        assert_eq!((login.name_id.value.as_str(), login.assertion_id.as_str()), ("E-1001", "_a1"));
        assert_eq!(login.session_ends, Some(now().after(Duration::from_secs(3600))));
        assert!(own.iter().all(|(name, value)| login.one(name) == Some(value)));
        assert_eq!(login.in_response_to, None);
    }

    #[test]
    fn what_cannot_be_written_is_not() {
        for bad in ["a\u{0}", "a\nb", "\u{1b}[31m", "\u{85}", "\u{fffe}", "a\u{2028}b"] {
            assert!(matches!(issue(bad, "urn:x", &[]), Err(IssueError::Unwritable(_))), "{bad:?}");
            assert!(matches!(issue("E-1", bad, &[]), Err(IssueError::Unwritable(_))), "{bad:?}");
            assert!(matches!(issue("E-1", "urn:x", &attributes(&[bad])), Err(IssueError::Unwritable(_))), "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The form is canonical whatever is said: else the digest would not hold for a reader that makes it canonical itself.
        #[test]
        fn whatever_is_said_is_canonical(subject in "[ -~é工\u{1F600}]{1,40}", value in "[ -~\u{a0}-\u{ff}\u{e000}]{0,60}", n in 0_u32..1_000_000) {
            prop_assume!(!subject.trim().is_empty());
            let response = issue(&subject, "urn:x", &attributes(&[&value, "<&>\"'"])).unwrap();
            hand(&format!("random-{n:06}.xml"), &response);
            let login = judge(&response, "urn:x");
            prop_assert_eq!(login.name_id.value, subject.trim_matches(' '));
            let names: Vec<&str> = login.attributes.values().map(|values| values[0].as_str()).collect();
            prop_assert_eq!(names, [value.trim_matches(' '), "<&>\"'"]);
        }
    }
}
