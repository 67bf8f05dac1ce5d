//! A browser comes back from the identity provider.

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
use crate::tvm::audit::Outcome;
use crate::tvm::model::{Bearer, Digest, Gid, Status};
use crate::tvm::store::saml::{Accept, Accepted};
use crate::tvm::store::sessions::NewSession;
use crate::tvm::store::users;
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
    let browser = cookie(&headers, app.cookies().binding()).map(|value| Digest::of(value.expose()));
    let mut tx = app.store.begin(now).await?;
    let accept = Accept {
        issuer: &login.issuer,
        assertion_id: &login.assertion_id,
        valid_until: login.valid_until,
        in_response_to: login.in_response_to.as_deref(),
        browser: browser.as_ref(),
        relay_state: posted.relay_state.as_deref(),
        unsolicited: settings.idp.idp_initiated,
    };
    let accepted = match tx.accept_assertion(&accept).await? {
        Ok(accepted) => accepted,
        Err(why) => return Err(refused(&told, why.code(), why)),
    };
    // From here on the assertion is used up, whatever comes of it.
    if let Err(why) = is_fresh(&accepted, &login, settings.idp.skew) {
        let problem = refused(&told, "authn_stale", why);
        told.commit_as(tx, Outcome::Refused).await?;
        return Err(problem);
    }
    let user = users::by_gid(&mut tx, &gid).await?.filter(|user| user.status == Status::Active);
    let Some(user) = user else {
        told.add("refused", Code::NotInPool.word());
        told.commit_as(tx, Outcome::Refused).await?;
        return Err(Problem::new(Code::NotInPool, gid.to_string()));
    };
    let bearer = Bearer::new();
    let csrf = Csrf::of(bearer.secret());
    let longest = now.after(settings.session.longest);
    let expires =
        login.session_ends.map_or(longest, |ends| if ends.unix_millis() < longest.unix_millis() { ends } else { longest });
    // A session that this browser had is over, whoever's it was: its cookie is worth nothing from now on.
    if let Some(old) = cookie(&headers, app.cookies().session()) {
        app.sessions.end(&mut tx, &Digest::of(old.expose())).await?;
    }
    let (name_id, address) = (login.name_id.stored(), visit.address.to_string());
    let agent: String =
        headers.get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default().chars().take(200).collect();
    let session = NewSession {
        id: bearer.digest(),
        user: &user.id,
        csrf: csrf.digest(),
        expires,
        name_id: Some(&name_id),
        session_index: login.session_index.as_deref(),
        authn_context: login.authn_context.as_deref(),
        authn_at: Some(login.authn_at),
        source_ip: Some(&address),
        user_agent: Some(&agent),
    };
    app.sessions.begin(&mut tx, &session).await?;
    told.by_user(&user);
    told.on("user", user.id.as_str(), None);
    told.commit(tx).await?;
    app.metrics.count("saml2cloud_sign_ins_total", "done");
    let back = accepted.return_to.unwrap_or_else(|| "/".to_owned());
    let location = HeaderValue::from_str(&back).unwrap_or(HeaderValue::from_static("/"));
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response();
    response.headers_mut().append(SET_COOKIE, app.cookies().set_session(bearer.secret()));
    response.headers_mut().append(SET_COOKIE, app.cookies().end_binding());
    Ok(response)
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
