//! Access tokens of the command line and of services. Found by their digest, together with the person as they are now.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, StoreError, Tx, users};
use crate::tvm::model::{Digest, TokenId, User, UserId};
use crate::types::Timestamp;

declare! {
    BY_DIGEST("ti") = "SELECT t.id AS token_id, t.kind, t.name, t.authn_context, t.authn_at, t.source_ip, t.created_at, t.expires_at, t.last_used_at, t.revoked_at,
        u.id, u.gid, u.alias, u.email, u.description, u.home_node_id, u.status, u.version FROM api_token t JOIN cam_user u ON u.id = t.user_id
        WHERE t.token_hash = $1 AND t.expires_at > $2 AND t.revoked_at IS NULL AND u.status = 'active' AND u.deleted_at IS NULL";
    OF_USER("tii") = "SELECT id AS token_id, kind, name, authn_context, authn_at, source_ip, created_at, expires_at, last_used_at, revoked_at FROM api_token
        WHERE user_id = $1 AND expires_at > $2 AND revoked_at IS NULL ORDER BY created_at DESC LIMIT $3";
    INSERT("ttttttitiit") = "INSERT INTO api_token (id, token_hash, user_id, kind, name, authn_context, authn_at, source_ip, created_at, expires_at, origin_hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    REVOKE("tti") = "UPDATE api_token SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL";
    REVOKE_PRESENTED("ti") = "UPDATE api_token SET revoked_at = $2 WHERE token_hash = $1 AND revoked_at IS NULL";
    REVOKE_ALL("ti") = "UPDATE api_token SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL";
    REVOKE_ORIGIN("ti") = "UPDATE api_token SET revoked_at = $2 WHERE origin_hash = $1 AND revoked_at IS NULL";
    TOUCH("ti") = "UPDATE api_token SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
    PAST("i") = "DELETE FROM api_token WHERE expires_at <= $1";
}

/// Who carries a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A person's command line.
    Cli,
    /// A program.
    Service,
}

impl TokenKind {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Service => "service",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Cli, Self::Service].into_iter().find(|kind| kind.word() == word)
    }
}

/// A token that is about to be handed out.
#[derive(Debug, Clone, Copy)]
pub struct NewToken<'t> {
    /// Its digest.
    pub digest: &'t Digest,
    /// Whose.
    pub user: &'t UserId,
    /// Who carries it.
    pub kind: TokenKind,
    /// What its owner knows it by: the machine's name.
    pub name: &'t str,
    /// How strong the login was that it comes from.
    pub authn_context: Option<&'t str>,
    /// When the person proved who they are.
    pub authn_at: Option<Timestamp>,
    /// From where it was fetched.
    pub source_ip: Option<&'t str>,
    /// The digest of the code that it was given for.
    pub origin: Option<&'t Digest>,
    /// When it ends.
    pub expires: Timestamp,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Which.
    pub id: TokenId,
    /// Who carries it.
    pub kind: TokenKind,
    /// What its owner knows it by.
    pub name: String,
    /// How strong the login was that it comes from.
    pub authn_context: Option<String>,
    /// When the person proved who they are.
    pub authn_at: Option<Timestamp>,
    /// From where it was fetched.
    pub source_ip: Option<String>,
    /// When it was handed out.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was last used, to the minute or so.
    pub last_used: Option<Timestamp>,
}

fn read(row: &AnyRow) -> Result<ApiToken> {
    Ok(ApiToken {
        id: row.word("token_id", TokenId::parse)?,
        kind: row.word("kind", TokenKind::from_word)?,
        name: row.text("name")?,
        authn_context: row.maybe_text("authn_context")?,
        authn_at: row.maybe_time("authn_at")?,
        source_ip: row.maybe_text("source_ip")?,
        created: row.time("created_at")?,
        expires: row.time("expires_at")?,
        last_used: row.maybe_time("last_used_at")?,
    })
}

/// The token that somebody presents and the person it is of; nothing where there is none, it has ended or was revoked, or the person is barred.
///
/// # Errors
/// The database.
pub async fn by_digest(conn: &mut Conn, digest: &Digest, now: Timestamp) -> Result<Option<(ApiToken, User)>> {
    let row = BY_DIGEST.ask().bind(digest.as_str()).bind(now.unix_millis()).fetch_optional(conn).await?;
    row.as_ref().map(|row| Ok((read(row)?, users::read(row)?))).transpose()
}

/// A person's tokens that can be used, newest first.
///
/// # Errors
/// The database.
pub async fn of_user(conn: &mut Conn, user: &UserId, now: Timestamp, limit: u32) -> Result<Vec<ApiToken>> {
    let ask = OF_USER.ask().bind(user.as_str()).bind(now.unix_millis()).bind(i64::from(limit));
    ask.fetch_all(conn).await?.iter().map(read).collect()
}

/// Notes that a token is used.
pub(super) async fn touch(conn: &mut Conn, id: &TokenId, now: Timestamp) -> Result<()> {
    TOUCH.ask().bind(id.as_str()).bind(now.unix_millis()).execute(conn).await?;
    Ok(())
}

pub(super) async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    Ok(PAST.ask().bind(now.unix_millis()).execute(conn).await?.rows_affected())
}

impl Tx<'_> {
    /// Hands out a token.
    ///
    /// # Errors
    /// The person is not in the pool, or barred.
    pub async fn add_token(&mut self, new: &NewToken<'_>) -> Result<TokenId> {
        self.hold_user(new.user, true).await?;
        let id = TokenId::new(self.now());
        let ask = INSERT.ask().bind(id.as_str()).bind(new.digest.as_str()).bind(new.user.as_str()).bind(new.kind.word());
        let ask = ask.bind(new.name).bind(new.authn_context).bind(new.authn_at.map(Timestamp::unix_millis)).bind(new.source_ip);
        let ask = ask.bind(self.now().unix_millis()).bind(new.expires.unix_millis()).bind(new.origin.map(Digest::as_str));
        ask.execute(&mut **self).await?;
        Ok(id)
    }

    /// Revokes one of a person's tokens.
    ///
    /// # Errors
    /// They have no such token, or it was revoked.
    pub async fn revoke_token(&mut self, user: &UserId, id: &TokenId) -> Result<()> {
        let ask = REVOKE.ask().bind(id.as_str()).bind(user.as_str()).bind(self.now().unix_millis());
        match ask.execute(&mut **self).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::NotFound("token")),
        }
    }

    /// Revokes the token that somebody presents; whether there was one.
    ///
    /// # Errors
    /// The database.
    pub async fn revoke_presented_token(&mut self, digest: &Digest) -> Result<bool> {
        let ask = REVOKE_PRESENTED.ask().bind(digest.as_str()).bind(self.now().unix_millis());
        Ok(ask.execute(&mut **self).await?.rows_affected() > 0)
    }

    /// Revokes every token of a person; how many.
    ///
    /// # Errors
    /// The database.
    pub async fn revoke_tokens(&mut self, user: &UserId) -> Result<u64> {
        let ask = REVOKE_ALL.ask().bind(user.as_str()).bind(self.now().unix_millis());
        Ok(ask.execute(&mut **self).await?.rows_affected())
    }

    /// Revokes what was given for a code that turns up again; how many.
    ///
    /// # Errors
    /// The database.
    pub async fn revoke_tokens_from(&mut self, code: &Digest) -> Result<u64> {
        let ask = REVOKE_ORIGIN.ask().bind(code.as_str()).bind(self.now().unix_millis());
        Ok(ask.execute(&mut **self).await?.rows_affected())
    }
}
