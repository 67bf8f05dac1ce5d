//! What a page of the organisation is, once the way to the application is open. Pure: a page in, a verdict out.

use crate::http::Page;
use crate::types::{SamlResponse, Secret, ServiceProvider, WebUrl};

/// A verdict.
pub(super) enum AppPage {
    /// The response for the cloud.
    Response(SamlResponse),
    /// A response for somebody else.
    Elsewhere(WebUrl),
    /// A sign-in page with the state of a transaction in its script.
    Asks {
        state: Secret<String>,
        /// Whether there is a session, and the application asks for more.
        is_step_up: bool,
    },
    /// The application is not for this person, in the page's words.
    Refused,
    Unknown,
}

/// The longest state token that is taken from a page; real ones have a few hundred characters at most.
const LONGEST: usize = 8_000;

/// Reads a page.
pub(super) fn read(page: &Page, sp: &ServiceProvider) -> AppPage {
    for form in &page.forms {
        let Some(input) = form.get("SAMLResponse") else { continue };
        return match form.target(&page.url) {
            Ok(target) if sp.receives_at(&target) => AppPage::Response(SamlResponse::new(input.value.expose())),
            Ok(target) => AppPage::Elsewhere(target),
            Err(_) => AppPage::Unknown,
        };
    }
    match state_token(page.source.expose()) {
        Some(state) => {
            let is_step_up = page.url.path().starts_with("/login/step-up/") || page.source.expose().contains("/login/step-up/");
            AppPage::Asks { state, is_step_up }
        }
        None if page.status == 403 => AppPage::Refused,
        None => AppPage::Unknown,
    }
}

/// The state token in a page's script: `var stateToken = '…';`, or `"stateToken":"…"` in its configuration. Okta writes
/// characters such as `-` as `\x2D`.
fn state_token(source: &str) -> Option<Secret<String>> {
    source.match_indices("stateToken").find_map(|(at, name)| {
        let rest = source.get(at + name.len()..)?;
        let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start();
        let rest = rest.strip_prefix(['=', ':'])?.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let inner = rest.get(1..)?;
        let text = inner.get(..inner.find(quote)?).filter(|text| !text.is_empty() && text.len() <= LONGEST)?;
        unescaped(text).map(Secret::new)
    })
}

/// Undoes `\xHH` and `\uHHHH`; nothing where another escape stands, or what is no token.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('\\');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let digits = match part.chars().next()? {
            'x' => 2,
            'u' => 4,
            _ => return None,
        };
        let code = u32::from_str_radix(part.get(1..=digits)?, 16).ok()?;
        out.push(char::from_u32(code)?);
        out.push_str(part.get(1 + digits..)?);
    }
    (!out.is_empty() && out.chars().all(|c| c.is_ascii_graphic())).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, html: &str) -> String {
        let sp = ServiceProvider {
            entity_id: "urn:amazon:webservices".into(),
            is_acs: |url| url.to_string() == "https://signin.aws.amazon.com/saml",
            is_clouds: |_, _| false,
            target: WebUrl::parse("https://broker.example/acs").ok(),
            web_identity: crate::idp::NO_WEB_IDENTITY,
        };
        let page = Page::parse(WebUrl::parse("https://acme.okta.com/home/amazon_aws/0oa1/272").unwrap(), status, html);
        match read(&page, &sp) {
            AppPage::Response(response) => format!("response {}", response.expose()),
            AppPage::Elsewhere(target) => format!("elsewhere {target}"),
            AppPage::Asks { state, is_step_up } => format!("asks {} {is_step_up}", state.expose()),
            AppPage::Refused => "refused".to_owned(),
            AppPage::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn reads_what_an_organisation_shows() {
        let form = |action: &str| {
            format!(
                "<form id=appForm action='{action}' method=POST><input name=SAMLResponse type=hidden value='PHNh bWw+'></form>"
            )
        };
        assert_eq!(told(200, &form("https&#x3a;&#x2f;&#x2f;signin.aws.amazon.com&#x2f;saml")), "response PHNhbWw+");
        assert_eq!(told(200, &form("https://broker.example/acs")), "response PHNhbWw+");
        assert_eq!(told(200, &form("https://evil.example/acs")), "elsewhere https://evil.example/acs");
        assert_eq!(told(200, &form("http://evil.example/acs")), "unknown");
        assert_eq!(told(200, include_str!("../../../fixtures/idp/okta/step-up.html")), "asks 00POAgFj-LRueYUC1p7GF true");
        assert_eq!(told(200, include_str!("../../../fixtures/idp/okta/identity-engine.html")), "asks 02.id.Qk3pJ-x9_T false");
        assert_eq!(told(403, "<h1>App Access Locked</h1>"), "refused");
        assert_eq!(told(200, "<h1>Home</h1>"), "unknown");
    }

    #[test]
    fn finds_the_state_token_in_each_of_its_spellings() {
        for (script, token) in [
            ("var stateToken = '123456789';", Some("123456789")),
            (r"var stateToken = '12345\x2D6789';", Some("12345-6789")),
            (r#"var stateToken = "a\u002Db";"#, Some("a-b")),
            (r#"{"stateToken":"c0ffeeda7e"}"#, Some("c0ffeeda7e")),
            (r#"{"stateToken" : "c0ffee"}"#, Some("c0ffee")),
            ("var stateToken = ''; var x = {stateToken: 'later'}", Some("later")),
            ("var stateToken = '';", None),
            ("var stateToken = 'a b';", None),
            (r"var stateToken = 'a\nb';", None),
            (r"var stateToken = 'a\x2';", None),
            (r"var stateToken = 'ä\x2D\xé';", None),
            ("var stateToken = 'open", None),
            ("stateToken", None),
            ("", None),
        ] {
            assert_eq!(state_token(script).map(|t| t.expose().clone()).as_deref(), token, "{script}");
        }
    }
}
