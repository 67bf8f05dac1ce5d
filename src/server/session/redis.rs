//! Sign-ins in Redis, for a service in two zones. Only they are there: who somebody is and what they may do is asked of the database each time, so what
//! Redis forgets costs a sign-in, and what it keeps for too long costs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, IntoConnectionInfo as _, RedisError, TlsCertificates};
use serde::{Deserialize, Serialize};

use super::Sessions;
use crate::server::guard::Together;
use crate::server::problem::Problem;
use crate::server::settings::RedisSettings;
use crate::tvm::model::{Digest, Status, User, UserId};
use crate::tvm::store::allowances::Allowance;
use crate::tvm::store::sessions::{NewSession, Session};
use crate::tvm::store::{Seen, Store, StoreError, Tx, users};
use crate::types::Timestamp;
use crate::world::{file, init_tls};

/// How long Redis has for an answer, and for a connection.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it has to count; nobody waits longer for a limit.
const COUNTS_WITHIN: Duration = Duration::from_millis(250);
/// How long it is not asked to count after it could not, in milliseconds.
const REST: i64 = 5000;

/// Takes one of each key, or none of any: how many microseconds to wait, 0 where all were there. The arguments are the time, and for each key in how
/// many microseconds one comes back and how far ahead the time of all having come back may be. A script runs alone.
const TAKE: &str = "
local now, wait, full = tonumber(ARGV[1]), 0, {}
for i, key in ipairs(KEYS) do
    full[i] = math.max(tonumber(redis.call('GET', key) or now), now) + tonumber(ARGV[2 * i])
    wait = math.max(wait, full[i] - now - tonumber(ARGV[2 * i + 1]))
end
if wait == 0 then
    for i, key in ipairs(KEYS) do
        redis.call('SET', key, string.format('%.0f', full[i]), 'PX', string.format('%.0f', (full[i] - now) / 1000 + 60000))
    end
end
return wait
";

/// Gives one back.
const GIVE_BACK: &str = "
local full = redis.call('GET', KEYS[1])
if full then
    redis.call('SET', KEYS[1], string.format('%.0f', tonumber(full) - tonumber(ARGV[1])), 'KEEPTTL')
end
";

/// In Redis.
#[derive(Clone)]
pub struct InRedis {
    connection: ConnectionManager,
    idle: Duration,
    longest: Duration,
    /// Until when it is not asked to count, in milliseconds.
    rests: Arc<AtomicI64>,
}

/// Why Redis cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be reached, or is not who it should be.
    #[error("cannot reach Redis at {0}")]
    Redis(String, #[source] RedisError),
    /// The authority cannot be read.
    #[error(transparent)]
    File(#[from] file::FileError),
    /// There is no such file.
    #[error("there is no file `{}`", .0.display())]
    Absent(std::path::PathBuf),
}

/// A session as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    user: String,
    csrf: String,
    created: i64,
    seen: i64,
    expires: i64,
    name_id: Option<String>,
    session_index: Option<String>,
    authn_context: Option<String>,
    authn_at: Option<i64>,
    source_ip: Option<String>,
    user_agent: Option<String>,
}

impl Kept {
    fn session(&self, id: &Digest) -> Option<Session> {
        Some(Session {
            id: id.clone(),
            csrf: Digest::parse(&self.csrf)?,
            created: Timestamp::from_unix_millis(self.created)?,
            seen: Timestamp::from_unix_millis(self.seen)?,
            expires: Timestamp::from_unix_millis(self.expires)?,
            name_id: self.name_id.clone(),
            session_index: self.session_index.clone(),
            authn_context: self.authn_context.clone(),
            authn_at: self.authn_at.and_then(Timestamp::from_unix_millis),
            source_ip: self.source_ip.clone(),
            user_agent: self.user_agent.clone(),
        })
    }
}

fn key(id: &Digest) -> String {
    format!("saml2cloud:session:{}", id.as_str())
}

fn of_person(user: &UserId) -> String {
    format!("saml2cloud:person:{}", user.as_str())
}

fn of_name(name_id: &str) -> String {
    format!("saml2cloud:name:{}", Digest::of(name_id).as_str())
}

/// Whose it is is nobody's business there.
fn of_limit(name: &str) -> String {
    format!("saml2cloud:limit:{}", Digest::of(name).as_str())
}

fn unavailable(error: RedisError) -> StoreError {
    StoreError::Elsewhere(Box::new(error))
}

impl InRedis {
    /// Connects. A lost connection is made again by itself.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(settings: &RedisSettings, idle: Duration, longest: Duration) -> Result<Self, OpenError> {
        init_tls();
        // For people: without a user.
        let shown = format!("{}:{}", settings.url.host_str().unwrap_or_default(), settings.url.port().unwrap_or(6379));
        let refused = |error| OpenError::Redis(shown.clone(), error);
        let mut info = settings.url.as_str().into_connection_info().map_err(refused)?;
        if let Some(password) = &settings.password {
            let own = info.redis_settings().clone().set_password(password.expose());
            info = info.set_redis_settings(own);
        }
        let client = if settings.url.scheme() == "rediss" {
            let root_cert = match &settings.authority {
                None => None,
                Some(path) => Some(file::read(path)?.ok_or_else(|| OpenError::Absent(path.clone()))?.into_bytes()),
            };
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
        } else {
            Client::open(info)
        };
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(500));
        let connection = ConnectionManager::new_with_config(client.map_err(refused)?, config).await.map_err(refused)?;
        Ok(Self { connection, idle, longest, rests: Arc::default() })
    }

    async fn kept(&self, id: &Digest) -> Result<Option<Kept>, StoreError> {
        let text: Option<String> =
            redis::cmd("GET").arg(key(id)).query_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    async fn keep(&self, id: &Digest, kept: &Kept) -> Result<(), StoreError> {
        let text = serde_json::to_string(kept).map_err(|_| StoreError::Corrupt { column: "session" })?;
        // Redis forgets it a little later than it ends: when that is, our clock says.
        let seconds = self.idle.as_secs().saturating_add(60);
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("SET").arg(key(id)).arg(text).arg("EX").arg(seconds).ignore();
        let indexes = [Some(of_user(&kept.user)), kept.name_id.as_deref().map(of_name)];
        for index in indexes.into_iter().flatten() {
            pipe.cmd("SADD").arg(&index).arg(id.as_str()).ignore();
            pipe.cmd("EXPIRE").arg(&index).arg(self.longest.as_secs().saturating_add(60)).ignore();
        }
        pipe.query_async::<()>(&mut self.connection.clone()).await.map_err(unavailable)
    }

    async fn forget(&self, ids: &[Digest]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = ids.iter().map(key).collect();
        let asked = redis::cmd("DEL").arg(keys).query_async::<()>(&mut self.connection.clone()).await;
        asked.map_err(unavailable)
    }

    async fn listed(&self, index: &str) -> Result<Vec<Digest>, StoreError> {
        let ids: Vec<String> =
            redis::cmd("SMEMBERS").arg(index).query_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        Ok(ids.iter().filter_map(|id| Digest::parse(id)).collect())
    }
}

fn of_user(user: &str) -> String {
    UserId::parse(user).as_ref().map(of_person).unwrap_or_default()
}

#[async_trait]
impl Sessions for InRedis {
    async fn find(&self, store: &Store, id: &Digest, now: Timestamp) -> Result<Option<(Session, User)>, Problem> {
        let Some(mut kept) = self.kept(id).await? else { return Ok(None) };
        let (Some(session), Some(user)) = (kept.session(id), UserId::parse(&kept.user)) else { return Ok(None) };
        if session.expires <= now || now.since(session.seen) >= self.idle {
            self.forget(std::slice::from_ref(id)).await?;
            return Ok(None);
        }
        let mut conn = store.read().await?;
        let user = match users::by_id(&mut conn, &user).await {
            Ok(user) if user.status == Status::Active => user,
            Ok(_) | Err(StoreError::NotFound(_)) => {
                drop(conn);
                self.forget(std::slice::from_ref(id)).await?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        drop(conn);
        if Seen::is_due(Some(session.seen), now) {
            kept.seen = now.unix_millis();
            self.keep(id, &kept).await?;
        }
        Ok(Some((session, user)))
    }

    async fn begin(&self, tx: &mut Tx<'_>, new: &NewSession<'_>) -> Result<(), StoreError> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let now = tx.now().unix_millis();
        let kept = Kept {
            user: new.user.to_string(),
            csrf: new.csrf.as_str().to_owned(),
            created: now,
            seen: now,
            expires: new.expires.unix_millis(),
            name_id: owned(new.name_id),
            session_index: owned(new.session_index),
            authn_context: owned(new.authn_context),
            authn_at: new.authn_at.map(Timestamp::unix_millis),
            source_ip: owned(new.source_ip),
            user_agent: owned(new.user_agent),
        };
        // Whose event cannot be written never gets the cookie, and a session without one is nobody's.
        self.keep(new.id, &kept).await
    }

    async fn end(&self, _: &mut Tx<'_>, id: &Digest) -> Result<(), StoreError> {
        self.forget(std::slice::from_ref(id)).await
    }

    async fn end_all(&self, _: &mut Tx<'_>, user: &UserId) -> Result<(), StoreError> {
        let ids = self.listed(&of_person(user)).await?;
        self.forget(&ids).await
    }

    async fn end_named(&self, _: &mut Tx<'_>, name_id: &str, index: Option<&str>) -> Result<u64, StoreError> {
        let mut ended = Vec::new();
        for id in self.listed(&of_name(name_id)).await? {
            let kept = self.kept(&id).await?;
            if kept.is_some_and(|kept| index.is_none_or(|index| kept.session_index.as_deref() == Some(index))) {
                ended.push(id);
            }
        }
        self.forget(&ended).await?;
        Ok(ended.len() as u64)
    }

    fn waits_elsewhere(&self) -> bool {
        true
    }

    async fn check(&self) -> Result<(), Problem> {
        redis::cmd("PING").query_async::<()>(&mut self.connection.clone()).await.map_err(|error| unavailable(error).into())
    }
}

#[async_trait]
impl Together for InRedis {
    async fn take(&self, wanted: &[Allowance], now: Timestamp) -> Option<Result<(), Duration>> {
        if now.unix_millis() < self.rests.load(Ordering::Relaxed) {
            return None;
        }
        let mut ask = redis::cmd("EVAL");
        ask.arg(TAKE).arg(wanted.len());
        for one in wanted {
            ask.arg(of_limit(&one.name));
        }
        ask.arg(now.unix_millis().saturating_mul(1000));
        for one in wanted {
            ask.arg(one.every).arg(one.ahead());
        }
        let mut connection = self.connection.clone();
        let error = match tokio::time::timeout(COUNTS_WITHIN, ask.query_async::<u64>(&mut connection)).await {
            Ok(Ok(0)) => return Some(Ok(())),
            Ok(Ok(wait)) => return Some(Err(Duration::from_micros(wait))),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(error, "Redis does not count: each process goes by its own count");
        self.rests.store(now.unix_millis().saturating_add(REST), Ordering::Relaxed);
        None
    }

    async fn give_back(&self, taken: &Allowance, _: Timestamp) {
        let mut ask = redis::cmd("EVAL");
        ask.arg(GIVE_BACK).arg(1).arg(of_limit(&taken.name)).arg(taken.every);
        let mut connection = self.connection.clone();
        // What is not given back comes back with the time.
        let _ = tokio::time::timeout(COUNTS_WITHIN, ask.query_async::<()>(&mut connection)).await;
    }
}
