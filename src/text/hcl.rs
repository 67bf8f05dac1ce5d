//! Terraform's language, as far as values are put into a text that we wrote: <https://developer.hashicorp.com/terraform/language/syntax/configuration>.

/// A quoted string whose value is `text`, whatever stands in it: a template sequence stays text.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // `${` and `%{` begin templates; doubled, they are themselves.
            '$' | '%' if rest.peek() == Some(&'{') => quoted.extend([c, c]),
            // A sign that a terminal or a reader would act on; U+2028 and its like end lines in some parsers.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A list of quoted strings in one line.
pub fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let items: Vec<String> = texts.into_iter().map(quoted).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_a_value() {
        assert_eq!(quoted("repo:a/b:*"), "\"repo:a/b:*\"");
        assert_eq!(quoted("a\"\n}\nresource \"x\" \"y\" {"), "\"a\\\"\\n}\\nresource \\\"x\\\" \\\"y\\\" {\"");
        assert_eq!(quoted("${file(\"/etc/passwd\")} %{if true} $x $"), "\"$${file(\\\"/etc/passwd\\\")} %%{if true} $x $\"");
        assert_eq!(quoted("\u{1b}[2J\\"), "\"\\u001b[2J\\\\\"");
        assert_eq!(list(["a", "b\""]), "[\"a\", \"b\\\"\"]");
    }
}
