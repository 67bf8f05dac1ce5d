//! Times of many runs, and the memory of one.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// The argument that makes this program the small parent of another one: a child counts what its parent had in memory as its own.
pub(crate) const PEAK: &str = "--peak-of";

/// How long runs took, shortest first.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    pub(crate) fn median(&self) -> f64 {
        self.percent(50)
    }

    /// Milliseconds in which so many percent of the runs were done.
    pub(crate) fn percent(&self, percent: usize) -> f64 {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)].as_secs_f64() * 1e3
    }
}

/// How long a program takes from its start to its end.
pub(crate) fn time(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    let taken = start.elapsed();
    if status.success() { Ok(taken) } else { Err(format!("{command:?}: {status}").into()) }
}

/// The most memory that a program ever has, in megabytes; where the system tells.
pub(crate) fn peak(program: &str, arguments: &[&str], env: &[(String, String)]) -> Result<Option<f64>> {
    let mut parent = Command::new(std::env::current_exe()?);
    parent.arg(PEAK).arg(program).args(arguments).env_clear().envs(env.iter().cloned());
    let output = parent.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let kibibytes: Option<f64> = String::from_utf8(output.stdout)?.trim().parse().ok();
    Ok(kibibytes.map(|number| number * 1024.0 / 1e6))
}

/// Runs a program and prints the most memory that it had, in kibibytes.
#[cfg(unix)]
pub(crate) fn print_peak(command: &[OsString]) -> Result {
    use nix::sys::resource::{UsageWho, getrusage};
    let (program, arguments) = command.split_first().ok_or("no program")?;
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("{status}").into());
    }
    let most = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    // One system counts in bytes.
    println!("{}", if cfg!(target_os = "macos") { most / 1024 } else { most });
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn print_peak(_: &[OsString]) -> Result {
    println!("unknown");
    Ok(())
}
