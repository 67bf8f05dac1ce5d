//! Several sources of answers, asked in order.

use async_trait::async_trait;

use super::{Answers, NoAnswer, Question, Topic};
use crate::types::{Secret, Untrusted};

/// Asks each source in turn and goes on only when one does not know. The precedence of flags, variables and
/// the person is the order of this list; `--no-input` is the list without its last element.
pub struct Chain<'a>(pub Vec<&'a dyn Answers>);

#[async_trait]
impl Answers for Chain<'_> {
    async fn text(&self, question: &Question<'_>) -> Result<String, NoAnswer> {
        for source in &self.0 {
            match source.text(question).await {
                Err(NoAnswer::NotHere) => {}
                answer => return answer,
            }
        }
        Err(NoAnswer::NotHere)
    }

    async fn secret(&self, question: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        for source in &self.0 {
            match source.secret(question).await {
                Err(NoAnswer::NotHere) => {}
                answer => return answer,
            }
        }
        Err(NoAnswer::NotHere)
    }

    async fn choose(&self, question: &Question<'_>, options: &[Untrusted]) -> Result<usize, NoAnswer> {
        for source in &self.0 {
            match source.choose(question, options).await {
                Err(NoAnswer::NotHere) => {}
                answer => return answer,
            }
        }
        Err(NoAnswer::NotHere)
    }

    fn knows(&self, topic: Topic) -> bool {
        self.0.iter().any(|source| source.knows(topic))
    }

    fn can_ask(&self, topic: Topic) -> bool {
        self.0.iter().any(|source| source.can_ask(topic))
    }

    fn notify(&self, notice: &str) {
        for source in &self.0 {
            source.notify(notice);
        }
    }
}
