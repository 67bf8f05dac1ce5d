//! Sign-ins at CloudSSO, with the browser of the other portal's tests. How many sign-ins, which requests, which files.

use std::path::PathBuf;
use std::process::Stdio;

use sandbox::Fault;
use serde_json::{Value, json};

use crate::call::{Call, check_clean, check_secrets};
use crate::support::{ALIBABA, GUIDE, Room};

const HOST: &str = "signin-cn-shanghai.alibabacloudsso.com";
const URL: &str = "https://signin-cn-shanghai.alibabacloudsso.com/acme/login";
const ROLE: &str = "012345678987/AcmeJumpCloudAdminRO";
const DOES: &str = "SAML2CLOUD_TEST_BROWSER";
const USER: &str = "SAML2CLOUD_TEST_BROWSER_USER";
const NOTES: &str = "SAML2CLOUD_TEST_BROWSER_NOTES";

/// A room with a browser and a vault in it.
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
        let path = self.room.home().join(ALIBABA.accounts);
        let mut text = std::fs::read_to_string(&path).unwrap_or_default();
        text += &format!("[{name}]\nurl = \"{URL}\"\nprovider = \"CloudSSO\"\nalibabacloud_profile = \"{name}\"\n{lines}\n");
        std::fs::write(path, text).unwrap();
    }

    fn call(&self, line: &str) -> Call<'_> {
        self.call_with(line, "allow")
    }

    fn call_with(&self, line: &str, does: &str) -> Call<'_> {
        let notes = self.room.outside("notes");
        let call = self.room.call(line).var("BROWSER", &self.browser.display().to_string());
        let call = call.var("SAML2CLOUD_KEYCHAIN", "file").var("SAML2CLOUD_VAULT_PASSPHRASE", "a long enough passphrase");
        call.var(DOES, does).var(NOTES, &notes.display().to_string())
    }

    /// How many tabs were opened.
    fn tabs(&self) -> usize {
        let text = std::fs::read_to_string(self.room.outside("notes")).unwrap_or_default();
        text.lines().filter(|line| line.starts_with("https://")).count()
    }

    fn asked(&self, line: &str) -> usize {
        self.room.requests().iter().filter(|request| *request == line).count()
    }

    /// Requests so far, polls of one sign-in counted as one.
    fn requests(&self) -> Vec<String> {
        let mut requests = self.room.requests();
        requests.dedup();
        requests.iter().map(|request| request.replace(HOST, "")).collect()
    }

    fn profile(&self, name: &str) -> Value {
        let whole: Value = serde_json::from_str(&self.room.read(ALIBABA.profiles)).unwrap();
        whole["profiles"].as_array().unwrap().iter().find(|profile| profile["name"] == name).unwrap().clone()
    }
}

#[test]
fn a_code_is_approved_and_every_role_has_that_token() {
    let desk = Desk::with_account("");
    let done = desk.call("login -a production").run().exits(0);
    done.says(&[
        &format!("To sign in to {HOST}, open this address on any device:\n  https://{HOST}/device/code\nand type this code:\n  "),
        "Approve it only if you started this yourself, on ",
        &format!("Selected role: {ROLE}"),
        &format!("Logged in as: {ROLE}"),
        "cn-shanghai",
    ]);
    let ends = ["GET /access-assignments/access-configurations", "POST /cloud-credentials"];
    let requests = desk.requests();
    assert_eq!(requests[0], "POST /device-authorization");
    assert_eq!(requests[requests.len() - 2..], ends);
    assert_eq!(desk.tabs(), 1);
    let profile = desk.profile("production");
    let members: Vec<&String> = profile.as_object().unwrap().keys().collect();
    let all = [
        "name",
        "mode",
        "access_key_id",
        "access_key_secret",
        "sts_token",
        "region_id",
        "output_format",
        "language",
        "sts_expiration",
    ];
    assert_eq!(members, all);
    assert_eq!((&profile["mode"], &profile["region_id"]), (&json!("StsToken"), &json!("cn-shanghai")));

    // Fresh keys need no network; another role, another account of ours: the same token.
    desk.room.sandbox.clear_requests();
    desk.call("login -a production").run().exits(0);
    assert!(desk.room.requests().is_empty());
    desk.account("admin", "role_arn = \"AcmeJumpCloudAdmin\"");
    desk.call("login -a production --role 210987654321/Developer").run().exits(0);
    assert_eq!(desk.requests(), ends);
    // A role by its name alone has to be looked for, in all pages.
    desk.room.sandbox.cloud_sso(|sso| sso.page = 1);
    desk.room.sandbox.clear_requests();
    desk.call("login -a admin").run().exits(0).says(&[&format!("Selected role: {GUIDE}/AcmeJumpCloudAdmin")]);
    assert_eq!((desk.asked(&format!("GET {HOST}/access-assignments/accounts")), desk.tabs()), (2, 1));
}

#[test]
fn configure_makes_an_account() {
    let desk = Desk::new();
    let line = format!(
        "configure -a dev --idp-provider=CloudSSO --url={URL} --region ap-southeast-1 --profile dev --skip-prompt --role"
    );
    desk.call(&line).arg(ROLE).run().exits(0);
    let text = desk.room.read(ALIBABA.accounts);
    assert!(text.contains("provider = \"CloudSSO\"") && text.contains("region = \"ap-southeast-1\""), "{text}");
    desk.call("login -a dev").run().exits(0);
    assert_eq!(desk.profile("dev")["region_id"], "ap-southeast-1");
    let done = desk.call("exec -a dev -- env").shows_keys().run().exits(0);
    assert!(done.stdout.contains("ALIBABA_CLOUD_ACCESS_KEY_ID=STS."), "{}", done.stdout);
}
