//! The words: people, the node tree, roles, groups. A value of these types needs no further checking.

mod account;
mod bearer;
mod names;
mod node;
mod person;
mod role;

pub use account::{CloudAccount, Partition};
pub use bearer::{Bearer, Digest, UserCode};
pub use names::{Alias, BadText, Description, Email, Gid, Label};
pub use node::{Kind, NewNode, Node, NodeState, Path, Vending};
pub use person::{NewUser, Source, Status, User};
pub use role::{CamPower, Class, Group, GroupKind, NewRole, Plane, Risk, Role, RoleState, VendMethod};

use crate::types::Timestamp;

/// Makes a row's identity: its time first, so that rows sort by when they were made, then randomness.
fn make(now: Timestamp) -> String {
    let millis = u64::try_from(now.unix_millis()).unwrap_or_default();
    ulid::Ulid::from_parts(millis, crate::world::random()).to_string()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// A new one.
            pub fn new(now: Timestamp) -> Self {
                Self(make(now))
            }

            /// Reads one; nothing if it cannot be one.
            pub fn parse(text: &str) -> Option<Self> {
                ulid::Ulid::from_string(text).ok().map(|id| Self(id.to_string()))
            }

            /// As it is stored.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

ids!(
    /// A person of the pool.
    UserId,
    /// A node of the tree.
    NodeId,
    /// A registered cloud role.
    RoleId,
    /// A group of people.
    GroupId,
    /// A horizontal role.
    HorizontalId,
    /// A line of the vend ledger.
    VendId,
    /// A chain of audit events: one a process.
    ChainId,
    /// A token of the command line, or of a service.
    TokenId,
    /// Something that a second person has to agree to.
    ProposalId,
    /// A signing key.
    KeyId,
);

/// How many times a row was changed. A change names the version it was made from.
pub type Version = i64;
