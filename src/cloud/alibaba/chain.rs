//! Roles of profiles in `~/.aliyun/config.json`: the modes `RamRoleArn` and `ChainableRamRoleArn`.
//! <https://github.com/aliyun/aliyun-cli>, `config/`.
//!
//! `RamRoleArn` names no source: `aliyun` takes the long-lived keys beside it. Here the login is the source, as in saml2alibabacloud,
//! so that nobody's long-lived keys are used unasked.

use serde_json::{Map, Value};

use super::profile::{Profiles, text_of};
use crate::cloud::Place;
use crate::cloud::chain::{ChainError, Entry, Held, Hop, Keys, Plan, Whence, follow};
use crate::types::{CloudId, ProfileName, Region, RoleArn, SessionDuration, Timestamp};

/// How the profile `name` comes to its role.
pub(super) fn plan(
    profiles: &Profiles,
    name: &ProfileName,
    login: Option<&ProfileName>,
    now: Timestamp,
) -> Result<Plan, ChainError> {
    let text = profiles.text()?;
    let files = format!("`{}`", profiles.path.display());
    follow(name, login, &files, "ram_role_arn", now, |profile| {
        let object = text.as_deref().map(|text| profiles.object(text, profile)).transpose()?.flatten();
        object.map(|object| entry(profile, &object)).transpose()
    })
}

fn entry(profile: &ProfileName, object: &Map<String, Value>) -> Result<Entry, ChainError> {
    let bad = |why: String| ChainError::Bad { profile: profile.clone(), why };
    let get = |key: &str| Some(text_of(object, key)).filter(|text| !text.trim().is_empty());
    let region = |key: &str| get(key).map(Region::parse).transpose().map_err(|e| bad(format!("has a bad `{key}`: {e}")));
    let mode = get("mode").unwrap_or("AK");
    let keys = || get("access_key_id").zip(get("access_key_secret"));
    let held = match mode {
        "AK" => keys().map(|(id, secret)| (id, secret, None)),
        "StsToken" => keys().and_then(|(id, secret)| Some((id, secret, Some(get("sts_token")?)))),
        _ => None,
    };
    let expires = object.get("sts_expiration").and_then(Value::as_i64).filter(|at| *at > 0).and_then(Timestamp::from_unix);
    let keys = held.map(|(id, secret, token)| Held {
        keys: Keys { id: id.to_owned(), secret: secret.into(), token: token.map(Into::into) },
        expires: expires.filter(|_| mode == "StsToken"),
    });
    let whence = match mode {
        "RamRoleArn" => Some(Whence::Login),
        "ChainableRamRoleArn" => Some(match get("source_profile") {
            None => Whence::Login,
            Some(source) => {
                Whence::Profile(ProfileName::parse(source).map_err(|e| bad(format!("has a bad `source_profile`: {e}")))?)
            }
        }),
        _ => None,
    };
    let other = (whence.is_none() && !matches!(mode, "AK" | "StsToken")).then(|| format!("its mode `{}`", mode.escape_debug()));
    let role = match whence {
        None => None,
        Some(whence) => {
            let arn = get("ram_role_arn").ok_or(ChainError::NoRole { profile: profile.clone(), key: "ram_role_arn" })?;
            let role = RoleArn::parse(arn).map_err(|e| bad(format!("has a bad `ram_role_arn`: {e}")))?;
            if role.cloud() != CloudId::Alibaba {
                return Err(bad(format!("names a role of {}: {role}", role.cloud().title())));
            }
            let sts_region = region("sts_region")?;
            let vpc = if object.get("enable_vpc").and_then(Value::as_bool) == Some(true) { "-vpc" } else { "" };
            let in_region = sts_region.map(|region| format!("sts{vpc}.{region}.aliyuncs.com"));
            Some((
                Hop {
                    session_name: get("ram_session_name").map(str::to_owned),
                    duration: duration(object).map_err(|why| bad(format!("has a bad `expired_seconds`: {why}")))?,
                    external_id: get("external_id").map(str::to_owned),
                    policy: get("policy").map(str::to_owned),
                    place: Place { region: None, sts: get("sts_endpoint").map(str::to_owned).or(in_region) },
                    ..Hop::new(profile, role)
                },
                whence,
            ))
        }
    };
    Ok(Entry { role, keys, signs_in: false, other, region: region("region_id")? })
}

/// The length that a profile wishes; `aliyun` writes 0 for none.
fn duration(object: &Map<String, Value>) -> Result<Option<SessionDuration>, String> {
    match object.get("expired_seconds") {
        None | Some(Value::Null) => Ok(None),
        Some(value) if value.as_i64() == Some(0) => Ok(None),
        Some(value) => SessionDuration::parse(&value.to_string()).map(Some).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Entry, ChainError> {
        entry(&ProfileName::parse("a").unwrap(), value.as_object().unwrap())
    }

    fn wrong(value: Value) -> String {
        read(value).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_role_is_read() {
        let value = json!({"name": "a", "mode": "ChainableRamRoleArn", "source_profile": "b", "ram_role_arn": "acs:ram::1:role/x",
            "ram_session_name": "me", "external_id": "e", "expired_seconds": 900, "sts_region": "cn-beijing", "enable_vpc": true,
            "region_id": "eu-central-1", "policy": "{}"});
        let entry = read(value).unwrap();
        let (hop, whence) = entry.role.unwrap();
        assert!(matches!(whence, Whence::Profile(source) if source.as_str() == "b"));
        let texts = [&hop.session_name, &hop.external_id, &hop.policy, &hop.place.sts].map(|text| text.as_deref());
        assert_eq!(texts, [Some("me"), Some("e"), Some("{}"), Some("sts-vpc.cn-beijing.aliyuncs.com")]);
        assert_eq!((hop.duration.map(SessionDuration::seconds), entry.region.unwrap().as_str()), (Some(900), "eu-central-1"));
    }

    #[test]
    fn a_role_with_long_lived_keys_is_assumed_by_the_login() {
        let value = json!({"mode": "RamRoleArn", "access_key_id": "LTAI", "access_key_secret": "s", "ram_role_arn": "acs:ram::1:role/x",
            "ram_session_name": "", "expired_seconds": 0, "sts_endpoint": "sts.example"});
        let entry = read(value).unwrap();
        let (hop, whence) = entry.role.unwrap();
        assert!(matches!(whence, Whence::Login) && entry.keys.is_none());
        assert_eq!((hop.session_name, hop.duration, hop.place.sts.as_deref()), (None, None, Some("sts.example")));
    }

    #[test]
    fn keys_are_read_and_other_modes_named() {
        let sts = json!({"mode": "StsToken", "access_key_id": "STS.x", "access_key_secret": "s", "sts_token": "t", "sts_expiration": 7});
        let held = read(sts).unwrap().keys.unwrap();
        assert_eq!((held.keys.token, held.expires.map(Timestamp::unix)), (Some("t".into()), Some(7)));
        let long_lived =
            read(json!({"access_key_id": "LTAI", "access_key_secret": "s", "sts_expiration": 7})).unwrap().keys.unwrap();
        assert_eq!((long_lived.keys.token, long_lived.expires), (None, None));
        assert_eq!(read(json!({"mode": "OIDC", "ram_role_arn": "x"})).unwrap().other.as_deref(), Some("its mode `OIDC`"));
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(wrong(json!({"mode": "RamRoleArn"})), "profile `a` has no `ram_role_arn`: there is no role to assume");
        for (key, value, why) in [
            ("ram_role_arn", json!("x"), "bad `ram_role_arn`"),
            ("ram_role_arn", json!("arn:aws:iam::1:role/a"), "names a role of AWS"),
            ("expired_seconds", json!(60), "bad `expired_seconds`: a session lasts 900"),
            ("expired_seconds", json!("x"), "bad `expired_seconds`"),
            ("sts_region", json!("x/y"), "bad `sts_region`"),
        ] {
            let mut object = json!({"mode": "RamRoleArn", "ram_role_arn": "acs:ram::1:role/x"});
            object[key] = value;
            let said = wrong(object);
            assert!(said.contains(why), "{key}: {said}");
        }
    }
}
