//! Where each partition's sign-in takes assertions, and for whom they have to be. A table, not branches of code; every value can be replaced by the
//! configuration, so another cloud can stand in.

use std::collections::BTreeMap;

use super::model::Partition;
use crate::types::{CloudId, WebUrl};

/// A partition's sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The address that takes responses, which is also the recipient.
    pub acs: WebUrl,
    /// The audience.
    pub audience: String,
    /// The token service, where it is another than the region's.
    pub sts: Option<WebUrl>,
}

/// What the configuration says otherwise; nothing counts where it is not set.
#[derive(Debug, Clone, Default)]
pub struct Override {
    /// For [`Site::acs`].
    pub acs: Option<WebUrl>,
    /// For [`Site::audience`].
    pub audience: Option<String>,
    /// For [`Site::sts`].
    pub sts: Option<WebUrl>,
}

/// Every partition's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sites(BTreeMap<Partition, Site>);

/// Sign-in address and audience:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml_assertions.html>,
/// <https://www.alibabacloud.com/help/en/ram/user-guide/saml-assertions-for-role-based-sso>.
fn known(partition: Partition) -> (&'static str, &'static str) {
    match partition {
        Partition::AlibabaChina => ("https://signin.aliyun.com/saml-role/sso", "urn:alibaba:cloudcomputing"),
        Partition::AlibabaInternational => {
            ("https://signin.alibabacloud.com/saml-role/sso", "urn:alibaba:cloudcomputing:international")
        }
        Partition::Aws => ("https://signin.aws.amazon.com/saml", "urn:amazon:webservices"),
        Partition::AwsChina => ("https://signin.amazonaws.cn/saml", "urn:amazon:webservices:cn-north-1"),
        Partition::AwsGov => ("https://signin.amazonaws-us-gov.com/saml", "urn:amazon:webservices:govcloud"),
    }
}

impl Sites {
    /// The table, with what the configuration says otherwise.
    pub fn new(mut overrides: BTreeMap<Partition, Override>) -> Self {
        let site = |partition: Partition| {
            let (acs, audience) = known(partition);
            let own = overrides.remove(&partition).unwrap_or_default();
            // Every address of the table is one, as the test below shows.
            let acs = own.acs.or_else(|| WebUrl::parse(acs).ok())?;
            Some((partition, Site { acs, audience: own.audience.unwrap_or_else(|| audience.to_owned()), sts: own.sts }))
        };
        Self(Partition::ALL.into_iter().filter_map(site).collect())
    }

    /// A partition's.
    pub fn of(&self, partition: Partition) -> Option<&Site> {
        self.0.get(&partition)
    }
}

/// What the names of a cloud's attributes begin with.
pub(super) fn attributes(cloud: CloudId) -> &'static str {
    match cloud {
        CloudId::Aws => "https://aws.amazon.com/SAML/Attributes/",
        CloudId::Alibaba => "https://www.aliyun.com/SAML-Role/Attributes/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_its_own() {
        let sites = Sites::new(BTreeMap::new());
        let mut seen = std::collections::BTreeSet::new();
        for partition in Partition::ALL {
            let site = sites.of(partition).unwrap();
            assert!(seen.insert(site.audience.clone()) && seen.insert(site.acs.expose().to_string()), "{partition:?}");
        }
        let own = Override { audience: Some("urn:lab".to_owned()), ..Override::default() };
        let sites = Sites::new([(Partition::Aws, own)].into());
        let aws = sites.of(Partition::Aws).unwrap();
        assert_eq!((aws.audience.as_str(), aws.acs.expose().as_str()), ("urn:lab", "https://signin.aws.amazon.com/saml"));
    }
}
