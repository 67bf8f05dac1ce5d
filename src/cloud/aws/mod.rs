//! Amazon Web Services.
//!
//! Sign-in by SAML: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_saml.html>; by OpenID Connect:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc.html>.

mod chain;
mod console;

#[cfg(feature = "serve")]
pub(super) mod kms;
mod portal;
mod profile;
mod role;
mod sign;
mod signin;
mod sts;
mod trust;

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;

use super::chain::{ChainError, Keys, Plan, RoleCall};
use super::trust::{BadTrust, Form, Trust};
use super::{Cloud, CloudError, ConsoleLink, ConsoleWish, Endpoint, Place, SessionWish, Store, Trusted, vending};
use crate::types::{
    Assertion, Choice, CloudAccountId, CloudId, Credentials, Offer, PortalKind, PortalToken, ProfileName, Region, RoleArn,
    RoleWish, Secret, ServiceProvider, SessionDuration, Timestamp, WebIdentity, WebUrl,
};
use crate::world::{Env, EnvChange, Paths, Transport};

/// What the names of SAML attributes begin with.
const ATTRIBUTES: &str = "https://aws.amazon.com/SAML/Attributes/";
/// The entity ID of the global partition.
const ENTITY_ID: &str = "urn:amazon:webservices";

/// The names that every SDK of AWS knows.
const WEB_IDENTITY: WebIdentity = WebIdentity {
    audience: "sts.amazonaws.com",
    file: "AWS_WEB_IDENTITY_TOKEN_FILE",
    text: None,
    session_name: "AWS_ROLE_SESSION_NAME",
};

/// AWS.
pub(super) struct Aws;

#[async_trait]
impl Cloud for Aws {
    fn id(&self) -> CloudId {
        CloudId::Aws
    }

    fn service_provider(&self, urn: Option<&str>, target: Option<&WebUrl>) -> ServiceProvider {
        ServiceProvider {
            entity_id: urn.unwrap_or(ENTITY_ID).to_owned(),
            is_acs: signin::is_acs,
            is_clouds: super::is_clouds,
            target: target.cloned(),
            web_identity: WEB_IDENTITY,
        }
    }

    fn wants_oidc_provider(&self) -> bool {
        false
    }

    fn attributes(&self) -> &'static str {
        ATTRIBUTES
    }

    fn endpoint(&self, role: &RoleArn, place: &Place, env: &Env) -> Result<Endpoint, CloudError> {
        sts::endpoint(role, place, env)
    }

    async fn assume(&self, choice: &Choice, wish: &SessionWish, net: &dyn Transport) -> Result<Credentials, CloudError> {
        match choice.assertion() {
            Assertion::Portal(token) => match token.kind {
                PortalKind::Cloud => portal::role_credentials(choice, wish, net).await,
                // It may give something else than credentials: `vended`.
                PortalKind::Tvm => Err(CloudError::Mismatch),
            },
            Assertion::Saml(_) | Assertion::Oidc(_) => sts::assume(choice, wish, net).await,
        }
    }

    fn portal(&self, token: &PortalToken, env: &Env) -> Result<Endpoint, CloudError> {
        match token.kind {
            PortalKind::Cloud => portal::endpoint(token, env),
            PortalKind::Tvm => Ok(vending::endpoint(token)),
        }
    }

    async fn portal_offer(
        &self,
        token: PortalToken,
        wish: &RoleWish,
        at: &WebUrl,
        net: &dyn Transport,
    ) -> Result<Offer, CloudError> {
        match token.kind {
            PortalKind::Cloud => portal::offer(token, wish, at, net).await,
            PortalKind::Tvm => vending::offer(self.id(), token, wish, at, |_| None, net).await,
        }
    }

    async fn portal_sign_out(&self, token: &PortalToken, at: &WebUrl, net: &dyn Transport) -> Result<(), CloudError> {
        match token.kind {
            PortalKind::Cloud => portal::sign_out(token, at, net).await,
            PortalKind::Tvm => vending::sign_out(token, at, net).await,
        }
    }

    fn plan(
        &self,
        name: &ProfileName,
        login: Option<&ProfileName>,
        paths: &Paths,
        env: &Env,
        now: Timestamp,
    ) -> Result<Plan, ChainError> {
        let profiles = profile::Profiles { credentials: paths.aws_credentials(env), config: paths.aws_config(env) };
        chain::plan(&profiles, name, login, env, now)
    }

    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>
    fn longest_chained(&self) -> Option<SessionDuration> {
        Some(SessionDuration::HOUR)
    }

    async fn assume_role(&self, call: &RoleCall<'_>, wish: &SessionWish, net: &dyn Transport) -> Result<Credentials, CloudError> {
        sts::assume_role(call, wish, net).await
    }

    async fn role_trust(
        &self,
        role: &RoleArn,
        keys: &Keys,
        env: &Env,
        now: Timestamp,
        net: &dyn Transport,
    ) -> Result<Trusted, CloudError> {
        role::role_trust(role, keys, env, now, net).await
    }

    async fn has_user(
        &self,
        beside: &RoleArn,
        user: &str,
        keys: &Keys,
        env: &Env,
        now: Timestamp,
        net: &dyn Transport,
    ) -> Result<bool, CloudError> {
        role::has_user(beside, user, keys, env, now, net).await
    }

    async fn aliases(&self, offer: &Offer, net: &dyn Transport) -> BTreeMap<CloudAccountId, String> {
        signin::aliases(offer, net).await.unwrap_or_default()
    }

    fn console_endpoint(&self, credentials: &Credentials, wish: &ConsoleWish<'_>) -> Result<WebUrl, CloudError> {
        console::endpoint(&credentials.role, wish)
    }

    async fn console_url(
        &self,
        credentials: &Credentials,
        wish: &ConsoleWish<'_>,
        net: &dyn Transport,
    ) -> Result<ConsoleLink, CloudError> {
        console::sign_in(credentials, wish, net).await
    }

    /// The names that saml2aws exports, and the region. `AWS_PROFILE` is set only where that profile holds these very
    /// keys: SDKs fail on a profile that does not exist.
    fn environment(&self, credentials: &Credentials, profile: Option<&ProfileName>, region: Option<&Region>) -> Vec<EnvChange> {
        let token = || Some(credentials.token.expose().into());
        let profile = || profile.map(|p| p.as_str().into());
        let mut changes: Vec<EnvChange> = vec![
            ("AWS_SESSION_TOKEN", token()),
            ("AWS_SECURITY_TOKEN", token()),
            ("EC2_SECURITY_TOKEN", token()),
            ("AWS_ACCESS_KEY_ID", Some(credentials.key_id.clone().into())),
            ("AWS_SECRET_ACCESS_KEY", Some(credentials.secret.expose().into())),
            ("AWS_CREDENTIAL_EXPIRATION", Some(credentials.expires.utc().into())),
            ("AWS_PROFILE", profile()),
            ("AWS_DEFAULT_PROFILE", profile()),
            // These would let a tool fetch other keys beside ours.
            ("AWS_ROLE_ARN", None),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", None),
        ];
        if let Some(region) = region {
            changes.push(("AWS_REGION", Some(region.as_str().into())));
            changes.push(("AWS_DEFAULT_REGION", Some(region.as_str().into())));
        }
        changes
    }

    fn script(
        &self,
        credentials: &Credentials,
        profile: &ProfileName,
        region: Option<&Region>,
    ) -> Vec<(&'static str, Secret<String>)> {
        let mut lines = vec![
            ("AWS_ACCESS_KEY_ID", Secret::from(credentials.key_id.as_str())),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret.clone()),
            ("AWS_SESSION_TOKEN", credentials.token.clone()),
            ("AWS_SECURITY_TOKEN", credentials.token.clone()),
            ("SAML2AWS_PROFILE", Secret::from(profile.as_str())),
            ("AWS_CREDENTIAL_EXPIRATION", Secret::new(credentials.expires.local_rfc3339())),
        ];
        if let Some(region) = region {
            lines.extend([("AWS_REGION", Secret::from(region.as_str())), ("AWS_DEFAULT_REGION", Secret::from(region.as_str()))]);
        }
        // Later calls in that shell must not take the old line for a wish of the person's.
        lines.push(("SAML2CLOUD_SCRIPT_PROFILE", Secret::from(profile.as_str())));
        lines
    }

    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>, in saml2aws's order.
    fn process_document(&self, credentials: &Credentials) -> Secret<String> {
        Secret::new(
            serde_json::json!({
                "Version": 1,
                "AccessKeyId": credentials.key_id,
                "SecretAccessKey": credentials.secret.expose(),
                "SessionToken": credentials.token.expose(),
                "Expiration": credentials.expires.utc(),
            })
            .to_string(),
        )
    }

    fn profile_document(&self, credentials: &Credentials, profile: &ProfileName, region: Option<&Region>) -> Secret<String> {
        profile::document(credentials, profile, region)
    }

    fn trust(&self, trust: &Trust, form: Form) -> Result<String, BadTrust> {
        trust::code(trust, form)
    }

    fn profiles(&self, paths: &Paths, env: &Env, custom: Option<PathBuf>) -> Box<dyn Store> {
        Box::new(profile::Profiles {
            credentials: custom.unwrap_or_else(|| paths.aws_credentials(env)),
            config: paths.aws_config(env),
        })
    }
}
