//! Console sign-in: keys are exchanged for a sign-in token, which a browser takes to the same host for a session.
//! <https://help.aliyun.com/document_detail/91913.html> and <https://help.aliyun.com/document_detail/91914.html>
//!
//! Alibaba Cloud documents this for its resellers, whose sign-in tokens (`TicketType=mini`) open consoles of their own, with
//! `4service` in their names. Those of the type `normal` open the ordinary ones. See docs/decisions/console.md.

use std::time::Duration;

use serde::Deserialize;

use crate::cloud::console::said;
use crate::cloud::{CloudError, ConsoleLink, ConsoleWish};
use crate::types::{CloudId, Credentials, Secret, Untrusted, WebUrl};
use crate::world::{Request, Response, Transport, is_busy};

/// How long the address is good, and only once, say the pages above.
const GOOD_FOR: Duration = Duration::from_secs(30);
const CHINA: Site = Site { signin: "https://signin.aliyun.com/federation", home: "https://home.console.aliyun.com/" };
const INTERNATIONAL: Site =
    Site { signin: "https://signin-intl.aliyun.com/federation", home: "https://home-intl.console.aliyun.com/" };

/// One of the two sites.
struct Site {
    signin: &'static str,
    home: &'static str,
}

/// The site that issued the keys. The account's entity ID names it; else the region that follows from the SAML response does.
fn site(credentials: &Credentials, wish: &ConsoleWish<'_>) -> &'static Site {
    let is_international = match wish.urn {
        Some(urn) => urn.ends_with(":international"),
        None => credentials.home_region.as_ref().is_some_and(|region| region.as_str() == super::signin::HOME_INTERNATIONAL),
    };
    if is_international { &INTERNATIONAL } else { &CHINA }
}

/// Where keys are presented.
pub(super) fn endpoint(credentials: &Credentials, wish: &ConsoleWish<'_>) -> Result<WebUrl, CloudError> {
    let text = site(credentials, wish).signin;
    WebUrl::parse(text).map_err(|why| CloudError::Endpoint { text: text.to_owned(), why: why.to_string() })
}

/// The kind of sign-in token that opens a page.
fn ticket_type(page: &str) -> &'static str {
    let host = WebUrl::parse(page).map(|url| url.host().to_owned()).unwrap_or_default();
    if host.split('.').next().is_some_and(|name| name.ends_with("4service")) { "mini" } else { "normal" }
}

/// The call.
pub(super) async fn sign_in(
    credentials: &Credentials,
    wish: &ConsoleWish<'_>,
    net: &dyn Transport,
) -> Result<ConsoleLink, CloudError> {
    let endpoint = endpoint(credentials, wish)?;
    let destination = wish.page.unwrap_or(site(credentials, wish).home);
    let pairs = [
        ("Action", "GetSigninToken"),
        ("AccessKeyId", credentials.key_id.as_str()),
        ("AccessKeySecret", credentials.secret.expose()),
        ("SecurityToken", credentials.token.expose()),
        ("TicketType", ticket_type(destination)),
    ];
    let request = Request::form(endpoint.clone(), pairs).header("accept", "application/json");
    let signin_token = read(&net.send(&request).await?, &endpoint)?;
    let url = endpoint.with_query([
        ("Action", "Login"),
        ("LoginUrl", wish.return_to.expose().as_str()),
        ("Destination", destination),
        ("SigninToken", signin_token.expose()),
    ]);
    Ok(ConsoleLink { url, good_for: GOOD_FOR, once: true })
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "SigninToken", default)]
    signin_token: Option<Secret<String>>,
    #[serde(rename = "Code", alias = "code", alias = "ErrorCode", alias = "errorCode", default)]
    code: Option<String>,
    #[serde(rename = "Message", alias = "message", alias = "ErrorMessage", alias = "errorMessage", default)]
    message: Option<String>,
}

/// Reads the answer. A refusal may come under any status.
fn read(answer: &Response, endpoint: &WebUrl) -> Result<Secret<String>, CloudError> {
    let status = answer.status;
    let told = serde_json::from_str::<Answer>(answer.body.expose());
    let given = told.as_ref().ok().and_then(|told| told.signin_token.clone()).filter(|token| !token.expose().is_empty());
    if let Some(signin_token) = given.filter(|_| answer.is_success()) {
        return Ok(signin_token);
    }
    let refused = |code: &str, message: Untrusted| CloudError::ConsoleRefused {
        cloud: CloudId::Alibaba,
        status,
        of_keys: matches!(status, 401 | 403)
            || ["Credential", "SecurityToken", "AccessKey"].iter().any(|word| code.contains(word)),
        code: Untrusted::new(code),
        message,
    };
    match told {
        Ok(Answer { code: Some(code), message, .. }) if !code.is_empty() && !is_busy(status) => {
            Err(refused(&code, said(&message.unwrap_or_default())))
        }
        _ if (400..500).contains(&status) && !is_busy(status) => Err(refused("", said(answer.body.expose()))),
        _ => Err(CloudError::NoSigninToken { host: endpoint.host().to_owned(), status }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Region, RoleArn, Timestamp};

    #[test]
    fn each_site_has_its_console() {
        let now = Timestamp::from_unix(0).unwrap();
        let host = |home: Option<&str>, urn: Option<&str>| {
            let credentials = Credentials {
                key_id: "STS.1".into(),
                secret: "s".into(),
                token: "t".into(),
                expires: now,
                issued: now,
                role: RoleArn::parse("acs:ram::1:role/a").unwrap().into(),
                assumed: String::new(),
                home_region: home.map(|region| Region::parse(region).unwrap()),
            };
            let idp = WebUrl::parse("https://idp.example/").unwrap();
            let wish = ConsoleWish { region: None, page: None, duration: None, return_to: &idp, urn };
            (endpoint(&credentials, &wish).unwrap().host().to_owned(), site(&credentials, &wish).home)
        };
        let china = ("signin.aliyun.com".to_owned(), "https://home.console.aliyun.com/");
        let international = ("signin-intl.aliyun.com".to_owned(), "https://home-intl.console.aliyun.com/");
        assert_eq!(host(None, None), china);
        assert_eq!(host(Some("cn-hangzhou"), None), china);
        assert_eq!(host(Some("ap-southeast-1"), None), international);
        assert_eq!(host(None, Some("urn:alibaba:cloudcomputing:international")), international);
        assert_eq!(host(Some("ap-southeast-1"), Some("urn:alibaba:cloudcomputing")), china);
    }

    #[test]
    fn a_resellers_console_wants_a_ticket_of_its_own() {
        assert_eq!(ticket_type("https://home.console.aliyun.com/"), "normal");
        assert_eq!(ticket_type("https://sls4service.console.aliyun.com/lognext/x"), "mini");
    }

    #[test]
    fn an_answer_has_a_sign_in_token_or_is_an_error() {
        let endpoint = WebUrl::parse("https://signin.aliyun.com/federation").unwrap();
        let told = |status: u16, body: &str| {
            read(&Response { status, headers: Vec::new(), body: body.into() }, &endpoint).map(|token| token.expose().clone())
        };
        assert_eq!(
            told(200, r#"{"RequestId":"04F0F3E73368","SigninToken":"5aW96ZW/5a9rZW7lkYA="}"#).unwrap(),
            "5aW96ZW/5a9rZW7lkYA="
        );
        for (status, body) in [(200, "{}"), (200, r#"{"SigninToken":""}"#), (200, "<html>"), (200, "[]"), (302, ""), (500, "")] {
            assert!(matches!(told(status, body), Err(CloudError::NoSigninToken { .. })), "{status} {body}");
        }
        let refusal = r#"{"RequestId":"R","Code":"InvalidCredential.AuthenticateFail","Message":"The credential you provided is invalid."}"#;
        for status in [200, 400, 401] {
            let error = told(status, refusal).unwrap_err();
            assert!(matches!(error, CloudError::ConsoleRefused { of_keys: true, .. }));
            assert_eq!(
                error.to_string(),
                format!(
                    "Alibaba Cloud gives no console sign-in for these keys: InvalidCredential.AuthenticateFail (HTTP {status}): \"The credential you provided is invalid.\""
                )
            );
        }
        let other = told(400, r#"{"Code":"InvalidAction","Message":"The action GetSigninToken is invalid."}"#);
        assert!(matches!(other, Err(CloudError::ConsoleRefused { of_keys: false, .. })));
        assert!(matches!(told(404, "<p>nothing here</p>"), Err(CloudError::ConsoleRefused { of_keys: false, .. })));
        assert!(told(503, r#"{"Code":"ServiceUnavailable"}"#).unwrap_err().is_passing());
    }
}
