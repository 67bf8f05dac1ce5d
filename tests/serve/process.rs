//! The program itself as it is operated: two of it on one database, the power cut under load, the signal to end, TLS and proxies.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use saml2cloud::tvm::store::{Place, audit};
use saml2cloud::types::Timestamp;

use crate::corporate::Said;
use crate::house::{House, Plan, URL};
use crate::signin::{away, sign_in};
use crate::wanted::wanted;

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process of the service, by the configuration of a house.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(house: &House) -> Self {
        Self::start_with(house, &[], &[])
    }

    /// With more arguments before the command, and more of the environment.
    pub(crate) fn start_with(house: &House, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_saml2cloud"))
            .args(arguments)
            .args(["serve", "--config"])
            .arg(house.folder().join("serve.toml"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SAML2CLOUD_SERVE_SERVER_LISTEN", address.to_string())
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut process = Self { child, address };
        for _ in 0..1000 {
            if TcpStream::connect(address).is_ok() {
                return process;
            }
            if let Some(status) = process.child.try_wait().unwrap() {
                let mut said = String::new();
                process.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("{status}: {said}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not come up");
    }

    /// Lets it end, and gives all that it said. What it says in its life fits into the pipe.
    pub(crate) fn end(mut self) -> String {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }
}

/// A database of its own on the PostgreSQL server that `SAML2CLOUD_TEST_POSTGRES` names; nothing where it names none.
async fn postgres() -> Option<Plan> {
    use sqlx::{Connection as _, Executor as _};
    let server: url::Url = wanted("SAML2CLOUD_TEST_POSTGRES")?.parse().unwrap();
    sqlx::any::install_default_drivers();
    let name = format!("h{}", saml2cloud::world::nonce());
    let mut admin = server.clone();
    admin.query_pairs_mut().append_pair("sslmode", "disable");
    let mut conn = sqlx::AnyConnection::connect(admin.as_str()).await.unwrap();
    conn.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let mut url = server;
    url.set_path(&name);
    Some(Plan { database: format!("url = \"{url}\"\ntls = \"off\""), ..Plan::default() })
}

/// A house on each database there is.
async fn houses() -> Vec<House> {
    houses_with("").await
}

/// The same with these lines as well.
pub(crate) async fn houses_with(more: &str) -> Vec<House> {
    let mut houses = vec![House::with(more).await];
    if let Some(plan) = postgres().await {
        houses.push(Plan { more: more.to_owned(), ..plan }.build().await);
    }
    houses
}

async fn ask(client: &reqwest::Client, address: SocketAddr, path: &str, token: &str) -> Result<(u16, String), reqwest::Error> {
    let sent = client.get(format!("http://{address}{path}")).header("host", "cam.example").bearer_auth(token).send().await?;
    let (status, request) =
        (sent.status().as_u16(), sent.headers().get("x-request-id").map(|id| id.to_str().unwrap().to_owned()));
    sent.bytes().await?;
    Ok((status, request.unwrap_or_default()))
}

/// Every request that was answered left its event; what the survivor was asked it answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_two_processes_loses_its_power_under_load() {
    for house in houses().await {
        let token = house.token("bob").await;
        let (one, two) = (Process::start(&house), Process::start(&house));
        let (survivor, mut victim) = (one.address, Some(two));
        let dying = victim.as_ref().unwrap().address;
        let answered = Arc::new(Mutex::new(Vec::new()));
        let (done, broken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut workers = Vec::new();
        for worker in 0..8 {
            let (token, answered, done, broken) = (token.clone(), Arc::clone(&answered), Arc::clone(&done), Arc::clone(&broken));
            workers.push(tokio::spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                for round in 0..60 {
                    let to = if (worker + round) % 2 == 0 { survivor } else { dying };
                    let path = if round % 3 == 0 { "/api/v1/me/roles" } else { "/api/v1/me" };
                    match ask(&client, to, path, &token).await {
                        Ok((status, request)) => {
                            assert_eq!(status, 200);
                            answered.lock().unwrap().push(request);
                        }
                        // A load balancer would send it to the other one, which answers.
                        Err(error) => {
                            assert_eq!(to, dying, "{error}");
                            broken.fetch_add(1, Ordering::Relaxed);
                            let (status, request) = ask(&client, survivor, path, &token).await.unwrap();
                            assert_eq!(status, 200);
                            answered.lock().unwrap().push(request);
                        }
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        while done.load(Ordering::Relaxed) < 150 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // SIGKILL: nothing is finished.
        drop(victim.take());
        for worker in workers {
            worker.await.unwrap();
        }
        assert!(broken.load(Ordering::Relaxed) > 0);
        let answered = answered.lock().unwrap().clone();
        assert_eq!(answered.len(), 8 * 60);
        let mut conn = house.app.store.read().await.unwrap();
        let page = audit::Ask {
            filter: audit::Filter::All,
            from: Timestamp::from_unix(0).unwrap(),
            until: Timestamp::from_unix(4_000_000_000).unwrap(),
            after: None,
            limit: 100_000,
        };
        let rows = audit::page(&mut conn, &page).await.unwrap();
        for request in &answered {
            assert_eq!(rows.iter().filter(|row| row.request.as_deref() == Some(request)).count(), 1, "{request}");
        }
        drop(conn);
        house.app.store.verify().await.unwrap();
        drop(one);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_are_one_service() {
    for house in houses().await {
        let twin = house.another().await;
        let browser = sign_in(&house, "bob").await;
        assert_eq!(twin.ask("GET", "/api/v1/me").cookie(&browser).answer().await.status, 200);
        // Away from one, back at the other.
        let away1 = away(&house, "/saml/login").await;
        let response = house.corporate.respond(&Said::of("mo", &away1.request, house.app.now()));
        let form = [("SAMLResponse", response.as_str()), ("RelayState", away1.relay_state.as_str())];
        let cookie = format!("__Host-signin={}", away1.binding);
        // The same response at both at once, many times: it counts once.
        let mut signed_in = 0;
        let mut asked = Vec::new();
        for round in 0..12 {
            let sent = if round % 2 == 0 { house.ask("POST", "/saml/acs") } else { twin.ask("POST", "/saml/acs") };
            asked.push(tokio::spawn(sent.header("cookie", &cookie).form(&form).answer()));
        }
        for answer in asked {
            signed_in += usize::from(answer.await.unwrap().status == 303);
        }
        assert_eq!(signed_in, 1);
        // Who is barred at one is out at both.
        let path = format!("/api/v1/users/{}/disable", house.people["bob"]);
        let admin = house.token("e-1").await;
        assert_eq!(twin.ask("POST", &path).bearer(&admin).header("if-match", "\"1\"").answer().await.status, 200);
        assert_eq!(house.get("/api/v1/me").cookie(&browser).answer().await.status, 401);
        assert_eq!(twin.ask("GET", "/api/v1/me").cookie(&browser).answer().await.status, 401);
        assert!(!std::ptr::eq(&*twin.app, &*house.app));
        twin.kill();
        house.app.store.verify().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signal_to_end_lets_requests_in_flight_end() {
    let house = House::new().await;
    let mut process = Process::start(&house);
    let mut stream = TcpStream::connect(process.address).unwrap();
    let body = "client_id=saml2cloud&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let head = format!(
        "POST /api/v1/cli/device HTTP/1.1\r\nhost: cam.example\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..20]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    process.signal("TERM");
    // It takes nobody new, and waits for the one who is there.
    for _ in 0..500 {
        if TcpStream::connect(process.address).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(TcpStream::connect(process.address).is_err() && process.child.try_wait().unwrap().is_none());
    stream.write_all(&body.as_bytes()[20..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"user_code\""), "{answer}");
    assert!(process.child.wait().unwrap().success());
    let mut said = String::new();
    process.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains(&format!("Serving {URL} on {}", process.address)) && said.trim_end().ends_with("Stopped."), "{said}");
}

#[tokio::test]
async fn its_own_certificate_is_read_anew_without_a_restart() {
    let make = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["cam.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let plan = Plan { server: "certificate_file = \"tls.pem\"\nkey_file = \"tls.key\"".to_owned(), ..Plan::default() };
    let put = |folder: &std::path::Path, pair: &(String, String)| {
        std::fs::write(folder.join("tls.pem"), &pair.0).unwrap();
        std::fs::write(folder.join("tls.key"), &pair.1).unwrap();
    };
    let (first, second) = (make(), make());
    put(plan.folder.path(), &first);
    let house = plan.build().await;
    let trusting = |pem: &str| {
        let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).resolve("cam.example", house.address());
        client.build().unwrap()
    };
    let url = format!("https://cam.example:{}/healthz", house.address().port());
    let ask = |pem: &str| trusting(pem).get(&url).send();
    assert_eq!(ask(&first.0).await.unwrap().status().as_u16(), 200);
    assert!(ask(&second.0).await.is_err());
    put(house.folder(), &second);
    assert_eq!(ask(&second.0).await.unwrap().status().as_u16(), 200);
    assert!(ask(&first.0).await.is_err());
    // What makes no sense changes nothing.
    std::fs::write(house.folder().join("tls.pem"), "nonsense").unwrap();
    assert_eq!(ask(&second.0).await.unwrap().status().as_u16(), 200);
    // Without TLS nobody is answered here.
    assert!(reqwest::Client::new().get(format!("http://{}/healthz", house.address())).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signal_to_read_anew_reads_the_certificate_and_ends_nothing() {
    use std::io::BufRead as _;
    let make = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["cam.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let plan = Plan { server: "certificate_file = \"tls.pem\"\nkey_file = \"tls.key\"".to_owned(), ..Plan::default() };
    let (first, second) = (make(), make());
    let put = |folder: &std::path::Path, pair: &(String, String)| {
        std::fs::write(folder.join("tls.pem"), &pair.0).unwrap();
        std::fs::write(folder.join("tls.key"), &pair.1).unwrap();
    };
    put(plan.folder.path(), &first);
    let house = plan.build().await;
    let mut process = Process::start(&house);
    let mut said = std::io::BufReader::new(process.child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let client = |pem: &str| {
        let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).resolve("cam.example", process.address);
        client.build().unwrap()
    };
    let url = format!("https://cam.example:{}/healthz", process.address.port());
    let kept = client(&first.0);
    assert_eq!(kept.get(&url).send().await.unwrap().status().as_u16(), 200);
    // With no connection in between: the signal alone does it.
    put(house.folder(), &second);
    process.signal("HUP");
    assert!(said.by_ref().any(|line| line.contains("certificate was read anew")));
    assert_eq!(client(&second.0).get(&url).send().await.unwrap().status().as_u16(), 200);
    assert!(client(&first.0).get(&url).send().await.is_err());
    // A connection that was open goes on.
    assert_eq!(kept.get(&url).send().await.unwrap().status().as_u16(), 200);
    // What makes no sense is said, and changes nothing.
    std::fs::write(house.folder().join("tls.pem"), "nonsense").unwrap();
    process.signal("HUP");
    assert!(said.by_ref().any(|line| line.contains("certificate stays as it was")));
    assert_eq!(client(&second.0).get(&url).send().await.unwrap().status().as_u16(), 200);
    process.signal("TERM");
    assert!(process.child.wait().unwrap().success());
}

#[tokio::test]
async fn plain_http_is_for_loopback_or_behind_a_proxy_that_is_named() {
    let refused = Plan { listen: "0.0.0.0:0".to_owned(), ..Plan::default() }.try_start().await.unwrap_err().to_string();
    assert!(refused.contains("`server.listen`") && refused.contains("is not on loopback"), "{refused}");
    // The proxy says where a request came from, and nobody else does.
    let trusting = Plan { server: "trusted_proxies = [\"127.0.0.0/8\"]".to_owned(), ..Plan::default() }.build().await;
    let answer = trusting.get("/saml/metadata").header("x-forwarded-for", "6.6.6.6, 198.51.100.7").answer().await;
    assert_eq!(trusting.event(&answer).await.source_ip.as_deref(), Some("198.51.100.7"));
    let usual = House::new().await;
    let answer =
        usual.get("/saml/metadata").header("x-forwarded-for", "198.51.100.7").header("forwarded", "for=6.6.6.6").answer().await;
    assert_eq!(usual.event(&answer).await.source_ip.as_deref(), Some("127.0.0.1"));
    // So the limits of one address are not evaded by making up others.
    let limited = House::with("[limits]\nsign_in_per_address = 5\n").await;
    let mut last = (0, String::new());
    for round in 0..6 {
        let answer = limited.get("/saml/login").header("x-forwarded-for", &format!("198.51.100.{round}")).answer().await;
        last = (answer.status, answer.header("retry-after").to_owned());
    }
    assert_eq!(last, (429, "12".to_owned()));
    assert_eq!(limited.get("/saml/metadata").answer().await.status, 200);
}

#[tokio::test]
async fn a_database_that_is_away_is_said_to_be_and_comes_back_by_itself() {
    let Some(plan) = postgres().await else { return };
    let house = plan.build().await;
    let token = house.token("bob").await;
    assert_eq!(house.get("/api/v1/me").bearer(&token).answer().await.status, 200);
    let Place::Postgres { url, .. } = &house.app.settings.database.place else { panic!() };
    let name = url.path().trim_start_matches('/').to_owned();
    let server: url::Url = wanted("SAML2CLOUD_TEST_POSTGRES").unwrap().parse().unwrap();
    let mut admin = server;
    admin.query_pairs_mut().append_pair("sslmode", "disable");
    let mut conn = <sqlx::AnyConnection as sqlx::Connection>::connect(admin.as_str()).await.unwrap();
    let mut say = async |sql: String| {
        sqlx::Executor::execute(&mut conn, sqlx::AssertSqlSafe(sql)).await.unwrap();
    };
    say(format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")).await;
    say(format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")).await;
    for path in ["/api/v1/me", "/api/v1/me/roles"] {
        let answer = house.get(path).bearer(&token).answer().await;
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(
            ["store_unavailable", "audit_unavailable"].contains(&answer.code().as_str())
                && !answer.header("retry-after").is_empty()
        );
    }
    let answer = house.get("/readyz").answer().await;
    assert_eq!((answer.status, answer.json()["database"].as_str()), (503, Some("unavailable")));
    assert_eq!(house.get("/healthz").answer().await.status, 200);
    say(format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")).await;
    let mut tries = 0;
    while house.get("/api/v1/me").bearer(&token).answer().await.status != 200 {
        tries += 1;
        assert!(tries < 100, "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(house.get("/readyz").answer().await.status, 200);
    house.app.store.verify().await.unwrap();
}
