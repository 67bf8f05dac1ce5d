//! A command line on the person's own machine asks, through their browser.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, LOCATION};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use url::{Host, Url};

use super::{CLIENT, CODE, is_challenge};
use crate::server::app::App;
use crate::server::extract::{FormBody, QueryOf};
use crate::server::guard::{Told, Visit, Who, posting_to};
use crate::server::pages;
use crate::server::problem::{Code, Problem};
use crate::tvm::model::Bearer;
use crate::tvm::store::codes::NewCode;

/// How old a sign-in may be where the person proves anew who they are: as long as it takes to come back here.
const JUST_NOW: Duration = Duration::from_secs(60);

/// What the command line asks for.
#[derive(Debug, Deserialize)]
pub(in crate::server) struct Asked {
    pub(in crate::server) response_type: String,
    pub(in crate::server) client_id: String,
    pub(in crate::server) redirect_uri: String,
    pub(in crate::server) code_challenge: String,
    pub(in crate::server) code_challenge_method: String,
    pub(in crate::server) state: String,
    /// `login`: the person proves anew who they are, although they are signed in (OpenID Connect Core §3.1.2.1).
    #[serde(default)]
    prompt: Option<String>,
    /// What the person said.
    #[serde(default)]
    decision: String,
}

impl Asked {
    /// Where the answer goes. Only to this person's own machine; what asks for another place gets nothing, not even an error (RFC 6749 §4.1.2.1).
    fn check(&self) -> Result<Url, Problem> {
        let wrong = |field: &str, why: &str| Problem::field(field, why);
        let uri = Url::parse(&self.redirect_uri).ok().filter(is_loopback);
        let uri = uri.ok_or_else(|| wrong("redirect_uri", "is no address of this machine (http://127.0.0.1:PORT/…)"))?;
        if self.client_id != CLIENT {
            return Err(wrong("client_id", "is not known"));
        }
        if self.response_type != "code" || self.code_challenge_method != "S256" {
            return Err(wrong("response_type", "only `code` with the challenge method `S256` is answered"));
        }
        if !is_challenge(&self.code_challenge) {
            return Err(wrong("code_challenge", "is none that S256 makes"));
        }
        if self.state.is_empty() || self.state.len() > 512 {
            return Err(wrong("state", "has 1 to 512 characters"));
        }
        Ok(uri)
    }
}

/// RFC 8252 §7.3: an address of loopback by its number, any port.
fn is_loopback(uri: &Url) -> bool {
    let is_here = match uri.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    is_here
        && uri.scheme() == "http"
        && uri.port().is_some()
        && uri.fragment().is_none()
        && uri.username().is_empty()
        && uri.password().is_none()
}

/// `GET /cli/authorize`
pub(super) async fn page(
    who: Who,
    Extension(visit): Extension<Visit>,
    here: Uri,
    QueryOf(asked): QueryOf<Asked>,
) -> Result<Response, Problem> {
    let uri = asked.check()?;
    let is_just_proven = || who.authn_at().is_some_and(|at| visit.now.since(at) <= JUST_NOW);
    if asked.prompt.as_deref() == Some("login") && !is_just_proven() {
        return Ok(pages::to_prove_anew(&here));
    }
    let mut response = pages::authorize(&visit, &who, &asked, &uri);
    // The form is posted here, and the answer to it sends the browser on to the command line.
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, posting_to(&uri, true));
    Ok(response)
}

/// `POST /cli/authorize`
pub(super) async fn decide(
    State(app): State<App>,
    who: Who,
    Extension(told): Extension<Told>,
    Extension(visit): Extension<Visit>,
    FormBody(asked): FormBody<Asked>,
) -> Result<Response, Problem> {
    let mut uri = asked.check()?;
    let issuer = app.settings.server.url.expose().to_string();
    let answer = match asked.decision.as_str() {
        "allow" => {
            let bearer = Bearer::new();
            let mut tx = app.store.begin(visit.now).await?;
            let new = NewCode {
                code: bearer.digest(),
                user: who.id(),
                challenge: &asked.code_challenge,
                redirect_uri: &asked.redirect_uri,
                authn_context: who.authn_context(),
                authn_at: who.authn_at(),
                expires: visit.now.after(CODE),
            };
            tx.add_code(&new).await?;
            told.commit(tx).await?;
            ("code", bearer.secret().expose().clone())
        }
        "deny" => ("error", "access_denied".to_owned()),
        _ => return Err(Problem::field("decision", "is `allow` or `deny`")),
    };
    uri.query_pairs_mut().append_pair(answer.0, &answer.1).append_pair("state", &asked.state).append_pair("iss", &issuer);
    let location = HeaderValue::from_str(uri.as_str()).map_err(|_| Problem::only(Code::Internal))?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_to_this_machine_only() {
        let here = |text: &str| Url::parse(text).is_ok_and(|uri| is_loopback(&uri));
        assert!(here("http://127.0.0.1:5000/callback") && here("http://[::1]:1/"));
        for bad in [
            "https://127.0.0.1:1/",
            "http://localhost:1/",
            "http://127.0.0.1/",
            "http://evil.example:1/",
            "http://127.0.0.1:1/#x",
            "http://127.0.0.1@evil.example:1/",
            "http://u@127.0.0.1:1/",
            "javascript:alert(1)",
        ] {
            assert!(!here(bad), "{bad}");
        }
    }
}
