//! The manual, from the same lists that the program itself reads.

use clap::CommandFactory as _;

use super::args::Args;
use crate::app::{KNOWN_ELSEWHERE, Key, PROVIDERS};
use crate::types::CloudId;

/// `docs/manual.md`.
pub fn manual() -> String {
    let mut text = String::from(
        "# Manual\n\nGenerated from the program: `SAML2CLOUD_WRITE_DOCS=1 cargo test --test docs`.\n\n\
         Stdout is data, stderr is talk. A flag wins over a variable, a variable over the account in the file.\n",
    );
    let mut root = Args::command();
    root.build();
    text += &format!("\n## saml2cloud\n\n```text\n{}```\n", help(&mut root));
    for (name, mut command) in commands(&root) {
        text += &format!("\n## saml2cloud {name}\n\n```text\n{}```\n", own_help(&mut command));
    }
    text += "\n## Settings\n\nIn the accounts file, by flag, by variable. The variables of the old tools (`SAML2AWS_…` for AWS accounts, \
             `SAML2ALIBABACLOUD_…` for Alibaba Cloud ones) count where ours is not set.\n\n\
             | Key for AWS | Key for Alibaba Cloud | Flag | Variable | Meaning |\n|---|---|---|---|---|\n";
    for key in Key::ALL {
        let (aws, alibaba) = (key.in_file(CloudId::Aws), key.in_file(CloudId::Alibaba));
        let alibaba = if aws == alibaba { "the same".to_owned() } else { format!("`{alibaba}`") };
        let flag = key.flag().map_or_else(String::new, |flag| format!("`{flag}`"));
        let variable = key.variable().map_or_else(String::new, |name| format!("`SAML2CLOUD_{name}`"));
        text += &format!("| `{aws}` | {alibaba} | {flag} | {variable} | {} |\n", key.help());
    }
    text += "\nOnly by flag or variable: `--idp-account` (`SAML2CLOUD_IDP_ACCOUNT`), `--config` (`SAML2CLOUD_CONFIGFILE`), \
             `--exec-profile` (`SAML2CLOUD_EXEC_PROFILE`), the password (`SAML2CLOUD_PASSWORD`), `--mfa-token` (`SAML2CLOUD_MFA_TOKEN`).\n\n\
             ## Identity providers\n\n| Word | What it is | Words of `--mfa` |\n|---|---|---|\n";
    for provider in PROVIDERS {
        let methods: Vec<String> = provider.methods().iter().map(|m| format!("`{}`", m.name)).collect();
        let file = provider.id().to_lowercase();
        text += &format!("| [`{}`](providers/{file}.md) | {} | {} |\n", provider.id(), provider.title(), methods.join(", "));
    }
    text += &format!(
        "\nKnown from the old tools and not built yet: {}. Accounts may name them; `login` says so.\n",
        KNOWN_ELSEWHERE.join(", ")
    );
    text += "\n### Settings of one provider\n\nIn the accounts file, by flag, by variable, as above. `configure` asks for those that are needed.\n\n\
             | Provider | Key | Flag | Variable | Meaning |\n|---|---|---|---|---|\n";
    for provider in PROVIDERS {
        for field in provider.fields() {
            let (key, flag) = (field.key, field.key.replace('_', "-"));
            let needed = if field.needed { "; needed" } else { "" };
            text += &format!(
                "| `{}` | `{key}` | `--{flag}` | `SAML2CLOUD_{}` | {}{needed} |\n",
                provider.id(),
                field.variable,
                field.help
            );
        }
    }
    text += "\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n";
    for (code, meaning) in super::report::CODES {
        text += &format!("| {} | {meaning} |\n", *code as u8);
    }
    text += "\n`exec` ends with the code of its command; it becomes that command, so signals reach it too.\n";
    text
}

/// Every command that help shows, and those below it, by the words that call it.
pub(super) fn commands(root: &clap::Command) -> Vec<(String, clap::Command)> {
    let shown = |command: &&clap::Command| !command.is_hide_set() && command.get_name() != "help";
    let with_below = |command: &clap::Command| {
        let name = command.get_name();
        let below = commands(command).into_iter().map(|(below, command)| (format!("{name} {below}"), command));
        std::iter::once((name.to_owned(), command.clone())).chain(below).collect::<Vec<_>>()
    };
    root.get_subcommands().filter(shown).flat_map(with_below).collect()
}

/// A command's help without colours, in a width that does not depend on the terminal.
pub(super) fn help(command: &mut clap::Command) -> String {
    let text = command.clone().term_width(100).render_help().to_string();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The same for a subcommand, whose flags for every command are those of the first page.
pub(super) fn own_help(command: &mut clap::Command) -> String {
    help(&mut own(command))
}

/// A subcommand that shows only its own flags.
pub(super) fn own(command: &clap::Command) -> clap::Command {
    let global = |arg: &clap::Arg| arg.is_global_set();
    let mut own = command.clone();
    let names: Vec<String> = own.get_arguments().filter(|arg| global(arg)).map(|arg| arg.get_id().to_string()).collect();
    for name in names {
        own = own.mut_arg(name, |arg| arg.hide(true));
    }
    own
}
