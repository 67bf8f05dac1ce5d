//! Who exists in the box: people of example.com, their second factors and the roles they may take.

use totp_rs::{Builder, Secret, Totp};

/// A role with the identity provider that the cloud account trusts for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// ARN of the role.
    pub role: String,
    /// ARN of the identity provider's entry in the same cloud account.
    pub provider: String,
    /// Longest session that the role allows, in seconds.
    pub max_session: u32,
}

impl Grant {
    /// An AWS role in the partition `aws`, trusted provider `JumpCloud`, sessions up to one hour.
    pub fn aws(account: &str, role: &str) -> Self {
        Self::in_partition("aws", account, role)
    }

    /// An AWS role in a partition such as `aws-cn`.
    pub fn in_partition(partition: &str, account: &str, role: &str) -> Self {
        Self {
            role: format!("arn:{partition}:iam::{account}:role/{role}"),
            provider: format!("arn:{partition}:iam::{account}:saml-provider/JumpCloud"),
            max_session: 3600,
        }
    }

    /// An Alibaba Cloud role, trusted provider `JumpCloud`, sessions up to one hour.
    pub fn alibaba(account: &str, role: &str) -> Self {
        Self {
            role: format!("acs:ram::{account}:role/{role}"),
            provider: format!("acs:ram::{account}:saml-provider/JumpCloud"),
            max_session: 3600,
        }
    }

    /// The same role with another longest session, in seconds.
    pub fn up_to(mut self, seconds: u32) -> Self {
        self.max_session = seconds;
        self
    }

    /// The cloud account that owns the role.
    pub fn account(&self) -> &str {
        // `arn:aws:iam::<account>:…`, but `acs:ram::<account>:…`.
        let part = if self.role.starts_with("acs:") { 3 } else { 4 };
        self.role.split(':').nth(part).unwrap_or_default()
    }

    /// The role's name without its path.
    pub fn role_name(&self) -> &str {
        self.role.rsplit(['/', ':']).next().unwrap_or_default()
    }
}

/// A second factor that a person has enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// A code from an authenticator app.
    Totp,
    /// An approval on a phone.
    Push,
    /// A security key. Offered to the client, but the box cannot check one.
    WebAuthn,
    /// Duo. Offered to the client, but the box has no Duo.
    Duo,
}

/// How a person treats a push message. `after` counts the polls that still find it pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// Approves it.
    Accepted {
        /// Polls that find it pending.
        after: u32,
    },
    /// Denies it; the state becomes `denied`.
    Denied {
        /// Polls that find it pending.
        after: u32,
    },
    /// Denies it; the poll is answered with status 401.
    Refused {
        /// Polls that find it pending.
        after: u32,
    },
    /// Lets it lapse; the state becomes `expired`.
    Expired {
        /// Polls that find it pending.
        after: u32,
    },
    /// Never looks at the phone: pending for ever, with an `expiresAt` that many seconds ahead.
    Never {
        /// Seconds until `expiresAt`.
        seconds: u32,
    },
}

/// A second factor that only Okta knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OktaFactor {
    /// A code of Google Authenticator, from the same secret as the other app's.
    Google,
    /// A code by text message.
    Sms,
    /// A code by e-mail.
    Email,
    /// A code of Symantec VIP, from the same secret too.
    Symantec,
    /// A call. Offered only.
    Call,
    /// A question. Offered only.
    Question,
    /// Okta FastPass. Offered only.
    SignedNonce,
}

/// What stands between a person's password and a session at Okta.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OktaState {
    /// Nothing but second factors.
    #[default]
    Active,
    /// The account is locked.
    LockedOut,
    /// The password has expired.
    PasswordExpired,
    /// The password expires in so many days.
    PasswordWarn {
        /// Days.
        days: u32,
    },
    /// A second factor must be set up.
    MustEnroll,
    /// A second factor may be set up.
    MayEnroll,
    /// No application is for this person.
    NotAssigned,
    /// The password alone gives a session; the applications want a factor.
    AsksMore,
    /// The same, in Okta Identity Engine, which the box does not speak.
    Engine,
}

/// What only Okta knows of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Okta {
    /// Factors beside the person's others.
    pub factors: Vec<OktaFactor>,
    /// What stands between password and session.
    pub state: OktaState,
    /// The number to choose on the phone.
    pub number: Option<u8>,
}

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Address, which is the user name.
    pub email: String,
    /// Password.
    pub password: String,
    /// Secret of the authenticator app, in base32.
    pub totp_secret: Option<String>,
    /// Second factors; none means that the password is enough.
    pub factors: Vec<Factor>,
    /// What happens to push messages.
    pub push: Push,
    /// Roles, of all clouds and partitions.
    pub grants: Vec<Grant>,
    /// Values put into the role attribute as they are, after the roles; for hostile assertions.
    pub stray_role_values: Vec<String>,
    /// Session name in assertions; the address if none.
    pub session_name: Option<String>,
    /// The SessionDuration attribute of assertions, in seconds.
    pub session_duration: Option<u32>,
    /// What only Okta knows.
    pub okta: Okta,
    /// What only AD FS knows.
    pub adfs: crate::Adfs,
}

impl Person {
    /// Somebody with a password, no second factor and no roles.
    pub fn new(email: &str, password: &str) -> Self {
        Self {
            email: email.to_owned(),
            password: password.to_owned(),
            totp_secret: None,
            factors: Vec::new(),
            push: Push::Accepted { after: 1 },
            grants: Vec::new(),
            stray_role_values: Vec::new(),
            session_name: None,
            session_duration: Some(3600),
            okta: Okta::default(),
            adfs: crate::Adfs::default(),
        }
    }

    /// What the company knows this person by.
    pub fn gid(&self) -> String {
        format!("E-{}", self.email.split('@').next().unwrap_or_default())
    }

    /// The same with an authenticator app.
    pub fn with_totp(mut self, secret: &str) -> Self {
        self.totp_secret = Some(secret.to_owned());
        self.factors.push(Factor::Totp);
        self
    }

    /// The same with a phone for push messages.
    pub fn with_push(mut self, push: Push) -> Self {
        self.push = push;
        self.factors.push(Factor::Push);
        self
    }

    /// The same with one more factor.
    pub fn with_factor(mut self, factor: Factor) -> Self {
        self.factors.push(factor);
        self
    }

    /// The same with one more role.
    pub fn with_role(mut self, grant: Grant) -> Self {
        self.grants.push(grant);
        self
    }

    /// The same with a SessionDuration attribute, or none.
    pub fn with_session_duration(mut self, seconds: Option<u32>) -> Self {
        self.session_duration = seconds;
        self
    }

    /// The code that the authenticator app shows at a moment, in seconds since 1970.
    pub fn code_at(&self, seconds: u64) -> Option<String> {
        self.authenticator().map(|totp| totp.generate(seconds).to_string())
    }

    /// Whether a code is right now; the neighbouring steps of 30 seconds count too.
    pub(crate) fn accepts_code(&self, code: &str) -> bool {
        let now = now();
        [now.saturating_sub(30), now, now + 30].iter().any(|moment| self.code_at(*moment).is_some_and(|right| right == code))
    }

    fn authenticator(&self) -> Option<Totp> {
        authenticator(self.totp_secret.as_deref()?)
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default()
}

fn authenticator(secret: &str) -> Option<Totp> {
    let normal: String = secret.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    let secret = Secret::try_from_base32(normal).ok()?;
    // Identity providers hand out 80-bit secrets, which the strict builder refuses.
    Some(Builder::new().with_secret(secret).build_noncompliant())
}

/// The code that an authenticator app with this base32 secret shows now.
pub fn code_of(secret: &str) -> Option<String> {
    authenticator(secret).map(|totp| totp.generate(now()).to_string())
}

/// Everybody in the box, and what the cloud accounts are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    people: Vec<Person>,
    aliases: Vec<(String, String)>,
}

/// The guide's cloud account.
const GUIDE: &str = "012345678987";
/// A second cloud account, without an alias.
const OTHER: &str = "210987654321";

impl Directory {
    /// Nobody at all.
    pub fn empty() -> Self {
        Self { people: Vec::new(), aliases: Vec::new() }
    }

    /// The people of example.com: alice to judy are honest, mallory and trudy are not.
    pub fn example() -> Self {
        let guide = |person: Person| {
            person
                .with_role(Grant::aws(GUIDE, "AcmeJumpCloudAdminRO").up_to(43200))
                .with_role(Grant::alibaba(GUIDE, "AcmeJumpCloudAdminRO").up_to(43200))
        };
        let mut all = Self::empty();
        all.alias(GUIDE, "acme-prod");
        all.put(
            guide(Person::new("alice@example.com", "alice-correct-horse-battery").with_totp("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))
                .with_role(Grant::aws(GUIDE, "AcmeJumpCloudAdmin"))
                .with_role(Grant::aws(OTHER, "Developer"))
                .with_role(Grant::alibaba(GUIDE, "AcmeJumpCloudAdmin"))
                .with_role(Grant::alibaba(OTHER, "Developer")),
        );
        all.put(guide(Person::new("bob@example.com", "bob-only-a-password")));
        all.put(guide(Person::new("carol@example.com", "carol-has-a-phone").with_push(Push::Accepted { after: 2 })));
        all.put(guide(
            // An 80-bit secret, as several identity providers issue.
            Person::new("dave@example.com", "dave-has-both-factors")
                .with_totp("GEZDGNBVGY3TQOJQ")
                .with_push(Push::Accepted { after: 1 }),
        ));
        let pushes = [
            ("erin@example.com", Push::Denied { after: 1 }),
            ("eve@example.com", Push::Refused { after: 1 }),
            ("frank@example.com", Push::Expired { after: 1 }),
            ("grace@example.com", Push::Never { seconds: 3 }),
        ];
        for (email, push) in pushes {
            let name = email.split('@').next().unwrap_or_default();
            all.put(guide(Person::new(email, &format!("{name}-ignores-the-phone")).with_push(push)));
        }
        all.put(Person::new("heidi@example.com", "heidi-has-no-roles"));
        all.put(guide(
            Person::new("ivan@example.com", "ivan-has-a-security-key").with_factor(Factor::WebAuthn).with_factor(Factor::Duo),
        ));
        all.put(
            Person::new("judy@example.com", "judy-works-abroad")
                .with_role(Grant::in_partition("aws-cn", GUIDE, "Developer"))
                .with_role(Grant::in_partition("aws-us-gov", GUIDE, "Developer"))
                .with_role(Grant::aws(GUIDE, "teams/web/Developer"))
                .with_role(Grant::alibaba(GUIDE, "Developer"))
                .with_session_duration(None),
        );
        crate::adfs_pages::people().into_iter().for_each(|person| all.put(person));
        crate::okta_words::people().into_iter().for_each(|person| all.put(person));
        all.put(mallory());
        all.put(trudy());
        all
    }

    /// Adds somebody, in place of whoever has the same address.
    pub fn put(&mut self, person: Person) {
        self.people.retain(|other| other.email != person.email);
        self.people.push(person);
    }

    /// Names a cloud account.
    pub fn alias(&mut self, account: &str, alias: &str) {
        self.aliases.retain(|(other, _)| other != account);
        self.aliases.push((account.to_owned(), alias.to_owned()));
    }

    /// Name of a cloud account.
    pub fn alias_of(&self, account: &str) -> Option<&str> {
        self.aliases.iter().find(|(other, _)| other == account).map(|(_, alias)| alias.as_str())
    }

    /// Somebody, by address; case does not matter.
    pub fn person(&self, email: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.email.eq_ignore_ascii_case(email))
    }

    /// Everybody.
    pub fn people(&self) -> &[Person] {
        &self.people
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::example()
    }
}

/// Roles whose names try to draw on the terminal; all of it is well-formed XML.
fn mallory() -> Person {
    let long = "x".repeat(5000);
    let names = ["Plain", "New\nLogged in as: somebody else", "Csi\u{9b}31mRed", "Turned\u{202e}nimdA", long.as_str()];
    let mut mallory = Person::new("mallory@example.com", "mallory-writes-the-names");
    for name in names {
        mallory = mallory.with_role(Grant::aws(GUIDE, name)).with_role(Grant::alibaba(GUIDE, name));
    }
    mallory.stray_role_values =
        vec!["not a role at all".to_owned(), "arn:aws:iam::1:role/a,arn:aws:iam::1:role/b".to_owned(), String::new()];
    mallory
}

/// Role and session names with terminal escape sequences, as character references that XML forbids.
fn trudy() -> Person {
    let mut trudy = Person::new("trudy@example.com", "trudy-sends-escapes");
    for name in ["Plain", "Esc\u{1b}[31mRed\u{1b}[2J", "Title\u{1b}]0;owned\u{7}"] {
        trudy = trudy.with_role(Grant::aws(GUIDE, name)).with_role(Grant::alibaba(GUIDE, name));
    }
    trudy.session_name = Some("trudy\u{1b}]0;owned\u{7}".to_owned());
    trudy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_rfc_6238() {
        // The RFC's own secret, shown with eight digits there; six digits are its last six.
        let person = Person::new("rfc@example.com", "").with_totp("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(person.code_at(59).as_deref(), Some("287082"));
        assert_eq!(person.code_at(1_111_111_109).as_deref(), Some("081804"));
        assert_eq!(person.code_at(20_000_000_000).as_deref(), Some("353130"));
    }

    #[test]
    fn short_and_untidy_secrets_work() {
        let tidy = code_of("GEZDGNBVGY3TQOJQ");
        assert!(tidy.is_some());
        assert_eq!(code_of("gezd gnbv gy3t qojq"), tidy);
        assert_eq!(code_of("not base32 !1"), None);
    }

    #[test]
    fn parts_of_a_role() {
        let grant = Grant::in_partition("aws-cn", "012345678987", "teams/web/Developer");
        assert_eq!(grant.account(), "012345678987");
        assert_eq!(grant.role_name(), "Developer");
        assert_eq!(Grant::alibaba("1234", "x").account(), "1234");
    }

    #[test]
    fn putting_replaces() {
        let mut all = Directory::example();
        let before = all.people().len();
        all.put(Person::new("alice@example.com", "other"));
        assert_eq!(all.people().len(), before);
        assert_eq!(all.person("ALICE@example.com").map(|p| p.password.as_str()), Some("other"));
    }
}
