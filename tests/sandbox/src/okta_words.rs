//! What Okta says: its answers and pages, in the shapes of its documentation.

use serde_json::{Value, json};

use crate::okta::HOST;
use crate::people::{Factor, Grant, OktaFactor, OktaState, Person, Push};
use crate::wire::{Breach, Reply, Request, breach};
use crate::world::word;

const EXPIRES: &str = "2038-01-19T03:14:07.000Z";

fn link(path: &str) -> Value {
    json!({ "href": format!("https://{HOST}{path}"), "hints": { "allow": ["POST"] } })
}

fn named(name: &str, path: &str) -> Value {
    let mut link = link(path);
    link["name"] = json!(name);
    link
}

fn user(person: &Person) -> Value {
    json!({
        "id": "00ub0oNGTSWTBKOLGLNR",
        "passwordChanged": "2026-09-08T20:14:45.000Z",
        "profile": {
            "login": person.email, "firstName": "A", "lastName": "Person", "locale": "en_US", "timeZone": "America/Los_Angeles",
        },
    })
}

/// The factors of a person, as an answer lists them.
pub(crate) fn factors(person: &Person) -> Vec<Value> {
    let name: String = person.email.chars().filter(char::is_ascii_alphanumeric).collect();
    let one = |prefix: &str, kind: &str, provider: &str, profile: Value| {
        let id = format!("{prefix}{name}");
        json!({
            "id": id, "factorType": kind, "provider": provider, "vendorName": provider, "profile": profile,
            "_links": { "verify": link(&format!("/api/v1/authn/factors/{id}/verify")) },
        })
    };
    let login = || json!({ "credentialId": person.email });
    let phone = || json!({ "phoneNumber": "+1 XXX-XXX-1337" });
    let of_person = person.factors.iter().map(|factor| match factor {
        Factor::Totp => one("ost", "token:software:totp", "OKTA", login()),
        Factor::Push => one(
            "opf",
            "push",
            "OKTA",
            json!({ "credentialId": person.email, "deviceType": "SmartPhone_IPhone", "name": "phone", "platform": "IOS", "version": "9.0" }),
        ),
        Factor::WebAuthn => one("fwf", "webauthn", "FIDO", json!({ "credentialId": "x", "authenticatorName": "key" })),
        Factor::Duo => one("dsf", "web", "DUO", login()),
    });
    let of_okta = person.okta.factors.iter().map(|factor| match factor {
        OktaFactor::Google => one("uft", "token:software:totp", "GOOGLE", login()),
        OktaFactor::Sms => one("sms", "sms", "OKTA", phone()),
        OktaFactor::Email => one("emf", "email", "OKTA", json!({ "email": "o...a@example.com" })),
        OktaFactor::Symantec => one("sym", "token", "SYMANTEC", json!({ "credentialId": "VSMT1" })),
        OktaFactor::Call => one("clf", "call", "OKTA", phone()),
        OktaFactor::Question => one("ufs", "question", "OKTA", json!({ "question": "food", "questionText": "Which food?" })),
        OktaFactor::SignedNonce => one("snf", "signed_nonce", "OKTA", login()),
    });
    of_person.chain(of_okta).collect()
}

/// An error.
pub(crate) fn error(status: u16, code: &str, summary: &str, causes: &[&str]) -> Reply {
    let causes: Vec<Value> = causes.iter().map(|cause| json!({ "errorSummary": cause })).collect();
    let body = json!({
        "errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": format!("oae{}", word::<15>()), "errorCauses": causes,
    });
    Reply::json(status, &body)
}

fn in_state(status: &str, state: &str, embedded: Value, links: Value) -> Reply {
    Reply::json(
        200,
        &json!({ "stateToken": state, "expiresAt": EXPIRES, "status": status, "_embedded": embedded, "_links": links }),
    )
}

fn cancel() -> Value {
    link("/api/v1/authn/cancel")
}

pub(crate) fn success(token: &str, person: &Person) -> Reply {
    Reply::json(
        200,
        &json!({ "expiresAt": EXPIRES, "status": "SUCCESS", "sessionToken": token, "_embedded": { "user": user(person) } }),
    )
}

pub(crate) fn stepped_up(state: &str, person: &Person) -> Reply {
    let mut next = named("original", &format!("/login/step-up/redirect?stateToken={state}"));
    next["hints"] = json!({ "allow": ["GET"] });
    let target = json!({ "type": "APP", "name": "amazon_aws", "label": "AWS" });
    in_state("SUCCESS", state, json!({ "user": user(person), "target": target }), json!({ "next": next }))
}

pub(crate) fn locked_out() -> Reply {
    let links = json!({ "next": named("unlock", "/api/v1/authn/recovery/unlock") });
    Reply::json(200, &json!({ "status": "LOCKED_OUT", "_links": links }))
}

pub(crate) fn mfa_required(state: &str, person: &Person) -> Reply {
    let policy = json!({ "allowRememberDevice": true, "rememberDeviceLifetimeInMinutes": 15, "rememberDeviceByDefault": false });
    let embedded = json!({ "user": user(person), "factors": factors(person), "policy": policy });
    in_state("MFA_REQUIRED", state, embedded, json!({ "cancel": cancel() }))
}

/// A factor that has begun, with what came of it so far and the number to choose.
pub(crate) fn challenge(state: &str, person: &Person, factor: &Value, result: Option<&str>, number: Option<u8>) -> Reply {
    let mut factor = factor.clone();
    let id = factor["id"].as_str().unwrap_or_default().to_owned();
    if let Some(members) = factor.as_object_mut() {
        members.remove("_links");
    }
    if let Some(number) = number {
        factor["_embedded"] = json!({ "challenge": { "correctAnswer": number } });
    }
    let verb = if result == Some("WAITING") { "poll" } else { "verify" };
    let mut body = json!({
        "stateToken": state,
        "expiresAt": EXPIRES,
        "status": "MFA_CHALLENGE",
        "_embedded": { "user": user(person), "factor": factor },
        "_links": {
            "next": named(verb, &format!("/api/v1/authn/factors/{id}/verify")),
            "cancel": cancel(),
            "prev": link("/api/v1/authn/previous"),
        },
    });
    if let Some(result) = result {
        body["factorResult"] = json!(result);
    }
    Reply::json(200, &body)
}

fn change_password() -> Value {
    named("changePassword", "/api/v1/authn/credentials/change_password")
}

pub(crate) fn password_expired(state: &str, person: &Person) -> Reply {
    let links = json!({ "next": change_password(), "cancel": cancel() });
    in_state("PASSWORD_EXPIRED", state, json!({ "user": user(person) }), links)
}

pub(crate) fn password_warn(state: &str, person: &Person, days: u32) -> Reply {
    let policy = json!({ "expiration": { "passwordExpireDays": days }, "complexity": { "minLength": 8 } });
    let links = json!({ "next": change_password(), "skip": named("skip", "/api/v1/authn/skip"), "cancel": cancel() });
    in_state("PASSWORD_WARN", state, json!({ "user": user(person), "policy": policy }), links)
}

pub(crate) fn enroll(state: &str, person: &Person, may_skip: bool) -> Reply {
    let wish = if may_skip { "OPTIONAL" } else { "REQUIRED" };
    let factor = json!({
        "factorType": "sms", "provider": "OKTA", "vendorName": "OKTA", "status": "NOT_SETUP", "enrollment": wish,
        "_links": { "enroll": link("/api/v1/authn/factors") },
    });
    let mut links = json!({ "cancel": cancel() });
    if may_skip {
        links["skip"] = named("skip", "/api/v1/authn/skip");
    }
    in_state("MFA_ENROLL", state, json!({ "user": user(person), "factors": [factor] }), links)
}

pub(crate) fn session(sid: &str, email: &str, now: &str) -> Reply {
    Reply::json(
        200,
        &json!({
            "id": sid, "userId": "00ub0oNGTSWTBKOLGLNR", "login": email, "createdAt": now, "expiresAt": EXPIRES,
            "status": "ACTIVE", "lastPasswordVerification": now, "amr": ["pwd"], "mfaActive": false,
        }),
    )
}

fn page(status: u16, title: &str, body: &str) -> Reply {
    Reply::html(
        status,
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>{body}</body></html>\n"
        ),
    )
}

/// Text in a script, as Okta writes it there.
fn in_script(text: &str) -> String {
    text.replace('-', "\\x2D").replace('/', "\\x2F").replace(':', "\\x3A")
}

pub(crate) fn login_page() -> Reply {
    page(200, "Acme - Sign In", "<div id=\"signin-container\"></div><script>var stateToken = '';</script>")
}

pub(crate) fn step_up_page(state: &str) -> Reply {
    let script =
        format!("var stateToken = '{}'; var next = \"/login/step-up/redirect?stateToken=\" + stateToken;", in_script(state));
    page(200, "Acme - Extra Verification", &format!("<div id=\"signin-container\"></div><script>{script}</script>"))
}

pub(crate) fn engine_page(state: &str) -> Reply {
    let script = format!("var oktaData = {{\"signIn\":{{\"stateToken\":\"{}\"}}}};", in_script(state));
    page(200, "Acme - Sign In", &format!("<div id=\"okta-login-container\"></div><script>{script}</script>"))
}

pub(crate) fn not_assigned() -> Reply {
    page(403, "Acme", "<h1>App Access Locked</h1><div class=\"error-content\">You are not allowed to access this app.</div>")
}

pub(crate) fn not_found() -> Reply {
    page(404, "Acme - Page not found", "<h2>Page not found</h2>")
}

pub(crate) fn organization() -> Reply {
    let links = json!({ "organization": { "href": format!("https://{HOST}") } });
    Reply::json(200, &json!({ "id": "00o1n8sbwArJ7OQRw406", "_links": links, "settings": {}, "pipeline": "v1" }))
}

pub(crate) fn webfinger(request: &Request) -> Result<Reply, Breach> {
    let query = request.query_fields();
    query.exactly(&["resource"], &["rel"])?;
    if !query.get("resource").starts_with("okta:acct:") {
        return breach("`resource` is no account of Okta");
    }
    let links = json!([{
        "rel": "okta:idp",
        "href": format!("https://{HOST}/sso/idps/OKTA"),
        "titles": { "und": "Acme" },
        "properties": { "okta:idp:metadata": null, "okta:idp:type": "OKTA", "okta:idp:id": null },
    }]);
    Ok(Reply::json(200, &json!({ "subject": query.get("resource"), "links": links })))
}

/// People whom only Okta treats in a way of their own.
pub(crate) fn people() -> Vec<Person> {
    const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    let person = |name: &str| {
        Person::new(&format!("{name}@example.com"), &format!("{name}-uses-okta"))
            .with_role(Grant::aws("012345678987", "AcmeJumpCloudAdminRO").up_to(43200))
            .with_role(Grant::alibaba("012345678987", "AcmeJumpCloudAdminRO").up_to(43200))
    };
    let with = |name: &str, factors: &[OktaFactor], state: OktaState| {
        let mut person = person(name);
        person.okta.factors = factors.to_vec();
        person.okta.state = state;
        person
    };
    let mut peggy = person("peggy").with_push(Push::Accepted { after: 2 });
    peggy.okta.number = Some(92);
    let mut olivia = with("olivia", &[OktaFactor::Email, OktaFactor::Google], OktaState::Active);
    olivia.totp_secret = Some(SECRET.to_owned());
    let mut uma = with("uma", &[OktaFactor::Symantec], OktaState::Active);
    uma.totp_secret = Some(SECRET.to_owned());
    let mut wendy = person("wendy").with_totp(SECRET);
    wendy.okta.state = OktaState::AsksMore;
    vec![
        peggy,
        olivia,
        uma,
        wendy,
        with("nick", &[OktaFactor::Sms], OktaState::Active),
        with("oscar", &[], OktaState::LockedOut),
        with("rupert", &[], OktaState::PasswordExpired),
        with("sybil", &[], OktaState::MustEnroll),
        with("victor", &[], OktaState::PasswordWarn { days: 5 }),
        with("walter", &[], OktaState::MayEnroll),
        with("xenia", &[], OktaState::NotAssigned),
        with("yves", &[OktaFactor::Call, OktaFactor::Question, OktaFactor::SignedNonce], OktaState::Active),
        with("zoe", &[], OktaState::Engine),
    ]
}
