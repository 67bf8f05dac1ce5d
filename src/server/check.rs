//! Looking at everything that the service needs, and changing nothing.

use super::session::InRedis;
use super::{Corporate, ServeError, Settings, StoreError, tls};
use crate::tvm::keys::{Purpose, State};
use crate::tvm::store::{Conn, Place, Schema, keys, nodes};
use crate::types::Timestamp;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As it should be.
    Good,
    /// Not there; the service goes on without it, with less than it could do.
    Open,
    /// Not there, and the service needs it.
    Missing,
}

impl Standing {
    /// A word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Open => "open",
            Self::Missing => "missing",
        }
    }
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// What is there, or what to do.
    pub said: String,
    /// How it stands.
    pub standing: Standing,
}

fn good(what: &'static str, said: impl Into<String>) -> Finding {
    Finding { what, said: said.into(), standing: Standing::Good }
}

fn open(what: &'static str, said: impl Into<String>) -> Finding {
    Finding { what, said: said.into(), standing: Standing::Open }
}

fn missing(what: &'static str, said: impl Into<String>) -> Finding {
    Finding { what, said: said.into(), standing: Standing::Missing }
}

/// Looks at everything that the service needs, and changes nothing.
///
/// # Errors
/// The database cannot be reached.
pub async fn check(settings: &Settings, now: Timestamp) -> Result<Vec<Finding>, ServeError> {
    let kind = match &settings.database.place {
        Place::Sqlite(_) => "SQLite",
        Place::Postgres { .. } => "PostgreSQL",
    };
    let mut found = vec![good("configuration", settings.origin.clone())];
    let schema = settings.database.schema().await?;
    let place = format!("{kind} at {}", settings.database.place);
    match schema {
        Schema::Current => {
            found.extend([good("database", place), good("schema", format!("number {}", Schema::NUMBER))]);
        }
        Schema::Missing => {
            let how = "none yet; `saml2cloud serve init` makes it";
            return Ok([found, vec![good("database", place), missing("schema", how)]].concat());
        }
        Schema::Old(number) => {
            let how = format!("number {number}, older than {}; `saml2cloud serve init` brings it up to date", Schema::NUMBER);
            return Ok([found, vec![good("database", place), missing("schema", how)]].concat());
        }
        Schema::New(number) => {
            let how = format!("number {number}, newer than {}; this program is too old for it", Schema::NUMBER);
            return Ok([found, vec![good("database", place), missing("schema", how)]].concat());
        }
    }
    let store = settings.database.open(now).await?;
    let mut conn = store.read().await?;
    match nodes::root(&mut conn).await? {
        None => found.push(missing("root node", "none yet; `saml2cloud serve init` makes it, with the first super admin")),
        Some(root) => {
            let account = root.kind.account().map(|account| format!(", {account}")).unwrap_or_default();
            found.push(good("root node", format!("`{}`{account}", root.name)));
            let owners = nodes::owners(&mut conn, &root.id, "", 200).await?;
            let active: Vec<&str> = owners.iter().filter(|owner| owner.is_active).map(|owner| owner.gid.as_str()).collect();
            found.push(match active.as_slice() {
                [] => missing("super admins", "none who can act"),
                [one] => good("super admins", format!("{one}; a second one could let the first in again")),
                many => good("super admins", many.join(", ")),
            });
        }
    }
    found.extend(signing_keys(&mut conn).await?);
    drop(conn);
    store.close().await;
    found.push(match Corporate::read(settings) {
        Ok(Some(corporate)) => good("sign-in", corporate.entity_id().to_owned()),
        Ok(None) => {
            open("sign-in", "nobody can: `idp.metadata_file` and `idp.certificate_file` name the corporate identity provider")
        }
        Err(error) => missing("sign-in", error.to_string()),
    });
    found.push(match &settings.server.tls {
        None => good("listens", format!("on {}, without TLS of its own", settings.server.listen)),
        Some((chain, key)) => match tls::Certificate::read(chain.clone(), key.clone()) {
            Ok(_) => good("listens", format!("on {}, with TLS", settings.server.listen)),
            Err(error) => missing("listens", error.to_string()),
        },
    });
    if let Some(redis) = &settings.session.redis {
        found.push(match InRedis::open(redis, settings.session.idle, settings.session.longest).await {
            Ok(_) => good("sessions", "in Redis"),
            Err(error) => missing("sessions", error.to_string()),
        });
    }
    Ok(found)
}

/// Whether there is a key that signs, for each purpose.
async fn signing_keys(conn: &mut Conn) -> Result<Vec<Finding>, StoreError> {
    let all = keys::all(conn).await?;
    let active = |purpose: &Purpose| all.iter().any(|key| key.purpose == *purpose && key.state == State::Active);
    let (there, not): (Vec<Purpose>, Vec<Purpose>) = Purpose::ALL.iter().copied().partition(active);
    let words = |purposes: &[Purpose]| purposes.iter().map(|purpose| purpose.word()).collect::<Vec<_>>().join(", ");
    let mut found = Vec::new();
    if !there.is_empty() {
        found.push(good("signing keys", words(&there)));
    }
    if !not.is_empty() {
        found.push(open("signing keys", format!("none for {}; `saml2cloud serve keys new` makes one", words(&not))));
    }
    Ok(found)
}
