//! Everything that is kept about one person, for that person. Nothing that lets anybody in is in it.

use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;

use super::audit::{Ask, Filter, page};
use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, users};
use crate::tvm::model::{Gid, User};
use crate::types::Timestamp;

declare! {
    OWNS("t") = "SELECT n.id, n.name, o.granted_at FROM node_owner o JOIN node n ON n.id = o.node_id WHERE o.user_id = $1 ORDER BY n.id";
    GROUPS("t") = "SELECT g.id, g.name, m.source, m.granted_at, m.expires_at, m.reason FROM group_member m JOIN user_group g ON g.id = m.group_id
        WHERE m.user_id = $1 ORDER BY g.id";
    SESSIONS("t") = "SELECT created_at, seen_at, expires_at, name_id, authn_context, source_ip, user_agent FROM session WHERE user_id = $1 ORDER BY created_at";
    TOKENS("t") = "SELECT id, kind, name, source_ip, created_at, expires_at, last_used_at, revoked_at FROM api_token WHERE user_id = $1 ORDER BY created_at";
    VENDS("tt") = "SELECT id, ts, role_arn, channel, lifetime_s, session_name, source_ip, outcome, access_key_id, expires_at, error_code FROM vend_record
        WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT 1000";
}

/// How a column is read.
enum As {
    Text(&'static str),
    Time(&'static str),
    Number(&'static str),
}
use As::{Number, Text, Time};

fn object(row: &AnyRow, columns: &[As]) -> Result<Value> {
    let mut object = Map::new();
    for column in columns {
        let (name, value) = match column {
            Text(name) => (name, json!(row.maybe_text(name)?)),
            Time(name) => (name, json!(row.maybe_time(name)?.map(Timestamp::utc))),
            Number(name) => (name, json!(row.maybe_number(name)?)),
        };
        object.insert((*name).to_owned(), value);
    }
    Ok(Value::Object(object))
}

fn all(rows: &[AnyRow], columns: &[As]) -> Result<Value> {
    rows.iter().map(|row| object(row, columns)).collect()
}

/// What is kept about a person besides what was handed out to them and what they did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// As the pool has them.
    pub person: Value,
    /// The nodes that they own, and since when.
    pub owner_of: Value,
    /// The groups that they are in: since when, until when and why.
    pub member_of: Value,
    /// Where they are signed in with a browser.
    pub sessions: Value,
    /// Where they are or were signed in with a command line.
    pub tokens: Value,
}

/// What is kept about a person besides the two histories, which may be long.
///
/// # Errors
/// The database.
pub async fn facts(conn: &mut Conn, user: &User) -> Result<Facts> {
    let id = user.id.as_str();
    let owns = OWNS.ask().bind(id).fetch_all(&mut *conn).await?;
    let groups = GROUPS.ask().bind(id).fetch_all(&mut *conn).await?;
    let sessions = SESSIONS.ask().bind(id).fetch_all(&mut *conn).await?;
    let tokens = TOKENS.ask().bind(id).fetch_all(&mut *conn).await?;
    let member = [Text("id"), Text("name"), Text("source"), Time("granted_at"), Time("expires_at"), Text("reason")];
    let session = [
        Time("created_at"),
        Time("seen_at"),
        Time("expires_at"),
        Text("name_id"),
        Text("authn_context"),
        Text("source_ip"),
        Text("user_agent"),
    ];
    let token = [
        Text("id"),
        Text("kind"),
        Text("name"),
        Text("source_ip"),
        Time("created_at"),
        Time("expires_at"),
        Time("last_used_at"),
        Time("revoked_at"),
    ];
    Ok(Facts {
        person: json!({
            "id": id, "gid": user.gid.as_str(), "alias": user.alias.as_str(), "email": user.email.as_str(),
            "description": user.description.as_str(), "home": user.home.as_str(), "status": user.status.word(), "version": user.version,
        }),
        owner_of: all(&owns, &[Text("id"), Text("name"), Time("granted_at")])?,
        member_of: all(&groups, &member)?,
        sessions: all(&sessions, &session)?,
        tokens: all(&tokens, &token)?,
    })
}

/// Everything about a person of the pool; nothing where there is none.
///
/// # Errors
/// The database.
pub async fn person(conn: &mut Conn, gid: &Gid, now: Timestamp) -> Result<Option<Value>> {
    let Some(user) = users::by_gid(&mut *conn, gid).await? else { return Ok(None) };
    let Facts { person, owner_of, member_of, sessions, tokens } = facts(&mut *conn, &user).await?;
    let mut vends: Vec<AnyRow> = Vec::new();
    loop {
        let after = vends.last().map_or(Ok(String::new()), |row| row.text("id"))?;
        let page = VENDS.ask().bind(user.id.as_str()).bind(after).fetch_all(&mut *conn).await?;
        if page.is_empty() {
            break;
        }
        vends.extend(page);
    }
    let mut events: Vec<Value> = Vec::new();
    let (Some(from), until) = (Timestamp::from_unix(0), now.after(std::time::Duration::from_millis(1))) else { return Ok(None) };
    let mut ask = Ask { filter: Filter::By(gid.clone()), from, until, after: None, limit: 1000 };
    loop {
        let rows = page(&mut *conn, &ask).await?;
        let Some(last) = rows.last() else { break };
        ask.after = Some((last.ts, last.chain.clone(), last.seq));
        events.extend(rows.iter().filter_map(|row| serde_json::from_str(&crate::tvm::audit::outside::line(row)).ok()));
    }
    Ok(Some(json!({
        "exported_at": now.utc(),
        "person": person,
        "owner_of": owner_of,
        "member_of": member_of,
        "sessions": sessions,
        "tokens": tokens,
        "vends": all(&vends, &[
            Text("id"), Time("ts"), Text("role_arn"), Text("channel"), Number("lifetime_s"), Text("session_name"), Text("source_ip"), Text("outcome"),
            Text("access_key_id"), Time("expires_at"), Text("error_code"),
        ])?,
        "events": events,
    })))
}
