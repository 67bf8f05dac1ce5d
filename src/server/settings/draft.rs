//! The configuration as it was written: one text a key, and where it stands.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, Value};

use super::SettingsError;
use super::keys::{KEYS, Key, LISTS, PREFIX};
use crate::types::{Secret, Untrusted};
use crate::world::Env;
use crate::world::file;

/// A value as it was written, and where.
#[derive(Debug, Clone)]
struct Written {
    /// One for a text, a number or a word; any number for a list.
    values: Vec<String>,
    is_list: bool,
    origin: String,
}

/// All values, unchecked.
#[derive(Debug)]
pub(super) struct Draft {
    folder: PathBuf,
    values: BTreeMap<&'static str, Written>,
}

impl Draft {
    /// Reads the file, and the variables that win over it. Says in one sentence what set how much.
    pub(super) fn load(path: &Path, env: &Env) -> Result<(Self, String), SettingsError> {
        let text = file::read(path)?.ok_or_else(|| SettingsError::Absent(path.to_owned()))?;
        let toml = |what: String| SettingsError::Toml { path: path.to_owned(), what: Untrusted::new(what) };
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| toml(error.to_string()))?;
        let mut values = BTreeMap::new();
        flatten("", document.as_table(), path, &mut values)?;
        let in_file = values.len();
        let named = format!("{PREFIX}CONFIG");
        for variable in env.beginning(PREFIX).into_iter().filter(|name| *name != named) {
            let unknown = || SettingsError::Unknown { name: variable.to_owned(), origin: "the environment".to_owned() };
            let key = KEYS.iter().find(|key| key.variable() == variable).ok_or_else(unknown)?;
            let text = env.get(variable).unwrap_or_default().to_owned();
            values.insert(key.name, Written { values: vec![text], is_list: false, origin: variable.to_owned() });
        }
        let by_variable = values.values().filter(|written| written.origin.starts_with(PREFIX)).count();
        let origin = format!("`{}` sets {in_file} of {} keys, variables {by_variable}", path.display(), KEYS.len());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok((Self { folder: file::absolute(folder), values }, origin))
    }

    /// The text of a key that has one value.
    pub(super) fn get(&self, key: &Key) -> Option<&str> {
        self.values.get(key.name).and_then(|written| written.values.first()).map(String::as_str)
    }

    /// That its value makes no sense.
    pub(super) fn bad(&self, key: &Key, why: impl Into<String>) -> SettingsError {
        let origin = self.values.get(key.name).map_or_else(|| "not set".to_owned(), |written| written.origin.clone());
        SettingsError::Bad { key: key.name, origin, why: why.into() }
    }

    /// The values of a list; a text with commas is one as well.
    pub(super) fn list(&self, key: &Key) -> Option<Vec<String>> {
        let written = self.values.get(key.name)?;
        if written.is_list {
            return Some(written.values.clone());
        }
        let parts = written.values.iter().flat_map(|text| text.split(',')).map(|part| part.trim().to_owned());
        Some(parts.filter(|part| !part.is_empty()).collect())
    }

    /// A number in these bounds.
    pub(super) fn number(&self, key: &Key, default: u32, bounds: RangeInclusive<u32>) -> Result<u32, SettingsError> {
        let Some(text) = self.get(key) else { return Ok(default) };
        let number = text.trim().parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| self.bad(key, format!("is a number from {} to {}", bounds.start(), bounds.end())))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &Key, default: bool) -> Result<bool, SettingsError> {
        match self.get(key).map(str::trim) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(self.bad(key, "is `true` or `false`")),
        }
    }

    /// A file, below the configuration's folder unless it says otherwise.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    /// The file that a key names.
    pub(super) fn file(&self, key: &Key) -> Option<PathBuf> {
        self.get(key).map(|text| self.path(text))
    }

    /// A secret: the first line of the file that the key names, or of this systemd credential.
    pub(super) fn secret(&self, key: &Key, credential: &str, env: &Env) -> Result<Option<Secret<String>>, SettingsError> {
        let (path, must_be) = match (self.file(key), env.get("CREDENTIALS_DIRECTORY")) {
            (Some(path), _) => (path, true),
            (None, Some(folder)) => (Path::new(folder).join(credential), false),
            (None, None) => return Ok(None),
        };
        let Some(text) = file::read(&path)?.map(Secret::new) else {
            return if must_be { Err(self.bad(key, "names no file")) } else { Ok(None) };
        };
        match text.expose().lines().next().filter(|line| !line.is_empty()) {
            Some(line) => Ok(Some(Secret::from(line))),
            None => Err(self.bad(key, "names an empty file")),
        }
    }
}

fn flatten(above: &str, table: &Table, path: &Path, values: &mut BTreeMap<&'static str, Written>) -> Result<(), SettingsError> {
    let origin = format!("`{}`", path.display());
    for (name, item) in table {
        let name = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
        if let Some(inner) = item.as_table() {
            flatten(&name, inner, path, values)?;
            continue;
        }
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            return Err(SettingsError::Unknown { name, origin });
        };
        let may_be_many = LISTS.iter().any(|list| list.name == key.name);
        let bad = || {
            let why = if may_be_many { "is neither a text nor a list of texts" } else { "is no text, number, `true` or `false`" };
            SettingsError::Bad { key: key.name, origin: origin.clone(), why: why.to_owned() }
        };
        let one = |value: &Value| match value {
            Value::String(text) => Some(text.value().clone()),
            Value::Integer(number) => Some(number.value().to_string()),
            Value::Boolean(flag) => Some(flag.value().to_string()),
            _ => None,
        };
        let (written, is_list) = match item {
            Item::Value(Value::Array(list)) if may_be_many => (list.iter().map(one).collect::<Option<Vec<_>>>(), true),
            Item::Value(value) => (one(value).map(|text| vec![text]), false),
            _ => (None, false),
        };
        values.insert(key.name, Written { values: written.ok_or_else(bad)?, is_list, origin: origin.clone() });
    }
    Ok(())
}
