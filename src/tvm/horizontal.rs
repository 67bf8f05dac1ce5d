//! Horizontal roles: one name for the system roles of many accounts, found by a naming rule and added to by hand.
//!
//! Only filters and aggregates: roles are configured in their accounts. A rule is tried on the role's name, anchored at both ends, in time
//! that grows with the name's length whatever the pattern. It reaches the accounts below the node that has it, and never custom roles:
//! an account's owner could name one into an enterprise group.

use std::collections::{BTreeMap, BTreeSet};

use regex::{Regex, RegexBuilder};

use super::model::{Class, HorizontalId, Label, NodeId, Path, Role, RoleId, RoleState, Version};

/// The longest pattern, in characters.
const LONGEST: usize = 256;
/// What a compiled pattern may take; a counted repetition of a repetition takes more than anybody's naming rule.
const LARGEST: usize = 1 << 20;

/// How a pattern is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matcher {
    /// The name begins so.
    Prefix,
    /// The name is this.
    Exact,
    /// `*` is any text, `?` any character.
    Glob,
    /// A regular expression for the whole name.
    Regex,
}

impl Matcher {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Prefix, Self::Exact, Self::Glob, Self::Regex];

    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Exact => "exact",
            Self::Glob => "glob",
            Self::Regex => "regex",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|matcher| matcher.word() == word)
    }
}

/// When a newly matching role counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// At once.
    Auto,
    /// When somebody has confirmed it.
    Confirm,
}

impl Activation {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Confirm => "confirm",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Auto, Self::Confirm].into_iter().find(|activation| activation.word() == word)
    }
}

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// There is nothing in it, so it would match every name.
    #[error("the pattern is empty")]
    Empty,
    /// Nobody can read it any more.
    #[error("the pattern has more than {LONGEST} characters")]
    Long,
    /// It is no regular expression.
    #[error("the pattern is not a regular expression: {0}")]
    Regex(String),
}

/// A naming rule.
#[derive(Debug, Clone)]
pub struct Rule {
    matcher: Matcher,
    pattern: String,
    compiled: Regex,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        (self.matcher, &self.pattern) == (other.matcher, &other.pattern)
    }
}

impl Rule {
    /// Checks a pattern.
    ///
    /// # Errors
    /// [`BadRule`].
    pub fn new(matcher: Matcher, pattern: &str) -> Result<Self, BadRule> {
        if pattern.is_empty() {
            return Err(BadRule::Empty);
        }
        if pattern.chars().count() > LONGEST {
            return Err(BadRule::Long);
        }
        let escaped = regex::escape(pattern);
        let body = match matcher {
            Matcher::Prefix => format!("{escaped}.*"),
            Matcher::Exact => escaped,
            Matcher::Glob => escaped.replace(r"\*", ".*").replace(r"\?", "."),
            Matcher::Regex => {
                // By itself first: `a)(b` closes the group that anchors it.
                RegexBuilder::new(pattern).size_limit(LARGEST).build().map_err(|error| bad_regex(&error))?;
                pattern.to_owned()
            }
        };
        // Names of roles have one line; the dot must not stop at one all the same.
        let compiled = RegexBuilder::new(&format!(r"\A(?:{body})\z")).size_limit(LARGEST).dot_matches_new_line(true).build();
        Ok(Self { matcher, pattern: pattern.to_owned(), compiled: compiled.map_err(|error| bad_regex(&error))? })
    }

    /// How the pattern is read.
    pub fn matcher(&self) -> Matcher {
        self.matcher
    }

    /// The pattern as it was given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether it says nothing: names that have nothing in common keep to it.
    pub fn fits_anything(&self) -> bool {
        ["a", "Zq7", "0_x-y.z@w", "wholly-made-up"].iter().all(|name| self.fits(name))
    }

    /// Whether a role's name keeps to it.
    pub fn fits(&self, name: &str) -> bool {
        self.compiled.is_match(name)
    }
}

fn bad_regex(error: &regex::Error) -> BadRule {
    match error {
        regex::Error::CompiledTooBig(_) => BadRule::Regex("it would get too large".to_owned()),
        // The last line says what; the lines before draw where.
        error => BadRule::Regex(error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()),
    }
}

/// A horizontal role.
#[derive(Debug, Clone, PartialEq)]
pub struct Horizontal {
    /// Which.
    pub id: HorizontalId,
    /// The management node that has it.
    pub node: NodeId,
    /// Where that node is.
    pub path: Path,
    /// Its name.
    pub name: Label,
    /// The naming rule; with none there is only what was added by hand.
    pub rule: Option<Rule>,
    /// When a newly matching role counts.
    pub activation: Activation,
    /// Whether only super admins may change it.
    pub protected: bool,
    /// How often it was changed.
    pub version: Version,
}

/// What a horizontal role looks at in a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which role.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// Who manages it.
    pub class: Class,
    /// Whether it counts.
    pub state: RoleState,
    /// Where its account is.
    pub path: Path,
}

impl Candidate {
    /// A role, with the place of its node.
    pub fn of(role: &Role, path: Path) -> Self {
        Self { id: role.id.clone(), name: role.name.clone(), class: role.class, state: role.state, path }
    }
}

/// Why a role is in a horizontal role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// Its name keeps to the rule.
    Pattern,
    /// Somebody added it.
    Explicit,
}

impl Via {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pattern => "pattern",
            Self::Explicit => "explicit",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pattern, Self::Explicit].into_iter().find(|via| via.word() == word)
    }
}

/// Whether a role may be in a horizontal role of that node at all.
pub fn is_reachable(scope: &Path, role: &Candidate) -> bool {
    role.class == Class::System && role.state != RoleState::Deleted && scope.holds(&role.path)
}

/// The roles that a horizontal role holds: those that keep to its rule, and those that were added by hand.
pub fn matches(scope: &Path, rule: Option<&Rule>, explicit: &BTreeSet<RoleId>, roles: &[Candidate]) -> BTreeSet<(RoleId, Via)> {
    let reachable = roles.iter().filter(|role| is_reachable(scope, role));
    reachable
        .flat_map(|role| {
            let by_name = rule.is_some_and(|rule| rule.fits(&role.name)).then(|| (role.id.clone(), Via::Pattern));
            let by_hand = explicit.contains(&role.id).then(|| (role.id.clone(), Via::Explicit));
            by_name.into_iter().chain(by_hand)
        })
        .collect()
}

/// What a change of a rule would bring and take away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Roles that come in.
    pub gained: BTreeSet<RoleId>,
    /// Roles that go out.
    pub lost: BTreeSet<RoleId>,
    /// How many there would be.
    pub total: usize,
}

/// Compares what is with what would be. A role that stays by another way is neither gained nor lost.
pub fn preview(now: &BTreeSet<(RoleId, Via)>, then: &BTreeSet<(RoleId, Via)>) -> Preview {
    let ids = |set: &BTreeSet<(RoleId, Via)>| set.iter().map(|(id, _)| id.clone()).collect::<BTreeSet<_>>();
    let (now, then) = (ids(now), ids(then));
    Preview { gained: &then - &now, lost: &now - &then, total: then.len() }
}

/// A role in a horizontal role, and why it is there.
pub type Held = (RoleId, Via);

/// Which rows of the materialised set have to be written and removed.
pub fn difference<S: Clone>(stored: &BTreeMap<(RoleId, Via), S>, wanted: &BTreeSet<(RoleId, Via)>) -> (Vec<Held>, Vec<Held>) {
    let added = wanted.iter().filter(|key| !stored.contains_key(*key)).cloned().collect();
    let removed = stored.keys().filter(|key| !wanted.contains(*key)).cloned().collect();
    (added, removed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::Timestamp;

    fn now() -> Timestamp {
        Timestamp::from_unix(1_800_000_000).unwrap()
    }

    fn fits(matcher: Matcher, pattern: &str, name: &str) -> bool {
        Rule::new(matcher, pattern).unwrap().fits(name)
    }

    #[test]
    fn rules_are_anchored_at_both_ends() {
        assert!(fits(Matcher::Prefix, "ops-", "ops-reader") && !fits(Matcher::Prefix, "ops-", "my-ops-reader"));
        assert!(fits(Matcher::Prefix, "a.b", "a.bc") && !fits(Matcher::Prefix, "a.b", "axbc"));
        assert!(
            fits(Matcher::Exact, "a.b", "a.b") && !fits(Matcher::Exact, "a.b", "a.bc") && !fits(Matcher::Exact, "a.b", "axb")
        );
        assert!(
            fits(Matcher::Glob, "cloud-*-admin", "cloud-net-admin") && !fits(Matcher::Glob, "cloud-*-admin", "cloud-net-admin2")
        );
        assert!(fits(Matcher::Glob, "a?c", "abc") && !fits(Matcher::Glob, "a?c", "abbc") && !fits(Matcher::Glob, "a.c", "abc"));
        assert!(fits(Matcher::Regex, "a|b", "b") && !fits(Matcher::Regex, "a|b", "ab") && !fits(Matcher::Regex, "a", "xa"));
        assert!(!fits(Matcher::Regex, "(?m)^a$", "a\nb"));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        assert_eq!(Rule::new(Matcher::Prefix, "").unwrap_err(), BadRule::Empty);
        assert_eq!(Rule::new(Matcher::Exact, &"x".repeat(257)).unwrap_err(), BadRule::Long);
        for bad in ["(", "a)(b", "[", r"\1", "(?=a)", "((a{99}){99}){99}"] {
            assert!(matches!(Rule::new(Matcher::Regex, bad), Err(BadRule::Regex(_))), "{bad}");
        }
    }

    #[test]
    fn a_rule_that_fits_anything_is_known() {
        for (matcher, pattern) in [
            (Matcher::Regex, ".*"),
            (Matcher::Regex, ".+"),
            (Matcher::Glob, "*"),
            (Matcher::Glob, "?*"),
            (Matcher::Regex, "a?.*"),
        ] {
            assert!(Rule::new(matcher, pattern).unwrap().fits_anything(), "{pattern}");
        }
        for (matcher, pattern) in
            [(Matcher::Prefix, "a"), (Matcher::Glob, "*-admin"), (Matcher::Regex, "[a-z]+"), (Matcher::Exact, "x")]
        {
            assert!(!Rule::new(matcher, pattern).unwrap().fits_anything(), "{pattern}");
        }
    }

    fn ids(count: usize) -> Vec<RoleId> {
        (0..count).map(|_| RoleId::new(now())).collect()
    }

    #[test]
    fn only_system_roles_below_the_node_are_held() {
        let root = Path::root(&NodeId::new(now()));
        let (left, right) = (root.child(&NodeId::new(now())).unwrap(), root.child(&NodeId::new(now())).unwrap());
        let ids = ids(5);
        let candidate = |at: usize, class, state, path: &Path| Candidate {
            id: ids[at].clone(),
            name: format!("ops-{at}"),
            class,
            state,
            path: path.clone(),
        };
        let roles = [
            candidate(0, Class::System, RoleState::Active, &left),
            candidate(1, Class::Custom, RoleState::Active, &left),
            candidate(2, Class::System, RoleState::Deleted, &left),
            candidate(3, Class::System, RoleState::Active, &right),
            Candidate { name: "odd".to_owned(), ..candidate(4, Class::System, RoleState::Active, &left) },
        ];
        let rule = Rule::new(Matcher::Prefix, "ops-").unwrap();
        // Added by hand or not, what cannot be reached is not held.
        let explicit: BTreeSet<_> = ids.iter().cloned().collect();
        let held = matches(&left, Some(&rule), &explicit, &roles);
        let wanted = [(0, Via::Pattern), (0, Via::Explicit), (4, Via::Explicit)].map(|(at, via)| (ids[at].clone(), via));
        assert_eq!(held, wanted.into_iter().collect());
        assert_eq!(matches(&root, None, &BTreeSet::new(), &roles), BTreeSet::new());
        let then = matches(&root, Some(&rule), &BTreeSet::new(), &roles);
        let change = preview(&held, &then);
        assert_eq!((change.gained, change.lost, change.total), ([ids[3].clone()].into(), [ids[4].clone()].into(), 2));
    }

    proptest! {
        /// Result = added by hand ∪ keeps to the rule, and the difference leads from any stored set to it.
        #[test]
        fn the_stored_set_becomes_the_wanted_one(names in prop::collection::vec("[ab]{1,3}", 0..12), chosen in any::<u16>(), stored in any::<u32>()) {
            let scope = Path::root(&NodeId::new(now()));
            let roles: Vec<Candidate> = names.iter().zip(ids(names.len())).map(|(name, id)| Candidate {
                id, name: name.clone(), class: Class::System, state: RoleState::Active, path: scope.clone(),
            }).collect();
            let explicit: BTreeSet<RoleId> = roles.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, r)| r.id.clone()).collect();
            let rule = Rule::new(Matcher::Prefix, "a").unwrap();
            let wanted = matches(&scope, Some(&rule), &explicit, &roles);
            let held: BTreeSet<&RoleId> = wanted.iter().map(|(id, _)| id).collect();
            for role in &roles {
                prop_assert_eq!(held.contains(&role.id), role.name.starts_with('a') || explicit.contains(&role.id));
            }
            let both = roles.iter().flat_map(|role| [(role.id.clone(), Via::Pattern), (role.id.clone(), Via::Explicit)]);
            let mut set: BTreeMap<(RoleId, Via), ()> = both.enumerate().filter(|(at, _)| stored >> at & 1 == 1).map(|(_, key)| (key, ())).collect();
            let (added, removed) = difference(&set, &wanted);
            for key in removed { set.remove(&key); }
            for key in added { set.insert(key, ()); }
            prop_assert_eq!(set.into_keys().collect::<BTreeSet<_>>(), wanted);
        }
    }
}
