//! Looking whether an account is as it is registered: its roles are there, and trust us. The service reads this itself, by a role that the account
//! has for it, so no key of the account is kept here.

use std::sync::Arc;

use super::{VendError, Vending, call};
use crate::cloud::{self, Keys, Trusted};
use crate::tvm::audit::Event;
use crate::tvm::model::{NodeId, Role, VendMethod};
use crate::tvm::store::{nodes, roles};
use crate::tvm::vend::{self, Duty};
use crate::types::{Credentials, IdpArn};

/// What an account says of one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there and trusts us.
    Trusting,
    /// It is there; keys for it are come by in another way than by an assertion of ours.
    There,
    /// It is there, and an assertion of ours does not open it.
    Distrusting,
    /// There is none.
    Missing,
    /// Nobody can say: the cloud's word for it.
    Unread(String),
}

impl Found {
    /// As it is stored and shown.
    pub fn word(&self) -> String {
        match self {
            Self::Trusting => "trusting".to_owned(),
            Self::There => "there".to_owned(),
            Self::Distrusting => "distrusting".to_owned(),
            Self::Missing => "missing".to_owned(),
            Self::Unread(code) => format!("unread: {code}"),
        }
    }

    /// Whether a person can use it.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Trusting | Self::There)
    }
}

impl Vending {
    /// Looks at every role of an account and writes down what it is like. What is done is in the ledger and in the trail like every vend.
    ///
    /// # Errors
    /// [`VendError`]: there is no role in the account for this, or its keys cannot be come by.
    pub async fn verify(self: &Arc<Self>, duty: &Duty<'_>) -> Result<Vec<(Role, Found)>, VendError> {
        let permit = vend::begin_duty(&self.store, duty, self.clock.now()).await??;
        let (ours, node, told) = (self.clone(), duty.node.clone(), duty.event("node.verify"));
        let task = tokio::spawn(async move {
            let made = ours.make(&permit, None).await;
            let keys = ours.end(permit, made, |keys| (Some(keys.key_id.clone()), keys.expires)).await?;
            ours.look(&node, &keys, told).await
        });
        task.await.map_err(|_| VendError::Stopping)?
    }

    async fn look(&self, node: &NodeId, keys: &Credentials, told: Event) -> Result<Vec<(Role, Found)>, VendError> {
        let account = nodes::by_id(&mut *self.store.read().await?, node).await?;
        let (keys, mut found) = (Keys::from(keys), Vec::new());
        let registered = roles::in_cloud(&mut *self.store.read().await?, node).await?;
        for role in registered {
            let provider = match role.method.unwrap_or(account.vending.method) {
                VendMethod::Saml => account.vending.provider.as_ref(),
                VendMethod::HubRole | VendMethod::RamUser | VendMethod::None => None,
            };
            let seen = self.ask(&role, provider, &keys).await;
            found.push((role, seen));
        }
        let mut tx = self.store.begin(self.clock.now()).await?;
        for (role, seen) in &found {
            tx.set_verified(&role.id, &seen.word()).await?;
        }
        let bad: Vec<&str> =
            found.iter().filter(|(_, seen)| !seen.is_good()).map(|(role, _)| role.name.as_str()).take(50).collect();
        let params = serde_json::json!({"roles": found.len(), "not_good": bad});
        tx.commit(&Event { params, ..told.on("node", node.as_str(), Some(&account.path)) }).await?;
        Ok(found)
    }

    async fn ask(&self, role: &Role, provider: Option<&IdpArn>, keys: &Keys) -> Found {
        let Some(arn) = &role.arn else { return Found::Missing };
        let cloud = cloud::find(arn.cloud());
        let net = self.net.as_ref();
        let asked = call::ask(self.clock.as_ref(), || cloud.role_trust(arn, keys, &self.env, self.clock.now(), net)).await;
        match (asked, provider) {
            (Ok(Trusted::NoRole), _) => Found::Missing,
            (Ok(_), None) => Found::There,
            (Ok(trusted), Some(provider)) if trusted.lets_in(provider) => Found::Trusting,
            (Ok(_), Some(_)) => Found::Distrusting,
            (Err(error), _) => Found::Unread(error.code().to_owned()),
        }
    }
}
