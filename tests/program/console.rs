//! The cloud's console: as a link and in a browser. What counts is the page that the link ends at: whose session it is, where, and for how
//! long; so in most tests somebody follows it.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox::Fault;

use crate::call::check_secrets;
use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, Room};

/// Where the guide's keys are presented.
fn federation(cloud: Cloud) -> &'static str {
    if cloud.word == "aws" { "signin.aws.amazon.com" } else { "signin.aliyun.com" }
}

/// A room where the keys are fresh, and nothing has been asked since.
fn logged_in(cloud: Cloud) -> Room {
    let room = Room::new();
    room.production(cloud, "bob");
    room.call("login -a production").by("bob").run().exits(0);
    room.sandbox.clear_requests();
    room
}

/// Somebody else's browser: follows redirects and takes cookies along. Status and text of the last page.
fn visit(room: &Room, url: &str) -> (u16, String) {
    // A second time it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(&std::fs::read(room.sandbox.ca_file()).unwrap()).unwrap();
    let client = reqwest::Client::builder()
        .proxy(reqwest::Proxy::https(room.sandbox.proxy_url()).unwrap())
        .tls_certs_only([root])
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut url, mut cookies) = (url.to_owned(), BTreeMap::new());
        for _ in 0..5 {
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let answer = client.get(&url).header("cookie", pairs.join("; ")).send().await.unwrap();
            let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            if let Some((name, rest)) = header("set-cookie").as_deref().and_then(|cookie| cookie.split_once('=')) {
                cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
            }
            match header("location") {
                Some(next) => url = next,
                None => return (answer.status().as_u16(), answer.text().await.unwrap()),
            }
        }
        panic!("more than five redirects")
    })
}

/// The address that `console --link` prints: one line, and no secret beside it.
#[track_caller]
fn link(room: &Room, line: &str) -> String {
    let done = room.call(line).by("bob").shows_keys().run().exits(0);
    check_secrets(&room.sandbox, &done.stderr);
    let line = done.stdout.strip_suffix('\n').unwrap();
    assert!(line.starts_with("https://") && !line.contains(char::is_whitespace), "{line}");
    line.to_owned()
}

/// The parts of an address that the query names.
fn query(url: &str) -> BTreeMap<String, String> {
    url::Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

#[test]
fn a_link_opens_the_console_of_whose_keys_they_are() {
    for cloud in CLOUDS {
        let room = logged_in(cloud);
        let done = room.call("console -a production --link").shows_keys().run().exits(0);
        let valid = if cloud.word == "aws" { "within 15 minutes is" } else { "within 30 seconds, once is" };
        done.says(&[&format!("Presenting credentials for production to https://{}/federation\n", federation(cloud)), valid]);
        let seen = room.sandbox.requests();
        let [seen] = seen.as_slice() else { panic!("{seen:?}") };
        // The keys are in the body.
        assert_eq!((seen.method.as_str(), seen.query.len(), seen.host.as_str()), ("POST", 0, federation(cloud)));
        let params: &[&str] = match cloud.word {
            "aws" => &["Action", "Session"],
            _ => &["Action", "AccessKeyId", "AccessKeySecret", "SecurityToken", "TicketType"],
        };
        assert_eq!(seen.params, params);
        let url = link(&room, "console -a production --link");
        let (status, page) = visit(&room, &url);
        let (_, role) = cloud.role.split_once("::").unwrap();
        let (account, role) = role.split_once(":role/").unwrap();
        assert!(status == 200 && page.contains(&format!("{account}:assumed-role/{role}/bob@example.com")), "{status} {page}");
        // It was good once.
        assert_ne!(visit(&room, &url).0, 200);
        // When the session has ended, the console leads back to where it began.
        let back = query(&url);
        let back = back.get("Issuer").or(back.get("LoginUrl")).unwrap();
        assert_eq!(back, &format!("https://sso.jumpcloud.com/saml2/{}", cloud.app));
        assert_eq!(room.asked(cloud.sts), 0, "the keys were there");
    }
}

#[test]
fn without_keys_it_signs_in_and_stdout_is_the_link_alone() {
    for cloud in CLOUDS {
        let room = Room::new();
        room.production(cloud, "bob");
        let url = link(&room, "console -a production --link");
        assert!(visit(&room, &url).1.contains("bob@example.com"));
        assert_eq!(room.asked(cloud.sts), 1);
        // The keys are kept as those of a login are; `--force` gets others.
        room.call("login -a production").run().exits(0).says(&["are good until"]);
        link(&room, "console -a production --link --force");
        assert_eq!(room.asked(cloud.sts), 2);
    }
}

#[test]
fn fresh_keys_that_the_cloud_refuses_are_replaced_once() {
    for cloud in CLOUDS {
        let room = logged_in(cloud);
        let before = room.key_id(cloud, "production");
        room.sandbox.revoke_keys();
        let done = room.call("console -a production --link").by("bob").shows_keys().run().exits(0);
        let url = done.stdout.trim().to_owned();
        done.says(&["The keys that were there are of no use: ", "Selected role: "]);
        assert!(visit(&room, &url).1.contains("bob@example.com"));
        assert_ne!(room.key_id(cloud, "production"), before);
        assert_eq!(room.asked(cloud.sts), 1);

        // New keys that are refused too are not replaced again.
        let no = if cloud.word == "aws" { "<h1>No</h1>" } else { r#"{"Code":"InvalidCredential.X","Message":"No"}"# };
        room.sandbox.fault(federation(cloud), Fault::Status(400, no.into(), "text/html".into()));
        let done = room.call("console -a production --link").by("bob").run().exits(3);
        assert_eq!(done.stdout, "");
        done.says(&["error: ", "gives no console sign-in for these keys", "(HTTP 400): \"No\""]);
        assert_eq!(room.asked(cloud.sts), 2);
    }
}

#[test]
fn an_answer_without_a_sign_in_token_is_an_error() {
    for cloud in CLOUDS {
        for body in ["{}", r#"{"SigninToken":""}"#, "<html>", ""] {
            let room = logged_in(cloud);
            room.sandbox.fault(federation(cloud), Fault::Status(200, body.into(), "application/json".into()));
            let done = room.call("console -a production --link").run().exits(1);
            assert_eq!(done.stdout, "");
            done.says(&[&format!("the console sign-in at {} gave an answer without a sign-in token", federation(cloud))]);
        }
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    for cloud in CLOUDS {
        let room = logged_in(cloud);
        room.sandbox.fault(federation(cloud), Fault::Status(503, String::new(), "text/html".into()).times(1));
        link(&room, "console -a production --link");
        assert_eq!(room.asked(federation(cloud)), 2);
    }
}

#[test]
fn each_partition_has_its_own_console() {
    for (app, role, region, signin, console) in [
        ("acme-aws", "arn:aws:iam::012345678987:role/teams/web/Developer", "", "signin.aws.amazon.com", "console.aws.amazon.com"),
        (
            "acme-aws",
            "arn:aws:iam::012345678987:role/teams/web/Developer",
            "eu-west-1",
            "eu-west-1.signin.aws.amazon.com",
            "eu-west-1.console.aws.amazon.com",
        ),
        // A region of another partition belongs to the tools.
        (
            "acme-aws",
            "arn:aws:iam::012345678987:role/teams/web/Developer",
            "cn-north-1",
            "signin.aws.amazon.com",
            "console.aws.amazon.com",
        ),
        ("acme-aws-cn", "arn:aws-cn:iam::012345678987:role/Developer", "", "signin.amazonaws.cn", "console.amazonaws.cn"),
        (
            "acme-aws-cn",
            "arn:aws-cn:iam::012345678987:role/Developer",
            "cn-northwest-1",
            "signin.amazonaws.cn",
            "cn-northwest-1.console.amazonaws.cn",
        ),
        (
            "acme-aws-us-gov",
            "arn:aws-us-gov:iam::012345678987:role/Developer",
            "",
            "signin.amazonaws-us-gov.com",
            "console.amazonaws-us-gov.com",
        ),
        (
            "acme-aws-us-gov",
            "arn:aws-us-gov:iam::012345678987:role/Developer",
            "us-gov-east-1",
            "signin.amazonaws-us-gov.com",
            "us-gov-east-1.console.amazonaws-us-gov.com",
        ),
    ] {
        let room = Room::new();
        let url = format!("https://sso.jumpcloud.com/saml2/{app}");
        let lines = format!("role_arn = \"{role}\"\nregion = \"{region}\"");
        room.account_at(AWS, "dev", "judy", "JumpCloud", &url, &lines);
        let done = room.call("console -a dev --link").by("judy").shows_keys().run().exits(0);
        assert!(done.stdout.starts_with(&format!("https://{signin}/federation?")), "{app} {region}");
        let (status, page) = visit(&room, done.stdout.trim());
        assert!(status == 200 && page.contains(&format!(" at {console} for")), "{app} {region}: {page}");
    }
}

#[test]
fn each_site_of_alibaba_cloud_has_its_own_console() {
    for (app, lines, signin, console) in [
        ("acme-alibaba", "", "signin.aliyun.com", "home.console.aliyun.com"),
        ("acme-alibaba-intl", "", "signin-intl.aliyun.com", "home-intl.console.aliyun.com"),
        (
            "acme-alibaba-intl",
            "alibabacloud_urn = \"urn:alibaba:cloudcomputing:international\"",
            "signin-intl.aliyun.com",
            "home-intl.console.aliyun.com",
        ),
    ] {
        let room = Room::new();
        let url = format!("https://sso.jumpcloud.com/saml2/{app}");
        room.account_at(ALIBABA, "dev", "bob", "JumpCloud", &url, &format!("role_arn = \"{}\"\n{lines}", ALIBABA.role));
        // From a sign-in, and from the cache, which knows the site too.
        for _ in 0..2 {
            let url = link(&room, "console -a dev --link");
            assert!(url.starts_with(&format!("https://{signin}/federation?")), "{url}");
            let (status, page) = visit(&room, &url);
            assert!(status == 200 && page.contains(&format!(" at {console} for")), "{app}: {page}");
        }
        assert_eq!(room.asked(ALIBABA.sts), 1);
    }
}

#[test]
fn a_session_lasts_as_long_as_the_keys_or_as_it_is_wished() {
    let room = logged_in(AWS);
    assert!(visit(&room, &link(&room, "console -a production --link")).1.contains(" for 60 minutes"));
    let line = "console -a production --link --session-duration 2h";
    assert!(visit(&room, &link(&room, line)).1.contains(" for 120 minutes"));
    let seen = room.sandbox.requests();
    assert!(seen.iter().any(|seen| seen.params == ["Action", "Session", "SessionDuration"]));

    // Keys that one role got from another are refused with a length, and taken without one.
    room.sandbox.fault(AWS_FEDERATION, Fault::Status(400, "<h1>Bad Request</h1>".into(), "text/html".into()).times(1));
    let done = room.call(line).shows_keys().run().exits(0);
    assert!(visit(&room, done.stdout.trim()).1.contains(" for 60 minutes"));
    done.says(&["note: a console session of 7200 seconds is not to be had (", "it lasts as long as the keys"]);
    assert_eq!(room.asked(AWS.sts), 0);
}

const AWS_FEDERATION: &str = "signin.aws.amazon.com";

#[test]
fn skip_verify_does_not_reach_the_console() {
    for cloud in CLOUDS {
        let room = logged_in(cloud);
        room.sandbox.fault(federation(cloud), Fault::WrongName);
        let done = room.call("console -a production --link --skip-verify").run().exits(5);
        assert_eq!(done.stdout, "");
        done.says(&["showed a certificate that is not trusted"]);
    }
}

#[test]
fn a_partition_without_a_known_console_is_named() {
    let room = Room::new();
    let role = "arn:aws-iso:iam::012345678987:role/Developer";
    room.account(AWS, "iso", "bob", &format!("role_arn = \"{role}\""));
    room.write(
        AWS.profiles,
        "[iso]\naws_access_key_id = ASIAEXAMPLE\naws_secret_access_key = s\naws_session_token = t\n\
             x_principal_arn = arn:aws-iso:sts::012345678987:assumed-role/Developer/bob\nx_security_token_expires = 2099-01-01T00:00:00Z\n",
    );
    room.call("console -a iso --link").run().exits(1).says(&["no console sign-in is known for AWS's partition `aws-iso`"]);
    assert!(room.requests().is_empty());
}

/// A browser that only notes what it was started with, and goes on running.
#[cfg(unix)]
fn note_taker(room: &Room) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let script = "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$HOME/opening\"\nmv \"$HOME/opening\" \"$HOME/opened\"\n";
    let path = room.write("browser.sh", script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
#[cfg(unix)]
fn the_browser_is_sent_to_the_console_and_started_without_the_secret() {
    for cloud in CLOUDS {
        let room = logged_in(cloud);
        let call = room.call("console -a production").var("BROWSER", &note_taker(&room));
        let mut child = call.command().spawn().unwrap();
        let noted = room.home().join("opened");
        while !noted.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let started_with = room.read("opened");
        check_secrets(&room.sandbox, &started_with);
        assert!(started_with.starts_with("http://127.0.0.1:") && started_with.lines().count() == 1, "{started_with}");
        // Whoever guesses gets nothing, and does not use it up.
        let root = started_with.trim().rsplit_once('/').unwrap().0;
        assert_eq!(visit(&room, &format!("{root}/")).0, 404);
        let (status, page) = visit(&room, started_with.trim());
        assert!(status == 200 && page.contains("/bob@example.com"), "{status} {page}");
        let output = child.wait_with_output().unwrap();
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!((output.status.code(), out.as_str()), (Some(0), ""), "{err}");
        assert!(err.contains("Your browser is at the console of ") && err.contains("/bob@example.com\n"), "{err}");
        check_secrets(&room.sandbox, &err);
    }
}

#[test]
#[cfg(all(unix, not(target_os = "macos")))]
fn without_a_browser_the_link_is_recommended() {
    let room = Room::new();
    room.production(AWS, "bob");
    let done = room.call("console -a production").by("bob").run().exits(1);
    done.says(&["error: cannot open a browser\n  caused by: there is no display", "hint: `--link` prints the address"]);
    assert!(room.requests().is_empty(), "nobody signs in for nothing");
}

#[test]
fn a_role_on_top_of_the_login_has_its_own_console() {
    for cloud in CLOUDS {
        let room = logged_in(cloud);
        match cloud.word {
            "aws" => room.write(".aws/config", "[profile deploy]\nrole_arn = arn:aws:iam::012345678987:role/Deploy\n"),
            _ => {
                let mut file: serde_json::Value = serde_json::from_str(&room.read(cloud.profiles)).unwrap();
                file["profiles"].as_array_mut().unwrap().push(serde_json::json!({
                    "name": "deploy", "mode": "ChainableRamRoleArn", "source_profile": "production",
                    "ram_role_arn": "acs:ram::012345678987:role/Deploy",
                }));
                room.write(cloud.profiles, &file.to_string())
            }
        };
        let line = "console -a production --exec-profile deploy --link --session-duration 1h";
        let url = link(&room, line);
        let (status, page) = visit(&room, &url);
        assert!(status == 200 && page.contains("012345678987:assumed-role/Deploy/bob@example.com"), "{status} {page}");
        assert_eq!(room.asked(cloud.sts), 1, "the login's keys were there");
        link(&room, line);
        assert_eq!(room.asked(cloud.sts), 1, "and the role's are now");
        room.call("console -a production --exec-profile nowhere --link").run().exits(2).says(&["nowhere"]);
    }
}
