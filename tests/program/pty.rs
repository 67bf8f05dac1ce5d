//! A terminal with nobody at it. The program runs under a shell that tells afterwards how the terminal was left: when the last
//! process of a terminal goes, the system puts its modes back, and a test of them would always pass.

use std::process::Command;
use std::time::Duration;

use expectrl::session::OsSession;
use expectrl::{Eof, Expect as _, Session};

use crate::call::Call;
use crate::support::Room;

/// How long anything may take until it counts as not happening.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ctrl-C.
pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const ENTER: &str = "\r";

/// The program at a terminal.
pub(crate) struct Pty {
    session: OsSession,
    shown: Vec<u8>,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    /// Everything that the terminal got.
    pub(crate) shown: String,
    /// Whether typed text is shown again, and read by lines.
    pub(crate) is_sane: bool,
}

impl Pty {
    /// Starts a call at a terminal; stdout goes to the file `out` in the home if there is `to_file`.
    pub(crate) fn start(room: &Room, call: &Call<'_>, to_file: bool) -> Self {
        let redirect = if to_file { "> out" } else { "" };
        // Such a terminal begins without echo, which no person's does.
        let script = format!("stty sane; trap : INT; \"$@\" {redirect}; echo \"[code $?]\"; stty -a");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg("sh").arg(call.program()).args(call.arguments());
        command.env_clear().envs(call.environment().iter().cloned()).current_dir(room.home());
        let mut session = Session::spawn(command).unwrap();
        session.set_expect_timeout(Some(PATIENCE));
        session.get_process_mut().set_window_size(160, 40).unwrap();
        Self { session, shown: Vec::new() }
    }

    /// Waits until this is shown.
    #[track_caller]
    pub(crate) fn waits_for(&mut self, text: &str) -> &mut Self {
        match self.session.expect(text) {
            Ok(found) => self.shown.extend_from_slice(found.as_bytes()),
            Err(error) => panic!("{error}: `{text}` was not shown after:\n{}", String::from_utf8_lossy(&self.shown)),
        }
        self
    }

    /// Waits until this is shown; what was shown since the last wait.
    #[track_caller]
    pub(crate) fn waits_until(&mut self, text: &str) -> String {
        let before = self.shown.len();
        self.waits_for(text);
        String::from_utf8_lossy(&self.shown[before..]).into_owned()
    }

    /// Waits until this is shown and the program listens: until then, typed text is the terminal's and would be shown.
    #[track_caller]
    pub(crate) fn asks(&mut self, text: &str) -> &mut Self {
        self.waits_for(text);
        for _ in 0..PATIENCE.as_millis() {
            if !self.session.get_process().get_echo().unwrap() {
                return self;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("nobody listens after `{text}`");
    }

    pub(crate) fn types(&mut self, text: &str) -> &mut Self {
        self.session.send(text).unwrap();
        self
    }

    #[track_caller]
    pub(crate) fn ends(mut self) -> Ended {
        let rest = self.session.expect(Eof).unwrap();
        self.shown.extend_from_slice(rest.as_bytes());
        let all = String::from_utf8(self.shown).unwrap();
        let (shown, after) = all.rsplit_once("[code ").unwrap_or_else(|| panic!("no end in:\n{all}"));
        let (code, modes) = after.split_once(']').unwrap();
        let has = |word: &str| modes.split([' ', ';', '\r', '\n']).any(|mode| mode == word);
        let is_sane = ["echo", "icanon", "isig", "icrnl", "opost"].into_iter().all(has);
        Ended { code: code.parse().unwrap(), shown: shown.to_owned(), is_sane }
    }
}

impl Ended {
    /// What a person sees in the end, line by line.
    pub(crate) fn screen(&self) -> Vec<String> {
        let mut terminal = vt100::Parser::new(200, 400, 0);
        terminal.process(self.shown.as_bytes());
        terminal.screen().contents().trim_end().lines().map(str::to_owned).collect()
    }

    /// These texts were shown, in this order, whatever stood between them.
    #[track_caller]
    pub(crate) fn showed(&self, texts: &[&str]) {
        let plain = without_escapes(&self.shown);
        let mut rest = plain.as_str();
        for text in texts {
            match rest.find(text) {
                Some(at) => rest = &rest[at + text.len()..],
                None => panic!("`{text}` does not come next in:\n{plain}"),
            }
        }
    }

    /// Ctrl-C ended it, and the terminal is as it was.
    #[track_caller]
    pub(crate) fn was_interrupted(&self) {
        assert_eq!((self.code, self.is_sane), (130, true), "{}", self.shown);
        let shown_again = self.shown.rfind("\u{1b}[?25h");
        assert!(self.shown.rfind("\u{1b}[?25l") <= shown_again, "the cursor is still hidden: {:?}", self.shown);
        assert!(!self.shown.contains("error:") && !self.shown.contains("panicked"), "{}", self.shown);
    }
}

/// The text alone, without what moves and colours.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain += before;
        rest = after.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).get(1..).unwrap_or_default();
    }
    plain + rest
}
