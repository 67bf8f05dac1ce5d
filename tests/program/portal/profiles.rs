//! Profiles of `~/.aws/config`, by their names.

use super::{Desk, PORTAL, ROLE};
use crate::support::AWS;

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
fn a_mistyped_key_of_a_profile_is_told_once() {
    let desk = Desk::new();
    desk.room.write(".aws/config", &CONFIG.replace("sso_registration_scopes", "sso_registration_scope"));
    let done = desk.call("exec -p modern -- true").run().exits(0);
    let note = "`sso_registration_scope` in sso-session `acme` is read by nobody; did you mean `sso_registration_scopes`?";
    assert_eq!(done.stderr.matches(note).count(), 1, "{}", done.stderr);
}

#[test]
fn the_console_of_such_a_profile() {
    let desk = Desk::new();
    desk.room.write(".aws/config", CONFIG);
    let done = desk.call("console -p legacy --link").shows_keys().run().exits(0);
    assert!(done.stdout.starts_with("https://eu-west-1.signin.aws.amazon.com/federation?Action=login&"), "{}", done.stdout);
    done.says(&["Presenting credentials for legacy to https://eu-west-1.signin.aws.amazon.com/federation\n"]);
    let tabs = desk.tabs();
    let again = desk.call("console -p legacy --link").shows_keys().run().exits(0);
    assert!(again.stdout.starts_with("https://eu-west-1.signin.aws.amazon.com/"));
    assert_eq!(desk.tabs(), tabs, "the sign-in is there");
    assert!(!desk.room.home().join(AWS.profiles).exists());
}
