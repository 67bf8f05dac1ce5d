//! A corporate identity provider: it signs what it is told to say. Its documents are canonical as they are written, so signing needs no parser.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use saml2cloud::types::Timestamp;

use crate::house::URL;

pub(crate) const ENTITY: &str = "https://idp.example/entity";
pub(crate) const SSO: &str = "https://idp.example/sso";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub(crate) const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";

pub(crate) struct Corporate {
    key: EcdsaKeyPair,
    certificate: rcgen::Certificate,
}

/// What is said of whom.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) in_response_to: Option<String>,
    pub(crate) assertion: String,
    pub(crate) name_id: String,
    pub(crate) attributes: Vec<(String, Vec<String>)>,
    pub(crate) context: String,
    pub(crate) now: Timestamp,
    pub(crate) authn_at: Timestamp,
    pub(crate) session_ends: Option<Timestamp>,
    pub(crate) session_index: String,
}

impl Said {
    pub(crate) fn of(name_id: &str, in_response_to: &str, now: Timestamp) -> Self {
        Self {
            in_response_to: Some(in_response_to.to_owned()),
            assertion: format!("_{}", saml2cloud::world::nonce()),
            name_id: name_id.to_owned(),
            attributes: Vec::new(),
            context: PASSWORD.to_owned(),
            now,
            authn_at: now,
            session_ends: None,
            session_index: "s-1".to_owned(),
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Corporate {
    pub(crate) fn new() -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["idp.example".to_owned()]).unwrap().self_signed(&pair).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair.serialize_der(), &SystemRandom::new()).unwrap();
        Self { key, certificate }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn metadata(&self) -> String {
        let certificate = STANDARD.encode(self.certificate.der());
        format!(
            r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ENTITY}"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/slo"/><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{SSO}"/></md:IDPSSODescriptor></md:EntityDescriptor>"#
        )
    }

    fn signature(&self, id: &str, signed: &str) -> String {
        let value = STANDARD.encode(digest(&SHA256, signed.as_bytes()));
        let info = format!(
            r##"<ds:SignedInfo xmlns:ds="{DSIG}"><ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"></ds:SignatureMethod><ds:Reference URI="#{id}"><ds:Transforms><ds:Transform Algorithm="{DSIG}enveloped-signature"></ds:Transform><ds:Transform Algorithm="{C14N}"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>{value}</ds:DigestValue></ds:Reference></ds:SignedInfo>"##
        );
        let signature = STANDARD.encode(self.key.sign(&SystemRandom::new(), info.as_bytes()).unwrap());
        let info = info.replacen(&format!(" xmlns:ds=\"{DSIG}\""), "", 1);
        format!(r#"<ds:Signature xmlns:ds="{DSIG}">{info}<ds:SignatureValue>{signature}</ds:SignatureValue></ds:Signature>"#)
    }

    /// A response with a signed assertion, in base64.
    pub(crate) fn respond(&self, said: &Said) -> String {
        let acs = format!("{URL}saml/acs");
        let audience = format!("{URL}saml/metadata");
        let (now, ends) = (said.now.utc(), said.now.after(std::time::Duration::from_secs(300)).utc());
        let answers = said.in_response_to.as_ref().map(|id| format!(" InResponseTo=\"{id}\"")).unwrap_or_default();
        let session_ends = said.session_ends.map(|at| format!(" SessionNotOnOrAfter=\"{}\"", at.utc())).unwrap_or_default();
        let attribute = |(name, values): &(String, Vec<String>)| {
            let values: String =
                values.iter().map(|value| format!("<saml:AttributeValue>{}</saml:AttributeValue>", escape(value))).collect();
            format!("<saml:Attribute Name=\"{name}\">{values}</saml:Attribute>")
        };
        let attributes = match said.attributes.as_slice() {
            [] => String::new(),
            all => {
                format!("<saml:AttributeStatement>{}</saml:AttributeStatement>", all.iter().map(attribute).collect::<String>())
            }
        };
        let head = format!(
            r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{id}" IssueInstant="{now}" Version="2.0"><saml:Issuer>{ENTITY}</saml:Issuer>"#,
            id = said.assertion
        );
        let rest = format!(
            r#"<saml:Subject><saml:NameID>{name}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData{answers} NotOnOrAfter="{ends}" Recipient="{acs}"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{now}" NotOnOrAfter="{ends}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{at}" SessionIndex="{index}"{session_ends}><saml:AuthnContext><saml:AuthnContextClassRef>{context}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>{attributes}</saml:Assertion>"#,
            name = escape(&said.name_id),
            at = said.authn_at.utc(),
            index = said.session_index,
            context = said.context,
        );
        let signature = self.signature(&said.assertion, &format!("{head}{rest}"));
        let response = format!(
            r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" Destination="{acs}" ID="_r{id}"{answers} IssueInstant="{now}" Version="2.0"><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{ENTITY}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode></samlp:Status>{head}{signature}{rest}</samlp:Response>"#,
            id = saml2cloud::world::nonce(),
        );
        STANDARD.encode(response)
    }

    /// A message about signing out, as the query of an address: signed by ECDSA too.
    pub(crate) fn logout_query(&self, name_id: &str, index: &str, now: Timestamp) -> String {
        use std::io::Write as _;
        let xml = format!(
            r#"<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Destination="{URL}saml/slo" ID="_{}" IssueInstant="{}" Version="2.0"><saml:Issuer>{ENTITY}</saml:Issuer><saml:NameID>{name_id}</saml:NameID><samlp:SessionIndex>{index}</samlp:SessionIndex></samlp:LogoutRequest>"#,
            saml2cloud::world::nonce(),
            now.utc()
        );
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(xml.as_bytes()).unwrap();
        let percent = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let query = format!(
            "SAMLRequest={}&SigAlg={}",
            percent(&STANDARD.encode(packed.finish().unwrap())),
            percent("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")
        );
        let signature = self.key.sign(&SystemRandom::new(), query.as_bytes()).unwrap();
        format!("{query}&Signature={}", percent(&STANDARD.encode(signature)))
    }
}
