//! The one retry policy: try again where that is safe and helps, that is, when no connection came about and when a server
//! says that it is busy.

use std::time::Duration;

use async_trait::async_trait;

use crate::world::{Clock, Method, Request, Response, Transport, TransportError, is_busy};

/// How often, and how long to wait before the second try; each further wait is twice as long.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Tries in all.
    pub attempts: u32,
    /// The first wait.
    pub pause: Duration,
}

impl Policy {
    /// For a cloud's anonymous calls, which change nothing and so may be repeated.
    pub const CLOUD: Self = Self { attempts: 3, pause: Duration::from_millis(400) };

    /// The waits between the tries. When they are used up, the last outcome stands.
    pub fn pauses(self) -> impl Iterator<Item = Duration> {
        (0..self.attempts.saturating_sub(1)).map(move |round| self.pause * 2_u32.pow(round.min(8)))
    }
}

/// A transport to an identity provider that repeats GETs as often as the account says (`http_attempts_count`,
/// `http_retry_delay`). A POST is not repeated there: wrong passwords are counted.
pub struct Retrying<'c> {
    inner: Box<dyn Transport>,
    clock: &'c dyn Clock,
    policy: Policy,
    posts: bool,
}

impl<'c> Retrying<'c> {
    /// Wraps a transport.
    pub fn new(inner: Box<dyn Transport>, clock: &'c dyn Clock, attempts: u32, pause: Duration) -> Self {
        Self { inner, clock, policy: Policy { attempts: attempts.clamp(1, 10), pause }, posts: false }
    }

    /// The same for a server whose POSTs may be repeated: a cloud's portal, which counts no passwords.
    #[must_use]
    pub fn with_posts(self) -> Self {
        Self { posts: true, ..self }
    }
}

/// The longest wait that a server may ask for.
const LONGEST_WAIT: u64 = 30;

/// How long the server asks to wait.
fn asked_for(outcome: &Result<Response, TransportError>) -> Duration {
    let header = outcome.as_ref().ok().and_then(|answer| answer.header("retry-after"));
    Duration::from_secs(header.and_then(|text| text.trim().parse().ok()).unwrap_or(0).min(LONGEST_WAIT))
}

#[async_trait]
impl Transport for Retrying<'_> {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        if request.method == Method::Post && !self.posts {
            return self.inner.send(request).await;
        }
        let is_passing = |outcome: &Result<Response, TransportError>| match outcome {
            Ok(response) => is_busy(response.status),
            Err(error) => matches!(error, TransportError::Unreachable { .. }),
        };
        let mut pauses = self.policy.pauses();
        loop {
            let outcome = self.inner.send(request).await;
            match pauses.next().filter(|_| is_passing(&outcome)) {
                Some(pause) => self.clock.sleep(pause.max(asked_for(&outcome))).await,
                None => return outcome,
            }
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
            let headers = vec![("retry-after".to_owned(), Secret::from(if self.1 > 3 { "7" } else { "soon" }))];
            Ok(Response { status, headers, body: Secret::from("") })
        }
    }

    #[tokio::test]
    async fn repeats_what_is_safe_and_only_so_often() {
        let still = Still(Mutex::default());
        let url = WebUrl::parse("https://sts.example/").unwrap();
        let get = Request::get(url.clone());
        let patient = Retrying::new(Box::new(Busy(Mutex::default(), 1)), &still, 2, Duration::from_secs(1)).with_posts();
        assert_eq!(patient.send(&Request::form(url.clone(), [])).await.unwrap().status, 200);
        still.0.lock().unwrap().clear();
        let post = Request::form(url, [("a", "b")]);
        let send = async |busy: u32, request: &Request| {
            let transport = Retrying::new(Box::new(Busy(Mutex::new(0), busy)), &still, 3, Duration::from_millis(400));
            transport.send(request).await.unwrap().status
        };
        assert_eq!(send(2, &get).await, 200);
        assert_eq!(*still.0.lock().unwrap(), [Duration::from_millis(400), Duration::from_millis(800)]);
        assert_eq!(send(3, &get).await, 503);
        assert_eq!(send(1, &post).await, 503);
        still.0.lock().unwrap().clear();
        assert_eq!(send(4, &get).await, 503);
        assert_eq!(*still.0.lock().unwrap(), [Duration::from_secs(7), Duration::from_secs(7)], "as long as the server asks");
    }
}
