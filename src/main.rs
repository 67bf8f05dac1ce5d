//! `saml2cloud`: the program.

use std::process::ExitCode;

#[allow(clippy::disallowed_methods, reason = "the one place where arguments come in")]
fn main() -> ExitCode {
    saml2cloud::world::harden();
    let argv: Vec<_> = std::env::args_os().collect();
    ExitCode::from(saml2cloud::cli::run(&argv, &saml2cloud::world::Env::system()))
}
