//! What Okta and we remember of each other between sign-ins: its session, and this machine.

use super::page::{self, AppPage};
use super::{SignInError, Visit};
use crate::http::BrowseError;
use crate::types::{Assertion, Secret};
use crate::vault::Kind;
use crate::world::nonce;

/// The cookie of a session.
const SID: &str = "sid";
/// The cookie of a machine.
const DT: &str = "DT";

impl Visit<'_, '_> {
    /// Shows Okta which machine this is, by a random name that only this person's memory knows. A machine that cannot be
    /// remembered here is not announced there.
    pub(super) fn present_device(&mut self) {
        if !self.okta.is_remembered {
            return;
        }
        let memory = self.session.memory;
        let held = memory.recall(Kind::Device).or_else(|| {
            memory.keep(Kind::Device, &Secret::new(nonce()));
            memory.recall(Kind::Device)
        });
        if let Some(device) = &held {
            self.session.browser.set_cookie(&self.okta.app, DT, device);
        }
        self.device = held;
    }

    /// Step 1: the application opened with an earlier session. A session that is over is forgotten.
    pub(super) async fn resume(&mut self) -> Result<Option<Assertion>, SignInError> {
        let memory = self.session.memory;
        if !self.okta.keeps_session {
            return Ok(None);
        }
        let Some(sid) = memory.recall(Kind::IdpSession) else { return Ok(None) };
        self.session.browser.set_cookie(&self.okta.app, SID, &sid);
        let page = match self.session.browser.open(self.okta.app.clone()).await {
            Ok(page) => page,
            Err(BrowseError::Transport(error)) => return Err(error.into()),
            // Sent round in circles for want of a session.
            Err(_) => {
                memory.forget(Kind::IdpSession);
                return Ok(None);
            }
        };
        match page::read(&page, self.session.sp) {
            AppPage::Response(_) | AppPage::Elsewhere(_) => {}
            // The session is good, and the application wants a factor beside it.
            AppPage::Asks { is_step_up: true, .. } => {}
            AppPage::Asks { .. } | AppPage::Refused | AppPage::Unknown => {
                memory.forget(Kind::IdpSession);
                return Ok(None);
            }
        }
        let outcome = self.application(page).await;
        match &outcome {
            Ok(_) => self.keep_session(),
            // Whatever is wrong with it, the next sign-in is one in full.
            Err(_) => memory.forget(Kind::IdpSession),
        }
        outcome.map(Some)
    }

    /// Keeps the session for the next sign-in.
    pub(super) fn keep_session(&self) {
        let memory = self.session.memory;
        if self.okta.keeps_session
            && let Some(sid) = self.session.browser.cookie(&self.okta.app, SID)
            && memory.recall(Kind::IdpSession).as_ref() != Some(&sid)
        {
            memory.keep(Kind::IdpSession, &sid);
        }
    }
}
