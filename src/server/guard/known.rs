//! Who it is: by the cookie of a session, or by a bearer token. A request with a bearer token never has its cookies read.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;

use super::Visit;
use crate::server::app::App;
use crate::server::problem::{Code, Problem};
use crate::tvm::audit::AuthKind;
use crate::tvm::authorize::Actor;
use crate::tvm::model::{Digest, User, UserId};
use crate::tvm::store::sessions::Session;
use crate::tvm::store::tokens::ApiToken;
use crate::tvm::store::{Conn, Seen, access, tokens};
use crate::types::{Secret, Timestamp};

/// Who asks. A handler that takes one is only reached by somebody known.
#[derive(Debug, Clone)]
pub struct Who {
    /// The person, as they are now.
    pub user: Arc<User>,
    /// How that is known.
    pub auth: AuthKind,
    proof: Arc<Proof>,
}

#[derive(Debug)]
enum Proof {
    /// A browser's session, and the cookie itself: forms of the session carry a token that is made from it.
    Session(Session, Secret<String>),
    Token(ApiToken),
}

impl Who {
    /// Their identity.
    pub fn id(&self) -> &UserId {
        &self.user.id
    }

    /// The browser's session, if it is one.
    pub fn session(&self) -> Option<&Session> {
        match &*self.proof {
            Proof::Session(session, _) => Some(session),
            Proof::Token(_) => None,
        }
    }

    /// The token that forms of this session carry; nothing for a bearer.
    pub fn csrf(&self) -> Option<super::Csrf> {
        match &*self.proof {
            Proof::Session(_, cookie) => Some(super::Csrf::of(cookie)),
            Proof::Token(_) => None,
        }
    }

    /// The token, if it is one.
    pub fn token(&self) -> Option<&ApiToken> {
        match &*self.proof {
            Proof::Session(..) => None,
            Proof::Token(token) => Some(token),
        }
    }

    /// When they proved who they are.
    pub fn authn_at(&self) -> Option<Timestamp> {
        match &*self.proof {
            Proof::Session(session, _) => session.authn_at,
            Proof::Token(token) => token.authn_at,
        }
    }

    /// How strong that was: the class of the authentication context.
    pub fn authn_context(&self) -> Option<&str> {
        match &*self.proof {
            Proof::Session(session, _) => session.authn_context.as_deref(),
            Proof::Token(token) => token.authn_context.as_deref(),
        }
    }

    /// What they may do, read now. For a change it is read in the change's own transaction.
    ///
    /// # Errors
    /// The database.
    pub async fn actor(&self, conn: &mut Conn, now: Timestamp) -> Result<Actor, Problem> {
        Ok(access::actor(conn, self.id(), now).await?)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::only(Code::Unauthenticated))
    }
}

/// A cookie of the request. More than one of that name is none: somebody put another one beside ours.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<Secret<String>> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = lines.flat_map(|line| line.split(';')).filter_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        (key == name).then(|| Secret::from(value.trim_matches('"')))
    });
    let first = found.next()?;
    if found.next().is_some() { None } else { Some(first) }
}

/// The token of `Authorization: Bearer`, whether or not it is one of ours (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<Secret<String>> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::from(token.trim()))
}

pub(super) async fn find(app: &App, headers: &HeaderMap, bearer_counts: bool, visit: &Visit) -> Result<Option<Who>, Problem> {
    if bearer_counts && headers.contains_key(AUTHORIZATION) {
        let Some(token) = bearer(headers) else { return Ok(None) };
        let mut conn = app.store.read().await?;
        let found = tokens::by_digest(&mut conn, &Digest::of(token.expose()), visit.now).await?;
        drop(conn);
        if let Some((token, _)) = &found
            && Seen::is_due(token.last_used, visit.now)
        {
            app.store.touch(&Seen::Token(token.id.clone()), visit.now).await?;
        }
        return Ok(found.map(|(token, user)| Who {
            user: Arc::new(user),
            auth: AuthKind::Bearer,
            proof: Arc::new(Proof::Token(token)),
        }));
    }
    let Some(cookie) = cookie(headers, app.cookies().session()) else { return Ok(None) };
    let found = app.sessions.find(&app.store, &Digest::of(cookie.expose()), visit.now).await?;
    Ok(found.map(|(session, user)| Who {
        user: Arc::new(user),
        auth: AuthKind::Session,
        proof: Arc::new(Proof::Session(session, cookie)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_that_is_there_twice_is_none() {
        let one = |pairs: &[(&'static str, &str)]| cookie(&headers(pairs), "s").map(|value| value.expose().clone());
        assert_eq!(one(&[("cookie", "a=b; s=x; t=y")]).as_deref(), Some("x"));
        assert_eq!(one(&[("cookie", "a=b"), ("cookie", "s=\"x\"")]).as_deref(), Some("x"));
        for none in ["", "ss=x", "s", "s=x; s=y", "S=x"] {
            assert_eq!(one(&[("cookie", none)]), None, "{none}");
        }
    }

    #[test]
    fn a_bearer_is_one_by_its_scheme() {
        let one = |value: &str| bearer(&headers(&[("authorization", value)])).map(|value| value.expose().clone());
        assert_eq!((one("Bearer abc").as_deref(), one("bearer abc").as_deref()), (Some("abc"), Some("abc")));
        assert_eq!((one("Basic abc"), one("Bearer")), (None, None));
    }
}
