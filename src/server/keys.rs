//! Signing keys, from the shell of the machine that serves.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use zeroize::Zeroizing;

use super::api::{is_super, propose_key};
use super::{ServeError, Settings};
use crate::cloud::instance::Machine;
use crate::saml::metadata::write::{IdentityProvider, ServiceProvider};
use crate::tvm::audit::{AuthKind, Event};
use crate::tvm::keys::{self, By, Facts, Imported, Keepers, KeyThere, Kms, NewKey, Seal, SigningKey};
pub use crate::tvm::keys::{Backend, KeysError, Purpose, Size, State};
use crate::tvm::model::Gid;
pub use crate::tvm::model::{KeyId, ProposalId};
use crate::tvm::store::{Dialect, Store, access, users};
use crate::types::{Secret, Timestamp};
use crate::world::{Clock, Env, Instance, Network, SystemClock, Tls, file};

/// Whoever can open or reach the keys of this configuration.
///
/// # Errors
/// The passphrase is too short, or TLS cannot be set up.
pub fn keepers(settings: &Settings, env: &Env, network: &dyn Network, clock: Arc<dyn Clock>) -> Result<Keepers, ServeError> {
    let seal = settings.keys.passphrase.clone().map(Seal::new).transpose().map_err(KeysError::from)?;
    let net = network.open(&Tls::default()).map_err(|_| KeysError::Unusable("TLS cannot be set up"))?;
    let instance = Instance::new().map_err(|_| KeysError::Unusable("TLS cannot be set up"))?;
    let machine = Arc::new(Machine::new(env.clone(), instance));
    let (alibaba, aws) = (settings.keys.alibaba.clone(), settings.keys.aws.clone());
    let kms = Kms { alibaba, aws, net, clock, machine };
    Ok(Keepers::new(seal.map(Arc::new)).with_kms(kms))
}

/// A key, for people.
#[derive(Debug, Clone)]
pub struct KeyLine {
    /// The key.
    pub key: SigningKey,
    /// What its certificate says.
    pub facts: Facts,
}

impl KeyLine {
    fn of(key: SigningKey) -> Result<Self, ServeError> {
        let facts = Facts::of(&key.certificate).map_err(KeysError::from)?;
        Ok(Self { key, facts })
    }
}

/// Who keeps a new key.
#[derive(Debug, Clone)]
pub enum Where {
    /// The database, sealed.
    Here(Size),
    /// A cloud's key management, under that name and version.
    There(Backend, String, Option<String>),
}

/// What came of a change of keys.
#[derive(Debug, Clone)]
pub enum Step {
    /// It is done.
    Done(KeyLine),
    /// Another super admin has to agree to it first.
    Proposed(ProposalId, KeyLine),
}

/// An open database with whoever can open keys.
pub struct KeyRoom {
    pub(super) store: Store,
    pub(super) keepers: Keepers,
    host: String,
    /// Whether keys may be sealed in this database.
    may_seal: bool,
    /// Whether a second super admin has to agree to what a key that others trust is to do.
    two_person: bool,
    by: By,
}

impl KeyRoom {
    /// Opens it.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn open(settings: &Settings, env: &Env, network: &dyn Network) -> Result<Self, ServeError> {
        let keepers = keepers(settings, env, network, Arc::new(SystemClock))?;
        let store = settings.database.open(SystemClock.now()).await?;
        let may_seal = store.dialect() == Dialect::Sqlite || settings.keys.allow_file_signer;
        Ok(Self {
            store,
            keepers,
            host: settings.server.url.host().to_owned(),
            may_seal,
            two_person: settings.two_person,
            by: By::default(),
        })
    }

    /// Closes it.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// Every key, oldest first.
    ///
    /// # Errors
    /// The database.
    pub async fn list(&self) -> Result<Vec<KeyLine>, ServeError> {
        let mut conn = self.store.read().await?;
        let all = crate::tvm::store::keys::all(&mut conn).await?;
        all.into_iter().map(KeyLine::of).collect()
    }

    pub(super) fn sealed(&self) -> Result<(), ServeError> {
        if self.may_seal {
            return Ok(());
        }
        let why = "a key sealed in a database that several machines share is only as safe as the passphrase on each of them: use a KMS, or say \
                   `keys.allow_file_signer = true`";
        Err(KeysError::Unusable(why).into())
    }

    /// Makes a key. The first one of its purpose signs at once: nobody trusts another.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn new_key(&self, purpose: Purpose, place: &Where, days: u32, now: Timestamp) -> Result<KeyLine, ServeError> {
        let new = NewKey { purpose, name: &self.host, days };
        let key = match place {
            Where::Here(size) => {
                self.sealed()?;
                keys::mint(&self.store, &self.keepers, &new, *size, &self.by, now).await?
            }
            Where::There(backend, key, version) => {
                keys::enrol(
                    &self.store,
                    &self.keepers,
                    &new,
                    &KeyThere { backend: *backend, key, version: version.as_deref() },
                    &self.by,
                    now,
                )
                .await?
            }
        };
        self.first(key, now).await
    }

    /// Takes a key from a PKCS #12 file; `password` is the file whose first line is its password.
    ///
    /// # Errors
    /// The file holds none, or the password is another one.
    pub async fn import(
        &self,
        purpose: Purpose,
        path: &Path,
        password: Option<&Path>,
        days: u32,
        now: Timestamp,
    ) -> Result<KeyLine, ServeError> {
        self.sealed()?;
        let bytes = file::read_bytes(path).map_err(super::StoreError::from)?.map(Zeroizing::new);
        let bytes = bytes.ok_or(KeysError::Unusable("there is no such file"))?;
        let password = match password {
            Some(path) => first_line(path)?,
            None => Secret::from(""),
        };
        let imported = unpack(&bytes, &password)?;
        let new = NewKey { purpose, name: &self.host, days };
        let key = keys::import(&self.store, &self.keepers, &new, imported, &self.by, now).await?;
        self.first(key, now).await
    }

    async fn first(&self, key: SigningKey, now: Timestamp) -> Result<KeyLine, ServeError> {
        let all = self.list().await?;
        let is_first = !all.iter().any(|other| other.key.purpose == key.purpose && other.key.id != key.id);
        KeyLine::of(if is_first { keys::activate(&self.store, &key.id, &self.by, now).await? } else { key })
    }

    /// Does it, or proposes it in the name of the super admin `gid` where two are needed.
    async fn step(&self, id: &KeyId, activates: bool, gid: Option<&str>, now: Timestamp) -> Result<Step, ServeError> {
        if !self.two_person {
            let done = match activates {
                true => keys::activate(&self.store, id, &self.by, now).await?,
                false => keys::retire(&self.store, id, &self.by, now).await?,
            };
            return KeyLine::of(done).map(Step::Done);
        }
        let nobody = KeysError::Unusable(
            "two super admins are needed for this (`approval.two_person`): `--as GID` names the one who proposes it",
        );
        let gid = Gid::parse(gid.ok_or(nobody)?)?;
        let mut tx = self.store.begin(now).await?;
        let key = crate::tvm::store::keys::by_id(&mut tx, id).await?;
        if !activates && key.state == State::Active {
            return Err(KeysError::Unusable("this key signs; another one is activated first").into());
        }
        let user = users::by_gid(&mut tx, &gid).await?;
        let user = match user {
            Some(user) if is_super(&access::actor(&mut tx, &user.id, now).await?) => user,
            _ => return Err(KeysError::Unusable("whoever `--as` names is no super admin").into()),
        };
        let proposal = propose_key(&mut tx, &key, activates, &user.id).await?;
        let params = serde_json::json!({
            "proposal": proposal.as_str(), "change": if activates { "activate_key" } else { "retire_key" },
            "purpose": key.purpose.word(), "as": user.gid.normal(),
        });
        // The shell of the machine says whose proposal it is; nobody has proven it, so nobody is the actor.
        tx.commit(&Event::by(AuthKind::Console, "key.propose", params).on("key", key.id.as_str(), None)).await?;
        Ok(Step::Proposed(proposal, KeyLine::of(key)?))
    }

    /// Lets a key sign. It is opened first: a key that cannot sign must not take the place of one that can. Where two super admins are needed
    /// it is proposed in the name of `gid`.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn activate(&self, id: &KeyId, gid: Option<&str>, now: Timestamp) -> Result<Step, ServeError> {
        let key = crate::tvm::store::keys::by_id(&mut *self.store.read().await?, id).await?;
        let signer = self.keepers.signer(&key)?;
        signer.sign(b"saml2cloud: can this key sign?").await.map_err(KeysError::from)?;
        self.step(id, true, gid, now).await
    }

    /// Takes a key out for good, or proposes that.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn retire(&self, id: &KeyId, gid: Option<&str>, now: Timestamp) -> Result<Step, ServeError> {
        self.step(id, false, gid, now).await
    }

    /// The next step of a change of keys: a new one, then it signs, then the old one goes.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn rotate(
        &self,
        purpose: Purpose,
        place: &Where,
        days: u32,
        gid: Option<&str>,
        now: Timestamp,
    ) -> Result<Step, ServeError> {
        let all = self.list().await?;
        let of = |state| all.iter().find(|line| line.key.purpose == purpose && line.key.state == state);
        if let Some(going) = of(State::Retiring) {
            return self.retire(&going.key.id, gid, now).await;
        }
        match of(State::Pending) {
            Some(coming) => self.activate(&coming.key.id, gid, now).await,
            None => self.new_key(purpose, place, days, now).await.map(Step::Done),
        }
    }

    /// What is published of this purpose: metadata, or certificates (PEM) where there is none. No key is opened for it.
    ///
    /// # Errors
    /// There is no key.
    pub async fn metadata(&self, settings: &Settings, purpose: Purpose) -> Result<String, ServeError> {
        let all: Vec<SigningKey> = self.list().await?.into_iter().map(|line| line.key).collect();
        let certificates = keys::published(&all, purpose);
        match (purpose, certificates.as_slice()) {
            (Purpose::Audit, [_, ..]) => Ok(certificates.iter().map(|certificate| pem(certificate)).collect()),
            _ => metadata(settings, purpose, &certificates),
        }
    }
}

/// A certificate as text (RFC 7468).
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: String = text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

/// What we say of ourselves under a purpose, with these certificates.
///
/// # Errors
/// There is no certificate, or nothing is published of this purpose.
pub fn metadata(settings: &Settings, purpose: Purpose, certificates: &[Vec<u8>]) -> Result<String, ServeError> {
    if certificates.is_empty() {
        return Err(KeysError::None(purpose).into());
    }
    let base = settings.server.url.expose().as_str();
    let xml = match purpose {
        Purpose::Sp => {
            let (acs, logout) = (format!("{base}saml/acs"), format!("{base}saml/slo"));
            ServiceProvider { entity_id: &settings.saml.service, acs: &acs, logout: Some(&logout), certificates }.xml()
        }
        Purpose::IdpAlibaba | Purpose::IdpAws => {
            IdentityProvider { entity_id: &settings.saml.issuer, sign_in: base, certificates }.xml()
        }
        Purpose::Audit => return Err(KeysError::Unusable("there is no metadata for the key of the audit trail").into()),
    };
    xml.map_err(|_| KeysError::Unusable("a name of this service cannot be written into XML").into())
}

fn first_line(path: &Path) -> Result<Secret<String>, ServeError> {
    let text = file::read(path).map_err(super::StoreError::from)?.map(Secret::new);
    let text = text.ok_or(KeysError::Unusable("there is no such password file"))?;
    Ok(text.expose().lines().next().unwrap_or_default().into())
}

/// The one private key of a PKCS #12 file, with its certificate.
fn unpack(bytes: &[u8], password: &Secret<String>) -> Result<Imported, KeysError> {
    let open = |policy| KeyStore::from_pkcs12(bytes, password.expose(), policy).ok();
    let unreadable = "it is no PKCS #12 file, or the password is another one";
    let store = open(Pkcs12ImportPolicy::Relaxed).ok_or(KeysError::Unusable(unreadable))?;
    let mut chains = store.entries().filter_map(|(_, entry)| match entry {
        KeyStoreEntry::PrivateKeyChain(chain) => Some(chain),
        _ => None,
    });
    match (chains.next(), chains.next()) {
        (Some(chain), None) => Ok(Imported {
            pkcs8: Zeroizing::new(chain.key().as_der().to_vec()),
            certificate: chain.certs().first().map(|certificate| certificate.as_der().to_vec()),
        }),
        (None, _) => Err(KeysError::Unusable("there is no private key in the file")),
        _ => Err(KeysError::Unusable("there is more than one private key in the file")),
    }
}
