//! temp
pub mod types;
pub mod world;
pub mod http;
pub mod text;
pub mod ask;
pub mod mfa;
pub mod saml;
pub mod idp;
pub mod cloud;
