//! The old tools' dialect of INI, as their library (go-ini) reads it.

use crate::text::ini::{GO_DEFAULT, Ini, go_quote};

/// What a raw value means, which may have several lines: what stands between backticks or `"""` is taken as it is; a backslash at the
/// end of a line joins the next one; else a comment begins at ` #`, or where there is none at ` ;`, and quotes around the whole go.
pub(super) fn meaning(raw: &str) -> String {
    let raw = raw.trim();
    if let Some(quote) = go_quote(raw) {
        let inner = &raw[quote.len()..];
        // The last one counts: what follows it in its line is a comment, or lost.
        return inner.rfind(quote).map_or(inner, |end| &inner[..end]).to_owned();
    }
    let mut lines = raw.split('\n').map(str::trim);
    let first = lines.next().unwrap_or_default();
    if let Some(start) = first.strip_suffix('\\') {
        let mut joined = start.to_owned();
        for line in lines {
            match line.strip_suffix('\\') {
                Some(more) => joined += more,
                None => joined += line,
            }
        }
        return joined;
    }
    let value = comment(first).map_or(first, |at| first[..at].trim());
    for quote in ['\'', '"'] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote))
            && !inner.contains(quote)
        {
            return inner.to_owned();
        }
    }
    value.to_owned()
}

/// Where the comment behind a value without quotes begins.
fn comment(value: &str) -> Option<usize> {
    value.find(" #").or_else(|| value.find(" ;"))
}

/// How a value is written so that it means the same again, here and in the old tools, which read it in two ways: `configure` of both,
/// and `login` of saml2alibabacloud, begin a comment at any `#` or `;`.
pub(super) fn written(value: &str) -> String {
    let is_plain = meaning(value) == value && !value.contains(['#', ';', '\n']);
    if is_plain { value.to_owned() } else { format!("`{value}`") }
}

/// The same in the place of another value, whose comment stays.
fn written_over(value: &str, old: &str) -> String {
    let fresh = written(value);
    let first = old.split('\n').next().unwrap_or_default();
    let behind = match go_quote(old) {
        Some(quote) => old.rfind(quote).map(|at| at + quote.len()).filter(|_| !old.contains('\n')),
        None => comment(first).filter(|_| first == old).map(|at| first[..at].trim_end().len()),
    };
    let tail = behind.map(|at| &old[at..]).filter(|tail| tail.trim_start().starts_with(['#', ';'])).unwrap_or_default();
    let whole = format!("{fresh}{tail}");
    if meaning(&whole) == value { whole } else { fresh }
}

/// The account that a header is for. go-ini takes a header to the letter; quotes are TOML's, and blanks nobody's.
fn account(header: &str) -> &str {
    let header = header.trim();
    let unquoted = |quote| header.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    unquoted('"').or_else(|| unquoted('\'')).unwrap_or(header)
}

/// The header of an account.
fn header<'i>(ini: &'i Ini, name: &str) -> Option<&'i str> {
    let headers = ini.sections();
    headers.iter().find(|header| **header == name).or_else(|| headers.iter().find(|header| account(header) == name)).copied()
}

/// The accounts.
pub(super) fn names(ini: &Ini) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for header in ini.sections() {
        let name = account(header).to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The settings of a section, each once.
pub(super) fn pairs<'i>(ini: &'i Ini, name: &str) -> Option<Vec<(&'i str, String)>> {
    let section = match header(ini, name) {
        Some(header) => header,
        None if name == GO_DEFAULT => GO_DEFAULT,
        None => return None,
    };
    Some(ini.pairs(section).into_iter().map(|(key, raw)| (key, meaning(raw))).collect())
}

/// Sets keys of an account.
pub(super) fn set(ini: &mut Ini, name: &str, pairs: &[(&str, &str)]) {
    /// How many columns the old tools pad names to.
    const WIDTH: usize = 20;
    let section = header(ini, name).unwrap_or(name).to_owned();
    let text = |key: &str, value: &str| ini.get(&section, key).map_or_else(|| written(value), |old| written_over(value, old));
    let texts: Vec<(&str, String)> = pairs.iter().map(|(key, value)| (*key, text(key, value))).collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(key, value)| (*key, value.as_str())).collect();
    ini.set(&section, &texts, WIDTH);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_mean_what_they_meant() {
        for (raw, value) in [
            ("https://id.example/#/hash", "https://id.example/#/hash"),
            ("x # why", "x"),
            ("x ; why", "x"),
            ("x ; y # why", "x ; y"),
            ("x\t# why", "x\t# why"),
            ("# no value", "# no value"),
            ("`a # b`", "a # b"),
            ("`a # b` # `c`", "a # b` # `c"),
            ("\"a # b\" # c", "\"a"),
            ("\"a\" # b", "a"),
            ("'q'", "q"),
            ("\"a\" b", "\"a\" b"),
            ("\"a\"b\"", "\"a\"b\""),
            ("\"\"\"raw\"\"\"", "raw"),
            ("", ""),
            ("\"", "\""),
            ("one \\\n  two\\\r\n three # four", "one twothree # four"),
            ("`one\n  two` # three", "one\n  two"),
            ("C:\\dir\\", "C:\\dir"),
        ] {
            assert_eq!(meaning(raw), value, "{raw}");
        }
    }

    #[test]
    fn a_comment_stays_behind_a_new_value() {
        for (old, value, new) in [
            ("x   # why", "y", "y   # why"),
            ("`a # b` ; why", "c # d", "`c # d` ; why"),
            ("x # by `me`", "a#b", "`a#b`"),
            ("x ; a # b", "y", "y # b"),
            ("x", "a\"b", "a\"b"),
            ("\"x\"", "y", "y"),
            ("`a\nb` # c", "y", "y"),
        ] {
            assert_eq!(written_over(value, old), new, "{old}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_means_itself(value in "([ a#;`'\"\\\\=:%\\[\\]]|\"\"\"|\u{a0}|é){0,12}") {
            prop_assert_eq!(meaning(&written(&value)), value);
        }

        #[test]
        fn a_value_that_is_set_is_read_and_nothing_else_moves(
            text in "(\\[[ab]\\]\n|[ab] ?[=:] ?[xy#;` ]{0,4}|\"\"\"|\\\\|[ #;ab`]|\r?\n|\t){0,40}",
            value in "[ a#;`'\"\\\\]{1,8}",
        ) {
            let mut ini = Ini::parse_go(&text);
            prop_assert_eq!(ini.to_string(), text);
            if ini.strange().is_none() {
                let before: Vec<(String, String)> = pairs(&ini, "a").unwrap_or_default().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
                set(&mut ini, "b", &[("k", &value), ("b", &value)]);
                let again = Ini::parse_go(&ini.to_string());
                prop_assert_eq!(again.strange(), None);
                let set = pairs(&again, "b").unwrap_or_default();
                let last = |key: &str| set.iter().rev().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
                prop_assert_eq!(last("k"), Some(value.clone()));
                prop_assert_eq!(last("b"), Some(value));
                let after: Vec<(String, String)> = pairs(&again, "a").unwrap_or_default().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
                prop_assert_eq!(before, after);
            }
        }
    }
}
