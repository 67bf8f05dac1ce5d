//! The service's own certificate, read anew whenever its files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::world::file::{self, FileError};
use crate::world::{Mark, init_tls};

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no such file.
    #[error("there is no file `{}`", .0.display())]
    Absent(PathBuf),
    /// It holds something else.
    #[error("`{}` holds no {what} (PEM)", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The two do not go together, or are of a kind that is not used.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificate as it is in its files.
#[derive(Debug)]
pub(super) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    config: Arc<ServerConfig>,
    marks: (Option<Mark>, Option<Mark>),
}

impl Certificate {
    /// Reads it.
    pub(super) fn read(chain: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let marks = (Mark::of(&chain), Mark::of(&key));
        let config = load(&chain, &key)?;
        Ok(Self { chain, key, held: Mutex::new(Held { config, marks }) })
    }

    /// What the next connection is shown. Files that changed are read; where they make no sense, the old certificate goes on.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let marks = (Mark::of(&self.chain), Mark::of(&self.key));
        if marks != held.marks {
            // Remembered either way: what makes no sense is said once, not with each connection.
            held.marks = marks;
            self.take(&mut held);
        }
        Arc::clone(&held.config)
    }

    /// Reads the files whether or not they changed.
    pub(super) fn reload(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.marks = (Mark::of(&self.chain), Mark::of(&self.key));
        self.take(&mut held);
    }

    fn take(&self, held: &mut Held) {
        match load(&self.chain, &self.key) {
            Ok(config) => {
                held.config = config;
                crate::world::tell("the service's certificate was read anew");
            }
            Err(error) => crate::world::tell(&format!("the service's certificate stays as it was: {error}")),
        }
    }
}

fn load(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    init_tls();
    let text = file::read(chain)?.ok_or_else(|| TlsError::Absent(chain.to_owned()))?;
    let certificates = certificates(&text);
    if certificates.is_empty() {
        return Err(TlsError::Empty { path: chain.to_owned(), what: "certificate" });
    }
    let text = file::read(key)?.map(crate::types::Secret::new).ok_or_else(|| TlsError::Absent(key.to_owned()))?;
    let private = PrivateKeyDer::from_pem_slice(text.expose().as_bytes());
    let private = private.map_err(|_| TlsError::Empty { path: key.to_owned(), what: "private key" })?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, private)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The certificates of a PEM text.
pub(super) fn certificates(text: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(text.as_bytes()).flatten().collect()
}
