//! Keys that we ourselves have: those of the machine for a role that every account trusts, and those of an account's own user.

use super::VendError;
use crate::cloud::Keys;
use crate::tvm::keys::Seal;
use crate::tvm::model::NodeId;
use crate::tvm::store::{Store, secrets};
use crate::types::{CloudId, Secret};
use crate::world::Env;

/// The machine's own keys, from where the cloud's SDKs look first.
pub(super) fn of_machine(cloud: CloudId, env: &Env) -> Result<Keys, VendError> {
    let [id, secret, token] = match cloud {
        CloudId::Aws => ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        CloudId::Alibaba => ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"],
    };
    match (env.get(id), env.get(secret)) {
        (Some(id), Some(secret)) => {
            Ok(Keys { id: id.to_owned(), secret: Secret::from(secret), token: env.get(token).map(Secret::from) })
        }
        _ => Err(VendError::NoKeys("the machine has no keys for the role that the accounts trust")),
    }
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
