//! What an answer of the Authentication API means. Pure: an answer in, a verdict out.

use serde::Deserialize;
use serde_json::Value;

use super::factors::Offered;
use crate::types::{Secret, Untrusted};
use crate::world::Response;

/// A verdict.
pub(super) enum Told {
    /// Signed in: a token, good once, that buys a session.
    Token(Secret<String>),
    /// A session that was there already is good for the application now; this state leads to it.
    Stepped(Secret<String>),
    /// A second factor is wanted.
    Factors {
        state: Secret<String>,
        offered: Vec<Offered>,
    },
    /// A second factor has begun.
    Challenge(Challenge),
    /// Something is proposed that can be passed over.
    Skip {
        state: Secret<String>,
        notice: String,
    },
    Refused(Refusal),
    /// An answer that the interface does not give, and what is wrong with it.
    Strange(String),
}

/// Where a second factor stands.
pub(super) struct Challenge {
    /// `WAITING`, `REJECTED`, `TIMEOUT`; empty for a code.
    pub(super) result: String,
    /// The number to choose on the phone.
    pub(super) number: Option<Untrusted>,
}

/// A no.
pub(super) struct Refusal {
    /// Okta's name for the error, or for the state of the account.
    pub(super) code: String,
    /// What a person reads.
    pub(super) said: Untrusted,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Answer {
    status: Option<String>,
    state_token: Option<Secret<String>>,
    session_token: Option<Secret<String>>,
    factor_result: Option<String>,
    #[serde(rename = "_embedded")]
    embedded: Value,
    #[serde(rename = "_links")]
    links: Value,
    error_code: Option<String>,
    error_summary: Option<String>,
    error_causes: Value,
}

/// Reads an answer.
pub(super) fn read(response: &Response) -> Told {
    let Ok(answer) = serde_json::from_str::<Answer>(response.body.expose()) else {
        return Told::Strange("it is not the JSON that was expected".to_owned());
    };
    match response.status {
        200 => state(answer),
        400..=499 => {
            refusal(&answer).map_or_else(|| Told::Strange("it is a refusal without a message".to_owned()), Told::Refused)
        }
        _ => Told::Strange("it is neither a yes nor a no".to_owned()),
    }
}

/// The error in Okta's words, its causes behind it: the summary alone says little.
fn refusal(answer: &Answer) -> Option<Refusal> {
    let code = answer.error_code.clone().filter(|code| !code.trim().is_empty())?;
    let summary = answer.error_summary.clone().unwrap_or_default();
    let causes = answer.error_causes.as_array().map(Vec::as_slice).unwrap_or_default();
    let causes = causes.iter().filter_map(|cause| cause.get("errorSummary")?.as_str()).map(str::to_owned);
    let words: Vec<String> = [summary].into_iter().chain(causes).filter(|words| !words.trim().is_empty()).collect();
    Some(Refusal { said: Untrusted::new(format!("{} ({code})", words.join(": "))), code })
}

fn state(answer: Answer) -> Told {
    let status = answer.status.unwrap_or_default();
    let strange = |why: &str| Told::Strange(format!("{why} ({status})"));
    let refused =
        |words: &str| Told::Refused(Refusal { code: status.clone(), said: Untrusted::new(format!("{words} ({status})")) });
    match (status.as_str(), answer.state_token) {
        ("SUCCESS", state) => match (answer.session_token, state) {
            (Some(token), _) => Told::Token(token),
            (None, Some(state)) => Told::Stepped(state),
            (None, None) => strange("it has no token"),
        },
        ("MFA_REQUIRED", Some(state)) => Told::Factors { state, offered: factors(&answer.embedded) },
        ("MFA_CHALLENGE", _) => {
            Told::Challenge(Challenge { result: answer.factor_result.unwrap_or_default(), number: number(&answer.embedded) })
        }
        ("PASSWORD_WARN", Some(state)) => Told::Skip { state, notice: warning(&answer.embedded) },
        ("MFA_ENROLL", Some(state)) if answer.links.get("skip").is_some() => Told::Skip {
            state,
            notice: "Okta proposes to set up another second factor; that can be done in a browser".to_owned(),
        },
        ("MFA_ENROLL" | "MFA_ENROLL_ACTIVATE", _) => refused("a second factor must be set up first: sign in once with a browser"),
        ("LOCKED_OUT", _) => refused("the account is locked"),
        ("PASSWORD_EXPIRED", _) => refused("the password has expired: set a new one with a browser"),
        ("PASSWORD_RESET", _) => refused("the password must be set anew: do so with a browser"),
        ("", _) => Told::Strange("it has no state".to_owned()),
        ("MFA_REQUIRED" | "PASSWORD_WARN", None) => strange("it has no state token"),
        _ => strange("its state is not one that is known"),
    }
}

fn factors(embedded: &Value) -> Vec<Offered> {
    let all = embedded.get("factors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|factor| Offered::deserialize(factor).ok()).collect()
}

/// The number of a push. The documentation calls the factor `factors`, the service `factor`.
fn number(embedded: &Value) -> Option<Untrusted> {
    let factor = embedded.get("factor").or_else(|| embedded.get("factors"))?;
    match factor.pointer("/_embedded/challenge/correctAnswer")? {
        Value::Number(number) => Some(Untrusted::new(number.to_string())),
        Value::String(text) if !text.trim().is_empty() => Some(Untrusted::new(text.clone())),
        _ => None,
    }
}

fn warning(embedded: &Value) -> String {
    match embedded.pointer("/policy/expiration/passwordExpireDays").and_then(Value::as_u64) {
        Some(0) => "Your Okta password expires today".to_owned(),
        Some(1) => "Your Okta password expires in 1 day".to_owned(),
        Some(days) => format!("Your Okta password expires in {days} days"),
        None => "Your Okta password expires soon".to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn response(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.into() }
    }

    fn told(status: u16, body: &str) -> String {
        match read(&response(status, body)) {
            Told::Token(token) => format!("token {}", token.expose()),
            Told::Stepped(state) => format!("stepped {}", state.expose()),
            Told::Factors { state, offered } => {
                format!("factors {}: {}", state.expose(), offered.iter().map(Offered::id_words).collect::<Vec<_>>().join(", "))
            }
            Told::Challenge(Challenge { result, number, .. }) => {
                format!("challenge {result} {}", number.map(|n| n.to_string()).unwrap_or_default())
            }
            Told::Skip { notice, .. } => format!("skip {notice}"),
            Told::Refused(refusal) => format!("refused {}", refusal.said),
            Told::Strange(why) => format!("strange {why}"),
        }
    }

    macro_rules! saved {
        ($name:literal) => {
            include_str!(concat!("../../../fixtures/idp/okta/", $name))
        };
    }

    #[test]
    fn reads_what_okta_answers() {
        let cases = [
            (200, saved!("success.json"), "token 00Fpzf4en68pCXTsMjcX8JPMctzN2Wiw4LDOBL_9pe"),
            (200, saved!("step-up-success.json"), "stepped 00quAZYqYjXg9DZhS5UzE1wrJuQ6KKb_kzOeH7OGB5"),
            (
                200,
                saved!("mfa-required.json"),
                "factors 007ucIX7PATyn94hsHfOLVaXAmOBkKHWnOOLG43bsb: OKTA PUSH, OKTA TOKEN:SOFTWARE:TOTP, \
                 GOOGLE TOKEN:SOFTWARE:TOTP, OKTA SMS, OKTA EMAIL, OKTA QUESTION, FIDO WEBAUTHN, DUO WEB",
            ),
            (200, saved!("push-waiting.json"), "challenge WAITING "),
            (200, saved!("push-number.json"), "challenge WAITING 92"),
            (200, saved!("push-number-documented.json"), "challenge WAITING 92"),
            (200, saved!("push-rejected.json"), "challenge REJECTED "),
            (200, saved!("push-timeout.json"), "challenge TIMEOUT "),
            (200, saved!("sms-sent.json"), "challenge  "),
            (200, saved!("password-warn.json"), "skip Your Okta password expires in 5 days"),
            (200, saved!("mfa-enroll-optional.json"), "skip Okta proposes to set up another second factor"),
            (200, saved!("mfa-enroll.json"), "refused a second factor must be set up first"),
            (200, saved!("locked-out.json"), "refused the account is locked (LOCKED_OUT)"),
            (200, saved!("password-expired.json"), "refused the password has expired: set a new one with a browser"),
            (200, saved!("unauthenticated.json"), "strange its state is not one that is known (UNAUTHENTICATED)"),
            (401, saved!("wrong-password.json"), "refused Authentication failed (E0000004)"),
            (401, saved!("identity-engine.json"), "refused Invalid token provided (E0000011)"),
            (
                403,
                saved!("wrong-code.json"),
                "refused Invalid Passcode/Answer: Your passcode doesn't match our records. Please try again. (E0000068)",
            ),
            (429, saved!("rate-limit.json"), "refused API call exceeded rate limit due to too many requests. (E0000047)"),
        ];
        for (status, body, expected) in cases {
            let told = told(status, body);
            assert!(told.starts_with(expected), "{told}\nnot {expected}");
        }
    }

    #[test]
    fn what_is_no_answer_of_okta_is_not_believed() {
        for (status, body, expected) in [
            (200, "<html>", "strange it is not the JSON that was expected"),
            (200, "{}", "strange it has no state"),
            (200, r#"{"status":"SUCCESS"}"#, "strange it has no token (SUCCESS)"),
            (200, r#"{"status":"MFA_REQUIRED"}"#, "strange it has no state token (MFA_REQUIRED)"),
            (200, r#"{"status":"MFA_REQUIRED","stateToken":"x","_embedded":{"factors":"y"}}"#, "factors x: "),
            (200, r#"{"status":"MFA_CHALLENGE","_embedded":null,"factorResult":null}"#, "challenge  "),
            (401, "{}", "strange it is a refusal without a message"),
            (500, "{}", "strange it is neither a yes nor a no"),
            (302, "", "strange it is not the JSON that was expected"),
        ] {
            assert_eq!(told(status, body), expected);
        }
    }
}
