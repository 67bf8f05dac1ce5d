//! Roles of profiles in `~/.aws/config` and `~/.aws/credentials`, read as botocore reads them: names of keys in any case, the
//! credentials file wins, keys that nobody knows do no harm. Session tags and source identity have the names that aws-vault gave them.
//! <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-role.html>

use std::collections::BTreeMap;

use super::profile::{Profiles, is_section_of};
use crate::cloud::chain::{ChainError, Entry, Held, Hop, Keys, Plan, Whence, follow};
use crate::cloud::{Place, StoreError};
use crate::text::ini::Ini;
use crate::types::{CloudId, ProfileName, Region, RoleArn, SessionDuration, Timestamp};
use crate::world::{Env, file};

/// Ways to get keys that only AWS's own tools go.
const OTHER_WAYS: &[&str] = &["sso_session", "sso_start_url", "credential_process", "login_session", "web_identity_token_file"];
/// What a profile that signs in at a portal has, one of them at least.
const PORTAL: &[&str] = &["sso_session", "sso_start_url", "sso_account_id", "sso_role_name"];

/// What both files say of profiles.
struct Files {
    config: Ini,
    credentials: Ini,
}

impl Files {
    /// The settings of a profile, names in lower case; nothing if neither file has it.
    fn profile(&self, name: &ProfileName) -> Option<BTreeMap<String, &str>> {
        let in_config = self.config.sections().into_iter().filter(|section| is_section_of(section, name));
        let mut found: Option<BTreeMap<String, &str>> = None;
        let sections = in_config.map(|section| (&self.config, section));
        let own = self.credentials.has(name.as_str()).then_some((&self.credentials, name.as_str()));
        for (ini, section) in sections.chain(own) {
            let pairs = ini.pairs(section).into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value));
            found.get_or_insert_default().extend(pairs.filter(|(_, value)| !value.is_empty()));
        }
        found
    }

    /// Where the profile `name` has the token service asked: by its section of services, else for all services. What the environment says
    /// comes before both: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>.
    fn token_service(&self, name: &ProfileName, env: &Env) -> Option<String> {
        let settings = self.profile(name)?;
        let says = |key: &str| settings.get(key).copied();
        let ignored = says("ignore_configured_endpoint_urls").is_some_and(|word| word.eq_ignore_ascii_case("true"));
        let is_elsewhere = env.first(&["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]).is_some();
        if ignored || is_elsewhere || env.is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return None;
        }
        let services = says("services").map(|services| format!("services {services}"));
        let own = services.and_then(|section| {
            let nested = self.config.nested(&section, "sts").into_iter();
            nested
                .filter(|(key, value)| key.eq_ignore_ascii_case("endpoint_url") && !value.is_empty())
                .map(|(_, url)| url.to_owned())
                .next()
        });
        own.or_else(|| says("endpoint_url").map(str::to_owned))
    }
}

/// How the profile `name` comes to its role. Where the token service is asked is that profile's word, for the whole way, as in botocore.
pub(super) fn plan(
    profiles: &Profiles,
    name: &ProfileName,
    login: Option<&ProfileName>,
    env: &Env,
    now: Timestamp,
) -> Result<Plan, ChainError> {
    let read = |path| file::read(path).map(Option::unwrap_or_default).map_err(StoreError::from);
    let files = Files { config: Ini::parse(&read(&profiles.config)?), credentials: Ini::parse(&read(&profiles.credentials)?) };
    let places = format!("`{}` and `{}`", profiles.config.display(), profiles.credentials.display());
    let mut plan = follow(name, login, &places, "role_arn", now, |profile| {
        files.profile(profile).map(|settings| entry(profile, &settings)).transpose()
    })?;
    let url = files.token_service(name, env);
    plan.way.iter_mut().chain([&mut plan.last]).for_each(|hop| hop.place.sts = url.clone());
    Ok(plan)
}

fn entry(profile: &ProfileName, settings: &BTreeMap<String, &str>) -> Result<Entry, ChainError> {
    let bad = |why: String| ChainError::Bad { profile: profile.clone(), why };
    let get = |key: &str| settings.get(key).copied();
    let region = get("region").map(Region::parse).transpose().map_err(|e| bad(format!("has a bad `region`: {e}")))?;
    let token = get("aws_session_token").or_else(|| get("aws_security_token"));
    let keys = get("aws_access_key_id").zip(get("aws_secret_access_key")).map(|(id, secret)| Held {
        keys: Keys { id: id.to_owned(), secret: secret.into(), token: token.map(Into::into) },
        expires: get("x_security_token_expires").and_then(Timestamp::parse),
    });
    // With a token in a file it is the profile's own sign-in, and no role on top of one.
    let by_token = get("role_arn").is_some() && get("web_identity_token_file").is_some();
    let role = match get("role_arn").filter(|_| !by_token) {
        None => None,
        Some(arn) => {
            let role = RoleArn::parse(arn).map_err(|e| bad(format!("has a bad `role_arn`: {e}")))?;
            if role.cloud() != CloudId::Aws {
                return Err(bad(format!("names a role of {}: {role}", role.cloud().title())));
            }
            Some((hop(profile, role, &region, get)?, whence(profile, get)?))
        }
    };
    let other = OTHER_WAYS.iter().find(|key| settings.contains_key(**key)).map(|key| format!("`{key}`"));
    let signs_in = role.is_none() && (by_token || PORTAL.iter().any(|key| settings.contains_key(*key)));
    Ok(Entry { role, keys, signs_in, other, region })
}

fn hop<'s>(
    profile: &ProfileName,
    role: RoleArn,
    region: &Option<Region>,
    get: impl Fn(&str) -> Option<&'s str>,
) -> Result<Hop, ChainError> {
    let bad = |why: String| ChainError::Bad { profile: profile.clone(), why };
    let duration = get("duration_seconds").map(SessionDuration::parse).transpose();
    let words = |text: &'s str| text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let tag = |word: &str| {
        let (key, value) = word.split_once('=').ok_or_else(|| bad("has `session_tags` that are not `key=value,…`".to_owned()))?;
        Ok::<_, ChainError>((key.trim().to_owned(), value.trim().to_owned()))
    };
    Ok(Hop {
        session_name: get("role_session_name").map(str::to_owned),
        duration: duration.map_err(|e| bad(format!("has a bad `duration_seconds`: {e}")))?,
        external_id: get("external_id").map(str::to_owned),
        mfa_serial: get("mfa_serial").map(str::to_owned),
        source_identity: get("source_identity").map(str::to_owned),
        tags: words(get("session_tags").unwrap_or_default()).map(tag).collect::<Result<_, _>>()?,
        transitive: words(get("transitive_session_tags").unwrap_or_default()).map(str::to_owned).collect(),
        place: Place { region: region.clone(), sts: None },
        ..Hop::new(profile, role)
    })
}

/// Whose keys a role is assumed with. A role without a source would be an error of botocore's; here it has one, the login.
fn whence<'s>(profile: &ProfileName, get: impl Fn(&str) -> Option<&'s str>) -> Result<Whence, ChainError> {
    let bad = |why: String| ChainError::Bad { profile: profile.clone(), why };
    match (get("source_profile"), get("credential_source")) {
        (Some(_), Some(_)) => Err(bad("contains both source_profile and credential_source".to_owned())),
        (Some(source), None) => match ProfileName::parse(source) {
            Ok(source) => Ok(Whence::Profile(source)),
            Err(error) => Err(bad(format!("has a bad `source_profile`: {error}"))),
        },
        // What a command would find in the environment is what `exec` puts there: the login's keys.
        (None, None | Some("Environment")) => Ok(Whence::Login),
        (None, Some(other @ ("Ec2InstanceMetadata" | "EcsContainer"))) => Err(bad(format!(
            "has `credential_source = {other}`: these keys are a machine's own, and programs on it get them by themselves"
        ))),
        (None, Some(other)) => {
            Err(bad(format!("references the credential source \"{}\", which is not valid", other.escape_debug())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::chain::Source;

    fn settings(text: &str, name: &str) -> Result<Option<Entry>, ChainError> {
        let files = Files { config: Ini::parse(text), credentials: Ini::parse("[both]\nROLE_ARN = arn:aws:iam::2:role/c\n") };
        let profile = ProfileName::parse(name).unwrap();
        files.profile(&profile).map(|settings| entry(&profile, &settings)).transpose()
    }

    fn hop_of(text: &str, name: &str) -> Hop {
        settings(text, name).unwrap().unwrap().role.unwrap().0
    }

    fn wrong(text: &str) -> String {
        settings(&format!("[profile a]\n{text}"), "a").err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_profile_is_read_as_botocore_reads_it() {
        let text = "[profile a]\nRole_Arn : arn:aws:iam::1:role/team/a\nexternal_id=x:1\nrole_session_name = me\n\
            duration_seconds = 900\nmfa_serial = arn:aws:iam::1:mfa/me\nregion = eu-west-1\nsource_identity = alice\n\
            session_tags = team=web , cost=a=b\ntransitive_session_tags = team\ns3 =\n  role_arn = no\n\
            [profile \"b c\"]\nrole_arn = arn:aws:iam::1:role/b\n[default]\nrole_arn = arn:aws:iam::1:role/d\n[e]\nrole_arn = x\n\
            [profile both]\nrole_arn = arn:aws:iam::1:role/lost\nexternal_id = kept\n";
        let hop = hop_of(text, "a");
        let texts = [&hop.external_id, &hop.session_name, &hop.mfa_serial, &hop.source_identity].map(|text| text.as_deref());
        assert_eq!(texts, [Some("x:1"), Some("me"), Some("arn:aws:iam::1:mfa/me"), Some("alice")]);
        assert_eq!((hop.role.name(), hop.duration.map(SessionDuration::seconds)), ("team/a", Some(900)));
        assert_eq!(hop.place.region.unwrap().as_str(), "eu-west-1");
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!((hop.tags, hop.transitive), (vec![tag("team", "web"), tag("cost", "a=b")], vec!["team".to_owned()]));
        assert_eq!((hop_of(text, "b c").role.name(), hop_of(text, "default").role.name()), ("b", "d"));
        assert!(settings(text, "e").unwrap().is_none(), "without `profile` it is none");
        let both = hop_of(text, "both");
        assert_eq!((both.role.name(), both.external_id.as_deref()), ("c", Some("kept")));
    }

    #[test]
    fn says_what_is_wrong() {
        let role = "role_arn = arn:aws:iam::1:role/a\n";
        for (text, why) in [
            ("role_arn = x", "profile `a` has a bad `role_arn`: x is not a role ARN"),
            ("role_arn = acs:ram::1:role/a", "profile `a` names a role of Alibaba Cloud: acs:ram::1:role/a"),
            (&format!("{role}duration_seconds = 60"), "profile `a` has a bad `duration_seconds`: a session lasts 900"),
            (&format!("{role}session_tags = x"), "profile `a` has `session_tags` that are not `key=value,…`"),
            (&format!("{role}region = x/y"), "profile `a` has a bad `region`"),
            (
                &format!("{role}source_profile = b\ncredential_source = Environment"),
                "contains both source_profile and credential_source",
            ),
            (&format!("{role}credential_source = Ec2InstanceMetadata"), "these keys are a machine's own"),
            (
                &format!("{role}credential_source = environment"),
                "references the credential source \"environment\", which is not valid",
            ),
        ] {
            assert!(wrong(text).contains(why), "{text}: {}", wrong(text));
        }
    }

    #[test]
    fn an_environment_is_the_logins_and_keys_are_the_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let profiles = Profiles { credentials: folder.path().join("credentials"), config: folder.path().join("config") };
        let text = "[profile env]\nrole_arn = arn:aws:iam::1:role/a\ncredential_source = Environment\n\
            [profile on-keys]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = base\n";
        file::replace(&profiles.config, text).unwrap();
        file::replace(&profiles.credentials, "[base]\naws_access_key_id = AKIA\naws_secret_access_key = s\n").unwrap();
        let name = |text| ProfileName::parse(text).unwrap();
        let at = Timestamp::from_unix(0).unwrap();
        let plan = |text, login| plan(&profiles, &name(text), Some(&name(login)), &Env::of([]), at).unwrap().source;
        assert!(matches!(plan("env", "saml"), Source::Login));
        assert!(matches!(plan("on-keys", "base"), Source::Login), "the login's own profile stands for the login");
        let Source::Profile { profile, keys } = plan("on-keys", "saml") else { panic!("its keys are there") };
        assert_eq!((profile.as_str(), keys.id.as_str(), keys.token), ("base", "AKIA", None));
    }

    #[test]
    fn the_token_service_is_the_named_profiles_word() {
        let text = "[profile a]\nrole_arn = arn:aws:iam::1:role/a\nservices = lab\nendpoint_url = https://all.example/\n\
            [profile b]\nendpoint_url = https://all.example/\n[profile c]\nservices = no-such\n[profile d]\nservices = lab\n\
            ignore_configured_endpoint_urls = TRUE\n[services lab]\ns3 =\n  endpoint_url = https://s3.example/\nsts =\n  \
            endpoint_url = https://sts.example/\n";
        let files = Files { config: Ini::parse(text), credentials: Ini::parse("") };
        let asked = |name: &str, env: &[(&str, &str)]| {
            files.token_service(&ProfileName::parse(name).unwrap(), &Env::of(env.iter().copied()))
        };
        assert_eq!(asked("a", &[]).as_deref(), Some("https://sts.example/"));
        assert_eq!(asked("b", &[]).as_deref(), Some("https://all.example/"));
        assert_eq!((asked("c", &[]), asked("d", &[]), asked("e", &[])), (None, None, None));
        for variable in [
            ("AWS_ENDPOINT_URL_STS", "https://x/"),
            ("AWS_ENDPOINT_URL", "https://x/"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ] {
            assert_eq!(asked("a", &[variable]), None, "{variable:?}");
        }
    }

    #[test]
    fn profiles_that_sign_in_by_themselves() {
        let signs_in = |text: &str| settings(&format!("[profile a]\n{text}"), "a").unwrap().is_some_and(|entry| entry.signs_in);
        let role = "role_arn = arn:aws:iam::1:role/a\n";
        assert!(
            signs_in("sso_session = x")
                && signs_in("sso_account_id = 1")
                && signs_in(&format!("{role}web_identity_token_file = /t"))
        );
        assert!(!signs_in(&format!("{role}sso_session = x")), "a role comes before a portal, as in botocore");
        assert!(!signs_in("web_identity_token_file = /t") && !signs_in("credential_process = x"));
    }
}
