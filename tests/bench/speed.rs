//! How long the program takes, against its floor. `cargo bench` prints the tables of docs/performance.md; nothing here asserts.
#![allow(clippy::print_stdout, reason = "the tables are the point")]
#![allow(clippy::disallowed_methods, reason = "time is what is measured, and programs are what is started")]

mod cached;
mod logins;
mod measure;

use std::error::Error;

/// What goes wrong is a person's to read.
type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_saml2cloud");

fn main() -> Result {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let [first, command @ ..] = arguments.as_slice()
        && first == measure::PEAK
    {
        return measure::print_peak(command);
    }
    println!("## Keys that are still fresh\n");
    cached::measure()?;
    println!("\n## Logins\n");
    logins::measure()
}
