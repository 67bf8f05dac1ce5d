//! Walks through AD FS, as a browser would take it.

use crate::browser::{Answer, Browser, clean, start};
use sandbox::Sandbox;

const PAGE: &str = "https://fs.acme.example/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=urn%3Aamazon%3Awebservices";

/// Where the page's own form goes; a form without an action goes to where the page is.
fn place(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("?loginToRp=").unwrap();
    format!("https://fs.acme.example/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp={}", rest.split('"').next().unwrap())
}

fn login(sandbox: &Sandbox, browser: &mut Browser, user: &str) -> Answer {
    let page = browser.get(PAGE);
    let password = sandbox.directory().person(&format!("{user}@example.com")).unwrap().password.clone();
    let user = format!("{user}@example.com");
    let fields = [("UserName", user.as_str()), ("Password", &password), ("AuthMethod", "FormsAuthentication")];
    let answer = browser.post(&place(&page), &fields);
    match answer.location.clone() {
        Some(location) => browser.get(&location.replace(":443", "")),
        None => answer,
    }
}

/// Sends an adapter's form back, with these fields of it.
fn submit(browser: &mut Browser, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    let context = page.field("Context").replace("&lt;", "<").replace("&gt;", ">");
    let method = page.field("AuthMethod");
    let mut all = vec![("AuthMethod", method.as_str()), ("Context", &context)];
    all.extend_from_slice(fields);
    browser.post(&place(page), &all)
}

fn code(sandbox: &Sandbox, user: &str) -> String {
    sandbox.code(&format!("{user}@example.com"))
}

#[test]
fn passwords() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    assert!(login(&sandbox, &mut browser, "bob").assertion().contains("arn:aws:iam::012345678987:role/"));
    browser.forget_cookies();
    assert!(login(&sandbox, &mut browser, "gita").body.contains("currently locked out"));
    let fields = [("UserName", "ACME\\bob"), ("Password", "wrong"), ("AuthMethod", "FormsAuthentication")];
    assert!(browser.post(PAGE, &fields).body.contains("Incorrect user ID or password."));
    clean(&sandbox);
}

#[test]
fn codes() {
    let sandbox = start();
    for (user, field) in [("amelia", "security_code"), ("boris", "OathCode"), ("emil", "Passcode")] {
        let mut browser = Browser::new(&sandbox);
        let page = login(&sandbox, &mut browser, user);
        let page = submit(&mut browser, &page, &[(field, "000")]);
        assert!(page.body.contains("code"), "{}", page.body);
        let page = submit(&mut browser, &page, &[(field, &code(&sandbox, user))]);
        assert!(page.assertion().contains("AcmeJumpCloudAdminRO"), "{user}");
    }
    let mut browser = Browser::new(&sandbox);
    let page = login(&sandbox, &mut browser, "alice");
    let page = submit(&mut browser, &page, &[("__EVENTTARGET", "")]);
    let code = code(&sandbox, "alice");
    let page = submit(&mut browser, &page, &[("__EVENTTARGET", ""), ("VerificationCode", &code), ("SignIn", "Sign in")]);
    assert!(page.assertion().contains("AcmeJumpCloudAdminRO"));
    clean(&sandbox);
    assert!(sandbox.secrets().contains(&code));
}

#[test]
fn approvals() {
    let sandbox = start();
    for (user, end) in [("carol", "SAMLResponse"), ("clara", "SAMLResponse"), ("erin", "The request was denied.")] {
        let mut browser = Browser::new(&sandbox);
        let mut page = login(&sandbox, &mut browser, user);
        let mut numbers = 0;
        while !page.body.contains(end) {
            page = submit(&mut browser, &page, &[]);
            numbers += usize::from(page.body.contains("<p id=\"validEntropyNumber\">42</p>"));
            std::thread::sleep(std::time::Duration::from_millis(450));
        }
        assert_eq!(numbers > 0, user != "clara", "{user}");
    }
    clean(&sandbox);
}

#[test]
fn choices_and_next_codes() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    let page = login(&sandbox, &mut browser, "diego");
    assert!(page.body.contains("SelectOption('DuoAdfsAdapter')"));
    let page = browser.post(&place(&page), &[("AuthMethod", "VIPAuthenticationProviderWindowsAccountName")]);
    assert!(page.body.contains("security_code") && page.body.contains("SelectOption('AzureMfaAuthentication')"));
    let mut browser = Browser::new(&sandbox);
    let page = login(&sandbox, &mut browser, "fiona");
    let page = submit(&mut browser, &page, &[("InitStatus", "true")]);
    let page = submit(&mut browser, &page, &[("Passcode", &code(&sandbox, "fiona"))]);
    assert!(page.body.contains("NextCode"));
    clean(&sandbox);
}

#[test]
fn breaches() {
    let sandbox = start();
    let mut browser = Browser::new(&sandbox);
    let page = login(&sandbox, &mut browser, "amelia");
    // Fields of another form, none, and a context that was good once.
    for fields in [&[("security_code", "1"), ("UserName", "")][..], &[], &[("security_code", "1"), ("Continue", "no")]] {
        assert_eq!(submit(&mut browser, &page, fields).status, 400);
    }
    assert_eq!(submit(&mut browser, &page, &[("security_code", "1")]).status, 200);
    assert_eq!(submit(&mut browser, &page, &[("security_code", "1")]).status, 400);
    browser.forget_cookies();
    assert_eq!(submit(&mut browser, &page, &[("security_code", "1")]).status, 400);
    assert_eq!(browser.get("https://fs.acme.example/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=urn:wiki").status, 400);
    assert_eq!(sandbox.violations().len(), 6);
}
