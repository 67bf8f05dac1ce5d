//! The way back from a browser on another machine. Over SSH a person opens the sign-in's address where they sit; their browser ends at an
//! address of *this* machine, which it cannot open, and they bring that address here by hand. It holds a code that is good once and only for
//! who began this sign-in (PKCE, `state`), and is not shown.

use async_trait::async_trait;

use crate::ask::{Answers, Question, Topic};
use crate::oidc::code::Elsewhere;
use crate::types::Secret;
use crate::world::Env;

/// No flag or variable answers this.
const TOPIC: Topic = Topic::Field("redirected address");

/// Asks the person, where there is one and their browser is not here.
pub(super) struct Pasting<'p> {
    answers: &'p dyn Answers,
    is_offered: bool,
}

impl<'p> Pasting<'p> {
    /// `opened`: whether a browser of this machine was opened.
    pub(super) fn new(answers: &'p dyn Answers, env: &Env, opened: bool) -> Self {
        let is_far = ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| env.raw(name).is_some());
        let is_offered = (is_far || !opened) && answers.can_ask(TOPIC);
        if is_offered {
            answers.notify(
                "If that browser is on another machine, it ends at a page that cannot be opened. Copy its address from the address bar \
                 and paste it here:",
            );
        }
        Self { answers, is_offered }
    }
}

#[async_trait]
impl Elsewhere for Pasting<'_> {
    async fn pasted(&self, complaint: Option<&'static str>) -> Secret<String> {
        if !self.is_offered {
            return std::future::pending().await;
        }
        if let Some(complaint) = complaint {
            self.answers.notify(complaint);
        }
        match self.answers.secret(&Question::new(TOPIC, "Address")).await {
            Ok(text) => text,
            // The browser may still come by itself.
            Err(_) => std::future::pending().await,
        }
    }
}
