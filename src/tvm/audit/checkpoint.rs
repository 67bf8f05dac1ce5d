//! Where a chain was at a moment, signed. Who can write to the database can cut a chain short and everything that remembers its end; they cannot
//! make a signature. A checkpoint is told outside too, so that it cannot be taken away with the rest.
//!
//! A cut is a checkpoint of a second kind: what is older than it was removed, because its time was over. The walk then begins behind it.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::chain::{Head, hex};
use crate::saml::{SignError, Signer};
use crate::types::Timestamp;

/// How many days events are kept where nobody says otherwise.
pub const KEPT_DAYS: u32 = 400;
/// How many days they are kept at the least.
pub const FLOOR_DAYS: u32 = 180;
/// A day, in milliseconds.
pub const DAY_MS: i64 = 24 * 3600 * 1000;

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Where the chain is.
    pub head: Head,
    /// When, in milliseconds since 1970.
    pub ts: i64,
    /// For a cut: when the newest event that was removed had happened.
    pub cut: Option<i64>,
}

/// A signed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// What is signed.
    pub statement: Statement,
    /// By which key.
    pub key: String,
    /// The signature, in hexadecimal.
    pub signature: String,
}

/// Why a checkpoint proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// The signature is not the key's.
    #[error("its signature is not that of the key")]
    Signature,
    /// The key's certificate cannot be read.
    #[error("the certificate of its key cannot be read")]
    Certificate,
    /// More was removed than may be.
    #[error("it lets go of events that were younger than {FLOOR_DAYS} days")]
    TooYoung,
}

impl Statement {
    /// The text that is signed. The fields stand in a JSON array, so no two statements give the same text.
    pub fn message(&self) -> String {
        let Head { chain, seq, hash } = &self.head;
        match self.cut {
            None => serde_json::json!(["saml2cloud audit checkpoint 1", chain, seq, hash, self.ts]).to_string(),
            Some(newest) => serde_json::json!(["saml2cloud audit cut 1", chain, seq, hash, self.ts, newest]).to_string(),
        }
    }

    /// Signs it.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign(self, key: &str, signer: &dyn Signer) -> Result<Checkpoint, SignError> {
        let signature = signer.sign(self.message().as_bytes()).await?;
        Ok(Checkpoint { statement: self, key: key.to_owned(), signature: hex(&signature) })
    }
}

impl Checkpoint {
    /// Checks the signature against the key's certificate, in DER.
    ///
    /// # Errors
    /// [`BadCheckpoint`].
    pub fn verify(&self, certificate: &[u8]) -> Result<(), BadCheckpoint> {
        let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| BadCheckpoint::Certificate)?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &*certificate.public_key().subject_public_key.data);
        let signature = unhex(&self.signature).ok_or(BadCheckpoint::Signature)?;
        key.verify(self.statement.message().as_bytes(), &signature).map_err(|_| BadCheckpoint::Signature)?;
        match self.statement.cut {
            Some(newest) if newest > self.statement.ts - i64::from(FLOOR_DAYS) * DAY_MS => Err(BadCheckpoint::TooYoung),
            _ => Ok(()),
        }
    }

    /// As it is told outside.
    pub fn line(&self) -> String {
        let Statement { head: Head { chain, seq, hash }, ts, cut } = &self.statement;
        let time = Timestamp::from_unix_millis(*ts).map(Timestamp::utc);
        let document = serde_json::json!({"checkpoint": {
            "chain": chain, "seq": seq, "hash": hash, "ts": ts, "time": time, "cut": cut, "key": self.key, "signature": self.signature,
        }});
        document.to_string()
    }

    /// Reads what was told outside: a line with a checkpoint in it, whatever a system log wrote before it. Lines of events have none.
    ///
    /// # Errors
    /// A line that ought to be a checkpoint, and is none.
    pub fn from_line(line: &str) -> Result<Option<Self>, BadLine> {
        #[derive(serde::Deserialize)]
        struct Line {
            checkpoint: Fields,
        }
        #[derive(serde::Deserialize)]
        struct Fields {
            chain: String,
            seq: i64,
            hash: String,
            ts: i64,
            cut: Option<i64>,
            key: String,
            signature: String,
        }
        // An event that quotes one is an event: its line begins with another field.
        let Some(at) = line.find('{').filter(|at| line.get(*at..).is_some_and(|rest| rest.starts_with("{\"checkpoint\":")))
        else {
            return Ok(None);
        };
        let Line { checkpoint: Fields { chain, seq, hash, ts, cut, key, signature } } =
            serde_json::from_str(line.get(at..).unwrap_or_default().trim_end()).map_err(|_| BadLine)?;
        Ok(Some(Self { statement: Statement { head: Head { chain, seq, hash }, ts, cut }, key, signature }))
    }
}

/// A line that ought to be a checkpoint, and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it ought to be a checkpoint, and is none")]
pub struct BadLine;

/// When the next checkpoint is due: after a minute, or after a thousand events, if there were any.
pub fn is_due(last: Option<(i64, Timestamp)>, seq: i64, now: Timestamp) -> bool {
    match last {
        None => seq > 0,
        Some((at, when)) => seq > at && (seq - at >= 1000 || now.since(when).as_secs() >= 60),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_statements_are_signed_alike() {
        let head = Head { chain: "c".to_owned(), seq: 1, hash: "h".to_owned() };
        let plain = Statement { head, ts: 5, cut: None };
        let cut = Statement { cut: Some(1), ..plain.clone() };
        assert_eq!(plain.message(), r#"["saml2cloud audit checkpoint 1","c",1,"h",5]"#);
        assert_eq!(cut.message(), r#"["saml2cloud audit cut 1","c",1,"h",5,1]"#);
    }

    #[test]
    fn a_line_is_read_back() {
        let head = Head { chain: "c".to_owned(), seq: 7, hash: "h".to_owned() };
        let one =
            Checkpoint { statement: Statement { head, ts: 5, cut: Some(1) }, key: "k".to_owned(), signature: "00".to_owned() };
        for before in ["", "Nov 28 00:00:00 host saml2cloud[1]: "] {
            assert_eq!(Checkpoint::from_line(&format!("{before}{}\n", one.line())), Ok(Some(one.clone())));
        }
        let quoted = serde_json::json!({"chain": "c", "params": {"x": one.line()}}).to_string();
        assert_eq!((Checkpoint::from_line(&quoted), Checkpoint::from_line("")), (Ok(None), Ok(None)));
        for cut in ["{\"checkpoint\":{\"chain\"", "{\"checkpoint\": {}}"] {
            assert_eq!(Checkpoint::from_line(cut), Err(BadLine), "{cut}");
        }
    }

    #[test]
    fn one_is_due_after_a_minute_or_a_thousand_events() {
        let now = Timestamp::from_unix(1_800_000_000).unwrap();
        let later = |seconds| now.after(std::time::Duration::from_secs(seconds));
        assert!(!is_due(None, 0, now) && is_due(None, 1, now));
        let last = Some((10, now));
        assert!(!is_due(last, 10, later(600)), "nothing new");
        assert!(!is_due(last, 11, later(59)) && is_due(last, 11, later(60)));
        assert!(!is_due(last, 1009, now) && is_due(last, 1010, now));
    }

    #[test]
    fn hexadecimal_is_read_back() {
        assert_eq!(unhex(&hex(&[0, 255, 16])), Some(vec![0, 255, 16]));
        assert!(unhex("0").is_none() && unhex("zz").is_none() && unhex("ü").is_none());
    }
}
