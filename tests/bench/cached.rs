//! What tools wait for all day: keys that are there already. Signs in once in the sandbox; then `true` and the program take turns, so
//! that whatever else the machine does falls on all of them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::measure::{Times, peak, time};
use crate::{PROGRAM, Result};

const ROUNDS: usize = 300;
/// How often a file is changed before the program reads it.
const CHANGES: usize = 50;
const PROFILES: usize = 2_000;

/// A cloud's application in the box, and its file of profiles.
const CLOUDS: [(&str, &str, &str); 2] =
    [("aws", "acme-prod-aws-admin", ".aws/credentials"), ("alibaba", "acme-prod-alibabacloud-admin", ".aliyun/config.json")];

pub(crate) fn measure() -> Result {
    let home = tempfile::tempdir()?;
    let sandbox = Sandbox::start(Options::default())?;
    let mut env = sandbox.env(home.path());
    env.extend(
        [("SAML2CLOUD_KEYCHAIN", "none"), ("SAML2CLOUD_PASSWORD", "bob-only-a-password")].map(|(n, v)| (n.into(), v.into())),
    );
    for (cloud, app, _) in CLOUDS {
        let url = format!("--url=https://sso.jumpcloud.com/saml2/{app}");
        let account = ["configure", "-a", cloud, "--cloud", cloud, "--idp-provider=JumpCloud", &url];
        let person = ["--username=bob@example.com", "--profile=mine", "--skip-prompt"];
        run(&env, &[&account[..], &person].concat())?;
        run(&env, &["login", "-a", cloud])?;
    }
    sandbox.clear_requests();
    println!(
        "| What | File of profiles | Fastest | Median | 95 % | Over `true`: fastest | median | Most memory |\n|---|---|---|---|---|---|---|---|"
    );
    for (name, bytes) in [("one profile", 0), ("2,000 profiles, 1 MB", 1_000_000), ("2,000 profiles, 10 MB", 10_000_000)] {
        for (cloud, _, file) in CLOUDS {
            let file = home.path().join(file);
            if bytes > 0 {
                let text = fs::read_to_string(&file)?;
                let fill = if cloud == "aws" { fill_aws } else { fill_alibaba };
                fs::write(&file, fill(&text, bytes)?)?;
            }
            rows(cloud, name, &env)?;
            if bytes > 0 {
                changed(cloud, name, &env, &file)?;
            }
        }
    }
    println!("\nRequests seen meanwhile: {}. {ROUNDS} rounds each, {CHANGES} of changed files.", sandbox.requests().len());
    Ok(())
}

fn run(env: &[(String, String)], arguments: &[&str]) -> Result {
    let output = Command::new(PROGRAM).args(arguments).env_clear().envs(env.iter().cloned()).output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

/// Everything that takes fresh keys, and its floor.
fn rows(cloud: &str, file: &str, env: &[(String, String)]) -> Result {
    let calls: [&[&str]; 4] = [
        &["true"],
        &[PROGRAM, "exec", "-a", cloud, "--", "true"],
        &[PROGRAM, "credential-process", "-a", cloud],
        &[PROGRAM, "login", "--credential-process", "-a", cloud],
    ];
    let command = |call: &[&str]| {
        let mut command = Command::new(call[0]);
        command.args(&call[1..]).env_clear().envs(env.iter().cloned());
        command
    };
    // A file that has just been written is read; once it has rested, what it says is noted.
    std::thread::sleep(Duration::from_secs(4));
    time(&mut command(calls[1]))?;
    let mut times = calls.map(|_| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        for (call, times) in calls.iter().zip(&mut times) {
            times.push(time(&mut command(call))?);
        }
    }
    let times = times.map(Times::of);
    for (call, own) in calls.iter().zip(&times) {
        let (program, arguments) = (call[0], &call[1..]);
        let what = if program == "true" { "`true`".to_owned() } else { format!("`saml2cloud {}`", arguments.join(" ")) };
        row(&what, file, own, Some(&times[0]).filter(|_| program != "true"), peak(program, arguments, env)?);
    }
    Ok(())
}

/// The first run after somebody wrote the file.
fn changed(cloud: &str, file: &str, env: &[(String, String)], path: &Path) -> Result {
    let mut times = Vec::new();
    for _ in 0..CHANGES {
        fs::File::options().write(true).open(path)?.set_modified(std::time::SystemTime::now())?;
        let mut command = Command::new(PROGRAM);
        command.args(["exec", "-a", cloud, "--", "true"]).env_clear().envs(env.iter().cloned());
        times.push(time(&mut command)?);
    }
    row(&format!("`saml2cloud exec -a {cloud} -- true`"), &format!("{file}, just written"), &Times::of(times), None, None);
    Ok(())
}

fn row(what: &str, file: &str, times: &Times, floor: Option<&Times>, peak: Option<f64>) {
    let over =
        |percent| floor.map_or_else(String::new, |floor| format!("{:.2} ms", times.percent(percent) - floor.percent(percent)));
    let peak = peak.map_or_else(String::new, |peak| format!("{peak:.1} MB"));
    let [fastest, median, slow] = [0, 50, 95].map(|percent| format!("{:.2} ms", times.percent(percent)));
    println!("| {what} | {file} | {fastest} | {median} | {slow} | {} | {} | {peak} |", over(0), over(50));
}

/// So many bytes of session token make a profile of this size.
fn token(bytes: usize, other: usize) -> String {
    "A".repeat((bytes / PROFILES).saturating_sub(other))
}

fn fill_aws(text: &str, bytes: usize) -> Result<String> {
    let end = text.find("\n[p0]").unwrap_or(text.len());
    let other = |number: usize, token: &str| {
        format!(
            "\n[p{number}]\naws_access_key_id = ASIA{number}\naws_secret_access_key = {number:040}\naws_session_token = {token}\n"
        )
    };
    let token = token(bytes, other(PROFILES, "").len());
    Ok((0..PROFILES).fold(text[..end].to_owned(), |all, number| all + &other(number, &token)))
}

fn fill_alibaba(text: &str, bytes: usize) -> Result<String> {
    let mut document: Value = serde_json::from_str(text)?;
    let profiles = document["profiles"].as_array_mut().ok_or("no profiles")?;
    profiles.retain(|profile| profile["name"] == "mine");
    let other = |number: usize, token: &str| {
        json!({
            "name": format!("p{number}"), "mode": "StsToken", "access_key_id": format!("STS.{number}"),
            "access_key_secret": format!("{number:040}"), "sts_token": token, "region_id": "cn-hangzhou",
            "output_format": "json", "language": "en",
        })
    };
    let token = token(bytes, serde_json::to_string_pretty(&other(PROFILES, ""))?.len());
    profiles.extend((0..PROFILES).map(|number| other(number, &token)));
    Ok(serde_json::to_string_pretty(&document)?)
}
