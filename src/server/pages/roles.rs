//! The first page: one's own roles, and the page on which one gets a token.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::words::{Words, words};
use super::{Me, csrf, page};
use crate::server::api::roles::{MyAccount, MyRole, Which, find};
use crate::server::app::App;
use crate::server::extract::{PathOf, QueryOf, id};
use crate::server::guard::{Told, Visit, Who};
use crate::server::problem::{Code, Problem};
use crate::tvm::model::{Partition, RoleId, VendMethod};
use crate::tvm::store::{access, nodes, roles};
use crate::types::{CloudId, SessionDuration};

struct Tab {
    title: &'static str,
    href: String,
    is_here: bool,
}

struct Cloud {
    word: &'static str,
    title: &'static str,
    accounts: Vec<Account>,
}

struct Account {
    node: String,
    name: String,
    uid: String,
    /// Which site of the cloud, where it is not the usual one.
    site: &'static str,
    roles: Vec<MyRole>,
}

#[derive(Template)]
#[template(path = "roles.html", config = "src/server/pages/askama.toml")]
struct Roles {
    w: &'static Words,
    me: Option<Me>,
    here: &'static str,
    back: String,
    csrf: String,
    q: String,
    cloud: String,
    tabs: Vec<Tab>,
    clouds: Vec<Cloud>,
    is_filtered: bool,
    is_later: bool,
    first: String,
    next: Option<String>,
}

fn address(cloud: &str, q: &str, cursor: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("cloud", cloud), ("q", q), ("cursor", cursor.unwrap_or_default())] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { "/".to_owned() } else { format!("/?{query}") }
}

/// `GET /`
pub(super) async fn list(
    State(app): State<App>,
    who: Who,
    Extension(visit): Extension<Visit>,
    QueryOf(which): QueryOf<Which>,
) -> Result<Response, Problem> {
    let w = words(visit.tongue);
    let found = find(&mut *app.store.read().await?, &who, &which, visit.now).await?;
    let (cloud, q) = (which.cloud.clone().unwrap_or_default(), which.q.clone().unwrap_or_default());
    let tabs = [("", w.all_clouds), ("alibaba", w.alibaba), ("aws", w.aws)];
    let tabs = tabs.map(|(word, title)| Tab { title, href: address(word, &q, None), is_here: word == cloud });
    let template = Roles {
        w,
        me: Some(Me::of(&who)),
        here: "roles",
        back: address(&cloud, &q, which.cursor.as_deref()),
        csrf: csrf(&who),
        tabs: tabs.into(),
        is_filtered: !cloud.is_empty() || !q.trim().is_empty(),
        is_later: which.cursor.is_some(),
        first: address(&cloud, &q, None),
        next: found.next.as_deref().map(|next| address(&cloud, &q, Some(next))),
        clouds: grouped(w, found.items),
        q,
        cloud,
    };
    Ok(page(&template))
}

/// By cloud, then by account; within these they stay in the order of the list.
fn grouped(w: &'static Words, roles: Vec<MyRole>) -> Vec<Cloud> {
    let mut clouds: Vec<Cloud> = Vec::new();
    for role in roles {
        let title = if role.cloud == CloudId::Aws.word() { w.aws } else { w.alibaba };
        let at = clouds.iter().position(|cloud| cloud.word == role.cloud).unwrap_or_else(|| {
            clouds.push(Cloud { word: role.cloud, title, accounts: Vec::new() });
            clouds.len() - 1
        });
        let accounts = &mut clouds[at].accounts;
        match accounts.iter_mut().find(|account| account.node == role.account.node) {
            Some(account) => account.roles.push(role),
            None => accounts.push(Account {
                node: role.account.node.clone(),
                name: role.account.name.clone(),
                uid: role.account.uid.clone(),
                site: if matches!(role.partition, "aws" | "alibaba") { "" } else { role.partition },
                roles: vec![role],
            }),
        }
    }
    clouds.sort_by_key(|cloud| cloud.word);
    clouds
}

#[derive(Template)]
#[template(path = "token.html", config = "src/server/pages/askama.toml")]
struct Token {
    w: &'static Words,
    me: Option<Me>,
    here: &'static str,
    back: String,
    here_encoded: String,
    csrf: String,
    role: MyRole,
    durations: Vec<(u32, &'static str)>,
    usual: u32,
    formats: Vec<(&'static str, &'static str)>,
    /// Whether no keys are shown here, because the command line fetches them itself.
    is_by_client: bool,
}

/// `GET /roles/{id}`: what is asked for is chosen here. What is handed out comes as the answer to a form, and stands in no address and no history.
pub(super) async fn token(
    State(app): State<App>,
    who: Who,
    Extension(visit): Extension<Visit>,
    Extension(told): Extension<Told>,
    PathOf(role): PathOf<String>,
) -> Result<Response, Problem> {
    let w = words(visit.tongue);
    let role = id(&role, RoleId::parse)?;
    let mut conn = app.store.read().await?;
    if access::grants(&mut conn, who.id(), &role, visit.now).await?.is_empty() {
        return Err(Problem::only(Code::NotFound));
    }
    let role = roles::by_id(&mut conn, &role).await?;
    let node = nodes::by_id(&mut conn, &role.node).await?;
    drop(conn);
    told.on("role", role.id.as_str(), Some(&node.path));
    let (Some(arn), Some(account)) = (&role.arn, node.kind.account()) else { return Err(Problem::only(Code::NotFound)) };
    let partition: Partition = account.partition();
    let longest =
        [role.max_session, node.vending.max_session].into_iter().flatten().min().map_or(43_200, SessionDuration::seconds);
    let all = [
        (900, w.minutes_15),
        (1800, w.minutes_30),
        (3600, w.hour_1),
        (7200, w.hours_2),
        (14_400, w.hours_4),
        (28_800, w.hours_8),
        (43_200, w.hours_12),
    ];
    let profile = match partition.cloud() {
        CloudId::Aws => w.format_profile_aws,
        CloudId::Alibaba => w.format_profile_alibaba,
    };
    let back = format!("/roles/{}", role.id);
    let template = Token {
        w,
        me: Some(Me::of(&who)),
        here: "",
        here_encoded: url::form_urlencoded::byte_serialize(back.as_bytes()).collect(),
        back,
        csrf: csrf(&who),
        is_by_client: node.vending.client_exchange && role.method.unwrap_or(node.vending.method) == VendMethod::Saml,
        durations: all.into_iter().filter(|(seconds, _)| *seconds <= longest).collect(),
        usual: longest.min(3600),
        formats: vec![
            ("shell", w.format_shell),
            ("powershell", w.format_powershell),
            ("profile", profile),
            ("process", w.format_process),
            ("json", w.format_json),
        ],
        role: MyRole {
            id: role.id.to_string(),
            name: role.name.clone(),
            arn: arn.to_string(),
            cloud: partition.cloud().word(),
            partition: partition.word(),
            account: MyAccount { node: node.id.to_string(), name: node.name.to_string(), uid: account.uid().to_string() },
            max_session_s: longest,
            via: Vec::new(),
        },
    };
    Ok(page(&template))
}
