//! Success: data on stdout, talk on stderr. The lines of a login are the ones that guides for the old tools quote.

use std::io::Write as _;
use std::sync::Mutex;

use async_trait::async_trait;

use super::report::Failure;
use crate::app::configure::Saved;
use crate::app::console::Session;
use crate::app::login::Outcome;
use crate::app::logout::SignedOut;
use crate::app::roles::AccountRoles;
use crate::app::{Account, ConsoleLink, Event, Witness};
use crate::ask::{Answers, NoAnswer, Question};
use crate::types::{CloudId, PortalToken, ProfileName, Region, RoleWish, Secret, Untrusted};

/// Talks on stderr.
pub(super) struct Talk {
    quiet: bool,
    /// Notes that were told: what is looked at twice is told once.
    notes: Mutex<Vec<String>>,
}

/// What a person must see even with `--quiet`, and what they may.
impl Talk {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet, notes: Mutex::default() }
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            talk(line);
        }
    }

    /// A secret on the command line works, and is worth one word.
    pub(super) fn exposed(&self, flag: &str, better: &str) {
        self.say(&format!(
            "note: everybody on this machine can read what `{flag}` gives; `{better}` is read by this program alone"
        ));
    }

    /// A flag of the old tools that does nothing here.
    pub(super) fn idle(&self, flag: &str) {
        self.say(&format!("note: `{flag}` is not built yet and does nothing"));
    }

    /// Something that works and is worth a word.
    pub(super) fn note(&self, text: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !notes.iter().any(|told| told == text) {
            notes.push(text.to_owned());
            self.say(&format!("note: {text}"));
        }
    }

    /// After a `login` that leaves no keys behind: the tools get them themselves.
    pub(super) fn signed_in(&self, account: &Account, token: &PortalToken) {
        self.say(&format!("Signed in at {}.", token.start.host()));
        self.say(&format!(
            "The access token is good until {}; it is renewed until the session at the portal ends.",
            token.expires.local_for_people()
        ));
        if account.role != RoleWish::Any {
            self.say(&how_to_use(account.cloud, account.on_top.as_ref().unwrap_or(&account.profile), None));
        }
    }

    /// After `logout`.
    pub(super) fn signed_out(&self, account: &Account, ended: &SignedOut) {
        let name = Untrusted::new(account.name.as_str());
        match &ended.portal {
            Some(Ok(())) => self.say(&format!("Signed out of {} at {}.", name, account.url.host())),
            Some(Err(_)) => {
                talk(&format!("Signed out of {name} here. The session at {} could not be ended:", account.url.host()))
            }
            None if ended.token_until.is_some() => {
                self.say(&format!("Signed out of {name} here: the session at {} is forgotten.", account.url.host()))
            }
            None => self.say(&format!("Signed out of {name} here; there was no session to end at {}.", account.url.host())),
        }
        if let Some(end) = ended.token_until {
            talk(&format!(
                "note: the portal cannot be told: what was forgotten would have been good until {}; its own page ends sessions.",
                end.local_for_people()
            ));
        }
        if let Some(end) = ended.keys_until {
            talk(&format!("note: keys that were handed out stay good until they end, at {} the latest.", end.local_for_people()));
        } else if account.is_portal() {
            self.say("note: keys that were handed out, to other tools too, stay good until they end.");
        }
    }

    /// After `configure`.
    pub(super) fn saved(&self, saved: &Saved) {
        let account = &saved.account;
        let own = |text: &str| Untrusted::new(text).to_string();
        self.say("");
        self.say("account {");
        for (name, value) in [
            ("URL", account.url.to_string()),
            ("Username", account.username.as_ref().map_or_else(String::new, |name| own(name.as_str()))),
            ("Provider", account.provider.to_owned()),
            ("MFA", own(&account.idp.mfa)),
            ("SkipVerify", account.idp.skip_verify.to_string()),
            ("SessionDuration", account.duration.map_or_else(String::new, |duration| duration.to_string())),
            ("Profile", own(account.profile.as_str())),
            (
                "RoleARN",
                match &account.role {
                    crate::types::RoleWish::Arn(role) => role.to_string(),
                    crate::types::RoleWish::Name(name) => own(name),
                    crate::types::RoleWish::Any => String::new(),
                },
            ),
            ("Region", account.place.region.as_ref().map_or_else(String::new, ToString::to_string)),
        ] {
            self.say(&format!("  {name}: {value}"));
        }
        self.say("}");
        self.say("");
        self.say(&format!("Configuration saved for IDP account: {}", own(account.name.as_str())));
        if !saved.is_built {
            talk(&format!(
                "note: the provider `{}` is not built yet, so `login` will refuse; `Form` signs in to any provider whose sign-in is made of HTML forms",
                account.provider
            ));
        }
    }

    /// After `login`.
    pub(super) fn logged_in(&self, account: &Account, outcome: &Outcome) {
        let credentials = &outcome.credentials;
        let expires = credentials.expires.local_for_people();
        let profile = account.profile_for(&credentials.role);
        if outcome.from_cache && !outcome.stored {
            self.say(&format!(
                "The keys of {} in profile {} are good until {expires}; --force signs in again.",
                credentials.role, profile
            ));
            return;
        }
        if outcome.from_cache {
            self.say(&format!("Taking the keys of {} that are still good.", credentials.role));
        }
        self.say(&format!("Logged in as: {}", Untrusted::new(credentials.assumed.clone())));
        let place = match account.cloud {
            CloudId::Aws => "AWS configuration",
            CloudId::Alibaba => "AlibabaCloud CLI configuration",
        };
        self.say(&format!("Your new access key pair has been stored in the {place}"));
        self.say(&format!("Note that it will expire at {expires}"));
        let region = account.place.region.as_ref().or(credentials.home_region.as_ref());
        self.say(&how_to_use(account.cloud, profile, region));
        if account.place.region.is_none()
            && let Some(region) = &credentials.home_region
        {
            self.say(&format!("The account names no region; a profile without one gets {region}."));
        }
    }

    /// After `console`.
    pub(super) fn opened(&self, account: &Account, session: &Session) {
        let cloud = account.cloud.title();
        self.say(&format!(
            "Your browser is at the console of {cloud}, as {}",
            Untrusted::new(session.credentials.assumed.clone())
        ));
    }

    /// Before the address of `console --link`. It is worth the keys, so this is said even with `--quiet`.
    pub(super) fn link(&self, account: &Account, session: &Session) {
        let good_for = match session.link.good_for.as_secs() {
            seconds if seconds < 120 => format!("{seconds} seconds"),
            seconds => format!("{} minutes", seconds / 60),
        };
        let once = if session.link.once { ", once" } else { "" };
        talk(&format!(
            "note: whoever opens this address within {good_for}{once} is signed in to {} as {}",
            account.cloud.title(),
            Untrusted::new(session.credentials.assumed.clone())
        ));
    }
}

fn how_to_use(cloud: CloudId, profile: &ProfileName, region: Option<&Region>) -> String {
    let profile = super::shell::posix(profile.as_str());
    match cloud {
        CloudId::Aws => {
            format!(
                "To use this credential, call the AWS CLI with the --profile option (e.g. aws --profile {profile} ec2 describe-instances)."
            )
        }
        CloudId::Alibaba => format!(
            "To use this credential, call the AlibabaCloud CLI with the --profile option (e.g. aliyun --profile {profile} sts GetCallerIdentity --region={}).",
            region.map_or("cn-hangzhou", Region::as_str)
        ),
    }
}

/// One line for the person. If nobody listens any more, that is no reason to fail.
pub(super) fn talk(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

impl Witness for Talk {
    fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Using { account, provider, url } => {
                self.say(&format!("Using IDP Account {} to access {provider} {url}", Untrusted::new(*account)));
            }
            Event::AboutToAsk => self.say("To use saved password just hit enter."),
            Event::UsingSaved => self.say("Using the saved password; --ask asks for another."),
            Event::SavedRefused { said } => self.say(&format!("The saved password was refused (\"{said}\") and is forgotten.")),
            Event::Authenticating { username } => self.say(&format!("Authenticating as {} ...", Untrusted::new(*username))),
            Event::Selected { role } => self.say(&format!("Selected role: {role}")),
            Event::Requesting { cloud, by } => {
                let name = if *cloud == CloudId::Aws { "AWS" } else { "AlibabaCloud" };
                self.say(&format!("Requesting {name} credentials using {by}"));
            }
            Event::Waiting => self.say("Waiting for another saml2cloud that is signing in ..."),
            Event::ProofDue { host, said } => {
                let why = if said.is_empty() { String::new() } else { format!(": \"{said}\"") };
                self.say(&format!("{host} wants you to sign in again for this{why}"));
            }
            Event::Capped { wished, given } => talk(&format!(
                "note: these keys last {} minutes and not {}: the role, its account or your own membership allows no more",
                given.div_ceil(60),
                u64::from(wished.seconds()).div_ceil(60)
            )),
            Event::Unverified { host } => {
                talk(&format!("warning: no certificate of the identity provider ({host} and where it leads) is verified"))
            }
            Event::ForeignEndpoint { url } => {
                talk(&format!("note: the security token service asked is {url}, which is not one of the cloud's own"))
            }
            Event::Shortened { wished, said } => talk(&format!(
                "note: the identity provider wishes keys for {wished} seconds, which the role does not allow ({said}); they are asked for 3600 instead"
            )),
            Event::UsingResponse { until } => {
                self.say(&format!(
                    "Using the SAML response of an earlier sign-in, which is good until {}.",
                    until.local_for_people()
                ));
            }
            Event::ResponseRefused { why } => {
                self.say(&format!("The SAML response of the earlier sign-in is of no use ({why}) and is forgotten."));
            }
            Event::ResponseNotKept { why } => talk(&format!("note: the SAML response is not kept: {why}")),
            Event::Assuming { role, profile } => {
                self.say(&format!("Assuming role: {role} of profile {}", Untrusted::new(*profile)))
            }
            Event::OtherKeys { profile } => talk(&format!(
                "note: profile {} holds keys of its own; the role is assumed with them and not with the login's",
                Untrusted::new(*profile)
            )),
            Event::OtherSignIn { profile, host } => talk(&format!(
                "note: the role is assumed with the keys of profile {}, which signs in at {}",
                Untrusted::new(*profile),
                Untrusted::new(*host)
            )),
            Event::ChainedShorter { wished, limit } => talk(&format!(
                "note: a role that another role assumes has keys for {limit} seconds at the most, not for {wished}; {limit} are asked for"
            )),
            Event::FactorPassedOver { profile, serial } => self.say(&format!(
                "note: profile {} names the factor {}, which keys of a role cannot show; it is passed over",
                Untrusted::new(*profile),
                Untrusted::new(*serial)
            )),
            Event::NotRemembered { why } => self.say(&format!("note: nothing is remembered: {why}")),
            Event::RoleSwitched { profile, from } => {
                self.say(&format!("Profile {profile} held keys of another role until now: {}", Untrusted::new(*from)));
            }
            Event::ProfileLeft { why } => self.say(&format!("note: the keys go to the command alone: {why}")),
            Event::Presenting { profile, url } => {
                self.say(&format!("Presenting credentials for {} to {url}", Untrusted::new(*profile)));
            }
            Event::KeysRefused { why } => self.say(&format!("The keys that were there are of no use: {why}")),
            Event::ConsoleShortened { wished, why } => talk(&format!(
                "note: a console session of {wished} seconds is not to be had ({why}); it lasts as long as the keys"
            )),
            Event::NotKept { why } => talk(&format!("note: the keys could not be kept for the next run: {why}")),
        }
    }
}

/// Knows no answers; shows notices.
#[async_trait]
impl Answers for Talk {
    async fn text(&self, _: &Question<'_>) -> Result<String, NoAnswer> {
        Err(NoAnswer::NotHere)
    }

    async fn secret(&self, _: &Question<'_>) -> Result<Secret<String>, NoAnswer> {
        Err(NoAnswer::NotHere)
    }

    async fn choose(&self, _: &Question<'_>, _: &[Untrusted]) -> Result<usize, NoAnswer> {
        Err(NoAnswer::NotHere)
    }

    fn notify(&self, notice: &str) {
        talk(notice);
    }
}

/// Writes data to stdout. A reader that has seen enough (`| head`) is no failure.
pub(super) fn data(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// Writes secret data to stdout, on one line at least: whoever ran the command asked for it.
pub(super) fn secret_data(text: &Secret<String>) -> Result<(), Failure> {
    let text = text.expose();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    data(text)?;
    data(end)
}

/// Writes the address that opens a console to stdout: whoever ran the command asked for it.
pub(super) fn link(link: &ConsoleLink) -> Result<(), Failure> {
    secret_data(&Secret::from(link.url.expose().as_str()))
}

/// Hides values in a job's log from here on.
pub(super) fn mask(text: &Secret<String>) {
    let _ = std::io::stderr().lock().write_all(text.expose().as_bytes());
}

/// The list of roles: an account a block, as the old tools print it.
pub(super) fn roles(cloud: CloudId, accounts: &[AccountRoles]) -> Result<(), Failure> {
    let mut text = String::new();
    for AccountRoles { account, alias, roles } in accounts {
        text += &match (cloud, alias) {
            (CloudId::Aws, Some(alias)) => format!("Account: {alias} ({account})\n"),
            (CloudId::Aws, None) => format!("Account: {account}\n"),
            (CloudId::Alibaba, Some(alias)) => format!("{alias}({account})\n"),
            (CloudId::Alibaba, None) => format!("{account}({account})\n"),
        };
        for role in roles {
            text += &format!("{role}\n");
        }
        text += "\n";
    }
    data(&text)
}

/// Shows every step on stderr: addresses without their queries, statuses, decisions. Only our own words: libraries might log headers.
pub(super) fn trace() {
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::layer::SubscriberExt as _;
    let ours = tracing_subscriber::filter::filter_fn(|data| data.target().starts_with("saml2cloud"));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .with_filter(ours);
    // It fails only if there is one already, which then serves.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
}
