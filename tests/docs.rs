//! Documents that come from the code are current. `SAML2CLOUD_WRITE_DOCS=1 cargo test --test docs` writes them anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the test reads and, when asked, writes documents")]

use std::fs;
use std::path::Path;

const HOW: &str = "SAML2CLOUD_WRITE_DOCS=1 cargo test --test docs writes it";

fn current(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("SAML2CLOUD_WRITE_DOCS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(text.lines()).enumerate().find(|(_, (written, now))| written != now);
    if let Some((line, (written, now))) = differs {
        panic!("docs/{name}, line {}: `{written}`, but the program says `{now}`; {HOW}", line + 1);
    }
    assert_eq!(written.len(), text.len(), "docs/{name} is longer or shorter than what the program says; {HOW}");
}

#[test]
#[cfg(feature = "serve")]
fn the_manual_is_current() {
    current("manual.md", &saml2cloud::cli::manual());
}

#[test]
#[cfg(feature = "serve")]
fn the_page_about_the_configuration_of_serve_is_current() {
    current("serve/configuration.md", &saml2cloud::server::configuration());
}

/// Every test that the page for people from the old tools names is there, in the file that its name says.
#[test]
fn the_tests_that_the_migration_page_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/migration.md")).unwrap();
    let cells =
        page.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.trim_end_matches(" |").rsplit(" | ").next());
    let names: std::collections::BTreeSet<&str> =
        cells.filter_map(|cell| cell.strip_prefix('`')?.strip_suffix('`')).filter(|name| name.contains("::")).collect();
    assert!(names.len() > 100, "the test found only {} names: it no longer reads them", names.len());
    for name in names {
        is_a_test(root, name);
    }
}

/// The same of the requirements for `serve`: each has its line, and each test that a line names is there.
#[test]
fn the_tests_that_the_requirements_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/serve/requirements.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| R")).collect();
    for (at, row) in rows.iter().enumerate() {
        assert!(row.starts_with(&format!("| R{} | ", at + 1)), "{row}");
        let shown = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert!(!shown.is_empty(), "{row}");
        for name in shown.split('`').skip(1).step_by(2).filter(|name| name.contains("::")) {
            is_a_test(root, name);
        }
    }
    assert_eq!(rows.len(), 88);
}

#[track_caller]
fn is_a_test(root: &Path, name: &str) {
    let parts: Vec<&str> = name.split("::").collect();
    let places = match parts.as_slice() {
        ["stores", _] => vec!["tests/stores.rs".to_owned()],
        ["vaults", file, _] => vec![format!("tests/vaults/{file}.rs")],
        ["contract", file, _] => vec![format!("tests/tvm/{file}.rs")],
        [rooms @ .., "tests", _] => {
            let file = rooms.join("/");
            vec![format!("src/{file}.rs"), format!("src/{file}/mod.rs"), format!("src/{file}/tests.rs")]
        }
        [file, _] => vec![format!("tests/program/{file}.rs")],
        _ => panic!("`{name}` is not the name of a test"),
    };
    let wanted = format!("fn {}(", parts.last().unwrap());
    let is_there = |place: &String| fs::read_to_string(root.join(place)).is_ok_and(|text| text.contains(&wanted));
    assert!(places.iter().any(is_there), "no `{wanted}` in {}", places.join(" or "));
}

/// Every link from one of our pages to another leads somewhere.
#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "docs/decisions", "docs/providers", "docs/serve"] {
        pages.extend(
            fs::read_dir(root.join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|p| p.extension().is_some_and(|e| e == "md")),
        );
    }
    let mut links = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            links += 1;
            assert!(page.parent().unwrap().join(file).exists(), "{}: {target}", page.display());
        }
    }
    assert!(links > 0);
}
