//! The service: its configuration, and what is done with its database from the shell of the machine that serves.

mod account_keys;
mod api;
mod app;
mod check;
mod command;
mod cookies;
mod extract;
mod guard;
mod health;
pub mod keys;
mod metrics;
mod once;
mod pages;
mod problem;
mod ring;
mod route;
mod run;
mod session;
mod settings;
mod signin;
mod tls;
pub mod trail;

pub use self::app::{App, Inner, Parts, routes};
pub use self::check::{Finding, Standing, check};
pub use self::guard::{Csrf, Limiter, Rate, Told, Who};
pub use self::metrics::Metrics;
pub use self::problem::{Code, FieldError, Problem, Ref};
pub use self::ring::Keys;
pub use self::route::{Access, Pace, Route, Row, Spec};
pub use self::run::{Running, start};
pub use self::session::{InDatabase, InRedis, OpenError, Sessions};
pub use self::settings::{
    AccessLog, CloudSettings, HouseRules, IdpSettings, KeySettings, Limits, Networks, RedisSettings, SamlNames, ServerSettings,
    SessionSettings, Settings, SettingsError, TrailSettings, configuration,
};
pub use self::signin::Corporate;
pub use crate::tvm::store::StoreError;

use crate::tvm::audit::{AuthKind, Event};
use crate::tvm::model::{Alias, CloudAccount, Email, Gid, Label};
use crate::tvm::store::audit::Walked;
use crate::tvm::store::nodes::{self, Founding};
use crate::types::Timestamp;

/// Why a command of the service did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What was given on the command line.
    #[error(transparent)]
    Given(#[from] crate::tvm::model::BadText),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] crate::tvm::keys::KeysError),
    /// The certificate of the service.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The corporate identity provider's files.
    #[error("`{}`: {why}", path.display())]
    Idp {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Where sign-ins are kept.
    #[error(transparent)]
    Sessions(#[from] session::OpenError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] crate::world::file::FileError),
    /// A file of what was told outside that nothing can be held against.
    #[error("`{}`: {why}", path.display())]
    Told {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A signing key that ought to sign and cannot.
    #[error("a signing key cannot be used")]
    KeysUnusable,
    /// The way to the clouds.
    #[error(transparent)]
    Network(#[from] crate::world::TransportError),
    /// The port.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It begins once.
    #[error("the database {place} has its root node already: `{name}`")]
    Begun {
        /// Which database.
        place: String,
        /// The root's name.
        name: String,
    },
}

impl ServeError {
    /// What to do now, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Settings(error) => return error.hint(),
            Self::Keys(error) => return error.hint().map(str::to_owned),
            Self::Store(StoreError::Schema(_)) => "`saml2cloud serve init` makes the schema".to_owned(),
            Self::Store(StoreError::Unreachable { .. }) => "is the server up, and `database.url` right?".to_owned(),
            Self::Store(StoreError::Broken(_)) => {
                "what follows that event may be untrue as well; a copy of the database that was made before shows what stood there".to_owned()
            }
            Self::Begun { .. } => "nothing was changed; `saml2cloud serve check` shows what is there".to_owned(),
            Self::Listen { .. } => "`server.listen` names the address and the port".to_owned(),
            Self::Tls(_) => "`server.certificate_file` and `server.key_file` name them".to_owned(),
            Self::Sessions(_) => "is Redis up, and `session.redis_url` right?".to_owned(),
            Self::Idp { .. } => "`idp.metadata_file` and `idp.certificate_file` name what the identity provider's administrators give out".to_owned(),
            Self::KeysUnusable => "`saml2cloud serve keys list` shows them; `keys.passphrase_file` opens those in the database".to_owned(),
            Self::Told { .. } => {
                "`--checkpoints` names what `audit.file` named while the trail was written, or lines of the system log".to_owned()
            }
            Self::Given(_) | Self::Store(_) | Self::File(_) | Self::Network(_) => return None,
        })
    }
}

/// Who and what comes first, as it was given.
#[derive(Debug, Clone, Copy)]
pub struct First<'g> {
    /// Who owns the root.
    pub gid: &'g str,
    /// What they go by; else their GID.
    pub alias: Option<&'g str>,
    /// Their mail.
    pub email: Option<&'g str>,
    /// The root's name.
    pub root: &'g str,
    /// The management account of a resource directory, `PARTITION:NUMBER`.
    pub account: Option<&'g str>,
}

/// What was begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// In which database.
    pub place: String,
    /// The root's name.
    pub root: Label,
    /// Who owns it.
    pub gid: Gid,
}

/// Makes the schema, the first super admin and the root node.
///
/// # Errors
/// There is a root, or the database cannot be written.
pub async fn init(settings: &Settings, first: &First<'_>, now: Timestamp) -> Result<Begun, ServeError> {
    let founding = Founding {
        name: Label::parse(first.root)?,
        account: first.account.map(CloudAccount::parse).transpose()?,
        gid: Gid::parse(first.gid)?,
        alias: Alias::parse(first.alias.unwrap_or(first.gid))?,
        email: Email::parse(first.email.unwrap_or_default())?,
    };
    let place = settings.database.place.to_string();
    settings.database.migrate().await?;
    let store = settings.database.open(now).await?;
    let mut tx = store.begin(now).await?;
    if let Some(root) = nodes::root(&mut tx).await? {
        return Err(ServeError::Begun { place, name: root.name.to_string() });
    }
    let (root, admin) = tx.found(&founding).await?;
    let params = serde_json::json!({
        "gid": founding.gid.as_str(),
        "alias": founding.alias.as_str(),
        "email": founding.email.as_str(),
        "root": founding.name.as_str(),
        "account": founding.account.as_ref().map(ToString::to_string),
        "user": admin.as_str(),
    });
    tx.commit(&Event::by(AuthKind::Console, "serve.init", params).on("node", root.id.as_str(), Some(&root.path))).await?;
    store.close().await;
    Ok(Begun { place, root: root.name, gid: founding.gid })
}

/// Walks the audit trail from its first event to its last, and holds it against the checkpoints in a file that was written outside.
///
/// # Errors
/// The first event that is not what was written; or the file has no checkpoint, or one that cannot be read.
pub async fn verify(settings: &Settings, told: Option<&std::path::Path>, now: Timestamp) -> Result<Walked, ServeError> {
    let told = told.map_or_else(|| Ok(Vec::new()), trail::told)?;
    let store = settings.database.open(now).await?;
    let walked = store.verify_against(&told).await;
    store.close().await;
    Ok(walked?)
}
