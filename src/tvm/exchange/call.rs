//! One question to a cloud: not longer than somebody waits, once more if the cloud was only busy, and what became of it in the ledger's words.

use std::time::Duration;

use crate::cloud::CloudError;
use crate::tvm::ledger::Outcome;
use crate::world::{self, Clock, TransportError};

/// How long a cloud has for its answer, a second try included.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long to wait before the second try: this, and up to as much again. Whoever was refused at the same time does not come back at the same time.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a cloud gave nothing, as far as it is known.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It said no, or something that is not an answer, or cannot be reached.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// It did not answer in time. It may have given something all the same.
    #[error("the cloud did not answer within {} seconds", DEADLINE.as_secs())]
    Late,
}

impl CallError {
    /// What the ledger says of it. Only what is certain is called refused or failed.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Cloud(CloudError::Refused { .. } | CloudError::ConsoleRefused { .. }) => Outcome::Refused,
            // The connection broke, perhaps after the question was heard; or the answer could not be read.
            Self::Cloud(
                CloudError::Garbled { .. }
                | CloudError::NoSigninToken { .. }
                | CloudError::Transport(
                    TransportError::Unreachable { .. } | TransportError::Late { .. } | TransportError::TooLong { .. },
                ),
            )
            | Self::Late => Outcome::Unknown,
            Self::Cloud(_) => Outcome::Failed,
        }
    }

    /// The word for it: the cloud's own, where it has one.
    pub fn code(&self) -> &str {
        match self {
            Self::Cloud(CloudError::Refused { code, .. } | CloudError::ConsoleRefused { code, .. }) if !code.is_empty() => {
                code.raw()
            }
            Self::Cloud(CloudError::Garbled { .. } | CloudError::NoSigninToken { .. }) => "unreadable_answer",
            Self::Cloud(CloudError::Transport(TransportError::Unreachable { .. })) => "unreachable",
            Self::Cloud(CloudError::Transport(TransportError::Untrusted { .. })) => "untrusted_certificate",
            Self::Cloud(CloudError::Transport(TransportError::Late { .. })) | Self::Late => "late",
            Self::Cloud(_) => "not_asked",
        }
    }

    /// The cloud's number for the request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Cloud(CloudError::Refused { request_id, .. }) if !request_id.is_empty() => Some(request_id.raw()),
            _ => None,
        }
    }
}

/// Asks, and a second time where the cloud had too much to do: then it gave nothing.
pub(super) async fn ask<T, F>(clock: &dyn Clock, question: impl Fn() -> F) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CloudError>>,
{
    let asking = async {
        match question().await {
            Err(error @ CloudError::Refused { .. }) if error.is_passing() => {
                let jitter = u64::try_from(world::random() % PAUSE.as_millis()).unwrap_or_default();
                clock.sleep(PAUSE + Duration::from_millis(jitter)).await;
                question().await
            }
            done => done,
        }
    };
    tokio::select! {
        biased;
        done = asking => Ok(done?),
        () = clock.sleep(DEADLINE) => Err(CallError::Late),
    }
}
