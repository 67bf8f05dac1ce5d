//! What is asked of a page, in the page: what it shows, and to fill in its form. Runs in a world of its own there, where the page's
//! scripts can neither see nor change it. Pure text; `drive` sends it.

use serde::Deserialize;

/// What a page shows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Look {
    /// Which document it is: another number after each navigation.
    pub(super) document: f64,
    /// Whose it is.
    pub(super) origin: String,
    /// Its title, in its own words.
    pub(super) title: String,
    /// Whether it is loaded.
    pub(super) ready: bool,
    /// Whether it shows something to fill in or to press.
    pub(super) asks: bool,
    /// Whether it shows an empty field for a password.
    pub(super) password: bool,
    /// Whether it shows an empty field for a user name, and none for a password.
    pub(super) username: bool,
}

/// What both functions below know. A field counts if a person could see and use it.
macro_rules! common {
    () => {
        r#"
const shown = e => !e.disabled && !e.readOnly && e.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})
    && e.getClientRects().length > 0;
const all = selector => [...document.querySelectorAll(selector)].filter(shown);
const passwords = all('input[type=password]');
const texts = all('input:not([type]), input[type=text], input[type=email], input[type=tel], input[type=number]');
const userOf = form => texts.find(e => (!form || e.form === form)
    && /user|login|mail|account|identifier|uid|principal/i.test([e.name, e.id, e.autocomplete, e.placeholder].join(' ')));
"#
    };
}

/// Tells a [`Look`].
pub(super) const LOOK: &str = concat!(
    "function() {",
    common!(),
    r#"
const presses = all('button, input[type=submit], input[type=button], input[type=image], select, [role=button]');
const only = passwords.length === 1 ? passwords[0] : null;
const user = passwords.length ? null : userOf(null);
return {
    document: performance.timeOrigin,
    origin: location.origin,
    title: document.title,
    ready: document.readyState === 'complete',
    asks: passwords.length + texts.length + presses.length > 0,
    password: !!only && !only.value,
    username: !!user && !user.value,
};
}"#
);

/// Fills in the user name, where it is known and asked for, and the password, and sends the form: only in a page of `origin` that is
/// nobody's frame. Says what it filled in: `password`, `username` or nothing.
pub(super) const FILL: &str = concat!(
    "function(origin, username, password) {",
    common!(),
    r#"
if (location.origin !== origin || window !== window.top || passwords.length > 1) return '';
const put = (field, value) => {
    field.focus();
    field.value = value;
    for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, {bubbles: true}));
};
const field = passwords[0];
const user = userOf(field ? field.form : null);
if (field ? (!password || field.value) : !username || !user || user.value) return '';
if (user && !user.value && username) put(user, username);
if (field) put(field, password);
const form = (field || user).form;
const button = [...(form || document).querySelectorAll('[type=submit], button:not([type])')].find(shown);
// A page that checks what is typed may open its button only then.
setTimeout(() => button ? button.click() : form && form.requestSubmit(), 300);
return field ? 'password' : 'username';
}"#
);
