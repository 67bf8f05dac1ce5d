//! Reads a JSON Web Token far enough to say what is in it. Nothing is verified: the cloud does that, and nothing here is trusted.
//! Only what no cloud could take is refused: what is no signed token, and one that says it is not signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::types::{Claims, Timestamp, Untrusted};

/// The longest token that both clouds take.
const LONGEST: usize = 20_000;

/// Why a text is not a token for a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadJwt {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Too long.
    #[error("it is longer than {LONGEST} characters")]
    TooLong,
    /// Not three parts.
    #[error("it is not a signed JSON Web Token (three parts with dots between); an opaque access token is none")]
    NotThreeParts,
    /// A part cannot be read.
    #[error("its {0} is not base64url of JSON")]
    Unreadable(&'static str),
    /// `alg: none`.
    #[error("it is not signed (`alg` is `none`)")]
    Unsigned,
}

#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
    typ: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    iss: Option<String>,
    #[serde(default)]
    aud: Value,
    sub: Option<String>,
    #[serde(default)]
    iat: Value,
    #[serde(default)]
    exp: Value,
    nonce: Option<String>,
}

/// What the token says of itself.
///
/// # Errors
/// [`BadJwt`] for what no cloud could take.
pub fn read(token: &str) -> Result<Claims, BadJwt> {
    if token.is_empty() {
        return Err(BadJwt::Empty);
    }
    if token.len() > LONGEST {
        return Err(BadJwt::TooLong);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, body, signature] = parts.as_slice() else { return Err(BadJwt::NotThreeParts) };
    if header.is_empty() || body.is_empty() {
        return Err(BadJwt::NotThreeParts);
    }
    let header: Header = part(header).ok_or(BadJwt::Unreadable("header"))?;
    if signature.is_empty() || header.alg.as_deref().is_none_or(|alg| alg.trim().eq_ignore_ascii_case("none")) {
        return Err(BadJwt::Unsigned);
    }
    if !signature.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return Err(BadJwt::Unreadable("signature"));
    }
    let body: Body = part(body).ok_or(BadJwt::Unreadable("body"))?;
    let aud = match &body.aud {
        Value::String(one) => vec![Untrusted::new(one.as_str())],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(Untrusted::new).collect(),
        _ => Vec::new(),
    };
    Ok(Claims {
        iss: body.iss.map(Untrusted::new),
        aud_is_list: body.aud.is_array(),
        aud,
        sub: body.sub.map(Untrusted::new),
        iat: time(&body.iat),
        exp: time(&body.exp),
        nonce: body.nonce,
        typ: header.typ.map(Untrusted::new),
        alg: header.alg.map(Untrusted::new),
    })
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    // Padding does not belong here, and some issuers add it.
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()
}

/// Seconds since 1970, perhaps with a fraction.
fn time(value: &Value) -> Option<Timestamp> {
    #[allow(clippy::cast_possible_truncation, reason = "a time outside of the range is none")]
    let seconds = value.as_i64().or_else(|| value.as_f64().filter(|s| s.abs() < 1e12).map(|s| s as i64))?;
    Timestamp::from_unix(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, body: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(body))
    }

    #[test]
    fn says_what_is_in_it() {
        let body = r#"{"iss":"https://idp.example","aud":"sts.amazonaws.com","sub":"repo:o/r\u001b[31m","iat":1700000000,"exp":1700000300.9,"nonce":"n"}"#;
        let claims = read(&token(r#"{"alg":"RS256","typ":"JWT","kid":"k"}"#, body, "c2ln")).unwrap();
        assert_eq!(
            claims.to_string(),
            "iss \"https://idp.example\", aud \"sts.amazonaws.com\", sub \"repo:o/r\\u{1b}[31m\", iat 2023-11-14T22:13:20Z, \
             exp 2023-11-14T22:18:20Z, typ \"JWT\", alg \"RS256\""
        );
        assert_eq!(claims.nonce.as_deref(), Some("n"));
        let claims = read(&token(r#"{"alg":"ES256"}"#, r#"{"aud":["a","b"],"exp":"soon"}"#, "c2ln")).unwrap();
        assert_eq!(claims.to_string(), "iss none, aud [\"a\", \"b\"], sub none, iat none, exp none, typ none, alg \"ES256\"");
    }

    #[test]
    fn what_no_cloud_takes_is_refused() {
        let body = r#"{"iss":"x"}"#;
        for (text, why) in [
            (String::new(), BadJwt::Empty),
            ("opaque-access-token".to_owned(), BadJwt::NotThreeParts),
            ("a.b.c.d".to_owned(), BadJwt::NotThreeParts),
            ("..x".to_owned(), BadJwt::NotThreeParts),
            ("<html>.<b>.</b>".to_owned(), BadJwt::Unreadable("header")),
            (token(r#"{"alg":"none"}"#, body, ""), BadJwt::Unsigned),
            (token(r#"{"alg":"nOnE"}"#, body, "c2ln"), BadJwt::Unsigned),
            (token(r#"{"alg":"RS256"}"#, body, ""), BadJwt::Unsigned),
            (token(r#"{"typ":"JWT"}"#, body, "c2ln"), BadJwt::Unsigned),
            (token(r#"{"alg":"RS256"}"#, "[]x", "c2ln"), BadJwt::Unreadable("body")),
            (token(r#"{"alg":"RS256"}"#, body, "c2\nln"), BadJwt::Unreadable("signature")),
            ("x".repeat(LONGEST + 1), BadJwt::TooLong),
        ] {
            assert_eq!(read(&text), Err(why), "{text:.60}");
        }
    }
}
