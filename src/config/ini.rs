//! The old tools' dialect of INI, as their library (go-ini) reads it.

use crate::text::ini::Ini;

/// What a raw value means: quotes around the whole are taken off; a comment begins at ` #` or ` ;`.
pub(super) fn meaning(raw: &str) -> String {
    let raw = raw.trim();
    for quote in ["\"\"\"", "\"", "'", "`"] {
        if let Some(inner) = raw.strip_prefix(quote)
            && let Some(end) = inner.find(quote)
        {
            let rest = inner[end + quote.len()..].trim();
            if rest.is_empty() || rest.starts_with(['#', ';']) {
                return inner[..end].to_owned();
            }
        }
    }
    let comment = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| raw.find(mark)).min();
    comment.map_or(raw, |at| raw[..at].trim_end()).to_owned()
}

/// How a value is written so that it means the same again, here and in the old tools.
pub(super) fn written(value: &str) -> String {
    let plain = meaning(value) == value && !value.contains(['#', ';']) && !value.ends_with('\\');
    if plain {
        value.to_owned()
    } else if value.contains('`') {
        format!("\"{value}\"")
    } else {
        format!("`{value}`")
    }
}

/// The settings of a section.
pub(super) fn pairs<'i>(ini: &'i Ini, section: &str) -> Vec<(&'i str, String)> {
    ini.pairs(section).into_iter().map(|(key, raw)| (key, meaning(raw))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_mean_what_they_meant() {
        for (raw, value) in [
            ("https://id.example/#/hash", "https://id.example/#/hash"),
            ("x # why", "x"),
            ("x ; why", "x"),
            ("`a # b`", "a # b"),
            ("\"a # b\" # c", "a # b"),
            ("'q'", "q"),
            ("\"a\" b", "\"a\" b"),
            ("\"\"\"raw\"\"\"", "raw"),
            ("", ""),
            ("\"", "\""),
        ] {
            assert_eq!(meaning(raw), value, "{raw}");
        }
        for value in ["plain", "https://x/#/y", "a ; b", "'q'", "DOMAIN\\user", "end\\", "`", "a=b:c"] {
            assert_eq!(meaning(&written(value)), value, "{value}");
        }
    }
}
