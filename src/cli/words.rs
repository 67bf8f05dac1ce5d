//! From the words of a command line to [`Args`]: what clap does not know by itself, switches that are taken back and the settings of
//! single providers.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, CommandFactory as _, FromArgMatches as _};

use super::args::Args;
use super::quick;
use crate::app::{Field, PROVIDERS};

/// Reads the command line.
///
/// # Errors
/// What is wrong with it; also a call for help or the version.
pub(super) fn parse(argv: &[OsString]) -> Result<Args, clap::Error> {
    let fields = || PROVIDERS.iter().flat_map(|provider| provider.fields());
    let plain = || without_accounts(with_fields(Args::command(), fields()), argv);
    // The opposites cost as much as all the rest to set up, so they are there only when one is asked for.
    let asks_opposite = argv.iter().any(|arg| arg.to_str().is_some_and(|text| text.starts_with("--no-") && text != "--no-input"));
    let (matches, taken_back) = if asks_opposite {
        let (command, names) = with_opposites(plain());
        // Once to know that all is well and where a child's own words begin, and once more with the last word on each switch alone:
        // clap knows who came last only among the flags before the command, and among those behind it.
        let matches = command.clone().try_get_matches_from(argv)?;
        let childs =
            matches.subcommand_matches("exec").and_then(|exec| exec.get_many::<OsString>("command")).map_or(0, Iterator::count);
        let matches = command.try_get_matches_from(last_words(argv, argv.len() - childs, &names))?;
        let taken_back = names.into_iter().filter(|name| value::<bool>(&matches, &format!("no-{name}")) == Some(&true)).collect();
        (matches, taken_back)
    } else {
        let quick = quick::matches(argv, |command| with_fields(command, fields()));
        (quick.map_or_else(|| plain().try_get_matches_from(argv), Ok)?, Vec::new())
    };
    let mut args = Args::from_arg_matches(&matches)?;
    args.global.taken_back = taken_back;
    args.global.fields = fields().filter_map(|field| Some((field.key, value::<String>(&matches, field.key)?.clone()))).collect();
    Ok(args)
}

/// What was given for an argument, wherever it stood.
fn value<'m, T: Clone + Send + Sync + 'static>(matches: &'m ArgMatches, id: &str) -> Option<&'m T> {
    let own = matches.subcommand().map_or(matches, |(_, own)| own);
    own.try_get_one(id).ok().flatten()
}

/// The command line with the settings of single providers that have no flag of their own yet: `app_id` is `--app-id TEXT`.
fn with_fields<'f>(command: clap::Command, fields: impl Iterator<Item = &'f Field>) -> clap::Command {
    fields.fold(command, |command, field| {
        let flag = field.key.replace('_', "-");
        if command.get_arguments().any(|arg| arg.get_long() == Some(flag.as_str())) {
            return command;
        }
        command.arg(Arg::new(field.key).long(flag).value_name("TEXT").help(field.help).global(true).hide(true))
    })
}

/// The command line whose help for administrators shows no flags of accounts, which do nothing there. Set up only where one of these
/// commands may be meant.
fn without_accounts(command: clap::Command, argv: &[OsString]) -> clap::Command {
    let shown = |name: &str, arg: &Arg| {
        let own = if name == "serve" { "config" } else { "cloud" };
        matches!(arg.get_id().as_str(), "quiet" | "verbose") || arg.get_id().as_str() == own
    };
    let meant = |name: &&str| argv.iter().any(|word| word == *name) && command.find_subcommand(name).is_some();
    let names: Vec<&str> = ["provider", "serve"].into_iter().filter(meant).collect();
    names.into_iter().fold(command, |command, name| {
        let globals = command.get_arguments().filter(|arg| arg.is_global_set() && !shown(name, arg));
        let hidden: Vec<Arg> = globals.map(|arg| arg.clone().hide(true)).collect();
        // Its own arguments of the same names come first.
        command.mut_subcommand(name, |own| own.args(hidden))
    })
}

/// The command line, with what old scripts expect beside what help shows: every switch has its opposite, `--no-NAME`, which takes it back.
/// Also the names of the switches.
fn with_opposites(command: clap::Command) -> (clap::Command, Vec<String>) {
    fn add(command: clap::Command, names: &mut Vec<String>) -> clap::Command {
        let is_switch = |arg: &&Arg| {
            matches!(arg.get_action(), ArgAction::SetTrue) && !arg.get_long().is_none_or(|name| name.starts_with("no-"))
        };
        let switches: Vec<Arg> = command.get_arguments().filter(is_switch).cloned().collect();
        names.extend(switches.iter().filter_map(|switch| switch.get_long()).map(str::to_owned));
        let opposite = |switch: &Arg| {
            let name = format!("no-{}", switch.get_long().unwrap_or_default());
            let arg = Arg::new(name.clone()).long(name).action(ArgAction::SetTrue).hide(true);
            arg.global(switch.is_global_set()).overrides_with(switch.get_id().clone())
        };
        let command = command.args(switches.iter().map(opposite));
        command.mut_subcommands(|command| add(command, names))
    }
    let mut names = Vec::new();
    let command = add(command, &mut names);
    names.sort_unstable();
    names.dedup();
    (command, names)
}

/// The first `own` words of a command line that clap has understood, without switches on which a later one has the last word; then the
/// rest.
fn last_words(argv: &[OsString], own: usize, switches: &[String]) -> Vec<OsString> {
    let is_switch = |name: &&str| switches.iter().any(|switch| switch == name);
    let mut settled: Vec<&str> = Vec::new();
    let mut words: Vec<OsString> = argv[own..].iter().rev().cloned().collect();
    for word in argv[..own].iter().rev() {
        let text = word.to_str().unwrap_or_default();
        let long = text.strip_prefix("--").map(|name| name.strip_prefix("no-").filter(is_switch).unwrap_or(name));
        // `-s` is the only short one; others of one letter may follow it.
        let (name, rest) = match text.strip_prefix("-s") {
            Some(others) => (Some("skip-verify"), others),
            None => (long.filter(is_switch), ""),
        };
        match name {
            Some(name) if settled.contains(&name) => words.extend((!rest.is_empty()).then(|| format!("-{rest}").into())),
            _ => words.push(word.clone()),
        }
        settled.extend(name);
    }
    words.reverse();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    use crate::cli::args::Command;

    const FIELDS: &[Field] = &[
        Field { key: "app_id", variable: "ONELOGIN_APP_ID", help: "the number of the application", needed: true },
        Field { key: "app_id", variable: "AZURE_APP_ID", help: "another one's", needed: true },
        Field { key: "disable_sessions", variable: "OKTA_DISABLE_SESSIONS", help: "", needed: false },
    ];

    #[test]
    fn a_providers_own_setting_has_a_flag() {
        let command = with_fields(Args::command(), FIELDS.iter());
        for line in [["saml2cloud", "--app-id", "7", "login"], ["saml2cloud", "configure", "--app-id", "7"]] {
            let matches = command.clone().try_get_matches_from(line).unwrap();
            assert_eq!(value::<String>(&matches, "app_id").map(String::as_str), Some("7"));
            assert_eq!(value::<bool>(&matches, "disable_sessions"), Some(&false));
        }
        // Those that there are can be given, and the settings that are on or off are switches.
        let whole = with_fields(Args::command(), PROVIDERS.iter().flat_map(|provider| provider.fields()));
        for field in PROVIDERS.iter().flat_map(|provider| provider.fields()) {
            let flag = field.key.replace('_', "-");
            assert!(whole.get_arguments().any(|arg| arg.get_long() == Some(flag.as_str())), "{flag}");
        }
    }

    #[test]
    fn the_last_word_on_a_switch_counts_wherever_it_stands() {
        let said = |line: &str| {
            let argv: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let args = parse(&argv).unwrap_or_else(|error| panic!("{line}: {error}"));
            let child = match &args.command {
                Command::Exec(exec) => exec.command.len(),
                _ => 0,
            };
            (args.global.said("skip-verify", args.global.skip_verify), child)
        };
        for (line, expected) in [
            ("saml2cloud login", None),
            ("saml2cloud login --no-quiet", None),
            ("saml2cloud login -s --no-quiet", Some(true)),
            ("saml2cloud login --no-skip-verify", Some(false)),
            ("saml2cloud --no-skip-verify login", Some(false)),
            ("saml2cloud --skip-verify login --no-skip-verify", Some(false)),
            ("saml2cloud --no-skip-verify login --skip-verify", Some(true)),
            ("saml2cloud --no-skip-verify login -sa name", Some(true)),
            ("saml2cloud -sa name login --no-skip-verify", Some(false)),
            ("saml2cloud -as login --no-skip-verify", Some(false)),
            ("saml2cloud --skip-verify --no-skip-verify login --skip-verify --no-skip-verify", Some(false)),
            ("saml2cloud --quiet login --no-quiet --verbose", None),
        ] {
            assert_eq!(said(line), (expected, 0), "{line}");
        }
        assert_eq!(said("saml2cloud --skip-verify exec --no-skip-verify env --skip-verify"), (Some(false), 2));
        assert_eq!(said("saml2cloud -s exec -- env --no-skip-verify"), (Some(true), 2));
    }

    #[test]
    fn help_for_administrators_shows_no_accounts() {
        for (line, shown) in [
            ("provider --help", "--verbose"),
            ("provider export --help", "--cloud"),
            ("serve --help", "--config"),
            ("serve check --help", "--config"),
            ("login --help", "--mfa-token"),
        ] {
            if line.starts_with("serve") && !cfg!(feature = "serve") {
                continue;
            }
            let argv: Vec<OsString> = format!("saml2cloud {line}").split(' ').map(OsString::from).collect();
            let Err(help) = parse(&argv) else { panic!("{line}") };
            let help = help.to_string();
            assert!(help.contains(shown), "{line}: {help}");
            assert_eq!(
                help.contains("--mfa-token") || help.contains("--skip-prompt"),
                line.starts_with("login"),
                "{line}: {help}"
            );
        }
        // They are understood all the same, wherever they stand.
        let line = "saml2cloud -a x provider export --kind saml --cloud aws --name n --grant r=p --metadata f";
        let argv: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let args = parse(&argv);
        assert!(args.as_ref().is_ok_and(|args| args.global.idp_account.as_deref() == Some("x")), "{:?}", args.err());
    }

    #[test]
    fn the_command_line_is_sound() {
        with_opposites(with_fields(Args::command(), FIELDS.iter())).0.debug_assert();
    }

    #[test]
    fn every_switch_can_be_taken_back() {
        let parse = |line: &str| parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).unwrap();
        let args = parse("saml2cloud login --skip-verify --no-skip-verify --force --no-verbose");
        let Command::Login(login) = args.command else { panic!() };
        assert!(!args.global.skip_verify && login.force.force);
        let args = parse("saml2cloud login --no-force --force --no-skip-prompt --skip-prompt");
        let Command::Login(login) = args.command else { panic!() };
        assert!(args.global.skip_prompt && login.force.force);
    }

    #[test]
    fn ours_end_at_the_first_word_of_the_command() {
        let parse = |line: &[&str]| Args::try_parse_from(line.iter().copied());
        for line in [
            &["saml2cloud", "exec", "-a", "x", "--", "aws", "s3", "ls", "--recursive"][..],
            &["saml2cloud", "exec", "-a", "x", "aws", "s3", "ls", "--recursive"],
            &["saml2cloud", "-a", "x", "exec", "aws", "s3", "ls", "--recursive"],
        ] {
            let args = parse(line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
            let Command::Exec(exec) = args.command else { panic!("{line:?}") };
            assert_eq!(exec.command, ["aws", "s3", "ls", "--recursive"]);
            assert_eq!(args.global.idp_account.as_deref(), Some("x"));
        }
        assert!(parse(&["saml2cloud", "exec", "--unknown", "aws"]).is_err());
        assert!(parse(&["saml2cloud", "exec"]).is_err());
    }
}
