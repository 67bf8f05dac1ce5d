//! Roles on top of a login: `exec --exec-profile`. The box computes every signature anew, so a call that is answered was signed right.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room};

/// Roles of the box (`tests/sandbox/src/trusts.rs`), each with its profile, beside bob's account `production`.
const AWS_PROFILES: &str = "\
[profile deploy]
role_arn = arn:aws:iam::012345678987:role/Deploy
source_profile = production
region = eu-west-1
[profile audit]
role_arn = arn:aws:iam::210987654321:role/Audit
source_profile = deploy
role_session_name = bob-looks
duration_seconds = 900
[profile vendor]
role_arn = arn:aws:iam::210987654321:role/Vendor
[profile vendor-told]
role_arn = arn:aws:iam::210987654321:role/Vendor
external_id = acme:42
credential_source = Environment
[profile closed]
role_arn = arn:aws:iam::012345678987:role/Closed
[profile short]
role_arn = arn:aws:iam::012345678987:role/Short
duration_seconds = 7200
[profile plain]
region = eu-west-1
[profile lost]
role_arn = arn:aws:iam::012345678987:role/Deploy
source_profile = nowhere
[profile one]
role_arn = arn:aws:iam::012345678987:role/Deploy
source_profile = two
[profile two]
role_arn = arn:aws:iam::012345678987:role/Deploy
source_profile = one
[profile portal]
role_arn = arn:aws:iam::012345678987:role/Deploy
source_profile = sso
[profile sso]
sso_start_url = https://acme.awsapps.com/start
sso_region = us-east-1
";

fn alibaba_profiles() -> String {
    let role = |name: &str, role: &str, more: Value| {
        let mut profile = serde_json::json!({"name": name, "mode": "RamRoleArn", "ram_role_arn": format!("acs:ram::{role}"),
            "ram_session_name": "", "expired_seconds": 0, "region_id": "eu-central-1"});
        profile.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        profile
    };
    let deploy = "012345678987:role/Deploy";
    let chained = |source: &str| serde_json::json!({"mode": "ChainableRamRoleArn", "source_profile": source});
    let audit = serde_json::json!({"mode": "ChainableRamRoleArn", "source_profile": "deploy", "ram_session_name": "bob-looks",
        "expired_seconds": 900, "sts_region": "cn-beijing"});
    serde_json::json!({"current": "plain", "profiles": [
        role("deploy", deploy, chained("production")),
        role("audit", "210987654321:role/Audit", audit),
        role("vendor", "210987654321:role/Vendor", serde_json::json!({})),
        role("vendor-told", "210987654321:role/Vendor", serde_json::json!({"external_id": "acme:42"})),
        role("closed", "012345678987:role/Closed", serde_json::json!({})),
        role("short", "012345678987:role/Short", serde_json::json!({"expired_seconds": 7200})),
        {"name": "plain", "mode": "AK", "access_key_id": "", "access_key_secret": "", "region_id": "cn-hangzhou"},
        role("lost", deploy, chained("nowhere")),
        role("one", deploy, chained("two")),
        role("two", deploy, chained("one")),
        role("portal", deploy, chained("sso")),
        {"name": "sso", "mode": "CloudSSO"},
    ]})
    .to_string()
}

/// The file with these profiles.
fn file(cloud: Cloud) -> &'static str {
    if cloud.word == "aws" { ".aws/config" } else { cloud.profiles }
}

fn room(cloud: Cloud) -> Room {
    let room = Room::new();
    room.production(cloud, "bob");
    room.write(file(cloud), &if cloud.word == "aws" { AWS_PROFILES.to_owned() } else { alibaba_profiles() });
    room
}

/// Whose keys a command gets.
fn whose(room: &Room, cloud: Cloud, line: &str) -> String {
    let done = room.call(&format!("exec -a production {line} -- printenv {}", cloud.key_variable)).by("bob").run().exits(0);
    room.sandbox.whose(done.stdout.trim()).unwrap()
}

/// The session of a role as each cloud writes it.
fn session(cloud: Cloud, account: &str, role: &str, session: &str) -> String {
    let before = if cloud.word == "aws" { "arn:aws:sts" } else { "acs:ram" };
    format!("{before}::{account}:assumed-role/{role}/{session}")
}

/// For how long the cached keys of each role were given, in seconds, to the next minute.
fn lifetimes(room: &Room) -> BTreeMap<String, i64> {
    let folder = room.home().join(".cache/saml2cloud/credentials");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| path.extension().is_some_and(|e| e == "json"));
    let read = |path| serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap();
    entries
        .map(read)
        .map(|entry| {
            let seconds = entry["expires"].as_i64().unwrap() - entry["issued"].as_i64().unwrap();
            (entry["role"].as_str().unwrap().rsplit('/').next().unwrap().to_owned(), (seconds + 30) / 60 * 60)
        })
        .collect()
}

/// The names of the parameters of the last call of a host.
fn last_params(room: &Room, host: &str) -> Vec<String> {
    room.sandbox.requests().into_iter().rfind(|seen| seen.host == host).unwrap().params
}

#[test]
fn a_role_is_assumed_on_top_of_the_login_and_remembered() {
    for cloud in CLOUDS {
        let room = room(cloud);
        let files = room.read(file(cloud));
        let line = format!("exec -a production --exec-profile deploy -- printenv {}", cloud.key_variable);
        let first = room.call(&line).by("bob").run().exits(0).says(&["Selected role: ", "Assuming role: ", "of profile deploy"]);
        let deploy = session(cloud, "012345678987", "Deploy", "bob@example.com");
        assert_eq!(room.sandbox.whose(first.stdout.trim()), Some(deploy.clone()));
        if cloud.word == "aws" {
            assert_eq!(room.read(file(cloud)), files);
        }
        room.sandbox.clear_requests();
        // Fresh keys need no password, no network and no word.
        let again = room.call(&line).run().exits(0);
        assert_eq!((&again.stdout, again.stderr.as_str()), (&first.stdout, ""));
        assert!(room.requests().is_empty());
        // Without it, the login's.
        let own = session(cloud, "012345678987", "AcmeJumpCloudAdminRO", "bob@example.com");
        assert_eq!(whose(&room, cloud, ""), own);
        // And with --force, new ones.
        assert_eq!(whose(&room, cloud, "--force --exec-profile deploy"), deploy);
        assert_eq!(room.asked(cloud.sts) + room.asked("sts.eu-west-1.amazonaws.com"), 2);
    }
}

#[test]
fn the_child_sees_these_keys_alone() {
    let room = room(AWS);
    let call = || room.call("exec -a production --exec-profile deploy env").by("bob").shows_keys();
    let done =
        call().var("AWS_PROFILE", "production").var("AWS_DEFAULT_PROFILE", "x").var("AWS_REGION", "us-west-2").run().exits(0);
    let env: BTreeMap<&str, &str> = done.stdout.lines().filter_map(|line| line.split_once('=')).collect();
    assert!(!env.contains_key("AWS_PROFILE") && !env.contains_key("AWS_DEFAULT_PROFILE"), "they hold other keys");
    assert!(!env["AWS_SESSION_TOKEN"].is_empty() && !env["AWS_SECRET_ACCESS_KEY"].is_empty());
    assert_eq!([env["AWS_SECURITY_TOKEN"], env["EC2_SECURITY_TOKEN"]], [env["AWS_SESSION_TOKEN"]; 2]);
    assert_eq!([env["AWS_REGION"], env["AWS_DEFAULT_REGION"]], ["eu-west-1"; 2]);
    assert!(env["AWS_CREDENTIAL_EXPIRATION"].ends_with('Z'));
    assert!(!env.contains_key("SAML2CLOUD_PASSWORD"));
    assert_ne!(env["AWS_ACCESS_KEY_ID"], room.aws_profile("production")["aws_access_key_id"], "the profile has the login's");

    let room = self::room(ALIBABA);
    let call = room.call("exec -a production --exec-profile deploy env").by("bob").shows_keys();
    let done = call.var("ALIBABA_CLOUD_PROFILE", "production").var("ALIBABA_CLOUD_ROLE_ARN", "x").run().exits(0);
    let env: BTreeMap<&str, &str> = done.stdout.lines().filter_map(|line| line.split_once('=')).collect();
    for (first, others) in [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", ["ALIBABACLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY"]),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ["ALIBABACLOUD_ACCESS_KEY_SECRET", "ALICLOUD_SECRET_KEY"]),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", ["ALIBABACLOUD_SECURITY_TOKEN", "ALICLOUD_SECURITY_TOKEN"]),
    ] {
        assert!(!env[first].is_empty() && others.iter().all(|name| env[name] == env[first]), "{first}");
    }
    assert!(!env.contains_key("ALIBABA_CLOUD_PROFILE") && !env.contains_key("ALIBABA_CLOUD_ROLE_ARN"));
    assert_eq!((env["ALIBABA_CLOUD_IGNORE_PROFILE"], env["ALIBABA_CLOUD_REGION_ID"]), ("TRUE", "eu-central-1"));
}

#[test]
fn a_role_stands_on_another_role() {
    for (cloud, sts) in [(AWS, "sts.amazonaws.com"), (ALIBABA, "sts.cn-beijing.aliyuncs.com")] {
        let room = room(cloud);
        assert_eq!(whose(&room, cloud, "--exec-profile audit"), session(cloud, "210987654321", "Audit", "bob-looks"));
        // The way there is not kept; the keys of its end are, for as long as its profile says.
        assert_eq!(lifetimes(&room), BTreeMap::from([("AcmeJumpCloudAdminRO".to_owned(), 3600), ("Audit".to_owned(), 900)]));
        assert!(room.asked(sts) >= 1, "the profile's own place is asked: {:?}", room.requests());
        room.sandbox.clear_requests();
        whose(&room, cloud, "--exec-profile audit");
        assert!(room.requests().is_empty());
        // Another word in a profile, and the keys are other ones.
        room.write(file(cloud), &room.read(file(cloud)).replace("bob-looks", "bob-looks-again"));
        assert_eq!(whose(&room, cloud, "--exec-profile audit"), session(cloud, "210987654321", "Audit", "bob-looks-again"));
    }
}

#[test]
fn a_profile_that_leads_nowhere_is_told_before_anybody_signs_in() {
    for cloud in CLOUDS {
        let room = room(cloud);
        let key = if cloud.word == "aws" { "`role_arn`" } else { "`ram_role_arn`" };
        // A portal's profile that names no role there; at Alibaba Cloud a portal's profile begins no chain yet.
        let portal = match cloud.word {
            "aws" => ["profile `sso` is configured to use SSO", "missing required configuration: sso_account_id, sso_role_name"],
            _ => ["profile `sso` gets its keys ", "by its mode `CloudSSO`"],
        };
        for (profile, words) in [
            ("unheard-of", ["there is no profile `unheard-of` in ", file(cloud)]),
            ("plain", ["profile `plain` has no ", key]),
            ("lost", ["The source_profile \"nowhere\" referenced in the profile \"lost\" does not exist", "there is none in "]),
            ("one", ["the profiles lead in a circle", "`one` → `two` → `one`"]),
            ("portal", portal),
            ("a]b", ["the profile name has a bracket", "error: "]),
        ] {
            let done = room.call(&format!("exec -a production --exec-profile {profile} -- touch ran")).by("bob").run();
            done.exits(2).says(&words);
        }
        assert!(room.requests().is_empty() && !room.home().join("ran").exists());
    }
    let room = room(ALIBABA);
    room.write(ALIBABA.profiles, "{");
    room.call("exec -a production --exec-profile deploy -- true").by("bob").run().exits(1).says(&["is not the JSON"]);
}

#[test]
fn an_external_id_comes_from_the_profile() {
    for cloud in CLOUDS {
        let room = room(cloud);
        let refused = room.call("exec -a production --exec-profile vendor -- touch ran").by("bob").run().exits(3);
        refused.says(&["cannot assume ", "of profile `vendor`", "hint: ", "`external_id`"]);
        assert_eq!(
            whose(&room, cloud, "--exec-profile vendor-told"),
            session(cloud, "210987654321", "Vendor", "bob@example.com")
        );
        assert!(!room.home().join("ran").exists());
    }
}

#[test]
fn a_refusal_is_in_the_clouds_words() {
    for (cloud, words) in [
        (
            AWS,
            "AccessDenied: \"User: arn:aws:sts::012345678987:assumed-role/AcmeJumpCloudAdminRO/bob@example.com is not authorized to \
            perform: sts:AssumeRole on resource: arn:aws:iam::012345678987:role/Closed\" (request ",
        ),
        (ALIBABA, "NoPermission: \"You are not authorized to do this action. You should be authorized by RAM.\" (request "),
    ] {
        let room = room(cloud);
        let done = room.call("exec -a production --exec-profile closed -- touch ran").by("bob").run().exits(3);
        done.says(&["cannot assume ", "of profile `closed`", words]);
        assert!(!room.home().join("ran").exists());
        // The login was good all the same, and is remembered.
        room.sandbox.clear_requests();
        whose(&room, cloud, "");
        assert!(room.requests().is_empty());
        assert_eq!(lifetimes(&room).len(), 1, "what was refused is not kept");
    }
}

#[test]
fn aws_gives_a_chained_role_an_hour_and_no_more_is_asked() {
    let room = room(AWS);
    let capped = "a role that another role assumes has keys for 3600 seconds at the most, not for 43200";
    let exec = |line: &str| room.call(&format!("exec -a production {line} -- true")).by("bob").run().exits(0);
    exec("--exec-profile deploy --session-duration 12h").says(&[capped]);
    let lived = lifetimes(&room);
    assert_eq!((lived["AcmeJumpCloudAdminRO"], lived["Deploy"]), (43200, 3600));
    exec("--exec-profile short").says(&["not for 7200"]);
    assert_eq!(lifetimes(&room)["Short"], 3600);
    // The flag wins over the profile. What the account says is for its login.
    exec("--exec-profile audit --session-duration 30m").does_not_say("note:");
    assert_eq!(lifetimes(&room)["Audit"], 1800);
    let room = Room::new();
    let lines = format!("role_arn = \"{}\"\n{} = \"43200\"", AWS.role, AWS.duration_key);
    room.account(AWS, "production", "bob", &lines);
    room.write(file(AWS), AWS_PROFILES);
    room.call("exec -a production --exec-profile deploy -- true").by("bob").run().exits(0).does_not_say("note:");
    assert_eq!(lifetimes(&room)["Deploy"], 3600);
}

#[test]
fn alibaba_cloud_gives_what_the_role_allows() {
    let room = room(ALIBABA);
    room.call("exec -a production --exec-profile deploy --session-duration 2h -- true").by("bob").run().exits(0);
    assert_eq!(lifetimes(&room)["Deploy"], 7200);
    let refused = room.call("exec -a production --exec-profile short -- true").by("bob").run().exits(3);
    refused.says(&["InvalidParameter.DurationSeconds", "15min/1hr", "`--session-duration 3600`"]);
}

#[test]
fn the_old_variables_count_for_their_cloud() {
    for (cloud, own, others) in [
        (AWS, "SAML2AWS_EXEC_PROFILE", "SAML2ALIBABACLOUD_EXEC_PROFILE"),
        (ALIBABA, "SAML2ALIBABACLOUD_EXEC_PROFILE", "SAML2AWS_EXEC_PROFILE"),
    ] {
        let room = room(cloud);
        let whose = |name: &str, line: &str| {
            let line = format!("exec -a production {line} -- printenv {}", cloud.key_variable);
            let done = room.call(&line).by("bob").var(name, "deploy").run().exits(0);
            room.sandbox.whose(done.stdout.trim()).unwrap()
        };
        assert!(whose(own, "").contains("/Deploy/"));
        assert!(whose("SAML2CLOUD_EXEC_PROFILE", "").contains("/Deploy/"));
        assert!(whose(others, "").contains("/AcmeJumpCloudAdminRO/"));
        assert!(whose(own, "--exec-profile=vendor-told").contains("/Vendor/"));
        assert!(whose(own, "--exec-profile=").contains("/AcmeJumpCloudAdminRO/"), "an empty flag takes it back");
    }
}

#[test]
fn each_role_of_the_login_has_a_chain_of_its_own() {
    let room = Room::new();
    room.production(AWS, "alice");
    room.write(file(AWS), AWS_PROFILES);
    let key = |line: &str| {
        let line = format!("exec -a production --exec-profile deploy {line} -- printenv AWS_ACCESS_KEY_ID");
        room.call(&line).with_code("alice").run().exits(0).stdout
    };
    let (first, admins) = (key(""), key(&format!("--role {}", AWS.admin)));
    assert_ne!(first, admins);
    assert_eq!((key(""), key(&format!("--role {}", AWS.admin))), (first, admins));
}

#[test]
fn another_partition_has_its_own_host_and_scope() {
    for (partition, host) in [("aws-cn", "sts.cn-north-1.amazonaws.com.cn"), ("aws-us-gov", "sts.us-gov-west-1.amazonaws.com")] {
        let room = Room::new();
        let url = format!("https://sso.jumpcloud.com/saml2/acme-{partition}");
        let role = format!("role_arn = \"arn:{partition}:iam::012345678987:role/Developer\"");
        room.account_at(AWS, "production", "judy", "JumpCloud", &url, &role);
        room.write(file(AWS), &format!("[profile deploy]\nrole_arn = arn:{partition}:iam::012345678987:role/Deploy\n"));
        room.call("exec -a production --exec-profile deploy -- true").by("judy").run().exits(0);
        assert_eq!(room.asked(host), 2, "{:?}", room.requests());
    }
}

#[test]
fn what_limits_the_login_limits_the_role_too() {
    for cloud in CLOUDS {
        let room = room(cloud);
        room.write("policy.json", "{}");
        let line = "exec -a production --exec-profile deploy --policyfile ~/policy.json -- true";
        room.call(line).by("bob").run().exits(0);
        let host = if cloud.word == "aws" { "sts.eu-west-1.amazonaws.com" } else { cloud.sts };
        assert!(last_params(&room, host).contains(&"Policy".to_owned()));
        // Keys that nothing limits are other keys.
        room.sandbox.clear_requests();
        whose(&room, cloud, "--exec-profile deploy");
        assert!(!room.requests().is_empty());
    }
    let room = room(ALIBABA);
    let limited =
        room.read(ALIBABA.profiles).replace("\"external_id\":\"acme:42\"", "\"external_id\":\"acme:42\",\"policy\":\"{}\"");
    room.write(ALIBABA.profiles, &limited);
    room.write("policy.json", "{}");
    whose(&room, ALIBABA, "--exec-profile vendor-told");
    assert!(last_params(&room, ALIBABA.sts).contains(&"Policy".to_owned()));
    let line = "exec -a production --exec-profile vendor-told --policyfile ~/policy.json -- true";
    room.call(line).by("bob").run().exits(2).says(&["both the account and profile `vendor-told` have a policy"]);
}

#[test]
fn tags_and_a_source_identity_go_along() {
    let room = room(AWS);
    let more = "session_tags = team=web, cost = a=b\ntransitive_session_tags = team\nsource_identity = bob\n";
    room.write(file(AWS), &format!("[profile tagged]\nrole_arn = arn:aws:iam::012345678987:role/Deploy\n{more}"));
    whose(&room, AWS, "--exec-profile tagged");
    let params = last_params(&room, AWS.sts);
    let sent = params.iter().map(String::as_str).skip_while(|name| *name != "DurationSeconds").skip(1).collect::<Vec<_>>();
    let tags = ["Tags.member.1.Key", "Tags.member.1.Value", "Tags.member.2.Key", "Tags.member.2.Value"];
    assert_eq!(sent, [&["SourceIdentity"][..], &tags, &["TransitiveTagKeys.member.1"]].concat());
}

#[test]
fn keys_of_another_profile_are_its_owners_wish() {
    let room = room(AWS);
    let user = "arn:aws:iam::012345678987:user/alice";
    let factor = "arn:aws:iam::012345678987:mfa/alice";
    let role = "arn:aws:iam::012345678987:role/Guarded";
    room.sandbox.trust(sandbox::Trust::new(role, &[user, AWS.role]).with_mfa(factor));
    room.sandbox.trust(sandbox::Trust::new("arn:aws:iam::012345678987:role/Open", &[user, AWS.role]));
    let (id, secret) = room.sandbox.user_key(user);
    let config = format!(
        "[profile guarded]\nrole_arn = {role}\nsource_profile = alice\nmfa_serial = {factor}\nduration_seconds = 7200\n\
         [profile open]\nrole_arn = arn:aws:iam::012345678987:role/Open\nmfa_serial = {factor}\n\
         [profile stale]\nrole_arn = {role}\nsource_profile = old\n"
    );
    room.write(file(AWS), &config);
    let old = "[old]\naws_access_key_id = ASIA\naws_secret_access_key = s\naws_session_token = t\nx_security_token_expires = 2020-01-01T00:00:00Z\n";
    room.write(AWS.profiles, &format!("[alice]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n{old}"));
    // Nobody signs in: the file says whose keys are meant. A person's keys are no role's, so an hour is not the limit.
    let code = room.code("alice");
    let line = "exec -a production --exec-profile guarded -- printenv AWS_ACCESS_KEY_ID";
    let done = room.call(line).var("SAML2CLOUD_MFA_TOKEN", &code).run().exits(0).says(&["profile alice holds keys of its own"]);
    assert_eq!(room.sandbox.whose(done.stdout.trim()).unwrap(), "arn:aws:sts::012345678987:assumed-role/Guarded/saml2cloud");
    assert_eq!(room.requests(), ["POST sts.amazonaws.com/"]);
    assert_eq!(lifetimes(&room)["Guarded"], 7200);
    let again = "exec -a production --exec-profile guarded --force -- true";
    room.call(again).run().exits(4).says(&["`--mfa-token CODE`"]);
    room.call(again).var("SAML2CLOUD_MFA_TOKEN", "000000").run().exits(3).says(&["invalid MFA one time pass code"]);
    // Keys that have ended are none.
    room.call("exec -a production --exec-profile stale -- true")
        .run()
        .exits(2)
        .says(&["profile `old` holds keys that ended at 2020"]);
    // A role's keys cannot show a person's factor.
    let done = room.call("exec -a production --exec-profile open -- true").by("bob").run().exits(0);
    done.says(&["names the factor arn:aws:iam::012345678987:mfa/alice", "it is passed over"]);
    assert_eq!(room.read(AWS.profiles).matches(&secret).count(), 1);
}

#[test]
fn keys_that_have_ended_for_the_cloud_are_told_with_a_way_out() {
    for (cloud, words) in [(AWS, "ExpiredToken"), (ALIBABA, "InvalidSecurityToken.Expired")] {
        let room = room(cloud);
        room.call("login -a production --session-duration 900").by("bob").run().exits(0);
        // There it is a quarter of an hour later, which is the most that is let pass.
        room.sandbox.cloud_clock(900);
        let done = room.call("exec -a production --exec-profile deploy -- true").run().exits(3);
        done.says(&[words, "hint: `--force` signs in anew"]);
    }
}
