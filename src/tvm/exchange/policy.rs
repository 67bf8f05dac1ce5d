//! A policy that limits a session further, as whoever asks for keys may give one. Both clouds take the same size.
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerolewithsaml>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html>

/// The longest, in characters.
const LONGEST: usize = 2048;

/// A session policy. What it says is the cloud's to judge; that it is one is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPolicy(String);

/// Why a text is no session policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// Too long, or nothing.
    #[error("a session policy has 1 to {LONGEST} characters, not {0}")]
    Size(usize),
    /// Not JSON.
    #[error("a session policy is a JSON object: {0}")]
    Json(String),
}

impl SessionPolicy {
    /// Checks a text.
    ///
    /// # Errors
    /// [`BadPolicy`].
    pub fn parse(text: &str) -> Result<Self, BadPolicy> {
        let length = text.chars().count();
        if !(1..=LONGEST).contains(&length) {
            return Err(BadPolicy::Size(length));
        }
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(serde_json::Value::Object(_)) => Ok(Self(text.to_owned())),
            Ok(_) => Err(BadPolicy::Json("this is something else".to_owned())),
            Err(error) => Err(BadPolicy::Json(error.to_string())),
        }
    }

    /// The text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_form_are_checked_before_anybody_is_asked() {
        let of = |length: usize| format!("{{\"a\":\"{}\"}}", "ü".repeat(length - 8));
        assert_eq!(SessionPolicy::parse(&of(2048)).unwrap().as_str(), of(2048));
        assert_eq!(SessionPolicy::parse(&of(2049)), Err(BadPolicy::Size(2049)));
        assert_eq!(SessionPolicy::parse(""), Err(BadPolicy::Size(0)));
        for bad in ["x", "[]", "\"{}\"", "{", "{}{}", " "] {
            assert!(matches!(SessionPolicy::parse(bad), Err(BadPolicy::Json(_))), "{bad}");
        }
    }
}
