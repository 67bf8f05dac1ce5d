//! What we say to a cloud about a person. The only way to a signature leads over a [`Permit`], and a permit is a line of the ledger: nothing is
//! signed that is not written down.

use std::time::Duration;

use super::model::{CloudAccount, VendMethod};
use super::sites::{Sites, attributes};
use super::vend::Permit;
use crate::saml::{IssueError, Signer, Statement};
use crate::types::{IdpArn, RoleArn, Secret, Timestamp};
use crate::world;

/// How long a response can be used.
const WINDOW: Duration = Duration::from_secs(120);
/// How far behind ours the cloud's clock may be.
const SLACK: Duration = Duration::from_secs(60);
/// Roles of AWS's own sign-in portal, which no assertion of somebody else's opens.
const RESERVED: &str = "AWSReservedSSO_";

/// Ourselves, as the clouds know us.
#[derive(Debug, Clone, Copy)]
pub struct Issuer<'i> {
    /// Our entity ID, as it stands in the metadata that the accounts have of us.
    pub entity_id: &'i str,
    /// Where the clouds take assertions.
    pub sites: &'i Sites,
}

/// A response, ready to be sent.
#[derive(Debug, Clone)]
pub struct SignedResponse {
    /// The whole response in base64. Whoever has it has the role, for two minutes.
    pub base64: Secret<String>,
    /// Where to.
    pub acs: crate::types::WebUrl,
    /// The assertion in it, as the cloud's trail names it.
    pub assertion_id: String,
    /// Until when it can be used.
    pub ends: Timestamp,
    /// The account's entry for us, which the cloud wants to be told beside it.
    pub provider: IdpArn,
}

/// Why nothing is signed.
#[derive(Debug, thiserror::Error)]
pub enum AssertionError {
    /// The permit is for another way.
    #[error("keys for this role are not come by with an assertion")]
    OtherWay,
    /// The permit was not used when it was given.
    #[error("the permit was given too long ago")]
    Stale,
    /// Role, provider and account do not belong together.
    #[error("{0} is not of the account {1}")]
    Foreign(String, String),
    /// There is no entry for us, or it is not for SAML.
    #[error("the account has no identity provider's entry of the kind saml-provider for this service")]
    NoProvider,
    /// A role that refuses assertions.
    #[error("`{0}` belongs to AWS's own sign-in portal and takes no assertions")]
    Reserved(RoleArn),
    /// It cannot be written, or not signed.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// Signs the one response that a permit allows.
///
/// # Errors
/// [`AssertionError`]; nothing was signed.
pub async fn respond(
    permit: &Permit,
    issuer: &Issuer<'_>,
    signer: &dyn Signer,
    now: Timestamp,
) -> Result<SignedResponse, AssertionError> {
    let grounds = Grounds {
        method: permit.method(),
        issued: permit.issued(),
        account: permit.account(),
        role: permit.role(),
        provider: permit.provider(),
    };
    let (role, provider) = grounds.checked(now)?;
    let partition = permit.account().partition();
    let site = issuer.sites.of(partition).ok_or(AssertionError::OtherWay)?;
    let prefix = attributes(partition.cloud());
    let attributes = [
        (format!("{prefix}Role"), format!("{role},{provider}")),
        (format!("{prefix}RoleSessionName"), permit.session_name().to_owned()),
        (format!("{prefix}SessionDuration"), permit.lifetime().seconds().to_string()),
    ];
    let [response_id, assertion_id] = [world::nonce(), world::nonce()].map(|nonce| format!("_{nonce}"));
    let ends = now.after(WINDOW);
    let statement = Statement {
        response_id: &response_id,
        assertion_id: &assertion_id,
        issuer: issuer.entity_id,
        acs: site.acs.expose().as_str(),
        audience: &site.audience,
        subject: permit.session_name(),
        not_before: now.before(SLACK),
        now,
        not_on_or_after: ends,
        session_ends: permit.issued().after(Duration::from_secs(permit.lifetime().seconds().into())),
        attributes: &attributes,
    };
    let base64 = statement.signed(signer).await?;
    Ok(SignedResponse { base64, acs: site.acs.clone(), assertion_id, ends, provider: provider.clone() })
}

/// What of a permit decides whether there is an assertion.
struct Grounds<'p> {
    method: VendMethod,
    issued: Timestamp,
    account: &'p CloudAccount,
    role: &'p RoleArn,
    provider: Option<&'p IdpArn>,
}

impl<'p> Grounds<'p> {
    /// The role and the account's entry for us, if they belong together.
    fn checked(&self, now: Timestamp) -> Result<(&'p RoleArn, &'p IdpArn), AssertionError> {
        if self.method != VendMethod::Saml {
            return Err(AssertionError::OtherWay);
        }
        if now.since(self.issued) > WINDOW {
            return Err(AssertionError::Stale);
        }
        let foreign = |what: &dyn std::fmt::Display| AssertionError::Foreign(what.to_string(), self.account.to_string());
        if !self.account.owns(self.role) {
            return Err(foreign(self.role));
        }
        if self.role.name().rsplit('/').next().is_some_and(|name| name.starts_with(RESERVED)) {
            return Err(AssertionError::Reserved(self.role.clone()));
        }
        let provider = self.provider.ok_or(AssertionError::NoProvider)?;
        if !self.account.has(provider) {
            return Err(foreign(provider));
        }
        if !provider.as_str().contains(":saml-provider/") {
            return Err(AssertionError::NoProvider);
        }
        Ok((self.role, provider))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(account: &str, role: &str, provider: Option<&str>, method: VendMethod, age: u64) -> String {
        let issued = Timestamp::from_unix(1_800_000_000).unwrap();
        let (account, role) = (CloudAccount::parse(account).unwrap(), RoleArn::parse(role).unwrap());
        let provider = provider.map(|text| IdpArn::parse(text).unwrap());
        let grounds = Grounds { method, issued, account: &account, role: &role, provider: provider.as_ref() };
        grounds.checked(issued.after(Duration::from_secs(age))).map_or_else(|error| error.to_string(), |_| "fine".to_owned())
    }

    #[test]
    fn role_provider_and_account_belong_together_or_nothing_is_signed() {
        let aws = |role: &str, provider: Option<&str>| said("aws:111111111111", role, provider, VendMethod::Saml, 0);
        let own = Some("arn:aws:iam::111111111111:saml-provider/cam");
        assert_eq!(aws("arn:aws:iam::111111111111:role/team/Reader", own), "fine");
        for role in [
            "arn:aws:iam::222222222222:role/Reader",
            "arn:aws-cn:iam::111111111111:role/Reader",
            "acs:ram::111111111111:role/Reader",
        ] {
            assert!(aws(role, own).contains("not of the account"), "{role}");
        }
        let role = "arn:aws:iam::111111111111:role/Reader";
        for provider in ["arn:aws:iam::222222222222:saml-provider/cam", "arn:aws-us-gov:iam::111111111111:saml-provider/cam"] {
            assert!(aws(role, Some(provider)).contains("not of the account"), "{provider}");
        }
        assert!(aws(role, Some("arn:aws:iam::111111111111:oidc-provider/cam")).contains("saml-provider"));
        assert!(aws(role, None).contains("saml-provider"));
        for reserved in ["AWSReservedSSO_Admin_0123", "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123"] {
            assert!(
                aws(&format!("arn:aws:iam::111111111111:role/{reserved}"), own).contains("takes no assertions"),
                "{reserved}"
            );
        }
        assert_eq!(aws("arn:aws:iam::111111111111:role/NotAWSReservedSSO_x", own), "fine");
    }

    #[test]
    fn both_sites_of_alibaba_write_alike_and_accounts_still_differ() {
        let role = "acs:ram::1000000000000001:role/reader";
        let provider = Some("acs:ram::1000000000000001:saml-provider/cam");
        let at = |account: &str| said(account, role, provider, VendMethod::Saml, 0);
        assert_eq!([at("alibaba:1000000000000001"), at("alibaba-intl:1000000000000001")], ["fine", "fine"]);
        assert!(at("alibaba:1000000000000002").contains("not of the account"));
        assert!(at("aws:111111111111").contains("not of the account"));
    }

    #[test]
    fn a_permit_is_for_its_own_way_and_for_now() {
        let (account, role) = ("aws:111111111111", "arn:aws:iam::111111111111:role/Reader");
        let own = Some("arn:aws:iam::111111111111:saml-provider/cam");
        for method in [VendMethod::HubRole, VendMethod::RamUser, VendMethod::None] {
            assert!(said(account, role, own, method, 0).contains("not come by"));
        }
        let at = |age| said(account, role, own, VendMethod::Saml, age);
        assert_eq!([at(119), at(120), at(121)], ["fine", "fine", "the permit was given too long ago"]);
    }
}
