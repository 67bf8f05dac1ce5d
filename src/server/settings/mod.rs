//! The service's configuration: a TOML file, and variables that win over it. Every key is in one list; the documentation comes from it.
//! No secret has a key: each comes from a file, a file descriptor or a systemd credential.

mod database;
mod draft;
mod keys;
mod networks;
mod rules;
mod service;
mod trail;

use std::path::{Path, PathBuf};

use self::draft::Draft;
use self::keys::{KEYS, PREFIX};
pub use self::networks::Networks;
pub use self::rules::HouseRules;
pub use self::service::{
    AccessLog, CloudSettings, IdpSettings, KeySettings, Limits, RedisSettings, SamlNames, ServerSettings, SessionSettings,
};
pub use self::trail::TrailSettings;
use crate::tvm::store::Open;
use crate::types::Untrusted;
use crate::world::Env;
use crate::world::file::FileError;

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
            Self::Unknown { .. } => "docs/serve/configuration.md lists all keys".to_owned(),
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
    /// Where the service is.
    pub server: ServerSettings,
    /// The corporate identity provider.
    pub idp: IdpSettings,
    /// Our names in SAML.
    pub saml: SamlNames,
    /// Sign-ins.
    pub session: SessionSettings,
    /// How much at once.
    pub limits: Limits,
    /// Signing keys.
    pub keys: KeySettings,
    /// What of the clouds is not as usual.
    pub clouds: Vec<CloudSettings>,
    /// Where the trail is told, and how long it is kept.
    pub trail: TrailSettings,
    /// Whether some changes need a second super admin.
    pub two_person: bool,
    /// Rules that each house sets for itself.
    pub rules: HouseRules,
}

impl Settings {
    /// Reads the file, and the variables that win over it. With no file named, `SAML2CLOUD_SERVE_CONFIG` names it.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(path: Option<&Path>, env: &Env) -> Result<Self, SettingsError> {
        let named = format!("{PREFIX}CONFIG");
        let path = path.map(Path::to_owned).or_else(|| env.get(&named).map(PathBuf::from)).ok_or(SettingsError::Unnamed)?;
        let (draft, origin) = Draft::load(&path, env)?;
        let server = draft.server()?;
        Ok(Self {
            origin,
            database: draft.database(env)?,
            saml: draft.names(&server.url)?,
            server,
            idp: draft.idp()?,
            session: draft.session(env)?,
            limits: draft.limits()?,
            keys: draft.keys(env)?,
            clouds: draft.clouds()?,
            trail: draft.trail(env)?,
            two_person: draft.flag(&keys::TWO_PERSON, false)?,
            rules: draft.rules()?,
        })
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
    use crate::tvm::store::{Place, Tls};

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
        assert!(settings.origin.ends_with(&format!("sets 2 of {} keys, variables 1", KEYS.len())), "{}", settings.origin);
        assert!(refused("[database]\nurk = 'x'", &[]).ends_with("sets `database.urk`, which is no key"));
        assert!(refused("databse = 1", &[]).contains("`databse`"));
        assert!(refused("", &[("SAML2CLOUD_SERVE_DATABASE_ULR", "x")]).contains("`SAML2CLOUD_SERVE_DATABASE_ULR`"));
        assert!(refused("[database", &[]).contains("is not TOML"));
        assert!(refused("[database]\nconnections = 0", &[]).contains("`database.connections`"));
        assert!(refused("[database]\nurl = []", &[]).contains("is no text, number"));
        assert!(refused("[idp]\nauthn_contexts = [[]]", &[]).contains("nor a list of texts"));
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
