//! A role, by whichever name the cloud gives it.

use std::fmt;

use super::{CloudAccountId, RoleArn, Untrusted};

/// The full name of a role: an ARN where roles have one, `ACCOUNT/NAME` where a sign-in portal offers them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A role by its ARN.
    Arn(RoleArn),
    /// A role that a sign-in portal offers.
    Portal(PortalRole),
}

impl Role {
    /// Reads the full name, as [`Role::as_str`] gives it.
    pub fn parse(text: &str) -> Option<Self> {
        match text.contains(':') {
            true => RoleArn::parse(text).ok().map(Self::Arn),
            false => PortalRole::parse(text).map(Self::Portal),
        }
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Arn(role) => role.as_str(),
            Self::Portal(role) => role.as_str(),
        }
    }

    /// The cloud account that owns it.
    pub fn account(&self) -> &CloudAccountId {
        match self {
            Self::Arn(role) => role.account(),
            Self::Portal(role) => role.account(),
        }
    }

    /// Its name without the account; with the path before it where it has one.
    pub fn name(&self) -> &str {
        match self {
            Self::Arn(role) => role.name(),
            Self::Portal(role) => role.name(),
        }
    }

    /// The ARN, if it has one.
    pub fn arn(&self) -> Option<&RoleArn> {
        match self {
            Self::Arn(role) => Some(role),
            Self::Portal(_) => None,
        }
    }
}

impl From<RoleArn> for Role {
    fn from(role: RoleArn) -> Self {
        Self::Arn(role)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A role that a sign-in portal offers: a permission set (AWS) or access configuration (Alibaba Cloud) in a cloud account.
/// What the cloud calls the role behind it, the portal does not tell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortalRole {
    account: CloudAccountId,
    name: String,
    /// `ACCOUNT/NAME`.
    text: String,
}

impl PortalRole {
    /// A role of that account. Nothing for a name that would break a line, a file or a terminal: names come from the network.
    pub fn new(account: CloudAccountId, name: &str) -> Option<Self> {
        let shows_as_is = Untrusted::new(name).to_string() == name;
        let is_name = !name.is_empty() && name.chars().count() <= 128 && shows_as_is && !name.contains(['/', ':', '[', ']']);
        is_name.then(|| Self { text: format!("{account}/{name}"), name: name.to_owned(), account })
    }

    /// Reads `ACCOUNT/NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        let (account, name) = text.trim().split_once('/')?;
        Self::new(CloudAccountId::parse(account).ok()?, name)
    }

    /// The permission set behind a role that IAM Identity Center made in an account,
    /// `arn:aws:iam::ACCOUNT:role/aws-reserved/sso.amazonaws.com/…/AWSReservedSSO_NAME_0123456789abcdef`: the name that consoles show.
    pub fn of_reserved(role: &RoleArn) -> Option<Self> {
        let last = role.name().strip_prefix("aws-reserved/sso.amazonaws.com/")?.rsplit('/').next()?;
        let (name, suffix) = last.strip_prefix("AWSReservedSSO_")?.rsplit_once('_')?;
        let is_suffix = suffix.len() == 16 && suffix.bytes().all(|b| b.is_ascii_hexdigit());
        is_suffix.then(|| Self::new(role.account().clone(), name)).flatten()
    }

    /// The cloud account.
    pub fn account(&self) -> &CloudAccountId {
        &self.account
    }

    /// Its name in the portal.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `ACCOUNT/NAME`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for PortalRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PortalRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_back() {
        for text in [
            "arn:aws:iam::123456789012:role/team/Admin",
            "acs:ram::1:role/a",
            "000000000123/Admin",
            "123456789012/Équipe A+B=1,x@y",
        ] {
            assert_eq!(Role::parse(text).unwrap().as_str(), text);
        }
        let role = Role::parse("000000000123/Admin").unwrap();
        assert_eq!((role.account().as_str(), role.name(), role.arn()), ("000000000123", "Admin", None));
    }

    #[test]
    fn a_portal_cannot_name_what_breaks_a_file() {
        for bad in [
            "123456789012/",
            "/Admin",
            "x/Admin",
            "123456789012/a/b",
            "123456789012/a]\n[profile x]\ncredential_process=touch p",
            "123456789012/\u{1b}[31m",
            "123456789012/turned\u{202e}nimdA",
            "123456789012/a:b",
        ] {
            assert_eq!(Role::parse(bad), None, "{bad:?}");
        }
        assert_eq!(PortalRole::new(CloudAccountId::parse("1").unwrap(), &"x".repeat(129)), None);
    }

    #[test]
    fn the_role_behind_a_permission_set() {
        let of = |arn: &str| PortalRole::of_reserved(&RoleArn::parse(arn).unwrap()).map(|role| role.to_string());
        let arn =
            "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Power_User_0123456789abcdef";
        assert_eq!(of(arn).as_deref(), Some("123456789012/Power_User"));
        assert_eq!(of("arn:aws:iam::123456789012:role/Admin"), None);
    }
}
