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

/// A role on top of a portal's, on top of a role that stands on it, and what leads nowhere.
const CHAINS: &str = "
[profile deploy]
role_arn = arn:aws:iam::012345678987:role/Ship
source_profile = legacy
region = eu-central-1
[profile audit]
role_arn = arn:aws:iam::210987654321:role/Inspect
source_profile = deploy
role_session_name = looks
[profile both]
role_arn = arn:aws:iam::012345678987:role/Ship
source_profile = legacy
sso_session = acme
[profile one]
role_arn = arn:aws:iam::012345678987:role/Ship
source_profile = two
[profile two]
role_arn = arn:aws:iam::012345678987:role/Ship
source_profile = one
[profile alone]
role_arn = arn:aws:iam::012345678987:role/Ship
[profile machine]
role_arn = arn:aws:iam::012345678987:role/Ship
credential_source = Ec2InstanceMetadata
[profile user]
role_arn = arn:aws:iam::012345678987:role/Ship
source_profile = keys
[profile keys]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = x
[profile elsewhere]
sso_start_url = https://acme.awsapps.com/start
sso_region = us-east-1
endpoint_url = https://portal.example/
[profile of-account]
role_arn = arn:aws:iam::012345678987:role/Ship
source_profile = written
";

/// A desk with these profiles, and roles that let the portal's role in.
fn chained() -> Desk {
    let desk = Desk::new();
    desk.room.write(".aws/config", &format!("{CONFIG}{CHAINS}"));
    let portal = "arn:aws:iam::012345678987:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_AcmeJumpCloudAdminRO";
    let ship = "arn:aws:iam::012345678987:role/Ship";
    desk.room.sandbox.trust(sandbox::Trust::new(ship, &[portal]));
    desk.room.sandbox.trust(sandbox::Trust::new("arn:aws:iam::210987654321:role/Inspect", &[ship]));
    desk
}

#[test]
fn a_role_stands_on_a_sign_in_at_the_portal() {
    let desk = chained();
    let whose = |line: &str| {
        let done = desk.call(&format!("exec {line} -- printenv AWS_ACCESS_KEY_ID")).run().exits(0);
        desk.room.sandbox.whose(done.stdout.trim()).unwrap()
    };
    let deployed = "arn:aws:sts::012345678987:assumed-role/Ship/";
    assert!(whose("-p deploy").starts_with(deployed));
    assert_eq!(whose("-p audit"), "arn:aws:sts::210987654321:assumed-role/Inspect/looks");
    assert!(whose("-p both").starts_with(deployed), "a role comes before a portal, as in botocore");
    assert_eq!(desk.tabs(), 1, "one sign-in for all of them");
    assert!(!desk.room.home().join(AWS.profiles).exists() && desk.room.read(".aws/config").contains(CHAINS));

    let env = desk.call("exec -p deploy -- env").shows_keys().run().exits(0);
    assert!(env.stdout.contains("AWS_REGION=eu-central-1") && !env.stdout.contains("AWS_PROFILE="), "{}", env.stdout);
    let keys = desk.call("credential-process -p deploy").shows_keys().run().exits(0);
    let keys: serde_json::Value = serde_json::from_str(&keys.stdout).unwrap();
    assert!(desk.room.sandbox.whose(keys["AccessKeyId"].as_str().unwrap()).unwrap().starts_with(deployed));
    let lines = desk.call("script -p deploy").shows_keys().run().exits(0);
    assert!(lines.stdout.contains("eu-central-1") && lines.stdout.contains("AWS_ACCESS_KEY_ID="), "{}", lines.stdout);
    let link = desk.call("console -p deploy --link").shows_keys().run().exits(0);
    assert!(link.stdout.starts_with("https://eu-central-1.signin.aws.amazon.com/"), "{}", link.stdout);
    // Fresh keys need nobody; without them, and without a sign-in, nobody is sent anywhere.
    desk.call("logout -p deploy").run().exits(0);
    std::fs::remove_dir_all(desk.room.home().join(".cache")).unwrap();
    desk.call("credential-process -p deploy").run().exits(4).says(&["acme.awsapps.com"]);
    // The client does the rest by itself, once the person is signed in.
    desk.call("login -p deploy").run().exits(0).says(&["Signed in at acme.awsapps.com.", "--profile deploy"]);
}

#[test]
fn an_account_may_borrow_a_portals_profile() {
    let desk = chained();
    desk.account("production", &format!("role_arn = \"{ROLE}\""));
    let done = desk.call("exec -a production --exec-profile deploy -- printenv AWS_ACCESS_KEY_ID").run().exits(0);
    done.says(&["assumed with the keys of profile legacy, which signs in at acme.awsapps.com"]);
    // Whoever wants the profile overwritten does not mean its role.
    let forced = desk.call("login -p alone --force-profile").run().exits(2);
    forced.says(&["there is no account `default`"]);
    // And a profile whose source is what an account writes begins at that account's login.
    let written = desk.room.read(".saml2aws").replace("aws_profile = \"production\"", "aws_profile = \"written\"");
    desk.room.write(".saml2aws", &written);
    let done = desk.call("exec -p of-account -- printenv AWS_ACCESS_KEY_ID").run();
    let done = done.exits(0);
    assert!(desk.room.sandbox.whose(done.stdout.trim()).unwrap().contains(":assumed-role/Ship/"));
}

#[test]
fn a_chain_that_leads_nowhere_is_told_in_the_clients_words() {
    let desk = chained();
    for (profile, words) in [
        ("one", ["Infinite loop in credential configuration", "`one` → `two` → `one`"]),
        ("alone", ["profile `alone` is missing source_profile or credential_source", "no account"]),
        ("machine", ["`credential_source = Ec2InstanceMetadata`", "a machine's own"]),
        ("user", ["profile `user` takes the keys that profile `keys` holds", "by itself"]),
        ("elsewhere", ["another address for sign-ins by `endpoint_url`", "`AWS_ENDPOINT_URL_SSO_OIDC`"]),
    ] {
        desk.call(&format!("exec -p {profile} -- touch ran")).run().exits(2).says(&words);
    }
    assert!(desk.tabs() == 0 && !desk.room.home().join("ran").exists());
}
