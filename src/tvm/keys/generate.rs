//! New private keys.

use rsa::pkcs8::EncodePrivateKey as _;
use zeroize::Zeroizing;

/// How long a new key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Size {
    /// 2048 bits, for those who cannot take more.
    Rsa2048,
    /// 3072 bits.
    #[default]
    Rsa3072,
}

impl Size {
    /// In bits.
    pub fn bits(self) -> usize {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
        }
    }

    /// Of so many bits.
    pub fn of(bits: u32) -> Option<Self> {
        match bits {
            2048 => Some(Self::Rsa2048),
            3072 => Some(Self::Rsa3072),
            _ => None,
        }
    }
}

/// Makes a private key: PKCS #8 in DER. It takes a second or two. Nothing where the system cannot.
pub(super) fn private_key(size: Size) -> Option<Zeroizing<Vec<u8>>> {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, size.bits()).ok()?;
    key.to_pkcs8_der().ok().map(|der| Zeroizing::new(der.as_bytes().to_vec()))
}
