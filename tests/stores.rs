//! One contract for every file of profiles: the same cases run against AWS's INI and Alibaba Cloud's JSON. What differs is given as
//! data: the text of files, before and after.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the tests look at real files")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use saml2cloud::cloud::{self, Store, StoreError};
use saml2cloud::types::{
    CloudId, Credentials, PortalKind, PortalSession, PortalToken, ProfileName, Region, Role, RoleArn, Timestamp, WebUrl,
};
use saml2cloud::world::{Env, Paths};

/// A store in a home of its own.
struct Place {
    home: tempfile::TempDir,
    store: Box<dyn Store>,
    cloud: CloudId,
}

fn place(cloud: CloudId) -> Place {
    let home = tempfile::tempdir().unwrap();
    let store = cloud::find(cloud).profiles(&Paths::below(home.path()), &Env::default(), None);
    Place { home, store, cloud }
}

impl Place {
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn text(&self) -> String {
        fs::read_to_string(self.store.path()).unwrap()
    }

    fn role(&self) -> RoleArn {
        RoleArn::parse(match self.cloud {
            CloudId::Aws => "arn:aws:iam::123456789012:role/team/Admin",
            CloudId::Alibaba => "acs:ram::1234567890123456:role/admin",
        })
        .unwrap()
    }

    fn credentials(&self, number: u32) -> Credentials {
        let issued = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        Credentials {
            key_id: format!("KEY{number}"),
            secret: format!("secret#;{number}=\"'`").as_str().into(),
            token: format!("token+/={number}").as_str().into(),
            expires: issued.after(Duration::from_secs(3600)),
            issued,
            role: self.role().into(),
            assumed: match self.cloud {
                CloudId::Aws => "arn:aws:sts::123456789012:assumed-role/Admin/me@example.com".to_owned(),
                CloudId::Alibaba => "acs:ram::1234567890123456:assumed-role/admin/me".to_owned(),
            },
            home_region: (self.cloud == CloudId::Alibaba).then(|| Region::parse("ap-southeast-1").unwrap()),
        }
    }

    fn holds(&self, profile: &str, key_id: &str) -> bool {
        self.store.look(&name(profile)).key_id.as_deref() == Some(key_id)
    }

    /// Credentials of a portal's role, with the session that gave them.
    fn put_session(&self, profile: &str, at: &str) -> Result<(), StoreError> {
        let role = Role::parse("1234567890123456/Admin").unwrap();
        let credentials = Credentials { assumed: role.to_string(), role, ..self.credentials(1) };
        let token = PortalToken {
            kind: PortalKind::Cloud,
            access: "access token".into(),
            start: WebUrl::parse(at).unwrap(),
            region: None,
            expires: credentials.issued.after(Duration::from_secs(1800)),
        };
        let session = PortalSession { token, role_id: "ac-00ccule7tadaijxc0001".to_owned() };
        self.store.put_session(&name(profile), &credentials, &session, None, false)
    }

    fn put(&self, profile: &str, number: u32, force: bool) -> Result<(), StoreError> {
        self.store.put(&name(profile), &self.credentials(number), None, force)
    }
}

fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What every store keeps to.
fn contract(cloud: CloudId) {
    // A file that is not there is made, for its owner alone.
    let here = place(cloud);
    assert!(!here.holds("prod", "KEY1"));
    here.store.check(&name("prod")).unwrap();
    here.put("prod", 1, false).unwrap();
    assert!(here.holds("prod", "KEY1") && !here.holds("prod", "KEY2"));
    #[cfg(unix)]
    assert_eq!((mode(here.store.path()), mode(here.store.path().parent().unwrap())), (0o600, 0o700));

    // A profile of ours is replaced, another stays to the byte.
    here.put("dev", 2, false).unwrap();
    let before = here.text();
    here.put("prod", 3, false).unwrap();
    assert!(here.holds("prod", "KEY3") && here.holds("dev", "KEY2"));
    here.put("prod", 1, false).unwrap();
    assert_eq!(here.text(), before, "setting it back gives the same bytes");

    // The region is written when there is one to write, and read back.
    let region = Region::parse("eu-central-1").unwrap();
    here.store.put(&name("prod"), &here.credentials(1), Some(&region), false).unwrap();
    assert_eq!(here.store.look(&name("prod")).region, Some(region.clone()));
    here.put("prod", 4, false).unwrap();
    assert_eq!(here.store.look(&name("prod")).region, Some(region), "and not taken away again");

    // A link stays a link.
    #[cfg(unix)]
    {
        let there = place(cloud);
        let real = there.write("elsewhere/real", "");
        fs::create_dir_all(there.store.path().parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&real, there.store.path()).unwrap();
        there.put("prod", 1, false).unwrap();
        assert!(fs::symlink_metadata(there.store.path()).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains("KEY1"));
    }
}

#[test]
fn aws_keeps_the_contract() {
    contract(CloudId::Aws);
}

#[test]
fn alibaba_keeps_the_contract() {
    contract(CloudId::Alibaba);
}

/// Runs every folder of golden files: `before`, `after`, which profile is written, and at which portal if it is to hold a session.
fn golden(cloud: CloudId, folder: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profile").join(folder);
    let mut cases = 0;
    for case in fs::read_dir(&root).unwrap() {
        let case = case.unwrap().path();
        let here = place(cloud);
        let read =
            |file: &str| fs::read_to_string(case.join(file)).unwrap_or_else(|e| panic!("{}: {e}", case.join(file).display()));
        fs::create_dir_all(here.store.path().parent().unwrap()).unwrap();
        fs::write(here.store.path(), read("before")).unwrap();
        let profile = read("profile");
        let put = match case.join("session").exists() {
            true => here.put_session(profile.trim(), read("session").trim()),
            false => here.put(profile.trim(), 1, false),
        };
        put.unwrap_or_else(|e| panic!("{}: {e}", case.display()));
        // The expiry is written in the machine's zone for AWS; the golden file has a word for it.
        let text = here.text().replace(&here.credentials(1).expires.local_rfc3339(), "EXPIRES");
        assert_eq!(text, read("after"), "{}", case.display());
        cases += 1;
    }
    assert!(cases > 0, "no case in {}", root.display());
}

#[test]
fn aws_golden_files() {
    golden(CloudId::Aws, "aws");
}

#[test]
fn alibaba_golden_files() {
    golden(CloudId::Alibaba, "alibaba");
}

/// Files in which the profile is somebody else's work.
#[test]
fn a_profile_that_is_not_ours_is_not_overwritten() {
    let aws: &[(&str, &str)] = &[
        (".aws/credentials", "[prod]\naws_access_key_id = AKIA\naws_secret_access_key = x\n"),
        (".aws/credentials", "[prod]\ncredential_process = /bin/x\n"),
        (".aws/credentials", "[prod]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = b\n"),
        (".aws/config", "[profile prod]\nsso_session = corp\n"),
        (".aws/config", "[profile \"prod\"]\nsso_start_url = https://x\n"),
        (".aws/config", "[profile prod]\ncredential_process = /bin/x\n"),
        (".aws/config", "[profile  prod]\nrole_arn = arn:aws:iam::1:role/a\n"),
    ];
    let alibaba: &[(&str, &str)] = &[
        (
            ".aliyun/config.json",
            r#"{"current":"prod","profiles":[{"name":"prod","mode":"AK","access_key_id":"LTAI","access_key_secret":"x"}]}"#,
        ),
        (".aliyun/config.json", r#"{"current":"prod","profiles":[{"name":"prod","mode":"OIDC","oidc_token_file":"f"}]}"#),
        (".aliyun/config.json", r#"{"current":"prod","profiles":[{"name":"prod","mode":"External","process_command":"x"}]}"#),
    ];
    for (cloud, cases) in [(CloudId::Aws, aws), (CloudId::Alibaba, alibaba)] {
        for (file, text) in cases {
            let here = place(cloud);
            let path = here.write(file, text);
            assert!(matches!(here.store.check(&name("prod")), Err(StoreError::NotOurs { .. })), "{text}");
            assert!(matches!(here.put("prod", 1, false), Err(StoreError::NotOurs { .. })), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), *text);
            here.store.check(&name("other")).unwrap();
            here.put("prod", 1, true).unwrap();
            assert!(here.holds("prod", "KEY1"), "{text}");
        }
    }
    // What looks alike and is ours, or nobody's.
    for (cloud, file, text) in [
        (
            CloudId::Aws,
            ".aws/credentials",
            "[prod]\naws_access_key_id = ASIA\naws_secret_access_key = x\naws_session_token = t\n",
        ),
        (CloudId::Aws, ".aws/config", "[prod]\nsso_session = a section that no tool reads\n[profile prod]\nregion = eu-west-1\n"),
        (
            CloudId::Alibaba,
            ".aliyun/config.json",
            r#"{"current":"prod","profiles":[{"name":"prod","mode":"AK","access_key_id":""}]}"#,
        ),
        (
            CloudId::Alibaba,
            ".aliyun/config.json",
            r#"{"current":"prod","profiles":[{"name":"prod","mode":"StsToken","access_key_id":"STS.x"}]}"#,
        ),
        (CloudId::Alibaba, ".aliyun/config.json", "[prod]\n"),
    ] {
        let here = place(cloud);
        here.write(file, text);
        here.put("prod", 1, false).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
}

#[test]
fn forcing_leaves_no_second_source_of_credentials_behind() {
    let here = place(CloudId::Alibaba);
    here.write(".aliyun/config.json", r#"{"current":"p","profiles":[{"name":"p","mode":"External","process_command":"touch x","region_id":"cn-beijing","mine":1}]}"#);
    here.put("p", 1, true).unwrap();
    let text = here.text();
    assert!(!text.contains("process_command") && text.contains("cn-beijing") && text.contains("mine"), "{text}");
}

#[test]
fn a_broken_file_is_left_alone() {
    let here = place(CloudId::Alibaba);
    for text in ["{", "[]", "{\"profiles\": 1}", "null", "{\"profiles\":[{\"name\":\"prod\",\"mode\":\"StsToken\",}]}"] {
        let path = here.write(".aliyun/config.json", text);
        assert!(matches!(here.put("prod", 1, true), Err(StoreError::Broken { .. })), "{text}");
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }
}

const PORTAL: &str = "https://signin-cn-shanghai.alibabacloudsso.com/acme/login";

#[test]
fn a_session_goes_where_one_of_the_same_portal_was() {
    let profile = |more: &str| format!(r#"{{"current":"p","profiles":[{{"name":"p",{more}}}]}}"#);
    for (more, is_ours) in [
        (r#""mode":"StsToken","access_key_id":"STS.x""#.to_owned(), true),
        (format!(r#""mode":"CloudSSO","cloud_sso_sign_in_url":"{PORTAL}""#), true),
        (format!(r#""mode":"CloudSSO","cloud_sso_sign_in_url":"{PORTAL}/""#), true),
        (
            r#""mode":"CloudSSO","cloud_sso_sign_in_url":"https://signin-cn-shanghai.alibabacloudsso.com/x/login""#.to_owned(),
            false,
        ),
        (r#""mode":"CloudSSO""#.to_owned(), false),
        (format!(r#""mode":"OAuth","cloud_sso_sign_in_url":"{PORTAL}""#), false),
        (r#""mode":"AK","access_key_id":"LTAI""#.to_owned(), false),
    ] {
        let here = place(CloudId::Alibaba);
        let text = profile(&more);
        here.write(".aliyun/config.json", &text);
        let at = WebUrl::parse(PORTAL).unwrap();
        assert_eq!(here.store.check_session(&name("p"), &at).is_ok(), is_ours, "{more}");
        assert_eq!(here.put_session("p", PORTAL).is_ok(), is_ours, "{more}");
        assert_eq!(here.text() == text, !is_ours, "{more}");
        if is_ours {
            let until = here.credentials(1).issued.after(Duration::from_secs(1800));
            assert_eq!(here.store.look(&name("p")).session_until, Some(until));
        }
        // Keys alone do not go where a session is.
        assert!(here.put("p", 2, false).is_err(), "{more}");
    }
}

#[test]
fn a_session_is_taken_out_and_nothing_else() {
    let here = place(CloudId::Alibaba);
    let at = WebUrl::parse(PORTAL).unwrap();
    // Nothing is made where nothing was.
    here.store.forget_session(&name("p"), &at).unwrap();
    assert!(!here.store.path().exists());
    here.put("other", 1, false).unwrap();
    here.put_session("p", PORTAL).unwrap();
    let before = here.text();
    here.store.forget_session(&name("other"), &at).unwrap();
    here.store
        .forget_session(&name("p"), &WebUrl::parse("https://signin-cn-shanghai.alibabacloudsso.com/x/login").unwrap())
        .unwrap();
    assert_eq!(here.text(), before);
    here.store.forget_session(&name("p"), &at).unwrap();
    let after = before
        .replace("\t\t\t\"access_token\": \"access token\",\n", "")
        .replace(",\n\t\t\t\"cloud_sso_access_token_expire\": 1767227400", "");
    assert_ne!(after, before);
    assert_eq!(here.text(), after);
    // AWS's tools keep sessions elsewhere: only the credentials are written.
    let aws = place(CloudId::Aws);
    aws.put_session("p", PORTAL).unwrap();
    aws.store.forget_session(&name("p"), &at).unwrap();
    assert!(aws.holds("p", "KEY1") && !aws.text().contains("access token"));
}

#[test]
fn a_profile_is_a_source_only_when_it_says_whose_keys_it_holds() {
    let here = place(CloudId::Aws);
    here.put("prod", 1, false).unwrap();
    let role = |text| RoleArn::parse(text).unwrap();
    let read = here.store.get(&name("prod"), &here.role()).unwrap().unwrap();
    assert_eq!((read.key_id.as_str(), read.expires), ("KEY1", here.credentials(1).expires));
    for other in ["arn:aws:iam::123456789012:role/Admi", "arn:aws:iam::1:role/Admin", "arn:aws-cn:iam::123456789012:role/Admin"] {
        assert_eq!(here.store.get(&name("prod"), &role(other)).unwrap(), None, "{other}");
    }
    here.write(".aws/credentials", "[prod]\naws_access_key_id = AKIA\naws_secret_access_key = x\n");
    assert_eq!(here.store.get(&name("prod"), &here.role()).unwrap(), None);
}
