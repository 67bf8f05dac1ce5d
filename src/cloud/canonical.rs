//! What both clouds have alike in signing a request: the canonical text of it, SHA-256 and HMAC. How the text becomes a signature is
//! each vendor's own (`aws/sign.rs`, `alibaba/sign.rs`). Why there is no library: docs/decisions/own-request-signing.md.

use ring::{digest, hmac};
use url::Position;

use crate::world::{Method, Request};

/// The part of the address that the `host` header will have: the port only where it is not the usual one.
pub(super) fn host(request: &Request) -> String {
    request.url.expose()[Position::BeforeHost..Position::AfterPort].to_owned()
}

/// The digest of the body, in hexadecimal digits.
pub(super) fn payload(request: &Request) -> String {
    sha256(request.body.as_ref().map(|body| body.expose().as_str()).unwrap_or_default())
}

/// The canonical request over these headers, and their names. Calls to a token service go to the root of a host, so the path is taken
/// as it stands.
pub(super) fn request(request: &Request, mut headers: Vec<(&str, String)>) -> (String, String) {
    headers.sort();
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let url = request.url.expose();
    let mut query: Vec<String> =
        url.query_pairs().map(|(name, value)| format!("{}={}", percent(&name), percent(&value))).collect();
    query.sort();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    (format!("{method}\n{}\n{}\n{lines}\n{names}\n{}", url.path(), query.join("&"), payload(request)), names)
}

/// All but RFC 3986's unreserved characters as `%XX`.
fn percent(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// SHA-256 in hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// HMAC-SHA-256. The key is wiped by whoever made it.
pub(super) fn hmac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
