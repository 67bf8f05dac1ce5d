//! The sign-in against a browser that is a function: a command in, what it says to that out. Time stands still until it is waited for.

use serde_json::{Value, json};

use super::fake::*;
use super::*;

fn signs_in(command: &Value) -> Vec<Value> {
    let start = opens("A", "R1", START);
    usual(command, &[("Page.navigate", &[start]), ("Fetch.continueRequest R1", &[posts("A", "R2", ACS, Some(POSTED))])])
}

#[test]
fn the_form_for_the_cloud_is_taken_and_never_sent() {
    let case = Case::new();
    let done = case.run(&[signs_in]);
    assert_eq!(done.outcome, "PHNhbWw+");
    assert_eq!(
        done.sent,
        [
            "Browser.getVersion",
            "Target.setAutoAttach",
            "A Fetch.enable",
            "A Network.enable",
            "A Emulation.setUserAgentOverride \"Mozilla/5.0 Chrome/156.0\"",
            "A Target.setAutoAttach",
            "A Runtime.runIfWaitingForDebugger",
            &format!("A Page.navigate {START}"),
            "A Fetch.continueRequest R1",
            "A Fetch.failRequest R2",
            "Storage.getCookies",
            "Browser.close",
        ]
    );
    // The address is no argument: everybody on the machine can read those.
    let line = done.started[0].join(" ");
    assert!(line.starts_with("/bin/sh --user-data-dir=") && line.ends_with(" --headless=new about:blank"), "{line}");
    assert!(!line.contains("idp.example/") && !line.contains("no-sandbox"), "{line}");
    // The session comes back before anything is opened.
    let again = case.run(&[signs_in]);
    assert_eq!(again.sent[1], r#"Storage.setCookies [{"name":"sid","value":"s3cret","path":"/","url":"http://idp.example/"}]"#);
    assert_eq!((again.sent[2].as_str(), again.notices.len()), ("Target.setAutoAttach", 0));
}

#[test]
fn a_session_for_once_leaves_nothing() {
    let case = Case::new().with("browser_session", "ephemeral").blind();
    *case.memory.0.lock().unwrap() = Some("[]".into());
    let done = case.run(&[signs_in]);
    assert_eq!((done.outcome.as_str(), case.memory.0.lock().unwrap().as_deref()), ("PHNhbWw+", Some("[]")));
    assert!(!done.sent.iter().any(|sent| sent.contains("Cookies")));
    let profile = done.started[0][1].strip_prefix("--user-data-dir=").unwrap();
    assert!(!std::path::Path::new(profile).exists() && profile.contains("/once-"), "{profile}");
}

#[test]
fn a_new_tab_is_held_from_its_first_request() {
    let done = Case::new().run(&[|command| {
        let (start, form) = (opens("A", "R1", START), posts("B", "R2", ACS, Some(POSTED)));
        usual(command, &[("Page.navigate", &[start, tab("B")]), ("B Runtime.runIfWaitingForDebugger", &[form])])
    }]);
    assert_eq!(done.outcome, "PHNhbWw+");
    let of_b: Vec<&str> = done.sent.iter().filter_map(|sent| sent.strip_prefix("B ")).collect();
    assert_eq!((of_b[0], *of_b.last().unwrap()), ("Fetch.enable", "Fetch.failRequest R2"));
    assert_eq!(done.sent.iter().filter(|sent| sent.contains("Page.navigate")).count(), 1);
}

#[test]
fn a_form_that_is_not_told_is_asked_for() {
    let told: Says = |command| {
        let body = json!({ "result": { "postData": POSTED } });
        usual(command, &[("Page.navigate", &[posts("A", "R1", ACS, None)]), ("Network.getRequestPostData", &[body])])
    };
    assert_eq!(Case::new().run(&[told]).outcome, "PHNhbWw+");
    let done = Case::new().run(&[|command| {
        let refused = json!({ "error": { "message": "No post data available for the request" } });
        usual(command, &[("Page.navigate", &[posts("A", "R1", ACS, None)]), ("Network.getRequestPostData", &[refused])])
    }]);
    assert_eq!(done.outcome, "did not understand sh: it does not tell what a form holds");
    assert!(!done.sent.iter().any(|sent| sent.contains("continueRequest")), "{:?}", done.sent);
}

#[test]
fn a_response_goes_to_nobody_else() {
    let done = Case::new().run(&[|command| {
        usual(command, &[("Page.navigate", &[posts("A", "R1", "https://signin.other.example/acs?x=1", Some(POSTED))])])
    }]);
    let said = "idp.example sends its SAML response to https://signin.other.example/acs, which is not where urn:amazon:webservices receives it";
    assert_eq!(done.outcome, said);
    assert_eq!(done.sent.last().unwrap(), "A Fetch.failRequest R1");
}

fn asks(command: &Value) -> Vec<Value> {
    usual(
        command,
        &[
            ("Page.navigate", &[opens("A", "R1", START)]),
            ("Runtime.callFunctionOn look", &[look("https://idp.example", true, true)]),
        ],
    )
}

#[test]
fn a_window_only_where_the_provider_wants_a_person() {
    let done = Case::new().run(&[asks, signs_in]);
    assert_eq!(done.outcome, "PHNhbWw+");
    assert_eq!(done.notices, ["Sign in to idp.example in the window of sh; it closes by itself"]);
    let unseen: Vec<bool> = done.started.iter().map(|line| line.iter().any(|word| word == "--headless=new")).collect();
    assert_eq!(unseen, [true, false]);
    // A new profile has nothing to try unseen.
    let new = Case { has_profile: false, ..Case::new() };
    let done = new.run(&[signs_in]);
    assert!(
        !done.started[0].contains(&"--headless=new".to_owned()) && !done.sent.iter().any(|sent| sent.contains("setUserAgent"))
    );
    // Nobody types the password for the person unless they said so.
    assert!(!done.sent.iter().any(|sent| sent.contains("fill")));
}

#[test]
fn no_window_is_said_with_its_reason() {
    let wants = "idp.example wants a person in a browser's window (its page is titled \"Acme\\u{1b} - Sign in\"), and none can be shown: ";
    for (case, why) in [
        (Case::new().blind(), "there is no display (neither `DISPLAY` nor `WAYLAND_DISPLAY` is set)"),
        (Case::new().with("headless", "true"), "the account says `headless`"),
        (Case { may_show: false, ..Case::new() }, "`--no-input` forbids it"),
    ] {
        let done = case.run(&[asks]);
        if cfg!(not(target_os = "macos")) || !why.contains("display") {
            assert_eq!(done.outcome, format!("{wants}{why}"));
        }
    }
}

#[test]
fn a_person_who_leaves_or_takes_too_long() {
    let closed = "sh was closed before the sign-in was done";
    let new = || Case { has_profile: false, ..Case::new() };
    let tab_closed: Says = |command| {
        let detached = json!({ "method": "Target.detachedFromTarget", "params": { "sessionId": "A" } });
        usual(command, &[("Page.navigate", &[detached])])
    };
    assert_eq!(new().run(&[tab_closed]).outcome, closed);
    assert_eq!(new().run(&[|command| usual(command, &[("Page.navigate", &[over()])])]).outcome, closed);
    let waits: Says = |command| usual(command, &[]);
    assert_eq!(new().run(&[waits]).outcome, "the sign-in in sh was not done within 5 minutes");
    let short = new().with("timeout", "45000");
    assert_eq!(short.run(&[waits]).outcome, "the sign-in in sh was not done within 45 seconds");
    let too_short = new().with("timeout", "1000");
    assert_eq!(too_short.run(&[waits]).outcome, "the sign-in in sh was not done within 5 minutes");
}

#[test]
fn a_browser_that_is_none() {
    let done = Case::new().run(&[|_| vec![json!({ "never": true }), over()]]);
    let said = "sh ended as soon as it was started: \"[1:1] Running as root without --no-sandbox is not supported.\"";
    assert_eq!(done.outcome, said);
    assert_eq!(Case::new().run(&[|_| vec![json!({ "never": true })]]).outcome, "sh was started and does not answer");
    let garbage: Says = |_| vec![json!({ "never": true }), json!({ "raw": "Usage: sh [-c]\0" })];
    assert_eq!(Case::new().run(&[garbage]).outcome, "did not understand sh: its message is no JSON object");
    let nobody = Case { own: vec![("browser_executable_path", "/nowhere/chrome")], ..Case::new() };
    assert_eq!(nobody.run(&[]).outcome, "no browser of Chromium's family was found; looked for /nowhere/chrome");
}

#[test]
fn an_address_that_does_not_open() {
    let refused: Says = |command| {
        usual(command, &[("Page.navigate", &[json!({ "result": { "errorText": "net::ERR_CERT_AUTHORITY_INVALID" } })])])
    };
    assert_eq!(Case::new().run(&[refused]).outcome, "sh cannot open idp.example: net::ERR_CERT_AUTHORITY_INVALID");
    // In a window the browser asks the person.
    let new = Case { has_profile: false, ..Case::new() };
    assert_eq!(new.run(&[refused]).outcome, "the sign-in in sh was not done within 5 minutes");
}

/// The commands that filled something in.
fn fills(done: &Done) -> Vec<&str> {
    done.sent.iter().filter(|sent| sent.contains(" fill ")).map(String::as_str).collect()
}

#[test]
fn the_password_is_filled_in_once_and_only_at_home() {
    let fill = || Case::new().with("browser_autofill", "true");
    let right: Says = |command| {
        let filled = json!({ "result": { "result": { "value": "password" } } });
        let (start, page) = (opens("A", "R1", START), look("https://idp.example", true, true));
        usual(
            command,
            &[
                ("Page.navigate", &[start]),
                ("Runtime.callFunctionOn look", &[page]),
                ("Runtime.callFunctionOn fill", &[filled, posts("A", "R2", ACS, Some(POSTED))]),
            ],
        )
    };
    let done = fill().blind().run(&[right]);
    let expected = r#"A Runtime.callFunctionOn fill [{"value":"https://idp.example"},{"value":"alice"},{"value":"pw"}]"#;
    assert_eq!((done.outcome.as_str(), fills(&done)), ("PHNhbWw+", vec![expected]));

    // It was wrong: the page stays, a person goes on in the window, and wrong ones are counted.
    let wrong: Says = |command| {
        let filled = json!({ "result": { "result": { "value": "password" } } });
        usual(
            command,
            &[
                ("Page.navigate", &[opens("A", "R1", START)]),
                ("Runtime.callFunctionOn look", &[look("https://idp.example", true, true)]),
                ("Runtime.callFunctionOn fill", &[filled]),
            ],
        )
    };
    let done = fill().with("timeout", "30000").run(&[wrong, wrong]);
    assert_eq!((done.outcome.as_str(), fills(&done).len()), ("the sign-in in sh was not done within 30 seconds", 1));

    // A page of somebody else, however alike.
    for origin in ["https://idp.example.evil.example", "http://idp.example", "https://idp.example:8443"] {
        ORIGIN.set(origin);
        let done = fill().blind().run(&[|command| {
            let page = look(ORIGIN.get(), true, true);
            usual(command, &[("Page.navigate", &[opens("A", "R1", START)]), ("Runtime.callFunctionOn look", &[page])])
        }]);
        assert!(fills(&done).is_empty() && done.outcome.contains("wants a person"), "{origin}: {}", done.outcome);
    }
}

thread_local! {
    static ORIGIN: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") };
}

#[test]
fn a_profile_is_one_persons_at_one_provider() {
    let name = |url: &str, user: Option<&str>| folder_name(&WebUrl::parse(url).unwrap(), user);
    let alice = name(START, Some("alice"));
    assert!(alice.starts_with("idp.example-"), "{alice}");
    assert_eq!(alice, name("https://idp.example/other", Some("alice")));
    for other in [name(START, Some("bob")), name(START, None), name("https://idp.example:8443/", Some("alice"))] {
        assert_ne!(alice, other);
    }
    let v6 = name("http://[::1]:8080/", None);
    assert!(v6.starts_with("___1_-") && !v6.contains(['/', ':']), "{v6}");
}

#[test]
fn settings_of_the_old_tools_and_ours() {
    let open = |pairs: &[(&str, &str)]| {
        let lookup = |key: &str| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        let settings = Settings::new(WebUrl::parse(START).unwrap(), "Auto").with_own(PROVIDER.fields(), lookup);
        PROVIDER.open(&settings).map(|_| ()).map_err(|error| error.to_string())
    };
    // What the old tools' `configure` writes.
    assert_eq!(open(&[("browser_type", ""), ("browser_autofill", "false"), ("headless", "false"), ("timeout", "0")]), Ok(()));
    assert_eq!(open(&[("browser_type", "msedge-beta"), ("browser_args", " --no-sandbox  --lang=de ")]), Ok(()));
    for (key, value) in [
        ("browser_type", "firefox"),
        ("browser_session", "forever"),
        ("browser_autofill", "perhaps"),
        ("browser_args", "https://evil.example/"),
        ("browser_args", "--remote-debugging-port=9222"),
        ("browser_args", "--no-sandbox --user-data-dir=/tmp/x"),
    ] {
        let error = open(&[(key, value)]).unwrap_err();
        assert!(error.starts_with(&format!("`{key}` will not do for Browser: ")), "{error}");
    }
}
