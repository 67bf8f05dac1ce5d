//! A form of a page: its own fields, sent back as a browser would.

use crate::types::{BadUrl, Secret, WebUrl};
use crate::world::{Method, Request};

/// What kind of field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum InputKind {
    Hidden,
    /// `text`, `search`, or a kind that browsers show as text.
    Text,
    Email,
    Tel,
    Number,
    Password,
    Checkbox,
    Radio,
    Select,
    Textarea,
    File,
}

/// A field.
#[derive(Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name; a field without one is never sent.
    pub name: String,
    /// Its kind.
    pub kind: InputKind,
    /// What it holds. The page may have put secrets in it, so it does not print.
    pub value: Secret<String>,
    /// Whether a check box or radio button is on.
    pub checked: bool,
    /// `id`, `autocomplete`, `placeholder`, `aria-label` and the text of its label: what it says of itself.
    pub hints: String,
    /// The values and texts that a select offers.
    pub options: Vec<(String, String)>,
}

/// A submit button.
#[derive(Clone, PartialEq, Eq)]
pub struct Button {
    /// Its name, perhaps empty.
    pub name: String,
    /// What it sends.
    pub value: String,
    /// What is written on it.
    pub label: String,
}

/// A form.
#[derive(Clone, Default)]
pub struct Form {
    /// Where it is sent, as the page wrote it.
    pub action: String,
    /// Whether it is sent by POST.
    pub is_post: bool,
    /// `id` and `name`.
    pub label: String,
    /// The fields, in the page's order.
    pub inputs: Vec<Input>,
    /// The submit buttons, in the page's order.
    pub buttons: Vec<Button>,
    /// The button that was pressed.
    pub(super) pressed: Option<usize>,
}

/// A field that the form does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the form has no field `{0}`")]
pub struct NoSuchField(pub String);

impl Form {
    /// The field of that name.
    pub fn get(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// Puts `value` into the field of that name.
    ///
    /// # Errors
    /// [`NoSuchField`]: a value that the page did not ask for would be sent for nothing, or to the wrong page.
    pub fn set(&mut self, name: &str, value: Secret<String>) -> Result<(), NoSuchField> {
        let input = self.inputs.iter_mut().find(|input| input.name == name).ok_or_else(|| NoSuchField(name.to_owned()))?;
        input.value = value;
        input.checked = true;
        Ok(())
    }

    /// Turns on the radio button `name` that has this value, and the others of its name off.
    pub fn pick(&mut self, name: &str, value: &str) {
        for input in self.inputs.iter_mut().filter(|input| input.name == name && input.kind == InputKind::Radio) {
            input.checked = input.value.expose() == value;
        }
    }

    /// Presses the button at `index` of [`Form::buttons`].
    pub fn press(&mut self, index: usize) {
        self.pressed = (index < self.buttons.len()).then_some(index);
    }

    /// The fields that a person would fill in.
    pub fn visible(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(|input| input.kind != InputKind::Hidden)
    }

    /// Where it goes, seen from the page at `base`.
    ///
    /// # Errors
    /// [`BadUrl`] when that is no address that is used.
    pub fn target(&self, base: &WebUrl) -> Result<WebUrl, BadUrl> {
        if self.action.trim().is_empty() { Ok(base.clone()) } else { base.join(&self.action) }
    }

    /// The pairs that are sent: what HTML calls the successful controls.
    fn pairs(&self) -> Vec<(&str, &str)> {
        let fields = self.inputs.iter().filter(|input| match input.kind {
            InputKind::Checkbox | InputKind::Radio => input.checked,
            InputKind::File => false,
            _ => !input.name.is_empty(),
        });
        let pressed = self.pressed.and_then(|index| self.buttons.get(index)).filter(|button| !button.name.is_empty());
        fields
            .filter(|input| !input.name.is_empty())
            .map(|input| (input.name.as_str(), input.value.expose().as_str()))
            .chain(pressed.map(|button| (button.name.as_str(), button.value.as_str())))
            .collect()
    }

    /// The request that sends it.
    ///
    /// # Errors
    /// As [`Form::target`].
    pub fn request(&self, base: &WebUrl) -> Result<Request, BadUrl> {
        let target = self.target(base)?;
        Ok(if self.is_post {
            Request::form(target, self.pairs())
        } else {
            Request { method: Method::Get, url: target.with_query(self.pairs()), headers: Vec::new(), body: None }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Page;

    fn body(form: &Form) -> String {
        let base = WebUrl::parse("https://idp.example/login?a=1").unwrap();
        form.request(&base).unwrap().body.unwrap().expose().clone()
    }

    fn form(html: &str) -> Form {
        Page::parse(WebUrl::parse("https://idp.example/login?a=1").unwrap(), 200, html).forms.remove(0)
    }

    #[test]
    fn sends_what_a_browser_sends() {
        let mut form = form(
            r#"<form method=post><input name=a value=1><input type=hidden name=h value="x&amp;y"><input value=unnamed>
            <input type=checkbox name=off><input type=checkbox name=on checked><input type=radio name=r value=1><input type=radio name=r value=2 checked>
            <select name=s><option value=x>X<option value=y selected>Y</select><textarea name=t>
text</textarea><input type=file name=f><button name=b value=1>No</button><button name=b value=2>Yes</button>"#,
        );
        assert_eq!(body(&form), "a=1&h=x%26y&on=on&r=2&s=y&t=text");
        form.press(1);
        form.pick("r", "1");
        form.set("a", "ä b".into()).unwrap();
        assert_eq!(body(&form), "a=%C3%A4+b&h=x%26y&on=on&r=1&s=y&t=text&b=2");
        assert_eq!(form.set("nope", "x".into()), Err(NoSuchField("nope".into())));
    }

    #[test]
    fn a_get_form_replaces_the_query() {
        let form = form("<form action='?old=1'><input name=q value=2>");
        let base = WebUrl::parse("https://idp.example/login").unwrap();
        assert_eq!(form.request(&base).unwrap().url.expose().as_str(), "https://idp.example/login?q=2");
    }

    #[test]
    fn does_not_send_to_where_secrets_are_read() {
        let form = form("<form method=post action='http://evil.example/'><input type=password name=p>");
        let base = WebUrl::parse("https://idp.example/login").unwrap();
        assert!(form.request(&base).is_err());
    }
}
