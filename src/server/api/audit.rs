//! The audit trail, and the ledger of what was handed out.

use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::shared::{Asked, Format, after, csv, csv_line, is_super, next_address, person, time};
use crate::server::extract::{Page, QueryOf, cursor, cursor_of, id, limit};
use crate::server::problem::{Code, Problem, allow};
use crate::server::route::{Access, Route, Row};
use crate::tvm::audit::Row as Event;
use crate::tvm::authorize::{Action, Object, authorize};
use crate::tvm::model::{ChainId, Gid, NodeId, Path, RoleId};
use crate::tvm::store::audit::{Ask, Filter};
use crate::tvm::store::lists::{self, Of, Vend};
use crate::tvm::store::{Conn, audit, nodes, trail};
use crate::types::Timestamp;

pub(super) fn routes() -> Vec<Route> {
    let api = |told, described| Route::api(told, Access::Api, Row::Matrix(Action::ReadAudit), described);
    vec![api("audit.list", routes!(list)), api("audit.verify", routes!(verify)), api("vend.list", routes!(vends))]
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Search {
    /// Not before this moment (RFC 3339).
    from: Option<String>,
    /// Before this moment (RFC 3339).
    to: Option<String>,
    /// What was done: `user.create`, `node.move`, …
    #[serde(rename = "type")]
    kind: Option<String>,
    /// By whom: a GID.
    gid: Option<String>,
    /// At which node, or below it.
    node: Option<String>,
    /// `json` or `csv`.
    #[param(inline)]
    format: Option<Format>,
    /// How many entries at the most, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The cursor that the page before gave.
    cursor: Option<String>,
}

/// Something that was asked, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventView {
    /// The chain that it is in.
    chain: String,
    /// Its place in the chain.
    seq: i64,
    /// When (RFC 3339).
    time: String,
    /// When, in milliseconds since 1970.
    time_ms: i64,
    /// What was done.
    #[serde(rename = "type")]
    kind: String,
    /// By whom, at the corporate identity provider.
    gid: Option<String>,
    /// By whom, here.
    user: Option<String>,
    /// How that was known: `session`, `bearer`, `console`, `system` or `nobody`.
    auth: String,
    /// From where.
    source_ip: Option<String>,
    /// With which parameters; secrets are masked.
    #[schema(value_type = Object)]
    params: serde_json::Value,
    /// To what kind of thing.
    target_kind: Option<String>,
    /// To which.
    target: Option<String>,
    /// At which node: its path.
    node_path: Option<String>,
    /// `done`, `refused` or `failed`.
    outcome: String,
    /// The request.
    request_id: Option<String>,
    /// The digest that holds the chain together.
    hash: String,
}

impl From<Event> for EventView {
    fn from(row: Event) -> Self {
        Self {
            chain: row.chain,
            seq: row.seq,
            time: moment(row.ts),
            time_ms: row.ts,
            kind: row.kind,
            gid: row.actor_gid,
            user: row.actor,
            auth: row.auth,
            source_ip: row.source_ip,
            params: serde_json::from_str(&row.params).unwrap_or_default(),
            target_kind: row.target_kind,
            target: row.target,
            node_path: row.at,
            outcome: row.outcome,
            request_id: row.request,
            hash: row.hash,
        }
    }
}

fn moment(millis: i64) -> String {
    Timestamp::from_unix_millis(millis).map(Timestamp::utc).unwrap_or_default()
}

/// How many events one request looks at. Where few of them fit all filters a page is short, and has a next one all the same.
const LOOKED_AT: usize = 4000;

/// The audit trail, newest first
///
/// Super admins read all of it. Owners read what was done to things at and below a node (`node`) that they own. Everybody reads what they did
/// themselves, which is what is given where neither is the case. A page may be short, even empty, and have a next one.
#[utoipa::path(get, path = "/api/v1/audit", tag = "Audit", operation_id = "audit.list", params(Search),
    responses((status = 200, description = "A page of the trail", content((Page<EventView> = "application/json"), (String = "text/csv")))))]
async fn list(asked: Asked, uri: Uri, QueryOf(search): QueryOf<Search>) -> Result<Response, Problem> {
    let limit = limit(search.limit)?;
    let from = search.from.as_deref().map(|text| time("from", text)).transpose()?;
    let until = search.to.as_deref().map(|text| time("to", text)).transpose()?;
    let kind = search.kind.as_deref().map(kind_of).transpose()?;
    let mut gid = search.gid.as_deref().map(|text| super::shared::given("gid", Gid::parse(text))).transpose()?;
    let place: Option<(i64, String, i64)> = cursor(search.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    allow(authorize(&actor, Action::UseOwnRoles, Object::Pool))?;
    let at = match &search.node {
        Some(text) => Some(asked.node(&mut conn, &actor, text, Action::ReadAudit).await?.path),
        None if is_super(&actor) => None,
        None => {
            let own = asked.who.user.gid.clone();
            if gid.as_ref().is_some_and(|gid| *gid != own) {
                return Err(Problem::new(
                    Code::Forbidden,
                    "what others did is read by super admins, and by owners for a node of theirs",
                ));
            }
            gid = Some(own);
            None
        }
    };
    let wanted = Wanted { from, until, kind, gid, at };
    let (rows, next) = wanted.page(&mut conn, place, limit).await?;
    let page = Page { items: rows.into_iter().map(EventView::from).collect(), next };
    if search.format.unwrap_or_default() == Format::Json {
        return Ok(Json(page).into_response());
    }
    let names =
        ["time", "type", "gid", "auth", "source_ip", "target_kind", "target", "outcome", "request_id", "params", "chain", "seq"];
    let mut text = csv_line(&names);
    for row in &page.items {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
        let cells = [
            row.time.clone(),
            row.kind.clone(),
            or_none(&row.gid),
            row.auth.clone(),
            or_none(&row.source_ip),
            or_none(&row.target_kind),
            or_none(&row.target),
            row.outcome.clone(),
            or_none(&row.request_id),
            row.params.to_string(),
            row.chain.clone(),
            row.seq.to_string(),
        ];
        text += &csv_line(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    Ok(csv("audit", text, page.next.map(|cursor| next_address(&uri, &cursor))))
}

/// A type of event, as it may be one.
fn kind_of(text: &str) -> Result<String, Problem> {
    let is_one = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if is_one { Ok(text.to_owned()) } else { Err(Problem::field("type", "is a word like `user.create`")) }
}

/// All filters at once.
struct Wanted {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    kind: Option<String>,
    gid: Option<Gid>,
    at: Option<Path>,
}

impl Wanted {
    /// A page. One filter picks the index, the others are tried on what it gives.
    async fn page(
        &self,
        conn: &mut Conn,
        mut place: Option<(i64, String, i64)>,
        limit: u32,
    ) -> Result<(Vec<Event>, Option<String>), Problem> {
        let far = Timestamp::from_unix(super::shared::END_OF_TIME).ok_or_else(|| Problem::only(Code::Internal))?;
        let filter = match (&self.gid, &self.kind, &self.at) {
            (Some(gid), ..) => Filter::By(gid.clone()),
            (None, Some(kind), _) => Filter::Kind(kind.clone()),
            // The root's subtree is everything that has a place at all.
            (None, None, Some(at)) => Filter::At(at.clone()),
            (None, None, None) => Filter::All,
        };
        let from = match self.from {
            Some(from) => from,
            None => Timestamp::from_unix(0).ok_or_else(|| Problem::only(Code::Internal))?,
        };
        let (wanted, mut found, mut seen) = (usize::try_from(limit).unwrap_or(usize::MAX), Vec::new(), 0);
        loop {
            let ask = Ask {
                filter: filter.clone(),
                from,
                until: self.until.unwrap_or(far),
                after: place.clone(),
                limit: limit.max(100),
            };
            let rows = audit::page(conn, &ask).await?;
            let is_last = rows.len() < usize::try_from(ask.limit).unwrap_or(usize::MAX);
            for row in rows {
                if found.len() == wanted {
                    return Ok((found, place.as_ref().and_then(cursor_of)));
                }
                seen += 1;
                place = Some((row.ts, row.chain.clone(), row.seq));
                if self.fits(&row) {
                    found.push(row);
                }
            }
            if is_last {
                return Ok((found, None));
            }
            if seen >= LOOKED_AT {
                return Ok((found, place.as_ref().and_then(cursor_of)));
            }
        }
    }

    fn fits(&self, row: &Event) -> bool {
        self.kind.as_ref().is_none_or(|kind| row.kind == *kind)
            && self.gid.as_ref().is_none_or(|gid| row.actor_gid.as_deref() == Some(gid.normal()))
            && self.at.as_ref().is_none_or(|at| row.at.as_deref().is_some_and(|path| path.starts_with(at.as_str())))
    }
}

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Beginning {
    /// The chain; the first one of the trail without it.
    chain: Option<String>,
    /// From which event of it on; the first one without it.
    #[param(minimum = 1)]
    from: Option<i64>,
}

/// Where to go on.
#[derive(Debug, Serialize, ToSchema)]
struct GoOn {
    /// The chain.
    chain: String,
    /// The event.
    from: i64,
}

/// What was seen of a chain.
#[derive(Debug, Serialize, ToSchema)]
struct Verified {
    /// The chain.
    chain: String,
    /// From which event on: the first one that is left, where those before it were let go when their time was over.
    from: i64,
    /// How many events are as they were written, from there on.
    sound: i64,
    /// What is wrong after them, in a sentence; nothing where all is well.
    broken: Option<String>,
    /// Where to go on; nothing at the end of the trail, and where something is wrong.
    next: Option<GoOn>,
}

/// How many events are walked for one request.
const WALKED: u32 = 5000;

/// Walks a piece of the audit trail, and says whether it is what was written
///
/// Begun without parameters and followed by `next` to its end, that is every chain of the trail, from its first event or from where it was cut when
/// the time of its older events was over. Each checkpoint of what is walked has to be signed, and met. What stands in no chain, and what checkpoints
/// that were told outside know, is found by `serve audit verify` alone.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "Audit", operation_id = "audit.verify", params(Beginning), responses((status = 200, body = Verified)))]
async fn verify(asked: Asked, QueryOf(query): QueryOf<Beginning>) -> Result<Response, Problem> {
    let from = match query.from {
        None => 1,
        Some(from) if from >= 1 => from,
        Some(_) => return Err(Problem::field("from", "is a number from 1 on")),
    };
    let (mut conn, actor) = asked.read().await?;
    allow(authorize(&actor, Action::ReadAudit, Object::Pool))?;
    let chain = query.chain.as_deref().map(|text| id(text, ChainId::parse)).transpose()?;
    let piece = trail::piece(&mut conn, chain.as_ref().map(ChainId::as_str), from, WALKED).await?;
    let piece = piece.ok_or_else(|| Problem::only(Code::NotFound))?;
    let next = piece.next.map(|(chain, from)| GoOn { chain, from });
    let broken = piece.broken.map(|broken| broken.to_string());
    Ok(Json(Verified { chain: piece.chain, from: piece.from, sound: piece.sound, broken, next }).into_response())
}

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct VendSearch {
    /// For whom: the identity here, or the GID.
    user: Option<String>,
    /// Of which account.
    node: Option<String>,
    /// Which role.
    role: Option<String>,
    /// Which access key.
    key: Option<String>,
    /// How many entries at the most, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The cursor that the page before gave.
    cursor: Option<String>,
}

/// A line of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VendView {
    /// The identity.
    id: String,
    /// When (RFC 3339).
    time: String,
    /// For whom.
    user: String,
    /// Who that was at the corporate identity provider.
    gid: String,
    /// Which role.
    role: String,
    /// Its full name then.
    role_arn: String,
    /// Of which account.
    node: String,
    /// By which way: `saml`, `hub_role` or `ram_user`.
    method: String,
    /// `console`, `web`, `cli` or `system`.
    channel: String,
    /// For how many seconds.
    lifetime_s: i64,
    /// The session's label in the cloud's logs.
    session_name: String,
    /// By which grants.
    #[schema(value_type = Object)]
    grants: serde_json::Value,
    /// The request.
    request_id: Option<String>,
    /// From where.
    source_ip: Option<String>,
    /// `pending`, `issued`, `refused`, `failed` or `unknown`.
    outcome: String,
    /// The identity of the access key.
    access_key_id: Option<String>,
    /// When the keys end (RFC 3339).
    expires_at: Option<String>,
    /// The cloud's number for its answer.
    cloud_request_id: Option<String>,
    /// The cloud's word for what went wrong.
    error_code: Option<String>,
}

impl From<Vend> for VendView {
    fn from(vend: Vend) -> Self {
        Self {
            id: vend.id.to_string(),
            time: moment(vend.ts),
            user: vend.user,
            gid: vend.gid,
            role: vend.role,
            role_arn: vend.role_arn,
            node: vend.node,
            method: vend.method,
            channel: vend.channel,
            lifetime_s: vend.lifetime,
            session_name: vend.session_name,
            grants: serde_json::from_str(&vend.grants).unwrap_or_default(),
            request_id: vend.request,
            source_ip: vend.source_ip,
            outcome: vend.outcome,
            access_key_id: vend.access_key_id,
            expires_at: vend.expires.map(Timestamp::utc),
            cloud_request_id: vend.cloud_request,
            error_code: vend.error,
        }
    }
}

/// What was handed out, newest first
///
/// By one of person, account, role and access key, or all of it. A key that a cloud knows as ours and that is not here was forged.
#[utoipa::path(get, path = "/api/v1/vends", tag = "Audit", operation_id = "vend.list", params(VendSearch), responses((status = 200, body = Page<VendView>)))]
async fn vends(asked: Asked, QueryOf(search): QueryOf<VendSearch>) -> Result<Response, Problem> {
    let limit = limit(search.limit)?;
    let place: Option<(i64, String)> = after(search.cursor.as_deref())?;
    let (mut conn, actor) = asked.read().await?;
    allow(authorize(&actor, Action::ReadAudit, Object::Pool))?;
    let of = match (&search.user, &search.node, &search.role, &search.key) {
        (None, None, None, None) => Of::All,
        (Some(user), None, None, None) => Of::User(person(&mut conn, user).await?.id),
        (None, Some(node), None, None) => Of::Node(nodes::by_id(&mut conn, &id(node, NodeId::parse)?).await?.id),
        (None, None, Some(role), None) => Of::Role(id(role, RoleId::parse)?),
        (None, None, None, Some(key)) if key.len() <= 128 && key.bytes().all(|b| b.is_ascii_graphic()) => Of::Key(key.clone()),
        (None, None, None, Some(_)) => return Err(Problem::field("key", "is the identity of an access key")),
        _ => return Err(Problem::field("user", "is one of `user`, `node`, `role` and `key`, of which there is one at the most")),
    };
    let found = lists::vends(&mut conn, &of, place, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |vend| (vend.ts, vend.id.to_string()), VendView::from)).into_response())
}
