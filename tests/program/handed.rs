//! Keys handed out in other forms than a child's environment: lines for a shell, the document of a credential process; and passwords
//! that come from elsewhere than a prompt.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{ALIBABA, AWS, CLOUDS, Room};

#[test]
#[cfg(unix)]
fn a_shell_gets_the_keys_that_the_profile_has() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        room.call("login -a production").by("bob").run().exits(0);
        room.sandbox.clear_requests();
        let name = if cloud.accounts == AWS.accounts { "AWS_ACCESS_KEY_ID" } else { "ALIBABA_CLOUD_ACCESS_KEY_ID" };
        let script = room.call("script -a production").shows_keys().run().exits(0);
        assert_eq!(script.stderr, "");
        let shell = std::process::Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("{}\nprintf %s \"${name}\"", script.stdout))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&shell.stdout), room.key_id(cloud, "production"));
        assert!(room.requests().is_empty());
    }
}

#[test]
fn each_shell_has_its_lines() {
    let room = Room::new();
    room.production(AWS, "bob");
    room.call("login -a production").by("bob").run().exits(0);
    let names = |shell: &str, before: &str, behind: &str| -> Vec<String> {
        let text = room.call("script -a production --shell").arg(shell).shows_keys().run().exits(0).stdout;
        let name = |line: &str| {
            line.strip_prefix(before).and_then(|rest| rest.split(behind).next()).unwrap_or_else(|| panic!("{line}")).to_owned()
        };
        text.lines().map(name).collect()
    };
    let all = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "SAML2AWS_PROFILE",
        "AWS_CREDENTIAL_EXPIRATION",
        "SAML2CLOUD_SCRIPT_PROFILE",
    ];
    assert_eq!(names("bash", "export ", "="), all);
    assert_eq!(names("/bin/sh", "export ", "="), all);
    assert_eq!(names("fish", "set -gx ", " "), all);
    assert_eq!(names("powershell", "$env:", "="), all);
    let without_expiry: Vec<&str> = all.into_iter().filter(|name| *name != "AWS_CREDENTIAL_EXPIRATION").collect();
    assert_eq!(names("env", "", "="), without_expiry);
    assert_eq!(names("dotenv", "", "="), all);
    let github = room.call("script -a production --shell github").shows_keys().run().exits(0);
    assert!(github.stdout.starts_with("AWS_ACCESS_KEY_ID=") && !github.stdout.contains("::add-mask::"));
    assert_eq!(github.stderr.matches("::add-mask::").count(), 3, "{}", github.stderr);
}

#[test]
fn a_credential_process_prints_one_document_and_leaves_the_profile_alone() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        for line in [
            "credential-process -a production",
            "login -a production --credential-process",
            "credential-process -a production --force",
        ] {
            let done = room.call(line).by("bob").shows_keys().run().exits(0);
            let document: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{line}: {e}: {}", done.stdout));
            assert_eq!(done.stdout.lines().count(), 1);
            if cloud.accounts == AWS.accounts {
                let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
                assert_eq!(keys, ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"]);
                assert_eq!(document["Version"], 1);
            } else {
                assert_eq!(document["mode"], "StsToken");
            }
        }
        assert!(!room.home().join(".aws/credentials").exists() && !room.home().join(".aliyun/config.json").exists());
        room.sandbox.clear_requests();
        room.call("credential-process -a production").shows_keys().run().exits(0);
        assert!(room.requests().is_empty(), "the keys of the last call are still fresh");
    }
}

#[test]
fn without_keys_and_without_anybody_a_credential_process_prints_nothing() {
    let room = Room::new();
    room.production(ALIBABA, "bob");
    let done = room.call("credential-process -a production").run().exits(4);
    assert_eq!(done.stdout, "");
}

#[test]
#[cfg(unix)]
fn a_password_comes_from_stdin_and_the_rest_is_the_childs() {
    let room = Room::new();
    room.production(AWS, "bob");
    let mut command = room.call("exec -a production --password-stdin -- cat").command();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let text = format!("{}\nfor the child\n", room.password("bob"));
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "for the child\n", "{}", String::from_utf8_lossy(&output.stderr));
    room.call("login -a production --force --password-stdin").run().exits(2).says(&["there is no password on stdin"]);
}

#[test]
#[cfg(unix)]
fn a_command_knows_the_password() {
    let room = Room::new();
    let account = |command: &str| room.account(AWS, "production", "bob", &format!("password_command = '{command}'\n"));
    account(&format!("printf \"%s\\nmore\\n\" {}", room.password("bob")));
    room.call("login -a production").run().exits(0);
    let room = Room::new();
    room.account(AWS, "production", "bob", "password_command = 'exit 3'\n");
    room.call("login -a production")
        .run()
        .exits(2)
        .says(&["`password_command` of account `production` gave no password", "exit status: 3"]);
    assert!(room.requests().is_empty());
}

#[test]
fn a_role_has_a_profile_of_its_own() {
    let room = Room::new();
    room.account(AWS, "production", "alice", "aws_profile = \"everyday\"\nprofiles = { \"AcmeJumpCloudAdmin\" = \"full\" }\n");
    for (role, profile) in
        [("AcmeJumpCloudAdmin", "full"), ("AcmeJumpCloudAdminRO", "everyday"), ("210987654321/Developer", "everyday")]
    {
        let done = room.call("login -a production --force --role").arg(role).by("alice").with_code("alice").run().exits(0);
        let name = role.rsplit('/').next().unwrap();
        let held = room.aws_profile(profile)["x_principal_arn"].clone();
        assert!(held.contains(&format!("/{name}/")), "{held}");
        let switched = done.stderr.contains("Profile everyday held keys of another role until now");
        assert_eq!(switched, name == "Developer", "{}", done.stderr);
    }
    room.call("login -a production --force --role Nobody")
        .by("alice")
        .with_code("alice")
        .run()
        .exits(3)
        .says(&["a role called `Nobody`"]);
}

#[test]
fn a_policy_limits_the_keys_and_has_keys_of_its_own() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        room.write("limit.json", r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#);
        room.write("broken.json", "{");
        room.call("login -a production").by("bob").run().exits(0);
        room.sandbox.clear_requests();
        room.call("login -a production --policyfile ~/limit.json").by("bob").run().exits(0);
        let sent = |name: &str| room.sandbox.requests().iter().any(|seen| seen.params.iter().any(|param| param == name));
        assert!(sent("Policy"), "keys without a limit are not taken for limited ones");
        let limited = room.key_id(cloud, "production");
        room.call("exec -a production -- true").by("bob").run().exits(0);
        room.call("login -a production").by("bob").run().exits(0);
        assert_ne!(room.key_id(cloud, "production"), limited, "and limited ones not for keys without a limit");
        let words = if cloud.accounts == AWS.accounts { "MalformedPolicyDocument" } else { "InvalidParameter.PolicyGrammar" };
        room.call("login -a production --policyfile ~/broken.json").by("bob").run().exits(3).says(&[words]);
        room.call("login -a production --policyfile ~/none.json").by("bob").run().exits(2).says(&["there is no policy in"]);
        if cloud.accounts == AWS.accounts {
            let arns = "login -a production --policyarns arn:aws:iam::aws:policy/ReadOnlyAccess,arn:aws:iam::aws:policy/IAMReadOnlyAccess";
            room.call(arns).by("bob").run().exits(0);
            assert!(sent("PolicyArns.member.1.arn") && sent("PolicyArns.member.2.arn"));
        }
    }
}
