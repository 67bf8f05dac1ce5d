//! The gate against documents that xmlsec1 signed (fixtures/saml/, made by tests/real/saml/make), against everything that could be done to them, and
//! against documents of our own that are right but for one thing.

// Before the modules, which use it.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/saml/", $name))
    };
}

mod hostile;
mod rules;
mod variants;

use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::saml::testing::{der, rsa};

const ENTITY: &str = "https://cam.corp.example/saml";
const ACS: &str = "https://cam.corp.example/saml/acs";
const IDP: &str = "https://idp.corp.example/saml";
const SMARTCARD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI";

/// Every pinned certificate of the tests; the stranger's is none of them.
fn certificates() -> Vec<Vec<u8>> {
    // A short one and one of the other kind stand first: those after them still count.
    [
        fixture!("short.crt.pem"),
        fixture!("p256.crt.pem"),
        fixture!("p384.crt.pem"),
        fixture!("next.crt.pem"),
        fixture!("idp.crt.pem"),
    ]
    .map(der)
    .to_vec()
}

fn now() -> Timestamp {
    Timestamp::parse("2027-01-02T03:04:10Z").unwrap()
}

fn expected(certificates: &[Vec<u8>]) -> Expected<'_> {
    Expected {
        entity_id: ENTITY,
        acs: ACS,
        idp: IDP,
        certificates,
        response_signature_is_enough: false,
        allow_sha1: false,
        skew: Duration::from_secs(60),
        authn_contexts: &[],
        max_authn_age: None,
    }
}

fn judge(xml: &str) -> Result<Login, Refused> {
    let certificates = certificates();
    Gate.verify(&STANDARD.encode(xml), &expected(&certificates), now())
}

/// A response in canonical form, unsigned.
const PLAIN: &str = concat!(
    r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" Destination="https://cam.corp.example/saml/acs" ID="_response" InResponseTo="_request" IssueInstant="2027-01-02T03:04:05Z" Version="2.0">"#,
    r#"<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">https://idp.corp.example/saml</saml:Issuer>"#,
    r#"<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode></samlp:Status>"#,
    r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_assertion" IssueInstant="2027-01-02T03:04:05Z" Version="2.0"><saml:Issuer>https://idp.corp.example/saml</saml:Issuer>"#,
    r#"<saml:Subject><saml:NameID>E1001</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">"#,
    r#"<saml:SubjectConfirmationData InResponseTo="_request" NotOnOrAfter="2027-01-02T03:09:05Z" Recipient="https://cam.corp.example/saml/acs"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>"#,
    r#"<saml:Conditions NotBefore="2027-01-02T03:03:05Z" NotOnOrAfter="2027-01-02T03:09:05Z"><saml:AudienceRestriction><saml:Audience>https://cam.corp.example/saml</saml:Audience></saml:AudienceRestriction></saml:Conditions>"#,
    r#"<saml:AuthnStatement AuthnInstant="2027-01-02T03:00:00Z" SessionIndex="_session" SessionNotOnOrAfter="2027-01-02T03:10:05Z"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"#,
    r#"<saml:AttributeStatement><saml:Attribute Name="gid"><saml:AttributeValue>E1001</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>"#,
);

/// Signs the assertion of a response that is in canonical form, as its identity provider would.
fn signed(response: &str) -> String {
    use super::super::markup::{DSIG, ENVELOPED, EXCLUSIVE, RSA_SHA256, SHA256};
    let start = response.find("<saml:Assertion").unwrap();
    let end = response.rfind("</saml:Assertion>").unwrap() + "</saml:Assertion>".len();
    let assertion = &response[start..end];
    let id = assertion.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap();
    let digest = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, assertion.as_bytes()));
    let info = format!(
        "<ds:SignedInfo xmlns:ds=\"{DSIG}\"><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
         <ds:SignatureMethod Algorithm=\"{RSA_SHA256}\"></ds:SignatureMethod><ds:Reference URI=\"#{id}\"><ds:Transforms>\
         <ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform><ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{SHA256}\"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    );
    let signature = format!(
        "<ds:Signature xmlns:ds=\"{DSIG}\">{info}<ds:SignatureValue>{}</ds:SignatureValue></ds:Signature>",
        STANDARD.encode(rsa(info.as_bytes()))
    );
    let place = start
        + assertion.find("</saml:Issuer>").map_or_else(|| assertion.find('>').unwrap() + 1, |at| at + "</saml:Issuer>".len());
    format!("{}{signature}{}", &response[..place], &response[place..])
}

const GOOD: &[(&str, &str)] = &[
    ("assertion", fixture!("good-assertion.xml")),
    ("both", fixture!("good-both.xml")),
    ("rsa-sha384", fixture!("good-rsa-sha384.xml")),
    ("rsa-sha512", fixture!("good-rsa-sha512.xml")),
    ("rsa-3072", fixture!("good-rsa-3072.xml")),
    ("ecdsa-sha256", fixture!("good-ecdsa-sha256.xml")),
    ("ecdsa-sha384", fixture!("good-ecdsa-sha384.xml")),
    ("default-namespace", fixture!("good-default-namespace.xml")),
    ("pretty", fixture!("good-pretty.xml")),
    ("inclusive-namespaces", fixture!("good-inclusive-namespaces.xml")),
    ("typed", fixture!("good-typed.xml")),
    ("no-key-info", fixture!("good-no-key-info.xml")),
    ("comment-between", fixture!("good-comment-between.xml")),
];

#[test]
fn what_is_right_is_taken() {
    for (name, xml) in GOOD {
        let login = judge(xml).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        crate::saml::testing::hand_out("taken", &format!("good-{name}.xml"), xml);
        assert_eq!((login.name_id.value.as_str(), login.one("gid")), ("E1001", Some("E1001")), "{name}");
        assert_eq!(login.attributes["groups"], ["ops", "net & dns"], "{name}");
        assert_eq!(login.one("groups"), None);
        assert_eq!((login.issuer.as_str(), login.assertion_id.as_str()), (IDP, "_assertion"));
        assert_eq!((login.in_response_to.as_deref(), login.session_index.as_deref()), (Some("_request"), Some("_session")));
        assert_eq!(login.authn_context.as_deref(), Some(SMARTCARD));
        assert_eq!(
            (login.authn_at.utc(), login.session_ends.unwrap().utc()),
            ("2027-01-02T03:00:00Z".into(), "2027-01-02T11:04:05Z".into())
        );
        assert_eq!(login.valid_until.utc(), "2027-01-02T03:10:05Z");
        assert!(login.name_id.format.as_deref().unwrap().ends_with(":persistent"));
        assert_eq!(NameId::from_stored(&login.name_id.stored()), Some(login.name_id));
    }
    assert_eq!(judge(&signed(PLAIN)).unwrap().one("gid"), Some("E1001"));
}

#[test]
fn base64_may_come_in_lines() {
    let certificates = certificates();
    let text = STANDARD.encode(GOOD[0].1);
    let lines: String = text.as_bytes().chunks(76).map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap())).collect();
    assert!(Gate.verify(&lines, &expected(&certificates), now()).is_ok());
}
