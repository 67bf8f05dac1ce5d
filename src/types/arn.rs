//! Full names of roles and identity providers, on both clouds.

use std::fmt;

use super::{CloudAccountId, CloudId, Untrusted};

/// Why a text is not an ARN of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not {wanted}")]
pub struct BadArn {
    text: Untrusted,
    wanted: &'static str,
}

/// The parts that both kinds share: `arn:PARTITION:iam::ACCOUNT:KIND/NAME` on AWS,
/// `acs:ram::ACCOUNT:KIND/NAME` on Alibaba Cloud.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Arn {
    text: String,
    cloud: CloudId,
    /// `aws`, `aws-cn`, `aws-us-gov`, …; empty on Alibaba Cloud.
    partition: String,
    account: CloudAccountId,
    kind: String,
    /// The path and name after `KIND/`.
    name: String,
}

impl Arn {
    fn parse(text: &str, wanted: &'static str) -> Result<Self, BadArn> {
        let bad = || BadArn { text: Untrusted::new(text), wanted };
        let text = text.trim();
        // A name goes into files and onto terminals: printable ASCII only, and no blank or comma,
        // which separate the two halves of an attribute value.
        if text.is_empty() || text.len() > 2048 || !text.bytes().all(|b| b.is_ascii_graphic() && b != b',') {
            return Err(bad());
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let (cloud, partition, account, rest) = match parts.as_slice() {
            ["arn", partition, "iam", "", account, rest] if partition.starts_with("aws") => {
                (CloudId::Aws, *partition, *account, *rest)
            }
            ["acs", "ram", "", account, rest] => (CloudId::Alibaba, "", *account, *rest),
            _ => return Err(bad()),
        };
        if !partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
            return Err(bad());
        }
        let (kind, name) = rest.split_once('/').ok_or_else(bad)?;
        if name.is_empty() || name.ends_with('/') || name.contains(':') {
            return Err(bad());
        }
        Ok(Self {
            text: text.to_owned(),
            cloud,
            partition: partition.to_owned(),
            account: CloudAccountId::parse(account).map_err(|_| bad())?,
            kind: kind.to_owned(),
            name: name.to_owned(),
        })
    }
}

macro_rules! arn {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $($kind:literal)|+) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arn);

        impl $name {
            /// Reads the full name.
            ///
            /// # Errors
            /// [`BadArn`] when it is not one of this kind.
            pub fn parse(text: &str) -> Result<Self, BadArn> {
                let arn = Arn::parse(text, $wanted)?;
                if matches!(arn.kind.as_str(), $($kind)|+) {
                    Ok(Self(arn))
                } else {
                    Err(BadArn { text: Untrusted::new(text), wanted: $wanted })
                }
            }

            /// The full name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0.text
            }

            /// The cloud it lives in.
            pub fn cloud(&self) -> CloudId {
                self.0.cloud
            }

            /// AWS's separate worlds: `aws`, `aws-cn`, `aws-us-gov`, …; empty on Alibaba Cloud.
            pub fn partition(&self) -> &str {
                &self.0.partition
            }

            /// The cloud account that owns it.
            pub fn account(&self) -> &CloudAccountId {
                &self.0.account
            }

            /// Its name with the path before it, without the account.
            pub fn name(&self) -> &str {
                &self.0.name
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.text)
            }
        }
    };
}

arn!(
    /// A role's full name: `arn:aws:iam::123456789012:role/Admin` or `acs:ram::1234567890123456:role/admin`.
    RoleArn,
    "a role ARN (`arn:aws:iam::ACCOUNT:role/NAME` or `acs:ram::ACCOUNT:role/NAME`)",
    "role"
);

arn!(
    /// The identity provider's entry in the cloud account, SAML or OpenID Connect.
    IdpArn,
    "an identity-provider ARN",
    "saml-provider" | "oidc-provider"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_cloud_and_partition() {
        let role = RoleArn::parse("arn:aws-cn:iam::333333333333:role/team/ops/Carol").unwrap();
        assert_eq!(
            (role.cloud(), role.partition(), role.account().as_str(), role.name()),
            (CloudId::Aws, "aws-cn", "333333333333", "team/ops/Carol")
        );
        let role = RoleArn::parse(" acs:ram::1000000000000001:role/admin ").unwrap();
        assert_eq!(
            (role.cloud(), role.partition(), role.as_str()),
            (CloudId::Alibaba, "", "acs:ram::1000000000000001:role/admin")
        );
        assert!(IdpArn::parse("arn:aws:iam::1:saml-provider/Lab").is_ok());
        assert!(IdpArn::parse("acs:ram::1:oidc-provider/p").is_ok());
    }

    #[test]
    fn refuses_what_is_not_one() {
        for bad in [
            "",
            "arn:aws:iam::1:role/",
            "arn:aws:iam::x:role/a",
            "arn:aws:s3:::bucket",
            "arn:aws:iam::1:saml-provider/x",
            "arn:evil:iam::1:role/a",
            "acs:ram::1:role/a\ncredential_process = touch x",
            "arn:aws:iam::1:role/a b",
            "arn:aws:iam::1:role/a,arn:aws:iam::1:saml-provider/b",
            "arn:aws:iam::1:role/\u{1b}[31m",
        ] {
            assert!(RoleArn::parse(bad).is_err(), "{bad:?}");
        }
    }
}
