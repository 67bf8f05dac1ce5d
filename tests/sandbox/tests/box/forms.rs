//! Walks through the provider made of forms, as a browser would take them.

use crate::browser::{Answer, Browser, clean, start};

const HOST: &str = "https://login.acme.example";
const ALICE: (&str, &str) = ("alice@example.com", "alice-correct-horse-battery");

/// Sends the page's form back with these fields.
fn submit(browser: &mut Browser, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    let (execution, csrf) = (page.field("execution"), page.field("csrf"));
    let mut all = vec![("execution", execution.as_str()), ("csrf", csrf.as_str())];
    all.extend_from_slice(fields);
    browser.post(&format!("{HOST}/sso/next"), &all)
}

fn login(browser: &mut Browser, page: &Answer, password: &str) -> Answer {
    let fields = [("username", ALICE.0), ("password", password), ("realm", "staff"), ("_eventId_proceed", "")];
    submit(browser, page, &fields)
}

/// Follows a page that goes on by itself.
fn follow(browser: &mut Browser, page: &Answer) -> Answer {
    let (_, rest) = page.body.split_once("; url=").unwrap();
    browser.get(&format!("{HOST}{}", rest.split('"').next().unwrap()))
}

fn begin(browser: &mut Browser, app: &str) -> Answer {
    browser.get(&format!("{HOST}/sso/{app}"))
}

#[test]
fn short_styles() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    for app in ["aws", "alibaba?style=one", "alibaba-intl?style=unnamed", "aws?style=one&spentityid=urn:amazon:webservices"] {
        let page = begin(&mut browser, app);
        let wrong = login(&mut browser, &page, "wrong");
        assert!(wrong.body.contains("<div class=\"error\">Incorrect user name or password.</div>"));
        let end = login(&mut browser, &wrong, ALICE.1);
        let cloud = app.split(['?', '-']).next().unwrap();
        assert!(end.assertion().contains(match cloud {
            "aws" => "arn:aws:iam::012345678987:role/",
            _ => "acs:ram::012345678987:role/",
        }));
    }
    clean(&sandbox);
}

#[test]
fn every_page_at_once() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    let page = begin(&mut browser, "aws?style=all");
    let page = submit(&mut browser, &page, &[("identifier", ALICE.0)]);
    let page = submit(&mut browser, &page, &[("identifier", ALICE.0), ("passwd", ALICE.1)]);
    let page = submit(&mut browser, &page, &[("factor", "totp")]);
    let page = submit(&mut browser, &page, &[("otp", "000")]);
    assert!(page.body.contains("That code is not right."));
    let code = sandbox.code(ALICE.0);
    let page = submit(&mut browser, &page, &[("otp", &code)]);
    let page = follow(&mut browser, &page);
    let end = submit(&mut browser, &page, &[("consent", "yes")]);
    assert!(end.assertion().contains("RoleSessionName"));
    clean(&sandbox);
    assert!(sandbox.secrets().contains(&code));
}

#[test]
fn push_and_refresh_and_no() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    let page = begin(&mut browser, "aws?style=choice");
    let page = login(&mut browser, &page, ALICE.1);
    let mut page = submit(&mut browser, &page, &[("factor", "push")]);
    while page.body.contains("Approve the request") {
        page = follow(&mut browser, &page);
    }
    assert!(page.assertion().contains("AcmeJumpCloudAdminRO"));

    let page = begin(&mut browser, "aws?style=refresh");
    let page = follow(&mut browser, &page);
    let page = login(&mut browser, &page, ALICE.1);
    assert!(follow(&mut browser, &page).body.contains("SAMLResponse"));

    let page = begin(&mut browser, "aws?style=consent-reversed");
    let page = login(&mut browser, &page, ALICE.1);
    assert!(submit(&mut browser, &page, &[("consent", "no")]).body.contains("You chose not"));
    clean(&sandbox);
}

#[test]
fn traps() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    assert!(begin(&mut browser, "loop").body.contains("action=\"/sso/loop\""));
    assert!(browser.post(&format!("{HOST}/sso/loop"), &[("again", "1")]).body.contains("action=\"/sso/loop\""));
    assert_eq!(begin(&mut browser, "bounce").location.as_deref(), Some("/sso/bounce"));
    assert!(!begin(&mut browser, "script").body.contains("<form method"));
    assert!(begin(&mut browser, "offsite").body.contains("http://evil.example/login"));
    let page = begin(&mut browser, "stolen");
    assert!(login(&mut browser, &page, ALICE.1).body.contains("action=\"https://evil.example/saml\""));
    let page = begin(&mut browser, "notsaml");
    assert!(login(&mut browser, &page, ALICE.1).assertion().contains("not SAML"));
    let page = begin(&mut browser, "rude");
    assert!(login(&mut browser, &page, "wrong").body.contains("&#27;[31m"));
    clean(&sandbox);
}

#[test]
fn breaches() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    let page = begin(&mut browser, "aws");
    let extra = |name| [("username", ALICE.0), ("password", ""), ("realm", "staff"), ("_eventId_proceed", ""), (name, "")];
    for name in ["", "remember", "legacy"] {
        assert_eq!(submit(&mut browser, &page, &extra(name)).status, 400);
    }
    let fields = [("username", ""), ("password", ""), ("realm", "guests"), ("_eventId_proceed", "")];
    assert_eq!(submit(&mut browser, &page, &fields).status, 400);
    assert_eq!(login(&mut browser, &page, "wrong").status, 200);
    // The first page's token is stale now.
    assert_eq!(login(&mut browser, &page, ALICE.1).status, 400);
    browser.forget_cookies();
    assert_eq!(login(&mut browser, &page, ALICE.1).status, 400);
    assert_eq!(sandbox.violations().len(), 6);
}
