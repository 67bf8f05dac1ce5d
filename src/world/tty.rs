//! The terminal device itself, wherever stdin and stdout go.

use console::Term;

/// The terminal that the person sits at. Prompts are written to it and answers read from it, so stdout stays
/// data even in the middle of a pipe.
pub struct Terminal {
    term: Term,
    #[cfg(unix)]
    device: std::fs::File,
    /// The modes before the first prompt, to go back to when a prompt is left by Ctrl-C.
    #[cfg(unix)]
    modes: Option<rustix::termios::Termios>,
}

impl Terminal {
    /// Opens the terminal of this process; nothing if it has none.
    #[cfg(unix)]
    #[allow(clippy::disallowed_methods, reason = "the terminal is opened here")]
    pub fn open() -> Option<Self> {
        let device = std::fs::File::options().read(true).write(true).open("/dev/tty").ok()?;
        let modes = rustix::termios::tcgetattr(&device).ok();
        let term = Term::read_write_pair(device.try_clone().ok()?, device.try_clone().ok()?);
        Some(Self { term, device, modes })
    }

    /// Opens the terminal of this process; nothing if it has none.
    #[cfg(not(unix))]
    pub fn open() -> Option<Self> {
        use std::io::IsTerminal;
        (std::io::stdin().is_terminal() && std::io::stderr().is_terminal()).then(|| Self { term: Term::stderr() })
    }

    /// Where prompts are shown and answered.
    pub fn term(&self) -> Term {
        self.term.clone()
    }

    /// Puts echo and cursor back as they were, after a prompt that did not end by itself.
    pub fn restore(&self) {
        #[cfg(unix)]
        if let Some(modes) = &self.modes {
            let _ = rustix::termios::tcsetattr(&self.device, rustix::termios::OptionalActions::Now, modes);
        }
        let _ = self.term.show_cursor();
    }
}
