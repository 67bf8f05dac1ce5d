//! Sign-ins by a person, in a browser and on another device. The test plays the person and their browser.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::time::Duration;

use sandbox::{Fault, Token};

use super::{ACME, account};
use crate::call::{Call, check_clean, check_secrets};
use crate::pty::{CTRL_C, ENTER, Pty};
use crate::support::{AWS, CLOUDS, Cloud, Room};

/// A program that runs, and what it has said so far.
struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Running {
    fn start(call: &Call<'_>) -> Self {
        let mut child = call.command().spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Self { child, lines, said: String::new() }
    }

    /// Reads on until a line has this, and gives the line.
    #[track_caller]
    fn waits_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "no `{text}` in:\n{}", self.said);
            self.said += &line;
            if line.contains(text) {
                return line.trim().to_owned();
            }
        }
    }

    #[track_caller]
    fn ends(mut self, room: &Room, code: i32) -> String {
        self.lines.read_to_string(&mut self.said).unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(code), "{}", self.said);
        check_clean(&self.said);
        check_secrets(&room.sandbox, &self.said);
        self.said
    }
}

/// What a browser gets that opens an address on this machine: the status and the page, or nothing where nobody listens.
fn opens(address: &str) -> Option<String> {
    let url = address.strip_prefix("http://").unwrap();
    let (host, target) = url.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET /{target} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// A call in which no real browser opens: what would be opened is written to the file `opened`.
#[cfg(unix)]
fn with_browser<'r>(room: &Room, call: Call<'r>) -> Call<'r> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = room.write("bin/a-browser", "#!/bin/sh\nprintf '%s\\n' \"$1\" >> \"$HOME/opened\"\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    call.var("BROWSER", path.to_str().unwrap())
}

#[cfg(unix)]
mod browser {
    use super::*;

    fn start(room: &Room, flags: &str) -> (Running, String) {
        let mut running = Running::start(&with_browser(room, room.call(&format!("login -a web {flags}"))));
        let address = running.waits_for("https://id.acme.example/authorize?");
        (running, address)
    }

    /// What the browser was started with, as soon as it was.
    fn opened(room: &Room) -> String {
        for _ in 0..200 {
            match std::fs::read_to_string(room.home().join("opened")) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        panic!("no browser was started")
    }

    fn browser_account(room: &Room, cloud: Cloud, lines: &str) {
        account(room, cloud, &format!("oidc_source = \"browser\"\noidc_client_id = \"acme-cli\"\n{lines}"));
    }

    #[test]
    fn signs_in_and_comes_back() {
        for cloud in CLOUDS {
            let room = Room::new();
            browser_account(&room, cloud, "");
            let (running, address) = start(&room, "");
            // What a browser is started with can be read by everybody; the address that it leads to is for the person.
            let opened = opened(&room);
            assert!(opened.starts_with("http://127.0.0.1:") && !opened.contains('?'), "{opened}");
            let led = opens(&opened).unwrap();
            assert!(led.starts_with("HTTP/1.1 302 ") && led.contains(&format!("location: {address}\r\n")), "{led}");
            assert!(opens(&opened).unwrap().starts_with("HTTP/1.1 404 "), "once");
            let back = room.sandbox.visit(&address, true);
            let page = opens(&back).unwrap();
            assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("You may close this page"), "{page}");
            let said = running.ends(&room, 0);
            assert!(said.contains("assumed-role/AcmeWeb/alice@example.com"), "{said}");
            assert!(!room.key_id(cloud, "web").is_empty());
            assert_eq!(opens(&back), None, "the door is closed");
        }
    }

    #[test]
    fn the_person_says_no() {
        let room = Room::new();
        browser_account(&room, AWS, "");
        let (running, address) = start(&room, "");
        let page = opens(&room.sandbox.visit(&address, false)).unwrap();
        assert!(page.starts_with("HTTP/1.1 400 ") && page.contains("was not granted"), "{page}");
        let said = running.ends(&room, 3);
        assert!(said.contains("error: the sign-in at id.acme.example was denied: \"alice said no\""), "{said}");
        assert_eq!(room.asked(AWS.sts), 0);
    }

    #[test]
    fn an_answer_with_a_wrong_state_changes_nothing() {
        let room = Room::new();
        browser_account(&room, AWS, "");
        let (running, address) = start(&room, "");
        let back = room.sandbox.visit(&address, true);
        let (place, query) = back.split_once('?').unwrap();
        let page = opens(&format!("{place}?code=planted&state=0123456789abcdef0123456789abcdef")).unwrap();
        assert!(page.starts_with("HTTP/1.1 400 ") && page.contains("not the sign-in that is waiting"), "{page}");
        assert!(opens(&format!("{place}?code=planted")).unwrap().starts_with("HTTP/1.1 400 "));
        assert!(opens(&format!("{place}/other?{query}")).unwrap().starts_with("HTTP/1.1 404 "));
        assert!(opens(&back).unwrap().starts_with("HTTP/1.1 200 "));
        running.ends(&room, 0);
    }

    #[test]
    fn an_answer_is_taken_once() {
        let room = Room::new();
        browser_account(&room, AWS, "");
        let (running, address) = start(&room, "");
        let back = room.sandbox.visit(&address, true);
        // While the code is being redeemed, the page is opened again, and a second tab comes back.
        room.sandbox.latency(Duration::from_secs(2));
        assert!(opens(&back).unwrap().starts_with("HTTP/1.1 200 "));
        for again in [back.clone(), back.replace("code=", "code=x")] {
            let page = opens(&again).unwrap();
            assert!(page.starts_with("HTTP/1.1 410 ") && page.contains("answered once"), "{page}");
        }
        room.sandbox.latency(Duration::ZERO);
        running.ends(&room, 0);
        let redeemed = room.requests().iter().filter(|seen| *seen == "POST id.acme.example/token").count();
        assert_eq!(redeemed, 1);
    }

    #[test]
    fn an_answer_of_another_issuer_is_refused() {
        let room = Room::new();
        browser_account(&room, AWS, "");
        let (running, address) = start(&room, "");
        let back = room.sandbox.visit(&address, true).replace("id.acme.example", "evil.example");
        assert!(opens(&back).unwrap().starts_with("HTTP/1.1 400 "));
        let said = running.ends(&room, 3);
        assert!(said.contains("is not for this sign-in: it comes from \"https://evil.example\""), "{said}");
        assert!(!room.requests().iter().any(|seen| seen.ends_with("/token")), "its code goes nowhere");
    }

    #[test]
    fn a_code_that_is_too_old() {
        let room = Room::new();
        browser_account(&room, AWS, "");
        let (running, address) = start(&room, "");
        let back = room.sandbox.visit(&address, true);
        room.sandbox.idp_clock(600);
        opens(&back).unwrap();
        let said = running.ends(&room, 3);
        assert!(said.contains("id.acme.example refused the code: invalid_grant: \"the code has expired\""), "{said}");
        assert!(said.contains("hint: codes are good once"), "{said}");
    }

    #[test]
    fn a_token_for_another_sign_in_is_refused() {
        let room = Room::new();
        browser_account(&room, AWS, "");
        for (change, why) in [
            ((|token| token.nonce = Some("other".to_owned())) as fn(&mut Token), "its ID token was made for another sign-in"),
            (|token| token.issuer = "https://evil.example".to_owned(), "its ID token is of the issuer \"https://evil.example\""),
            (|token| token.audience = vec!["another-cli".to_owned()], "its ID token is for another client"),
        ] {
            let (running, address) = start(&room, "");
            let back = room.sandbox.visit(&address, true);
            let nonce = address.split("nonce=").nth(1).unwrap().split('&').next().unwrap().to_owned();
            let mut token = Token { nonce: Some(nonce), ..Token::new(ACME, "acme-cli", "alice@example.com") };
            change(&mut token);
            let body = format!("{{\"id_token\":\"{}\"}}", room.sandbox.token(&token));
            room.sandbox.fault("id.acme.example", Fault::Status(200, body, "application/json".into()).on_path("/token").times(1));
            opens(&back).unwrap();
            let said = running.ends(&room, 3);
            assert!(said.contains(why), "{said}");
        }
        assert_eq!(room.asked(AWS.sts), 0);
    }

    #[test]
    fn a_port_of_its_own() {
        let room = Room::new();
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        browser_account(&room, AWS, &format!("oidc_redirect_uri = \"http://localhost:{port}/callback\""));
        let done = with_browser(&room, room.call("login -a web")).run().exits(1);
        done.says(&[&format!("error: port {port} of this machine is taken by another program"), "hint: ", "`oidc_redirect_uri`"]);
        assert!(!room.home().join("opened").exists(), "no browser opens for nothing");
        drop(taken);
        let (running, address) = start(&room, "");
        let back = room.sandbox.visit(&address, true);
        assert!(back.starts_with(&format!("http://localhost:{port}/callback?")), "{back}");
        opens(&back).unwrap();
        running.ends(&room, 0);
    }

    #[test]
    fn without_a_browser_the_address_is_shown() {
        let room = Room::new();
        browser_account(&room, AWS, "");
        let mut running = Running::start(&room.call("login -a web"));
        running.waits_for("No browser could be opened");
        let address = running.waits_for("https://id.acme.example/authorize?");
        opens(&room.sandbox.visit(&address, true)).unwrap();
        running.ends(&room, 0);
    }

    /// Over SSH the person's browser ends at an address that it cannot open, and they bring it.
    #[test]
    fn a_browser_on_another_machine() {
        let room = Room::new();
        browser_account(&room, AWS, "");
        let start = || {
            let mut pty =
                Pty::start(&room, &room.call("login -a web --force").var("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22"), false);
            pty.waits_for("No browser could be opened");
            let shown = pty.waits_until("If that browser is on another machine");
            let address =
                shown.split_whitespace().find(|word| word.starts_with("https://id.acme.example/authorize?")).unwrap().to_owned();
            pty.asks("? Address ");
            (pty, room.sandbox.visit(&address, true))
        };
        let (mut pty, back) = start();
        let stale = back.replace("state=", "state=x");
        pty.types(&stale).types(ENTER).waits_for("That is not where this sign-in ends");
        pty.asks("? Address ").types(&back).types(ENTER);
        let ended = pty.ends();
        assert_eq!((ended.code, ended.is_sane), (0, true), "{}", ended.shown);
        let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
        assert!(!ended.shown.contains(code), "what is pasted is not shown");
        // A browser that comes by itself ends the question, and the terminal is as it was.
        let (pty, back) = start();
        opens(&back).unwrap();
        let ended = pty.ends();
        assert_eq!((ended.code, ended.is_sane), (0, true), "{}", ended.shown);
        let (mut pty, _) = start();
        pty.types("http://127.0").types(CTRL_C);
        pty.ends().was_interrupted();
    }

    #[test]
    fn the_next_sign_in_needs_nobody() {
        let room = Room::new();
        browser_account(&room, AWS, "oidc_scope = \"openid offline_access\"");
        let vault = |call| -> Call<'_> {
            with_browser(&room, call).var("SAML2CLOUD_KEYCHAIN", "file").var("SAML2CLOUD_VAULT_PASSPHRASE", "a long passphrase")
        };
        let mut running = Running::start(&vault(room.call("login -a web")));
        let address = running.waits_for("https://id.acme.example/authorize?");
        opens(&room.sandbox.visit(&address, true)).unwrap();
        running.ends(&room, 0);
        room.sandbox.clear_requests();
        for _ in 0..2 {
            let done = vault(room.call("login -a web --force --no-input")).run().exits(0);
            done.does_not_say("browser");
        }
        assert_eq!(room.asked("id.acme.example"), 4, "each time the description, and a new refresh token for the old one");
        // One that is no longer good is forgotten, and a person is needed again.
        room.sandbox.fault(
            "id.acme.example",
            Fault::Status(400, "{\"error\":\"invalid_grant\"}".into(), "application/json".into()).on_path("/token"),
        );
        vault(room.call("login -a web --force --no-input"))
            .run()
            .exits(4)
            .says(&["the sign-in at https://id.acme.example needs a person"]);
        room.sandbox.clear_faults();
        vault(room.call("login -a web --force --no-input")).run().exits(4);
    }
}

mod device {
    use super::*;

    fn start(room: &Room, flags: &str) -> (Running, String) {
        let mut running = Running::start(&room.call(&format!("login -a web {flags}")));
        let line = running.waits_for("or open https://id.acme.example/activate?");
        assert!(
            running.said.contains("To sign in, open https://id.acme.example/activate and enter the code "),
            "{}",
            running.said
        );
        running.waits_for("only because you have just started this yourself");
        (running, line.trim_start_matches("or open ").to_owned())
    }

    fn device_account(room: &Room, cloud: Cloud) {
        account(room, cloud, "oidc_source = \"device\"\noidc_client_id = \"acme-cli\"");
    }

    #[test]
    fn on_any_device() {
        for cloud in CLOUDS {
            let room = Room::new();
            device_account(&room, cloud);
            let (running, address) = start(&room, "--session-duration 12h");
            room.sandbox.visit(&address, true);
            let said = running.ends(&room, 0);
            assert!(said.contains("assumed-role/AcmeWeb/alice@example.com"), "{said}");
            assert_eq!(room.lifetime(), 43200);
        }
    }

    #[test]
    fn denied_expired_or_nobody_to_send() {
        let room = Room::new();
        device_account(&room, AWS);
        let (running, address) = start(&room, "");
        room.sandbox.visit(&address, false);
        let said = running.ends(&room, 3);
        assert!(said.contains("error: the sign-in at id.acme.example was denied: \"alice said no\""), "{said}");

        let (running, _) = start(&room, "");
        room.sandbox.idp_clock(1200);
        let said = running.ends(&room, 4);
        assert!(said.contains("error: nobody finished the sign-in at id.acme.example within 10 minutes"), "{said}");
        room.sandbox.idp_clock(0);

        room.call("login -a web --no-input").run().exits(4).says(&["needs a person, and `--no-input` forbids to ask one"]);
    }

    #[test]
    fn slower_when_it_is_told_so() {
        let room = Room::new();
        device_account(&room, AWS);
        let answer =
            |error: &str| Fault::Status(400, format!("{{\"error\":\"{error}\"}}"), "application/json".into()).on_path("/token");
        room.sandbox.fault("id.acme.example", answer("slow_down").times(1));
        let (running, address) = start(&room, "");
        room.sandbox.visit(&address, true);
        running.ends(&room, 0);
        // A server that stumbles, or is not heard, ends nothing.
        room.sandbox.fault(
            "id.acme.example",
            Fault::Status(503, "<html>busy</html>".into(), "text/html".into()).on_path("/token").times(1),
        );
        room.sandbox.fault("id.acme.example", Fault::Reset.on_path("/token").times(1));
        let (running, address) = start(&room, "--force");
        room.sandbox.visit(&address, true);
        running.ends(&room, 0);
    }

    #[test]
    fn answers_that_are_none() {
        let room = Room::new();
        device_account(&room, AWS);
        let html = || Fault::Status(200, "<!DOCTYPE html><p>Sign in</p>".into(), "text/html".into());
        room.sandbox.fault("id.acme.example", html().on_path("/device"));
        room.call("login -a web").run().exits(1).says(&["to the device flow (HTTP 200): it is a page for people, not JSON"]);
        room.sandbox.clear_faults();
        room.sandbox.fault("id.acme.example", html().on_path("/token"));
        let (running, _) = start(&room, "");
        assert!(running.ends(&room, 1).contains("it is a page for people, not JSON"));
        room.sandbox.clear_faults();
        let without = format!(r#"{{"issuer":"{ACME}","token_endpoint":"{ACME}/token"}}"#);
        room.sandbox.fault("id.acme.example", Fault::Status(200, without, "application/json".into()).on_path("/.well-known"));
        room.call("login -a web").run().exits(2).says(&["the issuer `https://id.acme.example` offers no device flow"]);
    }
}
