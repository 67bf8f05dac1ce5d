//! A page as a sign-in needs it: forms, errors, where it leads.

use std::collections::BTreeMap;
use std::fmt;

use super::form::Form;
use super::reader;
use crate::types::{Secret, Untrusted, WebUrl};

/// A page.
#[derive(Clone)]
pub struct Page {
    /// Where it was found, after all redirects.
    pub url: WebUrl,
    /// The HTTP status.
    pub status: u16,
    /// Its title.
    pub title: Untrusted,
    /// Its forms.
    pub forms: Vec<Form>,
    /// Where `<meta http-equiv=refresh>` leads.
    pub refresh: Option<String>,
    /// What the page marks as an error or a warning, each once.
    pub complaints: Vec<Untrusted>,
    /// The beginning of the visible text.
    pub text: Untrusted,
    /// The texts of the innermost elements that have an `id`, by it.
    texts: BTreeMap<String, Untrusted>,
    /// The page as it came, for what only a script in it says. There may be secrets in it.
    pub source: Secret<String>,
}

impl Page {
    /// Reads a page.
    pub fn parse(url: WebUrl, status: u16, html: &str) -> Self {
        let reader = reader::read(html);
        let mut complaints: Vec<Untrusted> = Vec::new();
        for text in reader.complaints {
            let text = Untrusted::new(text.trim());
            if !text.is_empty() && !complaints.iter().any(|c| c.to_string() == text.to_string()) {
                complaints.push(text);
            }
        }
        Self {
            url,
            status,
            title: Untrusted::new(reader.title.trim()),
            forms: reader.forms,
            refresh: reader.refresh,
            complaints,
            text: Untrusted::new(reader.text),
            texts: reader.named.into_iter().map(|(id, text)| (id, Untrusted::new(text.trim()))).collect(),
            source: html.into(),
        }
    }

    /// What stands in the element with this `id`, if it is a line of text and not empty.
    pub fn text_of(&self, id: &str) -> Option<&Untrusted> {
        self.texts.get(id)
    }

    /// Every such text with its `id`.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &Untrusted)> {
        self.texts.iter().map(|(id, text)| (id.as_str(), text))
    }

    /// What the page says is wrong: what it marks as an error, else the first line that reads like one, else its title.
    pub fn said(&self) -> Untrusted {
        const WORDS: &[&str] = &[
            "incorrect",
            "invalid",
            "wrong",
            "fail",
            "denied",
            "locked",
            "expired",
            "error",
            "not right",
            "disabled",
            "try again",
        ];
        let reads_so = |line: &&str| {
            let lower = line.to_lowercase();
            line.trim().contains(' ') && WORDS.iter().any(|word| lower.contains(word))
        };
        let line = || self.text.raw().lines().find(reads_so).map(Untrusted::new);
        self.complaints.first().cloned().or_else(line).unwrap_or_else(|| self.title.clone())
    }

    /// The page's shape without any of its values, for an error message.
    pub fn outline(&self) -> Outline {
        Outline {
            address: self.url.to_string(),
            status: self.status,
            title: self.title.clone(),
            said: self
                .complaints
                .first()
                .cloned()
                .or_else(|| self.forms.is_empty().then(|| self.text.clone()))
                .filter(|t| !t.is_empty()),
            forms: self
                .forms
                .iter()
                .take(5)
                .map(|form| form.inputs.iter().take(12).map(|input| Untrusted::new(input.name.clone())).collect())
                .collect(),
        }
    }
}

/// A page's shape: where it was, its title and the names of its fields, no values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    address: String,
    status: u16,
    title: Untrusted,
    said: Option<Untrusted>,
    forms: Vec<Vec<Untrusted>>,
}

impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (HTTP {}", self.address, self.status)?;
        if !self.title.is_empty() {
            write!(f, ", titled \"{}\"", self.title)?;
        }
        match self.forms.len() {
            0 => write!(f, ", without a form")?,
            _ => {
                for fields in &self.forms {
                    let names: Vec<String> = fields.iter().filter(|n| !n.is_empty()).map(ToString::to_string).collect();
                    write!(f, ", a form with {}", if names.is_empty() { "no fields".to_owned() } else { names.join(", ") })?;
                }
            }
        }
        f.write_str(")")?;
        if let Some(said) = &self.said {
            write!(f, ", which says: \"{said}\"")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(html: &str) -> Page {
        Page::parse(WebUrl::parse("https://idp.example/a/b").unwrap(), 200, html)
    }

    #[test]
    fn reads_a_login_page() {
        let page = page(
            r#"<!DOCTYPE html><TITLE> Sign &amp; in </TITLE><script>var a = "<form><input name=no>";</script>
            <noscript>Press the button</noscript><FORM METHOD=POST action="/go"><label for=u>User name</label><INPUT id=u name=login>
            <label>Password <input type=Password name=pw></label><input><button>Sign in</button></form><input name=outside>"#,
        );
        assert_eq!(page.title.to_string(), "Sign & in");
        let form = &page.forms[0];
        assert_eq!((page.forms.len(), form.is_post, form.action.as_str(), form.inputs.len()), (1, true, "/go", 3));
        assert_eq!((form.inputs[0].hints.as_str(), form.inputs[1].hints.as_str()), ("u User name", " Password"));
        assert_eq!(form.buttons[0].label, "Sign in");
        assert!(page.text.raw().contains("Press the button"));
    }

    #[test]
    fn finds_what_the_page_complains_of() {
        let page = page(
            r#"<div class="login-form"><div class="message message-negative"><b>Wrong</b> user<br>or password</div>
            <input class=error><p id=errorText>Wrong user or password</p><p>other</p></div>"#,
        );
        let said: Vec<String> = page.complaints.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["Wrong user or password"]);
        assert_eq!(page.said().to_string(), "Wrong user or password");
    }

    #[test]
    fn knows_texts_by_their_ids() {
        let page = page(
            r#"<div id=outer>around<div id=error class=error><span id="errorText" for="">Wrong <b>user</b><br>or password</span></div></div>
            <p id=first>One<p id=second>7<div id=nested>a<div>b</div>c</div><span id=empty> </span><a id=link href=x>Go</a>
            <span id=link>not this</span><textarea id=t>no</textarea><script id=s>no</script><label id=open>to the end"#,
        );
        let texts: Vec<(&str, String)> = page.texts().map(|(id, text)| (id, text.to_string())).collect();
        let expected = [
            ("errorText", "Wrong user or password"),
            ("first", "One"),
            ("link", "Go"),
            ("nested", "a b c"),
            ("open", "to the end"),
            ("second", "7"),
        ];
        assert_eq!(texts, expected.map(|(id, text)| (id, text.to_owned())));
        assert_eq!(page.text_of("second").map(Untrusted::raw), Some("7"));
        assert!(page.text_of("outer").is_none());
    }

    #[test]
    fn texts_by_ids_are_few_and_short() {
        let many: String = (0..5_000).map(|n| format!("<p id=i{n}>{}</p>", "x".repeat(3))).collect();
        assert_eq!(page(&many).texts().count(), 200);
        let long = format!("<p id=a>{}", "<b>x</b>".repeat(50_000));
        assert!(page(&long).text_of("a").is_some_and(|text| text.raw().len() < 2_000));
    }

    #[test]
    fn follows_a_refresh() {
        for (content, url) in
            [("0;url=/next?a=1", Some("/next?a=1")), ("5; URL='x'", Some("x")), ("30", None), ("0;url=", None), ("url", None)]
        {
            assert_eq!(page(&format!("<meta http-equiv=Refresh content=\"{content}\">")).refresh.as_deref(), url, "{content}");
        }
    }

    #[test]
    fn hostile_pages_end_soon() {
        let deep = "<div class=error>".repeat(20_000);
        let wide = format!("<form>{}", "<input name=a><button>".repeat(20_000));
        let many = "<form><input></form>".repeat(20_000);
        let labels = "<label for=x><form><select><option><label>".repeat(10_000);
        let broken = "<form action=\"\u{0}<<<&&&#x110000;&#xD800;</form <input name='";
        for html in [deep.as_str(), &wide, &many, &labels, broken, "", "\u{feff}\u{0}"] {
            let page = page(html);
            assert!(page.forms.len() <= 200);
            assert!(page.outline().to_string().len() < 20_000);
        }
    }

    #[test]
    fn an_outline_has_no_values() {
        let page = page("<title>T\u{1b}[2J</title><form><input type=hidden name=SAMLRequest value=secret><input name='a\nb'>");
        let shown = page.outline().to_string();
        assert_eq!(shown, "https://idp.example/a/b (HTTP 200, titled \"T\\u{1b}[2J\", a form with SAMLRequest, a b)");
    }
}
