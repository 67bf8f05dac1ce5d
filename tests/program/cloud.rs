//! The exchange of an assertion for keys: how long, where, and what a token service can do wrong. The length is decided by flag,
//! account, assertion and role together, and a broken server by the HTTP client, so nothing smaller shows either.

use sandbox::{Fault, Grant, Person};

use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, GUIDE, Room};

/// Somebody whose assertions wish for twelve hours, with a role that allows less, or not.
fn room_with_wish(cloud: Cloud, most: u32, lines: &str) -> Room {
    let room = Room::new();
    let grants = [Grant::aws(GUIDE, "AcmeJumpCloudAdminRO"), Grant::alibaba(GUIDE, "AcmeJumpCloudAdminRO")];
    let zoe = Person::new("zoe@example.com", "zoe-stays-long").with_session_duration(Some(43200));
    room.sandbox.put(grants.into_iter().fold(zoe, |zoe, grant| zoe.with_role(grant.up_to(most))));
    room.account(cloud, "production", "zoe", lines);
    room
}

#[test]
fn a_length_that_a_person_wished_is_not_given_up() {
    for (cloud, said) in [
        (AWS, "ValidationError: \"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.\""),
        (ALIBABA, "InvalidParameter.DurationSeconds: \"The Min/Max value of DurationSeconds is 15min/1hr.\""),
    ] {
        let room = Room::new();
        room.account(cloud, "production", "alice", &format!("role_arn = \"{}\"", cloud.admin));
        let before = room.tree();
        let done = room.call("login -a production --session-duration 12h").with_code("alice").run().exits(3);
        done.says(&[said, "hint: a shorter session is asked for with `--session-duration 3600`"]);
        assert_eq!(room.asked(cloud.sts), 1);
        assert_eq!(room.tree(), before);
    }
}

#[test]
fn a_length_that_the_assertion_wished_is_given_up_once_and_that_is_said() {
    for cloud in CLOUDS {
        let room = room_with_wish(cloud, 3600, "");
        let done = room.call("login -a production").by("zoe").run().exits(0);
        done.says(&["note: the identity provider wishes keys for 43200 seconds", "asked for 3600 instead"]);
        assert_eq!((room.asked(cloud.sts), room.lifetime()), (2, 3600));
    }
}

#[test]
fn the_assertions_wish_counts_where_nobody_else_wishes() {
    for cloud in CLOUDS {
        let room = room_with_wish(cloud, 43200, "");
        room.call("login -a production").by("zoe").run().exits(0).does_not_say("note:");
        assert_eq!((room.asked(cloud.sts), room.lifetime()), (1, 43200));
    }
}

#[test]
fn flag_before_variable_before_account() {
    for cloud in CLOUDS {
        for (call, variable, seconds) in
            [("--session-duration 90m", "7200", 5400), ("", "7200", 7200), ("", "", 10800), ("--session-duration=900", "", 900)]
        {
            let room = room_with_wish(cloud, 43200, &format!("{} = \"3h\"", cloud.duration_key));
            let login = room.call(&format!("login -a production {call}")).by("zoe");
            login.var("SAML2CLOUD_SESSION_DURATION", variable).run().exits(0);
            assert_eq!(room.lifetime(), seconds, "{call} {variable}");
        }
    }
}

/// The old tools wrote 3600 into every account, so there it says nothing; in a file of ours somebody chose it.
#[test]
fn an_hour_in_an_old_file_is_no_wish() {
    for cloud in CLOUDS {
        for (old, seconds) in [(true, 43200), (false, 3600)] {
            let room = room_with_wish(cloud, 43200, &format!("{} = \"3600\"", cloud.duration_key));
            if old {
                let text = room.read(cloud.accounts).replace('"', "");
                room.write(cloud.accounts, &text);
            }
            room.call("login -a production").by("zoe").run().exits(0);
            assert_eq!(room.lifetime(), seconds, "{}", room.read(cloud.accounts));
        }
    }
}

#[test]
fn a_length_that_no_cloud_gives_is_refused_before_anything_is_sent() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        for wrong in ["600", "43201", "13h", "soon"] {
            let done = room.call(&format!("login -a production --session-duration {wrong}")).by("bob").run().exits(2);
            done.says(&["900 to 43200 seconds", &format!("`{wrong}`")]);
        }
        assert!(room.requests().is_empty());
    }
}

#[test]
fn a_region_leads_to_its_own_host_on_aws_and_into_the_profile_on_both() {
    let room = Room::new();
    room.production(AWS, "bob");
    room.call("login -a production --region eu-west-1").by("bob").run().exits(0);
    assert_eq!((room.asked("sts.eu-west-1.amazonaws.com"), room.asked(AWS.sts)), (1, 0));
    assert_eq!(room.aws_profile("production")["region"], "eu-west-1");
    room.call("login -a production --force").var("SAML2CLOUD_REGION", "us-east-2").by("bob").run().exits(0);
    assert_eq!(room.asked("sts.us-east-2.amazonaws.com"), 1);
    let room = Room::new();
    room.production(ALIBABA, "bob");
    room.call("login -a production --region cn-shanghai").by("bob").run().exits(0);
    // Alibaba Cloud's region is for the tools; the one token service serves all.
    assert_eq!(room.asked(ALIBABA.sts), 1);
    assert_eq!(room.alibaba_profile("production")["region_id"], "cn-shanghai");
    room.call("login -a production --force").var("ALIBABA_CLOUD_STS_REGION", "eu-central-1").by("bob").run().exits(0);
    assert_eq!(room.asked("sts.eu-central-1.aliyuncs.com"), 1);
}

#[test]
fn a_region_cannot_lead_elsewhere() {
    let room = Room::new();
    room.production(AWS, "bob");
    room.call("login -a production")
        .arg("--region")
        .arg("x.evil.example/")
        .by("bob")
        .run()
        .exits(2)
        .says(&["the region may only"]);
    assert!(room.requests().is_empty());
}

#[test]
fn an_address_that_is_not_the_clouds_is_named() {
    for (cloud, flag, variable) in
        [(AWS, "", "AWS_ENDPOINT_URL_STS"), (AWS, "--sts-endpoint", ""), (ALIBABA, "", "ALIBABA_CLOUD_STS_ENDPOINT")]
    {
        let room = Room::new();
        room.production(cloud, "bob");
        let address = "https://sts.foreign.example/";
        let call = room.call("login -a production").by("bob");
        let call = if flag.is_empty() { call.var(variable, address) } else { call.arg(flag).arg(address) };
        // Even with `--quiet`: an assertion goes where it did not go before.
        let done = call.arg("--quiet").run().exits(5);
        done.says(&[
            "note: the security token service asked is https://sts.foreign.example/, which is not one of the cloud's own",
        ]);
        assert!(room.sandbox.violations().iter().all(|breach| breach.contains("sts.foreign.example")));
        assert!(!room.sandbox.violations().is_empty(), "it was asked");
        room.sandbox.clear_violations();
    }
}

#[test]
fn an_assertion_does_not_leave_in_the_clear() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        let proxy = room.sandbox.proxy_url();
        let call = room.call("login -a production").arg("--sts-endpoint").arg(format!("http://{}/", cloud.sts));
        call.by("bob")
            .var("http_proxy", &proxy)
            .run()
            .exits(2)
            .says(&["only https addresses (or http on this machine) are used"]);
        assert_eq!(room.asked(cloud.sts), 0);
    }
}

fn faulty(cloud: Cloud, fault: impl Into<sandbox::Plan>) -> Room {
    let room = Room::new();
    room.production(cloud, "bob");
    room.sandbox.fault(cloud.sts, fault);
    room
}

#[test]
fn a_busy_token_service_is_asked_again() {
    for cloud in CLOUDS {
        let room = faulty(cloud, Fault::Status(503, "busy".into(), "text/plain".into()).times(2));
        room.call("login -a production").by("bob").run().exits(0);
        assert_eq!(room.asked(cloud.sts), 3);
    }
}

#[test]
fn what_is_no_answer_leaves_everything_as_it_was() {
    let html = "<!DOCTYPE html><html><body>Welcome to the hotel's network</body></html>";
    let show = |cloud: Cloud, fault: Fault, code, said: &str| {
        let name = format!("{fault:?}");
        let room = faulty(cloud, fault);
        let before = room.tree();
        room.call("login -a production").by("bob").run().exits(code).says(&[cloud.sts, said]);
        assert_eq!(room.tree(), before, "{name}");
    };
    // Side by side, because the pauses between the tries add up.
    std::thread::scope(|scope| {
        for (fault, code, said) in [
            (Fault::Garbage(b"\x00\xff not HTTP at all\r\n\r\n".to_vec()), 5, "cannot reach"),
            (Fault::Huge(64 * 1024 * 1024), 1, "sent an answer longer than 8 MiB"),
            (Fault::Status(200, html.into(), "text/html".into()), 1, "gave an answer that is not one (HTTP 200)"),
            (Fault::Status(502, html.into(), "text/html".into()), 1, "gave an answer that is not one (HTTP 502)"),
            (Fault::Reset, 5, "cannot reach"),
            (Fault::Redirect("https://evil.example/".into()), 1, "gave an answer that is not one (HTTP 302)"),
            (Fault::Unreachable, 5, "hint: is the network up?"),
            (Fault::WrongName, 5, "showed a certificate that is not trusted"),
        ] {
            for cloud in CLOUDS {
                let fault = fault.clone();
                scope.spawn(move || show(cloud, fault, code, said));
            }
        }
    });
}

#[test]
fn skip_verify_reaches_the_identity_provider_and_never_the_cloud() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        room.sandbox.fault("*.jumpcloud.com", Fault::WrongName);
        let done = room.call("login -a production").by("bob").run().exits(5);
        done.says(&["console.jumpcloud.com showed a certificate that is not trusted", "SSL_CERT_FILE", "--skip-verify"]);
        let done = room.call("login -a production --skip-verify").by("bob").run().exits(0);
        done.says(&["warning: no certificate of the identity provider (sso.jumpcloud.com and where it leads) is verified"]);
        room.sandbox.fault(cloud.sts, Fault::WrongName);
        let before = room.tree();
        let done = room.call("login -a production --skip-verify --force").by("bob").run().exits(5);
        done.says(&[&format!("{} showed a certificate that is not trusted", cloud.sts)]);
        assert_eq!(room.tree(), before);
    }
}

#[test]
fn an_identity_provider_that_cannot_be_reached() {
    for (fault, code, said) in [
        (Fault::Unreachable, 5, "error: cannot reach console.jumpcloud.com"),
        (Fault::Reset, 5, "error: cannot reach console.jumpcloud.com"),
        (Fault::Huge(64 * 1024 * 1024), 1, "longer than 8 MiB"),
        (Fault::Status(500, "{}".into(), "application/json".into()), 1, "(HTTP 500)"),
    ] {
        let room = Room::new();
        room.production(AWS, "bob");
        room.sandbox.fault("console.jumpcloud.com", fault);
        room.call("login -a production").by("bob").run().exits(code).says(&[said]);
        // Whatever happens there, a password is sent once at the most.
        assert!(room.requests().iter().filter(|line| line.ends_with("/auth")).count() <= 1);
    }
}

#[test]
fn an_assertion_that_is_too_old_makes_the_clock_a_suspect() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        room.sandbox.idp_clock(-1000);
        room.call("login -a production").by("bob").run().exits(3).says(&["Expired", "is this machine's clock right?"]);
    }
}
