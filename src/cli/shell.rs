//! Quoting for shells. A value stands bare, as the old tools print it, unless the shell would read it differently.

use super::args::Shell;
use crate::types::Secret;

/// The lines that set these variables.
pub(super) fn lines(shell: Shell, variables: &[(&'static str, Secret<String>)]) -> Secret<String> {
    let mut text = String::new();
    for (name, value) in variables {
        let value = value.expose();
        match shell {
            Shell::Bash | Shell::Sh => text += &format!("export {name}={}\n", posix(value)),
            Shell::Fish => text += &format!("set -gx {name} {}\n", fish(value, *name == "AWS_CREDENTIAL_EXPIRATION")),
            Shell::Powershell => text += &format!("$env:{name}='{}'\n", value.replace('\'', "''")),
            // The old format has no expiry; a value in it is the rest of the line.
            Shell::Env if *name == "AWS_CREDENTIAL_EXPIRATION" => {}
            Shell::Env => text += &format!("{name}={value}\n"),
            Shell::Dotenv => text += &format!("{name}={}\n", dotenv(value)),
            Shell::Github => text += &format!("{name}={value}\n"),
        }
    }
    Secret::new(text)
}

/// The values that a job's log must not show.
pub(super) fn masks(variables: &[(&'static str, Secret<String>)]) -> Secret<String> {
    let is_secret = |name: &str| ["SECRET", "TOKEN"].iter().any(|word| name.contains(word));
    let values = variables.iter().filter(|(name, value)| is_secret(name) && !value.expose().is_empty());
    Secret::new(values.map(|(_, value)| format!("::add-mask::{}\n", value.expose())).collect())
}

/// Characters that mean themselves in every POSIX shell, fish and `.env` reader.
fn is_bare(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+=/.:@,%".contains(&b))
}

/// A word of a POSIX shell's command line.
pub(super) fn posix(value: &str) -> String {
    if is_bare(value) { value.to_owned() } else { format!("'{}'", value.replace('\'', "'\\''")) }
}

fn fish(value: &str, always: bool) -> String {
    if is_bare(value) && !always { value.to_owned() } else { format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")) }
}

fn dotenv(value: &str) -> String {
    if is_bare(value) {
        value.to_owned()
    } else {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(shell: Shell, value: &str) -> String {
        lines(shell, &[("NAME", value.into())]).expose().trim_end().to_owned()
    }

    #[test]
    fn quoted_only_when_needed() {
        assert_eq!(told(Shell::Bash, "ab+/=="), "export NAME=ab+/==");
        assert_eq!(told(Shell::Sh, ""), "export NAME=''");
        assert_eq!(told(Shell::Bash, "a'b $c"), r"export NAME='a'\''b $c'");
        assert_eq!(told(Shell::Fish, "a'b\\"), r"set -gx NAME 'a\'b\\'");
        assert_eq!(told(Shell::Powershell, "a'b"), "$env:NAME='a''b'");
        assert_eq!(told(Shell::Env, "a b"), "NAME=a b");
        assert_eq!(told(Shell::Dotenv, "a\"$b"), r#"NAME="a\"\$b""#);
    }

    /// A real shell reads back what was quoted.
    #[test]
    #[cfg(unix)]
    #[allow(clippy::disallowed_methods, reason = "the shell is the judge")]
    fn a_shell_reads_it_back() {
        for value in ["plain", "", "a b", "it's", "$HOME `id` \\ \"", "tab\there", "*?[]{}~#!&|;<>()", "ü\u{1F600}"] {
            let script = format!("{}\nprintf %s \"$NAME\"", told(Shell::Sh, value));
            let output = std::process::Command::new("/bin/sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), value);
        }
    }
}
