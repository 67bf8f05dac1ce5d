//! Signing out: here, and at the identity provider.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::{corporate, login, ours};
use crate::saml::logout::{ExpectedLogout, LogoutMessage, read};
use crate::saml::request::{LogoutRequest, LogoutResponse, logout as request, logout_answer};
use crate::saml::verify::NameId;
use crate::server::app::App;
use crate::server::guard::{Told, Visit, Who, cookie};
use crate::server::pages;
use crate::server::problem::{Code, Problem};
use crate::tvm::keys::Purpose;
use crate::tvm::model::Digest;
use crate::tvm::store::sessions::Session;
use crate::types::WebUrl;
use crate::world::nonce;

/// `POST /logout`: this browser's session ends. The page after it offers to end the one at the identity provider too.
pub(super) async fn logout(
    State(app): State<App>,
    who: Who,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Problem> {
    let Some(session) = who.session() else { return Err(Problem::only(Code::Unauthenticated)) };
    let mut tx = app.store.begin(app.now()).await?;
    app.sessions.end(&mut tx, &session.id).await?;
    told.commit(tx).await?;
    let further = there(&app, session).await.ok().flatten();
    let mut response = pages::signed_out(&visit, further.as_ref());
    response.headers_mut().append(SET_COOKIE, app.cookies().end_session());
    Ok(response)
}

/// The address that signs the person out at the identity provider, where it has one.
async fn there(app: &App, session: &Session) -> Result<Option<WebUrl>, Problem> {
    let now = app.now();
    let Some((destination, _)) = &corporate(app)?.logout else { return Ok(None) };
    let Some(name_id) = session.name_id.as_deref().and_then(NameId::from_stored) else { return Ok(None) };
    let signer = app.keys.ring(&app.store, now).await?.signer(Purpose::Sp)?;
    let id = format!("_{}", nonce());
    let message = LogoutRequest {
        id: &id,
        issuer: &app.settings.saml.service,
        destination: destination.expose().as_str(),
        name_id: &name_id,
        session_index: session.session_index.as_deref(),
        relay_state: None,
    };
    request(&message, &*signer, now).await.map(Some).map_err(login::unsent)
}

/// `GET /saml/slo`: the identity provider wants somebody signed out, or answers that it did.
pub(super) async fn slo(
    State(app): State<App>,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let idp = corporate(&app)?;
    let now = app.now();
    let destination = ours(&app, "saml/slo");
    let expected = ExpectedLogout {
        destination: &destination,
        idp: &idp.entity_id,
        certificates: &idp.certificates,
        allow_sha1: app.settings.idp.allow_sha1,
        skew: app.settings.idp.skew,
    };
    let message = read(query.as_deref().unwrap_or_default(), &expected, now).map_err(|why| {
        told.add("refused", why.code());
        told.add("why", why.to_string());
        Problem::only(Code::SignInFailed)
    })?;
    match message {
        LogoutMessage::Response { is_success, .. } => {
            told.add("success", is_success);
            Ok(pages::signed_out(&visit, None))
        }
        LogoutMessage::Request { id, name_id, session_indexes, relay_state } => {
            let mut tx = app.store.begin(now).await?;
            let mut ended = 0;
            let name = name_id.stored();
            if session_indexes.is_empty() {
                ended += app.sessions.end_named(&mut tx, &name, None).await?;
            }
            for index in &session_indexes {
                ended += app.sessions.end_named(&mut tx, &name, Some(index)).await?;
            }
            if let Some(cookie) = cookie(&headers, app.cookies().session()) {
                app.sessions.end(&mut tx, &Digest::of(cookie.expose())).await?;
            }
            told.add("ended", ended);
            told.by_gid(&name_id.value);
            told.commit(tx).await?;
            let mut response = match &idp.logout {
                None => pages::signed_out(&visit, None),
                Some((_, answers)) => {
                    let signer = app.keys.ring(&app.store, now).await?.signer(Purpose::Sp)?;
                    let own = format!("_{}", nonce());
                    let answer = LogoutResponse {
                        id: &own,
                        issuer: &app.settings.saml.service,
                        destination: answers.expose().as_str(),
                        in_response_to: &id,
                        relay_state: relay_state.as_deref(),
                    };
                    let address = logout_answer(&answer, &*signer, now).await.map_err(login::unsent)?;
                    let location = HeaderValue::from_str(address.expose().as_str()).map_err(|_| Problem::only(Code::Internal))?;
                    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
                }
            };
            response.headers_mut().append(SET_COOKIE, app.cookies().end_session());
            Ok(response)
        }
    }
}
