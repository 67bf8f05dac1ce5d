//! The service's configuration: a TOML file, and variables that win over it. Every key is in one list; the documentation comes from it.
//! No secret has a key: each comes from a file, a file descriptor or a systemd credential.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, Value};
use url::{Host, Url};

use crate::tvm::store::{Open, Place, Tls};
use crate::types::{Secret, Untrusted};
use crate::world::Env;
use crate::world::file::{self, FileError};

/// What every variable begins with.
const PREFIX: &str = "SAML2CLOUD_SERVE_";

/// One key.
struct Key {
    name: &'static str,
    /// What counts where it is not set, for people.
    default: &'static str,
    help: &'static str,
}

impl Key {
    /// Its variable.
    fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_ascii_uppercase())
    }
}

const URL: Key = Key {
    name: "database.url",
    default: "`sqlite:saml2cloud.db`",
    help: "Where the database is: `sqlite:FILE`, or `postgres://USER@HOST/DATABASE` without a password. A file is made at the first start, for \
           this user alone. A path that does not begin with `/` is below the folder of the configuration file; so are those of all other keys.",
};
const CONNECTIONS: Key =
    Key { name: "database.connections", default: "`8`", help: "How many connections to the database at the most, 1 to 200." };
const PASSWORD: Key = Key {
    name: "database.password_file",
    default: "the systemd credential `database_password`, if there is one",
    help: "The file whose first line is the password for PostgreSQL; `/dev/fd/3` reads it from a file descriptor.",
};
const TLS: Key = Key {
    name: "database.tls",
    default: "`verify-full`",
    help: "How the way to PostgreSQL is protected: `verify-full` wants a certificate for that very host; `off` is taken for a server on this \
           machine only.",
};
const AUTHORITY: Key = Key {
    name: "database.ca_file",
    default: "the system's authorities",
    help: "The file (PEM) with the one authority that may vouch for the PostgreSQL server.",
};

/// Every key, in the order of the documentation.
const KEYS: [&Key; 5] = [&URL, &CONNECTIONS, &PASSWORD, &TLS, &AUTHORITY];

/// Why the configuration is none.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// None was named.
    #[error("no configuration was named")]
    Unnamed,
    /// There is no such file.
    #[error("there is no configuration `{}`", .0.display())]
    Absent(PathBuf),
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not TOML.
    #[error("`{}` is not TOML: {what}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        what: Untrusted,
    },
    /// A key that nobody reads.
    #[error("{origin} sets `{}`, which is no key", Untrusted::new(name.clone()))]
    Unknown {
        /// The key or variable.
        name: String,
        /// Where it is.
        origin: String,
    },
    /// A value that makes no sense.
    #[error("`{key}` ({origin}) {why}")]
    Bad {
        /// Which key.
        key: &'static str,
        /// Where it is set.
        origin: String,
        /// What is wrong with it.
        why: String,
    },
}

impl SettingsError {
    /// What to do now.
    pub(super) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unnamed => format!("name it with `--config FILE`, or `{PREFIX}CONFIG`"),
            Self::Absent(_) => {
                "an empty file will do: every key has a value where it is not set (docs/serve/configuration.md)".to_owned()
            }
            Self::Unknown { .. } => {
                let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
                format!("there are {}", known.join(", "))
            }
            Self::File(_) | Self::Toml { .. } | Self::Bad { .. } => return None,
        })
    }
}

/// The configuration, checked.
#[derive(Debug)]
pub struct Settings {
    /// Where it comes from, for people.
    pub origin: String,
    /// The database.
    pub database: Open,
}

/// A value as it was written, and where.
#[derive(Debug, Clone)]
struct Written {
    text: String,
    origin: String,
}

struct Draft {
    folder: PathBuf,
    values: BTreeMap<&'static str, Written>,
}

impl Settings {
    /// Reads the file, and the variables that win over it. With no file named, `SAML2CLOUD_SERVE_CONFIG` names it.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(path: Option<&Path>, env: &Env) -> Result<Self, SettingsError> {
        let named = format!("{PREFIX}CONFIG");
        let path = path.map(Path::to_owned).or_else(|| env.get(&named).map(PathBuf::from)).ok_or(SettingsError::Unnamed)?;
        let text = file::read(&path)?.ok_or_else(|| SettingsError::Absent(path.clone()))?;
        let mut values = read_file(&path, &text)?;
        let in_file = values.len();
        for variable in env.beginning(PREFIX).into_iter().filter(|name| *name != named) {
            let unknown = || SettingsError::Unknown { name: variable.to_owned(), origin: "the environment".to_owned() };
            let key = KEYS.iter().find(|key| key.variable() == variable).ok_or_else(unknown)?;
            let text = env.get(variable).unwrap_or_default().to_owned();
            values.insert(key.name, Written { text, origin: variable.to_owned() });
        }
        let by_variable = values.values().filter(|written| written.origin.starts_with(PREFIX)).count();
        let origin = format!("`{}` sets {in_file} of {} keys, variables {by_variable}", path.display(), KEYS.len());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let draft = Draft { folder: file::absolute(folder), values };
        Ok(Self { origin, database: draft.database(env)? })
    }
}

fn read_file(path: &Path, text: &str) -> Result<BTreeMap<&'static str, Written>, SettingsError> {
    let toml = |what: String| SettingsError::Toml { path: path.to_owned(), what: Untrusted::new(what) };
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| toml(error.to_string()))?;
    let mut values = BTreeMap::new();
    flatten("", document.as_table(), path, &mut values)?;
    Ok(values)
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
        let text = match item {
            Item::Value(Value::String(text)) => text.value().clone(),
            Item::Value(Value::Integer(number)) => number.value().to_string(),
            Item::Value(Value::Boolean(truth)) => truth.value().to_string(),
            _ => return Err(SettingsError::Bad { key: key.name, origin, why: "is neither text nor a number".to_owned() }),
        };
        values.insert(key.name, Written { text, origin: origin.clone() });
    }
    Ok(())
}

impl Draft {
    fn get(&self, key: &Key) -> Option<&str> {
        self.values.get(key.name).map(|written| written.text.as_str())
    }

    fn bad(&self, key: &Key, why: impl Into<String>) -> SettingsError {
        let origin = self.values.get(key.name).map_or_else(|| "not set".to_owned(), |written| written.origin.clone());
        SettingsError::Bad { key: key.name, origin, why: why.into() }
    }

    fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    fn database(&self, env: &Env) -> Result<Open, SettingsError> {
        let connections = match self.get(&CONNECTIONS) {
            None => 8,
            Some(text) => {
                let number = text.trim().parse().ok().filter(|number| (1..=200).contains(number));
                number.ok_or_else(|| self.bad(&CONNECTIONS, "is a number from 1 to 200"))?
            }
        };
        let text = self.get(&URL).unwrap_or("sqlite:saml2cloud.db");
        let place = match text.split_once(':') {
            Some(("sqlite", path)) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                if path.is_empty() || path.contains('?') {
                    return Err(self.bad(&URL, "names no file after `sqlite:`"));
                }
                for key in [&PASSWORD, &TLS, &AUTHORITY] {
                    if self.get(key).is_some() {
                        return Err(self.bad(key, "is for PostgreSQL, and the database is SQLite"));
                    }
                }
                Place::Sqlite(self.path(path))
            }
            Some(("postgres" | "postgresql", _)) => self.postgres(text, env)?,
            _ => return Err(self.bad(&URL, "begins with neither `sqlite:` nor `postgres://`")),
        };
        Ok(Open { place, connections })
    }

    fn postgres(&self, text: &str, env: &Env) -> Result<Place, SettingsError> {
        let url = Url::parse(text).map_err(|error| self.bad(&URL, format!("is no address: {error}")))?;
        if url.password().is_some() {
            return Err(self.bad(&URL, "has a password in it, which belongs into `database.password_file`"));
        }
        let socket = url.query_pairs().find(|(name, _)| name == "host").map(|(_, value)| value.into_owned());
        if url.query_pairs().any(|(name, _)| name != "host") {
            return Err(self.bad(&URL, "takes nothing but `host` after a question mark"));
        }
        // A folder, not a host: the server's socket on this machine.
        let is_here = match (url.host(), &socket) {
            (_, Some(folder)) => folder.starts_with('/'),
            // An address of this scheme keeps a number as a name.
            (Some(Host::Domain(name)), None) => {
                name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            (Some(Host::Ipv4(address)), None) => address.is_loopback(),
            (Some(Host::Ipv6(address)), None) => address.is_loopback(),
            (None, None) => return Err(self.bad(&URL, "names no host")),
        };
        let authority = self.get(&AUTHORITY).map(|path| self.path(path));
        let tls = match self.get(&TLS).unwrap_or("verify-full") {
            "verify-full" => Tls::Full(authority),
            "off" if !is_here => return Err(self.bad(&TLS, "may be off for a server on this machine only")),
            "off" if authority.is_some() => return Err(self.bad(&AUTHORITY, "counts for nothing while `database.tls` is off")),
            "off" => Tls::Off,
            _ => return Err(self.bad(&TLS, "is `verify-full` or `off`")),
        };
        Ok(Place::Postgres { url, password: self.password(env)?, tls })
    }

    fn password(&self, env: &Env) -> Result<Option<Secret<String>>, SettingsError> {
        let credential = || env.get("CREDENTIALS_DIRECTORY").map(|folder| Path::new(folder).join("database_password"));
        let (path, must_be) = match self.get(&PASSWORD) {
            Some(path) => (self.path(path), true),
            None => match credential() {
                Some(path) => (path, false),
                None => return Ok(None),
            },
        };
        let Some(text) = file::read(&path)?.map(Secret::new) else {
            return if must_be { Err(self.bad(&PASSWORD, "names no file")) } else { Ok(None) };
        };
        match text.expose().lines().next().filter(|line| !line.is_empty()) {
            Some(line) => Ok(Some(Secret::from(line))),
            None => Err(self.bad(&PASSWORD, "names an empty file")),
        }
    }
}

/// `docs/serve/configuration.md`.
pub fn configuration() -> String {
    let mut text = format!(
        "# Configuration of `serve`\n\nGenerated from the program: `SAML2CLOUD_WRITE_DOCS=1 cargo test --test docs`.\n\n\
         `saml2cloud serve … --config FILE` (or `{PREFIX}CONFIG`) names one TOML file. Every key may be left out. A variable wins over the file; a \
         key or a variable of this kind that nobody knows is an error, so a typing error does not go unnoticed. `saml2cloud serve check` tells what \
         is wrong.\n\n\
         No secret stands in the file or in a variable: each comes from a file of its own, from a file descriptor (`/dev/fd/3`), or from a systemd \
         credential (`LoadCredential=`).\n\n| Key | Variable | Default | Meaning |\n|---|---|---|---|\n"
    );
    for key in KEYS {
        text += &format!("| `{}` | `{}` | {} | {} |\n", key.name, key.variable(), key.default, key.help);
    }
    text += "\n## One machine\n\n```toml\n[database]\nurl = \"sqlite:/var/lib/saml2cloud/serve.db\"\n```\n\n\
             ## A PostgreSQL server\n\n```toml\n[database]\nurl = \"postgres://saml2cloud@db.example.com/saml2cloud\"\n\
             password_file = \"/run/secrets/database\"\nca_file = \"/etc/saml2cloud/db-ca.pem\"\n```\n\n\
             Columns that are compared byte by byte say so themselves (`COLLATE \"C\"`), so the database may have any locale.\n";
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the tests write real files")]
    use super::*;

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "hun ter22\nand more\n").unwrap();
        let path = folder.path().join("serve.toml");
        std::fs::write(&path, text).unwrap();
        Settings::load(Some(&path), &Env::of(env.iter().copied()))
    }

    fn refused(text: &str, env: &[(&str, &str)]) -> String {
        load(text, env).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        let settings = load("", &[]).unwrap();
        let Place::Sqlite(path) = settings.database.place else { panic!() };
        assert!(path.is_absolute() && path.ends_with("saml2cloud.db") && settings.database.connections == 8);
    }

    #[test]
    fn variables_win_and_nothing_unknown_goes_unnoticed() {
        let settings =
            load("[database]\nurl = 'sqlite:a.db'\nconnections = 3", &[("SAML2CLOUD_SERVE_DATABASE_URL", "sqlite:/b.db")]);
        let settings = settings.unwrap();
        assert_eq!((settings.database.place.to_string().as_str(), settings.database.connections), ("`/b.db`", 3));
        assert!(settings.origin.ends_with("sets 2 of 5 keys, variables 1"), "{}", settings.origin);
        assert!(refused("[database]\nurk = 'x'", &[]).ends_with("sets `database.urk`, which is no key"));
        assert!(refused("databse = 1", &[]).contains("`databse`"));
        assert!(refused("", &[("SAML2CLOUD_SERVE_DATABASE_ULR", "x")]).contains("`SAML2CLOUD_SERVE_DATABASE_ULR`"));
        assert!(refused("[database", &[]).contains("is not TOML"));
        assert!(refused("[database]\nconnections = 0", &[]).contains("`database.connections`"));
        assert!(refused("[database]\nurl = []", &[]).contains("neither text nor a number"));
        assert!(matches!(Settings::load(None, &Env::default()), Err(SettingsError::Unnamed)));
    }

    #[test]
    fn a_server_is_reached_safely_and_its_password_is_nowhere() {
        let url = "url = 'postgres://cam@db.example.com/cam'";
        let settings = load(&format!("[database]\n{url}\npassword_file = 'password'"), &[]).unwrap();
        let Place::Postgres { password, tls, .. } = &settings.database.place else { panic!() };
        assert_eq!((password.as_ref().unwrap().expose().as_str(), tls), ("hun ter22", &Tls::Full(None)));
        assert!(!format!("{settings:?} {}", settings.database.place).contains("ter22"));
        for (text, why) in [
            (format!("[database]\n{url}\ntls = 'off'"), "this machine only"),
            (format!("[database]\n{url}\ntls = 'maybe'"), "`verify-full` or `off`"),
            (format!("[database]\n{url}\npassword_file = 'absent'"), "names no file"),
            ("[database]\nurl = 'postgres://cam:pw@db.example.com/cam'".to_owned(), "has a password in it"),
            ("[database]\nurl = 'postgres://cam@db.example.com/cam?sslmode=disable'".to_owned(), "nothing but `host`"),
            ("[database]\nurl = 'mysql://x'".to_owned(), "begins with neither"),
            ("[database]\ntls = 'off'".to_owned(), "the database is SQLite"),
        ] {
            let said = refused(&text, &[]);
            assert!(said.contains(why) && !said.contains("pw@"), "{said}");
        }
        for here in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(load(&format!("[database]\nurl = 'postgres://cam@{here}/cam'\ntls = 'off'"), &[]).is_ok(), "{here}");
        }
        assert!(load("[database]\nurl = 'postgres:///cam?host=/run/postgresql'\ntls = 'off'", &[]).is_ok());
    }

    #[test]
    fn a_systemd_credential_is_the_password() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("database_password"), "from systemd").unwrap();
        let env = [("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap())];
        let settings = load("[database]\nurl = 'postgres://cam@db.example.com/cam'", &env).unwrap();
        let Place::Postgres { password, .. } = &settings.database.place else { panic!() };
        assert_eq!(password.as_ref().unwrap().expose(), "from systemd");
    }
}
