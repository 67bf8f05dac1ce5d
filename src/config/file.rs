//! One accounts file, in the dialect that it has.

use std::path::PathBuf;

use toml_edit::DocumentMut;

use super::{ConfigError, Draft, Key, ini, toml};
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

/// How many columns the old tools pad names to.
const WIDTH: usize = 20;

impl Dialect {
    fn of(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let toml_error = match text.parse::<DocumentMut>() {
            Ok(document) if document.iter().any(|(_, item)| item.is_array_of_tables()) => {
                return Err("an account's header has one pair of brackets, `[name]`, not two".to_owned());
            }
            Ok(document) => return Ok(Self::Toml(Box::new(document))),
            Err(error) => error,
        };
        let ini = Ini::parse_flat(text);
        match ini.strange() {
            // A file with TOML's own headers was meant as TOML, and is told what TOML says.
            Some(_) if text.contains("[[") => Err(toml_error.to_string().lines().next().unwrap_or_default().to_owned()),
            Some(line) => Err(format!("line {} is neither a section, nor a key with a value, nor a comment", line.0)),
            None => Ok(Self::Ini(ini)),
        }
    }

    fn set(&mut self, name: &str, pairs: &[(&str, &str)]) {
        match self {
            Self::Toml(document) => toml::set(document, name, pairs),
            Self::Ini(ini) => {
                let written: Vec<(&str, String)> = pairs.iter().map(|(key, value)| (*key, ini::written(value))).collect();
                let written: Vec<(&str, &str)> = written.iter().map(|(key, value)| (*key, value.as_str())).collect();
                ini.set(name, &written, WIDTH);
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Toml(document) => document.to_string(),
            Self::Ini(ini) => ini.to_string(),
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

    /// The accounts in it. The old tools' library has a section `DEFAULT` for keys without one; it is no account.
    pub fn names(&self) -> Vec<String> {
        match &self.dialect {
            Dialect::Toml(document) => toml::names(document),
            Dialect::Ini(ini) => ini.sections().into_iter().filter(|name| *name != "DEFAULT").map(str::to_owned).collect(),
        }
    }

    /// What it says of an account.
    pub fn draft(&self, name: &str) -> Option<Draft> {
        match &self.dialect {
            Dialect::Toml(document) => toml::pairs(document, name).map(Draft::from_pairs),
            Dialect::Ini(ini) if ini.has(name) => {
                let mut draft = Draft::from_pairs(ini::pairs(ini, name));
                draft.default_duration_is_unset = true;
                Some(draft)
            }
            Dialect::Ini(_) => None,
        }
    }

    /// Writes settings of an account, and `own` ones of its provider. The file is read again under its lock, so that two configurations at once are both kept.
    ///
    /// # Errors
    /// [`ConfigError`]; the file is then as it was.
    pub fn save(
        &mut self,
        name: &str,
        settings: &[(Key, &str)],
        own: &[(&str, &str)],
        cloud: CloudId,
    ) -> Result<(), ConfigError> {
        let mut pairs: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.in_file(cloud), *value)).collect();
        pairs.extend(own);
        let path = self.path.display().to_string();
        let mut saved = None;
        file::edit(&self.path, |old| {
            let mut dialect =
                Dialect::of(old.unwrap_or_default()).map_err(|why| ConfigError::Broken { path: path.clone(), why })?;
            dialect.set(name, &pairs);
            let text = dialect.text();
            saved = Some(dialect);
            Ok::<_, ConfigError>(Some(text))
        })?;
        if let Some(dialect) = saved {
            self.dialect = dialect;
        }
        Ok(())
    }
}
