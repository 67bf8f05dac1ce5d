//! AWS IAM Identity Center (AWS SSO), the sign-in portal of AWS: a person signs in with a browser, and the portal's access token
//! buys the keys of every role that they may take.
//!
//! 1. The token of an earlier sign-in, from where it rests; a token that ends soon is renewed by `POST /token`. One process at a time:
//!    the others wait, and find what it got.
//! 2. `POST /client/register` makes this program known, once in about ninety days for each way to sign in.
//! 3. With a browser on this machine: `GET /authorize` in it, with PKCE; it leads back to `http://127.0.0.1:PORT/oauth/callback`.
//! 4. Without one: `POST /device_authorization` gives a code, which the person approves on another device.
//! 5. `POST /token` gives the access token (an hour) and a refresh token (as long as the session at the portal).
//!
//! The portal's start page, `https://NAME.awsapps.com/start`, is the account's `url`. What the token buys is asked by `cloud::aws`.
//! AWS's own pages: <https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/Welcome.html> and
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html>.

mod browse;
mod device;
mod known;
mod start;
mod token;
mod visit;
mod wire;

use async_trait::async_trait;

use self::visit::Visit;
use super::{Field, Idp, Method, Provider, Session, Settings, SettingsError, SignInError, portal};
use crate::types::{Assertion, CloudId, Region, WebUrl};
use crate::world::Env;

/// What this program asks to be allowed; without it there is no refresh token.
const SCOPE: &str = "sso:account:access";

const NAME: &str = "IdentityCenter";
const REGION: &str = "sso_region";
const SESSION: &str = "sso_session";
const SCOPES: &str = "sso_registration_scopes";
const STORE: &str = "token_store";
const DEVICE: &str = portal::DEVICE.key;
const AUTO: &str = portal::AUTO_LOGIN.key;
const PORT: &str = portal::REDIRECT_PORT.key;

/// The description.
pub(super) static PROVIDER: IdentityCenter = IdentityCenter;

/// IAM Identity Center, described.
pub(super) struct IdentityCenter;

impl Provider for IdentityCenter {
    fn id(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "AWS IAM Identity Center (AWS SSO)"
    }

    fn fields(&self) -> &'static [Field] {
        &[
            Field {
                key: REGION,
                variable: "SSO_REGION",
                help: "the region that the portal lives in; found by the start URL where that tells it",
                needed: false,
            },
            Field {
                key: SESSION,
                variable: "SSO_SESSION",
                help: "the name of the session, as in `[sso-session NAME]`; accounts with the same one share a sign-in",
                needed: false,
            },
            Field {
                key: SCOPES,
                variable: "SSO_REGISTRATION_SCOPES",
                help: "what this program asks to be allowed, with commas between; `sso:account:access` if not set",
                needed: false,
            },
            Field {
                key: STORE,
                variable: "TOKEN_STORE",
                help: "where the token rests: `shared` with the `aws` client, or in the `vault`",
                needed: false,
            },
            portal::DEVICE,
            portal::AUTO_LOGIN,
            portal::REDIRECT_PORT,
        ]
    }

    fn wants_password(&self) -> bool {
        false
    }

    fn portal_of(&self) -> Option<CloudId> {
        Some(CloudId::Aws)
    }

    fn methods(&self) -> &'static [Method] {
        &[Method { name: "Auto", factor: None }]
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError> {
        let wrong = |key, why: String| SettingsError { key, provider: NAME, why };
        let region = settings.own(REGION).map(|text| Region::parse(text.trim()).map_err(|why| wrong(REGION, why.to_string())));
        let region = region.transpose()?;
        let named = start::region_of(&settings.url);
        if let (Some(region), Some(named)) = (&region, &named)
            && region != named
        {
            return Err(wrong(REGION, format!("it is `{region}`, and the start URL is one of `{named}`")));
        }
        let store = match settings.own(STORE).map(str::trim) {
            None | Some("shared") => Store::Shared,
            Some("vault") => Store::Vault,
            Some(other) => return Err(wrong(STORE, format!("`{}` is neither `shared` nor `vault`", other.escape_debug()))),
        };
        let scopes: Vec<String> =
            settings.own(SCOPES).unwrap_or(SCOPE).split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect();
        let port = |text: &str| text.trim().parse().ok().filter(|port| *port > 0);
        let port = settings.own(PORT).map(|text| port(text).ok_or_else(|| wrong(PORT, "it is no port, 1 to 65535".to_owned())));
        let session = settings.own(SESSION).map(str::trim);
        Ok(Box::new(Configured {
            start: settings.url.clone(),
            key: session.unwrap_or(&settings.url_as_written).to_owned(),
            written: settings.url_as_written.clone(),
            session: session.map(str::to_owned),
            region: region.or(named),
            scopes,
            store,
            device: settings.own(DEVICE).map(|_| settings.switch(NAME, DEVICE)).transpose()?,
            auto_login: settings.switch(NAME, AUTO)?,
            port: port.transpose()?,
        }))
    }
}

/// Where tokens rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    /// In the files of the `aws` client and the SDKs.
    Shared,
    /// In the vault.
    Vault,
}

struct Configured {
    /// The portal's start page.
    start: WebUrl,
    /// What the shared files call this sign-in: the session's name, else the start URL to the letter.
    key: String,
    /// The start URL to the letter.
    written: String,
    /// The session's name.
    session: Option<String>,
    /// The portal's region, if account or start URL tell it.
    region: Option<Region>,
    scopes: Vec<String>,
    store: Store,
    /// Whether the person signs in on another device, if the account says; else where no browser can be shown.
    device: Option<bool>,
    /// Whether whoever asks for keys without a person may start a sign-in.
    auto_login: bool,
    /// The port that the browser is led back to.
    port: Option<u16>,
}

impl Configured {
    /// Whether no browser of this machine can be shown to the person.
    fn is_headless(&self, env: &Env) -> bool {
        super::portal::is_headless(env)
    }
}

#[async_trait]
impl Idp for Configured {
    async fn sign_in(&self, session: &mut Session<'_>) -> Result<Assertion, SignInError> {
        let mut visit = Visit { portal: self, session };
        visit.token().await.map(Assertion::Portal)
    }

    async fn left(&self, session: &mut Session<'_>) -> Option<Assertion> {
        Visit { portal: self, session }.left().await.map(Assertion::Portal)
    }

    async fn forget(&self, session: &mut Session<'_>) -> Result<(), SignInError> {
        Visit { portal: self, session }.forget().await
    }
}

#[cfg(test)]
mod tests;
