//! An installed browser (Chrome, Edge, Chromium, Brave): the person signs in there, and we take the SAML response.
//!
//! 1. The browser is found and started with a profile of our own and a pipe to us, and nothing else listens. What an earlier sign-in left
//!    there is a session at the identity provider.
//! 2. Unseen first, where a session or a known password may do: the account's `url` is opened. If the provider sends the response, nobody
//!    was disturbed.
//! 3. Else in a window, where the person signs in as ever: passkeys, security keys, whatever the provider wants.
//! 4. Every page is held before it is asked for. The form that would go to the cloud is read and never sent, in whichever tab it appears.
//! 5. The browser writes its cookies down and ends.
//!
//! The protocol is Chromium's own: <https://chromedevtools.github.io/devtools-protocol/>. Why so few words of it:
//! docs/decisions/installed-browser.md.

mod cdp;
mod drive;
mod error;
mod find;
mod page;
mod request;
mod session;

pub use error::BrowserError;

use std::ffi::OsString;
use std::time::Duration;

use async_trait::async_trait;
use ring::digest::{SHA256, digest};

use self::cdp::Wire;
use self::drive::{Drive, End, Fill, Mode};
use self::find::{Installed, Wish};
use super::{Field, Idp, Method, Provider, Session, Settings, SettingsError, SignInError};
use crate::ask::Topic;
use crate::types::{Assertion, Secret, Untrusted, WebUrl};
use crate::vault::Kind;
use crate::world::{Folder, file};

const NAME: &str = "Browser";
/// How long a person may take, unless the account says otherwise.
const LIMIT: Duration = Duration::from_secs(300);
/// A shorter limit in the account counts as none, as in the old tools.
const SHORTEST: Duration = Duration::from_secs(30);
/// How often another run is looked after that has the profile.
const PAUSE: Duration = Duration::from_secs(1);
/// More of a session than this is not remembered.
const LONGEST_SESSION: usize = 48 * 1024;
/// What an account may not say to the browser, because the sign-in rests on it.
const OURS: &[&str] = &["--remote-debugging", "--user-data-dir", "--profile-directory", "--headless"];

/// The description.
pub(super) static PROVIDER: Browser = Browser;

/// The browser sign-in, described.
pub(super) struct Browser;

impl Provider for Browser {
    fn id(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "any provider, in a browser that is installed (Chrome, Edge, Chromium, Brave)"
    }

    fn fields(&self) -> &'static [Field] {
        const fn field(key: &'static str, variable: &'static str, help: &'static str) -> Field {
            Field { key, variable, help, needed: false }
        }
        const {
            &[
                field(
                    "browser_type",
                    "BROWSER_TYPE",
                    "which browser: `chrome`, `msedge`, `chromium`, `brave`, or one of their channels",
                ),
                field(
                    "browser_executable_path",
                    "BROWSER_EXECUTABLE_PATH",
                    "the browser's program, where it is not found by itself",
                ),
                field("browser_autofill", "BROWSER_AUTOFILL", "fill in user name and password on the pages of `url`'s own host"),
                field(
                    "browser_session",
                    "BROWSER_SESSION",
                    "`keep` the session at the provider for the next sign-in, or `ephemeral`",
                ),
                field("browser_args", "BROWSER_ARGS", "further arguments for the browser, with blanks between"),
                field("headless", "BROWSER_HEADLESS", "never show a window"),
                field(
                    "timeout",
                    "BROWSER_TIMEOUT",
                    "how long a person may take, in milliseconds (30000 or more; else five minutes)",
                ),
            ]
        }
    }

    fn wants_password(&self) -> bool {
        false
    }

    fn methods(&self) -> &'static [Method] {
        // The factor is between the person and the page.
        &[Method { name: "Auto", factor: None }]
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError> {
        let wrong = |key: &'static str| move |why: String| SettingsError { key, provider: NAME, why };
        let kind = find::wish(settings.own("browser_type").unwrap_or_default()).map_err(wrong("browser_type"))?;
        let keeps = match settings.own("browser_session").map(|word| word.trim().to_ascii_lowercase()).as_deref() {
            None | Some("keep") => true,
            Some("ephemeral") => false,
            Some(word) => {
                return Err(wrong("browser_session")(format!("`{}` is neither `keep` nor `ephemeral`", word.escape_debug())));
            }
        };
        let limit = settings.own("timeout").and_then(|text| text.trim().parse().ok()).map(Duration::from_millis);
        Ok(Box::new(Configured {
            start: settings.url.clone(),
            wish: match settings.own("browser_executable_path") {
                Some(path) => Wish::Program(path.trim().to_owned()),
                None => kind,
            },
            fills: settings.switch(NAME, "browser_autofill")?,
            never_shows: settings.switch(NAME, "headless")?,
            keeps,
            arguments: arguments(settings.own("browser_args").unwrap_or_default()).map_err(wrong("browser_args"))?,
            limit: limit.filter(|limit| *limit >= SHORTEST).unwrap_or(LIMIT),
            ignores_certificates: settings.skip_verify,
        }))
    }
}

/// Reads `browser_args`.
fn arguments(text: &str) -> Result<Vec<String>, String> {
    text.split_whitespace()
        .map(|word| match OURS.iter().find(|ours| word.starts_with(**ours)) {
            Some(ours) => Err(format!("`{ours}` is this program's own")),
            None if !word.starts_with("--") => Err(format!("`{}` does not begin with `--`", word.escape_debug())),
            None => Ok(word.to_owned()),
        })
        .collect()
}

struct Configured {
    start: WebUrl,
    wish: Wish,
    /// Whether user name and password are filled in.
    fills: bool,
    /// Whether a window is out of the question.
    never_shows: bool,
    /// Whether the session is kept for the next sign-in.
    keeps: bool,
    arguments: Vec<String>,
    limit: Duration,
    ignores_certificates: bool,
}

/// What of the person is known without asking.
struct Known {
    username: Option<String>,
    password: Option<Secret<String>>,
}

#[async_trait]
impl Idp for Configured {
    async fn sign_in(&self, session: &mut Session<'_>) -> Result<Assertion, SignInError> {
        if cfg!(not(unix)) {
            return Err(BrowserError::NotBuilt.into());
        }
        let browser = find::find(&self.wish, session.machine.env).map_err(|looked| BrowserError::NotFound { looked })?;
        let known = self.known(session).await;
        let folder = self.folder(session, known.username.as_deref()).await?;
        let window = self.window(session);
        if folder.is_new() {
            file::replace(&folder.path().join("Default/Preferences"), PREFERENCES).map_err(BrowserError::Profile)?;
        }
        let mut fill = Fill::new(known.username, known.password);
        let mut page = Untrusted::new("");
        // Unseen nothing can come of a profile that holds nothing, unless there is no other way or a password is at hand.
        if window.is_err() || fill.is_ready() || !folder.is_new() {
            match self.visit(session, &browser, &folder, &mut fill, Mode::Unseen { alone: window.is_err() }).await? {
                End::Response(response) => return Ok(Assertion::Saml(response)),
                End::WantsPerson(title) => page = title,
            }
        }
        window.map_err(|why| BrowserError::NoWindow { host: self.start.host().to_owned(), page, why })?;
        session.answers.notify(&format!(
            "Sign in to {} in the window of {}; it closes by itself",
            self.start.host(),
            browser.title
        ));
        match self.visit(session, &browser, &folder, &mut fill, Mode::Window).await? {
            End::Response(response) => Ok(Assertion::Saml(response)),
            End::WantsPerson(_) => Err(BrowserError::Closed { browser: browser.title }.into()),
        }
    }
}

impl Configured {
    /// What is known of the person. Nobody is asked: who sits in front of the window types there.
    async fn known(&self, session: &Session<'_>) -> Known {
        let username = if session.answers.knows(Topic::Username) { session.username().await.ok() } else { None };
        let password = if self.fills && session.answers.knows(Topic::Password) { session.password().await.ok() } else { None };
        Known { username, password: password.filter(|password| !password.expose().is_empty()) }
    }

    /// Step 1: the browser's profile: one for each person at each provider, so that nobody is signed in as somebody else, or one that
    /// goes with this run. One that another run has is waited for.
    async fn folder(&self, session: &Session<'_>, username: Option<&str>) -> Result<Folder, BrowserError> {
        let parent = session.machine.paths.browsers();
        if !self.keeps {
            return Folder::once(&parent).map_err(BrowserError::Profile);
        }
        let path = parent.join(folder_name(&self.start, username));
        let end = session.clock.now().after(self.limit);
        let mut is_told = false;
        loop {
            if let Some(folder) = Folder::take(&path).map_err(BrowserError::Profile)? {
                return Ok(folder);
            }
            if session.clock.now() > end {
                return Err(BrowserError::Busy { host: self.start.host().to_owned() });
            }
            if !std::mem::replace(&mut is_told, true) {
                session.answers.notify(&format!("Waiting for another sign-in to {} by browser ...", self.start.host()));
            }
            session.clock.sleep(PAUSE).await;
        }
    }

    /// Whether a window may and can be shown.
    fn window(&self, session: &Session<'_>) -> Result<(), &'static str> {
        let env = session.machine.env;
        if self.never_shows {
            return Err("the account says `headless`");
        }
        if !session.machine.may_send_person {
            return Err("`--no-input` forbids it");
        }
        if cfg!(target_os = "macos") || env.raw("DISPLAY").is_some() || env.raw("WAYLAND_DISPLAY").is_some() {
            return Ok(());
        }
        Err("there is no display (neither `DISPLAY` nor `WAYLAND_DISPLAY` is set)")
    }

    /// Steps 2 to 5, unseen or in a window.
    async fn visit(
        &self,
        session: &Session<'_>,
        browser: &Installed,
        folder: &Folder,
        fill: &mut Fill,
        mode: Mode,
    ) -> Result<End, SignInError> {
        let cannot = |source| BrowserError::CannotStart { browser: browser.title.clone(), source };
        let pipe = session.machine.launcher.start(&self.command(browser, folder, mode)).map_err(cannot)?;
        let memory = session.memory;
        let cookies = if self.keeps { memory.recall(Kind::IdpSession) } else { None };
        let wire = Wire::new(pipe, &browser.title);
        let mut drive = Drive::new(wire, &browser.title, session.clock, session.sp, &self.start, mode, self.limit);
        let end = drive.run(cookies.as_ref(), fill).await?;
        if matches!(end, End::Response(_)) && self.keeps {
            match drive.cookies().await {
                Some(cookies) if cookies.expose().len() <= LONGEST_SESSION => memory.keep(Kind::IdpSession, &cookies),
                _ => memory.forget(Kind::IdpSession),
            }
        }
        drive.close().await;
        Ok(end)
    }

    /// What the browser is started with. Nothing of it is secret: the address is told by the pipe, because it may hold a token.
    fn command(&self, browser: &Installed, folder: &Folder, mode: Mode) -> Vec<OsString> {
        let mut profile = OsString::from("--user-data-dir=");
        profile.push(folder.path());
        let mut command = vec![browser.program.clone().into_os_string(), profile];
        command.extend(FLAGS.iter().map(OsString::from));
        if let Mode::Unseen { .. } = mode {
            command.push("--headless=new".into());
        }
        if self.ignores_certificates {
            // The response is taken before it leaves, so the cloud is never talked to here.
            command.push("--ignore-certificate-errors".into());
        }
        command.extend(self.arguments.iter().map(OsString::from));
        command.push("about:blank".into());
        command
    }
}

/// A browser for one purpose: driven by our pipe, without what makes a person's own browser theirs.
const FLAGS: &[&str] = &[
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-extensions",
    "--disable-sync",
    "--allow-browser-signin=false",
    "--disable-default-apps",
    "--disable-background-mode",
    "--disable-background-networking",
    "--disable-component-update",
    // What it would tell its maker about the pages of a sign-in.
    "--disable-features=AutofillServerCommunication,OptimizationHints,Translate,MediaRouter",
    "--hide-crash-restore-bubble",
    "--window-size=1000,800",
];

/// What a new profile begins with. A browser asks its maker whether a password that was just used is known to thieves; whether a company's
/// passwords may be asked about is not for us to say. Nor does it connect to hosts before a page of theirs may be asked for.
const PREFERENCES: &str = r#"{"profile":{"password_manager_leak_detection":false},"net":{"network_prediction_options":2}}"#;

/// The name of a profile: the host for people, and a digest of what tells it from others.
fn folder_name(start: &WebUrl, username: Option<&str>) -> String {
    let origin = start.expose().origin().ascii_serialization();
    let whose = format!("{origin}\0{}", username.unwrap_or_default());
    let hex: String = digest(&SHA256, whose.as_bytes()).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let host: String =
        start.host().chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect();
    format!("{}-{hex}", host.trim_start_matches('.').chars().take(80).collect::<String>())
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
