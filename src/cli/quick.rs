//! The command line of the usual case, read without setting up the rest.

use std::ffi::OsString;

use clap::{ArgMatches, Args as _, Subcommand as _};

use super::args::{Command, Global};

/// Reads the command line, to which `add` adds the settings of single providers, with none but the commands that the words name: every
/// command gets a copy of every global flag, which would cost more than all else that a child waits for. Nothing for help and for what is
/// wrong, which are the whole command line's to tell.
pub(super) fn matches(argv: &[OsString], add: impl FnOnce(clap::Command) -> clap::Command) -> Option<ArgMatches> {
    let all = Command::augment_subcommands(clap::Command::new("saml2cloud"));
    let named: Vec<clap::Command> =
        all.get_subcommands().filter(|command| argv.iter().any(|word| word == command.get_name())).cloned().collect();
    let global = add(Global::augment_args(clap::Command::new("saml2cloud")));
    let mut command = global.subcommands(named).subcommand_required(true);
    let matches = command.try_get_matches_from_mut(argv).ok();
    // Taking them down costs a third of setting them up, and the run ends soon.
    std::mem::forget((all, command));
    matches
}

#[cfg(test)]
mod tests {
    use clap::{FromArgMatches as _, Parser as _};

    use super::super::args::Args;
    use super::*;

    #[test]
    fn the_quick_way_reads_what_the_whole_one_reads() {
        let mut read = 0;
        for line in [
            "configure -a x --url https://x/ --skip-prompt -p y",
            "login",
            "-a login login --force --role exec --mfa=script",
            "--verbose login --credential-process -r eu-west-1",
            "exec -a x -- login --force",
            "exec login",
            "script --shell fish --cloud aws",
            "credential-process -a x --force",
            "list-roles --no-input",
            "accounts -o json",
            "",
            "--help",
            "help exec",
            "exec --help",
            "login --version",
            "-V",
            "login extra",
            "login --shell bash",
            "logni",
            "nothing exec",
            "exec",
            "login --ask --no-input",
            "login accounts",
            "script --shell csh",
        ] {
            let argv: Vec<OsString> = std::iter::once("saml2cloud").chain(line.split_whitespace()).map(OsString::from).collect();
            let quick = matches(&argv, |command| command).and_then(|matches| Args::from_arg_matches(&matches).ok());
            let whole = Args::try_parse_from(&argv).ok();
            let seen = |args: &Args| (args.global.draft(), args.global.verbose, std::mem::discriminant(&args.command));
            assert_eq!(quick.as_ref().map(seen), whole.as_ref().map(seen), "{line}");
            read += usize::from(quick.is_some());
        }
        assert_eq!(read, 10);
    }
}
