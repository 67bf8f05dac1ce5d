//! Sign-ins at a token vending machine that fails where the real one does not: tokens that end, limits, proxies that answer in its place.
//! What the real server does is tried with the real server. The browser is that of the other portals' tests.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::{Fault, Refusal};
use serde_json::Value;

use crate::call::{Call, check_clean, check_secrets};
use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, GUIDE, Room};

const HOST: &str = "cam.acme.example";
const URL: &str = "https://cam.acme.example/";
const DOES: &str = "SAML2CLOUD_TEST_BROWSER";
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
        std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Self { room, browser }
    }

    /// With an account `production` for the role that everybody has.
    fn with_account(cloud: Cloud, lines: &str) -> Self {
        let desk = Self::new();
        desk.account(cloud, "production", &format!("role_arn = \"{}\"\n{lines}", cloud.role));
        desk
    }

    fn account(&self, cloud: Cloud, name: &str, lines: &str) {
        let path = self.room.home().join(cloud.accounts);
        let mut text = std::fs::read_to_string(&path).unwrap_or_default();
        text += &format!("[{name}]\nurl = \"{URL}\"\nprovider = \"TVM\"\n{} = \"{name}\"\n{lines}\n", cloud.profile_key);
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
        text.lines().filter(|line| line.starts_with("http")).count()
    }

    /// Requests so far without the host, polls counted as one; a role's number is `ID`.
    fn requests(&self) -> Vec<String> {
        let mut requests = self.room.requests();
        requests.dedup();
        let without_id = |line: &str| {
            let parts: Vec<&str> = line.split('/').map(|part| if part.len() == 16 { "ID" } else { part }).collect();
            parts.join("/")
        };
        requests.iter().map(|request| without_id(&request.replace(HOST, ""))).collect()
    }

    fn refuse(&self, path: &'static str, status: u16, code: &'static str, detail: &'static str, retry_after: Option<u64>) {
        let refusal = Refusal { path, status, code, detail, retry_after };
        self.room.sandbox.tvm(|tvm| tvm.refusals.push(refusal));
    }
}

const ROLES: &str = "GET /api/v1/me/roles";
const KEYS: &str = "POST /api/v1/me/roles/ID/credentials";
const PATH: &str = "/api/v1/me/roles/";

#[test]
fn one_sign_in_is_good_for_the_roles_of_both_clouds() {
    let desk = Desk::with_account(AWS, "");
    let done = desk.call("login -a production --cloud aws").run().exits(0);
    done.says(&[
        &format!("Sign in to {HOST} with your browser"),
        &format!("Selected role: {}", AWS.role),
        "Requesting AWS credentials using your sign-in",
        "Logged in as: arn:aws:sts::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com",
    ]);
    let first = ["GET /cli/authorize", "POST /cli/authorize", "POST /api/v1/cli/token", ROLES, KEYS];
    assert_eq!(desk.requests(), first);
    assert_eq!(
        desk.room.aws_profile("production")["x_principal_arn"],
        "arn:aws:sts::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com"
    );
    // Fresh keys need no network.
    desk.room.sandbox.clear_requests();
    desk.call("login -a production --cloud aws").run().exits(0);
    assert!(desk.room.requests().is_empty());
    // The other cloud, for the same token; its site is known from the role.
    desk.account(ALIBABA, "production", &format!("role_arn = \"{}\"", ALIBABA.role));
    let done = desk.call("login -a production --cloud alibaba").run().exits(0);
    done.says(&["Logged in as: acs:ram::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com"]);
    assert_eq!(desk.room.alibaba_profile("production")["region_id"], "ap-southeast-1");
    assert_eq!(desk.requests(), [ROLES, KEYS]);
    assert_eq!((desk.tabs(), desk.room.sandbox.tvm_sign_ins()), (1, 1));
}

#[test]
fn roles_are_named_by_name_and_account() {
    let desk = Desk::new();
    desk.account(AWS, "production", "");
    let done = desk.call("list-roles -a production --cloud aws").run().exits(0);
    for line in
        [&format!("Account: acme-prod ({GUIDE})\n{}\n{}\n", AWS.role, AWS.admin), "arn:aws:iam::210987654321:role/Developer\n"]
    {
        assert!(done.stdout.contains(line), "{}", done.stdout);
    }
    for (wish, role) in [
        ("Developer", "arn:aws:iam::210987654321:role/Developer"),
        ("acme-prod/AcmeJumpCloudAdmin", AWS.admin),
        ("012345678987/AcmeJumpCloudAdminRO", AWS.role),
    ] {
        let selected = format!("Selected role: {role}");
        desk.call(&format!("login -a production --cloud aws --role {wish}")).run().exits(0).says(&[&selected]);
        // What an account is called is known to the server alone; its answer is remembered.
        desk.room.sandbox.clear_requests();
        let line = format!("credential-process -a production --cloud aws --role {wish}");
        desk.call(&line).shows_keys().run().exits(0);
        assert!(desk.room.requests().is_empty(), "{wish}");
    }
    let none = desk.call("login -a production --cloud aws --role acme-prod/Nobody").run().exits(3);
    none.says(&["does not grant you a role called `acme-prod/Nobody`; it grants: ", "saml2cloud list-roles"]);
    desk.call("login -a production --cloud aws --force").run().exits(4).says(&["several roles and none was named"]);
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn configure_makes_an_account() {
    for cloud in CLOUDS {
        let desk = Desk::new();
        let line =
            format!("configure -a cam --cloud {} --idp-provider TVM --url https://{HOST} --role {}", cloud.word, cloud.role);
        desk.call(&format!("{line} --skip-prompt")).run().exits(0);
        let done = desk.call("exec -a cam -- env").shows_keys().run().exits(0);
        assert!(done.stdout.contains(&format!("{}=", cloud.key_variable)), "{}", done.stdout);
        desk.call("script -a cam").shows_keys().run().exits(0);
        desk.call("console -a cam --link").shows_keys().run().exits(0);
        assert_eq!(desk.tabs(), 1);
    }
}

#[test]
fn many_at_once_are_one_sign_in() {
    let desk = Desk::with_account(AWS, "");
    desk.account(AWS, "other", &format!("role_arn = \"{}\"", AWS.admin));
    let start = |index: usize| {
        let account = if index.is_multiple_of(3) { "other" } else { "production" };
        desk.call(&format!("exec -a {account} --cloud aws -- true")).command().stdout(Stdio::null()).spawn().unwrap()
    };
    let running: Vec<_> = (0..12).map(start).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        check_clean(&said);
        check_secrets(&desk.room.sandbox, &said);
    }
    assert_eq!((desk.tabs(), desk.room.sandbox.tvm_sign_ins()), (1, 1));
    // Whoever waited for the same role found its keys.
    assert_eq!(desk.requests().iter().filter(|line| *line == KEYS).count(), 2);
}

#[test]
fn a_code_is_typed_on_another_device() {
    let desk = Desk::with_account(AWS, "");
    for (answer, code) in [("deny", 3), ("allow", 0)] {
        let call = desk.call("login -a production --cloud aws --device");
        let mut child = call.command().spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let typed = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "no code in:\n{said}");
            said += &line;
            if said.ends_with(&line) && said.contains("and type this code:\n") && line.starts_with("  ") {
                break line.trim().to_owned();
            }
        };
        assert!(said.contains(&format!("open this address on any device:\n  https://{HOST}/device\n")), "{said}");
        let mut person = Command::new(&desk.browser);
        person.arg(format!("https://{HOST}/device?user_code={typed}")).env_clear().envs(desk.room.sandbox.env(&desk.room.home()));
        assert!(person.env(DOES, answer).env(NOTES, desk.room.outside("others")).status().unwrap().success());
        lines.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{said}");
        check_secrets(&desk.room.sandbox, &said);
        let end = if code == 0 { "Logged in as: " } else { "error: the sign-in at cam.acme.example was denied" };
        assert!(said.contains(end) && said.contains("Approve it only if you started this yourself, on "), "{said}");
    }
    assert_eq!(desk.tabs(), 0);
    // A machine without a screen shows a code by itself, and none where nobody would read it.
    desk.call("logout -a production --cloud aws").run().exits(0);
    desk.room.sandbox.tvm(|tvm| tvm.device_seconds = 1);
    let far = |line: &str| desk.room.call(line).var("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
    far("login -a production --cloud aws --force").run().exits(4).says(&["no sign-in is begun without you"]);
    let late = far("login -a production --cloud aws --force --device").run().exits(4);
    late.says(&["and type this code:", &format!("error: nobody finished the sign-in at {HOST} within")]);
}

#[test]
fn a_token_that_is_over_costs_one_sign_in() {
    let desk = Desk::with_account(AWS, "");
    let line = "login -a production --cloud aws --force";
    desk.call(line).run().exits(0);
    // The server ended it before its time.
    desk.room.sandbox.end_tvm_access();
    desk.call(line).run().exits(0);
    assert_eq!(desk.tabs(), 2);
    // Its time was over: nobody is asked whether it is.
    desk.room.sandbox.tvm(|tvm| tvm.access_seconds = 0);
    desk.call("logout -a production --cloud aws").run().exits(0);
    let over = desk.call(line).run().exits(4);
    over.says(&[&format!("error: the sign-in portal at {HOST} says that the session has expired or is otherwise invalid")]);
    assert_eq!(desk.tabs(), 4, "one sign-in, and one more for the token that was refused");
}

#[test]
fn who_must_prove_themselves_anew_does_so_once() {
    let desk = Desk::with_account(AWS, "");
    desk.call("list-roles -a production --cloud aws").run().exits(0);
    desk.room.sandbox.tvm(|tvm| tvm.wants_proof = true);
    let done = desk.call("login -a production --cloud aws").run().exits(0);
    done.says(&[&format!("{HOST} wants you to sign in again for this: \"this role wants a sign-in of the last five minutes\"")]);
    assert_eq!(desk.tabs(), 2);
    let asked: Vec<_> =
        desk.room.sandbox.requests().into_iter().filter(|seen| seen.query.iter().any(|q| q == "prompt")).collect();
    assert_eq!(asked.iter().filter(|seen| seen.method == "GET").count(), 1);
    // Nobody is sent to a browser behind their back.
    desk.room.sandbox.end_tvm_access();
    desk.call("credential-process -a production --cloud aws --force").run().exits(4).says(&["no sign-in is begun without you"]);
    // A server that is never content.
    for _ in 0..2 {
        desk.refuse(PATH, 401, "reauth_required", "prove it", None);
    }
    let done = desk.call("login -a production --cloud aws --force").run().exits(4);
    done.says(&[
        &format!("error: {HOST} wants you to sign in again before it hands out these keys: \"prove it\""),
        "was not anew",
    ]);
}

#[test]
fn what_is_refused_is_explained() {
    for (status, code, detail, retry_after, exit, says) in [
        (
            403,
            "not_in_pool",
            "You are not known here.",
            None,
            3,
            &["not_in_pool: \"You are not known here.\" (request ", "adds people"][..],
        ),
        (404, "not_found", "There is no such role.", None, 3, &["list-roles` shows the roles that you may take now"]),
        (409, "consent_required", "A second person has to agree.", None, 3, &["A second person has to agree.", "consent"]),
        (
            422,
            "window_too_short",
            "8 minutes are left",
            None,
            3,
            &["8 minutes are left", "your membership ends in less than fifteen"],
        ),
        (422, "client_exchange", "No policy.", None, 3, &["No policy.", "leave the session policy out (`--policyfile`"]),
        (429, "rate_limited", "Too many.", Some(120), 3, &["rate_limited", "try again in 120 seconds"]),
        (502, "cloud_error", "AccessDenied at AWS, request R", None, 1, &["AccessDenied at AWS", "at the role's trust"]),
        (400, "validation_failed", "in words\u{1b}[2J", None, 3, &["validation_failed: \"in words\\u{1b}[2J\""]),
    ] {
        let desk = Desk::with_account(AWS, "");
        desk.refuse(PATH, status, code, detail, retry_after);
        let done = desk.call("login -a production --cloud aws").run().exits(exit);
        done.says(&[&format!("error: {HOST} refused: ")]).says(says);
        assert_eq!(desk.requests().last().map(String::as_str), Some(KEYS), "asked once");
        assert!(!desk.room.home().join(AWS.profiles).exists());
    }
}

#[test]
fn what_passes_is_waited_for() {
    let desk = Desk::with_account(AWS, "");
    desk.refuse("/api/v1/cli/token", 503, "store_unavailable", "in a moment", None);
    desk.refuse(PATH, 429, "rate_limited", "Too many.", Some(1));
    desk.refuse(PATH, 503, "audit_unavailable", "in a moment", None);
    desk.call("login -a production --cloud aws").run().exits(0);
    assert_eq!((desk.tabs(), desk.room.sandbox.tvm_sign_ins()), (1, 1));
    // What does not pass.
    for _ in 0..3 {
        desk.refuse(PATH, 503, "audit_unavailable", "The trail cannot be written.", None);
    }
    let done = desk.call("login -a production --cloud aws --force").run().exits(1);
    done.says(&["refused: audit_unavailable: \"The trail cannot be written.\"", "nothing was handed out"]);
    // Limits while a code is polled for.
    desk.refuse("/api/v1/cli/device", 429, "rate_limited", "Too many sign-ins from here.", None);
    let done = desk.call("list-roles -a production --cloud aws --device").var("SAML2CLOUD_KEYCHAIN", "none").run().exits(3);
    done.says(&["rate_limited: \"Too many sign-ins from here.\""]);
}

#[test]
fn answers_of_somebody_else_are_not_taken() {
    let html = |status| Fault::Status(status, "<html><b>captive portal</b>".to_owned(), "text/html".to_owned());
    let bare = |body: &str| Fault::Status(200, body.to_owned(), "application/json".to_owned());
    let other = r#"{"access_key_id":"ASIAX","secret_access_key":"s","session_token":"t","expires":"2099-01-01T00:00:00Z",
        "role_arn":"arn:aws:iam::012345678987:role/Other","session_name":"me"}"#;
    for (path, fault, code, says) in [
        ("/api/v1/cli/token", html(200), 1, "it is a page for people, not JSON"),
        ("/api/v1/cli/token", bare(r#"{"access_token":"a b","token_type":"Bearer"}"#), 1, "its access token is none"),
        ("/api/v1/me/roles", html(200), 1, "gave an answer that is not one (HTTP 200): it is a page for people, not JSON"),
        ("/api/v1/me/roles", html(403), 1, "gave an answer that is not one (HTTP 403): it is a page for people, not JSON"),
        (PATH, bare("{}"), 1, "it is not the JSON that the service sends"),
        (PATH, bare(other), 1, "its keys are of another role"),
        (PATH, Fault::Redirect("https://login.acme.example/".to_owned()), 1, "(HTTP 302)"),
    ] {
        let desk = Desk::with_account(AWS, "");
        desk.room.sandbox.fault(HOST, fault.on_path(path));
        desk.call("login -a production --cloud aws").run().exits(code).says(&[says]);
        assert_eq!(desk.room.asked("login.acme.example"), 0, "the token follows no redirect");
        assert!(!desk.room.home().join(AWS.profiles).exists());
    }
    // An assertion in place of keys is looked at before it goes anywhere.
    let signed = |role: &str, seconds: u32| {
        let response = STANDARD.encode("<Response><Assertion/></Response>");
        let document = serde_json::json!({"saml_response": response, "role_arn": role, "sts": null, "duration": seconds});
        bare(&document.to_string())
    };
    for (fault, policy, code, says) in [
        (signed("arn:aws:iam::012345678987:role/Other", 3600), "", 1, "its assertion is of another role"),
        (signed(AWS.role, 60), "", 1, "its duration is none"),
        (signed(AWS.role, 3600), "", 3, "grants you no role in AWS"),
        (signed(AWS.role, 3600), "limit.json", 3, "a session policy cannot go along"),
    ] {
        let desk = Desk::with_account(AWS, "");
        desk.room.write("limit.json", r#"{"Version":"2012-10-17","Statement":[]}"#);
        desk.room.sandbox.fault(HOST, fault.on_path(PATH));
        let call = desk.call("login -a production --cloud aws").var("SAML2CLOUD_POLICY_FILE", policy);
        call.run().exits(code).says(&[says]);
        assert_eq!(desk.room.asked("sts.amazonaws.com"), 0);
    }
    // An answer to the browser that is another server's.
    let desk = Desk::with_account(AWS, "");
    desk.room.sandbox.tvm(|tvm| tvm.issuer = Some("https://evil.example/".to_owned()));
    let done = desk.call("login -a production --cloud aws").run().exits(3);
    done.says(&["is not for this sign-in: it comes from \"https://evil.example/\""]);
    let desk = Desk::with_account(AWS, "");
    desk.call_with("login -a production --cloud aws", "deny").run().exits(3).says(&["was denied"]);
    desk.call_with("login -a production --cloud aws", "strangers").run().exits(0);
    // Nothing switches verification off: keys come this way.
    let desk = Desk::with_account(AWS, "skip_verify = true");
    desk.call("list-roles -a production --cloud aws").run().exits(0);
    desk.room.sandbox.fault(HOST, Fault::WrongName);
    let done = desk.call("login -a production --cloud aws --skip-verify").run().exits(5);
    done.says(&["showed a certificate that is not trusted", "SSL_CERT_FILE"]);
}

#[test]
fn how_long_keys_last_is_the_servers_word() {
    let desk = Desk::with_account(AWS, "");
    let line = format!("login -a production --cloud aws --session-duration 2h --role {}", AWS.admin);
    let done = desk.call(&line).run().exits(0);
    done.says(&["note: these keys last 60 minutes and not 120: the role, its account or your own membership allows no more"]);
    assert_eq!(desk.room.lifetime(), 3600);
    desk.call(&line.replace("2h", "900 --force")).run().exits(0).does_not_say("note: these keys");
    assert_eq!(desk.room.lifetime(), 900);
    // A policy goes along; names of policies do not.
    desk.room.write("limit.json", r#"{"Version":"2012-10-17","Statement":[]}"#);
    desk.call("login -a production --cloud aws --force").var("SAML2CLOUD_POLICY_FILE", "limit.json").run().exits(0);
    let params = desk.room.sandbox.requests().last().unwrap().params.clone();
    assert_eq!(params, ["duration", "policy"]);
    let desk = Desk::with_account(AWS, "policy_arn_list = \"arn:aws:iam::aws:policy/ReadOnlyAccess\"");
    desk.call("login -a production --cloud aws").run().exits(2).says(&["takes the policy itself (`policy_file`)"]);
}

#[test]
fn credential_process_never_starts_a_sign_in_unless_it_may() {
    let desk = Desk::with_account(AWS, "");
    let line = "credential-process -a production --cloud aws";
    let done = desk.call(line).run().exits(4);
    done.says(&[
        &format!("error: the SSO session at {HOST} has expired or is otherwise invalid, or there was none"),
        "auto_login",
    ]);
    desk.call("exec -a production --cloud aws --no-input -- true").run().exits(4);
    assert_eq!((desk.tabs(), desk.room.requests().len()), (0, 0));
    desk.call("list-roles -a production --cloud aws").run().exits(0);
    let keys = desk.call(line).shows_keys().run().exits(0);
    let document: Value = serde_json::from_str(&keys.stdout).unwrap();
    assert!(document["AccessKeyId"].as_str().unwrap().starts_with("ASIA"));
    assert_eq!(desk.tabs(), 1);
    let willing = Desk::with_account(AWS, "auto_login = true");
    willing.call(line).shows_keys().run().exits(0);
    assert_eq!(willing.tabs(), 1);
}

#[test]
fn signing_out_ends_the_token_at_the_server() {
    let desk = Desk::with_account(AWS, "");
    desk.call("login -a production --cloud aws").run().exits(0);
    assert_eq!(desk.room.sandbox.tvm_sign_ins(), 1);
    let done = desk.call("logout -a production --cloud aws").run().exits(0);
    done.says(&[
        &format!("Signed out of production at {HOST}."),
        "note: keys that were handed out stay good until they end, at ",
    ]);
    assert_eq!(desk.room.sandbox.tvm_sign_ins(), 0);
    desk.call("logout -a production --cloud aws").run().exits(0).says(&["there was no session to end"]);
    // A server that is away: what is here goes all the same.
    desk.call("login -a production --cloud aws --force").run().exits(0);
    desk.refuse("/api/v1/cli/revoke", 503, "store_unavailable", "in a moment", None);
    let done = desk.call("logout -a production --cloud aws").run().exits(1);
    done.says(&["Signed out of production here. The session at cam.acme.example could not be ended", "store_unavailable"]);
    desk.call("list-roles -a production --cloud aws --no-input").run().exits(4);
}

#[test]
fn without_a_vault_a_sign_in_is_good_for_its_run() {
    let desk = Desk::with_account(AWS, "");
    let done = desk.call("login -a production --cloud aws").var("SAML2CLOUD_KEYCHAIN", "none").run().exits(0);
    done.says(&["note: this sign-in is good for this command only", "SAML2CLOUD_KEYCHAIN"]);
}
