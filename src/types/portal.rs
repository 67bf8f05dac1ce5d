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
