//! A token vending machine, `saml2cloud serve`: the company's own server that knows which roles a person may take, in the accounts of
//! both clouds, and hands out their keys for the token that a sign-in gives.
//!
//! 1. The token of an earlier sign-in, from the vault, until it ends: nothing renews it. One process at a time: the others wait, and
//!    find what it got. All accounts with the same `url` share it, whichever cloud they are for.
//! 2. With a browser on this machine: `GET /cli/authorize` in it, with PKCE. The person signs in at the company's identity provider,
//!    allows this command line, and is led back to `http://127.0.0.1:PORT/callback` (RFC 8252, RFC 9207).
//! 3. Without one: `POST /api/v1/cli/device` gives a code, which the person types on the server's page on another device (RFC 8628).
//! 4. `POST /api/v1/cli/token`, or `…/device/token`, gives the token.
//!
//! Where the server wants the person to prove anew who they are before it hands out some keys, step 2 says so (`prompt=login`).
//!
//! The server's address is the account's `url`. What the token buys is asked by `cloud`.

mod visit;

use async_trait::async_trait;

use self::visit::Visit;
use super::{Field, Idp, Method, Provider, Session, Settings, SettingsError, SignInError, portal};
use crate::types::{Assertion, WebUrl};
use crate::vault::Kind;

const NAME: &str = "TVM";
const DEVICE: &str = portal::DEVICE.key;
const AUTO: &str = portal::AUTO_LOGIN.key;
const PORT: &str = portal::REDIRECT_PORT.key;

/// The description.
pub(super) static PROVIDER: Tvm = Tvm;

/// A token vending machine, described.
pub(super) struct Tvm;

impl Provider for Tvm {
    fn id(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "a token vending machine (`saml2cloud serve`)"
    }

    fn fields(&self) -> &'static [Field] {
        &[portal::DEVICE, portal::AUTO_LOGIN, portal::REDIRECT_PORT]
    }

    fn wants_password(&self) -> bool {
        false
    }

    fn is_portal(&self) -> bool {
        true
    }

    fn renews(&self) -> bool {
        false
    }

    fn methods(&self) -> &'static [Method] {
        &[Method { name: "Auto", factor: None }]
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError> {
        let wrong = |why: &str| SettingsError { key: PORT, provider: NAME, why: why.to_owned() };
        let port = |text: &str| text.trim().parse().ok().filter(|port| *port > 0);
        let port = settings.own(PORT).map(|text| port(text).ok_or_else(|| wrong("it is no port, 1 to 65535")));
        Ok(Box::new(Configured {
            base: base(&settings.url),
            device: settings.switch(NAME, DEVICE)?,
            auto_login: settings.switch(NAME, AUTO)?,
            port: port.transpose()?,
        }))
    }
}

struct Configured {
    /// The server's address, ending in `/`; its addresses are below.
    base: WebUrl,
    /// Whether the person signs in on another device.
    device: bool,
    /// Whether whoever asks for keys without a person may start a sign-in.
    auto_login: bool,
    /// The port that the browser is led back to.
    port: Option<u16>,
}

/// What all addresses of the server begin with: people leave out the slash at the end.
fn base(url: &WebUrl) -> WebUrl {
    let path = url.path().to_owned();
    let below = if path.ends_with('/') { path } else { format!("{path}/") };
    // The same host and scheme, so it cannot fail.
    url.join(&below).unwrap_or_else(|_| url.clone())
}

#[async_trait]
impl Idp for Configured {
    async fn sign_in(&self, session: &mut Session<'_>) -> Result<Assertion, SignInError> {
        Visit { server: self, session }.token().await.map(Assertion::Portal)
    }

    async fn left(&self, session: &mut Session<'_>) -> Option<Assertion> {
        Visit { server: self, session }.kept().map(Assertion::Portal)
    }

    async fn forget(&self, session: &mut Session<'_>) -> Result<(), SignInError> {
        let visit = Visit { server: self, session };
        let _turn = visit.turn().await;
        visit.session.memory.forget(Kind::Portal);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_below_the_servers() {
        for (given, token) in [
            ("https://cam.example", "https://cam.example/api/v1/cli/token"),
            ("https://cam.example/", "https://cam.example/api/v1/cli/token"),
            ("https://intern.example/cam", "https://intern.example/cam/api/v1/cli/token"),
            ("https://intern.example/cam/?x=1", "https://intern.example/cam/api/v1/cli/token"),
            ("http://127.0.0.1:8443", "http://127.0.0.1:8443/api/v1/cli/token"),
        ] {
            let base = base(&WebUrl::parse(given).unwrap());
            assert_eq!(base.join("api/v1/cli/token").unwrap().expose().as_str(), token);
        }
        assert!(WebUrl::parse("http://cam.example/").is_err(), "in the clear to this machine only");
    }

    #[test]
    fn settings_are_checked_before_anybody_is_asked() {
        let opened = |key: &str, value: &str| {
            let own = |name: &str| (name == key).then(|| value.to_owned());
            let settings = Settings::new(WebUrl::parse("https://cam.example/").unwrap(), "Auto");
            PROVIDER.open(&settings.with_own(PROVIDER.fields(), own)).map(|_| ()).map_err(|error| error.to_string())
        };
        for (key, value) in [(DEVICE, "true"), (AUTO, "no"), (PORT, " 8400 ")] {
            assert_eq!(opened(key, value), Ok(()));
        }
        for (key, value) in [(DEVICE, "perhaps"), (AUTO, "perhaps"), (PORT, "0"), (PORT, "65536")] {
            let told = opened(key, value).unwrap_err();
            assert!(told.starts_with(&format!("`{key}` will not do for TVM: ")), "{told}");
        }
    }
}
