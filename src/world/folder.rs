//! Folders of our own that another program fills, a browser's profile: for the owner alone, and one run at a time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::file::{FileError, make_folder};
use super::nonce;

/// How the names of folders begin that do not outlive their run.
const ONCE: &str = "once-";

/// A folder that this run holds.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    is_new: bool,
    /// Where the lock is, if the folder goes with the run.
    once: Option<PathBuf>,
    /// Held, not read; it goes with the process, also a killed one.
    lock: File,
}

impl Folder {
    /// Takes the folder, made if it is missing; nothing while another run has it.
    ///
    /// # Errors
    /// It cannot be made, locked or closed to others.
    pub fn take(path: &Path) -> Result<Option<Self>, FileError> {
        make_folder(path.parent().unwrap_or(Path::new(".")))?;
        let Some(lock) = lock(path)? else { return Ok(None) };
        let is_new = !path.is_dir();
        make_folder(path)?;
        close_to_others(path)?;
        Ok(Some(Self { path: path.to_owned(), is_new, once: None, lock }))
    }

    /// A folder below `parent` that goes when this is dropped. What killed runs left there goes first.
    ///
    /// # Errors
    /// It cannot be made.
    #[allow(clippy::disallowed_methods, reason = "folders are read here")]
    pub fn once(parent: &Path) -> Result<Self, FileError> {
        make_folder(parent)?;
        let left = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in left.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(ONCE))) {
            // Whoever still uses it holds its lock.
            if let Ok(Some(mut folder)) = Self::take(&path) {
                folder.once = Some(lock_of(&path));
            }
        }
        let path = parent.join(format!("{ONCE}{}", nonce()));
        let busy = || std::io::Error::from(std::io::ErrorKind::WouldBlock);
        let mut folder = Self::take(&path)?.ok_or_else(|| FileError::new("lock", &path)(busy()))?;
        folder.once = Some(lock_of(&path));
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was made just now.
    pub fn is_new(&self) -> bool {
        self.is_new
    }
}

impl Drop for Folder {
    #[allow(clippy::disallowed_methods, reason = "files are removed here")]
    fn drop(&mut self) {
        if let Some(lock) = &self.once {
            let _ = fs::remove_dir_all(&self.path);
            let _ = fs::remove_file(lock);
        }
        let _ = self.lock.unlock();
    }
}

fn lock_of(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.lock", path.file_name().unwrap_or_default().to_string_lossy()))
}

/// The lock of the folder; nothing while another run holds it.
#[allow(clippy::disallowed_methods, reason = "files are locked here")]
fn lock(path: &Path) -> Result<Option<File>, FileError> {
    let path = lock_of(path);
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(FileError::new("open the lock", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(FileError::new("lock", &path)(error)),
    }
}

/// Takes away what others may do in a folder that was there before.
#[allow(clippy::disallowed_methods, reason = "modes are set here")]
fn close_to_others(path: &Path) -> Result<(), FileError> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(FileError::new("protect", path))?;
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the tests look at real files")]
    use super::*;

    #[test]
    fn one_run_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/idp.example");
        let held = Folder::take(&path).unwrap().unwrap();
        assert!(held.is_new() && Folder::take(&path).unwrap().is_none());
        drop(held);
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let again = Folder::take(&path).unwrap().unwrap();
        assert!(!again.is_new());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn what_is_for_once_leaves_nothing_even_of_a_killed_run() {
        let place = tempfile::tempdir().unwrap();
        let killed = place.path().join("once-of-a-killed-run");
        fs::create_dir(&killed).unwrap();
        fs::write(killed.join("Cookies"), "secret").unwrap();
        let kept = place.path().join("idp.example");
        fs::create_dir(&kept).unwrap();
        let first = Folder::once(place.path()).unwrap();
        fs::write(first.path().join("Cookies"), "secret").unwrap();
        assert!(!killed.exists() && kept.exists());
        let second = Folder::once(place.path()).unwrap();
        assert!(first.path().exists(), "a run took away what another one uses");
        drop((first, second));
        let left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(left, [kept]);
    }
}
