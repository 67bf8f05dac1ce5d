//! From what an assertion grants to the one role that is taken.

use super::{Assertion, CloudAccountId, IdpArn, RoleArn, SessionDuration};

/// A role that the assertion allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferedRole {
    /// A role that trusts the identity provider.
    Federated {
        /// The role.
        role: RoleArn,
        /// The identity provider's entry that vouches for it.
        idp: IdpArn,
    },
}

impl OfferedRole {
    /// The role's full name.
    pub fn role(&self) -> &RoleArn {
        let Self::Federated { role, .. } = self;
        role
    }

    /// The cloud account it belongs to.
    pub fn account(&self) -> &CloudAccountId {
        self.role().account()
    }
}

/// Everything one assertion grants.
#[derive(Debug, Clone)]
pub struct Offer {
    assertion: Assertion,
    roles: Vec<OfferedRole>,
    duration: Option<SessionDuration>,
}

/// Which role is wished for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RoleWish {
    /// Whichever is the only one.
    #[default]
    Any,
    /// This very role.
    Arn(RoleArn),
}

/// Why no role was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unchosen {
    /// The assertion grants nothing.
    #[error("the identity provider grants you no role")]
    None,
    /// Several would do.
    #[error("the identity provider grants you several roles and none was named")]
    Ambiguous,
    /// The wished role is not among them.
    #[error("the identity provider does not grant you {0}")]
    Absent(RoleArn),
}

impl Offer {
    /// Gathers what `assertion` grants. Only a cloud, which reads assertions, makes offers.
    pub fn new(assertion: Assertion, roles: Vec<OfferedRole>, duration: Option<SessionDuration>) -> Self {
        Self { assertion, roles, duration }
    }

    /// The roles, in the order of the assertion, each once.
    pub fn roles(&self) -> &[OfferedRole] {
        &self.roles
    }

    /// How long the identity provider wishes sessions to last.
    pub fn duration(&self) -> Option<SessionDuration> {
        self.duration
    }

    /// The assertion itself, for the cloud's sign-in page.
    pub fn assertion(&self) -> &Assertion {
        &self.assertion
    }

    /// Takes the role that `wish` names.
    ///
    /// # Errors
    /// [`Unchosen`] says why none, or not that one, can be taken.
    pub fn choose(&self, wish: &RoleWish) -> Result<Choice, Unchosen> {
        match wish {
            _ if self.roles.is_empty() => Err(Unchosen::None),
            RoleWish::Any if self.roles.len() > 1 => Err(Unchosen::Ambiguous),
            RoleWish::Any => Ok(self.take(&self.roles[0])),
            RoleWish::Arn(wished) => self
                .roles
                .iter()
                .find(|offered| offered.role() == wished)
                .map(|offered| self.take(offered))
                .ok_or_else(|| Unchosen::Absent(wished.clone())),
        }
    }

    /// Takes the role at `index` of [`Offer::roles`], for a person who picked it from the list.
    pub fn pick(&self, index: usize) -> Option<Choice> {
        self.roles.get(index).map(|offered| self.take(offered))
    }

    fn take(&self, offered: &OfferedRole) -> Choice {
        Choice { assertion: self.assertion.clone(), offered: offered.clone() }
    }
}

/// One role, taken from an offer, with the assertion that grants it. It can come from nowhere else,
/// so a role is never paired with an assertion that did not grant it.
///
/// ```compile_fail
/// # fn f(assertion: saml2cloud::types::Assertion, offered: saml2cloud::types::OfferedRole) {
/// let forged = saml2cloud::types::Choice { assertion, offered }; // private fields
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Choice {
    assertion: Assertion,
    offered: OfferedRole,
}

impl Choice {
    /// The assertion that grants the role.
    pub fn assertion(&self) -> &Assertion {
        &self.assertion
    }

    /// The role.
    pub fn offered(&self) -> &OfferedRole {
        &self.offered
    }

    /// The role's full name.
    pub fn role(&self) -> &RoleArn {
        self.offered.role()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SamlResponse;

    fn offered(name: &str) -> OfferedRole {
        OfferedRole::Federated {
            role: RoleArn::parse(&format!("arn:aws:iam::1:role/{name}")).unwrap(),
            idp: IdpArn::parse("arn:aws:iam::1:saml-provider/p").unwrap(),
        }
    }

    #[test]
    fn takes_only_what_is_granted() {
        let offer = |names: &[&str]| {
            Offer::new(Assertion::Saml(SamlResponse::new("x")), names.iter().map(|n| offered(n)).collect(), None)
        };
        let wish = |name| RoleWish::Arn(offered(name).role().clone());
        assert_eq!(offer(&[]).choose(&RoleWish::Any).unwrap_err(), Unchosen::None);
        assert_eq!(offer(&[]).choose(&wish("a")).unwrap_err(), Unchosen::None);
        assert_eq!(offer(&["a"]).choose(&RoleWish::Any).unwrap().role().name(), "a");
        assert_eq!(offer(&["a", "b"]).choose(&RoleWish::Any).unwrap_err(), Unchosen::Ambiguous);
        assert_eq!(offer(&["a", "b"]).choose(&wish("b")).unwrap().role().name(), "b");
        assert!(matches!(offer(&["a"]).choose(&wish("b")).unwrap_err(), Unchosen::Absent(_)));
        assert!(offer(&["a"]).pick(1).is_none());
    }
}
