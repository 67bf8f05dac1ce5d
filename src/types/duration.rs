//! How long credentials last.

use std::fmt;

/// Seconds from 900 (fifteen minutes) to 43200 (twelve hours), the limits of both clouds' STS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionDuration(u32);

/// The number was out of range or not a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a session lasts 900 to 43200 seconds (15 minutes to 12 hours), not `{0}`")]
pub struct BadDuration(String);

impl SessionDuration {
    /// What both clouds give when nobody says otherwise.
    pub const DEFAULT: Self = Self::HOUR;
    /// 900 seconds; nothing shorter is given.
    pub const SHORTEST: Self = Self(900);
    /// 3600 seconds.
    pub const HOUR: Self = Self(3600);

    /// The number of seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }

    /// Reads seconds (`3600`) or a number with a unit (`90m`, `12h`).
    ///
    /// # Errors
    /// [`BadDuration`] when it is no number or out of range.
    pub fn parse(text: &str) -> Result<Self, BadDuration> {
        let bad = || BadDuration(text.escape_debug().to_string());
        let trimmed = text.trim();
        let (digits, unit) = match trimmed.char_indices().next_back() {
            Some((at, 's')) => (&trimmed[..at], 1),
            Some((at, 'm')) => (&trimmed[..at], 60),
            Some((at, 'h')) => (&trimmed[..at], 3600),
            _ => (trimmed, 1),
        };
        let number: u32 = digits.parse().map_err(|_| bad())?;
        number.checked_mul(unit).and_then(|seconds| Self::try_from(seconds).ok()).ok_or_else(bad)
    }
}

impl TryFrom<u32> for SessionDuration {
    type Error = BadDuration;

    fn try_from(seconds: u32) -> Result<Self, BadDuration> {
        if (900..=43200).contains(&seconds) { Ok(Self(seconds)) } else { Err(BadDuration(seconds.to_string())) }
    }
}

impl fmt::Display for SessionDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        for (text, seconds) in [
            ("900", Some(900)),
            ("12h", Some(43200)),
            ("90m", Some(5400)),
            ("3600s", Some(3600)),
            ("600", None),
            ("43201", None),
            ("13h", None),
            ("", None),
            ("h", None),
            ("-1", None),
            ("4294967295h", None),
        ] {
            assert_eq!(SessionDuration::parse(text).ok().map(SessionDuration::seconds), seconds, "{text}");
        }
    }
}
