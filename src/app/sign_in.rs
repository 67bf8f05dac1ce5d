//! The first half of the pipeline: a person signs in, and the cloud reads what that grants.

use std::sync::Mutex;

use async_trait::async_trait;

use super::memory::Remembered;
use super::{Error, Event, Run, responses};
use crate::ask::{Answers, Chain, Given, GivenAnswer, NoAnswer, Question, Topic};
use crate::cloud;
use crate::config::Account;
use crate::http::{Browser, Retrying};
use crate::idp::{Idp, Machine, Memory, Session, SignInError, Standing};
use crate::types::{Assertion, Offer, Secret, Untrusted};
use crate::vault::{Key, Kind};
use crate::world::Tls;

/// What becomes of the SAML response of an earlier sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is taken, if it is still good.
    Use,
    /// It proved to be of no use.
    Drop,
}

/// What a sign-in grants.
pub(super) struct SignedIn {
    pub(super) offer: Offer,
    /// Whether the response is that of an earlier sign-in.
    pub(super) is_kept: bool,
}

/// Signs in and reads what is granted. A saved password that is refused is dropped, and asked for once.
pub(super) async fn sign_in(run: &Run<'_>, account: &Account, kept: Kept) -> Result<SignedIn, Error> {
    let idp = account.open_idp()?;
    begin(run, account);
    if !account.provider()?.wants_password() {
        // What is known may help: nobody is asked.
        let username = account.username.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default();
        let memory = memory(run, account, username.clone());
        if let Some(offer) = earlier(run, account, &memory, kept) {
            return Ok(SignedIn { offer, is_kept: true });
        }
        let known = Given::default();
        if !username.is_empty() {
            known.add(Topic::Username, GivenAnswer { value: username.into(), once: false });
        }
        let offer = attempt(run, account, &*idp, &[&known, &Known { run, account, memory: &memory }], &memory).await?;
        responses::keep(run, account, &memory, &offer);
        return Ok(SignedIn { offer, is_kept: false });
    }
    let username = username(run, account).await?;
    let memory = memory(run, account, username.clone());
    if let Some(offer) = earlier(run, account, &memory, kept) {
        return Ok(SignedIn { offer, is_kept: true });
    }
    let mut password = PasswordOnce::new(run, account, &memory, true);
    // Before the first request, so that nobody is kept waiting twice; unless a session is kept, which may do without.
    if memory.recall(Kind::IdpSession).is_none() {
        password.get().await?;
    }
    run.witness.tell(&Event::Authenticating { username: &username });
    loop {
        let known = Given::default();
        known.add(Topic::Username, GivenAnswer { value: username.as_str().into(), once: false });
        let attempt = attempt(run, account, &*idp, &[&known, &password], &memory).await;
        match (attempt, password.taken()?) {
            (Err(Error::SignIn(SignInError::WrongPassword { provider, said })), Some(Password { source: Source::Saved, .. })) => {
                memory.forget(Kind::Password);
                if !run.answers.can_ask(Topic::Password) {
                    return Err(SignInError::WrongPassword { provider, said }.into());
                }
                run.witness.tell(&Event::SavedRefused { said: &said });
                password = PasswordOnce::new(run, account, &memory, false);
                password.get().await?;
            }
            (Ok(offer), taken) => {
                if let Some(Password { text, source: Source::Typed }) = taken {
                    memory.keep(Kind::Password, &text);
                }
                responses::keep(run, account, &memory, &offer);
                return Ok(SignedIn { offer, is_kept: false });
            }
            (Err(error), _) => return Err(error),
        }
    }
}

/// What an earlier sign-in grants, if its response may be taken.
fn earlier(run: &Run<'_>, account: &Account, memory: &dyn Memory, kept: Kept) -> Option<Offer> {
    match kept {
        Kept::Use => responses::recall(run, account, memory),
        Kept::Drop => {
            responses::forget(run, account, memory);
            None
        }
    }
}

fn begin(run: &Run<'_>, account: &Account) {
    run.witness.tell(&Event::Using { account: account.name.as_str(), provider: account.provider, url: &account.url });
    if skips_verification(account) {
        run.witness.tell(&Event::Unverified { host: account.url.host() });
    }
}

/// Whether any certificate will do. Never at a portal: it is the cloud's own.
fn skips_verification(account: &Account) -> bool {
    account.idp.skip_verify && !account.is_portal()
}

/// The token of a sign-in portal.
pub(super) async fn portal_token(run: &Run<'_>, account: &Account, standing: Standing<'_>) -> Result<Assertion, Error> {
    let idp = account.open_idp()?;
    if standing.refused.is_empty() {
        begin(run, account);
    }
    let memory = memory(run, account, String::new());
    with_session(run, account, &[], &memory, standing, async |session| Ok(idp.sign_in(session).await?)).await
}

/// What earlier sign-ins left here, for whoever signs out.
pub(super) async fn left(run: &Run<'_>, account: &Account) -> Result<Option<Assertion>, Error> {
    let idp = account.open_idp()?;
    let memory = whose(run, account);
    with_session(run, account, &[], &memory, Standing::default(), async |session| Ok(idp.left(session).await)).await
}

/// Forgets it.
pub(super) async fn forget(run: &Run<'_>, account: &Account) -> Result<(), Error> {
    let idp = account.open_idp()?;
    let memory = whose(run, account);
    with_session(run, account, &[], &memory, Standing::default(), async |session| Ok(idp.forget(session).await?)).await
}

/// What is remembered of the person that the account names.
fn whose<'r>(run: &'r Run<'_>, account: &Account) -> Remembered<'r> {
    let named = account.username.as_ref().filter(|_| !account.is_portal());
    memory(run, account, named.map(|name| name.as_str().to_owned()).unwrap_or_default())
}

fn memory<'r>(run: &'r Run<'_>, account: &Account, username: String) -> Remembered<'r> {
    let whose = Key { url: account.url_as_written.clone(), username, cloud: account.cloud, kind: Kind::Password };
    Remembered::new(run.vault, run.witness, whose)
}

/// One sign-in, from the first request to the reading of the assertion.
async fn attempt(
    run: &Run<'_>,
    account: &Account,
    idp: &dyn Idp,
    known: &[&dyn Answers],
    memory: &dyn Memory,
) -> Result<Offer, Error> {
    let assertion =
        with_session(run, account, known, memory, Standing::default(), async |session| Ok(idp.sign_in(session).await?)).await?;
    Ok(cloud::find(account.cloud).offer(assertion, &account.configured)?)
}

/// Does something with everything that a provider may touch.
async fn with_session<T>(
    run: &Run<'_>,
    account: &Account,
    known: &[&dyn Answers],
    memory: &dyn Memory,
    standing: Standing<'_>,
    work: impl AsyncFnOnce(&mut Session<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let cloud = cloud::find(account.cloud);
    let transport = run.world.network.open(&Tls { skip_verify: skips_verification(account) })?;
    let transport = Retrying::new(transport, run.world.clock, account.idp.attempts, account.idp.retry_pause);
    let sp = cloud.service_provider(account.idp.urn.as_deref(), account.idp.target.as_ref());
    let answers = Chain(known.iter().copied().chain([run.answers]).collect());
    let world = run.world;
    let machine = Machine {
        launcher: world.launcher,
        listener: world.listener,
        env: world.env,
        paths: world.paths,
        may_send_person: run.may_send_person,
    };
    let mut session =
        Session { browser: Browser::new(&transport), answers: &answers, clock: world.clock, memory, sp: &sp, machine, standing };
    work(&mut session).await
}

/// Where a password came from, which decides what a refusal means and whether it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// From a flag, a variable or stdin.
    Given,
    /// From the account's command.
    Command,
    /// From the vault.
    Saved,
    /// From the person.
    Typed,
}

#[derive(Clone)]
struct Password {
    text: Secret<String>,
    source: Source,
}

/// The password, found out once, when it is first needed.
struct PasswordOnce<'p> {
    run: &'p Run<'p>,
    account: &'p Account,
    memory: &'p dyn Memory,
    may_be_saved: bool,
    found: tokio::sync::OnceCell<Password>,
    /// Why there is none, where that is more than nobody's answer.
    failed: Mutex<Option<Error>>,
}

impl<'p> PasswordOnce<'p> {
    fn new(run: &'p Run<'p>, account: &'p Account, memory: &'p dyn Memory, may_be_saved: bool) -> Self {
        Self { run, account, memory, may_be_saved, found: tokio::sync::OnceCell::new(), failed: Mutex::default() }
    }

    async fn get(&self) -> Result<&Password, Error> {
        self.found.get_or_try_init(|| password(self.run, self.account, self.memory, self.may_be_saved)).await
    }

    /// What the sign-in used, if it asked at all.
    fn taken(&self) -> Result<Option<Password>, Error> {
        match self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(self.found.get().cloned()),
        }
    }
}

#[async_trait]
impl Answers for PasswordOnce<'_> {
    async fn text(&self, _: &Question<'_>) -> Result<String, NoAnswer> {
        Err(NoAnswer::NotHere)
    }

    async fn secret(&self, question: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        if question.topic != Topic::Password {
            return Err(NoAnswer::NotHere);
        }
        match self.get().await {
            Ok(password) => Ok(password.text.clone()),
            Err(Error::SignIn(SignInError::Unanswered { why, .. })) => Err(why),
            Err(error) => {
                *self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                Err(NoAnswer::Cancelled)
            }
        }
    }

    async fn choose(&self, _: &Question<'_>, _: &[Untrusted]) -> Result<usize, NoAnswer> {
        Err(NoAnswer::NotHere)
    }

    fn notify(&self, _: &str) {}
}

/// The password as far as it is known without asking, for a provider that can do without.
struct Known<'k> {
    run: &'k Run<'k>,
    account: &'k Account,
    memory: &'k dyn Memory,
}

impl Known<'_> {
    fn saved(&self) -> Option<Secret<String>> {
        if self.run.ask_anyway { None } else { self.memory.recall(Kind::Password) }
    }
}

#[async_trait]
impl Answers for Known<'_> {
    async fn text(&self, _: &Question<'_>) -> Result<String, NoAnswer> {
        Err(NoAnswer::NotHere)
    }

    async fn secret(&self, question: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        if question.topic != Topic::Password || self.run.answers.knows(Topic::Password) {
            return Err(NoAnswer::NotHere);
        }
        if let Some(command) = &self.account.password_command {
            return self.run.world.launcher.first_line(command).map_err(|source| {
                let failed = Error::PasswordCommand { account: self.account.name.to_string(), source };
                self.run.answers.notify(&failed.to_string());
                NoAnswer::Cancelled
            });
        }
        let saved = self.saved().ok_or(NoAnswer::Cancelled)?;
        self.run.witness.tell(&Event::UsingSaved);
        Ok(saved)
    }

    async fn choose(&self, _: &Question<'_>, _: &[Untrusted]) -> Result<usize, NoAnswer> {
        Err(NoAnswer::NotHere)
    }

    fn knows(&self, topic: Topic) -> bool {
        topic == Topic::Password && (self.account.password_command.is_some() || self.saved().is_some())
    }

    fn notify(&self, _: &str) {}
}

fn unanswered(topic: Topic) -> impl Fn(NoAnswer) -> Error {
    move |why| SignInError::Unanswered { topic, why }.into()
}

async fn username(run: &Run<'_>, account: &Account) -> Result<String, Error> {
    if let Some(name) = &account.username {
        return Ok(name.as_str().to_owned());
    }
    let topic = Topic::Username;
    if !run.answers.knows(topic) && run.answers.can_ask(topic) {
        run.witness.tell(&Event::AboutToAsk);
    }
    let name = run.answers.text(&Question::new(topic, "Username")).await.map_err(unanswered(topic))?;
    if name.is_empty() { Err(unanswered(topic)(NoAnswer::Cancelled)) } else { Ok(name) }
}

/// The password: given, else the command's, else the saved one, else the person's. Whoever is asked although a password is saved
/// (`--ask`) may just press Enter.
async fn password(run: &Run<'_>, account: &Account, memory: &dyn Memory, may_be_saved: bool) -> Result<Password, Error> {
    let topic = Topic::Password;
    let question = Question::new(topic, "Password");
    if run.answers.knows(topic) {
        let text = run.answers.secret(&question).await.map_err(unanswered(topic))?;
        return Ok(Password { text, source: Source::Given });
    }
    if let Some(command) = &account.password_command {
        let failed = |source| Error::PasswordCommand { account: account.name.to_string(), source };
        return Ok(Password { text: run.world.launcher.first_line(command).map_err(failed)?, source: Source::Command });
    }
    let saved = if may_be_saved { memory.recall(Kind::Password) } else { None };
    let is_asked = run.ask_anyway || saved.is_none();
    if let Some(text) = saved.clone().filter(|_| !is_asked) {
        run.witness.tell(&Event::UsingSaved);
        return Ok(Password { text, source: Source::Saved });
    }
    if account.username.is_some() && run.answers.can_ask(topic) {
        run.witness.tell(&Event::AboutToAsk);
    }
    let typed = run.answers.secret(&question).await.map_err(unanswered(topic))?;
    match (typed.expose().is_empty(), saved) {
        (false, _) => Ok(Password { text: typed, source: Source::Typed }),
        (true, Some(text)) => Ok(Password { text, source: Source::Saved }),
        (true, None) => Err(unanswered(topic)(NoAnswer::Cancelled)),
    }
}
