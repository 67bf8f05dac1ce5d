//! Alibaba Cloud.
//!
//! Sign-in by SAML: <https://www.alibabacloud.com/help/en/ram/user-guide/role-based-sso/>; by OpenID Connect:
//! <https://www.alibabacloud.com/help/en/ram/user-guide/overview-of-oidc-based-sso>; at the sign-in portal:
//! <https://www.alibabacloud.com/help/en/cloudsso/>.

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

/// What the names of SAML attributes begin with, on both sites.
const ATTRIBUTES: &str = "https://www.aliyun.com/SAML-Role/Attributes/";
/// The entity ID of the China site; the international one is this with `:international`.
const ENTITY_ID: &str = "urn:alibaba:cloudcomputing";

/// The names that Alibaba Cloud's SDKs know; the one with the token itself is Terraform's.
const WEB_IDENTITY: WebIdentity = WebIdentity {
    audience: "sts.aliyuncs.com",
    file: "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
    text: Some("ALIBABA_CLOUD_OIDC_TOKEN"),
    session_name: "ALIBABA_CLOUD_ROLE_SESSION_NAME",
};

/// Alibaba Cloud.
pub(super) struct Alibaba;

#[async_trait]
impl Cloud for Alibaba {
    fn id(&self) -> CloudId {
        CloudId::Alibaba
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
        true
    }

    fn attributes(&self) -> &'static str {
        ATTRIBUTES
    }

    fn endpoint(&self, _: &RoleArn, place: &Place, env: &Env) -> Result<Endpoint, CloudError> {
        sts::endpoint(place, env)
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

    fn portal(&self, token: &PortalToken, _: &Env) -> Result<Endpoint, CloudError> {
        match token.kind {
            PortalKind::Cloud => portal::endpoint(token),
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
            PortalKind::Tvm => vending::offer(self.id(), token, wish, at, signin::home_of, net).await,
        }
    }

    /// CloudSSO has no request for it; the portal's own page has.
    fn ends_portal_sessions(&self, token: &PortalToken) -> bool {
        token.kind == PortalKind::Tvm
    }

    async fn portal_sign_out(&self, token: &PortalToken, at: &WebUrl, net: &dyn Transport) -> Result<(), CloudError> {
        match token.kind {
            PortalKind::Cloud => Err(CloudError::NoPortal(self.id())),
            PortalKind::Tvm => vending::sign_out(token, at, net).await,
        }
    }

    fn plan(
        &self,
        name: &ProfileName,
        login: Option<&ProfileName>,
        paths: &Paths,
        _: &Env,
        now: Timestamp,
    ) -> Result<Plan, ChainError> {
        let profiles = profile::Profiles { path: paths.aliyun_config() };
        chain::plan(&profiles, name, login, now)
    }

    fn longest_chained(&self) -> Option<SessionDuration> {
        None
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
        _beside: &RoleArn,
        user: &str,
        keys: &Keys,
        env: &Env,
        now: Timestamp,
        net: &dyn Transport,
    ) -> Result<bool, CloudError> {
        role::has_user(user, keys, env, now, net).await
    }

    async fn aliases(&self, offer: &Offer, net: &dyn Transport) -> BTreeMap<CloudAccountId, String> {
        signin::aliases(offer, net).await.unwrap_or_default()
    }

    fn console_endpoint(&self, credentials: &Credentials, wish: &ConsoleWish<'_>) -> Result<WebUrl, CloudError> {
        console::endpoint(credentials, wish)
    }

    async fn console_url(
        &self,
        credentials: &Credentials,
        wish: &ConsoleWish<'_>,
        net: &dyn Transport,
    ) -> Result<ConsoleLink, CloudError> {
        console::sign_in(credentials, wish, net).await
    }

    /// Every name that Alibaba Cloud's tools look for, old ones too. In `aliyun` a configured profile beats keys in the
    /// environment, so either the profile that holds these very keys is named, or profiles are switched off.
    fn environment(&self, credentials: &Credentials, profile: Option<&ProfileName>, region: Option<&Region>) -> Vec<EnvChange> {
        let all = |names: &[&'static str], value: &str| {
            names.iter().map(|name| (*name, Some(value.into()))).collect::<Vec<EnvChange>>()
        };
        let mut changes = Vec::new();
        changes.extend(all(
            &["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY"],
            &credentials.key_id,
        ));
        changes.extend(all(
            &[
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
                "ALIBABACLOUD_ACCESS_KEY_SECRET",
                "ALICLOUD_ACCESS_KEY_SECRET",
                "ALICLOUD_SECRET_KEY",
            ],
            credentials.secret.expose(),
        ));
        changes.extend(all(
            &["ALIBABA_CLOUD_SECURITY_TOKEN", "ALIBABACLOUD_SECURITY_TOKEN", "ALICLOUD_SECURITY_TOKEN"],
            credentials.token.expose(),
        ));
        changes.push(("SAML2CLOUD_CREDENTIAL_EXPIRATION", Some(credentials.expires.utc().into())));
        if let Some(region) = region {
            changes.extend(all(
                &[
                    "ALIBABA_CLOUD_REGION_ID",
                    "ALIBABACLOUD_REGION_ID",
                    "ALICLOUD_REGION_ID",
                    "ALICLOUD_REGION",
                    "ALIBABA_CLOUD_REGION",
                    "ALIBABA_CLOUD_DEFAULT_REGION",
                ],
                region.as_str(),
            ));
        }
        let profiles = ["ALIBABA_CLOUD_PROFILE", "ALIBABACLOUD_PROFILE", "ALICLOUD_PROFILE"];
        let ignore = ["ALIBABA_CLOUD_IGNORE_PROFILE", "ALIBABACLOUD_IGNORE_PROFILE"];
        let take_away = |names: &[&'static str]| names.iter().map(|name| (*name, None)).collect::<Vec<EnvChange>>();
        match profile {
            Some(profile) => {
                changes.extend(all(&profiles, profile.as_str()));
                changes.extend(take_away(&ignore));
            }
            None => {
                changes.extend(take_away(&profiles));
                changes.extend(all(&ignore, "TRUE"));
            }
        }
        // These would make a tool assume another role, or fetch other credentials, on top of ours.
        changes.extend(take_away(&[
            "ALIBABA_CLOUD_ROLE_ARN",
            "ALIBABACLOUD_ROLE_ARN",
            "ALICLOUD_ASSUME_ROLE_ARN",
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
            "ALIBABA_CLOUD_OIDC_TOKEN",
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
            "ALIBABA_CLOUD_CREDENTIALS_URI",
            "ALICLOUD_CREDENTIALS_URI",
        ]));
        changes
    }

    fn script(
        &self,
        credentials: &Credentials,
        profile: &ProfileName,
        region: Option<&Region>,
    ) -> Vec<(&'static str, Secret<String>)> {
        let (key_id, profile) = (Secret::from(credentials.key_id.as_str()), Secret::from(profile.as_str()));
        let mut lines = vec![
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", key_id.clone()),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", credentials.secret.clone()),
            // The old tool put the role's session name here, which it never had.
            ("ALIBABA_CLOUD_SESSION_TOKEN", Secret::from("")),
            ("ALIBABA_CLOUD_SECURITY_TOKEN", credentials.token.clone()),
            ("ALICLOUD_ACCESS_KEY", key_id),
            ("ALICLOUD_SECRET_KEY", credentials.secret.clone()),
            ("ALICLOUD_SECURITY_TOKEN", credentials.token.clone()),
            ("ALICLOUD_PROFILE", profile.clone()),
            ("SAML2ALIBABA_CLOUD_PROFILE", profile),
        ];
        if let Some(region) = region {
            lines.extend([
                ("ALIBABA_CLOUD_REGION_ID", Secret::from(region.as_str())),
                ("ALICLOUD_REGION", Secret::from(region.as_str())),
            ]);
        }
        lines
    }

    /// <https://github.com/aliyun/aliyun-cli>: without `mode` the tool would run the program for ever; SDKs take whole seconds in UTC only.
    fn process_document(&self, credentials: &Credentials) -> Secret<String> {
        Secret::new(
            serde_json::json!({
                "mode": "StsToken",
                "access_key_id": credentials.key_id,
                "access_key_secret": credentials.secret.expose(),
                "sts_token": credentials.token.expose(),
                "expiration": credentials.expires.utc(),
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

    fn profiles(&self, paths: &Paths, _: &Env, custom: Option<PathBuf>) -> Box<dyn Store> {
        Box::new(profile::Profiles { path: custom.unwrap_or_else(|| paths.aliyun_config()) })
    }
}
