//! Sign-ins at IAM Identity Center: with a browser that is this very program, started again by `BROWSER`, and with codes for another
//! device. How many sign-ins, which requests, which files.

mod profiles;
mod sign_in;
mod tokens;

use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use saml2cloud::types::WebUrl;
use saml2cloud::world::{HttpNetwork, Network as _, Request, Tls};
use serde_json::Value;

use crate::call::Call;
use crate::support::{AWS, Room};

const OIDC: &str = "oidc.us-east-1.amazonaws.com";
const PORTAL: &str = "portal.sso.us-east-1.amazonaws.com";
const START: &str = "https://acme.awsapps.com/start";
const ROLE: &str = "012345678987/AcmeJumpCloudAdminRO";
/// The shared file of [`START`], named by its SHA-1.
const SHARED: &str = ".aws/sso/cache/40169cea58ca6cbf23fb27b2542923fb5f524af0.json";
/// What the browser does, and where it notes that it was opened.
const DOES: &str = "SAML2CLOUD_TEST_BROWSER";
/// Who signs in with it; alice if nobody is named.
const USER: &str = "SAML2CLOUD_TEST_BROWSER_USER";
const NOTES: &str = "SAML2CLOUD_TEST_BROWSER_NOTES";

/// The person's browser: signs in as alice on the page that it is sent to, and goes where that leads.
#[test]
fn a_browser() {
    let (Some(does), Some(url)) = (std::env::var(DOES).ok(), std::env::args().find(|arg| arg.starts_with("http"))) else {
        return;
    };
    note(&url);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(browse(&does, &url));
}

fn note(line: &str) {
    use std::io::Write as _;
    let mut notes = std::fs::File::options().append(true).create(true).open(std::env::var(NOTES).unwrap()).unwrap();
    writeln!(notes, "{line}").unwrap();
}

async fn browse(does: &str, url: &str) {
    let transport = HttpNetwork.open(&Tls::default()).unwrap();
    let get = async |url: &str| transport.send(&Request::get(WebUrl::parse(url).unwrap())).await.unwrap();
    let mut page = url.to_owned();
    while let Some(next) = get(&page).await.header("location") {
        page = next.to_owned();
    }
    if does == "ignore" {
        return;
    }
    let address = url::Url::parse(&page).unwrap();
    let answer = if does == "deny" { "deny" } else { "allow" };
    let mut form: Vec<(String, String)> = address.query_pairs().into_owned().collect();
    let (login, password) = match std::env::var(USER) {
        Ok(user) => (format!("{user}@example.com"), format!("{user}-writes-the-names")),
        Err(_) => ("alice@example.com".to_owned(), "alice-correct-horse-battery".to_owned()),
    };
    let own = [("login", login.as_str()), ("password", &password), ("answer", answer)];
    form.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let page = WebUrl::parse(&page).unwrap();
    let sent = Request::form(page, form.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let Some(back) = transport.send(&sent).await.unwrap().header("location").map(str::to_owned) else { return };
    if does == "strangers" {
        // Whoever guesses the port does not end the sign-in.
        let door = url::Url::parse(&back).unwrap();
        let at = |path: &str| format!("http://127.0.0.1:{}{path}", door.port().unwrap());
        for stranger in ["/favicon.ico", "/oauth/callback?code=x&state=wrong", "/oauth/callback", "/other"] {
            note(&format!("{} {stranger}", get(&at(stranger)).await.status));
        }
    }
    note(&format!("{} back", get(&back).await.status));
    if does == "replay" {
        let again = transport.send(&Request::get(WebUrl::parse(&back).unwrap())).await;
        note(&format!("{} again", again.map_or_else(|_| "closed".to_owned(), |answer| answer.status.to_string())));
    }
}

/// A room with a browser in it.
struct Desk {
    room: Room,
    browser: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let room = Room::new();
        let browser = room.outside("browser");
        let this = std::env::current_exe().unwrap();
        let script = format!("#!/bin/sh\nexec '{}' --exact portal::a_browser \"$1\"\n", this.display());
        std::fs::write(&browser, script).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Self { room, browser }
    }

    /// With an account `production` for the role that everybody has.
    fn with_account(lines: &str) -> Self {
        let desk = Self::new();
        desk.account("production", &format!("role_arn = \"{ROLE}\"\n{lines}"));
        desk
    }

    fn account(&self, name: &str, lines: &str) {
        let path = self.room.home().join(AWS.accounts);
        let mut text = std::fs::read_to_string(&path).unwrap_or_default();
        text += &format!("[{name}]\nurl = \"{START}\"\nprovider = \"IdentityCenter\"\naws_profile = \"{name}\"\n{lines}\n");
        std::fs::write(path, text).unwrap();
    }

    fn call(&self, line: &str) -> Call<'_> {
        self.call_with(line, "allow")
    }

    fn call_with(&self, line: &str, does: &str) -> Call<'_> {
        let notes = self.room.outside("notes");
        let call = self.room.call(line).var("BROWSER", &self.browser.display().to_string());
        call.var(DOES, does).var(NOTES, &notes.display().to_string())
    }

    fn notes(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.room.outside("notes")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How many tabs were opened.
    fn tabs(&self) -> usize {
        self.notes().iter().filter(|line| line.starts_with("http")).count()
    }

    /// Waits until so many were opened by a program that goes on running.
    fn waits_for_tabs(&self, tabs: usize, child: &mut Child) {
        for _ in 0..1500 {
            if self.tabs() >= tabs {
                return;
            }
            assert_eq!(child.try_wait().unwrap(), None, "the program ended with {} tabs of {tabs}", self.tabs());
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} tabs of {tabs} after 30 seconds", self.tabs());
    }

    fn asked(&self, line: &str) -> usize {
        self.room.requests().iter().filter(|request| *request == line).count()
    }

    fn shared(&self) -> Vec<PathBuf> {
        let folder = self.room.home().join(".aws/sso/cache");
        let entries = std::fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>());
        entries.unwrap_or_default().into_iter().filter(|path| path.extension().is_some_and(|e| e == "json")).collect()
    }

    fn token(&self) -> Value {
        serde_json::from_str(&self.room.read(SHARED)).unwrap()
    }
}
