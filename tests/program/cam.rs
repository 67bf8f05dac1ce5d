//! The command line and the real service: `saml2cloud serve` from its program, in the box. A company signs its people in, the service vouches for
//! them to the box's clouds, which check what it signs by code of their own, and the keys are used.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use saml2cloud::tvm::audit::{AuthKind, Event};
use saml2cloud::tvm::model::{
    Alias, Class, CloudAccount, Description, Email, Gid, Label, NewNode, NewRole, NewUser, Node, Risk, Role, Source, Status,
    UserId, Vending,
};
use saml2cloud::tvm::store::groups::Membership;
use saml2cloud::tvm::store::{Open, Place, Store, nodes, users, vends};
use saml2cloud::types::{IdpArn, RoleArn, SessionDuration, Timestamp};
use sandbox::{Grant, Service, Visitor};
use serde_json::Value;

use crate::call::{Call, check_clean, check_secrets};
use crate::support::{ALIBABA, AWS, Cloud, GUIDE, Room};

const DOES: &str = "SAML2CLOUD_TEST_PERSON";
const PASSWORD: &str = "SAML2CLOUD_TEST_PERSON_PASSWORD";
const NOTES: &str = "SAML2CLOUD_TEST_PERSON_NOTES";
/// The accounts, as the service names them.
const SHOP: &str = "aws:012345678987";
const LABS: &str = "alibaba:1000000000000001";

/// The person's browser: does what the pages want, as who is named, and goes where they lead.
#[test]
fn a_person() {
    let (Some(does), Some(url)) = (std::env::var(DOES).ok(), std::env::args().find(|arg| arg.starts_with("http"))) else {
        return;
    };
    note(&url);
    let (name, says) = does.split_once(' ').unwrap();
    // A browser has its cookies from last time.
    let jar = format!("{}.cookies", std::env::var(NOTES).unwrap());
    let mut visitor = Visitor::with(&std::fs::read_to_string(&jar).unwrap_or_default());
    let password = std::env::var(PASSWORD).unwrap();
    let page = visitor.sign_in(&url, &format!("{name}@example.com"), &password).unwrap();
    std::fs::write(&jar, visitor.kept()).unwrap();
    let Some(form) = page.form_with("decision") else {
        note(&format!("{} no question", page.status));
        return;
    };
    let end = visitor.submit(&page, &form, &[("decision", says)]).unwrap();
    note(&format!("{} {}", end.status, end.url.split('?').next().unwrap()));
}

fn note(line: &str) {
    use std::io::Write as _;
    let mut notes = std::fs::File::options().append(true).create(true).open(std::env::var(NOTES).unwrap()).unwrap();
    writeln!(notes, "{line}").unwrap();
}

/// The service in the box, with people and roles, and a machine with a browser.
struct Cam {
    service: Service,
    room: Room,
    browser: PathBuf,
}

/// Everything that a store is asked for here, on a runtime of its own.
fn on_store<T>(cam: &Service, work: impl AsyncFnOnce(&Store) -> T) -> T {
    let path = cam.config.parent().unwrap().join("cam.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let open = Open { place: Place::Sqlite(path), connections: 2 };
        let store = open.open(now()).await.unwrap();
        let done = work(&store).await;
        store.close().await;
        done
    })
}

fn now() -> Timestamp {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    Timestamp::from_unix(i64::try_from(seconds).unwrap()).unwrap()
}

fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

fn event() -> Event {
    Event::by(AuthKind::System, "test.change", serde_json::json!({}))
}

async fn account(store: &Store, root: &Node, admin: &UserId, name: &str, account: &str, entry: &str) -> Node {
    let new =
        NewNode { name: label(name), description: Description::default(), account: Some(CloudAccount::parse(account).unwrap()) };
    let mut tx = store.begin(now()).await.unwrap();
    let node = tx.add_node(&root.id, &new, std::slice::from_ref(admin), Some(admin)).await.unwrap();
    let vending = Vending { provider: Some(IdpArn::parse(entry).unwrap()), ..node.vending.clone() };
    tx.update_node(&Node { vending, ..node.clone() }).await.unwrap();
    tx.commit(&event()).await.unwrap();
    node
}

/// A role of an account, given to people.
async fn role(store: &Store, node: &Node, arn: &str, people: &[&UserId]) -> Role {
    let new = NewRole::new(Class::System, RoleArn::parse(arn).unwrap(), node.kind.account().unwrap()).unwrap();
    let mut tx = store.begin(now()).await.unwrap();
    let role = tx.add_role(&node.id, &new).await.unwrap();
    for person in people {
        tx.join(&role.group, person, Membership { source: Source::Manual, by: None, ends: None, reason: "" }).await.unwrap();
    }
    tx.commit(&event()).await.unwrap();
    role
}

const READER: &str = "arn:aws:iam::012345678987:role/team/Reader";
const ADMIN: &str = "arn:aws:iam::012345678987:role/Admin";
const LAB: &str = "acs:ram::1000000000000001:role/lab";

impl Cam {
    /// Alice owns everything and may take every role; bob is in the pool and may read; heidi is in the pool and has no role.
    fn new() -> Self {
        Self::with("")
    }

    fn with(more: &str) -> Self {
        Self::built(more, |_| {})
    }

    fn built(more: &str, place: impl FnOnce(&mut Service)) -> Self {
        let room = Room::new();
        let browser = room.outside("person");
        let this = std::env::current_exe().unwrap();
        std::fs::write(&browser, format!("#!/bin/sh\nexec '{}' --exact cam::a_person \"$1\" >/dev/null\n", this.display()))
            .unwrap();
        std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let program = std::path::Path::new(crate::support::BIN);
        let mut service = Service::prepare(&room.sandbox, program, &room.outside("cam"), "E-alice", "Acme", more).unwrap();
        on_store(&service, async |store| {
            let mut conn = store.read().await.unwrap();
            let root = nodes::root(&mut conn).await.unwrap().unwrap();
            let alice = users::by_gid(&mut conn, &Gid::parse("E-alice").unwrap()).await.unwrap().unwrap().id;
            drop(conn);
            let mut tx = store.begin(now()).await.unwrap();
            let person = |name: &str| NewUser {
                gid: Gid::parse(&format!("E-{name}")).unwrap(),
                alias: Alias::parse(name).unwrap(),
                email: Email::default(),
                description: Description::default(),
                home: root.id.clone(),
            };
            tx.add_user(&person("heidi"), Some(&alice)).await.unwrap();
            let bob = tx.add_user(&person("bob"), Some(&alice)).await.unwrap();
            tx.commit(&event()).await.unwrap();
            let shop = account(store, &root, &alice, "生产 shop", SHOP, &Service::entry("aws", GUIDE)).await;
            let labs = account(store, &root, &alice, "labs", LABS, &Service::entry("alibaba", "1000000000000001")).await;
            role(store, &shop, READER, &[&alice, &bob]).await;
            role(store, &shop, ADMIN, &[&alice]).await;
            role(store, &labs, LAB, &[&alice]).await;
        });
        place(&mut service);
        service.start(&room.sandbox, &[SHOP, LABS]).unwrap();
        for arn in [READER, ADMIN] {
            let provider = Service::entry("aws", GUIDE);
            room.sandbox.federated_role(Grant { role: arn.to_owned(), provider, max_session: 3600 });
        }
        let provider = Service::entry("alibaba", "1000000000000001");
        room.sandbox.federated_role(Grant { role: LAB.to_owned(), provider, max_session: 3600 });
        let cam = Self { service, room, browser };
        cam.account(AWS, "cam", "");
        cam.account(ALIBABA, "cam", "");
        cam
    }

    fn account(&self, cloud: Cloud, name: &str, lines: &str) {
        let path = self.room.home().join(cloud.accounts);
        let mut text = std::fs::read_to_string(&path).unwrap_or_default();
        let url = &self.service.url;
        text += &format!("[{name}]\nurl = \"{url}\"\nprovider = \"TVM\"\n{} = \"{name}\"\n{lines}\n", cloud.profile_key);
        std::fs::write(path, text).unwrap();
    }

    fn call(&self, line: &str) -> Call<'_> {
        self.call_as(line, "alice allow")
    }

    fn call_as(&self, line: &str, does: &str) -> Call<'_> {
        let notes = self.room.outside("notes");
        let call = self.room.call(line).var("BROWSER", &self.browser.display().to_string());
        let call = call.var("SAML2CLOUD_KEYCHAIN", "file").var("SAML2CLOUD_VAULT_PASSPHRASE", "a long enough passphrase");
        let password = self.room.password(does.split(' ').next().unwrap());
        call.var(DOES, does).var(PASSWORD, &password).var(NOTES, &notes.display().to_string())
    }

    fn notes(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.room.outside("notes")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How many tabs were opened.
    fn tabs(&self) -> usize {
        self.notes().iter().filter(|line| line.starts_with("http://127.0.0.1")).count()
    }

    /// Says how keys are come by in every account.
    fn vending(&self, edit: impl Fn(&mut Vending)) {
        on_store(&self.service, async |store| {
            let mut tx = store.begin(now()).await.unwrap();
            let root = nodes::root(&mut tx).await.unwrap().unwrap();
            for mut node in nodes::children(&mut tx, &root.id, ("", ""), 10).await.unwrap() {
                edit(&mut node.vending);
                tx.update_node(&node).await.unwrap();
            }
            tx.commit(&event()).await.unwrap();
        });
    }

    /// Whose the keys are that a command prints in its environment.
    fn whose(&self, call: Call<'_>, cloud: Cloud) -> String {
        let done = call.shows_keys().run().exits(0);
        let variable = format!("{}=", cloud.key_variable);
        let key = done.stdout.lines().find_map(|line| line.strip_prefix(variable.as_str())).unwrap_or_default().to_owned();
        self.room.sandbox.whose(&key).unwrap_or_else(|| panic!("`{key}` is nobody's:\n{}{}", done.stdout, done.stderr))
    }
}

#[test]
fn one_sign_in_gives_keys_that_both_clouds_handed_out_for_what_the_service_signed() {
    let cam = Cam::new();
    let roles = cam.call("list-roles -a cam --cloud aws").run().exits(0);
    assert_eq!(roles.stdout, format!("Account: 生产 shop ({GUIDE})\n{ADMIN}\n{READER}\n\n"));
    let notes = cam.notes();
    assert!(notes.len() == 2 && notes[1].starts_with("200 http://127.0.0.1:") && notes[1].ends_with("/callback"), "{notes:?}");
    for (cloud, wish, whose) in [
        (AWS, "--cloud aws --role Admin", "arn:aws:sts::012345678987:assumed-role/Admin/E-alice"),
        (AWS, "--cloud aws --role 012345678987/Reader", "arn:aws:sts::012345678987:assumed-role/Reader/E-alice"),
        (ALIBABA, "--cloud alibaba", "acs:ram::1000000000000001:assumed-role/lab/E-alice"),
    ] {
        let call = cam.call(&format!("exec -a cam {wish} -- env"));
        assert_eq!(cam.whose(call, cloud), whose);
    }
    // An account by its name, in the company's own language.
    let call = cam.call("exec -a cam --cloud aws").arg("--role").arg("生产 shop/Admin").arg("--").arg("env");
    assert!(cam.whose(call, AWS).ends_with("assumed-role/Admin/E-alice"));
    assert_eq!(cam.tabs(), 1);
    // The profile is one like any other.
    cam.call("login -a cam --cloud aws --role Admin").run().exits(0);
    assert_eq!(cam.room.aws_profile("cam")["x_principal_arn"], "arn:aws:sts::012345678987:assumed-role/Admin/E-alice");
    let document = cam.call("credential-process -a cam --cloud aws --role Admin").shows_keys().run().exits(0);
    let document: Value = serde_json::from_str(&document.stdout).unwrap();
    assert!(document["AccessKeyId"].as_str().unwrap().starts_with("ASIA"));
    // The keys open the clouds' consoles too.
    for line in ["--cloud aws --role Admin", "--cloud alibaba"] {
        cam.call(&format!("console -a cam {line} --link")).shows_keys().run().exits(0);
    }
}

#[test]
fn many_at_once_are_one_sign_in() {
    let cam = Cam::new();
    let start = |index: usize| {
        let role = if index.is_multiple_of(3) { "Admin" } else { "Reader" };
        cam.call(&format!("exec -a cam --cloud aws --role {role} -- true")).command().stdout(Stdio::null()).spawn().unwrap()
    };
    let running: Vec<_> = (0..8).map(start).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        check_clean(&said);
        check_secrets(&cam.room.sandbox, &said);
    }
    assert_eq!(cam.tabs(), 1);
}

#[test]
fn a_code_is_typed_on_another_device() {
    use std::io::{BufRead as _, BufReader, Read as _};
    let cam = Cam::new();
    for (says, exits) in [("deny", 3), ("allow", 0)] {
        let mut child = cam.call("list-roles -a cam --cloud aws --device").command().spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let typed = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "no code in:\n{said}");
            said += &line;
            if said.contains("and type this code:\n") && line.starts_with("  ") {
                break line.trim().to_owned();
            }
        };
        let device = format!("{}device", cam.service.url);
        assert!(said.contains(&format!("open this address on any device:\n  {device}\n")), "{said}");
        let mut visitor = Visitor::new();
        let page = visitor.sign_in(&device, "alice@example.com", &cam.room.password("alice")).unwrap();
        let form = page.form_with("user_code").unwrap();
        let wrong = visitor.submit(&page, &form, &[("user_code", "BBBB-BBBB")]).unwrap();
        assert_eq!(wrong.status, 422);
        // People type it as they like.
        let page = visitor.submit(&page, &form, &[("user_code", &typed.to_lowercase().replace('-', " "))]).unwrap();
        assert!(page.body.contains("saml2cloud ("), "the page says which machine asks: {}", page.body);
        let form = page.form_with("decision").unwrap();
        assert_eq!(visitor.submit(&page, &form, &[("decision", says)]).unwrap().status, 200);
        lines.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(exits), "{said}");
    }
    assert_eq!(cam.tabs(), 0);
}

#[test]
fn who_is_not_in_the_pool_gets_nothing_and_who_has_no_role_is_told() {
    let cam = Cam::new();
    let done = cam.call_as("exec -a cam --cloud aws -- true", "heidi allow").run().exits(3);
    done.says(&["error: the identity provider grants you no role"]);
    cam.call("logout -a cam --cloud aws").run().exits(0);
    // The company vouches for her, and the service does not know her: the browser shows the reason, and nothing comes back.
    let mut visitor = Visitor::new();
    let erin = cam.room.sandbox.directory().person("erin@example.com").unwrap().clone();
    let page = visitor.sign_in(&cam.service.url, &erin.email, &erin.password).unwrap();
    assert!(page.status == 403 && page.body.contains("E-erin"), "{} {}", page.status, page.body);
}

#[test]
fn a_person_who_is_barred_is_out_at_once() {
    let cam = Cam::new();
    cam.call_as("exec -a cam --cloud aws -- true", "bob allow").run().exits(0);
    on_store(&cam.service, async |store| {
        let mut tx = store.begin(now()).await.unwrap();
        let bob = users::by_gid(&mut tx, &Gid::parse("E-bob").unwrap()).await.unwrap().unwrap();
        tx.set_status(&bob.id, bob.version, Status::Disabled).await.unwrap();
        tx.commit(&event()).await.unwrap();
    });
    let done = cam.call("exec -a cam --cloud aws --force --no-input -- true").run().exits(4);
    done.says(&["no sign-in is begun without you"]);
    // Nor does the company's word let him in.
    let mut visitor = Visitor::new();
    let page = visitor.sign_in(&cam.service.url, "bob@example.com", &cam.room.password("bob")).unwrap();
    assert_eq!(page.status, 403, "{}", page.body);
}

#[test]
fn signing_out_ends_the_token_and_not_the_keys() {
    let cam = Cam::new();
    cam.call("exec -a cam --cloud aws --role Admin -- true").run().exits(0);
    let done = cam.call("logout -a cam --cloud aws").run().exits(0);
    done.says(&["Signed out of cam at 127.0.0.1.", "note: keys that were handed out stay good until they end, at "]);
    cam.call("exec -a cam --cloud aws --role Admin --no-input -- true").run().exits(4);
    cam.call("exec -a cam --cloud aws --role Admin -- true").run().exits(0);
    assert_eq!(cam.tabs(), 2);
}

#[test]
fn how_long_keys_last_is_limited_by_the_role_and_told() {
    let cam = Cam::new();
    cam.vending(|vending| vending.max_session = SessionDuration::try_from(1800).ok());
    let done = cam.call("login -a cam --cloud aws --role Admin --session-duration 1h").run().exits(0);
    done.says(&["note: these keys last 30 minutes and not 60: the role, its account or your own membership allows no more"]);
    assert_eq!(cam.room.lifetime(), 1800);
}

#[test]
fn a_command_line_asks_the_cloud_itself_where_the_service_has_no_way_there() {
    let cam = Cam::built("", Service::without_egress);
    let done = cam.call("exec -a cam --cloud aws --role Admin -- true").run().exits(1);
    done.says(&["refused: cloud_error: \"unreachable"]);
    cam.vending(|vending| vending.client_exchange = true);
    cam.room.sandbox.clear_requests();
    let done = cam.call("login -a cam --cloud aws --role Admin").run().exits(0);
    done.says(&[
        "Requesting AWS credentials using your sign-in",
        "Requesting AWS credentials using SAML assertion",
        "Logged in as: arn:aws:sts::012345678987:assumed-role/Admin/E-alice",
    ]);
    assert_eq!(cam.room.requests(), ["POST sts.amazonaws.com/"], "nobody else asked a cloud");
    let asked = cam.room.sandbox.requests().remove(0).params;
    assert!(asked.contains(&"SAMLAssertion".to_owned()), "{asked:?}");
    let alice = async |store: &Store| {
        let mut conn = store.read().await.unwrap();
        let alice = users::by_gid(&mut conn, &Gid::parse("E-alice").unwrap()).await.unwrap().unwrap().id;
        vends::by_user(&mut conn, &alice, i64::MAX, 1).await.unwrap().remove(0)
    };
    let line = on_store(&cam.service, alice);
    assert_eq!((line.outcome.word(), line.access_key_id), ("issued", None));
    // Where the account or the person says, as with every provider; and at the other cloud.
    for (cloud, wish, host, whose) in [
        (
            AWS,
            "aws --role Reader --region eu-west-1",
            "sts.eu-west-1.amazonaws.com",
            "arn:aws:sts::012345678987:assumed-role/Reader/E-alice",
        ),
        (ALIBABA, "alibaba", "sts.aliyuncs.com", "acs:ram::1000000000000001:assumed-role/lab/E-alice"),
    ] {
        let call = cam.call(&format!("exec -a cam --cloud {wish} -- env"));
        assert_eq!((cam.whose(call, cloud).as_str(), cam.room.asked(host)), (whose, 1));
    }
    // Not for longer than the service grants, whatever is asked for.
    cam.vending(|vending| vending.max_session = SessionDuration::try_from(1800).ok());
    let done = cam.call("login -a cam --cloud aws --role Admin --session-duration 1h --force").run().exits(0);
    done.says(&["note: these keys last 30 minutes and not 60: the role, its account or your own membership allows no more"]);
    // Nobody could be held to a session policy.
    cam.room.write("limit.json", r#"{"Version":"2012-10-17","Statement":[]}"#);
    cam.room.sandbox.clear_requests();
    let call = cam.call("login -a cam --cloud aws --role Admin --force").var("SAML2CLOUD_POLICY_FILE", "limit.json");
    call.run().exits(3).says(&[
        "refused: client_exchange: \"",
        "cannot be limited by a session policy",
        "leave the session policy out",
    ]);
    assert!(cam.room.requests().is_empty());
    assert_eq!(cam.tabs(), 1);
}

#[test]
fn a_role_of_high_risk_wants_a_new_proof_of_who_one_is() {
    let cam = Cam::with("\n[session]\nstep_up_minutes = 5\n");
    on_store(&cam.service, async |store| {
        let mut tx = store.begin(now()).await.unwrap();
        let alice = users::by_gid(&mut tx, &Gid::parse("E-alice").unwrap()).await.unwrap().unwrap().id;
        let root = nodes::root(&mut tx).await.unwrap().unwrap();
        let children = nodes::children(&mut tx, &root.id, ("", ""), 10).await.unwrap();
        let shop = children.into_iter().find(|node| node.name.as_str() == "生产 shop").unwrap();
        let arn = RoleArn::parse(&format!("arn:aws:iam::{GUIDE}:role/Root")).unwrap();
        let mut new = NewRole::new(Class::System, arn, shop.kind.account().unwrap()).unwrap();
        new.risk = Risk::High;
        let role = tx.add_role(&shop.id, &new).await.unwrap();
        tx.join(&role.group, &alice, Membership { source: Source::Manual, by: None, ends: None, reason: "" }).await.unwrap();
        tx.commit(&event()).await.unwrap();
    });
    // She signed in at the company long ago.
    cam.room.sandbox.age_corporate(3600);
    cam.call("exec -a cam --cloud aws --role Reader -- true").run().exits(0);
    cam.room.sandbox.age_corporate(0);
    let done = cam.call("exec -a cam --cloud aws --role Root -- true").run().exits(3);
    // Then there is a rule that a new proof does not meet.
    done.says(&["127.0.0.1 wants you to sign in again for this", "refused: consent_required", "second person"]);
    assert_eq!(cam.tabs(), 2);
    let notes = cam.notes();
    assert!(notes[3].ends_with("/callback"), "{notes:?}");
    // The new token is as good for the rest, and as new.
    let done = cam.call("exec -a cam --cloud aws --role Root --force -- true").run().exits(3);
    done.does_not_say("wants you to sign in again");
    assert_eq!(cam.tabs(), 2);
}

#[test]
fn a_service_that_is_down_is_told_and_what_is_cached_goes_on() {
    let mut cam = Cam::new();
    cam.call("exec -a cam --cloud aws --role Admin -- true").run().exits(0);
    assert!(cam.service.stop(), "it ends when it is told to");
    cam.call("exec -a cam --cloud aws --role Admin -- true").run().exits(0);
    let done = cam.call("exec -a cam --cloud aws --role Reader -- true").run().exits(5);
    done.says(&["error: ", "127.0.0.1"]);
}

#[test]
fn the_first_page_signs_in_to_the_console_of_a_cloud() {
    let cam = Cam::new();
    let mut visitor = Visitor::new();
    let page = visitor.sign_in(&cam.service.url, "alice@example.com", &cam.room.password("alice")).unwrap();
    assert!(page.status == 200 && page.body.contains("生产 shop") && page.body.contains("Admin"), "{}", page.body);
    let consoles: Vec<_> = page.forms().into_iter().filter(|form| form.action.ends_with("/sso")).collect();
    assert_eq!(consoles.len(), 3);
    for form in &consoles {
        let posting = visitor.submit(&page, form, &[]).unwrap();
        let form = posting.form_with("SAMLResponse").unwrap();
        assert!(form.action.contains("/cloud/signin.a"), "{}", form.action);
        // One role, so the cloud asks nothing more; the console itself is not on this machine.
        let end = visitor.submit(&posting, &form, &[]).unwrap();
        assert!(end.status == 302 || end.status == 200, "{} {}", end.status, end.body);
        // The same response again is refused.
        assert_eq!(visitor.submit(&posting, &form, &[]).unwrap().status, 400);
    }
    cam.room.sandbox.clear_violations();
}

/// The program of a cloud's own: it finds keys where it always looks.
#[test]
fn the_keys_are_good_for_a_client_of_the_clouds_own() {
    let aws = std::path::Path::new("/usr/bin/aws");
    if !aws.is_file() {
        return;
    }
    let cam = Cam::new();
    let call = cam.call("exec -a cam --cloud aws --role Admin --region us-east-1 -- /usr/bin/aws sts get-caller-identity");
    let output: std::process::Output = Command::output(&mut call.command()).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("assumed-role/Admin/E-alice"), "{said}");
}
