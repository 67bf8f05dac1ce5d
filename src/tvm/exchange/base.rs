//! Keys that we ourselves have: those of the machine for a role that every account trusts, and those of an account's own user.

use super::VendError;
use crate::cloud::Keys;
use crate::cloud::instance::Machine;
use crate::tvm::keys::Seal;
use crate::tvm::model::NodeId;
use crate::tvm::store::{Store, secrets};
use crate::types::{CloudId, Secret, Timestamp};

/// The machine's own keys: of its environment, or of the role that it has in the cloud.
pub(super) async fn of_machine(cloud: CloudId, machine: &Machine, now: Timestamp) -> Result<Keys, VendError> {
    machine.keys(cloud, now).await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "the keys of this machine");
        VendError::NoKeys("the machine has no keys for the role that the accounts trust")
    })
}

/// The keys of an account's own user.
pub(super) async fn of_account(store: &Store, seal: Option<&Seal>, node: &NodeId) -> Result<Keys, VendError> {
    let kept = secrets::by_node(&mut *store.read().await?, node).await?;
    let kept = kept.ok_or(VendError::NoKeys("no key of a user of this account is kept here"))?;
    let seal = seal.ok_or(VendError::NoKeys("the seal of the service is not there to open the account's key"))?;
    let opened = seal.open(&kept.sealed, secrets::TABLE, node.as_str())?;
    let secret = std::str::from_utf8(&opened).map_err(|_| VendError::NoKeys("the account's key is no text"))?;
    Ok(Keys { id: kept.access_key_id, secret: Secret::from(secret), token: None })
}
