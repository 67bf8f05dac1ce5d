//! A console sign-in or keys for one of one's own roles.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::server::app::App;
use crate::server::extract::{PathOf, id};
use crate::server::guard::{Rate, Share, Told, Visit, Who, posting_to};
use crate::server::pages;
use crate::server::problem::{Code, Problem, ProblemDocument};
use crate::server::route::{Access, Route, Row};
use crate::tvm::audit::AuthKind;
use crate::tvm::authorize::Action;
use crate::tvm::exchange::{Console, Entrusted, Format, Given, Handed, SessionPolicy, VendError};
use crate::tvm::model::{Risk, RoleId};
use crate::tvm::store::access;
use crate::tvm::store::vends::Channel;
use crate::tvm::vend::{Extra, Wish};
use crate::types::{ProfileName, Region, SessionDuration};

pub(super) fn routes() -> Vec<Route> {
    let row = Row::Matrix(Action::UseOwnRoles);
    // Neither answer is kept: there are secrets in both.
    vec![
        Route::api("vend.console", Access::Api, row, routes!(sso)).not_idempotent(),
        Route::api("vend", Access::Api, row, routes!(credentials)).not_idempotent(),
    ]
}

/// How keys are wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// For how many seconds; an hour where nothing is said.
    #[serde(default, deserialize_with = "number")]
    duration: Option<u32>,
    /// `json`, `shell`, `powershell`, `profile` (a section of `~/.aws/credentials`, or `~/.aliyun/config.json`) or `process`.
    #[serde(default)]
    format: Option<String>,
    /// What the profile is called.
    #[serde(default)]
    profile: Option<String>,
    /// Where the tools should work.
    #[serde(default)]
    region: Option<String>,
    /// A session policy, which only narrows what the role may do.
    #[serde(default)]
    policy: Option<String>,
    /// In all formats at once, within one JSON document.
    #[serde(default)]
    all: bool,
    /// Why. It stands in the audit trail.
    #[serde(default)]
    reason: Option<String>,
    /// The token of a page's form.
    #[serde(default)]
    #[schema(ignore)]
    #[allow(dead_code, reason = "the guard has read it")]
    csrf: Option<String>,
}

/// A number, also as a form sends it; an empty field is none.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u32),
        Text(String),
    }
    match Option::<Written>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Number(number)) => Ok(Some(number)),
        Some(Written::Text(text)) if text.trim().is_empty() => Ok(None),
        Some(Written::Text(text)) => text.trim().parse().map(Some).map_err(serde::de::Error::custom),
    }
}

/// A JSON body, a form, or none.
fn wanted(headers: &HeaderMap, body: &Bytes) -> Result<Wanted, Problem> {
    if body.is_empty() {
        return Ok(Wanted::default());
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bad = |error: &dyn std::fmt::Display| Problem::new(Code::ValidationFailed, format!("the body: {error}"));
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => serde_json::from_slice(body).map_err(|error| bad(&error)),
        "application/x-www-form-urlencoded" => form(body).map_err(|error| bad(&error)),
        _ => Err(Problem::new(Code::UnsupportedMedia, "the body is `application/json` or a form")),
    }
}

/// A form as JSON: it has the same fields, all of them texts.
fn form(body: &[u8]) -> Result<Wanted, serde_json::Error> {
    let fields: serde_json::Map<String, serde_json::Value> = url::form_urlencoded::parse(body)
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect();
    serde_json::from_value(serde_json::Value::Object(fields))
}

/// What a vend is asked with, checked.
struct Asked {
    role: RoleId,
    duration: Option<SessionDuration>,
}

async fn asked(app: &App, who: &Who, visit: &Visit, role: &str, wanted: &Wanted, is_console: bool) -> Result<Asked, Problem> {
    let role = id(role, RoleId::parse)?;
    let duration = wanted.duration.map(SessionDuration::try_from).transpose();
    let duration = duration.map_err(|error| Problem::field("duration", error.to_string()))?;
    let limits = app.settings.limits;
    let mut conn = app.store.read().await?;
    // What is not theirs is not there; the second half decides that again, in its own transaction.
    let terms = access::terms(&mut conn, who.id(), &role).await?;
    let is_theirs = terms.is_some() && !access::ways(&mut conn, who.id(), &role, visit.now).await?.is_empty();
    drop(conn);
    let mut shares = vec![Share::of(format!("vend {}", who.id()), Rate::smooth(limits.vend_per_user))];
    let Some(terms) = terms.filter(|_| is_theirs) else {
        app.limiter.share(app.together.as_ref(), &shares, visit.now).await?;
        return Ok(Asked { role, duration });
    };
    let is_old = |longest| who.authn_at().is_none_or(|at| visit.now.since(at) > longest);
    if terms.risk == Risk::High && app.settings.session.step_up.is_some_and(is_old) {
        return Err(Problem::only(Code::ReauthRequired));
    }
    let cloud = terms.account.partition().cloud();
    // A command line that is handed an assertion asks the account's token service at once: that counts as if it were asked from here.
    shares.extend(Share::at_account(&terms.node, cloud, terms.method, is_console, &limits));
    app.limiter.share(app.together.as_ref(), &shares, visit.now).await?;
    Ok(Asked { role, duration })
}

/// The vend writes the request's event itself, once it has begun.
fn refused(app: &App, told: &Told, error: VendError) -> Problem {
    let began = !matches!(error, VendError::Store(_));
    if began {
        told.is_written();
    }
    app.metrics.count("saml2cloud_vends_total", "refused");
    problem(error)
}

/// Why nothing was handed out, as callers are told.
pub(super) fn problem(error: VendError) -> Problem {
    match error {
        VendError::Refusal(refusal) => refusal.into(),
        VendError::Store(error) => error.into(),
        VendError::Call(error) => {
            let number = error.request_id().map(|id| format!(" (its request {id})")).unwrap_or_default();
            let said = crate::types::Untrusted::new(format!("{}: {error}{number}", error.code()));
            Problem::new(Code::CloudError, said.to_string())
        }
        other => {
            tracing::error!(error = &other as &dyn std::error::Error, "a vend");
            match other {
                VendError::Unwritten(_) => Problem::only(Code::AuditUnavailable).after(5),
                VendError::Assertion(crate::tvm::assertion::AssertionError::Issue(_)) | VendError::Signer(_) => {
                    Problem::only(Code::KmsUnavailable).after(5)
                }
                VendError::Assertion(error) => Problem::new(Code::NotVended, error.to_string()),
                VendError::Seal(_) | VendError::NoKeys(_) => {
                    Problem::new(Code::KmsUnavailable, "this account's own keys cannot be used")
                }
                _ => Problem::only(Code::Internal),
            }
        }
    }
}

/// A form that a browser posts to a cloud's console.
#[derive(Debug, Serialize, ToSchema)]
struct ConsoleForm {
    /// Where it is posted.
    action: String,
    /// `POST`; `GET` where it is an address to open.
    method: &'static str,
    /// Its fields.
    fields: serde_json::Value,
}

/// Signs in to the console of a role's cloud
///
/// A browser gets a page that posts itself; who asks for `application/json` gets the form's parts.
#[utoipa::path(
    post, path = "/api/v1/me/roles/{id}/sso", tag = "Me", operation_id = "vend.console", security(("bearer" = []), ("session" = [])),
    params(("id" = String, Path, description = "The role")),
    request_body = Wanted,
    responses(
        (status = 200, body = ConsoleForm),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json", description = "`reauth_required`"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn sso(
    State(app): State<App>,
    who: Who,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    PathOf(role): PathOf<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let wanted = wanted(&headers, &body)?;
    let asked = asked(&app, &who, &visit, &role, &wanted, true).await?;
    app.keys.ring(&app.store, visit.now).await?;
    let address = visit.address.to_string();
    let given = told.params();
    let wish = Wish { given: Some(&given), ..wish(&who, &visit, &asked, Channel::Console, &address) };
    let console = app.vending.console(&wish).await.map_err(|error| refused(&app, &told, error))?;
    told.is_written();
    app.metrics.count("saml2cloud_vends_total", "done");
    let for_program =
        headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("application/json"));
    Ok(match console {
        Console::Form(signed) => {
            if for_program || who.auth == AuthKind::Bearer {
                let fields = serde_json::json!({"SAMLResponse": signed.base64.expose(), "RelayState": ""});
                axum::Json(ConsoleForm { action: signed.acs.expose().to_string(), method: "POST", fields }).into_response()
            } else {
                let mut response = pages::posting(&visit, signed.acs.expose(), &signed.base64);
                response.headers_mut().insert(CONTENT_SECURITY_POLICY, posting_to(signed.acs.expose(), false));
                response
            }
        }
        Console::Link(link) => {
            if for_program || who.auth == AuthKind::Bearer {
                let action = link.url.expose().to_string();
                axum::Json(ConsoleForm { action, method: "GET", fields: serde_json::json!({}) }).into_response()
            } else {
                pages::opening(&visit, &link.url)
            }
        }
    })
}

fn wish<'w>(who: &'w Who, visit: &'w Visit, asked: &'w Asked, channel: Channel, address: &'w str) -> Wish<'w> {
    Wish {
        user: who.id(),
        role: &asked.role,
        channel,
        duration: asked.duration,
        auth: who.auth,
        request: Some(&visit.request),
        source_ip: Some(address),
        given: None,
        extra: None,
    }
}

/// What buys keys at the cloud, for whoever asked.
#[derive(Serialize)]
struct EntrustedView<'e> {
    /// The whole response in base64: whoever has it has the role, for two minutes.
    saml_response: &'e str,
    /// The one role that it gives.
    role_arn: &'e str,
    /// The account's entry for this service.
    provider_arn: &'e str,
    /// The site of the cloud.
    partition: &'static str,
    /// The token service, where it is another than the region's.
    sts: Option<&'e str>,
    /// For how many seconds the session is granted.
    duration: u32,
    /// The label in the cloud's logs.
    session_name: &'e str,
    /// Until when the response is good.
    ends: String,
}

impl<'e> From<&'e Entrusted> for EntrustedView<'e> {
    fn from(entrusted: &'e Entrusted) -> Self {
        let response = &entrusted.response;
        Self {
            saml_response: response.base64.expose(),
            role_arn: entrusted.role.as_str(),
            provider_arn: response.provider.as_str(),
            partition: entrusted.partition.word(),
            sts: entrusted.sts.as_ref().map(|sts| sts.expose().as_str()),
            duration: entrusted.lifetime.seconds(),
            session_name: &entrusted.session_name,
            ends: response.ends.utc(),
        }
    }
}

/// Keys for a role
///
/// Where the account's node says so (`client_exchange`), a command line gets a signed response in place of keys and exchanges it at the cloud's
/// `AssumeRoleWithSAML` itself, within two minutes. Then there is no session policy and no other format, and nothing for pages: 422 `client_exchange`.
#[utoipa::path(
    post, path = "/api/v1/me/roles/{id}/credentials", tag = "Me", operation_id = "vend", security(("bearer" = []), ("session" = [])),
    params(("id" = String, Path, description = "The role")),
    request_body = Wanted,
    responses(
        (status = 200, description = "`{access_key_id, secret_access_key, session_token, expires, role_arn, session_name}`, or another format; with `client_exchange` `{saml_response, role_arn, provider_arn, partition, sts, duration, session_name, ends}`"),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json", description = "`reauth_required`"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, body = ProblemDocument, content_type = "application/problem+json", description = "`cloud_error`"),
        (status = 503, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn credentials(
    State(app): State<App>,
    who: Who,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    PathOf(role): PathOf<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let wanted = wanted(&headers, &body)?;
    let format = match wanted.format.as_deref() {
        None => Format::Json,
        Some(word) => Format::from_word(word).ok_or_else(|| {
            let words: Vec<&str> = Format::ALL.iter().map(|format| format.word()).collect();
            Problem::field("format", format!("is one of {}", words.join(", ")))
        })?,
    };
    let profile = wanted.profile.as_deref().unwrap_or("saml2cloud");
    let profile = ProfileName::parse(profile).map_err(|error| Problem::field("profile", error.to_string()))?;
    let region = wanted.region.as_deref().map(Region::parse).transpose();
    let region = region.map_err(|error| Problem::field("region", error.to_string()))?;
    let policy = wanted.policy.as_deref().map(SessionPolicy::parse).transpose();
    let policy = policy.map_err(|error| Problem::field("policy", error.to_string()))?;
    if wanted.reason.as_ref().is_some_and(|reason| reason.chars().count() > 500) {
        return Err(Problem::field("reason", "has at most 500 characters"));
    }
    let asked = asked(&app, &who, &visit, &role, &wanted, false).await?;
    app.keys.ring(&app.store, visit.now).await?;
    let channel = if who.auth == AuthKind::Bearer { Channel::Cli } else { Channel::Web };
    let address = visit.address.to_string();
    let given = told.params();
    let extra = (format != Format::Json || wanted.all).then_some(Extra::Format);
    let wish = Wish { given: Some(&given), extra, ..wish(&who, &visit, &asked, channel, &address) };
    let given = app.vending.keys(&wish, policy).await.map_err(|error| refused(&app, &told, error))?;
    told.is_written();
    app.metrics.count("saml2cloud_vends_total", "done");
    let handed = match given {
        Given::Keys(handed) => handed,
        Given::Assertion(entrusted) => return Ok(axum::Json(EntrustedView::from(&entrusted)).into_response()),
    };
    if wanted.all {
        return Ok(every(&handed, &profile, region.as_ref()));
    }
    let written = format.write(&handed, &profile, region.as_ref());
    let mut response = written.text.expose().clone().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(written.media_type));
    if format != Format::Json {
        let name = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", written.file_name));
        response.headers_mut().insert(CONTENT_DISPOSITION, name.unwrap_or(HeaderValue::from_static("attachment")));
    }
    Ok(response)
}

/// The keys in all formats: a page shows them, and asks once.
fn every(handed: &Handed, profile: &ProfileName, region: Option<&Region>) -> Response {
    let json = Format::Json.write(handed, profile, region);
    let mut document: serde_json::Value = serde_json::from_str(json.text.expose()).unwrap_or_default();
    let formats = Format::ALL.map(|format| {
        let written = format.write(handed, profile, region);
        let file =
            serde_json::json!({"text": written.text.expose(), "media_type": written.media_type, "file_name": written.file_name});
        (format.word().to_owned(), file)
    });
    document["formats"] = serde_json::Value::Object(formats.into_iter().collect());
    axum::Json(document).into_response()
}
