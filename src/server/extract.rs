//! What handlers take from a request. What is not as it should be is a problem document, whoever reads it.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::guard::Told;
use super::problem::{Code, Problem};
use crate::tvm::model::Version;

/// A JSON body.
#[derive(Debug, Clone)]
pub(super) struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_json = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            return Err(Problem::new(Code::UnsupportedMedia, "the body has to be `application/json`"));
        }
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|_| Problem::only(Code::TooLarge))?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Problem::new(Code::ValidationFailed, format!("the body: {error}")))
    }
}

/// A form.
#[derive(Debug, Clone)]
pub(super) struct FormBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for FormBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let form = axum::Form::<T>::from_request(request, state).await;
        form.map(|form| Self(form.0)).map_err(|error| Problem::new(Code::ValidationFailed, error.body_text()))
    }
}

/// The query.
#[derive(Debug, Clone)]
pub(super) struct QueryOf<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|error| Problem::new(Code::ValidationFailed, error.body_text()))
    }
}

/// The parts of the path, as texts.
#[derive(Debug, Clone)]
pub(super) struct PathOf<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Path::<T>::from_request_parts(parts, state).await.map(|path| Self(path.0)).map_err(|_| Problem::only(Code::NotFound))
    }
}

/// An identity in the path. What cannot be one is not there.
///
/// # Errors
/// [`Code::NotFound`].
pub(super) fn id<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Problem> {
    parse(text).ok_or_else(|| Problem::only(Code::NotFound))
}

/// The version that a change was made from: `If-Match: "3"` (RFC 9110 §13.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IfMatch(pub Version);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IF_MATCH) else { return Err(Problem::only(Code::VersionRequired)) };
        let number = value.to_str().ok().map(|text| text.trim().trim_matches('"')).and_then(|text| text.parse().ok());
        // What was never given out matches nothing.
        let number = number.ok_or_else(|| Problem::only(Code::VersionMismatch))?;
        if let Some(told) = parts.extensions.get::<Told>() {
            told.add("if_match", number);
        }
        Ok(Self(number))
    }
}

impl IfMatch {
    /// Refuses where the thing has another version now.
    ///
    /// # Errors
    /// [`Code::VersionMismatch`].
    pub(super) fn check(self, version: Version) -> Result<(), Problem> {
        if self.0 == version { Ok(()) } else { Err(Problem::only(Code::VersionMismatch)) }
    }
}

/// The header that names a version.
pub(super) fn etag(version: Version) -> [(axum::http::HeaderName, String); 1] {
    [(axum::http::header::ETAG, format!("\"{version}\""))]
}

/// How many entries a page has where nothing is said, and at the most.
const PAGE: (u32, u32) = (50, 200);

/// How many entries a list may give.
///
/// # Errors
/// It is no number from 1 to 200.
pub(super) fn limit(given: Option<u32>) -> Result<u32, Problem> {
    match given {
        None => Ok(PAGE.0),
        Some(number) if (1..=PAGE.1).contains(&number) => Ok(number),
        Some(_) => Err(Problem::field("limit", format!("is a number from 1 to {}", PAGE.1))),
    }
}

/// Reads a cursor that an earlier page gave; nothing for the first page.
///
/// # Errors
/// Nobody here made it.
pub(super) fn cursor<T: DeserializeOwned>(given: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(None) };
    // A zero character is none that a database takes.
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| !bytes.windows(6).any(|part| part == br"\u0000"));
    let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.map(Some).ok_or_else(|| Problem::field("cursor", "is not one that was given out"))
}

/// The cursor of a place in a list.
pub(super) fn cursor_of(place: &impl Serialize) -> Option<String> {
    serde_json::to_vec(place).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// Its entries.
    pub items: Vec<T>,
    /// The cursor of the page after it; nothing where this is the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Of entries, of which one more than `limit` was asked for; `place` says where an entry stands.
    pub(super) fn of<E, P: Serialize>(
        mut entries: Vec<E>,
        limit: u32,
        place: impl Fn(&E) -> P,
        show: impl FnMut(E) -> T,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_more = entries.len() > limit;
        entries.truncate(limit);
        let last = entries.last().filter(|_| is_more).map(place);
        Self { items: entries.into_iter().map(show).collect(), next: last.as_ref().and_then(cursor_of) }
    }

    /// Of entries, where the search has come as far as `place` and may find more after it.
    pub(super) fn until<E>(entries: Vec<E>, place: &impl Serialize, show: impl FnMut(E) -> T) -> Self {
        Self { items: entries.into_iter().map(show).collect(), next: cursor_of(place) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_the_next_one_begins() {
        let page = Page::of(vec![1, 2, 3], 2, |n| (*n, "x"), |n| n * 10);
        assert_eq!(page.items, [10, 20]);
        let next: Option<(i32, String)> = cursor(page.next.as_deref()).unwrap();
        assert_eq!(next, Some((2, "x".to_owned())));
        assert_eq!(Page::of(vec![1, 2], 2, |n| *n, |n| n).next, None);
        assert_eq!(cursor::<i32>(None).unwrap(), None);
        for bad in ["x", "!", "W10"] {
            assert_eq!(cursor::<(i32, String)>(Some(bad)).unwrap_err().code, Code::ValidationFailed, "{bad}");
        }
    }

    #[test]
    fn a_list_has_its_limit() {
        assert_eq!((limit(None).unwrap(), limit(Some(200)).unwrap()), (50, 200));
        assert!(limit(Some(0)).is_err() && limit(Some(201)).is_err());
    }
}
