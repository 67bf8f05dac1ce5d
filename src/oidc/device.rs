//! The device flow (RFC 8628): a person approves on any device, and meanwhile the token endpoint is asked again and again.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use super::token::{read, send};
use super::{Client, Endpoints, OidcError, Tokens, Told, json};
use crate::http::Browser;
use crate::types::{Secret, Untrusted, WebUrl};
use crate::world::{Clock, is_busy};

/// The grant's name.
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The pause where the issuer names none, and what `slow_down` adds (both of the standard).
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a code lives where the issuer does not say, and at the most.
const LIFETIME: u64 = 600;
const LONGEST_LIFETIME: u64 = 3600;
/// No code for a person is longer than this; a longer text is something else.
const LONGEST_CODE: usize = 64;

/// A device flow that has begun.
#[derive(Debug, Clone)]
pub struct Device {
    /// What the token endpoint knows it by.
    pub code: Secret<String>,
    /// What the person types.
    pub user_code: Untrusted,
    /// Where.
    pub url: WebUrl,
    /// The same with the code in it.
    pub url_with_code: Option<WebUrl>,
    /// The pause between two questions.
    pub pause: Duration,
    /// For how long.
    pub lifetime: Duration,
}

#[derive(Deserialize)]
struct Document {
    device_code: Secret<String>,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: Option<u64>,
    interval: Option<u64>,
}

impl Device {
    /// A flow by what an issuer says of it; where it does not say, the standard's values count.
    ///
    /// # Errors
    /// Says what is wrong with its words.
    pub fn new(
        code: Secret<String>,
        user_code: &str,
        url: &str,
        url_with_code: Option<&str>,
        pause: Option<u64>,
        lifetime: Option<u64>,
    ) -> Result<Self, &'static str> {
        if code.expose().is_empty() || user_code.trim().is_empty() || user_code.len() > LONGEST_CODE {
            return Err("it has no code for the person");
        }
        Ok(Self {
            code,
            user_code: Untrusted::new(user_code),
            url: WebUrl::parse(url).map_err(|_| "the address for the person is not one to open")?,
            // A decoration: without it the code is typed.
            url_with_code: url_with_code.and_then(|url| WebUrl::parse(url).ok()),
            pause: pause.map_or(PAUSE, |seconds| Duration::from_secs(seconds).clamp(Duration::from_secs(1), LONGEST_PAUSE)),
            lifetime: Duration::from_secs(lifetime.unwrap_or(LIFETIME).clamp(1, LONGEST_LIFETIME)),
        })
    }
}

/// Begins a device flow.
///
/// # Errors
/// [`OidcError`].
pub async fn begin(
    browser: &mut Browser<'_>,
    endpoints: &Endpoints,
    client: &Client,
    clock: &dyn Clock,
    fields: &[(&str, &str)],
) -> Result<Device, OidcError> {
    let not_offered = || OidcError::NotOffered { issuer: endpoints.issuer.clone(), what: "device flow" };
    let endpoint = endpoints.device.as_ref().ok_or_else(not_offered)?;
    let answer = send(browser, endpoint, client, clock.now(), fields).await?;
    let (who, step) = (endpoint.host().to_owned(), "the device flow");
    let garbled = |why: &str| OidcError::Garbled { who: who.clone(), step, status: answer.status, why: Untrusted::new(why) };
    if !answer.is_success() {
        return Err(match read(&answer) {
            Told::Error { code, said } => OidcError::Refused { who, step, error: Untrusted::new(code), said },
            Told::Garbled(why) => garbled(why),
            Told::Tokens(_) => garbled("it is neither a yes nor a no"),
        });
    }
    let Document { device_code, user_code, verification_uri, verification_uri_complete, expires_in, interval } =
        json(answer.body.expose()).map_err(garbled)?;
    Device::new(device_code, &user_code, &verification_uri, verification_uri_complete.as_deref(), interval, expires_in)
        .map_err(garbled)
}

/// What one question had for an answer.
#[derive(Debug)]
pub enum Polled<T> {
    /// The person approved.
    Done(T),
    /// Not yet.
    Pending,
    /// Not yet, and asked too often.
    SlowDown,
    /// No answer, or a busy server: asked again later, and ever later.
    Unheard(OidcError),
    /// It is over.
    Over(OidcError),
}

/// Asks once whether the person has approved; written by whoever knows the dialect.
#[async_trait]
pub trait Ask: Send {
    /// What is got in the end.
    type Granted: Send;
    /// Asks once.
    async fn ask(&mut self) -> Polled<Self::Granted>;
}

/// Asks until there is an answer or the code is too old, at the pace that the issuer wants.
///
/// # Errors
/// [`OidcError::Late`], or why it is over.
pub async fn poll<A: Ask>(clock: &dyn Clock, device: &Device, who: &str, ask: &mut A) -> Result<A::Granted, OidcError> {
    let begun = clock.now();
    let mut pause = device.pause;
    // A machine that slept notices by the clock; a clock that was set back, by the pauses.
    let mut paused = Duration::ZERO;
    let mut unheard = None;
    while paused.max(clock.now().since(begun)) < device.lifetime {
        clock.sleep(pause).await;
        paused += pause;
        match ask.ask().await {
            Polled::Done(granted) => return Ok(granted),
            Polled::Over(error) => return Err(error),
            Polled::Pending => unheard = None,
            Polled::SlowDown => {
                unheard = None;
                pause = (pause + PAUSE).min(LONGEST_PAUSE);
            }
            Polled::Unheard(error) => {
                tracing::debug!(%error, "the issuer was not heard");
                unheard = Some(error);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    Err(unheard.unwrap_or_else(|| OidcError::Late { who: who.to_owned(), seconds: device.lifetime.as_secs() }))
}

/// The standard's way to ask.
pub struct Standard<'a, 't> {
    /// Who sends.
    pub browser: &'a mut Browser<'t>,
    /// Whom.
    pub endpoints: &'a Endpoints,
    /// As whom.
    pub client: &'a Client,
    /// Time, for a client that signs.
    pub clock: &'a dyn Clock,
    /// What about.
    pub device: &'a Device,
    /// What is told beside it, each time.
    pub fields: &'a [(&'a str, &'a str)],
}

#[async_trait]
impl Ask for Standard<'_, '_> {
    type Granted = Tokens;

    async fn ask(&mut self) -> Polled<Tokens> {
        let mut fields = vec![("grant_type", GRANT), ("device_code", self.device.code.expose().as_str())];
        fields.extend_from_slice(self.fields);
        let answer = match send(self.browser, &self.endpoints.token, self.client, self.clock.now(), &fields).await {
            Ok(answer) => answer,
            Err(error) => return Polled::Unheard(error),
        };
        let (who, step) = (self.endpoints.token.host().to_owned(), "the device flow");
        match read(&answer) {
            Told::Tokens(tokens) => Polled::Done(*tokens),
            // Whatever a busy server says of it, unless it says it in the words of this flow.
            Told::Error { code, said } if is_busy(answer.status) && !is_of_flow(&code) => {
                Polled::Unheard(OidcError::Refused { who, step, error: Untrusted::new(code), said })
            }
            Told::Error { code, said } => meaning(&who, &code, said, self.device),
            Told::Garbled(why) => {
                let error = OidcError::Garbled { who, step, status: answer.status, why: Untrusted::new(why) };
                if is_busy(answer.status) { Polled::Unheard(error) } else { Polled::Over(error) }
            }
        }
    }
}

/// Whether a code is one of the device flow's own.
fn is_of_flow(code: &str) -> bool {
    matches!(code, "authorization_pending" | "slow_down" | "access_denied" | "expired_token")
}

/// What a code of an error means while a device flow runs.
pub fn meaning<T>(who: &str, code: &str, said: Untrusted, device: &Device) -> Polled<T> {
    let who = who.to_owned();
    match code {
        "authorization_pending" => Polled::Pending,
        "slow_down" => Polled::SlowDown,
        "access_denied" | "authorization_declined" => Polled::Over(OidcError::Denied { who, said }),
        "expired_token" => Polled::Over(OidcError::Late { who, seconds: device.lifetime.as_secs() }),
        _ => Polled::Over(OidcError::Refused { who, step: "the device flow", error: Untrusted::new(code), said }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::types::Timestamp;
    use crate::world::TransportError;

    /// A clock that moves only while somebody sleeps on it.
    struct Still(Mutex<(Timestamp, Vec<u64>)>);

    impl Still {
        fn new() -> Self {
            Self(Mutex::new((Timestamp::from_unix(1_700_000_000).unwrap(), Vec::new())))
        }

        fn pauses(&self) -> Vec<u64> {
            self.0.lock().unwrap().1.clone()
        }
    }

    #[async_trait]
    impl Clock for Still {
        fn now(&self) -> Timestamp {
            self.0.lock().unwrap().0
        }

        async fn sleep(&self, pause: Duration) {
            let mut inner = self.0.lock().unwrap();
            inner.0 = inner.0.after(pause);
            inner.1.push(pause.as_secs());
        }
    }

    /// Answers in order, the last one for ever; `ok`, `unheard`, or a code of the standard.
    struct Script<'s>(Vec<&'s str>, &'s Device);

    #[async_trait]
    impl Ask for Script<'_> {
        type Granted = &'static str;

        async fn ask(&mut self) -> Polled<&'static str> {
            let word = if self.0.len() > 1 { self.0.remove(0) } else { self.0[0] };
            match word {
                "ok" => Polled::Done("granted"),
                "unheard" => Polled::Unheard(TransportError::Late { host: "idp.example".to_owned() }.into()),
                code => meaning("idp.example", code, Untrusted::new(""), self.1),
            }
        }
    }

    fn device(pause: Option<u64>, lifetime: Option<u64>) -> Device {
        Device::new(Secret::from("d"), "ABCD-EFGH", "https://idp.example/device", None, pause, lifetime).unwrap()
    }

    async fn polled(device: &Device, answers: &[&str]) -> (String, Vec<u64>) {
        let clock = Still::new();
        let outcome = poll(&clock, device, "idp.example", &mut Script(answers.to_vec(), device)).await;
        (outcome.map_or_else(|error| error.to_string(), str::to_owned), clock.pauses())
    }

    #[tokio::test]
    async fn at_the_pace_that_the_issuer_wants() {
        let quick = device(Some(1), Some(60));
        assert_eq!(
            polled(&quick, &["authorization_pending", "authorization_pending", "ok"]).await,
            ("granted".to_owned(), vec![1, 1, 1])
        );
        assert_eq!(polled(&quick, &["slow_down", "authorization_pending", "slow_down", "ok"]).await.1, [1, 6, 6, 11]);
        assert_eq!(polled(&device(None, None), &["authorization_pending", "ok"]).await.1, [5, 5]);
        assert_eq!(polled(&device(Some(0), None), &["ok"]).await.1, [1], "never without a pause");
    }

    #[tokio::test]
    async fn ends_when_it_is_over() {
        let quick = device(Some(1), Some(5));
        let (told, pauses) = polled(&quick, &["authorization_pending"]).await;
        assert_eq!((told.as_str(), pauses.len()), ("nobody finished the sign-in at idp.example within 5 seconds", 5));
        assert_eq!(polled(&quick, &["access_denied"]).await.0, "the sign-in at idp.example was denied");
        assert!(polled(&device(Some(1), Some(120)), &["expired_token"]).await.0.contains("within 2 minutes"));
        assert_eq!(polled(&quick, &["invalid_grant"]).await.0, "idp.example refused the device flow: invalid_grant");
    }

    #[tokio::test]
    async fn a_network_that_comes_and_goes_ends_nothing() {
        let day = device(Some(2), Some(600));
        assert_eq!(
            polled(&day, &["unheard", "unheard", "authorization_pending", "ok"]).await,
            ("granted".to_owned(), vec![2, 4, 8, 8])
        );
        let (told, pauses) = polled(&device(Some(2), Some(100)), &["unheard"]).await;
        assert_eq!((told.as_str(), pauses.as_slice()), ("idp.example did not answer in time", &[2, 4, 8, 16, 32, 60][..]));
    }

    #[test]
    fn what_an_issuer_says_is_looked_at() {
        let of =
            |code: &str, url: &str| Device::new(Secret::from("d"), code, url, Some("javascript:x"), Some(9999), Some(99_999_999));
        let device = of("AB", "https://idp.example/d").unwrap();
        assert_eq!((device.pause.as_secs(), device.lifetime.as_secs(), device.url_with_code), (60, 3600, None));
        assert!(of("", "https://idp.example/d").is_err() && of(&"A".repeat(65), "https://idp.example/d").is_err());
        assert!(of("AB", "http://idp.example/d").is_err());
    }
}
