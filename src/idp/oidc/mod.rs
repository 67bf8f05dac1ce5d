//! OpenID Connect: an ID token buys the credentials, without SAML. Where it comes from, the account says (`oidc_source`).
//!
//! 1. Somebody else made the token: it is read from a file, a variable, stdin or a command's output, or asked of GitHub Actions, GitLab
//!    or useGrant. Nobody is asked anything; this is for jobs and pods.
//! 2. Or an issuer gives one. Its addresses come from `GET …/.well-known/openid-configuration`.
//! 3. `client`: `POST` to the token endpoint with the client's own proof. Else, if an earlier sign-in left a refresh token, `POST` with that.
//! 4. `browser`: the person's own browser signs in and comes back to a port of this machine with a code, which `POST` redeems with PKCE.
//! 5. `device`: the person types a code on any device, and `POST` asks until they have.
//! 6. What stands in the token is compared with what was asked for, and described when the cloud refuses it. It is not verified: the cloud
//!    does that.
//!
//! OpenID Connect Core 1.0, RFC 6749, 7523, 7636, 8252, 8628, 9207;
//! <https://docs.github.com/actions/reference/security/oidc>, <https://docs.gitlab.com/ci/secrets/id_token_authentication/>.

mod given;
mod issuer;
mod source;

use async_trait::async_trait;

use self::source::{Source, Wish};
use super::{Field, Idp, Method, Provider, Session, Settings, SettingsError, SignInError};
use crate::oidc::code::Redirect;
use crate::oidc::{OidcError, read_jwt};
use crate::types::{Assertion, Claims, IdToken, Secret, SessionName, WebUrl};

const NAME: &str = "OIDC";
/// Where the browser comes back to, unless the account says otherwise: any free port.
const REDIRECT: &str = "http://127.0.0.1/callback";

const SOURCE: &str = "oidc_source";
const FILE: &str = "oidc_token_file";
const COMMAND: &str = "oidc_token_command";
const CLIENT: &str = "oidc_client_id";
const SECRET_COMMAND: &str = "oidc_client_secret_command";
const KEY: &str = "oidc_private_key";
const KEY_ID: &str = "oidc_key_id";
const AUDIENCE: &str = "oidc_audience";
const RESOURCE: &str = "oidc_resource";
const SCOPE: &str = "oidc_scope";
const USE: &str = "oidc_use";
const REDIRECT_URI: &str = "oidc_redirect_uri";
const SESSION: &str = "oidc_session_name";
const USEGRANT: &str = "usegrant_provider_id";
const DEFAULT_DOMAIN: &str = "usegrant_default_domain";

/// The description.
pub(super) static PROVIDER: Oidc = Oidc;

/// OpenID Connect, described.
pub(super) struct Oidc;

const fn field(key: &'static str, variable: &'static str, help: &'static str) -> Field {
    Field { key, variable, help, needed: false }
}

const FIELDS: &[Field] = &[
    field(SOURCE, "OIDC_SOURCE", "where the token comes from"),
    field(FILE, "OIDC_TOKEN_FILE", "the file with the token"),
    field(COMMAND, "OIDC_TOKEN_COMMAND", "a command line whose first line of output is the token"),
    field(CLIENT, "OIDC_CLIENT_ID", "our client ID at the issuer"),
    field(SECRET_COMMAND, "OIDC_CLIENT_SECRET_COMMAND", "a command line whose first line of output is the client's secret"),
    field(KEY, "OIDC_PRIVATE_KEY", "a file with the client's private key in PEM, in place of a secret"),
    field(KEY_ID, "OIDC_KEY_ID", "what the issuer calls that key"),
    field(AUDIENCE, "OIDC_AUDIENCE", "whom the token should be for"),
    field(RESOURCE, "OIDC_RESOURCE", "the resource that an access token should be for (RFC 8707)"),
    field(SCOPE, "OIDC_SCOPE", "what is asked for; `openid` is the default of a person's sign-in"),
    field(USE, "OIDC_USE", "`id` or `access`: which token goes to the cloud"),
    field(REDIRECT_URI, "OIDC_REDIRECT_URI", "where the browser comes back to, as it is registered"),
    field(SESSION, "OIDC_SESSION_NAME", "what the session is called in the cloud's logs"),
    field(USEGRANT, "USEGRANT_PROVIDER_ID", "the provider's ID at useGrant"),
    field(DEFAULT_DOMAIN, "USEGRANT_DEFAULT_DOMAIN", "`true`: the token names useGrant's own domain as its issuer"),
];

impl Provider for Oidc {
    fn id(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "OpenID Connect: ID tokens of pipelines, of clusters, or of an issuer"
    }

    fn fields(&self) -> &'static [Field] {
        FIELDS
    }

    fn wants_password(&self) -> bool {
        false
    }

    fn needs_url(&self) -> bool {
        false
    }

    fn lists_roles(&self) -> bool {
        false
    }

    fn methods(&self) -> &'static [Method] {
        &[Method { name: "Auto", factor: None }]
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError> {
        let wrong = |key, why: String| SettingsError { key, provider: NAME, why };
        let own = |key: &str| settings.own(key).map(|value| value.trim().to_owned());
        let wish = Wish::parse(own(SOURCE).as_deref().unwrap_or("auto")).map_err(|why| wrong(SOURCE, why))?;
        let needs = |key, there: bool, what: &str| match there {
            true => Ok(()),
            false => Err(wrong(key, format!("`{}` needs {what}", wish.word()))),
        };
        if wish.asks_issuer() {
            needs("url", settings.has_url, "the issuer's address")?;
            needs(CLIENT, own(CLIENT).is_some(), "our client ID there")?;
        }
        if matches!(wish, Wish::UseGrant) {
            needs(USEGRANT, own(USEGRANT).is_some(), "the provider's ID")?;
            needs(CLIENT, own(CLIENT).is_some(), "the client's ID")?;
        }
        if matches!(wish, Wish::Is(Source::Command)) {
            needs(COMMAND, own(COMMAND).is_some(), "the command line")?;
        }
        let is_id = match own(USE).as_deref() {
            None => None,
            Some("id") => Some(true),
            Some("access") => Some(false),
            Some(other) => return Err(wrong(USE, format!("`{}` is neither `id` nor `access`", other.escape_debug()))),
        };
        let session = own(SESSION).map(|name| SessionName::parse(&name)).transpose();
        Ok(Box::new(Configured {
            wish,
            issuer: settings.has_url.then(|| settings.url.clone()),
            file: own(FILE),
            command: own(COMMAND),
            client: own(CLIENT),
            secret_command: own(SECRET_COMMAND),
            key: own(KEY),
            key_id: own(KEY_ID),
            audience: own(AUDIENCE),
            resource: own(RESOURCE),
            scope: own(SCOPE),
            is_id,
            redirect: Redirect::parse(own(REDIRECT_URI).as_deref().unwrap_or(REDIRECT))
                .map_err(|why| wrong(REDIRECT_URI, why))?,
            session: session.map_err(|why| wrong(SESSION, why.to_string()))?,
            usegrant: own(USEGRANT),
            default_domain: settings.switch(NAME, DEFAULT_DOMAIN)?,
        }))
    }
}

struct Configured {
    wish: Wish,
    /// The issuer's address, if the account names one.
    issuer: Option<WebUrl>,
    file: Option<String>,
    command: Option<String>,
    client: Option<String>,
    secret_command: Option<String>,
    key: Option<String>,
    key_id: Option<String>,
    audience: Option<String>,
    resource: Option<String>,
    scope: Option<String>,
    /// Whether the ID token goes to the cloud, or the access token; the way to get it decides where the account does not.
    is_id: Option<bool>,
    redirect: Redirect,
    session: Option<SessionName>,
    usegrant: Option<String>,
    default_domain: bool,
}

/// A token, and who is to blame for it.
struct Got {
    token: Secret<String>,
    /// Who gave it: a host, a file, a variable.
    from: String,
    /// What must stand in it, where we asked for it ourselves.
    expected: Option<Expected>,
}

/// What must stand in an ID token that an issuer gave for this sign-in (OpenID Connect Core, 3.1.3.7).
struct Expected {
    issuer: String,
    client: String,
    nonce: Option<Secret<String>>,
}

#[async_trait]
impl Idp for Configured {
    async fn sign_in(&self, session: &mut Session<'_>) -> Result<Assertion, SignInError> {
        let got = match self.source(session)? {
            Source::File(path) => given::file(session, &path).await?,
            Source::Variable(name) => given::variable(session, &name)?,
            Source::Stdin => given::stdin()?,
            Source::Command => given::command(session, self.command.as_deref().unwrap_or_default())?,
            Source::GitHub => given::github(session, self.audience.as_deref()).await?,
            Source::GitLab => given::gitlab(session)?,
            Source::UseGrant => self.usegrant(session).await?,
            Source::Client => self.as_client(session).await?,
            Source::Person(way) => self.by_person(session, way).await?,
        };
        let claims = read_jwt(got.token.expose()).map_err(|source| OidcError::Token { who: got.from.clone(), source })?;
        tracing::debug!(%claims, from = %got.from, "a token");
        if let Some(expected) = &got.expected {
            check(&claims, expected).map_err(|why| OidcError::Mismatch { who: got.from.clone(), why })?;
        }
        let name = self.session_name(session, &claims)?;
        Ok(Assertion::Oidc(IdToken::new(got.token, claims, name)))
    }
}

impl Configured {
    /// What the session is called in the cloud's logs: as the account or the cloud's own variable says, else by the token's subject.
    fn session_name(&self, session: &Session<'_>, claims: &Claims) -> Result<SessionName, SignInError> {
        let variable = session.sp.web_identity.session_name;
        if let Some(name) = &self.session {
            return Ok(name.clone());
        }
        match session.machine.env.get(variable) {
            Some(name) => SessionName::parse(name).map_err(|why| SignInError::NoIdToken {
                place: "to be used".to_owned(),
                why: format!("`{variable}` will not do: {why}"),
                hint: "take the variable away: then the session is called by the token's subject",
            }),
            None => Ok(SessionName::of_subject(claims.sub.as_ref().map_or("", |sub| sub.raw()))),
        }
    }
}

/// Whether an ID token is the one that was asked for.
fn check(claims: &Claims, expected: &Expected) -> Result<(), String> {
    let iss = claims.iss.as_ref().map_or("", |iss| iss.raw());
    if iss != expected.issuer {
        return Err(format!(
            "its ID token is of the issuer {}",
            claims.iss.as_ref().map_or("none".to_owned(), |iss| format!("\"{iss}\""))
        ));
    }
    if !claims.aud.iter().any(|aud| aud.raw() == expected.client) {
        return Err("its ID token is for another client".to_owned());
    }
    match &expected.nonce {
        Some(nonce) if claims.nonce.as_ref() != Some(nonce.expose()) => {
            Err("its ID token was made for another sign-in".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
