//! Step 4: a code that the person approves on another device. Whoever is tricked into approving somebody else's code hands their roles
//! over, so the person is told what to look at.

use async_trait::async_trait;
use serde_json::Value;

use super::visit::{Place, Visit, is_passing};
use super::wire::{self, Begun, Client, Granted, Told};
use super::{NAME, start};
use crate::http::BrowseError;
use crate::idp::SignInError;
use crate::oidc::OidcError;
use crate::oidc::device::{Ask, Device, Polled, meaning, poll};
use crate::types::Untrusted;
use crate::world::machine_name;

impl Visit<'_, '_> {
    pub(super) async fn by_device(
        &mut self,
        place: &Place,
        client: &Client,
        may_open: bool,
    ) -> Result<Told<Granted>, SignInError> {
        const STEP: &str = "the start of a sign-in on another device";
        let body = wire::begin_device(client, place.start.expose().as_str());
        let begun = match self.ask::<Begun>(&place.service, "/device_authorization", &body, STEP).await? {
            Told::Given(begun) => begun,
            Told::Refused(refusal) => return Ok(Told::Refused(refusal)),
        };
        let device = Device::new(
            begun.device_code,
            &begun.user_code,
            &begun.verification_uri,
            begun.verification_uri_complete.as_deref(),
            begun.interval,
            begun.expires_in,
        )
        .map_err(|why| SignInError::Garbled {
            provider: NAME.into(),
            step: STEP,
            status: 200,
            why: Untrusted::new(why),
        })?;
        self.show(place, &device, may_open);
        let body = wire::redeem_device(client, &device.code);
        let clock = self.session.clock;
        Ok(poll(clock, &device, place.start.host(), &mut Dialect { visit: self, place, body, device: &device }).await?)
    }

    fn show(&self, place: &Place, device: &Device, may_open: bool) {
        let (machine, answers) = (&self.session.machine, self.session.answers);
        answers.notify(&format!("To sign in to {}, open this address on any device:", place.start.host()));
        // Without the code: whoever types it looks at it.
        answers.notify(&format!("  {}", device.url.expose()));
        answers.notify("and type this code:");
        answers.notify(&format!("  {}", device.user_code));
        answers.notify(&format!("Approve it only if you started this yourself, on {}.", machine_name(machine.env)));
        let url = device.url_with_code.as_ref().unwrap_or(&device.url);
        if !start::may_open(&device.url) || !start::may_open(url) {
            answers.notify("note: the address is not one of AWS's own, so no browser is opened; do you know it?");
        } else if may_open {
            self.open(url);
        }
    }
}

/// How the service is asked whether the person has approved.
struct Dialect<'d, 'v, 's> {
    visit: &'d mut Visit<'v, 's>,
    place: &'d Place,
    body: Value,
    device: &'d Device,
}

#[async_trait]
impl Ask for Dialect<'_, '_, '_> {
    type Granted = Told<Granted>;

    async fn ask(&mut self) -> Polled<Told<Granted>> {
        let who = self.place.start.host();
        match self.visit.redeem(self.place, &self.body).await {
            Ok(Told::Refused(refusal)) if refusal.status >= 500 => Polled::Unheard(OidcError::Refused {
                who: who.to_owned(),
                step: "the device flow",
                error: Untrusted::new(refusal.code.clone()),
                said: Untrusted::new(refusal.said),
            }),
            Ok(Told::Refused(refusal))
                if matches!(refusal.code.as_str(), "authorization_pending" | "slow_down" | "access_denied" | "expired_token") =>
            {
                meaning(who, &refusal.code, Untrusted::new(refusal.said), self.device)
            }
            Ok(told) => Polled::Done(told),
            Err(error) => {
                let passes = is_passing(&error);
                let error = match error {
                    SignInError::Browse(BrowseError::Transport(error)) => error.into(),
                    SignInError::Garbled { step, status, why, .. } => {
                        OidcError::Garbled { who: who.to_owned(), step, status, why }
                    }
                    error => OidcError::Garbled {
                        who: who.to_owned(),
                        step: "the device flow",
                        status: 0,
                        why: Untrusted::new(error.to_string()),
                    },
                };
                if passes { Polled::Unheard(error) } else { Polled::Over(error) }
            }
        }
    }
}
