//! The service's signing keys: what each is for, where it is kept, and how far it is in its life.
//!
//! A key is `pending` (in the metadata, not signing) until everybody who has to trust it does; then `active`; then `retiring` (still in the metadata,
//! because what it signed last is still on its way); then `retired`. One purpose has one active key at the most, and two keys can overlap for
//! as long as it takes. A key that signs towards one cloud is of no use towards the other.
//!
//! [`Seal`] keeps private keys and other secrets in the database; [`Ring`] is what signs.

mod certificate;
mod generate;
mod life;
mod local;
mod remote;
mod ring;
mod seal;

pub use certificate::{CertificateError, Facts};
pub use generate::Size;
pub use life::{By, Imported, KeyThere, NewKey, activate, activate_in, enrol, import, mint, retire, retire_in};
pub use remote::{Kms, KmsPlace};
pub use ring::{Keepers, KeysError, Live, Ring, published};
pub use seal::{Seal, SealError};

use super::model::{KeyId, Version};
use crate::types::{CloudId, Timestamp};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$each])* $variant),+ }

        impl $name {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it is stored.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(
    /// What a key is for. A key is for one thing.
    Purpose {
        /// Requests to the corporate identity provider.
        Sp = "sp",
        /// Assertions for Alibaba Cloud.
        IdpAlibaba = "idp-alibaba",
        /// Assertions for AWS.
        IdpAws = "idp-aws",
        /// Marks of the audit trail.
        Audit = "audit",
    }
);

impl Purpose {
    /// The key for assertions towards a cloud.
    pub fn towards(cloud: CloudId) -> Self {
        match cloud {
            CloudId::Alibaba => Self::IdpAlibaba,
            CloudId::Aws => Self::IdpAws,
        }
    }
}

words!(
    /// Who keeps a private key.
    Backend {
        /// The row itself, sealed with the passphrase of the service.
        File = "file",
        /// Alibaba Cloud's key management.
        AlibabaKms = "alibaba-kms",
        /// AWS's key management.
        AwsKms = "aws-kms",
    }
);
words!(
    /// How far a key is.
    State {
        /// Published, so that others come to trust it.
        Pending = "pending",
        /// It signs.
        Active = "active",
        /// It signs no more, and is still published.
        Retiring = "retiring",
        /// It is history.
        Retired = "retired",
    }
);

impl State {
    /// Whether `next` may follow. Nothing comes back.
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Active | Self::Retired) | (Self::Active, Self::Retiring) | (Self::Retiring, Self::Retired)
        )
    }

    /// Whether the certificate belongs into the metadata.
    pub fn is_published(self) -> bool {
        self != Self::Retired
    }
}

/// A key, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Which.
    pub id: KeyId,
    /// What it is for.
    pub purpose: Purpose,
    /// Who keeps it.
    pub backend: Backend,
    /// The sealed private key, or the keeper's name for it.
    pub held: String,
    /// Its certificate, in DER.
    pub certificate: Vec<u8>,
    /// How far it is.
    pub state: State,
    /// From when the certificate is good.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// When it was made.
    pub created: Timestamp,
    /// How often it was changed.
    pub version: Version,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_goes_one_way() {
        let all = State::ALL;
        let allowed: Vec<(usize, usize)> =
            (0..4).flat_map(|a| (0..4).map(move |b| (a, b))).filter(|(a, b)| all[*a].may_become(all[*b])).collect();
        assert_eq!(allowed, [(0, 1), (0, 3), (1, 2), (2, 3)]);
        assert_eq!(Purpose::towards(CloudId::Aws).word(), "idp-aws");
        assert!(Purpose::ALL.iter().all(|purpose| Purpose::from_word(purpose.word()) == Some(*purpose)));
    }
}
