//! What comes from where, counted by all processes of the service together: a limit is one limit, however many processes there are.
//!
//! Each process counts for itself first, which costs nothing and keeps floods from the place where all count. That place is where sign-ins are
//! kept. While it is away each process goes by its own count alone: for a limit nobody is refused the service.

use std::time::Duration;

use async_trait::async_trait;

use super::{Limiter, Rate};
use crate::server::problem::{Code, Problem};
use crate::server::settings::Limits;
use crate::tvm::model::{NodeId, VendMethod};
use crate::tvm::store::Store;
use crate::tvm::store::allowances::Allowance;
use crate::types::{CloudId, Timestamp};

/// Where all processes count.
#[async_trait]
pub trait Together: Send + Sync {
    /// Takes one of each, or none of any, and says how long to wait then. Nothing where it cannot be asked.
    async fn take(&self, wanted: &[Allowance], now: Timestamp) -> Option<Result<(), Duration>>;

    /// Gives one back. Where it cannot be asked it comes back with the time.
    async fn give_back(&self, taken: &Allowance, now: Timestamp);
}

/// In the database.
#[async_trait]
impl Together for Store {
    async fn take(&self, wanted: &[Allowance], now: Timestamp) -> Option<Result<(), Duration>> {
        match Self::take(self, wanted, now).await {
            Ok(None) => Some(Ok(())),
            Ok(Some(wait)) => Some(Err(wait)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "what is taken cannot be counted for all processes");
                None
            }
        }
    }

    async fn give_back(&self, taken: &Allowance, now: Timestamp) {
        if let Err(error) = Self::give_back(self, taken, now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what was taken cannot be given back");
        }
    }
}

/// A share of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    name: String,
    /// What this process lets through.
    here: Rate,
    /// What all of them do.
    together: Rate,
}

impl Share {
    /// The same for one process and for all.
    pub(crate) fn of(name: String, rate: Rate) -> Self {
        Self { name, here: rate, together: rate }
    }

    /// What one vend at an account takes of what everybody may. `is_form` says that a browser posts what is made, so that nobody's token service is asked.
    pub(crate) fn at_account(node: &NodeId, cloud: CloudId, method: VendMethod, is_form: bool, limits: &Limits) -> Vec<Self> {
        let mut shares = vec![Self::of(format!("account {node}"), Rate::smooth(limits.vend_per_account))];
        // The machine's own role is one caller for all accounts.
        match (cloud, method) {
            (CloudId::Aws, _) | (_, VendMethod::None) => {}
            (CloudId::Alibaba, VendMethod::Saml) if is_form => {}
            (CloudId::Alibaba, VendMethod::HubRole) => shares.push(Self::of_alibaba("hub")),
            (CloudId::Alibaba, VendMethod::Saml | VendMethod::RamUser) => shares.push(Self::of_alibaba(node.as_str())),
        }
        shares
    }

    /// The token service of an Alibaba Cloud account takes 100 requests a second, of everybody; never are more than 80 sent within any second. A
    /// process that counts alone sends half of that, so that the two of a service in two zones are within it as well.
    fn of_alibaba(caller: &str) -> Self {
        let rate = |number| Rate { burst: number, a_minute: number * 60 };
        Self { name: format!("sts {caller}"), here: rate(20), together: rate(40) }
    }

    /// What all processes count of it.
    fn of_all(&self) -> Allowance {
        let Rate { burst, a_minute } = self.together;
        Allowance { name: self.name.clone(), every: 60_000_000 / i64::from(a_minute.max(1)), burst: i64::from(burst) }
    }
}

impl Limiter {
    /// Takes one of each share, of this process's and of what all have together.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait.
    pub(crate) async fn share(&self, place: &dyn Together, shares: &[Share], now: Timestamp) -> Result<(), Problem> {
        let limited = |seconds| Problem::only(Code::RateLimited).after(seconds);
        for share in shares {
            self.take(&share.name, share.here, now).map_err(limited)?;
        }
        let wanted: Vec<Allowance> = shares.iter().map(Share::of_all).collect();
        match place.take(&wanted, now).await {
            Some(Err(wait)) => Err(limited(u64::try_from(wait.as_micros().div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1))),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Gives a share back that was taken and not needed.
    pub(crate) async fn unshare(&self, place: &dyn Together, share: &Share, now: Timestamp) {
        self.give_back(&share.name);
        place.give_back(&share.of_all(), now).await;
    }
}
