//! One encrypted file, for where no keychain keeps everything.
//!
//! The file is a line of JSON: a header that says how the key is come by, a random nonce, and the sealed items (AES-256-GCM, with
//! the header as associated data, so neither part can be exchanged). The key is 32 random bytes that rest in a keychain, or is
//! derived from a passphrase (Argon2id). A file that cannot be opened is never changed.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::names::{self, FILE_KEY};
use super::{Key, Vault, VaultError};
use crate::types::Secret;
use crate::world::file::{self, FileError};

/// The vault's name for people.
const NAME: &str = "encrypted file";
/// The only version there is.
const VERSION: u64 = 1;
/// A larger file is not ours.
const LARGEST: usize = 4 * 1024 * 1024;
/// What a new passphrase costs: a quarter of a second, and 64 MiB that a guesser needs for each guess at a time.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
/// What a file may ask for before it is opened; nobody vouches for its header yet.
const WORST: Cost = Cost { memory_kib: 256 * 1024, passes: 16, lanes: 4 };

type Secret32 = Zeroizing<[u8; 32]>;
type Items = BTreeMap<String, Secret<String>>;

/// What a passphrase is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The passphrase of the file that is there.
    Known,
    /// One for a new file.
    New,
}

/// Asks a person for a passphrase; nothing if there is nobody, or they do not want to. Called at most once, and not before the file is
/// needed.
pub type Ask = Box<dyn FnOnce(Wanted) -> Option<Secret<String>> + Send>;

/// A keychain, as the file sees it: it holds the file's key, and may hold what old tools left.
pub trait Holder: Send + Sync {
    /// The text of an item.
    ///
    /// # Errors
    /// [`VaultError`].
    fn read(&self, item: &str) -> Result<Option<Secret<String>>, VaultError>;

    /// Makes or changes an item.
    ///
    /// # Errors
    /// [`VaultError`].
    fn write(&self, item: &str, value: &Secret<String>) -> Result<(), VaultError>;

    /// What an old tool left.
    ///
    /// # Errors
    /// [`VaultError`].
    fn old(&self, key: &Key) -> Result<Option<Secret<String>>, VaultError>;
}

/// Where the key of the file may come from. A new file takes the first that works, in this order; a file that is there says itself.
#[derive(Default)]
pub struct Keys {
    /// Derived from this passphrase.
    pub passphrase: Option<Secret<String>>,
    /// Random, kept there.
    pub holder: Option<Box<dyn Holder>>,
    /// Derived from what a person says.
    pub ask: Option<Ask>,
}

/// One encrypted file.
pub struct File {
    path: PathBuf,
    cost: Cost,
    holder: Option<Box<dyn Holder>>,
    state: Mutex<State>,
}

struct State {
    passphrase: Option<Secret<String>>,
    ask: Option<Ask>,
    /// The key that was come by last, and how. Deriving it is slow.
    known: Option<(Source, Secret32)>,
    /// Items that were deleted in this run: what the old tools left under the same name must not come back.
    deleted: HashSet<String>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("passphrase", &self.passphrase).finish_non_exhaustive()
    }
}

/// What deriving a key costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    fn is_bearable(self) -> bool {
        self.memory_kib <= WORST.memory_kib && self.passes <= WORST.passes && self.lanes <= WORST.lanes
    }
}

/// How the key is come by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Source {
    /// It rests in the keychain.
    Keychain,
    /// Derived from a passphrase.
    Argon2id { cost: Cost, salt: String },
}

/// What is not sealed. As text it is the associated data: fields and their order are the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u64,
    cipher: Cipher,
    key: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Cipher {
    #[serde(rename = "aes-256-gcm")]
    Aes256Gcm,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    saml2cloud_vault: Header,
    nonce: String,
    sealed: String,
}

/// As much of a document as every version has.
#[derive(Deserialize)]
struct Outline {
    saml2cloud_vault: OutlineHeader,
}

#[derive(Deserialize)]
struct OutlineHeader {
    version: u64,
}

impl From<FileError> for VaultError {
    fn from(error: FileError) -> Self {
        let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
        Self::Failed { vault: NAME, why }
    }
}

impl File {
    /// The file at `path`, whether it is there or not. Nothing is read and nobody is asked before the first question.
    pub fn new(path: PathBuf, keys: Keys) -> Self {
        let Keys { passphrase, holder, ask } = keys;
        let state = State { passphrase, ask, known: None, deleted: HashSet::new() };
        Self { path, cost: COST, holder, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, why: &str) -> VaultError {
        VaultError::Failed { vault: NAME, why: format!("`{}` {why}", self.path.display()) }
    }

    /// The items, if there is a file.
    fn load(&self) -> Result<Option<Items>, VaultError> {
        file::read(&self.path)?.map(|text| Ok(self.open(&text)?.1)).transpose()
    }

    /// Opens the text of a file.
    fn open(&self, text: &str) -> Result<(Header, Items), VaultError> {
        if text.len() > LARGEST {
            return Err(self.failed("is too large for a vault"));
        }
        let foreign = |error: serde_json::Error| {
            self.failed(if error.is_eof() { "is cut off" } else { "is not a vault that this program wrote" })
        };
        let version = serde_json::from_str::<Outline>(text).map_err(foreign)?.saml2cloud_vault.version;
        if version != VERSION {
            return Err(self.failed(&format!("is of version {version}, which this program does not know")));
        }
        let document: Document = serde_json::from_str(text).map_err(foreign)?;
        let header = document.saml2cloud_vault;
        let nonce = STANDARD.decode(&document.nonce).ok().and_then(|nonce| <[u8; NONCE_LEN]>::try_from(nonce).ok());
        let (Some(nonce), Ok(sealed)) = (nonce, STANDARD.decode(&document.sealed)) else {
            return Err(self.failed("is not a vault that this program wrote"));
        };
        let key = self.key(&header.key)?;
        let mut sealed = Zeroizing::new(sealed);
        let plain = cipher(&key)
            .and_then(|key| {
                key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(associated(&header)), &mut sealed).ok()
            })
            .ok_or_else(|| match header.key {
                Source::Keychain => self.failed("was changed by somebody else, or the key in the keychain is another one"),
                Source::Argon2id { .. } => self.failed("was changed by somebody else, or the passphrase is wrong"),
            })?;
        let items = serde_json::from_slice(plain).map_err(|_| self.failed("holds something that this program did not write"))?;
        Ok((header, items))
    }

    /// The text of a file.
    fn seal(&self, header: Header, items: &Items) -> Result<String, VaultError> {
        let no_randomness = || self.failed("cannot be written: the system has no randomness");
        let key = self.key(&header.key)?;
        let plain: BTreeMap<&str, &str> = items.iter().map(|(name, value)| (name.as_str(), value.expose().as_str())).collect();
        // Large enough from the start: growing would leave copies behind. A byte takes six at most.
        let size: usize = plain.iter().map(|(name, value)| 6 * (name.len() + value.len()) + 8).sum();
        let mut sealed = Zeroizing::new(Vec::with_capacity(size + 64));
        serde_json::to_writer(&mut *sealed, &plain).map_err(|_| self.failed("cannot be written"))?;
        let nonce: [u8; NONCE_LEN] = random().ok_or_else(no_randomness)?;
        cipher(&key)
            .and_then(|key| {
                let (nonce, header) = (Nonce::assume_unique_for_key(nonce), Aad::from(associated(&header)));
                key.seal_in_place_append_tag(nonce, header, &mut *sealed).ok()
            })
            .ok_or_else(|| self.failed("cannot be sealed"))?;
        let document =
            Document { saml2cloud_vault: header, nonce: STANDARD.encode(nonce), sealed: STANDARD.encode(sealed.as_slice()) };
        let text = serde_json::to_string(&document).map_err(|_| self.failed("cannot be written"))? + "\n";
        if text.len() > LARGEST {
            return Err(self.failed("would become too large"));
        }
        Ok(text)
    }

    /// The key that a header speaks of.
    fn key(&self, source: &Source) -> Result<Secret32, VaultError> {
        let mut state = self.state();
        if let Some((known, key)) = &state.known
            && known == source
        {
            return Ok(key.clone());
        }
        let key = match source {
            Source::Keychain => {
                let holder = self.holder.as_ref().ok_or(VaultError::Locked(NAME))?;
                let found =
                    holder.read(FILE_KEY)?.ok_or_else(|| self.failed("has a key that is not in the keychain any more"))?;
                self.decode(&found)?
            }
            Source::Argon2id { cost, salt } => {
                if !cost.is_bearable() {
                    return Err(self.failed("asks for more memory or time than any vault needs"));
                }
                let salt = STANDARD.decode(salt).map_err(|_| self.failed("is not a vault that this program wrote"))?;
                let passphrase = state.passphrase(Wanted::Known)?;
                self.derive(&passphrase, *cost, &salt)?
            }
        };
        state.known = Some((source.clone(), key.clone()));
        Ok(key)
    }

    /// A header, and with it a key, for a new file.
    fn create(&self) -> Result<Header, VaultError> {
        let mut state = self.state();
        let from_holder = match &self.holder {
            Some(holder) if state.passphrase.is_none() => Some(self.held(holder.as_ref())),
            _ => None,
        };
        let (source, key) = match from_holder {
            Some(Ok(key)) => (Source::Keychain, key),
            Some(Err(error)) if state.ask.is_none() => return Err(error),
            _ => {
                let passphrase = state.passphrase(Wanted::New)?;
                let salt: [u8; 16] = random().ok_or_else(|| self.failed("cannot be made: the system has no randomness"))?;
                let key = self.derive(&passphrase, self.cost, &salt)?;
                (Source::Argon2id { cost: self.cost, salt: STANDARD.encode(salt) }, key)
            }
        };
        state.known = Some((source.clone(), key));
        Ok(Header { version: VERSION, cipher: Cipher::Aes256Gcm, key: source })
    }

    /// The key that rests in the keychain, or a new one.
    fn held(&self, holder: &dyn Holder) -> Result<Secret32, VaultError> {
        if let Some(found) = holder.read(FILE_KEY)? {
            return self.decode(&found);
        }
        let key = Zeroizing::new(random().ok_or_else(|| self.failed("cannot be made: the system has no randomness"))?);
        holder.write(FILE_KEY, &Secret::new(STANDARD.encode(*key)))?;
        Ok(key)
    }

    fn decode(&self, text: &Secret<String>) -> Result<Secret32, VaultError> {
        let mut key = Secret32::default();
        match STANDARD.decode_slice(text.expose(), &mut *key) {
            Ok(32) => Ok(key),
            _ => Err(self.failed("has a key in the keychain that is not one")),
        }
    }

    fn derive(&self, passphrase: &Secret<String>, cost: Cost, salt: &[u8]) -> Result<Secret32, VaultError> {
        let mut key = Secret32::default();
        Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(key.len()))
            .and_then(|params| {
                let derive = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                derive.hash_password_into(passphrase.expose().as_bytes(), salt, &mut *key)
            })
            .map_err(|_| self.failed("is not a vault that this program wrote"))?;
        Ok(key)
    }

    /// Changes the items under the file's lock. `change` says whether there is anything to write.
    fn edit(&self, change: impl Fn(&mut Items) -> bool) -> Result<(), VaultError> {
        file::edit(&self.path, |old| {
            let (header, mut items) = match old {
                Some(text) => {
                    let (header, items) = self.open(text)?;
                    (Some(header), items)
                }
                None => (None, Items::new()),
            };
            if !change(&mut items) {
                return Ok(None);
            }
            let header = header.map_or_else(|| self.create(), Ok)?;
            self.seal(header, &items).map(Some)
        })
    }
}

impl State {
    /// The passphrase, asked for if it must be.
    fn passphrase(&mut self, wanted: Wanted) -> Result<Secret<String>, VaultError> {
        if self.passphrase.is_none() {
            self.passphrase = self.ask.take().and_then(|ask| ask(wanted)).filter(|answer| !answer.expose().is_empty());
        }
        self.passphrase.clone().ok_or(VaultError::Locked(NAME))
    }
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

fn cipher(key: &Secret32) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.as_slice()).ok().map(LessSafeKey::new)
}

/// The header as associated data.
fn associated(header: &Header) -> String {
    // A struct of words and numbers always has a text.
    serde_json::to_string(header).unwrap_or_default()
}

impl Vault for File {
    fn name(&self) -> &'static str {
        NAME
    }

    fn get(&self, key: &Key) -> Result<Option<Secret<String>>, VaultError> {
        let item = names::item(key);
        if let Some(found) = self.load()?.and_then(|mut items| items.remove(&item)) {
            return Ok(Some(found));
        }
        let state = self.state();
        match &self.holder {
            // Who has a passphrase does without the keychain; and one that is absent or shut is none of the file's business.
            Some(holder) if state.passphrase.is_none() && !state.deleted.contains(&item) => {
                Ok(holder.old(key).unwrap_or_default())
            }
            _ => Ok(None),
        }
    }

    fn set(&self, key: &Key, value: &Secret<String>) -> Result<(), VaultError> {
        // A person is asked for the passphrase of a file before others have to wait for its lock.
        self.load()?;
        let item = names::item(key);
        self.edit(|items| items.insert(item.clone(), value.clone()).as_ref() != Some(value))
    }

    fn delete(&self, key: &Key) -> Result<(), VaultError> {
        let item = names::item(key);
        self.state().deleted.insert(item.clone());
        match self.load()? {
            Some(items) if items.contains_key(&item) => self.edit(|items| items.remove(&item).is_some()),
            _ => Ok(()),
        }
    }
}
