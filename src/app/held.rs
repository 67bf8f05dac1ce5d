//! What the files of profiles say of an account's profile. Files of thousands of profiles take longer to read than all the rest of a
//! run, so what such files say is noted, with the marks by which a later run knows that they have not changed since.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use super::cache;
use super::login::store_of;
use crate::cloud::Held;
use crate::config::Account;
use crate::types::{Region, Role, Timestamp};
use crate::world::{Mark, World, file};

/// Files up to this many bytes together are read as quickly as a note.
const SMALL: u64 = 64 * 1024;

#[derive(Deserialize)]
struct Note {
    about: Vec<String>,
    key_id: Option<String>,
    assumed: Option<String>,
    region: Option<String>,
    session_until: Option<i64>,
}

/// What the cloud's files say of the profile for `role`, as they are now.
pub(super) fn look(world: &World<'_>, account: &Account, role: &Role) -> Held {
    let store = store_of(world, account);
    let profile = account.profile_for(role);
    let now = world.clock.now();
    // Taken before the files are read: what is written meanwhile makes the note one of the past.
    let files: Vec<(PathBuf, Option<Mark>)> = store.files().into_iter().map(|path| (path.to_owned(), Mark::of(path))).collect();
    let marks = || files.iter().filter_map(|(_, mark)| mark.as_ref());
    if marks().map(Mark::size).sum::<u64>() <= SMALL {
        return store.look(profile);
    }
    let Some(about) = about(profile.as_str(), &files) else { return store.look(profile) };
    let path = cache::note(world.paths, account, role);
    if let Some(held) = read(&path, &about) {
        return held;
    }
    let held = store.look(profile);
    if marks().all(|mark| mark.is_settled(now)) {
        let region = held.region.as_ref().map(Region::as_str);
        let note = json!({ "about": about, "key_id": held.key_id, "assumed": held.assumed, "region": region,
            "session_until": held.session_until.map(Timestamp::unix) });
        // Without the note the next run reads the files too.
        let _ = file::replace(&path, &note.to_string());
    }
    held
}

/// What a note is about: a profile in these files as they are. Nothing for a path that is no text.
fn about(profile: &str, files: &[(PathBuf, Option<Mark>)]) -> Option<Vec<String>> {
    let mut about = vec!["version 1".to_owned(), profile.to_owned()];
    for (path, mark) in files {
        about.push(path.to_str()?.to_owned());
        about.push(mark.as_ref().map_or_else(|| "absent".to_owned(), Mark::word));
    }
    Some(about)
}

fn read(path: &std::path::Path, about: &[String]) -> Option<Held> {
    let note: Note = serde_json::from_str(&file::read(path).ok()??).ok()?;
    (note.about == about).then_some(())?;
    // A region that cannot be one is not ours.
    let region = note.region.map(|text| Region::parse(&text)).transpose().ok()?;
    let session_until = note.session_until.and_then(Timestamp::from_unix);
    Some(Held { key_id: note.key_id, assumed: note.assumed, region, session_until })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the tests look at real files")]
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use async_trait::async_trait;

    use super::*;
    use crate::config::Accounts;
    use crate::types::{AccountName, Timestamp};
    use crate::world::{Clock, Env, HttpNetwork, Paths, SystemLauncher, SystemListener};

    /// A clock that is so many seconds ahead.
    struct Ahead(u64);

    #[async_trait]
    impl Clock for Ahead {
        fn now(&self) -> Timestamp {
            Timestamp::system_now().after(Duration::from_secs(self.0))
        }

        async fn sleep(&self, _: Duration) {}
    }

    const ACCOUNT: &str = "[a]\nurl = \"https://sso.jumpcloud.com/saml2/x\"\nprovider = \"JumpCloud\"\naws_profile = \"p\"\n\
        alibabacloud_profile = \"p\"\n";

    /// What is held, so many seconds later.
    fn held(home: &Path, role: &str, later: u64) -> Held {
        let (paths, env) = (Paths::below(home), Env::default());
        let role = Role::parse(role).unwrap();
        let cloud = role.arn().unwrap().cloud();
        let name = AccountName::parse("a").unwrap();
        let accounts = Accounts::load(&paths, &env, None, Some(cloud)).unwrap();
        let found = accounts.find(&name, Some(cloud), None, &crate::config::Draft::default()).unwrap();
        let account = Account::check(&found[0], &found[0].draft).unwrap();
        let world = World {
            network: &HttpNetwork,
            clock: &Ahead(later),
            launcher: &SystemLauncher,
            listener: &SystemListener,
            env: &env,
            paths: &paths,
        };
        look(&world, &account, &role)
    }

    fn notes(home: &Path) -> Vec<PathBuf> {
        file::list(&Paths::below(home).credentials_cache(), "held")
    }

    /// A large file of one cloud's profiles in a home; `p` holds this key.
    fn home(cloud: &str, key: &str) -> (tempfile::TempDir, PathBuf, &'static str) {
        let home = tempfile::tempdir().unwrap();
        let (accounts, file, text, role) = match cloud {
            "aws" => {
                let others: String = (0..3000).map(|n| format!("[p{n}]\naws_access_key_id = ASIA{n}\nregion = x\n")).collect();
                let text = format!("{others}[p]\naws_access_key_id = {key}\nregion = eu-west-1\n");
                (".saml2aws", ".aws/credentials", text, "arn:aws:iam::1:role/r")
            }
            _ => {
                let profile = |name: &str, key: &str| json!({ "name": name, "access_key_id": key, "region_id": "eu-west-1" });
                let mut all: Vec<_> = (0..3000).map(|n| profile(&format!("p{n}"), "STS.x")).collect();
                all.push(profile("p", key));
                let text = json!({ "current": "p", "profiles": all }).to_string();
                (".saml2alibabacloud", ".aliyun/config.json", text, "acs:ram::1:role/r")
            }
        };
        let file = home.path().join(file);
        fs::write(home.path().join(accounts), ACCOUNT).unwrap();
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        (home, file, role)
    }

    #[test]
    fn a_note_speaks_for_a_file_only_while_it_is_as_it_was() {
        for cloud in ["aws", "alibaba"] {
            let (home, file, role) = home(cloud, "KEY-ONE");
            let key = |later| held(home.path(), role, later).key_id.unwrap();
            // Just written: what is written next might leave the same marks.
            assert_eq!((key(0).as_str(), notes(home.path()).len()), ("KEY-ONE", 0));
            assert_eq!((key(60).as_str(), notes(home.path()).len()), ("KEY-ONE", 1));
            let whole = held(home.path(), role, 60);
            assert_eq!(whole.region.unwrap().as_str(), "eu-west-1");
            // That the note is what is read shows where it lies.
            let note = &notes(home.path())[0];
            fs::write(note, fs::read_to_string(note).unwrap().replace("KEY-ONE", "A-NOTE")).unwrap();
            assert_eq!(key(60), "A-NOTE");
            // As many bytes, with the time set back; once the system's clock has ticked, as it has when a mark is settled.
            let before = Mark::of(&file);
            let time = fs::metadata(&file).unwrap().modified().unwrap();
            fs::write(&file, fs::read_to_string(&file).unwrap().replace("KEY-ONE", "KEY-TWO")).unwrap();
            let open = fs::File::options().write(true).open(&file).unwrap();
            while Mark::of(&file) == before {
                open.set_modified(time).unwrap();
            }
            assert_eq!((key(0).as_str(), key(60).as_str(), key(60).as_str()), ("KEY-TWO", "KEY-TWO", "KEY-TWO"));
            fs::write(note, "not JSON").unwrap();
            assert_eq!(key(60), "KEY-TWO");
            fs::remove_file(&file).unwrap();
            assert_eq!(held(home.path(), role, 60), Held::default());
        }
    }

    #[test]
    fn a_large_configuration_counts_too() {
        let (home, _, role) = home("aws", "KEY-ONE");
        held(home.path(), role, 60);
        let credentials = home.path().join(".aws/credentials");
        let text = fs::read_to_string(&credentials).unwrap().replace("region = eu-west-1\n", "");
        fs::write(&credentials, text).unwrap();
        assert_eq!(held(home.path(), role, 60).region, None);
        fs::write(home.path().join(".aws/config"), "[profile p]\nregion = us-east-2\n").unwrap();
        assert_eq!(held(home.path(), role, 60).region.unwrap().as_str(), "us-east-2");
    }

    #[test]
    fn small_files_are_read() {
        let (home, file, role) = home("aws", "KEY-ONE");
        fs::write(file, "[p]\naws_access_key_id = KEY-SIX\n").unwrap();
        assert_eq!((held(home.path(), role, 60).key_id.unwrap().as_str(), notes(home.path()).len()), ("KEY-SIX", 0));
    }
}
