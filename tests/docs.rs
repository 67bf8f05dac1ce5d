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

/// Every word of the glossary is in its table: a line of another kind between two rows would end it there.
#[test]
fn the_glossary_is_one_table() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/glossary.md")).unwrap();
    let lines: Vec<&str> = page.lines().collect();
    let begin = lines.iter().position(|line| *line == "| Word | Means | In code |").unwrap();
    let end = lines.iter().rposition(|line| line.starts_with('|')).unwrap();
    for line in &lines[begin..=end] {
        assert!(line.starts_with('|') && line.matches('|').count() == 4, "not a row of three cells: {line}");
    }
    assert!(end - begin > 70, "only {} rows were read", end - begin);
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
            assert!(is_a_test(root, name), "there is no test `{name}`");
        }
    }
    assert_eq!(rows.len(), 88);
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

fn is_a_test(root: &Path, name: &str) -> bool {
    let function = format!("fn {}(", name.rsplit("::").next().unwrap());
    let holds = |file: &String| fs::read_to_string(root.join(file)).is_ok_and(|text| text.contains(&function));
    places(name).iter().any(holds)
}

/// Where a test that a page names by its path has to be: `module::name` below `tests`, or in `src` if `tests` is in its path.
fn places(named: &str) -> Vec<String> {
    let parts: Vec<&str> = named.split("::").collect();
    let Some((_, path)) = parts.split_last() else { return Vec::new() };
    match path {
        [inside @ .., "tests"] => {
            let file = format!("src/{}", inside.join("/"));
            vec![format!("{file}.rs"), format!("{file}/mod.rs"), format!("{file}/tests.rs")]
        }
        [target @ ("docs" | "shape" | "stores")] => vec![format!("tests/{target}.rs")],
        ["vaults"] => vec!["tests/vaults/main.rs".to_owned()],
        ["contract", inside @ ..] => vec![format!("tests/tvm/{}.rs", inside.join("/"))],
        ["http", inside @ ..] => {
            vec![format!("tests/serve/{}.rs", inside.join("/")), format!("tests/serve/{}/mod.rs", inside.join("/"))]
        }
        ["serve", "api", module] => vec![format!("tests/serve/api/{module}.rs")],
        ["vaults", module] => vec![format!("tests/vaults/{module}.rs")],
        [module] => vec![format!("tests/program/{module}.rs")],
        // A file below `src` that is tests alone.
        inside => vec![format!("src/{}.rs", inside.join("/"))],
    }
}

/// Every line of the page about the old tools is shown by a test, and each of those tests exists.
#[test]
fn every_line_about_the_old_tools_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/migration.md")).unwrap();
    let (mut rows, mut wrong, mut header) = (0, Vec::new(), "");
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if cells.first() == Some(&"Was") {
            header = line;
            continue;
        }
        rows += 1;
        assert!(header.contains("| Shown by |") && cells.len() == 3, "not a row of three cells: {line}");
        let named: Vec<&str> = cells[2].split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            wrong.push(format!("no test: {line}"));
        }
        for name in named {
            if !is_a_test(root, name) {
                wrong.push(format!("there is no test `{name}`"));
            }
        }
    }
    assert!(rows > 200, "only {rows} rows were read");
    assert!(wrong.is_empty(), "{} of {rows} rows:\n{}", wrong.len(), wrong.join("\n"));
}
