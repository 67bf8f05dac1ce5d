//! SAML 2.0. Here so far: what a client reads in a SAML response, and an identity provider's metadata. A client does not judge the signature; the cloud
//! does, and gets the response byte for byte as it came.

mod metadata;
mod response;
#[cfg(feature = "serve")]
mod signer;

pub use metadata::{BadMetadata, EntityDescriptor};
pub use response::{BadResponse, Reading};
#[cfg(feature = "serve")]
pub use signer::{SignError, Signer};
