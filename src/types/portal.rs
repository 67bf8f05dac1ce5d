//! What a cloud's own sign-in portal hands over after a sign-in.

use super::{Region, Secret, Timestamp, WebUrl};

/// The access token of a sign-in portal. It stands in for an assertion: whoever has it may take every role that the portal offers.
#[derive(Debug, Clone)]
pub struct PortalToken {
    /// The access token.
    pub access: Secret<String>,
    /// The portal's start page.
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
