//! Names that end up in files, prompts and requests, each checked once.

use std::fmt;

/// Why a text is not a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct BadName {
    /// What it should have named.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

/// One line of printable text: a name goes into files that are read line by line.
fn line(what: &'static str, text: &str) -> Result<(), BadName> {
    if text.trim().is_empty() {
        return Err(BadName { what, why: "is empty" });
    }
    if text.trim() != text {
        return Err(BadName { what, why: "begins or ends with a blank" });
    }
    if text.chars().any(char::is_control) {
        return Err(BadName { what, why: "has a control character" });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// [`BadName`] says what is wrong with it.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                line($what, text)?;
                let check: fn(&str) -> Option<&'static str> = $check;
                match check(text) {
                    Some(why) => Err(BadName { what: $what, why }),
                    None => Ok(Self(text.to_owned())),
                }
            }

            /// The name itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of one section of our configuration.
    AccountName,
    "the account name",
    |text| text.contains([']', '[']).then_some("has a bracket, which ends a section's name in the file")
);

name!(
    /// The name of a profile in a cloud's own file.
    ProfileName,
    "the profile name",
    |text| text.contains([']', '[']).then_some("has a bracket, which ends a section's name in the file")
);

name!(
    /// Who signs in, as the identity provider knows them.
    Username,
    "the user name",
    |_| None
);

name!(
    /// A cloud's region, such as `eu-west-1` or `cn-hangzhou`. It becomes part of a host name.
    Region,
    "the region",
    |text| (!text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')).then_some("may only have a-z, 0-9 and -")
);

name!(
    /// The tenant that owns roles: 12 digits on AWS, a longer number on Alibaba Cloud.
    CloudAccountId,
    "the cloud account",
    |text| (!text.bytes().all(|b| b.is_ascii_digit())).then_some("is not a number")
);

name!(
    /// What a session is called in a cloud's logs: 2 to 64 characters that both clouds take.
    SessionName,
    "the session name",
    |text| {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'@' | b'=' | b'-');
        (!(2..=64).contains(&text.len()) || !text.bytes().all(good)).then_some("may only have 2 to 64 of a-z, A-Z, 0-9 and _.@=-")
    }
);

impl SessionName {
    /// A name for whoever is described so, in a token: what cannot stand in a name becomes `_`, what is too long is cut.
    pub fn of_subject(subject: &str) -> Self {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '@' | '=' | '-');
        let mut name: String = subject.chars().map(|c| if good(c) { c } else { '_' }).take(64).collect();
        while name.len() < 2 {
            name.push('_');
        }
        Self(name)
    }
}

/// Which cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloudId {
    /// Amazon Web Services.
    Aws,
    /// Alibaba Cloud.
    Alibaba,
}

impl CloudId {
    /// Every cloud, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Aws, Self::Alibaba];

    /// The word of `--cloud` and of the key `cloud`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Alibaba => "alibaba",
        }
    }

    /// Reads the word of `--cloud`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.word().eq_ignore_ascii_case(word.trim()))
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Alibaba => "Alibaba Cloud",
        }
    }
}

impl fmt::Display for CloudId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_breaks_a_file_is_a_name() {
        assert!(ProfileName::parse("production").is_ok());
        for bad in ["", " ", "a\nb", "a]\ncredential_process = touch x", "[a", "a ", "\u{1b}[2J"] {
            assert!(ProfileName::parse(bad).is_err(), "{bad:?}");
            assert!(AccountName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_session_is_called_by_its_subject() {
        for (subject, name) in [
            ("repo:o/r:ref:refs/heads/main", "repo_o_r_ref_refs_heads_main"),
            ("alice@example.com", "alice@example.com"),
            ("ü", "__"),
            ("", "__"),
        ] {
            assert_eq!(SessionName::of_subject(subject).as_str(), name);
        }
        let long = SessionName::of_subject(&"x".repeat(100));
        assert!(SessionName::parse(long.as_str()).is_ok() && long.as_str().len() == 64);
        assert!(SessionName::parse("a").is_err() && SessionName::parse("a b").is_err());
    }

    #[test]
    fn a_region_cannot_lead_to_another_host() {
        assert!(Region::parse("us-gov-west-1").is_ok());
        for bad in ["evil.example/", "eu west", "US-EAST-1", "a#b"] {
            assert!(Region::parse(bad).is_err(), "{bad}");
        }
    }
}
