//! The clouds. Everything that is one vendor's convention is in that vendor's folder; both folders have the same files.
//!
//! Knows nothing of identity providers: an assertion comes in, credentials go out, into files and environments.

mod alibaba;
mod aws;
mod canonical;
mod chain;
mod console;
mod error;
#[cfg(feature = "serve")]
pub mod instance;
#[cfg(feature = "serve")]
pub mod kms;
mod store;
mod together;
pub mod trust;
mod trusted;
mod vending;

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;

pub use self::chain::{ChainError, Hop, Keys, Plan, RoleCall, Source};
pub use self::console::{ConsoleLink, ConsoleWish};
pub use self::error::CloudError;
pub use self::store::{Held, Store, StoreError};
pub use self::trusted::Trusted;
pub use self::vending::{Entrusted, Vended, vended};

use crate::types::{
    Assertion, Choice, CloudAccountId, CloudId, Credentials, IdpArn, Offer, OfferedRole, PortalToken, ProfileName, Region,
    RoleArn, RoleWish, SamlResponse, Secret, ServiceProvider, SessionDuration, Timestamp, Untrusted, WebUrl,
};
use crate::world::{Env, EnvChange, Paths, Transport};

/// One cloud's conventions.
#[async_trait]
pub trait Cloud: Sync {
    /// Which cloud.
    fn id(&self) -> CloudId;

    /// Whom assertions are for. `urn` is an account's own entity ID, `target` an assertion consumer service beside the cloud's.
    fn service_provider(&self, urn: Option<&str>, target: Option<&WebUrl>) -> ServiceProvider;

    /// What the names of its SAML attributes begin with.
    fn attributes(&self) -> &'static str;

    /// Whether the cloud wants to be told which entry of the account vouches for an ID token, or finds it by the token's issuer.
    fn wants_oidc_provider(&self) -> bool;

    /// The roles that an account's configuration offers, because an ID token lists none.
    ///
    /// # Errors
    /// [`CloudError::NotConfigured`] names what is missing.
    fn configured(&self, configured: &Configured) -> Result<Vec<OfferedRole>, CloudError> {
        let missing = |what| CloudError::NotConfigured { cloud: self.id(), what };
        let role = configured.role.clone().ok_or_else(|| missing(Lack::Role))?;
        let idp = match (self.wants_oidc_provider(), &configured.idp) {
            (false, _) => None,
            (true, Some(idp)) => Some(idp.clone()),
            (true, None) => return Err(missing(Lack::OidcProvider)),
        };
        Ok(vec![OfferedRole::Federated { role, idp }])
    }

    /// Reads what an assertion grants; of an ID token, what the account says.
    ///
    /// # Errors
    /// [`CloudError`] when it cannot be read, or is for another cloud.
    fn offer(&self, assertion: Assertion, configured: &Configured) -> Result<Offer, CloudError> {
        match &assertion {
            Assertion::Saml(response) => {
                let (roles, duration) = granted(self.id(), response)?;
                Ok(Offer::new(assertion, roles, duration))
            }
            Assertion::Oidc(_) => Ok(Offer::new(assertion, self.configured(configured)?, None)),
            // A portal is asked: `portal_offer`.
            Assertion::Portal(_) => Err(CloudError::Mismatch),
        }
    }

    /// Where the sign-in portal that gave this token answers.
    ///
    /// # Errors
    /// [`CloudError::NoPortal`] where the cloud has none that we speak to, [`CloudError::PortalAddress`] for an address that is not used.
    fn portal(&self, _token: &PortalToken, _env: &Env) -> Result<Endpoint, CloudError> {
        Err(CloudError::NoPortal(self.id()))
    }

    /// Asks a portal at `at` what it offers, and only as much as `wish` leaves open.
    ///
    /// # Errors
    /// [`CloudError`].
    async fn portal_offer(
        &self,
        _token: PortalToken,
        _wish: &RoleWish,
        _at: &WebUrl,
        _net: &dyn Transport,
    ) -> Result<Offer, CloudError> {
        Err(CloudError::NoPortal(self.id()))
    }

    /// Whether the session at the portal that gave this token can be ended from here. Where it cannot, what is kept of it here is all that can go.
    fn ends_portal_sessions(&self, _token: &PortalToken) -> bool {
        true
    }

    /// Ends the session at a portal at `at`. Credentials that were handed out live on.
    ///
    /// # Errors
    /// [`CloudError`].
    async fn portal_sign_out(&self, _token: &PortalToken, _at: &WebUrl, _net: &dyn Transport) -> Result<(), CloudError> {
        Err(CloudError::NoPortal(self.id()))
    }

    /// Where to exchange an assertion for credentials of `role`.
    ///
    /// # Errors
    /// [`CloudError::Endpoint`] for an address that is not used.
    fn endpoint(&self, role: &RoleArn, place: &Place, env: &Env) -> Result<Endpoint, CloudError>;

    /// Exchanges the assertion for credentials. A token vending machine is asked by [`vended`], whichever cloud its roles are in.
    ///
    /// # Errors
    /// [`CloudError`], with the cloud's own words where it refused.
    async fn assume(&self, choice: &Choice, wish: &SessionWish, net: &dyn Transport) -> Result<Credentials, CloudError>;

    /// How the profile `name` of the cloud's own files comes to its role. `login` is the profile that stands for the login's keys, where
    /// there is a login.
    ///
    /// # Errors
    /// [`ChainError`] says what in the files leads nowhere.
    fn plan(
        &self,
        name: &ProfileName,
        login: Option<&ProfileName>,
        paths: &Paths,
        env: &Env,
        now: Timestamp,
    ) -> Result<Plan, ChainError>;

    /// The longest session of a role that is assumed with another role's keys, where the cloud has such a limit.
    fn longest_chained(&self) -> Option<SessionDuration>;

    /// Assumes a role with keys of another one, or of a person.
    ///
    /// # Errors
    /// [`CloudError`], with the cloud's own words where it refused.
    async fn assume_role(&self, call: &RoleCall<'_>, wish: &SessionWish, net: &dyn Transport) -> Result<Credentials, CloudError>;

    /// Asks the account of a role whom that role trusts, with keys that may read it.
    ///
    /// # Errors
    /// [`CloudError`], with the cloud's own words where it refused.
    async fn role_trust(
        &self,
        role: &RoleArn,
        keys: &Keys,
        env: &Env,
        now: Timestamp,
        net: &dyn Transport,
    ) -> Result<Trusted, CloudError>;

    /// Asks the account of a role whether it has a user of this name, with keys that may read it.
    ///
    /// # Errors
    /// [`CloudError`], with the cloud's own words where it refused.
    async fn has_user(
        &self,
        beside: &RoleArn,
        user: &str,
        keys: &Keys,
        env: &Env,
        now: Timestamp,
        net: &dyn Transport,
    ) -> Result<bool, CloudError>;

    /// The names that the cloud's sign-in page gives to accounts; empty when it does not say. A decoration.
    async fn aliases(&self, offer: &Offer, net: &dyn Transport) -> BTreeMap<CloudAccountId, String>;

    /// Where keys are presented for a console session.
    ///
    /// # Errors
    /// [`CloudError::NoConsole`].
    fn console_endpoint(&self, credentials: &Credentials, wish: &ConsoleWish<'_>) -> Result<WebUrl, CloudError>;

    /// Makes an address of them that opens the console.
    ///
    /// # Errors
    /// [`CloudError`]; an answer without a sign-in token is one.
    async fn console_url(
        &self,
        credentials: &Credentials,
        wish: &ConsoleWish<'_>,
        net: &dyn Transport,
    ) -> Result<ConsoleLink, CloudError>;

    /// What a child needs in its environment: set and, where something would get in the way, taken away. `profile` is
    /// the profile that holds these very credentials, if one does.
    fn environment(&self, credentials: &Credentials, profile: Option<&ProfileName>, region: Option<&Region>) -> Vec<EnvChange>;

    /// The variables that `script` prints, under the names of the old tool and in its order.
    fn script(
        &self,
        credentials: &Credentials,
        profile: &ProfileName,
        region: Option<&Region>,
    ) -> Vec<(&'static str, Secret<String>)>;

    /// The one JSON document that a program of credentials prints: `credential_process` on AWS, mode `External` on Alibaba Cloud.
    fn process_document(&self, credentials: &Credentials) -> Secret<String>;

    /// A file of the cloud's own tools with this one profile in it.
    fn profile_document(&self, credentials: &Credentials, profile: &ProfileName, region: Option<&Region>) -> Secret<String>;

    /// What the cloud has to be told about an identity provider, as infrastructure code.
    ///
    /// # Errors
    /// [`trust::BadTrust`] for a form that the cloud does not have, or what it needs and is missing.
    fn trust(&self, trust: &trust::Trust, form: trust::Form) -> Result<String, trust::BadTrust>;

    /// The cloud's own file of profiles: `custom`, else where the environment says, else its usual place.
    fn profiles(&self, paths: &Paths, env: &Env, custom: Option<PathBuf>) -> Box<dyn Store>;
}

/// Both clouds.
pub static CLOUDS: &[&dyn Cloud] = &[&aws::Aws, &alibaba::Alibaba];

/// The cloud of that name.
pub fn find(id: CloudId) -> &'static dyn Cloud {
    match id {
        CloudId::Aws => &aws::Aws,
        CloudId::Alibaba => &alibaba::Alibaba,
    }
}

/// Whether an address or an audience is a cloud's, whichever cloud: what is on its way there is never passed on by a sign-in.
fn is_clouds(url: &WebUrl, audience: &str) -> bool {
    CLOUDS
        .iter()
        .map(|cloud| cloud.service_provider(None, None))
        .any(|sp| (sp.is_acs)(url) || audience.starts_with(&sp.entity_id))
}

/// What an account and a person say about where to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The region.
    pub region: Option<Region>,
    /// The address of the security token service.
    pub sts: Option<String>,
}

/// What an account says of roles, for assertions that say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configured {
    /// The role, by its full name.
    pub role: Option<RoleArn>,
    /// The OpenID Connect provider's entry in the cloud account (Alibaba Cloud).
    pub idp: Option<IdpArn>,
}

/// What an account lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// A role by its full name.
    Role,
    /// The OpenID Connect provider's entry.
    OidcProvider,
}

/// An address to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub url: WebUrl,
    /// Whether it lies outside the cloud's own domains; a person is then told.
    pub foreign: bool,
}

/// How a session should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionWish {
    /// How long.
    pub duration: SessionDuration,
    /// Where to ask.
    pub endpoint: WebUrl,
    /// A policy that limits the session further.
    pub policy: Option<String>,
    /// Policies that limit it further, by name (AWS).
    pub policy_arns: Vec<String>,
    /// What time it is.
    pub now: Timestamp,
}

/// Reads the roles of an assertion. Each value names a role and an identity provider, in either order; a value that is
/// not of that form is passed over, so that one bad value does not cost the login.
fn federated(cloud: CloudId, values: &[&str]) -> (Vec<OfferedRole>, Option<Untrusted>) {
    let mut roles: Vec<OfferedRole> = Vec::new();
    let mut bad = None;
    for value in values {
        let parts: Vec<&str> = value.split(',').map(str::trim).collect();
        let pair = match parts.as_slice() {
            [a, b] => match (RoleArn::parse(a), IdpArn::parse(b), RoleArn::parse(b), IdpArn::parse(a)) {
                (Ok(role), Ok(idp), ..) | (.., Ok(role), Ok(idp)) if role.cloud() == cloud && idp.cloud() == cloud => {
                    Some((role, idp))
                }
                _ => None,
            },
            _ => None,
        };
        match pair {
            Some((role, idp)) if roles.iter().all(|known| known.role().arn() != Some(&role)) => {
                roles.push(OfferedRole::Federated { role, idp: Some(idp) })
            }
            Some(_) => {}
            None => {
                tracing::debug!(value = %Untrusted::new(*value), "a role value was passed over");
                bad = bad.or(Some(Untrusted::new(*value)));
            }
        }
    }
    (roles, bad)
}

/// What a SAML response grants under a cloud's attribute names, and for how long its identity provider wishes.
fn granted(cloud: CloudId, response: &SamlResponse) -> Result<(Vec<OfferedRole>, Option<SessionDuration>), CloudError> {
    let reading = crate::saml::Reading::of(response)?;
    let name = |cloud, attribute| format!("{}{attribute}", find(cloud).attributes());
    let values: Vec<&str> =
        reading.attributes.iter().filter(|(n, _)| *n == name(cloud, "Role")).flat_map(|(_, v)| v).map(|v| v.trim()).collect();
    let (roles, bad) = federated(cloud, &values);
    if roles.is_empty() {
        let is_for = |other: &CloudId| reading.attributes.iter().any(|(n, _)| *n == name(*other, "Role"));
        let for_other = CloudId::ALL.into_iter().filter(|other| *other != cloud).find(is_for);
        return Err(match bad {
            Some(example) => CloudError::BadRoles { cloud, example },
            None => CloudError::NoRoles { cloud, other: for_other },
        });
    }
    let duration = reading.values(&name(cloud, "SessionDuration")).find_map(|v| SessionDuration::parse(v).ok());
    Ok((roles, duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_occur() {
        let values = [
            "arn:aws:iam::1:role/a,arn:aws:iam::1:saml-provider/p",
            " arn:aws:iam::2:saml-provider/p , arn:aws:iam::2:role/path/b ",
            "arn:aws:iam::1:role/a,arn:aws:iam::1:saml-provider/q",
            "arn:aws:iam::1:role/c",
            "acs:ram::1:role/d,acs:ram::1:saml-provider/p",
            "arn:aws:iam::1:role/x\n[y]\ncredential_process = touch z,arn:aws:iam::1:saml-provider/p",
        ];
        let (roles, bad) = federated(CloudId::Aws, &values);
        assert_eq!(roles.iter().map(|r| r.role().name().to_owned()).collect::<Vec<_>>(), ["a", "path/b"]);
        assert_eq!(bad.unwrap().to_string(), "arn:aws:iam::1:role/c");
    }
}
