//! The one event that a request leaves in the audit trail.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::{Visit, Who};
use crate::server::problem::Problem;
use crate::server::route::Spec;
use crate::tvm::audit::{AuthKind, Event, Outcome};
use crate::tvm::model::{Path, User, UserId};
use crate::tvm::store::Tx;

/// In which language people are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tongue {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Tongue {
    /// What the person chose, else what their browser asks for (RFC 9110 §12.5.4), else English.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if let Some(chosen) = super::known::cookie(headers, "lang") {
            return if chosen.expose() == "zh-CN" { Self::Chinese } else { Self::English };
        }
        let asked = headers.get("accept-language").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0.0_f32, Self::English);
        for part in asked.split(',').take(20) {
            let mut words = part.split(';').map(str::trim);
            let language = words.next().unwrap_or_default().to_ascii_lowercase();
            let weight = words.find_map(|word| word.strip_prefix("q=")).map_or(1.0, |text| text.parse().unwrap_or(0.0));
            let tongue = match language.split('-').next() {
                Some("zh") => Self::Chinese,
                Some("en") => Self::English,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, tongue);
            }
        }
        best.1
    }
}

/// What a request leaves in the audit trail. A handler adds what it knows better, and where it changes something it commits both at once.
#[derive(Debug, Clone)]
pub struct Told(Arc<Mutex<Draft>>);

#[derive(Debug)]
struct Draft {
    kind: Option<&'static str>,
    request: String,
    source_ip: String,
    params: Map<String, Value>,
    who: Option<Who>,
    /// Whom an unsuccessful sign-in was for.
    gid: Option<String>,
    user: Option<UserId>,
    target: Option<(&'static str, String, Option<Path>)>,
    is_written: bool,
}

impl Told {
    pub(super) fn new(spec: &Spec, visit: &Visit, params: Map<String, Value>) -> Self {
        Self(Arc::new(Mutex::new(Draft {
            kind: spec.told,
            request: visit.request.clone(),
            source_ip: visit.address.to_string(),
            params,
            who: None,
            gid: None,
            user: None,
            target: None,
            is_written: false,
        })))
    }

    fn draft(&self) -> std::sync::MutexGuard<'_, Draft> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who it was.
    pub fn by(&self, who: &Who) {
        self.draft().who = Some(who.clone());
    }

    /// Whom a sign-in without a session was of.
    pub fn by_user(&self, user: &User) {
        let mut draft = self.draft();
        draft.user = Some(user.id.clone());
        draft.gid = Some(user.gid.normal().to_owned());
    }

    /// Who it says it is, where that is all there is.
    pub fn by_gid(&self, gid: &str) {
        self.draft().gid = Some(gid.to_owned());
    }

    /// What it was done to: its kind, its identity, and the node whose owners may read about it.
    pub fn on(&self, kind: &'static str, id: &str, at: Option<&Path>) {
        self.draft().target = Some((kind, id.to_owned(), at.cloned()));
    }

    /// Something that did not stand in the request: what came of it, why it was refused.
    pub fn add(&self, name: &str, value: impl Into<Value>) {
        self.draft().params.insert(name.to_owned(), value.into());
    }

    /// The parameters as they are now, for an event that the store writes.
    pub fn params(&self) -> Value {
        Value::Object(self.draft().params.clone())
    }

    /// The GID, where it is known.
    pub fn gid(&self) -> Option<String> {
        let draft = self.draft();
        draft.who.as_ref().map(|who| who.user.gid.normal().to_owned()).or_else(|| draft.gid.clone())
    }

    /// Ends a change: it is done, and the event that tells of it is this request's one event.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn commit(&self, tx: Tx<'_>) -> Result<(), Problem> {
        self.commit_as(tx, Outcome::Done).await
    }

    /// The same where what is kept is that it was refused.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn commit_as(&self, tx: Tx<'_>, outcome: Outcome) -> Result<(), Problem> {
        tx.commit(&self.event(outcome)).await?;
        self.is_written();
        Ok(())
    }

    /// The event as it is now, for a change whose transaction others share ([`Told::is_written`] once it is).
    pub fn event(&self, outcome: Outcome) -> Event {
        self.draft().event(outcome)
    }

    /// The store wrote this request's event itself.
    pub fn is_written(&self) {
        self.draft().is_written = true;
    }

    /// The event, where it is not written yet.
    pub(super) fn event_for(&self, status: StatusCode) -> Option<Event> {
        let draft = self.draft();
        if draft.is_written || draft.kind.is_none() {
            return None;
        }
        let outcome = match status.as_u16() {
            ..400 => Outcome::Done,
            400..500 => Outcome::Refused,
            _ => Outcome::Failed,
        };
        Some(draft.event(outcome))
    }
}

impl Draft {
    fn event(&self, outcome: Outcome) -> Event {
        let who = self.who.as_ref();
        let auth = who.map_or(AuthKind::Nobody, |who| who.auth);
        let mut event = Event::by(auth, self.kind.unwrap_or("change"), Value::Object(self.params.clone()));
        event.actor = who.map(|who| who.user.id.clone()).or_else(|| self.user.clone());
        event.actor_gid = who.map(|who| who.user.gid.normal().to_owned()).or_else(|| self.gid.clone());
        event.source_ip = Some(self.source_ip.clone());
        event.request = Some(self.request.clone());
        event.outcome = outcome;
        match &self.target {
            Some((kind, id, at)) => event.on(kind, id, at.as_ref()),
            None => event,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tongue(cookie: Option<&str>, asked: &str) -> Tongue {
        let mut headers = HeaderMap::new();
        headers.insert("accept-language", asked.parse().unwrap());
        if let Some(cookie) = cookie {
            headers.insert("cookie", cookie.parse().unwrap());
        }
        Tongue::of(&headers)
    }

    #[test]
    fn people_are_answered_in_their_language() {
        for (asked, expected) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Tongue::Chinese),
            ("en-GB,en;q=0.9,zh;q=0.8", Tongue::English),
            ("fr,zh;q=0.2,en;q=0.1", Tongue::Chinese),
            ("de", Tongue::English),
            ("", Tongue::English),
            ("zh;q=x", Tongue::English),
        ] {
            assert_eq!(tongue(None, asked), expected, "{asked}");
        }
        assert_eq!(tongue(Some("lang=en"), "zh"), Tongue::English);
        assert_eq!(tongue(Some("a=b; lang=zh-CN"), "en"), Tongue::Chinese);
    }
}
