//! What a page of AD FS is, read from the page alone. Pure.
//!
//! Every page has a form of its own (`loginForm`, or the adapter's name for it) and often a second one, `options`, that
//! asks for another way to sign in. Each field is read from, and sent with, the form that it stands in. Which adapter
//! made the page says the hidden `AuthMethod`: <https://learn.microsoft.com/windows-server/identity/ad-fs/development/ad-fs-build-custom-auth-method>.

use crate::http::{Form, Input, InputKind, Page};
use crate::types::Untrusted;

/// A second factor that is spoken here, under the old tools' word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adapter {
    /// Symantec VIP: a code.
    Vip,
    /// Microsoft Entra (Azure) multi-factor authentication: a code, or an approval on a phone.
    Azure,
    /// The same by the server that was installed beside AD FS: a call or an approval.
    AzureServer,
    /// One Identity Defender: a code.
    Defender,
    /// RSA SecurID: a passcode, at times followed by a second one.
    Rsa,
    /// RSA SecurID, second edition: the same after a form that only opens it.
    RsaSecond,
}

impl Adapter {
    /// The adapter that names itself so in `AuthMethod`.
    fn named(method: &str) -> Option<Self> {
        Some(match method {
            "VIPAuthenticationProviderWindowsAccountName" | "VIPAuthenticationProviderUPN" | "SymantecVipAdapter" => Self::Vip,
            "AzureMfaAuthentication" => Self::Azure,
            "AzureMfaServerAuthentication" => Self::AzureServer,
            "Defender AD FS Adapter" => Self::Defender,
            "SecurIDAuthentication" => Self::Rsa,
            "SecurIDv2Authentication" => Self::RsaSecond,
            _ => return None,
        })
    }

    /// The word of `--mfa`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Vip => "VIP",
            Self::Azure | Self::AzureServer => "Azure",
            Self::Defender => "Defender",
            Self::Rsa | Self::RsaSecond => "RSA",
        }
    }
}

/// One way to prove who one is, of a page that offers several.
pub(super) struct Way {
    pub(super) adapter: Adapter,
    /// As the page words it.
    pub(super) label: Untrusted,
    /// The form, with this way taken.
    pub(super) form: Form,
}

/// What a page is.
pub(super) enum Seen {
    /// The form with the response.
    Response(Form),
    /// User name and password, by the names of their fields.
    Login { form: Form, username: String, password: String },
    /// A one-time code.
    Code { form: Form, field: String },
    /// The code after the one that was sent: RSA wants to see the token move on.
    NextCode { form: Form, field: String },
    /// An approval that is waited for: the form is sent until the page is another.
    Wait { form: Form, number: Option<Untrusted>, instructions: Option<Untrusted> },
    /// A form that opens an adapter.
    Open(Form),
    /// Ways to choose from, and nothing else; those that are not known are only named.
    Choice { ways: Vec<Way>, unknown: Vec<Untrusted> },
    /// An adapter that is not spoken here.
    Unknown(Untrusted),
    /// A page of AD FS that says no and leads nowhere.
    Denied,
    /// None of these.
    Lost,
}

/// Reads a page.
pub(super) fn read(page: &Page) -> Seen {
    let with = |name: &str| page.forms.iter().find(|form| form.get(name).is_some_and(|i| !i.value.expose().is_empty()));
    if let Some(form) = with("SAMLResponse") {
        return Seen::Response(form.clone());
    }
    // Duo's own dialogue brings the adapter's name in a field of its own.
    if let Some(method) = with("adfs_auth_method").and_then(|form| form.get("adfs_auth_method")) {
        return Seen::Unknown(Untrusted::new(method.value.expose().clone()));
    }
    if let Some((form, field)) = find(page, |input| is_line(input) && input.name.eq_ignore_ascii_case("NextCode")) {
        return Seen::NextCode { form, field };
    }
    if let Some((form, field)) = find(page, |input| is_line(input) && asks_code(input)) {
        return Seen::Code { form, field };
    }
    if let Some((form, password)) = find(page, |input| input.kind == InputKind::Password) {
        let passwords = form.inputs.iter().filter(|input| input.kind == InputKind::Password).count();
        let username = form.visible().find(|input| is_line(input) && asks_user(input)).map(|input| input.name.clone());
        return match username {
            Some(username) if passwords == 1 => Seen::Login { form, username, password },
            // A page that wants a new password is for a browser and the person.
            _ => Seen::Lost,
        };
    }
    if let Some(form) = with("AuthMethod") {
        return adapters_page(page, form);
    }
    let (ways, unknown) = offered(page);
    if !ways.is_empty() || !unknown.is_empty() {
        return Seen::Choice { ways, unknown };
    }
    // Behind a status like 503 is whoever stands before AD FS, and not its word.
    if page.forms.is_empty() && complaint(page).is_some() && page.status < 500 {
        return Seen::Denied;
    }
    Seen::Lost
}

/// A page of an adapter without a line to fill in.
fn adapters_page(page: &Page, form: &Form) -> Seen {
    let method = method(form);
    match Adapter::named(&method) {
        Some(Adapter::Azure | Adapter::AzureServer) => Seen::Wait {
            form: form.clone(),
            number: page.text_of("validEntropyNumber").cloned(),
            instructions: page.text_of("instructions").cloned(),
        },
        Some(Adapter::RsaSecond) => Seen::Open(form.clone()),
        Some(_) => Seen::Lost,
        None if method == "FormsAuthentication" => Seen::Lost,
        None => Seen::Unknown(Untrusted::new(method)),
    }
}

/// The adapter whose page this is.
pub(super) fn adapter(page: &Page) -> Option<Adapter> {
    page.forms.iter().find_map(|form| Adapter::named(&method(form)))
}

/// The ways of the form `options`: those that are spoken here, and the words for the others. Its links set `AuthMethod` by a script.
pub(super) fn offered(page: &Page) -> (Vec<Way>, Vec<Untrusted>) {
    let (mut ways, mut unknown) = (Vec::new(), Vec::new());
    let Some(form) = page.forms.iter().find(|f| f.label.split(' ').any(|l| l == "options") && f.get("AuthMethod").is_some())
    else {
        return (ways, unknown);
    };
    let source = page.source.expose();
    for (id, label) in page.texts() {
        if !["'", "&#39;"].iter().any(|quote| source.contains(&format!("SelectOption({quote}{id}{quote})"))) {
            continue;
        }
        let mut form = form.clone();
        match (Adapter::named(id), form.set("AuthMethod", id.into())) {
            (Some(adapter), Ok(())) => ways.push(Way { adapter, label: label.clone(), form }),
            _ => unknown.push(label.clone()),
        }
    }
    (ways, unknown)
}

/// What AD FS says went wrong on this page: `span#errorText` or, in older editions, `label#errorText`.
pub(super) fn complaint(page: &Page) -> Option<Untrusted> {
    page.text_of("errorText").or(page.complaints.first()).filter(|text| !text.is_empty()).cloned()
}

/// The same for an error message, which has to say something.
pub(super) fn said(page: &Page) -> Untrusted {
    complaint(page).unwrap_or_else(|| page.said())
}

fn find(page: &Page, wanted: impl Fn(&Input) -> bool) -> Option<(Form, String)> {
    page.forms.iter().find_map(|form| {
        let input = form.inputs.iter().find(|input| !input.name.is_empty() && wanted(input))?;
        Some((form.clone(), input.name.clone()))
    })
}

fn method(form: &Form) -> String {
    form.get("AuthMethod").map(|input| input.value.expose().clone()).unwrap_or_default()
}

fn is_line(input: &Input) -> bool {
    matches!(input.kind, InputKind::Text | InputKind::Email | InputKind::Tel | InputKind::Number | InputKind::Password)
}

/// The names that the adapters give to the field for their code.
fn asks_code(input: &Input) -> bool {
    const NAMES: &[&str] =
        &["security_code", "securitycode", "verificationcode", "challengequestionanswer", "oathcode", "passcode"];
    let name = input.name.to_ascii_lowercase();
    NAMES.iter().any(|known| name.contains(known))
}

fn asks_user(input: &Input) -> bool {
    let name = input.name.to_ascii_lowercase();
    input.kind != InputKind::Password && (name.contains("user") || name.contains("email"))
}
