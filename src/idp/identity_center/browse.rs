//! Step 3: the person's own browser signs in and comes back to this machine, with proof that both ends are of one sign-in.

use std::time::Duration;

use super::NAME;
use super::visit::{Place, Visit};
use super::wire::{self, Client, Granted, Told};
use crate::idp::SignInError;
use crate::idp::paste::Pasting;
use crate::oidc::{Pkce, code};
use crate::types::Secret;

/// How often the exchange of the code is tried while the service is not heard.
const TRIES: usize = 4;
/// The pause between them.
const PAUSE: Duration = Duration::from_secs(1);

impl Visit<'_, '_> {
    pub(super) async fn by_browser(&mut self, place: &Place, client: &Client) -> Result<Told<Granted>, SignInError> {
        // Before anything else, so that the browser never comes back to a closed door.
        let redirect = match self.portal.port {
            Some(port) => format!("http://127.0.0.1:{port}/oauth/callback"),
            None => "http://127.0.0.1/oauth/callback".to_owned(),
        };
        let redirect = code::Redirect::parse(&redirect).map_err(|why| SignInError::Garbled {
            provider: NAME.into(),
            step: "the way back",
            status: 0,
            why: crate::types::Untrusted::new(why),
        })?;
        let mut waiting = code::Waiting::open(self.session.machine.listener, redirect).await?;
        let pkce = Pkce::new();
        let back = waiting.redirect_uri();
        let scopes = self.portal.scopes.join(" ");
        let address = wire::address(&place.service, "/authorize")?.with_query([
            ("response_type", "code"),
            ("client_id", client.id.as_str()),
            ("redirect_uri", back.as_str()),
            ("state", waiting.state().expose().as_str()),
            ("code_challenge_method", Pkce::METHOD),
            // Not `scope`: the `aws` client's word.
            ("scopes", scopes.as_str()),
            ("code_challenge", pkce.challenge.as_str()),
        ]);
        let through = waiting.start(&address)?;
        let opened = self.show_address(place, &address, &through);
        let elsewhere = Pasting::new(self.session.answers, self.session.machine.env, opened);
        let from = code::From { who: place.start.host(), issuer: None, must_name_itself: false };
        let code = code::receive(&mut waiting, self.session.clock, code::PATIENCE, from, &elsewhere).await?;
        code::attend(waiting, self.exchange(place, client, &code, &back, &pkce)).await
    }

    /// The code for a token. The person has done their part, so a network that stumbles is no reason to ask them again.
    async fn exchange(
        &mut self,
        place: &Place,
        client: &Client,
        code: &Secret<String>,
        back: &str,
        pkce: &Pkce,
    ) -> Result<Told<Granted>, SignInError> {
        let body = wire::redeem_code(client, code, back, &pkce.verifier);
        let mut tries = 0;
        loop {
            tries += 1;
            match self.redeem(place, &body).await {
                Err(error) if tries < TRIES && super::visit::is_passing(&error) => self.session.clock.sleep(PAUSE).await,
                Ok(Told::Refused(refusal)) if tries < TRIES && refusal.status >= 500 => self.session.clock.sleep(PAUSE).await,
                told => return told,
            }
        }
    }
}
