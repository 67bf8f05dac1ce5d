//! Time, as a thing that is asked.

use std::time::Duration;

use async_trait::async_trait;

use crate::types::Timestamp;

/// Tells the time and waits.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Waits for `pause`.
    async fn sleep(&self, pause: Duration);
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::system_now()
    }

    #[allow(clippy::disallowed_methods, reason = "waiting is done here")]
    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}
