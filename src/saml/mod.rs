//! SAML 2.0, on every side of it.
//!
//! The command line reads a response ([`Reading`]) and does not judge its signature; the cloud does, and gets it byte for byte as it came. The service
//! is a service provider towards the corporate identity provider: it asks ([`request`]), judges what comes back ([`verify`]) and hears about
//! signing out ([`logout`]). Towards the clouds it is an identity provider, which issues and signs. Both describe themselves in [`metadata`].

#[cfg(feature = "serve")]
mod issue;
#[cfg(feature = "serve")]
pub mod logout;
#[cfg(feature = "serve")]
mod markup;
pub mod metadata;
#[cfg(feature = "serve")]
pub mod request;
mod response;
#[cfg(feature = "serve")]
mod signer;
#[cfg(test)]
#[cfg(feature = "serve")]
pub(crate) mod testing;
#[cfg(feature = "serve")]
pub mod verify;

#[cfg(feature = "serve")]
pub use issue::IssueError;
#[cfg(feature = "serve")]
pub(crate) use issue::Statement;
#[cfg(feature = "serve")]
pub use markup::Unwritable;
pub use metadata::{BadMetadata, Binding, Endpoint, EntityDescriptor};
pub use response::{BadResponse, Reading};
#[cfg(feature = "serve")]
pub use signer::{SignError, Signer};
