//! Reading XML with roxmltree, strictly: an element holds elements or one text, never both, and a name counts with its namespace.

use roxmltree::{Document, Node, ParsingOptions};

use super::{NameId, Refused, limits};

/// Parses a message, within the limits.
pub(super) fn parse(xml: &str) -> Result<Document<'_>, Refused> {
    limits::check(xml)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: 20_000, ..ParsingOptions::default() };
    Document::parse_with_options(xml, options).map_err(|error| Refused::Unreadable(error.to_string()))
}

/// Whether a text can be an identity: a name without a colon, in ASCII, as every identity provider makes them.
pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && text.len() <= 256
}

/// A text without XML's own white space around it. There are more characters that look like it, and they are part of a value.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

fn shape(why: String) -> Refused {
    Refused::Shape(why)
}

/// Asking for elements by their full names.
pub(super) trait Names<'a, 'x: 'a> {
    /// Whether it is that element.
    fn is(&self, namespace: &str, name: &str) -> bool;
    /// The elements right inside.
    fn elements(&self) -> impl Iterator<Item = Node<'a, 'x>>;
    /// The one element of that name right inside; nothing if there is none.
    fn maybe(&self, namespace: &str, name: &str) -> Result<Option<Node<'a, 'x>>, Refused>;
    /// The one element of that name right inside.
    fn one(&self, namespace: &str, name: &str) -> Result<Node<'a, 'x>, Refused>;
    /// The text of an element that holds nothing else, without the white space around it.
    fn value(&self) -> Result<String, Refused>;
    /// Fails unless the element holds elements only.
    fn holds_elements(&self) -> Result<(), Refused>;
}

impl<'a, 'x: 'a> Names<'a, 'x> for Node<'a, 'x> {
    fn is(&self, namespace: &str, name: &str) -> bool {
        self.is_element() && self.tag_name().namespace() == Some(namespace) && self.tag_name().name() == name
    }

    fn elements(&self) -> impl Iterator<Item = Node<'a, 'x>> {
        self.children().filter(Node::is_element)
    }

    fn maybe(&self, namespace: &str, name: &str) -> Result<Option<Node<'a, 'x>>, Refused> {
        let mut found = self.elements().filter(|node| node.is(namespace, name));
        match (found.next(), found.next()) {
            (found, None) => Ok(found),
            _ => Err(shape(format!("there is more than one `{name}` in `{}`", self.tag_name().name()))),
        }
    }

    fn one(&self, namespace: &str, name: &str) -> Result<Node<'a, 'x>, Refused> {
        self.maybe(namespace, name)?.ok_or_else(|| shape(format!("there is no `{name}` in `{}`", self.tag_name().name())))
    }

    fn value(&self) -> Result<String, Refused> {
        let mut children = self.children();
        match (children.next(), children.next()) {
            (None, _) => Ok(String::new()),
            (Some(text), None) if text.is_text() => Ok(trimmed(text.text().unwrap_or_default()).to_owned()),
            _ => Err(shape(format!("the value of `{}` is not plain text", self.tag_name().name()))),
        }
    }

    fn holds_elements(&self) -> Result<(), Refused> {
        let is_blank = |node: &Node<'_, '_>| trimmed(node.text().unwrap_or_default()).is_empty();
        let fits = |node: Node<'_, '_>| node.is_element() || node.is_comment() || node.is_text() && is_blank(&node);
        match self.children().all(fits) {
            true => Ok(()),
            false => Err(shape(format!("there is text between the elements of `{}`", self.tag_name().name()))),
        }
    }
}

impl NameId {
    /// Reads a `NameID`.
    pub(super) fn read(node: Node<'_, '_>) -> Result<Self, Refused> {
        let own = |name: &str| node.attribute(name).map(str::to_owned);
        let value = node.value()?;
        if value.is_empty() {
            return Err(shape("its subject has no name".to_owned()));
        }
        Ok(Self { value, format: own("Format"), name_qualifier: own("NameQualifier"), sp_name_qualifier: own("SPNameQualifier") })
    }
}
