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
    let done = done.says(&[
        &format!("To sign in to {HOST}, open this address on any device:\n  https://{HOST}/device/code\nand type this code:\n  "),
        "Approve it only if you started this yourself, on ",
        &format!("Selected role: {ROLE}"),
        &format!("Logged in as: {ROLE}"),
        "cn-shanghai",
    ]);
    assert!(!done.stderr.contains("note: "), "{}", done.stderr);
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

#[test]
fn roles_are_listed_with_the_names_of_accounts() {
    let desk = Desk::with_account("");
    // No code, verifier or token is in what it tells at its most talkative, which every call is held against.
    let done = desk.call("list-roles -a production --verbose").run().exits(0);
    let all = format!(
        "acme-prod({GUIDE})\n{GUIDE}/AcmeJumpCloudAdminRO\n{GUIDE}/AcmeJumpCloudAdmin\n\nSandbox(210987654321)\n210987654321/Developer\n\n"
    );
    assert_eq!(done.stdout, all);
    let listed = format!("GET {HOST}/access-assignments/access-configurations");
    assert_eq!(desk.asked(&listed), 2);
    desk.call("login -a production --role 210987654321/NoSuchRole").run().exits(3).says(&[
        "error: the identity provider does not grant you a role called `210987654321/NoSuchRole`; it grants: 210987654321/Developer",
        "saml2cloud list-roles",
    ]);
    // With an ID nobody is asked which one a name means.
    let done = desk.call("login -a production --role 012345678987/ac-0000000000000000000000").run().exits(3);
    done.says(&[
        "error: the sign-in portal gives you no access to `ac-0000000000000000000000` in account 012345678987: \"NoPermission: ",
    ]);
    assert_eq!((desk.asked(&listed), desk.tabs()), (3, 1));
}

#[test]
fn names_that_draw_on_the_terminal_are_not_roles() {
    let desk = Desk::with_account("");
    let done = desk.call("list-roles -a production").var(USER, "mallory").run().exits(0);
    assert_eq!(done.stdout, format!("acme-prod({GUIDE})\n{GUIDE}/Plain\n\n"));
}

#[test]
fn many_at_once_are_one_sign_in() {
    let desk = Desk::with_account("");
    desk.account("other", "role_arn = \"210987654321/Developer\"");
    let start = |index: usize| {
        let account = if index.is_multiple_of(3) { "other" } else { "production" };
        desk.call(&format!("exec -a {account} -- true")).command().stdout(Stdio::null()).spawn().unwrap()
    };
    let running: Vec<_> = (0..12).map(start).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        check_clean(&said);
        check_secrets(&desk.room.sandbox, &said);
    }
    assert_eq!((desk.tabs(), desk.asked(&format!("POST {HOST}/device-authorization"))), (1, 1));
    // Whoever waited for the same role found its keys.
    assert_eq!(desk.asked(&format!("POST {HOST}/cloud-credentials")), 2);
}

#[test]
fn a_profile_may_hold_the_session_too() {
    let desk = Desk::with_account("profile_mode = \"CloudSSO\"");
    desk.call("login -a production").run().exits(0);
    let profile = desk.profile("production");
    let text = |key: &str| profile[key].as_str().unwrap().to_owned();
    assert_eq!((text("mode"), text("cloud_sso_sign_in_url")), ("CloudSSO".to_owned(), URL.to_owned()));
    assert_eq!(text("cloud_sso_account_id"), GUIDE);
    assert!(text("cloud_sso_access_config").starts_with("ac-00") && text("access_token").starts_with("cst-"));
    assert!(text("access_key_id").starts_with("STS.") && !text("sts_token").is_empty());
    // An hour each: `aliyun` wants the token's end ten seconds early, and that of the keys five.
    let ends = |key: &str| profile[key].as_i64().unwrap();
    assert!((3..=7).contains(&(ends("sts_expiration") - ends("cloud_sso_access_token_expire"))), "{profile}");

    // Nothing changes while it is good.
    desk.room.sandbox.clear_requests();
    desk.call("login -a production").run().exits(0);
    assert!(desk.room.requests().is_empty());
    assert_eq!(desk.profile("production"), profile);
    // Fresh keys without the session that is wished for are not enough, and no reason for a person to come.
    let before = desk.room.read(ALIBABA.profiles);
    desk.room
        .write(ALIBABA.profiles, &before.replace("\"cloud_sso_access_token_expire\": ", "\"cloud_sso_access_token_expire\": -"));
    desk.call("exec -a production -- true").run().exits(0);
    assert!(desk.room.requests().is_empty(), "a command needs the keys alone");
    desk.call("login -a production").run().exits(0);
    assert_eq!(desk.profile("production")["access_token"], profile["access_token"]);
    assert_eq!((desk.asked(&format!("POST {HOST}/cloud-credentials")), desk.tabs()), (1, 1));

    // The session of another portal is not ours to overwrite; keys are no session.
    desk.room.write(ALIBABA.profiles, &before.replace("/acme/login", "/other/login"));
    desk.call("login -a production --force").run().exits(2).says(&["profile `production` has the mode `CloudSSO`"]);
    desk.room.write(ALIBABA.profiles, &before);
    let done = desk.call("login -a production --force").var("SAML2CLOUD_PROFILE_MODE", "StsToken").run().exits(2);
    done.says(&["profile `production` has the mode `CloudSSO`", "--force-profile"]);
    desk.call("login -a production --force-profile").var("SAML2CLOUD_PROFILE_MODE", "StsToken").run().exits(0);
    let profile = desk.profile("production");
    assert!(profile["mode"] == "StsToken" && profile.get("access_token").is_none(), "{profile}");
    desk.call("login -a production").run().exits(0);
    assert_eq!(desk.profile("production")["mode"], "CloudSSO");
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn signing_out_forgets_the_session_wherever_it_rests() {
    let desk = Desk::with_account("profile_mode = \"CloudSSO\"");
    desk.call("login -a production").run().exits(0);
    let before = desk.room.read(ALIBABA.profiles);
    desk.room
        .write(ALIBABA.profiles, &before.replace("\"profiles\": [", "\"profiles\": [{\"name\":\"mine\",\"mode\":\"OIDC\"},"));
    desk.room.sandbox.clear_requests();
    let done = desk.call("logout -a production").run().exits(0);
    done.says(&[
        &format!("Signed out of production here: the session at {HOST} is forgotten."),
        "note: the portal cannot be told: what was forgotten would have been good until ",
        "note: keys that were handed out stay good until they end, at ",
    ]);
    assert!(desk.room.requests().is_empty());
    let profile = desk.profile("production");
    assert!(profile.get("access_token").is_none() && profile.get("cloud_sso_access_token_expire").is_none(), "{profile}");
    assert_eq!(desk.profile("mine"), json!({"name": "mine", "mode": "OIDC"}));
    desk.call("credential-process -a production").run().exits(4);
    let after = desk.room.read(ALIBABA.profiles);
    desk.call("logout -a production").run().exits(0).says(&["there was no session to end"]);
    assert_eq!(desk.room.read(ALIBABA.profiles), after);
    desk.call("login -a production").run().exits(0);
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn a_token_that_is_over_costs_one_sign_in() {
    let desk = Desk::with_account("");
    desk.call("login -a production").run().exits(0);
    // The portal ended it before its time.
    desk.room.sandbox.end_cloud_sso_access();
    desk.room.sandbox.clear_requests();
    desk.call("login -a production --force").run().exits(0);
    assert_eq!(desk.requests()[0], "GET /access-assignments/access-configurations");
    assert_eq!(desk.tabs(), 2);
    // Its time was over: nobody is asked whether it is.
    desk.room.sandbox.cloud_sso(|sso| sso.access_seconds = 10);
    desk.call("logout -a production").run().exits(0);
    desk.call("login -a production").run().exits(0);
    desk.room.sandbox.clear_requests();
    desk.call("login -a production --force").run().exits(0);
    assert_eq!((desk.requests()[0].as_str(), desk.tabs()), ("POST /device-authorization", 4));
    // A portal that takes no token at all is not asked for one for ever.
    let refused = json!({"ErrorCode": "Unauthorized", "ErrorMessage": "no", "RequestId": "R"}).to_string();
    desk.room.sandbox.fault(HOST, Fault::Status(401, refused, "application/json".to_owned()).on_path("/cloud-credentials"));
    desk.room.sandbox.cloud_sso(|sso| sso.access_seconds = 3600);
    desk.call("logout -a production").run().exits(0);
    let before = desk.tabs();
    let done = desk.call("login -a production").run().exits(4);
    done.says(&[&format!("error: the sign-in portal at {HOST} says that the session has expired or is otherwise invalid")]);
    assert_eq!(desk.tabs() - before, 2);
}

#[test]
fn credential_process_never_starts_a_sign_in_unless_it_may() {
    let desk = Desk::with_account("");
    let done = desk.call("credential-process -a production").run().exits(4);
    done.says(&[
        &format!("error: the SSO session at {HOST} has expired or is otherwise invalid, or there was none"),
        "saml2cloud login",
        "auto_login",
    ]);
    desk.call("exec -a production --no-input -- true").run().exits(4);
    assert_eq!((desk.tabs(), desk.room.requests().len()), (0, 0));
    desk.call("login -a production").run().exits(0);
    let keys = desk.call("credential-process -a production --force").shows_keys().run().exits(0);
    let document: Value = serde_json::from_str(&keys.stdout).unwrap();
    assert!(document["mode"] == "StsToken" && document["access_key_id"].as_str().unwrap().starts_with("STS."));
    assert_eq!(desk.tabs(), 1);
    let willing = Desk::with_account("auto_login = true");
    willing.call("credential-process -a production").shows_keys().run().exits(0);
    assert_eq!(willing.tabs(), 1);
}

#[test]
fn no_browser_is_opened_where_none_belongs() {
    // A machine without a screen.
    let desk = Desk::with_account("");
    desk.room.sandbox.cloud_sso(|sso| sso.device_seconds = 1);
    let call = desk.room.call("login -a production").var("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
    call.run().exits(4).says(&["and type this code:", &format!("error: nobody finished the sign-in at {HOST} within")]);
    // A person who wants none.
    desk.call("login -a production --device").run().exits(4);
    // An address that is not the cloud's.
    desk.room.sandbox.cloud_sso(|sso| sso.device_page = Some("https://login.acme.example/device".to_owned()));
    let done = desk.call("login -a production").run().exits(4);
    done.says(&["https://login.acme.example/device", "not one of Alibaba Cloud's own, so no browser is opened"]);
    assert_eq!(desk.tabs(), 0);
}

#[test]
fn what_the_portal_says_is_explained() {
    let json = |status: u16, code: &str, text: &str| {
        let body = json!({"ErrorCode": code, "ErrorMessage": text, "RequestId": "R-1"}).to_string();
        Fault::Status(status, body, "application/json".to_owned())
    };
    let html = || Fault::Status(200, "<html><b>captive portal</b>".to_owned(), "text/html".to_owned());
    let bare = |body: &str| Fault::Status(200, body.to_owned(), "application/json".to_owned());
    let (start, keys) = ("/device-authorization", "/cloud-credentials");
    let far = r#"{"DeviceCode":"d","UserCode":"u","VerificationUri":"ftp://x/","Interval":1}"#;
    for (path, fault, code, says) in [
        (
            start,
            json(400, "InvalidPortalUrl", "no such directory"),
            3,
            "error: CloudSSO refused the sign-in: \"InvalidPortalUrl: no such directory (request R-1)\"",
        ),
        (
            start,
            html(),
            1,
            "error: did not understand the answer of CloudSSO to the start of a sign-in (HTTP 200): it is a page for people",
        ),
        (start, bare("{}"), 1, "to the start of a sign-in (HTTP 200): it is not the JSON"),
        (start, bare(far), 1, "to the start of a sign-in (HTTP 200): the address for the person is not one to open"),
        (
            "/token",
            json(400, "InvalidDeviceCodeError", "over"),
            4,
            "error: nobody finished the sign-in at signin-cn-shanghai.alibabacloudsso.com within ",
        ),
        (
            "/token",
            json(403, "SomethingNew", "in words\u{1b}[2J"),
            3,
            "refused the device flow: SomethingNew: \"in words\\u{1b}[2J (request R-1)\"",
        ),
        ("/token", html(), 1, "to the device flow (HTTP 200): it is a page for people"),
        ("/token", bare(r#"{"AccessToken":"a b","ExpiresIn":1}"#), 1, "its access token is none"),
        (
            keys,
            bare(r#"{"RequestId":"R"}"#),
            1,
            "error: the sign-in portal at signin-cn-shanghai.alibabacloudsso.com gave an answer that is not one (HTTP 200): it has no credentials in it",
        ),
        (keys, html(), 1, "gave an answer that is not one (HTTP 200): it is not the JSON that the portal sends"),
        (
            keys,
            json(400, "InvalidParameter.AccountId", "not yours"),
            3,
            "error: Alibaba Cloud refused the credentials: InvalidParameter.AccountId: \"not yours\" (request R-1)",
        ),
        (keys, Fault::Redirect("https://login.acme.example/".to_owned()), 1, "(HTTP 302)"),
    ] {
        let desk = Desk::with_account("");
        desk.room.sandbox.fault(HOST, fault.on_path(path));
        desk.call("login -a production").run().exits(code).says(&[says]);
        assert_eq!(desk.room.asked("login.acme.example"), 0, "the access token follows no redirect");
        assert!(!desk.room.home().join(ALIBABA.profiles).exists());
    }
    let desk = Desk::with_account("");
    let done = desk.call_with("login -a production", "deny").run().exits(3);
    done.says(&["refused the device flow: AccessDenied: \"The user denied the request."]);
}

#[test]
fn a_portal_that_stumbles_is_asked_again() {
    let desk = Desk::with_account("");
    for path in ["/device-authorization", "/token", "/cloud-credentials", "/access-assignments"] {
        desk.room.sandbox.fault(HOST, Fault::Status(503, String::new(), "text/plain".to_owned()).times(1).on_path(path));
    }
    desk.call("login -a production").run().exits(0);
    assert_eq!((desk.tabs(), desk.asked(&format!("POST {HOST}/cloud-credentials"))), (1, 2));
}

#[test]
fn verification_is_never_switched_off_at_a_portal() {
    let desk = Desk::with_account("skip_verify = true");
    desk.room.sandbox.fault(HOST, Fault::WrongName);
    desk.call("login -a production --skip-verify").run().exits(5).says(&["showed a certificate that is not trusted"]);
}

#[test]
fn another_client_is_named_by_the_variables_of_aliyun() {
    let desk = Desk::with_account("");
    desk.room.sandbox.cloud_sso(|sso| sso.client = "app-own".to_owned());
    desk.call("login -a production").var("ALIBABA_CLOUD_SSO_CLIENT_ID", "app-own").run().exits(0);
    let both = desk.call("login -a production --force").var("ALIBABA_CLOUD_SSO_CLIENT_ID", "app-other");
    both.var("ALIBABACLOUD_SSO_CLIENT_ID", "app-own").run().exits(0);
}

#[test]
fn settings_that_will_not_do() {
    for (lines, says) in [
        ("role_arn = \"acs:ram::012345678987:role/Admin\"", "a sign-in portal's roles are named `ACCOUNT/NAME`"),
        ("policy_file = \"p.json\"", "the roles of a sign-in portal cannot be limited further"),
        ("profile_mode = \"AK\"", "`profile_mode` will not do for CloudSSO: `AK` is neither `StsToken` nor `CloudSSO`"),
        ("device = \"perhaps\"", "`device` will not do for CloudSSO"),
        ("cloud = \"aws\"", "it is the portal of Alibaba Cloud, and the account is for AWS"),
    ] {
        let desk = Desk::new();
        desk.account("production", lines);
        desk.call("login -a production").run().exits(2).says(&[says]);
        assert!(desk.room.requests().is_empty());
    }
}

#[test]
fn without_a_vault_a_sign_in_is_good_for_its_run() {
    let desk = Desk::with_account("profile_mode = \"CloudSSO\"");
    let done = desk.call("login -a production").var("SAML2CLOUD_KEYCHAIN", "none").run().exits(0);
    done.says(&["note: this sign-in is good for this command only", "SAML2CLOUD_KEYCHAIN"]);
    // Keys and session are in the profile, so nobody is asked.
    desk.call("login -a production").var("SAML2CLOUD_KEYCHAIN", "none").run().exits(0);
    desk.call("exec -a production -- true").var("SAML2CLOUD_KEYCHAIN", "none").run().exits(0);
    assert_eq!(desk.tabs(), 1);
    desk.call("logout -a production").var("SAML2CLOUD_KEYCHAIN", "none").run().exits(0);
    assert!(desk.profile("production").get("access_token").is_none());
}
