//! Ctrl-C, for those too who wait where no runtime looks: for a keychain that hangs, for instance.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

static PRESSED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C on a thread of its own, from here to its first press. Where that thread does not start, only those who wait in a
/// runtime hear it.
pub fn listen_for_interrupt() {
    let (listening, listens) = mpsc::channel::<()>();
    let listen = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        let heard = runtime.block_on(async {
            let mut press = pin!(tokio::signal::ctrl_c());
            tokio::select! {
                biased;
                heard = &mut press => return heard,
                // The first look makes it listen.
                () = std::future::ready(()) => drop(listening),
            }
            press.await
        });
        if heard.is_ok() {
            PRESSED.store(true, Ordering::Relaxed);
        }
    };
    if std::thread::Builder::new().name("interrupt".to_owned()).spawn(listen).is_ok() {
        // It ends when the other side is dropped, as it is once somebody listens.
        let _ = listens.recv();
    }
}

/// Whether Ctrl-C was pressed: whoever waits for it in the runtime ends the run, and nobody else goes on.
pub fn was_interrupted() -> bool {
    PRESSED.load(Ordering::Relaxed)
}

/// Whether Ctrl-C was pressed, asked after another program of this terminal gave up: it reached both at the same moment, but the other's end may be
/// seen before our own signal. Waits for that, a fifth of a second at the most; for threads that may be kept waiting.
#[allow(clippy::disallowed_methods, reason = "nobody has a clock here, and nothing else is waited for")]
pub fn was_interrupted_with_it() -> bool {
    for _ in 0..20 {
        if was_interrupted() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    was_interrupted()
}
