//! What went to the corporate identity provider and came back: requests, each of one browser and answered once, and assertions, each used once.

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, Tx};
use crate::tvm::model::Digest;
use crate::types::Timestamp;

declare! {
    INSERT("ttttiii") = "INSERT INTO saml_request (id, browser_hash, relay_state, return_to, force_authn, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    BY_ID("t") = "SELECT browser_hash, relay_state, return_to, force_authn, created_at, expires_at, consumed_at FROM saml_request WHERE id = $1";
    CONSUME("ti") = "UPDATE saml_request SET consumed_at = $2 WHERE id = $1 AND consumed_at IS NULL";
    // Of two that insert the same at once the second waits, and then has inserted nothing.
    SEE("tti") = "INSERT INTO saml_seen (issuer, assertion_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (issuer, assertion_id) DO NOTHING";
    PAST_REQUESTS("i") = "DELETE FROM saml_request WHERE expires_at <= $1";
    PAST_SEEN("i") = "DELETE FROM saml_seen WHERE expires_at <= $1";
}

/// A request that is about to be sent.
#[derive(Debug, Clone, Copy)]
pub struct NewRequest<'r> {
    /// The request's identity, as it stands in the message.
    pub id: &'r str,
    /// The digest of the cookie that binds it to one browser.
    pub browser: &'r Digest,
    /// The random key that travels with it.
    pub relay_state: &'r str,
    /// Where the person wanted to go: a path here.
    pub return_to: &'r str,
    /// Whether the person has to prove anew who they are.
    pub force_authn: bool,
    /// Until when it may be answered.
    pub expires: Timestamp,
}

/// An assertion that was verified, and has to be accepted now: once.
#[derive(Debug, Clone, Copy)]
pub struct Accept<'a> {
    /// Who issued it.
    pub issuer: &'a str,
    /// Its identity.
    pub assertion_id: &'a str,
    /// Until when it could be presented again, skew included.
    pub valid_until: Timestamp,
    /// The request that it says it answers.
    pub in_response_to: Option<&'a str>,
    /// The digest of the browser's binding cookie; nothing where the browser sent none.
    pub browser: Option<&'a Digest>,
    /// What came as RelayState.
    pub relay_state: Option<&'a str>,
    /// Whether one that answers no request is accepted.
    pub unsolicited: bool,
}

/// What is known of the request that an accepted assertion answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Where the person wanted to go; nothing where the answer was unsolicited, or its RelayState is not the request's.
    pub return_to: Option<String>,
    /// Whether the person had to prove anew who they are.
    pub force_authn: bool,
    /// When the request was sent; nothing where there was none.
    pub asked: Option<Timestamp>,
}

/// Why an assertion is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// It answers no request.
    #[error("the answer belongs to no request")]
    Unsolicited,
    /// It answers a request that was never sent, or was forgotten.
    #[error("the answer is to a request that is not known")]
    UnknownRequest,
    /// It answers a request of another browser.
    #[error("the answer is to another browser's request")]
    OtherBrowser,
    /// It answers a request that was answered.
    #[error("the request was answered already")]
    Answered,
    /// It came too late.
    #[error("the answer came too late")]
    Late,
    /// The assertion was used before.
    #[error("the assertion was used before")]
    Replayed,
}

impl NotAccepted {
    /// Its word for the trail.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unsolicited => "unsolicited",
            Self::UnknownRequest => "unknown_request",
            Self::OtherBrowser => "other_browser",
            Self::Answered => "request_answered",
            Self::Late => "request_expired",
            Self::Replayed => "replayed",
        }
    }
}

pub(super) async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    let requests = PAST_REQUESTS.ask().bind(now.unix_millis()).execute(&mut *conn).await?.rows_affected();
    Ok(requests + PAST_SEEN.ask().bind(now.unix_millis()).execute(conn).await?.rows_affected())
}

impl Tx<'_> {
    /// Notes a request before it is sent.
    ///
    /// # Errors
    /// The database.
    pub async fn add_saml_request(&mut self, new: &NewRequest<'_>) -> Result<()> {
        let ask = INSERT.ask().bind(new.id).bind(new.browser.as_str()).bind(new.relay_state).bind(new.return_to);
        let ask = ask.bind(i64::from(new.force_authn)).bind(self.now().unix_millis()).bind(new.expires.unix_millis());
        ask.execute(&mut **self).await?;
        Ok(())
    }

    /// Accepts an assertion: its request is consumed and its identity remembered, both or nothing, and once, however many processes are
    /// shown it at the same time. Where it is not accepted nothing was changed; the event that tells so is still the caller's.
    ///
    /// # Errors
    /// The database.
    pub async fn accept_assertion(&mut self, accept: &Accept<'_>) -> Result<Result<Accepted, NotAccepted>> {
        let accepted = match accept.in_response_to {
            None if !accept.unsolicited => return Ok(Err(NotAccepted::Unsolicited)),
            None => Accepted { return_to: None, force_authn: false, asked: None },
            Some(id) => {
                let Some(row) = BY_ID.ask().bind(id).fetch_optional(&mut **self).await? else {
                    return Ok(Err(NotAccepted::UnknownRequest));
                };
                let browser = row.word("browser_hash", Digest::parse)?;
                if accept.browser != Some(&browser) {
                    return Ok(Err(NotAccepted::OtherBrowser));
                }
                if row.maybe_number("consumed_at")?.is_some() {
                    return Ok(Err(NotAccepted::Answered));
                }
                if row.time("expires_at")? <= self.now() {
                    return Ok(Err(NotAccepted::Late));
                }
                let same = accept.relay_state == Some(row.text("relay_state")?.as_str());
                Accepted {
                    return_to: same.then(|| row.text("return_to")).transpose()?,
                    force_authn: row.number("force_authn")? == 1,
                    asked: Some(row.time("created_at")?),
                }
            }
        };
        let ask = SEE.ask().bind(accept.issuer).bind(accept.assertion_id).bind(accept.valid_until.unix_millis());
        if ask.execute(&mut **self).await?.rows_affected() == 0 {
            return Ok(Err(NotAccepted::Replayed));
        }
        if let Some(id) = accept.in_response_to {
            let ask = CONSUME.ask().bind(id).bind(self.now().unix_millis());
            if ask.execute(&mut **self).await?.rows_affected() == 0 {
                // Two different answers to one request, at two processes. What was remembered of this one does no harm.
                return Ok(Err(NotAccepted::Answered));
            }
        }
        Ok(Ok(accepted))
    }
}
