//! Text from a server, made safe to print.

use std::fmt;

/// How many characters of a server's text a person is shown.
const SHOWN: usize = 300;

/// What a server said. Printing it folds white space, escapes control and direction-changing
/// characters, and cuts it to a length that a person reads.
#[derive(Clone, PartialEq, Eq)]
pub struct Untrusted(String);

impl Untrusted {
    /// Takes any text; nothing is refused.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether there is anything to read in it.
    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// The text as it came, for comparing; never for printing.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

/// Characters that move the cursor, change colour or reorder what is read (Unicode's bidirectional
/// controls and invisible characters).
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{061C}')
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        let mut gap = false;
        for c in self.0.trim().chars() {
            if c.is_whitespace() {
                gap = true;
                continue;
            }
            if shown >= SHOWN {
                return f.write_str("…");
            }
            if std::mem::take(&mut gap) {
                f.write_str(" ")?;
                shown += 1;
            }
            if is_deceptive(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                write!(f, "{c}")?;
            }
            shown += 1;
        }
        Ok(())
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_are_shown_not_obeyed() {
        let cases = [
            ("plain", "plain"),
            ("a\n\tb  c", "a b c"),
            ("\x1b[31mred", "\\u{1b}[31mred"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("a\u{9b}2Jb", "a\\u{9b}2Jb"),
            ("  ", ""),
        ];
        for (given, shown) in cases {
            assert_eq!(Untrusted::new(given).to_string(), shown);
        }
    }

    #[test]
    fn long_text_is_cut() {
        let shown = Untrusted::new("x".repeat(100_000)).to_string();
        assert_eq!(shown.chars().count(), SHOWN + 1);
    }
}
