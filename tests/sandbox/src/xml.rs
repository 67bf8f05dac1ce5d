//! XML as signatures need it: elements with their prefixes as written, and the exclusive canonical form
//! (<https://www.w3.org/TR/xml-exc-c14n/>). Written for the box alone, so that it judges what the product signs and signs what the product
//! judges without a line of its code.

use std::collections::BTreeMap;

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name with its prefix.
    name: String,
    /// Attributes without declarations of namespaces, names as written.
    attributes: Vec<(String, String)>,
    /// Prefixes that are bound here, its own and inherited ones.
    bound: BTreeMap<String, String>,
    /// What is in it.
    children: Vec<Child>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Child {
    Element(Element),
    Text(String),
}

/// Prefix and local name.
fn parts(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

impl Element {
    /// Reads a document. No document types, no comments, no processing instructions but the declaration: signed messages have none.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
        let text = match text.strip_prefix("<?xml") {
            Some(rest) => rest.split_once("?>").ok_or("the declaration does not end")?.1.trim_start(),
            None => text,
        };
        let mut reader = Reader { rest: text, depth: 0 };
        let root = reader.element(&BTreeMap::from([("xml".to_owned(), "http://www.w3.org/XML/1998/namespace".to_owned())]))?;
        match reader.rest.trim().is_empty() {
            true => Ok(root),
            false => Err("something follows the root".to_owned()),
        }
    }

    /// Whether it is the element of that name in that namespace.
    pub(crate) fn is(&self, namespace: &str, local: &str) -> bool {
        let (prefix, own) = parts(&self.name);
        own == local && self.bound.get(prefix).map_or("", String::as_str) == namespace
    }

    /// An attribute without a prefix.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The elements right inside.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|child| if let Child::Element(element) = child { Some(element) } else { None })
    }

    /// The only element of that name right inside.
    pub(crate) fn only(&self, namespace: &str, local: &str) -> Result<&Element, String> {
        let mut found = self.elements().filter(|element| element.is(namespace, local));
        match (found.next(), found.next()) {
            (Some(element), None) => Ok(element),
            (None, _) => Err(format!("no {local} in {}", self.name)),
            (Some(_), Some(_)) => Err(format!("more than one {local} in {}", self.name)),
        }
    }

    /// Every element, this one first.
    pub(crate) fn all(&self) -> Vec<&Element> {
        let mut all = vec![self];
        all.extend(self.elements().flat_map(Element::all));
        all
    }

    /// The text in it; nothing if there are elements too.
    pub(crate) fn text(&self) -> String {
        match self.children.as_slice() {
            [Child::Text(text)] => text.trim().to_owned(),
            _ => String::new(),
        }
    }

    /// The same without the elements right inside for which this holds.
    pub(crate) fn without(&self, drop: impl Fn(&Element) -> bool) -> Self {
        let mut copy = self.clone();
        copy.children.retain(|child| !matches!(child, Child::Element(element) if drop(element)));
        copy
    }

    /// The exclusive canonical form, without comments.
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, &BTreeMap::new());
        out
    }

    fn write(&self, out: &mut String, rendered: &BTreeMap<String, String>) {
        let mut rendered = rendered.clone();
        out.push('<');
        out.push_str(&self.name);
        // Only prefixes that are visibly used, each where it is not in force yet.
        let mut used: Vec<&str> = vec![parts(&self.name).0];
        used.extend(
            self.attributes.iter().map(|(name, _)| parts(name).0).filter(|prefix| !prefix.is_empty() && *prefix != "xml"),
        );
        used.sort_unstable();
        used.dedup();
        for prefix in used {
            let uri = self.bound.get(prefix).cloned().unwrap_or_default();
            if rendered.get(prefix).map_or("", String::as_str) != uri {
                let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
                out.push_str(&format!(" {name}=\"{}\"", escape_value(&uri)));
                rendered.insert(prefix.to_owned(), uri);
            }
        }
        let mut attributes: Vec<(&str, &str, &str, &str)> = self
            .attributes
            .iter()
            .map(|(name, value)| {
                let (prefix, local) = parts(name);
                let uri = if prefix.is_empty() { "" } else { self.bound.get(prefix).map_or("", String::as_str) };
                (uri, local, name.as_str(), value.as_str())
            })
            .collect();
        attributes.sort_unstable();
        for (_, _, name, value) in attributes {
            out.push_str(&format!(" {name}=\"{}\"", escape_value(value)));
        }
        out.push('>');
        for child in &self.children {
            match child {
                Child::Element(element) => element.write(out, &rendered),
                Child::Text(text) => {
                    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xD;");
                    out.push_str(&text);
                }
            }
        }
        out.push_str(&format!("</{}>", self.name));
    }
}

fn escape_value(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    text.replace('\t', "&#x9;").replace('\n', "&#xA;").replace('\r', "&#xD;")
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn until(&mut self, end: &str) -> Result<&'t str, String> {
        let (before, after) = self.rest.split_once(end).ok_or_else(|| format!("no `{end}`"))?;
        self.rest = after;
        Ok(before)
    }

    fn element(&mut self, inherited: &BTreeMap<String, String>) -> Result<Element, String> {
        self.depth += 1;
        if self.depth > 40 || !self.rest.starts_with('<') || self.rest.starts_with("<!") || self.rest.starts_with("<?") {
            return Err("it nests too deep, or is no element".to_owned());
        }
        let tag = self.until(">")?.trim_start_matches('<');
        let (tag, is_empty) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let (name, mut rest) = tag.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((tag, ""));
        let mut element =
            Element { name: name.to_owned(), attributes: Vec::new(), bound: inherited.clone(), children: Vec::new() };
        while !rest.trim_start().is_empty() {
            let (key, after) = rest.trim_start().split_once('=').ok_or("an attribute without a value")?;
            let quote = after.trim_start().chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or("a value without quotes")?;
            let (value, after) = after.trim_start()[1..].split_once(quote).ok_or("a value without an end")?;
            rest = after;
            let (key, value) = (key.trim(), resolve(&value.replace(['\t', '\n', '\r'], " "))?);
            let is_new = match key.strip_prefix("xmlns") {
                Some("") => {
                    element.bound.insert(String::new(), value);
                    true
                }
                Some(prefix) if prefix.starts_with(':') => {
                    element.bound.insert(prefix[1..].to_owned(), value);
                    true
                }
                _ if element.attribute(key).is_some() => false,
                _ => {
                    element.attributes.push((key.to_owned(), value));
                    true
                }
            };
            if !is_new {
                return Err(format!("attribute `{key}` comes twice"));
            }
        }
        for prefix in
            std::iter::once(&element.name).chain(element.attributes.iter().map(|(name, _)| name)).map(|name| parts(name).0)
        {
            if !prefix.is_empty() && !element.bound.contains_key(prefix) {
                return Err(format!("prefix `{prefix}` is not bound"));
            }
        }
        if !is_empty {
            self.inside(&mut element)?;
        }
        self.depth -= 1;
        Ok(element)
    }

    fn inside(&mut self, element: &mut Element) -> Result<(), String> {
        loop {
            let at = self.rest.find('<').ok_or("it ends too soon")?;
            let (text, rest) = self.rest.split_at(at);
            self.rest = rest;
            if !text.is_empty() {
                element.children.push(Child::Text(resolve(&text.replace("\r\n", "\n"))?));
            }
            if let Some(rest) = self.rest.strip_prefix("</") {
                self.rest = rest;
                return match self.until(">")?.trim_end() == element.name {
                    true => Ok(()),
                    false => Err(format!("{} ends as something else", element.name)),
                };
            }
            let child = self.element(&element.bound)?;
            element.children.push(Child::Element(child));
        }
    }
}

/// Text with its references resolved: XML's own five, and numbers.
fn resolve(text: &str) -> Result<String, String> {
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').ok_or("a bare `&`")?;
        let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let c = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            name => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
                (Some(digits), _) => number(digits, 16),
                (None, Some(digits)) => number(digits, 10),
                (None, None) => None,
            },
        };
        out.push(c.ok_or_else(|| format!("reference `{name}` is not known"))?);
        out.push_str(rest);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_is_the_standards() {
        for (given, canonical) in [
            // The example of the recommendation's section 2.2: the same element, wherever it came from.
            (
                r#"<n1:elem2 xmlns:n0="http://a.example" xmlns:n1="http://b.example" xmlns:n3="ftp://example.org" xml:lang="en"><n3:stuff/></n1:elem2>"#,
                r#"<n1:elem2 xmlns:n1="http://b.example" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"></n3:stuff></n1:elem2>"#,
            ),
            // By namespace, then by name; those without a namespace first.
            (
                r#"<a xmlns:z="urn:a" xmlns:b="urn:z" b:x="1" z:y='2' c="3" B="4"/>"#,
                r#"<a xmlns:b="urn:z" xmlns:z="urn:a" B="4" c="3" z:y="2" b:x="1"></a>"#,
            ),
            (r#"<a xmlns="urn:a"><b xmlns=""/></a>"#, r#"<a xmlns="urn:a"><b xmlns=""></b></a>"#),
            ("<a b='&#9;\"&amp;&gt;'>&#13;&quot;&gt;&#x4E2D;</a>", "<a b=\"&#x9;&quot;&amp;>\">&#xD;\"&gt;中</a>"),
        ] {
            assert_eq!(Element::parse(given).unwrap().canonical(), canonical);
        }
    }

    #[test]
    fn what_signed_messages_do_not_have_is_refused() {
        for bad in [
            "",
            "<a>",
            "<a></b>",
            "<a/><a/>",
            "<!DOCTYPE a><a/>",
            "<a><!-- c --></a>",
            "<a><?p?></a>",
            "<p:a/>",
            "<a b='1' b='2'/>",
            "<a>&x;</a>",
            "<a>&</a>",
            "<a b=1/>",
        ] {
            assert!(Element::parse(bad).is_err(), "{bad}");
        }
    }
}
