//! Proof that whoever redeems a code is who asked for it (RFC 7636), always with SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::types::Secret;
use crate::world::nonce;

/// A secret and what may be shown of it.
#[derive(Debug, Clone)]
pub struct Pkce {
    /// Goes with the code.
    pub verifier: Secret<String>,
    /// Goes with the question.
    pub challenge: String,
}

impl Pkce {
    /// The word for how the challenge is made.
    pub const METHOD: &'static str = "S256";

    /// A new pair: 256 random bits in 64 characters.
    pub fn new() -> Self {
        Self::of(Secret::new(nonce() + &nonce()))
    }

    fn of(verifier: Secret<String>) -> Self {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.expose().as_bytes()));
        Self { verifier, challenge }
    }
}

impl Default for Pkce {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_the_standards() {
        // RFC 7636, appendix B.
        let pair = Pkce::of(Secret::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(pair.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let (one, other) = (Pkce::new(), Pkce::new());
        assert!((43..=128).contains(&one.verifier.expose().len()) && one.verifier != other.verifier);
    }
}
