//! Every element of signed responses, moved, copied, wrapped, renamed and removed, in every way: ten thousand documents and more. Whatever becomes of
//! one, it is refused, or the name is the original one.

use roxmltree::{Document, Node};

use super::*;
use crate::saml::testing::hand_out;

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
            hand_out("taken", &format!("element-{taken:05}.xml"), &variant);
            let name = (login.name_id.value.as_str(), login.one("gid"));
            assert_eq!(name, ("E1001", Some("E1001")), "{variant}");
        });
    }
    assert!(tried >= 10_000, "{tried}");
    // A few are harmless: what was moved is where it was, or nothing that anybody signed.
    assert!((1..tried / 50).contains(&taken), "{taken} of {tried}");
}

/// A sequence of numbers that looks random and is the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}

#[test]
fn no_changed_byte_yields_another_name() {
    let mut numbers = Numbers(0x5EED);
    let marks = [
        "<",
        ">",
        "\"",
        "'",
        "&",
        "<!---->",
        "&#69;",
        "E6666",
        " ",
        "/",
        "=",
        "<x/>",
        "xmlns=\"urn:x\"",
        "ID=\"_assertion\"",
        "\u{feff}",
    ];
    let mut taken = 0;
    for (_, xml) in GOOD {
        for _ in 0..300 {
            let mut bytes = xml.as_bytes().to_vec();
            for _ in 0..=numbers.below(2) {
                let at = numbers.below(bytes.len());
                match numbers.below(4) {
                    0 => bytes[at] ^= 1 << numbers.below(7),
                    1 => drop(bytes.remove(at)),
                    2 => drop(bytes.splice(at..at, marks[numbers.below(marks.len())].bytes())),
                    _ => {
                        let end = (at + numbers.below(400)).min(bytes.len());
                        let piece = bytes[at..end].to_vec();
                        let to = numbers.below(bytes.len());
                        bytes.splice(to..to, piece);
                    }
                }
            }
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let Ok(login) = judge(&text) else { continue };
            taken += 1;
            hand_out("taken", &format!("byte-{taken:05}.xml"), &text);
            assert_eq!((login.name_id.value.as_str(), login.one("gid")), ("E1001", Some("E1001")), "{text}");
        }
    }
    // White space and comments between elements, what stands in KeyInfo: some changes mean nothing.
    assert!(taken > 0);
}
