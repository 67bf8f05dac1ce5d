//! Sealing what rests in the database: AES-256-GCM with a key from a passphrase (Argon2id). The row it belongs to is bound in, so a sealed text that is
//! copied into another row does not open there.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::types::Secret;

/// What a new seal costs: a quarter of a second, and 64 MiB that a guesser needs for each guess at a time.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
/// What a sealed text may ask for before it is opened.
const WORST: Cost = Cost { memory_kib: 256 * 1024, passes: 16, lanes: 4 };
/// The shortest passphrase. It guards keys that open every account.
const SHORTEST: usize = 16;

type Key = Zeroizing<[u8; 32]>;

/// Why something is not sealed, or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The passphrase is too short.
    #[error("the passphrase has fewer than {SHORTEST} characters")]
    Short,
    /// It is not a sealed text.
    #[error("it is not something that this program sealed")]
    Foreign,
    /// It does not open.
    #[error("it does not open: the passphrase is another one, or the text was changed or copied from another row")]
    Shut,
    /// No randomness, or no memory.
    #[error("nothing can be sealed on this system: it lacks randomness or memory")]
    System,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A sealed text. Fields and their order are the format.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    version: u32,
    argon2id: Cost,
    salt: String,
    nonce: String,
    sealed: String,
}

/// The passphrase, and the keys that were derived from it. Deriving is slow; call it where nobody waits for the thread.
pub struct Seal {
    passphrase: Secret<String>,
    cost: Cost,
    /// The salt of everything that this process seals.
    salt: [u8; 16],
    derived: Mutex<HashMap<(Vec<u8>, u32), Key>>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

impl Seal {
    /// A seal with this passphrase.
    ///
    /// # Errors
    /// It is too short.
    pub fn new(passphrase: Secret<String>) -> Result<Self, SealError> {
        if passphrase.expose().chars().count() < SHORTEST {
            return Err(SealError::Short);
        }
        Ok(Self { passphrase, cost: COST, salt: random()?, derived: Mutex::default() })
    }

    /// Seals for one row: `table` and `id` say which.
    ///
    /// # Errors
    /// [`SealError::System`].
    pub fn close(&self, plain: &[u8], table: &str, id: &str) -> Result<String, SealError> {
        let key = self.key(&self.salt, self.cost)?;
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = Zeroizing::new(Vec::with_capacity(plain.len() + 16));
        sealed.extend_from_slice(plain);
        let aad = Aad::from(row(table, id));
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut *sealed).map_err(|_| SealError::System)?;
        let text = Sealed {
            version: 1,
            argon2id: self.cost,
            salt: STANDARD.encode(self.salt),
            nonce: STANDARD.encode(nonce),
            sealed: STANDARD.encode(sealed.as_slice()),
        };
        serde_json::to_string(&text).map_err(|_| SealError::System)
    }

    /// Opens what was sealed for that row.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, sealed: &str, table: &str, id: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let text: Sealed = serde_json::from_str(sealed).map_err(|_| SealError::Foreign)?;
        let cost = text.argon2id;
        if text.version != 1 || cost.memory_kib > WORST.memory_kib || cost.passes > WORST.passes || cost.lanes > WORST.lanes {
            return Err(SealError::Foreign);
        }
        let decoded = |text: &str| STANDARD.decode(text).map_err(|_| SealError::Foreign);
        let nonce = <[u8; NONCE_LEN]>::try_from(decoded(&text.nonce)?).map_err(|_| SealError::Foreign)?;
        let key = self.key(&decoded(&text.salt)?, cost)?;
        let mut sealed = Zeroizing::new(decoded(&text.sealed)?);
        let aad = Aad::from(row(table, id));
        let plain = key.open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).map_err(|_| SealError::Shut)?.len();
        sealed.truncate(plain);
        Ok(sealed)
    }

    fn key(&self, salt: &[u8], cost: Cost) -> Result<LessSafeKey, SealError> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (salt.to_vec(), cost.memory_kib ^ (cost.passes << 24) ^ (cost.lanes << 28));
        let key = match derived.get(&place) {
            Some(key) => key.clone(),
            None => {
                let mut key = Key::default();
                Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(key.len()))
                    .and_then(|params| {
                        let derive = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                        derive.hash_password_into(self.passphrase.expose().as_bytes(), salt, &mut *key)
                    })
                    .map_err(|_| SealError::Foreign)?;
                derived.insert(place, key.clone());
                key
            }
        };
        UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new).map_err(|_| SealError::System)
    }
}

/// What is bound in: no two rows have the same.
fn row(table: &str, id: &str) -> Vec<u8> {
    serde_json::json!(["saml2cloud sealed 1", table, id]).to_string().into_bytes()
}

fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SealError::System)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cheap, for tests.
    fn seal(passphrase: &str) -> Seal {
        let mut seal = Seal::new(passphrase.into()).unwrap();
        seal.cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
        seal
    }

    #[test]
    fn it_opens_in_its_own_row_with_its_own_passphrase_only() {
        let seal_one = seal("correct horse battery");
        let sealed = seal_one.close(b"private", "signing_key", "A").unwrap();
        assert!(!sealed.contains("private"));
        assert_eq!(seal_one.open(&sealed, "signing_key", "A").unwrap().as_slice(), b"private");
        // Another process, another salt of its own.
        assert_eq!(seal("correct horse battery").open(&sealed, "signing_key", "A").unwrap().as_slice(), b"private");
        for (table, id) in [("signing_key", "B"), ("account_secret", "A"), ("signing_keyA", "")] {
            assert_eq!(seal_one.open(&sealed, table, id).unwrap_err(), SealError::Shut, "{table} {id}");
        }
        assert_eq!(seal("correct horse battery.").open(&sealed, "signing_key", "A").unwrap_err(), SealError::Shut);
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let seal = seal("correct horse battery");
        let sealed = seal.close(b"private", "t", "A").unwrap();
        let mut text: serde_json::Value = serde_json::from_str(&sealed).unwrap();
        let body = text["sealed"].as_str().unwrap().to_owned();
        text["sealed"] = STANDARD.encode(STANDARD.decode(&body).unwrap().iter().map(|b| b ^ 1).collect::<Vec<_>>()).into();
        assert_eq!(seal.open(&text.to_string(), "t", "A").unwrap_err(), SealError::Shut);
        text["argon2id"]["memory_kib"] = 4_000_000.into();
        assert_eq!(seal.open(&text.to_string(), "t", "A").unwrap_err(), SealError::Foreign);
        for foreign in ["", "{}", "null", "-----BEGIN PRIVATE KEY-----"] {
            assert_eq!(seal.open(foreign, "t", "A").unwrap_err(), SealError::Foreign);
        }
    }

    #[test]
    fn a_passphrase_has_some_length() {
        assert_eq!(Seal::new("short".into()).unwrap_err(), SealError::Short);
        assert!(!format!("{:?}", Seal::new("0123456789abcdef".into()).unwrap()).contains("0123"));
    }
}
