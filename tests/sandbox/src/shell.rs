//! A shell in the box, the box alone, and the codes of the people in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use sandbox::{Directory, Factor, Options, Sandbox};

use crate::Failure;
use crate::product::{DIRECTORY, FILE, Scratch, find, people};

/// Opens a shell, or runs a command, in the box.
pub(crate) fn run(bin_path: Option<PathBuf>, command: Vec<OsString>) -> Result<ExitCode, Failure> {
    let program = find(bin_path)?;
    let sandbox = Sandbox::start(Options::default())?;
    let scratch = Scratch::new(&program, &sandbox.directory())?;
    let mut words = command.into_iter();
    let first = words.next();
    if first.is_none() {
        greet(&sandbox.directory());
    }
    let shell = || std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut child = tokio::process::Command::new(first.unwrap_or_else(shell));
    child.args(words).env_clear().envs(scratch.env(&sandbox)?).env("PS1", "(sandbox) $ ").current_dir(scratch.home());
    let status = waiting()?.block_on(async {
        // Ctrl-C is the child's business; this program has to clean up after it.
        tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
        child.status().await
    })?;
    let breaches = sandbox.violations();
    if !breaches.is_empty() {
        eprintln!("sandbox: breaches that the box noticed:");
        for breach in breaches {
            eprintln!("  {}", breach.escape_debug());
        }
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

pub(crate) fn waiting() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Who may log in, and where.
fn greet(directory: &Directory) {
    eprintln!("An internet in a box. Who may sign in:\n");
    for person in directory.people() {
        let factors: Vec<&str> = person
            .factors
            .iter()
            .map(|factor| match factor {
                Factor::Totp => "code",
                Factor::Push => "push",
                Factor::WebAuthn => "security key",
                Factor::Duo => "Duo",
            })
            .collect();
        let factors = match factors.is_empty() {
            true => "password only".to_owned(),
            false => factors.join(", "),
        };
        eprintln!("  {:22} {:29} {factors}", person.email, person.password);
    }
    eprintln!(
        "\nThe current code of somebody:  sandbox code alice@example.com\n\
         JumpCloud:  https://sso.jumpcloud.com/saml2/acme-prod-aws-admin and …/acme-prod-alibabacloud-admin\n\
         AD FS:      https://fs.acme.example\n\
         Form:       https://login.acme.example/sso/aws?style=one (two, totp, choice, consent, refresh, all)\n\
         CloudSSO:   https://signin-cn-shanghai.alibabacloudsso.com/acme/login\n\
         Okta:       https://acme.okta.com/home/amazon_aws/0oadp5jbz6tjBLfTx0x7/272 and …/home/acme_alibaba/…\n\
         OIDC:       https://id.acme.example, clients acme-cli (browser, device) and acme-machine; roles AcmeWeb in both clouds\n"
    );
}

/// Starts the box alone.
pub(crate) fn serve(latency: u64) -> Result<ExitCode, Failure> {
    let sandbox = Sandbox::start(Options { latency: Duration::from_millis(latency), ..Options::default() })?;
    let directory = sandbox.directory();
    let folder = tempfile::Builder::new().prefix("sandbox-").tempdir()?;
    let file = folder.path().join(FILE);
    std::fs::write(&file, people(&directory).to_string())?;
    for (name, value) in sandbox.env(Path::new("")) {
        // Only what leads into the box; the rest is the user's own.
        if !["HOME", "PATH", "TERM", "LANG", "TZ"].contains(&name.as_str()) {
            println!("export {name}='{value}'");
        }
    }
    println!("export {DIRECTORY}='{}'", file.display());
    greet(&directory);
    eprintln!("Ctrl-C ends it.");
    waiting()?.block_on(end())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(unix)]
pub(crate) async fn end() -> std::io::Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminated.recv() => Ok(()),
        result = tokio::signal::ctrl_c() => result,
    }
}

#[cfg(not(unix))]
pub(crate) async fn end() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Prints somebody's current code. The secrets come from the scratch home: a box's people are its own.
pub(crate) fn code(user: &str) -> Result<ExitCode, Failure> {
    let file = match std::env::var_os(DIRECTORY) {
        Some(file) => PathBuf::from(file),
        None => {
            let home = std::env::var_os("HOME").ok_or("neither SANDBOX_DIRECTORY nor HOME is set")?;
            Path::new(&home).join(FILE)
        }
    };
    let text = std::fs::read_to_string(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let people: serde_json::Value = serde_json::from_str(&text)?;
    let secret =
        people.get(user).and_then(|secret| secret.as_str()).ok_or_else(|| format!("`{user}` has no authenticator app"))?;
    let code = sandbox::code_of(secret).ok_or("the secret is not base32")?;
    println!("{code}");
    Ok(ExitCode::SUCCESS)
}
