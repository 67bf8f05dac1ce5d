//! The product's own service for whoever wants to look at it: on SQLite, with an enterprise in it, the box's company to sign in at, and
//! the box's clouds to go to. Everything goes away at the end.

use std::path::PathBuf;
use std::process::ExitCode;

use sandbox::{Options, Sandbox, Service, example_accounts};

use crate::Failure;
use crate::product::{Scratch, find};
use crate::shell::{end, waiting};

/// Starts it, says what is there, and waits for Ctrl-C.
pub(crate) fn run(bin_path: Option<PathBuf>) -> Result<ExitCode, Failure> {
    let program = find(bin_path)?;
    let sandbox = Sandbox::start(Options::default())?;
    let front = sandbox.open_front()?;
    let scratch = Scratch::new(&program, &sandbox.directory())?;
    eprintln!("sandbox: making the signing keys takes a moment ...");
    let mut service = Service::prepare(&sandbox, &program, &scratch.home().join("cam"), "E-alice", "Acme", "")?;
    service.start(&sandbox, &example_accounts())?;
    service.example(&sandbox)?;
    let url = &service.url;
    println!("The service:   {url}");
    println!("The company:   {front} (its sign-in page; you are sent there)");
    println!("\nWho may sign in:\n");
    for (name, what) in [
        ("alice", "owns everything; roles in both clouds"),
        ("bob", "everyday roles in three accounts"),
        ("carol", "an auditor: a horizontal role over all accounts"),
        ("heidi", "is in the pool, and has no role yet"),
        ("dave", "works here too, and the service does not know him"),
    ] {
        let email = format!("{name}@example.com");
        let password = sandbox.directory().person(&email).map(|person| person.password.clone()).unwrap_or_default();
        println!("  {email:20} {password:28} {what}");
    }
    println!("\nWith a browser: open the address. With the command line:\n");
    let program = program.display();
    // Keys go to the box's clouds, and nothing of it into the home of whoever tries it.
    for (name, value) in scratch.env(&sandbox)? {
        if !["PATH", "TERM", "LANG", "TZ"].contains(&name.as_str()) {
            println!("  export {name}='{value}'");
        }
    }
    println!("  export SAML2CLOUD_KEYCHAIN=file SAML2CLOUD_VAULT_PASSPHRASE='only for trying it out'");
    println!("  {program} configure -a cam --cloud aws --idp-provider=TVM --url={url} --skip-prompt");
    println!("  {program} list-roles -a cam");
    println!("  {program} exec -a cam --role shop/ReadOnly -- aws sts get-caller-identity");
    println!("  {program} list-roles -a cam --device      # a code to type, in place of the browser of this machine");
    println!("\nIts configuration: {}", service.config.display());
    println!("Ctrl-C ends it; nothing of it is left then.");
    waiting()?.block_on(end())?;
    service.stop();
    Ok(ExitCode::SUCCESS)
}
