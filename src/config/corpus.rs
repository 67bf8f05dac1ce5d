//! Accounts files as people have them (`fixtures/config`), against what the old tools' own reader says of them: `tests/real/config` asks
//! it again. `NAME.json` is what it says; `NAME.ours.json`, where there is one, is what is read here instead, on purpose.

#![allow(clippy::disallowed_methods, reason = "tests look at real files; the list is about the product")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Dialect;
use crate::text::ini::Ini;

/// Account, key, value.
type Accounts = BTreeMap<String, BTreeMap<String, String>>;
/// Nothing where the file is refused.
type Reading = Option<Accounts>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config")
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn reading(dialect: &Dialect) -> Accounts {
    let settings =
        |name: &String| dialect.settings(name).unwrap().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    dialect.names().iter().map(|name| (name.clone(), settings(name))).collect()
}

fn reading_of(dialect: &Dialect, account: &str, key: &str) -> Option<String> {
    dialect.settings(account)?.into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
}

fn read(text: &str) -> Reading {
    Dialect::of(text).ok().map(|dialect| reading(&dialect))
}

/// The files of the corpus with their texts and readings.
fn files() -> Vec<(String, String, Reading)> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| {
        let ours = path.with_extension("ours.json");
        let reading = json(&if ours.exists() { ours } else { path.with_extension("json") });
        (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap(), reading)
    };
    let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e != "json")).map(of).collect();
    files.sort();
    assert!(files.len() >= 25, "{}", files.len());
    files
}

#[test]
fn each_file_means_what_it_meant_to_the_old_tools() {
    for (name, text, reading) in files() {
        assert_eq!(read(&text), reading, "{name}");
    }
}

#[test]
fn a_file_that_is_not_changed_is_printed_to_the_byte() {
    for (name, text, reading) in files() {
        if reading.is_some() {
            let account = read(&text).unwrap().into_keys().next();
            let printed = account.map_or_else(|| Ok(text.clone()), |account| Dialect::edited(&text, &account, &[]));
            assert_eq!(printed, Ok(text), "{name}");
        }
    }
}

/// What only some readers take for more than text.
const VALUES: [&str; 8] =
    ["plain", "https://x.example/#/y;z", "a # b", "a ; b", "ACME\\alice", "C:\\keys\\", "it's \"one\"", " padded "];

#[test]
fn one_setting_that_is_changed_changes_its_line_alone() {
    for (file, text, reading) in files() {
        for (account, settings) in reading.unwrap_or_default() {
            for (key, old) in settings {
                for value in VALUES.into_iter().filter(|value| *value != old) {
                    let edited = Dialect::edited(&text, &account, &[(&key, value)]).unwrap();
                    let place = format!("{file}: {key} of {account} becomes {value:?}");
                    let (gone, come) = difference(&text, &edited);
                    assert!(come.len() <= 1 + usize::from(!text.ends_with('\n')), "{place}: {come:?}");
                    assert!(gone.is_empty() || gone[0].contains(&key) || !text.ends_with('\n'), "{place}: {gone:?}");
                    assert_eq!(reading_of(&Dialect::of(&edited).unwrap(), &account, &key).as_deref(), Some(value), "{place}");
                    // What we write, the old tools read, whatever they take the file for.
                    if file != "toml-only.toml" {
                        let ini = Ini::parse_go(edited.trim_start_matches('\u{feff}'));
                        assert_eq!(reading_of(&Dialect::Ini(ini), &account, &key).as_deref(), Some(value), "{place}");
                    }
                }
            }
        }
    }
}

/// The lines that are only in the one and only in the other of two texts that are otherwise the same.
fn difference<'t>(old: &'t str, new: &'t str) -> (Vec<&'t str>, Vec<&'t str>) {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let front = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let back = old[front..].iter().rev().zip(new[front..].iter().rev()).take_while(|(a, b)| a == b).count();
    (old[front..old.len() - back].to_vec(), new[front..new.len() - back].to_vec())
}

#[derive(serde::Deserialize)]
struct Sample {
    text: String,
    says: Reading,
}

#[test]
fn texts_by_chance_mean_what_they_meant_to_the_old_tools() {
    let samples: Vec<Sample> = json(&folder().join("random.json"));
    assert!(samples.len() >= 300);
    let (mut refused, mut both) = (0, 0);
    for Sample { text, says } in samples {
        let ini = Ini::parse_go(&text);
        let is_sound = ini.strange().is_none();
        assert_eq!(is_sound.then(|| reading(&Dialect::Ini(ini))), says, "{text:?}");
        refused += usize::from(!is_sound);
        // One that is TOML as well says the same as TOML, but for what TOML alone has: values in brackets, and a line end that opens
        // a value is no part of it.
        if let Ok(dialect @ Dialect::Toml(_)) = Dialect::of(&text)
            && !["\"\"\"\n", "\"\"\"\r\n", "=[", ": [", "= ["].iter().any(|own| text.contains(own))
        {
            assert_eq!(Some(reading(&dialect)), says, "{text:?}");
            both += 1;
        }
    }
    assert!(refused > 10 && both > 10, "{refused} refused, {both} in both dialects");
}
