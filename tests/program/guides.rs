//! The guides that users of the old tools have in their hands, walked through under the old tool's name at a terminal: what is typed,
//! and every line that is shown. Where a line differs from the guide's, it says so here, and docs/migration.md says why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::pty::{ENTER, Pty};
use crate::support::{ALIBABA, AWS, BIN, CLOUDS, Cloud, Room};

const USER: &str = "alice@example.com";

/// What the guides do not say alike: the identity provider's word, address, and questions after the password.
#[derive(Clone, Copy)]
struct Provider {
    word: &'static str,
    /// What its second factor adds: a line before the question, if any, and the question.
    says: &'static str,
    asks: &'static str,
}

const JUMPCLOUD: Provider = Provider { word: "JumpCloud", says: "", asks: "MFA Token" };
const OKTA: Provider = Provider { word: "Okta", says: "", asks: "Security Token [000000]" };
const ADFS: Provider = Provider { word: "ADFS", says: "We are about to verify your account.\n", asks: "Security Token" };
const PROVIDERS: [Provider; 3] = [JUMPCLOUD, OKTA, ADFS];

impl Provider {
    fn url(self, cloud: Cloud) -> String {
        match self.word {
            "JumpCloud" => format!("https://sso.jumpcloud.com/saml2/{}", cloud.app),
            "Okta" => format!("https://acme.okta.com/home/acme_{}/0oa1/272", cloud.word),
            _ => "https://fs.acme.example/adfs/ls/idpinitiatedsignon.aspx".to_owned(),
        }
    }
}

/// A room with the program under the cloud's old name.
struct Desk {
    room: Room,
    cloud: Cloud,
    provider: Provider,
    program: PathBuf,
}

impl Desk {
    fn new(cloud: Cloud, provider: Provider) -> Self {
        let room = Room::new();
        let program = room.outside(if cloud.word == "aws" { "saml2aws" } else { "saml2alibabacloud" });
        std::os::unix::fs::symlink(BIN, &program).unwrap();
        Self { room, cloud, provider, program }
    }

    /// Types a command line, answers what is asked, and gives what the screen shows in the end.
    #[track_caller]
    fn shows(&self, line: &str, answers: &[(&str, &str)]) -> String {
        let mut pty = Pty::start(&self.room, &self.room.call(line).named(&self.program), false);
        for (question, answer) in answers {
            pty.asks(&format!("? {question} ")).types(answer).types(ENTER);
        }
        let ended = pty.ends();
        assert_eq!((ended.code, ended.is_sane), (0, true), "{line}\n{}", ended.shown);
        ended.screen().iter().map(|line| timeless(line) + "\n").collect()
    }

    /// Types a command line into a shell's pipe, and gives what came out.
    #[track_caller]
    fn prints(&self, line: &str) -> String {
        let done = self.room.call(line).named(&self.program).shows_keys().run().exits(0);
        assert_eq!(done.stderr, "", "{line}");
        done.stdout
    }

    /// `configure` as the guide has it, and then its profile put into the file by hand, as the guide has it too.
    fn configure(&self) {
        let Self { cloud, provider, .. } = self;
        let url = provider.url(*cloud);
        let line = format!(
            "configure --idp-account=production --idp-provider={} --mfa=Auto --url={url} --username={USER} --role={} --skip-prompt",
            provider.word, cloud.role
        );
        let shown = format!(
            "\naccount {{\n  URL: {url}\n  Username: {USER}\n  Provider: {}\n  MFA: Auto\n  SkipVerify: false\n  SessionDuration:\n  \
             Profile: saml\n  RoleARN: {}\n  Region:\n}}\n\nConfiguration saved for IDP account: production\n",
            provider.word, cloud.role
        );
        let trimmed: String = self.shows(&line, &[]).lines().map(|line| format!("{}\n", line.trim_end())).collect();
        assert_eq!(trimmed, shown);
        let text = self.room.read(cloud.accounts);
        let edited = text.replace(&format!("{} = \"saml\"", cloud.profile_key), &format!("{} = production", cloud.profile_key));
        assert_ne!(edited, text);
        self.room.write(cloud.accounts, &edited);
    }

    /// The guide's login; its answers are the ones that are shown.
    fn login(&self, line: &str, asks_name: bool) {
        let Self { room, cloud, provider, .. } = self;
        let (password, code) = (room.password("alice"), room.code("alice"));
        let mut answers = vec![("Password", password.as_str()), (provider.asks, code.as_str())];
        if asks_name {
            answers.insert(0, ("Username", USER));
        }
        // Differs: a name that the account has is not asked for.
        let name = if asks_name { format!("? Username {USER}\n") } else { String::new() };
        let (word, url, role) = (provider.word, provider.url(*cloud), cloud.role);
        let (title, place, session, hint) = match cloud.word {
            "aws" => (
                "AWS",
                "AWS configuration",
                // Differs: the session's name is the cloud's.
                role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/"),
                "To use this credential, call the AWS CLI with the --profile option (e.g. aws --profile production ec2 \
                 describe-instances).\n",
            ),
            _ => (
                "AlibabaCloud",
                "AlibabaCloud CLI configuration",
                role.replace(":role/", ":assumed-role/"),
                // Differs: the hint names the account's profile; the last line is new.
                "To use this credential, call the AlibabaCloud CLI with the --profile option (e.g. aliyun --profile production sts \
                 GetCallerIdentity --region=cn-hangzhou).\nThe account names no region; a profile without one gets cn-hangzhou.\n",
            ),
        };
        // Differs: stars do not tell a password's length; and the end of the keys is there for Alibaba Cloud too.
        let shown = format!(
            "Using IDP Account production to access {word} {url}\n\
             To use saved password just hit enter.\n\
             {name}? Password **********\n\
             Authenticating as {USER} ...\n\
             {}? {} {code}\n\
             Selected role: {role}\n\
             Requesting {title} credentials using SAML assertion\n\
             Logged in as: {session}/{USER}\n\
             Your new access key pair has been stored in the {place}\n\
             Note that it will expire at TIME\n\
             {hint}",
            provider.says, provider.asks
        );
        assert_eq!(self.shows(line, &answers), shown);
    }

    /// The keys that the profile holds: ID, secret, session token.
    fn keys(&self) -> [String; 3] {
        match self.cloud.word {
            "aws" => {
                let profile = self.room.aws_profile("production");
                ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"].map(|key| profile[key].clone())
            }
            _ => {
                let profile = self.room.alibaba_profile("production");
                ["access_key_id", "access_key_secret", "sts_token"].map(|key| profile[key].as_str().unwrap().to_owned())
            }
        }
    }
}

/// A line with the time in it put away, once it has the guide's form.
fn timeless(line: &str) -> String {
    let before = "Note that it will expire at ";
    let Some(time) = line.strip_prefix(before) else { return line.to_owned() };
    let form: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(form, "9999-99-99 99:99:99 +9999 UTC");
    format!("{before}TIME")
}

/// The variables that `… -- env | grep WORD` shows, but for the box's own.
fn grep<'t>(text: &'t str, word: &str) -> BTreeMap<&'t str, &'t str> {
    let lines = text.lines().filter(|line| line.contains(word) && !line.starts_with("AWS_CA_BUNDLE="));
    lines.map(|line| line.split_once('=').unwrap()).collect()
}

#[test]
fn configure_and_login_show_the_guides_lines() {
    for provider in PROVIDERS {
        for cloud in CLOUDS {
            let desk = Desk::new(cloud, provider);
            desk.configure();
            desk.login("login -a production", false);
            // Once more costs nothing, and says so.
            desk.room.sandbox.clear_requests();
            let again = desk.shows("login -a production", &[]);
            let until = format!("The keys of {} in profile production are good until ", cloud.role);
            assert!(again.starts_with(&until) && again.ends_with(" UTC; --force signs in again.\n"), "{again}");
            assert_eq!((again.lines().count(), desk.room.requests().len()), (1, 0));
        }
    }
}

#[test]
fn a_name_that_is_not_known_is_asked_for_where_the_guide_has_it() {
    for provider in PROVIDERS {
        for cloud in CLOUDS {
            let desk = Desk::new(cloud, provider);
            desk.configure();
            let text = desk.room.read(cloud.accounts);
            let nameless: String =
                text.lines().filter(|line| !line.starts_with("username")).map(|line| format!("{line}\n")).collect();
            desk.room.write(cloud.accounts, &nameless);
            desk.login("login -a production", true);
        }
    }
}

#[test]
fn exec_hands_on_what_the_guides_grep_for() {
    for provider in PROVIDERS {
        let desk = Desk::new(AWS, provider);
        desk.configure();
        desk.login("login -a production", false);
        let [id, secret, token] = desk.keys();
        let text = desk.prints("exec -a production -- env");
        let mut shown = grep(&text, "AWS");
        let end = shown.remove("AWS_CREDENTIAL_EXPIRATION").unwrap();
        assert!(end.len() == 20 && end.ends_with('Z'), "{end}");
        let expected = [
            ("AWS_ACCESS_KEY_ID", id.as_str()),
            ("AWS_DEFAULT_PROFILE", "production"),
            ("AWS_PROFILE", "production"),
            ("AWS_SECRET_ACCESS_KEY", &secret),
            ("AWS_SECURITY_TOKEN", &token),
            ("AWS_SESSION_TOKEN", &token),
        ];
        assert_eq!(shown, BTreeMap::from(expected));

        let desk = Desk::new(ALIBABA, provider);
        desk.configure();
        desk.login("login -a production", false);
        let [id, secret, token] = desk.keys();
        let text = desk.prints("exec -a production -- env");
        let mut expected = BTreeMap::new();
        for start in ["ALIBABA_CLOUD", "ALIBABACLOUD", "ALICLOUD"] {
            let values = [
                ("ACCESS_KEY_ID", id.as_str()),
                ("ACCESS_KEY_SECRET", &secret),
                ("SECURITY_TOKEN", &token),
                ("REGION_ID", "cn-hangzhou"),
                ("PROFILE", "production"),
            ];
            expected.extend(values.map(|(name, value)| (format!("{start}_{name}"), value)));
        }
        // Names of the old tool and of Terraform's provider, and two that other SDKs read.
        let values = [("ALICLOUD_ACCESS_KEY", id.as_str()), ("ALICLOUD_SECRET_KEY", &secret), ("ALICLOUD_REGION", "cn-hangzhou")];
        expected.extend(values.map(|(name, value)| (name.to_owned(), value)));
        expected.extend(["REGION", "DEFAULT_REGION"].map(|name| (format!("ALIBABA_CLOUD_{name}"), "cn-hangzhou")));
        let shown: BTreeMap<String, &str> =
            grep(&text, "ALI").into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(shown, expected);
    }
}

#[test]
fn exec_signs_in_with_the_guides_questions_where_there_are_no_keys() {
    for cloud in CLOUDS {
        let desk = Desk::new(cloud, JUMPCLOUD);
        desk.configure();
        let (password, code) = (desk.room.password("alice"), desk.room.code("alice"));
        let answers = [("Password", password.as_str()), ("MFA Token", code.as_str())];
        let title = if cloud.word == "aws" { "AWS" } else { "AlibabaCloud" };
        let shown = desk.shows("exec -a production -- echo the command", &answers);
        let expected = format!(
            "Using IDP Account production to access JumpCloud {}\nTo use saved password just hit enter.\n? Password **********\n\
             Authenticating as {USER} ...\n? MFA Token {code}\nSelected role: {}\nRequesting {title} credentials using SAML \
             assertion\nthe command\n",
            JUMPCLOUD.url(cloud),
            cloud.role
        );
        assert_eq!(shown, expected);
    }
}

#[test]
fn script_prints_the_old_lines() {
    for provider in PROVIDERS {
        for cloud in CLOUDS {
            let desk = Desk::new(cloud, provider);
            desk.configure();
            desk.login("login -a production", false);
            let [id, secret, token] = desk.keys();
            let printed = desk.prints("script -a production");
            let lines = match cloud.word {
                "aws" => {
                    let end = desk.room.aws_profile("production")["x_security_token_expires"].clone();
                    format!(
                        // Differs: the last line is new, and says that the profile is no wish of a person.
                        "export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY={secret}\nexport AWS_SESSION_TOKEN={token}\n\
                         export AWS_SECURITY_TOKEN={token}\nexport SAML2AWS_PROFILE=production\n\
                         export AWS_CREDENTIAL_EXPIRATION={end}\n\
                         export SAML2CLOUD_SCRIPT_PROFILE=production\n"
                    )
                }
                // Differs: quotes around nothing; the last two lines are new.
                _ => format!(
                    "export ALIBABA_CLOUD_ACCESS_KEY_ID={id}\nexport ALIBABA_CLOUD_ACCESS_KEY_SECRET={secret}\n\
                     export ALIBABA_CLOUD_SESSION_TOKEN=''\nexport ALIBABA_CLOUD_SECURITY_TOKEN={token}\n\
                     export ALICLOUD_ACCESS_KEY={id}\nexport ALICLOUD_SECRET_KEY={secret}\nexport ALICLOUD_SECURITY_TOKEN={token}\n\
                     export ALICLOUD_PROFILE=production\nexport SAML2ALIBABA_CLOUD_PROFILE=production\n\
                     export ALIBABA_CLOUD_REGION_ID=cn-hangzhou\nexport ALICLOUD_REGION=cn-hangzhou\n"
                ),
            };
            assert_eq!(printed, lines);
        }
    }
}

/// The guide's users of AWS have a configuration of their own; its region is the child's, and the file stays.
#[test]
fn the_guides_own_configuration_of_aws_counts() {
    let text = "[default]\noutput = json\nregion = us-east-1\n[profile production]\nregion = us-east-2\n";
    let desk = Desk::new(AWS, JUMPCLOUD);
    desk.room.write(".aws/config", text);
    desk.configure();
    desk.login("login -a production", false);
    let printed = desk.prints("exec -a production -- env");
    let shown = grep(&printed, "REGION");
    assert_eq!(shown, BTreeMap::from([("AWS_REGION", "us-east-2"), ("AWS_DEFAULT_REGION", "us-east-2")]));
    let printed = desk.prints("script -a production");
    assert!(printed.contains("\nexport AWS_REGION=us-east-2\nexport AWS_DEFAULT_REGION=us-east-2\n"), "{printed}");
    assert_eq!(desk.room.read(".aws/config"), text);
}
