//! The second half of a vend against a token service of ours: what is asked, what becomes of the ledger's line, and that nothing secret stays.

mod by_client;
mod desk;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use saml2cloud::tvm::audit::AuthKind;
use saml2cloud::tvm::exchange::{Console, Format, Found, Handed, VendError};
use saml2cloud::tvm::keys::{Purpose, Seal};
use saml2cloud::tvm::model::{Class, VendMethod};
use saml2cloud::tvm::store::vends::{self, Channel};
use saml2cloud::tvm::store::{preset_users, secrets};
use saml2cloud::tvm::vend::{Duty, Errand, Refusal, Wish};
use saml2cloud::types::{ProfileName, Secret};
use sqlx::{Executor as _, Row as _};

use crate::audit::raw;
use crate::place::{Ground, change, on_both};

use self::desk::*;

#[test]
fn an_assertion_buys_keys_at_both_clouds_and_only_the_caller_has_them() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::Saml, &[], None).await;
        desk.will([Next::Says(200, AWS.to_owned()), Next::Says(200, ALIBABA.to_owned())]);
        let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
        let aws = desk.keys(&desk.aws.id, Some(policy)).await.unwrap();
        assert_eq!(desk.line().await, "issued ASIA1");
        let alibaba = desk.keys(&desk.alibaba.id, None).await.unwrap();
        assert_eq!(desk.line().await, "issued STS.L4");
        assert_eq!((aws.keys.secret.expose().as_str(), alibaba.keys.token.expose().as_str()), (SECRETS[0], SECRETS[3]));
        assert_eq!((aws.role.as_str(), aws.session_name.as_str()), ("arn:aws:iam::111111111111:role/Reader", "bob"));
        let asked = desk.asked();
        let of = |at: usize, names: [&str; 4]| names.map(|name| asked[at].get(name).cloned().unwrap_or_default());
        assert_eq!(
            of(0, ["Action", "PrincipalArn", "DurationSeconds", "Policy"]),
            ["AssumeRoleWithSAML", "arn:aws:iam::111111111111:saml-provider/cam", "3600", policy]
        );
        assert_eq!(
            of(1, ["Action", "SAMLProviderArn", "RoleArn", "Policy"]),
            ["AssumeRoleWithSAML", "acs:ram::1000000000000001:saml-provider/cam", "acs:ram::1000000000000001:role/Reader", ""]
        );
        assert_eq!((asked[0]["host"].as_str(), asked[1]["host"].as_str()), ("sts.amazonaws.com", "sts.aliyuncs.com"));
        assert!(asked.iter().all(|fields| !fields.contains_key("authorization")), "an assertion needs no keys of ours");
        let kept = everything(&desk.acme.store).await;
        for secret in SECRETS.into_iter().chain([asked[0]["SAMLAssertion"].as_str(), asked[1]["SAMLAssertion"].as_str()]) {
            assert!(!kept.contains(secret));
        }
        let not_theirs = desk.vending.keys(&wish(&desk.acme.ao, &desk.aws.id, Channel::Cli), None).await;
        assert!(matches!(not_theirs, Err(VendError::Refusal(Refusal::NotYours))));
        assert!(desk.asked().is_empty(), "nobody is asked for what is refused here");
        desk.acme.store.verify().await.unwrap();
    });
}

#[test]
fn what_the_cloud_says_is_what_the_ledger_says() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::Saml, &[], None).await;
        let says = |(status, body): (u16, String)| Next::Says(status, body);
        let busy = || says(aws_error("Throttling", 400));
        let cases: Vec<(Vec<Next>, &str, usize)> = vec![
            (vec![says(aws_error("AccessDenied", 403))], "refused  AccessDenied r-77", 1),
            // Once more, and only once.
            (vec![busy(), Next::Says(200, AWS.to_owned())], "issued ASIA1", 2),
            (vec![busy(), busy()], "refused  Throttling r-77", 2),
            (vec![busy(), says(aws_error("AccessDenied", 403))], "refused  AccessDenied r-77", 2),
            (vec![Next::Says(200, "<html>".to_owned())], "unknown  unreadable_answer", 1),
            (vec![Next::Says(502, "Bad Gateway".to_owned())], "unknown  unreadable_answer", 1),
            (vec![Next::Breaks], "unknown  unreachable", 1),
            (vec![Next::Hangs], "unknown  late", 1),
        ];
        for (next, line, questions) in cases {
            desk.will(next);
            desk.slept.lock().unwrap().clear();
            let done = desk.keys(&desk.aws.id, None).await;
            assert_eq!((desk.line().await.as_str(), done.is_ok()), (line, line.starts_with("issued")));
            assert_eq!(desk.asked().len(), questions, "{line}");
            let pauses = desk.slept.lock().unwrap().iter().filter(|pause| **pause < Duration::from_secs(1)).count();
            assert_eq!(pauses, questions - 1, "{line}");
        }
        desk.acme.store.verify().await.unwrap();
    });
}

#[test]
fn without_a_key_to_sign_with_nothing_is_asked() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::Saml, &[], Some(Purpose::IdpAws)).await;
        assert!(matches!(desk.keys(&desk.aws.id, None).await, Err(VendError::Signer(_))));
        assert_eq!(desk.line().await, "failed  kms_unavailable");
        desk.will([Next::Says(200, ALIBABA.to_owned())]);
        desk.keys(&desk.alibaba.id, None).await.unwrap();
        assert_eq!(desk.asked().len(), 1);
    });
}

#[test]
fn what_cannot_be_written_down_is_not_handed_out() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::Saml, &[], None).await;
        desk.will([Next::Spoils(raw(ground).await, AWS.to_owned())]);
        let kept = desk.keys(&desk.aws.id, None).await;
        assert!(matches!(kept, Err(VendError::Unwritten(_))), "{kept:?}");
        assert_eq!(desk.line().await, "pending", "keys may exist, and nobody has them");
        let mut conn = raw(ground).await;
        conn.execute("ALTER TABLE audit_event_away RENAME TO audit_event").await.unwrap();
    });
}

#[test]
fn the_machines_own_role_names_the_account_it_asks_for() {
    on_both(async |ground| {
        let env = [("AWS_ACCESS_KEY_ID", "ASIAHUB"), ("AWS_SECRET_ACCESS_KEY", "hub"), ("AWS_SESSION_TOKEN", "hubtoken")];
        let desk = Desk::new(ground, VendMethod::HubRole, &env, None).await;
        let answer = AWS.replace("AssumeRoleWithSAML", "AssumeRole");
        desk.will([Next::Says(200, answer)]);
        let long = Wish {
            duration: saml2cloud::types::SessionDuration::try_from(7200).ok(),
            ..wish(&desk.acme.bob, &desk.aws.id, Channel::Cli)
        };
        desk.vending.keys(&long, None).await.unwrap();
        let asked = desk.asked();
        let of = |name: &str| asked[0].get(name).cloned().unwrap_or_default();
        assert_eq!([of("Action"), of("RoleSessionName"), of("ExternalId")], ["AssumeRole", "bob", desk.acme.shop.id.as_str()]);
        assert_eq!(of("DurationSeconds"), "3600", "a session on a session lasts an hour at the most");
        assert!(of("authorization").contains("Credential=ASIAHUB/") && of("x-amz-security-token") == "hubtoken");
        // The other cloud's keys are not there.
        assert!(matches!(desk.keys(&desk.alibaba.id, None).await, Err(VendError::NoKeys(_))));
        assert_eq!(desk.line().await, "failed  no_base_keys");
    });
}

/// The metadata service of a machine in either cloud, which says how often it was asked for keys.
fn metadata(ends: &'static str) -> (String, Arc<Mutex<u32>>) {
    use std::io::{BufRead as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let times = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&times);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = std::io::BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            let _ = lines.take_while(|line| !line.is_empty()).count();
            let body = match first.as_str() {
                first if first.starts_with("PUT /latest/api/token ") => "metadata-token".to_owned(),
                first if first.contains("/security-credentials/ ") => "hub".to_owned(),
                first => {
                    *counted.lock().unwrap() += 1;
                    let [id, secret, token] = match first.contains("/ram/") {
                        true => ["STS.HUB", "AccessKeySecret", "SecurityToken"],
                        false => ["ASIAHUB", "SecretAccessKey", "Token"],
                    };
                    format!(
                        r#"{{"Code":"Success","AccessKeyId":"{id}","{secret}":"hubsecret","{token}":"hubtoken","Expiration":"{ends}"}}"#
                    )
                }
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    (url, times)
}

#[test]
fn a_machine_in_a_cloud_asks_with_the_keys_of_its_role() {
    on_both(async |ground| {
        let (url, times) = metadata("2099-01-01T00:00:00Z");
        let desk = Desk::on(ground, VendMethod::HubRole, &[], None, &url).await;
        for _ in 0..2 {
            desk.will([Next::Says(200, AWS.replace("AssumeRoleWithSAML", "AssumeRole"))]);
            desk.keys(&desk.aws.id, None).await.unwrap();
        }
        desk.will([Next::Says(200, ALIBABA.to_owned())]);
        desk.keys(&desk.alibaba.id, None).await.unwrap();
        let asked = desk.asked();
        assert!(
            asked[0]["authorization"].contains("Credential=ASIAHUB/")
                && asked[1]["authorization"].contains("Credential=ASIAHUB/")
        );
        assert!(asked[2]["authorization"].contains("Credential=STS.HUB,"), "{:?}", asked[2]);
        assert_eq!(*times.lock().unwrap(), 2, "the keys are good for longer than one vend");
        let all = everything(&desk.acme.store).await;
        assert!(!all.contains("hubsecret") && !all.contains("hubtoken") && !all.contains("metadata-token"));
        // Keys that end soon are asked for anew, and who must not be asked is not.
        let (url, times) = metadata("2000-01-01T00:00:00Z");
        let second = Ground::another(ground).await;
        let desk = Desk::on(&second, VendMethod::HubRole, &[], None, &url).await;
        for _ in 0..2 {
            desk.will([Next::Says(200, ALIBABA.to_owned())]);
            desk.keys(&desk.alibaba.id, None).await.unwrap();
        }
        assert_eq!(*times.lock().unwrap(), 2);
        let third = Ground::another(ground).await;
        let off = [("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
        let desk = Desk::on(&third, VendMethod::HubRole, &off, None, &url).await;
        assert!(matches!(desk.keys(&desk.alibaba.id, None).await, Err(VendError::NoKeys(_))));
        assert_eq!((desk.line().await.as_str(), *times.lock().unwrap()), ("failed  no_base_keys", 2));
    });
}

#[test]
fn the_key_of_an_account_is_sealed_for_that_account() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::RamUser, &[], None).await;
        let seal = Seal::new("a passphrase that is long".into()).unwrap();
        let labs = &desk.acme.labs.id;
        assert!(matches!(desk.keys(&desk.alibaba.id, None).await, Err(VendError::NoKeys(_))));
        let sealed = seal.close(b"ram-user-secret", secrets::TABLE, labs.as_str()).unwrap();
        change(&desk.acme.store, async |tx| tx.put_secret(labs, "LTAI1", &sealed).await).await.unwrap();
        desk.will([Next::Says(200, ALIBABA.to_owned())]);
        desk.keys(&desk.alibaba.id, None).await.unwrap();
        let asked = desk.asked();
        assert!(asked[0]["authorization"].contains("Credential=LTAI1,") && !asked[0].contains_key("ExternalId"));
        assert!(!everything(&desk.acme.store).await.contains("ram-user-secret"));
        // Copied to another account, it does not open.
        change(&desk.acme.store, async |tx| tx.put_secret(&desk.acme.shop.id, "LTAI1", &sealed).await).await.unwrap();
        assert!(matches!(desk.keys(&desk.aws.id, None).await, Err(VendError::Seal(_))));
        change(&desk.acme.store, async |tx| tx.drop_secret(labs).await).await.unwrap();
        assert!(matches!(desk.keys(&desk.alibaba.id, None).await, Err(VendError::NoKeys(_))));
        assert!(desk.asked().is_empty());
    });
}

#[test]
fn a_console_is_entered_by_a_form_or_by_an_address() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::Saml, &[], None).await;
        let Console::Form(response) = desk.vending.console(&wish(&desk.acme.bob, &desk.aws.id, Channel::Console)).await.unwrap()
        else {
            panic!("a form")
        };
        assert_eq!(response.acs.host(), "signin.aws.amazon.com");
        assert_eq!((desk.line().await.as_str(), desk.asked().len()), ("issued", 0));
        let env = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "STS.HUB"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "hub")];
        let second = Ground::another(ground).await;
        let desk = Desk::new(&second, VendMethod::HubRole, &env, None).await;
        desk.will([
            Next::Says(200, ALIBABA.to_owned()),
            Next::Says(200, r#"{"SigninToken":"signin-token","RequestId":"R"}"#.to_owned()),
        ]);
        let Console::Link(link) = desk.vending.console(&wish(&desk.acme.bob, &desk.alibaba.id, Channel::Console)).await.unwrap()
        else {
            panic!("an address")
        };
        assert!(link.once && link.url.expose().query().unwrap_or_default().contains("signin-token"));
        assert_eq!(desk.line().await, "issued STS.L4");
        assert!(!everything(&desk.acme.store).await.contains("signin-token"));
    });
}

#[test]
fn keys_are_written_as_each_tool_reads_them() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::Saml, &[], None).await;
        desk.will([Next::Says(200, AWS.to_owned()), Next::Says(200, ALIBABA.to_owned())]);
        let aws = desk.keys(&desk.aws.id, None).await.unwrap();
        let alibaba = desk.keys(&desk.alibaba.id, None).await.unwrap();
        let profile = ProfileName::parse("acme").unwrap();
        let text = |handed: &Handed, format: Format| -> Secret<String> { format.write(handed, &profile, None).text };
        let json = |text: Secret<String>| serde_json::from_str::<serde_json::Value>(text.expose()).unwrap();
        let document = json(text(&aws, Format::Json));
        assert_eq!(document["access_key_id"], "ASIA1");
        assert_eq!(
            (document["expires"].as_str(), document["session_name"].as_str()),
            (Some("2027-01-15T09:00:00Z"), Some("bob"))
        );
        assert_eq!(json(text(&aws, Format::Process))["SessionToken"], SECRETS[1]);
        assert_eq!(json(text(&alibaba, Format::Process))["sts_token"], SECRETS[3]);
        let section = text(&aws, Format::Profile);
        assert!(section.expose().starts_with("[acme]\naws_access_key_id        = ASIA1\n"), "{}", section.expose());
        let config = json(text(&alibaba, Format::Profile));
        assert_eq!((config["current"].as_str(), config["profiles"][0]["sts_token"].as_str()), (Some("acme"), Some(SECRETS[3])));
        let shell = text(&aws, Format::Shell);
        assert!(shell.expose().contains("export AWS_ACCESS_KEY_ID='ASIA1'\n") && shell.expose().contains("unset AWS_ROLE_ARN\n"));
        assert!(text(&alibaba, Format::PowerShell).expose().contains("$env:ALIBABA_CLOUD_ACCESS_KEY_ID = 'STS.L4'\n"));
        assert!(Format::ALL.iter().all(|format| Format::from_word(format.word()) == Some(*format)));
        assert!(!format!("{aws:?}").contains(SECRETS[0]));
    });
}

#[test]
fn an_account_is_looked_at_by_the_services_own_role_there() {
    on_both(async |ground| {
        let desk = Desk::new(ground, VendMethod::Saml, &[], None).await;
        let (acme, store) = (&desk.acme, &desk.acme.store);
        let look = async |node| {
            let duty = Duty {
                errand: Errand::Verify,
                node,
                by: &acme.mo,
                gid: "MO",
                auth: AuthKind::Session,
                request: None,
                source_ip: None,
            };
            desk.vending.verify(&duty).await
        };
        // Where the account has no role for it, nobody looks.
        assert!(matches!(look(&acme.shop.id).await, Err(VendError::Refusal(Refusal::NotYours))));
        acme.role(&acme.shop, Class::System, "cam-verifier").await;
        acme.role(&acme.shop, Class::Custom, "Own").await;
        acme.role(&acme.shop, Class::System, "Zone").await;
        let role = |name: &str, principal: &str| {
            let policy = format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{principal}"}},"Action":"sts:AssumeRoleWithSAML"}}]}}"#
            );
            let encoded: String = url::form_urlencoded::byte_serialize(policy.as_bytes()).collect();
            let body = format!(
                "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role><Arn>arn:aws:iam::111111111111:role/{name}</Arn>\
                 <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument></Role></GetRoleResult></GetRoleResponse>",
                encoded.replace('+', "%20")
            );
            Next::Says(200, body)
        };
        let (ours, theirs) = ("arn:aws:iam::111111111111:saml-provider/cam", "arn:aws:iam::111111111111:saml-provider/other");
        let gone = aws_error("NoSuchEntity", 404);
        desk.will([
            Next::Says(200, AWS.to_owned()),
            role("Reader", ours),
            Next::Says(gone.0, gone.1),
            role("cam-verifier", ours),
            role("Own", theirs),
        ]);
        let found = look(&acme.shop.id).await.unwrap().roles;
        let found: BTreeMap<_, _> = found.into_iter().map(|(role, found)| (role.name, found)).collect();
        let wanted = [
            ("Own", Found::Distrusting),
            ("Reader", Found::Trusting),
            ("Zone", Found::Missing),
            ("cam-verifier", Found::Trusting),
        ];
        assert_eq!(found, wanted.map(|(name, found)| (name.to_owned(), found)).into());
        let asked = desk.asked();
        assert_eq!((asked[0]["Action"].as_str(), asked[0]["DurationSeconds"].as_str()), ("AssumeRoleWithSAML", "900"));
        assert!(
            asked[1..]
                .iter()
                .all(|fields| fields["Action"] == "GetRole" && fields["authorization"].contains("Credential=ASIA1/"))
        );
        assert_eq!(asked[1]["host"], "iam.amazonaws.com");
        // It is in the ledger, with whose request it was, and nobody got the keys.
        let line = vends::by_user(&mut store.read().await.unwrap(), &acme.mo, i64::MAX, 1).await.unwrap().remove(0);
        assert_eq!((line.outcome.word(), line.session_name.as_str()), ("issued", "cam-verifier"));
        let mut conn = store.read().await.unwrap();
        let sql = "SELECT name, verify_result FROM cloud_role WHERE verified_at IS NOT NULL ORDER BY name";
        let rows = sqlx::query(sql).fetch_all(&mut *conn).await.unwrap();
        let kept: Vec<String> = rows.iter().map(|row| row.get::<String, _>("verify_result")).collect();
        assert_eq!(kept.len(), 4);
        assert!(kept.contains(&"distrusting".to_owned()) && kept.contains(&"missing".to_owned()));
        drop(conn);
        assert!(!everything(store).await.contains(SECRETS[0]));

        acme.role(&acme.labs, Class::System, "cam-verifier").await;
        let policy = r#"{\"Statement\":[{\"Action\":\"sts:AssumeRole\",\"Effect\":\"Allow\",\"Principal\":{\"Federated\":[\"acs:ram::1000000000000001:saml-provider/cam\"]}}],\"Version\":\"1\"}"#;
        let ram = |name: &str| {
            let body = format!(
                r#"{{"Role":{{"RoleName":"{name}","Arn":"acs:ram::1000000000000001:role/{}","AssumeRolePolicyDocument":"{policy}"}},"RequestId":"R"}}"#,
                name.to_lowercase()
            );
            Next::Says(200, body)
        };
        let denied = r#"{"Code":"NoPermission","Message":"No.","RequestId":"R-2"}"#;
        let name_user = async |name| {
            change(store, async |tx| tx.set_preset_user(&acme.labs.id, Some(name)).await).await.unwrap();
        };
        name_user("breakglass").await;
        let none = r#"{"Code":"EntityNotExist.User","Message":"No.","RequestId":"R-3"}"#;
        let there = r#"{"User":{"UserName":"BreakGlass","UserId":"1"},"RequestId":"R-4"}"#;
        for (said, seen) in
            [((404, none), Found::Missing), ((200, there), Found::There), ((403, denied), Found::Unread("NoPermission".into()))]
        {
            desk.will([
                Next::Says(200, ALIBABA.to_owned()),
                ram("Reader"),
                ram("cam-verifier"),
                Next::Says(said.0, said.1.to_owned()),
            ]);
            assert_eq!(look(&acme.labs.id).await.unwrap().user, Some(("breakglass".to_owned(), seen.clone())));
            let user = preset_users::by_node(&mut store.read().await.unwrap(), &acme.labs.id).await.unwrap().unwrap();
            assert_eq!(user.seen, Some(seen.word()));
        }
        // Another name is another user, of whom nothing was seen.
        name_user("other").await;
        let user = preset_users::by_node(&mut store.read().await.unwrap(), &acme.labs.id).await.unwrap().unwrap();
        assert_eq!((user.name.as_str(), user.seen, user.seen_at), ("other", None, None));
        desk.will([
            Next::Says(200, ALIBABA.to_owned()),
            ram("Reader"),
            Next::Says(403, denied.to_owned()),
            Next::Says(404, none.to_owned()),
        ]);
        let found = look(&acme.labs.id).await.unwrap();
        let words: Vec<String> = found.roles.iter().map(|(_, found)| found.word()).collect();
        assert_eq!(words, ["trusting", "unread: NoPermission"]);
        store.verify().await.unwrap();
    });
}
