//! The one retry policy.

use std::time::Duration;

use async_trait::async_trait;

use crate::world::{Clock, Method, Request, Response, Transport, TransportError};

/// A transport that tries again where that is safe and helps: when no connection came about, and when a server
/// says that it is busy (429, 502, 503, 504).
pub struct Retrying<'c> {
    inner: Box<dyn Transport>,
    clock: &'c dyn Clock,
    attempts: u32,
    pause: Duration,
    /// Whether a POST may be repeated: true for the clouds' anonymous calls, which change nothing; false for an
    /// identity provider, which counts wrong passwords.
    repeats_posts: bool,
}

impl<'c> Retrying<'c> {
    /// For an identity provider: only GETs, only as often as the account says (`http_attempts_count`, `http_retry_delay`).
    pub fn idp(inner: Box<dyn Transport>, clock: &'c dyn Clock, attempts: u32, pause: Duration) -> Self {
        Self { inner, clock, attempts: attempts.clamp(1, 10), pause, repeats_posts: false }
    }

    /// For a cloud's anonymous calls: three attempts.
    pub fn cloud(inner: Box<dyn Transport>, clock: &'c dyn Clock) -> Self {
        Self { inner, clock, attempts: 3, pause: Duration::from_millis(400), repeats_posts: true }
    }
}

#[async_trait]
impl Transport for Retrying<'_> {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let may_repeat = self.repeats_posts || request.method == Method::Get;
        let mut pause = self.pause;
        let mut left = if may_repeat { self.attempts } else { 1 };
        loop {
            left -= 1;
            let outcome = self.inner.send(request).await;
            let again = match &outcome {
                Ok(response) => matches!(response.status, 429 | 502 | 503 | 504),
                Err(TransportError::Unreachable { .. }) => true,
                Err(_) => false,
            };
            if !again || left == 0 {
                return outcome;
            }
            tracing::debug!(url = %request.url, ?pause, "trying again");
            self.clock.sleep(pause).await;
            pause *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::types::{Secret, Timestamp, WebUrl};

    struct Still(Mutex<Vec<Duration>>);

    #[async_trait]
    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix(0).unwrap()
        }
        async fn sleep(&self, pause: Duration) {
            self.0.lock().unwrap().push(pause);
        }
    }

    struct Busy(Mutex<u32>, u32);

    #[async_trait]
    impl Transport for Busy {
        async fn send(&self, _: &Request) -> Result<Response, TransportError> {
            let mut seen = self.0.lock().unwrap();
            *seen += 1;
            let status = if *seen > self.1 { 200 } else { 503 };
            Ok(Response { status, headers: Vec::new(), body: Secret::from("") })
        }
    }

    #[tokio::test]
    async fn repeats_what_is_safe_and_only_so_often() {
        let still = Still(Mutex::default());
        let url = WebUrl::parse("https://sts.example/").unwrap();
        let get = Request::get(url.clone());
        let post = Request::form(url, [("a", "b")]);
        let cloud = |busy| Retrying::cloud(Box::new(Busy(Mutex::new(0), busy)), &still);
        assert_eq!(cloud(2).send(&post).await.unwrap().status, 200);
        assert_eq!(*still.0.lock().unwrap(), [Duration::from_millis(400), Duration::from_millis(800)]);
        assert_eq!(cloud(3).send(&post).await.unwrap().status, 503);
        let idp = |busy| Retrying::idp(Box::new(Busy(Mutex::new(0), busy)), &still, 2, Duration::from_secs(1));
        assert_eq!(idp(1).send(&get).await.unwrap().status, 200);
        assert_eq!(idp(1).send(&post).await.unwrap().status, 503);
    }
}
