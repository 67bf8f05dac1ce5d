//! An account comes under management: written down here, told to its cloud by a Terraform module, and looked at.

use serde_json::{Value, json};

use super::realm::{Realm, refusal};

const AWS: &str = r#"<AssumeRoleWithSAMLResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithSAMLResult>
    <AssumedRoleUser><Arn>arn:aws:sts::222222222222:assumed-role/cam-verifier/cam-verifier</Arn><AssumedRoleId>AROA:c</AssumedRoleId></AssumedRoleUser>
    <Credentials><AccessKeyId>ASIA2</AccessKeyId><SecretAccessKey>wJalrSECRET</SecretAccessKey><SessionToken>FwoGZTOKEN</SessionToken>
    <Expiration>2027-01-15T09:00:00Z</Expiration></Credentials></AssumeRoleWithSAMLResult></AssumeRoleWithSAMLResponse>"#;

fn role(name: &str, provider: &str) -> (u16, String) {
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{provider}"}},"Action":"sts:AssumeRoleWithSAML"}}]}}"#
    );
    let encoded: String = url::form_urlencoded::byte_serialize(policy.as_bytes()).collect();
    let body = format!(
        "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role><Arn>arn:aws:iam::222222222222:role/{name}</Arn>\
         <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument></Role></GetRoleResult></GetRoleResponse>",
        encoded.replace('+', "%20")
    );
    (200, body)
}

fn refused(code: &str, status: u16) -> (u16, String) {
    (
        status,
        format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>No.</Message></Error><RequestId>r-5</RequestId></ErrorResponse>"
        ),
    )
}

const BANK: &str = "/api/v1/nodes/{bank}/onboard";
const PROVIDER: &str = "arn:aws:iam::222222222222:saml-provider/saml2cloud";

#[tokio::test]
async fn an_account_is_onboarded_once_and_again() {
    let realm = Realm::new().await;
    let wish = json!({"presets": ["account_IAM_admin", "cloud-network-admin", "ent_IAM_admin"]});
    // `ent_IAM_admin` is there already, so it is nobody's to register.
    let answer = realm.post("mw", BANK, &wish).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let done = answer.json();
    let new: Vec<(&str, bool)> =
        done["roles"].as_array().unwrap().iter().map(|role| (role["name"].as_str().unwrap(), role["is_new"] == true)).collect();
    assert_eq!(
        new,
        [("account_IAM_admin", true), ("cloud-network-admin", true), ("ent_IAM_admin", false), ("cam-verifier", true)]
    );
    assert_eq!(done["roles"][0]["arn"], "arn:aws:iam::222222222222:role/account_IAM_admin");
    assert_eq!((done["node"]["saml_provider"].as_str(), done["node"]["version"].as_i64()), (Some(PROVIDER), Some(2)));
    let steps: Vec<&str> = done["left"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["provider", "roles", "permissions", "verify"]);
    assert!(done["left"][0]["what"].as_str().unwrap().ends_with("/idp/metadata/aws."), "{done}");
    assert_eq!(realm.house.event(&answer).await.outcome, "done");
    // A preset keeps the risk of the catalogue.
    let id = done["roles"][1]["id"].as_str().unwrap();
    assert_eq!(realm.get("mw", &format!("/api/v1/roles/{id}")).await.json()["risk"], "high");
    // Again: nothing is new, and the node is as it was.
    let again = realm.post("mw", BANK, &wish).await.json();
    assert!(again["roles"].as_array().unwrap().iter().all(|role| role["is_new"] == false), "{again}");
    assert_eq!(again["node"]["version"], 2);
    let other =
        realm.post("mw", BANK, &json!({"vend_method": "hub_role", "max_session_s": 7200, "verifier": false})).await.json();
    assert_eq!((other["node"]["vend_method"].as_str(), other["node"]["max_session_s"].as_i64()), (Some("hub_role"), Some(7200)));
    assert_eq!(other["node"]["client_exchange"], false);
    let by_client = realm.post("mw", BANK, &json!({"client_exchange": true, "verifier": false})).await.json();
    assert_eq!((&by_client["node"]["client_exchange"], &by_client["node"]["vend_method"]), (&json!(true), &json!("hub_role")));
    assert!(other["left"][0]["what"].as_str().unwrap().contains(realm.id("bank")), "{other}");
}

#[tokio::test]
async fn all_of_it_or_nothing() {
    let realm = Realm::new().await;
    let shop = "/api/v1/nodes/{shop}/onboard";
    let cases = [
        (json!({"presets": ["cloud-security-admin", "nobody"]}), (400, "validation_failed")),
        // Whoever looks after everybody is named by super admins only.
        (json!({"presets": ["cloud-security-admin", "ent_IAM_admin"]}), (403, "forbidden")),
        (json!({"presets": ["cloud-security-admin"], "saml_provider": PROVIDER}), (400, "validation_failed")),
        (
            json!({"presets": ["cloud-security-admin"], "saml_provider": "arn:aws:iam::111111111111:oidc-provider/x"}),
            (400, "validation_failed"),
        ),
        (json!({"presets": ["cloud-security-admin"], "max_session_s": 1}), (400, "validation_failed")),
    ];
    for (wish, (status, code)) in cases {
        assert_eq!(refusal(&realm.post("mo", shop, &wish).await), (status, code.to_owned()), "{wish}");
    }
    let roles = realm.get("mo", "/api/v1/nodes/{shop}/system-roles").await.text;
    assert!(!roles.contains("cloud-security-admin") && !roles.contains("cam-verifier"), "{roles}");
    assert_eq!(realm.get("mo", "/api/v1/nodes/{shop}").await.json()["version"], 1);
    assert_eq!(refusal(&realm.post("mo", "/api/v1/nodes/{east}/onboard", &json!({})).await), (422, "tree_shape".to_owned()));
    assert_eq!(refusal(&realm.post("ao", shop, &json!({})).await), (403, "forbidden".to_owned()));
    // The service's own role is none that an account's owner made.
    let own = json!({"arn": "arn:aws:iam::111111111111:role/cam-verifier"});
    assert_eq!(realm.post("ao", "/api/v1/nodes/{shop}/custom-roles", &own).await.status, 201);
    assert_eq!(refusal(&realm.post("mo", shop, &json!({})).await), (409, "name_taken".to_owned()));
}

/// What `provider export` prints for the same roles, which foreign readers judge in tests/real/provider.
fn exported(cloud: &str, metadata: &str, grants: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metadata.xml");
    std::fs::write(&file, metadata).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_saml2cloud"));
    command.args(["provider", "export", "--cloud", cloud, "--kind", "saml", "--name", "saml2cloud", "--metadata"]).arg(&file);
    for grant in grants {
        command.args(["--grant", grant]);
    }
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test]
async fn a_module_for_terraform_is_what_the_export_prints() {
    let realm = Realm::new().await;
    for (node, cloud, grants) in [
        ("bank", "aws", &["cam-verifier=IAMReadOnlyAccess", "ent_IAM_admin", "ops-reader"][..]),
        ("labs", "alibaba", &["cam-verifier=AliyunRAMReadOnlyAccess"][..]),
    ] {
        assert_eq!(realm.post("e-1", &format!("/api/v1/nodes/{{{node}}}/onboard"), &json!({})).await.status, 200);
        let metadata = realm.house.get(&format!("/idp/metadata/{cloud}")).answer().await.text;
        let answer = realm.get("e-1", &format!("/api/v1/nodes/{{{node}}}/terraform")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=utf-8"), "{}", answer.text);
        assert!(answer.header("content-disposition").starts_with("attachment; filename=\""), "{answer:?}");
        let (note, module) = answer.text.split_once('\n').unwrap();
        assert!(note.starts_with(&format!("# Account {cloud}:")), "{note}");
        assert_eq!(module, exported(cloud, &metadata, grants));
    }
    // A role with a path, and one whose name would be read as something else, stand in a comment; what is handed out otherwise is not there.
    for (arn, method) in [
        ("arn:aws:iam::222222222222:role/team/deep", "saml"),
        ("arn:aws:iam::222222222222:role/x=AdministratorAccess", "saml"),
        ("arn:aws:iam::222222222222:role/by-hand", "none"),
    ] {
        let answer = realm.post("mw", "/api/v1/nodes/{bank}/system-roles", &json!({"arn": arn, "vend_method": method})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let text = realm.get("mw", "/api/v1/nodes/{bank}/terraform").await.text;
    assert!(text.contains("no path: team/deep\n") && text.contains("no path: x=AdministratorAccess\n"), "{text}");
    assert!(!text.contains("by-hand") && text.matches("AdministratorAccess").count() == 1, "{text}");
    // Nothing to make.
    let answer = realm.get("mo", "/api/v1/nodes/{shop}/terraform").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        realm.post("mo", "/api/v1/nodes/{shop}/onboard", &json!({"vend_method": "none", "verifier": false})).await.status,
        200
    );
    assert_eq!(refusal(&realm.get("mo", "/api/v1/nodes/{shop}/terraform").await), (422, "not_vended".to_owned()));
}

#[tokio::test]
async fn an_account_is_looked_at() {
    let realm = Realm::new().await;
    let look = "/api/v1/nodes/{bank}/verify";
    // Nothing to look with.
    assert_eq!(refusal(&realm.post("mw", look, &json!({})).await), (422, "not_vended".to_owned()));
    assert_eq!(realm.post("mw", BANK, &json!({})).await.status, 200);
    let will = |answers: Vec<(u16, String)>| realm.house.cloud.next.lock().unwrap().extend(answers);
    will(vec![
        (200, AWS.to_owned()),
        role("cam-verifier", PROVIDER),
        role("ent_IAM_admin", "arn:aws:iam::222222222222:saml-provider/other"),
        refused("NoSuchEntity", 404),
    ]);
    let answer = realm.post("mw", look, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let seen = answer.json();
    let results: Vec<(&str, &str)> = seen["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| (role["name"].as_str().unwrap(), role["result"].as_str().unwrap()))
        .collect();
    assert_eq!(results, [("cam-verifier", "trusting"), ("ent_IAM_admin", "distrusting"), ("ops-reader", "missing")]);
    assert_eq!(seen["is_good"], false);
    assert!(!answer.text.contains("SECRET"));
    // One event of the request, and those of the vend that it took.
    let kinds: Vec<String> = realm.house.events(answer.request()).await.into_iter().map(|row| row.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "node.verify").count(), 1, "{kinds:?}");
    assert!(kinds.iter().any(|kind| kind == "vend"), "{kinds:?}");
    // So does the node itself, but of system roles only to those who may know of them.
    let node = |gid: &'static str| realm.get(gid, "/api/v1/nodes/{bank}");
    assert_eq!(
        node("mw").await.json()["warnings"],
        json!([{"what": "role", "name": "ent_IAM_admin", "result": "distrusting"}, {"what": "role", "name": "ops-reader", "result": "missing"}])
    );
    assert_eq!(node("ab").await.json()["warnings"], json!([]));
    // The user that the account keeps is looked for as well.
    for bad in ["", "a/b", "a b"] {
        assert_eq!(refusal(&realm.post("mw", BANK, &json!({"preset_user": bad})).await), (400, "validation_failed".to_owned()));
    }
    assert_eq!(realm.post("mw", BANK, &json!({"preset_user": "breakglass"})).await.status, 200);
    let user = "<GetUserResponse><GetUserResult><User><UserName>breakglass</UserName></User></GetUserResult></GetUserResponse>";
    for (said, result, warned) in [((200, user.to_owned()), "there", false), (refused("NoSuchEntity", 404), "missing", true)] {
        let trusting = ["cam-verifier", "ent_IAM_admin", "ops-reader"].map(|name| role(name, PROVIDER));
        will([vec![(200, AWS.to_owned())], trusting.to_vec(), vec![said]].concat());
        let seen = realm.post("mw", look, &json!({})).await.json();
        assert_eq!(
            (&seen["preset_user"], seen["is_good"] == true),
            (&json!({"name": "breakglass", "result": result, "is_good": !warned}), !warned)
        );
        let node = node("ab").await.json();
        let missing = json!([{"what": "preset_user", "name": "breakglass", "result": "missing"}]);
        let expected = if warned { missing } else { json!([]) };
        assert_eq!((&node["preset_user"], &node["warnings"]), (&json!("breakglass"), &expected));
    }
    assert_eq!(realm.post("mw", BANK, &json!({"preset_user": null})).await.status, 200);
    assert_eq!(node("ab").await.json()["preset_user"], Value::Null);
    // The cloud says no.
    will(vec![refused("AccessDenied", 403)]);
    let answer = realm.post("mw", look, &json!({})).await;
    assert_eq!(refusal(&answer), (502, "cloud_error".to_owned()));
    assert!(answer.text.contains("AccessDenied") && answer.text.contains("r-5"), "{}", answer.text);
    let failed: Vec<Value> = realm
        .house
        .events(answer.request())
        .await
        .into_iter()
        .filter(|row| row.kind == "node.verify")
        .map(|row| row.outcome.into())
        .collect();
    assert_eq!(failed, ["failed"]);
}
