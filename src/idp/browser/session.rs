//! What a browser forgets when it ends and a person would not: cookies without a date. They are what most providers keep a session by, so
//! the vault keeps them for the next sign-in; those with a date are in the browser's own profile.

use serde_json::{Map, Value};

use crate::types::Secret;

/// What is told of a cookie and taken back as it is.
const AS_IT_IS: &[&str] =
    &["name", "value", "path", "secure", "httpOnly", "sameSite", "priority", "sourceScheme", "sourcePort", "partitionKey"];

/// The cookies without a date in an answer to `Storage.getCookies`; nothing if there is none.
pub(super) fn kept(answer: &Value) -> Option<Secret<String>> {
    let has_no_date = |cookie: &&Value| cookie["session"].as_bool() == Some(true);
    let cookies: Vec<Value> = answer["cookies"].as_array()?.iter().filter(has_no_date).map(shortened).collect();
    (!cookies.is_empty()).then(|| Secret::new(Value::from(cookies).to_string()))
}

fn shortened(cookie: &Value) -> Value {
    let told = AS_IT_IS.iter().chain(&["domain"]).filter_map(|name| Some(((*name).to_owned(), cookie.get(name)?.clone())));
    Value::Object(told.collect())
}

/// The same for `Storage.setCookies`; nothing if that is not what was kept.
pub(super) fn restored(kept: &Secret<String>) -> Option<Vec<Value>> {
    let cookies: Vec<Map<String, Value>> = serde_json::from_str(kept.expose()).ok()?;
    let cookies: Option<Vec<Value>> = cookies.into_iter().map(restored_one).collect();
    cookies.filter(|cookies| !cookies.is_empty())
}

fn restored_one(cookie: Map<String, Value>) -> Option<Value> {
    let domain = cookie.get("domain")?.as_str()?.to_owned();
    let is_secure = cookie.get("secure").and_then(Value::as_bool).unwrap_or_default();
    let mut told: Map<String, Value> = cookie.into_iter().filter(|(name, _)| AS_IT_IS.contains(&name.as_str())).collect();
    if domain.starts_with('.') {
        told.insert("domain".to_owned(), domain.into());
    } else {
        // With a domain it would be for the hosts below as well, and one that must have none would be refused.
        told.insert("url".to_owned(), format!("{}://{domain}/", if is_secure { "https" } else { "http" }).into());
    }
    Some(Value::Object(told))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_session_there_and_back() {
        let answer = json!({ "cookies": [
            { "name": "sid", "value": "1", "domain": "acme.okta.com", "path": "/", "expires": -1, "size": 4, "httpOnly": true, "secure": true,
              "session": true, "sameSite": "None", "sourceScheme": "Secure", "sourcePort": 443 },
            { "name": "wide", "value": "2", "domain": ".acme.example", "path": "/x", "session": true, "secure": false },
            { "name": "dated", "value": "3", "domain": "acme.example", "path": "/", "expires": 1e10, "session": false },
        ] });
        let kept = kept(&answer).unwrap();
        let restored = restored(&kept).unwrap();
        assert_eq!(
            restored,
            [
                json!({ "name": "sid", "value": "1", "path": "/", "secure": true, "httpOnly": true, "sameSite": "None", "sourceScheme": "Secure",
                "sourcePort": 443, "url": "https://acme.okta.com/" }),
                json!({ "name": "wide", "value": "2", "path": "/x", "secure": false, "domain": ".acme.example" }),
            ]
        );
    }

    #[test]
    fn what_is_no_session_is_none() {
        assert!(kept(&json!({ "cookies": [{ "name": "dated", "session": false }] })).is_none() && kept(&json!({})).is_none());
        // An old tool's session at Okta may lie under the same name.
        for text in ["", "102J8sdf", "[]", "{}", r#"[{"name":"x"}]"#, "[7]"] {
            assert!(restored(&text.into()).is_none(), "{text}");
        }
    }
}
