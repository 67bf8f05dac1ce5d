//! How long the cached path takes, against its floor. `cargo bench` prints the table; nothing here asserts.
//!
//! Signs in once in the sandbox, then starts `saml2cloud exec -- true` and `true` in turns, so that whatever else the machine does
//! falls on both.
#![allow(clippy::print_stdout, reason = "the table is the point")]
#![allow(clippy::disallowed_methods, reason = "time is what is measured, and programs are what is started")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{Options, Sandbox};

const PROGRAM: &str = env!("CARGO_BIN_EXE_saml2cloud");
const ROUNDS: usize = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let sandbox = Sandbox::start(Options::default())?;
    let env = sandbox.env(home.path());
    let product = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env_clear().envs(env.iter().cloned()).stdin(Stdio::null());
        command.env("SAML2CLOUD_PASSWORD", "bob-only-a-password");
        command
    };
    let url = "--url=https://sso.jumpcloud.com/saml2/acme-prod-aws-admin";
    let configure = ["configure", "--idp-provider=JumpCloud", url, "--username=bob@example.com", "--cloud=aws", "--skip-prompt"];
    for arguments in [&configure[..], &["login"]] {
        let output = product(arguments).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
    }
    sandbox.clear_requests();
    println!("| what | median | 95 % |\n|---|---|---|");
    measure("", &product)?;
    fill(&home.path().join(".aws/credentials"))?;
    measure(" (2,000 profiles in the credentials file)", &product)?;
    let seen = sandbox.requests().len();
    println!("\nRequests seen meanwhile: {seen}. {ROUNDS} rounds each.");
    Ok(())
}

/// A credentials file as large as hundreds of accounts make it.
fn fill(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut text = fs::read_to_string(path)?;
    for number in 0..2_000 {
        text += &format!(
            "\n[p{number}]\naws_access_key_id = ASIA{number}\naws_secret_access_key = {number:040}\naws_session_token = {number:0400}\n"
        );
    }
    fs::write(path, text)?;
    Ok(())
}

fn measure(suffix: &str, product: &dyn Fn(&[&str]) -> Command) -> Result<(), Box<dyn Error>> {
    let mut floor = Vec::new();
    let mut exec = Vec::new();
    for _ in 0..ROUNDS {
        floor.push(time(Command::new("true").stdin(Stdio::null()))?);
        exec.push(time(&mut product(&["exec", "--", "true"]))?);
    }
    let (floor, exec) = (sorted(floor), sorted(exec));
    row(&format!("`true`{suffix}"), &floor);
    row(&format!("`saml2cloud exec -- true`{suffix}"), &exec);
    let over = exec[exec.len() / 2].saturating_sub(floor[floor.len() / 2]);
    println!("| over `true`{suffix} | {:.2} ms | |", over.as_secs_f64() * 1e3);
    Ok(())
}

fn time(command: &mut Command) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    let status = command.status()?;
    let taken = start.elapsed();
    if status.success() { Ok(taken) } else { Err(format!("{status}").into()) }
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort();
    times
}

fn row(name: &str, times: &[Duration]) {
    let ms = |at: usize| times[at].as_secs_f64() * 1e3;
    println!("| {name} | {:.2} ms | {:.2} ms |", ms(times.len() / 2), ms(times.len() * 95 / 100));
}
