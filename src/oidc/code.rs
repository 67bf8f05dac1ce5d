//! The authorization code over a loopback listener (RFC 8252): the person's own browser signs in and comes back to this machine.
//!
//! Exactly one answer is taken: the one that knows the secret `state` of this sign-in. Whatever else comes, favicons, a second tab, an
//! answer for another sign-in, a page of a stranger that guessed the port, gets a small page with one sentence and changes nothing.
//!
//! A browser on another machine ends at an address that it cannot open. A person may bring that address here by hand ([`Elsewhere`]); it is
//! judged like a visitor.

use std::time::Duration;

use super::{Endpoints, OidcError, Pkce};
use async_trait::async_trait;

use crate::types::{Secret, Untrusted, WebUrl};
use crate::world::{Clock, Door, Listener, Visitor, is_same};

/// How long a person has.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// The longest value of an answer that is looked at.
const LONGEST: usize = 8 * 1024;

/// Where the browser comes back to, as it is registered with the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    host: String,
    port: Option<u16>,
    path: String,
}

impl Redirect {
    /// Reads `http://127.0.0.1/callback`; without a port, any free one is taken (RFC 8252, 7.3).
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = WebUrl::parse(text).map_err(|why| why.to_string())?;
        let host = url.host().to_owned();
        if url.expose().scheme() != "http" || !matches!(host.as_str(), "127.0.0.1" | "localhost") {
            return Err("the browser comes back to `http://127.0.0.1` or `http://localhost` only".to_owned());
        }
        if url.expose().query().is_some() || url.expose().fragment().is_some() {
            return Err("it may have neither a query nor a fragment".to_owned());
        }
        Ok(Self { host, port: url.expose().port(), path: url.path().to_owned() })
    }
}

/// A sign-in that waits for the browser.
pub struct Waiting {
    door: Box<dyn Door>,
    redirect: Redirect,
    /// Ties the answer to this sign-in.
    state: Secret<String>,
}

impl Waiting {
    /// Opens the door. Done before the browser is, so that it never comes back to a closed one.
    ///
    /// # Errors
    /// [`OidcError::PortTaken`], [`OidcError::Listen`].
    pub async fn open(listener: &dyn Listener, redirect: Redirect) -> Result<Self, OidcError> {
        let door = listener.listen(redirect.port).await.map_err(|error| match redirect.port {
            Some(port) if error.kind() == std::io::ErrorKind::AddrInUse => OidcError::PortTaken { port },
            _ => OidcError::Listen(error),
        })?;
        Ok(Self { door, redirect, state: Secret::new(crate::world::nonce()) })
    }

    /// Where the browser comes back to.
    pub fn redirect_uri(&self) -> String {
        format!("http://{}:{}{}", self.redirect.host, self.door.port(), self.redirect.path)
    }

    /// Whether that is a name of this door.
    fn is_here(&self, host: &str) -> bool {
        let port = self.door.port();
        [format!("127.0.0.1:{port}"), format!("localhost:{port}")].iter().any(|own| own == host)
    }

    /// The secret that the answer must know.
    pub fn state(&self) -> &Secret<String> {
        &self.state
    }

    /// An address of this machine that leads a browser to `to`, once: the real one holds `state`, by which an answer is known.
    ///
    /// # Errors
    /// Never in truth ([`Door::lead`]).
    pub fn start(&mut self, to: &WebUrl) -> Result<WebUrl, OidcError> {
        self.door.lead(to).map_err(OidcError::Listen)
    }

    /// The issuer's address to open, by the standard. Its query is for the browser and nobody else.
    ///
    /// # Errors
    /// [`OidcError::NotOffered`].
    pub fn address(
        &self,
        endpoints: &Endpoints,
        client: &str,
        pkce: &Pkce,
        nonce: &str,
        more: &[(&str, &str)],
    ) -> Result<WebUrl, OidcError> {
        let not_offered = || OidcError::NotOffered { issuer: endpoints.issuer.clone(), what: "sign-in with a browser" };
        let redirect = self.redirect_uri();
        let ours = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", redirect.as_str()),
            ("state", self.state.expose()),
            ("nonce", nonce),
            ("code_challenge", pkce.challenge.as_str()),
            ("code_challenge_method", Pkce::METHOD),
        ];
        // An address with parameters of its own (tenants) keeps them.
        let endpoint = endpoints.authorization.as_ref().ok_or_else(not_offered)?;
        let own: Vec<(String, String)> = endpoint.expose().query_pairs().into_owned().collect();
        let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Ok(endpoint.with_query(own.chain(ours).chain(more.iter().copied())))
    }
}

/// A person whose browser is on another machine.
#[async_trait]
pub trait Elsewhere: Send + Sync {
    /// The address at which their browser ended. Never ready where nobody brings one. `complaint` is what was wrong with the last.
    async fn pasted(&self, complaint: Option<&'static str>) -> Secret<String>;
}

/// Nobody.
pub struct Nobody;

#[async_trait]
impl Elsewhere for Nobody {
    async fn pasted(&self, _: Option<&'static str>) -> Secret<String> {
        std::future::pending().await
    }
}

/// Whom the answer must come from.
#[derive(Debug, Clone, Copy)]
pub struct From<'f> {
    /// For people.
    pub who: &'f str,
    /// What it must call itself, where it does (RFC 9207).
    pub issuer: Option<&'f str>,
    /// Whether it must.
    pub must_name_itself: bool,
}

/// What a visitor brings.
#[derive(Debug, PartialEq, Eq)]
enum Brought {
    /// The code of this sign-in.
    Code(Secret<String>),
    /// The issuer's no to this sign-in.
    No { error: String, said: String },
    /// An answer to this sign-in that is not the issuer's.
    Foreign(String),
    /// Nothing that concerns this sign-in: a status and a sentence.
    Nothing(u16, &'static str),
}

/// What is said of a pasted address that is not the one.
const NOT_OURS: &str = "That is not where this sign-in ends: the whole address is wanted, from http:// to its last character";
const ANOTHER: &str = "This is not the sign-in that is waiting. Use the address that the program printed last.";

/// Judges one visitor.
fn judge(visitor: &Visitor, waiting: &Waiting, from: From<'_>) -> Brought {
    if visitor.method != "GET" && waiting.is_here(&visitor.host) {
        return Brought::Nothing(405, "Only a browser's answer is taken here.");
    }
    judge_address(&visitor.host, visitor.target.expose(), waiting, from)
}

/// Judges an address that a person brought.
fn judge_pasted(text: &Secret<String>, waiting: &Waiting, from: From<'_>) -> Brought {
    let text = text.expose().trim().trim_matches(['"', '\'', '<', '>']);
    let rest = text.strip_prefix("http://").unwrap_or(text);
    let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    judge_address(&host.to_ascii_lowercase(), target, waiting, from)
}

fn judge_address(host: &str, target: &str, waiting: &Waiting, from: From<'_>) -> Brought {
    let (path, state) = (&waiting.redirect.path, &waiting.state);
    // A name that a stranger points at this machine is not ours.
    if !waiting.is_here(host) {
        return Brought::Nothing(421, "There is nothing here under this name.");
    }
    let (at, query) = target.split_once('?').unwrap_or((target, ""));
    if at != path {
        return Brought::Nothing(404, "There is nothing here.");
    }
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    // A value that comes twice is nobody's.
    let value = |name: &str| {
        let mut found = pairs.iter().filter(|(n, v)| n == name && v.len() <= LONGEST);
        found.next().filter(|_| found.next().is_none()).map(|(_, value)| value.as_str())
    };
    if !value("state").is_some_and(|given| is_same(given, state.expose())) {
        return Brought::Nothing(400, ANOTHER);
    }
    match (value("iss"), from.issuer) {
        (Some(given), Some(issuer)) if given != issuer => {
            return Brought::Foreign(format!("it comes from \"{}\"", Untrusted::new(given)));
        }
        (None, Some(_)) if from.must_name_itself => return Brought::Foreign("it does not say whose it is".to_owned()),
        _ => {}
    }
    match (value("error"), value("code").filter(|code| !code.is_empty())) {
        (Some(error), _) => {
            Brought::No { error: error.to_owned(), said: value("error_description").unwrap_or_default().to_owned() }
        }
        (None, Some(code)) => Brought::Code(Secret::from(code)),
        (None, None) => Brought::Foreign("it has neither a code nor an error".to_owned()),
    }
}

/// Waits for the browser's answer, at the door or by hand, and gives its code.
///
/// # Errors
/// [`OidcError`]: denied, late, or not the issuer's answer.
pub async fn receive(
    waiting: &mut Waiting,
    clock: &dyn Clock,
    patience: Duration,
    from: From<'_>,
    elsewhere: &dyn Elsewhere,
) -> Result<Secret<String>, OidcError> {
    let who = || from.who.to_owned();
    let limit = clock.sleep(patience);
    tokio::pin!(limit);
    let mut pasted = elsewhere.pasted(None);
    loop {
        let visitor = tokio::select! {
            visitor = waiting.door.visitor() => visitor,
            text = &mut pasted => match judge_pasted(&text, waiting, from) {
                Brought::Code(code) => return Ok(code),
                Brought::No { error, said } => return Err(refusal(from.who, error, said)),
                Brought::Foreign(why) => return Err(OidcError::Mismatch { who: who(), why }),
                Brought::Nothing(..) => {
                    pasted = elsewhere.pasted(Some(NOT_OURS));
                    continue;
                }
            },
            () = &mut limit => return Err(OidcError::Late { who: who(), seconds: patience.as_secs() }),
        };
        match judge(&visitor, waiting, from) {
            Brought::Nothing(status, sentence) => visitor.answer(status, &page("Not here", sentence)).await,
            Brought::Code(code) => {
                visitor.answer(200, &page("Signed in", "You may close this page and go back to the terminal.")).await;
                return Ok(code);
            }
            Brought::No { error, said } => {
                let sentence = "The sign-in was not granted. The terminal says why; you may close this page.";
                visitor.answer(400, &page("Not signed in", sentence)).await;
                return Err(refusal(from.who, error, said));
            }
            Brought::Foreign(why) => {
                visitor.answer(400, &page("Not signed in", "This answer is not the issuer's own and was not used.")).await;
                return Err(OidcError::Mismatch { who: who(), why });
            }
        }
    }
}

fn refusal(who: &str, error: String, said: String) -> OidcError {
    let (who, said) = (who.to_owned(), Untrusted::new(said));
    match error.as_str() {
        "access_denied" => OidcError::Denied { who, said },
        _ => OidcError::Refused { who, step: "the sign-in", error: Untrusted::new(error), said },
    }
}

/// Does `work`, mostly the exchange of the code, and meanwhile tells whoever comes again, a reloaded page or a second tab, that this
/// sign-in has been answered. Then the door closes.
pub async fn attend<T>(mut waiting: Waiting, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        let visitor = tokio::select! {
            biased;
            visitor = waiting.door.visitor() => visitor,
            done = &mut work => return done,
        };
        visitor.answer(410, &page("Answered already", "This sign-in has been answered once, and a code is good once.")).await;
    }
}

/// A page with one sentence of ours: nothing of what a visitor brought is in it.
fn page(title: &str, sentence: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body><h1>{title}</h1><p>{sentence}</p></body></html>\n"
    )
}

#[cfg(test)]
mod tests;
