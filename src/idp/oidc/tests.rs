use super::source::{Source, Way, Wish};
use super::*;
use crate::ask::Chain;
use crate::http::Browser;
use crate::idp::{Machine, Memory, NO_WEB_IDENTITY};
use crate::types::{ServiceProvider, Timestamp, Untrusted};
use crate::vault::Kind;
use crate::world::{Clock, Env, Request, Response, SystemClock, Transport, TransportError};

struct Nothing;

impl Memory for Nothing {
    fn recall(&self, _: Kind) -> Option<Secret<String>> {
        None
    }
    fn keep(&self, _: Kind, _: &Secret<String>) {}
    fn forget(&self, _: Kind) {}
}

#[async_trait]
impl Transport for Nothing {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        panic!("asked {}", request.url)
    }
}

fn settings(own: &[(&'static str, &str)], url: Option<&str>) -> Settings {
    let mut settings = Settings::new(WebUrl::parse(url.unwrap_or("https://sts.amazonaws.com/")).unwrap(), "Auto")
        .with_own(FIELDS, |key| own.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned()));
    settings.has_url = url.is_some();
    settings
}

const ISSUER: Option<&str> = Some("https://id.example");

#[test]
fn what_a_source_needs() {
    let wrong = |own: &[(&'static str, &str)], url| {
        PROVIDER.open(&settings(own, url)).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(wrong(&[], None), "");
    assert_eq!(wrong(&[(SOURCE, "device"), (CLIENT, "c")], ISSUER), "");
    for (own, url, why) in [
        (&[(SOURCE, "device"), (CLIENT, "c")][..], None, "`url` will not do for OIDC: `device` needs the issuer's address"),
        (&[(SOURCE, "browser")], ISSUER, "`oidc_client_id` will not do for OIDC: `browser` needs our client ID there"),
        (
            &[(SOURCE, "usegrant"), (CLIENT, "c")],
            None,
            "`usegrant_provider_id` will not do for OIDC: `usegrant` needs the provider's ID",
        ),
        (&[(SOURCE, "command")], None, "`oidc_token_command` will not do for OIDC: `command` needs the command line"),
        (&[(SOURCE, "guthib")], None, "`oidc_source` will not do for OIDC: it is one of `auto`,"),
        (&[(SOURCE, "file:")], None, "`oidc_source` will not do"),
        (&[(USE, "both")], None, "`oidc_use` will not do for OIDC: `both` is neither `id` nor `access`"),
        (&[(REDIRECT_URI, "https://evil.example/cb")], None, "`oidc_redirect_uri` will not do"),
        (&[(SESSION, "a b")], None, "`oidc_session_name` will not do"),
    ] {
        assert!(wrong(own, url).starts_with(why), "{}", wrong(own, url));
    }
}

/// What the source is for these settings and variables, and what a file or variable gives.
async fn told(own: &[(&'static str, &str)], url: Option<&str>, env: &[(&str, &str)]) -> String {
    // As `open` does, but kept as what it is.
    let own = |key: &str| own.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
    let configured = Configured {
        wish: Wish::parse(own(SOURCE).as_deref().unwrap_or("auto")).unwrap(),
        issuer: url.map(|url| WebUrl::parse(url).unwrap()),
        file: own(FILE),
        command: own(COMMAND),
        client: own(CLIENT),
        secret_command: own(SECRET_COMMAND),
        key: own(KEY),
        key_id: None,
        audience: None,
        resource: None,
        scope: None,
        is_id: None,
        redirect: Redirect::parse(REDIRECT).unwrap(),
        session: None,
        usegrant: own(USEGRANT),
        default_domain: false,
    };
    let env = Env::of(env.iter().copied());
    let sp = ServiceProvider {
        entity_id: String::new(),
        is_acs: |_| false,
        is_clouds: |_, _| false,
        target: None,
        web_identity: NO_WEB_IDENTITY,
    };
    let answers = Chain(Vec::new());
    let machine = Machine { env: &env, ..Machine::bare() };
    let session = Session {
        browser: Browser::new(&Nothing),
        answers: &answers,
        clock: &SystemClock,
        memory: &Nothing,
        sp: &sp,
        machine,
        standing: Default::default(),
    };
    match configured.source(&session) {
        Ok(Source::Person(Way::Either)) => "person".to_owned(),
        Ok(source) => format!("{source:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn where_a_token_comes_from() {
    let github = ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x/");
    let issuer = [(CLIENT, "c")];
    for (own, url, env, expected) in [
        (&[][..], None, &[][..], "there is no ID token anywhere: nothing says where it comes from"),
        (&[], None, &[github], "GitHub"),
        (&[], None, &[("TOKEN_FILE", "/t"), github], "File(\"/t\")"),
        (&[], None, &[("TOKEN", "x"), github], "Variable(\"TOKEN\")"),
        (&[], None, &[("SAML2CLOUD_OIDC_TOKEN", "x"), ("TOKEN", "x")], "Variable(\"SAML2CLOUD_OIDC_TOKEN\")"),
        (&[(FILE, "mine")], None, &[("TOKEN_FILE", "/t")], "File(\"mine\")"),
        (&[(FILE, "mine"), (CLIENT, "c")], ISSUER, &[], "File(\"mine\")"),
        (&[(COMMAND, "x")], None, &[("TOKEN_FILE", "/t")], "Command"),
        // What the account names goes before what happens to be on the machine.
        (&issuer, ISSUER, &[("TOKEN_FILE", "/t")], "person"),
        (&[(CLIENT, "c"), (KEY, "k.pem")], ISSUER, &[], "Client"),
        (&[(CLIENT, "c"), (USEGRANT, "p")], ISSUER, &[], "UseGrant"),
        (&[(SOURCE, "file")], None, &[("TOKEN_FILE", "/t")], "File(\"/t\")"),
        (&[(SOURCE, "file")], None, &[], "there is no ID token in a file: neither `oidc_token_file` nor `TOKEN_FILE` names one"),
        (&[(SOURCE, "file:~/Token")], None, &[], "File(\"~/Token\")"),
        (&[(SOURCE, "ENV:MY_TOKEN")], None, &[], "Variable(\"MY_TOKEN\")"),
        (&[(SOURCE, "-")], None, &[], "Stdin"),
        (&[(SOURCE, "code")], ISSUER, &[], "Person(Browser)"),
    ] {
        assert_eq!(told(own, url, env).await, expected, "{own:?} {url:?} {env:?}");
    }
}

/// A file whose token is replaced while it is looked at: each sleep writes the next text.
struct Rotated {
    path: std::path::PathBuf,
    texts: std::sync::Mutex<Vec<String>>,
}

#[async_trait]
impl Clock for Rotated {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(1000).unwrap()
    }

    async fn sleep(&self, _: std::time::Duration) {
        if let Some(text) = self.texts.lock().unwrap().pop() {
            crate::world::file::replace(&self.path, &text).unwrap();
        }
    }
}

#[tokio::test]
async fn a_token_file_that_is_rotated_meanwhile() {
    let jwt = |exp: i64| {
        let part = |json: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, json);
        format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(&format!(r#"{{"exp":{exp}}}"#)))
    };
    let (over, good) = (jwt(999), jwt(2000));
    let half = good[..good.len() / 2].to_owned();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let read = async |texts: &[&str]| {
        crate::world::file::replace(&path, texts[0]).unwrap();
        let rest = texts[1..].iter().rev().map(|text| (*text).to_owned()).collect();
        let clock = Rotated { path: path.clone(), texts: std::sync::Mutex::new(rest) };
        let sp = ServiceProvider {
            entity_id: String::new(),
            is_acs: |_| false,
            is_clouds: |_, _| false,
            target: None,
            web_identity: NO_WEB_IDENTITY,
        };
        let answers = Chain(Vec::new());
        let session = Session {
            browser: Browser::new(&Nothing),
            answers: &answers,
            clock: &clock,
            memory: &Nothing,
            sp: &sp,
            machine: Machine::bare(),
            standing: Default::default(),
        };
        let got = given::file(&session, path.to_str().unwrap()).await;
        (got.map_or_else(|error| error.to_string(), |got| got.token.expose().clone()), clock.texts.into_inner().unwrap().len())
    };
    assert_eq!(read(&[&good, "not looked at"]).await, (good.clone(), 1));
    for texts in [["", &good, ""], [&half, "", &good], [&over, &over, &good]] {
        assert_eq!(read(&texts).await.0, good);
    }
    // What stays as it is, is the cloud's to judge.
    assert_eq!(read(&[&over]).await.0, over);
    assert!(read(&[""]).await.0.ends_with("it is empty"));
}

#[test]
fn the_token_is_the_one_that_was_asked_for() {
    let expected = |nonce: Option<&str>| Expected {
        issuer: "https://id.example".to_owned(),
        client: "me".to_owned(),
        nonce: nonce.map(Secret::from),
    };
    let claims = Claims {
        iss: Some(Untrusted::new("https://id.example")),
        aud: vec![Untrusted::new("sts.amazonaws.com"), Untrusted::new("me")],
        nonce: Some("n".to_owned()),
        ..Claims::default()
    };
    assert_eq!(check(&claims, &expected(Some("n"))), Ok(()));
    assert_eq!(check(&claims, &expected(None)), Ok(()));
    assert!(check(&claims, &expected(Some("m"))).unwrap_err().contains("another sign-in"));
    let other = |claims: Claims, why: &str| assert!(check(&claims, &expected(None)).unwrap_err().contains(why), "{why}");
    other(Claims { aud: vec![Untrusted::new("you")], ..claims.clone() }, "another client");
    other(Claims { iss: Some(Untrusted::new("https://id.example/")), ..claims.clone() }, "of the issuer \"https://id.example/\"");
    other(Claims { iss: None, ..claims }, "of the issuer none");
}
