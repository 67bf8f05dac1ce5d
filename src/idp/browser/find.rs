//! Which browsers are looked for, by the words of `browser_type`, and where. Only Chromium's family is driven: the protocol is theirs.

use std::path::PathBuf;

use crate::world::{Env, find_program};

/// A browser: its word, its name for people, and what its program is called.
struct Kind {
    /// The word of `browser_type`: the old tools', and ours for what they do not know.
    word: &'static str,
    /// What people call it.
    title: &'static str,
    /// Names in `PATH`.
    names: &'static [&'static str],
    /// The name of its application on macOS, which is the name of its program too.
    app: &'static str,
}

/// In the order in which they are taken when nobody chose: what people have as their own browser first.
const KINDS: &[Kind] = &[
    Kind { word: "chrome", title: "Chrome", names: &["google-chrome-stable", "google-chrome", "chrome"], app: "Google Chrome" },
    Kind { word: "msedge", title: "Edge", names: &["microsoft-edge-stable", "microsoft-edge"], app: "Microsoft Edge" },
    Kind { word: "chromium", title: "Chromium", names: &["chromium", "chromium-browser"], app: "Chromium" },
    Kind { word: "brave", title: "Brave", names: &["brave-browser-stable", "brave-browser", "brave"], app: "Brave Browser" },
    Kind { word: "chrome-beta", title: "Chrome Beta", names: &["google-chrome-beta"], app: "Google Chrome Beta" },
    Kind { word: "chrome-dev", title: "Chrome Dev", names: &["google-chrome-unstable"], app: "Google Chrome Dev" },
    Kind { word: "chrome-canary", title: "Chrome Canary", names: &["google-chrome-canary"], app: "Google Chrome Canary" },
    Kind { word: "msedge-beta", title: "Edge Beta", names: &["microsoft-edge-beta"], app: "Microsoft Edge Beta" },
    Kind { word: "msedge-dev", title: "Edge Dev", names: &["microsoft-edge-dev"], app: "Microsoft Edge Dev" },
    Kind { word: "msedge-canary", title: "Edge Canary", names: &["microsoft-edge-canary"], app: "Microsoft Edge Canary" },
];

/// A browser that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installed {
    /// Its program.
    pub(super) program: PathBuf,
    /// What people call it.
    pub(super) title: String,
}

/// What the account says about which browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// The first that is there.
    Any,
    /// One of these kinds.
    Kind(&'static str),
    /// This program.
    Program(String),
}

/// Reads `browser_type`.
///
/// # Errors
/// What is wrong with the word.
pub(super) fn wish(word: &str) -> Result<Wish, String> {
    let word = word.trim().to_ascii_lowercase();
    match word.as_str() {
        "" | "auto" => Ok(Wish::Any),
        "firefox" | "webkit" => Err(format!(
            "only browsers of Chromium's family are driven (Chrome, Edge, Chromium, Brave), and `{word}` is not one; leave it out to take \
             the first that is installed"
        )),
        _ => match KINDS.iter().find(|kind| kind.word == word) {
            Some(kind) => Ok(Wish::Kind(kind.word)),
            None => {
                let known: Vec<&str> = KINDS.iter().map(|kind| kind.word).collect();
                Err(format!("`{}` is not one of {}", word.escape_debug(), known.join(", ")))
            }
        },
    }
}

/// The browser to start, or everything that was looked for.
///
/// # Errors
/// The names and paths that were looked for in vain.
pub(super) fn find(wish: &Wish, env: &Env) -> Result<Installed, Vec<String>> {
    let mut looked = Vec::new();
    for (title, candidate) in candidates(wish, env, cfg!(target_os = "macos")) {
        if let Some(program) = find_program(&candidate, env) {
            return Ok(Installed { program, title });
        }
        looked.push(candidate.display().to_string());
    }
    Err(looked)
}

/// What to look for, in order.
fn candidates(wish: &Wish, env: &Env, is_mac: bool) -> Vec<(String, PathBuf)> {
    let kinds: Vec<&Kind> = match wish {
        Wish::Program(path) => {
            let path = match (path.strip_prefix("~/"), env.raw("HOME")) {
                (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
                _ => PathBuf::from(path),
            };
            let title = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return vec![(title, path)];
        }
        Wish::Any => KINDS.iter().collect(),
        // The old tools' word for the browser that they downloaded; with none of that name, its relatives are as good.
        Wish::Kind("chromium") => {
            let (own, relatives): (Vec<&Kind>, Vec<&Kind>) = KINDS.iter().partition(|kind| kind.word == "chromium");
            own.into_iter().chain(relatives).collect()
        }
        Wish::Kind(word) => KINDS.iter().filter(|kind| kind.word == *word).collect(),
    };
    let mut all = Vec::new();
    for kind in kinds {
        if is_mac {
            let inside = format!("{0}.app/Contents/MacOS/{0}", kind.app);
            let home = env.raw("HOME").map(|home| PathBuf::from(home).join("Applications"));
            for folder in [Some(PathBuf::from("/Applications")), home].into_iter().flatten() {
                all.push((kind.title.to_owned(), folder.join(&inside)));
            }
        }
        all.extend(kind.names.iter().map(|name| (kind.title.to_owned(), PathBuf::from(name))));
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the tests make programs")]
    use super::*;

    #[test]
    fn words_of_the_old_tools_and_ours() {
        for word in ["chromium", "chrome", "chrome-beta", "chrome-dev", "chrome-canary", "msedge", "msedge-beta", "msedge-dev"] {
            assert_eq!(wish(word), Ok(Wish::Kind(KINDS.iter().find(|kind| kind.word == word).unwrap().word)));
        }
        assert_eq!(
            (wish(" Brave "), wish("msedge-canary"), wish("")),
            (Ok(Wish::Kind("brave")), Ok(Wish::Kind("msedge-canary")), Ok(Wish::Any))
        );
        for word in ["firefox", "WebKit"] {
            assert!(wish(word).unwrap_err().contains("only browsers of Chromium's family"), "{word}");
        }
        assert!(wish("lynx").unwrap_err().contains("`lynx` is not one of chrome, msedge,"));
    }

    #[cfg(unix)]
    #[test]
    fn takes_what_is_there_and_may_be_run() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let env = Env::of([("PATH", folder.path().to_str().unwrap())]);
        let name = |wish: &Wish| find(wish, &env).map(|found| found.program.file_name().unwrap().to_str().unwrap().to_owned());
        assert_eq!(name(&Wish::Kind("msedge-dev")), Err(vec!["microsoft-edge-dev".to_owned()]));
        assert!(name(&Wish::Any).unwrap_err().contains(&"chromium".to_owned()));
        make("google-chrome", 0o644);
        make("brave-browser", 0o755);
        assert_eq!((name(&Wish::Any), name(&Wish::Kind("chromium"))), (Ok("brave-browser".into()), Ok("brave-browser".into())));
        make("chromium", 0o755);
        assert_eq!((name(&Wish::Any), name(&Wish::Kind("chrome")).is_err()), (Ok("chromium".into()), true));
        let program = folder.path().join("brave-browser").display().to_string();
        assert_eq!(name(&Wish::Program(program)), Ok("brave-browser".into()));
    }

    #[test]
    fn macs_keep_programs_in_applications() {
        let env = Env::of([("HOME", "/Users/me")]);
        let first = |wish: &Wish| {
            candidates(wish, &env, true).into_iter().map(|(_, path)| path.display().to_string()).take(2).collect::<Vec<_>>()
        };
        let inside = "Microsoft Edge.app/Contents/MacOS/Microsoft Edge";
        assert_eq!(first(&Wish::Kind("msedge")), [format!("/Applications/{inside}"), format!("/Users/me/Applications/{inside}")]);
        assert_eq!(first(&Wish::Program("~/bin/chrome".into())), ["/Users/me/bin/chrome"]);
    }
}
