//! The node tree: management nodes (folders) and account nodes (one cloud account each).

use std::fmt;

use super::{CloudAccount, Description, Label, NodeId, VendMethod, Version};
use crate::types::{IdpArn, SessionDuration};

/// How deep the tree may be, the root counted.
const DEEPEST: usize = 16;

/// Where a node is: the identities from the root to the node itself, `/ROOT/…/NODE/`. Everything below a node starts with its path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(String);

impl Path {
    /// The root's.
    pub fn root(id: &NodeId) -> Self {
        Self(format!("/{id}/"))
    }

    /// A child's; nothing where the tree would get too deep.
    pub fn child(&self, id: &NodeId) -> Option<Self> {
        (self.depth() < DEEPEST).then(|| Self(format!("{}{id}/", self.0)))
    }

    /// Reads what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('/')?.strip_suffix('/')?;
        let ids = inner.split('/').map(NodeId::parse).collect::<Option<Vec<_>>>()?;
        (ids.len() <= DEEPEST && ids.iter().map(NodeId::as_str).collect::<Vec<_>>().join("/") == inner)
            .then(|| Self(text.to_owned()))
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How deep it is; the root is 1.
    pub fn depth(&self) -> usize {
        self.0.matches('/').count() - 1
    }

    /// The identities from the root to the node.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.split('/').filter_map(NodeId::parse)
    }

    /// The node itself.
    pub fn last(&self) -> Option<NodeId> {
        self.ids().last()
    }

    /// The node above; nothing for the root.
    pub fn parent(&self) -> Option<Self> {
        let cut = self.0.trim_end_matches('/').rfind('/').filter(|at| *at > 0)?;
        Some(Self(self.0[..=cut].to_owned()))
    }

    /// Whether `other` is this node or below it.
    pub fn holds(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The first text after everything below this node: with [`Self::as_str`] the borders of a range in byte order.
    pub fn end(&self) -> String {
        // `0` comes right after `/`.
        format!("{}0", self.0.trim_end_matches('/'))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The one root: its owners are the super admins. It may carry the management account of a resource directory.
    Root(Option<CloudAccount>),
    /// A folder.
    Management,
    /// A cloud account; nothing is below it.
    Account(CloudAccount),
}

impl Kind {
    /// As it is stored; the root is a management node.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Root(_) | Self::Management => "management",
            Self::Account(_) => "account",
        }
    }

    /// Its cloud account.
    pub fn account(&self) -> Option<&CloudAccount> {
        match self {
            Self::Root(account) => account.as_ref(),
            Self::Management => None,
            Self::Account(account) => Some(account),
        }
    }
}

/// Whether a node counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// It does.
    Active,
    /// Nothing is vended below it.
    Suspended,
    /// It is gone; its history stays readable.
    Destroyed,
}

impl NodeState {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Destroyed => "destroyed",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Destroyed].into_iter().find(|state| state.word() == word)
    }
}

/// How keys for the roles of an account are come by, where a role does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vending {
    /// By which way.
    pub method: VendMethod,
    /// The account's entry for us as an identity provider, which its roles trust.
    pub provider: Option<IdpArn>,
    /// The longest session.
    pub max_session: Option<SessionDuration>,
    /// Whether a command line gets the assertion itself and exchanges it at the cloud, because the service has no way there. Nothing where keys are
    /// come by in another way than by an assertion.
    pub client_exchange: bool,
}

impl Default for Vending {
    fn default() -> Self {
        Self { method: VendMethod::Saml, provider: None, max_session: None, client_exchange: false }
    }
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Which.
    pub id: NodeId,
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub path: Path,
    /// Its name, unique beside its siblings.
    pub name: Label,
    /// A remark.
    pub description: Description,
    /// How keys are come by; for account nodes.
    pub vending: Vending,
    /// Whether it counts.
    pub state: NodeState,
    /// How often it was changed.
    pub version: Version,
}

/// A node that is to be added below another.
#[derive(Debug, Clone)]
pub struct NewNode {
    /// Its name.
    pub name: Label,
    /// A remark.
    pub description: Description,
    /// The cloud account, where it is one; else it is a folder.
    pub account: Option<CloudAccount>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Timestamp;

    #[test]
    fn a_path_holds_what_is_below_it_and_nothing_beside() {
        let now = Timestamp::from_unix(1_800_000_000).unwrap();
        let ids: Vec<NodeId> = (0..3).map(|_| NodeId::new(now)).collect();
        let root = Path::root(&ids[0]);
        let (left, right) = (root.child(&ids[1]).unwrap(), root.child(&ids[2]).unwrap());
        assert!(root.holds(&left) && left.holds(&left) && !left.holds(&root) && !left.holds(&right));
        assert_eq!((left.parent(), root.parent()), (Some(root.clone()), None));
        assert_eq!((root.depth(), left.depth(), left.last()), (1, 2, Some(ids[1].clone())));
        assert_eq!(Path::parse(left.as_str()), Some(left.clone()));
        let below = left.child(&ids[2]).unwrap();
        let end = left.end();
        let range = left.as_str()..end.as_str();
        assert!(range.contains(&left.as_str()) && range.contains(&below.as_str()) && !range.contains(&root.as_str()));
        for bad in ["", "/", "//", "/x/", left.as_str().trim_end_matches('/'), &left.as_str().to_lowercase()] {
            assert_eq!(Path::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_tree_has_a_bottom() {
        let now = Timestamp::from_unix(1_800_000_000).unwrap();
        let mut path = Path::root(&NodeId::new(now));
        for _ in 1..DEEPEST {
            path = path.child(&NodeId::new(now)).unwrap();
        }
        assert_eq!((path.depth(), path.child(&NodeId::new(now))), (DEEPEST, None));
    }
}
