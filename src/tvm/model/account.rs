//! Cloud accounts, each in one of the clouds' separate worlds.

use std::fmt;

use super::BadText;
use crate::types::{CloudAccountId, CloudId, IdpArn, RoleArn};

/// A separate world of a cloud: accounts, roles and sign-in addresses of one are unknown in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// Alibaba Cloud, China site.
    AlibabaChina,
    /// Alibaba Cloud, international site.
    AlibabaInternational,
    /// AWS.
    Aws,
    /// AWS in China.
    AwsChina,
    /// AWS GovCloud (US).
    AwsGov,
}

impl Partition {
    /// Every one, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::AlibabaChina, Self::AlibabaInternational, Self::Aws, Self::AwsChina, Self::AwsGov];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::AlibabaChina => "alibaba",
            Self::AlibabaInternational => "alibaba-intl",
            Self::Aws => "aws",
            Self::AwsChina => "aws-cn",
            Self::AwsGov => "aws-us-gov",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|partition| partition.word() == word)
    }

    /// Whose it is.
    pub fn cloud(self) -> CloudId {
        match self {
            Self::AlibabaChina | Self::AlibabaInternational => CloudId::Alibaba,
            Self::Aws | Self::AwsChina | Self::AwsGov => CloudId::Aws,
        }
    }

    /// How many digits an account's number has.
    fn digits(self) -> std::ops::RangeInclusive<usize> {
        match self.cloud() {
            CloudId::Aws => 12..=12,
            CloudId::Alibaba => 15..=20,
        }
    }
}

/// An account, by its own number; never that of a sub-user in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CloudAccount {
    partition: Partition,
    uid: CloudAccountId,
}

impl CloudAccount {
    /// Checks the number.
    ///
    /// # Errors
    /// [`BadText`].
    pub fn new(partition: Partition, uid: &str) -> Result<Self, BadText> {
        let digits = partition.digits();
        let uid = CloudAccountId::parse(uid.trim()).ok().filter(|uid| digits.contains(&uid.as_str().len()));
        let uid = uid.ok_or_else(|| BadText {
            what: "an account number",
            why: match partition.cloud() {
                CloudId::Aws => "has 12 digits on AWS".to_owned(),
                CloudId::Alibaba => "has 15 to 20 digits on Alibaba Cloud".to_owned(),
            },
        })?;
        Ok(Self { partition, uid })
    }

    /// Reads `PARTITION:NUMBER`.
    ///
    /// # Errors
    /// [`BadText`].
    pub fn parse(text: &str) -> Result<Self, BadText> {
        let (word, uid) = text.split_once(':').unwrap_or((text, ""));
        let partition = Partition::from_word(word.trim()).ok_or_else(|| BadText {
            what: "a cloud account",
            why: format!("looks like `PARTITION:NUMBER`, where PARTITION is {}", Partition::ALL.map(Partition::word).join(", ")),
        })?;
        Self::new(partition, uid)
    }

    /// Where it is.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// Its number.
    pub fn uid(&self) -> &CloudAccountId {
        &self.uid
    }

    /// Whether a role is this account's.
    pub fn owns(&self, role: &RoleArn) -> bool {
        self.is(role.cloud(), role.partition(), role.account())
    }

    /// Whether an identity provider's entry is this account's.
    pub fn has(&self, provider: &IdpArn) -> bool {
        self.is(provider.cloud(), provider.partition(), provider.account())
    }

    fn is(&self, cloud: CloudId, partition: &str, uid: &CloudAccountId) -> bool {
        // Both sites of Alibaba Cloud write their ARNs alike.
        let here = cloud == CloudId::Alibaba || partition == self.partition.word();
        cloud == self.partition.cloud() && here && *uid == self.uid
    }
}

impl fmt::Display for CloudAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition.word(), self.uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_of_one_world() {
        let ours = CloudAccount::parse("aws-cn:123456789012").unwrap();
        assert_eq!(ours.to_string(), "aws-cn:123456789012");
        let owns = |account: &CloudAccount, arn: &str| account.owns(&RoleArn::parse(arn).unwrap());
        assert!(owns(&ours, "arn:aws-cn:iam::123456789012:role/a"));
        assert!(!owns(&ours, "arn:aws:iam::123456789012:role/a"));
        assert!(!owns(&ours, "arn:aws-cn:iam::123456789013:role/a"));
        assert!(owns(&CloudAccount::parse("alibaba-intl:1000000000000001").unwrap(), "acs:ram::1000000000000001:role/a"));
        for bad in ["aws:1", "aws", "", "gcp:123456789012", "alibaba:123456789012", "aws:12345678901x"] {
            assert!(CloudAccount::parse(bad).is_err(), "{bad}");
        }
    }
}
