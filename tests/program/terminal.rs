//! The person at the terminal: what is asked, in which order, what is shown of the answers, and how the terminal is left, also by
//! Ctrl-C. Prompts belong to a device, not to a stream, so only a device shows them.

use sandbox::{Person, Push};

use crate::pty::{CTRL_C, ENTER, Pty};
use crate::support::{ALIBABA, AWS, CLOUDS, Room};

/// The question for a password, up to where it is typed.
const PASSWORD: &str = "? Password ";

#[test]
fn everything_that_is_not_known_is_asked_in_the_guides_order() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "alice");
        let text = room.read(cloud.accounts).replace("username = \"alice@example.com\"\n", "");
        room.write(cloud.accounts, &text);
        let (password, code) = (room.password("alice"), room.code("alice"));
        let mut pty = Pty::start(&room, &room.call("login -a production"), false);
        pty.asks("? Username ").types("alice@example.com").types(ENTER);
        pty.asks(PASSWORD).types(&password).types(ENTER);
        pty.asks("? MFA Token ").types(&code).types(ENTER);
        let ended = pty.ends();
        assert_eq!((ended.code, ended.is_sane), (0, true), "{}", ended.shown);
        ended.showed(&[
            "Using IDP Account production to access JumpCloud https://sso.jumpcloud.com/saml2/",
            "To use saved password just hit enter.\r\n",
            "? Username ",
            "alice@example.com\r\n",
            "? Password ",
            "**********\r\n",
            "Authenticating as alice@example.com ...\r\n",
            "? MFA Token ",
            &format!("{code}\r\n"),
            &format!("Selected role: {}\r\n", cloud.role),
            "Logged in as: ",
            "Note that it will expire at ",
        ]);
        assert!(!ended.shown.contains(&password));
        // Its stars do not tell its length either.
        assert!(!ended.shown.contains("***********"));
        assert!(!room.key_id(cloud, "production").is_empty());
    }
}

#[test]
fn prompts_are_on_the_terminal_and_data_is_in_the_file() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.account(cloud, "production", "alice", "");
        let mut pty = Pty::start(&room, &room.call("list-roles -a production"), true);
        pty.asks(PASSWORD).types(&room.password("alice")).types(ENTER);
        pty.asks("? MFA Token ").types(&room.code("alice")).types(ENTER);
        let ended = pty.ends();
        assert_eq!(ended.code, 0, "{}", ended.shown);
        let developer = cloud.role.replace(crate::support::GUIDE, "210987654321").replace("AcmeJumpCloudAdminRO", "Developer");
        // Each in its old tool's manner; Alibaba Cloud calls an account without a name by its number.
        let (guide, other) = match cloud.word {
            "aws" => ("Account: acme-prod (012345678987)", "Account: 210987654321"),
            _ => ("acme-prod(012345678987)", "210987654321(210987654321)"),
        };
        let roles = format!("{guide}\n{}\n{}\n\n{other}\n{developer}\n\n", cloud.role, cloud.admin);
        assert_eq!(room.read("out"), roles);
        assert!(!ended.shown.contains(cloud.role), "data on the terminal:\n{}", ended.shown);
    }
}

#[test]
fn a_role_is_picked_by_typing_a_part_of_it() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.account(cloud, "production", "alice", "");
        let mut pty = Pty::start(&room, &room.call("login -a production").with_code("alice"), false);
        pty.asks("? Please choose the role").waits_for("acme-prod (012345678987) / AcmeJumpCloudAdminRO");
        pty.types("Develop").waits_for("Develop").types(ENTER);
        let ended = pty.ends();
        assert_eq!((ended.code, ended.is_sane), (0, true), "{}", ended.shown);
        ended.showed(&["210987654321 / Developer", "Selected role: ", "210987654321:role/Developer\r\n", "Logged in as: "]);
    }
}

#[test]
fn of_two_factors_the_person_takes_one() {
    let room = Room::new();
    room.production(AWS, "dave");
    let mut pty = Pty::start(&room, &room.call("login -a production").by("dave"), false);
    pty.asks("? Select which MFA option to use").waits_for("PUSH MFA").types("push").waits_for("push").types(ENTER);
    let ended = pty.ends();
    assert_eq!(ended.code, 0, "{}", ended.shown);
    ended.showed(&["Waiting for your approval in JumpCloud Protect on your phone ...", "Logged in as: "]);
}

#[test]
fn a_wrong_code_may_be_corrected() {
    for form in [false, true] {
        let room = Room::new();
        match form {
            false => room.production(AWS, "alice"),
            true => {
                let url = "https://login.acme.example/sso/acme-aws?style=totp";
                room.account_at(AWS, "production", "alice", "Form", url, &format!("role_arn = \"{}\"", AWS.role));
            }
        }
        let mut pty = Pty::start(&room, &room.call("login -a production").by("alice"), false);
        pty.asks("? MFA Token ").types("000000").types(ENTER).waits_for("code: \"");
        pty.asks("? MFA Token ").types(&room.code("alice")).types(ENTER);
        let ended = pty.ends();
        assert_eq!((ended.code, ended.is_sane), (0, true), "{}", ended.shown);
    }
}

/// Runs until `pty` waits, presses Ctrl-C there, and looks at what is left.
fn interrupted(room: &Room, line: &str, wait: impl FnOnce(&mut Pty)) {
    let before = room.tree();
    let mut pty = Pty::start(room, &room.call(line).by("alice"), false);
    wait(&mut pty);
    pty.types(CTRL_C);
    pty.ends().was_interrupted();
    assert_eq!(room.tree(), before, "{line}");
    assert_eq!(room.asked(AWS.sts), 0);
}

#[test]
fn ctrl_c_leaves_everything_as_it_was() {
    let room = Room::new();
    room.account(AWS, "production", "alice", "");
    room.write(AWS.profiles, "[mine]\nregion = x\n");
    interrupted(&room, "login -a production --ask", |pty| _ = pty.asks(PASSWORD).types("half a pass"));
    interrupted(&room, "login -a production", |pty| _ = pty.asks("? MFA Token ").types("12"));
    let code = format!("login -a production --mfa-token {}", room.code("alice"));
    interrupted(&room, &code, |pty| _ = pty.asks("? Please choose the role"));
    interrupted(&room, "configure -a new --cloud aws", |pty| _ = pty.asks("? Please choose a provider:"));
}

#[test]
fn ctrl_c_at_the_passphrase_of_saved_passwords() {
    let room = Room::new();
    room.production(AWS, "bob");
    let phrase = "a long enough passphrase";
    let start = |line: &str| Pty::start(&room, &room.call(line).var("SAML2CLOUD_KEYCHAIN", "file"), false);
    let left = |mut pty: Pty| {
        pty.types(CTRL_C);
        pty.ends().was_interrupted();
        assert!(!room.home().join(".local/state/saml2cloud/vault").exists());
    };
    let asked = || {
        let mut pty = start("login -a production --force");
        pty.asks(PASSWORD).types(&room.password("bob")).types(ENTER).asks("? New passphrase for saved passwords");
        pty
    };
    left(asked());
    let mut pty = asked();
    pty.types(phrase).types(ENTER).asks("? Once more").types("a long");
    left(pty);
    // And for the file that is there.
    let kept =
        room.call("login -a production --force").var("SAML2CLOUD_KEYCHAIN", "file").var("SAML2CLOUD_VAULT_PASSPHRASE", phrase);
    let mut pty = Pty::start(&room, &kept, false);
    pty.asks(PASSWORD).types(&room.password("bob")).types(ENTER);
    assert_eq!(pty.ends().code, 0);
    room.sandbox.clear_requests();
    let mut pty = start("login -a production --force");
    pty.asks("? Passphrase for saved passwords").types("a lo").types(CTRL_C);
    pty.ends().was_interrupted();
    assert_eq!(room.asked(AWS.sts), 0);
}

#[test]
fn ctrl_c_while_a_push_is_waited_for() {
    let room = Room::new();
    let password = room.password("alice");
    room.sandbox.put(Person::new("alice@example.com", &password).with_push(Push::Never { seconds: 600 }));
    room.production(AWS, "alice");
    interrupted(&room, "login -a production", |pty| _ = pty.waits_for("on your phone ..."));
}

#[test]
fn with_skip_prompt_a_code_is_still_asked_and_a_password_is_not() {
    let room = Room::new();
    room.production(AWS, "alice");
    let ended = Pty::start(&room, &room.call("login -a production --skip-prompt"), false).ends();
    assert_eq!(ended.code, 4);
    ended.showed(&["error: the password is not known", "SAML2CLOUD_PASSWORD"]);
    assert!(room.requests().is_empty() && !ended.shown.contains(PASSWORD));
    let mut pty = Pty::start(&room, &room.call("login -a production --skip-prompt").by("alice"), false);
    pty.asks("? MFA Token ").types(&room.code("alice")).types(ENTER);
    assert_eq!(pty.ends().code, 0);
}

#[test]
fn where_nobody_can_be_asked_it_ends_at_once_and_says_how_to_answer() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.account(cloud, "production", "alice", "");
        let password = ["error: the password is not known", "SAML2CLOUD_PASSWORD"];
        let code = ["error: the one-time code is not known", "--mfa-token CODE", "SAML2CLOUD_MFA_TOKEN"];
        let role = ["grants you several roles and none was named", cloud.role, cloud.admin, "--role ARN", "SAML2CLOUD_ROLE"];
        let call = || room.call("login -a production");
        // Without a terminal.
        call().run().exits(4).says(&password);
        assert!(room.requests().is_empty());
        call().by("alice").run().exits(4).says(&code);
        call().with_code("alice").run().exits(4).says(&role);
        // With one, and the wish not to be asked.
        let calls = [(call(), &password[..]), (call().by("alice"), &code), (call().with_code("alice"), &role)];
        for (call, said) in calls {
            let ended = Pty::start(&room, &call.arg("--no-input"), false).ends();
            assert_eq!(ended.code, 4, "{}", ended.shown);
            ended.showed(said);
            assert!(!ended.shown.contains("\n? "), "{}", ended.shown);
        }
        assert_eq!(room.asked(cloud.sts), 0);
    }
}

#[test]
fn an_account_is_made_by_answering() {
    for cloud in CLOUDS {
        let room = Room::new();
        let mut pty = Pty::start(&room, &room.call("configure -a production"), false);
        let (title, profile) = if cloud.word == "aws" { ("AWS", "AWS Profile") } else { ("Alibaba", "AlibabaCloud CLI Profile") };
        pty.asks("? Which cloud is account production for?").types(title).waits_for(title).types(ENTER);
        pty.asks("? Please choose a provider:").types("jumpc").waits_for("jumpc").types(ENTER);
        pty.asks("? Please choose an MFA").types(ENTER);
        pty.asks(&format!("? {profile} (saml) ")).types(ENTER);
        let url = format!("https://sso.jumpcloud.com/saml2/{}", cloud.app);
        // A slip costs one question, and not all of them.
        pty.asks("? URL ").types("sso.jumpcloud.com/saml2/x").types(ENTER).waits_for("That will not do: ");
        pty.asks("? URL ").types(&url).types(ENTER);
        pty.asks("? Username ").types("alice@example.com").types(ENTER);
        let ended = pty.ends();
        assert_eq!((ended.code, ended.is_sane), (0, true), "{}", ended.shown);
        ended.showed(&["Configuration saved for IDP account: production"]);
        let expected = format!(
            "[production]\nurl = \"{url}\"\nusername = \"alice@example.com\"\nprovider = \"JumpCloud\"\nmfa = \"Auto\"\n{} = \"saml\"\n",
            cloud.profile_key
        );
        assert_eq!(room.read(cloud.accounts), expected);
    }
}

#[test]
fn an_account_is_changed_by_answering_only_what_changes() {
    let room = Room::new();
    room.production(ALIBABA, "alice");
    let before = room.read(ALIBABA.accounts);
    let mut pty = Pty::start(&room, &room.call("configure -a production"), false);
    for question in
        ["? Please choose a provider:", "? Please choose an MFA", "? AlibabaCloud CLI Profile (production) ", "? URL ("]
    {
        pty.asks(question).types(ENTER);
    }
    pty.asks("? Username (alice@example.com) ").types("bob@example.com").types(ENTER);
    assert_eq!(pty.ends().code, 0);
    assert_eq!(room.read(ALIBABA.accounts), before.replace("alice@", "bob@") + "mfa = \"Auto\"\n");
}
