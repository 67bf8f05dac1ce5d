//! JumpCloud, single sign-on applications.
//!
//! 1. `GET console/userconsole/xsrf` gives a token for the header `X-Xsrftoken`, and a cookie.
//! 2. `POST console/userconsole/auth` with e-mail and password. 200 leads to 4; 401 with "MFA required." to 3; any
//!    other 401 is a refusal in JumpCloud's words.
//! 3. The second factor: a time-based code goes into the `OTP` field of step 2, sent once more; a push to JumpCloud
//!    Protect is started by `POST …/auth/push`, asked after by `GET …/auth/push/ID`, and redeemed by `POST …/auth/push/ID/login`.
//! 4. `GET` of the address in `redirectTo`, on the sso host: a page whose form posts the `SAMLResponse` to the cloud.
//!
//! The application's address, `https://sso.jumpcloud.com/saml2/NAME`, is the account's `url`. JumpCloud's own
//! pages: <https://jumpcloud.com/support/sso-with-aws-iam-identity-center> and its neighbours.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

use super::{Field, Idp, Method, Provider, Session, Settings, SettingsError, SignInError};
use crate::ask::{Question, Topic};
use crate::mfa::Factor;
use crate::types::{Assertion, SamlResponse, Secret, Timestamp, Untrusted, WebUrl};
use crate::world::{Request, Response};

/// How often a push is asked after; the console's own page does it every half second.
const PUSH_PAUSE: Duration = Duration::from_millis(500);
/// The longest wait for a push, should JumpCloud not say when it ends.
const PUSH_LIMIT: Duration = Duration::from_secs(180);
/// How many wrong codes a person may type before the sign-in ends: JumpCloud locks accounts.
const CODES: usize = 3;

const NAME: &str = "JumpCloud";

/// The description.
pub(super) static PROVIDER: JumpCloud = JumpCloud;

/// JumpCloud, described.
pub(super) struct JumpCloud;

impl Provider for JumpCloud {
    fn id(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "JumpCloud single sign-on"
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn methods(&self) -> &'static [Method] {
        &[
            Method { name: "Auto", factor: None },
            Method { name: "TOTP", factor: Some(Factor::Otp) },
            Method { name: "PUSH", factor: Some(Factor::Push) },
            Method { name: "WEBAUTHN", factor: Some(Factor::WebAuthn) },
            Method { name: "DUO", factor: Some(Factor::Duo) },
        ]
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError> {
        let wrong = |key, why: String| SettingsError { key, provider: NAME, why };
        let url = &settings.url;
        let host = url.host();
        let tenant = host.strip_prefix("sso.").filter(|rest| *rest == "jumpcloud.com" || rest.ends_with(".jumpcloud.com"));
        let (Some(rest), Some(app)) = (tenant, url.path().strip_prefix("/saml2/").filter(|app| !app.is_empty())) else {
            return Err(wrong("url", format!("it should look like `https://sso.jumpcloud.com/saml2/NAME`, not `{url}`")));
        };
        let console = WebUrl::parse(&format!("https://console.{rest}/userconsole/")).map_err(|e| wrong("url", e.to_string()))?;
        if !self.methods().iter().any(|m| m.name.eq_ignore_ascii_case(&settings.mfa)) {
            let known: Vec<&str> = self.methods().iter().map(|m| m.name).collect();
            return Err(wrong("mfa", format!("`{}` is not one of {}", settings.mfa.escape_debug(), known.join(", "))));
        }
        Ok(Box::new(Configured { redirect_to: format!("saml2/{app}"), console, wish: settings.mfa.to_ascii_lowercase() }))
    }
}

struct Configured {
    console: WebUrl,
    /// The application, as step 2 wants it: the address without its host.
    redirect_to: String,
    /// The factor that the account wishes for, in JumpCloud's words; `auto` for none.
    wish: String,
}

#[derive(Deserialize)]
struct Xsrf {
    xsrf: String,
}

#[derive(Deserialize)]
struct Granted {
    #[serde(rename = "redirectTo")]
    redirect_to: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Denied {
    message: String,
    factors: Vec<OfferedFactor>,
}

#[derive(Deserialize)]
struct OfferedFactor {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    status: String,
}

#[derive(Deserialize)]
struct Push {
    id: String,
    #[serde(default)]
    status: String,
    #[serde(rename = "expiresAt", default)]
    expires_at: String,
}

#[async_trait]
impl Idp for Configured {
    async fn sign_in(&self, session: &mut Session<'_>) -> Result<Assertion, SignInError> {
        let xsrf = self.xsrf(session).await?;
        let first = self.authenticate(session, &xsrf, "").await?;
        let granted = match verdict(&first) {
            Verdict::Granted => first,
            Verdict::Refused(said) if first.status == 401 => {
                return Err(SignInError::WrongPassword { provider: NAME.into(), said });
            }
            Verdict::Refused(said) => return Err(SignInError::Refused { provider: NAME.into(), said }),
            Verdict::Factor(offered) => match self.choose(session, &offered).await? {
                Factor::Push => self.push(session, &xsrf).await?,
                _ => self.code(session, &xsrf).await?,
            },
            Verdict::Strange(why) => return Err(garbled("the password", &first, why)),
        };
        self.response(session, &granted).await
    }
}

/// What the answer to a sign-in means.
enum Verdict {
    Granted,
    Refused(Untrusted),
    Factor(Vec<String>),
    Strange(&'static str),
}

fn verdict(answer: &Response) -> Verdict {
    match answer.status {
        200 => Verdict::Granted,
        401 => match serde_json::from_str::<Denied>(answer.body.expose()) {
            Ok(denied) if denied.message == "MFA required." => {
                Verdict::Factor(denied.factors.into_iter().filter(|f| f.status == "available").map(|f| f.kind).collect())
            }
            Ok(denied) if !denied.message.trim().is_empty() => Verdict::Refused(Untrusted::new(denied.message)),
            _ => Verdict::Strange("it is a refusal without a message"),
        },
        // Also how JumpCloud says that an account is locked, or a policy keeps the person out.
        400 | 403 | 429 => match serde_json::from_str::<Denied>(answer.body.expose()) {
            Ok(denied) if !denied.message.trim().is_empty() => Verdict::Refused(Untrusted::new(denied.message)),
            _ => Verdict::Strange("it is a refusal without a message"),
        },
        _ => Verdict::Strange("it is neither a yes nor a no"),
    }
}

fn garbled(step: &'static str, answer: &Response, why: impl Into<String>) -> SignInError {
    SignInError::Garbled { provider: NAME.into(), step, status: answer.status, why: Untrusted::new(why) }
}

/// Reads a JSON answer.
fn json<'r, T: Deserialize<'r>>(step: &'static str, answer: &'r Response) -> Result<T, SignInError> {
    serde_json::from_str(answer.body.expose()).map_err(|_| garbled(step, answer, "it is not the JSON that was expected"))
}

impl Configured {
    fn at(&self, path: &str) -> Result<WebUrl, SignInError> {
        let host = || self.console.host().to_owned();
        self.console.join(path).map_err(|why| crate::http::BrowseError::Astray { host: host(), why }.into())
    }

    fn post(&self, path: &str, xsrf: &Secret<String>, body: &serde_json::Value) -> Result<Request, SignInError> {
        let request = Request::post(self.at(path)?, "application/json", Secret::new(body.to_string()));
        Ok(request.header("accept", "application/json").header("x-xsrftoken", xsrf.clone()))
    }

    /// Step 1.
    async fn xsrf(&self, session: &mut Session<'_>) -> Result<Secret<String>, SignInError> {
        let answer = session.browser.send(Request::get(self.at("xsrf")?).header("accept", "application/json")).await?;
        Ok(json::<Xsrf>("the first request", &answer)?.xsrf.into())
    }

    /// Step 2, with a one-time code the second time.
    async fn authenticate(&self, session: &mut Session<'_>, xsrf: &Secret<String>, otp: &str) -> Result<Response, SignInError> {
        let body = json!({
            "Context": "sso",
            "RedirectTo": self.redirect_to,
            "Email": session.username().await?,
            "Password": session.password().await?.expose(),
            "OTP": otp,
        });
        Ok(session.browser.send(self.post("auth", xsrf, &body)?).await?)
    }

    /// Which factor: the account's wish, else the only one that we can do, else the person's choice.
    async fn choose(&self, session: &Session<'_>, offered: &[String]) -> Result<Factor, SignInError> {
        let can = [
            ("totp", "TOTP MFA authentication", Factor::Otp),
            ("push", "PUSH MFA authentication (JumpCloud Protect)", Factor::Push),
        ];
        let unsupported = |wanted: String| SignInError::FactorUnsupported {
            provider: NAME.into(),
            wanted: Untrusted::new(wanted),
            can: can.iter().filter(|(kind, ..)| offered.iter().any(|o| o == kind)).map(|(kind, ..)| *kind).collect(),
        };
        if self.wish != "auto" && !can.iter().any(|(kind, ..)| *kind == self.wish) {
            return Err(unsupported(self.wish.clone()));
        }
        let open: Vec<_> = can.iter().filter(|(kind, ..)| offered.iter().any(|o| o == kind)).collect();
        if let Some((.., factor)) = open.iter().find(|(kind, ..)| *kind == self.wish) {
            return Ok(*factor);
        }
        match open.as_slice() {
            [] => Err(unsupported(if offered.is_empty() { "none is set up".to_owned() } else { offered.join(", ") })),
            [(kind, _, factor)] => {
                if self.wish != "auto" {
                    session.answers.notify(&format!("{NAME} does not offer `{}`; taking `{kind}`", self.wish));
                }
                Ok(*factor)
            }
            several => {
                let labels: Vec<Untrusted> = several.iter().map(|(_, label, _)| Untrusted::new(*label)).collect();
                let question = Question::new(Topic::Factor, "Select which MFA option to use");
                let index = session
                    .answers
                    .choose(&question, &labels)
                    .await
                    .map_err(|why| SignInError::Unanswered { topic: Topic::Factor, why })?;
                several.get(index).map(|(.., factor)| *factor).ok_or_else(|| unsupported("that one".to_owned()))
            }
        }
    }

    /// Step 3 with a code. A given code is tried once; a person may correct theirs.
    async fn code(&self, session: &mut Session<'_>, xsrf: &Secret<String>) -> Result<Response, SignInError> {
        let mut refused = None;
        for _ in 0..CODES {
            let code = match session.answers.text(&Question::new(Topic::Otp, "MFA Token")).await {
                Ok(code) => code,
                Err(why) => return Err(refused.unwrap_or(SignInError::Unanswered { topic: Topic::Otp, why })),
            };
            let answer = self.authenticate(session, xsrf, code.trim()).await?;
            let said = match verdict(&answer) {
                Verdict::Granted => return Ok(answer),
                Verdict::Refused(said) => said,
                // Asked for the factor once more: the code was not taken.
                Verdict::Factor(_) => Untrusted::new("MFA required."),
                Verdict::Strange(why) => return Err(garbled("the one-time code", &answer, why)),
            };
            if session.answers.can_ask(Topic::Otp) {
                session.answers.notify(&format!("{NAME} did not take the code: \"{said}\""));
            }
            refused = Some(SignInError::FactorRefused { provider: NAME.into(), factor: Factor::Otp, said });
        }
        Err(refused.unwrap_or(SignInError::FactorRefused {
            provider: NAME.into(),
            factor: Factor::Otp,
            said: Untrusted::new(""),
        }))
    }

    /// Step 3 with a push.
    async fn push(&self, session: &mut Session<'_>, xsrf: &Secret<String>) -> Result<Response, SignInError> {
        let refused =
            |said: &str| SignInError::FactorRefused { provider: NAME.into(), factor: Factor::Push, said: Untrusted::new(said) };
        let started = session.browser.send(self.post("auth/push", xsrf, &json!({}))?).await?;
        if started.status != 200 {
            return Err(garbled("the start of a push", &started, "it is not a yes"));
        }
        let mut push: Push = json("the start of a push", &started)?;
        // The ID becomes part of an address.
        if push.id.is_empty() || !push.id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            return Err(garbled("the start of a push", &started, "its ID is not one"));
        }
        let path = format!("auth/push/{}", push.id);
        session.answers.notify("Waiting for your approval in JumpCloud Protect on your phone ...");
        let limit = session.clock.now().after(PUSH_LIMIT);
        let end = Timestamp::parse(&push.expires_at).map_or(limit, |told| told.min(limit));
        while push.status == "pending" {
            if session.clock.now() > end {
                return Err(refused("the push was not answered in time"));
            }
            session.clock.sleep(PUSH_PAUSE).await;
            let request = Request::get(self.at(&path)?).header("accept", "application/json").header("x-xsrftoken", xsrf.clone());
            let answer = session.browser.send(request).await?;
            match answer.status {
                200 => push = json("the question after a push", &answer)?,
                401 | 403 => {
                    return Err(refused(
                        &serde_json::from_str::<Denied>(answer.body.expose()).map_or("denied".to_owned(), |d| d.message),
                    ));
                }
                _ => return Err(garbled("the question after a push", &answer, "it is neither a yes nor a no")),
            }
        }
        if push.status != "accepted" {
            return Err(refused(&push.status));
        }
        let answer = session.browser.send(self.post(&format!("{path}/login"), xsrf, &json!({}))?).await?;
        match verdict(&answer) {
            Verdict::Granted => Ok(answer),
            Verdict::Refused(said) => Err(SignInError::FactorRefused { provider: NAME.into(), factor: Factor::Push, said }),
            _ => Err(garbled("the approved push", &answer, "it is neither a yes nor a no")),
        }
    }

    /// Step 4.
    async fn response(&self, session: &mut Session<'_>, granted: &Response) -> Result<Assertion, SignInError> {
        const STEP: &str = "the sign-in";
        let redirect = json::<Granted>(STEP, granted)?.redirect_to;
        let page = session.browser.open(self.at(&redirect)?).await?;
        let form = page.forms.iter().find(|form| form.get("SAMLResponse").is_some());
        let Some((form, input)) = form.and_then(|form| form.get("SAMLResponse").map(|input| (form, input))) else {
            return Err(SignInError::Unrecognised { step: STEP, page: Box::new(page.outline()) });
        };
        let target =
            form.target(&page.url).map_err(|why| crate::http::BrowseError::Astray { host: page.url.host().to_owned(), why })?;
        if !session.sp.receives_at(&target) {
            return Err(SignInError::WrongAddressee {
                provider: NAME.into(),
                target: target.to_string(),
                expected: session.sp.entity_id.clone(),
            });
        }
        Ok(Assertion::Saml(SamlResponse::new(input.value.expose())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.into() }
    }

    #[test]
    fn reads_what_jumpcloud_answers() {
        let told = |status, body: &str| match verdict(&answer(status, body)) {
            Verdict::Granted => "granted".to_owned(),
            Verdict::Refused(said) => format!("refused: {said}"),
            Verdict::Factor(kinds) => kinds.join(","),
            Verdict::Strange(why) => why.to_owned(),
        };
        let factors = r#"{"message":"MFA required.","factors":[{"type":"totp","status":"available"},{"type":"duo","status":"unavailable"},{"type":"push","status":"available"}]}"#;
        assert_eq!(told(401, factors), "totp,push");
        assert_eq!(told(401, r#"{"message":"Authentication failed."}"#), "refused: Authentication failed.");
        assert_eq!(told(200, "{}"), "granted");
        assert_eq!(told(401, "<html>"), "it is a refusal without a message");
        assert_eq!(told(500, "{}"), "it is neither a yes nor a no");
        assert_eq!(told(401, r#"{"message":"MFA required."}"#), "");
    }

    #[test]
    fn wants_an_application_and_a_known_factor() {
        let open =
            |url: &str, mfa: &str| PROVIDER.open(&Settings::new(WebUrl::parse(url).unwrap(), mfa)).map(|_| ()).map_err(|e| e.key);
        assert_eq!(open("https://sso.jumpcloud.com/saml2/acme-prod", "Auto"), Ok(()));
        assert_eq!(open("https://sso.eu.jumpcloud.com/saml2/acme-prod", "Auto"), Ok(()), "another region's");
        assert_eq!(open("https://sso.jumpcloud.com/saml2/acme-prod", "totp"), Ok(()));
        assert_eq!(open("https://sso.jumpcloud.com/saml2/acme-prod", "pigeon"), Err("mfa"));
        for url in [
            "https://sso.jumpcloud.com/",
            "https://console.jumpcloud.com/saml2/x",
            "https://sso.evil-jumpcloud.com/saml2/x",
            "https://sso.jumpcloud.com/saml2/",
        ] {
            assert_eq!(open(url, "Auto"), Err("url"), "{url}");
        }
    }
}
