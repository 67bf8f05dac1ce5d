//! Files that other programs read and write too: locked, read, replaced whole.
//!
//! A file is never changed in place. Under a lock of our own (a file beside it), the old text is read, the
//! new one is written to a second file with mode 0600, forced to the disk, and renamed over the old name. So
//! whoever reads, and whenever the machine stops, sees the old text or the new one. Links are followed: the
//! file they point at is replaced, not the link.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::mark::Mark;

/// No file that we edit is larger than this many bytes; a larger one is not what it claims to be.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How often a change is made again because another program changed the file meanwhile.
const TRIES: usize = 8;

/// A file could not be read or replaced.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} `{}`", path.display())]
pub struct FileError {
    doing: &'static str,
    /// The file.
    pub path: PathBuf,
    #[source]
    source: io::Error,
}

impl FileError {
    pub(super) fn new(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { doing, path, source }
    }
}

/// The text of a file; nothing if there is none.
///
/// # Errors
/// The file cannot be read, is larger than 16 MiB, or is not UTF-8.
#[allow(clippy::disallowed_methods, reason = "files are read here")]
pub fn read(path: &Path) -> Result<Option<String>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::new("read", path)(error)),
    };
    // Room for the whole file at once; what it really holds is what counts.
    let size = file.metadata().map_or(0, |data| data.len().min(LARGEST));
    let mut text = String::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    let read = file.take(LARGEST + 1).read_to_string(&mut text).map_err(FileError::new("read", path))?;
    if read as u64 > LARGEST {
        return Err(FileError::new("read", path)(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB")));
    }
    Ok(Some(text))
}

/// The bytes of a file; nothing if there is none.
///
/// # Errors
/// The file cannot be read, or is larger than 16 MiB.
#[allow(clippy::disallowed_methods, reason = "files are read here")]
pub fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::new("read", path)(error)),
    };
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(FileError::new("read", path))?;
    if read as u64 > LARGEST {
        return Err(FileError::new("read", path)(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB")));
    }
    Ok(Some(bytes))
}

/// Whether nobody but its owner can read a file. Where files have no such modes, the folder has to see to it.
#[allow(clippy::disallowed_methods, reason = "files are looked at here")]
pub fn is_private(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 == 0)
    }
    #[cfg(not(unix))]
    {
        fs::metadata(path).is_ok()
    }
}

/// Edits a file as in a database: `change` gets the old text (nothing if there is no file) and returns the
/// new one, or nothing to leave all as it is. The folder is made (0700) when it is missing.
///
/// # Errors
/// What `change` returns, or a [`FileError`]; the file is then as it was.
pub fn edit<E: From<FileError>>(path: &Path, mut change: impl FnMut(Option<&str>) -> Result<Option<String>, E>) -> Result<(), E> {
    let target = resolve(path)?;
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(folder)?;
    let _lock = Lock::beside(&target)?;
    remove_leftovers(&target, folder);
    for attempt in 1.. {
        let before = Mark::of(&target);
        let old = read(&target)?;
        let Some(new) = change(old.as_deref())? else { return Ok(()) };
        if old.as_deref() == Some(new.as_str()) {
            tighten(&target)?;
            return Ok(());
        }
        let beside = write_beside(&target, folder, &new)?;
        // Programs that do not know our lock may have written since: then their text is the old one, and the
        // change is made again.
        if Mark::of(&target) == before || attempt == TRIES {
            beside.persist(&target).map_err(|error| FileError::new("replace", &target)(error.error))?;
            sync_folder(folder);
            return Ok(());
        }
    }
    Ok(())
}

/// Writes a file of our own whole, with mode 0600. One lock serves the whole folder, which is ours too.
///
/// # Errors
/// A [`FileError`]; the file is then as it was.
pub fn replace(path: &Path, text: &str) -> Result<(), FileError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(folder)?;
    let _lock = Lock::take(&folder.join(".lock"))?;
    remove_leftovers(path, folder);
    write_beside(path, folder, text)?.persist(path).map_err(|error| FileError::new("replace", path)(error.error))?;
    sync_folder(folder);
    Ok(())
}

/// Waits until this lock is free, and holds it until it is dropped. The folder is made (0700) when it is missing. Whoever stops waiting
/// leaves only a thread behind that ends with the process.
///
/// # Errors
/// The lock's file cannot be made.
pub async fn lock(path: &Path) -> Result<Lock, FileError> {
    make_folder(path.parent().unwrap_or(Path::new(".")))?;
    let own = path.to_owned();
    match tokio::task::spawn_blocking(move || Lock::take(&own)).await {
        Ok(taken) => taken,
        Err(error) => Err(FileError::new("wait for the lock", path)(io::Error::other(error))),
    }
}

/// The same without waiting: nothing if somebody holds the lock.
///
/// # Errors
/// The lock's file cannot be made.
pub fn lock_now(path: &Path) -> Result<Option<Lock>, FileError> {
    make_folder(path.parent().unwrap_or(Path::new(".")))?;
    let file = Lock::open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(FileError::new("lock", path)(error)),
    }
}

/// Makes an empty file that its owner alone can read, for a program library that fills it itself; one that is there stays. The folder is
/// made (0700) when it is missing.
///
/// # Errors
/// It is not there and cannot be made.
#[allow(clippy::disallowed_methods, reason = "files are made here")]
pub fn make_private(path: &Path) -> Result<(), FileError> {
    make_folder(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(FileError::new("make", path)(error)),
        _ => Ok(()),
    }
}

/// Whether there is anything of this name.
pub fn is_there(path: &Path) -> bool {
    path.exists()
}

/// The path from the root on, by the folder that this process is in.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The files of a folder whose names end so; none if there is no such folder.
#[allow(clippy::disallowed_methods, reason = "folders are read here")]
pub fn list(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == ending)).collect()
}

/// Removes a file if it is there.
///
/// # Errors
/// It is there and cannot be removed.
#[allow(clippy::disallowed_methods, reason = "files are removed here")]
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Follows links to the file that is really there, or would be.
#[allow(clippy::disallowed_methods, reason = "files are looked up here")]
fn resolve(path: &Path) -> Result<PathBuf, FileError> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(path),
        }
    }
    Err(FileError::new("follow the links of", &path)(io::Error::other("they lead in a circle")))
}

#[allow(clippy::disallowed_methods, reason = "folders are made here")]
pub(super) fn make_folder(folder: &Path) -> Result<(), FileError> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(FileError::new("make the folder", folder))
}

/// The part before the random letters in the names of our half-written files.
fn prefix(target: &Path) -> String {
    format!(".{}.saml2cloud-", target.file_name().unwrap_or_default().to_string_lossy())
}

/// Under the lock nobody of ours is writing, so what a killed run left half-written, with secrets in it, goes.
#[allow(clippy::disallowed_methods, reason = "files are removed here")]
fn remove_leftovers(target: &Path, folder: &Path) {
    let prefix = prefix(target);
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().strip_prefix(&prefix).is_some_and(|rest| rest.ends_with(".tmp")) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes `text` beside `target`, readable by its owner alone, and forces it to the disk.
fn write_beside(target: &Path, folder: &Path, text: &str) -> Result<tempfile::NamedTempFile, FileError> {
    let mut builder = tempfile::Builder::new();
    let prefix = prefix(target);
    builder.prefix(&prefix).suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    let mut file = builder.tempfile_in(folder).map_err(FileError::new("write beside", target))?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(FileError::new("write beside", target))?;
    Ok(file)
}

/// Takes away what others may do with a file that holds secrets.
#[allow(clippy::disallowed_methods, reason = "modes are set here")]
fn tighten(path: &Path) -> Result<(), FileError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_err(FileError::new("look at", path))?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(FileError::new("protect", path))?;
        }
    }
    let _ = path;
    Ok(())
}

/// A rename lasts only once the folder is on the disk too. Some file systems cannot do this; then it is as safe as they are.
#[allow(clippy::disallowed_methods, reason = "folders are opened here")]
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// One writer at a time. The lock is a file beside the target, never the target itself, which changes with each
/// rename. It goes with the process, also a killed one.
pub struct Lock(#[allow(dead_code, reason = "held, not read")] File);

impl Lock {
    fn beside(target: &Path) -> Result<Self, FileError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        Self::take(&target.with_file_name(format!(".{}.lock", name.trim_start_matches('.'))))
    }

    fn take(path: &Path) -> Result<Self, FileError> {
        let file = Self::open(path)?;
        file.lock().map_err(FileError::new("lock", path))?;
        Ok(Self(file))
    }

    #[allow(clippy::disallowed_methods, reason = "files are locked here")]
    fn open(path: &Path) -> Result<File, FileError> {
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map_err(FileError::new("open the lock", path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the tests look at real files")]
    use super::*;

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    #[cfg(unix)]
    fn follows_links_and_protects() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        let link = folder.path().join("link");
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        edit(&link, |old| Ok::<_, FileError>(Some(format!("{}+new", old.unwrap())))).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read_to_string(&real).unwrap().as_str(), mode(&real)), ("old+new", 0o600));
        let below = folder.path().join("a/b/file");
        replace(&below, "x").unwrap();
        assert_eq!((mode(&below), mode(&folder.path().join("a"))), (0o600, 0o700));
    }

    #[tokio::test]
    async fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/turn.lock");
        let held = lock(&path).await.unwrap();
        assert!(lock_now(&path).unwrap().is_none());
        let waiting = tokio::spawn({
            let path = path.clone();
            async move { lock(&path).await.map(|_| ()) }
        });
        assert!(!waiting.is_finished());
        drop(held);
        waiting.await.unwrap().unwrap();
        assert!(lock_now(&path).unwrap().is_some());
    }

    #[test]
    fn a_refused_change_leaves_all_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let refused = edit(&path, |_| Err(FileError::new("like", &path)(io::Error::other("no"))));
        assert!(refused.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn a_foreign_write_in_between_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "theirs").unwrap();
        let mut first = true;
        edit(&path, |old| {
            let new = format!("{} ours", old.unwrap());
            if std::mem::take(&mut first) {
                fs::write(&path, "theirs, newer").unwrap();
            }
            Ok::<_, FileError>(Some(new))
        })
        .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs, newer ours");
    }

    #[test]
    fn what_a_killed_run_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".file.saml2cloud-abc.tmp");
        fs::write(&left, "secret").unwrap();
        replace(&folder.path().join("file"), "x").unwrap();
        assert!(!left.exists());
    }
}
