//! The sign-in itself: which requests, in the browser and on another device, and what goes wrong on the way.

use sandbox::Fault;

use super::{Desk, OIDC, PORTAL, ROLE, SHARED, START, USER};
use crate::pty::{CTRL_C, Pty};
use crate::support::{AWS, GUIDE, mode};

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
    let far = |line: &str| desk.room.call(line).var("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
    // Nobody reads a code where there is no terminal either, unless they ask for one.
    far("login -a production").run().exits(4).says(&["no sign-in is begun without you", "--device"]).does_not_say("code:");
    assert!(desk.room.requests().is_empty());
    let done = far("login -a production --device").run().exits(4);
    done.says(&["and type this code:", "error: nobody finished the sign-in at acme.awsapps.com within"])
        .does_not_say("with your browser");
    desk.room.sandbox.portal(|portal| portal.device_seconds = 600);
    let mut pty = Pty::start(&desk.room, &far("login -a production"), false);
    pty.waits_for("Approve it only if you started this yourself, on ").types(CTRL_C);
    pty.ends().was_interrupted();
    assert_eq!((desk.tabs(), desk.shared().len()), (0, 0));
    // Nothing waits for the one that was interrupted.
    desk.call("login -a production").run().exits(0);
}

#[test]
fn a_code_that_is_denied() {
    let desk = Desk::with_account("device = true");
    let done = desk.call_with("login -a production", "deny").run().exits(3);
    done.says(&["error: the sign-in at acme.awsapps.com was denied: \"The user said no\""]);
    assert!(desk.shared().is_empty());
}

#[test]
fn a_code_that_is_too_old() {
    let desk = Desk::with_account("");
    desk.room.sandbox.portal(|portal| portal.code_seconds = 0);
    let done = desk.call("login -a production").run().exits(3);
    done.says(&["error: IdentityCenter refused the sign-in: \"The code has expired (invalid_grant)\""]);
    assert!(desk.shared().is_empty());

    // The one for a device: by the service's clock, whatever this machine's says.
    let desk = Desk::with_account("device = true");
    let mut running = desk.call_with("login -a production", "ignore").command().spawn().unwrap();
    desk.waits_for_tabs(1, &mut running);
    desk.room.sandbox.cloud_clock(700);
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("error: nobody finished the sign-in at acme.awsapps.com within 10 minutes"), "{said}");
}

#[test]
fn pages_in_place_of_answers_are_told_apart() {
    let html = || Fault::Status(200, "<html><b>captive portal</b>".to_owned(), "text/html".to_owned());
    for (path, step) in [("/client/register", "the registration"), ("/token", "the sign-in")] {
        let desk = Desk::with_account("sso_region = \"us-east-1\"");
        desk.room.sandbox.fault(OIDC, html().on_path(path));
        let done = desk.call("login -a production").run().exits(1);
        done.says(&[&format!("error: did not understand the answer of IdentityCenter to {step} (HTTP 200)")]);
        assert!(desk.shared().is_empty());
    }
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
fn names_that_draw_on_the_terminal_are_not_roles() {
    let desk = Desk::with_account("");
    let done = desk.call("list-roles -a production").var(USER, "mallory").run().exits(0);
    assert_eq!(done.stdout, format!("Account: acme-prod ({GUIDE})\n{GUIDE}/Plain\n\n"));
    desk.call("login -a production --role Plain").run().exits(0).says(&[&format!("Logged in as: {GUIDE}/Plain")]);
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
    desk.waits_for_tabs(1, &mut first);
    // One that waits for the browser, and one that waits for the first.
    let mut second = desk.call("login -a production").command().spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(second.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("Waiting for another saml2cloud that is signing in")));
    for child in [&mut second, &mut first] {
        let id = i32::try_from(child.id()).unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
    assert!(desk.shared().is_empty());
    desk.call("login -a production").run().exits(0);
}
