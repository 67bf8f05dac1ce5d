//! YAML, written only. Every string is in double quotes with JSON's escapes, which YAML reads as they are
//! (<https://yaml.org/spec/1.2.2/#example-double-quoted-scalars>), so that no value is taken for a number, a date or an anchor; a text of
//! several printable lines is a block, so that a person can read it.

use serde_json::Value;

/// A document whose value is `value`.
pub fn print(value: &Value) -> String {
    let mut text = String::new();
    node(&mut text, value, 0);
    text
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// What stands behind a key or a dash, up to the end of its last line.
fn node(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                indent(text, depth);
                text.push_str(&name(key));
                text.push(':');
                behind(text, value, depth);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                indent(text, depth);
                text.push('-');
                behind(text, value, depth);
            }
        }
        other => {
            indent(text, depth);
            text.push_str(&other.to_string());
            text.push('\n');
        }
    }
}

fn behind(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            node(text, value, depth + 1);
        }
        Value::Array(list) if !list.is_empty() => {
            text.push('\n');
            node(text, value, depth + 1);
        }
        Value::String(lines) if is_block(lines) => {
            text.push_str(" |\n");
            for line in lines.lines() {
                if !line.is_empty() {
                    indent(text, depth + 1);
                    text.push_str(line);
                }
                text.push('\n');
            }
        }
        other => {
            text.push(' ');
            text.push_str(&other.to_string());
            text.push('\n');
        }
    }
}

/// Whether a text can stand as a block and mean the same: lines of plain signs, no blank at the start of the first (it would set
/// the depth), one line end at the end.
fn is_block(text: &str) -> bool {
    let plain = |c: char| c == '\n' || (' '..='~').contains(&c);
    text.ends_with('\n')
        && !text.ends_with("\n\n")
        && text.matches('\n').count() > 1
        && !text.starts_with([' ', '\n'])
        && text.chars().all(plain)
}

/// A key: bare where it is a plain word that is nothing else.
fn name(key: &str) -> String {
    let is_word =
        key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    let is_else = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&key.to_ascii_lowercase().as_str());
    if is_word && !is_else { key.to_owned() } else { Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_keep_their_kind() {
        let value = json!({
            "Version": "1",
            "no": ["2015-09-01", 3, {"a b": "x\ny", "Fn::Sub": "acs:${A}"}, [], {}],
            "main.tf": "variable \"x\" {\n\n  type = string\n}\n",
            "hostile": "}\n- x: &a\u{85}\n",
        });
        let expected = "Version: \"1\"\n\"no\":\n  - \"2015-09-01\"\n  - 3\n  -\n    \"a b\": \"x\\ny\"\n    \"Fn::Sub\": \"acs:${A}\"\n  - []\n  - {}\n\
                        main.tf: |\n  variable \"x\" {\n\n    type = string\n  }\nhostile: \"}\\n- x: &a\u{85}\\n\"\n";
        assert_eq!(print(&value), expected);
    }
}
