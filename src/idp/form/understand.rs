//! What a page of a sign-in wants, read from the page alone. Pure: a page and what was sent so far in, one step out.
//!
//! A page is judged by what it asks for, not by whose product it is: field types first (`password`,
//! `autocomplete=one-time-code`), then the words in names, labels and placeholders.

use crate::http::{Button, Form, Input, InputKind, Page};
use crate::types::{ServiceProvider, Untrusted};

/// What has been sent so far; it decides what a page that asks again means.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Sent {
    pub(super) username: bool,
    pub(super) password: bool,
    pub(super) code: bool,
}

/// One way on from a page that offers several.
pub(super) struct Way {
    /// What the person sees.
    pub(super) label: Untrusted,
    /// The form, with its button pressed or its option taken.
    pub(super) form: Form,
}

/// What to do with a page.
pub(super) enum Step {
    /// The form that hands the response to the cloud.
    Done(Form),
    /// The response is for the cloud, but the form posts it elsewhere.
    Stolen(Form),
    /// User name (if it is asked here) and password.
    Password { form: Form, username: Option<String>, password: String },
    /// The user name alone, on the first of two pages.
    Username { form: Form, username: String },
    /// A one-time code.
    Code { form: Form, code: String },
    /// Several ways on.
    Choice(Vec<Way>),
    /// A form to send as it is.
    Send(Form),
    /// A question to agree to.
    Consent(Form),
    /// A page that leads on by itself.
    Refresh(String),
    /// The password was asked for again: it was wrong.
    Refused,
    /// The code was asked for again.
    CodeRefused { form: Form, code: String },
    /// The page complains and leads nowhere: the code was wrong, and that was the last try.
    CodeDenied,
    /// None of these.
    Lost,
}

/// Reads a page.
pub(super) fn understand(page: &Page, sent: Sent, sp: &ServiceProvider) -> Step {
    if let Some(form) = page.forms.iter().find(|form| form.get("SAMLResponse").is_some_and(|i| !i.value.expose().is_empty())) {
        return response(page, form, sp);
    }
    if let Some(step) = page.forms.iter().find_map(|form| password(form, sent)) {
        return step;
    }
    if let Some((form, code)) = page.forms.iter().find_map(|form| code_field(form, sent).map(|input| (form, input.name.clone())))
    {
        let (form, code) = (form.clone(), code);
        return if sent.code { Step::CodeRefused { form, code } } else { Step::Code { form, code } };
    }
    if let Some((form, field)) = page.forms.iter().find_map(|form| username_field(form).map(|input| (form, input.name.clone()))) {
        return if sent.username { Step::Refused } else { Step::Username { form: form.clone(), username: field } };
    }
    match onward(page) {
        // Nothing to send and something to complain of: that is an answer, not a page that is not understood.
        Step::Lost if page.forms.is_empty() && !page.complaints.is_empty() && sent.code => Step::CodeDenied,
        Step::Lost if page.forms.is_empty() && !page.complaints.is_empty() && sent.password => Step::Refused,
        step => step,
    }
}

/// A page with a response in it: for the cloud, or for somebody on the way who signs again.
fn response(page: &Page, form: &Form, sp: &ServiceProvider) -> Step {
    let Ok(target) = form.target(&page.url) else { return Step::Stolen(form.clone()) };
    if sp.receives_at(&target) {
        return Step::Done(form.clone());
    }
    let value = form.get("SAMLResponse").map(|input| input.value.expose().clone()).unwrap_or_default();
    // Only what is plainly for somebody on the way goes on: addressed to nobody's cloud, and not sent to one either.
    let is_ours = |audience: &String| *audience == sp.entity_id || (sp.is_clouds)(&target, audience);
    match crate::saml::Reading::of(&crate::types::SamlResponse::new(&value)) {
        Ok(reading) if !reading.audiences.is_empty() && !reading.audiences.iter().any(is_ours) => Step::Send(form.clone()),
        _ => Step::Stolen(form.clone()),
    }
}

fn has_word(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// What a field says of itself, in names and labels.
fn told(input: &Input) -> String {
    format!("{} {}", input.name, input.hints)
}

const CODE_WORDS: &[&str] = &[
    "otp",
    "one-time",
    "onetime",
    "one time",
    "passcode",
    "verification",
    "authenticator",
    "mfa",
    "2fa",
    "second factor",
    "twofactor",
];
/// Words that mean a code only after the password has been sent: other pages use them for other things.
const LATER_CODE_WORDS: &[&str] = &["code", "token", "pin", "response", "challenge"];
const USER_WORDS: &[&str] = &["user", "login", "mail", "account", "identifier", "uid", "uname", "userid", "principal", "signin"];

fn asks_code(input: &Input, sent: Sent) -> bool {
    let told = told(input);
    has_word(&told, CODE_WORDS) || ((sent.password || sent.code) && has_word(&told, LATER_CODE_WORDS))
}

/// A form with a password field.
fn password(form: &Form, sent: Sent) -> Option<Step> {
    let fields: Vec<&Input> = form.inputs.iter().filter(|i| i.kind == InputKind::Password && !i.name.is_empty()).collect();
    let [field] = fields.as_slice() else {
        // Two password fields change a password; that is for a browser and the person.
        return (!fields.is_empty()).then_some(Step::Lost);
    };
    if asks_code(field, sent) && !has_word(&field.name, &["passw", "pwd"]) {
        let (form, code) = (form.clone(), field.name.clone());
        return Some(if sent.code { Step::CodeRefused { form, code } } else { Step::Code { form, code } });
    }
    if sent.password {
        return Some(Step::Refused);
    }
    let username = username_field(form).map(|input| input.name.clone());
    Some(Step::Password { form: form.clone(), username, password: field.name.clone() })
}

fn is_line(input: &&Input) -> bool {
    matches!(input.kind, InputKind::Text | InputKind::Email | InputKind::Tel | InputKind::Number | InputKind::Password)
        && !input.name.is_empty()
}

fn code_field(form: &Form, sent: Sent) -> Option<&Input> {
    form.visible().filter(is_line).find(|input| asks_code(input, sent))
}

/// The field for the user name: by its words, else the only line there is.
fn username_field(form: &Form) -> Option<&Input> {
    let lines: Vec<&Input> = form.visible().filter(is_line).filter(|input| input.kind != InputKind::Password).collect();
    let by_word = lines.iter().find(|input| input.kind == InputKind::Email || has_word(&told(input), USER_WORDS));
    by_word.copied().or(match lines.as_slice() {
        [only] if !has_word(&told(only), &["search", "query"]) && only.name != "q" => Some(only),
        _ => None,
    })
}

const NO_WORDS: &[&str] =
    &["no", "cancel", "deny", "decline", "refuse", "reject", "abort", "back", "logout", "disagree", "cancelled"];

/// Whether pressing it says no. Whole words only: `Renovate` is no refusal.
fn says_no(button: &Button) -> bool {
    let words = format!("{} {} {}", button.label, button.name, button.value).to_ascii_lowercase();
    words.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| NO_WORDS.contains(&word))
}

/// A page without a line to fill in: agree, choose, send or follow.
fn onward(page: &Page) -> Step {
    // A form with a line that nobody asked us to fill in (a search box), or one that only changes the language, is not part of the
    // sign-in.
    let is_apart = |form: &&Form| {
        form.visible().any(|i| is_line(&i) || i.kind == InputKind::Textarea)
            || form.inputs.iter().any(|i| has_word(&i.name, &["lang", "locale"]))
    };
    let forms: Vec<&Form> = page.forms.iter().filter(|form| !is_apart(form)).collect();
    let mut ways: Vec<(bool, Way)> = Vec::new();
    for form in &forms {
        ways.extend(ways_of(form));
    }
    let declines = ways.iter().any(|(no, _)| *no);
    let mut ways: Vec<Way> = ways.into_iter().filter(|(no, _)| !no).map(|(_, way)| way).collect();
    match ways.len() {
        0 => page.refresh.clone().map_or(Step::Lost, Step::Refresh),
        1 => {
            let form = ways.remove(0).form;
            if declines { Step::Consent(form) } else { Step::Send(form) }
        }
        _ => Step::Choice(ways),
    }
}

/// The ways that one form offers: its radio buttons or its select's options, else its buttons, else itself.
fn ways_of(form: &Form) -> Vec<(bool, Way)> {
    let first_yes = form.buttons.iter().position(|b| !says_no(b));
    let choice =
        form.inputs.iter().find(|i| matches!(i.kind, InputKind::Radio) || (i.kind == InputKind::Select && i.options.len() > 1));
    if let Some(choice) = choice {
        let options: Vec<(String, String)> = match choice.kind {
            InputKind::Select => choice.options.clone(),
            _ => form
                .inputs
                .iter()
                .filter(|i| i.kind == InputKind::Radio && i.name == choice.name)
                .map(|i| (i.value.expose().clone(), i.hints.clone()))
                .collect(),
        };
        return options
            .into_iter()
            .map(|(value, text)| {
                let mut form = form.clone();
                match choice.kind {
                    InputKind::Select => _ = form.set(&choice.name, value.as_str().into()),
                    _ => form.pick(&choice.name, &value),
                }
                if let Some(index) = first_yes {
                    form.press(index);
                }
                (false, Way { label: label(&text, &value), form })
            })
            .collect();
    }
    if form.buttons.is_empty() {
        // A form without a button is sent by the page's script.
        return if form.inputs.is_empty() && form.action.is_empty() {
            Vec::new()
        } else {
            vec![(false, Way { label: label("", &form.label), form: form.clone() })]
        };
    }
    form.buttons
        .iter()
        .enumerate()
        .map(|(index, button)| {
            let mut pressed = form.clone();
            pressed.press(index);
            (says_no(button), Way { label: label(&button.label, &button.value), form: pressed })
        })
        .collect()
}

/// Text and value, so that a wish finds either (a factor's word is often only in the value).
fn label(text: &str, value: &str) -> Untrusted {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Untrusted::new(match (text.as_str(), value.trim()) {
        ("", value) => value.to_owned(),
        (text, value) if value.is_empty() || text.eq_ignore_ascii_case(value) => text.to_owned(),
        (text, value) => format!("{text} ({value})"),
    })
}
