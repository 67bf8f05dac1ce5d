//! Texts that people give, each checked once.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use crate::types::Untrusted;

/// Why a text is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct BadText {
    /// What it should have been.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: String,
}

fn bad(what: &'static str, why: impl Into<String>) -> BadText {
    BadText { what, why: why.into() }
}

/// Who somebody is at the corporate identity provider: the one key that never changes. Compared without regard to case; kept as typed.
#[derive(Clone)]
pub struct Gid {
    typed: String,
    normal: String,
}

impl Gid {
    /// Up to 64 letters, digits, `.`, `_` and `-`. No other alphabet: two GIDs that look alike must not be two people.
    ///
    /// # Errors
    /// [`BadText`].
    pub fn parse(text: &str) -> Result<Self, BadText> {
        let typed = text.trim();
        if typed.is_empty() || typed.len() > 64 {
            return Err(bad("a GID", "has 1 to 64 characters"));
        }
        if !typed.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return Err(bad("a GID", "has only the letters A to Z, digits, `.`, `_` and `-`"));
        }
        Ok(Self { typed: typed.to_owned(), normal: typed.to_ascii_uppercase() })
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// What is compared.
    pub fn normal(&self) -> &str {
        &self.normal
    }
}

impl PartialEq for Gid {
    fn eq(&self, other: &Self) -> bool {
        self.normal == other.normal
    }
}

impl Eq for Gid {}

impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

impl fmt::Debug for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// One line of text for people, without anything that hides or reorders what is read.
fn line(what: &'static str, text: &str, longest: usize) -> Result<String, BadText> {
    let text: String = text.trim().nfc().collect();
    if text.chars().count() > longest {
        return Err(bad(what, format!("has at most {longest} characters")));
    }
    if text.chars().any(|c| c.is_control() || (!c.is_whitespace() && Untrusted::new(c).to_string() != c.to_string())) {
        return Err(bad(what, "has a character that cannot be seen"));
    }
    Ok(text)
}

/// What two texts share that people would call the same: compatibility forms and case folded, runs of blanks as one.
fn fold(text: &str) -> String {
    // Upper case first: `ß` and `SS`, `ſ` and `s`, both sigmas meet there.
    let folded: String = text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

macro_rules! unique_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $longest:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            typed: String,
            normal: String,
        }

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// [`BadText`].
            pub fn parse(text: &str) -> Result<Self, BadText> {
                let typed = line($what, text, $longest)?;
                let normal = fold(&typed);
                if normal.is_empty() {
                    return Err(bad($what, "is empty"));
                }
                Ok(Self { typed, normal })
            }

            /// As it was typed.
            pub fn as_str(&self) -> &str {
                &self.typed
            }

            /// What must be unique.
            pub fn normal(&self) -> &str {
                &self.normal
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.typed)
            }
        }
    };
}

unique_name!(
    /// The name that a person goes by in pages and lists. It never says who they are.
    Alias,
    "an alias",
    64
);
unique_name!(
    /// The name of a node, a group or a horizontal role.
    Label,
    "a name",
    100
);

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Checks `text`; empty means none.
            ///
            /// # Errors
            /// [`BadText`].
            pub fn parse(text: &str) -> Result<Self, BadText> {
                let check: fn(&str) -> Result<String, BadText> = $check;
                check(text).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text!(
    /// Where mail reaches a person. Never used to know them by.
    Email,
    |text| {
        let text = line("a mail address", text, 254)?;
        let (name, host) = text.split_once('@').unwrap_or_default();
        let sound = !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(char::is_whitespace);
        if text.is_empty() || sound { Ok(text) } else { Err(bad("a mail address", "looks like `name@host`")) }
    }
);
text!(
    /// A remark for people.
    Description,
    |text| line("a description", text, 500)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gid_is_one_whatever_its_case() {
        assert_eq!(Gid::parse(" ab-12.X ").unwrap(), Gid::parse("AB-12.x").unwrap());
        assert_eq!(Gid::parse(" ab-12.X ").unwrap().as_str(), "ab-12.X");
        for bad in ["", " ", "a b", "ä", "А123", "a/b", &"x".repeat(65), "a\u{200b}"] {
            assert!(Gid::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn aliases_that_read_the_same_are_the_same() {
        let same = |a: &str, b: &str| Alias::parse(a).unwrap().normal() == Alias::parse(b).unwrap().normal();
        for (a, b) in [
            ("Alice", "aLICE "),
            ("ﬁnn", "finn"),
            ("STRASSE", "straße"),
            ("Ａｌｉｃｅ", "alice"),
            ("e\u{301}va", "éva"),
            ("a  b", "a b"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        assert!(!same("alice", "alica"));
        assert_eq!(Alias::parse(" 王 小明 ").unwrap().as_str(), "王 小明");
        for bad in ["", " ", "a\nb", "a\u{202e}b", "\u{200b}", &"x".repeat(65)] {
            assert!(Alias::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn mail_may_be_left_out() {
        assert!(Email::parse("").is_ok() && Email::parse("a@b").is_ok());
        for bad in ["a", "@", "a@", "@b", "a@b@c", "a b@c"] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }
}
