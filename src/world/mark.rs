//! What tells that a file is as it was, without reading it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::types::Timestamp;

/// For how long a file must have been left alone before its mark speaks for its content. Two writes within one tick of a file system's
/// clock may leave the same mark; no clock ticks slower than every two seconds.
const SETTLED: Duration = Duration::from_secs(3);

/// Where a file is on the disk, how long it is, when it was written, and when anything of it was changed, which nobody can set back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    place: (u64, u64),
    size: u64,
    written: (i64, i64),
    /// Not known on every system.
    changed: Option<(i64, i64)>,
}

impl Mark {
    /// The mark of a file, of the one that a link leads to; nothing if there is none.
    #[allow(clippy::disallowed_methods, reason = "files are looked at here")]
    pub fn of(path: &Path) -> Option<Self> {
        let data = fs::metadata(path).ok()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Some(Self {
                place: (data.dev(), data.ino()),
                size: data.len(),
                written: (data.mtime(), data.mtime_nsec()),
                changed: Some((data.ctime(), data.ctime_nsec())),
            })
        }
        #[cfg(not(unix))]
        {
            let since = data.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
            let written = (i64::try_from(since.as_secs()).unwrap_or_default(), i64::from(since.subsec_nanos()));
            Some(Self { place: (0, 0), size: data.len(), written, changed: None })
        }
    }

    /// How long the file is, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the same mark at a later time means the same content.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        let rested = |(seconds, _): (i64, i64)| Timestamp::from_unix(seconds).is_some_and(|then| now.since(then) >= SETTLED);
        self.changed.is_some_and(rested) && rested(self.written)
    }

    /// The mark as one word.
    pub fn word(&self) -> String {
        let Self { place, size, written, changed } = self;
        format!("{place:?} {size} {written:?} {changed:?}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the tests look at real files")]
    use super::*;

    #[test]
    #[cfg(unix)]
    fn every_change_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(Mark::of(&path), None);
        fs::write(&path, "one").unwrap();
        let first = Mark::of(&path).unwrap();
        assert_eq!((first.size(), Mark::of(&path).as_ref()), (3, Some(&first)));
        // Another file of the same length, under the same name, and said to be as old.
        let other = folder.path().join("other");
        fs::write(&other, "two").unwrap();
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::File::options().write(true).open(&other).unwrap().set_modified(time).unwrap();
        fs::rename(&other, &path).unwrap();
        let second = Mark::of(&path).unwrap();
        assert_eq!(second.written, first.written);
        assert_ne!((&second, second.word()), (&first, first.word()));
        // The same file, made shorter.
        fs::write(&path, "").unwrap();
        assert_ne!(Mark::of(&path).unwrap(), second);
    }

    #[test]
    fn only_what_rested_for_a_while_is_settled() {
        let at = |seconds| Timestamp::from_unix(seconds).unwrap();
        let mark = Mark { place: (1, 2), size: 3, written: (1000, 5), changed: Some((1010, 5)) };
        assert!(!mark.is_settled(at(1012)));
        assert!(mark.is_settled(at(1013)));
        // Written in the future, by a clock that is ahead; or on a system that does not tell changes.
        assert!(!Mark { written: (2000, 0), ..mark.clone() }.is_settled(at(1100)));
        assert!(!Mark { changed: None, ..mark }.is_settled(at(1100)));
    }
}
