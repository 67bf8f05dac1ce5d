//! What the store answers when it cannot do what was asked.

use sqlx::error::{DatabaseError, ErrorKind};

use crate::tvm::audit::Broken;
use crate::tvm::model::BadText;

/// What somebody else has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The GID, maybe of somebody who was deleted.
    Gid,
    /// The alias.
    Alias,
    /// The name, beside it.
    Name,
    /// The cloud account is in the tree already.
    Account,
    /// The role is registered already.
    Role,
    /// The role has its one group.
    Group,
    /// There is a root.
    Root,
    /// The purpose has its active key.
    ActiveKey,
}

impl Taken {
    fn sentence(self) -> &'static str {
        match self {
            Self::Gid => "this GID is in the pool already",
            Self::Alias => "this alias is somebody else's",
            Self::Name => "there is one of this name already",
            Self::Account => "this cloud account is in the tree already",
            Self::Role => "this role is registered already",
            Self::Group => "this role has its group already",
            Self::Root => "there is a root node already",
            Self::ActiveKey => "there is a key that signs for this purpose already",
        }
    }

    /// Which it is, by the name of the constraint (PostgreSQL) or by the columns (SQLite).
    fn of(error: &dyn DatabaseError) -> Option<Self> {
        let text = error.constraint().unwrap_or_else(|| error.message());
        let known = [
            ("gid_norm", Self::Gid),
            ("cam_user_alias", Self::Alias),
            ("alias_norm", Self::Alias),
            ("node_root", Self::Root),
            ("is_root", Self::Root),
            ("node_account", Self::Account),
            ("account_uid", Self::Account),
            ("node_sibling", Self::Name),
            ("cloud_role", Self::Role),
            ("user_group_role_id", Self::Group),
            ("user_group.role_id", Self::Group),
            ("user_group_name", Self::Name),
            ("name_norm", Self::Name),
            ("signing_key", Self::ActiveKey),
        ];
        known.into_iter().find(|(word, _)| text.contains(word)).map(|(_, taken)| taken)
    }
}

/// What still refers to something that is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What keeps a person: `owner of`, `member of`; a role or a group: `member`, `horizontal role`; a node: `node`, `role`, `horizontal role`,
    /// `group`; an entry of the catalogue: `role`.
    pub what: &'static str,
    /// Its identity.
    pub id: String,
    /// Its name, for people.
    pub name: String,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached.
    #[error("cannot reach the database {place}")]
    Unreachable {
        /// Which, without a password.
        place: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The file of the database cannot be made.
    #[error(transparent)]
    File(#[from] crate::world::file::FileError),
    /// The schema is not the one that this program works with.
    #[error("{0}")]
    Schema(String),
    /// The schema could not be brought up to date.
    #[error("cannot bring the database's schema up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Somebody has it already.
    #[error("{}", .0.sentence())]
    Taken(Taken),
    /// A node has an owner who can act, always.
    #[error("a node keeps one owner at least who is not disabled")]
    LastOwner,
    /// It is still referred to.
    #[error("still in use: {}", list(.0))]
    Referenced(Vec<Reference>),
    /// Somebody changed it meanwhile.
    #[error("it was changed meanwhile")]
    Stale,
    /// The tree has its form.
    #[error("{0}")]
    Tree(&'static str),
    /// A text is not what it should be.
    #[error(transparent)]
    Text(#[from] BadText),
    /// The ledger's line is complete.
    #[error("this line of the ledger is complete already")]
    Complete,
    /// A proposal is not answered.
    #[error(transparent)]
    Unanswered(#[from] crate::tvm::approval::Unanswered),
    /// Others were at it, for too long.
    #[error("the database is busy")]
    Busy,
    /// A row holds what this program never wrote.
    #[error("the database holds `{column}`, which makes no sense")]
    Corrupt {
        /// Of which column.
        column: &'static str,
    },
    /// The audit trail is not what was written.
    #[error("the audit trail is not what was written")]
    Broken(#[from] Broken),
    /// A statement about the trail could not be signed.
    #[error("where the trail is cannot be signed")]
    Unsigned(#[source] crate::saml::SignError),
    /// It was written together with others, and that failed.
    #[error(transparent)]
    Unwritten(std::sync::Arc<StoreError>),
    /// Sign-ins are kept elsewhere, and that place does not answer.
    #[error("where sign-ins are kept cannot be used")]
    Elsewhere(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else.
    #[error("the database refused")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether it is the database that cannot, rather than what was asked for.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unwritten(error) => error.is_unavailable(),
            Self::Unreachable { .. } | Self::Busy | Self::Database(_) | Self::Broken(_) => true,
            _ => false,
        }
    }
}

fn list(references: &[Reference]) -> String {
    let shown: Vec<String> = references.iter().take(5).map(|one| format!("{} `{}`", one.what, one.name)).collect();
    let more = references.len().saturating_sub(shown.len());
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy;
        }
        let Some(database) = error.as_database_error() else { return Self::Database(error) };
        if database.kind() == ErrorKind::UniqueViolation
            && let Some(taken) = Taken::of(database)
        {
            return Self::Taken(taken);
        }
        match database.code().as_deref() {
            // SQLite: busy, in its two ways. PostgreSQL: serialisation failure, deadlock.
            Some("5" | "517" | "40001" | "40P01") => Self::Busy,
            _ => Self::Database(error),
        }
    }
}
