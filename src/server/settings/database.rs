//! Where the database is.

use std::net::IpAddr;

use url::{Host, Url};

use super::SettingsError;
use super::draft::Draft;
use super::keys::{AUTHORITY, CONNECTIONS, PASSWORD, TLS, URL};
use crate::tvm::store::{Open, Place, Tls};
use crate::world::Env;

impl Draft {
    pub(super) fn database(&self, env: &Env) -> Result<Open, SettingsError> {
        let connections = self.number(&CONNECTIONS, 8, 1..=200)?;
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
                name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            (Some(Host::Ipv4(address)), None) => address.is_loopback(),
            (Some(Host::Ipv6(address)), None) => address.is_loopback(),
            (None, None) => return Err(self.bad(&URL, "names no host")),
        };
        let authority = self.file(&AUTHORITY);
        let tls = match self.get(&TLS).unwrap_or("verify-full") {
            "verify-full" => Tls::Full(authority),
            "off" if !is_here => return Err(self.bad(&TLS, "may be off for a server on this machine only")),
            "off" if authority.is_some() => return Err(self.bad(&AUTHORITY, "counts for nothing while `database.tls` is off")),
            "off" => Tls::Off,
            _ => return Err(self.bad(&TLS, "is `verify-full` or `off`")),
        };
        Ok(Place::Postgres { url, password: self.secret(&PASSWORD, "database_password", env)?, tls })
    }
}
