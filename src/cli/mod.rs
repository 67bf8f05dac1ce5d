//! The person at a terminal: reads the command line, calls a use case, shows what came of it.

mod accounts;
mod args;
mod manual;
mod old;
mod pages;
mod report;
#[cfg(feature = "serve")]
mod serve;
mod shell;
mod show;

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
use crate::types::{AccountName, CloudId, Credentials, Secret};
use crate::vault::{self, Vault};
use crate::world::tty::Terminal;
use crate::world::{Env, HttpNetwork, Paths, SystemClock, SystemLauncher, World};

/// Runs one command and returns the exit code.
pub fn run(argv: &[OsString], env: &Env) -> u8 {
    if let Some(page) = pages::asked(argv) {
        return match show::data(&page) {
            Ok(()) => Exit::Success as u8,
            Err(failure) => report::report(&failure),
        };
    }
    let args = match args::parse(argv) {
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
    let world = World { network: &HttpNetwork, clock: &SystemClock, launcher: &SystemLauncher, env, paths: &paths };
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
        Command::ListRoles => context.list_roles(),
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
        let given = self.global.idp_account.as_deref();
        let from_env = || variable(self.world.env, self.called_as, "IDP_ACCOUNT").map(|(_, value)| value);
        AccountName::parse(given.or_else(from_env).unwrap_or("default"))
            .map_err(|error| Error::from(ConfigError::from(error)).into())
    }

    /// What variables and flags say of an account of that cloud; flags win.
    fn overlay(&self, cloud: CloudId, own: &Draft) -> Draft {
        let env = Draft::from_env(self.world.env, Some(cloud));
        own.over(&self.global.draft()).over(&env)
    }

    /// The account that is meant, or both of its name.
    fn find(&self, accounts: &Accounts, own: &Draft) -> Result<Vec<Found>, Failure> {
        let name = self.name()?;
        let overlay = own.over(&self.global.draft());
        accounts.find(&name, self.wished, self.called_as, &overlay).map_err(|error| Error::from(error).into())
    }

    fn check(&self, found: &Found, own: &Draft) -> Result<Account, Failure> {
        let draft = self.overlay(found.cloud, own).over(&found.draft);
        Account::check(found, &draft).map_err(|error| Error::from(error).into())
    }

    /// The account, asked for where its name stands in both files.
    async fn account(&self, answers: &dyn Answers, own: &Draft) -> Result<Account, Failure> {
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
                Ok(account)
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
        let (account, outcome) = self.sign_in(&draft, own.force.options(false))?;
        self.talk.logged_in(&account, &outcome);
        Ok(())
    }

    fn run<'r>(&'r self, answers: &'r dyn Answers, vault: &'r dyn Vault) -> app::Run<'r> {
        app::Run { world: &self.world, answers, witness: self.talk, vault, ask_anyway: self.global.ask }
    }

    /// Where passwords and sessions rest. Nothing is opened before it is needed.
    fn vault(&self) -> Result<Box<dyn Vault>, Failure> {
        let choice = match self.global.disable_keychain || self.is_keychain_disabled() {
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

    /// The old tools' variables for `--disable-keychain`.
    fn is_keychain_disabled(&self) -> bool {
        let names = ["SAML2CLOUD_DISABLE_KEYCHAIN", "SAML2AWS_DISABLE_KEYCHAIN", "SAML2ALIBABACLOUD_DISABLE_KEYCHAIN"];
        names.iter().any(|name| self.world.env.is_on(name))
    }

    fn sign_in(&self, draft: &Draft, options: Options) -> Result<(Account, Outcome), Failure> {
        let vault = self.vault()?;
        self.asking(async |answers| {
            let account = self.account(answers, draft).await?;
            let outcome = app::login::login(&self.run(answers, &*vault), &account, options).await?;
            Ok((account, outcome))
        })
    }

    /// The credentials: those that are still fresh, without a runtime, a network or anybody's answer, which is the usual case; else by a
    /// sign-in.
    fn credentials(&self, draft: &Draft, options: Options) -> Result<(Account, Credentials), Failure> {
        let accounts = self.accounts()?;
        if let [found] = self.find(&accounts, draft)?.as_slice()
            && !options.force
        {
            let account = self.check(found, draft)?;
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
            let account = self.account(answers, &draft).await?;
            let run = self.run(answers, &*vault);
            if !own.link {
                app::console::can_open(&run)?;
            }
            let session = app::console::sign_in(&run, &account, own.force.options(true)).await?;
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
        let options = Options { force, freshness: Freshness::Process, no_profile: true, ..Options::default() };
        let (account, credentials) = self.credentials(draft, options)?;
        show::secret_data(&app::show::process_document(&account, &credentials))
    }

    fn exec(&self, own: &args::Exec) -> Result<(), Failure> {
        let (account, credentials) = self.credentials(&own.draft(), own.force.options(true))?;
        Err(app::exec::exec(&self.world, &account, &credentials, &own.command).into())
    }

    fn list_roles(&self) -> Result<(), Failure> {
        let none = Draft::default();
        let vault = self.vault()?;
        let (account, roles) = self.asking(async |answers| {
            let account = self.account(answers, &none).await?;
            let roles = app::roles::list(&self.run(answers, &*vault), &account).await?;
            Ok((account, roles))
        })?;
        show::roles(account.cloud, &roles)
    }

    /// Runs what may have to ask and wait, until it ends or Ctrl-C is pressed. Then the terminal is put back as it was.
    fn asking<T>(&self, work: impl AsyncFnOnce(&dyn Answers) -> Result<T, Failure>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
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
                outcome = work(&answers) => outcome,
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
        let env = self.world.env;
        // The variables of both old tools count until the account, and so its cloud, is known.
        let clouds = match self.wished.or(self.called_as) {
            Some(cloud) => vec![cloud],
            None => CloudId::ALL.to_vec(),
        };
        let from_env =
            |name: &str| clouds.iter().find_map(|cloud| variable(env, Some(*cloud), name)).map(|(_, value)| value.to_owned());
        let answers = [
            (Topic::Password, self.password()?.or_else(|| from_env("PASSWORD").map(Secret::new)), false),
            (Topic::Otp, self.global.mfa_token.clone().or_else(|| from_env("MFA_TOKEN").map(Secret::new)), true),
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

/// The settings among the flags that every command has.
impl Global {
    fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        let texts = [
            (Key::Cloud, &self.cloud),
            (Key::Provider, &self.idp_provider),
            (Key::Mfa, &self.mfa),
            (Key::Url, &self.url),
            (Key::Username, &self.username),
            (Key::Role, &self.role),
            (Key::Urn, &self.urn),
            (Key::SessionDuration, &self.session_duration),
            (Key::Region, &self.region),
            (Key::StsEndpoint, &self.sts_endpoint),
            (Key::PolicyFile, &self.policyfile),
            (Key::PolicyArns, &self.policyarns),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                draft.set(key, value.as_str());
            }
        }
        if self.skip_verify {
            draft.set(Key::SkipVerify, "true");
        }
        for (name, given) in
            [("disable_sessions", self.disable_sessions), ("disable_remember_device", self.disable_remember_device)]
        {
            if given {
                draft.set_other(name, "true");
            }
        }
        self.old.fill(&mut draft);
        draft
    }
}
