//! Tokens that somebody else made: they are read anew at each exchange, because whoever makes them replaces them while we run.

use std::time::Duration;

use serde::Deserialize;

use super::{Got, SignInError};
use crate::idp::Session;
use crate::oidc::{OidcError, json, read_jwt};
use crate::types::{Secret, Untrusted, WebUrl};
use crate::world::{Request, file as files, tty};

/// Where GitHub Actions gives tokens to a job that may have them; Forgejo and Gitea use the same names.
pub(super) const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const GITHUB_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// The name that GitLab's documentation gives to the variable; a job may give another (`env:NAME`).
const GITLAB_TOKEN: &str = "GITLAB_OIDC_TOKEN";

const FILE_HINT: &str = "the file has to hold one JSON Web Token and be readable for you";
/// How often a file is looked at whose token does not serve, and the pause between.
const LOOKS: usize = 3;
const MOMENT: Duration = Duration::from_millis(100);

fn none(place: String, why: impl Into<String>, hint: &'static str) -> SignInError {
    SignInError::NoIdToken { place, why: why.into(), hint }
}

/// A token without what editors and `echo` put after it.
fn got(text: &str, from: String) -> Got {
    Got { token: Secret::from(text.trim()), from, expected: None }
}

/// From a file. Whoever rotates the token may be at it right now, so one that is half there, or has ended, is looked at again a moment
/// later; then the cloud judges it.
pub(super) async fn file(session: &Session<'_>, path: &str) -> Result<Got, SignInError> {
    let mut looks = 1;
    loop {
        let now = session.clock.now();
        let is_over = |got: &Got| read_jwt(got.token.expose()).map_or(true, |claims| claims.exp.is_some_and(|exp| exp <= now));
        match read_file(session, path) {
            Ok(Some(got)) if looks == LOOKS || !is_over(&got) => return Ok(got),
            Ok(None) if looks == LOOKS => {
                let place = format!("in the file `{}`", Untrusted::new(path));
                return Err(none(place, "it is empty", FILE_HINT));
            }
            Ok(_) => session.clock.sleep(MOMENT).await,
            Err(error) => return Err(error),
        }
        looks += 1;
    }
}

/// What a file holds; nothing for an empty one.
fn read_file(session: &Session<'_>, path: &str) -> Result<Option<Got>, SignInError> {
    let place = || format!("in the file `{}`", Untrusted::new(path));
    let hint = FILE_HINT;
    let text = files::read(&session.machine.paths.expand(path)).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        none(place(), format!("it cannot be read: {cause}"), hint)
    })?;
    let text = Secret::new(text.ok_or_else(|| none(place(), "there is no such file", hint))?);
    match text.expose().trim().is_empty() {
        true => Ok(None),
        false => Ok(Some(got(text.expose(), format!("the file `{}`", Untrusted::new(path))))),
    }
}

/// From a variable.
pub(super) fn variable(session: &Session<'_>, name: &str) -> Result<Got, SignInError> {
    let shown = Untrusted::new(name);
    match session.machine.env.get(name) {
        Some(text) => Ok(got(text, format!("the variable `{shown}`"))),
        None => Err(none(format!("in the variable `{shown}`"), "it is not set", "is it exported, and is its name right?")),
    }
}

/// From standard input: its first line.
pub(super) fn stdin() -> Result<Got, SignInError> {
    let hint = "pipe the token in: `print-token | saml2cloud … --oidc stdin`";
    let line = tty::first_line_of_stdin().map_err(|error| none("on stdin".to_owned(), error.to_string(), hint))?;
    let line = line.ok_or_else(|| none("on stdin".to_owned(), "it is empty", hint))?;
    Ok(got(line.expose(), "stdin".to_owned()))
}

/// From a command of the account.
pub(super) fn command(session: &Session<'_>, line: &str) -> Result<Got, SignInError> {
    let failed = |error: std::io::Error| {
        none(
            "in the output of `oidc_token_command`".to_owned(),
            error.to_string(),
            "run that command by itself: it should print the token",
        )
    };
    let text = session.machine.launcher.first_line(line).map_err(failed)?;
    Ok(got(text.expose(), "`oidc_token_command`".to_owned()))
}

/// From GitLab: the job names the variable.
pub(super) fn gitlab(session: &Session<'_>) -> Result<Got, SignInError> {
    match session.machine.env.get(GITLAB_TOKEN) {
        Some(text) => Ok(got(text, format!("the variable `{GITLAB_TOKEN}`"))),
        None => Err(none(
            "from GitLab".to_owned(),
            format!("the variable `{GITLAB_TOKEN}` is not set"),
            "the job needs `id_tokens: { GITLAB_OIDC_TOKEN: { aud: sts.amazonaws.com } }` (or `sts.aliyuncs.com`); a variable of another name is \
             `--oidc env:NAME`",
        )),
    }
}

#[derive(Deserialize)]
struct GitHubAnswer {
    value: Secret<String>,
}

/// From GitHub Actions: one GET with the job's own bearer token, whose audience has to be asked for.
pub(super) async fn github(session: &mut Session<'_>, audience: Option<&str>) -> Result<Got, SignInError> {
    let hint = "add `permissions: { id-token: write }` to the job or the workflow; a pull request of a fork never gets it";
    let env = session.machine.env;
    let (Some(url), Some(bearer)) = (env.get(GITHUB_URL), env.get(GITHUB_TOKEN)) else {
        let why = if env.is_on("GITHUB_ACTIONS") {
            "the job has no permission `id-token: write`, so GitHub gives it none"
        } else {
            "this is no job of GitHub Actions with the permission `id-token: write`"
        };
        return Err(none("from GitHub Actions".to_owned(), why, hint));
    };
    let url = WebUrl::parse(url)
        .map_err(|why| none("from GitHub Actions".to_owned(), format!("`{GITHUB_URL}` will not do: {why}"), hint))?;
    let audience = audience.unwrap_or(session.sp.web_identity.audience);
    let own: Vec<(String, String)> = url.expose().query_pairs().into_owned().collect();
    let pairs = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(|(name, _)| *name != "audience");
    let request = Request::get(url.with_query(pairs.chain([("audience", audience)])))
        .header("authorization", Secret::new(format!("bearer {bearer}")))
        .header("accept", "application/json");
    let answer = session.browser.send(request).await?;
    let (who, step) = ("GitHub Actions".to_owned(), "the request for an ID token");
    if matches!(answer.status, 401 | 403) {
        let said = Untrusted::new("the job's own token for this is not good, or no longer");
        return Err(OidcError::Refused { who, step, error: Untrusted::new(format!("HTTP {}", answer.status)), said }.into());
    }
    let garbled = |why: &str| OidcError::Garbled { who: who.clone(), step, status: answer.status, why: Untrusted::new(why) };
    if !answer.is_success() {
        return Err(garbled("it is no token").into());
    }
    let answer: GitHubAnswer = json(answer.body.expose()).map_err(garbled)?;
    Ok(got(answer.value.expose(), who))
}
