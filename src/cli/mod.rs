//! The person at a terminal: reads the command line, calls a use case, shows what came of it.

mod accounts;
mod args;
mod chain;
mod global;
mod manual;
mod old;
mod pages;
mod profile;
mod provider;
mod quick;
mod report;
#[cfg(feature = "serve")]
mod serve;
mod shell;
mod show;
mod words;

use std::ffi::OsString;
use std::sync::Arc;

pub use self::manual::manual;

use self::args::{Args, Command, Global};
use self::report::{Exit, Failure};
use self::show::Talk;
use crate::app::login::{Options, Outcome};
use crate::app::{self, Account, Accounts, ConfigError, Draft, Error, Found, Freshness, Key};
use crate::ask::{self, Answers, Chain, Given, GivenAnswer, Person, Pinentry, Topic};
use crate::config::variable;
use crate::types::{AccountName, CloudId, Credentials, Secret, switch};
use crate::vault::{self, Vault};
use crate::world::tty::Terminal;
use crate::world::{
    Env, HttpNetwork, Paths, SystemClock, SystemLauncher, SystemListener, World, listen_for_interrupt, was_interrupted,
};

/// Runs one command and returns the exit code.
pub fn run(argv: &[OsString], env: &Env) -> u8 {
    if let Some(page) = pages::asked(argv) {
        return match show::data(&page) {
            Ok(()) => Exit::Success as u8,
            Err(failure) => report::report(&failure),
        };
    }
    let args = match words::parse(argv) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are data on stdout; a wrong command line is talk on stderr. clap knows which is which.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage as u8 } else { Exit::Success as u8 };
        }
    };
    if args.global.verbose {
        show::trace();
    }
    let talk = Talk::new(args.global.quiet);
    if args.global.old.shows_secret() {
        talk.exposed("--client-secret", "ONELOGIN_CLIENT_SECRET");
    }
    for flag in args.global.old.idle() {
        talk.idle(flag);
    }
    match dispatch(argv, args, env, &talk) {
        Ok(()) => Exit::Success as u8,
        Err(failure) => report::report(&failure),
    }
}

/// The cloud of the old tool whose name we were called by.
fn called_as(argv: &[OsString]) -> Option<CloudId> {
    let name = std::path::Path::new(argv.first()?).file_stem()?.to_str()?;
    match name {
        "saml2aws" => Some(CloudId::Aws),
        "saml2alibabacloud" => Some(CloudId::Alibaba),
        _ => None,
    }
}

/// What every command has at hand.
struct Context<'c> {
    world: World<'c>,
    global: Global,
    called_as: Option<CloudId>,
    wished: Option<CloudId>,
    talk: &'c Talk,
    /// Asks, where the account or a flag names one.
    pinentry: Arc<Pinentry>,
}

fn dispatch(argv: &[OsString], args: Args, env: &Env, talk: &Talk) -> Result<(), Failure> {
    let Args { global, command } = args;
    if global.old.has_provider() {
        return Err(Failure::OldProvider);
    }
    if let Command::Completions(own) = &command {
        return show::data(&pages::script(own.shell, &pages::called(argv)));
    }
    // A service has no home.
    #[cfg(feature = "serve")]
    if let Command::Serve(own) = &command {
        return own.run(global.config.as_deref(), env);
    }
    let paths = Paths::system(env).ok_or(Failure::NoHome)?;
    let world = World {
        network: &HttpNetwork,
        clock: &SystemClock,
        launcher: &SystemLauncher,
        listener: &SystemListener,
        env,
        paths: &paths,
    };
    let wished = match global.cloud.as_deref().or_else(|| env.get("SAML2CLOUD_CLOUD")) {
        None => None,
        Some(word) => Some(CloudId::from_word(word).ok_or_else(|| Failure::BadCloud(word.to_owned()))?),
    };
    let spared = if global.skip_prompt { vec![Topic::Username, Topic::Password] } else { Vec::new() };
    let pinentry = Arc::new(Pinentry::sparing(spared));
    let context = Context { world, global, called_as: called_as(argv), wished, talk, pinentry };
    match command {
        Command::Configure(own) => context.configure(&own),
        Command::Login(own) => context.login(&own),
        Command::Exec(own) => context.exec(&own),
        Command::Console(own) => context.console(&own),
        Command::Script(own) => context.script(&own),
        Command::CredentialProcess(own) => context.credential_process(&own.draft(), own.force),
        Command::Logout(own) => context.logout(&own),
        Command::ListRoles => context.list_roles(),
        Command::Provider { wished } => context.provider(&wished),
        Command::Accounts(own) => accounts::print(&context.accounts()?, own.output, &paths),
        Command::Completions(_) => Ok(()),
        #[cfg(feature = "serve")]
        Command::Serve(_) => Ok(()),
    }
}

impl Context<'_> {
    fn accounts(&self) -> Result<Accounts, Failure> {
        let accounts = Accounts::load(self.world.paths, self.world.env, self.global.config.as_deref(), self.called_as);
        accounts.map_err(|error| Error::from(error).into())
    }

    fn name(&self) -> Result<AccountName, Failure> {
        let given = self.global.idp_account.clone();
        let from_env = || self.by_variable(self.wished.or(self.called_as), "IDP_ACCOUNT");
        AccountName::parse(given.or_else(from_env).as_deref().unwrap_or("default"))
            .map_err(|error| Error::from(ConfigError::from(error)).into())
    }

    /// A variable of ours, else the old tool's for that cloud. Where nothing tells the cloud, either old tool's will do, unless they
    /// differ: a password for one is not sent to the other.
    fn by_variable(&self, cloud: Option<CloudId>, name: &str) -> Option<String> {
        let clouds = cloud.map_or(CloudId::ALL.to_vec(), |cloud| vec![cloud]);
        let mut values = clouds.into_iter().filter_map(|cloud| variable(self.world.env, Some(cloud), name));
        let (_, first) = values.next()?;
        values.all(|(_, other)| other == first).then(|| first.to_owned())
    }

    /// The cloud of the account that is meant, as far as nobody has to be asked.
    fn cloud(&self) -> Option<CloudId> {
        let found = self.accounts().and_then(|accounts| self.find(&accounts, &Draft::default())).unwrap_or_default();
        match found.as_slice() {
            [found] => Some(found.cloud),
            _ => self.wished.or(self.called_as),
        }
    }

    /// What variables and flags say of an account of that cloud; flags win.
    fn overlay(&self, cloud: CloudId, own: &Draft) -> Draft {
        let env = Draft::from_env(self.world.env, Some(cloud));
        own.over(&self.global.draft()).over(&env)
    }

    /// The account that is meant, or both of its name.
    fn find(&self, accounts: &Accounts, own: &Draft) -> Result<Vec<Found>, Failure> {
        if let Some(found) = self.by_profile(own)? {
            return Ok(vec![found]);
        }
        let name = self.name()?;
        let overlay = own.over(&self.global.draft());
        if let Some(found) = self.without_account(&accounts.all(), &overlay)? {
            return Ok(vec![found]);
        }
        accounts.find(&name, self.wished, self.called_as, &overlay).map_err(|error| Error::from(error).into())
    }

    /// An account that flags and variables make up by themselves: a job in a pipeline has a token and a role, and no accounts file.
    fn without_account(&self, saved: &[Found], overlay: &Draft) -> Result<Option<Found>, Failure> {
        let is_named = self.global.idp_account.is_some() || variable(self.world.env, self.called_as, "IDP_ACCOUNT").is_some();
        if is_named {
            return Ok(None);
        }
        let has_default = saved.iter().any(|found| found.name.as_str() == "default");
        app::without_account(self.world.env, self.wished.or(self.called_as), overlay, has_default)
            .map_err(|error| Error::from(error).into())
    }

    fn check(&self, found: &Found, own: &Draft) -> Result<Account, Failure> {
        // What stands on top is not what the login writes.
        let own = &if found.on_top.is_some() { own.without(Key::Profile) } else { own.clone() };
        // Variables are for accounts; a profile is what its file says, and what was typed.
        let overlay = match found.is_foreign {
            true => own.over(&self.global.draft()),
            false => self.overlay(found.cloud, own),
        };
        let draft = overlay.over(&found.draft);
        Account::check(found, &draft).map_err(|error| Error::from(error).into())
    }

    /// The account, asked for where its name stands in both files, and whether it stands in one at all.
    async fn account(&self, answers: &dyn Answers, own: &Draft) -> Result<(Account, bool), Failure> {
        let accounts = self.accounts()?;
        let mut found = self.find(&accounts, own)?;
        if found.len() > 1 {
            let cloud = app::configure::ask_cloud(answers, &found[0].name, Some((&accounts, &found))).await?;
            found.retain(|f| f.cloud == cloud);
        }
        match found.first() {
            Some(found) => {
                let account = self.check(found, own)?;
                if let Some(program) = account.prompter.as_deref().filter(|_| !self.global.no_input) {
                    self.pinentry.choose_program(program, account.name.as_str(), self.world.env);
                }
                Ok((account, found.file != Found::NOWHERE))
            }
            None => Err(Error::from(ConfigError::NoCloud(self.name()?.to_string())).into()),
        }
    }

    fn configure(&self, own: &args::Configure) -> Result<(), Failure> {
        let mut accounts = self.accounts()?;
        let name = self.name()?;
        let draft = own.draft();
        let saved = self.asking(async |answers| {
            let ask = !self.global.skip_prompt && answers.can_ask(Topic::Field("provider"));
            let overlay = |cloud| self.overlay(cloud, &draft);
            app::configure::configure(&mut accounts, &name, self.wished, self.called_as, overlay, answers, ask)
                .await
                .map_err(Failure::from)
        })?;
        self.talk.saved(&saved);
        Ok(())
    }

    fn login(&self, own: &args::Login) -> Result<(), Failure> {
        let draft = own.draft();
        if own.credential_process {
            return self.credential_process(&draft, own.force.force);
        }
        if self.by_profile(&draft)?.is_some_and(|found| found.signs_in_at_portal()) {
            return self.login_at_portal(&draft, own.force.force);
        }
        let (account, outcome) = self.sign_in(&draft, own.force.options(false))?;
        self.talk.logged_in(&account, &outcome);
        Ok(())
    }

    /// A profile of the cloud's own configuration: its tools get the keys themselves, once the person is signed in.
    fn login_at_portal(&self, draft: &Draft, anew: bool) -> Result<(), Failure> {
        let vault = self.vault()?;
        let (account, token) = self.asking(async |answers| {
            let (account, _) = self.account(answers, draft).await?;
            let token = app::portal::sign_in(&self.run(answers, &*vault, true), &account, anew).await?;
            Ok((account, token))
        })?;
        self.talk.signed_in(&account, &token);
        Ok(())
    }

    fn logout(&self, own: &args::Logout) -> Result<(), Failure> {
        let vault = self.vault()?;
        let (account, ended) = self.asking(async |answers| {
            let (account, _) = self.account(answers, &own.draft()).await?;
            let ended = app::logout::logout(&self.run(answers, &*vault, false), &account).await?;
            Ok((account, ended))
        })?;
        self.talk.signed_out(&account, &ended);
        // Nothing is left here, and the person should know that something may be left there.
        ended.portal.unwrap_or(Ok(())).map_err(Failure::from)
    }

    /// `attended`: whether somebody may be looking; a sign-in is not begun behind their back.
    fn run<'r>(&'r self, answers: &'r dyn Answers, vault: &'r dyn Vault, attended: bool) -> app::Run<'r> {
        app::Run {
            world: &self.world,
            answers,
            witness: self.talk,
            vault,
            ask_anyway: self.global.ask,
            may_send_person: attended && !self.global.no_input,
        }
    }

    /// Where passwords and sessions rest. Nothing is opened before it is needed.
    fn vault(&self) -> Result<Box<dyn Vault>, Failure> {
        let choice = match self.is_keychain_disabled()? {
            true => vault::Choice::None,
            false => vault::Choice::from_env(self.world.env)?,
        };
        // The passphrase of the encrypted file is asked for on the terminal, where there may be asking.
        let may_ask = !self.global.no_input;
        let pinentry = Arc::clone(&self.pinentry);
        let ask: vault::Ask = Box::new(move |wanted| {
            let is_new = wanted == vault::Wanted::New;
            let at_terminal = || Terminal::open().filter(|_| may_ask).and_then(|t| ask::passphrase(&t, is_new));
            pinentry.passphrase(is_new).unwrap_or_else(at_terminal)
        });
        Ok(vault::open(choice, self.world.paths, self.world.env, Some(ask)))
    }

    /// Whether the keychain is left alone: what the flag says, else a variable.
    fn is_keychain_disabled(&self) -> Result<bool, Failure> {
        let names = ["SAML2CLOUD_DISABLE_KEYCHAIN", "SAML2AWS_DISABLE_KEYCHAIN", "SAML2ALIBABACLOUD_DISABLE_KEYCHAIN"];
        let flag = self.global.said("disable-keychain", self.global.disable_keychain);
        match (flag, self.world.env.first(&names)) {
            (Some(said), _) => Ok(said),
            (None, None) => Ok(false),
            (None, Some((name, word))) => switch(word)
                .map_err(|why| Error::from(ConfigError::Bad { place: format!("`{name}`"), why: why.to_string() }).into()),
        }
    }

    fn sign_in(&self, draft: &Draft, options: Options) -> Result<(Account, Outcome), Failure> {
        let vault = self.vault()?;
        self.asking(async |answers| {
            let (account, is_saved) = self.account(answers, draft).await?;
            // A job's child needs no profile, and nobody named one.
            let wants_profile =
                is_saved || !options.profile_is_optional || self.overlay(account.cloud, draft).get(Key::Profile).is_some();
            let options = Options { no_profile: options.no_profile || !wants_profile, ..options };
            let outcome = app::login::login(&self.run(answers, &*vault, !options.unattended), &account, options).await?;
            Ok((account, outcome))
        })
    }

    /// The credentials: those that are still fresh, without a runtime, a network or anybody's answer, which is the usual case; else by a
    /// sign-in.
    fn credentials(&self, draft: &Draft, options: Options) -> Result<(Account, Credentials), Failure> {
        let accounts = self.accounts()?;
        if let [found] = self.find(&accounts, draft)?.as_slice()
            && (!options.force || found.on_top.is_some())
        {
            let account = self.check(found, draft)?;
            if let Some(profile) = account.on_top.clone() {
                let chained = self.chained(&account, &profile, options)?;
                return Ok((account, chained.at_home()));
            }
            if let Some(credentials) = app::cached(&self.world, &account, options.freshness) {
                return Ok((account, credentials));
            }
        }
        let (account, outcome) = self.sign_in(draft, options)?;
        Ok((account, outcome.credentials))
    }

    fn console(&self, own: &args::Console) -> Result<(), Failure> {
        let draft = own.draft();
        let vault = self.vault()?;
        self.asking(async |answers| {
            let (account, _) = self.account(answers, &draft).await?;
            let run = self.run(answers, &*vault, true);
            if !own.link {
                app::console::can_open(&run)?;
            }
            let on_top = self.exec_profile(&account, own.exec_profile.as_deref())?;
            let session = app::console::sign_in(&run, &account, on_top.as_ref(), own.force.options(true)).await?;
            if own.link {
                self.talk.link(&account, &session);
                return show::link(&session.link);
            }
            app::console::open(&run, &session.link).await?;
            self.talk.opened(&account, &session);
            Ok(())
        })
    }

    fn script(&self, own: &args::Script) -> Result<(), Failure> {
        let (account, credentials) = self.credentials(&own.draft(), own.force.options(true))?;
        let variables = app::show::script(&self.world, &account, &credentials);
        if own.shell == args::Shell::Github {
            // The log of the job, where masks are read, is stderr's as well as stdout's; stdout goes into the file.
            show::mask(&shell::masks(&variables));
        }
        show::secret_data(&shell::lines(own.shell, &variables))
    }

    fn credential_process(&self, draft: &Draft, force: bool) -> Result<(), Failure> {
        let options = Options { force, freshness: Freshness::Process, no_profile: true, unattended: true, ..Options::default() };
        let (account, credentials) = self.credentials(draft, options)?;
        show::secret_data(&app::show::process_document(&account, &credentials))
    }

    fn exec(&self, own: &args::Exec) -> Result<(), Failure> {
        if self.may_chain(own.exec_profile.as_deref()) || own.draft().get(Key::Profile).is_some() {
            return self.exec_chained(own);
        }
        let (account, credentials) = self.credentials(&own.draft(), own.force.options(true))?;
        Err(app::exec::exec(&self.world, &account, &credentials, &own.command).into())
    }

    fn list_roles(&self) -> Result<(), Failure> {
        let none = Draft::default();
        let vault = self.vault()?;
        let (account, roles) = self.asking(async |answers| {
            let (account, _) = self.account(answers, &none).await?;
            let roles = app::roles::list(&self.run(answers, &*vault, true), &account).await?;
            Ok((account, roles))
        })?;
        show::roles(account.cloud, &roles)
    }

    /// Runs what may have to ask and wait, until it ends or Ctrl-C is pressed. Then the terminal is put back as it was.
    fn asking<T>(&self, work: impl AsyncFnOnce(&dyn Answers) -> Result<T, Failure>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
        listen_for_interrupt();
        let terminal = if self.global.no_input { None } else { Terminal::open().map(Arc::new) };
        let given = self.given()?;
        let spared = if self.global.skip_prompt { vec![Topic::Username, Topic::Password] } else { Vec::new() };
        let person = terminal.as_ref().map(|terminal| Person::new(Arc::clone(terminal), spared));
        let mut chain: Vec<&dyn Answers> = vec![self.talk, &given, &*self.pinentry];
        chain.extend(person.as_ref().map(|person| person as &dyn Answers));
        let answers = Chain(chain);
        let outcome = runtime.block_on(async {
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
                // Whoever asked where no runtime looks has heard it first.
                outcome = work(&answers) => if was_interrupted() { Err(Failure::Interrupted) } else { outcome },
            }
        });
        if let (Err(Failure::Interrupted), Some(terminal)) = (&outcome, &terminal) {
            terminal.restore();
        }
        // A prompt that was left by Ctrl-C still waits for a key on its own thread; nobody waits for that thread.
        runtime.shutdown_background();
        match (outcome, self.pinentry.take_failure()) {
            (Err(Failure::App(_)), Some(failure)) => Err(Failure::Prompter(failure)),
            (outcome, _) => outcome,
        }
    }

    /// What flags and variables answer. With `--ask` a password that is known is asked for all the same.
    fn given(&self) -> Result<Given, Failure> {
        let given = Given::default();
        let cloud = self.cloud();
        let from_env = |name: &str| self.by_variable(cloud, name).map(Secret::new);
        let answers = [
            (Topic::Password, self.password()?.or_else(|| from_env("PASSWORD")), false),
            (Topic::Otp, self.global.mfa_token.clone().or_else(|| from_env("MFA_TOKEN")), true),
        ];
        for (topic, value, once) in answers {
            if let Some(value) = value.filter(|_| !(self.global.ask && topic == Topic::Password)) {
                given.add(topic, GivenAnswer { value, once });
            }
        }
        if self.global.password.is_some() {
            self.talk.exposed("--password", "SAML2CLOUD_PASSWORD");
        }
        Ok(given)
    }

    /// The password of the command line, or of standard input: its first line and not a byte more, for the rest may be a child's.
    fn password(&self) -> Result<Option<Secret<String>>, Failure> {
        if !self.global.password_stdin {
            return Ok(self.global.password.clone());
        }
        crate::world::tty::first_line_of_stdin().map_err(Failure::Input)?.ok_or(Failure::NoPassword).map(Some)
    }
}
