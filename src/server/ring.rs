//! The signing keys as they are now. They change in the database, by hand and rarely; each process looks again every few seconds.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::problem::{Code, Problem};
use crate::saml::Signer;
use crate::tvm::exchange::Signers;
use crate::tvm::keys::{Keepers, KeysError, Purpose, Ring};
use crate::tvm::store::Store;
use crate::types::Timestamp;

/// How old what is known may be.
const OLDEST: Duration = Duration::from_secs(15);

/// The keys of the service.
#[derive(Debug)]
pub struct Keys {
    keepers: Keepers,
    held: RwLock<(Option<Timestamp>, Arc<Ring>)>,
}

impl Keys {
    /// With whoever can open or reach them.
    pub fn new(keepers: Keepers) -> Self {
        Self { keepers, held: RwLock::default() }
    }

    /// Those that there are now.
    ///
    /// # Errors
    /// A key that should sign cannot.
    pub async fn ring(&self, store: &Store, now: Timestamp) -> Result<Arc<Ring>, Problem> {
        let (at, held) = self.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        if at.is_some_and(|at| now.since(at) < OLDEST) {
            return Ok(held);
        }
        let ring = Arc::new(Ring::load(store, &self.keepers, now).await?);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = (Some(now), Arc::clone(&ring));
        Ok(ring)
    }

    /// Looks again at the next question: this process changed them itself.
    pub fn forget(&self) {
        self.held.write().unwrap_or_else(PoisonError::into_inner).0 = None;
    }

    /// Whoever can open or reach keys.
    pub fn keepers(&self) -> &Keepers {
        &self.keepers
    }
}

impl Signers for Keys {
    fn signer(&self, purpose: Purpose) -> Result<Arc<dyn Signer>, KeysError> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).1.signer(purpose)
    }
}

impl From<KeysError> for Problem {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Store(error) => error.into(),
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "the signing keys");
                Self::only(Code::KmsUnavailable)
            }
        }
    }
}
