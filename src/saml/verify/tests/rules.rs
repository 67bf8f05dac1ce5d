//! Everything that SAML itself wants, each at its border. The documents are signed: what is refused is refused for what it says.

use super::*;

/// What is said of a signed response with one thing changed.
fn said(from: &str, to: &str) -> Result<Login, Refused> {
    assert!(PLAIN.contains(from), "{from}");
    judge(&signed(&PLAIN.replace(from, to)))
}

fn code(from: &str, to: &str) -> &'static str {
    said(from, to).map_or_else(|refused| refused.code(), |_| "fine")
}

#[test]
fn addresses_and_names_are_compared_byte_for_byte() {
    let audience = "<saml:Audience>https://cam.corp.example/saml</saml:Audience>";
    let restriction = format!("<saml:AudienceRestriction>{audience}</saml:AudienceRestriction>");
    let issuer = "Version=\"2.0\"><saml:Issuer>https://idp.corp.example/saml<";
    let cases: Vec<(&str, String, &str)> = vec![
        (issuer, issuer.replace("/saml<", "/saml/<"), "issuer"),
        (issuer, issuer.replace("idp.corp", "IDP.corp"), "issuer"),
        (issuer, issuer.replace("idp.corp", "evil.corp"), "issuer"),
        ("<saml:Issuer>https://idp.corp.example/saml</saml:Issuer><saml:Subject>", "<saml:Subject>".to_owned(), "signature"),
        (
            "assertion\">https://idp.corp.example/saml</saml:Issuer><samlp",
            "assertion\">https://evil.example</saml:Issuer><samlp".to_owned(),
            "issuer",
        ),
        (audience, audience.replace("/saml<", "/saml/<"), "audience"),
        (audience, audience.replace("cam.corp", "Cam.corp"), "audience"),
        (audience, audience.replace("cam.corp", "other.corp"), "audience"),
        (audience, String::new(), "shape"),
        (audience, audience.repeat(2), "shape"),
        (audience, format!("{audience}<saml:Audience>https://other.example</saml:Audience>"), "shape"),
        (&restriction, String::new(), "shape"),
        (&restriction, restriction.repeat(2), "shape"),
        (" Recipient=\"https://cam.corp.example/saml/acs\"", String::new(), "recipient"),
        (
            "Recipient=\"https://cam.corp.example/saml/acs\"",
            "Recipient=\"https://cam.corp.example/saml/acs/\"".to_owned(),
            "recipient",
        ),
        (
            "Recipient=\"https://cam.corp.example/saml/acs\"",
            "Recipient=\"https://CAM.corp.example/saml/acs\"".to_owned(),
            "recipient",
        ),
        ("Recipient=\"https://cam.corp.example/saml/acs\"", "Recipient=\"https://evil.example/\"".to_owned(), "recipient"),
        ("Destination=\"https://cam.corp.example/saml/acs\" ", String::new(), "destination"),
        (
            "Destination=\"https://cam.corp.example/saml/acs\"",
            "Destination=\"https://cam.corp.example/saml/acs/\"".to_owned(),
            "destination",
        ),
        (
            "Destination=\"https://cam.corp.example/saml/acs\"",
            "Destination=\"https://cam.corp.example/SAML/acs\"".to_owned(),
            "destination",
        ),
        ("Destination=\"https://cam.corp.example/saml/acs\"", "Destination=\"https://evil.example/\"".to_owned(), "destination"),
        ("status:Success", "status:Responder".to_owned(), "status"),
        ("status:Success", "status:success".to_owned(), "status"),
        ("<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"></samlp:StatusCode>", String::new(), "shape"),
        ("cm:bearer", "cm:sender-vouches".to_owned(), "confirmation"),
        ("cm:bearer", "cm:holder-of-key".to_owned(), "confirmation"),
        (
            "<saml:SubjectConfirmationData InResponseTo=\"_request\"",
            "<saml:SubjectConfirmationData InResponseTo=\"_other\"".to_owned(),
            "confirmation",
        ),
        (" InResponseTo=\"_request\" IssueInstant", " IssueInstant".to_owned(), "confirmation"),
        (
            "<saml:SubjectConfirmationData InResponseTo=\"_request\" ",
            "<saml:SubjectConfirmationData InResponseTo=\"_request\" NotBefore=\"2027-01-02T03:00:00Z\" ".to_owned(),
            "confirmation",
        ),
        ("<saml:NameID>E1001</saml:NameID>", "<saml:NameID></saml:NameID>".to_owned(), "shape"),
        ("<saml:NameID>E1001</saml:NameID>", String::new(), "shape"),
        ("ID=\"_assertion\" ", "ID=\"a b\" ".to_owned(), "shape"),
        ("Version=\"2.0\"><saml:Issuer>", "Version=\"1.1\"><saml:Issuer>".to_owned(), "shape"),
    ];
    assert_eq!(code("E1001", "E1001"), "fine");
    // The verifier inside looks at some of this earlier; it is refused all the same, and by our own words wherever ours come first.
    let wrong = cases.iter().filter_map(|(from, to, wanted)| {
        let code = code(from, to);
        (code != *wanted && code != "signature").then(|| format!("{from} -> {to}: {code}, not {wanted}"))
    });
    assert_eq!(wrong.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn our_own_rules_do_not_rest_on_the_verifier() {
    // The same cases, on what our own parser read, without asking the verifier.
    let ask = |from: &str, to: &str| {
        let xml = signed(&PLAIN.replace(from, to));
        let certificates = certificates();
        let expected = expected(&certificates);
        let document = tree::parse(&xml).unwrap();
        let passed = gate::pass(&document, &expected).unwrap();
        super::super::rules::check(Reading::of(&passed).unwrap(), &expected, now())
            .map_or_else(|refused| refused.code(), |_| "fine")
    };
    assert_eq!(ask("E1001", "E1001"), "fine");
    assert_eq!(ask("2.0\"><saml:Issuer>https://idp.", "2.0\"><saml:Issuer>https://IDP."), "issuer");
    assert_eq!(ask("assertion\">https://idp.corp", "assertion\">https://evil.corp"), "issuer");
    assert_eq!(ask("<saml:Audience>https://cam.", "<saml:Audience>https://Cam."), "audience");
    assert_eq!(ask(" Recipient=\"https://cam.corp.example/saml/acs\"", ""), "recipient");
    assert_eq!(
        ask("Recipient=\"https://cam.corp.example/saml/acs\"", "Recipient=\"https://cam.corp.example/saml/acs/\""),
        "recipient"
    );
    assert_eq!(ask("Destination=\"https://cam.corp.example/saml/acs\" ", ""), "destination");
    assert_eq!(ask("cm:bearer", "cm:sender-vouches"), "confirmation");
    assert_eq!(ask("NotBefore=\"2027-01-02T03:03:05Z\"", "NotBefore=\"2027-01-02T03:05:11Z\""), "too_early");
    assert_eq!(
        ask("NotOnOrAfter=\"2027-01-02T03:09:05Z\"><saml:Aud", "NotOnOrAfter=\"2027-01-02T03:03:10Z\"><saml:Aud"),
        "expired"
    );
    assert_eq!(ask("NotOnOrAfter=\"2027-01-02T03:09:05Z\" Rec", "NotOnOrAfter=\"2027-01-02T03:03:10Z\" Rec"), "expired");
    assert_eq!(ask("SessionNotOnOrAfter=\"2027-01-02T03:10:05Z\"", "SessionNotOnOrAfter=\"2027-01-02T03:03:10Z\""), "expired");
}

/// At which second, of those around a border, the response with `to` in it is taken. `to` names the moment as `T`.
fn taken_around(skew: u64, from: &str, to: &str, border: &str) -> [bool; 3] {
    let certificates = certificates();
    let xml = STANDARD.encode(signed(&PLAIN.replace(from, to)));
    let at = Timestamp::parse(border).unwrap();
    let expected = Expected { skew: Duration::from_secs(skew), ..expected(&certificates) };
    let second = Duration::from_secs(1);
    [at.before(second), at, at.after(second)].map(|now| Gate.verify(&xml, &expected, now).is_ok())
}

#[test]
fn every_moment_counts_to_the_second_with_the_forgiven_difference() {
    let (before, until) = ([false, true, true], [true, false, false]);
    // Long enough elsewhere, so that only one border is near.
    let end = "NotOnOrAfter=\"2027-01-02T03:09:05Z\"";
    let confirmed = "NotOnOrAfter=\"2027-01-02T03:09:05Z\" Recipient";
    for (skew, wide) in [(60, 60), (0, 0), (300, 300), (3600, 300)] {
        let around = |from: &str, to: &str, border: i64, offset: i64| {
            let at = Timestamp::from_unix(border + offset).unwrap().utc();
            taken_around(skew, from, to, &at)
        };
        let unix = |text: &str| Timestamp::parse(text).unwrap().unix();
        // Not before it begins.
        let start = unix("2027-01-02T03:06:00Z");
        let from = "NotBefore=\"2027-01-02T03:03:05Z\"";
        assert_eq!(around(from, "NotBefore=\"2027-01-02T03:06:00Z\"", start, -wide), before, "NotBefore, {skew}");
        // Not from its end on: conditions, confirmation, session.
        let over = unix("2027-01-02T03:07:00Z");
        let conditions = format!("{end}><saml:Aud");
        let shorter = "NotOnOrAfter=\"2027-01-02T03:07:00Z\"";
        assert_eq!(around(&conditions, &format!("{shorter}><saml:Aud"), over, wide), until, "NotOnOrAfter, {skew}");
        assert_eq!(around(confirmed, &format!("{shorter} Recipient"), over, wide), until, "confirmation, {skew}");
        let session = "SessionNotOnOrAfter=\"2027-01-02T03:10:05Z\"";
        assert_eq!(around(session, "SessionNotOnOrAfter=\"2027-01-02T03:07:00Z\"", over, wide), until, "session, {skew}");
        // Neither issued nor known in the future.
        let later = PLAIN.replace("NotBefore=\"2027-01-02T03:03:05Z\"", "");
        assert_ne!(later, PLAIN);
        let issued = "InResponseTo=\"_request\" IssueInstant=\"2027-01-02T03:04:05Z\"";
        let at = unix("2027-01-02T03:06:00Z");
        assert_eq!(around(issued, &issued.replace("03:04:05", "03:06:00"), at, -wide), before, "Response/IssueInstant, {skew}");
        let issued = "ID=\"_assertion\" IssueInstant=\"2027-01-02T03:04:05Z\"";
        assert_eq!(around(issued, &issued.replace("03:04:05", "03:06:00"), at, -wide), before, "Assertion/IssueInstant, {skew}");
        let instant = "AuthnInstant=\"2027-01-02T03:00:00Z\"";
        assert_eq!(around(instant, &instant.replace("03:00:00", "03:06:00"), at, -wide), before, "AuthnInstant, {skew}");
    }
    // Issued too long ago, whatever it says of its end.
    let issued = "ID=\"_assertion\" IssueInstant=\"2027-01-02T03:04:05Z\"";
    assert_eq!(taken_around(60, issued, &issued.replace("03:04:05", "02:55:00"), "2027-01-02T03:06:00Z"), until);
}

#[test]
fn a_moment_is_in_utc_and_there() {
    for (from, to) in [
        ("NotBefore=\"2027-01-02T03:03:05Z\"", "NotBefore=\"2027-01-02T04:03:05+01:00\""),
        ("NotBefore=\"2027-01-02T03:03:05Z\"", "NotBefore=\"\""),
        ("NotBefore=\"2027-01-02T03:03:05Z\"", "NotBefore=\"2027-01-02\""),
        ("NotOnOrAfter=\"2027-01-02T03:09:05Z\"><saml:Aud", "NotOnOrAfter=\"tomorrow\"><saml:Aud"),
        (" NotOnOrAfter=\"2027-01-02T03:09:05Z\"><saml:Aud", "><saml:Aud"),
        (" NotOnOrAfter=\"2027-01-02T03:09:05Z\" Rec", " Rec"),
        (" IssueInstant=\"2027-01-02T03:04:05Z\"", ""),
        (" AuthnInstant=\"2027-01-02T03:00:00Z\"", ""),
    ] {
        assert!(said(from, to).is_err(), "{from} -> {to}");
    }
    // Fractions of a second are fine, and so is an assertion that says nothing of its beginning or its session's end.
    assert!(said("2027-01-02T03:03:05Z", "2027-01-02T03:03:05.123Z").is_ok());
    assert!(said("NotBefore=\"2027-01-02T03:03:05Z\" ", "").is_ok());
    assert_eq!(said(" SessionNotOnOrAfter=\"2027-01-02T03:10:05Z\"", "").unwrap().session_ends, None);
}

#[test]
fn a_weak_or_old_sign_in_is_told_from_a_strong_and_fresh_one() {
    let certificates = certificates();
    let xml = STANDARD.encode(signed(PLAIN));
    let contexts = |classes: &[&str]| classes.iter().map(|class| (*class).to_owned()).collect::<Vec<_>>();
    let ask = |classes: &[&str]| {
        let classes = contexts(classes);
        let expected = Expected { authn_contexts: &classes, ..expected(&certificates) };
        Gate.verify(&xml, &expected, now()).map_or_else(|refused| refused.code(), |_| "fine")
    };
    let password = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password";
    assert_eq!(ask(&[SMARTCARD]), "fine");
    assert_eq!(ask(&[password, SMARTCARD]), "fine");
    assert_eq!(ask(&[password]), "authn_context");
    assert_eq!(ask(&[&SMARTCARD.to_lowercase()]), "authn_context");
    let none = "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI</saml:AuthnContextClassRef>";
    let without = STANDARD.encode(signed(&PLAIN.replace(none, "")));
    let wanted = contexts(&[SMARTCARD]);
    let strict = Expected { authn_contexts: &wanted, ..expected(&certificates) };
    assert_eq!(Gate.verify(&without, &strict, now()).unwrap_err().code(), "authn_context");
    // Asked at 03:00:00, five minutes allowed, a minute forgiven.
    let expected = Expected { max_authn_age: Some(Duration::from_secs(300)), ..expected(&certificates) };
    let at = |time: &str| {
        Gate.verify(&xml, &expected, Timestamp::parse(time).unwrap()).map_or_else(|refused| refused.code(), |_| "fine")
    };
    assert_eq!(
        [at("2027-01-02T03:05:59Z"), at("2027-01-02T03:06:00Z"), at("2027-01-02T03:06:01Z")],
        ["fine", "fine", "authn_stale"]
    );
}

#[test]
fn an_answer_that_nobody_asked_for_says_so() {
    let unasked = PLAIN.replace(" InResponseTo=\"_request\"", "");
    assert_eq!(judge(&signed(&unasked)).unwrap().in_response_to, None);
}

#[test]
fn whom_somebody_is_has_one_value() {
    let gid = "<saml:AttributeValue>E1001</saml:AttributeValue>";
    let one = |to: &str| said(gid, to).map(|login| login.one("gid").map(str::to_owned));
    let value = |text: &str| format!("<saml:AttributeValue>{text}</saml:AttributeValue>");
    assert_eq!(one(gid), Ok(Some("E1001".to_owned())));
    assert_eq!(one(&value(" E1001 ")), Ok(Some("E1001".to_owned())));
    assert_eq!(one(&format!("{gid}{gid}")), Ok(None));
    assert_eq!(one(&value("")), Ok(None));
    assert_eq!(one(""), Ok(None));
    let attribute = "<saml:Attribute Name=\"gid\"><saml:AttributeValue>E1001</saml:AttributeValue></saml:Attribute>";
    // The same attribute twice: both values, or a refusal, but never one of them.
    let twice = said(attribute, &attribute.repeat(2));
    assert!(twice.is_err() || twice.unwrap().one("gid").is_none());
    // Another writing of the name is another name; what the pool makes of it is the pool's own affair.
    assert_eq!(one(&value("Е1001")), Ok(Some("Е1001".to_owned())));
    assert_eq!(one(&value("e1001")), Ok(Some("e1001".to_owned())));
    assert_eq!(said("Name=\"gid\"", "Name=\"GID\"").unwrap().one("gid"), None);
}

#[test]
fn a_failure_is_told_by_its_inner_code() {
    let code = "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"></samlp:StatusCode>";
    let failed = "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext\"/></samlp:StatusCode>";
    assert!(said(code, failed).unwrap_err().to_string().contains("NoAuthnContext"));
}
