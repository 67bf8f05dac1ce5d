//! `serve secret`: access keys of users of accounts, where nothing better is to be had.

use clap::Subcommand;

use crate::cli::report::Failure;
use crate::cli::show;
use crate::server::keys::{KeyRoom, KeysError};
use crate::server::{ServeError, Settings};
use crate::types::{Timestamp, Untrusted};
use crate::world::{Env, HttpNetwork, tty};

#[derive(clap::Args)]
pub(super) struct Secrets {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every account that has a key: its name, its number, the key's ID and since when
    List,
    /// Seal the access key of a user of an account; the secret is the first line of standard input
    Set {
        /// The account, PARTITION:NUMBER, as it is in the tree
        #[arg(long, value_name = "ACCOUNT")]
        account: String,
        /// The access key's ID, which is no secret
        #[arg(long, value_name = "ID")]
        access_key_id: String,
    },
    /// Forget the access key of an account
    Drop {
        /// The account, PARTITION:NUMBER, as it is in the tree
        #[arg(long, value_name = "ACCOUNT")]
        account: String,
    },
}

impl Secrets {
    /// Runs it.
    pub(super) async fn run(&self, settings: &Settings, env: &Env, now: Timestamp) -> Result<(), Failure> {
        let room = KeyRoom::open(settings, env, &HttpNetwork).await?;
        let done = self.work(&room, now).await;
        room.close().await;
        done
    }

    async fn work(&self, room: &KeyRoom, now: Timestamp) -> Result<(), Failure> {
        match &self.command {
            Command::List => {
                let lines = room.account_keys().await?.into_iter().map(|key| {
                    format!(
                        "{}  {}  {}  {}\n",
                        Untrusted::new(key.name),
                        key.account,
                        Untrusted::new(key.access_key_id),
                        key.rotated.utc()
                    )
                });
                show::data(&lines.collect::<String>())
            }
            Command::Set { account, access_key_id } => {
                let none = "the secret is the first line of standard input, and there was none";
                let secret = tty::first_line_of_stdin().map_err(Failure::Input)?;
                let secret = secret.ok_or_else(|| ServeError::from(KeysError::Unusable(none)))?;
                let name = room.put_account_key(account, access_key_id, &secret, now).await?;
                show::talk(&format!("The key {} of {} is sealed.", Untrusted::new(access_key_id.clone()), Untrusted::new(name)));
                Ok(())
            }
            Command::Drop { account } => {
                let name = room.drop_account_key(account, now).await?;
                show::talk(&format!("The key of {} is forgotten here; take it back in the cloud too.", Untrusted::new(name)));
                Ok(())
            }
        }
    }
}
