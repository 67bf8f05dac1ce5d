//! The operating system, and only here: clock, network, environment, files, terminal, processes.
//!
//! The rest of the program gets these as values and small traits, so that a test can hold the clock,
//! record the network and give a scratch home. `.clippy.toml` forbids the system's own calls elsewhere.

mod certificates;
mod clock;
mod daemon;
mod env;
pub mod file;
mod folder;
mod handover;
mod helper;
#[cfg(feature = "serve")]
mod instance;
mod interrupt;
mod launch;
mod listen;
mod mark;
mod net;
#[cfg(feature = "serve")]
mod outbound;
#[cfg(feature = "serve")]
pub mod outlet;
mod paths;
mod piped;
pub mod tty;

pub use certificates::certificates;
pub use clock::{Clock, SystemClock};
pub use daemon::{Heard, Signals, open_port, tell};
pub use env::{Env, machine_name};
pub use folder::Folder;
pub use handover::{HandOverError, hand_over};
pub use helper::Helper;
#[cfg(feature = "serve")]
pub use instance::Instance;
pub use interrupt::{listen_for_interrupt, was_interrupted, was_interrupted_with_it};
pub use launch::{EnvChange, Launcher, SystemLauncher};
pub(crate) use listen::is_same;
pub use listen::{Door, Listener, Reply, SystemListener, Visitor};
pub use mark::Mark;
pub use net::{HttpNetwork, Method, Network, Request, Response, Tls, Transport, TransportError, init_tls, is_busy};
#[cfg(feature = "serve")]
pub use outbound::{Listed, is_public, open_outbound};
pub use paths::Paths;
pub use piped::{Piped, find_program};

/// What the operating system gives to one run of the program.
pub struct World<'w> {
    /// Opens transports.
    pub network: &'w dyn Network,
    /// Tells the time and waits.
    pub clock: &'w dyn Clock,
    /// Becomes another program, runs helpers, opens the browser.
    pub launcher: &'w dyn Launcher,
    /// Opens doors on loopback.
    pub listener: &'w dyn Listener,
    /// The environment as it was at the start.
    pub env: &'w Env,
    /// Where files are.
    pub paths: &'w Paths,
}

/// Keeps the passwords and keys in this process's memory out of core dumps and away from other processes of the same
/// person. A child that this process becomes is not affected.
pub fn harden() {
    #[cfg(target_os = "linux")]
    {
        // Where the kernel refuses, all works as before.
        let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    }
}

/// 32 random letters and digits, for what must never be sent twice.
pub fn nonce() -> String {
    let mut bytes = [0_u8; 16];
    // It fails only where the system has no randomness at all, and then TLS fails before this matters.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number that nobody can guess. The same holds where the system has no randomness.
pub fn random() -> u128 {
    let mut bytes = [0_u8; 16];
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    u128::from_be_bytes(bytes)
}
