//! Pages: as text for everybody, and in a real Chromium where one is named.

use saml2cloud::tvm::model::{Alias, Class, Label};
use saml2cloud::tvm::store::{nodes, users};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::chromium::Chromium;
use crate::house::{Answer, House};
use crate::vending::{join, roles};
use crate::wanted::wanted;

const MARKUP: &str = "<img src=x onerror=\"window.hit=1\"><script>window.hit=1</script>'\"&lt;";

async fn page(house: &House, browser: &crate::house::Browser, path: &str, language: &str) -> Answer {
    house.get(path).cookie(browser).header("accept-language", language).header("accept", "text/html").answer().await
}

#[tokio::test]
async fn pages_speak_both_languages_and_keep_the_choice() {
    let house = House::new().await;
    roles(&house).await;
    let browser = house.browser("bob").await;
    for (path, english, chinese) in [
        ("/", "My roles", "我的角色"),
        ("/me/logins", "Command lines", "命令行登录"),
        ("/device", "Type the code that the command line shows.", "请输入命令行显示的代码。"),
        ("/nothing", "There is nothing here", "页面不存在"),
    ] {
        let answer = page(&house, &browser, path, "en").await;
        assert!(answer.text.contains("<html lang=\"en\">") && answer.text.contains(english), "{path}");
        let answer = page(&house, &browser, path, "zh-CN,zh;q=0.9").await;
        assert!(answer.text.contains("<html lang=\"zh-CN\">") && answer.text.contains(chinese), "{path}");
    }
    let chosen = house.post("/language").form(&[("to", "zh-CN"), ("back", "/?q=a")]).answer().await;
    assert_eq!((chosen.status, chosen.header("location")), (303, "/?q=a"));
    assert_eq!(chosen.header("set-cookie"), "lang=zh-CN; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure");
    for (to, back, status, location) in [("en", "//evil.example", 303, "/"), ("fr", "/", 400, "")] {
        let answer = house.post("/language").form(&[("to", to), ("back", back)]).answer().await;
        assert_eq!((answer.status, answer.header("location")), (status, location));
    }
    let cookies = format!("__Host-session={}; lang=zh-CN", browser.cookie);
    let answer = house.get("/").header("cookie", &cookies).header("accept-language", "en").answer().await;
    assert!(answer.text.contains("我的角色"));
}

#[tokio::test]
async fn the_first_page_has_the_roles_and_what_one_does_with_them() {
    let house = House::new().await;
    let [aws, alibaba] = roles(&house).await;
    let (browser, mo) = (house.browser("bob").await, house.browser("mo").await);
    let answer = page(&house, &browser, "/", "en").await;
    for words in ["Shop", "111111111111", "Labs", "1000000000000001", "Alibaba Cloud", "bob of acme"] {
        assert!(answer.text.contains(words), "{words}");
    }
    for role in [&aws, &alibaba] {
        assert!(answer.text.contains(&format!("action=\"/api/v1/me/roles/{}/sso\"", role.id)));
        assert!(answer.text.contains(&format!("href=\"/roles/{}\"", role.id)));
    }
    assert!(page(&house, &browser, "/?q=shop&cloud=aws", "en").await.text.contains("Shop"));
    assert!(page(&house, &browser, "/?q=nowhere", "en").await.text.contains("Nothing here matches."));
    let answer = page(&house, &mo, "/", "en").await;
    assert!(answer.text.contains("You have no roles yet.") && !answer.text.contains("Shop"));
    // A role of somebody else has no page.
    assert_eq!(page(&house, &mo, &format!("/roles/{}", aws.id), "en").await.status, 404);
    let answer = page(&house, &browser, &format!("/roles/{}", aws.id), "en").await;
    assert!(
        answer.status == 200
            && answer.text.contains("~/.aws/credentials")
            && answer.text.contains(aws.arn.as_ref().unwrap().as_str())
    );
}

#[tokio::test]
async fn markup_in_names_is_text() {
    let house = House::new().await;
    roles(&house).await;
    let browser = house.browser("bob").await;
    spoil(&house).await;
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", MARKUP).finish();
    for path in ["/", &format!("/?{query}"), "/me/logins"] {
        let answer = page(&house, &browser, path, "en").await;
        assert!(!answer.text.contains("<img") && !answer.text.contains("<script>"), "{path}: {}", answer.text);
    }
}

/// Markup wherever a person may write.
async fn spoil(house: &House) {
    house
        .change(async |tx| {
            let mut bob = users::by_id(tx, &house.people["bob"]).await?;
            bob.alias = Alias::parse(&MARKUP[..60]).unwrap();
            tx.update_user(&bob).await?;
            let mut shop = nodes::by_id(tx, &house.shop.id).await?;
            shop.name = Label::parse(MARKUP).unwrap();
            tx.update_node(&shop).await
        })
        .await;
    let form = [
        ("client_id", "saml2cloud"),
        ("client_name", MARKUP),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let device = house.post("/api/v1/cli/device").form(&form).answer().await.json();
    let browser = house.browser("bob").await;
    let said = [("csrf", browser.csrf.as_str()), ("user_code", device["user_code"].as_str().unwrap()), ("decision", "allow")];
    assert_eq!(house.post("/device").cookie(&browser).form(&said).answer().await.status, 200);
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device["device_code"].as_str().unwrap()),
        ("client_id", "saml2cloud"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ];
    assert_eq!(house.post("/api/v1/cli/device/token").form(&form).answer().await.status, 200);
}

/// Takes one form, as a cloud's console does, and says what was posted.
async fn console() -> (u16, tokio::sync::mpsc::Receiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (said, posted) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            let mut bytes = [0; 16 * 1024];
            loop {
                let read = stream.read(&mut bytes).await.unwrap_or_default();
                got.extend_from_slice(&bytes[..read]);
                let text = String::from_utf8_lossy(&got).into_owned();
                let length =
                    text.to_lowercase().split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()?.parse().ok());
                let body = text.split("\r\n\r\n").nth(1).map_or(0, str::len);
                if read == 0 || length.is_some_and(|length: usize| body >= length) {
                    break;
                }
            }
            let text = String::from_utf8_lossy(&got).into_owned();
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 7\r\nconnection: close\r\n\r\nwelcome";
            let _ = stream.write_all(answer.as_bytes()).await;
            if text.starts_with("POST ") {
                let _ = said.send(text).await;
            }
        }
    });
    (port, posted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_uses_the_pages_in_a_real_browser() {
    let (port, mut taking) = console().await;
    let house = House::for_browsers(&format!("[cloud.aws]\nacs = \"http://127.0.0.1:{port}/saml\"\n")).await;
    let [aws, _] = roles(&house).await;
    for name in ["cloud-network-admin", "account_resource_admin"] {
        let role = house.role(&house.shop, Class::System, name).await;
        join(&house, &role, "bob", None).await;
    }
    let signed_in = house.browser("bob").await;
    let work = tokio::task::spawn_blocking(move || {
        let Some(mut chromium) = Chromium::start() else { return house };
        chromium.sign_in(&house, &signed_in);
        for (width, scheme, language) in
            [(1200, "light", "en"), (1200, "dark", "zh-CN"), (390, "light", "zh-CN"), (390, "dark", "en")]
        {
            chromium.look(width, scheme, language);
            chromium.open(&house, "/");
            chromium.picture(&format!("roles-{width}-{scheme}-{language}"));
            let overflow = chromium.eval("document.documentElement.scrollWidth <= window.innerWidth");
            assert_eq!(overflow, json!(true), "{width}");
            chromium.open(&house, &format!("/roles/{}", aws.id));
            assert_eq!(chromium.eval("document.documentElement.scrollWidth <= window.innerWidth"), json!(true), "{width}");
            chromium.picture(&format!("token-{width}-{scheme}-{language}"));
            chromium.eval("document.querySelector('#ask button').click()");
            chromium.until("!document.getElementById('got').hidden");
            let seen = chromium.eval("document.getElementById('got').innerText");
            assert!(seen.as_str().unwrap().contains("ASIA1") && !seen.as_str().unwrap().contains("wJalrSECRET"), "{seen}");
            chromium.eval("document.querySelector('[data-show=secret_access_key]').click()");
            let seen = chromium.eval("document.getElementById('got').innerText");
            assert!(seen.as_str().unwrap().contains("wJalrSECRET") && !seen.as_str().unwrap().contains("FwoGZTOKEN"), "{seen}");
            assert_eq!(chromium.eval("/^\\d+:\\d\\d:\\d\\d$/.test(document.getElementById('clock').textContent)"), json!(true));
            assert_eq!(chromium.eval("document.documentElement.scrollWidth <= window.innerWidth"), json!(true), "{width}");
            chromium.picture(&format!("got-{width}-{scheme}-{language}"));
            // It stands in no address, and who leaves the page and comes back does not find it.
            assert_eq!(chromium.eval("location.search + location.hash"), json!(""));
            chromium.open(&house, "/device");
            chromium.picture(&format!("device-{width}-{scheme}-{language}"));
            let before = chromium.loads();
            chromium.eval("history.back()");
            chromium.wait_for_load(before);
            assert_eq!(chromium.eval("document.body.innerText.includes('ASIA1')"), json!(false));
        }
        // By keyboard alone: the first thing is the way past the head of the page.
        chromium.look(1200, "light", "en");
        chromium.open(&house, "/");
        for kind in ["keyDown", "keyUp"] {
            chromium
                .call("Input.dispatchKeyEvent", json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}));
        }
        assert_eq!(chromium.eval("document.activeElement.className"), json!("skip"));
        // Every button and link says what it is, and every field has its label.
        let bare = "[...document.querySelectorAll('a,button,input:not([type=hidden]),select')].filter(e => !(e.getAttribute('aria-label') || \
                    e.textContent.trim() || (e.labels && e.labels.length))).map(e => e.outerHTML).join()";
        for path in ["/".to_owned(), "/me/logins".to_owned(), "/device".to_owned(), format!("/roles/{}", aws.id)] {
            chromium.open(&house, &path);
            assert_eq!(chromium.eval(bare), json!(""), "{path}");
        }
        // To the console, in this window.
        chromium.open(&house, "/?cloud=aws&q=Reader");
        let before = chromium.loads();
        chromium.eval("(() => { const form = document.querySelector('.roles form'); form.target = ''; form.querySelector('button').click(); })()");
        chromium.wait_for_load(before);
        chromium.until("document.body.innerText.includes('welcome')");
        assert_eq!(chromium.complaints, Vec::<String>::new());
        house
    });
    let house = work.await.unwrap();
    if wanted("SAML2CLOUD_TEST_CHROMIUM").is_some() {
        let posted = taking.recv().await.unwrap();
        assert!(posted.starts_with("POST /saml ") && posted.contains("SAMLResponse="), "{posted}");
    }
    house.app.store.verify().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_runs_a_script_in_a_real_browser() {
    let house = House::for_browsers("").await;
    let [aws, _] = roles(&house).await;
    spoil(&house).await;
    let signed_in = house.browser("bob").await;
    let work = move || {
        let Some(mut chromium) = Chromium::start() else { return };
        chromium.sign_in(&house, &signed_in);
        chromium.look(1200, "light", "en");
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", MARKUP).finish();
        for path in ["/".to_owned(), format!("/?{query}"), "/me/logins".to_owned(), format!("/roles/{}", aws.id)] {
            chromium.open(&house, &path);
            assert_eq!(chromium.eval("typeof window.hit"), json!("undefined"), "{path}");
            assert_eq!(chromium.eval("document.images.length"), json!(0), "{path}");
        }
        chromium.picture("spoilt");
        assert_eq!(chromium.complaints, Vec::<String>::new());
        // And if one of them were a script after all, it would not run.
        chromium.eval("document.body.insertAdjacentHTML('beforeend', '<img src=/assets/icon.svg onload=\"window.hit=1\">')");
        chromium.eval("new Promise(done => setTimeout(done, 200))");
        assert_eq!(chromium.eval("typeof window.hit"), json!("undefined"));
        assert!(chromium.complaints.iter().any(|said| said.contains("Content Security Policy")), "{:?}", chromium.complaints);
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}
