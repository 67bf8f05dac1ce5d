//! Signatures of SAML messages, made and checked: RSA with SHA-256 over the exclusive canonical form, inside the element that is signed
//! (<https://www.w3.org/TR/xmldsig-core1/>), and over the query of an address (SAML bindings, 3.4.4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use rsa::pkcs8::EncodePrivateKey as _;

use crate::xml::Element;

pub(crate) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(crate) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// A key with its certificate.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    /// In DER.
    pub(crate) certificate: Vec<u8>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// A new one. It takes a moment.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).ok()?;
        let der = key.to_pkcs8_der().ok()?;
        let pair = RsaKeyPair::from_pkcs8(der.as_bytes()).ok()?;
        let pkcs8 = rustls::pki_types::PrivatePkcs8KeyDer::from(der.as_bytes().to_vec());
        let own = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &rcgen::PKCS_RSA_SHA256).ok()?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = Default::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Some(Self { pair, certificate: params.self_signed(&own).ok()?.der().to_vec() })
    }

    /// The signature of these bytes, in base64.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        // With a good key and enough room this does not fail.
        let _ = self.pair.sign(&RSA_PKCS1_SHA256, &ring::rand::SystemRandom::new(), message, &mut signature);
        STANDARD.encode(signature)
    }

    /// The element with a signature after its first child, as SAML wants it after the issuer.
    pub(crate) fn signed(&self, element: &str) -> Result<String, String> {
        let read = Element::parse(element)?;
        let id = read.attribute("ID").ok_or("nothing to refer to")?;
        let digest = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, read.canonical().as_bytes()));
        let info = format!(
            "<ds:SignedInfo xmlns:ds=\"{DSIG}\"><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"/>\
             <ds:SignatureMethod Algorithm=\"{RSA_SHA256}\"/><ds:Reference URI=\"#{id}\"><ds:Transforms>\
             <ds:Transform Algorithm=\"{ENVELOPED}\"/><ds:Transform Algorithm=\"{EXCLUSIVE}\"/></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{SHA256}\"/><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        );
        let value = self.sign(Element::parse(&info)?.canonical().as_bytes());
        let signature = format!(
            "<ds:Signature xmlns:ds=\"{DSIG}\">{info}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>\
             <ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>",
            STANDARD.encode(&self.certificate)
        );
        let (before, after) = element.split_once("</saml:Issuer>").ok_or("no issuer")?;
        Ok(format!("{before}</saml:Issuer>{signature}{after}"))
    }
}

/// Whether a signature in base64 is of these bytes and of one of the certificates.
pub(crate) fn is_signed(message: &[u8], signature: &str, certificates: &[Vec<u8>]) -> bool {
    let Ok(signature) = STANDARD.decode(signature.split_whitespace().collect::<String>()) else { return false };
    let keys = certificates.iter().filter_map(|certificate| public_key(certificate));
    keys.into_iter().any(|key| UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(message, &signature).is_ok())
}

/// Checks the one signature that an element has right inside itself.
pub(crate) fn check(element: &Element, certificates: &[Vec<u8>]) -> Result<(), String> {
    let signature = element.only(DSIG, "Signature")?;
    let info = signature.only(DSIG, "SignedInfo")?;
    let says = |inside: &Element, local: &str, wanted: &str| {
        let method = inside.only(DSIG, local)?.attribute("Algorithm").unwrap_or_default().to_owned();
        if method == wanted { Ok(()) } else { Err(format!("{local} is {method}")) }
    };
    says(info, "CanonicalizationMethod", EXCLUSIVE)?;
    says(info, "SignatureMethod", RSA_SHA256)?;
    let reference = info.only(DSIG, "Reference")?;
    says(reference, "DigestMethod", SHA256)?;
    let transforms: Vec<_> = reference
        .only(DSIG, "Transforms")?
        .elements()
        .map(|transform| transform.attribute("Algorithm").unwrap_or_default())
        .collect();
    if transforms != [ENVELOPED, EXCLUSIVE] {
        return Err(format!("the transforms are {transforms:?}"));
    }
    let id = element.attribute("ID").unwrap_or_default();
    if id.is_empty() || reference.attribute("URI") != Some(&format!("#{id}")) {
        return Err("the signature is of something else".to_owned());
    }
    let bare = element.without(|child| child.is(DSIG, "Signature"));
    let digest = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, bare.canonical().as_bytes()));
    if reference.only(DSIG, "DigestValue")?.text() != digest {
        return Err("the digest is of something else".to_owned());
    }
    let value = signature.only(DSIG, "SignatureValue")?.text();
    match is_signed(info.canonical().as_bytes(), &value, certificates) {
        true => Ok(()),
        false => Err("the signature is of another key".to_owned()),
    }
}

/// The `RSAPublicKey` in a certificate: the bits of its `subjectPublicKeyInfo` (RFC 5280, 4.1).
fn public_key(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate, _) = value(certificate)?;
    let (_, mut fields, _) = value(certificate)?;
    // version, where it is told, serial number, signature, issuer, validity, subject; then the key.
    if fields.first() == Some(&0xa0) {
        fields = value(fields)?.2;
    }
    for _ in 0..5 {
        fields = value(fields)?.2;
    }
    let (_, info, _) = value(fields)?;
    let (tag, bits, _) = value(value(info)?.2)?;
    (tag == 0x03 && bits.first() == Some(&0)).then(|| bits[1..].to_vec())
}

/// The first value of some DER: its tag, what is in it, what follows it.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, first, rest) = (*der.first()?, usize::from(*der.get(1)?), der.get(2..)?);
    let (length, rest) = match first {
        0..=0x7f => (first, rest),
        _ => {
            let count = first & 0x7f;
            let bytes = rest.get(..count).filter(|_| count <= 4)?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest.get(count..)?)
        }
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_found_good_and_what_is_changed_is_not() {
        let key = SigningKey::new("test").unwrap();
        let xml = "<saml:Assertion xmlns:saml=\"urn:x\" ID=\"_1\"><saml:Issuer>me</saml:Issuer><saml:Subject>alice</saml:Subject></saml:Assertion>";
        let signed = key.signed(xml).unwrap();
        let told = |xml: &str| check(&Element::parse(xml).unwrap(), std::slice::from_ref(&key.certificate));
        assert_eq!(told(&signed), Ok(()));
        let swapped = signed.replace("#_1", "#_2");
        for (changed, why) in [
            (signed.replace("alice", "mallory"), "the digest is of something else"),
            (signed.replace("ID=\"_1\"", "ID=\"_2\""), "the signature is of something else"),
            (swapped.replace("ID=\"_1\"", "ID=\"_2\""), "the digest is of something else"),
            (signed.replace("enveloped-signature", "other"), "the transforms are "),
            (xml.to_owned(), "no Signature in "),
        ] {
            assert!(told(&changed).unwrap_err().starts_with(why), "{changed}");
        }
        let other = SigningKey::new("other").unwrap();
        let told = check(&Element::parse(&signed).unwrap(), &[other.certificate]);
        assert_eq!(told, Err("the signature is of another key".to_owned()));
    }
}
