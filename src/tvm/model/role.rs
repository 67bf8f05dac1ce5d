//! Roles of cloud accounts, and the groups whose members may use them.

use super::{BadText, CloudAccount, GroupId, Label, NodeId, RoleId, Version};
use crate::tvm::presets;
use crate::types::{RoleArn, SessionDuration};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$each])* $variant),+ }

        impl $name {
            /// As it is stored.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(
    /// Who manages a role.
    Class {
        /// Managed from above the account.
        System = "system",
        /// Managed by the account's owner.
        Custom = "custom",
    }
);
words!(
    /// Where a role gives powers.
    Plane {
        /// In the cloud.
        Cloud = "cloud",
        /// Here.
        Cam = "cam",
        /// In both.
        Both = "both",
    }
);
words!(
    /// What a role may do here.
    CamPower {
        /// Sees who holds which role in every account, and makes people permission administrators of any account.
        Enterprise = "enterprise",
        /// Gives the roles of one account to people.
        Account = "account",
    }
);
words!(
    /// How keys for a role are come by.
    VendMethod {
        /// By an assertion of ours: no stored key.
        Saml = "saml",
        /// By a hub role that may assume it.
        HubRole = "hub_role",
        /// By a RAM user of the account, for migration and emergencies.
        RamUser = "ram_user",
        /// Never from here.
        None = "none",
    }
);
words!(
    /// What a role can do harm with.
    Risk {
        /// The usual.
        Normal = "normal",
        /// Two people are needed.
        High = "high",
    }
);
words!(
    /// Whether a role counts.
    RoleState {
        /// It does.
        Active = "active",
        /// It is not given out for now.
        Suspended = "suspended",
        /// It is gone; its history stays readable.
        Deleted = "deleted",
    }
);

/// A role of a cloud account, as registered here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Which.
    pub id: RoleId,
    /// The account's node.
    pub node: NodeId,
    /// Its one group.
    pub group: GroupId,
    /// Who manages it.
    pub class: Class,
    /// Its name in the account.
    pub name: String,
    /// Its full name; nothing for one that is only here.
    pub arn: Option<RoleArn>,
    /// Where it gives powers.
    pub plane: Plane,
    /// The entry of the catalogue that it follows.
    pub preset: Option<String>,
    /// What it may do here.
    pub power: Option<CamPower>,
    /// The longest session; the cloud may allow less.
    pub max_session: Option<SessionDuration>,
    /// How keys are come by, where the node's way is not the right one.
    pub method: Option<VendMethod>,
    /// What harm it can do.
    pub risk: Risk,
    /// Whether it counts.
    pub state: RoleState,
    /// How often it was changed.
    pub version: Version,
}

/// A role that is to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRole {
    pub(crate) class: Class,
    pub(crate) name: String,
    pub(crate) arn: Option<RoleArn>,
    pub(crate) plane: Plane,
    pub(crate) preset: Option<String>,
    pub(crate) power: Option<CamPower>,
    /// The longest session.
    pub max_session: Option<SessionDuration>,
    /// How keys are come by.
    pub method: Option<VendMethod>,
    /// What harm it can do.
    pub risk: Risk,
}

impl NewRole {
    /// Its name in the account.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it will let its holders do here.
    pub fn power(&self) -> Option<CamPower> {
        self.power
    }

    /// The entry of the catalogue that it follows.
    pub fn preset(&self) -> Option<&str> {
        self.preset.as_deref()
    }

    /// A role that is in the account.
    ///
    /// # Errors
    /// It belongs to another account, its name is kept for others, or the cloud does not give it to a SAML provider.
    pub fn new(class: Class, arn: RoleArn, account: &CloudAccount) -> Result<Self, BadText> {
        let bad = |why: &str| BadText { what: "the role", why: why.to_owned() };
        if !account.owns(&arn) {
            return Err(BadText { what: "the role", why: format!("is not one of account {account}") });
        }
        // AWS writes the role's path into the ARN; the name is what stands after it.
        let name = arn.name().rsplit('/').next().unwrap_or_default().to_owned();
        if name.starts_with("AWSReservedSSO_") {
            return Err(bad("is one of IAM Identity Center, which alone may give it out"));
        }
        let preset = presets::named(&name);
        if class == Class::Custom && preset.is_some() {
            return Err(bad("has a name that is kept for a preset role"));
        }
        Ok(Self {
            class,
            plane: preset.map_or(Plane::Cloud, |preset| preset.plane),
            power: preset.and_then(|preset| preset.power),
            preset: preset.map(|preset| preset.key.to_owned()),
            risk: preset.map_or(Risk::Normal, |preset| preset.risk),
            name,
            arn: Some(arn),
            max_session: None,
            method: None,
        })
    }
}

/// What a group is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupKind {
    /// The one group of this role.
    Role(RoleId),
    /// Holds people for any number of horizontal roles.
    Horizontal,
}

/// A group of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub id: GroupId,
    /// The node that it was made at.
    pub node: NodeId,
    /// What it is for.
    pub kind: GroupKind,
    /// Its name.
    pub name: Label,
    /// How often it was changed.
    pub version: Version,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(class: Class, arn: &str) -> Result<NewRole, BadText> {
        NewRole::new(class, RoleArn::parse(arn).unwrap(), &CloudAccount::parse("aws:123456789012").unwrap())
    }

    #[test]
    fn a_role_is_of_its_account_and_keeps_to_its_names() {
        let made = role(Class::System, "arn:aws:iam::123456789012:role/team/ReadOnly").unwrap();
        assert_eq!((made.name.as_str(), made.plane, &made.preset), ("ReadOnly", Plane::Cloud, &None));
        let preset = role(Class::System, "arn:aws:iam::123456789012:role/account_IAM_admin").unwrap();
        assert_eq!((preset.plane, preset.power), (Plane::Both, Some(CamPower::Account)));
        for (class, arn) in [
            (Class::System, "arn:aws:iam::123456789013:role/ReadOnly"),
            (Class::System, "arn:aws-cn:iam::123456789012:role/ReadOnly"),
            (Class::System, "acs:ram::123456789012:role/ReadOnly"),
            (
                Class::System,
                "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef",
            ),
            (Class::Custom, "arn:aws:iam::123456789012:role/cloud-super-admin"),
            (Class::Custom, "arn:aws:iam::123456789012:role/team/Ent_iam_ADMIN"),
        ] {
            assert!(role(class, arn).is_err(), "{arn}");
        }
    }
}
