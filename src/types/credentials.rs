//! What every tool works with in the end.

use std::time::Duration;

use super::{Region, Role, Secret, Timestamp};

/// Short-lived credentials of one role.
#[derive(Debug, Clone, PartialEq)]
pub struct Credentials {
    /// The access key ID. Not secret by itself; it is in every request.
    pub key_id: String,
    /// The secret access key.
    pub secret: Secret<String>,
    /// The session token (AWS) or security token (Alibaba Cloud).
    pub token: Secret<String>,
    /// When they stop working.
    pub expires: Timestamp,
    /// When they were issued, as this machine's clock says.
    pub issued: Timestamp,
    /// The role that was assumed.
    pub role: Role,
    /// The assumed role with the session's name, as the cloud writes it.
    pub assumed: String,
    /// The region that tools should use when nobody names one; only where a cloud's tools cannot do without.
    pub home_region: Option<Region>,
}

impl Credentials {
    /// Whether they work for at least `margin` more.
    pub fn is_fresh(&self, now: Timestamp, margin: Duration) -> bool {
        self.expires > now.after(margin)
    }

    /// `text` if it can stand on one line of a file and in a header: printable ASCII without blanks.
    pub fn one_word(text: &str) -> Option<&str> {
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_with_a_margin() {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let credentials = Credentials {
            key_id: "ASIA".into(),
            secret: "s".into(),
            token: "t".into(),
            expires: now.after(Duration::from_secs(300)),
            issued: now,
            role: Role::parse("arn:aws:iam::1:role/a").unwrap(),
            assumed: "x".into(),
            home_region: None,
        };
        assert!(credentials.is_fresh(now, Duration::from_secs(299)));
        assert!(!credentials.is_fresh(now, Duration::from_secs(300)));
        assert!(!format!("{credentials:?}").contains("\"s\""));
    }
}
