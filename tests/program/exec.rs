//! A command with keys in its environment. What counts is the child's view, arguments, variables, exit code and signals, so there is
//! a child in every test.

use std::collections::BTreeMap;

use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room};

/// A room where the keys are fresh, and nothing has been asked since.
fn logged_in(cloud: Cloud) -> Room {
    let room = Room::new();
    room.production(cloud, "bob");
    room.call("login -a production").by("bob").run().exits(0);
    room.sandbox.clear_requests();
    room
}

/// What `env` printed.
fn variables(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

#[test]
#[cfg(unix)]
fn arguments_arrive_as_they_were_given() {
    let room = logged_in(AWS);
    let given = ["two words", "", "$HOME", "'\"`", "--", "-a", "--force", "*", "a\nb", "\\", "--help"];
    for first in ["exec -a production --", "exec -a production", "-a production exec"] {
        let mut call = room.call(&format!("{first} printf"));
        call = call.arg("<%s>");
        for arg in given {
            call = call.arg(arg);
        }
        let expected: String = given.iter().map(|arg| format!("<{arg}>")).collect();
        let done = call.run().exits(0);
        assert_eq!((done.stdout, done.stderr), (expected, String::new()));
    }
}

#[test]
#[cfg(unix)]
fn the_exit_code_is_the_childs() {
    let room = logged_in(AWS);
    for code in [0, 1, 7, 130, 255] {
        room.call("exec -a production -- sh -c").arg(format!("exit {code}")).run().exits(code);
    }
    room.call("exec -a production no-such-program-anywhere").run().exits(127).says(&["cannot run `no-such-program-anywhere`"]);
    room.write("plain.txt", "not a program");
    room.call("exec -a production ./plain.txt").run().exits(126).says(&["cannot run `./plain.txt`"]);
    room.call("exec -a production").run().exits(2);
    assert!(room.requests().is_empty());
}

#[test]
#[cfg(unix)]
fn the_death_of_the_child_is_seen_by_whoever_waits() {
    use std::os::unix::process::ExitStatusExt as _;
    let room = logged_in(AWS);
    for signal in [1, 9, 15] {
        let done = room.call("exec -a production -- sh -c").arg(format!("kill -{signal} $$")).run();
        assert_eq!(done.status.signal(), Some(signal));
    }
}

#[test]
fn the_environment_holds_the_keys_and_names_the_profile_that_holds_them_too() {
    let room = logged_in(AWS);
    let done = room.call("exec -a production --region eu-west-1 env").shows_keys().run().exits(0);
    let env = variables(&done.stdout);
    let profile = room.aws_profile("production");
    for (name, key) in [
        ("AWS_ACCESS_KEY_ID", "aws_access_key_id"),
        ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key"),
        ("AWS_SESSION_TOKEN", "aws_session_token"),
        ("AWS_SECURITY_TOKEN", "aws_session_token"),
        ("EC2_SECURITY_TOKEN", "aws_session_token"),
    ] {
        assert_eq!(env[name], profile[key], "{name}");
    }
    let plain = [("AWS_PROFILE", "production"), ("AWS_DEFAULT_PROFILE", "production")];
    for (name, value) in plain.into_iter().chain([("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-1")]) {
        assert_eq!(env[name], value);
    }
    assert!(env["AWS_CREDENTIAL_EXPIRATION"].ends_with('Z'));
    assert!(room.requests().is_empty());

    let room = logged_in(ALIBABA);
    let done = room.call("exec -a production env").var("ALIBABA_CLOUD_ROLE_ARN", "x").shows_keys().run().exits(0);
    let env = variables(&done.stdout);
    let profile = room.alibaba_profile("production");
    for (names, key) in [
        (&["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY"][..], "access_key_id"),
        (&["ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABACLOUD_ACCESS_KEY_SECRET", "ALICLOUD_SECRET_KEY"], "access_key_secret"),
        (&["ALIBABA_CLOUD_SECURITY_TOKEN", "ALIBABACLOUD_SECURITY_TOKEN", "ALICLOUD_SECURITY_TOKEN"], "sts_token"),
        (&["ALIBABA_CLOUD_REGION_ID", "ALICLOUD_REGION"], "region_id"),
        (&["ALIBABA_CLOUD_PROFILE", "ALIBABACLOUD_PROFILE"], "name"),
    ] {
        for name in names {
            assert_eq!(env[name], profile[key], "{name}");
        }
    }
    // Either would make a tool fetch other keys on top of ours.
    assert!(!env.contains_key("ALIBABA_CLOUD_ROLE_ARN") && !env.contains_key("ALIBABA_CLOUD_IGNORE_PROFILE"));
    assert!(room.requests().is_empty());
}

#[test]
fn everything_else_in_the_environment_stays() {
    let room = logged_in(AWS);
    let done = room.call("exec -a production env").var("MY_OWN", "a=b c").var("AWS_PAGER", "less").shows_keys().run().exits(0);
    let env = variables(&done.stdout);
    assert_eq!((env["MY_OWN"], env["AWS_PAGER"], env["LANG"]), ("a=b c", "less", "C.UTF-8"));
}

#[test]
fn keys_of_one_role_are_never_those_of_another() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "alice");
        let key = |call: &str| {
            let call = room.call(&format!("exec -a production {call} -- printenv {}", cloud.key_variable)).with_code("alice");
            call.run().exits(0).stdout
        };
        let first = key("");
        let other = key(&format!("--role {}", cloud.admin));
        assert_ne!(first, other);
        assert_eq!(room.asked(cloud.sts), 2);
        // Both are remembered, each for its role.
        assert_eq!((key(""), key(&format!("--role {}", cloud.admin))), (first, other));
        assert_eq!(room.asked(cloud.sts), 2);
    }
}

#[test]
fn keys_that_end_soon_are_replaced_by_a_new_login() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        // Seen from here, keys for 900 seconds have 100 left on arrival.
        room.sandbox.idp_clock(-800);
        room.sandbox.cloud_clock(-800);
        room.call("login -a production --session-duration 900").by("bob").run().exits(0);
        let stale = room.key_id(cloud, "production");
        room.sandbox.idp_clock(0);
        room.sandbox.cloud_clock(0);
        let fresh = |room: &Room| {
            room.call(&format!("exec -a production -- printenv {}", cloud.key_variable)).by("bob").run().exits(0).stdout
        };
        let first = fresh(&room);
        assert_ne!(first.trim(), stale);
        assert_eq!(first.trim(), room.key_id(cloud, "production"));
        assert_eq!((fresh(&room), room.asked(cloud.sts)), (first, 2));
    }
}

#[test]
fn without_keys_exec_signs_in_and_the_childs_output_is_its_own() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        let done = room.call("exec -a production -- printf").arg("data\\n").by("bob").run().exits(0);
        assert_eq!(done.stdout, "data\n");
        done.says(&["Selected role: "]);
        assert_eq!(room.asked(cloud.sts), 1);
        let quiet = room.call("exec -a production --force --quiet -- printf").arg("data\\n").by("bob").run().exits(0);
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("data\n", ""));
        // A login after it finds the keys there.
        room.call("login -a production").run().exits(0).says(&["are good until"]);
        assert_eq!(room.asked(cloud.sts), 2);
    }
}

#[test]
fn a_failed_sign_in_runs_nothing() {
    let room = Room::new();
    room.production(AWS, "bob");
    let call = room.call("exec -a production -- touch ran").var("SAML2CLOUD_PASSWORD", "not-his-password");
    call.run().exits(3);
    assert!(!room.home().join("ran").exists());
}

#[test]
fn a_profile_that_is_not_ours_is_left_alone_and_not_named() {
    let own = "[production]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = long-lived\n";
    let room = Room::new();
    room.production(AWS, "bob");
    room.write(AWS.profiles, own);
    for _ in 0..2 {
        let done = room.call("exec -a production env").by("bob").var("AWS_PROFILE", "production").shows_keys().run().exits(0);
        let env = variables(&done.stdout);
        assert!(env["AWS_ACCESS_KEY_ID"].starts_with("ASIA"));
        assert!(!env.contains_key("AWS_PROFILE") && !env.contains_key("AWS_DEFAULT_PROFILE"));
        assert_eq!(room.read(AWS.profiles), own);
    }
    assert_eq!(room.asked(AWS.sts), 1, "the second time the keys were remembered");

    let own = r#"{"current":"production","profiles":[{"name":"production","mode":"AK","access_key_id":"LTAI","access_key_secret":"s"}]}"#;
    let room = Room::new();
    room.production(ALIBABA, "bob");
    room.write(ALIBABA.profiles, own);
    let call = room.call("exec -a production env").by("bob").var("ALIBABA_CLOUD_PROFILE", "production");
    let done = call.shows_keys().run().exits(0);
    let env = variables(&done.stdout);
    assert!(env["ALIBABA_CLOUD_ACCESS_KEY_ID"].starts_with("STS."));
    // `aliyun` prefers a profile to keys in the environment.
    assert_eq!((env.get("ALIBABA_CLOUD_PROFILE"), env["ALIBABA_CLOUD_IGNORE_PROFILE"]), (None, "TRUE"));
    assert_eq!(room.read(ALIBABA.profiles), own);
}

#[test]
fn what_lets_somebody_sign_in_is_not_handed_on() {
    let room = logged_in(AWS);
    let done = room.call("exec -a production env").by("bob").var("SAML2CLOUD_MFA_TOKEN", "123456").shows_keys().run().exits(0);
    let env = variables(&done.stdout);
    assert!(!env.contains_key("SAML2CLOUD_PASSWORD") && !env.contains_key("SAML2CLOUD_MFA_TOKEN"), "a child needs neither");
}

#[test]
fn a_profile_in_another_file_is_not_named() {
    let room = Room::new();
    room.production(AWS, "bob");
    let line = "exec -a production --credentials-file ~/elsewhere -- env";
    let done = room.call(line).by("bob").shows_keys().run().exits(0);
    let variables = variables(&done.stdout);
    assert!(variables.contains_key("AWS_ACCESS_KEY_ID") && !variables.contains_key("AWS_PROFILE"), "{:?}", variables.keys());
    assert!(room.home().join("elsewhere").exists());
}
