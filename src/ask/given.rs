//! Answers from flags and variables.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::{Answers, NoAnswer, Question, Topic};
use crate::types::{Secret, Untrusted};

/// An answer that was given before anything was asked.
#[derive(Debug, Clone)]
pub struct GivenAnswer {
    /// The answer.
    pub value: Secret<String>,
    /// Whether it is good for one use only: a one-time code is not tried twice.
    pub once: bool,
}

/// Flags first, variables second: whichever the caller puts in last does not replace what is there.
#[derive(Default)]
pub struct Given(Mutex<HashMap<Topic, GivenAnswer>>);

impl Given {
    /// Adds an answer, unless there is one for that topic already.
    pub fn add(&self, topic: Topic, answer: GivenAnswer) {
        self.lock().entry(topic).or_insert(answer);
    }

    fn take(&self, topic: Topic) -> Option<Secret<String>> {
        let mut answers = self.lock();
        let answer = answers.get(&topic)?;
        let value = answer.value.clone();
        if answer.once {
            answers.remove(&topic);
        }
        Some(value)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Topic, GivenAnswer>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Answers for Given {
    async fn text(&self, question: &Question<'_>) -> Result<String, NoAnswer> {
        self.take(question.topic).map(|value| value.expose().clone()).ok_or(NoAnswer::NotHere)
    }

    async fn secret(&self, question: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        self.take(question.topic).ok_or(NoAnswer::NotHere)
    }

    /// An option is given by its text, or by a part of it that only one option has; case does not matter.
    async fn choose(&self, question: &Question<'_>, options: &[Untrusted]) -> Result<usize, NoAnswer> {
        let wish = self.take(question.topic).ok_or(NoAnswer::NotHere)?.expose().to_lowercase();
        let texts: Vec<String> = options.iter().map(|o| o.raw().to_lowercase()).collect();
        if let Some(index) = texts.iter().position(|text| *text == wish) {
            return Ok(index);
        }
        let mut hits = texts.iter().enumerate().filter(|(_, text)| text.contains(&wish));
        match (hits.next(), hits.next()) {
            (Some((index, _)), None) => Ok(index),
            _ => Err(NoAnswer::NotHere),
        }
    }

    fn knows(&self, topic: Topic) -> bool {
        self.lock().contains_key(&topic)
    }

    fn notify(&self, _: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Chain;

    fn given(topic: Topic, value: &str, once: bool) -> Given {
        let given = Given::default();
        given.add(topic, GivenAnswer { value: value.into(), once });
        given
    }

    #[tokio::test]
    async fn a_code_is_used_once_and_a_password_as_often_as_needed() {
        let code = given(Topic::Otp, "123456", true);
        let password = given(Topic::Password, "pw", false);
        let chain = Chain(vec![&code, &password]);
        let otp = Question::new(Topic::Otp, "Code");
        assert_eq!(chain.text(&otp).await, Ok("123456".to_owned()));
        assert_eq!(chain.text(&otp).await, Err(NoAnswer::NotHere));
        for _ in 0..2 {
            assert!(chain.secret(&Question::new(Topic::Password, "Password")).await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_factor_is_found_by_a_part_of_its_name() {
        let options = ["TOTP code".into(), "Push".into(), "Push to tablet".into()].map(|t: String| Untrusted::new(t));
        let question = Question::new(Topic::Factor, "Which");
        for (wish, found) in
            [("totp", Ok(0)), ("PUSH", Ok(1)), ("tab", Ok(2)), ("p", Err(NoAnswer::NotHere)), ("sms", Err(NoAnswer::NotHere))]
        {
            assert_eq!(given(Topic::Factor, wish, false).choose(&question, &options).await, found, "{wish}");
        }
    }
}
