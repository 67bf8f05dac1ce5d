//! Texts about the command line itself, for shells and readers: completions, the man page, the help of every command. The old tools gave
//! them by hidden flags, and scripts of shells that people once wrote to disk still call those.

use std::ffi::OsString;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::args::Args;
use super::manual;

/// The text that one of the hidden flags asks for, if there is one before a command for `exec`. It ends the run, whatever else is there.
pub(super) fn asked(argv: &[OsString]) -> Option<String> {
    let ours = argv.iter().skip(1).take_while(|arg| *arg != "--" && *arg != "exec");
    let (place, flag) = ours.enumerate().find_map(|(place, arg)| {
        let text = arg.to_str()?;
        ["--help-long", "--help-man", "--completion-bash", "--completion-script-bash", "--completion-script-zsh"]
            .contains(&text)
            .then_some((place, text))
    })?;
    Some(match flag {
        "--help-long" => long_help(),
        "--help-man" => man(&called(argv)),
        "--completion-bash" => words(argv.get(place + 2..).unwrap_or_default()),
        "--completion-script-bash" => script(Shell::Bash, &called(argv)),
        _ => script(Shell::Zsh, &called(argv)),
    })
}

/// The name that the program was called by, for which completions are then made.
pub(super) fn called(argv: &[OsString]) -> String {
    let name = argv.first().and_then(|arg| Path::new(arg).file_stem()).and_then(|name| name.to_str());
    name.filter(|name| !name.is_empty()).unwrap_or("saml2cloud").to_owned()
}

/// A script that completes commands and flags.
pub(super) fn script(shell: Shell, name: &str) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut shown(&Args::command()), name, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The command line without what help does not show.
fn shown(command: &Command) -> Command {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    Command::new(command.get_name().to_owned())
        .about(about)
        .version(command.get_version().unwrap_or_default().to_owned())
        .args(command.get_arguments().filter(|arg| !arg.is_hide_set()).cloned())
        .subcommands(command.get_subcommands().filter(|c| !c.is_hide_set()).map(shown))
}

/// What may come in place of the last of these words, a line each: the old tools' scripts ask at each press of the key.
fn words(typed: &[OsString]) -> String {
    let mut root = Args::command();
    root.build();
    let typed: Vec<&str> = typed.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let (last, before) = typed.split_last().map_or(("", &[][..]), |(last, before)| (*last, before));
    let command = before.iter().fold(&root, |command, word| command.find_subcommand(word).unwrap_or(command));
    let values = |flag: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long)))?;
        let values: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        (arg.get_action().takes_values() && !values.is_empty()).then_some(values)
    };
    let flags =
        || command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| Some(format!("--{}", arg.get_long()?)));
    let found: Vec<String> = match before.last().and_then(|flag| values(flag)) {
        Some(values) => values,
        None if last.starts_with('-') => flags().collect(),
        None => command.get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name().to_owned()).collect(),
    };
    found.iter().map(|word| format!("{word}\n")).collect()
}

/// The help of every command.
fn long_help() -> String {
    let mut root = Args::command();
    root.build();
    let mut text = manual::help(&mut root);
    for (_, mut command) in manual::commands(&root) {
        text += &format!("\n{}", manual::own_help(&mut command));
    }
    text
}

/// The page of `man`, with a section for each command.
fn man(name: &str) -> String {
    let mut root = Args::command().name(name.to_owned());
    root.build();
    let page = clap_mangen::Man::new(root.clone());
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = page.render_title(&mut text);
    let _ = page.render_name_section(&mut text);
    let _ = page.render_synopsis_section(&mut text);
    let _ = page.render_description_section(&mut text);
    let _ = page.render_options_section(&mut text);
    for (name, command) in manual::commands(&root) {
        let mut heading = clap_mangen::roff::Roff::new();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        heading.control("SH", [name.to_uppercase().as_str()]).text([clap_mangen::roff::roman(about)]);
        let _ = heading.to_writer(&mut text);
        let mut options = Vec::new();
        let hide = |arg: clap::Arg| if matches!(arg.get_id().as_str(), "help" | "version") { arg.hide(true) } else { arg };
        let _ = clap_mangen::Man::new(manual::own(&command).mut_args(hide)).render_options_section(&mut options);
        // The section of the command is heading enough.
        let options = String::from_utf8_lossy(&options).replace(".SH OPTIONS\n", "");
        text.extend(options.into_bytes());
    }
    let _ = page.render_extra_section(&mut text);
    let _ = page.render_version_section(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(line: &str) -> Option<String> {
        asked(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn only_our_own_flags_ask() {
        assert!(page("saml2cloud login --help-long").is_some());
        for line in ["saml2cloud", "saml2cloud login", "saml2cloud exec git --help-man", "saml2cloud login -- --help-man"] {
            assert!(page(line).is_none(), "{line}");
        }
    }

    #[test]
    fn words_for_what_was_typed() {
        let words = |line: &str| page(&format!("saml2aws --completion-bash {line}")).unwrap();
        let commands = words("lo");
        assert!(commands.lines().any(|word| word == "login") && !commands.contains("--"), "{commands}");
        let flags = words("-a x login --f");
        assert!(flags.lines().any(|word| word == "--force") && flags.lines().any(|word| word == "--role"), "{flags}");
        assert!(!flags.contains("--kc-broker") && !flags.contains("--shell"), "{flags}");
        let shells = words("script --shell ");
        assert!(shells.starts_with("bash\n/bin/sh\nfish\n"), "{shells}");
        assert_eq!(words("login "), "");
    }

    #[test]
    fn scripts_complete_the_name_they_are_for_and_what_help_shows() {
        let bash = page("/usr/local/bin/saml2aws --completion-script-bash").unwrap();
        assert!(
            bash.contains("complete -F _saml2aws ") && bash.contains("--force-profile") && !bash.contains("kc-broker"),
            "{bash}"
        );
        assert!(page("saml2alibabacloud --completion-script-zsh").unwrap().starts_with("#compdef saml2alibabacloud\n"));
        for shell in <Shell as clap::ValueEnum>::value_variants() {
            let text = script(*shell, "saml2cloud");
            assert!(text.contains("credential-process") && !text.contains("kc-broker"), "{shell}");
        }
    }

    #[test]
    fn every_command_is_in_the_long_texts() {
        let (help, man) = (page("saml2cloud --help-long").unwrap(), page("/usr/bin/saml2aws --help-man").unwrap());
        assert!(man.contains(".TH saml2aws 1") && man.contains("\\-\\-idp\\-account"), "{man}");
        for (name, _) in manual::commands(&Args::command()) {
            assert!(help.contains(&format!("Usage: saml2cloud {name}")), "{name} in\n{help}");
            let upper = name.to_uppercase();
            let headings =
                [format!(".SH {upper}\n"), format!(".SH {}\n", upper.replace('-', "\\-")), format!(".SH \"{upper}\"\n")];
            assert!(headings.iter().any(|heading| man.contains(heading)), "{name} in\n{man}");
        }
        assert_eq!(man.matches(".SH OPTIONS").count(), 1);
        // The flags of all commands stand once, and only what help shows.
        let entries = man.matches("\\fB\\-\\-idp\\-account\\fR \\fI<NAME>").count();
        assert_eq!((entries, man.contains("kc\\-broker")), (1, false), "{man}");
    }
}
