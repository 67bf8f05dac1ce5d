//! A real Chromium, over its pipe: one page at a time, and everything that the page complains about.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::house::{Browser, House};
use crate::wanted::wanted;

/// The browser; it ends with the test.
pub(crate) struct Chromium {
    child: Child,
    write: ChildStdin,
    read: ChildStdout,
    held: Vec<u8>,
    session: String,
    number: u64,
    /// What went wrong on pages: errors, refused loads, reports of the policy, dialogs.
    pub(crate) complaints: Vec<String>,
    loaded: u64,
    _profile: tempfile::TempDir,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Chromium {
    /// Starts the one that `SAML2CLOUD_TEST_CHROMIUM` names; nothing where it names none (`tests/real/serve` names Debian's).
    pub(crate) fn start() -> Option<Self> {
        let program = wanted("SAML2CLOUD_TEST_CHROMIUM")?;
        let profile = tempfile::tempdir().unwrap();
        // The pipe has its own two descriptors, and nothing leaves this machine.
        let script = r#"exec "$0" "$@" 3<&0 4>&1 >/dev/null 2>&1"#;
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--no-first-run",
                "--disable-gpu",
                "--disable-sync",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-default-apps",
                "--hide-scrollbars",
            ])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (write, read) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut it = Self {
            child,
            write,
            read,
            held: Vec::new(),
            session: String::new(),
            number: 0,
            complaints: Vec::new(),
            loaded: 0,
            _profile: profile,
        };
        let target = it.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = it.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        it.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            it.call(&format!("{domain}.enable"), json!({}));
        }
        Some(it)
    }

    fn message(&mut self) -> Value {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == 0) {
                let message = serde_json::from_slice(&self.held[..end]).unwrap();
                self.held.drain(..=end);
                return message;
            }
            let mut bytes = [0; 64 * 1024];
            let read = self.read.read(&mut bytes).unwrap();
            assert!(read > 0, "the browser ended");
            self.held.extend_from_slice(&bytes[..read]);
        }
    }

    fn note(&mut self, message: &Value) {
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Page.loadEventFired" => self.loaded += 1,
            "Page.javascriptDialogOpening" => {
                self.complaints.push(format!("dialog: {}", params["message"]));
            }
            "Runtime.exceptionThrown" => self.complaints.push(params["exceptionDetails"].to_string()),
            "Log.entryAdded" if params["entry"]["level"] == "error" || params["entry"]["source"] == "security" => {
                self.complaints.push(params["entry"]["text"].as_str().unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }

    /// Sends a command, and waits for its answer.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.write.write_all(message.to_string().as_bytes()).unwrap();
        self.write.write_all(&[0]).unwrap();
        loop {
            let answer = self.message();
            if answer["id"].as_u64() == Some(self.number) {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    /// Waits until a page has loaded since `before`.
    pub(crate) fn wait_for_load(&mut self, before: u64) {
        while self.loaded == before {
            let message = self.message();
            self.note(&message);
        }
    }

    pub(crate) fn loads(&self) -> u64 {
        self.loaded
    }

    /// Signed in as this browser of the house.
    pub(crate) fn sign_in(&mut self, house: &House, browser: &Browser) {
        let url = format!("http://{}/", house.address());
        self.call("Network.setCookie", json!({"name": "session", "value": browser.cookie, "url": url, "httpOnly": true}));
    }

    /// As large as this, in light or dark, in this language.
    pub(crate) fn look(&mut self, width: u32, scheme: &str, language: &str) {
        let is_phone = width < 600;
        let height = if is_phone { 844 } else { 900 };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.call("Emulation.setDeviceMetricsOverride", size);
        self.call("Emulation.setEmulatedMedia", json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}));
        self.call("Network.setExtraHTTPHeaders", json!({"headers": {"accept-language": language}}));
    }

    /// Opens a page of the house.
    pub(crate) fn open(&mut self, house: &House, path: &str) {
        let before = self.loaded;
        self.call("Page.navigate", json!({"url": format!("http://{}{path}", house.address())}));
        self.wait_for_load(before);
    }

    /// What a script says; promises are waited for.
    pub(crate) fn eval(&mut self, script: &str) -> Value {
        let ask = json!({"expression": script, "returnByValue": true, "awaitPromise": true, "userGesture": true});
        let answer = self.call("Runtime.evaluate", ask);
        assert!(answer.get("exceptionDetails").is_none(), "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until a script says `true`.
    pub(crate) fn until(&mut self, script: &str) {
        for _ in 0..500 {
            if self.eval(script) == json!(true) {
                return;
            }
            self.eval("new Promise(done => setTimeout(done, 20))");
        }
        panic!("it never came: {script}");
    }

    /// A picture of the whole page, where `SAML2CLOUD_TEST_PICTURES` names a folder for them.
    pub(crate) fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("SAML2CLOUD_TEST_PICTURES") else { return };
        let picture = self.call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}));
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }
}
