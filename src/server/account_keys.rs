//! Access keys of users of cloud accounts, from the shell of the machine that serves: for accounts whose `vend_method` is `ram_user`.

use super::ServeError;
use super::keys::{KeyRoom, KeysError};
use crate::tvm::audit::{AuthKind, Event};
use crate::tvm::model::{CloudAccount, Node};
use crate::tvm::store::secrets::Kept as AccountKey;
use crate::tvm::store::{StoreError, nodes, secrets};
use crate::types::{Secret, Timestamp};

/// The longest access key ID and secret, in bytes; no cloud's are nearly so long.
const LONGEST: usize = 256;

impl KeyRoom {
    /// The account nodes that have a key, in the order of their identities.
    ///
    /// # Errors
    /// The database.
    pub async fn account_keys(&self) -> Result<Vec<AccountKey>, ServeError> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = secrets::page(&mut *self.store.read().await?, &after, 200).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = last.node.to_string();
            all.extend(page);
        }
    }

    /// Seals the access key of a user of an account (`PARTITION:NUMBER`) and keeps it in place of the one before. Gives the node's name.
    ///
    /// # Errors
    /// There is no such account in the tree, the key is none, or there is nothing to seal it with.
    pub async fn put_account_key(
        &self,
        account: &str,
        access_key_id: &str,
        secret: &Secret<String>,
        now: Timestamp,
    ) -> Result<String, ServeError> {
        self.sealed()?;
        let looks_like_one =
            |text: &str| !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !looks_like_one(access_key_id) || !looks_like_one(secret.expose()) {
            return Err(KeysError::Unusable("an access key is one word, and so is its secret").into());
        }
        let why = "an access key is sealed with a passphrase, and none was given (`keys.passphrase_file`)";
        let seal = self.keepers.seal().ok_or(KeysError::Unusable(why))?;
        let node = self.account_node(account).await?;
        let sealed = seal.close(secret.expose().as_bytes(), secrets::TABLE, node.id.as_str()).map_err(KeysError::from)?;
        let event = Event::by(AuthKind::System, "secret.set", serde_json::json!({ "access_key_id": access_key_id }));
        let mut tx = self.store.begin(now).await?;
        tx.put_secret(&node.id, access_key_id, &sealed).await?;
        tx.commit(&event.on("node", node.id.as_str(), Some(&node.path))).await?;
        Ok(node.name.to_string())
    }

    /// Forgets the key of an account. Gives the node's name.
    ///
    /// # Errors
    /// There is no such account in the tree, or it has no key.
    pub async fn drop_account_key(&self, account: &str, now: Timestamp) -> Result<String, ServeError> {
        let node = self.account_node(account).await?;
        let event = Event::by(AuthKind::System, "secret.drop", serde_json::json!({}));
        let mut tx = self.store.begin(now).await?;
        tx.drop_secret(&node.id).await?;
        tx.commit(&event.on("node", node.id.as_str(), Some(&node.path))).await?;
        Ok(node.name.to_string())
    }

    async fn account_node(&self, account: &str) -> Result<Node, ServeError> {
        let account = CloudAccount::parse(account)?;
        let found = nodes::by_account(&mut *self.store.read().await?, &account).await?;
        Ok(found.ok_or(StoreError::NotFound("account in the tree"))?)
    }
}
