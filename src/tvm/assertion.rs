//! What we say to a cloud about a person. The only way to a signature leads over a [`Permit`], and a permit is a line of the ledger: nothing is
//! signed that is not written down.

use std::time::Duration;

use super::model::VendMethod;
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
    let (role, provider) = checked(permit, now)?;
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
    Ok(SignedResponse { base64, acs: site.acs.clone(), assertion_id, ends })
}

/// The role and the account's entry for us, if they belong together.
fn checked(permit: &Permit, now: Timestamp) -> Result<(&RoleArn, &IdpArn), AssertionError> {
    if permit.method() != VendMethod::Saml {
        return Err(AssertionError::OtherWay);
    }
    if now.since(permit.issued()) > WINDOW {
        return Err(AssertionError::Stale);
    }
    let (account, role) = (permit.account(), permit.role());
    let foreign = |what: &dyn std::fmt::Display| AssertionError::Foreign(what.to_string(), account.to_string());
    if !account.owns(role) {
        return Err(foreign(role));
    }
    if role.name().rsplit('/').next().is_some_and(|name| name.starts_with(RESERVED)) {
        return Err(AssertionError::Reserved(role.clone()));
    }
    let provider = permit.provider().ok_or(AssertionError::NoProvider)?;
    if !account.has(provider) {
        return Err(foreign(provider));
    }
    if !provider.as_str().contains(":saml-provider/") {
        return Err(AssertionError::NoProvider);
    }
    Ok((role, provider))
}
