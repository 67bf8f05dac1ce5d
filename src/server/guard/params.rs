//! The parameters of a request, for the audit trail: all of them, from the parsed request, with secrets masked.

use axum::extract::RawPathParams;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use crate::tvm::audit::MASKED;

/// Fields that hold a secret, wherever they stand. That there was one is told, what it was is not.
pub(super) const SECRET: &[&str] = &[
    "access_key_secret",
    "access_token",
    "client_secret",
    "code",
    "code_verifier",
    "csrf",
    "device_code",
    "password",
    "passphrase",
    "p12",
    "private_key",
    "refresh_token",
    "relaystate",
    "samlrequest",
    "samlresponse",
    "secret",
    "secret_access_key",
    "session_token",
    "signature",
    "state",
    "token",
    "user_code",
];
/// The longest text that is kept whole, in bytes.
const LONGEST: usize = 8 * 1024;
/// The longest body that is kept, in bytes; and how much one request may put into the trail, however it is sent. Whatever an event says has to fit into a
/// datagram of a system log, and nobody fills the disk with what they ask for.
const LONGEST_BODY: usize = 32 * 1024;
/// How deep a body may be for its parts to be kept.
const DEEPEST: usize = 16;

/// What was given.
pub(super) struct Given {
    /// As it goes into the trail.
    pub(super) told: Map<String, Value>,
}

/// Reads path, query and body. A body that is neither a form nor JSON is told by its length.
pub(super) fn read(path: Option<&RawPathParams>, query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Given {
    let mut told = Map::new();
    for (name, value) in path.into_iter().flatten() {
        put(&mut told, name, masked(name, Value::from(value), 0));
    }
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        put(&mut told, &name, masked(&name, Value::from(value.into_owned()), 0));
    }
    if !body.is_empty() {
        body_of(&mut told, headers, body);
    }
    let query = query.unwrap_or_default().as_bytes();
    // Most requests are far from it, and are not measured.
    if query.len() + body.len() > LONGEST && Value::Object(told.clone()).to_string().len() > LONGEST_BODY {
        told = Map::new();
        for (name, given) in [("query", query), ("body", body)].into_iter().filter(|(_, given)| !given.is_empty()) {
            put(&mut told, name, serde_json::json!({"bytes": given.len(), "sha256": digest(given)}));
        }
    }
    Given { told }
}

fn body_of(told: &mut Map<String, Value>, headers: &HeaderMap, body: &[u8]) {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "application/x-www-form-urlencoded" {
        for (name, value) in url::form_urlencoded::parse(body) {
            put(told, &name, masked(&name, Value::from(value.into_owned()), 0));
        }
        return;
    }
    let parsed = if kind.ends_with("json") { serde_json::from_slice::<Value>(body).ok() } else { None };
    match parsed {
        Some(Value::Object(fields)) if body.len() <= LONGEST_BODY => {
            for (name, value) in fields {
                let value = masked(&name, value, 0);
                put(told, &name, value);
            }
        }
        Some(value) if body.len() <= LONGEST_BODY => put(told, "body", masked("", value, 0)),
        _ => put(told, "body", serde_json::json!({"bytes": body.len(), "sha256": digest(body)})),
    }
}

fn digest(body: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, body);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One name more than once becomes a list: nothing hides behind the last one.
fn put(told: &mut Map<String, Value>, name: &str, value: Value) {
    let name: String = name.chars().take(100).collect();
    match told.get_mut(&name) {
        None => {
            told.insert(name, value);
        }
        Some(Value::Array(all)) => all.push(value),
        Some(one) => *one = Value::Array(vec![one.take(), value]),
    }
}

fn masked(name: &str, value: Value, depth: usize) -> Value {
    if SECRET.contains(&name.to_ascii_lowercase().as_str()) && !value.is_null() {
        return Value::from(MASKED);
    }
    match value {
        Value::String(text) if text.len() > LONGEST => {
            serde_json::json!({"bytes": text.len(), "sha256": digest(text.as_bytes())})
        }
        Value::Array(_) | Value::Object(_) if depth >= DEEPEST => Value::from("…"),
        Value::Array(all) => all.into_iter().map(|value| masked("", value, depth + 1)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = masked(&name, value, depth + 1);
                (name, value)
            })
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(query: &str, kind: &str, body: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        Value::Object(read(None, Some(query), &headers, body.as_bytes()).told).to_string()
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let body = r#"{"alias":"a","policy":"p","nested":[{"Token":"t0p"}],"secret":"t0p","password":null}"#;
        let said = told("q=x&code=t0p", "application/json; charset=utf-8", body);
        assert_eq!(
            said,
            r#"{"q":"x","code":"***","alias":"a","policy":"p","nested":[{"Token":"***"}],"secret":"***","password":null}"#
        );
        let said = told("", "application/x-www-form-urlencoded", "SAMLResponse=t0p&RelayState=t0p&x=1&csrf=t0p");
        assert_eq!(said, r#"{"SAMLResponse":"***","RelayState":"***","x":"1","csrf":"***"}"#);
        for name in SECRET {
            let said = told(&format!("{name}=t0p"), "text/plain", "");
            assert!(!said.contains("t0p"), "{said}");
        }
    }

    #[test]
    fn nothing_is_left_out_silently() {
        assert_eq!(told("a=1&a=2&a=3", "text/plain", ""), r#"{"a":["1","2","3"]}"#);
        assert!(told("", "text/plain", "what is this").starts_with(r#"{"body":{"bytes":12,"sha256":""#));
        assert!(told("", "application/json", "{not json").contains(r#""bytes":9"#));
        assert_eq!(told("", "application/json", "[1]"), r#"{"body":[1]}"#);
        let long = "x".repeat(LONGEST + 1);
        assert!(told("", "application/json", &format!(r#"{{"a":"{long}"}}"#)).starts_with(r#"{"a":{"bytes":8193"#));
        // However it is cut, one request does not fill the trail.
        let many: String = (0..100).map(|at| format!("a{at}={}&", "%00".repeat(1000))).collect();
        for said in [told(&many, "text/plain", ""), told("", "application/x-www-form-urlencoded", &many)] {
            assert!(said.contains(&format!(r#""bytes":{}"#, many.len())) && said.len() < 300, "{said}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        assert!(told("", "application/json", &deep).contains('…'));
    }
}
