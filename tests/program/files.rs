//! The files that hold keys: what a login writes into them, and what of other people's work it leaves alone. The rules of each file
//! are shown below (`tests/stores.rs`); here it is that a whole login keeps them, before its first request where it can.

use std::collections::BTreeSet;

use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room, mode, sections};

const STATIC: &str = "[production]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = long-lived\n";

/// Text of `~/.aws/credentials` with what people have there; the last profile is ours from an earlier login.
const CREDENTIALS: &str = "# keys of mine\r
[default]\r
aws_access_key_id=AKIAIOSFODNN7EXAMPLE\r
aws_secret_access_key = a#b;c=d \r
s3 =\r
  max_concurrent_requests = 20\r
  signature_version = s3v4\r
\r
; next\r
[production]  # ours\r
aws_access_key_id     = ASIAOLD\r
aws_secret_access_key = old\r
aws_session_token = old\r
aws_security_token = old\r
x_principal_arn = old\r
x_security_token_expires = old\r
output = json\r
[last]\r
region=eu-west-1";

/// Text of `~/.aliyun/config.json` with what people have there, as they formatted it.
const CONFIG: &str = "{\n  \"current\": \"mine\",\n  \"profiles\": [\n    {\"name\": \"mine\", \"mode\": \"AK\", \"access_key_id\": \"LTAI\",\t\"retry\": 1.50, \"big\": 1e999999, \"ünï\": \"\\u00e9/\\/\"},\n    { \"name\":\"last\" , \"mode\":\"EcsRamRole\"}\n  ],\n\n  \"meta_path\": \"\", \"future\": {\"a\": [1,2 ,3]}\n}\n";

/// Says no before anything is sent, names the profile, changes nothing; with `--force-profile` it goes on.
#[track_caller]
fn guarded(cloud: Cloud, file: &str, text: &str, said: &str) {
    let room = Room::new();
    room.production(cloud, "bob");
    room.write(file, text);
    let before = room.tree();
    let done = room.call("login -a production").by("bob").run().exits(2);
    done.says(&["error: profile `production` ", said, "hint: ", "--profile NAME", "--force-profile"]);
    assert!(room.requests().is_empty());
    assert_eq!(room.tree(), before);
    room.call("login -a production --profile elsewhere").by("bob").run().exits(0);
    if file != cloud.profiles {
        assert_eq!(room.read(file), text);
    }
    room.call("login -a production --force-profile").by("bob").run().exits(0);
    assert!(["ASIA", "STS."].iter().any(|start| room.key_id(cloud, "production").starts_with(start)));
}

#[test]
fn long_lived_keys_and_other_ways_to_get_keys_are_not_overwritten() {
    guarded(AWS, AWS.profiles, STATIC, "holds long-lived access keys");
    for line in
        ["sso_start_url = https://x.awsapps.com/start", "sso_session = x", "credential_process = /bin/x", "role_arn = arn:aws:x"]
    {
        let key = line.split(' ').next().unwrap();
        guarded(AWS, ".aws/config", &format!("[profile production]\n{line}\nregion = x\n"), &format!("has `{key}`"));
    }
}

#[test]
fn profiles_in_other_modes_are_not_overwritten() {
    let ak = r#"{"current":"production","profiles":[{"name":"production","mode":"AK","access_key_id":"LTAI","access_key_secret":"x"}]}"#;
    guarded(ALIBABA, ALIBABA.profiles, ak, "holds long-lived access keys");
    for other in ["OIDC", "RamRoleArn", "CloudSSO"] {
        guarded(ALIBABA, ALIBABA.profiles, &ak.replace("\"AK\"", &format!("\"{other}\"")), &format!("has the mode `{other}`"));
    }
}

#[test]
fn what_a_mode_needed_does_not_outlive_it() {
    let room = Room::new();
    room.production(ALIBABA, "bob");
    let text = r#"{"current":"production","profiles":[{"name":"production","mode":"OIDC","oidc_token_file":"/t","ram_role_arn":"acs:x","mine":7}]}"#;
    room.write(ALIBABA.profiles, text);
    room.call("login -a production --force-profile").by("bob").run().exits(0);
    let profile = room.alibaba_profile("production");
    assert_eq!((&profile["mode"], &profile["mine"]), (&"StsToken".into(), &7.into()));
    assert!(profile.get("oidc_token_file").is_none() && profile.get("ram_role_arn").is_none());
}

#[test]
fn only_our_profile_changes_in_the_credentials_file() {
    let room = Room::new();
    room.production(AWS, "bob");
    room.write(AWS.profiles, CREDENTIALS);
    room.call("login -a production").by("bob").run().exits(0);
    let text = room.read(AWS.profiles);
    let profile = room.aws_profile("production");
    // With its new values put back to the old ones, the text is the old text.
    let mut back = text.clone();
    for (key, value) in profile.iter().filter(|(key, _)| *key != "output") {
        back = back.replacen(value, if key == "aws_access_key_id" { "ASIAOLD" } else { "old" }, 1);
    }
    assert_eq!(back, CREDENTIALS);
    assert_eq!(profile["output"], "json");
    assert!(profile["aws_access_key_id"].starts_with("ASIA"));
    // A new profile comes at the end, with the file's line ends.
    room.call("login -a production --profile more --force").by("bob").run().exits(0);
    let more = room.read(AWS.profiles);
    assert!(more.starts_with(&format!("{text}\r\n\r\n[more]\r\n")), "{more}");
    assert!(!more.replace("\r\n", "").contains('\n'));
}

#[test]
fn only_our_profile_changes_in_the_configuration_of_alibaba_cloud() {
    let room = Room::new();
    room.production(ALIBABA, "bob");
    room.write(ALIBABA.profiles, CONFIG);
    room.call("login -a production").by("bob").run().exits(0);
    let added = room.read(ALIBABA.profiles);
    let (start, end) = CONFIG.split_once("\n  ],").unwrap();
    assert!(added.starts_with(start) && added.ends_with(&format!("\n  ],{end}")), "{added}");
    // And when it is replaced, the rest is what it was too.
    room.call("login -a production --force").by("bob").run().exits(0);
    let replaced = room.read(ALIBABA.profiles);
    assert_ne!(replaced, added);
    assert!(replaced.starts_with(start) && replaced.ends_with(&format!("\n  ],{end}")), "{replaced}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&replaced.replace("1e999999", "1")).unwrap()["current"], "mine");
}

#[test]
fn what_is_no_json_is_left_as_it_is() {
    for text in ["{\"current\": \"x\", \"profiles\": [", "[]", "{}{}", "[{\"name\": \"x\"}]"] {
        let room = Room::new();
        room.production(ALIBABA, "bob");
        room.write(ALIBABA.profiles, text);
        let before = room.tree();
        room.call("login -a production").by("bob").run().exits(1).says(&["is not the JSON that `aliyun` reads"]);
        assert_eq!(room.tree(), before);
        assert!(room.requests().is_empty());
    }
}

#[test]
fn what_the_old_tool_left_there_is_replaced() {
    for text in ["[saml]", "[saml]\n", ""] {
        let room = Room::new();
        room.production(ALIBABA, "bob");
        room.write(ALIBABA.profiles, text);
        room.call("login -a production").by("bob").run().exits(0);
        assert_eq!(room.alibaba_profile("production")["mode"], "StsToken");
    }
}

#[test]
#[cfg(unix)]
fn a_link_stays_a_link_and_others_may_no_longer_read() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        let real = room.write("dotfiles/real", if cloud.word == "aws" { "[mine]\nregion = x\n" } else { CONFIG });
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o644)).unwrap();
        let link = room.home().join(cloud.profiles);
        std::fs::create_dir(link.parent().unwrap()).unwrap();
        symlink("../dotfiles/real", &link).unwrap();
        room.call("login -a production").by("bob").run().exits(0);
        assert_eq!(std::fs::read_link(&link).unwrap().to_str(), Some("../dotfiles/real"));
        assert_eq!(mode(&real), 0o600);
        assert!(!room.key_id(cloud, "production").is_empty() && room.read("dotfiles/real").contains("mine"));
    }
}

#[test]
fn new_files_and_folders_are_for_their_owner_alone() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        let before: BTreeSet<_> = room.tree().into_keys().collect();
        // Whatever the umask would allow.
        let login = room.call("login -a production").by("bob");
        let script = "umask 0; exec \"$0\" \"$@\"";
        let mut command = std::process::Command::new("sh");
        let own = login.command();
        command.arg("-c").arg(script).arg(own.get_program()).args(own.get_args()).env_clear();
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(room.home());
        assert!(command.output().unwrap().status.success());
        for (path, (mode, _)) in room.tree().into_iter().filter(|(path, _)| !before.contains(path)) {
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            // `~/.cache` is everybody's folder; ours is the one below it.
            assert!(mode == wanted || path.ends_with(".cache"), "{}: {mode:o}", path.display());
        }
    }
}

#[test]
fn files_elsewhere() {
    let room = Room::new();
    room.production(AWS, "bob");
    let variable = room.outside("by-variable");
    let login = room.call("login -a production").by("bob").var("AWS_SHARED_CREDENTIALS_FILE", &variable.to_string_lossy());
    login.run().exits(0);
    let flag = room.outside("by-flag");
    room.call("login -a production --force --credentials-file").arg(&flag).by("bob").run().exits(0);
    for path in [variable, flag] {
        assert!(sections(&std::fs::read_to_string(&path).unwrap()).contains_key("production"));
        assert_eq!(mode(&path), 0o600);
    }
    assert!(!room.home().join(AWS.profiles).exists());
}

#[test]
fn logins_side_by_side_are_all_kept() {
    for cloud in CLOUDS {
        let room = Room::new();
        let names: Vec<String> = (0..20).map(|number| format!("account-{number}")).collect();
        for name in &names {
            room.account(cloud, name, "bob", "");
        }
        room.write(cloud.profiles, if cloud.word == "aws" { CREDENTIALS } else { CONFIG });
        let start = |name: &String| room.call(&format!("login -a {name}")).by("bob").command().spawn().unwrap();
        let running: Vec<_> = names.iter().map(start).collect();
        for child in running {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let keys: BTreeSet<String> = names.iter().map(|name| room.key_id(cloud, name)).collect();
        assert_eq!(keys.len(), 20, "each has keys of its own");
        assert_eq!(room.asked(cloud.sts), 20);
        // The next run takes each account's own keys.
        for name in &names {
            room.call(&format!("login -a {name}")).run().exits(0).says(&["are good until"]);
        }
    }
}
