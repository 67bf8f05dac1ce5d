//! The system's keychains, through `keyring-core` and its stores.
//!
//! A keychain may ask a person in a window, or hang. So everything happens on one thread of the keychain's own, started by
//! the first question; one that is not answered in time is given up. A keychain that was locked once counts as locked for
//! the rest of the run. That thread is also why a store may block, or run an executor of its own, under an async runtime.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::{Zeroize as _, Zeroizing};

use super::file::Holder;
use super::names::{self, SERVICE};
use super::{Key, Vault, VaultError};
use crate::types::{Secret, Untrusted};
use crate::world::was_interrupted;

/// How often somebody who waits looks whether Ctrl-C was pressed.
const GLANCE: Duration = Duration::from_millis(50);

/// Opens a store; may take long, or fail.
type Open = Box<dyn FnOnce() -> keyring_core::Result<Arc<CredentialStore>> + Send>;
/// Done on the keychain's thread, with the store or the reason why there is none.
type Job = Box<dyn FnOnce(Result<&CredentialStore, &VaultError>) + Send>;
/// Looks for an old tool's item.
type Old = fn(&CredentialStore, &Key) -> keyring_core::Result<Option<Secret<String>>>;

/// One of the system's keychains. Nothing is opened before it is asked for something.
pub struct Keychain {
    name: &'static str,
    /// Whether items can carry a text for people.
    labels: bool,
    /// What it means when access is denied.
    denied: fn(&'static str) -> VaultError,
    patience: Duration,
    old: Old,
    worker: Mutex<Worker>,
    /// Items that were deleted in this run: what the old tools left under the same name must not come back.
    deleted: Mutex<HashSet<String>>,
}

/// The keychain's thread.
enum Worker {
    Waiting(Open),
    Running(Sender<Job>),
    Over(VaultError),
}

impl fmt::Debug for Keychain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keychain").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Keychain {
    /// Any store of `keyring-core`, by a name for people.
    pub fn over(name: &'static str, open: impl FnOnce() -> keyring_core::Result<Arc<CredentialStore>> + Send + 'static) -> Self {
        Self {
            name,
            labels: false,
            denied: VaultError::Locked,
            // A desktop that hangs must not hold a login for long; who unlocks it later gains from it the next time.
            patience: Duration::from_secs(10),
            old: |_, _| Ok(None),
            worker: Mutex::new(Worker::Waiting(Box::new(open))),
            deleted: Mutex::default(),
        }
    }

    /// Whoever answers for the Secret Service on the session bus: GNOME's keyring, KDE's wallet, KeePassXC.
    #[cfg(target_os = "linux")]
    pub fn secret_service() -> Self {
        let open = || Ok(zbus_secret_service_keyring_store::Store::new()? as Arc<CredentialStore>);
        Self { labels: true, old: old::secret_service, ..Self::over("Secret Service", open) }
    }

    /// The kernel's keys. They go when the machine restarts, and where they are not allowed (containers) there are none.
    #[cfg(target_os = "linux")]
    pub fn keyutils() -> Self {
        let open = || Ok(linux_keyutils_keyring_store::Store::new()? as Arc<CredentialStore>);
        Self { denied: VaultError::Absent, ..Self::over("kernel keyring", open) }
    }

    /// The login keychain.
    #[cfg(target_os = "macos")]
    pub fn macos() -> Self {
        let open = || Ok(apple_native_keyring_store::keychain::Store::new()? as Arc<CredentialStore>);
        // Its window asks for the person's password, which takes longer to type than it takes to see that nobody is there.
        Self { patience: Duration::from_secs(60), old: old::macos, ..Self::over("macOS keychain", open) }
    }

    /// The Credential Manager. It takes no more than 2560 bytes: a place for a key, not for a session.
    #[cfg(windows)]
    pub fn windows() -> Self {
        let open = || Ok(windows_native_keyring_store::Store::new()? as Arc<CredentialStore>);
        Self { old: old::windows, ..Self::over("Credential Manager", open) }
    }

    /// How long one question may take.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Does `work` on the keychain's thread.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&CredentialStore) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, VaultError> {
        let mut worker = lock(&self.worker);
        let jobs = match std::mem::replace(&mut *worker, Worker::Over(self.failed("its thread did not start"))) {
            Worker::Waiting(open) => start(self.name, open).map_err(|error| self.failed(&error.to_string()))?,
            Worker::Running(jobs) => jobs,
            Worker::Over(error) => {
                *worker = Worker::Over(error.clone());
                return Err(error);
            }
        };
        let (answer, answered) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |store| {
            let result = store.map_err(|absent| Trouble::Vault(absent.clone()));
            // Nobody may be waiting any more.
            let _ = answer.send(result.and_then(|store| work(store).map_err(Trouble::Store)));
        });
        // If the thread has ended, the job is dropped with its end of the channel, and the wait below says so.
        let _ = jobs.send(job);
        match self.wait(&answered) {
            Ok(result) => {
                let result = result.map_err(|trouble| self.translate(trouble));
                *worker = match &result {
                    // A person who closed the keychain's window is not shown it again.
                    Err(error @ (VaultError::Absent(_) | VaultError::Locked(_))) => Worker::Over(error.clone()),
                    _ => Worker::Running(jobs),
                };
                result
            }
            Err(reason) => {
                let error = match reason {
                    RecvTimeoutError::Timeout => VaultError::Locked(self.name),
                    RecvTimeoutError::Disconnected => self.failed("its thread ended"),
                };
                *worker = Worker::Over(error.clone());
                Err(error)
            }
        }
    }

    /// Waits for an answer: as long as it may take, or until the person has had enough.
    fn wait<T>(&self, answered: &Receiver<T>) -> Result<T, RecvTimeoutError> {
        let mut left = self.patience;
        loop {
            let part = left.min(GLANCE);
            match answered.recv_timeout(part) {
                Err(RecvTimeoutError::Timeout) if left > part && !was_interrupted() => left -= part,
                outcome => return outcome,
            }
        }
    }

    fn failed(&self, why: &str) -> VaultError {
        VaultError::Failed { vault: self.name, why: Untrusted::new(why).to_string() }
    }

    /// A store's error in our words. Those that carry bytes of an item are never printed with `Debug`.
    fn translate(&self, trouble: Trouble) -> VaultError {
        match trouble {
            Trouble::Vault(error) => error,
            Trouble::Store(Error::NoStorageAccess(_)) => (self.denied)(self.name),
            #[cfg(target_os = "macos")]
            Trouble::Store(Error::PlatformFailure(error)) if old::needs_a_person(error.as_ref()) => VaultError::Locked(self.name),
            Trouble::Store(Error::Ambiguous(items)) => self.failed(&format!("{} of its items have the same name", items.len())),
            Trouble::Store(Error::BadEncoding(_)) => self.failed("the item is not text"),
            Trouble::Store(error) => self.failed(&error.to_string()),
        }
    }

    fn store(&self, item: &str, label: Option<String>, value: &Secret<String>) -> Result<(), VaultError> {
        let (item, value, label) = (item.to_owned(), value.clone(), label.filter(|_| self.labels));
        self.run(move |store| {
            let labels = label.as_deref().map(|label| HashMap::from([("label", label)]));
            let entry = store.build(SERVICE, &item, labels.as_ref())?;
            match entry.set_secret(value.expose().as_bytes()) {
                // Another program made copies; one is enough.
                Err(Error::Ambiguous(copies)) => {
                    delete_each(&copies)?;
                    entry.set_secret(value.expose().as_bytes())
                }
                result => result,
            }
        })
    }
}

/// What may go wrong on the keychain's thread.
enum Trouble {
    Vault(VaultError),
    Store(Error),
}

/// Starts the thread. It ends when the keychain is dropped, or with the process if it hangs.
fn start(name: &'static str, open: Open) -> std::io::Result<Sender<Job>> {
    let (jobs, todo) = mpsc::channel::<Job>();
    std::thread::Builder::new().name("keychain".to_owned()).spawn(move || {
        // A store that does not open is one that is not here: no session bus, nobody on it who keeps secrets.
        let store = open().map_err(|_| VaultError::Absent(name));
        for job in todo {
            job(store.as_ref().map(AsRef::as_ref));
        }
    })?;
    Ok(jobs)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn delete_each(copies: &[Entry]) -> keyring_core::Result<()> {
    copies.iter().try_for_each(Entry::delete_credential)
}

/// The bytes of an item, if it is there. Of several copies any will do.
fn bytes(entry: &Entry) -> keyring_core::Result<Option<Zeroizing<Vec<u8>>>> {
    let found = match entry.get_secret() {
        Err(Error::Ambiguous(copies)) => copies.first().map_or(Err(Error::NoEntry), Entry::get_secret),
        found => found,
    };
    match found {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The text of an item, if it is there.
fn text(entry: &Entry) -> keyring_core::Result<Option<Secret<String>>> {
    bytes(entry)?
        .map(|mut bytes| {
            String::from_utf8(std::mem::take(&mut *bytes)).map(Secret::new).map_err(|error| {
                error.into_bytes().zeroize();
                Error::BadEncoding(Vec::new())
            })
        })
        .transpose()
}

impl Vault for Keychain {
    fn name(&self) -> &'static str {
        self.name
    }

    fn get(&self, key: &Key) -> Result<Option<Secret<String>>, VaultError> {
        match self.read(&names::item(key))? {
            Some(found) => Ok(Some(found)),
            None => self.old(key),
        }
    }

    fn set(&self, key: &Key, value: &Secret<String>) -> Result<(), VaultError> {
        self.store(&names::item(key), Some(names::label(key)), value)
    }

    fn delete(&self, key: &Key) -> Result<(), VaultError> {
        let item = names::item(key);
        lock(&self.deleted).insert(item.clone());
        self.run(move |store| match store.build(SERVICE, &item, None)?.delete_credential() {
            Err(Error::NoEntry) => Ok(()),
            Err(Error::Ambiguous(copies)) => delete_each(&copies),
            result => result,
        })
    }
}

impl Holder for Keychain {
    fn read(&self, item: &str) -> Result<Option<Secret<String>>, VaultError> {
        let item = item.to_owned();
        self.run(move |store| text(&store.build(SERVICE, &item, None)?))
    }

    fn write(&self, item: &str, value: &Secret<String>) -> Result<(), VaultError> {
        self.store(item, Some("saml2cloud: key of the encrypted file".to_owned()), value)
    }

    fn old(&self, key: &Key) -> Result<Option<Secret<String>>, VaultError> {
        if lock(&self.deleted).contains(&names::item(key)) {
            return Ok(None);
        }
        let (key, old) = (key.clone(), self.old);
        // What the old tools left is a gift: if it cannot be read, there is none.
        match self.run(move |store| old(store, &key)) {
            Err(VaultError::Failed { why, .. }) => {
                tracing::debug!("the old tools' item in the {} was not read: {why}", self.name);
                Ok(None)
            }
            result => result,
        }
    }
}

/// Where the old tools put their items, a system each.
mod old {
    use super::*;

    /// The attribute `profile` is the address; the secret is a document.
    #[cfg(target_os = "linux")]
    pub(super) fn secret_service(store: &CredentialStore, key: &Key) -> keyring_core::Result<Option<Secret<String>>> {
        for address in names::old_addresses(key) {
            for entry in store.search(&HashMap::from([("profile", address.as_str())]))? {
                let found = bytes(&entry)?.and_then(|bytes| names::read_old_item(&bytes, &address, &key.username));
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// An internet password for host, port and path. The old tools looked without the account, and could find
    /// another person's or program's; here the account counts.
    #[cfg(target_os = "macos")]
    pub(super) fn macos(_: &CredentialStore, key: &Key) -> keyring_core::Result<Option<Secret<String>>> {
        use security_framework::os::macos::passwords::{SecAuthenticationType, SecProtocolType, find_internet_password};
        for address in names::old_addresses(key) {
            let Some(item) = names::internet_item(&address) else { continue };
            let protocol = if item.is_http { SecProtocolType::HTTP } else { SecProtocolType::HTTPS };
            let kind = SecAuthenticationType::Any;
            match find_internet_password(None, &item.host, None, &key.username, &item.path, item.port, protocol, kind) {
                Ok((found, _)) => {
                    let found = String::from_utf8(found.to_owned()).map(Secret::new).ok();
                    return Ok(found.filter(|found| !found.expose().is_empty()));
                }
                Err(error) => match apple_native_keyring_store::keychain::decode_error(error) {
                    Error::NoEntry => {}
                    error => return Err(error),
                },
            }
        }
        Ok(None)
    }

    /// Whether the keychain would have to show its window and cannot, or the person closed it.
    #[cfg(target_os = "macos")]
    pub(super) fn needs_a_person(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
        // errSecInteractionNotAllowed, errSecAuthFailed, errSecInteractionRequired, userCanceled
        error
            .downcast_ref::<security_framework::base::Error>()
            .is_some_and(|error| matches!(error.code(), -25308 | -25293 | -25315 | -128))
    }

    /// A generic credential whose target is the address.
    #[cfg(windows)]
    pub(super) fn windows(store: &CredentialStore, key: &Key) -> keyring_core::Result<Option<Secret<String>>> {
        for address in names::old_addresses(key) {
            let entry = store.build(SERVICE, &key.username, Some(&HashMap::from([("target", address.as_str())])))?;
            let whose = match entry.get_attributes() {
                Ok(attributes) => attributes.get("username").cloned(),
                Err(Error::NoEntry) => continue,
                Err(error) => return Err(error),
            };
            if whose.as_deref() == Some(&key.username)
                && let Some(found) = text(&entry)?.filter(|found| !found.expose().is_empty())
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
