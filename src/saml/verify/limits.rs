//! Limits that hold before anything is parsed: a parser's own are too late, and its checks for duplicates can take seconds for one tag.

use super::Refused;

/// The longest message, decoded, in bytes.
pub(super) const LONGEST: usize = 256 * 1024;
/// How deep elements may nest.
const DEEPEST: usize = 64;
/// How many attributes and declarations of namespaces an element may have.
const MOST_ATTRIBUTES: usize = 64;
/// How many elements a message may have.
const MOST_ELEMENTS: usize = 5_000;

fn refused(why: &str) -> Refused {
    Refused::Unreadable(why.to_owned())
}

/// Looks at the text from its first byte to its last. It judges markup as coarsely as it can: whatever a parser would take for a document type, a
/// processing instruction or a section of unparsed text is refused wherever it stands.
pub(super) fn check(xml: &str) -> Result<(), Refused> {
    if xml.len() > LONGEST {
        return Err(refused("it is longer than 256 KiB"));
    }
    let (mut rest, mut depth, mut elements) = (declaration(xml)?, 0_usize, 0_usize);
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        match rest.as_bytes().first() {
            Some(b'?') => return Err(refused("it has a processing instruction")),
            Some(b'!') => {
                let comment = rest.strip_prefix("!--").ok_or_else(|| refused("it has a document type or an unparsed section"))?;
                let end = comment.find("-->").ok_or_else(|| refused("a comment in it does not end"))?;
                rest = &comment[end + 3..];
            }
            Some(b'/') => {
                depth = depth.checked_sub(1).ok_or_else(|| refused("it ends more elements than it begins"))?;
                rest = &rest[1..];
            }
            _ => {
                elements += 1;
                let tag = tag(rest)?;
                if tag.attributes > MOST_ATTRIBUTES {
                    return Err(refused("an element in it has more than 64 attributes"));
                }
                depth += usize::from(!tag.is_empty);
                if depth > DEEPEST || elements > MOST_ELEMENTS {
                    return Err(refused("it nests deeper than 64 elements, or has more than 5,000"));
                }
                rest = &rest[tag.length..];
            }
        }
    }
    Ok(())
}

/// What comes after the XML declaration, if there is one: version 1.0, UTF-8.
fn declaration(xml: &str) -> Result<&str, Refused> {
    let Some(rest) = xml.strip_prefix("<?xml") else { return Ok(xml) };
    let (inside, after) = rest.split_once("?>").ok_or_else(|| refused("its declaration does not end"))?;
    let plain = inside.replace('\'', "\"");
    let words: Vec<&str> = plain.split_whitespace().collect();
    let encoding = match words.as_slice() {
        ["version=\"1.0\""] => return Ok(after),
        ["version=\"1.0\"", encoding] | ["version=\"1.0\"", encoding, "standalone=\"yes\"" | "standalone=\"no\""] => *encoding,
        _ => return Err(refused("its declaration is none of XML 1.0")),
    };
    if !encoding.eq_ignore_ascii_case("encoding=\"utf-8\"") {
        return Err(refused("it is not UTF-8"));
    }
    Ok(after)
}

struct Tag {
    length: usize,
    attributes: usize,
    is_empty: bool,
}

/// Walks a start tag to its end; what stands between quotation marks does not end it.
fn tag(rest: &str) -> Result<Tag, Refused> {
    let (mut quote, mut attributes, mut before) = (None, 0, b' ');
    for (at, byte) in rest.bytes().enumerate() {
        match (quote, byte) {
            (Some(mark), _) if mark == byte => quote = None,
            // XML forbids it there; a reader that did not mind would see other elements than this one.
            (_, b'<') => return Err(refused("a tag in it has a `<` inside")),
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => attributes += 1,
            (None, b'>') => return Ok(Tag { length: at + 1, attributes, is_empty: before == b'/' }),
            (None, _) => {}
        }
        before = byte;
    }
    Err(refused("a tag in it does not end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(xml: &str) -> String {
        check(xml).map_or_else(|refused| refused.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn what_is_plain_passes() {
        let deep = format!("{}{}", "<a>".repeat(64), "</a>".repeat(64));
        let many = format!("<a {}/>", "x='1' ".repeat(64));
        for xml in [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b='>'><!-- c --><d/>x</a>",
            "<?xml version='1.0' encoding='utf-8' standalone='no'?><a/>",
            "<a b=\"x=y>'\" c='\"'/>",
            &deep,
            &many,
        ] {
            assert_eq!(said(xml), "fine", "{xml:.80}");
        }
    }

    #[test]
    fn what_is_not_is_refused_before_it_is_parsed() {
        let cases = [
            ("<!DOCTYPE a><a/>".to_owned(), "document type"),
            ("<a><![CDATA[x]]></a>".to_owned(), "unparsed section"),
            ("<a><?x y?></a>".to_owned(), "processing instruction"),
            (" <?xml version=\"1.0\"?><a/>".to_owned(), "processing instruction"),
            ("<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>".to_owned(), "UTF-8"),
            ("<?xml version=\"1.1\"?><a/>".to_owned(), "declaration"),
            ("<a>".repeat(65), "deeper"),
            ("<a>".repeat(80_000), "deeper"),
            (format!("<a {}/>", "x='1' ".repeat(65)), "attributes"),
            (format!("<a {}/>", "x='1' ".repeat(40_000)), "attributes"),
            ("<a/>".repeat(5_001), "5,000"),
            ("x".repeat(LONGEST + 1), "256 KiB"),
            ("<a b='".to_owned(), "does not end"),
            ("<a b='<c>'/>".to_owned(), "inside"),
            ("</a>".to_owned(), "more elements"),
            ("<!-- ".to_owned(), "does not end"),
        ];
        for (xml, why) in cases {
            assert!(said(&xml).contains(why), "{xml:.60}: {}", said(&xml));
        }
    }
}
