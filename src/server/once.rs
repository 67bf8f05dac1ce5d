//! `Idempotency-Key`: a POST that is sent again with its key is done once and answered alike. The answer is kept in the same transaction as the change.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::guard::{Told, Who};
use super::problem::{Code, Problem};
use crate::tvm::model::Digest;
use crate::tvm::store::Tx;
use crate::tvm::store::idempotency::{Before, Keyed};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// The longest key, in bytes.
const LONGEST: usize = 128;

/// What a request was, as far as it must be the same for the same key. The guard puts it there.
#[derive(Debug, Clone)]
pub(super) struct Sameness(pub(super) Digest);

/// A request that may come twice.
#[derive(Debug, Clone)]
pub(super) struct Once {
    key: Option<String>,
    route: String,
    request: Digest,
    who: Who,
    told: Told,
}

impl<S: Send + Sync> FromRequestParts<S> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = match parts.headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default().trim()) {
            None => None,
            Some(key) if (1..=LONGEST).contains(&key.len()) => Some(key.to_owned()),
            Some(_) => return Err(Problem::field("Idempotency-Key", format!("has 1 to {LONGEST} visible characters"))),
        };
        let route =
            parts.extensions.get::<axum::extract::MatchedPath>().map_or_else(String::new, |path| path.as_str().to_owned());
        let (same, who, told) =
            (parts.extensions.get::<Sameness>(), parts.extensions.get::<Who>(), parts.extensions.get::<Told>());
        let (Some(same), Some(who), Some(told)) = (same, who, told) else { return Err(Problem::only(Code::Internal)) };
        let route = format!("{} {route}", parts.method);
        Ok(Self { key, route, request: same.0.clone(), who: who.clone(), told: told.clone() })
    }
}

impl Once {
    fn keyed<'k>(&'k self, key: &'k str, tx: &Tx<'_>) -> Keyed<'k> {
        Keyed { user: self.who.id(), key, route: &self.route, request: &self.request, expires: tx.now().after(KEPT) }
    }

    /// Takes the key. Where this very request was answered before, that answer: it is given again and nothing else is done.
    ///
    /// # Errors
    /// The key belongs to another request, or the database.
    pub(super) async fn claim(&self, tx: &mut Tx<'_>) -> Result<Option<Response>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        let keyed = self.keyed(key, tx);
        match tx.claim(&keyed).await? {
            Before::Nothing => Ok(None),
            Before::Another => Err(Problem::only(Code::IdempotencyConflict)),
            Before::Answered { status, body } => {
                self.told.add("repeated", true);
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
                Ok(Some((status, [(header::CONTENT_TYPE, "application/json")], body).into_response()))
            }
        }
    }

    /// The answer, which is kept for when the request comes again.
    ///
    /// # Errors
    /// The database.
    pub(super) async fn answer(&self, tx: &mut Tx<'_>, status: StatusCode, body: &impl Serialize) -> Result<Response, Problem> {
        let text = serde_json::to_string(body).map_err(|_| Problem::only(Code::Internal))?;
        if let Some(key) = &self.key {
            let keyed = self.keyed(key, tx);
            tx.answered(&keyed, status.as_u16(), &text).await?;
        }
        Ok((status, [(header::CONTENT_TYPE, "application/json")], text).into_response())
    }
}
