//! `serve`: the service itself, and what is done with its database from the shell of the machine that serves.

mod keys;
mod secret;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;

use super::report::Failure;
use super::show;
use crate::server::{self, First, Settings};
use crate::types::Untrusted;
use crate::world::{Clock as _, Env, HttpNetwork, SystemClock};

#[derive(clap::Args)]
#[command(
    after_help = "--config FILE names the service's configuration (SAML2CLOUD_SERVE_CONFIG); docs/serve/configuration.md lists its keys."
)]
pub(super) struct Serve {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Make the database's schema, the first super admin and the root node
    Init(Init),
    /// Look at configuration and database, change nothing, and tell what is missing
    Check,
    /// The audit trail
    Audit(Audit),
    /// The keys that the service signs with
    Keys(keys::Keys),
    /// Access keys of users of accounts, for those whose `vend_method` is `ram_user`
    Secret(secret::Secrets),
}

#[derive(clap::Args)]
struct Init {
    /// The GID of the first super admin: who they are at the corporate identity provider
    #[arg(long, value_name = "GID")]
    gid: String,
    /// What they go by [default: the GID]
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// Their mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The name of the root node
    #[arg(long, value_name = "NAME", default_value = "Root")]
    root: String,
    /// The management account, PARTITION:NUMBER: alibaba, alibaba-intl, aws, aws-cn or aws-us-gov
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
}

#[derive(clap::Args)]
struct Audit {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Walk the trail from its first event to its last; name the first one that is not what was written
    Verify {
        /// Hold it against the checkpoints in this file too: what `audit.file` or the system log was told
        #[arg(long, value_name = "FILE")]
        checkpoints: Option<PathBuf>,
    },
    /// Let go of events and lines of the vend ledger that are older than `audit.days`, with a signed statement in their place
    Cut,
    /// Print everything that is kept about one person, as JSON
    Person {
        /// Who they are at the corporate identity provider
        #[arg(long, value_name = "GID")]
        gid: String,
    },
}

impl Serve {
    /// Runs it.
    pub(super) fn run(&self, config: Option<&str>, env: &Env) -> Result<(), Failure> {
        let settings = Settings::load(config.map(Path::new), env).map_err(server::ServeError::from)?;
        let Some(command) = &self.command else {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Runtime)?;
            return runtime.block_on(serve(settings, env));
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
        runtime.block_on(async {
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
                outcome = work(command, &settings, env) => outcome,
            }
        })
    }
}

/// Starts the service and stays until it is told to end.
async fn serve(settings: Settings, env: &Env) -> Result<(), Failure> {
    crate::world::harden();
    let mut running = server::start(settings, env, Arc::new(SystemClock), Arc::new(HttpNetwork)).await?;
    running.hear_signals().map_err(Failure::Runtime)?;
    show::talk(&format!("Serving {} on {}", running.url(), running.address()));
    running.serve(std::future::pending()).await;
    show::talk("Stopped.");
    Ok(())
}

async fn work(command: &Command, settings: &Settings, env: &Env) -> Result<(), Failure> {
    let now = SystemClock.now();
    match command {
        Command::Init(own) => {
            let first = First {
                gid: &own.gid,
                alias: own.alias.as_deref(),
                email: own.email.as_deref(),
                root: &own.root,
                account: own.account.as_deref(),
            };
            let begun = server::init(settings, &first, now).await?;
            show::talk(&format!("The database {} has its schema.", Untrusted::new(begun.place)));
            show::talk(&format!("{} owns the root node `{}` and is the first super admin.", begun.gid, begun.root));
            Ok(())
        }
        Command::Check => {
            let found = server::check(settings, now).await?;
            let width = found.iter().map(|finding| finding.what.len()).max().unwrap_or_default();
            let line = |finding: &server::Finding| {
                let state = finding.standing.word();
                format!("{state:7}  {:width$}  {}\n", finding.what, Untrusted::new(finding.said.clone()))
            };
            show::data(&found.iter().map(line).collect::<String>())?;
            let is_missing = |finding: &server::Finding| finding.standing == server::Standing::Missing;
            if found.iter().any(is_missing) { Err(Failure::Incomplete) } else { Ok(()) }
        }
        Command::Keys(keys) => keys.run(settings, env, now).await,
        Command::Secret(secrets) => secrets.run(settings, env, now).await,
        Command::Audit(Audit { command: AuditCommand::Verify { checkpoints } }) => {
            let walked = server::verify(settings, checkpoints.as_deref(), now).await?;
            let signed = if walked.checkpoints > 0 { format!(", checkpoints: {}", walked.checkpoints) } else { String::new() };
            show::data(&format!(
                "events: {}, chains: {}{signed}; every event is as it was written\n",
                walked.events, walked.chains
            ))
        }
        Command::Audit(Audit { command: AuditCommand::Cut }) => {
            let gone = server::trail::cut(settings, env, &HttpNetwork, now).await?;
            show::talk(&format!("{} events of {} chains and {} lines of the ledger went.", gone.events, gone.chains, gone.lines));
            Ok(())
        }
        Command::Audit(Audit { command: AuditCommand::Person { gid } }) => {
            show::data(&format!("{}\n", server::trail::person(settings, gid, now).await?))
        }
    }
}
