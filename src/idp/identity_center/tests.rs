use super::*;

fn opened(url: &str, own: &[(&str, &str)]) -> Result<(), String> {
    let settings = Settings::new(WebUrl::parse(url).unwrap(), "Auto");
    let lookup = |key: &str| own.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
    let settings = settings.with_own(PROVIDER.fields(), lookup);
    PROVIDER.open(&settings).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn settings_are_checked_before_anybody_is_asked() {
    let start = "https://d-1234567890.awsapps.com/start";
    assert_eq!(opened(start, &[]), Ok(()));
    assert_eq!(opened(start, &[("sso_region", " eu-west-1 "), ("token_store", "vault"), ("redirect_port", "8400")]), Ok(()));
    for (url, key, value) in [
        (start, "sso_region", "nowhere!"),
        (start, "token_store", "pocket"),
        (start, "device", "perhaps"),
        (start, "redirect_port", "0"),
        ("https://x.portal.us-east-1.app.aws", "sso_region", "eu-west-1"),
    ] {
        let told = opened(url, &[(key, value)]).unwrap_err();
        assert!(told.starts_with(&format!("`{key}` will not do for IdentityCenter: ")), "{told}");
    }
}

#[test]
fn a_browser_is_shown_where_there_may_be_one() {
    let configured = Configured {
        start: WebUrl::parse("https://d-1.awsapps.com/start").unwrap(),
        key: String::new(),
        written: String::new(),
        session: None,
        region: None,
        scopes: Vec::new(),
        store: Store::Shared,
        device: None,
        auto_login: false,
        port: None,
    };
    let headless = |variables: &[&str]| configured.is_headless(&Env::of(variables.iter().map(|name| (*name, "x"))));
    assert!(headless(&["SSH_CONNECTION"]) && headless(&["SSH_TTY"]));
    for shown in [&["BROWSER"][..], &["SSH_TTY", "DISPLAY"], &["SSH_TTY", "BROWSER"], &["WAYLAND_DISPLAY"]] {
        assert!(!headless(shown), "{shown:?}");
    }
    assert_eq!(headless(&[]), cfg!(target_os = "linux"));
}
