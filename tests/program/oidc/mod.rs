//! Sign-ins with ID tokens: every place that one comes from, and everything that may be wrong with it.

mod person;

use std::io::Write as _;
use std::process::Stdio;

use sandbox::{Fault, Signing, Token};

use crate::call::{Call, Done, check_secrets};
use crate::support::{ALIBABA, AWS, CLOUDS, Cloud, GUIDE, Room};

const ACME: &str = "https://id.acme.example";

/// A role that trusts the issuer of example.com, and one that trusts the main branch on GitHub.
fn role(cloud: Cloud, name: &str) -> String {
    match cloud.word {
        "aws" => format!("arn:aws:iam::{GUIDE}:role/{name}"),
        _ => format!("acs:ram::{GUIDE}:role/{name}"),
    }
}

fn audience(cloud: Cloud) -> &'static str {
    if cloud.word == "aws" { "sts.amazonaws.com" } else { "sts.aliyuncs.com" }
}

/// `exec` that prints the ID of the key, with a role and, where the cloud wants it, the provider.
fn exec<'r>(room: &'r Room, cloud: Cloud, name: &str, flags: &str) -> Call<'r> {
    let provider = match (cloud.word, name) {
        ("aws", _) => String::new(),
        (_, "AcmeDeploy") => format!("--oidc-provider-arn acs:ram::{GUIDE}:oidc-provider/github"),
        (_, "AcmeGrant") => format!("--oidc-provider-arn acs:ram::{GUIDE}:oidc-provider/usegrant"),
        _ => format!("--oidc-provider-arn acs:ram::{GUIDE}:oidc-provider/acme"),
    };
    room.call(&format!("exec --role {} {provider} {flags} -- printenv {}", role(cloud, name), cloud.key_variable))
}

#[track_caller]
fn is_key(cloud: Cloud, done: &Done) {
    let start = if cloud.word == "aws" { "ASIA" } else { "STS." };
    assert!(done.stdout.starts_with(start) && done.stdout.lines().count() == 1, "{}", done.stdout);
}

fn github_token(room: &Room, cloud: Cloud) -> String {
    room.sandbox.token(&Token::github(audience(cloud)))
}

#[test]
fn the_clouds_own_variables_alone_are_enough() {
    for cloud in CLOUDS {
        let room = Room::new();
        // An editor's newline at the end does no harm.
        let file = room.write("token", &format!("{}\n", github_token(&room, cloud)));
        let file = file.to_str().unwrap();
        let call = |room: &'_ Room, line: &str| -> Done {
            let call = room.call(line);
            let call = match cloud.word {
                "aws" => call.var("AWS_ROLE_ARN", &role(cloud, "AcmeDeploy")).var("AWS_WEB_IDENTITY_TOKEN_FILE", file),
                _ => call
                    .var("ALIBABA_CLOUD_ROLE_ARN", &role(cloud, "AcmeDeploy"))
                    .var("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", &format!("acs:ram::{GUIDE}:oidc-provider/github"))
                    .var("ALIBABA_CLOUD_OIDC_TOKEN_FILE", file),
            };
            call.shows_keys().run()
        };
        let done = call(&room, "exec -- env").exits(0).says(&["using ID token"]);
        assert!(done.stdout.contains(&format!("\n{}=", cloud.key_variable)) || done.stdout.starts_with(cloud.key_variable));
        // Or a tool in the child would fetch other keys, or fail on a file that is gone.
        for name in ["AWS_ROLE_ARN=", "AWS_WEB_IDENTITY_TOKEN_FILE=", "ALIBABA_CLOUD_ROLE_ARN=", "ALIBABA_CLOUD_OIDC_TOKEN_FILE="]
        {
            assert!(!done.stdout.contains(name), "{name}");
        }
        assert!(!room.home().join(cloud.profiles).exists(), "nobody named a profile");
        // Fresh keys serve again, whatever becomes of the token.
        room.sandbox.clear_requests();
        call(&room, "exec -- true").exits(0);
        assert!(room.requests().is_empty());
        // The session is called by the token's subject, and the token's file is read anew.
        let rotated =
            Token { subject: "repo:acme/infra:ref:refs/heads/main".to_owned(), lifetime: 200, ..Token::github(audience(cloud)) };
        std::fs::write(file, room.sandbox.token(&rotated)).unwrap();
        call(&room, "login --force --profile ci").exits(0).says(&["assumed-role/AcmeDeploy/repo_acme_infra_ref_refs_heads_main"]);
        assert!(!room.key_id(cloud, "ci").is_empty());
        std::fs::write(file, room.sandbox.token(&Token { subject: "repo:acme/infra:pull_request".to_owned(), ..rotated }))
            .unwrap();
        call(&room, "exec --force -- true").exits(3).says(&["sub \"repo:acme/infra:pull_request\""]);
    }
}

#[test]
fn tokens_that_somebody_else_made() {
    for cloud in CLOUDS {
        let room = Room::new();
        let token = github_token(&room, cloud);
        let path = room.write("deep/token", &token);
        is_key(cloud, &exec(&room, cloud, "AcmeDeploy", &format!("--oidc file:{}", path.display())).run().exits(0));
        is_key(cloud, &exec(&room, cloud, "AcmeDeploy", "--oidc-token-file ~/deep/token").run().exits(0));
        is_key(cloud, &exec(&room, cloud, "AcmeDeploy", "--oidc env:MY_TOKEN").var("MY_TOKEN", &token).run().exits(0));
        is_key(cloud, &exec(&room, cloud, "AcmeDeploy", "--oidc gitlab").var("GITLAB_OIDC_TOKEN", &token).run().exits(0));
        is_key(cloud, &exec(&room, cloud, "AcmeDeploy", "--oidc auto").var("SAML2CLOUD_OIDC_TOKEN", &token).run().exits(0));
        let call = exec(&room, cloud, "AcmeDeploy", "--oidc command").var("SAML2CLOUD_OIDC_TOKEN_COMMAND", "cat deep/token");
        is_key(cloud, &call.run().exits(0));
        let call = exec(&room, cloud, "AcmeDeploy", "--oidc stdin");
        let mut child = call.command().stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{token}\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        check_secrets(&room.sandbox, &String::from_utf8_lossy(&output.stderr));
        assert_eq!(room.asked(cloud.sts), 7);
    }
}

#[test]
fn keys_for_one_token_are_not_those_for_another() {
    let room = Room::new();
    let key = |name: &str| {
        let token = github_token(&room, AWS);
        exec(&room, AWS, "AcmeDeploy", &format!("--oidc env:{name}")).var(name, &token).run().exits(0).stdout
    };
    let (one, other) = (key("ONE"), key("OTHER"));
    assert_ne!(one, other);
    assert_eq!((key("ONE"), key("OTHER")), (one, other), "each is remembered");
}

#[test]
#[cfg(unix)]
fn a_token_is_not_handed_on() {
    let room = Room::new();
    let call = room.call(&format!("exec --oidc auto --role {} -- env", role(AWS, "AcmeDeploy")));
    let call = call.var("SAML2CLOUD_OIDC_TOKEN", &github_token(&room, AWS)).var("SAML2CLOUD_OIDC_CLIENT_SECRET", "c");
    let done = call.shows_keys().run().exits(0);
    assert!(!done.stdout.contains("SAML2CLOUD_OIDC"), "a child needs neither");
}

#[test]
fn github_gives_a_job_its_token() {
    for cloud in CLOUDS {
        let room = Room::new();
        let job = room.sandbox.github_job();
        let with_job = |call: Call<'_>| job.iter().fold(call, |call, (name, value)| call.var(name, value)).run();
        is_key(cloud, &with_job(exec(&room, cloud, "AcmeDeploy", "--oidc github")).exits(0));
        assert_eq!(room.requests()[0], "GET pipelines.actions.githubusercontent.com/acme/jobs/7/idtoken");
        // The audience is asked for; GitHub's own default would be the owner's address.
        let done = with_job(exec(&room, cloud, "AcmeDeploy", "--oidc github --oidc-audience https://github.com/acme --force"));
        let done = done
            .exits(3)
            .says(&["the token says: iss \"https://token.actions.githubusercontent.com\", aud \"https://github.com/acme\""]);
        done.says(&["sub \"repo:acme/infra:ref:refs/heads/main\", iat 2", "typ \"JWT\", alg \"ES256\"", "hint: "]);
    }
    let room = Room::new();
    let done = exec(&room, AWS, "AcmeDeploy", "--oidc github").var("GITHUB_ACTIONS", "true").run().exits(2);
    done.says(&["the job has no permission `id-token: write`", "hint: add `permissions: { id-token: write }`"]);
    exec(&room, AWS, "AcmeDeploy", "--oidc github").run().exits(2).says(&["this is no job of GitHub Actions"]);
    exec(&room, AWS, "AcmeDeploy", "--oidc gitlab").run().exits(2).says(&["`GITLAB_OIDC_TOKEN` is not set", "id_tokens: {"]);
    let job = room.sandbox.github_job();
    let call = exec(&room, AWS, "AcmeDeploy", "--oidc github").var(job[1].0, &job[1].1).var(job[2].0, "an-old-token");
    call.run().exits(3).says(&["GitHub Actions refused the request for an ID token: HTTP 401"]);
    room.sandbox
        .fault("pipelines.actions.githubusercontent.com", Fault::Status(200, "<html>Unicorn!</html>".into(), "text/html".into()));
    let call = exec(&room, AWS, "AcmeDeploy", "--oidc github").var(job[1].0, &job[1].1).var(job[2].0, &job[2].1);
    call.run().exits(1).says(&["did not understand the answer of GitHub Actions", "a page for people, not JSON"]);
    assert_eq!(room.asked(AWS.sts), 0);
}

/// An account of the issuer of example.com.
fn account(room: &Room, cloud: Cloud, lines: &str) {
    let provider = if cloud.word == "aws" {
        String::new()
    } else {
        format!("oidc_provider_arn = \"acs:ram::{GUIDE}:oidc-provider/acme\"\n")
    };
    let text = format!(
        "[web]\nprovider = \"OIDC\"\nurl = \"{ACME}\"\nrole_arn = \"{}\"\n{} = \"web\"\n{provider}{lines}\n",
        role(cloud, "AcmeWeb"),
        cloud.profile_key
    );
    room.write(cloud.accounts, &text);
}

#[test]
fn a_client_by_itself() {
    for cloud in CLOUDS {
        let aud = audience(cloud);
        let room = Room::new();
        for client in ["acme-machine", "acme-machine-post"] {
            // The issuer knows both ways, so the header is taken; the other client wants the form.
            account(&room, cloud, &format!("oidc_source = \"client\"\noidc_client_id = \"{client}\"\noidc_audience = \"{aud}\""));
            let call = room.call("login -a web --force").var("SAML2CLOUD_OIDC_CLIENT_SECRET", room.sandbox.client_secret());
            match client {
                "acme-machine" => call.run().exits(0).says(&["assumed-role/AcmeWeb/acme-machine"]),
                _ => call
                    .run()
                    .exits(3)
                    .says(&["id.acme.example refused the client's sign-in: invalid_client", "hint: is `oidc_client_id`"]),
            };
        }
        let only_form = format!(
            r#"{{"issuer":"{ACME}","token_endpoint":"{ACME}/token","token_endpoint_auth_methods_supported":["client_secret_post"]}}"#
        );
        room.sandbox.fault("id.acme.example", Fault::Status(200, only_form, "application/json".into()).on_path("/.well-known"));
        let call = room.call("login -a web --force").var("SAML2CLOUD_OIDC_CLIENT_SECRET", room.sandbox.client_secret());
        call.run().exits(0).says(&["assumed-role/AcmeWeb/acme-machine-post"]);
        room.sandbox.clear_faults();

        room.write("key.pem", &room.sandbox.client_key());
        let key = format!(
            "oidc_source = \"client\"\noidc_client_id = \"acme-signer\"\noidc_private_key = \"~/key.pem\"\noidc_audience = \"{aud}\""
        );
        account(&room, cloud, &key);
        room.call("login -a web --force").run().exits(0).says(&["assumed-role/AcmeWeb/acme-signer"]);
        room.write("key.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        room.call("login -a web --force").run().exits(2).says(&["there is no private key in PEM in it"]);
    }
}

#[test]
fn a_client_that_lacks_something() {
    let room = Room::new();
    let base = "oidc_source = \"client\"\noidc_client_id = \"acme-machine\"\n";
    account(&room, AWS, base);
    room.call("login -a web").run().exits(2).says(&["neither a secret nor a key is at hand", "SAML2CLOUD_OIDC_CLIENT_SECRET"]);
    // Without an audience the issuer gives a token that nobody else can read.
    let call = room.call("login -a web").var("SAML2CLOUD_OIDC_CLIENT_SECRET", room.sandbox.client_secret());
    call.run().exits(3).says(&[
        "id.acme.example gave a token that no cloud takes",
        "not a signed JSON Web Token",
        "hint: ",
        "`oidc_audience`",
    ]);
    account(
        &room,
        AWS,
        &format!("{base}oidc_audience = \"sts.amazonaws.com\"\noidc_client_secret_command = \"printf s3cret-wrong\""),
    );
    room.call("login -a web").run().exits(3).says(&["invalid_client"]);
    account(&room, AWS, &format!("{base}oidc_client_secret_command = \"exit 3\""));
    room.call("login -a web").run().exits(2).says(&["`oidc_client_secret_command` gave none"]);
    room.call("login -a web --oidc device --oidc-client-id x").run().exits(2);
}

#[test]
fn usegrant_gives_the_kind_of_token_that_alibaba_wants() {
    let room = Room::new();
    let (provider, client, api) = room.sandbox.usegrant();
    let call = |api: &str, client: &str| {
        let call = exec(&room, ALIBABA, "AcmeGrant", &format!("--oidc usegrant --oidc-client-id {client} --force --verbose"));
        call.var("SAML2CLOUD_USEGRANT_PROVIDER_ID", provider).var("SAML2CLOUD_OIDC_CLIENT_SECRET", api).run()
    };
    let done = call(&api, client).exits(0);
    is_key(ALIBABA, &done);
    done.says(&["aud [\"ram.aliyuncs.com\"]", "typ \"jwt\""]);
    call("wrong-api-token", client)
        .exits(3)
        .says(&["useGrant refused the request for a token: unauthorized: \"The API token is not valid.\""]);
    call(&api, "other").exits(3).says(&["not_found"]);
    exec(&room, ALIBABA, "AcmeGrant", "--oidc usegrant").run().exits(2).says(&["needs the provider's ID"]);
}

#[test]
fn a_description_that_leads_elsewhere_is_refused() {
    let room = Room::new();
    account(&room, AWS, "oidc_source = \"client\"\noidc_client_id = \"acme-machine\"\noidc_audience = \"sts.amazonaws.com\"");
    let of = |issuer: &str, token: &str| format!(r#"{{"issuer":"{issuer}","token_endpoint":"{token}"}}"#);
    for (fault, why) in [
        (
            Fault::Status(200, of("https://evil.example", "https://evil.example/t"), "application/json".into()),
            "is of another issuer, \"https://evil.example\"",
        ),
        (Fault::Status(200, of(ACME, "http://evil.example/t"), "application/json".into()), "only https addresses"),
        (Fault::Status(200, of(ACME, "https://127.0.0.1:1/t"), "application/json".into()), "is on this machine"),
        (Fault::Status(200, "<html>Sign in</html>".into(), "text/html".into()), "it is a page for people, not JSON"),
        (
            Fault::Status(404, "gone".into(), "text/plain".into()),
            "there is no description at `https://id.acme.example/.well-known/",
        ),
        (
            Fault::Redirect("https://evil.example/.well-known/openid-configuration".into()),
            "leads elsewhere (https://evil.example/",
        ),
    ] {
        room.sandbox.clear_faults();
        room.sandbox.fault("id.acme.example", fault.on_path("/.well-known"));
        let done = room.call("login -a web").var("SAML2CLOUD_OIDC_CLIENT_SECRET", room.sandbox.client_secret()).run().exits(2);
        done.says(&["the issuer `https://id.acme.example/` cannot be used", why, "hint: "]);
    }
    assert!(!room.requests().iter().any(|seen| seen.ends_with("/token")), "the secret went nowhere");
}

#[test]
fn tokens_that_no_cloud_takes() {
    let room = Room::new();
    let base = Token::github("sts.amazonaws.com");
    let none = |signing| room.sandbox.token(&Token { signing, ..base.clone() });
    for (text, code, why) in [
        (none(Signing::None), 3, "it is not signed (`alg` is `none`)"),
        (none(Signing::NoneWithSignature), 3, "it is not signed (`alg` is `none`)"),
        ("opaque-access-token".to_owned(), 3, "it is not a signed JSON Web Token"),
        ("<html>.<body>.</body>".to_owned(), 3, "its header is not base64url of JSON"),
        (" \n".to_owned(), 2, "it is empty"),
    ] {
        room.write("token", &text);
        let done = exec(&room, AWS, "AcmeDeploy", "--oidc-token-file token").run().exits(code);
        done.says(&[why]);
    }
    exec(&room, AWS, "AcmeDeploy", "--oidc-token-file nowhere")
        .run()
        .exits(2)
        .says(&["no ID token in the file `nowhere`: there is no such file"]);
    exec(&room, AWS, "AcmeDeploy", "--oidc env:NOWHERE").run().exits(2).says(&["in the variable `NOWHERE`: it is not set"]);
    exec(&room, AWS, "AcmeDeploy", "--oidc stdin").run().exits(2).says(&["on stdin: it is empty"]);
    exec(&room, AWS, "AcmeDeploy", "--oidc nonsense").run().exits(2).says(&["`oidc_source` will not do for OIDC: it is one of"]);
    exec(&room, AWS, "AcmeDeploy", "--oidc auto").run().exits(2).says(&["nothing says where it comes from", "`--oidc SOURCE`"]);
    assert!(room.requests().is_empty());
}

#[test]
fn what_a_cloud_refuses_is_told_with_what_the_token_says() {
    for cloud in CLOUDS {
        let room = Room::new();
        let refused = |change: &dyn Fn(&mut Token)| {
            let mut token = Token::github(audience(cloud));
            change(&mut token);
            room.write("token", &room.sandbox.token(&token));
            let done = exec(&room, cloud, "AcmeDeploy", "--oidc-token-file token").run().exits(3);
            done.says(&["\n  the token says: iss \"https://", ", typ \"JWT\", alg \"", "\nhint: "])
        };
        let by = |aws: &'static str, alibaba: &'static str| if cloud.word == "aws" { aws } else { alibaba };
        refused(&|token| token.audience = vec!["https://github.com/acme".to_owned()])
            .says(&[by("Incorrect token audience", "AudienceNotMatch"), "aud \"https://github.com/acme\""]);
        refused(&|token| token.audience = vec!["other".to_owned()])
            .says(&[by("AccessDenied", "NoPermission"), "the role's trust policy"]);
        refused(&|token| token.subject = "repo:acme/infra:\u{1b}[31m".to_owned()).says(&[
            by("AccessDenied", "NoPermission"),
            "sub \"repo:acme/infra:\\u{1b}[31m\"",
            "this subject",
        ]);
        refused(&|token| token.issuer = "https://evil.example".to_owned()).says(&["iss \"https://evil.example\""]);
        refused(&|token| token.signing = Signing::Forged).says(&[by("InvalidIdentityToken", "InvalidSignature")]);
        refused(&|token| token.signing = Signing::Hs256).says(&["alg \"HS256\""]);
        refused(&|token| token.issued = -600).says(&["Expired", "get a new token", "this machine's clock says 2"]);
    }
}

#[test]
fn ten_minutes_of_clock_skew() {
    for cloud in CLOUDS {
        for (seconds, why) in [(-600, "Expired"), (600, "Invalid")] {
            let room = Room::new();
            room.sandbox.idp_clock(seconds);
            room.write("token", &github_token(&room, cloud));
            let done = exec(&room, cloud, "AcmeDeploy", "--oidc-token-file token").run().exits(3);
            done.says(&[why, "iat 2", "is it right?"]);
            // The cloud's clock decides, not this machine's: with both off, all is well.
            room.sandbox.cloud_clock(seconds);
            let call = exec(&room, cloud, "AcmeDeploy", "--oidc-token-file token --session-duration 3600");
            match cloud.word {
                "aws" => is_key(cloud, &call.run().exits(0)),
                // Alibaba Cloud wants this machine's time in the call itself.
                _ => is_key(cloud, &call.run().exits(0)),
            }
        }
    }
}

#[test]
fn durations_are_judged_before_anybody_is_asked() {
    for cloud in CLOUDS {
        let room = Room::new();
        let file = room.write("token", &github_token(&room, cloud)).display().to_string();
        for bad in ["600", "43201", "13h", "14m", "soon"] {
            let flags = format!("--oidc-token-file {file} --session-duration {bad}");
            exec(&room, cloud, "AcmeDeploy", &flags).run().exits(2).says(&["900 to 43200 seconds (15 minutes to 12 hours)"]);
        }
        assert!(room.requests().is_empty());
        let flags = format!("--oidc-token-file {file} --session-duration 12h");
        exec(&room, cloud, "AcmeDeploy", &flags)
            .run()
            .exits(3)
            .says(&["hint: a shorter session is asked for with `--session-duration 3600`"]);
        room.write("token", &room.sandbox.token(&Token::new(ACME, audience(cloud), "alice@example.com")));
        exec(&room, cloud, "AcmeWeb", &flags).run().exits(0);
        assert_eq!(room.lifetime(), 43200);
    }
}

#[test]
fn a_role_has_to_be_named() {
    let room = Room::new();
    let token = room.write("token", &github_token(&room, AWS)).display().to_string();
    let done = room.call(&format!("exec --cloud aws --oidc-token-file {token} -- true")).run().exits(2);
    done.says(&["an ID token lists no roles, and none is named by its full name (ARN)", "`--role ARN`"]);
    room.call(&format!("exec --cloud aws --role AcmeDeploy --oidc-token-file {token} -- true")).run().exits(2);
    room.call(&format!("exec --oidc-token-file {token} -- true")).run().exits(2).says(&["nothing says which cloud"]);
    let alibaba = role(ALIBABA, "AcmeDeploy");
    let done = room.call(&format!("exec --role {alibaba} --oidc-token-file {token} -- true")).run().exits(2);
    done.says(&["has to be told the ARN of the OIDC provider", "`--oidc-provider-arn ARN`, `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`"]);
    for bad in ["acs:ram::1:saml-provider/p", "arn:aws:iam::1:oidc-provider/p", "p"] {
        let line = format!("exec --role {alibaba} --oidc-provider-arn {bad} --oidc-token-file {token} -- true");
        room.call(&line).run().exits(2).says(&["`--oidc-provider-arn` will not do"]);
    }
    assert!(room.requests().is_empty());
}

#[test]
fn sessions_are_named() {
    for cloud in CLOUDS {
        let room = Room::new();
        let token = room.write("token", &github_token(&room, cloud)).display().to_string();
        let provider = if cloud.word == "aws" {
            String::new()
        } else {
            format!("--oidc-provider-arn acs:ram::{GUIDE}:oidc-provider/github")
        };
        let line = format!("login --force --role {} {provider} --oidc-token-file {token}", role(cloud, "AcmeDeploy"));
        let variable = if cloud.word == "aws" { "AWS_ROLE_SESSION_NAME" } else { "ALIBABA_CLOUD_ROLE_SESSION_NAME" };
        room.call(&line).var(variable, "job-7").run().exits(0).says(&["assumed-role/AcmeDeploy/job-7"]);
        room.call(&line).var("SAML2CLOUD_OIDC_SESSION_NAME", "job-8").var(variable, "job-7").run().exits(0).says(&["/job-8"]);
        room.call(&line).var(variable, "a b").run().exits(2).says(&[&format!("`{variable}` will not do")]);
    }
}

#[test]
fn a_named_account_is_the_one_that_is_meant() {
    let room = Room::new();
    let file = room.write("token", &github_token(&room, AWS)).display().to_string();
    room.production(AWS, "bob");
    // The pod's variables do not turn an account of SAML into another.
    let call = room.call("login -a production").by("bob").var("AWS_ROLE_ARN", &role(AWS, "AcmeDeploy"));
    call.var("AWS_WEB_IDENTITY_TOKEN_FILE", &file).run().exits(0).says(&["AcmeJumpCloudAdminRO"]);
    // A name that is nobody's is an error still.
    let call = room.call("exec -a nobody -- true").var("AWS_ROLE_ARN", &role(AWS, "AcmeDeploy"));
    call.var("AWS_WEB_IDENTITY_TOKEN_FILE", &file).run().exits(2).says(&["there is no account `nobody`"]);
}
