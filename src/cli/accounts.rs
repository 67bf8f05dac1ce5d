//! The list of accounts.

use serde_json::json;

use super::args::Output;
use super::report::Failure;
use super::show;
use crate::app::{Accounts, Key};
use crate::types::Untrusted;
use crate::world::Paths;

/// Prints the accounts: every column is what the file says, unchecked, so that a broken account can be found.
pub(super) fn print(accounts: &Accounts, output: Output, paths: &Paths) -> Result<(), Failure> {
    const KEYS: [(&str, Key); 5] = [
        ("provider", Key::Provider),
        ("username", Key::Username),
        ("profile", Key::Profile),
        ("role", Key::Role),
        ("url", Key::Url),
    ];
    let all = accounts.all();
    match output {
        Output::Json => {
            let list: Vec<_> = all
                .iter()
                .map(|found| {
                    let mut entry = json!({"name": found.name.as_str(), "cloud": found.cloud.word()});
                    for (name, key) in KEYS {
                        entry[name] = found.draft.get(key).into();
                    }
                    entry["file"] = accounts.files()[found.file].path.display().to_string().into();
                    entry
                })
                .collect();
            show::data(&format!("{:#}\n", serde_json::Value::Array(list)))
        }
        Output::Table if all.is_empty() => {
            show::talk("There is no account yet; `saml2cloud configure` makes one.");
            Ok(())
        }
        Output::Table => {
            let header = ["NAME", "CLOUD", "PROVIDER", "USERNAME", "PROFILE", "ROLE", "FILE"].map(str::to_owned).to_vec();
            let mut rows = vec![header];
            for found in &all {
                let own = |key| found.draft.get(key).map_or_else(|| "-".to_owned(), |value| Untrusted::new(value).to_string());
                rows.push(vec![
                    Untrusted::new(found.name.as_str()).to_string(),
                    found.cloud.word().to_owned(),
                    own(Key::Provider),
                    own(Key::Username),
                    own(Key::Profile),
                    own(Key::Role),
                    paths.display(&accounts.files()[found.file].path),
                ]);
            }
            let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
            let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
            let mut text = String::new();
            for row in &rows {
                let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
                text += cells.join("  ").trim_end();
                text.push('\n');
            }
            show::data(&text)
        }
    }
}
