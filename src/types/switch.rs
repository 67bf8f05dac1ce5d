//! Settings that are on or off, as people write them.

/// A word that is neither true nor false.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is neither true nor false", .0.escape_debug())]
pub struct NoSwitch(pub String);

/// Whether a word means on: the old tools' words in any case.
///
/// # Errors
/// [`NoSwitch`] for another word.
pub fn switch(word: &str) -> Result<bool, NoSwitch> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" | "on" => Ok(true),
        "false" | "f" | "0" | "no" | "n" | "off" => Ok(false),
        other => Err(NoSwitch(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (words, meaning) in
            [("true True TRUE t T 1 yes Yes YES y on On ON", true), ("false False F 0 no NO n off OFF", false)]
        {
            assert!(words.split(' ').all(|word| switch(word) == Ok(meaning)), "{words}");
        }
        for word in ["", "2", "maybe", "ja", "tru", "true # no"] {
            assert_eq!(switch(word), Err(NoSwitch(word.to_owned())));
        }
    }
}
