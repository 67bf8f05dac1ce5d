//! A key's life, each step with its event in the same transaction.

use std::time::Duration;

use zeroize::Zeroizing;

use super::certificate::{self, Facts, Wish};
use super::generate::{self, Size};
use super::local::Local;
use super::remote::Held;
use super::ring::TABLE;
use super::{Backend, Keepers, KeysError, Purpose, SigningKey, State};
use crate::tvm::audit::{AuthKind, Event};
use crate::tvm::model::{KeyId, UserId};
use crate::tvm::store::{Store, Tx, keys};
use crate::types::Timestamp;

/// The longest life of a certificate: ten years.
const LONGEST_DAYS: u32 = 3650;

/// Who does it.
#[derive(Debug, Clone, Default)]
pub struct By {
    /// The person, where there is one; the shell of the machine else.
    pub actor: Option<(UserId, String)>,
    /// From where.
    pub source_ip: Option<String>,
    /// The request.
    pub request: Option<String>,
}

impl By {
    fn event(&self, kind: &'static str, key: &SigningKey, params: serde_json::Value) -> Event {
        let auth = if self.actor.is_some() { AuthKind::Session } else { AuthKind::Console };
        Event {
            actor: self.actor.as_ref().map(|(id, _)| id.clone()),
            actor_gid: self.actor.as_ref().map(|(_, gid)| gid.clone()),
            source_ip: self.source_ip.clone(),
            request: self.request.clone(),
            ..Event::by(auth, kind, params).on("key", key.id.as_str(), None)
        }
    }
}

/// A key that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct NewKey<'k> {
    /// What for.
    pub purpose: Purpose,
    /// The host name of the service, for the certificate.
    pub name: &'k str,
    /// For how many days the certificate is good.
    pub days: u32,
}

/// A key that an administrator brings.
#[derive(Debug)]
pub struct Imported {
    /// PKCS #8, in DER.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// Its certificate, in DER; one is made where there is none.
    pub certificate: Option<Vec<u8>>,
}

/// A key of a cloud's key management.
#[derive(Debug, Clone, Copy)]
pub struct KeyThere<'k> {
    /// Whose.
    pub backend: Backend,
    /// Its name there: its identity, an alias or its ARN.
    pub key: &'k str,
    /// Its version, where keys have some (Alibaba Cloud).
    pub version: Option<&'k str>,
}

/// Makes a key that is kept here, pending.
///
/// # Errors
/// [`KeysError`].
pub async fn mint(
    store: &Store,
    keepers: &Keepers,
    new: &NewKey<'_>,
    size: Size,
    by: &By,
    now: Timestamp,
) -> Result<SigningKey, KeysError> {
    let pkcs8 = generate::private_key(size).ok_or(KeysError::Unusable("the system cannot make a key"))?;
    import(store, keepers, new, Imported { pkcs8, certificate: None }, by, now).await
}

/// Takes a key in, sealed, pending.
///
/// # Errors
/// [`KeysError`].
pub async fn import(
    store: &Store,
    keepers: &Keepers,
    new: &NewKey<'_>,
    imported: Imported,
    by: &By,
    now: Timestamp,
) -> Result<SigningKey, KeysError> {
    let id = KeyId::new(now);
    let seal = keepers.seal().ok_or_else(|| KeysError::NoPassphrase(id.clone()))?;
    let local = Local::new(&imported.pkcs8, Vec::new())
        .ok_or(KeysError::Unusable("the private key is not an RSA key of 2048 bits at least, in PKCS #8"))?;
    let certificate = match imported.certificate {
        Some(certificate) => certificate,
        None => {
            let sign = |message: Vec<u8>| std::future::ready(local.sign_now(&message));
            certificate::self_signed(&wish(new, now)?, local.public(), sign).await?
        }
    };
    if Facts::of(&certificate)?.public_key != local.public() {
        return Err(KeysError::Another(id));
    }
    let held = seal.close(&imported.pkcs8, TABLE, id.as_str())?;
    add(store, new, id, Backend::File, held, certificate, by, now).await
}

/// Takes a key of a cloud's key management, pending: its certificate is made here and signed there.
///
/// # Errors
/// [`KeysError`]; the key management is not set up, does not answer, or its key is none that is used here.
pub async fn enrol(
    store: &Store,
    keepers: &Keepers,
    new: &NewKey<'_>,
    there: &KeyThere<'_>,
    by: &By,
    now: Timestamp,
) -> Result<SigningKey, KeysError> {
    let id = KeyId::new(now);
    let KeyThere { backend, key, version } = *there;
    let kms = keepers.kms().ok_or_else(|| KeysError::NoKeeper(id.clone(), backend.word()))?;
    let held = Held { key: key.to_owned(), version: version.map(str::to_owned) };
    let there = kms.key(backend, &held)?;
    let public = kms.public_key(&there).await?;
    let sign = |message: Vec<u8>| async move { kms.sign(&there, &message).await };
    let certificate = certificate::self_signed(&wish(new, now)?, &public, sign).await?;
    certificate::holds(&certificate)?;
    let held = serde_json::to_string(&held).map_err(|_| KeysError::Unusable("the name of the key cannot be written down"))?;
    add(store, new, id, backend, held, certificate, by, now).await
}

fn wish<'w>(new: &NewKey<'w>, now: Timestamp) -> Result<Wish<'w>, KeysError> {
    if !(1..=LONGEST_DAYS).contains(&new.days) {
        return Err(KeysError::Unusable("a certificate is good for 1 to 3650 days"));
    }
    let day = Duration::from_secs(24 * 3600);
    // An hour back: the clocks of those who have to trust it may be behind.
    Ok(Wish { purpose: new.purpose, name: new.name, from: now.before(Duration::from_secs(3600)), lasts: day * new.days })
}

#[allow(clippy::too_many_arguments, reason = "all of it is the row")]
async fn add(
    store: &Store,
    new: &NewKey<'_>,
    id: KeyId,
    backend: Backend,
    held: String,
    certificate: Vec<u8>,
    by: &By,
    now: Timestamp,
) -> Result<SigningKey, KeysError> {
    let facts = Facts::of(&certificate)?;
    let key = SigningKey {
        id,
        purpose: new.purpose,
        backend,
        held,
        certificate,
        state: State::Pending,
        not_before: facts.not_before,
        not_after: facts.not_after,
        created: now,
        version: 1,
    };
    let params = serde_json::json!({
        "purpose": key.purpose.word(), "backend": key.backend.word(), "fingerprint": facts.fingerprint, "bits": facts.bits,
        "not_after": key.not_after.utc(),
    });
    let mut tx = store.begin(now).await?;
    tx.add_key(&key).await?;
    tx.commit(&by.event("key.new", &key, params)).await?;
    Ok(key)
}

/// Lets a pending key sign; the one that signed until now retires.
///
/// # Errors
/// [`KeysError`].
pub async fn activate(store: &Store, id: &KeyId, by: &By, now: Timestamp) -> Result<SigningKey, KeysError> {
    let mut tx = store.begin(now).await?;
    let (key, before) = activate_in(&mut tx, id).await?;
    let params = serde_json::json!({"purpose": key.purpose.word(), "instead_of": before.map(|before| before.to_string())});
    tx.commit(&by.event("key.activate", &key, params)).await?;
    Ok(key)
}

/// The same within a change; whose place the key took comes back with it.
///
/// # Errors
/// [`KeysError`].
pub async fn activate_in(tx: &mut Tx<'_>, id: &KeyId) -> Result<(SigningKey, Option<KeyId>), KeysError> {
    let key = keys::by_id(&mut *tx, id).await?;
    if key.not_after <= tx.now() {
        return Err(KeysError::Unusable("the certificate is over"));
    }
    let before = keys::all(&mut *tx).await?.into_iter().find(|old| old.purpose == key.purpose && old.state == State::Active);
    if let Some(before) = &before
        && before.id != key.id
    {
        tx.move_key(&before.id, before.version, State::Active, State::Retiring).await?;
    }
    tx.move_key(&key.id, key.version, key.state, State::Active).await?;
    Ok((SigningKey { state: State::Active, version: key.version + 1, ..key }, before.map(|before| before.id)))
}

/// Takes a key out for good.
///
/// # Errors
/// It signs; another has to sign first.
pub async fn retire(store: &Store, id: &KeyId, by: &By, now: Timestamp) -> Result<SigningKey, KeysError> {
    let mut tx = store.begin(now).await?;
    let key = retire_in(&mut tx, id).await?;
    tx.commit(&by.event("key.retire", &key, serde_json::json!({"purpose": key.purpose.word()}))).await?;
    Ok(key)
}

/// The same within a change.
///
/// # Errors
/// It signs; another has to sign first.
pub async fn retire_in(tx: &mut Tx<'_>, id: &KeyId) -> Result<SigningKey, KeysError> {
    let key = keys::by_id(&mut *tx, id).await?;
    if key.state == State::Active {
        return Err(KeysError::Unusable("this key signs; another one is activated first"));
    }
    tx.move_key(&key.id, key.version, key.state, State::Retired).await?;
    Ok(SigningKey { state: State::Retired, version: key.version + 1, ..key })
}
