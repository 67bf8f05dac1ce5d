//! The map is held against the code: who imports whom, what every provider file has, no file that outgrew itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the test reads the source")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom (docs/architecture.md, and the table in src/lib.rs).
const ARROWS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("text", &["types"]),
    ("world", &["types"]),
    ("vault", &["types", "world"]),
    ("ask", &["types", "world"]),
    ("http", &["types", "world"]),
    ("saml", &["types", "text"]),
    ("oidc", &["types", "world", "http"]),
    ("mfa", &["types", "world", "ask", "http"]),
    ("idp", &["types", "world", "vault", "ask", "http", "saml", "oidc", "mfa"]),
    ("cloud", &["types", "text", "world", "saml"]),
    ("config", &["types", "text", "world", "idp", "cloud"]),
    ("app", &["types", "world", "vault", "ask", "http", "saml", "oidc", "idp", "cloud", "config"]),
    ("tvm", &["types", "world", "saml", "cloud"]),
    ("server", &["types", "world", "saml", "cloud", "tvm"]),
    ("cli", &["types", "world", "vault", "ask", "config", "app", "server"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below `folder` with its text, tests left out: they may reach further.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && path.file_name().is_some_and(|n| n != "tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            found.push((path, product));
        }
    }
    found
}

/// The rooms that a text names as `crate::room`, also in a group `crate::{a, b}`.
fn imports(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for rest in line.split("crate::").skip(1) {
            let inner = rest.strip_prefix('{').map_or(rest, |group| group.split('}').next().unwrap_or(group));
            let many = rest.starts_with('{');
            for part in inner.split(',').take(if many { usize::MAX } else { 1 }) {
                let room: String = part.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                rooms.push(room);
            }
        }
    }
    rooms
}

#[test]
fn rooms_are_entered_by_their_doors() {
    let table: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (path, text) in files(&source()) {
        let inside = path.strip_prefix(source()).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if room == "main" || room == "lib" {
            continue;
        }
        let allowed = table.get(room.as_str()).unwrap_or_else(|| panic!("`{room}` is not in the table"));
        for import in imports(&text) {
            seen += 1;
            if import != room && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{} imports {import}", inside.display()));
            }
        }
    }
    assert!(seen > 100, "the test found only {seen} imports: it no longer reads them");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a table of rooms says in its last column of those that may be imported.
fn row<'p>(page: &'p str, begin: &str) -> Vec<&'p str> {
    let row = page.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("no row `{begin}`"));
    row.rsplit('|').nth(1).unwrap().trim().split(", ").filter(|name| *name != "—").collect()
}

#[test]
fn the_tables_of_the_crate_page_and_of_the_architecture_are_this_one() {
    let page = fs::read_to_string(source().join("lib.rs")).unwrap();
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    for (room, allowed) in ARROWS {
        assert_eq!(row(&page, &format!("//! | [`{room}`]")), *allowed, "{room} in src/lib.rs");
        assert_eq!(row(&map, &format!("| `{room}` |")), *allowed, "{room} in docs/architecture.md");
        assert!(page.contains(&format!("pub mod {room};")), "{room}");
    }
}

/// A provider's file tells its flow at the top as a numbered list, and is tried on saved pages or answers.
#[test]
fn every_provider_has_the_same_shape() {
    let mut providers = 0;
    for name in [
        "adfs/mod.rs",
        "adfs/adfs2.rs",
        "browser/mod.rs",
        "cloud_sso/mod.rs",
        "jumpcloud.rs",
        "form/mod.rs",
        "identity_center/mod.rs",
        "oidc/mod.rs",
        "okta/mod.rs",
        "tvm/mod.rs",
    ] {
        let text = fs::read_to_string(source().join("idp").join(name)).unwrap();
        let doc: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(
            doc.iter().any(|line| line.starts_with("//! 1. ")) && doc.iter().any(|line| line.starts_with("//! 2. ")),
            "{name} lists its flow"
        );
        assert!(text.contains("impl Provider for") && text.contains("impl Idp for"), "{name}");
        assert!(text.contains("#[cfg(test)]"), "{name} is tested");
        providers += 1;
    }
    assert_eq!(providers, saml2cloud::app::PROVIDERS.len(), "a provider is missing from this test");
    for provider in saml2cloud::app::PROVIDERS {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/providers/{}.md", provider.id().to_lowercase()));
        assert!(page.is_file(), "{} has no page in docs/providers", provider.id());
    }
}

#[test]
fn files_stay_small_enough_to_hold_in_the_head() {
    let long: Vec<String> = files(&source())
        .into_iter()
        .map(|(path, _)| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > 500)
        .map(|(lines, path)| format!("{} ({lines} lines)", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Every place where a secret leaves its type is a visible verb; printing one is impossible, so only `expose` is searched for.
#[test]
fn secrets_are_exposed_in_few_rooms() {
    for (path, text) in files(&source()) {
        let inside = path.strip_prefix(source()).unwrap().display().to_string();
        // What a person asked to be printed is printed: by these two, and nowhere else.
        let speaks = inside.starts_with("cli/") && !matches!(inside.as_str(), "cli/show.rs" | "cli/shell.rs");
        assert!(!(speaks && text.contains(".expose()")), "{inside} talks to people and must not open secrets");
    }
}
