//! What a sign-in costs: requests, connections, and the time that they take where each round trip takes 50 ms.

use std::process::Command;
use std::time::Duration;

use sandbox::{Options, Sandbox};

use crate::measure::{Times, time};
use crate::{PROGRAM, Result};

const ROUNDS: usize = 7;
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// A connection to a host behind a proxy: the way there, and the handshake of TLS 1.3.
const ROUND_TRIPS_OF_A_CONNECTION: usize = 2;

/// Provider, address, person, and what makes this sign-in another than a person would think.
struct Case {
    what: &'static str,
    cloud: &'static str,
    provider: &'static str,
    url: &'static str,
    user: &'static str,
    keeps: bool,
}

const fn case(what: &'static str, cloud: &'static str, provider: &'static str, url: &'static str, user: &'static str) -> Case {
    Case { what, cloud, provider, url, user, keeps: false }
}

const CASES: &[Case] = &[
    case("JumpCloud, password", "aws", "JumpCloud", "https://sso.jumpcloud.com/saml2/acme-prod-aws-admin", "bob"),
    case("JumpCloud, password and code", "aws", "JumpCloud", "https://sso.jumpcloud.com/saml2/acme-prod-aws-admin", "alice"),
    case("JumpCloud, password", "alibaba", "JumpCloud", "https://sso.jumpcloud.com/saml2/acme-prod-alibabacloud-admin", "bob"),
    case(
        "JumpCloud, password and code",
        "alibaba",
        "JumpCloud",
        "https://sso.jumpcloud.com/saml2/acme-prod-alibabacloud-admin",
        "alice",
    ),
    case("Okta, password", "aws", "Okta", "https://acme.okta.com/home/acme_aws/0oa1/272", "bob"),
    case("Okta, password and code", "aws", "Okta", "https://acme.okta.com/home/acme_aws/0oa1/272", "alice"),
    Case {
        keeps: true,
        ..case("Okta, kept session in the encrypted file", "aws", "Okta", "https://acme.okta.com/home/acme_aws/0oa1/272", "bob")
    },
    case("ADFS, password", "aws", "ADFS", "https://fs.acme.example", "bob"),
    case("ADFS, password and code", "aws", "ADFS", "https://fs.acme.example", "alice"),
    case("ADFS2, password and code (RSA)", "aws", "ADFS2", "https://fs.acme.example", "emil"),
    case("Form, one page", "aws", "Form", "https://login.acme.example/sso/acme-aws?style=one", "bob"),
    case("Form, password and code", "aws", "Form", "https://login.acme.example/sso/acme-aws?style=totp", "alice"),
];

pub(crate) fn measure() -> Result {
    println!(
        "| Sign-in | Cloud | Requests at the identity provider | and the cloud | Connections | Floor at 50 ms | Fastest | Median |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for case in CASES {
        row(case).map_err(|error| format!("{}: {error}", case.what))?;
    }
    println!("\n{ROUNDS} rounds each.");
    Ok(())
}

fn row(case: &Case) -> Result {
    let home = tempfile::tempdir()?;
    let sandbox = Sandbox::start(Options::default())?;
    let email = format!("{}@example.com", case.user);
    let password = sandbox.directory().person(&email).ok_or("nobody of that name")?.password.clone();
    let role = match case.cloud {
        "aws" => "arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO",
        _ => "acs:ram::012345678987:role/AcmeJumpCloudAdminRO",
    };
    let call = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env_clear().envs(sandbox.env(home.path()));
        command.env("SAML2CLOUD_PASSWORD", &password).env("SAML2CLOUD_MFA_TOKEN", sandbox.code(&email));
        command.env("SAML2CLOUD_KEYCHAIN", if case.keeps { "file" } else { "none" });
        command.env("SAML2CLOUD_VAULT_PASSPHRASE", "correct horse");
        command
    };
    let mfa = if case.provider == "ADFS2" { "--mfa=RSA" } else { "--mfa=Auto" };
    let (provider, url) = (format!("--idp-provider={}", case.provider), format!("--url={}", case.url));
    let (user, role) = (format!("--username={email}"), format!("--role={role}"));
    let words = ["configure", "--cloud", case.cloud, &provider, &url, &user, &role, mfa, "--skip-prompt"];
    let output = call(&words).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let login = || call(&["login", "--force"]);
    // The first one makes what the others find; it also shows that the case is one.
    let output = login().output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    sandbox.clear_requests();
    time(&mut login())?;
    let seen = sandbox.requests();
    let at_cloud = seen.iter().filter(|seen| seen.host.starts_with("sts.")).count();
    let connections = sandbox.connections();
    let floor = ROUND_TRIP.as_secs_f64() * 1e3 * (seen.len() + connections * ROUND_TRIPS_OF_A_CONNECTION) as f64;
    sandbox.latency(ROUND_TRIP);
    let times = Times::of((0..ROUNDS).map(|_| time(&mut login())).collect::<Result<_>>()?);
    println!(
        "| {} | {} | {} | {at_cloud} | {connections} | {floor:.0} ms | {:.0} ms | {:.0} ms |",
        case.what,
        case.cloud,
        seen.len() - at_cloud,
        times.percent(0),
        times.median(),
    );
    Ok(())
}
