//! What holds for every route there is. The routes come from the router's own list, so a new one is tried without being named here.

use std::collections::BTreeSet;

use saml2cloud::server::{Access, Spec, routes};

use crate::house::{Answer, House, Sent};

/// The path of a route with something in each of its places.
fn path(spec: &Spec) -> String {
    let part = |part: &str| if part.starts_with('{') { "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned() } else { part.to_owned() };
    spec.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn ask(house: &House, spec: &Spec) -> Sent {
    house.ask(spec.method.as_str(), &path(spec))
}

fn unsafe_ones() -> Vec<Spec> {
    let specs = routes().into_iter().map(|route| route.spec);
    specs.filter(|spec| matches!(spec.access, Access::Api | Access::Page) && !spec.method.is_safe()).collect()
}

#[test]
fn every_route_is_there_once_with_a_name_of_its_own() {
    let specs: Vec<Spec> = routes().into_iter().map(|route| route.spec).collect();
    let places: BTreeSet<String> = specs.iter().map(|spec| format!("{} {}", spec.method, spec.path)).collect();
    let names: BTreeSet<&str> = specs.iter().filter_map(|spec| spec.told).collect();
    assert_eq!((places.len(), names.len()), (specs.len(), specs.iter().filter(|spec| spec.told.is_some()).count()));
    for spec in &specs {
        // Only what machines ask over and over leaves nothing.
        assert!(spec.told.is_some() || spec.access == Access::Local || spec.path.starts_with("/assets/"), "{spec:?}");
    }
}

#[tokio::test]
async fn every_request_leaves_exactly_one_event() {
    let house = House::new().await;
    let browser = house.browser("bob").await;
    for spec in routes().into_iter().map(|route| route.spec) {
        let many = [ask(&house, &spec).answer().await, ask(&house, &spec).from(&browser).answer().await];
        for answer in many {
            let rows = house.events(answer.request()).await;
            let kinds: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
            assert_eq!(kinds, spec.told.into_iter().collect::<Vec<_>>(), "{spec:?} {}", answer.status);
        }
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_proof() {
    let house = House::new().await;
    let mut seen = 0;
    for spec in routes().into_iter().map(|route| route.spec) {
        let refused = |answer: &Answer| match spec.access {
            Access::Api => answer.status == 401 && answer.code() == "unauthenticated",
            Access::Page if spec.method.is_safe() => {
                answer.status == 303 && answer.header("location").starts_with("/saml/login?return=%2F")
            }
            Access::Page => answer.status == 401,
            Access::Open | Access::Local => true,
        };
        for answer in [
            ask(&house, &spec).answer().await,
            ask(&house, &spec).header("cookie", "__Host-session=abc").answer().await,
            ask(&house, &spec).header("cookie", "session=abc").answer().await,
            ask(&house, &spec).bearer("abc").answer().await,
        ] {
            seen += 1;
            assert!(refused(&answer), "{spec:?} {answer:?}");
        }
    }
    assert!(seen > 10);
}

#[tokio::test]
async fn every_unsafe_request_comes_from_a_page_of_ours() {
    let house = House::new().await;
    let mut seen = 0;
    for spec in unsafe_ones() {
        // New ones each time: one of the routes signs out.
        let (browser, other) = (house.browser("bob").await, house.browser("bob").await);
        let ask = || ask(&house, &spec).cookie(&browser);
        for sent in [
            ask(),
            ask().header("origin", "https://cam.example"),
            ask().header("x-csrf-token", &other.csrf).header("origin", "https://cam.example"),
            ask().header("x-csrf-token", &browser.csrf).header("origin", "https://evil.example"),
            ask().header("x-csrf-token", &browser.csrf).header("origin", "null"),
            ask().header("x-csrf-token", &browser.csrf).header("sec-fetch-site", "cross-site"),
            ask()
                .header("x-csrf-token", &browser.csrf)
                .header("sec-fetch-site", "same-site")
                .header("origin", "https://cam.example"),
            ask().form(&[("csrf", &other.csrf)]),
        ] {
            let answer = sent.answer().await;
            assert_eq!(answer.status, 403, "{spec:?} {answer:?}");
            let row = house.event(&answer).await;
            assert_eq!((row.outcome.as_str(), row.actor_gid.as_deref()), ("refused", Some("BOB")));
            assert!(row.params.contains("csrf_failed"), "{}", row.params);
            seen += 1;
        }
        // The same request with the token is refused for other reasons, if at all.
        let answer = ask()
            .header("x-csrf-token", &browser.csrf)
            .header("sec-fetch-site", "same-origin")
            .header("origin", "null")
            .answer()
            .await;
        assert!(!answer.text.contains("csrf_failed"), "{spec:?} {answer:?}");
    }
    assert!(seen > 0);
}

#[tokio::test]
async fn a_bearer_never_has_its_cookies_read() {
    let house = House::new().await;
    let (browser, token) = (house.browser("mo").await, house.token("bob").await);
    let answer = house.get("/api/v1/me").cookie(&browser).bearer(&token).answer().await;
    assert_eq!(answer.json()["gid"], "bob");
    for wrong in ["Bearer abc", "Basic abc", "Bearer", ""] {
        let answer = house.get("/api/v1/me").cookie(&browser).header("authorization", wrong).answer().await;
        assert_eq!(answer.status, 401, "{wrong:?}");
    }
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let house = House::new().await;
    for path in ["/api/v1/me", "/api/v1/openapi.json", "/healthz", "/nothing", "/"] {
        let answer = house.get(path).answer().await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "), "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!((answer.header("x-content-type-options"), answer.header("referrer-policy")), ("nosniff", "no-referrer"));
        assert!(answer.header("strict-transport-security").starts_with("max-age=") && answer.request().len() == 26);
    }
    let answer = house.get("/api/v1/nothing").header("x-request-id", "mine").answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
    assert_ne!(answer.request(), "mine");
    let answer = house.ask("DELETE", "/api/v1/me").answer().await;
    assert_eq!((answer.status, answer.code().as_str(), answer.header("allow")), (405, "method_not_allowed", "GET,HEAD,PATCH"));
}

#[tokio::test]
async fn another_host_is_another_service() {
    let house = House::new().await;
    let token = house.token("bob").await;
    let raw = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/api/v1/me", house.address());
    let answer =
        raw.get(url).header("host", "evil.example").header("authorization", format!("Bearer {token}")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 421);
    assert!(answer.text().await.unwrap().contains("wrong_host"));
}

#[tokio::test]
async fn the_description_is_of_these_routes() {
    let house = House::new().await;
    let description = house.get("/api/v1/openapi.json").answer().await.json();
    assert_eq!(description["openapi"], "3.1.0");
    let mut described = 0;
    for spec in routes()
        .into_iter()
        .map(|route| route.spec)
        .filter(|spec| spec.path.starts_with("/api/v1/") && spec.path != "/api/v1/openapi.json")
    {
        let operation = &description["paths"][&spec.path][spec.method.as_str().to_lowercase()];
        assert_eq!(operation["operationId"].as_str(), spec.told, "{spec:?}");
        described += 1;
    }
    assert!(described > 0);
}
