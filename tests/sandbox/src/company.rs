//! What a test does with the box's company and with the service that signs people in for it: introduces them to each other and to the clouds.

use std::sync::Arc;

use super::{Grant, Sandbox, StartError, Tvm};

impl Sandbox {
    /// Opens the box's company and its clouds' sign-in pages to browsers without the box's proxy, at an address of this machine: the
    /// company's identity provider at its root, a cloud's page below `/cloud/HOST`. Without it, they are at their own names only.
    pub fn open_front(&self) -> Result<String, StartError> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(StartError::from_any)?;
        listener.set_nonblocking(true).map_err(StartError::from_any)?;
        let address = format!("http://127.0.0.1:{}", listener.local_addr().map_err(StartError::from_any)?.port());
        let runtime = self.runtime.as_ref().ok_or_else(|| StartError::from_any("the box has ended"))?;
        {
            let _inside = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::from_any)?;
            runtime.spawn(super::proxy::front(listener, Arc::clone(&self.shared)));
        }
        self.shared.world().corporate.address = Some(address.clone());
        Ok(address)
    }

    /// The address of this machine that [`Self::open_front`] opened.
    pub fn front(&self) -> Option<String> {
        self.shared.world().corporate.address.clone()
    }

    /// What the company's identity provider says of itself, and the certificate that it signs with, in DER.
    pub fn corporate(&self) -> Result<(String, Vec<u8>), StartError> {
        let mut world = self.shared.world();
        let failed = |breach: super::wire::Breach| StartError::from_any(breach.0);
        Ok((world.corporate.metadata().map_err(failed)?, world.corporate.certificate().map_err(failed)?))
    }

    /// Tells the company's identity provider of a service, by the service's metadata.
    pub fn register_service(&self, metadata: &str) -> Result<(), StartError> {
        self.shared.world().corporate.register(metadata).map_err(StartError::from_any)
    }

    /// Dates what the company's identity provider says so many seconds back.
    pub fn backdate_corporate(&self, seconds: i64) {
        self.shared.world().corporate.backdated = seconds;
    }

    /// Makes the company's identity provider say that whoever signs in from now on did so that many seconds ago.
    pub fn age_corporate(&self, seconds: i64) {
        self.shared.world().corporate.aged = seconds;
    }

    /// Tells a cloud account of an identity provider, by the full name of the entry and the provider's metadata.
    pub fn saml_provider(&self, arn: &str, metadata: &str) -> Result<(), StartError> {
        let provider = super::federation::Provider::new(arn, metadata).map_err(StartError::from_any)?;
        let mut world = self.shared.world();
        world.providers.retain(|known| known.arn() != arn);
        world.providers.push(provider);
        Ok(())
    }

    /// Adds a role that trusts such an entry.
    pub fn federated_role(&self, grant: Grant) {
        self.shared.world().federated.push(grant);
    }

    /// Changes how the token vending machine behaves.
    pub fn tvm(&self, change: impl FnOnce(&mut Tvm)) {
        change(&mut self.shared.world().tvm.settings);
    }

    /// Ends every access token of the token vending machine.
    pub fn end_tvm_access(&self) {
        self.shared.world().tvm.end_access();
    }

    /// How many access tokens of the token vending machine are good.
    pub fn tvm_sign_ins(&self) -> usize {
        self.shared.world().tvm.signed_in()
    }
}
