//! `provider export` and `provider check`.

use clap::{Args, Subcommand, ValueEnum};

use super::report::Failure;
use super::{Context, show};
use crate::app::provider::{self, BadTrust, Export, Finding, Fingerprint, Form, Role, Subject};
use crate::app::{Error, SessionDuration};

/// What an administrator may want to know.
#[derive(Subcommand)]
pub(super) enum Provider {
    /// Print what the cloud has to be told: the provider, roles that trust it, on which conditions
    Export(ExportArgs),
    /// Look whether what the cloud was told still holds; exit code 2 where it does not
    Check(CheckArgs),
}

/// How the provider proves who somebody is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// By tokens of OpenID Connect
    Oidc,
    /// By SAML responses
    Saml,
}

/// The form of the code.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A Terraform module
    Terraform,
    /// Alibaba Cloud: a template with the roles, for a provider that is there
    RosRole,
    /// Alibaba Cloud: a template with the roles and the provider
    RosStack,
}

/// Which provider.
#[derive(Args)]
struct Named {
    /// How the provider proves who somebody is
    #[arg(long, value_enum)]
    kind: Kind,
    /// OpenID Connect: the issuer, as the token's `iss` says it
    #[arg(long, value_name = "URL", required_if_eq("kind", "oidc"))]
    issuer: Option<String>,
    /// OpenID Connect: for whom a token has to be, its `aud`; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    audience: Vec<String>,
    /// OpenID Connect: whose tokens count, their `sub`; `*` stands for any text; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    subject: Vec<String>,
    /// OpenID Connect: SHA-1 of the certificate of the issuer's authority; without it the issuer is asked where one is needed
    #[arg(long, value_name = "HEX")]
    fingerprint: Vec<String>,
    /// SAML: the file with the provider's metadata
    #[arg(long, value_name = "FILE", required_if_eq("kind", "saml"))]
    metadata: Option<String>,
}

/// The code that is wished.
#[derive(Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    named: Named,
    /// The name of the provider's entry in the cloud account
    #[arg(long, value_name = "NAME")]
    name: String,
    /// A role that trusts the provider, with the cloud's own policies that it gets; may be given several times
    #[arg(long = "grant", value_name = "ROLE[=POLICY,…]", required = true)]
    roles: Vec<String>,
    /// The longest session of these roles
    #[arg(long, value_name = "TIME", default_value = "1h")]
    max_session: String,
    /// SAML: where responses are for, if it is not the global (AWS) or the China site's (Alibaba Cloud) sign-in page
    #[arg(long, value_name = "URL")]
    recipient: Vec<String>,
    /// The form of the code
    #[arg(long, value_enum, default_value = "terraform")]
    format: Format,
}

/// What is looked at.
#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    named: Named,
    /// OpenID Connect: a file with a token that should be taken
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
}

impl Named {
    fn subject(&self, recipients: Vec<String>) -> Result<Subject, Error> {
        // clap has seen to it that the one that its kind needs is there.
        Ok(match self.kind {
            Kind::Saml => Subject::Saml { metadata: self.metadata.clone().unwrap_or_default(), recipients },
            Kind::Oidc => Subject::Oidc {
                issuer: self.issuer.clone().unwrap_or_default(),
                audiences: self.audience.clone(),
                subjects: self.subject.clone(),
                fingerprints: self.fingerprint.iter().map(|f| Fingerprint::parse(f)).collect::<Result<_, BadTrust>>()?,
            },
        })
    }
}

impl Context<'_> {
    pub(super) fn provider(&self, wished: &Provider) -> Result<(), Failure> {
        match wished {
            Provider::Export(own) => self.export(own),
            Provider::Check(own) => self.look(own),
        }
    }

    fn export(&self, own: &ExportArgs) -> Result<(), Failure> {
        let longest = SessionDuration::parse(&own.max_session).map_err(|error| BadTrust::Longest(error.to_string()));
        let export = Export {
            cloud: self.wished.ok_or(Failure::WhichCloud)?,
            provider: own.name.clone(),
            roles: own.roles.iter().map(|role| Role::parse(role)).collect::<Result<_, BadTrust>>().map_err(Error::from)?,
            longest: longest.map_err(Error::from)?,
            subject: own.named.subject(own.recipient.clone())?,
            form: match own.format {
                Format::Terraform => Form::Terraform,
                Format::RosRole => Form::RosRole,
                Format::RosStack => Form::RosStack,
            },
        };
        let exported = self.asking(async |_| Ok(provider::export(&self.world, export).await?))?;
        for finding in &exported.findings {
            show::talk(&line(finding));
        }
        show::data(&exported.code)
    }

    fn look(&self, own: &CheckArgs) -> Result<(), Failure> {
        let subject = own.named.subject(Vec::new())?;
        let token = match &own.token_file {
            None => None,
            Some(path) => Some(provider::token(&self.world, path)?),
        };
        let findings = self.asking(async |_| Ok(provider::check(&self.world, &subject, token.as_ref()).await?))?;
        show::data(&findings.iter().map(|finding| line(finding) + "\n").collect::<String>())?;
        match findings.iter().filter(|finding| matches!(finding, Finding::Wrong(_))).count() {
            0 => Ok(()),
            wrong => Err(Error::from(BadTrust::Broken(wrong)).into()),
        }
    }
}

fn line(finding: &Finding) -> String {
    match finding {
        Finding::Good(what) => format!("ok: {what}"),
        Finding::Soon(what) => format!("warning: {what}"),
        Finding::Wrong(what) => format!("wrong: {what}"),
    }
}
