//! What has been done to SAML responses in the wild, and a few things more. Each is refused for its own reason; none yields the attacker's name.

use super::*;

const EVIL: &str = "E6666";

fn part<'x>(xml: &'x str, from: &str, to: &str) -> &'x str {
    let start = xml.find(from).unwrap_or_else(|| panic!("no {from}"));
    let end = start + xml[start..].find(to).unwrap_or_else(|| panic!("no {to}")) + to.len();
    &xml[start..end]
}

fn assertion(xml: &str) -> &str {
    part(xml, "<saml:Assertion", "</saml:Assertion>")
}

fn signature(xml: &str) -> &str {
    part(xml, "<ds:Signature ", "</ds:Signature>")
}

/// The attacker's assertion: another name, another identity, no signature.
fn forged(xml: &str) -> String {
    let own = assertion(xml);
    own.replace(signature(own), "").replace("E1001", EVIL).replace("ID=\"_assertion\"", "ID=\"_forged\"")
}

/// The documents, each with a part of the reason that it is refused for.
fn corpus() -> Vec<(&'static str, String, &'static str)> {
    let good = fixture!("good-assertion.xml");
    let both = fixture!("good-both.xml");
    let outer = fixture!("good-response-only.xml");
    let own = assertion(good);
    let sign = signature(own);
    let bare = own.replace(sign, "");
    let evil = forged(good);
    let whole = |assertions: &str| good.replace(own, assertions);
    let evil_with = |inside: &str| evil.replace("</saml:Assertion>", &format!("{inside}</saml:Assertion>"));
    // The whole response, which the attacker's own one carries in its signature (XSW 1 and 2).
    let response = part(outer, "<samlp:Response", "</samlp:Response>");
    let outer_sign = signature(response);
    let outer_bare = response.replace(outer_sign, "");
    let evil_response = outer_bare.replace("E1001", EVIL).replace("ID=\"_response\"", "ID=\"_evil\"");
    let object = |inside: &str| outer_sign.replace("</ds:Signature>", &format!("<ds:Object>{inside}</ds:Object></ds:Signature>"));
    let after_issuer = |xml: &str, what: &str| xml.replacen("</saml:Issuer>", &format!("</saml:Issuer>{what}"), 1);
    vec![
        ("xsw1", after_issuer(&evil_response, &object(&outer_bare)), "Object"),
        ("xsw2", after_issuer(&evil_response, &format!("{outer_bare}{outer_sign}")), "`Response` is not taken in `Response`"),
        ("xsw3", whole(&format!("{evil}{own}")), "more than one"),
        ("xsw4", whole(&evil_with(own)), "`Assertion` is not taken in `Assertion`"),
        ("xsw5", whole(&format!("{}{bare}", evil.replace("</saml:Issuer>", &format!("</saml:Issuer>{sign}")))), "more than one"),
        ("xsw6", whole(&evil.replace("</saml:Issuer>", &format!("</saml:Issuer>{}", sign.replace("</ds:Signature>", &format!("{bare}</ds:Signature>"))))), "not taken in"),
        ("xsw7", whole(&format!("<samlp:Extensions>{evil}</samlp:Extensions>{own}")), "Extensions"),
        ("xsw8", whole(&evil.replace("</saml:Issuer>", &format!("</saml:Issuer>{}", sign.replace("</ds:Signature>", &format!("<ds:Object>{bare}</ds:Object></ds:Signature>"))))), "Object"),
        ("xsw7 without a namespace", whole(&format!("<Extensions>{evil}</Extensions>{own}")), "Extensions"),
        ("a second assertion after", whole(&format!("{own}{evil}")), "more than one"),
        ("the same identity before", whole(&format!("{}{own}", evil.replace("_forged", "_assertion"))), "same identity"),
        ("the same identity after", whole(&format!("{own}{}", evil.replace("_forged", "_assertion"))), "same identity"),
        ("Id beside ID", whole(&evil.replace("ID=\"_forged\"", "ID=\"_forged\" Id=\"_assertion\"")), "unusual kind"),
        ("id beside ID", whole(&own.replace("<saml:Subject>", "<saml:Subject id=\"_x\">")), "unusual kind"),
        ("xml:id", whole(&own.replace("<saml:Subject>", "<saml:Subject xml:id=\"_assertion\">")), "another vocabulary"),
        ("iD", whole(&own.replace("<saml:Subject>", "<saml:Subject iD=\"_x\">")), "unusual kind"),
        ("ID of the signature", good.replace("<ds:Signature ", "<ds:Signature Id=\"_assertion\" "), "same identity"),
        ("Advice", whole(&own.replace("<saml:AuthnStatement", &format!("<saml:Advice>{evil}</saml:Advice><saml:AuthnStatement"))), "Advice"),
        ("a foreign assertion", whole(&format!("<x:Assertion xmlns:x=\"urn:x\" ID=\"_x\"/>{own}")), "not taken in"),
        ("an assertion without a namespace", whole(&format!("<Assertion ID=\"_x\"/>{own}")), "not taken in"),
        ("an assertion in another namespace only", good.replace("urn:oasis:names:tc:SAML:2.0:assertion", "urn:x"), "not taken in"),
        ("a signature moved to the end", whole(&bare.replace("</saml:Assertion>", &format!("{sign}</saml:Assertion>"))), "right after"),
        ("a signature moved up", whole(&format!("{sign}{bare}")), "right after"),
        ("a signature beside the assertion, at the front", after_issuer(&whole(&bare), sign), "another element"),
        ("a signature in the subject", whole(&bare.replace("<saml:Subject>", &format!("<saml:Subject>{sign}"))), "not taken in"),
        ("no signature", whole(&bare), "there is none"),
        ("no signature of the assertion", outer.to_owned(), "none of its own"),
        ("a tampered name", good.replace("E1001", EVIL), "signature"),
        ("a tampered attribute only", good.replace("<saml:AttributeValue>E1001", "<saml:AttributeValue>E6666"), "signature"),
        ("a tampered attribute under a signed response", both.replace("<saml:AttributeValue>E1001", "<saml:AttributeValue>E6666"), "signature"),
        ("a tampered digest", good.replace("<ds:DigestValue>", "<ds:DigestValue>AA"), "signature"),
        ("a tampered signature", good.replace("<ds:SignatureValue>", "<ds:SignatureValue>AA"), "signature"),
        ("an empty signature", good.replace(part(good, "<ds:SignatureValue>", "</ds:SignatureValue>"), "<ds:SignatureValue></ds:SignatureValue>"), "signature"),
        ("a tampered response under its signature", both.replace("Destination=\"https://cam", "Consent=\"x\" Destination=\"https://cam"), "signature"),
        ("a stranger's key, embedded", fixture!("bad-stranger.xml").to_owned(), "signature"),
        ("a stranger's key, not embedded", fixture!("bad-stranger.xml").replace(part(fixture!("bad-stranger.xml"), "<ds:KeyInfo>", "</ds:KeyInfo>"), ""), "signature"),
        ("two signatures of one element", good.replace(sign, &format!("{sign}{sign}")), "more than one"),
        ("two references", good.replace(part(good, "<ds:Reference", "</ds:Reference>"), &part(good, "<ds:Reference", "</ds:Reference>").repeat(2)), "not for one element"),
        ("an XPath transform", good.replace("<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>", "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/><ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"/></ds:Transforms>"), "transformed"),
        ("an HMAC with a public key", good.replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"), "not taken"),
        ("a length of the HMAC", good.replace("#rsa-sha256\"/>", "#rsa-sha256\"><ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>"), "not empty"),
        ("a processing instruction in the name", good.replace(">E1001</saml:NameID>", ">E1001<?x?>.evil</saml:NameID>"), "processing instruction"),
        ("a comment in the name", fixture!("bad-comment-in-value.xml").to_owned(), "not plain text"),
        ("a comment in the name, put in later", good.replace(">E1001<", ">E10<!-- -->01<"), "not plain text"),
        ("a comment in the issuer", good.replace("idp.corp.example/saml<", "idp.corp<!---->.example/saml<"), "not plain text"),
        ("unparsed text", good.replace(">E1001<", "><![CDATA[E1001]]><"), "unparsed"),
        ("a document type", good.replace("<samlp:Response", "<!DOCTYPE x><samlp:Response"), "document type"),
        ("an entity bomb", good.replace("<samlp:Response", "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]><samlp:Response").replace("E1001", "&b;"), "document type"),
        ("an entity of its own", good.replace("E1001", "&evil;"), "read"),
        ("200,000 deep", format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000)), "256 KiB"),
        ("80,000 attributes", format!("<a {}/>", (0..80_000).map(|n| format!("a{n}='' ")).collect::<String>()), "256 KiB"),
        ("as deep as fits", format!("{}{}", "<a>".repeat(30_000), "</a>".repeat(30_000)), "deeper"),
        ("as many attributes as fit", format!("<a {}/>", (0..20_000).map(|n| format!("a{n}='' ")).collect::<String>()), "attributes"),
        ("SHA-1", fixture!("weak-sha1.xml").to_owned(), "SHA-1"),
        ("a digest by SHA-1", fixture!("weak-sha1-digest.xml").to_owned(), "digest"),
        ("inclusive canonical form", fixture!("weak-inclusive.xml").to_owned(), "exclusive"),
        ("canonical form with comments", fixture!("weak-with-comments.xml").to_owned(), "exclusive"),
        ("no URI", fixture!("weak-empty-uri.xml").to_owned(), "another element"),
        ("an XPointer", good.replace("URI=\"#_assertion\"", "URI=\"#xpointer(id('_assertion'))\""), "another element"),
        ("a URI elsewhere", good.replace("URI=\"#_assertion\"", "URI=\"https://evil.example/#_assertion\""), "another element"),
        ("a key that is too short", fixture!("weak-short-key.xml").to_owned(), "signature"),
        ("an encrypted assertion", whole("<saml:EncryptedAssertion/>"), "encrypted"),
        ("an encrypted attribute", whole(&own.replace("</saml:AttributeStatement>", "<saml:EncryptedAttribute/></saml:AttributeStatement>")), "encrypted"),
        ("an encrypted name", whole(&own.replace("<saml:Subject>", "<saml:Subject><saml:EncryptedID/>")), "encrypted"),
        ("elements in a value", whole(&own.replace("<saml:AttributeValue>ops", "<saml:AttributeValue><saml:NameID>ops</saml:NameID>")), "not plain text"),
        ("text between elements", whole(&own.replace("<saml:Subject>", "<saml:Subject>E6666")), "text between"),
        ("an attribute of another vocabulary", whole(&own.replace(" Recipient=", " xmlns:e=\"urn:e\" e:Recipient=\"https://evil.example/\" Recipient=")), "another vocabulary"),
        ("a second root", format!("{good}{good}"), "read"),
        ("a nested response", whole(&format!("<samlp:Response>{own}</samlp:Response>")), "Response"),
        ("a request", good.replace("samlp:Response", "samlp:AuthnRequest"), "no response"),
        ("no assertion", whole(""), "no `Assertion`"),
        ("nothing", String::new(), "read"),
        ("no XML", "E1001".to_owned(), "read"),
    ]
}

#[test]
fn everything_that_was_ever_tried_is_refused() {
    let corpus = corpus();
    let wrong = corpus.iter().filter_map(|(name, xml, why)| match judge(xml) {
        Ok(login) => Some(format!("{name} got through as {}", login.name_id.value)),
        Err(refused) if refused.to_string().contains(why) => None,
        Err(refused) => Some(format!("{name}: {refused}")),
    });
    assert_eq!(wrong.collect::<Vec<_>>(), [""; 0]);
    assert!(corpus.len() > 60);
}

#[test]
fn what_the_corpus_is_made_of_gets_through_without_what_was_done_to_it() {
    // Else the corpus would prove nothing.
    for xml in [fixture!("good-assertion.xml"), fixture!("good-both.xml")] {
        assert!(judge(xml).is_ok());
    }
}

#[test]
fn what_is_no_base64_or_no_utf8_is_refused() {
    let certificates = certificates();
    let ask = |text: &str| Gate.verify(text, &expected(&certificates), now()).unwrap_err().to_string();
    assert!(ask("%%%").contains("base64"));
    assert!(ask(&STANDARD.encode([0xff, 0xfe, b'<'])).contains("UTF-8"));
    assert!(ask(&"A".repeat(500_000)).contains("256 KiB"));
    assert!(ask(&STANDARD.encode(fixture!("good-assertion.xml").replace("?>", " encoding=\"ISO-8859-1\"?>"))).contains("UTF-8"));
}

#[test]
fn options_for_old_identity_providers_take_what_they_say_and_no_more() {
    let certificates = certificates();
    let ask = |xml: &str, change: fn(&mut Expected<'_>)| {
        let mut expected = expected(&certificates);
        change(&mut expected);
        Gate.verify(&STANDARD.encode(xml), &expected, now()).map(|login| login.name_id.value)
    };
    let outer = fixture!("good-response-only.xml");
    let enough: fn(&mut Expected<'_>) = |expected| expected.response_signature_is_enough = true;
    assert_eq!(ask(outer, enough).unwrap(), "E1001");
    assert_eq!(ask(fixture!("good-assertion.xml"), enough).unwrap(), "E1001");
    for (name, xml, _) in corpus() {
        if name != "no signature of the assertion" {
            assert!(ask(&xml, enough).is_err(), "{name}");
        }
    }
    assert!(ask(&outer.replace("E1001", EVIL), enough).is_err());
    let sha1: fn(&mut Expected<'_>) = |expected| expected.allow_sha1 = true;
    for xml in [fixture!("weak-sha1.xml"), fixture!("weak-sha1-digest.xml"), fixture!("good-rsa-sha512.xml")] {
        assert_eq!(ask(xml, sha1).unwrap(), "E1001");
        assert!(ask(&xml.replace("E1001", EVIL), sha1).is_err());
    }
    assert!(ask(fixture!("weak-inclusive.xml"), sha1).is_err());
}

#[test]
fn only_what_is_pinned_counts() {
    let xml = STANDARD.encode(fixture!("good-assertion.xml"));
    let ask = |certificates: &[Vec<u8>]| Gate.verify(&xml, &expected(certificates), now());
    let [idp, next, stranger, short, p256] = [
        fixture!("idp.crt.pem"),
        fixture!("next.crt.pem"),
        fixture!("stranger.crt.pem"),
        fixture!("short.crt.pem"),
        fixture!("p256.crt.pem"),
    ]
    .map(der);
    assert!(ask(std::slice::from_ref(&idp)).is_ok());
    assert!(ask(&[next.clone(), idp.clone()]).is_ok());
    assert!(ask(&[idp, next.clone()]).is_ok());
    assert_eq!(ask(&[next, stranger]).unwrap_err().code(), "signature");
    assert_eq!(ask(&[p256]).unwrap_err().code(), "signature");
    assert_eq!(ask(&[short]).unwrap_err().code(), "certificates");
    assert_eq!(ask(&[]).unwrap_err().code(), "certificates");
    assert_eq!(ask(&[b"no certificate".to_vec()]).unwrap_err().code(), "certificates");
}
