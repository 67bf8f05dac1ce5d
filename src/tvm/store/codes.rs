//! Sign-ins of the command line that are under way: authorisation codes (RFC 6749 §4.1, with PKCE) and devices (RFC 8628). Each is taken once.

use std::time::Duration;

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, Store, StoreError, Tx};
use crate::tvm::model::{Digest, UserId};
use crate::types::Timestamp;

declare! {
    INSERT_CODE("ttttitii") = "INSERT INTO cli_code (code_hash, user_id, challenge, redirect_uri, authn_at, authn_context, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    CODE("t") = "SELECT user_id, challenge, redirect_uri, authn_context, authn_at, expires_at, consumed_at FROM cli_code WHERE code_hash = $1";
    TAKE_CODE("ti") = "UPDATE cli_code SET consumed_at = $2 WHERE code_hash = $1 AND consumed_at IS NULL";
    DROP_CODES("t") = "DELETE FROM cli_code WHERE user_id = $1";
    PAST_CODES("i") = "DELETE FROM cli_code WHERE expires_at <= $1";
    INSERT_DEVICE("tttttiii") = "INSERT INTO device_login (device_hash, code_hash, challenge, status, source_ip, client_name, interval_s, created_at, expires_at)
        VALUES ($1, $2, $3, 'pending', $4, $5, $6, $7, $8)";
    BY_USER_CODE("ti") = "SELECT client_name, source_ip, created_at, expires_at FROM device_login WHERE code_hash = $1 AND status = 'pending' AND expires_at > $2";
    APPROVE("ttiti") = "UPDATE device_login SET status = 'approved', user_id = $2, authn_at = $3, authn_context = $4
        WHERE code_hash = $1 AND status = 'pending' AND expires_at > $5";
    DENY("ti") = "UPDATE device_login SET status = 'denied' WHERE code_hash = $1 AND status = 'pending' AND expires_at > $2";
    DEVICE("t") = "SELECT challenge, status, user_id, authn_context, authn_at, source_ip, client_name, interval_s, polled_at, expires_at FROM device_login
        WHERE device_hash = $1";
    POLLED("tii") = "UPDATE device_login SET polled_at = $2, interval_s = $3 WHERE device_hash = $1";
    TAKE_DEVICE("t") = "UPDATE device_login SET status = 'taken' WHERE device_hash = $1 AND status = 'approved'";
    DROP_DEVICES("t") = "DELETE FROM device_login WHERE user_id = $1";
    PAST_DEVICES("i") = "DELETE FROM device_login WHERE expires_at <= $1";
}

/// What a poll that came too soon adds to the interval (RFC 8628 §3.5).
const SLOWER_S: i64 = 5;

/// A code that is about to be sent to the command line.
#[derive(Debug, Clone, Copy)]
pub struct NewCode<'c> {
    /// Its digest.
    pub code: &'c Digest,
    /// Who allowed it.
    pub user: &'c UserId,
    /// The S256 challenge of PKCE (RFC 7636).
    pub challenge: &'c str,
    /// Where it is sent.
    pub redirect_uri: &'c str,
    /// How strong the login was.
    pub authn_context: Option<&'c str>,
    /// When the person proved who they are.
    pub authn_at: Option<Timestamp>,
    /// When it ends.
    pub expires: Timestamp,
}

/// What a code was given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Who allowed it.
    pub user: UserId,
    /// The S256 challenge of PKCE.
    pub challenge: String,
    /// Where it was sent.
    pub redirect_uri: String,
    /// How strong the login was.
    pub authn_context: Option<String>,
    /// When the person proved who they are.
    pub authn_at: Option<Timestamp>,
}

/// What becomes of a code that is presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is good, and this was its one use.
    Good(Code),
    /// It was used before: it leaked, and what was given for it goes too ([`Tx::revoke_tokens_from`]).
    Used,
    /// There is none, or it has ended.
    Unknown,
}

/// A device that is about to ask.
#[derive(Debug, Clone, Copy)]
pub struct NewDevice<'d> {
    /// The digest of its device code.
    pub device: &'d Digest,
    /// The digest of its user code.
    pub code: &'d Digest,
    /// The S256 challenge of PKCE.
    pub challenge: &'d str,
    /// From where it asks.
    pub source_ip: Option<&'d str>,
    /// What it calls itself.
    pub client_name: &'d str,
    /// How long it should wait between two polls.
    pub interval: Duration,
    /// When it ends.
    pub expires: Timestamp,
}

/// What a person is shown of the device whose code they typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// What it calls itself.
    pub client_name: String,
    /// From where it asks.
    pub source_ip: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Until when it may be answered.
    pub expires: Timestamp,
}

/// What a person says.
#[derive(Debug, Clone, Copy)]
pub enum Decision<'d> {
    /// It is theirs.
    Approve {
        /// Who says so.
        user: &'d UserId,
        /// How strong their login was.
        authn_context: Option<&'d str>,
        /// When they proved who they are.
        authn_at: Option<Timestamp>,
    },
    /// It is not.
    Deny,
}

/// A device that somebody approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// Who.
    pub user: UserId,
    /// The S256 challenge of PKCE.
    pub challenge: String,
    /// What it calls itself.
    pub client_name: String,
    /// How strong the login was.
    pub authn_context: Option<String>,
    /// When the person proved who they are.
    pub authn_at: Option<Timestamp>,
}

/// What a device is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// `authorization_pending`: nobody has said anything yet.
    Pending,
    /// `slow_down`: it asks too often, and has to wait this long from now on.
    SlowDown(Duration),
    /// `access_denied`.
    Denied,
    /// `expired_token`: there is none, it has ended, or it was taken.
    Expired,
    /// Somebody approved. [`Tx::take_device`] takes it, once.
    Approved(Approved),
}

/// What somebody typed belongs to a device that waits; nothing where there is none.
///
/// # Errors
/// The database.
pub async fn asking(conn: &mut Conn, code: &Digest, now: Timestamp) -> Result<Option<Asking>> {
    let read = |row: &AnyRow| {
        Ok(Asking {
            client_name: row.text("client_name")?,
            source_ip: row.maybe_text("source_ip")?,
            since: row.time("created_at")?,
            expires: row.time("expires_at")?,
        })
    };
    BY_USER_CODE.ask().bind(code.as_str()).bind(now.unix_millis()).fetch_optional(conn).await?.as_ref().map(read).transpose()
}

pub(super) async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    let codes = PAST_CODES.ask().bind(now.unix_millis()).execute(&mut *conn).await?.rows_affected();
    Ok(codes + PAST_DEVICES.ask().bind(now.unix_millis()).execute(conn).await?.rows_affected())
}

impl Store {
    /// A device asks whether somebody has said anything. That it asked is noted; nothing else is changed, so no event tells of it.
    ///
    /// # Errors
    /// The database.
    pub async fn poll_device(&self, device: &Digest, now: Timestamp) -> Result<Poll> {
        let mut tx = self.begin(now).await?;
        let Some(row) = DEVICE.ask().bind(device.as_str()).fetch_optional(&mut *tx).await? else { return Ok(Poll::Expired) };
        if row.time("expires_at")? <= now {
            return Ok(Poll::Expired);
        }
        match row.text("status")?.as_str() {
            "denied" => return Ok(Poll::Denied),
            "approved" => {
                return Ok(Poll::Approved(Approved {
                    user: row.word("user_id", UserId::parse)?,
                    challenge: row.maybe_text("challenge")?.unwrap_or_default(),
                    client_name: row.text("client_name")?,
                    authn_context: row.maybe_text("authn_context")?,
                    authn_at: row.maybe_time("authn_at")?,
                }));
            }
            "taken" => return Ok(Poll::Expired),
            _ => {}
        }
        let interval = row.number("interval_s")?;
        let soon = row.maybe_time("polled_at")?.is_some_and(|last| now.since(last) < seconds(interval));
        let interval = if soon { interval.saturating_add(SLOWER_S) } else { interval };
        POLLED.ask().bind(device.as_str()).bind(now.unix_millis()).bind(interval).execute(&mut *tx).await?;
        tx.keep().await?;
        Ok(if soon { Poll::SlowDown(seconds(interval)) } else { Poll::Pending })
    }
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

impl Tx<'_> {
    /// Gives a code to the command line.
    ///
    /// # Errors
    /// The person is not in the pool, or barred.
    pub async fn add_code(&mut self, new: &NewCode<'_>) -> Result<()> {
        self.hold_user(new.user, true).await?;
        let ask = INSERT_CODE.ask().bind(new.code.as_str()).bind(new.user.as_str()).bind(new.challenge).bind(new.redirect_uri);
        let ask = ask.bind(new.authn_at.map(Timestamp::unix_millis)).bind(new.authn_context).bind(self.now().unix_millis());
        ask.bind(new.expires.unix_millis()).execute(&mut **self).await?;
        Ok(())
    }

    /// Takes a code: this was its one use, also where what comes with it turns out to be wrong.
    ///
    /// # Errors
    /// The database.
    pub async fn take_code(&mut self, code: &Digest) -> Result<Taken> {
        let Some(row) = CODE.ask().bind(code.as_str()).fetch_optional(&mut **self).await? else { return Ok(Taken::Unknown) };
        let ask = TAKE_CODE.ask().bind(code.as_str()).bind(self.now().unix_millis());
        if ask.execute(&mut **self).await?.rows_affected() == 0 {
            return Ok(Taken::Used);
        }
        if row.time("expires_at")? <= self.now() {
            return Ok(Taken::Unknown);
        }
        Ok(Taken::Good(Code {
            user: row.word("user_id", UserId::parse)?,
            challenge: row.text("challenge")?,
            redirect_uri: row.text("redirect_uri")?,
            authn_context: row.maybe_text("authn_context")?,
            authn_at: row.maybe_time("authn_at")?,
        }))
    }

    /// Notes a device that asks.
    ///
    /// # Errors
    /// Its user code is another one's, which happens once in very many; the caller makes a new one.
    pub async fn add_device(&mut self, new: &NewDevice<'_>) -> Result<()> {
        let ask = INSERT_DEVICE.ask().bind(new.device.as_str()).bind(new.code.as_str()).bind(new.challenge).bind(new.source_ip);
        let ask = ask.bind(new.client_name).bind(i64::try_from(new.interval.as_secs()).unwrap_or(i64::MAX));
        ask.bind(self.now().unix_millis()).bind(new.expires.unix_millis()).execute(&mut **self).await?;
        Ok(())
    }

    /// Writes down what a person says of the device whose code they typed.
    ///
    /// # Errors
    /// None waits by that code, or the person is barred.
    pub async fn decide_device(&mut self, code: &Digest, decision: Decision<'_>) -> Result<()> {
        let millis = self.now().unix_millis();
        let ask = match decision {
            Decision::Approve { user, authn_context, authn_at } => {
                self.hold_user(user, true).await?;
                let ask = APPROVE.ask().bind(code.as_str()).bind(user.as_str()).bind(authn_at.map(Timestamp::unix_millis));
                ask.bind(authn_context).bind(millis)
            }
            Decision::Deny => DENY.ask().bind(code.as_str()).bind(millis),
        };
        match ask.execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::NotFound("device that waits")),
        }
    }

    /// Takes an approved device: its one use; whether it was this one.
    ///
    /// # Errors
    /// The database.
    pub async fn take_device(&mut self, device: &Digest) -> Result<bool> {
        Ok(TAKE_DEVICE.ask().bind(device.as_str()).execute(&mut **self).await?.rows_affected() == 1)
    }

    /// What a person allowed and nobody fetched yet is taken back.
    pub(super) async fn drop_codes(&mut self, user: &UserId) -> Result<()> {
        DROP_CODES.ask().bind(user.as_str()).execute(&mut **self).await?;
        DROP_DEVICES.ask().bind(user.as_str()).execute(&mut **self).await?;
        Ok(())
    }
}
