//! Second factors that several identity providers share.

use std::fmt;

/// Proof beyond the password, whatever a provider calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Factor {
    /// A code that is typed, from an app, a message or a token.
    Otp,
    /// An approval on a phone.
    Push,
    /// A challenge signed by a security key or passkey.
    WebAuthn,
    /// Duo's own dialogue.
    Duo,
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Otp => "one-time code",
            Self::Push => "push approval",
            Self::WebAuthn => "security key",
            Self::Duo => "Duo",
        })
    }
}
