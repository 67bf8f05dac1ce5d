//! The person at the terminal.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use dialoguer::theme::Theme;
use dialoguer::{FuzzySelect, Input};

use super::{Answers, NoAnswer, Question, Topic};
use crate::types::{Secret, Untrusted};
use crate::world::tty::{Keys, Terminal};
use crate::world::was_interrupted;

/// Asks on the terminal device. Each prompt runs on a thread of its own, so the network goes on meanwhile.
pub struct Person {
    terminal: Arc<Terminal>,
    /// Topics that this person does not want to be asked about (`--skip-prompt`).
    spared: Vec<Topic>,
}

impl Person {
    /// The person at this terminal.
    pub fn new(terminal: Arc<Terminal>, spared: Vec<Topic>) -> Self {
        Self { terminal, spared }
    }

    async fn ask<T, F>(&self, topic: Topic, prompt: F) -> Result<T, NoAnswer>
    where
        T: Send + 'static,
        F: FnOnce(&Terminal) -> dialoguer::Result<T> + Send + 'static,
    {
        if self.spared.contains(&topic) {
            return Err(NoAnswer::NotHere);
        }
        if was_interrupted() {
            return std::future::pending().await;
        }
        let terminal = Arc::clone(&self.terminal);
        match tokio::task::spawn_blocking(move || prompt(&terminal)).await {
            Ok(Ok(answer)) => Ok(answer),
            // Ctrl-C at a prompt also reaches this process as a signal, and whoever waits for that ends the run.
            Ok(Err(dialoguer::Error::IO(error))) if error.kind() == std::io::ErrorKind::Interrupted => {
                std::future::pending().await
            }
            _ => Err(NoAnswer::Cancelled),
        }
    }
}

#[async_trait]
impl Answers for Person {
    async fn text(&self, question: &Question<'_>) -> Result<String, NoAnswer> {
        let label = question.label.to_owned();
        let default = question.default.map(str::to_owned);
        self.ask(question.topic, move |terminal| {
            let _hushed = terminal.hush(Keys::One)?;
            let mut input = Input::<String>::with_theme(&Words).with_prompt(label).allow_empty(true);
            if let Some(default) = default {
                input = input.default(default);
            }
            input.interact_text_on(&terminal.term())
        })
        .await
        .map(|text| text.trim().to_owned())
    }

    async fn secret(&self, question: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        let label = question.label.to_owned();
        let given_up = GivesUp { flag: Arc::default(), terminal: &self.terminal };
        let is_given_up = Arc::clone(&given_up.flag);
        self.ask(question.topic, move |terminal| Ok(hidden(terminal, &label, &is_given_up)?)).await
    }

    async fn choose(&self, question: &Question<'_>, options: &[Untrusted]) -> Result<usize, NoAnswer> {
        let label = question.label.to_owned();
        let items: Vec<String> = options.iter().map(ToString::to_string).collect();
        if items.is_empty() {
            return Err(NoAnswer::NotHere);
        }
        let first = question.default.and_then(|default| options.iter().position(|o| o.raw() == default)).unwrap_or(0);
        self.ask(question.topic, move |terminal| {
            let _hushed = terminal.hush(Keys::One)?;
            let select = FuzzySelect::with_theme(&Words).with_prompt(label).items(&items).default(first).max_length(15);
            select.interact_on_opt(&terminal.term())
        })
        .await?
        .ok_or(NoAnswer::Cancelled)
    }

    fn can_ask(&self, topic: Topic) -> bool {
        !self.spared.contains(&topic)
    }

    fn notify(&self, _: &str) {}
}

/// The question for a new passphrase of the encrypted file.
pub(super) const NEW_PASSPHRASE: &str = "New passphrase for saved passwords (empty: save none)";
/// The question for the one that it has.
pub(super) const PASSPHRASE: &str = "Passphrase for saved passwords";

/// A prompt whose answer is not shown. Always the same number of stars stays, so that they do not tell the length.
fn hidden(terminal: &Terminal, label: &str, given_up: &AtomicBool) -> std::io::Result<Secret<String>> {
    terminal.hidden_line(&format!("? {label} "), &format!("? {label} **********"), given_up)
}

/// Tells a prompt on its own thread that whoever asked has the answer from elsewhere, and waits the moment until the terminal is as it was.
struct GivesUp<'t> {
    flag: Arc<AtomicBool>,
    terminal: &'t Terminal,
}

impl Drop for GivesUp<'_> {
    fn drop(&mut self) {
        self.flag.store(true, Ordering::Relaxed);
        self.terminal.wait_for_turn();
    }
}

/// Asks for the passphrase of the encrypted file, twice for a new one. Nothing if the person gives none, or presses Ctrl-C: then the run
/// ends as soon as its runtime looks.
pub fn passphrase(terminal: &Terminal, is_new: bool) -> Option<Secret<String>> {
    let label = if is_new { NEW_PASSPHRASE } else { PASSPHRASE };
    let never = AtomicBool::new(false);
    let hidden = |label: &str| hidden(terminal, label, &never);
    loop {
        let first = hidden(label).ok().filter(|text| !text.expose().is_empty())?;
        if !is_new || hidden("Once more").ok()?.expose() == first.expose() {
            return Some(first);
        }
        terminal.term().write_line("These differ").ok()?;
    }
}

/// The look of the prompts: `? Username alice@example.com`, as the old tools' users know it.
struct Words;

impl Theme for Words {
    fn format_input_prompt(&self, f: &mut dyn fmt::Write, prompt: &str, default: Option<&str>) -> fmt::Result {
        match default {
            Some(default) => write!(f, "? {prompt} ({default}) "),
            None => write!(f, "? {prompt} "),
        }
    }

    fn format_input_prompt_selection(&self, f: &mut dyn fmt::Write, prompt: &str, answer: &str) -> fmt::Result {
        write!(f, "? {prompt} {answer}")
    }

    fn format_select_prompt(&self, f: &mut dyn fmt::Write, prompt: &str) -> fmt::Result {
        write!(f, "? {prompt} ")
    }

    fn format_select_prompt_selection(&self, f: &mut dyn fmt::Write, prompt: &str, answer: &str) -> fmt::Result {
        write!(f, "? {prompt} {answer}")
    }

    fn format_fuzzy_select_prompt(&self, f: &mut dyn fmt::Write, prompt: &str, typed: &str, _: usize) -> fmt::Result {
        write!(f, "? {prompt} (type to filter, arrows to move, Enter to take) {typed}")
    }
}
