//! What a cloud is told about an identity provider, so that it believes it: the provider's entry, and roles that trust it. Printed as
//! infrastructure code for an administrator to read and apply; nothing here changes a cloud.

mod certificate;
mod saml;

pub use certificate::Certificate;
pub use saml::Metadata;

use std::fmt;

use crate::text::hcl;
use crate::types::{SessionDuration, WebUrl};

/// How the code is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A Terraform module.
    Terraform,
    /// A template of Alibaba Cloud's Resource Orchestration Service: the roles, for a provider that is there already.
    RosRole,
    /// The same with the provider, whose Terraform it carries in a nested stack.
    RosStack,
}

/// An identity provider and the roles that trust it.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The name of the provider's entry in the cloud account.
    pub provider: String,
    /// The roles.
    pub roles: Vec<Role>,
    /// The longest session of these roles.
    pub longest: SessionDuration,
    /// How it proves who somebody is.
    pub proof: Proof,
}

/// A role that trusts the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// The cloud's own policies that it gets, by name.
    pub policies: Vec<String>,
}

/// How an identity provider proves who somebody is.
#[derive(Debug, Clone)]
pub enum Proof {
    /// By tokens of OpenID Connect.
    Oidc(Oidc),
    /// By SAML responses.
    Saml {
        /// What it says of itself.
        metadata: Metadata,
        /// Where a response has to be for; empty: the cloud's usual sign-in page.
        recipients: Vec<String>,
    },
}

/// An issuer of tokens, and which of them count.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// The issuer, as the token says it.
    pub issuer: String,
    /// For whom a token has to be.
    pub audiences: Vec<String>,
    /// Whose tokens count; `*` stands for any text within one.
    pub subjects: Vec<String>,
    /// Of the authority behind the issuer's certificate.
    pub fingerprints: Vec<Fingerprint>,
}

/// The SHA-1 digest of a certificate: the clouds' way to name one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

/// What cannot be trusted, or not like that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTrust {
    /// A name that the clouds do not take.
    #[error("`{name}` is no name for {what}: {rule}")]
    Name {
        /// What was given.
        name: String,
        /// What it should name.
        what: &'static str,
        /// What names are made of.
        rule: &'static str,
    },
    /// No role.
    #[error("there is no role that could trust the provider")]
    NoRole,
    /// No audience.
    #[error("without an audience the role would take tokens that were made for somebody else")]
    NoAudience,
    /// No subject, or any.
    #[error("{0}, everybody with a token of this issuer could take the role")]
    AnySubject(String),
    /// An issuer that the clouds do not take.
    #[error("`{issuer}` is no issuer: {why}")]
    Issuer {
        /// What was given.
        issuer: String,
        /// Why it is none.
        why: String,
    },
    /// No fingerprint where one is needed.
    #[error("Alibaba Cloud needs the fingerprint of the authority behind the issuer's certificate")]
    NoFingerprint,
    /// Too many of something.
    #[error("{0}")]
    TooMany(&'static str),
    /// No fingerprint.
    #[error("`{0}` is no fingerprint: it has 40 hexadecimal digits (SHA-1)")]
    Fingerprint(String),
    /// No SAML metadata.
    #[error("this is no metadata of a SAML identity provider: {0}")]
    Metadata(String),
    /// No file.
    #[error("there is no file `{0}`")]
    NoFile(String),
    /// A length that no session has.
    #[error("{0}")]
    Longest(String),
    /// Responses for somebody else.
    #[error("`{recipient}` is no sign-in page of {cloud} for SAML responses")]
    Recipient {
        /// What was given.
        recipient: String,
        /// The cloud.
        cloud: &'static str,
    },
    /// What should be a token.
    #[error("this is no token: {0}")]
    Token(String),
    /// What the cloud was told holds no more.
    #[error("{0} of these would make the cloud refuse")]
    Broken(usize),
    /// A form that a cloud or a kind of provider does not have.
    #[error("{0}")]
    Form(&'static str),
}

impl BadTrust {
    /// What to do, where that is not said by what is wrong.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoAudience => {
                Some("`--audience` says for whom a token has to be; `sts.amazonaws.com` and `sts.aliyuncs.com` are usual")
            }
            Self::AnySubject(_) => {
                Some("`--subject` says whose tokens count, for instance `--subject repo:acme/app:ref:refs/heads/main`")
            }
            Self::NoFingerprint => Some("`--fingerprint` gives it; without it the issuer is asked"),
            _ => None,
        }
    }
}

impl Fingerprint {
    /// Reads 40 hexadecimal digits; colons between them, as `openssl` prints them, do no harm.
    ///
    /// # Errors
    /// [`BadTrust::Fingerprint`].
    pub fn parse(text: &str) -> Result<Self, BadTrust> {
        let digits: String = text.trim().chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect();
        if digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(digits))
        } else {
            Err(BadTrust::Fingerprint(text.escape_debug().to_string()))
        }
    }

    /// Of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate);
        Self(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Forty digits in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Role {
    /// Reads `NAME` or `NAME=POLICY,POLICY`.
    ///
    /// # Errors
    /// [`BadTrust::Name`].
    pub fn parse(text: &str) -> Result<Self, BadTrust> {
        let (name, policies) = text.split_once('=').unwrap_or((text, ""));
        let policies = policies.split(',').map(str::trim).filter(|p| !p.is_empty());
        Ok(Self {
            name: named(name.trim(), "a role", 64)?,
            policies: policies.map(|policy| named(policy, "a policy", 128)).collect::<Result<_, _>>()?,
        })
    }
}

/// A name made of what both clouds take in names of providers, roles and policies.
fn named(name: &str, what: &'static str, longest: usize) -> Result<String, BadTrust> {
    const RULE: &str = "letters, digits, `.`, `_` and `-`, with a letter or digit at both ends, 64 signs (a policy 128) at most";
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inside = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if name.len() <= longest && ends(name.chars().next()) && ends(name.chars().next_back()) && inside {
        Ok(name.to_owned())
    } else {
        Err(BadTrust::Name { name: name.escape_debug().to_string(), what, rule: RULE })
    }
}

impl Oidc {
    /// Checks what both clouds check, and that a role is not open to everybody: a token's issuer says who made it, only audience and
    /// subject say for whom and about whom.
    ///
    /// # Errors
    /// [`BadTrust`].
    pub fn check(
        issuer: &str,
        audiences: &[String],
        subjects: &[String],
        fingerprints: Vec<Fingerprint>,
    ) -> Result<Self, BadTrust> {
        is_issuer(issuer)?;
        let clean =
            |texts: &[String]| -> Vec<String> { texts.iter().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect() };
        let (audiences, subjects) = (clean(audiences), clean(subjects));
        if audiences.is_empty() {
            return Err(BadTrust::NoAudience);
        }
        if audiences.len() > 50 {
            return Err(BadTrust::TooMany("an OpenID Connect provider has 50 audiences at most"));
        }
        if fingerprints.len() > 5 {
            return Err(BadTrust::TooMany("an OpenID Connect provider has 5 fingerprints at most"));
        }
        if subjects.is_empty() {
            return Err(BadTrust::AnySubject("without a subject".to_owned()));
        }
        // A pattern without any letter or digit, `*` or `*:*`, fits everybody.
        if let Some(any) = subjects.iter().find(|s| s.contains(['*', '?']) && !s.chars().any(char::is_alphanumeric)) {
            return Err(BadTrust::AnySubject(format!("with the subject `{}`", any.escape_debug())));
        }
        Ok(Self { issuer: issuer.to_owned(), audiences, subjects, fingerprints })
    }

    /// Whether a subject is a pattern.
    pub fn has_pattern(&self) -> bool {
        self.subjects.iter().any(|s| s.contains(['*', '?']))
    }
}

/// An issuer that both clouds take: `https`, no user, query or fragment.
fn is_issuer(issuer: &str) -> Result<(), BadTrust> {
    let bad = |why: String| BadTrust::Issuer { issuer: issuer.escape_debug().to_string(), why };
    let url = WebUrl::parse(issuer).map_err(|error| bad(error.to_string()))?;
    let plain = url.expose();
    if plain.scheme() != "https" {
        return Err(bad("the clouds ask it over `https`".to_owned()));
    }
    if plain.query().is_some() || plain.fragment().is_some() || !plain.username().is_empty() || plain.password().is_some() {
        return Err(bad("it has a user, a query or a fragment".to_owned()));
    }
    if issuer.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(bad("it has a blank".to_owned()));
    }
    Ok(())
}

impl Trust {
    /// Checks the names.
    ///
    /// # Errors
    /// [`BadTrust`].
    pub fn check(provider: &str, roles: Vec<Role>, longest: SessionDuration, proof: Proof) -> Result<Self, BadTrust> {
        let provider = named(provider, "a provider", 64)?;
        if roles.is_empty() {
            return Err(BadTrust::NoRole);
        }
        Ok(Self { provider, roles, longest, proof })
    }
}

/// Puts values into a text: each `@name@` is one. Used on texts of our own only, which a test holds complete.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('@') {
        text.push_str(before);
        match after.split_once('@').and_then(|(name, tail)| Some((values.iter().find(|(n, _)| *n == name)?, tail))) {
            Some(((_, value), tail)) => {
                text.push_str(value);
                rest = tail;
            }
            None => {
                text.push('@');
                rest = after;
            }
        }
    }
    text + rest
}

/// The values of a Terraform module about this trust; `recipient` is where responses are for, if nobody says otherwise.
pub(super) fn values(trust: &Trust, recipient: &str) -> Vec<(&'static str, String)> {
    let list = |texts: &[String]| hcl::list(texts.iter().map(String::as_str));
    let mut values = vec![
        ("provider", hcl::quoted(&trust.provider)),
        ("roles", roles_in_terraform(&trust.roles)),
        ("longest", trust.longest.to_string()),
    ];
    match &trust.proof {
        Proof::Oidc(oidc) => values.extend([
            ("issuer", hcl::quoted(&oidc.issuer)),
            ("audiences", list(&oidc.audiences)),
            ("subjects", list(&oidc.subjects)),
            ("fingerprints", hcl::list(oidc.fingerprints.iter().map(Fingerprint::as_str))),
        ]),
        Proof::Saml { metadata, recipients } => values.extend([
            ("metadata", hcl::quoted(&metadata.document)),
            ("recipients", if recipients.is_empty() { hcl::list([recipient]) } else { list(recipients) }),
        ]),
    }
    values
}

/// The roles with their policies, as a value of Terraform.
fn roles_in_terraform(roles: &[Role]) -> String {
    let lines: Vec<String> = roles
        .iter()
        .map(|role| format!("    {} = {}\n", hcl::quoted(&role.name), hcl::list(role.policies.iter().map(String::as_str))))
        .collect();
    format!("{{\n{}  }}", lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|t| (*t).to_owned()).collect()
    }

    #[test]
    fn a_role_is_never_open_to_everybody() {
        let check = |issuer: &str, audiences: &[&str], subjects: &[&str]| {
            Oidc::check(issuer, &texts(audiences), &texts(subjects), Vec::new()).map(|_| ()).map_err(|e| e.to_string())
        };
        assert_eq!(check("https://id.example", &["sts.amazonaws.com"], &["repo:acme/app:ref:refs/heads/main"]), Ok(()));
        assert_eq!(check("https://id.example/x/", &["a"], &["repo:acme/*"]), Ok(()));
        let refused = |r: Result<(), String>, part: &str| assert!(r.as_ref().is_err_and(|e| e.contains(part)), "{r:?}");
        refused(check("https://id.example", &[], &["x"]), "without an audience");
        refused(check("https://id.example", &["a"], &[" "]), "without a subject, everybody");
        refused(check("https://id.example", &["a"], &["repo:a", "*"]), "with the subject `*`, everybody");
        refused(check("https://id.example", &["a"], &["*:*"]), "everybody");
        refused(check("http://id.example", &["a"], &["x"]), "only https");
        refused(check("http://localhost:1", &["a"], &["x"]), "over `https`");
        refused(check("https://id.example/?a=b", &["a"], &["x"]), "a query");
        refused(check("https://me:pw@id.example", &["a"], &["x"]), "a user");
    }

    #[test]
    fn names() {
        let role = Role::parse("Deploy=AdministratorAccess, ReadOnlyAccess").unwrap();
        assert_eq!((role.name.as_str(), role.policies.len()), ("Deploy", 2));
        for bad in ["", "a/b", "-a", "a\"", "a\nb", "${x}", "a=b c", &"x".repeat(65)] {
            assert!(Role::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fingerprints() {
        let colons = "0B:BF:AB:97:05:95:95:E8:D1:EC:48:E8:9E:B8:65:7C:0E:5A:AE:71";
        assert_eq!(Fingerprint::parse(colons).unwrap().as_str(), "0bbfab97059595e8d1ec48e89eb8657c0e5aae71");
        assert!(Fingerprint::parse("0bbfab").is_err() && Fingerprint::parse(&"g".repeat(40)).is_err());
        assert_eq!(Fingerprint::of(b"abc").as_str(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn templates_are_filled_once() {
        let values = [("a", "@b@".to_owned()), ("b", "x".to_owned())];
        assert_eq!(fill("1 @a@ 2 @b@ user@host @c@", &values), "1 @b@ 2 x user@host @c@");
    }
}
