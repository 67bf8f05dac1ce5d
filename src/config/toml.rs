//! The dialect of new files: TOML with every string quoted, which the old tools read as INI too.

use toml_edit::{DocumentMut, Item, Table, Value};

/// The accounts: every table with a header, by its name; a dotted header is a dotted name.
pub(super) fn names(document: &DocumentMut) -> Vec<String> {
    fn walk(table: &Table, prefix: &str, names: &mut Vec<String>) {
        for (key, item) in table.iter() {
            let Item::Table(inner) = item else { continue };
            let name = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
            if !inner.is_implicit() && !inner.is_dotted() {
                names.push(name.clone());
            }
            walk(inner, &name, names);
        }
    }
    let mut names = Vec::new();
    walk(document, "", &mut names);
    names
}

fn table<'d>(document: &'d DocumentMut, name: &str) -> Option<&'d Table> {
    if let Some(table) = document.get(name).and_then(Item::as_table) {
        return Some(table);
    }
    name.split('.').try_fold(document.as_table(), |table, part| table.get(part).and_then(Item::as_table))
}

fn table_mut<'d>(document: &'d mut DocumentMut, name: &str) -> Option<&'d mut Table> {
    if document.get(name).is_some_and(Item::is_table) {
        return document.get_mut(name).and_then(Item::as_table_mut);
    }
    name.split('.').try_fold(document.as_table_mut(), |table, part| table.get_mut(part).and_then(Item::as_table_mut))
}

/// The settings of an account; what is no string as it is written. Those of no account belong to `DEFAULT`, as in the old tools.
pub(super) fn pairs<'d>(document: &'d DocumentMut, name: &str) -> Option<Vec<(&'d str, String)>> {
    let loose = (name == "DEFAULT").then(|| document.as_table());
    let tables: Vec<&Table> = loose.into_iter().chain(table(document, name)).collect();
    let text = |value: &Value| match value {
        Value::String(text) => text.value().clone(),
        Value::Integer(number) => number.value().to_string(),
        Value::Boolean(switch) => switch.value().to_string(),
        other => other.clone().decorated("", "").to_string(),
    };
    let values = || tables.iter().flat_map(|table| table.iter()).filter_map(|(key, item)| Some((key, item.as_value()?)));
    (!tables.is_empty()).then(|| values().map(|(key, value)| (key, text(value))).collect())
}

/// The pairs of a table that stands in a value: `{ "a" = "b" }`, in TOML or as the text of an INI value.
pub(super) fn table_in(text: &str) -> Option<Vec<(String, String)>> {
    let value: Value = text.parse().ok()?;
    value.as_inline_table()?.iter().map(|(key, value)| Some((key.to_owned(), value.as_str()?.to_owned()))).collect()
}

/// Whether TOML's header for an account is the one that the old tools take for it: no quotes in it.
pub(super) fn is_plain(name: &str) -> bool {
    let is_bare = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    name.split('.').all(is_bare)
}

/// Makes the account's table, below its header.
fn insert<'d>(document: &'d mut DocumentMut, name: &str) -> Option<&'d mut Table> {
    let mut fresh = Table::new();
    if !document.is_empty() {
        fresh.decor_mut().set_prefix("\n");
    }
    // `[a.b]` is a table in a table, which is not there for its own sake. Where `a` is something else, the header is `["a.b"]`.
    let (parents, last) = name.rsplit_once('.').filter(|_| is_plain(name)).unwrap_or(("", name));
    let is_free = parents.split('.').try_fold(Some(document.as_table()), |table, part| match table.and_then(|t| t.get(part)) {
        None => Some(None),
        Some(item) => item.as_table().map(Some),
    });
    let (parents, last) = if is_free.is_some() { (parents, last) } else { ("", name) };
    let mut table = document.as_table_mut();
    for part in parents.split('.').filter(|part| !part.is_empty()) {
        let implicit = || {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        };
        table = table.entry(part).or_insert_with(implicit).as_table_mut()?;
    }
    table.insert(last, Item::Table(fresh));
    table.get_mut(last)?.as_table_mut()
}

/// Sets keys of an account; comments and spacing of their lines stay.
pub(super) fn set(document: &mut DocumentMut, name: &str, pairs: &[(&str, &str)]) {
    if table(document, name).is_none() && insert(document, name).is_none() {
        return;
    }
    let Some(table) = table_mut(document, name) else { return };
    // A table that was there only for what is in it has a header of its own once it says something.
    table.set_implicit(false);
    for (key, text) in pairs {
        let mut value = quoted(text);
        match table.get_mut(key).and_then(Item::as_value_mut) {
            Some(old) => {
                // Assigning alone would lose the comment behind the value.
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            None => _ = table.insert(key, Item::Value(value)),
        }
    }
}

/// The text of a document that was read from `old`, with the line ends of old.
pub(super) fn printed(document: &DocumentMut, old: &str) -> String {
    let mut text = document.to_string().replace("\r\n", "\n");
    let last = |text: &str| text.trim_end_matches(['\r', '\n']).lines().next_back().map(str::to_owned);
    if !old.is_empty() && !old.ends_with('\n') && last(old) == last(&text) {
        text.truncate(text.trim_end_matches('\n').len());
    }
    let is_windows = old.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n"));
    if is_windows { text.replace('\n', "\r\n") } else { text }
}

/// A string that TOML and INI read alike, in every way that the old tools have of reading: between `"""` where it has what begins a
/// comment for some of them, in single quotes where it has what TOML would take for an escape or an end.
fn quoted(text: &str) -> Value {
    let style = if text.contains(['#', ';']) && !text.contains(['\\', '"']) {
        "\"\"\""
    } else if text.contains(['\\', '"']) {
        "'"
    } else {
        "\""
    };
    let parsed = format!("{style}{text}{style}").parse::<Value>().ok();
    parsed.filter(|value| value.as_str() == Some(text)).unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_and_keeps_comments() {
        let text = "# mine\n[a] # account\nurl = \"x\"   # why\nnumber = 3600\n\n[\"b.c\"]\nurl = 'y'\n[d.e]\nurl='z'\n";
        let mut document: DocumentMut = text.parse().unwrap();
        assert_eq!(names(&document), ["a", "b.c", "d.e"]);
        assert_eq!(pairs(&document, "a").unwrap(), [("url", "x".to_owned()), ("number", "3600".to_owned())]);
        assert_eq!(pairs(&document, "d.e").unwrap(), [("url", "z".to_owned())]);
        set(&mut document, "a", &[("url", "new"), ("user", "D\\me")]);
        set(&mut document, "f", &[("url", "w")]);
        assert_eq!(
            document.to_string(),
            "# mine\n[a] # account\nurl = \"new\"   # why\nnumber = 3600\nuser = 'D\\me'\n\n[\"b.c\"]\nurl = 'y'\n[d.e]\nurl='z'\n\n[f]\nurl = \"w\"\n"
        );
    }
}
