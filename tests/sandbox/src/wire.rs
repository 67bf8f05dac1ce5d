//! What an emulator gets and gives: one request, read to its end, and one reply.

use std::collections::BTreeSet;

/// A request as the emulators see it: everything read, nothing interpreted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Host name of the tunnel, in lower case.
    pub(crate) host: String,
    /// Method, in upper case.
    pub(crate) method: String,
    /// Path, as sent.
    pub(crate) path: String,
    /// Query, decoded, in order.
    pub(crate) query: Vec<(String, String)>,
    /// Query, as sent.
    pub(crate) raw_query: String,
    /// Headers with names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Vec<u8>,
}

/// A rule that the request breaks; a real server might let it pass, the box does not.
#[derive(Debug)]
pub(crate) struct Breach(pub(crate) String);

/// Makes a breach the error of a handler.
pub(crate) fn breach<T>(text: impl Into<String>) -> Result<T, Breach> {
    Err(Breach(text.into()))
}

impl Request {
    /// Value of a header; with several of the same name, the first.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key == "cookie")
            .flat_map(|(_, value)| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Media type of the body, without parameters, in lower case.
    fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        let media = value.split(';').next().unwrap_or_default();
        media.trim().to_ascii_lowercase()
    }

    /// The query as fields.
    pub(crate) fn query_fields(&self) -> Fields {
        Fields(self.query.clone())
    }

    /// The body as the fields of a form.
    pub(crate) fn form(&self) -> Result<Fields, Breach> {
        if self.media_type() != "application/x-www-form-urlencoded" {
            return breach("the body is not application/x-www-form-urlencoded");
        }
        Ok(Fields(url::form_urlencoded::parse(&self.body).into_owned().collect()))
    }

    /// The body as a JSON object.
    pub(crate) fn json(&self) -> Result<serde_json::Map<String, serde_json::Value>, Breach> {
        if self.media_type() != "application/json" {
            return breach("the body is not application/json");
        }
        match serde_json::from_slice(&self.body) {
            Ok(serde_json::Value::Object(map)) => Ok(map),
            _ => breach("the body is not a JSON object"),
        }
    }

    /// Fails unless there is no query.
    pub(crate) fn no_query(&self) -> Result<(), Breach> {
        match self.query.is_empty() {
            true => Ok(()),
            false => breach("a query where none belongs"),
        }
    }

    /// Fails if any of these headers is there.
    pub(crate) fn without(&self, names: &[&str]) -> Result<(), Breach> {
        match names.iter().find(|name| self.header(name).is_some()) {
            Some(name) => breach(format!("header `{name}` does not belong here")),
            None => Ok(()),
        }
    }

    /// Names of the parameters in the body, for the record of requests.
    pub(crate) fn param_names(&self) -> Vec<String> {
        let media = self.media_type();
        if media == "application/x-www-form-urlencoded" {
            return url::form_urlencoded::parse(&self.body).map(|(name, _)| name.into_owned()).collect();
        }
        if media == "application/json" {
            return self.json().map(|map| map.keys().cloned().collect()).unwrap_or_default();
        }
        Vec::new()
    }
}

/// Names with values, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

impl Fields {
    /// Value of a field, empty if it is absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// Value of a field.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Fails unless each required field is there once, and nothing but required and optional ones.
    pub(crate) fn exactly(&self, required: &[&str], optional: &[&str]) -> Result<(), Breach> {
        let mut met = BTreeSet::new();
        for (name, _) in &self.0 {
            let name = name.as_str();
            if !required.contains(&name) && !optional.contains(&name) {
                return breach(format!("parameter `{name}` does not belong here"));
            }
            if !met.insert(name) {
                return breach(format!("parameter `{name}` comes twice"));
            }
        }
        match required.iter().find(|name| !met.contains(*name)) {
            Some(name) => breach(format!("parameter `{name}` is missing")),
            None => Ok(()),
        }
    }
}

/// Body of a reply.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    /// These bytes.
    Bytes(Vec<u8>),
    /// That many bytes, made while they are sent.
    Huge(usize),
}

/// What an emulator answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: u16,
    /// Headers.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) payload: Payload,
}

impl Reply {
    /// A reply with a body of a media type.
    pub(crate) fn new(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), media_type.to_owned())], payload: Payload::Bytes(body.into()) }
    }

    /// A page.
    pub(crate) fn html(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/html; charset=utf-8", body)
    }

    /// A JSON document.
    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    /// Plain text.
    pub(crate) fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// A redirect.
    pub(crate) fn redirect(url: &str) -> Self {
        Self::text(302, "").with("location", url)
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Text made safe for XML and HTML, in text and in attributes. Control characters become references,
/// which XML does not allow for most of them: a hostile provider sends them anyway.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if (c as u32) < 0x20 => out.push_str(&format!("&#{};", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// Whether a name fits a pattern in which `*` stands for any text. Case is ignored.
pub(crate) fn glob(pattern: &str, name: &str) -> bool {
    fn walk(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) if walk(rest, name) => true,
            (Some((b'*', _)), Some((_, rest))) => walk(pattern, rest),
            (Some((p, pattern)), Some((n, name))) if p.eq_ignore_ascii_case(n) => walk(pattern, name),
            _ => false,
        }
    }
    walk(pattern.as_bytes(), name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_host_names() {
        assert!(glob("sts.*.amazonaws.com", "sts.us-east-1.amazonaws.com"));
        assert!(!glob("sts.*.amazonaws.com", "sts.amazonaws.com"));
        assert!(!glob("sts.*.amazonaws.com", "sts.cn-north-1.amazonaws.com.cn"));
        assert!(glob("*", "anything"));
        assert!(!glob("a*b", "a"));
    }

    #[test]
    fn fields_are_counted() {
        let of = |pairs: &[&str]| Fields(pairs.iter().map(|name| ((*name).to_owned(), String::new())).collect());
        assert!(of(&["a", "b"]).exactly(&["a"], &["b"]).is_ok());
        assert!(of(&["a", "a"]).exactly(&["a"], &[]).is_err());
        assert!(of(&["a", "c"]).exactly(&["a"], &["b"]).is_err());
        assert!(of(&["b"]).exactly(&["a"], &["b"]).is_err());
    }
}
