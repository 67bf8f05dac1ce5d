//! Alibaba Cloud CloudSSO, the sign-in portal of Alibaba Cloud: a person approves a code in a browser, and the portal's access token
//! buys the keys of every access configuration that they may take.
//!
//! 1. The token of an earlier sign-in, from the vault, until it ends: nothing renews it. One process at a time: the others wait, and
//!    find what it got.
//! 2. `POST /device-authorization` at the host of the sign-in URL gives a code, bound to this program by PKCE.
//! 3. The person approves it on the portal's page: in the browser of this machine, or on any other device.
//! 4. `POST /token` is asked again and again, and gives the access token.
//!
//! The sign-in URL, `https://signin-REGION.alibabacloudsso.com/DIRECTORY/login`, is the account's `url`. What the token buys is asked by
//! `cloud::alibaba`. Alibaba Cloud's own pages: <https://www.alibabacloud.com/help/en/cloudsso/>, and its client:
//! <https://github.com/aliyun/aliyun-cli>, `cloudsso/`.

mod visit;
mod wire;

use async_trait::async_trait;

use self::visit::Visit;
use super::{Field, Idp, Method, PROFILE_MODE, Provider, Session, Settings, SettingsError, SignInError, portal};
use crate::types::{Assertion, CloudId, WebUrl};
use crate::vault::Kind;
use crate::world::Env;

const NAME: &str = "CloudSSO";
const DEVICE: &str = portal::DEVICE.key;
const AUTO: &str = portal::AUTO_LOGIN.key;
/// Where the portal and its pages live; a browser is sent nowhere else.
const OWN: &[&str] = &[".alibabacloudsso.com", ".aliyun.com", ".alibabacloud.com"];
/// What the portal knows the command line by, in all directories: the `aliyun` client's.
const CLIENT: &str = "app-vaz16tltdxs96audqf35";
/// The variables that name another one, in the order in which the `aliyun` client reads them.
const CLIENT_VARIABLES: [&str; 2] = ["ALIBABACLOUD_SSO_CLIENT_ID", "ALIBABA_CLOUD_SSO_CLIENT_ID"];

/// The description.
pub(super) static PROVIDER: CloudSso = CloudSso;

/// CloudSSO, described.
pub(super) struct CloudSso;

impl Provider for CloudSso {
    fn id(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Alibaba Cloud CloudSSO"
    }

    fn fields(&self) -> &'static [Field] {
        &[
            portal::DEVICE,
            portal::AUTO_LOGIN,
            Field {
                key: PROFILE_MODE,
                variable: "PROFILE_MODE",
                help: "what the profile holds: `StsToken`, the keys; `CloudSSO`, the sign-in too, so that Alibaba Cloud's tools get new \
                       keys by themselves",
                needed: false,
            },
        ]
    }

    fn wants_password(&self) -> bool {
        false
    }

    fn portal_of(&self) -> Option<CloudId> {
        Some(CloudId::Alibaba)
    }

    fn renews(&self) -> bool {
        false
    }

    fn methods(&self) -> &'static [Method] {
        &[Method { name: "Auto", factor: None }]
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError> {
        match settings.own(PROFILE_MODE).map(str::trim) {
            None | Some("StsToken" | "CloudSSO") => {}
            Some(other) => {
                let why = format!("`{}` is neither `StsToken` nor `CloudSSO`", other.escape_debug());
                return Err(SettingsError { key: PROFILE_MODE, provider: NAME, why });
            }
        }
        Ok(Box::new(Configured {
            url: settings.url.clone(),
            device: settings.switch(NAME, DEVICE)?,
            auto_login: settings.switch(NAME, AUTO)?,
        }))
    }
}

struct Configured {
    /// The sign-in URL.
    url: WebUrl,
    /// Whether the person signs in on another device.
    device: bool,
    /// Whether whoever asks for keys without a person may start a sign-in.
    auto_login: bool,
}

/// Whether a browser may be sent to this address although a server chose it.
fn may_open(url: &WebUrl) -> bool {
    let (host, address) = (url.host(), url.expose());
    let is_plain = address.username().is_empty() && address.password().is_none() && address.port().is_none();
    is_plain && address.scheme() == "https" && OWN.iter().any(|end| host.strip_suffix(end).is_some_and(|rest| !rest.is_empty()))
}

/// What the portal knows this program by.
fn client_id(env: &Env) -> &str {
    env.first(&CLIENT_VARIABLES).map_or(CLIENT, |(_, id)| id.trim())
}

#[async_trait]
impl Idp for Configured {
    async fn sign_in(&self, session: &mut Session<'_>) -> Result<Assertion, SignInError> {
        Visit { portal: self, session }.token().await.map(Assertion::Portal)
    }

    async fn left(&self, session: &mut Session<'_>) -> Option<Assertion> {
        Visit { portal: self, session }.kept().map(Assertion::Portal)
    }

    async fn forget(&self, session: &mut Session<'_>) -> Result<(), SignInError> {
        let visit = Visit { portal: self, session };
        let _turn = visit.turn().await;
        visit.session.memory.forget(Kind::Portal);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_addresses_are_opened() {
        let may = |text: &str| may_open(&WebUrl::parse(text).unwrap());
        for own in [
            "https://signin-cn-shanghai.alibabacloudsso.com/device/code?user_code=ABCD-EFGH",
            "https://signin.aliyun.com/device",
            "https://signin.alibabacloud.com/device",
        ] {
            assert!(may(own), "{own}");
        }
        for other in [
            "https://alibabacloudsso.com.evil.example/device",
            "https://evilalibabacloudsso.com/device",
            "https://evil.example/?x=.alibabacloudsso.com",
            "https://signin.aliyun.com@evil.example/",
            "https://me@signin.aliyun.com/",
            "https://signin.aliyun.com:8443/",
            "http://127.0.0.1/device",
        ] {
            assert!(!may(other), "{other}");
        }
    }

    #[test]
    fn the_client_is_the_one_of_the_environment() {
        assert_eq!(client_id(&Env::default()), "app-vaz16tltdxs96audqf35");
        for name in CLIENT_VARIABLES {
            assert_eq!(client_id(&Env::of([(name, "app-own")])), "app-own");
        }
        let both = [("ALIBABA_CLOUD_SSO_CLIENT_ID", "second"), ("ALIBABACLOUD_SSO_CLIENT_ID", "first")];
        assert_eq!(client_id(&Env::of(both)), "first");
    }

    #[test]
    fn settings_are_checked_before_anybody_is_asked() {
        let opened = |key: &str, value: &str| {
            let url = WebUrl::parse("https://signin-cn-shanghai.alibabacloudsso.com/acme/login").unwrap();
            let own = |name: &str| (name == key).then(|| value.to_owned());
            let settings = Settings::new(url, "Auto").with_own(PROVIDER.fields(), own);
            PROVIDER.open(&settings).map(|_| ()).map_err(|error| error.to_string())
        };
        for (key, value) in [(PROFILE_MODE, "StsToken"), (PROFILE_MODE, "CloudSSO"), (DEVICE, "true")] {
            assert_eq!(opened(key, value), Ok(()));
        }
        for (key, value) in [(PROFILE_MODE, "cloudsso"), (DEVICE, "perhaps"), (AUTO, "perhaps")] {
            let told = opened(key, value).unwrap_err();
            assert!(told.starts_with(&format!("`{key}` will not do for CloudSSO: ")), "{told}");
        }
    }
}
