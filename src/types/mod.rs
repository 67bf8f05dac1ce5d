//! The words of the domain. Pure values: no input, no output, nothing of ours is imported here.

mod arn;
mod assertion;
mod claims;
mod credentials;
mod duration;
mod names;
mod offer;
mod partition;
mod portal;
mod role;
mod secret;
mod switch;
mod time;
mod untrusted;
mod url;

pub use arn::{BadArn, IdpArn, RoleArn};
pub use assertion::{Assertion, IdToken, SamlResponse, ServiceProvider, WebIdentity};
pub use claims::Claims;
pub use credentials::Credentials;
pub use duration::{BadDuration, SessionDuration};
pub use names::{AccountName, BadName, CloudAccountId, CloudId, ProfileName, Region, SessionName, Username};
pub use offer::{Choice, Offer, OfferedRole, RoleWish, Unchosen};
pub use partition::Partition;
pub use portal::{PortalKind, PortalSession, PortalToken};
pub use role::{PortalRole, Role};
pub use secret::Secret;
pub use switch::{NoSwitch, switch};
pub use time::Timestamp;
pub use untrusted::Untrusted;
pub use url::{BadUrl, WebUrl};
