//! The token that a sign-in leaves: shared, renewed, refused, taken away; and how many sign-ins many processes make.

use std::process::Stdio;

use sandbox::Fault;
use serde_json::Value;

use super::{Desk, OIDC, PORTAL, SHARED, START};
use crate::call::{check_clean, check_secrets};

/// What botocore calls the registration for the session `acme` at [`START`] in us-east-1.
const REGISTRATION: &str = "a46244aec25f6b3f79a11fb31a50b6fecac1633a";

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

/// The `aws` client empties a file before it writes it; one that stays so, or is no token, costs a sign-in and no more.
#[test]
fn a_shared_file_that_somebody_else_is_writing() {
    let desk = Desk::with_account("");
    desk.call("login -a production").run().exits(0);
    let whole = desk.room.read(SHARED);
    for (tabs, broken) in [(2, ""), (3, &whole[..whole.len() / 2]), (4, "[]")] {
        desk.room.write(SHARED, broken);
        desk.call("login -a production --force").run().exits(0);
        assert_eq!(desk.tabs(), tabs, "{broken}");
        assert!(desk.token()["accessToken"].is_string());
    }
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
    // Whoever comes within a minute does not try again.
    desk.room.sandbox.clear_faults();
    desk.room.sandbox.clear_requests();
    desk.call("login -a production --force").run().exits(0);
    assert_eq!((desk.token(), desk.asked(&format!("POST {OIDC}/token"))), (before.clone(), 0));
    // A minute later.
    let portal = desk.room.home().join(".cache/saml2cloud/portal");
    let notes = std::fs::read_dir(portal).unwrap().map(|entry| entry.unwrap().path());
    for note in notes.filter(|path| path.extension().is_some_and(|e| e == "tried")) {
        let last: i64 = std::fs::read_to_string(&note).unwrap().parse().unwrap();
        std::fs::write(note, (last - 60).to_string()).unwrap();
    }
    desk.call("login -a production --force").run().exits(0);
    assert_ne!(desk.token()["accessToken"], before["accessToken"]);
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn a_registration_of_the_aws_client_serves_too() {
    let desk = Desk::with_account("sso_session = \"acme\"");
    desk.call("login -a production").run().exits(0);
    let portal = desk.room.home().join(".cache/saml2cloud/portal");
    let own = std::fs::read_dir(&portal).unwrap().map(|entry| entry.unwrap().path());
    let own = own.filter(|path| path.extension().is_some_and(|e| e == "json")).map(|path| std::fs::read_to_string(path).unwrap());
    let own: Value = serde_json::from_str(&own.last().unwrap()).unwrap();
    // As it would have written it, and ours is not there.
    std::fs::remove_dir_all(&portal).unwrap();
    let theirs = serde_json::json!({"clientId": own["clientId"], "clientSecret": own["clientSecret"], "expiresAt": "2999-01-01T00:00:00Z",
        "scopes": ["sso:account:access"], "grantTypes": ["authorization_code", "refresh_token"]});
    desk.room.write(&format!(".aws/sso/cache/{REGISTRATION}.json"), &theirs.to_string());
    desk.call("login -a production --force").run().exits(0);
    desk.room.sandbox.end_portal_sessions();
    desk.call("login -a production --force").run().exits(0);
    assert_eq!((desk.tabs(), desk.asked(&format!("POST {OIDC}/client/register"))), (2, 1));
    assert_eq!(desk.room.read(&format!(".aws/sso/cache/{REGISTRATION}.json")), theirs.to_string());
}

#[test]
fn a_token_that_only_ends_soon_waits_for_nobody() {
    let desk = Desk::with_account("");
    desk.room.sandbox.portal(|portal| portal.access_seconds = 600);
    desk.room.write(".aws/config", &format!("[profile again]\nsso_start_url = {START}\nsso_region = us-east-1\n"));
    desk.call("login -a production").run().exits(0);
    // Somebody thinks about a new sign-in.
    let mut thinking = desk.call_with("login -p again --force", "ignore").command().spawn().unwrap();
    desk.waits_for_tabs(2, &mut thinking);
    desk.call("login -a production --force").run().exits(0).does_not_say("Waiting for another");
    thinking.kill().unwrap();
    thinking.wait().unwrap();
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
fn credential_process_never_starts_a_sign_in_unless_it_may() {
    let desk = Desk::with_account("");
    let done = desk.call("credential-process -a production").run().exits(4);
    done.says(&[
        "error: the SSO session at acme.awsapps.com has expired or is otherwise invalid, or there was none",
        "saml2cloud login",
        "auto_login",
    ]);
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
fn a_session_that_is_another_portals_now_is_not_used() {
    let desk = Desk::with_account("sso_session = \"my-sso\"");
    desk.call("login -a production").run().exits(0);
    let own = ".aws/sso/cache/0ad374308c5a4e22f723adf10145eafad7c4031c.json";
    desk.room.write(own, &desk.room.read(own).replace("acme.awsapps.com", "other.awsapps.com"));
    desk.call("login -a production --force").run().exits(0);
    assert_eq!(desk.tabs(), 2);
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
