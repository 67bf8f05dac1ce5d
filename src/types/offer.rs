//! From what an assertion grants to the one role that is taken.

use std::collections::BTreeMap;

use super::{
    Assertion, BadArn, CloudAccountId, IdpArn, PortalRole, PortalSession, Region, Role, RoleArn, SessionDuration, Untrusted,
};

/// A role that the assertion allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferedRole {
    /// A role that trusts the identity provider.
    Federated {
        /// The role.
        role: RoleArn,
        /// The identity provider's entry that vouches for it; none where the cloud finds it by the token's issuer.
        idp: Option<IdpArn>,
    },
    /// A role that a sign-in portal hands out.
    Portal {
        /// The role.
        role: PortalRole,
        /// What the portal wants it to be called in a request: its name (AWS), or an ID (Alibaba Cloud).
        id: String,
    },
    /// A role that a token vending machine hands out.
    Vended {
        /// The role.
        role: RoleArn,
        /// What the machine calls it in a request.
        id: String,
        /// The region that tools use when nobody names one, where the role's partition tells it (Alibaba Cloud).
        home: Option<Region>,
    },
}

impl OfferedRole {
    /// The role's full name.
    pub fn role(&self) -> Role {
        match self {
            Self::Federated { role, .. } | Self::Vended { role, .. } => Role::Arn(role.clone()),
            Self::Portal { role, .. } => Role::Portal(role.clone()),
        }
    }

    /// The cloud account it belongs to.
    pub fn account(&self) -> &CloudAccountId {
        match self {
            Self::Federated { role, .. } | Self::Vended { role, .. } => role.account(),
            Self::Portal { role, .. } => role.account(),
        }
    }
}

/// Everything one assertion grants.
#[derive(Debug, Clone)]
pub struct Offer {
    assertion: Assertion,
    roles: Vec<OfferedRole>,
    duration: Option<SessionDuration>,
    /// The names of cloud accounts, where whoever listed the roles told them.
    names: BTreeMap<CloudAccountId, String>,
}

/// Which role is wished for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RoleWish {
    /// Whichever is the only one.
    #[default]
    Any,
    /// This very role.
    Arn(RoleArn),
    /// The role of this name, perhaps with the account before it (`123456789012/Admin`; `production/Admin`, where whoever lists the roles
    /// tells what accounts are called), whichever cloud account or path it is in.
    Name(String),
}

impl RoleWish {
    /// Reads what a person types for a role: a full name, a name, or `account/name`.
    ///
    /// # Errors
    /// [`BadArn`] for what cannot be one of these.
    pub fn parse(text: &str) -> Result<Self, BadArn> {
        let text = text.trim();
        // Roles have plain names; what a company calls its accounts is in its own language.
        let is_text =
            text.bytes().all(|b| b.is_ascii_graphic()) || (text.contains('/') && Untrusted::new(text).to_string() == text);
        let is_name = !text.is_empty() && !text.contains(':') && text.len() <= 576 && is_text;
        if is_name { Ok(Self::Name(text.to_owned())) } else { RoleArn::parse(text).map(Self::Arn) }
    }

    /// The very role at a sign-in portal, where the wish says both the cloud account and the name.
    pub fn at_portal(&self) -> Option<PortalRole> {
        match self {
            Self::Any => None,
            Self::Arn(role) => PortalRole::of_reserved(role),
            Self::Name(name) => PortalRole::parse(name),
        }
    }

    /// Whether `role` is the one that is wished for.
    pub fn is(&self, role: &Role) -> bool {
        match self {
            Self::Any => true,
            Self::Arn(wished) => role.arn() == Some(wished),
            Self::Name(wished) => {
                let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
                let with_account = |name: &str| format!("{}/{name}", role.account());
                let names = [role.name().to_owned(), last(role.name())];
                names.iter().any(|name| name == wished || with_account(name) == *wished)
            }
        }
    }
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
    Absent(String),
}

impl Offer {
    /// Gathers what `assertion` grants. Only a cloud, which reads assertions, makes offers.
    pub fn new(assertion: Assertion, roles: Vec<OfferedRole>, duration: Option<SessionDuration>) -> Self {
        Self { assertion, roles, duration, names: BTreeMap::new() }
    }

    /// The same with what the cloud accounts are called.
    #[must_use]
    pub fn with_names(mut self, names: BTreeMap<CloudAccountId, String>) -> Self {
        self.names = names;
        self
    }

    /// What the cloud accounts are called, as far as it is known without asking anybody.
    pub fn names(&self) -> &BTreeMap<CloudAccountId, String> {
        &self.names
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
        if self.roles.is_empty() {
            return Err(Unchosen::None);
        }
        let mut wished = self.roles.iter().filter(|offered| wish.is(&offered.role()) || self.is_in_named_account(wish, offered));
        match (wished.next(), wished.next()) {
            (Some(offered), None) => Ok(self.take(offered)),
            (Some(_), Some(_)) => Err(Unchosen::Ambiguous),
            (None, _) => Err(Unchosen::Absent(match wish {
                RoleWish::Arn(role) => role.to_string(),
                RoleWish::Name(name) => format!("a role called `{name}`"),
                RoleWish::Any => String::new(),
            })),
        }
    }

    /// Whether the wish is for this role by what its account is called.
    fn is_in_named_account(&self, wish: &RoleWish, offered: &OfferedRole) -> bool {
        let (RoleWish::Name(wished), Some(account)) = (wish, self.names.get(offered.account())) else { return false };
        let role = offered.role();
        let names = [role.name(), role.name().rsplit('/').next().unwrap_or_default()];
        wished.strip_prefix(account.as_str()).and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| names.contains(&rest))
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
    pub fn role(&self) -> Role {
        self.offered.role()
    }

    /// What gets credentials of the role again and again, where a sign-in portal offers it.
    pub fn portal_session(&self) -> Option<PortalSession> {
        match (&self.assertion, &self.offered) {
            (Assertion::Portal(token), OfferedRole::Portal { id, .. }) => {
                Some(PortalSession { token: token.clone(), role_id: id.clone() })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SamlResponse;

    fn offered(name: &str) -> OfferedRole {
        OfferedRole::Federated {
            role: RoleArn::parse(&format!("arn:aws:iam::1:role/{name}")).unwrap(),
            idp: IdpArn::parse("arn:aws:iam::1:saml-provider/p").ok(),
        }
    }

    #[test]
    fn takes_only_what_is_granted() {
        let offer = |names: &[&str]| {
            Offer::new(Assertion::Saml(SamlResponse::new("x")), names.iter().map(|n| offered(n)).collect(), None)
        };
        let wish = |name| RoleWish::Arn(offered(name).role().arn().unwrap().clone());
        assert_eq!(offer(&[]).choose(&RoleWish::Any).unwrap_err(), Unchosen::None);
        assert_eq!(offer(&[]).choose(&wish("a")).unwrap_err(), Unchosen::None);
        assert_eq!(offer(&["a"]).choose(&RoleWish::Any).unwrap().role().name(), "a");
        assert_eq!(offer(&["a", "b"]).choose(&RoleWish::Any).unwrap_err(), Unchosen::Ambiguous);
        assert_eq!(offer(&["a", "b"]).choose(&wish("b")).unwrap().role().name(), "b");
        assert!(matches!(offer(&["a"]).choose(&wish("b")).unwrap_err(), Unchosen::Absent(_)));
        assert!(offer(&["a"]).pick(1).is_none());
        let by =
            |names: &[&str], text: &str| offer(names).choose(&RoleWish::parse(text).unwrap()).map(|c| c.role().name().to_owned());
        assert_eq!(by(&["team/a", "b"], "a").unwrap(), "team/a");
        assert_eq!(by(&["team/a", "b"], "team/a").unwrap(), "team/a");
        assert_eq!(by(&["team/a", "b"], "1/a").unwrap(), "team/a");
        assert_eq!(by(&["team/a", "b"], "2/a").unwrap_err(), Unchosen::Absent("a role called `2/a`".to_owned()));
        assert_eq!(by(&["x/a", "y/a"], "a").unwrap_err(), Unchosen::Ambiguous);
        assert!(RoleWish::parse("arn:aws:iam::1:user/x").is_err() && RoleWish::parse("a b").is_err());
        assert!(RoleWish::parse("a/\u{202e}b").is_err() && RoleWish::parse("生产 1/b").is_ok());
    }

    #[test]
    fn an_account_is_known_by_its_name_too() {
        let names = BTreeMap::from([(CloudAccountId::parse("1").unwrap(), "生产 1/eu".to_owned())]);
        let offer =
            Offer::new(Assertion::Saml(SamlResponse::new("x")), vec![offered("team/a"), offered("b")], None).with_names(names);
        let by = |text: &str| offer.choose(&RoleWish::parse(text).unwrap()).map(|c| c.role().name().to_owned());
        for text in ["生产 1/eu/a", "生产 1/eu/team/a", "1/a"] {
            assert_eq!(by(text).unwrap(), "team/a", "{text}");
        }
        for text in ["生产 1/a", "生产 1/eu/", "生产 1/eu/c"] {
            assert_eq!(by(text).unwrap_err(), Unchosen::Absent(format!("a role called `{text}`")));
        }
    }
}
