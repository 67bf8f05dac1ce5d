//! Pages as real products send them, and pages made to mislead.

use super::understand::{Sent, Step, understand};
use crate::http::Page;
use crate::types::{ServiceProvider, WebUrl};

const START: Sent = Sent { username: false, password: false, code: false };
const AFTER_PASSWORD: Sent = Sent { username: true, password: true, code: false };

fn sp() -> ServiceProvider {
    ServiceProvider {
        entity_id: "urn:amazon:webservices".into(),
        is_acs: |url| url.to_string() == "https://signin.aws.amazon.com/saml",
        is_clouds: |url, audience| url.host() == "signin.other.example" || audience == "urn:other:cloud",
        target: None,
        web_identity: crate::idp::NO_WEB_IDENTITY,
    }
}

fn told(html: &str, sent: Sent) -> String {
    let page = Page::parse(WebUrl::parse("https://idp.example/login").unwrap(), 200, html);
    match understand(&page, sent, &sp()) {
        Step::Done(_) => "done".into(),
        Step::Stolen(_) => "stolen".into(),
        Step::Password { username, password, .. } => format!("password {} {password}", username.unwrap_or_default()),
        Step::Username { username, .. } => format!("username {username}"),
        Step::Code { code, .. } => format!("code {code}"),
        Step::CodeRefused { code, .. } => format!("code refused {code}"),
        Step::CodeDenied => format!("code denied {}", page.said()),
        Step::Choice(ways) => ways.iter().map(|way| way.label.to_string()).collect::<Vec<_>>().join(" | "),
        Step::Send(form) => format!("send {}", form.action),
        Step::Consent(form) => format!("consent {}", body(&form)),
        Step::Refresh(url) => format!("refresh {url}"),
        Step::Refused => format!("refused {}", page.said()),
        Step::Lost => "lost".into(),
    }
}

fn body(form: &crate::http::Form) -> String {
    let request = form.request(&WebUrl::parse("https://idp.example/login").unwrap()).unwrap();
    request.body.map_or_else(|| request.url.expose().query().unwrap_or_default().to_owned(), |body| body.expose().clone())
}

/// Saved pages of real products: the file, what was sent before, what it is.
#[test]
fn real_pages_are_understood() {
    let cases = [
        (include_str!("../../../fixtures/idp/form/pages/simplesamlphp-login.html"), START, "password username password"),
        (
            include_str!("../../../fixtures/idp/form/pages/simplesamlphp-wrong.html"),
            AFTER_PASSWORD,
            "refused Incorrect username or password",
        ),
        (include_str!("../../../fixtures/idp/form/pages/simplesamlphp-source.html"), START, "Staff | Guests"),
        (include_str!("../../../fixtures/idp/form/pages/lemonldap-login.html"), START, "password user password"),
        (include_str!("../../../fixtures/idp/form/pages/lemonldap-wrong.html"), AFTER_PASSWORD, "refused message PE5"),
        (include_str!("../../../fixtures/idp/form/pages/lemonldap-totp.html"), AFTER_PASSWORD, "code code"),
        (include_str!("../../../fixtures/idp/form/pages/samlp-login.html"), START, "password username password"),
        (include_str!("../../../fixtures/idp/form/pages/samlp-user.html"), START, "username username"),
        (
            include_str!("../../../fixtures/idp/form/pages/samlp-wrong.html"),
            AFTER_PASSWORD,
            "refused User or password is not right.",
        ),
        (include_str!("../../../fixtures/idp/form/pages/samlp-code.html"), AFTER_PASSWORD, "code otp"),
    ];
    for (index, (html, sent, expected)) in cases.into_iter().enumerate() {
        let told = told(html, sent);
        assert!(told.starts_with(expected), "page {index}: {told}");
    }
    let choice = told(include_str!("../../../fixtures/idp/form/pages/lemonldap-choice.html"), AFTER_PASSWORD);
    assert!(choice.contains("totp") && choice.contains("ext"), "{choice}");
    let consent = told(include_str!("../../../fixtures/idp/form/pages/simplesamlphp-consent.html"), AFTER_PASSWORD);
    assert!(consent.starts_with("consent ") && consent.contains("&yes="), "{consent}");
}

#[test]
fn made_pages_are_understood() {
    let response = |audience: &str, action: &str| {
        use base64::Engine as _;
        let xml = format!("<Response><Assertion><Audience>{audience}</Audience></Assertion></Response>");
        let value = base64::engine::general_purpose::STANDARD.encode(xml);
        format!("<form method=post action='{action}'><input type=hidden name=SAMLResponse value='{value}'></form>")
    };
    let cases: &[(&str, Sent, &str)] = &[
        (&response("urn:amazon:webservices", "https://signin.aws.amazon.com/saml"), START, "done"),
        (&response("urn:amazon:webservices", "https://evil.example/saml"), START, "stolen"),
        (&response("urn:other:cloud", "https://evil.example/saml"), START, "stolen"),
        (&response("urn:broker", "https://signin.other.example/saml"), START, "stolen"),
        (&response("urn:broker", "https://broker.example/acs"), START, "send https://broker.example/acs"),
        ("<form method=post action=x><input type=hidden name=SAMLResponse value='%%%'></form>", START, "stolen"),
        (
            "<form action=/next><input type=hidden name=SAMLRequest value=x><noscript><input type=submit value=Go></noscript></form>",
            START,
            "send /next",
        ),
        ("<form><input type=password name=old><input type=password name=new></form>", AFTER_PASSWORD, "lost"),
        ("<form><input type=password name=passcode></form>", AFTER_PASSWORD, "code passcode"),
        ("<form><input type=tel name=x autocomplete=one-time-code></form>", START, "code x"),
        ("<form><input name=promo_code><input name=login><input type=password name=p></form>", START, "password login p"),
        ("<form><input name=otp></form>", Sent { code: true, ..AFTER_PASSWORD }, "code refused otp"),
        ("<form><input name=login></form>", Sent { username: true, ..START }, "refused "),
        (
            "<form><select name=language><option>a<option>b</select></form><form action=go><button>Continue</button></form>",
            START,
            "send go",
        ),
        ("<form><button name=a value=1>Renovate</button></form>", START, "send "),
        (
            "<form><input type=hidden name=h value=1><button name=yes value=1>Yes</button><button name=no>No</button></form>",
            START,
            "consent h=1&yes=1",
        ),
        (
            "<form><input type=radio name=f value=sms id=s><label for=s>SMS</label><input type=radio name=f value=app><button>Go</button></form>",
            AFTER_PASSWORD,
            "s SMS (sms) | app",
        ),
        ("<form><select name=f><option value=1>Phone<option value=2>App</select></form>", AFTER_PASSWORD, "Phone (1) | App (2)"),
        ("<meta http-equiv=refresh content='0;url=/on'>", START, "refresh /on"),
        ("<script>location='x'</script>", START, "lost"),
        ("<form><input name=q><button>Search</button></form>", START, "lost"),
        ("<p class=error>Locked for an hour.</p><a href=/>Home</a>", AFTER_PASSWORD, "refused Locked for an hour."),
        ("<p class=error>Wrong code.</p>", Sent { code: true, ..AFTER_PASSWORD }, "code denied Wrong code."),
        ("<p class=error>Maintenance.</p>", START, "lost"),
        ("", START, "lost"),
    ];
    for (html, sent, expected) in cases {
        assert_eq!(told(html, *sent), *expected, "{html}");
    }
}
