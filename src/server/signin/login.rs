//! A browser wants in.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use url::Url;

use super::{AWAY, corporate, ours};
use crate::saml::request::{AuthnRequest, RequestError, authn};
use crate::server::app::App;
use crate::server::extract::QueryOf;
use crate::server::guard::{Told, cookie};
use crate::server::problem::{Code, Problem};
use crate::tvm::audit::Outcome;
use crate::tvm::keys::Purpose;
use crate::tvm::model::{Bearer, Digest};
use crate::tvm::store::saml::NewRequest;
use crate::types::{Secret, WebUrl};
use crate::world::nonce;

/// The longest path that somebody is sent back to.
const LONGEST: usize = 2048;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// Where to go after: a path here.
    #[serde(rename = "return")]
    back: Option<String>,
    /// Whether the person has to prove anew who they are.
    #[serde(default)]
    fresh: Option<String>,
}

/// `GET /saml/login?return=PATH`
pub(super) async fn login(
    State(app): State<App>,
    Extension(told): Extension<Told>,
    headers: HeaderMap,
    QueryOf(wanted): QueryOf<Wanted>,
) -> Result<Response, Problem> {
    let idp = corporate(&app)?;
    let now = app.now();
    let signer = app.keys.ring(&app.store, now).await?.signer(Purpose::Sp)?;
    let back = wanted.back.as_deref().and_then(|path| local(&app.settings.server.url, path)).unwrap_or_else(|| "/".to_owned());
    // One cookie for all the windows of a browser, or the second would lock out the first.
    let held = cookie(&headers, app.cookies().binding()).filter(looks_made_here);
    let (value, digest) = match held {
        Some(value) => (value.clone(), Digest::of(value.expose())),
        None => {
            let bearer = Bearer::new();
            (bearer.secret().clone(), bearer.digest().clone())
        }
    };
    let (id, relay_state) = (format!("_{}", nonce()), nonce());
    let force_authn = wanted.fresh.is_some();
    let acs = ours(&app, "saml/acs");
    let request = AuthnRequest {
        id: &id,
        issuer: &app.settings.saml.service,
        destination: idp.sign_in.expose().as_str(),
        acs: &acs,
        force_authn,
        authn_contexts: &app.settings.idp.contexts,
        relay_state: &relay_state,
    };
    let address = authn(&request, &*signer, now).await.map_err(unsent)?;
    told.on("saml_request", &id, None);
    told.add("return_to", back.as_str());
    let event = told.event(Outcome::Done);
    let sent = Arc::new((id, digest, relay_state, back));
    let kept = app.store.together(now, move |tx| {
        let (sent, event) = (Arc::clone(&sent), event.clone());
        Box::pin(async move {
            let (id, browser, relay_state, return_to) = &*sent;
            let expires = tx.now().after(AWAY);
            tx.add_saml_request(&NewRequest { id, browser, relay_state, return_to, force_authn, expires }).await?;
            Ok(((), event))
        })
    });
    kept.await?;
    told.is_written();
    let location = HeaderValue::from_str(address.expose().as_str()).map_err(|_| Problem::only(Code::Internal))?;
    let cookie = app.cookies().set_binding(&value, AWAY);
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location), (SET_COOKIE, cookie)]).into_response())
}

/// Why a message to the identity provider could not be made.
pub(super) fn unsent(error: RequestError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "a message to the identity provider");
    match error {
        RequestError::Sign(_) => Problem::only(Code::KmsUnavailable),
        RequestError::Unwritable(_) | RequestError::Address(_) => Problem::only(Code::NoIdentityProvider),
    }
}

fn looks_made_here(value: &Secret<String>) -> bool {
    value.expose().len() == 43 && value.expose().bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// A path of this service, as a browser reads it; nothing for what leads elsewhere. It is kept here under a random key, so what comes back from the
/// identity provider cannot be another one.
pub(in crate::server) fn local(base: &WebUrl, path: &str) -> Option<String> {
    let is_sound =
        path.starts_with('/') && path.len() <= LONGEST && !path.chars().any(|c| c == '\\' || c.is_control() || c.is_whitespace());
    if !is_sound || path[1..].starts_with('/') {
        return None;
    }
    let read: Url = base.expose().join(path).ok()?;
    let decoded = percent_decoded(read.path());
    let same = read.origin() == base.expose().origin() && !decoded.starts_with("//") && !decoded.contains('\\');
    // The sign-in itself is no place to come back to.
    let loops = ["/saml/", "/logout"].iter().any(|way| read.path().starts_with(way));
    (same && !loops).then(|| read[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

fn percent_decoded(path: &str) -> String {
    // `+` is a plus in a path; no other rule of forms applies.
    let text = path.replace('+', "%2B");
    url::form_urlencoded::parse(format!("p={text}").replace('&', "%26").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_this_service_only() {
        let base = WebUrl::parse("https://cam.example/").unwrap();
        for good in ["/", "/?q=a&cloud=aws", "/cli/authorize?state=x%2Fy", "/device", "/a/../b"] {
            assert!(local(&base, good).is_some(), "{good}");
        }
        assert_eq!(local(&base, "/a/../b?x=1#y").as_deref(), Some("/b?x=1"));
        for bad in [
            "//evil.example",
            "https://evil.example",
            "\\evil",
            "/\\evil",
            "%2f%2fevil",
            "/%2f%2fevil/",
            "/%2Fevil",
            "/%5cevil",
            "/\t/evil",
            "/ /evil",
            "javascript:alert(1)",
            "",
            "evil",
            "/saml/login",
            &format!("/{}", "x".repeat(LONGEST)),
        ] {
            assert_eq!(local(&base, bad), None, "{bad}");
        }
    }
}
