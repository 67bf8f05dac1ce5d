//! What a section's settings are in the end, by the old tools' two rules for any file: `[team.production]` has the settings of `[team]`
//! that it does not say itself, and `%(key)s` stands for another setting of the section, else of `[DEFAULT]`.

use std::collections::BTreeMap;

/// What one section says, in the order of its lines; of a key that stands twice the last counts.
type Pairs<'t> = Vec<(&'t str, String)>;

/// How often a value is looked through for `%(key)s`, as in go-ini; a value that grows beyond any sense is left earlier.
const ROUNDS: usize = 99;
const LONGEST: usize = 1 << 16;

/// The settings of section `name`, where `own` says what stands in a section; nothing if there is no such section.
pub(super) fn of<'t>(name: &str, own: impl Fn(&str) -> Option<Pairs<'t>>) -> Option<Pairs<'t>> {
    let mut chain = vec![own(name)?.into_iter().collect::<BTreeMap<&str, String>>()];
    let mut child = name;
    while let Some((parent, _)) = child.rsplit_once('.') {
        chain.extend(own(parent).map(|pairs| pairs.into_iter().collect()));
        child = parent;
    }
    // Nearly nobody has them, so the section of defaults is read only for those who do.
    let refers = chain.iter().any(|section| section.values().any(|value| value.contains("%(")));
    let defaults: BTreeMap<&str, String> =
        if refers { own("DEFAULT").unwrap_or_default().into_iter().collect() } else { BTreeMap::new() };
    let mut settings: BTreeMap<&str, String> = BTreeMap::new();
    for (index, section) in chain.iter().enumerate() {
        for (key, value) in section {
            if !settings.contains_key(key) {
                let value = interpolated(value, |wanted| {
                    let near = || chain[index..].iter().find_map(|section| section.get(wanted));
                    if wanted == *key { defaults.get(wanted) } else { near().or_else(|| defaults.get(wanted)) }
                });
                settings.insert(key, value);
            }
        }
    }
    Some(settings.into_iter().collect())
}

/// A value with what its `%(key)s` stand for; one that stands for nothing stays, and all behind it.
fn interpolated<'v>(value: &str, lookup: impl Fn(&str) -> Option<&'v String>) -> String {
    let mut value = value.to_owned();
    for _ in 0..ROUNDS {
        let Some((place, key)) = reference(&value) else { break };
        let Some(other) = lookup(key) else { break };
        if value.len() + value.matches(place).count().saturating_mul(other.len()) > LONGEST {
            break;
        }
        value = value.replace(place, other);
    }
    value
}

/// The first `%(key)s` of a value, and its key.
fn reference(value: &str) -> Option<(&str, &str)> {
    value.match_indices("%(").find_map(|(start, _)| {
        let inner = &value[start + 2..];
        let key = &inner[..inner.find(')')?];
        let is_one = !key.is_empty() && inner[key.len()..].starts_with(")s");
        is_one.then(|| (&value[start..start + 2 + key.len() + 2], key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<Vec<(&'static str, String)>> {
        let section = |pairs: &[(&'static str, &str)]| Some(pairs.iter().map(|(k, v)| (*k, (*v).to_owned())).collect());
        of(name, |section_name| match section_name {
            "DEFAULT" => section(&[("host", "id.example"), ("a", "default")]),
            "team" => {
                section(&[("url", "https://%(host)s/%(app)s"), ("app", "team"), ("region", "eu"), ("bomb", "%(bomb2)s%(bomb2)s")])
            }
            "team.x.prod" => {
                section(&[("app", "first"), ("app", "prod"), ("region", ""), ("a", "<%(a)s>"), ("no", "%()s%(x)s%(a)s %(a) %(")])
            }
            "loop" => section(&[("a", "%(b)s"), ("b", "%(a)s%(a)s")]),
            _ => None,
        })
    }

    #[test]
    fn a_section_has_what_its_parents_say_and_what_its_references_stand_for() {
        let settings = read("team.x.prod").unwrap();
        let get = |key: &str| settings.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str());
        // What a parent says is said in the parent's own terms.
        assert_eq!(get("url"), Some("https://id.example/team"));
        assert_eq!((get("app"), get("region"), get("a")), (Some("prod"), Some(""), Some("<default>")));
        assert_eq!(get("no"), Some("%()s%(x)s%(a)s %(a) %("));
        assert_eq!(get("bomb"), Some("%(bomb2)s%(bomb2)s"));
        assert_eq!(read("nobody"), None);
    }

    #[test]
    fn a_reference_in_a_circle_ends() {
        let settings = read("loop").unwrap();
        assert!(settings.iter().all(|(_, value)| value.len() <= LONGEST), "{}", settings.len());
    }
}
