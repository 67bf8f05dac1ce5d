//! People of the pool, and how they come into groups.

use super::{Alias, Description, Email, Gid, NodeId, UserId, Version};

/// Whether a person may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// They may.
    Active,
    /// They may not; all they have stays.
    Disabled,
}

impl Status {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Disabled].into_iter().find(|status| status.word() == word)
    }
}

/// A person of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Who, here.
    pub id: UserId,
    /// Who, at the corporate identity provider. Never changes.
    pub gid: Gid,
    /// What they go by.
    pub alias: Alias,
    /// Their mail.
    pub email: Email,
    /// A remark.
    pub description: Description,
    /// The node whose owners look after them; owners elsewhere find them by exact GID only.
    pub home: NodeId,
    /// Whether they may sign in.
    pub status: Status,
    /// How often it was changed.
    pub version: Version,
}

/// A person who is to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Who.
    pub gid: Gid,
    /// What they go by.
    pub alias: Alias,
    /// Their mail.
    pub email: Email,
    /// A remark.
    pub description: Description,
    /// Where they belong.
    pub home: NodeId,
}

/// How somebody came to be in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An owner put them there.
    Manual,
    /// The identity provider says so.
    Idp,
    /// A directory pushed it.
    Scim,
    /// They asked, and it was granted.
    Request,
}

impl Source {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Idp => "idp",
            Self::Scim => "scim",
            Self::Request => "request",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Manual, Self::Idp, Self::Scim, Self::Request].into_iter().find(|source| source.word() == word)
    }
}
