//! Where credentials rest for a cloud's own tools: files of profiles.

use crate::types::{Credentials, PortalSession, ProfileName, Region, RoleArn, Timestamp, WebUrl};
use crate::world::file::FileError;

/// A place where credentials are kept by profile name: the file that the cloud's own tools read.
pub trait Store: Send + Sync {
    /// The file.
    fn path(&self) -> &std::path::Path;

    /// The files that [`look`](Self::look) reads.
    fn files(&self) -> Vec<&std::path::Path>;

    /// Whether writing to `profile` would destroy something that is not ours. Asked before a sign-in begins, so that nobody
    /// types a code for nothing, and again under the lock when it is written.
    ///
    /// # Errors
    /// [`StoreError`].
    fn check(&self, profile: &ProfileName) -> Result<(), StoreError>;

    /// Writes credentials into `profile`, and the region where there is one to write. With `force`, whatever the profile was.
    ///
    /// # Errors
    /// [`StoreError`]; the file is then as it was.
    fn put(
        &self,
        profile: &ProfileName,
        credentials: &Credentials,
        region: Option<&Region>,
        force: bool,
    ) -> Result<(), StoreError>;

    /// As [`Store::check`], for a profile that will hold a session at the portal with that sign-in URL too.
    ///
    /// # Errors
    /// [`StoreError`].
    fn check_session(&self, profile: &ProfileName, _at: &WebUrl) -> Result<(), StoreError> {
        self.check(profile)
    }

    /// As [`Store::put`], with the session that gave the credentials, so that the cloud's own tools can get new ones by themselves. Where
    /// they cannot, only the credentials are written.
    ///
    /// # Errors
    /// [`StoreError`]; the file is then as it was.
    fn put_session(
        &self,
        profile: &ProfileName,
        credentials: &Credentials,
        _session: &PortalSession,
        region: Option<&Region>,
        force: bool,
    ) -> Result<(), StoreError> {
        self.put(profile, credentials, region, force)
    }

    /// Takes the session at that portal out of `profile`, if it holds one.
    ///
    /// # Errors
    /// [`StoreError`]; the session is then still there.
    fn forget_session(&self, _profile: &ProfileName, _at: &WebUrl) -> Result<(), StoreError> {
        Ok(())
    }

    /// The credentials of `profile`, if the file says that they are of the role `wished` and when they end.
    ///
    /// # Errors
    /// [`StoreError`].
    fn get(&self, profile: &ProfileName, wished: &RoleArn) -> Result<Option<Credentials>, StoreError>;

    /// What the file says of `profile`, read once; nothing of what cannot be read.
    fn look(&self, profile: &ProfileName) -> Held;
}

/// What a file says of a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The ID of the access key in it.
    pub key_id: Option<String>,
    /// Whose keys they are: the assumed role's name.
    pub assumed: Option<String>,
    /// The region that the cloud's own tools use with it.
    pub region: Option<Region>,
    /// When the session at a portal ends that it holds, if it holds one.
    pub session_until: Option<Timestamp>,
}

/// Why a profile was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not what it should be.
    #[error("`{path}` is not {what}: {why}")]
    Broken {
        /// The file.
        path: String,
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The profile is somebody else's work.
    #[error("profile `{profile}` {holds}, which a login would overwrite")]
    NotOurs {
        /// The profile.
        profile: ProfileName,
        /// What it holds.
        holds: String,
    },
}
