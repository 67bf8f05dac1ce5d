//! The terminal device itself, wherever stdin and stdout go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use console::Term;

use crate::types::Secret;

/// How often a prompt looks whether Ctrl-C was pressed.
#[cfg(unix)]
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// The terminal that the person sits at. Prompts are written to it and answers read from it, so stdout stays
/// data even in the middle of a pipe.
pub struct Terminal {
    term: Term,
    #[cfg(unix)]
    device: std::fs::File,
    /// The modes before the first prompt, to go back to when a prompt is left by Ctrl-C.
    #[cfg(unix)]
    modes: Option<rustix::termios::Termios>,
    /// Whether nobody is to be asked here any more. Held while the modes change, so that no prompt changes them after they were put back.
    left: Mutex<bool>,
    /// Who is asking. One that was given up may need a moment until it has put the modes back.
    turn: Mutex<()>,
}

impl Terminal {
    /// Opens the terminal of this process; nothing if it has none.
    #[cfg(unix)]
    #[allow(clippy::disallowed_methods, reason = "the terminal is opened here")]
    pub fn open() -> Option<Self> {
        let device = std::fs::File::options().read(true).write(true).open("/dev/tty").ok()?;
        let modes = rustix::termios::tcgetattr(&device).ok();
        let term = Term::read_write_pair(device.try_clone().ok()?, device.try_clone().ok()?);
        Some(Self { term, device, modes, left: Mutex::new(false), turn: Mutex::new(()) })
    }

    /// Opens the terminal of this process; nothing if it has none.
    #[cfg(not(unix))]
    pub fn open() -> Option<Self> {
        use std::io::IsTerminal;
        (std::io::stdin().is_terminal() && std::io::stderr().is_terminal()).then(|| Self {
            term: Term::stderr(),
            left: Mutex::new(false),
            turn: Mutex::new(()),
        })
    }

    /// Where prompts are shown and answered.
    pub fn term(&self) -> Term {
        self.term.clone()
    }

    /// From here on the terminal shows nothing by itself, until the guard goes: a prompt shows what is typed, and what comes between
    /// two of its looks at the keyboard, as when a code is pasted, would be shown twice, a password in clear.
    ///
    /// Ctrl-C among single keys is a key for the one who reads them, who tells this process with a signal of its own: as the terminal's signal
    /// it could end the run just before the reader changes the modes, and they would stay so.
    ///
    /// # Errors
    /// [`std::io::ErrorKind::Interrupted`] when the run is ending and the terminal already is as it was.
    pub(crate) fn hush(&self, keys: Keys) -> std::io::Result<Hushed<'_>> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if *left {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        #[cfg(unix)]
        if let Some(modes) = &self.modes {
            use rustix::termios::{LocalModes, OptionalActions, tcsetattr};
            let mut quiet = modes.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            if keys == Keys::One {
                quiet.local_modes.remove(LocalModes::ICANON | LocalModes::ISIG);
            }
            let _ = tcsetattr(&self.device, OptionalActions::Now, &quiet);
        }
        let _ = keys;
        Ok(Hushed { terminal: self, _turn: turn })
    }

    /// Shows `prompt`, reads a line that the terminal does not show, and leaves `shown` in the prompt's place. What was typed ahead counts:
    /// nothing is thrown away, as it would be by a library that empties the keyboard first. Once `given_up` is set nobody waits for it any more.
    ///
    /// # Errors
    /// The terminal cannot be read; no line at all (Ctrl-D) is [`std::io::ErrorKind::UnexpectedEof`], Ctrl-C
    /// and a question that was given up are [`std::io::ErrorKind::Interrupted`].
    pub fn hidden_line(&self, prompt: &str, shown: &str, given_up: &AtomicBool) -> std::io::Result<Secret<String>> {
        let _hushed = self.hush(Keys::Line)?;
        if given_up.load(Ordering::Relaxed) {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        self.term.write_str(prompt)?;
        self.term.flush()?;
        let line = self.line(given_up);
        if given_up.load(Ordering::Relaxed) {
            self.term.clear_line()?;
        }
        if line.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::Interrupted) {
            return line;
        }
        self.term.clear_line()?;
        self.term.write_line(shown)?;
        line
    }

    #[cfg(unix)]
    fn line(&self, given_up: &AtomicBool) -> std::io::Result<Secret<String>> {
        let mut device = &self.device;
        self.wait_for_line(given_up)?;
        line_of(&mut device)?.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    }

    /// Waits until there is a line to read. Ctrl-C is a signal then, which ends no read: somebody has to look for it, where no runtime does.
    #[cfg(unix)]
    fn wait_for_line(&self, given_up: &AtomicBool) -> std::io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let pause = Timespec { tv_sec: 0, tv_nsec: LOOK.as_nanos().try_into().unwrap_or_default() };
        loop {
            if super::was_interrupted() || given_up.load(Ordering::Relaxed) {
                return Err(std::io::ErrorKind::Interrupted.into());
            }
            let mut waited_for = [PollFd::new(&self.device, PollFlags::IN)];
            match poll(&mut waited_for, Some(&pause)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // A system that cannot wait for a terminal reads it at once.
                Ok(_) | Err(_) => return Ok(()),
            }
        }
    }

    #[cfg(not(unix))]
    fn line(&self, _: &AtomicBool) -> std::io::Result<Secret<String>> {
        self.term.read_secure_line().map(Secret::new)
    }

    /// Waits until nobody asks. Whoever was given up needs a moment.
    pub(crate) fn wait_for_turn(&self) {
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Puts echo and cursor back as they were, after a prompt that did not end by itself. No prompt comes after it.
    pub fn restore(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = true;
        #[cfg(unix)]
        if let Some(modes) = &self.modes {
            let _ = rustix::termios::tcsetattr(&self.device, rustix::termios::OptionalActions::Now, modes);
        }
        let _ = self.term.show_cursor();
    }
}

/// How a prompt reads the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Key by key.
    One,
    /// A line at a time.
    Line,
}

/// A terminal that shows nothing by itself.
pub struct Hushed<'t> {
    terminal: &'t Terminal,
    _turn: MutexGuard<'t, ()>,
}

impl Drop for Hushed<'_> {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(modes) = &self.terminal.modes {
            let _ = rustix::termios::tcsetattr(&self.terminal.device, rustix::termios::OptionalActions::Now, modes);
        }
    }
}

/// The first line of standard input, without its end and without reading on: what follows may be for a child. Nothing if it is empty.
///
/// # Errors
/// Standard input cannot be read, or its first line is no text.
pub fn first_line_of_stdin() -> std::io::Result<Option<Secret<String>>> {
    // Not `std::io::stdin`, which reads ahead.
    Ok(line_of(&mut unbuffered_stdin()?)?.filter(|line| !line.expose().is_empty()))
}

/// A line without its end, byte by byte; nothing where there is none.
fn line_of(source: &mut impl std::io::Read) -> std::io::Result<Option<Secret<String>>> {
    let mut line = Vec::new();
    let mut byte = [0_u8];
    let mut ended = false;
    while line.len() < 64 * 1024 && !ended {
        match source.read(&mut byte) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => ended = true,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let line = String::from_utf8(line).map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "it is no text"))?;
    let whole = Secret::new(line);
    Ok(Some(Secret::from(whole.expose().trim_end_matches('\r'))))
}

#[cfg(unix)]
fn unbuffered_stdin() -> std::io::Result<std::fs::File> {
    use std::os::fd::AsFd as _;
    std::io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from)
}

#[cfg(not(unix))]
fn unbuffered_stdin() -> std::io::Result<std::io::Stdin> {
    Ok(std::io::stdin())
}
