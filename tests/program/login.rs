//! A login at JumpCloud, from the command line to the file of profiles: which requests, which words, which files. Only here are the
//! product's parts together, and only the box's records tell what really went over the wire.

use sandbox::{Grant, Person, Push};

use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room, sections};

const CONSOLE: &str = "console.jumpcloud.com/userconsole";

/// What a login costs: before the second factor, after it.
fn requests(cloud: Cloud, factor: &[&str]) -> Vec<String> {
    let mut all = vec![format!("GET {CONSOLE}/xsrf"), format!("POST {CONSOLE}/auth")];
    all.extend(factor.iter().map(|path| path.replace('~', CONSOLE)));
    all.extend([format!("GET sso.jumpcloud.com/saml2/{}", cloud.app), format!("POST {}/", cloud.sts)]);
    all
}

/// The requests with the numbers of pushes made equal.
fn seen(room: &Room) -> Vec<String> {
    let plain = |part: &str| match part.len() == 24 && part.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => "ID".to_owned(),
        false => part.to_owned(),
    };
    room.requests().iter().map(|line| line.split('/').map(plain).collect::<Vec<_>>().join("/")).collect()
}

#[test]
fn a_password_is_enough_where_no_factor_is_set_up() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        room.call("login -a production").by("bob").run().exits(0);
        assert_eq!(seen(&room), requests(cloud, &[]));
    }
}

#[test]
fn a_code_is_given_by_flag_or_variable() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "alice");
        let code = room.code("alice");
        room.call("login -a production --mfa-token").arg(&code).by("alice").run().exits(0);
        assert_eq!(seen(&room), requests(cloud, &["POST ~/auth"]));
        let first = room.key_id(cloud, "production");
        room.call("login -a production --force").by("alice").var("SAML2CLOUD_MFA_TOKEN", &code).run().exits(0);
        assert_ne!(room.key_id(cloud, "production"), first);
    }
}

#[test]
fn a_push_is_waited_for() {
    let poll = "GET ~/auth/push/ID";
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "carol");
        room.call("login -a production").by("carol").run().exits(0).says(&["on your phone"]);
        let all = ["POST ~/auth/push", poll, poll, poll, "POST ~/auth/push/ID/login"];
        assert_eq!(seen(&room), requests(cloud, &all));
    }
}

#[test]
fn of_two_factors_the_named_one_is_taken() {
    let room = Room::new();
    room.production(AWS, "dave");
    room.call("login -a production --mfa TOTP").with_code("dave").run().exits(0);
    assert_eq!(seen(&room), requests(AWS, &["POST ~/auth"]));
    room.sandbox.clear_requests();
    let poll = "GET ~/auth/push/ID";
    room.call("login -a production --mfa PUSH --force").by("dave").run().exits(0);
    assert_eq!(seen(&room), requests(AWS, &["POST ~/auth/push", poll, poll, "POST ~/auth/push/ID/login"]));
    // Nobody is there to choose.
    let asks = room.call("login -a production --force").with_code("dave").run().exits(4);
    asks.says(&["the second factor is not known", "--mfa NAME", "SAML2CLOUD_MFA"]);
}

#[test]
fn a_push_that_is_not_approved_ends_in_jumpclouds_words() {
    let words = [
        ("erin", "\"denied\""),
        ("eve", "\"Authentication failed.\""),
        ("frank", "\"expired\""),
        ("grace", "\"the push was not answered in time\""),
    ];
    for (user, said) in words {
        let room = Room::new();
        if user == "grace" {
            let grace = room.sandbox.directory().person("grace@example.com").unwrap().clone();
            room.sandbox.put(Person { push: Push::Never { seconds: 1 }, ..grace });
        }
        room.production(AWS, user);
        let before = room.tree();
        let done = room.call("login -a production").by(user).run().exits(3);
        done.says(&["error: JumpCloud refused the push approval: ", said]);
        assert_eq!(room.tree(), before, "{user}");
        assert_eq!(room.asked(AWS.sts), 0);
    }
}

#[test]
fn a_refusal_changes_nothing() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "alice");
        room.call("login -a production").with_code("alice").run().exits(0);
        let before = room.tree();
        let wrong = room.call("login -a production --force").var("SAML2CLOUD_PASSWORD", "not-her-password").run().exits(3);
        wrong.says(&["error: JumpCloud refused the sign-in: \"Authentication failed.\""]);
        assert_eq!(room.tree(), before);
        room.sandbox.clear_requests();
        let wrong = room.call("login -a production --force --mfa-token 000000").by("alice").run().exits(3);
        wrong.says(&["JumpCloud refused the one-time code: \"Authentication failed.\""]);
        assert_eq!(room.tree(), before);
        // One given code is one try: JumpCloud counts them.
        assert_eq!(room.requests().iter().filter(|line| line.ends_with("/auth")).count(), 2);
        assert_eq!(room.asked(cloud.sts), 0);
    }
}

#[test]
fn factors_that_cannot_be_done_here_are_named() {
    let room = Room::new();
    room.production(AWS, "ivan");
    let done = room.call("login -a production").by("ivan").run().exits(3);
    done.says(&["a second factor that cannot be done here: duo, webauthn", "hint: "]);
}

#[test]
fn whoever_has_no_roles_is_told_where_roles_come_from() {
    for (cloud, attribute) in [(AWS, "https://aws.amazon.com/SAML/Attributes/Role"), (ALIBABA, "SAML-Role/Attributes/Role")] {
        let room = Room::new();
        room.account(cloud, "production", "heidi", "");
        let done = room.call("login -a production").by("heidi").run().exits(3);
        done.says(&["error: the identity provider grants you no role in ", attribute]);
        assert_eq!(room.asked(cloud.sts), 0);
    }
}

#[test]
fn an_application_of_the_other_cloud_gets_no_further() {
    for (cloud, app) in [(AWS, ALIBABA.app), (ALIBABA, AWS.app)] {
        let room = Room::new();
        let url = format!("https://sso.jumpcloud.com/saml2/{app}");
        room.account_at(cloud, "production", "bob", "JumpCloud", &url, "");
        room.call("login -a production").by("bob").run().exits(3).says(&["SAML response to https://signin.", "hint: is `url`"]);
        assert!(room.requests().iter().all(|line| line.contains("jumpcloud.com")), "{:?}", room.requests());
    }
}

#[test]
fn each_partition_has_its_own_hosts() {
    for (app, role, region, host) in [
        ("acme-aws-cn", "arn:aws-cn:iam::012345678987:role/Developer", "", "sts.cn-north-1.amazonaws.com.cn"),
        ("acme-aws-cn", "arn:aws-cn:iam::012345678987:role/Developer", "cn-northwest-1", "sts.cn-northwest-1.amazonaws.com.cn"),
        ("acme-aws-us-gov", "arn:aws-us-gov:iam::012345678987:role/Developer", "", "sts.us-gov-west-1.amazonaws.com"),
        (
            "acme-aws-us-gov",
            "arn:aws-us-gov:iam::012345678987:role/Developer",
            "us-gov-east-1",
            "sts.us-gov-east-1.amazonaws.com",
        ),
        // A role with a path, at the global partition; a region of another one is the tools' business.
        ("acme-aws", "arn:aws:iam::012345678987:role/teams/web/Developer", "", "sts.amazonaws.com"),
        ("acme-aws", "arn:aws:iam::012345678987:role/teams/web/Developer", "cn-north-1", "sts.amazonaws.com"),
    ] {
        let room = Room::new();
        let url = format!("https://sso.jumpcloud.com/saml2/{app}");
        let lines = format!("role_arn = \"{role}\"\nregion = \"{region}\"");
        room.account_at(AWS, "abroad", "judy", "JumpCloud", &url, &lines);
        room.call("login -a abroad").by("judy").run().exits(0).says(&[&format!("Selected role: {role}")]);
        assert_eq!(room.asked(host), 1, "{:?}", room.requests());
        assert_eq!(room.requests().len(), 4);
        let partition = role.split(':').nth(1).unwrap();
        let assumed = format!("arn:{partition}:sts::012345678987:assumed-role/Developer/judy@example.com");
        assert_eq!(room.aws_profile("abroad")["x_principal_arn"], assumed);
    }
}

#[test]
fn the_international_site_has_its_own_home_region() {
    for (region, expected) in [("", "ap-southeast-1"), ("eu-central-1", "eu-central-1")] {
        let room = Room::new();
        let url = "https://sso.jumpcloud.com/saml2/acme-alibaba-intl";
        room.account_at(ALIBABA, "world", "bob", "JumpCloud", url, &format!("region = \"{region}\""));
        let done = room.call("login -a world").by("bob").run().exits(0);
        let done = done.says(&[&format!("aliyun --profile world sts GetCallerIdentity --region={expected}")]);
        assert_eq!(done.stderr.contains("names no region; a profile without one gets ap-southeast-1"), region.is_empty());
        assert_eq!(room.alibaba_profile("world")["region_id"], expected);
    }
}

#[test]
fn role_names_of_an_attacker_neither_draw_nor_plant() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.account(cloud, "production", "mallory", "");
        let role = cloud.role.replace("AcmeJumpCloudAdminRO", "Plain");
        // Of all her names only one can be a role's. (That nothing raw is printed is checked for every call.)
        room.call("login -a production --verbose").by("mallory").run().exits(0).says(&[&format!("Selected role: {role}")]);
        match cloud.word {
            "aws" => {
                let all = sections(&room.read(cloud.profiles));
                let keys: Vec<&str> = all["production"].keys().map(String::as_str).collect();
                assert_eq!(all.len(), 1);
                let wanted = ["aws_access_key_id", "aws_secret_access_key", "aws_security_token", "aws_session_token"];
                assert_eq!(keys, [&wanted[..], &["x_principal_arn", "x_security_token_expires"]].concat());
            }
            _ => assert_eq!(room.alibaba_profile("production")["mode"], "StsToken"),
        }
    }
}

#[test]
fn escape_sequences_in_an_assertion_reach_nobody() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.account(cloud, "production", "trudy", "");
        let before = room.tree();
        let done = room.call("login -a production --verbose").by("trudy").run();
        // XML forbids such characters; a reader may refuse the document or pass them over, but nothing of them may go on.
        assert!(!done.stderr.contains('\u{1b}') && !done.stderr.contains("panicked"), "{}", done.stderr);
        match done.status.code() {
            Some(0) => assert!(!room.read(cloud.profiles).contains(['\u{1b}', '\u{7}'])),
            code => assert!(matches!(code, Some(1 | 3)) && room.tree() == before, "{code:?}: {}", done.stderr),
        }
    }
}

#[test]
fn the_lines_are_those_of_the_guides() {
    for (zone, offset, name) in [("UTC", "+0000", "UTC"), ("CST-8", "+0800", "CST")] {
        for cloud in CLOUDS {
            let room = Room::new();
            room.production(cloud, "alice");
            let done = room.call("login -a production").with_code("alice").var("TZ", zone).run().exits(0);
            assert_eq!(done.stdout, "");
            let lines: Vec<String> = done.stderr.lines().map(|line| dateless(line, offset, name)).collect();
            assert_eq!(lines.join("\n"), guide(cloud));
        }
    }
}

/// The line with its date made equal, if it is a date of that zone.
fn dateless(line: &str, offset: &str, name: &str) -> String {
    let Some(date) = line.strip_prefix("Note that it will expire at ") else { return line.to_owned() };
    let digits: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(digits, format!("0000-00-00 00:00:00 {}0000 {name}", &offset[..1]));
    assert_eq!(&date[20..25], offset);
    "Note that it will expire at WHEN".to_owned()
}

/// The guides' lines for a login where nothing is asked; the name after `Logged in as:` is the one that the cloud gives.
fn guide(cloud: Cloud) -> &'static str {
    match cloud.word {
        "aws" => {
            "Using IDP Account production to access JumpCloud https://sso.jumpcloud.com/saml2/acme-prod-aws-admin
Authenticating as alice@example.com ...
Selected role: arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO
Requesting AWS credentials using SAML assertion
Logged in as: arn:aws:sts::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com
Your new access key pair has been stored in the AWS configuration
Note that it will expire at WHEN
To use this credential, call the AWS CLI with the --profile option (e.g. aws --profile production ec2 describe-instances)."
        }
        _ => {
            "Using IDP Account production to access JumpCloud https://sso.jumpcloud.com/saml2/acme-prod-alibabacloud-admin
Authenticating as alice@example.com ...
Selected role: acs:ram::012345678987:role/AcmeJumpCloudAdminRO
Requesting AlibabaCloud credentials using SAML assertion
Logged in as: acs:ram::012345678987:assumed-role/AcmeJumpCloudAdminRO/alice@example.com
Your new access key pair has been stored in the AlibabaCloud CLI configuration
Note that it will expire at WHEN
To use this credential, call the AlibabaCloud CLI with the --profile option (e.g. aliyun --profile production sts GetCallerIdentity --region=cn-hangzhou).
The account names no region; a profile without one gets cn-hangzhou."
        }
    }
}

#[test]
fn a_role_that_is_not_granted_is_refused_with_those_that_are() {
    let room = Room::new();
    room.sandbox.put(Person::new("bob@example.com", "bob-only-a-password").with_role(Grant::aws("012345678987", "Other")));
    room.production(AWS, "bob");
    let done = room.call("login -a production").by("bob").run().exits(3);
    done.says(&["does not grant you arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO", "role/Other", "list-roles"]);
}
