//! AWS's separate worlds, and what their hosts are called.

use super::Region;

/// A partition: what its regions begin with, its domains, the region to ask where none is named.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// `aws-cn`, …: the word in ARNs.
    pub name: &'static str,
    /// What the names of its regions begin with; the others are the global partition's.
    regions: &'static [&'static str],
    /// Where its services answer.
    pub domain: &'static str,
    /// Where they answer by IPv6 too; empty where there is no such domain.
    pub dual_stack: &'static str,
    /// The region to ask where none is named.
    pub home: &'static str,
}

/// The global one.
static GLOBAL: Partition =
    Partition { name: "aws", regions: &[], domain: "amazonaws.com", dual_stack: "api.aws", home: "us-east-1" };

/// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html> and botocore's `partitions.json`.
static OTHERS: &[Partition] = &[
    Partition {
        name: "aws-cn",
        regions: &["cn-"],
        domain: "amazonaws.com.cn",
        dual_stack: "api.amazonwebservices.com.cn",
        home: "cn-north-1",
    },
    Partition {
        name: "aws-us-gov",
        regions: &["us-gov-"],
        domain: "amazonaws.com",
        dual_stack: "api.aws",
        home: "us-gov-west-1",
    },
    Partition { name: "aws-iso", regions: &["us-iso-"], domain: "c2s.ic.gov", dual_stack: "", home: "us-iso-east-1" },
    Partition { name: "aws-iso-b", regions: &["us-isob-"], domain: "sc2s.sgov.gov", dual_stack: "", home: "us-isob-east-1" },
    Partition { name: "aws-iso-e", regions: &["eu-isoe-"], domain: "cloud.adc-e.uk", dual_stack: "", home: "eu-isoe-west-1" },
    Partition { name: "aws-iso-f", regions: &["us-isof-"], domain: "csp.hci.ic.gov", dual_stack: "", home: "us-isof-south-1" },
    Partition {
        name: "aws-eusc",
        regions: &["eusc-"],
        domain: "amazonaws.eu",
        dual_stack: "api.amazonwebservices.eu",
        home: "eusc-de-east-1",
    },
];

impl Partition {
    /// The partition of that name; the global one for a name that is not known.
    pub fn named(name: &str) -> &'static Self {
        OTHERS.iter().find(|partition| partition.name == name).unwrap_or(&GLOBAL)
    }

    /// The partition that a region lies in.
    pub fn of(region: &Region) -> &'static Self {
        let is_there = |partition: &&Self| partition.regions.iter().any(|prefix| region.as_str().starts_with(prefix));
        OTHERS.iter().find(is_there).unwrap_or(&GLOBAL)
    }

    /// Whether a host lies in a domain of AWS's, whichever partition.
    pub fn owns(host: &str) -> bool {
        let domains = OTHERS.iter().chain([&GLOBAL]).flat_map(|partition| [partition.domain, partition.dual_stack]);
        domains
            .filter(|domain| !domain.is_empty())
            .any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
    }

    /// The host of a regional service, as the switches of the person's environment have it.
    pub fn host(service: &str, region: &Region, fips: bool, dual_stack: bool) -> String {
        let partition = Self::of(region);
        // GovCloud's plain names are its FIPS ones.
        let fips = if fips && partition.name != "aws-us-gov" { "-fips" } else { "" };
        let domain = if dual_stack && !partition.dual_stack.is_empty() { partition.dual_stack } else { partition.domain };
        format!("{service}{fips}.{region}.{domain}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_by_region() {
        let host = |region: &str, fips, dual| Partition::host("portal.sso", &Region::parse(region).unwrap(), fips, dual);
        assert_eq!(host("us-east-1", false, false), "portal.sso.us-east-1.amazonaws.com");
        assert_eq!(host("us-east-1", true, false), "portal.sso-fips.us-east-1.amazonaws.com");
        assert_eq!(host("us-east-1", false, true), "portal.sso.us-east-1.api.aws");
        assert_eq!(host("cn-north-1", false, true), "portal.sso.cn-north-1.api.amazonwebservices.com.cn");
        assert_eq!(host("us-gov-west-1", true, false), "portal.sso.us-gov-west-1.amazonaws.com");
        assert_eq!(host("eusc-de-east-1", false, false), "portal.sso.eusc-de-east-1.amazonaws.eu");
        assert_eq!(host("us-iso-east-1", false, true), "portal.sso.us-iso-east-1.c2s.ic.gov");
    }

    #[test]
    fn owns_its_own_hosts_only() {
        assert!(Partition::owns("oidc.us-east-1.amazonaws.com") && Partition::owns("sts.us-east-1.api.aws"));
        for other in ["amazonaws.com", "amazonaws.com.evil.example", "evilamazonaws.com", "api.aws", ""] {
            assert!(!Partition::owns(other), "{other}");
        }
    }
}
