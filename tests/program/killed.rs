//! A machine that stops in the middle of a write. This program starts itself again as a writer that does nothing but replace one
//! file, and kills it, two hundred times: whatever the moment, the file is an old version or a new one, whole, and what was left
//! half-written is gone after the next run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use saml2cloud::world::file::{self, FileError};

use crate::support::mode;

/// Names the file, in the writer's environment.
const FILE: &str = "SAML2CLOUD_TEST_WRITES_TO";
const KILLS: usize = 200;
/// Lines of a version; the file is large enough that a write takes a while.
const LINES: usize = 4000;

fn version(number: u64) -> String {
    let mut text = format!("[version {number}]\n");
    for line in 0..LINES {
        text += &format!("key_{line} = {number:020}\n");
    }
    text + "end\n"
}

/// The number of a version, if that is what the text is, whole.
fn number(text: &str) -> Option<u64> {
    let number = text.strip_prefix("[version ")?.split_once(']')?.0.parse().ok()?;
    (text == version(number)).then_some(number)
}

/// The writer; it ends by being killed.
fn write_until_killed(path: &Path) -> ! {
    loop {
        file::edit(path, |old| Ok::<_, FileError>(Some(version(old.and_then(number).expect("a whole version") + 1)))).unwrap();
    }
}

fn writer(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::a_killed_write_is_no_write_or_a_whole_one", "--test-threads=1"]).env(FILE, path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What is beside the file, but for the lock.
fn leftovers(path: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|other| other != path && !other.to_string_lossy().ends_with(".lock")).collect()
}

/// Some number below `end` that is another one each time.
fn some(end: u64) -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish() % end
}

#[test]
fn a_killed_write_is_no_write_or_a_whole_one() {
    // The same test, started again below, is the writer.
    if let Some(path) = std::env::var_os(FILE) {
        write_until_killed(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    file::replace(&path, &version(0)).unwrap();
    let now = || number(&std::fs::read_to_string(&path).unwrap()).expect("a whole version, whenever it is looked at");
    let mut left = 0;
    for _ in 0..KILLS {
        let before = now();
        let mut child = writer(&path);
        while now() == before {
            assert_eq!(child.try_wait().unwrap(), None, "the writer ended by itself");
        }
        // Readers look on meanwhile; how often makes the moment of the end another one each time.
        for _ in 0..some(20) {
            now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(now() > before);
        assert_eq!(mode(&path), 0o600);
        // Those of the run before are gone: each run removes what it finds.
        let beside = leftovers(&path);
        assert!(beside.len() <= 1, "{beside:?}");
        assert!(beside.iter().all(|file| mode(file) == 0o600));
        left += beside.len();
    }
    assert!(left > 0, "not one of {KILLS} kills met a write under way, so this shows nothing");
    let last = now();
    file::edit(&path, |_| Ok::<_, FileError>(None)).unwrap();
    assert_eq!((leftovers(&path), now()), (Vec::new(), last));
}
