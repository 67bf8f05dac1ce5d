//! `serve keys`: the keys that the service signs with.

use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::report::Failure;
use crate::cli::show;
use crate::server::keys::{Backend, KeyId, KeyLine, KeyRoom, KeysError, Purpose, Size, State, Step, Where};
use crate::server::{ServeError, Settings, StoreError};
use crate::types::{Timestamp, Untrusted};
use crate::world::{Env, HttpNetwork};

#[derive(clap::Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every key: what it is for, who keeps it, how far it is in its life
    List,
    /// Make keys: for every purpose that has none, or for one
    New(New),
    /// Take a key and its certificate from a PKCS #12 file
    Import(Import),
    /// Take the next step of a change of keys: make a new one, let it sign, or take the old one out
    Rotate(Rotate),
    /// Let a pending key sign; the one before stays published until it is retired
    Activate(Which),
    /// Take a key out for good: its certificate is published no more
    Retire(Which),
    /// What has to be given to those who trust the keys: SAML metadata on stdout, for audit the certificates
    Metadata(Of),
}

#[derive(clap::Args)]
struct New {
    /// What for: sp, idp-alibaba, idp-aws or audit [default: every purpose that has no key]
    #[arg(long = "for", value_name = "PURPOSE")]
    purpose: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(clap::Args)]
struct Rotate {
    /// What for: sp, idp-alibaba, idp-aws or audit
    #[arg(value_name = "PURPOSE")]
    purpose: String,
    #[command(flatten)]
    proposer: Proposer,
    #[command(flatten)]
    how: How,
}

#[derive(clap::Args)]
struct Proposer {
    /// The super admin in whose name it is proposed, where a second one has to agree (`approval.two_person`)
    #[arg(long = "as", value_name = "GID")]
    gid: Option<String>,
}

#[derive(clap::Args)]
struct How {
    /// How long the key is: 3072 or 2048
    #[arg(long, value_name = "BITS", default_value_t = 3072)]
    bits: u32,
    /// For how many days the certificate is good
    #[arg(long, value_name = "DAYS", default_value_t = 1095)]
    days: u32,
    /// Who keeps it: file, alibaba-kms or aws-kms
    #[arg(long, value_name = "KEEPER", default_value = "file")]
    keeper: String,
    /// The key's name at the key management: its identity, alias or ARN
    #[arg(long, value_name = "NAME")]
    kms_key: Option<String>,
    /// The version of that key (Alibaba Cloud)
    #[arg(long, value_name = "VERSION", requires = "kms_key")]
    kms_version: Option<String>,
}

#[derive(clap::Args)]
struct Import {
    /// What for: sp, idp-alibaba, idp-aws or audit
    #[arg(long = "for", value_name = "PURPOSE")]
    purpose: String,
    /// The file
    #[arg(long, value_name = "FILE")]
    p12: PathBuf,
    /// The file whose first line is the password of that file [default: no password]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// For how many days a certificate is good, where the file has none
    #[arg(long, value_name = "DAYS", default_value_t = 1095)]
    days: u32,
}

#[derive(clap::Args)]
struct Which {
    /// The key, as `serve keys list` names it
    #[arg(value_name = "KEY")]
    id: String,
    #[command(flatten)]
    proposer: Proposer,
}

#[derive(clap::Args)]
struct Of {
    /// sp, idp-alibaba, idp-aws or audit
    #[arg(value_name = "PURPOSE")]
    purpose: String,
}

fn unusable(why: &'static str) -> Failure {
    ServeError::from(KeysError::Unusable(why)).into()
}

fn purpose(text: &str) -> Result<Purpose, Failure> {
    Purpose::from_word(text).ok_or_else(|| unusable("a key is for sp, idp-alibaba, idp-aws or audit"))
}

fn id(which: &Which) -> Result<KeyId, Failure> {
    KeyId::parse(&which.id).ok_or_else(|| ServeError::from(StoreError::NotFound("signing key")).into())
}

impl How {
    fn place(&self) -> Result<Where, Failure> {
        let backend =
            Backend::from_word(&self.keeper).ok_or_else(|| unusable("a key is kept by file, alibaba-kms or aws-kms"))?;
        match (backend, &self.kms_key) {
            (Backend::File, None) => Size::of(self.bits).map(Where::Here).ok_or_else(|| unusable("a key has 3072 or 2048 bits")),
            (Backend::File, Some(_)) => Err(unusable("`--kms-key` goes with `--keeper alibaba-kms` or `--keeper aws-kms`")),
            (_, None) => Err(unusable("`--kms-key` names the key at the key management")),
            (backend, Some(key)) => Ok(Where::There(backend, key.clone(), self.kms_version.clone())),
        }
    }
}

impl Keys {
    /// Runs it.
    pub(super) async fn run(&self, settings: &Settings, env: &Env, now: Timestamp) -> Result<(), Failure> {
        let room = KeyRoom::open(settings, env, &HttpNetwork).await?;
        let done = self.work(&room, settings, now).await;
        room.close().await;
        done
    }

    async fn work(&self, room: &KeyRoom, settings: &Settings, now: Timestamp) -> Result<(), Failure> {
        match &self.command {
            Command::List => show::data(&table(&room.list().await?, now)),
            Command::New(new) => {
                let place = new.how.place()?;
                let wanted = match &new.purpose {
                    Some(text) => vec![purpose(text)?],
                    None if matches!(place, Where::There(..)) => return Err(unusable("`--for` says which purpose the key has")),
                    None => {
                        let all = room.list().await?;
                        let has_key = |purpose: &Purpose| {
                            all.iter().any(|line| line.key.purpose == *purpose && line.key.state != State::Retired)
                        };
                        Purpose::ALL.iter().copied().filter(|purpose| !has_key(purpose)).collect()
                    }
                };
                if wanted.is_empty() {
                    show::talk("Every purpose has its key.");
                }
                for purpose in wanted {
                    tell(&room.new_key(purpose, &place, new.how.days, now).await?, settings);
                }
                Ok(())
            }
            Command::Import(import) => {
                let (file, password) = (&import.p12, import.password_file.as_deref());
                tell(&room.import(purpose(&import.purpose)?, file, password, import.days, now).await?, settings);
                Ok(())
            }
            Command::Rotate(rotate) => {
                let (place, gid) = (rotate.how.place()?, rotate.proposer.gid.as_deref());
                step(&room.rotate(purpose(&rotate.purpose)?, &place, rotate.how.days, gid, now).await?, settings);
                Ok(())
            }
            Command::Activate(which) => {
                step(&room.activate(&id(which)?, which.proposer.gid.as_deref(), now).await?, settings);
                Ok(())
            }
            Command::Retire(which) => {
                step(&room.retire(&id(which)?, which.proposer.gid.as_deref(), now).await?, settings);
                Ok(())
            }
            Command::Metadata(of) => show::data(&room.metadata(settings, purpose(&of.purpose)?).await?),
        }
    }
}

/// A line a key.
fn table(lines: &[KeyLine], now: Timestamp) -> String {
    let line = |line: &KeyLine| {
        let key = &line.key;
        let end = match key.not_after <= now {
            true => format!("over since {}", key.not_after.utc()),
            false => format!("until {}", key.not_after.utc()),
        };
        format!(
            "{}  {:11}  {:11}  {:8}  RSA-{}  {end}  {}\n",
            key.id,
            key.purpose.word(),
            key.backend.word(),
            key.state.word(),
            line.facts.bits,
            line.facts.fingerprint
        )
    };
    lines.iter().map(line).collect()
}

/// What was done, or what somebody else has to agree to.
fn step(step: &Step, settings: &Settings) {
    match step {
        Step::Done(line) => tell(line, settings),
        Step::Proposed(proposal, line) => {
            let (key, base) = (&line.key, &settings.server.url);
            show::talk(&format!(
                "Key {} for {} is {} still: proposal {proposal} waits.",
                key.id,
                key.purpose.word(),
                key.state.word()
            ));
            show::talk(&format!(
                "Next: another super admin agrees within a day, by POST {base}api/v1/proposals/{proposal}/agree."
            ));
        }
    }
}

/// What was done, and what has to be done by others now.
fn tell(line: &KeyLine, settings: &Settings) {
    let key = &line.key;
    let (purpose, base) = (key.purpose, &settings.server.url);
    show::talk(&format!("Key {} for {} is {}.", key.id, purpose.word(), key.state.word()));
    show::talk(&format!("  certificate {}, until {}", line.facts.fingerprint, key.not_after.utc()));
    show::talk(&format!("  for {}", Untrusted::new(line.facts.subject.clone())));
    let whom = match purpose {
        Purpose::Sp => format!("the corporate identity provider gets {base}saml/metadata"),
        Purpose::IdpAlibaba => "every Alibaba Cloud account's SAML provider gets the metadata".to_owned(),
        Purpose::IdpAws => "every AWS account's SAML provider gets the metadata".to_owned(),
        Purpose::Audit => "whoever verifies marks of the audit trail gets the certificate".to_owned(),
    };
    let word = purpose.word();
    show::talk(&match key.state {
        State::Pending => format!(
            "Next: {whom} (`saml2cloud serve keys metadata {word}`), which has both certificates now. When all have it: `saml2cloud serve keys rotate {word}`."
        ),
        State::Active => format!(
            "Next: {whom} (`saml2cloud serve keys metadata {word}`). Where another key signed before: when nothing that it signed is on its way any more, \
             `saml2cloud serve keys rotate {word}` takes it out."
        ),
        State::Retiring => format!("Next: `saml2cloud serve keys rotate {word}` takes it out."),
        State::Retired => format!("Next: {whom} (`saml2cloud serve keys metadata {word}`), without the old certificate."),
    });
}
