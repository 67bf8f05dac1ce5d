//! SAML 2.0. Here so far: what a client reads in a SAML response. A client does not judge the signature; the cloud
//! does, and gets the response byte for byte as it came.

mod response;

pub use response::{BadResponse, Reading};
