//! Opening the database.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _};
use tokio::sync::Mutex;
use url::Url;

use super::readers::Readers;
use super::{Dialect, Inner, Schema, Store, StoreError, schema};
use crate::tvm::model::ChainId;
use crate::types::{Secret, Timestamp};
use crate::world::file;

/// How long a caller waits for a connection, and a connection for a lock.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection to a server may lie idle and still be used without being asked first.
const BELIEVED: Duration = Duration::from_secs(1);

/// How the way to a PostgreSQL server is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// TLS, with a certificate for that very host, of an authority that is trusted: the system's, or the one in this file.
    Full(Option<PathBuf>),
    /// Not at all; for this machine only.
    Off,
}

/// Where the database is.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A server: `postgres://USER@HOST/DATABASE`, without a password.
    Postgres {
        /// The address.
        url: Url,
        /// The password.
        password: Option<Secret<String>>,
        /// How the way is protected.
        tls: Tls,
    },
}

/// For people; never with a password.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "`{}`", path.display()),
            Self::Postgres { url, .. } => {
                let mut shown = url.clone();
                let _ = shown.set_password(None);
                shown.set_query(None);
                write!(f, "`{shown}`")
            }
        }
    }
}

impl Place {
    /// Which database.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// The address as the driver takes it.
    fn address(&self) -> Option<Secret<String>> {
        match self {
            Self::Sqlite(path) => {
                let mut url = Url::parse("sqlite:///").ok()?;
                url.set_path(path.to_str()?);
                // The file is made beforehand, for this user alone; where it is gone there is nothing to read.
                url.set_query(Some("mode=rw"));
                Some(Secret::new(url.to_string()))
            }
            Self::Postgres { url, password, tls } => {
                let mut url = url.clone();
                if let Some(password) = password {
                    url.set_password(Some(password.expose())).ok()?;
                }
                match tls {
                    Tls::Full(authority) => {
                        url.query_pairs_mut().append_pair("sslmode", "verify-full");
                        if let Some(path) = authority {
                            url.query_pairs_mut().append_pair("sslrootcert", path.to_str()?);
                        }
                    }
                    Tls::Off => {
                        url.query_pairs_mut().append_pair("sslmode", "disable");
                    }
                }
                Some(Secret::new(url.to_string()))
            }
        }
    }
}

/// How to open it.
#[derive(Debug, Clone)]
pub struct Open {
    /// Where.
    pub place: Place,
    /// How many connections at the most.
    pub connections: u32,
}

impl Open {
    fn options(&self) -> Result<AnyConnectOptions, StoreError> {
        sqlx::any::install_default_drivers();
        crate::world::init_tls();
        let address = self.place.address();
        let parsed = address.ok_or_else(|| sqlx::Error::Configuration("the address cannot be used".into()));
        parsed.and_then(|address| address.expose().parse()).map_err(|source| self.unreachable(source))
    }

    fn unreachable(&self, source: sqlx::Error) -> StoreError {
        StoreError::Unreachable { place: self.place.to_string(), source }
    }

    /// How far the schema is; nothing is changed, and no file is made.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        if let Place::Sqlite(path) = &self.place
            && !file::is_there(path)
        {
            return Ok(Schema::Missing);
        }
        let options = self.options()?;
        let mut conn = AnyConnection::connect_with(&options).await.map_err(|source| self.unreachable(source))?;
        let schema = schema::look(&mut conn, self.place.dialect()).await;
        let _ = conn.close().await;
        schema
    }

    /// Makes the schema, or brings it up to date. A file is made for this user alone.
    ///
    /// # Errors
    /// The database cannot be reached, or holds something else.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        if let Place::Sqlite(path) = &self.place {
            file::make_private(path)?;
        }
        let options = self.options()?;
        let mut conn = AnyConnection::connect_with(&options).await.map_err(|source| self.unreachable(source))?;
        if self.place.dialect() == Dialect::Sqlite {
            // Readers and the writer do not wait for each other; a mode of the file, so it is set once.
            conn.execute("PRAGMA journal_mode = WAL").await?;
        }
        let done = schema::migrate(&mut conn, self.place.dialect()).await;
        let _ = conn.close().await;
        done
    }

    /// Opens it. The schema must be the one that this program works with.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(&self, now: Timestamp) -> Result<Store, StoreError> {
        match self.schema().await? {
            Schema::Current => {}
            Schema::Missing => return Err(StoreError::Schema(format!("there is nothing in the database {} yet", self.place))),
            Schema::Old(number) => {
                return Err(StoreError::Schema(format!(
                    "the schema of the database is number {number}; this program works with {}",
                    Schema::NUMBER
                )));
            }
            Schema::New(number) => {
                return Err(StoreError::Schema(format!(
                    "the schema of the database is number {number}, of a newer program; this one works with {}",
                    Schema::NUMBER
                )));
            }
        }
        let options = self.options()?;
        let dialect = self.place.dialect();
        let (readers, writers) = match dialect {
            Dialect::Postgres => {
                let pool = AnyPoolOptions::new().max_connections(self.connections).acquire_timeout(PATIENCE);
                // A connection that was just in use is believed to be there still; it is asked when it comes back, and nobody waits for that.
                let pool = pool.test_before_acquire(false).before_acquire(|conn, about| {
                    Box::pin(async move {
                        if about.idle_for >= BELIEVED {
                            conn.ping().await?;
                        }
                        Ok(true)
                    })
                });
                let pool = pool.connect_with(options).await.map_err(|source| self.unreachable(source))?;
                (Readers::lent(pool.clone()), pool)
            }
            Dialect::Sqlite => {
                // What was answered as done is on the disk, also when the power fails in the next moment.
                // The pages that events go to are changed again and again: four thousand of them are copied from the log at once, not one thousand.
                let writing = "PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA wal_autocheckpoint = 4000";
                let writers = sqlite(1, options.clone(), writing);
                // Not mapped into memory: whenever something was written, which is all the time, a reader would map the file anew (measured: slower).
                let reading = "PRAGMA query_only = ON; PRAGMA busy_timeout = 5000";
                let readers = sqlite(self.connections, options, reading);
                let both = (readers.await, writers.await);
                let readers = both.0.map_err(|source| self.unreachable(source))?;
                (Readers::kept(readers, self.connections), both.1.map_err(|source| self.unreachable(source))?)
            }
        };
        Ok(Store::new(Inner { dialect, readers, writers, chain: ChainId::new(now), head: Mutex::new(None) }))
    }
}

async fn sqlite(connections: u32, options: AnyConnectOptions, settings: &'static str) -> Result<AnyPool, sqlx::Error> {
    let pool = AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .test_before_acquire(false);
    pool.after_connect(move |conn, _| Box::pin(async move { sqlx::raw_sql(settings).execute(conn).await.map(|_| ()) }))
        .connect_with(options)
        .await
}
