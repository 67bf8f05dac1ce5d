//! A small client with a cookie jar, on the HTTP library that the product uses.

use std::collections::BTreeMap;
use std::sync::Once;
use std::time::Duration;

use base64::Engine as _;
use reqwest::{Client, Method, Proxy};
use sandbox::{Options, Sandbox};
use tokio::runtime::Runtime;

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// Value of the hidden field with this name in the page.
    pub(crate) fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&start).unwrap_or_else(|| panic!("no field {name} in {}", self.body));
        let value = rest.split('"').next().unwrap();
        value.replace("&quot;", "\"").replace("&amp;", "&")
    }

    /// The SAML response in the page, decoded.
    pub(crate) fn assertion(&self) -> String {
        let bytes = base64::engine::general_purpose::STANDARD.decode(self.field("SAMLResponse")).unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

/// A client with one jar for all hosts; the box checks which host gets what.
pub(crate) struct Browser {
    runtime: Runtime,
    client: Client,
    jar: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let pem = std::fs::read(sandbox.ca_file()).unwrap();
        let root = reqwest::Certificate::from_pem(&pem).unwrap();
        let client = Client::builder()
            .proxy(Proxy::all(sandbox.proxy_url()).unwrap())
            .tls_certs_only([root])
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, client, jar: BTreeMap::new() }
    }

    /// Sends a request and keeps its cookies; the error's text if there is no whole answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Answer, String> {
        let mut request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.jar.is_empty() {
            let pairs: Vec<String> = self.jar.iter().map(|(k, v)| format!("{k}={v}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        let jar = &mut self.jar;
        self.runtime.block_on(async {
            let answer = request.send().await.map_err(|e| format!("{e:?}"))?;
            let header = |name: &str| {
                let value = answer.headers().get(name)?;
                Some(value.to_str().unwrap().to_owned())
            };
            let location = header("location");
            for cookie in answer.headers().get_all("set-cookie") {
                let cookie = cookie.to_str().unwrap();
                assert!(cookie.contains("; Secure; HttpOnly"), "{cookie}");
                let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
                jar.insert(name.to_owned(), value.to_owned());
            }
            Ok(Answer { status: answer.status().as_u16(), location, body: answer.text().await.map_err(|e| format!("{e:?}"))? })
        })
    }

    pub(crate) fn get(&mut self, url: &str) -> Answer {
        self.send("GET", url, &[], None).unwrap()
    }

    pub(crate) fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let media = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", url, &media, Some(&body)).unwrap()
    }

    pub(crate) fn forget_cookies(&mut self) {
        self.jar.clear();
    }
}

pub(crate) fn start() -> Sandbox {
    Sandbox::start(Options::default()).unwrap()
}

/// Fails if the box noticed a breach.
pub(crate) fn clean(sandbox: &Sandbox) {
    assert_eq!(sandbox.violations(), Vec::<String>::new());
}
