//! Tokens that an issuer gives for this sign-in: to the client itself, for a refresh token, or to a person in a browser or on another device.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::source::Way;
use super::{Configured, Expected, Got, SignInError};
use crate::ask::{Question, Topic};
use crate::idp::Session;
use crate::idp::paste::Pasting;
use crate::oidc::{
    Client, ClientAuth, Endpoints, OidcError, Pkce, SigningKey, Tokens, code, device, discover, json as read_json, request,
};
use crate::types::{Secret, Untrusted, WebUrl};
use crate::vault::Kind;
use crate::world::{self, Request};

/// The variable with a client's secret; no flag and no key has it.
const SECRET: &str = "SAML2CLOUD_OIDC_CLIENT_SECRET";
/// Where useGrant's interface is.
const USEGRANT_URL: &str = "https://sdk.usegrant.dev/v1";
/// How long a token of useGrant lives, in seconds: it is used at once.
const USEGRANT_LIFETIME: u32 = 900;

/// What is kept of a sign-in for the next one.
#[derive(Deserialize)]
struct Kept {
    client: String,
    refresh: Secret<String>,
}

/// The same to write.
#[derive(Serialize)]
struct Keeping<'k> {
    client: &'k str,
    refresh: &'k str,
}

impl Configured {
    async fn endpoints(&self, session: &mut Session<'_>) -> Result<Endpoints, SignInError> {
        let missing = || SignInError::NoIdToken {
            place: "at an issuer".to_owned(),
            why: "none is named".to_owned(),
            hint: "`url` is the issuer's address",
        };
        let issuer = self.issuer.as_ref().ok_or_else(missing)?;
        Ok(discover(&mut session.browser, issuer).await?)
    }

    /// The secret that proves the client, if there is one: from its variable, else from the account's command.
    fn secret(&self, session: &Session<'_>) -> Result<Option<Secret<String>>, SignInError> {
        if let Some(secret) = session.machine.env.get(SECRET) {
            return Ok(Some(Secret::from(secret)));
        }
        let failed = |error: std::io::Error| SignInError::NoIdToken {
            place: "without the client's secret".to_owned(),
            why: format!("`oidc_client_secret_command` gave none: {error}"),
            hint: "run that command by itself: it should print the secret",
        };
        self.secret_command.as_deref().map(|line| session.machine.launcher.first_line(line).map_err(failed)).transpose()
    }

    /// Our client at the issuer, with the proof that is at hand.
    fn client(&self, session: &Session<'_>, in_form: bool) -> Result<Client, SignInError> {
        let id = self.client.clone().unwrap_or_default();
        let auth = match &self.key {
            Some(path) => ClientAuth::Key(self.signing_key(session, path)?),
            None => match self.secret(session)? {
                Some(secret) if in_form => ClientAuth::SecretInForm(secret),
                Some(secret) => ClientAuth::SecretInHeader(secret),
                None => ClientAuth::Public,
            },
        };
        Ok(Client { id, auth })
    }

    fn signing_key(&self, session: &Session<'_>, path: &str) -> Result<SigningKey, SignInError> {
        let wrong = |why: String| SignInError::NoIdToken {
            place: "without the client's key".to_owned(),
            why: format!("in `{}`, {why}", Untrusted::new(path)),
            hint: "`oidc_private_key` is a file with an RSA or P-256 key in PEM",
        };
        let text = world::file::read(&session.machine.paths.expand(path)).map_err(|error| wrong(error.to_string()))?;
        let pem = Secret::new(text.ok_or_else(|| wrong("there is nothing".to_owned()))?);
        SigningKey::from_pem(&pem, self.key_id.clone()).map_err(wrong)
    }

    /// What is asked for beside what the flow itself needs.
    fn wishes<'w>(&'w self, scope: Option<&'w str>) -> Vec<(&'w str, &'w str)> {
        let all = [
            ("scope", self.scope.as_deref().or(scope)),
            ("audience", self.audience.as_deref()),
            ("resource", self.resource.as_deref()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Step 3: the client's own token.
    pub(super) async fn as_client(&self, session: &mut Session<'_>) -> Result<Got, SignInError> {
        let endpoints = self.endpoints(session).await?;
        let mut client = self.client(session, endpoints.wants_secret_in_form)?;
        if matches!(client.auth, ClientAuth::Public) {
            let topic = Topic::Field("oidc_client_secret");
            let unanswered = |_| SignInError::NoIdToken {
                place: "without the client's secret".to_owned(),
                why: "neither a secret nor a key is at hand".to_owned(),
                hint: "set `SAML2CLOUD_OIDC_CLIENT_SECRET`, or name `oidc_client_secret_command` or `oidc_private_key` in the account",
            };
            let secret = session.answers.secret(&Question::new(topic, "Client secret")).await.map_err(unanswered)?;
            client.auth = match endpoints.wants_secret_in_form {
                true => ClientAuth::SecretInForm(secret),
                false => ClientAuth::SecretInHeader(secret),
            };
        }
        let mut fields = vec![("grant_type", "client_credentials")];
        fields.extend(self.wishes(None));
        let (now, step) = (session.clock.now(), "the client's sign-in");
        let tokens = request(&mut session.browser, &endpoints.token, &client, now, step, &fields).await?;
        self.pick(tokens, false, &endpoints, None)
    }

    /// Steps 3 to 5 with a person: the refresh token of an earlier sign-in, else the browser or another device.
    pub(super) async fn by_person(&self, session: &mut Session<'_>, way: Way) -> Result<Got, SignInError> {
        let endpoints = self.endpoints(session).await?;
        let client = self.client(session, endpoints.wants_secret_in_form)?;
        if let Some(got) = self.refreshed(session, &endpoints, &client).await? {
            return Ok(got);
        }
        if !session.machine.may_send_person {
            return Err(SignInError::NeedsBrowser { who: endpoints.issuer });
        }
        let is_remote = ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| session.machine.env.get(name).is_some());
        let by_device = match way {
            Way::Device => true,
            Way::Browser => false,
            // A browser here would come back to here, and the person sits elsewhere.
            Way::Either => endpoints.device.is_some() && (is_remote || endpoints.authorization.is_none()),
        };
        let (tokens, nonce) = match by_device {
            true => (self.device(session, &endpoints, &client).await?, None),
            false => {
                let nonce = Secret::new(world::nonce());
                (self.browser(session, &endpoints, &client, &nonce).await?, Some(nonce))
            }
        };
        self.keep(session, &tokens);
        self.pick(tokens, true, &endpoints, nonce)
    }

    /// Step 4.
    async fn browser(
        &self,
        session: &mut Session<'_>,
        endpoints: &Endpoints,
        client: &Client,
        nonce: &Secret<String>,
    ) -> Result<Tokens, SignInError> {
        let mut waiting = code::Waiting::open(session.machine.listener, self.redirect.clone()).await?;
        let pkce = Pkce::new();
        let url = waiting.address(endpoints, &client.id, &pkce, nonce.expose(), &self.wishes(Some("openid")))?;
        let who = url.host().to_owned();
        let launcher = session.machine.launcher;
        // For the person alone: whoever knows it could answer in their place.
        let address = url.expose().as_str();
        let opened = match launcher.can_browse() {
            Ok(()) => {
                session.answers.notify(&format!(
                    "Your browser opens for the sign-in at {who}. If it does not, open this address in it:\n  {address}"
                ));
                launcher.browse(&waiting.start(&url)?).map_err(|why| (why, String::new()))
            }
            Err(why) => Err((why, format!("\n  {address}"))),
        };
        let is_open = opened.is_ok();
        if let Err((why, address)) = opened {
            session.answers.notify(&format!(
                "No browser could be opened: {}. Open the address in one; `--oidc device` is another way.{address}",
                Untrusted::new(why.to_string())
            ));
        }
        let elsewhere = Pasting::new(session.answers, session.machine.env, is_open);
        let from = code::From { who: &who, issuer: Some(&endpoints.issuer), must_name_itself: endpoints.names_itself };
        let code = code::receive(&mut waiting, session.clock, code::PATIENCE, from, &elsewhere).await?;
        let redirect = waiting.redirect_uri();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expose().as_str()),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", pkce.verifier.expose()),
        ];
        let (now, step) = (session.clock.now(), "the code");
        let exchange = request(&mut session.browser, &endpoints.token, client, now, step, &fields);
        Ok(code::attend(waiting, exchange).await?)
    }

    /// Step 5.
    async fn device(&self, session: &mut Session<'_>, endpoints: &Endpoints, client: &Client) -> Result<Tokens, SignInError> {
        let wishes = self.wishes(Some("openid"));
        let device = device::begin(&mut session.browser, endpoints, client, session.clock, &wishes).await?;
        let shown = |url: &WebUrl| Untrusted::new(url.expose().as_str()).to_string();
        let mut notice = format!("To sign in, open {} and enter the code {}", shown(&device.url), device.user_code);
        if let Some(url) = &device.url_with_code {
            notice += &format!("\n  or open {}", shown(url));
        }
        session
            .answers
            .notify(&format!("{notice}\nApprove it only because you have just started this yourself, on this machine."));
        let who = device.url.host().to_owned();
        let mut ask = device::Standard {
            browser: &mut session.browser,
            endpoints,
            client,
            clock: session.clock,
            device: &device,
            fields: &[],
        };
        Ok(device::poll(session.clock, &device, &who, &mut ask).await?)
    }

    /// New tokens for the refresh token of an earlier sign-in; nothing if there is none, or it is no longer good.
    async fn refreshed(
        &self,
        session: &mut Session<'_>,
        endpoints: &Endpoints,
        client: &Client,
    ) -> Result<Option<Got>, SignInError> {
        let kept = session.memory.recall(Kind::IdpSession).and_then(|text| serde_json::from_str::<Kept>(text.expose()).ok());
        let Some(kept) = kept.filter(|kept| kept.client == client.id) else { return Ok(None) };
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", kept.refresh.expose().as_str())];
        fields.extend(self.wishes(None));
        let (now, step) = (session.clock.now(), "the refresh token");
        match request(&mut session.browser, &endpoints.token, client, now, step, &fields).await {
            Ok(tokens) => {
                self.keep(session, &tokens);
                // Some issuers give no new ID token for a refresh token: then the person signs in.
                Ok(self.pick(tokens, true, endpoints, None).ok())
            }
            Err(OidcError::Transport(error)) => Err(error.into()),
            Err(error) => {
                tracing::debug!(%error, "the refresh token is no longer good");
                session.memory.forget(Kind::IdpSession);
                Ok(None)
            }
        }
    }

    /// Keeps a refresh token; an answer without one leaves the last.
    fn keep(&self, session: &Session<'_>, tokens: &Tokens) {
        let Some(refresh) = &tokens.refresh else { return };
        let client = self.client.as_deref().unwrap_or_default();
        if let Ok(text) = serde_json::to_string(&Keeping { client, refresh: refresh.expose() }) {
            session.memory.keep(Kind::IdpSession, &Secret::new(text));
        }
    }

    /// The one token that goes to the cloud.
    fn pick(
        &self,
        tokens: Tokens,
        is_of_person: bool,
        endpoints: &Endpoints,
        nonce: Option<Secret<String>>,
    ) -> Result<Got, SignInError> {
        let from = endpoints.token.host().to_owned();
        let wants_id = self.is_id.unwrap_or(is_of_person);
        let missing = |what: &str| SignInError::NoIdToken {
            place: format!("in the answer of {from}"),
            why: format!("it gave no {what}"),
            hint: "`oidc_scope` must have `openid` for an ID token; `oidc_use` says which token goes to the cloud",
        };
        if wants_id {
            let token = tokens.id.ok_or_else(|| missing("ID token"))?;
            let client = self.client.clone().unwrap_or_default();
            return Ok(Got { token, expected: Some(Expected { issuer: endpoints.issuer.clone(), client, nonce }), from });
        }
        let token = tokens.access.ok_or_else(|| missing("access token"))?;
        Ok(Got { token, from, expected: None })
    }

    /// useGrant's access-token interface. Clouds want an audience that is a list and a header that says `jwt`.
    pub(super) async fn usegrant(&self, session: &mut Session<'_>) -> Result<Got, SignInError> {
        let no_secret = || SignInError::NoIdToken {
            place: "from useGrant".to_owned(),
            why: "its API token is not at hand".to_owned(),
            hint: "set `SAML2CLOUD_OIDC_CLIENT_SECRET` to it, or name `oidc_client_secret_command` in the account",
        };
        let bearer = self.secret(session)?.ok_or_else(no_secret)?;
        let part = |text: &Option<String>| -> String {
            url::form_urlencoded::byte_serialize(text.as_deref().unwrap_or_default().as_bytes()).collect()
        };
        let base = self.issuer.as_ref().map_or_else(|| USEGRANT_URL.to_owned(), |url| url.to_string());
        let address =
            format!("{}/providers/{}/clients/{}/tokens", base.trim_end_matches('/'), part(&self.usegrant), part(&self.client));
        let (who, step) = ("useGrant".to_owned(), "the request for a token");
        let address = WebUrl::parse(&address).map_err(|why| OidcError::Issuer { issuer: who.clone(), why: why.to_string() })?;
        let body = json!({
            "expiresIn": USEGRANT_LIFETIME,
            "useJwtType": true,
            "audienceAsArray": true,
            "forceDefaultDomain": self.default_domain,
        });
        let request = Request::post(address, "application/json", Secret::new(body.to_string()))
            .header("authorization", Secret::new(format!("Bearer {}", bearer.expose())))
            .header("accept", "application/json");
        let answer = session.browser.send(request).await?;
        let garbled = |why: &str| OidcError::Garbled { who: who.clone(), step, status: answer.status, why: Untrusted::new(why) };
        if !answer.is_success() {
            #[derive(Deserialize)]
            struct Failure {
                code: String,
                #[serde(default)]
                message: String,
            }
            let Failure { code, message } = read_json(answer.body.expose()).map_err(garbled)?;
            return Err(OidcError::Refused { who, step, error: Untrusted::new(code), said: Untrusted::new(message) }.into());
        }
        #[derive(Deserialize)]
        struct Success {
            #[serde(rename = "accessToken")]
            token: Secret<String>,
        }
        let Success { token } = read_json(answer.body.expose()).map_err(garbled)?;
        Ok(Got { token, from: who, expected: None })
    }
}
