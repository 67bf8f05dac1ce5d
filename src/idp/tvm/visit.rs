//! One sign-in: the token that rests in the vault, else the person's browser, or a code that they type on another device.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{Configured, DEVICE, NAME};
use crate::ask::Topic;
use crate::http::BrowseError;
use crate::idp::{Session, SignInError, portal};
use crate::oidc::{Client, Endpoints, OidcError, Pkce, Tokens, code, device, request};
use crate::types::{Credentials, PortalKind, PortalToken, Secret, Timestamp, Untrusted, WebUrl};
use crate::vault::Kind;
use crate::world::file::Lock;
use crate::world::{is_busy, machine_name};

/// What the server knows every command line by.
const CLIENT: &str = "saml2cloud";
/// How often the exchange of the code is tried while the server is not heard, and the pause between.
const TRIES: usize = 4;
const PAUSE: Duration = Duration::from_secs(1);
/// A token is good for this long where the server does not say: half a day, as the server has it from the start.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// One sign-in.
pub(super) struct Visit<'v, 's> {
    pub(super) server: &'v Configured,
    pub(super) session: &'v mut Session<'s>,
}

/// A token as it rests.
#[derive(Deserialize)]
struct Kept {
    server: String,
    access_token: Secret<String>,
    expires: i64,
}

impl Visit<'_, '_> {
    fn now(&self) -> Timestamp {
        self.session.clock.now()
    }

    fn host(&self) -> String {
        self.server.base.host().to_owned()
    }

    fn address(&self, path: &str) -> Result<WebUrl, SignInError> {
        let base = &self.server.base;
        base.join(path).map_err(|why| BrowseError::Astray { host: base.host().to_owned(), why }.into())
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
        let machine = self.session.machine;
        let headless = portal::is_headless(machine.env);
        // Where there is neither a screen nor a terminal nobody reads a code, unless they ask for one.
        let is_seen = self.server.device || !headless || self.session.answers.can_ask(Topic::Field(DEVICE));
        if !is_seen || (!machine.may_send_person && !self.server.auto_login) {
            return Err(SignInError::NeedsSignIn { at: self.host() });
        }
        let tokens = match self.server.device || headless {
            true => self.by_device().await?,
            false => self.by_browser().await?,
        };
        let token = self.handed(&tokens)?;
        self.keep(&token);
        if self.kept().is_none() && token.expires > self.now() {
            self.session.answers.notify(
                "note: this sign-in is good for this command only: there is no keychain to keep it in (`SAML2CLOUD_KEYCHAIN`)",
            );
        }
        Ok(token)
    }

    /// Waits until no other process is signing in at this server for this person.
    pub(super) async fn turn(&self) -> Option<Lock> {
        portal::turn(self.session, &portal::queue(self.session, self.server.base.expose().as_str())).await
    }

    /// The token that rests, if it is still good.
    pub(super) fn kept(&self) -> Option<PortalToken> {
        let text = self.session.memory.recall(Kind::Portal)?;
        let kept: Kept = serde_json::from_str(text.expose()).ok()?;
        let expires = Timestamp::from_unix(kept.expires).filter(|end| *end > self.now())?;
        let is_of_it = kept.server == self.server.base.expose().as_str() && !kept.access_token.expose().is_empty();
        is_of_it.then(|| self.portal_token(kept.access_token, expires))
    }

    fn portal_token(&self, access: Secret<String>, expires: Timestamp) -> PortalToken {
        PortalToken { kind: PortalKind::Tvm, access, start: self.server.base.clone(), region: None, expires }
    }

    fn keep(&self, token: &PortalToken) {
        let kept = json!({
            "server": token.start.expose().as_str(),
            "access_token": token.access.expose(),
            "expires": token.expires.unix(),
        });
        self.session.memory.keep(Kind::Portal, &Secret::new(kept.to_string()));
    }

    /// What the server gave, as a token for its own interface.
    fn handed(&self, tokens: &Tokens) -> Result<PortalToken, SignInError> {
        // It will be part of a header.
        let access = tokens.access.as_ref().and_then(|text| Credentials::one_word(text.expose())).map(Secret::from);
        let none = || SignInError::Garbled {
            provider: NAME.into(),
            step: "the sign-in",
            status: 200,
            why: Untrusted::new("its access token is none"),
        };
        let lifetime = tokens.lifetime().unwrap_or(LIFETIME).min(LIFETIME * 14);
        Ok(self.portal_token(access.ok_or_else(none)?, self.now().after(lifetime)))
    }

    /// The server's addresses as those of an issuer of tokens.
    fn endpoints(&self, token: &str) -> Result<Endpoints, SignInError> {
        Ok(Endpoints {
            issuer: self.server.base.expose().as_str().to_owned(),
            token: self.address(token)?,
            authorization: Some(self.address("cli/authorize")?),
            device: Some(self.address("api/v1/cli/device")?),
            names_itself: true,
            wants_secret_in_form: false,
        })
    }

    /// Steps 2 and 4.
    async fn by_browser(&mut self) -> Result<Tokens, SignInError> {
        let endpoints = self.endpoints("api/v1/cli/token")?;
        let redirect = match self.server.port {
            Some(port) => format!("http://127.0.0.1:{port}/callback"),
            None => "http://127.0.0.1/callback".to_owned(),
        };
        let redirect = code::Redirect::parse(&redirect).map_err(|why| SignInError::Garbled {
            provider: NAME.into(),
            step: "the way back",
            status: 0,
            why: Untrusted::new(why),
        })?;
        // Before anything else, so that the browser never comes back to a closed door.
        let mut waiting = code::Waiting::open(self.session.machine.listener, redirect).await?;
        let pkce = Pkce::new();
        let back = waiting.redirect_uri();
        let state = waiting.state().clone();
        let query = [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", back.as_str()),
            ("state", state.expose().as_str()),
            ("code_challenge", pkce.challenge.as_str()),
            ("code_challenge_method", Pkce::METHOD),
        ];
        let proof = self.session.standing.proof.then_some(("prompt", "login"));
        let address = self.address("cli/authorize")?.with_query(query.into_iter().chain(proof));
        let through = waiting.start(&address)?;
        let answers = self.session.answers;
        match portal::open(self.session, &through) {
            true => {
                answers.notify(&format!("Sign in to {} with your browser. If it did not open, this is the address:", self.host()))
            }
            false => answers.notify(&format!("Sign in to {} with a browser of this machine, at this address:", self.host())),
        }
        // For the person alone: whoever knows it could answer in their place.
        answers.notify(&format!("  {}", address.expose()));
        let host = self.host();
        let from = code::From { who: &host, issuer: Some(&endpoints.issuer), must_name_itself: true };
        let code = code::receive(&mut waiting, self.session.clock, code::PATIENCE, from, &code::Nobody).await?;
        code::attend(waiting, self.exchange(&endpoints, &code, &back, &pkce)).await
    }

    /// The code for a token. The person has done their part, so a network that stumbles is no reason to ask them again.
    async fn exchange(
        &mut self,
        endpoints: &Endpoints,
        code: &Secret<String>,
        back: &str,
        pkce: &Pkce,
    ) -> Result<Tokens, SignInError> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expose().as_str()),
            ("redirect_uri", back),
            ("code_verifier", pkce.verifier.expose()),
        ];
        let client = Client::public(CLIENT);
        let (clock, mut tries) = (self.session.clock, 0);
        loop {
            tries += 1;
            match request(&mut self.session.browser, &endpoints.token, &client, clock.now(), "the code", &fields).await {
                Err(error) if tries < TRIES && is_passing(&error) => clock.sleep(PAUSE).await,
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Steps 3 and 4. Whoever is tricked into approving somebody else's code hands their roles over, so the person is told what to look
    /// at, and no address has the code in it.
    async fn by_device(&mut self) -> Result<Tokens, SignInError> {
        let endpoints = self.endpoints("api/v1/cli/device/token")?;
        let (client, pkce) = (Client::public(CLIENT), Pkce::new());
        let machine = machine_name(self.session.machine.env);
        let name = format!("saml2cloud ({machine})");
        let fields = [
            ("client_name", name.as_str()),
            ("code_challenge", pkce.challenge.as_str()),
            ("code_challenge_method", Pkce::METHOD),
        ];
        let proof = self.session.standing.proof.then_some(("prompt", "login"));
        let fields: Vec<_> = fields.into_iter().chain(proof).collect();
        let (clock, answers) = (self.session.clock, self.session.answers);
        let device = device::begin(&mut self.session.browser, &endpoints, &client, clock, &fields).await?;
        answers.notify(&format!("To sign in to {}, open this address on any device:", self.host()));
        answers.notify(&format!("  {}", device.url.expose()));
        answers.notify("and type this code:");
        answers.notify(&format!("  {}", device.user_code));
        answers.notify(&format!("Approve it only if you started this yourself, on {machine}."));
        if device.url.host() != self.server.base.host() {
            answers.notify("note: the address is not one of that server; do you know it?");
        }
        let fields = [("code_verifier", pkce.verifier.expose().as_str())];
        let host = self.host();
        let browser = &mut self.session.browser;
        let mut ask =
            device::Standard { browser, endpoints: &endpoints, client: &client, clock, device: &device, fields: &fields };
        Ok(device::poll(clock, &device, &host, &mut ask).await?)
    }
}

/// Whether a failure says nothing about the sign-in: the network, or a server that is busy.
fn is_passing(error: &OidcError) -> bool {
    match error {
        OidcError::Transport(error) => {
            use crate::world::TransportError::{Late, Unreachable};
            matches!(error, Unreachable { .. } | Late { .. })
        }
        OidcError::Garbled { status, .. } => is_busy(*status),
        // By the server's words for what passes.
        OidcError::Refused { error, .. } => {
            matches!(
                error.raw(),
                "temporarily_unavailable" | "rate_limited" | "store_unavailable" | "audit_unavailable" | "kms_unavailable"
            )
        }
        _ => false,
    }
}
