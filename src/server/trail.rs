//! What goes on beside the requests: the trail is told outside, and where it is is signed.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::app::App;
use super::{ServeError, Settings, keys};
use crate::saml::Signer;
use crate::tvm::audit::checkpoint::Checkpoint;
use crate::tvm::audit::outside::{File, Outside, Syslog, Webhook};
use crate::tvm::audit::{AuthKind, Event, Teller};
use crate::tvm::keys::{KeysError, Purpose, Ring};
use crate::tvm::model::{Gid, KeyId};
use crate::tvm::store::told::Gone;
use crate::tvm::store::{StoreError, export};
use crate::types::Timestamp;
use crate::world::{Env, Network, SystemClock, TransportError, machine_name, open_outbound};

/// How often it is looked whether a checkpoint is due.
const LOOK: Duration = Duration::from_secs(5);
/// How often what is old is let go.
const LET_GO: Duration = Duration::from_secs(24 * 3600);

/// The places that the configuration names.
///
/// # Errors
/// The webhook's address is one that is not reached from here.
pub(super) fn places(app: &App, env: &Env) -> Result<Vec<Box<dyn Outside>>, TransportError> {
    let settings = &app.settings.trail;
    let mut places: Vec<Box<dyn Outside>> = Vec::new();
    if let Some(path) = &settings.file {
        places.push(Box::new(File(path.clone())));
    }
    if let Some(to) = &settings.syslog {
        places.push(Box::new(Syslog { to: to.clone(), host: machine_name(env).raw().to_owned() }));
    }
    if let Some(webhook) = &settings.webhook {
        let networks = webhook.networks.clone();
        let net = open_outbound(&webhook.url, Arc::new(move |address| networks.hold(address)))?;
        let (url, secret, clock) = (webhook.url.clone(), webhook.secret.clone(), Arc::clone(&app.clock));
        places.push(Box::new(Webhook { url, net, secret, clock }));
    }
    Ok(places)
}

/// Begins all of it. Whoever gets the tasks ends them.
pub(super) fn begin(app: &App, places: Vec<Box<dyn Outside>>) -> Vec<JoinHandle<()>> {
    let names: Vec<&'static str> = places.iter().map(|place| place.name()).collect();
    let mut tasks: Vec<JoinHandle<()>> = Vec::new();
    for place in places {
        let (teller, clock) = (Teller::new(app.store.clone(), place), Arc::clone(&app.clock));
        tasks.push(tokio::spawn(async move { teller.run(clock.as_ref()).await }));
    }
    tasks.push(tokio::spawn(sign(app.clone(), names)));
    tasks.push(tokio::spawn(let_go(app.clone())));
    tasks
}

/// Lets go of what is older than the configuration says, from the shell of the machine that serves.
///
/// # Errors
/// There is no key that signs the trail; the database.
pub async fn cut(settings: &Settings, env: &Env, network: &dyn Network, now: Timestamp) -> Result<Gone, ServeError> {
    let keepers = keys::keepers(settings, env, network, Arc::new(SystemClock))?;
    let store = settings.database.open(now).await?;
    let ring = Ring::load(&store, &keepers, now).await?;
    let id = ring.active(Purpose::Audit).ok_or(KeysError::None(Purpose::Audit))?;
    let gone = store.let_go(settings.trail.days, id, ring.signer(Purpose::Audit)?.as_ref(), now).await;
    store.close().await;
    Ok(gone?)
}

/// Everything that is kept about one person, as JSON text. The trail tells that it was asked for.
///
/// # Errors
/// There is nobody of that GID; the database.
pub async fn person(settings: &Settings, gid: &str, now: Timestamp) -> Result<String, ServeError> {
    let gid = Gid::parse(gid)?;
    let store = settings.database.open(now).await?;
    let found = export::person(&mut *store.read().await?, &gid, now).await;
    let told = Event::by(AuthKind::Console, "person.export", serde_json::json!({"gid": gid.normal()}));
    let told = store.record(now, &told).await;
    store.close().await;
    told?;
    let found = found?.ok_or(StoreError::NotFound("person"))?;
    Ok(format!("{found:#}"))
}

/// The key that signs the trail, if there is one.
async fn key(app: &App) -> Option<(KeyId, Arc<dyn Signer>)> {
    let ring = app.keys.ring(&app.store, app.now()).await.ok()?;
    Some((ring.active(Purpose::Audit)?.clone(), ring.signer(Purpose::Audit).ok()?))
}

/// Signs where the trail is, and counts how far the places are behind.
async fn sign(app: App, places: Vec<&'static str>) {
    loop {
        app.clock.sleep(LOOK).await;
        let mut behind = 0;
        for place in &places {
            behind = behind.max(app.store.lag(place).await.unwrap_or_default());
        }
        app.metrics.level("saml2cloud_audit_untold_events", f64::from(u32::try_from(behind).unwrap_or(u32::MAX)));
        let Some((id, signer)) = key(&app).await else { continue };
        if let Err(error) = app.store.checkpoint(&id, signer.as_ref(), app.now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "where the trail is could not be signed");
        }
    }
}

/// Lets go of what is old. Where the service's user may not, as on PostgreSQL with the trail kept from it, `serve audit cut` does it.
async fn let_go(app: App) {
    loop {
        app.clock.sleep(LET_GO).await;
        let Some((id, signer)) = key(&app).await else { continue };
        if let Err(error) = app.store.let_go(app.settings.trail.days, &id, signer.as_ref(), app.now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what is old could not be let go");
        }
    }
}

/// The checkpoints in a file that was written outside.
///
/// # Errors
/// There is none in it, or one that cannot be read.
pub(super) fn told(path: &std::path::Path) -> Result<Vec<Checkpoint>, ServeError> {
    let bad = |why: String| ServeError::Told { path: path.to_owned(), why };
    let text = crate::world::file::read(path)?.ok_or_else(|| bad("there is no such file".to_owned()))?;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        found.extend(Checkpoint::from_line(line).map_err(|why| bad(format!("line {}: {why}", at + 1)))?);
    }
    if found.is_empty() { Err(bad("there is no checkpoint in it".to_owned())) } else { Ok(found) }
}
