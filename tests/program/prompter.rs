//! A pinentry program asks. The protocol is shown below (`ask::pinentry`); here it is that the chosen program is asked for secrets alone,
//! that its answers sign in, and that the ones people have understand us.

use std::os::unix::fs::PermissionsExt as _;

use crate::call::Call;
use crate::pty::{CTRL_C, ENTER, Pty};
use crate::support::{AWS, CLOUDS, Room};

/// A program that answers each prompt from the files in its folder and writes down what it hears.
const FAKE: &str = r#"#!/bin/sh
folder=$(dirname "$0")
echo "OK Pleased to meet you"
while read -r word rest; do
    echo "$word $rest" >>"$folder/heard"
    case $word in
    SETPROMPT) prompt=${rest%:}; echo OK ;;
    GETPIN)
        if [ -f "$folder/error" ]; then
            echo "ERR $(cat "$folder/error")"
        else
            echo "D $(cat "$folder/$prompt")"
            echo OK
        fi ;;
    BYE) echo "OK closing connection"; exit ;;
    *) echo OK ;;
    esac
done
"#;

/// Puts a program of that name, and its answers, where programs are looked for.
fn with_fake<'r>(room: &Room, call: Call<'r>, answers: &[(&str, &str)]) -> Call<'r> {
    let folder = room.outside("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("pinentry-fake");
    std::fs::write(&program, FAKE).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (name, text) in answers {
        std::fs::write(folder.join(name), text).unwrap();
    }
    call.var("PATH", &format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()))
}

fn is_installed(program: &str) -> bool {
    std::process::Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn it_is_asked_for_password_and_code_without_a_terminal() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.account(cloud, "production", "alice", &format!("role_arn = \"{}\"\nprompter = \"pinentry-fake\"\n", cloud.role));
        // What would end a line of the protocol is escaped in answers too.
        let mut alice = room.sandbox.directory().person("alice@example.com").unwrap().clone();
        alice.password = "100% alice".to_owned();
        let code = room.code("alice");
        room.sandbox.put(alice);
        let call = with_fake(&room, room.call("login -a production"), &[("Password", "100%25 alice"), ("MFA Token", &code)]);
        call.var("LC_ALL", "de_DE.UTF-8").run().exits(0).says(&["Logged in as: "]);
        let heard = std::fs::read_to_string(room.outside("bin/heard")).unwrap();
        for line in [
            "OPTION ttytype=xterm-256color",
            "OPTION lc-ctype=de_DE.UTF-8",
            "SETTITLE saml2cloud",
            "SETDESC saml2cloud signs in with account production",
            "SETPROMPT Password:",
            "SETPROMPT MFA Token:",
        ] {
            assert!(heard.lines().any(|heard| heard == line), "no `{line}` in:\n{heard}");
        }
        assert_eq!(heard.matches("GETPIN").count(), 2);
        // What a flag says wins over the account, and the terminal's words mean the terminal.
        let call = with_fake(&room, room.call("login -a production --force --prompter default"), &[]);
        call.run().exits(4).says(&["the password is not known"]);
        let call = with_fake(&room, room.call("login -a production --force --no-input"), &[]);
        call.run().exits(4).says(&["the password is not known"]);
        let call = with_fake(&room, room.call("login -a production --force --skip-prompt"), &[]);
        call.run().exits(4).says(&["the password is not known"]);
    }
}

#[test]
fn what_is_no_secret_is_asked_on_the_terminal() {
    let room = Room::new();
    room.account(AWS, "production", "alice", "");
    let text = room.read(AWS.accounts).replace("username = \"alice@example.com\"\n", "");
    room.write(AWS.accounts, &text);
    let answers = [("Password", room.password("alice")), ("MFA Token", room.code("alice"))];
    let answers = answers.each_ref().map(|(name, text)| (*name, text.as_str()));
    let call = with_fake(&room, room.call("login -a production --prompter pinentry-fake"), &answers);
    let mut pty = Pty::start(&room, &call, false);
    pty.asks("? Username ").types("alice@example.com").types(ENTER);
    pty.asks("? Please choose the role").types("Develop").waits_for("Develop").types(ENTER);
    let ended = pty.ends();
    assert_eq!((ended.code, ended.is_sane), (0, true), "{}", ended.shown);
    assert!(!ended.shown.contains("? Password") && !ended.shown.contains("? MFA Token"), "{}", ended.shown);
    assert!(std::fs::read_to_string(room.outside("bin/heard")).unwrap().contains("OPTION ttyname=/dev/tty\n"));
}

#[test]
fn it_asks_for_the_passphrase_of_saved_passwords() {
    let room = Room::new();
    room.account(AWS, "production", "bob", "prompter = \"pinentry-fake\"\n");
    let password = room.password("bob");
    let phrase = "a passphrase for the box";
    let answers = [
        ("Password", password.as_str()),
        ("New passphrase for saved passwords (empty: save none)", phrase),
        ("Once more", phrase),
        ("Passphrase for saved passwords", phrase),
    ];
    let role = format!("login -a production --force --role {}", AWS.role);
    let call = || with_fake(&room, room.call(&role).var("SAML2CLOUD_KEYCHAIN", "file"), &answers);
    call().run().exits(0).does_not_say("note:");
    call().run().exits(0).says(&["Using the saved password"]);
}

#[test]
fn what_can_go_wrong_is_told() {
    let room = Room::new();
    room.production(AWS, "bob");
    let before = room.tree();
    let call = |error: &str| {
        let call = room.call("login -a production --prompter pinentry-fake");
        with_fake(&room, call, &[("error", error)]).run()
    };
    call("83886179 Operation cancelled <Pinentry>").exits(4).says(&["error: the password was not given"]);
    let done = call("83918950 Inappropriate ioctl for device <Pinentry>").exits(4);
    done.says(&["error: `pinentry-fake` cannot ask: Inappropriate ioctl for device <Pinentry>"]);
    let done = room.call("login -a production --prompter pinentry-nowhere").run().exits(2);
    done.says(&["error: cannot run `pinentry-nowhere` to ask; `--prompter default` asks on the terminal", "caused by: "]);
    for wrong in ["zenity", "pinentryx", "pinentry-/bin/sh", "../pinentry"] {
        let done = room.call("login -a production --prompter").arg(wrong).run().exits(2);
        done.says(&["`--prompter` will not do: ", &format!("`{wrong}` is none of `default`, `pinentry` and `pinentry-…`")]);
    }
    assert!(room.requests().is_empty());
    assert_eq!(room.tree(), before);
}

/// The programs that people have, at a terminal.
#[test]
fn the_real_ones_understand_us() {
    for program in ["pinentry-tty", "pinentry-curses"] {
        if !is_installed(program) {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "SKIPPED: `{program}` is not installed (Debian's package of that name)");
            continue;
        }
        let room = Room::new();
        room.account(AWS, "production", "bob", &format!("role_arn = \"{}\"\nprompter = \"{program}\"\n", AWS.role));
        let mut pty = Pty::start(&room, &room.call("login -a production"), false);
        pty.waits_for("saml2cloud signs in with account production").asks("Password:").types(&room.password("bob")).types(ENTER);
        let ended = pty.ends();
        assert_eq!((ended.code, ended.is_sane), (0, true), "{program}: {}", ended.shown);
        assert!(ended.shown.contains("Logged in as: ") && !ended.shown.contains(&room.password("bob")), "{}", ended.shown);
        let before = room.tree();
        let mut pty = Pty::start(&room, &room.call("login -a production --force"), false);
        pty.asks("Password:").types(CTRL_C);
        pty.ends().was_interrupted();
        assert_eq!(room.tree(), before);
    }
}
