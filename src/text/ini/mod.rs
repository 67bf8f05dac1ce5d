//! INI text, line by line. Every line that is not changed is kept to the byte: comments, blanks, odd spacing,
//! line ends, nested blocks. No INI library does that (docs/decisions/own-ini-editor.md).
//!
//! What a value *means* differs between programs (quotes, inline comments); that is the caller's business. Here
//! a value is the text between the delimiter and the end of its last line, trimmed.

mod lines;

pub use lines::go_quote;

use lines::{Rules, Said, body, indentation};

/// How many columns the names of new keys are padded to, so that the ` = ` stand in one column.
type Width = usize;

/// One line, with its line end; with go-ini's rules a key with all the lines of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// The line with its end, as it stands in the file.
    raw: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Section(String),
    Key {
        name: String,
        /// Where the `=` or `:` stands in the line.
        delimiter: usize,
    },
    /// Indented under a key: it belongs to the value above (nested blocks as in `s3 =`).
    Continuation,
    /// Blank or comment.
    Quiet,
    /// None of these: no delimiter, no name, or a value without an end.
    Strange {
        is_unclosed: bool,
    },
}

impl Kind {
    fn is_key(&self, wanted: &str) -> bool {
        matches!(self, Self::Key { name, .. } if name == wanted)
    }
}

/// A whole INI text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ini {
    lines: Vec<Line>,
    rules: Rules,
}

/// A line that is nothing that there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrangeLine {
    /// Its number, from 1.
    pub number: usize,
    /// It begins a value that is never closed.
    pub is_unclosed: bool,
}

/// go-ini's section for keys that stand in none.
pub const GO_DEFAULT: &str = "DEFAULT";

/// The keys of one section with their raw values, as [`Ini::pairs`] gives them, without taking the whole text apart: for files of
/// thousands of profiles on the way to a child.
pub fn section<'t>(text: &'t str, section: &str) -> Vec<(&'t str, &'t str)> {
    // Outside the section only headers count, and a line that begins with a bracket is one. A bracket behind blanks is one or not by
    // what stands above it, so a text with such lines is read with care.
    let is_behind_blank = |(at, _): (usize, &str)| at > 0 && matches!(text.as_bytes()[at - 1], b' ' | b'\t');
    let with_care = text.match_indices('[').any(is_behind_blank) || text.starts_with('\u{feff}');
    let mut inside = with_care;
    let relevant = text.split_inclusive('\n').filter(move |raw| {
        let line = raw.trim_start_matches('\u{feff}');
        if !with_care && line.starts_with('[') {
            inside = line.trim()[1..].trim_start().starts_with(section);
            return true;
        }
        inside
    });
    let mut within = false;
    let mut pairs = Vec::new();
    for (raw, said) in lines::nested(relevant) {
        match said {
            Said::Section(name) => within = name == section,
            Said::Key { name, delimiter } if within => pairs.push((name, raw[delimiter + 1..].trim())),
            _ => {}
        }
    }
    pairs
}

impl Ini {
    /// Takes a text apart. Whatever it is, printing it gives the same bytes again.
    ///
    /// What is indented below a key belongs to its value, as botocore's parser has it.
    pub fn parse(text: &str) -> Self {
        Self::of(lines::nested(text.split_inclusive('\n')), Rules::Nested)
    }

    /// The same as go-ini reads it: a value may have several lines, and indentation means nothing.
    pub fn parse_go(text: &str) -> Self {
        Self::of(lines::go_ini(text), Rules::GoIni)
    }

    fn of<'t>(lines: impl Iterator<Item = (&'t str, Said<'t>)>, rules: Rules) -> Self {
        let owned = |(raw, kind): (&str, Said<'_>)| Line {
            raw: raw.to_owned(),
            kind: match kind {
                Said::Section(name) => Kind::Section(name.to_owned()),
                Said::Key { name, delimiter } => Kind::Key { name: name.to_owned(), delimiter },
                Said::Continuation => Kind::Continuation,
                Said::Quiet => Kind::Quiet,
                Said::Strange { is_unclosed } => Kind::Strange { is_unclosed },
            },
        };
        Self { lines: lines.map(owned).collect(), rules }
    }

    /// The names of the sections, in order, each once.
    pub fn sections(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for line in &self.lines {
            if let Kind::Section(name) = &line.kind
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        names
    }

    /// The keys of a section with their raw values, in order; of keys that stand twice, both. A section that
    /// stands twice is read as one.
    pub fn pairs(&self, section: &str) -> Vec<(&str, &str)> {
        self.within(section).filter_map(|index| self.pair(index)).collect()
    }

    /// The raw value of a key: the last one, if it stands more than once.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.pairs(section).into_iter().rev().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// What is indented below a key of a section, as `name = value`: the blocks of AWS's configuration.
    pub fn nested(&self, section: &str, key: &str) -> Vec<(&str, &str)> {
        let of_key = |index: &usize| self.pair(*index).is_some_and(|(name, _)| name.eq_ignore_ascii_case(key));
        let below = |index: usize| self.lines[index + 1..].iter().take_while(|line| line.kind == Kind::Continuation);
        let lines = self.within(section).filter(of_key).flat_map(below);
        lines.filter_map(|line| line.raw.split_once(['=', ':'])).map(|(name, value)| (name.trim(), value.trim())).collect()
    }

    /// Whether there is such a section.
    pub fn has(&self, section: &str) -> bool {
        self.sections().contains(&section)
    }

    /// The first line that is neither section, key, comment nor blank.
    pub fn strange(&self) -> Option<StrangeLine> {
        let mut number = 1;
        for line in &self.lines {
            if let Kind::Strange { is_unclosed } = line.kind {
                return Some(StrangeLine { number, is_unclosed });
            }
            number += line.raw.matches('\n').count();
        }
        None
    }

    fn pair(&self, index: usize) -> Option<(&str, &str)> {
        let line = &self.lines[index];
        let Kind::Key { name, delimiter } = &line.kind else { return None };
        Some((name.as_str(), line.raw[delimiter + 1..].trim()))
    }

    /// The numbers of the lines of a section, its header left out.
    fn within<'s>(&'s self, section: &'s str) -> impl Iterator<Item = usize> + 's {
        let mut inside = self.rules == Rules::GoIni && section == GO_DEFAULT;
        self.lines.iter().enumerate().filter_map(move |(index, line)| {
            if let Kind::Section(name) = &line.kind {
                inside = name == section;
                return None;
            }
            inside.then_some(index)
        })
    }

    /// The line end that this file uses.
    fn end(&self) -> &'static str {
        if self.lines.first().is_some_and(|line| line.raw.ends_with("\r\n")) { "\r\n" } else { "\n" }
    }

    /// Sets keys of a section, each to a value that has no line end (with go-ini's rules: none outside its quotes). A key that is there keeps its line's spacing
    /// around the delimiter; new ones are added below the section's last line, a new section at the end.
    pub fn set(&mut self, section: &str, pairs: &[(&str, &str)], width: Width) {
        debug_assert!(
            self.rules == Rules::GoIni || pairs.iter().all(|(_, value)| !value.contains(['\n', '\r'])),
            "a value is one line"
        );
        let end = self.end();
        if !self.has(section) {
            self.add_section(section, end);
        }
        for (key, value) in pairs {
            let found: Vec<usize> = self.within(section).filter(|index| self.lines[*index].kind.is_key(key)).collect();
            match found.split_last() {
                // Of a key that stands twice readers take the last, so that is the one to set.
                Some((last, _)) => self.replace_value(*last, value),
                None => {
                    let mut at = self.last_line(section) + 1;
                    let indent = self.indent_at(section, at);
                    if self.joins_what_follows(at - 1) {
                        self.lines.insert(at, Line { raw: end.to_owned(), kind: Kind::Quiet });
                        at += 1;
                    }
                    let start = format!("{indent}{key:<width$} ");
                    let kind = Kind::Key { name: (*key).to_owned(), delimiter: start.len() };
                    self.lines.insert(at, Line { raw: format!("{start}= {value}{end}"), kind });
                }
            }
        }
    }

    /// Takes keys out of a section, with what is indented below them.
    pub fn remove(&mut self, section: &str, keys: &[&str]) {
        let doomed: Vec<usize> =
            self.within(section).filter(|i| keys.iter().any(|key| self.lines[*i].kind.is_key(key))).collect();
        for index in doomed.into_iter().rev() {
            self.remove_continuations(index);
            self.lines.remove(index);
        }
    }

    /// Whether a line would take the next one for a part of its value, were there one.
    fn joins_what_follows(&self, index: usize) -> bool {
        let Some((_, value)) = self.pair(index) else { return false };
        self.rules == Rules::GoIni && value.ends_with('\\') && go_quote(value).is_none()
    }

    fn add_section(&mut self, section: &str, end: &str) {
        if let Some(last) = self.lines.last_mut() {
            if !last.raw.ends_with('\n') {
                last.raw.push_str(end);
            }
            if !body(&last.raw).trim().is_empty() {
                self.lines.push(Line { raw: end.to_owned(), kind: Kind::Quiet });
            }
        }
        self.lines.push(Line { raw: format!("[{section}]{end}"), kind: Kind::Section(section.to_owned()) });
    }

    /// The last line of the section's (last) block that belongs to a key, or its header. It ends with a line end afterwards.
    fn last_line(&mut self, section: &str) -> usize {
        let header =
            self.lines.iter().rposition(|line| matches!(&line.kind, Kind::Section(name) if name == section)).unwrap_or_default();
        let next = self.lines.iter().skip(header + 1).position(|line| matches!(line.kind, Kind::Section(_)));
        let stop = next.map_or(self.lines.len(), |offset| header + 1 + offset);
        let last = (header..stop)
            .rev()
            .find(|index| matches!(self.lines[*index].kind, Kind::Key { .. } | Kind::Continuation))
            .unwrap_or(header);
        let end = self.end();
        if !self.lines[last].raw.ends_with('\n') {
            self.lines[last].raw.push_str(end);
        }
        last
    }

    /// The indentation for a new key at line `at`: that of the section's other keys, else that of what follows,
    /// which must not become part of the new key's value.
    fn indent_at(&self, section: &str, at: usize) -> String {
        let header = self.lines[..at]
            .iter()
            .rposition(|line| matches!(&line.kind, Kind::Section(name) if name == section))
            .unwrap_or_default();
        let key = (header..at).rev().find(|i| matches!(self.lines[*i].kind, Kind::Key { .. }));
        let like = key.or_else(|| (at..self.lines.len()).find(|i| self.lines[*i].kind != Kind::Quiet));
        like.map(|index| body(&self.lines[index].raw)).map(|line| line[..indentation(line)].to_owned()).unwrap_or_default()
    }

    fn replace_value(&mut self, index: usize, value: &str) {
        let Line { raw, kind: Kind::Key { delimiter: at, .. } } = &self.lines[index] else { return };
        let (at, text) = (*at, body(raw));
        let ending = &raw[text.len()..];
        if text[at + 1..].trim() == value {
            return;
        }
        let space: String = text[at + 1..].chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
        // `key =` has no space to keep.
        let space = if space.is_empty() && text[..at].ends_with(' ') { " ".to_owned() } else { space };
        self.lines[index].raw = format!("{}{space}{value}{ending}", &text[..=at]);
        self.remove_continuations(index);
    }

    fn remove_continuations(&mut self, index: usize) {
        while self.lines.get(index + 1).is_some_and(|line| line.kind == Kind::Continuation) {
            self.lines.remove(index + 1);
        }
    }
}

impl std::fmt::Display for Ini {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lines.iter().try_for_each(|line| f.write_str(&line.raw))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str =
        "# mine\n[default]\naws_access_key_id=AKIA#x\ns3 =\n  max = 1\n  k = v\n\n; note\n[work] # why\nregion : eu\n";

    #[test]
    fn reads() {
        let ini = Ini::parse(FILE);
        assert_eq!(ini.sections(), ["default", "work"]);
        assert_eq!(ini.pairs("default"), [("aws_access_key_id", "AKIA#x"), ("s3", "")]);
        assert_eq!(ini.get("work", "region"), Some("eu"));
        assert_eq!(ini.strange(), None);
        assert_eq!(Ini::parse("[a]\nx\n").strange(), Some(StrangeLine { number: 2, is_unclosed: false }));
    }

    #[test]
    fn sets_and_keeps_the_rest() {
        let mut ini = Ini::parse(FILE);
        ini.set("default", &[("aws_access_key_id", "ASIA"), ("new", "1")], 3);
        assert_eq!(
            ini.to_string(),
            "# mine\n[default]\naws_access_key_id=ASIA\ns3 =\n  max = 1\n  k = v\nnew = 1\n\n; note\n[work] # why\nregion : eu\n"
        );
        ini.remove("default", &["s3"]);
        assert!(!ini.to_string().contains("max"));
        ini.set("more", &[("k", "v")], 1);
        assert!(ini.to_string().ends_with("region : eu\n\n[more]\nk = v\n"));
    }

    #[test]
    fn line_ends_and_missing_last_one() {
        let mut ini = Ini::parse("[a]\r\nk=1\r\n[b]\r\nx=1");
        ini.set("b", &[("y", "2")], 1);
        ini.set("c", &[("z", "3")], 1);
        assert_eq!(ini.to_string(), "[a]\r\nk=1\r\n[b]\r\nx=1\r\ny = 2\r\n\r\n[c]\r\nz = 3\r\n");
        let mut empty = Ini::parse("");
        empty.set("a", &[("k", "v")], 1);
        assert_eq!(empty.to_string(), "[a]\nk = v\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn printing_is_the_identity(text in "(\\[[ab]\\]|[ab] ?[=:]|[ #;=\\[\\]ab\"'`]|\r?\n|\t){0,60}") {
            prop_assert_eq!(Ini::parse(&text).to_string(), text);
        }

        #[test]
        fn a_set_value_is_read_back_and_others_stay(text in "(\\[[ab]\\]\n|[ab] ?[=:] ?[xy]{0,2}|[ #;ab]|\r?\n|\t){0,40}", value in "[a-z#;=\\[\\]\"]{1,6}") {
            let mut ini = Ini::parse(&text);
            let before: Vec<(String, String)> = ini.pairs("a").iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            ini.set("b", &[("k", &value)], 1);
            let printed = ini.to_string();
            let again = Ini::parse(&printed);
            prop_assert_eq!(again.get("b", "k"), Some(value.as_str()));
            prop_assert_eq!(section(&printed, "b"), again.pairs("b"));
            let whole = Ini::parse(&text);
            prop_assert_eq!(section(&text, "a"), whole.pairs("a"));
            let after: Vec<(String, String)> = again.pairs("a").iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            prop_assert_eq!(before, after);
        }
    }
}
