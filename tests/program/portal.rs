//! Sign-ins at IAM Identity Center: with a browser that is this very program, started again by `BROWSER`, and with codes for another
//! device. How many sign-ins, which requests, which files.

use std::path::PathBuf;
use std::process::Stdio;

use saml2cloud::types::WebUrl;
use saml2cloud::world::{HttpNetwork, Network as _, Request, Tls};
use sandbox::Fault;
use serde_json::Value;

use crate::call::{Call, check_clean, check_secrets};
use crate::support::{AWS, GUIDE, Room, mode};

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

/// What a first login costs.
const FIRST: [&str; 7] = [
    "GET acme.awsapps.com/start",
    "POST oidc.us-east-1.amazonaws.com/client/register",
    "GET oidc.us-east-1.amazonaws.com/authorize",
    "GET acme.awsapps.com/start/authorize",
    "POST acme.awsapps.com/start/authorize",
    "POST oidc.us-east-1.amazonaws.com/token",
    "GET portal.sso.us-east-1.amazonaws.com/federation/credentials",
];

#[test]
fn a_browser_signs_in_and_every_role_has_that_token() {
    let desk = Desk::with_account("");
    let done = desk.call("login -a production").run().exits(0);
    done.says(&[
        "Sign in to acme.awsapps.com with your browser",
        &format!("Selected role: {ROLE}"),
        &format!("Logged in as: {ROLE}"),
    ]);
    assert_eq!(desk.room.requests(), FIRST);
    assert_eq!(desk.tabs(), 1);
    let profile = desk.room.aws_profile("production");
    assert_eq!(profile["x_principal_arn"], ROLE);
    // The file that the `aws` client and the SDKs share.
    assert_eq!(desk.shared(), [desk.room.home().join(SHARED)]);
    let token = desk.token();
    let members: Vec<&String> = token.as_object().unwrap().keys().collect();
    let all =
        ["startUrl", "region", "accessToken", "expiresAt", "clientId", "clientSecret", "registrationExpiresAt", "refreshToken"];
    assert_eq!(members, all);
    assert_eq!((token["startUrl"].as_str(), token["region"].as_str()), (Some(START), Some("us-east-1")));
    assert_eq!((mode(&desk.room.home().join(SHARED)), mode(&desk.room.home().join(".aws/sso/cache"))), (0o600, 0o700));

    // Another role, another account of ours: the same sign-in, and one request.
    desk.room.sandbox.clear_requests();
    desk.account("admin", "role_arn = \"AcmeJumpCloudAdmin\"");
    desk.call("login -a production --role 210987654321/Developer").run().exits(0);
    assert_eq!(desk.room.requests(), ["GET portal.sso.us-east-1.amazonaws.com/federation/credentials"]);
    // A role by its name alone has to be looked for.
    desk.room.sandbox.clear_requests();
    desk.call("login -a admin").run().exits(0).says(&[&format!("Selected role: {GUIDE}/AcmeJumpCloudAdmin")]);
    assert_eq!((desk.asked(&format!("GET {PORTAL}/assignment/accounts")), desk.tabs()), (1, 1));
}

#[test]
fn configure_makes_an_account() {
    let desk = Desk::new();
    let line = "configure -a dev --idp-provider=IdentityCenter --url=https://acme.awsapps.com/start --sso-region us-east-1 \
                --region eu-west-1 --profile dev --skip-prompt --role";
    desk.call(line).arg(ROLE).run().exits(0);
    let text = desk.room.read(AWS.accounts);
    assert!(text.contains("sso_region = \"us-east-1\"") && text.contains("region = \"eu-west-1\""), "{text}");
    desk.room.sandbox.clear_requests();
    desk.call("login -a dev").run().exits(0);
    assert_eq!(desk.room.requests(), FIRST[1..], "with the region given, nobody is asked for it");
    assert_eq!(desk.room.aws_profile("dev")["region"], "eu-west-1");
}

#[test]
fn thirty_at_once_are_one_sign_in() {
    let desk = Desk::with_account("");
    desk.account("other", "role_arn = \"210987654321/Developer\"");
    let start = |index: usize| {
        let account = if index.is_multiple_of(3) { "other" } else { "production" };
        let call = desk.call(&format!("exec -a {account} -- true"));
        call.command().stdout(Stdio::null()).spawn().unwrap()
    };
    let running: Vec<_> = (0..30).map(start).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        check_clean(&said);
        check_secrets(&desk.room.sandbox, &said);
    }
    assert_eq!(desk.tabs(), 1);
    assert_eq!(desk.asked(&format!("GET {OIDC}/authorize")), 1);
    assert_eq!(desk.asked(&format!("POST {OIDC}/token")), 1);
    // Whoever waited for the same role found its keys.
    assert_eq!(desk.asked(&format!("GET {PORTAL}/federation/credentials")), 2);

    // The same with a token that has to be renewed.
    desk.room.sandbox.end_portal_access();
    desk.room.sandbox.clear_requests();
    std::fs::remove_dir_all(desk.room.home().join(".cache/saml2cloud/credentials")).unwrap();
    let running: Vec<_> = (0..30).map(start).collect();
    for child in running {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    assert_eq!((desk.tabs(), desk.asked(&format!("POST {OIDC}/token"))), (1, 1));
}

#[test]
fn a_code_for_another_device() {
    let desk = Desk::with_account("device = true");
    desk.room.sandbox.portal(|portal| portal.slow_downs = 1);
    let done = desk.call("login -a production").run().exits(0);
    done.says(&[
        "open this address on any device:\n  https://acme.awsapps.com/start/device\nand type this code:\n  ",
        "Approve it only if you started this yourself, on ",
    ]);
    assert_eq!((desk.tabs(), desk.asked(&format!("POST {OIDC}/device_authorization"))), (1, 1));
    assert!(desk.asked(&format!("POST {OIDC}/token")) >= 2);
    assert!(desk.token()["refreshToken"].is_string());
    // A registration for each way to sign in, each made once.
    desk.call("logout -a production").run().exits(0);
    desk.call("login -a production").run().exits(0);
    desk.call("logout -a production").run().exits(0);
    desk.call("login -a production").var("SAML2CLOUD_DEVICE", "false").run().exits(0);
    assert_eq!(desk.asked(&format!("POST {OIDC}/client/register")), 2);
}

#[test]
fn a_machine_without_a_screen_shows_the_code_and_opens_nothing() {
    let desk = Desk::with_account("");
    desk.room.sandbox.portal(|portal| portal.device_seconds = 2);
    let call = desk.room.call("login -a production").var("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
    let done = call.run().exits(4);
    done.says(&["and type this code:", "error: nobody finished the sign-in at acme.awsapps.com within"])
        .does_not_say("with your browser");
    assert_eq!(desk.tabs(), 0);
}

#[test]
fn only_addresses_of_the_cloud_are_opened() {
    let desk = Desk::with_account("device = true");
    desk.room.sandbox.portal(|portal| {
        portal.device_page = Some("https://login.acme.example/device".to_owned());
        portal.device_seconds = 2;
    });
    let done = desk.call("login -a production").run().exits(4);
    done.says(&["https://login.acme.example/device", "not one of AWS's own, so no browser is opened"]);
    assert_eq!(desk.tabs(), 0);
}

#[test]
fn what_the_person_or_a_stranger_does_in_the_browser() {
    for (does, code, says) in [
        ("deny", 3, "error: the sign-in at acme.awsapps.com was denied: \"The user said no\""),
        ("strangers", 0, "Logged in as"),
        ("replay", 0, "Logged in as"),
    ] {
        let desk = Desk::with_account("");
        desk.call_with("login -a production", does).run().exits(code).says(&[says]);
        let notes = desk.notes();
        match does {
            "strangers" => {
                let expected =
                    ["404 /favicon.ico", "400 /oauth/callback?code=x&state=wrong", "400 /oauth/callback", "404 /other"];
                assert_eq!(notes[1..5], expected);
            }
            "replay" => {
                // The first answer is taken; the second finds a closed door, or is told so.
                assert!(matches!(notes.last().map(String::as_str), Some("410 again" | "closed again")), "{notes:?}");
                assert_eq!(desk.asked(&format!("POST {OIDC}/token")), 1);
            }
            _ => assert!(desk.shared().is_empty(), "nothing is kept of a denied sign-in"),
        }
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let desk = Desk::with_account(&format!("redirect_port = {port}"));
    let done = desk.call("login -a production").run().exits(1);
    done.says(&[&format!("error: port {port} of this machine is taken"), "redirect_port"]);
    drop(taken);
    desk.call("login -a production").run().exits(0);
    assert!(desk.notes()[0].starts_with(&format!("http://127.0.0.1:{port}/")));
}

#[test]
fn a_token_that_the_portal_refuses_is_renewed_once_and_then_asked_for() {
    let desk = Desk::with_account("");
    desk.call("login -a production").run().exits(0);
    desk.room.sandbox.end_portal_access();
    desk.room.sandbox.clear_requests();
    desk.call("login -a production --force").run().exits(0);
    let renewed = [
        "GET portal.sso.us-east-1.amazonaws.com/federation/credentials",
        "POST oidc.us-east-1.amazonaws.com/token",
        "GET portal.sso.us-east-1.amazonaws.com/federation/credentials",
    ];
    assert_eq!(desk.room.requests(), renewed);
    desk.room.sandbox.end_portal_sessions();
    desk.call("login -a production --force").run().exits(0);
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn a_refresh_token_that_stays_is_kept() {
    let desk = Desk::with_account("");
    desk.room.sandbox.portal(|portal| portal.rotates = false);
    desk.call("login -a production").run().exits(0);
    let before = desk.token();
    desk.room.sandbox.end_portal_access();
    desk.call("login -a production --force").run().exits(0);
    let after = desk.token();
    assert_eq!(before["refreshToken"], after["refreshToken"]);
    assert_ne!(before["accessToken"], after["accessToken"]);
}

#[test]
fn a_token_that_ends_soon_is_renewed_and_serves_meanwhile() {
    let desk = Desk::with_account("");
    // Ten minutes are left from the start.
    desk.room.sandbox.portal(|portal| portal.access_seconds = 600);
    desk.call("login -a production").run().exits(0);
    let before = desk.token();
    desk.room.sandbox.fault(OIDC, Fault::Status(503, String::new(), "text/plain".to_owned()));
    desk.call("login -a production --force").run().exits(0);
    assert_eq!(desk.token(), before, "the renewal failed, and the token is still good");
    desk.room.sandbox.clear_faults();
    desk.call("login -a production --force").run().exits(0);
    assert_ne!(desk.token()["accessToken"], before["accessToken"]);
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn a_program_that_is_no_longer_known_makes_itself_known_again() {
    let desk = Desk::with_account("device = true");
    desk.call("login -a production").run().exits(0);
    desk.room.sandbox.forget_portal_clients();
    desk.room.sandbox.end_portal_sessions();
    desk.call("login -a production --force").run().exits(0);
    assert_eq!((desk.asked(&format!("POST {OIDC}/client/register")), desk.tabs()), (2, 2));
}

#[test]
fn what_the_portal_says_is_explained() {
    let desk = Desk::with_account("");
    desk.call("login -a production").run().exits(0);
    let denied = desk.call("login -a production --role 012345678987/NoSuchRole").run().exits(3);
    denied.says(&[
        "error: the sign-in portal gives you no access to `NoSuchRole` in account 012345678987: \"No access\"",
        "saml2cloud logout",
    ]);
    desk.room.sandbox.clear_requests();
    let busy = Fault::Status(429, r#"{"message":"Too many requests"}"#.to_owned(), "application/json".to_owned());
    desk.room.sandbox.fault(PORTAL, busy.times(2));
    desk.call("login -a production --force").run().exits(0);
    assert_eq!(desk.asked(&format!("GET {PORTAL}/federation/credentials")), 3);
    desk.room.sandbox.fault(PORTAL, Fault::Status(200, "<html><b>captive portal</b>".to_owned(), "text/html".to_owned()));
    let html = desk.call("login -a production --force").run().exits(1);
    html.says(&["error: the sign-in portal at portal.sso.us-east-1.amazonaws.com gave an answer that is not one (HTTP 200)"]);
    desk.room.sandbox.clear_faults();
    desk.room.sandbox.fault(PORTAL, Fault::Redirect("https://login.acme.example/".to_owned()));
    desk.room.sandbox.clear_requests();
    desk.call("login -a production --force").run().exits(1);
    assert_eq!(desk.room.asked("login.acme.example"), 0, "the access token follows no redirect");
}

#[test]
fn a_wrong_region_is_named() {
    let desk = Desk::with_account("device = true\nsso_region = \"eu-central-1\"");
    let done = desk.call("login -a production").run().exits(2);
    done.says(&["error: the sign-in portal is in region `us-east-1`, not in `eu-central-1`", "--sso-region us-east-1"]);
    desk.call("login -a production --sso-region us-east-1").run().exits(0);
}

#[test]
fn portals_of_every_kind_are_found() {
    for (url, oidc, extra) in [
        ("https://acme.portal.eu-west-1.app.aws", "oidc.eu-west-1.api.aws", ""),
        ("https://sso.acme.example/aws", OIDC, ""),
        (START, OIDC, "sso_session = \"my-sso\""),
    ] {
        let desk = Desk::new();
        let text = format!(
            "[dev]\nurl = \"{url}\"\nprovider = \"IdentityCenter\"\naws_profile = \"dev\"\nrole_arn = \"{ROLE}\"\n{extra}\n"
        );
        desk.room.write(AWS.accounts, &text);
        desk.call("login -a dev").run().exits(0);
        assert_eq!(desk.asked(&format!("POST {oidc}/token")), 1, "{url}");
        if !extra.is_empty() {
            // The name of a session is the key, where there is one.
            let own = desk.room.home().join(".aws/sso/cache/0ad374308c5a4e22f723adf10145eafad7c4031c.json");
            assert_eq!(desk.shared(), [own]);
        }
    }
    let desk = Desk::new();
    desk.room.write(
        AWS.accounts,
        "[dev]\nurl = \"https://sso.acme.example/\"\nprovider = \"IdentityCenter\"\naws_profile = \"dev\"\n",
    );
    desk.call("login -a dev")
        .run()
        .exits(2)
        .says(&["`https://sso.acme.example/` is neither an address of AWS's own nor leads to one"]);
}

#[test]
fn credential_process_never_starts_a_sign_in_unless_it_may() {
    let desk = Desk::with_account("");
    let done = desk.call("credential-process -a production").run().exits(4);
    done.says(&["error: the session at acme.awsapps.com has expired, or there was none", "saml2cloud login", "auto_login"]);
    assert_eq!((desk.tabs(), desk.room.requests().len()), (0, 0));
    desk.call("exec -a production --no-input -- true").run().exits(4);
    assert_eq!(desk.tabs(), 0);

    // A sign-in by the person, and it goes on without them: renewal included.
    desk.call("login -a production").run().exits(0);
    desk.room.sandbox.end_portal_access();
    let keys = desk.call("credential-process -a production --force").shows_keys().run().exits(0);
    let document: Value = serde_json::from_str(&keys.stdout).unwrap();
    assert!(document["AccessKeyId"].as_str().unwrap().starts_with("ASIA"));
    assert_eq!(desk.tabs(), 1);

    let willing = Desk::with_account("auto_login = true");
    willing.call("credential-process -a production").shows_keys().run().exits(0);
    assert_eq!(willing.tabs(), 1);
}

const CONFIG: &str = "\
[profile legacy]
sso_start_url = https://acme.awsapps.com/start
sso_region = us-east-1
sso_account_id = 012345678987
sso_role_name = AcmeJumpCloudAdminRO
region = eu-west-1

[profile modern]
sso_session = acme
sso_account_id = 210987654321
sso_role_name = Developer

[profile token-only]
sso_session = acme

[profile broken]
sso_session = no-such

[sso-session acme]
sso_start_url = https://acme.awsapps.com/start
sso_region = us-east-1
sso_registration_scopes = sso:account:access
";

#[test]
fn profiles_of_the_aws_client_are_signed_in_by_their_name() {
    let desk = Desk::new();
    desk.room.write(".aws/config", CONFIG);
    let done = desk.call("login -p modern").run().exits(0);
    done.says(&["Signed in at acme.awsapps.com.", "--profile modern"]);
    assert_eq!((desk.tabs(), desk.asked(&format!("GET {PORTAL}/federation/credentials"))), (1, 0));
    assert!(!desk.room.home().join(AWS.profiles).exists(), "its tools get the keys themselves");
    assert_eq!(desk.room.read(".aws/config"), CONFIG);
    // Signed in already.
    desk.call("login -p token-only").run().exits(0);
    assert_eq!(desk.tabs(), 1);
    desk.call("login -p token-only --force").run().exits(0);
    assert_eq!(desk.tabs(), 2);

    let done = desk.call("exec -p modern -- env").shows_keys().run().exits(0);
    assert!(done.stdout.contains("AWS_ACCESS_KEY_ID=ASIA") && !done.stdout.contains("AWS_PROFILE="), "{}", done.stdout);
    let keys = desk.call("credential-process -p modern").shows_keys().run().exits(0);
    assert!(keys.stdout.contains("\"Version\":1"));
    // The older form has a file of its own.
    let done = desk.call("exec -p legacy -- env").shows_keys().run().exits(0);
    assert!(done.stdout.contains("AWS_REGION=eu-west-1"));
    assert_eq!((desk.tabs(), desk.shared().len()), (3, 2));

    let broken = desk.call("login -p broken").run().exits(2);
    broken.says(&["error: The specified sso-session does not exist: \"no-such\"", "(`~/.aws/config`, line 16)"]);
    // Whoever names an account means it.
    desk.account("production", &format!("role_arn = \"{ROLE}\""));
    desk.call("login -a production -p modern").run().exits(2).says(&["has `sso_session` in"]);
    // And a profile that does not sign in is where keys go.
    desk.call("login -p plain").run().exits(2).says(&["there is no account `default`"]);
}

#[test]
fn signing_out_ends_it_there_and_here() {
    let desk = Desk::with_account("");
    desk.call("login -a production").run().exits(0);
    desk.room.sandbox.clear_requests();
    let done = desk.call("logout -a production").run().exits(0);
    done.says(&[
        "Signed out of production at acme.awsapps.com.",
        "note: keys that were handed out stay good until they end, at ",
    ]);
    assert_eq!(desk.room.requests(), [format!("POST {PORTAL}/logout")]);
    assert!(desk.shared().is_empty());
    desk.call("credential-process -a production").run().exits(4);
    desk.call("logout -a production").run().exits(0).says(&["there was no session to end"]);

    // A portal that cannot be told is no reason to keep the token.
    desk.call("login -a production").run().exits(0);
    desk.room.sandbox.fault(PORTAL, Fault::Unreachable);
    let done = desk.call("logout -a production").run().exits(5);
    done.says(&["Signed out of production here. The session at acme.awsapps.com could not be ended:"]);
    assert!(desk.shared().is_empty());
}

#[test]
fn names_that_draw_on_the_terminal_are_not_roles() {
    let desk = Desk::with_account("");
    let done = desk.call("list-roles -a production").var(USER, "mallory").run().exits(0);
    assert_eq!(done.stdout, format!("Account: acme-prod ({GUIDE})\n{GUIDE}/Plain\n\n"));
    desk.call("login -a production --role Plain").run().exits(0).says(&[&format!("Logged in as: {GUIDE}/Plain")]);
}

#[test]
fn a_session_that_is_another_portals_now_is_not_used() {
    let desk = Desk::with_account("sso_session = \"my-sso\"");
    desk.call("login -a production").run().exits(0);
    let own = ".aws/sso/cache/0ad374308c5a4e22f723adf10145eafad7c4031c.json";
    desk.room.write(own, &desk.room.read(own).replace("acme.awsapps.com", "other.awsapps.com"));
    desk.call("login -a production --force").run().exits(0);
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn verification_is_never_switched_off_at_a_portal() {
    for host in [OIDC, PORTAL] {
        let desk = Desk::with_account("skip_verify = true\nsso_region = \"us-east-1\"");
        desk.room.sandbox.fault(host, Fault::WrongName);
        desk.call("login -a production --skip-verify").run().exits(5).says(&["showed a certificate that is not trusted"]);
    }
}

#[test]
fn a_service_that_stumbles_is_asked_again() {
    let desk = Desk::with_account("sso_region = \"us-east-1\"");
    let down = Fault::Status(500, r#"{"error":"server_error"}"#.to_owned(), "application/json".to_owned());
    desk.room.sandbox.fault(OIDC, down.clone().times(2).on_path("/client/register"));
    desk.room.sandbox.fault(OIDC, down.times(2).on_path("/token"));
    desk.call("login -a production").run().exits(0);
    assert_eq!((desk.tabs(), desk.asked(&format!("POST {OIDC}/token"))), (1, 3));
}

#[test]
fn a_mistyped_key_of_a_profile_is_told_once() {
    let desk = Desk::new();
    desk.room.write(".aws/config", &CONFIG.replace("sso_registration_scopes", "sso_registration_scope"));
    let done = desk.call("exec -p modern -- true").run().exits(0);
    let note = "`sso_registration_scope` in sso-session `acme` is read by nobody; did you mean `sso_registration_scopes`?";
    assert_eq!(done.stderr.matches(note).count(), 1, "{}", done.stderr);
}

#[test]
fn clocks_that_are_off_by_ten_minutes() {
    for seconds in [-600, 600] {
        let desk = Desk::with_account("device = true");
        desk.room.sandbox.cloud_clock(seconds);
        desk.call("login -a production").run().exits(0);
        desk.call("exec -a production -- true").run().exits(0);
        assert_eq!(desk.tabs(), 1);
    }
}

#[test]
fn a_token_may_rest_in_the_vault() {
    let desk = Desk::with_account("token_store = \"vault\"");
    let with_vault = |line: &str| {
        desk.call(line).var("SAML2CLOUD_KEYCHAIN", "file").var("SAML2CLOUD_VAULT_PASSPHRASE", "a long enough passphrase")
    };
    with_vault("login -a production").run().exits(0);
    assert!(desk.shared().is_empty());
    with_vault("login -a production --force").run().exits(0);
    assert_eq!(desk.tabs(), 1);
    with_vault("logout -a production").run().exits(0).says(&["Signed out of production at"]);
    with_vault("login -a production --force").run().exits(0);
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn files_of_other_tools_are_read_and_their_members_kept() {
    let desk = Desk::with_account("");
    desk.call("login -a production").run().exits(0);
    let mut token = desk.token();
    token["theirs"] = serde_json::json!({"kept": true});
    // As the JS and older Python tools write dates.
    token["expiresAt"] = token["expiresAt"].as_str().unwrap().replace('Z', ".000Z").into();
    desk.room.write(SHARED, &token.to_string());
    desk.room.sandbox.end_portal_access();
    desk.call("login -a production --force").run().exits(0);
    assert_eq!((desk.token()["theirs"]["kept"].as_bool(), desk.tabs()), (Some(true), 1));
    assert!(!desk.token()["expiresAt"].as_str().unwrap().contains('.'));
    // What is no token is no reason to fail.
    for broken in ["", "{", "[]", "{\"accessToken\":1}"] {
        desk.room.write(SHARED, broken);
        desk.call("login -a production --force").run().exits(0);
    }
    assert_eq!(desk.tabs(), 5);
}

#[test]
fn settings_that_will_not_do() {
    for (lines, says) in [
        ("role_arn = \"arn:aws:iam::012345678987:role/Admin\"", "a sign-in portal's roles are named `ACCOUNT/NAME`"),
        ("policy_file = \"p.json\"", "the roles of a sign-in portal cannot be limited further"),
        ("token_store = \"pocket\"", "`token_store` will not do for IdentityCenter: `pocket` is neither `shared` nor `vault`"),
        ("device = \"perhaps\"", "`device` will not do for IdentityCenter"),
        ("redirect_port = 99999", "`redirect_port` will not do"),
        ("sso_region = \"nowhere!\"", "`sso_region` will not do"),
    ] {
        let desk = Desk::new();
        desk.account("production", lines);
        desk.call("login -a production").run().exits(2).says(&[says]);
        assert!(desk.room.requests().is_empty());
    }
}

#[test]
fn interrupting_a_wait_leaves_nothing_behind() {
    let desk = Desk::with_account("");
    let mut first = desk.call_with("login -a production", "ignore").command().spawn().unwrap();
    while desk.tabs() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // One that waits for the browser, and one that waits for the first.
    let mut second = desk.call("login -a production").command().spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    for child in [&mut second, &mut first] {
        let id = i32::try_from(child.id()).unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
    assert!(desk.shared().is_empty());
    desk.call("login -a production").run().exits(0);
}
