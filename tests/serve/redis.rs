//! Sign-ins in Redis, against a real one where `SAML2CLOUD_TEST_REDIS` names the server's program (`tests/real/serve` names Debian's). Each test has its
//! own, may take its power away, and give it back.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use saml2cloud::tvm::model::Status;
use serde_json::json;

use crate::corporate::Said;
use crate::house::{House, Plan};
use crate::signin::{away, back, sign_in};
use crate::wanted::wanted;

pub(crate) struct Redis {
    child: Child,
    port: u16,
    arguments: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Redis {
    /// Starts one; nothing where none is named.
    fn start(more: impl FnOnce(&std::path::Path, u16) -> Vec<String>) -> Option<Self> {
        wanted("SAML2CLOUD_TEST_REDIS")?;
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut arguments = more(folder.path(), port);
        let folder_name = folder.path().display().to_string();
        arguments.extend(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", &folder_name].map(str::to_owned));
        let mut redis = Self { child: spawn(&arguments), port, arguments, _folder: folder };
        redis.wait();
        Some(redis)
    }

    pub(crate) fn plain() -> Option<Self> {
        Self::start(|_, port| vec!["--port".to_owned(), port.to_string()])
    }

    fn wait(&mut self) {
        for _ in 0..500 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "Redis ended: {:?}", self.arguments);
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("Redis does not come up");
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn again(&mut self) {
        self.child = spawn(&self.arguments);
        self.wait();
    }

    /// What it holds, all of it.
    async fn dump(&self) -> String {
        let mut conn = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).unwrap();
        let mut conn = conn_of(&mut conn).await;
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut conn).await.unwrap();
        let mut all = String::new();
        for key in keys {
            let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut conn).await.unwrap();
            let ttl: i64 = redis::cmd("TTL").arg(&key).query_async(&mut conn).await.unwrap();
            assert!(ttl > 0, "{key} never ends");
            let value = match kind.as_str() {
                "string" => redis::cmd("GET").arg(&key).query_async::<String>(&mut conn).await.unwrap(),
                _ => redis::cmd("SMEMBERS").arg(&key).query_async::<Vec<String>>(&mut conn).await.unwrap().join(" "),
            };
            all += &format!("{key} {value}\n");
        }
        all
    }

    async fn wipe(&self) {
        let mut client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).unwrap();
        redis::cmd("FLUSHALL").query_async::<()>(&mut conn_of(&mut client).await).await.unwrap();
    }
}

async fn conn_of(client: &mut redis::Client) -> redis::aio::MultiplexedConnection {
    client.get_multiplexed_async_connection().await.unwrap()
}

fn spawn(arguments: &[String]) -> Child {
    let program = wanted("SAML2CLOUD_TEST_REDIS").unwrap();
    Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The lines that name it.
pub(crate) fn configured(redis: &Redis) -> String {
    let port = redis.port;
    format!("[session]\nstore = \"redis\"\nredis_url = \"redis://127.0.0.1:{port}/0\"\n")
}

async fn status(house: &House, cookie: &str) -> u16 {
    house.get("/api/v1/me").header("cookie", &format!("__Host-session={cookie}")).answer().await.status
}

#[tokio::test]
async fn sign_ins_live_in_redis_and_nothing_else_does() {
    let Some(redis) = Redis::plain() else { return };
    let house = House::with(&configured(&redis)).await;
    let bob = sign_in(&house, "bob").await;
    assert_eq!(status(&house, &bob.cookie).await, 200);
    let dump = redis.dump().await;
    assert!(dump.lines().all(|line| line.starts_with("saml2cloud:")) && dump.contains(house.people["bob"].as_str()), "{dump}");
    assert!(!dump.contains(&bob.cookie) && !dump.contains(&bob.csrf), "{dump}");
    // Idle and absolute limits, by our clock.
    for _ in 0..16 {
        house.clock.forward(Duration::from_secs(29 * 60));
        assert_eq!(status(&house, &bob.cookie).await, 200);
    }
    house.clock.forward(Duration::from_secs(20 * 60));
    assert_eq!(status(&house, &bob.cookie).await, 401);
    let bob = sign_in(&house, "bob").await;
    house.clock.forward(Duration::from_secs(31 * 60));
    assert_eq!(status(&house, &bob.cookie).await, 401);
    // Out by oneself, by the identity provider, and by a super admin, who lets in again what has to sign in again.
    let (one, two, three) = (sign_in(&house, "bob").await, sign_in(&house, "bob").await, sign_in(&house, "mo").await);
    assert_eq!(house.post("/logout").from(&one).answer().await.status, 200);
    assert_eq!((status(&house, &one.cookie).await, status(&house, &two.cookie).await), (401, 200));
    let query = house.corporate.logout_query("bob", "s-1", house.app.now());
    assert_eq!(house.get(&format!("/saml/slo?{query}")).answer().await.status, 303);
    assert_eq!((status(&house, &two.cookie).await, status(&house, &three.cookie).await), (401, 200));
    let four = sign_in(&house, "bob").await;
    let admin = house.token("e-1").await;
    for (act, version) in [("disable", "\"1\""), ("enable", "\"2\"")] {
        let path = format!("/api/v1/users/{}/{act}", house.people["bob"]);
        let answer = house.post(&path).bearer(&admin).header("if-match", version).answer().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(status(&house, &four.cookie).await, 401);
    }
    // They are gone from Redis itself, not only refused; the other person's is there.
    let sessions = async || redis.dump().await.lines().filter(|line| line.starts_with("saml2cloud:session:")).count();
    assert_eq!((sessions().await, status(&house, &three.cookie).await), (1, 200));
    let five = sign_in(&house, "bob").await;
    house.change(async |tx| tx.set_status(&house.people["bob"], 3, Status::Disabled).await).await;
    assert_eq!(status(&house, &five.cookie).await, 401);
    // And whoever is deleted.
    let six = sign_in(&house, "mo").await;
    assert_eq!((sessions().await, status(&house, &six.cookie).await), (2, 200));
    house.change(async |tx| tx.remove_owner(&house.east.id, &house.people["mo"]).await).await;
    let path = format!("/api/v1/users/{}", house.people["mo"]);
    let answer = house.ask("DELETE", &path).bearer(&admin).header("if-match", "\"1\"").answer().await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(sessions().await, 0);
    assert_eq!((status(&house, &three.cookie).await, status(&house, &six.cookie).await), (401, 401));
}

#[tokio::test]
async fn a_wiped_redis_costs_a_sign_in_and_lets_nobody_in() {
    let Some(redis) = Redis::plain() else { return };
    let house = House::with(&configured(&redis)).await;
    let request = away(&house, "/saml/login").await;
    let response = house.corporate.respond(&Said::of("bob", &request.request, house.app.now()));
    assert_eq!(back(&house, &request, &response).await.status, 303);
    let browser = sign_in(&house, "bob").await;
    redis.wipe().await;
    assert_eq!(status(&house, &browser.cookie).await, 401);
    // What was used before is used up: that is not Redis's to know.
    assert_eq!(back(&house, &request, &response).await.status, 400);
    assert_eq!(status(&house, &sign_in(&house, "bob").await.cookie).await, 200);
}

#[tokio::test]
async fn a_redis_that_is_away_is_said_to_be_and_comes_back_by_itself() {
    let Some(mut redis) = Redis::plain() else { return };
    let house = House::with(&configured(&redis)).await;
    let (browser, token) = (sign_in(&house, "bob").await, house.token("bob").await);
    assert_eq!(house.get("/readyz").answer().await.status, 200);
    redis.kill();
    let answer = house.get("/api/v1/me").cookie(&browser).answer().await;
    assert_eq!((answer.status, answer.code().as_str(), answer.header("retry-after")), (503, "sessions_unavailable", "5"));
    assert_eq!(house.event(&answer).await.outcome, "failed");
    let answer = house.get("/readyz").answer().await;
    assert_eq!((answer.status, answer.json()["sessions"].as_str()), (503, Some("unavailable")));
    assert_eq!(house.get("/healthz").answer().await.status, 200);
    // Command lines do not need it.
    assert_eq!(house.get("/api/v1/me").bearer(&token).answer().await.status, 200);
    redis.again();
    let mut tries = 0;
    while status(&house, &browser.cookie).await == 503 {
        tries += 1;
        assert!(tries < 100, "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status(&house, &sign_in(&house, "bob").await.cookie).await, 200);
    assert_eq!(house.get("/readyz").answer().await.json(), json!({"status": "ok", "database": "ok", "sessions": "ok"}));
}

#[tokio::test]
async fn redis_is_reached_by_tls_with_the_right_name_and_a_password() {
    let name = |text: &str| rcgen::CertificateParams::new(vec![text.to_owned()]).unwrap();
    let (key, another) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let (good, other) = (name("localhost").self_signed(&key).unwrap(), name("localhost").self_signed(&another).unwrap());
    let redis = Redis::start(|folder, port| {
        std::fs::write(folder.join("cert.pem"), good.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        let port = port.to_string();
        let all = ["--port", "0", "--tls-port", &port, "--tls-cert-file", &path("cert.pem"), "--tls-key-file", &path("key.pem")];
        let more = ["--tls-auth-clients", "no", "--tls-ca-cert-file", &path("cert.pem"), "--requirepass", "open sesame"];
        all.iter().chain(&more).map(|&text| text.to_owned()).collect()
    });
    let Some(redis) = redis else { return };
    let plan = |host: &str, authority: &str, password: &str| {
        let plan = Plan::default();
        std::fs::write(plan.folder.path().join("redis"), password).unwrap();
        std::fs::write(plan.folder.path().join("ca.pem"), authority).unwrap();
        let more = format!(
            "[session]\nstore = \"redis\"\nredis_url = \"rediss://{host}:{}/\"\nredis_password_file = \"redis\"\nredis_ca_file = \"ca.pem\"\n",
            redis.port
        );
        Plan { more, ..plan }
    };
    for (host, authority, password) in
        [("localhost", other.pem(), "open sesame"), ("127.0.0.1", good.pem(), "open sesame"), ("localhost", good.pem(), "wrong")]
    {
        let refused = plan(host, &authority, password).try_start().await.unwrap_err();
        let said = refused.to_string();
        assert!(said.starts_with("cannot reach Redis at ") && !said.contains("sesame"), "{said}");
    }
    let house = plan("localhost", &good.pem(), "open sesame").build().await;
    assert_eq!(status(&house, &sign_in(&house, "bob").await.cookie).await, 200);
}
