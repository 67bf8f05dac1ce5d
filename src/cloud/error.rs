//! What can go wrong with a cloud and its files.

use std::time::Duration;

use super::Lack;
use crate::saml::BadResponse;
use crate::types::{CloudId, PortalRole, Untrusted};
use crate::world::{TransportError, is_busy};

/// The longest wait that is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why a cloud gave no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The SAML response cannot be read.
    #[error("cannot read the SAML response of the identity provider")]
    Response(#[from] BadResponse),
    /// No roles of this cloud in it.
    #[error("the identity provider grants you no role in {}{}", .cloud.title(), for_other(*.other))]
    NoRoles {
        /// The cloud that was asked for.
        cloud: CloudId,
        /// The other cloud, if the assertion is for that one.
        other: Option<CloudId>,
    },
    /// It has roles, but none that can be read.
    #[error("the identity provider sends roles for {} that are not role names: \"{example}\"", .cloud.title())]
    BadRoles {
        /// The cloud that was asked for.
        cloud: CloudId,
        /// The first of them.
        example: Untrusted,
    },
    /// The cloud has no sign-in portal that we speak to.
    #[error("{} has no sign-in portal that can be asked here", .0.title())]
    NoPortal(CloudId),
    /// An address that is not used.
    #[error("`{text}` is no address for the sign-in portal: {why}")]
    PortalAddress {
        /// The address.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The portal does not take the access token any more.
    #[error("the sign-in portal at {host} says that the session has expired or is otherwise invalid")]
    SignedOut {
        /// Who says so.
        host: String,
    },
    /// The portal does not let this person take that role.
    #[error("the sign-in portal gives you no access{}{}", of_role(.role.as_ref()), quoted(.said))]
    NoAccess {
        /// Which role.
        role: Option<PortalRole>,
        /// In its words.
        said: Untrusted,
    },
    /// A token vending machine wants the person to prove anew who they are.
    #[error("{host} wants you to sign in again before it hands out these keys{}", quoted(.said))]
    ProofDue {
        /// Who wants it.
        host: String,
        /// In its words.
        said: Untrusted,
    },
    /// A token vending machine said no.
    #[error("{host} refused: {code}{}{}", quoted(.said), request(.request_id))]
    Vending {
        /// Who refused.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Its word for the reason.
        code: Untrusted,
        /// Its sentence.
        said: Untrusted,
        /// Its number for the request.
        request_id: Untrusted,
        /// How long it asks to wait before the next request.
        wait: Option<Duration>,
    },
    /// A token vending machine lets the keys be fetched from the cloud, where nobody holds them to a session policy.
    #[error("{host} hands out no keys for this role but what buys them at the cloud, and a session policy cannot go along")]
    Unlimited {
        /// Who answered.
        host: String,
    },
    /// An answer that is not the portal's.
    #[error("the sign-in portal at {host} gave an answer that is not one (HTTP {status}): {why}")]
    PortalGarbled {
        /// Who answered.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        why: Untrusted,
    },
    /// A role and an assertion of different kinds. An offer never pairs them.
    #[error("the role and the assertion are of different kinds")]
    Mismatch,
    /// An ID token lists no roles, and the account does not say what it takes.
    #[error("an ID token lists no roles, and {}", lack(*.what))]
    NotConfigured {
        /// The cloud.
        cloud: CloudId,
        /// What is missing.
        what: Lack,
    },
    /// An address that is not used.
    #[error("`{text}` is no address for the security token service: {why}")]
    Endpoint {
        /// The address.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The cloud said no.
    #[error("{} refused the credentials: {code}: \"{message}\"{}", .cloud.title(), request(.request_id))]
    Refused {
        /// Which cloud.
        cloud: CloudId,
        /// Its word for the reason.
        code: Untrusted,
        /// Its sentence.
        message: Untrusted,
        /// Its number for the request, for its support.
        request_id: Untrusted,
        /// The HTTP status.
        status: u16,
        /// Whether the wished duration is what it refused.
        too_long: bool,
    },
    /// An answer that is not the cloud's.
    #[error("the security token service at {host} gave an answer that is not one (HTTP {status}): {why}")]
    Garbled {
        /// Who answered.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        why: Untrusted,
    },
    /// The cloud takes these keys for no console session.
    #[error("{} gives no console sign-in for these keys{}{}", .cloud.title(), with_code(.code, *.status), quoted(.message))]
    ConsoleRefused {
        /// Which cloud.
        cloud: CloudId,
        /// The HTTP status.
        status: u16,
        /// Its word for the reason, if it has one.
        code: Untrusted,
        /// Its sentence.
        message: Untrusted,
        /// Whether the keys may be the reason, so that others may do.
        of_keys: bool,
    },
    /// An answer of the console's sign-in without what it is asked for.
    #[error("the console sign-in at {host} gave an answer without a sign-in token (HTTP {status})")]
    NoSigninToken {
        /// Who answered.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// A partition whose console sign-in nobody has described.
    #[error("no console sign-in is known for AWS's partition `{partition}`")]
    NoConsole {
        /// The role's partition.
        partition: String,
    },
    /// No answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl CloudError {
    /// How long whoever refused asks to wait.
    pub fn wait(&self) -> Duration {
        match self {
            Self::Vending { wait, .. } => wait.unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    /// Whether the same call may well succeed a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                is_busy(*status)
                    || code.raw().starts_with("Throttling")
                    // AWS could not fetch the keys of a token's issuer just now.
                    || matches!(code.raw(), "ServiceUnavailable" | "IDPCommunicationError")
            }
            Self::Garbled { status, .. } | Self::NoSigninToken { status, .. } => is_busy(*status),
            // A cloud that failed behind it was asked again already, there.
            Self::Vending { status, wait, .. } => matches!(status, 429 | 503) && wait.is_none_or(|wait| wait <= LONGEST_WAIT),
            Self::Transport(error) => matches!(error, TransportError::Unreachable { .. }),
            _ => false,
        }
    }
}

fn lack(what: Lack) -> &'static str {
    match what {
        Lack::Role => "none is named by its full name (ARN)",
        Lack::OidcProvider => "Alibaba Cloud has to be told the ARN of the OIDC provider beside the role's",
    }
}

fn for_other(cloud: Option<CloudId>) -> String {
    cloud.map(|cloud| format!("; its answer is for {}", cloud.title())).unwrap_or_default()
}

fn with_code(code: &Untrusted, status: u16) -> String {
    if code.is_empty() { format!(" (HTTP {status})") } else { format!(": {code} (HTTP {status})") }
}

fn of_role(role: Option<&PortalRole>) -> String {
    role.map(|role| format!(" to `{}` in account {}", role.name(), role.account())).unwrap_or_default()
}

fn quoted(said: &Untrusted) -> String {
    if said.is_empty() { String::new() } else { format!(": \"{said}\"") }
}

fn request(id: &Untrusted) -> String {
    if id.is_empty() { String::new() } else { format!(" (request {id})") }
}
