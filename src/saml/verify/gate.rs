//! The one shape of response that is let through. Everything that may stand in it is in a table; whatever is not, is refused, wherever it hides.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use super::pinned::Method;
use super::tree::{self, Names as _};
use super::{Expected, Refused};
use crate::saml::markup::{ASSERTION, DSIG, ENVELOPED, EXCLUSIVE, PROTOCOL};

/// Types of values, on values.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// `xml:lang` and its like.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// What an element holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Elements,
    Text,
    Nothing,
}
use Holds::{Elements, Nothing, Text};

/// The namespaces, by a letter each: assertion, protocol, dsig, exclusive canonical form.
fn letter(namespace: Option<&str>) -> char {
    match namespace {
        Some(ASSERTION) => 'a',
        Some(PROTOCOL) => 'p',
        Some(DSIG) => 'd',
        Some(EXCLUSIVE) => 'x',
        _ => '?',
    }
}

/// Which element may stand in which, and what it holds. The names are unique but for one, which holds the same in both places.
#[rustfmt::skip]
const TABLE: &[(char, &str, Holds, &[&str])] = &[
    ('p', "Response", Elements, &[]),
    ('p', "Status", Elements, &["Response"]),
    ('p', "StatusCode", Elements, &["Status", "StatusCode"]),
    ('p', "StatusMessage", Text, &["Status"]),
    ('a', "Assertion", Elements, &["Response"]),
    ('a', "Issuer", Text, &["Response", "Assertion"]),
    ('a', "Subject", Elements, &["Assertion"]),
    ('a', "NameID", Text, &["Subject"]),
    ('a', "SubjectConfirmation", Elements, &["Subject"]),
    ('a', "SubjectConfirmationData", Nothing, &["SubjectConfirmation"]),
    ('a', "Conditions", Elements, &["Assertion"]),
    ('a', "AudienceRestriction", Elements, &["Conditions"]),
    ('a', "OneTimeUse", Nothing, &["Conditions"]),
    ('a', "ProxyRestriction", Nothing, &["Conditions"]),
    ('a', "Audience", Text, &["AudienceRestriction"]),
    ('a', "AuthnStatement", Elements, &["Assertion"]),
    ('a', "SubjectLocality", Nothing, &["AuthnStatement"]),
    ('a', "AuthnContext", Elements, &["AuthnStatement"]),
    ('a', "AuthnContextClassRef", Text, &["AuthnContext"]),
    ('a', "AuthnContextDeclRef", Text, &["AuthnContext"]),
    ('a', "AuthenticatingAuthority", Text, &["AuthnContext"]),
    ('a', "AttributeStatement", Elements, &["Assertion"]),
    ('a', "Attribute", Elements, &["AttributeStatement"]),
    ('a', "AttributeValue", Text, &["Attribute"]),
    ('d', "Signature", Elements, &["Response", "Assertion"]),
    ('d', "SignedInfo", Elements, &["Signature"]),
    ('d', "CanonicalizationMethod", Elements, &["SignedInfo"]),
    ('d', "SignatureMethod", Nothing, &["SignedInfo"]),
    ('d', "Reference", Elements, &["SignedInfo"]),
    ('d', "Transforms", Elements, &["Reference"]),
    ('d', "Transform", Elements, &["Transforms"]),
    ('x', "InclusiveNamespaces", Nothing, &["CanonicalizationMethod", "Transform"]),
    ('d', "DigestMethod", Nothing, &["Reference"]),
    ('d', "DigestValue", Text, &["Reference"]),
    ('d', "SignatureValue", Text, &["Signature"]),
    ('d', "KeyInfo", Elements, &["Signature"]),
    ('d', "KeyName", Text, &["KeyInfo"]),
    ('d', "KeyValue", Elements, &["KeyInfo"]),
    ('d', "RSAKeyValue", Elements, &["KeyValue"]),
    ('d', "Modulus", Text, &["RSAKeyValue"]),
    ('d', "Exponent", Text, &["RSAKeyValue"]),
    ('d', "X509Data", Elements, &["KeyInfo"]),
    ('d', "X509Certificate", Text, &["X509Data"]),
    ('d', "X509SKI", Text, &["X509Data"]),
    ('d', "X509SubjectName", Text, &["X509Data"]),
    ('d', "X509IssuerSerial", Elements, &["X509Data"]),
    ('d', "X509IssuerName", Text, &["X509IssuerSerial"]),
    ('d', "X509SerialNumber", Text, &["X509IssuerSerial"]),
];

/// What got through.
pub(super) struct Passed<'a, 'x> {
    pub(super) response: Node<'a, 'x>,
    pub(super) assertion: Node<'a, 'x>,
    pub(super) assertion_is_signed: bool,
    /// How the signatures are made.
    pub(super) methods: Vec<Method>,
}

fn shape(why: impl Into<String>) -> Refused {
    Refused::Shape(why.into())
}

fn wrong(why: &str) -> Refused {
    Refused::Signature(why.to_owned())
}

/// Lets a response through, or not.
pub(super) fn pass<'a, 'x>(document: &'a Document<'x>, expected: &Expected<'_>) -> Result<Passed<'a, 'x>, Refused> {
    let response = document.root_element();
    if !response.is(PROTOCOL, "Response") {
        return Err(shape("it is no response"));
    }
    let mut ids = BTreeSet::new();
    for node in document.descendants() {
        if node.is_element() {
            element(node)?;
            identities(node, &mut ids)?;
        }
    }
    let assertion = response.one(ASSERTION, "Assertion")?;
    for node in [response, assertion] {
        let has_id = node.attribute("ID").is_some_and(tree::is_name);
        if !has_id || node.attribute("Version") != Some("2.0") {
            return Err(shape(format!("the `{}` has no identity, or is not of version 2.0", node.tag_name().name())));
        }
    }
    let methods: Vec<Option<Method>> =
        [response, assertion].into_iter().map(|node| signature(node, expected)).collect::<Result<_, _>>()?;
    let assertion_is_signed = methods.last().is_some_and(Option::is_some);
    let methods: Vec<Method> = methods.into_iter().flatten().collect();
    if methods.is_empty() {
        return Err(wrong("there is none"));
    }
    if !assertion_is_signed && !expected.response_signature_is_enough {
        return Err(wrong("the response has one, but the assertion in it has none of its own"));
    }
    Ok(Passed { response, assertion, assertion_is_signed, methods })
}

/// Whether an element stands where it may, and holds what it may.
fn element(node: Node<'_, '_>) -> Result<(), Refused> {
    let (name, namespace) = (node.tag_name().name(), letter(node.tag_name().namespace()));
    if name.starts_with("Encrypted") {
        return Err(Refused::Encrypted);
    }
    let parent = node.parent_element();
    let parent_name = parent.map(|parent| parent.tag_name().name());
    let fits = |entry: &&(char, &str, Holds, &[&str])| {
        entry.0 == namespace && entry.1 == name && parent_name.is_none_or(|parent| entry.3.contains(&parent))
    };
    let Some((.., holds, places)) = TABLE.iter().find(fits) else {
        return Err(shape(format!("`{name}` is not taken in `{}`", parent_name.unwrap_or("the document"))));
    };
    // Only the root has no place; a second one is somewhere in it.
    if places.is_empty() != parent.is_none() {
        return Err(shape(format!("`{name}` is in the wrong place")));
    }
    match holds {
        Elements => node.holds_elements()?,
        Text => drop(node.value()?),
        Nothing
            if node.children().any(|child| {
                !child.is_comment() && !child.text().unwrap_or_default().trim().is_empty() || child.is_element()
            }) =>
        {
            return Err(shape(format!("`{name}` is not empty")));
        }
        Nothing => {}
    }
    for attribute in node.attributes() {
        // A reader that looks at names alone would take such an attribute for the plain one.
        let is_fine = match attribute.namespace() {
            None | Some(XSI) => true,
            Some(XML) => attribute.name() != "id",
            Some(_) => name == "Attribute" && !matches!(attribute.name(), "Name" | "NameFormat" | "FriendlyName"),
        };
        if !is_fine {
            return Err(shape(format!("`{name}` has an attribute of another vocabulary")));
        }
    }
    Ok(())
}

/// No two elements have one identity, by whichever attribute somebody might look for it.
fn identities(node: Node<'_, '_>, seen: &mut BTreeSet<String>) -> Result<(), Refused> {
    for attribute in node.attributes().filter(|attribute| attribute.name().eq_ignore_ascii_case("id")) {
        let name = node.tag_name().name();
        let place = match attribute.name() {
            "ID" => matches!(name, "Response" | "Assertion"),
            "Id" => letter(node.tag_name().namespace()) == 'd',
            _ => false,
        };
        if !place || attribute.namespace().is_some() {
            return Err(shape(format!("`{name}` has an identity of an unusual kind")));
        }
        if !seen.insert(attribute.value().trim().to_owned()) {
            return Err(shape("two elements have the same identity"));
        }
    }
    Ok(())
}

/// The signature of an element, if it has one, in its one place and of its one form.
fn signature(signed: Node<'_, '_>, expected: &Expected<'_>) -> Result<Option<Method>, Refused> {
    let Some(signature) = signed.maybe(DSIG, "Signature")? else { return Ok(None) };
    if signed.elements().nth(1) != Some(signature) {
        return Err(wrong("it does not come right after the issuer"));
    }
    let parts: Vec<&str> = signature.elements().map(|part| part.tag_name().name()).collect();
    if !matches!(parts.as_slice(), ["SignedInfo", "SignatureValue"] | ["SignedInfo", "SignatureValue", "KeyInfo"]) {
        return Err(wrong("it has other parts than a signature has"));
    }
    let info = signature.one(DSIG, "SignedInfo")?;
    let parts: Vec<Node<'_, '_>> = info.elements().collect();
    let [canonical, method, reference] = parts.as_slice() else { return Err(wrong("it is not for one element")) };
    let names = [canonical, method, reference].map(|part| part.tag_name().name());
    if names != ["CanonicalizationMethod", "SignatureMethod", "Reference"] {
        return Err(wrong("its parts are in another order"));
    }
    let algorithm = |node: &Node<'_, '_>| node.attribute("Algorithm").unwrap_or_default().to_owned();
    if algorithm(canonical) != EXCLUSIVE {
        return Err(wrong("it is not in exclusive canonical form"));
    }
    let method = Method::read(&algorithm(method), expected.allow_sha1)?;
    let id = signed.attribute("ID").unwrap_or_default();
    if reference.attribute("URI").and_then(|uri| uri.strip_prefix('#')) != Some(id) {
        return Err(wrong("it is for another element than the one it stands in"));
    }
    let parts: Vec<&str> = reference.elements().map(|part| part.tag_name().name()).collect();
    if parts != ["Transforms", "DigestMethod", "DigestValue"] {
        return Err(wrong("what it refers to is not described as it should be"));
    }
    let transforms: Vec<String> = reference.one(DSIG, "Transforms")?.elements().map(|node| algorithm(&node)).collect();
    if transforms != [ENVELOPED, EXCLUSIVE] {
        return Err(wrong(
            "its element is transformed in another way than by leaving the signature out, and into exclusive canonical form",
        ));
    }
    match algorithm(&reference.one(DSIG, "DigestMethod")?).as_str() {
        "http://www.w3.org/2001/04/xmlenc#sha256"
        | "http://www.w3.org/2001/04/xmldsig-more#sha384"
        | "http://www.w3.org/2001/04/xmlenc#sha512" => {}
        "http://www.w3.org/2000/09/xmldsig#sha1" if expected.allow_sha1 => {}
        _ => return Err(wrong("its digest is made by an algorithm that is not taken")),
    }
    Ok(Some(method))
}
