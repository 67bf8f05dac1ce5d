//! One accounts file, in the dialect that it has.

use std::path::PathBuf;

use toml_edit::DocumentMut;

use super::{ConfigError, Draft, ini, settings, toml};
use crate::text::ini::Ini;
use crate::types::CloudId;
use crate::world::file;

/// How a file is written. A file that parses as TOML is TOML; any other is INI and stays so. A new one is TOML.
#[derive(Debug, Clone)]
pub enum Dialect {
    /// New files.
    Toml(Box<DocumentMut>),
    /// The old tools' files.
    Ini(Ini),
}

/// An accounts file.
#[derive(Debug, Clone)]
pub struct AccountsFile {
    /// Where it is; it need not exist.
    pub path: PathBuf,
    /// Whose accounts it holds; both clouds' if it was named for both.
    pub cloud: Option<CloudId>,
    dialect: Dialect,
}

/// What some editors put at the start of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

impl Dialect {
    pub(super) fn of(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let toml_error = match text.parse::<DocumentMut>() {
            Ok(document) if document.iter().any(|(_, item)| item.is_array_of_tables()) => {
                return Err("an account's header has one pair of brackets, `[name]`, not two".to_owned());
            }
            Ok(document) => return Ok(Self::Toml(Box::new(document))),
            Err(error) => error,
        };
        let ini = Ini::parse_go(text);
        match ini.strange() {
            // A file with TOML's own headers was meant as TOML, and is told what TOML says.
            Some(_) if text.contains("[[") => Err(toml_error.to_string().lines().next().unwrap_or_default().to_owned()),
            Some(line) if line.is_unclosed => {
                Err(format!("line {} begins a value in backticks or `\"\"\"` that never ends", line.number))
            }
            Some(line) => Err(format!("line {} is neither a section, nor a key with a value, nor a comment", line.number)),
            None => Ok(Self::Ini(ini)),
        }
    }

    /// The text with settings of an account set: every line that says nothing else stays to the byte.
    pub(super) fn edited(text: &str, name: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
        let bare = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let edited = match Self::of(bare)? {
            // A new file whose header would have quotes, in which the old tools would not find the account.
            Self::Toml(_) if bare.trim().is_empty() && !toml::is_plain(name) => {
                let mut ini = Ini::parse_go(bare);
                ini::set(&mut ini, name, pairs);
                ini.to_string()
            }
            Self::Toml(mut document) => {
                toml::set(&mut document, name, pairs);
                toml::printed(&document, bare)
            }
            Self::Ini(mut ini) => {
                ini::set(&mut ini, name, pairs);
                ini.to_string()
            }
        };
        Ok(format!("{}{edited}", &text[..text.len() - bare.len()]))
    }

    /// The accounts. The old tools' library has a section `DEFAULT` for keys without one; it is no account.
    pub(super) fn names(&self) -> Vec<String> {
        let names = match self {
            Self::Toml(document) => toml::names(document),
            Self::Ini(ini) => ini::names(ini),
        };
        names.into_iter().filter(|name| name != "DEFAULT").collect()
    }

    /// The settings of an account.
    pub(super) fn settings(&self, name: &str) -> Option<Vec<(&str, String)>> {
        match self {
            Self::Toml(document) => settings::of(name, |section| toml::pairs(document, section)),
            Self::Ini(ini) => settings::of(name, |section| ini::pairs(ini, section)),
        }
    }
}

impl AccountsFile {
    /// Reads it.
    ///
    /// # Errors
    /// [`ConfigError`] when it cannot be read or is neither TOML nor INI.
    pub fn load(path: PathBuf, cloud: Option<CloudId>) -> Result<Self, ConfigError> {
        let text = file::read(&path)?.unwrap_or_default();
        let dialect = Dialect::of(&text).map_err(|why| ConfigError::Broken { path: path.display().to_string(), why })?;
        Ok(Self { path, cloud, dialect })
    }

    /// Its path for people.
    pub fn display(&self) -> String {
        self.path.display().to_string()
    }

    /// The accounts in it.
    pub fn names(&self) -> Vec<String> {
        self.dialect.names()
    }

    /// What it says of an account.
    pub fn draft(&self, name: &str) -> Option<Draft> {
        let mut draft = Draft::from_pairs(self.dialect.settings(name)?);
        draft.default_duration_is_unset = matches!(self.dialect, Dialect::Ini(_));
        Some(draft)
    }

    /// Writes settings of an account, by their keys. The file is read again under its lock, so that two configurations at once are both
    /// kept.
    ///
    /// # Errors
    /// [`ConfigError`]; the file is then as it was.
    pub fn save(&mut self, name: &str, pairs: &[(&str, &str)]) -> Result<(), ConfigError> {
        let path = self.path.display().to_string();
        let broken = |why| ConfigError::Broken { path: path.clone(), why };
        let mut saved = None;
        file::edit(&self.path, |old| {
            let text = Dialect::edited(old.unwrap_or_default(), name, pairs).map_err(broken)?;
            saved = Some(Dialect::of(&text).map_err(broken)?);
            Ok::<_, ConfigError>(Some(text))
        })?;
        if let Some(dialect) = saved {
            self.dialect = dialect;
        }
        Ok(())
    }
}
