//! `serve keys` from the shell: a change of keys from beginning to end, and a key that Alibaba Cloud keeps.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::Fault;

use crate::call::Call;
use crate::support::Room;

const IDP: &str = include_str!("../../fixtures/saml/idp.key.pem");
const IDP_CERTIFICATE: &str = include_str!("../../fixtures/saml/idp.crt.pem");

fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()
}

fn room(more: &str) -> Room {
    let room = Room::new();
    room.write("passphrase", "correct horse battery staple\n");
    room.write("serve.toml", &format!("[server]\nurl = \"https://cam.corp.example/\"\n{more}"));
    room.call("serve init --gid e-1001 --config serve.toml").run().exits(0);
    room
}

fn keys<'r>(room: &'r Room, line: &str) -> Call<'r> {
    room.call(&format!("serve keys {line} --config serve.toml"))
}

#[test]
fn without_a_passphrase_nothing_is_sealed() {
    let room = room("");
    keys(&room, "new --for sp --bits 2048").run().exits(1).says(&["no passphrase was given", "hint: set `keys.passphrase_file`"]);
    keys(&room, "metadata sp").run().exits(1).says(&["there is no active key for `sp`", "hint: `saml2cloud serve keys new`"]);
    room.write("passphrase", "too short\n");
    room.write("serve.toml", "[keys]\npassphrase_file = \"passphrase\"\n");
    keys(&room, "list").run().exits(1).says(&["fewer than 16 characters"]).does_not_say("too short");
    for (line, why) in [
        ("new --for cloud", "a key is for sp, idp-alibaba, idp-aws or audit"),
        ("new --bits 1024", "3072 or 2048 bits"),
        ("new --keeper aws-kms --for sp", "`--kms-key` names the key"),
        ("new --keeper hsm", "kept by file, alibaba-kms or aws-kms"),
        ("new --kms-key x", "goes with `--keeper"),
    ] {
        room.write("serve.toml", "");
        keys(&room, line).run().exits(1).says(&[why]);
    }
}

#[test]
fn a_key_of_alibaba_clouds_signs_there_and_is_nowhere_else() {
    let room = room("[kms]\nalibaba_region = \"cn-hangzhou\"\n");
    room.sandbox.kms_key("key-hzz1", &der(IDP));
    let (id, secret) = room.sandbox.user_key("acs:ram::1000000000000001:user/cam");
    let with =
        |line: &str| keys(&room, line).var("ALIBABA_CLOUD_ACCESS_KEY_ID", &id).var("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &secret);
    let new = "new --for idp-alibaba --keeper alibaba-kms --kms-key key-hzz1 --kms-version v1";
    let alone = keys(&room, new).var("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    alone.run().exits(1).says(&["there is no access key for the key management"]);
    with(new).run().exits(0).says(&["for idp-alibaba is active", "CN=cam.corp.example idp-alibaba"]).does_not_say(&secret);
    let metadata = keys(&room, "metadata idp-alibaba").run().exits(0).stdout;
    let text = metadata.split("X509Certificate>").nth(1).unwrap().trim_end_matches("</ds:");
    let made = STANDARD.decode(text).unwrap();
    let (_, made) = x509_parser::parse_x509_certificate(&made).unwrap();
    let own = der(IDP_CERTIFICATE);
    let (_, own) = x509_parser::parse_x509_certificate(&own).unwrap();
    assert_eq!(made.public_key().subject_public_key, own.public_key().subject_public_key);
    let database = std::fs::read(room.home().join("saml2cloud.db")).unwrap();
    assert!(!database.windows(secret.len()).any(|window| window == secret.as_bytes()));

    let absent = new.replace("key-hzz1", "key-absent");
    with(&absent).run().exits(1).says(&["Forbidden.KeyNotFound"]);
    // The signature of the request is checked there; a file that everybody reads is not read here.
    room.write("access", &format!("{id}\n{secret}\n"));
    room.write("serve.toml", "[server]\nurl = \"https://cam.corp.example/\"\n[kms]\nalibaba_region = \"cn-hangzhou\"\nalibaba_credentials_file = \"access\"\n");
    std::fs::set_permissions(room.home().join("access"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    keys(&room, new).run().exits(1).says(&["others can read it"]);
    std::fs::set_permissions(room.home().join("access"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let pending = keys(&room, new).run().exits(0);
    pending.says(&["for idp-alibaba is pending"]);
    room.sandbox.fault("kms.*", Fault::Status(503, String::new(), "text/plain".to_owned()));
    keys(&room, "rotate idp-alibaba").run().exits(1).says(&["does not answer"]);
    room.sandbox.clear_faults();
    keys(&room, "rotate idp-alibaba").run().exits(0).says(&["is active"]);
    let seen = room.sandbox.requests();
    assert!(seen.iter().filter(|seen| seen.host == "kms.cn-hangzhou.aliyuncs.com").count() >= 6);
    assert!(seen.iter().all(|seen| seen.query.is_empty()));
}

#[test]
fn a_change_of_keys_goes_step_by_step() {
    let room = room("[keys]\npassphrase_file = \"passphrase\"\n");
    let with = |line: &str| keys(&room, line);
    with("new --for sp --bits 2048").run().exits(0).says(&["is active", "the corporate identity provider gets"]);
    with("rotate sp --bits 2048").run().exits(0).says(&["is pending", "which has both certificates now"]);
    let both = keys(&room, "metadata sp").run().exits(0).stdout;
    assert_eq!(both.matches("<md:KeyDescriptor use=\"signing\">").count(), 2);
    with("rotate sp").run().exits(0).says(&["is active"]);
    let state = keys(&room, "list").run().exits(0).stdout;
    assert!(state.contains("retiring") && state.contains("active"), "{state}");
    let going = state.lines().find(|line| line.contains("retiring")).unwrap().split(' ').next().unwrap().to_owned();
    with(&format!("activate {going}")).run().exits(1);
    with("rotate sp").run().exits(0).says(&["is retired", "without the old certificate"]);
    assert_eq!(keys(&room, "metadata sp").run().exits(0).stdout.matches("<md:KeyDescriptor").count(), 1);
}
