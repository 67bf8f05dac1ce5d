//! What both clouds share of console sign-in: keys become an address that opens the cloud's console in a browser.

use std::time::Duration;

use crate::types::{Region, SessionDuration, Untrusted, WebUrl};

/// How a console session should be.
#[derive(Debug, Clone, Copy)]
pub struct ConsoleWish<'w> {
    /// Where the console opens; one that is not of the role's partition is passed over.
    pub region: Option<&'w Region>,
    /// The page that it opens, if not its first.
    pub page: Option<&'w str>,
    /// How long the session lasts, if not as long as the keys (AWS).
    pub duration: Option<SessionDuration>,
    /// Where a person goes to sign in again when the session has ended.
    pub return_to: &'w WebUrl,
    /// The entity ID of the account, if it names one: it tells Alibaba Cloud's two sites apart.
    pub urn: Option<&'w str>,
}

/// An address that signs whoever opens it in to a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLink {
    /// The address. Its query holds the sign-in token, so it prints without it.
    pub url: WebUrl,
    /// How long the sign-in token is good.
    pub good_for: Duration,
    /// Whether it is good only once.
    pub once: bool,
}

/// Why there is no sign-in, in the words of a page that nobody has described: its text without tags. Long words are left out, for a
/// server may repeat what it was sent, and secrets are long words.
pub(super) fn said(page: &str) -> Untrusted {
    let mut text = String::new();
    let mut is_tag = false;
    for c in page.chars().take(8 * 1024) {
        match c {
            '<' => {
                is_tag = true;
                text.push(' ');
            }
            '>' => is_tag = false,
            _ if is_tag => {}
            _ => text.push(c),
        }
    }
    let words = text.split_whitespace().map(|word| if word.len() > 32 { "…" } else { word });
    Untrusted::new(words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_quoted_without_what_it_repeats() {
        let page = "<html><title>400</title><p>Bad  session: {\"sessionKey\":\"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"} Try again.</p>";
        assert_eq!(said(page).to_string(), "400 Bad session: … Try again.");
        assert!(said("<p></p>").is_empty());
    }
}
