//! What each line of an INI text is, and which lines belong together. That is where programs disagree.

/// Whose rules say which lines belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// botocore's: what is indented further than the key above it belongs to that key's value.
    Nested,
    /// go-ini's, with which the old tools read: indentation means nothing, a value that begins with a backtick or `"""` ends where they
    /// stand again, and a backslash at the end of a line joins the next one to it.
    GoIni,
}

/// What one line is, seen in its text; with [`Rules::GoIni`] a key has all the lines of its value.
pub(super) enum Said<'t> {
    Section(&'t str),
    Key {
        name: &'t str,
        /// Where the `=` or `:` behind it stands, from the start of the line.
        delimiter: usize,
    },
    Continuation,
    Quiet,
    Strange {
        /// It begins a value whose end never comes.
        is_unclosed: bool,
    },
}

/// A line without its end.
pub(super) fn body(raw: &str) -> &str {
    raw.strip_suffix('\n').map_or(raw, |r| r.strip_suffix('\r').unwrap_or(r))
}

/// How many blanks a line begins with.
pub(super) fn indentation(line: &str) -> usize {
    line.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

/// The lines that are parted already, each with what botocore takes it for.
pub(super) fn nested<'t>(lines: impl Iterator<Item = &'t str>) -> impl Iterator<Item = (&'t str, Said<'t>)> {
    // How far the key above is indented: only what is indented further belongs to its value.
    let mut above: Option<usize> = None;
    lines.map(move |raw| {
        let line = body(raw);
        let text = line.trim_start_matches('\u{feff}').trim_start();
        let (start, trimmed) = (line.len() - text.len(), text.trim_end());
        let said = if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            Said::Quiet
        } else if above.is_some_and(|indent| indentation(line) > indent) {
            Said::Continuation
        } else if let Some(inner) = trimmed.strip_prefix('[').and_then(|t| t.rfind(']').map(|end| &t[..end])) {
            Said::Section(inner.trim())
        } else if let Some(at) = trimmed.find(DELIMITERS) {
            Said::Key { name: trimmed[..at].trim(), delimiter: start + at }
        } else {
            Said::Strange { is_unclosed: false }
        };
        match said {
            Said::Key { .. } => above = Some(indentation(line)),
            Said::Section(_) | Said::Strange { .. } => above = None,
            Said::Continuation | Said::Quiet => {}
        }
        (raw, said)
    })
}

const DELIMITERS: [char; 2] = ['=', ':'];

/// The parts of a text as go-ini takes them: a line each, or a key with all the lines of its value.
pub(super) fn go_ini(text: &str) -> impl Iterator<Item = (&str, Said<'_>)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (length, said) = go_part(rest);
        let (raw, after) = rest.split_at(length);
        rest = after;
        Some((raw, said))
    })
}

/// How long the first line is, its end included.
fn line_length(text: &str) -> usize {
    text.find('\n').map_or(text.len(), |at| at + 1)
}

/// The first part of a text, by its length.
fn go_part(rest: &str) -> (usize, Said<'_>) {
    let length = line_length(rest);
    let line = &rest[..length];
    let text = line.trim_start();
    let start = line.len() - text.len();
    let said = match text.bytes().next() {
        None | Some(b'#' | b';') => Said::Quiet,
        Some(b'[') => match text.rfind(']').map(|end| &text[1..end]) {
            None | Some("") => Said::Strange { is_unclosed: false },
            Some(name) => Said::Section(name),
        },
        Some(_) => match go_key(text) {
            None => Said::Strange { is_unclosed: false },
            Some((name, at)) => match go_value(rest, start + at + 1, length) {
                None => Said::Strange { is_unclosed: true },
                Some(length) => return (length, Said::Key { name, delimiter: start + at }),
            },
        },
    };
    (length, said)
}

/// The name of a key, which may be in quotes, and where its delimiter stands. It cannot be empty.
fn go_key(line: &str) -> Option<(&str, usize)> {
    let quote = match line.as_bytes().first()? {
        b'"' if line.len() > 6 && line.starts_with("\"\"\"") => "\"\"\"",
        b'"' => "\"",
        b'`' => "`",
        _ => "",
    };
    let (name, behind) = if quote.is_empty() {
        (&line[..line.find(DELIMITERS)?], 0)
    } else {
        let inner = &line[quote.len()..];
        let end = inner.find(quote)?;
        (&inner[..end], end + 2 * quote.len())
    };
    let at = behind + line[behind..].find(DELIMITERS)?;
    Some(name.trim()).filter(|name| !name.is_empty()).map(|name| (name, at))
}

/// With go-ini's rules (but for a `"""` that ends a text, which it takes for a value): what opens a value that ends only where it stands again, perhaps lines below.
pub fn go_quote(value: &str) -> Option<&'static str> {
    ["\"\"\"", "`"].into_iter().find(|quote| value.starts_with(quote))
}

/// Where the value ends that begins at `from` in a line of that length; nowhere, if what opens it never closes it.
fn go_value(rest: &str, from: usize, length: usize) -> Option<usize> {
    let value = rest[from..length].trim_start();
    let mut end = length;
    if let Some(quote) = go_quote(value) {
        let mut line = &value[quote.len()..];
        while !line.contains(quote) {
            if end == rest.len() {
                return None;
            }
            let next = end + line_length(&rest[end..]);
            line = &rest[end..next];
            end = next;
        }
        return Some(end);
    }
    let mut line = value;
    while line.trim().ends_with('\\') {
        let next = end + line_length(&rest[end..]);
        line = &rest[end..next];
        // A blank line ends the value and is no part of it.
        if line.trim().is_empty() {
            break;
        }
        end = next;
    }
    Some(end)
}
