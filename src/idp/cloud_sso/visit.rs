//! One sign-in: the token that rests in the vault, else a code that the person approves. Whoever is tricked into approving somebody
//! else's code hands their roles over, so the person is told what to look at.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{self, Begun, Granted, Told};
use super::{Configured, NAME, client_id, may_open};
use crate::http::{BrowseError, Policy};
use crate::idp::{Session, SignInError, portal};
use crate::oidc::device::{Ask, Device, Polled, poll};
use crate::oidc::{OidcError, Pkce};
use crate::types::{PortalKind, PortalToken, Secret, Timestamp, Untrusted};
use crate::vault::Kind;
use crate::world::file::Lock;
use crate::world::{TransportError, is_busy, machine_name};

const START: &str = "the start of a sign-in";
const POLL: &str = "the device flow";

/// One sign-in.
pub(super) struct Visit<'v, 's> {
    pub(super) portal: &'v Configured,
    pub(super) session: &'v mut Session<'s>,
}

/// A token as it rests.
#[derive(Deserialize)]
struct Kept {
    sign_in_url: String,
    access_token: Secret<String>,
    expires: i64,
}

/// Whether a failure says nothing about the sign-in: the network, or a service that is down.
fn is_passing(error: &SignInError) -> bool {
    match error {
        SignInError::Browse(BrowseError::Transport(error)) => {
            matches!(error, TransportError::Unreachable { .. } | TransportError::Late { .. })
        }
        SignInError::Garbled { status, .. } => is_busy(*status) || *status == 500,
        _ => false,
    }
}

impl Visit<'_, '_> {
    fn now(&self) -> Timestamp {
        self.session.clock.now()
    }

    /// The access token: the one that rests, or one of a new sign-in.
    pub(super) async fn token(&mut self) -> Result<PortalToken, SignInError> {
        let standing = self.session.standing;
        let good = |visit: &Self| visit.kept().filter(|token| !standing.anew && !standing.refused.contains(&token.access));
        if let Some(token) = good(self) {
            return Ok(token);
        }
        // One at a time; whoever waited finds what the other got.
        let _turn = self.turn().await;
        if let Some(token) = good(self) {
            return Ok(token);
        }
        if !self.session.machine.may_send_person && !self.portal.auto_login {
            return Err(SignInError::NeedsSignIn { at: self.portal.url.host().to_owned() });
        }
        let token = self.sign_in().await?;
        self.keep(&token);
        if self.kept().is_none() && token.expires > self.now() {
            self.session.answers.notify(
                "note: this sign-in is good for this command only: there is no keychain to keep it in (`SAML2CLOUD_KEYCHAIN`)",
            );
        }
        Ok(token)
    }

    /// Waits until no other process is signing in at this portal for this person.
    pub(super) async fn turn(&self) -> Option<Lock> {
        portal::turn(self.session, &portal::queue(self.session, self.portal.url.expose().as_str())).await
    }

    /// The token that rests, if it is still good.
    pub(super) fn kept(&self) -> Option<PortalToken> {
        let text = self.session.memory.recall(Kind::Portal)?;
        let kept: Kept = serde_json::from_str(text.expose()).ok()?;
        let expires = Timestamp::from_unix(kept.expires).filter(|end| *end > self.now())?;
        let is_of_it = kept.sign_in_url == self.portal.url.expose().as_str() && !kept.access_token.expose().is_empty();
        is_of_it.then(|| PortalToken {
            kind: PortalKind::Cloud,
            access: kept.access_token,
            start: self.portal.url.clone(),
            region: None,
            expires,
        })
    }

    fn keep(&self, token: &PortalToken) {
        let kept = json!({
            "sign_in_url": token.start.expose().as_str(),
            "access_token": token.access.expose(),
            "expires": token.expires.unix(),
        });
        self.session.memory.keep(Kind::Portal, &Secret::new(kept.to_string()));
    }

    /// A new sign-in, by a person.
    async fn sign_in(&mut self) -> Result<PortalToken, SignInError> {
        let client = client_id(self.session.machine.env).to_owned();
        let pkce = Pkce::new();
        let device = self.begin(&client, &pkce).await?;
        self.show(&device);
        let body = wire::redeem(&client, &device.code, &pkce);
        let (clock, host) = (self.session.clock, self.portal.url.host().to_owned());
        let begun = clock.now();
        let granted = poll(clock, &device, &host, &mut Dialect { visit: self, body, begun }).await?;
        // It will be part of a header and of a file.
        let access = crate::types::Credentials::one_word(granted.access_token.expose()).map(Secret::from);
        let access = access.ok_or_else(|| SignInError::Garbled {
            provider: NAME.into(),
            step: POLL,
            status: 200,
            why: Untrusted::new("its access token is none"),
        })?;
        Ok(PortalToken {
            kind: PortalKind::Cloud,
            access,
            start: self.portal.url.clone(),
            region: None,
            expires: granted.expires(self.now()),
        })
    }

    /// Asks for a code, three times where the portal fails by itself.
    async fn begin(&mut self, client: &str, pkce: &Pkce) -> Result<Device, SignInError> {
        let body = wire::begin(&self.portal.url, client, pkce);
        let mut pauses = Policy::CLOUD.pauses();
        let answer = loop {
            let answer = self.session.browser.send(wire::post(&self.portal.url, "/device-authorization", &body)?).await?;
            match pauses.next().filter(|_| answer.status >= 500) {
                Some(pause) => self.session.clock.sleep(pause).await,
                None => break answer,
            }
        };
        let begun: Begun = match wire::read(&answer, START)? {
            Told::Given(begun) => begun,
            Told::Refused(refusal) => {
                let said = match refusal.words() {
                    words if words.is_empty() => refusal.code.clone(),
                    words => format!("{}: {}", refusal.code, words.raw()),
                };
                return Err(SignInError::Refused { provider: NAME.into(), said: Untrusted::new(said) });
            }
        };
        Device::new(
            begun.device_code,
            &begun.user_code,
            &begun.verification_uri,
            begun.verification_uri_complete.as_deref().filter(|url| !url.is_empty()),
            begun.interval,
            // The portal does not say how long its code lives; it says when it is over.
            None,
        )
        .map_err(|why| SignInError::Garbled {
            provider: NAME.into(),
            step: START,
            status: answer.status,
            why: Untrusted::new(why),
        })
    }

    fn show(&self, device: &Device) {
        let (machine, answers) = (&self.session.machine, self.session.answers);
        answers.notify(&format!("To sign in to {}, open this address on any device:", self.portal.url.host()));
        // Without the code: whoever types it looks at it.
        answers.notify(&format!("  {}", device.url.expose()));
        answers.notify("and type this code:");
        answers.notify(&format!("  {}", device.user_code));
        answers.notify(&format!("Approve it only if you started this yourself, on {}.", machine_name(machine.env)));
        let url = device.url_with_code.as_ref().unwrap_or(&device.url);
        if !may_open(&device.url) || !may_open(url) {
            answers.notify("note: the address is not one of Alibaba Cloud's own, so no browser is opened; do you know it?");
        } else if !self.portal.device && !portal::is_headless(machine.env) {
            portal::open(self.session, url);
        }
    }
}

/// How the portal is asked whether the person has approved.
struct Dialect<'d, 'v, 's> {
    visit: &'d mut Visit<'v, 's>,
    body: Value,
    begun: Timestamp,
}

impl Dialect<'_, '_, '_> {
    async fn once(&mut self) -> Result<(u16, Told<Granted>), SignInError> {
        let answer = self.visit.session.browser.send(wire::post(&self.visit.portal.url, "/token", &self.body)?).await?;
        Ok((answer.status, wire::read(&answer, POLL)?))
    }
}

#[async_trait]
impl Ask for Dialect<'_, '_, '_> {
    type Granted = Granted;

    async fn ask(&mut self) -> Polled<Granted> {
        let who = self.visit.portal.url.host().to_owned();
        let (status, refusal) = match self.once().await {
            Ok((_, Told::Given(granted))) => return Polled::Done(granted),
            Ok((status, Told::Refused(refusal))) => (status, refusal),
            Err(error) => {
                let passes = is_passing(&error);
                let error = match error {
                    SignInError::Browse(BrowseError::Transport(error)) => error.into(),
                    SignInError::Garbled { step, status, why, .. } => OidcError::Garbled { who, step, status, why },
                    error => OidcError::Garbled { who, step: POLL, status: 0, why: Untrusted::new(error.to_string()) },
                };
                return if passes { Polled::Unheard(error) } else { Polled::Over(error) };
            }
        };
        match refusal.code.as_str() {
            "AuthorizationPending" => Polled::Pending,
            // Too old: the portal has forgotten it.
            "InvalidDeviceCodeError" => {
                let waited = self.visit.now().since(self.begun).as_secs().max(1);
                Polled::Over(OidcError::Late { who, seconds: waited })
            }
            // A person who said no, an organisation that did, anything else: in its words.
            code => {
                let error = OidcError::Refused { who, step: POLL, error: Untrusted::new(code), said: refusal.words() };
                if is_busy(status) || status == 500 { Polled::Unheard(error) } else { Polled::Over(error) }
            }
        }
    }
}
