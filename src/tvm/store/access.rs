//! Who may use what, asked at the moment it matters. Nothing here is kept between requests: a right that was taken away is gone.

use sqlx::any::AnyRow;

use super::row::Read as _;
use super::sql::declare;
use super::{Conn, Result, StoreError};
use crate::tvm::authorize::{Actor, Owned};
use crate::tvm::model::{
    CamPower, CloudAccount, Gid, GroupId, HorizontalId, NodeId, Partition, Path, Risk, RoleId, Source, Status, UserId, VendMethod,
};
use crate::types::{IdpArn, RoleArn, SessionDuration, Timestamp};

/// Neither the account `n` nor anything above it is suspended. There are few such nodes, and an index of them alone.
macro_rules! open {
    ($sql:literal) => {
        concat!(
            $sql,
            " AND n.state = 'active' AND NOT EXISTS (SELECT 1 FROM node s WHERE s.state = 'suspended' AND s.path <= n.path
              AND substr(n.path, 1, length(s.path)) = s.path)"
        )
    };
    ($sql:literal, $rest:literal) => {
        concat!(open!($sql), $rest)
    };
}

declare! {
    STATUS("t") = "SELECT status FROM cam_user WHERE id = $1 AND deleted_at IS NULL";
    // One text too: there are people who own ten thousand accounts.
    OWNED("t") = "SELECT string_agg(concat_ws(' ', n.kind, n.path), '\u{1e}') AS owned FROM node_owner o JOIN node n ON n.id = o.node_id WHERE o.user_id = $1 AND n.state <> 'destroyed'";
    // Only by the role's own group: a naming rule makes nobody an administrator here.
    POWERS("ti") = open!("SELECT r.cam_power, n.path FROM group_member m JOIN user_group g ON g.id = m.group_id JOIN cloud_role r ON r.id = g.role_id
        JOIN node n ON n.id = r.node_id WHERE m.user_id = $1 AND (m.expires_at IS NULL OR m.expires_at > $2)
        AND r.cam_power IS NOT NULL AND r.state = 'active'");
    // Everything that a vend is decided on but the grants, in one answer.
    TERMS("tt") = open!("SELECT u.gid, r.arn, r.vend_method AS role_method, r.risk, r.max_session_s AS role_max, n.id AS node_id, n.path, n.partition_key, n.account_uid,
        n.vend_method AS node_method, n.saml_provider, n.max_session_s AS node_max, n.client_exchange FROM cam_user u JOIN cloud_role r ON r.id = $2 JOIN node n ON n.id = r.node_id
        WHERE u.id = $1 AND u.status = 'active' AND u.deleted_at IS NULL AND r.state = 'active' AND r.arn IS NOT NULL");
    WAYS("tti") = "SELECT m.group_id, CAST(NULL AS TEXT) AS hrole_id, m.source, m.expires_at FROM user_group g JOIN group_member m ON m.group_id = g.id
        WHERE g.role_id = $1 AND m.user_id = $2 AND (m.expires_at IS NULL OR m.expires_at > $3)
        UNION SELECT m.group_id, x.hrole_id, m.source, m.expires_at FROM horizontal_role_match x
        JOIN horizontal_role_group b ON b.hrole_id = x.hrole_id JOIN group_member m ON m.group_id = b.group_id
        WHERE x.role_id = $1 AND x.state = 'active' AND m.user_id = $2 AND (m.expires_at IS NULL OR m.expires_at > $3)
        ORDER BY hrole_id NULLS FIRST, group_id, source";
    // One page, each role with every way by which it is held: a line a way, with tabs between its parts. The page is one text: the driver hands
    // over row by row, from thread to thread, and that costs several times what finding them does. No name holds a control character, so
    // the separators are none.
    MINE("tittti") = open!("SELECT string_agg(page.line, '\u{1e}') AS page FROM (
        SELECT concat_ws('\u{1f}', mine_page.id, mine_page.name, mine_page.arn, mine_page.node_id, mine_page.node_name, mine_page.name_norm,
            mine_page.partition_key, mine_page.account_uid, COALESCE(CAST(mine_page.max_session_s AS TEXT), ''),
            COALESCE(CAST(mine_page.node_max_session_s AS TEXT), ''), COALESCE((SELECT string_agg(mine_ways.way, '\n') FROM (
            SELECT m.group_id || '\t' || g.name || '\t\t\t' || m.source || '\t' || COALESCE(CAST(m.expires_at AS TEXT), '') AS way
            FROM user_group g JOIN group_member m ON m.group_id = g.id
            WHERE g.role_id = mine_page.id AND m.user_id = $1 AND (m.expires_at IS NULL OR m.expires_at > $2)
            UNION ALL
            SELECT m.group_id || '\t' || g.name || '\t' || h.id || '\t' || h.name || '\t' || m.source || '\t' || COALESCE(CAST(m.expires_at AS TEXT), '')
            FROM horizontal_role_match x JOIN horizontal_role h ON h.id = x.hrole_id JOIN horizontal_role_group b ON b.hrole_id = x.hrole_id
            JOIN group_member m ON m.group_id = b.group_id JOIN user_group g ON g.id = m.group_id
            WHERE x.role_id = mine_page.id AND x.state = 'active' AND m.user_id = $1 AND (m.expires_at IS NULL OR m.expires_at > $2)
        ) mine_ways), '')) AS line FROM (
        SELECT r.id, r.name, r.arn, r.max_session_s, n.id AS node_id, n.name AS node_name, n.name_norm, n.max_session_s AS node_max_session_s,
            n.partition_key, n.account_uid FROM (
            SELECT g.role_id FROM group_member m JOIN user_group g ON g.id = m.group_id
            WHERE m.user_id = $1 AND (m.expires_at IS NULL OR m.expires_at > $2) AND g.role_id IS NOT NULL
            UNION
            SELECT x.role_id FROM group_member m JOIN horizontal_role_group b ON b.group_id = m.group_id
            JOIN horizontal_role_match x ON x.hrole_id = b.hrole_id
            WHERE m.user_id = $1 AND (m.expires_at IS NULL OR m.expires_at > $2) AND x.state = 'active'
        ) mine JOIN cloud_role r ON r.id = mine.role_id JOIN node n ON n.id = r.node_id
        WHERE r.state = 'active' AND r.arn IS NOT NULL AND (n.name_norm, r.name, r.id) > ($3, $4, $5)", "
        ORDER BY n.name_norm, r.name, r.id LIMIT $6) mine_page ORDER BY mine_page.name_norm, mine_page.name, mine_page.id) page");
}

/// What somebody is here, now. Nobody, where they are not in the pool or are barred.
///
/// # Errors
/// The database.
pub async fn actor(conn: &mut Conn, id: &UserId, now: Timestamp) -> Result<Actor> {
    let status = STATUS.ask().bind(id.as_str()).fetch_optional(&mut *conn).await?;
    let status = status.map(|row| row.word("status", Status::from_word)).transpose()?;
    if status != Some(Status::Active) {
        return Ok(Actor::default());
    }
    let owned = OWNED.ask().bind(id.as_str()).fetch_one(&mut *conn).await?.maybe_text("owned")?.unwrap_or_default();
    let read = |line: &str| {
        let (kind, path) = line.split_once(' ')?;
        Some(Owned { path: Path::parse(path)?, is_account: kind == "account" })
    };
    let lines = owned.split_terminator('\u{1e}');
    let nodes = lines.map(|line| read(line).ok_or(StoreError::Corrupt { column: "owned" })).collect::<Result<Vec<_>>>()?;
    let rows = POWERS.ask().bind(id.as_str()).bind(now.unix_millis()).fetch_all(conn).await?;
    let power = |row: &AnyRow| Ok((row.word("cam_power", CamPower::from_word)?, row.word("path", Path::parse)?));
    Ok(Actor { user: Some(id.clone()), owned: nodes, powers: rows.iter().map(power).collect::<Result<Vec<_>>>()? })
}

/// A way by which somebody holds a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The group that they are in.
    pub group: GroupId,
    /// The horizontal role that the group has; nothing where it is the role's own group.
    pub horizontal: Option<HorizontalId>,
    /// Until when.
    pub ends: Option<Timestamp>,
}

/// What a role is handed out by, and to whom.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Who the person is at the identity provider.
    pub gid: Gid,
    /// The role, in its cloud.
    pub arn: RoleArn,
    /// Whether handing it out needs more than a grant.
    pub risk: Risk,
    /// How keys are come by: as the role says, else as its node does.
    pub method: VendMethod,
    /// The role's account.
    pub node: NodeId,
    /// Where that is in the tree.
    pub path: Path,
    /// The account, in its cloud.
    pub account: CloudAccount,
    /// The account's entry for us.
    pub provider: Option<IdpArn>,
    /// The longest session: the role's, then the node's.
    pub longest: [Option<SessionDuration>; 2],
    /// Whether whoever asks for keys gets an assertion of ours in their place.
    pub client_exchange: bool,
}

fn read_terms(row: &AnyRow) -> Result<Terms> {
    let partition = row.word("partition_key", Partition::from_word)?;
    let of_node = row.word("node_method", VendMethod::from_word)?;
    let method = row.maybe_word("role_method", VendMethod::from_word)?.unwrap_or(of_node);
    Ok(Terms {
        gid: row.word("gid", |text| Gid::parse(text).ok())?,
        arn: row.word("arn", |text| RoleArn::parse(text).ok())?,
        risk: row.word("risk", Risk::from_word)?,
        method,
        node: row.word("node_id", NodeId::parse)?,
        path: row.word("path", Path::parse)?,
        account: row.word("account_uid", |uid| CloudAccount::new(partition, uid).ok())?,
        provider: row.maybe_word("saml_provider", |text| IdpArn::parse(text).ok())?,
        longest: [row.maybe_session("role_max")?, row.maybe_session("node_max")?],
        client_exchange: method == VendMethod::Saml && row.number("client_exchange")? == 1,
    })
}

/// What a role that can be used now is handed out by, if the person may use any. Nothing where the role, its account or the person is stopped.
///
/// # Errors
/// The database.
pub async fn terms(conn: &mut Conn, user: &UserId, role: &RoleId) -> Result<Option<Terms>> {
    let row = TERMS.ask().bind(user.as_str()).bind(role.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(read_terms).transpose()
}

/// Every way by which a person holds a role, whether or not it can be used now.
///
/// # Errors
/// The database.
pub async fn ways(conn: &mut Conn, user: &UserId, role: &RoleId, now: Timestamp) -> Result<Vec<Grant>> {
    let read = |row: &AnyRow| {
        Ok(Grant {
            group: row.word("group_id", GroupId::parse)?,
            horizontal: row.maybe_word("hrole_id", HorizontalId::parse)?,
            ends: row.maybe_time("expires_at")?,
        })
    };
    let rows = WAYS.ask().bind(role.as_str()).bind(user.as_str()).bind(now.unix_millis()).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// Every way by which a person holds a role that can be used now. None means that they may not use it.
///
/// # Errors
/// The database.
pub async fn grants(conn: &mut Conn, user: &UserId, role: &RoleId, now: Timestamp) -> Result<Vec<Grant>> {
    match terms(&mut *conn, user, role).await? {
        None => Ok(Vec::new()),
        Some(_) => ways(conn, user, role, now).await,
    }
}

/// When the last of these ways ends; nothing if one does not end.
///
/// # Errors
/// There is no way.
pub fn last_end(grants: &[Grant]) -> Result<Option<Timestamp>> {
    if grants.is_empty() {
        return Err(StoreError::NotFound("grant"));
    }
    Ok(grants.iter().map(|grant| grant.ends).collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max()))
}

/// A way by which somebody holds a role, for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// The horizontal role that the group has, and its name; nothing where it is the role's own group.
    pub horizontal: Option<(HorizontalId, String)>,
    /// The name of the group that they are in.
    pub group_name: String,
    /// The group.
    pub group: GroupId,
    /// Who put them there.
    pub source: Source,
    /// Until when, in milliseconds since 1970.
    pub ends: Option<i64>,
}

fn way(line: &str) -> Option<Way> {
    let mut parts = line.split('\t');
    let mut next = || parts.next();
    let (group, group_name, horizontal, name, source, ends) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let horizontal = match horizontal {
        "" => None,
        id => Some((HorizontalId::parse(id)?, name.to_owned())),
    };
    let ends = if ends.is_empty() { None } else { Some(ends.parse().ok()?) };
    Some(Way {
        horizontal,
        group_name: group_name.to_owned(),
        group: GroupId::parse(group)?,
        source: Source::from_word(source)?,
        ends,
    })
}

/// Each way once: a rule may name a role twice.
fn all_ways(text: &str) -> Option<Vec<Way>> {
    let mut ways = text.lines().map(way).collect::<Option<Vec<_>>>()?;
    ways.sort();
    ways.dedup();
    Some(ways)
}

/// A role that somebody may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usable {
    /// Why: every way by which they hold it, its own group first.
    pub ways: Vec<Way>,
    /// Which.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// Its full name.
    pub arn: RoleArn,
    /// Its account's node.
    pub node_id: NodeId,
    /// The name of that node.
    pub node: String,
    /// Its account.
    pub account: CloudAccount,
    /// How long a session may last at the most; nothing where only the cloud has a limit.
    pub max_session: Option<SessionDuration>,
    /// Where it stands in the list, for the page after it.
    pub place: (String, String, String),
}

/// Some of the roles that a person may use in all accounts, each once, by account and name; `after` is the place of the last one of the page
/// before.
///
/// # Errors
/// The database.
pub async fn mine(conn: &mut Conn, user: &UserId, now: Timestamp, after: (&str, &str, &str), limit: u32) -> Result<Vec<Usable>> {
    let ask =
        MINE.ask().bind(user.as_str()).bind(now.unix_millis()).bind(after.0).bind(after.1).bind(after.2).bind(i64::from(limit));
    let page = ask.fetch_one(conn).await?.maybe_text("page")?.unwrap_or_default();
    page.split_terminator('\u{1e}').map(|line| read_usable(line).ok_or(StoreError::Corrupt { column: "page" })).collect()
}

/// A line of [`MINE`].
fn read_usable(line: &str) -> Option<Usable> {
    let fields: Vec<&str> = line.split('\u{1f}').collect();
    let [id, name, arn, node_id, node, node_norm, partition, uid, longest @ .., ways] = fields.as_slice() else { return None };
    let [_, _] = longest else { return None };
    let seconds = longest.iter().filter(|text| !text.is_empty());
    let longest = seconds.map(|text| SessionDuration::try_from(text.parse::<u32>().ok()?).ok()).collect::<Option<Vec<_>>>()?;
    Some(Usable {
        ways: all_ways(ways)?,
        id: RoleId::parse(id)?,
        name: (*name).to_owned(),
        arn: RoleArn::parse(arn).ok()?,
        node_id: NodeId::parse(node_id)?,
        node: (*node).to_owned(),
        account: CloudAccount::new(Partition::from_word(partition)?, uid).ok()?,
        max_session: longest.into_iter().min(),
        place: ((*node_norm).to_owned(), (*name).to_owned(), (*id).to_owned()),
    })
}
