//! Where answers come from. Whoever asks cannot know whether a flag, a variable or a person at a terminal answers.

mod chain;
mod given;
mod person;
mod pinentry;

pub use chain::Chain;
pub use given::{Given, GivenAnswer};
pub use person::{Person, passphrase};
pub use pinentry::{Pinentry, PinentryError};

use async_trait::async_trait;

use crate::types::{Secret, Untrusted};

/// What is asked for. The words of a question vary with the page that asks; this does not, so flags and
/// variables are found by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The user name.
    Username,
    /// The password.
    Password,
    /// A one-time code.
    Otp,
    /// Which second factor, or which way to sign in.
    Factor,
    /// Which role.
    Role,
    /// Which of two accounts of the same name.
    Cloud,
    /// A setting, by the key it has in the accounts file.
    Field(&'static str),
}

/// A question.
#[derive(Debug, Clone)]
pub struct Question<'q> {
    /// What it is about.
    pub topic: Topic,
    /// What a person reads before the cursor.
    pub label: &'q str,
    /// What an empty answer means, shown to the person.
    pub default: Option<&'q str>,
}

impl<'q> Question<'q> {
    /// A question without a default.
    pub fn new(topic: Topic, label: &'q str) -> Self {
        Self { topic, label, default: None }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Whoever was asked does not know; the next may.
    #[error("nobody could be asked")]
    NotHere,
    /// The person declined.
    #[error("the question was left unanswered")]
    Cancelled,
}

/// Gives answers.
#[async_trait]
pub trait Answers: Send + Sync {
    /// A line of text.
    async fn text(&self, question: &Question<'_>) -> Result<String, NoAnswer>;
    /// Text that is not shown while it is typed.
    async fn secret(&self, question: &Question<'_>) -> Result<Secret<String>, NoAnswer>;
    /// One of several, by its place in `options`. The options may be a server's words.
    async fn choose(&self, question: &Question<'_>, options: &[Untrusted]) -> Result<usize, NoAnswer>;
    /// Whether the answer is known without asking anybody.
    fn knows(&self, _topic: Topic) -> bool {
        false
    }
    /// Whether there is a person to ask about that.
    fn can_ask(&self, _topic: Topic) -> bool {
        false
    }
    /// Tells something that the person must see to go on ("Approve number 42 on your phone"). Server's words in it
    /// are made safe by the caller.
    fn notify(&self, notice: &str);
}
