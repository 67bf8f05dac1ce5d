//! Commands and flags.

use std::ffi::OsString;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use crate::app::login::Options;
use crate::app::{Draft, Key};
use crate::types::Secret;

const EXAMPLES: &str = "\
First login:
  saml2cloud configure --idp-account production --idp-provider JumpCloud \\
    --url https://sso.jumpcloud.com/saml2/NAME --username you@example.com \\
    --role arn:aws:iam::123456789012:role/ReadOnly --profile production --skip-prompt
  saml2cloud login -a production
  aws --profile production sts get-caller-identity

Every day:
  saml2cloud exec -a production -- terraform plan

The settings of an account can also be set by variables: --url by SAML2CLOUD_URL, --idp-account by
SAML2CLOUD_IDP_ACCOUNT, and so on. The variables of saml2aws (SAML2AWS_…) and saml2alibabacloud
(SAML2ALIBABACLOUD_…) work too. A password is best given as SAML2CLOUD_PASSWORD.

Exit codes: 0 done, 1 other failure, 2 usage or configuration, 3 refused by identity provider or
cloud, 4 somebody would have to answer, 5 no network, 130 interrupted; exec: the child's own
(126, 127 when it cannot be run).";

/// Sign in at your company's identity provider; hand every tool short-lived AWS or Alibaba Cloud keys.
#[derive(Parser)]
#[command(name = "saml2cloud", version, after_help = EXAMPLES, max_term_width = 110, propagate_version = true)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Takes a secret from the command line; any text will do.
#[allow(clippy::unnecessary_wraps, reason = "what a reader of values must look like")]
pub(super) fn secret(text: &str) -> Result<Secret<String>, std::convert::Infallible> {
    Ok(text.into())
}

/// Flags that stand before or after the command.
#[derive(clap::Args, Clone)]
pub(super) struct Global {
    /// The account to use
    #[arg(short = 'a', long, global = true, value_name = "NAME", help_heading = "Account")]
    pub(super) idp_account: Option<String>,
    /// Its cloud: aws or alibaba (needed only where nothing else tells)
    #[arg(long, global = true, value_name = "CLOUD", help_heading = "Account")]
    pub(super) cloud: Option<String>,
    /// The accounts file [default: ~/.saml2aws and ~/.saml2alibabacloud]; for serve, its configuration
    #[arg(long, global = true, value_name = "FILE", help_heading = "Account")]
    pub(super) config: Option<String>,
    /// The kind of identity provider
    #[arg(long, global = true, value_name = "NAME", help_heading = "Account")]
    pub(super) idp_provider: Option<String>,
    /// The address at the identity provider that starts the sign-in to the cloud
    #[arg(long, global = true, value_name = "URL", help_heading = "Account")]
    pub(super) url: Option<String>,
    /// Who signs in
    #[arg(long, global = true, value_name = "NAME", help_heading = "Account")]
    pub(super) username: Option<String>,
    /// The password; everybody on this machine can read it, so prefer SAML2CLOUD_PASSWORD
    #[arg(long, global = true, value_name = "TEXT", hide = true, value_parser = secret, conflicts_with = "password_stdin")]
    pub(super) password: Option<Secret<String>>,
    /// The second factor, by the provider's word for it
    #[arg(long, global = true, value_name = "NAME", help_heading = "Account")]
    pub(super) mfa: Option<String>,
    /// A one-time code, used once
    #[arg(long, global = true, value_name = "CODE", help_heading = "Account", value_parser = secret)]
    pub(super) mfa_token: Option<Secret<String>>,
    /// The role to assume, by its full name
    #[arg(long, global = true, value_name = "ARN", help_heading = "Account")]
    pub(super) role: Option<String>,
    /// How long the keys last: seconds, or 90m, 12h
    #[arg(long, global = true, value_name = "TIME", help_heading = "Account")]
    pub(super) session_duration: Option<String>,
    /// The region for the tools, and for AWS's STS
    #[arg(short, long, global = true, value_name = "REGION", help_heading = "Account")]
    pub(super) region: Option<String>,
    /// The security token service, where it is not the cloud's usual one
    #[arg(long, global = true, value_name = "URL", help_heading = "Account")]
    pub(super) sts_endpoint: Option<String>,
    /// The entity ID that the assertion is for, where it is not the cloud's usual one
    #[arg(long, alias = "aws-urn", global = true, value_name = "URN", help_heading = "Account")]
    pub(super) urn: Option<String>,
    /// The region that the sign-in portal lives in, where its address does not tell (IAM Identity Center)
    #[arg(long, global = true, value_name = "REGION", help_heading = "Account")]
    pub(super) sso_region: Option<String>,
    /// Sign in on another device, with a code (sign-in portals)
    #[arg(long, global = true, help_heading = "Account")]
    pub(super) device: bool,
    /// Sign in with an ID token: github, gitlab, browser, device, client, usegrant, command, stdin, file:PATH or env:NAME
    #[arg(long, global = true, value_name = "SOURCE", help_heading = "Web identity (OpenID Connect)")]
    pub(super) oidc: Option<String>,
    /// The file with an ID token; read anew at each exchange
    #[arg(long, global = true, value_name = "FILE", help_heading = "Web identity (OpenID Connect)")]
    pub(super) oidc_token_file: Option<String>,
    /// Whom the token should be for [default: sts.amazonaws.com or sts.aliyuncs.com]
    #[arg(long, global = true, value_name = "TEXT", help_heading = "Web identity (OpenID Connect)")]
    pub(super) oidc_audience: Option<String>,
    /// Our client ID at the issuer (--url)
    #[arg(long, global = true, value_name = "ID", help_heading = "Web identity (OpenID Connect)")]
    pub(super) oidc_client_id: Option<String>,
    /// The OIDC provider that vouches for the token (Alibaba Cloud)
    #[arg(long, global = true, value_name = "ARN", help_heading = "Web identity (OpenID Connect)")]
    pub(super) oidc_provider_arn: Option<String>,
    /// A file with a policy that limits the keys further
    #[arg(long, global = true, value_name = "FILE", hide = true)]
    pub(super) policyfile: Option<String>,
    /// Policies that limit the keys further, by their ARNs (AWS)
    #[arg(long, global = true, value_name = "ARN,ARN", hide = true)]
    pub(super) policyarns: Option<String>,
    /// Read the password from the first line of standard input
    #[arg(long, global = true, help_heading = "Account")]
    pub(super) password_stdin: bool,
    /// Trust any certificate of the identity provider (never of the cloud)
    #[arg(short, long, global = true, help_heading = "Account")]
    pub(super) skip_verify: bool,
    /// Do not ask for user name and password; a code, factor or role still is
    #[arg(long, global = true, help_heading = "Asking and telling")]
    pub(super) skip_prompt: bool,
    /// Never ask anything
    #[arg(long, global = true, help_heading = "Asking and telling")]
    pub(super) no_input: bool,
    /// Ask for the password even if it is known
    #[arg(long, global = true, conflicts_with = "no_input", help_heading = "Asking and telling")]
    pub(super) ask: bool,
    /// Tell less: errors, and what has to be done to go on
    #[arg(long, global = true, conflicts_with = "verbose", help_heading = "Asking and telling")]
    pub(super) quiet: bool,
    /// Tell every step, without secrets
    #[arg(long, global = true, help_heading = "Asking and telling")]
    pub(super) verbose: bool,
    /// Do not use or keep a session at the identity provider (Okta)
    #[arg(long, global = true, hide = true)]
    pub(super) disable_sessions: bool,
    /// Do not make this machine known to the identity provider (Okta)
    #[arg(long, global = true, hide = true)]
    pub(super) disable_remember_device: bool,
    /// The browser to sign in with: chrome, msedge, chromium, brave (Browser)
    #[arg(long, global = true, hide = true, value_name = "NAME")]
    pub(super) browser_type: Option<String>,
    /// The browser's program, where it is not found by itself (Browser)
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub(super) browser_executable_path: Option<String>,
    /// Fill in user name and password (Browser)
    #[arg(long, global = true, hide = true)]
    pub(super) browser_autofill: bool,
    #[command(flatten)]
    pub(super) old: super::old::Old,
    /// Neither read nor keep passwords in the keychain
    #[arg(long, global = true, help_heading = "Asking and telling")]
    pub(super) disable_keychain: bool,
    /// The switches that were taken back, `--no-NAME`.
    #[arg(skip)]
    pub(super) taken_back: Vec<String>,
    /// The settings of single providers, by their keys.
    #[arg(skip)]
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Global {
    /// What the command line says of a switch, if it says anything: taking it back is saying no, also to variables and the file.
    pub(super) fn said(&self, name: &str, is_set: bool) -> Option<bool> {
        if is_set { Some(true) } else { self.taken_back.iter().any(|taken| taken == name).then_some(false) }
    }
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make or change an account
    Configure(Configure),
    /// Sign in and put keys into the account's profile
    Login(Login),
    /// Run a command with keys in its environment, signing in first if need be
    Exec(Exec),
    /// Open the cloud's console in the browser, signed in with the keys, signing in first if need be
    Console(Console),
    /// Print lines that put keys into a shell's environment: eval "$(saml2cloud script)"
    Script(Script),
    /// Print keys as one JSON document, for `credential_process` (AWS) and mode `External` (Alibaba Cloud)
    CredentialProcess(CredentialProcess),
    /// Sign out: at the sign-in portal, and here
    Logout(Logout),
    /// Sign in and list the roles that you may take
    ListRoles,
    /// List the accounts that are configured
    Accounts(Accounts),
    /// Print a script that completes commands and flags in a shell
    Completions(Completions),
    /// For administrators: what a cloud has to be told about an identity provider
    Provider {
        #[command(subcommand)]
        wished: super::provider::Provider,
    },
    /// The service for many accounts: who may use which role
    #[cfg(feature = "serve")]
    Serve(super::serve::Serve),
}

/// Which profile in which file.
#[derive(clap::Args)]
pub(super) struct Target {
    /// The profile that gets the keys
    #[arg(short, long, value_name = "NAME")]
    profile: Option<String>,
    /// The file of profiles, where it is not the cloud's usual one
    #[arg(long, value_name = "FILE")]
    credentials_file: Option<String>,
}

impl Target {
    fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        for (key, value) in [(Key::Profile, &self.profile), (Key::CredentialsFile, &self.credentials_file)] {
            if let Some(value) = value {
                draft.set(key, value.as_str());
            }
        }
        draft
    }
}

/// What a login may pass over.
#[derive(clap::Args)]
pub(super) struct Force {
    /// Sign in although the keys are still fresh
    #[arg(long)]
    pub(super) force: bool,
    /// Overwrite the profile even if it holds long-lived keys, or gets its keys in another way
    #[arg(long)]
    force_profile: bool,
}

impl Force {
    /// For a login; a child can do without the profile.
    pub(super) fn options(&self, profile_is_optional: bool) -> Options {
        Options { force: self.force, force_profile: self.force_profile, profile_is_optional, ..Options::default() }
    }
}

#[derive(clap::Args)]
pub(super) struct Configure {
    #[command(flatten)]
    target: Target,
}

impl Configure {
    pub(super) fn draft(&self) -> Draft {
        self.target.draft()
    }
}

#[derive(clap::Args)]
pub(super) struct Login {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    pub(super) force: Force,
    /// Print the keys as `credential-process` does; the profile is left alone
    #[arg(long)]
    pub(super) credential_process: bool,
}

impl Login {
    pub(super) fn draft(&self) -> Draft {
        let mut draft = self.target.draft();
        if self.force.force_profile {
            draft.set_other(super::profile::OVERWRITES, "true");
        }
        draft
    }
}

#[derive(clap::Args)]
pub(super) struct Exec {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    pub(super) force: Force,
    /// A profile of the cloud's own files whose role is assumed on top of the login (SAML2CLOUD_EXEC_PROFILE)
    #[arg(long, value_name = "NAME")]
    pub(super) exec_profile: Option<String>,
    /// The command and its arguments, run as they are and never by a shell
    #[arg(required = true, trailing_var_arg = true, action = ArgAction::Append, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

impl Exec {
    pub(super) fn draft(&self) -> Draft {
        self.target.draft()
    }
}

#[derive(clap::Args)]
pub(super) struct Console {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    pub(super) force: Force,
    /// Print the address in place of opening it; whoever has it is signed in
    #[arg(long)]
    pub(super) link: bool,
    /// A profile of the cloud's own files whose role is assumed on top of the login (SAML2CLOUD_EXEC_PROFILE)
    #[arg(long, value_name = "NAME")]
    pub(super) exec_profile: Option<String>,
}

impl Console {
    pub(super) fn draft(&self) -> Draft {
        self.target.draft()
    }
}

#[derive(clap::Args)]
pub(super) struct Script {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    pub(super) force: Force,
    /// Whose language
    #[arg(long, value_enum, default_value = "bash")]
    pub(super) shell: Shell,
}

impl Script {
    pub(super) fn draft(&self) -> Draft {
        self.target.draft()
    }
}

#[derive(clap::Args)]
pub(super) struct CredentialProcess {
    #[command(flatten)]
    target: Target,
    /// Sign in although the keys are still fresh
    #[arg(long)]
    pub(super) force: bool,
}

impl CredentialProcess {
    pub(super) fn draft(&self) -> Draft {
        self.target.draft()
    }
}

#[derive(clap::Args)]
pub(super) struct Logout {
    /// A profile of ~/.aws/config that signs in at IAM Identity Center
    #[arg(short, long, value_name = "NAME")]
    profile: Option<String>,
}

impl Logout {
    pub(super) fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        if let Some(profile) = &self.profile {
            draft.set(Key::Profile, profile.as_str());
        }
        draft
    }
}

#[derive(clap::Args)]
pub(super) struct Accounts {
    /// How
    #[arg(short, long, value_enum, default_value = "table")]
    pub(super) output: Output,
}

#[derive(clap::Args)]
pub(super) struct Completions {
    /// Whose language
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

/// A shell, or a file that is read like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// bash, zsh
    Bash,
    /// Any POSIX shell
    #[value(name = "/bin/sh", alias = "sh")]
    Sh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
    /// NAME=value, without an expiry
    Env,
    /// A `.env` file
    Dotenv,
    /// Lines for the file that $GITHUB_ENV names; the masks go to the job's log
    Github,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Output {
    /// Columns for people
    Table,
    /// For programs
    Json,
}
