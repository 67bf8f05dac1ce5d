//! A walk through both users' guides with the real program, each step checked.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use sandbox::{Options, Sandbox};

use crate::Failure;
use crate::product::{Scratch, find};

/// The file that users of the second guide have.
const AWS_CONFIG: &str = "[default]\noutput = json\nregion = us-east-1\n[profile production]\nregion = us-east-2\n";

/// What is said before the first step of a part.
type Heading = &'static str;

/// One command with what it must do.
struct Step {
    heading: Option<Heading>,
    /// As a user would type it, and as it is run.
    command: String,
    /// Exit code.
    code: i32,
    /// Text that must be in its output.
    has: Vec<&'static str>,
    /// Number of requests that it may send.
    requests: Option<usize>,
    /// Whether it prints credentials because the user asks for them.
    shows_secrets: bool,
}

fn step(command: &str, has: &[&'static str]) -> Step {
    Step { heading: None, command: command.to_owned(), code: 0, has: has.to_vec(), requests: None, shows_secrets: false }
}

impl Step {
    fn under(mut self, heading: Heading) -> Self {
        self.heading = Some(heading);
        self
    }

    fn exits(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    fn sends(mut self, requests: usize) -> Self {
        self.requests = Some(requests);
        self
    }

    fn shows_secrets(mut self) -> Self {
        self.shows_secrets = true;
        self
    }
}

/// The guides' `configure` for one of the clouds.
fn configure(app: &str, role: &str, more: &str) -> String {
    format!(
        "saml2cloud configure \\\n  --idp-account='production' \\\n  --idp-provider='JumpCloud' \\\n  \
         --mfa='Auto' \\\n  --url='https://sso.jumpcloud.com/saml2/{app}' \\\n  \
         --username='alice@example.com' \\\n  --role='{role}' \\\n  {more}--skip-prompt"
    )
}

fn guide_a() -> Vec<Step> {
    let role = "acs:ram::012345678987:role/AcmeJumpCloudAdminRO";
    vec![
        step(&configure("acme-prod-alibabacloud-admin", role, ""), &["Configuration saved for IDP account: production"])
            .under("Alibaba Cloud with JumpCloud"),
        step("sed -i.bak 's/^\\(alibabacloud_profile *=\\).*/\\1 production/' ~/.saml2alibabacloud", &[]),
        step("grep -E 'url|profile' ~/.saml2alibabacloud", &["acme-prod-alibabacloud-admin", "= production"]),
        step(
            "saml2cloud login -a production --cloud alibaba --mfa-token=$(sandbox code alice@example.com)",
            &[
                "Using IDP Account production to access JumpCloud \
                 https://sso.jumpcloud.com/saml2/acme-prod-alibabacloud-admin",
                "Authenticating as alice@example.com ...",
                "Selected role: acs:ram::012345678987:role/AcmeJumpCloudAdminRO",
                "Requesting AlibabaCloud credentials using SAML assertion",
                "Logged in as: acs:ram::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com",
                "Your new access key pair has been stored in the AlibabaCloud CLI configuration",
                "Note that it will expire at ",
                "aliyun --profile production sts GetCallerIdentity --region=cn-hangzhou",
            ],
        ),
        step(
            "saml2cloud exec -a production --cloud alibaba -- env | grep ALI",
            &[
                "ALIBABA_CLOUD_ACCESS_KEY_ID=STS.",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET=",
                "ALIBABA_CLOUD_SECURITY_TOKEN=CAIS",
                "ALICLOUD_ACCESS_KEY=STS.",
            ],
        )
        .sends(0)
        .shows_secrets(),
    ]
}

fn guide_b() -> Vec<Step> {
    let role = "arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO";
    let profile = "--profile='production' \\\n  ";
    vec![
        step("cat ~/.aws/config", &["[profile production]"]).under("AWS with JumpCloud"),
        step(&configure("acme-prod-aws-admin", role, profile), &["Configuration saved for IDP account: production"]),
        step(
            "saml2cloud login -a production --cloud aws --mfa-token=$(sandbox code alice@example.com)",
            &[
                "Using IDP Account production to access JumpCloud \
                 https://sso.jumpcloud.com/saml2/acme-prod-aws-admin",
                "Authenticating as alice@example.com ...",
                "Selected role: arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO",
                "Requesting AWS credentials using SAML assertion",
                "Logged in as: arn:aws:sts::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com",
                "Your new access key pair has been stored in the AWS configuration",
                "Note that it will expire at ",
                "aws --profile production ec2 describe-instances",
            ],
        ),
        step(
            "saml2cloud exec -a production --cloud aws -- env | grep AWS",
            &["AWS_ACCESS_KEY_ID=ASIA", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN="],
        )
        .sends(0)
        .shows_secrets(),
    ]
}

fn afterwards() -> Vec<Step> {
    vec![
        step("saml2cloud login -a production --cloud aws", &[]).under("Afterwards").sends(0),
        step("saml2cloud accounts", &["production", "aws", "alibaba"]).sends(0),
        // The address goes to its visitor by a pipe: what stands in a command line is there for everybody to read.
        step(
            "saml2cloud console -a production --cloud aws --link | sed 's/^/url=/' | curl -sL -c '' -K -",
            &["Signed in as arn:aws:sts::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com"],
        ),
        step(
            "saml2cloud list-roles -a production --cloud aws --mfa-token=$(sandbox code alice@example.com)",
            &["arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO", "arn:aws:iam::210987654321:role/Developer"],
        ),
        step("SAML2CLOUD_PASSWORD=wrong saml2cloud login -a production --cloud aws --force", &["error: "]).exits(3),
    ]
}

/// How the tour looks: with colours on a terminal only.
struct Look {
    colours: bool,
}

impl Look {
    fn paint(&self, style: &str, text: &str) -> String {
        match self.colours {
            true => format!("\u{1b}[{style}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }

    fn heading(&self, text: &str) {
        println!("{}\n", self.paint("1", &format!("# {text}")));
    }

    fn command(&self, text: &str) {
        println!("{}", self.paint("36", &format!("$ {text}")));
    }

    /// Output as it was, but for secrets, which a demonstration should not teach people to show.
    fn output(&self, style: Option<&str>, text: &str, sandbox: &Sandbox) {
        for line in shorten(text, &sandbox.secrets()).lines() {
            match style {
                Some(style) if !line.is_empty() => println!("{}", self.paint(style, line)),
                _ => println!("{line}"),
            }
        }
    }
}

/// Text with long secrets cut to their first eight characters.
fn shorten(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() > 12) {
        let start: String = secret.chars().take(8).collect();
        text = text.replace(secret.as_str(), &format!("{start}…"));
    }
    text
}

/// Walks the tour; the exit code says whether everything was as expected.
pub(crate) fn run(bin_path: Option<PathBuf>) -> Result<ExitCode, Failure> {
    let program = find(bin_path)?;
    let sandbox = Sandbox::start(Options::default())?;
    let scratch = Scratch::new(&program, &sandbox.directory())?;
    let aws = scratch.home().join(".aws");
    std::fs::create_dir(&aws)?;
    std::fs::write(aws.join("config"), AWS_CONFIG)?;
    let password = sandbox.directory().person("alice@example.com").map(|alice| alice.password.clone()).unwrap_or_default();
    let look = Look { colours: std::io::stdout().is_terminal() };
    look.command(&format!("export SAML2CLOUD_PASSWORD='{password}'"));
    println!();
    let mut env = scratch.env(&sandbox)?;
    env.push(("SAML2CLOUD_PASSWORD".to_owned(), password));
    let mut steps: Vec<Step> = guide_a().into_iter().chain(guide_b()).chain(afterwards()).collect();
    // The one tool that some machines lack.
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join(format!("curl{}", std::env::consts::EXE_SUFFIX)).is_file()) {
        steps.retain(|step| !step.command.contains("curl"));
    }
    for (index, step) in steps.iter().enumerate() {
        if let Some(heading) = step.heading {
            look.heading(heading);
        }
        if let Err(difference) = walk(step, &look, &sandbox, &env, &scratch.home()) {
            eprintln!("tour: step {} differs: {difference}", index + 1);
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("tour: {} steps, all as expected", steps.len());
    Ok(ExitCode::SUCCESS)
}

fn walk(step: &Step, look: &Look, sandbox: &Sandbox, env: &[(String, String)], home: &Path) -> Result<(), Failure> {
    look.command(&step.command);
    std::io::stdout().flush()?;
    sandbox.clear_requests();
    let output = Command::new("sh")
        .args(["-c", &step.command])
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir(home)
        .stdin(Stdio::null())
        .output()?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    look.output(Some("2"), &stderr, sandbox);
    look.output(None, &stdout, sandbox);
    let seen = sandbox.requests().len();
    let code = output.status.code().unwrap_or(-1);
    if code != 0 {
        println!("{}", look.paint("33", &format!("(exit code {code})")));
    }
    if step.requests.is_some() {
        println!("{}", look.paint("33", &format!("(requests seen: {seen})")));
    }
    println!();
    if code != step.code {
        return Err(format!("exit code {code}, expected {}", step.code).into());
    }
    let all = format!("{stdout}{stderr}");
    if let Some(text) = step.has.iter().find(|text| !all.contains(**text)) {
        return Err(format!("the output lacks `{text}`").into());
    }
    if step.requests.is_some_and(|expected| expected != seen) {
        return Err(format!("{seen} requests were seen").into());
    }
    if let Some(breach) = sandbox.violations().first() {
        return Err(format!("a breach: {}", breach.escape_debug()).into());
    }
    let secrets = sandbox.secrets();
    let leaked = |secret: &&String| secret.len() > 12 && all.contains(secret.as_str());
    match secrets.iter().find(leaked) {
        Some(_) if !step.shows_secrets => Err("the output holds a secret".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn secrets_are_cut() {
        let secrets = ["short".to_owned(), "a-rather-long-secret".to_owned()];
        assert_eq!(shorten("short TOKEN=a-rather-long-secret\n", &secrets), "short TOKEN=a-rather…\n");
    }
}
