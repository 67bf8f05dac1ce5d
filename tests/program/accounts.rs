//! Accounts: what `configure` writes, which account of which file a command takes, and what it says when it cannot. The files are the
//! old tools' and people edit them by hand, so each test begins with a text and ends with one.

use std::path::PathBuf;

use crate::support::{ALIBABA, AWS, BIN, CLOUDS, Cloud, Room, mode};

/// The guide's `configure`.
fn guide(room: &Room, cloud: Cloud, more: &str) -> crate::call::Done {
    let url = format!("https://sso.jumpcloud.com/saml2/{}", cloud.app);
    let line =
        "configure --idp-account=production --idp-provider=JumpCloud --mfa=Auto --username=alice@example.com --skip-prompt";
    room.call(&format!("{line} --url={url} --role={} {more}", cloud.role)).run()
}

/// A file as saml2aws 2.36 writes it, and as its people go on to edit it.
const OLD: &str = "; written by saml2aws
[default]
name                    = default
app_id                  = 
url                     = https://sso.jumpcloud.com/saml2/acme-prod-aws-admin#/frag
username                = alice@example.com
provider                = JumpCloud
mfa                     = Auto
skip_verify             = false
timeout                 = 0
aws_urn                 = urn:amazon:webservices
aws_session_duration    = 3600
aws_profile             = saml
subdomain               = `a # b`
role_arn                = arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO
saml_cache              = false # not ours

# another one
[other]
url=https://sso.jumpcloud.com/saml2/acme-aws
username : bob@example.com
provider = \"JumpCloud\"  ; quoted
mfa =
";

#[test]
fn a_new_account_is_written_as_both_kinds_of_readers_understand_it() {
    for cloud in CLOUDS {
        let room = Room::new();
        let done = guide(&room, cloud, "").exits(0);
        assert!(done.stderr.ends_with("\nConfiguration saved for IDP account: production\n"), "{}", done.stderr);
        assert_eq!(done.stdout, "");
        let url = format!("https://sso.jumpcloud.com/saml2/{}", cloud.app);
        let expected = format!(
            "[production]\nurl = \"{url}\"\nusername = \"alice@example.com\"\nprovider = \"JumpCloud\"\nmfa = \"Auto\"\n{} = \"saml\"\nrole_arn = \"{}\"\n",
            cloud.profile_key, cloud.role
        );
        assert_eq!(room.read(cloud.accounts), expected);
        assert_eq!(mode(&room.home().join(cloud.accounts)), 0o600);
        // The same again changes nothing; a flag more is a line more.
        guide(&room, cloud, "").exits(0);
        assert_eq!(room.read(cloud.accounts), expected);
        guide(&room, cloud, "--profile production --region eu-west-1 --session-duration 12h").exits(0);
        let changed = expected.replace("\"saml\"", "\"production\"");
        let more = format!("{changed}{} = \"12h\"\nregion = \"eu-west-1\"\n", cloud.duration_key);
        assert_eq!(sorted(&room.read(cloud.accounts)), sorted(&more));
    }
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_change_keeps_comments_and_other_accounts() {
    let text = "# mine\n\n[production] # the one\nurl = \"https://sso.jumpcloud.com/saml2/acme-aws\"   # as in the portal\nusername = 'bob@example.com'\nprovider = \"JumpCloud\"\nmine = [1, 2]\n\n[other]\nurl = \"x\" # broken, and none of our business\n";
    let room = Room::new();
    room.write(AWS.accounts, text);
    room.call("configure -a production --skip-prompt --username alice@example.com --profile prod").run().exits(0);
    let expected = text
        .replace("'bob@example.com'", "\"alice@example.com\"")
        .replace("mine = [1, 2]\n", "mine = [1, 2]\nmfa = \"Auto\"\naws_profile = \"prod\"\n");
    assert_eq!(room.read(AWS.accounts), expected);
}

#[test]
fn an_old_file_changes_in_the_changed_line_alone() {
    let room = Room::new();
    room.write(AWS.accounts, OLD);
    room.call("configure --skip-prompt --username bob@example.com").run().exits(0);
    let expected = OLD.replacen("alice@", "bob@", 1);
    assert_eq!(room.read(AWS.accounts), expected);
    let values = "configure -a other --skip-prompt --mfa TOTP --profile".split(' ');
    let call = values.fold(room.call(""), |call, word| call.arg(word)).arg("my # own");
    call.run().exits(0);
    let text = room.read(AWS.accounts);
    let start = expected.replace("mfa =\n", "mfa = TOTP\n");
    assert!(text.starts_with(&start), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.trim_start().starts_with("aws_profile") && last.ends_with("= `my # own`"), "{last}");
    // And it means what it says.
    room.call("login -a other --role").arg(AWS.role).by("bob").run().exits(0);
    assert!(room.read(AWS.profiles).contains("[my # own]\n"));
}

/// The old tools' library trims each line, so in their files an indented line is a key like any other.
#[test]
fn an_indented_line_is_a_key() {
    let room = Room::new();
    let text = OLD.replace("username", "  username").replace("role_arn", "\trole_arn");
    room.write(AWS.accounts, &text);
    room.call("login").with_code("alice").run().exits(0).says(&["Authenticating as alice@example.com"]);
    room.call("configure --skip-prompt --username bob@example.com").run().exits(0);
    assert_eq!(room.read(AWS.accounts), text.replacen("alice@", "bob@", 1));
}

#[test]
fn a_line_added_by_hand_without_quotes_is_read_and_kept() {
    let room = Room::new();
    guide(&room, ALIBABA, "").exits(0);
    let text = room.read(ALIBABA.accounts).replace("alibabacloud_profile = \"saml\"", "alibabacloud_profile = production");
    room.write(ALIBABA.accounts, &text);
    room.call("login -a production").with_code("alice").run().exits(0).says(&["aliyun --profile production sts"]);
    assert_eq!(room.alibaba_profile("production")["mode"], "StsToken");
    room.call("configure -a production --skip-prompt --username bob@example.com").run().exits(0);
    let changed = room.read(ALIBABA.accounts);
    let lines: Vec<(&str, &str)> = text.lines().zip(changed.lines()).filter(|(old, new)| old != new).collect();
    assert_eq!(lines.len(), 1, "{changed}");
    assert!(lines[0].1.contains("bob@example.com"));
    room.call("login -a production").by("bob").run().exits(0);
}

#[test]
fn a_broken_file_is_named_with_its_line() {
    for (text, line) in [
        ("[[accounts]]\nurl \"x\"\n", "line 2"),
        ("[production]\nurl = x\nwhat is this\n", "line 3"),
        ("{\"production\": 1}\n[a]\n???\n", "line "),
    ] {
        let room = Room::new();
        room.write(AWS.accounts, text);
        for command in ["login -a production", "accounts", "configure -a production --skip-prompt"] {
            let path = room.home().join(AWS.accounts).display().to_string();
            room.call(command).run().exits(2).says(&[&format!("`{path}` is no accounts file: "), line]);
        }
        assert_eq!(room.read(AWS.accounts), text);
    }
}

#[test]
fn an_unknown_account_is_told_the_known_ones() {
    let room = Room::new();
    room.call("login -a nope")
        .run()
        .exits(2)
        .says(&["no account `nope`; none is configured yet", "`saml2cloud configure` makes"]);
    room.production(AWS, "bob");
    room.account(ALIBABA, "china", "bob", "");
    let done = room.call("exec -a nope env").run().exits(2);
    done.says(&["there is no account `nope`; there are: production (AWS), china (Alibaba Cloud)"]);
}

#[test]
fn of_two_accounts_of_one_name_nobody_guesses() {
    let room = Room::new();
    room.production(AWS, "bob");
    room.production(ALIBABA, "bob");
    let path = |cloud: Cloud| room.home().join(cloud.accounts).display().to_string();
    let said = format!("account `production` is in `{}` and in `{}`", path(AWS), path(ALIBABA));
    for command in ["login -a production", "exec -a production env"] {
        room.call(command).by("bob").run().exits(4).says(&[&said, "--cloud aws", "--cloud alibaba"]);
    }
    for cloud in CLOUDS {
        room.call(&format!("login -a production --cloud {}", cloud.word)).by("bob").run().exits(0);
        assert_eq!(room.asked(cloud.sts), 1);
        room.call("login -a production").by("bob").var("SAML2CLOUD_CLOUD", cloud.word).run().exits(0);
        room.call(&format!("login -a production --role {}", cloud.role)).by("bob").run().exits(0);
        assert_eq!(room.asked(cloud.sts), 1);
    }
}

#[test]
#[cfg(unix)]
fn the_old_names_settle_which_is_meant() {
    let room = Room::new();
    room.production(AWS, "bob");
    room.production(ALIBABA, "bob");
    for (name, cloud, other) in [("saml2aws", AWS, ALIBABA), ("saml2alibabacloud", ALIBABA, AWS)] {
        let link: PathBuf = room.outside(name);
        std::os::unix::fs::symlink(BIN, &link).unwrap();
        room.sandbox.clear_requests();
        room.call("login -a production").named(&link).by("bob").run().exits(0);
        assert_eq!((room.asked(cloud.sts), room.asked(other.sts)), (1, 0));
        // As the guide has it: no `--cloud`, no role.
        let url = format!("--url=https://sso.jumpcloud.com/saml2/{}", cloud.app);
        let call = room.call("configure -a fresh --idp-provider=JumpCloud --username=bob@example.com --skip-prompt").arg(url);
        call.named(&link).run().exits(0);
        assert!(room.read(cloud.accounts).contains("[fresh]"));
        assert!(name == "saml2alibabacloud" || !room.read(other.accounts).contains("[fresh]"));
    }
}

#[test]
fn providers_known_and_unknown() {
    let room = Room::new();
    let url = "--url https://id.example.com/realms/x --username me --skip-prompt --role";
    let configure = |provider: &str| room.call(&format!("configure -a x --idp-provider {provider} {url}")).arg(AWS.role).run();
    for provider in saml2cloud::app::KNOWN_ELSEWHERE {
        configure(provider).exits(0).says(&[&format!("the provider `{provider}` is not built yet"), "`Form`"]);
        let done = room.call("login -a x").var("SAML2CLOUD_PASSWORD", "irrelevant").run().exits(2);
        done.says(&[&format!("error: the provider `{provider}` is not built yet"), "configure --idp-provider Form"]);
    }
    assert!(room.requests().is_empty());
    let before = room.tree();
    configure("jumpcloud").exits(2).says(&["`jumpcloud` is not the name of a provider", "did you mean `JumpCloud`?"]);
    configure("Nonsense").exits(2).says(&["`Nonsense` is not the name of a provider", "Form, IdentityCenter, JumpCloud"]);
    configure("JumpCloud").exits(2).says(&["it should look like `https://sso.jumpcloud.com/saml2/NAME`"]);
    assert_eq!(room.tree(), before, "nothing was saved");
}

#[test]
fn what_is_missing_is_named_with_how_to_give_it() {
    let room = Room::new();
    room.write(AWS.accounts, "[x]\nprovider = \"JumpCloud\"\n[y]\nurl = \"https://sso.jumpcloud.com/saml2/acme-aws\"\n");
    room.call("login -a x").run().exits(2).says(&["account `x` has no `url`", "`--url`", "`SAML2CLOUD_URL`"]);
    room.call("login -a y").run().exits(2).says(&["account `y` has no `provider`", "`--idp-provider`"]);
    let call = room.call("login -a y --idp-provider JumpCloud").var("SAML2CLOUD_ROLE", AWS.role);
    call.var("SAML2CLOUD_USERNAME", "bob@example.com").by("bob").run().exits(0);
    room.call("login -a x --cloud azure").run().exits(2).says(&["`azure` is no cloud; there are `aws` and `alibaba`"]);
    assert!(room.call("login --no-such-flag").run().exits(2).stdout.is_empty());
}

#[test]
fn the_list_for_people_and_for_programs() {
    let room = Room::new();
    assert_eq!(room.call("accounts").run().exits(0).stdout, "");
    assert_eq!(room.call("accounts --output json").run().exits(0).stdout, "[]\n");
    room.production(AWS, "bob");
    room.account(ALIBABA, "china", "alice", "");
    let table = "\
NAME        CLOUD    PROVIDER   USERNAME           PROFILE     ROLE                                                 FILE
production  aws      JumpCloud  bob@example.com    production  arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO  ~/.saml2aws
china       alibaba  JumpCloud  alice@example.com  china       -                                                    ~/.saml2alibabacloud
";
    assert_eq!(room.call("accounts").run().exits(0).stdout, table);
    let json: serde_json::Value = serde_json::from_str(&room.call("accounts --output json").run().exits(0).stdout).unwrap();
    let china = serde_json::json!({
        "name": "china", "cloud": "alibaba", "provider": "JumpCloud", "username": "alice@example.com", "profile": "china",
        "role": null, "url": "https://sso.jumpcloud.com/saml2/acme-prod-alibabacloud-admin",
        "file": room.home().join(ALIBABA.accounts).display().to_string(),
    });
    assert_eq!((json.as_array().unwrap().len(), &json[1]), (2, &china));
    assert!(room.requests().is_empty());
}

#[test]
fn names_of_an_attacker_do_not_draw() {
    for text in [
        "[\"e\\u001b[31mvil\"]\nurl = \"u\\u009b2J\"\nusername = \"\\u202ex\"\nprovider = \"p\\u0007\"\naws_profile = \"\\u001b]0;t\"\n",
        "[e\u{1b}[31mvil]\nurl=u\u{9b}2J\nusername=\u{202e}x\nprovider=p\u{7}\naws_profile=\u{1b}]0;t\n",
    ] {
        let room = Room::new();
        room.write(AWS.accounts, &format!("{text}[plain]\nurl=\"u\"\nusername=\"a\u{9b}31mb\"\nprovider=\"\u{202e}p\"\n"));
        let table = room.call("accounts").run().exits(0).stdout;
        crate::call::check_clean(&table);
        assert!(table.contains("plain") && table.contains("a\\u{9b}31mb"), "{table}");
        assert!(!room.call("accounts -o json").run().exits(0).stdout.contains('\u{1b}'));
        // The talk of every call is checked for what is raw.
        room.call("login -a nope").run().exits(2);
        room.call("login -a plain").run().exits(2);
        room.call("login -a").arg("e\u{1b}[31mvil").run().exits(2);
    }
}

#[test]
fn a_named_file_serves_both_clouds() {
    let room = Room::new();
    let path = room.outside("elsewhere.toml").display().to_string();
    guide(&room, AWS, &format!("--config {path}")).exits(0);
    let role = format!("--role={}", ALIBABA.role);
    let url = format!("--url=https://sso.jumpcloud.com/saml2/{}", ALIBABA.app);
    let call = room.call("configure -a china --idp-provider=JumpCloud --username=bob@example.com --skip-prompt");
    call.arg(url).arg(role).var("SAML2CLOUD_CONFIGFILE", &path).run().exits(0);
    assert!(!room.home().join(AWS.accounts).exists() && !room.home().join(ALIBABA.accounts).exists());
    assert_eq!(mode(&PathBuf::from(&path)), 0o600);
    room.call("login -a china --config").arg(&path).by("bob").run().exits(0);
    assert_eq!(room.asked(ALIBABA.sts), 1);
    room.call("login -a production").with_code("alice").var("SAML2CLOUD_CONFIGFILE", &path).run().exits(0);
    assert_eq!(room.asked(AWS.sts), 1);
    room.call("login -a production").run().exits(2).says(&["none is configured yet"]);
}
