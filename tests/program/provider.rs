//! What an administrator is told: the code for a cloud, and whether what the cloud was told still holds.

use base64::Engine as _;
use sandbox::{Fault, Token};

use crate::support::Room;

const ISSUER: &str = "https://id.acme.example";
const SUBJECT: &str = "repo:acme/app:ref:refs/heads/main";

/// The fingerprint of the box's authority, by other means than the program's.
fn authority(room: &Room) -> String {
    let pem = std::fs::read_to_string(room.sandbox.ca_file()).unwrap();
    let packed: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(packed).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &der);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn export(cloud: &str, more: &str) -> String {
    format!("provider export --cloud {cloud} --kind oidc --name acme --issuer {ISSUER} --audience sts.acme --grant Deploy {more}")
}

#[test]
fn the_fingerprint_is_the_authoritys_and_is_asked_for_only_where_it_is_needed() {
    let room = Room::new();
    let fingerprint = authority(&room);
    let done = room.call(&export("alibaba", &format!("--subject {SUBJECT}"))).run().exits(0);
    assert!(done.stdout.contains(&format!("default     = [\"{fingerprint}\"]")), "{}", done.stdout);
    done.says(&["ok: the fingerprint of the authority (", &fingerprint, "ok: the authority's certificate ("]);
    assert_eq!(room.requests(), ["GET id.acme.example/.well-known/openid-configuration"]);
    // Offline, and where the cloud finds it by itself.
    room.sandbox.clear_requests();
    let given = format!("--subject {SUBJECT} --fingerprint {fingerprint}");
    for line in [
        export("alibaba", &given),
        export("aws", &format!("--subject {SUBJECT}")),
        export("alibaba", &format!("{given} --format ros-stack")),
    ] {
        assert_eq!(room.call(&line).run().exits(0).stderr, "");
    }
    let role = room.call(&export("alibaba", &format!("--subject {SUBJECT} --format ros-role"))).run().exits(0);
    assert!(role.stdout.contains("SUBJECT_FROM_CLIENT") && !role.stdout.contains("FINGERPRINT"));
    assert!(room.requests().is_empty());
}

#[test]
fn what_would_let_everybody_in_is_not_written() {
    let room = Room::new();
    let refused = |line: &str, says: &str| {
        let done = room.call(line).run().exits(2);
        assert_eq!(done.stdout, "");
        done.says(&["error: ", says]);
    };
    refused(&export("aws", ""), "without a subject, everybody");
    refused(&export("aws", "--subject *"), "everybody");
    refused(&export("aws", "--subject x --issuer http://id.acme.example"), "cannot be used multiple times");
    refused("provider export --kind oidc --name a --issuer https://x --subject x --grant a", "for which cloud?");
    refused(
        "provider export --cloud aws --kind oidc --name a --issuer https://x.example --subject x --grant a",
        "without an audience",
    );
    refused(
        "provider export --cloud aws --kind saml --name a --metadata nowhere.xml --grant a",
        "there is no file `nowhere.xml`",
    );
    let page = room.write("page.xml", "<html><body/></html>");
    refused(&format!("provider export --cloud aws --kind saml --name a --metadata {} --grant a", page.display()), "no metadata");
    assert!(room.requests().is_empty());
}

#[test]
fn what_breaks_a_pipeline_is_told_before() {
    let room = Room::new();
    let fingerprint = authority(&room);
    let token = room.write("token", &room.sandbox.token(&Token::new(ISSUER, "sts.acme", SUBJECT)));
    let check = |more: &str| {
        let token = token.display();
        room.call(&format!("provider check --kind oidc --issuer {ISSUER} --audience sts.acme --token-file {token} {more}")).run()
    };
    let good = check(&format!("--subject repo:acme/* --fingerprint {fingerprint}")).exits(0);
    for line in [
        "ok: the issuer calls itself https://id.acme.example\n",
        &format!("ok: the fingerprint {fingerprint} is of "),
        "ok: the token is of this issuer\n",
        "ok: the token is for sts.acme\n",
        &format!("ok: the token's subject is {SUBJECT}\n"),
        "ok: the token is good until ",
    ] {
        assert!(good.stdout.contains(line), "{line}: {}", good.stdout);
    }
    let bad = check(&format!("--subject repo:other/* --fingerprint {}", "0".repeat(40))).exits(2);
    assert!(bad.stdout.contains("wrong: none of the fingerprints is of a certificate that the issuer shows: "), "{}", bad.stdout);
    assert!(
        bad.stdout.contains(&format!("wrong: the token's subject is {SUBJECT}, which none of the subjects fits")),
        "{}",
        bad.stdout
    );
    bad.says(&["error: 2 of these would make the cloud refuse"]);
    // To the letter: a slash more is another issuer.
    let slash = room.call(&format!("provider check --kind oidc --issuer {ISSUER}/")).run().exits(2);
    assert!(
        slash.stdout.contains("wrong: the issuer calls itself https://id.acme.example, which is not the same"),
        "{}",
        slash.stdout
    );
    room.sandbox.fault("id.acme.example", Fault::Status(200, "<html>".to_owned(), "text/html".to_owned()));
    let html = room.call(&format!("provider check --kind oidc --issuer {ISSUER}")).run().exits(2);
    assert!(html.stdout.contains("wrong: the issuer: "), "{}", html.stdout);
}

#[test]
fn a_certificate_that_ends_soon_is_a_warning_and_one_that_has_ended_an_error() {
    let room = Room::new();
    for (days, code, says) in
        [("1095", 0, "ok: the provider's certificate ("), ("30", 0, "is good for "), ("-1", 2, ") ended on ")]
    {
        let certificate = room.sandbox.signing_certificate(days.parse().unwrap());
        let packed = base64::engine::general_purpose::STANDARD.encode(certificate);
        let metadata = format!(
            "<EntityDescriptor entityID=\"https://idp.acme.example\"><IDPSSODescriptor><KeyDescriptor use=\"signing\"><X509Certificate>{packed}\
             </X509Certificate></KeyDescriptor></IDPSSODescriptor></EntityDescriptor>"
        );
        let file = room.write("metadata.xml", &metadata);
        let done = room.call(&format!("provider check --kind saml --metadata {}", file.display())).run().exits(code);
        assert!(done.stdout.starts_with("ok: the entity ID is https://idp.acme.example\n"), "{}", done.stdout);
        assert!(done.stdout.contains(says), "{days}: {}", done.stdout);
    }
}
