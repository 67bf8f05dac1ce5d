//! What lets somebody in: random, seen once by whoever gets it, and known here by its digest only.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::types::Secret;

/// SHA-256 of something that was presented, in hexadecimal: what is stored and compared. Whoever reads the database cannot sign in with it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Of what somebody presents.
    pub fn of(text: &str) -> Self {
        Self(digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Reads what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        is_hex.then(|| Self(text.to_owned()))
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Enough to tell two apart in a log.
        write!(f, "{}…", self.0.get(..8).unwrap_or_default())
    }
}

/// A secret that is handed out once: a session's cookie, an access token, a code. 256 random bits, in base64url without padding.
#[derive(Debug, Clone)]
pub struct Bearer {
    secret: Secret<String>,
    digest: Digest,
}

impl Bearer {
    /// A new one.
    pub fn new() -> Self {
        let bits = [crate::world::random().to_be_bytes(), crate::world::random().to_be_bytes()].concat();
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(bits));
        let digest = Digest::of(secret.expose());
        Self { secret, digest }
    }

    /// For whoever gets it.
    pub fn secret(&self) -> &Secret<String> {
        &self.secret
    }

    /// For the database.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Default for Bearer {
    fn default() -> Self {
        Self::new()
    }
}

/// A code that a person reads on one device and types on another: eight letters that are not mistaken for one another and spell no words
/// (RFC 8628 §6.1), 20⁸ of them.
#[derive(Debug, Clone)]
pub struct UserCode {
    shown: Secret<String>,
    digest: Digest,
}

/// The letters of a [`UserCode`].
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

impl UserCode {
    /// A new one.
    pub fn new() -> Self {
        let mut bits = crate::world::random();
        let mut letters = String::new();
        for _ in 0..8 {
            // 2¹²⁸ is so much more than 20⁸ that no letter comes up noticeably more often.
            letters.push(char::from(LETTERS[usize::try_from(bits % 20).unwrap_or_default()]));
            bits /= 20;
        }
        Self::of(&letters)
    }

    /// Reads what somebody typed: any case, with or without blanks and hyphens. Nothing if it cannot be a code.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        (letters.len() == 8 && letters.bytes().all(|b| LETTERS.contains(&b))).then(|| Self::of(&letters))
    }

    fn of(letters: &str) -> Self {
        let (first, second) = letters.split_at(4);
        Self { shown: Secret::new(format!("{first}-{second}")), digest: Digest::of(letters) }
    }

    /// As it is shown: `BCDF-GHJK`.
    pub fn shown(&self) -> &Secret<String> {
        &self.shown
    }

    /// For the database.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Default for UserCode {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_known_by_its_digest() {
        let (one, two) = (Bearer::new(), Bearer::new());
        assert_eq!(URL_SAFE_NO_PAD.decode(one.secret().expose()).unwrap().len(), 32);
        assert_eq!(&Digest::of(one.secret().expose()), one.digest());
        assert_ne!(one.digest(), two.digest());
        assert_eq!(Digest::parse(one.digest().as_str()).as_ref(), Some(one.digest()));
        assert!(!format!("{one:?}").contains(one.secret().expose().as_str()));
        let known = Digest::of("abc");
        assert_eq!(known.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        for bad in ["", "x", &known.as_str().to_uppercase(), &known.as_str()[1..]] {
            assert_eq!(Digest::parse(bad), None);
        }
    }

    #[test]
    fn a_user_code_is_read_as_people_type_it() {
        let code = UserCode::new();
        let shown = code.shown().expose().clone();
        assert_eq!((shown.len(), shown.find('-')), (9, Some(4)));
        for typed in [shown.to_lowercase(), shown.replace('-', ""), format!(" {} ", shown.replace('-', " "))] {
            assert_eq!(UserCode::parse(&typed).unwrap().digest(), code.digest(), "{typed}");
        }
        for bad in ["", "BCDF-GHJ", "BCDF-GHJKL", "ABCD-EFGH", "BCDF-GHJ1", "BCDF_GHJK"] {
            assert!(UserCode::parse(bad).is_none(), "{bad}");
        }
    }
}
