//! Sign-ins of browsers. A session is found by the digest of its cookie, together with the person as they are now: whoever was barred or deleted
//! has none.

use std::time::Duration;

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, Tx, users};
use crate::tvm::model::{Digest, User, UserId};
use crate::types::Timestamp;

declare! {
    BY_DIGEST("tii") = "SELECT s.id_hash, s.csrf_hash, s.created_at, s.seen_at, s.expires_at, s.name_id, s.session_index, s.authn_context, s.authn_at, s.source_ip,
        s.user_agent, u.id, u.gid, u.alias, u.email, u.description, u.home_node_id, u.status, u.version
        FROM session s JOIN cam_user u ON u.id = s.user_id
        WHERE s.id_hash = $1 AND s.expires_at > $2 AND s.seen_at > $3 AND u.status = 'active' AND u.deleted_at IS NULL";
    INSERT("tttiiitttitt") = "INSERT INTO session (id_hash, user_id, csrf_hash, created_at, seen_at, expires_at, name_id, session_index, authn_context, authn_at,
        source_ip, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    END("t") = "DELETE FROM session WHERE id_hash = $1";
    END_ALL("t") = "DELETE FROM session WHERE user_id = $1";
    END_OTHERS("tt") = "DELETE FROM session WHERE user_id = $1 AND id_hash <> $2";
    END_NAMED("tt") = "DELETE FROM session WHERE name_id = $1 AND ($2 = '' OR session_index = $2)";
    TOUCH("ti") = "UPDATE session SET seen_at = $2 WHERE id_hash = $1 AND seen_at < $2";
    PAST("i") = "DELETE FROM session WHERE expires_at <= $1";
}

/// A session that is about to begin.
#[derive(Debug, Clone, Copy)]
pub struct NewSession<'s> {
    /// The digest of its cookie.
    pub id: &'s Digest,
    /// Whose.
    pub user: &'s UserId,
    /// The digest of the token that its forms carry.
    pub csrf: &'s Digest,
    /// When it ends, whatever is done with it.
    pub expires: Timestamp,
    /// What the identity provider calls the person, to be told when they leave.
    pub name_id: Option<&'s str>,
    /// The identity provider's own number for the session.
    pub session_index: Option<&'s str>,
    /// How strong the login was: the class of the authentication context.
    pub authn_context: Option<&'s str>,
    /// When the person proved who they are.
    pub authn_at: Option<Timestamp>,
    /// From where they came.
    pub source_ip: Option<&'s str>,
    /// What their browser calls itself.
    pub user_agent: Option<&'s str>,
}

/// A session that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The digest of its cookie.
    pub id: Digest,
    /// The digest of the token that its forms carry.
    pub csrf: Digest,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, to the minute or so.
    pub seen: Timestamp,
    /// When it ends, whatever is done with it.
    pub expires: Timestamp,
    /// What the identity provider calls the person.
    pub name_id: Option<String>,
    /// The identity provider's own number for the session.
    pub session_index: Option<String>,
    /// The class of the authentication context.
    pub authn_context: Option<String>,
    /// When the person proved who they are.
    pub authn_at: Option<Timestamp>,
    /// From where they came.
    pub source_ip: Option<String>,
    /// What their browser calls itself.
    pub user_agent: Option<String>,
}

fn read(row: &AnyRow) -> Result<(Session, User)> {
    let session = Session {
        id: row.word("id_hash", Digest::parse)?,
        csrf: row.word("csrf_hash", Digest::parse)?,
        created: row.time("created_at")?,
        seen: row.time("seen_at")?,
        expires: row.time("expires_at")?,
        name_id: row.maybe_text("name_id")?,
        session_index: row.maybe_text("session_index")?,
        authn_context: row.maybe_text("authn_context")?,
        authn_at: row.maybe_time("authn_at")?,
        source_ip: row.maybe_text("source_ip")?,
        user_agent: row.maybe_text("user_agent")?,
    };
    Ok((session, users::read(row)?))
}

/// The session of a cookie and the person it is of; nothing where there is none, it has ended, it was not used for as long as `idle`, or the
/// person is barred.
///
/// # Errors
/// The database.
pub async fn by_digest(conn: &mut Conn, id: &Digest, idle: Duration, now: Timestamp) -> Result<Option<(Session, User)>> {
    let millis = now.unix_millis();
    let quiet = millis.saturating_sub(i64::try_from(idle.as_millis()).unwrap_or(i64::MAX));
    let row = BY_DIGEST.ask().bind(id.as_str()).bind(millis).bind(quiet).fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// Notes that a session is used.
pub(super) async fn touch(conn: &mut Conn, id: &Digest, now: Timestamp) -> Result<()> {
    TOUCH.ask().bind(id.as_str()).bind(now.unix_millis()).execute(conn).await?;
    Ok(())
}

pub(super) async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    Ok(PAST.ask().bind(now.unix_millis()).execute(conn).await?.rows_affected())
}

impl Tx<'_> {
    /// Begins a session.
    ///
    /// # Errors
    /// The person is not in the pool, or barred.
    pub async fn add_session(&mut self, new: &NewSession<'_>) -> Result<()> {
        self.hold_user(new.user, true).await?;
        let millis = self.now().unix_millis();
        let ask = INSERT.ask().bind(new.id.as_str()).bind(new.user.as_str()).bind(new.csrf.as_str()).bind(millis).bind(millis);
        let ask = ask.bind(new.expires.unix_millis()).bind(new.name_id).bind(new.session_index).bind(new.authn_context);
        let ask = ask.bind(new.authn_at.map(Timestamp::unix_millis)).bind(new.source_ip).bind(new.user_agent);
        ask.execute(&mut **self).await?;
        Ok(())
    }

    /// Ends a session; whether there was one.
    ///
    /// # Errors
    /// The database.
    pub async fn end_session(&mut self, id: &Digest) -> Result<bool> {
        Ok(END.ask().bind(id.as_str()).execute(&mut **self).await?.rows_affected() > 0)
    }

    /// Ends every session of a person, but for `spare`; how many.
    ///
    /// # Errors
    /// The database.
    pub async fn end_sessions(&mut self, user: &UserId, spare: Option<&Digest>) -> Result<u64> {
        let ask = match spare {
            None => END_ALL.ask().bind(user.as_str()),
            Some(spare) => END_OTHERS.ask().bind(user.as_str()).bind(spare.as_str()),
        };
        Ok(ask.execute(&mut **self).await?.rows_affected())
    }

    /// Ends the sessions that the identity provider says are over: of that name, and of that number where it gives one. How many.
    ///
    /// # Errors
    /// The database.
    pub async fn end_idp_sessions(&mut self, name_id: &str, session_index: Option<&str>) -> Result<u64> {
        let ask = END_NAMED.ask().bind(name_id).bind(session_index.unwrap_or_default());
        Ok(ask.execute(&mut **self).await?.rows_affected())
    }
}
