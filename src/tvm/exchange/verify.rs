//! Looking whether an account is as it is registered: its roles are there, and trust us. The service reads this itself, by a role that the account
//! has for it, so no key of the account is kept here.

use std::sync::Arc;

use super::{Made, VendError, Vending, call};
use crate::cloud::{self, Keys, Trusted};
use crate::tvm::audit::Event;
use crate::tvm::model::{NodeId, Role, VendMethod};
use crate::tvm::store::{nodes, preset_users, roles};
use crate::tvm::vend::{self, Duty};
use crate::types::{Credentials, IdpArn, RoleArn};

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

/// What was seen of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Every role.
    pub roles: Vec<(Role, Found)>,
    /// The user that the account keeps for its administrators, where one is named: there, missing or unread.
    pub user: Option<(String, Found)>,
}

impl Vending {
    /// Looks at every role of an account and writes down what it is like. What is done is in the ledger and in the trail like every vend.
    ///
    /// # Errors
    /// [`VendError`]: there is no role in the account for this, or its keys cannot be come by.
    pub async fn verify(self: &Arc<Self>, duty: &Duty<'_>) -> Result<Seen, VendError> {
        let permit = vend::begin_duty(&self.store, duty, self.clock.now()).await??;
        let (ours, node, told) = (self.clone(), duty.node.clone(), duty.event("node.verify"));
        let task = tokio::spawn(async move {
            let (made, verifier) = (ours.make(&permit, None).await, permit.role().clone());
            let keys = ours.end(permit, made, Made::of_keys).await?;
            ours.look(&node, &verifier, &keys, told).await
        });
        task.await.map_err(|_| VendError::Stopping)?
    }

    async fn look(&self, node: &NodeId, verifier: &RoleArn, keys: &Credentials, told: Event) -> Result<Seen, VendError> {
        let mut conn = self.store.read().await?;
        let account = nodes::by_id(&mut conn, node).await?;
        let (registered, user) = (roles::in_cloud(&mut conn, node).await?, preset_users::by_node(&mut conn, node).await?);
        drop(conn);
        let (keys, mut found) = (Keys::from(keys), Vec::new());
        for role in registered {
            let provider = match role.method.unwrap_or(account.vending.method) {
                VendMethod::Saml => account.vending.provider.as_ref(),
                VendMethod::HubRole | VendMethod::RamUser | VendMethod::None => None,
            };
            let seen = self.ask(&role, provider, &keys).await;
            found.push((role, seen));
        }
        let user = match user {
            None => None,
            Some(user) => {
                let seen = self.ask_user(verifier, &user.name, &keys).await;
                Some((user.name, seen))
            }
        };
        let mut tx = self.store.begin(self.clock.now()).await?;
        for (role, seen) in &found {
            tx.set_verified(&role.id, &seen.word()).await?;
        }
        let bad: Vec<&str> =
            found.iter().filter(|(_, seen)| !seen.is_good()).map(|(role, _)| role.name.as_str()).take(50).collect();
        let mut params = serde_json::json!({"roles": found.len(), "not_good": bad});
        if let Some((name, seen)) = &user {
            tx.set_user_seen(node, name, &seen.word()).await?;
            params["user"] = serde_json::json!({"name": name, "result": seen.word()});
        }
        tx.commit(&Event { params, ..told.on("node", node.as_str(), Some(&account.path)) }).await?;
        Ok(Seen { roles: found, user })
    }

    async fn ask_user(&self, verifier: &RoleArn, user: &str, keys: &Keys) -> Found {
        let (cloud, net) = (cloud::find(verifier.cloud()), self.net.as_ref());
        let ask = || cloud.has_user(verifier, user, keys, &self.env, self.clock.now(), net);
        match call::ask(self.clock.as_ref(), ask).await {
            Ok(true) => Found::There,
            Ok(false) => Found::Missing,
            Err(error) => Found::Unread(error.code().to_owned()),
        }
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
