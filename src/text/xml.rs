//! XML from servers, walked once. Names without their prefixes; text whole, however a comment or a reference splits
//! it; no document types, no entities but XML's own five, no deep nesting.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use crate::types::Untrusted;

/// How deep elements may nest.
const DEEPEST: usize = 60;

/// Why a text is not the XML that is read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadXml(String);

fn bad(error: &dyn std::fmt::Display) -> BadXml {
    BadXml(Untrusted::new(error.to_string()).to_string())
}

/// An element that begins.
pub struct Element<'e> {
    path: &'e [String],
    tag: &'e BytesStart<'e>,
}

impl Element<'_> {
    /// Its name without a prefix.
    pub fn name(&self) -> &str {
        self.path.last().map(String::as_str).unwrap_or_default()
    }

    /// How many elements are open, this one included.
    pub fn depth(&self) -> usize {
        self.path.len()
    }

    /// Whether it stands right inside an element of that name.
    pub fn is_in(&self, parent: &str) -> bool {
        self.path.len() > 1 && self.path[self.path.len() - 2] == parent
    }

    /// The value of an attribute, by its name without a prefix.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let found = self.tag.attributes().flatten().find(|a| a.key.local_name().into_inner() == name)?;
        found.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
    }
}

/// Is told of every element.
pub trait Visitor {
    /// Why it may refuse.
    type Error: From<BadXml>;

    /// An element begins.
    ///
    /// # Errors
    /// The visitor's own; the walk ends.
    fn open(&mut self, _element: &Element<'_>) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The element at `path` ends; `text` is what stood in it after its last child.
    ///
    /// # Errors
    /// The visitor's own; the walk ends.
    fn close(&mut self, path: &[String], text: String) -> Result<(), Self::Error>;
}

/// Walks a document from beginning to end.
///
/// # Errors
/// [`BadXml`] for what is no such document, or the visitor's own.
pub fn walk<V: Visitor>(xml: &str, visitor: &mut V) -> Result<(), V::Error> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut path: Vec<String> = Vec::new();
    let mut text = String::new();
    loop {
        let event = reader.read_event().map_err(|e| bad(&e))?;
        match &event {
            Event::Start(tag) | Event::Empty(tag) => {
                path.push(tag.local_name().into_inner().to_owned());
                text.clear();
                if path.len() > DEEPEST {
                    return Err(bad(&"it nests too deep").into());
                }
                visitor.open(&Element { path: &path, tag })?;
                if matches!(event, Event::Empty(_)) {
                    visitor.close(&path, String::new())?;
                    path.pop();
                }
            }
            Event::End(_) => {
                visitor.close(&path, std::mem::take(&mut text))?;
                path.pop();
            }
            Event::Text(piece) => text.push_str(&piece.xml10_content()),
            Event::CData(piece) => text.push_str(&piece.xml10_content()),
            Event::GeneralRef(reference) => {
                let named = reference.xml10_content();
                text.push(match (reference.resolve_char_ref().map_err(|e| bad(&e))?, &*named) {
                    (Some(c), _) => c,
                    (None, "amp") => '&',
                    (None, "lt") => '<',
                    (None, "gt") => '>',
                    (None, "quot") => '"',
                    (None, "apos") => '\'',
                    (None, _) => return Err(bad(&"it refers to an entity of its own").into()),
                });
            }
            Event::DocType(_) => return Err(bad(&"it has a document type").into()),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if path.is_empty() { Ok(()) } else { Err(bad(&"it ends too soon").into()) }
}

/// The texts of all elements that have one, under their paths (`Error/Code`), in order.
///
/// # Errors
/// [`BadXml`].
pub fn leaves(xml: &str) -> Result<Vec<(String, String)>, BadXml> {
    struct Leaves(Vec<(String, String)>);
    impl Visitor for Leaves {
        type Error = BadXml;
        fn close(&mut self, path: &[String], text: String) -> Result<(), BadXml> {
            if !text.trim().is_empty() {
                self.0.push((path.join("/"), text.trim().to_owned()));
            }
            Ok(())
        }
    }
    let mut leaves = Leaves(Vec::new());
    walk(xml, &mut leaves)?;
    Ok(leaves.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_leaves() {
        let xml = "<?xml version='1.0'?><e:A xmlns:e='x'><B>1 &amp; <!-- c -->2</B><C/><D><B><![CDATA[<]]>&#65;</B></D></e:A>";
        let leaves = leaves(xml).unwrap();
        assert_eq!(leaves, [("A/B".to_owned(), "1 & 2".to_owned()), ("A/D/B".to_owned(), "<A".to_owned())]);
    }

    #[test]
    fn refuses_tricks() {
        for xml in ["<a>", "<a></b>", "<!DOCTYPE a><a/>", "<a>&x;</a>", &"<a>".repeat(1000), "<a>&#xD800;</a>"] {
            assert!(leaves(xml).is_err(), "{xml:.40}");
        }
    }
}
