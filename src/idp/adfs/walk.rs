//! The walk through the pages of AD FS, as both of its providers take it.

use std::time::Duration;

use super::pages::{self, Adapter, Seen, Way};
use crate::ask::{NoAnswer, Question, Topic};
use crate::http::{BrowseError, Form, Page};
use crate::idp::{Session, SettingsError, SignInError};
use crate::mfa::Factor;
use crate::types::{Assertion, SamlResponse, Secret, Timestamp, Untrusted, WebUrl};

/// No second factor has more pages than this, approvals that are waited for aside.
const PAGES: usize = 12;
/// How many codes may be typed: AD FS and its adapters lock accounts.
const CODES: usize = 3;
/// How often an approval is asked after; AD FS's own page does it every second.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest wait for approvals in one sign-in, and how often it may be asked after, should the clock stand still.
const WAIT: Duration = Duration::from_secs(180);
const QUESTIONS: usize = 180;

/// Where the sign-in on AD FS's own initiative begins, below the server's address.
const ENTRY: &str = "/adfs/ls/IdpInitiatedSignOn.aspx";

/// Checks the server's address: alone, or with the path of the sign-in page.
pub(super) fn entry(provider: &'static str, url: &WebUrl) -> Result<WebUrl, SettingsError> {
    let path = url.path().trim_end_matches('/').to_ascii_lowercase();
    let has_it = ["/adfs/ls/idpinitiatedsignon", "/adfs/ls/idpinitiatedsignon.aspx"].iter().any(|entry| path.ends_with(entry));
    if has_it {
        return Ok(url.clone());
    }
    let wrong = |why: String| SettingsError { key: "url", provider, why };
    if path.contains("/adfs/") {
        return Err(wrong(format!("it should be the server's address, like `https://fs.acme.example`, not `{url}`")));
    }
    url.join(&format!("{}{ENTRY}", url.path().trim_end_matches('/'))).map_err(|e| wrong(e.to_string()))
}

/// What differs between the two providers.
pub(super) struct Walk {
    /// The name in messages.
    pub(super) name: &'static str,
    /// Which factor the account wishes for; nothing for whatever the page asks.
    pub(super) wish: Option<&'static str>,
    /// The words of `--mfa` that can be wished for.
    pub(super) can: &'static [&'static str],
    /// The question for a code.
    pub(super) code: &'static str,
    /// Whether a code is typed unseen: RSA's begins with a PIN that stays the same.
    pub(super) unseen: bool,
}

/// How far a second factor has come.
#[derive(Default)]
struct Progress {
    /// Whether a way was chosen, and whether an adapter was opened: each is done once.
    chosen: bool,
    opened: bool,
    /// How many codes were sent, and the first of them.
    codes: usize,
    first: Option<Secret<String>>,
    next_codes: usize,
    /// How often an approval was asked after, and when that ends.
    waited: usize,
    until: Option<Timestamp>,
    /// What the person was told.
    number: Option<Untrusted>,
    instructions: Option<Untrusted>,
}

impl Walk {
    /// Opens the sign-in to the cloud.
    pub(super) async fn start(&self, session: &mut Session<'_>, entry: &WebUrl) -> Result<Page, SignInError> {
        let asked: Vec<(String, String)> = entry.expose().query_pairs().into_owned().collect();
        let named = asked.iter().any(|(name, _)| name.eq_ignore_ascii_case("loginToRp"));
        let url = if named {
            entry.clone()
        } else {
            let party = [("loginToRp", session.sp.entity_id.as_str())];
            entry.with_query(asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(party))
        };
        Ok(session.browser.open(url).await?)
    }

    /// Sends user name and password where the page's own form leads.
    pub(super) async fn password(&self, session: &mut Session<'_>, page: Page) -> Result<Page, SignInError> {
        let (mut form, username, password) = match pages::read(&page) {
            Seen::Login { form, username, password } => (form, username, password),
            Seen::Response(_) => return Ok(page),
            Seen::Denied => return Err(self.refused(&page)),
            _ => return Err(lost("the start", &page)),
        };
        if let Ok(target) = form.target(&page.url)
            && target.host() != page.url.host()
        {
            session.answers.notify(&format!("The sign-in page of {} sends the password to {}", page.url.host(), target.host()));
        }
        fill(&mut form, &username, session.username().await?.into());
        fill(&mut form, &password, session.password().await?);
        send(session, &page, form).await
    }

    /// Whatever AD FS wants beyond the password, up to the page with the response.
    pub(super) async fn factor(&self, session: &mut Session<'_>, page: Page) -> Result<Page, SignInError> {
        let mut page = page;
        let mut so_far = Progress::default();
        let mut step = "the password";
        for _ in 0..PAGES {
            let seen = pages::read(&page);
            if let Some(form) = self.wished(&page, &seen, &mut so_far) {
                step = "the choice of the second factor";
                page = send(session, &page, form).await?;
                continue;
            }
            let form = match seen {
                Seen::Response(_) => return Ok(page),
                // Asked for the password again: it was wrong, or the account is locked.
                Seen::Login { .. } => {
                    return Err(SignInError::WrongPassword { provider: self.name.into(), said: pages::said(&page) });
                }
                Seen::Denied if so_far.codes > 0 => return Err(self.factor_refused(Factor::Otp, &page)),
                Seen::Denied if so_far.waited > 0 => return Err(self.factor_refused(Factor::Push, &page)),
                Seen::Denied => return Err(self.refused(&page)),
                Seen::Code { form, field } => {
                    step = "the one-time code";
                    self.type_code(session, &page, form, &field, &mut so_far).await?
                }
                Seen::NextCode { form, field } => {
                    step = "the next code";
                    self.type_next_code(session, &page, form, &field, &mut so_far).await?
                }
                Seen::Wait { .. } => {
                    step = "the approval";
                    page = self.wait(session, page, &mut so_far).await?;
                    continue;
                }
                Seen::Open(form) if !so_far.opened => {
                    so_far.opened = true;
                    step = "the opening of the second factor";
                    form
                }
                Seen::Choice { ways, unknown } if !so_far.chosen => {
                    so_far.chosen = true;
                    step = "the choice of the second factor";
                    self.choose(session, ways, &unknown).await?
                }
                Seen::Unknown(wanted) => {
                    return Err(SignInError::FactorUnsupported { provider: self.name.into(), wanted, can: self.can.to_vec() });
                }
                Seen::Open(_) | Seen::Choice { .. } | Seen::Lost => return Err(lost(step, &page)),
            };
            page = send(session, &page, form).await?;
        }
        Err(BrowseError::Circle { host: page.url.host().to_owned() }.into())
    }

    /// Reads the response. The form that would hand it to the cloud is not sent.
    pub(super) fn response(&self, session: &Session<'_>, page: &Page) -> Result<Assertion, SignInError> {
        let Seen::Response(form) = pages::read(page) else { return Err(lost("the sign-in", page)) };
        let target = form.target(&page.url).map_err(|why| BrowseError::Astray { host: page.url.host().to_owned(), why })?;
        if !session.sp.receives_at(&target) {
            return Err(SignInError::WrongAddressee {
                provider: self.name.into(),
                target: target.to_string(),
                expected: session.sp.entity_id.clone(),
            });
        }
        let response = form.get("SAMLResponse").map(|input| input.value.expose().as_str()).unwrap_or_default();
        Ok(Assertion::Saml(SamlResponse::new(response)))
    }

    /// The form that asks for the factor that the account wishes for, if the page is another factor's and offers it. Once.
    fn wished(&self, page: &Page, seen: &Seen, so_far: &mut Progress) -> Option<Form> {
        let wish = self.wish?;
        let is_another = match seen {
            Seen::Choice { .. } | Seen::Unknown(_) => true,
            Seen::Code { .. } | Seen::Wait { .. } | Seen::Open(_) => pages::adapter(page).map(Adapter::word) != Some(wish),
            _ => false,
        };
        if so_far.chosen || so_far.codes > 0 || so_far.waited > 0 || !is_another {
            return None;
        }
        let way = pages::offered(page).0.into_iter().find(|way| way.adapter.word() == wish)?;
        so_far.chosen = true;
        Some(way.form)
    }

    /// Takes the only way that can be gone, else asks.
    async fn choose(&self, session: &Session<'_>, mut ways: Vec<Way>, unknown: &[Untrusted]) -> Result<Form, SignInError> {
        let labels: Vec<Untrusted> =
            ways.iter().map(|way| Untrusted::new(format!("{} ({})", way.label.raw(), way.adapter.word()))).collect();
        let index = match labels.len() {
            0 => {
                let wanted = unknown.iter().map(Untrusted::raw).collect::<Vec<_>>().join("; ");
                let wanted = Untrusted::new(wanted);
                return Err(SignInError::FactorUnsupported { provider: self.name.into(), wanted, can: self.can.to_vec() });
            }
            1 => 0,
            _ => match session.answers.choose(&Question::new(Topic::Factor, "Select which MFA option to use"), &labels).await {
                Ok(index) => index,
                Err(why) => return Err(SignInError::Ambiguous { provider: self.name.into(), ways: labels, why }),
            },
        };
        if index >= ways.len() {
            return Err(SignInError::Unanswered { topic: Topic::Factor, why: NoAnswer::Cancelled });
        }
        Ok(ways.swap_remove(index).form)
    }

    /// A given code is tried once; a person may correct theirs.
    async fn type_code(
        &self,
        session: &Session<'_>,
        page: &Page,
        mut form: Form,
        field: &str,
        so_far: &mut Progress,
    ) -> Result<Form, SignInError> {
        let code = if so_far.codes == 0 {
            self.ask(session, self.code).await?
        } else {
            let refused = self.factor_refused(Factor::Otp, page);
            if so_far.codes >= CODES {
                return Err(refused);
            }
            if session.answers.can_ask(Topic::Otp) {
                session.answers.notify(&refused.to_string());
            }
            match self.ask(session, self.code).await {
                Ok(code) => code,
                Err(_) => return Err(refused),
            }
        };
        so_far.codes += 1;
        fill(&mut form, field, code.clone());
        so_far.first.get_or_insert(code);
        Ok(form)
    }

    /// The code that the token shows after the one that was sent.
    async fn type_next_code(
        &self,
        session: &Session<'_>,
        page: &Page,
        mut form: Form,
        field: &str,
        so_far: &mut Progress,
    ) -> Result<Form, SignInError> {
        so_far.next_codes += 1;
        if so_far.next_codes > CODES {
            return Err(self.factor_refused(Factor::Otp, page));
        }
        if let Some(told) = pages::complaint(page) {
            session.answers.notify(&format!("{} says: \"{told}\"", self.name));
        }
        let code = match self.ask(session, "Enter nextCode").await {
            Err(_) if so_far.next_codes > 1 => return Err(self.factor_refused(Factor::Otp, page)),
            answer => answer?,
        };
        // Some editions ask for the first code beside the next one.
        if let Some(first) = &so_far.first {
            for name in ["ChallengeQuestionAnswer", "Passcode"] {
                if form.get(name).is_some() {
                    fill(&mut form, name, first.clone());
                }
            }
        }
        so_far.codes += 1;
        fill(&mut form, field, code);
        Ok(form)
    }

    async fn ask(&self, session: &Session<'_>, label: &str) -> Result<Secret<String>, SignInError> {
        let question = Question::new(Topic::Otp, label);
        let code = if self.unseen {
            session.answers.secret(&question).await
        } else {
            session.answers.text(&question).await.map(Secret::new)
        };
        let code = code.map_err(|why| SignInError::Unanswered { topic: Topic::Otp, why })?;
        Ok(Secret::from(code.expose().trim()))
    }

    /// Sends an approval's page back until it is another page, or the time is up.
    async fn wait(&self, session: &mut Session<'_>, page: Page, so_far: &mut Progress) -> Result<Page, SignInError> {
        let end = *so_far.until.get_or_insert_with(|| session.clock.now().after(WAIT));
        let mut page = page;
        while let Seen::Wait { form, number, instructions } = pages::read(&page) {
            if page.text_of("errorText").is_some() {
                return Err(self.factor_refused(Factor::Push, &page));
            }
            if so_far.waited >= QUESTIONS || session.clock.now() > end {
                let said = Untrusted::new("the approval was not given in time");
                return Err(SignInError::FactorRefused { provider: self.name.into(), factor: Factor::Push, said });
            }
            so_far.waited += 1;
            so_far.tell(session, number, instructions);
            session.clock.sleep(PAUSE).await;
            page = send(session, &page, form).await?;
        }
        Ok(page)
    }

    fn refused(&self, page: &Page) -> SignInError {
        SignInError::Refused { provider: self.name.into(), said: pages::said(page) }
    }

    fn factor_refused(&self, factor: Factor, page: &Page) -> SignInError {
        SignInError::FactorRefused { provider: self.name.into(), factor, said: pages::said(page) }
    }
}

impl Progress {
    /// Tells what the page tells, when it changes. The first line is the old tool's.
    fn tell(&mut self, session: &Session<'_>, number: Option<Untrusted>, instructions: Option<Untrusted>) {
        if instructions.is_some() && instructions != self.instructions {
            if let Some(text) = &instructions {
                session.answers.notify(&text.to_string());
            }
            self.instructions = instructions;
        }
        if number.is_some() && number != self.number {
            if let Some(number) = &number {
                session.answers.notify("Open your Microsoft Authenticator app and tap the number you see below to sign in.");
                session.answers.notify(&number.to_string());
            }
            self.number = number;
        }
    }
}

fn lost(step: &'static str, page: &Page) -> SignInError {
    SignInError::Unrecognised { step, page: Box::new(page.outline()) }
}

/// The field was read from this very form, so it is there.
fn fill(form: &mut Form, name: &str, value: Secret<String>) {
    let _ = form.set(name, value);
}

/// Sends a form as the Enter key does, which presses its first button.
async fn send(session: &mut Session<'_>, page: &Page, mut form: Form) -> Result<Page, SignInError> {
    form.press(0);
    Ok(session.browser.submit(page, &form).await?)
}
