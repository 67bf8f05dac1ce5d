//! What signing in at a cloud's own portal is like whichever cloud it is: one process at a time, and a browser only where one can be
//! shown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Field, Session};
use crate::types::WebUrl;
use crate::world::Env;
use crate::world::file::{self, Lock};

/// A sign-in with a code, as all portals take it.
pub(super) const DEVICE: Field = Field {
    key: "device",
    variable: "DEVICE",
    help: "sign in on another device, with a code, in place of the browser of this machine",
    needed: false,
};
/// Whether a program that nobody watches may open a browser.
pub(super) const AUTO_LOGIN: Field =
    Field { key: "auto_login", variable: "AUTO_LOGIN", help: "`credential-process` may start a sign-in too", needed: false };
/// Where the browser comes back to.
pub(super) const REDIRECT_PORT: Field = Field {
    key: "redirect_port",
    variable: "REDIRECT_PORT",
    help: "the port on 127.0.0.1 that the browser is led back to, for `ssh -L`; any free one if not set",
    needed: false,
};

/// How long a process waits for another one's sign-in before it says so.
const PATIENCE: Duration = Duration::from_secs(2);

/// By what processes wait for each other's sign-ins at the portal that is named so.
pub(super) fn queue(session: &Session<'_>, name: &str) -> PathBuf {
    session.machine.paths.portal_cache().join(format!("{}.lock", file_name(&["turn", name])))
}

/// Waits until no other process in that queue signs in.
pub(super) async fn turn(session: &Session<'_>, queue: &Path) -> Option<Lock> {
    let waiting = file::lock(queue);
    tokio::pin!(waiting);
    let taken = tokio::select! {
        biased;
        taken = &mut waiting => taken,
        () = session.clock.sleep(PATIENCE) => {
            if session.machine.may_send_person {
                session.answers.notify("Waiting for another saml2cloud that is signing in ...");
            }
            waiting.await
        }
    };
    // A folder that cannot be written costs the queue, not the sign-in.
    taken.inspect_err(|error| tracing::debug!(%error, "there is no queue for sign-ins")).ok()
}

/// A name for a file of ours: the same for the same things, and nothing of them in it.
pub(super) fn file_name(parts: &[&str]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, parts.join("\0").as_bytes());
    digest.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether no browser of this machine can be shown to the person.
pub(super) fn is_headless(env: &Env) -> bool {
    let has = |name: &str| env.raw(name).is_some();
    if has("BROWSER") {
        return false;
    }
    let has_screen = has("DISPLAY") || has("WAYLAND_DISPLAY");
    let is_far = (has("SSH_CONNECTION") || has("SSH_TTY")) && !has_screen;
    is_far || (cfg!(target_os = "linux") && !has_screen && !has("WSL_DISTRO_NAME"))
}

/// Whether a browser was opened.
pub(super) fn open(session: &Session<'_>, address: &WebUrl) -> bool {
    let opened = session.machine.launcher.browse(address);
    opened.inspect_err(|error| tracing::debug!(%error, "no browser could be opened")).is_ok()
}
