//! Where the trail is told, and how long it is kept.

use std::path::PathBuf;

use super::draft::Draft;
use super::keys::*;
use super::{Networks, SettingsError};
use crate::tvm::audit::checkpoint::{FLOOR_DAYS, KEPT_DAYS};
use crate::types::{Secret, WebUrl};
use crate::world::Env;
use crate::world::outlet::SystemLog;

/// The shortest secret of a webhook.
const SHORTEST: usize = 16;

/// Somebody's HTTP endpoint.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Where.
    pub url: WebUrl,
    /// What both know.
    pub secret: Secret<String>,
    /// Private addresses that it may have.
    pub networks: Networks,
}

/// The trail outside.
#[derive(Debug, Clone)]
pub struct TrailSettings {
    /// A file.
    pub file: Option<PathBuf>,
    /// A system log.
    pub syslog: Option<SystemLog>,
    /// A webhook.
    pub webhook: Option<WebhookSettings>,
    /// For how many days events are kept.
    pub days: u32,
}

impl Draft {
    pub(super) fn trail(&self, env: &Env) -> Result<TrailSettings, SettingsError> {
        let log = |text: &str| {
            SystemLog::parse(text)
                .ok_or_else(|| self.bad(&AUDIT_SYSLOG, "is none of `unix:PATH`, `udp://HOST:PORT` and `tcp://HOST:PORT`"))
        };
        Ok(TrailSettings {
            file: self.file(&AUDIT_FILE),
            syslog: self.get(&AUDIT_SYSLOG).map(log).transpose()?,
            webhook: self.webhook(env)?,
            days: self.number(&AUDIT_DAYS, KEPT_DAYS, FLOOR_DAYS..=36_500)?,
        })
    }

    fn webhook(&self, env: &Env) -> Result<Option<WebhookSettings>, SettingsError> {
        let Some(text) = self.get(&AUDIT_WEBHOOK) else {
            return match self.get(&AUDIT_WEBHOOK_SECRET) {
                Some(_) => Err(self.bad(&AUDIT_WEBHOOK_SECRET, "counts for nothing without `audit.webhook_url`")),
                None => Ok(None),
            };
        };
        let url = WebUrl::parse(text).map_err(|error| self.bad(&AUDIT_WEBHOOK, error.to_string()))?;
        let secret = self.secret(&AUDIT_WEBHOOK_SECRET, "audit_webhook_secret", env)?;
        let secret =
            secret.ok_or_else(|| self.bad(&AUDIT_WEBHOOK_SECRET, "is missing: whoever is told wants to know by whom"))?;
        if secret.expose().chars().count() < SHORTEST {
            return Err(self.bad(&AUDIT_WEBHOOK_SECRET, format!("holds fewer than {SHORTEST} characters")));
        }
        Ok(Some(WebhookSettings { url, secret, networks: self.networks(&AUDIT_WEBHOOK_NETWORKS, &[])? }))
    }
}
