//! Okta, classic: a person signs in with the Authentication API, and the application's embed link gives the response.
//!
//! 1. With the session of an earlier sign-in (cookie `sid`): `GET` of the application's address. If that is 6, done.
//! 2. `POST /api/v1/authn` with user name and password. `SUCCESS` leads to 5, `MFA_REQUIRED` to 3; what can be passed over
//!    (`PASSWORD_WARN`, an optional `MFA_ENROLL`) is, by `POST /api/v1/authn/skip`; the rest is a refusal.
//! 3. `POST /api/v1/authn/factors/ID/verify`: with a code to check it, without one to send a code or a push.
//! 4. A push is asked after by the same request until it is no longer `WAITING`; the number to choose on the phone may come late.
//! 5. `GET /login/sessionCookieRedirect` with the token of 2 to 4, which is good once: gives the session and leads to the application.
//! 6. A page whose form posts the `SAMLResponse` to the cloud; or one whose script has a state token: the application asks for
//!    more, and `POST /api/v1/authn` with that token leads to 3, and `GET /login/step-up/redirect` back here.
//!
//! The application's embed link, `https://ORG.okta.com/home/amazon_aws/…/272`, is the account's `url`. Okta's own pages:
//! <https://developer.okta.com/docs/reference/api/authn/> and <https://developer.okta.com/docs/guides/session-cookie/main/>.

mod answer;
mod factors;
mod page;
mod session;

use async_trait::async_trait;
use serde_json::{Value, json};

use self::answer::{Told, read};
use self::page::AppPage;
use super::{Field, Idp, Method, Provider, Session, Settings, SettingsError, SignInError};
use crate::http::{BrowseError, Page};
use crate::types::{Assertion, Secret, Untrusted, WebUrl};
use crate::world::{Request, Response};

/// No sign-in has more steps between password and session than this.
const STEPS: usize = 8;
/// How often an application may ask for more.
const STEP_UPS: usize = 2;

const NAME: &str = "Okta";
const SESSIONS: &str = "disable_sessions";
const DEVICE: &str = "disable_remember_device";

/// The description.
pub(super) static PROVIDER: Okta = Okta;

/// Okta, described.
pub(super) struct Okta;

impl Provider for Okta {
    fn id(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Okta (classic sign-in)"
    }

    fn fields(&self) -> &'static [Field] {
        &[
            Field {
                key: SESSIONS,
                variable: "OKTA_DISABLE_SESSIONS",
                help: "do not keep the session at Okta for the next sign-in",
                needed: false,
            },
            Field {
                key: DEVICE,
                variable: "OKTA_DISABLE_REMEMBER_DEVICE",
                help: "do not let Okta remember this machine",
                needed: false,
            },
        ]
    }

    fn methods(&self) -> &'static [Method] {
        factors::METHODS
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError> {
        let wrong = |key, why: String| SettingsError { key, provider: NAME, why };
        let app = &settings.url;
        let parts: Vec<&str> = app.path().split('/').filter(|part| !part.is_empty()).collect();
        if !matches!(parts.as_slice(), ["home", _, _, ..] | ["app", _, _, ..]) {
            return Err(wrong(
                "url",
                format!(
                    "it should be the application's embed link, like `https://ORG.okta.com/home/amazon_aws/…/272`, not the \
                     organisation's address `{app}`"
                ),
            ));
        }
        let wish = settings.mfa.trim();
        if !self.methods().iter().any(|m| m.name.eq_ignore_ascii_case(wish)) {
            let known: Vec<&str> = self.methods().iter().map(|m| m.name).collect();
            return Err(wrong("mfa", format!("`{}` is not one of {}", wish.escape_debug(), known.join(", "))));
        }
        Ok(Box::new(Configured {
            app: app.clone(),
            wish: wish.to_owned(),
            keeps_session: !settings.switch(NAME, SESSIONS)?,
            is_remembered: !settings.switch(NAME, DEVICE)?,
        }))
    }
}

struct Configured {
    /// The application's embed link.
    app: WebUrl,
    /// The factor that the account wishes for, a word of `--mfa`.
    wish: String,
    /// Whether the session at Okta is kept for the next sign-in.
    keeps_session: bool,
    /// Whether Okta may know this machine again.
    is_remembered: bool,
}

#[async_trait]
impl Idp for Configured {
    async fn sign_in(&self, session: &mut Session<'_>) -> Result<Assertion, SignInError> {
        let mut visit = Visit { okta: self, session, device: None };
        visit.present_device();
        if let Some(assertion) = visit.resume().await? {
            return Ok(assertion);
        }
        let first = visit.authenticate().await?;
        let passed = visit.transaction(first, "the password").await?;
        let page = visit.enter(&passed).await?;
        let assertion = visit.application(page).await?;
        visit.keep_session();
        Ok(assertion)
    }
}

/// One sign-in.
struct Visit<'v, 's> {
    okta: &'v Configured,
    session: &'v mut Session<'s>,
    /// What Okta knows this machine by, if it may.
    device: Option<Secret<String>>,
}

/// What a finished transaction gives.
enum Passed {
    /// A token that buys a session.
    Token(Secret<String>),
    /// The state that leads back to the application.
    State(Secret<String>),
}

fn garbled(step: &'static str, answer: &Response, why: impl Into<String>) -> SignInError {
    SignInError::Garbled { provider: NAME.into(), step, status: answer.status, why: Untrusted::new(why) }
}

fn refused(said: Untrusted) -> SignInError {
    SignInError::Refused { provider: NAME.into(), said }
}

impl Visit<'_, '_> {
    /// An address of the organisation.
    fn at(&self, path: &str) -> Result<WebUrl, SignInError> {
        let host = || self.okta.app.host().to_owned();
        self.okta.app.join(path).map_err(|why| BrowseError::Astray { host: host(), why }.into())
    }

    async fn post(&mut self, url: WebUrl, body: &Value) -> Result<Response, SignInError> {
        let request = Request::post(url, "application/json", Secret::new(body.to_string()));
        Ok(self.session.browser.send(request.header("accept", "application/json")).await?)
    }

    /// Step 2. Okta tells of a password that is about to expire only if it is asked to.
    async fn authenticate(&mut self) -> Result<Response, SignInError> {
        let mut body = json!({
            "username": self.session.username().await?,
            "password": self.session.password().await?.expose(),
            "options": { "warnBeforePasswordExpired": true },
        });
        if let Some(device) = &self.device {
            body["context"] = json!({ "deviceToken": device.expose() });
        }
        let url = self.at("/api/v1/authn")?;
        self.post(url, &body).await
    }

    /// Steps 2 to 4: does what each answer asks for, until Okta is satisfied.
    async fn transaction(&mut self, first: Response, first_step: &'static str) -> Result<Passed, SignInError> {
        let (mut answer, mut step) = (first, first_step);
        for _ in 0..STEPS {
            (answer, step) = match read(&answer) {
                Told::Token(token) => return Ok(Passed::Token(token)),
                Told::Stepped(state) => return Ok(Passed::State(state)),
                Told::Factors { state, offered } => (self.second_factor(&state, &offered).await?, "the second factor"),
                Told::Skip { state, notice } => {
                    self.session.answers.notify(&notice);
                    let url = self.at("/api/v1/authn/skip")?;
                    (self.post(url, &json!({ "stateToken": state.expose() })).await?, "the skipped step")
                }
                // The one code for a wrong user name or password; the others leave the password as good as it was.
                Told::Refused(refusal) if refusal.code == "E0000004" => {
                    return Err(SignInError::WrongPassword { provider: NAME.into(), said: refusal.said });
                }
                Told::Refused(refusal) => return Err(refused(refusal.said)),
                Told::Challenge(_) => return Err(garbled(step, &answer, "it is about a factor that was not begun")),
                Told::Strange(why) => return Err(garbled(step, &answer, why)),
            };
        }
        Err(garbled(step, &answer, "it asks for one thing after the other"))
    }

    /// Step 5, or the way back from a step-up. The token is in the address because Okta wants it there.
    async fn enter(&mut self, passed: &Passed) -> Result<Page, SignInError> {
        let app = &self.okta.app;
        let url = match passed {
            Passed::Token(token) => self.at("/login/sessionCookieRedirect")?.with_query([
                ("checkAccountSetupComplete", "true"),
                ("token", token.expose()),
                ("redirectUrl", app.expose().as_str()),
            ]),
            Passed::State(state) => self.at("/login/step-up/redirect")?.with_query([("stateToken", state.expose().as_str())]),
        };
        Ok(self.session.browser.open(url).await?)
    }

    /// Step 6.
    async fn application(&mut self, mut page: Page) -> Result<Assertion, SignInError> {
        for _ in 0..=STEP_UPS {
            let state = match page::read(&page, self.session.sp) {
                AppPage::Response(response) => return Ok(Assertion::Saml(response)),
                AppPage::Elsewhere(target) => {
                    return Err(SignInError::WrongAddressee {
                        provider: NAME.into(),
                        target: target.to_string(),
                        expected: self.session.sp.entity_id.clone(),
                    });
                }
                AppPage::Asks { state, .. } => state,
                AppPage::Refused => return Err(refused(page.said())),
                AppPage::Unknown => {
                    return Err(SignInError::Unrecognised { step: "the sign-in", page: Box::new(page.outline()) });
                }
            };
            let url = self.at("/api/v1/authn")?;
            let answer = self.post(url, &json!({ "stateToken": state.expose() })).await?;
            match read(&answer) {
                // Okta Identity Engine's tokens are not this interface's.
                Told::Refused(refusal) if refusal.code == "E0000011" => {
                    return Err(refused(Untrusted::new(format!(
                        "{}: the application asks for more than the organisation does, in Okta Identity Engine, which only a browser \
                         can answer so far",
                        refusal.said
                    ))));
                }
                _ => {}
            }
            let passed = self.transaction(answer, "the state token of the application").await?;
            page = self.enter(&passed).await?;
        }
        Err(BrowseError::Circle { host: page.url.host().to_owned() }.into())
    }
}

#[cfg(test)]
mod tests;
