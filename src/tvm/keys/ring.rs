//! The keys that sign, as they are in the database at one moment.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::local::Local;
use super::remote::{Kms, Remote};
use super::{Backend, Purpose, Seal, SealError, SigningKey, State};
use crate::saml::Signer;
use crate::tvm::model::KeyId;
use crate::tvm::store::{Store, StoreError, keys};
use crate::types::Timestamp;

/// The table whose rows keys are sealed for.
pub(super) const TABLE: &str = "signing_key";

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no key.
    #[error("there is no active key for `{}`", .0.word())]
    None(Purpose),
    /// A sealed key, and no passphrase.
    #[error("the key {0} is sealed, and no passphrase was given")]
    NoPassphrase(KeyId),
    /// It does not open.
    #[error("the key {0} cannot be opened")]
    Sealed(KeyId, #[source] SealError),
    /// What was sealed is no key for this certificate.
    #[error("the key {0} is not the one of its certificate")]
    Another(KeyId),
    /// Its keeper is not set up.
    #[error("the key {0} is kept by {1}, which is not set up here")]
    NoKeeper(KeyId, &'static str),
    /// Nothing is sealed or made.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] super::CertificateError),
    /// The keeper does not sign.
    #[error(transparent)]
    Sign(#[from] crate::saml::SignError),
    /// The key cannot be used.
    #[error("{0}")]
    Unusable(&'static str),
}

impl KeysError {
    /// What to do now.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::None(_) => "`saml2cloud serve keys new` makes one, and `saml2cloud serve keys activate` lets it sign",
            Self::NoPassphrase(_) => "set `keys.passphrase_file`, or give the service the systemd credential `keys_passphrase`",
            Self::Sealed(..) => "the passphrase is the one that the key was made with",
            Self::NoKeeper(..) => "set the keys that begin with `kms.`",
            _ => return None,
        })
    }
}

/// Whoever can open or reach keys.
#[derive(Debug, Default)]
pub struct Keepers {
    seal: Option<Arc<Seal>>,
    kms: Option<Arc<Kms>>,
}

impl Keepers {
    /// With the passphrase of the service, if it has one.
    pub fn new(seal: Option<Arc<Seal>>) -> Self {
        Self { seal, kms: None }
    }

    /// And the way to the clouds' key managements.
    #[must_use]
    pub fn with_kms(self, kms: Kms) -> Self {
        Self { kms: Some(Arc::new(kms)), ..self }
    }

    /// The passphrase of the service.
    pub fn seal(&self) -> Option<&Arc<Seal>> {
        self.seal.as_ref()
    }

    pub(super) fn kms(&self) -> Option<&Arc<Kms>> {
        self.kms.as_ref()
    }

    /// The signer of a key.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn signer(&self, key: &SigningKey) -> Result<Arc<dyn Signer>, KeysError> {
        let id = || key.id.clone();
        match key.backend {
            Backend::File => {
                let seal = self.seal.as_ref().ok_or_else(|| KeysError::NoPassphrase(id()))?;
                let pkcs8 = seal.open(&key.held, TABLE, key.id.as_str()).map_err(|error| KeysError::Sealed(id(), error))?;
                let local = Local::new(&pkcs8, key.certificate.clone()).ok_or_else(|| KeysError::Another(id()))?;
                if super::Facts::of(&key.certificate)?.public_key != local.public() {
                    return Err(KeysError::Another(id()));
                }
                Ok(Arc::new(local))
            }
            Backend::AlibabaKms | Backend::AwsKms => {
                let kms = self.kms.as_ref().ok_or_else(|| KeysError::NoKeeper(id(), key.backend.word()))?;
                let held = serde_json::from_str(&key.held).map_err(|_| KeysError::Another(id()))?;
                let (key_there, certificate) = (kms.key(key.backend, &held)?, key.certificate.clone());
                Ok(Arc::new(Remote { kms: Arc::clone(kms), key: key_there, certificate }))
            }
        }
    }
}

/// The keys that sign, and those that are published. It does not change; when the keys in the database do, another one is loaded.
#[derive(Debug, Default)]
pub struct Ring {
    active: BTreeMap<Purpose, (KeyId, Arc<dyn Signer>)>,
    published: Vec<SigningKey>,
}

impl Ring {
    /// Reads the keys and opens those that sign.
    ///
    /// # Errors
    /// [`KeysError`]: a key that ought to sign and cannot.
    pub async fn load(store: &Store, keepers: &Keepers, _now: Timestamp) -> Result<Self, KeysError> {
        let mut conn = store.read().await?;
        let all = keys::all(&mut conn).await?;
        drop(conn);
        let mut ring = Self::default();
        for key in all.into_iter().filter(|key| key.state.is_published()) {
            if key.state == State::Active {
                ring.active.insert(key.purpose, (key.id.clone(), keepers.signer(&key)?));
            }
            ring.published.push(key);
        }
        Ok(ring)
    }

    /// Who signs for this purpose.
    ///
    /// # Errors
    /// [`KeysError::None`].
    pub fn signer(&self, purpose: Purpose) -> Result<Arc<dyn Signer>, KeysError> {
        self.active.get(&purpose).map(|(_, signer)| Arc::clone(signer)).ok_or(KeysError::None(purpose))
    }

    /// Which key signs for this purpose.
    pub fn active(&self, purpose: Purpose) -> Option<&KeyId> {
        self.active.get(&purpose).map(|(id, _)| id)
    }

    /// The certificates to publish for this purpose, in DER: that of the key that signs, then those to come, then those that go.
    pub fn certificates(&self, purpose: Purpose) -> Vec<Vec<u8>> {
        published(&self.published, purpose)
    }
}

/// The certificates to publish for a purpose, as [`Ring::certificates`] gives them.
pub fn published(keys: &[SigningKey], purpose: Purpose) -> Vec<Vec<u8>> {
    let of = |state| keys.iter().filter(move |key| key.purpose == purpose && key.state == state);
    let all = of(State::Active).chain(of(State::Pending)).chain(of(State::Retiring));
    all.map(|key| key.certificate.clone()).collect()
}

/// The ring of a running service: another one takes its place when keys have changed.
#[derive(Debug, Default)]
pub struct Live(RwLock<Arc<Ring>>);

impl Live {
    /// With this ring to begin with.
    pub fn new(ring: Ring) -> Self {
        Self(RwLock::new(Arc::new(ring)))
    }

    /// The ring as it is now.
    pub fn now(&self) -> Arc<Ring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys anew. Where that fails, those that signed before go on.
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn reload(&self, store: &Store, keepers: &Keepers, now: Timestamp) -> Result<(), KeysError> {
        let ring = Arc::new(Ring::load(store, keepers, now).await?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }
}
