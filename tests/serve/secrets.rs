//! After everything that a service does, what lets somebody in or opens something stands nowhere: not in what the program says, not in its metrics, not
//! in the audit trail, not in the database.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};

use saml2cloud::world::{Clock as _, SystemClock};
use serde_json::json;

use crate::cloud::{AWS, SECRETS};
use crate::corporate::{SSO, Said};
use crate::house::House;
use crate::process::Process;
use crate::signin::inflate;
use crate::vending::roles;

/// A token service on loopback: it refuses once, then hands out keys.
fn token_service() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut request, mut part) = (stream.unwrap(), Vec::new(), [0; 4096]);
            loop {
                let read = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
                if read == 0 || body.len() >= length.trim().parse().unwrap() {
                    break;
                }
            }
            let is_first = seen.lock().unwrap().is_empty();
            seen.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
            let (status, body) = match is_first {
                true => (
                    "403 Forbidden",
                    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
                ),
                false => ("200 OK", AWS),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    (url, asked)
}

/// What a form of a response has in it.
fn of(query: &str, wanted: &str) -> String {
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).unwrap().1.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_day_leaves_no_secret_behind() {
    let (sts, asked) = token_service();
    let house = House::with(&format!("[cloud.aws]\nsts = \"{sts}\"\n")).await;
    let [aws, _] = roles(&house).await;
    let (bob, admin) = (house.token("bob").await, house.token("e-1").await);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let mut secrets: Vec<String> = SECRETS[..2].iter().map(|&secret| secret.to_owned()).collect();
    secrets.extend(["correct horse battery staple".to_owned(), bob.clone(), admin.clone()]);
    let mut said = String::new();
    for log in ["text", "json"] {
        // The most that it ever says.
        let process = Process::start_with(&house, &["--verbose"], &[("SAML2CLOUD_SERVE_SERVER_ACCESS_LOG", log)]);
        let ask = |method: &str, path: &str| {
            let url = format!("http://{}{path}", process.address);
            client.request(method.parse().unwrap(), url).header("host", "cam.example")
        };
        let send = async |sent: reqwest::RequestBuilder, status: u16| {
            let answer = sent.send().await.unwrap();
            let (got, headers, text) = (answer.status().as_u16(), answer.headers().clone(), answer.text().await.unwrap());
            assert_eq!(got, status, "{text}");
            let cookies =
                headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().split(';').next().unwrap().to_owned());
            (cookies.collect::<Vec<_>>(), headers, text)
        };
        let form = |sent: reqwest::RequestBuilder, pairs: &[(&str, &str)]| {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            sent.header("content-type", "application/x-www-form-urlencoded").body(body)
        };
        // A sign-in, and one that is refused; each with what the identity provider signed.
        let (cookies, headers, _) = send(ask("GET", "/saml/login"), 303).await;
        let to = headers["location"].to_str().unwrap();
        assert!(to.starts_with(SSO));
        let query = to.split_once('?').unwrap().1;
        let request = inflate(&of(query, "SAMLRequest")).split(" ID=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let response = house.corporate.respond(&Said::of("bob", &request, SystemClock.now()));
        let relay = of(query, "RelayState");
        let pairs = [("SAMLResponse", response.as_str()), ("RelayState", relay.as_str())];
        let acs = || form(ask("POST", "/saml/acs").header("cookie", &cookies[0]), &pairs);
        let (signed_in, ..) = send(acs(), 303).await;
        send(acs(), 400).await;
        let session = signed_in.iter().find(|line| line.starts_with("__Host-session=")).unwrap().clone();
        let id = session.split_once('=').unwrap().1.to_owned();
        let csrf = saml2cloud::server::Csrf::of(&id.as_str().into()).token().expose().clone();
        secrets.extend([id, csrf.clone(), response[200..300].to_owned(), cookies[0].split_once('=').unwrap().1.to_owned()]);
        // Pages, keys, a console, and a cloud that refuses the first time.
        send(ask("GET", "/").header("cookie", &session).header("accept", "text/html"), 200).await;
        let own = |act: &str| {
            ask("POST", &format!("/api/v1/me/roles/{}/{act}", aws.id))
                .header("cookie", &session)
                .header("x-csrf-token", &csrf)
                .header("origin", "https://cam.example")
        };
        send(own("credentials"), if log == "text" { 502 } else { 200 }).await;
        let (_, _, keys) = send(own("credentials"), 200).await;
        assert!(SECRETS[..2].iter().all(|secret| keys.contains(secret)), "{keys}");
        let (_, _, console) = send(own("sso").header("accept", "application/json"), 200).await;
        let console: serde_json::Value = serde_json::from_str(&console).unwrap();
        secrets.push(console["fields"]["SAMLResponse"].as_str().unwrap()[200..300].to_owned());
        // A command line that signs in, as far as it gets by itself.
        let challenge = [
            ("client_id", "saml2cloud"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ];
        let (_, _, device) = send(form(ask("POST", "/api/v1/cli/device"), &challenge), 200).await;
        let device: serde_json::Value = serde_json::from_str(&device).unwrap();
        let code = device["device_code"].as_str().unwrap();
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let poll = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", code),
            ("client_id", "saml2cloud"),
            ("code_verifier", verifier),
        ];
        send(form(ask("POST", "/api/v1/cli/device/token"), &poll), 400).await;
        secrets.extend([code.to_owned(), device["user_code"].as_str().unwrap().to_owned(), verifier.to_owned()]);
        // Writes, refusals and mistakes, with secrets where none belong.
        let group = json!({"name": format!("Group {log}")}).to_string();
        let json_body =
            |sent: reqwest::RequestBuilder, body: &str| sent.header("content-type", "application/json").body(body.to_owned());
        send(json_body(ask("POST", &format!("/api/v1/nodes/{}/groups", house.east.id)).bearer_auth(&admin), &group), 201).await;
        send(ask("GET", "/api/v1/users").bearer_auth(&bob), 403).await;
        let lost = ["lost-bearer-4711", "lost-query-4711", "lost-body-4711", "lost-cookie-4711", "lost-form-4711"];
        send(ask("GET", "/api/v1/me").bearer_auth(lost[0]), 401).await;
        send(ask("GET", &format!("/api/v1/me?access_token={}", lost[1])).bearer_auth(&bob), 200).await;
        let body = json!({"password": lost[2], "token": lost[2]}).to_string();
        send(json_body(ask("PATCH", "/api/v1/me").bearer_auth(&bob).header("if-match", "\"1\""), &body), 400).await;
        send(ask("GET", "/api/v1/me").header("cookie", format!("__Host-session={}", lost[3])), 401).await;
        send(form(ask("POST", "/saml/acs"), &[("SAMLResponse", lost[4]), ("RelayState", "x")]), 400).await;
        send(ask("GET", "/nowhere"), 404).await;
        secrets.extend(lost.map(str::to_owned));
        let (_, _, metrics) = send(ask("GET", "/metrics"), 200).await;
        assert!(metrics.contains("saml2cloud_vends_total"));
        said += &metrics;
        let lines = process.end();
        assert!(
            lines.contains("/api/v1/me/roles/") && lines.contains("/saml/acs") && lines.contains("status=403") == (log == "text"),
            "{lines}"
        );
        assert_eq!(
            lines.lines().any(|line| line.starts_with('{') && line.contains("\"path\":\"/saml/acs\"")),
            log == "json",
            "{lines}"
        );
        said += &lines;
    }
    assert!(asked.lock().unwrap().len() >= 4);
    house.app.store.verify().await.unwrap();
    // The trail and all other tables are in the database's files; so is what was only ever there for a moment.
    let folder = house.end().await;
    let mut kept = said.into_bytes();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "passphrase" {
            kept.extend(std::fs::read(path).unwrap());
        }
    }
    assert!(kept.len() > 100_000 && secrets.len() > 30);
    let is_there = |text: &str| kept.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(is_there("ASIA1") && is_there("BOB POST /saml/acs"), "what may be there is found");
    for secret in &secrets {
        assert!(secret.len() >= 8, "{secret}");
        assert!(!is_there(secret), "{secret}");
    }
}
