//! The dialect of new files: TOML with every string quoted, which the old tools read as INI too.

use toml_edit::{DocumentMut, Item, Table, Value};

/// The accounts: every table that has settings in it, by its name; a dotted header is a dotted name.
pub(super) fn names(document: &DocumentMut) -> Vec<String> {
    fn walk(table: &Table, prefix: &str, names: &mut Vec<String>) {
        for (key, item) in table.iter() {
            let Item::Table(inner) = item else { continue };
            let name = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
            if inner.iter().any(|(_, item)| item.is_value()) || inner.is_empty() {
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

/// The settings of an account; numbers and switches as text.
pub(super) fn pairs<'d>(document: &'d DocumentMut, name: &str) -> Option<Vec<(&'d str, String)>> {
    let table = table(document, name)?;
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Boolean(switch) => Some(switch.value().to_string()),
        Value::InlineTable(table) => Some(table.to_string().trim().to_owned()),
        _ => None,
    };
    Some(table.iter().filter_map(|(key, item)| item.as_value().and_then(text).map(|value| (key, value))).collect())
}

/// The pairs of a table that stands in a value: `{ "a" = "b" }`, in TOML or as the text of an INI value.
pub(super) fn table_in(text: &str) -> Option<Vec<(String, String)>> {
    let value: Value = text.parse().ok()?;
    value.as_inline_table()?.iter().map(|(key, value)| Some((key.to_owned(), value.as_str()?.to_owned()))).collect()
}

/// Sets keys of an account; comments and spacing of their lines stay.
pub(super) fn set(document: &mut DocumentMut, name: &str, pairs: &[(&str, &str)]) {
    if table(document, name).is_none() {
        let mut table = Table::new();
        if !document.is_empty() {
            table.decor_mut().set_prefix("\n");
        }
        document.insert(name, Item::Table(table));
    }
    let Some(table) = table_mut(document, name) else { return };
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

/// A string that TOML and INI read alike: in single quotes where it has a backslash, which TOML would take for an escape.
fn quoted(text: &str) -> Value {
    let literal = text.contains('\\') && !text.contains(['\'', '\n', '\r']);
    literal.then(|| format!("'{text}'").parse::<Value>().ok()).flatten().unwrap_or_else(|| Value::from(text))
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
