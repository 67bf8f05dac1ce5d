//! Roles on top of a login: how a profile of the cloud's own files comes to its role, as a list of hops. What a profile says is each
//! cloud's (`aws/chain.rs`, `alibaba/chain.rs`); how profiles lead to one another is here.
//!
//! Where a chain begins is decided once, for both clouds (docs/files.md): at the login, unless the profiles lead to one that holds
//! keys of its own.

use super::{Place, StoreError};
use crate::types::{Credentials, ProfileName, Region, RoleArn, Secret, SessionDuration, Timestamp};

/// How many roles may stand on top of each other.
const DEEPEST: usize = 8;
/// The session's name where nothing gives one.
const SESSION: &str = "saml2cloud";

/// Keys that sign a call: long-lived ones, or those of a session.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The access key ID.
    pub id: String,
    /// The secret access key.
    pub secret: Secret<String>,
    /// The session's token; long-lived keys have none.
    pub token: Option<Secret<String>>,
}

impl From<&Credentials> for Keys {
    fn from(credentials: &Credentials) -> Self {
        Self { id: credentials.key_id.clone(), secret: credentials.secret.clone(), token: Some(credentials.token.clone()) }
    }
}

/// One role to assume, as its profile describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The profile.
    pub profile: ProfileName,
    /// The role.
    pub role: RoleArn,
    /// The session's name.
    pub session_name: Option<String>,
    /// How long.
    pub duration: Option<SessionDuration>,
    /// What the role's owner wants to hear, so that nobody else can have us assume it.
    pub external_id: Option<String>,
    /// The factor that the role asks for (AWS).
    pub mfa_serial: Option<String>,
    /// Who is really behind the session, kept along a chain (AWS).
    pub source_identity: Option<String>,
    /// The session's tags (AWS).
    pub tags: Vec<(String, String)>,
    /// Which of them later sessions inherit (AWS).
    pub transitive: Vec<String>,
    /// A policy that limits the session.
    pub policy: Option<String>,
    /// Where to ask.
    pub place: Place,
}

impl Hop {
    /// A role and nothing else.
    pub fn new(profile: &ProfileName, role: RoleArn) -> Self {
        Self {
            profile: profile.clone(),
            role,
            session_name: None,
            duration: None,
            external_id: None,
            mfa_serial: None,
            source_identity: None,
            tags: Vec::new(),
            transitive: Vec::new(),
            policy: None,
            place: Place::default(),
        }
    }
}

/// Where a chain begins.
#[derive(Debug, Clone)]
pub enum Source {
    /// At the account's login.
    Login,
    /// At a profile with keys of its own; the login is not needed then.
    Profile {
        /// The profile.
        profile: ProfileName,
        /// Its keys.
        keys: Keys,
    },
    /// At a profile that signs in by itself: at the cloud's portal, or with a token in a file.
    SignIn {
        /// The profile.
        profile: ProfileName,
    },
}

/// How a profile comes to its role.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where it begins.
    pub source: Source,
    /// The roles on the way, in the order in which they are assumed.
    pub way: Vec<Hop>,
    /// The role of the profile that was named.
    pub last: Hop,
    /// That profile's region, for the tools.
    pub region: Option<Region>,
}

/// One call for a role.
#[derive(Debug, Clone, Copy)]
pub struct RoleCall<'c> {
    /// The role.
    pub hop: &'c Hop,
    /// Who asks.
    pub keys: &'c Keys,
    /// The name of the session that asks, for a hop that names none.
    pub session: &'c str,
    /// The code of the hop's factor.
    pub code: Option<&'c Secret<String>>,
    /// The region to ask, where the address does not tell it (AWS).
    pub region: Option<&'c Region>,
}

/// Why a profile leads to no role: what is written in the files has to be changed, or another profile named.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// A file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such profile.
    #[error("{}", unknown(.profile, .files, .by))]
    Unknown {
        /// The profile.
        profile: ProfileName,
        /// Where it was looked for.
        files: String,
        /// The profile that names it as its source.
        by: Option<ProfileName>,
    },
    /// A profile that says nothing of a role.
    #[error("profile `{profile}` has no `{key}`: there is no role to assume")]
    NoRole {
        /// The profile.
        profile: ProfileName,
        /// The key that names a role.
        key: &'static str,
    },
    /// A profile that says something that cannot be followed.
    #[error("profile `{profile}` {why}")]
    Bad {
        /// The profile.
        profile: ProfileName,
        /// What is wrong.
        why: String,
    },
    /// A profile that gets its keys as only the cloud's own tools do.
    #[error("profile `{profile}` gets its keys by {way}, which is not done here")]
    AnotherWay {
        /// The profile.
        profile: ProfileName,
        /// The setting that says so.
        way: String,
    },
    /// Profiles that name each other.
    #[error("Infinite loop in credential configuration: the profiles lead in a circle: {}", list(.0))]
    Circle(Vec<ProfileName>),
    /// A chain without an end in sight.
    #[error("more than {DEEPEST} roles stand on top of each other: {}", list(.0))]
    TooDeep(Vec<ProfileName>),
}

/// In the words of botocore, by which people look for help.
fn unknown(profile: &ProfileName, files: &str, by: &Option<ProfileName>) -> String {
    match by {
        Some(by) => {
            format!(
                "The source_profile \"{profile}\" referenced in the profile \"{by}\" does not exist: there is none in {files}"
            )
        }
        None => format!("there is no profile `{profile}` in {files}"),
    }
}

fn list(profiles: &[ProfileName]) -> String {
    profiles.iter().map(|profile| format!("`{profile}`")).collect::<Vec<_>>().join(" → ")
}

/// What a file says of one profile, as far as chains go.
pub(super) struct Entry {
    /// The role it assumes, and whence.
    pub(super) role: Option<(Hop, Whence)>,
    /// Keys of its own.
    pub(super) keys: Option<Held>,
    /// Whether it signs in by itself, in a way that is gone here.
    pub(super) signs_in: bool,
    /// The setting by which it gets its keys in another way.
    pub(super) other: Option<String>,
    /// Its region.
    pub(super) region: Option<Region>,
}

/// Keys that stand in a profile.
pub(super) struct Held {
    /// The keys.
    pub(super) keys: Keys,
    /// When they end, if the file says so.
    pub(super) expires: Option<Timestamp>,
}

/// Whose keys a role is assumed with.
pub(super) enum Whence {
    /// The login's.
    Login,
    /// Those of another profile.
    Profile(ProfileName),
}

/// Follows the profiles from `name` to where its chain begins. `login` is the profile that stands for the login's keys, where there is a
/// login; `look` reads one.
pub(super) fn follow(
    name: &ProfileName,
    login: Option<&ProfileName>,
    files: &str,
    role_key: &'static str,
    now: Timestamp,
    look: impl Fn(&ProfileName) -> Result<Option<Entry>, ChainError>,
) -> Result<Plan, ChainError> {
    let visit = |profile: &ProfileName, by: Option<&ProfileName>| {
        let unknown = || ChainError::Unknown { profile: profile.clone(), files: files.to_owned(), by: by.cloned() };
        look(profile)?.ok_or_else(unknown)
    };
    let entry = visit(name, None)?;
    let Some((last, mut whence)) = entry.role else {
        let no_role = || ChainError::NoRole { profile: name.clone(), key: role_key };
        return Err(entry.other.map_or_else(no_role, |other| another_way(name, &other)));
    };
    // Roles and their profiles so far, the named one first.
    let mut way: Vec<Hop> = Vec::new();
    let mut path = vec![name.clone()];
    let source = loop {
        let next = match whence {
            Whence::Login => break Source::Login,
            Whence::Profile(next) if Some(&next) == login => break Source::Login,
            Whence::Profile(next) => next,
        };
        let by = path.last().cloned();
        let is_met = path.contains(&next);
        path.push(next.clone());
        // A profile may name itself if it holds keys; then these are meant.
        let names_itself = is_met && path.len() == 2 && entry.keys.is_some();
        if is_met && !names_itself {
            return Err(ChainError::Circle(path));
        }
        if path.len() > DEEPEST {
            return Err(ChainError::TooDeep(path));
        }
        let entry = visit(&next, by.as_ref())?;
        // Before keys, as in botocore.
        if entry.signs_in {
            break Source::SignIn { profile: next };
        }
        // Keys of a profile that another one names as its source are meant, whatever role stands beside them: as in botocore.
        if let Some(held) = entry.keys {
            break from_profile(&next, held, now)?;
        }
        let Some((hop, further)) = entry.role else {
            let why = format!("must have credentials: it has neither keys nor `{role_key}`");
            let nothing = || ChainError::Bad { profile: next.clone(), why };
            return Err(entry.other.map_or_else(nothing, |other| another_way(&next, &other)));
        };
        way.push(hop);
        whence = further;
    };
    way.reverse();
    Ok(Plan { source, way, last, region: entry.region })
}

fn another_way(profile: &ProfileName, other: &str) -> ChainError {
    ChainError::AnotherWay { profile: profile.clone(), way: other.to_owned() }
}

fn from_profile(profile: &ProfileName, held: Held, now: Timestamp) -> Result<Source, ChainError> {
    let bad = |why| Err(ChainError::Bad { profile: profile.clone(), why });
    // They go into headers.
    let words = [Some(held.keys.id.as_str()), held.keys.token.as_ref().map(|token| token.expose().as_str())];
    if words.into_iter().flatten().any(|word| Credentials::one_word(word).is_none()) {
        return bad("holds keys that are none".to_owned());
    }
    match held.expires.filter(|expires| *expires <= now) {
        Some(expires) => bad(format!("holds keys that ended at {expires}")),
        None => Ok(Source::Profile { profile: profile.clone(), keys: held.keys }),
    }
}

/// A name for a session that both clouds' rules allow: 2 to 64 letters, digits and these marks. Other characters become `-`.
pub(super) fn session_name(wished: &str, marks: &str) -> String {
    let tame = |c: char| if c.is_ascii_alphanumeric() || marks.contains(c) { c } else { '-' };
    let name: String = wished.chars().map(tame).take(64).collect();
    if name.len() < 2 { SESSION.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ProfileName {
        ProfileName::parse(text).unwrap()
    }

    /// A file with profiles `name>source` (a role), `name*` (keys), `name*>source` (both), `name!` (other), `name@` (signs in), parted by blanks.
    fn plan(text: &str, start: &str) -> String {
        let look = |profile: &ProfileName| {
            let said = text.split(' ').find(|said| said.split(['>', '*', '!', '@']).next() == Some(profile.as_str()));
            Ok(said.map(|said| Entry {
                role: said.split_once('>').map(|(_, source)| {
                    let role = RoleArn::parse(&format!("arn:aws:iam::1:role/{profile}")).unwrap();
                    let whence = if source.is_empty() { Whence::Login } else { Whence::Profile(name(source)) };
                    (Hop::new(profile, role), whence)
                }),
                keys: said.contains('*').then(|| Held {
                    keys: Keys {
                        id: if said.contains("bad") { "A\nB" } else { "AKIA" }.to_owned(),
                        secret: "s".into(),
                        token: None,
                    },
                    expires: said.contains("old").then(|| Timestamp::from_unix(10).unwrap()),
                }),
                signs_in: said.contains('@'),
                other: said.contains('!').then(|| "`sso_session`".to_owned()),
                region: None,
            }))
        };
        let now = Timestamp::from_unix(20).unwrap();
        match follow(&name(start), Some(&name("saml")), "`files`", "role_arn", now, look) {
            Ok(plan) => {
                let source = match plan.source {
                    Source::Login => "login".to_owned(),
                    Source::Profile { profile, .. } => format!("keys of {profile}"),
                    Source::SignIn { profile } => format!("sign-in of {profile}"),
                };
                let hops = plan.way.iter().chain([&plan.last]).map(|hop| hop.role.name().to_owned());
                std::iter::once(source).chain(hops).collect::<Vec<_>>().join(", ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn profiles_lead_to_the_login_or_to_keys() {
        assert_eq!(plan("a>", "a"), "login, a");
        assert_eq!(plan("a>saml", "a"), "login, a");
        assert_eq!(plan("a>b b>saml saml>a", "a"), "login, b, a");
        assert_eq!(plan("a>b b*", "a"), "keys of b, a");
        assert_eq!(plan("a>b b*>c", "a"), "keys of b, a");
        assert_eq!(plan("a*>", "a"), "login, a");
        assert_eq!(plan("a*>a", "a"), "keys of a, a");
        assert_eq!(plan("a>b b>c c@", "a"), "sign-in of c, b, a");
        assert_eq!(plan("a>b b*@", "a"), "sign-in of b, a", "before keys, as in botocore");
        assert_eq!(plan("a>saml saml@", "a"), "login, a");
    }

    #[test]
    fn and_to_errors() {
        assert_eq!(plan("a>", "b"), "there is no profile `b` in `files`");
        assert_eq!(
            plan("a>b", "a"),
            "The source_profile \"b\" referenced in the profile \"a\" does not exist: there is none in `files`"
        );
        assert_eq!(plan("a*", "a"), "profile `a` has no `role_arn`: there is no role to assume");
        assert_eq!(plan("a!", "a"), "profile `a` gets its keys by `sso_session`, which is not done here");
        assert_eq!(plan("a>b b", "a"), "profile `b` must have credentials: it has neither keys nor `role_arn`");
        assert_eq!(plan("a>old old*", "a"), "profile `old` holds keys that ended at 1970-01-01T00:00:10Z");
        assert_eq!(plan("a>bad bad*", "a"), "profile `bad` holds keys that are none");
        let circle = "Infinite loop in credential configuration: the profiles lead in a circle: ";
        assert_eq!(plan("a>b b>c c>b", "a"), format!("{circle}`a` → `b` → `c` → `b`"));
        assert_eq!(plan("a>a", "a"), format!("{circle}`a` → `a`"));
        let long = "1>2 2>3 3>4 4>5 5>6 6>7 7>8 8>9 9>";
        assert!(plan(long, "1").starts_with("more than 8 roles stand on top of each other: `1` → `2`"), "{}", plan(long, "1"));
        assert_eq!(plan(long, "2"), "login, 9, 8, 7, 6, 5, 4, 3, 2");
    }

    #[test]
    fn session_names_are_tame() {
        assert_eq!(session_name("alice@example.com", "+=,.@-_"), "alice@example.com");
        assert_eq!(session_name("a b/ü+", ".@-_"), "a-b---");
        assert_eq!(session_name("x", ""), "saml2cloud");
        assert_eq!(session_name(&"x".repeat(90), "").len(), 64);
    }
}
