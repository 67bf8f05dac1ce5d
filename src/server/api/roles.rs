//! One's own roles, over all accounts.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::server::app::App;
use crate::server::extract::{Page, QueryOf, cursor, limit};
use crate::server::guard::Who;
use crate::server::problem::{Problem, ProblemDocument};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::Action;
use crate::tvm::store::Conn;
use crate::tvm::store::access::{self, Usable, Way};
use crate::types::{CloudId, SessionDuration, Timestamp};

/// How long a session lasts at the most in either cloud, in seconds.
const LONGEST: u32 = 43_200;
/// How many roles are read at once while some are searched for.
const STEP: u32 = 200;
/// How many are looked at for one page at the most; the cursor goes on from there.
const MOST: usize = 5000;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::api("me.roles.list", Access::Api, Row::Matrix(Action::UseOwnRoles), routes!(list))]
}

/// A role that one may use.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct MyRole {
    /// Its identity here.
    pub(in crate::server) id: String,
    /// Its name.
    pub(in crate::server) name: String,
    /// Its full name in the cloud.
    pub(in crate::server) arn: String,
    /// `aws` or `alibaba`.
    pub(in crate::server) cloud: &'static str,
    /// `aws`, `aws-cn`, `aws-us-gov`, `alibaba` or `alibaba-intl`.
    pub(in crate::server) partition: &'static str,
    /// Its account.
    pub(in crate::server) account: MyAccount,
    /// How long a session may last at the most, in seconds.
    pub(in crate::server) max_session_s: u32,
    /// Why one has it: every way, the role's own group first.
    pub(in crate::server) via: Vec<Via>,
}

/// A way by which one has a role.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct Via {
    /// The group that one is in.
    pub(in crate::server) group: String,
    /// Its name.
    pub(in crate::server) group_name: String,
    /// The horizontal role that gives it to the group; nothing where it is the role's own group.
    pub(in crate::server) horizontal: Option<String>,
    /// The name of that.
    pub(in crate::server) horizontal_name: Option<String>,
    /// Who put one there: `manual` is a person, `idp` and `scim` the company's directory, `request` one's own request.
    pub(in crate::server) source: &'static str,
    /// Until when; nothing where it does not end.
    pub(in crate::server) ends: Option<String>,
}

impl From<Way> for Via {
    fn from(way: Way) -> Self {
        let (horizontal, horizontal_name) = way.horizontal.map(|(id, name)| (id.to_string(), name)).unzip();
        Self {
            group: way.group.to_string(),
            group_name: way.group_name,
            horizontal,
            horizontal_name,
            source: way.source.word(),
            ends: way.ends.and_then(Timestamp::from_unix_millis).map(Timestamp::utc),
        }
    }
}

impl MyRole {
    /// The names of what one has it by, each once. The role's own group has its name, so alone it says nothing.
    pub(in crate::server) fn names(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for via in &self.via {
            let name = via.horizontal_name.as_deref().unwrap_or(&via.group_name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names == [self.name.as_str()] { String::new() } else { names.join(", ") }
    }
}

/// A role's account.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct MyAccount {
    /// The node's identity.
    pub(in crate::server) node: String,
    /// The node's name.
    pub(in crate::server) name: String,
    /// The account's number in the cloud.
    pub(in crate::server) uid: String,
}

impl From<Usable> for MyRole {
    fn from(role: Usable) -> Self {
        let partition = role.account.partition();
        Self {
            id: role.id.to_string(),
            name: role.name,
            arn: role.arn.to_string(),
            cloud: partition.cloud().word(),
            partition: partition.word(),
            account: MyAccount { node: role.node_id.to_string(), name: role.node, uid: role.account.uid().to_string() },
            max_session_s: role.max_session.map_or(LONGEST, SessionDuration::seconds),
            via: role.ways.into_iter().map(Via::from).collect(),
        }
    }
}

/// Which roles.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::server) struct Which {
    /// Only of this cloud: `aws` or `alibaba`.
    pub(in crate::server) cloud: Option<String>,
    /// Only with this text in the role's or the account's name or number.
    pub(in crate::server) q: Option<String>,
    /// How many, 1 to 200; 50 where nothing is said.
    limit: Option<u32>,
    /// Where the page before ended.
    pub(in crate::server) cursor: Option<String>,
}

/// One's own roles, by account and name
#[utoipa::path(
    get, path = "/api/v1/me/roles", tag = "Me", operation_id = "me.roles.list", security(("bearer" = []), ("session" = [])),
    params(Which),
    responses(
        (status = 200, body = Page<MyRole>),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(State(app): State<App>, who: Who, QueryOf(which): QueryOf<Which>) -> Result<Json<Page<MyRole>>, Problem> {
    let mut conn = app.store.read().await?;
    Ok(Json(find(&mut conn, &who, &which, app.now()).await?))
}

/// A page of one's own roles.
pub(in crate::server) async fn find(conn: &mut Conn, who: &Who, which: &Which, now: Timestamp) -> Result<Page<MyRole>, Problem> {
    let limit = limit(which.limit)?;
    let mut after: (String, String, String) = cursor(which.cursor.as_deref())?.unwrap_or_default();
    let cloud = match which.cloud.as_deref().filter(|word| !word.is_empty()) {
        None => None,
        Some(word) => Some(cloud_of(word).ok_or_else(|| Problem::field("cloud", "is `aws` or `alibaba`"))?),
    };
    let wanted: Vec<String> =
        which.q.as_deref().unwrap_or_default().to_lowercase().split_whitespace().map(str::to_owned).collect();
    let is_wanted = |role: &Usable| {
        cloud.is_none_or(|cloud| role.account.partition().cloud() == cloud) && {
            let text =
                format!("{} {} {} {}", role.name, role.node, role.account.uid(), role.account.partition().word()).to_lowercase();
            wanted.iter().all(|word| text.contains(word.as_str()))
        }
    };
    let step = if cloud.is_none() && wanted.is_empty() { limit + 1 } else { STEP };
    let (mut found, mut seen) = (Vec::new(), 0);
    let enough = usize::try_from(limit).unwrap_or(usize::MAX);
    loop {
        let some = access::mine(conn, who.id(), now, (&after.0, &after.1, &after.2), step).await?;
        let is_last = some.len() < usize::try_from(step).unwrap_or(usize::MAX);
        seen += some.len();
        if let Some(last) = some.last() {
            after = last.place.clone();
        }
        found.extend(some.into_iter().filter(is_wanted));
        if found.len() > enough || is_last {
            return Ok(Page::of(found, limit, |role| role.place.clone(), MyRole::from));
        }
        if seen >= MOST {
            return Ok(Page::until(found, &after, MyRole::from));
        }
    }
}

fn cloud_of(word: &str) -> Option<CloudId> {
    [CloudId::Aws, CloudId::Alibaba].into_iter().find(|cloud| cloud.word() == word)
}
