//! The SAML response that is kept between sign-ins: what it spares, where it rests, and what it never does. Whether a cloud still takes
//! one is the cloud's to say, so the whole program is the height.

use base64::Engine as _;

use crate::call::Call;
use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room, mode};

/// alice's account, which names no role.
fn room(cloud: Cloud) -> Room {
    let room = Room::new();
    room.account(cloud, "production", "alice", "");
    room
}

/// A login for a role, with the response in a file.
fn login<'r>(room: &'r Room, role: &str) -> Call<'r> {
    room.call("login -a production --cache-saml --cache-file ~/kept/response --role").arg(role)
}

/// Whether an identity provider was asked.
fn signed_in(room: &Room) -> bool {
    ["sso.jumpcloud.com", "console.jumpcloud.com"].iter().any(|host| room.asked(host) > 0)
}

#[test]
fn two_roles_cost_one_sign_in() {
    for cloud in CLOUDS {
        let room = room(cloud);
        login(&room, cloud.role).with_code("alice").run().exits(0).does_not_say("note:");
        let first = room.key_id(cloud, "production");
        let kept = room.home().join("kept/response");
        assert_eq!((mode(&kept), mode(kept.parent().unwrap())), (0o600, 0o700));
        let response = base64::engine::general_purpose::STANDARD.decode(room.read("kept/response")).unwrap();
        assert!(String::from_utf8(response).unwrap().contains("Assertion"), "in the old tool's form");
        room.sandbox.clear_requests();
        // Nobody is there, and no password is given.
        let done = login(&room, cloud.admin).run().exits(0);
        done.says(&["Using the SAML response of an earlier sign-in, which is good until ", "Selected role: "]);
        assert_eq!((signed_in(&room), room.asked(cloud.sts)), (false, 1));
        assert_ne!(room.key_id(cloud, "production"), first);
        room.call("list-roles -a production --cache-saml --cache-file ~/kept/response").run().exits(0);
        // Only for whoever wishes it.
        room.call("list-roles -a production").run().exits(4);
        room.call("list-roles -a production --cache-file ~/kept/response").run().exits(4);
        assert!(!signed_in(&room));
    }
}

#[test]
fn without_a_file_it_rests_with_the_passwords() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.account(cloud, "production", "alice", "saml_cache = \"true\"\n");
        let call = |line: &str| {
            room.call(line).var("SAML2CLOUD_KEYCHAIN", "file").var("SAML2CLOUD_VAULT_PASSPHRASE", "a passphrase for the box")
        };
        call("list-roles -a production").with_code("alice").run().exits(0).does_not_say("note:");
        room.sandbox.clear_requests();
        call("login -a production --role")
            .arg(cloud.admin)
            .run()
            .exits(0)
            .says(&["Using the SAML response of an earlier sign-in"]);
        assert!(!signed_in(&room));
        // Encrypted, and nowhere else.
        let plain: Vec<String> = room.sandbox.secrets().into_iter().filter(|secret| secret.len() > 1000).collect();
        assert!(!plain.is_empty());
        for (path, (_, bytes)) in room.tree() {
            assert!(!plain.iter().any(|secret| bytes.contains(secret.as_str())), "{}", path.display());
        }
        // Another person at the same address has another one.
        call("list-roles -a production --username bob@example.com").run().exits(4);
        call("list-roles -a production --disable-keychain").run().exits(4);
    }
}

#[test]
fn a_cache_that_fails_is_told_and_stops_nothing() {
    let room = room(AWS);
    room.write("plain", "no folder");
    // There is no keychain in the box.
    let done = room.call("login -a production --cache-saml --role").arg(AWS.role).with_code("alice").run().exits(0);
    done.says(&["note: the SAML response is not kept: no keychain took it; `--cache-file FILE` keeps it in a file"]);
    let call = room.call("login -a production --force --cache-saml --cache-file ~/plain/response --role").arg(AWS.role);
    let done = call.with_code("alice").run().exits(0);
    done.says(&["note: the SAML response is not kept: cannot ", "Logged in as: "]);
    // What somebody else put there is no response.
    for text in ["", "???", "AAAA", "\u{fffd}"] {
        room.write("kept/response", text);
        login(&room, AWS.role).arg("--force").with_code("alice").run().exits(0).does_not_say("earlier");
        assert!(room.read("kept/response").len() > 1000);
    }
}

#[test]
fn a_response_that_is_of_no_use_leads_to_one_fresh_sign_in() {
    for cloud in CLOUDS {
        let room = room(cloud);
        login(&room, cloud.role).with_code("alice").run().exits(0);
        // The cloud's own judgement: the signature no longer fits.
        let response = base64::engine::general_purpose::STANDARD.decode(room.read("kept/response")).unwrap();
        let forged = String::from_utf8(response).unwrap().replace("alice@example.com", "alicf@example.com");
        room.write("kept/response", &base64::engine::general_purpose::STANDARD.encode(forged));
        room.sandbox.clear_requests();
        let done = login(&room, cloud.admin).with_code("alice").run().exits(0);
        done.says(&["The SAML response of the earlier sign-in is of no use (", "and is forgotten.", "Logged in as: "]);
        assert_eq!(room.asked(cloud.sts), 2, "the old one and the fresh one");
        room.sandbox.clear_violations();
        // A role that was granted since.
        let developer = cloud.role.replace("AcmeJumpCloudAdminRO", "GrantedSince");
        let alice = room.sandbox.directory().person("alice@example.com").unwrap().clone();
        room.sandbox.put(alice.with_role(match cloud.word {
            "aws" => sandbox::Grant::aws(crate::support::GUIDE, "GrantedSince"),
            _ => sandbox::Grant::alibaba(crate::support::GUIDE, "GrantedSince"),
        }));
        login(&room, &developer).with_code("alice").run().exits(0).says(&["is of no use", "does not grant you"]);
        // And a role that is not granted is asked for once, not for ever.
        room.sandbox.clear_requests();
        login(&room, &cloud.role.replace("AcmeJumpCloudAdminRO", "Nobody")).with_code("alice").run().exits(3);
        let passwords = room.requests().iter().filter(|line| *line == "POST console.jumpcloud.com/userconsole/auth").count();
        assert_eq!(passwords, 2, "one sign-in: the password, and then the code with it");
    }
}

#[test]
fn a_response_for_another_cloud_is_never_taken() {
    let room = Room::new();
    room.account(AWS, "production", "alice", "");
    room.account(ALIBABA, "china", "alice", "");
    login(&room, AWS.role).with_code("alice").run().exits(0);
    room.sandbox.clear_requests();
    let china = room.call("login -a china --cache-saml --cache-file ~/kept/response --role").arg(ALIBABA.role);
    china.with_code("alice").run().exits(0).does_not_say("earlier");
    assert!(signed_in(&room));
}
