//! What scripts and habits from the old tools meet here: flags that count, flags that do nothing, texts about the command line itself.

use std::collections::BTreeMap;

use crate::support::{ALIBABA, AWS, CLOUDS, Room};

#[test]
fn help_version_and_completions_are_data() {
    let room = Room::new();
    for (line, text) in [
        ("--help", "Usage: saml2cloud"),
        ("help login", "Usage: saml2cloud login"),
        ("login --help", "--force-profile"),
        ("--version", "saml2cloud 0."),
        ("--help-long", "Usage: saml2cloud list-roles"),
        ("--help-man", ".TH saml2cloud 1"),
        ("--completion-bash scr", "script\n"),
        ("--completion-script-bash", "complete -F _saml2cloud "),
        ("--completion-script-zsh", "#compdef saml2cloud"),
        ("completions fish", "complete -c saml2cloud "),
    ] {
        let done = room.call(line).run().exits(0);
        assert!(done.stdout.contains(text) && done.stderr.is_empty(), "{line}: {}{}", done.stdout, done.stderr);
    }
    assert!(room.call("login --no-such-flag").run().exits(2).stdout.is_empty());
    // They need nothing: no home, no accounts.
    assert!(room.tree().is_empty());
}

/// The script that the old tools had people put into their shells calls the program at each press of the key.
#[test]
#[cfg(unix)]
fn a_completion_of_the_old_tools_still_works() {
    let room = Room::new();
    let script = r#"COMP_WORDS=("$BIN" login --fo); COMP_CWORD=2
opts=$( ${COMP_WORDS[0]} --completion-bash "${COMP_WORDS[@]:1:$COMP_CWORD}" )
compgen -W "${opts}" -- "${COMP_WORDS[COMP_CWORD]}""#;
    let output = std::process::Command::new("bash")
        .arg("-c")
        .arg(script)
        .env("BIN", crate::support::BIN)
        .current_dir(room.home())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "--force\n--force-profile\n", "{output:?}");
}

#[test]
fn settings_of_providers_that_are_not_built_are_kept() {
    for cloud in CLOUDS {
        let room = Room::new();
        let line = "configure -a x --idp-provider OneLogin --url https://acme.onelogin.com/x --username me --skip-prompt \
                    --app-id 4711 --subdomain acme --client-id abcdef --client-secret ghijkl --role";
        let done = room.call(line).arg(cloud.role).var("ONELOGIN_MFA_IP_ADDRESS", "192.0.2.1").run().exits(0);
        done.says(&[
            "note: everybody on this machine can read what `--client-secret` gives",
            "note: `--client-id` is not built yet and does nothing",
            "note: `--client-secret` is not built yet and does nothing",
            "the provider `OneLogin` is not built yet",
        ]);
        let text = room.read(cloud.accounts);
        for line in ["app_id = \"4711\"", "subdomain = \"acme\"", "mfa_ip_address = \"192.0.2.1\""] {
            assert!(text.lines().any(|have| have == line), "no `{line}` in:\n{text}");
        }
        assert!(!text.contains("abcdef") && !text.contains("ghijkl"), "{text}");
        room.call("login -a x").by("bob").run().exits(2).says(&["error: the provider `OneLogin` is not built yet"]);

        let variable = if cloud.word == "aws" { "SAML2AWS_F5APM_RESOURCE_ID" } else { "SAML2ALIBABACLOUD_F5APM_RESOURCE_ID" };
        let f5 = |name: &str| {
            let call = room.call("configure --idp-provider F5APM --url https://f5.example.com --username me --skip-prompt -a");
            call.arg(name).arg("--role").arg(cloud.role)
        };
        f5("by-flag").arg("--resource-id=/Common/x").run().exits(0);
        f5("by-variable").var(variable, "/Common/x").run().exits(0);
        assert_eq!(room.read(cloud.accounts).matches("resource_id = \"/Common/x\"").count(), 2);
        assert!(room.requests().is_empty());
    }
}

#[test]
fn what_the_old_tool_gave_up_is_told_what_came_of_it() {
    let room = Room::new();
    for flag in ["-i", "--provider"] {
        let done = room.call(&format!("login {flag} Okta")).run().exits(2);
        done.says(&["error: `-i` and `--provider` are no more; `--idp-provider NAME` names the identity provider"]);
    }
}

/// They belong to providers that are not built, so a login that has them by habit goes on, and says so.
#[test]
fn flags_that_do_nothing_say_so_and_stop_nothing() {
    let room = Room::new();
    room.production(AWS, "bob");
    let flags = ["--kc-broker x", "--duo-mfa-option Passcode", "--client-id x"];
    let line = format!("login -a production {}", flags.join(" "));
    let mut done = room.call(&line).by("bob").run().exits(0);
    for flag in flags {
        let name = flag.split(' ').next().unwrap();
        done = done.says(&[&format!("note: `{name}` is not built yet and does nothing")]);
    }
    // Here they ask for what is always so, or are for others.
    let quiet = room
        .call("login -a production --force --try-no-prompt --mfa-ip-address 192.0.2.1 --download-browser-driver")
        .by("bob")
        .run()
        .exits(0);
    quiet.does_not_say("note:");
    room.call("login -a production --force --try-no-prompt").run().exits(4).says(&["the password is not known"]);
}

#[test]
#[cfg(unix)]
fn what_script_exports_does_not_rule_later_calls() {
    let room = Room::new();
    room.production(AWS, "bob");
    room.account(AWS, "other", "bob", &format!("role_arn = \"{}\"\n", AWS.role));
    let script = room.call("script -a production").by("bob").shows_keys().run().exits(0).stdout;
    let evaluated = |then: &str| {
        let mut command = std::process::Command::new("sh");
        command.arg("-c").arg(format!("eval \"$LINES_OF_SCRIPT\"; {then}; exec \"$@\"")).arg("sh");
        command.arg(crate::support::BIN).args(["login", "-a", "other", "--force"]).env("LINES_OF_SCRIPT", &script);
        command.envs(room.call("").by("bob").environment().iter().cloned()).current_dir(room.home());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(evaluated(":").contains("aws --profile other "));
    // Whoever sets it afterwards means it.
    assert!(evaluated("SAML2AWS_PROFILE=mine").contains("aws --profile mine "));
    assert!(evaluated("unset SAML2CLOUD_SCRIPT_PROFILE").contains("aws --profile production "));
}

#[test]
fn script_signs_in_and_keeps_to_the_old_names() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        let done = room.call("script -a production").by("bob").shows_keys().run().exits(0);
        let lines: BTreeMap<&str, &str> =
            done.stdout.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('=')).collect();
        let name = if cloud.word == "aws" { "AWS_ACCESS_KEY_ID" } else { "ALIBABA_CLOUD_ACCESS_KEY_ID" };
        assert_eq!(lines[name], room.key_id(cloud, "production"));
        assert_eq!(room.asked(cloud.sts), 1);
    }
    let room = Room::new();
    room.production(ALIBABA, "bob");
    let done = room.call("script -a production").by("bob").shows_keys().run().exits(0);
    let names: Vec<&str> = done.stdout.lines().filter_map(|line| line.strip_prefix("export ")?.split('=').next()).collect();
    let old = [
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_SESSION_TOKEN",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
        "ALICLOUD_ACCESS_KEY",
        "ALICLOUD_SECRET_KEY",
        "ALICLOUD_SECURITY_TOKEN",
        "ALICLOUD_PROFILE",
        "SAML2ALIBABA_CLOUD_PROFILE",
        "ALIBABA_CLOUD_REGION_ID",
        "ALICLOUD_REGION",
    ];
    assert_eq!(names, old);
    assert!(done.stdout.contains("export ALIBABA_CLOUD_SESSION_TOKEN=''\n"));
}

#[test]
fn one_role_is_listed_like_several() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.account(cloud, "production", "bob", "");
        let done = room.call("list-roles -a production").by("bob").run().exits(0);
        // Where there is nothing to choose from, no page tells the account's name.
        let account = if cloud.word == "aws" { "Account: 012345678987" } else { "012345678987(012345678987)" };
        assert_eq!(done.stdout, format!("{account}\n{}\n\n", cloud.role));
    }
}

#[test]
fn exec_and_script_sign_in_and_write_to_the_file_that_is_named() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        for (line, after) in [("login", ""), ("script", ""), ("exec", " -- true")] {
            let file = room.outside(&format!("for-{line}"));
            let call = room.call(&format!("{line} -a production --force --credentials-file {}{after}", file.display()));
            call.by("bob").shows_keys().run().exits(0);
            let text = std::fs::read_to_string(&file).unwrap();
            let name = if cloud.word == "aws" { "[production]\n" } else { "\"name\": \"production\"" };
            assert!(text.contains(name), "{line}: {text}");
        }
        assert!(!room.home().join(cloud.profiles).exists());
    }
}

#[test]
fn a_region_of_the_configuration_is_passed_on() {
    let room = Room::new();
    room.production(AWS, "bob");
    room.write(".aws/config", "[profile other]\nregion = us-west-1\n[profile \"production\"]\nregion = eu-north-1\n");
    let done = room.call("exec -a production env").by("bob").shows_keys().run().exits(0);
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        assert!(done.stdout.lines().any(|line| line == format!("{name}=eu-north-1")), "{name}");
    }
    let done = room.call("script -a production").shows_keys().run().exits(0);
    assert!(done.stdout.contains("export AWS_REGION=eu-north-1\n"));
    // It is the tools' own: it is not written, and AWS's own token service is asked.
    assert!(!room.read(AWS.profiles).contains("eu-north-1"));
    assert_eq!(room.asked(AWS.sts), 1);
}

#[test]
fn the_end_is_written_in_the_machines_zone() {
    let room = Room::new();
    room.production(AWS, "bob");
    room.call("login -a production").by("bob").var("TZ", "JST-9").run().exits(0);
    let end = room.aws_profile("production")["x_security_token_expires"].clone();
    assert!(end.ends_with("+09:00") && end.len() == "2026-01-02T03:04:05+09:00".len(), "{end}");
    // The old tools, and we, read it back from any zone.
    std::fs::remove_dir_all(room.home().join(".cache")).unwrap();
    room.call("login -a production").var("TZ", "EST5").run().exits(0).says(&["are good until", "-0500"]);
}

#[test]
fn configure_does_not_touch_the_keychain_and_shows_what_it_saved() {
    let room = Room::new();
    let vault = room.write(".local/state/saml2cloud/vault", "broken");
    let line = "configure -a x --idp-provider Okta --url https://acme.okta.com/home/acme_aws/0oa1/272 --username me --skip-prompt \
                --disable-sessions --role";
    let done = room.call(line).arg(AWS.role).var("SAML2CLOUD_KEYCHAIN", "file").run().exits(0);
    assert_eq!(std::fs::read_to_string(vault).unwrap(), "broken");
    let block = done.stderr.split_once("account {\n").unwrap().1.split_once("\n}\n").unwrap().0.to_owned();
    let lines: Vec<&str> = block.lines().filter_map(|line| line.trim().split(':').next()).collect();
    let names = ["URL", "Username", "Provider", "MFA", "SkipVerify", "SessionDuration", "Profile", "RoleARN", "Region"];
    assert_eq!(lines, names);
    assert!(room.read(AWS.accounts).contains("disable_sessions = \"true\"") && !room.read(AWS.accounts).contains("remember"));
}

#[test]
fn trouble_in_other_profiles_is_no_trouble() {
    let room = Room::new();
    room.production(AWS, "bob");
    let config =
        "[profile other]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = nowhere\n[profile broken\nsso_session = gone\n";
    room.write(".aws/config", config);
    room.write(AWS.profiles, "[other]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\nwhat is this\n");
    for name in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
        let done = room.call("login -a production --force").by("bob").var(name, "other").run().exits(0);
        done.says(&["aws --profile production "]);
    }
    assert!(room.aws_profile("production")["aws_access_key_id"].starts_with("ASIA"));
    assert!(room.read(AWS.profiles).starts_with("[other]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\nwhat is this\n"));
    assert_eq!(room.read(".aws/config"), config);
}

#[test]
fn keys_count_by_their_end_and_force_gets_new_ones() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        let key = |line: &str| {
            let call = room.call(&format!("exec -a production {line} -- printenv {}", cloud.key_variable));
            call.by("bob").run().exits(0).stdout
        };
        let first = key("");
        room.sandbox.clear_requests();
        assert_eq!(key(""), first);
        assert!(room.requests().is_empty(), "nobody is asked whether they are good");
        assert_ne!(key("--force"), first);
        assert_eq!(room.asked(cloud.sts), 1);
        let all = room.call("exec -a production env").shows_keys().run().exits(0).stdout;
        assert!(!all.contains("ASSUME_ROLE_SESSION_NAME"), "it never held anything");
    }
}
