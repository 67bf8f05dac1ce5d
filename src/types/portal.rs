//! What a sign-in portal hands over after a sign-in: a cloud's own, or a token vending machine.

use super::{Region, Secret, Timestamp, WebUrl};

/// Whose portal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PortalKind {
    /// The cloud's own.
    #[default]
    Cloud,
    /// A token vending machine's, `saml2cloud serve`: it stands beside the clouds, and its roles have their full names.
    Tvm,
}

/// The access token of a sign-in portal. It stands in for an assertion: whoever has it may take every role that the portal offers.
#[derive(Debug, Clone)]
pub struct PortalToken {
    /// The access token.
    pub access: Secret<String>,
    /// Whose portal it is of.
    pub kind: PortalKind,
    /// The portal's start page; the base of its addresses, ending in `/`, where it is a token vending machine.
    pub start: WebUrl,
    /// The region that the portal lives in, where portals have one.
    pub region: Option<Region>,
    /// When it stops working.
    pub expires: Timestamp,
}

/// What a profile needs beside credentials so that a cloud's own tools get new ones at a portal by themselves.
#[derive(Debug, Clone)]
pub struct PortalSession {
    /// The token.
    pub token: PortalToken,
    /// The role, as the portal wants it to be called in a request.
    pub role_id: String,
}
