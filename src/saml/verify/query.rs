//! Messages about signing out, in the query of an address: signed over the bytes of three of its parameters.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;

use super::pinned::{Method, Pinned};
use super::tree::{self, Names as _};
use super::{NameId, Refused, rules};
use crate::saml::logout::{ExpectedLogout, LogoutMessage};
use crate::saml::markup::{ASSERTION, PROTOCOL, SUCCESS};
use crate::saml::request::{Field, inflate};
use crate::types::{Timestamp, Untrusted};

/// The longest query.
const LONGEST: usize = 64 * 1024;

fn shape(why: &str) -> Refused {
    Refused::Shape(why.to_owned())
}

/// A parameter, as it stands and as it is meant.
struct Raw<'q> {
    text: &'q str,
    value: String,
}

/// The one parameter of that name.
fn parameter<'q>(query: &'q str, name: &str) -> Result<Option<Raw<'q>>, Refused> {
    let mut found = query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A name that is written otherwise and means the same would be another parameter to one reader only.
        (decoded(key).as_deref() == Some(name)).then_some((key == name, value))
    });
    let Some((is_plain, text)) = found.next() else { return Ok(None) };
    if found.next().is_some() || !is_plain {
        return Err(shape("a parameter stands in the address twice, or under a disguised name"));
    }
    let value = decoded(text).ok_or_else(|| shape("a parameter in the address is not UTF-8"))?;
    Ok(Some(Raw { text, value }))
}

fn decoded(text: &str) -> Option<String> {
    let pair = format!("x={text}");
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    let (_, value) = pairs.next()?;
    match (pairs.next(), value) {
        (Some(_), _) => None,
        (None, value) if value.contains('\u{fffd}') => None,
        (None, Cow::Borrowed(value)) => Some(value.to_owned()),
        (None, Cow::Owned(value)) => Some(value),
    }
}

/// Judges the query of a request.
pub(crate) fn read(query: &str, expected: &ExpectedLogout<'_>, now: Timestamp) -> Result<LogoutMessage, Refused> {
    let query = query.trim_start_matches('?');
    if query.len() > LONGEST {
        return Err(Refused::Unreadable("the address is too long".to_owned()));
    }
    let (request, response) = (parameter(query, Field::Request.name())?, parameter(query, Field::Response.name())?);
    let (field, message) = match (request, response) {
        (Some(request), None) => (Field::Request, request),
        (None, Some(response)) => (Field::Response, response),
        _ => return Err(shape("there is not exactly one message in the address")),
    };
    let relay_state = parameter(query, "RelayState")?;
    verified(query, field, &message, relay_state.as_ref(), expected)?;
    let packed = STANDARD.decode(&message.value).map_err(|_| Refused::Unreadable("it is not base64".to_owned()))?;
    let xml = inflate(&packed).ok_or_else(|| Refused::Unreadable("it does not unfold, or to too much".to_owned()))?;
    let document = tree::parse(&xml)?;
    let relay_state = relay_state.map(|raw| raw.value).filter(|value| !value.is_empty());
    told(field, document.root_element(), relay_state, expected, now)
}

/// What is signed are the parameters as they stand in the address (SAML bindings §3.4.4.1).
fn verified(
    query: &str,
    field: Field,
    message: &Raw<'_>,
    relay_state: Option<&Raw<'_>>,
    expected: &ExpectedLogout<'_>,
) -> Result<(), Refused> {
    let missing = || Refused::Signature("there is none".to_owned());
    let (method, signature) =
        (parameter(query, "SigAlg")?.ok_or_else(missing)?, parameter(query, "Signature")?.ok_or_else(missing)?);
    let signed = match relay_state {
        Some(relay_state) => {
            format!("{}={}&RelayState={}&SigAlg={}", field.name(), message.text, relay_state.text, method.text)
        }
        None => format!("{}={}&SigAlg={}", field.name(), message.text, method.text),
    };
    let method = Method::read(&method.value, expected.allow_sha1)?;
    let signature = STANDARD.decode(&signature.value).map_err(|_| Refused::Signature("it is not base64".to_owned()))?;
    let pinned = Pinned::usable(expected.certificates)?;
    match pinned.iter().any(|pinned| pinned.signed(method, signed.as_bytes(), &signature)) {
        true => Ok(()),
        false => Err(Refused::Signature("no pinned certificate made it".to_owned())),
    }
}

fn told(
    field: Field,
    root: Node<'_, '_>,
    relay_state: Option<String>,
    expected: &ExpectedLogout<'_>,
    now: Timestamp,
) -> Result<LogoutMessage, Refused> {
    let name = match field {
        Field::Request => "LogoutRequest",
        Field::Response => "LogoutResponse",
    };
    if !root.is(PROTOCOL, name) || root.attribute("Version") != Some("2.0") {
        return Err(shape("it is no message about signing out"));
    }
    let id = root.attribute("ID").filter(|id| tree::is_name(id)).ok_or_else(|| shape("it has no identity"))?.to_owned();
    let issuer = root.one(ASSERTION, "Issuer")?.value()?;
    if issuer != expected.idp {
        return Err(Refused::Issuer(Untrusted::new(issuer)));
    }
    match root.attribute("Destination") {
        Some(destination) if destination == expected.destination => {}
        other => return Err(Refused::Destination(Untrusted::new(other.unwrap_or_default()))),
    }
    let skew = expected.skew.min(super::WIDEST_SKEW);
    rules::issued(root.attribute("IssueInstant"), skew, now)?;
    if field == Field::Response {
        let codes: Vec<_> = root.one(PROTOCOL, "Status")?.elements().filter(|node| node.is(PROTOCOL, "StatusCode")).collect();
        let [code] = codes.as_slice() else { return Err(shape("it has no status")) };
        return Ok(LogoutMessage::Response {
            in_response_to: root.attribute("InResponseTo").map(str::to_owned),
            is_success: code.attribute("Value") == Some(SUCCESS),
            relay_state,
        });
    }
    if let Some(end) = root.attribute("NotOnOrAfter") {
        rules::before(Some(end), "request", skew, now)?;
    }
    let name_id = NameId::read(root.one(ASSERTION, "NameID")?)?;
    let indexes = root.elements().filter(|node| node.is(PROTOCOL, "SessionIndex"));
    let session_indexes = indexes.map(|node| node.value()).collect::<Result<_, _>>()?;
    Ok(LogoutMessage::Request { id, name_id, session_indexes, relay_state })
}
