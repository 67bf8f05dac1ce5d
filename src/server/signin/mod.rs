//! Signing in and out by the corporate identity provider (SAML 2.0).
//!
//! A browser that wants in is bound by a short-lived cookie and sent away with a signed request (`login`). It comes back with a response
//! (`acs`), which is verified, matched with the request of this very browser and used once; then there is a session. What is wrong with a
//! response people are not told: they see one page, and the trail says the rest.

mod acs;
mod login;
mod logout;
mod metadata;

pub(super) use self::login::local;

use std::time::Duration;

use axum::http::Method;

use super::ServeError;
use super::app::App;
use super::problem::{Code, Problem};
use super::route::{Pace, Route};
use super::settings::Settings;
use crate::saml::EntityDescriptor;
use crate::types::WebUrl;
use crate::world::file;

/// The longest form that brings a response: 256 KiB in base64, with its percent signs.
const LONGEST_FORM: usize = 512 * 1024;
/// How long a browser may be away at the identity provider.
const AWAY: Duration = Duration::from_secs(600);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::open(Method::GET, "/saml/metadata", "saml.metadata", metadata::ours),
        Route::open(Method::GET, "/idp/metadata/{partition}", "idp.metadata", metadata::towards_clouds),
        Route::open(Method::GET, "/saml/login", "saml.login", login::login).paced(Pace::SignIn),
        Route::open(Method::POST, "/saml/acs", "saml.acs", acs::acs).paced(Pace::SignIn).at_most(LONGEST_FORM),
        Route::open(Method::GET, "/saml/slo", "saml.slo", logout::slo).paced(Pace::SignIn),
        Route::page(Method::POST, "/logout", "logout", logout::logout),
    ]
}

/// The corporate identity provider, as the configuration names it.
#[derive(Debug)]
pub struct Corporate {
    /// Its name.
    entity_id: String,
    /// Where people are sent.
    sign_in: WebUrl,
    /// Where messages about signing out are sent, and their answers.
    logout: Option<(WebUrl, WebUrl)>,
    /// The pinned certificates, in DER.
    certificates: Vec<Vec<u8>>,
}

impl Corporate {
    /// Its name.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// Reads metadata and pinned certificates; nothing where none are configured.
    ///
    /// # Errors
    /// They make no sense.
    pub fn read(settings: &Settings) -> Result<Option<Self>, ServeError> {
        let (Some(metadata), Some(pinned)) = (&settings.idp.metadata, &settings.idp.certificates) else { return Ok(None) };
        let bad = |path: &std::path::Path, why: String| ServeError::Idp { path: path.to_owned(), why };
        let text = file::read(metadata)?.ok_or_else(|| bad(metadata, "there is no such file".to_owned()))?;
        let entity = EntityDescriptor::parse(&text).map_err(|error| bad(metadata, error.to_string()))?;
        let sign_in = entity.sign_in_by_redirect();
        let sign_in = sign_in.ok_or_else(|| bad(metadata, "it has no address for requests by redirect".to_owned()))?;
        let address = |text: &str| WebUrl::parse(text).map_err(|error| bad(metadata, error.to_string()));
        let logout = match entity.logout_by_redirect() {
            Some(endpoint) => Some((address(&endpoint.location)?, address(endpoint.for_answers())?)),
            None => None,
        };
        let text = file::read(pinned)?.ok_or_else(|| bad(pinned, "there is no such file".to_owned()))?;
        let certificates: Vec<Vec<u8>> = super::tls::certificates(&text).into_iter().map(|der| der.to_vec()).collect();
        if certificates.is_empty() {
            return Err(bad(pinned, "it holds no certificate (PEM)".to_owned()));
        }
        Ok(Some(Self { entity_id: entity.entity_id.clone(), sign_in: address(&sign_in.location)?, logout, certificates }))
    }
}

/// The identity provider, or that there is none.
fn corporate(app: &App) -> Result<&Corporate, Problem> {
    app.corporate.as_ref().ok_or_else(|| Problem::only(Code::NoIdentityProvider))
}

/// An address of ours.
fn ours(app: &App, path: &str) -> String {
    format!("{}{path}", app.settings.server.url.expose())
}
