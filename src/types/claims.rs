//! What a token says of itself: for people who look for the reason of a refusal, never for trust.

use std::fmt;

use super::{Timestamp, Untrusted};

/// What stands in a token's header and body, as far as a cloud's refusal may be about it. Nobody has verified it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// Who issued it.
    pub iss: Option<Untrusted>,
    /// Whom it is for; one or several.
    pub aud: Vec<Untrusted>,
    /// About whom it speaks.
    pub sub: Option<Untrusted>,
    /// Since when it is good.
    pub iat: Option<Timestamp>,
    /// Until when.
    pub exp: Option<Timestamp>,
    /// The number that ties it to one sign-in.
    pub nonce: Option<String>,
    /// What kind of token it claims to be.
    pub typ: Option<Untrusted>,
    /// How it is signed.
    pub alg: Option<Untrusted>,
    /// Whether `aud` is a list even where it has one entry: some relying parties insist on it.
    pub aud_is_list: bool,
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |text: &Option<Untrusted>| text.as_ref().map_or_else(|| "none".to_owned(), |text| format!("\"{text}\""));
        let time = |time: Option<Timestamp>| time.map_or_else(|| "none".to_owned(), Timestamp::utc);
        let aud: Vec<String> = self.aud.iter().map(|aud| format!("\"{aud}\"")).collect();
        let aud = match (aud.as_slice(), self.aud_is_list) {
            ([], _) => "none".to_owned(),
            ([one], false) => one.clone(),
            (all, _) => format!("[{}]", all.join(", ")),
        };
        let (iat, exp) = (time(self.iat), time(self.exp));
        write!(f, "iss {}, aud {aud}, sub {}, iat {iat}, exp {exp}", word(&self.iss), word(&self.sub))?;
        write!(f, ", typ {}, alg {}", word(&self.typ), word(&self.alg))
    }
}
