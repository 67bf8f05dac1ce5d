//! Writing XML of SAML's, in exclusive canonical form (<https://www.w3.org/TR/xml-exc-c14n/>), so that what is signed is what is sent.

/// SAML's assertions.
pub(crate) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// SAML's messages.
pub(crate) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// SAML's metadata.
pub(crate) const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
/// XML signatures.
pub(crate) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
/// A bearer is taken for the subject.
pub(crate) const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
/// It went well.
pub(crate) const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
/// RSA, PKCS #1 v1.5, SHA-256.
pub(crate) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
/// Exclusive canonical form, without comments.
pub(crate) const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// Everything but the signature itself.
pub(crate) const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
/// SHA-256.
pub(crate) const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// A text that no XML document can hold, or that nobody would read as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a text with the character U+{:04X} cannot be written into XML", u32::from(*.0))]
pub struct Unwritable(char);

/// Whether XML 1.0 has this character; tab and line ends are left out, because no value of ours has them and readers change them.
fn is_plain(c: char) -> bool {
    matches!(c, '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// A value between tags.
pub(crate) fn text(value: &str) -> Result<String, Unwritable> {
    escaped(value, false)
}

/// A value between quotation marks.
pub(crate) fn attribute(value: &str) -> Result<String, Unwritable> {
    escaped(value, true)
}

fn escaped(value: &str, is_attribute: bool) -> Result<String, Unwritable> {
    let mut out = String::with_capacity(value.len() + 16);
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' if !is_attribute => out.push_str("&gt;"),
            '"' if is_attribute => out.push_str("&quot;"),
            c if is_plain(c) => out.push(c),
            c => return Err(Unwritable(c)),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_and_the_unseen_refused() {
        assert_eq!(text("a<b>&\"'c").unwrap(), "a&lt;b&gt;&amp;\"'c");
        assert_eq!(attribute("a<b>&\"'c").unwrap(), "a&lt;b>&amp;&quot;'c");
        assert_eq!(text("工号 é 😀").unwrap(), "工号 é 😀");
        for bad in ['\0', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{fffe}', '\u{ffff}', '\u{2028}', '\u{feff}'] {
            assert_eq!(text(&format!("a{bad}b")), Err(Unwritable(bad)), "{:?}", bad);
            assert!(attribute(&bad.to_string()).is_err());
        }
    }
}
