use super::*;
use crate::config::Key;

const CONFIG: &str = r#"
[default]
region = us-east-1

[profile legacy]
sso_start_url = https://d-1234567890.awsapps.com/start
SSO_REGION = us-east-1
sso_account_id = 012345678901
sso_role_name = Admin
region = eu-west-1

[profile "with blank"]
sso_session = my-sso
sso_account_id = 123456789012
sso_role_name = Read Only

[profile only]
sso_session: my-sso

[profile differs]
sso_session = my-sso
sso_region = eu-west-1

[profile agrees]
sso_session = my-sso
sso_region = us-east-1

[profile lost]
sso_session = no-such

[profile half]
sso_session = half
sso_account_id = 123456789012

[profile typo]
sso_session = my-sso
sso_acount_id = 1

[profile plain]
region = us-east-1

[sso-session my-sso]
sso_start_url = https://d-1234567890.awsapps.com/start/
sso_region = us-east-1
sso_registration_scope = sso:account:access

[sso-session half]
sso_start_url = https://d-1234567890.awsapps.com/start
"#;

fn of(name: &str) -> Result<Option<SsoProfile>, String> {
    profile_that_signs_in(CONFIG, "~/.aws/config", name).map_err(|error| error.to_string())
}

fn said(name: &str) -> [Option<String>; 6] {
    let draft = of(name).unwrap().unwrap().found.draft;
    let own = |key: Key| draft.get(key).map(str::to_owned);
    let other = |key: &str| draft.other(key).map(str::to_owned);
    [own(Key::Url), other("sso_region"), own(Key::Role), own(Key::Region), other("sso_session"), own(Key::Profile)]
}

#[test]
fn both_forms_are_read() {
    let some = |text: &str| Some(text.to_owned());
    let start = "https://d-1234567890.awsapps.com/start";
    assert_eq!(
        said("legacy"),
        [some(start), some("us-east-1"), some("012345678901/Admin"), some("eu-west-1"), None, some("legacy")]
    );
    let with_slash = "https://d-1234567890.awsapps.com/start/";
    assert_eq!(
        said("with blank"),
        [some(with_slash), some("us-east-1"), some("123456789012/Read Only"), None, some("my-sso"), some("with blank")]
    );
    assert_eq!(said("only"), [some(with_slash), some("us-east-1"), None, None, some("my-sso"), some("only")]);
    assert_eq!(said("agrees")[1], some("us-east-1"));
    for other in ["plain", "default", "nobody", "my-sso"] {
        assert!(of(other).unwrap().is_none(), "{other}");
    }
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_the_aws_client() {
    for (name, words) in [
        ("lost", "The specified sso-session does not exist: \"no-such\""),
        ("differs", "The value for sso_region is inconsistent between profile (eu-west-1) and sso-session (us-east-1)"),
        (
            "half",
            "The profile \"half\" is configured to use SSO but is missing required configuration: sso_region, sso_role_name",
        ),
    ] {
        let told = of(name).unwrap_err();
        assert!(told.starts_with(words), "{told}");
        let line = CONFIG.lines().position(|line| line == format!("[profile {name}]")).unwrap() + 1;
        assert!(told.ends_with(&format!("(`~/.aws/config`, line {line})")), "{told}");
    }
}

#[test]
fn a_mistyped_key_is_worth_a_word() {
    let notes = of("typo").unwrap().unwrap().notes;
    assert_eq!(
        notes,
        [
            "`sso_acount_id` in profile `typo` is read by nobody",
            "`sso_registration_scope` in sso-session `my-sso` is read by nobody; did you mean `sso_registration_scopes`?"
        ]
    );
}

#[test]
fn a_token_in_a_file_is_a_sign_in_too() {
    let text = "[profile pod]\nrole_arn = arn:aws:iam::1:role/a\nweb_identity_token_file = /t\nrole_session_name = me\nsso_session = no\nendpoint_url = https://x/\n";
    let found = profile_that_signs_in(text, "~/.aws/config", "pod").unwrap().unwrap().found;
    let own = ["oidc_source", "oidc_token_file", "oidc_session_name"].map(|key| found.draft.other(key));
    assert_eq!(own, [Some("file"), Some("/t"), Some("me")], "before a portal, as in botocore");
    assert_eq!((found.draft.get(Key::Provider), found.draft.get(Key::Role)), (Some("OIDC"), Some("arn:aws:iam::1:role/a")));
    assert_eq!(found.draft.get(Key::StsEndpoint), Some("https://x/"));
    let role = "[profile role]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = pod\n";
    assert!(profile_that_signs_in(role, "~/.aws/config", "role").unwrap().is_none());
}

#[test]
fn another_address_is_said_and_not_passed_over() {
    let asked = |more: &str| {
        let own = "sso_start_url = https://d-1.awsapps.com/start\nsso_region = us-east-1\n";
        let text = format!(
            "[profile a]\n{own}{more}\n[services lab]\nsso_oidc =\n  endpoint_url = https://x/\n[services s3]\ns3 =\n  endpoint_url = https://x/\n"
        );
        profile_that_signs_in(&text, "~/.aws/config", "a").err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(asked("endpoint_url = https://x/").contains("another address for sign-ins by `endpoint_url`"));
    assert!(asked("services = lab").contains("by `sso_oidc` of `[services lab]`"));
    assert_eq!(
        (asked("services = s3"), asked("endpoint_url = https://x/\nignore_configured_endpoint_urls = true")),
        Default::default()
    );
}
