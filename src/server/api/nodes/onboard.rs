//! An account is brought under management: what the service writes down about it, what has to be done in its cloud, and whether that was done. The service
//! changes nothing in the cloud; its administrators do, by a Terraform module that they can read.

use axum::extract::Extension;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{NodeView, some};
use crate::cloud;
use crate::cloud::trust::{self, Form, Metadata, Proof, Trust};
use crate::server::api::shared::{Asked, allow_role, manages, session, word};
use crate::server::api::vending::problem;
use crate::server::extract::{JsonBody, PathOf};
use crate::server::guard::{Share, Visit};
use crate::server::keys;
use crate::server::once::Once;
use crate::server::problem::{Code, Problem};
use crate::server::route::{Access, Route, Row};
use crate::tvm::authorize::{Action, Actor, RoleOf};
use crate::tvm::exchange::{Found, VendError};
use crate::tvm::keys::Purpose;
use crate::tvm::model::{Class, CloudAccount, Kind, NewRole, Node, Role, RoleState, VendMethod};
use crate::tvm::store::{Conn, Tx, catalogue, nodes, roles};
use crate::tvm::vend::{Duty, Errand, Refusal};
use crate::types::{CloudId, IdpArn, RoleArn, SessionDuration};

/// What the account's entry for this service is called where nobody says otherwise.
const PROVIDER: &str = "saml2cloud";

pub(super) fn routes() -> Vec<Route> {
    let api = |told, described| Route::api(told, Access::Api, Row::Matrix(Action::UpdateNode), described);
    vec![
        api("node.onboard", routes!(onboard)),
        // What was seen is answered as it is seen, not as it was a while ago.
        api("node.verify", routes!(verify)).not_idempotent(),
        api("node.terraform", routes!(terraform)),
    ]
}

/// An account that they look after from above: its own owner may not know of its system roles.
async fn from_above(asked: &Asked, conn: &mut Conn, actor: &Actor, text: &str) -> Result<(Node, CloudAccount), Problem> {
    let node = asked.node(conn, actor, text, Action::UpdateNode).await?;
    if !manages(actor, &node) {
        return Err(Problem::new(Code::Forbidden, "an account is brought under management from above it"));
    }
    match &node.kind {
        Kind::Account(account) => {
            let account = account.clone();
            Ok((node, account))
        }
        _ => Err(Problem::new(Code::TreeShape, "only account nodes have a cloud account that is brought under management")),
    }
}

/// How an account is to be managed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Onboarding {
    /// How keys are come by: `saml`, `hub_role`, `ram_user` or `none`; without it as it was.
    vend_method: Option<String>,
    /// The account's entry for this service as an identity provider. Without it the one that is set, else `saml2cloud`.
    #[schema(example = "arn:aws:iam::111111111111:saml-provider/saml2cloud")]
    saml_provider: Option<String>,
    /// The longest session, 900 to 43200 seconds; without it as it was.
    #[schema(minimum = 900, maximum = 43200)]
    max_session_s: Option<u32>,
    /// Whether a command line exchanges the signed response at the cloud itself; without it as it was.
    client_exchange: Option<bool>,
    /// Which entries of the catalogue of preset roles are registered for this account.
    #[serde(default)]
    #[schema(max_items = 100)]
    presets: Vec<String>,
    /// The user that the account keeps for its administrators; it is looked for whenever the account is. `null` where there is none, and without it as it was.
    #[serde(default, deserialize_with = "some")]
    #[schema(value_type = Option<String>)]
    preset_user: Option<Option<String>>,
    /// Whether `cam-verifier` is registered, the role that the service itself reads the account with. It is, where nothing is said.
    verifier: Option<bool>,
}

/// A role that is registered now.
#[derive(Debug, Serialize, ToSchema)]
struct Registered {
    /// The identity.
    id: String,
    /// Its name in the account.
    name: String,
    /// Its full name in the cloud.
    arn: Option<String>,
    /// Whether it was registered just now.
    is_new: bool,
}

/// What somebody has to do in the cloud.
#[derive(Debug, Serialize, ToSchema)]
struct Step {
    /// `provider`, `roles`, `permissions`, `key` or `verify`.
    step: &'static str,
    /// In a sentence.
    what: String,
}

/// An account as it is managed now.
#[derive(Debug, Serialize, ToSchema)]
struct Onboarded {
    /// Its node.
    node: NodeView,
    /// The roles that were asked for.
    roles: Vec<Registered>,
    /// What is left to do in the cloud, in this order.
    left: Vec<Step>,
}

/// The full name of something in an account.
fn full_name(account: &CloudAccount, kind: &str, name: &str) -> String {
    match account.partition().cloud() {
        CloudId::Aws => format!("arn:{}:iam::{}:{kind}/{name}", account.partition().word(), account.uid()),
        CloudId::Alibaba => format!("acs:ram::{}:{kind}/{name}", account.uid()),
    }
}

/// Brings an account under management
///
/// Writes down how its keys are come by and registers preset roles, all or nothing; what is there already stays. Nothing is changed in the cloud: the answer
/// says what is left to do there.
#[utoipa::path(post, path = "/api/v1/nodes/{node}/onboard", tag = "Nodes", operation_id = "node.onboard", params(("node" = String, Path)),
    request_body = Onboarding,
    responses((status = 200, body = Onboarded), (status = 409, description = "`name_taken`, `idempotency_conflict`"), (status = 422, description = "`tree_shape`")))]
async fn onboard(
    asked: Asked,
    PathOf(node): PathOf<String>,
    once: Once,
    JsonBody(wanted): JsonBody<Onboarding>,
) -> Result<Response, Problem> {
    let (mut tx, actor) = asked.begin().await?;
    if let Some(answer) = once.claim(&mut tx).await? {
        return Ok(answer);
    }
    let (mut node, account) = from_above(&asked, &mut tx, &actor, &node).await?;
    let before = node.vending.clone();
    if let Some(text) = &wanted.vend_method {
        node.vending.method = word("vend_method", text, VendMethod::from_word, "`saml`, `hub_role`, `ram_user`, `none`")?;
    }
    if let Some(seconds) = wanted.max_session_s {
        node.vending.max_session = Some(session("max_session_s", seconds)?);
    }
    if let Some(by_client) = wanted.client_exchange {
        node.vending.client_exchange = by_client;
    }
    let named = full_name(&account, "saml-provider", PROVIDER);
    let provider = match &wanted.saml_provider {
        Some(text) => Some(text),
        None => Some(&named).filter(|_| node.vending.method == VendMethod::Saml && node.vending.provider.is_none()),
    };
    if let Some(text) = provider {
        let arn = IdpArn::parse(text).ok().filter(|arn| account.has(arn) && arn.as_str().contains(":saml-provider/"));
        let arn = arn.ok_or_else(|| Problem::field("saml_provider", format!("is not a SAML provider of account {account}")))?;
        node.vending.provider = Some(arn);
    }
    if node.vending != before {
        tx.update_node(&node).await?;
        node = nodes::by_id(&mut tx, &node.id).await?;
    }
    if let Some(user) = &wanted.preset_user {
        tx.set_preset_user(&node.id, user.as_deref().map(user_name).transpose()?).await?;
    }
    let registered = register(&mut tx, &actor, &node, &account, &wanted).await?;
    asked.told.add("roles_created", registered.iter().filter(|role| role.is_new).count());
    let left = left(&asked, &node, &account);
    let done = Onboarded { node: NodeView::from(&node), roles: registered, left };
    let answer = once.answer(&mut tx, StatusCode::OK, &done).await?;
    asked.told.commit(tx).await?;
    Ok(answer)
}

/// The name of a user, as both clouds take it.
fn user_name(text: &str) -> Result<&str, Problem> {
    let is_one = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c));
    if is_one {
        Ok(text)
    } else {
        Err(Problem::field("preset_user", "is the name of a user: 1 to 64 letters, digits and `+=,.@_-`"))
    }
}

/// Registers what is not there yet.
async fn register(
    tx: &mut Tx<'_>,
    actor: &Actor,
    node: &Node,
    account: &CloudAccount,
    wanted: &Onboarding,
) -> Result<Vec<Registered>, Problem> {
    if wanted.presets.len() > 100 {
        return Err(Problem::field("presets", "has 100 entries at the most"));
    }
    let mut names = Vec::new();
    for key in &wanted.presets {
        let entry = catalogue::by_key(tx, key).await;
        let entry = entry.map_err(|_| Problem::field("presets", "has an entry that is not in the catalogue of preset roles"))?;
        names.push((entry.key, Some(entry.risk)));
    }
    if wanted.verifier.unwrap_or(true) {
        names.push((Errand::Verify.role().to_owned(), None));
    }
    let mut registered: Vec<Registered> = Vec::new();
    for (name, risk) in names {
        if registered.iter().any(|role| role.name == name) {
            continue;
        }
        let there = roles::by_name(tx, &node.id, &name).await?;
        let is_new = there.is_none();
        let role = match there {
            Some(role) if role.class == Class::System => role,
            Some(_) => return Err(Problem::new(Code::NameTaken, format!("`{name}` is registered as a custom role"))),
            None => {
                let arn = RoleArn::parse(&full_name(account, "role", &name)).map_err(|_| Problem::only(Code::Internal))?;
                let mut new = NewRole::new(Class::System, arn, account)?;
                let is_preset = new.preset().is_some();
                let of = RoleOf { node: &node.path, class: Class::System, is_preset, power: new.power(), is_held: false };
                allow_role(actor, Action::CreateRole, of)?;
                new.risk = risk.unwrap_or(new.risk);
                tx.add_role(&node.id, &new).await?
            }
        };
        let arn = role.arn.as_ref().map(|arn| arn.as_str().to_owned());
        registered.push(Registered { id: role.id.to_string(), name: role.name, arn, is_new });
    }
    Ok(registered)
}

/// What somebody has to do in the cloud, by the way in which keys are come by.
fn left(asked: &Asked, node: &Node, account: &CloudAccount) -> Vec<Step> {
    let base = &asked.app.settings.server.url;
    let module = format!("{base}api/v1/nodes/{}/terraform", node.id);
    let mut steps = Vec::new();
    let mut add = |step, what: String| steps.push(Step { step, what });
    match (node.vending.method, &node.vending.provider) {
        (VendMethod::Saml, Some(provider)) => {
            let metadata = format!("{base}idp/metadata/{}", account.partition().word());
            add("provider", format!("Account {account} needs the SAML provider {provider} with the metadata of {metadata}."));
            add("roles", format!("Its roles have to be there and trust that provider. {module} is a Terraform module for both."));
        }
        (VendMethod::Saml, None) => add("provider", format!("Account {account} needs a SAML provider, which is named here.")),
        (VendMethod::HubRole, _) => {
            let external = asked.app.vending.external_id.as_deref().unwrap_or(node.id.as_str());
            add(
                "roles",
                format!(
                    "Its roles have to be there and trust the role of this service's machine, with the external ID {external}."
                ),
            );
        }
        (VendMethod::RamUser, _) => {
            add(
                "key",
                format!(
                    "This service needs the key of a user of account {account}: `saml2cloud serve secret set --account {account} --access-key-id ID`, on its machine."
                ),
            );
            add("roles", "Its roles have to be there and trust that user.".to_owned());
        }
        (VendMethod::None, _) => return steps,
    }
    add("permissions", "Each role gets the permissions that it is named for, which are the account's to decide.".to_owned());
    add("verify", format!("{base}api/v1/nodes/{}/verify looks whether all of this was done.", node.id));
    steps
}

/// What was seen of a role.
#[derive(Debug, Serialize, ToSchema)]
struct SeenRole {
    /// The identity.
    id: String,
    /// Its name in the account.
    name: String,
    /// `trusting`, `there` (keys for it are come by without our assertion), `distrusting`, `missing`, or `unread: ` with the cloud's word for why.
    result: String,
    /// Whether a person can use it.
    is_good: bool,
}

/// What was seen of the account's own user.
#[derive(Debug, Serialize, ToSchema)]
struct SeenUser {
    /// Its name in the account.
    name: String,
    /// `there`, `missing`, or `unread: ` with the cloud's word for why.
    result: String,
    /// Whether it is there.
    is_good: bool,
}

/// What was seen of an account.
#[derive(Debug, Serialize, ToSchema)]
struct Verified {
    /// When (RFC 3339).
    verified_at: String,
    /// Whether all of it is good.
    is_good: bool,
    /// Every registered role.
    roles: Vec<SeenRole>,
    /// The user that the account keeps for its administrators, where one is named.
    preset_user: Option<SeenUser>,
}

/// Looks whether the roles of an account are there and trust this service
///
/// The service reads it by the role `cam-verifier` of the account, in the ledger and in the trail like every vend.
#[utoipa::path(post, path = "/api/v1/nodes/{node}/verify", tag = "Nodes", operation_id = "node.verify", params(("node" = String, Path)),
    responses((status = 200, body = Verified), (status = 422, description = "`tree_shape`, `not_vended`, `provider_missing`, `consent_required`"),
        (status = 502, description = "`cloud_error`")))]
async fn verify(asked: Asked, Extension(visit): Extension<Visit>, PathOf(node): PathOf<String>) -> Result<Response, Problem> {
    let (mut conn, actor) = asked.read().await?;
    let (node, account) = from_above(&asked, &mut conn, &actor, &node).await?;
    drop(conn);
    let app = &asked.app;
    // As many as vends take, for it is one.
    let cloud = account.partition().cloud();
    let shares = Share::at_account(&node.id, cloud, node.vending.method, false, &app.settings.limits);
    app.limiter.share(app.together.as_ref(), &shares, visit.now).await?;
    app.keys.ring(&app.store, visit.now).await?;
    let address = visit.address.to_string();
    let duty = Duty {
        errand: Errand::Verify,
        node: &node.id,
        by: asked.who.id(),
        gid: asked.who.user.gid.normal(),
        auth: asked.who.auth,
        request: Some(&visit.request),
        source_ip: Some(&address),
    };
    let found = app.vending.verify(&duty).await.map_err(|error| match error {
        VendError::Refusal(Refusal::NotYours) => {
            let name = Errand::Verify.role();
            Problem::new(
                Code::NotVended,
                format!("the account has no system role `{name}` here that this service could read it with"),
            )
        }
        other => problem(other),
    })?;
    // It wrote down what it saw, and that it did so, in one transaction.
    asked.told.is_written();
    let seen = |(role, found): &(Role, Found)| SeenRole {
        id: role.id.to_string(),
        name: role.name.clone(),
        result: found.word(),
        is_good: found.is_good(),
    };
    let roles: Vec<SeenRole> = found.roles.iter().map(seen).collect();
    let user = found.user.map(|(name, found)| SeenUser { name, result: found.word(), is_good: found.is_good() });
    let is_good = roles.iter().all(|role| role.is_good) && user.as_ref().is_none_or(|user| user.is_good);
    Ok(axum::Json(Verified { verified_at: visit.now.utc(), is_good, roles, preset_user: user }).into_response())
}

/// The policy of the cloud's own that lets the service read an account's roles.
fn reads_roles(cloud: CloudId) -> &'static str {
    match cloud {
        CloudId::Aws => "IAMReadOnlyAccess",
        CloudId::Alibaba => "AliyunRAMReadOnlyAccess",
    }
}

fn internal(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "the module of an account");
    Problem::only(Code::Internal)
}

/// A Terraform module for an account: the SAML provider, and the registered roles that trust it
///
/// Roles whose keys are come by in another way are not in it, nor those whose name a module cannot make; these are named in a comment.
#[utoipa::path(get, path = "/api/v1/nodes/{node}/terraform", tag = "Nodes", operation_id = "node.terraform", params(("node" = String, Path)),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 422, description = "`tree_shape`, `not_vended`"),
        (status = 503, description = "`kms_unavailable`: there is no signing key for this cloud yet")))]
async fn terraform(asked: Asked, PathOf(node): PathOf<String>) -> Result<Response, Problem> {
    let (mut conn, actor) = asked.read().await?;
    let (node, account) = from_above(&asked, &mut conn, &actor, &node).await?;
    let all = roles::in_cloud(&mut conn, &node.id).await?;
    drop(conn);
    let cloud = account.partition().cloud();
    let ours = |role: &&Role| role.state == RoleState::Active && role.method.unwrap_or(node.vending.method) == VendMethod::Saml;
    let (mut wanted, mut longest, mut left_out) = (Vec::new(), SessionDuration::HOUR, Vec::new());
    for role in all.iter().filter(ours) {
        let name = role.arn.as_ref().map(RoleArn::name).unwrap_or_default();
        // `NAME=POLICY` is what the reader of names takes; a name of the cloud's with that sign is none of these.
        match trust::Role::parse(name).ok().filter(|_| !name.contains('=')) {
            None => left_out.push(name.escape_debug().to_string()),
            Some(mut made) => {
                if name == Errand::Verify.role() {
                    made.policies.push(reads_roles(cloud).to_owned());
                }
                longest = role.max_session.or(node.vending.max_session).unwrap_or(longest).max(longest);
                wanted.push(made);
            }
        }
    }
    let purpose = Purpose::towards(cloud);
    let certificates = asked.app.keys.ring(&asked.app.store, asked.now).await?.certificates(purpose);
    if certificates.is_empty() {
        return Err(Problem::new(Code::KmsUnavailable, "there is no signing key for this cloud yet"));
    }
    let xml = keys::metadata(&asked.app.settings, purpose, &certificates).map_err(|error| internal(&error))?;
    let metadata = Metadata::parse(xml).map_err(|error| internal(&error))?;
    let site = asked.app.vending.sites.of(account.partition()).ok_or_else(|| Problem::only(Code::Internal))?;
    let recipients = vec![site.acs.expose().to_string()];
    let provider = node.vending.provider.as_ref().map_or(PROVIDER, IdpArn::name);
    let refused = |bad: trust::BadTrust| Problem::new(Code::NotVended, bad.to_string());
    let trust = Trust::check(provider, wanted, longest, Proof::Saml { metadata, recipients }).map_err(refused)?;
    let code = cloud::find(cloud).trust(&trust, Form::Terraform).map_err(refused)?;
    let note = |name: &String| format!("# Not in this module, whose roles have plain names and no path: {name}\n");
    let notes: String = left_out.iter().map(note).collect();
    asked.told.add("roles", trust.roles.len());
    let file = format!("attachment; filename=\"{}-{}.tf\"", account.partition().word(), account.uid());
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, file)];
    Ok((headers, format!("# Account {account}\n{notes}{code}")).into_response())
}
