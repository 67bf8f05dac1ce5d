//! A pinentry program asks for passwords and codes: GnuPG's way to ask, on the terminal, in a window or in the macOS manner.
//!
//! It speaks the Assuan protocol, a line at a time: <https://www.gnupg.org/documentation/manuals/assuan/>, and pinentry's own commands:
//! <https://www.gnupg.org/documentation/manuals/pinentry/>.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;

use super::{Answers, NoAnswer, Question, Topic};
use crate::types::{Secret, Untrusted};
use crate::world::tty::Terminal;
use crate::world::{Env, Helper, was_interrupted_with_it};

/// The longest line of the protocol, and of an answer made of several.
const LONGEST: usize = 1000;
/// Codes of GnuPG's errors, without the part that says who errs: the person pressed Cancel, closed the window, or let time go by.
const CANCELLED: [u32; 3] = [99, 198, 62];
/// How much of a label is shown: with its escapes it must fit into a line.
const LABEL: usize = 200;

/// Why a pinentry program could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PinentryError {
    /// It cannot be run.
    #[error("cannot run `{program}` to ask; `--prompter default` asks on the terminal")]
    NotRunnable {
        /// Its name.
        program: String,
        #[source]
        /// Why.
        source: io::Error,
    },
    /// It does not ask.
    #[error("`{program}` cannot ask: {said}")]
    Refused {
        /// Its name.
        program: String,
        /// In its words.
        said: Untrusted,
    },
}

/// Asks by a pinentry program, once one is chosen; knows nothing until then.
#[derive(Default)]
pub struct Pinentry {
    chosen: OnceLock<Chosen>,
    /// Topics that this person does not want to be asked about (`--skip-prompt`).
    spared: Vec<Topic>,
    /// What went wrong, for whoever ends the run: a question can only be without an answer.
    failure: Arc<Mutex<Option<PinentryError>>>,
}

#[derive(Debug, Clone)]
struct Chosen {
    program: String,
    /// What it is told about terminal and language, as `NAME=VALUE`.
    options: Vec<String>,
    /// What the person reads above each question.
    about: String,
}

impl Pinentry {
    /// One that spares a person these topics.
    pub fn sparing(spared: Vec<Topic>) -> Self {
        Self { spared, ..Self::default() }
    }

    /// From here on this program asks, about that account.
    pub fn choose_program(&self, program: &str, account: &str, env: &Env) {
        let terminal = if cfg!(unix) && Terminal::open().is_some() { Some("/dev/tty") } else { None };
        let language = env.first(&["LC_ALL", "LC_CTYPE", "LANG"]).map(|(_, value)| value);
        let options = [("ttyname", terminal), ("ttytype", env.get("TERM")), ("lc-ctype", language)];
        let options = options.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
        let about = format!("saml2cloud signs in with account {}", Untrusted::new(account));
        let _ = self.chosen.set(Chosen { program: program.to_owned(), options, about });
    }

    /// Why it could not be used, if so.
    pub fn take_failure(&self) -> Option<PinentryError> {
        self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    /// The passphrase of the encrypted file, twice for a new one; nothing if the person gives none. An outer nothing if no program is
    /// chosen.
    pub fn passphrase(&self, is_new: bool) -> Option<Option<Secret<String>>> {
        let chosen = self.chosen.get()?;
        let first = if is_new { super::person::NEW_PASSPHRASE } else { super::person::PASSPHRASE };
        let ask = |label: &str| chosen.ask(label).map_err(|trouble| chosen.note(trouble, &self.failure)).ok();
        let given = ask(first).filter(|text| !text.expose().is_empty());
        let is_sure = |text: &Secret<String>| !is_new || ask("Once more").is_some_and(|again| again.expose() == text.expose());
        Some(given.filter(is_sure))
    }

    async fn ask(&self, question: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        let Some(chosen) = self.chosen.get().filter(|_| !self.spared.contains(&question.topic)) else {
            return Err(NoAnswer::NotHere);
        };
        let (chosen, failure, label) = (chosen.clone(), Arc::clone(&self.failure), question.label.to_owned());
        let asked = tokio::task::spawn_blocking(move || chosen.ask(&label).map_err(|trouble| chosen.note(trouble, &failure)));
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            // Ctrl-C reached this process too, and whoever waits for that ends the run.
            Ok(Err(Unanswered::Interrupted)) => std::future::pending().await,
            _ => Err(NoAnswer::Cancelled),
        }
    }
}

#[async_trait]
impl Answers for Pinentry {
    /// A code is hidden too; what is no secret is for the terminal.
    async fn text(&self, question: &Question<'_>) -> Result<String, NoAnswer> {
        match question.topic {
            Topic::Otp => self.ask(question).await.map(|code| code.expose().trim().to_owned()),
            _ => Err(NoAnswer::NotHere),
        }
    }

    async fn secret(&self, question: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        self.ask(question).await
    }

    async fn choose(&self, _: &Question<'_>, _: &[Untrusted]) -> Result<usize, NoAnswer> {
        Err(NoAnswer::NotHere)
    }

    fn can_ask(&self, topic: Topic) -> bool {
        matches!(topic, Topic::Password | Topic::Otp) && self.chosen.get().is_some() && !self.spared.contains(&topic)
    }

    fn notify(&self, _: &str) {}
}

/// Why a conversation gave no answer.
#[derive(Debug)]
enum Trouble {
    /// The program cannot be run.
    NotRunnable(io::Error),
    /// The person declined.
    Cancelled,
    /// The program says why not.
    Said(Untrusted),
    /// It does not talk as it should.
    Broken(io::Error),
}

/// The same for whoever asked.
#[derive(Debug, PartialEq, Eq)]
enum Unanswered {
    Interrupted,
    Otherwise,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl Chosen {
    fn ask(&self, label: &str) -> Result<Secret<String>, Trouble> {
        let helper = Helper::start(&self.program).map_err(Trouble::NotRunnable)?;
        converse(helper, &self.options, &self.about, label)
    }

    /// Puts aside what whoever ends the run has to tell.
    fn note(&self, trouble: Trouble, failure: &Mutex<Option<PinentryError>>) -> Unanswered {
        let program = self.program.clone();
        // One that is ended by Ctrl-C may say so in its own way: by the signal, by its status, or as if Cancel was pressed.
        let error = match trouble {
            Trouble::Broken(error) if error.kind() == io::ErrorKind::Interrupted => return Unanswered::Interrupted,
            Trouble::Cancelled | Trouble::Broken(_) if was_interrupted_with_it() => return Unanswered::Interrupted,
            Trouble::Cancelled => return Unanswered::Otherwise,
            Trouble::NotRunnable(source) => PinentryError::NotRunnable { program, source },
            Trouble::Said(said) => PinentryError::Refused { program, said },
            Trouble::Broken(error) => PinentryError::Refused { program, said: Untrusted::new(error.to_string()) },
        };
        *failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
        Unanswered::Otherwise
    }
}

/// One question, from the greeting to the goodbye.
fn converse(mut stream: impl Read + Write, options: &[String], about: &str, label: &str) -> Result<Secret<String>, Trouble> {
    reply(&mut stream)?;
    let mut say = |line: &str| {
        stream.write_all(line.as_bytes()).and_then(|()| stream.write_all(b"\n")).and_then(|()| stream.flush())?;
        reply(&mut stream)
    };
    let label: String = label.trim_end_matches(':').chars().take(LABEL).collect();
    let about: String = about.chars().take(LABEL).collect();
    let options = options.iter().map(|option| format!("OPTION {}", escaped(option)));
    let rest = [
        format!("SETTITLE {}", escaped("saml2cloud")),
        format!("SETDESC {}", escaped(&about)),
        format!("SETPROMPT {}", escaped(&label) + ":"),
    ];
    for line in options.chain(rest) {
        match say(&line) {
            // A decoration that it does not know is none of our business.
            Ok(_) | Err(Trouble::Said(_)) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    let answer = say("GETPIN")?;
    let text =
        std::str::from_utf8(answer.expose()).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "its answer is no text"))?;
    let text = Secret::from(text);
    // Whether it hears the goodbye is of no importance.
    let _ = say("BYE");
    Ok(text)
}

/// Reads up to `OK` or `ERR`, and puts the data of the `D` lines before it together.
fn reply(stream: &mut impl Read) -> Result<Secret<Vec<u8>>, Trouble> {
    let mut data = Secret::new(Vec::with_capacity(LONGEST));
    loop {
        let whole = line(stream)?;
        let text = whole.expose();
        let (word, rest) = text.iter().position(|b| *b == b' ').map_or((&text[..], &[][..]), |at| (&text[..at], &text[at + 1..]));
        match word {
            b"OK" => return Ok(data),
            b"ERR" => {
                let words = String::from_utf8_lossy(rest);
                let (code, said) = words.split_once(' ').unwrap_or((&words, "it does not say why"));
                // The upper half of the number says which program errs.
                let code = code.parse::<u32>().unwrap_or_default() & 0xffff;
                return Err(if CANCELLED.contains(&code) { Trouble::Cancelled } else { Trouble::Said(Untrusted::new(said)) });
            }
            b"D" => {
                let part = plain(rest);
                let mut joined = Vec::with_capacity(LONGEST);
                joined.extend_from_slice(data.expose());
                joined.extend_from_slice(part.expose());
                if joined.len() > LONGEST {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "its answer is too long").into());
                }
                data = Secret::new(joined);
            }
            // Comments, and news of how it goes.
            b"S" => {}
            word if word.is_empty() || word.starts_with(b"#") => {}
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not talk as a pinentry does").into()),
        }
    }
}

/// One line without its end.
fn line(stream: &mut impl Read) -> io::Result<Secret<Vec<u8>>> {
    // Never moved to a larger place, which would leave a copy behind.
    let mut line = Vec::with_capacity(LONGEST);
    let mut byte = [0_u8];
    loop {
        if stream.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match byte[0] {
            b'\n' => return Ok(Secret::new(line)),
            _ if line.len() == LONGEST => return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of it is too long")),
            byte => line.push(byte),
        }
    }
}

/// Takes `%25` for `%`, and so on.
fn plain(data: &[u8]) -> Secret<Vec<u8>> {
    let digit = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let mut plain = Vec::with_capacity(data.len());
    let mut at = 0;
    while let Some(byte) = data.get(at) {
        match (byte, digit(data.get(at + 1)), digit(data.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                plain.push(high * 16 + low);
                at += 3;
            }
            _ => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    Secret::new(plain)
}

/// Text as an argument of a command: what would end or break a line is written as `%XX`.
fn escaped(text: &str) -> String {
    let escape = |c: char| if c.is_ascii_control() || c == '%' { format!("%{:02X}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that answers what it was made to, and whatever it is told.
    struct Script<'s> {
        answers: &'s [u8],
        heard: Vec<u8>,
    }

    impl Read for Script<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.answers.read(buffer)
        }
    }

    impl Write for Script<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'s> Script<'s> {
        fn new(answers: &'s str) -> Self {
            Self { answers: answers.as_bytes(), heard: Vec::new() }
        }
    }

    fn asked(answers: &str) -> Result<String, String> {
        match converse(Script::new(answers), &[], "about", "Password") {
            Ok(text) => Ok(text.expose().clone()),
            Err(Trouble::Cancelled) => Err("cancelled".to_owned()),
            Err(Trouble::Said(said)) => Err(said.to_string()),
            Err(Trouble::Broken(error) | Trouble::NotRunnable(error)) => Err(format!("broken: {error}")),
        }
    }

    #[test]
    fn one_question_is_asked_as_the_protocol_says() {
        let mut script =
            Script::new("OK Pleased to meet you\nOK\nOK\nOK\nOK\n# a word\nS PINENTRY_LAUNCHED 1\nD 50%25 o\nD f%0A\nOK\nOK\n");
        let options = ["ttyname=/dev/tty".to_owned()];
        let answer = converse(&mut script, &options, "account a\nb 100%", "Security Token [000000]").unwrap();
        assert_eq!(answer.expose(), "50% of\n");
        let heard = String::from_utf8(script.heard).unwrap();
        let expected = "OPTION ttyname=/dev/tty\nSETTITLE saml2cloud\nSETDESC account a%0Ab 100%25\nSETPROMPT Security Token [000000]:\nGETPIN\nBYE\n";
        assert_eq!(heard, expected);
    }

    #[test]
    fn what_may_come_instead_of_an_answer() {
        assert_eq!(asked("OK\nOK\nOK\nOK\nOK\n"), Ok(String::new()), "just Enter");
        assert_eq!(
            asked("OK\nOK\nERR 83886361 IPC parameter error\nOK\nD x\nOK\n"),
            Ok("x".to_owned()),
            "a decoration that it does not know"
        );
        for code in ["83886179 Operation cancelled", "83886278 Fully cancelled", "99", "83886142 Timeout"] {
            assert_eq!(asked(&format!("OK\nOK\nOK\nOK\nERR {code} <Pinentry>\n")), Err("cancelled".to_owned()), "{code}");
        }
        let refused = asked("OK\nOK\nOK\nOK\nERR 83918950 Inappropriate ioctl \u{1b}[31mfor device\n").unwrap_err();
        assert_eq!(refused, "Inappropriate ioctl \\u{1b}[31mfor device");
        for answers in
            ["", "OK\nOK\n", "hello\n", &format!("OK\nOK\nOK\nOK\nD {}\n", "x".repeat(LONGEST)), "OK\nOK\nOK\nOK\nD %ff\nOK\n"]
        {
            assert!(asked(answers).unwrap_err().starts_with("broken: "), "{answers:.20}");
        }
        let long = format!("OK\nOK\nOK\nOK\n{}OK\n", format!("D {}\n", "y".repeat(500)).repeat(3));
        assert!(asked(&long).unwrap_err().contains("too long"));
    }

    #[tokio::test]
    async fn only_secrets_are_its_business() {
        let pinentry = Pinentry::sparing(vec![Topic::Password]);
        let question = |topic| Question::new(topic, "x");
        assert_eq!(pinentry.text(&question(Topic::Otp)).await, Err(NoAnswer::NotHere), "none is chosen");
        assert!(!pinentry.can_ask(Topic::Otp) && pinentry.passphrase(false).is_none());
        pinentry.choose_program("pinentry-that-is-not-there", "production", &Env::default());
        assert!(pinentry.can_ask(Topic::Otp) && !pinentry.can_ask(Topic::Password) && !pinentry.can_ask(Topic::Username));
        assert_eq!(pinentry.text(&question(Topic::Username)).await, Err(NoAnswer::NotHere));
        assert!(matches!(pinentry.secret(&question(Topic::Password)).await, Err(NoAnswer::NotHere)), "spared");
        assert!(pinentry.take_failure().is_none());
        assert_eq!(pinentry.text(&question(Topic::Otp)).await, Err(NoAnswer::Cancelled));
        let failure = pinentry.take_failure().unwrap();
        assert_eq!(
            failure.to_string(),
            "cannot run `pinentry-that-is-not-there` to ask; `--prompter default` asks on the terminal"
        );
    }
}
