//! Every element of signed responses, moved, copied, wrapped, renamed and removed, in every way: ten thousand documents and more. Whatever becomes of
//! one, it is refused, or the name is the original one.

use roxmltree::{Document, Node};

use super::*;

/// An element by the places of its bytes.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn holds(self, at: usize) -> bool {
        (self.start..self.end).contains(&at)
    }
}

fn spans(xml: &str) -> Vec<Span> {
    let document = Document::parse(xml).unwrap();
    let spans =
        document.descendants().filter(Node::is_element).map(|node| Span { start: node.range().start, end: node.range().end });
    spans.collect()
}

/// Where something can be put: before each element, and at the end of each that has an end tag.
fn places(xml: &str, spans: &[Span]) -> Vec<usize> {
    let ends = spans.iter().filter_map(|span| {
        let text = &xml[span.start..span.end];
        (!text.ends_with("/>")).then(|| span.start + text.rfind("</").unwrap())
    });
    let mut places: Vec<usize> = spans.iter().map(|span| span.start).chain(ends).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// The element with the attacker's name in it, and with another identity.
fn evil(text: &str) -> String {
    text.replace("E1001", "E6666").replace("ID=\"_", "ID=\"_e")
}

/// A name for an element of another kind, one after another.
const NAMES: [&str; 8] = [
    "saml:Assertion",
    "samlp:Response",
    "ds:Signature",
    "saml:NameID",
    "saml:Issuer",
    "ds:Object",
    "samlp:Extensions",
    "saml:Advice",
];

fn renamed(text: &str, name: &str) -> String {
    let old: String = text[1..].chars().take_while(|c| !c.is_whitespace() && !matches!(c, '>' | '/')).collect();
    let inner = &text[1 + old.len()..];
    let declared = "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"";
    let inner = inner.replace("xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"", "");
    match inner.strip_suffix(&format!("</{old}>")) {
        Some(inside) => format!("<{name} {declared}{inside}</{name}>"),
        None => format!("<{name} {declared}{inner}"),
    }
}

fn replaced(xml: &str, span: Span, by: &str) -> String {
    format!("{}{by}{}", &xml[..span.start], &xml[span.end..])
}

/// All variants of one document, each given to `see`.
fn variants(xml: &str, mut see: impl FnMut(String)) {
    let spans = spans(xml);
    let places = places(xml, &spans);
    for span in &spans {
        let text = &xml[span.start..span.end];
        let wrapped = [
            format!("<samlp:Extensions>{text}</samlp:Extensions>"),
            format!("{}{text}", evil(text)),
            format!("{text}{}", evil(text)),
        ];
        wrapped.into_iter().for_each(|by| see(replaced(xml, *span, &by)));
        see(replaced(xml, *span, ""));
        see(replaced(xml, *span, &evil(text)));
        NAMES.iter().for_each(|name| see(replaced(xml, *span, &renamed(text, name))));
        NAMES.iter().for_each(|name| see(replaced(xml, *span, &renamed(&evil(text), name))));
        for &place in &places {
            // Copied there, with the attacker's name; and moved there, with the attacker's in the old place.
            see(format!("{}{}{}", &xml[..place], evil(text), &xml[place..]));
            if !span.holds(place) {
                let (first, second) = if place <= span.start { (place, span.start) } else { (span.end, place) };
                let moved = match place <= span.start {
                    true => [&xml[..first], text, &xml[first..second], &evil(text), &xml[span.end..]].concat(),
                    false => [&xml[..span.start], &evil(text), &xml[first..second], text, &xml[second..]].concat(),
                };
                see(moved);
                let moved = match place <= span.start {
                    true => [&xml[..first], text, &xml[first..second], &xml[span.end..]].concat(),
                    false => [&xml[..span.start], &xml[first..second], text, &xml[second..]].concat(),
                };
                see(moved);
            }
        }
    }
}

#[test]
fn no_variant_yields_another_name() {
    let certificates = certificates();
    let mut tried = 0_usize;
    let mut taken = 0_usize;
    for xml in [fixture!("good-both.xml"), fixture!("good-response-only.xml")] {
        let mut expected = expected(&certificates);
        expected.response_signature_is_enough = xml == fixture!("good-response-only.xml");
        variants(xml, |variant| {
            tried += 1;
            let Ok(login) = Gate.verify(&STANDARD.encode(&variant), &expected, now()) else { return };
            taken += 1;
            let name = (login.name_id.value.as_str(), login.one("gid"));
            assert_eq!(name, ("E1001", Some("E1001")), "{variant}");
        });
    }
    assert!(tried >= 10_000, "{tried}");
    println!("{tried} variants, {taken} taken");
    // A few are harmless: what was moved is where it was, or nothing that anybody signed.
    assert!((1..tried / 50).contains(&taken), "{taken} of {tried}");
}
