//! One sign-in: the token that rests, its renewal, and what is needed for a new one.

use std::path::PathBuf;
use std::time::Duration;

use super::token::{self, Held, Shared, State};
use super::wire::{self, Client, Granted, Refusal, Told};
use super::{Configured, NAME, REGION, Store, known, start};
use crate::ask::{NoAnswer, Question, Topic};
use crate::http::Policy;
use crate::idp::{Session, SignInError, portal};
use crate::types::{Partition, PortalKind, PortalToken, Region, Secret, Timestamp, WebUrl};
use crate::vault::Kind;
use crate::world::file::{self, FileError};
use crate::world::{Request, TransportError, is_busy};

/// The pause before a half-written file is looked at again.
const MOMENT: Duration = Duration::from_millis(50);
/// The least time between two tries to renew a token that still serves: botocore's.
const GAP: Duration = Duration::from_secs(60);
/// How much life a registration must have left.
const REGISTRATION: i64 = 15 * 60;
/// How often a refusal to know this program is met with a new registration.
const REGISTRATIONS: usize = 2;

/// One sign-in.
pub(super) struct Visit<'v, 's> {
    pub(super) portal: &'v Configured,
    pub(super) session: &'v mut Session<'s>,
}

/// Where a sign-in takes place.
pub(super) struct Place {
    /// The sign-in service.
    pub(super) service: WebUrl,
    /// The portal's start page on AWS's own host.
    pub(super) start: WebUrl,
    pub(super) region: Region,
}

pub(super) fn refused(refusal: &Refusal) -> SignInError {
    SignInError::Refused { provider: NAME.into(), said: refusal.words() }
}

/// Whether a failure says nothing about the token: the network, or a service that is down.
pub(super) fn is_passing(error: &SignInError) -> bool {
    match error {
        SignInError::Browse(crate::http::BrowseError::Transport(error)) => {
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

    /// The access token: the one that rests, a renewed one, or one of a new sign-in.
    pub(super) async fn token(&mut self) -> Result<PortalToken, SignInError> {
        let standing = self.session.standing;
        let state = |visit: &Self, held: &Held| held.state(visit.now(), standing.refused);
        if !standing.anew
            && let Some(held) = self.held().await
            // One that only ends soon is not worth a wait for somebody else's sign-in.
            && match state(self, &held) {
                State::Good => true,
                State::Ending => self.is_taken(),
                State::Over | State::Dead => false,
            }
        {
            return Ok(self.handed(held));
        }
        // One at a time; whoever waited finds what the other got.
        let _turn = self.turn().await;
        let held = if standing.anew { None } else { self.held().await };
        let renewed = match &held {
            Some(held) => match state(self, held) {
                State::Good => return Ok(self.handed(held.clone())),
                State::Ending if !self.may_try() => return Ok(self.handed(held.clone())),
                State::Ending => match self.renew(held).await {
                    // The old one is good for some minutes more.
                    Ok(None) | Err(_) => return Ok(self.handed(held.clone())),
                    Ok(renewed) => renewed,
                },
                State::Over => self.renew(held).await?,
                State::Dead => None,
            },
            None => None,
        };
        let held = match renewed {
            Some(held) => held,
            None => self.sign_in().await?,
        };
        Ok(self.handed(held))
    }

    fn handed(&self, held: Held) -> PortalToken {
        let region = held.region.or_else(|| self.portal.region.clone());
        PortalToken {
            kind: PortalKind::Cloud,
            access: held.access,
            start: self.portal.start.clone(),
            region,
            expires: held.expires,
        }
    }

    /// The token that rests, as it is.
    pub(super) async fn left(&mut self) -> Option<PortalToken> {
        self.held().await.map(|held| self.handed(held))
    }

    /// Takes the token away from where it rests.
    pub(super) async fn forget(&mut self) -> Result<(), SignInError> {
        let _turn = self.turn().await;
        match self.portal.store {
            Store::Shared => file::remove(&self.shared_file()).map_err(SignInError::Tokens),
            Store::Vault => {
                self.session.memory.forget(Kind::Portal);
                Ok(())
            }
        }
    }

    /// By what processes wait for each other's sign-ins at this portal for this person.
    fn turns(&self) -> PathBuf {
        portal::queue(self.session, &self.portal.key)
    }

    /// Whether a renewal that is not urgent may be tried: a service that does not answer is not asked by each of many processes. Notes the try.
    fn may_try(&self) -> bool {
        let path = self.turns().with_extension("tried");
        let now = self.now();
        let last = file::read(&path).ok().flatten().and_then(|text| Timestamp::from_unix(text.trim().parse().ok()?));
        // A note of the future is one of another clock.
        if last.is_some_and(|last| last <= now && now.since(last) < GAP) {
            return false;
        }
        if let Err(error) = file::replace(&path, &now.unix().to_string()) {
            tracing::debug!(%error, "the try is not noted");
        }
        true
    }

    /// Whether another process is signing in, or renewing.
    fn is_taken(&self) -> bool {
        matches!(file::lock_now(&self.turns()), Ok(None))
    }

    /// Waits until no other process is signing in at this portal for this person.
    async fn turn(&self) -> Option<file::Lock> {
        portal::turn(self.session, &self.turns()).await
    }

    fn shared_file(&self) -> PathBuf {
        token::shared_file(&self.session.machine.paths.aws_sso_cache(), &self.portal.key)
    }

    /// The token that rests.
    async fn held(&self) -> Option<Held> {
        if self.portal.store == Store::Vault {
            let held = self.session.memory.recall(Kind::Portal).and_then(|text| Held::read(text.expose()));
            return held.filter(|held| held.is_of(&self.portal.written));
        }
        let path = self.shared_file();
        for _ in 0..3 {
            match token::read_shared(&path) {
                Ok(Shared::Token(held)) => return Some(held).filter(|held| held.is_of(&self.portal.written)),
                Ok(Shared::Half) => self.session.clock.sleep(MOMENT).await,
                Ok(Shared::Nothing) => return None,
                Err(error) => {
                    self.session.answers.notify(&format!("note: {error}; you are asked to sign in"));
                    return None;
                }
            }
        }
        None
    }

    /// Keeps a token for the next run. One that cannot be kept is good for this one.
    fn keep(&self, held: &Held) {
        let kept: Result<(), FileError> = match self.portal.store {
            Store::Shared => token::write_shared(&self.shared_file(), held, &self.portal.written),
            Store::Vault => {
                self.session.memory.keep(Kind::Portal, &held.written(None, &self.portal.written));
                Ok(())
            }
        };
        if let Err(error) = kept {
            self.session.answers.notify(&format!("note: the sign-in is not remembered: {error}"));
        }
    }

    /// A renewed token; nothing where only a new sign-in helps.
    async fn renew(&mut self, held: &Held) -> Result<Option<Held>, SignInError> {
        let (Some(refresh), Some(client)) = (&held.refresh, &held.client) else { return Ok(None) };
        let Some(region) = held.region.clone().or_else(|| self.portal.region.clone()) else { return Ok(None) };
        let service = self.service(&region, &self.portal.start)?;
        match self.ask::<Granted>(&service, "/token", &wire::refresh(client, refresh), "the renewal").await? {
            Told::Given(granted) => {
                let renewed = Held::of(granted, client, &region, self.now(), Some(held));
                self.keep(&renewed);
                Ok(Some(renewed))
            }
            Told::Refused(refusal) if refusal.status >= 500 => Err(refused(&refusal)),
            Told::Refused(refusal) => {
                tracing::debug!(code = refusal.code, "the session at the portal is over");
                Ok(None)
            }
        }
    }

    /// A new sign-in, by a person.
    async fn sign_in(&mut self) -> Result<Held, SignInError> {
        let machine = self.session.machine;
        let headless = self.portal.is_headless(machine.env);
        // Where there is neither a screen nor a terminal nobody reads a code, unless they ask for one.
        let is_seen = self.portal.device == Some(true) || !headless || self.session.answers.can_ask(Topic::Field(REGION));
        if !is_seen || (!machine.may_send_person && !self.portal.auto_login) {
            return Err(SignInError::NeedsSignIn { at: self.portal.start.host().to_owned() });
        }
        let place = self.place().await?;
        let by_device = self.portal.device.unwrap_or(headless);
        let grant = if by_device { wire::DEVICE } else { wire::CODE };
        let mut tries = 0;
        loop {
            tries += 1;
            let client = self.client(&place, grant, tries > 1).await?;
            let told = match by_device {
                true => self.by_device(&place, &client, !headless).await?,
                false => self.by_browser(&place, &client).await?,
            };
            match told {
                Told::Given(granted) => {
                    let held = Held::of(granted, &client, &place.region, self.now(), None);
                    self.keep(&held);
                    return Ok(held);
                }
                // A registration that the service has forgotten; once.
                Told::Refused(refusal) if refusal.is_of_client() && tries < REGISTRATIONS => {}
                Told::Refused(refusal) => return Err(self.explain(&refusal, &place).await),
            }
        }
    }

    /// Why a sign-in was refused. The region is the usual cause, and the portal's page knows it.
    async fn explain(&mut self, refusal: &Refusal, place: &Place) -> SignInError {
        if matches!(refusal.code.as_str(), "invalid_request" | "invalid_grant")
            && let Some(region) = self.region_of_page(&place.start).await
            && region != place.region
        {
            return SignInError::WrongRegion { given: place.region.to_string(), is: region.to_string() };
        }
        refused(refusal)
    }

    /// Where to sign in: the portal behind the start URL, and its region.
    async fn place(&mut self) -> Result<Place, SignInError> {
        let start = self.portal_behind().await?;
        let region = match self.portal.region.clone().or_else(|| start::region_of(&start)) {
            Some(region) => region,
            None => match self.region_of_page(&start).await {
                Some(region) => region,
                None => self.asked_region().await?,
            },
        };
        Ok(Place { service: self.service(&region, &start)?, start, region })
    }

    async fn asked_region(&self) -> Result<Region, SignInError> {
        let topic = Topic::Field(REGION);
        let answer = self.session.answers.text(&Question::new(topic, "Region of IAM Identity Center")).await;
        let text = answer.map_err(|why| SignInError::Unanswered { topic, why })?;
        Region::parse(text.trim()).map_err(|_| SignInError::Unanswered { topic, why: NoAnswer::Cancelled })
    }

    /// The start page on AWS's own host: a company's own address leads there by one redirect.
    async fn portal_behind(&mut self) -> Result<WebUrl, SignInError> {
        let given = self.portal.start.clone();
        if start::is_own(&given) {
            return Ok(given);
        }
        let answer = self.session.browser.send(Request::get(given.clone())).await?;
        let leads = answer.header("location").filter(|_| matches!(answer.status, 301 | 302 | 303 | 307 | 308));
        match leads.and_then(|location| given.join(location).ok()).filter(start::is_own) {
            Some(portal) => Ok(portal),
            None => Err(SignInError::NoPortal { url: given.to_string() }),
        }
    }

    /// The region that the start page names; nothing if it does not, or cannot be had.
    async fn region_of_page(&mut self, start: &WebUrl) -> Option<Region> {
        let mut url = start.clone();
        for _ in 0..3 {
            let answer = self.session.browser.send(Request::get(url.clone())).await.ok()?;
            if answer.is_success() {
                return start::region_in_page(answer.body.expose());
            }
            let next = url.join(answer.header("location")?).ok().filter(start::is_own)?;
            if let Some(region) = start::region_of(&next) {
                return Some(region);
            }
            url = next;
        }
        None
    }

    /// The sign-in service: the environment's own address, else the region's.
    fn service(&self, region: &Region, start: &WebUrl) -> Result<WebUrl, SignInError> {
        let env = self.session.machine.env;
        let named = match env.is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            true => None,
            false => env.first(&["AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL"]).map(|(_, url)| url.to_owned()),
        };
        let address = named.unwrap_or_else(|| {
            let dual_stack = env.is_on("AWS_USE_DUALSTACK_ENDPOINT") || start::is_dual_stack(start);
            format!("https://{}/", Partition::host("oidc", region, env.is_on("AWS_USE_FIPS_ENDPOINT"), dual_stack))
        });
        WebUrl::parse(&address).map_err(|why| crate::http::BrowseError::Astray { host: start.host().to_owned(), why }.into())
    }

    /// This program's registration: the one of an earlier sign-in, or a new one.
    async fn client(&mut self, place: &Place, grant: &str, anew: bool) -> Result<Client, SignInError> {
        let scopes = self.portal.scopes.join(" ");
        let name = portal::file_name(&["client", grant, place.service.expose().as_str(), &self.portal.key, &scopes]);
        let path = self.session.machine.paths.portal_cache().join(format!("{name}.json"));
        let kept = || serde_json::from_str::<Client>(&file::read(&path).ok()??).ok();
        let of_aws_client = || {
            let (start, session) = (self.portal.written.as_str(), self.portal.session.as_deref());
            let wanted = known::For { start, region: &place.region, session, scopes: &self.portal.scopes, grant };
            known::registration(&self.session.machine.paths.aws_sso_cache(), &wanted)
        };
        let is_fresh = |client: &Client| !anew && client.expires - self.now().unix() > REGISTRATION;
        if let Some(client) = kept().filter(is_fresh).or_else(|| of_aws_client().filter(is_fresh)) {
            return Ok(client);
        }
        let name = wire::client_name(self.portal.session.as_deref());
        let start = place.start.expose().as_str();
        let body = wire::register(&name, grant, &self.portal.scopes, start);
        let client = match self.ask::<Client>(&place.service, "/client/register", &body, "the registration").await? {
            Told::Given(client) => client,
            Told::Refused(refusal) => return Err(self.explain(&refusal, place).await),
        };
        let text = serde_json::json!({
            "clientId": client.id,
            "clientSecret": client.secret.expose(),
            "clientSecretExpiresAt": client.expires,
        });
        if let Err(error) = file::replace(&path, Secret::new(text.to_string()).expose()) {
            tracing::debug!(%error, "the registration is not kept");
        }
        Ok(client)
    }

    /// Asks the service, three times where it fails by itself.
    pub(super) async fn ask<T: for<'de> serde::Deserialize<'de>>(
        &mut self,
        service: &WebUrl,
        path: &str,
        body: &serde_json::Value,
        step: &'static str,
    ) -> Result<Told<T>, SignInError> {
        let mut pauses = Policy::CLOUD.pauses();
        loop {
            let answer = self.session.browser.send(wire::post(service, path, body)?).await?;
            match pauses.next().filter(|_| answer.status >= 500) {
                Some(pause) => self.session.clock.sleep(pause).await,
                None => return wire::read(&answer, step),
            }
        }
    }

    /// The last step: something for a token.
    pub(super) async fn redeem(&mut self, place: &Place, body: &serde_json::Value) -> Result<Told<Granted>, SignInError> {
        let answer = self.session.browser.send(wire::post(&place.service, "/token", body)?).await?;
        wire::read::<Granted>(&answer, "the sign-in")
    }

    /// Opens the address in the person's browser by way of `through`, which tells nobody anything, and shows it in case that fails. Whether
    /// it was opened.
    pub(super) fn show_address(&self, place: &Place, address: &WebUrl, through: &WebUrl) -> bool {
        let answers = self.session.answers;
        let own = start::may_open(address);
        // Without a screen whatever opens is no browser that the person sees.
        let opened = own && !self.portal.is_headless(self.session.machine.env) && self.open(through);
        match opened {
            true => answers.notify(&format!(
                "Sign in to {} with your browser. If it did not open, this is the address:",
                place.start.host()
            )),
            false => answers.notify(&format!("Sign in to {} with a browser, at this address:", place.start.host())),
        }
        // For the person alone: whoever knows it could answer in their place.
        answers.notify(&format!("  {}", address.expose()));
        if !own {
            answers.notify("note: the address is not one of AWS's own, so no browser is opened; do you know it?");
        }
        opened
    }

    /// Whether a browser was opened.
    pub(super) fn open(&self, address: &WebUrl) -> bool {
        portal::open(self.session, address)
    }
}
