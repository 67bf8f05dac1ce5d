//! Pages for people: made here, in their language, and they work without a script. What a script adds is in one small file of ours.

mod assets;
mod roles;
mod words;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use url::Url;

use self::words::{Words, said, words};
use super::app::App;
use super::command::Asked;
use super::extract::{FormBody, PathOf, id};
use super::guard::{Told, Visit, Who};
use super::problem::{Code, Problem};
use super::route::Route;
use super::signin::local;
use crate::tvm::model::TokenId;
use crate::tvm::store::codes::Asking;
use crate::tvm::store::tokens;
use crate::types::{Secret, WebUrl};

pub(super) fn routes() -> Vec<Route> {
    let mut routes = assets::routes();
    routes.extend([
        Route::page(Method::GET, "/", "page.roles", roles::list),
        Route::page(Method::GET, "/roles/{id}", "page.token", roles::token),
        Route::page(Method::GET, "/me/logins", "page.logins", logins),
        Route::page(Method::POST, "/me/logins/{id}/revoke", "page.logins.revoke", revoke),
        Route::open(Method::POST, "/language", "page.language", language),
    ]);
    routes
}

/// Whoever is signed in, for the head of a page.
struct Me {
    alias: String,
    gid: String,
    initial: String,
    csrf: String,
}

impl Me {
    fn of(who: &Who) -> Self {
        let alias = who.user.alias.to_string();
        let initial = alias.chars().next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        Self { alias, gid: who.user.gid.to_string(), initial, csrf: csrf(who) }
    }
}

/// The token of the forms of this session.
fn csrf(who: &Who) -> String {
    who.csrf().map(|csrf| csrf.token().expose().clone()).unwrap_or_default()
}

/// Writes a page. That a template cannot be written is a mistake of ours.
fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => ([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "problem.html", config = "src/server/pages/askama.toml")]
struct ProblemPage<'p> {
    w: &'static Words,
    me: Option<Me>,
    here: &'static str,
    back: &'p str,
    title: &'p str,
    said: &'p str,
    detail: &'p str,
    gid: Option<&'p str>,
    /// Whether the way on leads over the identity provider.
    is_stale: bool,
    request: &'p str,
}

/// A problem, for a person. What was wrong with a sign-in is not said.
pub(super) fn problem(problem: &Problem, visit: &Visit) -> Response {
    let w = words(visit.tongue);
    let is_stranger = problem.code == Code::NotInPool;
    let shows_detail = !matches!(problem.code, Code::SignInFailed | Code::NotInPool) && problem.detail != problem.code.title();
    let template = ProblemPage {
        w,
        me: None,
        here: "",
        back: "/",
        title: match problem.code {
            Code::NotInPool => w.not_in_pool_title,
            Code::NotFound => w.not_found_title,
            _ => w.error_title,
        },
        said: if problem.code == Code::NotFound { w.not_found_lead } else { said(visit.tongue, problem.code) },
        detail: if shows_detail { &problem.detail } else { "" },
        gid: is_stranger.then_some(problem.detail.as_str()),
        is_stale: problem.code == Code::ReauthRequired,
        request: &visit.request,
    };
    page(&template)
}

/// Sends a browser to sign in, and after that back to where it wanted to go.
pub(super) fn to_sign_in(wanted: &Uri) -> Response {
    let path = wanted.path_and_query().map_or("/", |path| path.as_str());
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return", path).finish();
    (StatusCode::SEE_OTHER, [(LOCATION, format!("/saml/login?{query}"))]).into_response()
}

/// The same for whoever is signed in and has to prove anew who they are.
pub(super) fn to_prove_anew(wanted: &Uri) -> Response {
    let path = wanted.path_and_query().map_or("/", |path| path.as_str());
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("fresh", "1").append_pair("return", path).finish();
    (StatusCode::SEE_OTHER, [(LOCATION, format!("/saml/login?{query}"))]).into_response()
}

#[derive(Template)]
#[template(path = "signed_out.html", config = "src/server/pages/askama.toml")]
struct SignedOut<'p> {
    w: &'static Words,
    me: Option<Me>,
    here: &'static str,
    back: &'static str,
    there: Option<&'p str>,
}

/// That nobody is signed in here any more; `there` signs the person out at the identity provider too.
pub(super) fn signed_out(visit: &Visit, there: Option<&WebUrl>) -> Response {
    let there = there.map(|url| url.expose().as_str());
    page(&SignedOut { w: words(visit.tongue), me: None, here: "", back: "/", there })
}

#[derive(Template)]
#[template(path = "posting.html", config = "src/server/pages/askama.toml")]
struct Posting<'p> {
    w: &'static Words,
    me: Option<Me>,
    here: &'static str,
    back: &'static str,
    host: &'p str,
    action: &'p str,
    response: Option<&'p str>,
}

/// A page that posts itself to a cloud.
pub(super) fn posting(visit: &Visit, action: &Url, response: &Secret<String>) -> Response {
    let host = action.host_str().unwrap_or_default();
    let response = Some(response.expose().as_str());
    page(&Posting { w: words(visit.tongue), me: None, here: "", back: "/", host, action: action.as_str(), response })
}

/// A page that goes to an address of a cloud's console.
pub(super) fn opening(visit: &Visit, address: &WebUrl) -> Response {
    let action = address.expose().as_str();
    page(&Posting { w: words(visit.tongue), me: None, here: "", back: "/", host: address.host(), action, response: None })
}

#[derive(Template)]
#[template(path = "authorize.html", config = "src/server/pages/askama.toml")]
struct Authorize<'p> {
    w: &'static Words,
    me: Option<Me>,
    here: &'static str,
    back: &'static str,
    csrf: String,
    address: String,
    place: String,
    asked: &'p Asked,
}

/// Whether a command line on this computer may come in.
pub(super) fn authorize(visit: &Visit, who: &Who, asked: &Asked, place: &Url) -> Response {
    let address = visit.address.to_string();
    let place = place.origin().ascii_serialization();
    page(&Authorize {
        w: words(visit.tongue),
        me: Some(Me::of(who)),
        here: "",
        back: "/",
        csrf: csrf(who),
        address,
        place,
        asked,
    })
}

/// Where somebody is who signs in a command line elsewhere.
pub(super) enum DeviceStep<'s> {
    /// The code is still to be typed.
    Type,
    /// It was a wrong one.
    Wrong,
    /// Who asks, and the code.
    Decide(&'s Asking, &'s Secret<String>),
    /// Yes.
    Allowed,
    /// No.
    Denied,
}

#[derive(Template)]
#[template(path = "device.html", config = "src/server/pages/askama.toml")]
struct Device<'p> {
    w: &'static Words,
    me: Option<Me>,
    here: &'static str,
    back: &'static str,
    csrf: String,
    is_wrong: bool,
    step: DeviceStep<'p>,
}

/// A command line on another computer.
pub(super) fn device(visit: &Visit, who: &Who, step: DeviceStep<'_>) -> Response {
    let is_wrong = matches!(step, DeviceStep::Wrong);
    page(&Device { w: words(visit.tongue), me: Some(Me::of(who)), here: "", back: "/device", csrf: csrf(who), is_wrong, step })
}

struct Login {
    id: String,
    name: String,
    from: String,
    since: String,
    last_used: String,
    ends: String,
}

#[derive(Template)]
#[template(path = "logins.html", config = "src/server/pages/askama.toml")]
struct Logins {
    w: &'static Words,
    me: Option<Me>,
    here: &'static str,
    back: &'static str,
    csrf: String,
    tokens: Vec<Login>,
}

/// `GET /me/logins`
async fn logins(State(app): State<App>, who: Who, Extension(visit): Extension<Visit>) -> Result<Response, Problem> {
    let mut conn = app.store.read().await?;
    let tokens = tokens::of_user(&mut conn, who.id(), visit.now, 200).await?;
    let shown = |at: crate::types::Timestamp| at.utc().replace('T', " ").replace('Z', " UTC");
    let login = |token: tokens::ApiToken| Login {
        id: token.id.to_string(),
        name: token.name,
        from: token.source_ip.unwrap_or_default(),
        since: shown(token.created),
        last_used: token.last_used.map(shown).unwrap_or_default(),
        ends: shown(token.expires),
    };
    let tokens = tokens.into_iter().map(login).collect();
    Ok(page(&Logins {
        w: words(visit.tongue),
        me: Some(Me::of(&who)),
        here: "logins",
        back: "/me/logins",
        csrf: csrf(&who),
        tokens,
    }))
}

/// `POST /me/logins/{id}/revoke`
async fn revoke(
    State(app): State<App>,
    who: Who,
    Extension(told): Extension<Told>,
    PathOf(token): PathOf<String>,
) -> Result<Response, Problem> {
    let token = id(&token, TokenId::parse)?;
    told.on("token", token.as_str(), None);
    let mut tx = app.store.begin(app.now()).await?;
    tx.revoke_token(who.id(), &token).await?;
    told.commit(tx).await?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, "/me/logins")]).into_response())
}

#[derive(Debug, Deserialize)]
struct Chosen {
    to: String,
    #[serde(default)]
    back: String,
}

/// `POST /language`: what somebody reads in is kept in their browser, and says nothing about them.
async fn language(State(app): State<App>, FormBody(chosen): FormBody<Chosen>) -> Result<Response, Problem> {
    let to = match chosen.to.as_str() {
        "en" => "en",
        "zh-CN" => "zh-CN",
        _ => return Err(Problem::field("to", "is `en` or `zh-CN`")),
    };
    let back = local(&app.settings.server.url, &chosen.back).unwrap_or_else(|| "/".to_owned());
    let secure = if app.settings.server.is_secure() { "; Secure" } else { "" };
    let cookie = format!("lang={to}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}");
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Problem::only(Code::Internal));
    Ok((StatusCode::SEE_OTHER, [(LOCATION, value(&back)?), (SET_COOKIE, value(&cookie)?)]).into_response())
}
