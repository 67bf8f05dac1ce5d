//! Any identity provider whose sign-in is made of HTML forms.
//!
//! 1. `GET` of the account's `url`: the address that starts a sign-in to the cloud (often called IdP-initiated).
//! 2. Page after page: the step that [`understand`] reads from the page is done and the form sent back with its
//!    own hidden fields: user name and password on one page or two, a choice of second factor, a one-time code,
//!    consent, pages that post themselves, meta refresh.
//! 3. The page whose form would post a `SAMLResponse` to the cloud ends it. That form is not sent.
//!
//! Tried against SimpleSAMLphp, LemonLDAP::NG and npm's samlp as they come. Pages that need a script to make their
//! requests are not understood, and said so.

use async_trait::async_trait;

use self::understand::{Sent, Step, Way, understand};
use super::{Field, Idp, Method, Provider, Session, Settings, SettingsError, SignInError};
use crate::ask::{Question, Topic};
use crate::http::{BrowseError, Form as HtmlForm, Page};
use crate::mfa::Factor;
use crate::types::{Assertion, SamlResponse, Untrusted, WebUrl};

mod understand;

/// No sign-in has more pages than this; one that has is going round in circles.
const PAGES: usize = 25;
/// How many codes may be typed.
const CODES: usize = 3;

/// The description.
pub(super) static PROVIDER: Form = Form;

/// Form sign-in, described.
pub(super) struct Form;

impl Provider for Form {
    fn id(&self) -> &'static str {
        "Form"
    }

    fn title(&self) -> &'static str {
        "any provider whose sign-in is made of HTML forms"
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn methods(&self) -> &'static [Method] {
        // Any other word is looked for on the page that offers factors.
        &[Method { name: "Auto", factor: None }]
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError> {
        let wish = Some(settings.mfa.trim().to_lowercase()).filter(|mfa| !mfa.is_empty() && mfa != "auto");
        Ok(Box::new(Configured { start: settings.url.clone(), name: settings.url.host().to_owned(), wish }))
    }
}

struct Configured {
    start: WebUrl,
    /// The host, which is the only name that such a provider has for us.
    name: String,
    /// Which factor to take where the page offers several.
    wish: Option<String>,
}

#[async_trait]
impl Idp for Configured {
    async fn sign_in(&self, session: &mut Session<'_>) -> Result<Assertion, SignInError> {
        let mut sent = Sent::default();
        let mut codes = 0;
        let mut step = "the start";
        let mut page = session.browser.open(self.start.clone()).await?;
        for _ in 0..PAGES {
            let next = match understand(&page, sent, session.sp) {
                Step::Done(form) => return Ok(response(&form)),
                Step::Stolen(form) => return Err(self.stolen(&page, &form, session)),
                Step::Refused => return Err(SignInError::WrongPassword { provider: self.name.clone(), said: page.said() }),
                Step::Lost => return Err(SignInError::Unrecognised { step, page: Box::new(page.outline()) }),
                Step::Username { mut form, username } => {
                    fill(&mut form, &username, session.username().await?.into());
                    (sent.username, step) = (true, "the user name");
                    press_first(&mut form);
                    form
                }
                Step::Password { mut form, username, password } => {
                    if let Some(username) = username {
                        fill(&mut form, &username, session.username().await?.into());
                    }
                    fill(&mut form, &password, session.password().await?);
                    self.tell_where_it_goes(&page, &form, session);
                    (sent, step) = (Sent { username: true, password: true, ..sent }, "the password");
                    press_first(&mut form);
                    form
                }
                Step::CodeDenied => return Err(self.code_refused(&page)),
                Step::CodeRefused { .. } if codes >= CODES => return Err(self.code_refused(&page)),
                Step::Code { mut form, code } => {
                    fill(&mut form, &code, self.code(session).await?.into());
                    (sent.code, step, codes) = (true, "the one-time code", codes + 1);
                    press_first(&mut form);
                    form
                }
                Step::CodeRefused { mut form, code } => {
                    let refused = self.code_refused(&page);
                    if session.answers.can_ask(Topic::Otp) {
                        session.answers.notify(&refused.to_string());
                    }
                    let Ok(again) = self.code(session).await else { return Err(refused) };
                    fill(&mut form, &code, again.into());
                    codes += 1;
                    press_first(&mut form);
                    form
                }
                Step::Choice(ways) => {
                    step = "the choice of how to sign in";
                    self.choose(session, ways).await?
                }
                Step::Consent(form) => {
                    step = "the consent";
                    session.answers.notify(&format!("Agreeing to what {} asks: \"{}\"", self.name, page.title));
                    form
                }
                // Its button, if it has one, is pressed already.
                Step::Send(form) => form,
                Step::Refresh(address) => {
                    let host = page.url.host().to_owned();
                    let url = page.url.join(&address).map_err(|why| BrowseError::Astray { host, why })?;
                    page = session.browser.open(url).await?;
                    continue;
                }
            };
            page = session.browser.submit(&page, &next).await?;
        }
        Err(BrowseError::Circle { host: page.url.host().to_owned() }.into())
    }
}

fn response(form: &HtmlForm) -> Assertion {
    Assertion::Saml(SamlResponse::new(form.get("SAMLResponse").map(|input| input.value.expose().as_str()).unwrap_or_default()))
}

/// The field was read from this very form, so it is there.
fn fill(form: &mut HtmlForm, name: &str, value: crate::types::Secret<String>) {
    let _ = form.set(name, value);
}

/// Sending a form with the Enter key presses its first button, which a browser then sends by its name.
fn press_first(form: &mut HtmlForm) {
    form.press(0);
}

impl Configured {
    async fn code(&self, session: &Session<'_>) -> Result<String, SignInError> {
        let answer = session.answers.text(&Question::new(Topic::Otp, "MFA Token")).await;
        answer.map(|code| code.trim().to_owned()).map_err(|why| SignInError::Unanswered { topic: Topic::Otp, why })
    }

    fn code_refused(&self, page: &Page) -> SignInError {
        SignInError::FactorRefused { provider: self.name.clone(), factor: Factor::Otp, said: page.said() }
    }

    fn stolen(&self, page: &Page, form: &HtmlForm, session: &Session<'_>) -> SignInError {
        let target = form.target(&page.url).map_or_else(|why| why.to_string(), |target| target.to_string());
        SignInError::WrongAddressee { provider: self.name.clone(), target, expected: session.sp.entity_id.clone() }
    }

    /// A password leaves for the host of the form's action. That it is another one than the page's is legal, and worth a line.
    fn tell_where_it_goes(&self, page: &Page, form: &HtmlForm, session: &Session<'_>) {
        if let Ok(target) = form.target(&page.url)
            && target.host() != page.url.host()
        {
            session.answers.notify(&format!("The sign-in page of {} sends the password to {}", page.url.host(), target.host()));
        }
    }

    /// Takes the way that the account's `mfa` names, else asks.
    async fn choose(&self, session: &Session<'_>, mut ways: Vec<Way>) -> Result<HtmlForm, SignInError> {
        let labels: Vec<Untrusted> = ways.iter().map(|way| way.label.clone()).collect();
        if let Some(wish) = &self.wish {
            let mut hits = labels.iter().enumerate().filter(|(_, label)| label.raw().to_lowercase().contains(wish));
            if let (Some((index, _)), None) = (hits.next(), hits.next()) {
                return Ok(ways.swap_remove(index).form);
            }
        }
        let question = Question::new(Topic::Factor, "Choose how to sign in");
        match session.answers.choose(&question, &labels).await {
            Ok(index) if index < ways.len() => Ok(ways.swap_remove(index).form),
            Ok(_) => Err(SignInError::Unanswered { topic: Topic::Factor, why: crate::ask::NoAnswer::Cancelled }),
            Err(why) => Err(SignInError::Ambiguous { provider: self.name.clone(), ways: labels, why }),
        }
    }
}

#[cfg(test)]
mod tests;
