//! Reads a page from the tokens of a real browser's HTML tokenizer, without building a tree: forms are flat, a broken page cannot
//! break the reading, and the time is linear in the size of the page whatever a server sends (docs/decisions/html-tokenizer.md).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

use super::form::{Button, Form, Input, InputKind};
use crate::types::Secret;

/// How many forms, and fields in all, are read; a page with more is not for people.
const MOST_FORMS: usize = 200;
const MOST_FIELDS: usize = 5_000;
/// How much of the visible text is kept, in bytes.
const MOST_TEXT: usize = 8_000;
/// How many texts are kept by `id`, and how much of each, in characters or so.
const MOST_NAMED: usize = 200;
const MOST_OF_NAMED: usize = 1_000;

/// Reads a page.
pub(super) fn read(html: &str) -> Reader {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Sink(RefCell::new(Reader::default())), TokenizerOpts::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner().finish()
}

struct Sink(RefCell<Reader>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut reader = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                reader.start(&tag);
                // What a browser does not read as markup inside these. With scripting off, <noscript> is markup.
                match &*tag.name {
                    "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
                    "style" | "xmp" | "iframe" | "noembed" | "noframes" => TokenSinkResult::RawData(RawKind::Rawtext),
                    "script" => TokenSinkResult::RawData(RawKind::ScriptData),
                    _ => TokenSinkResult::Continue,
                }
            }
            Token::TagToken(tag) => {
                reader.end(&tag.name);
                TokenSinkResult::Continue
            }
            Token::CharacterTokens(text) => {
                reader.characters(&text);
                TokenSinkResult::Continue
            }
            _ => TokenSinkResult::Continue,
        }
    }
}

/// An element whose text is being gathered as a complaint.
struct Complaint {
    text: String,
    /// How many elements are open inside it.
    depth: usize,
}

/// An element with an `id` whose text is being gathered.
struct Named {
    id: String,
    element: String,
    /// How many elements of the same name are open inside it.
    depth: usize,
    text: String,
}

impl Named {
    fn add(&mut self, text: &str) {
        self.text.extend(text.chars().take(MOST_OF_NAMED.saturating_sub(self.text.len())));
    }
}

/// Where a field is: its form's number, and its own in the form.
type At = (usize, usize);

/// A label that is being read.
struct Label {
    /// The `id` of the field that it names; empty if that is the one inside it.
    target: String,
    text: String,
    inner: Vec<At>,
}

/// What was read of a page.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) title: String,
    pub(super) forms: Vec<Form>,
    pub(super) refresh: Option<String>,
    pub(super) complaints: Vec<String>,
    pub(super) text: String,
    /// The texts of elements with an `id` and no such element inside, by `id`.
    pub(super) named: BTreeMap<String, String>,
    /// The form that fields belong to now.
    open: Option<usize>,
    fields: usize,
    /// Inside <title>, <script> or <style>.
    inside: Option<&'static str>,
    complaint: Option<Complaint>,
    naming: Option<Named>,
    button: Option<At>,
    textarea: Option<At>,
    /// The <option> whose text is being read.
    option: Option<At>,
    label: Option<Label>,
    ids: HashMap<String, At>,
    labels: Vec<(String, String)>,
    /// Fields outside of any form that name theirs by `form=`.
    strays: Vec<(String, Input)>,
}

fn attribute<'t>(tag: &'t Tag, name: &str) -> Option<&'t str> {
    tag.attrs.iter().find(|a| &*a.name.local == name).map(|a| &*a.value)
}

/// Elements that have no end tag.
fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area" | "base" | "br" | "col" | "embed" | "hr" | "img" | "input" | "link" | "meta" | "source" | "track" | "wbr"
    )
}

/// Whether the page marks this element as something gone wrong: by class, id or role.
fn complains(tag: &Tag) -> bool {
    if attribute(tag, "role") == Some("alert") {
        return true;
    }
    ["class", "id"].iter().filter_map(|name| attribute(tag, name)).flat_map(str::split_ascii_whitespace).any(|word| {
        let word = word.to_ascii_lowercase();
        ["error", "alert", "danger", "invalid", "negative", "warning", "feedback"].iter().any(|w| word.contains(w))
    })
}

impl Reader {
    fn start(&mut self, tag: &Tag) {
        let name = &*tag.name;
        if let Some(complaint) = &mut self.complaint {
            if !is_void(name) && !tag.self_closing {
                complaint.depth += 1;
            }
            complaint.text.push(' ');
            // LemonLDAP::NG gives the number of its message and lets a script put the words in.
            if let Some(number) = attribute(tag, "trmsg") {
                complaint.text.push_str("message PE");
                complaint.text.push_str(number);
            }
        } else if complains(tag) && !is_void(name) && !matches!(name, "html" | "body" | "form" | "script" | "style") {
            self.complaint = Some(Complaint { text: String::new(), depth: 1 });
        }
        self.start_named(tag);
        self.text_break();
        match name {
            "title" => self.inside = Some("title"),
            "script" | "style" | "iframe" | "noembed" | "noframes" | "xmp" => self.inside = Some("other"),
            "meta" => self.meta(tag),
            "form" if self.open.is_none() && self.forms.len() < MOST_FORMS => {
                let label = [attribute(tag, "id"), attribute(tag, "name")].into_iter().flatten().collect::<Vec<_>>().join(" ");
                self.forms.push(Form {
                    action: attribute(tag, "action").unwrap_or_default().to_owned(),
                    is_post: attribute(tag, "method").is_some_and(|m| m.trim().eq_ignore_ascii_case("post")),
                    label,
                    ..Form::default()
                });
                self.open = Some(self.forms.len() - 1);
            }
            "input" => self.input(tag),
            "button" => {
                let kind = attribute(tag, "type").unwrap_or("submit").to_ascii_lowercase();
                if let (Some(form), "submit" | "image") = (self.open, kind.as_str()) {
                    self.add_button(form, tag, String::new());
                    self.button = Some((form, self.forms[form].buttons.len() - 1));
                }
            }
            "select" | "textarea" => {
                let kind = if name == "select" { InputKind::Select } else { InputKind::Textarea };
                let at = self.add_input(tag, kind);
                if kind == InputKind::Textarea {
                    self.textarea = at;
                }
            }
            "option" => self.add_option(tag),
            "label" => {
                self.label = Some(Label {
                    target: attribute(tag, "for").unwrap_or_default().to_owned(),
                    text: String::new(),
                    inner: Vec::new(),
                })
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if !is_void(name)
            && let Some(complaint) = &mut self.complaint
        {
            complaint.depth -= 1;
            complaint.text.push(' ');
            if complaint.depth == 0 {
                self.complaints.extend(self.complaint.take().map(|c| c.text));
            }
        }
        self.end_named(name);
        self.text_break();
        match name {
            "title" | "script" | "style" | "iframe" | "noembed" | "noframes" | "xmp" => self.inside = None,
            "form" => self.open = None,
            "button" => self.button = None,
            "textarea" => self.textarea = None,
            "option" | "select" => self.option = None,
            "label" => {
                if let Some(Label { target, text, inner }) = self.label.take() {
                    for (form, input) in inner {
                        self.hint(form, input, &text);
                    }
                    if !target.is_empty() {
                        self.labels.push((target, text));
                    }
                }
            }
            _ => {}
        }
    }

    fn characters(&mut self, text: &str) {
        if let Some((form, input)) = self.textarea {
            // A browser drops the line break that follows the tag.
            let value = &mut self.forms[form].inputs[input].value;
            let mut whole = value.expose().clone();
            whole.push_str(if whole.is_empty() { text.strip_prefix('\n').unwrap_or(text) } else { text });
            *value = Secret::new(whole);
            return;
        }
        match self.inside {
            Some("title") => return self.title.push_str(text),
            Some(_) => return,
            None => {}
        }
        if let Some((form, input)) = self.option {
            if let Some((_, label)) = self.forms[form].inputs[input].options.last_mut() {
                label.push_str(text);
            }
            return;
        }
        if let Some((form, button)) = self.button {
            self.forms[form].buttons[button].label.push_str(text);
        }
        if let Some(label) = &mut self.label {
            label.text.push_str(text);
        }
        if let Some(complaint) = &mut self.complaint
            && complaint.text.len() < MOST_TEXT
        {
            complaint.text.push_str(text);
        }
        if let Some(named) = &mut self.naming {
            named.add(text);
        }
        if self.text.len() < MOST_TEXT {
            // Tags break lines; those of the source do not.
            self.text.extend(text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }));
        }
    }

    /// The innermost element with an `id` is the one that is read; what stands around it is dropped.
    fn start_named(&mut self, tag: &Tag) {
        let name = &*tag.name;
        let is_block = matches!(name, "p" | "div" | "form" | "h1" | "h2" | "ul" | "ol" | "table");
        if is_block && self.naming.as_ref().is_some_and(|named| named.element == "p") {
            // A paragraph ends where the next block begins.
            self.keep_named();
        }
        if let Some(named) = &mut self.naming {
            named.add(" ");
            if named.element == name && !tag.self_closing {
                named.depth += 1;
            }
        }
        if !matches!(name, "a" | "div" | "h1" | "h2" | "label" | "li" | "p" | "span" | "strong" | "td") {
            return;
        }
        if let Some(id) = attribute(tag, "id").filter(|id| !id.is_empty()) {
            self.naming = Some(Named { id: id.to_owned(), element: name.to_owned(), depth: 0, text: String::new() });
        }
    }

    fn end_named(&mut self, name: &str) {
        let Some(named) = &mut self.naming else { return };
        named.add(" ");
        if named.element != name {
            return;
        }
        match named.depth.checked_sub(1) {
            Some(depth) => named.depth = depth,
            None => self.keep_named(),
        }
    }

    fn keep_named(&mut self) {
        if let Some(Named { id, text, .. }) = self.naming.take()
            && self.named.len() < MOST_NAMED
            && !text.trim().is_empty()
        {
            self.named.entry(id).or_insert(text);
        }
    }

    fn text_break(&mut self) {
        if self.text.len() < MOST_TEXT && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    fn meta(&mut self, tag: &Tag) {
        if self.refresh.is_some() || !attribute(tag, "http-equiv").is_some_and(|e| e.trim().eq_ignore_ascii_case("refresh")) {
            return;
        }
        let content = attribute(tag, "content").unwrap_or_default();
        let Some(at) = content.to_ascii_lowercase().find("url") else { return };
        let Some(rest) = content[at + 3..].trim_start().strip_prefix('=') else { return };
        self.refresh = Some(rest.trim().trim_matches(['\'', '"']).to_owned()).filter(|url| !url.is_empty());
    }

    fn input(&mut self, tag: &Tag) {
        let kind = attribute(tag, "type").unwrap_or("text").trim().to_ascii_lowercase();
        let kind = match kind.as_str() {
            "submit" | "image" => {
                if let Some(form) = self.open {
                    let label = attribute(tag, "value").or(attribute(tag, "alt")).unwrap_or_default().to_owned();
                    self.add_button(form, tag, label);
                }
                return;
            }
            "button" | "reset" => return,
            "hidden" => InputKind::Hidden,
            "password" => InputKind::Password,
            "email" => InputKind::Email,
            "tel" => InputKind::Tel,
            "number" => InputKind::Number,
            "checkbox" => InputKind::Checkbox,
            "radio" => InputKind::Radio,
            "file" => InputKind::File,
            _ => InputKind::Text,
        };
        self.add_input(tag, kind);
    }

    fn add_input(&mut self, tag: &Tag, kind: InputKind) -> Option<At> {
        if self.fields >= MOST_FIELDS || attribute(tag, "disabled").is_some() {
            return None;
        }
        let value = match (attribute(tag, "value"), kind) {
            (None, InputKind::Checkbox | InputKind::Radio) => "on",
            (value, _) => value.unwrap_or_default(),
        };
        let hints = ["id", "autocomplete", "placeholder", "aria-label", "title"]
            .iter()
            .filter_map(|n| attribute(tag, n))
            .collect::<Vec<_>>();
        let input = Input {
            name: attribute(tag, "name").unwrap_or_default().to_owned(),
            kind,
            value: value.into(),
            checked: attribute(tag, "checked").is_some(),
            hints: hints.join(" "),
            options: Vec::new(),
        };
        self.fields += 1;
        match (attribute(tag, "form"), self.open) {
            (Some(owner), _) => {
                self.strays.push((owner.to_owned(), input));
                None
            }
            (None, None) => None,
            (None, Some(form)) => {
                self.forms[form].inputs.push(input);
                let at = (form, self.forms[form].inputs.len() - 1);
                if let Some(id) = attribute(tag, "id") {
                    self.ids.insert(id.to_owned(), at);
                }
                if let Some(label) = &mut self.label {
                    label.inner.push(at);
                }
                Some(at)
            }
        }
    }

    fn add_button(&mut self, form: usize, tag: &Tag, label: String) {
        if self.fields >= MOST_FIELDS || attribute(tag, "disabled").is_some() {
            // The caller looks at the last button, so there is one.
            if self.forms[form].buttons.is_empty() {
                self.forms[form].buttons.push(Button { name: String::new(), value: String::new(), label });
            }
            return;
        }
        self.fields += 1;
        self.forms[form].buttons.push(Button {
            name: attribute(tag, "name").unwrap_or_default().to_owned(),
            value: attribute(tag, "value").unwrap_or_default().to_owned(),
            label,
        });
    }

    fn add_option(&mut self, tag: &Tag) {
        let Some(form) = self.open else { return };
        let Some(at) = self.forms[form].inputs.iter().rposition(|i| i.kind == InputKind::Select) else { return };
        self.fields += 1;
        if self.fields >= MOST_FIELDS {
            return;
        }
        let input = &mut self.forms[form].inputs[at];
        let value = attribute(tag, "value").unwrap_or_default().to_owned();
        // A browser sends the option that is marked, else the first.
        if attribute(tag, "selected").is_some() || input.options.is_empty() {
            input.value = Secret::new(value.clone());
        }
        input.options.push((value, String::new()));
        self.option = Some((form, at));
    }

    fn hint(&mut self, form: usize, input: usize, text: &str) {
        let hints = &mut self.forms[form].inputs[input].hints;
        if hints.len() < MOST_TEXT {
            hints.push(' ');
            hints.push_str(text.trim());
        }
    }

    fn finish(mut self) -> Self {
        self.keep_named();
        self.complaints.extend(self.complaint.take().map(|c| c.text));
        self.complaints.truncate(50);
        for (owner, input) in std::mem::take(&mut self.strays) {
            if let Some(form) = self.forms.iter_mut().find(|f| f.label.split(' ').next() == Some(owner.as_str())) {
                form.inputs.push(input);
            }
        }
        for (target, text) in std::mem::take(&mut self.labels) {
            if let Some((form, input)) = self.ids.get(&target).copied() {
                self.hint(form, input, &text);
            }
        }
        self
    }
}
