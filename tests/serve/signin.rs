//! Signing in and out by the corporate identity provider, and everything that does not sign in.

use std::time::Duration;

use saml2cloud::tvm::model::Status;

use crate::corporate::{ENTITY, SSO, Said};
use crate::house::{Answer, Browser, House};

/// A browser on its way: the binding cookie, and what the request said.
pub(crate) struct Away {
    pub(crate) binding: String,
    pub(crate) request: String,
    pub(crate) relay_state: String,
    /// The request itself.
    pub(crate) xml: String,
}

fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let all = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
    all.filter_map(|line| line.strip_prefix(&format!("{name}=")).map(|rest| rest.split(';').next().unwrap().to_owned())).next()
}

pub(crate) fn inflate(text: &str) -> String {
    use base64::Engine as _;
    use std::io::Read as _;
    let packed = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let mut xml = String::new();
    flate2::read::DeflateDecoder::new(packed.as_slice()).read_to_string(&mut xml).unwrap();
    xml
}

pub(crate) async fn away(house: &House, path: &str) -> Away {
    let answer = house.get(path).answer().await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let to: url::Url = answer.header("location").parse().unwrap();
    assert!(to.as_str().starts_with(SSO) && to.query_pairs().any(|(name, _)| name == "Signature"));
    let of = |wanted: &str| to.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned();
    let xml = inflate(&of("SAMLRequest"));
    let request = xml.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    Away { binding: cookie(&answer, "__Host-signin").unwrap(), request, relay_state: of("RelayState"), xml }
}

pub(crate) async fn back(house: &House, away: &Away, response: &str) -> Answer {
    post(house, Some(&away.binding), response, &away.relay_state).await
}

async fn post(house: &House, binding: Option<&str>, response: &str, relay_state: &str) -> Answer {
    let sent = house.post("/saml/acs").header("origin", "https://idp.example").header("sec-fetch-site", "cross-site");
    let sent = match binding {
        Some(binding) => sent.header("cookie", &format!("__Host-signin={binding}")),
        None => sent,
    };
    sent.form(&[("SAMLResponse", response), ("RelayState", relay_state)]).answer().await
}

/// Signs in, all the way.
pub(crate) async fn sign_in(house: &House, gid: &str) -> Browser {
    let away = away(house, "/saml/login").await;
    let response = house.corporate.respond(&Said::of(gid, &away.request, house.app.now()));
    let answer = back(house, &away, &response).await;
    signed_in(&answer)
}

/// The browser that got this answer.
pub(crate) fn signed_in(answer: &Answer) -> Browser {
    assert_eq!(answer.status, 303, "{}", answer.text);
    let cookie = cookie(answer, "__Host-session").unwrap();
    let csrf = saml2cloud::server::Csrf::of(&cookie.as_str().into()).token().expose().clone();
    Browser { cookie, csrf }
}

/// What is refused says one thing to whoever was refused, and another to the trail.
async fn is_refused(house: &House, answer: &Answer, why: &str) {
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(cookie(answer, "__Host-session").is_none());
    assert!(answer.text.contains("The sign-in did not succeed") && !answer.text.contains(why), "{}", answer.text);
    let row = house.event(answer).await;
    assert_eq!((row.kind.as_str(), row.outcome.as_str()), ("saml.acs", "refused"));
    assert!(row.params.contains(&format!(r#""refused":"{why}""#)), "{}", row.params);
}

#[tokio::test]
async fn somebody_of_the_pool_signs_in_and_out() {
    let house = House::new().await;
    let away = away(&house, "/saml/login?return=%2Fme%2Flogins").await;
    let said = Said::of(" Bob ", &away.request, house.app.now());
    let answer = back(&house, &away, &house.corporate.respond(&said)).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/me/logins"), "{}", answer.text);
    let set: Vec<&str> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(set[0].starts_with("__Host-session=") && set[0].ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{set:?}");
    assert_eq!(set[1], "__Host-signin=; Path=/; HttpOnly; SameSite=None; Secure; Max-Age=0");
    let row = house.event(&answer).await;
    assert_eq!((row.actor_gid.as_deref(), row.actor.as_deref()), (Some("BOB"), Some(house.people["bob"].as_str())));
    assert!(row.params.starts_with(r#"{"SAMLResponse":"***","RelayState":"***","assertion":""#), "{}", row.params);
    let value = cookie(&answer, "__Host-session").unwrap();
    let csrf = saml2cloud::server::Csrf::of(&value.as_str().into()).token().expose().clone();
    let browser = Browser { cookie: value, csrf };
    assert_eq!(house.get("/api/v1/me").cookie(&browser).answer().await.json()["gid"], "bob");
    let answer = house.post("/logout").from(&browser).answer().await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("https://idp.example/slo?SAMLRequest="), "{}", answer.text);
    assert!(answer.header("set-cookie").starts_with("__Host-session=; ") && answer.header("set-cookie").ends_with("Max-Age=0"));
    assert_eq!(house.get("/api/v1/me").cookie(&browser).answer().await.status, 401);
}

#[tokio::test]
async fn a_stranger_gets_no_session_and_is_told_whom_to_ask() {
    let house = House::new().await;
    let away = away(&house, "/saml/login").await;
    let answer = back(&house, &away, &house.corporate.respond(&Said::of("nobody", &away.request, house.app.now()))).await;
    assert_eq!(answer.status, 403);
    assert!(
        cookie(&answer, "__Host-session").is_none()
            && answer.text.contains("You are not in the pool")
            && answer.text.contains("nobody")
    );
    let row = house.event(&answer).await;
    assert_eq!((row.outcome.as_str(), row.actor_gid.as_deref(), row.actor), ("refused", Some("NOBODY"), None));
    assert!(row.params.contains("not_in_pool"));
}

#[tokio::test]
async fn a_response_counts_once_and_for_the_browser_that_asked() {
    let house = House::new().await;
    let (one, two) = (away(&house, "/saml/login").await, away(&house, "/saml/login").await);
    assert_ne!(one.binding, two.binding);
    let said = Said::of("bob", &one.request, house.app.now());
    let response = house.corporate.respond(&said);
    is_refused(&house, &back(&house, &two, &response).await, "other_browser").await;
    is_refused(&house, &post(&house, None, &response, &one.relay_state).await, "other_browser").await;
    assert_eq!(back(&house, &one, &response).await.status, 303);
    // Again, and another assertion for the same request.
    is_refused(&house, &back(&house, &one, &response).await, "request_answered").await;
    let other = Said { assertion: "_another".to_owned(), ..said.clone() };
    is_refused(&house, &back(&house, &one, &house.corporate.respond(&other)).await, "request_answered").await;
    // The same assertion for another request of its own browser.
    let again = Said { in_response_to: Some(two.request.clone()), ..said.clone() };
    is_refused(&house, &back(&house, &two, &house.corporate.respond(&again)).await, "replayed").await;
    let unknown = Said::of("bob", "_nobody_asked", house.app.now());
    is_refused(&house, &back(&house, &two, &house.corporate.respond(&unknown)).await, "unknown_request").await;
    let unasked = Said { in_response_to: None, ..Said::of("bob", "", house.app.now()) };
    is_refused(&house, &back(&house, &two, &house.corporate.respond(&unasked)).await, "unsolicited").await;
    house.clock.forward(Duration::from_secs(601));
    let late = Said::of("bob", &two.request, house.app.now());
    is_refused(&house, &back(&house, &two, &house.corporate.respond(&late)).await, "request_expired").await;
}

#[tokio::test]
async fn what_nobody_asked_for_signs_in_only_where_that_is_wanted() {
    let house = House::with("idp_initiated = true\n").await;
    let unasked = Said { in_response_to: None, ..Said::of("bob", "", house.app.now()) };
    let response = house.corporate.respond(&unasked);
    let answer = post(&house, None, &response, "https://evil.example/").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    is_refused(&house, &post(&house, None, &response, "").await, "replayed").await;
}

#[tokio::test]
async fn one_attribute_with_one_value_says_who_it_is() {
    let house = House::with("gid_attribute = \"employee\"\n").await;
    let gid = |values: &[&str]| vec![("employee".to_owned(), values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>())];
    for (attributes, is_good) in [
        (gid(&["BOB"]), true),
        (gid(&[" bob "]), true),
        (gid(&["bob", "mo"]), false),
        (gid(&[""]), false),
        (gid(&[]), false),
        (vec![], false),
        // A Cyrillic о.
        (gid(&["b\u{43e}b"]), false),
        (gid(&["bob\u{200b}"]), false),
        (vec![("Employee".to_owned(), vec!["bob".to_owned()])], false),
    ] {
        let away = away(&house, "/saml/login").await;
        let said = Said { attributes: attributes.clone(), ..Said::of("mo", &away.request, house.app.now()) };
        let answer = back(&house, &away, &house.corporate.respond(&said)).await;
        if is_good {
            assert_eq!(answer.status, 303, "{attributes:?}");
            assert_eq!(house.event(&answer).await.actor_gid.as_deref(), Some("BOB"));
        } else {
            is_refused(&house, &answer, "gid").await;
        }
    }
}

#[tokio::test]
async fn the_way_back_is_a_path_that_was_kept_here() {
    let house = House::new().await;
    for evil in
        ["//evil.example", "https://evil.example", "\\evil", "%2f%2fevil", "/%2f%2fevil", &format!("/{}", "x".repeat(5000))]
    {
        let path =
            format!("/saml/login?{}", url::form_urlencoded::Serializer::new(String::new()).append_pair("return", evil).finish());
        let away = away(&house, &path).await;
        let answer = back(&house, &away, &house.corporate.respond(&Said::of("bob", &away.request, house.app.now()))).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{evil}");
    }
    // What comes back as RelayState is a key, and one that is not known opens nothing.
    for relay_state in ["https://evil.example/", "//evil", "unknown", ""] {
        let away = away(&house, "/saml/login?return=%2Fdevice").await;
        let response = house.corporate.respond(&Said::of("bob", &away.request, house.app.now()));
        let answer = post(&house, Some(&away.binding), &response, relay_state).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{relay_state}");
    }
}

#[tokio::test]
async fn a_session_is_new_at_every_sign_in_and_ends_by_itself() {
    let house = House::new().await;
    let first = sign_in(&house, "bob").await;
    let away = away(&house, "/saml/login").await;
    let response = house.corporate.respond(&Said::of("bob", &away.request, house.app.now()));
    let cookies = format!("__Host-signin={}; __Host-session={}", away.binding, first.cookie);
    let answer = house
        .post("/saml/acs")
        .header("cookie", &cookies)
        .form(&[("SAMLResponse", &response), ("RelayState", "")])
        .answer()
        .await;
    let second = cookie(&answer, "__Host-session").unwrap();
    assert_ne!(first.cookie, second);
    let status =
        async |value: &str| house.get("/api/v1/me").header("cookie", &format!("__Host-session={value}")).answer().await.status;
    assert_eq!((status(&first.cookie).await, status(&second).await), (401, 200));
    // Without a request for half an hour it is over; with one now and then it lasts, but not for longer than eight hours.
    let third = sign_in(&house, "bob").await;
    for _ in 0..16 {
        house.clock.forward(Duration::from_secs(29 * 60));
        assert_eq!(status(&third.cookie).await, 200);
    }
    assert_eq!(status(&second).await, 401);
    house.clock.forward(Duration::from_secs(20 * 60));
    assert_eq!(status(&third.cookie).await, 401);
    let fourth = sign_in(&house, "bob").await;
    house.clock.forward(Duration::from_secs(31 * 60));
    assert_eq!(status(&fourth.cookie).await, 401);
}

#[tokio::test]
async fn the_identity_provider_may_end_a_session_earlier() {
    let house = House::new().await;
    let away = away(&house, "/saml/login").await;
    let ends = house.app.now().after(Duration::from_secs(600));
    let said = Said { session_ends: Some(ends), ..Said::of("bob", &away.request, house.app.now()) };
    let answer = back(&house, &away, &house.corporate.respond(&said)).await;
    let value = format!("__Host-session={}", cookie(&answer, "__Host-session").unwrap());
    house.clock.forward(Duration::from_secs(590));
    assert_eq!(house.get("/api/v1/me").header("cookie", &value).answer().await.status, 200);
    house.clock.forward(Duration::from_secs(10));
    assert_eq!(house.get("/api/v1/me").header("cookie", &value).answer().await.status, 401);
}

#[tokio::test]
async fn whoever_is_barred_is_out_at_the_next_request() {
    let house = House::new().await;
    let (browser, token) = (sign_in(&house, "bob").await, house.token("bob").await);
    assert_eq!(house.get("/api/v1/me").cookie(&browser).answer().await.status, 200);
    house.change(async |tx| tx.set_status(&house.people["bob"], 1, Status::Disabled).await).await;
    assert_eq!(house.get("/api/v1/me").cookie(&browser).answer().await.status, 401);
    assert_eq!(house.get("/api/v1/me").bearer(&token).answer().await.status, 401);
    let away = away(&house, "/saml/login").await;
    let answer = back(&house, &away, &house.corporate.respond(&Said::of("bob", &away.request, house.app.now()))).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn who_has_to_prove_it_anew_has_done_so() {
    let house = House::new().await;
    house.clock.forward(Duration::from_secs(3600));
    let away1 = away(&house, "/saml/login?fresh=1").await;
    let old = Said { authn_at: crate::house::now(), ..Said::of("bob", &away1.request, house.app.now()) };
    is_refused(&house, &back(&house, &away1, &house.corporate.respond(&old)).await, "authn_stale").await;
    let away2 = away(&house, "/saml/login?fresh=1").await;
    assert_eq!(
        back(&house, &away2, &house.corporate.respond(&Said::of("bob", &away2.request, house.app.now()))).await.status,
        303
    );
}

#[tokio::test]
async fn a_login_is_as_strong_as_is_demanded() {
    let house = House::with("authn_contexts = [\"urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI\"]\n").await;
    let away1 = away(&house, "/saml/login").await;
    is_refused(
        &house,
        &back(&house, &away1, &house.corporate.respond(&Said::of("bob", &away1.request, house.app.now()))).await,
        "authn_context",
    )
    .await;
    let away2 = away(&house, "/saml/login").await;
    let strong = Said {
        context: "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI".to_owned(),
        ..Said::of("bob", &away2.request, house.app.now())
    };
    assert_eq!(back(&house, &away2, &house.corporate.respond(&strong)).await.status, 303);
}

#[tokio::test]
async fn another_signature_is_none() {
    let house = House::new().await;
    let other = crate::corporate::Corporate::new();
    let away = away(&house, "/saml/login").await;
    is_refused(&house, &back(&house, &away, &other.respond(&Said::of("bob", &away.request, house.app.now()))).await, "signature")
        .await;
    for garbage in ["", "!", "PHg+"] {
        assert_eq!(back(&house, &away, garbage).await.status, 400);
    }
    let answer = house.post("/saml/acs").form(&[("x", "y")]).answer().await;
    is_refused(&house, &answer, "incomplete").await;
}

#[tokio::test]
async fn the_identity_provider_signs_somebody_out() {
    let house = House::new().await;
    let (bob, mo) = (sign_in(&house, "bob").await, sign_in(&house, "mo").await);
    let query = house.corporate.logout_query("bob", "s-1", house.app.now());
    let answer = house.get(&format!("/saml/slo?{query}")).answer().await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert!(answer.header("location").starts_with("https://idp.example/slo?SAMLResponse="));
    assert_eq!(house.get("/api/v1/me").cookie(&bob).answer().await.status, 401);
    assert_eq!(house.get("/api/v1/me").cookie(&mo).answer().await.status, 200);
    let other = crate::corporate::Corporate::new().logout_query("mo", "s-1", house.app.now());
    assert_eq!(house.get(&format!("/saml/slo?{other}")).answer().await.status, 400);
    assert_eq!(house.get("/api/v1/me").cookie(&mo).answer().await.status, 200);
}

#[tokio::test]
async fn our_metadata_says_who_we_are() {
    let house = House::new().await;
    let answer = house.get("/saml/metadata").answer().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/samlmetadata+xml"));
    assert!(
        answer.text.contains("entityID=\"https://cam.example/saml/metadata\"")
            && answer.text.contains("https://cam.example/saml/acs")
    );
    for partition in ["aws", "alibaba", "alibaba-intl", "aws-cn", "aws-us-gov"] {
        let answer = house.get(&format!("/idp/metadata/{partition}")).answer().await;
        assert!(answer.status == 200 && answer.text.contains("entityID=\"https://cam.example/idp/metadata\""), "{partition}");
    }
    assert_eq!(house.get("/idp/metadata/nowhere").answer().await.status, 404);
    assert!(!ENTITY.is_empty());
}
