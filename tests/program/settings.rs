//! What a setting does, from wherever it comes: a key of the file, a variable under its old name, a flag, and a flag that takes it back.

use sandbox::Fault;

use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room};

/// The old tool's word before its variables.
fn old(cloud: Cloud) -> &'static str {
    if cloud.word == "aws" { "SAML2AWS" } else { "SAML2ALIBABACLOUD" }
}

/// The account `production` with a line more.
fn room(cloud: Cloud, user: &str, line: &str) -> Room {
    let room = Room::new();
    room.account(cloud, "production", user, &format!("role_arn = \"{}\"\n{line}", cloud.role));
    room
}

#[test]
fn the_old_names_of_variables_count_and_ours_win() {
    for cloud in CLOUDS {
        let room = room(cloud, "alice", "");
        let text = room.read(cloud.accounts);
        std::fs::remove_file(room.home().join(cloud.accounts)).unwrap();
        let path = room.write("elsewhere", &text).display().to_string();
        let old = |name: &str| format!("{}_{name}", old(cloud));
        let (password, code) = (room.password("alice"), room.code("alice"));
        let call = |name: &str| {
            let call = room.call("login --force").var(&old("CONFIGFILE"), &path).var(&old("IDP_ACCOUNT"), name);
            call.var(&old("PASSWORD"), &password).var(&old("MFA_TOKEN"), &code)
        };
        call("production").run().exits(0);
        call("nobody").run().exits(2).says(&["there is no account `nobody`"]);
        call("nobody").var("SAML2CLOUD_IDP_ACCOUNT", "production").run().exits(0);
        call("production").var("SAML2CLOUD_CONFIGFILE", "/nowhere").run().exits(2).says(&["none is configured yet"]);
        call("production").var("SAML2CLOUD_PASSWORD", "not-her-password").run().exits(3);
        call("production").var("SAML2CLOUD_MFA_TOKEN", "000000").run().exits(3);
    }
}

/// Both old tools are in use, with a password each.
#[test]
fn a_password_for_one_cloud_is_not_sent_for_the_other() {
    for (cloud, other) in [(AWS, ALIBABA), (ALIBABA, AWS)] {
        let room = room(cloud, "bob", "");
        let password = room.password("bob");
        let call = room.call("login -a production").var(&format!("{}_PASSWORD", old(cloud)), &password);
        call.var(&format!("{}_PASSWORD", old(other)), "for-the-other-one").run().exits(0);
        room.production(other, "bob");
        let call = room.call("login -a production --force").var(&format!("{}_PASSWORD", old(cloud)), &password);
        let call = call.var(&format!("{}_PASSWORD", old(other)), "for-the-other-one").arg("--cloud").arg(cloud.word);
        call.run().exits(0);
    }
}

#[test]
fn skip_verify_in_the_file_is_taken_back_by_a_variable_or_a_flag() {
    for cloud in CLOUDS {
        let room = room(cloud, "bob", "skip_verify = true");
        room.sandbox.fault("*.jumpcloud.com", Fault::WrongName);
        let login = || room.call("login -a production --force").by("bob");
        let variable = format!("{}_SKIP_VERIFY", old(cloud));
        login().run().exits(0).says(&["no certificate of the identity provider"]);
        login().var(&variable, "off").run().exits(5);
        login().arg("--no-skip-verify").run().exits(5);
        login().var(&variable, "T").arg("--no-skip-verify").run().exits(5);
        login().arg("--no-skip-verify").arg("-s").run().exits(0);
        // What was taken back at `configure` is no longer so.
        room.call("configure -a production --no-skip-verify --skip-prompt").run().exits(0);
        assert!(room.read(cloud.accounts).contains("skip_verify = \"false\""), "{}", room.read(cloud.accounts));
        login().run().exits(5);
    }
}

#[test]
fn a_switch_that_is_neither_true_nor_false_is_an_error_and_a_number_that_is_none_is_not() {
    for cloud in CLOUDS {
        let maybe = "`maybe` is neither true nor false";
        let bad = room(cloud, "bob", "skip_verify = \"maybe\"");
        let said = format!("`skip_verify` of account `production` will not do: {maybe}");
        bad.call("login -a production").by("bob").run().exits(2).says(&[&said]);
        let room = room(cloud, "bob", "http_attempts_count = \"many\"\nhttp_retry_delay = \"\"\ntimeout = \"x\"");
        for name in ["SKIP_VERIFY", "DISABLE_KEYCHAIN"] {
            let name = format!("{}_{name}", old(cloud));
            let done = room.call("login -a production").by("bob").var(&name, "maybe").run().exits(2);
            done.says(&[&format!("`{name}` will not do: {maybe}")]);
        }
        assert!(room.requests().is_empty());
        room.call("login -a production").by("bob").run().exits(0);
    }
}

#[test]
fn the_entity_id_comes_from_the_file_a_variable_or_either_flag() {
    for cloud in CLOUDS {
        let room = Room::new();
        let (aws, alibaba) = ("urn:amazon:webservices", "urn:alibaba:cloudcomputing");
        let (key, right, wrong, variable) = match cloud.word {
            "aws" => ("aws_urn", aws, alibaba, "SAML2AWS_AWS_URN"),
            _ => ("alibabacloud_urn", alibaba, aws, "SAML2ALIBABACLOUD_URN"),
        };
        let lines = format!("role_arn = \"{}\"\n{key} = \"{wrong}\"", cloud.role);
        room.account_at(cloud, "acme", "bob", "ADFS", "https://fs.acme.example", &lines);
        let login = || room.call("login -a acme --force").by("bob");
        login().run().exits(3);
        assert_eq!(room.asked(cloud.sts), 0, "AD FS answers for the other cloud");
        login().var(variable, right).run().exits(0);
        for flag in ["--urn", "--aws-urn"] {
            login().var(variable, wrong).arg(flag).arg(right).run().exits(0);
        }
        let text = room.read(cloud.accounts).replace(wrong, right);
        room.write(cloud.accounts, &text);
        login().run().exits(0);
        // An empty one is none.
        room.write(cloud.accounts, &text.replace(right, ""));
        login().run().exits(0);
    }
}

#[test]
fn a_response_may_go_to_the_address_that_the_account_names() {
    let room = Room::new();
    let url = "https://login.acme.example/sso/stolen";
    let role = format!("role_arn = \"{}\"", AWS.role);
    for (account, target, code) in
        [("none", "", 3), ("other", "https://other.example/saml", 3), ("named", "https://evil.example/saml", 0)]
    {
        let lines = format!("{role}\ntarget_url = \"{target}\"");
        room.account_at(AWS, account, "bob", "Form", url, &lines);
        room.call("login -a").arg(account).by("bob").run().exits(code);
    }
    // The response is for the cloud all the same: nobody else gets it.
    assert_eq!((room.asked("evil.example"), room.asked(AWS.sts)), (0, 1));
}

#[test]
fn a_policy_of_the_file_limits_the_keys() {
    let limit = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    for cloud in CLOUDS {
        let room = room(cloud, "bob", "policy_file = \"~/limit.json\"");
        room.write("limit.json", limit);
        room.call("login -a production").by("bob").run().exits(0);
        let sent =
            |room: &Room, name: &str| room.sandbox.requests().iter().any(|seen| seen.params.iter().any(|param| param == name));
        assert!(sent(&room, "Policy"));
    }
    let arns = "arn:aws:iam::aws:policy/ReadOnlyAccess , arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let room = room(AWS, "bob", &format!("policy_arn_list = \"{arns}\""));
    room.call("login -a production").by("bob").run().exits(0);
    let seen = room.sandbox.requests();
    let sent: Vec<&String> = seen.iter().flat_map(|seen| &seen.params).filter(|name| name.starts_with("PolicyArns")).collect();
    assert_eq!(sent, ["PolicyArns.member.1.arn", "PolicyArns.member.2.arn"]);
}

/// saml2aws lets `configure` keep them; so do we.
#[test]
fn configure_keeps_a_providers_own_settings() {
    let room = Room::new();
    let url = "--url=https://acme.okta.com/home/amazon_aws/0oadp5jbz6tjBLfTx0x7/272";
    let configure = |more: &str| {
        let line =
            format!("configure -a okta --idp-provider Okta --username bob@example.com --cloud aws --skip-prompt {url} {more}");
        room.call(&line).run().exits(0);
        room.read(AWS.accounts)
    };
    assert!(!configure("").contains("disable_"));
    assert!(configure("--disable-sessions").ends_with("disable_sessions = \"true\"\n"));
    let text = configure("--no-disable-sessions --disable-remember-device");
    assert!(text.ends_with("disable_sessions = \"false\"\ndisable_remember_device = \"true\"\n"), "{text}");
}

#[test]
fn a_password_on_the_command_line_is_taken_with_a_note() {
    let room = room(AWS, "bob", "");
    let password = room.password("bob");
    let done = room.call("login -a production --password").arg(&password).run().exits(0);
    done.says(&["--password", "SAML2CLOUD_PASSWORD"]);
    room.call("login -a production --force").by("bob").run().exits(0).does_not_say("--password");
}

#[test]
fn quiet_hides_talk_and_never_an_error() {
    let room = room(AWS, "bob", "");
    let done = room.call("login -a production --quiet").by("bob").run().exits(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    room.call("login -a nobody --quiet").run().exits(2).says(&["error: there is no account `nobody`", "hint: "]);
    let wrong = room.call("login -a production --force --quiet").var("SAML2CLOUD_PASSWORD", "not-his-password");
    wrong.run().exits(3).says(&["error: ", "refused the sign-in"]);
}

/// That no secret is in the talk is checked for every call; here nothing of what was sent or answered is.
#[test]
fn no_variable_prints_what_is_sent() {
    let room = room(AWS, "bob", "");
    let login = || room.call("login -a production --force --verbose").by("bob");
    let count = |done: crate::call::Done| done.exits(0).stderr.lines().count();
    let plain = count(login().run());
    assert_eq!(count(login().var("DUMP_CONTENT", "true").run()), plain);
}
