//! Places outside that the trail is told to, each in its own form. What is told twice does no harm; what is not told is told later.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use ring::hmac;
use serde_json::value::RawValue;

use super::chain::{Row, hex};
use super::checkpoint::Checkpoint;
use crate::types::{Secret, Timestamp, WebUrl};
use crate::world::outlet::{self, SystemLog};
use crate::world::{Clock, Request, Transport, TransportError};

/// Events in the order of their chain, and checkpoints of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Batch<'b> {
    /// Events.
    pub events: &'b [Row],
    /// Checkpoints.
    pub checkpoints: &'b [Checkpoint],
}

/// Why a place was not told.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// The system.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// No answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An answer that says no.
    #[error("{host} answered {status}")]
    Status {
        /// Who answered.
        host: String,
        /// The HTTP status.
        status: u16,
    },
}

/// A place outside.
#[async_trait]
pub trait Outside: Send {
    /// Its name, under which it is remembered how far it was told.
    fn name(&self) -> &'static str;

    /// Tells it, all or nothing as far as it can know.
    ///
    /// # Errors
    /// [`OutsideError`]; it is told again.
    async fn tell(&mut self, batch: Batch<'_>) -> Result<(), OutsideError>;
}

/// An event as one line of JSON: the fields of its row by their names, the parameters as they were written, so that its digest can be made again.
pub fn line(row: &Row) -> String {
    line_with(row, RawValue::from_string(row.params.clone()).ok())
}

fn line_with(row: &Row, params: Option<Box<RawValue>>) -> String {
    let time = Timestamp::from_unix_millis(row.ts).map(Timestamp::utc);
    let fields = serde_json::json!({
        "chain": row.chain, "seq": row.seq, "ts": row.ts, "time": time, "kind": row.kind, "actor_gid": row.actor_gid, "actor": row.actor,
        "auth": row.auth, "source_ip": row.source_ip, "target_kind": row.target_kind, "target": row.target, "at": row.at,
        "outcome": row.outcome, "request": row.request, "prev_hash": row.prev_hash, "hash": row.hash,
    })
    .to_string();
    let params = params.as_deref().map_or("null", RawValue::get);
    format!("{},\"params\":{params}}}", fields.trim_end_matches('}'))
}

/// A file, a line each.
#[derive(Debug)]
pub struct File(pub PathBuf);

#[async_trait]
impl Outside for File {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn tell(&mut self, batch: Batch<'_>) -> Result<(), OutsideError> {
        let lines: Vec<String> = batch.events.iter().map(line).chain(batch.checkpoints.iter().map(Checkpoint::line)).collect();
        Ok(outlet::append(&self.0, &lines).await?)
    }
}

/// A system log (RFC 5424).
#[derive(Debug)]
pub struct Syslog {
    /// Where.
    pub to: SystemLog,
    /// What this machine calls itself.
    pub host: String,
}

/// The longest message that a datagram of UDP carries, with room for its headers.
const LONGEST_DATAGRAM: usize = 65_000;
/// The facility for audit logs, RFC 5424 §6.2.1.
const LOG_AUDIT: u8 = 13;

impl Syslog {
    fn message(&self, ts: i64, severity: u8, id: &str, text: &str) -> String {
        let tame = |text: &str, longest: usize| {
            let word: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
            if word.is_empty() { "-".to_owned() } else { word }
        };
        let time = Timestamp::from_unix_millis(ts).map_or_else(|| "-".to_owned(), Timestamp::utc);
        let (host, id) = (tame(&self.host, 255), tame(id, 32));
        format!("<{}>1 {time} {host} saml2cloud {} {id} - {text}", LOG_AUDIT * 8 + severity, std::process::id())
    }
}

#[async_trait]
impl Outside for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    async fn tell(&mut self, batch: Batch<'_>) -> Result<(), OutsideError> {
        let event = |row: &Row| {
            let severity = match row.outcome.as_str() {
                "failed" => 4,
                "refused" => 5,
                _ => 6,
            };
            let message = self.message(row.ts, severity, &row.kind, &line(row));
            if message.len() <= LONGEST_DATAGRAM {
                return message;
            }
            // It would be refused, and everything after it with it. Its hash still says what it was.
            let long = format!("{{\"too_long\":{}}}", row.params.len());
            self.message(row.ts, severity, &row.kind, &line_with(row, RawValue::from_string(long).ok()))
        };
        let checkpoint = |one: &Checkpoint| self.message(one.statement.ts, 6, "audit.checkpoint", &one.line());
        let messages: Vec<String> = batch.events.iter().map(event).chain(batch.checkpoints.iter().map(checkpoint)).collect();
        Ok(self.to.send(&messages).await?)
    }
}

/// Somebody's HTTP endpoint. The body is signed with a secret that both know: `X-Saml2cloud-Signature: t=SECONDS,v1=HEX`, where HEX is the
/// HMAC-SHA256 of `SECONDS.BODY`.
pub struct Webhook {
    /// Where.
    pub url: WebUrl,
    /// The way there; it follows no redirects.
    pub net: Box<dyn Transport>,
    /// What both know.
    pub secret: Secret<String>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The signature of a body.
pub fn signature(secret: &Secret<String>, now: Timestamp, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{}.{body}", now.unix()).as_bytes());
    format!("t={},v1={}", now.unix(), hex(tag.as_ref()))
}

#[async_trait]
impl Outside for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn tell(&mut self, batch: Batch<'_>) -> Result<(), OutsideError> {
        let events: Vec<String> = batch.events.iter().map(line).collect();
        let checkpoints: Vec<String> = batch.checkpoints.iter().map(Checkpoint::line).collect();
        let body = format!("{{\"events\":[{}],\"checkpoints\":[{}]}}", events.join(","), checkpoints.join(","));
        let signature = signature(&self.secret, self.clock.now(), &body);
        let request =
            Request::post(self.url.clone(), "application/json", Secret::new(body)).header("x-saml2cloud-signature", signature);
        let answer = self.net.send(&request).await?;
        match answer.is_success() {
            true => Ok(()),
            false => Err(OutsideError::Status { host: self.url.host().to_owned(), status: answer.status }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tvm::audit::{AuthKind, Event};
    use crate::tvm::model::ChainId;

    fn row() -> Row {
        let now = Timestamp::from_unix(1_800_000_000).unwrap();
        let event = Event::by(AuthKind::Console, "user.create", serde_json::json!({"b": "}\n\"", "a": {"x": 1}}));
        Row::new(&event, &ChainId::new(now), 1, now, "")
    }

    #[test]
    fn a_line_is_one_line_and_holds_what_the_digest_is_made_of() {
        let (row, text) = (row(), line(&row()));
        assert!(!text.contains('\n'));
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (read["kind"].as_str(), read["seq"].as_i64(), read["ts"].as_i64()),
            (Some("user.create"), Some(1), Some(row.ts))
        );
        assert_eq!(read["params"].to_string(), row.params, "to the letter");
        assert_eq!(read["time"], "2027-01-15T08:00:00Z");
    }

    #[test]
    fn a_message_is_of_the_form_of_the_rfc() {
        let log = Syslog { to: SystemLog::Udp("x:1".to_owned()), host: "box 1\n".to_owned() };
        let message = log.message(1_800_000_000_000, 5, "vend", "{}");
        let pid = std::process::id();
        assert_eq!(message, format!("<109>1 2027-01-15T08:00:00Z box1 saml2cloud {pid} vend - {{}}"));
    }

    /// RFC 4231, test case 2, with our text before it.
    #[test]
    fn a_body_is_signed_with_its_time() {
        let now = Timestamp::from_unix(7).unwrap();
        let one = signature(&"Jefe".into(), now, "what do ya want for nothing?");
        assert!(one.starts_with("t=7,v1=") && one.len() == 7 + 64);
        for other in [
            signature(&"Jefe".into(), Timestamp::from_unix(8).unwrap(), "what do ya want for nothing?"),
            signature(&"jefe".into(), now, "what do ya want for nothing?"),
            signature(&"Jefe".into(), now, "what do ya want for nothing!"),
        ] {
            assert_ne!(one.split_once("v1="), other.split_once("v1="));
        }
    }
}
