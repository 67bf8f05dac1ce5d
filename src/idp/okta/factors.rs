//! Second factors: which one, and how it is proved.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Challenge, Told, read};
use super::{NAME, Visit, garbled};
use crate::ask::{Question, Topic};
use crate::idp::{Method, SignInError};
use crate::mfa::Factor;
use crate::types::{Secret, Untrusted};
use crate::world::Response;

/// How often a push is asked after.
const PUSH_PAUSE: Duration = Duration::from_secs(1);
/// How long to leave Okta alone when it says that it is asked too often.
const BUSY_PAUSE: Duration = Duration::from_secs(10);
/// The longest wait for a push; Okta itself ends it after five minutes.
const PUSH_LIMIT: Duration = Duration::from_secs(310);
/// How many wrong codes a person may type before the sign-in ends: Okta locks accounts.
const CODES: usize = 3;

/// The words of `--mfa`, in the old tool's order.
pub(super) static METHODS: &[Method] = &[
    Method { name: "Auto", factor: None },
    Method { name: "PUSH", factor: Some(Factor::Push) },
    Method { name: "DUO", factor: Some(Factor::Duo) },
    Method { name: "SMS", factor: Some(Factor::Otp) },
    Method { name: "EMAIL", factor: Some(Factor::Otp) },
    Method { name: "TOTP", factor: Some(Factor::Otp) },
    Method { name: "OKTA", factor: Some(Factor::Otp) },
    Method { name: "FIDO", factor: Some(Factor::WebAuthn) },
    Method { name: "YUBICO TOKEN:HARDWARE", factor: Some(Factor::Otp) },
    Method { name: "SYMANTEC", factor: Some(Factor::Otp) },
];

/// How a factor is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Push,
    /// A code that Okta sends when it is asked to.
    Sent,
    /// A code that the person's app or token shows.
    Shown,
}

/// A factor that can be proved here.
struct Can {
    /// The word of `--mfa`.
    word: &'static str,
    /// Okta's provider and type of factor.
    id: &'static str,
    /// What a person chooses from, in the old tool's words.
    label: &'static str,
    way: Way,
}

const CAN: &[Can] = &[
    Can { word: "PUSH", id: "OKTA PUSH", label: "PUSH MFA authentication", way: Way::Push },
    Can { word: "SMS", id: "OKTA SMS", label: "SMS MFA authentication", way: Way::Sent },
    Can { word: "EMAIL", id: "OKTA EMAIL", label: "EMAIL MFA authentication", way: Way::Sent },
    Can { word: "TOTP", id: "GOOGLE TOKEN:SOFTWARE:TOTP", label: "TOTP MFA authentication", way: Way::Shown },
    Can { word: "OKTA", id: "OKTA TOKEN:SOFTWARE:TOTP", label: "Okta MFA authentication", way: Way::Shown },
    Can { word: "SYMANTEC", id: "SYMANTEC TOKEN", label: "Symantec VIP MFA authentication", way: Way::Shown },
];

/// A factor that the person has set up.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Offered {
    id: String,
    factor_type: String,
    provider: String,
    #[serde(default)]
    profile: Value,
}

impl Offered {
    /// `OKTA PUSH`.
    pub(super) fn id_words(&self) -> String {
        format!("{} {}", self.provider, self.factor_type.to_uppercase())
    }

    fn can(&self) -> Option<&'static Can> {
        CAN.iter().find(|can| can.id == self.id_words())
    }

    /// Which phone, number or address it is.
    fn detail(&self) -> Option<&str> {
        ["authenticatorName", "name", "phoneNumber", "email"].iter().find_map(|key| self.profile.get(*key)?.as_str())
    }

    fn label(&self, can: &Can) -> Untrusted {
        Untrusted::new(match self.detail() {
            Some(detail) => format!("{} - {detail}", can.label),
            None => can.label.to_owned(),
        })
    }
}

/// What to do about the factors that are offered.
enum Pick<'f> {
    /// This one; with `true`, though the account wishes for another.
    One(&'f Offered, &'static Can, bool),
    Ask(Vec<(&'f Offered, &'static Can)>),
    /// None will do: what is wanted, and what could be done.
    None(String, Vec<&'static str>),
}

/// The account's wish, else the only one that can be proved here, else the person's choice among those.
fn pick<'f>(offered: &'f [Offered], wish: &str) -> Pick<'f> {
    let can: Vec<_> = offered.iter().filter_map(|factor| Some((factor, factor.can()?))).collect();
    let mut words: Vec<&'static str> = can.iter().map(|(_, can)| can.word).collect();
    words.dedup();
    let of_word = |word: &str| can.iter().copied().filter(|(_, can)| can.word.eq_ignore_ascii_case(word)).collect::<Vec<_>>();
    let is_auto = wish.eq_ignore_ascii_case("Auto");
    if !is_auto && !CAN.iter().any(|can| can.word.eq_ignore_ascii_case(wish)) {
        return Pick::None(wish.to_owned(), words);
    }
    let mut wished = of_word(wish);
    if wished.is_empty() && wish.eq_ignore_ascii_case("TOTP") {
        // Okta Verify's own codes are time-based too.
        wished = of_word("OKTA");
    }
    match (wished.as_slice(), can.as_slice()) {
        ([(factor, can)], _) => Pick::One(factor, can, false),
        ([_, ..], _) => Pick::Ask(wished),
        ([], []) => {
            let all: Vec<String> = offered.iter().map(Offered::id_words).collect();
            Pick::None(if all.is_empty() { "none is set up".to_owned() } else { all.join(", ") }, words)
        }
        ([], [(factor, can)]) => Pick::One(factor, can, !is_auto),
        ([], several) => Pick::Ask(several.to_vec()),
    }
}

fn refused(factor: Factor, said: Untrusted) -> SignInError {
    SignInError::FactorRefused { provider: NAME.into(), factor, said }
}

impl Visit<'_, '_> {
    /// Proves a second factor; the answer is Okta's to the last step, which may ask for more.
    pub(super) async fn second_factor(&mut self, state: &Secret<String>, offered: &[Offered]) -> Result<Response, SignInError> {
        let (factor, can) = self.choose(offered).await?;
        // The ID becomes part of an address.
        if factor.id.is_empty() || !factor.id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            let page = Response { status: 200, headers: Vec::new(), body: "".into() };
            return Err(garbled("the password", &page, "the ID of a factor is not one"));
        }
        match can.way {
            Way::Push => self.push(state, factor).await,
            Way::Sent => self.sent(state, factor).await,
            Way::Shown => self.code(state, factor).await,
        }
    }

    async fn choose<'f>(&self, offered: &'f [Offered]) -> Result<(&'f Offered, &'static Can), SignInError> {
        let unsupported =
            |wanted: String, can| SignInError::FactorUnsupported { provider: NAME.into(), wanted: Untrusted::new(wanted), can };
        match pick(offered, &self.okta.wish) {
            Pick::None(wanted, can) => Err(unsupported(wanted, can)),
            Pick::One(factor, can, is_other) => {
                if is_other {
                    self.session.answers.notify(&format!("{NAME} does not offer `{}`; taking `{}`", self.okta.wish, can.word));
                }
                Ok((factor, can))
            }
            Pick::Ask(several) => {
                let labels: Vec<Untrusted> = several.iter().map(|(factor, can)| factor.label(can)).collect();
                let question = Question::new(Topic::Factor, "Select which MFA option to use");
                let index = self
                    .session
                    .answers
                    .choose(&question, &labels)
                    .await
                    .map_err(|why| SignInError::Unanswered { topic: Topic::Factor, why })?;
                several.get(index).copied().ok_or_else(|| unsupported("that one".to_owned(), Vec::new()))
            }
        }
    }

    /// One call of the factor's own address: with a code it is checked, without one it is sent, or a push goes out.
    async fn verify(&mut self, state: &Secret<String>, factor: &Offered, code: Option<&str>) -> Result<Response, SignInError> {
        let mut url = self.at(&format!("/api/v1/authn/factors/{}/verify", factor.id))?;
        if self.device.is_some() {
            url = url.with_query([("rememberDevice", "true")]);
        }
        let mut body = json!({ "stateToken": state.expose() });
        if let Some(code) = code {
            body["passCode"] = code.into();
        }
        self.post(url, &body).await
    }

    /// A code that Okta sends. One that is given already was sent before: another would make it worthless.
    async fn sent(&mut self, state: &Secret<String>, factor: &Offered) -> Result<Response, SignInError> {
        if !self.session.answers.knows(Topic::Otp) {
            let answer = self.verify(state, factor, None).await?;
            match read(&answer) {
                Told::Challenge(_) => {}
                Told::Refused(refusal) => return Err(refused(Factor::Otp, refusal.said)),
                Told::Strange(why) => return Err(garbled("the request for a code", &answer, why)),
                _ => return Ok(answer),
            }
            let to = factor.detail().map(|detail| format!(" to {}", Untrusted::new(detail))).unwrap_or_default();
            self.session.answers.notify(&format!("{NAME} has sent a code{to}"));
        }
        self.code(state, factor).await
    }

    /// A code. A given one is tried once; a person may correct theirs.
    async fn code(&mut self, state: &Secret<String>, factor: &Offered) -> Result<Response, SignInError> {
        let mut last = None;
        for _ in 0..CODES {
            let code = match self.session.answers.text(&Question::new(Topic::Otp, "Security Token [000000]")).await {
                Ok(code) => Secret::new(code.trim().to_owned()),
                Err(why) => return Err(last.unwrap_or(SignInError::Unanswered { topic: Topic::Otp, why })),
            };
            let answer = self.verify(state, factor, Some(code.expose())).await?;
            match read(&answer) {
                Told::Refused(refusal) if refusal.code == "E0000068" => {
                    if self.session.answers.can_ask(Topic::Otp) {
                        self.session.answers.notify(&format!("{NAME} did not take the code: \"{}\"", refusal.said));
                    }
                    last = Some(refused(Factor::Otp, refusal.said));
                }
                Told::Refused(refusal) if refusal.code.starts_with("E0") => return Err(refused(Factor::Otp, refusal.said)),
                // Still the same challenge: the code was not taken.
                Told::Challenge(Challenge { result, .. }) => {
                    last = Some(refused(Factor::Otp, Untrusted::new(result)));
                }
                _ => return Ok(answer),
            }
        }
        Err(last.unwrap_or_else(|| refused(Factor::Otp, Untrusted::new(""))))
    }

    /// An approval on the phone, perhaps by choosing the number that is shown here.
    async fn push(&mut self, state: &Secret<String>, factor: &Offered) -> Result<Response, SignInError> {
        let mut answer = self.verify(state, factor, None).await?;
        self.session.answers.notify("Waiting for approval, please check your Okta Verify app ...");
        let end = self.session.clock.now().after(PUSH_LIMIT);
        let mut shown = String::new();
        loop {
            let pause = match read(&answer) {
                Told::Challenge(Challenge { result, number }) if result == "WAITING" => {
                    if let Some(number) = number.map(|n| n.to_string()).filter(|number| *number != shown) {
                        self.session.answers.notify(&format!("Correct Answer: {number} (choose it in Okta Verify)"));
                        shown = number;
                    }
                    PUSH_PAUSE
                }
                Told::Challenge(Challenge { result, .. }) => {
                    return Err(refused(
                        Factor::Push,
                        Untrusted::new(match result.as_str() {
                            "REJECTED" => "the push was rejected (REJECTED)".to_owned(),
                            "TIMEOUT" => "the push was not answered in time (TIMEOUT)".to_owned(),
                            _ => result,
                        }),
                    ));
                }
                Told::Refused(_) if answer.status == 429 => BUSY_PAUSE,
                Told::Refused(refusal) if refusal.code.starts_with("E0") => return Err(refused(Factor::Push, refusal.said)),
                Told::Strange(why) => return Err(garbled("a push", &answer, why)),
                _ => return Ok(answer),
            };
            self.session.clock.sleep(pause).await;
            if self.session.clock.now() > end {
                return Err(refused(Factor::Push, Untrusted::new("the push was not answered in time")));
            }
            answer = self.verify(state, factor, None).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(ids: &[&str]) -> Vec<Offered> {
        let factor = |(index, id): (usize, &&str)| {
            let (provider, kind) = id.split_once(' ').unwrap();
            Offered {
                id: format!("f{index}"),
                factor_type: kind.to_lowercase(),
                provider: provider.to_owned(),
                profile: json!({ "name": format!("phone {index}"), "credentialId": "alice@example.com" }),
            }
        };
        ids.iter().enumerate().map(factor).collect()
    }

    fn told(ids: &[&str], wish: &str) -> String {
        match pick(&offered(ids), wish) {
            Pick::One(factor, can, is_other) => format!("{} {}{}", factor.id, can.word, if is_other { " instead" } else { "" }),
            Pick::Ask(several) => {
                several.iter().map(|(factor, can)| factor.label(can).to_string()).collect::<Vec<_>>().join(" | ")
            }
            Pick::None(wanted, can) => format!("{wanted}; can {}", can.join(", ")),
        }
    }

    #[test]
    fn takes_the_wish_or_the_only_one_or_asks() {
        const GOOGLE: &str = "GOOGLE TOKEN:SOFTWARE:TOTP";
        const VERIFY: &str = "OKTA TOKEN:SOFTWARE:TOTP";
        let all = ["OKTA PUSH", VERIFY, GOOGLE, "OKTA SMS", "OKTA EMAIL", "SYMANTEC TOKEN", "FIDO WEBAUTHN", "DUO WEB"];
        for (ids, wish, expected) in [
            (&all[..], "push", "f0 PUSH"),
            (&all, "OKTA", "f1 OKTA"),
            (&all, "TOTP", "f2 TOTP"),
            (&all, "SMS", "f3 SMS"),
            (&all, "Email", "f4 EMAIL"),
            (&all, "SYMANTEC", "f5 SYMANTEC"),
            (&all, "FIDO", "FIDO; can PUSH, OKTA, TOTP, SMS, EMAIL, SYMANTEC"),
            (&all, "YUBICO TOKEN:HARDWARE", "YUBICO TOKEN:HARDWARE; can PUSH, OKTA, TOTP, SMS, EMAIL, SYMANTEC"),
            (&[VERIFY], "TOTP", "f0 OKTA"),
            (&["OKTA SMS"], "PUSH", "f0 SMS instead"),
            (&["OKTA SMS", "FIDO WEBAUTHN"], "Auto", "f0 SMS"),
            (&["OKTA PUSH", VERIFY], "auto", "PUSH MFA authentication - phone 0 | Okta MFA authentication - phone 1"),
            (
                &["OKTA PUSH", "OKTA PUSH", VERIFY],
                "PUSH",
                "PUSH MFA authentication - phone 0 | PUSH MFA authentication - phone 1",
            ),
            (&["OKTA SIGNED_NONCE", "OKTA CALL", "OKTA QUESTION"], "Auto", "OKTA SIGNED_NONCE, OKTA CALL, OKTA QUESTION; can "),
            (&[], "Auto", "none is set up; can "),
        ] {
            assert_eq!(told(ids, wish), expected, "{ids:?} {wish}");
        }
    }
}
