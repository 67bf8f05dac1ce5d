//! AD FS: its sign-in pages with every second factor that is spoken, and how each of them says no.

use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room};

const HOST: &str = "fs.acme.example";

fn room(cloud: Cloud, user: &str, provider: &str, mfa: &str) -> Room {
    let room = Room::new();
    let lines = format!("role_arn = \"{}\"\nmfa = \"{mfa}\"", cloud.role);
    room.account_at(cloud, "acme", user, provider, &format!("https://{HOST}"), &lines);
    room
}

/// No request went to anybody but AD FS.
fn stayed(room: &Room) {
    assert!(room.sandbox.requests().iter().all(|seen| seen.host == HOST), "{:?}", room.requests());
}

#[test]
fn a_password_alone() {
    for cloud in CLOUDS {
        let room = room(cloud, "bob", "ADFS", "Auto");
        let done = room.call("login -a acme").by("bob").run().exits(0);
        done.says(&["Using IDP Account acme to access ADFS https://fs.acme.example", "Logged in as: "]);
        assert!(!room.key_id(cloud, "acme").is_empty());
        // The page, the password, where that leads; then the cloud.
        assert_eq!((room.asked(HOST), room.asked(cloud.sts)), (3, 1));
    }
}

#[test]
fn an_address_with_the_page_in_it_is_taken_as_it_is() {
    for query in ["", "?loginToRp=urn:amazon:webservices"] {
        let room = Room::new();
        let url = format!("https://{HOST}/adfs/ls/idpinitiatedsignon.aspx{query}");
        room.account_at(AWS, "acme", "bob", "ADFS", &url, &format!("role_arn = \"{}\"", AWS.role));
        room.call("login -a acme").by("bob").run().exits(0);
    }
}

#[test]
fn codes() {
    for cloud in CLOUDS {
        for (user, mfa) in [("alice", "Azure"), ("amelia", "VIP"), ("boris", "Defender"), ("amelia", "Auto")] {
            let room = room(cloud, user, "ADFS", mfa);
            room.call("login -a acme").with_code(user).run().exits(0);
            assert!(!room.key_id(cloud, "acme").is_empty(), "{user}");
        }
    }
}

#[test]
fn wrong_codes_are_tried_once() {
    for (user, said) in [
        ("amelia", "Authentication failed due to invalid security code or server error."),
        ("boris", "The code is not right."),
        ("alice", "The code is not right."),
    ] {
        let room = room(AWS, user, "ADFS", "Auto");
        let before = room.tree();
        let done = room.call("login -a acme --mfa-token 000000").by(user).run().exits(3);
        done.says(&[&format!("ADFS refused the one-time code: \"{said}\"")]);
        assert!(room.requests().len() <= 5, "{:?}", room.requests());
        assert_eq!(room.tree(), before);
        stayed(&room);
        room.call("login -a acme").by(user).run().exits(4).says(&["--mfa-token CODE"]);
    }
}

#[test]
fn approvals() {
    for cloud in CLOUDS {
        let room = room(cloud, "carol", "ADFS", "Azure");
        let done = room.call("login -a acme").by("carol").run().exits(0);
        let words = "Open your Microsoft Authenticator app and tap the number you see below to sign in.\n42\n";
        done.says(&["We are about to verify your account.", words]);
    }
    let room = room(AWS, "clara", "ADFS", "Auto");
    room.call("login -a acme").by("clara").run().exits(0).says(&["Answer the call on your phone."]);
}

#[test]
fn approvals_that_are_not_given() {
    for (user, said) in [("erin", "The request was denied."), ("frank", "The request was not answered in time.")] {
        let room = room(AWS, user, "ADFS", "Auto");
        let done = room.call("login -a acme").by(user).run().exits(3);
        done.says(&[&format!("ADFS refused the push approval: \"{said}\"")]);
        stayed(&room);
    }
}

#[test]
fn a_way_is_chosen_by_its_word() {
    let room = room(AWS, "diego", "ADFS", "VIP");
    room.call("login -a acme").with_code("diego").run().exits(0);
    room.call("login -a acme --mfa azure --force").by("diego").run().exits(0).says(&["\n42\n"]);
    let done = room.call("login -a acme --mfa Auto --force").by("diego").run().exits(4);
    done.says(&["Symantec VIP (VIP)", "Azure Multi-Factor Authentication (Azure)", "--mfa NAME"]);
}

#[test]
fn refusals_are_ad_fs_own() {
    for (user, said) in [("bob", "Incorrect user ID or password."), ("gita", "currently locked out")] {
        let room = room(AWS, user, "ADFS", "Auto");
        let before = room.tree();
        let call = room.call("login -a acme").var("SAML2CLOUD_PASSWORD", "not-the-password");
        call.run().exits(3).says(&["ADFS refused the sign-in: \"", said]);
        assert_eq!(room.requests().len(), 2);
        assert_eq!(room.tree(), before);
        stayed(&room);
    }
    let room = room(AWS, "ivan", "ADFS", "Auto");
    let done = room.call("login -a acme").by("ivan").run().exits(3);
    done.says(&["cannot be done here: DuoAdfsAdapter", "VIP, Azure, Defender"]);
}

#[test]
fn rsa() {
    for cloud in CLOUDS {
        let room = room(cloud, "emil", "ADFS2", "RSA");
        room.call("login -a acme").with_code("emil").run().exits(0);
        let done = room.call("login -a acme --mfa-token 000000 --force").by("emil").run().exits(3);
        done.says(&["ADFS2 refused the one-time code: \"The code is not right.\""]);
    }
    // The next code is not known in advance.
    let room = room(AWS, "fiona", "ADFS2", "RSA");
    room.call("login -a acme").with_code("fiona").run().exits(4).says(&["--mfa-token CODE"]);
}

#[cfg(unix)]
#[test]
fn the_next_code_is_asked_for_unseen() {
    use crate::pty::{ENTER, Pty};
    let room = room(AWS, "fiona", "ADFS2", "RSA");
    let password = room.password("fiona");
    let mut pty = Pty::start(&room, &room.call("login -a acme"), false);
    pty.asks("? Password ").types(&password).types(ENTER);
    let code = room.code("fiona");
    pty.asks("? Enter passcode ").types(&code).types(ENTER);
    let person = room.sandbox.directory().person("fiona@example.com").unwrap().clone();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let next = person.code_at(now + 30).unwrap();
    pty.asks("? Enter nextCode ").types(&next).types(ENTER);
    let ended = pty.ends();
    assert_eq!((ended.code, ended.is_sane), (0, true), "{}", ended.shown);
    assert!(!ended.shown.contains(&code) && !ended.shown.contains(&next), "{}", ended.shown);
}

#[test]
fn ntlm_is_not_built_and_says_so() {
    for cloud in [AWS, ALIBABA] {
        let room = room(cloud, "bob", "ADFS2", "Auto");
        let done = room.call("login -a acme").by("bob").run().exits(2);
        done.says(&["`mfa` will not do for ADFS2", "NTLM, which is not built yet", "`RSA`", "the provider `ADFS`"]);
        assert!(room.requests().is_empty());
    }
}
