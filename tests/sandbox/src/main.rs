//! The box as a program: a tour of the product, a shell inside, or only the servers.

// This is a program for people: its output is what it is for.
#![allow(clippy::print_stdout, clippy::print_stderr)]
// The list of disallowed methods keeps the operating system in one place of the product; this is not the product.
#![allow(clippy::disallowed_methods)]

mod product;
mod shell;
mod tour;
mod tvm_tour;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// What may go wrong here goes to a person, not to a program.
type Failure = Box<dyn std::error::Error>;

/// An internet in a box: identity providers and clouds on loopback.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Where the product's program comes from.
#[derive(Args)]
struct Product {
    /// The saml2cloud program to use; built first if this is not given.
    #[arg(long, value_name = "FILE")]
    bin_path: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Walk through both users' guides and check each step.
    Tour(Product),
    /// Open a shell, or run a command, in the box.
    Shell {
        #[command(flatten)]
        product: Product,
        /// What to run in place of $SHELL.
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Start the box, print its environment and wait for Ctrl-C.
    Serve {
        /// Wait before each answer, in milliseconds.
        #[arg(long, value_name = "MS", default_value_t = 0)]
        latency: u64,
    },
    /// Start the product's own service with an enterprise in it, and wait for Ctrl-C.
    Tvm(Product),
    /// Print the code that somebody's authenticator app shows now.
    Code {
        /// E-mail address, as in `alice@example.com`.
        user: String,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Tour(product) => tour::run(product.bin_path),
        Command::Shell { product, command } => shell::run(product.bin_path, command),
        Command::Serve { latency } => shell::serve(latency),
        Command::Tvm(product) => tvm_tour::run(product.bin_path),
        Command::Code { user } => shell::code(&user),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("sandbox: {failure}");
            ExitCode::FAILURE
        }
    }
}
