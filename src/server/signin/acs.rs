//! A browser comes back from the identity provider.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::{corporate, ours};
use crate::saml::verify::{Expected, Login};
use crate::server::app::App;
use crate::server::extract::FormBody;
use crate::server::guard::{Csrf, Told, Visit, cookie};
use crate::server::problem::{Code, Problem};
use crate::tvm::audit::{Event, Outcome};
use crate::tvm::model::{Bearer, Digest, Gid, Status};
use crate::tvm::store::saml::{Accept, Accepted};
use crate::tvm::store::sessions::NewSession;
use crate::tvm::store::{StoreError, Tx, users};
use crate::types::Timestamp;

#[derive(Debug, Deserialize)]
pub(super) struct Posted {
    #[serde(rename = "SAMLResponse")]
    response: String,
    #[serde(rename = "RelayState", default)]
    relay_state: Option<String>,
}

/// One page for all that can be wrong with a response; what it was stands in the trail.
fn refused(told: &Told, code: &str, detail: impl std::fmt::Display) -> Problem {
    told.add("refused", code);
    told.add("why", detail.to_string());
    Problem::only(Code::SignInFailed)
}

/// `POST /saml/acs`
pub(super) async fn acs(
    State(app): State<App>,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    form: Result<FormBody<Posted>, Problem>,
) -> Result<Response, Problem> {
    let idp = corporate(&app)?;
    let FormBody(posted) = form.map_err(|problem| refused(&told, "incomplete", problem.detail))?;
    let now = app.now();
    let settings = &app.settings;
    let acs = ours(&app, "saml/acs");
    let expected = Expected {
        entity_id: &settings.saml.service,
        acs: &acs,
        idp: &idp.entity_id,
        certificates: &idp.certificates,
        response_signature_is_enough: settings.idp.response_signature_is_enough,
        allow_sha1: settings.idp.allow_sha1,
        skew: settings.idp.skew,
        authn_contexts: &settings.idp.contexts,
        max_authn_age: None,
    };
    let login = app.verifier.verify(&posted.response, &expected, now).map_err(|why| refused(&told, why.code(), why))?;
    told.add("assertion", login.assertion_id.as_str());
    told.add("authn_context", login.authn_context.clone());
    let gid = gid(&login, settings.idp.gid_attribute.as_deref()).map_err(|why| refused(&told, "gid", why))?;
    told.by_gid(gid.normal());
    let bearer = Bearer::new();
    let arrival = Arc::new(Arrival {
        gid,
        login,
        relay_state: posted.relay_state,
        browser: cookie(&headers, app.cookies().binding()).map(|value| Digest::of(value.expose())),
        old: cookie(&headers, app.cookies().session()).map(|value| Digest::of(value.expose())),
        id: bearer.digest().clone(),
        csrf: Csrf::of(bearer.secret()).digest().clone(),
        address: visit.address.to_string(),
        agent: headers.get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default().chars().take(200).collect(),
        app: app.clone(),
        told: told.clone(),
    });
    let came = if app.sessions.waits_elsewhere() {
        let mut tx = app.store.begin(now).await?;
        let (came, event) = arrival.take_in(&mut tx).await?;
        tx.commit(&event).await.map(|()| came)?
    } else {
        let taken_in = app.store.together(now, move |tx| {
            let arrival = Arc::clone(&arrival);
            Box::pin(async move { arrival.take_in(tx).await })
        });
        taken_in.await?
    };
    told.is_written();
    let back = match came {
        Came::In(back) => back.unwrap_or_else(|| "/".to_owned()),
        Came::Refused => return Err(Problem::only(Code::SignInFailed)),
        Came::Stranger(gid) => return Err(Problem::new(Code::NotInPool, gid)),
    };
    app.metrics.count("saml2cloud_sign_ins_total", "done");
    let location = HeaderValue::from_str(&back).unwrap_or(HeaderValue::from_static("/"));
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response();
    response.headers_mut().append(SET_COOKIE, app.cookies().set_session(bearer.secret()));
    response.headers_mut().append(SET_COOKIE, app.cookies().end_binding());
    Ok(response)
}

/// What becomes of somebody who comes with a sound assertion.
enum Came {
    /// They are in; where they wanted to go.
    In(Option<String>),
    /// The assertion does not count here.
    Refused,
    /// Nobody of the pool.
    Stranger(String),
}

/// Somebody with a sound assertion, and the session that they may get.
struct Arrival {
    app: App,
    told: Told,
    gid: Gid,
    login: Login,
    relay_state: Option<String>,
    browser: Option<Digest>,
    /// The session that this browser had.
    old: Option<Digest>,
    id: Digest,
    csrf: Digest,
    address: String,
    agent: String,
}

impl Arrival {
    /// Uses the assertion up and begins the session, both or nothing. It may be done a second time, after nothing of the first was kept.
    async fn take_in(&self, tx: &mut Tx<'_>) -> Result<(Came, Event), StoreError> {
        let (login, idp, now) = (&self.login, &self.app.settings.idp, tx.now());
        let accept = Accept {
            issuer: &login.issuer,
            assertion_id: &login.assertion_id,
            valid_until: login.valid_until,
            in_response_to: login.in_response_to.as_deref(),
            browser: self.browser.as_ref(),
            relay_state: self.relay_state.as_deref(),
            unsolicited: idp.idp_initiated,
        };
        let accepted = match tx.accept_assertion(&accept).await? {
            Ok(accepted) => accepted,
            Err(why) => return Ok(self.refused(why.code(), why)),
        };
        // From here on the assertion is used up, whatever comes of it.
        if let Err(why) = is_fresh(&accepted, login, idp.skew) {
            return Ok(self.refused("authn_stale", why));
        }
        let user = users::by_gid(tx, &self.gid).await?.filter(|user| user.status == Status::Active);
        let Some(user) = user else {
            self.told.add("refused", Code::NotInPool.word());
            return Ok((Came::Stranger(self.gid.to_string()), self.told.event(Outcome::Refused)));
        };
        let longest = now.after(self.app.settings.session.longest);
        let expires = login.session_ends.map_or(longest, |ends| ends.min(longest));
        // A session that this browser had is over, whoever's it was: its cookie is worth nothing from now on.
        if let Some(old) = &self.old {
            self.app.sessions.end(tx, old).await?;
        }
        let session = NewSession {
            id: &self.id,
            user: &user.id,
            csrf: &self.csrf,
            expires,
            name_id: Some(&login.name_id.stored()),
            session_index: login.session_index.as_deref(),
            authn_context: login.authn_context.as_deref(),
            authn_at: Some(login.authn_at),
            source_ip: Some(&self.address),
            user_agent: Some(&self.agent),
        };
        self.app.sessions.begin(tx, &session).await?;
        self.told.by_user(&user);
        self.told.on("user", user.id.as_str(), None);
        Ok((Came::In(accepted.return_to), self.told.event(Outcome::Done)))
    }

    fn refused(&self, code: &str, detail: impl std::fmt::Display) -> (Came, Event) {
        let _ = refused(&self.told, code, detail);
        (Came::Refused, self.told.event(Outcome::Refused))
    }
}

/// The GID: one attribute with one value, or the name identifier. Blanks around it are cut and ASCII case does not count; nothing else is done to it.
fn gid(login: &Login, attribute: Option<&str>) -> Result<Gid, String> {
    let value = match attribute {
        None => login.name_id.value.as_str(),
        Some(name) => match login.attributes.get(name).map(Vec::as_slice) {
            None | Some([]) => return Err(format!("the assertion has no attribute `{name}`")),
            Some([one]) => one.as_str(),
            Some(many) => return Err(format!("the attribute `{name}` has {} values", many.len())),
        },
    };
    Gid::parse(value).map_err(|bad| bad.to_string())
}

/// Who had to prove anew who they are did so after they were asked to.
fn is_fresh(accepted: &Accepted, login: &Login, skew: std::time::Duration) -> Result<(), &'static str> {
    let asked: Option<Timestamp> = accepted.asked.filter(|_| accepted.force_authn);
    match asked {
        Some(asked) if login.authn_at.after(skew).unix_millis() < asked.unix_millis() => {
            Err("the person had to prove anew who they are, and did not")
        }
        _ => Ok(()),
    }
}
