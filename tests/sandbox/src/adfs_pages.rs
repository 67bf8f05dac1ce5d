//! The pages of AD FS, close to its own markup, and who meets them. A page has the form of its step and often a second one, `options`,
//! with links that a script turns into a choice.

use crate::people::{Grant, Person, Push};
use crate::wire::{Reply, escape};

/// A second factor as AD FS's adapters ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdfsFactor {
    /// Symantec VIP: a code.
    Vip,
    /// Azure: a code, after a page that only opens it.
    AzureCode,
    /// Azure: an approval with a number to match.
    AzurePush,
    /// The server beside AD FS: an approval.
    AzureServer,
    /// One Identity Defender: a code.
    Defender,
    /// RSA SecurID: a passcode.
    Rsa,
    /// RSA SecurID, second edition: the same after a form that only opens it, then the token's next code.
    RsaSecond,
    /// Duo. Offered to the client, but the box has no Duo.
    Duo,
}

impl AdfsFactor {
    /// What the adapter calls itself.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Vip => "VIPAuthenticationProviderWindowsAccountName",
            Self::AzureCode | Self::AzurePush => "AzureMfaAuthentication",
            Self::AzureServer => "AzureMfaServerAuthentication",
            Self::Defender => "Defender AD FS Adapter",
            Self::Rsa => "SecurIDAuthentication",
            Self::RsaSecond => "SecurIDv2Authentication",
            Self::Duo => "DuoAdfsAdapter",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Vip => "Symantec VIP",
            Self::AzureCode | Self::AzurePush => "Azure Multi-Factor Authentication",
            Self::AzureServer => "Multi-Factor Authentication Server",
            Self::Defender => "Defender",
            Self::Rsa | Self::RsaSecond => "RSA SecurID",
            Self::Duo => "Duo Authentication for AD FS",
        }
    }
}

/// What only AD FS knows of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adfs {
    /// The factors; if there are none, those of the person, as Azure asks for them.
    pub factors: Vec<AdfsFactor>,
    /// The account is locked.
    pub locked: bool,
}

/// People that only AD FS tells apart.
pub(crate) fn people() -> Vec<Person> {
    const GUIDE: &str = "012345678987";
    const OTHER: &str = "210987654321";
    let with = |name: &str, factors: &[AdfsFactor]| {
        let mut person = Person::new(&format!("{name}@example.com"), &format!("{name}-signs-in-at-adfs"))
            .with_totp("MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U")
            .with_role(Grant::aws(GUIDE, "AcmeJumpCloudAdminRO").up_to(43200))
            .with_role(Grant::aws(OTHER, "Developer"))
            .with_role(Grant::alibaba(GUIDE, "AcmeJumpCloudAdminRO").up_to(43200));
        person.adfs.factors = factors.to_vec();
        person.push = Push::Accepted { after: 1 };
        person
    };
    let mut hanna = with("hanna", &[]);
    (hanna.totp_secret, hanna.factors) = (None, Vec::new());
    let mut gita = with("gita", &[]);
    gita.adfs.locked = true;
    vec![
        with("amelia", &[AdfsFactor::Vip]),
        with("boris", &[AdfsFactor::Defender]),
        with("clara", &[AdfsFactor::AzureServer]),
        with("diego", &[AdfsFactor::Duo, AdfsFactor::Vip, AdfsFactor::AzurePush]),
        with("jonas", &[AdfsFactor::AzurePush]),
        with("emil", &[AdfsFactor::Rsa]),
        with("fiona", &[AdfsFactor::RsaSecond]),
        gita,
        hanna,
    ]
}

/// What every page needs to lead on.
pub(crate) struct Place<'p> {
    /// The query of this sign-in.
    pub(crate) query: &'p str,
    /// Hidden, and good once.
    pub(crate) context: &'p str,
    /// What went wrong before, perhaps nothing.
    pub(crate) error: &'p str,
}

fn page(title: &str, body: &str) -> Reply {
    Reply::html(
        200,
        format!(
            "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n<meta http-equiv=\"X-UA-Compatible\" content=\"IE=10.000\"/>\n\
             <meta http-equiv=\"content-type\" content=\"text/html;charset=UTF-8\" />\n\
             <meta name='mswebdialog-title' content='Connecting to Acme'/>\n<title>{title}</title>\n\
             <link rel=\"stylesheet\" type=\"text/css\" href=\"/adfs/portal/css/style.css\" />\n</head>\n<body dir=\"ltr\" class=\"body\">\n\
             <div id=\"noScript\"><h1>JavaScript required</h1><p>JavaScript is required. This web browser does not support JavaScript \
             or JavaScript in this web browser is not enabled.</p></div>\n\
             <div id=\"fullPage\"><div id=\"contentWrapper\" class=\"float\"><div id=\"content\"><div id=\"header\">Acme</div>\n\
             <div id=\"workArea\">\n<div id=\"authArea\" class=\"groupMargin\">\n{body}</div></div></div>\n\
             <div id=\"footer\"><span id=\"copyright\">&#169; 2016 Microsoft</span></div></div></div>\n</body>\n</html>\n"
        ),
    )
}

/// The second form, with links for some ways. AD FS writes its address out, port and all.
fn options(place: &Place<'_>, ways: &[AdfsFactor]) -> String {
    let links: String = ways
        .iter()
        .map(|way| {
            let (id, label) = (way.method(), way.label());
            format!("<a class=\"actionLink\" href=\"#\" id=\"{id}\" onclick=\"SelectOption('{id}'); return false;\">{label}</a>")
        })
        .collect();
    format!(
        "<div id=\"authOptions\">\n<form id=\"options\"  method=\"post\" action=\"https://fs.acme.example:443/adfs/ls/IdpInitiatedSignOn.aspx?{}\">\n\
         <script type=\"text/javascript\">\nfunction SelectOption(option) {{\nvar i = document.getElementById('optionSelection');\n\
         i.value = option;\ndocument.forms['options'].submit();\nreturn false;\n}}\n</script>\n\
         <input id=\"optionSelection\" type=\"hidden\" name=\"AuthMethod\" />\n\
         <div id='authOptionLinks' class='groupMargin'>{links}</div>\n</form>\n</div>\n",
        place.query
    )
}

/// User name and password. The button is none: a script sends the form.
pub(crate) fn login(place: &Place<'_>, user: &str) -> Reply {
    page(
        "Sign In",
        &format!(
            "<div id=\"loginArea\">\n<div id=\"loginMessage\" class=\"groupMargin\">Sign in with your organizational account</div>\n\
             <form method=\"post\" id=\"loginForm\" autocomplete=\"off\" novalidate=\"novalidate\" \
             onKeyPress=\"if (event && event.keyCode == 13) Login.submitLoginRequest();\" action=\"/adfs/ls/IdpInitiatedSignOn.aspx?{}\" >\n\
             <div id=\"error\" class=\"fieldMargin error smallText\">\n<span id=\"errorText\" for=\"\">{}</span>\n</div>\n\
             <div id=\"formsAuthenticationArea\">\n<div id=\"userNameArea\">\n\
             <label id=\"userNameInputLabel\" for=\"userNameInput\" class=\"hidden\">User Account</label>\n\
             <input id=\"userNameInput\" name=\"UserName\" type=\"email\" value=\"{}\" tabindex=\"1\" class=\"text fullWidth\" \
             spellcheck=\"false\" placeholder=\"someone@example.com\" autocomplete=\"off\"/>\n</div>\n<div id=\"passwordArea\">\n\
             <label id=\"passwordInputLabel\" for=\"passwordInput\" class=\"hidden\">Password</label>\n\
             <input id=\"passwordInput\" name=\"Password\" type=\"password\" tabindex=\"2\" class=\"text fullWidth\" \
             placeholder=\"Password\" autocomplete=\"off\"/>\n</div>\n<div id=\"kmsiArea\" style=\"display:none\">\n\
             <input type=\"checkbox\" name=\"Kmsi\" id=\"kmsiInput\" value=\"true\" tabindex=\"3\" />\n\
             <label for=\"kmsiInput\">Keep me signed in</label>\n</div>\n<div id=\"submissionArea\" class=\"submitMargin\">\n\
             <span id=\"submitButton\" class=\"submit\" tabindex=\"4\" role=\"button\" \
             onclick=\"return Login.submitLoginRequest();\">Sign in</span>\n</div>\n</div>\n\
             <input id=\"optionForms\" type=\"hidden\" name=\"AuthMethod\" value=\"FormsAuthentication\"/>\n</form>\n{}</div>\n",
            place.query,
            escape(place.error),
            escape(user),
            options(place, &[]),
        ),
    )
}

/// Which second factor.
pub(crate) fn choice(place: &Place<'_>, ways: &[AdfsFactor]) -> Reply {
    let text = "<div class='groupMargin'>For security reasons, we require additional information to verify your account</div>\n";
    page("Sign In", &format!("{text}{}", options(place, ways)))
}

/// What an adapter's page asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Nothing yet: the form opens the adapter.
    Open,
    /// A code.
    Code,
    /// The token's next code.
    NextCode,
    /// An approval, whose number is this.
    Approval(Option<u8>),
}

/// An adapter's page. Its form has no action, so it goes to where the page is.
pub(crate) fn adapter(place: &Place<'_>, factor: AdfsFactor, ask: Ask, others: &[AdfsFactor]) -> Reply {
    let azure = "<input type=\"hidden\" name=\"__EVENTTARGET\" value=\"\"/>\n";
    let submit = "<input id=\"submitButton\" type=\"submit\" name=\"Submit\" value=\"Submit\" />\n";
    let inner = match (factor, ask) {
        (AdfsFactor::Vip, _) => "<input type=\"hidden\" name=\"username\" value=\"\"/><input type=\"hidden\" name=\"password\" value=\"\"/>\n\
             <label for=\"vippassword\" class=\"block\">Security Code</label>\n\
             <input id=\"vippassword\" name=\"security_code\" type=\"text\" value=\"\" class=\"text\"/>\n<input type=\"text\" value=\"no name\"/>\n\
             <input id=\"continueButton\" type=\"submit\" name=\"Continue\" value=\"Continue\"/>\n"
            .to_owned(),
        (AdfsFactor::Defender, _) => format!("<input id=\"oathCode\" name=\"OathCode\" type=\"text\" value=\"\"/>\n{submit}"),
        (AdfsFactor::AzureCode, Ask::Code) => format!(
            "{azure}<p id=\"instructions\">Enter the code that your app shows.</p>\n\
             <input id=\"verificationCodeInput\" name=\"VerificationCode\" type=\"text\" value=\"\" placeholder=\"Verification code\"/>\n\
             <input id=\"signInButton\" type=\"submit\" name=\"SignIn\" value=\"Sign in\"/>\n"
        ),
        (_, Ask::Approval(Some(number))) => format!(
            "{azure}<p id=\"instructions\">Open your Authenticator app and approve the request.</p>\n<p id=\"validEntropyNumber\">{number}</p>\n"
        ),
        (AdfsFactor::AzureCode | AdfsFactor::AzurePush, _) => {
            format!("{azure}<p id=\"instructions\">We are about to verify your account.</p>\n")
        }
        (AdfsFactor::AzureServer, _) => "<p id=\"instructions\">Answer the call on your phone.</p>\n".to_owned(),
        (AdfsFactor::RsaSecond, Ask::Open) => "<input type=\"hidden\" name=\"InitStatus\" value=\"true\"/>\n".to_owned(),
        (_, Ask::NextCode) => {
            format!("<input id=\"nextCodeInput\" name=\"NextCode\" type=\"password\" value=\"\"/>\n{submit}")
        }
        (AdfsFactor::Rsa | AdfsFactor::RsaSecond, _) => format!(
            "<div class=\"groupMargin\">Enter your RSA SecurID passcode.</div>\n\
             <input id=\"passcodeInput\" name=\"Passcode\" type=\"password\" value=\"\" placeholder=\"Passcode\" autocomplete=\"off\" />\n{submit}"
        ),
        (AdfsFactor::Duo, _) => "<iframe id=\"duo_iframe\" width=\"100%\" height=\"500\"></iframe>\n".to_owned(),
    };
    page(
        "Sign In",
        &format!(
            "<div class='fieldMargin bigText'>Welcome</div><div class='groupMargin'>For security reasons, we require additional \
             information to verify your account</div>\n<div class='groupMargin'><div id=\"loginArea\">\n\
             <form method=\"post\" id=\"loginForm\" autocomplete=\"off\">\n\
             <input id=\"authMethod\" type=\"hidden\" name=\"AuthMethod\" value=\"{}\" />\n\
             <input id=\"context\" type=\"hidden\" name=\"Context\" value=\"{}\" />\n\
             <div class=\"fieldMargin error smallText\"><label id=\"errorText\" for=\"\">{}</label></div>\n{inner}</form>\n</div></div>\n{}",
            factor.method(),
            escape(place.context),
            escape(place.error),
            options(place, others),
        ),
    )
}

/// The page that posts the response to the cloud by a script.
pub(crate) fn response(acs: &str, response: &str) -> Reply {
    let acs = acs.replacen(".com/", ".com:443/", 1);
    Reply::html(
        200,
        format!(
            "<html><head><title>Working...</title></head><body><form method=\"POST\" name=\"hiddenform\" action=\"{}\">\
             <input type=\"hidden\" name=\"SAMLResponse\" value=\"{}\" /><noscript><p>Script is disabled. Click Submit to continue.</p>\
             <input type=\"submit\" value=\"Submit\" /></noscript></form><script language=\"javascript\">\
             window.setTimeout('document.forms[0].submit()', 0);</script></body></html>",
            escape(&acs),
            escape(response)
        ),
    )
}
